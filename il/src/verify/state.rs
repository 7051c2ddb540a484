//! What is known at a point of a body: which locals are available.

use alloc::vec;
use alloc::vec::Vec;

use crate::LocalId;

/// The locals that are assigned and, if of type `buf`, not moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Available {
    words: Vec<u64>,
}

impl Available {
    /// None of `locals` locals.
    pub fn none(locals: usize) -> Self {
        Available { words: vec![0; locals.div_ceil(64)] }
    }

    /// Whether the local is available; an unknown one is not.
    pub fn has(&self, local: LocalId) -> bool {
        self.words.get(local.index() / 64).is_some_and(|word| word >> (local.0 % 64) & 1 != 0)
    }

    /// Marks the local as assigned.
    pub fn add(&mut self, local: LocalId) {
        if let Some(word) = self.words.get_mut(local.index() / 64) {
            *word |= 1 << (local.0 % 64);
        }
    }

    /// Marks the local as moved.
    pub fn remove(&mut self, local: LocalId) {
        if let Some(word) = self.words.get_mut(local.index() / 64) {
            *word &= !(1 << (local.0 % 64));
        }
    }

    /// The first local that `self` has and `other` lacks.
    pub fn first_missing_in(&self, other: &Available) -> Option<LocalId> {
        let mut pairs = self.words.iter().zip(&other.words).enumerate();
        pairs.find_map(|(at, (ours, theirs))| {
            let missing = ours & !theirs;
            (missing != 0).then(|| LocalId(at as u32 * 64 + missing.trailing_zeros()))
        })
    }
}

/// The state at a point; `None` where control never gets to.
pub(super) type Flow = Option<Available>;

/// Adds an edge to a join: a local is available after it if it is so on all edges.
pub(super) fn join(into: &mut Flow, edge: Flow) {
    match (into.as_mut(), edge) {
        (None, edge) => *into = edge,
        (Some(_), None) => {}
        (Some(state), Some(edge)) => {
            for (word, other) in state.words.iter_mut().zip(&edge.words) {
                *word &= other;
            }
        }
    }
}
