//! Pages that are generated from the code, and committed so that every change of an interface shows.

use anyhow::{Context, bail};

use crate::shell;

const PAGE: &str = "docs/instruction-sets.md";

/// Writes the pages.
///
/// # Errors
/// If a file cannot be written.
pub fn write() -> anyhow::Result<()> {
    std::fs::write(shell::root().join(PAGE), isa::reference_page()).with_context(|| format!("cannot write {PAGE}"))?;
    println!("wrote {PAGE}");
    Ok(())
}

/// Checks that the pages are what the code says.
///
/// # Errors
/// If one is stale; says how to renew it.
pub fn check() -> anyhow::Result<()> {
    let now = std::fs::read_to_string(shell::root().join(PAGE)).unwrap_or_default();
    let should = isa::reference_page();
    if now == should {
        return Ok(());
    }
    let differs = now.lines().zip(should.lines()).position(|(now, should)| now != should);
    let line = differs.unwrap_or(now.lines().count().min(should.lines().count())) + 1;
    bail!("{PAGE} is stale from line {line} on\n  renew it: cargo xtask docs")
}
