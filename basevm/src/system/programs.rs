//! Device programs: code that a sender has run inside the VM behind one of its capabilities.
//!
//! ```text
//! sender            base, the sender's end       base, the receiver's end                       receiver
//!  | run(p, args)     |                            |                                              |
//!  |----------------->| UPLOAD p   (the first time)|                                              |
//!  |                  | RUN hash(p) args           |                                              |
//!  |                  |--------------------------->| decoded, verified, compared with the rights, |
//!  |                  |                            | compiled, kept by hash                       |
//!  |                  |                            | a hidden VM acts for the sender:             |
//!  |                  |                            |   `set_pixel(..)`  --- packets, choke point ->|
//!  | results or status|<---------------------------|   its end is the answer to RUN               |
//! ```
//!
//! Both instructions travel on the sender's channel, in its order. Invariants:
//!
//! - The hidden VM has one capability: a channel to the receiver that carries what the sender's carries and no more. To
//!   the receiver it is the sender: `caller` is the sender's number, and the sender pays for what is made for it.
//! - While a program of a channel runs, what that channel brought later waits; other channels go on.
//! - A program ends with its channel. What it does wrong ends it alone, and is the sender's failure: the receiver lives on.
//! - Both ends of a channel keep the [`MAX_PROGRAMS`] that were used last, by the same rule in the same order: so the
//!   sender knows what the receiver has.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use il::FuncId;
use il::isa::GridInstruction;
use il::packet::{Head, MAX_ATTACHMENTS, MAX_WORDS};
use il::shape::Shapes;
use il::trap::{Status, TrapKind};
use il::verify::VerifiedModule;

use super::System;
use super::channel::{CREDITS, Channel, ChannelId, Delivery, Link, Open, Work};
use super::deliver::{Arrived, Submitted};
use super::mask::Mask;
use super::vm::{BASE, Block, Body, Fate, Next, Stage, Turn, Vm};
use super::{IlVm, VmOptions};
use crate::attachment::Attachment;
use crate::buf::{Account, Buf};
use crate::engine::{Instance, LoadError, Packet, Program, Step, TrapReport};
use crate::platform::Panicked;
use crate::service::{Reply, VmId};

/// Brings a program: its one operand is a `buf`, the closed program (`il::program`) encoded.
pub(crate) const UPLOAD: u16 = 0x4000;
/// Runs one: four words are its identity, its arguments follow.
pub(crate) const RUN: u16 = 0x4001;
/// Words of an identity.
pub(crate) const IDENTITY_WORDS: usize = 4;
/// Programs that a channel keeps; beyond that the one that was not used for longest goes.
pub const MAX_PROGRAMS: usize = 8;
/// Bytes of a program at most.
pub const MAX_PROGRAM_BYTES: usize = 64 << 10;
/// Stack of a program in bytes.
const STACK_BYTES: usize = 64 << 10;

type Identity = [u8; 32];

/// What a channel knows of programs.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// What the sender has sent, last used last.
    sent: Vec<Identity>,
    /// What the receiver has, in the same order.
    held: Vec<Held>,
    busy: Busy,
    /// What came later than a program that has not ended, first come first.
    parked: VecDeque<Work>,
}

impl Programs {
    /// Whether what comes now has to wait.
    pub fn is_busy(&self) -> bool {
        self.busy != Busy::No
    }
}

/// What keeps later packets waiting.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Busy {
    #[default]
    No,
    /// A program is to run when all requests before it are answered.
    Waits,
    /// A program runs in this VM.
    Runs(VmId),
}

/// A program that was brought, or why it was refused.
#[derive(Debug)]
struct Held {
    identity: Identity,
    program: Result<Prepared, Status>,
}

/// A program, ready to run.
#[derive(Debug)]
struct Prepared {
    program: Arc<Program>,
    func: FuncId,
    /// Instructions that it uses.
    wants: Mask,
    /// Those of them that are stores and loads of its own.
    inlined: Mask,
    /// The VM that runs it, between two runs.
    idle: Option<VmId>,
}

/// What makes a VM one that runs a program for another.
#[derive(Debug)]
pub(crate) struct Acting {
    /// For whom.
    pub sender: VmId,
    /// The channel that brought the program.
    channel: ChannelId,
    identity: Identity,
    /// Whether its receiver is to lend a grid.
    on_grid: bool,
    /// The request for the run under way.
    open: Option<Open>,
    /// Its arguments until it starts.
    args: Option<(Vec<u64>, Vec<Option<Attachment>>)>,
}

