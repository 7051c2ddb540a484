//! The i8042 keyboard: scan codes by interrupt, translated by the controller to set 1, decoded here to USB
//! HID usages.
//!
//! Codes: 1 to 0x58 down, the same plus 0x80 up; 0xe0 announces a code of the second table; 0xe1 begins the
//! Pause key's sequence, which has no release of its own.

use core::sync::atomic::{AtomicU32, Ordering};

use basevm::service::Waker;
use il::trap::Status;
use vm_keyboard::{KeyEvent, KeySource};

use super::wakers::WakerCell;
use crate::lock::Lock;
use crate::port::{read8, write8};
use crate::ring::Ring;

const DATA: u16 = 0x60;
const CONTROL: u16 = 0x64;
const OUTPUT_FULL: u8 = 1;
const INPUT_FULL: u8 = 2;
const FROM_MOUSE: u8 = 0x20;

const DISABLE_KEYBOARD: u8 = 0xad;
const ENABLE_KEYBOARD: u8 = 0xae;
const DISABLE_MOUSE: u8 = 0xa7;
const READ_CONFIG: u8 = 0x20;
const WRITE_CONFIG: u8 = 0x60;
const CONFIG_INTERRUPT: u8 = 1;
const CONFIG_MOUSE_INTERRUPT: u8 = 2;
const CONFIG_KEYBOARD_OFF: u8 = 0x10;
const CONFIG_TRANSLATE: u8 = 0x40;
const ENABLE_SCANNING: u8 = 0xf4;

/// How often a register is read in vain before the device counts as absent.
const PATIENCE: u32 = 100_000;
/// Key events that may wait to be taken.
const QUEUE: usize = 1024;

const DOWN: u16 = 0x8000;
const EXTENDED: u8 = 0xe0;
const PAUSE_PREFIX: u8 = 0xe1;
const PAUSE_USAGE: u16 = 0x48;
const UP_BIT: u8 = 0x80;

/// HID usages of codes 0x00 to 0x58; 0 is none.
const PLAIN: [u8; 0x59] = [
    0x00, 0x29, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2d, 0x2e, 0x2a,
    0x2b, // Esc 1..0 - = BkSp Tab
    0x14, 0x1a, 0x08, 0x15, 0x17, 0x1c, 0x18, 0x0c, 0x12, 0x13, 0x2f, 0x30, 0x28, 0xe0, 0x04,
    0x16, // qwertyuiop [ ] Enter Ctrl a s
    0x07, 0x09, 0x0a, 0x0b, 0x0d, 0x0e, 0x0f, 0x33, 0x34, 0x35, 0xe1, 0x31, 0x1d, 0x1b, 0x06,
    0x19, // dfghjkl ; ' ` Shift \ zxcv
    0x05, 0x11, 0x10, 0x36, 0x37, 0x38, 0xe5, 0x55, 0xe2, 0x2c, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
    0x3e, // bnm , . / Shift KP* Alt Space Caps F1..F5
    0x3f, 0x40, 0x41, 0x42, 0x43, 0x53, 0x47, 0x5f, 0x60, 0x61, 0x56, 0x5c, 0x5d, 0x5e, 0x57,
    0x59, // F6..F10 Num Scroll KP7..KP1
    0x5a, 0x5b, 0x62, 0x63, 0x46, 0x00, 0x64, 0x44, 0x45, // KP2 KP3 KP0 KP. SysRq - 102nd F11 F12
];

/// HID usages of codes after 0xe0.
const SECOND: [(u8, u8); 20] = [
    (0x1c, 0x58), // keypad Enter
    (0x1d, 0xe4), // right Ctrl
    (0x35, 0x54), // keypad /
    (0x37, 0x46), // Print Screen
    (0x38, 0xe6), // right Alt
    (0x46, 0x48), // Break
    (0x47, 0x4a), // Home
    (0x48, 0x52), // Up
    (0x49, 0x4b), // Page Up
    (0x4b, 0x50), // Left
    (0x4d, 0x4f), // Right
    (0x4f, 0x4d), // End
    (0x50, 0x51), // Down
    (0x51, 0x4e), // Page Down
    (0x52, 0x49), // Insert
    (0x53, 0x4c), // Delete
    (0x5b, 0xe3), // left Meta
    (0x5c, 0xe7), // right Meta
    (0x5d, 0x65), // Menu
    (0x5e, 0x66), // Power
];

