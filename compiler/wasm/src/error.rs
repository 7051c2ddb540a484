//! What can be wrong with a unit, in words: what, where and what to do.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};

use wasmparser::WasmFeatures;

/// Why units are not a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The unit's name.
    pub unit: String,
    /// Byte offset in the unit, where one place is to blame.
    pub offset: Option<u64>,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong with a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// It is not a valid WebAssembly module. The text says why.
    Invalid(String),
    /// It is valid, but uses what the IL does not carry.
    Unsupported {
        /// The name of it.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// Nothing has what it imports.
    UnknownImport {
        /// From which module.
        module: String,
        /// Which name.
        name: String,
        /// What to do.
        hint: String,
    },
    /// What it imports exists, but is something else.
    IncompatibleImport {
        /// From which module.
        module: String,
        /// Which name.
        name: String,
        /// What is wanted.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// It exports what cannot be an entry point.
    Entry(String),
    /// Something stands for itself only as an assertion on this crate: what validation excludes.
    Internal(&'static str),
}

/// Results inside this crate: boxed, as nearly all are fine.
pub(crate) type Result<T = ()> = core::result::Result<T, Box<Error>>;

impl Error {
    pub(crate) fn new(unit: &str, offset: impl Into<Option<usize>>, kind: ErrorKind) -> Box<Error> {
        Box::new(Error { unit: unit.into(), offset: offset.into().map(|offset| offset as u64), kind })
    }

    /// Takes what the validator says. If a feature is missing it is named, with what to do about it.
    pub(crate) fn validation(unit: &str, error: &wasmparser::Error) -> Box<Error> {
        let known = error.missing_wasm_feature().and_then(missing);
        let kind = match known {
            Some((what, hint)) => ErrorKind::Unsupported { what: alloc::format!("{what} ({})", error.message()), hint },
            None => ErrorKind::Invalid(error.message().to_string()),
        };
        Error::new(unit, error.offset(), kind)
    }
}

/// The name of a feature that is left out, and what to do without it.
fn missing(feature: WasmFeatures) -> Option<(&'static str, &'static str)> {
    const ALL: &[(WasmFeatures, &str, &str)] = &[
        (WasmFeatures::THREADS, "threads", "build without atomics and shared memory; use several VMs instead"),
        (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything-threads", "use several VMs instead of threads"),
        (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes", "use pages of 64 KiB"),
        (WasmFeatures::MEMORY_CONTROL, "memory control", "build without memory.discard"),
        (WasmFeatures::STACK_SWITCHING, "stack switching", "build without continuations"),
        (WasmFeatures::WIDE_ARITHMETIC, "wide arithmetic", "build without the target feature wide-arithmetic"),
        (WasmFeatures::CUSTOM_DESCRIPTORS, "custom descriptors", "build without custom descriptors"),
        (WasmFeatures::COMPACT_IMPORTS, "compact imports", "write each import out"),
        (WasmFeatures::COMPONENT_MODEL, "components", "build a core module, not a component"),
    ];
    ALL.iter().find(|(flag, ..)| feature.intersects(*flag)).map(|(_, what, hint)| (*what, *hint))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.unit)?;
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset:#x}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

/// Writes what units call things so that it can be shown: without control characters, but for ends of lines.
struct Shown<'f, 'a>(&'f mut fmt::Formatter<'a>);

impl fmt::Write for Shown<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(|char: char| char.is_control() && char != '\n') {
            match part.char_indices().next_back() {
                Some((at, last)) if last.is_control() && last != '\n' => {
                    self.0.write_str(part.get(..at).unwrap_or_default())?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Shown(f);
        match self {
            ErrorKind::Invalid(why) => write!(f, "not a valid WebAssembly module: {why}"),
            ErrorKind::Unsupported { what, hint } => write!(f, "{what} is not supported: {hint}"),
            ErrorKind::UnknownImport { module, name, hint } => write!(f, "unknown import `{module}` `{name}`: {hint}"),
            ErrorKind::IncompatibleImport { module, name, wanted, found } => {
                write!(f, "incompatible import type: `{module}` `{name}` is wanted as {wanted}, but is {found}")
            }
            ErrorKind::Entry(why) => f.write_str(why),
            ErrorKind::Internal(what) => {
                write!(f, "the validator let {what} pass; this is a mistake in the translator")
            }
        }
    }
}

impl core::error::Error for Error {}
