//! WASI preview 1: its functions in IL, over the subsystem VM, hosted and booted with equal output; what is not granted
//! is not there, and says how to grant it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cascade_tests::{Summary, Where, cascade, run, text};
use tempfile::TempDir;

/// The functions, as translated programs get them.
const FUNCTIONS: &str = include_str!("../../compiler/wasm/src/wasi.il");

/// What the programs below share: text at fixed places, and output.
const HELPERS: &str = r#"
/// Puts text into memory.
func put(address: i32, t: str) -> i32 {
  for i in 0..len(t) { store8(address + i, t[i]) }
  return len(t)
}
/// Writes memory to a descriptor, in two parts.
func out(fd: i32, address: i32, n: i32) -> i32 {
  let half = n / 2
  store32(16, address)
  store32(20, half)
  store32(24, address + half)
  store32(28, n - half)
  let error = fd_write(fd, 16, 2, 8)
  return if error != 0 { -error } else { load32(8) }
}
func say(t: str) {
  let n = put(60000, t)
  assert out(1, 60000, n) == n
}
func number(name: str, n: i64) {
  say(concat(name, concat(" ", concat(str(n), "\n"))))
}
/// Subscription `i`.
func subscribe(i: i32, kind: i32, what: i32) {
  memory_fill(4096 + i * 48, 0, 48)
  store64(4096 + i * 48, i64(i))
  store8(4096 + i * 48, kind, offset: 8)
  store32(4096 + i * 48, what, offset: 16)
}
func open(path: str, flags: i32, rights: i64) -> i32 {
  let n = put(1024, path)
  let error = path_open(3, 1, 1024, n, flags, rights, -1, 0, 8)
  return if error != 0 { -error } else { load32(8) }
}
"#;

