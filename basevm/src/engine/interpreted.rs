//! VMs that are interpreted: the reference interpreter behind the same steps as machine code.
//! `unsafe`: the machine borrows the module of the program that stands beside it.
//!
//! It needs no executable memory and no compiler, and is slow. Objects are the interpreter's own: it enforces the
//! quota itself, on all but the buffers in packets, which the account is charged for.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use compiler::Location;
use il::packet::MAX_ATTACHMENTS;
use il::trap::{Status, TrapKind};
use il::verify::VerifiedModule;
use il::{FuncId, IsaId, Type};
use interp::{Attached, Limits, Machine, Outcome, Reference, Report};

use super::border::Border;
use super::slots::{Allowed, MAX_SLOTS};
use super::{LoadError, Packet, PlatformRef, Program, Step, TrapReport, trace, values};
use crate::attachment::{Attachment, Capability};
use crate::buf::{Account, Buf};
use crate::heap::Statistics;
use crate::platform::Nanos;
use crate::service::Reply;

/// Instructions between two looks at the interrupt word.
const SLICE: u64 = 10_000;
/// A call of machine code takes about so many bytes of stack: tells how many calls a stack stands for.
const FRAME_BYTES: usize = 32;

/// One interpreted VM. Its methods are [`super::Instance`]'s.
#[derive(Debug)]
pub(super) struct Interpreted {
    /// Borrows the module from `program`: stands before it, so it is dropped before.
    machine: Machine<'static>,
    program: Arc<Program>,
    interrupt: &'static AtomicU32,
    account: Arc<Account>,
    /// Functions of the activations under way, innermost last.
    activations: Vec<FuncId>,
    /// Channel and generation of each open slot.
    links: Vec<Option<(u32, u32)>>,
    /// What can be given on, by slot.
    capabilities: BTreeMap<usize, Capability>,
    border: Border,
    dead: Option<Box<TrapReport>>,
}

impl Interpreted {
    /// See [`super::Instance::new`].
    pub fn new(
        platform: PlatformRef,
        program: Arc<Program>,
        account: Arc<Account>,
        stack_bytes: usize,
    ) -> Result<Interpreted, LoadError> {
        let bytes = account.limit().saturating_sub(account.used());
        let limits = Limits { depth: stack_bytes / FRAME_BYTES, fuel: SLICE, bytes, check: false };
        let module: *const VerifiedModule = program.verified();
        // SAFETY: the module lies in the program's `Arc`, which is kept in the same struct as the machine, is dropped
        // after it, and never gives out its module to be changed. The machine gives out no reference into it.
        let machine = Machine::new(unsafe { &*module }, limits);
        let machine = machine.map_err(|report| LoadError::Globals(Box::new(describe(&program, *report))))?;
        let (links, interrupt) = (vec![None; machine.slots()], platform.interrupt_word());
        let (activations, capabilities, border) = (Vec::new(), BTreeMap::new(), Border::default());
        Ok(Interpreted { machine, program, interrupt, account, activations, links, capabilities, border, dead: None })
    }

    /// See [`super::Instance::activations`].
    pub fn activations(&self) -> usize {
        self.activations.len()
    }

    /// See [`super::Instance::trap`].
    pub fn trap(&self) -> Option<&TrapReport> {
        self.dead.as_deref()
    }

    /// See [`super::Instance::revive`].
    pub fn revive(&mut self) {
        if self.dead.take().is_some() {
            self.machine.revive();
        }
    }

    /// See [`super::Instance::set_caller`].
    pub fn set_caller(&mut self, caller: u32) {
        self.machine.set_caller(caller as i32);
    }

    /// See [`super::Instance::enter`].
    pub fn enter(
        &mut self,
        func: FuncId,
        words: &[u64],
        attachments: &mut [Option<Attachment>],
    ) -> Result<Step, Status> {
        if let Some(report) = &self.dead {
            return Ok(Step::Trap(report.clone()));
        }
        let sig = self.program.module().sig(func).ok_or(Status::NoSuchInstruction)?;
        let hierarchy = self.program.types().hierarchy();
        if !sig.params.iter().chain(&sig.results).all(|ty| hierarchy.is_carried(*ty)) {
            return Err(Status::NotSupported);
        }
        let mut used = [false; MAX_ATTACHMENTS];
        values::attached_in(sig.params.iter().copied(), words, attachments, &mut used)?;
        let mut attached = Vec::new();
        for (attachment, used) in attachments.iter().zip(used) {
            attached.push(match attachment {
                Some(attachment) if used => self.came(attachment)?,
                _ => Attached::Buf(Vec::new()),
            });
        }
        let args = interp::Packet { words: words.to_vec(), attachments: attached };
        let outcome = self.machine.enter(func, args)?;
        for (attachment, _) in attachments.iter_mut().zip(used).filter(|(_, used)| *used) {
            *attachment = None;
        }
        self.activations.push(func);
        Ok(self.step(outcome))
    }

