//! `ilc test`: every `test` block in a system of its own.

mod common;

use common::{file, ilc};
use serde_json::Value;

const TEXT: &[u8] = b"use console: cascade.console@1
use disk: cascade.disk@1
global mut count = 0
func twice(n: i32) -> i32 { return n * 2 }
test \"twice two is four\" { count += 1 assert twice(2) == 4 && count == 1 }
test \"nothing is left over\" { assert count == 0 }
test \"a disk that is only there\" { let data = disk.read(0, 1)  assert len(data) == 512 && data[0] == 0 }
test \"five\" {
  console.write(\"about to fail\\n\")
  assert twice(2) == 5
}
test \"trap\" { trap \"on purpose\" }
test \"forever\" { loop {} }
";

#[test]
fn tests_pass_and_fail_one_by_one() {
    let path = file("tests.il", TEXT);
    let name = path.to_str().unwrap();
    let run = ilc(&["test", name, "--timeout", "2"]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    for part in [
        "twice two is four ... ok",
        "nothing is left over ... ok",
        "a disk that is only there ... ok",
        "five ... FAILED",
    ] {
        assert!(run.out.contains(part), "{part} is missing in:\n{}", run.out);
    }
    for part in [
        "assertion failed: twice(2) == 5",
        "(tests.il:10)",
        "console: about to fail",
        "trap: on purpose",
        "forever ... FAILED",
    ] {
        assert!(run.out.contains(part), "{part} is missing in:\n{}", run.out);
    }
    assert!(run.out.contains("3 passed, 3 failed"), "{}", run.out);

    let some = ilc(&["test", name, "--filter", "two", "--filter", "left"]);
    assert!(some.code == 0 && some.out.contains("2 passed, 0 failed"), "{}{}", some.out, some.err);
    assert!(some.out.contains("4 filtered out"), "{}", some.out);
}

#[test]
fn results_are_json_for_programs() {
    let path = file("json_tests.il", TEXT);
    let run = ilc(&["test", path.to_str().unwrap(), "--filter", "five", "--message-format", "json"]);
    let lines: Vec<Value> =
        run.out.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    let [test, total] = &lines[..] else { panic!("two objects: {}", run.out) };
    assert_eq!((run.code, &test["test"], &test["passed"]), (1, &"five".into(), &false.into()));
    assert_eq!(test["console"], "about to fail\n");
    let errors: Vec<Value> = run.err.lines().map(|line| serde_json::from_str(line).expect("here too")).collect();
    assert_eq!(errors.len(), 1, "{}", run.err);
    assert_eq!((&total["failed"], &total["filtered_out"]), (&1.into(), &5.into()));
}

#[test]
fn texts_that_do_not_compile_are_not_tested() {
    let path = file("broken_tests.il", b"test \"x\" { assert 1 }\n");
    let run = ilc(&["test", path.to_str().unwrap()]);
    assert!(run.code == 1 && run.err.contains("IL0200"), "{}{}", run.out, run.err);
    assert_eq!(ilc(&["test"]).code, 2);
}
