//! Struct and array types: where their fields and elements are in the IL.

use il::{FieldId, Module, Storage, StructField, Type, TypeDef, TypeId};
use wasmparser::{CompositeInnerType, FieldType, StorageType};

use super::{CanonId, Root, Types, push};

/// The field of `Array` that has the number of elements.
pub(crate) const ARRAY_LENGTH: FieldId = FieldId(0);
/// The field of all arrays that has the elements.
pub(crate) const ARRAY_ELEMENTS: FieldId = FieldId(1);

/// A field of a struct, or an array's element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Field {
    /// What holds it: that of the type which declares it first.
    pub storage: Storage,
    /// What its values are.
    pub value: Type,
}

impl Types {
    /// What references to a type refer to.
    pub(super) fn definition(&mut self, module: &mut Module, id: CanonId) -> TypeId {
        match self.canon(id) {
            Some(canon)
                if matches!(canon.sub.composite_type.inner, CompositeInnerType::Func(_)) && !canon.is_object =>
            {
                if let Some(def) = canon.def {
                    return def;
                }
                let sig = self.carried(id);
                let def = self.func(module, &sig);
                if let Some(canon) = self.canon_mut(id) {
                    canon.def = Some(def);
                }
                def
            }
            _ => self.object(module, id),
        }
    }

    /// The struct that objects of a type are; its fields are written later.
    pub fn object(&mut self, module: &mut Module, id: CanonId) -> TypeId {
        let Some(canon) = self.canon(id) else { return self.root(module, Root::Nothing) };
        if let Some(def) = canon.def {
            return def;
        }
        let parent = match (canon.parent, &canon.sub.composite_type.inner) {
            (Some(parent), _) => Some(self.object(module, parent)),
            (None, CompositeInnerType::Struct(_)) => Some(self.root(module, Root::Struct)),
            (None, CompositeInnerType::Array(_)) => Some(self.root(module, Root::Array)),
            (None, CompositeInnerType::Func(_) | CompositeInnerType::Cont(_)) => None,
        };
        let def = push(module, TypeDef::Struct(il::StructDef { parent, ..il::StructDef::default() }));
        if let Some(canon) = self.canon_mut(id) {
            canon.def = Some(def);
        }
        self.pending.push(id);
        def
    }

    /// Writes the fields of all structs.
    pub fn finish(&mut self, module: &mut Module) {
        while let Some(id) = self.pending.pop() {
            let fields = self.own_fields(module, id);
            let def = self.canon(id).and_then(|canon| canon.def);
            if let Some(TypeDef::Struct(def)) = def.and_then(|def| module.types.get_mut(def.index())) {
                def.fields = fields;
            }
        }
    }

    fn own_fields(&mut self, module: &mut Module, id: CanonId) -> alloc::vec::Vec<StructField> {
        match self.kind(id).cloned() {
            Some(CompositeInnerType::Struct(def)) => {
                let parent = self.canon(id).and_then(|canon| canon.parent);
                let inherited = parent.map_or(0, |parent| self.field_count(parent));
                let own = def.fields.get(inherited..).unwrap_or_default().iter();
                own.map(|field| StructField { mutable: field.mutable, storage: self.storage(module, *field) }).collect()
            }
            Some(CompositeInnerType::Array(_)) if self.canon(id).is_some_and(|canon| canon.parent.is_none()) => {
                let elements = self.elements(module, id);
                alloc::vec![StructField { mutable: false, storage: Storage::Value(Type::Ref(elements)) }]
            }
            Some(CompositeInnerType::Func(_)) => self.func_fields(module, id),
            Some(CompositeInnerType::Array(_) | CompositeInnerType::Cont(_)) | None => alloc::vec::Vec::new(),
        }
    }

    fn storage(&mut self, module: &mut Module, field: FieldType) -> Storage {
        match field.element_type {
            StorageType::I8 => Storage::U8,
            StorageType::I16 => Storage::U16,
            StorageType::Val(ty) => Storage::Value(self.value(module, ty, &[])),
        }
    }

    /// How many fields a struct type has.
    pub fn field_count(&self, id: CanonId) -> usize {
        match self.kind(id) {
            Some(CompositeInnerType::Struct(def)) => def.fields.len(),
            _ => 0,
        }
    }

    /// A field of a struct type.
    pub fn field(&mut self, module: &mut Module, id: CanonId, index: u32) -> Option<Field> {
        let of = |types: &Types, id: CanonId| match types.kind(id) {
            Some(CompositeInnerType::Struct(def)) => def.fields.get(index as usize).copied(),
            _ => None,
        };
        self.place(module, id, of)
    }

    /// The elements of an array type.
    pub fn element(&mut self, module: &mut Module, id: CanonId) -> Option<Field> {
        self.place(module, id, |types, id| match types.kind(id) {
            Some(CompositeInnerType::Array(def)) => Some(def.0),
            _ => None,
        })
    }

    fn place(
        &mut self,
        module: &mut Module,
        id: CanonId,
        of: impl Fn(&Types, CanonId) -> Option<FieldType>,
    ) -> Option<Field> {
        let own = of(self, id)?;
        let (mut first, mut at) = (own, id);
        while let Some(parent) = self.canon(at).and_then(|canon| canon.parent) {
            match of(self, parent) {
                Some(field) => (first, at) = (field, parent),
                None => break,
            }
        }
        let value = self.storage(module, own).value();
        Some(Field { storage: self.storage(module, first), value })
    }

    /// The IL's array type that holds the elements of an array type.
    pub fn elements(&mut self, module: &mut Module, id: CanonId) -> TypeId {
        let storage = self.element(module, id).map_or(Storage::Value(Type::OptAny), |field| field.storage);
        self.array(module, true, storage)
    }

    /// Whether one struct of the IL is another one, or extends it.
    pub fn is_object(&self, module: &Module, sub: TypeId, sup: TypeId) -> bool {
        let mut at = Some(sub);
        while let Some(id) = at {
            if id == sup {
                return true;
            }
            at = match module.types.get(id.index()) {
                Some(TypeDef::Struct(def)) => def.parent,
                _ => None,
            };
        }
        false
    }

    /// Whether there is any array type.
    pub fn has_arrays(&self) -> bool {
        self.canons.iter().any(|canon| matches!(canon.sub.composite_type.inner, CompositeInnerType::Array(_)))
    }
}
