//! The VMs that are a part of the base: `directory` and `system`. To others they are VMs like any: with a
//! handshake, rights and a choke point; their instructions are executed here.
//!
//! Their sets are data that comes from outside: instructions and events are found by their declared names.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use il::isa::{Instruction, InstructionSet};
use il::packet::{self, Builder, Head, MAX_WORDS, Value};
use il::trap::Status;

use super::channel::{ChannelId, Delivery, Executes, Work};
use super::deliver::Arrived;
use super::directory::{Attributes, Entry, Query};
use super::vm::{Body, Vm};
use super::{Mask, Refused, System, VmOptions};
use crate::attachment::Attachment;
use crate::buf::Account;
use crate::service::{Reply, VmId};

/// Longest text that a list answers, in bytes: it has to fit into a packet.
const MAX_LIST_BYTES: usize = (MAX_WORDS - 16) * 8;
/// Stands at the end of a list that was cut there.
const MORE: &str = "...";

/// Which of the base's VMs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Builtin {
    /// Executes `cascade.directory@1`.
    Directory,
    /// Executes `cascade.system@1`.
    System,
}

impl Builtin {
    /// The name of its VM, unless its options say otherwise.
    pub const fn name(self) -> &'static str {
        match self {
            Builtin::Directory => "directory",
            Builtin::System => "system",
        }
    }
}

/// One request, taken apart.
pub(super) struct Asked<'a> {
    pub caller: VmId,
    pub channel: ChannelId,
    pub head: Head,
    pub values: &'a [Value<'a>],
    pub attachments: &'a mut [Option<Attachment>],
}

impl System {
    /// Adds one of the base's own VMs, which executes `set`, and completes its handshake.
    ///
    /// # Errors
    /// As [`System::add_service`].
    pub fn add_builtin(
        &mut self,
        builtin: Builtin,
        set: &'static InstructionSet,
        options: VmOptions,
    ) -> Result<VmId, Refused> {
        let name = if options.name.is_empty() { builtin.name().into() } else { options.name };
        let options = VmOptions { name, ..options };
        let account = Account::new(options.memory_bytes);
        let id = self.insert(Vm::new(options, account, Body::Builtin(builtin)))?;
        self.vm(id).executes = Some(Arc::new(Executes::new(set.clone())));
        if builtin == Builtin::Directory {
            self.directory_vm = Some(id);
        }
        self.introduce_builtin(id, set)?;
        Ok(id)
    }

    /// Executes all that waits in the inbox of one of the base's VMs.
    pub(super) fn run_builtin(&mut self, id: VmId) {
        let Body::Builtin(builtin) = self.vm_ref(id).body else { return };
        let Some(executes) = self.vm_ref(id).executes.clone() else { return };
        while let Some(delivery) = self.next_delivery(id) {
            let Delivery::Packet(mut work) = delivery else { continue };
            let mut parked = false;
            while let Some(arrived) = self.arrive(&executes, &mut work) {
                match arrived {
                    Arrived::Parked => {
                        parked = true;
                        break;
                    }
                    Arrived::Refused { head, status } => self.refuse(&work, head, status),
                    Arrived::Request { head, operands, position } => {
                        self.vm(id).executed += 1;
                        let instruction = &executes.set.instructions[position];
                        self.ask_builtin(builtin, instruction, &mut work, head, operands);
                    }
                }
            }
            if parked { self.park(work) } else { self.packet_done(work) }
        }
        if builtin == Builtin::System {
            self.step_spawn(id);
        }
    }

    fn ask_builtin(
        &mut self,
        builtin: Builtin,
        instruction: &Instruction,
        work: &mut Work,
        head: Head,
        operands: core::ops::Range<usize>,
    ) {
        let channel = work.link.channel;
        let caller = self.acting_sender(channel);
        let Work { words, attachments, .. } = work;
        let mut reader = packet::Reader::new(&words[operands]);
        let values: Vec<Value<'_>> = instruction.params.iter().filter_map(|param| reader.next(param.ty).ok()).collect();
        let asked = Asked { caller, channel, head, values: &values, attachments };
        let result = match builtin {
            Builtin::Directory => Some(self.ask_directory(&instruction.name, &asked)),
            Builtin::System => self.ask_system(&instruction.name, asked),
        };
        if let Some(result) = result {
            self.answer(channel, head.tag, result);
        }
    }

