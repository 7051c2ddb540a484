//! `str`s: immutable objects of the heap. `unsafe`: guest memory.
//!
//! ```text
//! | type: u32 | bytes: u32 | the bytes, padded with zeros to 8 |
//! ```

use compiler::abi::{KIND_STR, OBJECT_DATA, ObjectHeader};
use il::trap::TrapKind;

use super::guest::Guest;
use super::memory::Place;

/// Longest `str` in bytes: its length is an `i32`.
const MAX_BYTES: usize = i32::MAX as usize;

/// A `str`'s bytes.
///
/// # Safety
/// `address` is a live `str`, and no collection happens while the result is used.
pub(super) unsafe fn bytes<'a>(address: u64) -> &'a [u8] {
    // SAFETY: the caller's promise: `len` bytes follow the header.
    unsafe {
        let len = (*(address as *const ObjectHeader)).len as usize;
        core::slice::from_raw_parts((address as *const u8).add(OBJECT_DATA as usize), len)
    }
}

/// Writes a new `str`'s bytes from offset `at` on.
///
/// # Safety
/// `address` is a `str` that nobody reads yet, with room for `at` bytes and the part.
unsafe fn write(address: u64, at: usize, part: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        let to = (address as *mut u8).add(OBJECT_DATA as usize + at);
        core::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len());
    }
}

impl Guest {
    /// Bytes of a `str` that the VM named in the exit under way.
    pub fn text(&self, address: u64) -> &[u8] {
        // SAFETY: the VM passes live `str`s; a collection needs the guest mutably.
        unsafe { bytes(address) }
    }

    /// Room for a `str` of `len` bytes, more than 0, whose padding is written. May collect.
    fn alloc_text(&mut self, len: usize) -> Result<u64, TrapKind> {
        if len > MAX_BYTES {
            return Err(TrapKind::Quota);
        }
        let address = self.alloc(KIND_STR, len as u32)?;
        let padding = len.next_multiple_of(8) - len;
        // SAFETY: just made, with padding behind its bytes.
        unsafe { write(address, len, &[0; 8][..padding]) };
        Ok(address)
    }

    /// A new `str`; `text` lies outside the heap.
    pub fn new_text(&mut self, text: &str) -> Result<u64, TrapKind> {
        if text.is_empty() {
            return Ok(self.empty_text());
        }
        let address = self.alloc_text(text.len())?;
        // SAFETY: just made, of this length.
        unsafe { write(address, 0, text.as_bytes()) };
        Ok(address)
    }

    /// The first two arguments of the exit under way in one `str`.
    pub fn concat(&mut self) -> Result<u64, TrapKind> {
        let parts = [0, 1].map(|index| self.exit_arg(index));
        let [left, right] = parts.map(|part| self.text(part).len());
        match (left, right) {
            (0, _) => return Ok(parts[1]),
            (_, 0) => return Ok(parts[0]),
            _ => {}
        }
        let address = self.alloc_text(left + right)?;
        // SAFETY: of both lengths together; a collection has updated the arguments, and happens no more.
        unsafe {
            write(address, 0, bytes(self.exit_arg(0)));
            write(address, left, bytes(self.exit_arg(1)));
        }
        Ok(address)
    }

    /// Bytes `from..to` of the first argument of the exit under way.
    pub fn slice(&mut self, from: u32, to: u32) -> Result<u64, TrapKind> {
        let whole = self.exit_arg(0);
        let text = self.text(whole);
        let len = text.get(from as usize..to as usize).ok_or(TrapKind::IndexOutOfBounds)?.len();
        let inside = |at: u32| text.get(at as usize).is_some_and(|byte| byte & 0xc0 == 0x80);
        if inside(from) || inside(to) {
            return Err(TrapKind::BadUtf8);
        }
        if len == text.len() {
            return Ok(whole);
        }
        if len == 0 {
            return Ok(self.empty_text());
        }
        let address = self.alloc_text(len)?;
        // SAFETY: of this length; a collection has updated the argument, and happens no more.
        unsafe { write(address, 0, &bytes(self.exit_arg(0))[from as usize..to as usize]) };
        Ok(address)
    }

    /// A copy of a range of a linear memory.
    pub fn text_at(&mut self, from: Place, len: u32) -> Result<u64, TrapKind> {
        let bytes = self.memories.slice(from, len)?;
        core::str::from_utf8(bytes).map_err(|_| TrapKind::BadUtf8)?;
        if len == 0 {
            return Ok(self.empty_text());
        }
        let address = self.alloc_text(len as usize)?;
        let bytes = self.memories.slice(from, len)?;
        // SAFETY: of this length; the memory is outside the heap.
        unsafe { write(address, 0, bytes) };
        Ok(address)
    }
}
