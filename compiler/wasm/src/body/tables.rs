//! Tables, which are arrays in globals.

use il::instr::Instr;
use il::op::Op;
use il::{GlobalId, Type, TypeId};
use wasmparser::Operator;

use super::Translator;
use super::stack::{Effect, Keep, Leaf};
use super::wide::wide;
use crate::error::Result;
use crate::helpers::Helper;
use crate::link::Table;

impl Translator<'_, '_, '_> {
    fn table(&self, index: u32) -> Result<Table> {
        self.unit.table(index).ok_or_else(|| self.internal("a table index"))
    }

    fn table_type(&mut self) -> TypeId {
        self.build.table_type()
    }

    /// The index on top becomes the element of a table there, null or not.
    pub(super) fn element(&mut self, table: u32) -> Result {
        let (table, ty) = (self.table(table)?, self.table_type());
        self.narrow(&[wide(table.is_wide(), Helper::Saturate)], false)?;
        // The index may do what changes which array is the table.
        self.steady(0, 1, Effect::Reads)?;
        self.insert(0, |translator| translator.emit(Instr::GlobalGet(table.id)))?;
        self.tree(Instr::ArrayGet(ty), 1, Type::OptAny, Effect::Reads)
    }

    fn push_global(&mut self, global: GlobalId, ty: TypeId) -> Result {
        self.nullary(Instr::GlobalGet(global), Type::Ref(ty), Effect::Reads)
    }

    fn segment(&mut self, index: u32) -> Result<GlobalId> {
        self.build.segment(self.unit, index)
    }

    /// Operators on tables; `false` if it is another one.
    pub(super) fn table_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::TableGet { table } => {
                self.element(*table)?;
                let ty = self.table(*table)?.element;
                if ty != Type::OptAny {
                    self.tree(Instr::As(ty), 1, ty, Effect::Reads)?;
                }
            }
            Operator::TableSet { table } => {
                let (table, ty) = (self.table(*table)?, self.table_type());
                self.narrow(&[wide(table.is_wide(), Helper::Saturate), None], false)?;
                self.steady(0, 2, Effect::Reads)?;
                self.insert(1, |translator| translator.emit(Instr::GlobalGet(table.id)))?;
                self.statement(Instr::ArraySet(ty), 2)?;
            }
            Operator::TableSize { table } => {
                let (table, ty) = (self.table(*table)?, self.table_type());
                self.push_global(table.id, ty)?;
                self.tree(Instr::ArrayLen, 1, Type::I32, Effect::Reads)?;
                self.widen(table.is_wide(), Op::I64FromI32U)?;
            }
            Operator::TableGrow { table } => self.table_grow(*table)?,
            Operator::TableFill { table } => {
                let (table, ty) = (self.table(*table)?, self.table_type());
                let index = wide(table.is_wide(), Helper::Saturate);
                self.narrow(&[index, None, index], false)?;
                self.push_global(table.id, ty)?;
                self.helper(Helper::Fill, 4)?;
            }
            Operator::TableCopy { dst_table, src_table } => {
                let (to, from, ty) = (self.table(*dst_table)?, self.table(*src_table)?, self.table_type());
                let index = |is_wide| wide(is_wide, Helper::Saturate);
                let both = to.is_wide() && from.is_wide();
                self.narrow(&[index(to.is_wide()), index(from.is_wide()), index(both)], false)?;
                self.push_global(to.id, ty)?;
                self.push_global(from.id, ty)?;
                self.helper(Helper::Copy, 5)?;
            }
            Operator::TableInit { elem_index, table } => {
                let (table, ty) = (self.table(*table)?, self.table_type());
                let segment = self.segment(*elem_index)?;
                self.narrow(&[wide(table.is_wide(), Helper::Saturate), None, None], false)?;
                self.push_global(table.id, ty)?;
                let ty = self.build.segment_type();
                self.push_global(segment, ty)?;
                self.helper(Helper::Init, 5)?;
            }
            Operator::ElemDrop { elem_index } => {
                let segment = self.segment(*elem_index)?;
                let ty = self.build.segment_type();
                self.nullary(Instr::ArrayOf(ty, 0), Type::Ref(ty), Effect::Pure)?;
                self.statement(Instr::GlobalSet(segment), 1)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A statement that calls one of the functions which tables need.
    fn helper(&mut self, helper: Helper, count: usize) -> Result {
        let func = self.build.helper(helper);
        self.settle();
        self.begin(count, Keep::ALL)?;
        self.code.call_set(func, &[]);
        self.restore();
        Ok(())
    }

    /// The helper gives the array that is the table from here on, and what the operator yields.
    fn table_grow(&mut self, table: u32) -> Result {
        let (table, ty) = (self.table(table)?, self.table_type());
        self.narrow(&[wide(table.is_wide(), Helper::Saturate)], false)?;
        self.push_global(table.id, ty)?;
        self.push_leaf(Leaf::I32(table.max as i32), Type::I32);
        let func = self.build.helper(Helper::Grow);
        self.begin(4, Keep::ALL)?;
        let slot = self.entries.len();
        let (array, result) = (self.temp(slot, Type::Ref(ty)), self.temp(slot, Type::I32));
        self.code.call_set(func, &[Some(array), Some(result)]);
        self.emit(Instr::Get(array));
        self.emit(Instr::GlobalSet(table.id));
        self.restore();
        self.push_leaf(Leaf::Local(result), Type::I32);
        self.widen(table.is_wide(), Op::I64FromI32S)
    }
}
