//! The compile-time operand stack.

use alloc::vec::Vec;

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{Block, InstBuilder, StackSlot, Type as Clif, Value, types};
use cranelift_frontend::Variable;
use il::{StrId, Type};

use super::{Lowering, Result};

/// One value on the operand stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub value: Value,
    pub ty: Type,
    pub hold: Hold,
    /// For a reference that a collection may have met on the stack: what holds its present value.
    pub home: Option<Home>,
}

/// What holds an operand that may have moved.
#[derive(Clone, Copy, Debug)]
pub(super) enum Home {
    Variable(Variable),
    /// In the frame from now on: deep stacks would otherwise be stored again and again.
    Frame(StackSlot),
}

/// What is known of a value besides its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// Nothing to do when it is consumed.
    Plain,
    /// The result of `f32` or `f64` arithmetic: if it is a NaN, its bits are not settled yet.
    RawFloat,
    /// The same of each lane of a vector, of this type.
    RawLanes(Clif),
    /// A literal.
    Literal(StrId),
    /// A `bool` that is not a value but the place where control is: in `yes` or in `no`.
    Decided { yes: Block, no: Block },
    /// A `buf` or `?buf` that belongs to the operand stack.
    Owned,
}

impl Operand {
    pub fn held(value: Value, ty: Type, hold: Hold) -> Operand {
        Operand { value, ty, hold, home: None }
    }

    /// A value that needs no care.
    pub fn plain(value: Value, ty: Type) -> Operand {
        Operand::held(value, ty, Hold::Plain)
    }

    /// A value that has just been made or received.
    pub fn fresh(value: Value, ty: Type) -> Operand {
        Operand::held(value, ty, if ty.is_affine() { Hold::Owned } else { Hold::Plain })
    }

    /// Whether a collection may change the value.
    pub fn moves(&self) -> bool {
        self.ty.is_reference() && !matches!(self.hold, Hold::Literal(_))
    }
}

/// The one NaN, of each width.
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;
const CANONICAL_NAN_32: u32 = 0x7fc0_0000;

impl Lowering<'_, '_> {
    pub(super) fn push(&mut self, operand: Operand) {
        self.stack.push(operand);
    }

    pub(super) fn push_int(&mut self, clif: Clif, value: i64, ty: Type) {
        let value = self.b.ins().iconst(clif, value);
        self.push(Operand::plain(value, ty));
    }

    pub(super) fn pop(&mut self) -> Result<Operand> {
        let operand = self.stack.pop().ok_or(self.unverified("an operand"))?;
        Ok(self.at_home(operand))
    }

    pub(super) fn at_home(&mut self, mut operand: Operand) -> Operand {
        match operand.home.take() {
            None => {}
            Some(Home::Variable(home)) => operand.value = self.b.use_var(home),
            Some(Home::Frame(slot)) => operand.value = self.b.ins().stack_load(types::I64, types::I64, slot, 0),
        }
        operand
    }

    /// The topmost `count` operands, first pushed first.
    pub(super) fn pop_many(&mut self, count: usize) -> Result<Vec<Operand>> {
        let at = self.stack.len().checked_sub(count).ok_or(self.unverified("more operands"))?;
        let operands = self.stack.split_off(at);
        Ok(operands.into_iter().map(|operand| self.at_home(operand)).collect())
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
        match operand.hold {
            Hold::RawFloat => {
                let unordered = self.b.ins().fcmp(FloatCC::Unordered, operand.value, operand.value);
                self.settle_if(unordered, operand.value, |this| this.nan(operand.ty == Type::F32))
            }
            Hold::RawLanes(lanes) => {
                let value = self.lanes(operand.value, lanes);
                let unordered = self.b.ins().fcmp(FloatCC::NotEqual, value, value);
                let any = self.b.ins().vhigh_bits(types::I32, unordered);
                let value = self.lanes(value, types::I8X16);
                self.settle_if(any, value, |this| {
                    let nan = this.nan(lanes == types::F32X4);
                    let nans = this.b.ins().splat(lanes, nan);
                    let (nans, unordered) = (this.lanes(nans, types::I8X16), this.lanes(unordered, types::I8X16));
                    this.b.ins().bitselect(unordered, nans, value)
                })
            }
            Hold::Plain | Hold::Literal(_) | Hold::Decided { .. } | Hold::Owned => operand.value,
        }
    }

    /// The value, or what `settle` makes of it if the condition holds. It never does, as a rule: a branch that is not taken
    /// costs less than to choose each time.
    fn settle_if(&mut self, condition: Value, value: Value, settle: impl FnOnce(&mut Self) -> Value) -> Value {
        let (cold, on) = (self.b.create_block(), self.b.create_block());
        let ty = self.b.func.dfg.value_type(value);
        let settled = self.b.append_block_param(on, ty);
        self.b.set_cold_block(cold);
        self.b.ins().brif(condition, cold, &[], on, &[value.into()]);
        self.enter(cold);
        let other = settle(self);
        self.jump(on, &[other]);
        self.enter(on);
        settled
    }

    pub(super) fn select(&mut self, ty: Type) -> Result {
        let condition = self.pop_number()?;
        let no = self.pop()?;
        let yes = self.pop()?;
        // Of two that are not settled the one that is chosen is not.
        let hold = match yes.hold {
            Hold::RawFloat | Hold::RawLanes(_) if yes.hold == no.hold => yes.hold,
            _ => Hold::Plain,
        };
        let (yes, no) = match hold {
            Hold::Plain => (self.canonical(yes), self.canonical(no)),
            _ => (yes.value, no.value),
        };
        let (yes, no) = match ty {
            Type::V128 => (self.lanes(yes, types::I8X16), self.lanes(no, types::I8X16)),
            _ => (yes, no),
        };
        let value = self.b.ins().select(condition, yes, no);
        self.push(Operand::held(value, ty, hold));
        Ok(())
    }

    fn nan(&mut self, single: bool) -> Value {
        if single {
            self.b.ins().f32const(Ieee32::with_bits(CANONICAL_NAN_32))
        } else {
            self.b.ins().f64const(Ieee64::with_bits(CANONICAL_NAN))
        }
    }

    /// Ends a value's life.
    pub(super) fn discard(&mut self, operand: Operand) {
        if operand.hold == Hold::Owned {
            self.free_buf(operand.value);
        }
    }
}
