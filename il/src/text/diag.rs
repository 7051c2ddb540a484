//! What the front end has to say about a text: errors with their place, the line itself and a hint.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Errors beyond this many are not reported: they are rarely news.
const MAX_REPORTED: usize = 40;

/// A range of bytes of the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// From here to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end.max(self.start) }
    }

    /// The text of the span, or nothing if it is not within `source`.
    pub fn text(self, source: &str) -> &str {
        source.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $explanation:literal;)*) => {
        /// The kind of an error: a stable code for search and for `ilc explain`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)] // each is documented by its line of the table
        pub enum Code { $($name,)* }
        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name,)*];
            /// As printed, e.g. `IL0100`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }
            /// A few words.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
            /// What the rule is, and what to do.
            pub const fn explanation(self) -> &'static str {
                match self { $(Code::$name => $explanation,)* }
            }
        }
    };
}

codes! {
    BadCharacter "IL0001" "a character that no word of the IL starts with"
        "Texts are UTF-8. Names start with a letter or `_`; comments start with `//`.";
    BadNumber "IL0002" "a malformed number"
        "Numbers are decimal (`42`), hexadecimal (`0x2a`) or floats with digits on both sides of the dot (`1.5`). There are no digit separators and no suffixes: a number takes the type that is expected of it.";
    BadString "IL0003" "a malformed string, character or escape"
        "Strings and characters end on the line where they start. Escapes are \\n \\r \\t \\0 \\\\ \\\" \\' \\xNN \\u{..}. A `str` must be UTF-8; `data` may hold any bytes.";
    Syntax "IL0010" "the text does not follow the grammar"
        "The message says what was expected at this place. Semicolons are optional; a line that starts with `(`, `[`, `-` or `&` starts a new statement.";
    Reserved "IL0011" "a reserved word used as a name"
        "Words of types, statements and expressions cannot name things, except after a `.`.";
    TooDeep "IL0012" "too deeply nested"
        "Expressions and blocks may nest only so deep (see the limits in the reference). Split the expression with `let`, or move the inner part into a function.";
    TooLarge "IL0013" "a limit of the format is exceeded"
        "Every table of a module has a published limit. Split the module, or the function, into parts.";
    NotSupported "IL0020" "part of the language, but not supported yet"
        "The reference describes it, this version does not compile it yet. It is refused rather than accepted with another meaning.";
    UnknownName "IL0100" "a name that nothing declares"
        "Names are looked up among the locals, then the module's items, then what is built in.";
    Duplicate "IL0101" "declared twice in one scope"
        "A scope declares each name once. An inner block may declare it again, which hides the outer one.";
    WrongKind "IL0102" "a name of another kind"
        "The name exists, but what it names cannot stand here: a function is called, a capability's instructions are sent, a constant is read.";
    UnknownSet "IL0103" "an unknown instruction set, instruction or event"
        "Instruction sets are built in (`cascade describe` lists them) or declared with `isa NAME@VERSION { .. }`.";
    Import "IL0104" "an import that cannot be resolved"
        "`import path.to.module { names }` brings in what another module declares with `export`: functions, constants, enums and structs. An imported module has no `memory`, `data`, `provides` or `on`: these belong to the module that is built.";
    Mismatch "IL0200" "a value of another type than expected"
        "There is no implicit conversion. Convert with the name of the wanted type: `i64(x)`, `f64(x)`, `str(x)`. A literal takes the type expected of it, else `i32` or `f64`.";
    NoOperator "IL0201" "no such operator for these types"
        "Both operands of an operator have the same type. Strings are joined with `concat(a, b)`.";
    Count "IL0202" "too many or too few values"
        "Calls give exactly the declared parameters; `let (a, b) = f()` takes exactly the declared results; `_` discards one.";
    BadLiteral "IL0203" "a literal that its type cannot hold"
        "Decimal literals fit the signed range of their type; hexadecimal ones may fill its width (`0xffffffff` is -1).";
    NotConstant "IL0204" "not a constant"
        "The values of `const`, `global`, `data` and `enum` are computed by the compiler: literals, constants, enum members and operators without effects.";
    NotMutable "IL0205" "assignment to what does not change"
        "`let`, parameters, `const`, and globals without `mut` keep their value. Declare with `var` or `global mut`.";
    NoValue "IL0206" "no value where one is needed"
        "A value `if` needs `else`; the blocks of a value `if` or `match` end in an expression or leave.";
    NotExhaustive "IL0207" "a `match` that does not cover every value"
        "Add an arm `_ => ..`. Only a `match` on `bool` can do without. An `enum` names numbers: its values are `i32`.";
    MayBeNull "IL0208" "a value that may be null"
        "Only `?T` is null, and nothing is reached through it: unwrap it with `if let x = e { .. }`, or with `e as T`, which traps.";
    Cast "IL0209" "a cast or type test that cannot be"
        "`as` and `is` take references: `str`, structs, arrays, functions, capabilities, `any`, and their `?T`. A capability only narrows. Numbers are converted by name: `i64(x)`.";
    Fields "IL0210" "fields that a struct does not have, or that are missing"
        "`new S { .. }` gives every field once, inherited ones included. A field that is declared without `mut` keeps its value.";
    Struct "IL0211" "a struct that cannot be declared like this"
        "A struct extends one other struct, not itself. In a `frozen struct` no field is `mut`, all are sendable (numbers, bool, str, frozen structs, immutable arrays and `?T` of such), and what extends it is frozen too. A `?buf` stands only in `mut` fields and elements and in `global mut`.";
    NotSendable "IL0212" "a value that cannot leave this VM"
        "Sendable are numbers, `bool`, `str`, frozen structs, `[T]` and `?T` of sendables. `freeze(x)` takes only such references.";
    Moved "IL0300" "a `buf` used after it has moved"
        "A `buf` has one owner. Naming it as an argument, operand, result or right side moves it, even when the send fails; a `ref buf` parameter only borrows.";
    MovedInLoop "IL0301" "a `buf` that the next turn of a loop would miss"
        "What was available at the head of a loop must be so again at its end: assign a new `buf`, or leave the loop after moving.";
    Borrowed "IL0302" "a borrowed `buf` where an owned one is needed"
        "A `ref buf` may be read, written and passed on as `ref buf`. Only its owner can send, return or store it.";
    Unreachable "IL0400" "statements that are never reached"
        "Nothing may follow `return`, `break`, `continue`, `trap`, `fail` or an endless `loop` in the same block.";
    MissingReturn "IL0401" "a path without `return`"
        "Functions return only by `return`; one with results must do so on every path.";
    Misplaced "IL0402" "a statement that cannot stand here"
        "`break` and `continue` stand in loops, `fail` and `caller` in an `op`, `emit` in a module that `provides` a set; `try` takes a device instruction that waits.";
    Signature "IL0403" "a declaration that does not match its instruction set"
        "`op`s and `on` handlers repeat the parameters and results of the instruction or event, and a set that is provided is provided whole.";
    Impure "IL0405" "an effect where none may be"
        "A `pure func` computes, allocates, and works on what it is given: it touches no memory, no mutable global, no capability, no base instruction, no function reference and no impure function. A `program` may send its own set's instructions besides.";
    Memory "IL0404" "memory that is not declared or too small"
        "Declare it with `memory MIN..MAX`, in pages of 64 KiB. `data` must lie within MIN.";
    Rejected "IL0500" "refused by the verifier"
        "The module breaks a rule that the verifier checks for every module, whoever made it.";
}

