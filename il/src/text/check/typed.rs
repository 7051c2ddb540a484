//! Typed expressions: what inference makes and emission walks.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::super::diag::Span;
use crate::instr::Instr;
use crate::op::{Form, Immediate, Op};
use crate::types::{FuncId, LocalId, ProgramId, Type, TypeId, UseId};

/// What is known of an expression's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ty {
    Of(Type),
    /// Of integer literals only: takes the type expected of it, else `i32`.
    Int,
    /// Of literals, at least one of them a float: takes the type expected of it, else `f64`.
    Float,
    /// `null`, of no known type as yet.
    Null,
    /// A call that gives nothing.
    Nothing,
    /// A call that gives several values.
    Many,
    /// Reported already.
    Error,
}

/// A constant's value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    /// The low half, then the high one.
    V128(i64, i64),
    Bool(bool),
    Str(Rc<str>),
}

impl Value {
    pub fn ty(&self) -> Type {
        match self {
            Value::I32(_) => Type::I32,
            Value::I64(_) => Type::I64,
            Value::F32(_) => Type::F32,
            Value::F64(_) => Type::F64,
            Value::V128(..) => Type::V128,
            Value::Bool(_) => Type::Bool,
            Value::Str(_) => Type::Str,
        }
    }
}

/// An integer literal, before its type is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Literal {
    pub value: u64,
    pub hex: bool,
    pub negative: bool,
}

#[derive(Debug)]
pub(super) struct Typed {
    pub ty: Ty,
    pub kind: Kind,
    pub span: Span,
}

#[derive(Debug)]
pub(super) enum Kind {
    Value(Value),
    /// Literals whose type is open.
    Int(Literal),
    Float(f64, f32),
    /// With its type, once that is known: also where it is used as a supertype.
    Null(Option<Type>),
    /// An operator over open literals whose result has their type.
    Open {
        form: Form,
        text: &'static str,
        args: Vec<Typed>,
    },
    /// A local of type `buf` or `?buf`, neither borrowed nor moved as yet.
    Buf(LocalId),
    Get(LocalId),
    Take(LocalId),
    Op(Op, Immediate, Vec<Typed>),
    /// Operands, then this instruction.
    Node(Instr<'static>, Vec<Typed>),
    /// The same, but the operands are evaluated in another order: each with its place among them.
    Reordered(Instr<'static>, Vec<(usize, Typed)>),
    Call {
        callee: Callee,
        /// Whether a status comes first instead of a trap.
        tries: bool,
        args: Vec<Typed>,
    },
    /// A `buf` that is in no local yet, and is only lent.
    Lend(Box<Typed>),
    /// Branches whose common type is a subtype of the one that is used.
    Wider(Box<Typed>),
    /// Condition, value if true, value if false.
    Cond(Box<[Typed; 3]>),
    /// Value if true, value if false, condition: all of them are evaluated.
    Select(Box<[Typed; 3]>),
    IfLet(Box<IfLet>),
    Error,
}

/// What a call calls. References and capabilities are the first of its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    Func(FuncId),
    Ref(TypeId),
    Send(UseId, u8),
    SendTo(TypeId, u8),
    Own(u8),
    Run(UseId, ProgramId),
    RunSend(UseId, ProgramId),
}

/// `if let x = subject { yes } else { no }` as a value; `x` is `local`, of type `ty`.
#[derive(Debug)]
pub(super) struct IfLet {
    pub subject: Typed,
    pub ty: Type,
    pub local: LocalId,
    pub yes: Typed,
    pub no: Typed,
}

impl Kind {
    /// An operator without constants of its own.
    pub fn op(op: Op, args: Vec<Typed>) -> Kind {
        Kind::Op(op, Immediate::default(), args)
    }
}

impl Typed {
    pub fn new(ty: Ty, kind: Kind, span: Span) -> Typed {
        Typed { ty, kind, span }
    }

    pub fn value(value: Value, span: Span) -> Typed {
        Typed { ty: Ty::Of(value.ty()), kind: Kind::Value(value), span }
    }

    pub fn error(span: Span) -> Typed {
        Typed { ty: Ty::Error, kind: Kind::Error, span }
    }

    /// A literal, or made of literals only: its type is still open.
    pub fn is_open(&self) -> bool {
        matches!(self.ty, Ty::Int | Ty::Float)
    }

    /// Its type, once that is known.
    pub fn known(&self) -> Option<Type> {
        if let Ty::Of(ty) = self.ty { Some(ty) } else { None }
    }

    /// Whether it has parts that only statements can do.
    pub fn is_complex(&self) -> bool {
        let any = |list: &[Typed]| list.iter().any(Typed::is_complex);
        match &self.kind {
            Kind::Reordered(..) | Kind::IfLet(_) | Kind::Lend(_) => true,
            Kind::Call { callee: Callee::Run(..) | Callee::RunSend(..), .. } => true,
            Kind::Call { args, .. } | Kind::Op(_, _, args) | Kind::Node(_, args) | Kind::Open { args, .. } => any(args),
            Kind::Cond(parts) | Kind::Select(parts) => any(&**parts),
            Kind::Wider(inner) => inner.is_complex(),
            Kind::Value(_) | Kind::Int(_) | Kind::Float(..) | Kind::Null(_) | Kind::Error => false,
            Kind::Buf(_) | Kind::Get(_) | Kind::Take(_) => false,
        }
    }

    /// Whether nothing after it is reached.
    pub fn ends(&self) -> bool {
        matches!(self.kind, Kind::Node(Instr::Exit, _))
    }

    /// Whether it gives the same whenever in an expression it is evaluated, and does nothing.
    pub fn is_stable(&self) -> bool {
        matches!(
            &self.kind,
            Kind::Value(_)
                | Kind::Null(_)
                | Kind::Error
                | Kind::Get(_)
                | Kind::Take(_)
                | Kind::Node(Instr::FuncRef(..) | Instr::Cap(..) | Instr::Caller, _)
        )
    }
}
