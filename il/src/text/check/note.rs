//! Notes what names stand for, when an index is wanted ([`super::super::index`]).
//!
//! Locals and fields are noted with the type that they have by then. Items are noted by their entry, and described
//! once everything about them is known. Names are slices of the text, so their places are known by their addresses.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::super::diag::Span;
use super::super::index::{Meaning, Notes, place};
use super::body::{Body, Found};
use super::typed::{Ty, Value};
use super::{ConstState, Context, Entry, GlobalInfo};
use crate::isa::{Event, Instruction, InstructionSet};
use crate::types::{LocalId, Storage, StructField};

/// What is described once all is known.
#[derive(Clone)]
pub(super) enum Noted {
    Item(Entry),
    Member(usize),
    /// A set, by its path.
    Set(String),
    /// An instruction of a set, by its opcode.
    Instruction(String, u8),
    /// An event of a set, by its number.
    Event(String, u8),
}

impl Context<'_, '_, '_> {
    /// A name of an item.
    pub(super) fn note_item(&mut self, span: Span, entry: Entry) {
        if self.notes.is_some() {
            self.noted.push((span, Noted::Item(entry)));
        }
    }

    /// A member of an enum, by its constant.
    pub(super) fn note_member(&mut self, span: Span, id: usize) {
        if self.notes.is_some() {
            self.noted.push((span, Noted::Member(id)));
        }
    }

    /// A field that is declared at `definition`.
    pub(super) fn note_field(&mut self, name: &str, field: StructField, definition: Span) {
        let Some(mut notes) = self.notes.take() else { return };
        if let Some(span) = place(self.source, name) {
            notes.declared(span, definition, Meaning::Field, || {
                let mutable = if field.mutable { "mut " } else { "" };
                let ty = match field.storage {
                    Storage::Value(ty) => self.type_text(ty),
                    packed => packed.name().into(),
                };
                format!("{mutable}{name}: {ty}")
            });
        }
        self.notes = Some(notes);
    }

    /// Sets and their parts are described by what is known of them in the end: the types of operands come late.
    pub(super) fn note_set(&mut self, span: Span, set: &InstructionSet) {
        if self.notes.is_some() {
            self.noted.push((span, Noted::Set(set.path())));
        }
    }

    pub(super) fn note_instruction(&mut self, span: Span, set: &InstructionSet, instruction: &Instruction) {
        if self.notes.is_some() {
            self.noted.push((span, Noted::Instruction(set.path(), instruction.opcode)));
        }
    }

    pub(super) fn note_event(&mut self, span: Span, set: &InstructionSet, event: &Event) {
        if self.notes.is_some() {
            self.noted.push((span, Noted::Event(set.path(), event.number)));
        }
    }

    /// An instruction or event, by its name.
    pub(super) fn note_part(&mut self, span: Span, set: &InstructionSet, name: &str) {
        if let Some(instruction) = set.instruction_named(name) {
            self.note_instruction(span, set, instruction);
        } else if let Some(event) = set.event_named(name) {
            self.note_event(span, set, event);
        }
    }

    /// A name that is called and that nothing in the text declares.
    pub(super) fn note_built_in(&mut self, span: Span, name: &str) {
        if let Some(notes) = &mut self.notes {
            notes.built_in(span, name);
        }
    }

    /// Describes the items that were noted.
    pub(super) fn note_items(&mut self) {
        let Some(mut notes) = self.notes.take() else { return };
        let places = self.scopes.iter().flat_map(|scope| scope.values());
        let enums: BTreeMap<usize, Span> = places
            .filter_map(|(entry, span)| if let Entry::Enum(id) = entry { Some((*id, *span)) } else { None })
            .collect();
        for (span, noted) in core::mem::take(&mut self.noted) {
            match noted {
                Noted::Member(id) => self.note_const(&mut notes, span, id, Meaning::Member),
                Noted::Item(Entry::Const(id)) => self.note_const(&mut notes, span, id, Meaning::Constant),
                Noted::Item(Entry::Global(id)) => {
                    let GlobalInfo { name, mutable, ty, .. } = &self.globals[id];
                    let word = if *mutable { "global mut" } else { "global" };
                    let text = || format!("{word} {}: {}", name.text, self.note_type(*ty));
                    notes.declared(span, name.span, Meaning::Global, text);
                }
                // How these are declared is theirs to say.
                Noted::Item(Entry::Func(id)) => {
                    let definition = self.funcs.get(id).map_or(span, |info| info.func.name.span);
                    notes.declared(span, definition, Meaning::Function, String::new);
                }
                Noted::Item(Entry::Struct(at)) => {
                    let definition = self.types.structs.get(at).map_or(span, |info| info.decl.name.span);
                    notes.declared(span, definition, Meaning::Struct, String::new);
                }
                Noted::Item(Entry::Program(at)) => {
                    let definition = self.programs.get(at).map_or(span, |info| info.name.span);
                    notes.declared(span, definition, Meaning::Program, String::new);
                }
                Noted::Item(Entry::Use(id)) => {
                    let definition = self.uses.get(id).and_then(|info| place(self.source, info.name));
                    notes.declared(span, definition.unwrap_or(span), Meaning::Capability, String::new);
                }
                Noted::Item(Entry::Enum(id)) => {
                    let definition = enums.get(&id).copied().unwrap_or(span);
                    notes.declared(span, definition, Meaning::Enum, String::new);
                }
                // How these are declared is theirs to say, too.
                Noted::Item(Entry::Memory(at)) => {
                    let definition = self.memory_names.get(at).map_or(span, |(_, named)| *named);
                    notes.declared(span, definition, Meaning::Memory, String::new);
                }
                Noted::Item(Entry::Data(at)) => {
                    let definition = self.segments.get(at).map_or(span, |segment| segment.span);
                    notes.declared(span, definition, Meaning::Data, String::new);
                }
                Noted::Item(Entry::Unknown) => {}
                Noted::Set(path) => {
                    if let Some(set) = self.set_of_path(&path) {
                        notes.set(span, &set, &|ty| self.type_text(ty));
                    }
                }
                Noted::Instruction(path, opcode) => {
                    if let Some(set) = self.set_of_path(&path)
                        && let Some(one) = set.instruction(opcode)
                    {
                        notes.instruction(span, &set, one, &|ty| self.type_text(ty));
                    }
                }
                Noted::Event(path, number) => {
                    if let Some(set) = self.set_of_path(&path)
                        && let Some(one) = set.event(number)
                    {
                        notes.event(span, &set, one, &|ty| self.type_text(ty));
                    }
                }
            }
        }
        self.notes = Some(notes);
    }

    fn note_const(&self, notes: &mut Notes, span: Span, id: usize, meaning: Meaning) {
        let Some(info) = self.consts.get(id) else { return };
        notes.declared(span, info.name.span, meaning, || {
            let word = if meaning == Meaning::Constant { "const " } else { "" };
            let (ty, value) = match &info.state {
                ConstState::Done(Some(value)) => (Ty::Of(value.ty()), format!(" = {}", value_text(value))),
                _ => (info.ty.unwrap_or(Ty::Error), String::new()),
            };
            format!("{word}{}: {}{value}", info.name.text, self.note_type(ty))
        });
    }

    fn note_type(&self, ty: Ty) -> String {
        match ty {
            Ty::Of(ty) => self.type_text(ty),
            Ty::Int => "i32".into(),
            Ty::Float => "f64".into(),
            Ty::Null | Ty::Nothing | Ty::Many | Ty::Error => "?".into(),
        }
    }
}

