//! Statements and blocks as text.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::expr::Exprs;
use super::names::Names;
use super::strmatch::StrMatches;
use super::tree::{Block, Call, Expr, Source, Stmt};
use crate::instr::Instr;
use crate::op::{Form, Op};
use crate::{Func, Hierarchy, LocalId, Module, Type};

type Dests = [Option<LocalId>];

/// How often a body is written at most to find out what has to be declared ahead.
const MOST_PASSES: usize = 10;

/// A function's body as text, its own braces left out. `names` has entered the function.
pub(super) fn body(module: &Module, types: &Hierarchy, func: &Func, names: &mut Names, block: &Block) -> String {
    // Text declares a local where all its uses can see it; a body from elsewhere may not. What is declared ahead may
    // leave other locals without a declaration.
    let mut ahead: Vec<LocalId> = Vec::new();
    let mut passes = 0;
    loop {
        let mut writer = Writer::new(module, types, func, names, block);
        writer.shadow_params();
        ahead.iter().for_each(|id| writer.declare_ahead(*id));
        writer.block(block, 1, None);
        passes += 1;
        if writer.strays.is_empty() || passes > MOST_PASSES {
            return writer.out;
        }
        ahead.append(&mut writer.strays);
        let wishes = names.wishes();
        names.enter_function(&wishes);
        (0..func.sig.params.len() as u32).for_each(|at| _ = names.declare(LocalId(at)));
    }
}

/// The parts of `let results = try source else status { block }`.
struct Attempt<'s> {
    status: LocalId,
    results: &'s Dests,
    source: &'s Source,
    block: &'s Block,
}

struct Writer<'a> {
    exprs: Exprs<'a>,
    out: String,
    /// How often each local is assigned.
    assigned: BTreeMap<LocalId, usize>,
    pairs: StrMatches<'a>,
    /// Locals declared so far, a list a block.
    scopes: Vec<Vec<LocalId>>,
    /// Enclosing loops; whether something leaves them by label.
    loops: Vec<bool>,
    /// Locals used where no declaration is visible.
    strays: Vec<LocalId>,
}

impl<'a> Writer<'a> {
    fn new(module: &'a Module, types: &'a Hierarchy, func: &'a Func, names: &'a mut Names, block: &Block) -> Self {
        let mut assigned = BTreeMap::new();
        count_assignments(block, &mut assigned);
        Writer {
            exprs: Exprs { module, types, func, names },
            out: String::new(),
            assigned,
            pairs: StrMatches::new(module, func),
            scopes: Vec::new(),
            loops: Vec::new(),
            strays: Vec::new(),
        }
    }

    /// In text, parameters keep their values: those that are assigned give theirs to variables.
    fn shadow_params(&mut self) {
        let params = self.exprs.func.sig.params.len();
        let assigned = self.assigned.keys().filter(|id| id.index() < params).copied();
        for id in assigned.collect::<Vec<_>>() {
            let name = self.exprs.names.local(id);
            self.line(1, &format!("var {name} = {name}"));
        }
    }

    fn declare_ahead(&mut self, id: LocalId) {
        let name = self.exprs.names.declare(id);
        let ty = self.exprs.func.local_type(id.index()).unwrap_or(Type::I32);
        let text = self.exprs.type_text(ty);
        let line = match self.exprs.some_value(ty, 4) {
            Some(value) => format!("var {name}: {text} = {value}"),
            // What cannot be made from nothing has no text ahead of its value.
            None => format!("// {name}: {text}"),
        };
        self.line(1, &line);
    }

    fn line(&mut self, indent: usize, text: &str) {
        for _ in 0..indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn declare(&mut self, id: LocalId) -> String {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(id);
        }
        self.exprs.names.declare(id)
    }

