//! Expressions, by operator precedence.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::super::ast::{Arg, Block, Expr, ExprKind, Name, StmtKind};
use super::super::diag::{Code, Report, Span};
use super::super::token::{KEYWORDS, Kind, PUNCTUATION};
use super::{Parse, Parser, too_deep};
use crate::limits::SOURCE_NESTING;

/// How tightly `as` and `is` bind.
const CAST: u8 = 10;
/// How tightly comparisons bind; they do not chain.
const COMPARISON: u8 = 3;

/// Binary operators: how tightly they bind, and their text.
fn infix(kind: &Kind) -> Option<(u8, &'static str)> {
    Some(match kind {
        Kind::Star => (9, "*"),
        Kind::Slash => (9, "/"),
        Kind::Percent => (9, "%"),
        Kind::Plus => (8, "+"),
        Kind::Minus => (8, "-"),
        Kind::Shl => (7, "<<"),
        Kind::Shr => (7, ">>"),
        Kind::And => (6, "&"),
        Kind::Xor => (5, "^"),
        Kind::Or => (4, "|"),
        Kind::EqEq => (COMPARISON, "=="),
        Kind::NotEq => (COMPARISON, "!="),
        Kind::Less => (COMPARISON, "<"),
        Kind::LessEq => (COMPARISON, "<="),
        Kind::Greater => (COMPARISON, ">"),
        Kind::GreaterEq => (COMPARISON, ">="),
        Kind::AndAnd => (2, "&&"),
        Kind::OrOr => (1, "||"),
        _ => return None,
    })
}

/// The binary operators, the tightest first; those of one entry bind alike.
pub(in crate::text) fn precedence() -> Vec<Vec<&'static str>> {
    let words = PUNCTUATION.iter().chain(KEYWORDS);
    let infix = words.filter_map(|(_, kind)| infix(kind)).collect::<Vec<_>>();
    let of = |level| infix.iter().filter(|(binds, _)| *binds == level).map(|(_, text)| *text).collect::<Vec<_>>();
    let levels = core::iter::once(alloc::vec!["as", "is"]).chain((0..=u8::MAX).rev().map(of));
    levels.filter(|level| !level.is_empty()).collect()
}

