//! WebAssembly as input: what becomes of it, and how errors are said.

mod common;

use common::{file, ilc};
use serde_json::Value;

const ADD: &str = "(module (func $add (export \"add\") (param i32 i32) (result i32)
  (i32.add (local.get 0) (local.get 1))))";

#[test]
fn a_module_is_built_shown_and_compiled() {
    let text = file("add.wat", ADD.as_bytes());
    let binary = file("add.wasm", &wat::parse_str(ADD).unwrap());
    for input in [&text, &binary] {
        let built = ilc(&["build", input.to_str().unwrap(), "-o", input.with_extension("ilb").to_str().unwrap()]);
        assert_eq!((built.code, built.err.as_str()), (0, ""));
        let listed = ilc(&["dis", input.to_str().unwrap()]);
        assert!(listed.code == 0 && listed.out.contains("export func add("), "{}{}", listed.out, listed.err);
        assert_eq!(ilc(&["check", input.to_str().unwrap()]).code, 0);
        for emit in ["clif", "asm"] {
            let listing = ilc(&["build", input.to_str().unwrap(), "--emit", emit]);
            assert!(listing.code == 0 && listing.out.contains("add"), "{emit}: {}{}", listing.out, listing.err);
        }
    }
    // Told by its contents, whatever it is called.
    let renamed = file("add.bin", &std::fs::read(&binary).unwrap());
    assert_eq!(ilc(&["check", renamed.to_str().unwrap()]).code, 0);
    let default = ilc(&["build", binary.to_str().unwrap()]);
    assert_eq!(default.code, 0);
    assert!(std::fs::read(binary.with_extension("ilb")).unwrap().starts_with(&il::binary::MAGIC));
}

#[test]
fn listings_show_how_memory_accesses_are_checked() {
    let text = "(module (memory 1) (func (export \"at\") (param i32) (result i32) (i32.load (local.get 0))))";
    let input = file("at.wat", text.as_bytes());
    let listed = |emit: &str, bounds: &str| {
        let listing = ilc(&["build", input.to_str().unwrap(), "--emit", emit, "--bounds", bounds]);
        assert_eq!((listing.code, listing.err.as_str()), (0, ""));
        listing.out
    };
    // The load itself traps, or what a comparison jumps to.
    let access = "memory access out of bounds";
    let traps = |listing: &str| -> Vec<String> {
        let lines = listing.lines().filter(|line| line.contains(access));
        lines.map(|line| line.split_whitespace().next().unwrap_or("").to_string()).collect()
    };
    let [guard, explicit] = ["guard", "explicit"].map(|bounds| listed("asm", bounds));
    assert!(traps(&guard) == ["mov"] && !guard.contains("  cmp "), "{guard}");
    assert!(traps(&explicit) == ["ud2"] && explicit.contains("  cmp "), "{explicit}");
    let [guard, explicit] = ["guard", "explicit"].map(|bounds| listed("clif", bounds));
    assert!(!guard.contains("trapnz") && explicit.contains("trapnz"), "{explicit}");

    let module = ilc(&["build", input.to_str().unwrap(), "--bounds", "explicit"]);
    assert!(module.code == 1 && module.err.contains("or here with `--emit asm`"), "{}", module.err);
    let unknown = ilc(&["build", input.to_str().unwrap(), "--emit", "asm", "--bounds", "none"]);
    assert!(unknown.code == 2 && unknown.err.contains("say `guard`"), "{}", unknown.err);
}

#[test]
fn libraries_are_linked_by_name() {
    let library = file(
        "twice.wat",
        b"(module (func (export \"twice\") (param i32) (result i32)
        (i32.shl (local.get 0) (i32.const 1))))",
    );
    let uses = file(
        "uses_twice.wat",
        b"(module (import \"env\" \"twice\" (func $twice (param i32) (result i32)))
        (func (export \"four\") (result i32) (call $twice (i32.const 2))))",
    );
    let with = format!("env={}", library.display());
    let run = ilc(&["dis", uses.to_str().unwrap(), "--with", &with]);
    assert!(run.code == 0 && run.out.contains("export func four() -> i32"), "{}{}", run.out, run.err);
    let alone = ilc(&["check", uses.to_str().unwrap()]);
    assert!(
        alone.code == 1 && alone.err.contains("error[WA0003]: nothing has the import `env` `twice`"),
        "{}",
        alone.err
    );
    let missing = ilc(&["check", uses.to_str().unwrap(), "--with", "env=nowhere.wasm"]);
    assert!(missing.code == 1 && missing.err.contains("nowhere.wasm"), "{}", missing.err);
    assert_eq!(ilc(&["check", uses.to_str().unwrap(), "--with", "nowhere.wasm"]).code, 2);
}

#[test]
fn errors_are_said_in_every_form() {
    let wrong = file("wrong.wat", b"(module (func $sum (result i32)\n  (i64.const 1)))");
    let name = wrong.to_str().unwrap();
    let human = ilc(&["check", name]);
    assert_eq!(human.code, 1);
    for part in ["error[WA0001]: not a valid WebAssembly module", &format!("\n  --> {name}: byte 0x"), ", in `sum`"] {
        assert!(human.err.contains(part), "{part} is missing in:\n{}", human.err);
    }
    let short = ilc(&["check", name, "--message-format", "short"]).err;
    assert!(short.starts_with(&format!("{name}: byte 0x")) && short.lines().count() == 1, "{short}");
    let json: Value = serde_json::from_str(&ilc(&["check", name, "--message-format", "json"]).err).unwrap();
    assert_eq!((json["code"].as_str(), json["level"].as_str()), (Some("WA0001"), Some("error")));
    assert_eq!(json["spans"][0]["function"].as_str(), Some("sum"));
    assert!(json["spans"][0]["byte_start"].as_u64().is_some_and(|byte| byte > 8), "{json}");

    let shared = file("shared.wat", b"(module (memory 1 1 shared))");
    let run = ilc(&["build", shared.to_str().unwrap(), "-o", "-"]);
    assert!(run.code == 1 && run.err.contains("error[WA0002]: threads") && run.err.contains("help: "), "{}", run.err);
    let component = file("component.wasm", b"\0asm\x0d\0\x01\0");
    let run = ilc(&["check", component.to_str().unwrap()]);
    assert!(run.err.contains("error[WA0002]: this is a WebAssembly component, and not a core module"), "{}", run.err);
    let text = file("text.wat", b"(module\n  (fun))");
    let run = ilc(&["check", text.to_str().unwrap()]);
    assert!(run.code == 1 && run.err.contains("error[WA0006]"), "{}", run.err);
    for wanted in [["fmt", "add2.wasm"], ["doc", "add2.wasm"]] {
        let path = file("add2.wasm", &wat::parse_str(ADD).unwrap());
        let run = ilc(&[wanted[0], path.to_str().unwrap()]);
        assert!(run.code == 1 && run.err.contains("this is WebAssembly"), "{}", run.err);
    }
}
