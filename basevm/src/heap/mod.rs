//! The collected heap of one VM: precise, moving, two generations. It knows types, and nothing of modules,
//! stacks or machine code; what it cannot see it asks of an [`Outside`].
//!
//! - *Nursery*: one block, in which objects are allocated by moving a cursor, mostly by the VM's own code. A minor
//!   collection moves all survivors to the old space, so it is empty afterwards. There is none before the first
//!   allocation; it starts at 16 KiB and grows with use and survival to 4 MiB.
//! - *Old space*: blocks. A full collection moves its survivors to fresh blocks and frees the others. It runs
//!   when the old objects take twice what survived the last one (at least 1 MiB), or when the quota is used up.
//! - *Large objects* (over 8 KiB) have an allocation each and do not move. They are old from birth.
//! - *Remembered set*: old objects that were assigned to since the last collection, and large ones just made.
//!   Immutable objects are never in it: they only refer to older ones.
//! - *Holders*: objects that can own `buf`s. When one dies, its bufs are freed.
//! - *Frozen regions* ([`FrozenRegion`]) lie outside the heap, which keeps those that it may refer to.
//!
//! Invariants:
//!
//! - All that the heap holds between collections is charged to the VM's account: what cannot be paid for is
//!   collected for, then refused ([`Exhausted`]). The second copy that a collection makes is not charged: it is
//!   there only while the VM stands still. All of it is reserved before the first object moves, so a collection
//!   that has begun cannot fail; one that cannot begin refuses.
//! - No collection recurses, whatever the shape of the graph.
//! - A collection happens only inside the methods that take an [`Outside`].

mod foreign;
mod freeze;
pub mod graph;
mod object;
mod region;
pub mod registry;
mod space;
mod stats;
#[cfg(test)]
mod tests;
mod trace;
mod types;

pub(crate) use foreign::classes;
pub use region::FrozenRegion;
pub use stats::{Pauses, Statistics};
pub use types::{TypeTable, kind_of};

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};

use compiler::abi::{FROZEN, KIND_STR, REMEMBERED};
use il::{Type, TypeId};

use crate::buf::Account;
use crate::platform::{Nanos, Platform};
use foreign::Foreign;
use object::{BLACK, Header, LARGE, Object, WHITE};
use region::Regions;
use space::{LargeSpace, MOST_MOVED, Memory, Nursery, OldSpace};
use trace::Tracer;
use types::Kind;

/// Size of the nursery at first, and at most.
const NURSERY_BYTES: [u64; 2] = [16 << 10, 4 << 20];
/// Up to this size the nursery grows with use alone, beyond it only with survival.
const EAGER_NURSERY_BYTES: u64 = 256 << 10;
/// So many minor collections at one size count as use.
const EAGER_COLLECTIONS: u32 = 4;
/// The old space is not collected for its own size before it has this one.
const LEAST_THRESHOLD: u64 = 1 << 20;
/// Bytes of an entry of the remembered set or the list of holders.
const ENTRY_BYTES: u64 = 8;

/// The quota, or the machine's memory, does not cover what is needed, not even after a collection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exhausted;

/// What a collection needs from outside of the heap.
///
/// # Safety
/// `roots` presents all words outside the heap that refer to it, and each of them is 0, odd, or the address of an
/// object of this heap, of a region that it holds, or of an immortal one.
pub unsafe trait Outside {
    /// Calls `visit` with each such word, to be replaced by what it answers.
    fn roots(&mut self, visit: &mut dyn FnMut(u64) -> u64);
    /// Frees a `buf` whose holder has died.
    fn free_buf(&mut self, address: u64);
}

/// Whether heaps made from now on are under stress; see [`Config::stress`].
static STRESS: AtomicBool = AtomicBool::new(false);

/// Puts all heaps made from now on under stress, or not; for tests of whole systems.
pub fn set_stress(stress: bool) {
    STRESS.store(stress, Ordering::Relaxed);
}

/// How a heap behaves.
#[derive(Clone, Copy, Default)]
pub struct Config {
    /// Collect at every allocation that the heap sees, all of them then, and poison what is freed.
    pub stress: bool,
    /// Times the pauses.
    pub clock: Option<&'static dyn Platform>,
    /// Keeps the time of every pause, for [`Heap::take_pauses`]: memory that nobody pays for, so for measurements only.
    pub keep_pauses: bool,
}

