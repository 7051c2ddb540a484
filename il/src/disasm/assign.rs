//! Assignments and declarations.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::stmt::{Dests, Writer};
use super::tree::{Expr, Node};
use crate::op::Form;
use crate::{GlobalId, LocalId, Type};

impl Writer<'_, '_> {
    fn target(&mut self, dest: Option<LocalId>) -> String {
        match dest {
            Some(id) => {
                self.check_local(id);
                self.exprs.names.local(id)
            }
            None => String::from("_"),
        }
    }

    /// An assignment, a declaration, or (at a value block's end) the value alone.
    pub fn assign(&mut self, dests: &Dests, source: &Expr, value_only: bool) -> String {
        let is_declared =
            |writer: &Self, dest: &Option<LocalId>| dest.is_none_or(|id| writer.exprs.names.is_declared(id));
        if value_only {
            let ty = dests.first().copied().flatten().and_then(|id| self.local_type(id));
            return self.text(source, ty);
        }
        if dests.iter().all(Option::is_none) {
            return self.discard(dests, source);
        }
        if dests.iter().all(|dest| is_declared(self, dest)) {
            return self.reassign(dests, source);
        }
        let some_declared = dests.iter().flatten().any(|id| self.exprs.names.is_declared(*id));
        if some_declared || (dests.len() > 1 && !self.fit_exactly(dests, source)) {
            // Text has no assignment that declares some of its destinations only, or states several types.
            dests.iter().flatten().for_each(|id| self.check_local(*id));
            return self.reassign(dests, source);
        }
        let annotation = self.annotation(dests, source);
        // The value does not see what is declared with it.
        let value = self.text(source, annotation);
        let pattern = self.pattern(dests, 1);
        let ty = annotation.map_or_else(String::new, |ty| format!(": {}", self.exprs.names.ty(ty)));
        format!("{pattern}{ty} = {value}")
    }

    /// Evaluates for the effect alone.
    fn discard(&mut self, dests: &Dests, source: &Expr) -> String {
        if self.exprs.is_if(source)
            && let Some(ty) = self.exprs.typing.ty(source)
        {
            // Else the first branch would say of what type all are.
            return format!("let _: {} = {}", self.exprs.names.ty(ty), self.text(source, Some(ty)));
        }
        let value = self.text(source, None);
        let several = dests.len() != 1;
        match source {
            Expr::Node(Node::Call(_), _) => value,
            Expr::Node(Node::Try(_), _) if several => value,
            _ => format!("_ = {value}"),
        }
    }

    /// Whether the results have the very types of the locals.
    pub fn fit_exactly(&self, dests: &Dests, source: &Expr) -> bool {
        let Some(results) = self.exprs.typing.results(source) else { return false };
        let same =
            |(dest, result): (&Option<LocalId>, &Type)| dest.is_none_or(|id| self.local_type(id) == Some(*result));
        dests.len() == results.len() && dests.iter().zip(&results).all(same)
    }

    fn reassign(&mut self, dests: &Dests, source: &Expr) -> String {
        if let [Some(id)] = dests {
            let name = self.target(Some(*id));
            let ty = self.local_type(*id);
            return self.assignment(&name, source, ty, |expr| matches!(expr, Expr::Local(other) if other == id));
        }
        let targets: Vec<String> = dests.iter().map(|dest| self.target(*dest)).collect();
        let value = self.text(source, None);
        format!("({}) = {value}", targets.join(", "))
    }

    pub fn set_global(&mut self, id: GlobalId, value: &Expr) -> String {
        let name = self.exprs.names.global(id);
        let ty = self.exprs.typing.module.global_type(id);
        self.assignment(&name, value, ty, |expr| matches!(expr, Expr::Global(other) if *other == id))
    }

    /// `name = value`, or `name += value` where that is what it says.
    fn assignment(&mut self, name: &str, value: &Expr, ty: Option<Type>, same: impl Fn(&Expr) -> bool) -> String {
        if let Expr::Node(Node::Op(op, _), args) = value
            && let [left, right] = &args[..]
            && let Some(symbol) = assigning(op.info().text, op.info().form)
            && same(left)
            // A whole right side that is an `if` is more than an operand.
            && !self.exprs.is_if(right)
        {
            return format!("{name} {symbol}= {}", self.text(right, ty));
        }
        format!("{name} = {}", self.text(value, ty))
    }

    /// The type that a declaration must state.
    fn annotation(&self, dests: &Dests, source: &Expr) -> Option<Type> {
        let [Some(id)] = dests else { return None };
        let ty = self.local_type(*id)?;
        self.exprs.needs_type(source, ty).then_some(ty)
    }

    /// `let x` or `var (a, _)`; `sites` assignments are part of the declaration.
    pub fn pattern(&mut self, dests: &Dests, sites: usize) -> String {
        let again = |id: &LocalId| self.assigned.get(id).is_some_and(|count| *count > sites);
        let word = if dests.iter().flatten().any(again) { "var" } else { "let" };
        let names: Vec<String> =
            dests.iter().map(|dest| dest.map_or_else(|| String::from("_"), |id| self.declare(id))).collect();
        match &names[..] {
            [one] => format!("{word} {one}"),
            _ => format!("{word} ({})", names.join(", ")),
        }
    }

    /// Several values at once: all are evaluated before the first is assigned.
    pub fn assign_many(&mut self, indent: usize, dests: &Dests, values: &[Expr]) {
        let mut held = Vec::new();
        for (dest, value) in dests.iter().zip(values) {
            let Some(id) = dest else {
                let text = self.discard(&[None], value);
                self.line(indent, &text);
                continue;
            };
            let ty = self.local_type(*id);
            let annotation = ty.filter(|ty| self.exprs.needs_type(value, *ty));
            let text = self.text(value, annotation);
            let name = self.exprs.names.temporary("v");
            let ty = annotation.map_or_else(String::new, |ty| format!(": {}", self.exprs.names.ty(ty)));
            self.line(indent, &format!("let {name}{ty} = {text}"));
            held.push((*id, name));
        }
        for (id, name) in held {
            let text = if self.exprs.names.is_declared(id) {
                format!("{} = {name}", self.exprs.names.local(id))
            } else {
                format!("{} = {name}", self.pattern(&[Some(id)], 1))
            };
            self.line(indent, &text);
        }
    }
}

/// The operator in front of `=`, if it may stand there.
fn assigning(text: &'static str, form: Form) -> Option<&'static str> {
    let may = matches!(text, "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "<<" | ">>");
    (may && form == Form::Infix).then_some(text)
}
