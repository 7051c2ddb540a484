//! Vectors. A `v128` is an `i8x16` between operators; each sees it as the lanes it works on, which costs nothing.
//!
//! The operators of `dispatch` need SSSE3 and SSE4.1: `lower` has made sure of them.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{ConstantData, Endianness, InstBuilder, MemFlagsData, Type as Clif, Value, types};
use cranelift_frontend::FuncInstBuilder;
use il::Type;
use il::op::{Immediate, Op};

use super::memory::{Access, Load, Place, Span, Store};
use super::operand::{Hold, Operand};
use super::{Lowering, Result};

/// Which half of the lanes an operator widens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Low,
    High,
}

/// How lanes are widened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Widening {
    Signed,
    Unsigned,
}

/// The lanes that an operator's text names first.
fn shape(op: Op) -> Clif {
    match op.info().text.split('.').next() {
        Some("i16x8") => types::I16X8,
        Some("i32x4") => types::I32X4,
        Some("i64x2") => types::I64X2,
        Some("f32x4") => types::F32X4,
        Some("f64x2") => types::F64X2,
        _ => types::I8X16,
    }
}

/// Lanes of half the width, twice as many.
fn narrower(lanes: Clif) -> Clif {
    match lanes {
        types::I64X2 => types::I32X4,
        types::I32X4 => types::I16X8,
        _ => types::I8X16,
    }
}

/// Lanes of twice the width, half as many.
fn wider(lanes: Clif) -> Clif {
    match lanes {
        types::I8X16 => types::I16X8,
        types::I16X8 => types::I32X4,
        _ => types::I64X2,
    }
}

impl Lowering<'_, '_> {
    /// A vector as other lanes.
    pub(super) fn lanes(&mut self, value: Value, lanes: Clif) -> Value {
        if self.b.func.dfg.value_type(value) == lanes {
            return value;
        }
        self.b.ins().bitcast(lanes, MemFlagsData::new().with_endianness(Endianness::Little), value)
    }

    fn push_vector(&mut self, value: Value, hold: Hold) {
        let value = self.lanes(value, types::I8X16);
        self.push(Operand::held(value, Type::V128, hold));
    }

    /// Pops a vector whose bits may be looked at, as lanes.
    fn pop_lanes(&mut self, lanes: Clif) -> Result<Value> {
        let value = self.pop_settled()?;
        Ok(self.lanes(value, lanes))
    }

    /// The same for float arithmetic on these lanes, which cannot tell NaNs apart.
    fn pop_float_lanes(&mut self, lanes: Clif) -> Result<Value> {
        let operand = self.pop()?;
        let value = if operand.hold == Hold::RawLanes(lanes) { operand.value } else { self.canonical(operand) };
        Ok(self.lanes(value, lanes))
    }

