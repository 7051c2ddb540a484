//! Words and comments in one list, each with the line breaks in front of it.

use alloc::vec::Vec;

use super::super::token::{Kind, Token};

/// A word or a comment.
pub(super) struct Piece<'s> {
    pub text: &'s str,
    /// `None` for a comment.
    pub kind: Option<&'s Kind>,
    /// Line breaks in front: 0, 1, or 2 with a blank line.
    pub breaks: u8,
    /// Whether a `;` is understood in front of this word.
    pub after_semicolon: bool,
    /// For a `{` and its `}`: whether there is a line break between them.
    pub spread: bool,
}

impl Piece<'_> {
    pub fn is(&self, kind: &Kind) -> bool {
        self.kind == Some(kind)
    }

    fn opens(&self) -> bool {
        matches!(self.kind, Some(Kind::Open | Kind::OpenBracket | Kind::OpenBrace))
    }

    fn closes(&self) -> bool {
        matches!(self.kind, Some(Kind::Close | Kind::CloseBracket | Kind::CloseBrace))
    }
}

/// All pieces of a text, their line breaks settled.
pub(super) fn pieces<'s>(source: &'s str, tokens: &'s [Token]) -> Vec<Piece<'s>> {
    let mut pieces = Vec::with_capacity(tokens.len());
    let (mut at, mut understood) = (0, false);
    for token in tokens {
        let (start, end) = (token.span.start as usize, token.span.end as usize);
        if token.kind == Kind::Semi && start == end {
            understood = true;
            continue;
        }
        let breaks = blanks(source.get(at..start).unwrap_or(""), &mut pieces);
        if token.kind != Kind::End {
            let text = source.get(start..end).unwrap_or("");
            let after_semicolon = core::mem::take(&mut understood);
            pieces.push(Piece { text, kind: Some(&token.kind), breaks, after_semicolon, spread: false });
        }
        at = end;
    }
    join(&mut pieces);
    spread(&mut pieces);
    trim(&mut pieces);
    pieces
}

/// Collects the comments between two words; returns the line breaks in front of the second word.
fn blanks<'s>(gap: &'s str, pieces: &mut Vec<Piece<'s>>) -> u8 {
    let mut breaks = 0u8;
    for (at, line) in gap.split('\n').enumerate() {
        if at > 0 {
            breaks = (breaks + 1).min(2);
        }
        if let Some(start) = line.find("//") {
            let text = line.get(start..).unwrap_or("").trim_end();
            pieces.push(Piece { text, kind: None, breaks, after_semicolon: false, spread: false });
            breaks = 0;
        }
    }
    breaks
}

/// Brings a `{` up to what it belongs to, and an `else` to the `}` before it.
fn join(pieces: &mut [Piece<'_>]) {
    for at in 1..pieces.len() {
        let Some(before) = pieces[at - 1].kind else { continue };
        let joins = match pieces[at].kind {
            Some(Kind::Else) => *before == Kind::CloseBrace,
            Some(Kind::OpenBrace) => !matches!(
                before,
                Kind::Semi
                    | Kind::Comma
                    | Kind::OpenBrace
                    | Kind::CloseBrace
                    | Kind::Return
                    | Kind::Break
                    | Kind::Continue
            ),
            _ => false,
        };
        if joins {
            pieces[at].breaks = 0;
        }
    }
}

/// Braces around a line break stand at the end of a line and at the start of one.
fn spread(pieces: &mut [Piece<'_>]) {
    // Open brackets: where each stands, and whether a line break was seen inside.
    let mut open: Vec<(usize, bool)> = Vec::new();
    for at in 0..pieces.len() {
        if pieces[at].breaks > 0
            && let Some((_, broken)) = open.last_mut()
        {
            *broken = true;
        }
        if pieces[at].opens() {
            open.push((at, false));
        } else if pieces[at].closes()
            && let Some((start, broken)) = open.pop()
        {
            if let (true, Some((_, outer))) = (broken, open.last_mut()) {
                *outer = true;
            }
            if broken && pieces[start].is(&Kind::OpenBrace) && pieces[at].is(&Kind::CloseBrace) {
                (pieces[start].spread, pieces[at].spread) = (true, true);
                pieces[at].breaks = 1;
                if pieces[start + 1].kind.is_some() {
                    pieces[start + 1].breaks = 1;
                }
            }
        }
    }
}

/// No blank lines at the start, after an opening bracket, or before a closing one.
fn trim(pieces: &mut [Piece<'_>]) {
    if let Some(first) = pieces.first_mut() {
        first.breaks = 0;
    }
    for at in 1..pieces.len() {
        // Behind a bracket there may be a comment.
        let behind = pieces[at - 1].kind.is_none() && pieces[at - 1].breaks == 0;
        let before = if behind { at.saturating_sub(2) } else { at - 1 };
        if pieces[before].opens() || pieces[at].closes() {
            pieces[at].breaks = pieces[at].breaks.min(1);
        }
    }
}
