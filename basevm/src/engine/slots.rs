//! Slots: the sending ends of a VM's channels, and the memory of their open packets.
//!
//! A slot whose cursor equals its end makes JIT code take the `Room` exit at the next instruction:
//! so it is when the slot is closed, when the packet is full, and before the first instruction (a
//! slot that was never used has no memory). A packet is copied out when it is taken: most are short,
//! and the slot is at once ready for the next.
//!
//! The first slots are those of the module's `use`s, then comes the one of the VM's own events. What the VM is given
//! or makes later has slots behind them, which are used again when no value names them any more.

use alloc::vec;
use alloc::vec::Vec;

use compiler::abi::CapSlot;
use il::IsaId;
use il::packet::{Head, MAX_ATTACHMENTS, MAX_WORDS};

use super::raw::Shared;
use crate::attachment::{Attachment, Capability};
use crate::system::Mask;

/// Most slots of a VM, those of its `use`s included.
pub(super) const MAX_SLOTS: usize = 4096;
/// A packet's memory at first, in words.
const FIRST_WORDS: usize = 512;

/// Memory of one slot.
#[derive(Debug)]
struct Buffer {
    words: Shared<u64>,
    attachments: Shared<u64>,
}

/// What a capability in a slot of a VM's own allows, in terms of its module.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// The right itself, to be given on.
    pub capability: Capability,
    /// The module's embedded sets that have the path of the right's.
    pub isas: Vec<IsaId>,
    /// Instructions that may be sent, and that mean the same at both ends.
    pub ops: Mask,
}

#[derive(Default, Debug)]
struct Slot {
    open: bool,
    /// What can be given on.
    capability: Option<Capability>,
    /// For one that the VM was given or made.
    allowed: Option<(Vec<IsaId>, Mask)>,
    /// Attachments of the open packet that are not buffers.
    objects: Vec<Attachment>,
    buffer: Option<Buffer>,
    /// Memory of an earlier packet, for the next one that is taken.
    spare: Vec<u64>,
}

/// All slots of a VM.
#[derive(Debug)]
pub(super) struct Slots {
    table: Shared<CapSlot>,
    slots: Vec<Slot>,
    /// How many are not given or made.
    own: usize,
    /// Those behind these that no value names.
    free: Vec<usize>,
}

const CLOSED: CapSlot = CapSlot { cursor: 0, end: 0, attachments: 0, attached: 0, channel: 0, generation: 0 };

impl Slots {
    /// Closed ones.
    pub fn new(count: usize) -> Slots {
        let slots = (0..count).map(|_| Slot::default()).collect();
        Slots { table: Shared::new(vec![CLOSED; count]), slots, own: count, free: Vec::new() }
    }

