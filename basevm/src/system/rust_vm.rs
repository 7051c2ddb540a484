//! Rust VMs: each request runs to completion under the platform's guard, with this [`Host`].
//!
//! A panic ends the VM: its object is forgotten, never dropped, since its state is unknown.
//! Everything a service returns is copied or moved into the base's memory before it is kept.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Range;

use il::packet::{self, Builder, Head, Value};
use il::trap::{Status, TrapKind};

use super::System;
use super::channel::{ChannelId, Delivery, Executes, Open, Work};
use super::deliver::Arrived;
use super::programs;
use super::vm::{Body, Fate, RustVm};
use crate::arena::{self, ArenaId};
use crate::attachment::Attachment;
use crate::buf::Buf;
use crate::engine::TrapReport;
use crate::platform::{Nanos, Panicked};
use crate::service::{Host, Outcome, Reply, ReplyRight, Request, Service, VmId, Waker};

/// The wall clock's time at the start of virtual time: 2024-01-01 00:00 UTC.
const VIRTUAL_EPOCH: Nanos = 1_704_067_200 * 1_000_000_000;

impl System {
    /// [`System::run_service`], unobserved. Ends with the slice at the latest; what is left then waits in the run queue.
    pub(super) fn run_service_turn(&mut self, id: VmId) {
        let Some(executes) = self.vm_ref(id).executes.clone() else { return };
        let Some(mut service) = self.take_service(id) else { return };
        while let Some(mut work) = self.next_work(id) {
            let sender = self.channel_ref(work.link.channel).sender;
            let mut first = None;
            if work.opcode().is_some_and(programs::concerns) {
                // Not under the guard: programs are the base's.
                match self.arrive(&executes, &mut work) {
                    Some(Arrived::Parked) => {
                        self.park(work);
                        continue;
                    }
                    Some(Arrived::Refused { head, status }) => self.refuse(&work, head, status),
                    Some(Arrived::Request { head, operands, .. }) => first = Some((head, operands)),
                    None => {}
                }
            }
            let most = if self.vm_ref(id).inbox.has_other(sender) { 1 } else { usize::MAX };
            match self.run_stretch(id, &executes, &mut *service, &mut work, first, most) {
                Err(Panicked) => {
                    // What was lent to the VM and not taken is not freed with it.
                    drop(work);
                    return self.forget(id, service);
                }
                Ok(Some(executed)) => self.conclude(id, &executes, work.link.channel, executed),
                Ok(None) => {}
            }
            if work.is_done() {
                self.packet_done(work);
            } else {
                self.vm(id).work = Some(work);
                self.take_turns(id);
            }
            // Whom it has answered goes on before it executes what others sent.
            if (self.is_slice_over() || self.handoff.is_some()) && self.vm_ref(id).has_work() {
                self.charge_work(id);
                self.make_ready(id);
                break;
            }
        }
        self.put_service(id, service);
        self.check_turn(id);
    }

    /// The packet that was begun, or the next one.
    fn next_work(&mut self, id: VmId) -> Option<Work> {
        if let Some(work) = self.vm(id).work.take() {
            return Some(work);
        }
        loop {
            if let Delivery::Packet(work) = self.next_delivery(id)? {
                return Some(work);
            }
        }
    }

    /// Reports a Rust VM that was running for longer than its bound. (On metal the platform's guard
    /// has ended it by then.)
    fn check_turn(&self, id: VmId) {
        if !self.is_slice_over() {
            return;
        }
        let ran = self.platform.now().saturating_sub(self.last_tick) / 1_000_000;
        let vm = self.vm_ref(id);
        if let Some(limit) = vm.options.turn_ms.filter(|limit| ran > *limit) {
            self.log(format_args!(
                "VM '{}' ran for about {ran} ms in one turn; its bound is {limit} ms (turn_ms)",
                vm.address()
            ));
        }
    }

