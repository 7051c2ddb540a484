//! Vector operators that carry something, or that the IL writes with several.

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{LocalId, Type};
use wasmparser::Operator;

use super::Translator;
use super::stack::{Effect, Keep, Leaf};
use crate::error::Result;

/// Appends a vector, the lower half first.
pub(crate) fn constant(code: &mut Writer, value: u128) {
    code.push(Instr::I64Const(value as i64));
    code.push(Instr::I64Const((value >> 64) as i64));
    code.push(Instr::Op(Op::V128FromI64s, Immediate::default()));
}

impl Translator<'_, '_, '_> {
    /// `false` if it is another operator.
    pub(super) fn vector_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::V128Const { value } => {
                let value = value.i128() as u128;
                self.push_leaf(Leaf::I64(value as i64), Type::I64);
                self.push_leaf(Leaf::I64((value >> 64) as i64), Type::I64);
                self.apply(Op::V128FromI64s, Immediate::default())?;
            }
            Operator::I8x16Shuffle { lanes } => self.tree(Instr::Shuffle(*lanes), 2, Type::V128, Effect::Pure)?,
            Operator::F32x4RelaxedMadd => self.multiply_add(Op::F32x4Mul, None, Op::F32x4Add)?,
            Operator::F64x2RelaxedMadd => self.multiply_add(Op::F64x2Mul, None, Op::F64x2Add)?,
            Operator::F32x4RelaxedNmadd => self.multiply_add(Op::F32x4Mul, Some(Op::F32x4Neg), Op::F32x4Add)?,
            Operator::F64x2RelaxedNmadd => self.multiply_add(Op::F64x2Mul, Some(Op::F64x2Neg), Op::F64x2Add)?,
            Operator::I16x8RelaxedDotI8x16I7x16S => self.dot()?,
            Operator::I32x4RelaxedDotI8x16I7x16AddS => {
                let sum = self.take_into_local()?;
                self.dot()?;
                self.apply(Op::I32x4ExtaddPairwiseI16x8S, Immediate::default())?;
                self.push_leaf(Leaf::Local(sum), Type::V128);
                self.apply(Op::I32x4Add, Immediate::default())?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `a * b + c`, rounded twice; or `-(a * b) + c`.
    fn multiply_add(&mut self, mul: Op, neg: Option<Op>, add: Op) -> Result {
        self.reach(3)?;
        // The product only computes, so it may come before what `c` does.
        self.insert(0, |translator| {
            translator.emit_op(mul);
            neg.into_iter().for_each(|neg| translator.emit_op(neg));
        })?;
        self.emit_op(add);
        self.merge(3, Type::V128, Effect::Pure)
    }

    /// Stores the value on top in a local of its own.
    fn take_into_local(&mut self) -> Result<LocalId> {
        let ty = self.top()?.ty;
        let local = self.new_local(ty);
        self.begin(1, Keep::ALL)?;
        self.code.set_one(local);
        self.restore();
        Ok(local)
    }

    /// Sums of two neighbouring products of signed bytes, saturated.
    fn dot(&mut self) -> Result {
        let b = self.take_into_local()?;
        let a = self.take_into_local()?;
        for op in [Op::I16x8ExtmulLowI8x16S, Op::I16x8ExtmulHighI8x16S] {
            self.push_leaf(Leaf::Local(a), Type::V128);
            self.push_leaf(Leaf::Local(b), Type::V128);
            self.apply(op, Immediate::default())?;
            self.apply(Op::I32x4ExtaddPairwiseI16x8S, Immediate::default())?;
        }
        self.apply(Op::I16x8NarrowI32x4S, Immediate::default())
    }
}
