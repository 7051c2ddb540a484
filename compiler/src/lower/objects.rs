//! Structs and arrays: allocation, access, and the write barrier.
//!
//! ```text
//! cursor = ctx.heap_cursor;  next = cursor + bytes
//! if next > ctx.heap_limit: object = Alloc exit         (cold)
//! else: ctx.heap_cursor = next;  object = cursor;  object.header = type | len << 32
//! ```
//!
//! Between that and the last store of its contents nothing can collect, so no half-made object is ever seen.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use il::trap::TrapKind;
use il::{ArrayDef, FieldId, PlacedField, Storage, Type, TypeDef, TypeId};

use super::exits::trap_code;
use super::globals::for_type;
use super::memory::{Load, Place, Store};
use super::operand::{Hold, Operand};
use super::{Lowering, Result, clif_type};
use crate::abi;
use crate::image::Stub;

/// Elements that are stored one by one; more are stored by a loop.
const UNROLLED_WORDS: u64 = 8;

impl Lowering<'_, '_> {
    // Structs.

    pub(super) fn struct_new(&mut self, ty: TypeId) -> Result {
        let hierarchy = self.program.hierarchy;
        let bytes = hierarchy.struct_bytes(ty);
        let object = self.allocate(ty, 0, u64::from(bytes));
        let fields = hierarchy.fields(ty);
        let values = self.pop_many(fields.len())?;
        for (field, operand) in fields.iter().zip(values) {
            let value = self.canonical(operand);
            let place = self.field_place(object, *field);
            self.store_place(place, store_of(field.storage), value);
        }
        self.push(Operand::plain(object, Type::Ref(ty)));
        Ok(())
    }

    pub(super) fn field_get(&mut self, ty: TypeId, field: FieldId) -> Result {
        let field = self.field(ty, field)?;
        let object = self.pop()?;
        let place = self.field_place(object.value, field);
        let value = self.load_place(place, load_of(field.storage));
        self.push(Operand::plain(value, field.storage.value()));
        Ok(())
    }

    pub(super) fn field_take(&mut self, ty: TypeId, field: FieldId) -> Result {
        let field = self.field(ty, field)?;
        let object = self.pop()?;
        let place = self.field_place(object.value, field);
        self.take_from(place);
        Ok(())
    }

    pub(super) fn field_set(&mut self, ty: TypeId, field: FieldId) -> Result {
        let field = self.field(ty, field)?;
        let operand = self.pop()?;
        let object = self.pop()?;
        let place = self.field_place(object.value, field);
        self.replace(object.value, place, field.storage, operand);
        Ok(())
    }

    fn field(&self, ty: TypeId, field: FieldId) -> Result<PlacedField> {
        self.program.hierarchy.fields(ty).get(field.index()).copied().ok_or(self.unverified("a field"))
    }

    fn field_place(&self, object: Value, field: PlacedField) -> Place {
        let region = if holds_reference(field.storage) { self.regions.field_references } else { self.regions.fields };
        Place { flags: for_type(region, field.storage.value()), address: object, offset: field.offset as i32 }
    }

    // Arrays.

    pub(super) fn array_of(&mut self, ty: TypeId, count: u32) -> Result {
        let element = self.array_def(ty)?.element;
        let object = self.allocate(ty, count, abi::array_bytes(element.bytes(), count));
        let values = self.pop_many(count as usize)?;
        for (index, operand) in values.into_iter().enumerate() {
            let value = self.canonical(operand);
            let offset = i64::from(abi::OBJECT_DATA) + i64::from(element.bytes()) * index as i64;
            let offset = i32::try_from(offset).map_err(|_| self.unverified("an array literal within the limits"))?;
            let place = Place { flags: self.element_flags(element), address: object, offset };
            self.store_place(place, store_of(element), value);
        }
        self.push(Operand::plain(object, Type::Ref(ty)));
        Ok(())
    }

