//! A recording as a trace that Perfetto and `chrome://tracing` open: JSON in the Trace Event Format.
//!
//! Each VM is a track. A turn is a slice on it; the packets that it executes are slices inside. A packet is a flow:
//! an arrow from the sender's slice to the receiver's. Events are instants. Times are the machine's, also under a
//! virtual clock: a trace shows where time goes.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};

use basevm::platform::Nanos;
use basevm::wire::{End, Frame, Kind, Packet, Said, Turn, Vm, Way, What};
use serde_json::{Value, json};

use super::recording::Recording;

/// Instructions of one packet that its slice lists in full.
const MAX_LISTED: usize = 20;
/// Different instructions that a packet's title names.
const MAX_NAMED: usize = 4;

/// The packets of a recording that were taken by their receivers: those have arrows.
///
/// # Errors
/// As [`Recording::next_frame`].
pub fn taken<R: Read>(mut recording: Recording<R>) -> anyhow::Result<HashSet<u64>> {
    let mut taken = HashSet::new();
    while let Some(frame) = recording.next_frame()? {
        if let Frame::Taken(packet) = frame {
            taken.insert(packet);
        }
    }
    Ok(taken)
}

/// Writes the trace of a recording, of whose packets these were taken.
///
/// # Errors
/// As [`Recording::next_frame`], and what keeps `out` from being written.
pub fn write<R: Read>(mut recording: Recording<R>, taken: HashSet<u64>, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut trace = Trace {
        out,
        first: true,
        open: BTreeMap::new(),
        sent: BTreeMap::new(),
        taken,
        introduced: BTreeMap::new(),
        at: 0,
    };
    trace.out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    while let Some(frame) = recording.next_frame()? {
        trace.at = recording.at;
        trace.frame(&mut recording, &frame)?;
    }
    trace.close_all()?;
    trace.out.write_all(b"\n]}\n")?;
    Ok(trace.out.flush()?)
}

/// A packet under way.
struct Sent {
    receiver: u32,
    sender: u32,
    title: String,
    list: Vec<String>,
    words: usize,
}

/// A slice that is open on a track.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Turn,
    Packet(u64),
}

struct Trace<'o> {
    out: &'o mut dyn Write,
    first: bool,
    /// What is open on each VM's track, the innermost last.
    open: BTreeMap<u32, Vec<Open>>,
    sent: BTreeMap<u64, Sent>,
    taken: HashSet<u64>,
    /// VMs that have a track, and its name.
    introduced: BTreeMap<u32, String>,
    at: Nanos,
}

