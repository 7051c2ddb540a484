//! Strings (reference, chapter "Strings"): immutable UTF-8 bytes.

use alloc::format;
use alloc::string::String;

use il::trap::TrapKind;

/// Bytes `from..to` (unsigned) of a text; a cut inside a character traps.
pub(crate) fn slice(text: &str, from: u32, to: u32) -> Result<String, TrapKind> {
    let (from, to) = (from as usize, to as usize);
    if from > to || to > text.len() {
        return Err(TrapKind::IndexOutOfBounds);
    }
    text.get(from..to).map(String::from).ok_or(TrapKind::BadUtf8)
}

/// Bytes as text.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, TrapKind> {
    core::str::from_utf8(bytes).map(String::from).map_err(|_| TrapKind::BadUtf8)
}

/// The shortest decimal that reads back as the same number, with a `.` or an exponent always.
pub(crate) fn from_f64(value: f64) -> String {
    format!("{value:?}")
}

/// The same for an `f32`.
pub(crate) fn from_f32(value: f32) -> String {
    format!("{value:?}")
}
