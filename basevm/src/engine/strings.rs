//! `str`s in memory: reference-counted, charged to their VM, all freed when it ends.
//! `unsafe`: guest memory.
//!
//! ```text
//! allocation:  | links of the VM that holds it, 16 | StrHeader, 16 | the bytes, padded with zeros |
//!                                                  ^ the address that JIT code knows
//! ```
//!
//! Literals are immortal, have no links, and belong to the program.

use alloc::alloc::{Layout, alloc, dealloc};
use alloc::sync::Arc;
use core::ptr::NonNull;

use compiler::abi::{IMMORTAL, STR_DATA, StrHeader};
use il::trap::TrapKind;

use super::list::{HeldList, LINKS_BYTES};
use crate::buf::Account;

/// Longest `str` in bytes: its length is an `i32`.
const MAX_BYTES: usize = i32::MAX as usize;

/// The `str`s of one VM.
#[derive(Debug)]
pub(super) struct Strings {
    held: HeldList,
    account: Arc<Account>,
    empty: u64,
}

fn layout(len: usize) -> Option<Layout> {
    let padded = len.checked_next_multiple_of(8)?;
    Layout::from_size_align(padded.checked_add(LINKS_BYTES + STR_DATA as usize)?, 16).ok()
}

/// What a `str` of this length costs: header and bytes.
fn cost(len: usize) -> u64 {
    len as u64 + STR_DATA as u64
}

impl Strings {
    /// None yet.
    pub fn new(account: Arc<Account>, empty: u64) -> Strings {
        Strings { held: HeldList::new(), account, empty }
    }

    /// A new `str` of these parts, with one reference.
    ///
    /// # Errors
    /// The quota is used up, or it is too long.
    ///
    /// # Safety
    /// The parts together are UTF-8.
    pub unsafe fn make(&mut self, parts: &[&[u8]]) -> Result<u64, TrapKind> {
        let len = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.len())).ok_or(TrapKind::Quota)?;
        if len == 0 {
            return Ok(self.empty);
        }
        if len > MAX_BYTES || !self.account.charge(cost(len)) {
            return Err(TrapKind::Quota);
        }
        let Some(header) = allocate(parts, len) else {
            self.account.release(cost(len));
            return Err(TrapKind::Quota);
        };
        // SAFETY: just allocated, with room for links in front.
        unsafe { self.held.link(header) };
        Ok(header)
    }

    /// Frees a `str` whatever its count is.
    ///
    /// # Safety
    /// `address` is a `str` of this VM, and not used again.
    pub unsafe fn free(&mut self, address: u64) {
        // SAFETY: live by the caller's promise.
        let header = unsafe { (address as *const StrHeader).read() };
        if header.refs == IMMORTAL {
            return;
        }
        // SAFETY: every mortal `str` of this VM is in its list.
        unsafe { self.held.unlink(address) };
        self.release(address, header.len as usize);
    }

    /// Drops one reference.
    ///
    /// # Safety
    /// `address` is a `str` of this VM; the reference is not used again.
    pub unsafe fn drop_reference(&mut self, address: u64) {
        // SAFETY: live by the caller's promise, and the VM does not run.
        let refs = unsafe { &mut (*(address as *mut StrHeader)).refs };
        if *refs == IMMORTAL {
            return;
        }
        *refs = refs.saturating_sub(1);
        if *refs == 0 {
            // SAFETY: no reference is left.
            unsafe { self.free(address) };
        }
    }

    fn release(&self, address: u64, len: usize) {
        self.account.release(cost(len));
        if let Some(layout) = layout(len) {
            // SAFETY: allocated in `allocate` with this layout.
            unsafe { dealloc((address as *mut u8).sub(LINKS_BYTES), layout) };
        }
    }
}

impl Drop for Strings {
    fn drop(&mut self) {
        while let Some(address) = self.held.pop() {
            // SAFETY: members of the list are live.
            let len = unsafe { (*(address as *const StrHeader)).len };
            self.release(address, len as usize);
        }
    }
}

/// A `str`'s bytes.
///
/// # Safety
/// `address` is a live `str`, which stays so while the result is used.
pub(super) unsafe fn bytes<'a>(address: u64) -> &'a [u8] {
    // SAFETY: the caller's promise: `len` bytes follow the header.
    unsafe {
        let len = (*(address as *const StrHeader)).len as usize;
        core::slice::from_raw_parts((address as *const u8).add(STR_DATA as usize), len)
    }
}

fn allocate(parts: &[&[u8]], len: usize) -> Option<u64> {
    // SAFETY: the layout is never empty; header, parts and padding fill exactly what it reserves.
    unsafe {
        let start = NonNull::new(alloc(layout(len)?))?.add(LINKS_BYTES);
        start.cast::<StrHeader>().write(StrHeader { refs: 1, len: len as u64 });
        let mut to = start.add(STR_DATA as usize);
        for part in parts {
            to.copy_from_nonoverlapping(NonNull::from(*part).cast(), part.len());
            to = to.add(part.len());
        }
        to.write_bytes(0, len.next_multiple_of(8) - len);
        Some(start.as_ptr() as u64)
    }
}
