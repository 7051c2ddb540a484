//! Linear memories.

use il::Type;
use il::instr::Instr;
use il::op::{Immediate, Op};
use wasmparser::Operator;

use super::Translator;
use super::stack::{Effect, Leaf};
use super::wide::wide;
use crate::error::Result;
use crate::helpers::Helper;
use crate::link::Memory;

fn of(memory: Memory) -> Immediate {
    Immediate { memory: memory.id, ..Immediate::default() }
}

impl Translator<'_, '_, '_> {
    fn memory(&self, index: u32) -> Result<Memory> {
        self.unit.memory(index).ok_or_else(|| self.internal("a memory index"))
    }

    /// Operators on whole memories; `false` if it is another one.
    pub(super) fn memory_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::MemorySize { mem } => {
                let memory = self.memory(*mem)?;
                self.nullary(Instr::Op(Op::MemorySize, of(memory)), Type::I32, Effect::Reads)?;
                self.widen(memory.is_wide(), Op::I64FromI32U)?;
            }
            Operator::MemoryGrow { mem } => {
                let memory = self.memory(*mem)?;
                self.narrow(&[wide(memory.is_wide(), Helper::Saturate)], false)?;
                self.tree(Instr::Op(Op::MemoryGrow, of(memory)), 1, Type::I32, Effect::Writes)?;
                self.widen(memory.is_wide(), Op::I64FromI32S)?;
            }
            Operator::MemoryFill { mem } => {
                let memory = self.memory(*mem)?;
                let address = wide(memory.is_wide(), Helper::Address);
                self.narrow(&[address, None, address], false)?;
                self.apply(Op::MemoryFill, of(memory))?;
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let (to, from) = (self.memory(*dst_mem)?, self.memory(*src_mem)?);
                let address = |is_wide| wide(is_wide, Helper::Address);
                let both = to.is_wide() && from.is_wide();
                self.narrow(&[address(to.is_wide()), address(from.is_wide()), address(both)], false)?;
                self.apply(Op::MemoryCopy, Immediate { from: from.id, ..of(to) })?;
            }
            Operator::MemoryInit { data_index, mem } => {
                let memory = self.memory(*mem)?;
                let data = self.unit.data(*data_index).ok_or_else(|| self.internal("a data index"))?;
                self.narrow(&[wide(memory.is_wide(), Helper::Address), None, None], false)?;
                self.statement(Instr::MemoryInit(data, memory.id), 3)?;
            }
            Operator::DataDrop { data_index } => {
                let data = self.unit.data(*data_index).ok_or_else(|| self.internal("a data index"))?;
                self.statement(Instr::DataDrop(data), 0)?;
                if self.build.types.has_arrays() {
                    let (_, length) = self.build.object_data(self.unit, *data_index)?;
                    self.push_leaf(Leaf::I32(0), Type::I32);
                    self.statement(Instr::GlobalSet(length), 1)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
