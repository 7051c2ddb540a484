//! Items other than functions and globals.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use super::names::Names;
use crate::isa::{Event, Field, Instruction, InstructionSet};
use crate::{DataId, DataPlace, IsaId, MemoryId, Module, StructDef, Type, TypeDef, TypeId};

/// A set's path.
pub(super) fn path(module: &Module, isa: IsaId) -> String {
    module.isas.get(isa.index()).map_or_else(|| String::from("?"), InstructionSet::path)
}

/// The declarations of structs, in the order of the table.
pub(super) fn structs(module: &Module, names: &Names, out: &mut String) {
    for (at, def) in module.types.iter().enumerate() {
        if let TypeDef::Struct(def) = def {
            section(out, structure(names, TypeId(at as u32), def));
        }
    }
}

fn structure(names: &Names, id: TypeId, def: &StructDef) -> Vec<String> {
    let frozen = if def.frozen { "frozen " } else { "" };
    let parent = def.parent.map_or_else(String::new, |parent| format!(": {}", names.ty(Type::Ref(parent))));
    let head = format!("{frozen}struct {}{parent} {{", names.ty(Type::Ref(id)));
    if def.fields.is_empty() {
        return alloc::vec![format!("{head}}}")];
    }
    let all = names.fields(id);
    let own = all.get(all.len().saturating_sub(def.fields.len())..).unwrap_or_default();
    let mut lines = alloc::vec![head];
    for (field, name) in def.fields.iter().zip(own) {
        let mutable = if field.mutable { "mut " } else { "" };
        lines.push(format!("  {mutable}{name}: {},", names.storage(field.storage)));
    }
    lines.push(String::from("}"));
    lines
}

/// Lines, with a blank one in front.
pub(super) fn section(out: &mut String, lines: Vec<String>) {
    if !lines.is_empty() {
        out.push('\n');
    }
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
}

// Instruction sets and capabilities

/// A set's instructions and events, by number.
type Entries<'m> = (BTreeMap<u8, &'m Instruction>, BTreeMap<u8, &'m Event>);

/// Each path once, with all that is embedded of it.
pub(super) fn isas(module: &Module, names: &Names, out: &mut String) {
    let mut paths: Vec<String> = Vec::new();
    let mut merged: BTreeMap<String, Entries<'_>> = BTreeMap::new();
    for set in &module.isas {
        let path = set.path();
        if !paths.contains(&path) {
            paths.push(path.clone());
        }
        let (instructions, events) = merged.entry(path).or_default();
        instructions.extend(set.instructions.iter().map(|one| (one.opcode, one)));
        events.extend(set.events.iter().map(|one| (one.number, one)));
    }
    for path in paths {
        let Some((instructions, events)) = merged.get(&path) else { continue };
        let mut lines = alloc::vec![format!("isa {path} {{")];
        lines.extend(instructions.values().map(|one| format!("  {}", instruction_text(names, one))));
        lines.extend(events.values().map(|one| format!("  {}", event_text(names, one))));
        lines.push(String::from("}"));
        section(out, lines);
    }
}

fn instruction_text(names: &Names, instruction: &Instruction) -> String {
    let results = match instruction.results.as_deref() {
        None => String::new(),
        Some([one]) if one.name.is_empty() => format!(" -> {}", names.ty(one.ty)),
        Some(results) => format!(" -> ({})", fields(names, results, false)),
    };
    format!("{} {}({}){results}", instruction.opcode, instruction.name, fields(names, &instruction.params, true))
}

fn event_text(names: &Names, event: &Event) -> String {
    let coalesced = if event.coalesced { "coalesced " } else { "" };
    format!("{coalesced}event {} {}({})", event.number, event.name, fields(names, &event.params, true))
}

/// Operands or results; operands need names.
fn fields(names: &Names, fields: &[Field], named: bool) -> String {
    let one = |(at, field): (usize, &Field)| match &*field.name {
        "" if named => format!("p{at}: {}", names.ty(field.ty)),
        "" => names.ty(field.ty),
        name => format!("{name}: {}", names.ty(field.ty)),
    };
    fields.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

pub(super) fn uses(module: &Module, out: &mut String) {
    let line = |wanted: &crate::Use| format!("use {}: {}", wanted.name, path(module, wanted.isa));
    section(out, module.uses.iter().map(line).collect());
}

/// Memories, and bytes for them.
pub(super) fn memories(module: &Module, names: &Names, out: &mut String) {
    let mut lines = Vec::new();
    for (at, memory) in module.memories.iter().enumerate() {
        let name = names.memory_declared(MemoryId(at as u32));
        let space = if name.is_empty() { "" } else { " " };
        lines.push(format!("memory {name}{space}{}..{}", memory.min, memory.max));
    }
    for (at, data) in module.data.iter().enumerate() {
        let name = names.data_declared(DataId(at as u32)).map_or_else(String::new, |name| format!("{name} = "));
        let place = match data.place {
            None => String::new(),
            Some(DataPlace { memory: MemoryId(0), offset }) => format!("{} ", address(offset)),
            Some(DataPlace { memory, offset }) => format!("{} in {} ", address(offset), names.memory(memory)),
        };
        lines.push(format!("data {name}{place}{}", data_text(&data.bytes)));
    }
    section(out, lines);
}

/// An address as an `i32` literal.
fn address(offset: u32) -> String {
    if i32::try_from(offset).is_ok() { offset.to_string() } else { format!("{offset:#x}") }
}

fn data_text(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b'\n' => out.push_str("\\n"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => _ = write!(out, "\\x{byte:02x}"),
        }
    }
    out.push('"');
    out
}
