//! A recorder: an [`Observer`] that turns what happens into frames of the wire format.
//!
//! What it writes is bounded: beyond [`RecordOptions::most_bytes`] frames are counted, not written, and the count is
//! the stream's last but one frame. Usage is always written: it is what a live table is made of.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use il::isa::InstructionSet;
use il::{Module, Type};

use crate::attachment::Attachment;
use crate::platform::Nanos;
use crate::service::Reply;
use crate::system::{ChannelSeen, Fate, Mask, Observed, Observer, Seen, TurnKind, Usage, VmKind, VmSeen};
use crate::wire::{self, AttachedRef, Frame, MAX_TEXT_BYTES, Way, write_answer, write_event, write_packet};

/// Where frames go: each call is one whole frame.
pub trait Sink: Send {
    /// Takes a frame.
    fn put(&mut self, frame: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, frame: &[u8]) {
        self.extend_from_slice(frame);
    }
}

/// What is recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordOptions {
    /// The program's name.
    pub program: String,
    /// Whether the system's clock is virtual.
    pub virtual_clock: bool,
    /// Wall-clock time at the start, in nanoseconds since 1970.
    pub wall: Nanos,
    /// Whether packets and turns are recorded, or only VMs and channels.
    pub packets: bool,
    /// How often what each VM uses is recorded; `None`: only at the end.
    pub usage_every: Option<Nanos>,
    /// How many bytes of one buffer are recorded.
    pub buffer_bytes: usize,
    /// How many bytes of frames are written in all.
    pub most_bytes: u64,
}

impl Default for RecordOptions {
    fn default() -> RecordOptions {
        RecordOptions {
            program: String::new(),
            virtual_clock: false,
            wall: 0,
            packets: true,
            usage_every: None,
            buffer_bytes: usize::MAX,
            most_bytes: u64::MAX,
        }
    }
}

/// Records into a [`Sink`]. The stream's start ([`wire::MAGIC`]) is the sink's to write.
#[derive(Debug)]
pub struct Recorder<S> {
    sink: S,
    options: RecordOptions,
    /// When the first frame was written; times count from there.
    start: Option<Nanos>,
    /// The time that was told last.
    told: Nanos,
    clock: Nanos,
    /// The sets that were described: a set's number is its place.
    sets: Vec<InstructionSet>,
    frame: Vec<u8>,
    written: u64,
    lost: (u64, u64),
    next_usage: Nanos,
}

impl<S: Sink> Recorder<S> {
    /// A recorder that has seen nothing.
    pub fn new(sink: S, options: RecordOptions) -> Recorder<S> {
        Recorder {
            sink,
            options,
            start: None,
            told: 0,
            clock: 0,
            sets: Vec::new(),
            frame: Vec::new(),
            written: 0,
            lost: (0, 0),
            next_usage: 0,
        }
    }

    fn put(&mut self, frame: &Frame) {
        self.frame.clear();
        frame.encode(&mut self.frame);
        self.send(matches!(frame, Frame::Usage(_) | Frame::Lost { .. } | Frame::End { .. }));
    }

    /// Writes the encoded frame, if there is room or it is always written.
    fn send(&mut self, always: bool) {
        let bytes = self.frame.len() as u64;
        // What was left out once leaves no gap: all after it is left out too.
        if !always && (self.lost.0 > 0 || self.written.saturating_add(bytes) > self.options.most_bytes) {
            self.lost = (self.lost.0 + 1, self.lost.1.saturating_add(bytes));
            return;
        }
        self.written = self.written.saturating_add(bytes);
        self.sink.put(&self.frame);
    }

    fn tell_time(&mut self, at: Nanos) {
        let start = match self.start {
            Some(start) => start,
            None => {
                let RecordOptions { virtual_clock, wall, .. } = self.options;
                let program = cut(&self.options.program);
                self.start = Some(at);
                self.put(&Frame::Start { virtual_clock, wall, program });
                at
            }
        };
        let at = at.saturating_sub(start);
        if at != self.told {
            self.told = at;
            self.put(&Frame::At(at));
        }
    }

