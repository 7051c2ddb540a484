//! JIT code and the JIT itself.

use std::fmt::Write;
use std::hint::black_box;

use anyhow::{Result, anyhow};
use compiler::Options;

use crate::harness::{program, run_alone, verified};
use crate::peers;
use crate::table::Table;
use crate::timing::median_ns;

const FIB: &str = "module fib
global mut out = 0
func fib(n: i32) -> i32 {
  if n < 2 { return n }
  return fib(n - 1) + fib(n - 2)
}
export func main() { out = fib(35) }";

const MANDELBROT: &str = "module mandelbrot
global mut out = 0
func escape(cx: f64, cy: f64) -> i32 {
  var x = 0.0
  var y = 0.0
  for turn in 0..64 {
    let xx = x * x
    let yy = y * y
    if xx + yy > 4.0 { return turn }
    y = 2.0 * x * y + cy
    x = xx - yy + cx
  }
  return 64
}
export func main() {
  let w = 640
  let h = 480
  let scale = 3.0 / f64(w)
  var inside = 0
  for y in 0..h {
    for x in 0..w {
      if escape(f64(x) * scale - 2.2, f64(y - h / 2) * scale) == 64 { inside += 1 }
    }
  }
  out = inside
}";

/// A function of 500 statements of four instructions each.
fn two_thousand_instructions() -> String {
    let mut text = String::from("module large\nglobal mut out = 0\nexport func main() {\n  var a = 1\n  var b = 2\n");
    for n in 0..250 {
        let _ = writeln!(text, "  a = a * {} + b\n  b = b ^ a >> {}", n + 3, n % 31);
    }
    text.push_str("  out = a\n}");
    text
}

/// Adds the rows.
pub fn measure(table: &mut Table) -> Result<()> {
    let large = verified(&two_thousand_instructions())?;
    let options = Options::detect();
    compiler::compile(&large, &options).map_err(|why| anyhow!("{why}"))?;
    let ms = median_ns(15, 1, || drop(black_box(compiler::compile(&large, &options)))) / 1e6;
    table.add("JIT, a function of 2,000 instructions (ms)", None, ms, "2.7: bare Cranelift, elsewhere");

    let mut failed = None;
    let mut run = |text: &str| -> Result<f64> {
        let program = program(text)?;
        let ms = median_ns(5, 1, || failed = run_alone(&program).err()) / 1e6;
        failed.take().map_or(Ok(ms), Err)
    };
    let fib = run(FIB)?;
    let peer = median_ns(5, 1, || {
        black_box(peers::fib(black_box(35)));
    }) / 1e6;
    table.add("fib(35) (ms)", Some(("Rust, optimised", peer)), fib, "1.10 of the peer");
    let mandelbrot = run(MANDELBROT)?;
    let peer = median_ns(5, 1, || {
        black_box(peers::mandelbrot(black_box(640), 480));
    }) / 1e6;
    table.add("mandelbrot 640x480, 64 turns (ms)", Some(("Rust, optimised", peer)), mandelbrot, "1.10 of the peer");
    Ok(())
}
