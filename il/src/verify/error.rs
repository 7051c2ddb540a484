//! Why a module is refused.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use crate::instr::DecodeError;
use crate::leb::LebError;
use crate::{Func, FuncId, LocalId, Module, Type};

/// A refused module: which rule it breaks, where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// The function; `None` if the module's tables are at fault.
    pub func: Option<FuncId>,
    /// Its name.
    pub func_name: Option<String>,
    /// Byte offset of the instruction in the function's body.
    pub offset: u32,
    /// Source file, if the module carries names.
    pub file: Option<String>,
    /// Source line, if the module carries lines.
    pub line: Option<u32>,
    /// The broken rule.
    pub kind: Violation,
    /// What is wrong and how to repair it, with the source's names.
    pub message: String,
}

/// The rules of a valid module, by how they are broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// More than [`crate::limits`] allow.
    Limit {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// An index beyond its table.
    NoSuch {
        /// Of what.
        what: &'static str,
        /// The index or number.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// A name that is not an identifier (or dotted path), or is reserved.
    BadName {
        /// Of what.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two things with one name or number.
    Duplicate {
        /// What.
        what: &'static str,
        /// The name or number.
        name: String,
    },
    /// Opcodes or event numbers that do not ascend from 1.
    Order {
        /// The set.
        isa: String,
        /// The number that is out of order.
        number: u8,
    },
    /// A type that may not stand there.
    TypeNotAllowed {
        /// Where.
        place: &'static str,
        /// The type.
        ty: Type,
    },
    /// A function whose type is not the one that its use demands.
    Signature {
        /// What the function is used as, e.g. `op shout`.
        role: String,
        /// The type it must have.
        expected: String,
        /// The type it has.
        found: String,
    },
    /// A function that is an op or handler and something else besides.
    SharedEntry {
        /// The function.
        name: String,
    },
    /// The number of ops is not the number of instructions provided.
    OpCount {
        /// Instructions in the set.
        expected: usize,
        /// Ops.
        found: usize,
    },
    /// Memory limits that contradict each other.
    MemoryLimits {
        /// Pages at start.
        min: u32,
        /// Pages at most.
        max: u32,
    },
    /// Data outside the memory's first pages.
    DataOutside {
        /// Where it starts.
        offset: u32,
        /// Its length.
        bytes: usize,
        /// The memory's length at start.
        memory: u64,
    },
    /// A line table that does not ascend, or a name with control characters.
    BadNames(&'static str),

    /// Bytes that are no instruction.
    Malformed(DecodeError),
    /// The body ends inside a construct or tree.
    Unfinished,
    /// An instruction that cannot stand here, e.g. `else` without `if`.
    Misplaced(&'static str),
    /// A statement inside an expression.
    StatementInTree,
    /// Code that control cannot reach.
    AfterTerminator,
    /// A function with results whose end is reached.
    MissingReturn,
    /// An operand of another type.
    Mismatch {
        /// What is needed.
        expected: Type,
        /// What is there.
        found: Type,
    },
    /// Fewer operands than needed.
    MissingOperand(Type),
    /// Operands left over at a statement's end.
    LeftOver(usize),
    /// A tree operator must yield exactly one value.
    NotOneResult {
        /// What was called.
        name: String,
        /// How many results it has.
        results: usize,
    },
    /// Not as many destinations as values.
    DestCount {
        /// Values.
        expected: usize,
        /// Destinations.
        found: usize,
    },
    /// One local twice among the destinations.
    DestTwice(LocalId),
    /// A local read before it is assigned on every path.
    Unset(LocalId),
    /// A `buf` used where it has been moved, or is not assigned, on some path.
    Moved(LocalId),
    /// A `buf` moved while it is borrowed.
    Borrowed(LocalId),
    /// A `buf` that a loop's head has and its back-edge lacks.
    LoopMoves(LocalId),
    /// A borrowed parameter that is moved or assigned.
    NotOwned(LocalId),
    /// An assignment to an immutable global.
    Immutable(u32),
    /// `break` or `continue` beyond the outermost loop.
    NoLoop {
        /// The depth asked for.
        depth: u32,
        /// Enclosing loops.
        loops: usize,
    },
    /// A `for` over a local that is not an integer, or a `switch` over such a value.
    NotAnInteger(Type),
    /// An arm without values.
    EmptyArm,
    /// A value in two arms.
    ArmTwice(i64),
    /// A value that the switched type cannot have.
    ArmOutOfRange(i64),
    /// An arm behind `default`.
    AfterDefault,
    /// A call of an op or handler.
    CallsEntry(String),
    /// A streamed instruction where one that waits is needed.
    Streamed(String),
    /// `fail` outside an op.
    FailOutsideOp,
    /// `emit` in a module that provides no instruction set.
    EmitWithoutSet,
    /// A memory operator in a module without memory.
    NoMemory,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(name) = &self.func_name {
            write!(f, "in `{name}`, byte {} of its body: ", self.offset)?;
        }
        f.write_str(&self.message)
    }
}

impl core::error::Error for VerifyError {}

impl VerifyError {
    /// An error in the module's tables.
    pub(super) fn table(module: &Module, kind: Violation) -> Self {
        let file = module.names.as_ref().and_then(|names| names.files.first()).cloned();
        let message = kind.describe(module, None);
        VerifyError { func: None, func_name: None, offset: 0, file, line: None, kind, message }
    }

    /// An error at a byte of a body.
    pub(super) fn body(module: &Module, func: FuncId, offset: u32, kind: Violation) -> Self {
        VerifyError {
            func: Some(func),
            func_name: Some(module.func_name(func)),
            offset,
            file: module.file_of(func).map(String::from),
            line: module.line_at(func, offset),
            message: kind.describe(module, Some(func)),
            kind,
        }
    }
}

impl Violation {
    fn describe(&self, module: &Module, func: Option<FuncId>) -> String {
        let local = |id: LocalId| local_name(module, func, id);
        match self {
            Violation::Limit { what, count, limit } => {
                format!("{count} {what}; at most {limit} are allowed: split it up")
            }
            Violation::NoSuch { what, index, count } => {
                format!("there is no {what} {index}; the module has {count}")
            }
            Violation::BadName { what, name } => {
                format!(
                    "`{}` cannot be the name of {what}; use letters, digits and `_`, and no reserved word",
                    name.escape_debug()
                )
            }
            Violation::Duplicate { what, name } => {
                format!("{what} `{}` stands twice; rename or remove one", name.escape_debug())
            }
            Violation::Order { isa, number } => {
                format!("`{isa}`: number {number} is out of order; numbers ascend from 1")
            }
            Violation::TypeNotAllowed { place, ty } => format!("`{ty}` cannot be the type of {place}"),
            Violation::Signature { role, expected, found } => {
                format!("the function of {role} has the type `{found}`; it must have `{expected}`")
            }
            Violation::SharedEntry { name } => {
                format!("`{name}` is an op or handler and cannot serve as anything else; give each its own function")
            }
            Violation::OpCount { expected, found } => {
                format!(
                    "the provided set has {expected} instructions but there are {found} ops; give each instruction one"
                )
            }
            Violation::MemoryLimits { min, max } => {
                format!("memory {min}..{max}: the first number must not exceed the second")
            }
            Violation::DataOutside { offset, bytes, memory } => {
                format!(
                    "data of {bytes} bytes at {offset} lies outside the memory, which starts with {memory} bytes; raise its first number of pages"
                )
            }
            Violation::BadNames(why) => format!("the names section is wrong: {why}"),
            Violation::Malformed(error) => malformed(*error),
            Violation::Unfinished => "the body ends inside a construct or expression; close it with `end`".to_string(),
            Violation::Misplaced(what) => format!("`{what}` cannot stand here; it belongs to no open construct"),
            Violation::StatementInTree => {
                "a statement stands inside an expression; move it in front of the expression".to_string()
            }
            Violation::AfterTerminator => "this is never reached; remove it, or what leaves before it".to_string(),
            Violation::MissingReturn => "the function has results but its end is reached; `return` them".to_string(),
            Violation::Mismatch { expected, found } => mismatch(*expected, *found),
            Violation::MissingOperand(expected) => format!("an operand of type `{expected}` is missing"),
            Violation::LeftOver(count) => {
                format!("{count} operands are left over at the statement's end; assign or discard them")
            }
            Violation::NotOneResult { name, results } => {
                format!(
                    "`{name}` has {results} results, but one is needed inside an expression; make it a statement of its own"
                )
            }
            Violation::DestCount { expected, found } => {
                format!("{expected} values are assigned to {found} destinations; the numbers must agree")
            }
            Violation::DestTwice(id) => format!("`{}` is assigned twice at once; name it once", local(*id)),
            Violation::Unset(id) => {
                format!("`{}` is read before it is assigned on every path; assign it first", local(*id))
            }
            Violation::Moved(id) => {
                format!(
                    "`{}` has been moved (or was never assigned) on some path to here; assign it anew, or move it later",
                    local(*id)
                )
            }
            Violation::Borrowed(id) => {
                format!("`{}` is moved while the same expression borrows it; split the expression", local(*id))
            }
            Violation::LoopMoves(id) => {
                format!(
                    "the loop moves `{}`, so its next turn would lack it; assign it anew before the turn ends",
                    local(*id)
                )
            }
            Violation::NotOwned(id) => {
                format!(
                    "`{}` is borrowed (`ref buf`) and can be neither moved nor assigned; take it as `buf`",
                    local(*id)
                )
            }
            Violation::Immutable(index) => {
                let name = module.names.as_ref().and_then(|names| names.globals.get(*index as usize));
                let name = name.cloned().unwrap_or_else(|| format!("global {index}"));
                format!("`{name}` is immutable; declare it `global mut`")
            }
            Violation::NoLoop { depth, loops } => {
                format!("there is no loop {depth} levels out; {loops} enclose this")
            }
            Violation::NotAnInteger(ty) => format!("an `i32` or `i64` is needed here, not `{ty}`"),
            Violation::EmptyArm => "the arm has no values; give it one, or make it the default".to_string(),
            Violation::ArmTwice(value) => format!("{value} stands in two arms; remove one"),
            Violation::ArmOutOfRange(value) => format!("{value} does not fit `i32`; remove it"),
            Violation::AfterDefault => "an arm follows the default; make the default the last".to_string(),
            Violation::CallsEntry(name) => {
                format!(
                    "`{name}` is an op or handler and runs only when sent to; move its code into a function that both call"
                )
            }
            Violation::Streamed(name) => {
                format!(
                    "`{name}` is streamed and answers nothing; send it as a plain statement, and `flush` to see failures"
                )
            }
            Violation::FailOutsideOp => {
                "`fail` stands outside an `op`; return a status instead and let the op fail".to_string()
            }
            Violation::EmitWithoutSet => "`emit` needs an instruction set that the module `provides`".to_string(),
            Violation::NoMemory => "the module has no memory; declare one: `memory 1..1`".to_string(),
        }
    }
}

fn mismatch(expected: Type, found: Type) -> String {
    let hint = match (expected, found) {
        (Type::Buf, Type::BufRef) => ": a borrowed buffer cannot be given away; move it out of its local",
        (Type::BufRef, Type::Buf) => ": keep the buffer in a local and borrow that",
        _ => "",
    };
    format!("expected `{expected}`, found `{found}`{hint}")
}

fn malformed(error: DecodeError) -> String {
    match error {
        DecodeError::UnknownCode(code) => format!("{code:#04x} is no instruction; the module needs a newer version"),
        DecodeError::Number(LebError::Truncated) => "the body ends inside an instruction".to_string(),
        DecodeError::Number(LebError::TooLarge) => "a number is out of range".to_string(),
        DecodeError::Number(LebError::NotShortest) => "a number is not encoded in its shortest form".to_string(),
        DecodeError::UnknownType(code) => format!("{code} is no type"),
        DecodeError::BadBool(byte) => format!("{byte} is no bool; expected 0 or 1"),
    }
}

fn local_name(module: &Module, func: Option<FuncId>, id: LocalId) -> String {
    let lists = module.names.as_ref().map(|names| &names.locals);
    let name = func.and_then(|func| lists?.get(func.index())?.get(id.index()));
    name.filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| format!("local {}", id.0))
}

/// A function's type as in text.
pub(super) fn signature_text(func: &Func) -> String {
    signature(func.sig.params.iter().copied(), func.sig.results.iter().copied())
}

/// The type of a function from these to these.
pub(super) fn signature(params: impl Iterator<Item = Type>, results: impl Iterator<Item = Type>) -> String {
    let list = |types: &mut dyn Iterator<Item = Type>| {
        let names: alloc::vec::Vec<&str> = types.map(Type::name).collect();
        names.join(", ")
    };
    let (mut params, mut results) = (params, results);
    let (params, results) = (list(&mut params), list(&mut results));
    if results.is_empty() { format!("func({params})") } else { format!("func({params}) -> ({results})") }
}
