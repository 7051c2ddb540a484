//! The wire format: what travels between VMs, and what is known about them, as bytes. A recording is such a
//! stream in a file, a channel between machines such a stream on a socket. A packet's words stand in it as they
//! stood in the ring.
//!
//! ```text
//! stream      "CSCWIRE" version:u8  frame*
//! frame       head word, then `words` words, all little endian
//! head        | kind 8 | 0 24 | words 32 |
//! number      one word                       flag: 0 or 1
//! text, bytes length in bytes, then the bytes, padded with zeros to a word
//! list X      count, then X*
//! words       count, then the words
//! ```
//!
//! ```text
//! kind          payload
//! 01 start      clock: 0 real, 1 virtual; wall; program: text
//! 02 set        number; path: text; instructions: list item; events: list item
//!               item = number; name: text; operands: list field; waits: flag; results: list field
//!               field = name: text; type code; type: text
//! 03 vm         vm; name: text; index; kind; memory limit; sets: list number
//! 04 channel    channel; sender; receiver; set number + 1, or 0; slot; name: text; ops: 4 words; events: 4 words
//! 05 closed     channel; status, or 0
//! 06 ended      vm; how; text
//! 07 at         nanoseconds since the start, by the machine's clock: of all that follows
//! 08 clock      the virtual clock's time from here on
//! 10 forth      channel; words; attachments: list attachment       packets, in the order in which they were sent
//! 11 back       the same: a reply (opcode 0) or an event (0x8000 + n) for the channel's sender
//!               attachment = 1; length in bytes; bytes (all, or the first part)
//!                          | 2; type: text; words    an object
//!                          | 3; right; generation    a capability
//!                          | 0                       none: it was taken before
//! 12 taken      packet    the receiver begins to execute it; packets (10) count from 1
//! 13 done       packet    it was executed to its end
//! 14 turn       vm; what; name: text          the VM begins to run
//! 15 rest       vm                            it stops
//! 16 usage      vm; processor ns; memory; limit; packets sent; instructions executed; queued; state: text
//! 17 lost       frames; bytes                 what a bound kept out of the stream
//! 18 right      what; right; holder; target; ops: 4 words
//! 7f end        exit code
//! ```
//!
//! Invariants: decoding is total, allocates in proportion to its input, and accepts exactly what encoding writes:
//! one meaning has one form. An attachment whose bytes are not all there says so by its length.

mod read;
mod show;
#[cfg(test)]
mod tests;
mod write;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use read::{Decoder, decode};
pub use show::{Names, Said, What};
pub use write::{AttachedRef, write_answer, write_event, write_packet};

use crate::platform::Nanos;

/// What a stream starts with; the last byte is the format's version.
pub const MAGIC: [u8; 8] = *b"CSCWIRE\x01";
/// Most words of one frame's payload: 128 MiB.
pub const MAX_FRAME_WORDS: usize = 16 << 20;
/// Longest name, path or state in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// Kinds of frames.
mod kind {
    pub const START: u8 = 0x01;
    pub const SET: u8 = 0x02;
    pub const VM: u8 = 0x03;
    pub const CHANNEL: u8 = 0x04;
    pub const CLOSED: u8 = 0x05;
    pub const ENDED: u8 = 0x06;
    pub const AT: u8 = 0x07;
    pub const CLOCK: u8 = 0x08;
    pub const FORTH: u8 = 0x10;
    pub const BACK: u8 = 0x11;
    pub const TAKEN: u8 = 0x12;
    pub const DONE: u8 = 0x13;
    pub const TURN: u8 = 0x14;
    pub const REST: u8 = 0x15;
    pub const USAGE: u8 = 0x16;
    pub const LOST: u8 = 0x17;
    pub const RIGHT: u8 = 0x18;
    pub const END: u8 = 0x7f;
}

/// One frame of a stream; the module's page says what each carries.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Frame {
    Start { virtual_clock: bool, wall: Nanos, program: String },
    Set(Set),
    Vm(Vm),
    Channel(Channel),
    Closed { channel: u32, status: u16 },
    Ended { vm: u32, how: End, text: String },
    At(Nanos),
    Clock(Nanos),
    Packet(Packet),
    Taken(u64),
    Done(u64),
    Turn { vm: u32, what: Turn, name: String },
    Rest { vm: u32 },
    Usage(Usage),
    Lost { frames: u64, bytes: u64 },
    Right(Right),
    End { code: u8 },
}

/// An instruction set, as far as showing its packets needs it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Set {
    /// What channels and VMs call it.
    pub number: u32,
    /// `name@version`.
    pub path: String,
    /// By ascending opcode.
    pub instructions: Vec<Item>,
    /// By ascending number.
    pub events: Vec<Item>,
}

/// An instruction or event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Item {
    /// Its opcode or number, 1 to 255.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// Its operands.
    pub operands: Vec<Field>,
    /// What it answers; `None`: it streams, or is an event.
    pub results: Option<Vec<Field>>,
}

