//! `ilc test`: runs the `test` blocks of a text, each in a system of its own, with devices that exist only there:
//! a screen that nobody sees, a blank disk in memory, a keyboard without keys, a clock that is always at once at the
//! next event, randomness from a seed, no folders, a console that is kept for the report.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::thread;

use bootstrapper::bundle::Run;
use bootstrapper::plan::{self, Clock};
use bootstrapper::{Devices, Ended, boot};
use cascade::platform::{HostedOptions, HostedPlatform};
use il::{Export, Module, Test};
use serde_json::json;
use vm_console::Size;
use vm_disk::MemoryDisk;
use vm_hosted::{Headless, OsEntropy, ScriptKeys, StreamTerminal};

use crate::fmt::texts;
use crate::input::{Failure, load};
use crate::output::print;

/// Stack of the thread that runs a system: the compiler runs on it.
const CORE_STACK_BYTES: usize = 16 << 20;

/// Runs the tests of texts and says how each went; as JSON, one object a line, if asked to.
///
/// # Errors
/// A text that does not compile, or tests that failed.
pub fn run(inputs: &[PathBuf], filters: &[String], timeout_ms: u64, as_json: bool) -> Result<(), Failure> {
    let mut report = Report { as_json, ..Report::default() };
    let bench = Bench::new(timeout_ms);
    let mut failures = Vec::new();
    for input in texts(inputs)? {
        match module_for_tests(&input) {
            Ok(module) => {
                let (chosen, left_out) = chosen(&module, filters);
                report.left_out += left_out;
                for test in chosen {
                    report.add(&input, &bench.run(&module, test)?)?;
                }
            }
            Err(failure) => failures.push(failure),
        }
    }
    report.close()?;
    if report.failed > 0 {
        failures.push(Failure::Plain(format!("{} of {} tests failed", report.failed, report.failed + report.passed)));
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::Several(failures)) }
}

fn module_for_tests(input: &Path) -> Result<Module, Failure> {
    let (module, _) = load(input, true, &[])?;
    let verified = il::verify(module).map_err(|error| Failure::message(input, &error.to_string()))?;
    Ok(verified.into_inner())
}

/// What is said of the tests, while they run and at the end.
#[derive(Default)]
struct Report {
    as_json: bool,
    passed: usize,
    failed: usize,
    left_out: usize,
}

impl Report {
    fn add(&mut self, input: &Path, outcome: &Outcome) -> Result<(), Failure> {
        *(if outcome.passed { &mut self.passed } else { &mut self.failed }) += 1;
        let Outcome { name, passed, faults, console } = outcome;
        if self.as_json {
            let file = input.display().to_string();
            let object = json!({
                "file": file, "test": name, "passed": passed, "faults": faults, "console": console,
            });
            return print(&format!("{object}\n"));
        }
        let mut text = format!("test {}: {name} ... {}\n", input.display(), if *passed { "ok" } else { "FAILED" });
        if !passed {
            let indented = |prefix: &str, line: &str| format!("  {prefix}{line}\n");
            text.extend(faults.iter().flat_map(|fault| fault.lines()).map(|line| indented("", line)));
            text.extend(console.lines().map(|line| indented("console: ", line)));
        }
        print(&text)
    }

    fn close(&self) -> Result<(), Failure> {
        let Report { passed, failed, left_out, .. } = self;
        if self.as_json {
            return print(&format!("{}\n", json!({ "passed": passed, "failed": failed, "filtered_out": left_out })));
        }
        let left_out = if *left_out > 0 { format!("{left_out} filtered out\n") } else { String::new() };
        print(&format!("{left_out}\n{passed} passed, {failed} failed\n"))
    }
}

/// How one test ended.
struct Outcome {
    name: String,
    /// Whether it returned.
    passed: bool,
    /// What went wrong: fault reports and load errors.
    faults: Vec<String>,
    /// What it wrote on the console.
    console: String,
}

/// What is common to the tests of one run.
struct Bench {
    platform: &'static HostedPlatform,
    timeout_ms: u64,
}

impl Bench {
    /// Prepares to run tests, each for at most so many milliseconds of real time.
    fn new(timeout_ms: u64) -> Bench {
        let options = HostedOptions { virtual_clock: true, quiet: true, ..HostedOptions::default() };
        Bench { platform: HostedPlatform::leaked(options), timeout_ms }
    }

    /// Runs one test of a module.
    ///
    /// # Errors
    /// If this computer cannot run it at all.
    fn run(&self, module: &Module, test: &Test) -> Result<Outcome, Failure> {
        let failure = |error: std::io::Error| Failure::Plain(format!("the test `{}` cannot run: {error}", test.name));
        let mut plan = plan::default_plan("test", &[]);
        plan.clock = Clock::Virtual;
        plan.seed = Some(0);
        plan.limits.timeout_ms = Some(self.timeout_ms);
        let modules = vec![il::binary::encode(&as_program(module, test))];
        let run = Run { plan, modules, key_events: 0 };
        let mut kept = tempfile::tempfile().map_err(failure)?;
        let (terminal, output) =
            StreamTerminal::new(std::io::empty(), kept.try_clone().map_err(failure)?, Size::default)
                .map_err(failure)?;
        let size = run.plan.display;
        let devices = Devices {
            screen: Box::new(Headless::new(size.width, size.height).0),
            keys: Box::new(ScriptKeys::new().1),
            block: Box::new(MemoryDisk::default()),
            terminal: Box::new(terminal),
            entropy: Box::new(OsEntropy),
            files: None,
        };
        let ended = self.boot(run, devices).map_err(failure)?;
        output.drain();
        let mut console = Vec::new();
        kept.rewind().and_then(|()| kept.read_to_end(&mut console)).map_err(failure)?;
        let console = String::from_utf8_lossy(&console).into_owned();
        let passed = ended.end.code == 0;
        Ok(Outcome { name: test.name.clone(), passed, faults: ended.faults, console })
    }

    fn boot(&self, run: Run, devices: Devices) -> std::io::Result<Ended> {
        let platform = self.platform;
        let core = thread::Builder::new().name("core".into()).stack_size(CORE_STACK_BYTES);
        let core = core.spawn(move || boot(platform, devices, &run, false, &mut |_| {}))?;
        core.join().map_err(|_| std::io::Error::other("the base VM failed: this is a bug in Cascade"))
    }
}

/// The module as a program whose `main` is the test.
fn as_program(module: &Module, test: &Test) -> Module {
    let main = Export { name: "main".into(), func: test.func };
    Module { exports: vec![main], tests: Vec::new(), ..module.clone() }
}

/// The tests whose names hold one of these texts, all without any; and how many do not.
fn chosen<'m>(module: &'m Module, filters: &[String]) -> (Vec<&'m Test>, usize) {
    let wanted = |test: &&Test| filters.is_empty() || filters.iter().any(|text| test.name.contains(text.as_str()));
    let chosen: Vec<&Test> = module.tests.iter().filter(wanted).collect();
    let left_out = module.tests.len() - chosen.len();
    (chosen, left_out)
}
