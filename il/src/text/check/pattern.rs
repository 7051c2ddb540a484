//! `match`: a jump table for integers, an `if` chain for strings.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Arm, Expr, ExprKind, Match};
use super::super::diag::{Code, Report, Span};
use super::body::{Body, Found};
use super::flow::State;
use super::target::Target;
use super::typed::{Kind, Ty, Typed, Value};
use crate::instr::Instr;
use crate::op::Op;
use crate::types::{LocalId, Type};

/// Arms of a `match` on `str`, which nest.
const MAX_STR_ARMS: usize = 100;

/// What an arm is for.
enum Cover {
    Values(Vec<Value>),
    Rest,
}

impl<'f> Body<'_, '_, 'f, '_> {
    /// A `match` at a statement's root, its value, if wanted, going to `target`.
    pub(super) fn match_into(&mut self, inner: &'f Match<'f>, span: Span, target: Option<&mut Target>) {
        let value = self.with_borrows(|body| body.infer(&inner.value, None));
        let value = self.settle(value);
        let ty = match value.ty {
            Ty::Of(ty @ (Type::I32 | Type::I64 | Type::Bool | Type::Str)) => ty,
            Ty::Error => return self.match_blindly(inner, target),
            _ => {
                let report = Report::new(Code::Mismatch, value.span, "`match` takes an integer, a `bool` or a `str`");
                self.cx.report(report.hint("for floats write `if .. else if ..`"));
                return self.match_blindly(inner, target);
            }
        };
        let covers = self.covers(inner, ty);
        let exhaustive = self.check_exhaustive(inner, ty, &covers, span);
        match ty {
            _ if !exhaustive => self.match_blindly(inner, target),
            Type::Bool => self.match_bool(value, inner, &covers, target),
            Type::Str => self.match_str(value, inner, &covers, target),
            _ => self.match_switch(value, inner, &covers, target),
        }
    }

    /// After an error: checks the arms for errors of their own.
    fn match_blindly(&mut self, inner: &'f Match<'f>, mut target: Option<&mut Target>) {
        let before = self.state;
        let mut after = State::DEAD;
        for arm in &inner.arms {
            self.state = before;
            self.block_into(&arm.body, target.as_deref_mut());
            after = after.join(self.state);
        }
        self.state = if inner.arms.is_empty() { before } else { after };
    }

    fn covers(&mut self, inner: &'f Match<'f>, ty: Type) -> Vec<Cover> {
        let mut seen: Vec<(Value, Span)> = Vec::new();
        let mut known = BTreeSet::new();
        inner.arms.iter().map(|arm| self.cover(arm, ty, &mut seen, &mut known)).collect()
    }

    fn cover(&mut self, arm: &'f Arm<'f>, ty: Type, seen: &mut Vec<(Value, Span)>, known: &mut BTreeSet<Key>) -> Cover {
        let rest = arm.patterns.iter().any(|pattern| matches!(pattern.kind, ExprKind::Name("_")));
        if rest {
            if let [_, second, ..] = &arm.patterns[..] {
                let report = Report::new(Code::Duplicate, second.span, "`_` stands for all other values by itself");
                self.cx.report(report.hint("leave the other patterns of this arm out"));
            }
            return Cover::Rest;
        }
        let mut values = Vec::new();
        for pattern in &arm.patterns {
            if self.cx.sink.is_full() {
                break;
            }
            let Some(value) = self.pattern_value(pattern, ty) else { continue };
            if !known.insert(Key::of(&value)) {
                let first = seen.iter().find(|(old, _)| *old == value).map(|(_, span)| *span);
                let report = Report::new(Code::Duplicate, pattern.span, "this value has an arm already");
                self.cx.report(match first {
                    Some(first) => report.also(first, "first matched here"),
                    None => report,
                });
                continue;
            }
            seen.push((value.clone(), pattern.span));
            values.push(value);
        }
        Cover::Values(values)
    }

    fn pattern_value(&mut self, pattern: &'f Expr<'f>, ty: Type) -> Option<Value> {
        if let ExprKind::Name(name) = pattern.kind
            && let Found::Local(_) = self.find(name)
        {
            let report = Report::new(
                Code::NotConstant,
                pattern.span,
                format!("`{name}` is a local, but a pattern is a constant"),
            );
            self.cx.report(report.hint("compare with `if`"));
            return None;
        }
        Body::constant(self.cx, pattern, Some(Ty::Of(ty)))
    }

    fn check_exhaustive(&mut self, inner: &'f Match<'f>, ty: Type, covers: &[Cover], span: Span) -> bool {
        let rest = covers.iter().position(|cover| matches!(cover, Cover::Rest));
        let count: usize =
            covers.iter().map(|cover| if let Cover::Values(values) = cover { values.len() } else { 0 }).sum();
        let full = ty == Type::Bool && count == 2;
        let dead = match rest {
            Some(at) if full => inner.arms.get(at),
            Some(at) => inner.arms.get(at + 1),
            None => None,
        };
        if let Some(pattern) = dead.and_then(|arm| arm.patterns.first()) {
            let report = Report::new(Code::Unreachable, pattern.span, "this arm is never reached");
            self.cx.report(report.hint("`_` comes last, and only if values are left for it"));
        }
        if rest.is_none() && !full {
            let head = Span { start: span.start, end: inner.value.span.end };
            let report = Report::new(Code::NotExhaustive, head, format!("this `match` does not cover every `{ty}`"));
            self.cx.report(report.hint(match ty {
                Type::Bool => "add the other arm, or `_ => ..`",
                _ => "add an arm for all other values: `_ => ..`",
            }));
        }
        rest.is_some() || full
    }

    fn match_switch(&mut self, value: Typed, inner: &'f Match<'f>, covers: &[Cover], mut target: Option<&mut Target>) {
        self.emit_root(value);
        self.writer.push(Instr::Switch);
        let before = self.state;
        let mut after = State::DEAD;
        for (arm, cover) in inner.arms.iter().zip(covers) {
            match cover {
                Cover::Values(values) => {
                    let numbers: Vec<i64> = values.iter().filter_map(number).collect();
                    self.writer.arm(&numbers);
                }
                Cover::Rest => self.writer.push(Instr::Default),
            }
            self.state = before;
            self.block_into(&arm.body, target.as_deref_mut());
            after = after.join(self.state);
        }
        self.writer.push(Instr::End);
        self.state = after;
    }

    fn match_bool(&mut self, value: Typed, inner: &'f Match<'f>, covers: &[Cover], mut target: Option<&mut Target>) {
        let arm_for = |truth: bool| {
            let fits = |cover: &Cover| match cover {
                Cover::Values(values) => values.contains(&Value::Bool(truth)),
                Cover::Rest => true,
            };
            covers.iter().position(fits).and_then(|at| inner.arms.get(at))
        };
        let (Some(yes), Some(no)) = (arm_for(true), arm_for(false)) else { return };
        self.emit_root(value);
        if core::ptr::eq(yes, no) {
            self.writer.set(&[None]);
            return self.block_into(&yes.body, target);
        }
        self.writer.push(Instr::If);
        let before = self.state;
        self.block_into(&yes.body, target.as_deref_mut());
        let after_yes = core::mem::replace(&mut self.state, before);
        self.writer.push(Instr::Else);
        self.block_into(&no.body, target);
        self.writer.push(Instr::End);
        self.state = self.state.join(after_yes);
    }

    fn match_str(&mut self, value: Typed, inner: &'f Match<'f>, covers: &[Cover], mut target: Option<&mut Target>) {
        if inner.arms.len() > MAX_STR_ARMS {
            let message = format!("a `match` on `str` has at most {MAX_STR_ARMS} arms");
            self.cx.report(Report::new(Code::TooLarge, value.span, message).hint("split it into functions"));
        }
        let span = value.span;
        let subject = self.temporary(Ty::Of(Type::Str), span);
        self.emit_root(value);
        self.writer.set(&[Some(subject)]);
        let before = self.state;
        let (mut after, mut open) = (State::DEAD, 0);
        for (arm, cover) in inner.arms.iter().zip(covers) {
            if let Cover::Values(values) = cover {
                let test = any_equal(subject, values, span);
                self.emit(&test);
                self.writer.push(Instr::If);
                open += 1;
            }
            self.state = before;
            self.block_into(&arm.body, target.as_deref_mut());
            after = after.join(self.state);
            if matches!(cover, Cover::Rest) {
                break;
            }
            self.writer.push(Instr::Else);
        }
        for _ in 0..open {
            self.writer.push(Instr::End);
        }
        self.state = after;
    }
}

