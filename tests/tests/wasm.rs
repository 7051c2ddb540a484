//! Programs in C, C++, Rust and Zig, compiled to WebAssembly by the compilers of this machine: hosted and booted they print
//! what the same source prints as a native program.
//!
//! Lua and SQLite are not part of the source tree: `cargo metadata` fetches them as packages (`tests/packages`).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cascade_tests::{Where, cascade, ilc, output, root, run, text};
use serde_json::Value;

/// What every program is compiled with; floating point is not contracted, so that it is the same everywhere.
const FLAGS: [&str; 3] = ["-std=gnu11", "-ffp-contract=off", "-w"];

/// A folder for what is compiled, of this test's own.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    })
}

fn samples() -> PathBuf {
    root().join("samples/wasm")
}

fn must(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(output.status.success(), "{command:?}:\n{}", text(&output));
    output.stdout
}

/// A C program in both forms.
struct Program {
    wasm: PathBuf,
    native: PathBuf,
}

/// Compiles C sources for WASI and for this machine.
fn compile(name: &str, sources: &[PathBuf], flags: &[String], only_wasm: &[String]) -> Program {
    let program = Program { wasm: folder().join(name).with_extension("wasm"), native: folder().join(name) };
    let clang = |target: &[&str], more: &[String], out: &Path| {
        must(
            Command::new("clang")
                .args(target)
                .args(FLAGS)
                .args(flags)
                .args(more)
                .args(sources)
                .arg("-lm")
                .arg("-o")
                .arg(out),
        );
    };
    clang(&["--target=wasm32-wasi", "-O2"], only_wasm, &program.wasm);
    clang(&[], &[], &program.native);
    program
}

fn sample(name: &str) -> Program {
    compile(name, &[samples().join(name).with_extension("c")], &[], &[])
}

/// What a program did: its exit code and what it wrote.
type Done = (i32, String);

impl Program {
    /// As a native program in this folder.
    fn native(&self, folder: &Path, args: &[&str], input: &[u8]) -> Done {
        let mut command = Command::new(&self.native);
        fed(command.args(args).current_dir(folder), input)
    }

    /// On Cascade, with this folder as its own.
    fn on_cascade(&self, place: Where, folder: &Path, args: &[&str]) -> Done {
        let dir = format!("{}=.", folder.display());
        let options = [&["--dir", &dir, "--clock", "virtual", "--"], args].concat();
        let summary = run(place, &self.wasm, &options).unwrap();
        assert!(summary.faults.is_empty(), "{place:?}: {:?}", summary.faults);
        (i32::from(summary.exit), summary.console)
    }

    /// In all three ways, with equal results.
    fn everywhere(&self, folder: &Path, args: &[&str]) -> Done {
        let native = self.native(folder, args, b"");
        for place in Where::BOTH {
            assert_eq!(self.on_cascade(place, folder, args), native, "{args:?} {place:?} (left), native (right)");
        }
        native
    }
}

/// Runs a program with something on its standard input.
fn fed(command: &mut Command, input: &[u8]) -> Done {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    // It need not read all of it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn file(folder: &Path, name: &str, contents: &[u8]) {
    std::fs::write(folder.join(name), contents).unwrap();
}

#[test]
fn a_benchmark_checks_itself() {
    let mark = sample("mark");
    let (code, said) = mark.everywhere(folder(), &["20"]);
    assert!(code == 0 && said.ends_with("correct\n"), "{said}");
    assert_eq!(mark.on_cascade(Where::Hosted, folder(), &["0"]).0, 2, "its exit code is the run's");
}

