//! The operators: what each line of [`il::op`]'s table means in CLIF.
//!
//! Numbers follow WebAssembly 3.0: wrapping, shift counts modulo the width, trapping conversions
//! and division, `min`/`max` that propagate NaN and order -0 below 0, `nearest` ties to even.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::FuncInstBuilder;
use il::Type;
use il::op::Op;

use super::memory::{Load, Store};
use super::operand::{Hold, Operand};
use super::{Lowering, Result};
use crate::abi::Exit;

/// Doubles of at least this magnitude are integers.
const ALL_INTEGERS: f64 = 4_503_599_627_370_496.0;

impl Lowering<'_, '_> {
    pub(super) fn op(&mut self, op: Op, offset: u32) -> Result {
        match op {
            Op::I32Add | Op::I64Add => self.binary(op, |i, a, b| i.iadd(a, b)),
            Op::I32Sub | Op::I64Sub => self.binary(op, |i, a, b| i.isub(a, b)),
            Op::I32Mul | Op::I64Mul => self.binary(op, |i, a, b| i.imul(a, b)),
            Op::I32DivS | Op::I64DivS => self.binary(op, |i, a, b| i.sdiv(a, b)),
            Op::I32RemS | Op::I64RemS => self.binary(op, |i, a, b| i.srem(a, b)),
            Op::I32DivU | Op::I64DivU => self.binary(op, |i, a, b| i.udiv(a, b)),
            Op::I32RemU | Op::I64RemU => self.binary(op, |i, a, b| i.urem(a, b)),
            Op::I32And | Op::I64And | Op::BoolAnd => self.binary(op, |i, a, b| i.band(a, b)),
            Op::I32Or | Op::I64Or | Op::BoolOr => self.binary(op, |i, a, b| i.bor(a, b)),
            Op::I32Xor | Op::I64Xor | Op::BoolXor => self.binary(op, |i, a, b| i.bxor(a, b)),
            Op::I32Shl | Op::I64Shl => self.binary(op, |i, a, b| i.ishl(a, b)),
            Op::I32ShrS | Op::I64ShrS => self.binary(op, |i, a, b| i.sshr(a, b)),
            Op::I32ShrU | Op::I64ShrU => self.binary(op, |i, a, b| i.ushr(a, b)),
            Op::I32Rotl | Op::I64Rotl => self.binary(op, |i, a, b| i.rotl(a, b)),
            Op::I32Rotr | Op::I64Rotr => self.binary(op, |i, a, b| i.rotr(a, b)),
            Op::I32Min | Op::I64Min => self.binary(op, |i, a, b| i.smin(a, b)),
            Op::I32Max | Op::I64Max => self.binary(op, |i, a, b| i.smax(a, b)),
            Op::I32Eq | Op::I64Eq | Op::BoolEq => self.compare(op, IntCC::Equal),
            Op::I32Ne | Op::I64Ne | Op::BoolNe => self.compare(op, IntCC::NotEqual),
            Op::I32LtS | Op::I64LtS => self.compare(op, IntCC::SignedLessThan),
            Op::I32GtS | Op::I64GtS => self.compare(op, IntCC::SignedGreaterThan),
            Op::I32LeS | Op::I64LeS => self.compare(op, IntCC::SignedLessThanOrEqual),
            Op::I32GeS | Op::I64GeS => self.compare(op, IntCC::SignedGreaterThanOrEqual),
            Op::I32LtU | Op::I64LtU => self.compare(op, IntCC::UnsignedLessThan),
            Op::I32GtU | Op::I64GtU => self.compare(op, IntCC::UnsignedGreaterThan),
            Op::I32LeU | Op::I64LeU => self.compare(op, IntCC::UnsignedLessThanOrEqual),
            Op::I32GeU | Op::I64GeU => self.compare(op, IntCC::UnsignedGreaterThanOrEqual),
            Op::I32Neg | Op::I64Neg => self.unary(op, |i, a| i.ineg(a)),
            Op::I32Not | Op::I64Not => self.unary(op, |i, a| i.bnot(a)),
            Op::I32Clz | Op::I64Clz => self.unary(op, |i, a| i.clz(a)),
            Op::I32Ctz | Op::I64Ctz => self.unary(op, |i, a| i.ctz(a)),
            Op::I32Popcnt | Op::I64Popcnt => self.unary(op, |i, a| i.popcnt(a)),
            Op::I32Abs | Op::I64Abs => self.unary(op, |i, a| i.iabs(a)),
            Op::F64Add => self.arithmetic(|i, a, b| i.fadd(a, b)),
            Op::F64Sub => self.arithmetic(|i, a, b| i.fsub(a, b)),
            Op::F64Mul => self.arithmetic(|i, a, b| i.fmul(a, b)),
            Op::F64Div => self.arithmetic(|i, a, b| i.fdiv(a, b)),
            Op::F64Min => self.arithmetic(|i, a, b| i.fmin(a, b)),
            Op::F64Max => self.arithmetic(|i, a, b| i.fmax(a, b)),
            Op::F64Sqrt => self.arithmetic_unary(|this, a| this.b.ins().sqrt(a)),
            Op::F64Ceil => self.arithmetic_unary(Self::ceil),
            Op::F64Floor => self.arithmetic_unary(Self::floor),
            Op::F64Trunc => self.arithmetic_unary(Self::truncate),
            Op::F64Nearest => self.arithmetic_unary(Self::nearest),
            Op::F64Copysign => self.binary_bits(op, |i, a, b| i.fcopysign(a, b)),
            Op::F64Neg => self.unary_bits(op, |i, a| i.fneg(a)),
            Op::F64Abs => self.unary_bits(op, |i, a| i.fabs(a)),
            Op::F64Eq => self.compare_floats(FloatCC::Equal),
            Op::F64Ne => self.compare_floats(FloatCC::NotEqual),
            Op::F64Lt => self.compare_floats(FloatCC::LessThan),
            Op::F64Gt => self.compare_floats(FloatCC::GreaterThan),
            Op::F64Le => self.compare_floats(FloatCC::LessThanOrEqual),
            Op::F64Ge => self.compare_floats(FloatCC::GreaterThanOrEqual),
            Op::BoolNot => self.unary(op, |i, a| i.bxor_imm_u(a, 1)),
            Op::I32FromI64 => self.unary(op, |i, a| i.ireduce(types::I32, a)),
            Op::I32FromBool => self.unary(op, |i, a| i.uextend(types::I32, a)),
            Op::I64FromI32S => self.unary(op, |i, a| i.sextend(types::I64, a)),
            Op::I64FromI32U => self.unary(op, |i, a| i.uextend(types::I64, a)),
            Op::F64FromI32S | Op::F64FromI64S => self.unary(op, |i, a| i.fcvt_from_sint(types::F64, a)),
            Op::F64FromI32U | Op::F64FromI64U => self.unary(op, |i, a| i.fcvt_from_uint(types::F64, a)),
            Op::I32FromF64S => self.unary(op, |i, a| i.fcvt_to_sint(types::I32, a)),
            Op::I32FromF64U => self.unary(op, |i, a| i.fcvt_to_uint(types::I32, a)),
            Op::I32SatF64S => self.unary(op, |i, a| i.fcvt_to_sint_sat(types::I32, a)),
            Op::I32SatF64U => self.unary(op, |i, a| i.fcvt_to_uint_sat(types::I32, a)),
            Op::I64FromF64S => self.unary(op, |i, a| i.fcvt_to_sint(types::I64, a)),
            Op::I64FromF64U => self.unary(op, |i, a| i.fcvt_to_uint(types::I64, a)),
            Op::I64SatF64S => self.unary(op, |i, a| i.fcvt_to_sint_sat(types::I64, a)),
            Op::I64SatF64U => self.unary(op, |i, a| i.fcvt_to_uint_sat(types::I64, a)),
            Op::I64Bits => self.unary_bits(op, |i, a| i.bitcast(types::I64, MemFlagsData::new(), a)),
            Op::F64Bits => self.unary_bits(op, |i, a| i.bitcast(types::F64, MemFlagsData::new(), a)),
            Op::Load8S => self.load_memory(op, offset, Load::Byte { signed: true }),
            Op::Load8U => self.load_memory(op, offset, Load::Byte { signed: false }),
            Op::Load16S => self.load_memory(op, offset, Load::Half { signed: true }),
            Op::Load16U => self.load_memory(op, offset, Load::Half { signed: false }),
            Op::Load32 => self.load_memory(op, offset, Load::Whole(types::I32)),
            Op::Load64 => self.load_memory(op, offset, Load::Whole(types::I64)),
            Op::LoadF64 => self.load_memory(op, offset, Load::Whole(types::F64)),
            Op::Store8 => self.store_memory(offset, Store::Byte, 1),
            Op::Store16 => self.store_memory(offset, Store::Half, 2),
            Op::Store32 => self.store_memory(offset, Store::Whole, 4),
            Op::Store64 | Op::StoreF64 => self.store_memory(offset, Store::Whole, 8),
            Op::MemorySize => self.memory_size(),
            Op::MemoryGrow => self.exit_op(op, Exit::MemoryGrow),
            Op::MemoryFill => self.exit_op(op, Exit::MemoryFill),
            Op::MemoryCopy => self.exit_op(op, Exit::MemoryCopy),
            Op::BufNew => self.exit_op(op, Exit::BufNew),
            Op::BufLen => self.buf_len(),
            Op::BufLoad8S => self.load_buf(op, Load::Byte { signed: true }),
            Op::BufGet | Op::BufLoad8U => self.load_buf(op, Load::Byte { signed: false }),
            Op::BufLoad16S => self.load_buf(op, Load::Half { signed: true }),
            Op::BufLoad16U => self.load_buf(op, Load::Half { signed: false }),
            Op::BufLoad32 => self.load_buf(op, Load::Whole(types::I32)),
            Op::BufLoad64 => self.load_buf(op, Load::Whole(types::I64)),
            Op::BufLoadF64 => self.load_buf(op, Load::Whole(types::F64)),
            Op::BufSet | Op::BufStore8 => self.store_buf(Store::Byte, 1),
            Op::BufStore16 => self.store_buf(Store::Half, 2),
            Op::BufStore32 => self.store_buf(Store::Whole, 4),
            Op::BufStore64 | Op::BufStoreF64 => self.store_buf(Store::Whole, 8),
            Op::BufCopy => self.exit_op(op, Exit::BufCopy),
            Op::StrLen => self.str_length(),
            Op::StrGet => self.str_get(),
            Op::StrEq => self.str_compare(true),
            Op::StrNe => self.str_compare(false),
            Op::StrConcat => self.exit_op(op, Exit::StrConcat),
            Op::StrSlice => self.exit_op(op, Exit::StrSlice),
            Op::StrFromI32 => self.str_from_i32(),
            Op::StrFromI64 => self.exit_op(op, Exit::StrFromI64),
            Op::StrFromF64 => self.exit_op(op, Exit::StrFromF64),
            Op::StrFromBool => self.exit_op(op, Exit::StrFromBool),
            Op::StrAt => self.exit_op(op, Exit::StrAt),
        }
    }

