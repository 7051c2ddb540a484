//! Branches and loops.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::stmt::{Dests, Enclosing, Writer, label, without_drops};
use super::tree::{Block, Expr, Stmt, Test, visit};
use super::typing::Typing;
use crate::{LocalId, Type};

impl Writer<'_, '_> {
    /// `if` and `match` as statements, or as a value.
    pub fn branches(&mut self, stmt: &Stmt, indent: usize, value: Option<&Dests>) {
        let (head, dests) = self.declaration(stmt, value);
        match stmt {
            Stmt::If(test, then, other) => self.choose(&head, test, then, other.as_ref(), indent, dests.as_deref()),
            Stmt::Switch(of, arms, default) => {
                let of = self.condition(of, None);
                let numbers =
                    |values: &[i64]| values.iter().map(|value| format!("{value}")).collect::<Vec<_>>().join(" | ");
                let arms: Vec<_> = arms.iter().map(|(values, block)| (numbers(values), block)).collect();
                self.select(&head, &of, &arms, default.as_ref(), indent, dests.as_deref());
            }
            _ => {}
        }
    }

    /// What stands in front of a branching statement, and which destinations its blocks end with: those
    /// of `value`, else those of the locals that it declares.
    pub fn declaration(&mut self, stmt: &Stmt, value: Option<&Dests>) -> (String, Option<Vec<Option<LocalId>>>) {
        if let Some(dests) = value {
            return (String::new(), Some(dests.to_vec()));
        }
        let Some(found) = self.declares(stmt) else { return (String::new(), None) };
        let annotation = match found.dests {
            [Some(id)] => self.local_type(*id).filter(|ty| self.exprs.needs_type(found.first, *ty)),
            _ => None,
        };
        let ty = annotation.map_or_else(String::new, |ty| format!(": {}", self.exprs.names.ty(ty)));
        (format!("{}{ty} = ", self.pattern(found.dests, found.sites)), Some(found.dests.to_vec()))
    }

    /// The locals that a branching statement declares by being their value.
    fn declares<'s>(&self, stmt: &'s Stmt) -> Option<Yields<'s>> {
        let found = yields(self.exprs.typing, stmt)?;
        let fresh = !found.dests.iter().flatten().any(|id| self.exprs.names.is_declared(*id));
        let fits = found.dests.len() == 1 || self.fit_exactly(found.dests, found.first);
        let any = found.dests.iter().any(Option::is_some);
        (fresh && fits && any && !assigns_more(stmt, &found)).then_some(found)
    }

    fn choose(
        &mut self,
        head: &str,
        test: &Test,
        then: &Block,
        other: Option<&Block>,
        indent: usize,
        value: Option<&Dests>,
    ) {
        self.open_then(&format!("{head}if"), test, then, indent, value);
        let mut other = other;
        while let Some(block) = other {
            if let [inner @ Stmt::If(test, then, next)] = &block[..]
                && (value.is_some() || self.declares(inner).is_none())
            {
                self.open_then("} else if", test, then, indent, value);
                other = next.as_ref();
            } else {
                self.line(indent, "} else {");
                self.block(block, indent + 1, value);
                other = None;
            }
        }
        self.line(indent, "}");
    }

    /// `if test {` and its block, or `if let x = subject {` and its block.
    fn open_then(&mut self, head: &str, test: &Test, then: &Block, indent: usize, value: Option<&Dests>) {
        let text = self.test(test);
        let Test::Binds(ty, local, _) = test else {
            self.line(indent, &format!("{head} {text} {{"));
            return self.block(then, indent + 1, value);
        };
        let changes = self.assigned.get(local).is_some_and(|count| *count > 1);
        if !changes && !self.exprs.names.is_declared(*local) && self.local_type(*local) == Some(*ty) {
            let name = self.exprs.names.declare(*local);
            self.line(indent, &format!("{head} let {name} = {text} {{"));
            return self.block_with(then, indent + 1, value, alloc::vec![*local]);
        }
        // What text binds is new, does not change, and has the very type.
        let bound = self.exprs.names.temporary("v");
        self.line(indent, &format!("{head} let {bound} = {text} {{"));
        if self.exprs.names.is_declared(*local) {
            let name = self.exprs.names.local(*local);
            self.line(indent + 1, &format!("{name} = {bound}"));
            return self.block(then, indent + 1, value);
        }
        let name = self.exprs.names.declare(*local);
        let declared = self.local_type(*local).unwrap_or(*ty);
        let declared = self.exprs.names.ty(declared);
        self.line(indent + 1, &format!("var {name}: {declared} = {bound}"));
        self.block_with(then, indent + 1, value, alloc::vec![*local]);
    }

    pub fn select(
        &mut self,
        head: &str,
        of: &str,
        arms: &[(String, &Block)],
        default: Option<&Block>,
        indent: usize,
        value: Option<&Dests>,
    ) {
        self.line(indent, &format!("{head}match {of} {{"));
        for (values, block) in arms {
            self.arm(values, block, indent + 1, value);
        }
        match default {
            Some(block) => self.arm("_", block, indent + 1, value),
            None => self.line(indent + 1, "_ => {}"),
        }
        self.line(indent, "}");
    }

    fn arm(&mut self, values: &str, block: &Block, indent: usize, value: Option<&Dests>) {
        if let [only] = &block[..]
            && fits_on_a_line(only)
        {
            self.scopes.push(Vec::new());
            let text = format!("{values} => {}", self.simple(only, value));
            let locals = self.scopes.pop().unwrap_or_default();
            self.exprs.names.leave(&locals);
            return self.line(indent, &text);
        }
        if block.is_empty() {
            return self.line(indent, &format!("{values} => {{}}"));
        }
        self.line(indent, &format!("{values} => {{"));
        self.block(block, indent + 1, value);
        self.line(indent, "}");
    }

    // Loops

    pub fn count(&mut self, indent: usize, local: LocalId, from: &Expr, to: &Expr, block: &Block) {
        let ty = self.local_type(local);
        // Bounds of literals only would be `i32`.
        let is_open = |expr: &Expr| self.exprs.typing.class(expr).is_open();
        let open = is_open(from) && is_open(to) && ty == Some(Type::I64);
        let (from, to) = (self.text(from, if open { None } else { ty }), self.text(to, ty));
        let mut changes = false;
        visit(block, &mut |stmt| changes |= stmt.assigned().contains(&local));
        let is_declared = self.exprs.names.is_declared(local);
        if !changes && !is_declared {
            let name = self.exprs.names.declare(local);
            return self.repeat(indent, &format!("for {name} in {from}..{to}"), block, alloc::vec![local]);
        }
        // What text counts in is new and does not change.
        let count = self.exprs.names.temporary("v");
        let (word, name, declared) = match is_declared {
            true => ("", self.exprs.names.local(local), Vec::new()),
            false => ("var ", self.exprs.names.declare(local), alloc::vec![local]),
        };
        let first = format!("{word}{name} = {count}");
        self.repeat_after(indent, &format!("for {count} in {from}..{to}"), &[first], block, declared);
    }

    pub fn repeat(&mut self, indent: usize, head: &str, block: &Block, declared: Vec<LocalId>) {
        self.repeat_after(indent, head, &[], block, declared);
    }

    /// A block, which text always gives a label.
    pub fn labelled(&mut self, indent: usize, block: &Block) {
        self.line(indent, &format!("'{}: {{", label(self.loops.len())));
        self.loops.push(Enclosing { labelled: true, is_block: true });
        self.block(block, indent + 1, None);
        self.loops.pop();
        self.line(indent, "}");
    }

    fn repeat_after(&mut self, indent: usize, head: &str, first: &[String], block: &Block, declared: Vec<LocalId>) {
        let before = core::mem::take(&mut self.out);
        self.loops.push(Enclosing { labelled: false, is_block: false });
        first.iter().for_each(|line| self.line(indent + 1, line));
        self.block_with(block, indent + 1, None, declared);
        let labelled = self.loops.pop().is_some_and(|own| own.labelled);
        let inside = core::mem::replace(&mut self.out, before);
        let label = if labelled { format!("'{}: ", label(self.loops.len())) } else { String::new() };
        self.line(indent, &format!("{label}{head} {{"));
        self.out.push_str(&inside);
        self.line(indent, "}");
    }
}