/// Whether an opcode is one of the two.
pub(super) const fn concerns(opcode: u16) -> bool {
    matches!(opcode, UPLOAD | RUN)
}

impl Programs {
    /// The sender uses a program; whether it has to be brought first.
    fn send(&mut self, identity: Identity) -> bool {
        let known = self.sent.iter().position(|sent| *sent == identity).map(|at| self.sent.remove(at));
        if known.is_none() && self.sent.len() == MAX_PROGRAMS {
            self.sent.remove(0);
        }
        self.sent.push(identity);
        known.is_none()
    }

    fn held(&mut self, identity: &Identity) -> Option<&mut Held> {
        let at = self.held.iter().position(|held| held.identity == *identity)?;
        let held = self.held.remove(at);
        self.held.push(held);
        self.held.last_mut()
    }

    /// Forgets a program at both ends; the VM that ran it.
    fn forget(&mut self, identity: &Identity) -> Option<VmId> {
        self.sent.retain(|sent| sent != identity);
        let at = self.held.iter().position(|held| held.identity == *identity)?;
        self.held.remove(at).program.ok()?.idle
    }
}

// The sender's end.

impl System {
    /// Sends a program of an IL VM's module to be run; waits for its end if it gives results.
    pub(super) fn send_program(&mut self, id: VmId, slot: usize, program: usize, args: Reply, waits: bool) {
        let submitted = if waits { self.submit_all(id, None, false) } else { self.submit(id, slot, false) };
        let step = |args| match waits {
            true => Step::Run { slot, program, args },
            false => Step::RunSend { slot, program, args },
        };
        if let Submitted::Full(channel) = submitted {
            return self.wait_for_credit(id, channel, step(args));
        }
        let fail = |this: &mut System, status| this.run_refused(id, slot, waits, status);
        let Some(link) = self.vm_ref(id).link(slot) else { return fail(self, Status::NotPermitted) };
        let channel = self.channel_ref(link.channel);
        if let Some(status) = channel.closed {
            return fail(self, status);
        }
        let (receiver, full) = (channel.receiver, channel.queued >= CREDITS);
        if (waits || full)
            && let Some(cycle) = self.cycle(id, receiver)
        {
            self.log(format_args!("deadlock: {cycle}: the program is not run"));
            return fail(self, Status::Deadlock);
        }
        if full {
            return self.wait_for_credit(id, link.channel, step(args));
        }
        let tag = if waits { self.channel(link.channel).fresh_tag() } else { 0 };
        let packet = match self.run_packet_of(id, link.channel, program, tag, args) {
            Ok(packet) => packet,
            Err(status) => return fail(self, status),
        };
        if !waits {
            if let Err(status) = self.enqueue(link, packet) {
                self.channel(link.channel).stick(status);
            }
            return self.go_on(id, 0);
        }
        let deadline = self.vm_ref(id).options.call_deadline.map(|limit| self.now().saturating_add(limit));
        self.set_next(id, Next::Blocked(Block::Reply { channel: link.channel, tag, deadline }));
        if let Some(time) = deadline {
            self.add_call_timer(id, time, tag);
        }
        if let Err(status) = self.enqueue(link, packet) {
            self.answer(link.channel, tag, Err(status));
        }
    }

    /// A program is not sent: the sender learns of it as of any instruction.
    fn run_refused(&mut self, id: VmId, slot: usize, waits: bool, status: Status) {
        if waits {
            self.set_next(id, Next::ResumeCall(Err(status)));
            return self.hand_off(id);
        }
        if let Some(link) = self.vm_ref(id).link(slot) {
            self.channel(link.channel).stick(status);
        }
        self.go_on(id, 0);
    }

