//! Expressions with parts that only statements can do (several branches with a local of their own, runs of
//! programs, fields given in another order): what is evaluated before such a part goes into locals, in order.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::super::diag::Span;
use super::body::Body;
use super::typed::{Callee, IfLet, Kind, Ty, Typed};
use crate::instr::Instr;
use crate::types::{LocalId, Type};

impl Body<'_, '_, '_, '_> {
    /// Emits an expression whose value is wanted, at a statement's beginning.
    pub(super) fn emit_root(&mut self, typed: Typed) {
        let typed = self.simplify(typed);
        self.emit(&typed);
    }

    /// The same for several expressions, whose values lie on each other.
    pub(super) fn emit_roots(&mut self, list: Vec<Typed>) {
        let list = self.simplify_all(list);
        self.emit_all(&list);
    }

    /// A call at a statement's root, its results going to `dests`.
    pub(super) fn emit_root_set(&mut self, typed: Typed, dests: &[Option<LocalId>]) {
        let typed = match typed.kind {
            Kind::Call { callee, tries, args } => {
                let args = self.simplify_all(args);
                Typed { kind: Kind::Call { callee, tries, args }, ..typed }
            }
            kind => self.simplify(Typed { kind, ..typed }),
        };
        // One result is a value like any other; only programs give theirs to locals alone.
        let value = matches!(&typed.kind, Kind::Call { callee, .. } if !matches!(callee, Callee::Run(..) | Callee::RunSend(..)));
        if value && dests.len() == 1 {
            self.emit(&typed);
            self.writer.set(dests);
        } else {
            self.emit_call_set(&typed, dests);
        }
    }

    /// The expression without complex parts: they are emitted before it.
    pub(super) fn simplify(&mut self, typed: Typed) -> Typed {
        if !typed.is_complex() {
            return typed;
        }
        let Typed { ty, kind, span } = typed;
        let kind = match kind {
            Kind::Node(instr, args) => Kind::Node(instr, self.simplify_all(args)),
            Kind::Op(op, immediate, args) => Kind::Op(op, immediate, self.simplify_all(args)),
            Kind::Call { callee: callee @ (Callee::Run(..) | Callee::RunSend(..)), tries, args } => {
                let args = self.simplify_all(args);
                let local = (ty != Ty::Nothing).then(|| self.temporary(ty, span));
                let call = Typed::new(ty, Kind::Call { callee, tries, args }, span);
                let dests: Vec<Option<LocalId>> = local.map(Some).into_iter().collect();
                self.emit_call_set(&call, &dests);
                return local.map_or(Typed::error(span), |local| self.read_temporary(local, ty, span));
            }
            Kind::Call { callee, tries, args } => Kind::Call { callee, tries, args: self.simplify_all(args) },
            Kind::Reordered(instr, args) => self.reorder(instr, args),
            Kind::Lend(owned) => {
                let local = self.temporary(owned.ty, span);
                self.emit_root(*owned);
                self.writer.set(&[Some(local)]);
                self.hold_lent(local);
                Kind::Get(local)
            }
            Kind::Wider(inner) => {
                let inner = self.simplify(*inner);
                match inner.kind {
                    Kind::Cond(_) | Kind::Select(_) => Kind::Wider(Box::new(inner)),
                    kind => kind,
                }
            }
            Kind::Select(parts) => Kind::Select(Box::new(self.simplify_parts(*parts))),
            Kind::Cond(parts) => return self.simplify_cond(*parts, ty, span),
            Kind::IfLet(inner) => return self.simplify_if_let(*inner, ty, span),
            kind => kind,
        };
        Typed::new(ty, kind, span)
    }

    fn simplify_all(&mut self, list: Vec<Typed>) -> Vec<Typed> {
        let Some(last) = list.iter().rposition(Typed::is_complex) else { return list };
        let mut simple = Vec::new();
        for (at, typed) in list.into_iter().enumerate() {
            simple.push(match at.cmp(&last) {
                core::cmp::Ordering::Less => self.keep(typed),
                core::cmp::Ordering::Equal => self.simplify(typed),
                core::cmp::Ordering::Greater => typed,
            });
        }
        simple
    }

    fn simplify_parts<const N: usize>(&mut self, parts: [Typed; N]) -> [Typed; N] {
        let mut simple = self.simplify_all(parts.into()).into_iter();
        // As many come out as go in.
        core::array::from_fn(|_| simple.next().unwrap_or(Typed::error(Span::default())))
    }

    /// Evaluates now what is used later.
    pub(super) fn keep(&mut self, typed: Typed) -> Typed {
        let typed = self.simplify(typed);
        if typed.is_stable() { typed } else { self.spill(typed) }
    }

    /// Keeps a value for later in a local of its own.
    pub(super) fn spill(&mut self, typed: Typed) -> Typed {
        let (ty, span) = (typed.ty, typed.span);
        if ty == Ty::Error || matches!(typed.kind, Kind::Value(_) | Kind::Null(_)) {
            return typed;
        }
        let local = self.temporary(ty, span);
        self.emit_root(typed);
        self.writer.set(&[Some(local)]);
        self.read_temporary(local, ty, span)
    }

    fn read_temporary(&self, local: LocalId, ty: Ty, span: Span) -> Typed {
        let affine = matches!(ty, Ty::Of(Type::Buf | Type::OptBuf));
        Typed::new(ty, if affine { Kind::Take(local) } else { Kind::Get(local) }, span)
    }

    fn reorder(&mut self, instr: Instr<'static>, args: Vec<(usize, Typed)>) -> Kind {
        let mut placed: Vec<(usize, Typed)> = Vec::new();
        for (place, arg) in args {
            placed.push((place, self.keep(arg)));
        }
        placed.sort_by_key(|(place, _)| *place);
        Kind::Node(instr, placed.into_iter().map(|(_, arg)| arg).collect())
    }

    fn simplify_cond(&mut self, parts: [Typed; 3], ty: Ty, span: Span) -> Typed {
        let [condition, yes, no] = parts;
        let condition = self.simplify(condition);
        if !yes.is_complex() && !no.is_complex() {
            return Typed::new(ty, Kind::Cond(Box::new([condition, yes, no])), span);
        }
        let local = self.temporary(ty, span);
        self.emit(&condition);
        self.writer.push(Instr::If);
        self.branches(local, yes, no);
        self.read_temporary(local, ty, span)
    }

    fn simplify_if_let(&mut self, inner: IfLet, ty: Ty, span: Span) -> Typed {
        let IfLet { subject, ty: target, local: bound, yes, no } = inner;
        let local = self.temporary(ty, span);
        self.emit_root(subject);
        self.writer.push(Instr::IfAs(target, bound));
        self.branches(local, yes, no);
        self.read_temporary(local, ty, span)
    }

    fn branches(&mut self, local: LocalId, yes: Typed, no: Typed) {
        self.branch_value(local, yes);
        self.writer.push(Instr::Else);
        self.branch_value(local, no);
        self.writer.push(Instr::End);
    }

    /// One branch's value; what it lends ends with it.
    fn branch_value(&mut self, local: LocalId, value: Typed) {
        let (state, lent) = (self.state, self.lent.len());
        self.emit_root(value);
        self.writer.set(&[Some(local)]);
        for id in self.lent.split_off(lent) {
            self.writer.push(Instr::Take(id));
            self.writer.set(&[None]);
        }
        self.state = state;
    }
}
