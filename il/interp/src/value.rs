//! Types and values (reference, chapter "Types"): what a value is, and which type it has.
//!
//! A value carries enough to tell its type at run time, so that the verifier's claims can be asserted.
//! Whether a value has a type is decided here from the module's own definitions, not from the numbers
//! that the verifier and the compiler share.

use il::{FuncId, Module, Storage, Type, TypeDef, TypeId};

use crate::graph::Class;
use crate::heap::{Handle, Heap, Object};

/// 16 bytes, lane 0 first.
pub(crate) type Vector = [u8; 16];

/// A value of the operand stack, a local, a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    I32(i32),
    I64(i64),
    /// By its bits.
    F32(u32),
    /// By its bits.
    F64(u64),
    V128(Vector),
    Bool(bool),
    /// Of any `?T`.
    Null,
    /// A `str`, struct or array.
    Object(Handle),
    /// A function reference: the same function with the same type is the same reference.
    Func(FuncId, TypeId),
    /// A capability: the number of its slot.
    Cap(u32),
    /// A `buf`, owned or borrowed.
    Buf(Handle),
}

impl Value {
    /// What a failed device instruction yields instead of a result, if that needs no object.
    pub fn zero(ty: Type) -> Option<Value> {
        match ty {
            Type::I32 => Some(Value::I32(0)),
            Type::I64 => Some(Value::I64(0)),
            Type::F32 => Some(Value::F32(0)),
            Type::F64 => Some(Value::F64(0)),
            Type::V128 => Some(Value::V128([0; 16])),
            Type::Bool => Some(Value::Bool(false)),
            Type::OptStr | Type::OptBuf | Type::OptAny | Type::Opt(_) => Some(Value::Null),
            Type::Any | Type::Ref(_) => Some(Value::Null),
            Type::Str | Type::Buf | Type::BufRef => None,
        }
    }
}

/// Rust types that stand for IL types, to write operators with.
pub(crate) trait Scalar: Sized {
    fn from_value(value: Value) -> Option<Self>;
    fn into_value(self) -> Value;
}

macro_rules! scalars {
    ($($ty:ty, $variant:ident, $from:expr, $into:expr;)*) => {$(
        impl Scalar for $ty {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => Some($from(value)),
                    _ => None,
                }
            }
            fn into_value(self) -> Value {
                Value::$variant($into(self))
            }
        }
    )*};
}

scalars! {
    i32, I32, |value| value, |value| value;
    i64, I64, |value| value, |value| value;
    u32, I32, |value| value as u32, |value| value as i32;
    u64, I64, |value| value as u64, |value| value as i64;
    f32, F32, f32::from_bits, f32::to_bits;
    f64, F64, f64::from_bits, f64::to_bits;
    bool, Bool, |value| value, |value| value;
    Vector, V128, |value| value, |value| value;
}

/// What a capability's slot carries.
#[derive(Clone, Debug)]
pub(crate) struct CapRights {
    pub isas: alloc::vec::Vec<il::IsaId>,
    pub instructions: alloc::vec::Vec<u8>,
}

impl CapRights {
    /// Those of a slot without a capability.
    pub fn none() -> CapRights {
        CapRights { isas: alloc::vec![], instructions: alloc::vec![] }
    }
}

/// Answers questions about the types of values.
pub(crate) struct Types<'a> {
    pub module: &'a Module,
    pub heap: &'a Heap,
    pub caps: &'a [CapRights],
    /// Of each class of foreign objects, the types that these are of.
    pub classes: &'a [alloc::vec::Vec<TypeId>],
}