    /// The packet that runs a program, and brings it if the receiver has it not.
    fn run_packet_of(
        &mut self,
        id: VmId,
        channel: ChannelId,
        program: usize,
        tag: u32,
        args: Reply,
    ) -> Result<Packet, Status> {
        let account = self.vm_ref(id).account.clone();
        let Some(il) = self.vm(id).il() else { return Err(Status::NotSupported) };
        let code = il.instance.program().clone();
        let closed = code.closed(program).ok_or(Status::NotSupported)?;
        let run_words = 1 + IDENTITY_WORDS + args.words.len();
        if run_words + 2 > MAX_WORDS || args.attachments.len() >= MAX_ATTACHMENTS {
            return Err(Status::OutOfRange);
        }
        let Reply { words: args, mut attachments } = args;
        let mut words = Vec::with_capacity(run_words + 2);
        let programs = self.channel(channel).programs.get_or_insert_default();
        if programs.send(closed.identity) {
            let Some(mut buf) = Buf::new(&account, closed.bytes.len()) else {
                programs.forget(&closed.identity);
                return Err(Status::Quota);
            };
            buf.copy_from_slice(&closed.bytes);
            words.push(Head { opcode: UPLOAD, words: 2, tag: 0 }.pack());
            words.push(attachments.len() as u64);
            attachments.push(buf.into());
        }
        words.push(Head { opcode: RUN, words: run_words as u16, tag }.pack());
        words.extend(
            closed
                .identity
                .chunks_exact(8)
                .map(|part| part.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))),
        );
        words.extend(args);
        Ok(Packet { words, attachments })
    }
}

// The receiver's end.

impl System {
    /// What a delivery is now: `None` if it has to wait for the end of a program of its channel.
    pub(super) fn unless_busy(&mut self, delivery: Delivery) -> Option<Delivery> {
        let Delivery::Packet(work) = delivery else { return Some(delivery) };
        match &mut self.channel(work.link.channel).programs {
            Some(programs) if programs.busy != Busy::No => {
                programs.parked.push_back(work);
                None
            }
            _ => Some(Delivery::Packet(work)),
        }
    }

    /// Keeps the packet that has started a program, or waits to, until that has ended.
    pub(super) fn park(&mut self, mut work: Work) {
        let sender = self.channel_ref(work.link.channel).sender;
        work.charge_to(&self.vm_ref(sender).account);
        let programs = self.channel(work.link.channel).programs.get_or_insert_default();
        programs.parked.push_front(work);
    }

    /// Lets the channel's later packets be executed.
    fn unpark(&mut self, id: ChannelId) {
        let channel = self.channel(id);
        let receiver = channel.receiver;
        let Some(programs) = &mut channel.programs else { return };
        programs.busy = Busy::No;
        let parked = core::mem::take(&mut programs.parked);
        self.deliver_first(receiver, parked);
    }

    /// Puts packets before all others that wait.
    fn deliver_first(&mut self, receiver: VmId, parked: VecDeque<Work>) {
        if parked.is_empty() || self.vm_ref(receiver).fate.is_some() {
            return;
        }
        for work in parked.into_iter().rev() {
            let sender = self.channel_ref(work.link.channel).sender;
            self.vm(receiver).inbox.put_back(sender, Delivery::Packet(work));
        }
        match self.vm_ref(receiver).body {
            Body::Builtin(_) => self.make_ready(receiver),
            _ => self.notify(receiver),
        }
    }

    /// All requests of a channel are answered: a program that waited for that can run.
    pub(super) fn answered_all(&mut self, id: ChannelId) {
        let channel = self.channel_ref(id);
        if channel.open.is_empty() && channel.programs.as_ref().is_some_and(|programs| programs.busy == Busy::Waits) {
            self.unpark(id);
        }
    }

    /// An instruction that concerns a program: `None` if it is done.
    pub(super) fn arrive_program(&mut self, work: &mut Work, head: Head, operands: Range<usize>) -> Option<Arrived> {
        let link = work.link;
        let at = operands.start - 1;
        if self.channel_ref(link.channel).receiver == BASE {
            return Some(Arrived::Refused { head, status: Status::NoSuchInstruction });
        }
        let done = match (self.channel_ref(link.channel).admit_program(link.generation), head.opcode) {
            (Err(status), _) => Err(status),
            (Ok(()), UPLOAD) => self.take_program(link, work, operands).map(|()| None),
            (Ok(()), _) if !self.channel_ref(link.channel).open.is_empty() => {
                // Those before it are still being executed; it is looked at again when they are answered.
                work.at = at;
                self.channel(link.channel).programs.get_or_insert_default().busy = Busy::Waits;
                return Some(Arrived::Parked);
            }
            (Ok(()), _) => self.start_program(link, work, head, operands).map(|()| Some(Arrived::Parked)),
        };
        match done {
            Ok(None) if head.tag != 0 => {
                self.answer(link.channel, head.tag, Ok(Reply::none()));
                None
            }
            Ok(arrived) => arrived,
            Err(status) => Some(Arrived::Refused { head, status }),
        }
    }

