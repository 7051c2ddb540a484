//! The instructions of a function body, and their encoding.
//!
//! A body is a list of statements; a statement is an expression tree in post-order: a stack code
//! whose stack is empty between statements. Operators come from [`crate::op`]; the structural
//! instructions stand here:
//!
//! ```text
//! tree   = operand* operator | const | null | get | take | global.get | global.take
//!        | tree* call | tree tree* call.ref | func.ref | cond T  tree test  tree else  tree end
//!        | tree* send | tree* try | cap | tree tree* send.to | tree tree* try.to | tree* own | tree* own.try
//!        | tree* struct.new | tree field.get | tree field.take
//!        | tree tree array.new | tree* array.of | tree tree array.get | tree tree array.take | tree array.len
//!        | tree tree ref.eq | tree tree ref.ne | tree is T | tree as T | tree freeze | tree attenuate
//!        | tree tree shuffle | caller
//! stmt   = tree* set | tree global.set | tree* op0 | tree tree field.set | tree tree tree array.set
//!        | tree* call.set | tree tree* call.ref.set | tree* send.set | tree* try.set
//!        | tree tree* send.to.set | tree tree* try.to.set | tree* own.set | tree* own.try.set
//!        | tree* run.set | tree* run.try.set | tree* run.send
//!        | tree* emit | tree fail | tree* return | tree* return.call | tree tree* return.call.ref
//!        | trap | tree assert | wait | wait_forever | flush | tree flush.cap | tree revoke
//!        | tree if stmt* [else stmt*] end
//!        | tree if.as(T, local) stmt* [else stmt*] end   // the local is assigned in the first branch only
//!        | loop stmt* end                       // repeats at its end
//!        | while tree test stmt* end
//!        | tree tree for(local) stmt* end       // local = start; while local < end
//!        | tree switch {arm stmt*} [default stmt*] end
//!        | break depth | continue depth         // depth counts enclosing loop, while, for; 0 is innermost
//! ```
//!
//! What a reference or capability is applied to comes first: `call.ref` pops arguments, then the function;
//! `send.to` operands, then the capability; `field.set` the value, then the object.
//!
//! `break`, `continue`, `return`, `return.call`, `trap` and `fail`... end the list of statements they stand in:
//! what follows a terminator is refused (`fail` answers the request and returns from the `op`).

use alloc::vec::Vec;

use crate::leb::{self, LebError};
use crate::op::{EXTENDED, FIRST_EXTENDED, FIRST_OPERATOR, Immediate, LAST_SHORT, Op};
use crate::types::{FieldId, FuncId, GlobalId, LocalId, ProgramId, StrId, Type, TypeId, UseId};

