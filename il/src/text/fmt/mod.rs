//! The formatter: one layout for every text (reference, chapter "Grammar").
//!
//! It works on words alone, so it accepts everything that the lexer does: also what a checker would
//! refuse. The author decides where lines break; the formatter decides indentation, blanks, blank
//! lines and the columns of comments.
//!
//! Invariants: the words and the semicolons understood between them stay as they are (one may be added or
//! dropped only where a statement ends anyway: between `return`, `break` or `continue` and a `}`);
//! comments stay, in their order; formatting twice is formatting once; time and memory are linear
//! in the text, and nothing recurses.

mod lines;
mod pieces;
mod spaces;
#[cfg(test)]
mod tests;

use alloc::string::String;

use super::diag::{Diagnostics, Sink};
use super::lexer::lex;
use super::too_large;

/// The text in its one layout. `file` is its name for messages.
///
/// # Errors
/// Malformed words, which cannot be told apart, and texts beyond the limit.
pub fn format(file: &str, source: &str) -> Result<String, Diagnostics> {
    let mut sink = Sink::new(file, source);
    if too_large(source, &mut sink) {
        return Err(sink.finish());
    }
    let tokens = lex(source, 0, &mut sink);
    if !sink.is_clean() {
        return Err(sink.finish());
    }
    let pieces = pieces::pieces(source, &tokens);
    Ok(lines::render(&lines::lay_out(&pieces)))
}