    /// Notes the locals that an expression uses unseen.
    fn check(&mut self, expr: &Expr) {
        match expr {
            Expr::Local(id) => self.check_local(*id),
            Expr::Call(Call { args, .. }) | Expr::Node(_, args) | Expr::Op(_, _, args) => {
                args.iter().for_each(|arg| self.check(arg))
            }
            Expr::Cond(_, parts) => parts.iter().for_each(|part| self.check(part)),
            Expr::I32(_) | Expr::I64(_) | Expr::F32(_) | Expr::F64(_) => {}
            Expr::Bool(_) | Expr::Str(_) | Expr::Null(_) => {}
        }
    }

    fn check_local(&mut self, id: LocalId) {
        if !self.exprs.names.is_declared(id) && !self.strays.contains(&id) {
            self.strays.push(id);
        }
    }

    /// A whole right side. An `if` stands in parentheses: it is a value there, not branches that assign.
    fn text(&mut self, expr: &Expr, expected: Option<Type>) -> String {
        self.check(expr);
        let text = self.exprs.text(expr, expected);
        if self.exprs.is_if(expr) { format!("({text})") } else { text }
    }

    fn call(&mut self, call: &Call) -> String {
        call.args.iter().for_each(|arg| self.check(arg));
        self.exprs.call(call)
    }

    fn condition(&mut self, expr: &Expr) -> String {
        self.check(expr);
        self.exprs.condition(expr)
    }

