//! Slots: the sending ends of a VM's channels, and the memory of their open packets.
//!
//! A slot whose cursor equals its end makes JIT code take the `Room` exit at the next instruction:
//! so it is when the slot is closed, when the packet is full, and before the first instruction (a
//! slot that was never used has no memory). A short packet is copied out when it is taken; a long one is
//! handed over with its memory, and the slot goes on in that of an earlier one.
//!
//! The first slots are those of the module's `use`s, then comes the one of the VM's own events. What the VM is given
//! or makes later has slots behind them, which are used again when no value names them any more.

use alloc::vec;
use alloc::vec::Vec;

use compiler::abi::CapSlot;
use il::IsaId;
use il::packet::{Head, MAX_ATTACHMENTS, MAX_WORDS};

use super::PlainWords;
use super::raw::Shared;
use crate::attachment::{Attachment, Capability};
use crate::system::Mask;

/// Most slots of a VM, those of its `use`s included.
pub(super) const MAX_SLOTS: usize = 4096;
/// A packet's memory at first, in words.
const FIRST_WORDS: usize = 64;
/// What an open packet holds before it is sent, in words, if not one instruction takes more: half of a first-level cache,
/// so that neither its sender nor its receiver waits for memory.
const OPEN_WORDS: usize = 2048;
/// Packets up to this many words are copied when they are taken.
const COPIED_WORDS: usize = 256;
/// Slots that are looked at for open packets, if no more have some. The next instruction through another takes the
/// `Room` exit, which makes it one of them.
const WATCHED: usize = 8;
/// `CapSlot::attached` of a slot without a list, so that an instruction with attachments takes the `Room` exit.
const NO_LIST: u64 = MAX_ATTACHMENTS as u64;

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
    words: Option<Shared<u64>>,
    attachments: Option<Shared<u64>>,
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
    /// Slots that may have an open packet, ascending.
    watched: Vec<u32>,
}

const CLOSED: CapSlot = CapSlot { cursor: 0, end: 0, attachments: 0, attached: NO_LIST, channel: 0, generation: 0 };

