//! The verifier: the only way from a [`Module`] to a [`VerifiedModule`], which is all that the
//! compiler and the base accept (reference, chapter "Verification").
//!
//! One linear pass over the tables, then one over each body. Invariants that the rest of the
//! system builds on:
//!
//! - every index is in range, every operand has the type its instruction takes;
//! - the operand stack is empty between statements; nothing unreachable stands in a body;
//! - a local is read only where it is assigned on every path, a `buf` only where it is owned, and
//!   never moved while borrowed;
//! - ops, handlers and `main` have the types of the instructions and events they answer, and only
//!   the base enters ops and handlers;
//! - all of [`crate::limits`] hold.
//!
//! Memory is proportional to the largest function; nothing here panics or recurses.

mod body;
mod control;
mod error;
pub(crate) mod names;
mod state;
mod tables;

use core::ops::Deref;

use crate::{FuncId, Module};

pub use error::{VerifyError, Violation};

/// A module that keeps every rule. Made by [`verify`] only.
#[derive(Clone, PartialEq, Debug)]
pub struct VerifiedModule {
    module: Module,
}

impl Deref for VerifiedModule {
    type Target = Module;

    fn deref(&self) -> &Module {
        &self.module
    }
}

impl VerifiedModule {
    /// The module's identity; see [`crate::binary::identity`].
    pub fn identity(&self) -> [u8; 32] {
        crate::binary::identity(&self.module)
    }

    /// Gives the module up, trust included.
    pub fn into_inner(self) -> Module {
        self.module
    }
}

/// Checks a module.
///
/// # Errors
/// The first broken rule.
#[allow(clippy::result_large_err)] // once a module, and its reader wants all of it
pub fn verify(module: Module) -> Result<VerifiedModule, VerifyError> {
    let roles = tables::check(&module).map_err(|kind| VerifyError::table(&module, kind))?;
    for index in 0..module.funcs.len() {
        let func = FuncId(index as u32);
        body::check(&module, &roles, func).map_err(|(offset, kind)| VerifyError::body(&module, func, offset, kind))?;
    }
    Ok(VerifiedModule { module })
}

/// How a function is entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// By calls, or as `main`.
    Plain,
    /// By a request.
    Op,
    /// By an event.
    Handler,
}
