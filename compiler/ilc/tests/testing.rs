//! `ilc test`: what passes, what fails and how it is said.

mod common;

use std::path::Path;

use common::{file, ilc};
use serde_json::Value;

const TEXT: &str = "\
module sums
use console: cascade.console@1
use display: cascade.display@1
import std.text { pad_left }

func sum(a: i32, b: i32) -> i32 { return a + b }

test \"small sums\" { assert sum(1, 2) == 3 }
test \"a sum that is wrong\" {
  console.write(pad_left(\"seen\", 6))
  assert sum(2, 2) == 5
}
test \"devices are fresh for each\" {
  assert display.get_pixel(3, 3) == 0
  display.set_pixel(3, 3, 7)
  display.present()
}
test \"and once more\" { assert display.get_pixel(3, 3) == 0 }
";

#[test]
fn failures_are_told_with_place_and_console() {
    let path = file("testing-1.il", TEXT.as_bytes());
    let name = path.to_str().unwrap();
    let run = ilc(&["test", name]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("small sums ... ok"), "{}", run.out);
    assert!(run.out.contains("a sum that is wrong ... FAILED"), "{}", run.out);
    assert!(run.out.contains("testing-1.il:11"), "the line of the assertion: {}", run.out);
    assert!(run.out.contains("console:   seen"), "{}", run.out);
    assert!(run.out.contains("devices are fresh for each ... ok"), "{}", run.out);
    assert!(run.out.contains("and once more ... ok"), "{}", run.out);
    assert!(run.out.ends_with("\n3 passed, 1 failed\n"), "{}", run.out);
    assert_eq!(run.err, "error: 1 of 4 tests failed\n");
}

#[test]
fn filters_choose_by_name() {
    let path = file("testing-2.il", TEXT.as_bytes());
    let name = path.to_str().unwrap();
    let run = ilc(&["test", name, "--filter", "small", "--filter", "once"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.ends_with("2 filtered out\n\n2 passed, 0 failed\n"), "{}", run.out);
}

#[test]
fn scripts_read_an_object_a_line() {
    let path = file("testing-3.il", TEXT.as_bytes());
    let name = path.to_str().unwrap();
    let run = ilc(&["test", name, "--message-format", "json"]);
    let lines: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    let failed: Vec<&Value> = lines.iter().filter(|line| line["passed"] == Value::Bool(false)).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["test"], "a sum that is wrong");
    assert_eq!(failed[0]["console"], "  seen");
    assert_eq!((&lines[4]["passed"], &lines[4]["failed"]), (&3.into(), &1.into()));
}

#[test]
fn a_test_that_never_ends_is_stopped() {
    let path = file("testing-4.il", "module spin\ntest \"spin\" { loop { } }\n".as_bytes());
    let name = path.to_str().unwrap();
    let run = ilc(&["test", name, "--timeout", "1"]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("spin ... FAILED"), "{}", run.out);
}

#[test]
fn a_build_leaves_tests_out() {
    let path = file("testing-5.il", TEXT.as_bytes());
    let name = path.to_str().unwrap();
    let built = path.with_extension("ilb");
    let run = ilc(&["build", name, "-o", built.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.err);
    let module = il::binary::decode(&std::fs::read(built).unwrap()).unwrap();
    assert!(module.tests.is_empty());
    assert_eq!(module.funcs.len(), 1, "only `sum` is left");
}

#[test]
fn the_standard_library_passes_its_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../il/std");
    let run = ilc(&["test", folder.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    for (module, ..) in il::library::MODULES {
        let file = format!("{}.il: ", module.trim_start_matches("std."));
        assert!(run.out.contains(&file), "{module} has no test: {}", run.out);
    }
}
