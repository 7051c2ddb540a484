//! The instructions of a function body: one line an instruction, everything else derived from it.
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
//!        | tree tree shuffle | tree tree tree select | caller
//! stmt   = tree* set | tree global.set | tree* op0 | tree tree field.set | tree tree tree array.set
//!        | tree* call.set | tree tree* call.ref.set | tree* send.set | tree* try.set
//!        | tree tree* send.to.set | tree tree* try.to.set | tree* own.set | tree* own.try.set
//!        | tree* run.set | tree* run.try.set | tree* run.send
//!        | tree* emit | tree* tree emit.to | tree fail | tree* forward | tree tree* forward.to
//!        | tree* return | tree* return.call | tree tree* return.call.ref | tree exit | trap | tree assert | wait | wait_forever | flush | tree flush.cap | tree revoke
//!        | tree if stmt* [else stmt*] end
//!        | tree if.as(T, local) stmt* [else stmt*] end   // the local is assigned in the first branch only
//!        | tree tree tree memory.init | data.drop
//!        | block stmt* end
//!        | loop stmt* end                       // repeats at its end
//!        | while tree test stmt* end
//!        | tree tree for(local) stmt* end       // local = start; while local < end
//!        | tree switch {arm stmt*} [default stmt*] end
//!        | break depth | continue depth         // depth counts enclosing block, loop, while, for; 0 is innermost
//! ```
//!
//! What a reference or capability is applied to comes first: `call.ref` pops arguments, then the function;
//! `send.to` operands, then the capability; `field.set` the value, then the object.
//!
//! `break`, `continue`, `return`, `return.call`, `trap`, `fail`, `forward`... end the list of statements they stand in:
//! what follows a terminator is refused (`fail` answers the request and returns from the `op`; `forward` leaves the
//! answer to another VM, and returns).

mod codec;
mod rule;

use crate::leb;
use crate::op::{Immediate, Op};
use crate::types::{
    DataId, FieldId, FuncId, GlobalId, LocalId, MemoryId, ProgramId, ProvidedId, StrId, Type, TypeId, UseId,
};

pub use codec::{DecodeError, Reader, Writer, write_type};
pub use rule::Family;

/// Where an instruction may stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In an expression tree.
    Tree,
    /// At a statement's root.
    Statement,
    /// At a statement's root; it ends the list of statements.
    Terminator,
    /// It opens, divides or closes a construct.
    Construct,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct InstrInfo {
    /// The first byte.
    pub code: u8,
    /// Its Rust name, e.g. `StructNew`.
    pub name: &'static str,
    /// Its name in the reference, e.g. `struct.new`.
    pub mnemonic: &'static str,
    /// What is encoded after the code: (name, kind).
    pub immediates: &'static [(&'static str, &'static str)],
    /// Where it may stand.
    pub place: Place,
    /// Operands, first pushed first, and result.
    pub stack: &'static str,
    /// What it does.
    pub doc: &'static str,
}