    fn ask_directory(&mut self, instruction: &str, asked: &Asked<'_>) -> Result<Reply, Status> {
        let caller = asked.caller;
        match (instruction, asked.values) {
            ("announce", [Value::Str(name), Value::Str(attributes)]) => self.announce_further(caller, name, attributes),
            ("withdraw", []) => {
                let gone = self.directory.withdraw_further(caller);
                self.raise_left(gone);
                Ok(Reply::none())
            }
            ("lookup", [Value::Str(set), Value::Str(name), Value::I32(index)]) => {
                self.look_up(caller, set, name, *index)
            }
            ("list", [Value::Str(set)]) => {
                let query = Query::parse(set).ok_or(Status::BadOperand)?;
                let fits = |entry: &&Entry| {
                    (query.text.is_empty() || entry.set() == query.text)
                        && query.fits(entry)
                        && self.sees(caller, entry)
                };
                let line = |entry: &Entry| {
                    format!("{}/{} {} {}", entry.name, entry.index, entry.set(), entry.attributes).trim_end().into()
                };
                let text = list(self.directory.entries().filter(|entry| entry.live).filter(fits).map(line));
                Ok(Reply::new(&[Value::Str(&text)], Vec::new()))
            }
            ("subscribe", [Value::Str(set)]) => match self.directory.subscribe(caller, set) {
                true => Ok(Reply::none()),
                false => Err(Status::Quota),
            },
            _ => Err(Status::NotSupported),
        }
    }

    fn announce_further(&mut self, id: VmId, name: &str, attributes: &str) -> Result<Reply, Status> {
        let attributes = Attributes::parse(attributes).ok_or(Status::BadOperand)?;
        if !super::handshake::is_name(name) {
            return Err(Status::BadOperand);
        }
        let entry = self.directory.announce_further(id, name, attributes).ok_or(Status::Quota)?.clone();
        self.raise_named("arrived", &entry);
        Ok(Reply::new(&[Value::I32(entry.index as i32)], Vec::new()))
    }

    /// What a VM may send to one that it looks for, as far as its grants go.
    fn look_up(&mut self, asker: VmId, set: &str, name: &str, index: i32) -> Result<Reply, Status> {
        let query = Query::parse(name).ok_or(Status::BadOperand)?;
        let index = u32::try_from(index).ok();
        let fits = |entry: &&Entry| {
            let named = query.text.is_empty() || entry.is_meant_by(query.text) && entry.set() != query.text;
            entry.live
                && entry.set.as_deref() == Some(set)
                && named
                && index.is_none_or(|index| entry.index == index)
                && query.fits(entry)
                && self.sees(asker, entry)
        };
        let Some(meant) = self.directory.entries().find(fits) else {
            return Ok(Reply::new(&[Value::OptRef(None)], Vec::new()));
        };
        let target = self.stand_in(asker, meant).map_err(|_| Status::PeerGone)?.vm;
        let place = self.vm_ref(target).place_of_set(set);
        let executes = self.vm_ref(target).executes_set(place).cloned().ok_or(Status::PeerGone)?;
        let grants = &self.vm_ref(asker).options.grants;
        let is_child = self.vm_ref(asker).children.contains(&meant.vm);
        let instructions = executes.set.instructions.iter();
        let permitted = instructions.filter(|one| is_child || grants.permits(&meant.name, set, &one.name));
        let ops: Mask = permitted.map(|one| one.opcode).collect();
        if ops == Mask::NONE {
            return Ok(Reply::new(&[Value::OptRef(None)], Vec::new()));
        }
        let ranges = self.limits(asker, meant, target, ops);
        let attachment = self.grant_attachment(target, place, ops, ranges)?;
        Ok(Reply::new(&[Value::OptRef(Some(0))], alloc::vec![attachment]))
    }

    /// Whether a VM's manifest lets it see a name. It always sees itself and what it has spawned.
    pub(super) fn sees(&self, asker: VmId, entry: &Entry) -> bool {
        let vm = self.vm_ref(asker);
        if entry.vm == asker || vm.children.contains(&entry.vm) {
            return true;
        }
        match &vm.options.sees {
            Some(list) => list.iter().any(|seen| entry.is_meant_by(seen)),
            None => vm.options.grants.name(&entry.name, entry.set()),
        }
    }

    /// A VM has become ready: whoever waits for it hears so.
    pub(super) fn raise_arrived(&mut self, id: VmId) {
        for entry in self.directory.open(id) {
            self.raise_named("arrived", &entry);
        }
    }

    /// Names have gone: whoever saw them hears so.
    pub(super) fn raise_left(&mut self, gone: Vec<Entry>) {
        for entry in gone.iter().filter(|entry| entry.live) {
            self.raise_named("left", entry);
        }
    }

    fn raise_named(&mut self, event: &str, entry: &Entry) {
        let Some(source) = self.directory_vm else { return };
        let Some(executes) = self.vm_ref(source).executes.clone() else { return };
        let Some(number) = executes.set.event_named(event).map(|event| event.number) else { return };
        let mut builder = Builder::default();
        for value in [Value::Str(&entry.name), Value::I32(entry.index as i32), Value::Str(entry.set())] {
            builder.push(value);
        }
        for subscriber in self.directory.subscribers(entry.set()) {
            if self.sees(subscriber, entry) {
                // The operands are those declared; what may fail is the copying of buffers, and there are none.
                let _ = self.raise(source, Some(subscriber), (0, number), &builder.words, Vec::new());
            }
        }
    }
}

/// Lines, cut where they would not fit into a packet.
pub(super) fn list(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push('\n');
        }
        if text.len() + line.len() + MORE.len() + 1 > MAX_LIST_BYTES {
            text.push_str(MORE);
            break;
        }
        text.push_str(&line);
    }
    text
}
