//! The waker of a device's VM, where an interrupt handler finds it.

use basevm::service::Waker;

use crate::lock::Lock;

/// A place for one waker.
pub struct WakerCell(Lock<Option<Waker>>);

impl WakerCell {
    /// An empty place.
    pub const fn new() -> WakerCell {
        WakerCell(Lock::new(None))
    }

    /// Puts a waker in, in place of the one before.
    pub fn set(&self, waker: Waker) {
        // The old one is dropped after the lock is released.
        let _old = self.0.lock().replace(waker);
    }

    /// Wakes the VM, if there is one.
    pub fn wake(&self) {
        if let Some(waker) = self.0.lock().as_ref() {
            waker.wake();
        }
    }
}
