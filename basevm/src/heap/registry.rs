//! Base-wide numbers of types: what the type word of a frozen object holds, for it may be met in VMs of other
//! modules than the one that made it.
//!
//! A module's types get consecutive numbers when one of its VMs freezes something for the first time, and lose
//! them when the module is gone, with all that it froze: a region keeps its types alive.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Range;

use compiler::abi::{KIND_SHIFT, KIND_STR};

use super::types::TypeTable;

/// Numbers that fit a type word.
const NUMBERS: u32 = 1 << (32 - KIND_SHIFT);

#[derive(Debug)]
struct Entry {
    numbers: Range<u32>,
    types: Weak<TypeTable>,
}

/// By number, without gaps.
static ENTRIES: spin::Mutex<Vec<Entry>> = spin::Mutex::new(Vec::new());

/// Gives a table's kinds numbers, kind 1 the one returned; `None` if none are left.
pub(super) fn register(types: &Arc<TypeTable>) -> Option<u32> {
    let mut entries = ENTRIES.lock();
    let free = |entry: &Entry| entry.types.strong_count() == 0 && entry.numbers.len() >= types.len() as usize;
    if let Some(entry) = entries.iter_mut().find(|entry| free(entry)) {
        entry.types = Arc::downgrade(types);
        return Some(entry.numbers.start);
    }
    let first = entries.last().map_or(KIND_STR + 1, |entry| entry.numbers.end);
    let end = first.checked_add(types.len()).filter(|end| *end <= NUMBERS)?;
    entries.try_reserve(1).ok()?;
    entries.push(Entry { numbers: first..end, types: Arc::downgrade(types) });
    Some(first)
}

/// The table and kind that have a number; `None` for that of `str`, and for one that nobody has.
pub fn find(number: u32) -> Option<(Arc<TypeTable>, u32)> {
    let entries = ENTRIES.lock();
    let after = entries.partition_point(|entry| entry.numbers.start <= number);
    let entry = entries.get(after.checked_sub(1)?).filter(|entry| entry.numbers.contains(&number))?;
    Some((entry.types.upgrade()?, number - entry.numbers.start + 1))
}
