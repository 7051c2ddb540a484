//! What is known at a point of a body: which locals are available.

use alloc::vec::Vec;

use crate::LocalId;

/// The locals that are assigned and, if affine, not moved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Available {
    words: Vec<u64>,
}

impl Available {
    /// Starts over with the first `assigned` of `locals` locals.
    pub fn reset(&mut self, assigned: usize, locals: usize) {
        self.words.clear();
        self.words.resize(locals.div_ceil(64), 0);
        (0..assigned).for_each(|index| self.add(LocalId(index as u32)));
    }

    /// Becomes equal to another, keeping its allocation.
    pub fn copy_from(&mut self, other: &Available) {
        self.words.clear();
        self.words.extend_from_slice(&other.words);
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

    /// One bit a local, the first one lowest.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

/// The state at a point; `None` where control never gets to.
pub(super) type Flow = Option<Available>;

/// States that are not in use, kept for their allocations.
#[derive(Default)]
pub(super) struct Spare {
    states: Vec<Available>,
}

impl Spare {
    /// A state of unknown content.
    pub fn take(&mut self) -> Available {
        self.states.pop().unwrap_or_default()
    }

    /// Takes a state back.
    pub fn give(&mut self, flow: Flow) {
        self.states.extend(flow);
    }

    /// A copy.
    pub fn copy(&mut self, flow: &Flow) -> Flow {
        flow.as_ref().map(|state| {
            let mut copy = self.take();
            copy.copy_from(state);
            copy
        })
    }

    /// Adds an edge to a join: a local is available after it if it is so on all edges.
    pub fn join(&mut self, into: &mut Flow, edge: Flow) {
        match (into.as_mut(), edge) {
            (None, edge) => *into = edge,
            (Some(_), None) => {}
            (Some(state), Some(edge)) => {
                for (word, other) in state.words.iter_mut().zip(&edge.words) {
                    *word &= other;
                }
                self.give(Some(edge));
            }
        }
    }
}
