//! What it costs to pass buffers and frozen graphs between two IL VMs, whatever their size, and to lend a capability.

use anyhow::Result;

use crate::harness::{program, run_system};
use crate::table::Table;
use crate::timing::median_ns;

const SET: &str =
    "isa bench.pass@1 { 1 back(data: buf) -> buf 2 look(all: [i64]) -> i32 3 lend(to: bench.pass@1(look)) -> () }\n";
const PEER: &str = "provides bench.pass@1 {
  op back(data: buf) -> buf { return data }
  op look(all: [i64]) -> i32 { return len(all) }
  op lend(to: bench.pass@1(look)) -> () {}
}";
const CALLS: u64 = 50_000;
const SMALL: usize = 64;
const LARGE: usize = 16 << 20;

/// Time of one turn of a loop whose body this is, beside a peer that executes the set; what comes before it does not count.
fn turn_ns(before: &str, body: &str) -> Result<f64> {
    Ok(run_ns(before, body, CALLS)? - run_ns(before, body, 0)?)
}

/// Time of a run with so many turns, a turn of [`CALLS`].
fn run_ns(before: &str, body: &str, turns: u64) -> Result<f64> {
    let peer = program(&format!("module peer\n{SET}{PEER}"))?;
    let caller = program(&format!(
        "module caller\n{SET}use peer: bench.pass@1\nexport func main() {{\n  {before}\n  for i in 0..{turns} {{ {body} }}\n}}"
    ))?;
    let mut result = Ok(());
    let ns = median_ns(5, CALLS, || result = run_system(vec![("peer", peer.clone())], None, caller.clone()));
    result?;
    Ok(ns)
}

/// Adds the rows.
pub fn measure(table: &mut Table) -> Result<()> {
    let buf = |bytes: usize| turn_ns(&format!("var data = buf({bytes})"), "data = peer.back(data)");
    let graph =
        |bytes: usize| turn_ns(&format!("let all = freeze(new [i64]({}, 1))", bytes / 8), "assert peer.look(all) > 0");
    table.add("a `buf` of 16 MiB to another VM and back (ns)", Some(("64 B", buf(SMALL)?)), buf(LARGE)?, "the same");
    table.add("a frozen array of 16 MiB to another VM (ns)", Some(("64 B", graph(SMALL)?)), graph(LARGE)?, "the same");
    let made = "let lent: bench.pass@1(look) = attenuate(peer as bench.pass@1(look))";
    let revoked = turn_ns("", &format!("{made} revoke(lent)"))?;
    let lent = turn_ns("", &format!("{made} peer.lend(lent) revoke(lent)"))?;
    let call = turn_ns("let all = freeze(new [i64](1, 1))", "assert peer.look(all) > 0")?;
    table.add("`attenuate` and `revoke` of a capability (ns)", Some(("a call", call)), revoked, "a call");
    table.add("the same, lent to another VM in between (ns)", Some(("a call", call)), lent, "three calls");
    Ok(())
}
