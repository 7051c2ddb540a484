//! The binary form, `.ilb` (reference, chapter "The binary format").
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
pub const VERSION: u32 = 4;
/// Bits of the required features that this crate knows: none as yet.
pub const KNOWN_FEATURES: u64 = 0;
/// Set in the kind of an optional section.
pub const OPTIONAL: u8 = 0x80;

/// Section kinds. What is referred to by index stands before what refers to it, functions aside.
pub mod section {
    macro_rules! kinds {
        ($($(#[doc = $doc:literal])+ $name:ident = $kind:expr, $text:literal;)*) => {
            $($(#[doc = $doc])+ pub const $name: u8 = $kind;)*
            /// Every kind, its name, and what it holds.
            pub const ALL: &[(u8, &str, &str)] = &[$(($name, $text, concat!($($doc),+)),)*];
        };
    }

    kinds! {
        /// The module's name.
        NAME = 1, "name";
        /// Literals.
        STRINGS = 2, "strings";
        /// Embedded instruction sets.
        ISAS = 3, "isas";
        /// Definitions of types.
        TYPES = 4, "types";
        /// Wanted capabilities.
        USES = 5, "uses";
        /// The sets that the module executes.
        PROVIDES = 6, "provides";
        /// Globals.
        GLOBALS = 7, "globals";
        /// Limits of memories.
        MEMORIES = 8, "memories";
        /// Data segments.
        DATA = 9, "data";
        /// Functions.
        FUNCS = 10, "funcs";
        /// Exports.
        EXPORTS = 11, "exports";
        /// Event handlers.
        HANDLERS = 12, "handlers";
        /// Device programs.
        PROGRAMS = 13, "programs";
        /// Tests.
        TESTS = 14, "tests";
        /// Names and lines; optional.
        NAMES = super::OPTIONAL | 1, "names";
    }
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
