//! Owned byte buffers: what `buf` is in memory. Guest memory: this file contains `unsafe`.
//!
//! ```text
//! allocation:  | links of the VM that holds it, 16 | BufHeader, 16 | the bytes |
//!                                                  ^ the address that JIT code knows
//! ```

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use alloc::sync::Arc;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use compiler::abi::{BUF_DATA, BufHeader};

use crate::engine::LINKS_BYTES;
use crate::holder;

/// Who pays for memory: a byte quota and what is used of it.
#[derive(Debug)]
pub struct Account {
    used: AtomicU64,
    limit: u64,
    /// Who pays too.
    whole: Option<Arc<Account>>,
}

impl Account {
    /// An account of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Account> {
        Arc::new(Account { used: AtomicU64::new(0), limit, whole: None })
    }

    /// An account whose memory counts in `whole` too, and is limited by it alone.
    pub fn part_of(whole: &Arc<Account>) -> Arc<Account> {
        Arc::new(Account { used: AtomicU64::new(0), limit: whole.limit, whole: Some(whole.clone()) })
    }

    /// The same, with a limit of its own besides.
    pub fn bounded_part_of(whole: &Arc<Account>, limit: u64) -> Arc<Account> {
        let limit = limit.min(whole.limit);
        Arc::new(Account { used: AtomicU64::new(0), limit, whole: Some(whole.clone()) })
    }

    /// The account that pays too.
    pub fn whole(&self) -> Option<&Arc<Account>> {
        self.whole.as_ref()
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes at most.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Charges `bytes`; false (and nothing charged) if that exceeds the limit.
    pub fn charge(&self, bytes: u64) -> bool {
        let grow = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow).is_err() {
            return false;
        }
        let Some(whole) = &self.whole else { return true };
        let paid = whole.charge(bytes);
        if !paid {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        paid
    }

    /// Charges `bytes` whatever the limit: for what is there already.
    pub fn overcharge(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.overcharge(bytes);
        }
    }

    /// Whether more is in use than the limit allows.
    pub fn is_over(&self) -> bool {
        self.used() > self.limit || self.whole.as_ref().is_some_and(|whole| whole.is_over())
    }

    /// Gives back `bytes`.
    pub fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.release(bytes);
        }
    }
}

/// An owned buffer; moves between VMs without a copy, and is charged to its creator until dropped.
pub struct Buf {
    header: NonNull<BufHeader>,
}

// SAFETY: a `Buf` is the only owner of its memory.
unsafe impl Send for Buf {}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(LINKS_BYTES + BUF_DATA as usize)?, align_of::<BufHeader>()).ok()
}

impl Buf {
    /// A zeroed buffer charged to `account`; `None` if the quota or memory is used up.
    pub fn new(account: &Arc<Account>, bytes: usize) -> Option<Buf> {
        let layout = layout(bytes)?;
        if !account.charge(bytes as u64) {
            return None;
        }
        // SAFETY: the layout is never empty: it includes links and header.
        let Some(start) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            account.release(bytes as u64);
            return None;
        };
        // SAFETY: the header follows the links, inside the allocation.
        let header = unsafe { start.add(LINKS_BYTES) }.cast::<BufHeader>();
        let owner = Arc::into_raw(account.clone()) as u64;
        // SAFETY: freshly allocated, large and aligned enough for the header.
        unsafe { header.write(BufHeader { len: bytes as u64, owner }) };
        Some(Buf { header })
    }

    /// Lets another account pay, whatever its limit.
    pub fn charge_to(&mut self, account: &Arc<Account>) {
        let bytes = self.len() as u64;
        account.overcharge(bytes);
        let owner = Arc::into_raw(account.clone()) as u64;
        // SAFETY: the header is this buffer's alone, and its owner came from `Arc::into_raw`.
        let before = unsafe {
            let before = core::mem::replace(&mut self.header.as_mut().owner, owner);
            Arc::from_raw(before as *const Account)
        };
        before.release(bytes);
    }

    /// The address that JIT code knows it by; ownership goes with it.
    pub fn into_raw(mut self) -> u64 {
        self.let_go();
        let address = self.header.as_ptr() as u64;
        core::mem::forget(self);
        address
    }

    /// Takes it away from the VM written in Rust that holds it, if one does: to be called before a VM hands it to a
    /// backend or a thread. What a VM holds is freed with it if it panics.
    pub fn let_go(&mut self) {
        holder::let_go(self.header.as_ptr());
    }

    pub(crate) fn header(&mut self) -> *mut BufHeader {
        self.header.as_ptr()
    }

    /// Takes ownership back.
    ///
    /// # Safety
    /// `address` is 0 or comes from [`Buf::into_raw`], and is not used again.
    pub unsafe fn from_raw(address: u64) -> Option<Buf> {
        NonNull::new(address as *mut BufHeader).map(|header| Buf { header })
    }
}

impl Deref for Buf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the header is live and `len` bytes follow it.
        unsafe {
            let len = self.header.as_ref().len as usize;
            core::slice::from_raw_parts(self.header.as_ptr().cast::<u8>().add(BUF_DATA as usize), len)
        }
    }
}

impl DerefMut for Buf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes it the only access.
        unsafe {
            let len = self.header.as_ref().len as usize;
            core::slice::from_raw_parts_mut(self.header.as_ptr().cast::<u8>().add(BUF_DATA as usize), len)
        }
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        self.let_go();
        let bytes = self.len();
        // SAFETY: `owner` came from `Arc::into_raw`; the memory from `alloc_zeroed` with this layout.
        unsafe {
            let account = Arc::from_raw(self.header.as_ref().owner as *const Account);
            account.release(bytes as u64);
            if let Some(layout) = layout(bytes) {
                dealloc(self.header.as_ptr().cast::<u8>().sub(LINKS_BYTES), layout);
            }
        }
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buf({} bytes)", self.len())
    }
}
