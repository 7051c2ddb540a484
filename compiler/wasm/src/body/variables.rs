//! Locals and globals.

use il::instr::Instr;
use il::{LocalId, Type};
use wasmparser::Operator;

use super::Translator;
use super::stack::{Effect, Keep, Leaf};
use crate::constant::Const;
use crate::error::Result;

impl Translator<'_, '_, '_> {
    /// Reads and assignments of variables; `false` if it is another operator.
    pub(super) fn variable_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::LocalGet { local_index } => self.local_get(*local_index)?,
            Operator::LocalSet { local_index } => self.local_set(*local_index)?,
            Operator::LocalTee { local_index } => {
                self.local_set(*local_index)?;
                self.local_get(*local_index)?;
            }
            Operator::GlobalGet { global_index } => self.global_get(*global_index)?,
            Operator::GlobalSet { global_index } => {
                let global = self.unit.global(*global_index).ok_or_else(|| self.internal("a global index"))?;
                self.fit(0, global.il)?;
                self.statement(Instr::GlobalSet(global.id), 1)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The local of this index; one of the function's own gets its place when it is used first.
    fn local(&mut self, index: u32) -> Result<LocalId> {
        let Some(own) = (index as usize).checked_sub(self.param_count) else { return Ok(LocalId(index)) };
        match self.own.get(own).map(|known| known.checked_sub(1)) {
            Some(Some(known)) => Ok(LocalId(known)),
            Some(None) => {
                let run = self.runs.partition_point(|(end, _)| *end <= own);
                let ty = self.runs.get(run).map_or(Type::I32, |(_, ty)| *ty);
                let local = self.new_local(ty);
                self.state(local).declared = true;
                if let Some(known) = self.own.get_mut(own) {
                    *known = local.0 + 1;
                }
                Ok(local)
            }
            None => Err(self.internal("a local index")),
        }
    }

    fn local_get(&mut self, index: u32) -> Result {
        let local = self.local(index)?;
        let state = self.state(local);
        state.zeroed |= !state.assigned;
        let ty = self.locals.get(local.index()).copied().ok_or_else(|| self.internal("a local index"))?;
        self.push_leaf(Leaf::Local(local), ty);
        Ok(())
    }

    fn local_set(&mut self, index: u32) -> Result {
        let local = self.local(index)?;
        let ty = self.locals.get(local.index()).copied().ok_or_else(|| self.internal("a local index"))?;
        self.fit(0, ty)?;
        self.settle();
        self.begin(1, Keep::assigning(local))?;
        self.code.set_one(local);
        self.restore();
        if !core::mem::replace(&mut self.state(local).assigned, true) {
            self.assignments.push(local);
        }
        Ok(())
    }

    fn global_get(&mut self, index: u32) -> Result {
        let global = self.unit.global(index).ok_or_else(|| self.internal("a global index"))?;
        let (id, ty) = (global.id, global.il);
        match global.constant.filter(|_| !global.ty.mutable) {
            Some(Const::I32(value)) => self.push_leaf(Leaf::I32(value), ty),
            Some(Const::I64(value)) => self.push_leaf(Leaf::I64(value), ty),
            Some(Const::F32(bits)) => self.push_leaf(Leaf::F32(bits), ty),
            Some(Const::F64(bits)) => self.push_leaf(Leaf::F64(bits), ty),
            Some(Const::V128(_) | Const::Null(_) | Const::Func(..) | Const::Tree(_)) | None => {
                self.nullary(Instr::GlobalGet(id), global.stored, Effect::Reads)?;
                if global.stored != ty {
                    self.tree(Instr::As(ty), 1, ty, Effect::Reads)?;
                }
            }
        }
        Ok(())
    }
}
