//! From pieces to lines: indentation, blanks, columns.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::token::Kind;
use super::pieces::Piece;
use super::spaces::{Role, between, continues, role, starts_statement};

/// Blanks a level of nesting.
const STEP: usize = 2;
/// Blanks in front of a line that continues another.
const CONTINUED: usize = 4;
/// No line is indented further, so that hostile nesting costs no memory.
const MAX_INDENT: usize = 80;
/// Columns are aligned only up to this width, for the same reason.
const MAX_ALIGNED: usize = 60;

/// A line of the result.
#[derive(Default)]
pub(super) struct Line<'s> {
    blank_before: bool,
    indent: usize,
    code: String,
    comment: Option<&'s str>,
    /// In a `use`: how many bytes of `code` end with its `:`.
    colon: Option<usize>,
}

/// What an open bracket holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Items: the whole text, and `provides`.
    Items,
    /// Statements or arms.
    Code,
    /// Anything else.
    List,
}

struct Frame {
    inside: Inside,
    /// Indentation of its closing bracket.
    outer: usize,
    /// Indentation of its lines.
    inner: usize,
    /// Added to lines that continue others.
    continued: usize,
    /// Indentation of the line of the `if`, `func`, .. that a `{` to come belongs to.
    head: Option<usize>,
    /// At items: the word that the current one starts with.
    item: &'static str,
}

/// The last word written.
#[derive(Clone, Copy)]
struct Last<'p, 's> {
    piece: &'p Piece<'s>,
    role: Role,
}

/// Words that start an item, as far as they change the layout of what follows.
const ITEM_WORDS: &[&str] = &[
    "module", "use", "import", "global", "memory", "data", "test", "isa", "provides", "program", "on", "op", "func",
    "const", "enum", "struct",
];

struct Layout<'p, 's> {
    lines: Vec<Line<'s>>,
    frames: Vec<Frame>,
    last: Option<Last<'p, 's>>,
    /// The word before `last`.
    before_last: Option<&'p Kind>,
}

/// Lays all pieces out.
pub(super) fn lay_out<'s>(pieces: &[Piece<'s>]) -> Vec<Line<'s>> {
    let text = Frame { inside: Inside::Items, outer: 0, inner: 0, continued: CONTINUED, head: None, item: "" };
    let mut layout = Layout { lines: Vec::new(), frames: alloc::vec![text], last: None, before_last: None };
    for (at, piece) in pieces.iter().enumerate() {
        let next = pieces.get(at + 1);
        match piece.kind {
            None => layout.comment(piece, pieces[at + 1..].iter().find(|piece| piece.kind.is_some())),
            Some(kind) => layout.word(piece, kind, next),
        }
    }
    align_uses(&mut layout.lines);
    layout.lines
}

impl<'p, 's> Layout<'p, 's> {
    fn top(&mut self) -> &mut Frame {
        // The first frame is never popped.
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn last_kind(&self) -> Option<&'p Kind> {
        self.last.and_then(|last| last.piece.kind)
    }

    fn new_line(&mut self, blank_before: bool, indent: usize) {
        let blank_before = blank_before && !self.lines.is_empty();
        self.lines.push(Line { blank_before, indent: indent.min(MAX_INDENT), ..Line::default() });
    }

