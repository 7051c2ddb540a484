//! Attachments: what travels beside a packet's words, by index, because words cannot carry it.
//!
//! Invariants: an attachment is owned by whoever holds the packet, and moves with it. It cannot be made from
//! numbers: buffers and objects come from a VM's memory, capabilities from the base's table of rights.

use alloc::sync::Arc;

use il::trap::Status;

use crate::buf::Buf;
use crate::heap::FrozenRegion;

/// One attachment of a packet.
#[derive(Debug)]
pub enum Attachment {
    /// A buffer; it moves, and its memory stays where it is.
    Buf(Buf),
    /// An immutable object graph, shared.
    Object(Object),
    /// The right to send to a VM.
    Cap(Capability),
}

/// An object of a frozen graph, which it keeps alive.
#[derive(Clone, Debug)]
pub struct Object {
    pub(crate) region: Arc<FrozenRegion>,
    pub(crate) address: u64,
}

impl Object {
    pub(crate) fn new(region: Arc<FrozenRegion>, address: u64) -> Object {
        Object { region, address }
    }
}

/// A right on its way, by its number in the base's table: only the base can make one, and one that is out of date
/// grants nothing.
#[derive(Clone, Debug)]
pub struct Capability {
    pub(crate) right: u32,
    /// Keeps the right in the table as long as somebody may use it.
    _keep: Arc<()>,
    /// The slot that it has become in the VM that it is about to enter.
    pub(crate) slot: Option<u32>,
}

impl Capability {
    pub(crate) fn new(right: u32, keep: Arc<()>) -> Capability {
        Capability { right, _keep: keep, slot: None }
    }

    /// One that grants nothing.
    pub(crate) fn dead() -> Capability {
        Capability::new(u32::MAX, Arc::default())
    }
}

impl Attachment {
    /// The buffer that it is, to look at.
    pub fn as_buf(&self) -> Option<&Buf> {
        match self {
            Attachment::Buf(buf) => Some(buf),
            Attachment::Object(_) | Attachment::Cap(_) => None,
        }
    }

    /// The buffer that it is.
    ///
    /// # Errors
    /// `BadOperand` if it is something else.
    pub fn buf(self) -> Result<Buf, Status> {
        match self {
            Attachment::Buf(buf) => Ok(buf),
            Attachment::Object(_) | Attachment::Cap(_) => Err(Status::BadOperand),
        }
    }
}

impl From<Buf> for Attachment {
    fn from(buf: Buf) -> Attachment {
        Attachment::Buf(buf)
    }
}
