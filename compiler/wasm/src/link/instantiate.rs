//! Instantiation: what a unit does before it can be used, in the order that the specification gives.

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{Func, FuncId, Type};
use wasmparser::TypeRef;

use super::segments::{ActiveData, ActiveElement, Plan};
use super::{Build, Late, Linked};
use crate::error::Result;
use crate::helpers::Helper;

impl Build<'_> {
    /// The function that instantiates a unit.
    pub(super) fn instantiation(&mut self, unit: &Linked<'_>, plan: &Plan, name: &str) -> Result<FuncId> {
        let mut code = Writer::default();
        if self.options.script {
            self.check_sizes(unit, &mut code);
        }
        unit.late.iter().for_each(|late| self.make_late(late, &mut code));
        for element in &plan.elements {
            self.copy_elements(unit, element, &mut code)?;
        }
        for data in &plan.data {
            copy_data(unit, data, &mut code);
        }
        if let Some(start) = unit.decoded.start {
            let start = self.func_of(unit, start)?;
            let start = self.guarded(start);
            code.call_set(start, &[]);
        }
        Ok(self.add_func(Func { body: code.bytes, ..Func::default() }, name))
    }

    /// Imported memories and tables may have grown since they were declared, or not enough.
    fn check_sizes(&mut self, unit: &Linked<'_>, code: &mut Writer) {
        let (mut memories, mut tables) = (0, 0);
        for (_, import) in &unit.decoded.imports {
            let wanted = match import.ty {
                TypeRef::Memory(ty) => {
                    let Some(memory) = unit.memory(memories) else { continue };
                    memories += 1;
                    let immediate = Immediate { memory: memory.id, ..Immediate::default() };
                    code.push(Instr::Op(Op::MemorySize, immediate));
                    ty.initial
                }
                TypeRef::Table(ty) => {
                    let Some(table) = unit.table(tables) else { continue };
                    tables += 1;
                    code.push(Instr::GlobalGet(table.id));
                    code.push(Instr::ArrayLen);
                    ty.initial
                }
                TypeRef::Func(_) | TypeRef::FuncExact(_) | TypeRef::Global(_) | TypeRef::Tag(_) => continue,
            };
            code.push(Instr::I32Const(wanted as i32));
            code.push(Instr::Op(Op::I32LtU, Immediate::default()));
            code.push(Instr::If);
            code.push(Instr::Trap(self.string("incompatible import type")));
            code.push(Instr::End);
        }
    }

    /// Makes what names objects that are there by now.
    fn make_late(&mut self, late: &Late, code: &mut Writer) {
        match late {
            Late::Global(global, value) => {
                self.write_as(*value, global.il, code);
                code.push(Instr::GlobalSet(global.id));
            }
            Late::Table(table, value) => {
                code.push(Instr::I32Const(table.ty.initial as i32));
                self.trees.write(*value, code);
                code.push(Instr::ArrayNew(self.table_type()));
                code.push(Instr::GlobalSet(table.id));
            }
            Late::Segment(global, values) => {
                let ty = self.segment_type();
                self.write_array(ty, values, code);
                code.push(Instr::GlobalSet(*global));
            }
        }
    }

    fn copy_elements(&mut self, unit: &Linked<'_>, element: &ActiveElement, code: &mut Writer) -> Result {
        let segment = self.segment(unit, element.index)?;
        let init = self.helper(Helper::Init);
        for value in [element.offset, 0, element.length as i32] {
            code.push(Instr::I32Const(value));
        }
        code.push(Instr::GlobalGet(element.table.id));
        code.push(Instr::GlobalGet(segment));
        code.call_set(init, &[]);
        let ty = self.segment_type();
        code.push(Instr::ArrayOf(ty, 0));
        code.push(Instr::GlobalSet(segment));
        Ok(())
    }

    /// What runs first: every unit's instantiation in order, then the program.
    pub(super) fn main(&mut self, linked: &[Linked<'_>], plans: &[Plan]) -> Result<FuncId> {
        let mut code = Writer::default();
        for (at, (unit, plan)) in linked.iter().zip(plans).enumerate() {
            let data = |data: &ActiveData| !data.placed || is_used(unit, data);
            let busy = !plan.elements.is_empty() || !unit.late.is_empty();
            if busy || plan.data.iter().any(data) || unit.decoded.start.is_some() {
                let func = self.instantiation(unit, plan, &alloc::format!("instantiate {at}"))?;
                code.call_set(func, &[]);
            }
        }
        if let Some(program) = linked.last() {
            let entry = if program.exports.contains_key("_start") { "_start" } else { "main" };
            for name in ["_initialize", entry] {
                if let Some(func) = self.entry(program, name)? {
                    code.call_set(func, &[]);
                }
            }
        }
        Ok(self.add_func(Func { body: code.bytes, ..Func::default() }, "main"))
    }

    /// An exported function without parameters and results.
    fn entry(&mut self, unit: &Linked<'_>, name: &str) -> Result<Option<FuncId>> {
        let Some(func) = unit.exported_func(name) else { return Ok(None) };
        let plain =
            unit.types.sig(unit.type_of(func)).is_some_and(|sig| sig.params.is_empty() && sig.results.is_empty());
        if !plain {
            return Ok(None);
        }
        let func = self.func_of(unit, func)?;
        Ok(Some(self.guarded(func)))
    }

    /// A function that gives a global's value.
    pub(super) fn getter(&mut self, global: super::Global, name: &str) -> FuncId {
        let mut code = Writer::default();
        global.read(&mut code);
        code.push(Instr::Return);
        let results: alloc::vec::Vec<Type> = alloc::vec![global.il];
        let sig = il::Signature { params: alloc::vec::Vec::new(), results };
        self.add_func(Func { sig, body: code.bytes, ..Func::default() }, name)
    }
}

fn is_used(unit: &Linked<'_>, data: &ActiveData) -> bool {
    unit.data_used.get(data.index as usize).is_some_and(|used| used.get())
}

fn copy_data(unit: &Linked<'_>, data: &ActiveData, code: &mut Writer) {
    let Some(id) = unit.data.get(data.index as usize).copied() else { return };
    if !data.placed {
        for value in [data.offset, 0, data.length as i32] {
            code.push(Instr::I32Const(value));
        }
        code.push(Instr::MemoryInit(id, data.memory));
    }
    // The bytes are forgotten, which shows only to code that refers to them.
    if is_used(unit, data) {
        code.push(Instr::DataDrop(id));
    }
}
