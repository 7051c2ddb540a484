//! Set-up: what is missing is installed, or the exact command is printed.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::bail;

use crate::shell::{self, command};

const QEMU: &str = "qemu-system-x86_64";
const INSTALL: [&str; 3] = ["install", "-y", "--no-install-recommends"];
const QEMU_PACKAGE: &str = "qemu-system-x86";
/// What the measurements compare with: a file or program that tells whether it is there, and its Debian package.
const PEERS: [(&str, &str); 6] = [
    ("clang", "clang"),
    ("wasm-ld", "lld"),
    ("/usr/lib/wasm32-wasi/libc.a", "wasi-libc"),
    ("node", "nodejs"),
    ("mono", "mono-runtime"),
    ("mcs", "mono-mcs"),
];

/// Makes sure that everything outside the source tree is there.
///
/// # Errors
/// If something is missing and cannot be installed from here; says how to.
pub fn all() -> anyhow::Result<()> {
    qemu()?;
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
    Ok(())
}

/// Makes sure that the peers of `cargo xtask bench` are there.
///
/// # Errors
/// If one is missing and cannot be installed from here; names the packages.
pub fn peers() -> anyhow::Result<()> {
    let there = |name: &str| Path::new(name).is_file() || shell::has(name);
    let missing: Vec<&str> = PEERS.iter().filter(|(name, _)| !there(name)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("  peers to measure against are missing: {}", missing.join(", "));
    if !shell::has("apt-get") || (!is_root() && !can_sudo()) {
        bail!("as an administrator, install what Debian calls {}", missing.join(" "));
    }
    apt_get(&["update"])?;
    apt_get(&[INSTALL.as_slice(), &missing].concat())
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
