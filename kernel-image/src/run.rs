//! The runs of the bundle, one after the other, each in a fresh system; what comes of them goes to the host.

use alloc::boxed::Box;
use core::fmt;
use core::ops::Range;

use basevm::recorder::Recorder;
use basevm::system::System;
use bootstrapper::bundle::{Bundle, Run};
use bootstrapper::control::{FromGuest, ToGuest};
use bootstrapper::{Devices, boot};
use vm_disk::{BlockDevice, MemoryDisk};

use crate::devices::disk::VirtioDisk;
use crate::devices::entropy;
use crate::devices::keyboard::Keys;
use crate::devices::screen;
use crate::devices::terminal::SerialTerminal;
use crate::platform::MACHINE;
use crate::{control, pvh, time};

/// The exit code of a machine that was given nothing that it could run.
const LOAD_ERROR: u8 = 2;

/// Runs the bundle that the loader put at `module`; returns the exit code: of the first run that did not
/// end well, else 0.
pub fn all(module: Option<Range<u64>>) -> u8 {
    let Some(module) = module else {
        // Nobody listens on COM2 then: power off at once.
        say(&FromGuest::Fault("there is nothing to run: give a bundle with -initrd (`cascade boot` does)".into()));
        return LOAD_ERROR;
    };
    let code = match Bundle::decode(pvh::module_bytes(module)) {
        Ok(bundle) => run_all(&bundle),
        Err(why) => {
            control::fault(format_args!("{why}"));
            LOAD_ERROR
        }
    };
    say(&FromGuest::Over(code));
    while control::receive(ToGuest::parse) != Some(ToGuest::Bye) {}
    code
}

fn run_all(bundle: &Bundle) -> u8 {
    let mut code = 0;
    for (index, run) in (0..).zip(&bundle.runs) {
        let ended = run_one(index, run, bundle);
        if code == 0 {
            code = ended;
        }
    }
    code
}

fn run_one(index: u32, run: &Run, bundle: &Bundle) -> u8 {
    MACHINE.begin(run.key_events);
    say(&FromGuest::Begin(index));
    let mut began = |system: &mut System| {
        if let Some(observe) = &bundle.observe {
            let options = observe.options(&run.plan, time::wall());
            system.observe(Box::new(Recorder::new(control::Frames, options)));
        }
    };
    let ended = boot(&MACHINE, devices(), run, bundle.verbose, &mut began);
    for fault in &ended.faults {
        control::fault(format_args!("{fault}"));
    }
    let size = run.plan.display;
    if ended.end.frames > 0 {
        say(&FromGuest::Frame { number: ended.end.frames, width: size.width, height: size.height });
    }
    say(&FromGuest::End(index, ended.end));
    ended.end.code
}

fn say(message: &dyn fmt::Display) {
    control::send(format_args!("{message}"));
}

/// The machine's devices; without a disk, one in memory.
fn devices() -> Devices {
    let block: Box<dyn BlockDevice> = match VirtioDisk::find() {
        Some(disk) => Box::new(disk),
        None => Box::new(MemoryDisk::default()),
    };
    Devices {
        screen: screen::find(),
        keys: Box::new(Keys),
        block,
        terminal: Box::new(SerialTerminal),
        entropy: entropy::find(),
        files: None,
    }
}
