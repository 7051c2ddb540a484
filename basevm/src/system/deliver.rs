//! The way of a packet: submitted by its sender, admitted at the receiver's choke point, answered.

use alloc::vec::Vec;
use core::ops::Range;

use il::packet::Head;
use il::trap::Status;

use super::channel::{CREDITS, ChannelId, Charge, Delivery, Executes, Link, Open, Work};
use super::forward::is_handed_on;
use super::vm::{Block, Body, Next};
use super::{System, events, programs};
use crate::engine::Packet;
use crate::service::{Reply, VmId};

/// What stands next in a packet.
pub(super) enum Arrived {
    /// Admitted: its head, where its operands stand, and its position in the instruction set.
    Request { head: Head, operands: Range<usize>, position: usize },
    /// To be answered with this status, and not executed.
    Refused { head: Head, status: Status },
    /// A program that has been started, or waits to be: the packet is to be parked.
    Parked,
}

/// What became of an open packet.
pub(super) enum Submitted {
    /// It is on its way, or there was nothing to send.
    Sent,
    /// The channel's queue is full.
    Full(ChannelId),
}

impl System {
    /// Sends the open packet of an IL VM's slot. With `force`, past the credits: the VM is ending.
    pub(super) fn submit(&mut self, id: VmId, slot: usize, force: bool) -> Submitted {
        let vm = self.vm(id);
        let link = vm.link(slot);
        let Some(il) = vm.il() else { return Submitted::Sent };
        if il.instance.next_packet(slot) != Some(slot) {
            return Submitted::Sent;
        }
        if slot == il.instance.events_slot() {
            let packet = il.instance.take_packet(slot);
            self.emit_packet(id, packet);
            return Submitted::Sent;
        }
        let Some(link) = link else {
            drop(self.take_packet(id, slot));
            return Submitted::Sent;
        };
        let channel = self.channel(link.channel);
        if let Some(status) = channel.closed {
            channel.stick(status);
            let packet = self.take_packet(id, slot);
            self.drop_packet(link.channel, packet, status);
            return Submitted::Sent;
        }
        if channel.queued >= CREDITS && !force {
            return Submitted::Full(link.channel);
        }
        let packet = self.take_packet(id, slot);
        if let Err(status) = self.enqueue(link, packet) {
            self.channel(link.channel).stick(status);
        }
        Submitted::Sent
    }

    pub(super) fn take_packet(&mut self, id: VmId, slot: usize) -> Packet {
        self.vm(id).il().map(|il| il.instance.take_packet(slot)).unwrap_or_default()
    }

    /// Sends all open packets but that of slot `but`.
    pub(super) fn submit_all(&mut self, id: VmId, but: Option<usize>, force: bool) -> Submitted {
        let mut from = 0;
        while let Some(slot) = self.vm(id).il().and_then(|il| il.instance.next_packet(from)) {
            from = slot + 1;
            if Some(slot) != but
                && let Submitted::Full(channel) = self.submit(id, slot, force)
            {
                return Submitted::Full(channel);
            }
        }
        Submitted::Sent
    }

    /// Puts a packet into the receiver's inbox. A receiver written in Rust that has nothing else to do executes it
    /// at once, on the sender's slice; while that goes on it is not charged.
    pub(super) fn enqueue(&mut self, link: Link, packet: Packet) -> Result<(), Status> {
        let channel = self.channel_ref(link.channel);
        if let Some(status) = channel.closed {
            return Err(status);
        }
        let (sender, receiver) = (channel.sender, channel.receiver);
        let at_once = match &self.vm_ref(receiver).body {
            Body::Rust(rust) => {
                let vm = self.vm_ref(receiver);
                rust.service.is_some() && vm.is_ready() && !vm.has_work() && !channel.is_busy()
            }
            Body::Base | Body::Builtin(_) => true,
            Body::Il(_) | Body::External(_) | Body::Gone => false,
        };
        let charge = match at_once {
            true => None,
            false => Some(Charge::new(&self.vm_ref(sender).account, packet.words.len()).ok_or(Status::Quota)?),
        };
        self.channel(link.channel).queued += 1;
        let number = self.saw_sent(link, &packet);
        let mut work = Work::new(link, packet.words, packet.attachments, charge);
        work.number = number;
        if at_once && matches!(self.vm_ref(receiver).body, Body::Rust(_)) {
            self.begin_work(receiver, work);
            self.run_service(receiver);
            return Ok(());
        }
        self.vm(receiver).inbox.push(sender, Delivery::Packet(work));
        match &self.vm_ref(receiver).body {
            Body::Base => self.run_base(),
            Body::Builtin(_) => self.run_builtin(receiver),
            _ => self.notify(receiver),
        }
        Ok(())
    }

