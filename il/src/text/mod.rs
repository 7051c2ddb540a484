//! The text form: from source to [`Module`] (reference, "The text").
//!
//! Four steps, one folder or file each: `lexer` makes words, `parse` a tree, `check` resolves
//! names, infers types and emits code through [`crate::instr::Writer`], `diag` shows what is wrong.
//! What the language has but this version lacks is refused with its name, never accepted silently.
//!
//! Invariants: any text gives a module or at least one error, within bounded stack and in time
//! near-linear in its length; a module that comes out passes [`crate::verify`].

mod ast;
mod check;
mod diag;
mod fmt;
mod index;
mod lexer;
mod outline;
mod parse;
mod token;

pub use diag::{Code, Diagnostic, Diagnostics, Span, Suggestion};
pub use fmt::format;
pub use index::{Index, Meaning, Symbol, index};
pub use outline::{Item, ItemKind, item_words, outline};

use crate::Module;
use crate::isa::InstructionSet;
use crate::limits::SOURCE_BYTES;
use diag::{Report, Sink};

/// Compiles a text. `file` is its name for messages and the names section; `known` are the
/// built-in instruction sets.
///
/// # Errors
/// Everything that is wrong with the text, as far as one pass can tell.
pub fn compile(file: &str, source: &str, known: &[&'static InstructionSet]) -> Result<Module, Diagnostics> {
    let mut sink = Sink::new(file, source);
    if too_large(source, &mut sink) {
        return Err(sink.finish());
    }
    let tree = parse::parse(source, &mut sink);
    let module = check::check(&tree, file, source, known, &mut sink);
    if sink.is_clean() { Ok(module) } else { Err(sink.finish()) }
}

/// Whether a text is beyond the limit, which is reported.
fn too_large(source: &str, sink: &mut Sink<'_>) -> bool {
    let large = source.len() > SOURCE_BYTES;
    if large {
        let message = alloc::format!("this text has {} bytes, at most {SOURCE_BYTES} are accepted", source.len());
        sink.report(Report::new(Code::TooLarge, Span::default(), message));
    }
    large
}

/// The words that the text form reserves.
pub fn reserved_words() -> impl Iterator<Item = &'static str> {
    token::KEYWORDS.iter().map(|(text, _)| *text)
}

/// The binary operators, the tightest first; those of one entry bind alike.
pub fn precedence() -> alloc::vec::Vec<alloc::vec::Vec<&'static str>> {
    parse::precedence()
}

/// Whether the text form reserves this word.
pub(crate) fn is_reserved(word: &str) -> bool {
    token::KEYWORDS.iter().any(|(text, _)| *text == word)
}
