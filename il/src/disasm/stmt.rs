//! Statements and blocks as text; assignments stand in `assign`, branches and loops in `branch`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::expr::Exprs;
use super::homes::{self, Homes};
use super::names::Names;
use super::strmatch::StrMatches;
use super::tree::{Block, Callee, Expr, Node, Stmt, Test, visit};
use super::typing::Typing;
use crate::op::Op;
use crate::{LocalId, ProvidedId, Provides, Type};

pub(super) type Dests = [Option<LocalId>];

/// How often a body is written before all its locals are declared at its top.
const TURNS: usize = 4;

/// A function's body as text, its own braces left out. `names` has entered the function and declared its parameters.
pub(super) fn body(typing: &Typing<'_>, names: &mut Names, block: &Block) -> String {
    let params = typing.func.sig.params.len();
    let mut ahead: Vec<LocalId> = Vec::new();
    // Text declares a local where all its uses can see it; a body from elsewhere may not. Each turn finds more of them.
    for turn in 0.. {
        let before = names.mark();
        let mut writer = Writer::new(typing, names, block);
        writer.copy_params();
        match turn > TURNS {
            true => ahead.iter().for_each(|id| writer.declare_ahead(*id, 1)),
            false => writer.homes = homes::homes(block, &ahead),
        }
        writer.block(block, 1, None);
        let strays = core::mem::take(&mut writer.strays);
        let out = core::mem::take(&mut writer.out);
        if strays.is_empty() || turn > TURNS {
            return out;
        }
        match turn {
            TURNS => ahead = (params..params + typing.func.locals.len()).map(|at| LocalId(at as u32)).collect(),
            _ => ahead.extend(strays),
        }
        names.reset(before);
    }
    String::new()
}

/// The parts of `let results = try source else status { block }`.
struct Attempt<'s> {
    status: LocalId,
    results: &'s Dests,
    source: &'s Expr,
    block: &'s Block,
}

/// A loop or block around a statement.
#[derive(Clone, Copy)]
pub(super) struct Enclosing {
    /// Whether something leaves it by its label.
    pub labelled: bool,
    pub is_block: bool,
}

pub(super) struct Writer<'a, 'm> {
    pub exprs: Exprs<'a, 'm>,
    pub out: String,
    /// How often each local is assigned.
    pub assigned: BTreeMap<LocalId, usize>,
    pub pairs: StrMatches<'a, 'm>,
    /// Locals that blocks declare at their top.
    homes: Homes,
    /// Locals declared so far, a list a block.
    pub scopes: Vec<Vec<LocalId>>,
    /// Enclosing loops and blocks.
    pub loops: Vec<Enclosing>,
    /// Locals used where no declaration is visible, in the order in which they are met.
    pub strays: Vec<LocalId>,
    /// The same.
    stray: BTreeSet<LocalId>,
}

impl<'a, 'm> Writer<'a, 'm> {
    fn new(typing: &'a Typing<'m>, names: &'a mut Names, block: &Block) -> Self {
        let mut assigned = BTreeMap::new();
        visit(block, &mut |stmt| stmt.assigned().into_iter().for_each(|id| *assigned.entry(id).or_default() += 1));
        Writer {
            exprs: Exprs { typing, names },
            out: String::new(),
            assigned,
            pairs: StrMatches::new(typing, block),
            homes: Homes::new(),
            scopes: Vec::new(),
            loops: Vec::new(),
            strays: Vec::new(),
            stray: BTreeSet::new(),
        }
    }

    /// Parameters do not change in text: those that do are copied.
    fn copy_params(&mut self) {
        let count = self.exprs.typing.func.sig.params.len();
        let changed: Vec<LocalId> = self.assigned.keys().copied().filter(|id| id.index() < count).collect();
        for id in changed {
            let param = self.exprs.names.local(id);
            let name = self.exprs.names.declare(id);
            self.line(1, &format!("var {name} = {param}"));
        }
    }