    /// Sends the packet of a call. A receiver that can run does so at once, on the caller's slice: an idle one executes the
    /// call, without any queue; one that has more to do gets on with it, up to the call in its turn.
    pub(super) fn enqueue_call(&mut self, link: Link, packet: Packet) -> Result<(), Status> {
        let channel = self.channel_ref(link.channel);
        let receiver = channel.receiver;
        let vm = self.vm_ref(receiver);
        let idle = matches!(&vm.body, Body::Il(il) if il.is_idle()) && !channel.is_busy();
        if idle && self.handoff.is_none() && !vm.scheduled && !vm.has_work() && vm.is_ready() {
            self.channel(link.channel).queued += 1;
            let number = self.saw_sent(link, &packet);
            let mut work = Work::new(link, packet.words, packet.attachments, None);
            work.number = number;
            self.begin_work(receiver, work);
            self.vm(receiver).scheduled = true;
            self.handoff = Some(receiver);
            return Ok(());
        }
        self.enqueue(link, packet)?;
        if self.vm_ref(receiver).scheduled && self.handoff.is_none() {
            self.handoff = Some(receiver);
        }
        Ok(())
    }

    /// Gives a VM its next packet past the inbox, which is empty.
    fn begin_work(&mut self, id: VmId, work: Work) {
        self.saw_begin(work.number);
        self.vm(id).work = Some(work);
    }

    /// The packet that was begun waits until everyone else who has sent something had a turn.
    pub(super) fn take_turns(&mut self, id: VmId) {
        let Some(work) = &self.vm_ref(id).work else { return };
        let sender = self.channel_ref(work.link.channel).sender;
        if !self.vm_ref(id).inbox.has_other(sender) {
            return;
        }
        self.charge_work(id);
        let vm = self.vm(id);
        if let Some(work) = vm.work.take() {
            vm.inbox.put_back(sender, Delivery::Packet(work));
        }
    }

    /// The packet that was begun has to wait, at its sender's cost.
    pub(super) fn charge_work(&mut self, id: VmId) {
        let Some(mut work) = self.vm(id).work.take() else { return };
        let sender = self.channel_ref(work.link.channel).sender;
        work.charge_to(&self.vm_ref(sender).account);
        self.vm(id).work = Some(work);
    }

    /// The choke point: takes the next instruction out of a packet and decides whether it is executed.
    pub(super) fn arrive(&mut self, executes: &Executes, work: &mut Work) -> Option<Arrived> {
        loop {
            let (head, operands) = match work.next()? {
                Ok(next) => next,
                Err(status) => return Some(Arrived::Refused { head: Head { opcode: 0, words: 0, tag: 0 }, status }),
            };
            let channel = self.channel(work.link.channel);
            if head.tag != 0
                && !is_handed_on(head.tag)
                && let Some(status) = channel.sticky.take()
            {
                return Some(Arrived::Refused { head, status });
            }
            if !programs::concerns(head.opcode) {
                return Some(self.arrive_request(executes, work, head, operands));
            }
            if let Some(arrived) = self.arrive_program(work, head, operands) {
                return Some(arrived);
            }
        }
    }

    fn arrive_request(&mut self, executes: &Executes, work: &Work, head: Head, operands: Range<usize>) -> Arrived {
        let channel = self.channel(work.link.channel);
        let words = &work.words[operands.clone()];
        let admitted = channel.admit(executes, work.link.generation, head, words, &work.attachments);
        match admitted {
            Ok(position) => Arrived::Request { head, operands, position },
            Err(status) => Arrived::Refused { head, status },
        }
    }

    /// Answers a request: by its tag if the sender still waits for it; a streamed one's failure sticks.
    /// What nobody waits for is dropped, and the buffers in it are freed.
    pub(super) fn answer(&mut self, id: ChannelId, tag: u32, result: Result<Reply, Status>) {
        if !is_handed_on(tag) {
            return self.answer_sender(id, tag, result);
        }
        self.saw_answer(id, tag, &result);
        if let Some((id, tag, result)) = self.follow_back(id, tag, result)
            && !is_handed_on(tag)
        {
            self.answer_sender(id, tag, result);
            self.check_drained(id);
        }
    }