    /// Opens a slot for a capability that the VM was given or made; the table may move. `None` if there are too many.
    pub fn add(&mut self, channel: u32, generation: u32, allowed: Allowed) -> Option<usize> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.grow()?,
        };
        self.open(index, channel, generation);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.capability = Some(allowed.capability);
            slot.allowed = Some((allowed.isas, allowed.ops));
        }
        Some(index)
    }

    fn grow(&mut self) -> Option<usize> {
        let index = self.slots.len();
        if index >= MAX_SLOTS {
            return None;
        }
        if index == self.table.len() {
            let len = (index * 2).clamp(self.own + 4, MAX_SLOTS);
            let old = core::mem::replace(&mut self.table, Shared::new(Vec::new()));
            let mut table = old.into_vec(index);
            table.resize(len, CLOSED);
            self.table = Shared::new(table);
        }
        self.slots.push(Slot::default());
        Some(index)
    }

    /// Says what the capability in a slot is.
    pub fn set_capability(&mut self, index: usize, capability: Capability) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.capability = Some(capability);
        }
    }

    /// The capability in an open slot.
    pub fn capability(&self, index: usize) -> Option<&Capability> {
        self.slots.get(index).filter(|slot| slot.open)?.capability.as_ref()
    }

    /// What the capability in a slot behind the first ones allows, or allowed before it was closed.
    pub fn allowed(&self, index: usize) -> Option<(&[IsaId], Mask)> {
        self.slots.get(index)?.allowed.as_ref().map(|(isas, ops)| (isas.as_slice(), *ops))
    }

    /// Slots behind the first ones that values may name, closed ones included.
    pub fn given(&self) -> impl Iterator<Item = usize> + '_ {
        (self.own..self.slots.len()).filter(|index| self.slots[*index].allowed.is_some())
    }

    /// Closes a slot that no value names, to be used again; returns the buffers of its packet.
    pub fn release(&mut self, index: usize) -> Vec<u64> {
        let bufs = self.close(index);
        if index >= self.own
            && let Some(slot) = self.slots.get_mut(index)
            && slot.allowed.take().is_some()
        {
            self.free.push(index);
        }
        bufs
    }

    /// Adds to the attachments of the open packet, which has room: the address of a `buf`.
    pub fn attach_buf(&mut self, index: usize, address: u64) -> u64 {
        self.attach_word(index, address)
    }

    /// The same for what is no buffer.
    pub fn attach(&mut self, index: usize, attachment: Attachment) -> u64 {
        let Some(slot) = self.slots.get_mut(index) else { return 0 };
        slot.objects.push(attachment);
        let word = (slot.objects.len() as u64 - 1) << 1 | 1;
        self.attach_word(index, word)
    }

    fn attach_word(&mut self, index: usize, word: u64) -> u64 {
        let Some(mut cap) = self.table.get(index) else { return 0 };
        let at = cap.attached;
        if let Some(buffer) = self.slots.get_mut(index).and_then(|slot| slot.buffer.as_mut()) {
            buffer.attachments.set(at as usize, word);
        }
        cap.attached += 1;
        self.table.set(index, cap);
        at
    }

    /// Takes what the odd words of the attachments that [`Slots::take`] gave stand for.
    pub fn take_objects(&mut self, index: usize) -> Vec<Attachment> {
        self.slots.get_mut(index).map(|slot| core::mem::take(&mut slot.objects)).unwrap_or_default()
    }

    /// Address of the array that JIT code reads.
    pub fn address(&self) -> u64 {
        self.table.address()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Opens a slot; its packet, if any, stays.
    pub fn open(&mut self, index: usize, channel: u32, generation: u32) {
        self.update(index, |slot, cap| {
            slot.open = true;
            (cap.channel, cap.generation) = (channel, generation);
        });
    }

    /// Closes a slot; returns the buffers of its packet, which is dropped.
    pub fn close(&mut self, index: usize) -> Vec<u64> {
        let (_, mut attachments) = self.take(index);
        attachments.retain(|word| word & 1 == 0);
        drop(self.take_objects(index));
        self.update(index, |slot, cap| {
            slot.open = false;
            slot.capability = None;
            cap.end = cap.cursor;
        });
        attachments
    }

    /// Channel and generation of an open slot.
    pub fn target(&self, index: usize) -> Option<(u32, u32)> {
        let cap = self.table.get(index)?;
        self.is_open(index).then_some((cap.channel, cap.generation))
    }

    /// Whether a slot is open.
    pub fn is_open(&self, index: usize) -> bool {
        self.slots.get(index).is_some_and(|slot| slot.open)
    }

    /// Words in the open packet.
    pub fn used(&self, index: usize) -> usize {
        let base = self.slots.get(index).and_then(|slot| slot.buffer.as_ref()).map(|buffer| buffer.words.address());
        match (base, self.table.get(index)) {
            (Some(base), Some(cap)) => (cap.cursor.saturating_sub(base) / 8) as usize,
            _ => 0,
        }
    }

    /// Makes room in the open packet, enlarging its memory; false if it has to be taken first.
    pub fn make_room(&mut self, index: usize, words: usize, attachments: usize) -> bool {
        let used = self.used(index);
        let needed = used.saturating_add(words);
        let Some(cap) = self.table.get(index) else { return false };
        if needed > MAX_WORDS || (cap.attached as usize).saturating_add(attachments) > MAX_ATTACHMENTS {
            return false;
        }
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let has = slot.buffer.as_ref().map_or(0, |buffer| buffer.words.len());
        if has < needed {
            let len = needed.next_power_of_two().clamp(FIRST_WORDS, MAX_WORDS);
            slot.enlarge(len, used);
        }
        self.place(index, used);
        true
    }

    /// Takes the open packet: its words, and its attachments: addresses of buffers, odd words for others.
    pub fn take(&mut self, index: usize) -> (Vec<u64>, Vec<u64>) {
        let used = self.used(index);
        let attached = self.table.get(index).map_or(0, |cap| cap.attached as usize);
        let Some(slot) = self.slots.get_mut(index).filter(|_| used > 0) else { return Default::default() };
        let Some(Buffer { words, attachments }) = &slot.buffer else { return Default::default() };
        let (mut to_words, mut to_attachments) = (core::mem::take(&mut slot.spare), Vec::new());
        words.copy_to(used, &mut to_words);
        attachments.copy_to(attached, &mut to_attachments);
        self.place(index, 0);
        self.update(index, |slot, cap| {
            cap.attached = 0;
            if !slot.open {
                cap.end = cap.cursor;
            }
        });
        (to_words, to_attachments)
    }

    /// Uses a packet's memory for the next one that is taken.
    pub fn recycle(&mut self, index: usize, words: Vec<u64>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if (slot.spare.capacity()..=MAX_WORDS).contains(&words.capacity()) {
            slot.spare = words;
        }
    }

    /// The head word at an address inside the open packet.
    pub fn head(&self, index: usize, address: u64) -> Option<Head> {
        let (words, at) = self.word_at(index, address)?;
        words.get(at).map(Head::unpack)
    }

    /// Replaces the head word at an address inside the open packet.
    pub fn set_head(&mut self, index: usize, address: u64, head: Head) {
        let Some((_, at)) = self.word_at(index, address) else { return };
        if let Some(buffer) = self.slots.get_mut(index).and_then(|slot| slot.buffer.as_mut()) {
            buffer.words.set(at, head.pack());
        }
    }

    fn word_at(&self, index: usize, address: u64) -> Option<(&Shared<u64>, usize)> {
        let words = &self.slots.get(index)?.buffer.as_ref()?.words;
        let at = (address.checked_sub(words.address())? / 8) as usize;
        (at < self.used(index)).then_some((words, at))
    }

    /// Points the slot at its memory, `used` words of which are taken.
    fn place(&mut self, index: usize, used: usize) {
        self.update(index, |slot, cap| {
            let Some(Buffer { words, attachments }) = &slot.buffer else { return };
            cap.cursor = words.address() + used as u64 * 8;
            cap.end = words.address() + words.len() as u64 * 8;
            cap.attachments = attachments.address();
        });
    }

    fn update(&mut self, index: usize, change: impl FnOnce(&mut Slot, &mut CapSlot)) {
        if let (Some(slot), Some(mut cap)) = (self.slots.get_mut(index), self.table.get(index)) {
            change(slot, &mut cap);
            self.table.set(index, cap);
        }
    }
}

impl Slot {
    fn enlarge(&mut self, len: usize, used: usize) {
        let (mut words, attachments) = match self.buffer.take() {
            Some(buffer) => (buffer.words.into_vec(used), buffer.attachments),
            None => (Vec::new(), attachments()),
        };
        words.resize(len, 0);
        self.buffer = Some(Buffer { words: Shared::new(words), attachments });
    }
}

fn attachments() -> Shared<u64> {
    Shared::new(vec![0; MAX_ATTACHMENTS])
}