    /// See [`super::Instance::resume`].
    pub fn resume(&mut self, value: u64) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let outcome = self.machine.resume(value as u16);
        self.step(outcome.expect("resume: the VM is not stopped in a step that resumes"))
    }

    /// See [`super::Instance::resume_call`].
    pub fn resume_call(&mut self, result: Result<Reply, Status>) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let reply = result.and_then(|reply| {
            let attachments = reply.attachments.iter().map(|one| self.came(one)).collect::<Result<_, _>>();
            Ok(interp::Packet { words: reply.words, attachments: attachments.map_err(as_reply)? })
        });
        let outcome = self.machine.resume_call(reply);
        self.step(outcome.expect("resume_call: the VM is not stopped in a call"))
    }

    /// See [`super::Instance::awaited`].
    pub fn awaited(&self) -> Vec<Type> {
        self.machine.awaited().to_vec()
    }

    /// See [`super::Instance::resume_capability`].
    pub fn resume_capability(&mut self, slot: usize) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let outcome = self.machine.resume_capability(slot);
        self.step(outcome.expect("resume_capability: the VM is not stopped in `Attenuate`"))
    }

    /// See [`super::Instance::add_slot`].
    pub fn add_slot(&mut self, channel: u32, generation: u32, allowed: Allowed) -> Option<usize> {
        let Allowed { capability, isas, ops } = allowed;
        let instructions = (1..=u8::MAX).filter(|opcode| ops.has(*opcode)).collect();
        let slot = self.machine.add_slot(isas, instructions, MAX_SLOTS)?;
        self.links.resize(self.links.len().max(slot + 1), None);
        self.links[slot] = Some((channel, generation));
        self.set_capability(slot, capability);
        Some(slot)
    }

    /// See [`super::Instance::set_capability`].
    pub fn set_capability(&mut self, slot: usize, capability: Capability) {
        self.capabilities.insert(slot, capability);
    }

    /// See [`super::Instance::given_slots`].
    pub fn given_slots(&self) -> usize {
        self.machine.given_slots().count()
    }

    /// See [`super::Instance::release_slot`].
    pub fn release_slot(&mut self, slot: usize) {
        self.close_slot(slot);
        self.machine.release_slot(slot);
    }

    /// See [`super::Instance::unused_slots`].
    pub fn unused_slots(&self) -> Vec<usize> {
        self.machine.unused_slots()
    }

    /// See [`super::Instance::refuse`].
    pub fn refuse(&mut self, status: Status) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let outcome = self.machine.refuse(status);
        self.step(outcome.expect("refuse: the VM is not stopped in a step that can be refused"))
    }

    /// See [`super::Instance::memories`].
    pub fn memories(&self) -> Vec<&[u8]> {
        self.machine.memories().collect()
    }

    /// See [`super::Instance::heap_statistics`]: of a heap that does not move there are none.
    pub fn heap_statistics(&self) -> Statistics {
        Statistics::default()
    }

    /// See [`super::Instance::take_pauses`].
    pub fn take_pauses(&mut self) -> Vec<Nanos> {
        Vec::new()
    }

    /// See [`super::Instance::collect`]: there is one kind of collection only.
    pub fn collect(&mut self, _: bool) -> Result<(), Status> {
        if self.dead.is_none() {
            self.machine.collect_now();
        }
        Ok(())
    }

    /// See [`super::Instance::recycle`].
    pub fn recycle(&mut self, _: usize, _: Packet) {}

    /// See [`super::Instance::abort`].
    pub fn abort(&mut self, kind: TrapKind, message: String) -> TrapReport {
        let backtrace = self.machine.place();
        self.die(Report { kind, message, status: None, backtrace })
    }

    /// See [`super::Instance::open_slot`].
    pub fn open_slot(&mut self, slot: usize, channel: u32, generation: u32) {
        self.machine.open_slot(slot);
        if let Some(link) = self.links.get_mut(slot) {
            *link = Some((channel, generation));
        }
    }

    /// See [`super::Instance::close_slot`].
    pub fn close_slot(&mut self, slot: usize) {
        self.machine.close_slot(slot);
        self.capabilities.remove(&slot);
        if let Some(link) = self.links.get_mut(slot) {
            *link = None;
        }
    }

    /// See [`super::Instance::slot`].
    pub fn slot(&self, slot: usize) -> Option<(u32, u32)> {
        self.links.get(slot).copied().flatten()
    }

    /// See [`super::Instance::slots`].
    pub fn slots(&self) -> usize {
        self.links.len()
    }

    /// See [`super::Instance::next_packet`].
    pub fn next_packet(&self, from: usize) -> Option<usize> {
        (from..self.links.len()).find(|slot| self.machine.packet_words(*slot) > 0)
    }

    /// See [`super::Instance::take_packet`].
    pub fn take_packet(&mut self, slot: usize) -> Packet {
        let packet = self.machine.take_packet(slot);
        let Reply { words, attachments } = self.reply(packet);
        Packet { words, attachments }
    }

    /// See [`super::Instance::set_tag`].
    pub fn set_tag(&mut self, tag: u32) {
        self.machine.set_tag(tag);
    }

    /// Packet form with attachments that the account pays for; one that it cannot pay for is left out, and missed by
    /// whoever reads the packet.
    fn reply(&mut self, packet: interp::Packet) -> Reply {
        let attachments = packet.attachments.into_iter().filter_map(|attached| self.left(attached));
        let attachments = attachments.collect();
        Reply { words: packet.words, attachments }
    }

    fn left(&mut self, attached: Attached) -> Option<Attachment> {
        match attached {
            Attached::Buf(bytes) => {
                let mut buf = Buf::new(&self.account, bytes.len())?;
                buf.copy_from_slice(&bytes);
                Some(Attachment::from(buf))
            }
            Attached::Ref(Reference::Cap(slot)) => {
                let capability = self.capabilities.get(&(slot as usize));
                Some(Attachment::Cap(capability.cloned().unwrap_or_else(Capability::dead)))
            }
            Attached::Ref(Reference::Object(object)) => {
                let left = Border::leave(&mut self.machine, self.program.types(), &self.account, object);
                left.ok().map(Attachment::Object)
            }
        }
    }

    /// An attachment that comes in. What it is known by is taken off when it has.
    fn came(&mut self, attachment: &Attachment) -> Result<Attached, Status> {
        Ok(match attachment {
            Attachment::Buf(buf) => Attached::Buf(buf.to_vec()),
            Attachment::Cap(capability) => Attached::Ref(Reference::Cap(capability.slot.ok_or(Status::BadOperand)?)),
            Attachment::Object(object) => {
                let came = self.border.enter(&mut self.machine, self.program.types(), object)?;
                Attached::Ref(Reference::Object(came))
            }
        })
    }

    fn step(&mut self, mut outcome: Outcome) -> Step {
        loop {
            outcome = match outcome {
                Outcome::OutOfFuel => {
                    self.machine.refuel(SLICE);
                    if self.interrupt.load(Ordering::Relaxed) != 0 {
                        return Step::Yield;
                    }
                    self.machine.resume(0).expect("out of fuel")
                }
                other => return self.stopped(other),
            }
        }
    }

    fn stopped(&mut self, outcome: Outcome) -> Step {
        match outcome {
            Outcome::Done(values) => {
                self.activations.pop();
                Step::Done(self.reply(interp::Packet::of(&values)))
            }
            Outcome::Room { slot, words, attachments } => Step::Room { slot, words, attachments },
            Outcome::Call { slot, opcode } => Step::Call { slot, opcode },
            Outcome::Own { opcode, operands } => {
                Step::Own { isa: self.own_set().index(), opcode, operands: self.reply(operands) }
            }
            Outcome::Run { slot, program, operands } if !self.machine.waits_for_run() => {
                Step::RunSend { slot, program: program.index(), args: self.reply(operands) }
            }
            Outcome::Run { slot, program, operands } => {
                Step::Run { slot, program: program.index(), args: self.reply(operands) }
            }
            Outcome::Flush { slot } => Step::Flush { slot },
            Outcome::Attenuate { slot, def } => Step::Attenuate { slot, def },
            Outcome::Revoke { slot } => Step::Revoke { slot },
            Outcome::Wait => Step::Wait,
            Outcome::WaitForever => Step::WaitForever,
            Outcome::Exit(code) => Step::Exit(code),
            Outcome::Fail(status) => Step::Fail(status),
            Outcome::Forward { slot, opcode } => Step::Forward { slot, opcode },
            Outcome::OutOfFuel => Step::Yield,
            Outcome::Trap(report) => Step::Trap(Box::new(self.die(*report))),
        }
    }

    /// The set of the program under way.
    fn own_set(&self) -> IsaId {
        let func = self.activations.last();
        let mut programs = self.program.module().programs.iter();
        programs.find(|program| Some(&program.func) == func).map_or(IsaId(0), |program| program.isa)
    }

    fn die(&mut self, report: Report) -> TrapReport {
        let report = describe(&self.program, report);
        self.activations.clear();
        self.dead = Some(Box::new(report.clone()));
        report
    }
}

/// What was answered cannot be the caller's fault.
fn as_reply(status: Status) -> Status {
    if status == Status::BadOperand { Status::DeviceError } else { status }
}

/// The interpreter's report in terms of the source.
fn describe(program: &Program, report: Report) -> TrapReport {
    let Report { kind, message, status, backtrace } = report;
    let places = backtrace.iter().map(|place| Location { func: place.func, body_offset: place.offset });
    trace::describe(program.module(), places, kind, message, status)
}
