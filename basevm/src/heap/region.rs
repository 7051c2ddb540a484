//! Frozen regions: graphs of immutable objects in shared memory, outside every heap.
//!
//! A region is one allocation, made once and never changed. It keeps the regions that it points into, and the
//! types of its objects; it lives as long as a heap, another region or the base refers to it, and is paid for by
//! the VM that froze it until then.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use compiler::abi::{FROZEN, IMMORTAL, KIND_STR};

use super::object::Header;
use super::space::Memory;
use super::types::TypeTable;
use crate::buf::Account;

/// What a region costs besides its objects.
pub(super) const REGION_OVERHEAD: u64 = 192;

/// One frozen graph.
#[derive(Debug)]
pub struct FrozenRegion {
    memory: Memory,
    used: u64,
    /// The regions that it points into.
    into: Vec<Arc<FrozenRegion>>,
    /// Kept for the numbers of its objects' types, for as long as these are in use.
    _types: Option<Arc<TypeTable>>,
    /// Who pays, and how much.
    payer: Option<(Arc<Account>, u64)>,
}

impl FrozenRegion {
    pub(super) fn new(
        memory: Memory,
        used: u64,
        into: Vec<Arc<FrozenRegion>>,
        types: Option<Arc<TypeTable>>,
        payer: Option<(Arc<Account>, u64)>,
    ) -> Arc<FrozenRegion> {
        Arc::new(FrozenRegion { memory, used, into, _types: types, payer })
    }

    /// Texts as immortal `str`s of a program, and their addresses in order; `None` if there is no memory.
    pub fn literals<'a>(texts: impl Iterator<Item = &'a str>) -> Option<(Arc<FrozenRegion>, Vec<u64>)> {
        let (mut words, mut offsets) = (Vec::new(), Vec::new());
        for text in texts {
            offsets.push(words.len() as u64 * 8);
            words.push(Header::new(KIND_STR, FROZEN | IMMORTAL, text.len() as u32).0);
            words.extend(text.as_bytes().chunks(8).map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            }));
        }
        let memory = Memory::of_words(&words)?;
        let addresses = offsets.into_iter().map(|offset| memory.start() + offset).collect();
        let used = size_of_val(words.as_slice()) as u64;
        Some((FrozenRegion::new(memory, used, Vec::new(), None, None), addresses))
    }

    /// Address of the first object: of a frozen graph, its root.
    pub fn start(&self) -> u64 {
        self.memory.start()
    }

    /// Where its objects lie.
    pub(super) fn range(&self) -> Range<u64> {
        self.memory.start()..self.memory.start() + self.used
    }
}

impl Drop for FrozenRegion {
    fn drop(&mut self) {
        if let Some((account, bytes)) = &self.payer {
            account.release(*bytes);
        }
        // A chain of regions may be long: no recursion.
        let mut rest = core::mem::take(&mut self.into);
        while let Some(region) = rest.pop() {
            if let Some(mut last) = Arc::into_inner(region) {
                rest.append(&mut last.into);
            }
        }
    }
}

#[derive(Debug)]
struct Held {
    region: Arc<FrozenRegion>,
    met: bool,
}

/// The regions that a heap may have references into; with each also those that it points into.
#[derive(Debug)]
pub(super) struct Regions {
    /// By first address.
    held: BTreeMap<u64, Held>,
    /// The program's literals: never dropped.
    literals: Option<u64>,
    /// The region met last.
    last: Range<u64>,
}

impl Regions {
    pub fn new(literals: Option<Arc<FrozenRegion>>) -> Regions {
        let mut regions =
            Regions { held: BTreeMap::new(), literals: literals.as_ref().map(|region| region.start()), last: 0..0 };
        if let Some(region) = literals {
            regions.add(region);
        }
        regions
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Adds a region.
    pub fn add(&mut self, region: Arc<FrozenRegion>) {
        let mut rest = Vec::from([region]);
        while let Some(region) = rest.pop() {
            if self.held.contains_key(&region.start()) {
                continue;
            }
            rest.extend(region.into.iter().cloned());
            self.held.insert(region.start(), Held { region, met: false });
        }
    }

    /// The region that an address lies in.
    pub fn find(&self, address: u64) -> Option<&Arc<FrozenRegion>> {
        let (_, held) = self.held.range(..=address).next_back()?;
        held.region.range().contains(&address).then_some(&held.region)
    }

    /// Notes that a full collection has met a reference into a region.
    #[inline]
    pub fn meet(&mut self, address: u64) {
        if !self.last.contains(&address) {
            self.meet_other(address);
        }
    }

    #[cold]
    fn meet_other(&mut self, address: u64) {
        let Some((_, held)) = self.held.range_mut(..=address).next_back() else { return };
        let range = held.region.range();
        assert!(range.contains(&address), "a frozen object at {address:#x} lies in no region");
        held.met = true;
        self.last = range;
    }

    /// Drops what a full collection has not met.
    pub fn sweep(&mut self) {
        self.last = 0..0;
        if let Some(literals) = self.literals {
            self.meet(literals);
            self.last = 0..0;
        }
        let met = |held: &Held| held.met.then(|| held.region.clone());
        let mut rest: Vec<_> = self.held.values().filter_map(met).collect();
        while let Some(region) = rest.pop() {
            for into in &region.into {
                if let Some(held) = self.held.get_mut(&into.start()).filter(|held| !held.met) {
                    held.met = true;
                    rest.push(held.region.clone());
                }
            }
        }
        self.held.retain(|_, held| core::mem::take(&mut held.met));
    }
}
