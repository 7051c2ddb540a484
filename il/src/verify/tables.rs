//! The rules of a module's tables: everything but bodies.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::error::{Violation, signature, signature_text};
use super::{Role, names};
use crate::isa::{Field, InstructionSet};
use crate::{Func, FuncId, IsaId, Module, StrId, Type, limits};

type Result<T = ()> = core::result::Result<T, Violation>;

/// Checks all tables; returns every function's role.
pub(super) fn check(module: &Module) -> Result<Vec<Role>> {
    sizes(module)?;
    strings(module)?;
    module.isas.iter().try_for_each(isa)?;
    uses(module)?;
    globals(module)?;
    memory(module)?;
    module.funcs.iter().try_for_each(func)?;
    let mut roles = vec![Role::Plain; module.funcs.len()];
    provides(module, &mut roles)?;
    handlers(module, &mut roles)?;
    exports(module, &roles)?;
    debug_names(module)?;
    Ok(roles)
}

pub(super) fn limit(what: &'static str, count: usize, limit: usize) -> Result {
    if count > limit { Err(Violation::Limit { what, count, limit }) } else { Ok(()) }
}

fn sizes(module: &Module) -> Result {
    limit("literals", module.strings.len(), limits::STRINGS)?;
    limit("instruction sets", module.isas.len(), limits::ISAS)?;
    limit("capabilities", module.uses.len(), limits::USES)?;
    limit("globals", module.globals.len(), limits::GLOBALS)?;
    limit("data segments", module.data.len(), limits::DATA)?;
    limit("functions", module.funcs.len(), limits::FUNCS)?;
    limit("exports", module.exports.len(), limits::EXPORTS)?;
    limit("handlers", module.handlers.len(), limits::HANDLERS)?;
    if !module.name.is_empty() && !names::is_path(&module.name) {
        return Err(Violation::BadName { what: "a module", name: module.name.clone() });
    }
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
fn unique<'a>(seen: &mut BTreeSet<&'a str>, what: &'static str, name: &'a str) -> Result {
    if seen.insert(name) { Ok(()) } else { Err(Violation::Duplicate { what, name: shortened(name) }) }
}

/// Enough of a text to recognise it by.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn isa(set: &InstructionSet) -> Result {
    if !names::is_path(&set.name) {
        return Err(Violation::BadName { what: "an instruction set", name: shortened(&set.name) });
    }
    limit("instructions", set.instructions.len(), limits::ISA_ENTRIES)?;
    limit("events", set.events.len(), limits::ISA_ENTRIES)?;
    ascending(set, set.instructions.iter().map(|instruction| instruction.opcode))?;
    ascending(set, set.events.iter().map(|event| event.number))?;
    let mut seen = BTreeSet::new();
    for instruction in set.instructions.iter() {
        isa_name("an instruction", &instruction.name, names::is_instruction)?;
        unique(&mut seen, "instruction", &instruction.name)?;
        fields("operands", limits::PARAMS, &instruction.params)?;
        fields("results", limits::RESULTS, instruction.results.as_deref().unwrap_or_default())?;
    }
    let mut seen = BTreeSet::new();
    for event in set.events.iter() {
        isa_name("an event", &event.name, names::is_identifier)?;
        unique(&mut seen, "event", &event.name)?;
        fields("operands", limits::PARAMS, &event.params)?;
    }
    Ok(())
}

fn isa_name(what: &'static str, name: &str, legal: fn(&str) -> bool) -> Result {
    if legal(name) { Ok(()) } else { Err(Violation::BadName { what, name: shortened(name) }) }
}

fn ascending(set: &InstructionSet, numbers: impl Iterator<Item = u8>) -> Result {
    let mut previous = 0;
    for number in numbers {
        if number <= previous {
            return Err(Violation::Order { isa: set.path(), number });
        }
        previous = number;
    }
    Ok(())
}

