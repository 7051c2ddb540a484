//! IL VMs: what each step of an instance means for the system.
//!
//! A step that cannot be acted on yet, because a queue is full, is kept and acted on again: every
//! arm of [`System::act`] may be repeated up to the point where it succeeds.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use il::packet::{Head, MAX_WORDS};
use il::trap::{Status, TrapKind};
use il::{FuncId, Type};

use super::System;
use super::channel::{CREDITS, ChannelId, Delivery, EventDelivery, Work};
use super::deliver::{Arrived, Submitted};
use super::vm::{Block, Fate, Main, Next, Turn};
use crate::attachment::Attachment;
use crate::engine::Step;
use crate::service::{Reply, VmId};

impl System {
    /// [`System::run_il`], unobserved.
    pub(super) fn run_il_turn(&mut self, id: VmId) {
        if self.vm_ref(id).acting.is_some() {
            return self.run_acting(id);
        }
        let Some(il) = self.vm(id).il() else { return };
        let step = match core::mem::replace(&mut il.next, Next::Running) {
            Next::Start(main) => {
                il.main = Main::Active;
                match il.instance.enter(main, &[], &mut []) {
                    Ok(step) => step,
                    Err(status) => return self.abort(id, TrapKind::Quota, format!("main could not start: {status}")),
                }
            }
            Next::Resume(value) => il.instance.resume(value),
            Next::ResumeCall(result) => match self.receive_reply(id, result) {
                Some(step) => step,
                None => return,
            },
            Next::Retry(step) => step,
            Next::Dispatch => {
                il.next = Next::Dispatch;
                return self.dispatch(id);
            }
            blocked @ (Next::Blocked(_) | Next::Running) => {
                il.next = blocked;
                return;
            }
        };
        self.last_ran = Some(id);
        self.proceed(id, step);
    }

    /// Goes on with the answer to a call, whose capabilities get slots before.
    fn receive_reply(&mut self, id: VmId, result: Result<Reply, Status>) -> Option<Step> {
        let result = match result {
            Ok(reply) if !reply.attachments.is_empty() => self.land_reply(id, reply),
            other => other,
        };
        self.vm(id).il().map(|il| il.instance.resume_call(result))
    }

    fn land_reply(&mut self, id: VmId, reply: Reply) -> Result<Reply, Status> {
        let types = self.vm(id).il().map(|il| il.instance.awaited()).unwrap_or_default();
        let Reply { words, attachments } = reply;
        let mut attachments: Vec<_> = attachments.into_iter().map(Some).collect();
        self.land(id, &types, &words, &mut attachments)?;
        Ok(Reply { words, attachments: attachments.into_iter().flatten().collect() })
    }

    /// The types of an entry's parameters.
    fn params(&mut self, id: VmId, func: FuncId) -> Vec<Type> {
        let module = self.vm(id).il().map(|il| il.instance.program().clone());
        let sig = module.as_ref().and_then(|program| program.module().sig(func));
        sig.map_or(Vec::new(), |sig| sig.params.clone())
    }

    /// Acts on a step.
    pub(super) fn act(&mut self, id: VmId, step: Step) {
        let counts = matches!(step, Step::Done(_) | Step::Call { .. } | Step::Flush { .. } | Step::Room { .. });
        if counts && self.fault_is_due(id) {
            return self.inject_fault(id);
        }
        match step {
            Step::Done(reply) if self.vm_ref(id).acting.is_some() => self.program_ended(id, Ok(reply)),
            Step::Done(reply) => self.returned(id, reply),
            Step::Yield => {
                self.set_next(id, Next::Resume(0));
                self.make_ready(id);
            }
            Step::Room { slot, words, attachments } => self.room(id, slot, words, attachments),
            Step::Call { slot, opcode } => self.call(id, slot, opcode),
            Step::Flush { slot } => self.flush(id, slot),
            Step::Wait => self.wait(id, step, false),
            Step::WaitForever => self.wait(id, step, true),
            Step::Fail(status) => self.fail(id, status),
            Step::Forward { slot, opcode } => self.forward(id, slot, opcode),
            Step::Attenuate { slot, def } => self.attenuate(id, slot, def),
            Step::Revoke { slot } => self.revoke_step(id, slot),
            Step::Run { slot, program, args } => self.send_program(id, slot, program, args, true),
            Step::RunSend { slot, program, args } => self.send_program(id, slot, program, args, false),
            Step::Own { opcode, operands, .. } => self.own(id, opcode, operands),
            Step::Exit(code) => self.exited(id, code),
            Step::Trap(report) if self.vm_ref(id).acting.is_some() => self.program_trapped(id, report),
            Step::Trap(report) => {
                let _ = self.submit_all(id, None, true);
                self.end(id, Fate::Fault(report));
            }
        }
    }

