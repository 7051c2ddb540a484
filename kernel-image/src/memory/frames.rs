//! Physical frames: a bump over the machine's RAM ranges, then a list of freed frames, linked through
//! the frames themselves. Every frame is zeroed as it is given out. This file contains `unsafe`: it writes
//! frames through the direct map.

use core::ops::Range;

use super::{PAGE, Phys, direct};
use crate::pvh::MAX_RANGES;

/// Alignment of the heap: one large page.
const LARGE: u64 = 2 << 20;
/// The heap's share of the largest free range.
const HEAP_SHARE: u64 = 2;

/// The frames of the machine.
pub struct Frames {
    ranges: [Range<u64>; MAX_RANGES],
    used: usize,
    freed: Option<Phys>,
}

/// `range` without `hole`: what is left before and after it (either may be empty).
pub fn without(range: &Range<u64>, hole: &Range<u64>) -> [Range<u64>; 2] {
    if hole.is_empty() || hole.end <= range.start || range.end <= hole.start {
        return [range.clone(), 0..0];
    }
    [range.start..hole.start.max(range.start), hole.end.min(range.end)..range.end]
}

impl Frames {
    /// Manages `ram` but for `holes`.
    pub fn new(ram: &[Range<u64>], holes: &[Range<u64>]) -> Frames {
        let mut frames = Frames { ranges: [const { 0..0 }; MAX_RANGES], used: 0, freed: None };
        for range in ram {
            frames.add(range.clone(), holes);
        }
        frames
    }

    fn add(&mut self, range: Range<u64>, holes: &[Range<u64>]) {
        if let Some((hole, rest)) = holes.split_first() {
            for part in without(&range, hole) {
                self.add(part, rest);
            }
            return;
        }
        let whole = range.start.next_multiple_of(PAGE)..range.end & !(PAGE - 1);
        // More ranges than fit: the surplus stays unused.
        if whole.start < whole.end && self.used < MAX_RANGES {
            self.ranges[self.used] = whole;
            self.used += 1;
        }
    }

    /// Takes a contiguous part for the heap: a share of the largest range.
    pub fn take_heap(&mut self) -> Option<Range<u64>> {
        let largest = self.ranges.iter_mut().max_by_key(|range| range.end.saturating_sub(range.start))?;
        let bytes = ((largest.end - largest.start) / HEAP_SHARE) & !(LARGE - 1);
        let start = (largest.end - bytes) & !(LARGE - 1);
        if bytes == 0 || start < largest.start {
            return None;
        }
        let heap = start..start + bytes;
        // The few pages above the alignment are given up.
        largest.end = start;
        Some(heap)
    }

    /// A zeroed frame.
    pub fn take(&mut self) -> Option<Phys> {
        let frame = self.take_freed().or_else(|| self.take_fresh())?;
        // SAFETY: a free frame in the direct map that nothing else refers to.
        unsafe { direct(frame).write_bytes(0, PAGE as usize) };
        Some(frame)
    }

    fn take_freed(&mut self) -> Option<Phys> {
        let frame = self.freed?;
        // SAFETY: a freed frame holds the link that `give` wrote.
        let next = unsafe { direct(frame).cast::<u64>().read() };
        self.freed = (next != 0).then_some(Phys(next));
        Some(frame)
    }

    fn take_fresh(&mut self) -> Option<Phys> {
        let range = self.ranges.iter_mut().find(|range| range.start < range.end)?;
        let frame = Phys(range.start);
        range.start += PAGE;
        Some(frame)
    }

    /// Takes a frame back; nothing refers to it any more.
    pub fn give(&mut self, frame: Phys) {
        let next = self.freed.map_or(0, |next| next.0);
        // SAFETY: the frame is in the direct map and, by contract, unused.
        unsafe { direct(frame).cast::<u64>().write(next) };
        self.freed = Some(frame);
    }
}
