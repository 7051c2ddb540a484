//! The line to the host: COM2, one ASCII line a message (declared in `bootstrapper::control`).

use core::fmt::{self, Write};

use basevm::recorder::Sink;

use crate::interrupts;
use crate::serial::COM2;

/// The longest line that is read; a longer one is dropped.
const MAX_LINE: usize = 256;

/// Sends text, one host line a line of text, each with `prefix`.
struct Lines {
    prefix: &'static str,
    started: bool,
    forced: bool,
}

impl Lines {
    fn send(&self, bytes: &[u8]) {
        if self.forced { COM2.send_forced(bytes) } else { COM2.send(bytes) }
    }
}

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('\n') {
            if !self.started {
                self.send(self.prefix.as_bytes());
                self.started = true;
            }
            self.send(part.as_bytes());
            self.started = !part.ends_with('\n');
        }
        Ok(())
    }
}

fn write(prefix: &'static str, text: fmt::Arguments<'_>, forced: bool) {
    let mut lines = Lines { prefix, started: false, forced };
    // Neither the port nor the prefix can fail; a failing `Display` leaves a shorter line.
    let _ = lines.write_fmt(format_args!("{text}\n"));
}

/// Sends a message of the control protocol.
pub fn send(message: fmt::Arguments<'_>) {
    write("", message, false);
}

/// Adds to the log.
pub fn log(text: fmt::Arguments<'_>) {
    write("log ", text, false);
}

/// Reports a fault that the system survives.
pub fn fault(text: fmt::Arguments<'_>) {
    write("fault ", text, false);
}

/// Sends from a panic of the base, whoever holds the port.
pub fn send_forced(prefix: &'static str, text: fmt::Arguments<'_>) {
    write(prefix, text, true);
}

/// Sends frames of the wire format, a line each ([`bootstrapper::control::FromGuest::See`]).
pub struct Frames;

impl Sink for Frames {
    fn put(&mut self, frame: &[u8]) {
        let mut lines = Lines { prefix: "see", started: false, forced: false };
        for word in frame.as_chunks::<8>().0 {
            let _ = write!(lines, " {:x}", u64::from_le_bytes(*word));
        }
        let _ = lines.write_str("\n");
    }
}

/// Waits for a line from the host, and gives it to `read`.
pub fn receive<R>(read: impl FnOnce(&str) -> R) -> R {
    let mut line = [0; MAX_LINE];
    loop {
        if let Some(text) = receive_into(&mut line) {
            return read(text);
        }
    }
}

fn receive_into(line: &mut [u8; MAX_LINE]) -> Option<&str> {
    let mut length = 0;
    loop {
        match COM2.receive() {
            Some(b'\n') => break,
            Some(byte) => {
                if let Some(place) = line.get_mut(length) {
                    *place = byte;
                }
                length += 1;
            }
            None => interrupts::wait_unless(|| COM2.has_received()),
        }
    }
    core::str::from_utf8(line.get(..length)?).ok()
}