    /// Ends a stopped IL VM with a trap of the base's choosing.
    pub(super) fn abort(&mut self, id: VmId, kind: TrapKind, message: String) {
        let Some(il) = self.vm(id).il() else { return };
        let report = il.instance.abort(kind, message);
        self.act(id, Step::Trap(Box::new(report)));
    }

    pub(super) fn set_next(&mut self, id: VmId, next: Next) {
        if let Some(il) = self.vm(id).il() {
            il.next = next;
        }
    }

    /// Goes on with the same VM, at once unless another one is to be handed to.
    pub(super) fn go_on(&mut self, id: VmId, value: u64) {
        self.set_next(id, Next::Resume(value));
        self.hand_off(id);
    }

    /// Waits until the channel has room. Where that would wait for itself, what is in `slot` is
    /// dropped instead, and the failure sticks.
    pub(super) fn wait_for_credit(&mut self, id: VmId, channel: ChannelId, step: Step) {
        let receiver = self.channel_ref(channel).receiver;
        if let Some(cycle) = self.cycle(id, receiver) {
            self.log(format_args!("deadlock: {cycle}: what was sent is dropped"));
            let slot = self.channel_ref(channel).slot as usize;
            let packet = self.take_packet(id, slot);
            self.drop_packet(channel, packet, Status::Deadlock);
            self.channel(channel).stick(Status::Deadlock);
            self.set_next(id, Next::Retry(step));
            self.hand_off(id);
        } else {
            self.set_next(id, Next::Blocked(Block::Credit { channel, step }));
        }
    }

    /// The innermost activation returned.
    fn returned(&mut self, id: VmId, reply: Reply) {
        if let Submitted::Full(channel) = self.submit_all(id, None, false) {
            return self.wait_for_credit(id, channel, Step::Done(reply));
        }
        let Some(il) = self.vm(id).il() else { return };
        match il.turn.take() {
            Some(turn) => self.turn_ended(id, turn, reply),
            None => {
                il.main = Main::Gone;
                il.next = Next::Dispatch;
                if il.serves() { self.notify(id) } else { self.end(id, Fate::Returned) }
            }
        }
    }

    /// It ends itself, whatever is under way: what it has sent is still executed, and a request that it has not answered
    /// fails.
    fn exited(&mut self, id: VmId, code: i32) {
        match self.submit_all(id, None, false) {
            Submitted::Full(channel) => self.wait_for_credit(id, channel, Step::Exit(code)),
            Submitted::Sent => self.end(id, Fate::Exited(code)),
        }
    }

    fn turn_ended(&mut self, id: VmId, turn: Turn, reply: Reply) {
        if let Some((channel, open)) = turn.request {
            let result = turn.failed.map_or(Ok(reply), Err);
            self.finish(channel, open, result);
            self.finish_packet(id);
        }
        let Some(il) = self.vm(id).il() else { return };
        if il.main == (Main::Waiting { forever: false }) {
            il.main = Main::Active;
            il.next = Next::Resume(0);
            self.make_ready(id);
        } else {
            il.next = Next::Dispatch;
            self.notify(id);
        }
    }

    /// Gives back the packet under execution if nothing is left in it.
    fn finish_packet(&mut self, id: VmId) {
        if self.vm_ref(id).work.as_ref().is_some_and(Work::is_done)
            && let Some(work) = self.vm(id).work.take()
        {
            self.packet_done(work);
        }
    }

    fn room(&mut self, id: VmId, slot: usize, words: usize, attachments: usize) {
        if words > MAX_WORDS || attachments > il::packet::MAX_ATTACHMENTS {
            let bytes = words * 8;
            let why = format!(
                "a device instruction of {bytes} bytes does not fit into a packet (64 KiB): send large data as a buf"
            );
            return self.abort(id, TrapKind::Device, why);
        }
        match self.submit(id, slot, false) {
            Submitted::Full(channel) => self.wait_for_credit(id, channel, Step::Room { slot, words, attachments }),
            Submitted::Sent => self.go_on(id, 0),
        }
    }

