//! Random modules, and ones with bytes changed, do the same here and elsewhere: results, traps, memories, globals. Those
//! that throw do the same on all engines here.
//!
//! `WASM_MODULES` sets how many, `WASM_SEED` where they start; else few.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use wasm_suite::group::Group;
use wasm_suite::peer::Peer;
use wasm_suite::play::Engine;
use wasm_suite::random;
use wasm_suite::script::Script;
use wasm_suite::subject::Ours;
use wasm_suite::trace::{Event, Exported, difference, exported, trace};
use wasmparser::{Validator, WasmFeatures};

/// Modules unless the environment says how many.
const MODULES: u64 = 1000;
/// Modules with changed bytes, likewise.
const CHANGED: u64 = 400;
/// Modules with objects, likewise.
const OBJECTS: u64 = 400;
/// How often a module is changed till what comes out is valid.
const TRIES: u64 = 40;
/// Instructions that a module may take where it is interpreted: few of those that end take as many.
const FUEL: u64 = 1_000_000;
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

/// The same on all engines here as on the peer.
fn compare(bytes: &[u8], seed: u64, counts: &mut Counts) -> Result<(), String> {
    let Some((exports, expected)) = elsewhere(bytes, seed) else {
        counts.refused += 1;
        return Ok(());
    };
    compare_with(Some(expected), &exports, bytes, seed, counts)
}

/// The same on all engines here.
fn compare_here(bytes: &[u8], seed: u64, counts: &mut Counts) -> Result<(), String> {
    let exports = exported(bytes).map_err(|error| format!("{error:#}"))?;
    compare_with(None, &exports, bytes, seed, counts)
}

/// The same on all engines here as was seen elsewhere, or else on the first one.
fn compare_with(
    mut expected: Option<Vec<Event>>,
    exports: &[Exported],
    bytes: &[u8],
    seed: u64,
    counts: &mut Counts,
) -> Result<(), String> {
    let script = Script::of_module(bytes).map_err(|error| format!("{error:#}"))?;
    let group = Group::new(&script, &[0]).map_err(|error| format!("{error:#}"))?;
    for engine in Engine::ALL {
        let vm = match engine.instance(&group, FUEL) {
            Ok(vm) => vm,
            // Objects of its constants may be as large as they like.
            Err(error) if format!("{error:#}").contains("quota") => {
                counts.limited += 1;
                return Ok(());
            }
            Err(error) => return Err(format!("{}: {error:#}", engine.name())),
        };
        let found = trace(&mut Ours::new(&group, &script.units[0].exports, vm), exports, seed);
        if let Some(why) = difference(expected.get_or_insert_with(|| found.clone()), &found) {
            return Err(format!("expected, then {}: {why}", engine.name()));
        }
        if found.contains(&Event::Limit) {
            // Machine code might not end.
            break;
        }
    }
    counts.compared += 1;
    for event in expected.iter().flatten() {
        match event {
            Event::Returned(..) => counts.returned += 1,
            Event::Trapped(..) => counts.trapped += 1,
            Event::Limit => counts.limited += 1,
            Event::Made | Event::NotMade | Event::Holds(_) => {}
        }
    }
    Ok(())
}

/// How a module is compared.
type Comparison = fn(&[u8], u64, &mut Counts) -> Result<(), String>;

/// Compares the modules of some seeds.
fn compare_all(seeds: Range<u64>, compare: Comparison, module: impl Fn(u64) -> Option<Vec<u8>> + Sync) -> Counts {
    let (module, modules) = (&module, seeds.end - seeds.start);
    let part = move |first: u64| {
        let (mut counts, mut differences) = (Counts::default(), Vec::new());
        for seed in (seeds.start + first..seeds.end).step_by(THREADS as usize) {
            let Some(bytes) = module(seed) else {
                counts.refused += 1;
                continue;
            };
            match catch_unwind(AssertUnwindSafe(|| compare(&bytes, seed, &mut counts))) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => differences.push(format!("seed {seed}: {why}")),
                Err(_) => differences.push(format!("seed {seed}: a panic; see above")),
            }
        }
        (counts, differences)
    };
    let parts: Vec<(Counts, Vec<String>)> = thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS).map(|first| (first, part)).collect();
        let parts: Vec<_> = parts.into_iter().map(|(first, part)| scope.spawn(move || part(first))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_default()).collect()
    });
    let mut sum = Counts::default();
    for (counts, _) in &parts {
        sum.compared += counts.compared;
        sum.refused += counts.refused;
        sum.returned += counts.returned;
        sum.trapped += counts.trapped;
        sum.limited += counts.limited;
    }
    println!("{modules} modules: {sum:?}");
    let differences: Vec<String> = parts.into_iter().flat_map(|(_, differences)| differences).collect();
    assert!(differences.is_empty(), "{} modules differ:\n{}", differences.len(), differences.join("\n"));
    sum
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn random_modules_do_the_same_everywhere() {
    let (modules, start) = (setting("WASM_MODULES", MODULES), setting("WASM_SEED", 0));
    let counts = compare_all(start..start + modules, compare, |seed| random::module(seed).ok());
    let modules = modules as usize;
    assert!(counts.compared * 10 > modules * 8, "too few modules are compared");
    assert!(counts.returned * 4 > modules, "too few calls return");
    assert!(counts.limited * 5 < modules, "too many comparisons end at a limit");
}

/// The peer has no objects.
#[test]
fn modules_with_objects_do_the_same_on_all_engines_here() {
    let (modules, start) = (setting("WASM_MODULES", OBJECTS), setting("WASM_SEED", 0));
    let counts = compare_all(start..start + modules, compare_here, |seed| random::with_objects(seed).ok());
    let modules = modules as usize;
    assert!(counts.compared * 10 > modules * 8, "too few modules are compared");
    assert!(counts.returned * 4 > modules && counts.trapped * 4 > modules, "too few calls return, or trap");
}

/// The peer has no exceptions.
#[test]
fn modules_that_throw_do_the_same_on_all_engines_here() {
    let (modules, start) = (setting("WASM_MODULES", MODULES), setting("WASM_SEED", 0));
    let counts = compare_all(start..start + modules, compare_here, |seed| random::throwing(seed).ok());
    let modules = modules as usize;
    assert!(counts.compared * 10 > modules * 8, "too few modules are compared");
    assert!(counts.returned * 4 > modules && counts.trapped * 4 > modules, "too few calls return, or throw");
}

#[test]
fn changed_modules_do_the_same_everywhere() {
    let (modules, start) = (setting("WASM_MODULES", CHANGED), setting("WASM_SEED", 0));
    let changed = |seed: u64| {
        let whole = random::module(seed).ok()?;
        let mut tries = (0..TRIES).map(|turn| random::mutated(&whole, seed * TRIES + turn));
        tries.find(|bytes| {
            *bytes != whole && Validator::new_with_features(WasmFeatures::WASM3).validate_all(bytes).is_ok()
        })
    };
    let counts = compare_all(start..start + modules, compare, changed);
    assert!(counts.compared * 2 > modules as usize, "too few modules are compared");
}
