//! A system of programs around a probe.

use std::sync::{Arc, Mutex};

use basevm::engine::Program;
use basevm::service::VmId;
use basevm::system::{EndReason, Ended, Fate, Grants, System, SystemOptions, VmOptions};
use il::trap::TrapKind;

use super::{PROBE_IL, Probe, Seen, TestPlatform};

/// Text, to a program that can run. `PROBE_SET` stands for the declaration of the probe's set, `PROBE` for
/// that and a capability.
pub fn program(platform: &'static TestPlatform, source: &str) -> Arc<Program> {
    let source =
        source.replace("PROBE_SET", PROBE_IL).replace("PROBE", &format!("{PROBE_IL}\nuse probe: test.probe@1\n"));
    let module = il::text::compile("test.il", &source, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let module = il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"));
    let mut options = compiler::Options::detect();
    options.verify = true;
    let code = compiler::compile(&module, &options).unwrap_or_else(|error| panic!("{error}"));
    Program::load(platform, module, code).unwrap_or_else(|error| panic!("{error}"))
}

/// A system with a probe, whose main program is the first source; the others are plugged in.
pub struct Lab {
    pub platform: &'static TestPlatform,
    pub system: System,
    pub main: VmId,
    pub seen: Arc<Mutex<Seen>>,
}

impl Lab {
    pub fn new(sources: &[&str]) -> Lab {
        let main = VmOptions { is_main: true, ..VmOptions::named("", Grants::all()) };
        Lab::with(SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: true }, main, sources)
    }

    pub fn with(options: SystemOptions, main: VmOptions, sources: &[&str]) -> Lab {
        let platform = TestPlatform::new(options.virtual_clock);
        let mut system = System::new(platform, options);
        let (probe, seen) = Probe::new("probe");
        system.add_service(Box::new(probe), VmOptions::default()).unwrap();
        let (other, _) = Probe::new("other");
        system.add_service(Box::new(other), VmOptions::default()).unwrap();
        let main = system.add_program(program(platform, sources[0]), main).unwrap();
        for source in &sources[1..] {
            system.add_program(program(platform, source), VmOptions::named("", Grants::all())).unwrap();
        }
        Lab { platform, system, main, seen }
    }

    pub fn notes(&self) -> Vec<i32> {
        self.seen.lock().unwrap().notes.clone()
    }

    /// Runs to the end, which must be this one, and gives back every byte.
    #[track_caller]
    pub fn ends(&mut self, reason: EndReason) {
        let account = self.system.account(self.main).unwrap();
        let Ended { reason: found, code } = self.system.run();
        assert_eq!(found, reason, "{}", self.platform.text());
        assert_eq!(code, reason.code());
        if self.system.fate(self.main).is_some() {
            assert_eq!(account.used(), 0, "an ended VM gives everything back");
        }
    }

    /// The trap that ended the main program.
    #[track_caller]
    pub fn trap(&self) -> (TrapKind, Option<u16>) {
        match self.system.fate(self.main) {
            Some(Fate::Fault(report)) => (report.kind, report.status),
            other => panic!("{other:?}"),
        }
    }
}
