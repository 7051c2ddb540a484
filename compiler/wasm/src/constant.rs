//! Constant expressions, evaluated: they name only globals that never change, so their values are known.

use alloc::vec::Vec;

use il::instr::{Instr, Writer};
use il::{FuncId, Type, TypeId};
use wasmparser::{ConstExpr, Operator, RefType, ValType};

use crate::body::vector;
use crate::error::Result;
use crate::link::{Build, Linked};

/// A value known before the run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Const {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// Null of this type.
    Null(Type),
    Func(FuncId, TypeId),
}

impl Const {
    /// Appends it.
    pub fn write(self, code: &mut Writer) {
        match self {
            Const::I32(value) => code.push(Instr::I32Const(value)),
            Const::I64(value) => code.push(Instr::I64Const(value)),
            Const::F32(bits) => code.push(Instr::F32Const(bits)),
            Const::F64(bits) => code.push(Instr::F64Const(bits)),
            Const::V128(value) => vector(code, value),
            Const::Null(ty) => code.push(Instr::Null(ty)),
            Const::Func(func, ty) => code.push(Instr::FuncRef(func, ty)),
        }
    }
}

/// Evaluates a constant expression of a unit.
pub(crate) fn evaluate(build: &mut Build<'_>, unit: &Linked<'_>, expr: &ConstExpr<'_>) -> Result<Const> {
    let mut stack: Vec<Const> = Vec::new();
    for operator in expr.get_operators_reader() {
        let operator = operator.map_err(|error| unit.decoded.invalid(&error))?;
        let value = match operator {
            Operator::I32Const { value } => Const::I32(value),
            Operator::I64Const { value } => Const::I64(value),
            Operator::F32Const { value } => Const::F32(value.bits()),
            Operator::F64Const { value } => Const::F64(value.bits()),
            Operator::V128Const { value } => Const::V128(value.i128() as u128),
            Operator::RefNull { hty } => {
                let ty = RefType::new(true, hty).map(ValType::Ref);
                Const::Null(ty.map_or(Type::OptAny, |ty| build.value(unit, ty)))
            }
            Operator::RefFunc { function_index } => {
                let func = build.func_of(unit, function_index)?;
                let ty = unit.types.id(unit.type_of(function_index), &mut build.types, &mut build.module);
                Const::Func(func, ty)
            }
            Operator::GlobalGet { global_index } => {
                let known = unit.global(global_index).and_then(|global| global.constant);
                known.ok_or_else(|| unit.decoded.internal("a global in a constant expression"))?
            }
            Operator::End => break,
            operator => {
                let (b, a) = (stack.pop(), stack.pop());
                arithmetic(&operator, a, b).ok_or_else(|| unit.decoded.internal("a constant expression"))?
            }
        };
        stack.push(value);
    }
    stack.pop().ok_or_else(|| unit.decoded.internal("an empty constant expression"))
}

fn arithmetic(operator: &Operator<'_>, a: Option<Const>, b: Option<Const>) -> Option<Const> {
    Some(match (operator, a?, b?) {
        (Operator::I32Add, Const::I32(a), Const::I32(b)) => Const::I32(a.wrapping_add(b)),
        (Operator::I32Sub, Const::I32(a), Const::I32(b)) => Const::I32(a.wrapping_sub(b)),
        (Operator::I32Mul, Const::I32(a), Const::I32(b)) => Const::I32(a.wrapping_mul(b)),
        (Operator::I64Add, Const::I64(a), Const::I64(b)) => Const::I64(a.wrapping_add(b)),
        (Operator::I64Sub, Const::I64(a), Const::I64(b)) => Const::I64(a.wrapping_sub(b)),
        (Operator::I64Mul, Const::I64(a), Const::I64(b)) => Const::I64(a.wrapping_mul(b)),
        _ => return None,
    })
}
