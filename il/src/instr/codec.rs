//! How instructions are encoded: a reader and a writer of bodies, over one trait for immediates.

use alloc::vec::Vec;

use super::{ArmValues, Dests, Instr};
use crate::leb::{self, LebError};
use crate::op::{EXTENDED, FIRST_EXTENDED, FIRST_OPERATOR, IN_MEMORY, Immediate, LAST_SHORT, Op};
use crate::types::{
    DataId, FieldId, FuncId, GlobalId, LocalId, MemoryId, ProgramId, ProvidedId, StrId, Type, TypeId, UseId,
};

/// Why bytes are not an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// No instruction has this code.
    UnknownCode(u8),
    /// A number is malformed or truncated.
    Number(LebError),
    /// No type has this code.
    UnknownType(u8),
    /// A `bool` other than 0 or 1.
    BadBool(u8),
    /// A memory is named where none is accessed, or where the first one needs no name.
    BadMemory,
}

impl From<LebError> for DecodeError {
    fn from(error: LebError) -> Self {
        DecodeError::Number(error)
    }
}

/// What can stand in an instruction after its code.
pub(super) trait Encoded<'a>: Sized {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
    fn write(&self, out: &mut Vec<u8>);
}

/// Bits of an `f32`, little endian.
#[derive(Clone, Copy)]
pub(super) struct Bits32(u32);
/// Bits of an `f64`, little endian.
#[derive(Clone, Copy)]
pub(super) struct Bits64(u64);

impl From<u32> for Bits32 {
    fn from(bits: u32) -> Self {
        Bits32(bits)
    }
}

impl From<Bits32> for u32 {
    fn from(bits: Bits32) -> Self {
        bits.0
    }
}

impl From<u64> for Bits64 {
    fn from(bits: u64) -> Self {
        Bits64(bits)
    }
}

impl From<Bits64> for u64 {
    fn from(bits: Bits64) -> Self {
        bits.0
    }
}

impl Encoded<'_> for Bits32 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array().map(|bytes| Bits32(u32::from_le_bytes(bytes)))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

impl Encoded<'_> for Bits64 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array().map(|bytes| Bits64(u64::from_le_bytes(bytes)))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

impl Encoded<'_> for i32 {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.short() {
            Some(byte) => Ok(i32::from((byte << 1) as i8 >> 1)),
            None => reader.leb(leb::read_i32),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        leb::write_i64(out, i64::from(*self));
    }
}

impl Encoded<'_> for i64 {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.short() {
            Some(byte) => Ok(i64::from((byte << 1) as i8 >> 1)),
            None => reader.leb(leb::read_i64),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        leb::write_i64(out, *self);
    }
}

impl Encoded<'_> for u32 {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.short() {
            Some(byte) => Ok(u32::from(byte)),
            None => reader.leb(leb::read_u32),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        leb::write_u64(out, u64::from(*self));
    }
}

impl Encoded<'_> for u8 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array::<1>().map(|[byte]| byte)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
}

impl Encoded<'_> for [u8; 16] {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Encoded<'_> for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::read(reader)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::BadBool(other)),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Encoded<'_> for Type {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::read(reader)? {
            Type::REF_CODE => TypeId::read(reader).map(Type::Ref),
            Type::OPT_CODE => TypeId::read(reader).map(Type::Opt),
            code => Type::plain(code).ok_or(DecodeError::UnknownType(code)),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_type(out, *self);
    }
}

macro_rules! encoded_index {
    ($($name:ident)*) => {$(
        impl Encoded<'_> for $name {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                u32::read(reader).map($name)
            }

            fn write(&self, out: &mut Vec<u8>) {
                self.0.write(out);
            }
        }
    )*};
}

encoded_index! { DataId FieldId FuncId GlobalId LocalId MemoryId ProgramId ProvidedId StrId TypeId UseId }

impl<'a> Encoded<'a> for Dests<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (count, bytes) = reader.list(|reader| u32::read(reader).map(|_| ()))?;
        Ok(Dests { bytes, count })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.count.write(out);
        out.extend_from_slice(self.bytes);
    }
}

