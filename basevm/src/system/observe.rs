//! Seeing what happens: one [`Observer`] is told of every VM, channel, packet, event and turn.
//!
//! Without an observer each hook is one branch. With one, the processor time of each VM is measured too: a turn
//! that runs inside another one (a VM written in Rust, on its caller's slice) is charged to itself alone. An
//! observer sees; it cannot change what it sees.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use il::Module;
use il::isa::InstructionSet;
use il::packet::Head;
use il::trap::Status;

use super::channel::{ChannelId, Delivery, Link};
use super::rights::RightId;
use super::vm::{BASE, Body, Fate, Main, Next, Vm};
use super::{Mask, System, VmKind};
use crate::attachment::Attachment;
use crate::engine::Packet;
use crate::platform::Nanos;
use crate::service::{Reply, VmId};

/// Who is told what happens in a system.
pub trait Observer: Send {
    /// Something happened.
    fn event(&mut self, event: &Observed<'_>);

    /// When it wants to know next what each VM uses ([`Seen::Usage`]). It is told then or up to 10 ms later, also
    /// while nothing runs.
    fn usage_due(&self) -> Option<Nanos> {
        None
    }
}

/// What happened, and when.
#[derive(Debug)]
pub struct Observed<'a> {
    /// By [`crate::platform::Platform::now`], whatever the system's clock.
    pub at: Nanos,
    /// What.
    pub what: Seen<'a>,
}

/// What happened.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A VM was introduced, or what is known of it has changed.
    Vm(VmSeen<'a>),
    /// It has ended.
    Ended {
        /// The VM.
        vm: VmId,
        /// How.
        fate: &'a Fate,
    },
    /// A channel was made.
    Channel(ChannelSeen<'a>),
    /// A channel was closed, or the right behind it revoked.
    Closed {
        /// The channel.
        channel: u32,
        /// What is sent there is answered with this.
        status: Status,
    },
    /// A packet was sent.
    Sent {
        /// Its number, from 1.
        packet: u64,
        /// The channel.
        channel: u32,
        /// Its words.
        words: &'a [u64],
        /// What they name by index.
        attachments: &'a [Attachment],
    },
    /// The receiver begins to execute a packet.
    Taken(u64),
    /// A packet was executed to its end.
    Done(u64),
    /// An instruction was answered; of a streamed one only the failure is told, with tag 0.
    Answered {
        /// The channel.
        channel: u32,
        /// The request's tag.
        tag: u32,
        /// The answer.
        result: Result<&'a Reply, Status>,
    },
    /// An event was raised at a channel's sender.
    Raised {
        /// The channel.
        channel: u32,
        /// The event's number.
        event: u8,
        /// Its operands.
        words: &'a [u64],
        /// What they name by index.
        attachments: &'a [Option<Attachment>],
    },
    /// A VM begins to run.
    Turn {
        /// The VM.
        vm: VmId,
        /// What runs.
        what: TurnKind,
        /// Of an `op` or handler: the name of the instruction or event.
        name: &'a str,
    },
    /// It stops.
    Rest {
        /// The VM.
        vm: VmId,
    },
    /// A right was given, made of another one, or taken away.
    Right {
        /// What happened.
        what: RightChange,
        /// The right's number.
        right: u32,
        /// Who got it; of one that was revoked: who had made it.
        holder: VmId,
        /// The VM that it leads to.
        target: VmId,
        /// The instructions that it allows.
        ops: Mask,
    },
    /// The virtual clock has moved.
    Clock(Nanos),
    /// What each VM uses.
    Usage(&'a [Usage]),
    /// The run is over, with this exit code.
    End(u8),
}

/// A VM, as it is introduced.
#[derive(Debug)]
pub struct VmSeen<'a> {
    /// The VM.
    pub vm: VmId,
    /// Its name.
    pub name: &'a str,
    /// Tells VMs of one name apart.
    pub index: u32,
    /// What runs in it; `None`: the base itself.
    pub kind: Option<VmKind>,
    /// Whether it is a device program, inside another VM for its sender.
    pub is_program: bool,
    /// Memory quota in bytes.
    pub memory_limit: u64,
    /// The sets that it executes.
    pub executes: Vec<&'a InstructionSet>,
    /// Where the types are defined that the sets' operands name.
    pub module: Option<&'a Module>,
}

/// A channel, as it is made.
#[derive(Debug)]
pub struct ChannelSeen<'a> {
    /// The channel.
    pub channel: u32,
    /// Who sends.
    pub sender: VmId,
    /// Who executes.
    pub receiver: VmId,
    /// The sender's slot.
    pub slot: u32,
    /// What the sender calls it.
    pub name: &'a str,
    /// The set that is spoken.
    pub set: Option<&'a InstructionSet>,
    /// Instructions that may be sent.
    pub ops: Mask,
    /// Events that may come.
    pub events: Mask,
}

