//! Subtyping and layout of a module's types (reference, chapter "Types").
//!
//! Structs are numbered in pre-order, so a struct and all that extend it have consecutive numbers, and
//! "is a subtype" is one comparison, in the verifier and in machine code alike.

use alloc::vec;
use alloc::vec::Vec;

use crate::types::{ArrayDef, CapDef, Signature, Storage, StructDef, StructField, Type, TypeDef, TypeId};

/// Bytes of an object before its fields or elements: type and length.
pub const OBJECT_HEADER: u32 = 8;

/// One field, placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlacedField {
    /// Whether it may be assigned.
    pub mutable: bool,
    /// What it holds.
    pub storage: Storage,
    /// Bytes from the object's address.
    pub offset: u32,
}

/// What is known of one definition beyond its line of the table.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Pre-order number, and that of the last struct below it. For all but structs both are its own.
    first: u32,
    last: u32,
    fields: Vec<PlacedField>,
    /// Bytes of an object, header included, a multiple of 8. Arrays: 0.
    bytes: u32,
    sendable: bool,
}

/// Answers questions about a type table. Total: a table that breaks the rules gives some answer.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    defs: Vec<TypeDef>,
    known: Vec<Known>,
}

impl Hierarchy {
    /// Of this table.
    pub fn new(defs: &[TypeDef]) -> Hierarchy {
        let mut hierarchy = Hierarchy { defs: defs.to_vec(), known: vec![Known::default(); defs.len()] };
        hierarchy.number();
        for at in 0..defs.len() {
            hierarchy.place(at);
        }
        for at in 0..defs.len() {
            hierarchy.known[at].sendable = hierarchy.def_is_sendable(TypeId(at as u32));
        }
        hierarchy
    }

    fn parent(&self, at: usize) -> Option<usize> {
        match self.defs.get(at)? {
            TypeDef::Struct(def) => def.parent.map(TypeId::index).filter(|parent| *parent < at),
            TypeDef::Array(_) | TypeDef::Func(_) | TypeDef::Cap(_) => None,
        }
    }

    /// Sizes of subtrees from the last definition up, then first numbers from the first one down.
    fn number(&mut self) {
        let count = self.defs.len();
        let mut sizes = vec![1u32; count];
        for at in (0..count).rev() {
            if let Some(parent) = self.parent(at) {
                sizes[parent] += sizes[at];
            }
        }
        let (mut next_root, mut next_child) = (0, vec![0u32; count]);
        for at in 0..count {
            let next = match self.parent(at) {
                Some(parent) => &mut next_child[parent],
                None => &mut next_root,
            };
            let first = *next;
            *next += sizes[at];
            next_child[at] = first + 1;
            self.known[at].first = first;
            self.known[at].last = first + sizes[at] - 1;
        }
    }

    fn place(&mut self, at: usize) {
        let TypeDef::Struct(def) = &self.defs[at] else { return };
        let (mut fields, mut end) = match self.parent(at).and_then(|parent| self.known.get(parent)) {
            Some(parent) => (parent.fields.clone(), parent.fields.iter().map(end_of).max().unwrap_or(OBJECT_HEADER)),
            None => (Vec::new(), OBJECT_HEADER),
        };
        for StructField { mutable, storage } in def.fields.iter().copied() {
            let offset = end.next_multiple_of(storage.bytes().min(8));
            end = offset + storage.bytes();
            fields.push(PlacedField { mutable, storage, offset });
        }
        let known = &mut self.known[at];
        known.bytes = end.next_multiple_of(8);
        known.fields = fields;
    }

    fn def_is_sendable(&self, id: TypeId) -> bool {
        match &self.defs[id.index()] {
            TypeDef::Struct(def) => def.frozen,
            // Element types of arrays stand before the array, so their answers are known.
            TypeDef::Array(array) => !array.mutable && self.storage_is_sendable(array.element),
            TypeDef::Func(_) | TypeDef::Cap(_) => false,
        }
    }

    fn storage_is_sendable(&self, storage: Storage) -> bool {
        match storage {
            Storage::I8 | Storage::U8 | Storage::I16 | Storage::U16 => true,
            Storage::Value(ty) => self.is_sendable_object(ty),
        }
    }

    /// Whether values of this type can be in a frozen graph: numbers, `str`, frozen structs, immutable arrays and
    /// nullables of such. (`buf` and capabilities travel only as operands themselves.)
    pub fn is_sendable_object(&self, ty: Type) -> bool {
        match ty {
            Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::Bool | Type::Str | Type::OptStr => true,
            Type::Ref(id) | Type::Opt(id) => match self.defs.get(id.index()) {
                Some(TypeDef::Struct(def)) => def.frozen,
                Some(TypeDef::Array(_)) => self.known.get(id.index()).is_some_and(|known| known.sendable),
                Some(TypeDef::Func(_) | TypeDef::Cap(_)) | None => false,
            },
            Type::Buf | Type::BufRef | Type::OptBuf | Type::Any | Type::OptAny => false,
        }
    }

