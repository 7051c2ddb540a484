//! Mutation tests of the rules: each place that can refuse a module is switched off, then turned round, and some
//! case of the corpus must notice.
//!
//! A place is where one of the macros of [`super::rule`] stands. Where that is a helper marked `#[track_caller]`, each
//! call of the helper is a place of its own: a forgotten check is one call that is not there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;

/// File and line, of the macro and of what called the function around it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Place {
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
    pub caller: &'static Location<'static>,
}

/// What is done to a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// The rule is not enforced.
    Delete,
    /// The rule refuses what it should accept, and the other way round.
    Negate,
}

/// What a run does and sees.
#[derive(Default)]
pub(super) struct Run {
    /// The mutant.
    pub change: Option<(Place, Change)>,
    /// Places where the verdict was to accept, and to refuse.
    pub seen: HashMap<Place, (bool, bool)>,
    /// A deleted refusal has been met after which the pass cannot go on: the mutant accepts the module.
    pub overlooked: bool,
}

std::thread_local! {
    pub(super) static RUN: RefCell<Run> = RefCell::default();
}

/// This place.
macro_rules! here {
    () => {
        super::mutants::Place {
            file: file!(),
            line: line!(),
            column: column!(),
            caller: core::panic::Location::caller(),
        }
    };
}
pub(super) use here;

fn visit(place: Place, accepts: bool) -> Option<Change> {
    RUN.with_borrow_mut(|run| {
        let seen = run.seen.entry(place).or_default();
        seen.0 |= accepts;
        seen.1 |= !accepts;
        run.change.filter(|(changed, _)| *changed == place).map(|(_, change)| change)
    })
}

fn overlook() {
    RUN.with_borrow_mut(|run| run.overlooked = true);
}

/// The verdict of a condition.
pub(super) fn judge(place: Place, holds: bool) -> bool {
    match visit(place, holds) {
        None => holds,
        Some(Change::Delete) => true,
        Some(Change::Negate) => !holds,
    }
}

/// The verdict of a look-up. What is not there cannot be made up, so a mutant that should go on without accepts.
pub(super) fn found<T>(place: Place, option: Option<T>) -> Option<T> {
    match (visit(place, option.is_some()), option) {
        (Some(Change::Negate), Some(_)) => None,
        (Some(_), None) => {
            overlook();
            None
        }
        (_, option) => option,
    }
}

/// The verdict of an arm that always refuses.
pub(super) fn denied(place: Place) {
    if visit(place, false).is_some() {
        overlook();
    }
}
