//! Layers: a crate uses only what stands above its line in `docs/architecture.md`.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::shell;

/// The device VMs: each may use what a device VM may, and never another.
const DEVICES: [&str; 7] = ["vm-display", "vm-keyboard", "vm-disk", "vm-clock", "vm-console", "vm-entropy", "vm-wasi"];
/// What a device VM may use.
const FOR_DEVICES: [&str; 3] = ["il", "isa", "basevm"];
/// The other crates below the platforms, and what each may use of this workspace.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("il", &[]),
    ("isa", &["il"]),
    ("interp", &["il"]),
    ("compiler", &["il"]),
    ("wasm", &["il"]),
    ("basevm", &["il", "interp", "compiler"]),
    (
        "bootstrapper",
        &[
            "il", "isa", "compiler", "basevm", DEVICES[0], DEVICES[1], DEVICES[2], DEVICES[3], DEVICES[4], DEVICES[5],
            DEVICES[6],
        ],
    ),
];
/// How a library says that it needs no operating system; its unit tests may.
const NO_STD: [&str; 2] = ["#![no_std]", "#![cfg_attr(not(test), no_std)]"];
/// Crates that only exist hosted: nothing that the kernel is made of may use them.
const HOSTED: [&str; 3] = ["vm-hosted", "cascade", "ilc"];

/// Checks the layers by what cargo says of each package.
///
/// # Errors
/// Every line that is crossed.
pub fn check() -> anyhow::Result<()> {
    let text = shell::output(&mut shell::cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let own: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut crossed = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let used = dependencies(package).filter(|used| own.contains(used)).collect::<Vec<_>>();
        crossed.extend(used.iter().filter_map(|used| complaint(name, used)));
        if is_library(name) {
            crossed.extend(library_rules(name, package)?);
        }
    }
    if crossed.is_empty() { Ok(()) } else { bail!("{}", crossed.join("\n")) }
}

/// What a package is built with; tests may use more.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let list = package["dependencies"].as_array().into_iter().flatten();
    list.filter(|dependency| dependency["kind"].as_str() != Some("dev"))
        .filter_map(|dependency| dependency["name"].as_str())
}

fn allowed(name: &str) -> Option<&'static [&'static str]> {
    if DEVICES.contains(&name) {
        return Some(&FOR_DEVICES);
    }
    LIBRARIES.iter().find(|(library, _)| *library == name).map(|(_, allowed)| *allowed)
}

fn is_library(name: &str) -> bool {
    allowed(name).is_some()
}

fn complaint(name: &str, used: &str) -> Option<String> {
    match allowed(name) {
        Some(allowed) if !allowed.contains(&used) => {
            Some(format!("`{name}` uses `{used}`, but may only use: {}", allowed.join(", ")))
        }
        None if name == "kernel-image" && HOSTED.contains(&used) => {
            Some(format!("the kernel uses `{used}`, which exists hosted only"))
        }
        _ => None,
    }
}

/// No standard library and no feature: the same code on every platform.
fn library_rules(name: &str, package: &Value) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    let manifest = package["manifest_path"].as_str().context("a package without a manifest")?;
    let lib = Path::new(manifest).with_file_name("src").join("lib.rs");
    let text = std::fs::read_to_string(&lib).with_context(|| format!("cannot read {}", lib.display()))?;
    if !text.lines().any(|line| NO_STD.contains(&line.trim())) {
        broken.push(format!("`{name}` is not `#![no_std]`"));
    }
    if package["features"].as_object().is_some_and(|features| !features.is_empty()) {
        broken.push(format!("`{name}` has cargo features; a crate boundary does that better"));
    }
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_where_the_architecture_draws_them() {
        assert!(complaint("basevm", "isa").is_some());
        assert!(complaint("vm-display", "vm-disk").is_some());
        assert!(complaint("il", "compiler").is_some());
        assert!(complaint("kernel-image", "vm-hosted").is_some());
        assert!(complaint("vm-disk", "basevm").is_none());
        assert!(complaint("cascade", "vm-hosted").is_none());
    }
}
