//! The measured claims: `cargo xtask bench` prints ours beside a peer, measured in one run.
//!
//! `--write` also renews `docs/benchmarks.md`. Figures are medians; only ratios mean much on a busy machine.
//! A peer that is not installed is shown as absent; one of ours that fails is an error, after all was measured.

mod boot;
mod channels;
mod code;
mod collector;
mod deadlines;
mod device_programs;
mod eight;
mod emission;
mod engines;
mod harness;
mod metal;
mod ours;
mod passing;
mod peers;
mod table;
mod throughput;
mod timing;
mod toolchain;
mod vms;
mod wasm;
mod worker;

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use table::Table;

type Part = (&'static str, fn(&mut Table, &Path) -> Result<()>);

/// What can be measured by itself; the folder is for what the peers' tools build.
const PARTS: [Part; 13] = [
    ("emission", emission),
    ("calls", |table, _| channels::measure(table)),
    ("passing", |table, _| passing::measure(table)),
    ("jit", |table, _| code::measure(table)),
    ("vms", vms::measure),
    ("programs", |table, _| device_programs::measure(table)),
    ("code", eight::measure),
    ("wasm", wasm::measure),
    ("deadlines", |table, _| deadlines::measure(table)),
    ("compiling", throughput::measure),
    ("collector", collector::measure),
    ("boot", |table, _| boot::measure(table)),
    ("metal", metal::measure),
];
const USAGE: &str = "usage: cargo xtask bench [--write] [PART..]
  --write  also renew docs/benchmarks.md; then all is measured
  PART     emission, calls, passing, jit, vms, programs, code, wasm, deadlines, compiling, collector, boot, metal;
           without any, all";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (write, wanted): (Vec<_>, Vec<_>) = arguments.iter().map(String::as_str).partition(|word| *word == "--write");
    let known = |word: &&str| PARTS.iter().any(|(name, _)| name == word);
    if !wanted.iter().all(known) || (!write.is_empty() && !wanted.is_empty()) {
        bail!("{USAGE}");
    }
    let folder = tempfile::tempdir()?;
    let mut table = Table::default();
    for (_, measure) in PARTS.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        measure(&mut table, folder.path())?;
    }
    println!("{table}");
    if !table.failures().is_empty() {
        bail!("ours failed:\n  {}", table.failures().join("\n  "));
    }
    if !write.is_empty() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
        fs::write(page, format!("{INTRODUCTION}\n{table}"))?;
    }
    Ok(())
}

fn emission(table: &mut Table, _: &Path) -> Result<()> {
    table.section("The base", "Medians of several runs, in processor time of the thread that does the work.");
    emission::measure(table)
}

const INTRODUCTION: &str = "# Measurements

Made by `cargo xtask bench --write`: medians of several runs, peer and ours in one run on one machine, one
thread. Less is better; `ratio` is ours over the peer's. QEMU emulates (TCG).
";
