//! Which `buf` locals are available, and whether this point is reached (reference, rule 5).

use alloc::vec::Vec;

use super::super::diag::Span;

/// What is known at one point of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct State {
    pub reachable: bool,
    /// A bit a `buf` local: assigned, and not moved.
    pub available: u64,
}

impl State {
    pub const START: State = State { reachable: true, available: 0 };
    /// The identity of [`State::join`].
    pub const DEAD: State = State { reachable: false, available: u64::MAX };

    /// After two paths meet: available is what is so on both.
    pub fn join(self, other: State) -> State {
        match (self.reachable, other.reachable) {
            (true, true) => State { reachable: true, available: self.available & other.available },
            (true, false) => self,
            _ => other,
        }
    }
}

/// A loop or labelled block that is being checked.
#[derive(Debug)]
pub(super) struct LoopState<'s> {
    pub label: Option<&'s str>,
    /// Whether it is a block, which does not repeat.
    pub is_block: bool,
    /// At its head.
    pub head: State,
    /// All `break`s joined.
    pub exits: State,
    /// Scopes outside it.
    pub scopes: usize,
}

/// A `buf` local's number among its function's, and where it was moved last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BufState {
    pub moved: Option<Span>,
}

/// `buf` locals by number, with the local each one is.
pub(super) type Bufs = Vec<BufState>;
