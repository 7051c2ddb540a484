//! Running `cascade` and reading what it reports.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Where a program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// On the parent OS.
    Hosted,
    /// On a bare machine in QEMU.
    Booted,
}

impl Where {
    /// Both, hosted first.
    pub const BOTH: [Where; 2] = [Where::Hosted, Where::Booted];

    fn subcommand(self) -> &'static str {
        match self {
            Where::Hosted => "run",
            Where::Booted => "boot",
        }
    }
}

/// What `cascade .. --json` reports of one run.
#[derive(Deserialize, Clone, PartialEq, Debug)]
pub struct Summary {
    /// Exit code.
    pub exit: u8,
    /// The program's file.
    pub file: String,
    /// Console output.
    #[serde(default)]
    pub console: String,
    /// BLAKE3 of the console's bytes.
    pub console_hash: String,
    /// Frames presented.
    pub frames: u64,
    /// Hash of the last frame.
    pub frame_hash: Option<String>,
    /// The module's identity.
    pub module_hash: String,
    /// Fault reports.
    pub faults: Vec<String>,
}

impl Summary {
    /// What has to be equal wherever the program runs.
    pub fn outcome(&self) -> (u8, &str, u64, Option<&str>, &str) {
        (self.exit, &self.console, self.frames, self.frame_hash.as_deref(), &self.module_hash)
    }
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A released program of this workspace, built if it is not fresh: tests of one package do not build
/// another's programs by themselves.
fn program(name: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "cascade", "--package", "ilc"])
        .current_dir(root())
        .status()?;
    if !status.success() {
        bail!("`cargo build --release` of `cascade` and `ilc` failed");
    }
    // The test stands in TARGET/PROFILE/deps.
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).context("the target folder")?;
    Ok(target.join("release").join(name))
}

/// The `cascade` program.
pub fn cascade() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| program("cascade").unwrap_or_else(|why| panic!("{why:#}")));
    let mut command = Command::new(path);
    command.current_dir(root()).stdin(std::process::Stdio::null());
    command
}

/// The `ilc` program.
pub fn ilc() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| program("ilc").unwrap_or_else(|why| panic!("{why:#}")));
    let mut command = Command::new(path);
    command.current_dir(root());
    command
}

/// Runs a program with these options and returns its summary.
///
/// # Errors
/// If `cascade` prints no summary; the error holds all that it printed.
pub fn run(place: Where, file: &Path, options: &[&str]) -> Result<Summary> {
    let output = output(place, file, options)?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let summary = stdout.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    summary.with_context(|| format!("no summary of {} {place:?}:\n{}", file.display(), text(&output)))
}

/// The raw output of a run with `--json`.
///
/// # Errors
/// If `cascade` cannot be started.
pub fn output(place: Where, file: &Path, options: &[&str]) -> Result<Output> {
    let mut command = cascade();
    command.arg(place.subcommand()).arg(file).args(["--json", "--timeout", "120"]);
    // A default that a test may override.
    if !options.contains(&"--display") {
        command.args(["--display", "none"]);
    }
    Ok(command.args(options).output()?)
}

/// All that a program printed, for error messages.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