/// `subject == a || subject == b || ..`
fn any_equal(subject: LocalId, values: &[Value], span: Span) -> Typed {
    let fixed = |value: bool| Typed::value(Value::Bool(value), span);
    let test = |value: &Value| {
        let subject = Typed::new(Ty::Of(Type::Str), Kind::Get(subject), span);
        let args = alloc::vec![subject, Typed::value(value.clone(), span)];
        Typed::new(Ty::Of(Type::Bool), Kind::op(Op::StrEq, args), span)
    };
    let either = |all: Typed, value: &Value| {
        let parts = [all, fixed(true), test(value)];
        Typed::new(Ty::Of(Type::Bool), Kind::Cond(parts.into()), span)
    };
    match values.split_first() {
        Some((first, rest)) => rest.iter().fold(test(first), either),
        None => fixed(false),
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::I32(value) => Some(i64::from(*value)),
        Value::I64(value) => Some(*value),
        _ => None,
    }
}

/// A pattern's value, ordered.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(alloc::rc::Rc<str>),
}

impl Key {
    fn of(value: &Value) -> Key {
        match value {
            Value::Str(text) => Key::Text(text.clone()),
            Value::Bool(value) => Key::Number(i64::from(*value)),
            other => Key::Number(number(other).unwrap_or(0)),
        }
    }
}
