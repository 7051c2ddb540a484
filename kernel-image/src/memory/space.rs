//! Regions: address space that the base reserves, and the pages within it.
//!
//! A reservation costs one entry in a table, whatever its size; frames and page tables come with
//! [`protect`]. An unmapped page stands before and after each region.

use alloc::collections::BTreeMap;
use core::ops::Range;

use basevm::platform::{Access, OutOfMemory, Region};

use super::paging::{self, Page};
use super::{DIRECT, Memory, PAGE, with};

const START: u64 = 0x0000_0080_0000_0000;
const END: u64 = 0x0000_7fff_0000_0000;

/// Free address space: start to length, neighbours merged.
pub struct Space {
    free: BTreeMap<u64, u64>,
}

impl Space {
    /// All of the address space for regions.
    pub fn new() -> Space {
        Space { free: BTreeMap::new() }
    }

    /// Fills the table on first use: the heap does not exist yet when the space is made.
    fn free(&mut self) -> &mut BTreeMap<u64, u64> {
        if self.free.is_empty() {
            self.free.insert(START, END - START);
        }
        &mut self.free
    }

    fn take(&mut self, bytes: u64) -> Option<u64> {
        let (&start, &length) = self.free().iter().find(|&(_, &length)| length > bytes)?;
        self.free.remove(&start);
        self.free.insert(start + bytes, length - bytes);
        Some(start)
    }

    fn give(&mut self, mut start: u64, mut bytes: u64) {
        if let Some(after) = self.free.remove(&(start + bytes)) {
            bytes += after;
        }
        if let Some((&before, &length)) = self.free.range(..start).next_back()
            && before + length == start
        {
            self.free.remove(&before);
            start = before;
            bytes += length;
        }
        self.free.insert(start, bytes);
    }
}

/// Reserves address space without access, with an unmapped page on either side.
pub fn reserve(bytes: usize) -> Result<Region, OutOfMemory> {
    let bytes = (bytes as u64).checked_next_multiple_of(PAGE).ok_or(OutOfMemory)?;
    let padded = bytes.checked_add(2 * PAGE).ok_or(OutOfMemory)?;
    let start = with(|memory| memory.space.take(padded)).ok_or(OutOfMemory)?;
    Ok(Region { base: (start + PAGE) as usize, bytes: bytes as usize })
}

/// Changes the access of a range of byte offsets within a region.
pub fn protect(region: &Region, range: Range<usize>, access: Access) -> Result<(), OutOfMemory> {
    assert!(range.start <= range.end && range.end <= region.bytes, "a range outside its region");
    let (start, end) = ((region.base + range.start) as u64, (region.base + range.end) as u64);
    assert!(start.is_multiple_of(PAGE) && end.is_multiple_of(PAGE), "a range that is not page aligned");
    with(|memory| {
        let result = match access {
            Access::None => {
                memory.drop_pages(start, end);
                Ok(())
            }
            Access::ReadWrite => (start..end).step_by(PAGE as usize).try_for_each(|page| memory.make_writable(page)),
            Access::Execute => (start..end).step_by(PAGE as usize).try_for_each(|page| memory.seal(page)),
        };
        paging::flush(start, end - start);
        result
    })
}

/// Gives a region back, with its frames.
pub fn release(region: Region) {
    let (start, bytes) = (region.base as u64, region.bytes as u64);
    with(|memory| {
        memory.drop_pages(start, start + bytes);
        paging::flush(start, bytes);
        memory.space.give(start - PAGE, bytes + 2 * PAGE);
    });
}

/// A stack between two guard pages; lives until the machine stops.
pub struct Stack {
    region: Region,
}

impl Stack {
    /// A stack of `bytes`, all of it present.
    pub fn new(bytes: usize) -> Stack {
        let region = reserve(bytes).expect("address space for a stack");
        protect(&region, 0..region.bytes, Access::ReadWrite).expect("RAM for a stack");
        Stack { region }
    }

    /// Where it starts (stacks grow downwards).
    pub fn top(&self) -> u64 {
        (self.region.base + self.region.bytes) as u64
    }

    /// Whether an access at `address` is one of a stack that has overflowed: in the guard page below.
    pub fn is_guard(&self, address: u64) -> bool {
        let base = self.region.base as u64;
        (base - PAGE..base).contains(&address)
    }

    /// Whether `address` lies on this stack.
    pub fn contains(&self, address: u64) -> bool {
        (self.region.base as u64..=self.top()).contains(&address)
    }
}

impl Memory {
    fn make_writable(&mut self, virt: u64) -> Result<(), OutOfMemory> {
        match self.tables.page(virt) {
            Some(page) => assert_eq!(page.rights, paging::WRITE, "sealed code never becomes writable again"),
            None => self.add_page(virt, paging::WRITE)?,
        }
        Ok(())
    }

    fn add_page(&mut self, virt: u64, rights: paging::Rights) -> Result<(), OutOfMemory> {
        let frame = self.frames.take().ok_or(OutOfMemory)?;
        let result = self.tables.set_page(&mut self.frames, virt, Some(Page { frame, rights }));
        if result.is_err() {
            self.frames.give(frame);
        }
        result
    }

    /// Makes a page executable, and its alias in the direct map read-only.
    fn seal(&mut self, virt: u64) -> Result<(), OutOfMemory> {
        if self.tables.page(virt).is_none() {
            self.add_page(virt, paging::WRITE)?;
        }
        let Some(page) = self.tables.page(virt) else { return Err(OutOfMemory) };
        self.set_alias(page, paging::READ)?;
        self.tables.set_page(&mut self.frames, virt, Some(Page { rights: paging::EXECUTE, ..page }))
    }

    fn set_alias(&mut self, page: Page, rights: paging::Rights) -> Result<(), OutOfMemory> {
        let alias = DIRECT + page.frame.0;
        self.tables.set_page(&mut self.frames, alias, Some(Page { rights, ..page }))?;
        paging::flush(alias, PAGE);
        Ok(())
    }

    fn drop_pages(&mut self, start: u64, end: u64) {
        self.unseal(start, end);
        self.tables.clear(&mut self.frames, start, end);
    }

    /// Gives frames of sealed code their writable alias back.
    fn unseal(&mut self, start: u64, end: u64) {
        let mut at = start;
        while at < end {
            match self.tables.page(at) {
                Some(page) if page.rights == paging::EXECUTE => {
                    // The alias's table exists since `seal`, so this cannot run out of memory.
                    self.set_alias(page, paging::WRITE).expect("the alias is mapped by small pages");
                    at += PAGE;
                }
                Some(_) => at += PAGE,
                None => at = self.tables.next_mapped(at, end),
            }
        }
    }
}