    /// `UPLOAD`: checks and compiles a program, and keeps it, or why it is refused.
    fn take_program(&mut self, link: Link, work: &mut Work, operands: Range<usize>) -> Result<(), Status> {
        let [index] = work.words[operands] else { return Err(Status::BadOperand) };
        let place = usize::try_from(index).ok().and_then(|index| work.attachments.get_mut(index));
        let buf = place.and_then(Option::take).ok_or(Status::BadOperand)?.buf()?;
        if buf.len() > MAX_PROGRAM_BYTES {
            return Err(Status::OutOfRange);
        }
        let module = il::binary::decode(&buf).map_err(|why| self.refuse_program(link, &why.to_string()))?;
        let identity = il::binary::identity(&module);
        let prepared = match il::verify::verify(module) {
            Ok(module) => self.prepare_program(link, Arc::new(module)),
            Err(why) => Err(self.refuse_program(link, &why.to_string())),
        };
        let status = prepared.as_ref().err().copied();
        let programs = self.channel(link.channel).programs.get_or_insert_default();
        let mut ended =
            programs.held.iter().position(|held| held.identity == identity).map(|at| programs.held.remove(at));
        if ended.is_none() && programs.held.len() >= MAX_PROGRAMS {
            ended = Some(programs.held.remove(0));
        }
        programs.held.push(Held { identity, program: prepared });
        if let Some(Held { program: Ok(Prepared { idle: Some(vm), .. }), .. }) = ended {
            self.end(vm, Fate::Returned);
        }
        status.map_or(Ok(()), Err)
    }

    fn refuse_program(&self, link: Link, why: &str) -> Status {
        let channel = self.channel_ref(link.channel);
        let (sender, receiver) = (self.vm_ref(channel.sender).address(), self.vm_ref(channel.receiver).address());
        self.log(format_args!("VM '{receiver}' takes no device program of '{sender}': {why}"));
        Status::BadOperand
    }

    /// Compares a program with what its sender may do, and compiles it.
    fn prepare_program(&mut self, link: Link, module: Arc<VerifiedModule>) -> Result<Prepared, Status> {
        let sole = il::program::sole(&module).cloned();
        let program = sole.ok_or_else(|| self.refuse_program(link, "its module is more than one program"))?;
        let opcodes = il::program::wants(&module, &program);
        let wants: Mask = opcodes.iter().copied().collect();
        let receiver = self.channel_ref(link.channel).receiver;
        self.compare_program(link.channel, &module, &program, &opcodes)?;
        if !self.channel_ref(link.channel).ops.covers(wants) {
            return Err(Status::NotPermitted);
        }
        let plain = self.channel_ref(link.channel).plain_ops();
        let on_grid = match &self.vm_ref(receiver).body {
            Body::Rust(rust) => rust.grid,
            _ => &[],
        };
        let usable = |one: &&GridInstruction| wants.has(one.opcode) && plain.has(one.opcode);
        let grid: Vec<GridInstruction> = on_grid.iter().filter(usable).copied().collect();
        let inlined = grid.iter().map(|one| one.opcode).collect();
        let known = self.loader.is_some();
        let bounds = self.vm_ref(self.acting_sender(link.channel)).options.bounds;
        let code = self.load_program(module, &grid, bounds).map_err(|why| {
            let status = self.refuse_program(link, &why);
            if known { status } else { Status::NotSupported }
        })?;
        Ok(Prepared { program: code, func: program.func, wants, inlined, idle: None })
    }

