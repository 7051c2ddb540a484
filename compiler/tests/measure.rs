//! Figures, on request: `cargo test --release -p compiler --test measure -- --ignored --nocapture`.

mod support;

use std::time::Instant;

use compiler::{Options, compile};
use il::instr::Instr;
use il::op::Op;
use il::{FuncId, LocalId, Type};
use support::build::{Build, get};
use support::{Vm, text};

fn fib(build: &mut Build) {
    let minus = |n| [get(0), Instr::I32Const(n), Instr::Op(Op::I32Sub, 0), Instr::Call(FuncId(0))];
    let base = [get(0), Instr::I32Const(2), Instr::Op(Op::I32LtS, 0), Instr::If, get(0), Instr::Return, Instr::End];
    let body = [&base[..], &minus(1), &minus(2), &[Instr::Op(Op::I32Add, 0), Instr::Return]].concat();
    build.func("fib", &[Type::I32], &[Type::I32], &[], &body);
}

/// A function of about `count` CLIF instructions: loads, arithmetic, a store, a branch in turn.
fn long_function(build: &mut Build, count: usize) {
    let mut body = il::instr::Writer::default();
    for turn in 0..count / 10 {
        for instr in [get(0), get(1), Instr::Op(Op::I32Mul, 0), Instr::I32Const(turn as i32), Instr::Op(Op::I32Add, 0)]
        {
            body.push(instr);
        }
        body.set(&[Some(LocalId(turn as u32 % 8 + 2))]);
        for instr in [get(0), Instr::I32Const(turn as i32 * 3), Instr::Op(Op::I32LtS, 0), Instr::If] {
            body.push(instr);
        }
        for instr in [get(turn as u32 % 7 + 2), get(turn as u32 % 5 + 2), Instr::Op(Op::I32Xor, 0)] {
            body.push(instr);
        }
        body.set(&[Some(LocalId(0))]);
        body.push(Instr::End);
    }
    body.push(get(0));
    body.push(Instr::Return);
    let zeros = (0..8u32).fold(il::instr::Writer::default(), |mut zeros, local| {
        zeros.push(Instr::I32Const(0));
        zeros.set(&[Some(LocalId(local + 2))]);
        zeros
    });
    let body = [zeros.bytes, body.bytes].concat();
    build.func_bytes("long", &[Type::I32, Type::I32], &[Type::I32], &[Type::I32; 8], body);
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    let mut build = Build::new();
    fib(&mut build);
    long_function(&mut build, 2000);
    let module = il::verify(build.module.clone()).unwrap();
    let clif = compiler::clif(&module, FuncId(1), &Options::detect()).unwrap();
    let instructions = clif.lines().filter(|line| line.starts_with('@')).count();
    let best = best_of(20, || drop(compile(&module, &Options::detect()).unwrap()));
    println!("compile: {best:.2} ms for {instructions} CLIF instructions");
    let mut vm = Vm::with(build.module, &Options::detect());
    println!("fib(35): {:.1} ms", best_of(5, || assert_eq!(vm.eval("fib", &[35]), Ok(9227465))));
    let mut picture = Vm::with(text(MANDELBROT), &Options::detect());
    let points = rust_mandelbrot(std::hint::black_box(300));
    println!("mandelbrot: {:.1} ms", best_of(5, || assert_eq!(picture.eval("mandelbrot", &[300]), Ok(points))));
    println!(
        "mandelbrot in Rust: {:.1} ms",
        best_of(5, || assert_eq!(rust_mandelbrot(std::hint::black_box(300)), points))
    );
    println!("fib(35) in Rust: {:.1} ms", best_of(5, || assert_eq!(rust_fib(std::hint::black_box(35)), 9227465)));
}

const MANDELBROT: &str = "module mandelbrot
export func mandelbrot(size: i32) -> i64 {
  var total: i64 = 0
  for py in 0..size {
    for px in 0..size {
      let cx = f64(px) * 3.0 / f64(size) - 2.0
      let cy = f64(py) * 2.0 / f64(size) - 1.0
      var x = 0.0
      var y = 0.0
      var n = 0
      while n < 200 && x * x + y * y <= 4.0 {
        let t = x * x - y * y + cx
        y = 2.0 * x * y + cy
        x = t
        n += 1
      }
      total += i64(n)
    }
  }
  return total
}";

#[inline(never)]
fn rust_mandelbrot(size: i32) -> u64 {
    let mut total = 0;
    for py in 0..size {
        for px in 0..size {
            let cx = f64::from(px) * 3.0 / f64::from(size) - 2.0;
            let cy = f64::from(py) * 2.0 / f64::from(size) - 1.0;
            let (mut x, mut y, mut n) = (0.0, 0.0, 0);
            while n < 200 && x * x + y * y <= 4.0 {
                (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
                n += 1;
            }
            total += n;
        }
    }
    total
}

#[inline(never)]
fn rust_fib(n: i32) -> i32 {
    if n < 2 { n } else { rust_fib(n - 1) + rust_fib(n - 2) }
}

/// Milliseconds of the fastest of some runs.
fn best_of(runs: u32, mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..runs).map(time).fold(f64::MAX, f64::min)
}
