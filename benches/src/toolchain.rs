//! The peers' tools: what they build from `programs/`, where the tools are there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::worker::Worker;

/// What every C program is compiled with, for the processor and for wasm.
const C_FLAGS: [&str; 4] = ["-O2", "-fno-math-errno", "-ffp-contract=off", "-std=c11"];
/// The instructions of WebAssembly 2.0 that clang 14 does not use unasked, but vectors.
const WASM_FLAGS: [&str; 4] = ["--target=wasm32-wasi", "-mbulk-memory", "-mnontrapping-fptoint", "-msign-ext"];

/// Where Debian's wasi-libc lies, of which the wasm has `malloc`.
const WASI_LIBC: &str = "/usr/lib/wasm32-wasi/libc.a";

/// The folder of the programs.
pub fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// The C programs by clang as native code; `None` without clang.
///
/// # Errors
/// If clang refuses them.
pub fn native(folder: &Path, names: &[&str]) -> Result<Option<Worker>> {
    if !has("clang") {
        return Ok(None);
    }
    let objects = objects(folder, names, "native", &[])?;
    let worker = folder.join("worker");
    run(Command::new("clang")
        .args(C_FLAGS)
        .arg("-D_POSIX_C_SOURCE=200809L")
        .arg(programs().join("worker.c"))
        .args(objects)
        .arg("-o")
        .arg(&worker))?;
    Worker::start(&mut Command::new(worker)).map(Some)
}

/// The C programs by clang as wasm, in wasmtime; `None` without clang, its linker, wasi-libc or
/// wasmtime.
///
/// # Errors
/// If clang or wasmtime refuses them.
pub fn wasmtime(folder: &Path, names: &[&str]) -> Result<Option<Worker>> {
    match std::env::var_os("CASCADE_PEERS").and_then(|peers| Some((peers, wasm(folder, names, &[]).transpose()?))) {
        Some((peers, wasm)) => Worker::start(Command::new(peers).arg(wasm?)).map(Some),
        None => Ok(None),
    }
}

/// wasmtime of a wasm file that is there, with these of the peers' options; `None` without wasmtime.
///
/// # Errors
/// If wasmtime refuses it.
pub fn wasmtime_of(wasm: &Path, options: &[&str]) -> Result<Option<Worker>> {
    let peers = std::env::var_os("CASCADE_PEERS");
    peers.map(|peers| Worker::start(Command::new(peers).arg(wasm).args(options))).transpose()
}

/// The C programs by clang as one wasm file, with these flags too; `None` without clang, its linker or wasi-libc.
///
/// # Errors
/// If clang refuses them.
pub fn wasm(folder: &Path, names: &[&str], flags: &[&str]) -> Result<Option<PathBuf>> {
    if !(has("clang") && has("wasm-ld") && Path::new(WASI_LIBC).is_file()) {
        return Ok(None);
    }
    let kind = format!("wasm{}", flags.concat());
    let objects = objects(folder, names, &kind, &[&WASM_FLAGS, flags].concat())?;
    let wasm = folder.join(format!("programs.{kind}"));
    let exports = names.iter().map(|name| format!("-Wl,--export={}", entry(name)));
    let linker = ["-nostartfiles", "-nodefaultlibs", "-Wl,--no-entry", "-Wl,--strip-all"];
    run(Command::new("clang")
        .arg(WASM_FLAGS[0])
        .args(linker)
        .args(exports)
        .args(objects)
        .args(["-lc", "-o"])
        .arg(&wasm))?;
    Ok(Some(wasm))
}

/// The collector's programs in node; `None` without it.
///
/// # Errors
/// If it cannot be started.
pub fn node() -> Result<Option<Worker>> {
    if !has("node") {
        return Ok(None);
    }
    // V8's own limit would be in the way of 256 MiB of our objects, which are larger there.
    let mut command = Command::new("node");
    command.arg("--max-old-space-size=4096").arg(programs().join("collector.js"));
    Worker::start(&mut command).map(Some)
}

/// The collector's programs in mono; `None` without it.
///
/// # Errors
/// If its compiler refuses them.
pub fn mono(folder: &Path) -> Result<Option<Worker>> {
    if !has("mono") || !has("mcs") {
        return Ok(None);
    }
    let program = folder.join("collector.exe");
    let mut out = std::ffi::OsString::from("-out:");
    out.push(&program);
    run(Command::new("mcs").arg("-optimize+").arg(out).arg(programs().join("collector.cs")))?;
    Worker::start(Command::new("mono").arg(program)).map(Some)
}

/// The name of a program's function, the same in C, wasm and the IL.
pub fn entry(name: &str) -> String {
    format!("run_{}", name.replace('-', "_"))
}

/// Compiles each by itself, so that their `static` names stay apart.
fn objects(folder: &Path, names: &[&str], kind: &str, flags: &[&str]) -> Result<Vec<PathBuf>> {
    let compile = |name: &&str| {
        let object = folder.join(format!("{name}.{kind}.o"));
        let mut command = Command::new("clang");
        command.args(flags).args(C_FLAGS).arg(format!("-Drun={}", entry(name))).arg("-c");
        run(command.arg(programs().join(format!("{name}.c"))).arg("-o").arg(&object))?;
        Ok(object)
    };
    names.iter().map(compile).collect()
}

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
