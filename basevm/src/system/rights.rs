//! Rights: who may send what to whom, as a tree. A channel is one sender's use of one right.
//!
//! ```text
//! granted at a handshake, by a lookup     no parent; the base's
//!   attenuated by a VM                    fewer instructions; that VM may revoke it, and it ends with it
//!     narrowed on its way                 what the static type of an operand leaves of it; the base's
//! ```
//!
//! Invariants: a right never has more than its parent. A revoked right is gone from the table at once, with all below
//! it, and every channel on one of them has got another generation: what was sent there before, also what is queued,
//! meets the choke point with the old one. A capability on its way names a right by its number, which is never used
//! for another one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use il::isa::InstructionSet;
use il::packet::{MAX_OPERANDS, Reader, Value};
use il::ranges::Ranges;
use il::shape::Shapes;
use il::trap::Status;
use il::{CapDef, IsaId, Module, Type, TypeDef, TypeId};

use super::System;
use super::channel::{Channel, ChannelId, Link};
use super::mask::Mask;
use super::observe::RightChange;
use super::table::Table;
use super::vm::{BASE, Body};
use crate::attachment::{Attachment, Capability};
use crate::engine::{Allowed, Program};
use crate::service::VmId;

/// Number of a right in the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RightId(pub u32);

impl RightId {
    /// Names no right: that of a channel to the base.
    pub const NONE: RightId = RightId(u32::MAX);
}

/// One right.
#[derive(Debug)]
pub(crate) struct Right {
    pub target: VmId,
    /// Of which of the target's sets.
    pub set: u8,
    /// Instructions that may be sent.
    pub ops: Mask,
    /// Which operands they may have.
    ranges: Option<Arc<Ranges>>,
    parent: Option<RightId>,
    children: BTreeSet<RightId>,
    /// The VM that made it by `attenuate`.
    owner: Option<VmId>,
    channels: BTreeSet<ChannelId>,
    /// A clone goes with every capability: they are counted by it.
    keep: Arc<()>,
}

/// All rights.
#[derive(Debug)]
pub(super) struct Rights {
    table: Table<Right>,
    /// Rights by the VM that they are to, and by the VM that made them.
    by_target: BTreeMap<VmId, BTreeSet<RightId>>,
    by_owner: BTreeMap<VmId, BTreeSet<RightId>>,
    /// Rights without channels, which capabilities on their way may name.
    lingering: Vec<RightId>,
    /// Looks at those when there are so many.
    sweep_at: usize,
}

/// Rights that linger before they are looked at.
const SWEEP_AT: usize = 64;
/// Slots that a VM was given before its heap is asked which of them it still names.
const COLLECT_AT: usize = 64;

impl Rights {
    pub fn new() -> Rights {
        Rights {
            table: Table::new(),
            by_target: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            lingering: Vec::new(),
            sweep_at: SWEEP_AT,
        }
    }

    /// How many there are, once those that nobody can use are gone.
    pub fn len(&mut self) -> usize {
        self.sweep();
        self.table.len()
    }

    pub fn get(&self, id: RightId) -> Option<&Right> {
        self.table.get(id.0)
    }

    /// A new one; `Quota` if there are too many.
    fn add(
        &mut self,
        target: VmId,
        ops: Mask,
        ranges: Option<Arc<Ranges>>,
        parent: Option<RightId>,
        owner: Option<VmId>,
    ) -> Result<RightId, Status> {
        let (children, channels) = (BTreeSet::new(), BTreeSet::new());
        let set = parent.and_then(|parent| self.get(parent)).map_or(0, |parent| parent.set);
        let right = Right { target, set, ops, ranges, parent, children, owner, channels, keep: Arc::default() };
        let id = self.table.insert(right).map(RightId).map_err(|_| Status::Quota)?;
        self.by_target.entry(target).or_default().insert(id);
        if let Some(owner) = owner {
            self.by_owner.entry(owner).or_default().insert(id);
        }
        if let Some(parent) = parent.and_then(|parent| self.table.get_mut(parent.0)) {
            parent.children.insert(id);
        }
        Ok(id)
    }

