//! Writes what the fuzz target `wasm` starts from: the modules of the core test suite, and random ones.
//!
//! `seeds FOLDER` makes files of one byte, which says how the target takes the rest, and a module.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result, anyhow};
use wasm_suite::script::Script;
use wasm_suite::{files, random};

/// Scripts nest deeply, and what reads them recurses.
const STACK_BYTES: usize = 64 << 20;
/// Longer modules are changed more slowly than they are worth.
const MAX_BYTES: usize = 2000;
/// Random modules beside those of the suite.
const RANDOM: u64 = 100;
/// What comes first: a module as it is, for a program and for a script.
const WHOLE: [u8; 2] = [0, 1];

fn modules() -> BTreeSet<Vec<u8>> {
    let scripts = files::core_2_0().into_iter().chain(files::core_3_0());
    let scripts = scripts.filter_map(|(_, file)| Script::new(file.raw()).ok());
    let suite = scripts.flat_map(|script| script.units.into_iter().map(|unit| unit.bytes));
    let random = (0..RANDOM).filter_map(|seed| random::module(seed).ok());
    suite.chain(random).filter(|bytes| bytes.len() <= MAX_BYTES).collect()
}

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("usage: seeds FOLDER")?);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let reading = thread::Builder::new().stack_size(STACK_BYTES).spawn(modules)?;
    let modules = reading.join().map_err(|_| anyhow!("a script of the suite cannot be read"))?;
    for (at, module) in modules.iter().enumerate() {
        let how = WHOLE[at % WHOLE.len()];
        std::fs::write(folder.join(format!("{at:05}")), [&[how], module.as_slice()].concat())?;
    }
    println!("  {} modules in {}", modules.len(), folder.display());
    Ok(())
}