    fn declare_ahead(&mut self, id: LocalId, indent: usize) {
        let name = self.exprs.names.declare(id);
        let ty = self.exprs.typing.local(id).unwrap_or(Type::I32);
        let value = match ty {
            Type::I32 => String::from(" = 0"),
            Type::F64 => String::from(" = 0.0"),
            Type::Bool => String::from(" = false"),
            Type::Str => String::from(" = \"\""),
            Type::Buf | Type::BufRef => String::from(" = buf(0)"),
            Type::V128 => String::from(" = v128(0, 0)"),
            Type::I64 => String::from(": i64 = 0"),
            Type::F32 => String::from(": f32 = 0.0"),
            Type::OptStr | Type::OptBuf | Type::OptAny | Type::Opt(_) => {
                format!(": {} = null", self.exprs.names.ty(ty))
            }
            Type::Any | Type::Ref(_) => {
                self.exprs.names.make_nullable(id);
                format!(": {} = null", self.exprs.names.ty(ty.nullable().unwrap_or(ty)))
            }
        };
        self.line(indent, &format!("var {name}{value}"));
    }

    pub fn line(&mut self, indent: usize, text: &str) {
        for _ in 0..indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    pub fn declare(&mut self, id: LocalId) -> String {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(id);
        }
        self.exprs.names.declare(id)
    }

    /// Notes the locals that an expression uses unseen.
    fn check(&mut self, expr: &Expr) {
        if let Expr::Local(id) = expr {
            self.check_local(*id);
        }
        expr.operands().iter().for_each(|operand| self.check(operand));
    }

    pub fn check_local(&mut self, id: LocalId) {
        if !self.exprs.names.is_declared(id) {
            self.stray(id);
        }
    }

    /// Has a local declared at the top.
    pub fn stray(&mut self, id: LocalId) {
        if self.stray.insert(id) {
            self.strays.push(id);
        }
    }

    /// A statement's whole right side. An `if` there would be branches that assign, so one that is a value
    /// stands in parentheses.
    pub fn text(&mut self, expr: &Expr, expected: Option<Type>) -> String {
        self.check(expr);
        let text = self.exprs.text(expr, expected);
        if self.exprs.is_if(expr) { format!("({text})") } else { text }
    }

    pub fn call(&mut self, callee: Callee, args: &[Expr]) -> String {
        args.iter().for_each(|arg| self.check(arg));
        self.exprs.call(callee, args)
    }

    /// What stands after `if`.
    pub fn test(&mut self, test: &Test) -> String {
        self.check(test.subject());
        match test {
            Test::Is(condition) => self.exprs.condition(condition, Some(Type::Bool)),
            Test::Binds(ty, _, subject) => self.exprs.bound(subject, *ty),
        }
    }

    pub fn condition(&mut self, expr: &Expr, expected: Option<Type>) -> String {
        self.check(expr);
        self.exprs.condition(expr, expected)
    }

    pub fn local_type(&self, id: LocalId) -> Option<Type> {
        self.exprs.typing.local(id)
    }

    /// A block's lines. With `value`, the block ends in a value for these destinations.
    pub fn block(&mut self, block: &Block, indent: usize, value: Option<&Dests>) {
        self.block_with(block, indent, value, Vec::new());
    }

