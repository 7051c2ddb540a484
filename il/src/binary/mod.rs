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

pub use error::{BinaryError, Problem};

/// The first four bytes of a module.
pub const MAGIC: [u8; 4] = [0, b'i', b'l', b'b'];
/// The format version that this crate reads and writes.
pub const VERSION: u32 = 1;
/// Bits of the required features that this crate knows: none as yet.
pub const KNOWN_FEATURES: u64 = 0;
/// Set in the kind of an optional section.
pub const OPTIONAL: u8 = 0x80;

/// Section kinds.
pub mod section {
    /// The module's name.
    pub const NAME: u8 = 1;
    /// Literals.
    pub const STRINGS: u8 = 2;
    /// Embedded instruction sets.
    pub const ISAS: u8 = 3;
    /// Wanted capabilities.
    pub const USES: u8 = 4;
    /// The set that the module executes.
    pub const PROVIDES: u8 = 5;
    /// Globals.
    pub const GLOBALS: u8 = 6;
    /// Memory limits.
    pub const MEMORY: u8 = 7;
    /// Initial memory contents.
    pub const DATA: u8 = 8;
    /// Functions.
    pub const FUNCS: u8 = 9;
    /// Exports.
    pub const EXPORTS: u8 = 10;
    /// Event handlers.
    pub const HANDLERS: u8 = 11;
    /// Names and lines; optional.
    pub const NAMES: u8 = super::OPTIONAL | 1;
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
