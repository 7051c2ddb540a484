//! Making an expression one of the type that is wanted.

use alloc::boxed::Box;
use alloc::format;

use super::super::diag::{Code, Report, Span};
use super::body::Body;
use super::consts;
use super::overload::converter;
use super::typed::{Kind, Literal, Ty, Typed, Value};
use crate::types::Type;

impl Body<'_, '_, '_, '_> {
    /// Makes an expression one of type `want`: settles literals, lends or moves a `buf`, or reports.
    pub(super) fn coerce(&mut self, typed: Typed, want: Type) -> Typed {
        let Typed { ty, kind, span } = typed;
        match (ty, kind) {
            (Ty::Error, _) => Typed::error(span),
            (_, Kind::Int(literal)) if is_arithmetic(want) => self.integer(literal, want, span),
            (_, Kind::Float(value, _)) if want == Type::F64 => Typed::value(Value::F64(value), span),
            (_, Kind::Float(_, value)) if want == Type::F32 => self.narrow_float(value, span),
            (Ty::Int, Kind::Open { form, text, args }) if is_arithmetic(want) => {
                self.close(form, text, args, want, span)
            }
            (Ty::Float, Kind::Open { form, text, args }) if matches!(want, Type::F32 | Type::F64) => {
                self.close(form, text, args, want, span)
            }
            (Ty::Int | Ty::Float, Kind::Cond(parts))
                if ty == Ty::Int && is_arithmetic(want) || matches!(want, Type::F32 | Type::F64) =>
            {
                let [condition, yes, no] = *parts;
                let parts = [condition, self.coerce(yes, want), self.coerce(no, want)];
                Typed::new(Ty::Of(want), Kind::Cond(Box::new(parts)), span)
            }
            (Ty::Int | Ty::Float, Kind::IfLet(mut inner))
                if ty == Ty::Int && is_arithmetic(want) || matches!(want, Type::F32 | Type::F64) =>
            {
                inner.yes = self.coerce(inner.yes, want);
                inner.no = self.coerce(inner.no, want);
                Typed::new(Ty::Of(want), Kind::IfLet(inner), span)
            }
            (Ty::Int | Ty::Float, Kind::Select(parts))
                if ty == Ty::Int && is_arithmetic(want) || matches!(want, Type::F32 | Type::F64) =>
            {
                let [yes, no, condition] = *parts;
                let parts = [self.coerce(yes, want), self.coerce(no, want), condition];
                Typed::new(Ty::Of(want), Kind::Select(Box::new(parts)), span)
            }
            (Ty::Null, _) if want.is_nullable() => Typed::new(Ty::Of(want), Kind::Null(Some(want)), span),
            (Ty::Of(Type::Buf), Kind::Buf(id)) if want == Type::BufRef => {
                self.use_buf(id, false, span);
                Typed::new(Ty::Of(want), Kind::Get(id), span)
            }
            (Ty::Of(Type::Buf), kind) if want == Type::BufRef => {
                let owned = Typed::new(ty, kind, span);
                Typed::new(Ty::Of(want), Kind::Lend(Box::new(owned)), span)
            }
            (Ty::Of(own), Kind::Buf(id)) if self.cx.types.is_subtype(own, want) => {
                self.use_buf(id, true, span);
                Typed::new(Ty::Of(want), Kind::Take(id), span)
            }
            (Ty::Of(found), kind @ (Kind::Cond(_) | Kind::Select(_) | Kind::IfLet(_)))
                if found != want && self.cx.types.is_subtype(found, want) =>
            {
                Typed::new(Ty::Of(want), Kind::Wider(Box::new(Typed::new(ty, kind, span))), span)
            }
            (Ty::Of(found), kind) if self.cx.types.is_subtype(found, want) => Typed::new(Ty::Of(want), kind, span),
            (ty, kind) => self.mismatch(&Typed::new(ty, kind, span), want),
        }
    }

    fn integer(&mut self, literal: Literal, want: Type, span: Span) -> Typed {
        match consts::literal(literal, want) {
            Ok(value) => Typed::value(value, span),
            Err(message) => {
                let report = Report::new(Code::BadLiteral, span, message);
                self.cx.report(match want {
                    Type::I32 => report.hint("give it the type `i64`, or write all 32 bits in hexadecimal"),
                    Type::I64 => report.hint("write all 64 bits in hexadecimal"),
                    _ => report.hint("write it with a dot if the nearest float will do"),
                });
                Typed::error(span)
            }
        }
    }

