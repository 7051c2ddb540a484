//! The reference interpreter: the executable definition of what a verified module does.
//!
//! It is written for obviousness, a file a chapter of the reference, and shares no table of meaning
//! with the compiler: operators, layouts and subtyping are stated here once more, by hand, so that a
//! mistake in either shows as a disagreement.
//!
//! | chapter | file |
//! | --- | --- |
//! | types and values | `value` |
//! | numbers | `number`, `ops` |
//! | vectors | `vector`, `ops` |
//! | memory, buffers, strings | `memory`, `text`, `bytes` |
//! | structs, arrays, references | `heap`, `object` |
//! | control | `code`, `run` |
//! | calls | `call` |
//! | devices, programs | `device` |
//!
//! Invariants:
//!
//! - Nothing recurses: calls of the module stand in a list of frames, operands on a list of values.
//!   So a machine stops at a device instruction wherever it stands, and goes on later.
//! - Nothing panics on any module: what the verifier excludes is a trap that says so.
//! - With [`Limits::check`], every instruction is preceded by a comparison of all operands and locals
//!   with what the verifier claims of them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
mod call;
mod check;
mod code;
mod device;
mod graph;
mod heap;
mod machine;
mod memory;
mod number;
mod object;
mod ops;
mod outcome;
mod run;
mod text;
mod value;
mod vector;

pub use graph::{Class, Content, Incoming, Keep, Node, ObjectId, Part};
pub use machine::{Limits, Machine};
pub use outcome::{Attached, Datum, Outcome, Packet, Place, Reference, Report};
