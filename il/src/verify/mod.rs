//! The verifier: the only way from a [`Module`] to a [`VerifiedModule`], which is all that the
//! compiler and the base accept (reference, chapter "Verification").
//!
//! One linear pass over the tables, then one over each body. Invariants that the rest of the
//! system builds on:
//!
//! - every index is in range, every operand has the type its instruction takes, or a subtype of it;
//! - the type table is finite and unambiguous: parents stand before their structs, arrays, functions and
//!   capabilities are unique by shape and refer backwards, frozen structs hold only what can be shared;
//! - the operand stack is empty between statements; nothing unreachable stands in a body;
//! - a local is read only where it is assigned on every path, a `buf` only where it is owned, and
//!   never moved while borrowed; `?buf` places are read by moving only;
//! - ops, handlers, programs, tests and `main` have the types of what they answer, and only
//!   the base enters them (`main` aside);
//! - pure functions and programs reach no memory, mutable global, capability, base instruction, function reference
//!   or impure function; a program sends its own set's instructions only;
//! - all of [`crate::limits`] hold.
//!
//! A module need not have `main`: one whose only entry is a `program` is a whole module too, and what a device VM is
//! sent to run ([`crate::program`]). It wants and provides nothing, has neither memory nor `mut` globals, and the rules
//! for programs above leave it no authority but the instructions of its set.
//!
//! Memory is proportional to the largest function and the type table; nothing here panics or recurses.

mod body;
mod calls;
mod claims;
pub mod constants;
mod control;
mod error;
mod message;
#[cfg(test)]
mod mutants;
pub(crate) mod names;
mod objects;
mod rule;
mod state;
mod tables;
mod types;

use alloc::vec::Vec;
use core::ops::Deref;

use crate::{FuncId, GlobalId, Hierarchy, IsaId, Module};

pub use claims::{Claim, Claims, claims};
pub use error::{VerifyError, Violation};

/// A module that keeps every rule. Made by [`verify`] only.
#[derive(Clone, Debug)]
pub struct VerifiedModule {
    module: Module,
    hierarchy: Hierarchy,
    roles: Vec<Role>,
}

impl PartialEq for VerifiedModule {
    fn eq(&self, other: &Self) -> bool {
        // All else follows from the module.
        self.module == other.module
    }
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

    /// Subtyping and layout of the module's types.
    pub fn hierarchy(&self) -> &Hierarchy {
        &self.hierarchy
    }

    /// How a function is entered.
    pub fn role(&self, func: FuncId) -> Role {
        self.roles.get(func.index()).copied().unwrap_or(Role::Plain)
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
    let (hierarchy, roles) = tables::check(&module).map_err(|kind| VerifyError::table(&module, *kind))?;
    let context = Context { module: &module, hierarchy: &hierarchy, roles: &roles };
    let mut body = body::Body::new(context);
    for index in 0..module.globals.len() {
        let global = GlobalId(index as u32);
        body.global(global).map_err(|(offset, kind)| VerifyError::global(&module, global, offset, *kind))?;
    }
    for index in 0..module.funcs.len() {
        let func = FuncId(index as u32);
        let checked = body.function(func, |_, _| {});
        checked.map_err(|(offset, kind)| VerifyError::body(&module, func, offset, *kind))?;
    }
    Ok(VerifiedModule { module, hierarchy, roles })
}

/// What bodies are checked against.
#[derive(Clone, Copy)]
struct Context<'m> {
    module: &'m Module,
    hierarchy: &'m Hierarchy,
    roles: &'m [Role],
}

/// How a function is entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// By calls, or as `main`.
    Plain,
    /// By a request.
    Op {
        /// Whether the instruction is one that waits.
        waits: bool,
    },
    /// By an event.
    Handler,
    /// In the VM that executes this set.
    Program(IsaId),
    /// By `ilc test`.
    Test,
}
