//! `cargo xtask agree`: the engines against each other, on any number of random modules.

use crate::shell;

/// Modules in a run of all tests.
const MODULES: &str = "20000";

/// Runs `agree` with these options.
///
/// # Errors
/// If engines differ, or it cannot be built.
pub fn run(options: &[&str]) -> anyhow::Result<()> {
    let arguments = ["run", "--release", "--quiet", "--package", "agreement", "--bin", "agree", "--"];
    shell::run(&mut shell::cargo(&[&arguments, options].concat()))
}

/// What a run of all tests does of it: the seeds of old differences, then many modules.
///
/// # Errors
/// The same.
pub fn test() -> anyhow::Result<()> {
    let arguments = ["test", "--release", "--package", "agreement", "--test", "agreement", "--", "--nocapture"];
    shell::run(shell::cargo(&arguments).env("AGREEMENT_MODULES", MODULES))
}
