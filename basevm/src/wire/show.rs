//! Frames for people: who is meant by a number, and what a packet's words say.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use il::Type;
use il::isa::EVENT_BASE;
use il::packet::{self, Head, Reader, Value};
use il::trap::Status;

use crate::system::{IDENTITY_WORDS, RUN, UPLOAD};

use super::{Attached, Channel, Field, Frame, Item, Packet, Set, Vm, Way};

/// Most characters of a text that are shown.
const MAX_SHOWN: usize = 60;

/// What a stream has said so far about VMs, channels and sets.
#[derive(Clone, Debug, Default)]
pub struct Names {
    vms: BTreeMap<u32, Vm>,
    channels: BTreeMap<u32, Channel>,
    sets: BTreeMap<u32, Set>,
    /// Opcodes of the requests that wait for an answer, by channel and tag.
    asked: BTreeMap<(u32, u32), u16>,
}

/// What one part of a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// An instruction, and whether an answer is wanted.
    Instruction {
        /// Whether the sender waits for it.
        waits: bool,
    },
    /// An answer.
    Reply,
    /// An answer that says why there is none.
    Failure,
    /// An event.
    Event,
    /// Words that mean nothing.
    Malformed,
}

/// One instruction, reply or event, as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// What it is.
    pub what: What,
    /// The instruction's or event's name; of a reply, that of its request.
    pub name: String,
    /// Operands or results: name (may be empty) and value. Of a failure: the status.
    pub values: Vec<(String, String)>,
}

impl Names {
    /// Takes note of a frame.
    pub fn learn(&mut self, frame: &Frame) {
        match frame {
            Frame::Vm(vm) => _ = self.vms.insert(vm.vm, vm.clone()),
            Frame::Channel(channel) => {
                self.asked.retain(|(asked, _), _| *asked != channel.channel);
                self.channels.insert(channel.channel, channel.clone());
            }
            Frame::Set(set) => _ = self.sets.insert(set.number, set.clone()),
            _ => {}
        }
    }

    /// All VMs that were introduced, also those that have ended, by number.
    pub fn vms(&self) -> impl Iterator<Item = &Vm> {
        self.vms.values()
    }

    /// All channels, by number.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// A VM by its number.
    pub fn vm(&self, vm: u32) -> Option<&Vm> {
        self.vms.get(&vm)
    }

    /// A channel by its number.
    pub fn channel(&self, channel: u32) -> Option<&Channel> {
        self.channels.get(&channel)
    }

    /// A set by its number.
    pub fn set(&self, set: u32) -> Option<&Set> {
        self.sets.get(&set)
    }

    /// The set that a channel speaks.
    pub fn set_of(&self, channel: u32) -> Option<&Set> {
        self.set(self.channel(channel)?.set?)
    }

    /// `name`, or `name/index` for a further VM of a name.
    pub fn address(&self, vm: u32) -> String {
        match self.vm(vm) {
            Some(Vm { name, index: 0, .. }) => name.clone(),
            Some(Vm { name, index, .. }) => format!("{name}/{index}"),
            None => format!("#{vm}"),
        }
    }

    /// What a packet says, part by part. To be called once a packet, in the stream's order: replies are
    /// shown by what they answer.
    pub fn read(&mut self, packet: &Packet) -> Vec<Said> {
        let parts = packet::instructions(&packet.words);
        parts
            .map(|part| part.map_or_else(|_| Said::malformed(), |(head, words)| self.part(packet, head, words)))
            .collect()
    }

    fn part(&mut self, packet: &Packet, head: Head, words: &[u64]) -> Said {
        match packet.way {
            Way::Forth => {
                if head.tag != 0 {
                    self.asked.insert((packet.channel, head.tag), head.opcode);
                }
                if let Some(said) = program(packet, head, words) {
                    return said;
                }
                let item = self.item(packet.channel, head.opcode);
                let what = What::Instruction { waits: head.tag != 0 };
                said(what, item, head.opcode, item.map(|item| item.operands.as_slice()), words, &packet.attachments)
            }
            Way::Back if head.opcode == 0 => self.reply(packet, head, words),
            Way::Back => {
                let item = self.item(packet.channel, head.opcode);
                let number = head.opcode.wrapping_sub(EVENT_BASE);
                let operands = item.map(|item| item.operands.as_slice());
                said(What::Event, item, number, operands, words, &packet.attachments)
            }
        }
    }

    fn reply(&mut self, packet: &Packet, head: Head, words: &[u64]) -> Said {
        let opcode = self.asked.remove(&(packet.channel, head.tag)).unwrap_or(0);
        let item = self.item(packet.channel, opcode);
        let Some((status, results)) = words.split_first() else { return Said::malformed() };
        if *status == 0 {
            let fields = item.and_then(|item| item.results.as_deref());
            return said(What::Reply, item, opcode, fields, results, &packet.attachments);
        }
        let status = u16::try_from(*status).ok().and_then(Status::from_code);
        let text = status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string());
        Said { what: What::Failure, name: name_of(item, opcode), values: alloc::vec![("status".to_owned(), text)] }
    }

    fn item(&self, channel: u32, opcode: u16) -> Option<&Item> {
        let set = self.set_of(channel)?;
        let (list, number) = match opcode.checked_sub(EVENT_BASE) {
            Some(event) => (&set.events, event),
            None => (&set.instructions, opcode),
        };
        list.iter().find(|item| u16::from(item.number) == number)
    }
}

