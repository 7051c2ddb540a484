//! Notes what names stand for, when an index is wanted ([`super::super::index`]).
//!
//! Locals are noted with the type that they have by then. Items are noted by their entry, and described once
//! everything about them is known.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::super::diag::Span;
use super::super::index::{Meaning, Notes, place};
use super::body::{Body, Found};
use super::typed::{Ty, Value};
use super::{ConstState, Context, Entry, GlobalInfo};
use crate::isa::{Event, Instruction, InstructionSet};
use crate::types::LocalId;

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

    pub(super) fn note_set(&mut self, span: Span, set: &InstructionSet) {
        if let Some(notes) = &mut self.notes {
            notes.set(span, set);
        }
    }

    pub(super) fn note_instruction(&mut self, span: Span, set: &InstructionSet, instruction: &Instruction) {
        if let Some(notes) = &mut self.notes {
            notes.instruction(span, set, instruction);
        }
    }

    pub(super) fn note_event(&mut self, span: Span, set: &InstructionSet, event: &Event) {
        if let Some(notes) = &mut self.notes {
            notes.event(span, set, event);
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
        let enums: BTreeMap<usize, Span> = self
            .scopes
            .iter()
            .flat_map(BTreeMap::values)
            .filter_map(|(entry, span)| if let Entry::Enum(id) = entry { Some((*id, *span)) } else { None })
            .collect();
        for (span, noted) in core::mem::take(&mut self.noted) {
            match noted {
                Noted::Member(id) => self.note_const(&mut notes, span, id, Meaning::Member),
                Noted::Item(Entry::Const(id)) => self.note_const(&mut notes, span, id, Meaning::Constant),
                Noted::Item(Entry::Global(id)) => {
                    let GlobalInfo { name, mutable, ty, .. } = &self.globals[id];
                    let word = if *mutable { "global mut" } else { "global" };
                    let text = || format!("{word} {}: {}", name.text, self.shown(*ty));
                    notes.declared(span, name.span, Meaning::Global, text);
                }
                // How these are declared is theirs to say.
                Noted::Item(Entry::Func(id)) => {
                    // One that was declared twice is not there.
                    let Some(info) = self.funcs.get(id) else { continue };
                    notes.declared(span, info.func.name.span, Meaning::Function, String::new);
                }
                Noted::Item(Entry::Use(id)) => {
                    let definition = self.uses.get(id).and_then(|info| place(self.source, info.name));
                    notes.declared(span, definition.unwrap_or(span), Meaning::Capability, String::new);
                }
                Noted::Item(Entry::Enum(id)) => {
                    let definition = enums.get(&id).copied().unwrap_or(span);
                    notes.declared(span, definition, Meaning::Enum, String::new);
                }
                Noted::Item(Entry::Struct(at)) => {
                    let Some(info) = self.types.structs.get(at) else { continue };
                    notes.declared(span, info.decl.name.span, Meaning::Struct, String::new);
                }
                Noted::Item(Entry::Program(at)) => {
                    let Some(info) = self.programs.get(at) else { continue };
                    notes.declared(span, info.name.span, Meaning::Program, String::new);
                }
                Noted::Item(Entry::Unknown) => {}
            }
        }
        self.notes = Some(notes);
    }

    fn shown(&self, ty: Ty) -> String {
        match ty {
            Ty::Of(ty) => self.type_text(ty),
            Ty::Int => "i32".into(),
            Ty::Float => "f64".into(),
            Ty::Null => "null".into(),
            Ty::Nothing | Ty::Many | Ty::Error => "?".into(),
        }
    }

    fn note_const(&self, notes: &mut Notes, span: Span, id: usize, meaning: Meaning) {
        let info = &self.consts[id];
        notes.declared(span, info.name.span, meaning, || {
            let word = if meaning == Meaning::Constant { "const " } else { "" };
            let (ty, value) = match &info.state {
                ConstState::Done(Some(value)) => (Ty::Of(value.ty()), format!(" = {}", value_text(value))),
                _ => (info.ty.unwrap_or(Ty::Error), String::new()),
            };
            format!("{word}{}: {}{value}", info.name.text, self.shown(ty))
        });
    }
}

/// What is described once all is known.
#[derive(Clone, Copy)]
pub(super) enum Noted {
    Item(Entry),
    Member(usize),
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
                let set = self.own_set().cloned();
                if let Some((set, one)) = set.as_ref().and_then(|set| Some((set, set.instruction(*opcode)?))) {
                    self.cx.note_instruction(span, set, one);
                }
            }
            Found::Nothing => {}
        }
    }

    /// A name of a local.
    pub(super) fn note_local(&mut self, span: Span, id: LocalId) {
        if self.cx.notes.is_none() {
            return;
        }
        let params = self.info().map_or(0, |info| info.params.len());
        let local = self.local(id);
        let (word, meaning) = match (id.index() < params, local.mutable) {
            (true, _) => ("", Meaning::Parameter),
            (false, true) => ("var ", Meaning::Local),
            (false, false) => ("let ", Meaning::Local),
        };
        let (name, ty, definition) = (local.name, local.ty, local.span);
        let ty = self.cx.shown(ty);
        if let Some(notes) = &mut self.cx.notes {
            notes.declared(span, definition, meaning, || format!("{word}{name}: {ty}"));
        }
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::I32(value) => format!("{value}"),
        Value::I64(value) => format!("{value}"),
        Value::F32(value) => format!("{value:?}"),
        Value::F64(value) => format!("{value:?}"),
        Value::V128(low, high) => format!("v128({low}, {high})"),
        Value::Bool(value) => format!("{value}"),
        Value::Str(text) => format!("{text:?}"),
    }
}
