//! The core test suite of WebAssembly 2.0 holds on all engines, but for what `skips.txt` lists.
//!
//! `SUITE_FILES` names the files to run, by parts of their names; then totals are not checked.

use wasm_suite::files;
use wasm_suite::play::Engine;
use wasm_suite::report::{self, Skips};

const SKIPS: &str = include_str!("../skips.txt");
/// Files of core 2.0.
const FILES: usize = 148;
/// Their assertions. The release has 5 more: modules that 2.0 refuses and 3.0 accepts, which the package leaves out.
const ASSERTIONS: usize = 52_225;

#[test]
fn core_2_0_holds_on_all_engines() {
    let mut files = files::core_2_0();
    let wanted = std::env::var("SUITE_FILES").ok();
    if let Some(wanted) = &wanted {
        files.retain(|file| wanted.split(',').any(|part| file.name().contains(part)));
    }
    let reports = report::run(&files).unwrap_or_else(|error| panic!("{error:#}"));
    println!("{}", report::table(&reports));
    let skips = Skips::new(SKIPS).unwrap_or_else(|error| panic!("{error:#}"));
    let differences = skips.differences(&reports);
    for engine in Engine::ALL {
        let skipped = reports.iter().map(|report| report.assertions - report.passed(engine)).sum::<usize>();
        println!("{}: {skipped} assertions do not hold", engine.name());
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    if wanted.is_none() {
        let assertions: usize = reports.iter().map(|report| report.assertions).sum();
        assert_eq!((files.len(), assertions), (FILES, ASSERTIONS), "files and assertions");
    }
}
