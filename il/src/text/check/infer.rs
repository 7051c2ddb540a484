//! Inference: the type of an expression, from the inside out; literals take theirs from around them.

use alloc::boxed::Box;
use alloc::format;

use super::super::ast::{Expr, ExprKind, If, Stmt, StmtKind};
use super::super::diag::{Code, Report, Span};
use super::super::prelude::{CALLER, Function};
use super::body::{Body, Found};
use super::overload::named;
use super::typed::{Kind, Literal, Ty, Typed, Value};
use super::{Entry, FuncKind};
use crate::instr::Instr;
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
            ExprKind::Float(wide, narrow) => Typed::new(Ty::Float, Kind::Float(*wide, *narrow), span),
            ExprKind::Null => self.null(hint, span),
            ExprKind::Str(bytes) => match self.cx.utf8(bytes, span) {
                Some(text) => Typed::value(Value::Str(text), span),
                None => Typed::error(span),
            },
            ExprKind::Char(value) => Typed::value(Value::I32(*value as i32), span),
            ExprKind::Bool(value) => Typed::value(Value::Bool(*value), span),
            ExprKind::Name(name) => self.name(name, span, hint),
            ExprKind::Unary { op, value } => {
                let value = self.infer(value, hint);
                self.operator(Form::Prefix, op, alloc::vec![value], span, hint)
            }
            ExprKind::Binary { op: op @ ("&&" | "||"), left, right, .. } => self.logic(op, left, right, span),
            ExprKind::Binary { op, op_span, left, right } => self.infix(op, *op_span, left, right, hint),
            ExprKind::Try(call) => self.try_call(call, span),
            ExprKind::As(value, ty) => self.cast(value, ty, span),
            ExprKind::Is(value, ty) => self.type_test(value, ty, span),
            ExprKind::FuncRef(path) => self.func_ref(path, span),
            ExprKind::Array(list) => self.array_literal(list, hint, span),
            ExprKind::New { name, fields } => self.new_struct(*name, fields, span),
            ExprKind::NewArray { ty, length, fill } => self.new_array(ty, length, fill, span),
            ExprKind::Field { of, name } => self.field(of, *name, span),
            ExprKind::Index { of, index } => self.index(of, index, span, hint),
            ExprKind::Call { callee, args } => self.call(callee, args, span, hint),
            ExprKind::Tuple(_) => {
                self.misplaced(span, "a list of values", "it stands only after `return` and left of `=`")
            }
            ExprKind::Group(inner) => self.infer(inner, hint),
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
        if typed.ty == Ty::Of(Type::Buf) { self.coerce(typed, Type::BufRef) } else { typed }
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
            if let Some(identity) = body.identity(op, &left, &right) {
                return body.same(identity, left, right);
            }
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
        if let Some(name) = inner.binds {
            return self.if_let_value(name, &inner.condition, yes, no, span, hint);
        }
        let condition = self.truth(&inner.condition);
        let before = self.state;
        let yes = self.branch(yes, hint);
        let after_yes = core::mem::replace(&mut self.state, before);
        let hint = if hint.is_none() { yes.known() } else { hint };
        let no = self.branch(no, hint);
        self.state = self.state.join(after_yes);
        match self.unify(yes, no, hint, span) {
            Some((yes, no, ty)) => Typed::new(ty, Kind::Cond(Box::new([condition, yes, no])), span),
            None => Typed::error(span),
        }
    }

    /// A value that a branch gives.
    pub(super) fn branch(&mut self, expr: &'f Expr<'f>, hint: Option<Type>) -> Typed {
        let mut typed = self.infer(expr, hint);
        self.lift_buf(&mut typed);
        typed
    }

    /// A branch that names a `buf` moves it.
    fn lift_buf(&mut self, typed: &mut Typed) {
        if let (Kind::Buf(_), Ty::Of(ty)) = (&typed.kind, typed.ty) {
            let owned = core::mem::replace(typed, Typed::error(typed.span));
            *typed = self.coerce(owned, ty);
        }
    }

    /// Two branches of one type; `None` after an error.
    pub(super) fn unify(
        &mut self,
        yes: Typed,
        no: Typed,
        hint: Option<Type>,
        span: Span,
    ) -> Option<(Typed, Typed, Ty)> {
        let (yes, no, ty) = match (yes.ty, no.ty) {
            (Ty::Error, _) | (_, Ty::Error) => return None,
            (Ty::Nothing | Ty::Many, _) => {
                self.no_single_value(&yes);
                return None;
            }
            (_, Ty::Nothing | Ty::Many) => {
                self.no_single_value(&no);
                return None;
            }
            (Ty::Of(a), Ty::Of(b)) => {
                let wanted = hint
                    .filter(|want| a != b && self.cx.types.is_subtype(a, *want) && self.cx.types.is_subtype(b, *want));
                let ty = wanted.or_else(|| self.cx.types.join(a, b)).unwrap_or(a);
                (self.coerce(yes, ty), self.coerce(no, ty), Ty::Of(ty))
            }
            (Ty::Of(ty), Ty::Null) | (Ty::Null, Ty::Of(ty)) => {
                let ty = ty.nullable().unwrap_or(ty);
                (self.coerce(yes, ty), self.coerce(no, ty), Ty::Of(ty))
            }
            (Ty::Of(ty), _) | (_, Ty::Of(ty)) => (self.coerce(yes, ty), self.coerce(no, ty), Ty::Of(ty)),
            (Ty::Null, Ty::Null) => match hint {
                Some(ty) => (self.coerce(yes, ty), self.coerce(no, ty), Ty::Of(ty)),
                None => {
                    self.settle(Typed::new(Ty::Null, Kind::Null(None), span));
                    return None;
                }
            },
            (Ty::Int, Ty::Int) => (yes, no, Ty::Int),
            (Ty::Null, _) => (yes, self.settle(no), Ty::Error),
            (_, Ty::Null) => (self.settle(yes), no, Ty::Error),
            _ => (yes, no, Ty::Float),
        };
        if ty == Ty::Error {
            let (literal, null) = if no.ty == Ty::Null { (&yes, &no) } else { (&no, &yes) };
            if let Some(ty) = literal.known() {
                self.mismatch(null, ty);
            }
        }
        (ty != Ty::Error && yes.ty != Ty::Error && no.ty != Ty::Error).then_some((yes, no, ty))
    }

    fn name(&mut self, name: &'f str, span: Span, hint: Option<Type>) -> Typed {
        match self.find(name) {
            Found::Local(id) => self.local_value(id, span),
            Found::Item(Entry::Use(at)) => self.use_value(at, hint, span),
            Found::Item(entry) => self.item_value(name, entry, span),
            Found::Own(_) => {
                let report = Report::new(Code::WrongKind, span, format!("`{name}` is an instruction, not a value"));
                self.cx.report(report.hint(format!("send it: `{name}(..)`")));
                Typed::error(span)
            }
            Found::Nothing if name == CALLER => self.caller(span),
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
            Ty::Of(Type::Buf | Type::OptBuf) => Typed::new(ty, Kind::Buf(id), span),
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
            Entry::Global(id) => return self.global_value(id, name, span),
            Entry::Use(at) => return self.use_value(at, None, span),
            Entry::Enum(_) => (format!("`{name}` is an enum, not a value"), format!("name a member: `{name}.MEMBER`")),
            Entry::Func(_) => (
                format!("`{name}` is a function, not a value"),
                format!("call it: `{name}(..)`; a reference to it is `&{name}`"),
            ),
            Entry::Struct(_) => {
                (format!("`{name}` is a struct, not a value"), format!("make one: `new {name} {{ .. }}`"))
            }
            Entry::Program(_) => {
                (format!("`{name}` is a device program, not a value"), format!("run it: `cap.run({name}, ..)`"))
            }
            Entry::Memory(_) => (
                format!("`{name}` is a memory, not a value"),
                format!("name it behind operands: `load32(a, memory: {name})`"),
            ),
            Entry::Data(_) => (
                format!("`{name}` is a data segment, not a value"),
                format!("put it into a memory: `memory_init({name}, to, from, length)`"),
            ),
            Entry::Unknown => return Typed::error(span),
        };
        self.cx.report(Report::new(Code::WrongKind, span, message).hint(hint));
        Typed::error(span)
    }

    pub(super) fn unknown_name(&mut self, name: &str, span: Span) {
        if named(Form::Call, name).next().is_some() || Function::named(name).is_some() {
            let report = Report::new(Code::WrongKind, span, format!("`{name}` is a built-in function, not a value"));
            return self.cx.report(report.hint(format!("call it: `{name}(..)`")));
        }
        let report = Report::new(Code::UnknownName, span, format!("nothing here is called `{name}`"));
        let report = match self.suggest(name, core::iter::empty()) {
            Some(near) => report.did_you_mean(near),
            None => match name {
                "_" => report.hint("`_` discards a value, it does not hold one"),
                "this" | "self" => report.hint("there are no methods: pass the object as a parameter"),
                "None" | "nil" | "nullptr" | "undefined" => report.hint("write `null`"),
                _ => report.hint(format!("declare it: `let {name} = ..`, or `const {name} = ..` outside functions")),
            },
        };
        self.cx.report(report);
    }

    fn global_value(&mut self, id: usize, name: &str, span: Span) -> Typed {
        let (ty, mutable) = (self.cx.globals[id].ty, self.cx.globals[id].mutable);
        if self.func.is_none() {
            let report = Report::new(Code::NotConstant, span, format!("`{name}` is a global, not a constant"));
            self.cx.report(report.hint("declare it with `const`"));
            return Typed::error(span);
        }
        if ty == Ty::Of(Type::OptBuf) {
            let report = Report::new(Code::Moved, span, format!("the `buf` in `{name}` can only be taken out"));
            self.cx.report(report.hint(format!("write `take({name})`, which leaves null")));
            return Typed::error(span);
        }
        if mutable {
            self.impure(span, "reads a global that changes");
        } else if matches!(self.info().map(|info| info.kind), Some(FuncKind::Program(_))) {
            self.impure(span, "reads a global");
        }
        Typed::new(ty, Kind::Node(Instr::GlobalGet(GlobalId(id as u32)), alloc::vec::Vec::new()), span)
    }

    /// `ENUM.MEMBER`, or nothing if the owner is no enum.
    pub(super) fn enum_member(&mut self, id: usize, owner: &str, name: &str, name_span: Span, span: Span) -> Typed {
        if let Some(member) = self.cx.enums[id].members.get(name).copied() {
            self.cx.note_member(name_span, member);
        }
        match self.cx.enums[id].members.get(name).copied() {
            Some(member) if self.cx.depth <= 2 * SOURCE_NESTING => {
                self.cx.const_value(member).map_or(Typed::error(span), |value| Typed::value(value, span))
            }
            Some(_) => {
                self.cx.error(Code::TooDeep, span, "constants that build on each other are nested too deeply");
                Typed::error(span)
            }
            None => {
                let members: alloc::vec::Vec<&str> = self.cx.enums[id].members.keys().copied().collect();
                let report = Report::new(Code::UnknownName, name_span, format!("`{owner}` has no member `{name}`"));
                self.cx.report(report.hint(format!("it has: {}", members.join(", "))));
                Typed::error(span)
            }
        }
    }
}

/// The one expression that a block consists of.
pub(super) fn single<'f>(stmts: &'f [Stmt<'f>]) -> Option<&'f Expr<'f>> {
    match stmts {
        [one] => match &one.kind {
            StmtKind::Expr(expr) => Some(expr),
            _ => None,
        },
        _ => None,
    }
}
