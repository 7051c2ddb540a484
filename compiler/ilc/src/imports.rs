//! The texts that an `import` names, read from files.

use il::library::Modules;
use il::text::Options;

/// Runs a build of a text that may import others: of the standard library, or files beside it.
pub fn with_imports<T>(file: &str, source: &str, tests: bool, build: impl FnOnce(&Options<'_>) -> T) -> T {
    let modules = Modules::beside(file, source);
    let resolve = |path: &str| modules.find(path, |file| std::fs::read_to_string(file).ok());
    build(&Options { known: isa::ALL, resolve: &resolve, tests })
}
