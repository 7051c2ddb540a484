//! Bounds: linear memories, buffers and strings.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type as Clif, Value, types};
use il::MemoryId;
use il::trap::TrapKind;

use super::exits::{LOAD_OUTSIDE, trap_code};
use super::operand::Operand;
use super::{Lowering, Result};
use crate::abi::{self, Exit};
use crate::helpers::MOST_BYTES;
use crate::image::Helper;
use crate::options::Bounds;

/// A place that may be accessed: flags, address, constant offset.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub flags: MemFlagsData,
    pub address: Value,
    pub offset: i32,
}

impl Lowering<'_, '_> {
    /// The one decision between guard region and explicit check: where the bytes at `address` of a
    /// linear memory lie, trapping outside it.
    pub(super) fn memory_place(&mut self, span: Span, address: Value) -> Place {
        let Span { access, memory, offset, bytes } = span;
        let out = match access {
            Access::Load => LOAD_OUTSIDE,
            Access::Store => trap_code(TrapKind::MemoryOutOfBounds),
        };
        let guarded = self.regions.memory.with_trap_code(Some(out));
        let known = self.constant(address).map(|address| i64::from(address as u32) + i64::from(offset));
        if let (Bounds::Guard, Some(Ok(offset))) = (self.choices.bounds, known.map(i32::try_from)) {
            return Place { flags: guarded, address: self.memory_base(memory), offset };
        }
        let address = self.b.ins().uextend(types::I64, address);
        let flags = match self.choices.bounds {
            // The sum of two 32-bit numbers stays inside the reserved region.
            Bounds::Guard => guarded,
            Bounds::Explicit => {
                let end = self.b.ins().iadd_imm_u(address, i64::from(offset) + i64::from(bytes));
                let length = self.memory_bytes(memory);
                let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
                self.b.ins().trapnz(outside, out);
                self.regions.memory
            }
        };
        // The region is reserved once, so the base address never changes, however the memory grows.
        let base = self.memory_base(memory);
        let address = self.b.ins().iadd(base, address);
        match i32::try_from(offset) {
            Ok(offset) => Place { flags, address, offset },
            Err(_) => Place { flags, address: self.b.ins().iadd_imm_u(address, i64::from(offset)), offset: 0 },
        }
    }

    fn memory_base(&mut self, memory: MemoryId) -> Value {
        if memory == MemoryId(0) {
            return self.ctx_constant(abi::offset::MEMORY_BASE);
        }
        let (slot, offset) = self.memory_slot(memory);
        self.b.ins().load(types::I64, self.regions.constant, slot, offset + abi::offset::MEMORY_SLOT_BASE)
    }

    pub(super) fn memory_bytes(&mut self, memory: MemoryId) -> Value {
        let (slot, offset) = match memory {
            MemoryId(0) => (self.ctx, abi::offset::MEMORY_BYTES),
            other => {
                let (slot, offset) = self.memory_slot(other);
                (slot, offset + abi::offset::MEMORY_SLOT_BYTES)
            }
        };
        self.b.ins().load(types::I64, self.regions.memory_bytes, slot, offset)
    }

    /// Where the code's view of a memory lies: at most [`il::limits::MEMORIES`] are in the array.
    fn memory_slot(&mut self, memory: MemoryId) -> (Value, i32) {
        let slots = self.ctx_constant(abi::offset::MEMORIES);
        self.table_place(slots, u64::from(memory.0) * abi::MEMORY_SLOT_BYTES)
    }

    /// The address of a range of a memory, trapping unless all of it lies inside.
    fn memory_range(&mut self, memory: MemoryId, address: Value, len: Value) -> Value {
        let end = self.b.ins().iadd(address, len);
        let length = self.memory_bytes(memory);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
        self.b.ins().trapnz(outside, trap_code(TrapKind::MemoryOutOfBounds));
        let base = self.memory_base(memory);
        self.b.ins().iadd(base, address)
    }

    /// `memory_copy`: few bytes whose number is known by loads and stores, short ranges by a helper, others by the base.
    pub(super) fn memory_copy(&mut self, to_memory: MemoryId, from_memory: MemoryId) -> Result {
        let [to, from, len] = self.pop_range()?;
        let target = self.memory_range(to_memory, to, len);
        let source = self.memory_range(from_memory, from, len);
        if let Some(bytes) = self.few(len) {
            self.copy_few(target, source, bytes);
            return Ok(());
        }
        let [to_memory, from_memory] = [to_memory, from_memory].map(|memory| self.word_const(u64::from(memory.0)));
        let words = [to, from, len, to_memory, from_memory];
        self.short_or_long(Helper::Copy, [target, source, len], Exit::MemoryCopy, &words);
        Ok(())
    }

    /// `memory_fill`, in the same way.
    pub(super) fn memory_fill(&mut self, memory: MemoryId) -> Result {
        let [to, value, len] = self.pop_range()?;
        let target = self.memory_range(memory, to, len);
        let byte = self.b.ins().band_imm_u(value, 0xff);
        let pattern = self.b.ins().imul_imm_u(byte, 0x0101_0101_0101_0101);
        let memory = self.word_const(u64::from(memory.0));
        let words = [to, value, len, memory];
        self.short_or_long(Helper::Fill, [target, pattern, len], Exit::MemoryFill, &words);
        Ok(())
    }

