//! WebAssembly as input: what becomes of it, and how errors are said.

mod common;

use common::{file, ilc};
use serde_json::Value;

const ADD: &str = "(module (func $add (export \"add\") (param i32 i32) (result i32)
  (i32.add (local.get 0) (local.get 1))))";

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

    let wide = file("wide.wat", b"(module (memory i64 1))");
    let run = ilc(&["build", wide.to_str().unwrap(), "-o", "-"]);
    assert!(run.code == 1 && run.err.contains("error[WA0002]: memory64") && run.err.contains("help: "), "{}", run.err);
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
