//! `cascade top` and `cascade vms` of a running system: hosted here, or booted on a machine.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};
use bootstrapper::bundle::Observe;

use super::Watching;
use super::graph::{bytes, duration};
use super::live::{Live, Moment, Row};
use crate::cli::{BootOptions, CommonOptions, Display, RunOptions, TopOptions, VmsOptions};
use crate::report::Summary;
use crate::{hosted, interrupt, metal};

/// Width of a terminal that does not tell.
const COLUMNS: usize = 120;

/// Runs or boots a system while `look` looks at it, from a thread of its own.
fn while_running<T: Send + 'static>(
    boot: Option<BootOptions>,
    common: CommonOptions,
    live: Live,
    usage_ms: u32,
    look: impl FnOnce(Live) -> T + Send + 'static,
) -> anyhow::Result<(T, Vec<Summary>)> {
    let observe = Observe { packets: false, usage_ms: Some(usage_ms), buffer_bytes: 0, most_bytes: u64::MAX };
    let watching = Watching::new(observe, live.clone());
    let for_looking = live.clone();
    let looking: JoinHandle<T> = thread::Builder::new().name("look".into()).spawn(move || look(for_looking))?;
    let ended = match boot {
        Some(boot) => metal::boot_seen(&boot, Some(watching)),
        None => hosted::run_seen(&RunOptions { common, gc_stress: false }, Some(&watching)),
    };
    live.finish();
    let seen = looking.join().map_err(|_| anyhow::anyhow!("the view failed: this is a bug in Cascade"))?;
    Ok((seen, ended?))
}

/// The options of a run that is looked at: its console is kept, its frames go nowhere unless they are wanted.
fn quiet(common: &CommonOptions) -> CommonOptions {
    CommonOptions { json: true, display: common.display.clone().or(Some(Display::None)), ..common.clone() }
}

/// `cascade top`.
///
/// # Errors
/// What keeps the system from running.
pub fn top(options: &TopOptions) -> anyhow::Result<u8> {
    if options.machine.common.batch.is_some() {
        bail!("--batch: `cascade top` looks at one system");
    }
    if !(options.every.is_finite() && (0.02..=3600.0).contains(&options.every)) {
        bail!("--every {}: give a number of seconds from 0.02, e.g. --every 1", options.every);
    }
    let common = quiet(&options.machine.common);
    let boot = options.boot.then(|| BootOptions { common: common.clone(), ..options.machine.clone() });
    let every = Duration::from_secs_f64(options.every);
    let (once, json) = (options.once, options.machine.common.json);
    let looking = move |live: Live| show(&live, every, once, json);
    let ((), summaries) =
        while_running(boot, common, Live::default(), (every.as_millis() / 2).max(10) as u32, looking)?;
    if options.once {
        return Ok(0);
    }
    for summary in &summaries {
        summary.faults.iter().for_each(|fault| eprintln!("{fault}"));
    }
    Ok(summaries.iter().map(|run| run.exit).find(|exit| *exit != 0).unwrap_or(0))
}

fn show(live: &Live, every: Duration, once: bool, json: bool) {
    let in_place = !json && !once && std::io::stdout().is_terminal();
    let mut drawn = 0;
    loop {
        let (moment, over) = live.wait(every);
        // A machine takes a while to start.
        let Some(moment) = moment else {
            if over {
                return;
            }
            continue;
        };
        let text = if json { line(&moment) } else { table(&moment, columns(in_place)) };
        let up = if in_place && drawn > 0 { format!("\x1b[{drawn}A\x1b[J") } else { String::new() };
        let mut out = std::io::stdout().lock();
        let written =
            out.write_all(up.as_bytes()).and_then(|()| out.write_all(text.as_bytes())).and_then(|()| out.flush());
        drawn = text.lines().count();
        drop(out);
        // Who reads has gone: so may the system.
        if (once && !over) || written.is_err() {
            interrupt::ask();
        }
        if once || over || written.is_err() {
            return;
        }
    }
}

fn columns(in_place: bool) -> Option<usize> {
    let known = || rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok();
    in_place.then(|| known().map_or(COLUMNS, |size| usize::from(size.ws_col)).max(40))
}

fn line(moment: &Moment) -> String {
    serde_json::to_string(moment).unwrap_or_default() + "\n"
}

/// A table, cut to so many columns.
fn table(moment: &Moment, columns: Option<usize>) -> String {
    let mut rows: Vec<&Row> = moment.vms.iter().collect();
    rows.sort_by(|a, b| b.processor_percent.total_cmp(&a.processor_percent));
    let (vms, ended) = (moment.vms.len(), moment.ended.len());
    let mut text = format!("{} since the start, {vms} VMs", duration(moment.at_ns));
    if ended > 0 {
        let _ = write!(text, ", {ended} ended");
    }
    let _ = writeln!(
        text,
        "\n{:<18} {:<8} {:>6} {:>9} {:>10} {:>9} {:>9} {:>9} {:>6}  state",
        "VM", "kind", "cpu %", "time", "memory", "at most", "packets", "executed", "queue"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "{:<18} {:<8} {:>6.1} {:>9} {:>10} {:>9} {:>9} {:>9} {:>6}  {}",
            row.vm,
            row.kind,
            row.processor_percent,
            duration(row.processor_ns),
            bytes(row.memory_bytes),
            bytes(row.memory_limit),
            row.packets,
            row.executed,
            row.queued,
            row.state
        );
    }
    for (vm, how) in moment.ended.iter().rev().take(5) {
        let _ = writeln!(text, "{vm:<18} {how}");
    }
    let Some(columns) = columns else { return text };
    text.lines().map(|line| line.chars().take(columns).collect::<String>() + "\n").collect()
}

/// `cascade vms --boot`, `cascade vms --live`: the VMs that there really are.
///
/// # Errors
/// What keeps the system from running.
pub fn vms(options: &VmsOptions) -> anyhow::Result<String> {
    let after = options.after.unwrap_or(0.0);
    if !(after.is_finite() && (0.0..=1e6).contains(&after)) {
        bail!("--after {after}: give a number of seconds, e.g. --after 0.5");
    }
    let common = CommonOptions { system: options.system.clone(), ..CommonOptions::default() };
    let common = quiet(&common);
    let machine = &options.machine;
    let boot = options.boot.then(|| BootOptions { common: common.clone(), machine: machine.clone() });
    let since = (after * 1e9) as u64;
    let looking = move |live: Live| {
        let moment = live.first();
        interrupt::ask();
        moment
    };
    let (moment, _) = while_running(boot, common, Live::since(since), 10, looking)?;
    let moment = moment.context("the system ended before it said what it consists of")?;
    if options.json {
        return Ok(line(&moment));
    }
    Ok(listing(&moment))
}

fn listing(moment: &Moment) -> String {
    let mut text = format!("{:<18} {:<8} {:<26} {:>10} {:>9}  state\n", "VM", "kind", "executes", "memory", "at most");
    for row in &moment.vms {
        let executes = if row.executes.is_empty() { "-".to_string() } else { row.executes.join(" ") };
        let (memory, limit) = (bytes(row.memory_bytes), bytes(row.memory_limit));
        let _ = writeln!(text, "{:<18} {:<8} {executes:<26} {memory:>10} {limit:>9}  {}", row.vm, row.kind, row.state);
        for capability in &row.capabilities {
            let _ = writeln!(text, "    -> {capability}");
        }
    }
    for (vm, how) in &moment.ended {
        let _ = writeln!(text, "{vm:<18} {how}");
    }
    let _ = writeln!(text, "\nas the running system says, {} after its start", duration(moment.at_ns));
    text
}
