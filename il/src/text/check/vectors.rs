//! `v128`: operations named by shape, lanes, shuffles.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Arg, Expr, ExprKind, Name};
use super::super::diag::{Code, Report, Span, nearest};
use super::super::prelude::SHAPES;
use super::body::{Body, Found};
use super::overload::named;
use super::typed::{Kind, Ty, Typed, Value};
use crate::instr::Instr;
use crate::op::{Form, Op};
use crate::types::Type;

/// Whether a name is a shape, if nothing else is called like that.
pub(super) fn is_shape(name: &str) -> bool {
    SHAPES.contains(&name)
}

impl<'f> Body<'_, '_, 'f, '_> {
    /// `SHAPE.name(args)`
    pub(super) fn vector(&mut self, shape: &str, name: Name<'f>, args: &'f [Arg<'f>], span: Span) -> Typed {
        let text = format!("{shape}.{}", name.text);
        if text == "i8x16.shuffle" {
            return self.shuffle(args, span);
        }
        let known = Op::TABLE.iter().find(|info| info.text == text);
        let Some(info) = known else {
            let all = Op::TABLE.iter().map(|info| info.text);
            let names = all.filter_map(|text| text.strip_prefix(shape)?.strip_prefix('.'));
            let report =
                Report::new(Code::UnknownName, name.span, format!("`{shape}` has no operation `{}`", name.text));
            self.cx.report(match nearest(name.text, names.clone()) {
                Some(near) => report.did_you_mean(near),
                None => report.hint(format!("it has: {}", names.collect::<Vec<_>>().join(", "))),
            });
            return self.skip_args(args, span);
        };
        match info.form {
            Form::Lane(lanes) => self.lane_op(info.text, lanes, args, span),
            _ => self.call_operator(info.text, args, span, None),
        }
    }

    /// An operation on one lane, whose number comes last among the arguments.
    pub(super) fn lane_op(&mut self, text: &'static str, lanes: u8, args: &'f [Arg<'f>], span: Span) -> Typed {
        let Some((lane, rest)) = args.split_last() else {
            self.cx.error(Code::Count, span, format!("`{text}` takes a lane"));
            return Typed::error(span);
        };
        let takes = named(Form::Call, text).next().map_or(0, |info| info.params.len());
        if rest.len() != takes {
            let report = Report::new(Code::Count, span, format!("`{text}` takes {takes} operands and a lane"));
            self.cx.report(report.hint("the lane is a constant and comes last"));
            return self.skip_args(rest, span);
        }
        let lane = self.lane(&lane.value, lanes);
        let form = named(Form::Call, text).next().map_or(Form::Call, |info| info.form);
        self.no_names(rest);
        let args = rest.iter().map(|arg| self.infer(&arg.value, None)).collect();
        let mut typed = self.operator(form, text, args, span, None);
        match (&mut typed.kind, lane) {
            (Kind::Op(_, immediate, _), Some(lane)) => immediate.lane = lane,
            _ => return Typed::error(span),
        }
        typed
    }

    /// A constant below `lanes`.
    fn lane(&mut self, expr: &'f Expr<'f>, lanes: u8) -> Option<u8> {
        if let ExprKind::Name(name) = expr.kind
            && let Found::Local(_) = self.find(name)
        {
            let message = format!("`{name}` is a local, but a lane is a constant");
            let report = Report::new(Code::NotConstant, expr.span, message);
            self.cx.report(report.hint("choose with `if` or `match` between calls"));
            return None;
        }
        let value = Body::constant(self.cx, expr, Some(Ty::Of(Type::I32)))?;
        let lane = if let Value::I32(value) = value { u8::try_from(value).ok() } else { None };
        let lane = lane.filter(|lane| *lane < lanes);
        if lane.is_none() {
            let message = format!("lanes are numbered 0 to {}", lanes.saturating_sub(1));
            self.cx.error(Code::BadLiteral, expr.span, message);
        }
        lane
    }

    /// `i8x16.shuffle(a, b, ..)`: 16 lanes of 32.
    fn shuffle(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        self.no_names(args);
        let [a, b, lanes @ ..] = args else {
            self.cx.error(Code::Count, span, "`i8x16.shuffle` takes two vectors and 16 lanes");
            return Typed::error(span);
        };
        let vectors = alloc::vec![self.value(&a.value, Type::V128), self.value(&b.value, Type::V128)];
        if lanes.len() != 16 {
            let message = format!("`i8x16.shuffle` takes 16 lanes, not {}", lanes.len());
            let report = Report::new(Code::Count, span, message);
            self.cx.report(report.hint("each is a constant: 0 to 15 of the first vector, 16 to 31 of the second"));
            return Typed::error(span);
        }
        let mut numbers = [0; 16];
        for (number, lane) in numbers.iter_mut().zip(lanes) {
            let Some(lane) = self.lane(&lane.value, 32) else { return Typed::error(span) };
            *number = lane;
        }
        if vectors.iter().any(|vector| vector.ty == Ty::Error) {
            return Typed::error(span);
        }
        Typed::new(Ty::Of(Type::V128), Kind::Node(Instr::Shuffle(numbers), vectors), span)
    }
}
