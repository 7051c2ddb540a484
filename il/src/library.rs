//! The standard library: modules in IL, in `il/std`, that every front end finds by `import std.NAME { .. }`, and where other modules lie.

use alloc::format;
use alloc::string::String;

use crate::text::{ItemKind, Source, outline};

macro_rules! modules {
    ($($name:literal)*) => {
        /// Every module: (path, file name, text).
        pub const MODULES: &[(&str, &str, &str)] = &[$((
            concat!("std.", $name),
            concat!("std/", $name, ".il"),
            include_str!(concat!("../std/", $name, ".il")),
        ),)*];
    };
}

modules! { "draw" "list" "map" "maths" "random" "text" }

/// The module with this path: its file name, for messages, and its text.
pub fn module(path: &str) -> Option<(&'static str, &'static str)> {
    MODULES.iter().find(|(name, ..)| *name == path).map(|(_, file, text)| (*file, *text))
}

/// Where the texts lie that a text imports, and those that they import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Modules {
    /// A folder, with its `/`; empty for the current one.
    root: String,
}

impl Modules {
    /// For the text in a file: modules lie beside it, or, if it says `module a.b` and is `a/b.il`, beside the folder `a`.
    pub fn beside(file: &str, source: &str) -> Modules {
        let items = outline(source);
        let own = items.iter().find(|item| item.kind == ItemKind::Module).map(|item| file_of(&item.name));
        let above = own.and_then(|own| file.strip_suffix(own.as_str()));
        let folder = file.rfind('/').and_then(|slash| file.get(..=slash)).unwrap_or("");
        let root = above.filter(|root| root.is_empty() || root.ends_with('/')).unwrap_or(folder);
        Modules { root: root.into() }
    }

    /// The text of a module: of the standard library, or what `read` gives for its file.
    pub fn find(&self, path: &str, read: impl FnOnce(&str) -> Option<String>) -> Option<Source> {
        if let Some((file, text)) = module(path) {
            return Some(Source { file: file.into(), text: text.into() });
        }
        let file = format!("{}{}", self.root, file_of(path));
        let text = read(&file)?;
        Some(Source { file, text })
    }
}

/// `a.b` is `a/b.il`.
fn file_of(path: &str) -> String {
    format!("{}.il", path.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_lie_where_their_names_say() {
        let file = |file: &str, source: &str| {
            let read = |file: &str| Some(String::from(file));
            Modules::beside(file, source).find("x.y", read).map(|found| found.file)
        };
        assert_eq!(file("work/main.il", "func f() {}").as_deref(), Some("work/x/y.il"));
        assert_eq!(file("work/main.il", "module main").as_deref(), Some("work/x/y.il"));
        assert_eq!(file("work/lib/a.il", "module lib.a").as_deref(), Some("work/x/y.il"));
        assert_eq!(file("work/other/a.il", "module lib.a").as_deref(), Some("work/other/x/y.il"));
        assert_eq!(file("work/mylib/a.il", "module lib.a").as_deref(), Some("work/mylib/x/y.il"));
        assert_eq!(file("lib/a.il", "module lib.a").as_deref(), Some("x/y.il"));
        assert_eq!(file("a.il", "").as_deref(), Some("x/y.il"));
        let library = Modules::beside("a.il", "").find("std.text", |_| None).expect("the library is here");
        assert_eq!(library.file, "std/text.il");
    }
}
