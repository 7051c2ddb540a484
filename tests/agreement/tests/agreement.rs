//! Interpreter, machine code without optimisation and optimised machine code agree on random modules: results,
//! memory, packets, traps and their places.
//!
//! `AGREEMENT_MODULES` sets how many, else few: without optimisation this takes its time.

use std::thread;

use agreement::compare::{Ended, compare, small};
use agreement::platform::{HostedOptions, HostedPlatform};
use generate::Config;

/// Modules unless the environment says how many.
const MODULES: u64 = 200;
/// Threads that share them.
const THREADS: u64 = 2;
/// Seeds at which there once was a difference.
const SEEDS: &str = include_str!("../../seeds/agreement.txt");

fn check(platform: &'static HostedPlatform, seed: u64, config: &Config) -> Ended {
    compare(platform, generate::module(seed, config), seed).unwrap_or_else(|why| panic!("seed {seed}: {why:#}"))
}

#[test]
fn engines_agree() {
    let platform = HostedPlatform::leaked(HostedOptions::default());
    for line in SEEDS.lines().filter(|line| !line.starts_with('#')) {
        let seed = line.split_whitespace().next().and_then(|seed| seed.parse().ok()).expect("a seed");
        check(platform, seed, &Config::default());
    }
    let modules = std::env::var("AGREEMENT_MODULES").ok().and_then(|count| count.parse().ok()).unwrap_or(MODULES);
    let part = |first: u64| {
        let platform = HostedPlatform::leaked(HostedOptions::default());
        let ends = (first..modules).step_by(THREADS as usize).map(|seed| check(platform, seed, &small()));
        ends.filter(|end| *end != Ended::Whole).count() as u64
    };
    let early: u64 = thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || part(first))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_else(|_| panic!("engines differ; see above"))).sum()
    });
    assert!(early * 5 < modules, "{early} of {modules} modules end early: too many to compare much");
}
