//! The heap: one contiguous part of RAM, inside the direct map, so that every heap object's physical address
//! is its address minus a constant (what devices need). This file contains `unsafe`: it gives memory to
//! the allocator.

use talc::TalcLock;
use talc::source::Manual;

use crate::lock::RawLock;

/// The kernel's allocator, without arenas.
pub type KernelHeap = TalcLock<RawLock, Manual>;

#[global_allocator]
static HEAP: KernelHeap = TalcLock::new(Manual);

/// Gives the heap its memory, once.
pub fn init(base: *mut u8, bytes: usize) {
    // SAFETY: the range was taken from the frames for this purpose and is mapped writable.
    let claimed = unsafe { HEAP.lock().claim(base, bytes) };
    assert!(claimed.is_some(), "the heap is too small");
}
