//! Value types, and the newtyped indices of a module (reference, chapter "Types").

use core::fmt;

/// The type of a value, a local, a parameter, a result or an operand of a device instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Type {
    /// 32-bit integer; wraps.
    I32 = 1,
    /// 64-bit integer; wraps.
    I64 = 2,
    /// IEEE 754 binary64 with canonical NaNs.
    F64 = 3,
    /// `false` or `true`, stored as 0 or 1.
    Bool = 4,
    /// Immutable UTF-8 bytes, reference-counted.
    Str = 5,
    /// An owned byte buffer; affine.
    Buf = 6,
    /// `ref buf`: a borrowed buffer. Legal only as the type of a function's parameter.
    BufRef = 7,
}

impl Type {
    /// Every type, in the order of its binary code.
    pub const ALL: [Type; 7] = [Type::I32, Type::I64, Type::F64, Type::Bool, Type::Str, Type::Buf, Type::BufRef];

    /// The type with binary code `code`.
    pub fn from_code(code: u8) -> Option<Type> {
        Type::ALL.into_iter().find(|ty| *ty as u8 == code)
    }

    /// As written in text.
    pub const fn name(self) -> &'static str {
        match self {
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F64 => "f64",
            Type::Bool => "bool",
            Type::Str => "str",
            Type::Buf => "buf",
            Type::BufRef => "ref buf",
        }
    }

    /// Whether a value of this type may be an operand or result of a device instruction.
    pub const fn is_sendable(self) -> bool {
        !matches!(self, Type::BufRef)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
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
    /// Index into [`crate::Module::funcs`].
    FuncId;
    /// Index of a local of one function: parameters first, then the function's own locals.
    LocalId;
    /// Index into [`crate::Module::globals`].
    GlobalId;
    /// Index into [`crate::Module::uses`]: one wanted capability.
    UseId;
    /// Index into [`crate::Module::isas`].
    IsaId;
    /// Index into [`crate::Module::strings`].
    StrId;
}