    /// The same, of a block in which `declared` are visible too.
    pub fn block_with(&mut self, block: &Block, indent: usize, value: Option<&Dests>, declared: Vec<LocalId>) {
        let own = if block.is_empty() { None } else { self.homes.get(&homes::key(block)).cloned() }.unwrap_or_default();
        let block = if value.is_some() { without_drops(self.exprs.typing, block) } else { block };
        own.iter().for_each(|id| self.declare_ahead(*id, indent));
        self.scopes.push(declared.into_iter().chain(own).collect());
        let mut at = 0;
        while let Some(stmt) = block.get(at) {
            let next = block.get(at + 1);
            if value.is_none() && self.are_implied(block.get(at..).unwrap_or_default()) {
                break;
            }
            if let Some(attempt) = next.and_then(|next| self.attempt(stmt, next)) {
                self.let_else(&attempt, indent);
                at += 2;
                continue;
            }
            if let Some((found, next)) =
                next.and_then(|next| Some((self.pairs.find(self.exprs.names, stmt, next)?, next)))
            {
                at += 2;
                let (head, dests) = self.declaration(next, value.filter(|_| at == block.len()));
                let subject = self.text(found.subject, Some(Type::Str));
                self.select(&head, &subject, &found.arms, Some(found.default), indent, dests.as_deref());
                continue;
            }
            at += 1;
            self.stmt(stmt, indent, value.filter(|_| at == block.len()));
        }
        let locals = self.scopes.pop().unwrap_or_default();
        self.exprs.names.leave(&locals);
    }

    /// Whether these statements at an inner block's end only free its own buffers, which text does by itself.
    fn are_implied(&self, rest: &[Stmt]) -> bool {
        let (Some(scope), true) = (self.scopes.last(), self.scopes.len() > 1) else { return false };
        let mut last = None;
        rest.iter().all(|stmt| {
            let place = freed(self.exprs.typing, stmt).and_then(|id| scope.iter().position(|own| *own == id));
            let later = place.is_some() && place > last;
            last = place;
            later
        })
    }

    /// Whether two statements are `let b = try .. else status { .. }`.
    fn attempt<'s>(&self, first: &'s Stmt, second: &'s Stmt) -> Option<Attempt<'s>> {
        let Stmt::Assign(dests, source @ Expr::Node(Node::Try(_), _)) = first else { return None };
        let (Some(status), rest) = dests.split_first().map(|(status, rest)| (*status, rest))? else { return None };
        let Stmt::If(Test::Is(Expr::Node(Node::Op(Op::I32Ne, _), args)), block, None) = second else { return None };
        let tests = matches!(args[..], [Expr::Local(tested), Expr::I32(0)] if tested == status);
        let fresh = dests.iter().flatten().all(|id| !self.exprs.names.is_declared(*id));
        let fits = tests && fresh && self.fit_exactly(dests, source) && rest.iter().any(Option::is_some);
        let unchanged = self.assigned.get(&status) == Some(&1);
        let leaves = block.last().is_some_and(Stmt::leaves);
        (fits && unchanged && leaves).then_some(Attempt { status, results: rest, source, block })
    }

    fn let_else(&mut self, attempt: &Attempt<'_>, indent: usize) {
        let source = self.text(attempt.source, None);
        let status = self.exprs.names.declare(attempt.status);
        let before = core::mem::take(&mut self.out);
        self.block(attempt.block, indent + 1, None);
        let inside = core::mem::replace(&mut self.out, before);
        self.exprs.names.leave(&[attempt.status]);
        let pattern = self.pattern(attempt.results, 1);
        self.line(indent, &format!("{pattern} = {source} else {status} {{"));
        self.out.push_str(&inside);
        self.line(indent, "}");
    }

    fn stmt(&mut self, stmt: &Stmt, indent: usize, value: Option<&Dests>) {
        match stmt {
            Stmt::If(..) | Stmt::Switch(..) => self.branches(stmt, indent, value),
            Stmt::Block(block) => self.labelled(indent, block),
            Stmt::Loop(block) => self.repeat(indent, "loop", block, Vec::new()),
            Stmt::While(condition, block) => {
                let head = format!("while {}", self.condition(condition, Some(Type::Bool)));
                self.repeat(indent, &head, block, Vec::new());
            }
            Stmt::For(local, from, to, block) => self.count(indent, *local, from, to, block),
            Stmt::AssignMany(dests, values) => self.assign_many(indent, dests, values),
            Stmt::Assign(..) | Stmt::SetGlobal(..) | Stmt::SetField(..) | Stmt::SetElement(..) | Stmt::Op(..) => {
                self.simple_line(stmt, indent, value)
            }
            Stmt::Emit(..) | Stmt::Fail(_) | Stmt::Return(_) | Stmt::Tail(..) | Stmt::Trap(_) | Stmt::Assert(..) => {
                self.simple_line(stmt, indent, value)
            }
            Stmt::EmitTo(..) | Stmt::MemoryInit(..) | Stmt::DataDrop(_) | Stmt::Exit(_) => {
                self.simple_line(stmt, indent, value)
            }
            Stmt::Wait | Stmt::WaitForever | Stmt::Flush(_) | Stmt::FlushCap(_) | Stmt::Revoke(_) => {
                self.simple_line(stmt, indent, value)
            }
            Stmt::Break(_) | Stmt::Continue(_) => self.simple_line(stmt, indent, value),
        }
    }

