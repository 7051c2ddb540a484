//! The disassembler: text compiled, disassembled and compiled again is the same module.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use il::Module;
use il::binary::encode;

/// Every `.il` file in a folder and its folders.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "il") {
            found.push(entry);
        }
    }
}

fn compile(name: &str, source: &str) -> Result<Module, String> {
    il::text::compile(name, source, isa::ALL).map_err(|all| all.to_string())
}

fn required(module: &Module) -> Vec<u8> {
    encode(&Module { names: None, ..module.clone() })
}

#[track_caller]
fn round_trip(name: &str, source: &str) {
    eprintln!("{name}");
    let first = compile(name, source).unwrap_or_else(|error| panic!("{name}: {error}"));
    il::verify(first.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = il::disasm::module(&first);
    let second = compile(name, &text).unwrap_or_else(|error| panic!("{name}, disassembled:\n{text}\n{error}"));
    if required(&first) != required(&second) {
        assert_eq!(text, il::disasm::module(&second), "{name}");
        assert_eq!(first.strings, second.strings, "{name}:\n{text}");
        assert_eq!(first.isas, second.isas, "{name}:\n{text}");
        for (at, (one, two)) in first.funcs.iter().zip(&second.funcs).enumerate() {
            assert_eq!(one, two, "{name}, function {at}:\n{text}");
        }
        panic!("{name}: another module:\n{text}\n{first:#?}\n{second:#?}");
    }
}

#[test]
fn samples_survive() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("../samples"), &mut found);
    sources(&root.join("tests/text"), &mut found);
    assert!(!found.is_empty());
    for path in found {
        let source = fs::read_to_string(&path).unwrap();
        round_trip(path.file_name().unwrap().to_str().unwrap(), &source);
    }
}
