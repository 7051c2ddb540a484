//! Linear memories.

use il::instr::Instr;
use il::op::{Immediate, Op};
use il::{MemoryId, Type};
use wasmparser::{MemArg, Operator};

use super::Translator;
use super::stack::Effect;
use crate::error::Result;

impl Translator<'_, '_, '_> {
    pub(super) fn memory(&self, index: u32) -> Result<MemoryId> {
        self.unit.memory(index).map(|memory| memory.id).ok_or_else(|| self.internal("a memory index"))
    }

    /// What a memory access has in the instruction.
    pub(super) fn place(&self, memarg: &MemArg, lane: u8) -> Result<Immediate> {
        let memory = self.memory(memarg.memory)?;
        let offset = u32::try_from(memarg.offset).map_err(|_| self.internal("an offset"))?;
        Ok(Immediate { offset, lane, memory, ..Immediate::default() })
    }

    /// Operators on whole memories; `false` if it is another one.
    pub(super) fn memory_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::MemorySize { mem } => {
                let immediate = Immediate { memory: self.memory(*mem)?, ..Immediate::default() };
                self.nullary(Instr::Op(Op::MemorySize, immediate), Type::I32, Effect::Reads)?;
            }
            Operator::MemoryGrow { mem } => {
                let immediate = Immediate { memory: self.memory(*mem)?, ..Immediate::default() };
                self.tree(Instr::Op(Op::MemoryGrow, immediate), 1, Type::I32, Effect::Writes)?;
            }
            Operator::MemoryFill { mem } => {
                let immediate = Immediate { memory: self.memory(*mem)?, ..Immediate::default() };
                self.apply(Op::MemoryFill, immediate)?;
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let (memory, from) = (self.memory(*dst_mem)?, self.memory(*src_mem)?);
                self.apply(Op::MemoryCopy, Immediate { memory, from, ..Immediate::default() })?;
            }
            Operator::MemoryInit { data_index, mem } => {
                let memory = self.memory(*mem)?;
                let data = self.unit.data(*data_index).ok_or_else(|| self.internal("a data index"))?;
                self.statement(Instr::MemoryInit(data, memory), 3)?;
            }
            Operator::DataDrop { data_index } => {
                let data = self.unit.data(*data_index).ok_or_else(|| self.internal("a data index"))?;
                self.statement(Instr::DataDrop(data), 0)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