#[test]
fn a_text_tool_reads_files_and_standard_input() {
    let words = sample("words");
    let home = tempfile::tempdir().unwrap();
    let book = std::fs::read(root().join("docs/il.md")).unwrap();
    file(home.path(), "book.md", &book);
    file(home.path(), "empty", b"");
    let (code, said) = words.everywhere(home.path(), &["-n", "7", "book.md", "empty"]);
    assert!(code == 0 && said.lines().count() == 8, "{said}");
    let (code, said) = words.everywhere(home.path(), &["-m", "^## .*s$", "book.md"]);
    assert!(code == 0 && said.starts_with("book.md:"), "{said}");
    assert_eq!(words.everywhere(home.path(), &["-m", "no such text$", "book.md"]), (1, String::new()));
    // A folder that was not given is not there: as a native program says of a file that is not there.
    let outside = root().join("README.md");
    let (code, _) = words.on_cascade(Where::Hosted, home.path(), &[outside.to_str().unwrap()]);
    assert_eq!(code, 2);

    let native = words.native(home.path(), &["-n", "3"], &book);
    let mut command = cascade();
    let hosted = fed(command.arg("run").arg(&words.wasm).args(["--", "-n", "3"]), &book);
    assert_eq!(hosted, native);
}

/// The errors and results of calls on files: of folders of this computer, and of folders in memory.
#[test]
fn files_and_folders_answer_as_natively() {
    let source = root().join("tests/programs/posix.c");
    let posix = compile("posix", &[source], &["-D_GNU_SOURCE".to_string()], &[]);
    let home = tempfile::tempdir().unwrap();
    let (code, said) = posix.everywhere(home.path(), &[]);
    assert!(code == 0 && said.lines().count() > 60 && said.ends_with("end: fine\n"), "{said}");
    let in_memory = run(Where::Hosted, &posix.wasm, &["--dir", ":memory:=."]).unwrap();
    assert_eq!(in_memory.console, said);
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "nothing is left");
}

#[test]
fn floating_point_and_files_are_those_of_a_native_program() {
    let spectrum = sample("spectrum");
    let (native, guest) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(spectrum.native(native.path(), &["make", "series"], b""), (0, String::new()));
    assert_eq!(spectrum.on_cascade(Where::Hosted, guest.path(), &["make", "series"]), (0, String::new()));
    let read = |folder: &Path, name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read(guest.path(), "series"), read(native.path(), "series"));
    let (code, said) = spectrum.everywhere(guest.path(), &["series"]);
    assert!(code == 0 && said.contains("  17 periods, amplitude 1.99"), "{said}");
    spectrum.native(native.path(), &["series"], b"");
    assert_eq!(read(guest.path(), "series.rest"), read(native.path(), "series.rest"));
}

#[test]
fn a_trap_names_the_functions_and_exit_codes_are_passed_on() {
    let source = folder().join("falls.c");
    let text = "#include <stdio.h>\n#include <stdlib.h>\n\
        __attribute__((noinline)) static int reach(volatile char *far) { return *far; }\n\
        int main(int count, char **arguments) {\n  (void)arguments;\n  puts(\"before\");\n\
          if (count > 1) exit(77);\n  return reach((char *)0x7fffffff);\n}\n";
    std::fs::write(&source, text).unwrap();
    let wasm = source.with_extension("wasm");
    must(Command::new("clang").args(["--target=wasm32-wasi", "-O1"]).arg(&source).arg("-o").arg(&wasm));
    for place in Where::BOTH {
        // By comparisons: that guard regions do the same, on a machine too, other programs of IL show.
        let trapped = run(place, &wasm, &["--bounds", "explicit"]).unwrap();
        assert_eq!((trapped.exit, trapped.console.as_str()), (1, "before\n"), "{place:?}");
        let report = trapped.faults.join("\n");
        assert!(report.contains("out of bounds") && report.contains("in reach"), "{place:?}: {report}");
        let ended = run(place, &wasm, &["--", "on purpose"]).unwrap();
        assert_eq!((ended.exit, ended.console.as_str(), ended.faults.len()), (77, "before\n", 0), "{place:?}");
    }
}

