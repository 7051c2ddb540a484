//! What the names of a text stand for: for editors, which show types and documentation and go to
//! definitions.
//!
//! The checker notes each name as it resolves it ([`Notes`]); nothing is noted unless somebody asks.
//! A text with errors is indexed as far as it is understood.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::diag::{Diagnostics, Sink, Span};
use super::outline::{Item, ItemKind, outline};
use super::prelude::Function;
use super::{Options, Source, check, checked, load};
use crate::Type;
use crate::isa::{Event, Field, Instruction, InstructionSet};
use crate::op::{Form, Op, OpInfo};

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the words of the reference
pub enum Meaning {
    Local,
    Parameter,
    Constant,
    Enum,
    Member,
    Global,
    Function,
    Capability,
    InstructionSet,
    Instruction,
    Event,
    /// A function that is built in.
    BuiltIn,
    Struct,
    Field,
    Program,
    Memory,
    Data,
}

/// A place in one of the texts of a build.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// 0 is the text that is indexed, the others are those of [`Index::imported`], from 1.
    pub text: usize,
    /// Where in it.
    pub span: Span,
}

/// What names of the text stand for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    /// What it is.
    pub meaning: Meaning,
    /// Where it is declared, if in a text.
    pub definition: Option<Place>,
    /// Its declaration as IL text, types included; a line each where there are several.
    pub declaration: String,
    /// Its documentation, may be empty.
    pub doc: String,
}

/// A text as an editor sees it.
#[derive(Clone, Debug)]
pub struct Index {
    /// What is wrong with the text and with what it imports, if anything.
    pub errors: Option<Diagnostics>,
    /// The texts that it imports, and those that they import.
    pub imported: Vec<Source>,
    /// What is named.
    pub symbols: Vec<Symbol>,
    /// All names that were understood, by place, none overlapping, with their symbols' positions in `symbols`.
    pub occurrences: Vec<(Span, usize)>,
    /// The items.
    pub items: Vec<Item>,
}

impl Index {
    /// The name at a byte of the text, or right before it.
    pub fn at(&self, byte: u32) -> Option<(Span, &Symbol)> {
        let after = self.occurrences.partition_point(|(span, _)| span.start <= byte);
        let (span, symbol) = *self.occurrences.get(after.checked_sub(1)?)?;
        if byte > span.end { None } else { Some((span, self.symbols.get(symbol)?)) }
    }
}

/// Indexes a text; like [`super::compile_with`], but errors do not hide what is understood.
pub fn index(file: &str, source: &str, options: &Options<'_>) -> Index {
    let items = outline(source);
    let texts = match load(file, source, options) {
        Ok(texts) => texts,
        Err(errors) => {
            let (imported, symbols, occurrences) = (Vec::new(), Vec::new(), Vec::new());
            return Index { errors: Some(errors), imported, symbols, occurrences, items };
        }
    };
    let (notes, errors) = checked(&texts, options, |build, sink| {
        let notes = check::notes(build, sink);
        let errors = if sink.is_clean() { None } else { Some(core::mem::replace(sink, Sink::new("", "")).finish()) };
        (notes, errors)
    });
    let imported: Vec<Source> = texts.into_iter().skip(1).map(|(_, text)| text).collect();
    let mut parts = alloc::vec![Part { start: 0, items: &items }];
    let outlines: Vec<Vec<Item>> = imported.iter().map(|text| outline(&text.text)).collect();
    let mut start = source.len() as u32 + 1;
    for (text, items) in imported.iter().zip(&outlines) {
        parts.push(Part { start, items });
        start += text.text.len() as u32 + 1;
    }
    let (symbols, occurrences) = notes.finish(source.len() as u32, &parts);
    Index { errors, imported, symbols, occurrences, items }
}

/// A text of a build: where it starts in all of them, and its items.
struct Part<'i> {
    start: u32,
    items: &'i [Item],
}

