//! Idle time: waiting for a wake-up or a timer, and jumping ahead under a virtual clock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use basevm::platform::{Idle, IdleAnswer, Nanos};
use rustix::thread::futex;

use super::HostedPlatform;

/// Counts wake-ups, for the whole process; a core that finds it changed has been woken.
static WAKES: AtomicU32 = AtomicU32::new(0);

/// Ends idle time, now or when next entered. Sound in any thread and signal handler.
pub fn wake() {
    WAKES.fetch_add(1, Ordering::AcqRel);
    // Nothing to be done if it fails: a core that does not sleep sees the counter.
    let _ = futex::wake(&WAKES, futex::Flags::PRIVATE, u32::MAX >> 1);
}

/// Wake-ups so far.
pub(super) fn wakes() -> u32 {
    WAKES.load(Ordering::Acquire)
}

/// Sleeps till the next wake-up after the one `seen`, or for a time.
fn sleep(seen: u32, time: Option<Duration>) {
    let limit = time.and_then(|time| futex::Timespec::try_from(time).ok());
    // Whatever ends it, the caller looks again.
    let _ = futex::wait(&WAKES, futex::Flags::PRIVATE, seen, limit.as_ref());
}

impl HostedPlatform {
    /// The idle policy; see the module's page.
    pub(super) fn rest(&self, idle: Idle) -> IdleAnswer {
        let deadline = idle.next_timer.map(|timer| self.shared.now().saturating_add(timer.saturating_sub(idle.now)));
        loop {
            if self.stop_requested() {
                return IdleAnswer::Finished;
            }
            // The script first: input that has left it has been announced by the counter read next.
            let next_input = self.shared.script().front().map(|input| input.at);
            let now = wakes();
            if self.seen.swap(now, Ordering::Relaxed) != now {
                return IdleAnswer::Woken;
            }
            let next = [next_input, idle.next_timer].into_iter().flatten().min();
            if let Some(next) = next.filter(|_| idle.virtual_clock && !idle.device_pending) {
                return self.advance(next.max(idle.now));
            }
            let timer = deadline.filter(|_| !idle.virtual_clock);
            let may_come = idle.device_pending || self.live_input() || timer.is_some() || next_input.is_some();
            if !may_come {
                return IdleAnswer::Finished;
            }
            let end = [timer, idle.limit].into_iter().flatten().min();
            let left = end.map(|end| Duration::from_nanos(end.saturating_sub(self.shared.now())));
            if left == Some(Duration::ZERO) {
                return IdleAnswer::Woken;
            }
            sleep(now, left);
        }
    }

    fn live_input(&self) -> bool {
        self.shared.live_input.load(Ordering::Acquire)
    }

    fn advance(&self, to: Nanos) -> IdleAnswer {
        self.shared.inject(to);
        IdleAnswer::Advance(to)
    }
}
