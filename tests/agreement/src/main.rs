//! `agree`: compares the engines on any number of random modules.

use std::process::ExitCode;

use agreement::compare::{Ended, compare};
use agreement::platform::{HostedOptions, HostedPlatform};
use clap::Parser;
use generate::Config;

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
}

fn main() -> ExitCode {
    let options = Options::parse();
    let platform = HostedPlatform::leaked(HostedOptions::default());
    let (mut whole, mut trapped, mut limited, mut differ) = (0, 0, 0, 0);
    for seed in options.seed..options.seed + options.count {
        let module = generate::module(seed, &Config::default());
        match compare(platform, module, seed) {
            Ok(Ended::Whole) => whole += 1,
            Ok(Ended::Trapped) => trapped += 1,
            Ok(Ended::Limited) => limited += 1,
            Err(why) => {
                differ += 1;
                let text = format!("{why:#}");
                let text = if options.all { text.lines().take(3).collect::<Vec<_>>().join(" ") } else { text };
                println!("seed {seed}: {text}");
                if !options.all {
                    break;
                }
            }
        }
    }
    println!("{whole} ran to their end, {trapped} trapped, {limited} met a limit, {differ} differ");
    if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