#[test]
fn an_exception_that_nothing_catches_ends_the_program() {
    let throws = r#"(module (tag $e (param i32)) (func $inner (throw $e (i32.const 1)))
      (func (export "ENTRY") (call $inner)) MORE)"#;
    let started = throws.replace("ENTRY", "_start").replace("MORE", "");
    let handles = r#"(func (export "cascade.keyboard@1.key") (param i32 i32 i32) (call $inner))"#;
    let handled = throws.replace("ENTRY", "unused").replace("MORE", handles);
    file(folder(), "thrown.keys", b"wait 20\ndown a\n");
    let keys = folder().join("thrown.keys");
    for (name, text, options) in
        [("started.wat", started, vec![]), ("handled.wat", handled, vec!["--keys", keys.to_str().unwrap()])]
    {
        file(folder(), name, text.as_bytes());
        for place in Where::BOTH {
            let options = [&options[..], &["--clock", "virtual"]].concat();
            let summary = run(place, &folder().join(name), &options).unwrap();
            let report = summary.faults.join("\n");
            assert!(summary.exit == 1 && report.contains("trap: uncaught exception"), "{name} {place:?}: {summary:?}");
        }
    }
}

/// Writes the bindings that a device program includes.
fn bindings(lang: &str, to: &Path) {
    must(ilc().args(["bindings", "--lang", lang, "console", "display", "keyboard", "-o"]).arg(to));
}

/// A device program, hosted and booted, under a script of keys: its console, and that the frames are equal.
fn device_program(wasm: &Path) -> (String, u64) {
    let keys = wasm.with_extension("keys");
    let pressed = ["right", "spc", "up", "r"].map(|key| format!("wait 20\ndown {key}\nup {key}\n"));
    std::fs::write(&keys, pressed.concat()).unwrap();
    let options = ["--keys", keys.to_str().unwrap(), "--clock", "virtual"];
    let [hosted, booted] = Where::BOTH.map(|place| run(place, wasm, &options).unwrap());
    assert_eq!((hosted.exit, &hosted.faults), (0, &Vec::new()));
    assert_eq!(hosted.outcome(), booted.outcome(), "hosted (left) and booted differ");
    assert!(hosted.frame_hash.is_some());
    (hosted.console, hosted.frames)
}

#[test]
fn a_device_program_in_c_draws_and_handles_keys() {
    bindings("c", &folder().join("cascade.h"));
    let wasm = folder().join("sketch.wasm");
    let strict = ["--target=wasm32", "-nostdlib", "-O2", "-Wall", "-Wextra", "-Werror", "-Wl,--no-entry", "-I"];
    let source = samples().join("sketch.c");
    must(Command::new("clang").args(strict).arg(folder()).arg(source).arg("-o").arg(&wasm));
    assert_eq!(device_program(&wasm), ("ready\nout of range\nedge\n".into(), 5));

    // Its rights are those of any program: without the display it does not start.
    let refused = output(Where::Hosted, &wasm, &["--grant", "console", "--grant", "keyboard"]).unwrap();
    assert!(refused.status.code() == Some(2) && text(&refused).contains("display"), "{}", text(&refused));
}

fn rustc() -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--edition", "2024"]);
    command
}

#[test]
fn a_program_in_rust_has_its_standard_library() {
    let source = samples().join("tally.rs");
    let tally = Program { wasm: folder().join("tally.wasm"), native: folder().join("tally") };
    must(rustc().args(["--target", "wasm32-wasip1", "-C", "opt-level=2"]).arg(&source).arg("-o").arg(&tally.wasm));
    must(rustc().arg(&source).arg("-o").arg(&tally.native));
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(root().join("docs/il.md"), home.path().join("book.md")).unwrap();
    let (code, said) = tally.everywhere(home.path(), &["book.md"]);
    assert!(code == 0 && said.starts_with("  1 letters: "), "{said}");
    assert_eq!(tally.everywhere(home.path(), &["nowhere"]), (2, "nowhere: NotFound\n".into()));
}

