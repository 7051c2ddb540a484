//! `cargo xtask bench`: the measured claims, which are a program of their own.

use anyhow::bail;

use crate::shell;

/// The package that measures, and its folder.
const PACKAGE: &str = "cascade-benches";
const FOLDER: &str = "benches";

/// Runs the measurements, in release mode, with what they compare to.
///
/// # Errors
/// If they cannot be built or fail.
pub fn run(arguments: &[&str]) -> anyhow::Result<()> {
    if !shell::root().join(FOLDER).join("Cargo.toml").is_file() {
        bail!("this source tree has no `{PACKAGE}` package");
    }
    let image = crate::image::build()?;
    shell::run(&mut shell::cargo(&["build", "--release", "--package", "cascade", "--package", "ilc"]))?;
    let mut command = shell::cargo(&["run", "--release", "--package", PACKAGE, "--"]);
    shell::run(command.args(arguments).env("CASCADE_IMAGE", image))
}
