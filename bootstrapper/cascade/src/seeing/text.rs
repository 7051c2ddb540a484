//! `cascade trace`: a recording as text, one line an instruction.

use std::io::{Read, Write};

use anyhow::Context;
use basevm::platform::Nanos;
use basevm::wire::{End, Frame, Kind, Packet, Said, Way, What};
use serde_json::{Map, Value, json};

use super::recording::Recording;

/// What is shown of a recording, and how.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Only what this VM sends and gets: a name, or `name/index`.
    pub vm: Option<String>,
    /// Also what is said to the base: the handshakes.
    pub base: bool,
    /// One JSON object a line.
    pub json: bool,
}

/// Prints a recording.
///
/// # Errors
/// As [`Recording::next_frame`]; if `choice` names a VM that is not in it.
pub fn print<R: Read>(mut recording: Recording<R>, choice: &Choice, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut known = choice.vm.is_none();
    while let Some(frame) = recording.next_frame()? {
        known = known || matches!(&frame, Frame::Vm(vm) if is_meant(choice, &recording, vm.vm));
        for line in lines(&mut recording, choice, &frame) {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    if known {
        return Ok(());
    }
    let there: Vec<String> = recording.names.vms().map(|vm| recording.names.address(vm.vm)).collect();
    let wanted = choice.vm.as_deref().unwrap_or_default();
    Err(anyhow::anyhow!("there is no VM `{wanted}` in this recording"))
        .context(format!("there are: {}", there.join(", ")))
}

fn is_meant<R>(choice: &Choice, recording: &Recording<R>, vm: u32) -> bool {
    let Some(wanted) = &choice.vm else { return true };
    let name = recording.names.vm(vm).map(|vm| &vm.name);
    name == Some(wanted) || recording.names.address(vm) == *wanted
}

fn lines<R: Read>(recording: &mut Recording<R>, choice: &Choice, frame: &Frame) -> Vec<String> {
    match frame {
        Frame::Packet(packet) => packet_lines(recording, choice, packet),
        Frame::Ended { vm, how, text } if is_meant(choice, recording, *vm) => {
            let how = match how {
                End::Returned => "ended".to_string(),
                End::Fault => format!("ended by a fault: {}", text.lines().next().unwrap_or_default()),
                End::Refused => format!("refused: {text}"),
            };
            vec![about(recording, choice, *vm, &how)]
        }
        Frame::Closed { channel, status } => closed(recording, choice, *channel, *status).into_iter().collect(),
        Frame::Lost { frames, bytes } => {
            let text = format!("{frames} further frames ({bytes} bytes) were not recorded: a bound was reached");
            vec![if choice.json { json!({ "lost": frames, "bytes": bytes }).to_string() } else { text }]
        }
        _ => Vec::new(),
    }
}

fn packet_lines<R: Read>(recording: &mut Recording<R>, choice: &Choice, packet: &Packet) -> Vec<String> {
    let said = recording.names.read(packet);
    let Some(channel) = recording.names.channel(packet.channel) else { return Vec::new() };
    let (from, to) = match packet.way {
        Way::Forth => (channel.sender, channel.receiver),
        Way::Back => (channel.receiver, channel.sender),
    };
    let is_base = |vm: u32| recording.names.vm(vm).is_some_and(|vm| vm.kind == Kind::Base);
    let hidden = !choice.base && (is_base(from) || is_base(to));
    if hidden || !(is_meant(choice, recording, from) || is_meant(choice, recording, to)) {
        return Vec::new();
    }
    let (now, from, to) = (recording.now(), recording.names.address(from), recording.names.address(to));
    let line = |said: &Said| match choice.json {
        true => json_line(now, &from, &to, said),
        false => format!("{}  {:<24} {}", time(now), format!("{from} -> {to}"), text(said)),
    };
    said.iter().map(line).collect()
}

fn text(said: &Said) -> String {
    match said.what {
        What::Event => format!("on {said}"),
        What::Failure if said.name == "#0" => {
            let status = said.values.first().map_or("", |(_, status)| status);
            format!("a streamed instruction failed: {status}")
        }
        What::Instruction { .. } | What::Reply | What::Failure | What::Malformed => said.to_string(),
    }
}

fn about<R>(recording: &Recording<R>, choice: &Choice, vm: u32, text: &str) -> String {
    let name = recording.names.address(vm);
    match choice.json {
        true => json!({ "ms": ms(recording.now()), "vm": name, "kind": "vm", "text": text }).to_string(),
        false => format!("{}  {name:<24} {text}", time(recording.now())),
    }
}

/// A right that was revoked. That a channel is closed because a VM ended is said by that VM's end.
fn closed<R>(recording: &Recording<R>, choice: &Choice, channel: u32, status: u16) -> Option<String> {
    let channel = recording.names.channel(channel)?;
    let meant = is_meant(choice, recording, channel.sender) || is_meant(choice, recording, channel.receiver);
    if status != il::trap::Status::Revoked as u16 || !meant {
        return None;
    }
    let text = format!("its right on {} was revoked", recording.names.address(channel.receiver));
    Some(about(recording, choice, channel.sender, &text))
}

fn json_line(now: Nanos, from: &str, to: &str, said: &Said) -> String {
    let kind = match said.what {
        What::Instruction { waits: true } => "call",
        What::Instruction { waits: false } => "instruction",
        What::Reply => "reply",
        What::Failure => "failure",
        What::Event => "event",
        What::Malformed => "malformed",
    };
    let mut values = Map::new();
    for (at, (name, value)) in said.values.iter().enumerate() {
        let name = if name.is_empty() { at.to_string() } else { name.clone() };
        values.insert(name, Value::from(value.as_str()));
    }
    json!({ "ms": ms(now), "from": from, "to": to, "kind": kind, "name": said.name, "values": values }).to_string()
}

fn ms(time: Nanos) -> f64 {
    time as f64 / 1e6
}

fn time(time: Nanos) -> String {
    format!("{:>12.3} ms", ms(time))
}
