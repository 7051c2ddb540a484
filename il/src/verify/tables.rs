//! The rules of a module's tables: everything but types and bodies.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::error::Violation;
use super::rule::{Result, ensure, some};
use super::{Role, names, types};
use crate::isa::{Field, InstructionSet};
use crate::shape::Shapes;
use crate::{DataPlace, Func, FuncId, Hierarchy, IsaId, Module, Names, Provides, Signature, Type, limits};

/// Checks all tables; returns what bodies are checked against: the types' hierarchy and every function's role.
pub(super) fn check(module: &Module) -> Result<(Hierarchy, Vec<Role>)> {
    sizes(module)?;
    strings(module)?;
    module.isas.iter().try_for_each(isa)?;
    let hierarchy = types::check(module)?;
    let (mut described, mut bytes) = (BTreeSet::new(), 0);
    module.isas.iter().try_for_each(|set| carried(module, &hierarchy, set, &mut described, &mut bytes))?;
    uses(module)?;
    globals(module)?;
    memories(module)?;
    module.funcs.iter().try_for_each(|one| func(module, one))?;
    let mut roles = vec![Role::Plain; module.funcs.len()];
    provides(module, &mut roles)?;
    handlers(module, &mut roles)?;
    programs(module, &hierarchy, &mut roles)?;
    tests(module, &mut roles)?;
    exports(module, &roles)?;
    if let Some(names) = &module.names {
        debug_names(module, names)?;
    }
    Ok((hierarchy, roles))
}

#[cfg_attr(test, track_caller)]
pub(super) fn limit(what: &'static str, count: usize, limit: usize) -> Result {
    ensure!(count <= limit, Violation::Limit { what, count, limit });
    Ok(())
}

fn sizes(module: &Module) -> Result {
    limit("literals", module.strings.len(), limits::STRINGS)?;
    limit("embedded instruction sets", module.isas.len(), limits::ISAS)?;
    limit("wanted capabilities", module.uses.len(), limits::USES)?;
    limit("globals", module.globals.len(), limits::GLOBALS)?;
    limit("data segments", module.data.len(), limits::DATA)?;
    limit("functions", module.funcs.len(), limits::FUNCS)?;
    limit("exports", module.exports.len(), limits::EXPORTS)?;
    limit("handlers", module.handlers.len(), limits::HANDLERS)?;
    limit("device programs", module.programs.len(), limits::PROGRAMS)?;
    limit("tests", module.tests.len(), limits::TESTS)?;
    if !module.name.is_empty() {
        named("a module", &module.name, names::is_path)?;
    }
    Ok(())
}

#[cfg_attr(test, track_caller)]
pub(super) fn named(what: &'static str, name: &str, legal: fn(&str) -> bool) -> Result {
    limit("bytes of a name", name.len(), limits::NAME_BYTES)?;
    ensure!(legal(name), Violation::BadName { what, name: shortened(name) });
    Ok(())
}

fn strings(module: &Module) -> Result {
    let mut seen = BTreeSet::new();
    for literal in &module.strings {
        limit("bytes of a literal", literal.len(), limits::STRING_BYTES)?;
        unique(&mut seen, "the literal", literal)?;
    }
    Ok(())
}

/// Notes `name` in `seen`, which must not have it yet.
#[cfg_attr(test, track_caller)]
fn unique<'a>(seen: &mut BTreeSet<&'a str>, what: &'static str, name: &'a str) -> Result {
    ensure!(seen.insert(name), Violation::Duplicate { what, name: shortened(name) });
    Ok(())
}

