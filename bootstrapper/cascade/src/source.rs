//! Where the texts of imported modules come from: the standard library, and the folder of the text that is built.

use std::path::Path;

use il::text::Source;

/// Finds imported modules: `std.text` in the standard library, `shapes.round` in `shapes/round.il` of the folder.
pub fn importer(folder: &Path) -> impl Fn(&str) -> Option<Source> {
    move |path| {
        if let Some((file, text)) = il::library::module(path) {
            return Some(Source { file: file.into(), text: text.into() });
        }
        let file = folder.join(path.replace('.', "/")).with_extension("il");
        let text = std::fs::read_to_string(&file).ok()?;
        Some(Source { file: file.display().to_string(), text })
    }
}

/// The folder in which the imports of a text are looked for.
pub fn folder(text: &Path) -> &Path {
    text.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
