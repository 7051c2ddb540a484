//! Requests that are handed on: another VM's answer becomes theirs, and whoever handed one on is out of it.
//!
//! A request that waits keeps its entry among its channel's open ones, which then says as what it went on; the
//! channel that it went on by knows whose answer will come under that tag. A streamed one leaves a count behind,
//! so that its failure sticks, and a `flush` waits, where it was sent first. Neither depends any more on the VM in
//! between, not even on its being alive.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use il::packet;
use il::trap::Status;

use super::System;
use super::channel::{CREDITS, Channel, ChannelId, Open};
use super::deliver::Submitted;
use super::vm::{Block, Turn};
use crate::engine::{Packet, Step};
use crate::service::{Reply, VmId};

/// Tags from here on are those of requests that were handed on.
const HANDED_ON: u32 = 1 << 31;
/// Set too in those of streamed ones; the rest is then an index of [`Forwards::streams`].
const STREAMED: u32 = 1 << 30;
/// Most sources, a channel, whose streamed requests may be under way on it at once; more are refused as busy.
const MAX_STREAMS: usize = 1024;

/// Whether the answer of what has this tag is somebody else's than the sender's.
pub(crate) fn is_handed_on(tag: u32) -> bool {
    tag & HANDED_ON != 0
}

/// What goes by a channel in the place of requests that came by others.
#[derive(Default, Debug)]
pub(crate) struct Forwards {
    /// By tag.
    calls: BTreeMap<u32, Origin>,
    streams: Vec<Stream>,
}

/// The request that an answer is for.
#[derive(Clone, Copy, Debug)]
struct Origin {
    channel: ChannelId,
    serial: u32,
}

/// Streamed requests of one channel and tag that were handed on.
#[derive(Clone, Copy, Debug)]
struct Stream {
    channel: ChannelId,
    tag: u32,
    under_way: usize,
}

/// Whose an answer is.
enum Whose {
    Call(Origin),
    Stream { channel: ChannelId, tag: u32 },
}

impl Forwards {
    /// The tag for one more streamed request from there.
    fn stream(&mut self, channel: ChannelId, tag: u32) -> Result<u32, Status> {
        let same = |stream: &Stream| stream.under_way > 0 && (stream.channel, stream.tag) == (channel, tag);
        let idle = |stream: &Stream| stream.under_way == 0;
        let place = self.streams.iter().position(same).or_else(|| self.streams.iter().position(idle));
        let at = place.unwrap_or(self.streams.len());
        if at >= MAX_STREAMS {
            return Err(Status::Busy);
        }
        let under_way = self.streams.get(at).map_or(0, |stream| stream.under_way) + 1;
        let stream = Stream { channel, tag, under_way };
        match self.streams.get_mut(at) {
            Some(place) => *place = stream,
            None => self.streams.push(stream),
        }
        Ok(HANDED_ON | STREAMED | at as u32)
    }

    /// What has this tag is answered.
    fn take(&mut self, tag: u32) -> Option<Whose> {
        if tag & STREAMED == 0 {
            return self.calls.remove(&tag).map(Whose::Call);
        }
        let stream = self.streams.get_mut((tag & !(HANDED_ON | STREAMED)) as usize)?;
        stream.under_way = stream.under_way.checked_sub(1)?;
        Some(Whose::Stream { channel: stream.channel, tag: stream.tag })
    }

    /// Channels whose streamed requests are under way.
    fn sources(&self) -> impl Iterator<Item = ChannelId> {
        self.streams.iter().filter(|stream| stream.under_way > 0).map(|stream| stream.channel)
    }

    /// The tags of all that is under way, each as often as it is.
    fn tags(&self) -> Vec<u32> {
        let streams = self.streams.iter().enumerate();
        let tags =
            streams.flat_map(|(at, stream)| core::iter::repeat_n(HANDED_ON | STREAMED | at as u32, stream.under_way));
        self.calls.keys().copied().chain(tags).collect()
    }
}

impl Channel {
    fn forwards(&mut self) -> &mut Forwards {
        self.forwards.get_or_insert_default()
    }

    /// Whose answer comes under this tag, if it is not the sender's own.
    fn whose(&mut self, tag: u32) -> Option<Whose> {
        if !is_handed_on(tag) {
            return None;
        }
        self.forwards.as_mut()?.take(tag)
    }
}

