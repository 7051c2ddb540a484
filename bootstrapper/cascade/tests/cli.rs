//! `cascade` as its users meet it: exit codes, errors with a way out, and nothing left behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn cascade(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cascade"));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = cascade(arguments).output().expect("cascade starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A source file in a fresh folder.
fn source(dir: &tempfile::TempDir, name: &str, text: &str) -> String {
    let file = dir.path().join(name);
    std::fs::write(&file, text).expect("written");
    file.to_str().expect("UTF-8").to_string()
}

const ENDLESS: &str = "module endless\nexport func main() {\n  loop { }\n}\n";
const SILENT_WAIT: &str = "module waiter\nuse keyboard: cascade.keyboard@1\nuse clock: cascade.clock@1\n\
    export func main() {\n  loop { clock.sleep(1000000000) }\n}\n";

#[test]
fn errors_say_what_to_do_and_exit_with_2() {
    let dir = tempfile::tempdir().expect("a folder");
    let bad_text = source(&dir, "bad.il", "module bad\nexport func main() {\n  let x = 1 +\n}\n");
    let bad_binary = source(&dir, "bad.ilb", "not a module");
    let bad_keys = source(&dir, "bad.keys", "wait 1\npress a\n");
    let bad_system = source(&dir, "system.toml", "main = \"app\"\n[vm.app]\nmodul = \"x.il\"\n");
    let component = source(&dir, "app.wasm", "\0asm\x0d\0\x01\0");
    let (env, beside) =
        (source(&dir, "env.wat", "(module (func $first) (func $odd drop))"), dir.path().join("ap.wasm"));
    let hello = "samples/hello.il";
    let sector = "samples/sector.il";
    let narrow = source(&dir, "narrow.toml", "[vm.main.grants]\nconsole = \"all\"\ndisk = { sector = \"0..8\" }\n");
    let cases: [(&[&str], &str); 20] = [
        (&["run", "samples/helo.il"], "did you mean `samples/hello.il`?"),
        (&["run", "nowhere.il"], "there is no such file"),
        (&["run", &bad_text], "bad.il:4:1"),
        (&["run", &bad_binary], "is not a usable module"),
        (&["run", hello, "--keys", &bad_keys], "bad.keys:2: "),
        (&["run", hello, "--grant", "screen"], "there are: console, display"),
        (&["run", hello, "--bounds", "checked"], "by `checked`: say `guard` (the processor finds those outside"),
        (&["run", hello, "--grant", "disk=wirte"], "has no `wirte`"),
        (&["run", hello, "--system", &bad_system], "system.toml:3:1: unknown field `modul`"),
        (&["run", hello, "--disk", "nowhere.img"], "truncate -s 1M nowhere.img"),
        (
            &["run", sector, "--system", &narrow],
            "narrow.toml:3:8: `disk` (cascade.disk@1) has no space or operand `sector`",
        ),
        (&["run", sector, "--grant", "disk=read,sectors:8"], "`8` is no range: write FROM..TO"),
        (&["run", hello, "--plug", "e=samples/vms/echo.il", "--on", "e=disk"], "does not execute cascade.disk@1"),
        (
            &["run", sector, "--grant", "console", "--grant", "disk=read,sectors:0..510"],
            "sector.il:25: in `main`: disk.read(510, 1) touches `sectors` 510, but granted is sectors:0..510",
        ),
        (
            &["run", "samples/pixel.il", "--grant", "console", "--grant", "display=within:640x480"],
            "touches all of `within`, but granted is within:0..640x0..480",
        ),
        (&["run", &component], "error[WA0002]: this is a WebAssembly component, and not a core module"),
        (&["run", beside.to_str().expect("UTF-8")], "app.wasm`?"),
        (&["boot", &env], ", in `odd`"),
        (&["run", hello, "--with", "env=x.wasm"], "is not WebAssembly: --with is for its imports"),
        (&["describe", "printer"], "there are: console, display, keyboard, disk, clock"),
    ];
    for (arguments, expected) in cases {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: expected {expected:?} in:\n{stderr}");
        assert!(!stderr.contains("panicked") && stdout.is_empty(), "{arguments:?}: {stdout}{stderr}");
    }
}

#[test]
fn pages_are_printed() {
    for (arguments, expected) in [
        (&["describe", "display"][..], "fill_rect(x: i32, y: i32, w: i32, h: i32, color: i32)"),
        (&["describe"], "cascade.disk@1"),
        (&["vms", "samples/hello.il"], "hello*"),
        (&["vms", "--system", "samples/systems/paint.toml"], "disk=read,write,flush"),
        (&["vms", "--system", "samples/systems/sector.toml"], "console=write disk=read,sectors:0..512"),
        (&["describe", "disk"], "disk=sectors:0..100"),
        (&["run", "--system", "samples/systems/sector.toml"], "sector 510\n0000: 00 00"),
        (&["completions", "bash"], "_cascade"),
        (&["run", "--help"], "cascade run hello.il"),
        (&["trace", "--help"], "cascade trace paint.rec"),
        (&["graph", "--help"], "cascade graph paint.il"),
        (&["top", "--help"], "cascade top life.il"),
        (&["vms", "--help"], "cascade vms app.il --live"),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
        assert!(stdout.contains(expected), "{arguments:?}: {stdout}");
    }
}

