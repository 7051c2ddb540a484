//! WebAssembly as a front end: units (`.wasm` files) become one [`il::Module`], linked statically.
//!
//! Everything after that (verification, machine code, rights, boot) is what there is for any module.
//!
//! | step | where |
//! | --- | --- |
//! | sections are decoded and validated | `decode` |
//! | imports are found, index spaces become the module's | `link` |
//! | bodies are validated and translated, one walk over each | `body` |
//! | entries: instantiation, `main`, handlers | `link` |
//!
//! Invariants: any bytes give a module or an error, without a panic; a module that comes out passes [`il::verify()`],
//! unless it is larger than [`il::limits`] allow; the same units give the same module.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
extern crate alloc;

mod arrays;
mod body;
mod constant;
mod decode;
mod error;
mod helpers;
mod link;
mod types;

use il::Module;
use il::isa::InstructionSet;

pub use error::{Error, ErrorKind};

/// One WebAssembly module.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// The name by which later units import from it; also what messages call it.
    pub name: &'a str,
    /// The binary form.
    pub bytes: &'a [u8],
}

/// What a translation needs to know besides the units.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Instruction sets that imports may name.
    pub known: &'a [&'static InstructionSet],
    /// Whether units are instances of a test script. Then nothing happens by itself: the module exports
    /// `instantiate_N` (N counts the units; `() -> ()`), and of every unit its exported functions, and a getter of each
    /// exported global, as `UNIT_NAME`.
    pub script: bool,
}

/// Translates and links units; the last one is the program, which imports from those before it. An import is found in
/// the last unit of its name before the one that wants it.
///
/// # Errors
/// The first thing that is wrong.
#[expect(clippy::result_large_err, reason = "once a build, and its reader wants all of it")]
pub fn translate(units: &[Unit<'_>], options: &Options<'_>) -> Result<Module, Error> {
    link::link(units, options).map_err(|error| *error)
}