impl System {
    /// `forward`: the open packet's last instruction takes the place of the request under way.
    pub(super) fn forward(&mut self, id: VmId, slot: usize, opcode: u8) {
        let Some((origin, open)) = self.vm(id).il().and_then(|il| il.turn.as_ref()?.request) else {
            return self.forwarded(id, slot, Err(Status::NotSupported));
        };
        let Some(link) = self.vm_ref(id).link(slot) else {
            return self.forwarded(id, slot, Err(Status::NotPermitted));
        };
        if let Some(status) = self.channel_ref(link.channel).closed {
            return self.forwarded(id, slot, Err(status));
        }
        if self.is_streamed(id, slot, opcode) {
            let sent = self.forward_streamed(id, origin, open, link.channel);
            return self.forwarded(id, slot, sent);
        }
        let step = Step::Forward { slot, opcode };
        if let Submitted::Full(channel) = self.submit_all(id, Some(slot), false) {
            return self.wait_for_credit(id, channel, step);
        }
        let receiver = self.channel_ref(link.channel).receiver;
        if let Some(cycle) = self.cycle_of_request(origin, open, receiver) {
            self.log(format_args!("deadlock: {cycle}: the request fails"));
            return self.forwarded(id, slot, Err(Status::Deadlock));
        }
        if self.channel_ref(link.channel).queued >= CREDITS {
            return self.wait_for_credit(id, link.channel, step);
        }
        let channel = self.channel(link.channel);
        let tag = HANDED_ON | channel.fresh_tag();
        channel.forwards().calls.insert(tag, Origin { channel: origin, serial: open.serial });
        self.note_holder(origin, open, Some((link.channel, tag)));
        let Some(il) = self.vm(id).il() else { return };
        il.instance.set_tag(tag);
        let packet = il.instance.take_packet(slot);
        // What follows may answer the request, so it must not be this turn's any more.
        self.give_up_request(id);
        if let Err(status) = self.enqueue_call(link, packet) {
            self.answer(link.channel, tag, Err(status));
        }
        self.forwarded(id, slot, Ok(()));
    }

    /// Whether the instruction gives no answer.
    fn is_streamed(&mut self, id: VmId, slot: usize, opcode: u8) -> bool {
        let Some(il) = self.vm(id).il() else { return false };
        let module = il.instance.program().module();
        let set = module.uses.get(slot).and_then(|wanted| module.isas.get(wanted.isa.index()));
        set.and_then(|set| set.instruction(opcode)).is_some_and(|instruction| instruction.results.is_none())
    }

    /// A streamed instruction stays in the open packet, and goes when that does.
    fn forward_streamed(&mut self, id: VmId, origin: ChannelId, open: Open, to: ChannelId) -> Result<(), Status> {
        let tag = self.channel(to).forwards().stream(origin, open.tag)?;
        if let Some(il) = self.vm(id).il() {
            il.instance.set_tag(tag);
        }
        let channel = self.channel(origin);
        channel.finish(open.serial);
        channel.handed_on += 1;
        self.give_up_request(id);
        Ok(())
    }

    /// The answer of the request under way is not this turn's any more.
    fn give_up_request(&mut self, id: VmId) {
        if let Some(Turn { request, .. }) = self.vm(id).il().and_then(|il| il.turn.as_mut()) {
            *request = None;
        }
    }

    /// Lets the `op` return; if the request could not be handed on, it fails.
    fn forwarded(&mut self, id: VmId, slot: usize, sent: Result<(), Status>) {
        if let Err(status) = sent {
            self.cut_off(id, slot);
            if let Some(turn) = self.vm(id).il().and_then(|il| il.turn.as_mut()) {
                turn.failed = Some(status);
            }
        }
        let Some(il) = self.vm(id).il() else { return };
        let step = il.instance.resume(0);
        self.act(id, step);
    }

    /// Notes as what an open request went on.
    fn note_holder(&mut self, origin: ChannelId, open: Open, went: Option<(ChannelId, u32)>) {
        let entry = self.channel(origin).open.iter_mut().find(|other| other.serial == open.serial);
        if let Some(entry) = entry {
            entry.went = went;
        }
    }

    /// Follows an answer to the request that it is for, through however many hands that went: its channel, tag, and
    /// the answer.
    pub(super) fn follow_back(
        &mut self,
        mut id: ChannelId,
        mut tag: u32,
        mut result: Result<Reply, Status>,
    ) -> Option<(ChannelId, u32, Result<Reply, Status>)> {
        while let Some(whose) = self.channel(id).whose(tag) {
            (id, tag) = match whose {
                Whose::Call(origin) => {
                    let open = self.channel(origin.channel).finish(origin.serial)?;
                    (origin.channel, open.tag)
                }
                Whose::Stream { channel, tag } => {
                    let source = self.channel(channel);
                    source.handed_on = source.handed_on.saturating_sub(1);
                    (channel, tag)
                }
            };
            if is_handed_on(tag) {
                self.check_drained(id);
            } else if tag != 0
                && let Some(status) = self.channel(id).sticky.take()
            {
                // A streamed one before it has failed meanwhile.
                result = Err(status);
            }
        }
        Some((id, tag, result))
    }

    /// What was handed on by a channel fails: its receiver is gone.
    pub(super) fn fail_forwards(&mut self, id: ChannelId, status: Status) {
        let tags = self.channel(id).forwards.as_ref().map_or(Vec::new(), |forwards| forwards.tags());
        for tag in tags {
            self.answer(id, tag, Err(status));
        }
    }