impl Config {
    /// As the process wants it ([`set_stress`]), with this clock.
    pub fn with_clock(clock: &'static dyn Platform) -> Config {
        Config { stress: STRESS.load(Ordering::Relaxed), clock: Some(clock), keep_pauses: false }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("stress", &self.stress).finish_non_exhaustive()
    }
}

/// What machine code has to know to allocate, and to tell whether an object is young.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// Next free byte of the nursery.
    pub cursor: u64,
    /// End of its free bytes.
    pub limit: u64,
    /// Its first byte.
    pub start: u64,
    /// Its size.
    pub bytes: u64,
}

/// The heap of one VM.
#[derive(Debug)]
pub struct Heap {
    types: Arc<TypeTable>,
    account: Arc<Account>,
    config: Config,
    nursery: Nursery,
    old: OldSpace,
    large: LargeSpace,
    remembered: Vec<u64>,
    /// Old ones, then young ones.
    holders: Vec<u64>,
    young_holders_from: usize,
    regions: Regions,
    /// Bytes frozen since the last full collection: what dies of them is found by the next.
    frozen_bytes: u64,
    /// Old bytes at which a full collection is due.
    threshold: u64,
    colour: u32,
    /// Capabilities that the last full collection met, or that came since: a bit a slot.
    capabilities: Vec<u64>,
    foreign: Foreign,
    /// What the account was charged.
    charged: u64,
    statistics: Statistics,
    pauses: Vec<Nanos>,
}

impl Heap {
    /// An empty one, which has no memory yet. `literals` are the program's, if it has any.
    pub fn new(
        account: Arc<Account>,
        types: Arc<TypeTable>,
        literals: Option<Arc<FrozenRegion>>,
        config: Config,
    ) -> Heap {
        Heap {
            types,
            account,
            config,
            nursery: Nursery::default(),
            old: OldSpace::default(),
            large: LargeSpace::default(),
            remembered: Vec::new(),
            holders: Vec::new(),
            young_holders_from: 0,
            regions: Regions::new(literals),
            frozen_bytes: 0,
            threshold: LEAST_THRESHOLD,
            colour: BLACK,
            capabilities: Vec::new(),
            foreign: Foreign::default(),
            charged: 0,
            statistics: Statistics::default(),
            pauses: Vec::new(),
        }
    }

    /// The types of its objects.
    pub fn types(&self) -> &Arc<TypeTable> {
        &self.types
    }

    /// Whether it is under stress.
    pub fn is_stressed(&self) -> bool {
        self.config.stress
    }

    /// The nursery, for machine code.
    pub fn window(&self) -> Window {
        let (start, bytes, cursor) = (self.nursery.start(), self.nursery.bytes(), self.nursery.cursor());
        Window { cursor, limit: if self.config.stress { cursor } else { start + bytes }, start, bytes }
    }

    /// Takes over what machine code has allocated: whole objects, up to `cursor`.
    pub fn set_cursor(&mut self, cursor: u64) {
        self.nursery.set_cursor(cursor);
    }

