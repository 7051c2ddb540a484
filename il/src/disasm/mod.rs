//! The disassembler: a module as text (reference, chapter "Text").
//!
//! For a module that the text front end made, the text compiles to the same required sections again. For any other
//! module it shows what the code does; where text has no words for something, it says so in a comment. Instruction
//! sets are shown as the module embeds them: only what is used.
//!
//! Total: any module, verified or not, gives a text.

mod expr;
mod names;
mod stmt;
mod strmatch;
mod tree;

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use crate::instr::Reader;
use crate::isa::{Event, Field, Instruction, InstructionSet};
use crate::verify::names::is_path;
use crate::{Func, FuncId, Hierarchy, IsaId, Module, Provides, Signature, TypeDef};
use names::Names;

/// The module's text.
pub fn module(module: &Module) -> String {
    if has_strange_names(module) {
        return text(&with_plain_names(module));
    }
    text(module)
}

fn text(module: &Module) -> String {
    let names = Names::new(module);
    let types = Hierarchy::new(&module.types);
    let mut page = Page { module, types: &types, names };
    let funcs = page.funcs();
    let state = page.state();
    let Page { names, .. } = page;
    let mut out = String::new();
    if !module.name.is_empty() {
        let _ = writeln!(out, "module {}", module.name);
    }
    isas(module, &mut out);
    uses(module, &mut out);
    structs(module, &names, &mut out);
    let constants: Vec<String> = names.constants().collect();
    section(&mut out, constants);
    out.push_str(&state);
    out.push_str(&funcs);
    out
}

// Names of unverified modules: nothing in them may act on a terminal or look like code

/// Every name that the text repeats as it stands.
fn shown_names(module: &Module) -> impl Iterator<Item = &str> {
    let sets = module.isas.iter().flat_map(|set| {
        let instructions = set.instructions.iter().flat_map(|one| {
            let results = one.results.as_deref().unwrap_or_default();
            field_names(&one.params).chain(field_names(results)).chain([&*one.name])
        });
        let events = set.events.iter().flat_map(|one| field_names(&one.params).chain([&*one.name]));
        instructions.chain(events).chain([&*set.name])
    });
    let uses = module.uses.iter().map(|wanted| &*wanted.name);
    let exports = module.exports.iter().map(|export| &*export.name);
    let programs = module.programs.iter().map(|program| &*program.name);
    let provided = module.provides.iter().filter_map(|provides| provides.name.as_deref());
    sets.chain(uses).chain(exports).chain(programs).chain(provided).chain([&*module.name])
}

fn field_names(fields: &[Field]) -> impl Iterator<Item = &str> {
    fields.iter().map(|field| &*field.name)
}

fn has_strange_names(module: &Module) -> bool {
    shown_names(module).any(|name| !name.is_empty() && !is_path(name))
}

/// The module with all its names escaped.
fn with_plain_names(module: &Module) -> Module {
    let plain = |name: &str| name.escape_debug().to_string();
    let plain_fields = |fields: &mut Cow<'static, [Field]>| {
        fields.to_mut().iter_mut().for_each(|field| field.name = plain(&field.name).into());
    };
    let mut module = module.clone();
    module.name = plain(&module.name);
    module.uses.iter_mut().for_each(|wanted| wanted.name = plain(&wanted.name));
    module.exports.iter_mut().for_each(|export| export.name = plain(&export.name));
    module.programs.iter_mut().for_each(|program| program.name = plain(&program.name));
    module.provides.iter_mut().filter_map(|provides| provides.name.as_mut()).for_each(|name| *name = plain(name));
    for set in &mut module.isas {
        set.name = plain(&set.name).into();
        for one in set.instructions.to_mut() {
            one.name = plain(&one.name).into();
            plain_fields(&mut one.params);
            one.results.iter_mut().for_each(plain_fields);
        }
        for one in set.events.to_mut() {
            one.name = plain(&one.name).into();
            plain_fields(&mut one.params);
        }
    }
    module
}

/// Lines, with a blank one in front.
fn section(out: &mut String, lines: Vec<String>) {
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
fn isas(module: &Module, out: &mut String) {
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
        lines.extend(instructions.values().map(|one| format!("  {}", instruction_text(one))));
        lines.extend(events.values().map(|one| format!("  {}", event_text(one))));
        lines.push(String::from("}"));
        section(out, lines);
    }
}

