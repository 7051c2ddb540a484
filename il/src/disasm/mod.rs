//! The disassembler: a module as text (reference, chapter "Text").
//!
//! For a module that the text front end made, the text compiles to the same module again: the same required sections,
//! byte by byte, where locals were numbered in the order in which the code names them. The names of locals and lines
//! may change; what was imported stands in the one text.
//!
//! For any other verified module the text compiles to a module that does the same. What may differ, since text has no
//! words for it:
//!
//! - Numbers: types, literals, sets and locals are numbered by first use, functions in the order of the text (the `op`s
//!   stand together), and what nothing uses is left out; so are wanted instructions that no code names. Sets of one
//!   path are shown as one.
//! - A call of one result, or a `try` of none, at a statement's root goes through a tree. A `cond` at a statement's root
//!   is an `if` statement. A `set` of several values goes through locals. A `switch` without `default` has an empty one.
//! - A local that is used outside the block which first assigns it is declared, with a value of its type, at the top of the
//!   innermost block around its uses; one
//!   of a type that has none at hand as `?T`, and read with `as T`. A parameter that changes is copied first. A `for` or
//!   `if.as` whose local changes or exists outside binds another one, which is assigned to it.
//! - An `as` to a supertype is nothing, and a `null` has the type that its place expects. A `buf` is freed at the end of the block that declares it. A NaN or infinity,
//!   and a literal whose type no place tells, is a named constant, of the same bits.
//! - Expressions that text would nest too deeply are taken apart with `let`. A body whose constructs still nest deeper than
//!   text can is listed as instructions, in comments; so is one that is not well-formed.
//! - Exported names which text reserves, names that clash, or a function with several of them, cannot be written.
//!
//! Total: any module, verified or not, gives a text.

mod assign;
mod branch;
mod build;
mod expr;
mod homes;
mod items;
mod names;
mod stmt;
mod strmatch;
mod tree;
mod typing;

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use crate::instr::Reader;
use crate::isa::{Field, InstructionSet};
use crate::verify::names::is_path;
use crate::{Func, FuncId, Hierarchy, IsaId, Module, Provides};
use names::Names;
use typing::Typing;

/// The module's text.
pub fn module(module: &Module) -> String {
    if has_strange_names(module) {
        return Disassembler::new(&with_plain_names(module)).text();
    }
    Disassembler::new(module).text()
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

// Functions

/// What a function is there for.
#[derive(Clone, Copy)]
enum Duty {
    Op,
    /// By the place in the module's list.
    Handler(usize),
    Program(usize),
    Test(usize),
}

/// Heights and depths up to which text surely nests less than its limit.
const SHALLOW: usize = 20;
/// How tall expressions may be that are taken apart.
const SPLIT: usize = 24;

struct Disassembler<'m> {
    module: &'m Module,
    hierarchy: Hierarchy,
    duties: BTreeMap<u32, Duty>,
}

impl<'m> Disassembler<'m> {
    fn new(module: &'m Module) -> Self {
        let mut duties = BTreeMap::new();
        let number = |(at, func): (usize, FuncId)| (func.0, at);
        let tests = module.tests.iter().map(|test| test.func).enumerate().map(number);
        duties.extend(tests.map(|(func, at)| (func, Duty::Test(at))));
        let programs = module.programs.iter().map(|program| program.func).enumerate().map(number);
        duties.extend(programs.map(|(func, at)| (func, Duty::Program(at))));
        let handlers = module.handlers.iter().map(|handler| handler.func).enumerate().map(number);
        duties.extend(handlers.map(|(func, at)| (func, Duty::Handler(at))));
        duties.extend(module.provides.iter().flat_map(|provides| &provides.ops).map(|op| (op.0, Duty::Op)));
        Disassembler { module, hierarchy: Hierarchy::new(&module.types), duties }
    }

    fn text(&self) -> String {
        let module = self.module;
        let mut names = Names::new(module);
        let globals = self.globals(&mut names);
        let funcs = self.funcs(&mut names);
        let mut out = String::new();
        if !module.name.is_empty() {
            let _ = writeln!(out, "module {}", module.name);
        }
        items::isas(module, &names, &mut out);
        items::uses(module, &mut out);
        items::section(&mut out, names.constants().collect());
        items::structs(module, &names, &mut out);
        items::memories(module, &names, &mut out);
        items::section(&mut out, globals);
        out.push_str(&funcs);
        out
    }

