//! The operators: what each line of [`il::op`]'s table means in CLIF. The helpers stand in `ops` (scalars) and
//! `vectors`.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, types};
use il::op::{Immediate, Op};

use super::memory::{Load, Store};
use super::vectors::{Half, Widening};
use super::{Lowering, Result};
use crate::abi::Exit;

impl Lowering<'_, '_> {
    pub(super) fn op(&mut self, op: Op, immediate: Immediate) -> Result {
        let Immediate { lane, memory, from, .. } = immediate;
        match op {
            Op::I32Add | Op::I64Add => self.commutative(op, |i, a, b| i.iadd(a, b)),
            Op::I32Sub | Op::I64Sub => self.binary(op, |i, a, b| i.isub(a, b)),
            Op::I32Mul | Op::I64Mul => self.commutative(op, |i, a, b| i.imul(a, b)),
            Op::I32DivS | Op::I64DivS => self.binary(op, |i, a, b| i.sdiv(a, b)),
            Op::I32RemS | Op::I64RemS => self.binary(op, |i, a, b| i.srem(a, b)),
            Op::I32DivU | Op::I64DivU => self.binary(op, |i, a, b| i.udiv(a, b)),
            Op::I32RemU | Op::I64RemU => self.binary(op, |i, a, b| i.urem(a, b)),
            Op::I32And | Op::I64And | Op::BoolAnd => self.commutative(op, |i, a, b| i.band(a, b)),
            Op::I32Or | Op::I64Or | Op::BoolOr => self.commutative(op, |i, a, b| i.bor(a, b)),
            Op::I32Xor | Op::I64Xor | Op::BoolXor => self.commutative(op, |i, a, b| i.bxor(a, b)),
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
            Op::F32Add | Op::F64Add => self.binary(op, |i, a, b| i.fadd(a, b)),
            Op::F32Sub | Op::F64Sub => self.binary(op, |i, a, b| i.fsub(a, b)),
            Op::F32Mul | Op::F64Mul => self.binary(op, |i, a, b| i.fmul(a, b)),
            Op::F32Div | Op::F64Div => self.binary(op, |i, a, b| i.fdiv(a, b)),
            Op::F32Min | Op::F64Min => self.binary(op, |i, a, b| i.fmin(a, b)),
            Op::F32Max | Op::F64Max => self.binary(op, |i, a, b| i.fmax(a, b)),
            Op::F32Sqrt | Op::F64Sqrt => self.unary_by(op, |this, a| this.b.ins().sqrt(a)),
            Op::F32Ceil | Op::F64Ceil => self.unary_by(op, Self::ceil),
            Op::F32Floor | Op::F64Floor => self.unary_by(op, Self::floor),
            Op::F32Trunc | Op::F64Trunc => self.unary_by(op, Self::truncate),
            Op::F32Nearest | Op::F64Nearest => self.unary_by(op, Self::nearest),
            Op::F32Copysign | Op::F64Copysign => self.binary(op, |i, a, b| i.fcopysign(a, b)),
            Op::F32Neg | Op::F64Neg => self.unary(op, |i, a| i.fneg(a)),
            Op::F32Abs | Op::F64Abs => self.unary(op, |i, a| i.fabs(a)),
            Op::F32Eq | Op::F64Eq => self.compare_floats(op, FloatCC::Equal),
            Op::F32Ne | Op::F64Ne => self.compare_floats(op, FloatCC::NotEqual),
            Op::F32Lt | Op::F64Lt => self.compare_floats(op, FloatCC::LessThan),
            Op::F32Gt | Op::F64Gt => self.compare_floats(op, FloatCC::GreaterThan),
            Op::F32Le | Op::F64Le => self.compare_floats(op, FloatCC::LessThanOrEqual),
            Op::F32Ge | Op::F64Ge => self.compare_floats(op, FloatCC::GreaterThanOrEqual),
            Op::BoolNot => self.unary(op, |i, a| i.bxor_imm_u(a, 1)),
            Op::I32FromI64 => self.unary(op, |i, a| i.ireduce(types::I32, a)),
            Op::I32FromBool => self.unary(op, |i, a| i.uextend(types::I32, a)),
            Op::I64FromI32S => self.extend(true),
            Op::I64FromI32U => self.extend(false),
            Op::F64FromI32S | Op::F64FromI64S => self.unary(op, |i, a| i.fcvt_from_sint(types::F64, a)),
            Op::F64FromI32U | Op::F64FromI64U => self.unary(op, |i, a| i.fcvt_from_uint(types::F64, a)),
            Op::F32FromI32S | Op::F32FromI64S => self.unary(op, |i, a| i.fcvt_from_sint(types::F32, a)),
            Op::F32FromI32U | Op::F32FromI64U => self.unary(op, |i, a| i.fcvt_from_uint(types::F32, a)),
            Op::F32FromF64 => self.unary_by(op, |this, a| this.b.ins().fdemote(types::F32, a)),
            Op::F64FromF32 => self.unary_by(op, |this, a| this.b.ins().fpromote(types::F64, a)),
            Op::I32FromF32S | Op::I32FromF64S => self.unary(op, |i, a| i.fcvt_to_sint(types::I32, a)),
            Op::I32FromF32U | Op::I32FromF64U => self.unary(op, |i, a| i.fcvt_to_uint(types::I32, a)),
            Op::I32SatF32S | Op::I32SatF64S => self.unary(op, |i, a| i.fcvt_to_sint_sat(types::I32, a)),
            Op::I32SatF32U | Op::I32SatF64U => self.unary(op, |i, a| i.fcvt_to_uint_sat(types::I32, a)),
            Op::I64FromF32S | Op::I64FromF64S => self.unary(op, |i, a| i.fcvt_to_sint(types::I64, a)),
            Op::I64FromF32U | Op::I64FromF64U => self.unary(op, |i, a| i.fcvt_to_uint(types::I64, a)),
            Op::I64SatF32S | Op::I64SatF64S => self.unary(op, |i, a| i.fcvt_to_sint_sat(types::I64, a)),
            Op::I64SatF32U | Op::I64SatF64U => self.unary(op, |i, a| i.fcvt_to_uint_sat(types::I64, a)),
            Op::I64Bits => self.unary(op, |i, a| i.bitcast(types::I64, MemFlagsData::new(), a)),
            Op::F64Bits => self.unary(op, |i, a| i.bitcast(types::F64, MemFlagsData::new(), a)),
            Op::I32Bits => self.unary(op, |i, a| i.bitcast(types::I32, MemFlagsData::new(), a)),
            Op::F32Bits => self.unary(op, |i, a| i.bitcast(types::F32, MemFlagsData::new(), a)),
            Op::Load8S => self.load_memory(op, immediate, Load::Byte { signed: true }),
            Op::Load8U => self.load_memory(op, immediate, Load::Byte { signed: false }),
            Op::Load16S => self.load_memory(op, immediate, Load::Half { signed: true }),
            Op::Load16U => self.load_memory(op, immediate, Load::Half { signed: false }),
            Op::Load32 => self.load_memory(op, immediate, Load::Whole(types::I32)),
            Op::Load64 => self.load_memory(op, immediate, Load::Whole(types::I64)),
            Op::LoadF64 => self.load_memory(op, immediate, Load::Whole(types::F64)),
            Op::LoadF32 => self.load_memory(op, immediate, Load::Whole(types::F32)),
            Op::LoadV128 => self.load_memory(op, immediate, Load::Whole(types::I8X16)),
            Op::Store8 => self.store_memory(immediate, Store::Byte, 1),
            Op::Store16 => self.store_memory(immediate, Store::Half, 2),
            Op::Store32 | Op::StoreF32 => self.store_memory(immediate, Store::Whole, 4),
            Op::Store64 | Op::StoreF64 => self.store_memory(immediate, Store::Whole, 8),
            Op::StoreV128 => self.store_memory(immediate, Store::Whole, 16),
            Op::MemorySize => self.memory_size(memory),
            Op::MemoryGrow => self.exit_op_with(op, Exit::MemoryGrow, &[memory]),
            Op::MemoryFill => self.memory_fill(memory),
            Op::MemoryCopy => self.memory_copy(memory, from),
            Op::MemoryWrite => self.exit_op_with(op, Exit::MemoryWrite, &[memory]),
            Op::BufAt => self.exit_op_with(op, Exit::BufAt, &[memory]),
            Op::BufWrite => self.exit_op_with(op, Exit::BufWrite, &[memory]),
            Op::BufNew => self.exit_op(op, Exit::BufNew),
            Op::BufLen => self.buf_len(),
            Op::BufLoad8S => self.load_buf(op, Load::Byte { signed: true }),
            Op::BufGet | Op::BufLoad8U => self.load_buf(op, Load::Byte { signed: false }),
            Op::BufLoad16S => self.load_buf(op, Load::Half { signed: true }),
            Op::BufLoad16U => self.load_buf(op, Load::Half { signed: false }),
            Op::BufLoad32 => self.load_buf(op, Load::Whole(types::I32)),
            Op::BufLoad64 => self.load_buf(op, Load::Whole(types::I64)),
            Op::BufLoadF64 => self.load_buf(op, Load::Whole(types::F64)),
            Op::BufLoadF32 => self.load_buf(op, Load::Whole(types::F32)),
            Op::BufLoadV128 => self.load_buf(op, Load::Whole(types::I8X16)),
            Op::BufSet | Op::BufStore8 => self.store_buf(Store::Byte, 1),
            Op::BufStore16 => self.store_buf(Store::Half, 2),
            Op::BufStore32 | Op::BufStoreF32 => self.store_buf(Store::Whole, 4),
            Op::BufStore64 | Op::BufStoreF64 => self.store_buf(Store::Whole, 8),
            Op::BufStoreV128 => self.store_buf(Store::Whole, 16),
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
            Op::StrFromF32 => self.exit_op(op, Exit::StrFromF32),
            Op::StrFromBool => self.exit_op(op, Exit::StrFromBool),
            Op::StrAt => self.exit_op_with(op, Exit::StrAt, &[memory]),
            Op::I8x16Add | Op::I16x8Add | Op::I32x4Add | Op::I64x2Add => self.lanewise(op, |i, a, b| i.iadd(a, b)),
            Op::I8x16Sub | Op::I16x8Sub | Op::I32x4Sub | Op::I64x2Sub => self.lanewise(op, |i, a, b| i.isub(a, b)),
            Op::I16x8Mul | Op::I32x4Mul | Op::I64x2Mul => self.lanewise(op, |i, a, b| i.imul(a, b)),
            Op::I8x16MinS | Op::I16x8MinS | Op::I32x4MinS => self.lanewise(op, |i, a, b| i.smin(a, b)),
            Op::I8x16MinU | Op::I16x8MinU | Op::I32x4MinU => self.lanewise(op, |i, a, b| i.umin(a, b)),
            Op::I8x16MaxS | Op::I16x8MaxS | Op::I32x4MaxS => self.lanewise(op, |i, a, b| i.smax(a, b)),
            Op::I8x16MaxU | Op::I16x8MaxU | Op::I32x4MaxU => self.lanewise(op, |i, a, b| i.umax(a, b)),
            Op::I8x16AddSatS | Op::I16x8AddSatS => self.lanewise(op, |i, a, b| i.sadd_sat(a, b)),
            Op::I8x16AddSatU | Op::I16x8AddSatU => self.lanewise(op, |i, a, b| i.uadd_sat(a, b)),
            Op::I8x16SubSatS | Op::I16x8SubSatS => self.lanewise(op, |i, a, b| i.ssub_sat(a, b)),
            Op::I8x16SubSatU | Op::I16x8SubSatU => self.lanewise(op, |i, a, b| i.usub_sat(a, b)),
            Op::I8x16AvgrU | Op::I16x8AvgrU => self.lanewise(op, |i, a, b| i.avg_round(a, b)),
            Op::I16x8Q15mulrSatS => self.lanewise(op, |i, a, b| i.sqmul_round_sat(a, b)),
            Op::I8x16Swizzle => self.lanewise(op, |i, a, b| i.swizzle(a, b)),
            Op::V128And => self.lanewise(op, |i, a, b| i.band(a, b)),
            Op::V128Or => self.lanewise(op, |i, a, b| i.bor(a, b)),
            Op::V128Xor => self.lanewise(op, |i, a, b| i.bxor(a, b)),
            Op::V128Andnot => self.and_not(op),
            Op::V128Bitselect => self.bit_select(op),
            Op::I8x16Eq | Op::I16x8Eq | Op::I32x4Eq | Op::I64x2Eq => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::Equal, a, b))
            }
            Op::I8x16Ne | Op::I16x8Ne | Op::I32x4Ne | Op::I64x2Ne => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::NotEqual, a, b))
            }
            Op::I8x16LtS | Op::I16x8LtS | Op::I32x4LtS | Op::I64x2LtS => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::SignedLessThan, a, b))
            }
            Op::I8x16GtS | Op::I16x8GtS | Op::I32x4GtS | Op::I64x2GtS => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::SignedGreaterThan, a, b))
            }
            Op::I8x16LeS | Op::I16x8LeS | Op::I32x4LeS | Op::I64x2LeS => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::SignedLessThanOrEqual, a, b))
            }
            Op::I8x16GeS | Op::I16x8GeS | Op::I32x4GeS | Op::I64x2GeS => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::SignedGreaterThanOrEqual, a, b))
            }
            Op::I8x16LtU | Op::I16x8LtU | Op::I32x4LtU => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::UnsignedLessThan, a, b))
            }
            Op::I8x16GtU | Op::I16x8GtU | Op::I32x4GtU => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::UnsignedGreaterThan, a, b))
            }
            Op::I8x16LeU | Op::I16x8LeU | Op::I32x4LeU => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::UnsignedLessThanOrEqual, a, b))
            }
            Op::I8x16GeU | Op::I16x8GeU | Op::I32x4GeU => {
                self.lanewise(op, |i, a, b| i.icmp(IntCC::UnsignedGreaterThanOrEqual, a, b))
            }
            Op::F32x4Eq | Op::F64x2Eq => self.compare_lanes(op, FloatCC::Equal),
            Op::F32x4Ne | Op::F64x2Ne => self.compare_lanes(op, FloatCC::NotEqual),
            Op::F32x4Lt | Op::F64x2Lt => self.compare_lanes(op, FloatCC::LessThan),
            Op::F32x4Gt | Op::F64x2Gt => self.compare_lanes(op, FloatCC::GreaterThan),
            Op::F32x4Le | Op::F64x2Le => self.compare_lanes(op, FloatCC::LessThanOrEqual),
            Op::F32x4Ge | Op::F64x2Ge => self.compare_lanes(op, FloatCC::GreaterThanOrEqual),
            Op::I8x16Neg | Op::I16x8Neg | Op::I32x4Neg | Op::I64x2Neg => self.each_lane(op, |i, a| i.ineg(a)),
            Op::I8x16Abs | Op::I16x8Abs | Op::I32x4Abs | Op::I64x2Abs => self.each_lane(op, |i, a| i.iabs(a)),
            Op::V128Not => self.each_lane(op, |i, a| i.bnot(a)),
            Op::I8x16Popcnt => self.each_lane(op, |i, a| i.popcnt(a)),
            Op::F32x4Neg | Op::F64x2Neg => self.each_lane(op, |i, a| i.fneg(a)),
            Op::F32x4Abs | Op::F64x2Abs => self.each_lane(op, |i, a| i.fabs(a)),
            Op::V128AnyTrue | Op::I8x16AllTrue | Op::I16x8AllTrue | Op::I32x4AllTrue | Op::I64x2AllTrue => {
                self.lanes_true(op)
            }
            Op::I8x16Bitmask | Op::I16x8Bitmask | Op::I32x4Bitmask | Op::I64x2Bitmask => self.bitmask(op),
            Op::I8x16Shl | Op::I16x8Shl | Op::I32x4Shl | Op::I64x2Shl => self.shift_lanes(op, |i, a, by| i.ishl(a, by)),
            Op::I8x16ShrS | Op::I16x8ShrS | Op::I32x4ShrS | Op::I64x2ShrS => {
                self.shift_lanes(op, |i, a, by| i.sshr(a, by))
            }
            Op::I8x16ShrU | Op::I16x8ShrU | Op::I32x4ShrU | Op::I64x2ShrU => {
                self.shift_lanes(op, |i, a, by| i.ushr(a, by))
            }
            Op::V128FromI64s => self.vector_from_halves(),
            Op::I8x16Splat | Op::I16x8Splat | Op::I32x4Splat | Op::I64x2Splat | Op::F32x4Splat | Op::F64x2Splat => {
                self.splat(op)
            }
            Op::I8x16ExtractLaneS | Op::I16x8ExtractLaneS => self.extract(op, lane, true),
            Op::I8x16ExtractLaneU
            | Op::I16x8ExtractLaneU
            | Op::I32x4ExtractLane
            | Op::I64x2ExtractLane
            | Op::F32x4ExtractLane
            | Op::F64x2ExtractLane => self.extract(op, lane, false),
            Op::I8x16ReplaceLane
            | Op::I16x8ReplaceLane
            | Op::I32x4ReplaceLane
            | Op::I64x2ReplaceLane
            | Op::F32x4ReplaceLane
            | Op::F64x2ReplaceLane => self.replace_lane(op, lane),
            Op::I32x4DotI16x8S => self.dot(),
            Op::I8x16NarrowI16x8S | Op::I16x8NarrowI32x4S => self.narrow(op, |i, a, b| i.snarrow(a, b)),
            Op::I8x16NarrowI16x8U | Op::I16x8NarrowI32x4U => self.narrow(op, |i, a, b| i.unarrow(a, b)),
            Op::I16x8ExtaddPairwiseI8x16S | Op::I32x4ExtaddPairwiseI16x8S => self.add_pairwise(op, Widening::Signed),
            Op::I16x8ExtendLowI8x16S | Op::I32x4ExtendLowI16x8S | Op::I64x2ExtendLowI32x4S => {
                self.extend_half(op, Widening::Signed, Half::Low)
            }
            Op::I16x8ExtmulLowI8x16S | Op::I32x4ExtmulLowI16x8S | Op::I64x2ExtmulLowI32x4S => {
                self.multiply_half(op, Widening::Signed, Half::Low)
            }
            Op::I16x8ExtendHighI8x16S | Op::I32x4ExtendHighI16x8S | Op::I64x2ExtendHighI32x4S => {
                self.extend_half(op, Widening::Signed, Half::High)
            }
            Op::I16x8ExtmulHighI8x16S | Op::I32x4ExtmulHighI16x8S | Op::I64x2ExtmulHighI32x4S => {
                self.multiply_half(op, Widening::Signed, Half::High)
            }
            Op::I16x8ExtaddPairwiseI8x16U | Op::I32x4ExtaddPairwiseI16x8U => self.add_pairwise(op, Widening::Unsigned),
            Op::I16x8ExtendLowI8x16U | Op::I32x4ExtendLowI16x8U | Op::I64x2ExtendLowI32x4U => {
                self.extend_half(op, Widening::Unsigned, Half::Low)
            }
            Op::I16x8ExtmulLowI8x16U | Op::I32x4ExtmulLowI16x8U | Op::I64x2ExtmulLowI32x4U => {
                self.multiply_half(op, Widening::Unsigned, Half::Low)
            }
            Op::I16x8ExtendHighI8x16U | Op::I32x4ExtendHighI16x8U | Op::I64x2ExtendHighI32x4U => {
                self.extend_half(op, Widening::Unsigned, Half::High)
            }
            Op::I16x8ExtmulHighI8x16U | Op::I32x4ExtmulHighI16x8U | Op::I64x2ExtmulHighI32x4U => {
                self.multiply_half(op, Widening::Unsigned, Half::High)
            }
            Op::F32x4Sqrt | Op::F64x2Sqrt => self.arithmetic_each(op, |i, a| i.sqrt(a)),
            Op::F32x4Ceil | Op::F64x2Ceil => self.arithmetic_each(op, |i, a| i.ceil(a)),
            Op::F32x4Floor | Op::F64x2Floor => self.arithmetic_each(op, |i, a| i.floor(a)),
            Op::F32x4Trunc | Op::F64x2Trunc => self.arithmetic_each(op, |i, a| i.trunc(a)),
            Op::F32x4Nearest | Op::F64x2Nearest => self.arithmetic_each(op, |i, a| i.nearest(a)),
            Op::F32x4Add | Op::F64x2Add => self.arithmetic_lanes(op, |i, a, b| i.fadd(a, b)),
            Op::F32x4Sub | Op::F64x2Sub => self.arithmetic_lanes(op, |i, a, b| i.fsub(a, b)),
            Op::F32x4Mul | Op::F64x2Mul => self.arithmetic_lanes(op, |i, a, b| i.fmul(a, b)),
            Op::F32x4Div | Op::F64x2Div => self.arithmetic_lanes(op, |i, a, b| i.fdiv(a, b)),
            Op::F32x4Min | Op::F64x2Min => self.arithmetic_lanes(op, |i, a, b| i.fmin(a, b)),
            Op::F32x4Max | Op::F64x2Max => self.arithmetic_lanes(op, |i, a, b| i.fmax(a, b)),
            Op::F32x4Pmin | Op::F64x2Pmin => self.pseudo_minimum(op),
            Op::F32x4Pmax | Op::F64x2Pmax => self.pseudo_maximum(op),
            Op::I32x4TruncSatF32x4S => self.convert_lanes(types::F32X4, |i, a| i.fcvt_to_sint_sat(types::I32X4, a)),
            Op::I32x4TruncSatF32x4U => self.convert_lanes(types::F32X4, |i, a| i.fcvt_to_uint_sat(types::I32X4, a)),
            Op::F32x4ConvertI32x4S => self.convert_lanes(types::I32X4, |i, a| i.fcvt_from_sint(types::F32X4, a)),
            Op::F32x4ConvertI32x4U => self.convert_lanes(types::I32X4, |i, a| i.fcvt_from_uint(types::F32X4, a)),
            Op::I32x4TruncSatF64x2SZero => self.truncate_doubles(true),
            Op::I32x4TruncSatF64x2UZero => self.truncate_doubles(false),
            Op::F64x2ConvertLowI32x4S => self.convert_low(true),
            Op::F64x2ConvertLowI32x4U => self.convert_low(false),
            Op::F32x4DemoteF64x2Zero => self.change_precision(types::F64X2, types::F32X4, |i, a| i.fvdemote(a)),
            Op::F64x2PromoteLowF32x4 => self.change_precision(types::F32X4, types::F64X2, |i, a| i.fvpromote_low(a)),
            Op::Load8x8S => {
                self.load_widening(immediate, |i, flags, address, offset| i.sload8x8(flags, address, offset))
            }
            Op::Load8x8U => {
                self.load_widening(immediate, |i, flags, address, offset| i.uload8x8(flags, address, offset))
            }
            Op::Load16x4S => {
                self.load_widening(immediate, |i, flags, address, offset| i.sload16x4(flags, address, offset))
            }
            Op::Load16x4U => {
                self.load_widening(immediate, |i, flags, address, offset| i.uload16x4(flags, address, offset))
            }
            Op::Load32x2S => {
                self.load_widening(immediate, |i, flags, address, offset| i.sload32x2(flags, address, offset))
            }
            Op::Load32x2U => {
                self.load_widening(immediate, |i, flags, address, offset| i.uload32x2(flags, address, offset))
            }
            Op::Load8Splat => self.load_splat(immediate, types::I8X16),
            Op::Load16Splat => self.load_splat(immediate, types::I16X8),
            Op::Load32Splat => self.load_splat(immediate, types::I32X4),
            Op::Load64Splat => self.load_splat(immediate, types::I64X2),
            Op::Load32Zero => self.load_zero(immediate, types::I32X4),
            Op::Load64Zero => self.load_zero(immediate, types::I64X2),
            Op::Load8Lane => self.load_lane(immediate, types::I8X16),
            Op::Load16Lane => self.load_lane(immediate, types::I16X8),
            Op::Load32Lane => self.load_lane(immediate, types::I32X4),
            Op::Load64Lane => self.load_lane(immediate, types::I64X2),
            Op::Store8Lane => self.store_lane(immediate, types::I8X16),
            Op::Store16Lane => self.store_lane(immediate, types::I16X8),
            Op::Store32Lane => self.store_lane(immediate, types::I32X4),
            Op::Store64Lane => self.store_lane(immediate, types::I64X2),
        }
    }
}
