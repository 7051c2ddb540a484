//! The same `.wasm` files by `ilc`'s front end and our JIT, and by wasmtime: how fast they run, and how fast they compile.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use std::{fs, slice};

use anyhow::{Context, Result, anyhow};
use basevm::engine::Program;
use compiler::{Bounds, Options};

use crate::eight::PROGRAMS;
use crate::engines::{Engine, Figures, geometric_mean, rounds, side_by_side};
use crate::harness::{drive, instance_alone, platform};
use crate::table::Table;
use crate::toolchain::{entry, wasm, wasmtime_of};
use crate::worker::{Outcome, Worker};

const PEER: &str = "wasmtime";
const CAPTION: &str = "One `.wasm` file of the eight C programs by clang `-O2` (as in Code), in ours and in wasmtime with \
the same Cranelift. wasmtime has its defaults: no deadline checks, NaNs not canonicalised; ours has both. The call alone is \
timed, in a fresh instance each time. `simd128`: the same sources with clang's vectors. `explicit`: both without guard \
regions, every access compared with the memory's length. Compiling: from the file's bytes to code that can run, one \
thread. In turn, medians of 5 rounds after one that does not count.";

/// Adds the rows.
///
/// # Errors
/// If clang or wasmtime is there but fails, or the two disagree about a result.
pub fn measure(table: &mut Table, folder: &Path) -> Result<()> {
    table.section("WebAssembly", CAPTION);
    let names = crate::eight::names();
    let Some(plain) = wasm(folder, &names, &[])? else {
        table.compare("the eight programs (clang for wasm is absent)", (PEER, None), None, "-");
        return Ok(());
    };
    let vectors = wasm(folder, &names, &["-msimd128"])?.context("clang was there")?;
    run(table, "", &plain, &[], Options::detect())?;
    run(table, ", simd128", &vectors, &[], Options::detect())?;
    run(table, ", explicit", &plain, &["explicit"], Options { bounds: Bounds::Explicit, ..Options::detect() })?;
    compile(table, "the eight", &plain)
}

/// The programs of one file, and the mean of their ratios.
fn run(table: &mut Table, kind: &str, file: &Path, peer_options: &[&str], options: Options) -> Result<()> {
    let mut ours = Ours::new(file, options)?;
    let mut wasmtime = wasmtime_of(file, peer_options)?;
    let mut ratios = Vec::new();
    for (name, n) in PROGRAMS {
        let mut engines = [Some(&mut ours as &mut dyn Engine), peer(&mut wasmtime)];
        let (own, peers) = side_by_side(&mut engines, name, n)?;
        let what = format!("{name} {n}{kind} (ms)");
        let own = table.attempt(&what, own).map(|figures| figures.ms);
        let theirs = peers[0].as_ref().map(|figures| figures.ms);
        table.compare(what, (PEER, theirs), own, "1.30 or less");
        ratios.push(own.zip(theirs).map(|(own, theirs)| own / theirs));
    }
    let mean = format!("geometric mean of the eight{kind}, of the peer's time");
    table.compare(mean, (PEER, Some(1.0)), geometric_mean(&ratios), "1.10 or less");
    Ok(())
}

fn compile(table: &mut Table, what: &str, file: &Path) -> Result<()> {
    let mut ours = Ours::new(file, Options::detect())?;
    let mut wasmtime = wasmtime_of(file, &[])?;
    let (own, peers) = rounds(&mut [Some(&mut ours as &mut dyn Engine), peer(&mut wasmtime)], "compile", 0)?;
    let ms = |figures: &Figures| figures.ms;
    let own = table.attempt(what, own);
    let what = format!("compile {what}, {} bytes (ms)", own.as_ref().map_or(0, |own| own.result));
    table.compare(what, (PEER, peers[0].as_ref().map(ms)), own.as_ref().map(ms), "1.00 or less");
    Ok(())
}

fn peer(worker: &mut Option<Worker>) -> Option<&mut dyn Engine> {
    worker.as_mut().map(|worker| worker as &mut dyn Engine)
}

/// Our front end and JIT: a file is compiled once, and runs in a fresh VM each time, like the peer.
struct Ours {
    bytes: Vec<u8>,
    options: Options,
    program: Option<Arc<Program>>,
}

impl Ours {
    fn new(file: &Path, options: Options) -> Result<Ours> {
        Ok(Ours { bytes: fs::read(file)?, options, program: None })
    }

    fn load(&self) -> Result<Arc<Program>> {
        let unit = wasm::Unit { name: "program", bytes: &self.bytes };
        let module =
            wasm::translate(slice::from_ref(&unit), &wasm::Options::default()).map_err(|why| anyhow!("{why}"))?;
        let module = il::verify(module).map_err(|why| anyhow!("{why}"))?;
        let compiled = compiler::compile(&module, &self.options).map_err(|why| anyhow!("{why}"))?;
        Program::load(platform(), module, compiled).map_err(|why| anyhow!("{why}"))
    }
}

impl Engine for Ours {
    fn run(&mut self, name: &str, n: i32) -> Result<Outcome> {
        let start = Instant::now();
        if name == "compile" {
            drop(self.load()?);
            let ns = start.elapsed().as_nanos() as f64;
            return Ok(Outcome { ns, result: i64::try_from(self.bytes.len())?, pauses_ns: Vec::new() });
        }
        let program = match self.program.take() {
            Some(program) => program,
            None => self.load()?,
        };
        let mut instance = instance_alone(&program)?;
        drive(&program, &mut instance, "main", &[])?;
        let start = Instant::now();
        let words = drive(&program, &mut instance, &entry(name), &[u64::from(n.cast_unsigned())])?;
        let ns = start.elapsed().as_nanos() as f64;
        self.program = Some(program);
        let result = words.first().context("it returned nothing")?.cast_signed();
        Ok(Outcome { ns, result, pauses_ns: Vec::new() })
    }
}