    fn globals(&self, names: &mut Names) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, global) in self.module.globals.iter().enumerate() {
            let func = Func { body: global.init.clone(), ..Func::default() };
            let mut typing = self.typing(func, None);
            let mutable = if global.mutable { "mut " } else { "" };
            let name = names.global(crate::GlobalId(at as u32));
            lines.push(match build::tree(&mut typing) {
                Some(init) => {
                    let mut exprs = expr::Exprs { typing: &typing, names };
                    let needs = exprs.needs_type(&init, global.ty);
                    let text = exprs.text(&init, Some(global.ty));
                    let ty = if needs { format!(": {}", names.ty(global.ty)) } else { String::new() };
                    format!("global {mutable}{name}{ty} = {text}")
                }
                None => format!("// global {mutable}{name}: {} has no initial value", names.ty(global.ty)),
            });
        }
        lines
    }

    fn typing(&self, func: Func, own: Option<IsaId>) -> Typing<'_> {
        Typing { module: self.module, hierarchy: &self.hierarchy, func, own }
    }

    /// All functions in their order; ops stand together where the first of them does.
    fn funcs(&self, names: &mut Names) -> String {
        let module = self.module;
        let mut out = String::new();
        let mut shown = alloc::vec![false; module.provides.len()];
        for (at, func) in module.funcs.iter().enumerate() {
            let id = FuncId(at as u32);
            let results = names.results(&func.sig.results);
            let (head, results) = match self.duties.get(&id.0) {
                Some(Duty::Op) => {
                    let at = module.provides.iter().position(|provides| provides.ops.contains(&id));
                    if let Some((at, shown)) = at.and_then(|at| Some((at, shown.get_mut(at)?)))
                        && !core::mem::replace(shown, true)
                    {
                        self.ops(names, &module.provides[at], &mut out);
                    }
                    continue;
                }
                Some(Duty::Handler(at)) => (self.handler(names, *at), String::new()),
                Some(Duty::Program(at)) => (self.program(*at), results),
                Some(Duty::Test(at)) => {
                    let title = module.tests.get(*at).map_or("", |test| &test.name);
                    let head = format!("test {}", expr::quoted(title));
                    self.function(names, (id, func), &head, None, &mut out);
                    continue;
                }
                None => {
                    let export = if module.exports.iter().any(|export| export.func == id) { "export " } else { "" };
                    let pure = if func.pure { "pure " } else { "" };
                    (format!("{export}{pure}func {}", names.func(id)), results)
                }
            };
            self.function(names, (id, func), &head, Some(&results), &mut out);
        }
        for (provides, _) in module.provides.iter().zip(shown).filter(|(_, shown)| !shown) {
            self.ops(names, provides, &mut out);
        }
        out
    }

    fn handler(&self, names: &Names, at: usize) -> String {
        let Some(handler) = self.module.handlers.get(at) else { return String::new() };
        let wanted = self.module.uses.get(handler.source.index());
        let set = wanted.and_then(|wanted| self.module.isas.get(wanted.isa.index()));
        let event = set.and_then(|set| set.event(handler.event));
        let event = event.map_or_else(|| format!("e{}", handler.event), |event| event.name.to_string());
        format!("on {}.{event}", names.capability(handler.source))
    }

    fn program(&self, at: usize) -> String {
        let Some(program) = self.module.programs.get(at) else { return String::new() };
        format!("program {} on {} ", program.name, items::path(self.module, program.isa))
    }

    fn ops(&self, names: &mut Names, provides: &Provides, out: &mut String) {
        let set = self.module.isas.get(provides.isa.index());
        let path = items::path(self.module, provides.isa);
        let name = provides.name.as_ref().map_or_else(String::new, |name| format!(" as {name}"));
        let _ = writeln!(out, "\nprovides {path}{name} {{");
        let instructions = set.map_or(&[][..], |set: &InstructionSet| &*set.instructions);
        let mut pairs: Vec<_> = provides.ops.iter().zip(instructions).collect();
        pairs.sort_by_key(|(id, _)| **id);
        let mut text = String::new();
        for (id, instruction) in pairs {
            let Some(func) = self.module.funcs.get(id.index()) else { continue };
            let results = match instruction.results.as_deref() {
                None => String::new(),
                Some([]) => String::from(" -> ()"),
                Some(_) => names.results(&func.sig.results),
            };
            self.function(names, (*id, func), &format!("op {}", instruction.name), Some(&results), &mut text);
        }
        for line in text.trim_start_matches('\n').lines() {
            let indent = if line.is_empty() { "" } else { "  " };
            let _ = writeln!(out, "{indent}{line}");
        }
        out.push_str("}\n");
    }

    /// A function; without `results` it has no parameters either.
    fn function(
        &self,
        names: &mut Names,
        (id, func): (FuncId, &Func),
        head: &str,
        results: Option<&str>,
        out: &mut String,
    ) {
        let wishes = self.module.names.as_ref().and_then(|all| all.locals.get(id.index()));
        names.enter_function(wishes.map_or(&[], |wishes| wishes));
        let mut params = Vec::new();
        for (at, ty) in func.sig.params.iter().enumerate() {
            let name = names.declare(crate::LocalId(at as u32));
            params.push(format!("{name}: {}", names.ty(*ty)));
        }
        let head = match results {
            Some(results) => format!("{head}({}){results}", params.join(", ")),
            None => head.to_string(),
        };
        let own = match self.duties.get(&id.0) {
            Some(Duty::Program(at)) => self.module.programs.get(*at).map(|program| program.isa),
            Some(Duty::Op | Duty::Handler(_) | Duty::Test(_)) | None => None,
        };
        match self.body(names, func, own) {
            Some(body) if body.is_empty() => _ = writeln!(out, "\n{head} {{}}"),
            Some(body) => _ = writeln!(out, "\n{head} {{\n{body}}}"),
            None => {
                let listing = listing(func);
                let _ = writeln!(out, "\n{head} {{\n  // This body has no text; its instructions are:\n{listing}}}");
            }
        }
    }

    /// A body as text, its expressions taken apart if they nest too deeply.
    fn body(&self, names: &mut Names, func: &Func, own: Option<IsaId>) -> Option<String> {
        for tallest in [None, Some(SPLIT)] {
            let mut typing = self.typing(func.clone(), own);
            let Some(built) = build::build(&mut typing, tallest) else { continue };
            let before = names.mark();
            let text = stmt::body(&typing, names, &built.block);
            let shallow = built.height <= SHALLOW && built.depth <= SHALLOW;
            if shallow || !nests_too_deeply(&text) {
                return Some(text);
            }
            names.reset(before);
        }
        None
    }
}

/// Whether text refuses a body for how deeply it nests.
fn nests_too_deeply(body: &str) -> bool {
    let text = format!("func f() {{\n{body}}}");
    match crate::text::compile("", &text, &[]) {
        Ok(_) => false,
        Err(all) => all.iter().any(|one| one.code == crate::text::Code::TooDeep),
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
