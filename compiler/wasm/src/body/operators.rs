//! Operators that compute: one table from WebAssembly's to the IL's.

use il::Type;
use il::instr::Instr;
use il::op::{Immediate, Op};
use wasmparser::{MemArg, Operator};

use super::Translator;
use super::stack::{Effect, Leaf};
use crate::error::Result;

/// Declares the table, by what stands in the instruction. Where a name is the same on both sides it stands once.
macro_rules! operators {
    (
        plain { $($same:ident)* } named { $($wasm:ident => $il:ident)* }
        lane { $($lane:ident)* }
        load { $($load:ident => $load_il:ident $(then $widen:ident)?;)* }
        store { $($store:ident => $store_il:ident $(after $narrow:ident)?;)* }
        memory_lane { $($memory_lane:ident => $memory_lane_il:ident)* }
    ) => {
        /// What an operator of WebAssembly is in the IL.
        fn meaning(operator: &Operator<'_>) -> Option<Meaning> {
            Some(match operator {
                $(Operator::$same => Meaning::Plain(Op::$same),)*
                $(Operator::$wasm => Meaning::Plain(Op::$il),)*
                $(Operator::$lane { lane } => Meaning::Lane(Op::$lane, *lane),)*
                $(Operator::$load { memarg } => Meaning::Load(Op::$load_il, *memarg, operators!(@maybe $($widen)?)),)*
                $(Operator::$store { memarg } => {
                    Meaning::Store(Op::$store_il, *memarg, operators!(@maybe $($narrow)?))
                })*
                $(Operator::$memory_lane { memarg, lane } => {
                    Meaning::MemoryLane(Op::$memory_lane_il, *memarg, *lane)
                })*
                _ => return None,
            })
        }
    };
    (@maybe) => { None };
    (@maybe $op:ident) => { Some(Op::$op) };
}

enum Meaning {
    Plain(Op),
    Lane(Op, u8),
    /// What is loaded is perhaps widened.
    Load(Op, MemArg, Option<Op>),
    /// What is stored is perhaps narrowed.
    Store(Op, MemArg, Option<Op>),
    MemoryLane(Op, MemArg, u8),
}

