//! The module model: what text is compiled to, what binary encodes, what the verifier checks.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::isa::InstructionSet;
use crate::types::{
    CapDef, FuncId, GlobalId, IsaId, MemoryId, ProvidedId, Signature, Storage, Type, TypeDef, TypeId, UseId,
};

/// A module: one program or one VM. Not yet trusted; see [`crate::verify`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Module {
    /// Dotted path; part of the module's identity.
    pub name: String,
    /// Definitions of structs, arrays, function and capability types.
    pub types: Vec<TypeDef>,
    /// Instruction sets named by `uses`, `provides` and `programs`. A set that is only used holds just the
    /// instructions and events used: a module's imports are its exact list of wanted authority.
    pub isas: Vec<InstructionSet>,
    /// Wanted capabilities.
    pub uses: Vec<Use>,
    /// The instruction sets that this module executes for others.
    pub provides: Vec<Provides>,
    /// Literals of `str`, `trap` and `assert`, without duplicates, in order of first use.
    pub strings: Vec<String>,
    /// Globals.
    pub globals: Vec<Global>,
    /// Linear memories, in 64 KiB pages.
    pub memories: Vec<Memory>,
    /// Bytes that are put into memories, at start or when the program asks for them.
    pub data: Vec<Data>,
    /// All functions: plain ones, handlers and `op`s.
    pub funcs: Vec<Func>,
    /// `export func`s by name; `main` starts the VM.
    pub exports: Vec<Export>,
    /// `on CAP.event` handlers.
    pub handlers: Vec<Handler>,
    /// Device programs.
    pub programs: Vec<Program>,
    /// `test` blocks; empty unless the module was built for testing.
    pub tests: Vec<Test>,
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
    /// The name to announce, if it is the first that has one; the module's name if none has.
    pub name: Option<String>,
    /// One function an instruction of the set, in the set's order; its signature is the
    /// instruction's (a streamed instruction's function has no results).
    pub ops: Vec<FuncId>,
}

/// A function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Func {
    /// Its type.
    pub sig: Signature,
    /// `pure func`: it touches no memory, mutable global, capability, base instruction, function reference or
    /// impure function.
    pub pure: bool,
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

/// A global.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Global {
    /// Whether it may be assigned.
    pub mutable: bool,
    /// Its type; `?buf` only if it is mutable.
    pub ty: Type,
    /// Initial value: one constant tree (constants, `null`, `func.ref`, `struct.new`, `array.new`, `array.of`),
    /// encoded as in a body.
    pub init: Vec<u8>,
}

/// `program NAME on ISA`: code that runs inside the VM that executes the set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// The set on which it runs, and whose instructions it uses.
    pub isa: IsaId,
    /// Its code.
    pub func: FuncId,
}

/// `test "name" { .. }`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Test {
    /// What it is called in reports.
    pub name: String,
    /// Its code: no parameters, no results.
    pub func: FuncId,
}

/// Linear memory limits, in 64 KiB pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Pages at start.
    pub min: u32,
    /// Pages at most.
    pub max: u32,
}

/// A data segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data {
    /// Where its bytes are put at start; `None` if only `memory.init` does.
    pub place: Option<DataPlace>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Where a data segment lies at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataPlace {
    /// In which memory.
    pub memory: MemoryId,
    /// Byte address.
    pub offset: u32,
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
    /// Source file names: the compiled file's without its folders, then those of imported modules.
    pub files: Vec<String>,
    /// For each function, the index of its file.
    pub func_files: Vec<u32>,
    /// One a function.
    pub funcs: Vec<String>,
    /// Names of locals (parameters first), a list a function.
    pub locals: Vec<Vec<String>>,
    /// One a global.
    pub globals: Vec<String>,
    /// Names of types and of their own fields, one a definition; empty for all but structs.
    pub types: Vec<TypeNames>,
    /// One a memory; empty for those without a name.
    pub memories: Vec<String>,
    /// One a data segment; empty for those without a name.
    pub data: Vec<String>,
    /// For each function, (byte offset in the body, line from 1), ascending by offset.
    pub lines: Vec<Vec<(u32, u32)>>,
}

/// Names of a struct.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TypeNames {
    /// The struct's.
    pub name: String,
    /// Its own fields', without the inherited ones.
    pub fields: Vec<String>,
}

impl Module {
    /// The name to announce.
    pub fn announced_name(&self) -> &str {
        self.provides.iter().find_map(|provides| provides.name.as_deref()).unwrap_or(&self.name)
    }

    /// A provided set.
    pub fn provided(&self, id: ProvidedId) -> Option<&InstructionSet> {
        self.isas.get(self.provides.get(id.index())?.isa.index())
    }

    /// The exported function of this name.
    pub fn export(&self, name: &str) -> Option<FuncId> {
        self.exports.iter().find(|e| e.name == name).map(|e| e.func)
    }

