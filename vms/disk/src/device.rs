//! What the disk VM stands on: a device that carries out requests, several at a time.

use alloc::string::String;

use basevm::buf::Buf;
use basevm::service::Waker;
use il::trap::Status;

/// Bytes a sector, on every backend.
pub const SECTOR_BYTES: usize = 512;

/// The number of a sector, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lba(pub u64);

impl Lba {
    /// Where the sector begins, in bytes.
    pub const fn byte_offset(self) -> u64 {
        self.0.saturating_mul(SECTOR_BYTES as u64)
    }
}

/// Names a request from its submission to its completion.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What a device is asked to do. Sector ranges have been checked against [`BlockDevice::sectors`],
/// and the length of a buffer is a multiple of [`SECTOR_BYTES`], never 0.
#[derive(Debug)]
pub enum Command {
    /// Fill the buffer from here on.
    Read(Lba, Buf),
    /// Write the buffer from here on; it may stay in a cache.
    Write(Lba, Buf),
    /// Put every write that has been completed onto the medium.
    Flush,
    /// So many sectors from here on read as zeros from now on. Only if [`BlockDevice::can_discard`].
    Discard(Lba, u64),
}

/// A request that the device has finished.
#[derive(Debug)]
pub struct Completion {
    /// Which.
    pub id: RequestId,
    /// The buffer of a read or write comes back, if there was one; or why it failed.
    pub result: Result<Option<Buf>, Status>,
}

/// A disk's backend. Requests under way never overlap where one of them writes: the VM sees to that.
pub trait BlockDevice: Send {
    /// Called before all else, and again for a VM that follows one that was lost: what was under way then
    /// never completes, and nothing that is submitted later passes it. The device uses the waker whenever a request is
    /// finished.
    ///
    /// # Errors
    /// Any status; the disk VM is then refused.
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        let _ = waker;
        Ok(())
    }

    /// How many sectors it has; never changes.
    fn sectors(&self) -> u64;

    /// Begins a request. Never waits for the medium.
    ///
    /// # Errors
    /// Gives the command back if no further request fits now; the VM tries again after a completion.
    fn submit(&mut self, id: RequestId, command: Command) -> Result<(), Command>;

    /// Takes a finished request. Never waits.
    fn poll(&mut self) -> Option<Completion>;

    /// Why a request failed, for the log: what has not been taken yet.
    fn report(&mut self) -> Option<String> {
        None
    }

    /// Whether it carries out [`Command::Discard`]; else the VM writes zeros instead.
    fn can_discard(&self) -> bool {
        false
    }
}
