//! Exceptions beyond the suite, on all engines: in the form that they had before `try_table`, of which it has no files, and in
//! random programs.
//!
//! `THROWS_PROGRAMS` sets how many, `THROWS_SEED` where they start; else few.

use wasm_suite::play::{Core, Engine};
use wasm_suite::{report, throws};

#[test]
fn the_older_form_holds_on_all_engines() {
    basevm::heap::set_stress(true);
    let report = report::run_file("legacy.wast", include_str!("legacy.wast"), Core::V3).unwrap();
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    for engine in Engine::ALL {
        assert_eq!(report.passed(engine), report.assertions, "{}", engine.name());
    }
    assert!(report.assertions > 20, "{}", report.assertions);
}

/// Programs unless the environment says how many.
const PROGRAMS: u64 = 500;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn random_programs_throw_and_catch_as_a_model_says() {
    basevm::heap::set_stress(true);
    let (programs, start) = (setting("THROWS_PROGRAMS", PROGRAMS), setting("THROWS_SEED", 0));
    let (mut played, mut returned, mut thrown) = (0, 0, 0);
    for seed in start..start + programs {
        let Some(script) = throws::script(seed) else { continue };
        let report = report::run_file(&format!("program {seed}"), &script, Core::V3).unwrap();
        assert!(report.failures.is_empty(), "seed {seed}: {:#?}\n{script}", report.failures);
        played += 1;
        returned += script.matches("(assert_return (invoke").count();
        thrown += script.matches("(assert_exception").count();
    }
    println!("{played} of {programs} programs: {returned} calls return, {thrown} throw");
    assert!(played * 10 > programs * 9, "{played} of {programs} programs end");
    assert!(returned > programs as usize && thrown > programs as usize, "{returned} calls return, {thrown} throw");
}
