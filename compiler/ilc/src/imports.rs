//! Where the texts that an `import` names are found.

use std::fs;
use std::path::{Path, PathBuf};

use il::text::{ItemKind, Options, Source};

/// Finds the modules that one text imports.
pub struct Imports {
    /// The folder in which `a.b` is `a/b.il`.
    root: PathBuf,
}

impl Imports {
    /// For a text: modules lie beside it, or, if it says `module a.b` and lies in a folder `a`, beside that folder.
    pub fn of(file: &Path, source: &str) -> Imports {
        let folder = file.parent().unwrap_or(Path::new(""));
        let items = il::text::outline(source);
        let module = items.iter().find(|item| item.kind == ItemKind::Module).map_or("", |item| &item.name);
        let own = file_of(module);
        let above = || file.ancestors().nth(own.components().count()).filter(|_| file.ends_with(&own));
        let root = if module.is_empty() { folder } else { above().unwrap_or(folder) };
        Imports { root: root.to_path_buf() }
    }

    /// The text of a module: of the standard library, or a file.
    pub fn find(&self, path: &str) -> Option<Source> {
        if let Some((file, text)) = il::library::module(path) {
            return Some(Source { file: file.into(), text: text.into() });
        }
        let file = self.root.join(file_of(path));
        let text = fs::read_to_string(&file).ok()?;
        Some(Source { file: file.display().to_string(), text })
    }

    /// What a build of the text needs to know.
    pub fn with<T>(&self, tests: bool, build: impl FnOnce(&Options<'_>) -> T) -> T {
        build(&Options { known: isa::ALL, resolve: &|path| self.find(path), tests })
    }
}

/// `a.b` is `a/b.il`.
fn file_of(path: &str) -> PathBuf {
    let mut file: PathBuf = path.split('.').collect();
    file.set_extension("il");
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_lie_where_their_names_say() {
        let root = |file: &str, source: &str| Imports::of(Path::new(file), source).root;
        assert_eq!(root("work/main.il", "func f() {}"), Path::new("work"));
        assert_eq!(root("work/main.il", "module main"), Path::new("work"));
        assert_eq!(root("work/lib/a.il", "module lib.a"), Path::new("work"));
        assert_eq!(root("work/other/a.il", "module lib.a"), Path::new("work/other"));
        assert_eq!(root("a.il", "module lib.a"), Path::new(""));
        assert_eq!(file_of("std.text"), Path::new("std/text.il"));
    }
}