/// One error.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The file's name, as given.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The kind of error.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// Words beside the marked place, may be empty.
    pub label: String,
    /// Other places that matter, each with words beside it.
    pub others: Vec<(Span, String)>,
    /// A change of the text that probably mends it.
    pub suggestion: Option<Suggestion>,
    /// Which of the texts.
    text: usize,
}

/// A change of a text: what to write at a place instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suggestion {
    /// What is replaced.
    pub span: Span,
    /// What stands there instead.
    pub text: String,
}

/// All errors of one build, by place; never empty.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    sources: Vec<String>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// One error about a whole line of a text: how tools show a rejection that carries only a line.
    pub fn at_line(file: &str, source: &str, line: u32, message: &str, hint: Option<&str>) -> Diagnostics {
        let mut sink = Sink::new(file, source);
        let span = line_span(source, line);
        let mut error = Report::new(Code::Rejected, span, message);
        error.hint = hint.map(ToOwned::to_owned);
        sink.report(error);
        sink.finish()
    }

    /// The errors, in the order of their places.
    pub fn iter(&self) -> core::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many errors there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Never true; here for completeness.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text that an error is about.
    pub fn source(&self, error: &Diagnostic) -> &str {
        self.sources.get(error.text).map_or("", String::as_str)
    }

    /// Whether an error is about the text that was to be compiled, not about one that it imports.
    pub fn is_own(&self, error: &Diagnostic) -> bool {
        error.text == 0
    }

    /// All errors for a terminal, with the lines that they are about.
    pub fn render(&self, color: bool) -> String {
        let all: Vec<String> = self.list.iter().map(|error| self.render_one(error, color)).collect();
        all.join("\n\n")
    }

    /// One of the errors for a terminal.
    pub fn render_one(&self, error: &Diagnostic, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        error.render(self.source(error), &renderer)
    }
}

