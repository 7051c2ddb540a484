//! Stack maps: where the frames of generated code hold references.
//!
//! One entry a return address at which references live on. All others (calls across which none lives, and
//! exits that never collect) have none. Equal frames share one list, so the table is small.

use alloc::vec::Vec;

use hashbrown::HashMap;

/// References in the frames of suspended code.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StackMaps {
    /// (code offset of the return address, index in `lists`), ascending.
    points: Vec<(u32, u32)>,
    /// Lists: bytes of the frame, number of references, their offsets from the stack pointer in bytes.
    lists: Vec<u32>,
}

/// The frame of one function, suspended at one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameMap<'a> {
    /// Its stack pointer is its frame pointer less this.
    pub frame_bytes: u32,
    /// Offsets of the 8-byte words that hold references, from the stack pointer, ascending. A word may hold 0 or a
    /// capability.
    pub references: &'a [u32],
}

impl StackMaps {
    /// The frame whose call returns to this code offset; `None` if it holds no reference.
    pub fn at(&self, return_offset: u32) -> Option<FrameMap<'_>> {
        let at = self.points.binary_search_by_key(&return_offset, |(offset, _)| *offset).ok()?;
        let (_, start) = self.points.get(at)?;
        let (frame_bytes, rest) = self.lists.get(*start as usize..)?.split_first()?;
        let (count, rest) = rest.split_first()?;
        Some(FrameMap { frame_bytes: *frame_bytes, references: rest.get(..*count as usize)? })
    }

    /// All return addresses that have an entry, ascending.
    pub fn return_offsets(&self) -> impl Iterator<Item = u32> {
        self.points.iter().map(|(offset, _)| *offset)
    }

    /// Bytes that the table takes.
    pub fn bytes(&self) -> usize {
        self.points.len() * size_of::<(u32, u32)>() + self.lists.len() * size_of::<u32>()
    }
}

/// Builds the table, by ascending return address.
#[derive(Default)]
pub(crate) struct MapsBuilder {
    /// Where a list stands already.
    known: HashMap<Vec<u32>, u32>,
}

impl MapsBuilder {
    pub fn add(&mut self, maps: &mut StackMaps, return_offset: u32, frame_bytes: u32, references: &[u32]) {
        if references.is_empty() {
            return;
        }
        let mut list = Vec::with_capacity(references.len() + 2);
        list.extend([frame_bytes, references.len() as u32]);
        list.extend_from_slice(references);
        let start = match self.known.get(&list) {
            Some(start) => *start,
            None => {
                let start = maps.lists.len() as u32;
                maps.lists.extend_from_slice(&list);
                self.known.insert(list, start);
                start
            }
        };
        maps.points.push((return_offset, start));
    }
}
