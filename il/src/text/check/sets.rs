//! Instruction sets: `isa`, `use`, `provides`, `on`.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::ast::{self, IsaEntry, IsaPath, Item, Name, Param};
use super::super::diag::{Code, Report, Span, nearest};
use super::typed::Ty;
use super::{Context, Entry, ProvidesInfo, SharedSet, UseInfo};
use crate::isa::{Event, Field, Instruction, InstructionSet};
use crate::limits;
use crate::types::{FuncId, IsaId, Type, UseId};

impl<'f> Context<'_, 'f, '_> {
    /// A set that a text declares. All texts of a build see it. The types of its operands come later, when structs and
    /// other sets are known: [`Context::declare_operands`].
    pub(super) fn declare_set(&mut self, item: &'f Item<'f>) {
        let Item::Isa { isa, entries } = item else { return };
        if self.sets.len() >= limits::ISAS {
            return self.limit(self.sets.len() + 1, limits::ISAS, "embedded instruction sets", isa.span);
        }
        let set = self.declared_set(isa, entries);
        let Some((module, _)) = self.sets.iter().find(|(_, old)| old.path() == path_text(isa)) else {
            return self.sets.push((self.module, Rc::new(set)));
        };
        // Modules that know nothing of each other may repeat the same declaration.
        if *module == self.module {
            self.error(Code::Duplicate, isa.span, format!("`{}` is declared twice", path_text(isa)));
        }
    }

    /// The types of a declared set's operands.
    pub(super) fn declare_operands(&mut self, item: &'f Item<'f>) {
        let Item::Isa { isa, entries } = item else { return };
        let path = path_text(isa);
        let Some(at) = self.sets.iter().position(|(_, set)| set.path() == path) else { return };
        let old = self.sets[at].1.clone();
        let set = Rc::new(self.with_operands(isa, entries));
        if self.sets[at].0 != self.module {
            if !same_set(&old, &set) {
                let message = format!("`{path}` is declared otherwise in another module");
                self.error(Code::Duplicate, isa.span, message);
            }
            return;
        }
        self.sets[at].1 = set.clone();
        let known = self.uses.iter_mut().filter_map(|info| info.set.as_mut());
        for known in known.chain(self.shared.iter_mut().map(|shared| &mut shared.set)) {
            if Rc::ptr_eq(known, &old) {
                *known = set.clone();
            }
        }
    }