    /// Pops three `i32`s, as unsigned words.
    fn pop_range(&mut self) -> Result<[Value; 3]> {
        let mut words = [self.ctx; 3];
        for (word, operand) in words.iter_mut().zip(self.pop_many(3)?) {
            *word = match self.constant(operand.value) {
                Some(constant) => self.word_const(u64::from(constant as u32)),
                None => self.b.ins().uextend(types::I64, operand.value),
            };
        }
        Ok(words)
    }

    /// A length that two loads and stores can do.
    fn few(&self, len: Value) -> Option<u32> {
        let bytes = u32::try_from(self.constant(len)?).ok()?;
        (1..=2 * types::I8X16.bytes()).contains(&bytes).then_some(bytes)
    }

    /// Copies between ranges that may overlap: all is loaded before any is stored.
    fn copy_few(&mut self, to: Value, from: Value, bytes: u32) {
        let widths = [types::I8X16, types::I64, types::I32, types::I16, types::I8];
        let ty = widths.into_iter().find(|ty| ty.bytes() <= bytes).unwrap_or(types::I8);
        let last = (bytes - ty.bytes()) as i32;
        let flags = self.regions.memory.with_notrap();
        let head = self.b.ins().load(ty, flags, from, 0);
        let tail = (last > 0).then(|| self.b.ins().load(ty, flags, from, last));
        self.b.ins().store(flags, head, to, 0);
        if let Some(tail) = tail {
            self.b.ins().store(flags, tail, to, last);
        }
    }

    /// Calls a helper, the last of whose arguments is the length, if that is small, else takes an exit.
    fn short_or_long(&mut self, helper: Helper, args: [Value; 3], exit: Exit, words: &[Value]) {
        let [.., len] = args;
        let (short, long, on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(long);
        let fits = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, len, i64::from(MOST_BYTES));
        self.b.ins().brif(fits, short, &[], long, &[]);
        self.enter(short);
        self.call_helper(helper, &args);
        self.jump(on, &[]);
        self.enter(long);
        self.exit(exit, words);
        self.jump(on, &[]);
        self.enter(on);
    }

    /// Where `bytes` bytes at byte `index` of a `buf` lie, trapping outside it.
    pub(super) fn buf_place(&mut self, buf: Value, index: Value, bytes: u32) -> Place {
        let length = self.b.ins().load(types::I64, self.regions.headers, buf, abi::offset::BUF_LEN);
        let address = self.element(buf, index, bytes, length);
        Place { flags: self.regions.bytes, address, offset: abi::BUF_DATA }
    }

    /// Where byte `index` of a `str` lies, trapping outside it.
    pub(super) fn str_place(&mut self, text: Value, index: Value) -> Place {
        let length = self.str_len(text);
        let address = self.element(text, index, 1, length);
        Place { flags: self.regions.text, address, offset: abi::OBJECT_DATA }
    }

    pub(super) fn str_len(&mut self, text: Value) -> Value {
        let length = self.object_len(text);
        self.b.ins().uextend(types::I64, length)
    }

    fn element(&mut self, object: Value, index: Value, bytes: u32, length: Value) -> Value {
        let index = self.b.ins().uextend(types::I64, index);
        let last = self.b.ins().iadd_imm_u(index, i64::from(bytes) - 1);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, last, length);
        self.b.ins().trapnz(outside, trap_code(TrapKind::IndexOutOfBounds));
        self.b.ins().iadd(object, index)
    }

    /// Loads from a place, as its type or extended to it.
    pub(super) fn load_place(&mut self, place: Place, load: Load) -> Value {
        let Place { flags, address, offset } = place;
        match load {
            Load::Whole(ty) => self.b.ins().load(ty, flags, address, offset),
            Load::Byte { signed: true } => self.b.ins().sload8(types::I32, flags, address, offset),
            Load::Byte { signed: false } => self.b.ins().uload8(types::I32, flags, address, offset),
            Load::Half { signed: true } => self.b.ins().sload16(types::I32, flags, address, offset),
            Load::Half { signed: false } => self.b.ins().uload16(types::I32, flags, address, offset),
        }
    }

    pub(super) fn store_place(&mut self, place: Place, store: Store, value: Value) {
        let Place { flags, address, offset } = place;
        match store {
            Store::Whole => self.b.ins().store(flags, value, address, offset),
            Store::Byte => self.b.ins().istore8(flags, value, address, offset),
            Store::Half => self.b.ins().istore16(flags, value, address, offset),
        };
    }

    /// Consumes a `ref buf`; if it was an owned `buf` after all, it is freed after `act`.
    pub(super) fn with_buf<T>(&mut self, buf: Operand, act: impl FnOnce(&mut Self, Value) -> T) -> T {
        let answer = act(self, buf.value);
        self.discard(buf);
        answer
    }
}

/// What is accessed of a linear memory.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub access: Access,
    pub memory: MemoryId,
    /// Added to the address.
    pub offset: u32,
    pub bytes: u32,
}

/// What is done to a place of a linear memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    Store,
}

/// How a load widens.
#[derive(Clone, Copy)]
pub(super) enum Load {
    Whole(Clif),
    Byte { signed: bool },
    Half { signed: bool },
}

impl Load {
    pub fn bytes(self) -> u32 {
        match self {
            Load::Whole(ty) => ty.bytes(),
            Load::Byte { .. } => 1,
            Load::Half { .. } => 2,
        }
    }
}

/// How a store narrows.
#[derive(Clone, Copy)]
pub(super) enum Store {
    Whole,
    Byte,
    Half,
}
