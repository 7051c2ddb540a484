//! From characters to words, understood semicolons included (reference, chapter "Lexical structure").
#![allow(clippy::result_large_err)] // a report is made once for a malformed word

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::diag::{Code, Report, Sink, Span};
use super::token::{KEYWORDS, Kind, PUNCTUATION, Token};

/// All words of a text from byte `start` on; the last one is [`Kind::End`]. Malformed ones are reported and
/// replaced.
pub(super) fn lex(source: &str, start: usize, sink: &mut Sink<'_>) -> Vec<Token> {
    let mut lexer = Lexer { source, at: start, tokens: Vec::new(), depth: 0, first: true, doc: Span::default() };
    while lexer.skip_blanks() {
        let start = lexer.at;
        let result = lexer.word();
        debug_assert!(lexer.at > start, "no progress");
        match result {
            Ok(kind) => lexer.push(kind, start),
            Err(report) => {
                // A malformed literal still stands for a value, so that what follows is not misread.
                if let Some(kind) = stand_in(source, start) {
                    lexer.push(kind, start);
                }
                sink.report(report);
                if sink.is_full() {
                    break;
                }
            }
        }
        lexer.first = false;
    }
    let end = lexer.at;
    lexer.first = true;
    lexer.push(Kind::End, end);
    lexer.tokens
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<Token>,
    /// How many `(` and `[` are open.
    depth: usize,
    first: bool,
    /// The `///` lines since the last word.
    doc: Span,
}