const PROGRAM: &str = r#"
export func main() {
  assert args_sizes_get(0, 4) == 0
  number("args", i64(load32(0)))
  assert args_get(100, 200) == 0
  assert out(1, load32(104), 3) == 3
  say("\n")
  assert environ_sizes_get(0, 4) == 0 && environ_get(100, 200) == 0
  assert out(1, 200, load32(4) - 1) == load32(4) - 1
  say("\n")
  assert random_get(64, 8) == 0
  number("random", load64(64))

  assert fd_prestat_get(3, 64) == 0
  number("name", i64(load32(68)))
  assert fd_prestat_get(4, 64) == 8
  assert fd_prestat_dir_name(3, 128, 2) == 37 && fd_prestat_dir_name(3, 128, load32(68)) == 0
  assert out(1, 128, 5) == 5
  say("\n")

  let fd = open("notes", 1, -1)
  number("fd", i64(fd))
  let n = put(2048, "first line\nsecond line\n")
  number("written", i64(out(fd, 2048, n)))
  assert fd_seek(fd, 6, 0, 64) == 0 && load64(64) == 6
  store32(16, 3000)
  store32(20, 4)
  store32(24, 3100)
  store32(28, 2)
  assert fd_read(fd, 16, 2, 8) == 0 && load32(8) == 6
  assert load32(3000) == 0x656e696c && load16_u(3100) == 0x730a
  assert fd_tell(fd, 64) == 0 && load64(64) == 12
  assert fd_pread(fd, 16, 1, 0, 8) == 0 && load32(3000) == 0x73726966 && fd_pread(fd, 16, 1, -1, 8) == 28
  assert fd_filestat_get(fd, 64) == 0
  number("size", load64(96))
  assert fd_filestat_set_size(fd, 5) == 0 && fd_sync(fd) == 0 && fd_advise(fd, 0, 0, 0) == 0
  assert fd_fdstat_get(fd, 64) == 0
  number("kind", i64(load8_u(64)))
  assert fd_close(fd) == 0 && fd_close(fd) == 8

  let d = put(1024, "folder")
  assert path_create_directory(3, 1024, d) == 0 && path_create_directory(3, 1024, d) == 20
  number("in folder", i64(open("folder/deep", 1, -1)))
  number("out", i64(open("../out", 1, -1)))
  number("absolute", i64(open("/etc/passwd", 0, 2)))
  number("none", i64(open("none", 0, 2)))
  assert path_rename(3, 1024, put(1024, "notes"), 3, 1100, put(1100, "folder/moved")) == 0
  assert path_filestat_get(3, 1, 1024, put(1024, "folder/moved"), 64) == 0
  number("moved", load64(96))
  assert path_remove_directory(3, 1024, put(1024, "folder")) == 55
  list(3)
  assert path_unlink_file(3, 1024, put(1024, "folder/moved")) == 0
  assert path_filestat_get(3, 1, 1024, put(1024, "folder/moved"), 64) == 44

  // A subscription to the monotonic clock, for 5 ms; then what happens at once.
  memory_fill(4096, 0, 96)
  store64(4096, 77)
  store32(4112, 1)
  store64(4120, 5000000)
  assert clock_time_get(1, 0, 64) == 0
  let before = load64(64)
  assert poll_oneoff(4096, 5000, 1, 8) == 0 && load32(8) == 1 && load64(5000) == 77 && load16_u(5008) == 0
  assert clock_time_get(1, 0, 64) == 0 && load64(64) - before >= 5000000
  store8(4152, 2)
  store32(4160, 1)
  assert poll_oneoff(4096, 5000, 2, 8) == 0 && load32(8) == 1 && load8_u(5010) == 2
  assert clock_time_get(0, 0, 64) == 0
  let then = load64(64) + 3000000
  subscribe(0, 0, 0)
  store64(4096, then, offset: 24)
  store16(4096, 1, offset: 40)
  assert poll_oneoff(4096, 5000, 1, 8) == 0 && clock_time_get(0, 0, 64) == 0 && load64(64) >= then
  // What is ready or wrong is told at once, each for itself; what waits is not.
  let ready = open("ready", 1, -1)
  assert out(ready, 2048, put(2048, "12345")) == 5 && fd_seek(ready, 2, 0, 64) == 0
  subscribe(0, 1, ready)
  subscribe(1, 2, ready)
  subscribe(2, 1, 3)
  subscribe(3, 1, 99)
  subscribe(4, 2, 0)
  subscribe(5, 1, 1)
  subscribe(6, 0, 7)
  subscribe(7, 9, 0)
  subscribe(8, 0, 1)
  store64(4096 + 8 * 48, 0x7fffffffffff, offset: 24)
  assert poll_oneoff(4096, 5000, 9, 8) == 0
  for i in 0..load32(8) {
    let event = 5000 + i * 32
    assert load64(event) == i64(i) && load8_u(event, offset: 10) == load8_u(4096 + i * 48, offset: 8)
    say(concat(str(load16_u(event, offset: 8)), concat(":", concat(str(load64(event, offset: 16)), " "))))
  }
  say("\n")
  assert poll_oneoff(4096, 5000, 0, 8) == 28
  assert fd_close(ready) == 0
  assert sock_shutdown(3, 0) == 57 && sock_shutdown(0, 0) == 57 && sock_shutdown(99, 0) == 8 && sched_yield() == 0 && fd_seek(1, 0, 0, 64) == 70

  // A file in the place of the standard output: what is written there is in the file.
  let log = open("log", 1, -1)
  say("last\n")
  assert fd_renumber(log, 1) == 0
  say("into the file")
  assert fd_filestat_get(1, 64) == 0 && load64(96) == 13
  proc_exit(42)
}

func list(dir: i32) {
  assert fd_readdir(dir, 8192, 4096, 0, 8) == 0
  let end = 8192 + load32(8)
  var at = 8192
  while at < end {
    let n = load32(at, offset: 16)
    assert out(1, at + 24, n) == n
    say(" ")
    at += 24 + n
  }
  say("\n")
}
"#;

const EXPECTED: &str = "args 3\none\nA=b\nrandom -2261407258123677312\nname 5\n/data\nfd 4\nwritten 23\nsize 23\nkind 4\n\
    in folder 4\nout -63\nabsolute -63\nnone -44\nmoved 5\n. .. folder \n0:3 0:1048576 0:0 8:0 8:0 8:0 28:0 28:0 \nlast\n";