#[test]
fn a_device_program_in_rust_draws_and_handles_keys() {
    let source = folder().join("tiles.rs");
    std::fs::copy(samples().join("tiles.rs"), &source).unwrap();
    bindings("rust", &folder().join("cascade.rs"));
    let wasm = source.with_extension("wasm");
    let flags =
        ["--target", "wasm32-unknown-unknown", "--crate-type", "cdylib", "-C", "opt-level=2", "-C", "panic=abort"];
    must(rustc().args(flags).arg(&source).arg("-o").arg(&wasm));
    let (console, frames) = device_program(&wasm);
    assert_eq!((console.as_str(), frames), ("laid\nturned\nturned\nturned\nturned\n", 5));
}

/// The Zig compiler that the set-up of `cargo xtask test` installs, or that `ZIG` names.
fn zig() -> Command {
    let own = root().join("target/zig/ziglang/zig");
    let mut command = Command::new(std::env::var_os("ZIG").map_or(own, PathBuf::from));
    let cache = folder().join("zig-cache");
    command.env("ZIG_LOCAL_CACHE_DIR", &cache).env("ZIG_GLOBAL_CACHE_DIR", &cache);
    command
}

#[test]
fn a_device_program_in_zig_draws_and_handles_keys() {
    let folder = folder().join("zig");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(samples().join("ripples.zig"), folder.join("ripples.zig")).unwrap();
    bindings("zig", &folder.join("cascade.zig"));
    let flags = ["-target", "wasm32-freestanding", "-O", "ReleaseSmall", "-fno-entry", "-rdynamic"];
    must(zig().args(["build-exe", "ripples.zig"]).args(flags).current_dir(&folder));
    let (console, frames) = device_program(&folder.join("ripples.wasm"));
    assert_eq!((console.as_str(), frames), ("calm\nmoved\nmoved\nmoved\nmoved\n", 5));
}

/// Where a package's files are.
fn package(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = root().join("tests/packages/Cargo.toml");
    let metadata = must(
        Command::new(cargo).args(["metadata", "--format-version", "1", "--locked", "--manifest-path"]).arg(manifest),
    );
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str()).expect("the package is named there");
    Path::new(manifest).parent().unwrap().to_path_buf()
}

fn include(folder: &Path) -> String {
    format!("-I{}", folder.display())
}

/// What Lua is made of besides its libraries for processes, debugging and loading.
const LUA: [&str; 28] = [
    "lapi", "lauxlib", "lbaselib", "lcode", "lcorolib", "lctype", "ldebug", "ldo", "ldump", "lfunc", "lgc", "liolib",
    "llex", "lmathlib", "lmem", "lobject", "lopcodes", "lparser", "lstate", "lstring", "lstrlib", "ltable", "ltablib",
    "ltm", "lundump", "lutf8lib", "lvm", "lzio",
];

/// How clang makes exceptions of `setjmp` and `longjmp`.
const JUMPS: [&str; 3] = ["-mexception-handling", "-mllvm", "-wasm-enable-sjlj"];

#[test]
fn lua_runs_scripts() {
    let sources = package("lua-src").join("lua-5.4.9");
    let own = root().join("tests/programs");
    let mut all: Vec<PathBuf> = LUA.iter().map(|name| sources.join(name).with_extension("c")).collect();
    all.push(own.join("lua.c"));
    let host = format!("-include{}", own.join("lua_host.h").display());
    let mut only_wasm: Vec<String> = JUMPS.map(str::to_string).to_vec();
    only_wasm.extend([include(&own.join("include")), own.join("setjmp.c").display().to_string()]);
    let lua = compile("lua", &all, &[include(&sources), host], &only_wasm);
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(own.join("script.lua"), home.path().join("script.lua")).unwrap();
    let (code, said) = lua.everywhere(home.path(), &["script.lua", "one", "two"]);
    assert!(code == 0 && said.starts_with("queens\t40\n(1.6, 1e+300)\n"), "{said}");
    file(home.path(), "wrong.lua", b"print('before') local t = nil; print(t.x)");
    let wrong = "before\nlua: wrong.lua:1: attempt to index a nil value (local 't')\n";
    assert_eq!(lua.everywhere(home.path(), &["wrong.lua"]), (1, wrong.into()));
    std::fs::copy(own.join("errors.lua"), home.path().join("errors.lua")).unwrap();
    let (code, said) = lua.everywhere(home.path(), &["errors.lua"]);
    assert!(code == 1 && said.starts_with("caught\terrors.lua:"), "{said}");
    assert!(said.ends_with("\nlua: an error that is no text\n"), "{said}");
}

