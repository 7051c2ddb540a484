//! Structs, arrays, casts, function references: what bodies do with objects.

use super::body::{Body, Operand, Source};
use super::error::Violation;
use super::rule::{Result, ensure, some};
use crate::types::ArrayDef;
use crate::{FieldId, FuncId, PlacedField, Type, TypeId};

impl Body<'_> {
    // Structs

    #[cfg_attr(test, track_caller)]
    fn is_struct(&self, id: TypeId) -> Result {
        self.defined(id)?;
        let found = self.context.hierarchy.struct_def(id);
        ensure!(found.is_some(), Violation::WrongKind { expected: "a struct", found: id });
        Ok(())
    }

    #[cfg_attr(test, track_caller)]
    fn field(&self, id: TypeId, field: FieldId) -> Result<PlacedField> {
        self.is_struct(id)?;
        let fields = self.context.hierarchy.fields(id);
        let missing = Violation::NoSuch { what: "field", index: field.0, count: fields.len() };
        Ok(*some!(fields.get(field.index()), missing))
    }

    pub fn struct_new(&mut self, id: TypeId) -> Result {
        self.is_struct(id)?;
        let hierarchy = self.context.hierarchy;
        let depth = self.pop_all(hierarchy.fields(id).iter().map(|field| field.storage.value()))?;
        self.push(Type::Ref(id), depth + 1)
    }

    pub fn field_get(&mut self, id: TypeId, field: FieldId) -> Result {
        let ty = self.field(id, field)?.storage.value();
        ensure!(ty != Type::OptBuf, Violation::ReadsOptBuf);
        let depth = self.pop(Type::Ref(id))?;
        self.push(ty, depth + 1)
    }

    pub fn field_take(&mut self, id: TypeId, field: FieldId) -> Result {
        let ty = self.field(id, field)?.storage.value();
        ensure!(ty == Type::OptBuf, Violation::TakesOther(ty));
        let depth = self.pop(Type::Ref(id))?;
        self.push(ty, depth + 1)
    }

    pub fn field_set(&mut self, id: TypeId, field: FieldId) -> Result {
        let placed = self.field(id, field)?;
        ensure!(placed.mutable, Violation::ImmutableField(id, field));
        self.pop(placed.storage.value())?;
        self.pop(Type::Ref(id))?;
        self.end_statement()
    }

    // Arrays

    #[cfg_attr(test, track_caller)]
    fn array(&self, id: TypeId) -> Result<ArrayDef> {
        self.defined(id)?;
        Ok(some!(self.context.hierarchy.array(id), Violation::WrongKind { expected: "an array", found: id }))
    }

    pub fn array_new(&mut self, id: TypeId) -> Result {
        let element = self.array(id)?.element.value();
        let fill = self.pop_any(element)?;
        self.fits(fill.ty, element)?;
        // One buffer cannot be owned by many elements.
        ensure!(element != Type::OptBuf || fill.source == Source::Null, Violation::FillsWithBuf);
        let depth = self.pop(Type::I32)?.max(fill.depth);
        self.push(Type::Ref(id), depth + 1)
    }

    pub fn array_of(&mut self, id: TypeId, count: u32) -> Result {
        let element = self.array(id)?.element.value();
        self.limit_literal(count)?;
        let depth = self.pop_all((0..count).map(|_| element))?;
        self.push(Type::Ref(id), depth + 1)
    }

    /// Pops an index, then an array.
    #[cfg_attr(test, track_caller)]
    fn element(&mut self, id: TypeId) -> Result<u32> {
        let index = self.pop(Type::I32)?;
        Ok(self.pop(Type::Ref(id))?.max(index) + 1)
    }

    pub fn array_get(&mut self, id: TypeId) -> Result {
        let ty = self.array(id)?.element.value();
        ensure!(ty != Type::OptBuf, Violation::ReadsOptBuf);
        let depth = self.element(id)?;
        self.push(ty, depth)
    }

    pub fn array_take(&mut self, id: TypeId) -> Result {
        let ty = self.array(id)?.element.value();
        ensure!(ty == Type::OptBuf, Violation::TakesOther(ty));
        let depth = self.element(id)?;
        self.push(ty, depth)
    }

    pub fn array_set(&mut self, id: TypeId) -> Result {
        let ArrayDef { mutable, element } = self.array(id)?;
        ensure!(mutable, Violation::ImmutableElement(id));
        self.pop(element.value())?;
        self.element(id)?;
        self.end_statement()
    }

    pub fn array_len(&mut self) -> Result {
        let operand = self.pop_any(Type::Any)?;
        let array = match operand.ty {
            Type::Ref(id) => self.context.hierarchy.array(id),
            _ => None,
        };
        ensure!(array.is_some(), Violation::NotAnArray(operand.ty));
        self.push(Type::I32, operand.depth + 1)
    }

    // References

    #[cfg_attr(test, track_caller)]
    fn pop_reference(&mut self) -> Result<Operand> {
        let operand = self.pop_any(Type::OptAny)?;
        ensure!(operand.ty.is_reference(), Violation::NotAReference(operand.ty));
        Ok(operand)
    }

    /// `==` of references is identity. Of strings it is equality of bytes, which is an operator: the identity of
    /// two strings would show how an engine shares them. Their being null can be asked.
    pub fn identity(&mut self) -> Result {
        let second = self.pop_reference()?;
        let first = self.pop_reference()?;
        let is_text = |operand: Operand| matches!(operand.ty, Type::Str | Type::OptStr);
        let with_null = first.source == Source::Null || second.source == Source::Null;
        ensure!(with_null || !(is_text(first) || is_text(second)), Violation::StrIdentity);
        self.push(Type::Bool, first.depth.max(second.depth) + 1)
    }

    pub fn is(&mut self, ty: Type) -> Result {
        self.known(ty)?;
        let operand = self.pop_reference()?;
        ensure!(ty.is_reference(), Violation::NotCastable { from: operand.ty, to: ty });
        self.push(Type::Bool, operand.depth + 1)
    }

    /// Pops what `as` and `if.as` test: any reference against any reference type, or `?buf` against `buf`.
    #[cfg_attr(test, track_caller)]
    pub fn pop_castable(&mut self, ty: Type) -> Result<Operand> {
        self.known(ty)?;
        let operand = self.pop_any(Type::OptAny)?;
        let references = operand.ty.is_reference() && ty.is_reference();
        let buffers = operand.ty == Type::OptBuf && ty == Type::Buf;
        ensure!(references || buffers, Violation::NotCastable { from: operand.ty, to: ty });
        Ok(operand)
    }

    pub fn cast(&mut self, ty: Type) -> Result {
        let operand = self.pop_castable(ty)?;
        self.push(ty, operand.depth + 1)
    }

    pub fn freeze(&mut self) -> Result {
        let operand = self.pop_reference()?;
        let sendable = self.context.hierarchy.is_sendable_object(operand.ty);
        ensure!(sendable, Violation::NotSendable(operand.ty));
        self.push(operand.ty, operand.depth + 1)
    }

    pub fn func_ref(&mut self, id: FuncId, ty: TypeId) -> Result {
        let sig = &self.callee(id)?.sig;
        self.impure("refer to functions")?;
        let expected = self.func_type(ty)?;
        ensure!(sig == expected, Violation::FuncType { func: id, expected: ty });
        self.push(Type::Ref(ty), 0)
    }
}
