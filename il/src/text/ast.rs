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
    /// For each item, where the `///` lines before it stand; empty if there are none.
    pub docs: Vec<Span>,
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
    Import {
        path: Path<'s>,
        names: Vec<Name<'s>>,
    },
    Func(Func<'s>),
    Const {
        export: bool,
        name: Name<'s>,
        ty: Option<TypeExpr<'s>>,
        value: Expr<'s>,
    },
    Enum {
        export: bool,
        name: Name<'s>,
        members: Vec<(Name<'s>, Option<Expr<'s>>)>,
    },
    Struct(Struct<'s>),
    Global {
        name: Name<'s>,
        mutable: bool,
        ty: Option<TypeExpr<'s>>,
        value: Expr<'s>,
    },
    Memory {
        name: Option<Name<'s>>,
        min: (u64, Span),
        max: (u64, Span),
        span: Span,
    },
    Data {
        name: Option<Name<'s>>,
        /// `None` if only the program puts its bytes into a memory.
        place: Option<DataPlace<'s>>,
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
    Program {
        isa: IsaPath<'s>,
        func: Func<'s>,
    },
    /// The function is named by the word `test`; the test's own name is its title.
    Test {
        title: (Vec<u8>, Span),
        func: Func<'s>,
    },
}

/// `OFFSET in MEMORY`
#[derive(Debug)]
pub(super) struct DataPlace<'s> {
    pub offset: Expr<'s>,
    /// By name or number; without it the first memory is meant.
    pub memory: Option<Expr<'s>>,
}

/// `struct NAME: PARENT { .. }`
#[derive(Debug)]
pub(super) struct Struct<'s> {
    pub export: bool,
    pub frozen: bool,
    pub name: Name<'s>,
    pub parent: Option<Name<'s>>,
    pub fields: Vec<FieldDecl<'s>>,
}

#[derive(Debug)]
pub(super) struct FieldDecl<'s> {
    pub mutable: bool,
    pub name: Name<'s>,
    pub ty: TypeExpr<'s>,
}

/// A line of an `isa` block.
#[derive(Debug)]
pub(super) struct IsaEntry<'s> {
    pub event: bool,
    pub coalesced: bool,
    pub number: (u64, Span),
    pub name: Name<'s>,
    pub sig: Sig<'s>,
    /// The `///` lines before it.
    pub doc: Span,
}

/// A `func`, an `op`, an `on` handler, a `program` or a `test`.
#[derive(Debug)]
pub(super) struct Func<'s> {
    pub export: bool,
    pub pure: bool,
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
    /// `?T`
    Opt(Box<TypeExpr<'s>>),
    /// `[T]`, `mut [T]`
    Array {
        mutable: bool,
        element: Box<TypeExpr<'s>>,
    },
    /// `func(ref buf, i32) -> i32`
    Func {
        params: Vec<(bool, TypeExpr<'s>)>,
        results: Vec<TypeExpr<'s>>,
    },
    /// `cascade.display@1(size, present)`
    Cap(IsaPath<'s>, Option<Vec<Name<'s>>>),
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
    /// `'label: { .. }`
    Block {
        label: Name<'s>,
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
    /// `return tail f(..)`
    ReturnTail(Expr<'s>),
    Trap {
        text: Vec<u8>,
        span: Span,
    },
    /// With what a failure says, if that is not the condition itself.
    Assert(Expr<'s>, Option<(Vec<u8>, Span)>),
    Emit {
        path: Path<'s>,
        args: Vec<Expr<'s>>,
        /// The one VM that is meant.
        to: Option<Expr<'s>>,
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
    /// Rounded to either width from the digits.
    Float(f64, f32),
    Null,
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
    /// `e as T`
    As(Box<Expr<'s>>, TypeExpr<'s>),
    /// `e is T`
    Is(Box<Expr<'s>>, TypeExpr<'s>),
    /// `&name`
    FuncRef(Path<'s>),
    /// `[a, b, c]`
    Array(Vec<Expr<'s>>),
    /// `new S { f: e, .. }`
    New {
        name: Name<'s>,
        fields: Vec<(Name<'s>, Expr<'s>)>,
    },
    /// `new mut [T](n, fill)`; the type is that of the whole array.
    NewArray {
        ty: TypeExpr<'s>,
        length: Box<Expr<'s>>,
        fill: Box<Expr<'s>>,
    },
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
    /// An `if` in parentheses: not a whole right side, but an operand.
    Group(Box<Expr<'s>>),
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
    /// `if let NAME = condition`
    pub binds: Option<Name<'s>>,
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
