//! What a VM written in Rust holds of buffers, so that they can be freed when it is forgotten after a panic.
//! `unsafe`: links between allocations.
//!
//! ```text
//! holder:   first <-> links of a buf <-> links of a buf <-> first      a ring, behind one lock
//! ```
//!
//! Invariants: a buffer is in one ring at most, and knows it by the low bit of its header's owner, which only who
//! owns the buffer reads or writes. It leaves its ring when it is dropped, given to JIT code, or let go of ([`Buf::let_go`]): one that is handed to a backend is let go of before. The ring's links are read and
//! written under the lock only, in code of the base, which no panic or overrun leaves half done.

use alloc::boxed::Box;
use core::ptr::{self, NonNull};

use compiler::abi::BufHeader;

use crate::arena::{self, ArenaId};
use crate::buf::Buf;
use crate::engine::LINKS_BYTES;

/// The bit of [`BufHeader::owner`] that says that the buffer is in a ring.
pub(crate) const HELD: u64 = 1;

/// In front of a buffer's header, in the place of the links of the VM that holds it.
#[repr(C, align(16))]
struct Ring {
    next: *mut Ring,
    previous: *mut Ring,
}

const _: () = assert!(size_of::<Ring>() == LINKS_BYTES);

static LOCK: spin::Mutex<()> = spin::Mutex::new(());

/// Runs `body` while no other thread uses a ring.
fn locked<R>(body: impl FnOnce() -> R) -> R {
    arena::scope(ArenaId::BASE, || {
        let _lock = LOCK.lock();
        body()
    })
}

/// The buffers that one VM holds.
pub(crate) struct Holder {
    first: NonNull<Ring>,
}

impl Holder {
    /// Holds nothing.
    pub fn new() -> Holder {
        let first = NonNull::from(Box::leak(Box::new(Ring { next: ptr::null_mut(), previous: ptr::null_mut() })));
        // SAFETY: just made, and known to nobody else.
        unsafe { first.write(Ring { next: first.as_ptr(), previous: first.as_ptr() }) };
        Holder { first }
    }

    /// The VM holds this buffer from now on.
    pub fn hold(&self, buf: &mut Buf) {
        buf.let_go();
        let header = buf.header();
        let first = self.first.as_ptr();
        locked(|| {
            let links = links(header);
            // SAFETY: the links belong to the buffer, which is owned here and in no ring; the ring's members
            // are live, and the lock is held.
            unsafe {
                let next = (*first).next;
                links.write(Ring { next, previous: first });
                (*next).previous = links;
                (*first).next = links;
                (*header).owner |= HELD;
            }
        });
    }

    /// Frees all that is held.
    ///
    /// # Safety
    /// What holds them is never used again: nobody else owns a buffer of this ring.
    pub unsafe fn free(&self) {
        let first = self.first.as_ptr();
        // SAFETY: members of a ring are live; none of them is owned by anybody else by the caller's promise.
        while let Some(address) = locked(|| unsafe {
            let next = (*first).next;
            (next != first).then(|| next as u64 + LINKS_BYTES as u64)
        }) {
            // SAFETY: the address is that of a live buffer, which leaves the ring as it is dropped.
            drop(unsafe { Buf::from_raw(address) });
        }
    }
}

impl Drop for Holder {
    /// What is still held lives on, and the ring with it.
    fn drop(&mut self) {
        let first = self.first.as_ptr();
        // SAFETY: the ring is this holder's; it is freed only if nothing refers to it.
        unsafe {
            if locked(|| (*first).next == first) {
                drop(Box::from_raw(first));
            }
        }
    }
}

/// Takes a buffer out of its ring, if it is in one.
pub(crate) fn let_go(header: *mut BufHeader) {
    // SAFETY: the header is that of a live buffer that the caller owns; so is its mark.
    if unsafe { (*header).owner & HELD == 0 } {
        return;
    }
    locked(|| {
        // SAFETY: it is in a ring, so its neighbours are live; the lock is held.
        unsafe {
            let Ring { next, previous } = links(header).read();
            (*previous).next = next;
            (*next).previous = previous;
            (*header).owner &= !HELD;
        }
    });
}

fn links(header: *mut BufHeader) -> *mut Ring {
    header.cast::<u8>().wrapping_sub(LINKS_BYTES).cast()
}