/// What the checker notes.
///
/// Until [`Notes::finish`] all places are those in the texts as one, so those of definitions have no text.
#[derive(Debug, Default)]
pub(super) struct Notes {
    symbols: Vec<Symbol>,
    occurrences: Vec<(Span, usize)>,
    /// Symbols of the text, by where they are declared.
    by_place: BTreeMap<u32, usize>,
    /// Symbols of instruction sets and what is built in: `a.b@1`, `a.b@1.name`, `name`.
    by_name: BTreeMap<String, usize>,
}

impl Notes {
    /// A name that is declared in the text. An empty declaration is that of the item.
    pub fn declared(&mut self, span: Span, definition: Span, meaning: Meaning, declaration: impl FnOnce() -> String) {
        let symbol = *self.by_place.entry(definition.start).or_insert_with(|| {
            let doc = String::new();
            let definition = Some(Place { text: 0, span: definition });
            self.symbols.push(Symbol { meaning, definition, declaration: declaration(), doc });
            self.symbols.len() - 1
        });
        self.occurrences.push((span, symbol));
    }

    /// An instruction set.
    pub fn set(&mut self, span: Span, set: &InstructionSet, text: TypeText<'_>) {
        self.undeclared(span, set.path(), Meaning::InstructionSet, &set.doc, || {
            let (instructions, events) = (set.instructions.iter(), set.events.iter());
            let lines =
                instructions.map(|one| instruction_text(one, text)).chain(events.map(|one| event_text(one, text)));
            format!("isa {} {{\n{}}}", set.path(), lines.map(|line| format!("  {line}\n")).collect::<String>())
        });
    }

    /// An instruction of a set.
    pub fn instruction(&mut self, span: Span, set: &InstructionSet, one: &Instruction, text: TypeText<'_>) {
        let name = format!("{}.{}", set.path(), one.name);
        self.undeclared(span, name, Meaning::Instruction, &one.doc, || {
            format!("isa {} {{ {} }}", set.path(), instruction_text(one, text))
        });
    }

    /// An event of a set.
    pub fn event(&mut self, span: Span, set: &InstructionSet, one: &Event, text: TypeText<'_>) {
        // An instruction may have the same name.
        let name = format!("{}.event {}", set.path(), one.name);
        self.undeclared(span, name, Meaning::Event, &one.doc, || {
            format!("isa {} {{ {} }}", set.path(), event_text(one, text))
        });
    }

    /// A name that is called and that nothing in the text declares.
    pub fn built_in(&mut self, span: Span, name: &str) {
        let base = Function::named(name);
        if base.is_none() && !Op::TABLE.iter().any(|info| info.text == name && is_called(info)) {
            return;
        }
        let doc = base.map_or("", Function::doc);
        self.undeclared(span, name.to_owned(), Meaning::BuiltIn, doc, || match base {
            Some(function) => function.declaration().to_owned(),
            None => {
                let lines = Op::TABLE.iter().filter(|info| info.text == name && is_called(info)).map(operator_text);
                lines.collect::<Vec<_>>().join("\n")
            }
        });
    }

    fn undeclared(
        &mut self,
        span: Span,
        name: String,
        meaning: Meaning,
        doc: &str,
        declaration: impl FnOnce() -> String,
    ) {
        let symbol = *self.by_name.entry(name).or_insert_with(|| {
            let doc = doc.lines().map(str::trim).collect::<Vec<_>>().join("\n");
            self.symbols.push(Symbol { meaning, definition: None, declaration: declaration(), doc });
            self.symbols.len() - 1
        });
        self.occurrences.push((span, symbol));
    }

