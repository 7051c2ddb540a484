//! One request from its arrival to its answer.

use basevm::buf::Buf;
use basevm::service::{Host, Reply, ReplyRight};
use il::trap::Status;

use crate::device::{BlockDevice, Command, Lba, RequestId, SECTOR_BYTES};

/// Sectors written at a time where discarding means writing zeros.
const ZERO_SECTORS: u64 = 128;

pub(crate) type Answer = Result<Reply, Status>;

/// Sectors `start..end`, within the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub start: u64,
    pub end: u64,
}

impl Span {
    pub fn sectors(self) -> u64 {
        self.end - self.start
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub fn bytes(self) -> Result<usize, Status> {
        let bytes = usize::try_from(self.sectors()).ok().and_then(|sectors| sectors.checked_mul(SECTOR_BYTES));
        bytes.ok_or(Status::OutOfRange)
    }

    fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// A request.
#[derive(Debug)]
pub(crate) struct Job {
    /// Also the device's name for what is submitted: one part at a time.
    pub id: RequestId,
    /// `None` while the request is being executed.
    pub right: Option<ReplyRight>,
    /// Whether it answers with a buffer.
    pub reads: bool,
    /// What it touches; a flush touches nothing.
    span: Option<Span>,
    /// What to submit next; `None` while submitted.
    command: Option<Command>,
    /// Sectors of a discard by writing that remain after this part.
    rest: Option<Span>,
}

impl Job {
    fn new(span: Option<Span>, command: Command) -> Job {
        Job { id: RequestId(0), right: None, reads: false, span, command: Some(command), rest: None }
    }

    pub fn read(span: Span, data: Buf) -> Job {
        Job { reads: true, ..Job::new(Some(span), Command::Read(Lba(span.start), data)) }
    }

    pub fn write(span: Span, data: Buf) -> Job {
        Job::new(Some(span), Command::Write(Lba(span.start), data))
    }

    pub fn flush() -> Job {
        Job::new(None, Command::Flush)
    }

    pub fn discard(span: Span) -> Job {
        Job::new(Some(span), Command::Discard(Lba(span.start), span.sectors()))
    }

    /// A discard by writing zeros, of which `part` is the first part.
    pub fn zero(span: Span, part: Buf) -> Job {
        let start = span.start + (part.len() / SECTOR_BYTES) as u64;
        let rest = Some(Span { start, end: span.end });
        Job { rest, ..Job::new(Some(span), Command::Write(Lba(span.start), part)) }
    }

    /// Whether it has to wait for another request, if that came earlier: for a write of what it
    /// touches, for a read of what it writes; a flush for every write.
    pub fn must_follow(&self, other: &Job) -> bool {
        let conflicts = match (self.span, other.span) {
            (Some(own), Some(span)) => own.overlaps(span) && !(self.reads && other.reads),
            (None, Some(_)) => !other.reads,
            (_, None) => false,
        };
        conflicts && other.id < self.id
    }

    /// Submits its next part; false if the device takes no more now.
    pub fn submit(&mut self, device: &mut dyn BlockDevice) -> bool {
        let Some(command) = self.command.take() else { return true };
        match device.submit(self.id, command) {
            Ok(()) => true,
            Err(command) => {
                self.command = Some(command);
                false
            }
        }
    }

    /// Prepares the next part of a discard by writing; `None` if there is none.
    pub fn next_part(&mut self, host: &mut dyn Host) -> Option<Result<(), Status>> {
        let rest = self.rest.filter(|rest| !rest.is_empty())?;
        let part = match zeros(host, rest.sectors()) {
            Ok(part) => part,
            Err(status) => return Some(Err(status)),
        };
        self.rest = Some(Span { start: rest.start + (part.len() / SECTOR_BYTES) as u64, end: rest.end });
        self.command = Some(Command::Write(Lba(rest.start), part));
        Some(Ok(()))
    }
}

/// Zeros for the first part of so many sectors.
pub(crate) fn zeros(host: &mut dyn Host, sectors: u64) -> Result<Buf, Status> {
    host.buf(sectors.min(ZERO_SECTORS) as usize * SECTOR_BYTES)
}
