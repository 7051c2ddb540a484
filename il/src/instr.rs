//! The instructions of a function body, and their encoding.
//!
//! A body is a list of statements; a statement is an expression tree in post-order: a stack code
//! whose stack is empty between statements. Operators come from [`crate::op`]; the structural
//! instructions stand here:
//!
//! ```text
//! tree   = operand* operator | const | get | take | global.get | call | send
//!        | cond T  tree test  tree else  tree end
//! stmt   = tree* set | tree global.set | tree* call.set | tree* send.set | tree* try.set | tree* op0
//!        | tree* emit | tree fail | tree* return | trap | tree assert | wait | wait_forever | flush
//!        | tree if stmt* [else stmt*] end
//!        | loop stmt* end                       // repeats at its end
//!        | while tree test stmt* end
//!        | tree tree for(local) stmt* end       // local = start; while local < end
//!        | tree switch {arm stmt*} [default stmt*] end
//!        | break depth | continue depth         // depth counts enclosing loop, while, for; 0 is innermost
//! ```
//!
//! `break`, `continue`, `return`, `trap` and `fail`... end the list of statements they stand in:
//! what follows a terminator is refused (`fail` answers the request and returns from the `op`).

use alloc::vec::Vec;

use crate::leb::{self, LebError};
use crate::op::{FIRST_OPERATOR, Form, Op};
use crate::types::{FuncId, GlobalId, LocalId, StrId, Type, UseId};

