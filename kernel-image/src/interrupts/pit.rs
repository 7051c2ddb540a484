//! The programmable interval timer: channel 0 interrupts once after a given time, channel 2 measures.

use crate::port::{read8, write8};

/// Counts a second.
const HZ: u64 = 1_193_182;
const CHANNEL_0: u16 = 0x40;
const CHANNEL_2: u16 = 0x42;
const MODE: u16 = 0x43;
const CONTROL: u16 = 0x61;
const GATE_2: u8 = 1;
const SPEAKER: u8 = 2;

/// Interrupts once, after `nanos` (at most about 54 ms, at least one count).
pub fn arm(nanos: u64) {
    let counts = (nanos.min(50_000_000) * HZ / 1_000_000_000).clamp(1, 0xffff) as u16;
    let [low, high] = counts.to_le_bytes();
    write8(MODE, 0x30); // channel 0, both bytes, mode 0: interrupt on terminal count
    write8(CHANNEL_0, low);
    write8(CHANNEL_0, high);
}

/// Starts channel 2 counting down from its maximum.
pub fn start_measure() {
    write8(CONTROL, (read8(CONTROL) & !SPEAKER) | GATE_2);
    write8(MODE, 0xb0); // channel 2, both bytes, mode 0
    write8(CHANNEL_2, 0xff);
    write8(CHANNEL_2, 0xff);
}

/// Counts of channel 2 since [`start_measure`]; wraps after 54 ms.
pub fn measured() -> u16 {
    write8(MODE, 0x80); // latch channel 2
    let low = read8(CHANNEL_2);
    let high = read8(CHANNEL_2);
    0xffff - u16::from_le_bytes([low, high])
}

/// Counts as nanoseconds.
pub fn nanos(counts: u16) -> u64 {
    u64::from(counts) * 1_000_000_000 / HZ
}
