//! The disassembler: text compiled, disassembled and compiled again is the same module.

use std::fs;
use std::path::{Path, PathBuf};

use il::Module;
use il::instr::{Instr, Reader};
use il::op::Op;

mod common;

use common::{code, func};

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let resolve = |path: &str| {
        let text = fs::read_to_string(root.join(format!("{}.il", path.replace('.', "/")))).ok()?;
        Some(il::text::Source { file: format!("{path}.il"), text })
    };
    let options = il::text::Options { known: isa::ALL, resolve: &resolve, tests: true };
    il::text::compile_with(name, source, &options).map_err(|all| all.to_string())
}

/// The required sections: what the module's identity covers.
fn required(module: &Module) -> Vec<u8> {
    il::binary::encode(&Module { names: None, ..module.clone() })
}

fn instructions(body: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(body);
    let mut all = Vec::new();
    while let Some(instr) = reader.next().unwrap() {
        all.push(format!("{instr:?}"));
    }
    all
}

#[track_caller]
fn assert_same(first: &Module, second: &Module, text: &str) {
    if required(first) == required(second) {
        return;
    }
    // What differs, the smallest part first.
    for (at, (one, two)) in first.funcs.iter().zip(&second.funcs).enumerate() {
        assert_eq!(instructions(&one.body), instructions(&two.body), "function {at} of:\n{text}");
        assert_eq!((&one.sig, &one.locals), (&two.sig, &two.locals), "function {at} of:\n{text}");
    }
    assert_eq!(
        Module { names: None, ..first.clone() },
        Module { names: None, ..second.clone() },
        "the modules differ:\n{text}"
    );
    panic!("equal modules have different bytes:\n{text}");
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
    sources(&root.join("../samples"), &mut found);
    sources(&root.join("tests/text"), &mut found);
    sources(&root.join("std"), &mut found);
    sources(&root.join("../benches"), &mut found);
    assert!(!found.is_empty());
    for path in found {
        let source = fs::read_to_string(&path).unwrap();
        round_trip(path.file_name().unwrap().to_str().unwrap(), &source);
    }
}

/// Expressions and statements on which text could go astray: precedence, signs, open literals, labels.
const HARD: &str = r#"
module hard
const BIG: i64 = 5000000000
const NAN = 0.0 / 0.0
global mut g: i64 = 1
func numbers(a: i32, b: i64, c: f64) -> (i32, i64) {
  let x = (a - (a - 1)) * -a / -3 - -(4) + (a & 1 | 2 ^ a << 1)
  let y: i64 = 7 + 8 * 2
  let z = BIG
  let w = f64(BIG) + c * NAN + -1.5e300 + 0.1
  let same = (a < 1) == (b < 2) || !(c < w) && (a == 1 || b == z)
  let wide = min(b, 3) + i64(5) + i64(a + 2) + max(y, if same { 1 } else { z })
  let text = concat(str(BIG), concat(str(3), "quote \" back \\ \n \u{1f600} '"))
  g += wide
  g = g * 2 - i64(len(text))
  return (i32(wide) + abs(-(a)) + x, -y + b)
}
func flow(n: i32) -> i32 {
  var total = 0
  'rows: for i in 0..n {
    for j in i..n {
      if j == 3 { continue 'rows }
      if j == 5 { break 'rows }
      let step = match j { 0 | 1 => 1, -2 => { let k = j + 1  k * 2 }, _ => if i > j { 2 } else { return total } }
      total += step
    }
  }
  let kind = if n < 0 { 0 } else if n == 0 { total = 9  1 } else { 2 }
  while total > 100 && kind != 1 { total -= 1 }
  for long in i64(0)..BIG { if long > 3 { break } }
  loop { total += 1  if total > 50 { break } }
  match str(total) { "a" | "b" => { total = 1 }  "c" => { total = 2 }  _ => {} }
  let said = match str(total) { "one" => "1", "two" | "three" => { let t = "2"  concat(t, t) }, _ => "" }
  match BIG + 1 { 5000000001 => { total = len(said) }, _ => {} }
  assert total > 0
  return total
}
func bufs(data: ref buf, own: buf) -> buf {
  let fresh = buf(8)
  fresh[1] = data[2] + 1
  fresh[data[0]] += 2
  store64(fresh, 0, load64(own, 0) ^ 255)
  if len(data) > 4 {
    let inner = buf(len(fresh))
    copy(inner, 0, fresh, 0, 4)
    let b = if data[0] == 1 { own } else { inner }
    return b
  }
  return fresh
}
"#;

#[test]
fn hard_cases_survive() {
    round_trip("hard.il", HARD);
}

#[test]
fn modules_without_names_or_text_form_are_shown_all_the_same() {
    let nameless = Module { names: None, ..compile("hard.il", HARD).unwrap() };
    let text = il::disasm::module(&nameless);
    let again = compile("hard.il", &text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_eq!(again.funcs.len(), nameless.funcs.len());

    // A local that is assigned in both branches and read behind them, and a body that is broken.
    let both = code().yes().put(Instr::If).i32(1).set(0).i32(1).discard().put(Instr::Else).i32(2).set(0).end();
    let body = both.get(0).op(Op::I32Neg).discard();
    let broken = func(&[], &[], &[], code().op(Op::I32Add));
    let module = Module { funcs: vec![func(&[], &[], &[il::Type::I32], body), broken], ..Module::default() };
    let text = il::disasm::module(&module);
    assert!(text.contains("var t0: i32 = 0") && text.contains("_ = -t0"), "{text}");
    assert!(text.contains("// 0: Op(I32Add, "), "{text}");

    let hostile = Module { name: "a\u{1b}[2J\nfunc".into(), ..Module::default() };
    assert!(!il::disasm::module(&hostile).contains(['\u{1b}']), "names cannot act on a terminal");
}

/// Random modules of all of the language have texts that compile to modules which are shown alike.
#[test]
fn random_modules_survive() {
    let config = generate::Config::default();
    let count = std::env::var("IL_RANDOM_MODULES").ok().and_then(|count| count.parse().ok()).unwrap_or(40);
    for seed in 0..count {
        let first = generate::module(seed, &config);
        let text = il::disasm::module(&first);
        let second = compile("random.il", &text).unwrap_or_else(|error| panic!("seed {seed}:\n{text}\n{error}"));
        il::verify(second.clone()).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let again = il::disasm::module(&second);
        let third =
            compile("random.il", &again).unwrap_or_else(|error| panic!("seed {seed}, again:\n{again}\n{error}"));
        assert_same(&second, &third, &again);
    }
}
