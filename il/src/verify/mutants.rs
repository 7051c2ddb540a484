//! Mutation tests of the rules: each place that can refuse a module is switched off, then turned round, and some
//! case of the corpus must notice.
//!
//! A place is where one of the macros of [`super::rule`] stands. Where that is a helper marked `#[track_caller]`, each
//! call of the helper is a place of its own: a forgotten check is one call that is not there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;

/// File and line, of the macro and of what called the function around it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Place {
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
    pub caller: &'static Location<'static>,
}

/// What is done to a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// The rule is not enforced.
    Delete,
    /// The rule refuses what it should accept, and the other way round.
    Negate,
}

/// What a run does and sees.
#[derive(Default)]
pub(super) struct Run {
    /// The mutant.
    pub change: Option<(Place, Change)>,
    /// Places where the verdict was to accept, and to refuse.
    pub seen: HashMap<Place, (bool, bool)>,
    /// A deleted refusal has been met after which the pass cannot go on: the mutant accepts the module.
    pub overlooked: bool,
}

std::thread_local! {
    pub(super) static RUN: RefCell<Run> = RefCell::default();
}

/// This place.
macro_rules! here {
    () => {
        super::mutants::Place {
            file: file!(),
            line: line!(),
            column: column!(),
            caller: core::panic::Location::caller(),
        }
    };
}
pub(super) use here;

fn visit(place: Place, accepts: bool) -> Option<Change> {
    RUN.with_borrow_mut(|run| {
        let seen = run.seen.entry(place).or_default();
        seen.0 |= accepts;
        seen.1 |= !accepts;
        run.change.filter(|(changed, _)| *changed == place).map(|(_, change)| change)
    })
}

fn overlook() {
    RUN.with_borrow_mut(|run| run.overlooked = true);
}

/// The verdict of a condition.
pub(super) fn judge(place: Place, holds: bool) -> bool {
    match visit(place, holds) {
        None => holds,
        Some(Change::Delete) => true,
        Some(Change::Negate) => !holds,
    }
}

/// The verdict of a look-up. What is not there cannot be made up, so a mutant that should go on without accepts.
pub(super) fn found<T>(place: Place, option: Option<T>) -> Option<T> {
    match (visit(place, option.is_some()), option) {
        (Some(Change::Negate), Some(_)) => None,
        (Some(_), None) => {
            overlook();
            None
        }
        (_, option) => option,
    }
}

/// The verdict of an arm that always refuses.
pub(super) fn denied(place: Place) {
    if visit(place, false).is_some() {
        overlook();
    }
}

#[path = "../../tests/common/mod.rs"]
mod common;

use common::corpus::{Case, Verdict, all};
use common::limits::{BUILDS, MORE, value};

/// The cases of the corpus, and for each limit what is a step past it. What stands at a limit is the test of limits'
/// to try: walking the largest modules that there are, again and again, tells nothing more here.
fn cases() -> Vec<Case> {
    let mut cases = all().cases;
    let more = MORE.iter().map(|(name, _, build)| (*name, *build));
    for (name, build) in BUILDS.iter().copied().chain(more) {
        let is_limit = |kind: &super::Violation| matches!(kind, super::Violation::Limit { .. });
        let at = Location::caller();
        cases.push(Case { module: build(value(name) + 1), verdict: Verdict::Like(is_limit), at });
    }
    // A mutant is tried on the cheapest cases first.
    cases.sort_by_cached_key(|case| crate::binary::encode(&case.module).len());
    cases
}

/// Verifies a case's module under a mutant; whether its verdict is what it must be.
fn agrees(case: &Case, change: Option<(Place, Change)>) -> (bool, HashMap<Place, (bool, bool)>) {
    RUN.set(Run { change, ..Run::default() });
    let said = common::rule(&case.module);
    let run = RUN.take();
    let said = if run.overlooked { Ok(()) } else { said };
    (case.agrees(&said), run.seen)
}

/// The cases by the places that they come to, those that are refused there apart.
fn visits(cases: &[Case]) -> HashMap<Place, (Vec<usize>, Vec<usize>)> {
    let mut visits: HashMap<Place, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (index, case) in cases.iter().enumerate() {
        let (agrees, seen) = agrees(case, None);
        assert!(agrees, "{}: wrong verdict without any mutation", case.at);
        for (place, (_, refused)) in seen {
            let (passing, refusing) = visits.entry(place).or_default();
            if refused { refusing.push(index) } else { passing.push(index) }
        }
    }
    visits
}

