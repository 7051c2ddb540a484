//! The two 8259 interrupt controllers, at vectors 32 to 47, each line masked until asked for.

use crate::port::{read8, write8};

/// The vector of line 0.
pub const FIRST_VECTOR: u8 = 32;
/// How many lines there are.
pub const LINES: u8 = 16;

const MASTER: u16 = 0x20;
const SLAVE: u16 = 0xa0;
const CASCADE_LINE: u8 = 2;
const END: u8 = 0x20;

/// Sets both up with all lines masked.
pub fn init() {
    for (port, vector, wiring) in [(MASTER, FIRST_VECTOR, 1 << CASCADE_LINE), (SLAVE, FIRST_VECTOR + 8, CASCADE_LINE)] {
        write8(port, 0x11); // initialise, four words follow
        write8(port + 1, vector);
        write8(port + 1, wiring);
        write8(port + 1, 0x01); // 8086 mode
        write8(port + 1, 0xff);
    }
    set_masked(CASCADE_LINE, false);
}

/// Masks or unmasks a line.
pub fn set_masked(line: u8, masked: bool) {
    let port = if line < 8 { MASTER + 1 } else { SLAVE + 1 };
    let bit = 1 << (line % 8);
    let mask = read8(port);
    write8(port, if masked { mask | bit } else { mask & !bit });
}

/// Ends the interrupt of a line.
pub fn end(line: u8) {
    if line >= 8 {
        write8(SLAVE, END);
    }
    write8(MASTER, END);
}

/// Whether an interrupt of line 7 or 15 was none: its in-service bit is clear.
pub fn is_spurious(line: u8) -> bool {
    let port = match line {
        7 => MASTER,
        15 => SLAVE,
        _ => return false,
    };
    write8(port, 0x0b); // read the in-service register
    let spurious = read8(port) & 0x80 == 0;
    if spurious && port == SLAVE {
        write8(MASTER, END);
    }
    spurious
}
