//! The table of operators: one line an operator, everything else derived from it.
//!
//! An operator pops its operands, pushes at most one result and has no control flow. Binary code,
//! text form, verifier rule, disassembly and reference page come from this table; only the
//! lowering (`compiler`) and the interpreter give each its meaning by hand.

mod meaning;

use crate::trap::TrapKind;
use crate::types::{MemoryId, Type};

/// How an operator is written in text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `a + b`
    Infix,
    /// `-a`
    Prefix,
    /// `name(a, b)`
    Call,
    /// `name(address)`, `name(address, offset: N)`; carries a constant byte offset (u32)
    Memory,
    /// `a[i]`
    Index,
    /// `a[i] = v`
    IndexSet,
    /// `SHAPE.name(a, 3)`: the last argument is a lane, a constant below the number in the table
    Lane(u8),
    /// `name(address, v, 3)`, `name(address, v, 3, offset: N)`: a memory access of one lane
    MemoryLane(u8),
}

/// What stands in the instruction itself: 0 where the form has no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Immediate {
    /// Constant byte offset of a memory access.
    pub offset: u32,
    /// Lane.
    pub lane: u8,
    /// The memory that is accessed.
    pub memory: MemoryId,
    /// `memory_copy`: the memory that is read.
    pub from: MemoryId,
}

impl Form {
    /// Whether a constant offset is encoded.
    pub const fn has_offset(self) -> bool {
        matches!(self, Form::Memory | Form::MemoryLane(_))
    }

