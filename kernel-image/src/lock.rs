//! The kernel's only lock: interrupts stay off while it is held, so that an interrupt handler may take
//! it too, and a turn that is cut off by the timer never holds one.
//!
//! Invariant: holding one is short, and on one core it is never contended; a second `lock` on the same
//! core is a bug and panics rather than hangs. This file contains `unsafe`: the implementation of a mutex.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use x86_64::instructions::interrupts;

/// A mutex whose holder cannot be interrupted.
pub type Lock<T> = lock_api::Mutex<RawLock, T>;

/// How many locks are held; a panic with one held cannot be survived.
static HELD: AtomicU32 = AtomicU32::new(0);

/// Whether any lock is held.
pub fn any_held() -> bool {
    HELD.load(Ordering::Relaxed) != 0
}

/// The lock without its data.
pub struct RawLock {
    locked: AtomicBool,
    interrupts_were_on: AtomicBool,
}

// SAFETY: `locked` is set by one holder at a time, by an atomic exchange.
unsafe impl lock_api::RawMutex for RawLock {
    #[allow(clippy::declare_interior_mutable_const)]
    const INIT: RawLock = RawLock { locked: AtomicBool::new(false), interrupts_were_on: AtomicBool::new(false) };
    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        assert!(self.try_lock(), "a kernel lock was taken twice");
    }

    fn try_lock(&self) -> bool {
        let were_on = interrupts::are_enabled();
        interrupts::disable();
        let free = !self.locked.swap(true, Ordering::Acquire);
        if free {
            self.interrupts_were_on.store(were_on, Ordering::Relaxed);
            HELD.fetch_add(1, Ordering::Relaxed);
        } else if were_on {
            interrupts::enable();
        }
        free
    }

    unsafe fn unlock(&self) {
        let were_on = self.interrupts_were_on.load(Ordering::Relaxed);
        HELD.fetch_sub(1, Ordering::Relaxed);
        self.locked.store(false, Ordering::Release);
        if were_on {
            interrupts::enable();
        }
    }
}