impl Types<'_> {
    /// Whether `value` is of type `ty`.
    pub fn has(&self, value: Value, ty: Type) -> bool {
        match ty {
            Type::I32 => matches!(value, Value::I32(_)),
            Type::I64 => matches!(value, Value::I64(_)),
            Type::F32 => matches!(value, Value::F32(_)),
            Type::F64 => matches!(value, Value::F64(_)),
            Type::V128 => matches!(value, Value::V128(_)),
            Type::Bool => matches!(value, Value::Bool(_)),
            Type::Buf | Type::BufRef => matches!(value, Value::Buf(_)),
            Type::OptBuf => matches!(value, Value::Buf(_) | Value::Null),
            Type::Any => matches!(value, Value::Object(_) | Value::Func(..) | Value::Cap(_)),
            Type::Str => self.is_str(value),
            Type::Ref(id) => self.is_a(value, id),
            Type::OptAny | Type::OptStr | Type::Opt(_) => value == Value::Null || self.has(value, ty.non_null()),
        }
    }

    /// Whether an object can be frozen.
    pub fn is_sendable(&self, value: Value) -> bool {
        let Value::Object(handle) = value else { return false };
        match self.heap.get(handle) {
            Some(Object::Str(_)) => true,
            Some(Object::Struct { class: Class::Own(ty), .. } | Object::Array { class: Class::Own(ty), .. }) => {
                self.is_sendable_type(Type::Ref(*ty))
            }
            // These came from outside.
            Some(Object::Struct { .. } | Object::Array { .. }) => true,
            Some(Object::Buf(_)) | None => false,
        }
    }

    fn is_sendable_type(&self, ty: Type) -> bool {
        let mut ty = ty;
        loop {
            let Some(id) = ty.def() else { return ty.is_number() || matches!(ty, Type::Str | Type::OptStr) };
            match self.module.type_def(id) {
                Some(TypeDef::Struct(def)) => return def.frozen,
                // An element's definition stands before the array's, so this ends.
                Some(TypeDef::Array(def)) if !def.mutable => match def.element {
                    Storage::Value(element) => ty = element,
                    _ => return true,
                },
                _ => return false,
            }
        }
    }

    fn is_str(&self, value: Value) -> bool {
        match value {
            Value::Object(handle) => matches!(self.heap.get(handle), Some(Object::Str(_))),
            _ => false,
        }
    }

    /// Whether `value` is a struct, array, function or capability of this definition.
    fn is_a(&self, value: Value, id: TypeId) -> bool {
        match value {
            Value::Object(handle) => match self.heap.get(handle) {
                Some(Object::Struct { class, .. } | Object::Array { class, .. }) => match class {
                    Class::Own(ty) => self.extends(*ty, id),
                    Class::Foreign(class) => self.classes.get(*class as usize).is_some_and(|all| all.contains(&id)),
                },
                Some(Object::Str(_) | Object::Buf(_)) | None => false,
            },
            Value::Func(_, ty) => ty == id,
            Value::Cap(slot) => match (self.caps.get(slot as usize), self.module.type_def(id)) {
                (Some(rights), Some(TypeDef::Cap(def))) => {
                    rights.isas.contains(&def.isa)
                        && def.instructions.iter().all(|code| rights.instructions.contains(code))
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether values made as `low` are of definition `high`.
    fn extends(&self, low: TypeId, high: TypeId) -> bool {
        let (mut low, mut high) = (low, high);
        loop {
            if low == high {
                return true;
            }
            match (self.module.type_def(low), self.module.type_def(high)) {
                // A parent stands before its struct, so this ends.
                (Some(TypeDef::Struct(def)), Some(TypeDef::Struct(_))) => match def.parent {
                    Some(parent) if parent < low => low = parent,
                    _ => return false,
                },
                // Immutable arrays are covariant; an element's definition stands before the array's.
                (Some(TypeDef::Array(sub)), Some(TypeDef::Array(sup))) if !sub.mutable && !sup.mutable => {
                    let (Storage::Value(sub), Storage::Value(sup)) = (sub.element, sup.element) else {
                        return false;
                    };
                    match (sub, sup) {
                        (Type::Ref(sub), Type::Ref(sup) | Type::Opt(sup)) | (Type::Opt(sub), Type::Opt(sup)) => {
                            (low, high) = (sub, sup);
                        }
                        _ => return plain_subtype(sub, sup),
                    }
                }
                // Of capability types inside arrays, the one with more instructions is the subtype.
                (Some(TypeDef::Cap(sub)), Some(TypeDef::Cap(sup))) => {
                    return sub.isa == sup.isa && sup.instructions.iter().all(|code| sub.instructions.contains(code));
                }
                _ => return false,
            }
        }
    }
}

/// Subtyping where at most one side has a definition.
fn plain_subtype(sub: Type, sup: Type) -> bool {
    sub == sup
        || match sup {
            Type::Any => matches!(sub, Type::Str | Type::Ref(_)),
            Type::OptAny => sub.is_reference(),
            Type::OptStr => sub == Type::Str,
            Type::OptBuf => sub == Type::Buf,
            _ => false,
        }
}

/// What a field or element keeps of a value that is written to it.
pub(crate) fn narrowed(storage: Storage, value: Value) -> Value {
    match (storage, value) {
        (Storage::I8, Value::I32(value)) => Value::I32(i32::from(value as i8)),
        (Storage::U8, Value::I32(value)) => Value::I32(i32::from(value as u8)),
        (Storage::I16, Value::I32(value)) => Value::I32(i32::from(value as i16)),
        (Storage::U16, Value::I32(value)) => Value::I32(i32::from(value as u16)),
        (_, value) => value,
    }
}