macro_rules! instructions {
    ($($(#[doc = $doc:literal])+ $code:literal $name:ident $(($($imm:ident: $kind:ident),+))? $mnemonic:literal $place:ident $stack:literal;)*) => {
        /// One decoded instruction.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Instr<'a> {
            $($(#[doc = $doc])+ $name $(($(instructions!(@type $kind)),+))?,)*
            /// An operator of the table, with what its form encodes.
            Op(Op, Immediate),
        }

        /// Every instruction but the operators of [`crate::op`], by ascending code.
        pub const TABLE: &[InstrInfo] = &[$(InstrInfo {
            code: $code,
            name: stringify!($name),
            mnemonic: $mnemonic,
            immediates: &[$($((stringify!($imm), stringify!($kind))),+)?],
            place: Place::$place,
            stack: $stack,
            doc: concat!($($doc),+),
        },)*];

        impl<'a> Reader<'a> {
            /// The instruction whose first byte is `code`, which has been read. Each arm makes the whole result, so
            /// that it is written once.
            #[inline]
            fn instr(&mut self, code: u8) -> Result<Option<Instr<'a>>, DecodeError> {
                match code {
                    $($code => Ok(Some(
                        Instr::$name $(($(<instructions!(@codec $kind) as codec::Encoded>::read(self)?.into()),+))?
                    )),)*
                    _ => self.operator(code),
                }
            }
        }

        impl Writer {
            /// Appends an instruction (also one that was read from another body).
            pub fn push(&mut self, instr: Instr<'_>) {
                match instr {
                    $(Instr::$name $(($($imm),+))? => {
                        self.bytes.push($code);
                        $($(codec::Encoded::write(&<instructions!(@codec $kind)>::from($imm), &mut self.bytes);)+)?
                    })*
                    Instr::Op(op, immediate) => self.operator(op, immediate),
                }
            }
        }
    };
    (@type i32) => { i32 };
    (@type i64) => { i64 };
    (@type f32) => { u32 };
    (@type f64) => { u64 };
    (@type bool) => { bool };
    (@type str) => { StrId };
    (@type local) => { LocalId };
    (@type global) => { GlobalId };
    (@type memory) => { MemoryId };
    (@type data) => { DataId };
    (@type func) => { FuncId };
    (@type cap) => { UseId };
    (@type program) => { ProgramId };
    (@type provided) => { ProvidedId };
    (@type def) => { TypeId };
    (@type field) => { FieldId };
    (@type type) => { Type };
    (@type opcode) => { u8 };
    (@type event) => { u8 };
    (@type depth) => { u32 };
    (@type count) => { u32 };
    (@type lanes) => { [u8; 16] };
    (@type dests) => { Dests<'a> };
    (@type values) => { ArmValues<'a> };
    (@codec f32) => { codec::Bits32 };
    (@codec f64) => { codec::Bits64 };
    (@codec dests) => { Dests<'_> };
    (@codec values) => { ArmValues<'_> };
    (@codec $kind:tt) => { instructions!(@type $kind) };
}

instructions! {
    /// A number.
    0x01 I32Const(value: i32) "i32.const" Tree "→ i32";
    /// A number.
    0x02 I64Const(value: i64) "i64.const" Tree "→ i64";
    /// A number, given by its bits.
    0x03 F64Const(bits: f64) "f64.const" Tree "→ f64";
    /// `false` or `true`.
    0x04 BoolConst(value: bool) "bool.const" Tree "→ bool";
    /// A literal.
    0x05 StrConst(literal: str) "str.const" Tree "→ str";
    /// A local's value. Of a `buf` or `ref buf` local: borrows it, giving a `ref buf`. The local must be assigned on
    /// every way here.
    0x06 Get(local: local) "get" Tree "→ T";
    /// Moves a `buf` or `?buf` out of its local, which has none from here on. Not while it is borrowed.
    0x07 Take(local: local) "take" Tree "→ buf, ?buf";
    /// A global's value; not of a `?buf` global.
    0x08 GlobalGet(global: global) "global.get" Tree "→ T";
    /// Calls a function of exactly one result. Ops, handlers, programs and tests cannot be called.
    0x09 Call(func: func) "call" Tree "params.. → T";
    /// Executes a device instruction of exactly one result, waiting for it; traps if it fails.
    0x0a Send(cap: cap, opcode: opcode) "send" Tree "operands.. → T";
    /// Opens `cond T c test a else b end`: the value of `a` if `c` is true, else of `b`.
    0x0b Cond(ty: type) "cond" Construct "→ T";
    /// Ends the condition of `cond` or `while`.
    0x0c Test "test" Construct "bool →";
    /// Assigns as many values as there are destinations, all at once; a destination can be nothing.
    0x10 Set(dests: dests) "set" Statement "values.. →";
    /// Assigns a `mut` global.
    0x11 GlobalSet(global: global) "global.set" Statement "T →";
    /// Calls a function; its results go to the destinations.
    0x12 CallSet(func: func, dests: dests) "call.set" Statement "params.. →";
    /// Executes a device instruction; its results go to the destinations. A streamed one has none and is not waited
    /// for.
    0x13 SendSet(cap: cap, opcode: opcode, dests: dests) "send.set" Statement "operands.. →";
    /// Executes a waiting device instruction; the status goes to the first destination, the results to the others:
    /// zero, false, empty or null if it failed.
    0x14 TrySet(cap: cap, opcode: opcode, dests: dests) "try.set" Statement "operands.. →";
    /// Raises an event of a provided set at all who handle it.
    0x15 Emit(provided: provided, event: event) "emit" Statement "operands.. →";
    /// Answers the current request with a status, and returns from the `op`.
    0x16 Fail "fail" Terminator "status: i32 →";
    /// Returns the function's results.
    0x17 Return "return" Terminator "results.. →";
    /// Ends the VM, saying why.
    0x18 Trap(literal: str) "trap" Terminator "→";
    /// Ends the VM with this text if the condition is false.
    0x19 Assert(literal: str) "assert" Statement "bool →";
    /// Runs one handler, waiting for an event if need be. Traps in a handler.
    0x1a Wait "wait" Statement "→";
    /// Runs handlers for ever. Traps in a handler.
    0x1b WaitForever "wait_forever" Statement "→";
    /// Waits until all that was sent on a capability has been executed; raises what failed.
    0x1c Flush(cap: cap) "flush" Statement "→";
    /// Opens the branch for true.
    0x20 If "if" Construct "bool →";
    /// Opens the other branch of `if`, `if.as` or `cond`.
    0x21 Else "else" Construct "→";
    /// Repeats its body until left.
    0x22 Loop "loop" Construct "→";
    /// Opens a loop whose condition stands between it and `test`.
    0x23 While "while" Construct "→";
    /// Counts the local (`i32` or `i64`) from start to below end, signed; both are computed once. Each turn assigns the
    /// local anew: the count is kept apart from it.
    0x24 For(local: local) "for" Construct "start, end →";
    /// Chooses an arm. Without `default`, no arm may be chosen.
    0x25 Switch "switch" Construct "i32 or i64 →";
    /// Opens the arm for these values, which no other arm of the switch has.
    0x26 Arm(values: values) "arm" Construct "→";
    /// Opens the arm for all other values; the last one.
    0x27 Default "default" Construct "→";
    /// Closes the innermost construct.
    0x28 End "end" Construct "→";
    /// Leaves the depth-th enclosing loop or block; 0 is the innermost. Only loops and blocks are counted.
    0x29 Break(depth: depth) "break" Terminator "→";
    /// Goes to the next turn of the depth-th enclosing loop or block, which is a loop.
    0x2a Continue(depth: depth) "continue" Terminator "→";
    /// Statements that `break` can leave.
    0x2b Block "block" Construct "→";
    /// `a` if the condition is true, else `b`; all three are computed.
    0x2c Select(ty: type) "select" Tree "a: T, b: T, bool → T";
    /// Copies bytes of a data segment into a memory; traps if either range is exceeded, before it writes.
    0x2d MemoryInit(data: data, memory: memory) "memory.init" Statement "to: i32, from: i32, length: i32 →";
    /// Forgets a data segment's bytes: it is empty from here on.
    0x2e DataDrop(data: data) "data.drop" Statement "→";
    /// Ends the VM as the return of `main` does, with an exit code.
    0x2f Exit "exit" Terminator "code: i32 →";
    /// A number, given by its bits.
    0xca F32Const(bits: f32) "f32.const" Tree "→ f32";
    /// Null, of this nullable type.
    0xcb Null(ty: type) "null" Tree "→ ?T";
    /// Moves a `?buf` out of a `mut` global, leaving null.
    0xcc GlobalTake(global: global) "global.take" Tree "→ ?buf";
    /// A new struct of these fields, the inherited ones first. Traps when the memory quota is used up.
    0xcd StructNew(ty: def) "struct.new" Tree "fields.. → S";
    /// A field; packed ones are extended to `i32`. Not of a `?buf` field.
    0xce FieldGet(ty: def, field: field) "field.get" Tree "S → T";
    /// Moves a `?buf` out of a `mut` field, leaving null.
    0xcf FieldTake(ty: def, field: field) "field.take" Tree "S → ?buf";
    /// Assigns a `mut` field; packed ones are truncated. A `?buf` that it held is freed.
    0xd0 FieldSet(ty: def, field: field) "field.set" Statement "S, T →";
    /// A new array, every element the fill; the length is unsigned. Of `?buf` the fill is `null`. Traps when the
    /// memory quota is used up.
    0xd1 ArrayNew(ty: def) "array.new" Tree "length: i32, fill: T → [T]";
    /// A new array of so many elements. Traps when the memory quota is used up.
    0xd2 ArrayOf(ty: def, count: count) "array.of" Tree "elements.. → [T]";
    /// An element; traps if the index, unsigned, is not below the length. Not of `?buf` elements.
    0xd3 ArrayGet(ty: def) "array.get" Tree "[T], index: i32 → T";
    /// Moves an element out, leaving null; traps as `array.get`.
    0xd4 ArrayTake(ty: def) "array.take" Tree "mut [?buf], index: i32 → ?buf";
    /// Assigns an element; traps as `array.get`. A `?buf` that it held is freed.
    0xd5 ArraySet(ty: def) "array.set" Statement "mut [T], index: i32, T →";
    /// The number of elements.
    0xd6 ArrayLen "array.len" Tree "any array → i32";
    /// Whether two references name the same object, or are both null.
    0xd7 RefEq "ref.eq" Tree "A, B → bool";
    /// The opposite.
    0xd8 RefNe "ref.ne" Tree "A, B → bool";
    /// Whether a reference is a value of this type.
    0xd9 Is(ty: type) "is" Tree "reference → bool";
    /// The same reference, as this type; traps if it is none of its values.
    0xda As(ty: type) "as" Tree "reference or ?buf → T";
    /// If the reference is a value of this type, assigns it to the local and takes the first branch; the local is
    /// assigned there only.
    0xdb IfAs(ty: type, local: local) "if.as" Construct "reference or ?buf →";
    /// The same value in shared memory; what is not there yet is copied, once. `T` is sendable.
    0xdc Freeze "freeze" Tree "T → T";
    /// A reference to a function, of this function type, which is its own.
    0xdd FuncRef(func: func, ty: def) "func.ref" Tree "→ func(..)";
    /// Calls through a reference; exactly one result.
    0xde CallRef(ty: def) "call.ref" Tree "func(..), params.. → T";
    /// Calls through a reference; the results go to the destinations.
    0xdf CallRefSet(ty: def, dests: dests) "call.ref.set" Statement "func(..), params.. →";
    /// Calls a function in the place of this one, whose results are its own.
    0xe0 ReturnCall(func: func) "return.call" Terminator "params.. →";
    /// The same through a reference.
    0xe1 ReturnCallRef(ty: def) "return.call.ref" Terminator "func(..), params.. →";
    /// A wanted capability as a value.
    0xe2 Cap(cap: cap, ty: def) "cap" Tree "→ ISA(..)";
    /// A capability of its own with these instructions only, which can be revoked by itself.
    0xe3 Attenuate(ty: def) "attenuate" Tree "capability → ISA(..)";
    /// Kills a capability that was attenuated here, wherever it went.
    0xe4 Revoke "revoke" Statement "capability →";
    /// `flush` of a capability that is a value.
    0xe5 FlushCap "flush.cap" Statement "capability →";
    /// Who sent the request under way, as the base knows it. Only in an `op`.
    0xe6 Caller "caller" Tree "→ i32";
    /// Bytes by number: 0 to 15 are those of `a`, 16 to 31 those of `b`.
    0xe7 Shuffle(lanes: lanes) "i8x16.shuffle" Tree "a: v128, b: v128 → v128";
    /// Executes a waiting device instruction without results; its status.
    0xe8 Try(cap: cap, opcode: opcode) "try" Tree "operands.. → i32";
    /// `send` through a capability that is a value.
    0xe9 SendTo(ty: def, opcode: opcode) "send.to" Tree "capability, operands.. → T";
    /// `try` through a capability that is a value.
    0xea TryTo(ty: def, opcode: opcode) "try.to" Tree "capability, operands.. → i32";
    /// `send.set` through a capability that is a value.
    0xeb SendToSet(ty: def, opcode: opcode, dests: dests) "send.to.set" Statement "capability, operands.. →";
    /// `try.set` through a capability that is a value.
    0xec TryToSet(ty: def, opcode: opcode, dests: dests) "try.to.set" Statement "capability, operands.. →";
    /// In a `program`: executes an instruction of its set, of exactly one result; traps if it fails.
    0xed Own(opcode: opcode) "own" Tree "operands.. → T";
    /// In a `program`: the status of an instruction of its set that has no results.
    0xee OwnTry(opcode: opcode) "own.try" Tree "operands.. → i32";
    /// In a `program`: executes an instruction of its set; its results go to the destinations.
    0xef OwnSet(opcode: opcode, dests: dests) "own.set" Statement "operands.. →";
    /// In a `program`: the same, the status going to the first destination.
    0xf0 OwnTrySet(opcode: opcode, dests: dests) "own.try.set" Statement "operands.. →";
    /// Runs a program in the VM behind the capability, waiting; its results go to the destinations.
    0xf1 RunSet(cap: cap, program: program, dests: dests) "run.set" Statement "params.. →";
    /// The same, the status going to the first destination.
    0xf2 RunTrySet(cap: cap, program: program, dests: dests) "run.try.set" Statement "params.. →";
    /// Runs a program that has no results, not waiting.
    0xf3 RunSend(cap: cap, program: program) "run.send" Statement "params.. →";
    /// Hands the request under way on as a device instruction, whose answer or failure goes to the caller; returns from
    /// the `op`.
    0xf4 Forward(cap: cap, opcode: opcode) "forward" Terminator "operands.. →";
    /// `forward` through a capability that is a value.
    0xf5 ForwardTo(ty: def, opcode: opcode) "forward.to" Terminator "capability, operands.. →";
    /// Raises an event of a provided set at the one VM whose `caller` this is, if it handles the event.
    0xf6 EmitTo(provided: provided, event: event) "emit.to" Statement "operands.., caller: i32 →";
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
