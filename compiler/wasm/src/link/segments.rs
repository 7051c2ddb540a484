//! Element and data segments: what can be in its place from the start is put there, the rest when the unit is
//! instantiated.

use alloc::vec::Vec;

use il::instr::{Instr, Writer};
use il::{Data, DataPlace, MemoryId, Type, TypeId, limits};
use wasmparser::{DataKind, Element, ElementItems, ElementKind};

use super::{Build, Late, Linked, Table};
use crate::constant::{self, Const};
use crate::error::{Error, ErrorKind, Result};

/// What instantiating a unit has to do, in order.
#[derive(Default)]
pub(super) struct Plan {
    pub elements: Vec<ActiveElement>,
    pub data: Vec<ActiveData>,
}

/// An element segment to be copied into a table.
pub(super) struct ActiveElement {
    /// Its place among the unit's segments.
    pub index: u32,
    pub table: Table,
    pub offset: i32,
    pub length: u32,
}

/// A data segment: copied into a memory, unless it is there already, and forgotten.
pub(super) struct ActiveData {
    pub index: u32,
    pub memory: MemoryId,
    pub offset: i32,
    pub length: u32,
    pub placed: bool,
}

/// Elements of all segments together.
const ELEMENTS: usize = 1 << 20;
/// A table whose initial content is written out has no more elements.
const WRITTEN_OUT: u64 = limits::INIT_OPERANDS as u64 - 16;

