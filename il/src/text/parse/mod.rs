//! Recursive-descent parser: words to tree, with several errors a run.
//!
//! An error is reported where it is found and leaves as [`Stop`]; the innermost list of statements
//! or items then skips to its next member. Depth is bounded, so hostile texts cannot exhaust the stack.

mod exprs;
mod items;
mod stmts;
mod types;

use alloc::format;
use alloc::vec::Vec;

use super::ast::{File, IsaPath, Name, Path};
use super::diag::{Code, Report, Sink, Span};
use super::lexer::lex;
use super::token::{Kind, Token};
use crate::limits::SOURCE_NESTING;

pub(super) use exprs::precedence;

/// The current construct cannot be parsed further; its error is reported.
pub(super) struct Stop;

type Parse<T> = Result<T, Stop>;

/// Parses a text, which begins at byte `start` of `source` and ends with it, as far as it can be understood.
pub(super) fn parse<'s>(source: &'s str, start: usize, sink: &mut Sink<'s>) -> File<'s> {
    let tokens = lex(source, start, sink);
    let mut parser = Parser { source, tokens, at: 0, sink, depth: 0 };
    parser.file()
}

struct Parser<'p, 's> {
    source: &'s str,
    tokens: Vec<Token>,
    at: usize,
    sink: &'p mut Sink<'s>,
    depth: usize,
}

impl<'s> Parser<'_, 's> {
    fn token(&self) -> &Token {
        // The list ends with `End`, which `advance` never passes.
        &self.tokens[self.at]
    }

    fn kind(&self) -> &Kind {
        &self.token().kind
    }

    fn kind_ahead(&self, by: usize) -> &Kind {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + by).min(last)].kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    /// Span of the word before the current one.
    fn last_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    fn text(&self) -> &'s str {
        self.span().text(self.source)
    }

    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn is(&self, kind: &Kind) -> bool {
        self.kind() == kind
    }

    /// Takes the word if it is this one.
    fn eat(&mut self, kind: &Kind) -> bool {
        let found = self.is(kind);
        if found {
            self.advance();
        }
        found
    }

    /// Whether this is the name `word`: item words are ordinary names elsewhere.
    fn is_word(&self, word: &str) -> bool {
        self.is(&Kind::Name) && self.text() == word
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn fail<T>(&mut self, report: Report) -> Parse<T> {
        self.sink.report(report);
        Err(Stop)
    }

    /// What stands here, for messages.
    fn found(&self) -> alloc::string::String {
        match self.kind() {
            Kind::End => "the end of the file".into(),
            Kind::Semi if self.text() != ";" => "a new statement".into(),
            Kind::Str(_) => "a string".into(),
            _ => format!("`{}`", self.text()),
        }
    }

    fn expected<T>(&mut self, what: &str) -> Parse<T> {
        let report = self.expected_report(what);
        self.fail(report)
    }

    fn expected_report(&self, what: &str) -> Report {
        let report = Report::new(Code::Syntax, self.span(), format!("expected {what}, found {}", self.found()));
        report.label(format!("expected {what}"))
    }

    fn expect(&mut self, kind: &Kind) -> Parse<Span> {
        let span = self.span();
        if self.eat(kind) { Ok(span) } else { self.expected(kind.describe()) }
    }

    /// A closing bracket, with its opening one in the message.
    fn close(&mut self, kind: &Kind, open: Span) -> Parse<Span> {
        let span = self.span();
        if self.eat(kind) {
            return Ok(span);
        }
        let report = self.expected_report(kind.describe()).also(open, "opened here");
        self.fail(report)
    }

    fn name(&mut self) -> Parse<Name<'s>> {
        let name = Name { text: self.text(), span: self.span() };
        if self.eat(&Kind::Name) {
            return Ok(name);
        }
        if self.kind().is_keyword() {
            let message = format!("`{}` is a reserved word, not a name", name.text);
            let report =
                Report::new(Code::Reserved, name.span, message).hint(format!("another name, such as `{}_`", name.text));
            return self.fail(report);
        }
        self.expected("a name")
    }

    fn string(&mut self) -> Parse<(Vec<u8>, Span)> {
        let span = self.span();
        if let Kind::Str(bytes) = self.kind() {
            let bytes = bytes.clone();
            self.advance();
            return Ok((bytes, span));
        }
        self.expected("a string")
    }

    fn int(&mut self) -> Parse<(u64, Span)> {
        let span = self.span();
        if let Kind::Int { value, .. } = *self.kind() {
            self.advance();
            return Ok((value, span));
        }
        self.expected("an integer")
    }

    fn path(&mut self) -> Parse<Path<'s>> {
        let first = self.name()?;
        let mut parts = alloc::vec![first];
        while self.eat(&Kind::Dot) {
            parts.push(self.name()?);
        }
        Ok(Path { span: first.span.to(self.last_span()), parts })
    }

    fn isa_path(&mut self) -> Parse<IsaPath<'s>> {
        let path = self.path()?;
        self.version(path)
    }

    /// The `@1` after a set's path.
    fn version(&mut self, path: Path<'s>) -> Parse<IsaPath<'s>> {
        if !self.is(&Kind::At) {
            let report = self.expected_report("`@` and a version").hint(format!("as in `{}@1`", path.text()));
            return self.fail(report);
        }
        self.advance();
        let (version, span) = self.int()?;
        let Ok(version) = u32::try_from(version) else {
            return self.fail(Report::new(Code::BadLiteral, span, "a version is at most 4294967295"));
        };
        Ok(IsaPath { span: path.span.to(span), path, version })
    }

    /// `L(X)` up to and including its closing bracket, which is the next word to come.
    fn list<T>(&mut self, close: &Kind, open: Span, mut member: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let mut members = Vec::new();
        while !self.is(close) {
            members.push(member(self)?);
            if !self.eat(&Kind::Comma) {
                break;
            }
        }
        self.close(close, open)?;
        Ok(members)
    }

    /// Runs `inner` one level deeper, or refuses.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth >= SOURCE_NESTING {
            let report = too_deep(self.span());
            // What follows can only be misread.
            self.at = self.tokens.len() - 1;
            return self.fail(report);
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Skips a balanced `{ .. }`, `( .. )` or `[ .. ]`, or one word.
    fn skip_tree(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.kind() {
                Kind::OpenBrace | Kind::Open | Kind::OpenBracket => depth += 1,
                Kind::CloseBrace | Kind::Close | Kind::CloseBracket => depth = depth.saturating_sub(1),
                Kind::End => return,
                _ => {}
            }
            self.advance();
            if depth == 0 {
                return;
            }
        }
    }
}

fn too_deep(span: Span) -> Report {
    let message = format!("nested more than {SOURCE_NESTING} deep");
    let report =
        Report::new(Code::TooDeep, span, message).hint("split it with `let`, or move the inner part into a function");
    report.label("only the binary form nests deeper")
}
