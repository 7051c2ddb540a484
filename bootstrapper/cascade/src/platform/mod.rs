//! The hosted platform: the base VM on Linux, on x86-64.
//!
//! The thread that runs the base loop is the core. Pages come from `mmap`, the interrupt word from a
//! ticker thread, faults from signals. Idle time ends by [`wake`], by the next timer, or, under a
//! virtual clock, at once: time then jumps to the next timer or scripted input.
//!
//! Invariants:
//!
//! - everything that wakes (backend threads, the ticker, Ctrl-C) does so through one counter, so no
//!   wake-up is lost between two calls of `idle`;
//! - scripted input is injected at its time in the system's clock, in order, once;
//! - a fault that is not a VM's still ends the process the usual way.

mod heap;
mod idle;
mod memory;
mod panics;
mod signals;
#[cfg(test)]
mod tests;
mod ticker;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use basevm::arena::{self, ArenaId};
use basevm::platform::{Access, INTERRUPT, Idle, IdleAnswer, Nanos, OutOfMemory, Panicked, Platform, Region};

pub use idle::wake;

/// Input that comes by itself at a given time, from a key script.
pub struct ScriptedInput {
    /// When, in the system's clock.
    pub at: Nanos,
    /// Puts it where its device finds it, and wakes the device.
    pub inject: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for ScriptedInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScriptedInput at {} ns", self.at)
    }
}

/// What a run wants of its platform.
#[derive(Default, Debug)]
pub struct HostedOptions {
    /// Time advances only when nothing can run. Has to agree with the system's own setting.
    pub virtual_clock: bool,
    /// Input to come, by ascending time.
    pub script: Vec<ScriptedInput>,
    /// Whether more input may come from people (a window is open): an idle system then does not end.
    pub live_input: bool,
    /// Whether the log is left out: for those who report faults themselves.
    pub quiet: bool,
}

/// What the ticker shares with the core.
#[derive(Debug)]
struct Shared {
    start: Instant,
    interrupt: &'static AtomicU32,
    script: Mutex<VecDeque<ScriptedInput>>,
    virtual_clock: bool,
    stop: AtomicBool,
    live_input: AtomicBool,
}

/// The parent OS as a platform.
#[derive(Debug)]
pub struct HostedPlatform {
    shared: Arc<Shared>,
    quiet: bool,
    /// The wake-up counter at the last return from `idle`.
    seen: AtomicU32,
}

impl HostedPlatform {
    /// Installs the heap's arenas and the signal handlers, and starts the ticker. The environment's
    /// `CASCADE_GC_STRESS=1` puts the collector under stress, so that any test can run that way.
    pub fn new(options: HostedOptions) -> HostedPlatform {
        if std::env::var_os("CASCADE_GC_STRESS").is_some_and(|value| value == "1") {
            basevm::heap::set_stress(true);
        }
        arena::install(&heap::HEAP);
        signals::install();
        panics::install();
        let shared = Arc::new(Shared {
            start: Instant::now(),
            // One word a platform, for as long as the process: VMs know its address.
            interrupt: Box::leak(Box::new(AtomicU32::new(0))),
            script: Mutex::new(options.script.into()),
            virtual_clock: options.virtual_clock,
            stop: AtomicBool::new(false),
            live_input: AtomicBool::new(options.live_input),
        });
        ticker::tick(&shared);
        HostedPlatform { shared, quiet: options.quiet, seen: AtomicU32::new(idle::wakes()) }
    }

    /// The same, for as long as the process: what [`basevm::engine`] stands on.
    pub fn leaked(options: HostedOptions) -> &'static HostedPlatform {
        Box::leak(Box::new(HostedPlatform::new(options)))
    }

    /// Asks the run to end: `idle` answers `Finished` from now on, and a running VM yields soon.
    /// For Ctrl-C, a closed window, a timeout.
    pub fn request_stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.interrupt.store(INTERRUPT, Ordering::Release);
        wake();
    }

    /// Whether [`HostedPlatform::request_stop`] was called.
    pub fn stop_requested(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }

    /// Says whether people may still give input.
    pub fn set_live_input(&self, live: bool) {
        self.shared.live_input.store(live, Ordering::Release);
        wake();
    }
}

impl Shared {
    fn now(&self) -> Nanos {
        nanos(self.start.elapsed())
    }

    fn script(&self) -> MutexGuard<'_, VecDeque<ScriptedInput>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Injects all input up to this time. The script stays locked meanwhile: who finds it empty also
    /// finds the wake-up.
    fn inject(&self, until: Nanos) {
        let mut script = self.script();
        while script.front().is_some_and(|input| input.at <= until) {
            if let Some(input) = script.pop_front() {
                (input.inject)();
                wake();
            }
        }
    }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

impl Platform for HostedPlatform {
    fn now(&self) -> Nanos {
        self.shared.now()
    }

    fn wall(&self) -> Nanos {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos)
    }

    fn reserve(&self, bytes: usize) -> Result<Region, OutOfMemory> {
        memory::reserve(bytes)
    }

    fn protect(&self, region: &Region, range: Range<usize>, access: Access) -> Result<(), OutOfMemory> {
        memory::protect(region, range, access)
    }

    fn release(&self, region: Region) {
        memory::release(region);
    }

    fn idle(&self, idle: Idle) -> IdleAnswer {
        self.rest(idle)
    }

    fn waker(&self) -> fn() {
        wake
    }

    /// Every VM is created with this word, so this is also where a thread becomes a core: it gets
    /// the stack that signal handlers run on.
    fn interrupt_word(&self) -> &'static AtomicU32 {
        signals::attach_thread();
        self.shared.interrupt
    }

    fn guarded(&self, turn: &mut dyn FnMut()) -> Result<(), Panicked> {
        panics::guarded(turn).map_err(|report| {
            self.log(format_args!("{report}"));
            Panicked
        })
    }

    /// The stream's buffers outlive the VM in whose turn this may be.
    fn log(&self, line: fmt::Arguments<'_>) {
        if !self.quiet {
            arena::scope(ArenaId::BASE, || eprintln!("{line}"));
        }
    }
}
