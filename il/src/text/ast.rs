//! The tree that the parser makes: the grammar's own shapes, names unresolved.
//!
//! Invariant: no node is deeper than [`crate::limits::SOURCE_NESTING`] in blocks, nor any expression
//! in operators, so that what follows may recurse.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::diag::Span;

/// A name and its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Name<'s> {
    pub text: &'s str,
    pub span: Span,
}

impl Name<'_> {
    /// `_`, which names nothing.
    pub fn is_blank(self) -> bool {
        self.text == "_"
    }
}

/// A whole text.
#[derive(Debug, Default)]
pub(super) struct File<'s> {
    pub module: Option<Path<'s>>,
    pub items: Vec<Item<'s>>,
}

/// `a.b.c`
#[derive(Clone, Debug)]
pub(super) struct Path<'s> {
    pub parts: Vec<Name<'s>>,
    pub span: Span,
}

impl Path<'_> {
    /// With its dots.
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|part| part.text).collect();
        parts.join(".")
    }
}

/// `cascade.display@1`
#[derive(Clone, Debug)]
pub(super) struct IsaPath<'s> {
    pub path: Path<'s>,
    pub version: u32,
    pub span: Span,
}

#[derive(Debug)]
pub(super) enum Item<'s> {
    Use {
        name: Name<'s>,
        isa: IsaPath<'s>,
        wants: Option<Vec<Name<'s>>>,
    },
    Func(Func<'s>),
    Const {
        name: Name<'s>,
        ty: Option<TypeExpr<'s>>,
        value: Expr<'s>,
    },
    Enum {
        name: Name<'s>,
        members: Vec<(Name<'s>, Option<Expr<'s>>)>,
    },
    Global {
        name: Name<'s>,
        mutable: bool,
        ty: Option<TypeExpr<'s>>,
        value: Expr<'s>,
    },
    Memory {
        min: (u64, Span),
        max: (u64, Span),
        span: Span,
    },
    Data {
        offset: Expr<'s>,
        bytes: Vec<u8>,
        span: Span,
    },
    Isa {
        isa: IsaPath<'s>,
        entries: Vec<IsaEntry<'s>>,
    },
    Provides {
        isa: IsaPath<'s>,
        name: Option<Name<'s>>,
        ops: Vec<Func<'s>>,
        span: Span,
    },
    On {
        source: Name<'s>,
        func: Func<'s>,
    },
    /// Reported already; its name is kept so that uses of it are not unknown.
    Unsupported {
        name: Option<Name<'s>>,
        what: &'static str,
    },
}

/// A line of an `isa` block.
#[derive(Debug)]
pub(super) struct IsaEntry<'s> {
    pub event: bool,
    pub coalesced: bool,
    pub number: (u64, Span),
    pub name: Name<'s>,
    pub sig: Sig<'s>,
}

/// A `func`, an `op` or an `on` handler.
#[derive(Debug)]
pub(super) struct Func<'s> {
    pub export: bool,
    pub name: Name<'s>,
    pub sig: Sig<'s>,
    pub body: Block<'s>,
}

#[derive(Debug)]
pub(super) struct Sig<'s> {
    pub params: Vec<Param<'s>>,
    /// `None` without an arrow.
    pub results: Option<Vec<Param<'s>>>,
    pub span: Span,
}

/// A parameter, or a result (whose name may be missing).
#[derive(Debug)]
pub(super) struct Param<'s> {
    pub name: Option<Name<'s>>,
    pub borrowed: bool,
    pub ty: TypeExpr<'s>,
}

#[derive(Debug)]
pub(super) struct TypeExpr<'s> {
    pub kind: TypeKind<'s>,
    pub span: Span,
}

