//! References across calls that may collect.
//!
//! Before such a call every reference that lives on is stored in the frame, and the call's stack map says where; after
//! it, each is loaded again: a new value, because the object may have moved. A call on a cold path therefore
//! costs the hot path nothing, and calls that cannot collect (see [`crate::abi::ExitInfo::collects`]) need none of it.
//!
//! - A local lives on if the call lies in its range (`scan`). Outside its range its value is stale, and nobody looks.
//! - An operand lives on if it is on the stack. From then on it has a home (`Operand::home`).
//! - Where that would make too much code, the locals that are references live in the frame for good.

use alloc::vec::Vec;

use cranelift_codegen::ir::{Inst, InstBuilder, StackSlot, UserStackMapEntry, types};
use cranelift_frontend::Variable;
use il::LocalId;

use super::Lowering;
use super::locals::Place;
use super::operand::Home;

/// References up to this depth of the operand stack are in variables.
const VARIABLES: usize = 6;

/// What is in the frame during one call.
struct Spilled {
    /// To be loaded again.
    variables: Vec<(Variable, StackSlot)>,
    /// Locals that live there.
    frame: Vec<StackSlot>,
}

impl Lowering<'_, '_> {
    /// Makes a call that may collect. If that happens on one of several paths that meet again, the operands must have been
    /// housed before they parted.
    pub(super) fn across(&mut self, call: impl FnOnce(&mut Self) -> Inst) -> Inst {
        let spilled = self.spill();
        let call = call(self);
        let slots = spilled.variables.iter().map(|(_, slot)| slot).chain(&spilled.frame);
        for slot in slots {
            let entry = UserStackMapEntry { ty: types::I64, slot: *slot, offset: 0 };
            self.b.func.dfg.append_user_stack_map_entry(call, entry);
        }
        for (variable, slot) in spilled.variables {
            let moved = self.b.ins().stack_load(types::I64, types::I64, slot, 0);
            self.b.def_var(variable, moved);
        }
        call
    }

    /// Gives each reference on the operand stack a home.
    pub(super) fn house_operands(&mut self) {
        for at in 0..self.stack.len() {
            let Some(operand) = self.stack.get(at).copied() else { return };
            // A null stays what it is.
            if !operand.moves() || operand.home.is_some() || self.constant(operand.value).is_some() {
                continue;
            }
            let home = if at < VARIABLES {
                let home = self.b.declare_var(types::I64);
                self.b.def_var(home, operand.value);
                Home::Variable(home)
            } else {
                let slot = self.operand_slot(at);
                self.b.ins().stack_store(types::I64, operand.value, slot, 0);
                Home::Frame(slot)
            };
            if let Some(operand) = self.stack.get_mut(at) {
                operand.home = Some(home);
            }
        }
    }

    fn operand_slot(&mut self, depth: usize) -> StackSlot {
        if let Some(slot) = self.operand_slots.get(&depth) {
            return *slot;
        }
        let slot = self.frame_slot(types::I64);
        self.operand_slots.insert(depth, slot);
        slot
    }

    fn spill(&mut self) -> Spilled {
        self.house_operands();
        let mut spilled = Spilled { variables: Vec::new(), frame: Vec::new() };
        self.spill_locals(&mut spilled);
        for depth in 0..self.stack.len() {
            match self.stack.get(depth).and_then(|operand| operand.home) {
                Some(Home::Variable(home)) => {
                    let slot = self.operand_slot(depth);
                    spilled.variables.push((home, slot));
                }
                Some(Home::Frame(slot)) => spilled.frame.push(slot),
                None => {}
            }
        }
        for (variable, slot) in &spilled.variables {
            let value = self.b.use_var(*variable);
            self.b.ins().stack_store(types::I64, value, *slot, 0);
        }
        spilled
    }

    fn spill_locals(&mut self, spilled: &mut Spilled) {
        for at in 0..self.facts.roots.len() {
            let Some(root) = self.facts.roots.get(at).copied() else { return };
            if root.start > self.offset {
                break;
            }
            if self.offset >= root.end {
                continue;
            }
            match self.locals.get(root.local.index()).map(|local| local.place) {
                Some(Place::Variable(variable)) => {
                    while self.local_slots.len() <= root.colour as usize {
                        let slot = self.frame_slot(types::I64);
                        self.local_slots.push(slot);
                    }
                    if let Some(slot) = self.local_slots.get(root.colour as usize) {
                        spilled.variables.push((variable, *slot));
                    }
                }
                Some(Place::Frame(slot)) => spilled.frame.push(slot),
                None => {}
            }
        }
    }

    /// At a loop's head: locals that are first assigned inside hold nothing, so none of them is stale where it is in range.
    pub(super) fn forget_loop_locals(&mut self, at: u32) {
        let Some(locals) = self.facts.loop_locals.remove(&at) else { return };
        let null = self.b.ins().iconst(types::I64, 0);
        for LocalId(index) in locals {
            if let Some(local) = self.locals.get(index as usize).copied() {
                self.write(local, null);
            }
        }
    }
}
