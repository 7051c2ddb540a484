//! IL to machine code: one no_std library for the hosted runtime and the kernel.
//!
//! A verified module is lowered function by function, in one pass over each body, to Cranelift's
//! CLIF (`lower`), compiled whole (`compile`), and kept as code without an address ([`Compiled`]),
//! which [`Compiled::link_into`] places. What generated code expects of the base VM, and the base of
//! it, is [`abi`] and nothing else.
//!
//! Invariants:
//! - generated code calls nothing but the module's own code and [`abi::VmCtx::exit`];
//! - every instruction that can fault or trap has a record in [`Compiled::traps`], but for the stack's
//!   guard page;
//! - frame pointers are kept everywhere;
//! - the same module and options give the same bytes.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
extern crate alloc;

pub mod abi;
mod compile;
mod entry;
mod error;
mod helpers;
mod image;
mod listing;
mod lower;
mod maps;
mod options;
mod settle;

pub use compile::{Compilation, compile, compile_program};
pub use error::{CompileError, LinkError};
pub use image::{Compiled, ConstantArray, Helper, Location, Relocation, RelocationKind, Section, Stub, Symbol};
pub use listing::{asm, clif};
pub use maps::{FrameMap, StackMaps};
pub use options::{Bounds, Cpu, Deadlines, GUARD_REGION_BYTES, Opt, Options, UnknownBounds};
