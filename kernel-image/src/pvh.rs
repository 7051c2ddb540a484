//! What a PVH loader tells: the memory map and the modules (`-initrd`). This file contains `unsafe`: it reads
//! structures at physical addresses that the loader gives.
//!
//! Layouts: Xen's `start_info.h`, version 1.

use core::ops::Range;

use crate::memory::{Phys, direct};

const MAGIC: u32 = 0x336e_c578;
const MEMORY_RAM: u32 = 1;

/// The most memory map entries that are looked at.
pub const MAX_RANGES: usize = 64;

#[repr(C)]
#[derive(Clone, Copy)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Module {
    address: u64,
    bytes: u64,
    command_line: u64,
    reserved: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct MapEntry {
    address: u64,
    bytes: u64,
    kind: u32,
    reserved: u32,
}

/// What the loader told, copied out of its memory.
pub struct BootInfo {
    ram: [Range<u64>; MAX_RANGES],
    ranges: usize,
    /// The first module, as a physical range.
    pub module: Option<Range<u64>>,
}

impl BootInfo {
    /// The RAM ranges of the machine, as given.
    pub fn ram(&self) -> &[Range<u64>] {
        self.ram.get(..self.ranges).unwrap_or_default()
    }
}

fn read<T: Copy>(address: u64) -> T {
    // SAFETY: the loader put a `T` there, below 4 GiB, where the start tables map everything.
    unsafe { direct(Phys(address)).cast::<T>().read_unaligned() }
}

/// Reads the start info at `address`. To be called before its memory is given to anyone.
pub fn read_boot_info(address: u32) -> BootInfo {
    let start: StartInfo = read(u64::from(address));
    assert_eq!(start.magic, MAGIC, "not started by a PVH loader (qemu -kernel)");
    assert!(start.version >= 1, "the PVH loader gives no memory map");
    let mut info = BootInfo { ram: [const { 0..0 }; MAX_RANGES], ranges: 0, module: None };
    for index in 0..start.memory_map_entries.min(MAX_RANGES as u32) {
        let entry: MapEntry = read(start.memory_map + u64::from(index) * size_of::<MapEntry>() as u64);
        if entry.kind == MEMORY_RAM {
            info.ram[info.ranges] = entry.address..entry.address.saturating_add(entry.bytes);
            info.ranges += 1;
        }
    }
    if start.modules > 0 {
        let module: Module = read(start.module_list);
        info.module = Some(module.address..module.address.saturating_add(module.bytes));
    }
    info
}

/// The bytes of a module. Its memory is never given to anyone else.
pub fn module_bytes(module: Range<u64>) -> &'static [u8] {
    // SAFETY: the loader put the module there; `memory::init` leaves it out of the frames and maps it.
    unsafe { core::slice::from_raw_parts(direct(Phys(module.start)), (module.end - module.start) as usize) }
}
