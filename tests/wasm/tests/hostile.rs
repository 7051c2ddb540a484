//! What the front end is given may be anything: the suite's modules and random ones, with bytes changed, are refused or
//! become valid modules.
//!
//! `HOSTILE_MODULES` sets how many, `HOSTILE_SEED` where they start; else few.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::thread;

use wasm_suite::script::Script;
use wasm_suite::{files, hostile, random};

/// Modules unless the environment says how many.
const MODULES: u64 = 20_000;
/// Threads that share them.
const THREADS: u64 = 2;
/// Scripts nest deeply, and what reads them recurses.
const STACK_BYTES: usize = 64 << 20;
/// Modules are changed that are no longer than this.
const MAX_BYTES: usize = 4000;

/// The suite's modules, and random ones.
fn originals() -> Vec<Vec<u8>> {
    let later = |name: &str| name.starts_with("exceptions/") || name.starts_with("gc/");
    let later = files::core_3_0().into_iter().filter(|(name, _)| later(name));
    let files = files::core_2_0().into_iter().chain(later).map(|(_, file)| file.raw());
    let scripts = files.chain([include_str!("legacy.wast")]).filter_map(|text| Script::new(text).ok());
    let suite = scripts.flat_map(|script| script.units.into_iter().map(|unit| unit.bytes));
    let modules = [random::module, random::throwing, random::with_objects];
    let random = modules.into_iter().flat_map(|module| (0..150).filter_map(move |seed| module(seed).ok()));
    let modules: BTreeSet<Vec<u8>> = suite.chain(random).filter(|bytes| bytes.len() <= MAX_BYTES).collect();
    modules.into_iter().collect()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn changed_modules_are_refused_or_become_valid_ones() {
    let reading = thread::Builder::new().stack_size(STACK_BYTES).spawn(originals).unwrap();
    let originals = reading.join().unwrap();
    assert!(originals.len() > 500, "{} modules", originals.len());
    let (modules, start) = (setting("HOSTILE_MODULES", MODULES), setting("HOSTILE_SEED", 0));
    let originals = &originals;
    let part = move |first: u64| {
        let (mut accepted, mut wrong) = (0u64, Vec::new());
        for seed in (start + first..start + modules).step_by(THREADS as usize) {
            let bytes = random::mutated(&originals[seed as usize % originals.len()], seed);
            match catch_unwind(|| hostile::translated(&bytes, seed % 3 == 0).is_ok()) {
                Ok(one) => accepted += u64::from(one),
                Err(_) => wrong.push(seed),
            }
        }
        (accepted, wrong)
    };
    let parts: Vec<(u64, Vec<u64>)> = thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || part(first))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_default()).collect()
    });
    let accepted: u64 = parts.iter().map(|(accepted, _)| accepted).sum();
    let wrong: Vec<u64> = parts.into_iter().flat_map(|(_, wrong)| wrong).collect();
    println!("{modules} changed modules, {accepted} of them accepted");
    assert!(wrong.is_empty(), "{} of {modules} panic, see above; seeds {wrong:?}", wrong.len());
    assert!(accepted * 20 > modules && accepted * 20 < modules * 19, "{accepted} of {modules} are accepted");
}

/// What the fuzz target `wasm` has found: bytes from which a module is made.
const FOUND: [&[u8]; 1] = [b"}\x0a\x06\x00\x01\x02\x00\x00\x00}}@\x00\x002Y&i"];

#[test]
fn what_was_found_once_stays_mended() {
    for entropy in FOUND {
        let module = random::module_of(entropy).unwrap();
        hostile::translated(&module, false).unwrap_or_else(|why| panic!("{entropy:?}: {why}"));
    }
}
