//! An open text: its index, and places in it as the protocol counts them.

use std::path::PathBuf;

use cascade::source::importer;
use il::text::{Index, Options, Span, Symbol};
use lsp_types::{Position, Range, Uri};

use crate::lines::Lines;

pub struct Document {
    pub uri: Uri,
    pub text: String,
    pub index: Index,
}

impl Document {
    pub fn new(uri: Uri, text: String) -> Document {
        let file = uri.path().as_str().rsplit('/').next().unwrap_or("").to_owned();
        let folder = folder(&uri);
        let resolve = importer(&folder);
        let index = il::text::index(&file, &text, &Options { known: isa::ALL, resolve: &resolve, tests: true });
        Document { uri, text, index }
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

/// The folder of a text, where its imports are looked for.
fn folder(uri: &Uri) -> PathBuf {
    let path = uri.path().as_estr().decode().into_string_lossy().into_owned();
    PathBuf::from(path).parent().map(PathBuf::from).unwrap_or_default()
}

/// A span as the protocol counts.
pub fn range(lines: &Lines<'_>, span: Span) -> Range {
    let at = |at: u32| {
        let (line, character) = lines.position(at);
        Position { line, character }
    };
    Range { start: at(span.start), end: at(span.end) }
}
