//! Why a module cannot be compiled. None of these is the fault of a verified module, but for size.

use alloc::string::String;
use core::fmt;

use il::FuncId;

/// Why a module cannot be compiled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CompileError {
    /// The code generator refuses the target or its settings.
    Setup {
        /// In its own words.
        detail: String,
    },
    /// A body contradicts what the verifier guarantees: an error in the verifier or here.
    Unverified {
        /// In which function.
        func: FuncId,
        /// Byte offset in its body.
        offset: u32,
        /// What was expected.
        expected: &'static str,
    },
    /// A function needs more of something than the code generator has.
    TooLarge {
        /// Which function.
        func: FuncId,
        /// Its name, or its number.
        name: String,
    },
    /// A function uses vectors, for which the processor lacks instructions.
    NoVectors {
        /// Which function.
        func: FuncId,
        /// Its name, or its number.
        name: String,
    },
    /// The whole module's code exceeds 2 GiB, the reach of a call.
    CodeTooLarge,
    /// The code generator failed: an error there or here.
    Backend {
        /// On which function, if on one of the module's.
        name: String,
        /// In its own words.
        detail: String,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Setup { detail } => {
                write!(f, "the code generator cannot be set up for this processor: {detail}")
            }
            CompileError::Unverified { func, offset, expected } => write!(
                f,
                "function {} is not as the verifier promises: expected {expected} at byte {offset} of its body; \
                 please report this module",
                func.0
            ),
            CompileError::TooLarge { name, .. } => {
                write!(f, "`{name}` is too large to compile; split it into smaller functions")
            }
            CompileError::NoVectors { name, .. } => {
                write!(f, "`{name}` uses `v128`, which needs a processor with SSSE3 and SSE4.1")
            }
            CompileError::CodeTooLarge => {
                f.write_str("the module's machine code exceeds 2 GiB; split it into several modules")
            }
            CompileError::Backend { name, detail } => {
                write!(f, "the code generator failed on `{name}`: {detail}; please report this module")
            }
        }
    }
}

impl core::error::Error for CompileError {}

/// Why code cannot be placed in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkError {
    /// The destination is shorter than the code.
    TooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// A relocation does not fit its field or names what does not exist.
    Relocation {
        /// Offset of the field in the code.
        at: u32,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::TooSmall { needed, given } => {
                write!(f, "the code needs {needed} bytes, but its region has {given}")
            }
            LinkError::Relocation { at } => write!(f, "the relocation at code offset {at:#x} cannot be applied"),
        }
    }
}

impl core::error::Error for LinkError {}