#[test]
fn a_run_prints_its_console_and_a_summary_on_request() {
    let (code, stdout, stderr) = run(&["run", "samples/hello.il"]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "Hello from Cascade!\n", ""));
    let (code, stdout, _) = run(&["run", "samples/hello.il", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("one line of JSON");
    assert_eq!((code, &summary["exit"], &summary["frames"]), (0, &0.into(), &0.into()));
    assert_eq!(summary["console"], "Hello from Cascade!\n");
    assert_eq!(summary["console_hash"], blake3::hash(b"Hello from Cascade!\n").to_hex().as_str());
    let (_, missing, stderr) = run(&["run", "samples/hello.il", "--grant", "clock"]);
    assert!(missing.is_empty() && stderr.contains("--grant console"), "{stderr}");
}

#[test]
fn memory_accesses_are_checked_as_one_likes_with_the_same_report() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = "(module (memory 1) (func $far (param i32) (result i32) (i32.load (local.get 0)))\n\
        (func (export \"main\") (drop (call $far (i32.const 0x7ffffffc)))))";
    let far = source(&dir, "far.wat", program);
    let [guard, explicit] = ["guard", "explicit"].map(|bounds| run(&["run", &far, "--bounds", bounds]));
    assert_eq!(guard, explicit);
    assert!(guard.0 == 1 && guard.2.contains("memory access out of bounds") && guard.2.contains("in far"), "{guard:?}");
    // The manifest says it of one VM, and the command line of all.
    let system = source(&dir, "system.toml", "main = \"far\"\n[vm.far]\nmodule = \"far.wat\"\nbounds = \"explicit\"\n");
    assert_eq!(run(&["run", "--system", &system]), guard);
    let (_, listed, _) = run(&["vms", "--system", &system]);
    assert!(listed.contains("bounds explicit"), "{listed}");
}

#[test]
fn objects_of_webassembly_are_collected() {
    fn sum(depth: u32, value: u32) -> u32 {
        let of = |value| if depth == 1 { 0 } else { sum(depth - 1, value) };
        value.wrapping_add(of(value.wrapping_mul(2))).wrapping_add(of(value.wrapping_mul(2).wrapping_add(1)))
    }
    let kept = (1000 - 64..1000).fold(0u32, |total, round| total.wrapping_add(sum(9, round)));
    let dir = tempfile::tempdir().expect("a folder");
    source(&dir, "objects.wat", include_str!("objects.wat"));
    // A thousand trees of 511 nodes, 24 bytes or more each, do not fit at once.
    let system = "main = \"objects\"\n[vm.objects]\nmodule = \"objects.wat\"\nmemory = \"8 MiB\"\n\
        [vm.objects.grants]\nconsole = [\"write\"]\n";
    let (code, stdout, stderr) = run(&["run", "--system", &source(&dir, "system.toml", system)]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert_eq!(stdout.strip_prefix("kept ").map(str::trim), Some(kept.to_string().as_str()), "{stdout}");
}

#[test]
fn a_time_limit_ends_an_endless_program() {
    let dir = tempfile::tempdir().expect("a folder");
    let endless = source(&dir, "endless.il", ENDLESS);
    let start = Instant::now();
    let (code, _, stderr) = run(&["run", &endless, "--timeout", "0.3"]);
    assert_eq!(code, 124, "{stderr}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn ctrl_c_ends_a_hosted_run() {
    let dir = tempfile::tempdir().expect("a folder");
    for text in [ENDLESS, SILENT_WAIT] {
        let file = source(&dir, "forever.il", text);
        let mut child = cascade(&["run", &file]).stderr(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(Duration::from_millis(700));
        interrupt(&child);
        assert_eq!(code_within(&mut child, Duration::from_secs(10)), Some(130));
    }
}

#[test]
fn no_machine_outlives_its_cascade() {
    if std::env::var_os("CASCADE_IMAGE").is_none() {
        eprintln!("skipped: CASCADE_IMAGE names no kernel image; `cargo xtask test` sets it");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let endless = source(&dir, "endless.il", ENDLESS);
    for politely in [true, false] {
        let temp = tempfile::tempdir().expect("a folder");
        let mut child = cascade(&["boot", &endless, "--accel", "tcg", "--display", "none"])
            .env("TMPDIR", temp.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        wait_until(Duration::from_secs(20), || machines(temp.path()) == 1);
        if politely {
            interrupt(&child);
            assert_eq!(code_within(&mut child, Duration::from_secs(10)), Some(130));
            assert_eq!(std::fs::read_dir(temp.path()).expect("listed").count(), 0, "temporary files are left");
        } else {
            child.kill().expect("killed");
            child.wait().expect("reaped");
        }
        wait_until(Duration::from_secs(5), || machines(temp.path()) == 0);
    }
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &id]).status().expect("kill starts");
    assert!(status.success());
}

fn code_within(child: &mut Child, at_most: Duration) -> Option<i32> {
    let until = Instant::now() + at_most;
    loop {
        if let Some(status) = child.try_wait().expect("waited for") {
            return status.code();
        }
        if Instant::now() > until {
            child.kill().expect("killed");
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn wait_until(at_most: Duration, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + at_most;
    while !done() {
        assert!(Instant::now() < until, "it did not happen within {at_most:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many QEMUs use this folder.
fn machines(dir: &Path) -> usize {
    let dir = dir.to_str().expect("UTF-8");
    let processes = std::fs::read_dir("/proc").expect("listed").flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.starts_with("qemu") && line.contains(dir))
        .count()
}
