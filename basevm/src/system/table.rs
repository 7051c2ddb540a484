//! Tables whose slots are used again, and the numbers that name their entries.
//!
//! A number is an index (20 bits, low) and the slot's generation (12 bits): one that is out of date names nothing.
//! Slots are used again last in, first out; one whose generations are used up retires for good.

use alloc::vec::Vec;

/// Bits of the index.
const INDEX_BITS: u32 = 20;
/// Most entries of a table.
pub(crate) const MAX_ENTRIES: usize = 1 << INDEX_BITS;
const INDEX_MASK: u32 = MAX_ENTRIES as u32 - 1;
const LAST_GENERATION: u32 = u32::MAX >> INDEX_BITS;

/// The index in a number.
pub(crate) const fn index(number: u32) -> u32 {
    number & INDEX_MASK
}

/// The generation in a number.
pub(crate) const fn generation(number: u32) -> u32 {
    number >> INDEX_BITS
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// Entries by number.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    retired: usize,
}

impl<T> Table<T> {
    /// An empty one.
    pub const fn new() -> Table<T> {
        Table { slots: Vec::new(), free: Vec::new(), retired: 0 }
    }

    /// Adds an entry; returns its number, or the entry if the table is full.
    pub fn insert(&mut self, value: T) -> Result<u32, T> {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return Ok(slot.generation << INDEX_BITS | index);
        }
        if self.slots.len() >= MAX_ENTRIES {
            return Err(value);
        }
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Ok(self.slots.len() as u32 - 1)
    }

    /// Removes an entry; its number names nothing from now on.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let index = number & INDEX_MASK;
        let slot = self.slots.get_mut(index as usize)?;
        if slot.generation != number >> INDEX_BITS {
            return None;
        }
        let value = slot.value.take()?;
        if slot.generation < LAST_GENERATION {
            slot.generation += 1;
            self.free.push(index);
        } else {
            self.retired += 1;
        }
        Some(value)
    }

    /// The entry with this number.
    #[inline]
    pub fn get(&self, number: u32) -> Option<&T> {
        let slot = self.slots.get((number & INDEX_MASK) as usize)?;
        if slot.generation == number >> INDEX_BITS { slot.value.as_ref() } else { None }
    }

    /// The entry with this number.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let slot = self.slots.get_mut((number & INDEX_MASK) as usize)?;
        if slot.generation == number >> INDEX_BITS { slot.value.as_mut() } else { None }
    }

    /// All entries with their numbers, by index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> + Clone {
        let number = |(index, slot): (usize, &Slot<T>)| slot.generation << INDEX_BITS | index as u32;
        self.slots
            .iter()
            .enumerate()
            .filter_map(move |(index, slot)| Some((number((index, slot)), slot.value.as_ref()?)))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len() - self.retired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_one_entry_for_ever() {
        let mut table = Table::new();
        let (a, b) = (table.insert('a').unwrap(), table.insert('b').unwrap());
        assert_eq!((a, b, table.len()), (0, 1, 2));
        assert_eq!(table.remove(a), Some('a'));
        assert_eq!((table.remove(a), table.get(a), table.len()), (None, None, 1));
        let c = table.insert('c').unwrap();
        assert_eq!((c & INDEX_MASK, table.get(a), table.get(c)), (0, None, Some(&'c')));
        assert_eq!(table.iter().collect::<Vec<_>>(), [(c, &'c'), (b, &'b')]);
        assert_eq!(table.get_mut(a), None);
    }

    #[test]
    fn a_slot_retires_when_its_generations_are_used_up() {
        let mut table = Table::new();
        let mut numbers = Vec::new();
        for _ in 0..=LAST_GENERATION {
            let number = table.insert(()).unwrap();
            assert_eq!(number & INDEX_MASK, 0);
            numbers.push(number);
            assert_eq!(table.len(), 1);
            table.remove(number).unwrap();
            assert_eq!(table.len(), 0);
        }
        numbers.dedup();
        assert_eq!(numbers.len() as u32, LAST_GENERATION + 1);
        assert_eq!((table.insert(()).unwrap() & INDEX_MASK, table.len()), (1, 1));
    }
}
