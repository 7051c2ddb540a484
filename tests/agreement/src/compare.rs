//! One module on all engines.

use anyhow::{Context, Result, bail, ensure};
use basevm::engine::TrapReport;
use compiler::{Bounds, Opt, Options};
use generate::Config;
use il::instr::Reader;
use il::trap::TrapKind;
use il::verify::VerifiedModule;
use il::{FuncId, Module, Names};
use interp::{Limits, Outcome, Report};

use crate::host::{Event, Trace, drive, is_limit};
use crate::native::Native;
use crate::platform::HostedPlatform;
use crate::reference::Reference;

/// Bytes that a VM may use: more than any module of the generator does.
const QUOTA: u64 = 64 << 20;
/// Instructions that the interpreter may execute: more than any module of the generator does.
const FUEL: u64 = 20_000_000;

/// How a module ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// To its end.
    Whole,
    /// In a trap.
    Trapped,
    /// At a limit that engines need not meet at the same point; what came before agreed.
    Limited,
}

/// Modules that compile fast, so that there can be many.
pub fn small() -> Config {
    Config { functions: 1, statements: 4, depth: 3, nodes: 26, ..Config::default() }
}

/// Runs a module everywhere.
///
/// # Errors
/// The first difference, a module that the verifier refuses, or a claim that did not hold.
pub fn compare(platform: &'static HostedPlatform, module: Module, seed: u64) -> Result<Ended> {
    let module = il::verify::verify(numbered(module)).map_err(|error| anyhow::anyhow!("refused: {error}"))?;
    let limits = Limits { depth: 4096, fuel: FUEL, bytes: QUOTA, check: true };
    let mut reference = Reference::new(&module, limits).map_err(|report| anyhow::anyhow!("interpreter: {report}"))?;
    let expected = drive(&mut reference, &module, seed);
    for event in &expected {
        if let Event::Stopped(Outcome::Trap(report)) = event {
            ensure!(report.kind != TrapKind::Unreachable, "interpreter: {report}");
        }
    }
    let mut ended = how(&expected);
    if let Some(Event::Stopped(Outcome::OutOfFuel)) = expected.last() {
        // Machine code would not end either.
        return Ok(ended);
    }
    for (name, opt, bounds) in [("none", Opt::None, Bounds::Explicit), ("speed", Opt::Speed, Bounds::Guard)] {
        let options = Options { opt, bounds, ..Options::detect() };
        let stress = seed.is_multiple_of(4) == (opt == Opt::None);
        let trace = run_native(platform, &module, &options, stress, seed).with_context(|| format!("opt {name}"))?;
        ended = agree(&expected, &trace, ended).with_context(|| format!("opt {name}, stress {stress}"))?;
    }
    Ok(ended)
}

fn run_native(
    platform: &'static HostedPlatform,
    module: &VerifiedModule,
    options: &Options,
    stress: bool,
    seed: u64,
) -> Result<Trace> {
    let mut native = Native::new(platform, module, options, QUOTA, stress)?;
    let trace = drive(&mut native, module, seed);
    native.end()?;
    Ok(trace)
}

/// The module with a line a byte offset, so that reports say where an instruction stands.
fn numbered(mut module: Module) -> Module {
    let lines = |body: &[u8]| {
        let mut reader = Reader::new(body);
        let mut lines = Vec::new();
        loop {
            lines.push((reader.offset(), reader.offset() + 1));
            if !matches!(reader.next(), Ok(Some(_))) {
                return lines;
            }
        }
    };
    let lines = module.funcs.iter().map(|func| lines(&func.body)).collect();
    let func_files = vec![0; module.funcs.len()];
    module.names = Some(Names { files: vec!["random.il".into()], func_files, lines, ..Names::default() });
    module
}

fn how(trace: &Trace) -> Ended {
    let is_trap = |event: &&Event| matches!(event, Event::Stopped(Outcome::Trap(_)));
    // What is looked at after a trap follows it.
    match trace.iter().find(is_trap).or(trace.last()) {
        Some(Event::Stopped(Outcome::Trap(report))) if is_limit(report.kind) => Ended::Limited,
        Some(Event::Stopped(Outcome::OutOfFuel)) => Ended::Limited,
        Some(Event::Stopped(Outcome::Trap(_))) => Ended::Trapped,
        _ => Ended::Whole,
    }
}

/// Compares what was seen; at a limit only up to there.
fn agree(expected: &Trace, found: &Trace, ended: Ended) -> Result<Ended> {
    let limited = ended == Ended::Limited || how(found) == Ended::Limited;
    let count = if limited { expected.len().min(found.len()) - 1 } else { expected.len().max(found.len()) };
    for at in 0..count {
        let (left, right) = (expected.get(at), found.get(at));
        if !same(left, right) {
            bail!("event {at} of the interpreter:\n{left:#?}\nof machine code:\n{right:#?}");
        }
    }
    Ok(if limited { Ended::Limited } else { ended })
}

fn same(left: Option<&Event>, right: Option<&Event>) -> bool {
    match (left, right) {
        (Some(Event::Stopped(Outcome::Trap(left))), Some(Event::Stopped(Outcome::Trap(right)))) => {
            same_trap(left, right)
        }
        (left, right) => left == right,
    }
}

/// Kind, status, the program's own words, and where. A report of machine code lists so many places only.
fn same_trap(left: &Report, right: &Report) -> bool {
    let says = matches!(left.kind, TrapKind::Explicit | TrapKind::Assertion);
    let whole = right.backtrace.len() < TrapReport::MAX_FRAMES;
    let places = left.backtrace.get(..if whole { left.backtrace.len() } else { right.backtrace.len() });
    left.kind == right.kind
        && left.status == right.status
        && (!says || left.message == right.message)
        && places == Some(&right.backtrace[..])
}

/// A function of the module as instructions, for reports.
pub fn listing(module: &Module, func: FuncId) -> String {
    let mut out = String::new();
    let Some(func) = module.funcs.get(func.index()) else { return out };
    let mut reader = Reader::new(&func.body);
    loop {
        let offset = reader.offset();
        match reader.next() {
            Ok(Some(instr)) => out.push_str(&format!("{offset:5} {instr:?}\n")),
            _ => return out,
        }
    }
}