/// One decoded instruction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Instr<'a> {
    /// Pushes an `i32`.
    I32Const(i32),
    /// Pushes an `i64`.
    I64Const(i64),
    /// Pushes an `f64`, given by its bits.
    F64Const(u64),
    /// Pushes a `bool`.
    BoolConst(bool),
    /// Pushes a literal.
    StrConst(StrId),
    /// Pushes a local's value; of a `buf` or `ref buf` local: borrows it (pushes a `ref buf`).
    Get(LocalId),
    /// Moves a `buf` out of its local (pushes a `buf`).
    Take(LocalId),
    /// Pushes a global's value.
    GlobalGet(GlobalId),
    /// Calls a function of exactly one result, inside a tree.
    Call(FuncId),
    /// Executes a device instruction of exactly one result, inside a tree; traps if it fails.
    Send(UseId, u8),
    /// Opens `cond T  c test  a else  b end`: the value of `a` if `c`, else of `b`.
    Cond(Type),
    /// Ends the condition of `cond` or `while`.
    Test,
    /// An operator of the table, with its byte offset (0 unless its form is `Memory`).
    Op(Op, u32),
    /// Assigns as many values as there are destinations, all at once.
    Set(Dests<'a>),
    /// Assigns a global.
    GlobalSet(GlobalId),
    /// Calls a function; its results go to the destinations.
    CallSet(FuncId, Dests<'a>),
    /// Executes a device instruction; its results go to the destinations (a streamed one has none).
    SendSet(UseId, u8, Dests<'a>),
    /// The same for a waiting one, the status going to the first destination.
    TrySet(UseId, u8, Dests<'a>),
    /// Raises event `number` of the provided set; its operands are on the stack.
    Emit(u8),
    /// Answers the current request with a status (`i32`) and returns from the `op`.
    Fail,
    /// Returns the function's results.
    Return,
    /// Ends the VM, saying why.
    Trap(StrId),
    /// Ends the VM with this text if the condition is false.
    Assert(StrId),
    /// Runs one handler, waiting for it if need be.
    Wait,
    /// Runs handlers for ever.
    WaitForever,
    /// Waits until all that was sent on a capability has been executed; raises what failed.
    Flush(UseId),
    /// Pops the condition.
    If,
    /// The other branch of `if` or `cond`.
    Else,
    /// Repeats its body until left.
    Loop,
    /// Opens a loop whose condition stands between it and `test`.
    While,
    /// Pops start and end; counts the local (`i32` or `i64`) from start to below end.
    For(LocalId),
    /// Pops an `i32` or `i64` and chooses an arm. Without a default, no arm may be chosen.
    Switch,
    /// Opens the arm for these values.
    Arm(ArmValues<'a>),
    /// Opens the arm for all other values.
    Default,
    /// Closes the innermost construct.
    End,
    /// Leaves the depth-th enclosing loop.
    Break(u32),
    /// Goes to the next turn of the depth-th enclosing loop.
    Continue(u32),
}

/// Destination locals, still encoded; `None` discards a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dests<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> Dests<'a> {
    /// How many destinations there are.
    pub fn len(self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The destinations, in order.
    pub fn iter(self) -> impl Iterator<Item = Option<LocalId>> + Clone + use<'a> {
        let mut bytes = self.bytes;
        (0..self.count).map_while(move |_| {
            let (value, length) = leb::read_u32(bytes).ok()?;
            bytes = bytes.get(length..)?;
            Some(value.checked_sub(1).map(LocalId))
        })
    }
}

/// The values of a `switch` arm, still encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArmValues<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> ArmValues<'a> {
    /// How many values there are.
    pub fn len(self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The values, in order.
    pub fn iter(self) -> impl Iterator<Item = i64> + Clone + use<'a> {
        let mut bytes = self.bytes;
        (0..self.count).map_while(move |_| {
            let (value, length) = leb::read_i64(bytes).ok()?;
            bytes = bytes.get(length..)?;
            Some(value)
        })
    }
}

mod code {
    pub const I32_CONST: u8 = 0x01;
    pub const I64_CONST: u8 = 0x02;
    pub const F64_CONST: u8 = 0x03;
    pub const BOOL_CONST: u8 = 0x04;
    pub const STR_CONST: u8 = 0x05;
    pub const GET: u8 = 0x06;
    pub const TAKE: u8 = 0x07;
    pub const GLOBAL_GET: u8 = 0x08;
    pub const CALL: u8 = 0x09;
    pub const SEND: u8 = 0x0a;
    pub const COND: u8 = 0x0b;
    pub const TEST: u8 = 0x0c;
    pub const SET: u8 = 0x10;
    pub const GLOBAL_SET: u8 = 0x11;
    pub const CALL_SET: u8 = 0x12;
    pub const SEND_SET: u8 = 0x13;
    pub const TRY_SET: u8 = 0x14;
    pub const EMIT: u8 = 0x15;
    pub const FAIL: u8 = 0x16;
    pub const RETURN: u8 = 0x17;
    pub const TRAP: u8 = 0x18;
    pub const ASSERT: u8 = 0x19;
    pub const WAIT: u8 = 0x1a;
    pub const WAIT_FOREVER: u8 = 0x1b;
    pub const FLUSH: u8 = 0x1c;
    pub const IF: u8 = 0x20;
    pub const ELSE: u8 = 0x21;
    pub const LOOP: u8 = 0x22;
    pub const WHILE: u8 = 0x23;
    pub const FOR: u8 = 0x24;
    pub const SWITCH: u8 = 0x25;
    pub const ARM: u8 = 0x26;
    pub const DEFAULT: u8 = 0x27;
    pub const END: u8 = 0x28;
    pub const BREAK: u8 = 0x29;
    pub const CONTINUE: u8 = 0x2a;
}

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
}

impl From<LebError> for DecodeError {
    fn from(error: LebError) -> Self {
        DecodeError::Number(error)
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
    #[expect(clippy::should_implement_trait, reason = "it is fallible, and stops at the first error")]
    pub fn next(&mut self) -> Result<Option<Instr<'a>>, DecodeError> {
        let Some(&byte) = self.bytes.get(self.at) else { return Ok(None) };
        self.at += 1;
        self.instr(byte).map(Some)
    }

    fn instr(&mut self, byte: u8) -> Result<Instr<'a>, DecodeError> {
        Ok(match byte {
            code::I32_CONST => Instr::I32Const(self.leb(leb::read_i32)?),
            code::I64_CONST => Instr::I64Const(self.leb(leb::read_i64)?),
            code::F64_CONST => Instr::F64Const(self.bits()?),
            code::BOOL_CONST => Instr::BoolConst(self.boolean()?),
            code::STR_CONST => Instr::StrConst(StrId(self.index()?)),
            code::GET => Instr::Get(LocalId(self.index()?)),
            code::TAKE => Instr::Take(LocalId(self.index()?)),
            code::GLOBAL_GET => Instr::GlobalGet(GlobalId(self.index()?)),
            code::CALL => Instr::Call(FuncId(self.index()?)),
            code::SEND => Instr::Send(UseId(self.index()?), self.byte()?),
            code::COND => Instr::Cond(self.ty()?),
            code::TEST => Instr::Test,
            code::SET => Instr::Set(self.dests()?),
            code::GLOBAL_SET => Instr::GlobalSet(GlobalId(self.index()?)),
            code::CALL_SET => Instr::CallSet(FuncId(self.index()?), self.dests()?),
            code::SEND_SET => Instr::SendSet(UseId(self.index()?), self.byte()?, self.dests()?),
            code::TRY_SET => Instr::TrySet(UseId(self.index()?), self.byte()?, self.dests()?),
            code::EMIT => Instr::Emit(self.byte()?),
            code::FAIL => Instr::Fail,
            code::RETURN => Instr::Return,
            code::TRAP => Instr::Trap(StrId(self.index()?)),
            code::ASSERT => Instr::Assert(StrId(self.index()?)),
            code::WAIT => Instr::Wait,
            code::WAIT_FOREVER => Instr::WaitForever,
            code::FLUSH => Instr::Flush(UseId(self.index()?)),
            code::IF => Instr::If,
            code::ELSE => Instr::Else,
            code::LOOP => Instr::Loop,
            code::WHILE => Instr::While,
            code::FOR => Instr::For(LocalId(self.index()?)),
            code::SWITCH => Instr::Switch,
            code::ARM => Instr::Arm(self.arm_values()?),
            code::DEFAULT => Instr::Default,
            code::END => Instr::End,
            code::BREAK => Instr::Break(self.index()?),
            code::CONTINUE => Instr::Continue(self.index()?),
            _ => self.operator(byte)?,
        })
    }

    fn operator(&mut self, byte: u8) -> Result<Instr<'a>, DecodeError> {
        let op = if byte >= FIRST_OPERATOR { Op::from_code(byte) } else { None };
        let op = op.ok_or(DecodeError::UnknownCode(byte))?;
        let offset = if op.info().form == Form::Memory { self.index()? } else { 0 };
        Ok(Instr::Op(op, offset))
    }

    fn leb<T>(&mut self, read: impl Fn(&[u8]) -> Result<(T, usize), LebError>) -> Result<T, DecodeError> {
        let (value, length) = read(&self.bytes[self.at..])?;
        self.at += length;
        Ok(value)
    }

    fn index(&mut self) -> Result<u32, DecodeError> {
        self.leb(leb::read_u32)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.at).ok_or(LebError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    fn bits(&mut self) -> Result<u64, DecodeError> {
        let bytes = self.bytes.get(self.at..self.at + 8).ok_or(LebError::Truncated)?;
        self.at += 8;
        Ok(bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
    }

    fn boolean(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::BadBool(other)),
        }
    }

    fn ty(&mut self) -> Result<Type, DecodeError> {
        let byte = self.byte()?;
        Type::from_code(byte).ok_or(DecodeError::UnknownType(byte))
    }

    fn dests(&mut self) -> Result<Dests<'a>, DecodeError> {
        let count = self.index()?;
        let start = self.at;
        for _ in 0..count {
            self.index()?;
        }
        Ok(Dests { bytes: &self.bytes[start..self.at], count })
    }

    fn arm_values(&mut self) -> Result<ArmValues<'a>, DecodeError> {
        let count = self.index()?;
        let start = self.at;
        for _ in 0..count {
            self.leb(leb::read_i64)?;
        }
        Ok(ArmValues { bytes: &self.bytes[start..self.at], count })
    }
}

