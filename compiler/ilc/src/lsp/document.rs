//! An open text: its index, and places in it as the protocol counts them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use il::library::Modules;
use il::text::{Index, Options, Place, Span, Symbol};
use lsp_types::{Location, Position, Range, Uri};

use crate::lines::Lines;

pub struct Document {
    pub uri: Uri,
    pub version: i32,
    pub text: String,
    pub index: Index,
}

impl Document {
    /// Indexes a text. What it imports is read by `read`, from a file's path.
    pub fn new(uri: Uri, version: i32, text: String, read: impl Fn(&Path) -> Option<String>) -> Document {
        // A text that is in no file imports only from the standard library.
        let file = file_path(&uri).unwrap_or_default().display().to_string();
        let modules = Modules::beside(&file, &text);
        let resolve = |path: &str| modules.find(path, |file| read(Path::new(file)));
        let index = il::text::index(&file, &text, &Options { known: isa::ALL, resolve: &resolve, tests: true });
        Document { uri, version, text, index }
    }

    /// Whether it imports, by itself or through others, the text in a file.
    pub fn imports(&self, file: &Path) -> bool {
        self.index.imported.iter().any(|source| Path::new(&source.file) == file)
    }

    /// Whether it is the text in a file.
    pub fn is_in(&self, file: &Path) -> bool {
        file_path(&self.uri).is_some_and(|path| path == file)
    }

    /// A place in this text or in one that it imports; the standard library is in no file.
    pub fn location(&self, place: Place) -> Option<Location> {
        let Some(at) = place.text.checked_sub(1) else {
            return Some(Location { uri: self.uri.clone(), range: range(&self.lines(), place.span) });
        };
        let imported = self.index.imported.get(at)?;
        let path = std::path::absolute(&imported.file).ok().filter(|path| path.is_file())?;
        Some(Location { uri: file_uri(&path)?, range: range(&Lines::new(&imported.text), place.span) })
    }

    pub fn lines(&self) -> Lines<'_> {
        Lines::new(&self.text)
    }

    /// The name at a position, and what it stands for.
    pub fn symbol_at(&self, position: Position) -> Option<(Span, &Symbol)> {
        self.index.at(self.lines().offset(position.line, position.character))
    }

    /// Every name that stands for what the name at a position stands for.
    pub fn same_names(&self, position: Position) -> Option<Vec<Span>> {
        let (_, wanted) = self.symbol_at(position)?;
        let same = |symbol: usize| self.index.symbols.get(symbol).is_some_and(|symbol| std::ptr::eq(symbol, wanted));
        Some(self.index.occurrences.iter().filter(|(_, symbol)| same(*symbol)).map(|(span, _)| *span).collect())
    }
}

/// A span as the protocol counts.
pub fn range(lines: &Lines<'_>, span: Span) -> Range {
    let at = |at: u32| {
        let (line, character) = lines.position(at);
        Position { line, character }
    };
    Range { start: at(span.start), end: at(span.end) }
}

/// The path of a `file://` address.
pub fn file_path(uri: &Uri) -> Option<PathBuf> {
    let path = uri.as_str().starts_with("file:").then(|| uri.path().as_estr().decode().into_string().ok())?;
    path.map(|path| PathBuf::from(path.into_owned()))
}

/// The `file://` address of a path.
fn file_uri(path: &Path) -> Option<Uri> {
    let mut text = String::from("file://");
    for byte in path.to_str()?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    Uri::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_addresses_are_inverse() {
        for path in ["/a/b.il", "/with blank/\u{e4}\u{1f980}%.il"] {
            let uri = file_uri(Path::new(path)).expect("an address");
            assert_eq!(file_path(&uri).as_deref(), Some(Path::new(path)), "{uri:?}");
        }
        assert_eq!(file_path(&Uri::from_str("untitled:Untitled-1").unwrap()), None);
    }
}
