//! Exceptions in the form that they had before `try_table`, on all engines. The suite has no files of it.

use wasm_suite::play::{Core, Engine};
use wasm_suite::report;

#[test]
fn the_older_form_holds_on_all_engines() {
    let report = report::run_file("legacy.wast", include_str!("legacy.wast"), Core::V3).unwrap();
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    for engine in Engine::ALL {
        assert_eq!(report.passed(engine), report.assertions, "{}", engine.name());
    }
    assert!(report.assertions > 20, "{}", report.assertions);
}