operators! {
    plain {
        I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU
        I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU
        F32Eq F32Ne F32Lt F32Gt F32Le F32Ge F64Eq F64Ne F64Lt F64Gt F64Le F64Ge
        I32Clz I32Ctz I32Popcnt I32Add I32Sub I32Mul I32DivS I32DivU I32RemS I32RemU
        I32And I32Or I32Xor I32Shl I32ShrS I32ShrU I32Rotl I32Rotr
        I64Clz I64Ctz I64Popcnt I64Add I64Sub I64Mul I64DivS I64DivU I64RemS I64RemU
        I64And I64Or I64Xor I64Shl I64ShrS I64ShrU I64Rotl I64Rotr
        F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt
        F32Add F32Sub F32Mul F32Div F32Min F32Max F32Copysign
        F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt
        F64Add F64Sub F64Mul F64Div F64Min F64Max F64Copysign
        I8x16Swizzle I8x16Splat I16x8Splat I32x4Splat I64x2Splat F32x4Splat F64x2Splat
        I8x16Eq I8x16Ne I8x16LtS I8x16LtU I8x16GtS I8x16GtU I8x16LeS I8x16LeU I8x16GeS I8x16GeU
        I16x8Eq I16x8Ne I16x8LtS I16x8LtU I16x8GtS I16x8GtU I16x8LeS I16x8LeU I16x8GeS I16x8GeU
        I32x4Eq I32x4Ne I32x4LtS I32x4LtU I32x4GtS I32x4GtU I32x4LeS I32x4LeU I32x4GeS I32x4GeU
        I64x2Eq I64x2Ne I64x2LtS I64x2GtS I64x2LeS I64x2GeS
        F32x4Eq F32x4Ne F32x4Lt F32x4Gt F32x4Le F32x4Ge F64x2Eq F64x2Ne F64x2Lt F64x2Gt F64x2Le F64x2Ge
        V128Not V128And V128Or V128Xor V128Bitselect V128AnyTrue
        I8x16Abs I8x16Neg I8x16Popcnt I8x16AllTrue I8x16Bitmask I8x16NarrowI16x8S I8x16NarrowI16x8U
        I8x16Shl I8x16ShrS I8x16ShrU I8x16Add I8x16AddSatS I8x16AddSatU I8x16Sub I8x16SubSatS I8x16SubSatU
        I8x16MinS I8x16MinU I8x16MaxS I8x16MaxU
        I16x8Abs I16x8Neg I16x8AllTrue I16x8Bitmask I16x8NarrowI32x4S I16x8NarrowI32x4U
        I16x8ExtendLowI8x16S I16x8ExtendHighI8x16S I16x8ExtendLowI8x16U I16x8ExtendHighI8x16U
        I16x8Shl I16x8ShrS I16x8ShrU I16x8Add I16x8AddSatS I16x8AddSatU I16x8Sub I16x8SubSatS I16x8SubSatU I16x8Mul
        I16x8MinS I16x8MinU I16x8MaxS I16x8MaxU
        I32x4Abs I32x4Neg I32x4AllTrue I32x4Bitmask
        I32x4ExtendLowI16x8S I32x4ExtendHighI16x8S I32x4ExtendLowI16x8U I32x4ExtendHighI16x8U
        I32x4Shl I32x4ShrS I32x4ShrU I32x4Add I32x4Sub I32x4Mul I32x4MinS I32x4MinU I32x4MaxS I32x4MaxU I32x4DotI16x8S
        I64x2Abs I64x2Neg I64x2AllTrue I64x2Bitmask
        I64x2ExtendLowI32x4S I64x2ExtendHighI32x4S I64x2ExtendLowI32x4U I64x2ExtendHighI32x4U
        I64x2Shl I64x2ShrS I64x2ShrU I64x2Add I64x2Sub I64x2Mul
        F32x4Ceil F32x4Floor F32x4Trunc F32x4Nearest F32x4Abs F32x4Neg F32x4Sqrt
        F32x4Add F32x4Sub F32x4Mul F32x4Div F32x4Min F32x4Max
        F64x2Ceil F64x2Floor F64x2Trunc F64x2Nearest F64x2Abs F64x2Neg F64x2Sqrt
        F64x2Add F64x2Sub F64x2Mul F64x2Div F64x2Min F64x2Max
        I32x4TruncSatF32x4S I32x4TruncSatF32x4U F32x4ConvertI32x4S F32x4ConvertI32x4U
        I32x4TruncSatF64x2SZero I32x4TruncSatF64x2UZero F64x2ConvertLowI32x4S F64x2ConvertLowI32x4U
        F32x4DemoteF64x2Zero F64x2PromoteLowF32x4
    }
    named {
        I32WrapI64 => I32FromI64
        I32TruncF32S => I32FromF32S I32TruncF32U => I32FromF32U
        I32TruncF64S => I32FromF64S I32TruncF64U => I32FromF64U
        I64ExtendI32S => I64FromI32S I64ExtendI32U => I64FromI32U
        I64TruncF32S => I64FromF32S I64TruncF32U => I64FromF32U
        I64TruncF64S => I64FromF64S I64TruncF64U => I64FromF64U
        F32ConvertI32S => F32FromI32S F32ConvertI32U => F32FromI32U
        F32ConvertI64S => F32FromI64S F32ConvertI64U => F32FromI64U
        F32DemoteF64 => F32FromF64
        F64ConvertI32S => F64FromI32S F64ConvertI32U => F64FromI32U
        F64ConvertI64S => F64FromI64S F64ConvertI64U => F64FromI64U
        F64PromoteF32 => F64FromF32
        I32ReinterpretF32 => I32Bits I64ReinterpretF64 => I64Bits
        F32ReinterpretI32 => F32Bits F64ReinterpretI64 => F64Bits
        I32TruncSatF32S => I32SatF32S I32TruncSatF32U => I32SatF32U
        I32TruncSatF64S => I32SatF64S I32TruncSatF64U => I32SatF64U
        I64TruncSatF32S => I64SatF32S I64TruncSatF32U => I64SatF32U
        I64TruncSatF64S => I64SatF64S I64TruncSatF64U => I64SatF64U
        V128AndNot => V128Andnot
        I8x16AvgrU => I8x16AvgrU I16x8AvgrU => I16x8AvgrU
        I16x8Q15MulrSatS => I16x8Q15mulrSatS
        I16x8ExtAddPairwiseI8x16S => I16x8ExtaddPairwiseI8x16S I16x8ExtAddPairwiseI8x16U => I16x8ExtaddPairwiseI8x16U
        I32x4ExtAddPairwiseI16x8S => I32x4ExtaddPairwiseI16x8S I32x4ExtAddPairwiseI16x8U => I32x4ExtaddPairwiseI16x8U
        I16x8ExtMulLowI8x16S => I16x8ExtmulLowI8x16S I16x8ExtMulHighI8x16S => I16x8ExtmulHighI8x16S
        I16x8ExtMulLowI8x16U => I16x8ExtmulLowI8x16U I16x8ExtMulHighI8x16U => I16x8ExtmulHighI8x16U
        I32x4ExtMulLowI16x8S => I32x4ExtmulLowI16x8S I32x4ExtMulHighI16x8S => I32x4ExtmulHighI16x8S
        I32x4ExtMulLowI16x8U => I32x4ExtmulLowI16x8U I32x4ExtMulHighI16x8U => I32x4ExtmulHighI16x8U
        I64x2ExtMulLowI32x4S => I64x2ExtmulLowI32x4S I64x2ExtMulHighI32x4S => I64x2ExtmulHighI32x4S
        I64x2ExtMulLowI32x4U => I64x2ExtmulLowI32x4U I64x2ExtMulHighI32x4U => I64x2ExtmulHighI32x4U
        F32x4PMin => F32x4Pmin F32x4PMax => F32x4Pmax F64x2PMin => F64x2Pmin F64x2PMax => F64x2Pmax
        // Of what relaxed operators may answer, always the same: what those that they relax answer.
        I8x16RelaxedSwizzle => I8x16Swizzle
        I32x4RelaxedTruncF32x4S => I32x4TruncSatF32x4S I32x4RelaxedTruncF32x4U => I32x4TruncSatF32x4U
        I32x4RelaxedTruncF64x2SZero => I32x4TruncSatF64x2SZero I32x4RelaxedTruncF64x2UZero => I32x4TruncSatF64x2UZero
        I8x16RelaxedLaneselect => V128Bitselect I16x8RelaxedLaneselect => V128Bitselect
        I32x4RelaxedLaneselect => V128Bitselect I64x2RelaxedLaneselect => V128Bitselect
        F32x4RelaxedMin => F32x4Min F32x4RelaxedMax => F32x4Max F64x2RelaxedMin => F64x2Min F64x2RelaxedMax => F64x2Max
        I16x8RelaxedQ15mulrS => I16x8Q15mulrSatS
    }
    lane {
        I8x16ExtractLaneS I8x16ExtractLaneU I8x16ReplaceLane I16x8ExtractLaneS I16x8ExtractLaneU I16x8ReplaceLane
        I32x4ExtractLane I32x4ReplaceLane I64x2ExtractLane I64x2ReplaceLane
        F32x4ExtractLane F32x4ReplaceLane F64x2ExtractLane F64x2ReplaceLane
    }
    load {
        I32Load => Load32; I64Load => Load64; F32Load => LoadF32; F64Load => LoadF64;
        I32Load8S => Load8S; I32Load8U => Load8U; I32Load16S => Load16S; I32Load16U => Load16U;
        I64Load8S => Load8S then I64FromI32S; I64Load8U => Load8U then I64FromI32U;
        I64Load16S => Load16S then I64FromI32S; I64Load16U => Load16U then I64FromI32U;
        I64Load32S => Load32 then I64FromI32S; I64Load32U => Load32 then I64FromI32U;
        V128Load => LoadV128;
        V128Load8x8S => Load8x8S; V128Load8x8U => Load8x8U;
        V128Load16x4S => Load16x4S; V128Load16x4U => Load16x4U;
        V128Load32x2S => Load32x2S; V128Load32x2U => Load32x2U;
        V128Load8Splat => Load8Splat; V128Load16Splat => Load16Splat;
        V128Load32Splat => Load32Splat; V128Load64Splat => Load64Splat;
        V128Load32Zero => Load32Zero; V128Load64Zero => Load64Zero;
    }
    store {
        I32Store => Store32; I64Store => Store64; F32Store => StoreF32; F64Store => StoreF64;
        I32Store8 => Store8; I32Store16 => Store16;
        I64Store8 => Store8 after I32FromI64; I64Store16 => Store16 after I32FromI64;
        I64Store32 => Store32 after I32FromI64;
        V128Store => StoreV128;
    }
    memory_lane {
        V128Load8Lane => Load8Lane V128Load16Lane => Load16Lane V128Load32Lane => Load32Lane V128Load64Lane => Load64Lane
        V128Store8Lane => Store8Lane V128Store16Lane => Store16Lane
        V128Store32Lane => Store32Lane V128Store64Lane => Store64Lane
    }
}