fn written(folder: &TempDir, name: &str, body: &str) -> PathBuf {
    let functions = FUNCTIONS.replace("module cascade.wasi", "module app").replace("memory 0..65536", "memory 1..16");
    assert_ne!(functions, FUNCTIONS);
    let file = folder.path().join(name);
    fs::write(&file, [&functions, HELPERS, body].concat()).unwrap();
    file
}

fn outcome(summary: &Summary) -> (u8, &str, &[String]) {
    (summary.exit, &summary.console, &summary.faults)
}

#[test]
fn a_program_uses_everything_hosted_and_booted_alike() {
    let folder = tempfile::tempdir().unwrap();
    let program = written(&folder, "app.il", PROGRAM);
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let host = format!("{}=/data", data.display());
    for (place, dir) in
        [(Where::Hosted, host.as_str()), (Where::Hosted, ":memory:=/data"), (Where::Booted, ":memory:=/data")]
    {
        let options = ["--dir", dir, "--env", "A=b", "--seed", "3", "--clock", "virtual", "--", "one", "two"];
        let summary = run(place, &program, &options).unwrap();
        assert_eq!(outcome(&summary), (42, EXPECTED, &[][..]), "{place:?} {dir}");
    }
    assert_eq!(fs::read_to_string(data.join("log")).unwrap(), "into the file");
    assert!(data.join("folder/deep").exists() && !folder.path().join("out").exists());
}

#[test]
fn a_folder_is_sent_along_to_a_machine() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"
export func main() {
  let fd = open("in.txt", 0, 2)
  store32(16, 4096)
  store32(20, 100)
  assert fd_read(fd, 16, 1, 8) == 0
  let n = load32(8)
  assert out(1, 4096, n) == n
  number("new", i64(open("new", 1, -1)))
}"#;
    let program = written(&folder, "copy.il", body);
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("in.txt"), "from the parent OS\n").unwrap();
    let fixed = format!("{}=/data:ro", data.display());
    for place in Where::BOTH {
        let summary = run(place, &program, &["--dir", &fixed]).unwrap();
        assert_eq!(outcome(&summary), (0, "from the parent OS\nnew -69\n", &[][..]), "{place:?}");
    }
    assert!(!data.join("new").exists());
}

/// Output of `cascade run` with these options: exit code, and all that was printed.
fn printed(program: &Path, options: &[&str]) -> (Option<i32>, String) {
    let output = cascade().arg("run").arg(program).args(options).output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn messages_are_the_parents_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"
export func main() {
  say("one\n")
  assert out(2, 4096, put(4096, "two\n")) == 4
  say("three\n")
}"#;
    let program = written(&folder, "messages.il", body);
    let output = cascade().arg("run").arg(&program).output().unwrap();
    assert_eq!(output.stdout, b"one\nthree\n", "{}", text(&output));
    assert_eq!(output.stderr, b"two\n");
    for place in Where::BOTH {
        let summary = run(place, &program, &[]).unwrap();
        assert_eq!(outcome(&summary), (0, "one\ntwo\nthree\n", &[][..]), "{place:?}: in order on the one console");
    }
}

