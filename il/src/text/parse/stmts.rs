//! Statements.

use alloc::vec::Vec;

use super::super::ast::{Arm, Block, Expr, ExprKind, If, Match, Name, Pattern, Stmt, StmtKind};
use super::super::diag::{Code, Report, Span};
use super::super::token::Kind;
use super::{Parse, Parser, Stop};

impl<'s> Parser<'_, 's> {
    pub(super) fn block(&mut self) -> Parse<Block<'s>> {
        self.deeper(Self::block_inner)
    }

    fn block_inner(&mut self) -> Parse<Block<'s>> {
        let errors = self.sink.len();
        let open = self.expect(&Kind::OpenBrace)?;
        let mut stmts = Vec::new();
        while !self.is(&Kind::CloseBrace) && !self.is(&Kind::End) && !self.sink.is_full() {
            if self.eat(&Kind::Semi) {
                continue;
            }
            let (start, at) = (self.span(), self.at);
            match self.stmt() {
                Ok(kind) => stmts.push(Stmt { kind, span: start.to(self.last_span()) }),
                Err(Stop) => {
                    self.recover_stmt(at);
                    stmts.push(Stmt { kind: StmtKind::Error, span: start });
                }
            }
        }
        let close = self.close(&Kind::CloseBrace, open)?;
        Ok(Block { stmts, span: open.to(close), broken: self.sink.len() > errors })
    }

    /// Skips to the end of the broken statement: a `;`, a new line, or the block's brace.
    fn recover_stmt(&mut self, start: usize) {
        if self.at == start && !self.is(&Kind::CloseBrace) {
            self.skip_tree();
        }
        loop {
            match self.kind() {
                Kind::CloseBrace | Kind::End => return,
                Kind::Semi => return self.advance(),
                _ if self.token().first && self.at > start => return,
                Kind::OpenBrace | Kind::Open | Kind::OpenBracket => self.skip_tree(),
                _ => self.advance(),
            }
        }
    }

    fn stmt(&mut self) -> Parse<StmtKind<'s>> {
        let start = self.span();
        match self.kind() {
            Kind::Let | Kind::Var => self.let_stmt(),
            Kind::Label => self.labelled(),
            Kind::While | Kind::Loop | Kind::For => self.loop_stmt(None),
            Kind::Break | Kind::Continue => Ok(self.jump()),
            Kind::Return => self.return_stmt(),
            Kind::TrapWord => {
                self.advance();
                let (text, span) = self.string()?;
                Ok(StmtKind::Trap { text, span })
            }
            Kind::Assert => {
                self.advance();
                let condition = self.expr()?;
                let says = if self.eat(&Kind::Else) { Some(self.string()?) } else { None };
                Ok(StmtKind::Assert(condition, says))
            }
            Kind::Emit => self.emit(),
            Kind::Fail => {
                self.advance();
                self.expr().map(StmtKind::Fail)
            }
            Kind::If => self.if_expr().map(StmtKind::Expr),
            Kind::Match => self.match_expr().map(StmtKind::Expr),
            Kind::Func => {
                let report = Report::new(Code::Syntax, start, "functions stand outside other functions");
                self.fail(report)
            }
            _ => self.expr_stmt(),
        }
    }

    fn let_stmt(&mut self) -> Parse<StmtKind<'s>> {
        let mutable = self.is(&Kind::Var);
        self.advance();
        let pattern = self.pattern()?;
        let ty = self.optional_type()?;
        if !self.is(&Kind::Eq) {
            let report = self.expected_report("`=`").hint("a local always has an initial value");
            return self.fail(report);
        }
        self.advance();
        let value = self.value()?;
        let or_else = if self.eat(&Kind::Else) { Some((self.name()?, self.block()?)) } else { None };
        Ok(StmtKind::Let { mutable, pattern, ty, value, or_else })
    }

    fn pattern(&mut self) -> Parse<Pattern<'s>> {
        let open = self.span();
        if !self.eat(&Kind::Open) {
            return self.name().map(Pattern::Name);
        }
        let names = self.list(&Kind::Close, open, Self::name)?;
        Ok(Pattern::Tuple(names, open.to(self.last_span())))
    }

    fn label(&mut self) -> Option<Name<'s>> {
        let label = Name { text: self.text(), span: self.span() };
        self.eat(&Kind::Label).then_some(label)
    }

    fn labelled(&mut self) -> Parse<StmtKind<'s>> {
        let label = self.label();
        self.expect(&Kind::Colon)?;
        match label {
            Some(label) if self.is(&Kind::OpenBrace) => Ok(StmtKind::Block { label, body: self.block()? }),
            label => self.loop_stmt(label),
        }
    }

    fn loop_stmt(&mut self, label: Option<Name<'s>>) -> Parse<StmtKind<'s>> {
        if self.eat(&Kind::Loop) {
            return Ok(StmtKind::Loop { label, body: self.block()? });
        }
        if self.eat(&Kind::While) {
            let condition = self.expr()?;
            return Ok(StmtKind::While { label, condition, body: self.block()? });
        }
        if !self.eat(&Kind::For) {
            return self.expected("`while`, `loop`, `for` or `{`");
        }
        let name = self.name()?;
        self.expect(&Kind::In)?;
        let from = self.expr()?;
        if !self.is(&Kind::DotDot) {
            let report = self.expected_report("`..`").hint("`for i in a..b { .. }` counts from `a` to below `b`");
            return self.fail(report);
        }
        self.advance();
        let to = self.expr()?;
        Ok(StmtKind::For { label, name, from, to, body: self.block()? })
    }

    fn jump(&mut self) -> StmtKind<'s> {
        let leaves = self.is(&Kind::Break);
        self.advance();
        let label = self.label();
        if leaves { StmtKind::Break(label) } else { StmtKind::Continue(label) }
    }

    fn return_stmt(&mut self) -> Parse<StmtKind<'s>> {
        self.advance();
        if self.eat(&Kind::Tail) {
            return self.expr().map(StmtKind::ReturnTail);
        }
        let nothing = matches!(self.kind(), Kind::Semi | Kind::CloseBrace | Kind::Comma | Kind::End);
        Ok(StmtKind::Return(if nothing { None } else { Some(self.value()?) }))
    }

    fn emit(&mut self) -> Parse<StmtKind<'s>> {
        self.advance();
        let path = self.path()?;
        let open = self.expect(&Kind::Open)?;
        let args = self.list(&Kind::Close, open, Self::expr)?;
        // A variable of this name may be assigned next.
        let directed = self.is_word("to") && assignment(self.kind_ahead(1)).is_none();
        let to = match directed && self.eat_word("to") {
            true => Some(self.expr()?),
            false => None,
        };
        Ok(StmtKind::Emit { path, args, to })
    }

    fn expr_stmt(&mut self) -> Parse<StmtKind<'s>> {
        let place = self.expr()?;
        let Some(op) = assignment(self.kind()) else { return self.end_of_stmt(place) };
        self.advance();
        let value = self.value()?;
        Ok(StmtKind::Assign { place, op, value })
    }

    /// An expression that stands alone: whatever follows must start another statement.
    fn end_of_stmt(&mut self, expr: Expr<'s>) -> Parse<StmtKind<'s>> {
        let ended =
            self.token().first || matches!(self.kind(), Kind::Semi | Kind::CloseBrace | Kind::Comma | Kind::End);
        if let (ExprKind::Name(word), false) = (&expr.kind, ended) {
            let hint = match *word {
                "const" => "inside functions, constants are declared with `let`",
                "elif" | "elsif" | "elseif" => "write `else if`",
                "do" | "until" => "loops are `while`, `loop` and `for`",
                "switch" => "write `match`",
                "throw" | "raise" | "panic" => "write `trap \"why\"`",
                "mut" | "int" | "auto" => "variables are declared with `var name = value`",
                _ => return Ok(StmtKind::Expr(expr)),
            };
            let report =
                Report::new(Code::Syntax, expr.span, alloc::format!("`{word}` does not start a statement")).hint(hint);
            return self.fail(report);
        }
        Ok(StmtKind::Expr(expr))
    }

    /// The grammar's `Value`: a `match` or an expression.
    pub(super) fn value(&mut self) -> Parse<Expr<'s>> {
        if self.is(&Kind::Match) { self.match_expr() } else { self.expr() }
    }

    pub(super) fn if_expr(&mut self) -> Parse<Expr<'s>> {
        self.deeper(Self::if_inner)
    }

    fn if_inner(&mut self) -> Parse<Expr<'s>> {
        let start = self.expect(&Kind::If)?;
        let binds = if self.eat(&Kind::Let) { Some(self.bound_name()?) } else { None };
        let condition = self.expr()?;
        let then = self.block()?;
        let or_else = if self.eat(&Kind::Else) { Some(self.else_block()?) } else { None };
        let span = start.to(self.last_span());
        Ok(Expr { kind: ExprKind::If(If { binds, condition, then, or_else }.into()), span, height: 1 })
    }

    /// The `NAME =` of `if let`.
    fn bound_name(&mut self) -> Parse<Name<'s>> {
        let name = self.name()?;
        if self.is(&Kind::Colon) {
            let hint = "name the type behind the value: `if let x = e as T { .. }`";
            let report = self.expected_report("`=`").hint(hint);
            return self.fail(report);
        }
        self.expect(&Kind::Eq)?;
        Ok(name)
    }

    fn else_block(&mut self) -> Parse<Block<'s>> {
        if !self.is(&Kind::If) {
            return self.block();
        }
        let inner = self.if_expr()?;
        let span = inner.span;
        Ok(Block { stmts: alloc::vec![Stmt { kind: StmtKind::Expr(inner), span }], span, broken: false })
    }

    pub(super) fn match_expr(&mut self) -> Parse<Expr<'s>> {
        self.deeper(Self::match_inner)
    }

    fn match_inner(&mut self) -> Parse<Expr<'s>> {
        let start = self.expect(&Kind::Match)?;
        let value = self.expr()?;
        let open = self.expect(&Kind::OpenBrace)?;
        let mut arms = Vec::new();
        while !self.is(&Kind::CloseBrace) && !self.is(&Kind::End) && !self.sink.is_full() {
            if self.eat(&Kind::Comma) || self.eat(&Kind::Semi) {
                continue;
            }
            let at = self.at;
            match self.arm() {
                Ok(arm) => arms.push(arm),
                Err(Stop) => self.recover_stmt(at),
            }
        }
        self.close(&Kind::CloseBrace, open)?;
        let span = start.to(self.last_span());
        Ok(Expr { kind: ExprKind::Match(Match { value, arms }.into()), span, height: 1 })
    }

    fn arm(&mut self) -> Parse<Arm<'s>> {
        let mut patterns = alloc::vec![self.pattern_literal()?];
        while self.eat(&Kind::Or) {
            patterns.push(self.pattern_literal()?);
        }
        if !self.is(&Kind::FatArrow) {
            let report = self.expected_report("`=>`").hint("as in `1 | 2 => ..`; `_` stands for all other values");
            return self.fail(report);
        }
        self.advance();
        if self.is(&Kind::OpenBrace) {
            return Ok(Arm { patterns, body: self.block()? });
        }
        let start: Span = self.span();
        let kind = self.deeper(Self::stmt)?;
        let span = start.to(self.last_span());
        Ok(Arm { patterns, body: Block { stmts: alloc::vec![Stmt { kind, span }], span, broken: false } })
    }

    /// The grammar's `Lit`.
    fn pattern_literal(&mut self) -> Parse<Expr<'s>> {
        match self.kind() {
            Kind::Minus | Kind::Int { .. } | Kind::Char(_) | Kind::Str(_) | Kind::True | Kind::False => {
                if self.is(&Kind::Minus) && !matches!(self.kind_ahead(1), Kind::Int { .. }) {
                    self.advance();
                    return self.expected("an integer");
                }
                self.atom()
            }
            Kind::Name => {
                let path = self.path()?;
                let mut parts = path.parts.iter();
                let first = parts.next().map_or("", |part| part.text);
                let mut expr = Expr { kind: ExprKind::Name(first), span: path.span, height: 1 };
                for part in parts {
                    let of = alloc::boxed::Box::new(expr);
                    let height = of.height + 1;
                    if usize::from(height) > crate::limits::SOURCE_NESTING {
                        return self.fail(super::too_deep(path.span));
                    }
                    expr = Expr { kind: ExprKind::Field { of, name: *part }, span: path.span, height };
                }
                Ok(expr)
            }
            _ => {
                let report = self.expected_report("a literal, a constant or `_`");
                self.fail(report)
            }
        }
    }
}

/// The operator before `=`, if the word assigns at all.
fn assignment(kind: &Kind) -> Option<Option<&'static str>> {
    Some(match kind {
        Kind::Eq => None,
        Kind::PlusEq => Some("+"),
        Kind::MinusEq => Some("-"),
        Kind::StarEq => Some("*"),
        Kind::SlashEq => Some("/"),
        Kind::PercentEq => Some("%"),
        Kind::AndEq => Some("&"),
        Kind::OrEq => Some("|"),
        Kind::XorEq => Some("^"),
        Kind::ShlEq => Some("<<"),
        Kind::ShrEq => Some(">>"),
        _ => return None,
    })
}
