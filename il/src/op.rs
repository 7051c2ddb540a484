//! The table of operators: one line an operator, everything else derived from it.
//!
//! An operator pops its operands, pushes at most one result and has no control flow. Binary code,
//! text form, verifier rule, disassembly and reference page come from this table; only the
//! lowering (`compiler`) and the interpreter give each its meaning by hand.

use crate::trap::TrapKind;
use crate::types::Type;

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
    ($($code:literal $name:ident $form:ident $text:literal ($($param:ident),*) $(-> $result:ident)? $(! $($trap:ident),+)?;)*) => {
        /// An operator; the discriminant is its binary code.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)] // each is documented by its line of the table
        pub enum Op { $($name = $code,)* }

        impl Op {
            /// The whole table, by ascending code.
            pub const TABLE: &[OpInfo] = &[$(OpInfo {
                op: Op::$name,
                name: stringify!($name),
                form: Form::$form,
                text: $text,
                params: &[$(Type::$param),*],
                result: operators!(@result $($result)?),
                traps: &[$($(TrapKind::$trap),+)?],
            },)*];
            /// The operator with this binary code.
            pub const fn from_code(code: u8) -> Option<Op> {
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
}

/// Code of the first operator; below it lie the structural instructions of [`crate::instr`].
pub const FIRST_OPERATOR: u8 = Op::TABLE[0].op as u8;

impl Op {
    /// This operator's line of the table. Codes are contiguous (checked by a test).
    pub const fn info(self) -> &'static OpInfo {
        &Op::TABLE[(self as u8 - FIRST_OPERATOR) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_contiguous_and_forms_are_unambiguous() {
        for (at, info) in Op::TABLE.iter().enumerate() {
            assert_eq!(usize::from(info.op as u8 - FIRST_OPERATOR), at, "{}", info.name);
            let twin = Op::TABLE.iter().find(|other| {
                other.op != info.op && other.text == info.text && other.form == info.form && other.params == info.params
            });
            assert!(twin.is_none(), "{} and {:?} are written alike", info.name, twin);
        }
    }
}
