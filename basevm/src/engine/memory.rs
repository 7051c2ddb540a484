//! Linear memories: reserved whole, given pages as they grow, charged for what they have.
//! `unsafe`: guest memory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use compiler::GUARD_REGION_BYTES;
use compiler::abi::MemorySlot;
use il::trap::TrapKind;
use il::{Data, MemoryId, Module};

use super::PlatformRef;
use super::program::{LoadError, Pages};
use super::raw::Shared;
use crate::buf::Account;
use crate::platform::Access;

/// The IL's page size.
const PAGE: u64 = 64 * 1024;
/// What is reserved: all that generated code can address without a check, and 64 KiB.
const RESERVED_BYTES: u64 = GUARD_REGION_BYTES + PAGE;
/// What `memory_grow` answers when it cannot.
const REFUSED: u64 = 0xffff_ffff;

/// All linear memories of one VM.
#[derive(Debug)]
pub(super) struct Memories {
    list: Vec<LinearMemory>,
    /// What its code sees of them.
    slots: Shared<MemorySlot>,
    /// By data segment: whether it is empty now.
    dropped: Vec<bool>,
}

/// Where bytes of a linear memory begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub memory: MemoryId,
    pub address: u32,
}

impl Memories {
    /// Those of a module at their least size, with the bytes of the data segments that have a place.
    pub fn new(platform: PlatformRef, module: &Module, account: &Arc<Account>) -> Result<Memories, LoadError> {
        let mut list = Vec::with_capacity(module.memories.len());
        for limits in &module.memories {
            list.push(LinearMemory::new(platform, *limits, account)?);
        }
        let slots = Shared::new(list.iter().map(LinearMemory::slot).collect());
        let dropped = module.data.iter().map(|data| data.place.is_some()).collect();
        let mut memories = Memories { list, slots, dropped };
        for data in &module.data {
            memories.fill(data).ok_or_else(|| LoadError::Link("a data segment lies outside the memory".into()))?;
        }
        Ok(memories)
    }

    /// Puts a segment where it belongs at start.
    fn fill(&mut self, data: &Data) -> Option<()> {
        let Some(place) = data.place else { return Some(()) };
        let len = u32::try_from(data.bytes.len()).ok()?;
        self.get_mut(place.memory)?.slice_mut(place.offset, len)?.copy_from_slice(&data.bytes);
        Some(())
    }

    /// Address of what code sees of them.
    pub fn slots(&self) -> u64 {
        self.slots.address()
    }

    /// What code sees of one; zeros if there is none.
    pub fn slot(&self, memory: MemoryId) -> MemorySlot {
        self.slots.get(memory.index()).unwrap_or_default()
    }

    /// All addresses that belong to them, given or not, a range each.
    pub fn reserved(&self) -> Box<[Range<u64>]> {
        self.list.iter().map(LinearMemory::reserved).collect()
    }

    /// One of them.
    pub fn get(&self, memory: MemoryId) -> Option<&LinearMemory> {
        self.list.get(memory.index())
    }

    fn get_mut(&mut self, memory: MemoryId) -> Option<&mut LinearMemory> {
        self.list.get_mut(memory.index())
    }

    /// Adds pages to one: see [`LinearMemory::grow`].
    pub fn grow(&mut self, memory: MemoryId, pages: u32) -> Option<u64> {
        let grown = self.get_mut(memory)?;
        let old = grown.grow(pages);
        let slot = grown.slot();
        self.slots.set(memory.index(), slot);
        Some(old)
    }

    /// `memory_fill`.
    pub fn set(&mut self, at: Place, value: u8, len: u32) -> Result<(), TrapKind> {
        self.slice_mut(at, len)?.fill(value);
        Ok(())
    }

    /// `memory_copy`; the ranges may overlap.
    pub fn copy(&mut self, to: Place, from: Place, len: u32) -> Result<(), TrapKind> {
        let to = self.get(to.memory).and_then(|memory| memory.check(to.address, len));
        let from = self.get(from.memory).and_then(|memory| memory.check(from.address, len));
        let (Some(to), Some(from)) = (to, from) else { return Err(TrapKind::MemoryOutOfBounds) };
        // SAFETY: both in bounds.
        unsafe { core::ptr::copy(from, to, len as usize) };
        Ok(())
    }

    /// `memory.init`, from a segment of the module.
    pub fn init(&mut self, to: Place, module: &Module, data: usize, from: u32, len: u32) -> Result<(), TrapKind> {
        let dropped = self.dropped.get(data).copied().unwrap_or(true);
        let bytes = module.data.get(data).filter(|_| !dropped).map_or(&[][..], |data| &data.bytes);
        let end = from as usize + len as usize;
        let bytes = bytes.get(from as usize..end).ok_or(TrapKind::MemoryOutOfBounds)?;
        self.slice_mut(to, len)?.copy_from_slice(bytes);
        Ok(())
    }

    /// `data.drop`.
    pub fn drop_data(&mut self, data: usize) {
        if let Some(dropped) = self.dropped.get_mut(data) {
            *dropped = true;
        }
    }

    /// What each of them holds.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: all that is readable; the VM does not run while this is borrowed.
        self.list
            .iter()
            .map(|one| unsafe { core::slice::from_raw_parts(one.pages.base() as *const u8, one.bytes as usize) })
    }

    /// A range of one.
    pub fn slice(&self, at: Place, len: u32) -> Result<&[u8], TrapKind> {
        self.get(at.memory).and_then(|memory| memory.slice(at.address, len)).ok_or(TrapKind::MemoryOutOfBounds)
    }

    /// The same, to be changed.
    pub fn slice_mut(&mut self, at: Place, len: u32) -> Result<&mut [u8], TrapKind> {
        let memory = self.list.get_mut(at.memory.index());
        memory.and_then(|memory| memory.slice_mut(at.address, len)).ok_or(TrapKind::MemoryOutOfBounds)
    }
}

/// One linear memory.
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
        let pages =
            Pages::reserve(platform, reserved).map_err(|_| LoadError::AddressSpace { bytes: RESERVED_BYTES })?;
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

    fn slot(&self) -> MemorySlot {
        MemorySlot { base: self.pages.base(), bytes: self.bytes }
    }

    /// All addresses that belong to it, given or not.
    fn reserved(&self) -> Range<u64> {
        self.pages.base()..self.pages.end()
    }

    /// Adds pages; the old size in pages, or 0xffff_ffff and nothing changed.
    fn grow(&mut self, pages: u32) -> u64 {
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
    fn slice(&self, address: u32, len: u32) -> Option<&[u8]> {
        let at = self.check(address, len)?;
        // SAFETY: in bounds of what is readable; the VM does not run while this is borrowed.
        Some(unsafe { core::slice::from_raw_parts(at, len as usize) })
    }

    /// The same, to be changed.
    fn slice_mut(&mut self, address: u32, len: u32) -> Option<&mut [u8]> {
        let at = self.check(address, len)?;
        // SAFETY: in bounds of what is writable; the VM does not run while this is borrowed.
        Some(unsafe { core::slice::from_raw_parts_mut(at, len as usize) })
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
