//! What a VM written in Rust is: a run-to-completion handler of device instructions.
//!
//! It never blocks: what takes time is answered [`Outcome::Later`] and completed from
//! [`Service::wake`]. All of its allocations come from its own arena and die with it.

use alloc::string::String;
use alloc::vec::Vec;

use il::isa::{GridInstruction, InstructionSet};
use il::packet::{Builder, Value};
use il::trap::Status;

use crate::attachment::Attachment;
use crate::buf::Buf;
use crate::platform::Nanos;

/// How a VM introduces itself: the first step of the handshake.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The name to announce, e.g. `display`.
    pub name: String,
    /// The instruction set that it executes.
    pub provides: &'static InstructionSet,
}

/// A VM, unforgeably identified by the base: its place and the generation of that place. It names one VM for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VmId(pub u32);

/// The right to answer one request, once.
#[derive(PartialEq, Eq, Debug)]
pub struct ReplyRight {
    pub(crate) channel: u32,
    pub(crate) generation: u32,
    pub(crate) serial: u32,
}

impl ReplyRight {
    /// Rights are made by the base, and by hosts that stand in for it in tests. One that names no
    /// outstanding request of its holder answers nothing.
    pub const fn new(channel: u32, generation: u32, serial: u32) -> ReplyRight {
        ReplyRight { channel, generation, serial }
    }
}

/// One device instruction that arrived. Its operands have been checked against the instruction set.
#[derive(Debug)]
pub struct Request<'a> {
    /// Which instruction.
    pub opcode: u8,
    /// The operand words; decode them with the instruction set's generated `Op::decode`.
    pub words: &'a [u64],
    /// The buffers that operands of type `buf` name by index; take what is kept.
    pub attachments: &'a mut [Option<Attachment>],
    /// Who sent it.
    pub caller: VmId,
}

/// Results of an instruction.
#[derive(Default, Debug)]
pub struct Reply {
    /// Result words, in packet form.
    pub words: Vec<u64>,
    /// Buffers named by results of type `buf`.
    pub attachments: Vec<Attachment>,
}

impl Reply {
    /// No results.
    pub fn none() -> Reply {
        Reply::default()
    }

    /// Results by value; `Value::Buf(n)` names `attachments[n]`.
    pub fn new(values: &[Value<'_>], attachments: Vec<Attachment>) -> Reply {
        let mut builder = Builder::default();
        for value in values {
            builder.push(*value);
        }
        Reply { words: builder.words, attachments }
    }
}

/// What became of a request. A streamed instruction's `Done` is dropped, its `Fail` sticks.
#[derive(Debug)]
pub enum Outcome {
    /// Executed.
    Done(Reply),
    /// Refused or failed.
    Fail(Status),
    /// To be completed through the right taken from [`Host::reply_right`].
    Later,
}

/// What the base offers to a running [`Service`].
pub trait Host {
    /// The system's time (monotonic; virtual under `--clock virtual`).
    fn now(&self) -> Nanos;
    /// Wall-clock time since 1970-01-01 UTC (virtual: a fixed epoch plus `now`).
    fn wall(&self) -> Nanos;
    /// Asks for [`Service::wake`] at this time; replaces what was asked before.
    fn wake_at(&mut self, time: Option<Nanos>);
    /// A handle by which a backend asks for [`Service::wake`], from any thread or interrupt handler.
    fn waker(&self) -> Waker;
    /// Takes the right to answer the request being executed later (also when the instruction is
    /// streamed: completing it then lets `flush` pass). At most once a request.
    fn reply_right(&mut self) -> ReplyRight;
    /// Answers a request of earlier. A late or repeated answer is dropped.
    fn complete(&mut self, right: ReplyRight, result: Result<Reply, Status>);
    /// Raises an event at every VM that handles it; returns how many do.
    fn emit(&mut self, event: u8, values: &[Value<'_>]) -> usize;
    /// Raises an event at one VM, if it handles it; returns how many VMs it was raised at.
    fn emit_to(&mut self, vm: VmId, event: u8, values: &[Value<'_>]) -> usize {
        let _ = vm;
        self.emit(event, values)
    }
    /// Whether a VM is there still: one that has ended never comes back under its number.
    fn is_alive(&self, vm: VmId) -> bool {
        let _ = vm;
        true
    }
    /// The mark that the maker of the system has put on a VM ([`VmOptions::mark`](crate::system::VmOptions::mark)), if
    /// it is there. No VM can put it on itself or on what it spawns.
    fn mark(&self, vm: VmId) -> Option<u32> {
        let _ = vm;
        None
    }
    /// How many VMs handle this event.
    fn listeners(&self, event: u8) -> usize;
    /// A zeroed buffer, charged to the caller of the request being executed, else to this VM.
    fn buf(&mut self, bytes: usize) -> Result<Buf, Status>;
    /// Whether a backend request is under way (an idle system then waits instead of ending or
    /// advancing virtual time), or live input may come (an open window, a terminal being read).
    fn set_pending(&mut self, pending: bool);
    /// Adds a line to the system's log.
    fn log(&mut self, line: &str);
}

pub use crate::waker::Waker;

/// A grid of 32-bit cells, row by row, that a VM lends to a device program while that runs.
#[derive(Debug)]
pub struct Grid<'a> {
    cells: &'a mut [u32],
    width: u32,
    height: u32,
}

impl<'a> Grid<'a> {
    /// Rows of `width` cells; `None` unless `cells` are that many, or a side has 2^31 or more.
    pub fn new(cells: &'a mut [u32], width: u32, height: u32) -> Option<Grid<'a>> {
        let fits = u64::from(width) * u64::from(height) == cells.len() as u64;
        let short = width <= i32::MAX as u32 && height <= i32::MAX as u32;
        (fits && short).then_some(Grid { cells, width, height })
    }

    /// Cells, row by row.
    pub fn cells(&mut self) -> &mut [u32] {
        self.cells
    }

    /// Cells a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }
}

/// A VM written in Rust.
pub trait Service: Send {
    /// Introduces itself.
    fn hello(&self) -> Hello;
    /// The last step of the handshake: granted, with a host. An error refuses the VM.
    ///
    /// # Errors
    /// Any status; the VM is then not started.
    fn start(&mut self, host: &mut dyn Host) -> Result<(), Status> {
        let _ = host;
        Ok(())
    }
    /// Executes one instruction.
    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome;
    /// Instructions of its set that mean something on its [`Service::grid`]: device programs that may use them plainly
    /// have them as stores and loads.
    fn grid_instructions(&self) -> &'static [GridInstruction] {
        &[]
    }
    /// Lends its grid to a device program that runs until the next instruction of another kind. A VM that names
    /// [`Service::grid_instructions`] has one.
    fn grid(&mut self) -> Option<Grid<'_>> {
        None
    }
    /// The waker was used, the time asked for has come, or a VM that handles its events is ready.
    fn wake(&mut self, host: &mut dyn Host) {
        let _ = host;
    }
}