    /// Drops a packet that is not sent; requests that were handed on in it fail.
    pub(super) fn drop_packet(&mut self, id: ChannelId, packet: Packet, status: Status) {
        let heads = packet::instructions(&packet.words).map_while(Result::ok);
        let tags: Vec<u32> = heads.map(|(head, _)| head.tag).filter(|tag| is_handed_on(*tag)).collect();
        drop(packet);
        for tag in tags {
            self.answer(id, tag, Err(status));
        }
    }

    // Who waits for whom

    /// Who has the right to answer what was sent under this tag.
    fn holder(&self, mut id: ChannelId, mut tag: u32) -> VmId {
        loop {
            let channel = self.channel_ref(id);
            let open = channel.open.iter().find(|open| open.tag == tag);
            match open.and_then(|open| open.went) {
                Some((next, as_what)) => (id, tag) = (next, as_what),
                None => return channel.receiver,
            }
        }
    }

    /// The VMs for which a blocked one waits: for each of them, so any way back to it is a deadlock.
    fn waits_for(&self, id: VmId) -> Vec<VmId> {
        match self.vm_ref(id).block() {
            None => Vec::new(),
            Some(Block::Reply { channel, tag, .. }) => alloc::vec![self.holder(*channel, *tag)],
            Some(Block::Credit { channel, .. }) => alloc::vec![self.channel_ref(*channel).receiver],
            Some(Block::Flush { channel }) => self.holders(*channel),
        }
    }

    /// All who have something of a channel to execute or to answer.
    fn holders(&self, id: ChannelId) -> Vec<VmId> {
        let (mut channels, mut holders) = (alloc::vec![id], Vec::new());
        let mut at = 0;
        while let Some(id) = channels.get(at).copied() {
            at += 1;
            let channel = self.channel_ref(id);
            if channel.queued > 0 || channel.open.iter().any(|open| open.went.is_none()) {
                holders.push(channel.receiver);
            }
            holders.extend(channel.open.iter().filter_map(|open| open.went).map(|(id, tag)| self.holder(id, tag)));
            if channel.handed_on > 0 {
                let slots = self.vm_ref(channel.receiver).slots.iter().flatten().map(|link| link.channel);
                let carries = |other: &ChannelId| {
                    let forwards = self.channel_ref(*other).forwards.as_ref();
                    forwards.is_some_and(|forwards| forwards.sources().any(|source| source == id))
                };
                let next: Vec<ChannelId> = slots.filter(|other| carries(other) && !channels.contains(other)).collect();
                channels.extend(next);
            }
        }
        holders
    }

    /// The chain of waiting VMs, if `caller` waiting for `callee` would close it.
    pub(super) fn cycle(&self, caller: VmId, callee: VmId) -> Option<alloc::string::String> {
        // The usual case: whoever is called waits for nobody.
        if caller != callee && self.vm_ref(callee).block().is_none() {
            return None;
        }
        // Each with the one that waits for it.
        let mut seen = alloc::vec![(callee, 0)];
        let mut at = 0;
        while let Some((vm, _)) = seen.get(at).copied() {
            if vm == caller {
                return Some(self.chain(caller, &seen, at));
            }
            for next in self.waits_for(vm) {
                if !seen.iter().any(|(other, _)| *other == next) {
                    seen.push((next, at));
                }
            }
            at += 1;
        }
        None
    }

    /// `a/0 -> b/0 -> a/0`, from where the search for a cycle ended.
    fn chain(&self, caller: VmId, seen: &[(VmId, usize)], end: usize) -> alloc::string::String {
        let mut way = alloc::vec![];
        let mut at = end;
        while let Some((vm, before)) = seen.get(at).copied() {
            way.push(vm);
            if at == 0 {
                break;
            }
            at = before;
        }
        let mut text = self.vm_ref(caller).address();
        for vm in way.iter().rev() {
            text = alloc::format!("{text} -> {}", self.vm_ref(*vm).address());
        }
        text
    }

    /// The chain, if a request that is handed on to `receiver` would never be answered: whoever waits for it is who
    /// `receiver` waits for.
    fn cycle_of_request(&self, origin: ChannelId, open: Open, receiver: VmId) -> Option<alloc::string::String> {
        let (mut id, mut tag) = (origin, open.tag);
        loop {
            let channel = self.channel_ref(id);
            if is_handed_on(tag) {
                let before = channel.forwards.as_ref()?.calls.get(&tag)?;
                let open = self.channel_ref(before.channel).open.iter().find(|open| open.serial == before.serial)?;
                (id, tag) = (before.channel, open.tag);
                continue;
            }
            let waits = match self.vm_ref(channel.sender).block()? {
                Block::Reply { channel, tag: waited, .. } => (*channel, *waited) == (id, tag),
                Block::Flush { channel } => *channel == id,
                Block::Credit { .. } => false,
            };
            return if waits { self.cycle(channel.sender, receiver) } else { None };
        }
    }
}
