//! Scalar operators, and those on memory, buffers and strings. `dispatch` says which is which.
//!
//! Numbers follow WebAssembly 3.0: wrapping, shift counts modulo the width, trapping conversions
//! and division, `min`/`max` that propagate NaN and order -0 below 0, `nearest` ties to even.

use alloc::vec::Vec;

use cranelift_codegen::ir::condcodes::{CondCode, FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, ValueDef, types};
use cranelift_frontend::FuncInstBuilder;
use il::op::{Immediate, Op};
use il::{MemoryId, Type};

use super::memory::{Access, Load, Span, Store};
use super::operand::Operand;
use super::{Lowering, Result};
use crate::abi::Exit;

/// Doubles of at least this magnitude are integers.
const ALL_INTEGERS: f64 = 4_503_599_627_370_496.0;
/// Singles of at least this magnitude are integers.
const ALL_INTEGERS_32: f32 = 8_388_608.0;

impl Lowering<'_, '_> {
    /// Pushes an operator's result, if it has one.
    fn push_result(&mut self, op: Op, value: Value) {
        if let Some(ty) = op.info().result {
            self.push(Operand::fresh(value, ty));
        }
    }

    pub(super) fn unary(&mut self, op: Op, make: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) -> Result {
        let a = self.pop_number()?;
        let value = make(self.b.ins(), a);
        self.push_result(op, value);
        Ok(())
    }

    pub(super) fn binary(
        &mut self,
        op: Op,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) -> Result {
        let b = self.pop_number()?;
        let a = self.pop_number()?;
        let value = make(self.b.ins(), a, b);
        self.push_result(op, value);
        Ok(())
    }

    /// A constant goes to the right, where Cranelift would put it in an instruction of its own: that one would have no
    /// place in the source, and a load that becomes a part of it would trap nowhere.
    pub(super) fn commutative(
        &mut self,
        op: Op,
        make: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) -> Result {
        self.constant_to_the_right()?;
        self.binary(op, make)
    }

    /// Exchanges the two operands on top if only the left one is a constant; whether it did.
    fn constant_to_the_right(&mut self) -> Result<bool> {
        let b = self.pop()?;
        let a = self.pop()?;
        let exchanged = self.constant(a.value).is_some() && self.constant(b.value).is_none();
        let (a, b) = if exchanged { (b, a) } else { (a, b) };
        self.push(a);
        self.push(b);
        Ok(exchanged)
    }

    /// With a constant on the right, as for [`Lowering::commutative`] operators.
    pub(super) fn compare(&mut self, op: Op, condition: IntCC) -> Result {
        let condition = if self.constant_to_the_right()? { condition.swap_args() } else { condition };
        self.binary(op, |i, a, b| i.icmp(condition, a, b))
    }

    pub(super) fn compare_floats(&mut self, op: Op, condition: FloatCC) -> Result {
        self.binary(op, |i, a, b| i.fcmp(condition, a, b))
    }

    /// An operator that is more than one instruction.
    pub(super) fn unary_by(&mut self, op: Op, make: impl FnOnce(&mut Self, Value) -> Value) -> Result {
        let a = self.pop_number()?;
        let value = make(self, a);
        self.push_result(op, value);
        Ok(())
    }

    // Rounding. Without SSE4.1 it is done by arithmetic here, not by a library call: a VM's stack
    // carries JIT frames only.

