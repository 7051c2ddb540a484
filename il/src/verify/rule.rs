//! How a rule is enforced: every refusal of the verifier goes through one of the three macros here, so that the
//! tests can switch each off, or turn it round, and see whether anything notices.

use alloc::boxed::Box;

use super::error::Violation;

/// What checks return. The error is boxed, as it is large and rare.
pub(super) type Result<T = ()> = core::result::Result<T, Box<Violation>>;

/// Refuses the module unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $violation:expr $(,)?) => {
        if !super::rule::judge!($condition) {
            return Err(alloc::boxed::Box::new($violation));
        }
    };
}

/// The value of an option; refuses the module if there is none.
macro_rules! some {
    ($option:expr, $violation:expr $(,)?) => {
        match super::rule::found!($option) {
            Some(value) => value,
            None => return Err(alloc::boxed::Box::new($violation)),
        }
    };
}

/// Refuses the module.
macro_rules! refuse {
    ($violation:expr $(,)?) => {{
        super::rule::denied!();
        return Err(alloc::boxed::Box::new($violation));
    }};
}

#[cfg(not(test))]
macro_rules! judge {
    ($condition:expr) => {
        $condition
    };
}

#[cfg(not(test))]
macro_rules! found {
    ($option:expr) => {
        $option
    };
}

#[cfg(not(test))]
macro_rules! denied {
    () => {};
}

#[cfg(test)]
macro_rules! judge {
    ($condition:expr) => {
        super::mutants::judge(super::mutants::here!(), $condition)
    };
}

#[cfg(test)]
macro_rules! found {
    ($option:expr) => {
        super::mutants::found(super::mutants::here!(), $option)
    };
}

#[cfg(test)]
macro_rules! denied {
    () => {
        super::mutants::denied(super::mutants::here!())
    };
}

pub(super) use {denied, ensure, found, judge, refuse, some};