    fn call(&mut self, id: VmId, slot: usize, opcode: u8) {
        if let Submitted::Full(channel) = self.submit_all(id, Some(slot), false) {
            return self.wait_for_credit(id, channel, Step::Call { slot, opcode });
        }
        let Some(link) = self.vm_ref(id).link(slot) else { return self.fail_call(id, slot, Status::NotPermitted) };
        let channel = self.channel_ref(link.channel);
        if let Some(status) = channel.closed {
            return self.fail_call(id, slot, status);
        }
        let (receiver, full) = (channel.receiver, channel.queued >= CREDITS);
        if let Some(cycle) = self.cycle(id, receiver) {
            self.log(format_args!("deadlock: {cycle}: the call fails"));
            return self.fail_call(id, slot, Status::Deadlock);
        }
        if full {
            return self.wait_for_credit(id, link.channel, Step::Call { slot, opcode });
        }
        let tag = self.channel(link.channel).fresh_tag();
        let deadline = self.vm_ref(id).options.call_deadline.map(|limit| self.now().saturating_add(limit));
        let Some(il) = self.vm(id).il() else { return };
        il.instance.set_tag(tag);
        let packet = il.instance.take_packet(slot);
        // The answer may come before `enqueue` returns, so the wait begins before.
        il.next = Next::Blocked(Block::Reply { channel: link.channel, tag, deadline });
        if let Some(time) = deadline {
            self.add_call_timer(id, time, tag);
        }
        if let Err(status) = self.enqueue_call(link, packet) {
            self.answer(link.channel, tag, Err(status));
        }
    }

    /// Fails a call that is not sent. Streamed instructions before it in the open packet are: only
    /// the last one is cut off.
    fn fail_call(&mut self, id: VmId, slot: usize, status: Status) {
        self.cut_off(id, slot);
        self.set_next(id, Next::ResumeCall(Err(status)));
        self.hand_off(id);
    }

    /// Takes the last instruction out of an open packet, and sends what came before it.
    pub(super) fn cut_off(&mut self, id: VmId, slot: usize) {
        let link = self.vm_ref(id).link(slot);
        let mut packet = self.take_packet(id, slot);
        packet.words.truncate(last_instruction(&packet.words));
        if let Some(link) = link
            && !packet.words.is_empty()
            && let Err(status) = self.enqueue(link, packet)
        {
            self.channel(link.channel).stick(status);
        }
    }

    fn flush(&mut self, id: VmId, slot: usize) {
        if let Submitted::Full(channel) = self.submit_all(id, None, false) {
            return self.wait_for_credit(id, channel, Step::Flush { slot });
        }
        let Some(link) = self.vm_ref(id).link(slot) else { return self.go_on(id, Status::NotPermitted as u64) };
        let channel = self.channel(link.channel);
        let revoked = (channel.generation != link.generation).then_some(Status::Revoked);
        let status = match channel.closed.or(revoked) {
            Some(status) => channel.sticky.take().or(Some(status)),
            None if channel.is_drained() => channel.sticky.take(),
            None => {
                let receiver = channel.receiver;
                let Some(cycle) = self.cycle(id, receiver) else {
                    return self.set_next(id, Next::Blocked(Block::Flush { channel: link.channel }));
                };
                self.log(format_args!("deadlock: {cycle}: the flush fails"));
                Some(Status::Deadlock)
            }
        };
        self.go_on(id, status.map_or(0, |status| status as u64));
    }

    fn wait(&mut self, id: VmId, step: Step, forever: bool) {
        if self.vm(id).il().is_some_and(|il| il.turn.is_some()) {
            return self.abort(id, TrapKind::WaitInHandler, String::new());
        }
        if let Submitted::Full(channel) = self.submit_all(id, None, false) {
            return self.wait_for_credit(id, channel, step);
        }
        let Some(il) = self.vm(id).il() else { return };
        il.main = Main::Waiting { forever };
        il.next = Next::Dispatch;
        self.notify(id);
    }

