//! Where objects lie: owned memory, the nursery, the old space's blocks, and large objects. `unsafe`: raw allocations.
//!
//! ```text
//! block   | object | object | ... | room |
//! large   | next to be scanned: u64 | bytes: u64 | object |
//! ```
//!
//! Nothing here is charged; [`super::Heap`] charges the sum.

use alloc::alloc::{Layout, alloc, dealloc};
use alloc::vec::Vec;
use core::ptr::NonNull;

use super::object::Object;

/// The greatest object that is moved; greater ones are large.
pub(super) const MOST_MOVED: u64 = 8 << 10;
/// Least and greatest size of a block.
const BLOCK_BYTES: [u64; 2] = [16 << 10, 1 << 20];
/// What freed memory is filled with in stress mode: no address, and no type word that exists.
const POISON: u8 = 0xda;

/// An owned allocation, 16-byte aligned.
#[derive(Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a `Memory` is the only owner of what it points to.
unsafe impl Send for Memory {}
// SAFETY: a shared `Memory` gives out its address and nothing else.
unsafe impl Sync for Memory {}

impl Memory {
    /// Uninitialised; `None` if there is none.
    pub fn new(bytes: u64) -> Option<Memory> {
        let layout = Layout::from_size_align(usize::try_from(bytes).ok()?.max(16), 16).ok()?;
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        Some(Memory { start, layout })
    }

    /// With these contents.
    pub fn of_words(words: &[u64]) -> Option<Memory> {
        let memory = Memory::new(size_of_val(words) as u64)?;
        // SAFETY: just allocated, for as many bytes, and more aligned than words are.
        unsafe { core::ptr::copy_nonoverlapping(words.as_ptr(), memory.start.as_ptr().cast(), words.len()) };
        Some(memory)
    }