    /// What can be attached to a packet.
    pub fn capability(&self, id: RightId) -> Capability {
        self.get(id).map_or_else(Capability::dead, |right| Capability::new(id.0, right.keep.clone()))
    }

    pub fn add_channel(&mut self, id: RightId, channel: ChannelId) {
        if let Some(right) = self.table.get_mut(id.0) {
            right.channels.insert(channel);
        }
    }

    /// A channel on a right is gone.
    pub fn remove_channel(&mut self, id: RightId, channel: ChannelId) {
        if let Some(right) = self.table.get_mut(id.0) {
            right.channels.remove(&channel);
            self.settle(id);
        }
    }

    /// Forgets a right that nobody can use any more, and its parents that are left so.
    fn settle(&mut self, id: RightId) {
        let mut next = Some(id);
        while let Some(id) = next.take() {
            let Some(right) = self.get(id).filter(|right| right.channels.is_empty() && right.children.is_empty())
            else {
                return;
            };
            if Arc::strong_count(&right.keep) > 1 {
                self.lingering.push(id);
                if self.lingering.len() >= self.sweep_at {
                    self.sweep();
                }
                return;
            }
            next = self.remove(id).and_then(|right| right.parent);
        }
    }

    fn sweep(&mut self) {
        // So that settling does not come back here.
        self.sweep_at = usize::MAX;
        let mut lingering = core::mem::take(&mut self.lingering);
        lingering.sort_unstable();
        lingering.dedup();
        lingering.into_iter().for_each(|id| self.settle(id));
        self.sweep_at = SWEEP_AT.max(self.lingering.len() * 2);
    }

    fn remove(&mut self, id: RightId) -> Option<Right> {
        let right = self.table.remove(id.0)?;
        let mut forget = |map: fn(&mut Rights) -> &mut BTreeMap<VmId, BTreeSet<RightId>>, vm: VmId| {
            let map = map(self);
            if let Some(of_vm) = map.get_mut(&vm) {
                of_vm.remove(&id);
                if of_vm.is_empty() {
                    map.remove(&vm);
                }
            }
        };
        forget(|rights| &mut rights.by_target, right.target);
        if let Some(owner) = right.owner {
            forget(|rights| &mut rights.by_owner, owner);
        }
        if let Some(parent) = right.parent.and_then(|parent| self.table.get_mut(parent.0)) {
            parent.children.remove(&id);
        }
        Some(right)
    }

    /// Makes rights to a VM rights to its next incarnation.
    fn retarget(&mut self, from: VmId, to: VmId) {
        let moved = self.by_target.remove(&from).unwrap_or_default();
        for right in &moved {
            if let Some(right) = self.table.get_mut(right.0) {
                right.target = to;
            }
        }
        self.by_target.entry(to).or_default().extend(moved);
    }

    /// Removes a right and all below it; the channels on them.
    fn cut(&mut self, id: RightId) -> Vec<ChannelId> {
        let (mut left, mut channels) = (Vec::from([id]), Vec::new());
        while let Some(id) = left.pop() {
            let Some(right) = self.remove(id) else { continue };
            left.extend(right.children);
            channels.extend(right.channels);
        }
        channels
    }
}

/// What the static type of an operand says about the capability that comes in.
struct Wanted<'m> {
    def: &'m CapDef,
    set: &'m InstructionSet,
}

impl System {
    /// The right to send these instructions of one of its sets to a VM, as an attachment of a reply to whoever it is for; nobody has it
    /// before that comes in.
    ///
    /// # Errors
    /// `PeerGone` if the VM has ended, `Quota` if there are too many rights.
    pub(super) fn grant_attachment(
        &mut self,
        target: VmId,
        set: u8,
        ops: Mask,
        ranges: Option<Arc<Ranges>>,
    ) -> Result<Attachment, Status> {
        let right = self.new_right(target, set, ops, ranges)?;
        let capability = self.rights.capability(right);
        // It has no channel yet, so it is looked at again later.
        self.rights.settle(right);
        Ok(Attachment::Cap(capability))
    }

