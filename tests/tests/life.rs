//! VMs that fail, are started again, come and go: hosted and booted.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use cascade_tests::{Summary, Where, ilc, output, root, run, text};

fn sample(name: &str) -> PathBuf {
    root().join("samples").join(name)
}

#[test]
fn a_client_goes_on_while_its_service_is_restarted() {
    let system = sample("systems/restart.toml");
    let options = ["--system", system.to_str().unwrap(), "--clock", "virtual"];
    for place in Where::BOTH {
        let summary = run(place, &sample("steady.il"), &options).unwrap();
        assert_eq!(summary.exit, 0, "{summary:?}");
        let third = "answer 3\nanswer 12\nfailed with status 6, and goes on\n";
        assert_eq!(summary.console, format!("{third}{third}answer 3\n"), "{place:?}");
        let faults = summary.faults.iter().filter(|line| line.starts_with("VM 'flaky/0': division by zero"));
        assert_eq!(faults.count(), 2, "{:?}", summary.faults);
    }
}

/// A disk with a compiled module on it.
fn disk_with(folder: &Path, source: &Path) -> PathBuf {
    let module = folder.join("module.ilb");
    let status = ilc().arg("build").arg(source).arg("-o").arg(&module).status().unwrap();
    assert!(status.success());
    let bytes = fs::read(&module).unwrap();
    let mut disk = (bytes.len() as u32).to_le_bytes().to_vec();
    disk.resize(512, 0);
    disk.extend_from_slice(&bytes);
    disk.resize(64 << 10, 0);
    let file = folder.join("disk.img");
    fs::write(&file, disk).unwrap();
    file
}

#[test]
fn modules_on_a_disk_become_vms_and_go_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk_with(folder.path(), &sample("vms/echo.il"));
    let system = sample("systems/hotplug.toml");
    let options = ["--system", system.to_str().unwrap(), "--disk", disk.to_str().unwrap(), "--clock", "virtual"];
    for place in Where::BOTH {
        let summary = run(place, &sample("hotplug.il"), &options).unwrap();
        assert_eq!(summary.exit, 0, "{summary:?}");
        let expected = "arrived: echo/0 demo.echo@1\narrived: echo/1 demo.echo@1\n\
            echo/0 demo.echo@1\necho/1 demo.echo@1\nleft: echo/0 demo.echo@1\narrived: late/0 demo.echo@1\n\
            left: echo/1 demo.echo@1\nten zeros give status 1\nlate/0 demo.echo@1\n";
        assert_eq!(summary.console, expected, "{place:?}");
    }
}

const ECHO: &str = "isa demo.echo@1 { 1 say(text: str) -> (reply: str) }";