    /// A block's lines. With `value`, the block ends in a value for these destinations.
    fn block(&mut self, block: &[Stmt], indent: usize, value: Option<&Dests>) {
        let block = if value.is_some() { without_drops(self.exprs.func, block) } else { block };
        self.scopes.push(Vec::new());
        let mut at = 0;
        while let Some(stmt) = block.get(at) {
            let next = block.get(at + 1);
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

    /// Whether two statements are `let b = try .. else status { .. }`.
    fn attempt<'s>(&self, first: &'s Stmt, second: &'s Stmt) -> Option<Attempt<'s>> {
        let Stmt::Assign(dests, source @ Source::Call(Call { tries: true, .. })) = first else { return None };
        let (Some(status), rest) = dests.split_first().map(|(status, rest)| (*status, rest))? else { return None };
        let Stmt::If(Expr::Op(Op::I32Ne, _, args), block, None) = second else { return None };
        let tests = matches!(args[..], [Expr::Local(tested), Expr::I32(0)] if tested == status);
        let results: Vec<LocalId> = rest.iter().copied().flatten().collect();
        let fresh = dests.iter().flatten().all(|id| !self.exprs.names.is_declared(*id));
        let fits = tests && fresh && !results.is_empty() && block.last().is_some_and(leaves);
        fits.then_some(Attempt { status, results: rest, source, block })
    }

    fn let_else(&mut self, attempt: &Attempt<'_>, indent: usize) {
        let source = self.source(attempt.source, None);
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
            Stmt::If(..) | Stmt::IfLet(..) | Stmt::Switch(..) => self.branches(stmt, indent, value),
            Stmt::Loop(block) => self.repeat(indent, "loop", block),
            Stmt::While(condition, block) => {
                let head = format!("while {}", self.condition(condition));
                self.repeat(indent, &head, block);
            }
            Stmt::For(local, from, to, block) => self.count(indent, *local, from, to, block),
            _ => {
                let text = self.simple(stmt, value);
                self.line(indent, &text);
            }
        }
    }

    /// A statement that fits on a line.
    fn simple(&mut self, stmt: &Stmt, value: Option<&Dests>) -> String {
        match stmt {
            Stmt::Assign(dests, source) => self.assign(dests, source, value.is_some()),
            Stmt::AssignMany(dests, values) => self.assign_many(dests, values),
            Stmt::Do(instr, args) => {
                args.iter().for_each(|arg| self.check(arg));
                self.act(*instr, args)
            }
            Stmt::Op(op, immediate, args) => {
                args.iter().for_each(|arg| self.check(arg));
                self.exprs.operator(*op, *immediate, args)
            }
            Stmt::Return(values) => self.leave(values),
            Stmt::ReturnCall(call) => format!("return tail {}", self.call(call)),
            Stmt::Trap(id) => format!("trap {}", self.literal(id.index())),
            Stmt::Assert(condition, why) => {
                let condition = self.text(condition, Some(Type::Bool));
                // A failure reports the condition's wording, unless the text says otherwise.
                let words: Vec<&str> = condition.split_whitespace().collect();
                let same = self.exprs.module.strings.get(why.index()).is_some_and(|why| *why == words.join(" "));
                let says = if same { String::new() } else { format!(" else {}", self.literal(why.index())) };
                format!("assert {condition}{says}")
            }
            Stmt::Break(depth) => self.jump("break", *depth),
            Stmt::Continue(depth) => self.jump("continue", *depth),
            Stmt::If(..) | Stmt::IfLet(..) | Stmt::Switch(..) => String::new(),
            Stmt::Loop(_) | Stmt::While(..) | Stmt::For(..) => String::new(),
        }
    }

    /// An instruction that is a statement of its own.
    fn act(&mut self, instr: Instr<'_>, args: &[Expr]) -> String {
        match (instr, args) {
            (Instr::GlobalSet(id), [value]) => {
                let name = self.exprs.names.global(id);
                let same = |expr: &Expr| matches!(expr, Expr::Node(Instr::GlobalGet(other), _) if *other == id);
                let ty = self.exprs.module.global_type(id);
                self.assignment(&name, value, ty, same)
            }
            (Instr::FieldSet(id, field), [of, value]) => {
                let place = self.exprs.field(of, id, field);
                let ty = self.exprs.types.fields(id).get(field.index()).map(|field| field.storage.value());
                let same = |expr: &Expr| match expr {
                    Expr::Node(Instr::FieldGet(other, number), inner) => {
                        *other == id && *number == field && is_same_local(of, inner.first())
                    }
                    _ => false,
                };
                self.assignment(&place, value, ty, same)
            }
            (Instr::ArraySet(id), [of, index, value]) => {
                let place = self.exprs.element(of, index, id);
                let ty = self.exprs.types.array(id).map(|def| def.element.value());
                let same = |expr: &Expr| match expr {
                    Expr::Node(Instr::ArrayGet(other), inner) => {
                        *other == id && is_same_local(of, inner.first()) && is_same_local(index, inner.get(1))
                    }
                    _ => false,
                };
                self.assignment(&place, value, ty, same)
            }
            (Instr::Emit(number), args) => {
                let types = self.event_types(number);
                format!("emit {}({})", self.event(number), self.exprs.args(args, &types))
            }
            (Instr::Fail, [status]) => format!("fail {}", self.text(status, Some(Type::I32))),
            (Instr::Wait, _) => String::from("wait()"),
            (Instr::WaitForever, _) => String::from("wait_forever()"),
            (Instr::Flush(id), _) => format!("flush({})", self.exprs.names.capability(id)),
            (Instr::FlushCap | Instr::Revoke, [of]) => {
                let word = if instr == Instr::Revoke { "revoke" } else { "flush" };
                let text = self.text(of, None);
                match (of, self.exprs.ty(of)) {
                    // The name alone means what the `use` means.
                    (Expr::Node(Instr::Cap(..), _), Some(ty)) if !text.contains(" as ") => {
                        format!("{word}({text} as {})", self.exprs.type_text(ty))
                    }
                    _ => format!("{word}({text})"),
                }
            }
            _ => String::new(),
        }
    }

    fn event_types(&self, number: u8) -> Vec<Type> {
        let module = self.exprs.module;
        let set = module.provides.as_ref().and_then(|provided| module.isas.get(provided.isa.index()));
        let event = set.and_then(|set| set.event(number));
        event.map_or(Vec::new(), |event| event.params.iter().map(|field| field.ty).collect())
    }

    fn literal(&self, index: usize) -> String {
        self.exprs.module.strings.get(index).map_or_else(String::new, |text| super::expr::quoted(text))
    }

    fn event(&self, number: u8) -> String {
        let module = self.exprs.module;
        let set = module.provides.as_ref().and_then(|provided| module.isas.get(provided.isa.index()));
        let event = set.and_then(|set| set.event(number));
        event.map_or_else(|| format!("e{number}"), |event| String::from(&*event.name))
    }

    fn leave(&mut self, values: &[Expr]) -> String {
        let types = self.exprs.func.sig.results.clone();
        let texts: Vec<String> = values.iter().zip(types).map(|(value, ty)| self.text(value, Some(ty))).collect();
        match &texts[..] {
            [] => String::from("return"),
            [one] => format!("return {one}"),
            _ => format!("return ({})", texts.join(", ")),
        }
    }

    // Assignments

    fn target(&mut self, dest: Option<LocalId>) -> String {
        match dest {
            Some(id) => {
                self.check_local(id);
                self.exprs.names.local(id)
            }
            None => String::from("_"),
        }
    }

    fn source(&mut self, source: &Source, expected: Option<Type>) -> String {
        match source {
            Source::Value(value) => self.text(value, expected),
            Source::Call(call) => self.call(call),
        }
    }

    /// An assignment, a declaration, or (at a value block's end) the value alone.
    fn assign(&mut self, dests: &Dests, source: &Source, value_only: bool) -> String {
        let declared = |writer: &Self, dest: &Option<LocalId>| dest.is_none_or(|id| writer.exprs.names.is_declared(id));
        if value_only {
            let ty = dests.first().copied().flatten().and_then(|id| self.exprs.func.local_type(id.index()));
            return self.source(source, ty);
        }
        if dests.iter().all(Option::is_none) {
            return match source {
                Source::Value(value) => format!("_ = {}", self.text(value, None)),
                Source::Call(_) => self.source(source, None),
            };
        }
        if dests.iter().all(|dest| declared(self, dest)) {
            return self.reassign(dests, source);
        }
        if dests.iter().flatten().any(|id| self.exprs.names.is_declared(*id)) {
            // Text has no assignment that declares some of its destinations only.
            dests.iter().flatten().for_each(|id| self.check_local(*id));
            return self.reassign(dests, source);
        }
        let annotation = self.annotation(dests, source);
        // The value does not see what is declared with it.
        let value = self.source(source, annotation);
        let pattern = self.pattern(dests, 1);
        let ty = annotation.map_or_else(String::new, |ty| format!(": {}", self.exprs.type_text(ty)));
        format!("{pattern}{ty} = {value}")
    }

    /// `(a, b) = (c, d)`
    fn assign_many(&mut self, dests: &Dests, values: &[Expr]) -> String {
        let fresh = |writer: &Self, id: &LocalId| !writer.exprs.names.is_declared(*id);
        let declares = dests.iter().any(Option::is_some) && dests.iter().flatten().all(|id| fresh(self, id));
        let mut texts = Vec::new();
        for (dest, value) in dests.iter().zip(values) {
            let ty = dest.and_then(|id| self.exprs.func.local_type(id.index()));
            texts.push(match ty {
                // A declaration of several locals has no place for their types.
                Some(ty) if declares => {
                    self.check(value);
                    self.exprs.typed_text(value, ty)
                }
                ty => self.text(value, ty),
            });
        }
        let pattern = if declares {
            self.pattern(dests, 1)
        } else {
            let targets: Vec<String> = dests.iter().map(|dest| self.target(*dest)).collect();
            format!("({})", targets.join(", "))
        };
        format!("{pattern} = ({})", texts.join(", "))
    }

    fn reassign(&mut self, dests: &Dests, source: &Source) -> String {
        if let ([Some(id)], Source::Value(value)) = (dests, source) {
            let name = self.target(Some(*id));
            let ty = self.exprs.func.local_type(id.index());
            return self.assignment(&name, value, ty, |expr| matches!(expr, Expr::Local(other) if other == id));
        }
        let targets: Vec<String> = dests.iter().map(|dest| self.target(*dest)).collect();
        let value = self.source(source, None);
        match &targets[..] {
            [one] => format!("{one} = {value}"),
            _ => format!("({}) = {value}", targets.join(", ")),
        }
    }

    /// `name = value`, or `name += value` where that is what it says.
    fn assignment(&mut self, name: &str, value: &Expr, ty: Option<Type>, same: impl Fn(&Expr) -> bool) -> String {
        if let Expr::Op(op, _, args) = value
            && let [left, right] = &args[..]
            && let Some(symbol) = assigning(op.info().text, op.info().form)
            && same(left)
        {
            return format!("{name} {symbol}= {}", self.text(right, ty));
        }
        format!("{name} = {}", self.text(value, ty))
    }

    /// The type that a declaration must state: that of `i64` literals, and of what is used as a supertype.
    fn annotation(&self, dests: &Dests, source: &Source) -> Option<Type> {
        let [Some(id)] = dests else { return None };
        let ty = self.exprs.func.local_type(id.index())?;
        let differs = match source {
            Source::Value(value) => self.exprs.needs_type(value, ty),
            Source::Call(call) if call.tries => ty != Type::I32,
            Source::Call(call) => self.exprs.results(call.callee).first() != Some(&ty),
        };
        differs.then_some(ty)
    }

    /// `let x` or `var (a, _)`; `sites` assignments are part of the declaration.
    fn pattern(&mut self, dests: &Dests, sites: usize) -> String {
        let again = |id: &LocalId| self.assigned.get(id).is_some_and(|count| *count > sites);
        let word = if dests.iter().flatten().any(again) { "var" } else { "let" };
        let names: Vec<String> =
            dests.iter().map(|dest| dest.map_or_else(|| String::from("_"), |id| self.declare(id))).collect();
        match &names[..] {
            [one] => format!("{word} {one}"),
            _ => format!("{word} ({})", names.join(", ")),
        }
    }

    // Constructs

    /// `if` and `match` as statements, or as a value.
    fn branches(&mut self, stmt: &Stmt, indent: usize, value: Option<&Dests>) {
        let (head, dests) = self.declaration(stmt, value);
        match stmt {
            Stmt::If(..) | Stmt::IfLet(..) => self.choose(&head, stmt, indent, dests.as_deref()),
            Stmt::Switch(of, arms, default) => {
                self.check(of);
                // Literals alone would be `i32`.
                let of = self.exprs.text(of, None);
                let numbers =
                    |values: &[i64]| values.iter().map(|value| format!("{value}")).collect::<Vec<_>>().join(" | ");
                let arms: Vec<_> = arms.iter().map(|(values, block)| (numbers(values), block)).collect();
                self.select(&head, &of, &arms, default.as_ref(), indent, dests.as_deref());
            }
            _ => {}
        }
    }

    /// What stands in front of a branching statement, and which destinations its blocks end with: those
    /// of `value`, else those of the locals that it declares.
    fn declaration(&mut self, stmt: &Stmt, value: Option<&Dests>) -> (String, Option<Vec<Option<LocalId>>>) {
        if let Some(dests) = value {
            return (String::new(), Some(dests.to_vec()));
        }
        let Some((given, sites)) = self.declares(stmt) else { return (String::new(), None) };
        let ty = given.first().copied().flatten().and_then(|id| self.exprs.func.local_type(id.index()));
        // Of the first value, text would take the type.
        let stated = ty.filter(|ty| given.len() == 1 && !matches!(ty, Type::I32 | Type::F64 | Type::Bool | Type::Str));
        let stated = stated.map_or_else(String::new, |ty| format!(": {}", self.exprs.type_text(ty)));
        (format!("{}{stated} = ", self.pattern(given, sites)), Some(given.to_vec()))
    }

    /// The locals that a branching statement declares by being their value, and at how many ends.
    fn declares<'s>(&self, stmt: &'s Stmt) -> Option<(&'s Dests, usize)> {
        yields(self.exprs.func, stmt).filter(|(given, _)| {
            given.iter().any(Option::is_some) && !given.iter().flatten().any(|id| self.exprs.names.is_declared(*id))
        })
    }

