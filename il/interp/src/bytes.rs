//! Operators on memory, buffers and strings.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use il::trap::TrapKind;
use il::{DataId, MemoryId};

use crate::heap::{Handle, Heap, Object};
use crate::machine::Machine;
use crate::memory::{Memory, read, slice, write};
use crate::outcome::Trap;
use crate::text;
use crate::value::{Scalar, Value, Vector};

type Done = Result<(), Trap>;

impl Machine<'_> {
    // Memory: the address is unsigned, and its sum with the offset does not wrap.

    fn linear(&mut self) -> Result<&mut Memory, Trap> {
        self.memories.get_mut(self.accessed.0.index()).ok_or_else(|| Trap::broken("a memory"))
    }

    fn read_memory<const N: usize>(&mut self, offset: u32) -> Result<[u8; N], Trap> {
        let address: u32 = self.pop()?;
        let bytes = read(&self.linear()?.bytes, u64::from(address) + u64::from(offset));
        Ok(bytes.ok_or(TrapKind::MemoryOutOfBounds)?)
    }

    pub(crate) fn load<const N: usize, T: Scalar>(&mut self, offset: u32, f: impl Fn([u8; N]) -> T) -> Done {
        let bytes = self.read_memory(offset)?;
        self.push(f(bytes))
    }

    pub(crate) fn load_lane<const N: usize>(&mut self, offset: u32, f: impl Fn(Vector, [u8; N]) -> Vector) -> Done {
        let vector = self.pop()?;
        let bytes = self.read_memory(offset)?;
        self.push(f(vector, bytes))
    }

    pub(crate) fn store<const N: usize, T: Scalar>(&mut self, offset: u32, f: impl Fn(T) -> [u8; N]) -> Done {
        let value = self.pop()?;
        let address: u32 = self.pop()?;
        let memory = self.linear()?;
        let written = write(&mut memory.bytes, u64::from(address) + u64::from(offset), &f(value));
        Ok(written.ok_or(TrapKind::MemoryOutOfBounds)?)
    }

    pub(crate) fn memory_size(&mut self) -> Done {
        let pages = self.linear()?.pages();
        self.push(pages)
    }

    pub(crate) fn memory_grow(&mut self) -> Done {
        let pages = self.pop()?;
        let quota = self.spare_bytes();
        let old = self.linear()?.grow(pages, quota);
        self.push(old)
    }

    pub(crate) fn memory_fill(&mut self) -> Done {
        let count = self.pop()?;
        let value: i32 = self.pop()?;
        let start = self.pop()?;
        Ok(self.linear()?.fill(start, value as u8, count)?)
    }

    pub(crate) fn memory_copy(&mut self) -> Done {
        let count = self.pop()?;
        let from = self.pop()?;
        let to = self.pop()?;
        let (target, source) = self.accessed;
        if target == source {
            return Ok(self.linear()?.copy(to, from, count)?);
        }
        let source = self.memories.get(source.index()).ok_or_else(|| Trap::broken("a memory"))?;
        let bytes = slice(&source.bytes, from, count).ok_or(TrapKind::MemoryOutOfBounds)?.to_vec();
        self.write_memory(to, &bytes)
    }

    fn write_memory(&mut self, to: u32, bytes: &[u8]) -> Done {
        Ok(write(&mut self.linear()?.bytes, u64::from(to), bytes).ok_or(TrapKind::MemoryOutOfBounds)?)
    }

    pub(crate) fn memory_init(&mut self, data: DataId, memory: MemoryId) -> Done {
        self.accessed = (memory, memory);
        let count = self.pop()?;
        let from = self.pop()?;
        let to: u32 = self.pop()?;
        let dropped = self.dropped.get(data.index()).copied().unwrap_or(true);
        let segment = self.module.data.get(data.index()).filter(|_| !dropped).map_or(&[][..], |data| &data.bytes);
        let bytes = slice(segment, from, count).ok_or(TrapKind::MemoryOutOfBounds)?;
        Ok(write(&mut self.linear()?.bytes, u64::from(to), bytes).ok_or(TrapKind::MemoryOutOfBounds)?)
    }

    pub(crate) fn drop_data(&mut self, data: DataId) {
        if let Some(dropped) = self.dropped.get_mut(data.index()) {
            *dropped = true;
        }
    }

    /// Bytes of the memory, out of it.
    fn copied(&mut self, address: u32, count: u32) -> Result<Vec<u8>, Trap> {
        Ok(slice(&self.linear()?.bytes, address, count).ok_or(TrapKind::MemoryOutOfBounds)?.to_vec())
    }

    pub(crate) fn buf_at(&mut self) -> Done {
        let count = self.pop()?;
        let address = self.pop()?;
        slice(&self.linear()?.bytes, address, count).ok_or(TrapKind::MemoryOutOfBounds)?;
        self.reserve(Heap::cost_of(count, false), vec![])?;
        let bytes = self.copied(address, count)?;
        let handle = self.make(Object::Buf(bytes))?;
        self.stack.push(Value::Buf(handle));
        Ok(())
    }

    pub(crate) fn buf_write(&mut self) -> Done {
        let count: u32 = self.pop()?;
        let address = self.pop()?;
        let at: u32 = self.pop()?;
        let buf = self.pop_buf()?;
        slice(self.buf(buf)?, at, count).ok_or(TrapKind::IndexOutOfBounds)?;
        let bytes = self.copied(address, count)?;
        Ok(write(self.buf(buf)?, u64::from(at), &bytes).ok_or(TrapKind::IndexOutOfBounds)?)
    }

    pub(crate) fn memory_write(&mut self) -> Done {
        let count: u32 = self.pop()?;
        let from = self.pop()?;
        let buf = self.pop_buf()?;
        let address: u32 = self.pop()?;
        slice(&self.linear()?.bytes, address, count).ok_or(TrapKind::MemoryOutOfBounds)?;
        let bytes = slice(self.buf(buf)?, from, count).ok_or(TrapKind::IndexOutOfBounds)?.to_vec();
        self.write_memory(address, &bytes)
    }

    // Buffers.

    fn buf(&mut self, handle: Handle) -> Result<&mut [u8], Trap> {
        match self.heap.get_mut(handle) {
            Some(Object::Buf(bytes)) => Ok(bytes),
            Some(Object::Str(_) | Object::Struct { .. } | Object::Array { .. }) | None => {
                Err(Trap::broken("a `buf` that is owned"))
            }
        }
    }

    pub(crate) fn buf_new(&mut self) -> Done {
        let length: u32 = self.pop()?;
        self.reserve(Heap::cost_of(length, false), vec![])?;
        let handle = self.make(Object::Buf(vec![0; length as usize]))?;
        self.stack.push(Value::Buf(handle));
        Ok(())
    }

    pub(crate) fn buf_len(&mut self) -> Done {
        let buf = self.pop_buf()?;
        let length = self.buf(buf)?.len();
        self.push(length as u32)
    }

    pub(crate) fn load_buf<const N: usize, T: Scalar>(&mut self, f: impl Fn([u8; N]) -> T) -> Done {
        let index: u32 = self.pop()?;
        let buf = self.pop_buf()?;
        let bytes = read(self.buf(buf)?, u64::from(index)).ok_or(TrapKind::IndexOutOfBounds)?;
        self.push(f(bytes))
    }

    pub(crate) fn store_buf<const N: usize, T: Scalar>(&mut self, f: impl Fn(T) -> [u8; N]) -> Done {
        let value = self.pop()?;
        let index: u32 = self.pop()?;
        let buf = self.pop_buf()?;
        let written = write(self.buf(buf)?, u64::from(index), &f(value));
        Ok(written.ok_or(TrapKind::IndexOutOfBounds)?)
    }

    pub(crate) fn buf_copy(&mut self) -> Done {
        let count = self.pop()?;
        let from_index = self.pop()?;
        let from = self.pop_buf()?;
        let to_index: u32 = self.pop()?;
        let to = self.pop_buf()?;
        let source = slice(self.buf(from)?, from_index, count).ok_or(TrapKind::IndexOutOfBounds)?.to_vec();
        let written = write(self.buf(to)?, u64::from(to_index), &source);
        Ok(written.ok_or(TrapKind::IndexOutOfBounds)?)
    }

    // Strings.

    pub(crate) fn push_str(&mut self, text: String) -> Done {
        self.push_object(Object::Str(text))
    }

    pub(crate) fn text_of<T: Scalar>(&mut self, f: impl Fn(T) -> String) -> Done {
        let value = self.pop()?;
        self.push_str(f(value))
    }

    pub(crate) fn str_len(&mut self) -> Done {
        let text = self.pop_str()?;
        self.push(text.len() as u32)
    }

    pub(crate) fn str_get(&mut self) -> Done {
        let index: u32 = self.pop()?;
        let text = self.pop_str()?;
        let byte = text.as_bytes().get(index as usize).ok_or(TrapKind::IndexOutOfBounds)?;
        self.push(u32::from(*byte))
    }

    pub(crate) fn str_equal(&mut self, equal: bool) -> Done {
        let right = self.pop_str()?;
        let left = self.pop_str()?;
        self.push((left == right) == equal)
    }

    pub(crate) fn str_concat(&mut self) -> Done {
        let right = self.pop_str()?;
        let left = self.pop_str()?;
        self.push_str(left + &right)
    }

    pub(crate) fn str_slice(&mut self) -> Done {
        let to = self.pop()?;
        let from = self.pop()?;
        let whole = self.pop_str()?;
        self.push_str(text::slice(&whole, from, to)?)
    }

    pub(crate) fn str_at(&mut self) -> Done {
        let count = self.pop()?;
        let address = self.pop()?;
        let bytes = slice(&self.linear()?.bytes, address, count).ok_or(TrapKind::MemoryOutOfBounds)?;
        let text = text::decode(bytes)?;
        self.push_str(text)
    }
}
