//! Locals: where they live, reading, moving out of, and assigning.

use alloc::vec::Vec;

use cranelift_codegen::ir::{
    InstBuilder, SourceLoc, StackSlot, StackSlotData, StackSlotKind, Type as Clif, Value, types,
};
use cranelift_frontend::Variable;
use hashbrown::HashMap;
use il::instr::Dests;
use il::{LocalId, Type};

use super::operand::{Hold, Operand};
use super::pace::Look;
use super::scan::Assigned;
use super::{Lowering, Result, clif_type};

/// A local of the function.
#[derive(Clone, Copy)]
pub(super) struct Local {
    pub ty: Type,
    pub place: Place,
    /// Whether it may hold a `buf` of its own, to be freed.
    pub owns: bool,
    /// How values are held that stand in it: settled, or as float arithmetic left them.
    pub hold: Hold,
}

/// Where a local lives until registers are allocated.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Variable(Variable),
    /// In the frame, because SSA form would cost memory in locals times blocks.
    Frame(StackSlot),
}

/// Above this product of locals and blocks, a function's locals live in its frame.
const SSA_LIMIT: usize = 1 << 22;

impl Lowering<'_, '_> {
    /// Declares the locals: parameters hold what was passed, the others nothing.
    pub(super) fn prologue(&mut self) {
        self.b.set_srcloc(SourceLoc::new(0));
        let entry = self.b.current_block();
        let passed: Vec<Value> = entry.map_or(Vec::new(), |block| self.b.block_params(block).to_vec());
        let types = self.func.sig.params.iter().chain(&self.func.locals);
        let mut zeros: HashMap<Clif, Value> = HashMap::new();
        for (index, ty) in types.copied().enumerate() {
            let place = self.place(ty);
            let hold = match self.facts.assigned.get(&LocalId(index as u32)) {
                Some(Assigned::Raw(raw)) if index >= self.func.sig.params.len() => raw.hold(),
                _ => Hold::Plain,
            };
            let local = Local { ty, place, owns: ty.is_affine(), hold };
            self.locals.push(local);
            let param = if index < self.func.sig.params.len() { passed.get(index + 1).copied() } else { None };
            let value = param.unwrap_or_else(|| *zeros.entry(clif_type(ty)).or_insert_with(|| self.nothing(ty)));
            self.write(local, value);
        }
        if self.look == Look::AtEntry {
            self.deadline_check();
        }
    }

    fn place(&mut self, ty: Type) -> Place {
        let locals = self.func.sig.params.len() + self.func.locals.len();
        let crowded = locals.saturating_mul(self.facts.blocks) > SSA_LIMIT;
        if crowded || ty.is_reference() && self.facts.roots_in_frame {
            Place::Frame(self.frame_slot(clif_type(ty)))
        } else {
            Place::Variable(self.b.declare_var(clif_type(ty)))
        }
    }

    pub(super) fn frame_slot(&mut self, ty: Clif) -> StackSlot {
        let bytes = ty.bytes().max(8);
        let align = bytes.trailing_zeros() as u8;
        self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, align))
    }

    pub(super) fn read(&mut self, local: Local) -> Value {
        match local.place {
            Place::Variable(var) => self.b.use_var(var),
            Place::Frame(slot) => self.b.ins().stack_load(types::I64, clif_type(local.ty), slot, 0),
        }
    }

    pub(super) fn write(&mut self, local: Local, value: Value) {
        match local.place {
            Place::Variable(var) => self.b.def_var(var, value),
            Place::Frame(slot) => {
                self.b.ins().stack_store(types::I64, value, slot, 0);
            }
        }
    }

    /// What a local of this type holds before it is assigned.
    pub(super) fn nothing(&mut self, ty: Type) -> Value {
        match clif_type(ty) {
            types::F32 => self.b.ins().f32const(0.0),
            types::F64 => self.b.ins().f64const(0.0),
            types::I8X16 => {
                let zero = self.b.ins().iconst(types::I8, 0);
                self.b.ins().splat(types::I8X16, zero)
            }
            integer => self.b.ins().iconst(integer, 0),
        }
    }

    pub(super) fn local(&self, id: LocalId) -> Result<Local> {
        self.locals.get(id.index()).copied().ok_or(self.unverified("a local"))
    }

    pub(super) fn get(&mut self, id: LocalId) -> Result {
        let local = self.local(id)?;
        let value = self.read(local);
        let ty = if local.ty == Type::Buf { Type::BufRef } else { local.ty };
        self.push(Operand::held(value, ty, local.hold));
        Ok(())
    }

    pub(super) fn take(&mut self, id: LocalId) -> Result {
        let local = self.local(id)?;
        if !local.ty.is_affine() {
            return Err(self.unverified("a `buf` local"));
        }
        let value = self.read(local);
        let gone = self.nothing(local.ty);
        self.write(local, gone);
        self.push(Operand::held(value, local.ty, Hold::Owned));
        Ok(())
    }

    pub(super) fn set(&mut self, dests: Dests<'_>) -> Result {
        let values = self.pop_many(dests.len())?;
        self.assign_all(dests, values)
    }

    /// Assigns all values at once.
    pub(super) fn assign_all(&mut self, dests: Dests<'_>, values: Vec<Operand>) -> Result {
        if dests.len() != values.len() {
            return Err(self.unverified("as many destinations as values"));
        }
        for (dest, operand) in dests.iter().zip(values) {
            match dest {
                Some(id) => {
                    let raw = operand.hold != Hold::Plain && operand.hold == self.local(id)?.hold;
                    let value = if raw { operand.value } else { self.canonical(operand) };
                    self.assign(id, value)?;
                }
                None => self.discard(operand),
            }
        }
        Ok(())
    }

    pub(super) fn assign(&mut self, id: LocalId, value: Value) -> Result {
        let local = self.local(id)?;
        if local.owns {
            let old = self.read(local);
            self.write(local, value);
            self.free_buf(old);
        } else {
            self.write(local, value);
        }
        Ok(())
    }

    /// Frees what the locals own.
    pub(super) fn free_locals(&mut self) {
        for at in 0..self.locals.len() {
            let local = self.locals.get(at).copied().filter(|local| local.owns);
            if let Some(local) = local {
                let value = self.read(local);
                self.free_buf(value);
            }
        }
    }
}
