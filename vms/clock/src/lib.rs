//! The clock VM: `cascade.clock@1`. It has no backend: time is the base's.
//!
//! Sleepers and timers wait in one queue by the time that they are due, and first come first
//! served within a moment, so that the order of wake-ups is the same in every run. A timer's ticks
//! are due at exact multiples of its period from its start, however late the VM is run; every tick
//! is raised, at the VM that started the timer. A timer that nobody hears (its VM does not handle
//! ticks, or has ended) stops, so that it cannot keep a system alive.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use basevm::platform::Nanos;
use basevm::service::{Hello, Host, Outcome, Reply, ReplyRight, Request, Service, VmId};
use il::trap::Status;
use isa::clock::{Op, SET, event, reply};

/// Sleepers and timers at a time; more are refused with status 8 (quota).
pub const MAX_ENTRIES: usize = 1024;
/// Ticks raised before others get their turn; what is overdue beyond that follows at once.
pub const MAX_TICKS_A_WAKE: usize = 256;

/// The number of a timer, as programs know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct TimerId(i32);

/// What happens at a moment.
#[derive(Debug)]
enum Entry {
    Sleeper(ReplyRight),
    Timer { id: TimerId, period: Nanos, owner: VmId },
}

/// Orders what is due: by time, then by arrival.
type Due = (Nanos, u64);

/// The clock VM.
#[derive(Default, Debug)]
pub struct Clock {
    queue: BTreeMap<Due, Entry>,
    arrivals: u64,
    last_timer: i32,
}

impl Clock {
    /// A clock without timers.
    pub fn new() -> Clock {
        Clock::default()
    }

    fn run(&mut self, host: &mut dyn Host, request: &Request<'_>) -> Outcome {
        match Op::decode(request.opcode, request.words) {
            Ok(Op::Monotonic) => done(&reply::monotonic(signed(host.now()))),
            Ok(Op::Wall) => done(&reply::wall(signed(host.wall()))),
            Ok(Op::Sleep { ns }) => self.sleep(host, ns),
            Ok(Op::Every { ns }) => self.every(host, ns, request.caller),
            Ok(Op::Cancel { timer }) => self.cancel(host, TimerId(timer), request.caller),
            Err(status) => Outcome::Fail(status),
        }
    }

    fn sleep(&mut self, host: &mut dyn Host, ns: i64) -> Outcome {
        let Ok(ns @ 1..) = Nanos::try_from(ns) else { return done(&reply::sleep()) };
        if self.queue.len() >= MAX_ENTRIES {
            return Outcome::Fail(Status::Quota);
        }
        let right = host.reply_right();
        self.insert(host.now().saturating_add(ns), Entry::Sleeper(right));
        self.ask(host);
        Outcome::Later
    }

    fn every(&mut self, host: &mut dyn Host, ns: i64, owner: VmId) -> Outcome {
        let Ok(period @ 1..) = Nanos::try_from(ns) else { return Outcome::Fail(Status::OutOfRange) };
        if self.queue.len() >= MAX_ENTRIES {
            return Outcome::Fail(Status::Quota);
        }
        let Some(number) = self.last_timer.checked_add(1) else { return Outcome::Fail(Status::Quota) };
        self.last_timer = number;
        let timer = Entry::Timer { id: TimerId(number), period, owner };
        self.insert(host.now().saturating_add(period), timer);
        self.ask(host);
        done(&reply::every(number))
    }

    /// Only the VM that started a timer can stop it.
    fn cancel(&mut self, host: &mut dyn Host, timer: TimerId, caller: VmId) -> Outcome {
        let is_meant =
            |entry: &Entry| matches!(entry, Entry::Timer { id, owner, .. } if *id == timer && *owner == caller);
        let Some(due) = self.queue.iter().find(|(_, entry)| is_meant(entry)).map(|(due, _)| *due) else {
            return Outcome::Fail(Status::OutOfRange);
        };
        self.queue.remove(&due);
        self.ask(host);
        done(&reply::cancel())
    }

    fn insert(&mut self, at: Nanos, entry: Entry) {
        self.arrivals += 1;
        self.queue.insert((at, self.arrivals), entry);
    }

    /// Asks to be woken at the earliest moment.
    fn ask(&self, host: &mut dyn Host) {
        host.wake_at(self.queue.first_key_value().map(|((at, _), _)| *at));
    }

    fn fire(&mut self, host: &mut dyn Host, at: Nanos, entry: Entry) {
        match entry {
            Entry::Sleeper(right) => host.complete(right, Ok(Reply::none())),
            Entry::Timer { id, period, owner } => {
                let heard = host.emit_to(owner, event::TICK, &event::tick(id.0, signed(at))) > 0;
                if heard {
                    self.insert(at.saturating_add(period), Entry::Timer { id, period, owner });
                }
            }
        }
    }
}

impl Service for Clock {
    fn hello(&self) -> Hello {
        Hello { name: String::from("clock"), provides: &SET }
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        self.run(host, &request)
    }

    fn wake(&mut self, host: &mut dyn Host) {
        let now = host.now();
        for _ in 0..MAX_TICKS_A_WAKE {
            let Some(first) = self.queue.first_entry().filter(|first| first.key().0 <= now) else { break };
            let ((at, _), entry) = first.remove_entry();
            self.fire(host, at, entry);
        }
        self.ask(host);
    }
}

/// Nanoseconds as programs see them: 292 years from the start.
fn signed(time: Nanos) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn done(values: &[il::packet::Value<'_>]) -> Outcome {
    Outcome::Done(Reply::new(values, Vec::new()))
}
