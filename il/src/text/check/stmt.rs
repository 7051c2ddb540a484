//! Statements, and where the value of a right side goes.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Block, Expr, ExprKind, Name, Pattern, Stmt, StmtKind, TypeExpr};
use super::super::diag::{Code, Report, Span, counted};
use super::body::Body;
use super::flow::State;
use super::sets::{signature_text, unknown_member};
use super::typed::{Kind, Ty, Typed, Value};
use super::{FuncKind, overload};
use crate::instr::Instr;
use crate::op::{Immediate, Op};
use crate::types::{LocalId, Type};

/// Where a value goes: a local, or nowhere.
pub(super) struct Dest {
    pub local: Option<LocalId>,
    /// `None` until the first value decides.
    pub ty: Option<Ty>,
}

/// Where the values of a right side go.
pub(super) enum Target {
    Return,
    Dests(Vec<Dest>),
}

impl<'f> Body<'_, '_, 'f, '_> {
    /// A block's statements in a scope of their own; with a target, its last expression goes there.
    pub(super) fn block_into(&mut self, block: &'f Block<'f>, mut target: Option<&mut Target>) {
        self.scoped(|body| {
            let mut told = false;
            let last = block.stmts.len().checked_sub(1);
            let mut gave = false;
            for (at, stmt) in block.stmts.iter().enumerate() {
                body.check_reached(stmt.span, &mut told);
                match (&mut target, &stmt.kind) {
                    (Some(target), StmtKind::Expr(expr)) if Some(at) == last => {
                        body.mark(stmt.span);
                        body.value_into(expr, target);
                        gave = true;
                    }
                    (_, StmtKind::Error) => gave = true,
                    _ => body.stmt(stmt),
                }
            }
            if target.is_some() && !gave && body.state.reachable {
                let report = Report::new(Code::NoValue, block.span, "this block gives no value");
                body.cx
                    .report(report.hint("end it with an expression, or leave: `return`, `trap`, `break`, `continue`"));
            }
            if told {
                body.state = State::DEAD;
            }
        });
    }

    pub(super) fn block(&mut self, block: &'f Block<'f>) {
        self.block_into(block, None);
    }

    pub(super) fn stmt(&mut self, stmt: &'f Stmt<'f>) {
        let span = stmt.span;
        if self.cx.sink.is_full() {
            return;
        }
        self.mark(span);
        match &stmt.kind {
            StmtKind::Let { mutable, pattern, ty, value, or_else } => {
                self.let_stmt(
                    *mutable,
                    pattern,
                    ty.as_ref(),
                    value,
                    or_else.as_ref().map(|(name, block)| (*name, block)),
                );
            }
            StmtKind::While { label, condition, body } => self.while_stmt(*label, condition, body, span),
            StmtKind::Loop { label, body } => self.loop_stmt(*label, body, span),
            StmtKind::For { label, name, from, to, body } => self.for_stmt(*label, *name, from, to, body, span),
            StmtKind::Break(label) => self.jump(*label, span, true),
            StmtKind::Continue(label) => self.jump(*label, span, false),
            StmtKind::Return(None) => self.return_values(&[], span),
            StmtKind::Return(Some(value)) => self.value_into(value, &mut Target::Return),
            StmtKind::Trap { text, span } => self.trap(text, *span),
            StmtKind::Assert(condition) => self.assert(condition),
            StmtKind::Emit { path, args } => self.emit_event(path, args, span),
            StmtKind::Fail(status) => self.fail(status, span),
            StmtKind::Assign { place, op, value } => self.assign(place, *op, value),
            StmtKind::Expr(expr) => self.expr_stmt(expr),
            StmtKind::Error => {}
        }
    }

    fn trap(&mut self, text: &[u8], span: Span) {
        if let Some(text) = self.cx.utf8(text, span) {
            let id = self.cx.intern(&text);
            self.writer.push(Instr::Trap(id));
        }
        self.state = State::DEAD;
    }

    /// The text of a failed assertion is the condition as written.
    fn assert(&mut self, condition: &'f Expr<'f>) {
        let typed = self.with_borrows(|body| body.truth(condition));
        self.emit(&typed);
        let text = condition.span.text(self.cx.source);
        let words: Vec<&str> = text.split_whitespace().collect();
        let id = self.cx.intern(&words.join(" "));
        self.mark(condition.span);
        self.writer.push(Instr::Assert(id));
    }

    fn fail(&mut self, status: &'f Expr<'f>, span: Span) {
        if self.info().is_none_or(|info| info.kind != FuncKind::Op) {
            let report = Report::new(Code::Misplaced, span, "`fail` answers a request: it stands only in an `op`");
            self.cx.report(report.hint("end the whole VM with `trap \"why\"`, or return a status"));
        }
        let typed = self.value(status, Type::I32);
        if let Kind::Value(Value::I32(number)) = typed.kind
            && !(1..=0xffff).contains(&number)
        {
            let report = Report::new(Code::BadLiteral, status.span, "a status is between 1 and 65535");
            self.cx.report(report.hint("1 is a bad operand, 2 out of range, 9 a device error; 0 would be success"));
        }
        self.emit(&typed);
        self.writer.push(Instr::Fail);
        self.state = State::DEAD;
    }

    fn emit_event(&mut self, path: &super::super::ast::Path<'f>, args: &'f [Expr<'f>], span: Span) {
        let Some(provides) = &self.cx.provides else {
            let report = Report::new(
                Code::Misplaced,
                span,
                "`emit` raises an event of the set that this module provides, and it provides none",
            );
            self.cx.report(report.hint("add `provides SET@VERSION { .. }`"));
            return;
        };
        let set = provides.set.clone();
        let own_name = provides.name.map(|name| name.text);
        let name = match &path.parts[..] {
            [name] => *name,
            [owner, name] if Some(owner.text) == own_name => *name,
            _ => {
                let report = Report::new(Code::UnknownName, path.span, "only events of the provided set can be raised");
                self.cx.report(report.hint("write `emit event(..)`"));
                return;
            }
        };
        let Some(event) = set.event_named(name.text) else {
            let report = unknown_member(&set, name.text, name.span, "event");
            self.cx.report(report);
            return;
        };
        self.cx.note_event(name.span, &set, event);
        if args.len() != event.params.len() {
            let message =
                format!("`{}` carries {}, not {}", name.text, counted(event.params.len(), "value"), args.len());
            let sig = signature_text(&event.params, None);
            self.cx.report(
                Report::new(Code::Count, span, message).hint(format!("it is declared as `{}{sig}`", name.text)),
            );
            return;
        }
        let args: Vec<Typed> = args.iter().zip(&*event.params).map(|(arg, field)| self.value(arg, field.ty)).collect();
        self.emit_all(&args);
        self.mark(span);
        self.writer.push(Instr::Emit(event.number));
    }

    fn expr_stmt(&mut self, expr: &'f Expr<'f>) {
        match &expr.kind {
            ExprKind::If(inner) => self.if_into(inner, expr.span, None),
            ExprKind::Match(inner) => self.match_into(inner, expr.span, None),
            ExprKind::Try(call) => {
                let Some((typed, results)) = self.try_call(call, expr.span) else { return };
                self.emit_try(&typed, &alloc::vec![None; results.len() + 1]);
            }
            _ => {
                let typed = self.with_borrows(|body| body.infer(expr, None));
                self.discard(typed);
            }
        }
    }

    /// Evaluates for the effect alone.
    fn discard(&mut self, typed: Typed) {
        match typed.ty {
            Ty::Nothing => self.emit_call_set(&typed, &[]),
            Ty::Many => {
                let count = self.results(&typed).len();
                self.emit_call_set(&typed, &alloc::vec![None; count]);
            }
            _ => {
                let typed = self.settle(typed);
                self.emit(&typed);
                self.writer.set(&[None]);
            }
        }
    }

    fn let_stmt(
        &mut self,
        mutable: bool,
        pattern: &'f Pattern<'f>,
        ty: Option<&'f TypeExpr<'f>>,
        value: &'f Expr<'f>,
        or_else: Option<(Name<'f>, &'f Block<'f>)>,
    ) {
        let (names, declared) = self.pattern(pattern, ty);
        let locals: Vec<Option<LocalId>> = names
            .iter()
            .map(|name| (!name.is_blank()).then(|| self.new_local(name.text, name.span, mutable)))
            .collect();
        let dests = locals.iter().map(|local| Dest { local: *local, ty: declared }).collect();
        let mut target = Target::Dests(dests);
        match or_else {
            Some((status, block)) => self.let_else(value, &mut target, status, block),
            None => self.value_into(value, &mut target),
        }
        self.set_declared(&target);
        for (name, local) in names.iter().zip(locals) {
            if let Some(local) = local {
                self.declare(*name, local);
            }
        }
    }

    /// After an error no value may have come; a declared type is known nevertheless.
    fn set_declared(&mut self, target: &Target) {
        let Target::Dests(dests) = target else { return };
        for dest in dests {
            if let (Some(local), Some(ty)) = (dest.local, dest.ty)
                && self.local(local).ty == Ty::Error
            {
                self.set_type(local, ty);
                self.make_available(local);
            }
        }
    }

    fn pattern(&mut self, pattern: &'f Pattern<'f>, ty: Option<&'f TypeExpr<'f>>) -> (&'f [Name<'f>], Option<Ty>) {
        let declared = ty.map(|ty| self.cx.ty(ty, false));
        match pattern {
            Pattern::Name(name) => (core::slice::from_ref(name), declared),
            Pattern::Tuple(names, span) => {
                if ty.is_some() {
                    let report = Report::new(Code::Syntax, *span, "several names take no type");
                    self.cx.report(report.hint("their types are those of the call's results"));
                }
                (names, None)
            }
        }
    }

    fn let_else(&mut self, value: &'f Expr<'f>, target: &mut Target, name: Name<'f>, block: &'f Block<'f>) {
        let ExprKind::Try(call) = &value.kind else {
            let report = Report::new(Code::Misplaced, name.span, "`else` follows only `let .. = try ..`");
            self.cx.report(report.hint("for a choice of values write `let x = if .. { .. } else { .. }`"));
            return;
        };
        let status = self.new_local(name.text, name.span, false);
        self.set_type(status, Ty::Of(Type::I32));
        let Some((typed, results)) = self.try_call(call, value.span) else { return };
        let Some(dests) = self.take_results(target, &results, value.span) else { return };
        let all: Vec<Option<LocalId>> = core::iter::once(Some(status)).chain(dests).collect();
        self.emit_try(&typed, &all);
        let after = self.state;
        for instr in [Instr::Get(status), Instr::I32Const(0), Instr::Op(Op::I32Ne, Immediate::default()), Instr::If] {
            self.writer.push(instr);
        }
        self.scoped(|body| {
            body.declare(name, status);
            body.block(block);
        });
        self.writer.push(Instr::End);
        if self.state.reachable {
            let report =
                Report::new(Code::NoValue, block.span, "this block must leave: there is no value after a failure");
            self.cx.report(report.hint("end it with `return`, `break`, `continue`, `trap` or `fail`"));
        }
        self.state = after;
    }

    /// Sends a right side to its destinations.
    pub(super) fn value_into(&mut self, expr: &'f Expr<'f>, target: &mut Target) {
        match &expr.kind {
            ExprKind::If(inner) => self.if_into(inner, expr.span, Some(target)),
            ExprKind::Match(inner) => self.match_into(inner, expr.span, Some(target)),
            ExprKind::Try(call) => {
                let Some((typed, results)) = self.try_call(call, expr.span) else { return self.after_error(target) };
                let all: Vec<Ty> = core::iter::once(Ty::Of(Type::I32)).chain(results).collect();
                self.several_into(&typed, &all, target, expr.span, true);
            }
            ExprKind::Tuple(list) if matches!(target, Target::Return) => {
                let list: Vec<&Expr<'f>> = list.iter().collect();
                self.return_values(&list, expr.span);
            }
            _ => self.expr_into(expr, target),
        }
    }

    fn after_error(&mut self, target: &Target) {
        if matches!(target, Target::Return) {
            self.state = State::DEAD;
        }
    }

    fn expr_into(&mut self, expr: &'f Expr<'f>, target: &mut Target) {
        let hint = match target {
            Target::Return => self.return_type(),
            Target::Dests(dests) => match &dests[..] {
                [Dest { ty: Some(Ty::Of(ty)), .. }] => Some(*ty),
                _ => None,
            },
        };
        let typed = self.with_borrows(|body| body.infer(expr, hint));
        let results = self.results(&typed);
        match (typed.ty, target) {
            (Ty::Many, target) => self.several_into(&typed, &results, target, expr.span, false),
            (Ty::Error, target) => self.after_error(target),
            (_, Target::Return) => self.return_one(typed, expr.span),
            (_, Target::Dests(dests)) => match &mut dests[..] {
                [dest] => self.single_into(typed, dest),
                [] if typed.ty == Ty::Nothing => self.emit_call_set(&typed, &[]),
                dests => {
                    let count = dests.len();
                    let found = if typed.ty == Ty::Nothing { "none" } else { "one" };
                    let message = format!("{} wanted here, this gives {found}", counted(count, "value"));
                    self.cx.error(Code::Count, expr.span, message);
                }
            },
        }
    }

    fn single_into(&mut self, typed: Typed, dest: &mut Dest) {
        let typed = match dest.ty {
            Some(Ty::Of(ty)) => self.coerce(typed, ty),
            Some(_) => return,
            None => self.settle(typed),
        };
        if typed.ty == Ty::Error {
            return;
        }
        dest.ty = Some(typed.ty);
        self.emit(&typed);
        self.writer.set(&[dest.local]);
        self.assigned(dest);
    }

    /// A local has its type, and holds a value.
    fn assigned(&mut self, dest: &Dest) {
        if let (Some(local), Some(ty)) = (dest.local, dest.ty) {
            self.set_type(local, ty);
            self.make_available(local);
        }
    }

    /// Matches results with destinations; `None` if they do not fit.
    fn take_results(&mut self, target: &mut Target, results: &[Ty], span: Span) -> Option<Vec<Option<LocalId>>> {
        let Target::Dests(dests) = target else { return None };
        if dests.len() != results.len() {
            let message = format!("{} wanted here, this gives {}", counted(dests.len(), "value"), results.len());
            let report = Report::new(Code::Count, span, message);
            let names = alloc::vec!["_"; results.len()].join(", ");
            self.cx.report(report.hint(format!("take them apart: `let ({names}) = ..`; `_` discards one")));
            return None;
        }
        for (dest, result) in dests.iter_mut().zip(results) {
            match dest.ty {
                Some(want) if want != *result && want != Ty::Error && *result != Ty::Error => {
                    let shown = |ty: Ty| overload::describe(&Typed::new(ty, Kind::Error, span));
                    let message = format!("expected {}, found {}", shown(want), shown(*result));
                    self.cx.error(Code::Mismatch, span, message);
                    return None;
                }
                _ => dest.ty = Some(*result),
            }
        }
        Some(dests.iter().map(|dest| dest.local).collect())
    }

    /// A call of several results, or a `try`, at a statement's root.
    fn several_into(&mut self, typed: &Typed, results: &[Ty], target: &mut Target, span: Span, tries: bool) {
        if matches!(target, Target::Return) {
            return self.return_several(typed, results, span, tries);
        }
        let Some(locals) = self.take_results(target, results, span) else { return };
        if tries {
            self.emit_try(typed, &locals);
        } else {
            self.emit_call_set(typed, &locals);
        }
        if let Target::Dests(dests) = target {
            for dest in dests.iter() {
                self.assigned(dest);
            }
        }
    }

    /// The call under a `try`, and its results without the status.
    fn try_call(&mut self, call: &'f Expr<'f>, span: Span) -> Option<(Typed, Vec<Ty>)> {
        let typed = self.with_borrows(|body| body.infer(call, None));
        if typed.ty == Ty::Error {
            return None;
        }
        let waits = match typed.kind {
            Kind::Send(id, opcode, _) => {
                self.cx.used(id, opcode).is_some_and(|instruction| instruction.results.is_some())
            }
            _ => false,
        };
        if !waits {
            let report = Report::new(Code::Misplaced, span, "`try` takes a device instruction that waits");
            self.cx.report(match typed.kind {
                Kind::Send(..) => {
                    report.hint("this one is streamed: its failure shows at the next one that waits, or at `flush`")
                }
                _ => report.hint("only device instructions can fail without ending the VM"),
            });
            return None;
        }
        let results = self.results(&typed);
        Some((typed, results))
    }

    fn emit_try(&mut self, typed: &Typed, dests: &[Option<LocalId>]) {
        let Kind::Send(id, opcode, args) = &typed.kind else { return };
        self.emit_all(args);
        self.mark(typed.span);
        self.writer.try_set(*id, *opcode, dests);
    }

    /// The function's one result type.
    fn return_type(&self) -> Option<Type> {
        match self.info().map(|info| &info.results[..]) {
            Some([Ty::Of(ty)]) => Some(*ty),
            _ => None,
        }
    }

    fn check_count(&mut self, found: usize, span: Span) -> Option<Vec<Ty>> {
        let info = self.info()?;
        let (results, name, func_span) = (info.results.clone(), info.func.name.text, info.func.sig.span);
        if results.len() == found {
            return Some(results);
        }
        let message = format!("`{name}` gives {}, not {found}", counted(results.len(), "result"));
        let report = Report::new(Code::Count, span, message).also(func_span, "declared here");
        self.cx.report(if results.is_empty() {
            report.hint("leave the value out, or declare a result: `-> TYPE`")
        } else {
            report.hint("`return` gives exactly the declared results: `return (a, b)`")
        });
        None
    }

    fn return_values(&mut self, list: &[&'f Expr<'f>], span: Span) {
        if let Some(results) = self.check_count(list.len(), span) {
            let values: Vec<Typed> = self.with_borrows(|body| {
                let one = |(expr, ty): (&&'f Expr<'f>, &Ty)| match ty {
                    Ty::Of(ty) => body.value(expr, *ty),
                    _ => body.infer(expr, None),
                };
                list.iter().zip(&results).map(one).collect()
            });
            self.emit_all(&values);
            self.writer.push(Instr::Return);
        }
        self.state = State::DEAD;
    }

    fn return_one(&mut self, typed: Typed, span: Span) {
        let found = usize::from(typed.ty != Ty::Nothing);
        if found == 0 {
            self.no_single_value(&typed);
        } else if let Some(results) = self.check_count(1, span)
            && let [Ty::Of(ty)] = results[..]
        {
            let typed = self.coerce(typed, ty);
            self.emit(&typed);
            self.writer.push(Instr::Return);
        }
        self.state = State::DEAD;
    }

    /// `return f()` of several results goes through locals.
    fn return_several(&mut self, typed: &Typed, results: &[Ty], span: Span, tries: bool) {
        if let Some(wanted) = self.check_count(results.len(), span) {
            let temporaries =
                results.iter().map(|ty| Dest { local: Some(self.temporary(*ty, span)), ty: None }).collect();
            let mut target = Target::Dests(temporaries);
            self.several_into(typed, results, &mut target, span, tries);
            let Target::Dests(dests) = target else { return };
            for (dest, want) in dests.iter().zip(wanted) {
                if let (Some(local), Ty::Of(want)) = (dest.local, want) {
                    let value = self.local_value(local, span);
                    let value = self.coerce(value, want);
                    self.emit(&value);
                }
            }
            self.writer.push(Instr::Return);
        }
        self.state = State::DEAD;
    }
}