    /// Pushes an operator's result, if it has one.
    fn push_result(&mut self, op: Op, value: Value) {
        if let Some(ty) = op.info().result {
            self.push(Operand::fresh(value, ty));
        }
    }

    fn unary(&mut self, op: Op, make: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) -> Result {
        let a = self.pop_number()?;
        let value = make(self.b.ins(), a);
        self.push_result(op, value);
        Ok(())
    }

    fn binary(&mut self, op: Op, make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) -> Result {
        let b = self.pop_number()?;
        let a = self.pop_number()?;
        let value = make(self.b.ins(), a, b);
        self.push_result(op, value);
        Ok(())
    }

    fn compare(&mut self, op: Op, condition: IntCC) -> Result {
        self.binary(op, |i, a, b| i.icmp(condition, a, b))
    }

    fn compare_floats(&mut self, condition: FloatCC) -> Result {
        self.binary(Op::F64Eq, |i, a, b| i.fcmp(condition, a, b))
    }

    /// An operator that sees the bits of a NaN.
    fn unary_bits(&mut self, op: Op, make: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) -> Result {
        let a = self.pop_settled()?;
        let value = make(self.b.ins(), a);
        self.push_result(op, value);
        Ok(())
    }

    fn binary_bits(&mut self, op: Op, make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) -> Result {
        let b = self.pop_settled()?;
        let a = self.pop_settled()?;
        let value = make(self.b.ins(), a, b);
        self.push_result(op, value);
        Ok(())
    }