    /// An `if` with all its `else if`s.
    fn choose(&mut self, head: &str, stmt: &Stmt, indent: usize, value: Option<&Dests>) {
        let mut other = self.branch(head, stmt, indent, value);
        while let Some(block) = other {
            if let [inner @ (Stmt::If(..) | Stmt::IfLet(..))] = &block[..]
                && (value.is_some() || self.declares(inner).is_none())
            {
                other = self.branch("} else ", inner, indent, value);
            } else {
                self.line(indent, "} else {");
                self.block(block, indent + 1, value);
                other = None;
            }
        }
        self.line(indent, "}");
    }

    /// One condition and its block; gives what stands behind `else`.
    fn branch<'s>(&mut self, head: &str, stmt: &'s Stmt, indent: usize, value: Option<&Dests>) -> Option<&'s Block> {
        match stmt {
            Stmt::If(condition, then, other) => {
                let text = format!("{head}if {} {{", self.condition(condition));
                self.line(indent, &text);
                self.block(then, indent + 1, value);
                other.as_ref()
            }
            Stmt::IfLet(subject, ty, local, then, other) => {
                self.check(subject);
                let subject = self.exprs.unwrapped(subject, *ty);
                let declared = self.exprs.names.is_declared(*local);
                let again = self.assigned.get(local).is_some_and(|count| *count > 1);
                if !declared && !again {
                    let name = self.exprs.names.declare(*local);
                    self.line(indent, &format!("{head}if let {name} = {subject} {{"));
                    self.block(then, indent + 1, value);
                    self.exprs.names.leave(&[*local]);
                    return other.as_ref();
                }
                // A body from elsewhere uses it outside of the branch, or assigns it.
                let bound = self.exprs.names.fresh("bound");
                self.line(indent, &format!("{head}if let {bound} = {subject} {{"));
                let name = if declared { self.exprs.names.local(*local) } else { self.exprs.names.declare(*local) };
                self.line(indent + 1, &format!("{}{name} = {bound}", if declared { "" } else { "var " }));
                self.block(then, indent + 1, value);
                if !declared {
                    self.exprs.names.leave(&[*local]);
                }
                other.as_ref()
            }
            _ => None,
        }
    }

    fn select(
        &mut self,
        head: &str,
        of: &str,
        arms: &[(String, &Block)],
        default: Option<&Block>,
        indent: usize,
        value: Option<&Dests>,
    ) {
        self.line(indent, &format!("{head}match {of} {{"));
        for (values, block) in arms {
            self.arm(values, block, indent + 1, value);
        }
        match default {
            Some(block) => self.arm("_", block, indent + 1, value),
            None => self.line(indent + 1, "_ => {}"),
        }
        self.line(indent, "}");
    }

    fn arm(&mut self, values: &str, block: &Block, indent: usize, value: Option<&Dests>) {
        let compound = |stmt: &Stmt| {
            matches!(
                stmt,
                Stmt::If(..) | Stmt::IfLet(..) | Stmt::Switch(..) | Stmt::Loop(_) | Stmt::While(..) | Stmt::For(..)
            )
        };
        if let [only] = &block[..]
            && !compound(only)
        {
            self.scopes.push(Vec::new());
            let text = format!("{values} => {}", self.simple(only, value));
            let locals = self.scopes.pop().unwrap_or_default();
            self.exprs.names.leave(&locals);
            return self.line(indent, &text);
        }
        if block.is_empty() {
            return self.line(indent, &format!("{values} => {{}}"));
        }
        self.line(indent, &format!("{values} => {{"));
        self.block(block, indent + 1, value);
        self.line(indent, "}");
    }

    fn count(&mut self, indent: usize, local: LocalId, from: &Expr, to: &Expr, block: &Block) {
        let ty = self.exprs.func.local_type(local.index());
        // Bounds of literals only would be `i32`.
        let open = self.exprs.is_open(from) && self.exprs.is_open(to) && ty == Some(Type::I64);
        let (from, to) = (self.text(from, if open { None } else { ty }), self.text(to, ty));
        let mut inside = BTreeMap::new();
        count_assignments(block, &mut inside);
        if self.exprs.names.is_declared(local) || inside.contains_key(&local) {
            return self.count_by_hand(indent, local, &from, &to, block);
        }
        let name = self.declare(local);
        self.repeat(indent, &format!("for {name} in {from}..{to}"), block);
        self.exprs.names.leave(&[local]);
    }

    /// A count whose variable is used outside of the loop, or changed in it: only bodies from elsewhere have such.
    fn count_by_hand(&mut self, indent: usize, local: LocalId, from: &str, to: &str, block: &Block) {
        let ty = self.exprs.func.local_type(local.index()).map_or("i32", Type::name);
        let (start, end) = (self.exprs.names.fresh("start"), self.exprs.names.fresh("end"));
        let turns = self.exprs.names.fresh("turns");
        self.line(indent, &format!("let {start}: {ty} = {from}"));
        self.line(indent, &format!("let {end}: {ty} = {to}"));
        let declared = self.exprs.names.is_declared(local);
        let name = if declared { self.exprs.names.local(local) } else { self.declare(local) };
        self.line(indent, &format!("{}{name} = {start}", if declared { "" } else { "var " }));
        self.line(indent, &format!("var {turns} = false"));
        let before = core::mem::take(&mut self.out);
        self.loops.push(false);
        self.block(block, indent + 1, None);
        let labelled = self.loops.pop().unwrap_or(false);
        let inside = core::mem::replace(&mut self.out, before);
        let label = if labelled { format!("'{}: ", label(self.loops.len())) } else { String::new() };
        self.line(indent, &format!("{label}loop {{"));
        self.line(indent + 1, &format!("if {turns} {{ {name} += 1 }}"));
        self.line(indent + 1, &format!("{turns} = true"));
        self.line(indent + 1, &format!("if {name} >= {end} {{ break }}"));
        self.out.push_str(&inside);
        self.line(indent, "}");
    }

    fn repeat(&mut self, indent: usize, head: &str, block: &Block) {
        let before = core::mem::take(&mut self.out);
        self.loops.push(false);
        self.block(block, indent + 1, None);
        let labelled = self.loops.pop().unwrap_or(false);
        let inside = core::mem::replace(&mut self.out, before);
        let label = if labelled { format!("'{}: ", label(self.loops.len())) } else { String::new() };
        self.line(indent, &format!("{label}{head} {{"));
        self.out.push_str(&inside);
        self.line(indent, "}");
    }

    fn jump(&mut self, word: &str, depth: u32) -> String {
        let target = self.loops.len().checked_sub(1).and_then(|last| last.checked_sub(depth as usize));
        match target {
            Some(at) if depth > 0 => {
                if let Some(labelled) = self.loops.get_mut(at) {
                    *labelled = true;
                }
                format!("{word} '{}", label(at))
            }
            _ => String::from(word),
        }
    }
}