    pub(super) fn array_new(&mut self, ty: TypeId) -> Result {
        let element = self.array_def(ty)?.element;
        let fill = self.pop()?;
        let length = self.pop_number()?;
        // It lives across the allocation.
        self.push(fill);
        let object = self.allocate_array(ty, element, length);
        let fill = self.pop_settled()?;
        let pattern = self.pattern(element, fill);
        self.fill_array(object, element, length, pattern);
        self.push(Operand::plain(object, Type::Ref(ty)));
        Ok(())
    }

    pub(super) fn array_len(&mut self) -> Result {
        let array = self.pop()?;
        let length = self.object_len(array.value);
        self.push(Operand::plain(length, Type::I32));
        Ok(())
    }

    pub(super) fn array_get(&mut self, ty: TypeId) -> Result {
        let element = self.array_def(ty)?.element;
        let index = self.pop_number()?;
        let array = self.pop()?;
        let place = self.element_place(array.value, index, element);
        let value = self.load_place(place, load_of(element));
        self.push(Operand::plain(value, element.value()));
        Ok(())
    }

    pub(super) fn array_take(&mut self, ty: TypeId) -> Result {
        let element = self.array_def(ty)?.element;
        let index = self.pop_number()?;
        let array = self.pop()?;
        let place = self.element_place(array.value, index, element);
        self.take_from(place);
        Ok(())
    }

    pub(super) fn array_set(&mut self, ty: TypeId) -> Result {
        let element = self.array_def(ty)?.element;
        let operand = self.pop()?;
        let index = self.pop_number()?;
        let array = self.pop()?;
        let place = self.element_place(array.value, index, element);
        self.replace(array.value, place, element, operand);
        Ok(())
    }

    fn array_def(&self, ty: TypeId) -> Result<ArrayDef> {
        self.program.hierarchy.array(ty).ok_or(self.unverified("an array type"))
    }

    /// The length in an object's header, as an `i32`.
    pub(super) fn object_len(&mut self, object: Value) -> Value {
        self.b.ins().load(types::I32, self.regions.headers, object, abi::offset::OBJECT_LEN)
    }

    fn element_flags(&self, element: Storage) -> MemFlagsData {
        let region = if holds_reference(element) { self.regions.element_references } else { self.regions.elements };
        for_type(region, element.value())
    }

    /// Where an element lies, trapping outside.
    fn element_place(&mut self, array: Value, index: Value, element: Storage) -> Place {
        let length = self.object_len(array);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        self.b.ins().trapnz(outside, trap_code(TrapKind::IndexOutOfBounds));
        let index = self.b.ins().uextend(types::I64, index);
        let bytes = self.b.ins().ishl_imm_u(index, i64::from(element.bytes().trailing_zeros()));
        let address = self.b.ins().iadd(array, bytes);
        Place { flags: self.element_flags(element), address, offset: abi::OBJECT_DATA }
    }

    // Access.

    /// Moves a `?buf` out of a place.
    fn take_from(&mut self, place: Place) {
        let value = self.load_place(place, Load::Whole(types::I64));
        let none = self.word_const(0);
        self.store_place(place, Store::Whole, none);
        self.push(Operand::held(value, Type::OptBuf, Hold::Owned));
    }

    /// Assigns a place inside an object.
    fn replace(&mut self, object: Value, place: Place, storage: Storage, operand: Operand) {
        let value = self.canonical(operand);
        if storage == Storage::Value(Type::OptBuf) {
            let old = self.load_place(place, Load::Whole(types::I64));
            self.store_place(place, Store::Whole, value);
            self.free_buf(old);
            return;
        }
        if self.needs_barrier(operand) && self.may_be_collected(storage.value()) {
            self.barrier(object);
        }
        self.store_place(place, store_of(storage), value);
    }

    /// Whether the value may be an object that a minor collection moves.
    fn needs_barrier(&self, operand: Operand) -> bool {
        operand.moves() && self.constant(operand.value).is_none() && self.may_be_collected(operand.ty)
    }

    /// Whether values of a type may be in the heap: capabilities are not, and functions belong to the program.
    fn may_be_collected(&self, ty: Type) -> bool {
        match ty {
            Type::Str | Type::OptStr | Type::Any | Type::OptAny => true,
            Type::Ref(id) | Type::Opt(id) => {
                matches!(self.module.type_def(id), Some(TypeDef::Struct(_) | TypeDef::Array(_)))
            }
            Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::Bool => false,
            Type::Buf | Type::BufRef | Type::OptBuf => false,
        }
    }

