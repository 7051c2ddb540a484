//! The peers: the same work by the ordinary means of the parent OS and of Rust.

use std::hint::black_box;
use std::thread;

use crate::timing::{median_ns, median_real_ns};

/// A byte to another thread and one back, through two pipes: nanoseconds a round trip.
pub fn pipe_round_trip_ns() -> anyhow::Result<f64> {
    const TRIPS: u64 = 5_000;
    let (there_out, there_in) = rustix::pipe::pipe()?;
    let (back_out, back_in) = rustix::pipe::pipe()?;
    let echo = thread::spawn(move || {
        let mut byte = [0; 1];
        while rustix::io::read(&there_out, &mut byte).is_ok_and(|n| n == 1) {
            if rustix::io::write(&back_in, &byte).is_err() {
                break;
            }
        }
    });
    let ns = median_real_ns(5, TRIPS, || {
        let mut byte = [7; 1];
        for _ in 0..TRIPS {
            let _ = rustix::io::write(&there_in, &byte);
            let _ = rustix::io::read(&back_out, &mut byte);
        }
    });
    drop(there_in);
    let _ = echo.join();
    Ok(ns)
}

/// A request and its answer between two tokio tasks on one thread: nanoseconds a round trip.
pub fn tokio_round_trip_ns() -> anyhow::Result<f64> {
    const TRIPS: u64 = 50_000;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ns = median_ns(5, TRIPS, || {
        runtime.block_on(async {
            let (there_in, mut there_out) = tokio::sync::mpsc::channel::<u64>(8);
            let (back_in, mut back_out) = tokio::sync::mpsc::channel::<u64>(8);
            let echo = tokio::spawn(async move {
                while let Some(value) = there_out.recv().await {
                    if back_in.send(value + 1).await.is_err() {
                        break;
                    }
                }
            });
            for trip in 0..TRIPS {
                let _ = there_in.send(trip).await;
                black_box(back_out.recv().await);
            }
            drop(there_in);
            let _ = echo.await;
        });
    });
    Ok(ns)
}

/// A thread that ends at once, and is joined: nanoseconds.
pub fn thread_ns() -> f64 {
    const THREADS: u64 = 1_000;
    median_real_ns(5, THREADS, || {
        for _ in 0..THREADS {
            let _ = thread::spawn(|| black_box(())).join();
        }
    })
}

/// Naive Fibonacci, as in the IL.
#[inline(never)]
pub fn fib(n: i32) -> i32 {
    if n < 2 { n } else { fib(black_box(n - 1)).wrapping_add(fib(black_box(n - 2))) }
}

/// The sample's escape-time loop over a screen of `w` x `h`; returns how many points lie inside.
#[inline(never)]
pub fn mandelbrot(w: i32, h: i32) -> i32 {
    let scale = 3.0 / f64::from(w);
    let mut inside = 0;
    for y in 0..h {
        for x in 0..w {
            let cx = f64::from(x) * scale - 2.2;
            let cy = f64::from(y - h / 2) * scale;
            inside += i32::from(escape(cx, cy) == 64);
        }
    }
    inside
}

fn escape(cx: f64, cy: f64) -> i32 {
    let (mut x, mut y) = (0.0f64, 0.0f64);
    for turn in 0..64 {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return turn;
        }
        y = 2.0 * x * y + cy;
        x = xx - yy + cx;
    }
    64
}

/// The cheapest system call: nanoseconds.
pub fn system_call_ns() -> f64 {
    const CALLS: u64 = 1_000_000;
    median_ns(5, CALLS, || {
        for _ in 0..CALLS {
            black_box(rustix::process::getppid());
        }
    })
}
