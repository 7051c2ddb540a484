//! Module to bytes. Cannot fail: limits are the decoder's and the verifier's business.

use alloc::string::String;
use alloc::vec::Vec;

use super::{MAGIC, VERSION, def, section};
use crate::instr::write_type;
use crate::isa::{Event, Field, Instruction, InstructionSet};
use crate::{Func, Module, Names, Provides, Signature, Storage, StructDef, Type, TypeDef, leb};

/// Header and required sections.
pub fn required(module: &Module) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    number(&mut out, u64::from(VERSION));
    number(&mut out, 0);
    put(&mut out, section::NAME, !module.name.is_empty(), |out| text(out, &module.name));
    put_list(&mut out, section::STRINGS, &module.strings, |out, literal| text(out, literal));
    put_list(&mut out, section::ISAS, &module.isas, isa);
    put_list(&mut out, section::TYPES, &module.types, type_def);
    put_list(&mut out, section::USES, &module.uses, |out, wanted| {
        text(out, &wanted.name);
        index(out, wanted.isa.0);
    });
    put_list(&mut out, section::PROVIDES, &module.provides, provides);
    put_list(&mut out, section::GLOBALS, &module.globals, |out, global| {
        out.push(u8::from(global.mutable));
        write_type(out, global.ty);
        bytes(out, &global.init);
    });
    put_list(&mut out, section::MEMORIES, &module.memories, |out, memory| {
        index(out, memory.min);
        index(out, memory.max);
    });
    put_list(&mut out, section::DATA, &module.data, |out, data| {
        // Segments with a place name their memory from 1.
        index(out, data.place.map_or(0, |place| place.memory.0.saturating_add(1)));
        if let Some(place) = data.place {
            index(out, place.offset);
        }
        bytes(out, &data.bytes);
    });
    put_list(&mut out, section::FUNCS, &module.funcs, func);
    put_list(&mut out, section::EXPORTS, &module.exports, |out, export| {
        text(out, &export.name);
        index(out, export.func.0);
    });
    put_list(&mut out, section::HANDLERS, &module.handlers, |out, handler| {
        index(out, handler.source.0);
        out.push(handler.event);
        index(out, handler.func.0);
    });
    put_list(&mut out, section::PROGRAMS, &module.programs, |out, program| {
        text(out, &program.name);
        index(out, program.isa.0);
        index(out, program.func.0);
    });
    put_list(&mut out, section::TESTS, &module.tests, |out, test| {
        text(out, &test.name);
        index(out, test.func.0);
    });
    out
}

/// Optional sections, after the required ones.
pub fn optional(module: &Module, out: &mut Vec<u8>) {
    put(out, section::NAMES, module.names.is_some(), |out| {
        if let Some(all) = &module.names {
            names(out, all);
        }
    });
}

fn put(out: &mut Vec<u8>, kind: u8, present: bool, payload: impl FnOnce(&mut Vec<u8>)) {
    if present {
        let mut content = Vec::new();
        payload(&mut content);
        out.push(kind);
        bytes(out, &content);
    }
}

fn put_list<T>(out: &mut Vec<u8>, kind: u8, items: &[T], item: impl Fn(&mut Vec<u8>, &T)) {
    put(out, kind, !items.is_empty(), |out| list(out, items, item));
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    number(out, items.len() as u64);
    items.iter().for_each(|one| item(out, one));
}

fn number(out: &mut Vec<u8>, value: u64) {
    leb::write_u64(out, value);
}

fn index(out: &mut Vec<u8>, value: u32) {
    number(out, u64::from(value));
}

fn bytes(out: &mut Vec<u8>, content: &[u8]) {
    number(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn text(out: &mut Vec<u8>, content: &str) {
    bytes(out, content.as_bytes());
}

fn types(out: &mut Vec<u8>, all: &[Type]) {
    list(out, all, |out, ty| write_type(out, *ty));
}

fn fields(out: &mut Vec<u8>, all: &[Field]) {
    list(out, all, |out, field| {
        text(out, &field.name);
        write_type(out, field.ty);
    });
}

fn isa(out: &mut Vec<u8>, set: &InstructionSet) {
    text(out, &set.name);
    index(out, set.version);
    list(out, &set.instructions, instruction);
    list(out, &set.events, event);
}

fn instruction(out: &mut Vec<u8>, instruction: &Instruction) {
    out.push(instruction.opcode);
    text(out, &instruction.name);
    fields(out, &instruction.params);
    out.push(u8::from(instruction.results.is_some()));
    if let Some(results) = &instruction.results {
        fields(out, results);
    }
}

fn event(out: &mut Vec<u8>, event: &Event) {
    out.push(event.number);
    text(out, &event.name);
    fields(out, &event.params);
    out.push(u8::from(event.coalesced));
}

fn provides(out: &mut Vec<u8>, provided: &Provides) {
    index(out, provided.isa.0);
    out.push(u8::from(provided.name.is_some()));
    if let Some(name) = &provided.name {
        text(out, name);
    }
    list(out, &provided.ops, |out, op| index(out, op.0));
}

/// A line of the type table.
pub fn type_def(out: &mut Vec<u8>, definition: &TypeDef) {
    match definition {
        TypeDef::Struct(found) => {
            out.push(def::STRUCT);
            struct_def(out, found);
        }
        TypeDef::Array(found) => {
            out.extend([def::ARRAY, u8::from(found.mutable)]);
            storage(out, found.element);
        }
        TypeDef::Func(sig) => {
            out.push(def::FUNC);
            signature(out, sig);
        }
        TypeDef::Cap(cap) => {
            out.push(def::CAP);
            index(out, cap.isa.0);
            bytes(out, &cap.instructions);
        }
    }
}

fn struct_def(out: &mut Vec<u8>, found: &StructDef) {
    out.push(u8::from(found.parent.is_some()));
    if let Some(parent) = found.parent {
        index(out, parent.0);
    }
    out.push(u8::from(found.frozen));
    if found.frozen {
        text(out, &found.name);
    }
    list(out, &found.fields, |out, field| {
        out.push(u8::from(field.mutable));
        storage(out, field.storage);
    });
}

fn storage(out: &mut Vec<u8>, stored: Storage) {
    match Storage::PACKED.iter().find(|(_, packed)| *packed == stored) {
        Some((code, _)) => out.push(*code),
        None => write_type(out, stored.value()),
    }
}

fn signature(out: &mut Vec<u8>, sig: &Signature) {
    types(out, &sig.params);
    types(out, &sig.results);
}

fn func(out: &mut Vec<u8>, func: &Func) {
    out.push(u8::from(func.pure));
    signature(out, &func.sig);
    types(out, &func.locals);
    bytes(out, &func.body);
}

fn names(out: &mut Vec<u8>, names: &Names) {
    let texts = |out: &mut Vec<u8>, all: &Vec<String>| list(out, all, |out, one| text(out, one));
    texts(out, &names.files);
    list(out, &names.func_files, |out, file| index(out, *file));
    texts(out, &names.funcs);
    list(out, &names.locals, texts);
    texts(out, &names.globals);
    list(out, &names.types, |out, ty| {
        text(out, &ty.name);
        texts(out, &ty.fields);
    });
    texts(out, &names.memories);
    texts(out, &names.data);
    list(out, &names.lines, |out, lines| {
        let mut previous = (0, 0);
        list(out, lines, |out, &(offset, line)| {
            leb::write_i64(out, i64::from(offset) - i64::from(previous.0));
            leb::write_i64(out, i64::from(line) - i64::from(previous.1));
            previous = (offset, line);
        });
    });
}
