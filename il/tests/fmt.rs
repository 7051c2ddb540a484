//! Formatting changes no meaning: the module of a formatted text is the module of the text.

use std::fs;
use std::path::Path;

use il::text::{Options, Source};

fn library(path: &str) -> Option<Source> {
    il::library::module(path).map(|(file, text)| Source { file: file.into(), text: text.into() })
}

#[test]
fn formatted_texts_compile_to_the_same_modules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in ["tests/text", "std", "../samples", "../samples/vms", "../benches/programs"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder of texts") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_none_or(|end| end != "il") {
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str()).expect("names are plain text");
            let source = fs::read_to_string(&path).expect("a readable text");
            let formatted = il::text::format(name, &source).unwrap_or_else(|errors| panic!("{errors}"));
            let identity = |source: &str| {
                let options = Options { known: isa::ALL, resolve: &library, tests: true };
                let module = il::text::compile_with(name, source, &options);
                il::binary::identity(&module.unwrap_or_else(|errors| panic!("{errors}")))
            };
            assert_eq!(identity(&source), identity(&formatted), "{name} became:\n{formatted}");
            count += 1;
        }
    }
    assert!(count > 30, "the texts are not found");
}