/// Writes a body, instruction by instruction. Instructions with lists have methods of their own.
#[derive(Clone, Default, Debug)]
pub struct Writer {
    /// The body so far.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// Appends an instruction (also one that was read from another body).
    pub fn push(&mut self, instr: Instr<'_>) {
        match instr {
            Instr::I32Const(value) => self.signed(code::I32_CONST, i64::from(value)),
            Instr::I64Const(value) => self.signed(code::I64_CONST, value),
            Instr::F64Const(bits) => {
                self.bytes.push(code::F64_CONST);
                self.bytes.extend_from_slice(&bits.to_le_bytes());
            }
            Instr::BoolConst(value) => self.bytes.extend_from_slice(&[code::BOOL_CONST, u8::from(value)]),
            Instr::StrConst(id) => self.indexed(code::STR_CONST, id.0),
            Instr::Get(id) => self.indexed(code::GET, id.0),
            Instr::Take(id) => self.indexed(code::TAKE, id.0),
            Instr::GlobalGet(id) => self.indexed(code::GLOBAL_GET, id.0),
            Instr::Call(id) => self.indexed(code::CALL, id.0),
            Instr::Send(id, opcode) => self.device(code::SEND, id, opcode),
            Instr::Cond(ty) => self.bytes.extend_from_slice(&[code::COND, ty as u8]),
            Instr::Test => self.bytes.push(code::TEST),
            Instr::Op(op, offset) => {
                self.bytes.push(op as u8);
                if op.info().form == Form::Memory {
                    leb::write_u64(&mut self.bytes, u64::from(offset));
                }
            }
            Instr::Set(dests) => {
                self.bytes.push(code::SET);
                self.list(dests.count, dests.bytes);
            }
            Instr::GlobalSet(id) => self.indexed(code::GLOBAL_SET, id.0),
            Instr::CallSet(id, dests) => {
                self.indexed(code::CALL_SET, id.0);
                self.list(dests.count, dests.bytes);
            }
            Instr::SendSet(id, opcode, dests) => {
                self.device(code::SEND_SET, id, opcode);
                self.list(dests.count, dests.bytes);
            }
            Instr::TrySet(id, opcode, dests) => {
                self.device(code::TRY_SET, id, opcode);
                self.list(dests.count, dests.bytes);
            }
            Instr::Emit(number) => self.bytes.extend_from_slice(&[code::EMIT, number]),
            Instr::Fail => self.bytes.push(code::FAIL),
            Instr::Return => self.bytes.push(code::RETURN),
            Instr::Trap(id) => self.indexed(code::TRAP, id.0),
            Instr::Assert(id) => self.indexed(code::ASSERT, id.0),
            Instr::Wait => self.bytes.push(code::WAIT),
            Instr::WaitForever => self.bytes.push(code::WAIT_FOREVER),
            Instr::Flush(id) => self.indexed(code::FLUSH, id.0),
            Instr::If => self.bytes.push(code::IF),
            Instr::Else => self.bytes.push(code::ELSE),
            Instr::Loop => self.bytes.push(code::LOOP),
            Instr::While => self.bytes.push(code::WHILE),
            Instr::For(id) => self.indexed(code::FOR, id.0),
            Instr::Switch => self.bytes.push(code::SWITCH),
            Instr::Arm(values) => {
                self.bytes.push(code::ARM);
                self.list(values.count, values.bytes);
            }
            Instr::Default => self.bytes.push(code::DEFAULT),
            Instr::End => self.bytes.push(code::END),
            Instr::Break(depth) => self.indexed(code::BREAK, depth),
            Instr::Continue(depth) => self.indexed(code::CONTINUE, depth),
        }
    }