    /// How many lanes there are, if a lane is encoded.
    pub const fn lanes(self) -> Option<u8> {
        match self {
            Form::Lane(lanes) | Form::MemoryLane(lanes) => Some(lanes),
            Form::Infix | Form::Prefix | Form::Call | Form::Memory | Form::Index | Form::IndexSet => None,
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// The operator.
    pub op: Op,
    /// Its Rust name, e.g. `I32Add`.
    pub name: &'static str,
    /// How it is written.
    pub form: Form,
    /// Its symbol or name in text; overloaded by operand types.
    pub text: &'static str,
    /// Operand types, first pushed first.
    pub params: &'static [Type],
    /// Result type; none stands only at a statement's root.
    pub result: Option<Type>,
    /// Traps that it can raise by itself.
    pub traps: &'static [TrapKind],
}

macro_rules! operators {
    ($($code:literal $name:ident $form:ident $([$lanes:literal])? $text:literal ($($param:ident),*) $(-> $result:ident)? $(! $($trap:ident),+)?;)*) => {
        /// An operator; the discriminant is its binary code.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u16)]
        #[allow(missing_docs)] // each is documented by its line of the table
        pub enum Op { $($name = $code,)* }

        impl Op {
            /// The whole table, by ascending code.
            pub const TABLE: &[OpInfo] = &[$(OpInfo {
                op: Op::$name,
                name: stringify!($name),
                form: Form::$form $(($lanes))?,
                text: $text,
                params: &[$(Type::$param),*],
                result: operators!(@result $($result)?),
                traps: &[$($(TrapKind::$trap),+)?],
            },)*];
            /// The operator with this binary code.
            pub const fn from_code(code: u16) -> Option<Op> {
                match code { $($code => Some(Op::$name),)* _ => None }
            }
        }
    };
    (@result) => { None };
    (@result $result:ident) => { Some(Type::$result) };
}

operators! {
    0x30 I32Add Infix "+" (I32, I32) -> I32;
    0x31 I32Sub Infix "-" (I32, I32) -> I32;
    0x32 I32Mul Infix "*" (I32, I32) -> I32;
    0x33 I32DivS Infix "/" (I32, I32) -> I32 ! DivisionByZero, IntegerOverflow;
    0x34 I32RemS Infix "%" (I32, I32) -> I32 ! DivisionByZero;
    0x35 I32DivU Call "div_u" (I32, I32) -> I32 ! DivisionByZero;
    0x36 I32RemU Call "rem_u" (I32, I32) -> I32 ! DivisionByZero;
    0x37 I32And Infix "&" (I32, I32) -> I32;
    0x38 I32Or Infix "|" (I32, I32) -> I32;
    0x39 I32Xor Infix "^" (I32, I32) -> I32;
    0x3a I32Shl Infix "<<" (I32, I32) -> I32;
    0x3b I32ShrS Infix ">>" (I32, I32) -> I32;
    0x3c I32ShrU Call "shr_u" (I32, I32) -> I32;
    0x3d I32Rotl Call "rotl" (I32, I32) -> I32;
    0x3e I32Rotr Call "rotr" (I32, I32) -> I32;
    0x3f I32Min Call "min" (I32, I32) -> I32;
    0x40 I32Max Call "max" (I32, I32) -> I32;
    0x41 I32Eq Infix "==" (I32, I32) -> Bool;
    0x42 I32Ne Infix "!=" (I32, I32) -> Bool;
    0x43 I32LtS Infix "<" (I32, I32) -> Bool;
    0x44 I32GtS Infix ">" (I32, I32) -> Bool;
    0x45 I32LeS Infix "<=" (I32, I32) -> Bool;
    0x46 I32GeS Infix ">=" (I32, I32) -> Bool;
    0x47 I32LtU Call "lt_u" (I32, I32) -> Bool;
    0x48 I32GtU Call "gt_u" (I32, I32) -> Bool;
    0x49 I32LeU Call "le_u" (I32, I32) -> Bool;
    0x4a I32GeU Call "ge_u" (I32, I32) -> Bool;
    0x4b I32Neg Prefix "-" (I32) -> I32;
    0x4c I32Not Prefix "~" (I32) -> I32;
    0x4d I32Clz Call "clz" (I32) -> I32;
    0x4e I32Ctz Call "ctz" (I32) -> I32;
    0x4f I32Popcnt Call "popcnt" (I32) -> I32;
    0x50 I32Abs Call "abs" (I32) -> I32;
    0x51 I64Add Infix "+" (I64, I64) -> I64;
    0x52 I64Sub Infix "-" (I64, I64) -> I64;
    0x53 I64Mul Infix "*" (I64, I64) -> I64;
    0x54 I64DivS Infix "/" (I64, I64) -> I64 ! DivisionByZero, IntegerOverflow;
    0x55 I64RemS Infix "%" (I64, I64) -> I64 ! DivisionByZero;
    0x56 I64DivU Call "div_u" (I64, I64) -> I64 ! DivisionByZero;
    0x57 I64RemU Call "rem_u" (I64, I64) -> I64 ! DivisionByZero;
    0x58 I64And Infix "&" (I64, I64) -> I64;
    0x59 I64Or Infix "|" (I64, I64) -> I64;
    0x5a I64Xor Infix "^" (I64, I64) -> I64;
    0x5b I64Shl Infix "<<" (I64, I64) -> I64;
    0x5c I64ShrS Infix ">>" (I64, I64) -> I64;
    0x5d I64ShrU Call "shr_u" (I64, I64) -> I64;
    0x5e I64Rotl Call "rotl" (I64, I64) -> I64;
    0x5f I64Rotr Call "rotr" (I64, I64) -> I64;
    0x60 I64Min Call "min" (I64, I64) -> I64;
    0x61 I64Max Call "max" (I64, I64) -> I64;
    0x62 I64Eq Infix "==" (I64, I64) -> Bool;
    0x63 I64Ne Infix "!=" (I64, I64) -> Bool;
    0x64 I64LtS Infix "<" (I64, I64) -> Bool;
    0x65 I64GtS Infix ">" (I64, I64) -> Bool;
    0x66 I64LeS Infix "<=" (I64, I64) -> Bool;
    0x67 I64GeS Infix ">=" (I64, I64) -> Bool;
    0x68 I64LtU Call "lt_u" (I64, I64) -> Bool;
    0x69 I64GtU Call "gt_u" (I64, I64) -> Bool;
    0x6a I64LeU Call "le_u" (I64, I64) -> Bool;
    0x6b I64GeU Call "ge_u" (I64, I64) -> Bool;
    0x6c I64Neg Prefix "-" (I64) -> I64;
    0x6d I64Not Prefix "~" (I64) -> I64;
    0x6e I64Clz Call "clz" (I64) -> I64;
    0x6f I64Ctz Call "ctz" (I64) -> I64;
    0x70 I64Popcnt Call "popcnt" (I64) -> I64;
    0x71 I64Abs Call "abs" (I64) -> I64;
    0x72 F64Add Infix "+" (F64, F64) -> F64;
    0x73 F64Sub Infix "-" (F64, F64) -> F64;
    0x74 F64Mul Infix "*" (F64, F64) -> F64;
    0x75 F64Div Infix "/" (F64, F64) -> F64;
    0x76 F64Min Call "min" (F64, F64) -> F64;
    0x77 F64Max Call "max" (F64, F64) -> F64;
    0x78 F64Copysign Call "copysign" (F64, F64) -> F64;
    0x79 F64Eq Infix "==" (F64, F64) -> Bool;
    0x7a F64Ne Infix "!=" (F64, F64) -> Bool;
    0x7b F64Lt Infix "<" (F64, F64) -> Bool;
    0x7c F64Gt Infix ">" (F64, F64) -> Bool;
    0x7d F64Le Infix "<=" (F64, F64) -> Bool;
    0x7e F64Ge Infix ">=" (F64, F64) -> Bool;
    0x7f F64Neg Prefix "-" (F64) -> F64;
    0x80 F64Abs Call "abs" (F64) -> F64;
    0x81 F64Sqrt Call "sqrt" (F64) -> F64;
    0x82 F64Ceil Call "ceil" (F64) -> F64;
    0x83 F64Floor Call "floor" (F64) -> F64;
    0x84 F64Trunc Call "trunc" (F64) -> F64;
    0x85 F64Nearest Call "nearest" (F64) -> F64;
    0x86 BoolNot Prefix "!" (Bool) -> Bool;
    0x87 BoolEq Infix "==" (Bool, Bool) -> Bool;
    0x88 BoolNe Infix "!=" (Bool, Bool) -> Bool;
    0x89 BoolAnd Infix "&" (Bool, Bool) -> Bool;
    0x8a BoolOr Infix "|" (Bool, Bool) -> Bool;
    0x8b BoolXor Infix "^" (Bool, Bool) -> Bool;
    0x8c I32FromI64 Call "i32" (I64) -> I32;
    0x8d I32FromBool Call "i32" (Bool) -> I32;
    0x8e I64FromI32S Call "i64" (I32) -> I64;
    0x8f I64FromI32U Call "i64_u" (I32) -> I64;
    0x90 F64FromI32S Call "f64" (I32) -> F64;
    0x91 F64FromI32U Call "f64_u" (I32) -> F64;
    0x92 F64FromI64S Call "f64" (I64) -> F64;
    0x93 F64FromI64U Call "f64_u" (I64) -> F64;
    0x94 I32FromF64S Call "i32" (F64) -> I32 ! BadConversion;
    0x95 I32FromF64U Call "i32_u" (F64) -> I32 ! BadConversion;
    0x96 I32SatF64S Call "i32_sat" (F64) -> I32;
    0x97 I32SatF64U Call "i32_sat_u" (F64) -> I32;
    0x98 I64FromF64S Call "i64" (F64) -> I64 ! BadConversion;
    0x99 I64FromF64U Call "i64_u" (F64) -> I64 ! BadConversion;
    0x9a I64SatF64S Call "i64_sat" (F64) -> I64;
    0x9b I64SatF64U Call "i64_sat_u" (F64) -> I64;
    0x9c I64Bits Call "i64_bits" (F64) -> I64;
    0x9d F64Bits Call "f64_bits" (I64) -> F64;
    0x9e Load8S Memory "load8_s" (I32) -> I32 ! MemoryOutOfBounds;
    0x9f Load8U Memory "load8_u" (I32) -> I32 ! MemoryOutOfBounds;
    0xa0 Load16S Memory "load16_s" (I32) -> I32 ! MemoryOutOfBounds;
    0xa1 Load16U Memory "load16_u" (I32) -> I32 ! MemoryOutOfBounds;
    0xa2 Load32 Memory "load32" (I32) -> I32 ! MemoryOutOfBounds;
    0xa3 Load64 Memory "load64" (I32) -> I64 ! MemoryOutOfBounds;
    0xa4 LoadF64 Memory "load_f64" (I32) -> F64 ! MemoryOutOfBounds;
    0xa5 Store8 Memory "store8" (I32, I32) ! MemoryOutOfBounds;
    0xa6 Store16 Memory "store16" (I32, I32) ! MemoryOutOfBounds;
    0xa7 Store32 Memory "store32" (I32, I32) ! MemoryOutOfBounds;
    0xa8 Store64 Memory "store64" (I32, I64) ! MemoryOutOfBounds;
    0xa9 StoreF64 Memory "store_f64" (I32, F64) ! MemoryOutOfBounds;
    0xaa MemorySize Call "memory_size" () -> I32;
    0xab MemoryGrow Call "memory_grow" (I32) -> I32;
    0xac MemoryFill Call "memory_fill" (I32, I32, I32) ! MemoryOutOfBounds;
    0xad MemoryCopy Call "memory_copy" (I32, I32, I32) ! MemoryOutOfBounds;
    0xae BufNew Call "buf" (I32) -> Buf ! Quota;
    0xaf BufLen Call "len" (BufRef) -> I32;
    0xb0 BufGet Index "[]" (BufRef, I32) -> I32 ! IndexOutOfBounds;
    0xb1 BufSet IndexSet "[]=" (BufRef, I32, I32) ! IndexOutOfBounds;
    0xb2 BufLoad8S Call "load8_s" (BufRef, I32) -> I32 ! IndexOutOfBounds;
    0xb3 BufLoad8U Call "load8_u" (BufRef, I32) -> I32 ! IndexOutOfBounds;
    0xb4 BufLoad16S Call "load16_s" (BufRef, I32) -> I32 ! IndexOutOfBounds;
    0xb5 BufLoad16U Call "load16_u" (BufRef, I32) -> I32 ! IndexOutOfBounds;
    0xb6 BufLoad32 Call "load32" (BufRef, I32) -> I32 ! IndexOutOfBounds;
    0xb7 BufLoad64 Call "load64" (BufRef, I32) -> I64 ! IndexOutOfBounds;
    0xb8 BufLoadF64 Call "load_f64" (BufRef, I32) -> F64 ! IndexOutOfBounds;
    0xb9 BufStore8 Call "store8" (BufRef, I32, I32) ! IndexOutOfBounds;
    0xba BufStore16 Call "store16" (BufRef, I32, I32) ! IndexOutOfBounds;
    0xbb BufStore32 Call "store32" (BufRef, I32, I32) ! IndexOutOfBounds;
    0xbc BufStore64 Call "store64" (BufRef, I32, I64) ! IndexOutOfBounds;
    0xbd BufStoreF64 Call "store_f64" (BufRef, I32, F64) ! IndexOutOfBounds;
    0xbe BufCopy Call "copy" (BufRef, I32, BufRef, I32, I32) ! IndexOutOfBounds;
    0xbf StrLen Call "len" (Str) -> I32;
    0xc0 StrGet Index "[]" (Str, I32) -> I32 ! IndexOutOfBounds;
    0xc1 StrEq Infix "==" (Str, Str) -> Bool;
    0xc2 StrNe Infix "!=" (Str, Str) -> Bool;
    0xc3 StrConcat Call "concat" (Str, Str) -> Str ! Quota;
    0xc4 StrSlice Call "slice" (Str, I32, I32) -> Str ! IndexOutOfBounds, BadUtf8, Quota;
    0xc5 StrFromI32 Call "str" (I32) -> Str ! Quota;
    0xc6 StrFromI64 Call "str" (I64) -> Str ! Quota;
    0xc7 StrFromF64 Call "str" (F64) -> Str ! Quota;
    0xc8 StrFromBool Call "str" (Bool) -> Str ! Quota;
    0xc9 StrAt Call "str_at" (I32, I32) -> Str ! MemoryOutOfBounds, BadUtf8, Quota;
    0x100 F32Add Infix "+" (F32, F32) -> F32;
    0x101 F32Sub Infix "-" (F32, F32) -> F32;
    0x102 F32Mul Infix "*" (F32, F32) -> F32;
    0x103 F32Div Infix "/" (F32, F32) -> F32;
    0x104 F32Min Call "min" (F32, F32) -> F32;
    0x105 F32Max Call "max" (F32, F32) -> F32;
    0x106 F32Copysign Call "copysign" (F32, F32) -> F32;
    0x107 F32Eq Infix "==" (F32, F32) -> Bool;
    0x108 F32Ne Infix "!=" (F32, F32) -> Bool;
    0x109 F32Lt Infix "<" (F32, F32) -> Bool;
    0x10a F32Gt Infix ">" (F32, F32) -> Bool;
    0x10b F32Le Infix "<=" (F32, F32) -> Bool;
    0x10c F32Ge Infix ">=" (F32, F32) -> Bool;
    0x10d F32Neg Prefix "-" (F32) -> F32;
    0x10e F32Abs Call "abs" (F32) -> F32;
    0x10f F32Sqrt Call "sqrt" (F32) -> F32;
    0x110 F32Ceil Call "ceil" (F32) -> F32;
    0x111 F32Floor Call "floor" (F32) -> F32;
    0x112 F32Trunc Call "trunc" (F32) -> F32;
    0x113 F32Nearest Call "nearest" (F32) -> F32;
    0x114 F32FromI32S Call "f32" (I32) -> F32;
    0x115 F32FromI32U Call "f32_u" (I32) -> F32;
    0x116 F32FromI64S Call "f32" (I64) -> F32;
    0x117 F32FromI64U Call "f32_u" (I64) -> F32;
    0x118 F32FromF64 Call "f32" (F64) -> F32;
    0x119 F64FromF32 Call "f64" (F32) -> F64;
    0x11a I32FromF32S Call "i32" (F32) -> I32 ! BadConversion;
    0x11b I32FromF32U Call "i32_u" (F32) -> I32 ! BadConversion;
    0x11c I32SatF32S Call "i32_sat" (F32) -> I32;
    0x11d I32SatF32U Call "i32_sat_u" (F32) -> I32;
    0x11e I64FromF32S Call "i64" (F32) -> I64 ! BadConversion;
    0x11f I64FromF32U Call "i64_u" (F32) -> I64 ! BadConversion;
    0x120 I64SatF32S Call "i64_sat" (F32) -> I64;
    0x121 I64SatF32U Call "i64_sat_u" (F32) -> I64;
    0x122 I32Bits Call "i32_bits" (F32) -> I32;
    0x123 F32Bits Call "f32_bits" (I32) -> F32;
    0x124 LoadF32 Memory "load_f32" (I32) -> F32 ! MemoryOutOfBounds;
    0x125 StoreF32 Memory "store_f32" (I32, F32) ! MemoryOutOfBounds;
    0x126 BufLoadF32 Call "load_f32" (BufRef, I32) -> F32 ! IndexOutOfBounds;
    0x127 BufStoreF32 Call "store_f32" (BufRef, I32, F32) ! IndexOutOfBounds;
    0x128 StrFromF32 Call "str" (F32) -> Str ! Quota;
    0x129 LoadV128 Memory "load_v128" (I32) -> V128 ! MemoryOutOfBounds;
    0x12a StoreV128 Memory "store_v128" (I32, V128) ! MemoryOutOfBounds;
    0x12b BufLoadV128 Call "load_v128" (BufRef, I32) -> V128 ! IndexOutOfBounds;
    0x12c BufStoreV128 Call "store_v128" (BufRef, I32, V128) ! IndexOutOfBounds;
    0x12d Load8x8S Memory "load8x8_s" (I32) -> V128 ! MemoryOutOfBounds;
    0x12e Load8x8U Memory "load8x8_u" (I32) -> V128 ! MemoryOutOfBounds;
    0x12f Load16x4S Memory "load16x4_s" (I32) -> V128 ! MemoryOutOfBounds;
    0x130 Load16x4U Memory "load16x4_u" (I32) -> V128 ! MemoryOutOfBounds;
    0x131 Load32x2S Memory "load32x2_s" (I32) -> V128 ! MemoryOutOfBounds;
    0x132 Load32x2U Memory "load32x2_u" (I32) -> V128 ! MemoryOutOfBounds;
    0x133 Load8Splat Memory "load8_splat" (I32) -> V128 ! MemoryOutOfBounds;
    0x134 Load16Splat Memory "load16_splat" (I32) -> V128 ! MemoryOutOfBounds;
    0x135 Load32Splat Memory "load32_splat" (I32) -> V128 ! MemoryOutOfBounds;
    0x136 Load64Splat Memory "load64_splat" (I32) -> V128 ! MemoryOutOfBounds;
    0x137 Load32Zero Memory "load32_zero" (I32) -> V128 ! MemoryOutOfBounds;
    0x138 Load64Zero Memory "load64_zero" (I32) -> V128 ! MemoryOutOfBounds;
    0x139 Load8Lane MemoryLane [16] "load8_lane" (I32, V128) -> V128 ! MemoryOutOfBounds;
    0x13a Load16Lane MemoryLane [8] "load16_lane" (I32, V128) -> V128 ! MemoryOutOfBounds;
    0x13b Load32Lane MemoryLane [4] "load32_lane" (I32, V128) -> V128 ! MemoryOutOfBounds;
    0x13c Load64Lane MemoryLane [2] "load64_lane" (I32, V128) -> V128 ! MemoryOutOfBounds;
    0x13d Store8Lane MemoryLane [16] "store8_lane" (I32, V128) ! MemoryOutOfBounds;
    0x13e Store16Lane MemoryLane [8] "store16_lane" (I32, V128) ! MemoryOutOfBounds;
    0x13f Store32Lane MemoryLane [4] "store32_lane" (I32, V128) ! MemoryOutOfBounds;
    0x140 Store64Lane MemoryLane [2] "store64_lane" (I32, V128) ! MemoryOutOfBounds;
    0x141 V128FromI64s Call "v128" (I64, I64) -> V128;
    0x142 I8x16Splat Call "i8x16.splat" (I32) -> V128;
    0x143 I16x8Splat Call "i16x8.splat" (I32) -> V128;
    0x144 I32x4Splat Call "i32x4.splat" (I32) -> V128;
    0x145 I64x2Splat Call "i64x2.splat" (I64) -> V128;
    0x146 F32x4Splat Call "f32x4.splat" (F32) -> V128;
    0x147 F64x2Splat Call "f64x2.splat" (F64) -> V128;
    0x148 I8x16ExtractLaneS Lane [16] "i8x16.extract_lane_s" (V128) -> I32;
    0x149 I8x16ExtractLaneU Lane [16] "i8x16.extract_lane_u" (V128) -> I32;
    0x14a I16x8ExtractLaneS Lane [8] "i16x8.extract_lane_s" (V128) -> I32;
    0x14b I16x8ExtractLaneU Lane [8] "i16x8.extract_lane_u" (V128) -> I32;
    0x14c I32x4ExtractLane Lane [4] "i32x4.extract_lane" (V128) -> I32;
    0x14d I64x2ExtractLane Lane [2] "i64x2.extract_lane" (V128) -> I64;
    0x14e F32x4ExtractLane Lane [4] "f32x4.extract_lane" (V128) -> F32;
    0x14f F64x2ExtractLane Lane [2] "f64x2.extract_lane" (V128) -> F64;
    0x150 I8x16ReplaceLane Lane [16] "i8x16.replace_lane" (V128, I32) -> V128;
    0x151 I16x8ReplaceLane Lane [8] "i16x8.replace_lane" (V128, I32) -> V128;
    0x152 I32x4ReplaceLane Lane [4] "i32x4.replace_lane" (V128, I32) -> V128;
    0x153 I64x2ReplaceLane Lane [2] "i64x2.replace_lane" (V128, I64) -> V128;
    0x154 F32x4ReplaceLane Lane [4] "f32x4.replace_lane" (V128, F32) -> V128;
    0x155 F64x2ReplaceLane Lane [2] "f64x2.replace_lane" (V128, F64) -> V128;
    0x156 I8x16Swizzle Call "i8x16.swizzle" (V128, V128) -> V128;
    0x157 I8x16Eq Call "i8x16.eq" (V128, V128) -> V128;
    0x158 I8x16Ne Call "i8x16.ne" (V128, V128) -> V128;
    0x159 I8x16LtS Call "i8x16.lt_s" (V128, V128) -> V128;
    0x15a I8x16LtU Call "i8x16.lt_u" (V128, V128) -> V128;
    0x15b I8x16GtS Call "i8x16.gt_s" (V128, V128) -> V128;
    0x15c I8x16GtU Call "i8x16.gt_u" (V128, V128) -> V128;
    0x15d I8x16LeS Call "i8x16.le_s" (V128, V128) -> V128;
    0x15e I8x16LeU Call "i8x16.le_u" (V128, V128) -> V128;
    0x15f I8x16GeS Call "i8x16.ge_s" (V128, V128) -> V128;
    0x160 I8x16GeU Call "i8x16.ge_u" (V128, V128) -> V128;
    0x161 I16x8Eq Call "i16x8.eq" (V128, V128) -> V128;
    0x162 I16x8Ne Call "i16x8.ne" (V128, V128) -> V128;
    0x163 I16x8LtS Call "i16x8.lt_s" (V128, V128) -> V128;
    0x164 I16x8LtU Call "i16x8.lt_u" (V128, V128) -> V128;
    0x165 I16x8GtS Call "i16x8.gt_s" (V128, V128) -> V128;
    0x166 I16x8GtU Call "i16x8.gt_u" (V128, V128) -> V128;
    0x167 I16x8LeS Call "i16x8.le_s" (V128, V128) -> V128;
    0x168 I16x8LeU Call "i16x8.le_u" (V128, V128) -> V128;
    0x169 I16x8GeS Call "i16x8.ge_s" (V128, V128) -> V128;
    0x16a I16x8GeU Call "i16x8.ge_u" (V128, V128) -> V128;
    0x16b I32x4Eq Call "i32x4.eq" (V128, V128) -> V128;
    0x16c I32x4Ne Call "i32x4.ne" (V128, V128) -> V128;
    0x16d I32x4LtS Call "i32x4.lt_s" (V128, V128) -> V128;
    0x16e I32x4LtU Call "i32x4.lt_u" (V128, V128) -> V128;
    0x16f I32x4GtS Call "i32x4.gt_s" (V128, V128) -> V128;
    0x170 I32x4GtU Call "i32x4.gt_u" (V128, V128) -> V128;
    0x171 I32x4LeS Call "i32x4.le_s" (V128, V128) -> V128;
    0x172 I32x4LeU Call "i32x4.le_u" (V128, V128) -> V128;
    0x173 I32x4GeS Call "i32x4.ge_s" (V128, V128) -> V128;
    0x174 I32x4GeU Call "i32x4.ge_u" (V128, V128) -> V128;
    0x175 I64x2Eq Call "i64x2.eq" (V128, V128) -> V128;
    0x176 I64x2Ne Call "i64x2.ne" (V128, V128) -> V128;
    0x177 I64x2LtS Call "i64x2.lt_s" (V128, V128) -> V128;
    0x178 I64x2GtS Call "i64x2.gt_s" (V128, V128) -> V128;
    0x179 I64x2LeS Call "i64x2.le_s" (V128, V128) -> V128;
    0x17a I64x2GeS Call "i64x2.ge_s" (V128, V128) -> V128;
    0x17b F32x4Eq Call "f32x4.eq" (V128, V128) -> V128;
    0x17c F32x4Ne Call "f32x4.ne" (V128, V128) -> V128;
    0x17d F32x4Lt Call "f32x4.lt" (V128, V128) -> V128;
    0x17e F32x4Gt Call "f32x4.gt" (V128, V128) -> V128;
    0x17f F32x4Le Call "f32x4.le" (V128, V128) -> V128;
    0x180 F32x4Ge Call "f32x4.ge" (V128, V128) -> V128;
    0x181 F64x2Eq Call "f64x2.eq" (V128, V128) -> V128;
    0x182 F64x2Ne Call "f64x2.ne" (V128, V128) -> V128;
    0x183 F64x2Lt Call "f64x2.lt" (V128, V128) -> V128;
    0x184 F64x2Gt Call "f64x2.gt" (V128, V128) -> V128;
    0x185 F64x2Le Call "f64x2.le" (V128, V128) -> V128;
    0x186 F64x2Ge Call "f64x2.ge" (V128, V128) -> V128;
    0x187 V128Not Call "v128.not" (V128) -> V128;
    0x188 V128And Call "v128.and" (V128, V128) -> V128;
    0x189 V128Andnot Call "v128.andnot" (V128, V128) -> V128;
    0x18a V128Or Call "v128.or" (V128, V128) -> V128;
    0x18b V128Xor Call "v128.xor" (V128, V128) -> V128;
    0x18c V128Bitselect Call "v128.bitselect" (V128, V128, V128) -> V128;
    0x18d V128AnyTrue Call "v128.any_true" (V128) -> Bool;
    0x18e I8x16Abs Call "i8x16.abs" (V128) -> V128;
    0x18f I8x16Neg Call "i8x16.neg" (V128) -> V128;
    0x190 I8x16AllTrue Call "i8x16.all_true" (V128) -> Bool;
    0x191 I8x16Bitmask Call "i8x16.bitmask" (V128) -> I32;
    0x192 I8x16Shl Call "i8x16.shl" (V128, I32) -> V128;
    0x193 I8x16ShrS Call "i8x16.shr_s" (V128, I32) -> V128;
    0x194 I8x16ShrU Call "i8x16.shr_u" (V128, I32) -> V128;
    0x195 I8x16Add Call "i8x16.add" (V128, V128) -> V128;
    0x196 I8x16Sub Call "i8x16.sub" (V128, V128) -> V128;
    0x197 I8x16MinS Call "i8x16.min_s" (V128, V128) -> V128;
    0x198 I8x16MinU Call "i8x16.min_u" (V128, V128) -> V128;
    0x199 I8x16MaxS Call "i8x16.max_s" (V128, V128) -> V128;
    0x19a I8x16MaxU Call "i8x16.max_u" (V128, V128) -> V128;
    0x19b I8x16AddSatS Call "i8x16.add_sat_s" (V128, V128) -> V128;
    0x19c I8x16AddSatU Call "i8x16.add_sat_u" (V128, V128) -> V128;
    0x19d I8x16SubSatS Call "i8x16.sub_sat_s" (V128, V128) -> V128;
    0x19e I8x16SubSatU Call "i8x16.sub_sat_u" (V128, V128) -> V128;
    0x19f I8x16AvgrU Call "i8x16.avgr_u" (V128, V128) -> V128;
    0x1a0 I16x8Abs Call "i16x8.abs" (V128) -> V128;
    0x1a1 I16x8Neg Call "i16x8.neg" (V128) -> V128;
    0x1a2 I16x8AllTrue Call "i16x8.all_true" (V128) -> Bool;
    0x1a3 I16x8Bitmask Call "i16x8.bitmask" (V128) -> I32;
    0x1a4 I16x8Shl Call "i16x8.shl" (V128, I32) -> V128;
    0x1a5 I16x8ShrS Call "i16x8.shr_s" (V128, I32) -> V128;
    0x1a6 I16x8ShrU Call "i16x8.shr_u" (V128, I32) -> V128;
    0x1a7 I16x8Add Call "i16x8.add" (V128, V128) -> V128;
    0x1a8 I16x8Sub Call "i16x8.sub" (V128, V128) -> V128;
    0x1a9 I16x8Mul Call "i16x8.mul" (V128, V128) -> V128;
    0x1aa I16x8MinS Call "i16x8.min_s" (V128, V128) -> V128;
    0x1ab I16x8MinU Call "i16x8.min_u" (V128, V128) -> V128;
    0x1ac I16x8MaxS Call "i16x8.max_s" (V128, V128) -> V128;
    0x1ad I16x8MaxU Call "i16x8.max_u" (V128, V128) -> V128;
    0x1ae I16x8AddSatS Call "i16x8.add_sat_s" (V128, V128) -> V128;
    0x1af I16x8AddSatU Call "i16x8.add_sat_u" (V128, V128) -> V128;
    0x1b0 I16x8SubSatS Call "i16x8.sub_sat_s" (V128, V128) -> V128;
    0x1b1 I16x8SubSatU Call "i16x8.sub_sat_u" (V128, V128) -> V128;
    0x1b2 I16x8AvgrU Call "i16x8.avgr_u" (V128, V128) -> V128;
    0x1b3 I32x4Abs Call "i32x4.abs" (V128) -> V128;
    0x1b4 I32x4Neg Call "i32x4.neg" (V128) -> V128;
    0x1b5 I32x4AllTrue Call "i32x4.all_true" (V128) -> Bool;
    0x1b6 I32x4Bitmask Call "i32x4.bitmask" (V128) -> I32;
    0x1b7 I32x4Shl Call "i32x4.shl" (V128, I32) -> V128;
    0x1b8 I32x4ShrS Call "i32x4.shr_s" (V128, I32) -> V128;
    0x1b9 I32x4ShrU Call "i32x4.shr_u" (V128, I32) -> V128;
    0x1ba I32x4Add Call "i32x4.add" (V128, V128) -> V128;
    0x1bb I32x4Sub Call "i32x4.sub" (V128, V128) -> V128;
    0x1bc I32x4Mul Call "i32x4.mul" (V128, V128) -> V128;
    0x1bd I32x4MinS Call "i32x4.min_s" (V128, V128) -> V128;
    0x1be I32x4MinU Call "i32x4.min_u" (V128, V128) -> V128;
    0x1bf I32x4MaxS Call "i32x4.max_s" (V128, V128) -> V128;
    0x1c0 I32x4MaxU Call "i32x4.max_u" (V128, V128) -> V128;
    0x1c1 I64x2Abs Call "i64x2.abs" (V128) -> V128;
    0x1c2 I64x2Neg Call "i64x2.neg" (V128) -> V128;
    0x1c3 I64x2AllTrue Call "i64x2.all_true" (V128) -> Bool;
    0x1c4 I64x2Bitmask Call "i64x2.bitmask" (V128) -> I32;
    0x1c5 I64x2Shl Call "i64x2.shl" (V128, I32) -> V128;
    0x1c6 I64x2ShrS Call "i64x2.shr_s" (V128, I32) -> V128;
    0x1c7 I64x2ShrU Call "i64x2.shr_u" (V128, I32) -> V128;
    0x1c8 I64x2Add Call "i64x2.add" (V128, V128) -> V128;
    0x1c9 I64x2Sub Call "i64x2.sub" (V128, V128) -> V128;
    0x1ca I64x2Mul Call "i64x2.mul" (V128, V128) -> V128;
    0x1cb I8x16Popcnt Call "i8x16.popcnt" (V128) -> V128;
    0x1cc I16x8Q15mulrSatS Call "i16x8.q15mulr_sat_s" (V128, V128) -> V128;
    0x1cd I32x4DotI16x8S Call "i32x4.dot_i16x8_s" (V128, V128) -> V128;
    0x1ce I8x16NarrowI16x8S Call "i8x16.narrow_i16x8_s" (V128, V128) -> V128;
    0x1cf I8x16NarrowI16x8U Call "i8x16.narrow_i16x8_u" (V128, V128) -> V128;
    0x1d0 I16x8NarrowI32x4S Call "i16x8.narrow_i32x4_s" (V128, V128) -> V128;
    0x1d1 I16x8NarrowI32x4U Call "i16x8.narrow_i32x4_u" (V128, V128) -> V128;
    0x1d2 I16x8ExtaddPairwiseI8x16S Call "i16x8.extadd_pairwise_i8x16_s" (V128) -> V128;
    0x1d3 I16x8ExtaddPairwiseI8x16U Call "i16x8.extadd_pairwise_i8x16_u" (V128) -> V128;
    0x1d4 I32x4ExtaddPairwiseI16x8S Call "i32x4.extadd_pairwise_i16x8_s" (V128) -> V128;
    0x1d5 I32x4ExtaddPairwiseI16x8U Call "i32x4.extadd_pairwise_i16x8_u" (V128) -> V128;
    0x1d6 I16x8ExtendLowI8x16S Call "i16x8.extend_low_i8x16_s" (V128) -> V128;
    0x1d7 I16x8ExtendLowI8x16U Call "i16x8.extend_low_i8x16_u" (V128) -> V128;
    0x1d8 I16x8ExtendHighI8x16S Call "i16x8.extend_high_i8x16_s" (V128) -> V128;
    0x1d9 I16x8ExtendHighI8x16U Call "i16x8.extend_high_i8x16_u" (V128) -> V128;
    0x1da I16x8ExtmulLowI8x16S Call "i16x8.extmul_low_i8x16_s" (V128, V128) -> V128;
    0x1db I16x8ExtmulLowI8x16U Call "i16x8.extmul_low_i8x16_u" (V128, V128) -> V128;
    0x1dc I16x8ExtmulHighI8x16S Call "i16x8.extmul_high_i8x16_s" (V128, V128) -> V128;
    0x1dd I16x8ExtmulHighI8x16U Call "i16x8.extmul_high_i8x16_u" (V128, V128) -> V128;
    0x1de I32x4ExtendLowI16x8S Call "i32x4.extend_low_i16x8_s" (V128) -> V128;
    0x1df I32x4ExtendLowI16x8U Call "i32x4.extend_low_i16x8_u" (V128) -> V128;
    0x1e0 I32x4ExtendHighI16x8S Call "i32x4.extend_high_i16x8_s" (V128) -> V128;
    0x1e1 I32x4ExtendHighI16x8U Call "i32x4.extend_high_i16x8_u" (V128) -> V128;
    0x1e2 I32x4ExtmulLowI16x8S Call "i32x4.extmul_low_i16x8_s" (V128, V128) -> V128;
    0x1e3 I32x4ExtmulLowI16x8U Call "i32x4.extmul_low_i16x8_u" (V128, V128) -> V128;
    0x1e4 I32x4ExtmulHighI16x8S Call "i32x4.extmul_high_i16x8_s" (V128, V128) -> V128;
    0x1e5 I32x4ExtmulHighI16x8U Call "i32x4.extmul_high_i16x8_u" (V128, V128) -> V128;
    0x1e6 I64x2ExtendLowI32x4S Call "i64x2.extend_low_i32x4_s" (V128) -> V128;
    0x1e7 I64x2ExtendLowI32x4U Call "i64x2.extend_low_i32x4_u" (V128) -> V128;
    0x1e8 I64x2ExtendHighI32x4S Call "i64x2.extend_high_i32x4_s" (V128) -> V128;
    0x1e9 I64x2ExtendHighI32x4U Call "i64x2.extend_high_i32x4_u" (V128) -> V128;
    0x1ea I64x2ExtmulLowI32x4S Call "i64x2.extmul_low_i32x4_s" (V128, V128) -> V128;
    0x1eb I64x2ExtmulLowI32x4U Call "i64x2.extmul_low_i32x4_u" (V128, V128) -> V128;
    0x1ec I64x2ExtmulHighI32x4S Call "i64x2.extmul_high_i32x4_s" (V128, V128) -> V128;
    0x1ed I64x2ExtmulHighI32x4U Call "i64x2.extmul_high_i32x4_u" (V128, V128) -> V128;
    0x1ee F32x4Abs Call "f32x4.abs" (V128) -> V128;
    0x1ef F32x4Neg Call "f32x4.neg" (V128) -> V128;
    0x1f0 F32x4Sqrt Call "f32x4.sqrt" (V128) -> V128;
    0x1f1 F32x4Ceil Call "f32x4.ceil" (V128) -> V128;
    0x1f2 F32x4Floor Call "f32x4.floor" (V128) -> V128;
    0x1f3 F32x4Trunc Call "f32x4.trunc" (V128) -> V128;
    0x1f4 F32x4Nearest Call "f32x4.nearest" (V128) -> V128;
    0x1f5 F32x4Add Call "f32x4.add" (V128, V128) -> V128;
    0x1f6 F32x4Sub Call "f32x4.sub" (V128, V128) -> V128;
    0x1f7 F32x4Mul Call "f32x4.mul" (V128, V128) -> V128;
    0x1f8 F32x4Div Call "f32x4.div" (V128, V128) -> V128;
    0x1f9 F32x4Min Call "f32x4.min" (V128, V128) -> V128;
    0x1fa F32x4Max Call "f32x4.max" (V128, V128) -> V128;
    0x1fb F32x4Pmin Call "f32x4.pmin" (V128, V128) -> V128;
    0x1fc F32x4Pmax Call "f32x4.pmax" (V128, V128) -> V128;
    0x1fd F64x2Abs Call "f64x2.abs" (V128) -> V128;
    0x1fe F64x2Neg Call "f64x2.neg" (V128) -> V128;
    0x1ff F64x2Sqrt Call "f64x2.sqrt" (V128) -> V128;
    0x200 F64x2Ceil Call "f64x2.ceil" (V128) -> V128;
    0x201 F64x2Floor Call "f64x2.floor" (V128) -> V128;
    0x202 F64x2Trunc Call "f64x2.trunc" (V128) -> V128;
    0x203 F64x2Nearest Call "f64x2.nearest" (V128) -> V128;
    0x204 F64x2Add Call "f64x2.add" (V128, V128) -> V128;
    0x205 F64x2Sub Call "f64x2.sub" (V128, V128) -> V128;
    0x206 F64x2Mul Call "f64x2.mul" (V128, V128) -> V128;
    0x207 F64x2Div Call "f64x2.div" (V128, V128) -> V128;
    0x208 F64x2Min Call "f64x2.min" (V128, V128) -> V128;
    0x209 F64x2Max Call "f64x2.max" (V128, V128) -> V128;
    0x20a F64x2Pmin Call "f64x2.pmin" (V128, V128) -> V128;
    0x20b F64x2Pmax Call "f64x2.pmax" (V128, V128) -> V128;
    0x20c I32x4TruncSatF32x4S Call "i32x4.trunc_sat_f32x4_s" (V128) -> V128;
    0x20d I32x4TruncSatF64x2SZero Call "i32x4.trunc_sat_f64x2_s_zero" (V128) -> V128;
    0x20e F32x4ConvertI32x4S Call "f32x4.convert_i32x4_s" (V128) -> V128;
    0x20f F64x2ConvertLowI32x4S Call "f64x2.convert_low_i32x4_s" (V128) -> V128;
    0x210 I32x4TruncSatF32x4U Call "i32x4.trunc_sat_f32x4_u" (V128) -> V128;
    0x211 I32x4TruncSatF64x2UZero Call "i32x4.trunc_sat_f64x2_u_zero" (V128) -> V128;
    0x212 F32x4ConvertI32x4U Call "f32x4.convert_i32x4_u" (V128) -> V128;
    0x213 F64x2ConvertLowI32x4U Call "f64x2.convert_low_i32x4_u" (V128) -> V128;
    0x214 F32x4DemoteF64x2Zero Call "f32x4.demote_f64x2_zero" (V128) -> V128;
    0x215 F64x2PromoteLowF32x4 Call "f64x2.promote_low_f32x4" (V128) -> V128;
    0x216 BufAt Call "buf_at" (I32, I32) -> Buf ! MemoryOutOfBounds, Quota;
    0x217 BufWrite Call "buf_write" (BufRef, I32, I32, I32) ! IndexOutOfBounds, MemoryOutOfBounds;
    0x218 MemoryWrite Call "memory_write" (I32, BufRef, I32, I32) ! MemoryOutOfBounds, IndexOutOfBounds;
}

/// Code of the first operator; below it, and above [`LAST_SHORT`], lie the structural instructions of
/// [`crate::instr`].
pub const FIRST_OPERATOR: u16 = Op::TABLE[0].op as u16;
/// Code of the last operator that is encoded in one byte.
pub const LAST_SHORT: u16 = Op::StrAt as u16;
/// Code of the first of the operators that are encoded as [`EXTENDED`] and the code less this, LEB128.
pub const FIRST_EXTENDED: u16 = 0x100;
/// The byte before an extended operator.
pub const EXTENDED: u8 = 0xfd;
/// The byte before an operator that accesses another memory than the first; the memory's index follows it, and after
/// the operator's other immediates, for `memory_copy`, that of the memory that is read.
pub const IN_MEMORY: u8 = 0xfe;

impl Op {
    /// This operator's line of the table. Codes are contiguous in both ranges (checked by a test).
    pub const fn info(self) -> &'static OpInfo {
        &Op::TABLE[self.position()]
    }

    const fn position(self) -> usize {
        let code = self as u16;
        if code >= FIRST_EXTENDED {
            (LAST_SHORT - FIRST_OPERATOR + 1 + code - FIRST_EXTENDED) as usize
        } else {
            (code - FIRST_OPERATOR) as usize
        }
    }

    /// Whether the operator needs a linear memory.
    pub fn touches_memory(self) -> bool {
        self.info().form.has_offset()
            || matches!(self, Op::MemorySize | Op::MemoryGrow | Op::MemoryFill | Op::MemoryCopy)
            || matches!(self, Op::StrAt | Op::BufAt | Op::BufWrite | Op::MemoryWrite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_contiguous_and_forms_are_unambiguous() {
        for (at, info) in Op::TABLE.iter().enumerate() {
            assert_eq!(info.op.position(), at, "{}", info.name);
            assert_eq!(Op::from_code(info.op as u16), Some(info.op));
            let twin = Op::TABLE.iter().find(|other| {
                other.op != info.op && other.text == info.text && other.form == info.form && other.params == info.params
            });
            assert!(twin.is_none(), "{} and {:?} are written alike", info.name, twin);
        }
    }
}
