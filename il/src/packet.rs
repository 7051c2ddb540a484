//! Packets: runs of encoded device instructions, the same in a ring, on a socket, in a recording.
//!
//! ```text
//! head word      | opcode 16 | words 16 | tag 32 |      little endian, low bits first
//!   opcode       1..=255 an instruction, 0x8000 + n event n, 0 a reply
//!   words        length of the instruction in 64-bit words, head included
//!   tag          0 = no reply wanted; a reply carries its request's tag
//! operands       one word each: integers zero-extended, floats by their bits, bool 0 or 1,
//!                v128 = two words, the low half first,
//!                buf = index into the packet's attachment list,
//!                any, capability, frozen struct or array = the same,
//!                ?T of these, ?str = 0 for null, else index + 1,
//!                str = byte length, then the bytes, padded with zeros to a word
//! reply          head with opcode 0, one word status, then the results if the status is 0
//! ```
//!
//! Words that are not canonical are refused: one meaning has one encoding.

use alloc::vec::Vec;

use crate::isa::Field;
use crate::trap::Status;
use crate::types::Type;

/// A packet's greatest length in words: 64 KiB.
pub const MAX_WORDS: usize = 8192;
/// Most attachments that one packet can carry.
pub const MAX_ATTACHMENTS: usize = 64;
/// Most operands or results of one instruction.
pub const MAX_OPERANDS: usize = 16;

/// A decoded head word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// See the module's page.
    pub opcode: u16,
    /// Head included, so at least 1.
    pub words: u16,
    /// 0 if no reply is wanted.
    pub tag: u32,
}

impl Head {
    /// The head as a word.
    pub const fn pack(self) -> u64 {
        self.opcode as u64 | (self.words as u64) << 16 | (self.tag as u64) << 32
    }

    /// The word as a head.
    pub const fn unpack(word: u64) -> Head {
        Head { opcode: word as u16, words: (word >> 16) as u16, tag: (word >> 32) as u32 }
    }
}

/// One operand or result.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `v128`
    V128(u128),
    /// `bool`
    Bool(bool),
    /// `str`
    Str(&'a str),
    /// `buf`: index into the attachment list
    Buf(u32),
    /// `any`, a capability, a frozen struct or array: index into the attachment list
    Ref(u32),
    /// The same of a type that has null, and `?str`.
    OptRef(Option<u32>),
}

impl Value<'_> {
    /// The attachment that it names.
    #[inline]
    pub const fn attachment(&self) -> Option<u32> {
        match self {
            Value::Buf(index) | Value::Ref(index) => Some(*index),
            Value::OptRef(index) => *index,
            Value::I32(_) | Value::I64(_) | Value::F32(_) | Value::F64(_) | Value::V128(_) => None,
            Value::Bool(_) | Value::Str(_) => None,
        }
    }

    /// The same value, naming another attachment.
    pub const fn renumbered(self, index: u32) -> Self {
        match self {
            Value::Buf(_) => Value::Buf(index),
            Value::Ref(_) => Value::Ref(index),
            Value::OptRef(Some(_)) => Value::OptRef(Some(index)),
            other => other,
        }
    }
}

/// Splits a packet into its instructions: (head, operand words). Total: any words are accepted,
/// and what is malformed ends the iteration with an error.
pub fn instructions(words: &[u64]) -> impl Iterator<Item = Result<(Head, &[u64]), Status>> {
    let mut rest = words;
    core::iter::from_fn(move || {
        let head = Head::unpack(*rest.first()?);
        let length = usize::from(head.words);
        if length == 0 || length > rest.len() {
            rest = &[];
            return Some(Err(Status::BadOperand));
        }
        let (now, later) = rest.split_at(length);
        rest = later;
        Some(Ok((head, &now[1..])))
    })
}

/// Reads operand words by type.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    words: &'a [u64],
}

impl<'a> Reader<'a> {
    /// Over the words that follow a head.
    #[inline]
    pub fn new(words: &'a [u64]) -> Self {
        Reader { words }
    }

    /// The next operand.
    ///
    /// # Errors
    /// `BadOperand` if words are missing or not canonical.
    #[inline]
    pub fn next(&mut self, ty: Type) -> Result<Value<'a>, Status> {
        let word = self.word()?;
        let low = u32::try_from(word);
        Ok(match ty {
            Type::I32 => Value::I32(low.map_err(|_| Status::BadOperand)? as i32),
            Type::I64 => Value::I64(word as i64),
            Type::F32 => Value::F32(f32::from_bits(low.map_err(|_| Status::BadOperand)?)),
            Type::F64 => Value::F64(f64::from_bits(word)),
            Type::V128 => Value::V128(u128::from(word) | u128::from(self.word()?) << 64),
            Type::Bool if word <= 1 => Value::Bool(word == 1),
            Type::Buf => Value::Buf(low.map_err(|_| Status::BadOperand)?),
            Type::Str => Value::Str(self.bytes(word)?),
            Type::Any | Type::Ref(_) => Value::Ref(low.map_err(|_| Status::BadOperand)?),
            Type::OptAny | Type::Opt(_) | Type::OptStr => {
                Value::OptRef(low.map_err(|_| Status::BadOperand)?.checked_sub(1))
            }
            Type::Bool | Type::BufRef | Type::OptBuf => return Err(Status::BadOperand),
        })
    }

    /// Checks that nothing is left over.
    #[inline]
    pub fn finish(self) -> Result<(), Status> {
        if self.words.is_empty() { Ok(()) } else { Err(Status::BadOperand) }
    }

    #[inline]
    fn word(&mut self) -> Result<u64, Status> {
        let (word, rest) = self.words.split_first().ok_or(Status::BadOperand)?;
        self.words = rest;
        Ok(*word)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a str, Status> {
        let length = usize::try_from(length).map_err(|_| Status::BadOperand)?;
        let words = length.div_ceil(8);
        if words > self.words.len() {
            return Err(Status::BadOperand);
        }
        let (now, rest) = self.words.split_at(words);
        self.words = rest;
        let (text, padding) = bytemuck::cast_slice::<u64, u8>(now).split_at(length);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Status::BadOperand);
        }
        core::str::from_utf8(text).map_err(|_| Status::BadOperand)
    }
}

