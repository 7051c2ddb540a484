//! Channels: one way for packets from a sender's slot to the VM that executes them, and the state
//! of what is under way.
//!
//! Invariants: a channel has one sender and one receiver for ever. Its queue is bounded by
//! [`CREDITS`]; what it queues is charged to the sender. Its rights only shrink. A packet whose
//! generation is not the channel's was sent with a revoked capability.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use il::Type;
use il::isa::{Instruction, InstructionSet};
use il::packet::{self, Head};
use il::ranges::Ranges;
use il::trap::Status;

use super::forward::{Forwards, is_handed_on};
use super::mask::Mask;
use super::programs::Programs;
use super::rights::RightId;
use crate::attachment::Attachment;
use crate::buf::Account;
use crate::service::VmId;

/// Packets that may wait in a channel; then its sender waits.
pub const CREDITS: usize = 8;
/// Requests that a receiver may hold unanswered, a channel; more are refused as busy.
pub const MAX_UNANSWERED: usize = 64;

/// Greatest tag of a request.
const MAX_TAG: u32 = (1 << 30) - 1;

/// Index into the system's table of channels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ChannelId(pub u32);

impl ChannelId {
    /// Names no channel.
    pub const NONE: ChannelId = ChannelId(u32::MAX);
}

/// Which channel, and since which revocation: what a slot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub channel: ChannelId,
    pub generation: u32,
}

/// A request that is being executed, or that its executor will answer later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open {
    /// Unique in the channel; names the right to reply.
    pub serial: u32,
    /// What the sender wants in the reply; 0: no reply.
    pub tag: u32,
    pub opcode: u8,
    /// The channel and tag as which it was handed on: whoever gets it there answers it.
    pub went: Option<(ChannelId, u32)>,
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub sender: VmId,
    /// The sender's slot.
    pub slot: u32,
    pub receiver: VmId,
    /// Where it stands among those that end at its receiver.
    pub incoming_at: usize,
    /// Which of the receiver's sets it speaks.
    pub set: u8,
    /// The right that it is a use of.
    pub right: RightId,
    /// Whether the sender has given it up.
    pub abandoned: bool,
    pub generation: u32,
    /// Instructions that may be sent.
    pub ops: Mask,
    /// Events that the sender handles and may get.
    pub events: Mask,
    /// To what the instructions are limited, if to anything.
    pub ranges: Option<Arc<Ranges>>,
    /// Why nothing can be sent any more.
    pub closed: Option<Status>,
    /// Packets in the receiver's inbox or being executed.
    pub queued: usize,
    /// Requests that were taken but not answered.
    pub open: Vec<Open>,
    /// What the first failed streamed instruction said.
    pub sticky: Option<Status>,
    /// Streamed requests that were handed on, and are under way elsewhere.
    pub handed_on: usize,
    /// What goes by this channel for others.
    pub forwards: Option<Box<Forwards>>,
    /// What it knows of device programs, once one was sent.
    pub programs: Option<Box<Programs>>,
    next_serial: u32,
    next_tag: u32,
}

impl Channel {
    pub fn new(sender: VmId, slot: u32, receiver: VmId, ops: Mask, events: Mask) -> Channel {
        Channel {
            sender,
            slot,
            receiver,
            incoming_at: 0,
            set: 0,
            right: RightId::NONE,
            abandoned: false,
            generation: 1,
            ops,
            events,
            ranges: None,
            closed: None,
            queued: 0,
            open: Vec::new(),
            sticky: None,
            handed_on: 0,
            forwards: None,
            programs: None,
            next_serial: 1,
            next_tag: 1,
        }
    }

    /// One that was forgotten.
    pub fn gone() -> Channel {
        let gone = VmId(u32::MAX);
        Channel { closed: Some(Status::PeerGone), ..Channel::new(gone, 0, gone, Mask::NONE, Mask::NONE) }
    }

    /// A tag that no request under way has: never 0, and below those of [`super::forward`].
    pub fn fresh_tag(&mut self) -> u32 {
        let tag = self.next_tag;
        self.next_tag = if tag < MAX_TAG { tag + 1 } else { 1 };
        tag
    }

    /// Takes a request for execution.
    pub fn begin(&mut self, head: Head) -> Open {
        let open = Open { serial: self.next_serial, tag: head.tag, opcode: head.opcode as u8, went: None };
        self.next_serial = self.next_serial.wrapping_add(1);
        self.open.push(open);
        open
    }

    /// The request with this serial is answered; `None` if it was before.
    pub fn finish(&mut self, serial: u32) -> Option<Open> {
        let at = self.open.iter().position(|open| open.serial == serial)?;
        Some(self.open.swap_remove(at))
    }

    /// Whether what comes now waits for a program to end.
    pub fn is_busy(&self) -> bool {
        self.programs.as_ref().is_some_and(|programs| programs.is_busy())
    }

