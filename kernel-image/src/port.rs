//! x86 ports, as plain functions. This file contains `unsafe`: port numbers are chosen by the callers,
//! all of which are drivers of this crate for the device at that port.

use x86_64::instructions::port::Port;

/// Reads a byte.
pub fn read8(port: u16) -> u8 {
    // SAFETY: a read of a device register that this crate drives; no memory is touched.
    unsafe { Port::new(port).read() }
}

/// Writes a byte.
pub fn write8(port: u16, value: u8) {
    // SAFETY: a write to a device register that this crate drives; DMA is never started by a byte port here.
    unsafe { Port::new(port).write(value) }
}

/// Reads 16 bits.
pub fn read16(port: u16) -> u16 {
    // SAFETY: as in `read8`.
    unsafe { Port::new(port).read() }
}

/// Writes 16 bits.
pub fn write16(port: u16, value: u16) {
    // SAFETY: as in `write8`.
    unsafe { Port::new(port).write(value) }
}

/// Reads 32 bits.
pub fn read32(port: u16) -> u32 {
    // SAFETY: as in `read8`.
    unsafe { Port::new(port).read() }
}

/// Writes 32 bits.
pub fn write32(port: u16, value: u32) {
    // SAFETY: PCI configuration space, the only 32-bit port user; its writer answers for the value.
    unsafe { Port::new(port).write(value) }
}
