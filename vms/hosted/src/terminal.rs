//! A terminal on the process's standard streams, or on any others.
//!
//! Two threads do what may block. The reader waits until a program has asked for input, so that a
//! system that reads nothing takes nothing from its parent's terminal. One thread writes output and messages, so that
//! they keep their order where both go to the same place.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use basevm::service::Waker;
use il::trap::Status;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use vm_console::{Input, Size, Terminal};

use crate::ring::{Bell, locked};

/// Output bytes between the console VM and the writer.
pub const MAX_UNWRITTEN_BYTES: usize = 64 * 1024;
/// Changes between output and messages among them.
const MAX_RUNS: usize = 1024;
const MAX_UNREAD_BYTES: usize = 64 * 1024;
const CHUNK_BYTES: usize = 8 * 1024;

/// A terminal on streams.
#[derive(Debug)]
pub struct StreamTerminal {
    shared: Arc<Shared>,
    size: fn() -> Size,
}

/// Where bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum To {
    Output,
    Messages,
}

/// Bytes that go to the same place.
#[derive(Debug)]
struct Run {
    to: To,
    bytes: usize,
}

/// What is left to do when the system has ended: waiting for the last output.
#[derive(Clone, Debug)]
pub struct Output(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    bell: Bell,
    has_input: HasInput,
    /// Messages go where output goes.
    has_one_end: bool,
}

/// Whether reading the input gives something, or its end, without a wait; or waits until it does.
type HasInput = fn(wait: bool) -> bool;

#[derive(Debug)]
struct State {
    output: VecDeque<u8>,
    /// Where `output` goes, in order.
    runs: VecDeque<Run>,
    /// Bytes that the writer has taken and not yet written.
    writing: bool,
    output_failed: bool,
    messages_failed: bool,
    output_was_full: bool,
    input: VecDeque<u8>,
    wanted: bool,
    /// The reader takes what is there.
    reading: bool,
    input_ended: bool,
    closed: bool,
}

impl StreamTerminal {
    /// On the process's standard input, output and error.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn stdio() -> io::Result<(StreamTerminal, Output)> {
        StreamTerminal::open(io::stdin(), (io::stdout(), Some(io::stderr())), stdout_size, stdin_has_input)
    }

    /// On two streams: messages go where output goes. Input is taken to be there at once, or to have ended, which matters to
    /// programs that do not want to wait for it.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn new(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        size: fn() -> Size,
    ) -> io::Result<(StreamTerminal, Output)> {
        StreamTerminal::open(input, (output, None::<io::Sink>), size, |_| true)
    }

    /// On three streams, the last for messages.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn with_messages(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        messages: impl Write + Send + 'static,
        size: fn() -> Size,
    ) -> io::Result<(StreamTerminal, Output)> {
        StreamTerminal::open(input, (output, Some(messages)), size, |_| true)
    }

    fn open<O: Write + Send + 'static, M: Write + Send + 'static>(
        input: impl Read + Send + 'static,
        (output, messages): (O, Option<M>),
        size: fn() -> Size,
        has_input: HasInput,
    ) -> io::Result<(StreamTerminal, Output)> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new()),
            changed: Condvar::new(),
            bell: Bell::default(),
            has_input,
            has_one_end: messages.is_none(),
        });
        let (reader, writer) = (shared.clone(), shared.clone());
        std::thread::Builder::new().name("terminal-in".into()).spawn(move || reader.read_all(input))?;
        std::thread::Builder::new().name("terminal-out".into()).spawn(move || writer.write_all(output, messages))?;
        Ok((StreamTerminal { shared: shared.clone(), size }, Output(shared)))
    }

    fn take(&self, bytes: &[u8], to: To) -> Result<usize, Status> {
        let to = if self.shared.has_one_end { To::Output } else { to };
        let mut state = self.shared.lock();
        if state.failed(to) {
            return Err(Status::DeviceError);
        }
        let taken = state.put(bytes, to);
        state.output_was_full |= taken < bytes.len();
        self.shared.changed.notify_all();
        Ok(taken)
    }
}

impl State {
    /// All that will ever be needed: it is made before the VMs are.
    fn new() -> State {
        State {
            output: VecDeque::with_capacity(MAX_UNWRITTEN_BYTES),
            runs: VecDeque::with_capacity(MAX_RUNS),
            writing: false,
            output_failed: false,
            messages_failed: false,
            output_was_full: false,
            input: VecDeque::with_capacity(MAX_UNREAD_BYTES),
            wanted: false,
            reading: false,
            input_ended: false,
            closed: false,
        }
    }