    fn answer_sender(&mut self, id: ChannelId, tag: u32, result: Result<Reply, Status>) {
        self.saw_answer(id, tag, &result);
        let channel = self.channel(id);
        let sender = channel.sender;
        if tag == 0 {
            if let Err(status) = result {
                channel.stick(status);
            }
            return;
        }
        let vm = self.vm(sender);
        if vm.base.is_some_and(|base| base.channel == id) {
            vm.session.answer = Some(result);
            return;
        }
        match &mut vm.body {
            Body::Il(il) => {
                let Next::Blocked(Block::Reply { channel, tag: waited, deadline }) = il.next else { return };
                if channel != id || waited != tag {
                    return;
                }
                il.next = Next::ResumeCall(result);
                if let Some(time) = deadline {
                    self.cancel_call_timer(sender, time, tag);
                }
                self.hand_off(sender);
            }
            Body::External(external) => external.answered(id, tag, result),
            Body::Base | Body::Builtin(_) | Body::Rust(_) | Body::Gone => {}
        }
    }

    /// Refuses a request without executing it.
    pub(super) fn refuse(&mut self, work: &Work, head: Head, status: Status) {
        self.answer(work.link.channel, head.tag, Err(status));
    }

    /// An instruction that was taken with [`super::channel::Channel::begin`] has its answer.
    pub(super) fn finish(&mut self, channel: ChannelId, open: Open, result: Result<Reply, Status>) {
        if self.channel(channel).finish(open.serial).is_some() {
            self.answer(channel, open.tag, result);
            self.check_drained(channel);
            self.answered_all(channel);
        }
    }

    /// A packet was executed to its end: returns its credit, frees what was not taken from it, and
    /// gives its memory back to the sender's slot.
    pub(super) fn packet_done(&mut self, work: Work) {
        self.saw_done(work.number);
        let id = work.link.channel;
        let packet = Packet { words: work.into_words(), attachments: Vec::new() };
        let channel = self.channel(id);
        channel.queued = channel.queued.saturating_sub(1);
        let (sender, slot) = (channel.sender, channel.slot as usize);
        if let Some(il) = self.vm(sender).il() {
            il.instance.recycle(slot, packet);
        }
        self.check_drained(id);
    }

    /// Wakes the sender if it waited for room, or for all to be executed.
    pub(super) fn check_drained(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(id.0) else { return };
        let sender = channel.sender;
        let Some(vm) = self.vms.get_mut(sender.0) else { return };
        if vm.fate.is_some() || channel.abandoned {
            return self.leftover.channel(id);
        }
        let Body::Il(il) = &mut vm.body else { return };
        match core::mem::replace(&mut il.next, Next::Running) {
            Next::Blocked(Block::Credit { channel: waited, step }) if waited == id && channel.queued < CREDITS => {
                il.next = Next::Retry(step);
            }
            Next::Blocked(Block::Flush { channel: waited }) if waited == id && channel.is_drained() => {
                il.next = Next::Resume(channel.sticky.take().map_or(0, |status| status as u64));
            }
            other => {
                il.next = other;
                return;
            }
        }
        self.make_ready(sender);
    }

    /// Something came for a VM: lets it run if it can act on it.
    pub(super) fn notify(&mut self, id: VmId) {
        let vm = self.vm(id);
        let idle = match &vm.body {
            Body::Il(il) => il.is_idle(),
            Body::Rust(rust) => rust.service.is_some(),
            Body::Base | Body::Builtin(_) | Body::External(_) | Body::Gone => false,
        };
        if idle && vm.is_ready() && vm.has_work() {
            self.make_ready(id);
        }
    }

    /// The next delivery of a VM's inbox. Lost events are reported with the next one that comes.
    pub(super) fn next_delivery(&mut self, id: VmId) -> Option<Delivery> {
        let delivery = loop {
            let next = self.vm(id).inbox.pop()?;
            if let Some(delivery) = self.unless_busy(next) {
                break delivery;
            }
        };
        self.saw_taken(&delivery);
        if let Delivery::Event(event) = &delivery {
            self.vm(id).events_queued -= 1;
            events::report_lost(self, id, event.slot, event.number);
        }
        Some(delivery)
    }
}
