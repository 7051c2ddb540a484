//! Structs, arrays and references (reference, chapter "Structs, arrays, references").

use alloc::vec;
use alloc::vec::Vec;

use il::trap::TrapKind;
use il::{FieldId, Storage, Type, TypeDef, TypeId, limits};

use crate::graph::Class;
use crate::heap::{Heap, Object};
use crate::machine::Machine;
use crate::outcome::Trap;
use crate::value::{Value, narrowed};

type Done = Result<(), Trap>;

impl Machine<'_> {
    // Structs.

    fn storage(&self, ty: TypeId, field: FieldId) -> Result<Storage, Trap> {
        let shape = self.shapes.get(ty.index());
        shape.and_then(|shape| shape.get(field.index())).copied().ok_or_else(|| Trap::broken("a field"))
    }

    /// A field of the struct.
    fn field(&mut self, object: Value, field: FieldId) -> Result<&mut Value, Trap> {
        match object {
            Value::Object(handle) => match self.heap.get_mut(handle) {
                Some(Object::Struct { fields, .. }) => {
                    fields.get_mut(field.index()).ok_or_else(|| Trap::broken("a field"))
                }
                Some(Object::Str(_) | Object::Array { .. } | Object::Buf(_)) | None => Err(Trap::broken("a struct")),
            },
            _ => Err(Trap::broken("a struct")),
        }
    }

    pub(crate) fn struct_new(&mut self, ty: TypeId) -> Done {
        let shape = self.shapes.get(ty.index()).cloned().unwrap_or_default();
        let values = self.pop_values(shape.len())?;
        let fields = shape.iter().zip(values).map(|(storage, value)| narrowed(*storage, value)).collect();
        self.push_object(Object::Struct { class: Class::Own(ty), fields })
    }

    pub(crate) fn field_get(&mut self, field: FieldId) -> Done {
        let object = self.pop_value()?;
        let value = *self.field(object, field)?;
        self.stack.push(value);
        Ok(())
    }

    pub(crate) fn field_take(&mut self, field: FieldId) -> Done {
        let object = self.pop_value()?;
        let value = core::mem::replace(self.field(object, field)?, Value::Null);
        self.stack.push(value);
        Ok(())
    }

    pub(crate) fn field_set(&mut self, ty: TypeId, field: FieldId) -> Done {
        let value = self.pop_value()?;
        let object = self.pop_value()?;
        let value = narrowed(self.storage(ty, field)?, value);
        *self.field(object, field)? = value;
        Ok(())
    }

    // Arrays: lengths and indices are unsigned.

    fn element_storage(&self, ty: TypeId) -> Result<Storage, Trap> {
        match self.module.type_def(ty) {
            Some(TypeDef::Array(def)) => Ok(def.element),
            Some(TypeDef::Struct(_) | TypeDef::Func(_) | TypeDef::Cap(_)) | None => Err(Trap::broken("an array type")),
        }
    }

    fn elements(&mut self, array: Value) -> Result<&mut Vec<Value>, Trap> {
        match array {
            Value::Object(handle) => match self.heap.get_mut(handle) {
                Some(Object::Array { elements, .. }) => Ok(elements),
                Some(Object::Str(_) | Object::Struct { .. } | Object::Buf(_)) | None => Err(Trap::broken("an array")),
            },
            _ => Err(Trap::broken("an array")),
        }
    }

    fn element(&mut self, array: Value, index: u32) -> Result<&mut Value, Trap> {
        Ok(self.elements(array)?.get_mut(index as usize).ok_or(TrapKind::IndexOutOfBounds)?)
    }

    pub(crate) fn array_new(&mut self, ty: TypeId) -> Done {
        let fill = self.pop_value()?;
        let length: u32 = self.pop()?;
        if length as usize > limits::ARRAY_ELEMENTS {
            return Err(TrapKind::Quota.into());
        }
        let fill = narrowed(self.element_storage(ty)?, fill);
        self.reserve(Heap::cost_of(length, true), vec![fill])?;
        self.push_object(Object::Array { class: Class::Own(ty), elements: vec![fill; length as usize] })
    }

    pub(crate) fn array_of(&mut self, ty: TypeId, count: u32) -> Done {
        let storage = self.element_storage(ty)?;
        let values = self.pop_values(count as usize)?;
        let elements = values.into_iter().map(|value| narrowed(storage, value)).collect();
        self.push_object(Object::Array { class: Class::Own(ty), elements })
    }

    pub(crate) fn array_get(&mut self) -> Done {
        let index = self.pop()?;
        let array = self.pop_value()?;
        let value = *self.element(array, index)?;
        self.stack.push(value);
        Ok(())
    }

    pub(crate) fn array_take(&mut self) -> Done {
        let index = self.pop()?;
        let array = self.pop_value()?;
        let value = core::mem::replace(self.element(array, index)?, Value::Null);
        self.stack.push(value);
        Ok(())
    }

    pub(crate) fn array_set(&mut self, ty: TypeId) -> Done {
        let value = self.pop_value()?;
        let index = self.pop()?;
        let array = self.pop_value()?;
        let value = narrowed(self.element_storage(ty)?, value);
        *self.element(array, index)? = value;
        Ok(())
    }

    pub(crate) fn array_len(&mut self) -> Done {
        let array = self.pop_value()?;
        let length = self.elements(array)?.len();
        self.push(length as u32)
    }

    // References.

    /// Identity: the same object, function or capability, or both null.
    pub(crate) fn same(&mut self, equal: bool) -> Done {
        let right = self.pop_value()?;
        let left = self.pop_value()?;
        self.push((left == right) == equal)
    }

    pub(crate) fn is(&mut self, ty: Type) -> Done {
        let value = self.pop_value()?;
        let answer = self.has_type(value, ty);
        self.push(answer)
    }

    pub(crate) fn cast(&mut self, ty: Type) -> Done {
        let value = self.pop_value()?;
        if !self.has_type(value, ty) {
            return Err(TrapKind::Cast.into());
        }
        self.stack.push(value);
        Ok(())
    }

    /// One copy of what is not in shared memory yet, with the same sharing inside it.
    pub(crate) fn freeze(&mut self) -> Done {
        let value = self.pop_value()?;
        let frozen = self.frozen(value, &[])?;
        self.stack.push(frozen);
        Ok(())
    }

    /// The same of any value; the others are in use too.
    pub(crate) fn frozen(&mut self, value: Value, others: &[Value]) -> Result<Value, Trap> {
        let (graph, bytes) = self.heap.unfrozen(value);
        let mut kept = others.to_vec();
        kept.push(value);
        self.reserve(bytes, kept)?;
        Ok(self.heap.freeze(value, &graph))
    }

    /// Makes values fit to leave the machine, those that packets carry as attachments.
    pub(crate) fn share(&mut self, mut values: Vec<Value>, types: &[Type]) -> Result<Vec<Value>, Trap> {
        for at in 0..values.len() {
            let (Some(value), Some(true)) = (values.get(at).copied(), types.get(at).map(|ty| ty.is_attached())) else {
                continue;
            };
            values[at] = match value {
                Value::Null | Value::Cap(_) => value,
                Value::Object(_) if self.types().is_sendable(value) => self.frozen(value, &values)?,
                _ => return Err(TrapKind::Cast.into()),
            };
        }
        Ok(values)
    }
}
