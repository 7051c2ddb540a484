//! Which names are legal.

use alloc::string::String;

use crate::limits;

/// Names of instructions that the language keeps for itself.
const RESERVED_INSTRUCTIONS: [&str; 2] = ["run", "send"];

/// Whether `name` is an identifier: ASCII letters, digits and `_`, no digit in front.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic());
    starts && name.len() <= limits::NAME_BYTES && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// Whether `name` is a dotted path of identifiers.
pub(crate) fn is_path(name: &str) -> bool {
    name.len() <= limits::NAME_BYTES && name.split('.').all(is_identifier)
}

/// Whether `name` can name an instruction.
pub(crate) fn is_instruction(name: &str) -> bool {
    is_identifier(name) && !RESERVED_INSTRUCTIONS.contains(&name)
}

/// Whether `text` can be shown to people as it is: short, without control characters.
pub(crate) fn is_printable(text: &str) -> bool {
    text.len() <= limits::NAME_BYTES && !text.chars().any(char::is_control)
}

/// A text as it can be shown, whatever a refused module says: control characters are escaped.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_control() {
            true => shown.extend(char.escape_debug()),
            false => shown.push(char),
        }
    }
    shown
}
