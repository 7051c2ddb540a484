//! Set-up: what is missing is installed, or the exact command is printed.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, bail};

use crate::shell::{self, command};

const QEMU: &str = "qemu-system-x86_64";
const INSTALL: [&str; 3] = ["install", "-y", "--no-install-recommends"];
const QEMU_PACKAGE: &str = "qemu-system-x86";
/// A file or program that tells whether something is there, and its Debian package.
type Need = (&'static str, &'static str);
/// What the measurements compare with.
const PEERS: [Need; 3] = [("node", "nodejs"), ("mono", "mono-runtime"), ("mcs", "mono-mcs")];
/// What makes WebAssembly of C.
const WASM: [Need; 3] = [("clang", "clang"), ("wasm-ld", "lld"), ("/usr/lib/wasm32-wasi/libc.a", "wasi-libc")];
/// The compiler's own functions for WebAssembly: where they are only clang knows.
const BUILTINS_PACKAGE: &str = "libclang-rt-dev-wasm32";
/// What fuzz targets are linked with is in C++.
const CPP: Need = ("c++", "g++");
/// Fetches packages of Python.
const PIP_PACKAGE: &str = "python3-pip";
/// The compiler for Zig, as a Python package. The language changes between versions, so it is just this one.
const ZIG_PACKAGE: &str = "ziglang";
const ZIG_VERSION: &str = "0.17.1";
/// Where it is installed, from the source tree's root; tests look for it there.
const ZIG: &str = "target/zig";
/// What rustc makes WebAssembly for: device programs without a library, and WASI.
const WASM_TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip1"];

/// Makes sure that everything outside the source tree is there.
///
/// # Errors
/// If something is missing and cannot be installed from here; says how to.
pub fn all() -> anyhow::Result<()> {
    qemu()?;
    wasm()?;
    zig()?;
    if !shell::has("cc") && !shell::has("gcc") && !shell::has("clang") {
        bail!("there is no C linker\n  to install it: {}apt-get install -y gcc libc6-dev", sudo_prefix());
    }
    Ok(())
}

/// The rustfmt and clippy that the toolchain file names; rustup fetches them on first use.
///
/// # Errors
/// If they cannot be fetched.
pub fn rust_components() -> anyhow::Result<()> {
    for tool in ["fmt", "clippy"] {
        let mut probe = shell::cargo(&[tool, "--version"]);
        if !probe.output().is_ok_and(|output| output.status.success()) {
            println!("  installing the Rust component for `cargo {tool}`");
            let component = if tool == "fmt" { "rustfmt" } else { tool };
            shell::run(&mut command("rustup", &["component", "add", component]))?;
        }
    }
    for target in WASM_TARGETS {
        let mut libraries = command("rustc", &["--print", "target-libdir", "--target", target]);
        if !shell::output(&mut libraries).is_ok_and(|folder| Path::new(folder.trim()).is_dir()) {
            println!("  installing the Rust target {target}");
            shell::run(&mut command("rustup", &["target", "add", target]))?;
        }
    }
    Ok(())
}

/// Makes sure that there are a C compiler and libraries for WebAssembly.
fn wasm() -> anyhow::Result<()> {
    let mut missing = missing(&WASM);
    if !has_builtins() {
        missing.push(BUILTINS_PACKAGE);
    }
    install("what makes WebAssembly of C", &missing)
}

/// Makes sure that there is what libFuzzer is compiled with.
///
/// # Errors
/// If it is missing and cannot be installed from here; names the package.
pub fn fuzzing() -> anyhow::Result<()> {
    install("the compiler of libFuzzer, which is in C++,", &missing(&[CPP]))
}

/// Makes sure that there is the Zig compiler that the samples are written for, in a folder of the project's own.
fn zig() -> anyhow::Result<()> {
    let folder = shell::root().join(ZIG);
    let installed = folder.join(format!("{ZIG_PACKAGE}-{ZIG_VERSION}.dist-info"));
    if installed.is_dir() || std::env::var_os("ZIG").is_some() {
        return Ok(());
    }
    println!("  installing the Zig compiler into {ZIG}");
    if folder.is_dir() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("an old one is in {}", folder.display()))?;
    }
    if !command("python3", &["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success()) {
        install("what fetches the Zig compiler", &[PIP_PACKAGE])?;
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--no-deps",
        "--target",
        ZIG,
    ];
    let package = format!("{ZIG_PACKAGE}=={ZIG_VERSION}");
    shell::run(&mut command("python3", &[pip.as_slice(), &[&package]].concat()))
        .with_context(|| format!("to do without: install Zig {ZIG_VERSION}, and let ZIG name its program"))
}

/// Whether clang has the functions that it calls by itself on WebAssembly.
fn has_builtins() -> bool {
    let arguments = ["--target=wasm32-wasi", "--rtlib=compiler-rt", "-print-libgcc-file-name"];
    shell::has("clang")
        && shell::output(&mut command("clang", &arguments)).is_ok_and(|file| Path::new(file.trim()).is_file())
}

/// The packages of what is not there.
fn missing(needs: &[Need]) -> Vec<&'static str> {
    let there = |name: &str| Path::new(name).is_file() || shell::has(name);
    needs.iter().filter(|(name, _)| !there(name)).map(|(_, package)| *package).collect()
}

/// Installs Debian packages.
fn install(what: &str, missing: &[&str]) -> anyhow::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    println!("  {what} is missing: {}", missing.join(", "));
    if !shell::has("apt-get") || (!is_root() && !can_sudo()) {
        bail!("as an administrator, install what Debian calls {}", missing.join(" "));
    }
    apt_get(&["update"])?;
    apt_get(&[INSTALL.as_slice(), missing].concat())
}

/// Makes sure that the peers of `cargo xtask bench` are there.
///
/// # Errors
/// If one is missing and cannot be installed from here; names the packages.
pub fn peers() -> anyhow::Result<()> {
    wasm()?;
    install("what to measure against", &missing(&PEERS))
}

fn qemu() -> anyhow::Result<()> {
    if shell::has(QEMU) {
        return Ok(());
    }
    println!("  QEMU is missing: it emulates the bare machine");
    if !shell::has("apt-get") {
        bail!(
            "install QEMU for x86-64 by this system's package manager (dnf: qemu-system-x86-core, pacman: qemu-system-x86), then try again"
        );
    }
    if !is_root() && !can_sudo() {
        bail!(
            "QEMU must be installed, which needs an administrator\n  run: sudo apt-get update && sudo apt-get {} {QEMU_PACKAGE}",
            INSTALL.join(" ")
        );
    }
    apt_get(&["update"])?;
    apt_get(&[INSTALL.as_slice(), &[QEMU_PACKAGE]].concat())?;
    if !shell::has(QEMU) {
        bail!("apt-get installed no `{QEMU}`");
    }
    Ok(())
}

fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command =
        if is_root() { command("apt-get", arguments) } else { command("sudo", &[&["apt-get"], arguments].concat()) };
    shell::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root() -> bool {
    shell::output(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Whether sudo works here: without a password, or because somebody can type one.
fn can_sudo() -> bool {
    let silent = || command("sudo", &["-n", "true"]).output().is_ok_and(|output| output.status.success());
    shell::has("sudo") && (silent() || std::io::stdin().is_terminal())
}

fn sudo_prefix() -> &'static str {
    if is_root() { "" } else { "sudo " }
}
