//! Types: from WebAssembly's to the IL's.
//!
//! Types that are equal over all units are one here (`canon`), and each has at most one definition in the IL:
//!
//! | WebAssembly | the IL |
//! | --- | --- |
//! | a struct type | a struct that extends its supertype's, or `Struct` |
//! | an array type | a struct of length and `mut [T]`, which extends its supertype's, or `Array` |
//! | a function type | the IL's; if that says too little, a struct of such references (`funcs`) |
//! | `eq`, `struct`, `array`, `i31` | the structs `Eq`, `Struct`, `Array` and `I31`, of which the first is the parent |
//! | `none`, `nofunc`, `noextern` | `Nothing`, a struct of which there are no objects |
//! | `any`, `func`, `extern` | `any` |
//!
//! So whatever is a subtype in WebAssembly is one in the IL, but for `Nothing`, of which only null is a value: that is
//! cast to what is wanted.

mod canon;
mod funcs;
mod objects;

use alloc::string::ToString;
use alloc::vec::Vec;

use hashbrown::HashMap;
use il::{ArrayDef, FuncId, GlobalId, Module, Signature, Storage, StructDef, StructField, Type, TypeDef, TypeId};
use wasmparser::types::CoreTypeId;
use wasmparser::{AbstractHeapType, HeapType, RefType, UnpackedIndex, ValType};

use crate::decode::Decoded;

pub(crate) use canon::{CanonId, Reference};
pub(crate) use funcs::{FuncForm, adapter};
pub(crate) use objects::{ARRAY_ELEMENTS, ARRAY_LENGTH, Field};

use canon::Canon;

/// The structs that all objects extend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Root {
    Eq,
    Struct,
    Array,
    I31,
    /// What has no values but null.
    Nothing,
}

impl Root {
    const ALL: [Root; 5] = [Root::Eq, Root::Struct, Root::Array, Root::I31, Root::Nothing];

    fn name(self) -> &'static str {
        match self {
            Root::Eq => "Eq",
            Root::Struct => "Struct",
            Root::Array => "Array",
            Root::I31 => "I31",
            Root::Nothing => "Nothing",
        }
    }
}

/// The types of all units, and the module's type table by shape.
#[derive(Default)]
pub(crate) struct Types {
    funcs: HashMap<Signature, TypeId>,
    arrays: HashMap<(bool, Storage), TypeId>,
    canons: Vec<Canon>,
    known: HashMap<CoreTypeId, CanonId>,
    roots: [Option<TypeId>; Root::ALL.len()],
    /// Structs whose fields are not written yet.
    pending: Vec<CanonId>,
    /// Globals that hold functions as objects.
    func_objects: HashMap<(FuncId, CanonId), GlobalId>,
    adapters: HashMap<(FuncId, Signature), FuncId>,
    /// Whether functions may be left without their results, which are null then: units have tags.
    pub throws: bool,
}

impl Types {
    /// Knows what the module has already.
    pub fn of(module: &Module) -> Types {
        let mut types = Types::default();
        for (at, def) in module.types.iter().enumerate() {
            let id = TypeId(at as u32);
            match def {
                TypeDef::Func(sig) => _ = types.funcs.insert(sig.clone(), id),
                TypeDef::Array(def) => _ = types.arrays.insert((def.mutable, def.element), id),
                TypeDef::Struct(_) | TypeDef::Cap(_) => {}
            }
        }
        types
    }

    /// The definition of a function type of the IL.
    pub fn func(&mut self, module: &mut Module, sig: &Signature) -> TypeId {
        if let Some(id) = self.funcs.get(sig) {
            return *id;
        }
        let id = push(module, TypeDef::Func(sig.clone()));
        self.funcs.insert(sig.clone(), id);
        id
    }

    /// The definition of an array type of the IL.
    pub fn array(&mut self, module: &mut Module, mutable: bool, element: Storage) -> TypeId {
        *self
            .arrays
            .entry((mutable, element))
            .or_insert_with(|| push(module, TypeDef::Array(ArrayDef { mutable, element })))
    }

    /// The definition of a struct that objects extend.
    pub fn root(&mut self, module: &mut Module, root: Root) -> TypeId {
        if let Some(id) = self.roots[root as usize] {
            return id;
        }
        let int = StructField { mutable: false, storage: Storage::Value(Type::I32) };
        let (parent, fields) = match root {
            Root::Eq | Root::Nothing => (None, Vec::new()),
            Root::Struct => (Some(self.root(module, Root::Eq)), Vec::new()),
            Root::Array | Root::I31 => (Some(self.root(module, Root::Eq)), alloc::vec![int]),
        };
        let id = push(module, TypeDef::Struct(StructDef { parent, fields, ..StructDef::default() }));
        self.roots[root as usize] = Some(id);
        id
    }

    /// Whether a type has no values but null.
    pub fn is_nothing(&self, ty: Type) -> bool {
        ty.def().is_some_and(|id| self.roots[Root::Nothing as usize] == Some(id))
    }

