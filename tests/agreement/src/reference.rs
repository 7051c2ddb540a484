//! The interpreter as an engine.

use il::FuncId;
use il::trap::Status;
use il::verify::VerifiedModule;
use interp::{Limits, Machine, Outcome, Packet, Report};

use crate::host::Engine;

/// The interpreter, asserting the verifier's claims.
pub struct Reference<'m> {
    machine: Machine<'m>,
}

impl<'m> Reference<'m> {
    /// With all slots open.
    ///
    /// # Errors
    /// What ended it before it began.
    pub fn new(module: &'m VerifiedModule, limits: Limits) -> Result<Reference<'m>, Box<Report>> {
        let mut machine = Machine::new(module, limits)?;
        (0..machine.slots()).for_each(|slot| machine.open_slot(slot));
        Ok(Reference { machine })
    }

    /// Instructions left.
    pub fn fuel(&self) -> u64 {
        self.machine.fuel()
    }
}

impl Engine for Reference<'_> {
    fn enter(&mut self, func: FuncId, args: Packet) -> Result<Outcome, Status> {
        self.machine.enter(func, args)
    }

    fn resume(&mut self, status: u16) -> Outcome {
        self.machine.resume(status).expect("it stopped in what resumes")
    }

    fn resume_call(&mut self, reply: Result<Packet, Status>) -> Outcome {
        self.machine.resume_call(reply).expect("it stopped in a call")
    }

    fn refuse(&mut self, status: Status) -> Outcome {
        self.machine.refuse(status).expect("it stopped in what can be refused")
    }

    fn take_packet(&mut self, slot: usize) -> Packet {
        self.machine.take_packet(slot)
    }

    fn set_tag(&mut self, tag: u32) {
        self.machine.set_tag(tag);
    }

    fn set_caller(&mut self, caller: i32) {
        self.machine.set_caller(caller);
    }

    fn revive(&mut self) {
        self.machine.revive();
    }
}
