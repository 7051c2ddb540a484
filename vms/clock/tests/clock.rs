//! The clock VM through its packets, on a time that the test moves.

use il::packet::Builder;
use il::trap::Status;
use isa::clock::Op;
use vm_clock::{Clock, MAX_ENTRIES, MAX_TICKS_A_WAKE};
use vm_testing::{Bench, words};

fn op(op: Op<'_>) -> impl FnOnce(&mut Builder, u32) -> Result<(), Status> {
    move |packet, tag| op.encode(packet, tag)
}

/// The ticks raised so far, as (timer, time).
fn ticks(bench: &Bench<Clock>) -> Vec<(u64, u64)> {
    bench.host.events.iter().map(|(_, words)| (words[0], words[1])).collect()
}

#[test]
fn time_is_the_bases() {
    let mut bench = Bench::new(Clock::new());
    bench.host.now = 77;
    assert_eq!(words(bench.now(op(Op::Monotonic), vec![])), [77]);
    assert_eq!(words(bench.now(op(Op::Wall), vec![])), [1_000_000_000_000_000_077]);
}

#[test]
fn sleepers_wake_when_due_and_in_order() {
    let mut bench = Bench::new(Clock::new());
    let long = bench.later(op(Op::Sleep { ns: 100 }), vec![]);
    let short = bench.later(op(Op::Sleep { ns: 40 }), vec![]);
    let same = bench.later(op(Op::Sleep { ns: 40 }), vec![]);
    bench.now(op(Op::Sleep { ns: 0 }), vec![]).unwrap();
    bench.now(op(Op::Sleep { ns: i64::MIN }), vec![]).unwrap();
    assert_eq!(bench.host.wake_at, Some(40));
    bench.pass(39);
    assert!(bench.host.completed.is_empty());
    bench.pass(40);
    let order: Vec<u32> = bench.host.completed.iter().map(|(tag, _)| *tag).collect();
    assert_eq!(order, [short, same]);
    bench.pass(1000);
    assert!(bench.answer(long).is_some());
    assert_eq!(bench.host.wake_at, None, "nothing left: an idle system may end");
    bench.later(op(Op::Sleep { ns: i64::MAX }), vec![]);
}

#[test]
fn timers_tick_at_exact_multiples_and_none_is_merged() {
    let mut bench = Bench::new(Clock::new());
    bench.host.listeners = 1;
    bench.host.now = 5;
    assert_eq!(words(bench.now(op(Op::Every { ns: 10 }), vec![])), [1]);
    assert_eq!(words(bench.now(op(Op::Every { ns: 25 }), vec![])), [2]);
    // Run late: all that was due is raised, with the time that it was due.
    bench.host.now = 36;
    bench.wake();
    assert_eq!(ticks(&bench), [(1, 15), (1, 25), (2, 30), (1, 35)]);
    assert_eq!(bench.host.wake_at, Some(45));
    bench.now(op(Op::Cancel { timer: 1 }), vec![]).unwrap();
    assert_eq!(bench.host.wake_at, Some(55));
    assert_eq!(bench.now(op(Op::Cancel { timer: 1 }), vec![]).unwrap_err(), Status::OutOfRange);
    bench.now(op(Op::Cancel { timer: 2 }), vec![]).unwrap();
    assert_eq!(bench.host.wake_at, None);
}

#[test]
fn a_fast_timer_cannot_hold_the_core() {
    let mut bench = Bench::new(Clock::new());
    bench.host.listeners = 1;
    bench.now(op(Op::Every { ns: 1 }), vec![]).unwrap();
    bench.host.now = 1_000_000_000;
    bench.wake();
    assert_eq!(bench.host.events.len(), MAX_TICKS_A_WAKE);
    assert_eq!(bench.host.wake_at, Some(MAX_TICKS_A_WAKE as u64 + 1), "overdue: the rest follows at once");
}

#[test]
fn a_timer_that_nobody_hears_stops() {
    let mut bench = Bench::new(Clock::new());
    bench.now(op(Op::Every { ns: 10 }), vec![]).unwrap();
    bench.pass(1_000);
    assert_eq!(bench.host.wake_at, None);
}

#[test]
fn bad_periods_and_too_many_entries_are_refused() {
    let mut bench = Bench::new(Clock::new());
    for ns in [0, -1, i64::MIN] {
        assert_eq!(bench.now(op(Op::Every { ns }), vec![]).unwrap_err(), Status::OutOfRange);
    }
    for _ in 0..MAX_ENTRIES {
        bench.now(op(Op::Every { ns: i64::MAX }), vec![]).unwrap();
    }
    assert_eq!(bench.now(op(Op::Every { ns: 1 }), vec![]).unwrap_err(), Status::Quota);
    assert_eq!(bench.now(op(Op::Sleep { ns: 1 }), vec![]).unwrap_err(), Status::Quota);
}
