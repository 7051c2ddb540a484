//! The handshake: every VM introduces itself in packets of [`super::base`], and is announced, granted
//! what it wants, and made ready, or refused.
//!
//! Two sides stand in this file. The *agent* speaks for a VM: it turns its module (or its
//! [`crate::service::Hello`]) into packets, and opens its slots by what is granted. The *base* hears
//! packets only, through the same choke point as every VM, and believes nothing else.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use il::isa::{EVENT_BASE, InstructionSet};
use il::limits;
use il::packet::{self, Builder, MAX_WORDS, Value};
use il::ranges::{Finding, Ranges};
use il::shape::Shapes;
use il::trap::Status;

use super::base::{self, event, op};
use super::channel::{Channel, ChannelId, Delivery, Executes, Link, Work};
use super::deliver::Arrived;
use super::directory::{Entry, Item};
use super::mask::Mask;
use super::rights::RightId;
use super::vm::{BASE, Body, Fate, Stage, Want};
use super::{System, external::Wanted};
use crate::engine::{LoadError, Packet, Program};
use crate::platform::Nanos;
use crate::service::{Reply, VmId};

/// How long a VM may take to complete the handshake.
pub const HANDSHAKE_LIMIT: Nanos = 2_000_000_000;
/// Longest name of a VM in bytes.
const MAX_NAME: usize = 64;
/// Most capabilities that one VM wants.
const MAX_WANTS: usize = 256;
/// Most instructions and events of one set.
const MAX_ITEMS: usize = 510;

/// A VM that was not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Its name.
    pub vm: String,
    /// Why.
    pub why: Refusal,
}

/// Why a VM was not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It could not be created.
    Load(LoadError),
    /// The base did not accept a step of its handshake.
    Protocol {
        /// Which step.
        step: String,
        /// Why.
        status: Status,
    },
    /// Nobody executes a set that it wants.
    NoProvider {
        /// The name under which it wants it.
        name: String,
        /// The set.
        set: String,
        /// A VM that nearly fits.
        similar: Option<String>,
    },
    /// It wants more than it is granted.
    NotGranted {
        /// The set.
        set: String,
        /// The instructions and events that are not granted.
        items: Vec<String>,
        /// Who executes them: the VM to be named in a grant.
        provider: String,
    },
    /// The VM that stands on the one that it wants is not there, or does not execute the set.
    NoLayer {
        /// The VM that should stand there.
        layer: String,
        /// The VM that is wanted.
        on: String,
        /// The set.
        set: String,
    },
    /// Its module has instructions whose constant operands lie outside of the limits of what it is granted.
    OutsideLimits {
        /// Which, where, and what is granted.
        findings: Vec<Finding>,
    },
    /// The VM that executes the set does not have this instruction or event.
    NoSuchItem {
        /// The set.
        set: String,
        /// The instruction or event.
        item: String,
        /// The VM that executes it.
        provider: String,
    },
    /// The VM that executes the set has this instruction or event with other operands or results.
    OtherSignature {
        /// The set.
        set: String,
        /// The instruction or event.
        item: String,
        /// The VM that executes it.
        provider: String,
    },
    /// Its `start` failed.
    Start(Status),
    /// Its `start` panicked.
    Panicked,
    /// It did not complete the handshake in time.
    Late,
    /// The base has no room for another VM.
    TooMany,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VM '{}' was refused: {}", self.vm, self.why)
    }
}

