//! The built-in instruction sets, each declared once.
//!
//! One [`instruction_set!`] table a set gives the data that every generic algorithm reads
//! ([`il::isa::InstructionSet`], documentation included) and a thin typed shell: `Op` with `decode`
//! and `encode`, one function a reply, one function and number an event. Numbers are explicit and
//! append-only; a change of meaning is a new version. This crate uses only `il`.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod describe;
mod operand;
mod sets;
#[macro_use]
mod table;

pub use describe::{describe, reference_page};
pub use operand::{Attachment, Buf, Operand, OptAny, Str};
pub use sets::{clock, console, directory, disk, display, entropy, keyboard, system, wasi};

use il::isa::InstructionSet;

/// Every built-in set, in the order of the reference page.
pub static ALL: &[&InstructionSet] = &[
    &console::SET,
    &display::SET,
    &keyboard::SET,
    &disk::SET,
    &clock::SET,
    &entropy::SET,
    &wasi::SET,
    &directory::SET,
    &system::SET,
];

/// The built-in set with this path (`cascade.display@1`), name (`cascade.display`) or last part of
/// its name (`display`).
pub fn find(name: &str) -> Option<&'static InstructionSet> {
    ALL.iter().copied().find(|set| set.path() == name || set.name == name || set.name.rsplit('.').next() == Some(name))
}

/// Whether instructions and events are numbered from 1, ascending and without duplicates, as lookup
/// by number needs.
pub fn is_ordered(set: &InstructionSet) -> bool {
    let instructions: alloc::vec::Vec<u8> = set.instructions.iter().map(|i| i.opcode).collect();
    let events: alloc::vec::Vec<u8> = set.events.iter().map(|e| e.number).collect();
    let ordered = |numbers: &[u8]| !numbers.contains(&0) && numbers.windows(2).all(|pair| pair[0] < pair[1]);
    ordered(&instructions) && ordered(&events)
}

/// What the code that [`instruction_set!`] expands to refers to; not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use alloc::borrow::Cow;
    pub use core::convert::Infallible;
    pub use core::marker::PhantomData;
    pub use il::isa::{Axis, Event, Extent, Field, GridInstruction, GridMeaning, Instruction, InstructionSet, Touch};
    pub use il::packet::{Builder, Reader, Value};
    pub use il::trap::Status;
}
