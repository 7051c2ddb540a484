//! Arrays: literals, `new [T](n, fill)`, indexing, length.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Expr, TypeExpr};
use super::super::diag::{Code, Report, Span};
use super::body::Body;
use super::typed::{Kind, Ty, Typed};
use crate::instr::Instr;
use crate::limits;
use crate::op::Form;
use crate::types::{ArrayDef, Storage, Type, TypeId};

impl<'f> Body<'_, '_, 'f, '_> {
    /// The array type behind an expression's.
    pub(super) fn array_of(&self, of: &Typed) -> Option<(TypeId, ArrayDef)> {
        let Ty::Of(Type::Ref(id)) = of.ty else { return None };
        self.cx.types.array(id).map(|def| (id, def))
    }

    /// `[a, b, c]`: of the array type that is expected, else `[T]` of what the elements are.
    pub(super) fn array_literal(&mut self, list: &'f [Expr<'f>], hint: Option<Type>, span: Span) -> Typed {
        self.cx.limit(list.len(), limits::ARRAY_LITERAL, "elements of an array literal", span);
        let wanted = hint.and_then(|hint| hint.def()).and_then(|id| Some((id, self.cx.types.array(id)?)));
        if let Some((id, def)) = wanted {
            let element = def.element.value();
            let args: Vec<Typed> = list.iter().map(|value| self.value(value, element)).collect();
            return array_of_elements(id, args, span);
        }
        let mut args: Vec<Typed> = Vec::new();
        let mut common: Option<Ty> = None;
        for value in list {
            let hint = if let Some(Ty::Of(ty)) = common { Some(ty) } else { None };
            let arg = self.branch(value, hint);
            common = Some(common.map_or(arg.ty, |common| self.common(common, arg.ty)));
            args.push(arg);
        }
        let element = match common {
            None => {
                let report = Report::new(Code::Mismatch, span, "the type of this empty array is not known");
                self.cx.report(report.hint("name it: `let a: [i32] = []`, or write `new [i32](0, 0)`"));
                return Typed::error(span);
            }
            Some(Ty::Of(ty)) => ty,
            Some(Ty::Int) => Type::I32,
            Some(Ty::Float) => Type::F64,
            Some(Ty::Error) => return Typed::error(span),
            Some(Ty::Null | Ty::Nothing | Ty::Many) => {
                let open = args.into_iter().find(|arg| matches!(arg.ty, Ty::Null | Ty::Nothing | Ty::Many));
                if let Some(open) = open {
                    self.settle(open);
                }
                return Typed::error(span);
            }
        };
        let args: Vec<Typed> = args.into_iter().map(|arg| self.coerce(arg, element)).collect();
        if args.iter().any(|arg| arg.ty == Ty::Error) || !self.check_element(element, span) {
            return Typed::error(span);
        }
        match self.cx.array_type(false, Storage::Value(element), span) {
            Some(id) => array_of_elements(id, args, span),
            None => Typed::error(span),
        }
    }

    /// The type of elements, from those so far and the next one.
    fn common(&self, before: Ty, next: Ty) -> Ty {
        match (before, next) {
            (Ty::Error, _) | (_, Ty::Error) => Ty::Error,
            (Ty::Of(a), Ty::Of(b)) => Ty::Of(self.cx.types.join(a, b).unwrap_or(a)),
            (Ty::Of(ty), Ty::Null) | (Ty::Null, Ty::Of(ty)) => Ty::Of(ty.nullable().unwrap_or(ty)),
            (Ty::Of(ty), _) | (_, Ty::Of(ty)) => Ty::Of(ty),
            (Ty::Int, Ty::Float) | (Ty::Float, Ty::Int) => Ty::Float,
            (Ty::Nothing | Ty::Many, _) => before,
            _ => next,
        }
    }

    fn check_element(&mut self, element: Type, span: Span) -> bool {
        let owned = matches!(element, Type::Buf | Type::BufRef | Type::OptBuf);
        if owned {
            let report = Report::new(Code::Struct, span, "a `buf` can only be in a `mut [?buf]`");
            self.cx.report(report.hint("name the type: `let a: mut [?buf] = ..`"));
        }
        !owned
    }

    /// `new [T](n, fill)`, `new mut [T](n, fill)`
    pub(super) fn new_array(
        &mut self,
        ty: &'f TypeExpr<'f>,
        length: &'f Expr<'f>,
        fill: &'f Expr<'f>,
        span: Span,
    ) -> Typed {
        let array = match self.cx.ty(ty, false) {
            Ty::Of(Type::Ref(id)) => self.cx.types.array(id).map(|def| (id, def)),
            _ => None,
        };
        let length = self.value(length, Type::I32);
        let fill = match array {
            Some((_, def)) => self.value(fill, def.element.value()),
            None => self.infer(fill, None),
        };
        let Some((id, def)) = array else { return Typed::error(span) };
        if length.ty == Ty::Error || fill.ty == Ty::Error {
            return Typed::error(span);
        }
        if def.element.value() == Type::OptBuf && !matches!(fill.kind, Kind::Null(_)) {
            let report = Report::new(Code::Moved, fill.span, "one `buf` cannot be every element");
            self.cx.report(report.hint("fill with `null`, then assign each element"));
            return Typed::error(span);
        }
        let kind = Kind::Node(Instr::ArrayNew(id), alloc::vec![length, fill]);
        Typed::new(Ty::Of(Type::Ref(id)), kind, span)
    }

    /// `a[i]` of an array, a `str` or a `buf`.
    pub(super) fn index(&mut self, of: &'f Expr<'f>, index: &'f Expr<'f>, span: Span, hint: Option<Type>) -> Typed {
        self.with_borrows(|body| {
            let of = body.operand(of, None);
            let index = body.operand(index, Some(Type::I32));
            body.element(of, index, span, hint)
        })
    }

    /// An element, read.
    pub(super) fn element(&mut self, of: Typed, index: Typed, span: Span, hint: Option<Type>) -> Typed {
        let Some((id, def)) = self.array_of(&of) else {
            if self.check_indexable(&of) {
                return self.operator(Form::Index, "[]", alloc::vec![of, index], span, hint);
            }
            return Typed::error(span);
        };
        let ty = def.element.value();
        let index = self.coerce(index, Type::I32);
        if index.ty == Ty::Error {
            return Typed::error(span);
        }
        if ty == Type::OptBuf {
            let report = Report::new(Code::Moved, span, "the `buf` in an element can only be taken out");
            self.cx.report(report.hint("write `take(a[i])`, which leaves null"));
            return Typed::error(span);
        }
        Typed::new(Ty::Of(ty), Kind::Node(Instr::ArrayGet(id), alloc::vec![of, index]), span)
    }

    /// Reports what may be null where it is reached into.
    pub(super) fn check_indexable(&mut self, of: &Typed) -> bool {
        let nullable = match of.ty {
            Ty::Of(Type::Opt(id)) => self.cx.types.array(id).is_some(),
            Ty::Of(Type::OptStr | Type::OptBuf) => true,
            _ => false,
        };
        if nullable {
            let report = Report::new(Code::MayBeNull, of.span, format!("{} may be null", self.cx.describe(of)));
            self.cx.report(report.hint("unwrap it: `if let x = .. { .. }`, or `(.. as T)`, which traps"));
        }
        !nullable
    }

    /// An element as a place: what it is stored as, if it can be assigned.
    pub(super) fn mutable_element(&mut self, of: &Typed, span: Span) -> Option<(TypeId, Type)> {
        let (id, def) = self.array_of(of)?;
        if !def.mutable {
            let text = self.cx.type_text(Type::Ref(id));
            let report = Report::new(Code::NotMutable, span, format!("the elements of a `{text}` do not change"));
            self.cx.report(report.hint(format!("make it a `mut {text}`: `new mut {text}(n, fill)`")));
            return None;
        }
        Some((id, def.element.value()))
    }
}

fn array_of_elements(id: TypeId, args: Vec<Typed>, span: Span) -> Typed {
    if args.iter().any(|arg| arg.ty == Ty::Error) {
        return Typed::error(span);
    }
    let count = args.len() as u32;
    Typed::new(Ty::Of(Type::Ref(id)), Kind::Node(Instr::ArrayOf(id, count), args), span)
}