    /// Whether all that was sent has been executed.
    pub fn is_drained(&self) -> bool {
        self.queued == 0 && self.open.is_empty() && self.handed_on == 0
    }

    /// Whether all that was streamed has been executed. For an answer to a call of a VM that has
    /// ended nobody waits.
    pub fn is_executed(&self) -> bool {
        self.queued == 0 && self.handed_on == 0 && self.open.iter().all(|open| open.tag != 0 && !is_handed_on(open.tag))
    }

    /// A streamed instruction failed; the first failure is kept.
    pub fn stick(&mut self, status: Status) {
        self.sticky.get_or_insert(status);
    }

    /// Instructions that may be sent whatever their operands are.
    pub fn plain_ops(&self) -> Mask {
        let Some(ranges) = &self.ranges else { return self.ops };
        (0..=u8::MAX).filter(|opcode| self.ops.has(*opcode) && !ranges.limits(*opcode)).collect()
    }

    /// The choke point for what concerns programs; what they do is admitted instruction by instruction.
    pub fn admit_program(&self, generation: u32) -> Result<(), Status> {
        match self.closed {
            Some(status) => Err(status),
            None if generation != self.generation => Err(Status::Revoked),
            None => Ok(()),
        }
    }

    /// The one choke point for what arrives: generation, opcode, right, operands, limits. Everything
    /// that it compares with is a table. Returns the instruction's position in the set.
    pub fn admit(
        &self,
        executes: &Executes,
        generation: u32,
        head: Head,
        words: &[u64],
        attachments: &[Option<Attachment>],
    ) -> Result<usize, Status> {
        if let Some(status) = self.closed {
            return Err(status);
        }
        if generation != self.generation {
            return Err(Status::Revoked);
        }
        let position = executes.position(head.opcode).ok_or(Status::NoSuchInstruction)?;
        if !self.ops.has(head.opcode as u8) {
            return Err(Status::NotPermitted);
        }
        executes.check(position, words, attachments.len())?;
        if let (Some(ranges), Some(instruction)) = (&self.ranges, executes.set.instructions.get(position)) {
            let bytes = |index: u32| Some(attachments.get(index as usize)?.as_ref()?.as_buf()?.len() as u64);
            if !ranges.cover(instruction, words, bytes) {
                return Err(Status::OutOfRange);
            }
        }
        if self.open.len() >= MAX_UNANSWERED {
            return Err(Status::Busy);
        }
        Ok(position)
    }
}

/// An instruction set, indexed for the choke point.
#[derive(Debug)]
pub(crate) struct Executes {
    pub set: InstructionSet,
    /// Position of each opcode in the set; [`ABSENT`] if it has none.
    by_opcode: [u8; 256],
    /// By position: of an instruction whose operands are all numbers, the greatest word that each may be.
    greatest: Vec<Option<Box<[u64]>>>,
}

/// No instruction: a set has at most 255, so none stands at this position.
const ABSENT: u8 = u8::MAX;

impl Executes {
    pub fn new(set: InstructionSet) -> Executes {
        let mut by_opcode = [ABSENT; 256];
        for (at, instruction) in set.instructions.iter().enumerate().take(usize::from(ABSENT)) {
            by_opcode[usize::from(instruction.opcode)] = at as u8;
        }
        let words = |instruction: &Instruction| instruction.params.iter().map(|param| greatest(param.ty)).collect();
        let greatest = set.instructions.iter().map(words).collect();
        Executes { set, by_opcode, greatest }
    }

    /// Whether these are operands of the instruction at a position.
    pub fn check(&self, position: usize, words: &[u64], attachments: usize) -> Result<(), Status> {
        if let Some(Some(greatest)) = self.greatest.get(position) {
            let fit = words
                .iter()
                .zip(greatest)
                .fold(words.len() == greatest.len(), |fit, (word, most)| fit & (word <= most));
            return if fit { Ok(()) } else { Err(Status::BadOperand) };
        }
        let instruction = self.set.instructions.get(position).ok_or(Status::NoSuchInstruction)?;
        packet::check(&instruction.params, words, attachments)
    }

    /// Position and instruction of an opcode.
    pub fn position(&self, opcode: u16) -> Option<usize> {
        let at = *self.by_opcode.get(usize::from(opcode))?;
        (at != ABSENT).then_some(usize::from(at))
    }

    pub fn instruction(&self, opcode: u16) -> Option<&Instruction> {
        self.set.instructions.get(self.position(opcode)?)
    }
}

/// The greatest word that stands for a value, if every word up to it does: of what takes one word.
fn greatest(ty: Type) -> Option<u64> {
    match ty {
        Type::I32 | Type::F32 => Some(u64::from(u32::MAX)),
        Type::I64 | Type::F64 => Some(u64::MAX),
        Type::Bool => Some(1),
        _ => None,
    }
}

/// Memory of a queued packet, charged to its sender until executed.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: u64,
}