    /// Compares the signatures of the instructions that a program uses with those that its receiver executes, of the set
    /// that the channel speaks.
    fn compare_program(
        &self,
        channel: ChannelId,
        module: &VerifiedModule,
        program: &il::Program,
        opcodes: &[u8],
    ) -> Result<(), Status> {
        let set = module.isas.get(program.isa.index()).ok_or(Status::BadOperand)?;
        let path = set.path();
        let Channel { receiver, set: spoken, .. } = *self.channel_ref(channel);
        let spoken = self.vm_ref(receiver).executes_set(spoken).map(|executes| executes.set.path());
        if spoken.as_ref() != Some(&path) {
            return Err(Status::NoSuchInstruction);
        }
        let mut entries = self.directory.entries();
        let entry = entries.find(|entry| entry.vm == receiver && entry.set.as_deref() == Some(&path));
        let entry = entry.ok_or(Status::NoSuchInstruction)?;
        let shapes = Shapes::new(module);
        let same = |opcode: &u8| {
            let (number, instruction) = (u16::from(*opcode), set.instruction(*opcode));
            let hash = instruction.map(|instruction| set.instruction_hash(instruction, &shapes));
            entry.items.iter().any(|item| item.number == number && Some(item.hash) == hash)
        };
        if opcodes.iter().all(same) { Ok(()) } else { Err(Status::NoSuchInstruction) }
    }
}

// A program's run.

impl System {
    /// `RUN`: starts a program in a VM of its own, in which it runs when it is scheduled.
    fn start_program(&mut self, link: Link, work: &mut Work, head: Head, operands: Range<usize>) -> Result<(), Status> {
        let channel = self.channel(link.channel);
        let (ops, plain) = (channel.ops, channel.plain_ops());
        let words = work.words.get(operands).unwrap_or_default();
        let (identity, args) = words.split_at_checked(IDENTITY_WORDS).ok_or(Status::BadOperand)?;
        let identity = identity_of(identity);
        let programs = channel.programs.get_or_insert_default();
        let Some(held) = programs.held(&identity) else {
            // So that the sender brings it again.
            programs.forget(&identity);
            return Err(Status::NoSuchInstruction);
        };
        let prepared = held.program.as_mut().map_err(|status| *status)?;
        // The rights may have shrunk since it was compiled.
        if !ops.covers(prepared.wants) || !plain.covers(prepared.inlined) {
            return Err(Status::NotPermitted);
        }
        let idle = prepared.idle.take();
        let (program, func, on_grid) = (prepared.program.clone(), prepared.func, prepared.inlined != Mask::NONE);
        let args = (args.to_vec(), core::mem::take(&mut work.attachments));
        let vm = match idle {
            Some(vm) => vm,
            None => {
                let acting = Acting {
                    sender: self.acting_sender(link.channel),
                    channel: link.channel,
                    identity,
                    on_grid,
                    open: None,
                    args: None,
                };
                self.add_acting(program, acting)?
            }
        };
        let open = self.channel(link.channel).begin(head);
        self.channel(link.channel).programs.get_or_insert_default().busy = Busy::Runs(vm);
        let hidden = self.vm(vm);
        if let Some(acting) = &mut hidden.acting {
            acting.open = Some(open);
            acting.args = Some(args);
        }
        if let Some(il) = hidden.il() {
            il.turn = Some(Turn { request: None, failed: None, used: 0 });
            il.next = Next::Start(func);
        }
        self.hand_off(vm);
        Ok(())
    }

    /// Who acts on a channel, in the receiver's eyes: its sender, or for whom that runs a program.
    pub(super) fn acting_sender(&self, id: ChannelId) -> VmId {
        let sender = self.channel_ref(id).sender;
        self.vm_ref(sender).acting.as_ref().map_or(sender, |acting| acting.sender)
    }

    /// Makes the VM that runs a program, and its one channel.
    fn add_acting(&mut self, program: Arc<Program>, acting: Acting) -> Result<VmId, Status> {
        let outer = self.channel_ref(acting.channel);
        let (receiver, set, ops, ranges) = (outer.receiver, outer.set, outer.ops, outer.ranges.clone());
        let sender = self.vm_ref(acting.sender);
        let name = &program.module().name;
        let bounds = sender.options.programs;
        let options = VmOptions {
            name: format!("{}#{name}", self.vm_ref(receiver).address()),
            memory_bytes: bounds.memory_bytes,
            stack_bytes: STACK_BYTES,
            turn_ms: Some((bounds.time / 1_000_000).max(1)),
            priority: sender.options.priority,
            ..VmOptions::default()
        };
        let account = Account::bounded_part_of(&sender.account, bounds.memory_bytes);
        let instance = Instance::new(self.platform, program, account.clone(), options.stack_bytes);
        let instance = instance.map_err(|why| match why {
            LoadError::Link(_) | LoadError::Globals(_) => Status::DeviceError,
            _ => Status::Quota,
        })?;
        let mut vm = Vm::new(options, account, Body::Il(Box::new(IlVm::new(instance))));
        vm.session.stage = Stage::Ready;
        vm.acting = Some(Box::new(acting));
        let id = self.insert(vm).map_err(|_| Status::Quota)?;
        self.saw_vm(id);
        let mut channel = Channel::new(id, 0, receiver, ops, Mask::NONE);
        (channel.set, channel.ranges) = (set, ranges);
        let channel = self.add_channel(channel);
        if channel == ChannelId::NONE {
            self.end(id, Fate::Returned);
            return Err(Status::Quota);
        }
        let generation = self.channel_ref(channel).generation;
        self.vm(id).slots = alloc::vec![Some(Link { channel, generation })];
        Ok(id)
    }

