//! Fault injection: a device VM that panics when it is sent a chosen instruction, to see what its
//! callers and the rest of the system do then.

use alloc::boxed::Box;

use basevm::service::{Hello, Host, Outcome, Request, Service};
use il::trap::Status;

/// Stands before a device VM; passes everything on but the chosen instruction.
pub struct PanicOn {
    /// The device VM.
    pub inner: Box<dyn Service>,
    /// The instruction that panics.
    pub opcode: u8,
}

impl Service for PanicOn {
    fn hello(&self) -> Hello {
        self.inner.hello()
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Status> {
        self.inner.start(host)
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        assert!(request.opcode != self.opcode, "injected fault: instruction {} panics", self.opcode);
        self.inner.execute(host, request)
    }

    fn wake(&mut self, host: &mut dyn Host) {
        self.inner.wake(host);
    }
}
