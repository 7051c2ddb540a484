//! The local interrupt controller, only as far as it must let the 8259's interrupts through.

use x86_64::registers::model_specific::Msr;

use crate::memory::paging::Cache;
use crate::memory::{Phys, map_device};

const BASE: u32 = 0x1b;
const BASE_ENABLED: u64 = 1 << 11;
const BASE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const SPURIOUS: usize = 0xf0;
const LINT0: usize = 0x350;
const ENABLED: u32 = 1 << 8;
const EXTERNAL: u32 = 7 << 8;

/// The vector of its spurious interrupts.
pub const SPURIOUS_VECTOR: u8 = 255;

/// Enables it with line 0 as the 8259's line: some firmware leaves it off.
pub fn init() {
    // SAFETY: the register exists on every x86-64 processor; reading it has no effect.
    let base = unsafe { Msr::new(BASE).read() };
    if base & BASE_ENABLED == 0 {
        return;
    }
    let registers = map_device(Phys(base & BASE_ADDRESS), 0x1000, Cache::Uncached);
    // SAFETY: the local controller's registers, just mapped; no other code uses them.
    unsafe {
        registers.add(SPURIOUS).cast::<u32>().write_volatile(ENABLED | u32::from(SPURIOUS_VECTOR));
        registers.add(LINT0).cast::<u32>().write_volatile(EXTERNAL);
    }
}
