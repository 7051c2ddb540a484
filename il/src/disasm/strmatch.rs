//! `match` on strings, which the front end turns into a hidden local and a chain of `if`s.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::expr::quoted;
use super::names::Names;
use super::tree::{Block, Expr, Source, Stmt};
use crate::instr::{Instr, Reader};
use crate::op::Op;
use crate::{Func, LocalId, Module, StrId, Type};

/// Finds such chains in one function.
pub(super) struct StrMatches<'a> {
    module: &'a Module,
    func: &'a Func,
    /// How often each local is read.
    reads: Vec<usize>,
}

/// A `match` on a string.
pub(super) struct StrMatch<'s> {
    pub subject: &'s Expr,
    /// Patterns and blocks.
    pub arms: Vec<(String, &'s Block)>,
    pub default: &'s Block,
}

impl<'a> StrMatches<'a> {
    pub fn new(module: &'a Module, func: &'a Func) -> Self {
        let mut reads = vec![0; func.sig.params.len() + func.locals.len()];
        let mut reader = Reader::new(&func.body);
        while let Ok(Some(instr)) = reader.next() {
            if let Instr::Get(id) = instr
                && let Some(count) = reads.get_mut(id.index())
            {
                *count += 1;
            }
        }
        StrMatches { module, func, reads }
    }

    /// Whether two statements are one: `let hidden = subject` and a chain of tests of `hidden`,
    /// which nothing else reads.
    pub fn find<'s>(&self, names: &Names, first: &'s Stmt, second: &'s Stmt) -> Option<StrMatch<'s>> {
        let Stmt::Assign(dests, Source::Value(subject)) = first else { return None };
        let [Some(hidden)] = dests[..] else { return None };
        if self.func.local_type(hidden.index()) != Some(Type::Str) || !names.is_hidden(hidden) {
            return None;
        }
        let mut arms = Vec::new();
        let mut tests = 0;
        let mut chain = second;
        let default = loop {
            let Stmt::If(test, block, Some(other)) = chain else { return None };
            let mut values = Vec::new();
            compared(test, hidden, &mut values)?;
            tests += values.len();
            arms.push((self.pattern(&values)?, block));
            match &other[..] {
                [next @ Stmt::If(test, ..)] if compared(test, hidden, &mut Vec::new()).is_some() => chain = next,
                _ => break other,
            }
        };
        (self.reads.get(hidden.index()) == Some(&tests)).then_some(StrMatch { subject, arms, default })
    }

    fn pattern(&self, values: &[StrId]) -> Option<String> {
        let texts: Option<Vec<String>> =
            values.iter().map(|id| self.module.strings.get(id.index()).map(|text| quoted(text))).collect();
        texts.map(|texts| texts.join(" | "))
    }
}

/// The literals of `hidden == a || hidden == b || ..`.
fn compared(test: &Expr, hidden: LocalId, values: &mut Vec<StrId>) -> Option<()> {
    match test {
        Expr::Op(Op::StrEq, _, args) => match args[..] {
            [Expr::Local(id), Expr::Str(value)] if id == hidden => {
                values.push(value);
                Some(())
            }
            _ => None,
        },
        Expr::Cond(_, parts) => match &**parts {
            [first, Expr::Bool(true), last] => {
                compared(first, hidden, values)?;
                compared(last, hidden, values)
            }
            _ => None,
        },
        _ => None,
    }
}