    fn arithmetic(&mut self, make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) -> Result {
        let b = self.pop_number()?;
        let a = self.pop_number()?;
        let value = make(self.b.ins(), a, b);
        self.push(Operand { value, ty: Type::F64, hold: Hold::RawFloat });
        Ok(())
    }

    fn arithmetic_unary(&mut self, make: impl FnOnce(&mut Self, Value) -> Value) -> Result {
        let a = self.pop_number()?;
        let value = make(self, a);
        self.push(Operand { value, ty: Type::F64, hold: Hold::RawFloat });
        Ok(())
    }

    // Rounding. Without SSE4.1 it is done by arithmetic here, not by a library call: a VM's stack
    // carries JIT frames only.

    fn ceil(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().ceil(x);
        }
        let whole = self.whole_part(x);
        let below = self.b.ins().fcmp(FloatCC::LessThan, whole, x);
        self.round_by(x, whole, below, 1.0)
    }

    fn floor(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().floor(x);
        }
        let whole = self.whole_part(x);
        let above = self.b.ins().fcmp(FloatCC::GreaterThan, whole, x);
        self.round_by(x, whole, above, -1.0)
    }

    fn truncate(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().trunc(x);
        }
        let whole = self.whole_part(x);
        self.unless_integer(x, whole)
    }

    fn nearest(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().nearest(x);
        }
        // Adding 2^52 to a smaller magnitude leaves no bits for a fraction: the addition rounds.
        let magnitude = self.b.ins().fabs(x);
        let large = self.b.ins().f64const(ALL_INTEGERS);
        let sum = self.b.ins().fadd(magnitude, large);
        let rounded = self.b.ins().fsub(sum, large);
        self.unless_integer(x, rounded)
    }

    /// `x` without its fraction; anything if `x` is large.
    fn whole_part(&mut self, x: Value) -> Value {
        let whole = self.b.ins().fcvt_to_sint_sat(types::I64, x);
        self.b.ins().fcvt_from_sint(types::F64, whole)
    }

    fn round_by(&mut self, x: Value, whole: Value, wrong: Value, step: f64) -> Value {
        let step = self.b.ins().f64const(step);
        let stepped = self.b.ins().fadd(whole, step);
        let rounded = self.b.ins().select(wrong, stepped, whole);
        self.unless_integer(x, rounded)
    }

    /// `rounded` with the sign of `x`, or `x` where that is an integer, infinite or NaN.
    fn unless_integer(&mut self, x: Value, rounded: Value) -> Value {
        let magnitude = self.b.ins().fabs(x);
        let large = self.b.ins().f64const(ALL_INTEGERS);
        let small = self.b.ins().fcmp(FloatCC::LessThan, magnitude, large);
        let signed = self.b.ins().fcopysign(rounded, x);
        self.b.ins().select(small, signed, x)
    }

    // The linear memory.

    fn load_memory(&mut self, op: Op, offset: u32, load: Load) -> Result {
        let address = self.pop_number()?;
        let place = self.memory_place(address, offset, load.bytes());
        let value = self.load_place(place, load);
        self.push_result(op, value);
        Ok(())
    }

    fn store_memory(&mut self, offset: u32, store: Store, bytes: u32) -> Result {
        let value = self.pop_settled()?;
        let address = self.pop_number()?;
        let place = self.memory_place(address, offset, bytes);
        self.store_place(place, store, value);
        Ok(())
    }

    fn memory_size(&mut self) -> Result {
        let bytes = self.memory_bytes();
        let pages = self.b.ins().ushr_imm_u(bytes, 16);
        let pages = self.b.ins().ireduce(types::I32, pages);
        self.push(Operand::plain(pages, Type::I32));
        Ok(())
    }

    // Buffers.

    fn buf_len(&mut self) -> Result {
        let buf = self.pop()?;
        let length = self.with_buf(buf, |this, buf| {
            let length = this.b.ins().load(types::I64, this.regions.headers, buf, crate::abi::offset::BUF_LEN);
            this.b.ins().ireduce(types::I32, length)
        });
        self.push(Operand::plain(length, Type::I32));
        Ok(())
    }

    fn load_buf(&mut self, op: Op, load: Load) -> Result {
        let index = self.pop_number()?;
        let buf = self.pop()?;
        let value = self.with_buf(buf, |this, buf| {
            let place = this.buf_place(buf, index, load.bytes());
            this.load_place(place, load)
        });
        self.push_result(op, value);
        Ok(())
    }

    fn store_buf(&mut self, store: Store, bytes: u32) -> Result {
        let value = self.pop_settled()?;
        let index = self.pop_number()?;
        let buf = self.pop()?;
        self.with_buf(buf, |this, buf| {
            let place = this.buf_place(buf, index, bytes);
            this.store_place(place, store, value);
        });
        Ok(())
    }

    // Strings.

    fn str_length(&mut self) -> Result {
        let text = self.pop()?;
        let length = self.str_len(text.value);
        let length = self.b.ins().ireduce(types::I32, length);
        self.discard(text);
        self.push(Operand::plain(length, Type::I32));
        Ok(())
    }

    fn str_get(&mut self) -> Result {
        let index = self.pop_number()?;
        let text = self.pop()?;
        let place = self.str_place(text.value, index);
        let byte = self.load_place(place, Load::Byte { signed: false });
        self.discard(text);
        self.push(Operand::plain(byte, Type::I32));
        Ok(())
    }

    /// Equal addresses are equal, different lengths differ; the rest is the base's.
    fn str_compare(&mut self, equal: bool) -> Result {
        let right = self.pop()?;
        let left = self.pop()?;
        let done = self.b.create_block();
        let answer = self.b.append_block_param(done, types::I8);
        let (lengths, bytes) = (self.b.create_block(), self.b.create_block());
        let known = |this: &mut Self, value: bool| this.b.ins().iconst(types::I8, i64::from(value == equal));

        let yes = known(self, true);
        let same = self.b.ins().icmp(IntCC::Equal, left.value, right.value);
        self.b.ins().brif(same, done, &[yes.into()], lengths, &[]);

        self.b.switch_to_block(lengths);
        self.b.seal_block(lengths);
        let no = known(self, false);
        let left_len = self.str_len(left.value);
        let right_len = self.str_len(right.value);
        let same = self.b.ins().icmp(IntCC::Equal, left_len, right_len);
        self.b.ins().brif(same, bytes, &[], done, &[no.into()]);

        self.b.switch_to_block(bytes);
        self.b.seal_block(bytes);
        let same = self.exit(Exit::StrEq, &[left.value, right.value]);
        let condition = if equal { IntCC::NotEqual } else { IntCC::Equal };
        let same = self.b.ins().icmp_imm_u(condition, same, 0);
        self.jump(done, &[same]);

        self.b.switch_to_block(done);
        self.b.seal_block(done);
        self.discard(left);
        self.discard(right);
        self.push(Operand::plain(answer, Type::Bool));
        Ok(())
    }

    fn str_from_i32(&mut self) -> Result {
        let number = self.pop_number()?;
        let number = self.b.ins().sextend(types::I64, number);
        let value = self.exit(Exit::StrFromI32, &[number]);
        self.push(Operand::fresh(value, Type::Str));
        Ok(())
    }

    /// An operator that is an exit with the same operands.
    fn exit_op(&mut self, op: Op, exit: Exit) -> Result {
        let operands = self.pop_many(op.info().params.len())?;
        let mut words = [self.ctx; 8];
        for (word, operand) in words.iter_mut().zip(&operands) {
            let value = self.canonical(*operand);
            *word = match operand.ty {
                Type::F64 => self.b.ins().bitcast(types::I64, MemFlagsData::new(), value),
                ty => self.word(value, ty),
            };
        }
        let count = operands.len().min(words.len());
        let answer = self.exit(exit, &words[..count]);
        for operand in operands {
            self.discard(operand);
        }
        if let Some(ty) = op.info().result {
            let value = if ty == Type::I32 { self.b.ins().ireduce(types::I32, answer) } else { answer };
            self.push(Operand::fresh(value, ty));
        }
        Ok(())
    }
}
