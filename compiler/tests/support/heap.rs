//! A collector for tests that moves everything whenever it may, and leaves poison behind.
//!
//! It knows where references are from stack maps alone, and it checks the write barrier: an object outside the nursery that
//! refers into it must have been remembered.

use std::collections::{BTreeMap, HashMap};

use compiler::abi::{self, FROZEN, IMMORTAL, KIND_SHIFT, KIND_STR, REMEMBERED};
use il::{Hierarchy, Storage, Type, TypeDef, TypeId};

use super::machine::{fill, load, store};

const SPACE_WORDS: usize = 1 << 20;
const POISON: u64 = 0xdbdb_dbdb_dbdb_dbdb;
/// Kind numbers of frozen objects are the base's: these, so that no test mistakes one for the module's.
const REGISTRY: u32 = 0x1000;

pub struct Heap {
    pub hierarchy: Hierarchy,
    kinds: HashMap<u32, TypeId>,
    spaces: [Box<[u64]>; 2],
    active: usize,
    /// Next free address.
    pub cursor: u64,
    /// Where the nursery starts: what was made since the last collection.
    pub nursery: u64,
    /// Objects outside the collected heap, by address: bytes.
    fixed: BTreeMap<u64, Box<[u64]>>,
    /// Objects that may hold buffers.
    holders: Vec<u64>,
    pub collections: u32,
    /// What `Remember` was told since the last collection.
    pub remembered: u32,
}

impl Heap {
    pub fn new(defs: &[TypeDef]) -> Heap {
        let hierarchy = Hierarchy::new(defs);
        let kinds = (0..defs.len() as u32).map(TypeId).map(|id| (1 + hierarchy.numbers(id).0, id)).collect();
        let space = || vec![POISON; SPACE_WORDS].into_boxed_slice();
        let mut heap = Heap {
            hierarchy,
            kinds,
            spaces: [space(), space()],
            active: 0,
            cursor: 0,
            nursery: 0,
            fixed: BTreeMap::new(),
            holders: Vec::new(),
            collections: 0,
            remembered: 0,
        };
        heap.cursor = heap.base();
        heap.nursery = heap.cursor;
        heap
    }

    fn base(&self) -> u64 {
        self.spaces[self.active].as_ptr() as u64
    }

    fn end(&self) -> u64 {
        self.base() + 8 * SPACE_WORDS as u64
    }

    fn contains(&self, address: u64) -> bool {
        (self.base()..self.cursor).contains(&address)
    }

    /// A new object with this header; its contents are poison.
    pub fn allocate(&mut self, ty: u32, len: u32, bytes: u64) -> u64 {
        let address = self.cursor;
        assert!(bytes.is_multiple_of(8) && address + bytes <= self.end(), "{bytes} bytes");
        self.cursor += bytes;
        // Objects beyond a size are born old, so remembered.
        let flags = if bytes > 4096 { REMEMBERED } else { 0 };
        store(address, u64::from(ty | flags) | u64::from(len) << 32);
        if let Some(id) = self.kinds.get(&(ty >> KIND_SHIFT))
            && abi::holds_bufs(&self.hierarchy, *id)
        {
            self.holders.push(address);
        }
        address
    }

    pub fn new_str(&mut self, text: &str) -> u64 {
        let address = self.allocate(KIND_STR << KIND_SHIFT, text.len() as u32, abi::array_bytes(1, text.len() as u32));
        write_text(address, text);
        address
    }

    /// An object that is not collected.
    pub fn new_fixed(&mut self, words: Vec<u64>) -> u64 {
        let words = words.into_boxed_slice();
        let address = words.as_ptr() as u64;
        self.fixed.insert(address, words);
        address
    }

    pub fn immortal_str(&mut self, text: &str) -> u64 {
        let words = abi::array_bytes(1, text.len() as u32) / 8;
        let address = self.new_fixed(vec![0; words as usize]);
        store(address, u64::from(KIND_STR << KIND_SHIFT | IMMORTAL) | (text.len() as u64) << 32);
        write_text(address, text);
        address
    }

    /// The bytes of a `str`.
    pub fn text(&self, address: u64) -> Vec<u8> {
        self.check(address);
        let header = load(address);
        assert_eq!(header as u32 >> KIND_SHIFT, KIND_STR, "a str at {address:#x}");
        let len = (header >> 32) as usize;
        let words = (0..len.div_ceil(8)).flat_map(|at| load(address + 8 + 8 * at as u64).to_le_bytes());
        words.take(len).collect()
    }

    /// The definition of an object.
    pub fn type_of(&self, address: u64) -> Option<TypeId> {
        self.check(address);
        let ty = load(address) as u32;
        let kind =
            (ty >> KIND_SHIFT).wrapping_sub(if ty & FROZEN != 0 && ty >> KIND_SHIFT != 0 { REGISTRY } else { 0 });
        self.kinds.get(&kind).copied()
    }

    fn check(&self, address: u64) {
        assert!(self.contains(address) || self.fixed.contains_key(&address), "no object at {address:#x}");
    }

    fn bytes(&self, address: u64) -> u64 {
        let header = load(address);
        let len = (header >> 32) as u32;
        match self.type_of(address).map(|id| (id, &self.hierarchy.defs()[id.index()])) {
            None => abi::array_bytes(1, len),
            Some((id, TypeDef::Struct(_))) => u64::from(self.hierarchy.struct_bytes(id)),
            Some((_, TypeDef::Array(array))) => abi::array_bytes(array.element.bytes(), len),
            Some((_, TypeDef::Func(_) | TypeDef::Cap(_))) => panic!("functions are immortal, capabilities no objects"),
        }
    }