impl core::error::Error for Refused {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Load(error) => write!(f, "{error}"),
            Refusal::Protocol { step, status } => write!(f, "step `{step}` of its handshake failed: {status}"),
            Refusal::NoProvider { name, set, similar } => {
                write!(f, "no VM executes {set}, which it wants as `{name}`; plug one in with --plug {name}=FILE, ")?;
                write!(f, "or write [vm.{name}] module = \"FILE\" in system.toml and grant it")?;
                similar.as_ref().map_or(Ok(()), |vm| write!(f, " (there is {vm})"))
            }
            Refusal::NotGranted { set, items, provider } => {
                let list = items.join(",");
                let (named, quoted) = (items.join(", "), items.join("\", \""));
                write!(f, "it needs {set} {named}; grant it with --grant {provider}={list} ")?;
                write!(f, "or in system.toml, among its grants: {provider} = [\"{quoted}\"]")
            }
            Refusal::NoLayer { layer, on, set } => {
                write!(
                    f,
                    "VM '{layer}', which stands on `{on}`, is not there or does not execute {set}: let its module have `provides {set}`, or take `on = \"{on}\"` out of system.toml"
                )
            }
            Refusal::OutsideLimits { findings } => {
                f.write_str("some of its instructions lie outside of what it is granted:\n")?;
                findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
                f.write_str("  grant more by --grant or in system.toml, or keep to the limits")
            }
            Refusal::NoSuchItem { set, item, provider } => {
                write!(f, "it needs `{item}` of {set}, which VM '{provider}' does not have; ")?;
                f.write_str("name a VM that has it in `use`, or give that VM another `module` in system.toml")
            }
            Refusal::OtherSignature { set, item, provider } => {
                write!(
                    f,
                    "`{item}` of {set} has other operands or results in VM '{provider}' than in this module; compile both against one declaration"
                )
            }
            Refusal::Start(status) => write!(f, "it could not start: {status}"),
            Refusal::TooMany => write!(f, "there are {} VMs already", super::table::MAX_ENTRIES),
            Refusal::Panicked => f.write_str("it panicked while starting"),
            Refusal::Late => write!(f, "it did not complete the handshake within {} ms", HANDSHAKE_LIMIT / 1_000_000),
        }
    }
}

/// A capability that can be granted.
struct Plan {
    name: String,
    provider: VmId,
    /// Which of its sets.
    set: u8,
    ops: Mask,
    events: Mask,
    ranges: Option<Arc<Ranges>>,
}

// The agent's side.
impl System {
    /// Introduces a VM written in Rust, starts it, and completes its handshake.
    pub(super) fn introduce_service(&mut self, id: VmId, provides: &'static InstructionSet) -> Result<(), Refused> {
        let since = self.platform.now();
        self.introduce(id, &[provides], &[], &Shapes::NONE)?;
        let granted = self.grant(id, Vec::new());
        self.accept(id, &granted);
        if let Err(status) = self.start_service(id) {
            let panicked = matches!(&self.vm_ref(id).body, Body::Rust(rust) if rust.service.is_none());
            let why = if panicked { Refusal::Panicked } else { Refusal::Start(status) };
            return Err(self.refuse_vm(id, why));
        }
        if self.platform.now().saturating_sub(since) > HANDSHAKE_LIMIT {
            return Err(self.refuse_vm(id, Refusal::Late));
        }
        self.say_ready(id)
    }

    /// Introduces a VM that runs IL: what its module provides and uses is what it announces and wants.
    pub(super) fn introduce_program(&mut self, id: VmId, program: &Arc<Program>) -> Result<(), Refused> {
        let module = program.module();
        let provides = module.provides.iter().filter_map(|provides| module.isas.get(provides.isa.index()));
        let provides: Vec<&InstructionSet> = provides.collect();
        let mut sets = provides.iter().map(|set| Arc::new(Executes::new((*set).clone())));
        let vm = self.vm(id);
        (vm.executes, vm.further) = (sets.next(), sets.collect());
        let uses = module.uses.iter();
        let wants: Vec<Wanted> = uses
            .filter_map(|wanted| {
                Some(Wanted { name: wanted.name.clone(), set: module.isas.get(wanted.isa.index())?.clone() })
            })
            .collect();
        self.introduce(id, &provides, &wants, &Shapes::new(module))
    }

    /// Introduces one of the base's own VMs, which wants nothing, and completes its handshake.
    pub(super) fn introduce_builtin(&mut self, id: VmId, provides: &'static InstructionSet) -> Result<(), Refused> {
        self.introduce(id, &[provides], &[], &Shapes::NONE)?;
        let granted = self.grant(id, Vec::new());
        self.accept(id, &granted);
        self.say_ready(id)
    }

    pub(super) fn introduce_external(&mut self, id: VmId) -> Result<(), Refused> {
        let Body::External(external) = &self.vm_ref(id).body else { return Ok(()) };
        let wants = external.wants.clone();
        self.introduce(id, &[], &wants, &Shapes::NONE)
    }