impl Lexer<'_> {
    /// Skips blanks and comments; false at the end.
    fn skip_blanks(&mut self) -> bool {
        loop {
            let rest = self.rest();
            let Some(next) = rest.chars().next() else { return false };
            let comment = if rest.starts_with("//") { rest.find('\n').or(Some(rest.len())) } else { None };
            if next == '\n' {
                self.first = true;
            }
            if next.is_whitespace() || next == '\u{feff}' {
                self.at += next.len_utf8();
            } else if let Some(length) = comment {
                self.note_doc(length);
                self.at += length;
            } else {
                return true;
            }
        }
    }

    /// A comment of three slashes, not more, documents what follows.
    fn note_doc(&mut self, length: usize) {
        let rest = self.rest();
        if rest.starts_with("///") && !rest.starts_with("////") {
            let (start, end) = (self.at as u32, (self.at + length) as u32);
            self.doc = if self.doc == Span::default() { Span { start, end } } else { Span { end, ..self.doc } };
        }
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn span(&self, start: usize) -> Span {
        Span { start: start as u32, end: self.at as u32 }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        if self.understands_semicolon(&kind) {
            let span = Span { start: start as u32, end: start as u32 };
            self.tokens.push(Token { kind: Kind::Semi, span, first: false, doc: Span::default() });
        }
        match kind {
            Kind::Open | Kind::OpenBracket => self.depth += 1,
            Kind::Close | Kind::CloseBracket => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let span = self.span(start);
        let doc = core::mem::take(&mut self.doc);
        self.tokens.push(Token { kind, span, first: self.first, doc });
    }

    fn understands_semicolon(&self, next: &Kind) -> bool {
        let Some(last) = self.tokens.last() else { return false };
        let opens = matches!(next, Kind::Open | Kind::OpenBracket | Kind::Minus | Kind::And);
        let leaves = matches!(last.kind, Kind::Return | Kind::Break | Kind::Continue);
        self.first && (leaves || (self.depth == 0 && opens && last.kind.ends_expression()))
    }

    fn word(&mut self) -> Result<Kind, Report> {
        let start = self.at;
        let next = self.peek().unwrap_or('\0');
        if is_name_start(next) {
            return Ok(self.name());
        }
        if next.is_ascii_digit() {
            return self.number();
        }
        if next == '"' {
            self.bump();
            return self.string(start).map(Kind::Str);
        }
        if next == '\'' {
            self.bump();
            return self.label_or_char(start);
        }
        for (text, kind) in PUNCTUATION {
            if self.rest().starts_with(text) {
                self.at += text.len();
                return Ok(kind.clone());
            }
        }
        self.bump();
        Err(Report::new(
            Code::BadCharacter,
            self.span(start),
            format!("unexpected character `{}`", next.escape_default()),
        )
        .hint(match next {
            '#' => "comments start with `//`",
            '$' | '`' => "names consist of letters, digits and `_`",
            _ => "remove it",
        }))
    }

    fn name(&mut self) -> Kind {
        let start = self.at;
        while self.peek().is_some_and(is_name_part) {
            self.bump();
        }
        let text = self.source.get(start..self.at).unwrap_or("");
        let after_dot = self.tokens.last().is_some_and(|token| token.kind == Kind::Dot);
        let keyword = KEYWORDS.iter().find(|(word, _)| *word == text && !after_dot);
        keyword.map_or(Kind::Name, |(_, kind)| kind.clone())
    }

    fn number(&mut self) -> Result<Kind, Report> {
        let start = self.at;
        let hex = self.rest().starts_with("0x") || self.rest().starts_with("0X");
        if hex {
            self.at += 2;
            return self.integer(start, 16);
        }
        self.digits();
        let after_dot = self.rest().strip_prefix('.').and_then(|rest| rest.chars().next());
        if after_dot.is_some_and(|next| next.is_ascii_digit()) {
            return self.float(start);
        }
        self.at = start;
        self.integer(start, 10)
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|next| next.is_ascii_digit()) {
            self.bump();
        }
    }

    /// An integer's digits, up to the first character that no name or number could have.
    fn integer(&mut self, start: usize, radix: u32) -> Result<Kind, Report> {
        let digits = self.at;
        while self.peek().is_some_and(is_name_part) {
            self.bump();
        }
        let text = self.source.get(digits..self.at).unwrap_or("");
        let span = self.span(start);
        if text.is_empty() || !text.chars().all(|digit| digit.is_digit(radix)) {
            return Err(Report::new(Code::BadNumber, span, format!("`{}` is not a number", span.text(self.source)))
                .hint(if text.contains('_') {
                    "write the digits without separators"
                } else {
                    "numbers are decimal (`42`), hexadecimal (`0x2a`) or floats (`1.5`), without suffix"
                }));
        }
        let value = u64::from_str_radix(text, radix).map_err(|_| {
            Report::new(Code::BadNumber, span, "this number does not fit 64 bits")
                .hint("the largest is 0xffffffffffffffff")
        })?;
        Ok(Kind::Int { value, hex: radix == 16 })
    }

    fn float(&mut self, start: usize) -> Result<Kind, Report> {
        self.bump();
        self.digits();
        if matches!(self.peek(), Some('e' | 'E')) {
            self.bump();
            if matches!(self.peek(), Some('+' | '-')) {
                self.bump();
            }
            self.digits();
        }
        let clean = !self.peek().is_some_and(is_name_part);
        while self.peek().is_some_and(is_name_part) {
            self.bump();
        }
        let span = self.span(start);
        let value: Option<f64> = if clean { span.text(self.source).parse().ok() } else { None };
        match value {
            Some(value) if value.is_finite() => {
                // Not by way of the wider float, which would round twice.
                Ok(Kind::Float(value, span.text(self.source).parse().unwrap_or(value as f32)))
            }
            Some(_) => Err(Report::new(Code::BadNumber, span, "this float is larger than any `f64`")
                .hint("infinity is `1.0 / 0.0`")),
            None => Err(Report::new(Code::BadNumber, span, format!("`{}` is not a number", span.text(self.source)))
                .hint("a float has digits on both sides of its dot, and no suffix")),
        }
    }

    /// A string's bytes after its opening quote.
    fn string(&mut self, start: usize) -> Result<Vec<u8>, Report> {
        let mut bytes = Vec::new();
        let mut fault = None;
        loop {
            let at = self.at;
            match self.peek() {
                None | Some('\n') => {
                    return Err(Report::new(Code::BadString, self.span(start), "this string does not end on its line")
                        .hint("close it with `\"`; a line break inside is written `\\n`"));
                }
                Some('"') => {
                    self.bump();
                    return fault.map_or(Ok(bytes), Err);
                }
                Some('\\') => match self.escape() {
                    Ok(Escape::Byte(byte)) => bytes.push(byte),
                    Ok(Escape::Char(char)) => push_char(&mut bytes, char),
                    Err(text) => fault = fault.or(Some(self.bad_escape(at, text))),
                },
                Some(char) => {
                    self.bump();
                    push_char(&mut bytes, char);
                }
            }
        }
    }

    fn bad_escape(&self, start: usize, text: String) -> Report {
        Report::new(Code::BadString, self.span(start), text)
            .hint("escapes are \\n \\r \\t \\0 \\\\ \\\" \\' \\xNN \\u{..}")
    }

    /// An escape; stands at its backslash. On failure, what is wrong.
    fn escape(&mut self) -> Result<Escape, String> {
        self.bump();
        let next = self.peek().filter(|next| *next != '\n').ok_or("this escape is cut off")?;
        self.bump();
        Ok(match next {
            'n' => Escape::Byte(b'\n'),
            'r' => Escape::Byte(b'\r'),
            't' => Escape::Byte(b'\t'),
            '0' => Escape::Byte(0),
            '\\' | '"' | '\'' => Escape::Byte(next as u8),
            'x' => Escape::Byte(self.hex_escape()?),
            'u' => Escape::Char(self.unicode_escape()?),
            other => return Err(format!("there is no escape `\\{}`", other.escape_default())),
        })
    }

    fn hex_escape(&mut self) -> Result<u8, String> {
        let digits = self.rest().get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let value = digits.ok_or("`\\x` needs two hexadecimal digits")?;
        self.at += 2;
        Ok(value)
    }

    fn unicode_escape(&mut self) -> Result<char, String> {
        let rest = self.rest().strip_prefix('{').unwrap_or("");
        let end = rest.bytes().take(7).position(|byte| byte == b'}');
        let inner = end.and_then(|end| rest.get(..end)).ok_or("`\\u` needs a number in braces: `\\u{1f600}`")?;
        let value = u32::from_str_radix(inner, 16).ok().and_then(char::from_u32);
        let length = inner.len() + 2;
        let value = value.ok_or_else(|| format!("`\\u{{{inner}}}` is not a character"))?;
        self.at += length;
        Ok(value)
    }

    /// After a `'`: `'x'` is a character, `'x` a label.
    fn label_or_char(&mut self, start: usize) -> Result<Kind, Report> {
        let mut ahead = self.rest().chars();
        let (next, after) = (ahead.next(), ahead.next());
        if next.is_some_and(is_name_start) && after != Some('\'') {
            while self.peek().is_some_and(is_name_part) {
                self.bump();
            }
            if self.peek() != Some('\'') {
                return Ok(Kind::Label);
            }
            self.bump();
            return Err(Report::new(Code::BadString, self.span(start), "a character literal holds one character")
                .hint("a string stands between `\"`"));
        }
        let at = self.at;
        let value = match next {
            Some('\\') => match self.escape().map_err(|text| self.bad_escape(at, text))? {
                Escape::Byte(byte) => u32::from(byte),
                Escape::Char(char) => char as u32,
            },
            Some(char) if char != '\n' && char != '\'' => {
                self.bump();
                char as u32
            }
            _ => {
                if next == Some('\'') {
                    self.bump();
                }
                return Err(
                    Report::new(Code::BadString, self.span(start), "an empty character literal").hint("as in 'A'")
                );
            }
        };
        if self.peek() != Some('\'') {
            // Take the rest of what was meant to be a string.
            while self.peek().is_some_and(is_name_part) {
                self.bump();
            }
            if self.peek() == Some('\'') {
                self.bump();
            }
            return Err(Report::new(Code::BadString, self.span(start), "this character literal does not end")
                .hint("a character is one character between `'`; a string stands between `\"`"));
        }
        self.bump();
        Ok(Kind::Char(value))
    }
}

/// A word of the kind that was meant by a malformed one.
fn stand_in(source: &str, start: usize) -> Option<Kind> {
    let text = source.get(start..)?;
    match text.chars().next()? {
        '"' => Some(Kind::Str(Vec::new())),
        '\'' => Some(Kind::Char(0)),
        first if first.is_ascii_digit() => {
            let digits = text.trim_start_matches(|char: char| char.is_ascii_digit());
            let float =
                digits.strip_prefix('.').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()));
            Some(if float { Kind::Float(0.0, 0.0) } else { Kind::Int { value: 0, hex: false } })
        }
        _ => None,
    }
}

enum Escape {
    Byte(u8),
    Char(char),
}

fn push_char(bytes: &mut Vec<u8>, char: char) {
    bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

fn is_name_start(char: char) -> bool {
    char.is_ascii_alphabetic() || char == '_'
}

fn is_name_part(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}
