//! Types: from WebAssembly's to the IL's, each shape once.
//!
//! `funcref`, `externref` and what else is abstract is `?any`, or `any` where null is excluded. A reference to a
//! function type is the IL's, but for types that refer to themselves, which the IL cannot write: those are `any` too,
//! and calls through them check.

use alloc::vec::Vec;
use core::cell::Cell;

use hashbrown::HashMap;
use il::{ArrayDef, Module, Signature, Storage, Type, TypeDef, TypeId};
use wasmparser::{RefType, ValType};

use crate::decode::Decoded;

/// The module's type table, by shape.
#[derive(Default)]
pub(crate) struct Types {
    funcs: HashMap<Signature, TypeId>,
    arrays: Vec<(ArrayDef, TypeId)>,
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
                TypeDef::Array(def) => types.arrays.push((*def, id)),
                TypeDef::Struct(_) | TypeDef::Cap(_) => {}
            }
        }
        types
    }

    /// The definition of a function type.
    pub fn func(&mut self, module: &mut Module, sig: &Signature) -> TypeId {
        if let Some(id) = self.funcs.get(sig) {
            return *id;
        }
        let id = TypeId(module.types.len() as u32);
        module.types.push(TypeDef::Func(sig.clone()));
        self.funcs.insert(sig.clone(), id);
        id
    }

    /// The definition of an array type.
    pub fn array(&mut self, module: &mut Module, mutable: bool, element: Type) -> TypeId {
        let def = ArrayDef { mutable, element: Storage::Value(element) };
        if let Some((_, id)) = self.arrays.iter().find(|(known, _)| *known == def) {
            return *id;
        }
        let id = TypeId(module.types.len() as u32);
        module.types.push(TypeDef::Array(def));
        self.arrays.push((def, id));
        id
    }
}

/// A unit's function types in the IL.
#[derive(Default)]
pub(crate) struct UnitTypes {
    pub sigs: Vec<Signature>,
    ids: Vec<Cell<Option<TypeId>>>,
    recursive: Vec<bool>,
}

impl UnitTypes {
    /// Translates all of a unit's types; those that no reference needs get no definition yet.
    pub fn new(decoded: &Decoded<'_>, types: &mut Types, module: &mut Module) -> UnitTypes {
        let mut unit = UnitTypes { recursive: decoded.recursive.clone(), ..UnitTypes::default() };
        for func in &decoded.types {
            let sig = Signature {
                params: func.params().iter().map(|ty| unit.value(*ty, types, module)).collect(),
                results: func.results().iter().map(|ty| unit.value(*ty, types, module)).collect(),
            };
            unit.sigs.push(sig);
            unit.ids.push(Cell::new(None));
        }
        unit
    }

    /// The signature of a type; validation has excluded that there is none.
    pub fn sig(&self, index: u32) -> Option<&Signature> {
        self.sigs.get(index as usize)
    }

    /// The type that a function of this type has in the module: results can be null where functions may be left without
    /// them.
    pub fn carried(&self, index: u32, types: &Types) -> Signature {
        let mut sig = self.sig(index).cloned().unwrap_or_default();
        sig.results.iter_mut().for_each(|ty| *ty = self.carried_value(*ty, types));
        sig
    }

    /// The type of a result in the module.
    pub fn carried_value(&self, ty: Type, types: &Types) -> Type {
        if types.throws { ty.nullable().unwrap_or(ty) } else { ty }
    }

    /// The definition of a function type.
    pub fn id(&self, index: u32, types: &mut Types, module: &mut Module) -> TypeId {
        let Some(cell) = self.ids.get(index as usize) else {
            return types.func(module, &Signature::default());
        };
        match cell.get() {
            Some(id) => id,
            None => {
                let sig = self.carried(index, types);
                let id = types.func(module, &sig);
                cell.set(Some(id));
                id
            }
        }
    }

    /// A value's type.
    pub fn value(&self, ty: ValType, types: &mut Types, module: &mut Module) -> Type {
        match ty {
            ValType::I32 => Type::I32,
            ValType::I64 => Type::I64,
            ValType::F32 => Type::F32,
            ValType::F64 => Type::F64,
            ValType::V128 => Type::V128,
            ValType::Ref(reference) => self.reference(reference, types, module),
        }
    }

    /// A reference's type.
    pub fn reference(&self, ty: RefType, types: &mut Types, module: &mut Module) -> Type {
        let plain = if ty.is_nullable() { Type::OptAny } else { Type::Any };
        let Some(index) = ty.type_index().and_then(|index| index.as_module_index()) else { return plain };
        // While a group is being translated, its own types have no entry yet.
        if self.recursive.get(index as usize).copied().unwrap_or(true) || index as usize >= self.sigs.len() {
            return plain;
        }
        let id = self.id(index, types, module);
        if ty.is_nullable() { Type::Opt(id) } else { Type::Ref(id) }
    }
}
