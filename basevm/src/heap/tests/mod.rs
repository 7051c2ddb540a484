//! The heap against a model of what its VM has made. `unsafe`: plays the VM.

mod cases;
mod model;
mod world;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use il::{ArrayDef, Hierarchy, Storage, StructDef, StructField, Type, TypeDef, TypeId};

use super::{TypeTable, kind_of};

/// `struct Node { mut left: ?Node, mut right: ?any, id: i64 }`
const NODE: TypeId = TypeId(0);
/// `struct Holder { flag: u8, mut data: ?buf, mut next: ?any, id: i64 }`
const HOLDER: TypeId = TypeId(1);
/// `mut [?any]`
const ANYS: TypeId = TypeId(2);
/// `mut [i32]`
const INTS: TypeId = TypeId(3);
/// `frozen struct Link { next: ?Link, text: ?str, more: ?[?Link], id: i64 }`
const LINK: TypeId = TypeId(4);
/// `[?Link]`
const LINKS: TypeId = TypeId(5);
/// `mut [?buf]`
const BUFS: TypeId = TypeId(6);

fn field(ty: Type) -> StructField {
    StructField { mutable: true, storage: Storage::Value(ty) }
}

fn hierarchy() -> Hierarchy {
    let structure = |frozen, fields: Vec<StructField>| {
        let name = if frozen { "Frozen".into() } else { alloc::string::String::new() };
        TypeDef::Struct(StructDef { parent: None, frozen, name, fields })
    };
    let array = |mutable, ty| TypeDef::Array(ArrayDef { mutable, element: Storage::Value(ty) });
    let fixed = |ty| StructField { mutable: false, storage: Storage::Value(ty) };
    let flag = StructField { mutable: false, storage: Storage::U8 };
    let (opt_link, opt_links) = (Type::Opt(LINK), Type::Opt(LINKS));
    Hierarchy::new(&[
        structure(false, vec![field(Type::Opt(NODE)), field(Type::OptAny), fixed(Type::I64)]),
        structure(false, vec![flag, field(Type::OptBuf), field(Type::OptAny), fixed(Type::I64)]),
        array(true, Type::OptAny),
        array(true, Type::I32),
        structure(true, vec![fixed(opt_link), fixed(Type::OptStr), fixed(opt_links), fixed(Type::I64)]),
        array(false, opt_link),
        array(true, Type::OptBuf),
    ])
}

fn types() -> Arc<TypeTable> {
    TypeTable::new(hierarchy())
}

fn kind(types: &TypeTable, id: TypeId) -> u32 {
    kind_of(types.hierarchy(), id)
}

/// A small generator of numbers: the same seed, the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}
