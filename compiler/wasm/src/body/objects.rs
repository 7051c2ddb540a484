//! Structs, arrays, numbers as references, and casts.
//!
//! A reference that may be null is cast before it is used, which traps if it is. WebAssembly computes all operands
//! before it looks at the reference, so those above one that is cast are computed first if they do anything.

use alloc::vec::Vec;

use il::instr::Instr;
use il::op::{Immediate, Op};
use il::{FieldId, LocalId, Storage, Type, TypeId, limits};
use wasmparser::{HeapType, Operator, RefType, ValType};

use super::Translator;
use super::stack::{Effect, Keep, Leaf};
use crate::arrays::{ArrayForm, ObjectHelper};
use crate::constant::zero;
use crate::error::Result;
use crate::types::{ARRAY_ELEMENTS, ARRAY_LENGTH, CanonId, Field, Root};

/// So many operands stand on the stack together with what waits below them.
const FEW: usize = 300;

/// How what is packed is extended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extend {
    Signed,
    Unsigned,
}

impl Translator<'_, '_, '_> {
    /// Operators on objects; `false` if it is another one.
    pub(super) fn object_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::StructNew { struct_type_index } => self.struct_new(*struct_type_index)?,
            Operator::StructNewDefault { struct_type_index } => self.struct_new_default(*struct_type_index)?,
            Operator::StructGet { struct_type_index, field_index }
            | Operator::StructGetU { struct_type_index, field_index } => {
                self.struct_get(*struct_type_index, *field_index, Extend::Unsigned)?;
            }
            Operator::StructGetS { struct_type_index, field_index } => {
                self.struct_get(*struct_type_index, *field_index, Extend::Signed)?;
            }
            Operator::StructSet { struct_type_index, field_index } => {
                let (ty, object) = self.object_type(*struct_type_index)?;
                let field = self.field(ty, *field_index)?;
                self.fit(0, field.storage.value())?;
                self.object(1, object, None)?;
                self.statement(Instr::FieldSet(object, FieldId(*field_index)), 2)?;
            }
            Operator::RefI31 => {
                let object = self.root(Root::I31);
                self.push_leaf(Leaf::I32(i32::MAX), Type::I32);
                self.apply(Op::I32And, Immediate::default())?;
                self.tree(Instr::StructNew(object), 1, Type::Ref(object), Effect::Pure)?;
            }
            Operator::I31GetS => {
                self.number()?;
                self.extend_i32(1)?;
            }
            Operator::I31GetU => self.number()?,
            Operator::RefEq => self.same()?,
            Operator::AnyConvertExtern | Operator::ExternConvertAny => {}
            _ => return self.array_operator(operator),
        }
        Ok(true)
    }

    fn array_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::ArrayNew { array_type_index } => self.array_new(*array_type_index, false)?,
            Operator::ArrayNewDefault { array_type_index } => self.array_new(*array_type_index, true)?,
            Operator::ArrayNewFixed { array_type_index, array_size } => {
                self.array_of(*array_type_index, *array_size as usize)?;
            }
            Operator::ArrayGet { array_type_index } | Operator::ArrayGetU { array_type_index } => {
                self.array_get(*array_type_index, Extend::Unsigned)?;
            }
            Operator::ArrayGetS { array_type_index } => self.array_get(*array_type_index, Extend::Signed)?,
            Operator::ArraySet { array_type_index } => {
                let array = self.array(*array_type_index)?;
                self.fit(0, array.storage.value())?;
                self.object(2, array.object, Some(ARRAY_ELEMENTS))?;
                self.statement(Instr::ArraySet(array.elements), 3)?;
            }
            Operator::ArrayLen => {
                let object = self.root(Root::Array);
                self.object(0, object, None)?;
                self.tree(Instr::FieldGet(object, ARRAY_LENGTH), 1, Type::I32, Effect::Reads)?;
            }
            Operator::ArrayFill { array_type_index } => {
                let array = self.array(*array_type_index)?;
                self.fit(1, array.storage.value())?;
                self.fit(3, Type::Opt(array.object))?;
                self.with_arrays(ObjectHelper::Fill, array, array, 4)?;
            }
            Operator::ArrayCopy { array_type_index_dst, array_type_index_src } => {
                let (to, from) = (self.array(*array_type_index_dst)?, self.array(*array_type_index_src)?);
                self.fit(2, Type::Opt(from.object))?;
                self.fit(4, Type::Opt(to.object))?;
                self.with_arrays(ObjectHelper::Copy, to, from, 5)?;
            }
            _ => return self.segment_operator(operator),
        }
        Ok(true)
    }

    /// Arrays from segments, and casts.
    fn segment_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::ArrayNewData { array_type_index, array_data_index } => {
                let array = self.array(*array_type_index)?;
                self.push_data(*array_data_index)?;
                let func = self.build.object_helper(ObjectHelper::NewData, array, array);
                self.tree(Instr::Call(func), 4, Type::Ref(array.object), Effect::Writes)?;
            }
            Operator::ArrayInitData { array_type_index, array_data_index } => {
                let array = self.array(*array_type_index)?;
                self.fit(3, Type::Opt(array.object))?;
                self.push_data(*array_data_index)?;
                self.with_arrays(ObjectHelper::InitData, array, array, 6)?;
            }
            Operator::ArrayNewElem { array_type_index, array_elem_index } => {
                let array = self.array(*array_type_index)?;
                self.push_segment(*array_elem_index)?;
                let func = self.build.object_helper(ObjectHelper::NewElem, array, array);
                self.tree(Instr::Call(func), 3, Type::Ref(array.object), Effect::Writes)?;
            }
            Operator::ArrayInitElem { array_type_index, array_elem_index } => {
                let array = self.array(*array_type_index)?;
                self.fit(3, Type::Opt(array.object))?;
                self.push_segment(*array_elem_index)?;
                self.with_arrays(ObjectHelper::InitElem, array, array, 5)?;
            }
            Operator::RefTestNonNull { hty } => self.test_cast(false, *hty)?,
            Operator::RefTestNullable { hty } => self.test_cast(true, *hty)?,
            Operator::RefCastNonNull { hty } => self.cast(false, *hty)?,
            Operator::RefCastNullable { hty } => self.cast(true, *hty)?,
            Operator::BrOnCast { relative_depth, to_ref_type, .. } => {
                self.branch_on_cast(*relative_depth, *to_ref_type)?;
            }
            Operator::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                self.branch_on_cast_fail(*relative_depth, *to_ref_type)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    // Types

    fn root(&mut self, root: Root) -> TypeId {
        self.build.types.root(&mut self.build.module, root)
    }

    fn object_type(&mut self, index: u32) -> Result<(CanonId, TypeId)> {
        let ty = self.unit.canon(index)?;
        Ok((ty, self.build.types.object(&mut self.build.module, ty)))
    }

    fn field(&mut self, ty: CanonId, index: u32) -> Result<Field> {
        let field = self.build.types.field(&mut self.build.module, ty, index);
        field.ok_or_else(|| self.internal("a field"))
    }

    fn element_of(&mut self, index: u32) -> Result<Field> {
        let ty = self.unit.canon(index)?;
        let field = self.build.types.element(&mut self.build.module, ty);
        field.ok_or_else(|| self.internal("an array's element"))
    }

    fn array(&mut self, index: u32) -> Result<ArrayForm> {
        let (ty, object) = self.object_type(index)?;
        let storage = self.element_of(index)?.storage;
        Ok(ArrayForm { object, elements: self.build.types.elements(&mut self.build.module, ty), storage })
    }

    // References

    /// Makes the reference so many below the top one of this struct, or of its field.
    fn object(&mut self, below: usize, object: TypeId, field: Option<FieldId>) -> Result {
        self.settle();
        let known = match self.entry(below)?.ty {
            Type::Ref(id) => self.build.types.is_object(&self.build.module, id, object),
            _ => false,
        };
        if known && field.is_none() {
            return Ok(());
        }
        if !known {
            self.steady(0, below, Effect::Pure)?;
        }
        let write = |translator: &mut Self| {
            if !known {
                translator.emit(Instr::As(Type::Ref(object)));
            }
            if let Some(field) = field {
                translator.emit(Instr::FieldGet(object, field));
            }
        };
        match below.checked_sub(1) {
            Some(above) => self.insert(above, write),
            None => {
                write(self);
                self.merge(1, Type::Ref(object), Effect::Reads)
            }
        }
    }

    fn same(&mut self) -> Result {
        let (eq, number) = (self.root(Root::Eq), self.root(Root::I31));
        let may_be_number = |ty: Type| match ty.def() {
            Some(id) => id == eq || id == number,
            None => true,
        };
        if !may_be_number(self.entry(0)?.ty) || !may_be_number(self.entry(1)?.ty) {
            return self.tree(Instr::RefEq, 2, Type::Bool, Effect::Pure);
        }
        let elements = self.build.table_type();
        let form = ArrayForm { object: number, elements, storage: Storage::Value(Type::OptAny) };
        let func = self.build.object_helper(ObjectHelper::Same, form, form);
        self.tree(Instr::Call(func), 2, Type::Bool, Effect::Reads)
    }

    /// The number in the reference on top, unsigned.
    fn number(&mut self) -> Result {
        let object = self.root(Root::I31);
        self.object(0, object, None)?;
        self.tree(Instr::FieldGet(object, FieldId(0)), 1, Type::I32, Effect::Reads)
    }

    fn reference(&mut self, nullable: bool, ty: HeapType) -> Type {
        RefType::new(nullable, ty).map_or(Type::OptAny, |ty| self.value_type(ValType::Ref(ty)))
    }

    fn test_cast(&mut self, nullable: bool, ty: HeapType) -> Result {
        let ty = self.reference(nullable, ty);
        self.tree(Instr::Is(ty), 1, Type::Bool, Effect::Pure)
    }

    fn cast(&mut self, nullable: bool, ty: HeapType) -> Result {
        let ty = self.reference(nullable, ty);
        self.tree(Instr::As(ty), 1, ty, Effect::Reads)
    }

    /// The reference on top, in a local; what it is called there, and its type.
    fn in_local(&mut self) -> Result<(LocalId, Type)> {
        let top = self.top()?;
        let local = self.temp(self.entries.len() - 1, top.ty);
        let start = self.begin(1, Keep::ALL)?;
        match top.leaf == Some(Leaf::Local(local)) {
            true => self.code.bytes.truncate(start),
            false => self.code.set_one(local),
        }
        Ok((local, top.ty))
    }

    /// What a reference is that is not of a type: not null, if null is of it.
    fn rest(&mut self, slot: usize, local: LocalId, ty: Type, not: Type) -> (LocalId, Type) {
        if !not.is_nullable() || ty.non_null() == ty {
            return (local, ty);
        }
        let rest = ty.non_null();
        let temp = self.temp(slot, rest);
        self.emit(Instr::Get(local));
        self.emit(Instr::As(rest));
        self.code.set_one(temp);
        (temp, rest)
    }

    /// If the reference on top is of a type, branches with it.
    fn branch_on_cast(&mut self, depth: u32, to: RefType) -> Result {
        let to = self.value_type(ValType::Ref(to));
        let (local, ty) = self.in_local()?;
        let slot = self.entries.len();
        let temp = self.temp(slot, to);
        self.emit(Instr::Get(local));
        self.emit(Instr::IfAs(to, temp));
        self.push_detached(temp, to);
        self.leave_with_leaves(depth)?;
        self.entries.pop();
        self.emit(Instr::End);
        let (local, ty) = self.rest(slot, local, ty, to);
        self.restore();
        self.push_leaf(Leaf::Local(local), ty);
        Ok(())
    }

    /// Unless the reference on top is of a type, branches with it.
    fn branch_on_cast_fail(&mut self, depth: u32, to: RefType) -> Result {
        let to = self.value_type(ValType::Ref(to));
        let (local, ty) = self.in_local()?;
        let slot = self.entries.len();
        let temp = self.temp(slot, to);
        self.emit(Instr::Get(local));
        self.emit(Instr::IfAs(to, temp));
        self.emit(Instr::Else);
        let (local, ty) = self.rest(slot, local, ty, to);
        self.push_detached(local, ty);
        self.leave_with_leaves(depth)?;
        self.entries.pop();
        self.emit(Instr::End);
        self.restore();
        self.push_leaf(Leaf::Local(temp), to);
        Ok(())
    }

    // Structs

    fn struct_new(&mut self, index: u32) -> Result {
        let (ty, object) = self.object_type(index)?;
        let count = self.build.types.field_count(ty);
        for at in 0..count {
            let field = self.field(ty, at as u32)?;
            self.fit(count - 1 - at, field.storage.value())?;
        }
        self.make(count, count, Type::Ref(object), |translator| translator.emit(Instr::StructNew(object)))
    }

    /// An object of the topmost values. With very many operands on the IL's stack, nothing waits below them there.
    fn make(&mut self, count: usize, operands: usize, ty: Type, write: impl FnOnce(&mut Self)) -> Result {
        self.settle();
        if operands > FEW {
            self.begin(count, Keep::ALL)?;
            let temp = self.temp(self.entries.len(), ty);
            write(self);
            self.code.set_one(temp);
            self.restore();
            self.push_leaf(Leaf::Local(temp), ty);
            return Ok(());
        }
        self.reach(count)?;
        if count == 0 {
            let start = self.code.bytes.len();
            write(self);
            return self.push_written(start, ty);
        }
        write(self);
        self.merge(count, ty, Effect::Pure)
    }

    fn struct_new_default(&mut self, index: u32) -> Result {
        let (ty, object) = self.object_type(index)?;
        let count = self.build.types.field_count(ty);
        let fields = (0..count as u32).map(|at| self.field(ty, at)).collect::<Result<Vec<_>>>()?;
        self.make(0, count, Type::Ref(object), |translator| {
            for field in &fields {
                translator.build.trees.write(zero(field.storage), &mut translator.code);
            }
            translator.emit(Instr::StructNew(object));
        })
    }

    fn struct_get(&mut self, index: u32, field: u32, extend: Extend) -> Result {
        let (ty, object) = self.object_type(index)?;
        let known = self.field(ty, field)?;
        self.object(0, object, None)?;
        self.tree(Instr::FieldGet(object, FieldId(field)), 1, known.storage.value(), Effect::Reads)?;
        self.as_read(known, extend)
    }

    /// What was read of a field or an element becomes what it is.
    fn as_read(&mut self, field: Field, extend: Extend) -> Result {
        match field.storage {
            Storage::U8 if extend == Extend::Signed => self.extend_i32(24),
            Storage::U16 if extend == Extend::Signed => self.extend_i32(16),
            storage if storage.value() != field.value => {
                self.tree(Instr::As(field.value), 1, field.value, Effect::Reads)
            }
            _ => Ok(()),
        }
    }

    // Arrays

    /// The length is wanted twice, and before the value.
    fn array_new(&mut self, index: u32, default: bool) -> Result {
        let array = self.array(index)?;
        self.settle();
        if self.top()?.leaf.is_none() {
            self.compute_to(self.entries.len())?;
        }
        let top = self.top()?;
        let Some(length) = top.leaf else { return Err(self.internal("an array's length")) };
        self.entries.pop();
        self.code.bytes.truncate(top.start);
        let lengths = |translator: &mut Self| {
            translator.emit(length.instr());
            translator.emit(length.instr());
        };
        let start = self.code.bytes.len();
        if default {
            lengths(self);
            self.build.trees.write(zero(array.storage), &mut self.code);
        } else {
            self.fit(0, array.storage.value())?;
            self.insert(0, lengths)?;
        }
        self.emit(Instr::ArrayNew(array.elements));
        self.emit(Instr::StructNew(array.object));
        if default {
            return self.push_written(start, Type::Ref(array.object));
        }
        self.merge(1, Type::Ref(array.object), Effect::Pure)
    }

    fn array_of(&mut self, index: u32, count: usize) -> Result {
        let array = self.array(index)?;
        for below in 0..count {
            self.fit(below, array.storage.value())?;
        }
        self.settle();
        if count > limits::ARRAY_LITERAL {
            return self.long_array(array, count);
        }
        if count == 0 {
            self.push_leaf(Leaf::I32(0), Type::I32);
        }
        let (taken, length) = (count.max(1), Instr::I32Const(count as i32));
        self.reach(taken)?;
        if count > 0 && count <= FEW {
            self.insert(count - 1, |translator| translator.emit(length))?;
        }
        self.make(taken, taken, Type::Ref(array.object), |translator| {
            translator.emit(Instr::ArrayOf(array.elements, count as u32));
            if count > FEW {
                let elements = translator.temp(translator.entries.len() + 1, Type::Ref(array.elements));
                translator.code.set_one(elements);
                translator.emit(length);
                translator.emit(Instr::Get(elements));
            }
            translator.emit(Instr::StructNew(array.object));
        })
    }

    /// An array of more elements than a literal has: each is assigned.
    fn long_array(&mut self, array: ArrayForm, count: usize) -> Result {
        self.begin(0, Keep::ALL)?;
        let len = self.entries.len();
        let first = len.checked_sub(count).ok_or_else(|| self.internal("an array's elements"))?;
        let elements = self.temp(len, Type::Ref(array.elements));
        for at in first..len {
            if at == first {
                self.emit(Instr::I32Const(count as i32));
                self.read_leaves(at, 1);
                self.emit(Instr::ArrayNew(array.elements));
                self.code.set_one(elements);
                continue;
            }
            self.emit(Instr::Get(elements));
            self.emit(Instr::I32Const((at - first) as i32));
            self.read_leaves(at, 1);
            self.emit(Instr::ArraySet(array.elements));
        }
        let made = self.temp(len, Type::Ref(array.object));
        self.emit(Instr::I32Const(count as i32));
        self.emit(Instr::Get(elements));
        self.emit(Instr::StructNew(array.object));
        self.code.set_one(made);
        self.entries.truncate(first);
        self.floor = self.floor.min(first);
        self.restore();
        self.push_leaf(Leaf::Local(made), Type::Ref(array.object));
        Ok(())
    }

    fn array_get(&mut self, index: u32, extend: Extend) -> Result {
        let array = self.array(index)?;
        let element = self.element_of(index)?;
        self.object(1, array.object, Some(ARRAY_ELEMENTS))?;
        self.tree(Instr::ArrayGet(array.elements), 2, element.storage.value(), Effect::Reads)?;
        self.as_read(element, extend)
    }

    /// A statement that calls one of the functions which arrays need.
    fn with_arrays(&mut self, helper: ObjectHelper, array: ArrayForm, other: ArrayForm, count: usize) -> Result {
        let func = self.build.object_helper(helper, array, other);
        self.settle();
        self.begin(count, Keep::ALL)?;
        self.code.call_set(func, &[]);
        self.restore();
        Ok(())
    }

    /// Where a data segment is that arrays are made of, and its length at present.
    fn push_data(&mut self, index: u32) -> Result {
        let (base, length) = self.build.object_data(self.unit, index)?;
        self.push_leaf(Leaf::I32(base as i32), Type::I32);
        self.nullary(Instr::GlobalGet(length), Type::I32, Effect::Reads)
    }

    fn push_segment(&mut self, index: u32) -> Result {
        let segment = self.build.segment(self.unit, index)?;
        let ty = self.build.segment_type();
        self.nullary(Instr::GlobalGet(segment), Type::Ref(ty), Effect::Reads)
    }
}
