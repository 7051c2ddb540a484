//! The heap: one contiguous part of RAM, inside the direct map, so that every heap object's physical address
//! is its address minus a constant (what devices need). In front of it the base's arenas, one a VM. This
//! file contains `unsafe`: it is the global allocator.
//!
//! Invariant: an allocation is never cut off by the timer, so no lock inside it stays locked.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use basevm::arena::{self, ArenaAlloc, ArenaId, CurrentArena};
use talc::TalcLock;
use talc::source::Manual;
use x86_64::instructions::interrupts::without_interrupts;

use crate::lock::RawLock;

/// The one core's current arena.
struct Current(AtomicU32);

impl CurrentArena for &Current {
    fn get(&self) -> ArenaId {
        ArenaId(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, arena: ArenaId) {
        self.0.store(arena.0, Ordering::Relaxed);
        if arena != ArenaId::BASE {
            TURN_HAS_ARENA.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether the turn of the VM that runs has entered an arena of its own.
static TURN_HAS_ARENA: AtomicBool = AtomicBool::new(false);

/// A turn of a VM written in Rust begins, in the base's arena still.
pub fn begin_turn() {
    TURN_HAS_ARENA.store(false, Ordering::Relaxed);
}

/// Whether the turn is in code of the base: that runs in the base's arena. (A VM without an arena of its own,
/// which there is only when all are taken, cannot be told from it: it counts as a VM.)
pub fn in_base() -> bool {
    TURN_HAS_ARENA.load(Ordering::Relaxed) && (&CURRENT).get() == ArenaId::BASE
}

/// The allocator below the arenas, shared with [`init`].
struct Below;

// SAFETY: passes everything on to one allocator.
unsafe impl GlobalAlloc for Below {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on, here and below.
        unsafe { TALC.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: see `alloc`.
        unsafe { TALC.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: see `alloc`.
        unsafe { TALC.realloc(memory, layout, bytes) }
    }
}

static TALC: TalcLock<RawLock, Manual> = TalcLock::new(Manual);
static CURRENT: Current = Current(AtomicU32::new(0));
static ARENAS: ArenaAlloc<Below, &Current> = ArenaAlloc::new(Below, &CURRENT);

/// The arenas, with interrupts off.
struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: passes everything on to one allocator.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on, here and below.
        without_interrupts(|| unsafe { ARENAS.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see `alloc`.
        without_interrupts(|| unsafe { ARENAS.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: see `alloc`.
        without_interrupts(|| unsafe { ARENAS.dealloc(memory, layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: see `alloc`.
        without_interrupts(|| unsafe { ARENAS.realloc(memory, layout, bytes) })
    }
}

/// Gives the heap its memory and makes the arenas known to the base, once.
pub fn init(base: *mut u8, bytes: usize) {
    // SAFETY: the range was taken from the frames for this purpose and is mapped writable.
    let claimed = unsafe { TALC.lock().claim(base, bytes) };
    assert!(claimed.is_some(), "the heap is too small");
    arena::install(&ARENAS);
}
