//! A synchronous call and its reply between two IL VMs, beside the parent OS's and Rust's means.

use anyhow::Result;

use crate::harness::{program, run_system};
use crate::peers;
use crate::table::Table;
use crate::timing::{cycles_per_ns, median_ns};

const SET: &str = "isa bench.ping@1 { 1 ping(n: i32) -> (n: i32) }\n";

/// Adds the rows.
pub fn measure(table: &mut Table) -> Result<()> {
    const CALLS: u64 = 300_000;
    let callee = program(&format!(
        "module callee\n{SET}provides bench.ping@1 {{ op ping(n: i32) -> (n: i32) {{ return n + 1 }} }}"
    ))?;
    let text = format!(
        "module caller\n{SET}use callee: bench.ping@1\nexport func main() {{\n  var n = 0\n  for i in 0..{CALLS} {{ n = callee.ping(n) }}\n  assert n == {CALLS}\n}}"
    );
    let caller = program(&text)?;
    let mut result = Ok(());
    let ns = median_ns(5, CALLS, || result = run_system(vec![("callee", callee.clone())], None, caller.clone()));
    result?;
    let cycles = cycles_per_ns();
    let what = "call and reply between two IL VMs (cycles)";
    table.add(what, Some(("pipe, two threads", peers::pipe_round_trip_ns()? * cycles)), ns * cycles, "250 or less");
    table.add(
        what,
        Some(("tokio channel, two tasks", peers::tokio_round_trip_ns()? * cycles)),
        ns * cycles,
        "250 or less",
    );
    Ok(())
}
