//! Page tables: four levels, 2 MiB pages where they fit, split when a part changes. This file contains
//! `unsafe`: it reads and writes tables through the direct map.
//!
//! Layouts: Intel SDM volume 3, 4.5 (4-level paging).

use basevm::platform::OutOfMemory;
use x86_64::PhysAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use super::frames::Frames;
use super::{PAGE, Phys, direct};

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const LARGE_BYTES: u64 = 2 << 20;
const ENTRIES: usize = 512;
/// From so many pages on, the whole TLB is flushed.
const FLUSH_ALL_PAGES: u64 = 32;

/// What a page allows, as entry bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights(u64);

/// Read only.
pub const READ: Rights = Rights(PRESENT | NO_EXECUTE);
/// Read and write.
pub const WRITE: Rights = Rights(PRESENT | WRITABLE | NO_EXECUTE);
/// Read and execute.
pub const EXECUTE: Rights = Rights(PRESENT);

/// How device memory is cached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cache {
    /// Every access reaches the device, in order: registers.
    Uncached,
    /// Writes may be gathered: frame buffers. (Entry 1 of the page attribute table, see `cpu`.)
    WriteCombining,
}

impl Cache {
    /// The rights of such a page.
    pub fn rights(self) -> Rights {
        match self {
            Cache::Uncached => Rights(WRITE.0 | CACHE_DISABLE | WRITE_THROUGH),
            Cache::WriteCombining => Rights(WRITE.0 | WRITE_THROUGH),
        }
    }
}

/// A page that is mapped: its frame and rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// The frame.
    pub frame: Phys,
    /// What it allows.
    pub rights: Rights,
}

/// A tree of page tables.
pub struct Tables {
    root: Phys,
}

fn index(virt: u64, level: u32) -> usize {
    (virt >> (12 + 9 * level)) as usize % ENTRIES
}

fn entry(table: Phys, index: usize) -> *mut u64 {
    assert!(index < ENTRIES);
    direct(table).cast::<u64>().wrapping_add(index)
}

fn get(table: Phys, index: usize) -> u64 {
    // SAFETY: `table` is a table of ours in the direct map, `index` lies inside it.
    unsafe { entry(table, index).read_volatile() }
}

fn set(table: Phys, index: usize, value: u64) {
    // SAFETY: as in `get`; `&mut Tables` is held by every caller.
    unsafe { entry(table, index).write_volatile(value) }
}

fn is_empty(table: Phys) -> bool {
    (0..ENTRIES).all(|index| get(table, index) == 0)
}

impl Tables {
    /// An empty tree.
    pub fn new(frames: &mut Frames) -> Result<Tables, OutOfMemory> {
        Ok(Tables { root: frames.take().ok_or(OutOfMemory)? })
    }

    /// Makes the processor use this tree.
    pub fn load(&self) {
        // SAFETY: the tree maps the image and the direct map, which is all that running code uses.
        unsafe { Cr3::write(PhysFrame::containing_address(PhysAddr::new(self.root.0)), Cr3Flags::empty()) };
    }

    /// Maps `bytes` from `virt` on to `phys`. All page aligned; what was mapped there is replaced.
    pub fn map(
        &mut self,
        frames: &mut Frames,
        virt: u64,
        phys: Phys,
        bytes: u64,
        rights: Rights,
    ) -> Result<(), OutOfMemory> {
        let mut done = 0;
        while done < bytes {
            let (at, to) = (virt + done, phys.0 + done);
            if at % LARGE_BYTES == 0 && to % LARGE_BYTES == 0 && bytes - done >= LARGE_BYTES {
                let table = self.table(frames, at, 1)?;
                set(table, index(at, 1), to | rights.0 | LARGE);
                done += LARGE_BYTES;
            } else {
                self.set_page(frames, at, Some(Page { frame: Phys(to), rights }))?;
                done += PAGE;
            }
        }
        Ok(())
    }

