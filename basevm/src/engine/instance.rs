//! Instances: one running VM each.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use compiler::abi::Exit;
use il::isa::Instruction;
use il::packet::{Head, MAX_WORDS};
use il::trap::{Status, TrapKind};
use il::{FuncId, Module};

use super::guest::{Go, Guest, Stopped};
use super::trace::{self, Place};
use super::{LoadError, Packet, PlatformRef, Program, Step, TrapReport, exits, values};
use crate::buf::{Account, Buf};
use crate::service::Reply;

/// Most activations on one stack: `main` in a wait, and a handler or `op` above it.
const MAX_ACTIVATIONS: usize = 2;

/// The exit in which an activation is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pending {
    Yield,
    Room { slot: usize, words: usize, attachments: usize },
    Call { slot: usize, head: u64, opcode: u8 },
    Flush,
    Wait,
    WaitForever,
    Fail,
}

/// One call from outside.
#[derive(Clone, Copy, Debug)]
struct Activation {
    func: FuncId,
    /// `None` only while it runs.
    pending: Option<Pending>,
    /// Its stack pointer while another is above it.
    sp: u64,
}

/// A trap on its way to a report.
struct Trap {
    kind: TrapKind,
    message: String,
    status: Option<u16>,
}

impl From<TrapKind> for Trap {
    fn from(kind: TrapKind) -> Self {
        Trap { kind, message: String::new(), status: None }
    }
}

/// What to do after an exit.
enum Next {
    Resume(u64),
    Stop(Step),
}

/// One VM: its stack, memory, globals, slots, and what it holds.
#[derive(Debug)]
pub struct Instance {
    program: Arc<Program>,
    account: Arc<Account>,
    guest: Guest,
    activations: Vec<Activation>,
    dead: Option<Box<TrapReport>>,
}

impl Instance {
    /// A VM that has not run yet. All of its slots are closed.
    ///
    /// # Errors
    /// If the platform or the account has not enough memory.
    pub fn new(
        platform: PlatformRef,
        program: Arc<Program>,
        account: Arc<Account>,
        stack_bytes: usize,
    ) -> Result<Instance, LoadError> {
        let guest = Guest::new(platform, &program, &account, stack_bytes)?;
        Ok(Instance { program, account, guest, activations: Vec::with_capacity(MAX_ACTIVATIONS), dead: None })
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
        self.activations.len()
    }

    /// Why it is dead, if it is.
    pub fn trap(&self) -> Option<&TrapReport> {
        self.dead.as_deref()
    }

    /// Starts an activation of `main`, a handler or an `op`; its parameters are decoded from `words`
    /// in packet form, taking the attachments that they name. One that waits stays below it.
    ///
    /// # Errors
    /// `BadOperand` if the words do not fit the signature, `Quota` if a `str` cannot be paid for,
    /// `NoSuchInstruction` if the function is not an entry: the activation was not started, and the VM
    /// is as it was.
    ///
    /// # Panics
    /// If an activation is under way that does not wait, or two are.
    pub fn enter(&mut self, func: FuncId, words: &[u64], attachments: &mut [Option<Buf>]) -> Result<Step, Status> {
        if let Some(report) = &self.dead {
            return Ok(Step::Trap(report.clone()));
        }
        let waiting = |outer: &Activation| matches!(outer.pending, Some(Pending::Wait | Pending::WaitForever));
        assert!(
            self.activations.len() < MAX_ACTIVATIONS && self.activations.iter().all(waiting),
            "the VM is in the middle of something else: {:?}",
            self.activations
        );
        let entry = self.program.entry(func).ok_or(Status::NoSuchInstruction)?;
        let signature = &self.program.module().funcs.get(func.index()).ok_or(Status::NoSuchInstruction)?.sig;
        values::store(&mut self.guest, 0, signature.params.iter().copied(), words, attachments)?;
        let mut sp = self.guest.stack_range().end;
        if let Some(outer) = self.activations.last_mut() {
            outer.sp = self.guest.sp();
            sp = outer.sp & !15;
        }
        self.activations.push(Activation { func, pending: None, sp: 0 });
        Ok(self.run(Go::Enter { entry, sp }))
    }