    fn failed(&self, to: To) -> bool {
        match to {
            To::Output => self.output_failed,
            To::Messages => self.messages_failed,
        }
    }

    fn fail(&mut self, to: To) {
        match to {
            To::Output => self.output_failed = true,
            To::Messages => self.messages_failed = true,
        }
    }

    /// Keeps as many bytes as there is room for.
    fn put(&mut self, bytes: &[u8], to: To) -> usize {
        let taken = bytes.get(..MAX_UNWRITTEN_BYTES - self.output.len()).unwrap_or(bytes);
        let runs = self.runs.len();
        match self.runs.back_mut() {
            _ if taken.is_empty() => return 0,
            Some(run) if run.to == to => run.bytes += taken.len(),
            _ if runs >= MAX_RUNS => return 0,
            _ => self.runs.push_back(Run { to, bytes: taken.len() }),
        }
        self.output.extend(taken);
        taken.len()
    }

    /// Takes bytes that go to the same place.
    fn take(&mut self, chunk: &mut Vec<u8>) -> Option<To> {
        let run = self.runs.front_mut()?;
        let (to, count) = (run.to, run.bytes.min(CHUNK_BYTES));
        run.bytes -= count;
        if run.bytes == 0 {
            self.runs.pop_front();
        }
        chunk.clear();
        chunk.extend(self.output.drain(..count));
        Some(to)
    }
}

impl Output {
    /// Waits until everything written so far has left; false if it never will.
    pub fn drain(&self) -> bool {
        let mut state = self.0.lock();
        while state.writing || !state.output.is_empty() {
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
        self.take(bytes, To::Output)
    }

    fn write_message(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        self.take(bytes, To::Messages)
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

    fn is_input_coming(&self) -> bool {
        let state = self.shared.lock();
        state.input.is_empty() && !state.input_ended && (state.reading || (self.shared.has_input)(false))
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
            (self.has_input)(true);
            // From here on it is the reader that has what the input had.
            self.lock().reading = true;
            let read = match input.read(&mut chunk) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                // An input that cannot be read has ended.
                result => result.unwrap_or(0),
            };
            let mut state = self.lock();
            state.input.extend(chunk.iter().take(read));
            state.input_ended = read == 0;
            state.reading = false;
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
    fn write_all(&self, mut output: impl Write, mut messages: Option<impl Write>) {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        while let Some(to) = self.take_output(&mut chunk) {
            let written = match (to, &mut messages) {
                (To::Messages, Some(messages)) => messages.write_all(&chunk).and_then(|()| messages.flush()),
                (To::Output, _) | (To::Messages, None) => output.write_all(&chunk).and_then(|()| output.flush()),
            };
            let mut state = self.lock();
            state.writing = false;
            if written.is_err() {
                state.fail(to);
            }
            let ring = std::mem::take(&mut state.output_was_full) || written.is_err();
            drop(state);
            self.changed.notify_all();
            if ring {
                self.bell.ring();
            }
        }
    }

    /// Takes what is to be written next; `None` at the end. What goes where nothing can be written is dropped.
    fn take_output(&self, chunk: &mut Vec<u8>) -> Option<To> {
        let mut state = self.lock();
        loop {
            match state.take(chunk) {
                Some(to) if state.failed(to) => self.changed.notify_all(),
                Some(to) => {
                    state.writing = true;
                    return Some(to);
                }
                None if state.closed => return None,
                None => state = self.wait(state),
            }
        }
    }
}

fn stdout_size() -> Size {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size { columns: size.ws_col, rows: size.ws_row },
        _ => Size::default(),
    }
}

/// Where asking is not possible, input is read, as if it were there.
fn stdin_has_input(wait: bool) -> bool {
    let (stdin, at_once) = (io::stdin(), Timespec { tv_sec: 0, tv_nsec: 0 });
    let mut ends = [PollFd::new(&stdin, PollFlags::IN)];
    loop {
        match poll(&mut ends, if wait { None } else { Some(&at_once) }) {
            Err(Errno::INTR) => {}
            answer => return answer.is_err() || answer.is_ok_and(|ready| ready > 0),
        }
    }
}