    /// A right of the base's making.
    pub(super) fn new_right(
        &mut self,
        target: VmId,
        set: u8,
        ops: Mask,
        ranges: Option<Arc<Ranges>>,
    ) -> Result<RightId, Status> {
        if self.vm_ref(target).fate.is_some() {
            return Err(Status::PeerGone);
        }
        let id = self.rights.add(target, ops, ranges, None, None)?;
        if let Some(right) = self.rights.table.get_mut(id.0) {
            right.set = set;
        }
        Ok(id)
    }

    /// Makes a VM's channel on a right.
    pub(super) fn open_channel(&mut self, mut channel: Channel, right: RightId) -> ChannelId {
        channel.right = right;
        channel.set = self.rights.get(right).map_or(channel.set, |right| right.set);
        let id = self.add_channel(channel);
        self.rights.add_channel(right, id);
        self.saw_right(RightChange::Granted, right, self.channel_ref(id).sender);
        id
    }

    // What a VM does with its capabilities.

    /// `attenuate`: a right below that of the slot, with the instructions of a definition, and a slot for it.
    pub(super) fn attenuate(&mut self, id: VmId, slot: usize, def: TypeId) {
        let made = self.attenuated(id, slot, def);
        let Some(il) = self.vm(id).il() else { return };
        let step = match made {
            Ok(slot) => il.instance.resume_capability(slot),
            Err(status) => il.instance.refuse(status),
        };
        self.act(id, step);
    }

    fn attenuated(&mut self, id: VmId, slot: usize, def: TypeId) -> Result<usize, Status> {
        self.reclaim(id);
        let parent = self.right_of(id, slot)?;
        let right = self.rights.get(parent).ok_or(Status::Revoked)?;
        let (target, has, ranges) = (right.target, right.ops, right.ranges.clone());
        let module = self.program_of(id).ok_or(Status::NotPermitted)?;
        let Some(TypeDef::Cap(def)) = module.module().type_def(def) else { return Err(Status::NotPermitted) };
        let ops: Mask = def.instructions.iter().copied().collect();
        if ops.intersect(has) != ops {
            return Err(Status::NotPermitted);
        }
        let right = self.rights.add(target, ops, ranges, Some(parent), Some(id))?;
        self.saw_right(RightChange::Attenuated, right, id);
        let slot = self.give(id, right);
        self.rights.settle(right);
        slot
    }

    /// `revoke`: of what this VM made by `attenuate`.
    pub(super) fn revoke_step(&mut self, id: VmId, slot: usize) {
        let revoked = self.right_of(id, slot).and_then(|right| {
            let owner = self.rights.get(right).ok_or(Status::Revoked)?.owner;
            if owner == Some(id) { Ok(right) } else { Err(Status::NotPermitted) }
        });
        match revoked {
            Ok(right) => {
                self.kill_right(right, Status::Revoked);
                self.go_on(id, 0);
            }
            Err(status) => {
                let Some(il) = self.vm(id).il() else { return };
                let step = il.instance.refuse(status);
                self.act(id, step);
            }
        }
    }

    fn program_of(&self, id: VmId) -> Option<Arc<Program>> {
        match &self.vm_ref(id).body {
            Body::Il(il) => Some(il.instance.program().clone()),
            _ => None,
        }
    }

    /// The right of a slot, if the slot's channel is alive.
    fn right_of(&self, id: VmId, slot: usize) -> Result<RightId, Status> {
        let link = self.vm_ref(id).link(slot).ok_or(Status::NotPermitted)?;
        let channel = self.channel_ref(link.channel);
        if let Some(status) = channel.closed {
            return Err(status);
        }
        if channel.generation != link.generation {
            return Err(Status::Revoked);
        }
        Ok(channel.right)
    }

