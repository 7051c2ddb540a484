//! The typing rule of each structural instruction, in words, and what it belongs to (reference, chapter
//! "Instructions").
//!
//! Neither `match` has a wildcard arm, so an instruction without a rule does not compile. The stack column of
//! [`super::TABLE`] gives the shape; a rule says what the names in it stand for, and what else must hold. "`T`"
//! alone means any type; an operand may always have a subtype of what is written.

use super::Instr;

/// What an instruction has to do with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// Values given in the instruction itself.
    Constant,
    /// Locals and globals.
    Variable,
    /// Computation.
    Operator,
    /// Calls.
    Function,
    /// Order of execution.
    Control,
    /// Structs, arrays and references.
    Object,
    /// Capabilities, device instructions and events.
    Device,
    /// Device programs.
    Program,
}

impl Instr<'_> {
    /// The part of the reference's chapter that describes it.
    pub const fn family(&self) -> Family {
        match self {
            Instr::I32Const(_) | Instr::I64Const(_) | Instr::F32Const(_) | Instr::F64Const(_) => Family::Constant,
            Instr::BoolConst(_) | Instr::StrConst(_) | Instr::Null(_) => Family::Constant,
            Instr::Get(_) | Instr::Take(_) | Instr::Set(_) => Family::Variable,
            Instr::GlobalGet(_) | Instr::GlobalTake(_) | Instr::GlobalSet(_) => Family::Variable,
            Instr::Op(_, _) | Instr::Shuffle(_) | Instr::Select(_) => Family::Operator,
            Instr::MemoryInit(_, _) | Instr::DataDrop(_) => Family::Operator,
            Instr::Call(_) | Instr::CallSet(_, _) | Instr::FuncRef(_, _) => Family::Function,
            Instr::CallRef(_) | Instr::CallRefSet(_, _) => Family::Function,
            Instr::Return | Instr::ReturnCall(_) | Instr::ReturnCallRef(_) => Family::Function,
            Instr::Cond(_) | Instr::Test | Instr::If | Instr::Else | Instr::IfAs(_, _) => Family::Control,
            Instr::Loop | Instr::While | Instr::For(_) | Instr::Break(_) | Instr::Continue(_) => Family::Control,
            Instr::Switch | Instr::Arm(_) | Instr::Default | Instr::End | Instr::Block => Family::Control,
            Instr::Exit | Instr::Trap(_) | Instr::Assert(_) => Family::Control,
            Instr::StructNew(_) | Instr::FieldGet(_, _) | Instr::FieldTake(_, _) => Family::Object,
            Instr::FieldSet(_, _) | Instr::ArrayNew(_) | Instr::ArrayOf(_, _) | Instr::ArrayGet(_) => Family::Object,
            Instr::ArrayTake(_) | Instr::ArraySet(_) | Instr::ArrayLen => Family::Object,
            Instr::RefEq | Instr::RefNe | Instr::Is(_) | Instr::As(_) | Instr::Freeze => Family::Object,
            Instr::Send(_, _) | Instr::SendSet(_, _, _) | Instr::Try(_, _) | Instr::TrySet(_, _, _) => Family::Device,
            Instr::SendTo(_, _) | Instr::SendToSet(_, _, _) => Family::Device,
            Instr::TryTo(_, _) | Instr::TryToSet(_, _, _) => Family::Device,
            Instr::Cap(_, _) | Instr::Attenuate(_) | Instr::Revoke => Family::Device,
            Instr::Flush(_) | Instr::FlushCap | Instr::Wait | Instr::WaitForever => Family::Device,
            Instr::Emit(_, _) | Instr::EmitTo(_, _) | Instr::Fail | Instr::Caller => Family::Device,
            Instr::Forward(_, _) | Instr::ForwardTo(_, _) => Family::Device,
            Instr::Own(_) | Instr::OwnTry(_) | Instr::OwnSet(_, _) | Instr::OwnTrySet(_, _) => Family::Program,
            Instr::RunSet(_, _, _) | Instr::RunTrySet(_, _, _) | Instr::RunSend(_, _) => Family::Program,
        }
    }

    /// What must hold for the instruction to be valid, besides its operands' number. Empty for an operator, whose
    /// types stand in its line of the table.
    pub const fn rule(&self) -> &'static str {
        match self {
            Instr::I32Const(_) | Instr::I64Const(_) | Instr::BoolConst(_) => "Always valid.",
            Instr::F32Const(_) | Instr::F64Const(_) => "Always valid; any bits, NaNs included.",
            Instr::StrConst(_) => "The literal exists.",
            Instr::Null(_) => "`ty` is nullable.",
            Instr::Get(_) => {
                "`T` is the local's type, but `ref buf` if that is `buf`; not `?buf`. The local is available."
            }
            Instr::Take(_) => {
                "The local has type `buf` or `?buf`, which is the result's; it is available, and no operand on the \
                 stack borrows it. Afterwards it is not available."
            }
            Instr::GlobalGet(_) => {
                "`T` is the global's type; not `?buf`. In a pure function or a program the global is not `mut`."
            }
            Instr::GlobalTake(_) => "The global has type `?buf`. Not in a pure function or a program.",
            Instr::GlobalSet(_) => "The global is `mut`, `T` its type. Not in a pure function or a program.",
            Instr::Call(_) => {
                "The function is entered by calls only, has these parameters and the one result `T`. In a pure \
                 function or a program it is pure."
            }
            Instr::CallSet(_, _) => {
                "As `call`, with any number of results; there are as many destinations as results, and each takes \
                 its result's type."
            }
            Instr::FuncRef(_, _) => {
                "The function is entered by calls only; `ty` is a function type with exactly its parameters and \
                 results. Not in a pure function or a program."
            }
            Instr::CallRef(_) => {
                "`ty` is a function type with the one result `T`. Not in a pure function or a program."
            }
            Instr::CallRefSet(_, _) => {
                "`ty` is a function type; destinations as for `call.set`. Not in a pure function or a program."
            }
            Instr::ReturnCall(_) => {
                "As `call`, but the function's results are subtypes, one by one, of this function's. A `ref buf` \
                 argument is a `ref buf` parameter of this function."
            }
            Instr::ReturnCallRef(_) => {
                "`ty` is a function type whose results are subtypes of this function's. A `ref buf` argument is a \
                 `ref buf` parameter of this function. Not in a pure function or a program."
            }

            Instr::Cond(_) => {
                "`ty` is not `ref buf`. Up to `test` stands one tree of type `bool`; each of the two branches is one \
                 tree of type `ty`. What is available after it is what is so at the end of both."
            }
            Instr::Test => {
                "The innermost construct is a `cond` or `while` whose condition ends here: it has left exactly one `bool`."
            }
            Instr::If => {
                "Up to `else` or `end` stands a list of statements, another one between `else` and `end`. What is \
                 available after it is what is so at the end of both; without `else`, what was so before it counts \
                 for the second."
            }
            Instr::Else => "The innermost construct is an `if`, `if.as` or `cond` in its first branch.",
            Instr::Loop => {
                "What is available at its head is so again at its end and at each `continue`. What is available after \
                 it is what is so at every `break`; without one nothing after it is reached."
            }
            Instr::While => {
                "As `loop`; after it, what is available when its condition has been computed and at every `break`."
            }
            Instr::For(_) => {
                "The local is `i32` or `i64`, as are start and end; it is available in the body. Else as `while`."
            }
            Instr::Switch => "The operand is `i32` or `i64`. Arms follow, then perhaps `default`, then `end`.",
            Instr::Arm(_) => {
                "The innermost construct is a `switch` without `default` so far. At least one value; none twice in \
                 one `switch`; each fits the operand's type."
            }
            Instr::Default => "The innermost construct is a `switch` without `default` so far.",
            Instr::End => "Some construct is open; a `cond` has had its `else`.",
            Instr::Block => {
                "What is available after it is what is so at its end and at every `break`; if neither is reached, nothing \
                 after it is."
            }
            Instr::Break(_) => "`depth` is less than the number of enclosing loops and blocks.",
            Instr::Continue(_) => {
                "`depth` is less than the number of enclosing loops and blocks, and names a loop; the loop's rule holds here."
            }
            Instr::Select(_) => "`ty` is `T`: not `buf`, `?buf` or `ref buf`.",
            Instr::MemoryInit(_, _) => "The segment and the memory exist. Not in a pure function or a program.",
            Instr::DataDrop(_) => "The segment exists. Not in a pure function or a program.",
            Instr::Exit => "Not in a pure function or a program.",

            Instr::Set(_) => {
                "One destination at least, and as many values as destinations. A destination that is a local takes \
                 its value's type, is not a `ref buf` parameter, and stands once. No value is a `ref buf`. Afterwards \
                 the destinations are available."
            }
            Instr::Return => "The results are this function's.",
            Instr::Trap(_) | Instr::Assert(_) => "The literal exists.",

            Instr::Send(_, _) => {
                "The capability exists and its set, as embedded, has the instruction: waiting, with these operands and \
                 the one result `T`. Not in a pure function or a program."
            }
            Instr::SendSet(_, _, _) => {
                "As `send`, but the instruction has any number of results, or is streamed; there are as many \
                 destinations as results, and each takes its result's type."
            }
            Instr::Try(_, _) => "As `send`, for a waiting instruction without results.",
            Instr::TrySet(_, _, _) => {
                "As `send`, for any waiting instruction. The first destination takes an `i32`; each other one takes its \
                 result's type, or that made nullable if it is a reference other than `str`."
            }
            Instr::Cap(_, _) => {
                "The capability exists; `ty` is a capability type of its set. Not in a pure function or a program."
            }
            Instr::SendTo(_, _) | Instr::SendToSet(_, _, _) | Instr::TryTo(_, _) | Instr::TryToSet(_, _, _) => {
                "`ty` is a capability type that has the instruction; else as the form without `.to`."
            }
            Instr::Attenuate(_) => {
                "`ty` is a capability type, of which the operand's is a subtype: it has these instructions, or more. \
                 Not in a pure function or a program."
            }
            Instr::Revoke | Instr::FlushCap => {
                "The operand has a capability type. Not in a pure function or a program."
            }
            Instr::Flush(_) => "The capability exists. Not in a pure function or a program.",
            Instr::Emit(_, _) | Instr::EmitTo(_, _) => {
                "The module provides that set, which has the event, with these operands. Not in a pure function or a \
                 program."
            }
            Instr::Fail | Instr::Caller => "In an `op` only, which is not pure.",
            Instr::Forward(_, _) => {
                "In an `op` only, which is not pure. The capability exists and its set, as embedded, has the instruction, \
                 with these operands. It waits if the `op` answers one that waits, and its results are the `op`'s own."
            }
            Instr::ForwardTo(_, _) => "`ty` is a capability type that has the instruction; else as `forward`.",
            Instr::Wait | Instr::WaitForever => "Not in a pure function or a program.",
            Instr::Own(_) => {
                "In a program only; its set, as embedded, has the instruction: waiting, with the one result `T`."
            }
            Instr::OwnTry(_) => "In a program only; its set has the instruction: waiting, without results.",
            Instr::OwnSet(_, _) => "In a program only; its set has the instruction; as many destinations as results.",
            Instr::OwnTrySet(_, _) => {
                "In a program only; its set has the instruction, which waits. Destinations as for `try.set`."
            }
            Instr::RunSet(_, _, _) => {
                "Capability and program exist and are of one set; operands and destinations are the program's. Not in \
                 a pure function or a program."
            }
            Instr::RunTrySet(_, _, _) => "As `run.set`; destinations as for `try.set`.",
            Instr::RunSend(_, _) => "As `run.set`, for a program without results.",

            Instr::StructNew(_) => "`ty` is the struct `S`; there is one operand a field, the inherited ones first.",
            Instr::FieldGet(_, _) => "`ty` is the struct `S`, which has the field; `T` is its value type, not `?buf`.",
            Instr::FieldTake(_, _) => "`ty` is the struct `S`, which has the field; it is `mut` and of type `?buf`.",
            Instr::FieldSet(_, _) => "`ty` is the struct `S`, which has the field; it is `mut`, `T` its value type.",
            Instr::ArrayNew(_) => {
                "`ty` is an array type, `T` its value type. If that is `?buf`, the fill is the instruction `null`."
            }
            Instr::ArrayOf(_, _) => "`ty` is an array type; there are `count` operands of its value type.",
            Instr::ArrayGet(_) => "`ty` is an array type, `T` its value type, not `?buf`.",
            Instr::ArrayTake(_) => "`ty` is the array type `mut [?buf]`.",
            Instr::ArraySet(_) => "`ty` is a mutable array type, `T` its value type.",
            Instr::ArrayLen => "The operand has an array type.",
            Instr::RefEq | Instr::RefNe => {
                "Both operands have reference types. If one has type `str` or `?str`, the other is the instruction `null`."
            }
            Instr::Is(_) => "The operand has a reference type, and `ty` is one.",
            Instr::As(_) => "The operand has a reference type, and `ty` is one; or they are `?buf` and `buf`.",
            Instr::IfAs(_, _) => {
                "As `as`; `ty` is a subtype of the local's type. The local is available in the first branch. Else as `if`."
            }
            Instr::Freeze => {
                "`T` is a sendable reference type: `str`, a frozen struct, an immutable array of sendables, or one of these made nullable."
            }
            Instr::Shuffle(_) => "Each of the sixteen numbers is below 32.",
            Instr::Op(_, _) => "",
        }
    }
}
