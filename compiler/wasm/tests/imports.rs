//! Imports: device instructions, buffers, WASI, other units; and what is refused, by name.

mod common;

use common::{encode, link, module, verified};
use wasm::{ErrorKind, Options, Unit, translate};

/// The translation of a text as the IL's text.
#[track_caller]
fn il(text: &str) -> String {
    il::disasm::module(&module(text))
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn device_instructions_are_sent_inline() {
    let text = il(r#"(module
      (import "cascade.display@1" "fill_rect" (func $rect (param i32 i32 i32 i32 i32)))
      (import "cascade.display@1" "text" (func $text (param i32 i32 i32 i32 i32)))
      (import "cascade.display@1" "blit" (func $blit (param i32 i32 i32 i32 i32 i32)))
      (import "cascade.display@1" "size" (func $size (result i32 i32)))
      (import "cascade.display@1" "size" (func $size_c (param i32 i32)))
      (import "cascade.display@1" "present" (func $present (result i64)))
      (import "cascade.keyboard@1" "read" (func $read (param i32 i32 i32)))
      (memory 1)
      (func (export "_start") (local $x i32)
        (call $rect (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 0xff))
        (call $text (i32.const 1) (i32.const 2) (i32.const 100) (i32.const 5) (i32.const 7))
        (call $blit (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 2) (i32.const 64) (i32.const 16))
        (call $size) (local.set $x) (drop)
        (call $size_c (i32.const 0) (i32.const 4))
        (call $read (i32.const 8) (i32.const 12) (local.get $x))
        (drop (call $present))))"#);
    has(&text, &["use display: cascade.display@1", "use keyboard: cascade.keyboard@1"]);
    has(&text, &["display.fill_rect(1, 2, 3, 4, ", "str_at(100, 5)", "buf_at(64, 16)", "= display.size()"]);
    has(&text, &["store32(0, ", "store32(4, ", "display.present()", "keyboard.read()"]);
}

#[test]
fn failures_are_statuses_where_asked_for() {
    let text = il(r#"(module
      (import "cascade.disk@1" "try read" (func $read (param i64 i32) (result i32 i32)))
      (import "cascade.disk@1" "try read" (func $read_c (param i64 i32 i32) (result i32)))
      (import "cascade.disk@1" "write" (func $write (param i64 i32)))
      (import "cascade.disk@1" "try write" (func $write_bytes (param i64 i32 i32) (result i32)))
      (import "cascade.buf" "len" (func $len (param i32) (result i32)))
      (import "cascade.buf" "free" (func $free (param i32)))
      (memory 1)
      (func (export "f") (result i32) (local $b i32)
        (local.set $b (call $read (i64.const 3) (i32.const 1)))
        (drop)
        (if (call $read_c (i64.const 3) (i32.const 1) (i32.const 16)) (then (return (i32.const -1))))
        (call $free (i32.load (i32.const 16)))
        (call $write (i64.const 4) (local.get $b))
        (call $write_bytes (i64.const 5) (i32.const 0) (i32.const 512))))"#);
    has(&text, &["try disk.read(", "buffer_put(", "buffer_take(", "disk.write(4, ", "try disk.write(5, "]);
}

#[test]
fn buffers_are_given_by_name_where_a_language_has_one_import_of_a_name() {
    let text = il(r#"(module
      (import "cascade.disk@1" "give write" (func $write (param i64 i32)))
      (import "cascade.disk@1" "try give write" (func $try_write (param i64 i32) (result i32)))
      (import "cascade.disk@1" "write" (func $bytes (param i64 i32 i32)))
      (import "cascade.buf" "new" (func $new (param i32) (result i32)))
      (memory 1)
      (func (export "f") (result i32)
        (call $write (i64.const 4) (call $new (i32.const 512)))
        (call $bytes (i64.const 6) (i32.const 0) (i32.const 512))
        (call $try_write (i64.const 5) (call $new (i32.const 512)))))"#);
    has(&text, &["buffer_take(", "disk.write(4, ", "disk.write(6, buf_at(", "try disk.write(5, "]);
    let copied = r#"(module (import "cascade.disk@1" "give write" (func (param i64 i32 i32))) (memory 1))"#;
    refused(copied, &["incompatible import type", ": i32 handle)"]);
}

/// As clang has it: the pointers are computed, and what comes back must not lie in their locals.
#[test]
fn results_are_stored_where_pointers_say() {
    let text = il(r#"(module
      (import "cascade.display@1" "size" (func $size (param i32 i32)))
      (import "cascade.display@1" "try present" (func $present (param i32) (result i32)))
      (import "cascade.keyboard@1" "try read" (func $read (param i32 i32 i32) (result i32)))
      (memory 1)
      (func (export "f") (param $at i32) (result i32)
        (call $size (i32.add (local.get $at) (i32.const 28)) (i32.add (local.get $at) (i32.const 24)))
        (i32.add (call $present (i32.add (local.get $at) (i32.const 16)))
          (call $read (i32.add (local.get $at) (i32.const 1)) (i32.add (local.get $at) (i32.const 2))
            (i32.add (local.get $at) (i32.const 3))))))"#);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let sends = lines.iter().enumerate().filter(|(_, line)| line.contains(") = "));
    for (at, line) in sends {
        let dests: Vec<&str> = line.split(") = ").next().unwrap_or("").split(['(', ',', ' ']).collect();
        let stores = lines[at + 1..].iter().take_while(|line| line.starts_with("store"));
        let places: Vec<&str> = stores.filter_map(|store| store.split(['(', ',']).nth(1)).collect();
        assert!(!places.is_empty(), "nothing is stored in\n{text}");
        let taken = places.iter().any(|place| dests.contains(place));
        assert!(!taken, "`{line}` takes the place of a pointer in\n{text}");
    }
    has(&text, &["= display.size()", "= try display.present()", "= try keyboard.read()"]);
}