fn fields(what: &'static str, most: usize, fields: &[Field]) -> Result {
    limit(what, fields.len(), most)?;
    for field in fields {
        if !field.name.is_empty() && !names::is_identifier(&field.name) {
            return Err(Violation::BadName { what: "an operand", name: shortened(&field.name) });
        }
        if !field.ty.is_sendable() {
            return Err(Violation::TypeNotAllowed { place: "an operand of a device instruction", ty: field.ty });
        }
    }
    Ok(())
}

fn uses(module: &Module) -> Result {
    let mut seen = BTreeSet::new();
    for wanted in &module.uses {
        isa_name("a capability", &wanted.name, names::is_identifier)?;
        unique(&mut seen, "capability", &wanted.name)?;
        set(module, wanted.isa)?;
    }
    Ok(())
}

fn set(module: &Module, isa: IsaId) -> Result<&InstructionSet> {
    let count = module.isas.len();
    module.isas.get(isa.index()).ok_or(Violation::NoSuch { what: "instruction set", index: isa.0, count })
}

fn globals(module: &Module) -> Result {
    module
        .globals
        .iter()
        .try_for_each(|global| limit("bytes of a global's initial value", global.init.len(), limits::INIT_BYTES))
}

pub(super) fn literal(module: &Module, id: StrId) -> Result {
    let count = module.strings.len();
    if id.index() < count { Ok(()) } else { Err(Violation::NoSuch { what: "literal", index: id.0, count }) }
}

fn memory(module: &Module) -> Result {
    let pages = module.memory.map_or(0, |memory| memory.min);
    if let Some(memory) = module.memory {
        limit("pages of memory", memory.max as usize, limits::MEMORY_PAGES)?;
        if memory.min > memory.max {
            return Err(Violation::MemoryLimits { min: memory.min, max: memory.max });
        }
    }
    let memory = u64::from(pages) << 16;
    for data in &module.data {
        if module.memory.is_none() {
            return Err(Violation::NoMemory);
        }
        if u64::from(data.offset) + data.bytes.len() as u64 > memory {
            return Err(Violation::DataOutside { offset: data.offset, bytes: data.bytes.len(), memory });
        }
    }
    Ok(())
}

fn func(func: &Func) -> Result {
    limit("parameters", func.sig.params.len(), limits::PARAMS)?;
    limit("results", func.sig.results.len(), limits::RESULTS)?;
    limit("locals of a function", func.sig.params.len().saturating_add(func.locals.len()), limits::LOCALS)?;
    limit("bytes of a function's body", func.body.len(), limits::BODY_BYTES)?;
    let owned = |types: &[Type], place| match types.contains(&Type::BufRef) {
        true => Err(Violation::TypeNotAllowed { place, ty: Type::BufRef }),
        false => Ok(()),
    };
    owned(&func.sig.results, "a result")?;
    owned(&func.locals, "a local")?;
    let bufs = func.sig.params.iter().chain(&func.locals).filter(|ty| matches!(ty, Type::Buf | Type::BufRef));
    limit("`buf` locals of a function", bufs.count(), limits::BUFS)
}

fn function(module: &Module, id: FuncId) -> Result<&Func> {
    let count = module.funcs.len();
    module.funcs.get(id.index()).ok_or(Violation::NoSuch { what: "function", index: id.0, count })
}

fn provides(module: &Module, roles: &mut [Role]) -> Result {
    let Some(provided) = &module.provides else { return Ok(()) };
    if let Some(name) = &provided.name {
        isa_name("an announced VM", name, names::is_identifier)?;
    }
    let set = set(module, provided.isa)?;
    let (expected, found) = (set.instructions.len(), provided.ops.len());
    if expected != found {
        return Err(Violation::OpCount { expected, found });
    }
    for (instruction, op) in set.instructions.iter().zip(&provided.ops) {
        let results = instruction.results.as_deref().unwrap_or_default();
        entry(module, *op, &format!("op {}", instruction.name), &instruction.params, results)?;
        claim(module, roles, *op, Role::Op)?;
    }
    Ok(())
}