    fn introduce(
        &mut self,
        id: VmId,
        provides: &[&InstructionSet],
        wants: &[Wanted],
        shapes: &Shapes<'_>,
    ) -> Result<(), Refused> {
        self.saw_vm(id);
        let channel = self.add_channel(Channel::new(id, u32::MAX, BASE, Mask::ALL, Mask::ALL));
        self.vm(id).base = Some(Link { channel, generation: self.channel_ref(channel).generation });
        let mut speech = Speech::default();
        speech.say(op::HELLO, &[Value::Str(&self.vm_ref(id).name)]);
        for set in provides {
            speech.say(op::PROVIDES, &[Value::Str(&set.path())]);
            speech.items(op::PROVIDED, set, shapes);
        }
        for want in wants {
            speech.say(op::WANTS, &[Value::Str(&want.name), Value::Str(&want.set.path())]);
            speech.items(op::WANTED, &want.set, shapes);
        }
        for words in speech.finish(op::DONE) {
            if let Err(status) = self.speak(id, words) {
                return Err(self.protocol(id, status));
            }
        }
        match self.vm(id).session.answer.take() {
            Some(Ok(reply)) => self.vm(id).index = reply.words.first().map_or(0, |word| *word as u32),
            Some(Err(status)) => return Err(self.protocol(id, status)),
            None => return Err(self.protocol(id, Status::PeerGone)),
        }
        self.saw_vm(id);
        Ok(())
    }

    fn speak(&mut self, id: VmId, words: Vec<u64>) -> Result<(), Status> {
        let link = self.vm_ref(id).base.ok_or(Status::PeerGone)?;
        self.enqueue(link, Packet { words, attachments: Vec::new() })
    }

    fn protocol(&mut self, id: VmId, status: Status) -> Refused {
        let step = self.vm(id).session.failed.take().unwrap_or_else(|| "hello".to_string());
        self.refuse_vm(id, Refusal::Protocol { step, status })
    }

    fn refuse_vm(&mut self, id: VmId, why: Refusal) -> Refused {
        let refused = Refused { vm: self.vm_ref(id).name.clone(), why };
        self.end(id, Fate::Refused(refused.clone()));
        refused
    }

    /// Opens slots by what `granted` packets say.
    fn accept(&mut self, id: VmId, granted: &[u64]) {
        let params = &base::SET.events[0].params;
        for instruction in packet::instructions(granted) {
            let Ok((_, words)) = instruction else { return };
            if packet::check(params, words, 0).is_err() {
                return;
            }
            let mut reader = packet::Reader::new(words);
            let values: Vec<Value<'_>> = params.iter().filter_map(|param| reader.next(param.ty).ok()).collect();
            let [Value::I32(slot), _, _, Value::I32(channel), Value::I32(generation)] = values[..] else { return };
            let link = Link { channel: ChannelId(channel as u32), generation: generation as u32 };
            let capability = self.rights.capability(self.channel_ref(link.channel).right);
            let vm = self.vm(id);
            vm.slots.resize(vm.slots.len().max(slot as usize + 1), None);
            vm.slots[slot as usize] = Some(link);
            if let Some(il) = vm.il() {
                il.instance.open_slot(slot as usize, link.channel.0, link.generation);
                il.instance.set_capability(slot as usize, capability);
            }
        }
        if let Some(il) = self.vm(id).il() {
            // The last slot carries the VM's own events; the base hands them on.
            let own = il.instance.events_slot();
            il.instance.open_slot(own, 0, 0);
        }
    }

    fn say_ready(&mut self, id: VmId) -> Result<(), Refused> {
        for words in Speech::default().finish(op::READY) {
            if let Err(status) = self.speak(id, words) {
                return Err(self.protocol(id, status));
            }
        }
        match self.vm(id).session.answer.take() {
            Some(Ok(_)) => Ok(()),
            Some(Err(status)) => Err(self.protocol(id, status)),
            None => Err(self.protocol(id, Status::PeerGone)),
        }
    }
}

