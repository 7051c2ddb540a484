//! A VM's stack, with a guard below. `unsafe`: guest memory.
//!
//! Stacks of VMs that have ended are used again by VMs of the same program, if they were used little: only the topmost page,
//! which is zeroed. A VM reads nothing there that it has not written; the zeros are a second line.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::PlatformRef;
use super::program::Pages;
use crate::platform::{Access, OutOfMemory, PAGE_BYTES};

/// Below each stack. More than a page, so that code which moves the stack pointer by less than a page
/// before it touches the stack cannot jump over it.
const GUARD_BYTES: usize = 64 * 1024;

/// Most stacks that wait to be used again, a program.
const SPARE: usize = 16;

/// Stacks of VMs that have ended.
#[derive(Default, Debug)]
pub(super) struct SpareStacks {
    pages: spin::Mutex<Vec<Pages>>,
}

impl SpareStacks {
    /// One of so many bytes, guard included.
    fn take(&self, bytes: usize) -> Option<Pages> {
        let mut spare = self.pages.lock();
        let at = spare.iter().position(|pages| pages.end() - pages.base() == bytes as u64)?;
        Some(spare.swap_remove(at))
    }

    fn keep(&self, pages: Pages) {
        let top = pages.end() - PAGE_BYTES as u64;
        let second = pages.base() + GUARD_BYTES as u64..top;
        if second.end - second.start < PAGE_BYTES as u64 || !is_zero(top - PAGE_BYTES as u64) {
            // It was used further down, where nobody zeroes it; or it is too short to tell.
            return;
        }
        // SAFETY: the topmost page of a stack whose VM has ended.
        unsafe { core::ptr::write_bytes(top as *mut u8, 0, PAGE_BYTES) };
        let mut spare = self.pages.lock();
        if spare.len() < SPARE {
            spare.push(pages);
        }
    }
}

/// Whether a page of a stack holds nothing. Below it there is nothing either then: whatever goes further down has left a
/// return address in every page that it passed, or the mark of a frame of more than a page.
fn is_zero(page: u64) -> bool {
    // SAFETY: a page of a stack, readable, and its VM has ended.
    let words = unsafe { core::slice::from_raw_parts(page as *const u64, PAGE_BYTES / 8) };
    words.iter().fold(0, |all, word| all | word) == 0
}

/// One VM's stack.
#[derive(Debug)]
pub(super) struct Stack {
    /// Always there, but while it is dropped.
    pages: Option<Pages>,
    base: u64,
    end: u64,
    spare: Arc<SpareStacks>,
}

impl Stack {
    /// Of at least so many bytes.
    pub fn new(platform: PlatformRef, bytes: usize, spare: &Arc<SpareStacks>) -> Result<Stack, OutOfMemory> {
        let bytes = bytes.max(PAGE_BYTES).next_multiple_of(PAGE_BYTES);
        let pages = match spare.take(GUARD_BYTES + bytes) {
            Some(pages) => pages,
            None => {
                let pages = Pages::reserve(platform, GUARD_BYTES + bytes)?;
                pages.protect(GUARD_BYTES..GUARD_BYTES + bytes, Access::ReadWrite)?;
                pages
            }
        };
        let (base, end) = (pages.base(), pages.end());
        Ok(Stack { pages: Some(pages), base, end, spare: spare.clone() })
    }

    /// The guard.
    pub fn guard(&self) -> Range<u64> {
        self.base..self.base + GUARD_BYTES as u64
    }

    /// The stack without its guard.
    pub fn range(&self) -> Range<u64> {
        self.guard().end..self.end
    }

    /// Stack and guard.
    pub fn whole(&self) -> Range<u64> {
        self.base..self.end
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

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(pages) = self.pages.take() {
            self.spare.keep(pages);
        }
    }
}