/// Checks operand words against declared types: number, canonical form, attachments in range
/// and each used once.
pub fn check(params: &[Field], words: &[u64], attachments: usize) -> Result<(), Status> {
    let mut reader = Reader::new(words);
    let mut seen = 0u64;
    for param in params {
        if let Some(index) = reader.next(param.ty)?.attachment() {
            if index as usize >= attachments.min(MAX_ATTACHMENTS) || seen & 1 << index != 0 {
                return Err(Status::BadOperand);
            }
            seen |= 1 << index;
        }
    }
    reader.finish()
}

/// Builds a packet.
#[derive(Clone, Default, Debug)]
pub struct Builder {
    /// The packet so far.
    pub words: Vec<u64>,
    head: usize,
}

impl Builder {
    /// Opens an instruction, event (`EVENT_BASE + n`) or reply (0).
    pub fn begin(&mut self, opcode: u16, tag: u32) -> &mut Self {
        self.head = self.words.len();
        self.words.push(Head { opcode, words: 1, tag }.pack());
        self
    }

    /// Appends an operand to the open instruction.
    pub fn push(&mut self, value: Value<'_>) -> &mut Self {
        match value {
            Value::I32(value) => self.words.push(u64::from(value as u32)),
            Value::I64(value) => self.words.push(value as u64),
            Value::F32(value) => self.words.push(u64::from(value.to_bits())),
            Value::F64(value) => self.words.push(value.to_bits()),
            Value::V128(value) => self.words.extend([value as u64, (value >> 64) as u64]),
            Value::Bool(value) => self.words.push(u64::from(value)),
            Value::Buf(index) | Value::Ref(index) => self.words.push(u64::from(index)),
            Value::OptRef(index) => self.words.push(index.map_or(0, |index| u64::from(index) + 1)),
            Value::Str(text) => {
                self.words.push(text.len() as u64);
                for chunk in text.as_bytes().chunks(8) {
                    let mut word = [0; 8];
                    word[..chunk.len()].copy_from_slice(chunk);
                    self.words.push(u64::from_le_bytes(word));
                }
            }
        }
        self
    }

    /// Closes the open instruction.
    ///
    /// # Errors
    /// `OutOfRange` if the packet has become longer than [`MAX_WORDS`]; the instruction is removed.
    pub fn end(&mut self) -> Result<(), Status> {
        if self.words.len() > MAX_WORDS {
            self.words.truncate(self.head);
            return Err(Status::OutOfRange);
        }
        let length = self.words.len() - self.head;
        let head = Head::unpack(self.words[self.head]);
        self.words[self.head] = Head { words: length as u16, ..head }.pack();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_round_trip_and_forgeries_are_refused() {
        let mut builder = Builder::default();
        builder.begin(6, 9).push(Value::I32(-1)).push(Value::Str("häuser")).push(Value::F64(0.5)).end().unwrap();
        let (head, words) = instructions(&builder.words).next().unwrap().unwrap();
        assert_eq!(head, Head { opcode: 6, words: 5, tag: 9 });
        let mut reader = Reader::new(words);
        assert_eq!(reader.next(Type::I32), Ok(Value::I32(-1)));
        assert_eq!(reader.next(Type::Str), Ok(Value::Str("häuser")));
        assert_eq!(reader.next(Type::F64), Ok(Value::F64(0.5)));
        assert_eq!(reader.finish(), Ok(()));
        assert_eq!(Reader::new(&[1 << 32]).next(Type::I32), Err(Status::BadOperand));
        assert_eq!(Reader::new(&[2]).next(Type::Bool), Err(Status::BadOperand));
        assert_eq!(Reader::new(&[1, 0x4141]).next(Type::Str), Err(Status::BadOperand), "padding");
        assert_eq!(Reader::new(&[u64::MAX]).next(Type::Str), Err(Status::BadOperand));
    }

    #[test]
    fn attachments_are_named_once_and_null_is_no_attachment() {
        let field = |ty| Field { name: "".into(), ty };
        let params = [Type::Any, Type::OptAny, Type::Buf, Type::OptStr].map(field);
        let mut builder = Builder::default();
        for value in [Value::Ref(1), Value::OptRef(Some(0)), Value::Buf(2), Value::OptRef(None)] {
            builder.push(value);
        }
        assert_eq!(builder.words, [1, 1, 2, 0]);
        assert_eq!(check(&params, &builder.words, 3), Ok(()));
        let refused = |words: [u64; 4], attachments| check(&params, &words, attachments) == Err(Status::BadOperand);
        assert!(refused([1, 1, 2, 0], 2), "not there");
        assert!(refused([0, 1, 2, 0], 3), "twice");
        assert!(refused([1, 1 << 32, 2, 0], 3) && refused([1 << 32, 1, 2, 0], 3), "too wide");
        assert!(refused([1, u64::MAX, 2, 0], 3));
    }
}