    /// A set with the types of its operands; all else of it has been checked.
    fn with_operands(&mut self, isa: &IsaPath<'f>, entries: &[IsaEntry<'f>]) -> InstructionSet {
        let (mut instructions, mut events) = (Vec::new(), Vec::new());
        for entry in entries {
            let number = u8::try_from(entry.number.0).ok().filter(|number| *number > 0).unwrap_or(1);
            let params = self.fields(&entry.sig.params).into();
            let name = Cow::Owned(entry.name.text.to_string());
            let doc = self.doc_text(entry.doc).into();
            if entry.event {
                events.push(Event { number, name, params, coalesced: entry.coalesced, doc });
            } else {
                let results = entry.sig.results.as_ref().map(|results| Cow::Owned(self.fields(results)));
                instructions.push(Instruction {
                    opcode: number,
                    name,
                    params,
                    results,
                    touches: Cow::Borrowed(&[]),
                    doc,
                });
            }
        }
        set_of(isa, instructions, events)
    }

    /// The one embedding of a set that capability types, programs and capabilities as values refer to.
    pub(super) fn shared_set(&mut self, set: &Rc<InstructionSet>) -> IsaId {
        let known = |old: &SharedSet| old.set.name == set.name && old.set.version == set.version;
        let at = self.shared.iter().position(known).unwrap_or_else(|| {
            self.shared.push(SharedSet { set: set.clone(), instructions: BTreeSet::new() });
            self.shared.len() - 1
        });
        IsaId(at as u32)
    }

    /// A set with the names and numbers of its parts only.
    fn declared_set(&mut self, isa: &IsaPath<'f>, entries: &[IsaEntry<'f>]) -> InstructionSet {
        let (mut instructions, mut events) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for entry in entries {
            let number = self.entry_number(entry);
            if !seen.insert((entry.event, Ok(number))) {
                self.error(Code::Duplicate, entry.number.1, format!("the number {number} is taken"));
            } else if !seen.insert((entry.event, Err(entry.name.text))) {
                self.error(Code::Duplicate, entry.name.span, format!("`{}` is declared twice", entry.name.text));
            }
            self.limit(entry.sig.params.len(), limits::ISA_OPERANDS, "operands", entry.sig.span);
            let (name, params) = (Cow::Owned(entry.name.text.to_string()), Cow::Borrowed(&[][..]));
            if entry.event {
                if entry.sig.results.is_some() {
                    self.error(Code::Signature, entry.sig.span, "an event has no results");
                }
                events.push(Event { number, name, params, coalesced: entry.coalesced, doc: "".into() });
            } else {
                let results = entry.sig.results.as_ref().map(|_| Cow::Borrowed(&[][..]));
                self.limit(
                    entry.sig.results.as_ref().map_or(0, Vec::len),
                    limits::ISA_OPERANDS,
                    "results",
                    entry.sig.span,
                );
                instructions.push(Instruction {
                    opcode: number,
                    name,
                    params,
                    results,
                    touches: Cow::Borrowed(&[]),
                    doc: "".into(),
                });
            }
        }
        set_of(isa, instructions, events)
    }

    /// What `///` lines say.
    fn doc_text(&self, doc: Span) -> String {
        let line = |line: &str| {
            let line = line.trim_start().trim_start_matches("///");
            String::from(line.strip_prefix(' ').unwrap_or(line).trim_end())
        };
        doc.text(self.source).lines().map(line).collect::<Vec<_>>().join("\n")
    }

    fn entry_number(&mut self, entry: &IsaEntry<'f>) -> u8 {
        if matches!(entry.name.text, "run" | "send") && !entry.event {
            let message = format!("`{}` is reserved: every capability has it", entry.name.text);
            self.error(Code::Reserved, entry.name.span, message);
        }
        match u8::try_from(entry.number.0) {
            Ok(number) if number > 0 => number,
            _ => {
                self.error(Code::BadLiteral, entry.number.1, "instructions and events are numbered 1 to 255");
                1
            }
        }
    }

    fn fields(&mut self, params: &[Param<'f>]) -> Vec<Field> {
        let mut fields = Vec::new();
        for param in params {
            if param.borrowed {
                let report =
                    Report::new(Code::Mismatch, param.ty.span, "an operand cannot be borrowed: it leaves this VM");
                self.report(report.hint("write `buf`: sending moves it"));
            }
            let ty = match self.ty(&param.ty, false) {
                Ty::Of(ty) if self.check_carried(Ty::Of(ty), param.ty.span) => ty,
                _ => Type::I32,
            };
            fields.push(Field { name: param.name.map_or("", |name| name.text).to_string().into(), ty });
        }
        fields
    }

    /// The set that a path names: declared here, or built in.
    pub(super) fn set(&mut self, isa: &IsaPath<'f>) -> Option<Rc<InstructionSet>> {
        let path = path_text(isa);
        if let Some(set) = self.set_of_path(&path) {
            self.note_set(isa.span, &set);
            return Some(set);
        }
        let report = Report::new(Code::UnknownSet, isa.span, format!("there is no instruction set `{path}`"));
        let paths: Vec<String> =
            self.sets.iter().map(|(_, set)| set.path()).chain(self.build.known.iter().map(|set| set.path())).collect();
        let name = isa.path.text();
        let same_name = paths.iter().find(|path| path.split('@').next() == Some(name.as_str()));
        let same_end = paths
            .iter()
            .find(|path| path.split('@').next().and_then(|path| path.rsplit('.').next()) == name.rsplit('.').next());
        let other =
            same_name.or(same_end).map(String::as_str).or_else(|| nearest(&path, paths.iter().map(String::as_str)));
        self.report(match other {
            Some(other) => report.did_you_mean(other),
            None => report.hint(format!("declare it: `isa {path} {{ 1 name(x: i32) -> i32 }}`")),
        });
        None
    }

    /// The same by its path as text.
    pub(super) fn set_of_path(&self, path: &str) -> Option<Rc<InstructionSet>> {
        let own = self.sets.iter().find(|(_, set)| set.path() == path).map(|(_, set)| set.clone());
        own.or_else(|| self.build.known.iter().find(|set| set.path() == path).map(|set| Rc::new((*set).clone())))
    }

    pub(super) fn declare_use(&mut self, name: Name<'f>, isa: &IsaPath<'f>, wants: Option<&'f [Name<'f>]>) {
        let set = self.set(isa);
        for want in wants.into_iter().flatten() {
            let Some(set) = &set else { break };
            self.note_part(want.span, set, want.text);
            if set.instruction_named(want.text).is_none() && set.event_named(want.text).is_none() {
                let report = unknown_member(set, want.text, want.span, "instruction or event");
                self.report(report);
            }
        }
        let wants: Option<BTreeSet<&str>> = wants.map(|wants| wants.iter().map(|want| want.text).collect());
        if let Some(at) = self.uses.iter().position(|old| old.name == name.text && old.module != self.module) {
            return self.share_use(at, name, set, wants);
        }
        let entry = Entry::Use(self.uses.len());
        self.declare_name(name, entry);
        let (instructions, events) = (BTreeSet::new(), BTreeSet::new());
        let module = self.module;
        self.uses.push(UseInfo { module, name: name.text, set, wants, instructions, events, shared: false });
        self.limit(self.uses.len(), limits::USES, "wanted capabilities", name.span);
    }

    /// Modules that want the same capability by the same name get one.
    fn share_use(
        &mut self,
        at: usize,
        name: Name<'f>,
        set: Option<Rc<InstructionSet>>,
        wants: Option<BTreeSet<&'f str>>,
    ) {
        self.declare_name(name, Entry::Use(at));
        let (Some(own), Some(set)) = (&self.uses[at].set, set) else { return };
        if own.path() != set.path() {
            let message = format!("`{}` is a `{}` in another module of this build", name.text, own.path());
            let report = Report::new(Code::Import, name.span, message);
            return self.report(report.hint("give one of the two another name"));
        }
        let info = &mut self.uses[at];
        info.wants = info.wants.take().zip(wants).map(|(mut all, more)| {
            all.extend(more);
            all
        });
    }

    /// Checks a name against the list of what is wanted, if there is one.
    pub(super) fn check_wanted(&mut self, id: UseId, name: &str, span: Span) {
        let info = &self.uses[id.index()];
        let Some(wants) = &info.wants else { return };
        if !wants.contains(name) {
            let cap = info.name;
            let report = Report::new(Code::UnknownSet, span, format!("`{name}` is not among what `{cap}` wants"));
            self.report(report.hint(format!("add it to the list of `use {cap}: .. {{ .. }}`")));
        }
    }

    pub(super) fn declare_handler(&mut self, source: Name<'f>, func: &'f ast::Func<'f>) {
        let Some(func_id) = self.func_at.get(&func.name.span.start).copied() else { return };
        let Some(entry) = self.entry(source.text) else {
            let report =
                Report::new(Code::UnknownName, source.span, format!("there is no capability `{}`", source.text));
            return self.report(report.hint(format!("declare it: `use {}: SET@VERSION`", source.text)));
        };
        self.note_item(source.span, entry);
        let Entry::Use(at) = entry else {
            let message = format!("`{}` is {}, not a capability", source.text, entry.describe());
            return self.error(Code::WrongKind, source.span, message);
        };
        let id = UseId(at as u32);
        let Some(set) = self.uses[at].set.clone() else { return };
        let Some(event) = set.event_named(func.name.text) else {
            let report = unknown_member(&set, func.name.text, func.name.span, "event");
            return self.report(report);
        };
        self.note_event(func.name.span, &set, event);
        self.check_wanted(id, func.name.text, func.name.span);
        self.uses[at].events.insert(event.number);
        if self.handlers.iter().any(|handler| handler.source == id && handler.event == event.number) {
            let message = format!("`{}.{}` has a handler already", source.text, func.name.text);
            return self.error(Code::Duplicate, func.name.span, message);
        }
        self.check_fields(func_id, &event.params, None, func, "event");
        self.handlers.push(crate::Handler { source: id, event: event.number, func: func_id });
        self.limit(self.handlers.len(), limits::HANDLERS, "handlers", func.name.span);
    }

    /// Compares a function with the instruction or event that it stands for.
    fn check_fields(
        &mut self,
        id: FuncId,
        params: &[Field],
        results: Option<Option<&[Field]>>,
        func: &ast::Func<'f>,
        what: &str,
    ) {
        let info = &self.funcs[id.index()];
        let same = |types: &[Ty], fields: &[Field]| {
            types.len() == fields.len()
                && types.iter().zip(fields).all(|(ty, field)| *ty == Ty::Error || *ty == Ty::Of(field.ty))
        };
        let declared = results.flatten();
        let same_results = results.is_none()
            || (same(&info.results, declared.unwrap_or(&[])) && func.sig.results.is_some() == declared.is_some());
        if same(&info.params, params) && same_results {
            return;
        }
        let sig = self.signature_text(params, declared);
        let message = format!("this is not how the {what} `{}` is declared", func.name.text);
        self.report(
            Report::new(Code::Signature, func.sig.span, message).hint(format!("write `{}{sig}`", func.name.text)),
        );
    }

    pub(super) fn declare_provides(
        &mut self,
        isa: &IsaPath<'f>,
        name: Option<Name<'f>>,
        ops: &'f [ast::Func<'f>],
        span: Span,
    ) {
        let set = self.set(isa);
        let Some(set) = set else { return };
        if self.provides.iter().any(|other| (&other.set.name, other.set.version) == (&set.name, set.version)) {
            return self.error(Code::Duplicate, span, format!("`{}` is provided already", set.path()));
        }
        self.limit(self.provides.len() + 1, limits::PROVIDES, "provided instruction sets", span);
        let mut by_opcode: Vec<Option<FuncId>> = alloc::vec![None; set.instructions.len()];
        for op in ops {
            let Some(id) = self.func_at.get(&op.name.span.start).copied() else { continue };
            let Some(place) = set.instructions.iter().position(|instruction| instruction.name == op.name.text) else {
                let report = unknown_member(&set, op.name.text, op.name.span, "instruction");
                self.report(report);
                continue;
            };
            let instruction = &set.instructions[place];
            self.note_instruction(op.name.span, &set, &set.instructions[place]);
            if by_opcode[place].replace(id).is_some() {
                self.error(Code::Duplicate, op.name.span, format!("`op {}` is defined twice", op.name.text));
            }
            self.check_fields(id, &instruction.params, Some(instruction.results.as_deref()), op, "instruction");
        }
        let missing: Vec<&str> = set
            .instructions
            .iter()
            .zip(&by_opcode)
            .filter(|(_, op)| op.is_none())
            .map(|(instruction, _)| &*instruction.name)
            .collect();
        if !missing.is_empty() {
            let report = Report::new(Code::Signature, span, format!("not provided: {}", missing.join(", ")));
            self.report(report.hint("a set is provided whole; an `op` may answer `fail 11` (not supported)"));
        }
        let ops = by_opcode.into_iter().flatten().collect();
        self.provides.push(ProvidesInfo { set, name, ops });
    }
}

