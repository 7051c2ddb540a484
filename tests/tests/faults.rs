//! A fault ends one VM with a report, its callers get a status, the others go on: hosted and booted.

use std::fs;
use std::path::PathBuf;

use cascade_tests::{Summary, Where, run};

struct Case {
    name: &'static str,
    body: &'static str,
    /// What the report has to name: the kind, and the line.
    report: &'static [&'static str],
    options: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "index",
        body: "export func main() {\n  let b = buf(4)\n  var i = 0\n  while true { b[i] = 1\n  i += 1 }\n}",
        report: &["index out of bounds", "main", ":6"],
        options: &[],
    },
    Case {
        name: "division",
        body: "func half(n: i32) -> i32 {\n  return 8 / n\n}\nexport func main() {\n  console.write(str(half(0)))\n}",
        report: &["division by zero", "half", ":4", "main", ":7"],
        options: &[],
    },
    Case {
        name: "recursion",
        body: "func deeper(n: i32) -> i32 {\n  return deeper(n + 1) + 1\n}\nexport func main() {\n  console.write(str(deeper(0)))\n}",
        report: &["stack overflow", "deeper", ":4"],
        options: &[],
    },
    Case {
        name: "quota",
        body: "func hold(n: i32) -> i32 {\n  let b = buf(1048576)\n  return hold(n + 1) + len(b)\n}\nexport func main() {\n  console.write(str(hold(0)))\n}",
        report: &["quota", "hold", ":4"],
        options: &[],
    },
    Case {
        name: "memory",
        body: "memory 1..1\nexport func main() {\n  var at = 0\n  loop { store8(at, 1)\n  at += 4096 }\n}",
        report: &["memory access out of bounds", "main", ":6"],
        options: &[],
    },
    Case {
        name: "explicit",
        body: "export func main() {\n  trap \"the end is here\"\n}",
        report: &["the end is here", "main", ":4"],
        options: &[],
    },
    Case {
        name: "refused_at_the_receiver",
        body: "use disk: cascade.disk@1\nexport func main() {\n  let data = disk.read(99999999, 1)\n  console.write(str(len(data)))\n}",
        report: &["out of range", "main", ":5"],
        options: &[],
    },
];

fn program(name: &str, body: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{name}.il"));
    fs::write(&file, format!("module {name}\nuse console: cascade.console@1\n{body}\n")).unwrap();
    (folder, file)
}

fn run_both(name: &str, body: &str, options: &[&str]) -> [Summary; 2] {
    let (_folder, file) = program(name, body);
    Where::BOTH.map(|place| run(place, &file, options).unwrap())
}

#[test]
fn each_kind_of_trap_ends_the_program_with_a_report() {
    for case in CASES {
        for summary in run_both(case.name, case.body, case.options) {
            assert_eq!(summary.exit, 1, "{}: {summary:?}", case.name);
            let report = summary.faults.join("\n");
            for part in case.report {
                assert!(report.contains(part), "{}: no {part:?} in:\n{report}", case.name);
            }
        }
    }
}

const PEER: &str = r#"module peer
isa test.peer@1 {
  1 spin() -> ()
  2 crash(n: i32) -> (m: i32)
  3 ping() -> (n: i32)
}
provides test.peer@1 {
  op spin() -> () { loop { } }
  op crash(n: i32) -> (m: i32) { return 1 / n }
  op ping() -> (n: i32) { return 7 }
}
"#;

const CALLER: &str = r#"
isa test.peer@1 {
  1 spin() -> ()
  2 crash(n: i32) -> (m: i32)
  3 ping() -> (n: i32)
}
use peer: test.peer@1
func show(name: str, status: i32) {
  console.write(concat(name, concat(" gives ", concat(str(status), "\n"))))
}
"#;

fn run_with_peer(name: &str, main: &str, options: &[&str]) -> [Summary; 2] {
    let (folder, file) = program(name, &format!("{CALLER}{main}"));
    let peer = folder.path().join("peer.il");
    fs::write(&peer, PEER).unwrap();
    let plug = format!("peer={}", peer.display());
    let mut all = vec!["--plug", plug.as_str()];
    all.extend_from_slice(options);
    Where::BOTH.map(|place| run(place, &file, &all).unwrap())
}

#[test]
fn a_peer_that_traps_fails_its_callers_and_nobody_else() {
    let main = "export func main() {
      let (first, n) = try peer.ping()
      show(\"ping\", first)
      let (second, m) = try peer.crash(0)
      show(\"crash\", second)
      let (third, k) = try peer.ping()
      show(\"ping\", third)
    }";
    for summary in run_with_peer("peer_traps", main, &[]) {
        assert_eq!(summary.exit, 0, "{summary:?}");
        assert_eq!(summary.console, "ping gives 0\ncrash gives 6\nping gives 6\n");
        let report = summary.faults.join("\n");
        for part in ["peer", "division by zero", "crash"] {
            assert!(report.contains(part), "no {part:?} in:\n{report}");
        }
    }
}

#[test]
fn a_handler_past_its_turn_ends_its_vm_only() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("system.toml");
    let text = "[vm.main]\nmodule = \"main.il\"\ngrants = { console = \"all\", peer = \"all\" }\n\
                [vm.peer]\nmodule = \"peer.il\"\nturn_ms = 300\n";
    fs::write(&manifest, text).unwrap();
    fs::write(folder.path().join("peer.il"), PEER).unwrap();
    let main = format!(
        "module main\nuse console: cascade.console@1\n{CALLER}
        export func main() {{ let status = try peer.spin()  show(\"spin\", status) }}"
    );
    let file = folder.path().join("main.il");
    fs::write(&file, main).unwrap();
    for place in Where::BOTH {
        let summary = run(place, &file, &["--system", manifest.to_str().unwrap()]).unwrap();
        assert_eq!(summary.exit, 0, "{summary:?}");
        assert_eq!(summary.console, "spin gives 6\n");
        assert!(summary.faults.join("\n").contains("deadline"), "{:?}", summary.faults);
    }
}

#[test]
fn a_wild_main_is_stopped_by_the_timeout_only() {
    let (_folder, file) = program("wild", "export func main() { loop { } }");
    for place in Where::BOTH {
        let output = cascade_tests::cascade()
            .arg(if place == Where::Hosted { "run" } else { "boot" })
            .arg(&file)
            .args(["--display", "none", "--timeout", "6"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(124), "{}", cascade_tests::text(&output));
    }
}

#[test]
fn a_panic_in_a_rust_vm_ends_that_vm_only() {
    let body = "use display: cascade.display@1
    export func main() {
      let (first, w, h) = try display.size()
      let (second, frame) = try display.present()
      let (third, x, y) = try display.size()
      console.write(concat(str(first), concat(\" \", concat(str(second), concat(\" \", str(third))))))
    }";
    for summary in run_both("rust_panic", body, &["--inject", "display.present=panic"]) {
        assert_eq!(summary.exit, 0, "{summary:?}");
        assert_eq!(summary.console, "0 6 6");
        let report = summary.faults.join("\n");
        assert!(report.contains("display") && report.contains("panic"), "{report}");
    }
}
