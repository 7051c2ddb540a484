//! Typed expressions: what inference makes and emission walks.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::super::diag::Span;
use crate::op::{Form, Op};
use crate::types::{FuncId, GlobalId, LocalId, Type, UseId};

/// What is known of an expression's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ty {
    Of(Type),
    /// Of integer literals only: takes the type expected of it, else `i32`.
    Int,
    /// Of literals, at least one of them a float: `f64`.
    Float,
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
    F64(f64),
    Bool(bool),
    Str(Rc<str>),
}

impl Value {
    pub fn ty(&self) -> Type {
        match self {
            Value::I32(_) => Type::I32,
            Value::I64(_) => Type::I64,
            Value::F64(_) => Type::F64,
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
    Float(f64),
    /// An operator over open literals whose result has their type.
    Open {
        form: Form,
        text: &'static str,
        args: Vec<Typed>,
    },
    /// A `buf` local, neither borrowed nor moved as yet.
    Buf(LocalId),
    Get(LocalId),
    Take(LocalId),
    Global(GlobalId),
    Op(Op, u32, Vec<Typed>),
    Call(FuncId, Vec<Typed>),
    Send(UseId, u8, Vec<Typed>),
    /// Condition, value if true, value if false.
    Cond(Box<[Typed; 3]>),
    Wait,
    WaitForever,
    Flush(UseId),
    Error,
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
}
