//! Constant operands outside of granted ranges: found with place and reason, and nothing else is.

use il::ranges::{Finding, Limit, Ranges, report};
use il::{UseId, VerifiedModule, text, verify};

const PAINT: &str = r#"module paint
use display: cascade.display@1
use disk: cascade.disk@1
const FAR = 400
program sweep on cascade.display@1 (n: i32) {
  set_pixel(n, 200, 1)
  set_pixel(n, 199, 1)
}
func pick(n: i32) -> i32 { return n + 500 }
export func main() {
  let x = pick(1)
  display.fill_rect(0, 0, 320, 200, 1)
  display.fill_rect(FAR, 0, 10, 10, x)
  display.fill_rect(x, 0, x / 2, 10, 300)
  display.fill_rect(310, if x > 0 { 5 } else { 700 }, 11, x + 700, 1)
  display.line(0, 0, 319, 199, 1)
  display.line(x, 0, 319, -1, 1)
  display.text(318, 8, "a", 1)
  display.text(0, 184, "ok", 1)
  if x > 0 { display.clear(0) }
  display.send(sweep, 3)
  let (s, d) = try disk.read(4096, 1)
  let e = disk.read(i64(x), 1)
  disk.write(4096, e)
  let n = len(disk.read(5000, 1 + 2))
  display.set_pixel(pick(400), 0, 1)
}
"#;

fn module() -> VerifiedModule {
    let module = text::compile("paint.il", PAINT, isa::ALL).unwrap_or_else(|errors| panic!("{errors}"));
    verify(module).unwrap()
}

fn ranges(module: &VerifiedModule, cap: u32, name: &str, bounds: &str) -> Ranges {
    let set = &module.isas[module.uses[cap as usize].isa.index()];
    let declared = isa::find(&set.path()).unwrap();
    let limits = [Limit::parse(name, bounds).unwrap()];
    let mut ranges = Ranges::default();
    set.instructions.iter().for_each(|instruction| ranges.limit(instruction, declared, &[&limits]));
    ranges
}

fn findings(display: &str, sectors: &str) -> Vec<String> {
    let module = module();
    let display = ranges(&module, 0, "within", display);
    let disk = ranges(&module, 1, "sectors", sectors);
    let granted = |cap: UseId| Some(if cap.0 == 0 { &display } else { &disk });
    report(&module, granted).iter().map(Finding::to_string).collect()
}

#[test]
fn what_can_only_be_refused_is_found_with_its_place() {
    let expected = [
        "paint.il:6: in `program sweep`: display.set_pixel(_, 200, 1) touches `within` y 200, but granted is within:0..320x0..200",
        "paint.il:13: in `main`: display.fill_rect(400, 0, 10, 10, _) touches `within` x 400..410, but granted is within:0..320x0..200",
        "paint.il:15: in `main`: display.fill_rect(310, _, 11, _, 1) touches `within` x 310..321, but granted is within:0..320x0..200",
        "paint.il:17: in `main`: display.line(_, 0, 319, -1, 1) touches `within` y -1, but granted is within:0..320x0..200",
        "paint.il:18: in `main`: display.text(318, 8, \"..\", 1) touches `within` x 318..325, but granted is within:0..320x0..200",
        "paint.il:20: in `main`: display.clear(0) touches all of `within`, but granted is within:0..320x0..200",
        "paint.il:22: in `main`: disk.read(4096, 1) touches `sectors` 4096, but granted is sectors:0..4096",
        "paint.il:25: in `main`: disk.read(5000, _) touches `sectors` from 5000, but granted is sectors:0..4096",
    ];
    let found = findings("320x200", "0..4096");
    assert_eq!(found, expected);
}

#[test]
fn a_wide_grant_finds_only_what_touches_everything() {
    let found = findings("-9999..99999x-9999..99999", "0..99999");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("display.clear(0) touches all of"));
}

#[test]
fn nothing_is_said_without_limits_or_without_names() {
    let module = module();
    assert_eq!(report(&module, |_| None), []);
    let none = Ranges::default();
    assert_eq!(report(&module, |_| Some(&none)), []);
    let mut bare = (*module).clone();
    bare.names = None;
    let bare = verify(bare).unwrap();
    let disk = ranges(&bare, 1, "sectors", "0..1");
    let found = report(&bare, |cap| (cap.0 == 1).then_some(&disk));
    assert_eq!(found.len(), 3);
    assert_eq!(
        found[1].to_string(),
        "in `func 2`: disk.write(4096, _) touches `sectors` from 4096, but granted is sectors:0..1"
    );
}

#[test]
fn reports_are_bounded() {
    let lines = "display.set_pixel(-1, 0, 0)\n".repeat(100);
    let source = format!("use display: cascade.display@1\nexport func main() {{ {lines} }}");
    let module =
        verify(text::compile("many.il", &source, isa::ALL).unwrap_or_else(|errors| panic!("{errors}"))).unwrap();
    let display = ranges(&module, 0, "within", "10x10");
    assert_eq!(report(&module, |_| Some(&display)).len(), il::ranges::MAX_FINDINGS);
}
