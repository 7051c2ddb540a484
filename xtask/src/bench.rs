//! `cargo xtask bench`: the measured claims, which are a program of their own.

use anyhow::bail;

use crate::{setup, shell};

/// The package that measures, and its folder.
const PACKAGE: &str = "cascade-benches";
const FOLDER: &str = "benches";
/// The peers that are crates, and what they are built to, from the source tree's root.
const PEERS: &str = "cascade-peers";
const PEERS_PROGRAM: &str = "target/release/cascade-peers";

/// Runs the measurements, in release mode, with what they compare to. A peer that cannot be had here is told,
/// and shown as absent.
///
/// # Errors
/// If they cannot be built or fail.
pub fn run(arguments: &[&str]) -> anyhow::Result<()> {
    if !shell::root().join(FOLDER).join("Cargo.toml").is_file() {
        bail!("this source tree has no `{PACKAGE}` package");
    }
    if let Err(why) = setup::peers() {
        println!("  without some peers: {why:#}");
    }
    let peers = shell::run(&mut shell::cargo(&["build", "--release", "--package", PEERS]));
    let mut command = shell::cargo(&["run", "--release", "--package", PACKAGE, "--"]);
    match peers {
        Ok(()) => drop(command.env("CASCADE_PEERS", shell::root().join(PEERS_PROGRAM))),
        Err(why) => println!("  without wasmtime: {why:#}"),
    }
    if boots(arguments) {
        command.env("CASCADE_IMAGE", crate::image::build()?);
    }
    shell::run(command.args(arguments))
}

/// Whether the part that needs the image is measured: it is named, or no part is.
fn boots(arguments: &[&str]) -> bool {
    let parts: Vec<_> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    parts.is_empty() || parts.contains(&&"boot")
}

#[cfg(test)]
mod tests {
    use super::boots;

    #[test]
    fn the_image_is_built_for_the_boots_alone() {
        assert!(boots(&[]) && boots(&["--write"]) && boots(&["code", "boot"]));
        assert!(!boots(&["code"]) && !boots(&["collector", "compiling"]));
    }
}
