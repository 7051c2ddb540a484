//! Memories and tables with 64-bit addresses. The IL's have 32-bit ones, so no access beyond can succeed: addresses are
//! checked and narrowed before they are used.

use il::Type;
use il::instr::Instr;
use il::op::{Immediate, Op};
use wasmparser::MemArg;

use super::Translator;
use super::stack::{Effect, Leaf};
use crate::error::Result;
use crate::helpers::Helper;

impl Translator<'_, '_, '_> {
    /// What a memory access has in the instruction; its address, with so many values above it, is narrowed.
    pub(super) fn place(&mut self, memarg: &MemArg, lane: u8, above: usize) -> Result<Immediate> {
        let memory = self.unit.memory(memarg.memory).ok_or_else(|| self.internal("a memory index"))?;
        let offset = u32::try_from(memarg.offset);
        if memory.is_wide() {
            let helpers = [Some(Helper::Address), None];
            self.narrow(helpers.get(..=above).unwrap_or_default(), offset.is_err())?;
        }
        Ok(Immediate { offset: offset.unwrap_or(0), lane, memory: memory.id, ..Immediate::default() })
    }

    /// Narrows those of the topmost values that have a helper. `far`: whatever the first one is, it is too large.
    pub(super) fn narrow(&mut self, helpers: &[Option<Helper>], far: bool) -> Result {
        if helpers.len() > 1 && helpers.iter().any(Option::is_some) {
            self.steady(0, helpers.len(), Effect::Pure)?;
        }
        for (at, helper) in helpers.iter().enumerate() {
            let Some(helper) = *helper else { continue };
            let func = self.build.helper(helper);
            let above = helpers.len() - 1 - at;
            let far = far && at == 0;
            if above == 0 {
                if far {
                    self.push_leaf(Leaf::I64(i64::MIN), Type::I64);
                    self.apply(Op::I64Or, Immediate::default())?;
                }
                self.tree(Instr::Call(func), 1, Type::I32, Effect::Reads)?;
                continue;
            }
            self.insert(above - 1, |translator| {
                if far {
                    translator.emit(Instr::I64Const(i64::MIN));
                    translator.emit_op(Op::I64Or);
                }
                translator.emit(Instr::Call(func));
            })?;
        }
        Ok(())
    }

    /// The number on top, of 32 bits, becomes one of 64 if it stands for a wide memory's or table's size.
    pub(super) fn widen(&mut self, wide: bool, op: Op) -> Result {
        if wide { self.apply(op, Immediate::default()) } else { Ok(()) }
    }
}

/// The helper, if the memory or table is wide.
pub(super) fn wide(is_wide: bool, helper: Helper) -> Option<Helper> {
    is_wide.then_some(helper)
}
