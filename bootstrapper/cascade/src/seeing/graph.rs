//! `cascade graph`: the VMs of a system, the channels between them, the rights on these, and, from a recording, the
//! traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use basevm::wire::{Channel, End, Frame, Item, Kind, Packet, Set, Way};
use bootstrapper::plan::{Kind as PlanKind, Plan};
use il::isa::EVENT_BASE;
use il::packet;

use super::recording::Recording;
use crate::modules::Loaded;

/// A graph to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// What it shows.
    pub title: String,
    /// The VMs.
    pub vms: Vec<Node>,
    /// The channels between them.
    pub channels: Vec<Edge>,
}

/// A VM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its address.
    pub name: String,
    /// `IL`, `Rust`, ..
    pub kind: &'static str,
    /// What it executes, and how it fared.
    pub lines: Vec<String>,
    /// Whether a fault ended it.
    pub failed: bool,
}

/// A channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edge {
    /// The sender, by its place in [`Graph::vms`].
    pub from: usize,
    /// The receiver.
    pub to: usize,
    /// What may be sent, and what may come: a line each.
    pub rights: Vec<Right>,
    /// Packets that went through; `None` if that is not known.
    pub packets: Option<u64>,
    /// Whether it was taken away.
    pub revoked: bool,
}

/// One right on a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Right {
    /// The instruction; of an event, with `on ` before it.
    pub name: String,
    /// How often it was used; `None` if that is not known.
    pub used: Option<u64>,
}

/// The graph of a system that could be run: what its programs want of which VM.
pub fn of_plan(plan: &Plan, modules: &[Loaded]) -> Graph {
    let sets_of = |at: usize| match plan.vms[at].kind {
        PlanKind::Device(device) => vec![device.instruction_set().path()],
        PlanKind::Module(index) => {
            let Some(Loaded { module, .. }) = modules.get(index as usize) else { return Vec::new() };
            let sets = module.provides.iter().filter_map(|provides| module.isas.get(provides.isa.index()));
            sets.map(|set| set.path()).collect()
        }
    };
    let sets: Vec<Vec<String>> = (0..plan.vms.len()).map(sets_of).collect();
    let node = |(at, vm): (usize, &bootstrapper::plan::Vm)| {
        let is_il = matches!(vm.kind, PlanKind::Module(_));
        let mut lines = sets[at].clone();
        lines.push(format!("{} at most", bytes(vm.memory_bytes)));
        Node { name: vm.name.clone(), kind: if is_il { "IL" } else { "Rust" }, lines, failed: false }
    };
    let vms = plan.vms.iter().enumerate().map(node).collect();
    let mut channels = Vec::new();
    for (from, vm) in plan.vms.iter().enumerate() {
        let PlanKind::Module(index) = vm.kind else { continue };
        let Some(loaded) = modules.get(index as usize) else { continue };
        for wanted in &loaded.module.uses {
            let Some(set) = loaded.module.isas.get(wanted.isa.index()) else { continue };
            let path = set.path();
            let fits = |at: &usize| *at != from && sets[*at].contains(&path);
            let named = (0..plan.vms.len()).filter(fits).find(|at| plan.vms[*at].name == wanted.name);
            let Some(to) = named.or_else(|| (0..plan.vms.len()).find(fits)) else { continue };
            let rights = set.instructions.iter().map(|one| one.name.to_string());
            let rights = rights.chain(set.events.iter().map(|event| format!("on {}", event.name)));
            let rights = rights.map(|name| Right { name, used: None }).collect();
            channels.push(Edge { from, to, rights, packets: None, revoked: false });
        }
    }
    let title = plan.main_vm().map_or_else(String::new, |vm| format!("{}: what it may do", vm.name));
    Graph { title, vms, channels }
}

/// What a recording says about one channel.
#[derive(Default)]
struct Traffic {
    packets: u64,
    instructions: BTreeMap<u16, u64>,
    revoked: bool,
}

