//! Where a local is declared whose first assignment does not stand in a block around all its uses: in the innermost
//! block that does.
//!
//! Not further out, as a block that a loop repeats must not find there what its last turn has moved or left.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::tree::{Block, Expr, Stmt};
use crate::LocalId;

/// The locals that blocks declare, by where their statements lie.
pub(super) type Homes = BTreeMap<usize, Vec<LocalId>>;

/// What tells a block with statements from all others.
pub(super) fn key(block: &Block) -> usize {
    block.as_ptr().addr()
}

/// For each of the locals the innermost block around its uses, which may be `body` itself.
pub(super) fn homes(body: &Block, locals: &[LocalId]) -> Homes {
    let mut walk = Walk { blocks: Vec::new(), homes: locals.iter().map(|id| (*id, None)).collect() };
    walk.block(body, None, true);
    let mut found = Homes::new();
    for id in locals {
        let at = walk.homes.get(id).copied().flatten().unwrap_or(0);
        let key = walk.blocks.get(at).map_or_else(|| key(body), |block| block.key);
        found.entry(key).or_default().push(*id);
    }
    found
}

struct Known {
    key: usize,
    parent: Option<usize>,
    depth: usize,
    /// Whether text surely writes it as a block of its own.
    is_block: bool,
}

struct Walk {
    /// Outer ones before inner ones.
    blocks: Vec<Known>,
    homes: BTreeMap<LocalId, Option<usize>>,
}

impl Walk {
    fn block(&mut self, block: &Block, parent: Option<usize>, is_block: bool) {
        let depth = parent.and_then(|at| self.blocks.get(at)).map_or(0, |outer| outer.depth + 1);
        let at = self.blocks.len();
        self.blocks.push(Known { key: key(block), parent, depth, is_block });
        for stmt in block {
            stmt.assigned().into_iter().for_each(|id| self.meet(id, at));
            let mut ahead = stmt.roots();
            while let Some(expr) = ahead.pop() {
                match expr {
                    Expr::Local(id) => self.meet(*id, at),
                    other => ahead.extend(other.operands()),
                }
            }
            // An arm of one line, and an `else` with one `if`, have no braces.
            let branches = matches!(stmt, Stmt::If(..) | Stmt::Switch(..));
            for inner in stmt.blocks() {
                self.block(inner, Some(at), !branches || inner.len() > 1);
            }
        }
    }

    /// A local is used in a block.
    fn meet(&mut self, id: LocalId, at: usize) {
        let Some(home) = self.homes.get(&id).copied() else { return };
        let mut common = home.map_or(at, |home| self.common(home, at));
        while let Some(Known { is_block: false, parent: Some(parent), .. }) = self.blocks.get(common) {
            common = *parent;
        }
        self.homes.insert(id, Some(common));
    }

    /// The innermost block around two.
    fn common(&self, mut a: usize, mut b: usize) -> usize {
        while a != b {
            let (Some(one), Some(other)) = (self.blocks.get(a), self.blocks.get(b)) else { return 0 };
            match one.depth > other.depth {
                true => a = one.parent.unwrap_or(0),
                false => b = other.parent.unwrap_or(0),
            }
        }
        a
    }
}