    /// The number of a set, described now if it is new.
    fn set(&mut self, set: &InstructionSet, module: Option<&Module>) -> u32 {
        let found = self.sets.iter().position(|known| known == set);
        let at = found.unwrap_or_else(|| {
            let number = self.sets.len() as u32;
            self.put(&Frame::Set(describe(number, set, module)));
            self.sets.push(set.clone());
            self.sets.len() - 1
        });
        at as u32
    }

    fn vm(&mut self, seen: &VmSeen<'_>) {
        let sets = seen.executes.iter().map(|set| self.set(set, seen.module)).collect();
        let kind = match seen.kind {
            None => wire::Kind::Base,
            Some(_) if seen.is_program => wire::Kind::Program,
            Some(VmKind::Il) => wire::Kind::Il,
            Some(VmKind::External) => wire::Kind::External,
            Some(VmKind::Rust | VmKind::Ended) => wire::Kind::Rust,
        };
        let VmSeen { vm, name, index, memory_limit, .. } = *seen;
        self.put(&Frame::Vm(wire::Vm { vm: vm.0, name: cut(name), index, kind, memory_limit, sets }));
    }

    fn channel(&mut self, seen: &ChannelSeen<'_>) {
        let set = seen.set.map(|set| self.set(set, None));
        self.put(&Frame::Channel(wire::Channel {
            channel: seen.channel,
            sender: seen.sender.0,
            receiver: seen.receiver.0,
            set,
            slot: seen.slot,
            name: cut(seen.name),
            ops: Mask::words(seen.ops),
            events: Mask::words(seen.events),
        }));
    }

    fn answer(&mut self, channel: u32, tag: u32, result: Result<&Reply, u16>) {
        let most = self.options.buffer_bytes;
        let attachments = result.map_or(&[][..], |reply| &reply.attachments);
        let attachments = attachments.iter().map(|attached| AttachedRef::of(attached, most));
        self.frame.clear();
        write_answer(&mut self.frame, channel, tag, result.map(|reply| reply.words.as_slice()), attachments);
        self.send(false);
    }

    fn packet(&mut self, channel: u32, words: &[u64], attachments: &[Attachment]) {
        let most = self.options.buffer_bytes;
        let attachments = attachments.iter().map(|attached| AttachedRef::of(attached, most));
        self.frame.clear();
        write_packet(&mut self.frame, channel, Way::Forth, words, attachments);
        self.send(false);
    }

    fn raised(&mut self, channel: u32, event: u8, words: &[u64], attachments: &[Option<Attachment>]) {
        let most = self.options.buffer_bytes;
        self.frame.clear();
        write_event(
            &mut self.frame,
            channel,
            event,
            words,
            attachments.iter().map(|attached| AttachedRef::of_any(attached, most)),
        );
        self.send(false);
    }

    fn usage(&mut self, list: &[Usage]) {
        for one in list {
            self.put(&Frame::Usage(wire::Usage {
                vm: one.vm.0,
                processor: one.processor,
                memory: one.memory,
                memory_limit: one.memory_limit,
                sent: one.sent,
                executed: one.executed,
                queued: one.queued as u64,
                state: cut(&one.state),
            }));
        }
    }

    fn ended(&mut self, vm: u32, fate: &Fate) {
        let (how, text) = match fate {
            Fate::Returned => (wire::End::Returned, String::new()),
            Fate::Exited(code) => (wire::End::Returned, format!("exit code {code}")),
            Fate::Fault(report) => (wire::End::Fault, report.to_string()),
            Fate::Refused(refused) => (wire::End::Refused, refused.why.to_string()),
        };
        self.put(&Frame::Ended { vm, how, text: cut(&text) });
    }

    fn end(&mut self, code: u8) {
        let (frames, bytes) = self.lost;
        if frames > 0 {
            self.put(&Frame::Lost { frames, bytes });
        }
        self.put(&Frame::End { code });
    }

