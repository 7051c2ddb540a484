//! The console's terminal: COM1, bytes untranslated both ways.

use basevm::service::Waker;
use il::trap::Status;
use vm_console::{Input, Terminal};

use super::wakers::WakerCell;
use crate::serial::COM1;

static WAKER: WakerCell = WakerCell::new();

/// COM1 as a terminal.
pub struct SerialTerminal;

impl Terminal for SerialTerminal {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        WAKER.set(waker);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        COM1.send(bytes);
        Ok(bytes.len())
    }

    fn read(&mut self, into: &mut [u8]) -> Input {
        let mut count = 0;
        for place in into {
            let Some(byte) = COM1.receive() else { break };
            *place = byte;
            count += 1;
        }
        if count == 0 { Input::Nothing } else { Input::Bytes(count) }
    }
}

/// The port has received something.
pub fn on_interrupt() {
    if COM1.on_interrupt() {
        WAKER.wake();
    }
}
