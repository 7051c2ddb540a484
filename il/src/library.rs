//! The standard library: modules in IL, in `il/std`, that every front end finds by `import std.NAME { .. }`.

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