impl<'a> Encoded<'a> for ArmValues<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (count, bytes) = reader.list(|reader| i64::read(reader).map(|_| ()))?;
        Ok(ArmValues { bytes, count })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.count.write(out);
        out.extend_from_slice(self.bytes);
    }
}

/// Appends a type's encoding.
pub fn write_type(out: &mut Vec<u8>, ty: Type) {
    out.push(ty.code());
    if let Some(id) = ty.def() {
        id.write(out);
    }
}

/// Reads a body's instructions, one by one.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first instruction.
    pub fn new(body: &'a [u8]) -> Self {
        Reader { bytes: body, at: 0 }
    }

    /// Byte offset of the next instruction.
    pub fn offset(&self) -> u32 {
        self.at as u32
    }

    /// The next instruction; `None` at the end of the body.
    ///
    /// # Errors
    /// If the bytes are none.
    #[expect(clippy::should_implement_trait, reason = "it is fallible, and stops at the first error")]
    pub fn next(&mut self) -> Result<Option<Instr<'a>>, DecodeError> {
        let Some(&code) = self.bytes.get(self.at) else { return Ok(None) };
        self.at += 1;
        self.instr(code)
    }

    pub(super) fn operator(&mut self, byte: u8) -> Result<Option<Instr<'a>>, DecodeError> {
        if byte == IN_MEMORY {
            return self.in_memory().map(Some);
        }
        self.plain_operator(byte).map(|(op, immediate)| Some(Instr::Op(op, immediate)))
    }

    /// An operator after [`IN_MEMORY`].
    #[cold]
    fn in_memory(&mut self) -> Result<Instr<'a>, DecodeError> {
        let memory = MemoryId::read(self)?;
        let byte = u8::read(self)?;
        let (op, mut immediate) = self.plain_operator(byte)?;
        immediate.memory = memory;
        if op == Op::MemoryCopy {
            immediate.from = MemoryId::read(self)?;
        }
        let named = op.touches_memory() && (memory, immediate.from) != (MemoryId(0), MemoryId(0));
        if named { Ok(Instr::Op(op, immediate)) } else { Err(DecodeError::BadMemory) }
    }

    fn plain_operator(&mut self, byte: u8) -> Result<(Op, Immediate), DecodeError> {
        let short = u16::from(byte);
        let code = match byte {
            EXTENDED => u16::try_from(u32::read(self)?).ok().and_then(|code| code.checked_add(FIRST_EXTENDED)),
            _ => (FIRST_OPERATOR..=LAST_SHORT).contains(&short).then_some(short),
        };
        let op = code.and_then(Op::from_code).ok_or(DecodeError::UnknownCode(byte))?;
        let form = op.info().form;
        let mut immediate = Immediate::default();
        if form.has_offset() {
            immediate.offset = u32::read(self)?;
        }
        if form.lanes().is_some() {
            immediate.lane = u8::read(self)?;
        }
        Ok((op, immediate))
    }

    /// A number of one byte, as nearly all are.
    #[inline]
    fn short(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied().filter(|byte| *byte < 0x80)?;
        self.at += 1;
        Some(byte)
    }

    #[cold]
    fn leb<T>(&mut self, read: impl Fn(&[u8]) -> Result<(T, usize), LebError>) -> Result<T, DecodeError> {
        let (value, length) = read(self.bytes.get(self.at..).unwrap_or_default())?;
        self.at += length;
        Ok(value)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let bytes = *rest.first_chunk::<N>().ok_or(LebError::Truncated)?;
        self.at += N;
        Ok(bytes)
    }

    /// A count and so many numbers, which are left encoded.
    fn list(&mut self, skip: impl Fn(&mut Self) -> Result<(), DecodeError>) -> Result<(u32, &'a [u8]), DecodeError> {
        let count = u32::read(self)?;
        let start = self.at;
        for _ in 0..count {
            skip(self)?;
        }
        Ok((count, self.bytes.get(start..self.at).unwrap_or_default()))
    }
}