/// A device program that is brought, or run by its identity.
fn program(packet: &Packet, head: Head, words: &[u64]) -> Option<Said> {
    let what = What::Instruction { waits: head.tag != 0 };
    if head.opcode == UPLOAD {
        let values = alloc::vec![("program".to_owned(), attached(packet.attachments.first()))];
        return Some(Said { what, name: "upload".to_owned(), values });
    }
    let (identity, arguments) = words.split_first_chunk::<IDENTITY_WORDS>().filter(|_| head.opcode == RUN)?;
    let mut values = alloc::vec![("program".to_owned(), format!("{:08x}", identity[0].to_be() >> 32))];
    values.extend(arguments.iter().map(|word| (String::new(), format!("{word:#x}"))));
    Some(Said { what, name: "run".to_owned(), values })
}

fn name_of(item: Option<&Item>, number: u16) -> String {
    item.map_or_else(|| format!("#{number}"), |item| item.name.clone())
}

fn said(
    what: What,
    item: Option<&Item>,
    number: u16,
    fields: Option<&[Field]>,
    words: &[u64],
    attachments: &[Attached],
) -> Said {
    let values = fields.and_then(|fields| values(fields, words, attachments));
    // Without its declaration, or not in its form: the words themselves.
    let raw = || words.iter().map(|word| (String::new(), format!("{word:#x}"))).collect();
    Said { what, name: name_of(item, number), values: values.unwrap_or_else(raw) }
}

fn values(fields: &[Field], words: &[u64], attachments: &[Attached]) -> Option<Vec<(String, String)>> {
    let mut reader = Reader::new(words);
    let mut list = Vec::with_capacity(fields.len());
    for field in fields {
        list.push((field.name.clone(), value(field, &mut reader, attachments)?));
    }
    reader.finish().ok()?;
    Some(list)
}

fn value(field: &Field, reader: &mut Reader<'_>, attachments: &[Attached]) -> Option<String> {
    let inline = Type::plain(field.code).filter(|ty| ty.is_number() || matches!(ty, Type::Str | Type::Buf));
    Some(match reader.next(inline.unwrap_or(Type::I64)).ok()? {
        Value::I32(color) if field.name == "color" => format!("{:#08x}", color as u32),
        Value::I32(number) => number.to_string(),
        Value::I64(word) if inline.is_none() => reference(field, word as u64, attachments),
        Value::I64(number) => number.to_string(),
        Value::F32(number) => format!("{number:?}"),
        Value::F64(number) => format!("{number:?}"),
        Value::V128(number) => format!("{number:#034x}"),
        Value::Bool(truth) => truth.to_string(),
        Value::Str(text) => quoted(text),
        Value::Buf(index) | Value::Ref(index) | Value::OptRef(Some(index)) => {
            typed(field, attachments.get(index as usize))
        }
        Value::OptRef(None) => "null".to_owned(),
    })
}

/// A reference word: an index into the attachments; of a nullable type 0 is null, and others count from 1.
fn reference(field: &Field, word: u64, attachments: &[Attached]) -> String {
    let nullable = field.code == Type::OPT_CODE || Type::plain(field.code).is_some_and(Type::is_nullable);
    let index = if nullable { word.checked_sub(1) } else { Some(word) };
    match index {
        None => "null".to_owned(),
        Some(index) => typed(field, usize::try_from(index).ok().and_then(|index| attachments.get(index))),
    }
}

/// An attachment, by the type that its operand declares.
fn typed(field: &Field, attachment: Option<&Attached>) -> String {
    match attachment {
        Some(Attached::Object { .. } | Attached::Cap { .. }) => {
            let name = field.ty.trim_start_matches('?');
            format!("{name} ({})", attached(attachment))
        }
        Some(Attached::Buf { .. } | Attached::None) | None => attached(attachment),
    }
}

fn attached(attached: Option<&Attached>) -> String {
    match attached {
        Some(Attached::Buf { length, .. }) => format!("buf of {length}"),
        Some(Attached::Object { ty, .. }) => ty.clone(),
        Some(Attached::Cap { right, .. }) => format!("right {right}"),
        Some(Attached::None) | None => "?".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?}.. {} bytes", text.get(..at).unwrap_or_default(), text.len()),
    }
}

impl Said {
    fn malformed() -> Said {
        Said { what: What::Malformed, name: "malformed".to_owned(), values: Vec::new() }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = |f: &mut fmt::Formatter<'_>| {
            for (at, (_, value)) in self.values.iter().enumerate() {
                let comma = if at > 0 { ", " } else { "" };
                write!(f, "{comma}{value}")?;
            }
            Ok(())
        };
        match self.what {
            What::Instruction { .. } | What::Event => {
                write!(f, "{}(", self.name)?;
                values(f)?;
                f.write_str(")")
            }
            What::Reply if self.values.is_empty() => write!(f, "{} = ok", self.name),
            What::Reply => {
                write!(f, "{} = ", self.name)?;
                values(f)
            }
            What::Failure => {
                write!(f, "{} failed: ", self.name)?;
                values(f)
            }
            What::Malformed => f.write_str("malformed words"),
        }
    }
}