    /// Whether `Nothing` is mentioned anywhere, so that values may have to be cast.
    pub fn has_nothing(&self) -> bool {
        self.roots[Root::Nothing as usize].is_some()
    }

    /// Names of the structs that stand for WebAssembly's own, for the module's names.
    pub fn names(&self, module: &Module) -> Vec<il::TypeNames> {
        let mut names = alloc::vec![il::TypeNames::default(); module.types.len()];
        let mut any = false;
        for root in Root::ALL {
            let slot = self.roots[root as usize].and_then(|id| names.get_mut(id.index()));
            if let Some(slot) = slot {
                slot.name = root.name().to_string();
                any = true;
            }
        }
        if any { names } else { Vec::new() }
    }

    /// A value's type; `map` has the unit's types.
    fn value(&mut self, module: &mut Module, ty: ValType, map: &[CanonId]) -> Type {
        match ty {
            ValType::I32 => Type::I32,
            ValType::I64 => Type::I64,
            ValType::F32 => Type::F32,
            ValType::F64 => Type::F64,
            ValType::V128 => Type::V128,
            ValType::Ref(reference) => self.reference(module, reference, map),
        }
    }

    fn reference(&mut self, module: &mut Module, ty: RefType, map: &[CanonId]) -> Type {
        let def = match ty.heap_type() {
            HeapType::Concrete(index) | HeapType::Exact(index) => {
                self.canon_of(index, map).map(|id| self.definition(module, id))
            }
            HeapType::Abstract { ty, .. } => root_of(ty).map(|root| self.root(module, root)),
        };
        match (def, ty.is_nullable()) {
            (Some(id), true) => Type::Opt(id),
            (Some(id), false) => Type::Ref(id),
            (None, true) => Type::OptAny,
            (None, false) => Type::Any,
        }
    }

    fn canon_of(&self, index: UnpackedIndex, map: &[CanonId]) -> Option<CanonId> {
        match index {
            UnpackedIndex::Module(at) => map.get(at as usize).copied(),
            UnpackedIndex::Id(id) => self.known.get(&id).copied(),
            UnpackedIndex::RecGroup(_) => None,
        }
    }
}

/// The struct that stands for an abstract type; `None` if that is `any`.
fn root_of(ty: AbstractHeapType) -> Option<Root> {
    match ty {
        AbstractHeapType::Eq => Some(Root::Eq),
        AbstractHeapType::Struct => Some(Root::Struct),
        AbstractHeapType::Array => Some(Root::Array),
        AbstractHeapType::I31 => Some(Root::I31),
        AbstractHeapType::None | AbstractHeapType::NoExtern | AbstractHeapType::NoFunc => Some(Root::Nothing),
        AbstractHeapType::Any | AbstractHeapType::Extern | AbstractHeapType::Func => None,
        AbstractHeapType::Exn | AbstractHeapType::NoExn | AbstractHeapType::Cont | AbstractHeapType::NoCont => None,
    }
}

fn push(module: &mut Module, def: TypeDef) -> TypeId {
    module.types.push(def);
    TypeId(module.types.len() as u32 - 1)
}

/// A unit's types in the IL.
#[derive(Default)]
pub(crate) struct UnitTypes {
    /// Of what is no function type, empty.
    sigs: Vec<Signature>,
    canons: Vec<CanonId>,
}

impl UnitTypes {
    /// Those of a unit whose types are known.
    pub fn new(decoded: &Decoded<'_>, types: &Types) -> UnitTypes {
        let canons = types.canons_of(decoded);
        UnitTypes { sigs: canons.iter().map(|id| types.sig(*id).clone()).collect(), canons }
    }

    /// The signature of a function type; validation has excluded that there is none.
    pub fn sig(&self, index: u32) -> Option<&Signature> {
        self.sigs.get(index as usize)
    }

    /// The type that a function of this type has in the module: results can be null where functions may be left without
    /// them.
    pub fn carried(&self, index: u32, types: &Types) -> Signature {
        self.canon(index).map(|id| types.carried(id)).unwrap_or_default()
    }

    /// The type of a result in the module.
    pub fn carried_value(&self, ty: Type, types: &Types) -> Type {
        types.carried_value(ty)
    }

    /// The type with this index, among those of all units.
    pub fn canon(&self, index: u32) -> Option<CanonId> {
        self.canons.get(index as usize).copied()
    }

    /// A value's type.
    pub fn value(&self, ty: ValType, types: &mut Types, module: &mut Module) -> Type {
        types.value(module, ty, &self.canons)
    }

    /// A reference's type.
    pub fn reference(&self, ty: RefType, types: &mut Types, module: &mut Module) -> Type {
        types.reference(module, ty, &self.canons)
    }

    /// What a reference type means, to be compared with that of other units.
    pub fn meaning(&self, ty: RefType, types: &Types) -> Option<Reference> {
        types.meaning(ty, &self.canons)
    }
}
