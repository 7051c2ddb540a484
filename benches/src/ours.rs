//! The programs of `programs/` in our own JIT.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use basevm::engine::Program;

use crate::engines::Engine;
use crate::harness::{program, run_counting_pauses};
use crate::toolchain::programs;
use crate::worker::Outcome;

/// Our engine: each program is compiled once, and runs in a fresh VM each time, like the peers.
#[derive(Default)]
pub struct Ours {
    loaded: HashMap<String, Arc<Program>>,
}

/// The text of a program.
///
/// # Errors
/// If there is none of this name.
pub fn source(name: &str) -> Result<String> {
    let path = programs().join(format!("{name}.il"));
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

impl Engine for Ours {
    fn run(&mut self, name: &str, n: i32) -> Result<Outcome> {
        if !self.loaded.contains_key(name) {
            self.loaded.insert(name.to_owned(), program(&source(name)?)?);
        }
        let start = Instant::now();
        let (words, pauses) = run_counting_pauses(&self.loaded[name], "run", &[n as u64])?;
        let ns = start.elapsed().as_nanos() as f64;
        let result = *words.first().context("`run` returned nothing")? as i64;
        Ok(Outcome { ns, result, pauses_ns: pauses.into_iter().map(|ns| ns as f64).collect() })
    }
}