    pub(super) fn each_lane(&mut self, op: Op, make: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) -> Result {
        let a = self.pop_lanes(shape(op))?;
        let value = make(self.b.ins(), a);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn lanewise(
        &mut self,
        op: Op,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) -> Result {
        let b = self.pop_lanes(shape(op))?;
        let a = self.pop_lanes(shape(op))?;
        let value = make(self.b.ins(), a, b);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn compare_lanes(&mut self, op: Op, condition: FloatCC) -> Result {
        let b = self.pop_float_lanes(shape(op))?;
        let a = self.pop_float_lanes(shape(op))?;
        let value = self.b.ins().fcmp(condition, a, b);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn arithmetic_each(
        &mut self,
        op: Op,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value,
    ) -> Result {
        let a = self.pop_float_lanes(shape(op))?;
        let value = make(self.b.ins(), a);
        self.push_vector(value, Hold::RawLanes(shape(op)));
        Ok(())
    }

    pub(super) fn arithmetic_lanes(
        &mut self,
        op: Op,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) -> Result {
        let b = self.pop_float_lanes(shape(op))?;
        let a = self.pop_float_lanes(shape(op))?;
        let value = make(self.b.ins(), a, b);
        self.push_vector(value, Hold::RawLanes(shape(op)));
        Ok(())
    }

    /// `b < a ? b : a`, whose NaNs are those of its operands.
    pub(super) fn pseudo_minimum(&mut self, op: Op) -> Result {
        let b = self.pop_lanes(shape(op))?;
        let a = self.pop_lanes(shape(op))?;
        let less = self.b.ins().fcmp(FloatCC::LessThan, b, a);
        self.choose_lanes(op, less, b, a);
        Ok(())
    }

    /// `a < b ? b : a`, whose NaNs are those of its operands.
    pub(super) fn pseudo_maximum(&mut self, op: Op) -> Result {
        let b = self.pop_lanes(shape(op))?;
        let a = self.pop_lanes(shape(op))?;
        let less = self.b.ins().fcmp(FloatCC::LessThan, a, b);
        self.choose_lanes(op, less, b, a);
        Ok(())
    }

    fn choose_lanes(&mut self, op: Op, mask: Value, yes: Value, no: Value) {
        let mask = self.lanes(mask, shape(op));
        let value = self.b.ins().bitselect(mask, yes, no);
        self.push_vector(value, Hold::Plain);
    }

    pub(super) fn and_not(&mut self, op: Op) -> Result {
        self.lanewise(op, |i, a, b| i.band_not(a, b))
    }

    pub(super) fn bit_select(&mut self, op: Op) -> Result {
        let mask = self.pop_lanes(shape(op))?;
        let no = self.pop_lanes(shape(op))?;
        let yes = self.pop_lanes(shape(op))?;
        self.choose_lanes(op, mask, yes, no);
        Ok(())
    }

    pub(super) fn shuffle(&mut self, lanes: [u8; 16]) -> Result {
        let b = self.pop_lanes(types::I8X16)?;
        let a = self.pop_lanes(types::I8X16)?;
        let mask = self.b.func.dfg.immediates.push(ConstantData::from(&lanes[..]));
        let value = self.b.ins().shuffle(a, b, mask);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn shift_lanes(
        &mut self,
        op: Op,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) -> Result {
        let by = self.pop_number()?;
        self.each_lane(op, |i, a| make(i, a, by))
    }

    // Vectors to scalars and back.

    pub(super) fn lanes_true(&mut self, op: Op) -> Result {
        let a = self.pop_lanes(shape(op))?;
        let answer = if op == Op::V128AnyTrue { self.b.ins().vany_true(a) } else { self.b.ins().vall_true(a) };
        self.push(Operand::plain(answer, Type::Bool));
        Ok(())
    }

    pub(super) fn bitmask(&mut self, op: Op) -> Result {
        let a = self.pop_lanes(shape(op))?;
        let bits = self.b.ins().vhigh_bits(types::I32, a);
        self.push(Operand::plain(bits, Type::I32));
        Ok(())
    }

    /// Of two constants it is one.
    pub(super) fn vector_from_halves(&mut self) -> Result {
        let high = self.pop_number()?;
        let low = self.pop_number()?;
        if let (Some(low), Some(high)) = (self.constant(low), self.constant(high)) {
            let bits = u128::from(high as u64) << 64 | u128::from(low as u64);
            let bits = self.b.func.dfg.constants.insert(ConstantData::from(&bits.to_le_bytes()[..]));
            let value = self.b.ins().vconst(types::I8X16, bits);
            self.push_vector(value, Hold::Plain);
            return Ok(());
        }
        let lanes = self.b.ins().scalar_to_vector(types::I64X2, low);
        let value = self.b.ins().insertlane(lanes, high, 1);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn splat(&mut self, op: Op) -> Result {
        let scalar = self.pop_lane(shape(op))?;
        let value = self.b.ins().splat(shape(op), scalar);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    /// Pops a number, as wide as a lane.
    fn pop_lane(&mut self, lanes: Clif) -> Result<Value> {
        let value = self.pop_settled()?;
        let lane = lanes.lane_type();
        Ok(if lane.bits() < 32 { self.b.ins().ireduce(lane, value) } else { value })
    }

    pub(super) fn extract(&mut self, op: Op, lane: u8, signed: bool) -> Result {
        let a = self.pop_lanes(shape(op))?;
        let value = self.b.ins().extractlane(a, lane);
        let value = match (shape(op).lane_type().bits() < 32, signed) {
            (true, true) => self.b.ins().sextend(types::I32, value),
            (true, false) => self.b.ins().uextend(types::I32, value),
            (false, _) => value,
        };
        if let Some(ty) = op.info().result {
            self.push(Operand::plain(value, ty));
        }
        Ok(())
    }

    pub(super) fn replace_lane(&mut self, op: Op, lane: u8) -> Result {
        let scalar = self.pop_lane(shape(op))?;
        self.each_lane(op, |i, a| i.insertlane(a, scalar, lane))
    }

    // Wider and narrower lanes.

    fn widen(&mut self, value: Value, widening: Widening, half: Half) -> Value {
        match (widening, half) {
            (Widening::Signed, Half::Low) => self.b.ins().swiden_low(value),
            (Widening::Signed, Half::High) => self.b.ins().swiden_high(value),
            (Widening::Unsigned, Half::Low) => self.b.ins().uwiden_low(value),
            (Widening::Unsigned, Half::High) => self.b.ins().uwiden_high(value),
        }
    }

    pub(super) fn extend_half(&mut self, op: Op, widening: Widening, half: Half) -> Result {
        let a = self.pop_lanes(narrower(shape(op)))?;
        let value = self.widen(a, widening, half);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn multiply_half(&mut self, op: Op, widening: Widening, half: Half) -> Result {
        let b = self.pop_lanes(narrower(shape(op)))?;
        let a = self.pop_lanes(narrower(shape(op)))?;
        let (a, b) = (self.widen(a, widening, half), self.widen(b, widening, half));
        let value = self.b.ins().imul(a, b);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn add_pairwise(&mut self, op: Op, widening: Widening) -> Result {
        let a = self.pop_lanes(narrower(shape(op)))?;
        let (low, high) = (self.widen(a, widening, Half::Low), self.widen(a, widening, Half::High));
        let value = self.b.ins().iadd_pairwise(low, high);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn dot(&mut self) -> Result {
        let b = self.pop_lanes(types::I16X8)?;
        let a = self.pop_lanes(types::I16X8)?;
        let half = |this: &mut Self, half: Half| {
            let (a, b) = (this.widen(a, Widening::Signed, half), this.widen(b, Widening::Signed, half));
            this.b.ins().imul(a, b)
        };
        let (low, high) = (half(self, Half::Low), half(self, Half::High));
        let value = self.b.ins().iadd_pairwise(low, high);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn narrow(
        &mut self,
        op: Op,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) -> Result {
        let b = self.pop_lanes(wider(shape(op)))?;
        let a = self.pop_lanes(wider(shape(op)))?;
        let value = make(self.b.ins(), a, b);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    // Conversions.

    /// Converts each lane; NaNs do not survive it.
    pub(super) fn convert_lanes(
        &mut self,
        from: Clif,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value,
    ) -> Result {
        let a = self.pop_float_lanes(from)?;
        let value = make(self.b.ins(), a);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn truncate_doubles(&mut self, signed: bool) -> Result {
        let a = self.pop_float_lanes(types::F64X2)?;
        // A constant as it stands, which is what the code generator recognises.
        let zeros = self.b.func.dfg.constants.insert(ConstantData::from(&[0u8; 16][..]));
        let zeros = self.b.ins().vconst(types::I64X2, zeros);
        let value = if signed {
            let whole = self.b.ins().fcvt_to_sint_sat(types::I64X2, a);
            self.b.ins().snarrow(whole, zeros)
        } else {
            let whole = self.b.ins().fcvt_to_uint_sat(types::I64X2, a);
            self.b.ins().uunarrow(whole, zeros)
        };
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn convert_low(&mut self, signed: bool) -> Result {
        let a = self.pop_lanes(types::I32X4)?;
        let value = if signed {
            let wide = self.b.ins().swiden_low(a);
            self.b.ins().fcvt_from_sint(types::F64X2, wide)
        } else {
            let wide = self.b.ins().uwiden_low(a);
            self.b.ins().fcvt_from_uint(types::F64X2, wide)
        };
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn change_precision(
        &mut self,
        from: Clif,
        to: Clif,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value,
    ) -> Result {
        let a = self.pop_float_lanes(from)?;
        let value = make(self.b.ins(), a);
        self.push_vector(value, Hold::RawLanes(to));
        Ok(())
    }

    // Linear memories.

    pub(super) fn load_widening(
        &mut self,
        at: Immediate,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, MemFlagsData, Value, Offset32) -> Value,
    ) -> Result {
        let address = self.pop_number()?;
        let span = Span { access: Access::Load, memory: at.memory, offset: at.offset, bytes: 8 };
        let Place { flags, address, offset } = self.memory_place(span, address);
        let value = make(self.b.ins(), flags, address, Offset32::new(offset));
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    /// Pops an address and loads a lane from there.
    fn load_scalar(&mut self, at: Immediate, lanes: Clif) -> Result<Value> {
        let address = self.pop_number()?;
        let lane = lanes.lane_type();
        let span = Span { access: Access::Load, memory: at.memory, offset: at.offset, bytes: lane.bytes() };
        let place = self.memory_place(span, address);
        Ok(self.load_place(place, Load::Whole(lane)))
    }

    pub(super) fn load_splat(&mut self, at: Immediate, lanes: Clif) -> Result {
        let scalar = self.load_scalar(at, lanes)?;
        let value = self.b.ins().splat(lanes, scalar);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn load_zero(&mut self, at: Immediate, lanes: Clif) -> Result {
        let scalar = self.load_scalar(at, lanes)?;
        let value = self.b.ins().scalar_to_vector(lanes, scalar);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn load_lane(&mut self, at: Immediate, lanes: Clif) -> Result {
        let vector = self.pop_lanes(lanes)?;
        let scalar = self.load_scalar(at, lanes)?;
        let value = self.b.ins().insertlane(vector, scalar, at.lane);
        self.push_vector(value, Hold::Plain);
        Ok(())
    }

    pub(super) fn store_lane(&mut self, at: Immediate, lanes: Clif) -> Result {
        let vector = self.pop_lanes(lanes)?;
        let address = self.pop_number()?;
        let scalar = self.b.ins().extractlane(vector, at.lane);
        let bytes = lanes.lane_type().bytes();
        let place =
            self.memory_place(Span { access: Access::Store, memory: at.memory, offset: at.offset, bytes }, address);
        self.store_place(place, Store::Whole, scalar);
        Ok(())
    }
}
