//! The types of all units: those that are equal, as WebAssembly compares groups of recursive types, are one.
//!
//! The validator finds out which are; here they are numbered, and it is settled which function types need objects.

use alloc::vec::Vec;

use hashbrown::HashMap;
use il::{Module, Signature, Type, TypeId};
use wasmparser::types::CoreTypeId;
use wasmparser::{AbstractHeapType, CompositeInnerType, FuncType, HeapType, RefType, SubType, ValType};

use super::{Types, root_of};
use crate::decode::Decoded;

/// Index of a type among those of all units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CanonId(u32);

impl CanonId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a type.
pub(super) struct Canon {
    pub sub: SubType,
    pub parent: Option<CanonId>,
    /// How many types it extends, directly and by way of others.
    pub depth: usize,
    /// Of a function type: whether a reference of the IL says too little, so that it is in an object.
    pub is_object: bool,
    /// Of a function type; else empty.
    pub sig: Signature,
    /// What references to it refer to in the IL.
    pub def: Option<TypeId>,
}

/// A reference type, comparable between units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reference {
    nullable: bool,
    heap: Heap,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Heap {
    Abstract(AbstractHeapType),
    Concrete(CanonId),
}

/// Types that extend one another: the IL has two more above them.
const DEPTH: usize = il::limits::STRUCT_DEPTH - 3;
/// Fields of a struct: they are operands of the instruction that makes one.
const FIELDS: usize = il::limits::FIELDS - 24;

impl Types {
    pub(super) fn canon(&self, id: CanonId) -> Option<&Canon> {
        self.canons.get(id.index())
    }

    pub(super) fn canon_mut(&mut self, id: CanonId) -> Option<&mut Canon> {
        self.canons.get_mut(id.index())
    }

