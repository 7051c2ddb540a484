//! Inference: the type of an expression, from the inside out; literals take theirs from around them.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Expr, ExprKind, If, StmtKind};
use super::super::diag::{Code, Report, Span};
use super::body::{Body, Found};
use super::overload::{converter, describe, named};
use super::typed::{Kind, Literal, Ty, Typed, Value};
use super::{Entry, consts};
use crate::limits::SOURCE_NESTING;
use crate::op::Form;
use crate::types::{GlobalId, LocalId, Type};

impl<'f> Body<'_, '_, 'f, '_> {
    /// Infers an expression's type. `hint` is what its surroundings would like; only ties are
    /// decided by it.
    pub(super) fn infer(&mut self, expr: &'f Expr<'f>, hint: Option<Type>) -> Typed {
        if self.cx.sink.is_full() {
            return Typed::error(expr.span);
        }
        self.cx.depth += 1;
        let typed = self.infer_kind(expr, hint);
        self.cx.depth -= 1;
        typed
    }

    fn infer_kind(&mut self, expr: &'f Expr<'f>, hint: Option<Type>) -> Typed {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int { value, hex, negative } => {
                Typed::new(Ty::Int, Kind::Int(Literal { value: *value, hex: *hex, negative: *negative }), span)
            }
            ExprKind::Float(value) => Typed::new(Ty::Float, Kind::Float(*value), span),
            ExprKind::Str(bytes) => match self.cx.utf8(bytes, span) {
                Some(text) => Typed::value(Value::Str(text), span),
                None => Typed::error(span),
            },
            ExprKind::Char(value) => Typed::value(Value::I32(*value as i32), span),
            ExprKind::Bool(value) => Typed::value(Value::Bool(*value), span),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Unary { op, value } => {
                let value = self.infer(value, hint);
                self.operator(Form::Prefix, op, alloc::vec![value], span, hint)
            }
            ExprKind::Binary { op: op @ ("&&" | "||"), left, right, .. } => self.logic(op, left, right, span),
            ExprKind::Binary { op, op_span, left, right } => self.infix(op, *op_span, left, right, hint),
            ExprKind::Try(_) => self.misplaced(span, "`try`", "put it in a local first: `let status = try ..`"),
            ExprKind::Field { of, name } => self.field(of, name.text, name.span, span),
            ExprKind::Index { of, index } => self.with_borrows(|body| {
                let of = body.operand(of, None);
                let index = body.operand(index, Some(Type::I32));
                body.operator(Form::Index, "[]", alloc::vec![of, index], span, hint)
            }),
            ExprKind::Call { callee, args } => self.call(callee, args, span, hint),
            ExprKind::Tuple(_) => {
                self.misplaced(span, "a list of values", "it stands only after `return` and left of `=`")
            }
            ExprKind::If(inner) => self.cond(inner, span, hint),
            ExprKind::Match(_) => self.misplaced(span, "`match`", "put it in a local first: `let x = match ..`"),
        }
    }

    fn misplaced(&mut self, span: Span, what: &str, hint: &str) -> Typed {
        self.cx
            .report(Report::new(Code::Misplaced, span, format!("{what} cannot stand inside an expression")).hint(hint));
        Typed::error(span)
    }

    /// Borrows made inside end with it.
    pub(super) fn with_borrows<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let borrowed = self.borrowed.len();
        let result = inner(self);
        self.borrowed.truncate(borrowed);
        result
    }

    /// An operand of an operator: a `buf` local is lent, for no operator takes one away.
    pub(super) fn operand(&mut self, expr: &'f Expr<'f>, hint: Option<Type>) -> Typed {
        let typed = self.infer(expr, hint);
        if let Kind::Buf(_) = typed.kind { self.coerce(typed, Type::BufRef) } else { typed }
    }

    fn infix(
        &mut self,
        op: &'static str,
        op_span: Span,
        left: &'f Expr<'f>,
        right: &'f Expr<'f>,
        hint: Option<Type>,
    ) -> Typed {
        let compares = named(Form::Infix, op)
            .all(|info| info.result == Some(Type::Bool) && info.params != [Type::Bool, Type::Bool])
            || matches!(op, "==" | "!=");
        let hint = if compares { None } else { hint };
        self.with_borrows(|body| {
            let left = body.operand(left, hint);
            let hint = if let Ty::Of(ty) = left.ty { Some(ty) } else { hint };
            let right = body.operand(right, hint);
            let span = if op == "/" || op == "%" { op_span } else { left.span.to(right.span) };
            let whole = left.span.to(right.span);
            let mut typed = body.operator(Form::Infix, op, alloc::vec![left, right], whole, hint);
            // A trap is reported at the operator's own line.
            if matches!(typed.kind, Kind::Op(..)) {
                typed.span = if body.cx.sink.line(span.start) == body.cx.sink.line(whole.start) { whole } else { span };
            }
            typed
        })
    }

    /// `&&` and `||`: the right side may not be evaluated.
    fn logic(&mut self, op: &str, left: &'f Expr<'f>, right: &'f Expr<'f>, span: Span) -> Typed {
        let left = self.truth(left);
        let before = self.state;
        let right = self.truth(right);
        self.state = self.state.join(before);
        let fixed = Typed::value(Value::Bool(op == "||"), span);
        let parts = if op == "&&" { [left, right, fixed] } else { [left, fixed, right] };
        Typed::new(Ty::Of(Type::Bool), Kind::Cond(Box::new(parts)), span)
    }

    /// A condition.
    pub(super) fn truth(&mut self, expr: &'f Expr<'f>) -> Typed {
        self.value(expr, Type::Bool)
    }

    /// An expression of a known type.
    pub(super) fn value(&mut self, expr: &'f Expr<'f>, want: Type) -> Typed {
        let typed = self.infer(expr, Some(want));
        self.coerce(typed, want)
    }

    /// A value `if` inside a larger expression.
    fn cond(&mut self, inner: &'f If<'f>, span: Span, hint: Option<Type>) -> Typed {
        let condition = self.truth(&inner.condition);
        let Some(or_else) = &inner.or_else else {
            let report = Report::new(Code::NoValue, span, "a value `if` needs `else`");
            self.cx.report(report.hint("give the value for the other case: `else { .. }`"));
            return Typed::error(span);
        };
        let (Some(yes), Some(no)) = (single(&inner.then.stmts), single(&or_else.stmts)) else {
            let report =
                Report::new(Code::Misplaced, span, "inside an expression, the branches of `if` are single expressions");
            self.cx.report(report.hint("put it in a local first: `let x = if ..`"));
            return Typed::error(span);
        };
        let before = self.state;
        let mut yes = self.infer(yes, hint);
        self.lift_buf(&mut yes);
        let after_yes = core::mem::replace(&mut self.state, before);
        let hint = if let Ty::Of(ty) = yes.ty { Some(ty) } else { hint };
        let mut no = self.infer(no, hint);
        self.lift_buf(&mut no);
        self.state = self.state.join(after_yes);
        self.unify(condition, yes, no, span)
    }

    /// A branch that names a `buf` moves it.
    fn lift_buf(&mut self, typed: &mut Typed) {
        if let Kind::Buf(_) = typed.kind {
            let owned = core::mem::replace(typed, Typed::error(typed.span));
            *typed = self.coerce(owned, Type::Buf);
        }
    }

    fn unify(&mut self, condition: Typed, yes: Typed, no: Typed, span: Span) -> Typed {
        let (yes, no, ty) = match (yes.ty, no.ty) {
            (Ty::Error, _) | (_, Ty::Error) => return Typed::error(span),
            (Ty::Of(ty), _) => (yes, self.coerce(no, ty), Ty::Of(ty)),
            (_, Ty::Of(ty)) => (self.coerce(yes, ty), no, Ty::Of(ty)),
            (Ty::Int, Ty::Int) => (yes, no, Ty::Int),
            (Ty::Int | Ty::Float, Ty::Int | Ty::Float) => (yes, no, Ty::Float),
            (Ty::Nothing | Ty::Many, _) => return self.no_single_value(&yes),
            _ => return self.no_single_value(&no),
        };
        Typed::new(ty, Kind::Cond(Box::new([condition, yes, no])), span)
    }

    fn name(&mut self, name: &'f str, span: Span) -> Typed {
        match self.find(name) {
            Found::Local(id) => self.local_value(id, span),
            Found::Item(entry) => self.item_value(name, entry, span),
            Found::Nothing => {
                self.unknown_name(name, span);
                Typed::error(span)
            }
        }
    }

    /// A local's value; a `buf` is neither lent nor moved until it is known for what.
    pub(super) fn local_value(&self, id: LocalId, span: Span) -> Typed {
        let ty = self.local(id).ty;
        match ty {
            Ty::Error => Typed::error(span),
            Ty::Of(Type::Buf) => Typed::new(ty, Kind::Buf(id), span),
            _ => Typed::new(ty, Kind::Get(id), span),
        }
    }

    fn item_value(&mut self, name: &str, entry: Entry, span: Span) -> Typed {
        let (message, hint) = match entry {
            // Trees are bounded, but one constant may name another.
            Entry::Const(_) if self.cx.depth > 2 * SOURCE_NESTING => {
                let report =
                    Report::new(Code::TooDeep, span, "constants that build on each other are nested too deeply");
                self.cx.report(report.hint("write some of the values out"));
                return Typed::error(span);
            }
            Entry::Const(id) => {
                return self.cx.const_value(id).map_or(Typed::error(span), |value| Typed::value(value, span));
            }
            Entry::Global(id) => {
                let ty = self.cx.globals[id].ty;
                if self.func.is_none() {
                    let report = Report::new(Code::NotConstant, span, format!("`{name}` is a global, not a constant"));
                    self.cx.report(report.hint("declare it with `const`"));
                    return Typed::error(span);
                }
                return Typed::new(ty, Kind::Global(GlobalId(id as u32)), span);
            }
            Entry::Use(_) => {
                let message = format!("`{name}` is a capability: as a value it is not supported yet");
                self.cx.report(
                    Report::new(Code::NotSupported, span, message)
                        .hint(format!("send it an instruction: `{name}.instruction(..)`")),
                );
                return Typed::error(span);
            }
            Entry::Enum(_) => (format!("`{name}` is an enum, not a value"), format!("name a member: `{name}.MEMBER`")),
            Entry::Func(_) => (format!("`{name}` is a function, not a value"), format!("call it: `{name}(..)`")),
            Entry::Unsupported(_) => return Typed::error(span),
        };
        self.cx.report(Report::new(Code::WrongKind, span, message).hint(hint));
        Typed::error(span)
    }

    pub(super) fn unknown_name(&mut self, name: &str, span: Span) {
        if named(Form::Call, name).next().is_some() {
            let report = Report::new(Code::WrongKind, span, format!("`{name}` is a built-in function, not a value"));
            return self.cx.report(report.hint(format!("call it: `{name}(..)`")));
        }
        let report = Report::new(Code::UnknownName, span, format!("nothing here is called `{name}`"));
        let report = match self.suggest(name, core::iter::empty()) {
            Some(near) => report.did_you_mean(near),
            None => match name {
                "_" => report.hint("`_` discards a value, it does not hold one"),
                "caller" => Report::new(Code::NotSupported, span, "`caller` is not supported yet"),
                _ => report.hint(format!("declare it: `let {name} = ..`, or `const {name} = ..` outside functions")),
            },
        };
        self.cx.report(report);
    }

    /// `ENUM.MEMBER`
    fn field(&mut self, of: &'f Expr<'f>, name: &str, name_span: Span, span: Span) -> Typed {
        let ExprKind::Name(owner) = of.kind else {
            let report = Report::new(Code::NotSupported, span, "fields are not supported yet");
            self.cx.report(report);
            return Typed::error(span);
        };
        match self.find(owner) {
            Found::Item(Entry::Enum(id)) => match self.cx.enums[id].members.get(name).copied() {
                Some(member) if self.cx.depth <= 2 * SOURCE_NESTING => {
                    self.cx.note_member(name_span, member);
                    self.cx.const_value(member).map_or(Typed::error(span), |value| Typed::value(value, span))
                }
                Some(_) => {
                    self.cx.error(Code::TooDeep, span, "constants that build on each other are nested too deeply");
                    Typed::error(span)
                }
                None => {
                    let members: Vec<&str> = self.cx.enums[id].members.keys().copied().collect();
                    let report = Report::new(Code::UnknownName, name_span, format!("`{owner}` has no member `{name}`"));
                    self.cx.report(report.hint(format!("it has: {}", members.join(", "))));
                    Typed::error(span)
                }
            },
            Found::Item(Entry::Use(_)) => {
                let report =
                    Report::new(Code::WrongKind, span, format!("`{owner}.{name}` is an instruction, not a value"));
                self.cx.report(report.hint(format!("send it: `{owner}.{name}(..)`")));
                Typed::error(span)
            }
            Found::Nothing => {
                self.unknown_name(owner, of.span);
                Typed::error(span)
            }
            Found::Item(Entry::Unsupported(_)) => Typed::error(span),
            Found::Local(id) if self.local(id).ty == Ty::Error => Typed::error(span),
            _ => {
                self.cx.error(Code::WrongKind, span, format!("`{owner}` has no fields"));
                Typed::error(span)
            }
        }
    }

    /// Makes an expression one of type `want`: settles literals, lends or moves a `buf`, or reports.
    pub(super) fn coerce(&mut self, typed: Typed, want: Type) -> Typed {
        let Typed { ty, kind, span } = typed;
        match (ty, kind) {
            (Ty::Error, _) => Typed::error(span),
            (_, Kind::Int(literal)) if matches!(want, Type::I32 | Type::I64 | Type::F64) => {
                match consts::literal(literal, want) {
                    Ok(value) => Typed::value(value, span),
                    Err(message) => {
                        let report = Report::new(Code::BadLiteral, span, message);
                        self.cx.report(match want {
                            Type::I32 => report.hint("give it the type `i64`, or write all 32 bits in hexadecimal"),
                            _ => report.hint("write all 64 bits in hexadecimal"),
                        });
                        Typed::error(span)
                    }
                }
            }
            (_, Kind::Float(value)) if want == Type::F64 => Typed::value(Value::F64(value), span),
            (Ty::Int, Kind::Open { form, text, args }) if matches!(want, Type::I32 | Type::I64 | Type::F64) => {
                self.close(form, text, args, want, span)
            }
            (Ty::Float, Kind::Open { form, text, args }) if want == Type::F64 => {
                self.close(form, text, args, want, span)
            }
            (Ty::Int | Ty::Float, Kind::Cond(parts))
                if ty == Ty::Int && matches!(want, Type::I32 | Type::I64) || want == Type::F64 =>
            {
                let [condition, yes, no] = *parts;
                let parts = [condition, self.coerce(yes, want), self.coerce(no, want)];
                Typed::new(Ty::Of(want), Kind::Cond(Box::new(parts)), span)
            }
            (_, Kind::Buf(id)) if want == Type::BufRef => {
                self.use_buf(id, false, span);
                Typed::new(Ty::Of(want), Kind::Get(id), span)
            }
            (_, Kind::Buf(id)) if want == Type::Buf => {
                self.use_buf(id, true, span);
                Typed::new(Ty::Of(want), Kind::Take(id), span)
            }
            (Ty::Of(found), kind) if found == want => Typed::new(ty, kind, span),
            (ty, kind) => self.mismatch(&Typed::new(ty, kind, span), want),
        }
    }

    fn mismatch(&mut self, typed: &Typed, want: Type) -> Typed {
        let span = typed.span;
        let report = match (typed.ty, want) {
            (Ty::Nothing | Ty::Many, _) => return self.no_single_value(typed),
            (Ty::Of(Type::BufRef), Type::Buf) => {
                Report::new(Code::Borrowed, span, "this `buf` is borrowed (`ref buf`): only its owner can give it away")
                    .hint("take it as `buf` in the parameter list, or copy it into a new one")
            }
            (Ty::Of(Type::Buf), Type::BufRef) => {
                Report::new(Code::Mismatch, span, "only a local `buf` can be borrowed")
                    .hint("put it in a local first: `let b = ..`")
            }
            _ => {
                let report = Report::new(Code::Mismatch, span, format!("expected `{want}`, found {}", describe(typed)));
                let report = report.label(format!("expected `{want}`"));
                match (typed.ty, want) {
                    (Ty::Of(Type::I32 | Type::I64) | Ty::Int, Type::Bool) => report.hint("compare it: `.. != 0`"),
                    (Ty::Of(found), want) => match converter(found, want) {
                        Some(name) => report.hint(format!("convert it: `{name}(..)`")),
                        None => report,
                    },
                    (Ty::Float, Type::I32 | Type::I64) => report.hint("an integer literal has no dot"),
                    (Ty::Int | Ty::Float, Type::Str) => report.hint("convert it: `str(..)`"),
                    _ => report,
                }
            }
        };
        self.cx.report(report);
        Typed::error(span)
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
            Ty::Nothing | Ty::Many => self.no_single_value(&typed),
            Ty::Error => typed,
        }
    }
}

/// The one expression that a block consists of.
fn single<'f>(stmts: &'f [super::super::ast::Stmt<'f>]) -> Option<&'f Expr<'f>> {
    match stmts {
        [one] => match &one.kind {
            StmtKind::Expr(expr) => Some(expr),
            _ => None,
        },
        _ => None,
    }
}
