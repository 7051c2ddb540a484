//! Instances: one running VM each, whatever runs it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use il::packet::Head;
use il::trap::{Status, TrapKind};
use il::{FuncId, Type};

use super::interpreted::Interpreted;
use super::native::Native;
use super::slots::Allowed;
use super::{Engine, LoadError, Packet, PlainWords, PlatformRef, Program, Quick, Step, TrapReport};
use crate::attachment::{Attachment, Capability};
use crate::buf::Account;
use crate::heap::{Config, Statistics};
use crate::platform::Nanos;
use crate::service::{Grid, Reply};

/// What runs a VM.
#[derive(Debug)]
enum Body {
    Native(Box<Native>),
    Interpreted(Box<Interpreted>),
}

/// One VM.
#[derive(Debug)]
pub struct Instance {
    program: Arc<Program>,
    account: Arc<Account>,
    body: Body,
}

/// The same for both bodies.
macro_rules! on_body {
    ($self:ident, $vm:ident => $act:expr) => {
        match &$self.body {
            Body::Native($vm) => $act,
            Body::Interpreted($vm) => $act,
        }
    };
    (mut $self:ident, $vm:ident => $act:expr) => {
        match &mut $self.body {
            Body::Native($vm) => $act,
            Body::Interpreted($vm) => $act,
        }
    };
}

impl Instance {
    /// A VM that has not run yet. All of its slots are closed.
    ///
    /// # Errors
    /// If the platform or the account has not enough memory, also for the initial values of the globals.
    pub fn new(
        platform: PlatformRef,
        program: Arc<Program>,
        account: Arc<Account>,
        stack_bytes: usize,
    ) -> Result<Instance, LoadError> {
        Instance::with_heap(platform, program, account, stack_bytes, Config::with_clock(platform))
    }

    /// The same, with a heap that behaves as told (an interpreted VM has one of its own).
    ///
    /// # Errors
    /// As [`Instance::new`].
    pub fn with_heap(
        platform: PlatformRef,
        program: Arc<Program>,
        account: Arc<Account>,
        stack_bytes: usize,
        heap: Config,
    ) -> Result<Instance, LoadError> {
        let own = program.clone();
        let body = match program.engine() {
            Engine::Jit => Body::Native(Box::new(Native::new(platform, own, &account, stack_bytes, heap)?)),
            Engine::Interpreter => {
                Body::Interpreted(Box::new(Interpreted::new(platform, own, account.clone(), stack_bytes)?))
            }
        };
        Ok(Instance { program, account, body })
    }

    /// What it runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Who pays for it.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// How many activations are under way: 0, 1, or 2 (a handler above `main` in a wait).
    pub fn activations(&self) -> usize {
        on_body!(self, vm => vm.activations())
    }

    /// Why it is dead, if it is.
    pub fn trap(&self) -> Option<&TrapReport> {
        on_body!(self, vm => vm.trap())
    }

    /// Forgets its trap, if it has trapped: functions can be entered again, on memories, globals and objects as they were
    /// then. For tests of single functions; what a VM's packets and `buf`s were meant for is lost.
    pub fn revive(&mut self) {
        on_body!(mut self, vm => vm.revive())
    }

    /// What its linear memories hold, in the module's order: to be compared after a run.
    pub fn memories(&self) -> Vec<&[u8]> {
        on_body!(self, vm => vm.memories())
    }

    /// What collections of its heap have cost so far.
    pub fn heap_statistics(&self) -> Statistics {
        on_body!(self, vm => vm.heap_statistics())
    }

    /// How long each collection took since this was last asked, in order; see [`Config::keep_pauses`].
    pub fn take_pauses(&mut self) -> Vec<Nanos> {
        on_body!(mut self, vm => vm.take_pauses())
    }

    /// Collects its heap (or the nursery only) now, wherever it is stopped.
    ///
    /// # Errors
    /// `Quota` if it holds more than its quota allows.
    pub fn collect(&mut self, full: bool) -> Result<(), Status> {
        on_body!(mut self, vm => vm.collect(full))
    }

