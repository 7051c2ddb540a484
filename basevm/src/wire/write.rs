//! Encoding: frames to bytes.

use alloc::vec::Vec;

use il::isa::EVENT_BASE;
use il::packet::Head;

use crate::attachment::Attachment;
use crate::system::table;

use super::{Attached, Channel, Field, Frame, Item, Packet, Right, Set, Usage, Vm, Way, kind};

/// An attachment that is lent.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum AttachedRef<'a> {
    /// None any more.
    None,
    /// A buffer of `length` bytes, of which `bytes` are given.
    Buf { length: u64, bytes: &'a [u8] },
    /// A frozen object.
    Object { ty: &'a str, words: &'a [u64] },
    /// A capability.
    Cap { right: u32, generation: u32 },
}

impl<'a> AttachedRef<'a> {
    /// An attachment in memory, with at most so many bytes of a buffer.
    pub fn of(attachment: &'a Attachment, most_bytes: usize) -> AttachedRef<'a> {
        match attachment {
            Attachment::Buf(buf) => {
                AttachedRef::Buf { length: buf.len() as u64, bytes: buf.get(..most_bytes).unwrap_or(buf) }
            }
            Attachment::Object(_) => AttachedRef::Object { ty: "object", words: &[] },
            Attachment::Cap(right) => {
                AttachedRef::Cap { right: table::index(right.right), generation: table::generation(right.right) }
            }
        }
    }

    /// The same of an attachment that may have been taken.
    pub fn of_any(attachment: &'a Option<Attachment>, most_bytes: usize) -> AttachedRef<'a> {
        attachment.as_ref().map_or(AttachedRef::None, |attachment| AttachedRef::of(attachment, most_bytes))
    }
}

impl Attached {
    fn lend(&self) -> AttachedRef<'_> {
        match self {
            Attached::None => AttachedRef::None,
            Attached::Buf { length, bytes } => AttachedRef::Buf { length: *length, bytes },
            Attached::Object { ty, words } => AttachedRef::Object { ty, words },
            Attached::Cap { right, generation } => AttachedRef::Cap { right: *right, generation: *generation },
        }
    }
}

/// Appends a packet's frame, without a [`Packet`] being made.
pub fn write_packet<'a>(
    out: &mut Vec<u8>,
    channel: u32,
    way: Way,
    words: &[u64],
    attachments: impl ExactSizeIterator<Item = AttachedRef<'a>>,
) {
    let kind = match way {
        Way::Forth => kind::FORTH,
        Way::Back => kind::BACK,
    };
    frame(out, kind, |to| {
        to.number(channel);
        to.words(words);
        to.number(attachments.len() as u64);
        attachments.for_each(|attached| to.attachment(attached));
    });
}

/// Appends the frame of an answer to the request with this tag: its results, or the status with which it failed.
pub fn write_answer<'a>(
    out: &mut Vec<u8>,
    channel: u32,
    tag: u32,
    results: Result<&[u64], u16>,
    attachments: impl ExactSizeIterator<Item = AttachedRef<'a>>,
) {
    let (status, results) = results.map_or_else(|status| (status, &[][..]), |results| (0, results));
    let head = Head { opcode: 0, words: results.len() as u16 + 2, tag }.pack();
    write_packet(out, channel, Way::Back, &[&[head, status.into()], results].concat(), attachments);
}

/// Appends the frame of an event.
pub fn write_event<'a>(
    out: &mut Vec<u8>,
    channel: u32,
    event: u8,
    operands: &[u64],
    attachments: impl ExactSizeIterator<Item = AttachedRef<'a>>,
) {
    let head = Head { opcode: EVENT_BASE + u16::from(event), words: operands.len() as u16 + 1, tag: 0 }.pack();
    write_packet(out, channel, Way::Back, &[&[head], operands].concat(), attachments);
}