/// Enough of a text to recognise it by.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn isa(set: &InstructionSet) -> Result {
    named("an instruction set", &set.name, names::is_path)?;
    limit("instructions of an instruction set", set.instructions.len(), limits::ISA_ENTRIES)?;
    limit("events of an instruction set", set.events.len(), limits::ISA_ENTRIES)?;
    ascending(set, set.instructions.iter().map(|instruction| instruction.opcode))?;
    ascending(set, set.events.iter().map(|event| event.number))?;
    let mut seen = BTreeSet::new();
    for instruction in set.instructions.iter() {
        named("an instruction", &instruction.name, names::is_instruction)?;
        unique(&mut seen, "instruction", &instruction.name)?;
        fields("parameters", limits::ISA_OPERANDS, &instruction.params)?;
        fields("results", limits::ISA_OPERANDS, instruction.results.as_deref().unwrap_or_default())?;
    }
    let mut seen = BTreeSet::new();
    for event in set.events.iter() {
        named("an event", &event.name, names::is_identifier)?;
        unique(&mut seen, "event", &event.name)?;
        fields("parameters", limits::ISA_OPERANDS, &event.params)?;
    }
    Ok(())
}

#[cfg_attr(test, track_caller)]
fn ascending(set: &InstructionSet, numbers: impl Iterator<Item = u8>) -> Result {
    let mut previous = 0;
    for number in numbers {
        ensure!(number > previous, Violation::Order { isa: set.path(), number });
        previous = number;
    }
    Ok(())
}

#[cfg_attr(test, track_caller)]
fn fields(what: &'static str, most: usize, fields: &[Field]) -> Result {
    limit(what, fields.len(), most)?;
    for field in fields {
        if !field.name.is_empty() {
            named("an operand", &field.name, names::is_identifier)?;
        }
    }
    Ok(())
}

/// What operands are of can leave a VM, and other modules can know it again.
fn carried(
    module: &Module,
    hierarchy: &Hierarchy,
    set: &InstructionSet,
    described: &mut BTreeSet<Type>,
    bytes: &mut usize,
) -> Result {
    let shapes = Shapes::new(module);
    for field in set.fields() {
        types::known(module, field.ty)?;
        ensure!(hierarchy.is_carried(field.ty), Violation::NotCarried(field.ty));
        if field.ty.def().is_some() && described.insert(field.ty.non_null()) {
            let (what, most) = ("parts of the description of an operand's type", limits::SHAPE_PARTS);
            let over = Violation::Limit { what, count: most + 1, limit: most };
            let text = some!(shapes.describe(field.ty.non_null()), over);
            *bytes += text.len();
            limit("bytes of the descriptions of operands' types", *bytes, limits::SHAPE_BYTES)?;
        }
    }
    Ok(())
}

fn uses(module: &Module) -> Result {
    let mut seen = BTreeSet::new();
    for wanted in &module.uses {
        named("a capability", &wanted.name, names::is_identifier)?;
        unique(&mut seen, "capability", &wanted.name)?;
        set(module, wanted.isa)?;
    }
    Ok(())
}

#[cfg_attr(test, track_caller)]
pub(super) fn set(module: &Module, isa: IsaId) -> Result<&InstructionSet> {
    let count = module.isas.len();
    Ok(some!(module.isas.get(isa.index()), Violation::NoSuch { what: "instruction set", index: isa.0, count }))
}

fn globals(module: &Module) -> Result {
    for global in &module.globals {
        types::known(module, global.ty)?;
        types::stored(global.ty, global.mutable, "a global")?;
        limit("bytes of a global's initial value", global.init.len(), limits::INIT_BYTES)?;
    }
    Ok(())
}

fn memories(module: &Module) -> Result {
    limit("memories", module.memories.len(), limits::MEMORIES)?;
    for memory in &module.memories {
        limit("64 KiB pages of memory", memory.max as usize, limits::MEMORY_PAGES)?;
        ensure!(memory.min <= memory.max, Violation::MemoryLimits { min: memory.min, max: memory.max });
    }
    for data in &module.data {
        let Some(DataPlace { memory, offset }) = data.place else { continue };
        let count = module.memories.len();
        let place = module.memories.get(memory.index());
        let memory = some!(place, Violation::NoSuch { what: "memory", index: memory.0, count });
        let memory = u64::from(memory.min) << 16;
        let end = u64::from(offset) + data.bytes.len() as u64;
        ensure!(end <= memory, Violation::DataOutside { offset, bytes: data.bytes.len(), memory });
    }
    Ok(())
}