impl Translator<'_, '_, '_> {
    /// Translates an operator that control reaches.
    pub(super) fn live_operator(&mut self, operator: &Operator<'_>) -> Result {
        if self.variable_operator(operator)? {
            return Ok(());
        }
        if let Some(meaning) = meaning(operator) {
            return self.compute_by(meaning);
        }
        let done = self.small_operator(operator)?
            || self.control_operator(operator)?
            || self.exception_operator(operator)?
            || self.call_operator(operator)?
            || self.memory_operator(operator)?
            || self.table_operator(operator)?
            || self.vector_operator(operator)?
            || self.object_operator(operator)?;
        if done { Ok(()) } else { Err(self.internal("an operator of a feature that is left out")) }
    }

    fn compute_by(&mut self, meaning: Meaning) -> Result {
        match meaning {
            Meaning::Plain(op) => self.apply(op, Immediate::default()),
            Meaning::Lane(op, lane) => self.apply(op, Immediate { lane, ..Immediate::default() }),
            Meaning::Load(op, memarg, widen) => {
                let immediate = self.place(&memarg, 0, 0)?;
                self.apply(op, immediate)?;
                widen.map_or(Ok(()), |widen| self.apply(widen, Immediate::default()))
            }
            Meaning::Store(op, memarg, narrow) => {
                narrow.map_or(Ok(()), |narrow| self.apply(narrow, Immediate::default()))?;
                let immediate = self.place(&memarg, 0, 1)?;
                self.apply(op, immediate)
            }
            Meaning::MemoryLane(op, memarg, lane) => {
                let immediate = self.place(&memarg, lane, 1)?;
                self.apply(op, immediate)
            }
        }
    }

    /// Applies one of the IL's operators to the topmost values.
    pub(super) fn apply(&mut self, op: Op, immediate: Immediate) -> Result {
        let info = op.info();
        let instr = Instr::Op(op, immediate);
        match info.result {
            Some(ty) => {
                let effect = if info.traps.is_empty() { Effect::Pure } else { Effect::Reads };
                self.tree(instr, info.params.len(), ty, effect)
            }
            None => self.statement(instr, info.params.len()),
        }
    }

    /// A statement that takes the topmost values and leaves none.
    pub(super) fn statement(&mut self, instr: Instr<'_>, count: usize) -> Result {
        self.settle();
        self.begin(count, super::stack::Keep::ALL)?;
        self.emit(instr);
        self.restore();
        Ok(())
    }

    /// Operators that the IL writes with several.
    fn small_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        let plain = Immediate::default();
        match operator {
            Operator::I32Eqz => {
                if self.top()?.ty == Type::Bool {
                    self.emit_op(Op::BoolNot);
                    self.retype(Type::Bool);
                } else {
                    self.push_leaf(Leaf::I32(0), Type::I32);
                    self.apply(Op::I32Eq, plain)?;
                }
            }
            Operator::I64Eqz => {
                self.push_leaf(Leaf::I64(0), Type::I64);
                self.apply(Op::I64Eq, plain)?;
            }
            Operator::I32Extend8S => self.extend_i32(24)?,
            Operator::I32Extend16S => self.extend_i32(16)?,
            Operator::I64Extend8S => self.extend_i64(56)?,
            Operator::I64Extend16S => self.extend_i64(48)?,
            Operator::I64Extend32S => {
                self.apply(Op::I32FromI64, plain)?;
                self.apply(Op::I64FromI32S, plain)?;
            }
            Operator::I32Const { value } => self.push_leaf(Leaf::I32(*value), Type::I32),
            Operator::I64Const { value } => self.push_leaf(Leaf::I64(*value), Type::I64),
            Operator::F32Const { value } => self.push_leaf(Leaf::F32(value.bits()), Type::F32),
            Operator::F64Const { value } => self.push_leaf(Leaf::F64(value.bits()), Type::F64),
            Operator::Drop => self.drop_top()?,
            Operator::Select => {
                let ty = self.entry(2)?.ty;
                self.select(ty)?;
            }
            Operator::TypedSelect { ty } => {
                let ty = self.value_type(*ty);
                self.condition()?;
                self.fit_all(1, &[ty, ty])?;
                self.select(ty)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn extend_i32(&mut self, bits: i32) -> Result {
        for op in [Op::I32Shl, Op::I32ShrS] {
            self.push_leaf(Leaf::I32(bits), Type::I32);
            self.apply(op, Immediate::default())?;
        }
        Ok(())
    }

    fn extend_i64(&mut self, bits: i64) -> Result {
        for op in [Op::I64Shl, Op::I64ShrS] {
            self.push_leaf(Leaf::I64(bits), Type::I64);
            self.apply(op, Immediate::default())?;
        }
        Ok(())
    }

    fn select(&mut self, ty: Type) -> Result {
        self.condition()?;
        self.reach(3)?;
        self.emit(Instr::Select(ty));
        self.merge(3, ty, Effect::Pure)
    }

    /// What has no effect need not be computed.
    fn drop_top(&mut self) -> Result {
        let top = self.top()?;
        if top.effect == Effect::Pure {
            self.entries.pop();
            self.code.bytes.truncate(top.start);
            return Ok(());
        }
        self.settle();
        self.begin(1, super::stack::Keep::ALL)?;
        self.code.set(&[None]);
        self.restore();
        Ok(())
    }
}
