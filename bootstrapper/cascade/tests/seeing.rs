//! What can be seen of a system: recordings as text, traces, graphs, live tables; hosted and booted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn cascade(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cascade"));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs to the end, which must be a good one; gives what was printed.
#[track_caller]
fn run(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = cascade(arguments).output().expect("cascade starts");
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(0), "{arguments:?}: {stderr}");
    assert_eq!(stderr, "", "{arguments:?}");
    String::from_utf8(stdout).expect("UTF-8")
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = cascade(arguments).output().expect("cascade starts");
    assert_eq!(status.code(), Some(2), "{arguments:?}");
    String::from_utf8(stderr).expect("UTF-8")
}

const PAINT: [&str; 7] =
    ["samples/paint.il", "--keys", "samples/keys/paint.keys", "--clock", "virtual", "--display", "none"];

/// A folder, and a file's path in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_string()
    }
}

fn record(files: &Files, how: &str) -> String {
    let recording = files.path(&format!("{how}.rec"));
    run(&[&[how], &PAINT[..], &["--record", &recording]].concat());
    recording
}

#[test]
fn a_recording_prints_as_device_bytecode() {
    let files = Files::new();
    let recording = record(&files, "run");
    let text = run(&["trace", &recording]);
    for line in [
        "       0.000 ms  paint -> display         fill_rect(0, 0, 10, 10, 0xf4f1ea)",
        "       0.000 ms  paint -> disk            read(0, 6)",
        "       0.000 ms  disk -> paint            read = buf of 3072",
        "     370.000 ms  display -> paint         present = 15",
        "     490.000 ms  keyboard -> paint        read = 41, true, 27",
        "     490.000 ms  paint                    ended",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{}", text.get(..2000).unwrap_or(&text));
    }
    assert!(!text.contains("hello("), "handshakes are shown on request");
    let all = run(&["trace", &recording, "--handshakes"]);
    assert!(all.contains("paint -> base") && all.contains("hello(\"paint\")"));
    let disk = run(&["trace", &recording, "--vm", "disk"]);
    assert!(disk.lines().count() > 4 && disk.lines().all(|line| line.contains("disk")), "{disk}");
    let lines = run(&["trace", &recording, "--json"]);
    let values: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let first = values.iter().find(|value| value["name"] == "fill_rect").expect("a rectangle");
    assert_eq!(
        (&first["from"], &first["to"], &first["kind"]),
        (&"paint".into(), &"display".into(), &"instruction".into())
    );
    assert_eq!(first["values"]["color"], "0xf4f1ea");
}

#[test]
fn what_is_no_recording_is_refused_politely() {
    let files = Files::new();
    let recording = files.path("x.rec");
    assert!(refused(&["trace", &recording]).contains("--record"));
    assert!(refused(&["trace", "samples/hello.il"]).contains("does not start with"));
    std::fs::write(&recording, b"").unwrap();
    assert!(refused(&["trace", &recording]).contains("is not a recording"));
    let good = record(&files, "run");
    assert!(refused(&["trace", &good, "--vm", "printer"]).contains("paint"), "says which VMs there are");
    let mut bytes = std::fs::read(&good).unwrap();
    bytes.truncate(bytes.len() - 20);
    std::fs::write(&recording, &bytes).unwrap();
    let Output { status, stderr, .. } = cascade(&["trace", &recording]).output().unwrap();
    assert_eq!(status.code(), Some(0), "one that breaks off is printed as far as it goes");
    assert!(String::from_utf8_lossy(&stderr).contains("breaks off"));
    bytes[8] = 0x77;
    std::fs::write(&recording, &bytes).unwrap();
    assert!(refused(&["trace", &recording]).contains("no known kind"));
    let nowhere = files.path("no/such/folder/out.json");
    assert!(refused(&["run", "samples/hello.il", "--trace", &nowhere]).contains("cannot write"));
}

/// What a trace must be for a viewer to show it.
fn check_trace(text: &str) -> BTreeMap<String, usize> {
    let trace: Value = serde_json::from_str(text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let number = |event: &Value, name: &str| event[name].as_u64().unwrap_or_else(|| panic!("{name} of {event}"));
    let mut open: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let (mut starts, mut ends) = (BTreeMap::new(), BTreeMap::new());
    let mut names = BTreeMap::new();
    let mut last = 0.0;
    let mut momentary: BTreeMap<u64, f64> = BTreeMap::new();
    for event in events {
        assert_eq!(number(event, "pid"), 1);
        let phase = event["ph"].as_str().expect("a phase");
        *names.entry(event["name"].as_str().unwrap_or("").to_string()).or_insert(0) += 1;
        if phase == "M" {
            continue;
        }
        let (tid, ts) = (number(event, "tid"), event["ts"].as_f64().expect("a time"));
        assert!(ts >= last, "time goes on: {event}");
        last = ts;
        let track = open.entry(tid).or_default();
        match phase {
            "B" => track.push(ts),
            "E" => assert!(track.pop().expect("a slice to end") <= ts),
            "X" => _ = momentary.insert(tid, ts),
            "s" | "f" => {
                let inside = !track.is_empty() || momentary.get(&tid) == Some(&ts);
                assert!(inside, "an arrow stands in a slice: {event}");
                let flows = if phase == "s" { &mut starts } else { &mut ends };
                assert_eq!(flows.insert(number(event, "id"), ts), None, "one arrow each: {event}");
            }
            "i" | "C" => {}
            other => panic!("phase {other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "every slice ends");
    assert_eq!(starts.keys().collect::<Vec<_>>(), ends.keys().collect::<Vec<_>>(), "arrows have two ends");
    assert!(starts.iter().all(|(id, start)| *start <= ends[id]), "an arrow leads forwards");
    assert!(starts.len() > 10, "{}", starts.len());
    names
}

#[test]
fn a_trace_is_what_viewers_read() {
    let files = Files::new();
    let trace = files.path("out.json");
    run(&[&["run"], &PAINT[..], &["--trace", &trace]].concat());
    let text = std::fs::read_to_string(&trace).expect("written");
    let names = check_trace(&text);
    for name in ["thread_name", "main", "serves", "present", "read", "write", "packet"] {
        assert!(names.keys().any(|known| known.contains(name)), "{name} in {names:?}");
    }
    assert!(text.contains("paint (IL)") && text.contains("display (Rust)"));
    // Two programs that call each other, with events between them.
    let echo = ["run", "samples/echo.il", "--plug", "echo=samples/vms/echo.il", "--trace", &trace];
    cascade(&echo).output().expect("runs");
    let names = check_trace(&std::fs::read_to_string(&trace).expect("written"));
    assert!(names.contains_key("op say") && names.contains_key("said"), "{names:?}");
    // The same from a recording.
    let recording = record(&files, "run");
    run(&["trace", &recording, "--perfetto", &trace]);
    check_trace(&std::fs::read_to_string(&trace).expect("written"));
}