    pub(super) fn ceil(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().ceil(x);
        }
        let whole = self.whole_part(x);
        let below = self.b.ins().fcmp(FloatCC::LessThan, whole, x);
        self.round_by(x, whole, below, 1.0)
    }

    pub(super) fn floor(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().floor(x);
        }
        let whole = self.whole_part(x);
        let above = self.b.ins().fcmp(FloatCC::GreaterThan, whole, x);
        self.round_by(x, whole, above, -1.0)
    }

    pub(super) fn truncate(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().trunc(x);
        }
        let whole = self.whole_part(x);
        self.unless_integer(x, whole)
    }

    pub(super) fn nearest(&mut self, x: Value) -> Value {
        if self.choices.rounds {
            return self.b.ins().nearest(x);
        }
        // Adding this to a smaller magnitude leaves no bits for a fraction: the addition rounds.
        let magnitude = self.b.ins().fabs(x);
        let large = self.all_integers(x);
        let sum = self.b.ins().fadd(magnitude, large);
        let rounded = self.b.ins().fsub(sum, large);
        self.unless_integer(x, rounded)
    }

    fn is_single(&self, x: Value) -> bool {
        self.b.func.dfg.value_type(x) == types::F32
    }

    /// Floats of at least this magnitude are integers.
    fn all_integers(&mut self, x: Value) -> Value {
        if self.is_single(x) { self.b.ins().f32const(ALL_INTEGERS_32) } else { self.b.ins().f64const(ALL_INTEGERS) }
    }

    /// `x` without its fraction; anything if `x` is large.
    fn whole_part(&mut self, x: Value) -> Value {
        let whole = self.b.ins().fcvt_to_sint_sat(types::I64, x);
        let ty = self.b.func.dfg.value_type(x);
        self.b.ins().fcvt_from_sint(ty, whole)
    }

    fn round_by(&mut self, x: Value, whole: Value, wrong: Value, step: f32) -> Value {
        let step = if self.is_single(x) { self.b.ins().f32const(step) } else { self.b.ins().f64const(f64::from(step)) };
        let stepped = self.b.ins().fadd(whole, step);
        let rounded = self.b.ins().select(wrong, stepped, whole);
        self.unless_integer(x, rounded)
    }

    /// `rounded` with the sign of `x`, or `x` where that is an integer, infinite or NaN.
    fn unless_integer(&mut self, x: Value, rounded: Value) -> Value {
        let magnitude = self.b.ins().fabs(x);
        let large = self.all_integers(x);
        let small = self.b.ins().fcmp(FloatCC::LessThan, magnitude, large);
        let signed = self.b.ins().fcopysign(rounded, x);
        let whole = self.b.ins().select(small, signed, x);
        // It is the result of arithmetic, and so its NaN is the one: adding -0 changes nothing else.
        let nothing = if self.is_single(x) { self.b.ins().f32const(-0.0) } else { self.b.ins().f64const(-0.0) };
        self.b.ins().fadd(whole, nothing)
    }

    // Linear memories.

    pub(super) fn load_memory(&mut self, op: Op, at: Immediate, load: Load) -> Result {
        let address = self.pop_number()?;
        let span = Span { access: Access::Load, memory: at.memory, offset: at.offset, bytes: load.bytes() };
        let place = self.memory_place(span, address);
        let value = self.load_place(place, load);
        self.loaded = Some(value);
        self.push_result(op, value);
        Ok(())
    }

    /// `i64` of an `i32`. Where that has just been loaded, the load widens.
    pub(super) fn extend(&mut self, signed: bool) -> Result {
        let value = self.pop_number()?;
        let value = match self.widened_load(value, signed) {
            Some(wide) => wide,
            None if signed => self.b.ins().sextend(types::I64, value),
            None => self.b.ins().uextend(types::I64, value),
        };
        self.push(Operand::plain(value, Type::I64));
        Ok(())
    }

    /// The load that a value comes from, made to yield an `i64`, if that was the instruction before: so nobody else has the
    /// value.
    fn widened_load(&mut self, value: Value, signed: bool) -> Option<Value> {
        let last = self.b.func.layout.last_inst(self.b.current_block()?)?;
        let dfg = &mut self.b.func.dfg;
        if self.before != Some(value) || dfg.value_def(value) != ValueDef::Result(last, 0) {
            return None;
        }
        let InstructionData::Load { opcode, arg, flags, offset } = dfg.insts[last] else { return None };
        let wide = match (opcode, signed) {
            (Opcode::Sload8, true) => Opcode::Sload8,
            (Opcode::Sload16, true) => Opcode::Sload16,
            // Of a value without a sign both are the same.
            (Opcode::Uload8, _) => Opcode::Uload8,
            (Opcode::Uload16, _) => Opcode::Uload16,
            (Opcode::Load, true) => Opcode::Sload32,
            (Opcode::Load, false) => Opcode::Uload32,
            _ => return None,
        };
        dfg.detach_inst_results(last);
        dfg.insts[last] = InstructionData::Load { opcode: wide, arg, flags, offset };
        dfg.make_inst_results(last, types::I64);
        dfg.inst_results(last).first().copied()
    }

    pub(super) fn store_memory(&mut self, at: Immediate, store: Store, bytes: u32) -> Result {
        let value = self.pop_settled()?;
        let address = self.pop_number()?;
        let span = Span { access: Access::Store, memory: at.memory, offset: at.offset, bytes };
        let place = self.memory_place(span, address);
        self.store_place(place, store, value);
        Ok(())
    }

    pub(super) fn memory_size(&mut self, memory: MemoryId) -> Result {
        let bytes = self.memory_bytes(memory);
        let pages = self.b.ins().ushr_imm_u(bytes, 16);
        let pages = self.b.ins().ireduce(types::I32, pages);
        self.push(Operand::plain(pages, Type::I32));
        Ok(())
    }

    // Buffers.

    pub(super) fn buf_len(&mut self) -> Result {
        let buf = self.pop()?;
        let length = self.with_buf(buf, |this, buf| {
            let length = this.b.ins().load(types::I64, this.regions.headers, buf, crate::abi::offset::BUF_LEN);
            this.b.ins().ireduce(types::I32, length)
        });
        self.push(Operand::plain(length, Type::I32));
        Ok(())
    }

    pub(super) fn load_buf(&mut self, op: Op, load: Load) -> Result {
        let index = self.pop_number()?;
        let buf = self.pop()?;
        let value = self.with_buf(buf, |this, buf| {
            let place = this.buf_place(buf, index, load.bytes());
            this.load_place(place, load)
        });
        self.push_result(op, value);
        Ok(())
    }

    pub(super) fn store_buf(&mut self, store: Store, bytes: u32) -> Result {
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

    pub(super) fn str_length(&mut self) -> Result {
        let text = self.pop()?;
        let length = self.object_len(text.value);
        self.push(Operand::plain(length, Type::I32));
        Ok(())
    }

    pub(super) fn str_get(&mut self) -> Result {
        let index = self.pop_number()?;
        let text = self.pop()?;
        let place = self.str_place(text.value, index);
        let byte = self.load_place(place, Load::Byte { signed: false });
        self.push(Operand::plain(byte, Type::I32));
        Ok(())
    }

    /// Equal addresses are equal, different lengths differ; the rest is the base's.
    pub(super) fn str_compare(&mut self, equal: bool) -> Result {
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
        let left_len = self.object_len(left.value);
        let right_len = self.object_len(right.value);
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
        self.push(Operand::plain(answer, Type::Bool));
        Ok(())
    }

    pub(super) fn str_from_i32(&mut self) -> Result {
        let number = self.pop_number()?;
        let number = self.b.ins().sextend(types::I64, number);
        let value = self.exit(Exit::StrFromI32, &[number]);
        self.push(Operand::fresh(value, Type::Str));
        Ok(())
    }

    /// An operator that is an exit with the same operands.
    pub(super) fn exit_op(&mut self, op: Op, exit: Exit) -> Result {
        self.exit_op_with(op, exit, &[])
    }

    /// The same, with memories behind its operands.
    pub(super) fn exit_op_with(&mut self, op: Op, exit: Exit, memories: &[MemoryId]) -> Result {
        let operands = self.pop_many(op.info().params.len())?;
        let mut words = Vec::with_capacity(operands.len() + memories.len());
        for operand in &operands {
            let value = self.canonical(*operand);
            words.push(self.word(value, operand.ty));
        }
        for memory in memories {
            words.push(self.word_const(u64::from(memory.0)));
        }
        let answer = self.exit(exit, &words);
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