static WAKER: WakerCell = WakerCell::new();
static EVENTS: Ring<QUEUE> = Ring::new();
static ARRIVED: AtomicU32 = AtomicU32::new(0);
static DECODER: Lock<Decoder> = Lock::new(Decoder { prefix: Prefix::None });

#[derive(Clone, Copy)]
enum Prefix {
    None,
    Extended,
    /// So many more bytes belong to the Pause sequence.
    Pause(u8),
}

struct Decoder {
    prefix: Prefix,
}

impl Decoder {
    /// Takes one byte of the controller; the usage and whether it went down, once a code is whole.
    fn decode(&mut self, byte: u8) -> Option<(u16, bool)> {
        let prefix = core::mem::replace(&mut self.prefix, Prefix::None);
        match (prefix, byte) {
            (Prefix::None, EXTENDED) => self.prefix = Prefix::Extended,
            (Prefix::None, PAUSE_PREFIX) => self.prefix = Prefix::Pause(2),
            (Prefix::Pause(2), _) => self.prefix = Prefix::Pause(1),
            (Prefix::Pause(_), _) => return Some((PAUSE_USAGE, byte & UP_BIT == 0)),
            (Prefix::Extended, _) => return lookup_second(byte & !UP_BIT).map(|usage| (usage, byte & UP_BIT == 0)),
            (Prefix::None, _) => return lookup_plain(byte & !UP_BIT).map(|usage| (usage, byte & UP_BIT == 0)),
        }
        None
    }
}

fn lookup_plain(code: u8) -> Option<u16> {
    PLAIN.get(usize::from(code)).copied().filter(|usage| *usage != 0).map(u16::from)
}

fn lookup_second(code: u8) -> Option<u16> {
    SECOND.iter().find(|entry| entry.0 == code).map(|entry| u16::from(entry.1))
}

/// Sets the controller up. To be called before its interrupt is let through; a machine without one is fine.
pub fn init() {
    command(DISABLE_KEYBOARD);
    command(DISABLE_MOUSE);
    drain();
    command(READ_CONFIG);
    let Some(config) = read() else { return };
    let wanted = (config | CONFIG_INTERRUPT | CONFIG_TRANSLATE) & !(CONFIG_MOUSE_INTERRUPT | CONFIG_KEYBOARD_OFF);
    command(WRITE_CONFIG);
    write(wanted);
    command(ENABLE_KEYBOARD);
    write(ENABLE_SCANNING);
    // The keyboard's acknowledgement is no key.
    let _ = read();
    drain();
}

fn wait_for(ready: impl Fn(u8) -> bool) -> bool {
    (0..PATIENCE).any(|_| ready(read8(CONTROL)))
}

fn command(byte: u8) {
    wait_for(|status| status & INPUT_FULL == 0);
    write8(CONTROL, byte);
}

fn write(byte: u8) {
    wait_for(|status| status & INPUT_FULL == 0);
    write8(DATA, byte);
}

fn read() -> Option<u8> {
    // All ones: no controller.
    wait_for(|status| status & OUTPUT_FULL != 0 && status != 0xff).then(|| read8(DATA))
}

fn drain() {
    for _ in 0..PATIENCE {
        let status = read8(CONTROL);
        if status & OUTPUT_FULL == 0 || status == 0xff {
            break;
        }
        read8(DATA);
    }
}

/// Keys have gone down or up.
pub fn on_interrupt() {
    let mut any = false;
    for _ in 0..PATIENCE {
        let status = read8(CONTROL);
        if status & OUTPUT_FULL == 0 || status == 0xff {
            break;
        }
        let byte = read8(DATA);
        if status & FROM_MOUSE == 0 {
            any |= take(byte);
        }
    }
    if any {
        WAKER.wake();
    }
}

fn take(byte: u8) -> bool {
    let Some((usage, down)) = DECODER.lock().decode(byte) else { return false };
    EVENTS.push(usage | if down { DOWN } else { 0 });
    ARRIVED.fetch_add(1, Ordering::Release);
    true
}

/// How many key events have come in since [`forget`].
pub fn arrived() -> u32 {
    ARRIVED.load(Ordering::Acquire)
}

/// Forgets what has come in: a new run begins.
pub fn forget() {
    while EVENTS.pop().is_some() {}
    ARRIVED.store(0, Ordering::Release);
}

/// The machine's keyboard as a key source.
pub struct Keys;

impl KeySource for Keys {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        WAKER.set(waker);
        Ok(())
    }

    fn next(&mut self) -> Option<KeyEvent> {
        EVENTS.pop().map(|item| KeyEvent { usage: item & !DOWN, down: item & DOWN != 0 })
    }
}
