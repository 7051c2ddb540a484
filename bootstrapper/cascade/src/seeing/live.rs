//! What a running system is like right now: kept up to date by its frames.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use basevm::platform::Nanos;
use basevm::recorder::Sink;
use basevm::wire::{Channel, End, Frame, Item, Kind, Names, Set, Usage, decode};
use serde::Serialize;

use super::graph;

/// One VM, as `cascade top` and `cascade vms` show it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its address.
    pub vm: String,
    /// `IL`, `Rust`, ..
    pub kind: &'static str,
    /// The sets that it executes.
    pub executes: Vec<String>,
    /// Share of the processor since the moment before, in percent.
    pub processor_percent: f64,
    /// Processor time in all.
    pub processor_ns: Nanos,
    /// Bytes in use.
    pub memory_bytes: u64,
    /// Bytes at most.
    pub memory_limit: u64,
    /// Packets that it sent.
    pub packets: u64,
    /// Instructions that it executed for others.
    pub executed: u64,
    /// Packets and events in its inbox.
    pub queued: u64,
    /// What it is doing.
    pub state: String,
    /// What it may send and to whom: `display {clear, present, on resized}`.
    pub capabilities: Vec<String>,
}

/// All VMs at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Moment {
    /// Nanoseconds since the start, by the machine's clock.
    pub at_ns: Nanos,
    /// The VMs; the base last.
    pub vms: Vec<Row>,
    /// VMs that have ended: address and how.
    pub ended: Vec<(String, String)>,
}

#[derive(Default)]
struct State {
    names: Names,
    at: Nanos,
    /// What came since the last whole moment.
    coming: Vec<Usage>,
    /// Processor times of the moment before, and when that was.
    before: (Nanos, BTreeMap<u32, Nanos>),
    moment: Option<Moment>,
    /// The first moment at or after this time.
    since: Nanos,
    first: Option<Moment>,
    ended: Vec<(String, String)>,
    over: bool,
}

/// A view of a running system, shared between it and who looks.
#[derive(Clone, Default)]
pub struct Live(Arc<(Mutex<State>, Condvar)>);

impl Sink for Live {
    fn put(&mut self, frame: &[u8]) {
        let Ok(Some((frame, _))) = decode(frame) else { return };
        let mut state = self.lock();
        if state.take(frame) {
            self.0.1.notify_all();
        }
    }
}

impl Live {
    /// A view that keeps the first moment at or after this time.
    pub fn since(time: Nanos) -> Live {
        let live = Live::default();
        live.lock().since = time;
        live
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The system is over, whether it said so or not.
    pub fn finish(&self) {
        self.lock().over = true;
        self.0.1.notify_all();
    }

    /// Waits for the first moment at or after the time that the view was made for, or for the last one if the system
    /// ends before; `None` if it ended without any.
    pub fn first(&self) -> Option<Moment> {
        let mut state = self.lock();
        loop {
            if state.first.is_some() || state.over {
                return state.first.clone().or_else(|| state.moment.clone());
            }
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits so long, or until the system is over; gives the latest moment, and whether it is over.
    pub fn wait(&self, at_most: Duration) -> (Option<Moment>, bool) {
        let until = Instant::now() + at_most;
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.over || left.is_zero() {
                return (state.moment.clone(), state.over);
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    /// Whether somebody who waits is to look.
    fn take(&mut self, frame: Frame) -> bool {
        self.names.learn(&frame);
        match frame {
            Frame::At(at) => self.at = at,
            Frame::Ended { vm, how, text } => {
                let how = match how {
                    End::Returned => "ended".to_string(),
                    End::Fault => format!("fault: {}", text.lines().next().unwrap_or_default()),
                    End::Refused => format!("refused: {text}"),
                };
                self.ended.push((self.names.address(vm), how));
            }
            Frame::Usage(usage) => {
                // The base comes last: then all are there.
                let whole = self.names.vm(usage.vm).is_some_and(|vm| vm.kind == Kind::Base);
                self.coming.push(usage);
                if whole {
                    self.complete();
                }
                return whole;
            }
            _ => {}
        }
        false
    }

    fn complete(&mut self) {
        let usages = std::mem::take(&mut self.coming);
        let (before, times) = &self.before;
        let elapsed = self.at.saturating_sub(*before).max(1);
        let row = |usage: &Usage| {
            let used = usage.processor.saturating_sub(times.get(&usage.vm).copied().unwrap_or(0));
            let percent = used as f64 * 100.0 / elapsed as f64;
            self.row(usage, (percent * 10.0).round() / 10.0)
        };
        let vms = usages.iter().map(row).collect();
        self.before = (self.at, usages.iter().map(|usage| (usage.vm, usage.processor)).collect());
        let moment = Moment { at_ns: self.at, vms, ended: self.ended.clone() };
        if self.first.is_none() && self.at >= self.since {
            self.first = Some(moment.clone());
        }
        self.moment = Some(moment);
    }

    fn row(&self, usage: &Usage, processor_percent: f64) -> Row {
        let names = &self.names;
        let vm = names.vm(usage.vm);
        let sets = vm.map(|vm| vm.sets.as_slice()).unwrap_or_default().iter();
        let held = names.channels().filter(|channel| channel.sender == usage.vm);
        let is_base = |vm: u32| names.vm(vm).is_none_or(|vm| vm.kind == Kind::Base);
        let capability = |channel: &Channel| {
            let set = names.set(channel.set?)?;
            Some(format!("{} {{{}}}", names.address(channel.receiver), rights(channel, set)))
        };
        Row {
            vm: names.address(usage.vm),
            kind: vm.map_or("?", |vm| graph::kind(vm.kind)),
            executes: sets.filter_map(|set| names.set(*set)).map(|set| set.path.clone()).collect(),
            processor_percent,
            processor_ns: usage.processor,
            memory_bytes: usage.memory,
            memory_limit: usage.memory_limit,
            packets: usage.sent,
            executed: usage.executed,
            queued: usage.queued,
            state: usage.state.clone(),
            capabilities: held.filter(|held| !is_base(held.receiver)).filter_map(capability).collect(),
        }
    }
}

fn rights(channel: &Channel, set: &Set) -> String {
    let has = |mask: &[u64; 4], item: &&Item| {
        mask.get(usize::from(item.number >> 6)).is_some_and(|word| word & 1 << (item.number & 63) != 0)
    };
    let ops = set.instructions.iter().filter(|item| has(&channel.ops, item)).map(|item| item.name.clone());
    let events = set.events.iter().filter(|item| has(&channel.events, item)).map(|item| format!("on {}", item.name));
    ops.chain(events).collect::<Vec<_>>().join(", ")
}
