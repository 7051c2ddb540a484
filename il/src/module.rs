//! The module model: what text is compiled to, what binary encodes, what the verifier checks.

use alloc::string::String;
use alloc::vec::Vec;

use crate::isa::InstructionSet;
use crate::types::{FuncId, GlobalId, IsaId, StrId, Type, UseId};

/// A module: one program or one VM. Not yet trusted; see [`crate::verify`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Module {
    /// Dotted path; part of the module's identity.
    pub name: String,
    /// Instruction sets named by `uses` and `provides`. A set that is only used holds just the
    /// instructions and events used: a module's imports are its exact list of wanted authority.
    pub isas: Vec<InstructionSet>,
    /// Wanted capabilities.
    pub uses: Vec<Use>,
    /// The instruction set that this module executes, if it is a VM for others.
    pub provides: Option<Provides>,
    /// Literals of `str`, `trap` and `assert`, without duplicates, in order of first use.
    pub strings: Vec<String>,
    /// Globals.
    pub globals: Vec<Global>,
    /// Linear memory, in 64 KiB pages.
    pub memory: Option<Memory>,
    /// Initial contents of the memory.
    pub data: Vec<Data>,
    /// All functions: plain ones, handlers and `op`s.
    pub funcs: Vec<Func>,
    /// `export func`s by name; `main` starts the VM.
    pub exports: Vec<Export>,
    /// `on CAP.event` handlers.
    pub handlers: Vec<Handler>,
    /// Optional section: names and lines, outside the module's identity.
    pub names: Option<Names>,
}

/// A wanted capability: `use NAME: ISA`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Use {
    /// The local name; also the preferred VM's name at link time.
    pub name: String,
    /// Which set. All the instructions and events in `isas[isa]` are wanted, no other.
    pub isa: IsaId,
}

/// `provides ISA [as NAME]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Provides {
    /// Which set; whole.
    pub isa: IsaId,
    /// The name to announce; the module's name if absent.
    pub name: Option<String>,
    /// One function an instruction of the set, in the set's order; its signature is the
    /// instruction's (a streamed instruction's function has no results).
    pub ops: Vec<FuncId>,
}

/// A function's type.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signature {
    /// Parameters, in order.
    pub params: Vec<Type>,
    /// Results, in order.
    pub results: Vec<Type>,
}

/// A function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Func {
    /// Its type.
    pub sig: Signature,
    /// Types of the locals that follow the parameters.
    pub locals: Vec<Type>,
    /// The body, encoded; read it with [`crate::instr::Reader`].
    pub body: Vec<u8>,
}

impl Func {
    /// The type of a local, parameters first.
    pub fn local_type(&self, index: usize) -> Option<Type> {
        let params = self.sig.params.len();
        if index < params { Some(self.sig.params[index]) } else { self.locals.get(index - params).copied() }
    }
}

/// A constant initialiser.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Const {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f64`, by its bits, so that NaNs and zeros survive
    F64(u64),
    /// `bool`
    Bool(bool),
    /// `str`
    Str(StrId),
}

impl Const {
    /// The constant's type.
    pub const fn ty(self) -> Type {
        match self {
            Const::I32(_) => Type::I32,
            Const::I64(_) => Type::I64,
            Const::F64(_) => Type::F64,
            Const::Bool(_) => Type::Bool,
            Const::Str(_) => Type::Str,
        }
    }
}

/// A global; never a `buf` as yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Global {
    /// Whether it may be assigned.
    pub mutable: bool,
    /// Initial value, and the type.
    pub init: Const,
}

/// Linear memory limits, in 64 KiB pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Pages at start.
    pub min: u32,
    /// Pages at most.
    pub max: u32,
}

/// Bytes put into memory at start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data {
    /// Byte address.
    pub offset: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// An exported function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// Its public name.
    pub name: String,
    /// The function.
    pub func: FuncId,
}

/// `on CAP.event`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handler {
    /// On which capability.
    pub source: UseId,
    /// Which event of its set.
    pub event: u8,
    /// The function; its parameters are the event's, it has no results.
    pub func: FuncId,
}

/// Optional names and lines, for people.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Source file name, as given to the compiler, without its folders.
    pub file: String,
    /// One a function.
    pub funcs: Vec<String>,
    /// Names of locals (parameters first), a list a function.
    pub locals: Vec<Vec<String>>,
    /// One a global.
    pub globals: Vec<String>,
    /// For each function, (byte offset in the body, line from 1), ascending by offset.
    pub lines: Vec<Vec<(u32, u32)>>,
}

impl Module {
    /// The exported function of this name.
    pub fn export(&self, name: &str) -> Option<FuncId> {
        self.exports.iter().find(|e| e.name == name).map(|e| e.func)
    }

    /// A function's name, or `func N` without the names section.
    pub fn func_name(&self, func: FuncId) -> String {
        match self.names.as_ref().and_then(|n| n.funcs.get(func.index())) {
            Some(name) => name.clone(),
            None => alloc::format!("func {}", func.0),
        }
    }

    /// The source line of a body offset, if the module carries lines.
    pub fn line_at(&self, func: FuncId, offset: u32) -> Option<u32> {
        let lines = self.names.as_ref()?.lines.get(func.index())?;
        let after = lines.partition_point(|(at, _)| *at <= offset);
        lines.get(after.checked_sub(1)?).map(|(_, line)| *line)
    }

    /// A global's type.
    pub fn global_type(&self, global: GlobalId) -> Option<Type> {
        self.globals.get(global.index()).map(|g| g.init.ty())
    }
}