/// One decoded instruction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Instr<'a> {
    /// Pushes an `i32`.
    I32Const(i32),
    /// Pushes an `i64`.
    I64Const(i64),
    /// Pushes an `f64`, given by its bits.
    F64Const(u64),
    /// Pushes an `f32`, given by its bits.
    F32Const(u32),
    /// Pushes null, of this nullable type.
    Null(Type),
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
    /// Moves a `?buf` out of a mutable global, leaving null.
    GlobalTake(GlobalId),
    /// Pops a struct's fields, inherited ones first; pushes the struct.
    StructNew(TypeId),
    /// Pops a struct of this type; pushes a field.
    FieldGet(TypeId, FieldId),
    /// Pops a struct of this type; moves a mutable `?buf` field out, leaving null.
    FieldTake(TypeId, FieldId),
    /// Pops length (`i32`, unsigned) and fill; pushes an array. Of `?buf` the elements are null: the
    /// fill must be [`Instr::Null`].
    ArrayNew(TypeId),
    /// Pops so many elements; pushes an array of them.
    ArrayOf(TypeId, u32),
    /// Pops array and index; pushes the element.
    ArrayGet(TypeId),
    /// Pops array and index; moves a `?buf` element out, leaving null.
    ArrayTake(TypeId),
    /// Pops any array; pushes its length.
    ArrayLen,
    /// Pops two references (of any reference types but `str`); pushes whether they are the same object or both null.
    RefEq,
    /// The opposite.
    RefNe,
    /// Pops a reference; pushes whether it is of this type.
    Is(Type),
    /// Pops a reference or `?buf`; pushes it as this type, or traps.
    As(Type),
    /// Pops a sendable reference; pushes an equal one in shared memory, copying what is not there yet.
    Freeze,
    /// Pushes a reference to a function, of this function type.
    FuncRef(FuncId, TypeId),
    /// Calls a function of exactly one result, inside a tree.
    Call(FuncId),
    /// The same through a reference of this function type, which lies below the arguments.
    CallRef(TypeId),
    /// Pushes a wanted capability, with this capability type.
    Cap(UseId, TypeId),
    /// Pops a capability; pushes one of its own with this type's instructions, to be revoked by itself.
    Attenuate(TypeId),
    /// Pushes who sent the request under way (`i32`, given by the base). Only in an `op`.
    Caller,
    /// Lanes of two vectors, by number: 0 to 15 of the first, 16 to 31 of the second.
    Shuffle([u8; 16]),
    /// A waiting device instruction without results, inside a tree: pushes its status (`i32`).
    Try(UseId, u8),
    /// [`Instr::Send`] through a capability of this type, which lies below the operands.
    SendTo(TypeId, u8),
    /// [`Instr::Try`] through a capability of this type, which lies below the operands.
    TryTo(TypeId, u8),
    /// Executes an instruction of the program's own set, of exactly one result. Only in a `program`.
    Own(u8),
    /// The same for a waiting one without results: pushes its status.
    OwnTry(u8),
    /// Executes a device instruction of exactly one result, inside a tree; traps if it fails.
    Send(UseId, u8),
    /// Opens `cond T  c test  a else  b end`: the value of `a` if `c`, else of `b`.
    Cond(Type),
    /// Ends the condition of `cond` or `while`.
    Test,
    /// An operator of the table, with what its form encodes.
    Op(Op, Immediate),
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
    /// Pops value, then struct: assigns a mutable field.
    FieldSet(TypeId, FieldId),
    /// Pops value, index, array: assigns an element.
    ArraySet(TypeId),
    /// [`Instr::CallSet`] through a reference, which lies below the arguments.
    CallRefSet(TypeId, Dests<'a>),
    /// [`Instr::SendSet`] through a capability, which lies below the operands.
    SendToSet(TypeId, u8, Dests<'a>),
    /// [`Instr::TrySet`] through a capability, which lies below the operands.
    TryToSet(TypeId, u8, Dests<'a>),
    /// [`Instr::SendSet`] for an instruction of the program's own set.
    OwnSet(u8, Dests<'a>),
    /// [`Instr::TrySet`] for an instruction of the program's own set.
    OwnTrySet(u8, Dests<'a>),
    /// Runs a program in the VM behind the capability and waits; its results go to the destinations.
    RunSet(UseId, ProgramId, Dests<'a>),
    /// The same, the status going to the first destination.
    RunTrySet(UseId, ProgramId, Dests<'a>),
    /// Runs a program without results, not waiting.
    RunSend(UseId, ProgramId),
    /// Raises event `number` of the provided set; its operands are on the stack.
    Emit(u8),
    /// Answers the current request with a status (`i32`) and returns from the `op`.
    Fail,
    /// Returns the function's results.
    Return,
    /// Returns what this function returns, in the place of this one.
    ReturnCall(FuncId),
    /// The same through a reference, which lies below the arguments.
    ReturnCallRef(TypeId),
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
    /// Pops a capability; [`Instr::Flush`] of it.
    FlushCap,
    /// Pops a capability that was attenuated here: from now on it is dead, wherever it went.
    Revoke,
    /// Pops the condition.
    If,
    /// Pops a reference or `?buf`; if it is of this type, assigns it to the local and takes the first branch.
    IfAs(Type, LocalId),
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
    pub const F32_CONST: u8 = 0xca;
    pub const NULL: u8 = 0xcb;
    pub const GLOBAL_TAKE: u8 = 0xcc;
    pub const STRUCT_NEW: u8 = 0xcd;
    pub const FIELD_GET: u8 = 0xce;
    pub const FIELD_TAKE: u8 = 0xcf;
    pub const FIELD_SET: u8 = 0xd0;
    pub const ARRAY_NEW: u8 = 0xd1;
    pub const ARRAY_OF: u8 = 0xd2;
    pub const ARRAY_GET: u8 = 0xd3;
    pub const ARRAY_TAKE: u8 = 0xd4;
    pub const ARRAY_SET: u8 = 0xd5;
    pub const ARRAY_LEN: u8 = 0xd6;
    pub const REF_EQ: u8 = 0xd7;
    pub const REF_NE: u8 = 0xd8;
    pub const IS: u8 = 0xd9;
    pub const AS: u8 = 0xda;
    pub const IF_AS: u8 = 0xdb;
    pub const FREEZE: u8 = 0xdc;
    pub const FUNC_REF: u8 = 0xdd;
    pub const CALL_REF: u8 = 0xde;
    pub const CALL_REF_SET: u8 = 0xdf;
    pub const RETURN_CALL: u8 = 0xe0;
    pub const RETURN_CALL_REF: u8 = 0xe1;
    pub const CAP: u8 = 0xe2;
    pub const ATTENUATE: u8 = 0xe3;
    pub const REVOKE: u8 = 0xe4;
    pub const FLUSH_CAP: u8 = 0xe5;
    pub const CALLER: u8 = 0xe6;
    pub const SHUFFLE: u8 = 0xe7;
    pub const TRY: u8 = 0xe8;
    pub const SEND_TO: u8 = 0xe9;
    pub const TRY_TO: u8 = 0xea;
    pub const SEND_TO_SET: u8 = 0xeb;
    pub const TRY_TO_SET: u8 = 0xec;
    pub const OWN: u8 = 0xed;
    pub const OWN_TRY: u8 = 0xee;
    pub const OWN_SET: u8 = 0xef;
    pub const OWN_TRY_SET: u8 = 0xf0;
    pub const RUN_SET: u8 = 0xf1;
    pub const RUN_TRY_SET: u8 = 0xf2;
    pub const RUN_SEND: u8 = 0xf3;
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
            code::F32_CONST => Instr::F32Const(self.bits32()?),
            code::NULL => Instr::Null(self.ty()?),
            code::GLOBAL_TAKE => Instr::GlobalTake(GlobalId(self.index()?)),
            code::STRUCT_NEW => Instr::StructNew(self.def()?),
            code::FIELD_GET => Instr::FieldGet(self.def()?, FieldId(self.index()?)),
            code::FIELD_TAKE => Instr::FieldTake(self.def()?, FieldId(self.index()?)),
            code::FIELD_SET => Instr::FieldSet(self.def()?, FieldId(self.index()?)),
            code::ARRAY_NEW => Instr::ArrayNew(self.def()?),
            code::ARRAY_OF => Instr::ArrayOf(self.def()?, self.index()?),
            code::ARRAY_GET => Instr::ArrayGet(self.def()?),
            code::ARRAY_TAKE => Instr::ArrayTake(self.def()?),
            code::ARRAY_SET => Instr::ArraySet(self.def()?),
            code::ARRAY_LEN => Instr::ArrayLen,
            code::REF_EQ => Instr::RefEq,
            code::REF_NE => Instr::RefNe,
            code::IS => Instr::Is(self.ty()?),
            code::AS => Instr::As(self.ty()?),
            code::IF_AS => Instr::IfAs(self.ty()?, LocalId(self.index()?)),
            code::FREEZE => Instr::Freeze,
            code::FUNC_REF => Instr::FuncRef(FuncId(self.index()?), self.def()?),
            code::CALL_REF => Instr::CallRef(self.def()?),
            code::CALL_REF_SET => Instr::CallRefSet(self.def()?, self.dests()?),
            code::RETURN_CALL => Instr::ReturnCall(FuncId(self.index()?)),
            code::RETURN_CALL_REF => Instr::ReturnCallRef(self.def()?),
            code::CAP => Instr::Cap(UseId(self.index()?), self.def()?),
            code::ATTENUATE => Instr::Attenuate(self.def()?),
            code::REVOKE => Instr::Revoke,
            code::FLUSH_CAP => Instr::FlushCap,
            code::CALLER => Instr::Caller,
            code::SHUFFLE => Instr::Shuffle(self.array()?),
            code::TRY => Instr::Try(UseId(self.index()?), self.byte()?),
            code::SEND_TO => Instr::SendTo(self.def()?, self.byte()?),
            code::TRY_TO => Instr::TryTo(self.def()?, self.byte()?),
            code::SEND_TO_SET => Instr::SendToSet(self.def()?, self.byte()?, self.dests()?),
            code::TRY_TO_SET => Instr::TryToSet(self.def()?, self.byte()?, self.dests()?),
            code::OWN => Instr::Own(self.byte()?),
            code::OWN_TRY => Instr::OwnTry(self.byte()?),
            code::OWN_SET => Instr::OwnSet(self.byte()?, self.dests()?),
            code::OWN_TRY_SET => Instr::OwnTrySet(self.byte()?, self.dests()?),
            code::RUN_SET => Instr::RunSet(UseId(self.index()?), ProgramId(self.index()?), self.dests()?),
            code::RUN_TRY_SET => Instr::RunTrySet(UseId(self.index()?), ProgramId(self.index()?), self.dests()?),
            code::RUN_SEND => Instr::RunSend(UseId(self.index()?), ProgramId(self.index()?)),
            _ => self.operator(byte)?,
        })
    }

    fn operator(&mut self, byte: u8) -> Result<Instr<'a>, DecodeError> {
        let short = u16::from(byte);
        let code = match byte {
            EXTENDED => u16::try_from(self.index()?).ok().and_then(|code| code.checked_add(FIRST_EXTENDED)),
            _ => (FIRST_OPERATOR..=LAST_SHORT).contains(&short).then_some(short),
        };
        let op = code.and_then(Op::from_code).ok_or(DecodeError::UnknownCode(byte))?;
        let form = op.info().form;
        let mut immediate = Immediate::default();
        if form.has_offset() {
            immediate.offset = self.index()?;
        }
        if form.lanes().is_some() {
            immediate.lane = self.byte()?;
        }
        Ok(Instr::Op(op, immediate))
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

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let bytes = *rest.first_chunk::<N>().ok_or(LebError::Truncated)?;
        self.at += N;
        Ok(bytes)
    }

    fn bits(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    fn bits32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    fn def(&mut self) -> Result<TypeId, DecodeError> {
        self.index().map(TypeId)
    }

    fn boolean(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::BadBool(other)),
        }
    }

    fn ty(&mut self) -> Result<Type, DecodeError> {
        match self.byte()? {
            Type::REF_CODE => self.def().map(Type::Ref),
            Type::OPT_CODE => self.def().map(Type::Opt),
            byte => Type::plain(byte).ok_or(DecodeError::UnknownType(byte)),
        }
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
            Instr::Send(id, opcode) => self.device(code::SEND, id.0, opcode),
            Instr::Cond(ty) => self.typed(code::COND, ty),
            Instr::Test => self.bytes.push(code::TEST),
            Instr::Op(op, immediate) => self.operator(op, immediate),
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
                self.device(code::SEND_SET, id.0, opcode);
                self.list(dests.count, dests.bytes);
            }
            Instr::TrySet(id, opcode, dests) => {
                self.device(code::TRY_SET, id.0, opcode);
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
            Instr::F32Const(bits) => {
                self.bytes.push(code::F32_CONST);
                self.bytes.extend_from_slice(&bits.to_le_bytes());
            }
            Instr::Null(ty) => self.typed(code::NULL, ty),
            Instr::GlobalTake(id) => self.indexed(code::GLOBAL_TAKE, id.0),
            Instr::StructNew(id) => self.indexed(code::STRUCT_NEW, id.0),
            Instr::FieldGet(id, field) => self.indexed2(code::FIELD_GET, id.0, field.0),
            Instr::FieldTake(id, field) => self.indexed2(code::FIELD_TAKE, id.0, field.0),
            Instr::FieldSet(id, field) => self.indexed2(code::FIELD_SET, id.0, field.0),
            Instr::ArrayNew(id) => self.indexed(code::ARRAY_NEW, id.0),
            Instr::ArrayOf(id, count) => self.indexed2(code::ARRAY_OF, id.0, count),
            Instr::ArrayGet(id) => self.indexed(code::ARRAY_GET, id.0),
            Instr::ArrayTake(id) => self.indexed(code::ARRAY_TAKE, id.0),
            Instr::ArraySet(id) => self.indexed(code::ARRAY_SET, id.0),
            Instr::ArrayLen => self.bytes.push(code::ARRAY_LEN),
            Instr::RefEq => self.bytes.push(code::REF_EQ),
            Instr::RefNe => self.bytes.push(code::REF_NE),
            Instr::Is(ty) => self.typed(code::IS, ty),
            Instr::As(ty) => self.typed(code::AS, ty),
            Instr::IfAs(ty, local) => {
                self.typed(code::IF_AS, ty);
                leb::write_u64(&mut self.bytes, u64::from(local.0));
            }
            Instr::Freeze => self.bytes.push(code::FREEZE),
            Instr::FuncRef(func, ty) => self.indexed2(code::FUNC_REF, func.0, ty.0),
            Instr::CallRef(id) => self.indexed(code::CALL_REF, id.0),
            Instr::CallRefSet(id, dests) => {
                self.indexed(code::CALL_REF_SET, id.0);
                self.list(dests.count, dests.bytes);
            }
            Instr::ReturnCall(id) => self.indexed(code::RETURN_CALL, id.0),
            Instr::ReturnCallRef(id) => self.indexed(code::RETURN_CALL_REF, id.0),
            Instr::Cap(id, ty) => self.indexed2(code::CAP, id.0, ty.0),
            Instr::Attenuate(id) => self.indexed(code::ATTENUATE, id.0),
            Instr::Revoke => self.bytes.push(code::REVOKE),
            Instr::FlushCap => self.bytes.push(code::FLUSH_CAP),
            Instr::Caller => self.bytes.push(code::CALLER),
            Instr::Shuffle(lanes) => {
                self.bytes.push(code::SHUFFLE);
                self.bytes.extend_from_slice(&lanes);
            }
            Instr::Try(id, opcode) => self.device(code::TRY, id.0, opcode),
            Instr::SendTo(id, opcode) => self.device(code::SEND_TO, id.0, opcode),
            Instr::TryTo(id, opcode) => self.device(code::TRY_TO, id.0, opcode),
            Instr::SendToSet(id, opcode, dests) => {
                self.device(code::SEND_TO_SET, id.0, opcode);
                self.list(dests.count, dests.bytes);
            }
            Instr::TryToSet(id, opcode, dests) => {
                self.device(code::TRY_TO_SET, id.0, opcode);
                self.list(dests.count, dests.bytes);
            }
            Instr::Own(opcode) => self.bytes.extend_from_slice(&[code::OWN, opcode]),
            Instr::OwnTry(opcode) => self.bytes.extend_from_slice(&[code::OWN_TRY, opcode]),
            Instr::OwnSet(opcode, dests) => {
                self.bytes.extend_from_slice(&[code::OWN_SET, opcode]);
                self.list(dests.count, dests.bytes);
            }
            Instr::OwnTrySet(opcode, dests) => {
                self.bytes.extend_from_slice(&[code::OWN_TRY_SET, opcode]);
                self.list(dests.count, dests.bytes);
            }
            Instr::RunSet(id, program, dests) => {
                self.indexed2(code::RUN_SET, id.0, program.0);
                self.list(dests.count, dests.bytes);
            }
            Instr::RunTrySet(id, program, dests) => {
                self.indexed2(code::RUN_TRY_SET, id.0, program.0);
                self.list(dests.count, dests.bytes);
            }
            Instr::RunSend(id, program) => self.indexed2(code::RUN_SEND, id.0, program.0),
        }
    }

    fn operator(&mut self, op: Op, immediate: Immediate) {
        let code = op as u16;
        match u8::try_from(code) {
            Ok(short) => self.bytes.push(short),
            Err(_) => {
                self.bytes.push(EXTENDED);
                leb::write_u64(&mut self.bytes, u64::from(code - FIRST_EXTENDED));
            }
        }
        let form = op.info().form;
        if form.has_offset() {
            leb::write_u64(&mut self.bytes, u64::from(immediate.offset));
        }
        if form.lanes().is_some() {
            self.bytes.push(immediate.lane);
        }
    }

    fn typed(&mut self, code: u8, ty: Type) {
        self.bytes.push(code);
        write_type(&mut self.bytes, ty);
    }

    fn indexed2(&mut self, code: u8, first: u32, second: u32) {
        self.indexed(code, first);
        leb::write_u64(&mut self.bytes, u64::from(second));
    }

    /// Appends `call.ref.set`.
    pub fn call_ref_set(&mut self, ty: TypeId, dests: &[Option<LocalId>]) {
        self.indexed(code::CALL_REF_SET, ty.0);
        self.dests(dests);
    }

    /// Appends `send.to.set`.
    pub fn send_to_set(&mut self, ty: TypeId, opcode: u8, dests: &[Option<LocalId>]) {
        self.device(code::SEND_TO_SET, ty.0, opcode);
        self.dests(dests);
    }

    /// Appends `try.to.set`; the first destination takes the status.
    pub fn try_to_set(&mut self, ty: TypeId, opcode: u8, dests: &[Option<LocalId>]) {
        self.device(code::TRY_TO_SET, ty.0, opcode);
        self.dests(dests);
    }

    /// Appends `own.set`.
    pub fn own_set(&mut self, opcode: u8, dests: &[Option<LocalId>]) {
        self.bytes.extend_from_slice(&[code::OWN_SET, opcode]);
        self.dests(dests);
    }

    /// Appends `own.try.set`; the first destination takes the status.
    pub fn own_try_set(&mut self, opcode: u8, dests: &[Option<LocalId>]) {
        self.bytes.extend_from_slice(&[code::OWN_TRY_SET, opcode]);
        self.dests(dests);
    }

    /// Appends `run.set`.
    pub fn run_set(&mut self, target: UseId, program: ProgramId, dests: &[Option<LocalId>]) {
        self.indexed2(code::RUN_SET, target.0, program.0);
        self.dests(dests);
    }

    /// Appends `run.try.set`; the first destination takes the status.
    pub fn run_try_set(&mut self, target: UseId, program: ProgramId, dests: &[Option<LocalId>]) {
        self.indexed2(code::RUN_TRY_SET, target.0, program.0);
        self.dests(dests);
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
        self.device(code::SEND_SET, target.0, opcode);
        self.dests(dests);
    }

    /// Appends `try.set`; the first destination takes the status.
    pub fn try_set(&mut self, target: UseId, opcode: u8, dests: &[Option<LocalId>]) {
        self.device(code::TRY_SET, target.0, opcode);
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

    fn device(&mut self, code: u8, target: u32, opcode: u8) {
        self.indexed(code, target);
        self.bytes.push(opcode);
    }
}

/// Appends a type's encoding.
pub fn write_type(out: &mut Vec<u8>, ty: Type) {
    out.push(ty.code());
    if let Some(id) = ty.def() {
        leb::write_u64(out, u64::from(id.0));
    }
}
