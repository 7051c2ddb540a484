//! `cargo xtask fuzz`: the fuzz targets of `fuzz`, for a bounded time each.
//!
//! libFuzzer needs of the compiler only that it counts edges and compares, which the project's own, stable one does by
//! `-Cpasses=sancov-module`: there is no nightly compiler and no `cargo-fuzz` to install. The address sanitizer, for which it
//! would take both, would find nothing that debug assertions do not: all that is fuzzed here is safe Rust.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::{setup, shell};

/// A program of `fuzz`.
struct Target {
    name: &'static str,
    /// The longest input, in bytes.
    max_bytes: u32,
}

const TARGETS: [Target; 5] = [
    Target { name: "module", max_bytes: 4096 },
    Target { name: "verify", max_bytes: 130 },
    Target { name: "text", max_bytes: 4096 },
    Target { name: "wire", max_bytes: 4096 },
    Target { name: "wasm", max_bytes: 4096 },
];

/// What the compiler adds to each function: counters of edges, and calls that tell what is compared.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// Named, so that what runs while it is compiled is compiled without that.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Where the texts are that `text` and `module` start from.
const TEXTS: [&str; 6] = ["samples", "samples/cascade", "samples/vms", "il/std", "il/tests/text", "benches/programs"];
/// How long each target runs, unless somebody says otherwise, in seconds.
const SECONDS: u32 = 60;
/// How long each does in a run of all tests.
const TEST_SECONDS: u32 = 15;
/// Where it begins then, so that a run of tests tries what the one before has tried.
const TEST_SEED: u32 = 1;
/// One input may take so long, in seconds, and the program so much memory, in MiB.
const LIMITS: [&str; 2] = ["-timeout=20", "-rss_limit_mb=3000"];
/// Lines of a failed run that are shown.
const MOST_LINES: usize = 40;

/// `cargo xtask fuzz [TARGET..] [--seconds N]`.
///
/// # Errors
/// If a target fails, and names the input; or if it cannot be built.
pub fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let (mut seconds, mut wanted) = (SECONDS, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--seconds" => {
                let number = rest.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                seconds = number.context("--seconds wants a number of at least 1")?;
            }
            name => wanted.push(find(name)?),
        }
    }
    if wanted.is_empty() {
        wanted.extend(&TARGETS);
    }
    fuzz(&wanted, seconds, None)
}

/// What a run of all tests does of it.
///
/// # Errors
/// As [`run`].
pub fn test() -> anyhow::Result<()> {
    fuzz(&TARGETS.iter().collect::<Vec<_>>(), TEST_SECONDS, Some(TEST_SEED))
}

fn find(name: &str) -> anyhow::Result<&'static Target> {
    TARGETS.iter().find(|target| target.name == name).with_context(|| {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        format!("there is no fuzz target `{name}`; there are: {}", known.join(", "))
    })
}

fn fuzz(targets: &[&Target], seconds: u32, seed: Option<u32>) -> anyhow::Result<()> {
    setup::fuzzing()?;
    let start = Instant::now();
    let names: Vec<&str> = targets.iter().flat_map(|target| ["--bin", target.name]).collect();
    let build = ["build", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target", TRIPLE];
    shell::run(shell::cargo(&[build.as_slice(), &names].concat()).env("RUSTFLAGS", RUSTFLAGS))?;
    println!("  built in {} s", start.elapsed().as_secs());
    let mut failed = Vec::new();
    for target in targets {
        if let Err(why) = target.run(seconds, seed) {
            println!("  {}: {why:#}", target.name);
            failed.push(target.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("inputs were found on which these fail: {}", failed.join(", ")) }
}

impl Target {
    fn run(&self, seconds: u32, seed: Option<u32>) -> anyhow::Result<()> {
        let folder = shell::root().join("fuzz");
        let [corpus, seeds, artifacts] = [("corpus", ""), ("target/seeds", ""), ("artifacts", "/")]
            .map(|(kind, end)| format!("{kind}/{}{end}", self.name));
        for made in [&corpus, &seeds, &artifacts] {
            std::fs::create_dir_all(folder.join(made))?;
        }
        self.seeds(&folder.join(&seeds))?;
        let log = folder.join("target").join(self.name).with_extension("log");
        let program = folder.join("target").join(TRIPLE).join("release").join(self.name);
        let program = program.to_str().context("the folder's path is not UTF-8")?;
        let mut command = shell::command(program, &LIMITS);
        command.current_dir(&folder).args([&corpus, &seeds]).arg(format!("-artifact_prefix={artifacts}"));
        command.arg(format!("-max_len={}", self.max_bytes)).arg(format!("-max_total_time={seconds}"));
        command.args(seed.map(|seed| format!("-seed={seed}")));
        command.args(["-print_final_stats=1"]).stdout(Stdio::null()).stderr(std::fs::File::create(&log)?);
        let status = command.status().context("it does not start")?;
        let said = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        if !status.success() {
            let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
            lines.iter().skip(lines.len().saturating_sub(MOST_LINES)).for_each(|line| println!("    {line}"));
            bail!("failed, the input is in fuzz/{artifacts}, and all that was said in {}", log.display());
        }
        let count = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        println!("  {}: {} inputs in {seconds} s", self.name, count.unwrap_or("?").trim());
        Ok(())
    }

    /// Writes what it starts from.
    fn seeds(&self, folder: &Path) -> anyhow::Result<()> {
        match self.name {
            "text" => texts(|name, text| Ok(std::fs::write(folder.join(name), text)?)),
            "module" => texts(|name, text| {
                let options = il::text::Options { known: isa::ALL, resolve: &|_| None, tests: true };
                // Those that import others are seeds of `text` alone.
                let Ok(module) = il::text::compile_with(name, text, &options) else { return Ok(()) };
                Ok(std::fs::write(folder.join(name), il::binary::encode(&module))?)
            }),
            "wasm" => {
                let to = folder.to_str().context("the folder's path is not UTF-8")?;
                shell::run(&mut shell::cargo(&[
                    "run",
                    "--quiet",
                    "--package",
                    "wasm-suite",
                    "--bin",
                    "seeds",
                    "--",
                    to,
                ]))
            }
            // Bytes are choices, or soon look like a frame.
            _ => Ok(()),
        }
    }
}

/// Calls `act` with name and contents of each text.
fn texts(act: impl Fn(&str, &str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for folder in TEXTS {
        let folder = shell::root().join(folder);
        let files = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut files: Vec<PathBuf> = files.map(|file| Ok(file?.path())).collect::<anyhow::Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|kind| kind == "il"));
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).context("a text's name is not UTF-8")?;
            act(name, &std::fs::read_to_string(&file)?)?;
        }
    }
    Ok(())
}