    /// [`System::wake_service`], unobserved.
    pub(super) fn wake_service_turn(&mut self, id: VmId) {
        let Some(mut service) = self.take_service(id) else { return };
        if self.guard(id, |host| service.wake(host)).is_err() {
            return self.forget(id, service);
        }
        self.put_service(id, service);
        self.check_turn(id);
        self.notify(id);
    }

    /// Runs a Rust VM's `start`, the last step of its handshake.
    pub(super) fn start_service(&mut self, id: VmId) -> Result<(), Status> {
        let Some(mut service) = self.take_service(id) else { return Err(Status::PeerGone) };
        match self.guard(id, |host| service.start(host)) {
            Ok(result) => {
                self.put_service(id, service);
                result
            }
            Err(Panicked) => {
                core::mem::forget(service);
                Err(Status::PeerGone)
            }
        }
    }

    pub(super) fn take_service(&mut self, id: VmId) -> Option<Box<dyn Service>> {
        match &mut self.vm(id).body {
            Body::Rust(rust) => rust.service.take(),
            _ => None,
        }
    }

    pub(super) fn put_service(&mut self, id: VmId, service: Box<dyn Service>) {
        if let Body::Rust(rust) = &mut self.vm(id).body {
            rust.service = Some(service);
        }
    }

    pub(super) fn forget(&mut self, id: VmId, service: Box<dyn Service>) {
        core::mem::forget(service);
        let message = "its memory was dropped, unread".to_string();
        let report = TrapReport { kind: TrapKind::Panic, message, status: None, frames: Vec::new(), omitted: 0 };
        self.end(id, Fate::Fault(Box::new(report)));
    }

    /// A VM may take these: what it holds is freed with it.
    fn lend(&self, id: VmId, attachments: &mut [Option<Attachment>]) {
        let Body::Rust(RustVm { holder: Some(holder), .. }) = &self.vm_ref(id).body else { return };
        for attachment in attachments.iter_mut().flatten() {
            if let Attachment::Buf(buf) = attachment {
                holder.hold(buf);
            }
        }
    }

    /// Executes instructions of a packet under one guard: at most so many, and no further than the first that is not
    /// streamed and done, nor than the end of the slice. What a panic leaves behind is the packet, which
    /// stands where the instruction that panicked has begun.
    fn run_stretch(
        &mut self,
        id: VmId,
        executes: &Executes,
        service: &mut dyn Service,
        work: &mut Work,
        first: Option<(Head, Range<usize>)>,
        most: usize,
    ) -> Result<Option<Executed>, Panicked> {
        self.lend(id, &mut work.attachments);
        let executed = self.guard(id, |host| execute_all(host, executes, service, work, first, most));
        self.vm(id).executed += core::mem::take(&mut work.executed);
        if executed.is_ok() {
            take_back(&mut work.attachments);
        }
        executed
    }

    /// What became of a request that was executed.
    fn conclude(&mut self, id: VmId, executes: &Executes, channel: ChannelId, executed: Executed) {
        let Executed { head, taken, outcome } = executed;
        let result = match outcome {
            Outcome::Later if taken.is_some() => return,
            Outcome::Later => {
                let name = self.vm_ref(id).address();
                self.log(format_args!("VM '{name}' kept no right to answer {}: it fails", head.opcode));
                Err(Status::DeviceError)
            }
            Outcome::Fail(status) => Err(status),
            Outcome::Done(reply) => self.checked(id, executes, head.opcode, reply),
        };
        match taken {
            Some(open) => self.finish(channel, open, result),
            None => self.answer(channel, head.tag, result),
        }
    }

    /// A service's reply in the base's memory, if it fits the instruction's results.
    fn checked(&self, id: VmId, executes: &Executes, opcode: u16, reply: Reply) -> Result<Reply, Status> {
        let results = executes.instruction(opcode).and_then(|instruction| instruction.results.as_deref());
        if packet::check(results.unwrap_or_default(), &reply.words, reply.attachments.len()).is_err() {
            let name = self.vm_ref(id).address();
            self.log(format_args!("VM '{name}' answered instruction {opcode} with results of another form: it fails"));
            return Err(Status::DeviceError);
        }
        // Into vectors of the base's own: what came stands in the VM's arena.
        let mut attachments = Vec::with_capacity(reply.attachments.len());
        attachments.extend(reply.attachments);
        attachments.iter_mut().for_each(let_go);
        Ok(Reply { words: reply.words.as_slice().to_vec(), attachments })
    }

