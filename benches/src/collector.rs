//! The collector beside those of node and mono, on programs that do little else than allocate.

use std::path::Path;

use anyhow::{Result, bail};

use crate::engines::{Engine, Figures, side_by_side};
use crate::ours::Ours;
use crate::table::Table;
use crate::toolchain::{mono, node};

const NODE: &str = "node 20";
const MONO: &str = "mono 6.8";
const TREES: i32 = 17;
const OBJECTS: i32 = 20_000_000;
/// What is alive while the pauses are taken, in MiB at 32 bytes an object.
const LIVE_MIB: [i32; 3] = [1, 16, 256];

const CAPTION: &str = "The same program in IL, JavaScript and C# (`benches/programs`), equal checksums; medians of 5 \
rounds after one that does not count, each engine in turn. V8 is the peer because it is the generational moving \
collector behind an optimising JIT that most people have, installs as a package and tells each pause (`perf_hooks`, \
without incremental marking's short steps); it may use other cores, ours uses one. Mono's SGen is beside it as a \
simple generational collector for a typed, verified code like ours. The live set is counted at 32 bytes an object: \
the same number of objects in each engine, whatever they take there.";

/// Adds the rows.
///
/// # Errors
/// If a peer is there but fails, or two engines disagree about a result.
pub fn measure(table: &mut Table, folder: &Path) -> Result<()> {
    table.section("Collector", CAPTION);
    let (mut ours, mut node, mut mono) = (Ours::default(), node()?, mono(folder)?);
    for (name, n, what, units, aims) in [
        ("binary-trees", TREES, "binary trees, depth 17 (ms)", 1.0, ["1.5 of it", "ahead of it"]),
        ("allocation", OBJECTS, "allocate a small object that dies young (ns)", f64::from(OBJECTS) / 1e6, ["-", "-"]),
    ] {
        let mut engines = [
            Some(&mut ours as &mut dyn Engine),
            node.as_mut().map(|worker| worker as &mut dyn Engine),
            mono.as_mut().map(|worker| worker as &mut dyn Engine),
        ];
        let (own, peers) = side_by_side(&mut engines, name, n)?;
        let own = table.attempt(what, own).map(|figures| figures.ms / units);
        for ((peer, label), aim) in peers.iter().zip([NODE, MONO]).zip(aims) {
            table.compare(what, (label, peer.as_ref().map(|figures| figures.ms / units)), own, aim);
        }
    }
    for mib in LIVE_MIB {
        let mut engines = [Some(&mut ours as &mut dyn Engine), node.as_mut().map(|worker| worker as &mut dyn Engine)];
        let (own, peers) = side_by_side(&mut engines, "pauses", mib)?;
        pauses(table, mib, own, peers.first().and_then(Option::as_ref));
    }
    Ok(())
}

fn pauses(table: &mut Table, mib: i32, own: Result<Figures>, peer: Option<&Figures>) {
    let told = own.and_then(|figures| match figures.worst_pause_ms {
        0.0 => bail!("the engine told of no pause"),
        _ => Ok(figures),
    });
    let own = table.attempt(&format!("pauses, {mib} MiB live"), told);
    type Part = fn(&Figures) -> f64;
    let parts: [(&str, Part); 3] = [
        ("median pause (ms)", |figures| figures.median_pause_ms),
        ("worst pause (ms)", |figures| figures.worst_pause_ms),
        ("the whole run (ms)", |figures| figures.ms),
    ];
    for (what, part) in parts {
        table.compare(format!("{mib} MiB live, {what}"), (NODE, peer.map(part)), own.as_ref().map(part), "-");
    }
}
