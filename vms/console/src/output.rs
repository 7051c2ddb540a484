//! Output that the terminal does not take at once.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use basevm::service::{Host, Outcome, Reply, ReplyRight};
use il::trap::Status;

use crate::terminal::Terminal;

/// Bytes that may wait for the terminal; what comes beyond is refused with status 10 (busy).
pub const MAX_UNWRITTEN_BYTES: usize = 1 << 20;

/// What bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Output,
    Message,
}

impl Kind {
    fn write(self, terminal: &mut dyn Terminal, bytes: &[u8]) -> Result<usize, Status> {
        match self {
            Kind::Output => terminal.write(bytes),
            Kind::Message => terminal.write_message(bytes),
        }
    }
}

/// The rest of a `write`, answered when all of it was taken.
#[derive(Debug)]
struct Rest {
    kind: Kind,
    bytes: Vec<u8>,
    written: usize,
    right: ReplyRight,
}

/// Writes that are not finished, in order.
#[derive(Default, Debug)]
pub(crate) struct Output {
    rests: VecDeque<Rest>,
    bytes: usize,
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.rests.is_empty()
    }

    /// Executes a `write`.
    pub fn write(&mut self, terminal: &mut dyn Terminal, host: &mut dyn Host, bytes: &[u8], kind: Kind) -> Outcome {
        let written = match self.rests.is_empty() {
            true => kind.write(terminal, bytes),
            false => Ok(0),
        };
        match written {
            Err(status) => Outcome::Fail(status),
            Ok(written) if written >= bytes.len() => Outcome::Done(Reply::none()),
            Ok(_) if self.bytes + bytes.len() > MAX_UNWRITTEN_BYTES => Outcome::Fail(Status::Busy),
            Ok(written) => {
                self.bytes += bytes.len();
                self.rests.push_back(Rest { kind, bytes: bytes.to_vec(), written, right: host.reply_right() });
                Outcome::Later
            }
        }
    }

    /// Writes what the terminal takes now.
    pub fn go_on(&mut self, terminal: &mut dyn Terminal, host: &mut dyn Host) {
        while let Some(mut rest) = self.rests.pop_front() {
            let result = rest.kind.write(terminal, rest.bytes.get(rest.written..).unwrap_or_default());
            rest.written += *result.as_ref().unwrap_or(&0);
            match result {
                Ok(_) if rest.written < rest.bytes.len() => return self.rests.push_front(rest),
                result => {
                    self.bytes -= rest.bytes.len();
                    host.complete(rest.right, result.map(|_| Reply::none()));
                }
            }
        }
    }
}