#[test]
fn exports_that_only_look_like_an_event_are_none() {
    let text =
        il(r#"(module (func (export "a@b")) (func (export "}}@1.x")) (func (export "@")) (func (export "x@2.f(i32)"))
      (func (export "ok")))"#);
    has(&text, &["export func ok("]);
    assert!(!text.contains("on "), "{text}");
    refused(r#"(module (func (export "demo.lamp@.lit")))"#, &["names no event"]);
}

#[test]
fn exports_handle_events_and_references_reach_devices() {
    let text = il(r#"(module
      (import "cascade.display@1" "clear" (func $clear (param i32)))
      (table 2 funcref) (elem (i32.const 0) $clear)
      (export "wipe" (func $clear))
      (func (export "cascade.keyboard@1.key") (param i32 i32 i32)
        (call_indirect (param i32) (local.get 1) (local.get 0))))"#);
    has(&text, &["on keyboard.key(", "export func wipe(", "display.clear("]);
}

#[test]
fn wasi_brings_what_is_imported() {
    let module = module(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (import "cascade.console@1" "size" (func $size (result i32 i32)))
          (memory (export "memory") 1)
          (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (call $size) drop drop
            (call $exit (i32.const 3))))"#,
    );
    let uses: Vec<&str> = module.uses.iter().map(|wanted| wanted.name.as_str()).collect();
    assert_eq!(uses, ["console"], "nothing else is wanted");
    assert_eq!(module.memories, [il::Memory { min: 1, max: 65536 }]);
    assert!(module.funcs.len() < 12, "{}", module.funcs.len());
}

#[test]
fn units_become_one_module() {
    let library = r#"(module (memory (export "memory") 2) (func (export "twice") (param i32) (result i32)
      (i32.store (i32.const 0) (local.get 0)) (i32.add (local.get 0) (local.get 0))))"#;
    let program = r#"(module (import "env" "twice" (func $t (param i32) (result i32))) (import "env" "memory" (memory 1))
      (func (export "f") (result i32) (i32.add (call $t (i32.const 4)) (i32.load (i32.const 0)))))"#;
    let module = verified(link(&[("env", library), ("app.wasm", program)], false));
    let mut machine = common::machine(&module);
    assert_eq!(common::call(&mut machine, &module, "f", &[]), Ok(vec![interp::Datum::I32(12)]));
    assert_eq!(module.name, "app");
}

#[track_caller]
fn refused(text: &str, parts: &[&str]) -> ErrorKind {
    let error = link(&[("app.wasm", text)], false).expect_err("it is refused");
    has(&error.to_string(), parts);
    error.kind
}