    /// The page at `virt`, if mapped as a 4 KiB page.
    pub fn page(&self, virt: u64) -> Option<Page> {
        let mut table = self.root;
        for level in [3, 2, 1] {
            let value = get(table, index(virt, level));
            if value & PRESENT == 0 || value & LARGE != 0 {
                return None;
            }
            table = Phys(value & ADDRESS);
        }
        let value = get(table, index(virt, 0));
        (value & PRESENT != 0)
            .then_some(Page { frame: Phys(value & ADDRESS), rights: Rights(value & !ADDRESS & !ACCESSED_DIRTY) })
    }

    /// Maps or unmaps one page. The caller flushes.
    pub fn set_page(&mut self, frames: &mut Frames, virt: u64, page: Option<Page>) -> Result<(), OutOfMemory> {
        let table = self.table(frames, virt, 0)?;
        set(table, index(virt, 0), page.map_or(0, |page| page.frame.0 | page.rights.0));
        Ok(())
    }

    /// The table of `level` that covers `virt`, made if need be; a large page in the way is split.
    fn table(&mut self, frames: &mut Frames, virt: u64, level: u32) -> Result<Phys, OutOfMemory> {
        let mut table = self.root;
        for above in (level + 1..=3).rev() {
            let value = get(table, index(virt, above));
            let next = if value & PRESENT == 0 {
                frames.take().ok_or(OutOfMemory)?
            } else if value & LARGE != 0 {
                split(frames, value)?
            } else {
                Phys(value & ADDRESS)
            };
            // Rights are decided by the lowest level alone.
            set(table, index(virt, above), next.0 | PRESENT | WRITABLE);
            table = next;
        }
        Ok(table)
    }

    /// The first address from `virt` on, before `end`, that may be mapped: skips what has no tables.
    pub fn next_mapped(&self, virt: u64, end: u64) -> u64 {
        let mut table = self.root;
        for level in [3, 2, 1] {
            let value = get(table, index(virt, level));
            if value & PRESENT == 0 {
                let step = PAGE << (9 * level);
                return ((virt | (step - 1)) + 1).min(end);
            }
            table = Phys(value & ADDRESS);
        }
        (virt + PAGE).min(end)
    }

    /// Unmaps `virt..end`, gives its frames back, and the tables that became empty.
    pub fn clear(&mut self, frames: &mut Frames, virt: u64, end: u64) {
        clear_level(frames, self.root, 3, virt, end);
    }
}

/// Bits that the processor sets by itself.
const ACCESSED_DIRTY: u64 = 0x60;

fn split(frames: &mut Frames, large: u64) -> Result<Phys, OutOfMemory> {
    let table = frames.take().ok_or(OutOfMemory)?;
    for page in 0..ENTRIES {
        set(table, page, (large & !LARGE) + page as u64 * PAGE);
    }
    Ok(table)
}

/// Clears `virt..end` below `table`; empty sub-trees are skipped, so that the cost follows what is mapped.
fn clear_level(frames: &mut Frames, table: Phys, level: u32, virt: u64, end: u64) {
    let step = PAGE << (9 * level);
    let mut at = virt;
    while at < end {
        let next = ((at | (step - 1)) + 1).min(end);
        let value = get(table, index(at, level));
        if value & PRESENT != 0 {
            let below = Phys(value & ADDRESS);
            let gone = level == 0 || {
                clear_level(frames, below, level - 1, at, next);
                is_empty(below)
            };
            if gone {
                set(table, index(at, level), 0);
                frames.give(below);
            }
        }
        at = next;
    }
}

/// Makes the processor forget what it knew of `virt..virt + bytes`.
pub fn flush(virt: u64, bytes: u64) {
    if bytes / PAGE >= FLUSH_ALL_PAGES {
        tlb::flush_all();
        return;
    }
    for page in (virt..virt + bytes).step_by(PAGE as usize) {
        tlb::flush(x86_64::VirtAddr::new_truncate(page));
    }
}