/// Whether a statement is one line of text.
fn fits_on_a_line(stmt: &Stmt) -> bool {
    stmt.blocks().is_empty() && !matches!(stmt, Stmt::AssignMany(..) | Stmt::Switch(..))
}

/// What all ways through a branching statement that complete end by assigning.
struct Yields<'s> {
    dests: &'s Dests,
    /// How many ways do so.
    sites: usize,
    /// The first value.
    first: &'s Expr,
}

/// Whether the statement assigns one of these locals before its end too, or binds it: it is not visible there.
fn assigns_more(stmt: &Stmt, found: &Yields<'_>) -> bool {
    let mut count = 0;
    let mut one = |inner: &Stmt| {
        count += inner.assigned().into_iter().filter(|id| found.dests.contains(&Some(*id))).count();
    };
    one(stmt);
    stmt.blocks().into_iter().for_each(|block| visit(block, &mut one));
    count > found.sites * found.dests.iter().flatten().count()
}

/// The same destinations, if all ways through an `if` or `match` that complete end by assigning them.
fn yields<'s>(typing: &Typing<'_>, stmt: &'s Stmt) -> Option<Yields<'s>> {
    let blocks: Vec<&Block> = match stmt {
        Stmt::If(_, then, Some(other)) => alloc::vec![then, other],
        Stmt::Switch(_, arms, Some(default)) => arms.iter().map(|(_, block)| block).chain([default]).collect(),
        _ => return None,
    };
    let mut found: Option<Yields<'_>> = None;
    for block in blocks {
        let last = without_drops(typing, block).last()?;
        if last.leaves() {
            continue;
        }
        let next = match last {
            Stmt::Assign(dests, first) => Yields { dests, sites: 1, first },
            inner => yields(typing, inner)?,
        };
        found = Some(match found {
            None => next,
            Some(known) if known.dests == next.dests => Yields { sites: known.sites + next.sites, ..known },
            Some(_) => return None,
        });
    }
    found
}
