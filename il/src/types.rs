//! Value types, type definitions, and the newtyped indices of a module (reference, chapter "Types").
//!
//! A [`Type`] is what a local, a parameter or an operand has. What it refers to stands in the module's
//! type table ([`TypeDef`]): structs by declaration, arrays, function types and capability types by shape,
//! each shape once. Subtyping is answered by [`crate::Hierarchy`].

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The type of a value, a local, a parameter, a result or an operand of a device instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Type {
    /// 32-bit integer; wraps.
    I32,
    /// 64-bit integer; wraps.
    I64,
    /// IEEE 754 binary64 with canonical NaNs.
    F64,
    /// `false` or `true`, stored as 0 or 1.
    Bool,
    /// Immutable UTF-8 bytes.
    Str,
    /// An owned byte buffer; affine.
    Buf,
    /// `ref buf`: a borrowed buffer. Legal only as the type of a parameter.
    BufRef,
    /// IEEE 754 binary32 with canonical NaNs.
    F32,
    /// 128 bits: lanes of integers or floats.
    V128,
    /// `any`: a `str`, struct, array, function reference or capability.
    Any,
    /// `?str`
    OptStr,
    /// `?buf`: a buffer or null; affine.
    OptBuf,
    /// `?any`
    OptAny,
    /// A struct, array, function reference or capability, by its definition; never null.
    Ref(TypeId),
    /// The same, or null.
    Opt(TypeId),
}

impl Type {
    /// The types without a definition, in the order of their binary codes, which start at 1.
    pub const PLAIN: [Type; 13] = [
        Type::I32,
        Type::I64,
        Type::F64,
        Type::Bool,
        Type::Str,
        Type::Buf,
        Type::BufRef,
        Type::F32,
        Type::V128,
        Type::Any,
        Type::OptStr,
        Type::OptBuf,
        Type::OptAny,
    ];
    /// Binary code of [`Type::Ref`]; the index follows.
    pub const REF_CODE: u8 = 14;
    /// Binary code of [`Type::Opt`]; the index follows.
    pub const OPT_CODE: u8 = 15;

    /// The binary code; [`Type::REF_CODE`] and [`Type::OPT_CODE`] are followed by the index.
    pub const fn code(self) -> u8 {
        match self {
            Type::I32 => 1,
            Type::I64 => 2,
            Type::F64 => 3,
            Type::Bool => 4,
            Type::Str => 5,
            Type::Buf => 6,
            Type::BufRef => 7,
            Type::F32 => 8,
            Type::V128 => 9,
            Type::Any => 10,
            Type::OptStr => 11,
            Type::OptBuf => 12,
            Type::OptAny => 13,
            Type::Ref(_) => Type::REF_CODE,
            Type::Opt(_) => Type::OPT_CODE,
        }
    }

    /// The type without a definition that has binary code `code`.
    pub fn plain(code: u8) -> Option<Type> {
        Type::PLAIN.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// The definition that it refers to.
    pub const fn def(self) -> Option<TypeId> {
        match self {
            Type::Ref(id) | Type::Opt(id) => Some(id),
            Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::Bool => None,
            Type::Str | Type::Buf | Type::BufRef | Type::Any | Type::OptStr | Type::OptBuf | Type::OptAny => None,
        }
    }

    /// `i32`, `i64`, `f32`, `f64`, `v128` or `bool`.
    pub const fn is_number(self) -> bool {
        matches!(self, Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::Bool)
    }

    /// Whether values are references (`str`, `any`, structs, arrays, functions, capabilities, nullable or not): what
    /// `any` can hold, what the collector traces. A `buf` is not.
    pub const fn is_reference(self) -> bool {
        match self {
            Type::Str | Type::Any | Type::OptStr | Type::OptAny | Type::Ref(_) | Type::Opt(_) => true,
            Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::Bool => false,
            Type::Buf | Type::BufRef | Type::OptBuf => false,
        }
    }

    /// `buf` or `?buf`: used at most once.
    pub const fn is_affine(self) -> bool {
        matches!(self, Type::Buf | Type::OptBuf)
    }

    /// Whether null is a value of it.
    pub const fn is_nullable(self) -> bool {
        matches!(self, Type::OptStr | Type::OptBuf | Type::OptAny | Type::Opt(_))
    }

    /// The type without null.
    pub const fn non_null(self) -> Type {
        match self {
            Type::OptStr => Type::Str,
            Type::OptBuf => Type::Buf,
            Type::OptAny => Type::Any,
            Type::Opt(id) => Type::Ref(id),
            other => other,
        }
    }

    /// `?T`; `None` for what cannot be null (numbers, `ref buf`).
    pub const fn nullable(self) -> Option<Type> {
        match self {
            Type::Str | Type::OptStr => Some(Type::OptStr),
            Type::Buf | Type::OptBuf => Some(Type::OptBuf),
            Type::Any | Type::OptAny => Some(Type::OptAny),
            Type::Ref(id) | Type::Opt(id) => Some(Type::Opt(id)),
            Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::Bool | Type::BufRef => None,
        }
    }

    /// As written in text; a definition by its index only ([`crate::Module::type_text`] knows names).
    pub const fn name(self) -> &'static str {
        match self {
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F64 => "f64",
            Type::Bool => "bool",
            Type::Str => "str",
            Type::Buf => "buf",
            Type::BufRef => "ref buf",
            Type::F32 => "f32",
            Type::V128 => "v128",
            Type::Any => "any",
            Type::OptStr => "?str",
            Type::OptBuf => "?buf",
            Type::OptAny => "?any",
            Type::Ref(_) => "type ",
            Type::Opt(_) => "?type ",
        }
    }

