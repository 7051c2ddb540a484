//! Random modules are accepted by the verifier, and keep what it claims of them at every instruction.

use agreement::host::{Event, drive};
use agreement::reference::Reference;
use generate::Config;
use il::trap::TrapKind;
use interp::{Limits, Outcome};

const MODULES: u64 = 300;

#[test]
fn the_verifier_accepts_them_and_its_claims_hold() {
    let count = std::env::var("MODULES").ok().and_then(|count| count.parse().ok()).unwrap_or(MODULES);
    let start = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let (mut trapped, mut steps, mut bytes, mut limits_hit) = (0, 0, 0, 0);
    for seed in start..start + count {
        let module = generate::module(seed, &Config::default());
        bytes += module.funcs.iter().map(|func| func.body.len()).sum::<usize>();
        let module = il::verify::verify(module).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let limits = Limits { check: true, fuel: 10_000_000, ..Limits::default() };
        let mut machine = Reference::new(&module, limits).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        let trace = drive(&mut machine, &module, seed);
        steps += limits.fuel - machine.fuel();
        let is_trap = |event: &&Event| matches!(event, Event::Stopped(Outcome::Trap(_)));
        match trace.iter().find(is_trap).or(trace.last()) {
            Some(Event::Stopped(Outcome::Trap(report))) => {
                assert_ne!(report.kind, TrapKind::Unreachable, "seed {seed}: {report}");
                limits_hit += u64::from(matches!(report.kind, TrapKind::Quota | TrapKind::StackOverflow));
                trapped += 1;
                if std::env::var("SHOW").is_ok() {
                    println!("seed {seed}: {report}");
                }
            }
            Some(Event::Stopped(Outcome::OutOfFuel)) => panic!("seed {seed} does not end"),
            _ => {}
        }
    }
    println!(
        "{count} modules, {trapped} trapped ({limits_hit} at a limit), {} steps and {} bytes on average",
        steps / count,
        bytes as u64 / count
    );
    assert!(trapped * 5 < count, "{trapped} of {count} trap");
}
