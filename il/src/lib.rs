//! The IL: the portable, typed, verified instruction language that every VM shares.
//!
//! Folders follow the reference's chapters. This crate names no backend.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod binary;
pub mod disasm;
mod hierarchy;
pub mod instr;
pub mod isa;
pub mod leb;
pub mod library;
pub mod limits;
mod module;
pub mod op;
pub mod packet;
pub mod text;
pub mod trap;
mod types;
pub mod verify;

pub use hierarchy::*;
pub use module::*;
pub use types::*;
pub use verify::{VerifiedModule, VerifyError, verify};
