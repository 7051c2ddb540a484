//! The peers that are Rust crates too large for every build: wasmtime, as a worker of the measurements.
//!
//! `cascade-peers FILE.wasm [explicit]` reads lines `NAME N` and answers each with `NS RESULT`: how long the export
//! `run_NAME(N)` took in a fresh instance, and what it returned; for `compile 0`, how long it took
//! from the file's bytes to a runnable module, and how many bytes there are; for `instantiate N`, how long it took to make
//! and drop so many instances.
#![forbid(unsafe_code)]

use std::io::{BufRead, Write};
use std::time::Instant;
use std::{fs, io};

use wasmtime::{Config, Engine, Instance, Module, OptLevel, Result, Store, bail, error::Context};

/// The export whose name stands for compiling.
const COMPILE: &str = "compile";
/// The one whose name stands for making instances.
const INSTANTIATE: &str = "instantiate";

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("usage: cascade-peers FILE.wasm")?;
    let wasm = fs::read(path)?;
    // Everything as wasmtime has it, which is: guarded memories without bounds checks, no deadline
    // checks, NaNs as the processor makes them.
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    for option in std::env::args().skip(2) {
        match option.as_str() {
            // Every access is checked: nothing is reserved.
            "explicit" => config.memory_reservation(0).memory_guard_size(0),
            other => bail!("no option `{other}`"),
        };
    }
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, &wasm)?;
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (name, n) = line.split_once(' ').context("a request is `NAME N`")?;
        let (ns, result) = match name {
            COMPILE => compile(&engine, &wasm)?,
            INSTANTIATE => instantiate(&engine, &module, n.parse()?)?,
            _ => run(&engine, &module, name, n.parse()?)?,
        };
        writeln!(output, "{ns} {result}")?;
        output.flush()?;
    }
    Ok(())
}

fn compile(engine: &Engine, wasm: &[u8]) -> Result<(u128, i64)> {
    let start = Instant::now();
    let module = Module::new(engine, wasm)?;
    let ns = start.elapsed().as_nanos();
    drop(module);
    Ok((ns, i64::try_from(wasm.len())?))
}

fn instantiate(engine: &Engine, module: &Module, n: i32) -> Result<(u128, i64)> {
    let start = Instant::now();
    for _ in 0..n {
        let mut store = Store::new(engine, ());
        Instance::new(&mut store, module, &[])?;
    }
    Ok((start.elapsed().as_nanos(), i64::from(n)))
}

fn run(engine: &Engine, module: &Module, name: &str, n: i32) -> Result<(u128, i64)> {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, module, &[])?;
    let run = instance.get_typed_func::<i32, i64>(&mut store, &format!("run_{}", name.replace('-', "_")))?;
    let start = Instant::now();
    let result = run.call(&mut store, n)?;
    Ok((start.elapsed().as_nanos(), result))
}
