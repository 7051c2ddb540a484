//! Random modules, and ones with bytes changed, do the same here and elsewhere: results, traps, memories, globals.
//!
//! `WASM_MODULES` sets how many, `WASM_SEED` where they start; else few.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use wasm_suite::group::Group;
use wasm_suite::peer::Peer;
use wasm_suite::play::Engine;
use wasm_suite::random;
use wasm_suite::script::Script;
use wasm_suite::subject::Ours;
use wasm_suite::trace::{Event, Exported, difference, trace};

/// Modules unless the environment says how many.
const MODULES: u64 = 1000;
/// Threads that share them.
const THREADS: u64 = 2;

/// What became of the modules.
#[derive(Clone, Copy, Default, Debug)]
struct Counts {
    /// Compared.
    compared: usize,
    /// The peer refuses them, or the seed gave none.
    refused: usize,
    /// Calls that returned, and that trapped.
    returned: usize,
    trapped: usize,
    /// Whose comparison ended at a limit.
    limited: usize,
}

/// What the peer sees of a module; `None` if it refuses it.
fn elsewhere(bytes: &[u8], seed: u64) -> Option<(Vec<Exported>, Vec<Event>)> {
    let mut peer = Peer::new(bytes).ok()?;
    let exports = peer.exports();
    let events = trace(&mut peer, &exports, seed);
    Some((exports, events))
}

/// The same on all engines here.
fn compare(bytes: &[u8], seed: u64, counts: &mut Counts) -> Result<(), String> {
    let Some((exports, expected)) = elsewhere(bytes, seed) else {
        counts.refused += 1;
        return Ok(());
    };
    let script = Script::of_module(bytes).map_err(|error| format!("{error:#}"))?;
    let group = Group::new(&script, &[0]).map_err(|error| format!("{error:#}"))?;
    for engine in Engine::ALL {
        let vm = engine.instance(&group).map_err(|error| format!("{}: {error:#}", engine.name()))?;
        let found = trace(&mut Ours::new(&group, &script.units[0].exports, vm), &exports, seed);
        if let Some(why) = difference(&expected, &found) {
            return Err(format!("peer, then {}: {why}", engine.name()));
        }
    }
    counts.compared += 1;
    for event in &expected {
        match event {
            Event::Returned(..) => counts.returned += 1,
            Event::Trapped(..) => counts.trapped += 1,
            Event::Limit => counts.limited += 1,
            Event::Made | Event::NotMade | Event::Holds(_) => {}
        }
    }
    Ok(())
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn random_modules_do_the_same_everywhere() {
    let (modules, start) = (setting("WASM_MODULES", MODULES), setting("WASM_SEED", 0));
    let part = |first: u64| {
        let mut counts = Counts::default();
        let mut differences = Vec::new();
        for seed in (start + first..start + modules).step_by(THREADS as usize) {
            let Ok(bytes) = random::module(seed) else {
                counts.refused += 1;
                continue;
            };
            let compared = catch_unwind(AssertUnwindSafe(|| compare(&bytes, seed, &mut counts)));
            match compared {
                Ok(Ok(())) => {}
                Ok(Err(why)) => differences.push(format!("seed {seed}: {why}")),
                Err(_) => differences.push(format!("seed {seed}: a panic; see above")),
            }
        }
        (counts, differences)
    };
    let parts: Vec<(Counts, Vec<String>)> = thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || part(first))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_default()).collect()
    });
    let counts: Vec<Counts> = parts.iter().map(|(counts, _)| *counts).collect();
    println!("{counts:?}");
    let differences: Vec<String> = parts.into_iter().flat_map(|(_, differences)| differences).collect();
    assert!(differences.is_empty(), "{} modules differ:\n{}", differences.len(), differences.join("\n"));
    let sum = |of: fn(&Counts) -> usize| counts.iter().map(of).sum::<usize>() as u64;
    assert!(sum(|one| one.compared) * 10 > modules * 8, "too few modules are compared");
    assert!(sum(|one| one.returned) * 4 > modules, "too few calls return");
    assert!(sum(|one| one.limited) * 5 < modules, "too many comparisons end at a limit");
}
