//! The US layout: which character a key gives, by shift and caps lock.

use crate::source::KeyEvent;
use crate::table::{CAPS_LOCK, Key, SHIFT, SHIFT_RIGHT};

/// What a program is told of one key event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stroke {
    /// The event.
    pub event: KeyEvent,
    /// The character that it types: 0 if none, and for keys going up.
    pub char: u32,
}

/// The state of the keys that change others.
#[derive(Clone, Copy, Default, Debug)]
pub struct Layout {
    shift: bool,
    shift_right: bool,
    caps_down: bool,
    caps: bool,
}

impl Layout {
    /// Follows one event and says what it types.
    pub fn stroke(&mut self, event: KeyEvent) -> Stroke {
        match event.usage {
            SHIFT => self.shift = event.down,
            SHIFT_RIGHT => self.shift_right = event.down,
            CAPS_LOCK => {
                // A held key repeats: only its first press switches.
                self.caps ^= event.down && !self.caps_down;
                self.caps_down = event.down;
            }
            _ => {}
        }
        let char = Key::by_usage(event.usage).filter(|_| event.down).and_then(|key| self.char(key));
        Stroke { event, char: char.map_or(0, u32::from) }
    }

    fn char(&self, key: &Key) -> Option<char> {
        let letter = key.plain.is_some_and(|char| char.is_ascii_lowercase());
        let shifted = (self.shift || self.shift_right) ^ (self.caps && letter);
        if shifted { key.shifted } else { key.plain }
    }
}
