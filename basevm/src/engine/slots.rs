//! Slots: the sending ends of a VM's channels, and the memory of their open packets.
//!
//! A slot whose cursor equals its end makes JIT code take the `Room` exit at the next instruction:
//! so it is when the slot is closed, when the packet is full, and before the first instruction (a
//! slot that was never used has no memory). A packet is copied out when it is taken: most are short,
//! and the slot is at once ready for the next.

use alloc::vec;
use alloc::vec::Vec;

use compiler::abi::CapSlot;
use il::packet::{Head, MAX_ATTACHMENTS, MAX_WORDS};

use super::raw::Shared;

/// A packet's memory at first, in words.
const FIRST_WORDS: usize = 512;

/// Memory of one slot.
#[derive(Debug)]
struct Buffer {
    words: Shared<u64>,
    attachments: Shared<u64>,
}

#[derive(Default, Debug)]
struct Slot {
    open: bool,
    buffer: Option<Buffer>,
    /// Memory of an earlier packet, for the next one that is taken.
    spare: Vec<u64>,
}

/// All slots of a VM.
#[derive(Debug)]
pub(super) struct Slots {
    table: Shared<CapSlot>,
    slots: Vec<Slot>,
}

impl Slots {
    /// Closed ones.
    pub fn new(count: usize) -> Slots {
        let closed = CapSlot { cursor: 0, end: 0, attachments: 0, attached: 0, channel: 0, generation: 0 };
        Slots { table: Shared::new(vec![closed; count]), slots: (0..count).map(|_| Slot::default()).collect() }
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

    /// Closes a slot; returns the attachments of its packet, which is dropped.
    pub fn close(&mut self, index: usize) -> Vec<u64> {
        let (_, attachments) = self.take(index);
        self.update(index, |slot, cap| {
            slot.open = false;
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

    /// Takes the open packet: its words, and the addresses of its attachments.
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