    /// Runs a program to its next step, with its receiver's grid if it has one, and acts on it.
    pub(super) fn run_acting(&mut self, id: VmId) {
        let vm = self.vm(id);
        let Some(acting) = &mut vm.acting else { return };
        let (on_grid, args) = (acting.on_grid, acting.args.take());
        let Some(il) = vm.il() else { return };
        let next = match core::mem::replace(&mut il.next, Next::Running) {
            waits @ (Next::Blocked(_) | Next::Running | Next::Dispatch) => {
                il.next = waits;
                return;
            }
            next => next,
        };
        let step = match on_grid {
            true => self.step_on_grid(id, next, args),
            false => self.vm(id).il().map(|il| take_step(&mut il.instance, next, args)),
        };
        self.last_ran = Some(id);
        match step {
            Some(Ok(step)) => self.act(id, step),
            Some(Err(status)) => self.program_ended(id, Err(status)),
            None => {}
        }
    }

    /// The same while the receiver lends its grid; `None` if that has ended it.
    fn step_on_grid(&mut self, id: VmId, next: Next, args: Option<Args>) -> Option<Result<Step, Status>> {
        let receiver = self.channel_ref(self.vm_ref(id).link(0)?.channel).receiver;
        let mut service = self.take_service(receiver)?;
        let grid = match self.guard(receiver, |_| service.grid()) {
            Ok(grid) => grid,
            Err(Panicked) => {
                self.forget(receiver, service);
                return None;
            }
        };
        let il = self.vm(id).il()?;
        let mut refused = None;
        let step = match grid {
            Some(grid) => il.instance.on_grid(Some(grid), |instance| match take_step(instance, next, args) {
                Ok(step) => step,
                Err(status) => {
                    refused = Some(status);
                    Step::Yield
                }
            }),
            None => {
                let why = "its VM lends no grid".to_string();
                Step::Trap(Box::new(il.instance.abort(TrapKind::Device, why)))
            }
        };
        self.put_service(receiver, service);
        Some(refused.map_or(Ok(step), Err))
    }

    /// An instruction of the receiver's set, for a program that runs in it.
    pub(super) fn own(&mut self, id: VmId, opcode: u8, operands: Reply) {
        let fail = |this: &mut System, status| {
            this.set_next(id, Next::ResumeCall(Err(status)));
            this.hand_off(id);
        };
        let Some(link) = self.vm_ref(id).link(0) else { return fail(self, Status::NotPermitted) };
        let channel = self.channel_ref(link.channel);
        if let Some(status) = channel.closed {
            return fail(self, status);
        }
        let receiver = channel.receiver;
        if let Some(cycle) = self.cycle(id, receiver) {
            self.log(format_args!("deadlock: {cycle}: the instruction fails"));
            return fail(self, Status::Deadlock);
        }
        let length = operands.words.len() + 1;
        if length > MAX_WORDS {
            return fail(self, Status::OutOfRange);
        }
        let tag = self.channel(link.channel).fresh_tag();
        let mut words = Vec::with_capacity(length);
        words.push(Head { opcode: u16::from(opcode), words: length as u16, tag }.pack());
        words.extend(operands.words);
        self.set_next(id, Next::Blocked(Block::Reply { channel: link.channel, tag, deadline: None }));
        if let Err(status) = self.enqueue_call(link, Packet { words, attachments: operands.attachments }) {
            self.answer(link.channel, tag, Err(status));
        }
    }