impl Build<'_> {
    /// Puts a unit's segments into the module.
    pub(super) fn segments(&mut self, unit: &mut Linked<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        self.tables(unit, &mut plan)?;
        self.data(unit, &mut plan)?;
        Ok(plan)
    }

    fn tables(&mut self, unit: &mut Linked<'_>, plan: &mut Plan) -> Result {
        let mut active = Vec::new();
        for at in 0..unit.decoded.elements.len() {
            let Some(element) = unit.decoded.elements.get(at).cloned() else { break };
            let values = match element.kind {
                ElementKind::Declared => continue,
                ElementKind::Passive | ElementKind::Active { .. } => self.values(unit, &element)?,
            };
            match element.kind {
                ElementKind::Active { table_index, offset_expr } => {
                    let index = table_index.unwrap_or(0);
                    let offset = self.offset(unit, &offset_expr)?;
                    active.push((at, index, offset, values));
                }
                ElementKind::Passive | ElementKind::Declared => self.define_segment(unit, at, values)?,
            }
        }
        let mut folded = Vec::new();
        for index in 0..unit.tables.len() as u32 {
            let of_table = active.iter().filter(|(_, table, ..)| *table == index);
            if let Some(table) = unit.table(index)
                && self.fold(unit, index, table, of_table.map(|(_, _, offset, values)| (*offset, values.as_slice())))
            {
                folded.push(index);
            }
        }
        for (at, index, offset, values) in active {
            let Some(table) = unit.table(index) else { continue };
            if !folded.contains(&index) {
                let length = values.len() as u32;
                self.define_segment(unit, at, values)?;
                plan.elements.push(ActiveElement { index: at as u32, table, offset, length });
            }
        }
        Ok(())
    }

    /// The values of an element segment.
    fn values(&mut self, unit: &Linked<'_>, element: &Element<'_>) -> Result<Vec<Const>> {
        let mut values = Vec::new();
        let count = match &element.items {
            ElementItems::Functions(funcs) => funcs.count(),
            ElementItems::Expressions(_, exprs) => exprs.count(),
        };
        self.elements = self.elements.saturating_add(count as usize);
        if count as usize >= limits::INIT_OPERANDS || self.elements > ELEMENTS {
            let what = "an element segment as long as this one, or so many".into();
            let kind = ErrorKind::Unsupported { what, hint: "split it, or fill the table at run time" };
            return Err(Error::new(unit.name(), element.range.start, kind));
        }
        match &element.items {
            ElementItems::Functions(funcs) => {
                for func in funcs.clone() {
                    let index = func.map_err(|error| unit.decoded.invalid(&error))?;
                    let func = self.func_of(unit, index)?;
                    values.push(self.func_value(func, unit.func_type(index)?));
                }
            }
            ElementItems::Expressions(_, exprs) => {
                for expr in exprs.clone() {
                    let expr = expr.map_err(|error| unit.decoded.invalid(&error))?;
                    values.push(constant::evaluate(self, unit, &expr)?);
                }
            }
        }
        Ok(values)
    }

    fn offset(&mut self, unit: &Linked<'_>, expr: &wasmparser::ConstExpr<'_>) -> Result<i32> {
        match constant::evaluate(self, unit, expr)? {
            Const::I32(offset) => Ok(offset),
            // One that does not fit is beyond all that there is, as is the largest that does.
            Const::I64(offset) => Ok(u32::try_from(offset as u64).unwrap_or(u32::MAX) as i32),
            _ => Err(unit.decoded.internal("a segment's offset")),
        }
    }

    fn define_segment(&mut self, unit: &mut Linked<'_>, at: usize, values: Vec<Const>) -> Result {
        let ty = self.segment_type();
        let late = values.iter().any(|value| self.trees.is_late(*value));
        if late && values.len() > limits::ARRAY_LITERAL {
            return Err(constant::unsupported(unit, "an element segment of more than 1000 objects that name others"));
        }
        let mut init = Writer::default();
        match late {
            true => init.push(Instr::ArrayOf(ty, 0)),
            false => self.write_array(ty, &values, &mut init),
        }
        let id = self.add_global(true, Type::Ref(ty), init);
        if let Some(cell) = unit.segments.get(at) {
            cell.set(Some(id));
        }
        if late {
            unit.late.push(Late::Segment(id, values));
        }
        Ok(())
    }

    /// Appends an array of values.
    pub(super) fn write_array(&self, ty: TypeId, values: &[Const], code: &mut Writer) {
        values.iter().for_each(|value| self.trees.write(*value, code));
        code.push(Instr::ArrayOf(ty, values.len() as u32));
    }

    /// Writes out a table's content at start, if it is the unit's own and all that goes into it fits.
    fn fold<'v>(
        &mut self,
        unit: &Linked<'_>,
        index: u32,
        table: Table,
        segments: impl Iterator<Item = (i32, &'v [Const])> + Clone,
    ) -> bool {
        let own = table.owner == unit.index && !self.options.script;
        let inside =
            |(offset, values): (i32, &[Const])| u64::from(offset as u32) + values.len() as u64 <= table.ty.initial;
        let small = table.ty.initial <= WRITTEN_OUT && segments.clone().next().is_some();
        let known = |(_, values): (i32, &[Const])| !values.iter().any(|value| self.trees.is_late(*value));
        if !own || !small || !segments.clone().all(inside) || !segments.clone().all(known) {
            return false;
        }
        // A table that begins with a value of its own is left to the run.
        let imported = unit.tables.len() - unit.decoded.tables.len();
        let plain = (index as usize).checked_sub(imported).and_then(|at| unit.decoded.tables.get(at));
        if !plain.is_some_and(|table| matches!(table.init, wasmparser::TableInit::RefNull)) {
            return false;
        }
        let mut content = alloc::vec![Const::Null(Type::OptAny); table.ty.initial as usize];
        for (offset, values) in segments {
            let start = offset as u32 as usize;
            if let Some(places) = content.get_mut(start..start + values.len()) {
                places.copy_from_slice(values);
            }
        }
        let array = self.table_type();
        let mut code = Writer::default();
        self.write_array(array, &content, &mut code);
        match self.module.globals.get_mut(table.id.index()) {
            Some(global) if code.bytes.len() <= limits::INIT_BYTES => {
                global.init = code.bytes;
                true
            }
            _ => false,
        }
    }

    fn data(&mut self, unit: &mut Linked<'_>, plan: &mut Plan) -> Result {
        for at in 0..unit.decoded.data.len() {
            let Some(data) = unit.decoded.data.get(at).cloned() else { break };
            let mut place = None;
            if let DataKind::Active { memory_index, offset_expr } = &data.kind {
                let memory = unit.memory(*memory_index).ok_or_else(|| unit.decoded.internal("a memory index"))?;
                let offset = self.offset(unit, offset_expr)?;
                let (start, length) = (offset as u32, data.data.len() as u32);
                let room = self.module.memories.get(memory.id.index()).map_or(0, |memory| u64::from(memory.min) << 16);
                let inside = u64::from(start) + u64::from(length) <= room;
                let placed = inside && !self.options.script && (memory.owner == unit.index || !self.started);
                if placed {
                    place = Some(DataPlace { memory: memory.id, offset: start });
                }
                plan.data.push(ActiveData { index: at as u32, memory: memory.id, offset, length, placed });
            }
            let id = il::DataId(self.module.data.len() as u32);
            self.module.data.push(Data { place, bytes: data.data.to_vec() });
            unit.data.push(id);
        }
        self.started |= unit.decoded.start.is_some();
        Ok(())
    }
}