    /// Whether a value of this type may be an operand or result of a device instruction: what can be in a frozen
    /// graph, `any`, and, as operands themselves, `buf` and capabilities.
    pub fn is_carried(&self, ty: Type) -> bool {
        match ty.def() {
            Some(id) => self.cap(id).is_some() || self.is_sendable_object(ty),
            None => ty.is_sendable(),
        }
    }

    /// The table.
    pub fn defs(&self) -> &[TypeDef] {
        &self.defs
    }

    /// The struct with this index.
    pub fn struct_def(&self, id: TypeId) -> Option<&StructDef> {
        match self.defs.get(id.index())? {
            TypeDef::Struct(def) => Some(def),
            TypeDef::Array(_) | TypeDef::Func(_) | TypeDef::Cap(_) => None,
        }
    }

    /// The array type with this index.
    pub fn array(&self, id: TypeId) -> Option<ArrayDef> {
        match self.defs.get(id.index())? {
            TypeDef::Array(def) => Some(*def),
            TypeDef::Struct(_) | TypeDef::Func(_) | TypeDef::Cap(_) => None,
        }
    }

    /// The function type with this index.
    pub fn func(&self, id: TypeId) -> Option<&Signature> {
        match self.defs.get(id.index())? {
            TypeDef::Func(sig) => Some(sig),
            TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Cap(_) => None,
        }
    }

    /// The capability type with this index.
    pub fn cap(&self, id: TypeId) -> Option<&CapDef> {
        match self.defs.get(id.index())? {
            TypeDef::Cap(def) => Some(def),
            TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Func(_) => None,
        }
    }

    /// All fields of a struct, inherited ones first, placed in the object.
    pub fn fields(&self, id: TypeId) -> &[PlacedField] {
        self.known.get(id.index()).map_or(&[], |known| &known.fields)
    }

    /// Bytes of a struct's objects, header included; a multiple of 8.
    pub fn struct_bytes(&self, id: TypeId) -> u32 {
        self.known.get(id.index()).map_or(0, |known| known.bytes)
    }

    /// Numbers of a definition and of all structs that extend it: consecutive, unique over the table.
    pub fn numbers(&self, id: TypeId) -> (u32, u32) {
        self.known.get(id.index()).map_or((0, 0), |known| (known.first, known.last))
    }

    /// Whether every value of `sub` is one of `sup`.
    pub fn is_subtype(&self, sub: Type, sup: Type) -> bool {
        if sub == sup {
            return true;
        }
        match (sub, sup) {
            (Type::Ref(sub), Type::Ref(sup) | Type::Opt(sup)) | (Type::Opt(sub), Type::Opt(sup)) => {
                self.def_is_subtype(sub, sup)
            }
            (Type::Ref(_) | Type::Str, Type::Any | Type::OptAny) => true,
            (Type::Opt(_) | Type::OptStr | Type::Any, Type::OptAny) => true,
            (Type::Str, Type::OptStr) | (Type::Buf, Type::OptBuf) => true,
            _ => false,
        }
    }

    /// The same for definitions.
    pub fn def_is_subtype(&self, sub: TypeId, sup: TypeId) -> bool {
        let (mut sub, mut sup) = (sub, sup);
        // Arrays nest only downwards in the table, so this ends.
        for _ in 0..=self.defs.len() {
            if sub == sup {
                return true;
            }
            let (Some(low), Some(high)) = (self.defs.get(sub.index()), self.defs.get(sup.index())) else {
                return false;
            };
            match (low, high) {
                (TypeDef::Struct(_), TypeDef::Struct(_)) => {
                    let (first, last) = self.numbers(sup);
                    return (first..=last).contains(&self.numbers(sub).0);
                }
                (TypeDef::Cap(low), TypeDef::Cap(high)) => {
                    let has = |opcode| low.instructions.binary_search(opcode).is_ok();
                    return low.isa == high.isa && high.instructions.iter().all(has);
                }
                (TypeDef::Array(low), TypeDef::Array(high)) if !low.mutable && !high.mutable => {
                    match (low.element, high.element) {
                        (Storage::Value(Type::Ref(low)), Storage::Value(Type::Ref(high) | Type::Opt(high)))
                        | (Storage::Value(Type::Opt(low)), Storage::Value(Type::Opt(high))) => (sub, sup) = (low, high),
                        (Storage::Value(low), Storage::Value(high)) => return self.is_subtype(low, high),
                        _ => return false,
                    }
                }
                _ => return false,
            }
        }
        false
    }
}

fn end_of(field: &PlacedField) -> u32 {
    field.offset + field.storage.bytes()
}