impl Trace<'_> {
    fn frame<R: Read>(&mut self, recording: &mut Recording<R>, frame: &Frame) -> anyhow::Result<()> {
        match frame {
            Frame::Start { program, .. } => self.put(json!({
                "ph": "M", "name": "process_name", "pid": 1, "args": { "name": format!("cascade {program}") }
            })),
            Frame::Vm(vm) => self.introduce(vm),
            Frame::Turn { vm, what, name } => {
                self.open.entry(*vm).or_default().push(Open::Turn);
                let title = match what {
                    Turn::Main => "main".to_string(),
                    Turn::Op => format!("op {name}"),
                    Turn::Handler => format!("on {name}"),
                    Turn::Service => "serves".to_string(),
                    Turn::Wake => "wakes".to_string(),
                };
                self.event("B", *vm, json!({ "name": title.trim_end(), "cat": "turn" }))
            }
            Frame::Rest { vm } => self.rest(*vm),
            Frame::Packet(packet) => match packet.way {
                Way::Forth => self.send(recording, packet),
                Way::Back => self.back(recording, packet),
            },
            Frame::Taken(packet) => self.take(*packet),
            Frame::Done(packet) => self.done(*packet),
            Frame::Ended { vm, how, text } => {
                let name = match how {
                    End::Returned => "ended".to_string(),
                    End::Fault => format!("fault: {}", text.lines().next().unwrap_or_default()),
                    End::Refused => format!("refused: {text}"),
                };
                self.event("i", *vm, json!({ "name": name, "cat": "vm", "s": "t" }))
            }
            Frame::Usage(usage) => {
                let name = format!("memory of {}", recording.names.address(usage.vm));
                self.event("C", usage.vm, json!({ "name": name, "args": { "bytes": usage.memory } }))
            }
            Frame::Set(_) | Frame::Channel(_) | Frame::Closed { .. } | Frame::At(_) | Frame::Clock(_) => Ok(()),
            Frame::Lost { .. } | Frame::Right(_) | Frame::End { .. } => Ok(()),
        }
    }

    fn introduce(&mut self, vm: &Vm) -> anyhow::Result<()> {
        let kind = match vm.kind {
            Kind::Base => "base",
            Kind::Il => "IL",
            Kind::Rust => "Rust",
            Kind::External => "external",
            Kind::Program => "device program",
        };
        let name = if vm.index == 0 { vm.name.clone() } else { format!("{}/{}", vm.name, vm.index) };
        // A VM is introduced again when more is known of it.
        if self.introduced.insert(vm.vm, name.clone()).as_ref() == Some(&name) {
            return Ok(());
        }
        self.put(json!({
            "ph": "M", "name": "thread_name", "pid": 1, "tid": track(vm.vm), "args": { "name": format!("{name} ({kind})") }
        }))?;
        self.put(json!({
            "ph": "M", "name": "thread_sort_index", "pid": 1, "tid": track(vm.vm), "args": { "sort_index": track(vm.vm) }
        }))
    }

    fn send<R: Read>(&mut self, recording: &mut Recording<R>, packet: &Packet) -> anyhow::Result<()> {
        let number = recording.packets;
        let said = recording.names.read(packet);
        let Some(channel) = recording.names.channel(packet.channel) else { return Ok(()) };
        if !self.taken.contains(&number) {
            return Ok(());
        }
        let title = title(&said);
        let list = said.iter().take(MAX_LISTED).map(ToString::to_string).collect();
        let (sender, receiver) = (channel.sender, channel.receiver);
        self.sent.insert(number, Sent { receiver, sender, title, list, words: packet.words.len() });
        // Whoever sends outside of a turn (the base, what is driven from outside) gets a slice for the arrow to start in.
        if self.open.get(&sender).is_none_or(Vec::is_empty) {
            self.event("X", sender, json!({ "name": "sends", "cat": "turn", "dur": 0.001 }))?;
        }
        self.event("s", sender, json!({ "name": "packet", "cat": "packet", "id": number }))
    }

    fn take(&mut self, packet: u64) -> anyhow::Result<()> {
        // One that has to wait for a device program is taken again.
        if !self.taken.remove(&packet) {
            return Ok(());
        }
        let Some(Sent { receiver, sender, title, list, words }) = self.sent.get(&packet) else { return Ok(()) };
        let args = json!({ "packet": packet, "from": track(*sender), "words": words, "instructions": list });
        let (receiver, slice) = (*receiver, json!({ "name": title, "cat": "packet", "args": args }));
        self.event("B", receiver, slice)?;
        self.open.entry(receiver).or_default().push(Open::Packet(packet));
        self.event("f", receiver, json!({ "name": "packet", "cat": "packet", "id": packet, "bp": "e" }))
    }

    /// A packet's slice ends with it, or with the turn in which it began: an `op` that waits goes on in later turns.
    fn done(&mut self, packet: u64) -> anyhow::Result<()> {
        let Some(Sent { receiver, .. }) = self.sent.remove(&packet) else { return Ok(()) };
        let open = self.open.entry(receiver).or_default();
        if open.last() == Some(&Open::Packet(packet)) {
            open.pop();
            return self.event("E", receiver, json!({}));
        }
        Ok(())
    }

    fn rest(&mut self, vm: u32) -> anyhow::Result<()> {
        while let Some(slice) = self.open.entry(vm).or_default().pop() {
            self.event("E", vm, json!({}))?;
            if slice == Open::Turn {
                break;
            }
        }
        Ok(())
    }

    fn back<R: Read>(&mut self, recording: &mut Recording<R>, packet: &Packet) -> anyhow::Result<()> {
        let said = recording.names.read(packet);
        let Some(channel) = recording.names.channel(packet.channel) else { return Ok(()) };
        let (from, to) = (channel.receiver, channel.sender);
        for one in said.iter().filter(|one| one.what == What::Event) {
            let args = json!({ "to": recording.names.address(to), "event": one.to_string() });
            self.event("i", from, json!({ "name": one.name, "cat": "event", "s": "t", "args": args }))?;
        }
        Ok(())
    }

    fn close_all(&mut self) -> anyhow::Result<()> {
        let open: Vec<u32> = self.open.iter().flat_map(|(vm, open)| open.iter().map(|_| *vm)).collect();
        open.into_iter().try_for_each(|vm| self.event("E", vm, json!({})))
    }

    fn event(&mut self, phase: &str, vm: u32, mut event: Value) -> anyhow::Result<()> {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("ph".into(), phase.into());
            fields.insert("ts".into(), (self.at as f64 / 1e3).into());
            fields.insert("pid".into(), 1.into());
            fields.insert("tid".into(), track(vm).into());
        }
        self.put(event)
    }

    fn put(&mut self, event: Value) -> anyhow::Result<()> {
        let comma = if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        self.out.write_all(comma.as_bytes())?;
        Ok(serde_json::to_writer(&mut *self.out, &event)?)
    }
}

/// The names of a packet's instructions, in the order in which they first appear: `fill_rect x217, text, present`.
fn title(said: &[Said]) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for one in said {
        match names.iter_mut().find(|(name, _)| *name == one.name) {
            Some((_, count)) => *count += 1,
            None => names.push((&one.name, 1)),
        }
    }
    let more = names.len().saturating_sub(MAX_NAMED);
    let named = names.into_iter().take(MAX_NAMED);
    let shown = named.map(|(name, count)| if count == 1 { name.to_string() } else { format!("{name} x{count}") });
    let mut title = shown.collect::<Vec<_>>().join(", ");
    if more > 0 {
        title.push_str(&format!(", {more} more"));
    }
    title
}

/// A VM's track: trace viewers treat 0 as nobody.
fn track(vm: u32) -> u64 {
    u64::from(vm) + 1
}
