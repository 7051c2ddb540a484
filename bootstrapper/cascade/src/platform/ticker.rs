//! The ticker: one thread that interrupts running VMs, and injects scripted input in real time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use basevm::platform::INTERRUPT;

use super::Shared;

/// How often a running VM is interrupted.
const TICK: Duration = Duration::from_millis(10);

/// Whom to tick, while they live.
static TICKED: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Ticks for a platform from now on.
pub(super) fn tick(platform: &Arc<Shared>) {
    static ONCE: Once = Once::new();
    TICKED.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(platform));
    ONCE.call_once(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(TICK);
                TICKED.lock().unwrap_or_else(PoisonError::into_inner).retain(once);
            }
        });
    });
}

/// One tick; whether its platform lives.
fn once(platform: &Weak<Shared>) -> bool {
    let Some(platform) = platform.upgrade() else { return false };
    platform.interrupt.store(INTERRUPT, Ordering::Release);
    if !platform.virtual_clock {
        platform.inject(platform.now());
    }
    true
}