    fn line(&mut self) -> &mut Line<'s> {
        if self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }

    fn comment(&mut self, piece: &Piece<'s>, next: Option<&Piece<'s>>) {
        if piece.breaks > 0 || self.lines.is_empty() {
            let continued = next.is_some_and(|next| self.continued(next));
            let frame = self.top();
            let indent = frame.inner + if continued { frame.continued } else { 0 };
            self.new_line(piece.breaks > 1, indent);
        }
        self.line().comment = Some(piece.text);
    }

    /// Whether a word at the start of a line continues the line before.
    fn continued(&self, piece: &Piece<'s>) -> bool {
        let Some(last) = self.last else { return false };
        let Some(kind) = last.piece.kind else { return false };
        continues(kind, last.role, piece, role(Some(kind), piece))
    }

    fn word(&mut self, piece: &'p Piece<'s>, kind: &'p Kind, next: Option<&'p Piece<'s>>) {
        let breaks = self.breaks_before(piece, kind);
        if breaks > 0 || self.lines.is_empty() {
            self.start_line(piece, kind, breaks > 1);
        } else {
            let blanks = self.blanks(piece, kind);
            let line = self.line();
            line.code.extend(core::iter::repeat_n(' ', blanks));
        }
        self.note_head(piece, kind, breaks);
        self.line().code.push_str(piece.text);
        self.brackets(kind, next);
        let role = role(self.last_kind(), piece);
        if *kind == Kind::Colon && self.top().inside == Inside::Items && self.top().item == "use" {
            let line = self.line();
            line.colon = Some(line.code.len());
        }
        self.before_last = self.last_kind();
        self.last = Some(Last { piece, role });
    }

    /// Line breaks before a word: the author's, and one after a `}` that ends what several lines hold.
    fn breaks_before(&mut self, piece: &Piece<'s>, kind: &Kind) -> u8 {
        let Some(Last { piece: last, .. }) = self.last else { return piece.breaks };
        let after_block = last.is(&Kind::CloseBrace) && last.spread;
        let starts = match self.top().inside {
            Inside::Items => matches!(kind, Kind::Name | Kind::Func),
            Inside::Code => starts_statement(&Kind::CloseBrace, kind),
            Inside::List => false,
        };
        if after_block && starts { piece.breaks.max(1) } else { piece.breaks }
    }

    fn start_line(&mut self, piece: &Piece<'s>, kind: &Kind, blank_before: bool) {
        let continued = self.continued(piece);
        let frame = self.top();
        let indent = match kind {
            Kind::Close | Kind::CloseBracket | Kind::CloseBrace => frame.outer,
            _ if continued => frame.inner + frame.continued,
            _ => {
                frame.head = None;
                frame.inner
            }
        };
        self.new_line(blank_before, indent);
    }

    /// Blanks between the last word and this one, on one line.
    fn blanks(&mut self, piece: &Piece<'s>, kind: &Kind) -> usize {
        let Some(Last { piece: last, role }) = self.last else { return 0 };
        let Some(last_kind) = last.kind else { return 1 };
        let of_program = self.top().item == "program" && self.before_last == Some(&Kind::At);
        match self.top().inside {
            Inside::Code if starts_statement(last_kind, kind) => 2,
            // `program plasma on cascade.display@1 (t: i32)`
            Inside::Items if *kind == Kind::Open && of_program => 1,
            _ => between(last, role, piece),
        }
    }

    /// Notes what the next `{` will belong to.
    fn note_head(&mut self, piece: &Piece<'s>, kind: &Kind, breaks: u8) {
        let indent = self.line().indent;
        let after = self.last.map(|last| last.piece);
        let frame = self.top();
        let heads =
            matches!(kind, Kind::If | Kind::Match | Kind::While | Kind::For | Kind::Loop | Kind::Else | Kind::New);
        if heads || *kind == Kind::Func {
            frame.head = Some(indent);
        }
        if frame.inside != Inside::Items {
            return;
        }
        let starts = breaks > 0
            || after.is_none_or(|after| {
                after.is(&Kind::CloseBrace)
                    || after.is(&Kind::Semi)
                    || after.is(&Kind::OpenBrace)
                    || matches!(after.text, "export" | "pure" | "frozen")
            });
        if starts && let Some(word) = ITEM_WORDS.iter().find(|word| **word == piece.text) {
            (frame.item, frame.head) = (word, Some(indent));
        }
    }

    fn brackets(&mut self, kind: &Kind, next: Option<&Piece<'s>>) {
        let indent = self.line().indent;
        let broken = next.is_some_and(|next| next.breaks > 0 || next.kind.is_none());
        match kind {
            Kind::Open | Kind::OpenBracket => {
                let (inner, continued) = if broken { (indent + STEP, CONTINUED) } else { (indent + CONTINUED, 0) };
                let item = self.top().item;
                self.frames.push(Frame { inside: Inside::List, outer: indent, inner, continued, head: None, item });
            }
            Kind::OpenBrace => {
                let inside = self.inside();
                let frame = self.top();
                let outer = frame.head.take().unwrap_or(frame.inner);
                let inner = outer + STEP;
                self.frames.push(Frame { inside, outer, inner, continued: CONTINUED, head: None, item: "" });
            }
            Kind::Close | Kind::CloseBracket | Kind::CloseBrace if self.frames.len() > 1 => {
                self.frames.pop();
            }
            _ => {}
        }
    }

    /// What the `{` that comes now holds.
    fn inside(&mut self) -> Inside {
        let new = self.before_last == Some(&Kind::New);
        let frame = self.top();
        match (frame.inside, frame.item) {
            (Inside::Items, "provides") => Inside::Items,
            (Inside::Items, "use" | "import" | "isa" | "enum" | "struct") => Inside::List,
            _ if new => Inside::List,
            _ => Inside::Code,
        }
    }
}

/// Aligns what follows the `:` of `use` items on consecutive lines.
fn align_uses(lines: &mut [Line<'_>]) {
    for run in lines.chunk_by_mut(|a, b| a.colon.is_some() && b.colon.is_some() && !b.blank_before) {
        let widths = run.iter().filter_map(|line| line.colon).filter(|colon| *colon <= MAX_ALIGNED);
        let Some(widest) = widths.max() else { continue };
        for line in run {
            if let Some(colon) = line.colon.filter(|colon| *colon <= MAX_ALIGNED && *colon < line.code.len()) {
                let blanks: String = core::iter::repeat_n(' ', widest - colon).collect();
                line.code.insert_str(colon, &blanks);
            }
        }
    }
}

impl Line<'_> {
    fn width(&self) -> usize {
        self.indent + self.code.chars().count()
    }

    /// Whether it takes part in a column of comments.
    fn is_aligned(&self) -> bool {
        !self.code.is_empty() && self.comment.is_some() && self.width() <= MAX_ALIGNED
    }
}

/// The lines as one text; comments behind neighbouring lines of a block stand in one column.
pub(super) fn render(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    let together = |a: &Line<'_>, b: &Line<'_>| {
        let apart = b.blank_before || a.code.is_empty() || b.code.is_empty();
        a.indent == b.indent && !apart
    };
    for run in lines.chunk_by(together) {
        let column = run.iter().filter(|line| line.is_aligned()).map(Line::width).max().unwrap_or(0);
        for line in run {
            if line.blank_before {
                text.push('\n');
            }
            let width = line.indent.min(line.width());
            text.extend(core::iter::repeat_n(' ', width));
            text.push_str(&line.code);
            if let Some(comment) = line.comment {
                let blanks = match line.code.is_empty() {
                    true => 0,
                    false if line.is_aligned() => column - line.width() + 2,
                    false => 2,
                };
                text.extend(core::iter::repeat_n(' ', blanks));
                text.push_str(comment);
            }
            text.push('\n');
        }
    }
    text
}