    /// What is told of packets and turns.
    fn traffic(&mut self, seen: &Seen<'_>) {
        match *seen {
            Seen::Sent { channel, words, attachments, .. } => self.packet(channel, words, attachments),
            Seen::Taken(packet) => self.put(&Frame::Taken(packet)),
            Seen::Done(packet) => self.put(&Frame::Done(packet)),
            Seen::Answered { channel, tag, result } => {
                self.answer(channel, tag, result.map_err(|status| status as u16));
            }
            Seen::Raised { channel, event, words, attachments } => self.raised(channel, event, words, attachments),
            Seen::Turn { vm, what, name } => {
                self.put(&Frame::Turn { vm: vm.0, what: turn(what), name: cut(name) });
            }
            Seen::Rest { vm } => self.put(&Frame::Rest { vm: vm.0 }),
            _ => {}
        }
    }
}

impl<S: Sink> Observer for Recorder<S> {
    fn event(&mut self, event: &Observed<'_>) {
        let traffic = match &event.what {
            Seen::Vm(_) | Seen::Ended { .. } | Seen::Channel(_) | Seen::Closed { .. } => false,
            Seen::Right { .. } | Seen::Clock(_) | Seen::Usage(_) | Seen::End(_) => false,
            Seen::Sent { .. } | Seen::Taken(_) | Seen::Done(_) | Seen::Answered { .. } | Seen::Raised { .. } => true,
            Seen::Turn { .. } | Seen::Rest { .. } => true,
        };
        if traffic && !self.options.packets {
            return;
        }
        self.tell_time(event.at);
        match &event.what {
            Seen::Vm(vm) => self.vm(vm),
            Seen::Ended { vm, fate } => self.ended(vm.0, fate),
            Seen::Channel(channel) => self.channel(channel),
            Seen::Closed { channel, status } => {
                self.put(&Frame::Closed { channel: *channel, status: *status as u16 });
            }
            Seen::Right { what, right, holder, target, ops } => {
                let (holder, target, ops) = (holder.0, target.0, ops.words());
                self.put(&Frame::Right(wire::Right { what: *what, right: *right, holder, target, ops }));
            }
            Seen::Clock(now) if *now != self.clock => {
                self.clock = *now;
                self.put(&Frame::Clock(*now));
            }
            Seen::Clock(_) => {}
            Seen::Usage(list) => {
                self.next_usage = event.at.saturating_add(self.options.usage_every.unwrap_or(0));
                self.usage(list);
            }
            Seen::End(code) => self.end(*code),
            other => self.traffic(other),
        }
    }

    fn usage_due(&self) -> Option<Nanos> {
        self.options.usage_every.map(|_| self.next_usage)
    }
}

fn turn(what: TurnKind) -> wire::Turn {
    match what {
        TurnKind::Main => wire::Turn::Main,
        TurnKind::Op => wire::Turn::Op,
        TurnKind::Handler => wire::Turn::Handler,
        TurnKind::Service => wire::Turn::Service,
        TurnKind::Wake => wire::Turn::Wake,
    }
}

/// A text within the format's bound.
fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_string()
}

/// A set as it stands in a stream. `module` is the one whose types its operands name, if they name any.
pub fn describe(number: u32, set: &InstructionSet, module: Option<&Module>) -> wire::Set {
    let text = |ty: Type| module.map_or_else(|| ty.to_string(), |module| module.type_text(ty));
    let fields = |fields: &[il::isa::Field]| -> Vec<wire::Field> {
        let field = |field: &il::isa::Field| wire::Field {
            name: cut(&field.name),
            code: field.ty.code(),
            ty: cut(&text(field.ty)),
        };
        fields.iter().map(field).collect()
    };
    let instructions = set.instructions.iter().map(|instruction| wire::Item {
        number: instruction.opcode,
        name: cut(&instruction.name),
        operands: fields(&instruction.params),
        results: instruction.results.as_deref().map(fields),
    });
    let events = set.events.iter().map(|event| wire::Item {
        number: event.number,
        name: cut(&event.name),
        operands: fields(&event.params),
        results: None,
    });
    wire::Set { number, path: cut(&set.path()), instructions: instructions.collect(), events: events.collect() }
}
