//! What the module shows: `main`, exported functions, handlers of events.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use il::isa::{Event, InstructionSet};
use il::{Export, FuncId, Handler, Names, Type, limits};
use wasmparser::ExternalKind;

use super::device::{known_set, text_helper};
use super::segments::Plan;
use super::{Build, Linked};
use crate::Options;
use crate::body::handler;
use crate::error::{ErrorKind, Result};

/// The event that an export's name means: `SET@V.event`.
fn event_of(options: &Options<'_>, name: &str) -> Option<(&'static InstructionSet, &'static Event)> {
    let (set, event) = name.rsplit_once('.')?;
    let set = known_set(options, set)?;
    set.event_named(event).map(|event| (set, event))
}

/// Whether an export's name is one of an event, known or not: `SET@V.event`. Others may have an `@` too.
fn is_event(name: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let parts = name.split_once('@').and_then(|(set, rest)| Some((set, rest.split_once('.')?)));
    parts.is_some_and(|(set, (version, event))| {
        set.split('.').all(word) && version.bytes().all(|byte| byte.is_ascii_digit()) && word(event)
    })
}

/// Notes the functions of text that a handler of this name needs.
pub(super) fn helpers(name: &str, options: &Options<'_>, wanted: &mut BTreeSet<String>) {
    if options.script {
        return;
    }
    let fields = event_of(options, name).map_or(&[][..], |(_, event)| &event.params);
    fields.iter().for_each(|field| text_helper(field.ty, wanted));
}

impl Linked<'_> {
    /// The index of the function exported by this name.
    pub(super) fn exported_func(&self, name: &str) -> Option<u32> {
        let export = self.exports.get(name).and_then(|at| self.decoded.exports.get(*at))?;
        (export.kind == ExternalKind::Func).then_some(export.index)
    }

    /// Whether a function may be exported: it takes and gives no more than an entry can.
    fn can_be_entered(&self, func: u32) -> bool {
        let most = limits::MAX_VALUES;
        self.types.sig(self.type_of(func)).is_some_and(|sig| sig.params.len() <= most && sig.results.len() <= most)
    }
}

impl Build<'_> {
    /// What remains when all bodies are translated.
    pub(super) fn finish(&mut self, linked: &[Linked<'_>], plans: &[Plan]) -> Result {
        if self.options.script {
            self.script(linked, plans)?;
        } else {
            self.program(linked, plans)?;
        }
        self.wrappers(linked)?;
        self.finish_objects();
        let funcs = core::mem::take(&mut self.names);
        let types = self.types.names(&self.module);
        self.module.names = Some(Names { funcs, types, ..Names::default() });
        Ok(())
    }

    fn export(&mut self, name: String, func: FuncId) {
        self.module.exports.push(Export { name, func });
    }

    fn script(&mut self, linked: &[Linked<'_>], plans: &[Plan]) -> Result {
        let mut taken = BTreeSet::new();
        for (at, (unit, plan)) in linked.iter().zip(plans).enumerate() {
            let name = format!("instantiate_{at}");
            let func = self.instantiation(unit, plan, &name)?;
            taken.insert(name.clone());
            self.export(name, func);
            for export in &unit.decoded.exports {
                let name = format!("{}_{}", unit.name(), export.name);
                if !is_shown(&name) || !taken.insert(name.clone()) {
                    continue;
                }
                match export.kind {
                    ExternalKind::Func if unit.can_be_entered(export.index) => {
                        let func = self.func_of(unit, export.index)?;
                        let func = self.guarded(func);
                        self.export(name, func);
                    }
                    ExternalKind::Global => {
                        let global = unit.global(export.index);
                        let global = global.ok_or_else(|| unit.decoded.internal("a global index"))?;
                        let func = self.getter(global, &name);
                        self.export(name, func);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn program(&mut self, linked: &[Linked<'_>], plans: &[Plan]) -> Result {
        let main = self.main(linked, plans)?;
        self.export("main".into(), main);
        let Some(program) = linked.last() else { return Ok(()) };
        for export in program.decoded.exports.iter().filter(|export| export.kind == ExternalKind::Func) {
            if is_event(export.name) {
                self.handler(program, export.name, export.index)?;
            } else if is_shown(export.name) && program.can_be_entered(export.index) {
                let func = self.func_of(program, export.index)?;
                let func = self.guarded(func);
                self.export(export.name.into(), func);
            }
        }
        Ok(())
    }

    /// A function that is exported as an event's handler.
    fn handler(&mut self, unit: &Linked<'_>, name: &str, index: u32) -> Result {
        let Some((set, event)) = event_of(self.options, name) else {
            let why = format!("the export `{name}` names no event of a known instruction set, so nothing can raise it");
            return Err(unit.error(ErrorKind::Entry(why)));
        };
        let params: Vec<Type> = event.params.iter().map(|field| field.ty).collect();
        let wanted: Vec<Type> = params.iter().map(|ty| program_type(*ty)).collect();
        let sig = unit.types.sig(unit.type_of(index)).cloned().unwrap_or_default();
        if sig.params != wanted || !sig.results.is_empty() {
            let text = |sig| self.module.signature_text(sig);
            let wanted = il::Signature { params: wanted, results: Vec::new() };
            let why = format!("the handler `{name}` is {}, but the event wants {}", text(&sig), text(&wanted));
            return Err(unit.error(ErrorKind::Entry(why)));
        }
        let target = self.func_of(unit, index)?;
        let target = self.guarded(target);
        let put = |ty| self.buffer_func(if ty == Type::Str { "buffer_put_text" } else { "buffer_put" });
        let func = handler(target, &params, put);
        let func = self.add_func(func, name);
        let source = self.wanted(set);
        self.want_event(source, event);
        self.module.handlers.push(Handler { source, event: event.number, func });
        Ok(())
    }
}

/// What a handler gets of an event's operand: handles of texts and buffers, a number for a truth.
fn program_type(ty: Type) -> Type {
    match ty {
        Type::Bool | Type::Str | Type::Buf => Type::I32,
        Type::Any => Type::OptAny,
        other => other,
    }
}

/// Whether a function is exported by its own name: the entries are `main`'s, and names are identifiers.
fn is_shown(name: &str) -> bool {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|char| char == '_' || char.is_ascii_alphabetic());
    let identifier = starts && chars.all(|char| char == '_' || char.is_ascii_alphanumeric()) && name.len() <= 255;
    identifier && !["main", "_start", "_initialize"].contains(&name)
}
