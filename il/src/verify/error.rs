//! Why a module is refused.

use alloc::string::String;
use core::fmt;

use super::names;
use crate::instr::DecodeError;
use crate::{FieldId, FuncId, GlobalId, IsaId, LocalId, Module, Type, TypeId};

/// A refused module: which rule it breaks, where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// The function; `None` if the module's tables are at fault.
    pub func: Option<FuncId>,
    /// The function's name.
    pub func_name: Option<String>,
    /// The global, if its initial value is at fault.
    pub global: Option<GlobalId>,
    /// Byte offset of the instruction in the function's body or the global's initial value.
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

macro_rules! violations {
    ($($(#[doc = $doc:literal])+ $name:ident
        $({ $($(#[doc = $about:literal])+ $field:ident: $field_type:ty,)+ })? $(($($part:ty),+))?,)*) => {
        /// The rules of a valid module, by how they are broken.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Violation {
            $($(#[doc = $doc])+ $name $({ $($(#[doc = $about])+ $field: $field_type,)+ })? $(($($part),+))?,)*
        }

        impl Violation {
            /// Every rule: its name, and how it is broken.
            pub const RULES: &[(&str, &str)] = &[$((stringify!($name), concat!($($doc),+)),)*];
        }
    };
}

violations! {
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
    /// An operand of a device instruction that packets do not carry.
    NotCarried(Type),
    /// A struct that is not frozen has a name outside of the names section.
    NamedStruct(TypeId),
    /// A struct that extends one behind it.
    ParentAfter {
        /// The struct.
        child: TypeId,
        /// What it extends.
        parent: TypeId,
    },
    /// An array, function or capability type that refers to such a type that does not stand before it.
    RefersAhead {
        /// The definition.
        from: TypeId,
        /// What it refers to.
        to: TypeId,
    },
    /// Two arrays, function or capability types of one shape.
    SameType {
        /// The first.
        first: TypeId,
        /// The other.
        second: TypeId,
    },
    /// A `?buf` in a place that is not `mut`, and could not be read.
    ImmutableBuf(&'static str),
    /// A struct that is not frozen and extends one that is.
    ThawsParent {
        /// The struct.
        child: TypeId,
        /// What it extends.
        parent: TypeId,
    },
    /// A `mut` field of a frozen struct.
    FrozenMut(TypeId, FieldId),
    /// A field of a frozen struct that cannot be shared.
    FrozenField(TypeId, FieldId, Type),

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
    /// An assignment to an immutable field.
    ImmutableField(TypeId, FieldId),
    /// An assignment to an element of an immutable array.
    ImmutableElement(TypeId),
    /// A definition of another kind than the instruction needs.
    WrongKind {
        /// What is needed, e.g. `a struct`.
        expected: &'static str,
        /// What is there.
        found: TypeId,
    },
    /// `null` of a type that has none.
    NotNullable(Type),
    /// A `?buf` read without taking it.
    ReadsOptBuf,
    /// `take` of a place that is no `?buf`.
    TakesOther(Type),
    /// An array of `?buf` filled with anything but `null`.
    FillsWithBuf,
    /// The length of what is no array.
    NotAnArray(Type),
    /// A number or buffer where a reference is needed.
    NotAReference(Type),
    /// A test or cast that can have no meaning.
    NotCastable {
        /// What is tested.
        from: Type,
        /// The type asked for.
        to: Type,
    },
    /// The identity of a string.
    StrIdentity,
    /// `freeze` of what cannot be shared.
    NotSendable(Type),
    /// A function reference of a type that the function does not have.
    FuncType {
        /// The function.
        func: FuncId,
        /// The type of the reference.
        expected: TypeId,
    },
    /// An instruction in a global's initial value that is not constant.
    NotConstant,
    /// A lane that the vector does not have.
    Lane {
        /// The lane.
        lane: u8,
        /// How many there are.
        lanes: u8,
    },
    /// Something that neither a pure function nor a program may do.
    Impure(&'static str),
    /// An impure function called from a pure one or a program.
    ImpureCall(String),
    /// A tail call of a function with other results.
    TailResults {
        /// Results of this function.
        expected: usize,
        /// Results of the called one.
        found: usize,
    },
    /// A tail call that borrows a buffer of the function that it replaces.
    TailBorrows(LocalId),
    /// Something of another instruction set than the capability's.
    OtherSet {
        /// The capability's set.
        expected: IsaId,
        /// The other one.
        found: IsaId,
    },
    /// An instruction that the capability's type does not allow.
    NotAllowed {
        /// The capability's type.
        ty: TypeId,
        /// The instruction.
        opcode: u8,
    },
    /// A value that is no capability where one is needed.
    NotACapability(Type),
    /// `own` outside a program.
    OwnOutsideProgram,
    /// `try` in an expression of an instruction that has results besides the status.
    TryHasResults {
        /// The instruction.
        name: String,
        /// How many results it has.
        results: usize,
    },
    /// A program with results that is not waited for.
    RunHasResults(String),
    /// `break` or `continue` beyond the outermost loop.
    NoLoop {
        /// The depth asked for.
        depth: u32,
        /// Enclosing loops.
        loops: usize,
    },
    /// `continue` of a block.
    RepeatsBlock(u32),
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
    /// `fail`, `caller` or `forward` outside an op.
    OutsideOp(&'static str),
    /// A request that waits handed on as a streamed instruction, or the other way round.
    ForwardKind {
        /// The instruction.
        name: String,
        /// Whether the op's own instruction waits.
        waits: bool,
    },
    /// A request handed on as an instruction with other results than the op's.
    ForwardResults(String),
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
        if let Some(global) = self.global {
            write!(f, "in global {}, byte {} of its initial value: ", global.0, self.offset)?;
        }
        f.write_str(&self.message)
    }
}

impl core::error::Error for VerifyError {}

impl VerifyError {
    /// An error in the module's tables.
    pub(super) fn table(module: &Module, kind: Violation) -> Self {
        let file = module.names.as_ref().and_then(|names| names.files.first());
        let (file, message) = (file.map(|file| names::shown(file)), names::shown(&kind.describe(module, None)));
        VerifyError { func: None, func_name: None, global: None, offset: 0, file, line: None, kind, message }
    }

    /// An error at a byte of a global's initial value.
    pub(super) fn global(module: &Module, global: GlobalId, offset: u32, kind: Violation) -> Self {
        VerifyError { global: Some(global), offset, ..VerifyError::table(module, kind) }
    }

    /// An error at a byte of a body.
    pub(super) fn body(module: &Module, func: FuncId, offset: u32, kind: Violation) -> Self {
        VerifyError {
            func: Some(func),
            func_name: Some(names::shown(&module.func_name(func))),
            global: None,
            offset,
            file: module.file_of(func).map(names::shown),
            line: module.line_at(func, offset),
            message: names::shown(&kind.describe(module, Some(func))),
            kind,
        }
    }
}