// The base's side.
impl System {
    /// Grants what every announced VM wants, and makes it ready. One whose wants cannot be met is
    /// refused, and so are those that then want something of it; the others go on.
    /// [`System::run`] does this first; it may be repeated after VMs were added.
    pub fn connect(&mut self) {
        let plans = loop {
            let announced = |vm: &super::vm::Vm| vm.fate.is_none() && vm.session.stage == Stage::Announced;
            let ids: Vec<VmId> =
                self.vms.iter().filter(|(_, vm)| announced(vm)).map(|(number, _)| VmId(number)).collect();
            let (mut plans, mut refused) = (Vec::new(), false);
            for id in ids {
                match self.plan(id) {
                    Ok(plan) => plans.push((id, plan)),
                    Err(why) => {
                        self.report_refused(id, why);
                        refused = true;
                    }
                }
            }
            if !refused {
                break plans;
            }
        };
        let ids: Vec<VmId> = plans.iter().map(|(id, _)| *id).collect();
        for (id, plan) in plans {
            let granted = self.grant(id, plan);
            self.accept(id, &granted);
        }
        for id in ids {
            if matches!(&self.vm_ref(id).body, Body::External(external) if external.silent) {
                self.add_handshake_timer(id);
            } else if self.say_ready(id).is_ok() {
                self.begin(id);
            }
        }
    }

    /// Tells services that somebody handles their events now: input that was kept can go out.
    fn wake_sources(&mut self, id: VmId) {
        for slot in 0..self.vm_ref(id).slots.len() {
            let Some(link) = self.vm_ref(id).link(slot) else { continue };
            let channel = self.channel_ref(link.channel);
            if channel.events != Mask::NONE {
                let source = channel.receiver;
                self.wake_service(source);
            }
        }
    }

    /// Lets a ready VM run.
    fn begin(&mut self, id: VmId) {
        match self.vm(id).il() {
            Some(il) if !il.is_idle() => self.make_ready(id),
            _ => self.notify(id),
        }
        self.wake_sources(id);
    }

    /// The handshake's time is up.
    pub(super) fn handshake_expired(&mut self, id: VmId) {
        if self.vm_ref(id).session.stage < Stage::Ready {
            self.report_refused(id, Refusal::Late);
        }
    }

    /// Refuses a VM when nobody is there to be told but the log.
    fn report_refused(&mut self, id: VmId, why: Refusal) {
        let refused = self.refuse_vm(id, why);
        if !self.options.verbose {
            self.log(format_args!("{refused}"));
        }
    }

    /// Finds a VM for each want, and compares signatures and grants.
    fn plan(&self, id: VmId) -> Result<Vec<Plan>, Refusal> {
        let vm = self.vm_ref(id);
        let plan = |want: &Want| {
            let set = want.set.clone();
            let Some(meant) = self.meant(id, &set, &want.name) else {
                let similar = self.directory.similar(&set, &want.name);
                let similar = similar.map(|entry| {
                    format!("{}/{}: {}", entry.name, entry.index, entry.set.as_deref().unwrap_or("no set"))
                });
                return Err(Refusal::NoProvider { name: want.name.clone(), set, similar });
            };
            let entry = self.stand_in(id, meant)?;
            compare(want, entry)?;
            let denied = |item: &&Item| !vm.options.grants.permits(&meant.name, &set, &item.name);
            let items: Vec<String> = want.items.iter().filter(denied).map(|item| item.name.clone()).collect();
            if !items.is_empty() {
                return Err(Refusal::NotGranted { set, items, provider: meant.name.clone() });
            }
            let numbers = want.items.iter().map(|item| item.number);
            let ops: Mask = numbers.clone().filter_map(|number| u8::try_from(number).ok()).collect();
            let events = numbers.filter_map(|number| u8::try_from(number.checked_sub(EVENT_BASE)?).ok()).collect();
            let ranges = self.limits(id, meant, entry.vm, ops);
            let set = self.vm_ref(entry.vm).place_of_set(&want.set);
            Ok(Plan { name: want.name.clone(), provider: entry.vm, set, ops, events, ranges })
        };
        let plans = vm.session.wants.iter().map(plan).collect::<Result<Vec<Plan>, Refusal>>()?;
        let limits: Vec<Option<Arc<Ranges>>> = plans.iter().map(|plan| plan.ranges.clone()).collect();
        self.check_constants(id, &limits)?;
        Ok(plans)
    }