impl Charge {
    pub fn new(account: &Arc<Account>, words: usize) -> Option<Charge> {
        let bytes = words as u64 * 8;
        account.charge(bytes).then(|| Charge { account: account.clone(), bytes })
    }

    /// For what is there already, whatever the limit.
    fn over(account: &Arc<Account>, words: usize) -> Charge {
        let bytes = words as u64 * 8;
        account.overcharge(bytes);
        Charge { account: account.clone(), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.release(self.bytes);
    }
}

/// What waits in a VM's inbox, in the order in which it will be acted on.
#[derive(Debug)]
pub(crate) enum Delivery {
    Packet(Work),
    Event(EventDelivery),
}

/// A packet on its way through its receiver.
#[derive(Debug)]
pub(crate) struct Work {
    pub link: Link,
    pub words: Vec<u64>,
    pub attachments: Vec<Option<Attachment>>,
    /// Where the next instruction starts.
    pub at: usize,
    /// For the observer.
    pub number: u64,
    /// Instructions executed that its receiver has not counted yet.
    pub executed: u64,
    /// Given back when the packet is dropped; none while it is executed as it comes.
    charge: Option<Charge>,
}

impl Work {
    pub fn new(link: Link, words: Vec<u64>, attachments: Vec<Attachment>, charge: Option<Charge>) -> Work {
        let attachments = attachments.into_iter().map(Some).collect();
        Work { link, words, attachments, at: 0, number: 0, executed: 0, charge }
    }

    /// What is left of a packet whose only instruction is being executed.
    pub fn executed(link: Link, words: usize) -> Work {
        Work { at: words, ..Work::new(link, Vec::new(), Vec::new(), None) }
    }

    /// It waits from now on, so its sender pays for it.
    pub fn charge_to(&mut self, sender: &Arc<Account>) {
        self.charge.get_or_insert_with(|| Charge::over(sender, self.words.len()));
    }

    /// Its memory, to be used again; buffers left in it are freed.
    pub fn into_words(self) -> Vec<u64> {
        self.words
    }

    /// The next instruction: its head, and where its operands stand. What is malformed ends the packet.
    pub fn next(&mut self) -> Option<Result<(Head, core::ops::Range<usize>), Status>> {
        let head = Head::unpack(*self.words.get(self.at)?);
        let end = self.at + usize::from(head.words);
        if head.words == 0 || end > self.words.len() {
            self.at = self.words.len();
            return Some(Err(Status::BadOperand));
        }
        let operands = self.at + 1..end;
        self.at = end;
        Some(Ok((head, operands)))
    }

    /// The next instruction's opcode.
    pub fn opcode(&self) -> Option<u16> {
        self.words.get(self.at).map(|word| Head::unpack(*word).opcode)
    }

    /// Whether nothing is left to execute.
    pub fn is_done(&self) -> bool {
        self.at >= self.words.len()
    }
}

/// An event on its way to a handler.
#[derive(Debug)]
pub(crate) struct EventDelivery {
    /// The receiver's slot.
    pub slot: u32,
    pub number: u8,
    pub words: Vec<u64>,
    pub attachments: Vec<Option<Attachment>>,
}

#[cfg(test)]
mod tests {
    use il::isa::Instruction;

    use super::*;

    /// Why an instruction is refused that differs in one thing from one that is admitted.
    fn refused(change: impl FnOnce(&mut Channel)) -> Option<Status> {
        let instruction = Instruction {
            opcode: 1,
            name: "do".into(),
            params: alloc::vec![].into(),
            results: None,
            touches: alloc::vec![].into(),
            doc: "".into(),
        };
        let executes = Executes::new(InstructionSet {
            name: "test.one".into(),
            version: 1,
            instructions: alloc::vec![instruction].into(),
            events: alloc::vec![].into(),
            doc: "".into(),
        });
        let mut channel = Channel::new(VmId(1), 0, VmId(2), Mask::ALL, Mask::NONE);
        change(&mut channel);
        channel.admit(&executes, 1, Head { opcode: 1, words: 1, tag: 0 }, &[], &[]).err()
    }

    #[test]
    fn each_state_of_a_channel_refuses_by_itself() {
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|channel| channel.closed = Some(Status::PeerGone)), Some(Status::PeerGone));
        assert_eq!(refused(|channel| channel.generation = 2), Some(Status::Revoked));
        assert_eq!(refused(|channel| channel.ops = Mask::NONE.with(2)), Some(Status::NotPermitted));
        let head = Head { opcode: 1, words: 1, tag: 7 };
        let fill = |channel: &mut Channel, count| (0..count).for_each(|_| _ = channel.begin(head));
        assert_eq!(refused(|channel| fill(channel, MAX_UNANSWERED - 1)), None);
        assert_eq!(refused(|channel| fill(channel, MAX_UNANSWERED)), Some(Status::Busy));
    }
}