    /// Whether a VM of it may get capabilities besides those that it wants: by attenuating, or with a packet.
    pub fn gains_capabilities(&self) -> bool {
        let any = |field: &crate::isa::Field| matches!(field.ty, Type::Any | Type::OptAny);
        self.types.iter().any(|def| matches!(def, TypeDef::Cap(_))) || self.isas.iter().any(|set| set.fields().any(any))
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

    /// The source file of a function, if the module says so.
    pub fn file_of(&self, func: FuncId) -> Option<&str> {
        let names = self.names.as_ref()?;
        let file = names.func_files.get(func.index()).copied().unwrap_or(0);
        names.files.get(file as usize).map(String::as_str)
    }

    /// A global's type.
    pub fn global_type(&self, global: GlobalId) -> Option<Type> {
        self.globals.get(global.index()).map(|g| g.ty)
    }

    /// The signature of a function, by its index.
    pub fn sig(&self, func: FuncId) -> Option<&Signature> {
        self.funcs.get(func.index()).map(|f| &f.sig)
    }

    /// The definition of a type.
    pub fn type_def(&self, id: TypeId) -> Option<&TypeDef> {
        self.types.get(id.index())
    }

    /// A type as people write it, with the names of structs and instruction sets; one that is very long is cut short.
    pub fn type_text(&self, ty: Type) -> String {
        self.written([Piece::Type(ty)])
    }

    /// A function's type as people write it; see [`Module::type_text`].
    pub fn signature_text(&self, sig: &Signature) -> String {
        self.written([Piece::Signature(sig)])
    }

    /// Types nest, and one definition can stand in many places: hence a stack of what is left, and a bound.
    fn written<'m>(&'m self, start: [Piece<'m>; 1]) -> String {
        let (mut out, mut left) = (String::new(), Vec::from(start));
        while let Some(piece) = left.pop() {
            if out.len() > LONGEST_TYPE {
                out.push_str("..");
                break;
            }
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Type(ty) => self.write_type(ty, &mut out, &mut left),
                Piece::Storage(storage) => match storage {
                    Storage::Value(ty) => left.push(Piece::Type(ty)),
                    packed => out.push_str(packed.name()),
                },
                Piece::Signature(sig) => {
                    if !sig.results.is_empty() {
                        left.push(Piece::Text(")"));
                        push_list(&mut left, &sig.results);
                        left.push(Piece::Text(") -> ("));
                    } else {
                        left.push(Piece::Text(")"));
                    }
                    push_list(&mut left, &sig.params);
                    left.push(Piece::Text("func("));
                }
            }
        }
        out
    }

    fn write_type<'m>(&'m self, ty: Type, out: &mut String, left: &mut Vec<Piece<'m>>) {
        let Some(id) = ty.def() else { return out.push_str(ty.name()) };
        if matches!(ty, Type::Opt(_)) {
            out.push('?');
        }
        match self.type_def(id) {
            Some(TypeDef::Struct(_)) => {
                let name = self.names.as_ref().and_then(|names| names.types.get(id.index())).map(|names| &names.name);
                match name.filter(|name| !name.is_empty()) {
                    Some(name) => out.push_str(name),
                    None => _ = write!(out, "struct {}", id.0),
                }
            }
            Some(TypeDef::Array(def)) => {
                out.push_str(if def.mutable { "mut [" } else { "[" });
                left.extend([Piece::Text("]"), Piece::Storage(def.element)]);
            }
            Some(TypeDef::Func(sig)) => left.push(Piece::Signature(sig)),
            Some(TypeDef::Cap(cap)) => self.write_cap(cap, out),
            None => _ = write!(out, "type {}", id.0),
        }
    }

    fn write_cap(&self, cap: &CapDef, out: &mut String) {
        let Some(set) = self.isas.get(cap.isa.index()) else {
            let _ = write!(out, "set {}", cap.isa.0);
            return;
        };
        out.push_str(&set.path());
        if set.instructions.len() == cap.instructions.len() {
            return;
        }
        out.push('(');
        for (at, opcode) in cap.instructions.iter().enumerate() {
            out.push_str(if at > 0 { ", " } else { "" });
            if out.len() > LONGEST_TYPE {
                out.push_str("..");
                break;
            }
            out.push_str(set.instruction(*opcode).map_or("?", |instruction| &instruction.name));
        }
        out.push(')');
    }
}

/// Bytes of a type's text after which it is cut short.
const LONGEST_TYPE: usize = 200;

/// What is still to be written of a type.
enum Piece<'m> {
    Text(&'static str),
    Type(Type),
    Storage(Storage),
    Signature(&'m Signature),
}

/// Pushes a list so that its first type is popped first.
fn push_list(left: &mut Vec<Piece<'_>>, types: &[Type]) {
    for (at, ty) in types.iter().enumerate().rev() {
        left.push(Piece::Type(*ty));
        if at > 0 {
            left.push(Piece::Text(", "));
        }
    }
}