#[derive(Debug)]
pub(super) enum TypeKind<'s> {
    /// `i32`, `str`, `buf`, ..
    Word(&'s str),
    Path(Path<'s>),
    /// `?T`, `[T]`, `func(..)`, a capability type: what it is called in messages.
    Unsupported(&'static str),
}

#[derive(Debug)]
pub(super) struct Block<'s> {
    pub stmts: Vec<Stmt<'s>>,
    /// From brace to brace.
    pub span: Span,
    /// Whether some of it could not be parsed.
    pub broken: bool,
}

#[derive(Debug)]
pub(super) struct Stmt<'s> {
    pub kind: StmtKind<'s>,
    pub span: Span,
}

#[derive(Debug)]
pub(super) enum StmtKind<'s> {
    Let {
        mutable: bool,
        pattern: Pattern<'s>,
        ty: Option<TypeExpr<'s>>,
        value: Expr<'s>,
        or_else: Option<(Name<'s>, Block<'s>)>,
    },
    While {
        label: Option<Name<'s>>,
        condition: Expr<'s>,
        body: Block<'s>,
    },
    Loop {
        label: Option<Name<'s>>,
        body: Block<'s>,
    },
    For {
        label: Option<Name<'s>>,
        name: Name<'s>,
        from: Expr<'s>,
        to: Expr<'s>,
        body: Block<'s>,
    },
    Break(Option<Name<'s>>),
    Continue(Option<Name<'s>>),
    Return(Option<Expr<'s>>),
    Trap {
        text: Vec<u8>,
        span: Span,
    },
    Assert(Expr<'s>),
    Emit {
        path: Path<'s>,
        args: Vec<Expr<'s>>,
    },
    Fail(Expr<'s>),
    Assign {
        place: Expr<'s>,
        op: Option<&'static str>,
        value: Expr<'s>,
    },
    /// Also a statement `if` or `match`.
    Expr(Expr<'s>),
    /// What was reported already.
    Error,
}

#[derive(Debug)]
pub(super) enum Pattern<'s> {
    Name(Name<'s>),
    Tuple(Vec<Name<'s>>, Span),
}

/// An expression, or a `match`, which only stands as a whole right side.
#[derive(Debug)]
pub(super) struct Expr<'s> {
    pub kind: ExprKind<'s>,
    pub span: Span,
    /// Height of the tree below, at most the nesting limit.
    pub height: u16,
}

#[derive(Debug)]
pub(super) enum ExprKind<'s> {
    Int {
        value: u64,
        hex: bool,
        negative: bool,
    },
    Float(f64),
    Str(Vec<u8>),
    Char(u32),
    Bool(bool),
    /// Also a type's word that is called: `i32(x)`, `buf(n)`.
    Name(&'s str),
    Unary {
        op: &'static str,
        value: Box<Expr<'s>>,
    },
    Binary {
        op: &'static str,
        op_span: Span,
        left: Box<Expr<'s>>,
        right: Box<Expr<'s>>,
    },
    Try(Box<Expr<'s>>),
    Field {
        of: Box<Expr<'s>>,
        name: Name<'s>,
    },
    Index {
        of: Box<Expr<'s>>,
        index: Box<Expr<'s>>,
    },
    Call {
        callee: Box<Expr<'s>>,
        args: Vec<Arg<'s>>,
    },
    Tuple(Vec<Expr<'s>>),
    If(Box<If<'s>>),
    Match(Box<Match<'s>>),
}

#[derive(Debug)]
pub(super) struct Arg<'s> {
    pub name: Option<Name<'s>>,
    pub value: Expr<'s>,
}

#[derive(Debug)]
pub(super) struct If<'s> {
    pub condition: Expr<'s>,
    pub then: Block<'s>,
    /// An `else if` is a block of one statement.
    pub or_else: Option<Block<'s>>,
}

#[derive(Debug)]
pub(super) struct Match<'s> {
    pub value: Expr<'s>,
    pub arms: Vec<Arm<'s>>,
}

#[derive(Debug)]
pub(super) struct Arm<'s> {
    pub patterns: Vec<Expr<'s>>,
    pub body: Block<'s>,
}
