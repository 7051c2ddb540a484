//! `match` on strings, which the front end turns into a hidden local and a chain of `if`s.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::expr::quoted;
use super::names::Names;
use super::tree::{Block, Expr, Node, Stmt, Test, visit};
use super::typing::Typing;
use crate::op::Op;
use crate::{LocalId, StrId, Type};

/// Finds such chains in one function.
pub(super) struct StrMatches<'a, 'm> {
    typing: &'a Typing<'m>,
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

impl<'a, 'm> StrMatches<'a, 'm> {
    pub fn new(typing: &'a Typing<'m>, block: &Block) -> Self {
        let mut reads = vec![0; typing.func.sig.params.len() + typing.func.locals.len()];
        visit(block, &mut |stmt| stmt.roots().into_iter().for_each(|root| count_reads(root, &mut reads)));
        StrMatches { typing, reads }
    }

    /// Whether two statements are one: `let hidden = subject` and a chain of tests of `hidden`,
    /// which nothing else reads.
    pub fn find<'s>(&self, names: &Names, first: &'s Stmt, second: &'s Stmt) -> Option<StrMatch<'s>> {
        let Stmt::Assign(dests, subject) = first else { return None };
        let [Some(hidden)] = dests[..] else { return None };
        if self.typing.local(hidden) != Some(Type::Str) || !names.is_hidden(hidden) {
            return None;
        }
        let mut arms = Vec::new();
        let mut tests = 0;
        let mut chain = second;
        let default = loop {
            let Stmt::If(Test::Is(test), block, Some(other)) = chain else { return None };
            let mut values = Vec::new();
            compared(test, hidden, &mut values)?;
            tests += values.len();
            arms.push((self.pattern(&values)?, block));
            match &other[..] {
                [next @ Stmt::If(Test::Is(test), ..)] if compared(test, hidden, &mut Vec::new()).is_some() => {
                    chain = next;
                }
                _ => break other,
            }
        };
        (self.reads.get(hidden.index()) == Some(&tests)).then_some(StrMatch { subject, arms, default })
    }

    fn pattern(&self, values: &[StrId]) -> Option<String> {
        let texts: Option<Vec<String>> =
            values.iter().map(|id| self.typing.module.strings.get(id.index()).map(|text| quoted(text))).collect();
        texts.map(|texts| texts.join(" | "))
    }
}

fn count_reads(expr: &Expr, reads: &mut [usize]) {
    if let Expr::Local(id) = expr
        && let Some(count) = reads.get_mut(id.index())
    {
        *count += 1;
    }
    expr.operands().iter().for_each(|operand| count_reads(operand, reads));
}

/// The literals of `hidden == a || hidden == b || ..`.
fn compared(test: &Expr, hidden: LocalId, values: &mut Vec<StrId>) -> Option<()> {
    match test {
        Expr::Node(Node::Op(Op::StrEq, _), args) => match args[..] {
            [Expr::Local(id), Expr::Str(value)] if id == hidden => {
                values.push(value);
                Some(())
            }
            _ => None,
        },
        Expr::Node(Node::Cond(_), parts) => match &parts[..] {
            [first, Expr::Bool(true), last] => {
                compared(first, hidden, values)?;
                compared(last, hidden, values)
            }
            _ => None,
        },
        _ => None,
    }
}