    fn simple_line(&mut self, stmt: &Stmt, indent: usize, value: Option<&Dests>) {
        let text = self.simple(stmt, value);
        self.line(indent, &text);
    }

    /// A statement that fits on a line.
    pub fn simple(&mut self, stmt: &Stmt, value: Option<&Dests>) -> String {
        match stmt {
            Stmt::Assign(dests, source) => self.assign(dests, source, value.is_some()),
            Stmt::SetGlobal(id, value) => self.set_global(*id, value),
            Stmt::SetField(ty, field, [of, value]) => {
                self.check(of);
                let place = format!("{}.{}", self.exprs.object(of, *ty), self.exprs.field(*ty, *field));
                let fields = self.exprs.typing.hierarchy.fields(*ty);
                let ty = fields.get(field.index()).map(|field| field.storage.value());
                format!("{place} = {}", self.text(value, ty))
            }
            Stmt::SetElement(ty, [of, index, value]) => {
                [of, index].into_iter().for_each(|part| self.check(part));
                let place = self.exprs.element(*ty, of, index);
                let element = self.exprs.typing.array(*ty).map(|def| def.element.value());
                format!("{place} = {}", self.text(value, element))
            }
            Stmt::Op(op, immediate, args) => {
                args.iter().for_each(|arg| self.check(arg));
                self.exprs.operator(*op, *immediate, args)
            }
            Stmt::MemoryInit(data, memory, parts) => {
                let mut args = alloc::vec![self.exprs.names.data(*data)];
                args.extend(parts.iter().map(|part| self.text(part, Some(Type::I32))));
                args.extend(self.exprs.in_memory("memory", *memory));
                format!("memory_init({})", args.join(", "))
            }
            Stmt::DataDrop(data) => format!("data_drop({})", self.exprs.names.data(*data)),
            Stmt::Exit(code) => format!("exit({})", self.text(code, Some(Type::I32))),
            Stmt::Emit(provided, number, args) => self.emit(*provided, *number, args),
            Stmt::EmitTo(provided, number, args) => match args.split_last() {
                Some((to, args)) => {
                    let event = self.emit(*provided, *number, args);
                    format!("{event} to {}", self.text(to, Some(Type::I32)))
                }
                None => String::new(),
            },
            // Text refuses a literal that is no status, though not a number that turns out to be none.
            Stmt::Fail(Expr::I32(status)) if !(1..=0xffff).contains(status) => format!("fail {status} + 0"),
            Stmt::Fail(status) => format!("fail {}", self.text(status, Some(Type::I32))),
            Stmt::Return(values) => self.leave(values),
            Stmt::Tail(callee, args) => format!("return tail {}", self.call(*callee, args)),
            Stmt::Trap(id) => format!("trap {}", self.exprs.literal(*id)),
            Stmt::Assert(condition, why) => {
                let condition = self.text(condition, Some(Type::Bool));
                // The condition's own words are what a failure reports, unless the text says otherwise.
                let module = self.exprs.typing.module;
                let same = module.strings.get(why.index()).is_some_and(|why| *why == condition);
                let why = if same { String::new() } else { format!(" else {}", self.exprs.literal(*why)) };
                format!("assert {condition}{why}")
            }
            Stmt::Wait => String::from("wait()"),
            Stmt::WaitForever => String::from("wait_forever()"),
            Stmt::Flush(id) => format!("flush({})", self.exprs.names.capability(*id)),
            Stmt::FlushCap(capability) => format!("flush({})", self.capability(capability)),
            Stmt::Revoke(capability) => format!("revoke({})", self.text(capability, None)),
            Stmt::Break(depth) => self.jump("break", *depth),
            Stmt::Continue(depth) => self.jump("continue", *depth),
            Stmt::AssignMany(..) | Stmt::If(..) | Stmt::Switch(..) => String::new(),
            Stmt::Block(_) | Stmt::Loop(_) | Stmt::While(..) | Stmt::For(..) => String::new(),
        }
    }