fn handlers(module: &Module, roles: &mut [Role]) -> Result {
    let mut seen = BTreeSet::new();
    for handler in &module.handlers {
        let count = module.uses.len();
        let no_use = Violation::NoSuch { what: "capability", index: handler.source.0, count };
        let wanted = module.uses.get(handler.source.index()).ok_or(no_use)?;
        let set = set(module, wanted.isa)?;
        let count = set.events.len();
        let no_event = Violation::NoSuch { what: "event", index: u32::from(handler.event), count };
        let event = set.event(handler.event).ok_or(no_event)?;
        let role = format!("on {}.{}", wanted.name, event.name);
        if !seen.insert((handler.source, handler.event)) {
            return Err(Violation::Duplicate { what: "handler", name: role });
        }
        entry(module, handler.func, &role, &event.params, &[])?;
        claim(module, roles, handler.func, Role::Handler)?;
    }
    Ok(())
}

/// Checks the type of a function that the base enters.
fn entry(module: &Module, id: FuncId, role: &str, params: &[Field], results: &[Field]) -> Result {
    let func = function(module, id)?;
    let same = |fields: &[Field], types: &[Type]| fields.iter().map(|field| field.ty).eq(types.iter().copied());
    if same(params, &func.sig.params) && same(results, &func.sig.results) {
        return Ok(());
    }
    let types = |fields: &[Field]| fields.iter().map(|field| field.ty).collect::<Vec<_>>();
    let expected = signature(types(params).into_iter(), types(results).into_iter());
    Err(Violation::Signature { role: role.to_string(), expected, found: signature_text(func) })
}

fn claim(module: &Module, roles: &mut [Role], id: FuncId, role: Role) -> Result {
    match roles.get_mut(id.index()) {
        Some(slot @ Role::Plain) => *slot = role,
        _ => return Err(Violation::SharedEntry { name: module.func_name(id) }),
    }
    Ok(())
}

fn exports(module: &Module, roles: &[Role]) -> Result {
    let mut seen = BTreeSet::new();
    for export in &module.exports {
        isa_name("an export", &export.name, names::is_identifier)?;
        unique(&mut seen, "export", &export.name)?;
        let func = function(module, export.func)?;
        if roles.get(export.func.index()) != Some(&Role::Plain) {
            return Err(Violation::SharedEntry { name: module.func_name(export.func) });
        }
        if export.name == "main" && !(func.sig.params.is_empty() && func.sig.results.is_empty()) {
            let role = String::from("main");
            return Err(Violation::Signature { role, expected: String::from("func()"), found: signature_text(func) });
        }
    }
    Ok(())
}

/// The names section cannot harm execution; these rules keep reports readable.
fn debug_names(module: &Module) -> Result {
    let Some(all) = &module.names else { return Ok(()) };
    limit("names of functions", all.funcs.len(), module.funcs.len())?;
    limit("lists of locals' names", all.locals.len(), module.funcs.len())?;
    limit("line tables", all.lines.len(), module.funcs.len())?;
    limit("names of globals", all.globals.len(), module.globals.len())?;
    let mut texts = all.funcs.iter().chain(all.locals.iter().flatten()).chain(&all.globals);
    if !all.files.iter().all(|file| names::is_printable(file)) || !texts.all(|name| names::is_printable(name)) {
        return Err(Violation::BadNames("a name has control characters or is too long"));
    }
    let locals: usize = all.locals.iter().map(Vec::len).sum();
    limit("names of locals", locals, limits::LOCAL_NAMES)?;
    let unordered = |lines: &Vec<(u32, u32)>| lines.windows(2).any(|pair| pair[0].0 >= pair[1].0);
    if all.lines.iter().any(unordered) {
        return Err(Violation::BadNames("a line table does not ascend"));
    }
    Ok(())
}
