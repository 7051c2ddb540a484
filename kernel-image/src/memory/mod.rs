//! Memory: where everything lies in the address space, and the one lock over it.
//!
//! | from | what |
//! | --- | --- |
//! | `0x0000_0080_0000_0000` | regions: reserved by the base, guard pages between them |
//! | `0xffff_8000_0000_0000` | the direct map: all RAM but the image, never executable |
//! | `0xffff_c000_0000_0000` | device memory, uncached or write-combining |
//! | `0xffff_ffff_8100_0000` | the image: text RX, constants R, data RW |
//!
//! Invariants: no page is writable and executable, neither by itself nor through another mapping (the
//! direct map's page of sealed code becomes read-only); a frame is zeroed before it is mapped anew; page
//! 0 to 512 GiB is never mapped. This file contains `unsafe`: the conversion of addresses.

pub mod frames;
pub mod heap;
pub mod paging;
pub mod space;

use core::ops::Range;

use crate::lock::Lock;
use crate::pvh::BootInfo;
use frames::Frames;
use paging::{Cache, Tables};
use space::Space;

/// A physical address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Phys(pub u64);

/// Bytes of a page and of a frame.
pub const PAGE: u64 = 4096;
/// Start of the direct map.
pub const DIRECT: u64 = 0xffff_8000_0000_0000;
/// End of the direct map, and with it of the RAM that is used.
pub const DIRECT_END: u64 = 0xffff_c000_0000_0000;
/// Start of the device window: device memory at physical `p` is mapped at `DEVICES + p`.
pub const DEVICES: u64 = 0xffff_c000_0000_0000;
/// How far the device window reaches.
pub const DEVICES_BYTES: u64 = 0x2000_0000_0000;
/// Distance from the image's physical to its link address.
pub const IMAGE_OFFSET: u64 = 0xffff_ffff_8000_0000;

/// All that manages memory below the heap.
pub struct Memory {
    frames: Frames,
    tables: Tables,
    space: Space,
}

/// The machine's memory; `None` until [`init`].
static MEMORY: Lock<Option<Memory>> = Lock::new(None);

/// Runs `action` with the machine's memory.
fn with<R>(action: impl FnOnce(&mut Memory) -> R) -> R {
    action(MEMORY.lock().as_mut().expect("memory is set up first"))
}

/// Where a frame of RAM is mapped in the direct map.
pub fn direct(phys: Phys) -> *mut u8 {
    (DIRECT + phys.0) as *mut u8
}

/// The physical address of memory in the direct map (the heap); `None` for any other address.
pub fn phys_of(address: usize) -> Option<Phys> {
    let address = address as u64;
    (DIRECT..DIRECT_END).contains(&address).then(|| Phys(address - DIRECT))
}

unsafe extern "C" {
    static image_start: u8;
    static text_start: u8;
    static text_end: u8;
    static rodata_start: u8;
    static rodata_end: u8;
    static data_start: u8;
    static data_end: u8;
    static image_end: u8;
}

/// Link addresses of the image's sections.
struct Image {
    all: Range<u64>,
    text: Range<u64>,
    constants: Range<u64>,
    data: Range<u64>,
}

fn image() -> Image {
    let address = |symbol: *const u8| symbol as u64;
    Image {
        all: address(&raw const image_start)..address(&raw const image_end),
        text: address(&raw const text_start)..address(&raw const text_end),
        constants: address(&raw const rodata_start)..address(&raw const rodata_end),
        data: address(&raw const data_start)..address(&raw const data_end),
    }
}

/// Takes over all RAM: builds and loads the real page table, then starts the heap.
pub fn init(info: &BootInfo) {
    let image = image();
    let physical_image = image.all.start - IMAGE_OFFSET..image.all.end - IMAGE_OFFSET;
    let mut frames =
        Frames::new(info.ram(), &[0..0x10_0000, physical_image.clone(), info.module.clone().unwrap_or(0..0)]);
    let heap = frames.take_heap().expect("RAM for a heap");
    let tables = first_tables(info, &image, &physical_image, &mut frames);
    tables.load();
    *MEMORY.lock() = Some(Memory { frames, tables, space: Space::new() });
    heap::init(direct(Phys(heap.start)), (heap.end - heap.start) as usize);
}

fn first_tables(info: &BootInfo, image: &Image, physical_image: &Range<u64>, frames: &mut Frames) -> Tables {
    let mut tables = Tables::new(frames).expect("RAM for page tables");
    let parts = [(&image.text, paging::EXECUTE), (&image.constants, paging::READ), (&image.data, paging::WRITE)];
    for (part, rights) in parts {
        tables
            .map(frames, part.start, Phys(part.start - IMAGE_OFFSET), part.end - part.start, rights)
            .expect("RAM for page tables");
    }
    for ram in info.ram() {
        let whole = ram.start.next_multiple_of(PAGE)..(ram.end & !(PAGE - 1)).min(DIRECT_END - DIRECT);
        for part in frames::without(&whole, physical_image) {
            if part.start < part.end {
                tables
                    .map(frames, DIRECT + part.start, Phys(part.start), part.end - part.start, paging::WRITE)
                    .expect("RAM for page tables");
            }
        }
    }
    tables
}

/// Maps device memory and returns its address. The same memory may be asked for again.
pub fn map_device(phys: Phys, bytes: usize, cache: Cache) -> *mut u8 {
    let first = phys.0 & !(PAGE - 1);
    let end = (phys.0 + bytes as u64).next_multiple_of(PAGE);
    assert!(end <= DEVICES_BYTES, "device memory beyond the device window");
    with(|memory| {
        for page in (first..end).step_by(PAGE as usize) {
            memory
                .tables
                .map(&mut memory.frames, DEVICES + page, Phys(page), PAGE, cache.rights())
                .expect("RAM for page tables");
        }
    });
    (DEVICES + phys.0) as *mut u8
}
