//! Formatting changes no meaning: the module of a formatted text is the module of the text.

use std::fs;
use std::path::Path;

#[test]
fn formatted_texts_compile_to_the_same_modules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in ["tests/text", "../samples", "../samples/vms"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder of texts") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_none_or(|end| end != "il") {
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str()).expect("names are plain text");
            let source = fs::read_to_string(&path).expect("a readable text");
            let formatted = il::text::format(name, &source).unwrap_or_else(|errors| panic!("{errors}"));
            // One that imports does not stand alone.
            let Ok(module) = il::text::compile(name, &source, isa::ALL) else { continue };
            let again = il::text::compile(name, &formatted, isa::ALL).unwrap_or_else(|errors| panic!("{errors}"));
            let same = il::binary::identity(&module) == il::binary::identity(&again);
            assert!(same, "{name} became:\n{formatted}");
            count += 1;
        }
    }
    assert!(count > 15, "the texts are not found");
}
