//! What collections have cost so far.

use crate::platform::Nanos;

/// Pauses of one sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pauses {
    /// How many there were.
    pub count: u64,
    /// Their time together; 0 without a clock.
    pub total_ns: Nanos,
    /// The longest.
    pub max_ns: Nanos,
}

impl Pauses {
    pub(super) fn add(&mut self, duration: Nanos) {
        self.count += 1;
        self.total_ns += duration;
        self.max_ns = self.max_ns.max(duration);
    }
}

/// Statistics of one heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Collections of the nursery.
    pub minor: Pauses,
    /// Collections of the whole heap.
    pub full: Pauses,
    /// Bytes copied out of the nursery, by collections of either sort.
    pub promoted_bytes: u64,
    /// Bytes copied within the old space.
    pub moved_bytes: u64,
    /// Bytes of the nursery that collections found used: what was allocated there, up to the last one.
    pub allocated_bytes: u64,
    /// Bytes of objects found alive by the last full collection.
    pub live_bytes: u64,
    /// Bytes that the nursery has now.
    pub nursery_bytes: u64,
    /// Bytes charged for the heap now, frozen regions not counted.
    pub charged_bytes: u64,
    /// Frozen regions, the program's literals included, that the heap may point into.
    pub regions: u64,
}