    /// What collections have cost so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            nursery_bytes: self.nursery.bytes(),
            charged_bytes: self.charged,
            regions: self.regions.len() as u64,
            ..self.statistics
        }
    }

    /// How long each collection took since this was last asked, in order; see [`Config::keep_pauses`].
    pub fn take_pauses(&mut self) -> Vec<Nanos> {
        mem::take(&mut self.pauses)
    }

    /// Room for an object: its header is written, all else is to be written before the next collection.
    ///
    /// # Errors
    /// If the quota is used up.
    pub fn alloc(&mut self, kind: u32, len: u32, outside: &mut dyn Outside) -> Result<u64, Exhausted> {
        let bytes = self.types.bytes(kind, len);
        let large = bytes > MOST_MOVED;
        if self.config.stress {
            self.collect(self.statistics.minor.count >= self.statistics.full.count, outside)?;
        } else if large && self.pressure() + bytes > self.threshold {
            self.collect(true, outside)?;
        }
        let object = match self.place(kind, bytes) {
            Some(object) => object,
            None => self.place_collecting(kind, bytes, outside)?,
        };
        object.set_header(Header::new(kind, 0, len));
        if large {
            self.keep_large(object, kind);
        }
        if self.types.holds_bufs(kind) {
            self.holders.push(object.address());
        }
        Ok(object.address())
    }

    /// Room for an object of `bytes` bytes, once there is none.
    #[cold]
    fn place_collecting(&mut self, kind: u32, bytes: u64, outside: &mut dyn Outside) -> Result<Object, Exhausted> {
        let large = bytes > MOST_MOVED;
        if large || self.nursery.is_open() {
            self.collect(large, outside)?;
        }
        self.open_nursery(bytes, outside)?;
        if let Some(object) = self.place(kind, bytes) {
            return Ok(object);
        }
        // The quota is short: what the nursery has beyond its least size counts too.
        self.collect(true, outside)?;
        self.nursery.replace(None);
        self.settle();
        self.open_nursery(bytes, outside)?;
        self.place(kind, bytes).ok_or(Exhausted)
    }

    /// Room for an object of `bytes` bytes, without a collection.
    fn place(&mut self, kind: u32, bytes: u64) -> Option<Object> {
        let holds_bufs = self.types.holds_bufs(kind);
        let large = bytes > MOST_MOVED;
        if holds_bufs && !self.has_entry_room(|heap| &mut heap.holders) {
            return None;
        }
        if large {
            if !self.has_entry_room(|heap| &mut heap.remembered) || !self.charge(LargeSpace::cost(bytes)) {
                return None;
            }
            let object = self.large.take(bytes);
            if object.is_none() {
                self.settle();
            }
            return object;
        }
        self.nursery.take(bytes)
    }

    /// A large object is old from birth, though what it refers to may be young.
    fn keep_large(&mut self, object: Object, kind: u32) {
        let header = object.header().with(LARGE).coloured(self.colour);
        match self.types.kind(kind) {
            Kind::References | Kind::Struct { .. } => {
                object.set_header(header.with(REMEMBERED));
                self.remembered.push(object.address());
            }
            Kind::Plain(_) | Kind::Bufs | Kind::Func | Kind::Nothing => object.set_header(header),
        }
    }

    /// Makes sure that a list takes one more entry, paying for its growth.
    fn has_entry_room(&mut self, list: fn(&mut Heap) -> &mut Vec<u64>) -> bool {
        let entries = list(self);
        if entries.len() < entries.capacity() {
            return true;
        }
        let more = entries.len().max(16);
        if !self.charge(more as u64 * ENTRY_BYTES) {
            return false;
        }
        let grown = list(self).try_reserve_exact(more).is_ok();
        self.settle();
        grown
    }

    /// Enters an old object into the remembered set, before a reference is stored in it.
    ///
    /// # Errors
    /// If the machine has no memory for that. (What the quota does not cover is noticed by the next collection.)
    ///
    /// # Safety
    /// `address` is that of an object of this heap, outside the nursery.
    pub unsafe fn remember(&mut self, address: u64) -> Result<(), Exhausted> {
        if !self.has_entry_room(|heap| &mut heap.remembered) {
            let grown = self.remembered.try_reserve(1).is_ok();
            self.settle();
            if !grown {
                return Err(Exhausted);
            }
        }
        // SAFETY: the caller's promise.
        let object = unsafe { Object::at(address) };
        if !object.header().has(REMEMBERED) {
            object.set_header(object.header().with(REMEMBERED));
            self.remembered.push(address);
        }
        Ok(())
    }

    /// Freezes the graph below `root`; the frozen root's address. `None`, and nothing changed, if the account does
    /// not cover it: a collection may help.
    ///
    /// # Safety
    /// `root` is the address of an object of a sendable type, of this heap or frozen.
    pub unsafe fn freeze(&mut self, root: u64) -> Option<u64> {
        // SAFETY: the caller's promise.
        let object = unsafe { Object::at(root) };
        if object.header().has(FROZEN) {
            return Some(root);
        }
        // SAFETY: the caller's promise.
        let region = unsafe { freeze::freeze(root, &self.types, &self.regions, &self.account)? };
        let start = region.start();
        self.frozen_bytes += region.range().end - start;
        self.regions.add(region);
        Some(start)
    }

    /// Makes a region's objects known to this heap: from now on its VM may refer to them.
    pub fn adopt(&mut self, region: Arc<FrozenRegion>) {
        self.regions.add(region);
    }

    /// The region that a frozen object lies in.
    pub fn region_of(&self, address: u64) -> Option<Arc<FrozenRegion>> {
        self.regions.find(address).cloned()
    }

    /// Whether an object can leave its VM.
    ///
    /// # Safety
    /// `address` is that of an object of this heap, of a region that it holds, or of an immortal one.
    pub unsafe fn is_sendable(&self, address: u64) -> bool {
        // SAFETY: the caller's promise.
        let header = unsafe { Object::at(address) }.header();
        if header.has(FROZEN) || header.kind() == KIND_STR {
            return true;
        }
        self.types.def(header.kind()).is_some_and(|def| self.types.hierarchy().is_sendable_object(Type::Ref(def)))
    }

    /// Whether an object is a `str`.
    ///
    /// # Safety
    /// `address` is that of an object.
    pub unsafe fn is_str(&self, address: u64) -> bool {
        // SAFETY: the caller's promise.
        unsafe { Object::at(address) }.header().kind() == KIND_STR
    }

    /// Whether an object is of a definition, or of one that extends it.
    ///
    /// # Safety
    /// `address` is that of an object of this heap, of a region that exists, or of an immortal one.
    pub unsafe fn is_of(&mut self, address: u64, def: TypeId) -> bool {
        // SAFETY: the caller's promise.
        if let Some(found) = unsafe { self.def_of(address) } {
            return self.types.hierarchy().def_is_subtype(found, def);
        }
        // SAFETY: the caller's promise.
        let header = unsafe { Object::at(address) }.header();
        header.has(FROZEN) && header.kind() != KIND_STR && self.foreign.is(&self.types, header.kind(), def)
    }

    /// Notes that a value names this slot's capability, as if a collection had met it.
    pub fn meet_capability(&mut self, slot: usize) {
        trace::mark(&mut self.capabilities, slot);
    }

    /// Whether the last full collection met a value that names this slot's capability, or such a value came since.
    pub fn has_met_capability(&self, slot: usize) -> bool {
        self.capabilities.get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    /// The definition that an object is of; `None` for a `str`, and for what another module's VM has frozen.
    ///
    /// # Safety
    /// `address` is that of an object of this heap, of a region that it holds, or of an immortal one.
    pub unsafe fn def_of(&self, address: u64) -> Option<TypeId> {
        // SAFETY: the caller's promise.
        let header = unsafe { Object::at(address) }.header();
        let kind = header.kind();
        let kind = if header.has(FROZEN) { self.types.kind_of_registered(kind)? } else { kind };
        self.types.def(kind)
    }

    /// Collects: the whole heap if `full` or if that is due, else the nursery.
    ///
    /// # Errors
    /// If more is in use than the quota allows, or there is no memory to collect with.
    pub fn collect(&mut self, full: bool, outside: &mut dyn Outside) -> Result<(), Exhausted> {
        let started = self.now();
        let done_full = (full || self.pressure() > self.threshold) && self.collect_all(outside);
        if !done_full && !self.collect_young(outside) {
            return Err(Exhausted);
        }
        self.settle();
        let over = self.account.is_over();
        let done_full = done_full || over && self.collect_all(outside);
        if over {
            self.nursery.replace(None);
            self.settle();
        }
        let duration = self.now().saturating_sub(started);
        let pauses = if done_full { &mut self.statistics.full } else { &mut self.statistics.minor };
        pauses.add(duration);
        if self.config.keep_pauses {
            self.pauses.push(duration);
        }
        if self.account.is_over() { Err(Exhausted) } else { Ok(()) }
    }

    fn now(&self) -> Nanos {
        self.config.clock.map_or(0, Platform::now)
    }

    /// Old bytes: what a full collection may reduce.
    fn pressure(&self) -> u64 {
        self.old.used() + self.large.bytes() + self.frozen_bytes
    }

    /// `false`, and nothing done, if there is no memory for it.
    fn collect_young(&mut self, outside: &mut dyn Outside) -> bool {
        let used = self.nursery.used();
        if !self.old.reserve(used) {
            return false;
        }
        self.old.start_scan();
        let young_holders = self.young_holders_from;
        let mut tracer = Tracer::<false> {
            types: &self.types,
            young: (self.nursery.start(), self.nursery.bytes()),
            to: &mut self.old,
            large: &mut self.large,
            regions: &mut self.regions,
            colour: self.colour,
            capabilities: &mut self.capabilities,
            promoted: 0,
            moved: 0,
        };
        tracer.remembered(&self.remembered);
        tracer.all(outside);
        tracer.holders(&mut self.holders, young_holders, outside);
        let promoted = tracer.promoted;
        self.old.end_reserve();
        self.after(promoted, used);
        true
    }

    /// `false`, and nothing done, if there is no memory for it.
    fn collect_all(&mut self, outside: &mut dyn Outside) -> bool {
        let used = self.nursery.used();
        let mut to = OldSpace::default();
        if !to.reserve(self.old.used() + used) {
            return false;
        }
        to.start_scan();
        self.colour ^= BLACK | WHITE;
        self.capabilities.fill(0);
        self.foreign.clear();
        let mut tracer = Tracer::<true> {
            types: &self.types,
            young: (self.nursery.start(), self.nursery.bytes()),
            to: &mut to,
            large: &mut self.large,
            regions: &mut self.regions,
            colour: self.colour,
            capabilities: &mut self.capabilities,
            promoted: 0,
            moved: 0,
        };
        tracer.all(outside);
        tracer.holders(&mut self.holders, 0, outside);
        let (promoted, moved) = (tracer.promoted, tracer.moved);
        to.end_reserve();
        let mut from = mem::replace(&mut self.old, to);
        if self.config.stress {
            from.poison();
        }
        drop(from);
        self.large.sweep(self.colour, self.config.stress);
        self.regions.sweep();
        self.frozen_bytes = 0;
        self.threshold = (self.pressure() * 2).max(LEAST_THRESHOLD);
        self.statistics.moved_bytes += moved;
        self.statistics.live_bytes = self.pressure();
        self.after(promoted, used);
        true
    }

    /// The nursery is empty now: `survived` of `used` bytes have left it.
    fn after(&mut self, survived: u64, used: u64) {
        self.remembered.clear();
        self.young_holders_from = self.holders.len();
        self.statistics.promoted_bytes += survived;
        self.statistics.allocated_bytes += used;
        self.nursery.clear(self.config.stress);
        let bytes = self.nursery.bytes();
        let eager = bytes < EAGER_NURSERY_BYTES && self.nursery.collections() >= EAGER_COLLECTIONS;
        if bytes > 0 && bytes < NURSERY_BYTES[1] && (survived * 8 > bytes || eager) {
            self.settle();
            self.grow_nursery();
        }
    }

    /// Doubles the nursery if that leaves the VM most of its quota.
    fn grow_nursery(&mut self) {
        let bytes = self.nursery.bytes();
        let left = self.account.limit().saturating_sub(self.account.used());
        if left / 8 < bytes || !self.charge(bytes) {
            return;
        }
        if let Some(memory) = Memory::new(bytes * 2) {
            self.nursery.replace(Some(memory));
        }
        self.settle();
    }

    /// Gives the VM a nursery for an object of `bytes` bytes, if it has none.
    fn open_nursery(&mut self, bytes: u64, outside: &mut dyn Outside) -> Result<(), Exhausted> {
        if bytes > MOST_MOVED || self.nursery.is_open() {
            return Ok(());
        }
        if !self.charge(NURSERY_BYTES[0]) {
            self.collect(true, outside)?;
            if !self.charge(NURSERY_BYTES[0]) {
                return Err(Exhausted);
            }
        }
        self.nursery.replace(Memory::new(NURSERY_BYTES[0]));
        self.settle();
        Ok(())
    }

    fn charge(&mut self, bytes: u64) -> bool {
        let paid = self.account.charge(bytes);
        if paid {
            self.charged += bytes;
        }
        paid
    }

    /// Makes what was charged equal to what is held, even beyond the quota.
    fn settle(&mut self) {
        let entries = (self.remembered.capacity() + self.holders.capacity()) as u64 * ENTRY_BYTES;
        let held = self.nursery.bytes() + self.old.bytes() + self.large.bytes() + entries;
        if held < self.charged {
            self.account.release(self.charged - held);
        } else {
            self.account.overcharge(held - self.charged);
        }
        self.charged = held;
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.account.release(self.charged);
    }
}
