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

#[test]
fn graphs_show_rights_and_traffic() {
    let files = Files::new();
    let recording = record(&files, "run");
    let svg = run(&["graph", &recording]);
    for part in [">paint</tspan>", ">display</tspan>", "cascade.disk@1", "text x4", "present x15", "29 packets"] {
        assert!(svg.contains(part), "{part} in {svg}");
    }
    assert!(!svg.contains(">clock</tspan>"), "nobody has a channel to it");
    let file = files.path("plan.svg");
    let graph = ["graph", "--system", "samples/systems/paint.toml", "samples/paint.il", "--all", "-o", &file];
    assert_eq!(run(&graph), "");
    let svg = std::fs::read_to_string(&file).expect("written");
    for part in [">paint</tspan>", ">clock</tspan>", ">fill_rect</text>", ">flush</text>"] {
        assert!(svg.contains(part), "{part} in {svg}");
    }
    let svg = run(&["graph", "samples/echo.il", "--plug", "echo=samples/vms/echo.il"]);
    assert!(svg.contains("demo.echo@1") && svg.contains(">on said</text>"), "{svg}");
}

/// A program that is busy for a while, and says something.
const BUSY: &str = "module busy\nuse console: cascade.console@1\nuse clock: cascade.clock@1\n\
    export func main() {\n  for i in 0..40 { console.write(\"x\") clock.sleep(20000000) }\n}\n";

#[test]
fn top_shows_what_each_vm_uses() {
    let files = Files::new();
    let busy = files.path("busy.il");
    std::fs::write(&busy, BUSY).unwrap();
    let once = run(&["top", &busy, "--once", "--every", "0.3"]);
    let row = |table: &str, vm: &str| {
        table.lines().find(|line| line.starts_with(vm)).unwrap_or_else(|| panic!("{vm} in {table}")).to_string()
    };
    assert!(row(&once, "busy").contains("waits for an answer of clock/0"), "{once}");
    assert_eq!(once.matches("VM  ").count(), 1, "one table: {once}");
    let lines = run(&["top", &busy, "--every", "0.2", "--json"]);
    let moments: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(moments.len() >= 3, "{lines}");
    let executed = |moment: &Value| {
        let vms = moment["vms"].as_array().expect("VMs");
        let console = vms.iter().find(|row| row["vm"] == "console").expect("the console");
        console["executed"].as_u64().expect("a number")
    };
    let counts: Vec<u64> = moments.iter().map(executed).collect();
    assert!(counts.is_sorted() && counts[0] < counts[counts.len() - 1], "it goes on: {counts:?}");
    let last = moments.last().expect("one");
    assert_eq!((executed(last), &last["ended"][0]), (40, &serde_json::json!(["busy", "ended"])));
    let times: u64 = last["vms"].as_array().unwrap().iter().map(|row| row["processor_ns"].as_u64().unwrap()).sum();
    assert!(times <= last["at_ns"].as_u64().unwrap(), "one core: {last}");
    assert!(refused(&["top", &busy, "--every", "0"]).contains("--every 1"));
}

#[test]
fn vms_of_a_running_system_are_listed_by_it() {
    let listing = run(&[
        "vms",
        "samples/paint.il",
        "--grant",
        "display=present,fill_rect,text",
        "--grant",
        "disk",
        "--grant",
        "keyboard",
        "--live",
    ]);
    assert!(listing.contains("    -> display {fill_rect, text, present}"), "{listing}");
    assert!(listing.contains("cascade.clock@1") && listing.contains("as the running system says"), "{listing}");
    let json: Value =
        serde_json::from_str(&run(&["vms", "samples/hello.il", "--live", "--after", "5", "--json"])).expect("JSON");
    assert_eq!(json["ended"][0], serde_json::json!(["hello", "ended"]), "it ended before: {json}");
}

/// The same of a machine: what its VMs sent is what the hosted ones sent, instruction by instruction, at the same times.
#[test]
fn a_machine_is_seen_as_a_hosted_system_is() {
    if std::env::var_os("CASCADE_IMAGE").is_none() {
        eprintln!("skipped: CASCADE_IMAGE names no kernel image; `cargo xtask test` sets it");
        return;
    }
    let files = Files::new();
    let hosted = record(&files, "run");
    let (booted, trace) = (files.path("boot.rec"), files.path("boot.json"));
    run(&[&["boot"], &PAINT[..], &["--accel", "tcg", "--record", &booted, "--trace", &trace]].concat());
    let [hosted, booted] = [&hosted, &booted].map(|recording| run(&["trace", recording, "--handshakes"]));
    assert!(hosted.lines().count() > 11_000, "{}", hosted.lines().count());
    let different = hosted.lines().zip(booted.lines()).find(|(hosted, booted)| hosted != booted);
    assert_eq!((different, hosted.lines().count()), (None, booted.lines().count()));
    let names = check_trace(&std::fs::read_to_string(&trace).expect("written"));
    assert!(names.contains_key("serves"), "{names:?}");

    let listing = run(&["vms", "samples/paint.il", "--boot", "--accel", "tcg"]);
    assert!(listing.contains("    -> display {fill_rect, text, present}"), "{listing}");
    let busy = files.path("busy.il");
    std::fs::write(&busy, BUSY).unwrap();
    let lines = run(&["top", &busy, "--boot", "--accel", "tcg", "--every", "0.2", "--json"]);
    let last: Value = lines.lines().last().map(|line| serde_json::from_str(line).expect("JSON")).expect("a line");
    assert_eq!(last["ended"][0], serde_json::json!(["busy", "ended"]), "{last}");
}
