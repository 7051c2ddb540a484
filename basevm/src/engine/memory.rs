//! Linear memory: reserved whole, given pages as it grows, charged for what it has.
//! `unsafe`: guest memory.

use alloc::sync::Arc;
use core::ops::Range;

use compiler::GUARD_REGION_BYTES;

use super::PlatformRef;
use super::program::{LoadError, Pages};
use crate::buf::Account;
use crate::platform::Access;

/// The IL's page size.
const PAGE: u64 = 64 * 1024;
/// What is reserved: all that generated code can address without a check, and 64 KiB.
const RESERVED_BYTES: u64 = GUARD_REGION_BYTES + PAGE;
/// What `memory_grow` answers when it cannot.
const REFUSED: u64 = 0xffff_ffff;

/// One VM's linear memory.
#[derive(Debug)]
pub(super) struct LinearMemory {
    pages: Pages,
    bytes: u64,
    max_bytes: u64,
    account: Arc<Account>,
}

impl LinearMemory {
    /// Zeros, at its least size.
    pub fn new(platform: PlatformRef, limits: il::Memory, account: &Arc<Account>) -> Result<LinearMemory, LoadError> {
        let reserved = usize::try_from(RESERVED_BYTES).map_err(|_| LoadError::OutOfMemory)?;
        let pages = Pages::reserve(platform, reserved)?;
        let max_bytes = u64::from(limits.max) * PAGE;
        let mut memory = LinearMemory { pages, bytes: 0, max_bytes, account: account.clone() };
        let needed = u64::from(limits.min) * PAGE;
        if !account.charge(needed) {
            return Err(LoadError::Quota { needed, limit: account.limit() });
        }
        if !memory.commit(needed) {
            account.release(needed);
            return Err(LoadError::OutOfMemory);
        }
        Ok(memory)
    }

    /// First address.
    pub fn base(&self) -> u64 {
        self.pages.base()
    }

    /// Current length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All addresses that belong to it, given or not.
    pub fn reserved(&self) -> Range<u64> {
        self.pages.base()..self.pages.end()
    }

    /// Adds pages; the old size in pages, or 0xffff_ffff and nothing changed.
    pub fn grow(&mut self, pages: u32) -> u64 {
        let old = self.bytes;
        let added = u64::from(pages) * PAGE;
        if old + added > self.max_bytes || !self.account.charge(added) {
            return REFUSED;
        }
        if !self.commit(old + added) {
            self.account.release(added);
            return REFUSED;
        }
        old / PAGE
    }

    /// Whether it could grow by so many pages if the account had room.
    pub fn is_refused_by_quota(&self, pages: u32) -> bool {
        let added = u64::from(pages) * PAGE;
        let room = self.account.limit().saturating_sub(self.account.used());
        self.bytes + added <= self.max_bytes && added > room
    }

    fn commit(&mut self, bytes: u64) -> bool {
        let done = self.pages.protect(self.bytes as usize..bytes as usize, Access::ReadWrite).is_ok();
        if done {
            self.bytes = bytes;
        }
        done
    }

    /// A range of it, if it is all inside.
    pub fn slice(&self, address: u32, len: u32) -> Option<&[u8]> {
        let at = self.check(address, len)?;
        // SAFETY: in bounds of what is readable; the VM does not run while this is borrowed.
        Some(unsafe { core::slice::from_raw_parts(at, len as usize) })
    }

    /// The same, to be changed.
    pub fn slice_mut(&mut self, address: u32, len: u32) -> Option<&mut [u8]> {
        let at = self.check(address, len)?;
        // SAFETY: in bounds of what is writable; the VM does not run while this is borrowed.
        Some(unsafe { core::slice::from_raw_parts_mut(at, len as usize) })
    }

    /// Copies within; the ranges may overlap. `None`, and nothing written, if one is not inside.
    pub fn copy(&mut self, to: u32, from: u32, len: u32) -> Option<()> {
        let (to, from) = (self.check(to, len)?, self.check(from, len)?);
        // SAFETY: both in bounds.
        unsafe { core::ptr::copy(from, to, len as usize) };
        Some(())
    }

    fn check(&self, address: u32, len: u32) -> Option<*mut u8> {
        let inside = u64::from(address) + u64::from(len) <= self.bytes;
        inside.then(|| (self.pages.base() + u64::from(address)) as *mut u8)
    }
}

impl Drop for LinearMemory {
    fn drop(&mut self) {
        self.account.release(self.bytes);
    }
}