/// The label of the loop at this depth.
fn label(depth: usize) -> String {
    format!("l{depth}")
}

/// The operator in front of `=`, if it may stand there.
fn assigning(text: &'static str, form: Form) -> Option<&'static str> {
    let may = matches!(text, "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "<<" | ">>");
    (may && form == Form::Infix).then_some(text)
}

/// If all ways through an `if` or `match` that complete end by assigning the same destinations:
/// these, and how many ways do so.
fn yields<'s>(func: &Func, stmt: &'s Stmt) -> Option<(&'s Dests, usize)> {
    let blocks: Vec<&Block> = match stmt {
        Stmt::If(_, then, Some(other)) | Stmt::IfLet(_, _, _, then, Some(other)) => alloc::vec![then, other],
        Stmt::Switch(_, arms, Some(default)) => arms.iter().map(|(_, block)| block).chain([default]).collect(),
        _ => return None,
    };
    let mut found: Option<(&Dests, usize)> = None;
    for block in blocks {
        let last = without_drops(func, block).last()?;
        if leaves(last) {
            continue;
        }
        let (dests, sites) = match last {
            Stmt::Assign(dests, _) => (&dests[..], 1),
            inner => yields(func, inner)?,
        };
        found = match found {
            None => Some((dests, sites)),
            Some((known, before)) if known == dests => Some((known, before + sites)),
            Some(_) => return None,
        };
    }
    found
}

/// A block without the moves at its end that free its own buffers: text implies them.
fn without_drops<'s>(func: &Func, block: &'s [Stmt]) -> &'s [Stmt] {
    let frees = |stmt: &Stmt| match stmt {
        Stmt::Assign(dests, Source::Value(Expr::Local(id))) => {
            matches!(dests[..], [None]) && func.local_type(id.index()).is_some_and(Type::is_affine)
        }
        _ => false,
    };
    let kept = block.iter().rposition(|stmt| !frees(stmt)).map_or(0, |last| last + 1);
    block.get(..kept).unwrap_or(block)
}

