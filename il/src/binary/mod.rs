//! The binary form, `.ilb` (reference, chapter "Binary").
//!
//! ```text
//! module   = header section*
//! header   = 00 'i' 'l' 'b'   version: u32   features: u64
//! section  = kind: byte   length: u32   payload
//!            kind 01..7f  required: ascending, each at most once, never empty
//!            kind 80..ff  optional: ascending, each at most once, after all required ones
//! string   = length: u32   UTF-8 bytes
//! list X   = count: u32   X*
//! ```
//!
//! Numbers are LEB128 in their shortest form, so a module has exactly one encoding. An unknown
//! required section is refused, an unknown optional one is skipped. The BLAKE3 hash of header and
//! required sections is the module's identity: optional sections follow them, so it is the hash of
//! a prefix.
//!
//! Invariants: decoding is total (no panic, no recursion); every count is checked against
//! [`crate::limits`] and the bytes that are left before anything is allocated for it.

mod decode;
mod encode;
mod error;

use alloc::vec::Vec;

use crate::Module;

pub(crate) use encode::type_def as write_type_def;
pub use error::{BinaryError, Problem};

/// The first four bytes of a module.
pub const MAGIC: [u8; 4] = [0, b'i', b'l', b'b'];
/// The format version that this crate reads and writes.
pub const VERSION: u32 = 2;
/// Bits of the required features that this crate knows: none as yet.
pub const KNOWN_FEATURES: u64 = 0;
/// Set in the kind of an optional section.
pub const OPTIONAL: u8 = 0x80;

/// Section kinds. What is referred to by index stands before what refers to it, functions aside.
pub mod section {
    /// The module's name.
    pub const NAME: u8 = 1;
    /// Literals.
    pub const STRINGS: u8 = 2;
    /// Embedded instruction sets.
    pub const ISAS: u8 = 3;
    /// Definitions of types.
    pub const TYPES: u8 = 4;
    /// Wanted capabilities.
    pub const USES: u8 = 5;
    /// The set that the module executes.
    pub const PROVIDES: u8 = 6;
    /// Globals.
    pub const GLOBALS: u8 = 7;
    /// Memory limits.
    pub const MEMORY: u8 = 8;
    /// Initial memory contents.
    pub const DATA: u8 = 9;
    /// Functions.
    pub const FUNCS: u8 = 10;
    /// Exports.
    pub const EXPORTS: u8 = 11;
    /// Event handlers.
    pub const HANDLERS: u8 = 12;
    /// Device programs.
    pub const PROGRAMS: u8 = 13;
    /// Tests.
    pub const TESTS: u8 = 14;
    /// Names and lines; optional.
    pub const NAMES: u8 = super::OPTIONAL | 1;

    /// Every kind and its name.
    pub const ALL: &[(u8, &str)] = &[
        (NAME, "name"),
        (STRINGS, "strings"),
        (ISAS, "isas"),
        (TYPES, "types"),
        (USES, "uses"),
        (PROVIDES, "provides"),
        (GLOBALS, "globals"),
        (MEMORY, "memory"),
        (DATA, "data"),
        (FUNCS, "funcs"),
        (EXPORTS, "exports"),
        (HANDLERS, "handlers"),
        (PROGRAMS, "programs"),
        (TESTS, "tests"),
        (NAMES, "names"),
    ];
}

/// First byte of a type definition.
mod def {
    pub const STRUCT: u8 = 1;
    pub const ARRAY: u8 = 2;
    pub const FUNC: u8 = 3;
    pub const CAP: u8 = 4;
}

/// The module's bytes.
pub fn encode(module: &Module) -> Vec<u8> {
    let mut out = encode::required(module);
    encode::optional(module, &mut out);
    out
}

/// The module that `bytes` encode. What comes out is well-formed, not yet trusted: see
/// [`crate::verify()`].
///
/// # Errors
/// Where the bytes stop being a module, and what was expected there.
pub fn decode(bytes: &[u8]) -> Result<Module, BinaryError> {
    decode::module(bytes)
}

/// The module's identity: BLAKE3 of header and required sections.
pub fn identity(module: &Module) -> [u8; 32] {
    *blake3::hash(&encode::required(module)).as_bytes()
}