fn func(module: &Module, func: &Func) -> Result {
    types::signature(module, &func.sig)?;
    let locals = func.sig.params.len().saturating_add(func.locals.len());
    limit("locals of a function, parameters included", locals, limits::LOCALS)?;
    limit("bytes of a function's body", func.body.len(), limits::BODY_BYTES)?;
    let mut bufs = 0;
    for ty in &func.locals {
        types::known(module, *ty)?;
        ensure!(*ty != Type::BufRef, Violation::TypeNotAllowed { place: "a local", ty: *ty });
    }
    for ty in func.sig.params.iter().chain(&func.locals) {
        bufs += usize::from(ty.is_affine() || *ty == Type::BufRef);
    }
    limit("`buf` locals of a function, parameters included", bufs, limits::BUFS)
}

#[cfg_attr(test, track_caller)]
fn function(module: &Module, id: FuncId) -> Result<&Func> {
    let count = module.funcs.len();
    Ok(some!(module.funcs.get(id.index()), Violation::NoSuch { what: "function", index: id.0, count }))
}

fn provides(module: &Module, roles: &mut [Role]) -> Result {
    limit("provided instruction sets", module.provides.len(), limits::PROVIDES)?;
    let mut seen = BTreeSet::new();
    for provided in &module.provides {
        let set = set(module, provided.isa)?;
        let first = seen.insert((&*set.name, set.version));
        ensure!(first, Violation::Duplicate { what: "provided set", name: set.path() });
        provides_one(module, provided, set, roles)?;
    }
    Ok(())
}

fn provides_one(module: &Module, provided: &Provides, set: &InstructionSet, roles: &mut [Role]) -> Result {
    if let Some(name) = &provided.name {
        named("an announced VM", name, names::is_identifier)?;
    }
    let (expected, found) = (set.instructions.len(), provided.ops.len());
    ensure!(expected == found, Violation::OpCount { expected, found });
    for (instruction, op) in set.instructions.iter().zip(&provided.ops) {
        let results = instruction.results.as_deref().unwrap_or_default();
        entry(
            module,
            function(module, *op)?,
            &format!("op {}", instruction.name),
            &of_fields(&instruction.params, results),
        )?;
        claim(module, roles, *op, Role::Op { waits: instruction.results.is_some() })?;
    }
    Ok(())
}

fn of_fields(params: &[Field], results: &[Field]) -> Signature {
    let types = |fields: &[Field]| fields.iter().map(|field| field.ty).collect();
    Signature { params: types(params), results: types(results) }
}

fn handlers(module: &Module, roles: &mut [Role]) -> Result {
    let mut seen = BTreeSet::new();
    for handler in &module.handlers {
        let count = module.uses.len();
        let no_use = Violation::NoSuch { what: "capability", index: handler.source.0, count };
        let wanted = some!(module.uses.get(handler.source.index()), no_use);
        let set = module.isas.get(wanted.isa.index());
        let count = set.map_or(0, |set| set.events.len());
        let no_event = Violation::NoSuch { what: "event", index: u32::from(handler.event), count };
        let event = some!(set.and_then(|set| set.event(handler.event)), no_event);
        let role = format!("on {}.{}", wanted.name, event.name);
        let first = seen.insert((handler.source, handler.event));
        ensure!(first, Violation::Duplicate { what: "handler", name: role });
        entry(module, function(module, handler.func)?, &role, &of_fields(&event.params, &[]))?;
        claim(module, roles, handler.func, Role::Handler)?;
    }
    Ok(())
}

fn programs(module: &Module, hierarchy: &Hierarchy, roles: &mut [Role]) -> Result {
    let mut seen = BTreeSet::new();
    for program in &module.programs {
        named("a program", &program.name, names::is_path)?;
        unique(&mut seen, "program", &program.name)?;
        set(module, program.isa)?;
        let sig = &function(module, program.func)?.sig;
        limit("parameters of a program", sig.params.len(), limits::ISA_OPERANDS)?;
        limit("results of a program", sig.results.len(), limits::ISA_OPERANDS)?;
        for ty in sig.params.iter().chain(&sig.results) {
            let carried = *ty == Type::Buf || hierarchy.is_sendable_object(*ty);
            ensure!(carried, Violation::TypeNotAllowed { place: "a program's parameter or result", ty: *ty });
        }
        claim(module, roles, program.func, Role::Program(program.isa))?;
    }
    Ok(())
}

