//! What a VM holds: an intrusive list of heap objects, so that all of them can be freed when it ends.
//! `unsafe`: links between allocations.

use core::ptr;

/// The links, in front of each object's header.
#[repr(C, align(16))]
#[derive(Debug)]
pub(crate) struct Links {
    next: *mut Links,
    previous: *mut Links,
}

/// Bytes of [`Links`].
pub(crate) const LINKS_BYTES: usize = size_of::<Links>();

/// Objects of one kind that one VM holds. Forgets them when dropped; see [`HeldList::pop`].
#[derive(Debug)]
pub(crate) struct HeldList {
    first: *mut Links,
}

impl HeldList {
    /// An empty list.
    pub const fn new() -> HeldList {
        HeldList { first: ptr::null_mut() }
    }

    /// Adds the object whose header lies at `address`.
    ///
    /// # Safety
    /// Live [`Links`] lie in front of `address`, in no list.
    pub unsafe fn link(&mut self, address: u64) {
        let links = Self::links(address);
        // SAFETY: the caller's promise for `links`; the list's members are live.
        unsafe {
            links.write(Links { next: self.first, previous: ptr::null_mut() });
            if let Some(next) = self.first.as_mut() {
                next.previous = links;
            }
        }
        self.first = links;
    }

    /// Takes an object out.
    ///
    /// # Safety
    /// The object at `address` is in this list.
    pub unsafe fn unlink(&mut self, address: u64) {
        let links = Self::links(address);
        // SAFETY: members of the list are live.
        unsafe {
            let Links { next, previous } = links.read();
            match previous.as_mut() {
                Some(previous) => previous.next = next,
                None => self.first = next,
            }
            if let Some(next) = next.as_mut() {
                next.previous = previous;
            }
        }
    }

    /// Takes any object out; its header's address.
    pub fn pop(&mut self) -> Option<u64> {
        if self.first.is_null() {
            return None;
        }
        let address = self.first as u64 + LINKS_BYTES as u64;
        // SAFETY: it is the first member.
        unsafe { self.unlink(address) };
        Some(address)
    }

    fn links(address: u64) -> *mut Links {
        (address - LINKS_BYTES as u64) as *mut Links
    }
}
