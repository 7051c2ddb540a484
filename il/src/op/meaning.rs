//! What each operator means, in words (reference, chapters "Operators" and "Vectors").
//!
//! The `match` has no wildcard arm, so an operator without a meaning does not compile. Operands are called as in
//! the reference: `a`, `b`, `c`; `address` and `value` of memory accesses; `buf`, `at` and `value` of buffers.

use super::Op;

impl Op {
    /// What the operator yields or does, for the reference and for editors. Its types and traps stand in
    /// [`Op::info`]; the text says when each trap is raised.
    pub const fn meaning(self) -> &'static str {
        match self {
            Op::I32Add | Op::I64Add => "`a + b`, modulo 2^width.",
            Op::I32Sub | Op::I64Sub => "`a - b`, modulo 2^width.",
            Op::I32Mul | Op::I64Mul => "`a * b`, modulo 2^width.",
            Op::I32DivS | Op::I64DivS => {
                "Signed quotient, rounded toward zero. Traps with `DivisionByZero` if `b` is 0, with `IntegerOverflow` \
                 if `a` is the least integer and `b` is -1."
            }
            Op::I32RemS | Op::I64RemS => {
                "Signed remainder; it has the sign of `a`. The least integer modulo -1 is 0. Traps with \
                 `DivisionByZero` if `b` is 0."
            }
            Op::I32DivU | Op::I64DivU => {
                "Quotient of the operands read as unsigned. Traps with `DivisionByZero` if `b` is 0."
            }
            Op::I32RemU | Op::I64RemU => {
                "Remainder of the operands read as unsigned. Traps with `DivisionByZero` if `b` is 0."
            }
            Op::I32And | Op::I64And => "Bitwise and.",
            Op::I32Or | Op::I64Or => "Bitwise or.",
            Op::I32Xor | Op::I64Xor => "Bitwise exclusive or.",
            Op::I32Shl | Op::I64Shl => "`a` shifted left; zeros come in. The count is `b` modulo the width.",
            Op::I32ShrS | Op::I64ShrS => {
                "`a` shifted right; copies of its sign bit come in. The count is `b` modulo the width."
            }
            Op::I32ShrU | Op::I64ShrU => "`a` shifted right; zeros come in. The count is `b` modulo the width.",
            Op::I32Rotl | Op::I64Rotl => "`a` rotated left. The count is `b` modulo the width.",
            Op::I32Rotr | Op::I64Rotr => "`a` rotated right. The count is `b` modulo the width.",
            Op::I32Min | Op::I64Min => "The lesser, signed.",
            Op::I32Max | Op::I64Max => "The greater, signed.",
            Op::I32Eq | Op::I64Eq => "Whether `a` and `b` are equal.",
            Op::I32Ne | Op::I64Ne => "Whether `a` and `b` differ.",
            Op::I32LtS | Op::I64LtS => "Whether `a` is less than `b`, signed.",
            Op::I32GtS | Op::I64GtS => "Whether `a` is greater than `b`, signed.",
            Op::I32LeS | Op::I64LeS => "Whether `a` is at most `b`, signed.",
            Op::I32GeS | Op::I64GeS => "Whether `a` is at least `b`, signed.",
            Op::I32LtU | Op::I64LtU => "Whether `a` is less than `b`, unsigned.",
            Op::I32GtU | Op::I64GtU => "Whether `a` is greater than `b`, unsigned.",
            Op::I32LeU | Op::I64LeU => "Whether `a` is at most `b`, unsigned.",
            Op::I32GeU | Op::I64GeU => "Whether `a` is at least `b`, unsigned.",
            Op::I32Neg | Op::I64Neg => "`0 - a`, modulo 2^width; the least integer is its own negative.",
            Op::I32Not | Op::I64Not => "All bits inverted.",
            Op::I32Clz | Op::I64Clz => "The number of zero bits above the highest one bit; the width if `a` is 0.",
            Op::I32Ctz | Op::I64Ctz => "The number of zero bits below the lowest one bit; the width if `a` is 0.",
            Op::I32Popcnt | Op::I64Popcnt => "The number of one bits.",
            Op::I32Abs | Op::I64Abs => "`a` without its sign; the least integer stays as it is.",

            Op::F32Add | Op::F64Add => "The sum, rounded to nearest, ties to even.",
            Op::F32Sub | Op::F64Sub => "The difference, rounded to nearest, ties to even.",
            Op::F32Mul | Op::F64Mul => "The product, rounded to nearest, ties to even.",
            Op::F32Div | Op::F64Div => {
                "The quotient, rounded to nearest, ties to even. A nonzero number by zero is an infinity, zero by \
                 zero is NaN."
            }
            Op::F32Min | Op::F64Min => "The lesser; -0 is less than 0; NaN if either operand is NaN.",
            Op::F32Max | Op::F64Max => "The greater; 0 is greater than -0; NaN if either operand is NaN.",
            Op::F32Copysign | Op::F64Copysign => "The bits of `a` with the sign bit of `b`, NaN or not.",
            Op::F32Eq | Op::F64Eq => "Whether `a` and `b` are equal: 0 equals -0, NaN equals nothing.",
            Op::F32Ne | Op::F64Ne => "Whether `a` and `b` are not equal; true if either is NaN.",
            Op::F32Lt | Op::F64Lt => "Whether `a` is less than `b`; false if either is NaN.",
            Op::F32Gt | Op::F64Gt => "Whether `a` is greater than `b`; false if either is NaN.",
            Op::F32Le | Op::F64Le => "Whether `a` is less than or equal to `b`; false if either is NaN.",
            Op::F32Ge | Op::F64Ge => "Whether `a` is greater than or equal to `b`; false if either is NaN.",
            Op::F32Neg | Op::F64Neg => "`a` with its sign bit inverted, NaN or not.",
            Op::F32Abs | Op::F64Abs => "`a` with its sign bit cleared, NaN or not.",
            Op::F32Sqrt | Op::F64Sqrt => {
                "The square root, rounded to nearest, ties to even; -0 of -0; NaN of what is less than 0."
            }
            Op::F32Ceil | Op::F64Ceil => "The least integer that is not less than `a`; the sign stays.",
            Op::F32Floor | Op::F64Floor => "The greatest integer that is not greater than `a`; the sign stays.",
            Op::F32Trunc | Op::F64Trunc => "`a` without its fraction; the sign stays.",
            Op::F32Nearest | Op::F64Nearest => {
                "The nearest integer, the even one of two that are equally near; the sign stays."
            }

            Op::BufAt => {
                "A new `buf` with the `b` bytes of the memory from address `a` on. Traps with `MemoryOutOfBounds` if they \
                 reach beyond it, with `Quota` if the VM may have no more."
            }
            Op::BufWrite => {
                "Copies `c` bytes of the memory to `at` of the buffer: operands are the buffer, `at`, the address, the \
                 number of bytes. Traps with `IndexOutOfBounds` beyond the buffer, else with `MemoryOutOfBounds` beyond \
                 the memory, before it writes."
            }
            Op::MemoryWrite => {
                "Copies bytes of a buffer into the memory: operands are the address, the buffer, the offset in it, the \
                 number of bytes. Traps with `MemoryOutOfBounds` beyond the memory, else with `IndexOutOfBounds` beyond \
                 the buffer, before it writes."
            }
            Op::BoolNot => "True if `a` is false.",
            Op::BoolEq => "Whether `a` and `b` are equal.",
            Op::BoolNe => "Whether `a` and `b` differ.",
            Op::BoolAnd => "Whether both are true; both operands are evaluated.",
            Op::BoolOr => "Whether one at least is true; both operands are evaluated.",
            Op::BoolXor => "Whether exactly one is true.",

            Op::I32FromI64 => "The low 32 bits.",
            Op::I32FromBool => "1 for true, 0 for false.",
            Op::I64FromI32S => "The same number, sign-extended.",
            Op::I64FromI32U => "`a` read as unsigned, zero-extended.",
            Op::F32FromI32S | Op::F32FromI64S | Op::F64FromI32S | Op::F64FromI64S => {
                "The float nearest to the integer, ties to even."
            }
            Op::F32FromI32U | Op::F32FromI64U | Op::F64FromI32U | Op::F64FromI64U => {
                "The float nearest to `a` read as unsigned, ties to even."
            }
            Op::F32FromF64 => "The nearest `f32`, ties to even; an infinity if the rounded value is beyond its range.",
            Op::F64FromF32 => "The same number.",
            Op::I32FromF64S | Op::I64FromF64S | Op::I32FromF32S | Op::I64FromF32S => {
                "`a` without its fraction, as a signed integer. Traps with `BadConversion` if that is out of range, \
                 or `a` is NaN."
            }
            Op::I32FromF64U | Op::I64FromF64U | Op::I32FromF32U | Op::I64FromF32U => {
                "`a` without its fraction, as an unsigned integer. Traps with `BadConversion` if that is out of \
                 range, or `a` is NaN."
            }
            Op::I32SatF64S | Op::I64SatF64S | Op::I32SatF32S | Op::I64SatF32S => {
                "`a` without its fraction, as the nearest signed integer of the width; 0 of NaN."
            }
            Op::I32SatF64U | Op::I64SatF64U | Op::I32SatF32U | Op::I64SatF32U => {
                "`a` without its fraction, as the nearest unsigned integer of the width; 0 of NaN."
            }
            Op::I32Bits | Op::I64Bits => "The bits of the float as an integer.",
            Op::F32Bits | Op::F64Bits => "The float that has these bits, whatever NaN it be.",

            Op::Load8S => "The byte, sign-extended.",
            Op::Load8U => "The byte, zero-extended.",
            Op::Load16S => "Two bytes, sign-extended.",
            Op::Load16U => "Two bytes, zero-extended.",
            Op::Load32 => "Four bytes.",
            Op::Load64 => "Eight bytes.",
            Op::LoadF32 => "Four bytes, as a float of these bits.",
            Op::LoadF64 => "Eight bytes, as a float of these bits.",
            Op::LoadV128 => "Sixteen bytes; the first one is byte 0 of the vector.",
            Op::Store8 => "Writes the low 8 bits of `value`.",
            Op::Store16 => "Writes the low 16 bits of `value`.",
            Op::Store32 => "Writes four bytes.",
            Op::Store64 => "Writes eight bytes.",
            Op::StoreF32 => "Writes the four bytes of the float's bits.",
            Op::StoreF64 => "Writes the eight bytes of the float's bits.",
            Op::StoreV128 => "Writes sixteen bytes; byte 0 of the vector is the first one.",
            Op::MemorySize => "The memory's length in pages of 64 KiB.",
            Op::MemoryGrow => {
                "Adds `a` (unsigned) pages of zeros and yields the length before; yields -1 and changes nothing if \
                 the memory would exceed its maximum, or the VM its quota."
            }
            Op::MemoryFill => {
                "Sets `c` bytes from address `a` on to the low 8 bits of `b`; all unsigned. Traps with \
                 `MemoryOutOfBounds`, writing nothing, if the range does not lie within the memory; an empty range \
                 may lie at its end."
            }
            Op::MemoryCopy => {
                "Copies `c` bytes from address `b` to address `a`, as if all were read before any is written; all \
                 unsigned. Traps with `MemoryOutOfBounds`, writing nothing, if a range does not lie within the \
                 memory; empty ranges may lie at its end."
            }

            Op::BufNew => {
                "A new buffer of `a` (unsigned) zero bytes. Traps with `Quota` if the VM may not have so many."
            }
            Op::BufLen => "Its length in bytes.",
            Op::BufGet => {
                "Byte `at` (unsigned), zero-extended. Traps with `IndexOutOfBounds` at and beyond the length."
            }
            Op::BufSet => {
                "Sets byte `at` (unsigned) to the low 8 bits of `value`. Traps with `IndexOutOfBounds` at and beyond \
                 the length."
            }
            Op::BufLoad8S => {
                "The byte at `at` (unsigned), sign-extended. Traps with `IndexOutOfBounds` outside the buffer."
            }
            Op::BufLoad8U => {
                "The byte at `at` (unsigned), zero-extended. Traps with `IndexOutOfBounds` outside the buffer."
            }
            Op::BufLoad16S => {
                "Two bytes from `at` (unsigned) on, sign-extended. Traps with `IndexOutOfBounds` outside the buffer."
            }
            Op::BufLoad16U => {
                "Two bytes from `at` (unsigned) on, zero-extended. Traps with `IndexOutOfBounds` outside the buffer."
            }
            Op::BufLoad32 | Op::BufLoad64 | Op::BufLoadF32 | Op::BufLoadF64 | Op::BufLoadV128 => {
                "As many bytes as the type has, from `at` (unsigned) on. Traps with `IndexOutOfBounds` if one lies \
                 outside the buffer."
            }
            Op::BufStore8 => {
                "Writes the low 8 bits of `value` at `at` (unsigned). Traps with `IndexOutOfBounds` outside the buffer."
            }
            Op::BufStore16 => {
                "Writes the low 16 bits of `value` from `at` (unsigned) on. Traps with `IndexOutOfBounds`, writing \
                 nothing, if a byte lies outside the buffer."
            }
            Op::BufStore32 | Op::BufStore64 | Op::BufStoreF32 | Op::BufStoreF64 | Op::BufStoreV128 => {
                "Writes all bytes of `value` from `at` (unsigned) on. Traps with `IndexOutOfBounds`, writing nothing, \
                 if one lies outside the buffer."
            }
            Op::BufCopy => {
                "Copies `n` bytes from `from_at` of `from` to `to_at` of `to`, as if all were read before any is \
                 written; all unsigned. Traps with `IndexOutOfBounds`, writing nothing, if a range does not lie \
                 within its buffer; empty ranges may lie at the end."
            }

            Op::StrLen => "Its length in bytes.",
            Op::StrGet => "Byte `b` (unsigned), zero-extended. Traps with `IndexOutOfBounds` at and beyond the length.",
            Op::StrEq => "Whether both have the same bytes.",
            Op::StrNe => "Whether they differ in length or in a byte.",
            Op::StrConcat => "The bytes of `a`, then those of `b`. Traps with `Quota` if the VM may not have so many.",
            Op::StrSlice => {
                "The bytes from `b` up to `c` (unsigned, `c` excluded). Traps with `IndexOutOfBounds` if `b` is \
                 greater than `c`, or `c` than the length; with `BadUtf8` if either lies inside a character."
            }
            Op::StrFromI32 | Op::StrFromI64 => "The number in decimal, with `-` before negative ones.",
            Op::StrFromF32 | Op::StrFromF64 => {
                "The shortest decimal that reads back as the same float, always with a `.` or an exponent: `1.0`, \
                 `0.1`, `-0.0`, `NaN`, `inf`, `-inf`; with an exponent from 1e16 on and below 1e-4: `1e16`, `1e-7`."
            }
            Op::StrFromBool => "`true` or `false`.",
            Op::StrAt => {
                "A `str` of the `b` bytes of memory from address `a` on; both unsigned. Traps with \
                 `MemoryOutOfBounds` if the range does not lie within the memory, with `BadUtf8` if the bytes are \
                 not UTF-8."
            }

            Op::Load8x8S | Op::Load16x4S | Op::Load32x2S => {
                "Eight bytes as lanes of half their width, each sign-extended into a lane; the first one is lane 0."
            }
            Op::Load8x8U | Op::Load16x4U | Op::Load32x2U => {
                "Eight bytes as lanes of half their width, each zero-extended into a lane; the first one is lane 0."
            }
            Op::Load8Splat | Op::Load16Splat | Op::Load32Splat | Op::Load64Splat => {
                "One lane's bytes, put into all lanes of this width."
            }
            Op::Load32Zero | Op::Load64Zero => "One lane's bytes as lane 0; the other bits are zero.",
            Op::Load8Lane | Op::Load16Lane | Op::Load32Lane | Op::Load64Lane => {
                "`value` with this lane replaced by what memory holds."
            }
            Op::Store8Lane | Op::Store16Lane | Op::Store32Lane | Op::Store64Lane => "Writes this lane of `value`.",
            Op::V128FromI64s => "`a` as the low 64 bits, `b` as the high ones.",
            Op::I8x16Splat | Op::I16x8Splat => "All lanes are the low bits of `a`.",
            Op::I32x4Splat | Op::I64x2Splat | Op::F32x4Splat | Op::F64x2Splat => "All lanes are `a`.",
            Op::I8x16ExtractLaneS | Op::I16x8ExtractLaneS => "The lane, sign-extended.",
            Op::I8x16ExtractLaneU | Op::I16x8ExtractLaneU => "The lane, zero-extended.",
            Op::I32x4ExtractLane | Op::I64x2ExtractLane | Op::F32x4ExtractLane | Op::F64x2ExtractLane => "The lane.",
            Op::I8x16ReplaceLane | Op::I16x8ReplaceLane => "`a` with this lane replaced by the low bits of `b`.",
            Op::I32x4ReplaceLane | Op::I64x2ReplaceLane | Op::F32x4ReplaceLane | Op::F64x2ReplaceLane => {
                "`a` with this lane replaced by `b`."
            }
            Op::I8x16Swizzle => "Lane i is the lane of `a` that lane i of `b` (unsigned) names; 0 if it is 16 or more.",

            Op::I8x16Eq | Op::I16x8Eq | Op::I32x4Eq | Op::I64x2Eq => {
                "Ones in each lane whose operands are equal, else zeros."
            }
            Op::I8x16Ne | Op::I16x8Ne | Op::I32x4Ne | Op::I64x2Ne => {
                "Ones in each lane whose operands differ, else zeros."
            }
            Op::I8x16LtS | Op::I16x8LtS | Op::I32x4LtS | Op::I64x2LtS => {
                "Ones in each lane where `a` is less than `b`, signed, else zeros."
            }
            Op::I8x16LtU | Op::I16x8LtU | Op::I32x4LtU => {
                "Ones in each lane where `a` is less than `b`, unsigned, else zeros."
            }
            Op::I8x16GtS | Op::I16x8GtS | Op::I32x4GtS | Op::I64x2GtS => {
                "Ones in each lane where `a` is greater than `b`, signed, else zeros."
            }
            Op::I8x16GtU | Op::I16x8GtU | Op::I32x4GtU => {
                "Ones in each lane where `a` is greater than `b`, unsigned, else zeros."
            }
            Op::I8x16LeS | Op::I16x8LeS | Op::I32x4LeS | Op::I64x2LeS => {
                "Ones in each lane where `a` is at most `b`, signed, else zeros."
            }
            Op::I8x16LeU | Op::I16x8LeU | Op::I32x4LeU => {
                "Ones in each lane where `a` is at most `b`, unsigned, else zeros."
            }
            Op::I8x16GeS | Op::I16x8GeS | Op::I32x4GeS | Op::I64x2GeS => {
                "Ones in each lane where `a` is at least `b`, signed, else zeros."
            }
            Op::I8x16GeU | Op::I16x8GeU | Op::I32x4GeU => {
                "Ones in each lane where `a` is at least `b`, unsigned, else zeros."
            }
            Op::F32x4Eq | Op::F64x2Eq => {
                "Ones in each lane whose operands are equal (0 equals -0, NaN nothing), else zeros."
            }
            Op::F32x4Ne | Op::F64x2Ne => "Ones in each lane whose operands are not equal, NaN included, else zeros.",
            Op::F32x4Lt | Op::F64x2Lt => "Ones in each lane where `a` is less than `b`, else zeros; zeros for NaN.",
            Op::F32x4Gt | Op::F64x2Gt => "Ones in each lane where `a` is greater than `b`, else zeros; zeros for NaN.",
            Op::F32x4Le | Op::F64x2Le => {
                "Ones in each lane where `a` is less than or equal to `b`, else zeros; zeros for NaN."
            }
            Op::F32x4Ge | Op::F64x2Ge => {
                "Ones in each lane where `a` is greater than or equal to `b`, else zeros; zeros for NaN."
            }

            Op::V128Not => "All bits inverted.",
            Op::V128And => "Bitwise and.",
            Op::V128Andnot => "The bits of `a` that are zero in `b`.",
            Op::V128Or => "Bitwise or.",
            Op::V128Xor => "Bitwise exclusive or.",
            Op::V128Bitselect => "Bits of `a` where `c` has ones, of `b` where it has zeros.",
            Op::V128AnyTrue => "Whether any bit is one.",
            Op::I8x16AllTrue | Op::I16x8AllTrue | Op::I32x4AllTrue | Op::I64x2AllTrue => "Whether no lane is zero.",
            Op::I8x16Bitmask | Op::I16x8Bitmask | Op::I32x4Bitmask | Op::I64x2Bitmask => {
                "Bit i is the sign bit of lane i; the bits above are zero."
            }

            Op::I8x16Abs | Op::I16x8Abs | Op::I32x4Abs | Op::I64x2Abs => {
                "Each lane without its sign; the least integer stays as it is."
            }
            Op::I8x16Neg | Op::I16x8Neg | Op::I32x4Neg | Op::I64x2Neg => "The negative of each lane, modulo 2^width.",
            Op::I8x16Popcnt => "The number of one bits of each lane.",
            Op::I8x16Shl | Op::I16x8Shl | Op::I32x4Shl | Op::I64x2Shl => {
                "Each lane shifted left; zeros come in. The count is `b` modulo the lane's width."
            }
            Op::I8x16ShrS | Op::I16x8ShrS | Op::I32x4ShrS | Op::I64x2ShrS => {
                "Each lane shifted right; copies of its sign bit come in. The count is `b` modulo the lane's width."
            }
            Op::I8x16ShrU | Op::I16x8ShrU | Op::I32x4ShrU | Op::I64x2ShrU => {
                "Each lane shifted right; zeros come in. The count is `b` modulo the lane's width."
            }
            Op::I8x16Add | Op::I16x8Add | Op::I32x4Add | Op::I64x2Add => "Sums of lanes, modulo 2^width.",
            Op::I8x16Sub | Op::I16x8Sub | Op::I32x4Sub | Op::I64x2Sub => "Differences of lanes, modulo 2^width.",
            Op::I16x8Mul | Op::I32x4Mul | Op::I64x2Mul => "Products of lanes, modulo 2^width.",
            Op::I8x16MinS | Op::I16x8MinS | Op::I32x4MinS => "The lesser of each two lanes, signed.",
            Op::I8x16MinU | Op::I16x8MinU | Op::I32x4MinU => "The lesser of each two lanes, unsigned.",
            Op::I8x16MaxS | Op::I16x8MaxS | Op::I32x4MaxS => "The greater of each two lanes, signed.",
            Op::I8x16MaxU | Op::I16x8MaxU | Op::I32x4MaxU => "The greater of each two lanes, unsigned.",
            Op::I8x16AddSatS | Op::I16x8AddSatS => "Sums of signed lanes; beyond the lane's range, its nearest end.",
            Op::I8x16AddSatU | Op::I16x8AddSatU => {
                "Sums of unsigned lanes; beyond the lane's range, its greatest number."
            }
            Op::I8x16SubSatS | Op::I16x8SubSatS => {
                "Differences of signed lanes; beyond the lane's range, its nearest end."
            }
            Op::I8x16SubSatU | Op::I16x8SubSatU => "Differences of unsigned lanes; 0 where they would be negative.",
            Op::I8x16AvgrU | Op::I16x8AvgrU => "`(a + b + 1) / 2` of unsigned lanes, computed without overflow.",
            Op::I16x8Q15mulrSatS => {
                "`(a * b + 0x4000) >> 15` of signed lanes, computed without overflow; 0x7fff where that does not fit."
            }
            Op::I32x4DotI16x8S => {
                "Lane i is the sum of the products of the signed 16-bit lanes 2i and 2i + 1, modulo 2^32."
            }
            Op::I8x16NarrowI16x8S | Op::I16x8NarrowI32x4S => {
                "The signed lanes of `a`, then those of `b`, each as the nearest signed number of half its width."
            }
            Op::I8x16NarrowI16x8U | Op::I16x8NarrowI32x4U => {
                "The signed lanes of `a`, then those of `b`, each as the nearest unsigned number of half its width."
            }
            Op::I16x8ExtaddPairwiseI8x16S | Op::I32x4ExtaddPairwiseI16x8S => {
                "Lane i is the sum of the sign-extended lanes 2i and 2i + 1."
            }
            Op::I16x8ExtaddPairwiseI8x16U | Op::I32x4ExtaddPairwiseI16x8U => {
                "Lane i is the sum of the zero-extended lanes 2i and 2i + 1."
            }
            Op::I16x8ExtendLowI8x16S | Op::I32x4ExtendLowI16x8S | Op::I64x2ExtendLowI32x4S => {
                "The lower half of the lanes, sign-extended."
            }
            Op::I16x8ExtendLowI8x16U | Op::I32x4ExtendLowI16x8U | Op::I64x2ExtendLowI32x4U => {
                "The lower half of the lanes, zero-extended."
            }
            Op::I16x8ExtendHighI8x16S | Op::I32x4ExtendHighI16x8S | Op::I64x2ExtendHighI32x4S => {
                "The upper half of the lanes, sign-extended."
            }
            Op::I16x8ExtendHighI8x16U | Op::I32x4ExtendHighI16x8U | Op::I64x2ExtendHighI32x4U => {
                "The upper half of the lanes, zero-extended."
            }
            Op::I16x8ExtmulLowI8x16S | Op::I32x4ExtmulLowI16x8S | Op::I64x2ExtmulLowI32x4S => {
                "Products of the lower half of the lanes, sign-extended before."
            }
            Op::I16x8ExtmulLowI8x16U | Op::I32x4ExtmulLowI16x8U | Op::I64x2ExtmulLowI32x4U => {
                "Products of the lower half of the lanes, zero-extended before."
            }
            Op::I16x8ExtmulHighI8x16S | Op::I32x4ExtmulHighI16x8S | Op::I64x2ExtmulHighI32x4S => {
                "Products of the upper half of the lanes, sign-extended before."
            }
            Op::I16x8ExtmulHighI8x16U | Op::I32x4ExtmulHighI16x8U | Op::I64x2ExtmulHighI32x4U => {
                "Products of the upper half of the lanes, zero-extended before."
            }

            Op::F32x4Abs | Op::F64x2Abs => "Each lane with its sign bit cleared, NaN or not.",
            Op::F32x4Neg | Op::F64x2Neg => "Each lane with its sign bit inverted, NaN or not.",
            Op::F32x4Sqrt | Op::F64x2Sqrt => "`sqrt` of each lane.",
            Op::F32x4Ceil | Op::F64x2Ceil => "`ceil` of each lane.",
            Op::F32x4Floor | Op::F64x2Floor => "`floor` of each lane.",
            Op::F32x4Trunc | Op::F64x2Trunc => "`trunc` of each lane.",
            Op::F32x4Nearest | Op::F64x2Nearest => "`nearest` of each lane.",
            Op::F32x4Add | Op::F64x2Add => "Sums of lanes, rounded to nearest, ties to even.",
            Op::F32x4Sub | Op::F64x2Sub => "Differences of lanes, rounded to nearest, ties to even.",
            Op::F32x4Mul | Op::F64x2Mul => "Products of lanes, rounded to nearest, ties to even.",
            Op::F32x4Div | Op::F64x2Div => "Quotients of lanes, rounded to nearest, ties to even.",
            Op::F32x4Min | Op::F64x2Min => "`min` of lanes: -0 is less than 0; NaN if either is NaN.",
            Op::F32x4Max | Op::F64x2Max => "`max` of lanes: 0 is greater than -0; NaN if either is NaN.",
            Op::F32x4Pmin | Op::F64x2Pmin => "In each lane `b` if `b < a`, else `a`; the bits stay, NaN or not.",
            Op::F32x4Pmax | Op::F64x2Pmax => "In each lane `b` if `a < b`, else `a`; the bits stay, NaN or not.",

            Op::I32x4TruncSatF32x4S => "Each lane as by `i32_sat`.",
            Op::I32x4TruncSatF32x4U => "Each lane as by `i32_sat_u`.",
            Op::I32x4TruncSatF64x2SZero => "Lanes 0 and 1 are the two lanes as by `i32_sat`; lanes 2 and 3 are 0.",
            Op::I32x4TruncSatF64x2UZero => "Lanes 0 and 1 are the two lanes as by `i32_sat_u`; lanes 2 and 3 are 0.",
            Op::F32x4ConvertI32x4S => "The nearest float of each signed lane, ties to even.",
            Op::F32x4ConvertI32x4U => "The nearest float of each unsigned lane, ties to even.",
            Op::F64x2ConvertLowI32x4S => "The signed lanes 0 and 1 as floats; exact.",
            Op::F64x2ConvertLowI32x4U => "The unsigned lanes 0 and 1 as floats; exact.",
            Op::F32x4DemoteF64x2Zero => {
                "Lanes 0 and 1 are the `f32`s nearest to the two lanes, ties to even; lanes 2 and 3 are 0."
            }
            Op::F64x2PromoteLowF32x4 => "The lanes 0 and 1 as `f64`; exact.",
        }
    }
}
