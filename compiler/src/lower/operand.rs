//! The compile-time operand stack.

use alloc::vec::Vec;

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::immediates::Ieee64;
use cranelift_codegen::ir::{Block, InstBuilder, Type as Clif, Value};
use il::{StrId, Type};

use super::{Lowering, Result};

/// One value on the operand stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub value: Value,
    pub ty: Type,
    pub hold: Hold,
}

/// What is known of a value besides its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// Nothing to do when it is consumed.
    Plain,
    /// The result of `f64` arithmetic: if it is a NaN, its bits are not settled yet.
    RawFloat,
    /// A `str` that something else keeps alive.
    Borrowed,
    /// A literal.
    Literal(StrId),
    /// A `bool` that is not a value but the place where control is: in `yes` or in `no`.
    Decided { yes: Block, no: Block },
    /// A `str` or `buf` whose reference belongs to the operand stack.
    Owned,
}

impl Operand {
    /// A number or bool that needs no care.
    pub fn plain(value: Value, ty: Type) -> Operand {
        Operand { value, ty, hold: Hold::Plain }
    }

    /// A value that has just been made or received.
    pub fn fresh(value: Value, ty: Type) -> Operand {
        let hold = if matches!(ty, Type::Str | Type::Buf) { Hold::Owned } else { Hold::Plain };
        Operand { value, ty, hold }
    }
}

/// The one NaN.
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

impl Lowering<'_, '_> {
    pub(super) fn push(&mut self, operand: Operand) {
        self.stack.push(operand);
    }

    pub(super) fn push_int(&mut self, clif: Clif, value: i64, ty: Type) {
        let value = self.b.ins().iconst(clif, value);
        self.push(Operand::plain(value, ty));
    }

    pub(super) fn pop(&mut self) -> Result<Operand> {
        self.stack.pop().ok_or(self.unverified("an operand"))
    }

    /// The topmost `count` operands, first pushed first.
    pub(super) fn pop_many(&mut self, count: usize) -> Result<Vec<Operand>> {
        let at = self.stack.len().checked_sub(count).ok_or(self.unverified("more operands"))?;
        Ok(self.stack.split_off(at))
    }

    /// An operand whose ownership and NaN bits do not matter: a number that arithmetic consumes.
    pub(super) fn pop_number(&mut self) -> Result<Value> {
        Ok(self.pop()?.value)
    }

    /// A number whose bits may be looked at.
    pub(super) fn pop_settled(&mut self) -> Result<Value> {
        let operand = self.pop()?;
        Ok(self.canonical(operand))
    }

    /// The value with its NaN bits settled. Arithmetic cannot tell NaNs apart, so this happens only
    /// where a value leaves its tree or meets an operator that sees bits.
    pub(super) fn canonical(&mut self, operand: Operand) -> Value {
        if operand.hold != Hold::RawFloat {
            return operand.value;
        }
        let nan = self.b.ins().f64const(Ieee64::with_bits(CANONICAL_NAN));
        let unordered = self.b.ins().fcmp(FloatCC::Unordered, operand.value, operand.value);
        self.b.ins().select(unordered, nan, operand.value)
    }

    /// The value as something that can be stored: canonical, and owning its reference.
    pub(super) fn settle(&mut self, operand: Operand) -> Value {
        if operand.ty == Type::Str && operand.hold != Hold::Owned {
            self.retain(operand.value);
        }
        self.canonical(operand)
    }

    /// Ends a value's life.
    pub(super) fn discard(&mut self, operand: Operand) {
        if operand.hold == Hold::Owned {
            self.release(operand.value, operand.ty);
        }
    }
}