impl Diagnostic {
    fn render(&self, source: &str, renderer: &Renderer) -> String {
        let range = |span: Span| {
            let start = (span.start as usize).min(source.len());
            start..(span.end as usize).clamp(start, source.len())
        };
        let mut snippet = Snippet::source(source)
            .path(self.file.as_str())
            .annotation(AnnotationKind::Primary.span(range(self.span)).label(self.label.as_str()));
        for (span, label) in &self.others {
            snippet = snippet.annotation(AnnotationKind::Context.span(range(*span)).label(label.as_str()));
        }
        let mut group = Level::ERROR.primary_title(self.message.as_str()).id(self.code.name()).element(snippet);
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl core::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = core::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// An error under construction: code, place and message, then what may be added.
#[derive(Debug)]
pub(super) struct Report {
    code: Code,
    span: Span,
    message: String,
    label: String,
    hint: Option<String>,
    others: Vec<(Span, String)>,
    suggestion: Option<String>,
}

impl Report {
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Report {
        Report {
            code,
            span,
            message: message.into(),
            label: String::new(),
            hint: None,
            others: Vec::new(),
            suggestion: None,
        }
    }

    /// What was probably meant at the place of the error.
    pub fn did_you_mean(self, text: &str) -> Report {
        self.hint(alloc::format!("did you mean `{text}`?")).replace_by(text)
    }

    /// A text that mends the error, in place of the marked one.
    pub fn replace_by(mut self, text: impl Into<String>) -> Report {
        self.suggestion = Some(text.into());
        self
    }

    /// Words beside the marked place.
    pub fn label(mut self, label: impl Into<String>) -> Report {
        self.label = label.into();
        self
    }

    /// What to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Report {
        self.hint = Some(hint.into());
        self
    }

    /// Another place that matters.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Report {
        self.others.push((span, label.into()));
        self
    }
}

/// One of the texts of a build: all of them stand one after the other in one string, which spans point into.
#[derive(Clone, Debug)]
struct Part {
    file: String,
    start: u32,
    end: u32,
}

/// Collects errors.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    source: &'a str,
    parts: Vec<Part>,
    line_starts: Vec<u32>,
    list: Vec<Diagnostic>,
}