    /// In order, once each, with what the texts say of their items. The first text is `length` bytes long.
    fn finish(mut self, length: u32, parts: &[Part<'_>]) -> (Vec<Symbol>, Vec<(Span, usize)>) {
        for symbol in &mut self.symbols {
            let Some(place) = &mut symbol.definition else { continue };
            place.text = parts.partition_point(|part| part.start <= place.span.start).saturating_sub(1);
            let start = parts.get(place.text).map_or(0, |part| part.start);
            place.span = Span { start: place.span.start - start, end: place.span.end.saturating_sub(start) };
        }
        for (text, part) in parts.iter().enumerate() {
            self.own_sets(text, part.items);
            for item in part.items.iter().flat_map(|item| core::iter::once(item).chain(&item.children)) {
                let Some(symbol) = self.by_place.get(&(part.start + item.name_span.start)) else { continue };
                let Some(symbol) = self.symbols.get_mut(*symbol) else { continue };
                if symbol.declaration.is_empty() {
                    symbol.declaration.clone_from(&item.signature);
                }
                symbol.doc.clone_from(&item.doc);
            }
        }
        self.occurrences.retain(|(span, _)| span.end <= length);
        self.occurrences.sort_by_key(|(span, _)| span.start);
        self.occurrences.dedup_by(|(next, _), (one, _)| next.start < one.end);
        (self.symbols, self.occurrences)
    }

    /// Sets that a text declares itself: where, and their documentation.
    fn own_sets(&mut self, text: usize, items: &[Item]) {
        for isa in items.iter().filter(|item| item.kind == ItemKind::Isa) {
            let parts = isa.children.iter().map(|part| {
                let event = if part.kind == ItemKind::Event { "event " } else { "" };
                (format!("{}.{event}{}", isa.name, part.name), part)
            });
            for (name, item) in core::iter::once((isa.name.clone(), isa)).chain(parts) {
                let Some(symbol) = self.by_name.get(&name) else { continue };
                let Some(symbol) = self.symbols.get_mut(*symbol) else { continue };
                symbol.definition = Some(Place { text, span: item.name_span });
                symbol.doc.clone_from(&item.doc);
            }
        }
    }
}

fn is_called(info: &OpInfo) -> bool {
    !matches!(info.form, Form::Infix | Form::Prefix | Form::Index | Form::IndexSet)
}

/// How a type is written.
type TypeText<'a> = &'a dyn Fn(Type) -> String;

fn fields_text(fields: &[Field], text: TypeText<'_>) -> String {
    let one = |field: &Field| match &*field.name {
        "" => text(field.ty),
        name => format!("{name}: {}", text(field.ty)),
    };
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn instruction_text(instruction: &Instruction, text: TypeText<'_>) -> String {
    let results = instruction.results.as_deref().map(|results| format!(" -> ({})", fields_text(results, text)));
    let Instruction { opcode, name, params, .. } = instruction;
    format!("{opcode} {name}({}){}", fields_text(params, text), results.unwrap_or_default())
}

fn event_text(event: &Event, text: TypeText<'_>) -> String {
    let coalesced = if event.coalesced { "coalesced " } else { "" };
    format!("{coalesced}event {} {}({})", event.number, event.name, fields_text(&event.params, text))
}

/// `i32_u(f64) -> i32  // traps: ..`
fn operator_text(info: &OpInfo) -> String {
    let params = info.params.iter().map(|ty| ty.name()).collect::<Vec<_>>().join(", ");
    let result = info.result.map(|ty| format!(" -> {ty}")).unwrap_or_default();
    let traps = info.traps.iter().map(|trap| format!("{trap}")).collect::<Vec<_>>().join(", ");
    let traps = if traps.is_empty() { traps } else { format!("  // traps: {traps}") };
    format!("{}({params}){result}{traps}", info.text)
}

/// The names of all functions that are built in, vector operations (`i32x4.add`) left out; each once, by name.
pub fn built_ins() -> BTreeSet<&'static str> {
    let operators = Op::TABLE.iter().filter(|info| is_called(info)).map(|info| info.text);
    operators.chain(Function::names()).filter(|name| !name.contains('.')).collect()
}

/// Where a part of a text stands in it, known by its address.
pub(super) fn place(source: &str, part: &str) -> Option<Span> {
    let start = (part.as_ptr() as usize).checked_sub(source.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    let found = source.get(start..end)?;
    (found.as_ptr() == part.as_ptr()).then_some(Span { start: start as u32, end: end as u32 })
}
