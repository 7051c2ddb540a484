//! A terminal on the process's standard input and output, or on any two streams.
//!
//! Two threads do what may block. The reader waits until a program has asked for input, so that a
//! system that reads nothing takes nothing from its parent's terminal.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use basevm::service::Waker;
use il::trap::Status;
use vm_console::{Input, Size, Terminal};

use crate::ring::{Bell, locked};

/// Output bytes between the console VM and the writer.
pub const MAX_UNWRITTEN_BYTES: usize = 64 * 1024;
const MAX_UNREAD_BYTES: usize = 64 * 1024;
const CHUNK_BYTES: usize = 8 * 1024;

/// A terminal on two streams.
#[derive(Debug)]
pub struct StreamTerminal {
    shared: Arc<Shared>,
    size: fn() -> Size,
}

/// What is left to do when the system has ended: waiting for the last output.
#[derive(Clone, Debug)]
pub struct Output(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    bell: Bell,
}

#[derive(Debug)]
struct State {
    output: VecDeque<u8>,
    /// Bytes that the writer has taken and not yet written.
    writing: bool,
    output_failed: bool,
    output_was_full: bool,
    input: VecDeque<u8>,
    wanted: bool,
    input_ended: bool,
    closed: bool,
}

impl StreamTerminal {
    /// On the process's standard input and output.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn stdio() -> io::Result<(StreamTerminal, Output)> {
        StreamTerminal::new(io::stdin(), io::stdout(), stdout_size)
    }

    /// On any streams.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn new(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        size: fn() -> Size,
    ) -> io::Result<(StreamTerminal, Output)> {
        let state = State {
            output: VecDeque::with_capacity(MAX_UNWRITTEN_BYTES),
            writing: false,
            output_failed: false,
            output_was_full: false,
            input: VecDeque::with_capacity(MAX_UNREAD_BYTES),
            wanted: false,
            input_ended: false,
            closed: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), bell: Bell::default() });
        let (reader, writer) = (shared.clone(), shared.clone());
        std::thread::Builder::new().name("terminal-in".into()).spawn(move || reader.read_all(input))?;
        std::thread::Builder::new().name("terminal-out".into()).spawn(move || writer.write_all(output))?;
        Ok((StreamTerminal { shared: shared.clone(), size }, Output(shared)))
    }
}

impl Output {
    /// Waits until everything written so far has left; false if it never will.
    pub fn drain(&self) -> bool {
        let mut state = self.0.lock();
        while !state.output_failed && (state.writing || !state.output.is_empty()) {
            state = self.0.wait(state);
        }
        !state.output_failed
    }
}

impl Terminal for StreamTerminal {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        self.shared.bell.set(waker);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        let mut state = self.shared.lock();
        if state.output_failed {
            return Err(Status::DeviceError);
        }
        let room = MAX_UNWRITTEN_BYTES - state.output.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        state.output.extend(taken);
        state.output_was_full |= taken.len() < bytes.len();
        self.shared.changed.notify_all();
        Ok(taken.len())
    }

    fn read(&mut self, into: &mut [u8]) -> Input {
        let mut state = self.shared.lock();
        state.wanted = true;
        self.shared.changed.notify_all();
        if state.input.is_empty() {
            return if state.input_ended { Input::End } else { Input::Nothing };
        }
        let count = state.input.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(state.input.drain(..count)) {
            *place = byte;
        }
        Input::Bytes(count)
    }

    fn size(&self) -> Size {
        (self.size)()
    }
}

impl Drop for StreamTerminal {
    /// Ends the threads, as soon as they are not inside the OS.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    fn wait<'g>(&self, guard: MutexGuard<'g, State>) -> MutexGuard<'g, State> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// The reader's work.
    fn read_all(&self, mut input: impl Read) {
        let mut chunk = [0; CHUNK_BYTES];
        while self.wants_input() {
            let read = match input.read(&mut chunk) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                // An input that cannot be read has ended.
                result => result.unwrap_or(0),
            };
            let mut state = self.lock();
            state.input.extend(chunk.iter().take(read));
            state.input_ended = read == 0;
            drop(state);
            self.bell.ring();
            if read == 0 {
                return;
            }
        }
    }

    /// Waits until somebody wants input and there is room for a chunk; false at the end.
    fn wants_input(&self) -> bool {
        let mut state = self.lock();
        while !state.closed && (!state.wanted || state.input.len() + CHUNK_BYTES > MAX_UNREAD_BYTES) {
            state = self.wait(state);
        }
        !state.closed
    }

    /// The writer's work.
    fn write_all(&self, mut output: impl Write) {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        while self.take_output(&mut chunk) {
            let written = output.write_all(&chunk).and_then(|()| output.flush());
            let mut state = self.lock();
            state.writing = false;
            state.output_failed = written.is_err();
            let ring = std::mem::take(&mut state.output_was_full) || state.output_failed;
            drop(state);
            self.changed.notify_all();
            if ring {
                self.bell.ring();
            }
            if written.is_err() {
                return;
            }
        }
    }

    /// Takes what is to be written next; false at the end.
    fn take_output(&self, chunk: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        while state.output.is_empty() {
            if state.closed {
                return false;
            }
            state = self.wait(state);
        }
        chunk.clear();
        let count = state.output.len().min(CHUNK_BYTES);
        chunk.extend(state.output.drain(..count));
        state.writing = true;
        true
    }
}

fn stdout_size() -> Size {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size { columns: size.ws_col, rows: size.ws_row },
        _ => Size::default(),
    }
}
