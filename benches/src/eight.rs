//! Eight programs in IL written by hand, beside the same ones in C: by clang, and by clang and wasmtime.

use std::path::Path;

use anyhow::Result;

use crate::engines::{Engine, Figures, geometric_mean, side_by_side};
use crate::ours::Ours;
use crate::table::Table;
use crate::toolchain::{native, wasmtime};

/// The programs, and the sizes at which native code takes some tenths of a second.
pub const PROGRAMS: [(&str, i32); 8] = [
    ("fib", 40),
    ("sha256", 1500),
    ("nbody", 5_000_000),
    ("fannkuch", 10),
    ("spectral-norm", 2500),
    ("mandelbrot", 2400),
    ("quicksort", 4_000_000),
    ("binary-trees", 17),
];

const CLANG: &str = "clang -O2";
const WASMTIME: &str = "wasmtime";
const CAPTION: &str = "The same program by hand in IL and in C (`benches/programs`), equal checksums. The C by clang \
`-O2`, to native code (with its vectors) and to wasm without `simd128`, run by wasmtime with the same Cranelift and \
its defaults: guarded memory without bounds checks, no deadline checks, NaNs not canonicalised. Ours checks bounds \
and deadlines and canonicalises NaNs. The call alone is timed, in-process, each engine in turn; medians of 5 rounds \
after one that does not count. C takes its memory from `malloc`, ours from the collector.";

/// The names alone.
pub fn names() -> Vec<&'static str> {
    PROGRAMS.iter().map(|(name, _)| *name).collect()
}

/// Adds the rows.
///
/// # Errors
/// If a peer is there but fails, or two engines disagree about a result.
pub fn measure(table: &mut Table, folder: &Path) -> Result<()> {
    table.section("Code", CAPTION);
    let (mut ours, mut clang, mut wasmtime) = (Ours::default(), native(folder, &names())?, wasmtime(folder, &names())?);
    let (mut to_clang, mut wasmtime_to_clang) = (Vec::new(), Vec::new());
    for (name, n) in PROGRAMS {
        let mut engines = [
            Some(&mut ours as &mut dyn Engine),
            clang.as_mut().map(|worker| worker as &mut dyn Engine),
            wasmtime.as_mut().map(|worker| worker as &mut dyn Engine),
        ];
        let (own, peers) = side_by_side(&mut engines, name, n)?;
        let what = format!("{name} {n} (ms)");
        let own = table.attempt(&what, own).map(|figures| figures.ms);
        let [native, wasm] = [0, 1].map(|at| peers[at].as_ref().map(|figures: &Figures| figures.ms));
        table.compare(what.clone(), (CLANG, native), own, "-");
        table.compare(what, (WASMTIME, wasm), own, "-");
        to_clang.push(ratio(own, native));
        wasmtime_to_clang.push(ratio(wasm, native));
    }
    let mean = "geometric mean of the eight, of clang's time";
    table.compare(mean, ("clang itself", Some(1.0)), geometric_mean(&to_clang), "1.10 or less");
    table.compare(mean, (WASMTIME, geometric_mean(&wasmtime_to_clang)), geometric_mean(&to_clang), "-");
    Ok(())
}

fn ratio(ours: Option<f64>, peer: Option<f64>) -> Option<f64> {
    Some(ours? / peer?)
}
