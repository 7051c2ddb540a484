//! Ends: of a VM, and of a capability. Callers learn of them first, then memory goes back.

use alloc::vec::Vec;

use il::trap::Status;

use super::System;
use super::channel::{ChannelId, Link};
use super::mask::Mask;
use super::supervise::Origin;
use super::vm::{Block, Body, Fate, Next};
use crate::service::VmId;

impl System {
    /// Ends a VM: reports a fault, fails its callers with status 6, closes the capabilities that
    /// others hold of it, and frees all that it held. What it had sent is still executed.
    pub(super) fn end(&mut self, id: VmId, fate: Fate) {
        if self.vm_ref(id).fate.is_some() {
            return;
        }
        self.report_end(id, &fate);
        let next = self.succeed(id, &fate);
        let vm = self.vm(id);
        vm.fate = Some(fate);
        let body = core::mem::replace(&mut vm.body, Body::Gone);
        let held = (core::mem::take(&mut vm.inbox), vm.work.take());
        vm.events_queued = 0;
        vm.lost.clear();
        let (incoming, slots, base) = (vm.incoming.clone(), core::mem::take(&mut vm.slots), vm.base);
        self.cancel_timers(id);
        self.services.retain(|service| *service != id);
        let names = self.directory.withdraw(id);
        if let Some(index) = self.vm(id).supervision.index.take() {
            // It had never come back.
            let name = self.vm_ref(id).name.clone();
            self.directory.release(&name, index);
        }
        let heir = next.filter(|_| self.vm_ref(id).options.restart.keep_clients);
        for channel in incoming {
            match heir {
                Some(heir) if self.vm_ref(self.channel_ref(channel).sender).fate.is_none() => {
                    self.hand_over(channel, heir);
                }
                _ => self.close(channel, Status::PeerGone),
            }
            self.leftover.channel(channel);
        }
        for link in slots.into_iter().flatten().chain(base) {
            // Its answers find nobody; its events have no handler.
            self.channel(link.channel).events = Mask::NONE;
            self.sender_ended(link.channel);
            self.leftover.channel(link.channel);
        }
        self.saw_end(id);
        drop(held);
        drop(body);
        self.end_rights(id, heir);
        self.raise_left(names);
        self.end_family(id, next);
        if next.is_none() {
            self.note_outcome(id);
        }
        self.leftover.vm(id);
    }

    /// What a VM has spawned ends with it, and what it was about to spawn is not.
    fn end_family(&mut self, id: VmId, next: Option<VmId>) {
        self.spawns.retain(|spawn| spawn.spawner != id);
        if let Some(parent) = self.vm(id).parent.take() {
            let children = &mut self.vm(parent).children;
            children.retain(|child| *child != id);
            children.extend(next);
        }
        for child in core::mem::take(&mut self.vm(id).children) {
            self.vm(child).parent = None;
            self.stop_vm(child);
        }
    }

    /// Ends a VM by the supervisor's decision, as if its `main` had returned.
    pub fn stop_vm(&mut self, id: VmId) {
        if self.vm_ref(id).fate.is_none() && !matches!(self.vm_ref(id).body, Body::Base) {
            let _ = self.submit_all(id, None, true);
            self.vm(id).supervision.origin = Origin::None;
            self.end(id, Fate::Returned);
        }
    }

    /// Takes away what a VM was given in a slot, at once: what is under way and what is sent later
    /// fails with status 5. Whether there was anything to take.
    pub fn revoke(&mut self, id: VmId, slot: usize) -> bool {
        let Some(link) = self.vms.get(id.0).and_then(|vm| vm.link(slot)) else { return false };
        if self.channel(link.channel).generation != link.generation {
            return false;
        }
        self.cut_channel(link.channel, Status::Revoked);
        true
    }

    /// Lets a channel's sender use it no more, at once.
    pub(super) fn cut_channel(&mut self, id: ChannelId, status: Status) {
        let channel = self.channel(id);
        channel.generation = channel.generation.wrapping_add(1);
        channel.events = Mask::NONE;
        self.saw_close(id, status);
        let _ = self.release_sender(id, status);
    }

    /// Takes away all but these instructions and events of what a VM was given in a slot.
    pub fn narrow(&mut self, id: VmId, slot: usize, ops: Mask, events: Mask) -> bool {
        let Some(Link { channel, .. }) = self.vms.get(id.0).and_then(|vm| vm.link(slot)) else { return false };
        let channel = self.channel(channel);
        channel.ops = channel.ops.intersect(ops);
        channel.events = channel.events.intersect(events);
        true
    }

    /// Closes a channel for ever: its receiver is gone.
    fn close(&mut self, id: ChannelId, status: Status) {
        let channel = self.channel(id);
        channel.closed = Some(status);
        channel.queued = 0;
        // What was handed on is still answered, by others.
        channel.open.retain(|open| open.went.is_some());
        channel.events = Mask::NONE;
        let (sender, slot, abandoned) = (channel.sender, channel.slot as usize, channel.abandoned);
        if let Some(il) = self.vm(sender).il()
            && !abandoned
        {
            il.instance.close_slot(slot);
        }
        self.saw_close(id, status);
        self.fail_forwards(id, status);
        let _ = self.release_sender(id, status);
    }

    /// Ends a sender's wait on a channel with this status, but for what others will answer. Whether it learns of the
    /// status by that.
    pub(super) fn release_sender(&mut self, id: ChannelId, status: Status) -> bool {
        self.end_programs(id);
        let channel = self.channel(id);
        let sender = channel.sender;
        let handed_on: Vec<u32> = match channel.closed {
            Some(_) => channel.open.iter().filter(|open| open.went.is_some()).map(|open| open.tag).collect(),
            None => Vec::new(),
        };
        match &mut self.vm(sender).body {
            Body::External(external) => external.fail_all(id, &handed_on, status) > 0,
            Body::Il(il) if matches!(il.next, Next::Blocked(Block::Reply { tag, .. }) if handed_on.contains(&tag)) => {
                false
            }
            Body::Il(il) if matches!(&il.next, Next::Blocked(block) if block.channel() == id) => {
                let (next, told) = match core::mem::replace(&mut il.next, Next::Running) {
                    Next::Blocked(Block::Credit { step, .. }) => (Next::Retry(step), false),
                    Next::Blocked(Block::Flush { .. }) => (Next::Resume(status as u64), true),
                    _ => (Next::ResumeCall(Err(status)), true),
                };
                il.next = next;
                self.make_ready(sender);
                told
            }
            _ => false,
        }
    }
}