    /// Remembers an object outside the nursery before a reference is stored in it.
    fn barrier(&mut self, object: Value) {
        let start = self.b.ins().load(types::I64, self.regions.heap, self.ctx, abi::offset::NURSERY_START);
        let bytes = self.b.ins().load(types::I64, self.regions.heap, self.ctx, abi::offset::NURSERY_BYTES);
        let distance = self.b.ins().isub(object, start);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, distance, bytes);
        let (old, remember, on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(old);
        self.b.set_cold_block(remember);
        self.b.ins().brif(outside, old, &[], on, &[]);
        self.enter(old);
        let ty = self.object_type(object);
        let remembered = self.b.ins().band_imm_u(ty, i64::from(abi::REMEMBERED));
        self.b.ins().brif(remembered, on, &[], remember, &[]);
        self.enter(remember);
        self.call_stub(Stub::Remember, &[object]);
        self.jump(on, &[]);
        self.enter(on);
    }

    /// The type word in an object's header.
    pub(super) fn object_type(&mut self, object: Value) -> Value {
        self.b.ins().load(types::I32, self.regions.headers, object, abi::offset::OBJECT_TYPE)
    }

    // Allocation.

    /// A new object of a known size. Its contents are to be written before anything that may collect.
    fn allocate(&mut self, ty: TypeId, len: u32, bytes: u64) -> Value {
        let word = u64::from(abi::type_word(self.program.hierarchy, ty));
        let (size, header) = (self.word_const(bytes), self.word_const(word | u64::from(len) << 32));
        let inline = bytes <= abi::INLINE_BYTES && !abi::holds_bufs(self.program.hierarchy, ty);
        let length = self.word_const(u64::from(len));
        self.allocate_bytes(word, length, size, header, inline.then_some(None))
    }

