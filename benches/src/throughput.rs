//! How fast the compiler is, from a module's bytes to code that can run.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use basevm::engine::Program;
use compiler::Options;

use crate::eight::names;
use crate::engines::{Engine, Figures, rounds};
use crate::harness::{platform, verified};
use crate::ours::source;
use crate::table::Table;
use crate::toolchain::{entry, wasmtime};
use crate::worker::Outcome;

const PEER: &str = "wasmtime";
const CAPTION: &str = "One module of all eight programs: ours of the IL texts one after another, wasmtime's of the C \
files linked to one wasm (which has wasi-libc's `malloc` inside). Timed: decode, verify, compile on one thread, make \
runnable. In turn, medians of 5 rounds after one that does not count.";

/// Adds the rows.
///
/// # Errors
/// If wasmtime is there but fails.
pub fn measure(table: &mut Table, folder: &Path) -> Result<()> {
    table.section("Compiling", CAPTION);
    let mut wasmtime = wasmtime(folder, &names())?;
    let mut ours = Ours { module: Vec::new() };
    let mut engines = [Some(&mut ours as &mut dyn Engine), wasmtime.as_mut().map(|worker| worker as &mut dyn Engine)];
    let (own, peers) = rounds(&mut engines, "compile", 0)?;
    let what = "compile the eight as one module (ms)";
    let own = table.attempt(what, own);
    let peer = peers.into_iter().next().flatten();
    let ms = |figures: &Figures| figures.ms;
    let ns_a_byte = |figures: &Figures| figures.ms * 1e6 / figures.result as f64;
    let bytes = |figures: &Figures| figures.result as f64;
    table.compare(what, (PEER, peer.as_ref().map(ms)), own.as_ref().map(ms), "-");
    let rate = (PEER, peer.as_ref().map(ns_a_byte));
    table.compare("the same, a byte of the module (ns)", rate, own.as_ref().map(ns_a_byte), "the peer's or less");
    table.compare("its size (bytes)", (PEER, peer.as_ref().map(bytes)), own.as_ref().map(bytes), "-");
    Ok(())
}

/// Our compiler, and the module in its binary form once it was made.
struct Ours {
    module: Vec<u8>,
}

impl Engine for Ours {
    fn run(&mut self, _name: &str, _n: i32) -> Result<Outcome> {
        if self.module.is_empty() {
            self.module = il::binary::encode(&*verified(&all_in_one()?)?);
        }
        let start = Instant::now();
        let module = il::binary::decode(&self.module).map_err(|why| anyhow!("{why}"))?;
        let module = il::verify(module).map_err(|why| anyhow!("{why}"))?;
        let compiled = compiler::compile(&module, &Options::detect()).map_err(|why| anyhow!("{why}"))?;
        let program = Program::load(platform(), module, compiled).map_err(|why| anyhow!("{why}"))?;
        let ns = start.elapsed().as_nanos() as f64;
        drop(program);
        Ok(Outcome { ns, result: i64::try_from(self.module.len())?, pauses_ns: Vec::new() })
    }
}

/// The programs one after another: each without its head and its `main`, its `run` by a name of its own.
fn all_in_one() -> Result<String> {
    let mut all = String::from("module eight\n");
    for name in names() {
        let text = source(name)?;
        let (_, items) = text.split_once("use console: cascade.console@1\n").context("no `use console`")?;
        let (items, _) = items.split_once("export func main()").context("no `main`")?;
        let _ = writeln!(all, "{}", items.replace("export func run(", &format!("export func {}(", entry(name))));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_in_the_module_of_all() {
        let all = all_in_one().unwrap();
        assert!(names().iter().all(|name| all.contains(&format!("export func {}(n: i32) -> i64", entry(name)))));
        assert!(!all.contains("func main") && !all.contains("console"));
    }
}