    /// A program's VM has trapped: that is its sender's failure. Its end logs the stack.
    pub(super) fn program_trapped(&mut self, id: VmId, report: Box<TrapReport>) {
        let status = match report.kind {
            TrapKind::Device => report.status.and_then(Status::from_code).unwrap_or(Status::DeviceError),
            TrapKind::Deadline => Status::Deadline,
            TrapKind::Quota | TrapKind::StackOverflow => Status::Quota,
            _ => Status::DeviceError,
        };
        self.end_program(id, status, Fate::Fault(report));
    }

    /// Ends a program that is running, and its VM.
    fn end_program(&mut self, id: VmId, status: Status, fate: Fate) {
        let acting = self.vm(id).acting.as_ref().map(|acting| (acting.channel, acting.identity));
        self.program_ended(id, Err(status));
        if let Some((channel, identity)) = acting
            && let Some(programs) = &mut self.channel(channel).programs
            && let Some(Held { program: Ok(prepared), .. }) = programs.held(&identity)
        {
            prepared.idle = None;
        }
        self.end(id, fate);
    }

    /// The sender of a channel has ended: a program whose results it waited for is of no use. What it streamed goes on.
    pub(super) fn sender_ended(&mut self, id: ChannelId) {
        let Some(programs) = &self.channel_ref(id).programs else { return };
        let Busy::Runs(vm) = programs.busy else { return };
        let open = self.vm_ref(vm).acting.as_ref().and_then(|acting| acting.open);
        if open.is_some_and(|open| open.tag != 0) {
            self.end_program(vm, Status::PeerGone, Fate::Returned);
        }
    }

    /// A program has ended: answers its sender, and lets the channel go on.
    pub(super) fn program_ended(&mut self, id: VmId, result: Result<Reply, Status>) {
        let vm = self.vm(id);
        let Some(acting) = &mut vm.acting else { return };
        let (channel, identity, open) = (acting.channel, acting.identity, acting.open.take());
        if let Some(il) = vm.il() {
            il.turn = None;
            il.next = Next::Dispatch;
        }
        let kept = self.channel(channel).programs.as_mut().and_then(|programs| {
            let at = programs.held.iter().position(|held| held.identity == identity)?;
            programs.held[at].program.as_mut().ok()
        });
        match kept {
            Some(prepared) => prepared.idle = Some(id),
            None => self.end(id, Fate::Returned),
        }
        if let Some(open) = open {
            let result = result.map(|reply| self.paid_by_sender(channel, reply));
            self.finish(channel, open, result);
        }
        self.unpark(channel);
    }

    /// What a program gives is its sender's: the bounds of its next run do not count it.
    fn paid_by_sender(&self, channel: ChannelId, mut reply: Reply) -> Reply {
        let account = &self.vm_ref(self.channel_ref(channel).sender).account;
        for attachment in &mut reply.attachments {
            if let Attachment::Buf(buf) = attachment {
                buf.charge_to(account);
            }
        }
        reply
    }

    /// Ends the programs of a channel, running or not: it has been closed or revoked, or is forgotten.
    pub(super) fn end_programs(&mut self, id: ChannelId) {
        let channel = self.channel(id);
        let receiver = channel.receiver;
        let Some(programs) = channel.programs.take() else { return };
        let Programs { busy, held, parked, .. } = *programs;
        let running = match busy {
            Busy::Runs(vm) => Some(vm),
            Busy::No | Busy::Waits => None,
        };
        let idle = held.iter().filter_map(|held| held.program.as_ref().ok()?.idle);
        for vm in idle.chain(running) {
            self.end(vm, Fate::Returned);
        }
        // What waited meets the choke point like all that comes now.
        self.deliver_first(receiver, parked);
    }
}

/// Arguments of a program, in packet form.
type Args = (Vec<u64>, Vec<Option<Attachment>>);

/// Lets an instance take its next step.
fn take_step(instance: &mut Instance, next: Next, args: Option<Args>) -> Result<Step, Status> {
    Ok(match next {
        Next::Start(func) => {
            let (words, mut attachments) = args.unwrap_or_default();
            return instance.enter(func, &words, &mut attachments);
        }
        Next::Resume(value) => instance.resume(value),
        Next::ResumeCall(result) => instance.resume_call(result),
        Next::Retry(step) => step,
        Next::Dispatch | Next::Blocked(_) | Next::Running => Step::Yield,
    })
}

fn identity_of(words: &[u64]) -> Identity {
    let mut identity = [0; 32];
    for (part, word) in identity.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    identity
}
