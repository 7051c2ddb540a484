//! Memory that JIT code reads and writes while the base keeps its address: owned, but only ever
//! accessed through raw pointers. `unsafe`: that access, kept behind bounds checks.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::{self, NonNull};

/// An owned array that generated code also knows by address. It never moves.
#[derive(Debug)]
pub(super) struct Shared<T: Copy> {
    items: NonNull<[T]>,
}

impl<T: Copy> Shared<T> {
    /// Takes the items.
    pub fn new(items: Vec<T>) -> Shared<T> {
        Shared { items: NonNull::from(Box::leak(items.into_boxed_slice())) }
    }

    /// Address of the first item.
    pub fn address(&self) -> u64 {
        self.items.as_ptr().cast::<T>() as u64
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// An item as it is now.
    pub fn get(&self, index: usize) -> Option<T> {
        // SAFETY: in bounds; the VM does not run while the base does, so nothing else writes.
        (index < self.len()).then(|| unsafe { ptr::read(self.item(index)) })
    }

    /// Replaces an item, if there is one of this index.
    pub fn set(&mut self, index: usize, value: T) {
        if index < self.len() {
            // SAFETY: in bounds; the VM does not run while the base does.
            unsafe { ptr::write(self.item(index), value) }
        }
    }

    /// Replaces what `to` holds by the first `len` items.
    pub fn copy_to(&self, len: usize, to: &mut Vec<T>) {
        to.clear();
        // SAFETY: in bounds; the VM does not run while the base does.
        to.extend_from_slice(unsafe { core::slice::from_raw_parts(self.item(0), len.min(self.len())) });
    }

    /// Gives the first `len` items back as an ordinary vector.
    pub fn into_vec(self, len: usize) -> Vec<T> {
        // SAFETY: leaked from a box in `new`; `self` is forgotten, so it is not freed twice.
        let items = unsafe { Box::from_raw(self.items.as_ptr()) };
        core::mem::forget(self);
        let mut items = Vec::from(items);
        items.truncate(len);
        items
    }

    fn item(&self, index: usize) -> *mut T {
        self.items.as_ptr().cast::<T>().wrapping_add(index)
    }
}

impl<T: Copy> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: leaked from a box in `new`; the VM that knew its address has ended.
        drop(unsafe { Box::from_raw(self.items.as_ptr()) });
    }
}
