//! A disk in memory: what a system has that was given none. Lost at its end.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use basevm::buf::Buf;
use basevm::service::Waker;
use il::trap::Status;

use crate::device::{BlockDevice, Command, Completion, Lba, RequestId, SECTOR_BYTES};

/// The size of the disk that a system gets without asking: 1 MiB of zeros.
pub const DEFAULT_BYTES: usize = 1 << 20;

/// A disk in memory. Every request is finished when it is submitted.
#[derive(Debug)]
pub struct MemoryDisk {
    bytes: Vec<u8>,
    finished: VecDeque<Completion>,
}

impl Default for MemoryDisk {
    fn default() -> MemoryDisk {
        MemoryDisk::new(DEFAULT_BYTES / SECTOR_BYTES)
    }
}

impl MemoryDisk {
    /// A disk of so many sectors of zeros.
    pub fn new(sectors: usize) -> MemoryDisk {
        MemoryDisk { bytes: vec![0; sectors.saturating_mul(SECTOR_BYTES)], finished: VecDeque::new() }
    }

    fn run(&mut self, command: Command) -> Result<Option<Buf>, Status> {
        match command {
            Command::Read(lba, mut data) => {
                let part = self.part(lba, data.len())?;
                data.copy_from_slice(part);
                Ok(Some(data))
            }
            Command::Write(lba, data) => {
                self.part(lba, data.len())?.copy_from_slice(&data);
                Ok(Some(data))
            }
            Command::Flush => Ok(None),
            Command::Discard(lba, sectors) => {
                let bytes = usize::try_from(sectors).ok().and_then(|sectors| sectors.checked_mul(SECTOR_BYTES));
                self.part(lba, bytes.ok_or(Status::OutOfRange)?)?.fill(0);
                Ok(None)
            }
        }
    }

    fn part(&mut self, lba: Lba, bytes: usize) -> Result<&mut [u8], Status> {
        let start = usize::try_from(lba.byte_offset()).map_err(|_| Status::OutOfRange)?;
        let end = start.checked_add(bytes).ok_or(Status::OutOfRange)?;
        self.bytes.get_mut(start..end).ok_or(Status::OutOfRange)
    }
}

impl BlockDevice for MemoryDisk {
    fn start(&mut self, _waker: Waker) -> Result<(), Status> {
        self.finished.clear();
        Ok(())
    }

    fn sectors(&self) -> u64 {
        (self.bytes.len() / SECTOR_BYTES) as u64
    }

    fn submit(&mut self, id: RequestId, command: Command) -> Result<(), Command> {
        let result = self.run(command);
        self.finished.push_back(Completion { id, result });
        Ok(())
    }

    fn poll(&mut self) -> Option<Completion> {
        self.finished.pop_front()
    }

    fn can_discard(&self) -> bool {
        true
    }
}