/// The graph of a run that was recorded, with its traffic.
///
/// # Errors
/// As [`Recording::next_frame`].
pub fn of_recording<R: Read>(mut recording: Recording<R>) -> anyhow::Result<Graph> {
    let mut traffic: BTreeMap<u32, Traffic> = BTreeMap::new();
    let mut ends: BTreeMap<u32, End> = BTreeMap::new();
    let mut processor: BTreeMap<u32, u64> = BTreeMap::new();
    let mut program = String::new();
    while let Some(frame) = recording.next_frame()? {
        match frame {
            Frame::Start { program: name, .. } => program = name,
            Frame::Packet(packet) => count(&mut traffic, &packet),
            Frame::Closed { channel, status } if status == il::trap::Status::Revoked as u16 => {
                traffic.entry(channel).or_default().revoked = true;
            }
            Frame::Ended { vm, how, .. } => _ = ends.insert(vm, how),
            Frame::Usage(usage) => _ = processor.insert(usage.vm, usage.processor),
            _ => {}
        }
    }
    let names = &recording.names;
    let is_base = |vm: u32| names.vm(vm).is_none_or(|vm| vm.kind == Kind::Base);
    let shown: Vec<u32> = names.vms().map(|vm| vm.vm).filter(|vm| !is_base(*vm)).collect();
    let place: BTreeMap<u32, usize> = shown.iter().enumerate().map(|(at, vm)| (*vm, at)).collect();
    let vms = names.vms().filter(|vm| !is_base(vm.vm)).map(|vm| {
        let end = ends.get(&vm.vm).copied();
        let mut lines: Vec<String> =
            vm.sets.iter().filter_map(|set| names.set(*set)).map(|set| set.path.clone()).collect();
        // One that ended before it was looked at has none.
        if let Some(time) = processor.get(&vm.vm).filter(|time| **time > 0) {
            lines.push(format!("{} of processor time", duration(*time)));
        }
        if let Some(end) = end {
            lines.push(end_text(end).to_string());
        }
        let failed = end.is_some_and(|end| end != End::Returned);
        Node { name: names.address(vm.vm), kind: kind(vm.kind), lines, failed }
    });
    let vms = vms.collect();
    let edge = |channel: &Channel| {
        let (from, to) = (*place.get(&channel.sender)?, *place.get(&channel.receiver)?);
        let traffic = traffic.get(&channel.channel);
        let rights = channel.set.and_then(|set| names.set(set)).map(|set| rights(channel, set, traffic));
        Some(Edge {
            from,
            to,
            rights: rights.unwrap_or_default(),
            packets: Some(traffic.map_or(0, |traffic| traffic.packets)),
            revoked: traffic.is_some_and(|traffic| traffic.revoked),
        })
    };
    let channels = names.channels().filter_map(edge).collect();
    Ok(Graph { title: format!("{program}: {} of one run", duration(recording.now())), vms, channels })
}

fn count(traffic: &mut BTreeMap<u32, Traffic>, packet: &Packet) {
    let channel = traffic.entry(packet.channel).or_default();
    channel.packets += u64::from(packet.way == Way::Forth);
    for (head, _) in packet::instructions(&packet.words).flatten() {
        if head.opcode != 0 {
            *channel.instructions.entry(head.opcode).or_insert(0) += 1;
        }
    }
}

fn rights(channel: &Channel, set: &Set, traffic: Option<&Traffic>) -> Vec<Right> {
    let has = |mask: &[u64; 4], item: &Item| {
        mask.get(usize::from(item.number >> 6)).is_some_and(|word| word & 1 << (item.number & 63) != 0)
    };
    let used = |opcode: u16| Some(traffic.and_then(|traffic| traffic.instructions.get(&opcode).copied()).unwrap_or(0));
    let ops = set.instructions.iter().filter(|item| has(&channel.ops, item));
    let ops = ops.map(|item| Right { name: item.name.clone(), used: used(item.number.into()) });
    let events = set.events.iter().filter(|item| has(&channel.events, item));
    let events =
        events.map(|item| Right { name: format!("on {}", item.name), used: used(EVENT_BASE + u16::from(item.number)) });
    ops.chain(events).collect()
}

/// What runs in a VM, in a word.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Base => "base",
        Kind::Il => "IL",
        Kind::Rust => "Rust",
        Kind::External => "external",
        Kind::Program => "program",
    }
}

fn end_text(end: End) -> &'static str {
    match end {
        End::Returned => "ended",
        End::Fault => "ended by a fault",
        End::Refused => "refused",
    }
}

/// A size for people.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// A time for people.
pub fn duration(nanos: u64) -> String {
    match nanos {
        0..=9_999 => format!("{nanos} ns"),
        10_000..=9_999_999 => format!("{} us", nanos / 1_000),
        10_000_000..=9_999_999_999 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{:.1} s", nanos as f64 / 1e9),
    }
}

impl Graph {
    /// Leaves VMs out that have no channel, if others have one.
    #[must_use]
    pub fn connected(mut self) -> Graph {
        let ends: BTreeSet<usize> = self.channels.iter().flat_map(|channel| [channel.from, channel.to]).collect();
        if ends.is_empty() {
            return self;
        }
        let place: BTreeMap<usize, usize> = ends.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let vms = std::mem::take(&mut self.vms).into_iter().enumerate();
        self.vms = vms.filter(|(at, vm)| ends.contains(at) || vm.failed).map(|(_, vm)| vm).collect();
        for channel in &mut self.channels {
            (channel.from, channel.to) = (place[&channel.from], place[&channel.to]);
        }
        self
    }
}
