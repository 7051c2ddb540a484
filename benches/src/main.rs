//! The measured claims: `cargo xtask bench` prints ours beside a peer, measured in one run.
//!
//! `--write` also renews `docs/benchmarks.md`. Figures are medians; only ratios mean much on a busy machine.

mod boot;
mod channels;
mod code;
mod emission;
mod harness;
mod peers;
mod table;
mod timing;

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use table::Table;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let write = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--write"] => true,
        _ => bail!("usage: cargo xtask bench [--write]\n  --write  also renew docs/benchmarks.md"),
    };
    let mut table = Table::default();
    emission::measure(&mut table)?;
    channels::measure(&mut table)?;
    code::measure(&mut table)?;
    boot::measure(&mut table)?;
    println!("{table}");
    if write {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
        fs::write(page, format!("{INTRODUCTION}\n{table}"))?;
    }
    Ok(())
}

const INTRODUCTION: &str = "# Measurements

Made by `cargo xtask bench --write`: medians of several runs, peer and ours in one run on one machine, one
thread. Less is better; `ratio` is ours over the peer's. QEMU emulates (TCG).
";