impl Body<'_, '_, '_, '_> {
    /// What a name was found to stand for.
    pub(super) fn note_found(&mut self, name: &str, found: &Found) {
        if self.cx.notes.is_none() {
            return;
        }
        let Some(span) = place(self.cx.source, name) else { return };
        match found {
            Found::Local(id) => self.note_local(span, *id),
            Found::Item(entry) => self.cx.note_item(span, *entry),
            Found::Own(opcode) => {
                let path = self.own_set().map(InstructionSet::path);
                self.cx.noted.extend(path.map(|path| (span, Noted::Instruction(path, *opcode))));
            }
            Found::Nothing => {}
        }
    }

    /// A name of a local.
    pub(super) fn note_local(&mut self, span: Span, id: LocalId) {
        let Some(mut notes) = self.cx.notes.take() else { return };
        let params = self.info().map_or(0, |info| info.params.len());
        let local = self.local(id);
        let (word, meaning) = match (id.index() < params, local.mutable) {
            (true, _) => ("", Meaning::Parameter),
            (false, true) => ("var ", Meaning::Local),
            (false, false) => ("let ", Meaning::Local),
        };
        let text = || format!("{word}{}: {}", local.name, self.cx.note_type(local.ty));
        notes.declared(span, local.span, meaning, text);
        self.cx.notes = Some(notes);
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::I32(value) => format!("{value}"),
        Value::I64(value) => format!("{value}"),
        Value::F32(value) => format!("{value:?}"),
        Value::F64(value) => format!("{value:?}"),
        Value::V128(low, high) => format!("{:#034x}", (*high as u64 as u128) << 64 | *low as u64 as u128),
        Value::Bool(value) => format!("{value}"),
        Value::Str(text) => format!("{text:?}"),
    }
}
