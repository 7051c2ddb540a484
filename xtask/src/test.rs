//! `cargo xtask test`: set-up, then everything that CI runs; the tests themselves come last.

use std::time::Instant;

use anyhow::{Context, bail};

use crate::{agree, checks, fuzz, image, setup, shell};

type Step = (&'static str, fn() -> anyhow::Result<()>);

/// All steps but the tests.
const STEPS: [Step; 10] = [
    ("what is needed is installed", setup::all),
    ("the Rust tools are there", setup::rust_components),
    ("formatting", format),
    ("lints", lints),
    ("rules of the house", checks::all),
    ("lints of the kernel", kernel_lints),
    ("kernel image", kernel_image),
    ("hostile input", hostile_input),
    ("fuzzing", fuzz::test),
    ("engines agree", agree::test),
];

/// Inputs to decoder, verifier and front end together.
const HOSTILE_INPUTS: &str = "1000000";

/// All tests as they are, then all that run IL once more, with a collection wherever one is possible.
const TESTS: [(&str, bool); 2] = [("tests", false), ("tests under the collector's stress", true)];

/// The test programs that run IL in the engine.
const RUN_IL: &[&str] = &[
    "engine",
    "objects",
    "programs",
    "channels",
    "observe",
    "fairness",
    "capabilities",
    "device_programs",
    "testing",
    "samples",
    "disk",
    "faults",
    "random",
    "agreement",
    "directory",
    "restart",
    "life",
];
/// Random modules on which the engines must agree under stress. Few: without it there are many, and one VM of each
/// module is under stress there too.
const STRESSED_MODULES: &str = "200";

/// Lines of failed tests that are shown once more.
const MOST_FAILURE_LINES: usize = 100;
/// Characters of such a line.
const LONGEST_LINE: usize = 400;

/// Runs every step, even after one failed, so that one run tells all.
///
/// # Errors
/// If any step failed; says which.
pub fn run() -> anyhow::Result<()> {
    let start = Instant::now();
    let total = STEPS.len() + TESTS.len();
    let mut failed = Vec::new();
    for (number, (name, step)) in STEPS.iter().enumerate() {
        println!("[{}/{total}] {name}", number + 1);
        if let Err(why) = step() {
            println!("  FAILED: {why:#}");
            failed.push(*name);
        }
    }
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for (number, (name, stress)) in (STEPS.len()..).zip(TESTS) {
        println!("[{}/{total}] {name}", number + 1);
        let mut seen = Seen::default();
        if let Err(why) = tests(stress, &mut seen) {
            // Once more, since they may stand far above.
            seen.failures.iter().for_each(|line| println!("{line}"));
            println!("  FAILED: {why:#}");
            failed.push(name);
        }
        results.append(&mut seen.results);
        failures.append(&mut seen.failures);
    }
    summary(&results, &failures, &failed, start)
}

fn summary(results: &[String], failures: &[String], failed: &[&str], start: Instant) -> anyhow::Result<()> {
    println!("\nSummary, after {} s:", start.elapsed().as_secs());
    for name in STEPS.iter().map(|(name, _)| *name).chain(TESTS.map(|(name, _)| name)) {
        println!("  {:<6} {name}", if failed.contains(&name) { "FAILED" } else { "ok" });
    }
    let with_tests = results.iter().filter(|line| !line.contains(" 0 passed; 0 failed"));
    with_tests.for_each(|line| println!("{line}"));
    failures.iter().for_each(|line| println!("{line}"));
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn format() -> anyhow::Result<()> {
    shell::run(&mut shell::cargo(&["fmt", "--all", "--check"])).context("to put it right: cargo fmt --all")
}

fn lints() -> anyhow::Result<()> {
    shell::run(&mut shell::cargo(&["clippy", "--all-targets", "--", "-D", "warnings"]))
}

fn kernel_lints() -> anyhow::Result<()> {
    shell::run(image::metal_cargo("clippy").args(["--", "-D", "warnings"]))
}

fn kernel_image() -> anyhow::Result<()> {
    image::build_and_check().map(|_| ())
}

/// A million changed modules and texts, with overflow checks on and compiled to be fast.
fn hostile_input() -> anyhow::Result<()> {
    let mut command =
        shell::cargo(&["test", "--profile", "hostile", "--package", "il", "--test", "robust", "--", "--nocapture"]);
    shell::run(command.env("CASCADE_HOSTILE", HOSTILE_INPUTS))
}

/// The unit, golden and whole-system tests. The latter start the built programs and boot the image (which is not put
/// under stress).
fn tests(stress: bool, seen: &mut Seen) -> anyhow::Result<()> {
    shell::run(&mut shell::cargo(&["build", "--release", "--package", "cascade", "--package", "ilc"]))?;
    let image = image::build()?;
    let mut command = shell::cargo(&["test", "--no-fail-fast"]);
    if stress {
        command.args(RUN_IL.iter().flat_map(|name| ["--test", name]));
        command.env("CASCADE_GC_STRESS", "1").env("AGREEMENT_MODULES", STRESSED_MODULES);
    }
    shell::follow(command.env("CASCADE_IMAGE", image), |line| seen.line(line))
}

/// What the summary takes from the tests' output.
#[derive(Default)]
struct Seen {
    /// The closing line of each test program.
    results: Vec<String>,
    /// What failed tests printed.
    failures: Vec<String>,
    /// Whether the lines under way are such.
    failing: bool,
}

impl Seen {
    fn line(&mut self, line: &str) {
        if line.starts_with("test result:") {
            self.results.push(line.to_string());
            self.failing = false;
        }
        self.failing |= line == "failures:";
        if self.failing && !line.is_empty() && self.failures.len() < MOST_FAILURE_LINES {
            self.failures.push(line.chars().take(LONGEST_LINE).collect());
        }
    }
}
