//! Right sides, and where their values go: locals, nowhere, or the caller.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Block, Expr, ExprKind, Name, Pattern, TypeExpr};
use super::super::diag::{Code, Report, Span, counted};
use super::FuncKind;
use super::body::Body;
use super::flow::State;
use super::typed::{Callee, Kind, Ty, Typed};
use crate::instr::Instr;
use crate::isa::Instruction;
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
    pub(super) fn let_stmt(
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
        let typed = self.with_borrows(|body| body.try_call(call, value.span));
        if typed.ty == Ty::Error {
            return;
        }
        let results = self.results(&typed);
        let Some(dests) = self.take_results(target, results.get(1..).unwrap_or_default(), value.span) else { return };
        let all: Vec<Option<LocalId>> = core::iter::once(Some(status)).chain(dests).collect();
        self.emit_root_set(typed, &all);
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
            ExprKind::Tuple(list) if matches!(target, Target::Return) => {
                let list: Vec<&Expr<'f>> = list.iter().collect();
                self.return_values(&list, expr.span);
            }
            ExprKind::Tuple(list) => self.tuple_into(list, target, expr.span),
            _ => self.expr_into(expr, target),
        }
    }

    /// `(a, b) = (c, d)`: all values first, then all assignments.
    fn tuple_into(&mut self, list: &'f [Expr<'f>], target: &mut Target, span: Span) {
        let Target::Dests(dests) = target else { return };
        if dests.len() != list.len() {
            let message = format!("{} wanted here, these are {}", counted(dests.len(), "value"), list.len());
            self.cx.error(Code::Count, span, message);
            return;
        }
        let values: Vec<Typed> = self.with_borrows(|body| {
            let one = |(expr, dest): (&'f Expr<'f>, &Dest)| match dest.ty {
                Some(Ty::Of(ty)) => body.value(expr, ty),
                _ => {
                    let typed = body.infer(expr, None);
                    body.settle(typed)
                }
            };
            list.iter().zip(dests.iter()).map(one).collect()
        });
        if values.iter().any(|value| value.ty == Ty::Error) {
            return;
        }
        for (dest, value) in dests.iter_mut().zip(&values) {
            dest.ty = Some(dest.ty.unwrap_or(value.ty));
        }
        let locals: Vec<Option<LocalId>> = dests.iter().map(|dest| dest.local).collect();
        self.emit_roots(values);
        self.writer.set(&locals);
        for dest in dests.iter() {
            self.assigned(dest);
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
            (Ty::Many, target) => self.several_into(typed, &results, target, expr.span),
            (Ty::Error, target) => self.after_error(target),
            // There is no value because there is nobody left to take it.
            (_, Target::Dests(_)) if typed.ends() => self.discard(typed),
            (_, Target::Return) => self.return_one(typed, expr.span),
            (_, Target::Dests(dests)) => match &mut dests[..] {
                [dest] => self.single_into(typed, dest),
                [] if typed.ty == Ty::Nothing => self.emit_root_set(typed, &[]),
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
        // Programs give their results to locals, never to a tree.
        if matches!(typed.kind, Kind::Call { callee: Callee::Run(..), .. }) {
            self.emit_root_set(typed, &[dest.local]);
        } else {
            self.emit_root(typed);
            self.writer.set(&[dest.local]);
        }
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
                Some(Ty::Of(want)) if matches!(*result, Ty::Of(found) if self.cx.types.is_subtype(found, want)) => {}
                Some(want) if want != Ty::Error && *result != Ty::Error => {
                    let shown = |ty: Ty| self.cx.describe(&Typed::new(ty, Kind::Error, span));
                    let message = format!("expected {}, found {}", shown(want), shown(*result));
                    self.cx.error(Code::Mismatch, span, message);
                    return None;
                }
                _ => dest.ty = Some(*result),
            }
        }
        Some(dests.iter().map(|dest| dest.local).collect())
    }

    /// A call of several results at a statement's root.
    fn several_into(&mut self, typed: Typed, results: &[Ty], target: &mut Target, span: Span) {
        if matches!(target, Target::Return) {
            return self.return_several(typed, results, span);
        }
        let Some(locals) = self.take_results(target, results, span) else { return };
        self.emit_root_set(typed, &locals);
        if let Target::Dests(dests) = target {
            for dest in dests.iter() {
                self.assigned(dest);
            }
        }
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

    pub(super) fn return_values(&mut self, list: &[&'f Expr<'f>], span: Span) {
        if let Some(results) = self.check_count(list.len(), span) {
            let values: Vec<Typed> = self.with_borrows(|body| {
                let one = |(expr, ty): (&&'f Expr<'f>, &Ty)| match ty {
                    Ty::Of(ty) => body.value(expr, *ty),
                    _ => body.infer(expr, None),
                };
                list.iter().zip(&results).map(one).collect()
            });
            self.emit_roots(values);
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
            self.emit_root(typed);
            self.writer.push(Instr::Return);
        }
        self.state = State::DEAD;
    }

    /// `return f()` of several results goes through locals.
    fn return_several(&mut self, typed: Typed, results: &[Ty], span: Span) {
        if let Some(wanted) = self.check_count(results.len(), span) {
            let temporaries =
                results.iter().map(|ty| Dest { local: Some(self.temporary(*ty, span)), ty: None }).collect();
            let mut target = Target::Dests(temporaries);
            self.several_into(typed, results, &mut target, span);
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

    /// `return tail f(..)`: nothing of this function is left while `f` runs. Of a device instruction: the request under
    /// way becomes that instruction.
    pub(super) fn return_tail(&mut self, call: &'f Expr<'f>, span: Span) {
        let typed = self.with_borrows(|body| body.infer(call, None));
        let results = self.results(&typed);
        let sent = self.sent_instruction(&typed);
        let (instr, args) = match typed.kind {
            Kind::Call { callee: Callee::Func(id), args, .. } => (Instr::ReturnCall(id), args),
            Kind::Call { callee: Callee::Ref(ty), args, .. } => (Instr::ReturnCallRef(ty), args),
            Kind::Call { callee: Callee::Send(id, opcode), tries: false, args } => (Instr::Forward(id, opcode), args),
            Kind::Call { callee: Callee::SendTo(ty, opcode), tries: false, args } => {
                (Instr::ForwardTo(ty, opcode), args)
            }
            Kind::Error => {
                self.state = State::DEAD;
                return;
            }
            _ => {
                let message = "`return tail` takes a call of a function, or in an `op` a device instruction";
                let report = Report::new(Code::Misplaced, call.span, message);
                self.cx.report(report.hint("leave out `tail`"));
                self.state = State::DEAD;
                return;
            }
        };
        let forwards = sent.as_ref().is_none_or(|sent| self.check_forward(sent, &results, call.span));
        if forwards && let Some(wanted) = self.check_count(results.len(), span) {
            self.check_tail_results(&results, &wanted, call.span);
            self.check_tail_args(&args);
            let args = self.free_before(args);
            self.emit_roots(args);
            self.mark(call.span);
            self.writer.push(instr);
        }
        self.state = State::DEAD;
    }

    /// Whether the request under way can become this instruction.
    fn check_forward(&mut self, sent: &Instruction, results: &[Ty], span: Span) -> bool {
        let info = self.info();
        let Some(info) = info.filter(|info| info.kind == FuncKind::Op) else {
            let message = "`return tail` of a device instruction hands a request on: it stands only in an `op`";
            let report = Report::new(Code::Misplaced, span, message);
            self.cx.report(report.hint("leave out `tail`"));
            return false;
        };
        let (name, declared, waits) = (info.func.name.text, info.func.sig.span, info.func.sig.results.is_some());
        let same = info.results == results || info.results.contains(&Ty::Error);
        if same && sent.results.is_some() == waits {
            return true;
        }
        let message = format!("the answer of `{}` cannot be that of `{name}`", sent.name);
        let report = Report::new(Code::Signature, span, message).also(declared, "declared here");
        self.cx.report(match (sent.results.is_some(), waits) {
            (false, true) => report.hint("it is streamed and answers nothing, but this request waits for an answer"),
            (true, false) => report.hint("this request is streamed: leave out `return tail`, and let the `op` end"),
            _ => report.hint("its results have other types: leave out `tail`, and return what the `op` answers"),
        });
        false
    }

    fn check_tail_results(&mut self, results: &[Ty], wanted: &[Ty], span: Span) {
        for (result, want) in results.iter().zip(wanted) {
            if let (Ty::Of(found), Ty::Of(want)) = (*result, *want)
                && !self.cx.types.is_subtype(found, want)
            {
                self.mismatch(&Typed::new(*result, Kind::Error, span), want);
            }
        }
    }

    /// What a tail call borrows must outlive this function.
    fn check_tail_args(&mut self, args: &[Typed]) {
        for arg in args {
            if let (Ty::Of(Type::BufRef), Kind::Get(id)) = (arg.ty, &arg.kind)
                && self.local(*id).ty != Ty::Of(Type::BufRef)
            {
                let name = self.local(*id).name;
                let report = Report::new(
                    Code::Borrowed,
                    arg.span,
                    format!("`{name}` is freed before the call that would borrow it"),
                );
                self.cx
                    .report(report.hint("leave out `tail`; only the function's own `ref buf` parameters can be lent"));
            }
        }
    }

    /// Frees what is left of this function's `buf`s, after the arguments are evaluated.
    fn free_before(&mut self, args: Vec<Typed>) -> Vec<Typed> {
        let ids = self.available_bufs();
        if ids.is_empty() {
            return args;
        }
        let args: Vec<Typed> = args.into_iter().map(|arg| self.keep(arg)).collect();
        for id in ids {
            self.writer.push(Instr::Take(id));
            self.writer.set(&[None]);
        }
        args
    }
}
