//! Reports for people: faults, and what `cascade vms` lists.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::System;
use super::vm::{BASE, Block, Body, Fate, Main, Next, Stage, Vm};
use crate::arena::{self, ArenaId};
use crate::service::VmId;

/// What a VM runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VmKind {
    /// IL.
    Il,
    /// Rust.
    Rust,
    /// It is driven from outside the system.
    External,
    /// It has ended.
    Ended,
}

/// One line of `cascade vms`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VmInfo {
    /// The number that the base knows it by.
    pub id: VmId,
    /// Name and index, e.g. `echo/0`.
    pub address: String,
    /// What it runs.
    pub kind: VmKind,
    /// The instruction set that it executes.
    pub set: Option<String>,
    /// What it may send to: `slot name -> address {instructions}` each.
    pub capabilities: Vec<String>,
    /// What it is doing, in words.
    pub state: String,
    /// Bytes in use.
    pub memory_used: u64,
    /// Bytes at most.
    pub memory_limit: u64,
    /// Instructions executed for others.
    pub executed: u64,
}

impl System {
    /// All VMs but the base: first those that have ended and were forgotten (the last of them), then the others.
    pub fn list(&self) -> Vec<VmInfo> {
        let others = self.vms.iter().map(|(number, vm)| (VmId(number), vm)).filter(|(id, _)| *id != BASE);
        let ended = self.ended.iter().map(|(info, _)| info.clone());
        ended.chain(others.map(|(id, vm)| self.info(id, vm))).collect()
    }

    pub(super) fn info(&self, id: VmId, vm: &Vm) -> VmInfo {
        VmInfo {
            id,
            address: vm.address(),
            kind: match vm.body {
                Body::Il(_) => VmKind::Il,
                Body::Rust(_) | Body::Base | Body::Builtin(_) => VmKind::Rust,
                Body::External(_) => VmKind::External,
                Body::Gone => VmKind::Ended,
            },
            set: vm.executes.as_ref().map(|executes| executes.set.path()),
            capabilities: (0..vm.slots.len()).filter_map(|slot| self.capability(vm, slot)).collect(),
            state: self.state(vm),
            memory_used: vm.account.used() + self.arena_bytes(vm),
            memory_limit: vm.account.limit(),
            executed: vm.executed,
        }
    }

    /// What a Rust VM has allocated for itself.
    pub(super) fn arena_bytes(&self, vm: &Vm) -> u64 {
        match &vm.body {
            Body::Rust(rust) if rust.arena != ArenaId::BASE => arena::bytes(rust.arena) as u64,
            _ => 0,
        }
    }

    /// `name -> address {instruction, .., on event}`.
    fn capability(&self, vm: &Vm, slot: usize) -> Option<String> {
        let channel = self.channel_ref(vm.link(slot)?.channel);
        let target = self.vm_ref(channel.receiver);
        let set = &target.executes_set(channel.set)?.set;
        let name = vm.session.wants.get(slot).map_or("?", |want| &want.name);
        let ops = set.instructions.iter().filter(|i| channel.ops.has(i.opcode)).map(|i| i.name.to_string());
        let events = set.events.iter().filter(|e| channel.events.has(e.number)).map(|e| format!("on {}", e.name));
        let rights = ops.chain(events).collect::<Vec<_>>().join(", ");
        Some(format!("{name} -> {} {{{rights}}}", target.address()))
    }

    /// A VM by its number, if there is one.
    pub(super) fn get_vm(&self, id: VmId) -> Option<&Vm> {
        self.vms.get(id.0)
    }

    /// What a VM is doing, in words.
    pub(super) fn state_of(&self, id: VmId) -> String {
        self.get_vm(id).map_or_else(String::new, |vm| self.state(vm))
    }

    pub(super) fn state(&self, vm: &Vm) -> String {
        if let Some(fate) = &vm.fate {
            return match fate {
                Fate::Returned => "ended".to_string(),
                Fate::Exited(code) => format!("ended with exit code {code}"),
                Fate::Fault(report) => format!("ended: {}", report.kind),
                Fate::Refused(refused) => format!("refused: {}", refused.why),
            };
        }
        if vm.session.stage != Stage::Ready {
            return "in the handshake".to_string();
        }
        let peer = |block: &Block| self.vm_ref(self.channel_ref(block.channel()).receiver).address();
        match &vm.body {
            Body::Il(il) => match &il.next {
                Next::Blocked(block @ Block::Reply { .. }) => format!("waits for an answer of {}", peer(block)),
                Next::Blocked(block @ Block::Flush { .. }) => format!("waits until {} has executed all", peer(block)),
                Next::Blocked(block @ Block::Credit { .. }) => format!("waits for room on the way to {}", peer(block)),
                Next::Dispatch if il.main == Main::Gone => "serves".to_string(),
                Next::Dispatch => "waits for events".to_string(),
                _ => "runs".to_string(),
            },
            Body::Rust(rust) if rust.pending => "waits for its device".to_string(),
            Body::Rust(_) | Body::Base | Body::Builtin(_) => "serves".to_string(),
            Body::External(_) => "is driven from outside".to_string(),
            Body::Gone => "is being restarted".to_string(),
        }
    }

    /// How a VM ended, once it has.
    pub fn fate(&self, id: VmId) -> Option<&Fate> {
        let ended = || self.ended.iter().rev().find(|(info, _)| info.id == id).map(|(_, fate)| fate);
        self.vms.get(id.0).map_or_else(ended, |vm| vm.fate.as_ref())
    }

    /// Logs a fault with its stack.
    pub(super) fn report_end(&self, id: VmId, fate: &Fate) {
        let name = self.vm_ref(id).address();
        match fate {
            Fate::Returned => self.trace(format_args!("VM '{name}' has ended")),
            Fate::Exited(code) => self.trace(format_args!("VM '{name}' has ended with exit code {code}")),
            Fate::Refused(refused) => self.trace(format_args!("{refused}")),
            Fate::Fault(report) => {
                let text = report.to_string();
                let mut lines = text.lines();
                self.log(format_args!("fault VM '{name}': {}", lines.next().unwrap_or_default()));
                for line in lines {
                    self.log(format_args!("{line}"));
                }
            }
        }
    }
}