/// Works through everybody until all faults are over, then demands that everybody works.
const MAIN: &str = "module main
use console: cascade.console@1
use display: cascade.display@1
use disk: cascade.disk@1
use clock: cascade.clock@1
use echo: demo.echo@1
global mut errors = 0
func note(status: i32) {
  if status != 0 { errors += 1 }
  assert status == 0 || status == 6
}
export func main() {
  for i in 0..ROUNDS {
    display.fill_rect(i, i, 10, 10, i)
    let (a, frame) = try display.present()
    note(a)
    let sector = i64(i % 100)
    let b = try disk.write(sector, buf(512))
    note(b)
    let (c, data) = try disk.read(sector, 3)
    note(c)
    let (d, now) = try clock.monotonic()
    note(d)
    let e = try clock.sleep(100000)
    note(e)
    let (f, reply) = try echo.say(\"x\")
    note(f)
    let (g, columns, rows) = try console.size()
    note(g)
  }
  display.clear(0)
  let frame = display.present()
  disk.flush()
  clock.sleep(1000000000)
  assert len(echo.say(\"x\")) == 7
  assert len(disk.read(0, 1)) == 512
  console.write(concat(\"fine after \", str(errors)))
}
";

/// Two more programs under load; they may be killed at any time.
const BUSY: &str = "module busy
use clock: cascade.clock@1
use echo: demo.echo@1
use display: cascade.display@1
export func main() {
  loop {
    let (a, reply) = try echo.say(\"a longer text than the other one has\")
    display.set_pixel(1, 2, 3)
    let b = try clock.sleep(50000)
  }
}
";
const TYPIST: &str = "module typist
use keyboard: cascade.keyboard@1
use clock: cascade.clock@1
on clock.tick(timer: i32, now: i64) { }
export func main() {
  let (s, timer) = try clock.every(300000)
  loop { let (status, code, down, char) = try keyboard.read() }
}
";

/// Who is killed: after every so many instructions, so often.
const VICTIMS: [(&str, u32, u32); 7] = [
    ("console", 3, 140),
    ("display", 11, 140),
    ("keyboard", 1, 120),
    ("disk", 7, 150),
    ("clock", 9, 150),
    ("echo", 8, 150),
    ("busy", 9, 150),
];

fn system_under_load(folder: &Path, rounds: u32) -> (PathBuf, PathBuf) {
    let mut manifest = String::new();
    for (at, name) in ["main", "echo", "busy", "typist"].iter().enumerate() {
        let source = match *name {
            "main" => format!("{MAIN}{ECHO}").replace("ROUNDS", &rounds.to_string()),
            "echo" => format!("module echo {ECHO} {}", "global mut count = 0
                provides demo.echo@1 { op say(text: str) -> (reply: str) { count += 1 return concat(\"echo: \", text) } }"),
            "busy" => format!("{BUSY}{ECHO}"),
            _ => TYPIST.to_string(),
        };
        fs::write(folder.join(format!("{name}.il")), source).unwrap();
        writeln!(manifest, "[vm.{name}]\nmodule = \"{name}.il\"").unwrap();
        if at != 1 {
            let all = ["console", "display", "keyboard", "disk", "clock", "echo"];
            let grants: Vec<String> = all.iter().map(|to| format!("{to} = \"all\"")).collect();
            writeln!(manifest, "grants = {{ {} }}", grants.join(", ")).unwrap();
        }
        if at != 0 {
            writeln!(manifest, "{RESTART}").unwrap();
        }
    }
    for device in ["console", "display", "keyboard", "disk", "clock"] {
        writeln!(manifest, "[vm.{device}]\n{RESTART}").unwrap();
    }
    let system = folder.join("system.toml");
    fs::write(&system, manifest).unwrap();
    (system, folder.join("main.il"))
}

const RESTART: &str =
    "restart = { policy = \"on-fault\", backoff_ms = 0, limit = 1000, within_ms = 1000, keep_clients = true }";

/// What the log says of the tables at the end of a run into which faults were injected.
fn left(output: &std::process::Output) -> String {
    let log = text(output);
    let line = log.lines().find_map(|line| line.split_once("left at the end: ")).unwrap_or_else(|| panic!("{log}"));
    // A timer may or may not be under way when the last program ends.
    let parts = line.1.split(", ").filter(|part| !part.ends_with(" timers"));
    parts.collect::<Vec<_>>().join(", ")
}

/// One run with these kills: its summary, what was left, and its log.
fn killing(place: Where, system: &Path, file: &Path, times: impl Fn(u32) -> u32) -> (Summary, String, String) {
    let inject: Vec<String> =
        VICTIMS.iter().map(|(vm, every, count)| format!("{vm}=every:{every},times:{}", times(*count))).collect();
    let mut options = vec!["--system", system.to_str().unwrap(), "--clock", "virtual"];
    options.extend(inject.iter().flat_map(|inject| ["--inject", inject.as_str()]));
    let output = output(place, file, &options).unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let summary = stdout.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    (summary.unwrap_or_else(|| panic!("{}", text(&output))), left(&output), text(&output))
}

/// Every kind of VM is killed under load, a thousand times in all: nothing hangs, nothing is left behind.
#[test]
fn a_thousand_kills_of_every_kind_of_vm_leave_nothing_behind() {
    let total: u32 = VICTIMS.iter().map(|(_, _, times)| times).sum();
    assert_eq!(total, 1000);
    let folder = tempfile::tempdir().unwrap();
    let (system, file) = system_under_load(folder.path(), 700);
    let (calm, before, _) = killing(Where::Hosted, &system, &file, |_| 0);
    assert_eq!((calm.exit, calm.console.as_str()), (0, "fine after 0"), "{calm:?}");
    for place in Where::BOTH {
        let (summary, after, log) = killing(place, &system, &file, |times| times);
        assert_eq!(summary.exit, 0, "{place:?}: {summary:?}");
        assert!(summary.console.starts_with("fine after "), "{}", summary.console);
        for (vm, _, times) in VICTIMS {
            // A summary keeps the last of very many.
            let faults = log.matches(&format!("fault VM '{vm}/0'")).count();
            assert_eq!(faults as u32, times, "{place:?}: {vm}");
        }
        assert_eq!(after, before, "{place:?}");
    }
}