    /// `fail`: the answer is fixed now, and leaves with the return that follows.
    fn fail(&mut self, id: VmId, status: u16) {
        if let Some(turn) = self.vm(id).il().and_then(|il| il.turn.as_mut()) {
            turn.failed = Some(Status::from_code(status).unwrap_or(Status::DeviceError));
        }
        self.go_on(id, 0);
    }

    /// Takes the next delivery and starts its handler or `op`.
    fn dispatch(&mut self, id: VmId) {
        self.take_turns(id);
        loop {
            if let Some(work) = self.vm(id).work.take() {
                if self.dispatch_packet(id, work) {
                    return;
                }
                continue;
            }
            match self.next_delivery(id) {
                Some(Delivery::Packet(work)) => self.vm(id).work = Some(work),
                Some(Delivery::Event(event)) => {
                    if self.dispatch_event(id, event) {
                        return;
                    }
                }
                None => return,
            }
        }
    }

    /// Starts the next `op` of a packet. Whether one was started; if not, the packet is done.
    fn dispatch_packet(&mut self, id: VmId, mut work: Work) -> bool {
        let set = self.channel_ref(work.link.channel).set;
        let Some(executes) = self.vm_ref(id).executes_set(set).cloned() else {
            self.packet_done(work);
            return false;
        };
        while let Some(arrived) = self.arrive(&executes, &mut work) {
            let (head, operands, position) = match arrived {
                Arrived::Refused { head, status } => {
                    self.refuse(&work, head, status);
                    continue;
                }
                Arrived::Request { head, operands, position } => (head, operands, position),
                Arrived::Parked => {
                    self.park(work);
                    return false;
                }
            };
            let channel = work.link.channel;
            let open = self.channel(channel).begin(head);
            let caller = self.acting_sender(channel);
            let vm = self.vm(id);
            vm.executed += 1;
            let Some(il) = vm.il() else { return true };
            let Some(op) = il.ops.get(usize::from(set)).and_then(|ops| ops.get(position)).copied() else {
                self.finish(channel, open, Err(Status::NoSuchInstruction));
                continue;
            };
            il.instance.set_caller(caller.0);
            match self.enter(id, op, &work.words[operands], &mut work.attachments) {
                Err(status) => self.finish(channel, open, Err(status)),
                Ok(step) => {
                    self.vm(id).work = Some(work);
                    self.turn_started(id, Turn { request: Some((channel, open)), failed: None, used: 0 }, step);
                    return true;
                }
            }
        }
        self.packet_done(work);
        false
    }

    /// Starts an `op` or handler, once the capabilities among its operands have slots.
    fn enter(
        &mut self,
        id: VmId,
        func: FuncId,
        words: &[u64],
        attachments: &mut [Option<Attachment>],
    ) -> Result<Step, Status> {
        if !attachments.is_empty() {
            let params = self.params(id, func);
            self.land(id, &params, words, attachments)?;
        }
        let il = self.vm(id).il().ok_or(Status::PeerGone)?;
        il.instance.enter(func, words, attachments)
    }

    /// Starts an event's handler. Whether one was started.
    fn dispatch_event(&mut self, id: VmId, mut event: EventDelivery) -> bool {
        let Some(il) = self.vm(id).il() else { return false };
        let Some(handler) = il.handlers.get(&(event.slot, event.number)).copied() else { return false };
        match self.enter(id, handler, &event.words, &mut event.attachments) {
            Ok(step) => {
                self.turn_started(id, Turn { request: None, failed: None, used: 0 }, step);
                true
            }
            Err(status) => {
                let name = self.vm_ref(id).address();
                self.log(format_args!("VM '{name}': an event was not handled: {status}"));
                false
            }
        }
    }

    fn turn_started(&mut self, id: VmId, turn: Turn, step: Step) {
        if let Some(il) = self.vm(id).il() {
            il.turn = Some(turn);
            il.next = Next::Running;
        }
        self.last_ran = Some(id);
        self.proceed(id, step);
    }
}

/// Where a packet's last instruction starts.
fn last_instruction(words: &[u64]) -> usize {
    let (mut start, mut at) = (0, 0);
    while let Some(word) = words.get(at) {
        start = at;
        at += usize::from(Head::unpack(*word).words.max(1));
    }
    start
}