    /// Answers a request of earlier, if the right is this VM's and the request still open.
    fn complete(&mut self, id: VmId, right: ReplyRight, result: Result<Reply, Status>) {
        let Some(channel) = self.channels.get(right.channel) else { return };
        if channel.receiver != id {
            return; // Not this VM's to answer.
        }
        let Some(open) = channel.open.iter().find(|open| open.serial == right.serial).copied() else { return };
        let Some(executes) = self.vm_ref(id).executes.clone() else { return };
        let result = result.and_then(|reply| self.checked(id, &executes, u16::from(open.opcode), reply));
        self.finish(ChannelId(right.channel), open, result);
    }

    fn emit(&mut self, id: VmId, only: Option<VmId>, event: u8, values: &[Value<'_>]) -> usize {
        let mut builder = Builder::default();
        for value in values {
            builder.push(*value);
        }
        self.raise(id, only, (0, event), &builder.words, Vec::new()).unwrap_or_else(|status| {
            let name = self.vm_ref(id).address();
            self.log(format_args!("VM '{name}': event {event} was not raised: {status}"));
            0
        })
    }

    /// Runs part of a Rust VM under the platform's guard.
    pub(super) fn guard<T>(&mut self, vm: VmId, turn: impl FnOnce(&mut HostCall<'_>) -> T) -> Result<T, Panicked> {
        let platform = self.platform;
        let arena = match &self.vm_ref(vm).body {
            Body::Rust(rust) => rust.arena,
            _ => ArenaId::BASE,
        };
        let mut host = HostCall { system: self, vm, current: None };
        let (mut turn, mut result) = (Some(turn), None);
        // The inner scope is the VM's; the outer one is there for platforms that leave a panicked turn
        // without unwinding. What the platform does about a panic is not the VM's to pay for.
        arena::scope(ArenaId::BASE, || {
            platform.guarded(&mut || {
                if let Some(turn) = turn.take() {
                    result = Some(arena::scope(arena, || turn(&mut host)));
                }
            })
        })?;
        result.ok_or(Panicked)
    }
}

/// An instruction that has an answer, or needs one.
struct Executed {
    head: Head,
    /// The right to answer it later, if that was taken.
    taken: Option<Open>,
    outcome: Outcome,
}

/// Executes instructions of a packet; see [`System::run_stretch`]. It runs in the VM's arena, so what of the base allocates
/// is run apart.
fn execute_all(
    host: &mut HostCall<'_>,
    executes: &Executes,
    service: &mut dyn Service,
    work: &mut Work,
    mut first: Option<(Head, Range<usize>)>,
    most: usize,
) -> Option<Executed> {
    let channel = work.link.channel;
    let caller = host.system.acting_sender(channel);
    for _ in 0..most {
        let arrived = match first.take() {
            Some((head, operands)) => Arrived::Request { head, operands, position: 0 },
            None if work.opcode().is_some_and(programs::concerns) => return None,
            None => host.system.arrive(executes, work)?,
        };
        let (head, operands) = match arrived {
            Arrived::Request { head, operands, .. } => (head, operands),
            Arrived::Refused { head, status } => {
                in_base(|| host.system.refuse(work, head, status));
                continue;
            }
            Arrived::Parked => return None,
        };
        work.executed += 1;
        host.current = Some(Current { channel, head, caller, taken: None });
        let Work { words, attachments, .. } = work;
        let request =
            Request { opcode: head.opcode as u8, words: &words[operands], attachments: &mut attachments[..], caller };
        assert!(!host.system.fault_is_due(host.vm), "injected fault");
        let outcome = service.execute(host, request);
        let taken = host.current.take().and_then(|current| current.taken);
        let is_silent =
            matches!(&outcome, Outcome::Done(reply) if reply.words.is_empty() && reply.attachments.is_empty());
        if head.tag != 0 || taken.is_some() || !is_silent {
            return Some(Executed { head, taken, outcome });
        }
        if host.system.is_slice_over() {
            return None;
        }
    }
    None
}

/// What a VM has not taken is the packet's again.
fn take_back(attachments: &mut [Option<Attachment>]) {
    attachments.iter_mut().flatten().for_each(let_go);
}

fn let_go(attachment: &mut Attachment) {
    if let Attachment::Buf(buf) = attachment {
        buf.let_go();
    }
}

/// The request that a service is executing.
pub(super) struct Current {
    channel: ChannelId,
    head: Head,
    caller: VmId,
    taken: Option<Open>,
}

pub(super) struct HostCall<'s> {
    system: &'s mut System,
    vm: VmId,
    current: Option<Current>,
}

/// Runs code of the base that a VM has called: what it allocates is the base's.
fn in_base<R>(body: impl FnOnce() -> R) -> R {
    arena::scope(ArenaId::BASE, body)
}

impl Host for HostCall<'_> {
    fn now(&self) -> Nanos {
        self.system.now()
    }