#[test]
fn no_mutant_of_a_rule_survives() {
    let cases = cases();
    let visits = visits(&cases);
    let mut survivors = Vec::new();
    for (place, (passing, refusing)) in &visits {
        for change in [Change::Delete, Change::Negate] {
            let mut suspects = refusing.iter().chain(passing);
            if !suspects.any(|index| !agrees(&cases[*index], Some((*place, change))).0) {
                survivors.push((*place, change));
            }
        }
    }
    survivors.sort_by_key(|(place, _)| *place);
    for (place, change) in &survivors {
        println!("{change:?} survives: {}:{} called from {}", place.file, place.line, place.caller);
    }
    println!("{} places, {} cases", visits.len(), cases.len());
    assert!(survivors.is_empty(), "{} mutants survive", survivors.len());
}

/// What the source of a file of the verifier says about places.
#[derive(Default)]
struct Source {
    name: String,
    lines: Vec<String>,
    /// Functions that are marked to stand for their callers: name, and whether they are methods.
    helpers: Vec<(String, bool)>,
    /// Lines inside such functions.
    marked: Vec<bool>,
}

impl Source {
    fn read(path: &std::path::Path) -> Source {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut source = Source { name, lines: text.lines().map(String::from).collect(), ..Source::default() };
        let mut end: Option<String> = None;
        let mut next = false;
        for line in &source.lines {
            source.marked.push(end.is_some() || next);
            let indent = line.len() - line.trim_start().len();
            if next && line.contains("fn ") {
                let name = line.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next()).unwrap_or_default();
                source.helpers.push((name.into(), line.contains("self")));
                end = Some(format!("{}}}", " ".repeat(indent)));
                next = false;
            }
            if line.trim() == "#[cfg_attr(test, track_caller)]" {
                next = true;
            }
            if end.as_ref() == Some(line) {
                end = None;
            }
        }
        source
    }
}

/// Whether a line calls a helper: `self.name(` for methods, `name(` that is no method for others.
fn calls(line: &str, name: &str, method: bool) -> bool {
    let call = format!("{name}(");
    line.match_indices(&call).any(|(at, _)| {
        let before = &line[..at];
        let word = before.chars().last().is_some_and(|last| last.is_alphanumeric() || last == '_' || last == '.');
        if method { before.ends_with("self.") } else { !word && !before.ends_with("fn ") }
    })
}

/// Every rule is a place that the corpus comes to, so [`no_mutant_of_a_rule_survives`] has seen them all.
#[test]
fn every_rule_is_a_place() {
    let visits = visits(&cases());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verify");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let own = ["rule.rs", "mutants.rs"];
    let all: Vec<Source> = files.iter().map(|path| Source::read(path)).collect();
    let sources: Vec<&Source> = all.iter().filter(|source| !own.contains(&source.name.as_str())).collect();
    let helpers: Vec<&(String, bool)> = sources.iter().flat_map(|source| &source.helpers).collect();
    let mut wrong = Vec::new();
    let mut rules = 0;
    for source in &sources {
        for (at, line) in source.lines.iter().enumerate() {
            let (number, line) = (at as u32 + 1, line.split("//").next().unwrap_or_default());
            let mut demand = |what: &str, seen: bool| {
                rules += 1;
                if !seen {
                    wrong.push(format!("{}:{number}: {what}: {}", source.name, line.trim()));
                }
            };
            if ["ensure!(", "some!(", "refuse!("].iter().any(|name| line.contains(name)) {
                let here = |place: &Place| place.file.ends_with(&source.name) && place.line == number;
                demand("no case comes to this rule", visits.keys().any(here));
            }
            if !source.marked[at] && helpers.iter().any(|(name, method)| calls(line, name, *method)) {
                let here = |place: &Place| place.caller.file().ends_with(&source.name) && place.caller.line() == number;
                demand("no case comes to this check", visits.keys().any(here));
            }
            if ["Err(Violation", "Err(Box", "ok_or"].iter().any(|text| line.contains(text)) {
                demand("refuses without a rule", false);
            }
        }
    }
    assert!(rules > 300, "the sources have been read: {rules}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
