//! `agree`: compares the engines on any number of random modules.

use std::process::ExitCode;

use agreement::compare::{self, Ended, compare, listing};
use agreement::platform::{HostedOptions, HostedPlatform};
use agreement::shrink::shrink;
use clap::Parser;
use generate::Config;
use il::{FuncId, Module};

/// Runs random modules on the interpreter and on machine code, and tells where they differ.
#[derive(Parser, Debug)]
struct Options {
    /// How many modules.
    #[arg(long, default_value_t = 1000)]
    count: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on after differences, telling the seeds only.
    #[arg(long)]
    all: bool,
    /// Make the first module that differs small, and print it.
    #[arg(long)]
    shrink: bool,
    /// The small modules that `cargo xtask test` takes: a seed means another module then.
    #[arg(long)]
    small: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let platform = HostedPlatform::leaked(HostedOptions::default());
    let config = if options.small { compare::small() } else { Config::default() };
    let (mut whole, mut trapped, mut limited, mut differ) = (0, 0, 0, 0);
    for seed in options.seed..options.seed + options.count {
        let module = generate::module(seed, &config);
        match compare(platform, module, seed) {
            Ok(Ended::Whole) => whole += 1,
            Ok(Ended::Trapped) => trapped += 1,
            Ok(Ended::Limited) => limited += 1,
            Err(why) => {
                differ += 1;
                let text = format!("{why:#}");
                let text = if options.all { text.lines().take(3).collect::<Vec<_>>().join(" ") } else { text };
                println!("seed {seed}: {text}");
                if options.shrink {
                    print_small(platform, seed, &config);
                }
                if !options.all {
                    break;
                }
            }
        }
    }
    println!("{whole} ran to their end, {trapped} trapped, {limited} met a limit, {differ} differ");
    if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The module of the seed, made as small as the difference allows, and how that one differs.
fn print_small(platform: &'static HostedPlatform, seed: u64, config: &Config) {
    let differs = |module: &Module| matches!(compare(platform, module.clone(), seed), Err(why) if !refused(&why));
    let small = shrink(generate::module(seed, config), differs);
    for (at, ty) in small.types.iter().enumerate() {
        println!("type {at} {ty:?}");
    }
    for (at, func) in small.funcs.iter().enumerate().filter(|(_, func)| !func.body.is_empty()) {
        let id = FuncId(at as u32);
        println!("func {at} {:?} -> {:?}, locals {:?}", func.sig.params, func.sig.results, func.locals);
        println!("{}", listing(&small, id));
    }
    if let Err(why) = compare(platform, small, seed) {
        println!("{why:#}");
    }
}

/// Whether the verifier refused it, which is no difference.
fn refused(why: &anyhow::Error) -> bool {
    format!("{why:#}").starts_with("refused")
}