/// What a turn runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnKind {
    /// `main`.
    Main,
    /// An `op`.
    Op,
    /// A handler.
    Handler,
    /// Requests, in a VM written in Rust.
    Service,
    /// `wake`, in a VM written in Rust.
    Wake,
}

pub use crate::wire::RightChange;

/// What a VM uses, and what it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usage {
    /// The VM.
    pub vm: VmId,
    /// Processor time since the observer came.
    pub processor: Nanos,
    /// Bytes in use.
    pub memory: u64,
    /// Bytes at most.
    pub memory_limit: u64,
    /// Packets that it sent since the observer came.
    pub sent: u64,
    /// Instructions that it executed for others.
    pub executed: u64,
    /// Packets and events in its inbox.
    pub queued: usize,
    /// What it is doing, in words.
    pub state: String,
}

/// What a VM has used since the observer came.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Meter {
    pub processor: Nanos,
    pub sent: u64,
}

/// The observer and what it is told from.
pub(super) struct Watch {
    observer: Box<dyn Observer>,
    /// Packets so far.
    packets: u64,
    /// Who runs, the innermost last, and since when.
    running: Vec<VmId>,
    since: Nanos,
}

impl System {
    /// Tells `observer` of all that happens from here on; of the VMs and channels that there are, first.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.watch = Some(Box::new(Watch { observer, packets: 0, running: Vec::new(), since: self.platform.now() }));
        let vms: Vec<VmId> = self.vms.iter().map(|(number, _)| VmId(number)).collect();
        vms.into_iter().for_each(|id| self.saw_vm(id));
        let channels: Vec<ChannelId> = self.channels.iter().map(|(number, _)| ChannelId(number)).collect();
        channels.into_iter().for_each(|id| self.saw_channel(id));
    }

    /// Tells the observer what each VM uses and how the run ended, and lets it go.
    pub fn stop_observing(&mut self, code: u8) {
        self.charge_watched();
        let usage = self.usage();
        self.tell(Seen::Usage(&usage));
        self.tell(Seen::End(code));
        self.watch = None;
    }

    /// What each VM that has not ended uses, the base last. Processor time and packets are counted while there is an
    /// observer.
    pub fn usage(&self) -> Vec<Usage> {
        let (base, others): (Vec<_>, Vec<_>) = self.vms.iter().partition(|(number, _)| VmId(*number) == BASE);
        let alive = others.into_iter().filter(|(_, vm)| vm.fate.is_none()).chain(base);
        let usage = |(number, vm): (u32, &Vm)| Usage {
            vm: VmId(number),
            processor: vm.meter.processor,
            memory: vm.account.used() + self.arena_bytes(vm),
            memory_limit: vm.account.limit(),
            sent: vm.meter.sent,
            executed: vm.executed,
            queued: vm.inbox.len() + usize::from(vm.work.is_some()),
            state: self.state(vm),
        };
        alive.map(usage).collect()
    }

    fn tell(&mut self, what: Seen<'_>) {
        if let Some(watch) = &mut self.watch {
            let at = self.platform.now();
            watch.observer.event(&Observed { at, what });
        }
    }

    /// Tells what has to be looked up in the system.
    fn tell_of(&mut self, what: impl for<'s> FnOnce(&'s System) -> Option<Seen<'s>>) {
        let Some(mut watch) = self.watch.take() else { return };
        let at = self.platform.now();
        if let Some(what) = what(self) {
            watch.observer.event(&Observed { at, what });
        }
        self.watch = Some(watch);
    }

    /// Tells of usage where that is wanted.
    pub(super) fn saw_time_pass(&mut self) {
        if self.usage_due().is_some_and(|due| due <= self.platform.now()) {
            self.charge_watched();
            let usage = self.usage();
            self.tell(Seen::Usage(&usage));
        }
    }

    fn usage_due(&self) -> Option<Nanos> {
        self.watch.as_ref().and_then(|watch| watch.observer.usage_due())
    }

    /// Nothing can run. Returns until when it may stay so, at the latest.
    pub(super) fn saw_idle(&mut self, limit: Option<Nanos>) -> Option<Nanos> {
        self.charge_watched();
        self.saw_time_pass();
        limit.into_iter().chain(self.usage_due()).min()
    }

    /// The time in which nothing could run is nobody's.
    pub(super) fn saw_waking(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.since = self.platform.now();
        }
    }

    pub(super) fn saw_vm(&mut self, id: VmId) {
        self.tell_of(|system| {
            let vm = system.vm_ref(id);
            let kind = match vm.body {
                Body::Base => None,
                Body::Il(_) => Some(VmKind::Il),
                Body::Rust(_) | Body::Builtin(_) => Some(VmKind::Rust),
                Body::External(_) => Some(VmKind::External),
                Body::Gone => return None,
            };
            let executes = vm.executes.iter().chain(&vm.further).map(|executes| &executes.set).collect();
            let memory_limit = vm.account.limit();
            let module = match &vm.body {
                Body::Il(il) => Some(il.instance.program().module()),
                Body::Base | Body::Builtin(_) | Body::Rust(_) | Body::External(_) | Body::Gone => None,
            };
            let (name, index, is_program) = (vm.name.as_str(), vm.index, vm.acting.is_some());
            Some(Seen::Vm(VmSeen { vm: id, name, index, kind, is_program, memory_limit, executes, module }))
        });
    }

    pub(super) fn saw_end(&mut self, id: VmId) {
        self.tell_of(|system| Some(Seen::Ended { vm: id, fate: system.vm_ref(id).fate.as_ref()? }));
    }

    pub(super) fn saw_channel(&mut self, id: ChannelId) {
        self.tell_of(|system| {
            let channel = system.channel_ref(id);
            let wants = &system.vm_ref(channel.sender).session.wants;
            let name = wants.get(channel.slot as usize).map_or("", |want| want.name.as_str());
            let set = system.vm_ref(channel.receiver).executes_set(channel.set).map(|executes| &executes.set);
            Some(Seen::Channel(ChannelSeen {
                channel: id.0,
                sender: channel.sender,
                receiver: channel.receiver,
                slot: channel.slot,
                name,
                set,
                ops: channel.ops,
                events: channel.events,
            }))
        });
    }

    pub(super) fn saw_close(&mut self, id: ChannelId, status: Status) {
        self.tell(Seen::Closed { channel: id.0, status });
    }

    /// A packet is sent; returns its number, 0 if nobody looks.
    pub(super) fn saw_sent(&mut self, link: Link, packet: &Packet) -> u64 {
        let Some(watch) = &mut self.watch else { return 0 };
        watch.packets += 1;
        let number = watch.packets;
        let Packet { words, attachments } = packet;
        self.tell(Seen::Sent { packet: number, channel: link.channel.0, words, attachments });
        let sender = self.channel_ref(link.channel).sender;
        self.vm(sender).meter.sent += 1;
        number
    }

    pub(super) fn saw_taken(&mut self, delivery: &Delivery) {
        if let Delivery::Packet(work) = delivery
            && work.at == 0
        {
            self.saw_begin(work.number);
        }
    }

    pub(super) fn saw_begin(&mut self, packet: u64) {
        self.saw_packet(Seen::Taken(packet), packet);
    }

    /// A packet that was sent before the observer came has no number.
    fn saw_packet(&mut self, what: Seen<'_>, packet: u64) {
        if packet != 0 {
            self.tell(what);
        }
    }

    pub(super) fn saw_done(&mut self, packet: u64) {
        self.saw_packet(Seen::Done(packet), packet);
    }

    pub(super) fn saw_answer(&mut self, id: ChannelId, tag: u32, result: &Result<Reply, Status>) {
        if tag != 0 || result.is_err() {
            let result = result.as_ref().map_err(|status| *status);
            self.tell(Seen::Answered { channel: id.0, tag, result });
        }
    }

    pub(super) fn saw_raise(&mut self, id: ChannelId, event: u8, words: &[u64], attachments: &[Option<Attachment>]) {
        self.tell(Seen::Raised { channel: id.0, event, words, attachments });
    }

    pub(super) fn saw_right(&mut self, what: RightChange, id: RightId, holder: VmId) {
        self.tell_of(|system| {
            let right = system.rights.get(id)?;
            Some(Seen::Right { what, right: id.0, holder, target: right.target, ops: right.ops })
        });
    }

    pub(super) fn saw_clock(&mut self, now: Nanos) {
        self.tell(Seen::Clock(now));
    }

    /// Runs an IL VM to its next step, and acts on it.
    pub(super) fn run_il(&mut self, id: VmId) {
        if self.watch.is_none() {
            return self.run_il_turn(id);
        }
        let (what, name) = self.il_turn(id);
        self.watched(id, what, &name, |system| system.run_il_turn(id));
    }

    /// Executes all that waits in a Rust VM's inbox.
    pub(super) fn run_service(&mut self, id: VmId) {
        if self.watch.is_none() {
            return self.run_service_turn(id);
        }
        self.watched(id, TurnKind::Service, "", |system| system.run_service_turn(id));
    }

    /// Runs a Rust VM's `wake`.
    pub(super) fn wake_service(&mut self, id: VmId) {
        if self.watch.is_none() {
            return self.wake_service_turn(id);
        }
        self.watched(id, TurnKind::Wake, "", |system| system.wake_service_turn(id));
    }

    fn watched(&mut self, id: VmId, what: TurnKind, name: &str, turn: impl FnOnce(&mut System)) {
        self.charge_watched();
        if let Some(watch) = &mut self.watch {
            watch.running.push(id);
        }
        self.tell(Seen::Turn { vm: id, what, name });
        turn(self);
        self.tell(Seen::Rest { vm: id });
        self.charge_watched();
        if let Some(watch) = &mut self.watch {
            watch.running.pop();
        }
    }

    /// Charges the time since the last change to the VM that was running; to the base if none was.
    fn charge_watched(&mut self) {
        let now = self.platform.now();
        let Some(watch) = &mut self.watch else { return };
        let elapsed = now.saturating_sub(watch.since);
        watch.since = now;
        let id = watch.running.last().copied().unwrap_or(BASE);
        if let Some(vm) = self.vms.get_mut(id.0) {
            vm.meter.processor += elapsed;
        }
    }

    /// What an IL VM is about to run.
    fn il_turn(&self, id: VmId) -> (TurnKind, String) {
        let vm = self.vm_ref(id);
        let Body::Il(il) = &vm.body else { return (TurnKind::Main, String::new()) };
        let op = |channel: ChannelId, opcode: u16| {
            let instruction =
                vm.executes_set(self.channel_ref(channel).set).and_then(|executes| executes.instruction(opcode));
            (TurnKind::Op, instruction.map_or_else(String::new, |instruction| instruction.name.to_string()))
        };
        if !matches!(il.next, Next::Dispatch) {
            return match &il.turn {
                Some(turn) => match turn.request {
                    Some((channel, open)) => op(channel, open.opcode.into()),
                    None => (TurnKind::Handler, String::new()),
                },
                None => (TurnKind::Main, String::new()),
            };
        }
        if let Some(work) = &vm.work {
            return op(work.link.channel, work.words.get(work.at).map_or(0, |word| Head::unpack(*word).opcode));
        }
        match vm.inbox.front() {
            Some(Delivery::Packet(work)) => {
                op(work.link.channel, work.words.first().map_or(0, |word| Head::unpack(*word).opcode))
            }
            Some(Delivery::Event(event)) => {
                let source = vm.link(event.slot as usize).map(|link| self.channel_ref(link.channel));
                let executes = source.and_then(|source| self.vm_ref(source.receiver).executes_set(source.set));
                let name = executes.and_then(|executes| executes.set.event(event.number));
                (TurnKind::Handler, name.map_or_else(String::new, |event| event.name.to_string()))
            }
            None if il.main == Main::Gone => (TurnKind::Op, String::new()),
            None => (TurnKind::Main, String::new()),
        }
    }
}
