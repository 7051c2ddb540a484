//! Time: a monotonic clock from the time-stamp counter, and the date from the CMOS clock.
//!
//! The counter's rate is measured against the timer's *counter*, never by counting interrupts: under load
//! those are lost.

use core::sync::atomic::{AtomicU64, Ordering};

use basevm::platform::Nanos;

use crate::cpu::time_stamp;
use crate::interrupts::pit;
use crate::port::{read8, write8};

/// How long the rate is measured.
const MEASURE_NANOS: u64 = 10_000_000;
const SECOND: u64 = 1_000_000_000;

/// The counter at start.
static START: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds a count, times 2^32.
static SCALE: AtomicU64 = AtomicU64::new(0);
/// Date at start, in nanoseconds since 1970.
static WALL: AtomicU64 = AtomicU64::new(0);

/// Measures the rate and reads the date.
pub fn init() {
    pit::start_measure();
    let first = sample();
    let mut last = sample();
    while pit::nanos(last.1.wrapping_sub(first.1)) < MEASURE_NANOS {
        last = sample();
    }
    let counts = last.0.wrapping_sub(first.0).max(1);
    let nanos = pit::nanos(last.1.wrapping_sub(first.1));
    SCALE.store(((u128::from(nanos) << 32) / u128::from(counts)) as u64, Ordering::Relaxed);
    START.store(time_stamp(), Ordering::Relaxed);
    WALL.store(read_date() * SECOND, Ordering::Relaxed);
}

/// The counter and the timer at the same moment: of some attempts the one that was disturbed least.
fn sample() -> (u64, u16) {
    let attempt = || {
        let before = time_stamp();
        let timer = pit::measured();
        let spread = time_stamp().wrapping_sub(before);
        (spread, before.wrapping_add(spread / 2), timer)
    };
    let best = (0..4).map(|_| attempt()).min_by_key(|sample| sample.0);
    best.map_or((0, 0), |(_, counter, timer)| (counter, timer))
}

/// Monotonic time since start.
pub fn now() -> Nanos {
    let counts = time_stamp().wrapping_sub(START.load(Ordering::Relaxed));
    ((u128::from(counts) * u128::from(SCALE.load(Ordering::Relaxed))) >> 32) as u64
}

/// Time since 1970-01-01 UTC.
pub fn wall() -> Nanos {
    WALL.load(Ordering::Relaxed) + now()
}

fn cmos(register: u8) -> u8 {
    write8(0x70, 0x80 | register);
    read8(0x71)
}

/// Seconds since 1970 by the CMOS clock: read until two readings agree outside an update.
fn read_date() -> u64 {
    let reading = || {
        while cmos(0x0a) & 0x80 != 0 {}
        [cmos(0), cmos(2), cmos(4), cmos(7), cmos(8), cmos(9)]
    };
    let mut fields = reading();
    loop {
        let again = reading();
        if again == fields {
            break;
        }
        fields = again;
    }
    seconds(fields, cmos(0x0b))
}

fn seconds(fields: [u8; 6], format: u8) -> u64 {
    let afternoon = fields[2] & 0x80 != 0;
    let value =
        |field: u8| if format & 4 == 0 { u64::from(field >> 4) * 10 + u64::from(field & 15) } else { u64::from(field) };
    let mut hour = value(fields[2] & 0x7f);
    if format & 2 == 0 {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let days = days(2000 + value(fields[5]), value(fields[4]), value(fields[3]));
    ((days * 24 + hour) * 60 + value(fields[1])) * 60 + value(fields[0])
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years begin in March, so that the leap day is last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let before_year = year * 365 + year / 4 - year / 100 + year / 400;
    let before_month = (month * 153 + 2) / 5;
    before_year + before_month + day - 1 - 719_468
}
