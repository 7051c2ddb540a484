//! Assignments: to variables, globals, fields, elements and bytes of a `buf`.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Expr, ExprKind, Name};
use super::super::diag::{Code, Report, Span};
use super::Entry;
use super::body::{Body, Found};
use super::target::{Dest, Target};
use super::typed::{Kind, Ty, Typed};
use crate::instr::Instr;
use crate::op::Form;
use crate::types::{GlobalId, LocalId, Type};

/// What stands left of `=`.
enum Place {
    Local(LocalId),
    Global(GlobalId),
    /// `_`
    Nowhere,
}

impl<'f> Body<'_, '_, 'f, '_> {
    pub(super) fn assign(&mut self, place: &'f Expr<'f>, op: Option<&'static str>, value: &'f Expr<'f>) {
        match (&place.kind, op) {
            (ExprKind::Index { of, index }, _) => self.assign_index(of, index, op, value, place.span),
            (ExprKind::Field { of, name }, _) => self.assign_field(of, *name, op, value, place.span),
            (ExprKind::Tuple(places), None) => self.assign_tuple(places, value),
            (ExprKind::Name(name), None) => match self.place(name, place.span) {
                Some(place) => self.assign_plain(place, value),
                None => self.check_value(value),
            },
            (ExprKind::Name(name), Some(op)) => match self.place(name, place.span) {
                Some(found) => self.assign_op(found, op, value, place.span),
                None => self.check_value(value),
            },
            _ => {
                let report = Report::new(Code::NotMutable, place.span, "this cannot be assigned to");
                self.cx.report(
                    report.hint("left of `=` stands a `var`, a `global mut`, a `mut` field, or an element `a[i]`"),
                );
            }
        }
    }

    /// After an error on the left: errors of the right side are worth telling too.
    fn check_value(&mut self, value: &'f Expr<'f>) {
        if !is_block_like(value) {
            self.with_borrows(|body| body.infer(value, None));
        }
    }

    fn place(&mut self, name: &str, span: Span) -> Option<Place> {
        let (message, also) = match self.find(name) {
            _ if name == "_" => return Some(Place::Nowhere),
            Found::Local(id) => {
                let local = self.local(id);
                if local.mutable || local.ty == Ty::Error {
                    return (local.ty != Ty::Error).then_some(Place::Local(id));
                }
                (format!("`{name}` does not change"), Some((local.span, "declared here without `var`")))
            }
            Found::Item(Entry::Global(id)) => {
                if self.cx.globals[id].mutable {
                    self.impure(span, "writes a global");
                }
                let global = &self.cx.globals[id];
                if global.mutable {
                    return (global.ty != Ty::Error).then_some(Place::Global(GlobalId(id as u32)));
                }
                (
                    format!("the global `{name}` does not change"),
                    Some((global.name.span, "declared here without `mut`")),
                )
            }
            Found::Item(Entry::Unknown) => return None,
            Found::Own(_) => (format!("`{name}` is an instruction, it cannot be assigned to"), None),
            Found::Item(entry) => (format!("`{name}` is {}, it cannot be assigned to", entry.describe()), None),
            Found::Nothing => {
                self.unknown_name(name, span);
                return None;
            }
        };
        let report = Report::new(Code::NotMutable, span, message);
        let report = match also {
            Some((also, label)) => report.also(also, label),
            None => report,
        };
        self.cx.report(
            report.hint(format!("declare it with `var {name} = ..`, or `global mut {name} = ..` outside functions")),
        );
        None
    }

    fn place_type(&self, place: &Place) -> Option<Ty> {
        match place {
            Place::Local(id) => Some(self.local(*id).ty),
            Place::Global(id) => Some(self.cx.globals[id.index()].ty),
            Place::Nowhere => None,
        }
    }

    fn assign_plain(&mut self, place: Place, value: &'f Expr<'f>) {
        let ty = self.place_type(&place);
        match place {
            Place::Local(local) => {
                self.value_into(value, &mut Target::Dests(alloc::vec![Dest { local: Some(local), ty }]))
            }
            Place::Nowhere => self.value_into(value, &mut Target::Dests(alloc::vec![Dest { local: None, ty }])),
            Place::Global(id) => {
                let Some(Ty::Of(want)) = ty else { return };
                let value = self.plain_value(value, want);
                self.emit_root(value);
                self.writer.push(Instr::GlobalSet(id));
            }
        }
    }

    /// A right side as an operand: one with blocks, or a `try`, goes through a local.
    fn plain_value(&mut self, value: &'f Expr<'f>, want: Type) -> Typed {
        if !is_block_like(value) {
            return self.with_borrows(|body| body.value(value, want));
        }
        let local = self.temporary(Ty::Of(want), value.span);
        self.value_into(value, &mut Target::Dests(alloc::vec![Dest { local: Some(local), ty: Some(Ty::Of(want)) }]));
        let read = self.local_value(local, value.span);
        self.coerce(read, want)
    }

    fn assign_op(&mut self, place: Place, op: &'static str, value: &'f Expr<'f>, span: Span) {
        let Some(Ty::Of(want)) = self.place_type(&place) else {
            return self.cx.error(Code::WrongKind, span, "`_` holds nothing");
        };
        let old = match place {
            Place::Local(id) => self.local_value(id, span),
            Place::Global(id) => Typed::new(Ty::Of(want), Kind::Node(Instr::GlobalGet(id), Vec::new()), span),
            Place::Nowhere => return,
        };
        let new = self.combine(old, op, value, span, want);
        self.emit_root(new);
        match place {
            Place::Local(id) => self.writer.set(&[Some(id)]),
            Place::Global(id) => self.writer.push(Instr::GlobalSet(id)),
            Place::Nowhere => {}
        }
    }

    /// `old op value`, as a `want`; the old value is read first.
    fn combine(&mut self, old: Typed, op: &'static str, value: &'f Expr<'f>, span: Span, want: Type) -> Typed {
        let span = span.to(value.span);
        let new = if is_block_like(value) {
            let old = self.spill(old);
            let value = self.plain_value(value, want);
            self.operator(Form::Infix, op, alloc::vec![old, value], span, Some(want))
        } else {
            self.with_borrows(|body| {
                let value = body.operand(value, Some(want));
                body.operator(Form::Infix, op, alloc::vec![old, value], span, Some(want))
            })
        };
        self.coerce(new, want)
    }

    fn assign_index(
        &mut self,
        of: &'f Expr<'f>,
        index: &'f Expr<'f>,
        op: Option<&'static str>,
        value: &'f Expr<'f>,
        span: Span,
    ) {
        let typed = self.with_borrows(|body| {
            let array = body.operand(of, None);
            if body.array_of(&array).is_some() {
                return body.assign_element(array, index, op, value, span);
            }
            if !body.check_indexable(&array) || array.ty == Ty::Error {
                body.infer(index, None);
                return None;
            }
            let index = body.value(index, Type::I32);
            let early = op.is_some() || is_block_like(value);
            let index = if early { body.spill(index) } else { index };
            let late = if early { Some(body.index_value(of, &index, op, value, span)) } else { None };
            let value = match late {
                Some(value) => value,
                None => body.value(value, Type::I32),
            };
            // What the right side did to the `buf` counts: it is named anew.
            let array = if early { body.operand(of, None) } else { array };
            Some(body.operator(Form::IndexSet, "[]=", alloc::vec![array, index, value], span, None))
        });
        if let Some(typed) = typed {
            self.emit_root(typed);
        }
    }

    /// `a[i] = v`, `a[i] += v` of an array; array and index are evaluated once, before the value.
    fn assign_element(
        &mut self,
        array: Typed,
        index: &'f Expr<'f>,
        op: Option<&'static str>,
        value: &'f Expr<'f>,
        span: Span,
    ) -> Option<Typed> {
        let index = self.value(index, Type::I32);
        let Some((id, want)) = self.mutable_element(&array, span) else {
            self.check_value(value);
            return None;
        };
        let (array, index) = self.hold(array, index, op.is_some(), value);
        let value = match op {
            None => self.plain_value(value, want),
            Some(op) => {
                let old = self.element(again(&array), again(&index), span, None);
                self.combine(old, op, value, span, want)
            }
        };
        self.store(Instr::ArraySet(id), alloc::vec![array, index, value], span)
    }

    /// Operands of a place that are evaluated before the right side: kept in locals where they are used twice, or
    /// where the right side is more than a tree.
    fn hold(&mut self, first: Typed, second: Typed, twice: bool, value: &Expr<'_>) -> (Typed, Typed) {
        if is_block_like(value) {
            return (self.spill(first), self.spill(second));
        }
        match twice {
            true => (self.keep(first), self.keep(second)),
            false => (first, second),
        }
    }

    fn store(&mut self, instr: Instr<'static>, args: Vec<Typed>, span: Span) -> Option<Typed> {
        let intact = args.iter().all(|arg| arg.ty != Ty::Error);
        intact.then(|| Typed::new(Ty::Nothing, Kind::Node(instr, args), span))
    }

    /// `e.f = v`, `e.f += v`; the object is evaluated once, before the value.
    fn assign_field(
        &mut self,
        of: &'f Expr<'f>,
        name: Name<'f>,
        op: Option<&'static str>,
        value: &'f Expr<'f>,
        span: Span,
    ) {
        let typed = self.with_borrows(|body| {
            let object = body.infer(of, None);
            let Some((id, number, field)) = body.field_of(&object, name) else {
                body.check_value(value);
                return None;
            };
            if !field.mutable {
                let declared = body.cx.find_field(id, name.text).map(|(_, _, span)| span);
                let report = Report::new(Code::NotMutable, span, format!("the field `{}` does not change", name.text));
                let report = match declared {
                    Some(declared) => report.also(declared, "declared here without `mut`"),
                    None => report,
                };
                body.cx.report(report.hint(format!("declare it as `mut {}: ..`, or make a new object", name.text)));
                body.check_value(value);
                return None;
            }
            let want = field.storage.value();
            let (object, _) = body.hold(object, Typed::error(span), op.is_some(), value);
            let value = match op {
                None => body.plain_value(value, want),
                Some(_) if want == Type::OptBuf => return None,
                Some(op) => {
                    let get = Kind::Node(Instr::FieldGet(id, number), alloc::vec![again(&object)]);
                    body.combine(Typed::new(Ty::Of(want), get, span), op, value, span, want)
                }
            };
            body.store(Instr::FieldSet(id, number), alloc::vec![object, value], span)
        });
        if let Some(typed) = typed {
            self.emit_root(typed);
        }
    }

    /// The right side of an assignment to a byte, computed before the byte's place is named.
    fn index_value(
        &mut self,
        of: &'f Expr<'f>,
        index: &Typed,
        op: Option<&'static str>,
        value: &'f Expr<'f>,
        span: Span,
    ) -> Typed {
        let Some(op) = op else { return self.plain_value(value, Type::I32) };
        let again = again(index);
        let old = self.with_borrows(|body| {
            let of = body.operand(of, None);
            body.operator(Form::Index, "[]", alloc::vec![of, again], span, None)
        });
        let new = self.combine(old, op, value, span, Type::I32);
        if is_block_like(value) { self.spill(new) } else { new }
    }

    fn assign_tuple(&mut self, places: &'f [Expr<'f>], value: &'f Expr<'f>) {
        let mut found = Vec::new();
        for place in places {
            let ExprKind::Name(name) = place.kind else {
                let report = Report::new(Code::NotMutable, place.span, "several values are assigned to variables only");
                self.cx.report(report.hint("take them apart with `let (a, b) = ..` first"));
                return;
            };
            match self.place(name, place.span) {
                Some(Place::Local(id))
                    if found.iter().any(|old| matches!(old, Place::Local(other) if *other == id)) =>
                {
                    self.cx.error(Code::Duplicate, place.span, format!("`{name}` is assigned twice at once"));
                    return;
                }
                Some(place) => found.push(place),
                None => return,
            }
        }
        let dests = found.iter().map(|place| {
            let ty = self.place_type(place);
            let local = match place {
                Place::Local(id) => Some(*id),
                Place::Global(_) => Some(self.temporary(ty.unwrap_or(Ty::Error), value.span)),
                Place::Nowhere => None,
            };
            Dest { local, ty }
        });
        let dests: Vec<Dest> = dests.collect();
        let locals: Vec<Option<LocalId>> = dests.iter().map(|dest| dest.local).collect();
        self.value_into(value, &mut Target::Dests(dests));
        for (place, local) in found.iter().zip(locals) {
            if let (Place::Global(id), Some(local)) = (place, local) {
                self.writer.push(Instr::Get(local));
                self.writer.push(Instr::GlobalSet(*id));
            }
        }
    }
}

/// A right side that is more than a tree: it has blocks.
fn is_block_like(value: &Expr<'_>) -> bool {
    matches!(value.kind, ExprKind::If(_) | ExprKind::Match(_))
}

/// The same value once more, of what is kept in a local or a constant.
fn again(typed: &Typed) -> Typed {
    let kind = match &typed.kind {
        Kind::Get(local) => Kind::Get(*local),
        Kind::Value(value) => Kind::Value(value.clone()),
        Kind::Node(instr @ (Instr::Caller | Instr::Cap(..) | Instr::FuncRef(..)), _) => Kind::Node(*instr, Vec::new()),
        Kind::Null(own) => Kind::Null(*own),
        _ => return Typed::error(typed.span),
    };
    Typed::new(typed.ty, kind, typed.span)
}