    /// A new array of a length that is known only now.
    fn allocate_array(&mut self, ty: TypeId, element: Storage, length: Value) -> Value {
        let word = u64::from(abi::type_word(self.program.hierarchy, ty));
        let length = self.b.ins().uextend(types::I64, length);
        let data = self.b.ins().ishl_imm_u(length, i64::from(element.bytes().trailing_zeros()));
        let padded = self.b.ins().iadd_imm_u(data, i64::from(abi::OBJECT_DATA) + 7);
        let size = self.b.ins().band_imm_s(padded, -8);
        let high = self.b.ins().ishl_imm_u(length, 32);
        let header = self.b.ins().bor_imm_u(high, word as i64);
        let large = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, size, abi::INLINE_BYTES as i64);
        let inline = !abi::holds_bufs(self.program.hierarchy, ty);
        self.allocate_bytes(word, length, size, header, inline.then_some(Some(large)))
    }

    /// `inline` is none if the object must come from the base, and else may be a condition under which it must.
    fn allocate_bytes(
        &mut self,
        ty: u64,
        len: Value,
        size: Value,
        header: Value,
        inline: Option<Option<Value>>,
    ) -> Value {
        let Some(large) = inline else {
            return self.allocate_outside(ty, len, size);
        };
        self.house_operands();
        let (slow, fast, on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let object = self.b.append_block_param(on, types::I64);
        self.b.set_cold_block(slow);
        let cursor = self.b.ins().load(types::I64, self.regions.heap, self.ctx, abi::offset::HEAP_CURSOR);
        let limit = self.b.ins().load(types::I64, self.regions.heap, self.ctx, abi::offset::HEAP_LIMIT);
        let next = self.b.ins().iadd(cursor, size);
        let full = self.b.ins().icmp(IntCC::UnsignedGreaterThan, next, limit);
        let full = large.map_or(full, |large| self.b.ins().bor(large, full));
        self.b.ins().brif(full, slow, &[], fast, &[]);

        self.enter(slow);
        let made = self.allocate_outside(ty, len, size);
        self.jump(on, &[made]);

        self.enter(fast);
        self.b.ins().store(self.regions.heap, next, self.ctx, abi::offset::HEAP_CURSOR);
        self.b.ins().store(self.regions.headers, header, cursor, 0);
        self.jump(on, &[cursor]);
        self.enter(on);
        object
    }

    fn allocate_outside(&mut self, ty: u64, len: Value, size: Value) -> Value {
        let ty = self.word_const(ty);
        self.call_stub(Stub::Alloc, &[ty, len, size]);
        self.b.ins().load(types::I64, self.regions.values, self.ctx, abi::offset::EXIT_ARGS)
    }

    // Filling.

    /// Eight or sixteen bytes of equal elements.
    fn pattern(&mut self, element: Storage, fill: Value) -> Value {
        let times = |this: &mut Self, bits: Value, factor: u64| {
            let factor = this.word_const(factor);
            this.b.ins().imul(bits, factor)
        };
        match element {
            Storage::I8 | Storage::U8 => {
                let low = self.b.ins().band_imm_u(fill, 0xff);
                let low = self.b.ins().uextend(types::I64, low);
                times(self, low, 0x0101_0101_0101_0101)
            }
            Storage::I16 | Storage::U16 => {
                let low = self.b.ins().band_imm_u(fill, 0xffff);
                let low = self.b.ins().uextend(types::I64, low);
                times(self, low, 0x0001_0001_0001_0001)
            }
            Storage::Value(ty) => match clif_type(ty) {
                types::I8 => {
                    let low = self.b.ins().uextend(types::I64, fill);
                    times(self, low, 0x0101_0101_0101_0101)
                }
                types::I32 => {
                    let low = self.b.ins().uextend(types::I64, fill);
                    times(self, low, 0x0000_0001_0000_0001)
                }
                types::F32 => {
                    let bits = self.b.ins().bitcast(types::I32, MemFlagsData::new(), fill);
                    let low = self.b.ins().uextend(types::I64, bits);
                    times(self, low, 0x0000_0001_0000_0001)
                }
                _ => fill,
            },
        }
    }

    /// Stores the pattern over all elements, and over the padding behind them.
    fn fill_array(&mut self, array: Value, element: Storage, length: Value, pattern: Value) {
        let step = u64::from(element.bytes().max(8));
        let flags = self.element_flags(element);
        if let Some(known) = self.constant(length).map(|length| length as u32) {
            let bytes = abi::array_bytes(element.bytes(), known) - abi::OBJECT_DATA as u64;
            if bytes / step <= UNROLLED_WORDS {
                for at in 0..bytes / step {
                    self.b.ins().store(flags, pattern, array, abi::OBJECT_DATA + (at * step) as i32);
                }
                return;
            }
        }
        let length = self.b.ins().uextend(types::I64, length);
        let data = self.b.ins().ishl_imm_u(length, i64::from(element.bytes().trailing_zeros()));
        let end = self.b.ins().iadd(array, data);
        let (turn, on) = (self.b.create_block(), self.b.create_block());
        let at = self.b.append_block_param(turn, types::I64);
        self.b.ins().brif(data, turn, &[array.into()], on, &[]);
        self.b.switch_to_block(turn);
        self.b.ins().store(flags, pattern, at, abi::OBJECT_DATA);
        let next = self.b.ins().iadd_imm_u(at, step as i64);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.b.ins().brif(more, turn, &[next.into()], on, &[]);
        self.b.seal_block(turn);
        self.enter(on);
    }
}

fn holds_reference(storage: Storage) -> bool {
    storage.value().is_reference()
}

fn load_of(storage: Storage) -> Load {
    match storage {
        Storage::I8 => Load::Byte { signed: true },
        Storage::U8 => Load::Byte { signed: false },
        Storage::I16 => Load::Half { signed: true },
        Storage::U16 => Load::Half { signed: false },
        Storage::Value(ty) => Load::Whole(clif_type(ty)),
    }
}

fn store_of(storage: Storage) -> Store {
    match storage {
        Storage::I8 | Storage::U8 => Store::Byte,
        Storage::I16 | Storage::U16 => Store::Half,
        Storage::Value(_) => Store::Whole,
    }
}