#[test]
fn exceptions_of_cpp_are_caught_by_type_and_destroy_on_their_way() {
    let own = root().join("tests/programs");
    let (source, wasm, native) = (own.join("throws.cpp"), folder().join("throws.wasm"), folder().join("throws"));
    must(Command::new("clang++").args(["-O1", "-w"]).arg(&source).arg("-o").arg(&native));
    let output = Command::new(&native).stderr(Stdio::null()).output().unwrap();
    let wanted = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && wanted.ends_with("66676666, 0 copies are left\n"), "{wanted}");
    for level in ["-O0", "-O2"] {
        let mut clang = Command::new("clang");
        clang.args(["--target=wasm32-wasi", "-fwasm-exceptions", level]);
        must(clang.args([&source, &own.join("unwind.c")]).arg("-o").arg(&wasm));
        for (place, options) in
            [(Where::Hosted, &[][..]), (Where::Hosted, &["--gc-stress"][..]), (Where::Booted, &[][..])]
        {
            // The last one is not caught.
            let summary = run(place, &wasm, options).unwrap();
            assert_eq!((summary.exit, &summary.console), (1, &wanted), "{level} {place:?} {options:?}");
            assert!(summary.faults.join("\n").contains("uncaught exception"), "{place:?}: {:?}", summary.faults);
        }
    }
}

#[test]
fn sqlite_keeps_a_database_in_a_file() {
    let sources = package("libsqlite3-sys").join("sqlite3");
    let own = root().join("tests/programs");
    let all = [own.join("sql.c"), sources.join("sqlite3.c"), sources.join("wasm32-wasi-vfs.c")];
    let options = [
        "-DSQLITE_OS_OTHER=1",
        "-DSQLITE_THREADSAFE=0",
        "-DSQLITE_OMIT_LOAD_EXTENSION",
        "-DSQLITE_OMIT_WAL",
        "-DSQLITE_TEMP_STORE=3",
        "-DLONGDOUBLE_TYPE=double",
    ];
    let mut flags: Vec<String> = options.map(str::to_string).to_vec();
    flags.push(include(&sources));
    // It is large, and its compiler need not do all that it can.
    let sql = compile("sql", &all, &flags, &["-O1".into()]);
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(own.join("statements.sql"), home.path().join("statements.sql")).unwrap();
    let (code, said) = sql.everywhere(home.path(), &[":memory:", "statements.sql"]);
    assert!(code == 1 && said.contains("2000|100698235|") && said.contains("\nok\nerror 1: no such column"), "{said}");

    // What was written hosted is read by the native program, and booted.
    file(
        home.path(),
        "write.sql",
        b"CREATE TABLE t (x); INSERT INTO t VALUES (1), (2.5), ('three'); SELECT count(*) FROM t;",
    );
    assert_eq!(sql.on_cascade(Where::Hosted, home.path(), &["kept.db", "write.sql"]), (0, "3\n".into()));
    file(home.path(), "read.sql", b"SELECT x, typeof(x) FROM t;");
    let (code, said) = sql.everywhere(home.path(), &["kept.db", "read.sql"]);
    assert_eq!((code, said.as_str()), (0, "1|integer\n2.5|real\nthree|text\n"));
}