    /// Lends a grid to the device program while `act` runs it; to none of its steps after that. An interpreted one has
    /// no use for it: its instructions all surface.
    pub fn on_grid(&mut self, grid: Option<Grid<'_>>, act: impl FnOnce(&mut Instance) -> Step) -> Step {
        let Some(mut grid) = grid else { return act(self) };
        if let Body::Native(native) = &mut self.body {
            native.lend(Some(&mut grid));
        }
        let step = act(self);
        if let Body::Native(native) = &mut self.body {
            native.lend(None);
        }
        step
    }

    /// Says who sent the request that the next activation executes.
    pub fn set_caller(&mut self, caller: u32) {
        on_body!(mut self, vm => vm.set_caller(caller))
    }

    /// While stopped in `Call`: if the call is all that the VM has to send, and its operands and results are numbers, its
    /// head and how many operands it has, which are put into `words`. The packet stays.
    pub fn plain_packet(&mut self, slot: usize, words: &mut PlainWords) -> Option<(Head, usize)> {
        match &mut self.body {
            Body::Native(vm) => vm.plain_packet(slot, words),
            Body::Interpreted(_) => None,
        }
    }

    /// Empties a slot's open packet, which has no attachments.
    pub fn clear_packet(&mut self, slot: usize) {
        match &mut self.body {
            Body::Native(vm) => vm.clear_packet(slot),
            Body::Interpreted(vm) => drop(vm.take_packet(slot)),
        }
    }

    /// Starts an activation of an `op` whose parameters and results are numbers; results are put into `words`. `None`,
    /// and nothing done, if it is another kind of function.
    ///
    /// # Panics
    /// As [`Instance::enter`].
    pub fn enter_plain(&mut self, func: FuncId, words: &mut PlainWords, count: usize) -> Option<Quick> {
        match &mut self.body {
            Body::Native(vm) => vm.enter_plain(func, words, count),
            Body::Interpreted(_) => None,
        }
    }

    /// Continues after a `Call` that was a plain one, with its results.
    ///
    /// # Panics
    /// If the VM is not stopped in one.
    pub fn resume_plain(&mut self, results: &[u64]) -> Quick {
        match &mut self.body {
            Body::Native(vm) => vm.resume_plain(results),
            Body::Interpreted(_) => panic!("resume_plain: the interpreter has no plain calls"),
        }
    }

    /// The step of [`Quick::Other`], once.
    pub fn take_step(&mut self) -> Option<Step> {
        match &mut self.body {
            Body::Native(vm) => vm.take_step(),
            Body::Interpreted(_) => None,
        }
    }

    /// Starts an activation of `main`, a handler or an `op`; its parameters are decoded from `words`
    /// in packet form, taking the attachments that they name. One that waits stays below it.
    ///
    /// # Errors
    /// `BadOperand` if the words do not fit the signature, `Quota` if a `str` cannot be paid for,
    /// `NoSuchInstruction` if the function is not an entry, `NotSupported` if it takes or gives what packets do not
    /// carry: the activation was not started, and the VM is as it was.
    ///
    /// # Panics
    /// If an activation is under way that does not wait, or two are.
    pub fn enter(
        &mut self,
        func: FuncId,
        words: &[u64],
        attachments: &mut [Option<Attachment>],
    ) -> Result<Step, Status> {
        on_body!(mut self, vm => vm.enter(func, words, attachments))
    }

    /// Continues the innermost activation after `Yield`, `Room`, `Flush`, `Wait`, `Fail`, `Forward`, `Revoke` and `RunSend`;
    /// `value` is the sticky status after `Flush`, else 0.
    ///
    /// # Panics
    /// If no activation is stopped in such a step.
    pub fn resume(&mut self, value: u64) -> Step {
        on_body!(mut self, vm => vm.resume(value))
    }

    /// Continues after `Call`, `Run` and `Own`. A reply that does not fit the results counts as
    /// `DeviceError`, one that cannot be paid for as `Quota`.
    ///
    /// # Panics
    /// If no activation is stopped in such a step.
    pub fn resume_call(&mut self, result: Result<Reply, Status>) -> Step {
        on_body!(mut self, vm => vm.resume_call(result))
    }

