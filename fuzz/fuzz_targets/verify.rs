//! Changed modules: the input says which module of the verifier's cases is changed, and how. So the verifier gets
//! past its first checks, as random bytes seldom do.
#![no_main]

#[path = "../../il/tests/common/mod.rs"]
mod common;

use std::sync::LazyLock;

use common::corpus::{Verdict, all};
use common::hostile::{self, Random};
use il::Module;
use libfuzzer_sys::fuzz_target;

/// Valid modules, and the instructions that they consist of.
static SEEDS: LazyLock<(Vec<Module>, Vec<Vec<u8>>)> = LazyLock::new(|| {
    let valid = all().cases.into_iter().filter(|case| matches!(case.verdict, Verdict::Accept));
    let modules: Vec<Module> = valid.map(|case| case.module).collect();
    let bodies = modules.iter().flat_map(|module| &module.funcs).flat_map(|func| hostile::instructions(&func.body));
    let mut pool: Vec<Vec<u8>> = bodies.map(<[u8]>::to_vec).collect();
    pool.sort();
    pool.dedup();
    (modules, pool)
});

fuzz_target!(|choices: &[u8]| {
    let (modules, pool) = &*SEEDS;
    let (which, rest) = choices.split_at(choices.len().min(2));
    let which = which.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let mut module = modules[which % modules.len()].clone();
    // Eight bytes seed one change each.
    for seed in rest.chunks(8).take(16) {
        let seed = seed.iter().fold(1, |number, byte| number << 8 | u64::from(*byte));
        hostile::change_module(&mut Random(seed | 1), &mut module, pool);
    }
    hostile::module(module);
});