#[test]
fn refusals_say_what_and_what_to_do() {
    refused("(module (memory i64 65537))", &["app.wasm: ", "4 GiB"]);
    refused("(module (memory 1 1 shared))", &["app.wasm, byte 0x", "threads", "several VMs"]);
    refused(&format!("(module (type (struct {})))", "(field i32)".repeat(1001)), &["1000 fields", "split"]);
    let chain: String = (1..63).map(|at| format!("(type (sub {} (struct)))", at - 1)).collect();
    refused(&format!("(module (type (sub (struct))) {chain})"), &["extends so many others"]);
    refused("(module (memory 1 (pagesize 1)))", &["custom page sizes", "64 KiB"]);
    refused("(module (func (i32.add (i32.const 1))))", &["not a valid WebAssembly module", "type mismatch"]);
    refused(r#"(module (import "\1b[1m" "x" (func)))"#, &["unknown import `\\u{1b}[1m` `x`"]);
    refused(r#"(module (import "env" "puts" (func)))"#, &["unknown import `env` `puts`", "--with"]);
    refused(r#"(module (import "cascade.display@1" "fly" (func)))"#, &["unknown import", "fill_rect"]);
    refused(r#"(module (import "cascade.nothing@1" "fly" (func)))"#, &["unknown import", "no instruction set"]);
    let kind = refused(
        r#"(module (import "cascade.display@1" "clear" (func (param i64))))"#,
        &["incompatible import type", "color: i32"],
    );
    assert!(matches!(kind, ErrorKind::IncompatibleImport { .. }));
    refused(r#"(module (import "wasi_snapshot_preview1" "fork" (func)))"#, &["unknown import", "WASI preview 1"]);
    refused(r#"(module (func (export "cascade.keyboard@1.key") (param i32)))"#, &["handler", "the event wants"]);
    refused(r#"(module (func (export "cascade.keyboard@1.lift")))"#, &["names no event"]);
    refused(
        r#"(module (import "cascade.display@1" "present" (func (param i32))) (func (call 0 (i32.const 0))))"#,
        &["define a memory"],
    );
}

#[test]
fn what_would_grow_without_bound_is_refused() {
    let (types, values) = (" i32".repeat(900), "i32.const 0 ".repeat(900));
    let branches = "(br_if $a (local.get 0)) ".repeat(2000);
    let drops = "drop ".repeat(900);
    let text = format!("(module (func (param i32) (block $a (result{types}) {values} {branches}) {drops}))");
    refused(&text, &["a function as large as this one", "split it"]);
    let functions = format!("(module {})", "(func)".repeat((1 << 17) + 1));
    refused(&functions, &["so many functions"]);
    let deep = "block ".repeat(5000) + &"end ".repeat(5000);
    refused(&format!("(module (func {deep}))"), &["a construct inside so many others"]);
    let elements = "0 ".repeat(1 << 17);
    refused(&format!("(module (table 1 funcref) (func) (elem func {elements}))"), &["an element segment"]);
}

#[test]
fn any_bytes_give_a_module_or_an_error() {
    let bytes = encode(
        r#"(module (memory 1) (table 3 funcref) (elem (i32.const 0) 0) (data (i32.const 4) "abc")
          (func (param i32) (result i32) (block (result i32) (br_if 0 (i32.const 3) (local.get 0)) (i32.load))))"#,
    );
    let options = Options { known: common::KNOWN, script: false };
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if let Ok(module) = translate(&[Unit { name: "x", bytes: &changed }], &options) {
                il::verify(module).unwrap_or_else(|error| panic!("byte {at} bit {bit}: {error}"));
            }
        }
    }
    for length in 0..bytes.len() {
        let _ = translate(&[Unit { name: "x", bytes: &bytes[..length] }], &options);
    }
}

#[test]
fn every_function_of_wasi_can_be_imported_alone() {
    let all = il::text::compile("wasi.il", include_str!("../src/wasi.il"), common::KNOWN);
    let all = all.unwrap_or_else(|errors| panic!("{errors}"));
    let list = |types: &[il::Type]| types.iter().map(|ty| format!(" {}", ty.name())).collect::<String>();
    for export in all.exports.iter().filter(|export| !export.name.starts_with("console_")) {
        let sig = all.sig(export.func).expect("an exported function");
        let (params, results) = (list(&sig.params), list(&sig.results));
        let import = format!("(import \"wasi_snapshot_preview1\" \"{}\"", export.name);
        let module = module(&format!("(module {import} (func (param{params}) (result{results}))) (memory 1))"));
        // The text's functions come first, then `main`.
        assert!(module.funcs.iter().any(|func| func.sig == *sig) && module.funcs.len() <= all.funcs.len());
    }
}
