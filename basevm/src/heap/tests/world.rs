//! A VM without code: roots, stores with their barrier, and bufs by number.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use compiler::abi::{FROZEN, KIND_STR, REMEMBERED};
use il::TypeId;

use super::super::object::Object;
use super::super::{Config, Exhausted, Heap, Outside, TypeTable};
use super::kind;
use crate::buf::Account;

/// What lies outside of the heap.
pub(super) struct Roots {
    pub words: Vec<u64>,
    /// Bufs that exist.
    pub bufs: BTreeSet<u64>,
    next_buf: u64,
}

// SAFETY: `words` are all that the tests keep over a collection, and come from this heap.
unsafe impl Outside for Roots {
    fn roots(&mut self, visit: &mut dyn FnMut(u64) -> u64) {
        self.words.iter_mut().for_each(|word| *word = visit(*word));
    }

    fn free_buf(&mut self, address: u64) {
        assert!(self.bufs.remove(&address), "buf {address} was freed already");
    }
}

pub(super) struct World {
    pub heap: Heap,
    pub types: Arc<TypeTable>,
    pub account: Arc<Account>,
    pub roots: Roots,
}

/// The object at an address.
pub(super) fn object(address: u64) -> Object {
    assert!(address != 0 && address.is_multiple_of(8), "{address:#x} is no object");
    // SAFETY: only addresses from live words are asked for.
    unsafe { Object::at(address) }
}

impl World {
    pub fn new(quota: u64, roots: usize, stress: bool) -> World {
        let (account, types) = (Account::new(quota), super::types());
        let heap = Heap::new(account.clone(), types.clone(), None, Config { stress, ..Config::default() });
        World { heap, types, account, roots: Roots { words: vec![0; roots], bufs: BTreeSet::new(), next_buf: 16 } }
    }

    /// A new object, all of whose words are null, in a root.
    pub fn make(&mut self, root: usize, id: TypeId, len: u32) -> Result<Object, Exhausted> {
        self.make_kind(root, kind(&self.types, id), len)
    }

    pub fn make_kind(&mut self, root: usize, kind: u32, len: u32) -> Result<Object, Exhausted> {
        let address = self.heap.alloc(kind, len, &mut self.roots)?;
        let bytes = self.types.bytes(kind, len);
        (8..bytes).step_by(8).for_each(|offset| object(address).set_word(offset, 0));
        self.roots.words[root] = address;
        Ok(object(address))
    }

    /// A new `str` in a root.
    pub fn text(&mut self, root: usize, text: &str) -> Result<Object, Exhausted> {
        let made = self.make_kind(root, KIND_STR, text.len() as u32)?;
        for (at, chunk) in text.as_bytes().chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            made.set_word(8 + 8 * at as u64, u64::from_le_bytes(word));
        }
        Ok(made)
    }

    /// A new buf's number.
    pub fn buf(&mut self) -> u64 {
        self.roots.next_buf += 16;
        self.roots.bufs.insert(self.roots.next_buf);
        self.roots.next_buf
    }

    /// What machine code does before it stores a reference in the object in a root: the object, as it is then.
    pub fn barrier(&mut self, root: usize) -> Object {
        let target = object(self.roots.words[root]);
        let window = self.heap.window();
        let old = target.address().wrapping_sub(window.start) >= window.bytes;
        assert!(!target.header().has(FROZEN), "nothing is stored in frozen objects");
        if old && !target.header().has(REMEMBERED) {
            // SAFETY: an object of this heap, outside the nursery.
            unsafe { self.heap.remember(target.address()) }.unwrap();
        }
        object(self.roots.words[root])
    }

    pub fn collect(&mut self, full: bool) {
        self.heap.collect(full, &mut self.roots).unwrap();
    }

    /// Freezes what is in a root.
    pub fn freeze(&mut self, root: usize) {
        // SAFETY: an object; the tests freeze only sendable ones.
        let frozen = unsafe { self.heap.freeze(self.roots.words[root]) };
        self.roots.words[root] = frozen.unwrap();
    }

    /// Drops the VM: nothing stays charged.
    pub fn end(self) {
        let World { heap, account, .. } = self;
        drop(heap);
        assert_eq!(account.used(), 0, "bytes leaked");
    }
}