/// An operand or result.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Field {
    /// May be empty.
    pub name: String,
    /// The type's binary code ([`il::Type::code`]): how its words are read.
    pub code: u8,
    /// The type in text.
    pub ty: String,
}

/// A VM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vm {
    /// Its number.
    pub vm: u32,
    /// Its name.
    pub name: String,
    /// Tells VMs of one name apart.
    pub index: u32,
    /// What runs in it.
    pub kind: Kind,
    /// Memory quota in bytes.
    pub memory_limit: u64,
    /// The sets that it executes.
    pub sets: Vec<u32>,
}

/// A channel: one sender's use of one right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    /// Its number.
    pub channel: u32,
    /// Who sends packets.
    pub sender: u32,
    /// Who executes them.
    pub receiver: u32,
    /// The set that is spoken.
    pub set: Option<u32>,
    /// The sender's slot.
    pub slot: u32,
    /// What the sender calls it.
    pub name: String,
    /// Instructions that may be sent, a bit each.
    pub ops: [u64; 4],
    /// Events that may come, a bit each.
    pub events: [u64; 4],
}

/// A packet, or a reply or event on its way back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The channel's number.
    pub channel: u32,
    /// Which way it goes.
    pub way: Way,
    /// The words, as in the ring.
    pub words: Vec<u64>,
    /// What its words name by index.
    pub attachments: Vec<Attached>,
}

/// What is attached to a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attached {
    /// Nothing: it was taken before.
    None,
    /// A buffer.
    Buf {
        /// Its length in bytes.
        length: u64,
        /// Its bytes: all, or the first part.
        bytes: Vec<u8>,
    },
    /// A frozen object.
    Object {
        /// Its type's name.
        ty: String,
        /// What it consists of.
        words: Vec<u64>,
    },
    /// A capability.
    Cap {
        /// The right's number.
        right: u32,
        /// Which use of that number.
        generation: u32,
    },
}

/// What a VM uses, and what it does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// The VM.
    pub vm: u32,
    /// Processor time so far.
    pub processor: Nanos,
    /// Bytes in use.
    pub memory: u64,
    /// Bytes at most.
    pub memory_limit: u64,
    /// Packets that it sent.
    pub sent: u64,
    /// Instructions that it executed for others.
    pub executed: u64,
    /// Packets and events in its inbox.
    pub queued: u64,
    /// What it is doing, in words.
    pub state: String,
}

/// What became of a right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Right {
    /// What happened.
    pub what: RightChange,
    /// The right's number.
    pub right: u32,
    /// Who holds or made it.
    pub holder: u32,
    /// The VM that it leads to.
    pub target: u32,
    /// The instructions that it allows.
    pub ops: [u64; 4],
}

/// Declares an enum whose variants travel as numbers.
macro_rules! coded {
    ($($(#[$top:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* })*) => {$(
        $(#[$top])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name { $($(#[$doc])* $variant = $code,)* }
        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];
            /// The one with this code.
            pub fn from_code(code: u64) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| *one as u64 == code)
            }
        }
    )*};
}

coded! {
    /// What runs in a VM.
    Kind {
        /// The base itself.
        Base = 0,
        /// IL.
        Il = 1,
        /// Rust.
        Rust = 2,
        /// It is driven from outside.
        External = 3,
        /// A device program.
        Program = 4,
    }
    /// How a VM ended.
    End {
        /// By itself, or stopped.
        Returned = 0,
        /// It trapped or panicked.
        Fault = 1,
        /// It was not let in.
        Refused = 2,
    }
    /// What a turn runs.
    Turn {
        /// `main`.
        Main = 0,
        /// An `op`.
        Op = 1,
        /// A handler.
        Handler = 2,
        /// Requests, in a VM written in Rust.
        Service = 3,
        /// `wake`, in a VM written in Rust.
        Wake = 4,
    }
    /// What happened to a right.
    RightChange {
        /// It was given.
        Granted = 0,
        /// A lesser one was made of it.
        Attenuated = 1,
        /// It was taken away.
        Revoked = 2,
    }
    /// Which way a packet goes.
    Way {
        /// To the VM that executes it.
        Forth = 0,
        /// A reply or event, to the sender.
        Back = 1,
    }
}

/// Why bytes are not a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// They do not start with [`MAGIC`].
    Magic,
    /// A head word has bits that mean nothing, or an unknown kind.
    Head,
    /// A frame is longer than [`MAX_FRAME_WORDS`].
    TooLong,
    /// The payload is not what its kind says.
    Payload,
    /// The bytes end inside a frame.
    Truncated,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireError::Magic => "it does not start with \"CSCWIRE\" and version 1",
            WireError::Head => "a frame of no known kind",
            WireError::TooLong => "a frame that is too long",
            WireError::Payload => "a frame whose content is not what its kind says",
            WireError::Truncated => "it ends inside a frame",
        })
    }
}

impl core::error::Error for WireError {}
