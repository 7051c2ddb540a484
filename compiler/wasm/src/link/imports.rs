//! Finding what a unit imports, and giving what it defines a place in the module.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use hashbrown::HashMap;
use il::instr::{Instr, Writer};
use il::{Func, MemoryId, Type, limits};
use wasmparser::{ExternalKind, GlobalType, Import, MemoryType, TableInit, TableType, TypeRef};

use super::base::Base;
use super::{Build, Global, Late, Linked, Memory, TABLE_ELEMENTS, Table, Tag, Target, matching};
use crate::constant::{self, Const};
use crate::decode::Decoded;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{CanonId, UnitTypes};

/// What an import may be found to be.
enum Found {
    /// With the type that it has where it is defined.
    Func(Target, CanonId),
    Table(Table),
    Memory(Memory),
    Global(Global),
    Tag(Tag),
}

impl<'a> Build<'a> {
    /// Links a unit to those before it.
    pub(super) fn link<'u>(&mut self, decoded: Decoded<'u>, before: &[Linked<'u>]) -> Result<Linked<'u>> {
        let types = UnitTypes::new(&decoded, &self.types);
        let exports = decoded.exports.iter().enumerate().map(|(at, export)| (export.name, at)).collect();
        let (segments, data) = (decoded.elements.len(), decoded.data.len());
        let mut unit = Linked {
            types,
            index: before.len(),
            funcs: Vec::with_capacity(decoded.funcs.len()),
            func_types: Vec::with_capacity(decoded.funcs.len()),
            late: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            tags: Vec::new(),
            segments: (0..segments).map(|_| Cell::new(None)).collect(),
            data: Vec::new(),
            data_used: (0..data).map(|_| Cell::new(false)).collect(),
            exports,
            decoded,
        };
        for at in 0..unit.decoded.imports.len() {
            let Some((offset, import)) = unit.decoded.imports.get(at).copied() else { break };
            match self.find(&unit, offset, &import, before)? {
                Found::Func(target, ty) => {
                    unit.funcs.push(target);
                    unit.func_types.push(ty);
                }
                Found::Table(table) => unit.tables.push(table),
                Found::Memory(memory) => unit.memories.push(memory),
                Found::Global(global) => unit.globals.push(global),
                Found::Tag(tag) => unit.tags.push(tag),
            }
        }
        self.define(&mut unit)?;
        Ok(unit)
    }

    fn define(&mut self, unit: &mut Linked<'_>) -> Result {
        self.define_tags(unit)?;
        for index in unit.funcs.len()..unit.decoded.funcs.len() {
            let ty = unit.type_of(index as u32);
            let sig = unit.types.carried(ty, &self.types);
            let id = self.add_func(Func { sig, ..Func::default() }, "");
            unit.funcs.push(Target::Func(id));
            unit.func_types.push(unit.canon(ty)?);
        }
        self.name_funcs(unit);
        for at in 0..unit.decoded.memories.len() {
            let Some(ty) = unit.decoded.memories.get(at).copied() else { break };
            let memory = self.define_memory(unit, ty)?;
            unit.memories.push(memory);
        }
        // Tables may begin with a global's value, globals with a function.
        for at in 0..unit.decoded.globals.len() {
            let Some((ty, init)) = unit.decoded.globals.get(at).cloned() else { break };
            let value = constant::evaluate(self, unit, &init)?;
            let global = self.define_global(unit, ty, value);
            if self.trees.is_late(value) {
                unit.late.push(Late::Global(global, value));
            }
            unit.globals.push(global);
        }
        for at in 0..unit.decoded.tables.len() {
            let Some(table) = unit.decoded.tables.get(at).cloned() else { break };
            let value = match &table.init {
                TableInit::RefNull => Const::Null(Type::OptAny),
                TableInit::Expr(init) => constant::evaluate(self, unit, init)?,
            };
            let table = self.define_table(unit, table.ty, value)?;
            if self.trees.is_late(value) {
                unit.late.push(Late::Table(table, value));
            }
            unit.tables.push(table);
        }
        Ok(())
    }

    fn define_memory(&mut self, unit: &Linked<'_>, ty: MemoryType) -> Result<Memory> {
        let most = limits::MEMORY_PAGES as u64;
        if ty.initial > most {
            return Err(too_large(unit, "a memory of more than 4 GiB", "let it begin smaller"));
        }
        let min = ty.initial as u32;
        let max = ty.maximum.unwrap_or(most).min(most) as u32;
        let id = MemoryId(self.module.memories.len() as u32);
        self.module.memories.push(il::Memory { min, max: max.max(min) });
        Ok(Memory { id, ty, owner: unit.index })
    }

    fn define_global(&mut self, unit: &Linked<'_>, ty: GlobalType, value: Const) -> Global {
        let il = self.value(unit, ty.content_type);
        let late = self.trees.is_late(value);
        let stored = if late { il.nullable().unwrap_or(il) } else { il };
        let mut init = Writer::default();
        match late {
            true => init.push(Instr::Null(stored)),
            false => self.write_as(value, il, &mut init),
        }
        let id = self.add_global(ty.mutable || late, stored, init);
        Global { id, il, stored, ty, constant: Some(value), owner: unit.index }
    }

    fn define_table(&mut self, unit: &Linked<'_>, ty: TableType, value: Const) -> Result<Table> {
        if ty.initial > limits::ARRAY_ELEMENTS as u64 {
            return Err(too_large(unit, "a table of more than 2^31 - 1 elements", "let it begin smaller"));
        }
        let array = self.table_type();
        let mut init = Writer::default();
        init.push(Instr::I32Const(ty.initial as i32));
        let filler = if self.trees.is_late(value) { Const::Null(Type::OptAny) } else { value };
        self.trees.write(filler, &mut init);
        init.push(Instr::ArrayNew(array));
        let id = self.add_global(true, Type::Ref(array), init);
        let element = unit.types.reference(ty.element_type, &mut self.types, &mut self.module);
        let most = ty.maximum.unwrap_or(u64::from(u32::MAX)).min(u64::from(TABLE_ELEMENTS)) as u32;
        Ok(Table { id, element, ty, max: most.max(ty.initial as u32), owner: unit.index })
    }

    /// Names of functions: their own, else what they are exported as.
    fn name_funcs(&mut self, unit: &Linked<'_>) {
        let mut names: HashMap<u32, &str> = HashMap::new();
        for export in unit.decoded.exports.iter().filter(|export| export.kind == ExternalKind::Func) {
            names.insert(export.index, export.name);
        }
        names.extend(unit.decoded.names.iter().copied());
        let imported = unit.decoded.funcs.len() - unit.decoded.bodies.len().min(unit.decoded.funcs.len());
        for (index, target) in unit.funcs.iter().enumerate().skip(imported) {
            if let Target::Func(id) = target {
                match names.get(&(index as u32)) {
                    Some(name) => self.name(*id, name),
                    None => self.name(*id, &format!("function {index}")),
                }
            }
        }
    }

    /// Finds an import.
    fn find<'u>(
        &mut self,
        unit: &Linked<'u>,
        offset: usize,
        import: &Import<'u>,
        before: &[Linked<'u>],
    ) -> Result<Found> {
        if let Some(other) = before.iter().rev().find(|other| other.name() == import.module) {
            return self.find_export(unit, offset, import, other, before);
        }
        let TypeRef::Func(ty) = import.ty else {
            return Err(unknown(
                unit,
                offset,
                import,
                "only functions come from outside the units; give the unit that has it",
            ));
        };
        let sig = unit.types.sig(ty).cloned().unwrap_or_default();
        if Base::answers(import.module) {
            let func = self.base.import(import);
            let func = func.ok_or_else(|| unknown(unit, offset, import, Base::hint(import.module)))?;
            self.match_base(unit, offset, import, func, &sig)?;
            return Ok(Found::Func(Target::Func(func), unit.canon(ty)?));
        }
        if import.module.contains('@') {
            let device = self.device(unit, offset, import, ty)?;
            return Ok(Found::Func(Target::Device(device), unit.canon(ty)?));
        }
        Err(unknown(unit, offset, import, "give the unit that exports it (`--with MODULE=FILE.wasm`), or link it in"))
    }

    /// An import from another unit.
    fn find_export<'u>(
        &mut self,
        unit: &Linked<'u>,
        offset: usize,
        import: &Import<'u>,
        other: &Linked<'u>,
        before: &[Linked<'u>],
    ) -> Result<Found> {
        let export = other.exports.get(import.name).and_then(|at| other.decoded.exports.get(*at));
        let Some(export) = export else {
            return Err(unknown(unit, offset, import, "the unit of this name does not export it"));
        };
        let internal = || unit.decoded.internal("an export's index");
        let (index, script) = (export.index, self.options.script);
        let refuse = |wanted: String, found: String| Err(incompatible(unit, offset, import, wanted, found));
        match (import.ty, export.kind) {
            (TypeRef::Func(ty), ExternalKind::Func) => {
                let target = other.target(index).ok_or_else(internal)?;
                let (wanted, found) = (unit.canon(ty)?, other.func_type(index)?);
                if !self.types.extends(found, wanted) {
                    let text = |unit: &Linked<'_>, ty| unit.decoded.func_type(ty).map(|func| format!("{func}"));
                    return refuse(text(unit, ty)?, text(other, other.type_of(index))?);
                }
                Ok(Found::Func(self.fitting(target, other, index, wanted)?, found))
            }
            (TypeRef::Table(wanted), ExternalKind::Table) => {
                let table = other.table(index).ok_or_else(internal)?;
                let owner = before.get(table.owner).unwrap_or(other);
                match matching::tables(&self.types, (unit, &wanted), (owner, &table.ty), script) {
                    true => Ok(Found::Table(table)),
                    false => refuse(matching::table_text(&wanted), matching::table_text(&table.ty)),
                }
            }
            (TypeRef::Memory(wanted), ExternalKind::Memory) => {
                let memory = other.memory(index).ok_or_else(internal)?;
                match matching::memories(&wanted, &memory.ty, script) {
                    true => Ok(Found::Memory(memory)),
                    false => refuse(matching::memory_text(&wanted), matching::memory_text(&memory.ty)),
                }
            }
            (TypeRef::Global(wanted), ExternalKind::Global) => {
                let global = other.global(index).ok_or_else(internal)?;
                let owner = before.get(global.owner).unwrap_or(other);
                match matching::globals(&self.types, (unit, &wanted), (owner, &global.ty)) {
                    true => Ok(Found::Global(global)),
                    false => refuse(matching::global_text(&wanted), matching::global_text(&global.ty)),
                }
            }
            (TypeRef::Tag(wanted), ExternalKind::Tag) => {
                let tag = other.tag(index).ok_or_else(internal)?;
                let owner = before.get(tag.owner).unwrap_or(other);
                if unit.canon(wanted.func_type_idx)? == owner.canon(tag.ty)? {
                    return Ok(Found::Tag(tag));
                }
                let (wanted, found) = (unit.decoded.func_type(wanted.func_type_idx)?, owner.decoded.func_type(tag.ty)?);
                refuse(format!("a tag of {wanted}"), format!("a tag of {found}"))
            }
            (wanted, found) => refuse(matching::kind_text(&wanted).into(), matching::export_text(found).into()),
        }
    }

    /// A function of another unit, to be called as one of this type.
    fn fitting(&mut self, target: Target, other: &Linked<'_>, index: u32, wanted: CanonId) -> Result<Target> {
        let declared = other.canon(other.type_of(index))?;
        let sig = self.types.carried(wanted);
        match target {
            Target::Func(func) if self.types.carried(declared) != sig => {
                Ok(Target::Func(self.adapted(func, declared, &sig)))
            }
            Target::Func(_) | Target::Device(_) => Ok(target),
        }
    }

    /// A function of the module's text, which must have the type wanted.
    fn match_base(
        &self,
        unit: &Linked<'_>,
        offset: usize,
        import: &Import<'_>,
        func: il::FuncId,
        wanted: &il::Signature,
    ) -> Result {
        let Some(found) = self.module.sig(func) else { return Err(unit.decoded.internal("a function of the text")) };
        if found == wanted {
            return Ok(());
        }
        let text = |sig| self.module.signature_text(sig);
        Err(incompatible(unit, offset, import, text(wanted), text(found)))
    }
}

fn too_large(unit: &Linked<'_>, what: &str, hint: &'static str) -> Box<Error> {
    unit.error(ErrorKind::Unsupported { what: what.into(), hint })
}

pub(super) fn unknown(unit: &Linked<'_>, offset: usize, import: &Import<'_>, hint: &str) -> Box<Error> {
    let (module, name) = (import.module.into(), import.name.into());
    Error::new(unit.name(), offset, ErrorKind::UnknownImport { module, name, hint: hint.into() })
}

pub(super) fn incompatible(
    unit: &Linked<'_>,
    offset: usize,
    import: &Import<'_>,
    wanted: String,
    found: String,
) -> Box<Error> {
    let (module, name) = (import.module.into(), import.name.into());
    Error::new(unit.name(), offset, ErrorKind::IncompatibleImport { module, name, wanted, found })
}