/// Standard input with a time-out: nothing is there, something is, it is at its end.
#[test]
fn input_is_waited_for_beside_a_clock() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"
func poll_input(ms: i64) -> i32 {
  subscribe(0, 1, 0)
  subscribe(1, 0, 1)
  store64(4144, ms * 1000000, offset: 24)
  assert poll_oneoff(4096, 5000, 2, 8) == 0 && load32(8) == 1 && load16_u(5008) == 0
  return load8_u(5010)
}
export func main() {
  assert poll_input(30) == 0 && poll_input(0) == 0
  store32(16, 6000)
  store32(20, 100)
  assert fd_fdstat_set_flags(0, 4) == 0 && fd_fdstat_set_flags(0, 16) == 58 && fd_fdstat_set_flags(2, 1) == 0
  assert fd_read(0, 16, 1, 8) == 6
  assert fd_fdstat_get(0, 64) == 0 && load32(64) == 0x40002 && fd_fdstat_get(1, 64) == 0 && load32(64) == 2
  say("nothing\n")
  loop {
    assert poll_input(100000) == 1
    number("ready", load64(5016))
    store32(16, 6000)
    store32(20, 100)
    assert fd_read(0, 16, 1, 8) == 0
    if load32(8) == 0 {
      assert load16_u(5024) == 1
      break
    }
    assert out(1, 6000, load32(8)) == load32(8)
  }
}"#;
    let program = written(&folder, "input.il", body);
    let mut command = cascade();
    let mut child = command.arg("run").arg(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "nothing\n");
    input.write_all(b"hello\n").unwrap();
    line.clear();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready 6\n");
    drop(input);
    line.clear();
    output.read_to_string(&mut line).unwrap();
    assert_eq!(line, "hello\nready 0\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn nothing_is_there_that_is_not_granted() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"
export func main() {
  assert environ_sizes_get(0, 4) == 0
  number("environment", i64(load32(0)))
  number("directory", i64(fd_prestat_get(3, 0)))
  number("open", i64(open("/etc/passwd", 0, 2)))
}"#;
    let program = written(&folder, "bare.il", body);
    let (code, said) = printed(&program, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("environment 0\ndirectory 8\nopen -8\n"), "{said}");
    assert!(said.contains("--dir FOLDER[=NAME]"), "a program without directories is told how to grant one: {said}");
    let others = ["--grant", "console", "--grant", "clock", "--grant", "entropy"];
    let (code, said) = printed(&program, &others);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--grant") && said.contains("wasi"), "the refusal names the grant: {said}");
    let (code, said) = printed(&program, &["--dir", "no/such/folder=/data"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("mkdir -p no/such/folder"), "{said}");
}

#[test]
fn a_manifest_grants_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let program = written(&folder, "app.il", PROGRAM);
    let manifest = folder.path().join("system.toml");
    let text = r#"
seed = 3
clock = "virtual"
[vm.main]
module = "app.il"
args = ["one", "two"]
env = { A = "b" }
dirs = { "/data" = { memory = "1 MiB" } }
grants = { console = "all", clock = "all", entropy = "all", wasi = "all" }
"#;
    fs::write(&manifest, text).unwrap();
    let summary = run(Where::Hosted, &program, &["--system", manifest.to_str().unwrap()]).unwrap();
    assert_eq!(outcome(&summary), (42, EXPECTED, &[][..]));
}

/// The subsystem dies at every instruction in turn, and comes back: callers get errors, files stay, nothing hangs.
#[test]
fn the_subsystem_is_restarted() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"
export func main() {
  var lost = 0
  var kept = 0
  for i in 0..40 {
    let fd = open("file", 1, -1)
    let n = if fd < 0 { fd } else { out(fd, 2048, put(2048, "x")) }
    if n == 1 { kept += 1 } else {
      lost += 1
      // It is back in a moment.
      clock.sleep(50000000)
    }
    if fd >= 0 { drop_error(fd_close(fd)) }
  }
  number("lost", i64(lost))
  number("kept", i64(kept))
}
func drop_error(error: i32) {}
"#;
    let program = written(&folder, "lossy.il", body);
    let manifest = folder.path().join("system.toml");
    let text = r#"
[vm.wasi]
restart = { policy = "on-fault", limit = 100, backoff_ms = 1, keep_clients = true }
[vm.main]
module = "lossy.il"
dirs = { "/data" = { memory = "1 MiB" } }
grants = { console = "all", clock = "all", entropy = "all", wasi = "all" }
"#;
    fs::write(&manifest, text).unwrap();
    let options = ["--system", manifest.to_str().unwrap(), "--inject", "wasi=every:7,times:5", "--clock", "virtual"];
    let summary = run(Where::Hosted, &program, &options).unwrap();
    assert_eq!((summary.exit, summary.console.as_str()), (0, "lost 5\nkept 35\n"), "{:?}", summary.faults);
}