    /// Appends `set`.
    pub fn set(&mut self, dests: &[Option<LocalId>]) {
        self.bytes.push(code::SET);
        self.dests(dests);
    }

    /// Appends `call.set`.
    pub fn call_set(&mut self, func: FuncId, dests: &[Option<LocalId>]) {
        self.indexed(code::CALL_SET, func.0);
        self.dests(dests);
    }

    /// Appends `send.set`.
    pub fn send_set(&mut self, target: UseId, opcode: u8, dests: &[Option<LocalId>]) {
        self.device(code::SEND_SET, target, opcode);
        self.dests(dests);
    }

    /// Appends `try.set`; the first destination takes the status.
    pub fn try_set(&mut self, target: UseId, opcode: u8, dests: &[Option<LocalId>]) {
        self.device(code::TRY_SET, target, opcode);
        self.dests(dests);
    }

    /// Appends `arm`.
    pub fn arm(&mut self, values: &[i64]) {
        self.bytes.push(code::ARM);
        leb::write_u64(&mut self.bytes, values.len() as u64);
        for value in values {
            leb::write_i64(&mut self.bytes, *value);
        }
    }

    fn dests(&mut self, dests: &[Option<LocalId>]) {
        leb::write_u64(&mut self.bytes, dests.len() as u64);
        for dest in dests {
            leb::write_u64(&mut self.bytes, dest.map_or(0, |local| u64::from(local.0) + 1));
        }
    }

    fn list(&mut self, count: u32, bytes: &[u8]) {
        leb::write_u64(&mut self.bytes, u64::from(count));
        self.bytes.extend_from_slice(bytes);
    }

    fn signed(&mut self, code: u8, value: i64) {
        self.bytes.push(code);
        leb::write_i64(&mut self.bytes, value);
    }

    fn indexed(&mut self, code: u8, index: u32) {
        self.bytes.push(code);
        leb::write_u64(&mut self.bytes, u64::from(index));
    }

    fn device(&mut self, code: u8, target: UseId, opcode: u8) {
        self.indexed(code, target.0);
        self.bytes.push(opcode);
    }
}
