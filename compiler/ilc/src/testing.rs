//! `ilc test`: runs the `test` blocks of a text, each in a system of its own, with devices that exist only there:
//! a screen that nobody sees, a blank disk in memory, a keyboard without keys, a clock that is always at once at the
//! next event, a console that is kept for the report.

use std::io::{Read, Seek};
use std::path::Path;
use std::thread;

use bootstrapper::bundle::Run;
use bootstrapper::plan::{self, Clock};
use bootstrapper::{Devices, Ended, boot};
use cascade::platform::{HostedOptions, HostedPlatform};
use il::{Export, Module, Test};
use vm_console::Size;
use vm_disk::MemoryDisk;
use vm_hosted::{Headless, ScriptKeys, StreamTerminal};

use crate::input::Failure;

/// Stack of the thread that runs a system: the compiler runs on it.
const CORE_STACK_BYTES: usize = 16 << 20;

/// How one test ended.
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Whether it returned.
    pub passed: bool,
    /// What went wrong: fault reports and load errors.
    pub faults: Vec<String>,
    /// What it wrote on the console.
    pub console: String,
}

/// What is common to the tests of one run.
pub struct Bench {
    platform: &'static HostedPlatform,
    timeout_ms: u64,
}

impl Bench {
    /// Prepares to run tests, each for at most so many milliseconds of real time.
    pub fn new(timeout_ms: u64) -> Bench {
        let options = HostedOptions { virtual_clock: true, script: Vec::new(), live_input: false };
        Bench { platform: HostedPlatform::leaked(options), timeout_ms }
    }

    /// Runs one test of a module.
    ///
    /// # Errors
    /// If this computer cannot run it at all.
    pub fn run(&self, module: &Module, test: &Test) -> Result<Outcome, Failure> {
        let failure = |error: std::io::Error| Failure::Plain(format!("the test `{}` cannot run: {error}", test.name));
        let mut plan = plan::default_plan("test", &[]);
        plan.clock = Clock::Virtual;
        plan.limits.timeout_ms = Some(self.timeout_ms);
        let modules = vec![il::binary::encode(&as_program(module, test))];
        let run = Run { plan, modules, key_events: 0 };
        let mut kept = tempfile::tempfile().map_err(failure)?;
        let (terminal, output) =
            StreamTerminal::new(std::io::empty(), kept.try_clone().map_err(failure)?, Size::default).map_err(failure)?;
        let size = run.plan.display;
        let devices = Devices {
            screen: Box::new(Headless::new(size.width, size.height).0),
            keys: Box::new(ScriptKeys::new().1),
            block: Box::new(MemoryDisk::default()),
            terminal: Box::new(terminal),
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

/// The tests of a module whose name holds one of these texts; all without any.
pub fn chosen<'m>(module: &'m Module, filters: &[String]) -> Vec<&'m Test> {
    let wanted = |test: &&Test| filters.is_empty() || filters.iter().any(|text| test.name.contains(text.as_str()));
    module.tests.iter().filter(wanted).collect()
}

