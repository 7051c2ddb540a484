//! What a body is as a tree of statements and expressions; `build` makes it.

use alloc::vec::Vec;

use crate::op::{Immediate, Op};
use crate::{DataId, FieldId, FuncId, GlobalId, LocalId, MemoryId, ProgramId, ProvidedId, StrId, Type, TypeId, UseId};

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    Bool(bool),
    Str(StrId),
    Null(Type),
    /// A local's value, a borrow or a move: text writes them alike.
    Local(LocalId),
    Global(GlobalId),
    GlobalTake(GlobalId),
    FuncRef(FuncId, TypeId),
    Cap(UseId, TypeId),
    Caller,
    /// Something done with operands.
    Node(Node, Vec<Expr>),
}

/// What an expression does with its operands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Node {
    Op(Op, Immediate),
    Call(Callee),
    /// A call with a status in front of its results, instead of a trap.
    Try(Callee),
    Shuffle([u8; 16]),
    StructNew(TypeId),
    FieldGet(TypeId, FieldId),
    FieldTake(TypeId, FieldId),
    ArrayNew(TypeId),
    ArrayOf(TypeId),
    ArrayGet(TypeId),
    ArrayTake(TypeId),
    ArrayLen,
    RefEq,
    RefNe,
    Is(Type),
    As(Type),
    Freeze,
    Attenuate(TypeId),
    /// Condition, value if true, value if false.
    Cond(Type),
    /// Value if true, value if false, condition.
    Select(Type),
}

/// What a call calls. References and capabilities are the first of its operands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Callee {
    Func(FuncId),
    Ref(TypeId),
    Send(UseId, u8),
    SendTo(TypeId, u8),
    Own(u8),
    Run(UseId, ProgramId),
    RunSend(UseId, ProgramId),
}

impl Expr {
    /// Its operands.
    pub fn operands(&self) -> &[Expr] {
        match self {
            Expr::Node(_, operands) => operands,
            Expr::I32(_) | Expr::I64(_) | Expr::F32(_) | Expr::F64(_) | Expr::Bool(_) | Expr::Str(_) => &[],
            Expr::Null(_) | Expr::Local(_) | Expr::Global(_) | Expr::GlobalTake(_) => &[],
            Expr::FuncRef(..) | Expr::Cap(..) | Expr::Caller => &[],
        }
    }

    /// Whether it can be evaluated earlier or later in its statement.
    pub fn is_stable(&self) -> bool {
        match self {
            Expr::Global(_) | Expr::GlobalTake(_) | Expr::Node(..) => false,
            Expr::I32(_) | Expr::I64(_) | Expr::F32(_) | Expr::F64(_) | Expr::Bool(_) | Expr::Str(_) => true,
            Expr::Null(_) | Expr::Local(_) | Expr::FuncRef(..) | Expr::Cap(..) | Expr::Caller => true,
        }
    }
}

pub(super) type Block = Vec<Stmt>;

/// A statement.
#[derive(Clone, Debug)]
pub(super) enum Stmt {
    /// The values of an expression, any number of them if it is a call.
    Assign(Vec<Option<LocalId>>, Expr),
    /// A `set` of several values at once, which text cannot write.
    AssignMany(Vec<Option<LocalId>>, Vec<Expr>),
    SetGlobal(GlobalId, Expr),
    /// Object and value.
    SetField(TypeId, FieldId, [Expr; 2]),
    /// Array, index and value.
    SetElement(TypeId, [Expr; 3]),
    /// An operator without result.
    Op(Op, Immediate, Vec<Expr>),
    /// Bytes of a segment into a memory: to, from, length.
    MemoryInit(DataId, MemoryId, [Expr; 3]),
    DataDrop(DataId),
    Emit(ProvidedId, u8, Vec<Expr>),
    /// For one VM, which is the last value.
    EmitTo(ProvidedId, u8, Vec<Expr>),
    Fail(Expr),
    Return(Vec<Expr>),
    /// A call in the place of this function, or an instruction in that of this `op`'s request.
    Tail(Callee, Vec<Expr>),
    Exit(Expr),
    Trap(StrId),
    Assert(Expr, StrId),
    Wait,
    WaitForever,
    Flush(UseId),
    FlushCap(Expr),
    Revoke(Expr),
    If(Test, Block, Option<Block>),
    /// What `break` can leave.
    Block(Block),
    Loop(Block),
    While(Expr, Block),
    For(LocalId, Expr, Expr, Block),
    Switch(Expr, Vec<(Vec<i64>, Block)>, Option<Block>),
    Break(u32),
    Continue(u32),
}

/// What an `if` asks.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Is(Expr),
    /// `if let local = subject as T`
    Binds(Type, LocalId, Expr),
}

impl Test {
    pub fn subject(&self) -> &Expr {
        match self {
            Test::Is(subject) | Test::Binds(_, _, subject) => subject,
        }
    }
}