    /// While stopped in `Call`, `Run` or `Own`: the types of what is awaited.
    pub fn awaited(&self) -> Vec<Type> {
        on_body!(self, vm => vm.awaited())
    }

    /// Continues after `Attenuate`: the capability is in this slot.
    ///
    /// # Panics
    /// If no activation is stopped in such a step.
    pub fn resume_capability(&mut self, slot: usize) -> Step {
        on_body!(mut self, vm => vm.resume_capability(slot))
    }

    /// Opens a slot for a capability that the VM was given, or made. `None` if it has too many.
    pub fn add_slot(&mut self, channel: u32, generation: u32, allowed: Allowed) -> Option<usize> {
        on_body!(mut self, vm => vm.add_slot(channel, generation, allowed))
    }

    /// Says what the capability in a slot is, so that the VM can give it on.
    pub fn set_capability(&mut self, slot: usize, capability: Capability) {
        on_body!(mut self, vm => vm.set_capability(slot, capability))
    }

    /// Closes a slot that the VM was given, or made, and that no value names: it may be used again.
    pub fn release_slot(&mut self, slot: usize) {
        on_body!(mut self, vm => vm.release_slot(slot))
    }

    /// How many slots there are that the VM was given, or made.
    pub fn given_slots(&self) -> usize {
        on_body!(self, vm => vm.given_slots())
    }

    /// Those of them that no value of the VM named in its last full collection, and whose packet is empty.
    pub fn unused_slots(&self) -> Vec<usize> {
        on_body!(self, vm => vm.unused_slots())
    }

    /// Ends the VM, which is stopped in `Attenuate` or `Revoke`: that failed with this status.
    ///
    /// # Panics
    /// If no activation is stopped in such a step.
    pub fn refuse(&mut self, status: Status) -> Step {
        on_body!(mut self, vm => vm.refuse(status))
    }

    /// Ends the VM while it is stopped: a deadline, a quota, a decision of the supervisor. The report
    /// names where it stopped.
    pub fn abort(&mut self, kind: TrapKind, message: String) -> TrapReport {
        on_body!(mut self, vm => vm.abort(kind, message))
    }

    /// Opens a slot to a channel: from now on its packets can be submitted.
    pub fn open_slot(&mut self, slot: usize, channel: u32, generation: u32) {
        on_body!(mut self, vm => vm.open_slot(slot, channel, generation))
    }

    /// Closes a slot: the next instruction sent through it surfaces as `Room`. The open packet is dropped.
    pub fn close_slot(&mut self, slot: usize) {
        on_body!(mut self, vm => vm.close_slot(slot))
    }

    /// The channel and generation of an open slot.
    pub fn slot(&self, slot: usize) -> Option<(u32, u32)> {
        on_body!(self, vm => vm.slot(slot))
    }

    /// The slot of the VM's own events; those before it are the `use`s'.
    pub fn events_slot(&self) -> usize {
        self.program.module().uses.len()
    }

    /// How many slots there are: one a `use`, one for the VM's own events, and those that it was given or made.
    pub fn slots(&self) -> usize {
        on_body!(self, vm => vm.slots())
    }

    /// The first slot from this one on whose open packet is not empty.
    pub fn next_packet(&self, from: usize) -> Option<usize> {
        on_body!(self, vm => vm.next_packet(from))
    }

    /// Moves a slot's open packet out; the slot stays as it is, with an empty one.
    pub fn take_packet(&mut self, slot: usize) -> Packet {
        on_body!(mut self, vm => vm.take_packet(slot))
    }

    /// Gives a packet's memory back for use in the slot's next one. Optional, and faster.
    pub fn recycle(&mut self, slot: usize, packet: Packet) {
        on_body!(mut self, vm => vm.recycle(slot, packet))
    }

    /// While stopped in `Call` or `Forward`, before its packet is taken: gives the last instruction its tag.
    pub fn set_tag(&mut self, tag: u32) {
        on_body!(mut self, vm => vm.set_tag(tag))
    }
}