/// Whether control never passes the statement.
fn leaves(stmt: &Stmt) -> bool {
    let ends = |block: &Block| block.last().is_some_and(leaves);
    match stmt {
        Stmt::Break(_) | Stmt::Continue(_) | Stmt::Return(_) | Stmt::ReturnCall(_) | Stmt::Trap(_) => true,
        Stmt::Do(Instr::Fail, _) => true,
        Stmt::If(_, then, Some(other)) | Stmt::IfLet(_, _, _, then, Some(other)) => ends(then) && ends(other),
        Stmt::Switch(_, arms, Some(default)) => arms.iter().all(|(_, block)| ends(block)) && ends(default),
        _ => false,
    }
}

fn count_assignments(block: &Block, counts: &mut BTreeMap<LocalId, usize>) {
    for stmt in block {
        match stmt {
            Stmt::Assign(dests, _) | Stmt::AssignMany(dests, _) => {
                dests.iter().flatten().for_each(|id| *counts.entry(*id).or_default() += 1);
            }
            Stmt::If(_, then, other) => {
                count_assignments(then, counts);
                other.iter().for_each(|block| count_assignments(block, counts));
            }
            Stmt::IfLet(_, _, local, then, other) => {
                *counts.entry(*local).or_default() += 1;
                count_assignments(then, counts);
                other.iter().for_each(|block| count_assignments(block, counts));
            }
            Stmt::Loop(block) | Stmt::While(_, block) => count_assignments(block, counts),
            Stmt::For(local, _, _, block) => {
                *counts.entry(*local).or_default() += 1;
                count_assignments(block, counts);
            }
            Stmt::Switch(_, arms, default) => {
                arms.iter().for_each(|(_, block)| count_assignments(block, counts));
                default.iter().for_each(|block| count_assignments(block, counts));
            }
            _ => {}
        }
    }
}

/// Whether both are the same local, or the same number.
fn is_same_local(one: &Expr, other: Option<&Expr>) -> bool {
    match (one, other) {
        (Expr::Local(one), Some(Expr::Local(other))) => one == other,
        (Expr::I32(one), Some(Expr::I32(other))) => one == other,
        _ => false,
    }
}