    /// First address.
    pub fn start(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// Length.
    pub fn bytes(&self) -> u64 {
        self.layout.size() as u64
    }

    /// The address after the last.
    pub fn end(&self) -> u64 {
        self.start() + self.bytes()
    }

    /// Overwrites what is there, so that a use of it is noticed.
    pub fn poison(&mut self) {
        // SAFETY: owned, and so many bytes.
        unsafe { self.start.write_bytes(POISON, self.layout.size()) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Where new objects are made.
#[derive(Default, Debug)]
pub(super) struct Nursery {
    memory: Option<Memory>,
    cursor: u64,
    collections: u32,
}

impl Nursery {
    /// Whether it has memory.
    pub fn is_open(&self) -> bool {
        self.memory.is_some()
    }

    /// First address; 0 without memory.
    pub fn start(&self) -> u64 {
        self.memory.as_ref().map_or(0, Memory::start)
    }

    /// Size.
    pub fn bytes(&self) -> u64 {
        self.memory.as_ref().map_or(0, Memory::bytes)
    }

    /// The next free byte.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Bytes of its objects.
    pub fn used(&self) -> u64 {
        self.cursor - self.start()
    }

    /// Collections since it has this memory.
    pub fn collections(&self) -> u32 {
        self.collections
    }

    /// Takes over objects made up to `cursor`.
    pub fn set_cursor(&mut self, cursor: u64) {
        let inside = (self.cursor..=self.start() + self.bytes()).contains(&cursor);
        assert!(inside, "machine code moved the cursor out of the nursery");
        self.cursor = cursor;
    }

    /// Room for an object.
    pub fn take(&mut self, bytes: u64) -> Option<Object> {
        if self.bytes() - self.used() < bytes {
            return None;
        }
        let address = self.cursor;
        self.cursor += bytes;
        // SAFETY: in the room left, which nobody knows yet.
        Some(unsafe { Object::at(address) })
    }

    /// Forgets its objects, after a collection.
    pub fn clear(&mut self, poison: bool) {
        self.cursor = self.start();
        self.collections += 1;
        if let Some(memory) = self.memory.as_mut().filter(|_| poison) {
            memory.poison();
        }
    }

    /// Gives it other memory, or none, while it is empty.
    pub fn replace(&mut self, memory: Option<Memory>) {
        self.cursor = memory.as_ref().map_or(0, Memory::start);
        self.memory = memory;
        self.collections = 0;
    }
}

#[derive(Debug)]
struct Block {
    memory: Memory,
    /// End of its objects; that of the last block is [`OldSpace::cursor`].
    end: u64,
}

/// Objects that have survived a collection, in blocks, the last of which has room.
#[derive(Default, Debug)]
pub(super) struct OldSpace {
    blocks: Vec<Block>,
    spare: Vec<Memory>,
    cursor: u64,
    limit: u64,
    /// The next object to be scanned: its block, and its address.
    scan: (usize, u64),
}

impl OldSpace {
    /// Bytes of its blocks.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|block| block.memory.bytes()).sum()
    }

    /// Bytes of its objects.
    pub fn used(&self) -> u64 {
        let starts = self.blocks.iter().map(|block| block.memory.start());
        self.blocks.iter().zip(starts).map(|(block, start)| block.end - start).sum::<u64>() + self.open_bytes()
    }

    fn open_bytes(&self) -> u64 {
        self.blocks.last().map_or(0, |block| self.cursor - block.end)
    }

    /// Makes sure that objects of `bytes` bytes together find room; `false` if there is no memory.
    pub fn reserve(&mut self, bytes: u64) -> bool {
        // Small beside the whole, for what a block has too much is paid for too.
        let share = (self.bytes().max(bytes) / 8).next_multiple_of(BLOCK_BYTES[0]);
        let block = share.clamp(BLOCK_BYTES[0], BLOCK_BYTES[1]);
        let mut room = (self.limit - self.cursor).saturating_sub(MOST_MOVED);
        while room < bytes {
            let Some(memory) = Memory::new(block) else {
                self.end_reserve();
                return false;
            };
            room += memory.bytes() - MOST_MOVED;
            if self.spare.try_reserve(1).is_err() {
                self.end_reserve();
                return false;
            }
            self.spare.push(memory);
        }
        self.blocks.try_reserve(self.spare.len()).is_ok()
    }

    /// Gives back what was reserved and not needed.
    pub fn end_reserve(&mut self) {
        self.spare = Vec::new();
    }

    /// Room for an object; what was reserved covers it.
    #[inline]
    pub fn take(&mut self, bytes: u64) -> Object {
        if self.limit - self.cursor < bytes {
            self.next_block();
        }
        let address = self.cursor;
        self.cursor += bytes;
        // SAFETY: in the room left, which nobody knows yet.
        unsafe { Object::at(address) }
    }

    #[cold]
    fn next_block(&mut self) {
        let memory = self.spare.pop().expect("a collection reserves what it may copy");
        if let Some(last) = self.blocks.last_mut() {
            last.end = self.cursor;
        }
        (self.cursor, self.limit) = (memory.start(), memory.end());
        let end = memory.start();
        self.blocks.push(Block { memory, end });
    }

    /// From now on new objects are to be scanned.
    pub fn start_scan(&mut self) {
        self.scan = (self.blocks.len().saturating_sub(1), self.cursor);
    }

    /// The next object to be scanned; [`OldSpace::scanned`] has to follow.
    #[inline]
    pub fn unscanned(&mut self) -> Option<Object> {
        loop {
            let (block, address) = self.scan;
            let last = block + 1 >= self.blocks.len();
            let end = if last { self.cursor } else { self.blocks[block].end };
            // Before its first block the space is scanned from address 0.
            if address != end && address != 0 {
                // SAFETY: between objects of the block, so at one.
                return Some(unsafe { Object::at(address) });
            }
            if last && address != 0 || self.blocks.is_empty() {
                return None;
            }
            let next = if address == 0 { 0 } else { block + 1 };
            self.scan = (next, self.blocks[next].memory.start());
        }
    }

    /// The object just scanned has so many bytes.
    #[inline]
    pub fn scanned(&mut self, bytes: u64) {
        self.scan.1 += bytes;
    }

    /// Overwrites all objects.
    pub fn poison(&mut self) {
        self.blocks.iter_mut().for_each(|block| block.memory.poison());
    }
}

/// Bytes in front of a large object.
const LARGE_PREFIX: u64 = 16;

/// Objects with allocations of their own.
#[derive(Default, Debug)]
pub(super) struct LargeSpace {
    objects: Vec<Memory>,
    bytes: u64,
    /// The first object to be scanned, which links to the others; 0 if there is none.
    gray: u64,
}

impl LargeSpace {
    /// What an object of so many bytes costs.
    pub fn cost(bytes: u64) -> u64 {
        bytes + LARGE_PREFIX
    }

    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Room for an object.
    pub fn take(&mut self, bytes: u64) -> Option<Object> {
        let memory = Memory::new(LargeSpace::cost(bytes))?;
        self.objects.try_reserve(1).ok()?;
        self.bytes += memory.bytes();
        // SAFETY: just made, with room for prefix and object.
        let object = unsafe { Object::at(memory.start() + LARGE_PREFIX) };
        self.objects.push(memory);
        Some(object)
    }

    /// Puts an object on the list of those to be scanned.
    pub fn shade(&mut self, object: Object) {
        // SAFETY: the word in front of each large object is the list's.
        unsafe { Object::at(object.address() - LARGE_PREFIX) }.set_word(0, self.gray);
        self.gray = object.address();
    }

    /// Takes an object off that list.
    pub fn unscanned(&mut self) -> Option<Object> {
        let address = self.gray;
        if address == 0 {
            return None;
        }
        // SAFETY: on the list, so large and alive.
        self.gray = unsafe { Object::at(address - LARGE_PREFIX) }.word(0);
        // SAFETY: the same.
        Some(unsafe { Object::at(address) })
    }

    /// Frees all objects but those of a colour.
    pub fn sweep(&mut self, colour: u32, poison: bool) {
        let bytes = &mut self.bytes;
        self.objects.retain_mut(|memory| {
            // SAFETY: the object in it lives until now.
            let alive = unsafe { Object::at(memory.start() + LARGE_PREFIX) }.header().has(colour);
            if !alive {
                *bytes -= memory.bytes();
                if poison {
                    memory.poison();
                }
            }
            alive
        });
    }
}