fn frame(out: &mut Vec<u8>, kind: u8, payload: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    payload(&mut Writer { out });
    let words = (out.len() - start - 8) as u64 / 8;
    let head = u64::from(kind) | words << 32;
    if let Some(place) = out.get_mut(start..start + 8) {
        place.copy_from_slice(&head.to_le_bytes());
    }
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    fn number(&mut self, number: impl Into<u64>) {
        self.out.extend_from_slice(&number.into().to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        let padding = bytes.len().next_multiple_of(8) - bytes.len();
        self.out.extend_from_slice(&[0; 8][..padding]);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn words(&mut self, words: &[u64]) {
        self.number(words.len() as u64);
        self.out.reserve(words.len() * 8);
        words.iter().for_each(|word| self.number(*word));
    }

    fn mask(&mut self, mask: &[u64; 4]) {
        mask.iter().for_each(|word| self.number(*word));
    }

    fn list<T>(&mut self, list: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(list.len() as u64);
        list.iter().for_each(|one| each(self, one));
    }

    fn field(&mut self, field: &Field) {
        self.text(&field.name);
        self.number(field.code);
        self.text(&field.ty);
    }

    fn item(&mut self, item: &Item) {
        self.number(item.number);
        self.text(&item.name);
        self.list(&item.operands, Self::field);
        self.number(item.results.is_some());
        self.list(item.results.as_deref().unwrap_or_default(), Self::field);
    }

    fn set(&mut self, set: &Set) {
        self.number(set.number);
        self.text(&set.path);
        self.list(&set.instructions, Self::item);
        self.list(&set.events, Self::item);
    }

    fn vm(&mut self, vm: &Vm) {
        self.number(vm.vm);
        self.text(&vm.name);
        self.number(vm.index);
        self.number(vm.kind as u64);
        self.number(vm.memory_limit);
        self.list(&vm.sets, |to, set| to.number(*set));
    }

    fn channel(&mut self, channel: &Channel) {
        self.number(channel.channel);
        self.number(channel.sender);
        self.number(channel.receiver);
        self.number(channel.set.map_or(0, |set| u64::from(set) + 1));
        self.number(channel.slot);
        self.text(&channel.name);
        self.mask(&channel.ops);
        self.mask(&channel.events);
    }

    fn attachment(&mut self, attached: AttachedRef<'_>) {
        match attached {
            AttachedRef::None => self.number(0u64),
            AttachedRef::Buf { length, bytes } => {
                self.number(1u64);
                self.number(length);
                self.bytes(bytes);
            }
            AttachedRef::Object { ty, words } => {
                self.number(2u64);
                self.text(ty);
                self.words(words);
            }
            AttachedRef::Cap { right, generation } => {
                self.number(3u64);
                self.number(right);
                self.number(generation);
            }
        }
    }

    fn usage(&mut self, usage: &Usage) {
        let Usage { vm, processor, memory, memory_limit, sent, executed, queued, state } = usage;
        self.number(*vm);
        for number in [processor, memory, memory_limit, sent, executed, queued] {
            self.number(*number);
        }
        self.text(state);
    }

    fn right(&mut self, right: &Right) {
        self.number(right.what as u64);
        self.number(right.right);
        self.number(right.holder);
        self.number(right.target);
        self.mask(&right.ops);
    }
}

impl Frame {
    /// Appends the frame's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Start { virtual_clock, wall, program } => frame(out, kind::START, |to| {
                to.number(*virtual_clock);
                to.number(*wall);
                to.text(program);
            }),
            Frame::Set(set) => frame(out, kind::SET, |to| to.set(set)),
            Frame::Vm(vm) => frame(out, kind::VM, |to| to.vm(vm)),
            Frame::Channel(channel) => frame(out, kind::CHANNEL, |to| to.channel(channel)),
            Frame::Closed { channel, status } => frame(out, kind::CLOSED, |to| {
                to.number(*channel);
                to.number(*status);
            }),
            Frame::Ended { vm, how, text } => frame(out, kind::ENDED, |to| {
                to.number(*vm);
                to.number(*how as u64);
                to.text(text);
            }),
            Frame::At(time) => frame(out, kind::AT, |to| to.number(*time)),
            Frame::Clock(time) => frame(out, kind::CLOCK, |to| to.number(*time)),
            Frame::Packet(Packet { channel, way, words, attachments }) => {
                write_packet(out, *channel, *way, words, attachments.iter().map(Attached::lend));
            }
            Frame::Taken(packet) => frame(out, kind::TAKEN, |to| to.number(*packet)),
            Frame::Done(packet) => frame(out, kind::DONE, |to| to.number(*packet)),
            Frame::Turn { vm, what, name } => frame(out, kind::TURN, |to| {
                to.number(*vm);
                to.number(*what as u64);
                to.text(name);
            }),
            Frame::Rest { vm } => frame(out, kind::REST, |to| to.number(*vm)),
            Frame::Usage(usage) => frame(out, kind::USAGE, |to| to.usage(usage)),
            Frame::Lost { frames, bytes } => frame(out, kind::LOST, |to| {
                to.number(*frames);
                to.number(*bytes);
            }),
            Frame::Right(right) => frame(out, kind::RIGHT, |to| to.right(right)),
            Frame::End { code } => frame(out, kind::END, |to| to.number(*code)),
        }
    }

    /// The frame's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}
