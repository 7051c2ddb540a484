//! Objects in memory: headers, words, sizes. `unsafe`: guest memory.
//!
//! ```text
//! object  | type: u32 = kind << 8 | flags | len: u32 | fields, elements or bytes, padded to 8 |
//! moved   | new address | 1                          | what was there                         |
//! ```
//!
//! Flags of the collector's own: [`LARGE`], and two colours. A colour marks what a full collection has reached;
//! each uses the other one than the last, so nothing has to be cleared. Objects of the nursery have none.

use compiler::abi::{FROZEN, IMMORTAL, KIND_SHIFT, ObjectHeader, REMEMBERED};

/// Flag: the object has an allocation of its own, and does not move.
pub(super) const LARGE: u32 = 1 << 4;
/// Flag: reached by the last full collection, or promoted since, if that has this colour.
pub(super) const BLACK: u32 = 1 << 5;
/// The other colour.
pub(super) const WHITE: u32 = 1 << 6;
/// Both.
const COLOURS: u32 = BLACK | WHITE;

const _: () = assert!((REMEMBERED | FROZEN | IMMORTAL) & (LARGE | COLOURS | 1) == 0 && KIND_SHIFT == 8);
const _: () = assert!(size_of::<ObjectHeader>() == 8 && cfg!(target_endian = "little"));

/// The first 8 bytes of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header(pub u64);

impl Header {
    pub fn new(kind: u32, flags: u32, len: u32) -> Header {
        Header(u64::from(kind << KIND_SHIFT | flags) | u64::from(len) << 32)
    }

    #[inline]
    pub fn kind(self) -> u32 {
        self.0 as u32 >> KIND_SHIFT
    }

    #[inline]
    pub fn len(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    pub fn has(self, flags: u32) -> bool {
        self.0 as u32 & flags != 0
    }

    /// With these flags and no others.
    #[inline]
    pub fn with_only(self, flags: u32) -> Header {
        Header(self.0 & !0xff | u64::from(flags))
    }

    /// With these flags too.
    #[inline]
    pub fn with(self, flags: u32) -> Header {
        Header(self.0 | u64::from(flags))
    }

    /// Without these flags.
    #[inline]
    pub fn without(self, flags: u32) -> Header {
        Header(self.0 & !u64::from(flags))
    }

    /// With this colour.
    #[inline]
    pub fn coloured(self, colour: u32) -> Header {
        self.without(COLOURS).with(colour)
    }

    /// That of an object that is to be found elsewhere now; `to` is even.
    #[inline]
    pub fn moved(to: u64) -> Header {
        Header(to | 1)
    }

    /// Where the object is now, if it was moved.
    #[inline]
    pub fn new_place(self) -> Option<u64> {
        (self.0 & 1 == 1).then_some(self.0 & !1)
    }
}

/// An object that is known to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Object(u64);

impl Object {
    /// The object at an address.
    ///
    /// # Safety
    /// There is one, or room for one that is being made, as long as the result is used; nobody else uses it
    /// meanwhile. Offsets given to the methods lie within it.
    #[inline]
    pub unsafe fn at(address: u64) -> Object {
        Object(address)
    }

    #[inline]
    pub fn address(self) -> u64 {
        self.0
    }

    #[inline]
    pub fn header(self) -> Header {
        Header(self.word(0))
    }

    #[inline]
    pub fn set_header(self, header: Header) {
        self.set_word(0, header.0);
    }

    /// The word so many bytes from its address.
    #[inline]
    pub fn word(self, offset: u64) -> u64 {
        // SAFETY: within the object (promise of `at`), and objects are multiples of 8.
        unsafe { *((self.0 + offset) as *const u64) }
    }

    /// Replaces a word.
    #[inline]
    pub fn set_word(self, offset: u64, word: u64) {
        // SAFETY: within the object (promise of `at`), and objects are multiples of 8.
        unsafe { *((self.0 + offset) as *mut u64) = word }
    }

    /// Copies its `bytes` bytes but for the header to another place.
    #[inline]
    pub fn copy_to(self, to: Object, bytes: u64) {
        // SAFETY: both have so many bytes (promise of `at`), and are different.
        unsafe {
            let words = (bytes / 8 - 1) as usize;
            core::ptr::copy_nonoverlapping((self.0 + 8) as *const u64, (to.0 + 8) as *mut u64, words);
        }
    }
}
