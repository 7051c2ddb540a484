//! Forgetting: what ended VMs leave behind goes when nothing refers to it any more.
//!
//! A channel goes when its sender has ended, or given it up, and all that it sent was executed; an ended VM when the last channel of its
//! own is gone. Both happen between steps only, so no operation meets a number that went out of date
//! under it.

use alloc::vec::Vec;

use super::System;
use super::channel::ChannelId;
use super::vm::BASE;
use crate::service::VmId;

/// Ended VMs that are remembered for reports.
pub(super) const MAX_ENDED: usize = 1024;

/// What to look at between two steps.
#[derive(Default, Debug)]
pub(super) struct Leftover {
    channels: Vec<ChannelId>,
    vms: Vec<VmId>,
}

impl Leftover {
    /// A channel whose sender has ended, or one of its ends.
    pub fn channel(&mut self, id: ChannelId) {
        self.channels.push(id);
    }

    /// A VM has ended.
    pub fn vm(&mut self, id: VmId) {
        self.vms.push(id);
    }

    fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.vms.is_empty()
    }
}

/// How full the tables are: what a test compares before and after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableSizes {
    /// VMs, the base and those that ended lately included.
    pub vms: usize,
    /// Channels.
    pub channels: usize,
    /// Rights, those of which a capability is on its way included.
    pub rights: usize,
    /// Timers.
    pub timers: usize,
    /// Names in the directory, those kept for VMs that are being restarted included.
    pub names: usize,
    /// Subscriptions to arrivals.
    pub subscriptions: usize,
}

impl System {
    /// Forgets what can be forgotten. Between steps only.
    #[inline]
    pub(super) fn reap(&mut self) {
        if !self.leftover.is_empty() {
            self.reap_all();
        }
    }

    #[cold]
    fn reap_all(&mut self) {
        while let Some(id) = self.leftover.channels.pop() {
            self.reap_channel(id);
        }
        while let Some(id) = self.leftover.vms.pop() {
            self.reap_vm(id);
        }
    }

    fn reap_channel(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(id.0) else { return };
        let (sender, receiver) = (channel.sender, channel.receiver);
        let is_over = channel.closed.is_some() || channel.is_executed();
        let in_use = self.vm_ref(sender).fate.is_none() && !channel.abandoned;
        if in_use || !is_over {
            return;
        }
        let right = channel.right;
        self.end_programs(id);
        self.unlink_incoming(id);
        self.channels.remove(id.0);
        self.rights.remove_channel(right, id);
        self.vm(sender).channels -= 1;
        for end in [sender, receiver] {
            if self.vm_ref(end).fate.is_some() {
                self.leftover.vm(end);
            }
        }
    }

    fn reap_vm(&mut self, id: VmId) {
        let Some(vm) = self.vms.get(id.0) else { return };
        if id == BASE || vm.fate.is_none() || vm.channels > 0 {
            return;
        }
        let info = self.info(id, vm);
        let Some(fate) = self.vms.remove(id.0).and_then(|vm| vm.fate) else { return };
        if self.ended.len() == MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((info, fate));
    }

    /// How full the tables are now.
    pub fn table_sizes(&mut self) -> TableSizes {
        self.reap();
        let [names, subscriptions] = self.directory.sizes();
        let (vms, channels, timers) = (self.vms.len(), self.channels.len(), self.timers.len());
        let rights = self.rights.len();
        TableSizes { vms, channels, rights, timers, names, subscriptions }
    }
}