    /// Ends a right, all below it, and every channel on one of them.
    pub(super) fn kill_right(&mut self, right: RightId, status: Status) {
        let owner = self.rights.get(right).and_then(|right| right.owner);
        self.saw_right(RightChange::Revoked, right, owner.unwrap_or(BASE));
        for channel in self.rights.cut(right) {
            self.cut_channel(channel, status);
        }
    }

    /// What a VM made ends with it, and so does what leads to it, unless it has an heir.
    pub(super) fn end_rights(&mut self, id: VmId, heir: Option<VmId>) {
        while let Some(right) = self.rights.by_owner.get(&id).and_then(BTreeSet::first).copied() {
            self.kill_right(right, Status::Revoked);
        }
        if let Some(heir) = heir {
            return self.rights.retarget(id, heir);
        }
        // The channels to it have been closed, with their own status.
        while let Some(right) = self.rights.by_target.get(&id).and_then(BTreeSet::first).copied() {
            self.rights.cut(right);
        }
    }

    // Coming in.

    /// Makes slots of the capabilities among these operands, for a VM that is about to get them.
    ///
    /// # Errors
    /// `Revoked` for one that is dead, `NotPermitted` if it has less than its type says, `BadOperand` for one of another
    /// set, `Quota` if the VM has too many.
    pub(super) fn land(
        &mut self,
        id: VmId,
        types: &[Type],
        words: &[u64],
        attachments: &mut [Option<Attachment>],
    ) -> Result<(), Status> {
        if !attachments.iter().any(|attachment| matches!(attachment, Some(Attachment::Cap(_)))) {
            return Ok(());
        }
        self.reclaim(id);
        let mut reader = Reader::new(words);
        for ty in types.iter().take(MAX_OPERANDS) {
            let (Value::Ref(index) | Value::OptRef(Some(index))) = reader.next(*ty)? else { continue };
            let Some(Some(Attachment::Cap(capability))) = attachments.get_mut(index as usize) else { continue };
            let right = RightId(capability.right);
            let slot = self.landed(id, right, *ty)?;
            capability.slot = Some(slot as u32);
        }
        Ok(())
    }

    fn landed(&mut self, id: VmId, right: RightId, ty: Type) -> Result<usize, Status> {
        let right = match ty.def() {
            Some(def) => self.narrowed(id, right, def)?,
            None => right,
        };
        let there = self.rights.get(right).ok_or(Status::Revoked)?.channels.iter().find_map(|channel| {
            let channel = self.channels.get(channel.0)?;
            let is_mine = channel.sender == id && !channel.abandoned;
            is_mine.then_some(channel.slot as usize)
        });
        match there {
            Some(slot) => Ok(slot),
            None => self.give(id, right),
        }
    }

    /// The right itself, or, if the type has fewer instructions, one below it that has just these.
    fn narrowed(&mut self, id: VmId, right: RightId, def: TypeId) -> Result<RightId, Status> {
        let program = self.program_of(id).ok_or(Status::BadOperand)?;
        let wanted = wanted(program.module(), def).ok_or(Status::BadOperand)?;
        let found = self.rights.get(right).ok_or(Status::Revoked)?;
        let (target, has) = (found.target, found.ops);
        let ops: Mask = wanted.def.instructions.iter().copied().collect();
        let executes = self.vm_ref(target).executes_set(found.set).cloned().ok_or(Status::PeerGone)?;
        if executes.set.name != wanted.set.name || executes.set.version != wanted.set.version {
            return Err(Status::BadOperand);
        }
        if ops.intersect(has) != ops {
            return Err(Status::NotPermitted);
        }
        if ops == has {
            return Ok(right);
        }
        let same =
            |child: &&RightId| self.rights.get(**child).is_some_and(|child| child.owner.is_none() && child.ops == ops);
        match found.children.iter().find(same) {
            Some(child) => Ok(*child),
            None => {
                let ranges = found.ranges.clone();
                self.rights.add(target, ops, ranges, Some(right), None)
            }
        }
    }