fn set_of(isa: &IsaPath<'_>, mut instructions: Vec<Instruction>, mut events: Vec<Event>) -> InstructionSet {
    instructions.sort_by_key(|instruction| instruction.opcode);
    events.sort_by_key(|event| event.number);
    InstructionSet {
        name: isa.path.text().into(),
        version: isa.version,
        instructions: instructions.into(),
        events: events.into(),
        doc: "".into(),
    }
}

/// Whether two declarations say the same, documentation aside.
fn same_set(one: &InstructionSet, other: &InstructionSet) -> bool {
    let bare = |set: &InstructionSet| {
        let instructions: Vec<_> = set.instructions.iter().map(super::finish::bare_instruction).collect();
        let events: Vec<_> = set.events.iter().map(super::finish::bare_event).collect();
        (instructions, events)
    };
    bare(one) == bare(other)
}

fn path_text(isa: &IsaPath<'_>) -> String {
    format!("{}@{}", isa.path.text(), isa.version)
}

/// "no such instruction", with the nearest name or the list of them.
pub(super) fn unknown_member(set: &InstructionSet, name: &str, span: Span, what: &str) -> Report {
    let instructions = set.instructions.iter().map(|instruction| &*instruction.name);
    let events = set.events.iter().map(|event| &*event.name);
    let names: Vec<&str> = match what {
        "event" => events.collect(),
        "instruction" => instructions.collect(),
        _ => instructions.chain(events).collect(),
    };
    let report = Report::new(Code::UnknownSet, span, format!("`{}` has no {what} `{name}`", set.path()));
    match nearest(name, names.iter().copied()) {
        Some(near) => report.did_you_mean(near),
        None if names.is_empty() => report.hint(format!("it has no {what} at all")),
        None => report.hint(format!("it has: {}", names.join(", "))),
    }
}

impl Context<'_, '_, '_> {
    /// `(a: i32) -> str`, as it would be written.
    pub(super) fn signature_text(&self, params: &[Field], results: Option<&[Field]>) -> String {
        let list = |fields: &[Field]| {
            let one = |(at, field): (usize, &Field)| match &*field.name {
                "" => format!("p{at}: {}", self.type_text(field.ty)),
                name => format!("{name}: {}", self.type_text(field.ty)),
            };
            fields.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
        };
        match results {
            None => format!("({})", list(params)),
            Some([one]) if one.name.is_empty() => format!("({}) -> {}", list(params), self.type_text(one.ty)),
            Some(results) => format!("({}) -> ({})", list(params), list(results)),
        }
    }
}