fn instruction_text(instruction: &Instruction) -> String {
    let results = match instruction.results.as_deref() {
        None => String::new(),
        Some([one]) if one.name.is_empty() => format!(" -> {}", one.ty),
        Some(results) => format!(" -> ({})", fields(results, false)),
    };
    format!("{} {}({}){results}", instruction.opcode, instruction.name, fields(&instruction.params, true))
}

fn event_text(event: &Event) -> String {
    let coalesced = if event.coalesced { "coalesced " } else { "" };
    format!("{coalesced}event {} {}({})", event.number, event.name, fields(&event.params, true))
}

/// Operands or results; operands need names.
fn fields(fields: &[Field], named: bool) -> String {
    let one = |(at, field): (usize, &Field)| match &*field.name {
        "" if named => format!("p{at}: {}", field.ty),
        "" => field.ty.to_string(),
        name => format!("{name}: {}", field.ty),
    };
    fields.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

fn uses(module: &Module, out: &mut String) {
    let line = |wanted: &crate::Use| {
        let path = module.isas.get(wanted.isa.index()).map_or_else(|| String::from("?"), InstructionSet::path);
        format!("use {}: {path}", wanted.name)
    };
    section(out, module.uses.iter().map(line).collect());
}

// Types, memory, data, globals

fn structs(module: &Module, names: &Names, out: &mut String) {
    let mut lines = Vec::new();
    for (at, def) in module.types.iter().enumerate() {
        let TypeDef::Struct(def) = def else { continue };
        let id = crate::TypeId(at as u32);
        let frozen = if def.frozen { "frozen " } else { "" };
        let parent = def.parent.map_or_else(String::new, |parent| format!(": {}", names.structure(parent)));
        let field = |(number, field): (usize, &crate::StructField)| {
            let mutable = if field.mutable { "mut " } else { "" };
            format!("{mutable}{}: {}", names.own_field(id, number), names.storage(module, field.storage))
        };
        let fields: Vec<String> = def.fields.iter().enumerate().map(field).collect();
        let fields = if fields.is_empty() { String::new() } else { format!(" {} ", fields.join(", ")) };
        lines.push(format!("{frozen}struct {}{parent} {{{fields}}}", names.structure(id)));
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

// Functions

/// A module while it is written.
struct Page<'m> {
    module: &'m Module,
    types: &'m Hierarchy,
    names: Names,
}

impl Page<'_> {
    /// Memory, data and globals.
    fn state(&mut self) -> String {
        let module = self.module;
        let mut out = String::new();
        let mut lines = Vec::new();
        if let Some(memory) = module.memory {
            lines.push(format!("memory {}..{}", memory.min, memory.max));
        }
        lines
            .extend(module.data.iter().map(|data| format!("data {} {}", address(data.offset), data_text(&data.bytes))));
        section(&mut out, lines);
        let mut lines = Vec::new();
        for (at, global) in module.globals.iter().enumerate() {
            let mutable = if global.mutable { "mut " } else { "" };
            let name = self.names.global(crate::GlobalId(at as u32));
            lines.push(format!("global {mutable}{name}{}", self.initial(global)));
        }
        section(&mut out, lines);
        out
    }

    /// `: type = value`, the type left out where the value tells it.
    fn initial(&mut self, global: &crate::Global) -> String {
        let nowhere = Func::default();
        let value = tree::initial(self.module, &global.init);
        let mut exprs =
            expr::Exprs { module: self.module, types: self.types, func: &nowhere, names: &mut self.names };
        let Some(value) = value else { return format!(": {}", exprs.type_text(global.ty)) };
        let ty = match exprs.needs_type(&value, global.ty) {
            true => format!(": {}", exprs.type_text(global.ty)),
            false => String::new(),
        };
        format!("{ty} = {}", exprs.text(&value, Some(global.ty)))
    }

    /// All functions in their order; ops stand together where the first of them does.
    fn funcs(&mut self) -> String {
        let module = self.module;
        let mut out = String::new();
        let mut provided = module.provides.as_ref();
        for (at, func) in module.funcs.iter().enumerate() {
            let id = FuncId(at as u32);
            let handler = module.handlers.iter().find(|handler| handler.func == id);
            let program = module.programs.iter().find(|program| program.func == id);
            if module.provides.as_ref().is_some_and(|provides| provides.ops.contains(&id)) {
                if let Some(provides) = provided.take() {
                    self.ops(provides, &mut out);
                }
            } else if let Some(handler) = handler {
                let set = module.uses.get(handler.source.index()).and_then(|wanted| module.isas.get(wanted.isa.index()));
                let event = set.and_then(|set| set.event(handler.event));
                let event = event.map_or_else(|| format!("e{}", handler.event), |event| event.name.to_string());
                let head = format!("on {}.{event}", self.names.capability(handler.source));
                self.function((id, func), &head, "", None, &mut out);
            } else if let Some(program) = program {
                let path = module.isas.get(program.isa.index()).map_or_else(|| String::from("?"), InstructionSet::path);
                let head = format!("program {} on {path} ", program.name);
                let results = self.results(&func.sig);
                self.function((id, func), &head, &results, Some(program.isa), &mut out);
            } else if let Some(test) = module.tests.iter().find(|test| test.func == id) {
                self.function((id, func), &format!("test {}", expr::quoted(&test.name)), "", None, &mut out);
            } else {
                let export = if module.exports.iter().any(|export| export.func == id) { "export " } else { "" };
                let pure = if func.pure { "pure " } else { "" };
                let head = format!("{export}{pure}func {}", self.names.func(id));
                let results = self.results(&func.sig);
                self.function((id, func), &head, &results, None, &mut out);
            }
        }
        if let Some(provides) = provided {
            self.ops(provides, &mut out);
        }
        out
    }

    fn ops(&mut self, provides: &Provides, out: &mut String) {
        let set = self.module.isas.get(provides.isa.index());
        let path = set.map_or_else(|| String::from("?"), InstructionSet::path);
        let name = provides.name.as_ref().map_or_else(String::new, |name| format!(" as {name}"));
        let _ = writeln!(out, "\nprovides {path}{name} {{");
        let instructions = set.map_or(&[][..], |set| &*set.instructions);
        let mut pairs: Vec<_> = provides.ops.iter().zip(instructions).collect();
        pairs.sort_by_key(|(id, _)| **id);
        let mut text = String::new();
        for (id, instruction) in pairs {
            let Some(func) = self.module.funcs.get(id.index()) else { continue };
            let results = match instruction.results.as_deref() {
                None => String::new(),
                Some([]) => String::from(" -> ()"),
                Some(_) => self.results(&func.sig),
            };
            self.function((*id, func), &format!("op {}", instruction.name), &results, None, &mut text);
        }
        for line in text.trim_start_matches('\n').lines() {
            let indent = if line.is_empty() { "" } else { "  " };
            let _ = writeln!(out, "{indent}{line}");
        }
        out.push_str("}\n");
    }

    fn results(&self, sig: &Signature) -> String {
        let types: Vec<String> = sig.results.iter().map(|ty| self.names.ty(self.module, *ty)).collect();
        match &types[..] {
            [] => String::new(),
            [one] => format!(" -> {one}"),
            _ => format!(" -> ({})", types.join(", ")),
        }
    }

    /// `own` is the set of a program. A test's head has no parameters.
    fn function(
        &mut self,
        (id, func): (FuncId, &Func),
        head: &str,
        results: &str,
        own: Option<IsaId>,
        out: &mut String,
    ) {
        let wishes = self.module.names.as_ref().and_then(|all| all.locals.get(id.index()));
        self.names.enter_function(wishes.map_or(&[], |wishes| wishes));
        let mut params = Vec::new();
        for (at, ty) in func.sig.params.iter().enumerate() {
            let name = self.names.declare(crate::LocalId(at as u32));
            params.push(format!("{name}: {}", self.names.ty(self.module, *ty)));
        }
        let head = match head.starts_with("test ") {
            true => String::from(head),
            false => format!("{head}({}){results}", params.join(", ")),
        };
        match tree::build(self.module, func, own) {
            Some(block) if block.is_empty() => _ = writeln!(out, "\n{head} {{}}"),
            Some(block) => {
                let body = stmt::body(self.module, self.types, func, &mut self.names, &block);
                let _ = writeln!(out, "\n{head} {{\n{body}}}");
            }
            None => {
                let _ =
                    writeln!(out, "\n{head} {{\n  // This body has no text; its instructions are:\n{}}}", listing(func));
            }
        }
    }
}

/// A body's instructions, one a line, as far as they can be read.
fn listing(func: &Func) -> String {
    let mut out = String::new();
    let mut reader = Reader::new(&func.body);
    loop {
        let offset = reader.offset();
        match reader.next() {
            Ok(Some(instr)) => _ = writeln!(out, "  // {offset}: {instr:?}"),
            Ok(None) => return out,
            Err(error) => {
                let _ = writeln!(out, "  // {offset}: {error:?}");
                return out;
            }
        }
    }
}