    /// A capability as a value: its name alone would be the capability itself.
    fn capability(&mut self, of: &Expr) -> String {
        self.check(of);
        match of {
            Expr::Cap(_, ty) => self.exprs.cast(of, Type::Ref(*ty)).0,
            other => self.exprs.text(other, None),
        }
    }

    fn emit(&mut self, provided: ProvidedId, number: u8, args: &[Expr]) -> String {
        args.iter().for_each(|arg| self.check(arg));
        let module = self.exprs.typing.module;
        let event = module.provided(provided).and_then(|set| set.event(number));
        let name = event.map_or_else(|| format!("e{number}"), |event| String::from(&*event.name));
        let types: Vec<Type> = event.map_or(Vec::new(), |event| event.params.iter().map(|field| field.ty).collect());
        let has =
            |at: &usize| module.provided(ProvidedId(*at as u32)).is_some_and(|set| set.event_named(&name).is_some());
        let alone = (0..module.provides.len()).filter(has).count() == 1;
        let owner = match module.provides.get(provided.index()).filter(|_| !alone) {
            Some(Provides { name: Some(name), .. }) => format!("{name}."),
            Some(_) => module.provided(provided).map_or_else(String::new, |set| format!("{}.", set.name)),
            None => String::new(),
        };
        format!("emit {owner}{name}({})", self.exprs.args(args, &types))
    }

    fn leave(&mut self, values: &[Expr]) -> String {
        let types = self.exprs.typing.func.sig.results.clone();
        let texts: Vec<String> = values.iter().zip(types).map(|(value, ty)| self.text(value, Some(ty))).collect();
        match &texts[..] {
            [] => String::from("return"),
            [one] => format!("return {one}"),
            _ => format!("return ({})", texts.join(", ")),
        }
    }

    fn jump(&mut self, word: &str, depth: u32) -> String {
        let target = self.loops.len().checked_sub(1).and_then(|last| last.checked_sub(depth as usize));
        // Without a label the innermost loop is meant, whatever blocks stand in it.
        let plain = self.loops.iter().rposition(|outer| !outer.is_block);
        match target {
            Some(at) if plain != Some(at) => {
                if let Some(outer) = self.loops.get_mut(at) {
                    outer.labelled = true;
                }
                format!("{word} '{}", label(at))
            }
            _ => String::from(word),
        }
    }
}

/// The label of the loop or block at this depth.
pub(super) fn label(depth: usize) -> String {
    format!("l{depth}")
}

/// The local whose buffer a statement frees by moving it nowhere.
fn freed(typing: &Typing<'_>, stmt: &Stmt) -> Option<LocalId> {
    match stmt {
        Stmt::Assign(dests, Expr::Local(id)) if matches!(dests[..], [None]) => {
            Some(*id).filter(|id| typing.local(*id).is_some_and(Type::is_affine))
        }
        _ => None,
    }
}

/// A block without the moves at its end that free its own buffers: text implies them.
pub(super) fn without_drops<'s>(typing: &Typing<'_>, block: &'s [Stmt]) -> &'s [Stmt] {
    let kept = block.iter().rposition(|stmt| freed(typing, stmt).is_none()).map_or(0, |last| last + 1);
    block.get(..kept).unwrap_or(block)
}