    /// Continues the innermost activation after any step but `Call`, `Done`, `WaitForever` and `Trap`;
    /// `value` is the sticky status after `Flush`, else 0.
    ///
    /// # Panics
    /// If no activation is stopped in such a step.
    pub fn resume(&mut self, value: u64) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let pending = self.activations.last_mut().and_then(|activation| activation.pending.take());
        match pending {
            Some(Pending::Room { slot, words, attachments }) => {
                if !self.guest.slots.make_room(slot, words, attachments) {
                    self.stop_in(Pending::Room { slot, words, attachments });
                    return Step::Room { slot, words, attachments };
                }
                self.run(Go::Resume(0))
            }
            Some(Pending::Yield | Pending::Wait | Pending::Fail) => self.run(Go::Resume(0)),
            Some(Pending::Flush) => self.run(Go::Resume(value)),
            Some(Pending::Call { .. } | Pending::WaitForever) | None => {
                panic!("resume: the VM is not stopped in a step that resumes: {pending:?}")
            }
        }
    }

    /// Continues after `Call`. A reply that does not fit the instruction's results counts as
    /// `DeviceError`, one that cannot be paid for as `Quota`.
    ///
    /// # Panics
    /// If the innermost activation is not stopped in `Call`.
    pub fn resume_call(&mut self, result: Result<Reply, Status>) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let pending = self.activations.last_mut().and_then(|activation| activation.pending.take());
        let Some(Pending::Call { slot, opcode, .. }) = pending else {
            panic!("resume_call: the VM is not stopped in a call: {pending:?}")
        };
        let results = instruction(self.program.module(), slot, opcode).and_then(|i| i.results.as_deref());
        let types = results.unwrap_or_default().iter().map(|field| field.ty);
        let stored = result.and_then(|reply| {
            let mut attachments: Vec<_> = reply.attachments.into_iter().map(Some).collect();
            let stored = values::store(&mut self.guest, 1, types.clone(), &reply.words, &mut attachments);
            stored.map_err(|status| if status == Status::BadOperand { Status::DeviceError } else { status })
        });
        let status = stored.map_or_else(|status| status as u64, |()| 0);
        if status != 0 {
            values::store_defaults(&mut self.guest, 1, types, self.program.empty_str());
        }
        self.guest.set_value(0, status);
        self.run(Go::Resume(status))
    }

    /// Ends the VM while it is stopped: a deadline, a quota, a decision of the supervisor. The report
    /// names where it stopped.
    pub fn abort(&mut self, kind: TrapKind, message: String) -> TrapReport {
        let place = self.exit_place();
        self.die(place, Trap { kind, message, status: None })
    }

    /// Opens a slot to a channel: from now on its packets can be submitted.
    pub fn open_slot(&mut self, slot: usize, channel: u32, generation: u32) {
        self.guest.slots.open(slot, channel, generation);
    }

    /// Closes a slot: the next instruction sent through it surfaces as `Room`. The open packet is dropped.
    pub fn close_slot(&mut self, slot: usize) {
        for address in self.guest.slots.close(slot) {
            self.guest.free_buf(address);
        }
    }

    /// The channel and generation of an open slot.
    pub fn slot(&self, slot: usize) -> Option<(u32, u32)> {
        self.guest.slots.target(slot)
    }

    /// How many slots there are: one a `use`, and one for the VM's own events.
    pub fn slots(&self) -> usize {
        self.guest.slots.len()
    }

    /// Whether a slot's open packet is empty.
    pub fn is_packet_empty(&self, slot: usize) -> bool {
        self.guest.slots.used(slot) == 0
    }

    /// Moves a slot's open packet out; the slot stays as it is, with an empty one.
    pub fn take_packet(&mut self, slot: usize) -> Packet {
        let (words, addresses) = self.guest.slots.take(slot);
        let attachments = addresses.into_iter().filter_map(|address| self.guest.release(address)).collect();
        Packet { words, attachments }
    }

    /// Gives a packet's memory back for use in the slot's next one. Optional, and faster.
    pub fn recycle(&mut self, slot: usize, packet: Packet) {
        self.guest.slots.recycle(slot, packet.words);
    }

    /// While stopped in `Call`, before its packet is taken: gives the last instruction its tag.
    pub fn set_tag(&mut self, tag: u32) {
        let pending = self.activations.last().and_then(|activation| activation.pending);
        if let Some(Pending::Call { slot, head, .. }) = pending
            && let Some(old) = self.guest.slots.head(slot, head)
        {
            self.guest.slots.set_head(slot, head, Head { tag, ..old });
        }
    }

    fn run(&mut self, mut go: Go) -> Step {
        loop {
            let (place, next) = match self.guest.run(go) {
                Stopped::Fault(fault) => (Some(Place { pc: fault.pc, fp: fault.fp }), Err(fault.kind.into())),
                Stopped::Exit(code) => (None, self.exit(code)),
            };
            match next {
                Ok(Next::Resume(value)) => go = Go::Resume(value),
                Ok(Next::Stop(step)) => return step,
                Err(trap) => {
                    let place = place.or_else(|| self.exit_place());
                    return Step::Trap(Box::new(self.die(place, trap)));
                }
            }
        }
    }

    fn exit(&mut self, code: u64) -> Result<Next, Trap> {
        let exit = Exit::from_code(code).ok_or(TrapKind::Unreachable)?;
        if let Some(served) = exits::serve(&mut self.guest, exit) {
            return Ok(served.map(Next::Resume)?);
        }
        let [first, second, third] = [0, 1, 2].map(|index| self.guest.exit_arg(index));
        let (slot, words, attachments) = (first as usize, second as usize, third as usize);
        match exit {
            Exit::Done => return Ok(Next::Stop(self.done())),
            Exit::Trap => return Err(self.explicit_trap(first, second)),
            Exit::DeviceTrap => return Err(device_trap(self.program.module(), slot, second as u8, third as u16)),
            Exit::Room if words > MAX_WORDS => return Err(too_long(words)),
            Exit::Room if self.guest.slots.is_open(slot) && self.guest.slots.make_room(slot, words, attachments) => {
                return Ok(Next::Resume(0));
            }
            Exit::Wait | Exit::WaitForever if !self.in_main() => return Err(TrapKind::WaitInHandler.into()),
            _ => {}
        }
        let (pending, step) = match exit {
            Exit::Yield => (Pending::Yield, Step::Yield),
            Exit::Room => (Pending::Room { slot, words, attachments }, Step::Room { slot, words, attachments }),
            Exit::Call => self.call(slot, second),
            Exit::Flush => (Pending::Flush, Step::Flush { slot }),
            Exit::Wait => (Pending::Wait, Step::Wait),
            Exit::WaitForever => (Pending::WaitForever, Step::WaitForever),
            Exit::Fail => (Pending::Fail, Step::Fail(failure(first))),
            other => unreachable!("served above: {other:?}"),
        };
        self.stop_in(pending);
        Ok(Next::Stop(step))
    }

    fn stop_in(&mut self, pending: Pending) {
        if let Some(activation) = self.activations.last_mut() {
            activation.pending = Some(pending);
        }
    }

    fn in_main(&self) -> bool {
        let main = self.program.module().export("main");
        self.activations.last().is_some_and(|activation| Some(activation.func) == main)
    }

    fn done(&mut self) -> Step {
        let ended = self.activations.pop();
        let func = ended.and_then(|ended| self.program.module().funcs.get(ended.func.index()));
        let reply = values::load(&mut self.guest, func.map_or(&[], |func| &func.sig.results));
        if let Some(outer) = self.activations.last() {
            self.guest.set_sp(outer.sp);
        }
        Step::Done(reply)
    }

    fn call(&self, slot: usize, head: u64) -> (Pending, Step) {
        let opcode = self.guest.slots.head(slot, head).map_or(0, |head| head.opcode as u8);
        (Pending::Call { slot, head, opcode }, Step::Call { slot, opcode })
    }

    fn explicit_trap(&self, kind: u64, message: u64) -> Trap {
        let kind = u8::try_from(kind).ok().and_then(TrapKind::from_code).unwrap_or(TrapKind::Unreachable);
        let text = if message == 0 { &[] } else { self.guest.text(message) };
        Trap { kind, message: String::from_utf8_lossy(text).into_owned(), status: None }
    }

    /// Where the innermost activation took its exit.
    fn exit_place(&self) -> Option<Place> {
        self.activations.last()?;
        let (pc, fp) = self.guest.exit_place(self.guest.sp())?;
        Some(Place { pc: pc.wrapping_sub(1), fp })
    }

    fn die(&mut self, place: Option<Place>, trap: Trap) -> TrapReport {
        let Trap { kind, message, status } = trap;
        let report = trace::report(&self.program, &self.guest, place, kind, message, status);
        self.activations.clear();
        self.dead = Some(Box::new(report.clone()));
        report
    }
}

fn instruction(module: &Module, slot: usize, opcode: u8) -> Option<&Instruction> {
    let used = module.uses.get(slot)?;
    module.isas.get(used.isa.index())?.instruction(opcode)
}

/// What `fail` was given; a number that is no failure's counts as `DeviceError`.
fn failure(status: u64) -> u16 {
    match u16::try_from(status as u32) {
        Ok(status) if status != 0 => status,
        _ => Status::DeviceError as u16,
    }
}

fn device_trap(module: &Module, slot: usize, opcode: u8, status: u16) -> Trap {
    let used = module.uses.get(slot).map_or("?", |used| &used.name);
    let name = instruction(module, slot, opcode).map_or("?", |instruction| &instruction.name);
    let why = Status::from_code(status).map_or("unknown status", Status::describe);
    let message = format!("`{used}.{name}` failed with status {status}: {why}");
    Trap { kind: TrapKind::Device, message, status: Some(status) }
}

fn too_long(words: usize) -> Trap {
    let message =
        format!("an instruction of {words} words does not fit a packet of {MAX_WORDS}; send large data as a `buf`");
    Trap { kind: TrapKind::Device, message, status: Some(Status::OutOfRange as u16) }
}