    /// Addresses of the words of an object with this storage.
    fn words(&self, address: u64, wanted: impl Fn(Storage) -> bool) -> Vec<u64> {
        let len = load(address) >> 32;
        let Some(id) = self.type_of(address) else { return Vec::new() };
        match &self.hierarchy.defs()[id.index()] {
            TypeDef::Struct(_) => {
                let fields = self.hierarchy.fields(id).iter().filter(|field| wanted(field.storage));
                fields.map(|field| address + u64::from(field.offset)).collect()
            }
            TypeDef::Array(array) if wanted(array.element) => (0..len).map(|at| address + 8 + 8 * at).collect(),
            TypeDef::Array(_) | TypeDef::Func(_) | TypeDef::Cap(_) => Vec::new(),
        }
    }

    fn references(&self, address: u64) -> Vec<u64> {
        self.words(address, |storage| matches!(storage, Storage::Value(ty) if ty.is_reference()))
    }

    /// Moves all that the roots (addresses of words) reach. Returns the buffers that nobody holds any more.
    pub fn collect(&mut self, roots: &[u64]) -> Vec<u64> {
        self.collections += 1;
        self.check_barrier();
        let (old, end) = (self.base(), self.cursor);
        self.active ^= 1;
        self.cursor = self.base();
        for root in roots {
            self.forward(*root, old..end);
        }
        let mut scan = self.base();
        while scan < self.cursor {
            for reference in self.references(scan) {
                self.forward(reference, old..end);
            }
            scan += self.bytes(scan);
        }
        let freed = self.sweep_holders();
        fill(old, ((end - old) / 8) as usize, POISON);
        self.nursery = self.cursor;
        self.remembered = 0;
        freed
    }

    fn forward(&mut self, at: u64, old: std::ops::Range<u64>) {
        let address = load(at);
        if address == 0 || address & 1 == 1 || self.fixed.contains_key(&address) {
            return;
        }
        assert!(old.contains(&address), "a stale reference {address:#x} at {at:#x}");
        let first = load(address);
        if first & 1 == 1 {
            store(at, first - 1);
            return;
        }
        assert_ne!(first, POISON);
        // The object's own place in the new space; its type is read from the old one.
        let space = std::mem::replace(&mut self.cursor, old.end);
        self.active ^= 1;
        let bytes = self.bytes(address);
        self.active ^= 1;
        self.cursor = space;
        let new = self.cursor;
        self.cursor += bytes;
        store(new, first & !u64::from(REMEMBERED));
        for word in 1..bytes / 8 {
            store(new + 8 * word, load(address + 8 * word));
        }
        store(address, new | 1);
        store(at, new);
    }

    fn sweep_holders(&mut self) -> Vec<u64> {
        let mut freed = Vec::new();
        for holder in std::mem::take(&mut self.holders) {
            let first = load(holder);
            if first & 1 == 1 {
                self.holders.push(first - 1);
                continue;
            }
            let space = std::mem::replace(&mut self.cursor, u64::MAX);
            self.active ^= 1;
            let bufs = self.words(holder, |storage| storage == Storage::Value(Type::OptBuf));
            self.active ^= 1;
            self.cursor = space;
            freed.extend(bufs.into_iter().map(load).filter(|buf| *buf != 0));
        }
        freed
    }

    /// What lies outside the nursery and refers into it has been remembered.
    fn check_barrier(&self) {
        let mut at = self.base();
        while at < self.nursery {
            let young = |place: &u64| (self.nursery..self.cursor).contains(&load(*place)) && load(*place) & 1 == 0;
            let points = self.references(at).iter().any(young);
            assert!(!points || load(at) as u32 & REMEMBERED != 0, "{at:#x} refers into the nursery, unremembered");
            at += self.bytes(at);
        }
    }

    /// How many objects there are.
    pub fn count(&self) -> usize {
        let (mut at, mut count) = (self.base(), 0);
        while at < self.cursor {
            at += self.bytes(at);
            count += 1;
        }
        count
    }

    /// Copies a graph out of the heap.
    pub fn freeze(&mut self, address: u64) -> u64 {
        if address & 1 == 1 || self.fixed.contains_key(&address) {
            return address;
        }
        self.check(address);
        let words = (0..self.bytes(address) / 8).map(|at| load(address + 8 * at)).collect();
        let references: Vec<u64> = self.references(address).iter().map(|place| place - address).collect();
        let copy = self.new_fixed(words);
        let kind = load(copy) as u32 >> KIND_SHIFT;
        let kind = if kind == KIND_STR { kind } else { kind + REGISTRY };
        store(copy, load(copy) >> 32 << 32 | u64::from(kind << KIND_SHIFT | FROZEN));
        for offset in references {
            let inner = load(copy + offset);
            if inner != 0 {
                let inner = self.freeze(inner);
                store(copy + offset, inner);
            }
        }
        copy
    }
}

fn write_text(address: u64, text: &str) {
    for (at, chunk) in text.as_bytes().chunks(8).enumerate() {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        store(address + 8 + 8 * at as u64, u64::from_le_bytes(bytes));
    }
}