/// Writes a body, instruction by instruction. Instructions with lists have methods of their own.
#[derive(Clone, Default, Debug)]
pub struct Writer {
    /// The body so far.
    pub bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn operator(&mut self, op: Op, immediate: Immediate) {
        let first = MemoryId(0);
        let elsewhere = (immediate.memory, immediate.from) != (first, first);
        if elsewhere {
            self.bytes.push(IN_MEMORY);
            immediate.memory.write(&mut self.bytes);
        }
        let code = op as u16;
        match u8::try_from(code) {
            Ok(short) => self.bytes.push(short),
            Err(_) => {
                self.bytes.push(EXTENDED);
                u32::from(code - FIRST_EXTENDED).write(&mut self.bytes);
            }
        }
        let form = op.info().form;
        if form.has_offset() {
            immediate.offset.write(&mut self.bytes);
        }
        if form.lanes().is_some() {
            self.bytes.push(immediate.lane);
        }
        if elsewhere && op == Op::MemoryCopy {
            immediate.from.write(&mut self.bytes);
        }
    }

    /// Appends `set`.
    pub fn set(&mut self, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::Set(dests)));
    }

    /// Appends `set` of one local.
    pub fn set_one(&mut self, local: LocalId) {
        let (mut bytes, mut length, mut left) = ([0; 5], 1, u64::from(local.0) + 1);
        while left >= 0x80 && length < bytes.len() {
            bytes[length - 1] = left as u8 | 0x80;
            left >>= 7;
            length += 1;
        }
        bytes[length - 1] = left as u8;
        self.push(Instr::Set(Dests { bytes: bytes.get(..length).unwrap_or_default(), count: 1 }));
    }

    /// Appends `call.set`.
    pub fn call_set(&mut self, func: FuncId, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::CallSet(func, dests)));
    }

    /// Appends `send.set`.
    pub fn send_set(&mut self, target: UseId, opcode: u8, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::SendSet(target, opcode, dests)));
    }

    /// Appends `try.set`; the first destination takes the status.
    pub fn try_set(&mut self, target: UseId, opcode: u8, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::TrySet(target, opcode, dests)));
    }

    /// Appends `call.ref.set`.
    pub fn call_ref_set(&mut self, ty: TypeId, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::CallRefSet(ty, dests)));
    }

    /// Appends `send.to.set`.
    pub fn send_to_set(&mut self, ty: TypeId, opcode: u8, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::SendToSet(ty, opcode, dests)));
    }

    /// Appends `try.to.set`; the first destination takes the status.
    pub fn try_to_set(&mut self, ty: TypeId, opcode: u8, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::TryToSet(ty, opcode, dests)));
    }

    /// Appends `own.set`.
    pub fn own_set(&mut self, opcode: u8, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::OwnSet(opcode, dests)));
    }

    /// Appends `own.try.set`; the first destination takes the status.
    pub fn own_try_set(&mut self, opcode: u8, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::OwnTrySet(opcode, dests)));
    }

    /// Appends `run.set`.
    pub fn run_set(&mut self, target: UseId, program: ProgramId, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::RunSet(target, program, dests)));
    }

    /// Appends `run.try.set`; the first destination takes the status.
    pub fn run_try_set(&mut self, target: UseId, program: ProgramId, dests: &[Option<LocalId>]) {
        with_dests(dests, |dests| self.push(Instr::RunTrySet(target, program, dests)));
    }

    /// Appends `arm`.
    pub fn arm(&mut self, values: &[i64]) {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| value.write(&mut bytes));
        self.push(Instr::Arm(ArmValues { bytes: &bytes, count: values.len() as u32 }));
    }
}

fn with_dests(dests: &[Option<LocalId>], write: impl FnOnce(Dests<'_>)) {
    let mut bytes = Vec::new();
    for dest in dests {
        leb::write_u64(&mut bytes, dest.map_or(0, |local| u64::from(local.0) + 1));
    }
    write(Dests { bytes: &bytes, count: dests.len() as u32 });
}
