//! The disassembler: text compiled, disassembled and compiled again is the same module.

use std::fs;
use std::path::{Path, PathBuf};

use il::Module;
use il::instr::{Instr, Reader};
use il::text::{Options, Source, compile_with};

#[path = "../common/mod.rs"]
mod common;

mod built;
mod instructions;
mod random;
mod rewritten;

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
    found.sort();
}

fn resolve(path: &str) -> Option<Source> {
    il::library::module(path).map(|(file, text)| Source { file: file.into(), text: text.into() })
}

fn compile(name: &str, source: &str) -> Result<Module, String> {
    let options = Options { known: isa::ALL, resolve: &resolve, tests: true };
    compile_with(name, source, &options).map_err(|all| all.to_string())
}

/// What a function's code says, for a message.
fn instructions(module: &Module, body: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(body);
    let mut all = Vec::new();
    while let Some(instr) = reader.next().unwrap() {
        all.push(match instr {
            Instr::StrConst(id) | Instr::Trap(id) | Instr::Assert(id) => {
                format!("{instr:?} {:?}", module.strings[id.index()])
            }
            other => format!("{other:?}"),
        });
    }
    all
}

/// The bytes that are hashed, and what they are made of.
#[track_caller]
fn assert_same(first: &Module, second: &Module, text: &str) {
    for (at, (one, two)) in first.funcs.iter().zip(&second.funcs).enumerate() {
        assert_eq!(instructions(first, &one.body), instructions(second, &two.body), "function {at} of:\n{text}");
        assert_eq!(one, two, "function {at} of:\n{text}");
    }
    let required = |module: &Module| Module { names: None, ..module.clone() };
    assert_eq!(required(first), required(second), "{text}");
    let bytes = |module: &Module| il::binary::encode(&required(module));
    assert_eq!(bytes(first), bytes(second), "{text}");
}

#[track_caller]
fn round_trip(name: &str, source: &str) {
    let first = compile(name, source).unwrap_or_else(|error| panic!("{name}: {error}"));
    il::verify(first.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = il::disasm::module(&first);
    let second = compile(name, &text).unwrap_or_else(|error| panic!("{name}, disassembled:\n{text}\n{error}"));
    assert_same(&first, &second, &text);
    assert_eq!(text, il::disasm::module(&second), "{name}");

    let nameless = Module { names: None, ..first.clone() };
    let text = il::disasm::module(&nameless);
    let third = compile(name, &text).unwrap_or_else(|error| panic!("{name}, without names:\n{text}\n{error}"));
    assert_same(&first, &third, &text);
}

#[test]
fn samples_survive() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["../samples", "../benches", "tests/text", "std"] {
        sources(&root.join(folder), &mut found);
    }
    assert!(found.len() > 20);
    let mut failed = Vec::new();
    for path in found {
        let source = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Err(why) = std::panic::catch_unwind(|| round_trip(&name, &source)) {
            failed.push((path, why.downcast_ref::<String>().cloned()));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The module of a text that is the disassembly of this one.
#[track_caller]
fn again(module: &Module) -> (String, Module) {
    il::verify(module.clone()).unwrap_or_else(|error| panic!("{error}"));
    let text = il::disasm::module(module);
    let again = compile("again.il", &text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    il::verify(again.clone()).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let stable = il::disasm::module(&again);
    let third = compile("third.il", &stable).unwrap_or_else(|error| panic!("{stable}\n{error}"));
    assert_same(&again, &third, &stable);
    (text, again)
}

/// Names of memories and segments are for people; text needs none for the first memory and for what is placed.
#[test]
fn memories_and_segments_keep_their_names() {
    let source = "memory main 1..2\nmemory 1..1\nmemory heap 2..3\n\ndata 0 \"first\"\ndata greeting = \"hello\"\n\
        data table = 16 in heap \"placed\"\ndata \"nameless\"\n";
    let module = compile("memories.il", source).unwrap();
    let names = module.names.as_ref().unwrap();
    assert_eq!(
        (&names.memories[..], &names.data[..]),
        (&["main", "", "heap"].map(String::from)[..], &["", "greeting", "table"].map(String::from)[..])
    );
    let text = il::disasm::module(&module);
    let items = "memory main 1..2\nmemory m1 1..1\nmemory heap 2..3\ndata 0 \"first\"\ndata greeting = \"hello\"\n\
        data table = 16 in heap \"placed\"\ndata d3 = \"nameless\"\n";
    assert!(text.contains(items), "{text}");
    round_trip("memories.il", source);
}
