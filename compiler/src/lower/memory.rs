//! Bounds: linear memories, buffers and strings.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type as Clif, Value, types};
use il::MemoryId;
use il::trap::TrapKind;

use super::Lowering;
use super::exits::{LOAD_OUTSIDE, trap_code};
use super::operand::Operand;
use crate::abi;
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
        let address = self.b.ins().uextend(types::I64, address);
        let flags = match self.choices.bounds {
            // The sum of two 32-bit numbers stays inside the reserved region.
            Bounds::Guard => self.regions.memory.with_trap_code(Some(out)),
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
