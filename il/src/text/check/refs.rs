//! References: `null`, casts and tests, `if let`, identity, structs and their fields, `take`, `freeze`, functions.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{self, Expr, ExprKind, Name, TypeExpr};
use super::super::diag::{Code, Report, Span, nearest};
use super::body::{Body, Found};
use super::flow::State;
use super::typed::{IfLet, Kind, Ty, Typed};
use super::{Entry, FuncKind};
use crate::instr::Instr;
use crate::op::Op;
use crate::types::{FieldId, FuncId, GlobalId, LocalId, StructField, Type, TypeId};

impl<'f> Body<'_, '_, 'f, '_> {
    /// `null` takes the nullable type expected of it.
    pub(super) fn null(&self, hint: Option<Type>, span: Span) -> Typed {
        let own = hint.filter(|hint| hint.is_nullable());
        Typed::new(own.map_or(Ty::Null, Ty::Of), Kind::Null(own), span)
    }

    /// A type after `as` or `is`.
    fn target(&mut self, ty: &'f TypeExpr<'f>) -> Option<Type> {
        let Ty::Of(target) = self.cx.ty(ty, false) else { return None };
        if target.is_reference() || target == Type::Buf {
            return Some(target);
        }
        let text = self.cx.type_text(target);
        let report = Report::new(Code::Cast, ty.span, format!("`{text}` is not a reference type"));
        self.cx.report(match target {
            _ if target.is_number() => report.hint(format!("numbers are converted by name: `{text}(x)`")),
            _ => report.hint("`as` and `is` take references; a `buf` is unwrapped with `as buf`"),
        });
        None
    }

    /// What is cast or tested: a reference or a `?buf`, which moves.
    fn subject(&mut self, expr: &'f Expr<'f>, target: Option<Type>) -> Option<(Typed, Type)> {
        // A capability's value can be made with just the instructions that are asked for.
        let hint = target.filter(|target| target.def().is_some_and(|id| self.cx.types.cap(id).is_some()));
        // So do `null` and array literals get their types.
        let open = matches!(expr.kind, ExprKind::Null | ExprKind::Array(_));
        let hint = if open { target } else { hint };
        let typed = self.infer(expr, hint);
        match (typed.ty, &typed.kind) {
            (Ty::Error, _) => None,
            (Ty::Null, _) => {
                self.settle(typed);
                None
            }
            (Ty::Of(Type::OptBuf), _) => Some((self.coerce(typed, Type::OptBuf), Type::OptBuf)),
            (Ty::Of(Type::Buf), _) if target == Some(Type::OptBuf) => Some((self.coerce(typed, Type::Buf), Type::Buf)),
            (Ty::Of(ty), _) if ty.is_reference() => Some((typed, ty)),
            (Ty::Nothing | Ty::Many, _) => {
                self.no_single_value(&typed);
                None
            }
            _ => {
                let found = self.cx.describe(&typed);
                let report = Report::new(Code::Cast, typed.span, format!("{found} is not a reference"));
                self.cx.report(match target {
                    Some(target) if target.is_number() => report,
                    _ => report.hint("numbers are converted by name: `i64(x)`, `str(x)`"),
                });
                None
            }
        }
    }

    /// Whether a value of one type may turn out to be of the other: `buf` and references are apart.
    fn can_be(&mut self, from: Type, target: Type, span: Span) -> bool {
        let bufs = (from.non_null() == Type::Buf, target.non_null() == Type::Buf);
        if bufs.0 != bufs.1 {
            let (from, target) = (self.cx.type_text(from), self.cx.type_text(target));
            self.cx.error(Code::Cast, span, format!("a `{from}` is never a `{target}`"));
            return false;
        }
        let caps = (self.cap_of(from), self.cap_of(target));
        if let (Some(from_cap), Some(target_cap)) = caps {
            let widens = from_cap.0 == target_cap.0 && !target_cap.1.iter().all(|opcode| from_cap.1.contains(opcode));
            if widens {
                let report =
                    Report::new(Code::Cast, span, "a capability only narrows: this type has more instructions");
                let from = self.cx.type_text(from);
                self.cx.report(report.hint(format!("it is a `{from}`; ask for the wider type where it comes from")));
                return false;
            }
        }
        true
    }

    fn cap_of(&self, ty: Type) -> Option<(crate::IsaId, Vec<u8>)> {
        let def = self.cx.types.cap(ty.def()?)?;
        Some((def.isa, def.instructions.clone()))
    }

    /// `e as T`
    pub(super) fn cast(&mut self, expr: &'f Expr<'f>, ty: &'f TypeExpr<'f>, span: Span) -> Typed {
        let Some(target) = self.target(ty) else {
            self.infer(expr, None);
            return Typed::error(span);
        };
        let Some((subject, from)) = self.subject(expr, Some(target)) else { return Typed::error(span) };
        if self.cx.types.is_subtype(from, target) {
            let Typed { ty: _, kind, .. } = self.coerce(subject, target);
            return Typed::new(Ty::Of(target), kind, span);
        }
        if !self.can_be(from, target, span) {
            return Typed::error(span);
        }
        Typed::new(Ty::Of(target), Kind::Node(Instr::As(target), alloc::vec![subject]), span)
    }

    /// `e is T`
    pub(super) fn type_test(&mut self, expr: &'f Expr<'f>, ty: &'f TypeExpr<'f>, span: Span) -> Typed {
        let Some(target) = self.target(ty) else {
            self.infer(expr, None);
            return Typed::error(span);
        };
        let Some((subject, from)) = self.subject(expr, None) else { return Typed::error(span) };
        if !self.can_be(from, target, span) {
            return Typed::error(span);
        }
        Typed::new(Ty::Of(Type::Bool), Kind::Node(Instr::Is(target), alloc::vec![subject]), span)
    }

    // `if let`

    /// The subject of `if let`, its type, and the type of what is bound.
    pub(super) fn if_let_subject(&mut self, expr: &'f Expr<'f>) -> Option<(Typed, Type)> {
        if let ExprKind::As(inner, ty) = &expr.kind {
            let target = self.target(ty);
            let (subject, from) = self.subject(inner, target)?;
            let target = target?;
            return self.can_be(from, target, expr.span).then_some((subject, target));
        }
        let typed = self.infer(expr, None);
        let typed = match typed.ty {
            Ty::Of(Type::OptBuf) => self.coerce(typed, Type::OptBuf),
            _ => typed,
        };
        match typed.ty {
            Ty::Error => None,
            Ty::Of(ty) if ty.is_nullable() => Some((typed, ty.non_null())),
            Ty::Nothing | Ty::Many => {
                self.no_single_value(&typed);
                None
            }
            _ => {
                let found = self.cx.describe(&typed);
                let report =
                    Report::new(Code::Mismatch, typed.span, format!("`if let` unwraps a `?T`, this is {found}"));
                self.cx.report(report.hint("it is never null; to test its type write `if let x = e as T { .. }`"));
                None
            }
        }
    }

    /// The local that `if let` binds.
    pub(super) fn bind(&mut self, name: Name<'f>, ty: Type) -> LocalId {
        let local = self.new_local(if name.is_blank() { "" } else { name.text }, name.span, false);
        self.set_type(local, Ty::Of(ty));
        local
    }

    /// `if let x = e { a } else { b }` inside a larger expression.
    pub(super) fn if_let_value(
        &mut self,
        name: Name<'f>,
        subject: &'f Expr<'f>,
        yes: &'f Expr<'f>,
        no: &'f Expr<'f>,
        span: Span,
        hint: Option<Type>,
    ) -> Typed {
        let subject = self.if_let_subject(subject);
        let local = match &subject {
            Some((_, ty)) => self.bind(name, *ty),
            None => self.new_local(name.text, name.span, false),
        };
        let before = self.state;
        self.make_available(local);
        self.scopes.push(Default::default());
        self.declare(name, local);
        let yes = self.branch(yes, hint);
        self.scopes.pop();
        let after_yes: State = core::mem::replace(&mut self.state, before);
        let hint = if hint.is_none() { yes.known() } else { hint };
        let no = self.branch(no, hint);
        self.state = self.state.join(after_yes);
        let (Some((subject, ty)), Some((yes, no, of))) = (subject, self.unify(yes, no, hint, span)) else {
            return Typed::error(span);
        };
        Typed::new(of, Kind::IfLet(Box::new(IfLet { subject, ty, local, yes, no })), span)
    }

    // Identity

    /// For `==` and `!=` of references: whether it asks for equality.
    pub(super) fn identity(&self, op: &str, left: &Typed, right: &Typed) -> Option<bool> {
        let equal = match op {
            "==" => true,
            "!=" => false,
            _ => return None,
        };
        let reference = |typed: &Typed| matches!(typed.ty, Ty::Of(ty) if ty.is_reference());
        let texts = matches!((left.ty, right.ty), (Ty::Of(Type::Str), Ty::Of(Type::Str)));
        let null = left.ty == Ty::Null || right.ty == Ty::Null;
        (!texts && (null || (reference(left) && reference(right)))).then_some(equal)
    }

    /// Whether two references are the same object or both null.
    pub(super) fn same(&mut self, equal: bool, left: Typed, right: Typed) -> Typed {
        let span = left.span.to(right.span);
        let bool_of = |kind: Kind| Typed::new(Ty::Of(Type::Bool), kind, span);
        let (left, right) = match (left.ty, right.ty) {
            (Ty::Error, _) | (_, Ty::Error) => return Typed::error(span),
            (Ty::Null, Ty::Null) => (self.settle(left), right),
            (Ty::Null, Ty::Of(ty)) | (Ty::Of(ty), Ty::Null) if ty.is_nullable() && ty.is_reference() => {
                (self.coerce(left, ty), self.coerce(right, ty))
            }
            (Ty::Null, _) | (_, Ty::Null) => {
                let other = if left.ty == Ty::Null { &right } else { &left };
                let found = self.cx.describe(other);
                let report = Report::new(Code::MayBeNull, other.span, format!("{found} is never null"));
                self.cx.report(match other.ty {
                    Ty::Of(Type::OptBuf) => report.hint("test a `?buf` by unwrapping it: `if let b = take(place)`"),
                    _ => report.hint("only `?T` is compared with `null`"),
                });
                return Typed::error(span);
            }
            _ => (left, right),
        };
        if left.ty == Ty::Error || right.ty == Ty::Error {
            return Typed::error(span);
        }
        // Whether a `?str` is null is asked by its type, for strings have no identity.
        let (left_null, right_null) = (matches!(left.kind, Kind::Null(_)), matches!(right.kind, Kind::Null(_)));
        if left.ty == Ty::Of(Type::OptStr) && (left_null || right_null) {
            let subject = if left_null { right } else { left };
            let test = bool_of(Kind::Node(Instr::Is(Type::Str), alloc::vec![subject]));
            return if equal { bool_of(Kind::op(Op::BoolNot, alloc::vec![test])) } else { test };
        }
        let text = |ty: Ty| matches!(ty, Ty::Of(Type::Str | Type::OptStr));
        if text(left.ty) || text(right.ty) {
            let (left, right) = (self.cx.describe(&left), self.cx.describe(&right));
            let report = Report::new(Code::NoOperator, span, format!("{left} and {right} cannot be compared"));
            self.cx.report(report.hint("unwrap both to `str` first: strings are compared by their bytes"));
            return Typed::error(span);
        }
        bool_of(Kind::Node(if equal { Instr::RefEq } else { Instr::RefNe }, alloc::vec![left, right]))
    }

    // Structs

    /// `new S { f: e, .. }`
    pub(super) fn new_struct(&mut self, name: Name<'f>, fields: &'f [(Name<'f>, Expr<'f>)], span: Span) -> Typed {
        let id = match self.cx.entry(name.text) {
            Some(Entry::Struct(at)) => {
                self.cx.note_item(name.span, Entry::Struct(at));
                self.cx.types.structs[at].id
            }
            Some(Entry::Unknown) => None,
            Some(entry) => {
                let message = format!("`{}` is {}, not a struct", name.text, entry.describe());
                self.cx.error(Code::WrongKind, name.span, message);
                None
            }
            None => {
                let known = self.cx.types.structs.iter().map(|info| info.decl.name.text);
                let near = nearest(name.text, known);
                let report = Report::new(Code::UnknownName, name.span, format!("there is no struct `{}`", name.text));
                self.cx.report(match near {
                    Some(near) => report.did_you_mean(near),
                    None => report.hint(format!("declare it: `struct {} {{ .. }}`", name.text)),
                });
                None
            }
        };
        let Some(id) = id else {
            self.with_borrows(|body| fields.iter().for_each(|(_, value)| drop(body.infer(value, None))));
            return Typed::error(span);
        };
        let given = self.with_borrows(|body| body.field_values(id, fields));
        let complete = self.check_fields_given(id, fields, span);
        let Some(args) = given.filter(|_| complete) else { return Typed::error(span) };
        let kind = ordered(Instr::StructNew(id), args);
        Typed::new(Ty::Of(Type::Ref(id)), kind, span)
    }

    /// Values with the numbers of their fields; `None` after an error.
    fn field_values(&mut self, id: TypeId, fields: &'f [(Name<'f>, Expr<'f>)]) -> Option<Vec<(usize, Typed)>> {
        let mut given = Vec::new();
        let mut intact = true;
        for (field, value) in fields {
            let Some((number, stored, _)) = self.cx.find_field(id, field.text) else {
                self.unknown_field(id, *field);
                self.infer(value, None);
                intact = false;
                continue;
            };
            let value = self.value(value, stored.storage.value());
            intact &= value.ty != Ty::Error;
            given.push((number.0 as usize, value));
        }
        intact.then_some(given)
    }

    /// Whether all fields are given, each once.
    fn check_fields_given(&mut self, id: TypeId, fields: &[(Name<'f>, Expr<'f>)], span: Span) -> bool {
        let mut seen = BTreeSet::new();
        let mut intact = true;
        for (field, _) in fields {
            if !seen.insert(field.text) {
                self.cx.error(Code::Fields, field.span, format!("`{}` is given twice", field.text));
                intact = false;
            }
        }
        let mut missing: Vec<&str> = Vec::new();
        let chain: Vec<TypeId> = self.cx.types.ancestors(id).collect();
        for at in chain.into_iter().rev() {
            let Some(info) = self.cx.types.structure(at) else { continue };
            missing.extend(info.decl.fields.iter().map(|field| field.name.text).filter(|name| !seen.contains(name)));
        }
        if missing.is_empty() {
            return intact;
        }
        let head = Span { end: (span.start + 3).min(span.end), ..span };
        let name = self.cx.type_text(Type::Ref(id));
        let report = Report::new(Code::Fields, head, format!("this `{name}` lacks {}", missing.join(", ")));
        self.cx.report(report.hint("`new` gives all fields, inherited ones included"));
        false
    }

    fn unknown_field(&mut self, id: TypeId, field: Name<'f>) {
        let mut names: Vec<&str> = Vec::new();
        for at in self.cx.types.ancestors(id) {
            names.extend(self.cx.types.structure(at).into_iter().flat_map(|info| info.by_name.keys().copied()));
        }
        let owner = self.cx.type_text(Type::Ref(id));
        let report = Report::new(Code::Fields, field.span, format!("`{owner}` has no field `{}`", field.text));
        let near = nearest(field.text, names.iter().copied());
        self.cx.report(match near {
            Some(near) => report.did_you_mean(near),
            None if names.is_empty() => report.hint("it has no fields"),
            None => report.hint(format!("it has: {}", names.join(", "))),
        });
    }

    /// `e.name`: a field, or a member of an enum.
    pub(super) fn field(&mut self, of: &'f Expr<'f>, name: Name<'f>, span: Span) -> Typed {
        if let ExprKind::Name(owner) = of.kind
            && let Found::Item(entry) = self.find(owner)
        {
            match entry {
                Entry::Enum(id) => return self.enum_member(id, owner, name.text, name.span, span),
                Entry::Use(_) => {
                    let message = format!("`{owner}.{}` is an instruction, not a value", name.text);
                    let report = Report::new(Code::WrongKind, span, message);
                    self.cx.report(report.hint(format!("send it: `{owner}.{}(..)`", name.text)));
                    return Typed::error(span);
                }
                Entry::Global(_) => {}
                Entry::Unknown => return Typed::error(span),
                _ => {
                    let message = format!("`{owner}` is {}: it has no fields", entry.describe());
                    self.cx.error(Code::WrongKind, span, message);
                    return Typed::error(span);
                }
            }
        }
        let of = self.infer(of, None);
        let Some((id, number, field)) = self.field_of(&of, name) else { return Typed::error(span) };
        let ty = field.storage.value();
        if ty == Type::OptBuf {
            let report = Report::new(Code::Moved, span, format!("the `buf` in `{}` can only be taken out", name.text));
            self.cx.report(report.hint("write `take(..)` around it, which leaves null"));
            return Typed::error(span);
        }
        Typed::new(Ty::Of(ty), Kind::Node(Instr::FieldGet(id, number), alloc::vec![of]), span)
    }

    /// The field of a struct's value; reports what has none.
    pub(super) fn field_of(&mut self, of: &Typed, name: Name<'f>) -> Option<(TypeId, FieldId, StructField)> {
        match of.ty {
            Ty::Of(Type::Ref(id)) if self.cx.types.structure(id).is_some() => {
                let found = self.cx.find_field(id, name.text);
                if found.is_none() {
                    self.unknown_field(id, name);
                }
                found.map(|(number, field, _)| (id, number, field))
            }
            Ty::Error => None,
            Ty::Nothing | Ty::Many => {
                self.no_single_value(of);
                None
            }
            Ty::Of(Type::Opt(id)) if self.cx.types.structure(id).is_some() => {
                let report = Report::new(Code::MayBeNull, of.span, format!("{} may be null", self.cx.describe(of)));
                self.cx.report(report.hint("unwrap it: `if let x = .. { .. }`, or `(.. as T).field`, which traps"));
                None
            }
            _ => {
                let found = self.cx.describe(of);
                let report = Report::new(Code::Fields, name.span, format!("{found} has no fields"));
                self.cx.report(match name.text {
                    "len" | "length" | "size" | "count" => report.hint("write `len(x)`"),
                    _ => report.hint("only structs have fields; built-in functions are called by name: `len(s)`"),
                });
                None
            }
        }
    }

    // `take`, `freeze`, functions

    /// `take(place)`: moves a `?buf` out and leaves null.
    pub(super) fn take(&mut self, args: &'f [ast::Arg<'f>], span: Span) -> Typed {
        let [ast::Arg { name: None, value: place }] = args else {
            self.cx.error(Code::Count, span, "`take` takes one place");
            return Typed::error(span);
        };
        let kind = match &place.kind {
            ExprKind::Name(name) => match self.find(name) {
                Found::Item(Entry::Global(id)) => {
                    self.impure(place.span, "takes from a global");
                    let ty = self.cx.globals[id].ty;
                    Some((ty, Kind::Node(Instr::GlobalTake(GlobalId(id as u32)), Vec::new())))
                }
                Found::Local(_) => {
                    let report = Report::new(Code::WrongKind, place.span, format!("`{name}` is a local"));
                    self.cx.report(report.hint(format!("naming it moves it: write `{name}` alone")));
                    return Typed::error(span);
                }
                _ => None,
            },
            ExprKind::Field { of, name } => {
                let of = self.infer(of, None);
                let Some((id, number, field)) = self.field_of(&of, *name) else { return Typed::error(span) };
                Some((Ty::Of(field.storage.value()), Kind::Node(Instr::FieldTake(id, number), alloc::vec![of])))
            }
            ExprKind::Index { of, index } => {
                let of = self.operand(of, None);
                let index = self.value(index, Type::I32);
                self.array_of(&of).map(|(id, def)| {
                    (Ty::Of(def.element.value()), Kind::Node(Instr::ArrayTake(id), alloc::vec![of, index]))
                })
            }
            _ => None,
        };
        match kind {
            Some((Ty::Of(Type::OptBuf), kind)) => Typed::new(Ty::Of(Type::OptBuf), kind, span),
            Some((Ty::Error, _)) => Typed::error(span),
            _ => {
                let report = Report::new(
                    Code::WrongKind,
                    place.span,
                    "`take` moves a `?buf` out of a field, an element or a global",
                );
                self.cx.report(report.hint("other values are read by naming them"));
                Typed::error(span)
            }
        }
    }

    /// `freeze(x)`: an equal value in shared memory.
    pub(super) fn freeze(&mut self, args: &'f [ast::Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        let [ast::Arg { name: None, value }] = args else {
            self.cx.error(Code::Count, span, "`freeze` takes one value");
            return Typed::error(span);
        };
        let typed = self.infer(value, hint);
        match typed.ty {
            Ty::Error => Typed::error(span),
            Ty::Of(ty) if ty.is_reference() && self.cx.types.is_sendable(ty) => {
                Typed::new(typed.ty, Kind::Node(Instr::Freeze, alloc::vec![typed]), span)
            }
            _ => {
                let found = self.cx.describe(&typed);
                let report = Report::new(Code::NotSendable, typed.span, format!("{found} cannot be frozen"));
                self.cx.report(report.hint("`freeze` takes `str`, frozen structs, and `[T]` and `?T` of sendables"));
                Typed::error(span)
            }
        }
    }

    /// `&name`
    pub(super) fn func_ref(&mut self, path: &'f ast::Path<'f>, span: Span) -> Typed {
        let text = path.text();
        match self.cx.entry(&text) {
            Some(Entry::Func(id)) => {
                self.cx.note_item(path.span, Entry::Func(id));
                self.impure(span, "refers to a function");
                self.func_value(FuncId(id as u32), span)
            }
            Some(Entry::Unknown) => Typed::error(span),
            Some(entry) => {
                let message = format!("`{text}` is {}, not a function", entry.describe());
                let report = Report::new(Code::WrongKind, path.span, message);
                self.cx.report(report.hint("`&` makes a reference to a function; values need none"));
                Typed::error(span)
            }
            None => {
                let local = matches!(self.find(&text), Found::Local(_));
                let message = if local {
                    format!("`{text}` is a local, not a function")
                } else {
                    format!("there is no function `{text}`")
                };
                let report = Report::new(if local { Code::WrongKind } else { Code::UnknownName }, path.span, message);
                self.cx.report(report.hint("`&` makes a reference to a function that this module declares or imports"));
                Typed::error(span)
            }
        }
    }

    fn func_value(&mut self, id: FuncId, span: Span) -> Typed {
        let info = &self.cx.funcs[id.index()];
        debug_assert!(info.kind == FuncKind::Plain, "only these have names");
        let (Some(params), Some(results)) = (super::types::known(&info.params), super::types::known(&info.results))
        else {
            return Typed::error(span);
        };
        match self.cx.func_type(params, results, span) {
            Some(ty) => Typed::new(Ty::Of(Type::Ref(ty)), Kind::Node(Instr::FuncRef(id, ty), Vec::new()), span),
            None => Typed::error(span),
        }
    }
}

/// Operands with their places, in the order of evaluation.
fn ordered(instr: Instr<'static>, args: Vec<(usize, Typed)>) -> Kind {
    let in_place = args.windows(2).all(|pair| pair[0].0 < pair[1].0);
    if !in_place && !args.iter().all(|(_, arg)| arg.is_stable()) {
        return Kind::Reordered(instr, args);
    }
    let mut args = args;
    args.sort_by_key(|(place, _)| *place);
    Kind::Node(instr, args.into_iter().map(|(_, arg)| arg).collect())
}