    fn narrow_float(&mut self, value: f32, span: Span) -> Typed {
        if value.is_finite() {
            return Typed::value(Value::F32(value), span);
        }
        let report = Report::new(Code::BadLiteral, span, "this float is larger than any `f32`");
        self.cx.report(report.hint("give it the type `f64`; infinity is `1.0 / 0.0`"));
        Typed::error(span)
    }

    pub(super) fn mismatch(&mut self, typed: &Typed, want: Type) -> Typed {
        let span = typed.span;
        let report = match (typed.ty, want) {
            (Ty::Nothing | Ty::Many, _) => return self.no_single_value(typed),
            (Ty::Of(Type::BufRef), Type::Buf) => {
                Report::new(Code::Borrowed, span, "this `buf` is borrowed (`ref buf`): only its owner can give it away")
                    .hint("take it as `buf` in the parameter list, or copy it into a new one")
            }
            _ => {
                let (wanted, found) = (self.cx.type_text(want), self.cx.describe(typed));
                let report = Report::new(Code::Mismatch, span, format!("expected `{wanted}`, found {found}"));
                self.mismatch_hint(typed, want, report.label(format!("expected `{wanted}`")))
            }
        };
        self.cx.report(report);
        Typed::error(span)
    }

    fn mismatch_hint(&self, typed: &Typed, want: Type, report: Report) -> Report {
        match (typed.ty, want) {
            (Ty::Of(Type::I32 | Type::I64) | Ty::Int, Type::Bool) => report.hint("compare it: `.. != 0`"),
            (Ty::Null, _) => report.hint("only `?T` is null"),
            (Ty::Of(found), Type::Bool) if found.is_nullable() => report.hint("compare it: `.. != null`"),
            (Ty::Of(found), want) if found.is_nullable() && self.cx.types.is_subtype(found.non_null(), want) => {
                report.hint("it may be null: unwrap it with `if let x = .. { }`, or with `as`, which traps")
            }
            (Ty::Of(found), want) if self.cx.types.is_subtype(want, found) => report.hint(format!(
                "it may be something else: test it with `if let x = .. as {0} {{ }}`, or cast it with `as {0}`",
                self.cx.type_text(want)
            )),
            (Ty::Of(found), want) => match converter(found, want) {
                Some(name) => report.hint(format!("convert it: `{name}(..)`")),
                None => report,
            },
            (Ty::Float, Type::I32 | Type::I64) => report.hint("an integer literal has no dot"),
            (Ty::Int | Ty::Float, Type::Str) => report.hint("convert it: `str(..)`"),
            _ => report,
        }
    }

    /// Reports a call that gives no value, or several, where one is needed.
    pub(super) fn no_single_value(&mut self, typed: &Typed) -> Typed {
        let span = typed.span;
        let report = match typed.ty {
            Ty::Many => Report::new(Code::NoValue, span, "this gives several values, one is needed here")
                .hint("take them apart: `let (a, b) = ..`"),
            _ => Report::new(Code::NoValue, span, "this gives no value").hint("let it stand alone, as a statement"),
        };
        self.cx.report(report);
        Typed::error(span)
    }

    /// Gives an expression the type that it has by itself.
    pub(super) fn settle(&mut self, typed: Typed) -> Typed {
        match typed.ty {
            Ty::Of(Type::BufRef) => self.coerce(typed, Type::Buf),
            Ty::Of(ty) => self.coerce(typed, ty),
            Ty::Int => self.coerce(typed, Type::I32),
            Ty::Float => self.coerce(typed, Type::F64),
            Ty::Null => {
                let report = Report::new(Code::MayBeNull, typed.span, "the type of this `null` is not known");
                self.cx.report(report.hint("name it: `let x: ?T = null`, or `null as ?T`"));
                Typed::error(typed.span)
            }
            Ty::Nothing | Ty::Many => self.no_single_value(&typed),
            Ty::Error => typed,
        }
    }
}

/// Whether a literal can be of it.
fn is_arithmetic(ty: Type) -> bool {
    matches!(ty, Type::I32 | Type::I64 | Type::F32 | Type::F64)
}