    /// Takes the types of all units. What among them the IL cannot carry, and what to do about it.
    pub fn settle(&mut self, units: &[Decoded<'_>], module: &mut Module) -> Result<(), (&'static str, &'static str)> {
        let mut recursive = Vec::new();
        for unit in units {
            self.number(unit, &mut recursive)?;
        }
        recursive.into_iter().for_each(|id: CanonId| self.make_object(id));
        self.tell_apart();
        for at in 0..self.canons.len() {
            let Some(Canon { sub, .. }) = self.canons.get(at) else { break };
            let CompositeInnerType::Func(func) = &sub.composite_type.inner else { continue };
            let func = func.clone();
            let sig = Signature {
                params: func.params().iter().map(|ty| self.value(module, *ty, &[])).collect(),
                results: func.results().iter().map(|ty| self.value(module, *ty, &[])).collect(),
            };
            if let Some(canon) = self.canons.get_mut(at) {
                canon.sig = sig;
            }
        }
        Ok(())
    }

    fn number(&mut self, unit: &Decoded<'_>, recursive: &mut Vec<CanonId>) -> Result<(), (&'static str, &'static str)> {
        for id in unit.core_types() {
            if self.known.contains_key(&id) {
                continue;
            }
            let Some(types) = &unit.validated else { break };
            let Some(sub) = types.as_ref().get(id).cloned() else { break };
            let parent = sub.supertype_idx.and_then(|index| index.as_core_type_id());
            let parent = parent.and_then(|id| self.known.get(&id).copied());
            let depth = parent.and_then(|id| self.canon(id)).map_or(0, |parent| parent.depth + 1);
            let canon = CanonId(self.canons.len() as u32);
            match &sub.composite_type.inner {
                CompositeInnerType::Func(func) => {
                    let group = types.as_ref().rec_group_id_of(id);
                    let own = |id: CoreTypeId| types.as_ref().rec_group_id_of(id) == group && is_func(unit, id);
                    if concrete(func).any(own) {
                        recursive.push(canon);
                    }
                }
                CompositeInnerType::Struct(def) if def.fields.len() > FIELDS => {
                    return Err(("a struct of more than 1000 fields", "split it"));
                }
                CompositeInnerType::Struct(_) | CompositeInnerType::Array(_) | CompositeInnerType::Cont(_) => {}
            }
            if depth >= DEPTH {
                return Err(("a type that extends so many others, one after the other", "leave some out"));
            }
            let (sig, def) = (Signature::default(), None);
            self.canons.push(Canon { sub, parent, depth, is_object: false, sig, def });
            self.known.insert(id, canon);
            if let Some(parent) = parent {
                self.make_object(parent);
                self.make_object(canon);
            }
        }
        Ok(())
    }

    fn make_object(&mut self, id: CanonId) {
        if let Some(canon) = self.canon_mut(id) {
            canon.is_object = matches!(canon.sub.composite_type.inner, CompositeInnerType::Func(_));
        }
    }

    /// Function types that have the same signature in the IL, but are not equal, need objects.
    fn tell_apart(&mut self) {
        let mut seen: HashMap<Vec<u64>, CanonId> = HashMap::new();
        for at in 0..self.canons.len() {
            let id = CanonId(at as u32);
            let Some(Canon { sub, .. }) = self.canons.get(at) else { break };
            let CompositeInnerType::Func(func) = &sub.composite_type.inner else { continue };
            let first = *seen.entry(self.shape(func)).or_insert(id);
            if first != id {
                self.make_object(first);
                self.make_object(id);
            }
        }
    }

    /// What a function type's signature in the IL depends on.
    fn shape(&self, func: &FuncType) -> Vec<u64> {
        let value = |ty: &ValType, nullable: bool| match ty {
            ValType::I32 => 0,
            ValType::I64 => 1,
            ValType::F32 => 2,
            ValType::F64 => 3,
            ValType::V128 => 4,
            ValType::Ref(ty) => {
                let heap = match self.meaning(*ty, &[]).map(|meaning| meaning.heap) {
                    Some(Heap::Concrete(id)) => 0x100 + u64::from(id.0),
                    Some(Heap::Abstract(ty)) => root_of(ty).map_or(0, |root| 1 + root as u64),
                    None => 0,
                };
                (1 << 40) | u64::from(nullable || ty.is_nullable()) << 39 | heap
            }
        };
        let params = func.params().iter().map(|ty| value(ty, false));
        let results = func.results().iter().map(|ty| value(ty, self.throws));
        params.chain([u64::MAX]).chain(results).collect()
    }

    pub(super) fn canons_of(&self, unit: &Decoded<'_>) -> Vec<CanonId> {
        let canon = |id: CoreTypeId| self.known.get(&id).copied().unwrap_or(CanonId(u32::MAX));
        unit.core_types().map(canon).collect()
    }

    /// The type that functions of a type have in the module: results can be null where functions may be left without them.
    pub fn carried(&self, id: CanonId) -> Signature {
        let mut sig = self.sig(id).clone();
        sig.results.iter_mut().for_each(|ty| *ty = self.carried_value(*ty));
        sig
    }

    /// The type of a result in the module.
    pub fn carried_value(&self, ty: Type) -> Type {
        if self.throws { ty.nullable().unwrap_or(ty) } else { ty }
    }

    /// The signature of a function type in the IL.
    pub fn sig(&self, id: CanonId) -> &Signature {
        const NONE: &Signature = &Signature { params: Vec::new(), results: Vec::new() };
        self.canon(id).map_or(NONE, |canon| &canon.sig)
    }

    // Comparing

    pub(super) fn meaning(&self, ty: RefType, map: &[CanonId]) -> Option<Reference> {
        let heap = match ty.heap_type() {
            HeapType::Concrete(index) | HeapType::Exact(index) => Heap::Concrete(self.canon_of(index, map)?),
            HeapType::Abstract { ty, .. } => Heap::Abstract(ty),
        };
        Some(Reference { nullable: ty.is_nullable(), heap })
    }

    /// Whether a type is another one, or extends it.
    pub fn extends(&self, sub: CanonId, sup: CanonId) -> bool {
        let mut at = Some(sub);
        while let Some(id) = at {
            if id == sup {
                return true;
            }
            at = self.canon(id).and_then(|canon| canon.parent);
        }
        false
    }

    /// Whether all values of a reference type are those of another one.
    pub fn is_reference_subtype(&self, sub: Reference, sup: Reference) -> bool {
        (sup.nullable || !sub.nullable) && self.is_heap_subtype(sub.heap, sup.heap)
    }

    fn is_heap_subtype(&self, sub: Heap, sup: Heap) -> bool {
        use AbstractHeapType::{Any, Array, Eq, Exn, Extern, Func, I31, NoExn, NoExtern, NoFunc, None, Struct};
        match (sub, sup) {
            (Heap::Concrete(sub), Heap::Concrete(sup)) => self.extends(sub, sup),
            (Heap::Abstract(sub), Heap::Abstract(sup)) => match (sub, sup) {
                (NoFunc, Func) | (NoExtern, Extern) | (NoExn, Exn) => true,
                (None, Any | Eq | I31 | Struct | Array) | (I31 | Struct | Array, Eq | Any) | (Eq, Any) => true,
                (sub, sup) => sub == sup,
            },
            (Heap::Concrete(sub), Heap::Abstract(sup)) => match self.kind(sub) {
                Some(CompositeInnerType::Func(_)) => sup == Func,
                Some(CompositeInnerType::Struct(_)) => matches!(sup, Struct | Eq | Any),
                Some(CompositeInnerType::Array(_)) => matches!(sup, Array | Eq | Any),
                Some(CompositeInnerType::Cont(_)) | Option::None => false,
            },
            (Heap::Abstract(sub), Heap::Concrete(sup)) => match self.kind(sup) {
                Some(CompositeInnerType::Func(_)) => sub == NoFunc,
                Some(CompositeInnerType::Struct(_) | CompositeInnerType::Array(_)) => sub == None,
                Some(CompositeInnerType::Cont(_)) | Option::None => false,
            },
        }
    }

    pub(super) fn kind(&self, id: CanonId) -> Option<&CompositeInnerType> {
        self.canon(id).map(|canon| &canon.sub.composite_type.inner)
    }
}

/// The types that a function type refers to.
fn concrete(func: &FuncType) -> impl Iterator<Item = CoreTypeId> {
    let id = |ty: &ValType| match ty {
        ValType::Ref(ty) => ty.type_index().and_then(|index| index.as_core_type_id()),
        _ => None,
    };
    func.params().iter().chain(func.results()).filter_map(id)
}

fn is_func(unit: &Decoded<'_>, id: CoreTypeId) -> bool {
    let sub = unit.validated.as_ref().and_then(|types| types.as_ref().get(id));
    sub.is_some_and(|sub| matches!(sub.composite_type.inner, CompositeInnerType::Func(_)))
}
