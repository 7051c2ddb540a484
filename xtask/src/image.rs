//! The bare-metal kernel image.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};

use crate::shell;

/// Where the build leaves it, from the source tree's root.
const IMAGE: &str = "target/metal/x86_64-unknown-linux-gnu/metal/kernel-image";
/// What every cargo command for the kernel has.
pub const FLAGS: [&str; 6] = ["--config", "kernel-image/metal.toml", "--profile", "metal", "--package", "kernel-image"];

/// Builds the image.
///
/// # Errors
/// If it does not build.
pub fn build() -> anyhow::Result<PathBuf> {
    shell::run(&mut metal_cargo("build"))?;
    let image = shell::root().join(IMAGE);
    if !image.is_file() {
        bail!("cargo built no image at {}", image.display());
    }
    Ok(image)
}

/// A cargo command for the kernel: the environment's flags would replace those that it needs.
pub fn metal_cargo(verb: &str) -> std::process::Command {
    let mut command = shell::cargo(&[&[verb], FLAGS.as_slice()].concat());
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// Builds the image and checks that it makes no system call.
///
/// # Errors
/// If it does not build, or has one.
pub fn build_and_check() -> anyhow::Result<PathBuf> {
    let image = build()?;
    no_system_calls(&image)?;
    Ok(image)
}

/// A crate that calls the parent OS can slip into a freestanding image unseen: no linker error,
/// only a `syscall` instruction that nobody answers.
///
/// # Errors
/// The first such instruction.
pub fn no_system_calls(image: &Path) -> anyhow::Result<()> {
    if !shell::has("objdump") {
        bail!("there is no objdump to read the image with\n  to install it: apt-get install -y binutils");
    }
    let name = image.to_str().context("the image's path is not UTF-8")?;
    let mut command = shell::command("objdump", &["--disassemble", "--no-show-raw-insn", name]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("objdump has no output")?;
    let mut instructions = 0_u64;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        let Some((_, instruction)) = line.split_once(":\t") else { continue };
        instructions += 1;
        let mnemonic = instruction.split_whitespace().next().unwrap_or("");
        if matches!(mnemonic, "syscall" | "sysenter") || instruction.trim() == "int    $0x80" {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the image makes a system call: {}", line.trim());
        }
    }
    if !child.wait()?.success() || instructions == 0 {
        bail!("objdump could not read the image");
    }
    println!("  no system call among {instructions} instructions of the image");
    Ok(())
}
