//! Wakers: how a backend thread or an interrupt handler asks that its VM be run.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

/// A cloneable handle that asks for one VM's `wake`; sound in threads and interrupt handlers.
#[derive(Clone, Debug)]
pub struct Waker {
    flag: Arc<AtomicBool>,
    /// Says that some VM of the system was asked for, so that nobody has to look at each flag.
    bell: Arc<AtomicBool>,
    platform: fn(),
}

impl Waker {
    /// A waker that ends the platform's idle time through `platform`.
    pub fn new(platform: fn()) -> Waker {
        Waker::with_bell(platform, Arc::default())
    }

    /// The same, ringing a bell that several share.
    pub(crate) fn with_bell(platform: fn(), bell: Arc<AtomicBool>) -> Waker {
        Waker { flag: Arc::default(), bell, platform }
    }

    /// Asks that the VM be woken.
    pub fn wake(&self) {
        self.flag.store(true, Ordering::Release);
        self.bell.store(true, Ordering::Release);
        (self.platform)();
    }

    /// Whether it was asked, since the last time.
    pub fn take(&self) -> bool {
        // Mostly it was not: a plain load is cheaper than an exchange.
        self.flag.load(Ordering::Relaxed) && self.flag.swap(false, Ordering::Acquire)
    }
}
