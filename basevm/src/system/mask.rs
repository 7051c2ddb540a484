//! Rights as bits: one bit an opcode, one bit an event number.

use core::fmt;

/// A set of numbers from 0 to 255. Rights only ever shrink: see [`Mask::intersect`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Mask([u64; 4]);

impl Mask {
    /// No right.
    pub const NONE: Mask = Mask([0; 4]);
    /// Every right.
    pub const ALL: Mask = Mask([u64::MAX; 4]);

    /// Whether `number` is in the set.
    #[inline]
    pub const fn has(&self, number: u8) -> bool {
        self.0[(number >> 6) as usize] & 1 << (number & 63) != 0
    }

    /// The set with `number` in it.
    #[must_use]
    pub const fn with(mut self, number: u8) -> Mask {
        self.0[(number >> 6) as usize] |= 1 << (number & 63);
        self
    }

    /// What is in both.
    #[must_use]
    pub const fn intersect(self, other: Mask) -> Mask {
        let (a, b) = (self.0, other.0);
        Mask([a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]])
    }

    /// Whether all of `other` is in it.
    pub const fn covers(self, other: Mask) -> bool {
        let (a, b) = (self.0, other.0);
        b[0] & !a[0] | b[1] & !a[1] | b[2] & !a[2] | b[3] & !a[3] == 0
    }

    /// The four words, as they travel in a packet.
    pub const fn words(self) -> [u64; 4] {
        self.0
    }

    /// The set of these four words.
    pub const fn from_words(words: [u64; 4]) -> Mask {
        Mask(words)
    }
}

impl FromIterator<u8> for Mask {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Mask {
        numbers.into_iter().fold(Mask::NONE, Mask::with)
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..=255).filter(|number| self.has(*number))).finish()
    }
}