    /// Makes the channels of a plan; returns the `granted` packet that tells the VM.
    fn grant(&mut self, id: VmId, plans: Vec<Plan>) -> Vec<u64> {
        let mut builder = Builder::default();
        for (slot, plan) in plans.into_iter().enumerate() {
            let right = self.new_right(plan.provider, plan.set, plan.ops, plan.ranges.clone()).unwrap_or(RightId::NONE);
            let mut channel = Channel::new(id, slot as u32, plan.provider, plan.ops, plan.events);
            channel.ranges = plan.ranges;
            channel.set = plan.set;
            let generation = channel.generation;
            let channel = self.open_channel(channel, right);
            let provider = self.vm_ref(plan.provider);
            let (name, index) = (provider.name.clone(), provider.index);
            let me = self.vm_ref(id).address();
            self.trace(format_args!("handshake {me}: granted {} -> {name}/{index}", plan.name));
            builder.begin(EVENT_BASE + u16::from(event::GRANTED), 0);
            for value in [
                Value::I32(slot as i32),
                Value::Str(&name),
                Value::I32(index as i32),
                Value::I32(channel.0 as i32),
                Value::I32(generation as i32),
            ] {
                builder.push(value);
            }
            let _ = builder.end();
        }
        self.vm(id).session.stage = Stage::Granted;
        builder.words
    }

    /// Executes what came for the base.
    pub(super) fn run_base(&mut self) {
        let Some(executes) = self.vm_ref(BASE).executes.clone() else { return };
        while let Some(delivery) = self.next_delivery(BASE) {
            let Delivery::Packet(mut work) = delivery else { continue };
            while let Some(arrived) = self.arrive(&executes, &mut work) {
                self.hear(&executes, &work, arrived);
            }
            self.packet_done(work);
        }
    }

    fn hear(&mut self, executes: &Executes, work: &Work, arrived: Arrived) {
        let sender = self.channel_ref(work.link.channel).sender;
        let (head, result) = match arrived {
            Arrived::Refused { head, status } => (head, Err(status)),
            // The base runs no programs: they are refused before.
            Arrived::Parked => return,
            Arrived::Request { head, operands, position } => {
                let params = &executes.set.instructions[position].params;
                let mut reader = packet::Reader::new(&work.words[operands]);
                let values: Vec<Value<'_>> = params.iter().filter_map(|param| reader.next(param.ty).ok()).collect();
                (head, self.heard(sender, head.opcode as u8, &values))
            }
        };
        if result.is_err() {
            let step = executes.instruction(head.opcode).map_or_else(|| "?".to_string(), |i| i.name.to_string());
            self.vm(sender).session.failed.get_or_insert(step);
        }
        self.answer(work.link.channel, head.tag, result);
    }