impl<'s> Parser<'_, 's> {
    pub(super) fn expr(&mut self) -> Parse<Expr<'s>> {
        self.deeper(|parser| parser.binary(1))
    }

    /// A node over `height` levels of others, unless that is too deep.
    fn node(&mut self, kind: ExprKind<'s>, span: Span, height: u16) -> Parse<Expr<'s>> {
        if usize::from(height) >= SOURCE_NESTING {
            return self.fail(too_deep(span));
        }
        Ok(Expr { kind, span, height: height + 1 })
    }

    /// Operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Parse<Expr<'s>> {
        let mut left = self.unary()?;
        loop {
            let op_span = self.span();
            if matches!(self.kind(), Kind::As | Kind::Is) && CAST >= least {
                left = self.cast(left)?;
                continue;
            }
            let Some((binds, op)) = infix(self.kind()).filter(|(binds, _)| *binds >= least) else { return Ok(left) };
            self.advance();
            let right = self.deeper(|parser| parser.binary(binds + 1))?;
            if binds == COMPARISON && infix(self.kind()).is_some_and(|(binds, _)| binds == COMPARISON) {
                let report =
                    Report::new(Code::Syntax, self.span(), "comparisons do not chain").hint("write `a < b && b < c`");
                return self.fail(report);
            }
            let (span, height) = (left.span.to(right.span), left.height.max(right.height));
            let (left_box, right) = (Box::new(left), Box::new(right));
            left = self.node(ExprKind::Binary { op, op_span, left: left_box, right }, span, height)?;
        }
    }

    /// `left as T`, `left is T`
    fn cast(&mut self, left: Expr<'s>) -> Parse<Expr<'s>> {
        let tests = self.is(&Kind::Is);
        self.advance();
        let ty = self.ty()?;
        let (span, height) = (left.span.to(self.last_span()), left.height);
        let left = Box::new(left);
        self.node(if tests { ExprKind::Is(left, ty) } else { ExprKind::As(left, ty) }, span, height)
    }

    fn unary(&mut self) -> Parse<Expr<'s>> {
        let start = self.span();
        let op = match self.kind() {
            Kind::Minus if matches!(self.kind_ahead(1), Kind::Int { .. } | Kind::Float(..)) => return self.postfix(),
            Kind::Minus => "-",
            Kind::Not => "!",
            Kind::Tilde => "~",
            Kind::Try => {
                self.advance();
                let call = self.postfix()?;
                let (span, height) = (start.to(call.span), call.height);
                return self.node(ExprKind::Try(Box::new(call)), span, height);
            }
            _ => return self.postfix(),
        };
        self.advance();
        let value = self.deeper(Self::unary)?;
        let (span, height) = (start.to(value.span), value.height);
        self.node(ExprKind::Unary { op, value: Box::new(value) }, span, height)
    }

    fn postfix(&mut self) -> Parse<Expr<'s>> {
        let mut expr = self.atom()?;
        loop {
            let open = self.span();
            let (kind, inner) = match self.kind() {
                Kind::Dot => {
                    self.advance();
                    let name = self.name()?;
                    let height = expr.height;
                    (ExprKind::Field { of: Box::new(expr), name }, height)
                }
                Kind::OpenBracket => {
                    self.advance();
                    let index = self.expr()?;
                    self.close(&Kind::CloseBracket, open)?;
                    let height = expr.height.max(index.height);
                    (ExprKind::Index { of: Box::new(expr), index: Box::new(index) }, height)
                }
                Kind::Open => {
                    self.advance();
                    let args = self.list(&Kind::Close, open, Self::arg)?;
                    let height = args.iter().fold(expr.height, |height, arg| height.max(arg.value.height));
                    (ExprKind::Call { callee: Box::new(expr), args }, height)
                }
                _ => return Ok(expr),
            };
            let start = match &kind {
                ExprKind::Field { of, .. } | ExprKind::Index { of, .. } | ExprKind::Call { callee: of, .. } => of.span,
                _ => open,
            };
            let span = start.to(self.last_span());
            expr = self.node(kind, span, inner)?;
        }
    }

    fn arg(&mut self) -> Parse<Arg<'s>> {
        let named = self.is(&Kind::Name) && *self.kind_ahead(1) == Kind::Colon;
        let name = if named { Some(self.name()?) } else { None };
        if named {
            self.advance();
        }
        Ok(Arg { name, value: self.expr()? })
    }

    /// The grammar's `Prim`, and negative literals.
    pub(super) fn atom(&mut self) -> Parse<Expr<'s>> {
        let start = self.span();
        let negative = self.eat(&Kind::Minus);
        let text = self.text();
        let kind = match self.kind().clone() {
            Kind::Int { value, hex } => ExprKind::Int { value, hex, negative },
            Kind::Float(wide, narrow) if negative => ExprKind::Float(-wide, -narrow),
            Kind::Float(wide, narrow) => ExprKind::Float(wide, narrow),
            Kind::Str(bytes) => ExprKind::Str(bytes),
            Kind::Char(value) => ExprKind::Char(value),
            Kind::True => ExprKind::Bool(true),
            Kind::False => ExprKind::Bool(false),
            Kind::Name => ExprKind::Name(text),
            Kind::If => return self.if_expr(),
            Kind::Open => return self.parenthesised(),
            Kind::Match => {
                let report =
                    Report::new(Code::Syntax, start, "`match` stands only as a statement or a whole right side")
                        .hint("put it in a local first: `let x = match ..`");
                return self.fail(report);
            }
            Kind::StrType | Kind::BufType => self.type_call(text)?,
            kind if kind.is_prim() => self.type_call(text)?,
            Kind::Null => ExprKind::Null,
            Kind::New => return self.new_object(start),
            Kind::And => {
                self.advance();
                let path = self.path()?;
                let span = start.to(path.span);
                return Ok(Expr { kind: ExprKind::FuncRef(path), span, height: 1 });
            }
            Kind::OpenBracket => {
                self.advance();
                let list = self.list(&Kind::CloseBracket, start, Self::expr)?;
                let height = tallest(&list);
                return self.node(ExprKind::Array(list), start.to(self.last_span()), height);
            }
            kind if kind.is_keyword() && !self.token().first => {
                let message = alloc::format!("`{text}` is a reserved word, not a value");
                return self.fail(Report::new(Code::Reserved, start, message));
            }
            _ => return self.expected("an expression"),
        };
        self.advance();
        Ok(Expr { kind, span: start.to(self.last_span()), height: 1 })
    }

    /// `new S { f: e, .. }`, `new [T](n, fill)`, `new mut [T](n, fill)`
    fn new_object(&mut self, start: Span) -> Parse<Expr<'s>> {
        self.advance();
        if matches!(self.kind(), Kind::Mut | Kind::OpenBracket) {
            return self.new_array(start);
        }
        if !self.is(&Kind::Name) {
            let report = self.expected_report("a struct's name or `[`");
            return self.fail(report.hint("as in `new Point { x: 1, y: 2 }` or `new mut [i32](8, 0)`"));
        }
        let name = self.name()?;
        let open = self.span();
        if !self.eat(&Kind::OpenBrace) {
            let report = self.expected_report("`{` and fields");
            return self.fail(report.hint("as in `new Point { x: 1, y: 2 }`"));
        }
        let fields = self.list(&Kind::CloseBrace, open, Self::field_value)?;
        let height = fields.iter().fold(0, |height, (_, value)| height.max(value.height));
        self.node(ExprKind::New { name, fields }, start.to(self.last_span()), height)
    }

    fn field_value(&mut self) -> Parse<(Name<'s>, Expr<'s>)> {
        let name = self.name()?;
        if !self.is(&Kind::Colon) {
            let hint = alloc::format!("every field is given by name: `{}: ..`", name.text);
            let report = self.expected_report("`:` and a value").hint(hint);
            return self.fail(report);
        }
        self.advance();
        Ok((name, self.expr()?))
    }

    fn new_array(&mut self, start: Span) -> Parse<Expr<'s>> {
        let ty = self.ty()?;
        let open = self.span();
        if !self.eat(&Kind::Open) {
            let report = self.expected_report("`(`");
            return self.fail(report.hint("give length and value: `new [i32](8, 0)`; elements one by one: `[1, 2]`"));
        }
        let mut args = self.list(&Kind::Close, open, Self::expr)?;
        let span = start.to(self.last_span());
        let (Some(fill), Some(length), true) = (args.pop(), args.pop(), args.is_empty()) else {
            let report = Report::new(Code::Count, span, "`new [T](..)` takes a length and the value of all elements");
            return self.fail(report.hint("as in `new mut [i32](8, 0)`"));
        };
        let height = length.height.max(fill.height);
        self.node(ExprKind::NewArray { ty, length: Box::new(length), fill: Box::new(fill) }, span, height)
    }

    /// A type's word as the name of a conversion or constructor.
    fn type_call(&mut self, text: &'s str) -> Parse<ExprKind<'s>> {
        // `v128` is also the shape of operations on all bits.
        if *self.kind_ahead(1) != Kind::Open && !(text == "v128" && *self.kind_ahead(1) == Kind::Dot) {
            let message = alloc::format!("`{text}` is a type, not a value");
            let report = Report::new(Code::Syntax, self.span(), message);
            return self.fail(match text {
                "v128" => report.hint("make one: `v128(low, high)`, `i32x4.splat(x)`"),
                _ => report.hint(alloc::format!("convert with `{text}(x)`")),
            });
        }
        Ok(ExprKind::Name(text))
    }

    fn parenthesised(&mut self) -> Parse<Expr<'s>> {
        let open = self.expect(&Kind::Open)?;
        let mut list = self.list(&Kind::Close, open, Self::expr)?;
        let span = open.to(self.last_span());
        if list.len() == 1
            && let Some(mut inner) = list.pop()
        {
            inner.span = span;
            if matches!(inner.kind, ExprKind::If(_)) && is_operand(&inner) {
                let height = inner.height;
                return self.node(ExprKind::Group(Box::new(inner)), span, height);
            }
            return Ok(inner);
        }
        if list.is_empty() {
            let report = Report::new(Code::Syntax, span, "expected an expression between the parentheses");
            return self.fail(report);
        }
        let height = tallest(&list);
        self.node(ExprKind::Tuple(list), span, height)
    }
}

/// Whether an `if` can be inside an expression: all its branches are expressions. (Nesting is bounded.)
fn is_operand(expr: &Expr<'_>) -> bool {
    let ExprKind::If(inner) = &expr.kind else { return true };
    let branch = |block: &Block<'_>| match &block.stmts[..] {
        [one] => {
            matches!(&one.kind, StmtKind::Expr(value) if is_operand(value) && !matches!(value.kind, ExprKind::Match(_)))
        }
        _ => false,
    };
    branch(&inner.then) && inner.or_else.as_ref().is_some_and(branch)
}

fn tallest(list: &[Expr<'_>]) -> u16 {
    list.iter().fold(0, |height, expr| height.max(expr.height))
}
