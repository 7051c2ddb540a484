//! The engine: runs verified modules, one [`Instance`] a VM: as machine code, or interpreted. It knows nothing of
//! channels: what JIT code asks of other VMs surfaces as a [`Step`], to be acted on by the system.
//!
//! Invariants:
//!
//! - JIT frames stand on the VM's own guarded stack, and nothing else does. Every exit switches to the
//!   system stack, where allocations, memory, `str` and `buf` exits are served at once and never surface.
//! - The engine owns every object and `buf` that JIT code holds; dropping an [`Instance`] frees all of
//!   them, and gives every byte back to its [`crate::buf::Account`] (but for frozen regions that others use).
//! - A collection happens only while the engine serves an exit or stores values for the VM, and then every
//!   reference of the VM stands in one of the places that `roots` lists.
//! - No raw address crosses this interface: values enter and leave in packet form
//!   (`il::packet`), with buffers as [`crate::buf::Buf`]s. Code above it needs no `unsafe`.
//! - After a trap the VM's stack is abandoned, and the instance only answers with the same report.

mod border;
mod exits;
pub mod fault;
mod guest;
mod instance;
mod interpreted;
mod list;
mod memory;
mod native;
mod program;
mod raw;
mod report;
mod roots;
mod slots;
mod stack;
mod strings;
mod switch;
mod trace;
mod values;

pub use instance::Instance;
pub(crate) use list::LINKS_BYTES;
pub use program::{Engine, LoadError, Program};
pub use report::{Frame, TrapReport};
pub use slots::Allowed;

use alloc::boxed::Box;

use il::TypeId;

use crate::service::Reply;

/// A platform that outlives all that stands on it.
pub type PlatformRef = &'static dyn crate::platform::Platform;

/// Stack of a VM unless its manifest says otherwise, in bytes.
pub const DEFAULT_STACK_BYTES: usize = 128 * 1024;

/// Operands or results of an instruction that are all numbers, a word each.
pub type PlainWords = [u64; il::packet::MAX_OPERANDS];

/// How a VM stopped on a plain call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quick {
    /// The activation returned so many numbers, and left nothing to be sent.
    Done(usize),
    /// In [`Step::Call`].
    Call {
        /// Index of the capability.
        slot: usize,
        /// The instruction.
        opcode: u8,
    },
    /// In the step that [`Instance::take_step`] gives.
    Other,
}

/// An open packet, taken out of its slot.
#[derive(Default, Debug)]
pub struct Packet {
    /// Encoded instructions; see `il::packet`.
    pub words: alloc::vec::Vec<u64>,
    /// What its words name by index.
    pub attachments: alloc::vec::Vec<crate::attachment::Attachment>,
}

/// Why a VM stopped running, and what it wants before it goes on.
#[derive(Debug)]
pub enum Step {
    /// The innermost activation returned; its results in packet form.
    Done(Reply),
    /// The interrupt word was set. Go on with [`Instance::resume`]`(0)`.
    Yield,
    /// The slot's open packet has no room, or the slot is closed. Take the packet and submit it, then
    /// [`Instance::resume`]`(0)`. A closed slot gets scratch room by resuming: what is then taken from
    /// it is to be dropped, and its status remembered as sticky.
    Room {
        /// Index of the capability: a `use`, or `uses.len()` for the VM's own events.
        slot: usize,
        /// Words wanted.
        words: usize,
        /// Attachments wanted.
        attachments: usize,
    },
    /// The open packet's last instruction wants an answer. Give it a tag ([`Instance::set_tag`]), take
    /// and submit the packet, and in time go on with [`Instance::resume_call`].
    Call {
        /// Index of the capability.
        slot: usize,
        /// The instruction.
        opcode: u8,
    },
    /// Submit, wait until all was executed, and resume with the sticky status or 0.
    Flush {
        /// Index of the capability.
        slot: usize,
    },
    /// Run one handler ([`Instance::enter`], above this activation), then resume with 0.
    Wait,
    /// Run handlers for ever. Never resumed.
    WaitForever,
    /// Answer the request under way with this status, then resume with 0; the code returns from the `op`.
    Fail(u16),
    /// Leave the answer of the request under way to the VM behind the slot: the open packet's last instruction takes the
    /// request's place. Give it a tag ([`Instance::set_tag`]), then resume with 0; the code returns from the `op`.
    Forward {
        /// Index of the capability.
        slot: usize,
        /// The instruction.
        opcode: u8,
    },
    /// Make a capability of its own, with the rights of a definition. Go on with [`Instance::resume_capability`], or
    /// [`Instance::refuse`].
    Attenuate {
        /// Index of the capability.
        slot: usize,
        /// The capability type wanted.
        def: TypeId,
    },
    /// Kill an attenuated capability. Resume with 0, or [`Instance::refuse`].
    Revoke {
        /// Index of the capability.
        slot: usize,
    },
    /// Run a device program in the VM behind the slot; go on with [`Instance::resume_call`].
    Run {
        /// Index of the capability.
        slot: usize,
        /// Index of the module's program.
        program: usize,
        /// Its arguments in packet form.
        args: Reply,
    },
    /// The same, not waiting; resume with 0.
    RunSend {
        /// Index of the capability.
        slot: usize,
        /// Index of the module's program.
        program: usize,
        /// Its arguments in packet form.
        args: Reply,
    },
    /// Execute an instruction of the set of the VM that this program runs in; go on with [`Instance::resume_call`].
    Own {
        /// Index of the module's instruction set.
        isa: usize,
        /// The instruction.
        opcode: u8,
        /// Its operands in packet form.
        operands: Reply,
    },
    /// It ends itself, normally, with this exit code. Never resumed.
    Exit(i32),
    /// The VM is dead.
    Trap(Box<TrapReport>),
}
