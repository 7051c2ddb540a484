//! Instructions of a program's set that are loads and stores of the grid that its VM has lent it: no exit, no packet.
//!
//! ```text
//! if x <u width && y <u height: cells[y * width + x]        always checked; no range proof takes the place of it
//! ```
//!
//! The grid's address and size are read anew each time: after any exit they may be others.

use alloc::vec::Vec;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use il::Type;
use il::isa::GridMeaning;
use il::trap::Status;

use super::operand::Operand;
use super::{Lowering, Result};
use crate::abi::{self, Exit};

impl Lowering<'_, '_> {
    /// What an instruction of the own set means on the grid, if it is to be lowered as that.
    pub(super) fn grid_meaning(&self, opcode: u8) -> Option<GridMeaning> {
        self.program.grid.iter().find(|one| one.opcode == opcode).map(|one| one.meaning)
    }

    /// Its results; traps where the instruction would fail.
    pub(super) fn on_grid(&mut self, opcode: u8, meaning: GridMeaning) -> Result<Vec<Operand>> {
        match meaning {
            GridMeaning::Store { mask } => self.store_cell(mask),
            GridMeaning::Size => Ok(self.grid_size()),
            GridMeaning::Load => {
                let (x, y) = self.pop_place()?;
                let outside = self.b.create_block();
                self.b.set_cold_block(outside);
                let address = self.cell(x, y, outside);
                let value = self.b.ins().load(types::I32, self.regions.cells, address, 0);
                let inside = self.b.create_block();
                self.b.ins().jump(inside, &[]);
                self.enter(outside);
                let failed = [abi::OWN_SLOT, u64::from(opcode), Status::OutOfRange as u64];
                let failed = failed.map(|word| self.word_const(word));
                self.last_exit(Exit::DeviceTrap, &failed);
                self.enter(inside);
                Ok(alloc::vec![Operand::plain(value, Type::I32)])
            }
        }
    }

    /// Its status and results.
    pub(super) fn try_on_grid(&mut self, meaning: GridMeaning) -> Result<Vec<Operand>> {
        let zero = self.b.ins().iconst(types::I32, 0);
        let mut values = alloc::vec![Operand::plain(zero, Type::I32)];
        match meaning {
            GridMeaning::Store { .. } => return Err(self.unverified("a waiting instruction")),
            GridMeaning::Size => values.extend(self.grid_size()),
            GridMeaning::Load => {
                let (x, y) = self.pop_place()?;
                let (outside, on) = (self.b.create_block(), self.b.create_block());
                let address = self.cell(x, y, outside);
                let value = self.b.ins().load(types::I32, self.regions.cells, address, 0);
                self.jump(on, &[zero, value]);
                self.enter(outside);
                let status = self.b.ins().iconst(types::I32, Status::OutOfRange as i64);
                self.jump(on, &[status, zero]);
                let status = self.b.append_block_param(on, types::I32);
                let value = self.b.append_block_param(on, types::I32);
                self.enter(on);
                values = alloc::vec![Operand::plain(status, Type::I32), Operand::plain(value, Type::I32)];
            }
        }
        Ok(values)
    }

    fn store_cell(&mut self, mask: u32) -> Result<Vec<Operand>> {
        let value = self.pop_number()?;
        let (x, y) = self.pop_place()?;
        let value = self.b.ins().band_imm_u(value, i64::from(mask));
        let on = self.b.create_block();
        let address = self.cell(x, y, on);
        self.b.ins().store(self.regions.cells, value, address, 0);
        self.b.ins().jump(on, &[]);
        self.enter(on);
        Ok(Vec::new())
    }

    /// Pops `x` and `y`.
    fn pop_place(&mut self) -> Result<(Value, Value)> {
        let y = self.pop_number()?;
        Ok((self.pop_number()?, y))
    }

    /// The address of a cell; control goes to `outside` if the grid has none there. A negative coordinate is, unsigned,
    /// beyond every grid, whose sides are less than 2^31.
    fn cell(&mut self, x: Value, y: Value, outside: Block) -> Value {
        let (x, y) = (self.b.ins().uextend(types::I64, x), self.b.ins().uextend(types::I64, y));
        let (width, height) = (self.grid_word(abi::offset::GRID_WIDTH), self.grid_word(abi::offset::GRID_HEIGHT));
        for (at, limit) in [(y, height), (x, width)] {
            let inside = self.b.create_block();
            let below = self.b.ins().icmp(IntCC::UnsignedLessThan, at, limit);
            self.b.ins().brif(below, inside, &[], outside, &[]);
            self.enter(inside);
        }
        let row = self.b.ins().imul(y, width);
        let at = self.b.ins().iadd(row, x);
        let bytes = self.b.ins().ishl_imm_u(at, 2);
        let cells = self.grid_word(abi::offset::GRID_CELLS);
        self.b.ins().iadd(cells, bytes)
    }

    fn grid_size(&mut self) -> Vec<Operand> {
        let sides = [abi::offset::GRID_WIDTH, abi::offset::GRID_HEIGHT];
        let sides = sides.map(|offset| self.grid_word(offset));
        sides.into_iter().map(|side| Operand::plain(self.b.ins().ireduce(types::I32, side), Type::I32)).collect()
    }

    fn grid_word(&mut self, offset: i32) -> Value {
        self.b.ins().load(types::I64, self.regions.grid, self.ctx, offset)
    }
}
