//! Timing: the median of several runs, each long enough to drown the timer.

use std::time::Instant;

/// Runs `work` `runs` times and returns the median time of one of its `units`, in nanoseconds.
pub fn median_ns(runs: usize, units: u64, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_nanos() as f64 / units as f64
        })
        .collect();
    median(&mut times)
}

/// The median; sorts its argument.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Time-stamp counter cycles a nanosecond, measured over 50 ms of the monotonic clock.
pub fn cycles_per_ns() -> f64 {
    let start = Instant::now();
    let before = cycles();
    while start.elapsed().as_millis() < 50 {}
    (cycles() - before) as f64 / start.elapsed().as_nanos() as f64
}

fn cycles() -> u64 {
    // SAFETY: every x86-64 processor has the time-stamp counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}
