//! Statements, and where the value of a right side goes.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Block, Expr, ExprKind, Name, Path, Stmt, StmtKind};
use super::super::diag::{Code, Report, Span, counted};
use super::body::Body;
use super::flow::State;
use super::sets::unknown_member;
use super::target::Target;
use super::typed::{Callee, Kind, Ty, Typed, Value};
use super::{FuncKind, ProvidesInfo};
use crate::instr::Instr;
use crate::limits::STRING_BYTES;
use crate::types::{ProvidedId, Type};

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
            StmtKind::Block { label, body } => self.labelled_block(*label, body),
            StmtKind::For { label, name, from, to, body } => self.for_stmt(*label, *name, from, to, body, span),
            StmtKind::Break(label) => self.jump(*label, span, true),
            StmtKind::Continue(label) => self.jump(*label, span, false),
            StmtKind::Return(None) => self.return_values(&[], span),
            StmtKind::Return(Some(value)) => self.value_into(value, &mut Target::Return),
            StmtKind::Trap { text, span } => self.trap(text, *span),
            StmtKind::ReturnTail(call) => self.return_tail(call, span),
            StmtKind::Assert(condition, says) => self.assert(condition, says.as_ref()),
            StmtKind::Emit { path, args, to } => self.emit_event(path, args, to.as_ref(), span),
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

    /// A failed assertion says the condition as written, unless the text says otherwise.
    fn assert(&mut self, condition: &'f Expr<'f>, says: Option<&(Vec<u8>, Span)>) {
        let typed = self.with_borrows(|body| body.truth(condition));
        self.emit_root(typed);
        let text = condition.span.text(self.cx.source);
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let says = match says {
            Some((bytes, span)) => self.cx.utf8(bytes, *span),
            None => Some(text.get(..text.floor_char_boundary(STRING_BYTES)).unwrap_or("").into()),
        };
        let Some(says) = says else { return };
        let id = self.cx.intern(&says);
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
        self.emit_root(typed);
        self.writer.push(Instr::Fail);
        self.state = State::DEAD;
    }

    /// The provided set that has the event, and the event's name.
    fn provided_event(&mut self, path: &Path<'f>, span: Span) -> Option<(ProvidedId, Name<'f>)> {
        let (name, owner) = path.parts.split_last()?;
        let owner: Vec<&str> = owner.iter().map(|part| part.text).collect();
        let owner = owner.join(".");
        let of_set =
            |info: &ProvidesInfo<'f>| *info.set.name == *owner || info.set.name.rsplit('.').next() == Some(&owner);
        let is_named = |info: &ProvidesInfo<'f>| info.name.is_some_and(|own| own.text == owner);
        let all = &self.cx.provides;
        let is_meant = |info: &&ProvidesInfo<'f>| match owner.is_empty() {
            true => all.len() == 1 || info.set.event_named(name.text).is_some(),
            false if all.iter().any(is_named) => is_named(info),
            false => of_set(info),
        };
        let mut meant = all.iter().enumerate().filter(|(_, info)| is_meant(info)).map(|(at, _)| ProvidedId(at as u32));
        let report = match (meant.next(), meant.next()) {
            (Some(id), None) => return Some((id, *name)),
            (None, _) if all.is_empty() => {
                let message = "`emit` raises an event of a set that this module provides, and it provides none";
                Report::new(Code::Misplaced, span, message).hint("add `provides SET@VERSION { .. }`")
            }
            (None, _) if owner.is_empty() => {
                let message = format!("no provided set has an event `{}`", name.text);
                Report::new(Code::UnknownSet, name.span, message)
            }
            (None, _) => Report::new(Code::UnknownName, path.span, "only events of provided sets can be raised")
                .hint("write `emit event(..)`, or put the set's name in front"),
            (Some(_), Some(_)) => {
                let message = format!("several provided sets have an event `{}`", name.text);
                let hint = "put the name in front that follows `as`, or the set's: `emit name.event(..)`";
                Report::new(Code::UnknownName, path.span, message).hint(hint)
            }
        };
        self.cx.report(report);
        None
    }

    fn emit_event(&mut self, path: &Path<'f>, args: &'f [Expr<'f>], to: Option<&'f Expr<'f>>, span: Span) {
        self.impure(span, "raises an event");
        let Some((provided, name)) = self.provided_event(path, span) else { return };
        let set = self.cx.provides[provided.index()].set.clone();
        let Some(event) = set.event_named(name.text) else {
            let report = unknown_member(&set, name.text, name.span, "event");
            self.cx.report(report);
            return;
        };
        self.cx.note_event(name.span, &set, event);
        if args.len() != event.params.len() {
            let message =
                format!("`{}` carries {}, not {}", name.text, counted(event.params.len(), "value"), args.len());
            let sig = self.cx.signature_text(&event.params, None);
            self.cx.report(
                Report::new(Code::Count, span, message).hint(format!("it is declared as `{}{sig}`", name.text)),
            );
            return;
        }
        let args: Vec<Typed> = self.with_borrows(|body| {
            let values = args.iter().zip(&*event.params).map(|(arg, field)| (arg, field.ty));
            values.chain(to.map(|to| (to, Type::I32))).map(|(arg, ty)| body.value(arg, ty)).collect()
        });
        self.emit_roots(args);
        self.mark(span);
        self.writer.push(match to {
            Some(_) => Instr::EmitTo(provided, event.number),
            None => Instr::Emit(provided, event.number),
        });
    }

    fn expr_stmt(&mut self, expr: &'f Expr<'f>) {
        match &expr.kind {
            ExprKind::If(inner) => self.if_into(inner, expr.span, None),
            ExprKind::Match(inner) => self.match_into(inner, expr.span, None),
            _ => {
                let typed = self.with_borrows(|body| body.infer(expr, None));
                self.discard(typed);
            }
        }
    }

    /// Evaluates for the effect alone.
    pub(super) fn discard(&mut self, typed: Typed) {
        let results = self.results(&typed).len();
        match (typed.ty, &typed.kind) {
            (Ty::Nothing, _) => {
                let ends = typed.ends();
                self.emit_root_set(typed, &[]);
                if ends {
                    self.state = State::DEAD;
                }
            }
            (Ty::Of(_) | Ty::Many, Kind::Call { tries, callee, .. })
                if *tries || results != 1 || matches!(callee, Callee::Run(..)) =>
            {
                self.emit_root_set(typed, &alloc::vec![None; results]);
            }
            _ => {
                let typed = self.settle(typed);
                if typed.ty != Ty::Error {
                    self.emit_root(typed);
                    self.writer.set(&[None]);
                }
            }
        }
    }
}
