//! The bare-metal [`Platform`]: thin, over memory, time, interrupts, guarded turns and the host's line.

use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use basevm::platform::{Access, Idle, IdleAnswer, Nanos, OutOfMemory, Panicked, Platform, Region};
use bootstrapper::control::{FromGuest, ToGuest};

use crate::devices::keyboard;
use crate::memory::space;
use crate::{control, guarded, interrupts, power, time};

/// How long an announced key may take to arrive.
const KEY_PATIENCE: Nanos = 10_000_000_000;

/// The machine.
pub static MACHINE: Machine =
    Machine { script_over: AtomicBool::new(true), keys_due: AtomicU32::new(0), keys_in_all: AtomicU32::new(0) };

/// The platform's state that belongs to one run: how far its key script is.
pub struct Machine {
    /// The host has no key script (left): the guest advances virtual time by itself.
    script_over: AtomicBool,
    /// Key events that the host has announced so far.
    keys_due: AtomicU32,
    /// Key events that the script has in all.
    keys_in_all: AtomicU32,
}

impl Machine {
    /// A run begins whose script has so many key events.
    pub fn begin(&self, key_events: u32) {
        keyboard::forget();
        self.script_over.store(key_events == 0, Ordering::Relaxed);
        self.keys_due.store(0, Ordering::Relaxed);
        self.keys_in_all.store(key_events, Ordering::Relaxed);
    }

    fn idle_virtual(&self, idle: Idle) -> IdleAnswer {
        while !self.script_over.load(Ordering::Relaxed) {
            control::send(format_args!("{}", FromGuest::Idle { now: idle.now, next: idle.next_timer }));
            match control::receive(ToGuest::parse) {
                Some(ToGuest::Advance(time)) => return IdleAnswer::Advance(time),
                Some(ToGuest::Key(time)) => {
                    self.await_key();
                    return IdleAnswer::Advance(time);
                }
                Some(ToGuest::Free) => self.script_over.store(true, Ordering::Relaxed),
                Some(ToGuest::Finish) => return IdleAnswer::Finished,
                Some(ToGuest::Bye) => power::off(0),
                None => control::fault(format_args!("the host sent a line that is no answer to `idle`")),
            }
        }
        idle.next_timer.map_or(IdleAnswer::Finished, IdleAnswer::Advance)
    }

    /// Waits until all announced key events have come in.
    fn await_key(&self) {
        let due = self.keys_due.fetch_add(1, Ordering::Relaxed) + 1;
        let latest = time::now().saturating_add(KEY_PATIENCE);
        while keyboard::arrived() < due {
            if time::now() > latest {
                return control::fault(format_args!("a key event that the host announced has not arrived"));
            }
            interrupts::wait_unless(|| keyboard::arrived() >= due);
        }
    }

    fn idle_real(&self, idle: Idle) -> IdleAnswer {
        let now = time::now();
        let timer = idle.next_timer.filter(|_| !idle.virtual_clock);
        let keys_to_come = keyboard::arrived() < self.keys_in_all.load(Ordering::Relaxed);
        if timer.is_none() && !idle.device_pending && !keys_to_come {
            return IdleAnswer::Finished;
        }
        let until = timer.unwrap_or(Nanos::MAX).min(idle.limit.unwrap_or(Nanos::MAX));
        if until > now {
            interrupts::wait(until - now);
        }
        // Perhaps only the tick: then nothing is found to do, and this is entered again.
        IdleAnswer::Woken
    }
}

impl Platform for Machine {
    fn now(&self) -> Nanos {
        time::now()
    }

    fn wall(&self) -> Nanos {
        time::wall()
    }

    fn reserve(&self, bytes: usize) -> Result<Region, OutOfMemory> {
        space::reserve(bytes)
    }

    fn protect(&self, region: &Region, range: Range<usize>, access: Access) -> Result<(), OutOfMemory> {
        space::protect(region, range, access)
    }

    fn release(&self, region: Region) {
        space::release(region);
    }

    fn idle(&self, idle: Idle) -> IdleAnswer {
        if interrupts::take_wake() {
            return IdleAnswer::Woken;
        }
        if idle.virtual_clock && !idle.device_pending { self.idle_virtual(idle) } else { self.idle_real(idle) }
    }

    fn waker(&self) -> fn() {
        interrupts::wake
    }

    fn interrupt_word(&self) -> &'static AtomicU32 {
        &interrupts::INTERRUPT_WORD
    }

    fn guarded(&self, turn: &mut dyn FnMut()) -> Result<(), Panicked> {
        guarded::run(turn)
    }

    fn log(&self, line: fmt::Arguments<'_>) {
        control::log(line);
    }
}