    fn wall(&self) -> Nanos {
        match self.system.options.virtual_clock {
            true => VIRTUAL_EPOCH + self.system.now(),
            false => self.system.platform.wall(),
        }
    }

    fn wake_at(&mut self, time: Option<Nanos>) {
        in_base(|| self.system.set_wake_timer(self.vm, time));
    }

    fn waker(&self) -> Waker {
        in_base(|| match &self.system.vm_ref(self.vm).body {
            Body::Rust(rust) => rust.waker.clone(),
            _ => Waker::new(self.system.platform.waker()),
        })
    }

    fn reply_right(&mut self) -> ReplyRight {
        let Some(current) = &mut self.current else {
            panic!("a right to reply exists only while a request is executed")
        };
        assert!(current.taken.is_none(), "a request carries one right to reply");
        let channel = self.system.channel(current.channel);
        let open = in_base(|| channel.begin(current.head));
        current.taken = Some(open);
        ReplyRight::new(current.channel.0, channel.generation, open.serial)
    }

    fn complete(&mut self, right: ReplyRight, result: Result<Reply, Status>) {
        in_base(|| self.system.complete(self.vm, right, result));
    }

    fn emit(&mut self, event: u8, values: &[Value<'_>]) -> usize {
        in_base(|| self.system.emit(self.vm, None, event, values))
    }

    fn emit_to(&mut self, vm: VmId, event: u8, values: &[Value<'_>]) -> usize {
        in_base(|| self.system.emit(self.vm, Some(vm), event, values))
    }

    fn is_alive(&self, vm: VmId) -> bool {
        self.system.vms.get(vm.0).is_some()
    }

    fn mark(&self, vm: VmId) -> Option<u32> {
        self.system.vms.get(vm.0)?.options.mark
    }

    fn listeners(&self, event: u8) -> usize {
        self.system.listeners(self.vm, 0, event).count()
    }

    fn buf(&mut self, bytes: usize) -> Result<Buf, Status> {
        let payer = self.current.as_ref().map_or(self.vm, |current| current.caller);
        in_base(|| {
            let mut buf = Buf::new(&self.system.vm_ref(payer).account, bytes).ok_or(Status::Quota)?;
            if let Body::Rust(RustVm { holder: Some(holder), .. }) = &self.system.vm_ref(self.vm).body {
                holder.hold(&mut buf);
            }
            Ok(buf)
        })
    }

    fn set_pending(&mut self, pending: bool) {
        if let Body::Rust(rust) = &mut self.system.vm(self.vm).body {
            rust.pending = pending;
        }
    }

    fn log(&mut self, line: &str) {
        in_base(|| {
            let name = self.system.vm_ref(self.vm).address();
            self.system.log(format_args!("{name}: {line}"));
        });
    }
}
