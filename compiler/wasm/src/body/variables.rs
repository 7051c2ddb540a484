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
                self.statement(Instr::GlobalSet(global.id), 1)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn local_type(&self, index: u32) -> Result<Type> {
        let declared = (index as usize) < self.declared;
        let ty = self.locals.get(index as usize).filter(|_| declared);
        ty.copied().ok_or_else(|| self.internal("a local index"))
    }

    fn local_get(&mut self, index: u32) -> Result {
        let ty = self.local_type(index)?;
        if self.assigned.get(index as usize) == Some(&false)
            && let Some(zeroed) = self.zeroed.get_mut(index as usize)
        {
            *zeroed = true;
        }
        self.push_leaf(Leaf::Local(LocalId(index)), ty);
        Ok(())
    }

    fn local_set(&mut self, index: u32) -> Result {
        self.local_type(index)?;
        self.settle();
        self.begin(1, Keep::assigning(LocalId(index)))?;
        self.code.set_one(LocalId(index));
        self.restore();
        if let Some(assigned) = self.assigned.get_mut(index as usize)
            && !core::mem::replace(assigned, true)
        {
            self.assignments.push(index);
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
            Some(Const::V128(_) | Const::Null(_) | Const::Func(..)) | None => {
                self.nullary(Instr::GlobalGet(id), ty, Effect::Reads)?;
            }
        }
        Ok(())
    }
}
