//! WebAssembly as a front end: units (`.wasm` files) become one [`il::Module`], linked statically.
//!
//! Everything after that (verification, machine code, rights, boot) is what there is for any module.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
extern crate alloc;

mod error;

use il::Module;
use il::isa::InstructionSet;

pub use error::{Error, ErrorKind, Result};

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

/// Translates and links units; the last one is the program, which imports from those before it.
///
/// # Errors
/// The first thing that is wrong.
pub fn translate(units: &[Unit<'_>], options: &Options<'_>) -> Result<Module> {
    let _ = options;
    for unit in units {
        let mut validator = wasmparser::Validator::new_with_features(features());
        validator.validate_all(unit.bytes).map_err(|error| Error::validation(unit.name, &error))?;
    }
    Ok(Module::default())
}

fn features() -> wasmparser::WasmFeatures {
    use wasmparser::WasmFeatures as F;
    F::WASM2
        | F::TAIL_CALL
        | F::EXTENDED_CONST
        | F::MULTI_MEMORY
        | F::RELAXED_SIMD
        | F::FUNCTION_REFERENCES
        | F::GC_TYPES
}
