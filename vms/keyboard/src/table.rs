//! The one table of keys: USB HID usage, QEMU's name for the key, PC scan code, US characters.

/// One key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// USB HID usage (page 7).
    pub usage: u16,
    /// Its name in key scripts: QEMU's qcode.
    pub qcode: &'static str,
    /// Scan code of set 1 as the key goes down, 0xe0xx for extended ones; 0 if it has no such form.
    pub scan: u16,
    /// What it types on a US layout, if anything.
    pub plain: Option<char>,
    /// What it types with shift.
    pub shifted: Option<char>,
}

/// A key that types nothing.
const fn key(usage: u16, qcode: &'static str, scan: u16) -> Key {
    Key { usage, qcode, scan, plain: None, shifted: None }
}

/// A key that types.
const fn types(usage: u16, qcode: &'static str, scan: u16, plain: char, shifted: char) -> Key {
    Key { usage, qcode, scan, plain: Some(plain), shifted: Some(shifted) }
}

/// Every key, by ascending usage.
pub static KEYS: &[Key] = &[
    types(0x04, "a", 0x1e, 'a', 'A'),
    types(0x05, "b", 0x30, 'b', 'B'),
    types(0x06, "c", 0x2e, 'c', 'C'),
    types(0x07, "d", 0x20, 'd', 'D'),
    types(0x08, "e", 0x12, 'e', 'E'),
    types(0x09, "f", 0x21, 'f', 'F'),
    types(0x0a, "g", 0x22, 'g', 'G'),
    types(0x0b, "h", 0x23, 'h', 'H'),
    types(0x0c, "i", 0x17, 'i', 'I'),
    types(0x0d, "j", 0x24, 'j', 'J'),
    types(0x0e, "k", 0x25, 'k', 'K'),
    types(0x0f, "l", 0x26, 'l', 'L'),
    types(0x10, "m", 0x32, 'm', 'M'),
    types(0x11, "n", 0x31, 'n', 'N'),
    types(0x12, "o", 0x18, 'o', 'O'),
    types(0x13, "p", 0x19, 'p', 'P'),
    types(0x14, "q", 0x10, 'q', 'Q'),
    types(0x15, "r", 0x13, 'r', 'R'),
    types(0x16, "s", 0x1f, 's', 'S'),
    types(0x17, "t", 0x14, 't', 'T'),
    types(0x18, "u", 0x16, 'u', 'U'),
    types(0x19, "v", 0x2f, 'v', 'V'),
    types(0x1a, "w", 0x11, 'w', 'W'),
    types(0x1b, "x", 0x2d, 'x', 'X'),
    types(0x1c, "y", 0x15, 'y', 'Y'),
    types(0x1d, "z", 0x2c, 'z', 'Z'),
    types(0x1e, "1", 0x02, '1', '!'),
    types(0x1f, "2", 0x03, '2', '@'),
    types(0x20, "3", 0x04, '3', '#'),
    types(0x21, "4", 0x05, '4', '$'),
    types(0x22, "5", 0x06, '5', '%'),
    types(0x23, "6", 0x07, '6', '^'),
    types(0x24, "7", 0x08, '7', '&'),
    types(0x25, "8", 0x09, '8', '*'),
    types(0x26, "9", 0x0a, '9', '('),
    types(0x27, "0", 0x0b, '0', ')'),
    types(0x28, "ret", 0x1c, '\n', '\n'),
    types(0x29, "esc", 0x01, '\u{1b}', '\u{1b}'),
    types(0x2a, "backspace", 0x0e, '\u{8}', '\u{8}'),
    types(0x2b, "tab", 0x0f, '\t', '\t'),
    types(0x2c, "spc", 0x39, ' ', ' '),
    types(0x2d, "minus", 0x0c, '-', '_'),
    types(0x2e, "equal", 0x0d, '=', '+'),
    types(0x2f, "bracket_left", 0x1a, '[', '{'),
    types(0x30, "bracket_right", 0x1b, ']', '}'),
    types(0x31, "backslash", 0x2b, '\\', '|'),
    types(0x33, "semicolon", 0x27, ';', ':'),
    types(0x34, "apostrophe", 0x28, '\'', '"'),
    types(0x35, "grave_accent", 0x29, '`', '~'),
    types(0x36, "comma", 0x33, ',', '<'),
    types(0x37, "dot", 0x34, '.', '>'),
    types(0x38, "slash", 0x35, '/', '?'),
    key(0x39, "caps_lock", 0x3a),
    key(0x3a, "f1", 0x3b),
    key(0x3b, "f2", 0x3c),
    key(0x3c, "f3", 0x3d),
    key(0x3d, "f4", 0x3e),
    key(0x3e, "f5", 0x3f),
    key(0x3f, "f6", 0x40),
    key(0x40, "f7", 0x41),
    key(0x41, "f8", 0x42),
    key(0x42, "f9", 0x43),
    key(0x43, "f10", 0x44),
    key(0x44, "f11", 0x57),
    key(0x45, "f12", 0x58),
    key(0x46, "print", 0xe037),
    key(0x47, "scroll_lock", 0x46),
    key(0x48, "pause", 0),
    key(0x49, "insert", 0xe052),
    key(0x4a, "home", 0xe047),
    key(0x4b, "pgup", 0xe049),
    types(0x4c, "delete", 0xe053, '\u{7f}', '\u{7f}'),
    key(0x4d, "end", 0xe04f),
    key(0x4e, "pgdn", 0xe051),
    key(0x4f, "right", 0xe04d),
    key(0x50, "left", 0xe04b),
    key(0x51, "down", 0xe050),
    key(0x52, "up", 0xe048),
    key(0x53, "num_lock", 0x45),
    types(0x54, "kp_divide", 0xe035, '/', '/'),
    types(0x55, "kp_multiply", 0x37, '*', '*'),
    types(0x56, "kp_subtract", 0x4a, '-', '-'),
    types(0x57, "kp_add", 0x4e, '+', '+'),
    types(0x58, "kp_enter", 0xe01c, '\n', '\n'),
    types(0x59, "kp_1", 0x4f, '1', '1'),
    types(0x5a, "kp_2", 0x50, '2', '2'),
    types(0x5b, "kp_3", 0x51, '3', '3'),
    types(0x5c, "kp_4", 0x4b, '4', '4'),
    types(0x5d, "kp_5", 0x4c, '5', '5'),
    types(0x5e, "kp_6", 0x4d, '6', '6'),
    types(0x5f, "kp_7", 0x47, '7', '7'),
    types(0x60, "kp_8", 0x48, '8', '8'),
    types(0x61, "kp_9", 0x49, '9', '9'),
    types(0x62, "kp_0", 0x52, '0', '0'),
    types(0x63, "kp_decimal", 0x53, '.', '.'),
    types(0x64, "less", 0x56, '\\', '|'),
    key(0x65, "compose", 0xe05d),
    key(0xe0, "ctrl", 0x1d),
    key(0xe1, "shift", 0x2a),
    key(0xe2, "alt", 0x38),
    key(0xe3, "meta_l", 0xe05b),
    key(0xe4, "ctrl_r", 0xe01d),
    key(0xe5, "shift_r", 0x36),
    key(0xe6, "alt_r", 0xe038),
    key(0xe7, "meta_r", 0xe05c),
];

/// Usage of the left shift key.
pub(crate) const SHIFT: u16 = 0xe1;
/// Usage of the right shift key.
pub(crate) const SHIFT_RIGHT: u16 = 0xe5;
/// Usage of the caps lock key.
pub(crate) const CAPS_LOCK: u16 = 0x39;

impl Key {
    /// The key with this usage.
    pub fn by_usage(usage: u16) -> Option<&'static Key> {
        KEYS.binary_search_by_key(&usage, |key| key.usage).ok().and_then(|at| KEYS.get(at))
    }

    /// The key that QEMU calls so.
    pub fn by_qcode(qcode: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.qcode == qcode)
    }

    /// The key with this scan code of set 1, without its release bit (0x80); 0xe0xx if extended.
    pub fn by_scan(scan: u16) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.scan == scan && scan != 0)
    }

    /// The key that types `char` on a US layout (not on the keypad), and whether with shift.
    pub fn by_char(char: char) -> Option<(&'static Key, bool)> {
        KEYS.iter().find_map(|key| match char {
            _ if key.plain == Some(char) => Some((key, false)),
            _ if key.shifted == Some(char) => Some((key, true)),
            _ => None,
        })
    }
}
