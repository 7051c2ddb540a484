//! A VM's stack, with a guard below. `unsafe`: guest memory.

use core::ops::Range;

use super::PlatformRef;
use super::program::Pages;
use crate::platform::{Access, OutOfMemory, PAGE_BYTES};

/// Below each stack. More than a page, so that code which moves the stack pointer by less than a page
/// before it touches the stack cannot jump over it.
const GUARD_BYTES: usize = 64 * 1024;

/// One VM's stack.
#[derive(Debug)]
pub(super) struct Stack {
    pages: Pages,
}

impl Stack {
    /// Of at least so many bytes.
    pub fn new(platform: PlatformRef, bytes: usize) -> Result<Stack, OutOfMemory> {
        let bytes = bytes.max(PAGE_BYTES).next_multiple_of(PAGE_BYTES);
        let pages = Pages::reserve(platform, GUARD_BYTES + bytes)?;
        pages.protect(GUARD_BYTES..GUARD_BYTES + bytes, Access::ReadWrite)?;
        Ok(Stack { pages })
    }

    /// The guard.
    pub fn guard(&self) -> Range<u64> {
        self.pages.base()..self.pages.base() + GUARD_BYTES as u64
    }

    /// The stack without its guard.
    pub fn range(&self) -> Range<u64> {
        self.guard().end..self.pages.end()
    }

    /// Stack and guard.
    pub fn whole(&self) -> Range<u64> {
        self.pages.base()..self.pages.end()
    }

    /// A word of the stack, if that is where the address lies.
    pub fn word(&self, address: u64) -> Option<u64> {
        // SAFETY: readable, aligned, and the VM does not run.
        self.holds(address).then(|| unsafe { (address as *const u64).read() })
    }

    /// Replaces a word; `None`, and nothing done, if the address does not lie in the stack.
    pub fn set_word(&mut self, address: u64, word: u64) -> Option<()> {
        // SAFETY: writable, aligned, and the VM does not run.
        self.holds(address).then(|| unsafe { (address as *mut u64).write(word) })
    }

    fn holds(&self, address: u64) -> bool {
        let range = self.range();
        let end = address.checked_add(8).is_some_and(|end| end <= range.end);
        address.is_multiple_of(8) && address >= range.start && end
    }
}