impl<'a> Sink<'a> {
    /// For a build of one text.
    pub fn new(file: &str, source: &'a str) -> Sink<'a> {
        Sink::of(source, [(file, source.len())])
    }

    /// For texts of these names and lengths that `source` holds one after the other, a line break between two.
    pub fn of<'n>(source: &'a str, texts: impl IntoIterator<Item = (&'n str, usize)>) -> Sink<'a> {
        let mut start = 0;
        let part = |(file, length): (&str, usize)| {
            let part = Part { file: file.to_owned(), start: start as u32, end: (start + length) as u32 };
            start += length + 1;
            part
        };
        let parts = texts.into_iter().map(part).collect();
        let newlines = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = core::iter::once(0).chain(newlines.map(|(at, _)| at as u32 + 1)).collect();
        Sink { source, parts, line_starts, list: Vec::new() }
    }

    /// All the texts.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// Which text a byte belongs to.
    fn part(&self, at: u32) -> usize {
        self.parts.partition_point(|part| part.start <= at).saturating_sub(1)
    }

    /// Adds an error, unless one about the same place is there already.
    pub fn report(&mut self, report: Report) {
        let text = self.part(report.span.start);
        let Some(Part { file, start, end }) = self.parts.get(text).cloned() else { return };
        let local = |span: Span| Span { start: span.start.saturating_sub(start), end: span.end.saturating_sub(start) };
        let span = local(report.span);
        let known = |old: &Diagnostic| old.text == text && old.span.start == span.start;
        if self.list.len() >= 4 * MAX_REPORTED || self.list.iter().any(known) {
            return;
        }
        let (line, column) = self.place(report.span.start);
        let here = |(other, label): (Span, String)| (start..=end).contains(&other.start).then(|| (local(other), label));
        self.list.push(Diagnostic {
            file,
            line,
            column,
            message: report.message,
            hint: report.hint,
            code: report.code,
            span,
            label: report.label,
            others: report.others.into_iter().filter_map(here).collect(),
            suggestion: report.suggestion.map(|text| Suggestion { span, text }),
            text,
        });
    }

    /// Whether there is nothing to complain about.
    pub fn is_clean(&self) -> bool {
        self.list.is_empty()
    }

    /// How many errors there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether further errors would not be shown.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_REPORTED
    }

    /// The line of a byte in its text, from 1.
    pub fn line(&self, at: u32) -> u32 {
        let start = self.parts.get(self.part(at)).map_or(0, |part| part.start);
        let line = |at: u32| self.line_starts.partition_point(|start| *start <= at) as u32;
        line(at) - line(start) + 1
    }

    fn place(&self, at: u32) -> (u32, u32) {
        let start = self.line_starts[..self.line_starts.partition_point(|start| *start <= at)].last();
        let before = Span { start: start.copied().unwrap_or(0), end: at }.text(self.source);
        (self.line(at), before.chars().count() as u32 + 1)
    }

    /// All that was reported, by place.
    pub fn finish(mut self) -> Diagnostics {
        self.list.sort_by_key(|error| (error.text, error.span.start));
        self.list.truncate(MAX_REPORTED);
        let text = |part: &Part| Span { start: part.start, end: part.end }.text(self.source).to_owned();
        Diagnostics { sources: self.parts.iter().map(text).collect(), list: self.list }
    }
}

fn line_span(source: &str, line: u32) -> Span {
    let mut start = 0;
    for (at, text) in source.split_inclusive('\n').enumerate() {
        if at as u32 + 1 == line {
            let indent = text.len() - text.trim_start().len();
            let end = start + text.trim_end().len().max(indent);
            return Span { start: (start + indent) as u32, end: end as u32 };
        }
        start += text.len();
    }
    Span { start: start as u32, end: start as u32 }
}

/// The candidate nearest to a misspelt name, if one is near enough to be meant.
pub(super) fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Short names resemble too many others.
    let bound = name.len() / 3;
    candidates
        .into_iter()
        .filter(|candidate| {
            bound > 0 && candidate.len().abs_diff(name.len()) <= bound && candidate.len() <= 64 && *candidate != name
        })
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance (insert, delete, replace, each 1), with one row of memory.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// `1 result`, `2 results`
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    alloc::format!("{count} {what}{plural}")
}