impl Stmt {
    /// The expressions at its root, in the order of evaluation.
    pub fn roots(&self) -> Vec<&Expr> {
        match self {
            Stmt::Assign(_, value) | Stmt::SetGlobal(_, value) | Stmt::Fail(value) | Stmt::Assert(value, _) => {
                alloc::vec![value]
            }
            Stmt::Exit(value)
            | Stmt::FlushCap(value)
            | Stmt::Revoke(value)
            | Stmt::While(value, _)
            | Stmt::Switch(value, ..) => {
                alloc::vec![value]
            }
            Stmt::AssignMany(_, list) | Stmt::Op(_, _, list) | Stmt::Emit(_, _, list) => list.iter().collect(),
            Stmt::Return(list) | Stmt::Tail(_, list) | Stmt::EmitTo(_, _, list) => list.iter().collect(),
            Stmt::SetField(_, _, list) => list.iter().collect(),
            Stmt::SetElement(_, list) | Stmt::MemoryInit(_, _, list) => list.iter().collect(),
            Stmt::If(test, ..) => alloc::vec![test.subject()],
            Stmt::For(_, from, to, _) => alloc::vec![from, to],
            Stmt::Trap(_) | Stmt::Wait | Stmt::WaitForever | Stmt::Flush(_) => Vec::new(),
            Stmt::Block(_) | Stmt::Loop(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::DataDrop(_) => Vec::new(),
        }
    }

    /// The blocks inside.
    pub fn blocks(&self) -> Vec<&Block> {
        match self {
            Stmt::If(_, then, other) => core::iter::once(then).chain(other).collect(),
            Stmt::Block(block) | Stmt::Loop(block) | Stmt::While(_, block) | Stmt::For(.., block) => alloc::vec![block],
            Stmt::Switch(_, arms, default) => arms.iter().map(|(_, block)| block).chain(default).collect(),
            Stmt::Assign(..) | Stmt::AssignMany(..) | Stmt::SetGlobal(..) | Stmt::SetField(..) => Vec::new(),
            Stmt::SetElement(..) | Stmt::Op(..) | Stmt::Emit(..) | Stmt::Fail(_) | Stmt::Return(_) => Vec::new(),
            Stmt::Tail(..) | Stmt::Trap(_) | Stmt::Assert(..) | Stmt::Wait | Stmt::WaitForever => Vec::new(),
            Stmt::EmitTo(..) | Stmt::MemoryInit(..) | Stmt::DataDrop(_) | Stmt::Exit(_) => Vec::new(),
            Stmt::Flush(_) | Stmt::FlushCap(_) | Stmt::Revoke(_) | Stmt::Break(_) | Stmt::Continue(_) => Vec::new(),
        }
    }

    /// The locals that it assigns itself.
    pub fn assigned(&self) -> Vec<LocalId> {
        match self {
            Stmt::Assign(dests, _) | Stmt::AssignMany(dests, _) => dests.iter().flatten().copied().collect(),
            Stmt::If(Test::Binds(_, local, _), ..) | Stmt::For(local, ..) => alloc::vec![*local],
            Stmt::If(Test::Is(_), ..) | Stmt::Block(_) | Stmt::Loop(_) | Stmt::While(..) | Stmt::Switch(..) => {
                Vec::new()
            }
            Stmt::SetGlobal(..) | Stmt::SetField(..) | Stmt::SetElement(..) | Stmt::Op(..) => Vec::new(),
            Stmt::Emit(..) | Stmt::Fail(_) | Stmt::Return(_) | Stmt::Tail(..) | Stmt::Trap(_) => Vec::new(),
            Stmt::Assert(..) | Stmt::Wait | Stmt::WaitForever | Stmt::Flush(_) | Stmt::FlushCap(_) => Vec::new(),
            Stmt::Revoke(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::EmitTo(..) => Vec::new(),
            Stmt::MemoryInit(..) | Stmt::DataDrop(_) | Stmt::Exit(_) => Vec::new(),
        }
    }

    /// Whether control never passes it.
    pub fn leaves(&self) -> bool {
        let ends = |block: &Block| block.last().is_some_and(Stmt::leaves);
        match self {
            Stmt::Break(_) | Stmt::Continue(_) | Stmt::Return(_) | Stmt::Tail(..) | Stmt::Trap(_) | Stmt::Fail(_) => {
                true
            }
            Stmt::Exit(_) => true,
            Stmt::If(_, then, Some(other)) => ends(then) && ends(other),
            Stmt::Switch(_, arms, Some(default)) => arms.iter().all(|(_, block)| ends(block)) && ends(default),
            Stmt::If(_, _, None) | Stmt::Switch(_, _, None) => false,
            // Whether something breaks out of a `loop` or block matters to nobody here.
            Stmt::Block(_) | Stmt::Loop(_) | Stmt::While(..) | Stmt::For(..) => false,
            Stmt::Assign(..) | Stmt::AssignMany(..) | Stmt::SetGlobal(..) | Stmt::SetField(..) => false,
            Stmt::SetElement(..) | Stmt::Op(..) | Stmt::Emit(..) | Stmt::Assert(..) | Stmt::Wait => false,
            Stmt::MemoryInit(..) | Stmt::DataDrop(_) => false,
            Stmt::WaitForever | Stmt::Flush(_) | Stmt::FlushCap(_) | Stmt::Revoke(_) | Stmt::EmitTo(..) => false,
        }
    }
}

/// Calls `each` for every statement of a block, outer ones first.
pub(super) fn visit(block: &Block, each: &mut impl FnMut(&Stmt)) {
    for stmt in block {
        each(stmt);
        stmt.blocks().into_iter().for_each(|inner| visit(inner, each));
    }
}