    /// Whether a value of this type may be an operand or result of a device instruction. What has a definition is
    /// answered for by [`crate::Hierarchy::is_carried`], and not here.
    pub const fn is_sendable(self) -> bool {
        self.is_number() || matches!(self, Type::Str | Type::Buf | Type::Any | Type::OptAny | Type::OptStr)
    }

    /// Whether an operand of this type is a word that names an attachment of its packet, or null: a reference, but
    /// for a `str`, whose bytes stand in the packet.
    pub const fn is_attached(self) -> bool {
        self.is_reference() && !matches!(self, Type::Str)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.def().map_or(Ok(()), |id| write!(f, "{}", id.0))
    }
}

/// What a field or an array's element is stored as.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Storage {
    /// Signed byte; read as `i32`, truncated when written.
    I8,
    /// Unsigned byte; read as `i32`, truncated when written.
    U8,
    /// Signed 16 bits; read as `i32`, truncated when written.
    I16,
    /// Unsigned 16 bits; read as `i32`, truncated when written.
    U16,
    /// A value as it is. Never `buf` or `ref buf`; `?buf` only where it is mutable.
    Value(Type),
}

impl Storage {
    /// Binary codes of the packed ones, above those of types.
    pub const PACKED: [(u8, Storage); 4] =
        [(16, Storage::I8), (17, Storage::U8), (18, Storage::I16), (19, Storage::U16)];

    /// The type of what is read from it and written to it.
    pub const fn value(self) -> Type {
        match self {
            Storage::I8 | Storage::U8 | Storage::I16 | Storage::U16 => Type::I32,
            Storage::Value(ty) => ty,
        }
    }

    /// Its size in an object, in bytes; also its alignment, but that is 8 for 16 bytes.
    pub const fn bytes(self) -> u32 {
        match self {
            Storage::I8 | Storage::U8 | Storage::Value(Type::Bool) => 1,
            Storage::I16 | Storage::U16 => 2,
            Storage::Value(Type::I32 | Type::F32) => 4,
            Storage::Value(Type::V128) => 16,
            Storage::Value(_) => 8,
        }
    }

    /// As written in text; see [`Type::name`].
    pub const fn name(self) -> &'static str {
        match self {
            Storage::I8 => "i8",
            Storage::U8 => "u8",
            Storage::I16 => "i16",
            Storage::U16 => "u16",
            Storage::Value(ty) => ty.name(),
        }
    }
}

/// A field of a struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StructField {
    /// Whether it may be assigned.
    pub mutable: bool,
    /// What it holds.
    pub storage: Storage,
}

/// `[frozen] struct NAME [: PARENT] { .. }`; equal by declaration within a module. A frozen one of another module is the
/// same if [`crate::shape`] says so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StructDef {
    /// The struct that it extends; stands before it in the table.
    pub parent: Option<TypeId>,
    /// Whether all values can be sent: no field is mutable, all are sendable, and substructs are frozen too.
    pub frozen: bool,
    /// Of a frozen struct, its name: part of what other modules know it by. Of any other, empty.
    pub name: String,
    /// Its own fields, which follow the inherited ones.
    pub fields: Vec<StructField>,
}

/// `[T]` or `mut [T]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArrayDef {
    /// Whether elements may be assigned.
    pub mutable: bool,
    /// What each element holds.
    pub element: Storage,
}

/// A function's type.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Signature {
    /// Parameters, in order.
    pub params: Vec<Type>,
    /// Results, in order.
    pub results: Vec<Type>,
}

/// `ISA(instructions)`: the right to send these.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CapDef {
    /// The instruction set, as embedded in the module.
    pub isa: IsaId,
    /// Opcodes, ascending; each is an instruction of the embedded set.
    pub instructions: Vec<u8>,
}

/// A line of a module's type table.
///
/// Arrays, functions and capabilities are unique by shape, and refer to other such definitions only if they stand
/// before them; to structs they may refer anywhere. A struct's parent stands before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TypeDef {
    /// A struct.
    Struct(StructDef),
    /// An array.
    Array(ArrayDef),
    /// A function reference.
    Func(Signature),
    /// A capability.
    Cap(CapDef),
}

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u32);
        impl $name {
            /// As an index into the module's table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

index! {
    /// Index into [`crate::Module::types`].
    TypeId;
    /// Index into [`crate::Module::funcs`].
    FuncId;
    /// Index of a local of one function: parameters first, then the function's own locals.
    LocalId;
    /// Index of a field of a struct, the inherited ones first.
    FieldId;
    /// Index into [`crate::Module::globals`].
    GlobalId;
    /// Index into [`crate::Module::memories`].
    MemoryId;
    /// Index into [`crate::Module::data`].
    DataId;
    /// Index into [`crate::Module::uses`]: one wanted capability.
    UseId;
    /// Index into [`crate::Module::isas`].
    IsaId;
    /// Index into [`crate::Module::strings`].
    StrId;
    /// Index into [`crate::Module::programs`].
    ProgramId;
    /// Index into [`crate::Module::provides`].
    ProvidedId;
}
