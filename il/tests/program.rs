//! Device programs cut out of modules: closed, accepted, canonical, and nothing but what they reach.

use generate::Config;
use il::{ProgramId, VerifiedModule, binary, program, text, verify};
use interp::{Datum, Limits, Machine, Outcome, Packet};

/// A module from text; the device sets are known.
fn module(source: &str) -> VerifiedModule {
    let module = text::compile("paint.il", source, isa::ALL);
    verify(module.unwrap_or_else(|diagnostics| panic!("{diagnostics}"))).unwrap()
}

/// Cuts a program out and checks what holds for all of them.
fn cut(module: &VerifiedModule, at: usize) -> VerifiedModule {
    let id = ProgramId(at as u32);
    let closed = program::extract(module, id).unwrap();
    let bytes = binary::encode(&closed);
    let decoded = binary::decode(&bytes).unwrap();
    assert_eq!(decoded, closed, "it travels");
    let closed = verify(decoded).unwrap_or_else(|error| panic!("program {at}: {error}"));
    let sole = program::sole(&closed).expect("one program and nothing else");
    assert_eq!(sole.name, module.programs[at].name);
    assert_eq!(program::wants(&closed, sole), program::wants(module, &module.programs[at]));
    let again = program::extract(&closed, ProgramId(0)).unwrap();
    assert_eq!(binary::encode(&again), bytes, "cut out of itself, it is itself");
    assert_eq!(program::extract(&closed, ProgramId(1)), None);
    closed
}

const PAINT: &str = r#"
module paint
use display: cascade.display@1
use disk: cascade.disk@1
memory 1..1
data 0 "unreached"
struct Shape { name: str }
struct Circle: Shape { r: i32 }
struct Unreached { n: i64 }
global mut count = 0
global scale: i32 = 3
global shape: Shape = new Circle { name: "round", r: 7 }
global helper: func(i32) -> i32 = &impure
func impure(n: i32) -> i32 { count += n  display.clear(n)  return count }
pure func unreached(n: i32) -> i32 { assert n > 0  return n }
pure func twice(n: i32) -> i32 { return n * scale }
pure func radius() -> i32 {
  if let c = shape as Circle { return c.r }
  return 0
}
pure func same() -> bool { return helper == helper }
program plasma on cascade.display@1 (t: i32) -> (sum: i32) {
  let (w, h) = size()
  for y in 0..h { for x in 0..w { set_pixel(x, y, twice(x) + t) } }
  if !same() { trap "never" }
  return w * h + radius() + twice(1)
}
program scan on cascade.disk@1 (lba: i64) -> buf { return read(lba, 1) }
export func main() {
  let sum = display.run(plasma, 1)
  let found = disk.run(scan, 0)
  display.fill_rect(0, 0, sum, len(found), impure(1))
}
"#;

#[test]
fn a_program_is_cut_out_with_what_it_reaches_and_nothing_else() {
    let paint = module(PAINT);
    let plasma = cut(&paint, 0);
    assert_eq!(plasma.name, "plasma");
    let names = plasma.names.as_ref().unwrap();
    assert_eq!(names.funcs, ["impure", "twice", "radius", "same", "program plasma"]);
    assert_eq!(names.globals, ["scale", "shape", "helper"]);
    assert_eq!(names.types.iter().map(|ty| ty.name.as_str()).collect::<Vec<_>>(), ["Shape", "Circle", ""]);
    assert_eq!(plasma.strings, ["round", "never"]);
    let set = &plasma.isas[0];
    assert_eq!(set.path(), "cascade.display@1");
    assert_eq!(set.instructions.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["size", "set_pixel"]);
    assert!(set.events.is_empty());
    // What is only named has lost its body, and with it all that it would have reached.
    assert!(plasma.funcs[0].body.len() == 2 && !plasma.funcs[0].pure);

    let scan = cut(&paint, 1);
    assert_eq!((scan.funcs.len(), scan.types.len(), scan.strings.len(), scan.globals.len()), (1, 0, 0, 0));
    assert_eq!(program::wants(&scan, &scan.programs[0]), [2]);
    assert_eq!(program::sole(&paint), None);
}

#[test]
fn what_a_program_does_not_reach_does_not_change_its_identity() {
    let identities = |source: &str| {
        let module = module(source);
        [0, 1].map(|at| cut(&module, at).identity())
    };
    let before = identities(PAINT);
    let other = PAINT.replace("count += n", "count -= n * 5  assert n > 9").replace("n: i64", "n: f64");
    assert_eq!(identities(&other), before);
    let moved = PAINT.replace("use disk:", "\n\n// a line further down\nuse disk:");
    assert_eq!(identities(&moved), before);
    let [plasma, scan] = identities(&PAINT.replace("n * scale", "n + scale"));
    assert!(plasma != before[0] && scan == before[1]);
}

/// Runs a program, which may ask the display for its size and set pixels; what it gave, and how it was traced.
fn run(module: &VerifiedModule, at: usize, args: &[Datum]) -> (Outcome, usize) {
    let mut machine = Machine::new(module, Limits::default()).unwrap();
    let mut outcome = machine.call(module.programs[at].func, args).unwrap();
    let mut pixels = 0;
    loop {
        let answer = match &outcome {
            Outcome::Own { opcode: 1, .. } => Packet::of(&[Datum::I32(4), Datum::I32(3)]),
            Outcome::Own { opcode: 3, .. } => Packet::of(&[]),
            _ => return (outcome, pixels),
        };
        pixels += 1;
        outcome = machine.resume_call(Ok(answer)).unwrap();
    }
}

#[test]
fn it_does_what_it_did_where_it_was_written() {
    let paint = module(PAINT);
    let plasma = cut(&paint, 0);
    let expected = (Outcome::Done(vec![Datum::I32(12 + 7 + 3)]), 13);
    assert_eq!(run(&paint, 0, &[Datum::I32(5)]), expected);
    assert_eq!(run(&plasma, 0, &[Datum::I32(5)]), expected);
}

#[test]
fn lines_move_along() {
    let source = "program p on cascade.display@1 (n: i32) -> (q: i32) {\n  let a = 1\n  return a / n\n}\n                  use display: cascade.display@1\nexport func main() { let q = display.run(p, 1)  assert q == 1 }";
    let closed = cut(&module(source), 0);
    let Outcome::Trap(report) = run(&closed, 0, &[Datum::I32(0)]).0 else { panic!("1 / 0") };
    let place = report.backtrace.first().unwrap();
    assert_eq!(closed.line_at(place.func, place.offset), Some(3));
    assert_eq!(closed.file_of(place.func), Some("paint.il"));
}

#[test]
fn every_program_of_random_modules_can_be_cut_out() {
    let modules = std::env::var("CASCADE_HOSTILE").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let mut programs = 0;
    for seed in 0..modules {
        let module = verify(generate::module(seed, &Config::default())).unwrap();
        for at in 0..module.programs.len() {
            cut(&module, at);
            programs += 1;
        }
    }
    assert!(programs as u64 * 2 > modules, "{programs} programs in {modules} modules: too few to say much");
}

#[test]
fn every_program_of_the_samples_can_be_cut_out() {
    let samples = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples"));
    for file in std::fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "il") {
            let source = std::fs::read_to_string(&file).unwrap();
            let Ok(compiled) = text::compile("sample.il", &source, isa::ALL) else { continue };
            let module = verify(compiled).unwrap();
            (0..module.programs.len()).for_each(|at| _ = cut(&module, at));
        }
    }
}
