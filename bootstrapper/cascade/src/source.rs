//! Where the texts of imported modules come from: the standard library, and files beside the text that is built.

use il::library::Modules;
use il::text::Source;

/// Finds what the text `source` of a file imports ([`Modules`] says where).
pub fn importer(file: &str, source: &str) -> impl Fn(&str) -> Option<Source> + use<> {
    let modules = Modules::beside(file, source);
    move |path| modules.find(path, |file| std::fs::read_to_string(file).ok())
}