    /// One step of a VM's handshake.
    fn heard(&mut self, from: VmId, opcode: u8, values: &[Value<'_>]) -> Result<Reply, Status> {
        let session = &mut self.vm(from).session;
        let wanted_stage = match opcode {
            op::HELLO => Stage::New,
            op::READY => Stage::Granted,
            _ => Stage::Introducing,
        };
        if session.stage != wanted_stage {
            return Err(Status::NotPermitted);
        }
        match (opcode, values) {
            (op::HELLO, [Value::Str(name)]) => {
                if !is_name(name) {
                    return Err(Status::BadOperand);
                }
                session.name = name.to_string();
                session.stage = Stage::Introducing;
            }
            (op::PROVIDES, [Value::Str(set)]) if session.provided.len() < limits::PROVIDES => {
                session.provided.push((set.to_string(), Vec::new()));
            }
            (op::PROVIDED, [number, name, hash @ ..]) => {
                let (_, items) = session.provided.last_mut().ok_or(Status::NotPermitted)?;
                add_item(items, number, name, hash)?;
            }
            (op::WANTS, [Value::Str(name), Value::Str(set)]) if session.wants.len() < MAX_WANTS => {
                session.wants.push(Want { name: name.to_string(), set: set.to_string(), items: Vec::new() });
            }
            (op::WANTED, [number, name, hash @ ..]) => {
                let want = session.wants.last_mut().ok_or(Status::NotPermitted)?;
                add_item(&mut want.items, number, name, hash)?;
            }
            (op::DONE, []) => return self.announce(from),
            (op::READY, []) => {
                session.stage = Stage::Ready;
                self.trace(format_args!("handshake {}: ready", self.vm_ref(from).address()));
                self.raise_arrived(from);
            }
            _ => return Err(Status::NotPermitted),
        }
        Ok(Reply::none())
    }

    fn announce(&mut self, id: VmId) -> Result<Reply, Status> {
        let session = &mut self.vm(id).session;
        session.stage = Stage::Announced;
        let (name, provided) = (session.name.clone(), session.provided.clone());
        let paths: Vec<&str> = provided.iter().map(|(set, _)| set.as_str()).collect();
        let provides = if paths.is_empty() { String::new() } else { format!(", executes {}", paths.join(", ")) };
        let mut sets = provided.into_iter();
        let (set, items) = sets.next().map_or((None, Vec::new()), |(set, items)| (Some(set), items));
        let index = match self.vm(id).supervision.index.take() {
            Some(index) => self.directory.announce_again(id, &name, index, set, items),
            None => self.directory.announce(id, &name, set, items),
        };
        sets.for_each(|(set, items)| self.directory.announce_set(id, set, items));
        self.trace(format_args!("handshake {name}/{index}: hello{provides}"));
        for want in &self.vm_ref(id).session.wants {
            let items: Vec<&str> = want.items.iter().map(|item| item.name.as_str()).collect();
            self.trace(format_args!(
                "handshake {name}/{index}: wants {} as {} {{{}}}",
                want.set,
                want.name,
                items.join(", ")
            ));
        }
        Ok(Reply::new(&[Value::I32(index as i32)], Vec::new()))
    }
}

/// Compares what is wanted with what is there, by signature hash.
fn compare(want: &Want, entry: &Entry) -> Result<(), Refusal> {
    let provider = || format!("{}/{}", entry.name, entry.index);
    for item in &want.items {
        let (set, name) = (want.set.clone(), item.name.clone());
        match entry.items.iter().find(|other| other.number == item.number) {
            None => return Err(Refusal::NoSuchItem { set, item: name, provider: provider() }),
            Some(other) if other.hash != item.hash => {
                return Err(Refusal::OtherSignature { set, item: name, provider: provider() });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn add_item(items: &mut Vec<Item>, number: &Value<'_>, name: &Value<'_>, hash: &[Value<'_>]) -> Result<(), Status> {
    let (Value::I32(number), Value::Str(name)) = (number, name) else { return Err(Status::BadOperand) };
    let number = u16::try_from(*number).map_err(|_| Status::OutOfRange)?;
    let local = number & !EVENT_BASE;
    if items.len() >= MAX_ITEMS || local == 0 || local > 255 || items.iter().any(|item| item.number == number) {
        return Err(Status::OutOfRange);
    }
    let mut bytes = [0; 32];
    for (part, value) in bytes.chunks_exact_mut(8).zip(hash) {
        let Value::I64(word) = value else { return Err(Status::BadOperand) };
        part.copy_from_slice(&word.to_le_bytes());
    }
    items.push(Item { number, name: name.to_string(), hash: bytes });
    Ok(())
}

/// Names are printed in addresses and reports, and written in manifests.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain)
}

/// What a VM says, in as many packets as it takes.
#[derive(Default)]
struct Speech {
    packets: Vec<Vec<u64>>,
    builder: Builder,
}

impl Speech {
    fn say(&mut self, opcode: u8, values: &[Value<'_>]) {
        if self.builder.words.len() > MAX_WORDS / 2 {
            self.packets.push(core::mem::take(&mut self.builder).words);
        }
        self.builder.begin(u16::from(opcode), 0);
        for value in values {
            self.builder.push(*value);
        }
        let _ = self.builder.end();
    }

    /// The instructions and events of a set, with their hashes.
    fn items(&mut self, opcode: u8, set: &InstructionSet, shapes: &Shapes<'_>) {
        for instruction in set.instructions.iter() {
            self.item(
                opcode,
                u16::from(instruction.opcode),
                &instruction.name,
                set.instruction_hash(instruction, shapes),
            );
        }
        for event in set.events.iter() {
            self.item(opcode, EVENT_BASE + u16::from(event.number), &event.name, set.event_hash(event, shapes));
        }
    }

    fn item(&mut self, opcode: u8, number: u16, name: &str, hash: [u8; 32]) {
        let mut values = alloc::vec![Value::I32(i32::from(number)), Value::Str(name)];
        let word = |part: &[u8]| part.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        values.extend(hash.chunks_exact(8).map(|part| Value::I64(word(part) as i64)));
        self.say(opcode, &values);
    }

    /// The packets, ended by an instruction that is answered.
    fn finish(mut self, opcode: u8) -> Vec<Vec<u64>> {
        self.builder.begin(u16::from(opcode), 1);
        let _ = self.builder.end();
        self.packets.push(self.builder.words);
        self.packets
    }
}
