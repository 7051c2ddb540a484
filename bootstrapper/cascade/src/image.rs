//! The kernel image: given, beside this program, or built from the source tree around it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The image's name beside the `cascade` program.
pub const NAME: &str = "cascade-kernel";
/// Where the build leaves it, from the source tree's root.
const BUILT: &str = "target/metal/x86_64-unknown-linux-gnu/metal/kernel-image";
/// How it is built, as `kernel-image/README.md` says.
const BUILD: [&str; 7] =
    ["build", "--config", "kernel-image/metal.toml", "--profile", "metal", "--package", "kernel-image"];

/// Finds or builds the image.
///
/// # Errors
/// If there is none and no source tree to build it from, or the build fails.
pub fn locate(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        if !given.is_file() {
            bail!("there is no kernel image `{}`\n  build one: cargo xtask image", given.display());
        }
        return Ok(given.to_path_buf());
    }
    if let Some(found) = from_environment().or_else(beside) {
        return Ok(found);
    }
    match source_tree() {
        Some(root) => build(&root),
        None => bail!(
            "there is no kernel image: neither `{NAME}` beside this program nor a source tree to build it from\n  \
             give one by --image FILE; in Cascade's source tree, `cargo xtask image` builds it"
        ),
    }
}

/// The image that the variable `CASCADE_IMAGE` names: how the tests share one.
fn from_environment() -> Option<PathBuf> {
    std::env::var_os("CASCADE_IMAGE").map(PathBuf::from).filter(|file| file.is_file())
}

/// The image beside this program, if it is there.
pub fn beside() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.parent()?.join(NAME);
    beside.is_file().then_some(beside)
}

/// The source tree around this program, around the current folder, or that this program was built from.
pub fn source_tree() -> Option<PathBuf> {
    let from = Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    let starts = [std::env::current_exe().ok(), std::env::current_dir().ok(), from];
    let is_root = |dir: &&Path| dir.join("kernel-image/metal.toml").is_file();
    starts.iter().flatten().find_map(|start| start.ancestors().find(is_root).map(Path::to_path_buf))
}

/// Where the image of this source tree is, if it has been built.
pub fn built(root: &Path) -> Option<PathBuf> {
    let built = root.join(BUILT);
    built.is_file().then_some(built)
}

fn build(root: &Path) -> anyhow::Result<PathBuf> {
    if built(root).is_none() {
        eprintln!("cascade: building the kernel image; the first time takes a few minutes");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(BUILD)
        .arg("--quiet")
        .current_dir(root)
        // Flags of the environment would replace those that the image needs.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("cannot run cargo to build the kernel image; see https://rustup.rs")?;
    if !status.success() {
        bail!("the kernel image was not built; to see why: cargo xtask image");
    }
    built(root).context("cargo built no kernel image")
}
