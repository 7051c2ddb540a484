//! Branches, loops and labelled blocks.

use alloc::format;

use super::super::ast::{Block, Expr, If, Name};
use super::super::diag::{Code, Report, Span};
use super::body::Body;
use super::flow::{LoopState, State};
use super::target::Target;
use super::typed::{Ty, Typed};
use crate::instr::Instr;
use crate::op::{Immediate, Op};
use crate::types::Type;

impl<'f> Body<'_, '_, 'f, '_> {
    /// An `if` at a statement's root, its value, if wanted, going to `target`.
    pub(super) fn if_into(&mut self, inner: &'f If<'f>, span: Span, mut target: Option<&mut Target>) {
        if target.is_some() && inner.or_else.is_none() {
            let report = Report::new(Code::NoValue, span, "a value `if` needs `else`");
            self.cx.report(report.hint("give the value for the other case: `else { .. }`"));
        }
        let before = match inner.binds {
            Some(name) => self.if_let_then(name, inner, target.as_deref_mut()),
            None => {
                let condition = self.with_borrows(|body| body.truth(&inner.condition));
                self.emit_root(condition);
                self.writer.push(Instr::If);
                let before = self.state;
                self.block_into(&inner.then, target.as_deref_mut());
                before
            }
        };
        let after_then = core::mem::replace(&mut self.state, before);
        if let Some(or_else) = &inner.or_else {
            self.writer.push(Instr::Else);
            self.block_into(or_else, target);
        }
        self.writer.push(Instr::End);
        self.state = self.state.join(after_then);
    }

    /// The first branch of an `if let`; gives the state before it.
    fn if_let_then(&mut self, name: Name<'f>, inner: &'f If<'f>, target: Option<&mut Target>) -> State {
        let subject = self.with_borrows(|body| body.if_let_subject(&inner.condition));
        let local = match subject {
            Some((subject, ty)) => {
                let local = self.bind(name, ty);
                self.emit_root(subject);
                self.writer.push(Instr::IfAs(ty, local));
                local
            }
            None => self.new_local(name.text, name.span, false),
        };
        let before = self.state;
        self.make_available(local);
        self.scoped(|body| {
            body.declare(name, local);
            body.block_into(&inner.then, target);
        });
        before
    }

    fn enter_loop(&mut self, label: Option<Name<'f>>) {
        self.enter(label, false);
    }

    fn enter(&mut self, label: Option<Name<'f>>, is_block: bool) {
        if let Some(label) = label
            && let Some(outer) = self.loops.iter().find(|outer| outer.label == Some(label.text))
        {
            let what = if outer.is_block { "block" } else { "loop" };
            let message = format!("a {what} around this one is called `{}` already", label.text);
            self.cx.error(Code::Duplicate, label.span, message);
        }
        let scopes = self.scopes.len();
        self.loops.push(LoopState {
            label: label.map(|label| label.text),
            is_block,
            head: self.state,
            exits: State::DEAD,
            scopes,
        });
    }

    /// Closes a loop: its back edge, and its `break`s joined.
    fn leave_loop(&mut self, span: Span) -> State {
        self.writer.push(Instr::End);
        let Some(inner) = self.loops.pop() else { return State::DEAD };
        self.check_back_edge(inner.head, span);
        inner.exits
    }

    /// `'label: { .. }`
    pub(super) fn labelled_block(&mut self, label: Name<'f>, block: &'f Block<'f>) {
        self.writer.push(Instr::Block);
        self.enter(Some(label), true);
        self.block(block);
        self.writer.push(Instr::End);
        if let Some(inner) = self.loops.pop() {
            self.state = self.state.join(inner.exits);
        }
    }

    pub(super) fn while_stmt(
        &mut self,
        label: Option<Name<'f>>,
        condition: &'f Expr<'f>,
        block: &'f Block<'f>,
        span: Span,
    ) {
        self.enter_loop(label);
        let condition = self.with_borrows(|body| body.truth(condition));
        if condition.is_complex() {
            // What a tree cannot hold is done at the head of an endless loop.
            self.writer.push(Instr::Loop);
            self.emit_root(condition);
            for instr in [Instr::Op(Op::BoolNot, Immediate::default()), Instr::If, Instr::Break(0), Instr::End] {
                self.writer.push(instr);
            }
        } else {
            self.writer.push(Instr::While);
            self.emit(&condition);
            self.writer.push(Instr::Test);
        }
        let after_condition = self.state;
        self.block(block);
        let exits = self.leave_loop(span);
        self.state = after_condition.join(exits);
    }

    pub(super) fn loop_stmt(&mut self, label: Option<Name<'f>>, block: &'f Block<'f>, span: Span) {
        self.writer.push(Instr::Loop);
        self.enter_loop(label);
        self.block(block);
        self.state = self.leave_loop(span);
    }

    pub(super) fn for_stmt(
        &mut self,
        label: Option<Name<'f>>,
        name: Name<'f>,
        from: &'f Expr<'f>,
        to: &'f Expr<'f>,
        block: &'f Block<'f>,
        span: Span,
    ) {
        let ty = self.bounds(from, to);
        let local = self.new_local(name.text, name.span, false);
        self.set_type(local, ty);
        self.writer.push(Instr::For(local));
        self.enter_loop(label);
        let head = self.state;
        self.scoped(|body| {
            body.declare(name, local);
            body.block(block);
        });
        let exits = self.leave_loop(span);
        self.state = head.join(exits);
    }

    /// The bounds of a `for`, both of one integer type.
    fn bounds(&mut self, from: &'f Expr<'f>, to: &'f Expr<'f>) -> Ty {
        let from = self.with_borrows(|body| body.infer(from, None));
        let hint = if let Ty::Of(ty) = from.ty { Some(ty) } else { None };
        let to = self.with_borrows(|body| body.infer(to, hint));
        let ty = match (from.ty, to.ty) {
            (Ty::Error, _) | (_, Ty::Error) => return Ty::Error,
            (Ty::Of(ty), _) | (_, Ty::Of(ty)) => ty,
            _ => Type::I32,
        };
        if !matches!(ty, Type::I32 | Type::I64) {
            let culprit = if from.ty == Ty::Of(ty) { &from } else { &to };
            let report = Report::new(
                Code::Mismatch,
                culprit.span,
                format!("`for` counts in `i32` or `i64`, not in `{}`", self.cx.type_text(ty)),
            );
            self.cx.report(report.hint("convert the bounds, or use `while`"));
            return Ty::Error;
        }
        let bounds: [Typed; 2] = [from, to].map(|bound| self.coerce(bound, ty));
        self.emit_roots(bounds.into());
        Ty::Of(ty)
    }

    pub(super) fn jump(&mut self, label: Option<Name<'f>>, span: Span, leaves: bool) {
        let word = if leaves { "break" } else { "continue" };
        let found = match label {
            None => self.loops.iter().rposition(|outer| !outer.is_block),
            Some(label) => self.loops.iter().rposition(|outer| outer.label == Some(label.text)),
        };
        let Some(at) = found else {
            let report = match label {
                Some(label) => Report::new(
                    Code::UnknownName,
                    label.span,
                    format!("no loop or block around this is called `{}`", label.text),
                )
                .hint(format!("name the loop: `{}: loop {{ .. }}`", label.text)),
                None => {
                    let report = Report::new(Code::Misplaced, span, format!("`{word}` stands only in a loop"));
                    match self.loops.last().and_then(|block| block.label) {
                        Some(label) if leaves => report.hint(format!("a block is left by its name: `break {label}`")),
                        _ => report.hint("functions are left with `return`"),
                    }
                }
            };
            self.cx.report(report);
            self.state = State::DEAD;
            return;
        };
        let (head, scopes) = (self.loops[at].head, self.loops[at].scopes);
        if !leaves && self.loops[at].is_block {
            let name = label.map_or("", |label| label.text);
            let report = Report::new(Code::Misplaced, span, format!("`{name}` is a block, which does not repeat"));
            self.cx.report(
                report.hint(format!("leave it with `break {name}`, or make it a loop: `{name}: loop {{ .. }}`")),
            );
            self.state = State::DEAD;
            return;
        }
        if !leaves {
            self.check_back_edge(head, span);
        }
        self.drop_scopes(scopes);
        let depth = (self.loops.len() - 1 - at) as u32;
        if leaves {
            self.loops[at].exits = self.loops[at].exits.join(self.state);
        }
        self.writer.push(if leaves { Instr::Break(depth) } else { Instr::Continue(depth) });
        self.state = State::DEAD;
    }
}