fn tests(module: &Module, roles: &mut [Role]) -> Result {
    for test in &module.tests {
        named("a test", &test.name, names::is_printable)?;
        entry(module, function(module, test.func)?, &format!("test \"{}\"", test.name), &Signature::default())?;
        claim(module, roles, test.func, Role::Test)?;
    }
    Ok(())
}

/// Checks the type of a function that the base enters.
#[cfg_attr(test, track_caller)]
fn entry(module: &Module, func: &Func, role: &str, expected: &Signature) -> Result {
    let found = &func.sig;
    let text = |sig| module.signature_text(sig);
    let role = role.to_string();
    ensure!(found == expected, Violation::Signature { role, expected: text(expected), found: text(found) });
    Ok(())
}

#[cfg_attr(test, track_caller)]
fn claim(module: &Module, roles: &mut [Role], id: FuncId, role: Role) -> Result {
    let free = roles.get_mut(id.index()).filter(|slot| **slot == Role::Plain);
    *some!(free, Violation::SharedEntry { name: module.func_name(id) }) = role;
    Ok(())
}

fn exports(module: &Module, roles: &[Role]) -> Result {
    let mut seen = BTreeSet::new();
    for export in &module.exports {
        named("an export", &export.name, names::is_identifier)?;
        unique(&mut seen, "export", &export.name)?;
        let func = function(module, export.func)?;
        let plain = roles.get(export.func.index()) == Some(&Role::Plain);
        ensure!(plain, Violation::SharedEntry { name: module.func_name(export.func) });
        limit("parameters of an exported function", func.sig.params.len(), limits::MAX_VALUES)?;
        limit("results of an exported function", func.sig.results.len(), limits::MAX_VALUES)?;
        if export.name == "main" {
            entry(module, func, "main", &Signature::default())?;
        }
    }
    Ok(())
}

/// The names section cannot harm execution; these rules keep reports readable.
fn debug_names(module: &Module, all: &Names) -> Result {
    limit("source files", all.files.len(), limits::FILES)?;
    limit("files of functions", all.func_files.len(), module.funcs.len())?;
    limit("names of functions", all.funcs.len(), module.funcs.len())?;
    limit("lists of locals' names", all.locals.len(), module.funcs.len())?;
    limit("line tables", all.lines.len(), module.funcs.len())?;
    limit("names of globals", all.globals.len(), module.globals.len())?;
    limit("names of types", all.types.len(), module.types.len())?;
    limit("names of memories", all.memories.len(), module.memories.len())?;
    limit("names of data segments", all.data.len(), module.data.len())?;
    let known = all.func_files.iter().all(|file| (*file as usize) < all.files.len());
    ensure!(known, Violation::BadNames("a function's file is not in the list of files"));
    let locals: usize = all.locals.iter().map(Vec::len).sum();
    limit("names of locals in a module", locals, limits::LOCAL_NAMES)?;
    let fields: usize = all.types.iter().map(|ty| ty.fields.len()).sum();
    limit("names of fields in a module", fields, limits::ALL_FIELDS)?;
    let of_types = all.types.iter().flat_map(|ty| ty.fields.iter().chain([&ty.name]));
    let texts = all.files.iter().chain(&all.funcs).chain(all.locals.iter().flatten()).chain(&all.globals);
    let texts = texts.chain(&all.memories).chain(&all.data);
    let printable = texts.chain(of_types).all(|name| names::is_printable(name));
    ensure!(printable, Violation::BadNames("a name has control characters or is too long"));
    let ascends = |lines: &Vec<(u32, u32)>| lines.windows(2).all(|pair| pair[0].0 < pair[1].0);
    ensure!(all.lines.iter().all(ascends), Violation::BadNames("a line table does not ascend"));
    Ok(())
}