impl Slots {
    /// Closed ones.
    pub fn new(count: usize) -> Slots {
        let slots = (0..count).map(|_| Slot::default()).collect();
        let table = Shared::new(vec![CLOSED; count]);
        Slots { table, slots, own: count, free: Vec::new(), watched: Vec::new() }
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
        if let Some(list) = self.slots.get_mut(index).and_then(|slot| slot.attachments.as_mut()) {
            list.set(at as usize, word);
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
        let base = self.slots.get(index).and_then(|slot| slot.words.as_ref()).map(Shared::address);
        match (base, self.table.get(index)) {
            (Some(base), Some(cap)) => (cap.cursor.saturating_sub(base) / 8) as usize,
            _ => 0,
        }
    }

    /// The first slot from `from` on whose open packet is not empty.
    pub fn next_used(&self, from: usize) -> Option<usize> {
        self.watched.iter().map(|slot| *slot as usize).find(|slot| *slot >= from && self.used(*slot) > 0)
    }

    /// If this slot's open packet is the only one of the VM, and holds one short instruction without attachments: its head and how
    /// many operand words it has, which are put into `words`.
    pub fn only(&self, index: usize, words: &mut PlainWords) -> Option<(Head, usize)> {
        let used = self.used(index);
        let alone = self.watched.iter().all(|slot| *slot as usize == index || self.used(*slot as usize) == 0);
        if used == 0 || used > words.len() + 1 || self.attached(index) > 0 || !alone {
            return None;
        }
        let packet = self.slots.get(index)?.words.as_ref()?;
        let head = Head::unpack(packet.get(0)?);
        if usize::from(head.words) != used {
            return None;
        }
        for (at, word) in words.iter_mut().take(used - 1).enumerate() {
            *word = packet.get(at + 1)?;
        }
        Some((head, used - 1))
    }

    /// Empties an open packet, which has no attachments.
    pub fn clear(&mut self, index: usize) {
        self.place(index, 0);
        self.update(index, |slot, cap| {
            if !slot.open {
                cap.end = cap.cursor;
            }
        });
    }

    /// Makes room in the open packet, enlarging its memory; false if it has to be taken first.
    pub fn make_room(&mut self, index: usize, words: usize, attachments: usize) -> bool {
        let used = self.used(index);
        let (needed, attached) = (used.saturating_add(words), self.attached(index));
        let most = if used == 0 { MAX_WORDS } else { OPEN_WORDS };
        if needed > most || attached.saturating_add(attachments) > MAX_ATTACHMENTS {
            return false;
        }
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let has = slot.words.as_ref().map_or(0, Shared::len);
        if has < needed {
            slot.enlarge(needed.next_power_of_two().clamp(FIRST_WORDS, MAX_WORDS), used);
        }
        if attachments > 0 && slot.attachments.is_none() {
            slot.attachments = Some(Shared::new(vec![0; MAX_ATTACHMENTS]));
            self.update(index, |_, cap| cap.attached = 0);
        }
        self.place(index, used);
        self.watch(index);
        true
    }

    /// Takes the open packet: its words, and its attachments: addresses of buffers, odd words for others.
    pub fn take(&mut self, index: usize) -> (Vec<u64>, Vec<u64>) {
        let (used, attached) = (self.used(index), self.attached(index));
        let Some(slot) = self.slots.get_mut(index).filter(|_| used > 0) else { return Default::default() };
        let words = slot.take_words(used);
        let mut addresses = Vec::new();
        if let Some(list) = &slot.attachments {
            list.copy_to(attached, &mut addresses);
        }
        self.place(index, 0);
        self.update(index, |slot, cap| {
            cap.attached = if slot.attachments.is_some() { 0 } else { NO_LIST };
            if !slot.open {
                cap.end = cap.cursor;
            }
        });
        (words, addresses)
    }

    fn attached(&self, index: usize) -> usize {
        let has_list = self.slots.get(index).is_some_and(|slot| slot.attachments.is_some());
        self.table.get(index).filter(|_| has_list).map_or(0, |cap| cap.attached as usize)
    }

    /// From now on the slot may have an open packet. Others whose packet is empty make room for it.
    fn watch(&mut self, index: usize) {
        let Err(at) = self.watched.binary_search(&(index as u32)) else { return };
        self.watched.insert(at, index as u32);
        while self.watched.len() > WATCHED {
            let idle = |slot: &u32| *slot as usize != index && self.used(*slot as usize) == 0;
            let Some(at) = self.watched.iter().position(idle) else { return };
            let idle = self.watched.remove(at);
            self.update(idle as usize, |_, cap| cap.end = cap.cursor);
        }
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
        if let Some(words) = self.slots.get_mut(index).and_then(|slot| slot.words.as_mut()) {
            words.set(at, head.pack());
        }
    }

    fn word_at(&self, index: usize, address: u64) -> Option<(&Shared<u64>, usize)> {
        let words = self.slots.get(index)?.words.as_ref()?;
        let at = (address.checked_sub(words.address())? / 8) as usize;
        (at < self.used(index)).then_some((words, at))
    }

    /// Points the slot at its memory, `used` words of which are taken.
    fn place(&mut self, index: usize, used: usize) {
        self.update(index, |slot, cap| {
            let Some(words) = &slot.words else { return };
            cap.cursor = words.address() + used as u64 * 8;
            cap.end = words.address() + words.len() as u64 * 8;
            cap.attachments = slot.attachments.as_ref().map_or(0, Shared::address);
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
        let mut words = self.words.take().map_or(Vec::new(), |words| words.into_vec(used));
        words.resize(len, 0);
        self.words = Some(Shared::new(words));
    }

    /// The first `used` words of the open packet.
    fn take_words(&mut self, used: usize) -> Vec<u64> {
        let mut spare = core::mem::take(&mut self.spare);
        let len = self.words.as_ref().map_or(0, Shared::len);
        if used <= COPIED_WORDS || used < len / 2 {
            if let Some(words) = &self.words {
                words.copy_to(used, &mut spare);
            }
            return spare;
        }
        if spare.capacity() < len {
            spare = vec![0; len];
        } else {
            // What it holds is old; no word is read before it is written again.
            spare.resize(spare.capacity(), 0);
        }
        self.words.replace(Shared::new(spare)).map_or(Vec::new(), |words| words.into_vec(used))
    }
}
