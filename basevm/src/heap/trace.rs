//! Tracing: what a collection does with each reference. `unsafe`: guest memory.
//!
//! Cheney's way: objects copied to the old space are scanned where they lie, in order; large ones are linked into
//! a list. Nothing recurses, and nothing is allocated but from what was reserved.

use alloc::vec::Vec;

use compiler::abi::{FROZEN, IMMORTAL, REMEMBERED};

use super::Outside;
use super::object::{Header, LARGE, Object};
use super::region::Regions;
use super::space::{LargeSpace, OldSpace};
use super::types::{Kind, TypeTable};

/// Sets a bit.
pub(super) fn mark(bits: &mut Vec<u64>, at: usize) {
    if at / 64 >= bits.len() {
        bits.resize(at / 64 + 1, 0);
    }
    bits[at / 64] |= 1 << (at % 64);
}

/// One collection under way; `FULL` if it moves the old objects too.
pub(super) struct Tracer<'h, const FULL: bool> {
    pub types: &'h TypeTable,
    /// First address of the nursery, and its length.
    pub young: (u64, u64),
    /// Where survivors go.
    pub to: &'h mut OldSpace,
    pub large: &'h mut LargeSpace,
    pub regions: &'h mut Regions,
    /// Colour of what has been reached.
    pub colour: u32,
    /// Capabilities met, a bit a slot.
    pub capabilities: &'h mut Vec<u64>,
    /// Bytes copied out of the nursery.
    pub promoted: u64,
    /// Bytes copied within the old space.
    pub moved: u64,
}

impl<const FULL: bool> Tracer<'_, FULL> {
    /// Makes a word point to where its object is now, moving it first if need be.
    ///
    /// # Safety
    /// The word is 0, odd, or the address of an object, which may have been moved.
    #[inline]
    pub unsafe fn visit(&mut self, word: u64) -> u64 {
        let (start, bytes) = self.young;
        let young = word.wrapping_sub(start) < bytes;
        if !young && (!FULL || word == 0 || word & 1 == 1) {
            if FULL && word != 0 {
                mark(self.capabilities, (word >> 1) as usize);
            }
            return word;
        }
        // SAFETY: the caller's promise: an object.
        let object = unsafe { Object::at(word) };
        let header = object.header();
        if let Some(place) = header.new_place() {
            return place;
        }
        if FULL && header.has(FROZEN | IMMORTAL | LARGE | self.colour) {
            self.stay(object, header);
            return word;
        }
        self.copy(object, header, young)
    }

    #[inline]
    fn copy(&mut self, object: Object, header: Header, young: bool) -> u64 {
        let bytes = self.types.bytes(header.kind(), header.len());
        let to = self.to.take(bytes);
        object.copy_to(to, bytes);
        to.set_header(header.with_only(self.colour));
        object.set_header(Header::moved(to.address()));
        *(if young { &mut self.promoted } else { &mut self.moved }) += bytes;
        to.address()
    }

    /// What does not move: reached already, not of this heap, or large.
    fn stay(&mut self, object: Object, header: Header) {
        if header.has(FROZEN) {
            self.regions.meet(object.address());
        } else if header.has(LARGE) && !header.has(self.colour) {
            object.set_header(header.without(REMEMBERED).coloured(self.colour));
            self.large.shade(object);
        }
    }

    /// Scans an object: visits all its references. Returns its size.
    ///
    /// # Safety
    /// Its words of reference types are as [`Tracer::visit`] wants them.
    #[inline]
    pub unsafe fn scan(&mut self, object: Object) -> u64 {
        let (types, header) = (self.types, object.header());
        match types.kind(header.kind()) {
            Kind::Struct { references, bytes, .. } => {
                for offset in types.offsets(references) {
                    // SAFETY: the caller's promise.
                    unsafe { self.scan_word(object, u64::from(*offset)) };
                }
                u64::from(*bytes)
            }
            Kind::References => {
                for index in 1..=u64::from(header.len()) {
                    // SAFETY: the caller's promise.
                    unsafe { self.scan_word(object, index * 8) };
                }
                8 + u64::from(header.len()) * 8
            }
            Kind::Plain(_) | Kind::Bufs | Kind::Func | Kind::Nothing => types.bytes(header.kind(), header.len()),
        }
    }

    /// # Safety
    /// As for [`Tracer::visit`], of the word at this offset.
    #[inline]
    unsafe fn scan_word(&mut self, object: Object, offset: u64) {
        let word = object.word(offset);
        // SAFETY: the caller's promise.
        let now = unsafe { self.visit(word) };
        if now != word {
            object.set_word(offset, now);
        }
    }

    /// Scans what was assigned to since the last collection.
    pub fn remembered(&mut self, addresses: &[u64]) {
        for address in addresses {
            // SAFETY: only live, old objects are remembered.
            let object = unsafe { Object::at(*address) };
            object.set_header(object.header().without(REMEMBERED));
            // SAFETY: a live object.
            unsafe { self.scan(object) };
        }
    }

    /// Visits all roots, and all that is reached from them.
    pub fn all(&mut self, outside: &mut dyn Outside) {
        // SAFETY: the promise of `Outside`.
        outside.roots(&mut |word| unsafe { self.visit(word) });
        self.drain();
    }

    /// Replaces the holders from index `from` on by where they are now; frees the bufs of those that have died.
    pub fn holders(&self, holders: &mut Vec<u64>, from: usize, outside: &mut dyn Outside) {
        let mut index = 0;
        holders.retain_mut(|address| {
            index += 1;
            if index <= from {
                return true;
            }
            // SAFETY: holders are objects of this heap, alive before the collection.
            match unsafe { self.survivor(*address) } {
                Some(object) => {
                    *address = object.address();
                    true
                }
                None => {
                    // SAFETY: dead, but still there.
                    self.free_bufs(unsafe { Object::at(*address) }, outside);
                    false
                }
            }
        });
    }

    fn free_bufs(&self, dead: Object, outside: &mut dyn Outside) {
        let header = dead.header();
        let mut free = |offset: u64| match dead.word(offset) {
            0 => {}
            buf => outside.free_buf(buf),
        };
        match self.types.kind(header.kind()) {
            Kind::Struct { bufs, .. } => {
                self.types.offsets(bufs).iter().for_each(|offset| free(u64::from(*offset)));
            }
            Kind::Bufs => (1..=u64::from(header.len())).for_each(|index| free(index * 8)),
            Kind::Plain(_) | Kind::References | Kind::Func | Kind::Nothing => {}
        }
    }

    /// Scans all that was reached.
    fn drain(&mut self) {
        loop {
            while let Some(object) = self.to.unscanned() {
                // SAFETY: a copy of a live object.
                let bytes = unsafe { self.scan(object) };
                self.to.scanned(bytes);
            }
            match self.large.unscanned() {
                // SAFETY: a live object.
                Some(object) => unsafe { self.scan(object) },
                None => return,
            };
        }
    }

    /// Where an object is now; `None` if it has not been reached.
    ///
    /// # Safety
    /// `address` is that of an object of this heap, alive before the collection.
    unsafe fn survivor(&self, address: u64) -> Option<Object> {
        // SAFETY: the caller's promise; what was moved leaves its new place.
        let object = unsafe { Object::at(address) };
        let header = object.header();
        let young = address.wrapping_sub(self.young.0) < self.young.1;
        match header.new_place() {
            // SAFETY: where it was moved.
            Some(place) => Some(unsafe { Object::at(place) }),
            None if header.has(LARGE) && (!FULL || header.has(self.colour)) => Some(object),
            None if !FULL && !young => Some(object),
            None => None,
        }
    }
}
