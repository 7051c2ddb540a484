//! Linear memory and buffers (reference, chapters "Memory" and "Buffers"): bytes behind bounds.

use alloc::vec;
use alloc::vec::Vec;

use il::trap::TrapKind;

/// Bytes of a page.
const PAGE_BYTES: u64 = 64 * 1024;

/// The range of `count` bytes from `start`, if it ends within `length`.
fn range(start: u64, count: u64, length: usize) -> Option<core::ops::Range<usize>> {
    let end = start.checked_add(count)?;
    if end <= length as u64 { Some(start as usize..end as usize) } else { None }
}

/// `N` bytes from `start`.
pub(crate) fn read<const N: usize>(bytes: &[u8], start: u64) -> Option<[u8; N]> {
    let mut out = [0; N];
    out.copy_from_slice(bytes.get(range(start, N as u64, bytes.len())?)?);
    Some(out)
}

/// Writes all of `value` at `start`, or nothing.
pub(crate) fn write(bytes: &mut [u8], start: u64, value: &[u8]) -> Option<()> {
    let range = range(start, value.len() as u64, bytes.len())?;
    bytes.get_mut(range)?.copy_from_slice(value);
    Some(())
}

/// A slice of `count` bytes from `start`, both unsigned.
pub(crate) fn slice(bytes: &[u8], start: u32, count: u32) -> Option<&[u8]> {
    bytes.get(range(u64::from(start), u64::from(count), bytes.len())?)
}

/// A module's memory.
#[derive(Debug)]
pub(crate) struct Memory {
    pub bytes: Vec<u8>,
    max_pages: u32,
}

impl Memory {
    /// Zeros.
    pub fn new(limits: il::Memory) -> Memory {
        Memory { bytes: vec![0; (u64::from(limits.min) * PAGE_BYTES) as usize], max_pages: limits.max }
    }

    /// Pages that it has.
    pub fn pages(&self) -> u32 {
        (self.bytes.len() as u64 / PAGE_BYTES) as u32
    }

    /// Adds zeroed pages and returns how many there were; -1, changing nothing, if that is more than it may have
    /// or than `quota` bytes allow.
    pub fn grow(&mut self, pages: u32, quota: u64) -> i32 {
        let old = self.pages();
        let Some(new) = old.checked_add(pages).filter(|new| *new <= self.max_pages) else { return -1 };
        if u64::from(pages) * PAGE_BYTES > quota {
            return -1;
        }
        self.bytes.resize((u64::from(new) * PAGE_BYTES) as usize, 0);
        old as i32
    }

    pub fn fill(&mut self, start: u32, value: u8, count: u32) -> Result<(), TrapKind> {
        let range = range(u64::from(start), u64::from(count), self.bytes.len()).ok_or(TrapKind::MemoryOutOfBounds)?;
        self.bytes[range].fill(value);
        Ok(())
    }

    /// Ranges may overlap.
    pub fn copy(&mut self, to: u32, from: u32, count: u32) -> Result<(), TrapKind> {
        let length = self.bytes.len();
        let inside = |start: u32| range(u64::from(start), u64::from(count), length).ok_or(TrapKind::MemoryOutOfBounds);
        let (to, from) = (inside(to)?, inside(from)?);
        self.bytes.copy_within(from, to.start);
        Ok(())
    }
}