    /// Makes a channel and a slot for a VM that has none on this right.
    fn give(&mut self, id: VmId, right: RightId) -> Result<usize, Status> {
        let found = self.rights.get(right).ok_or(Status::Revoked)?;
        let (target, set, ops, ranges) = (found.target, found.set, found.ops, found.ranges.clone());
        let capability = self.rights.capability(right);
        let program = self.program_of(id).ok_or(Status::NotSupported)?;
        let allowed = self.allowed(program.module(), (target, set), ops, capability);
        let mut channel = Channel::new(id, u32::MAX, target, ops, Mask::NONE);
        channel.ranges = ranges;
        let channel = self.open_channel(channel, right);
        let generation = self.channel_ref(channel).generation;
        let added = self.vm(id).il().and_then(|il| il.instance.add_slot(channel.0, generation, allowed));
        let Some(slot) = added else {
            self.abandon(channel);
            return Err(Status::Quota);
        };
        self.channel(channel).slot = slot as u32;
        let vm = self.vm(id);
        vm.slots.resize(vm.slots.len().max(slot + 1), None);
        vm.slots[slot] = Some(Link { channel, generation });
        Ok(slot)
    }

    /// What a capability is in terms of a module: which of its sets, and the instructions that mean the same there.
    fn allowed(&self, module: &Module, (target, set): (VmId, u8), ops: Mask, capability: Capability) -> Allowed {
        let mut allowed = Allowed { capability, isas: Vec::new(), ops: Mask::NONE };
        let Some(executes) = self.vm_ref(target).executes_set(set) else { return allowed };
        let path = executes.set.path();
        let announced = self.directory.entries().find(|entry| entry.vm == target && entry.own && entry.set() == path);
        let shapes = Shapes::new(module);
        for (at, set) in module.isas.iter().enumerate() {
            if set.name != executes.set.name || set.version != executes.set.version {
                continue;
            }
            allowed.isas.push(IsaId(at as u32));
            for instruction in set.instructions.iter().filter(|instruction| ops.has(instruction.opcode)) {
                let number = u16::from(instruction.opcode);
                let theirs = announced.and_then(|entry| entry.items.iter().find(|item| item.number == number));
                if theirs.is_some_and(|item| item.hash == set.instruction_hash(instruction, &shapes)) {
                    allowed.ops = allowed.ops.with(instruction.opcode);
                }
            }
        }
        allowed
    }

    /// Takes back slots that no value of the VM names, now and then.
    fn reclaim(&mut self, id: VmId) {
        let Some(il) = self.vm(id).il() else { return };
        let given = il.instance.given_slots();
        if given < il.reclaim_at.max(COLLECT_AT) {
            return;
        }
        // What it cannot pay for it will learn at its next allocation.
        let _ = il.instance.collect(true);
        let unused = il.instance.unused_slots();
        il.reclaim_at = (given - unused.len()) * 2;
        for slot in unused {
            il_close(self, id, slot);
        }
    }

    /// A sender has given up its channel.
    fn abandon(&mut self, channel: ChannelId) {
        let sender_side = self.channel(channel);
        sender_side.abandoned = true;
        sender_side.events = Mask::NONE;
        self.leftover.channel(channel);
    }
}

fn il_close(system: &mut System, id: VmId, slot: usize) {
    let vm = system.vm(id);
    let link = vm.slots.get_mut(slot).and_then(Option::take);
    if let Some(il) = vm.il() {
        il.instance.release_slot(slot);
    }
    if let Some(link) = link {
        system.abandon(link.channel);
    }
}

fn wanted(module: &Module, def: TypeId) -> Option<Wanted<'_>> {
    let Some(TypeDef::Cap(def)) = module.type_def(def) else { return None };
    Some(Wanted { def, set: module.isas.get(def.isa.index())? })
}
