//! Timing: the median of several runs, each long enough to drown the timer.

use std::time::Instant;

/// Runs `work` `runs` times and returns the median processor time that this thread takes for one of its `units`, in
/// nanoseconds: what else the machine does counts little.
pub fn median_ns(runs: usize, units: u64, work: impl FnMut()) -> f64 {
    median_by(runs, units, processor_ns, work)
}

/// The processor time of this thread so far, in nanoseconds.
pub fn processor_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The same in real time, for work of several threads or processes.
pub fn median_real_ns(runs: usize, units: u64, work: impl FnMut()) -> f64 {
    let start = Instant::now();
    median_by(runs, units, || start.elapsed().as_nanos() as f64, work)
}

fn median_by(runs: usize, units: u64, now: impl Fn() -> f64, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = now();
            work();
            (now() - start) / units as f64
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
