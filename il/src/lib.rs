//! The IL: the portable, typed, verified instruction language that every VM shares.
//!
//! Folders follow the reference's chapters. This crate names no backend.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
extern crate alloc;
// The cases of the tests are written against the crate from outside.
#[cfg(test)]
extern crate self as il;

pub mod binary;
pub mod disasm;
mod hierarchy;
pub mod instr;
pub mod isa;
pub mod leb;
pub mod library;
pub mod limits;
mod link;
mod module;
pub mod op;
pub mod packet;
pub mod program;
pub mod ranges;
pub mod shape;
pub mod text;
pub mod trap;
mod types;
pub mod verify;

pub use hierarchy::*;
pub use link::prune;
pub use module::*;
pub use types::*;
pub use verify::{VerifiedModule, VerifyError, verify};
