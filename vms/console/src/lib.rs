//! The console VM: `cascade.console@1` over a [`Terminal`].
//!
//! Output keeps its order, also where the terminal takes only part of it now. Input is cut into
//! lines here, the same way on every platform, or given as it is, and is taken from the terminal only as far as
//! somebody reads or listens: what nobody wants stays where it is. At the end of the input every
//! `read_line` fails with status 6 (peer gone).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod lines;
mod output;
mod polls;
mod terminal;

pub use lines::MAX_LINE_BYTES;
pub use output::MAX_UNWRITTEN_BYTES;
pub use terminal::{Input, Size, Terminal};

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use basevm::attachment::Attachment;
use basevm::buf::Buf;
use basevm::platform::Nanos;
use basevm::service::{Hello, Host, Outcome, Reply, ReplyRight, Request, Service};
use il::packet::Value;
use il::trap::Status;
use isa::console::{Op, SET, event, reply};

use lines::Lines;
use output::{Kind, Output};
use polls::Polls;

/// `read_line`s and `read`s that may wait at a time, and as many `ready`s; more are refused with status 10 (busy).
pub const MAX_WAITING: usize = 256;
/// Most bytes that one `read` gives.
pub const MAX_READ_BYTES: usize = 1 << 16;

/// Bytes taken from the terminal at a time.
const CHUNK_BYTES: usize = 512;

/// The console VM.
pub struct Console {
    terminal: Box<dyn Terminal>,
    output: Output,
    lines: Lines,
    waiting: VecDeque<(ReplyRight, Want)>,
    polls: Polls,
    ended: bool,
}

/// What somebody waits for.
enum Want {
    Line,
    /// Bytes as they come, into this buffer.
    Bytes(Buf),
}

/// What taking a line, or bytes, gave.
enum Taken<T> {
    Input(T),
    Nothing,
    End,
}

impl Console {
    /// A console on this terminal.
    pub fn new(terminal: Box<dyn Terminal>) -> Console {
        Console {
            terminal,
            output: Output::default(),
            lines: Lines::default(),
            waiting: VecDeque::new(),
            polls: Polls::default(),
            ended: false,
        }
    }

    fn run(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        match Op::decode(request.opcode, request.words) {
            Ok(Op::Write { text }) => self.output.write(&mut *self.terminal, host, text.as_bytes(), Kind::Output),
            Ok(Op::WriteBytes { bytes }) => self.write(host, bytes.take(request.attachments), Kind::Output),
            Ok(Op::WriteMessage { bytes }) => self.write(host, bytes.take(request.attachments), Kind::Message),
            Ok(Op::Read { most }) => self.read(host, most),
            Ok(Op::Ready { ns }) => self.ready(host, ns),
            Ok(Op::ReadLine) => self.read_line(host),
            Ok(Op::Size) => {
                let size = self.terminal.size();
                done(&reply::size(i32::from(size.columns), i32::from(size.rows)))
            }
            Err(status) => Outcome::Fail(status),
        }
    }

    fn write(&mut self, host: &mut dyn Host, bytes: Result<Attachment, Status>, kind: Kind) -> Outcome {
        match bytes.and_then(Attachment::buf) {
            Ok(bytes) => self.output.write(&mut *self.terminal, host, &bytes, kind),
            Err(status) => Outcome::Fail(status),
        }
    }

    fn read_line(&mut self, host: &mut dyn Host) -> Outcome {
        if !self.waiting.is_empty() {
            return self.wait(host, Want::Line);
        }
        match self.take() {
            Taken::Input(line) => {
                emit(host, &line);
                done(&reply::read_line(&line))
            }
            Taken::End => Outcome::Fail(Status::PeerGone),
            Taken::Nothing => self.wait(host, Want::Line),
        }
    }

    fn read(&mut self, host: &mut dyn Host, most: i32) -> Outcome {
        let Ok(most @ 1..) = usize::try_from(most) else { return Outcome::Fail(Status::OutOfRange) };
        let mut buf = match host.buf(most.min(MAX_READ_BYTES)) {
            Ok(buf) => buf,
            Err(status) => return Outcome::Fail(status),
        };
        let taken = if self.waiting.is_empty() { self.take_bytes(&mut buf) } else { Taken::Nothing };
        match taken {
            Taken::Input(count) => Outcome::Done(read_reply(count, buf)),
            Taken::End => Outcome::Done(read_reply(0, buf)),
            Taken::Nothing => self.wait(host, Want::Bytes(buf)),
        }
    }

    fn ready(&mut self, host: &mut dyn Host, ns: i64) -> Outcome {
        let until = Nanos::try_from(ns).ok().map(|ns| host.now().saturating_add(ns));
        match self.available() {
            Some(bytes) => done(&polls::ready(bytes)),
            None if until.is_some_and(|until| until <= host.now()) && !self.terminal.is_input_coming() => {
                done(&polls::NOT_READY)
            }
            None => self.polls.wait(host, until),
        }
    }

    /// Bytes that `read` would give at once, 0 at the end of the input; `None` if it would wait.
    fn available(&mut self) -> Option<usize> {
        loop {
            match self.lines.len() {
                0 => {}
                // Those who wait already are served first.
                _ if !self.waiting.is_empty() => return None,
                bytes => return Some(bytes),
            }
            match self.fetch() {
                Taken::Input(()) => {}
                Taken::Nothing => return None,
                Taken::End => return Some(0),
            }
        }
    }

    fn wait(&mut self, host: &mut dyn Host, want: Want) -> Outcome {
        if self.waiting.len() >= MAX_WAITING {
            return Outcome::Fail(Status::Busy);
        }
        self.waiting.push_back((host.reply_right(), want));
        Outcome::Later
    }

    /// The next line, from what was cut already or from the terminal.
    fn take(&mut self) -> Taken<String> {
        loop {
            if let Some(line) = self.lines.next() {
                return Taken::Input(line);
            }
            match self.fetch() {
                Taken::Input(()) => {}
                Taken::Nothing => return Taken::Nothing,
                Taken::End => return Taken::End,
            }
        }
    }

    /// Bytes, how many: what is there already, or what the terminal has.
    fn take_bytes(&mut self, into: &mut [u8]) -> Taken<usize> {
        loop {
            match self.lines.take_bytes(into) {
                0 => {}
                count => return Taken::Input(count),
            }
            match self.fetch() {
                Taken::Input(()) => {}
                Taken::Nothing => return Taken::Nothing,
                Taken::End => return Taken::End,
            }
        }
    }

    /// Takes more from the terminal. The end comes once more after its first time, for what is left of a line.
    fn fetch(&mut self) -> Taken<()> {
        if self.ended {
            return Taken::End;
        }
        let mut chunk = [0; CHUNK_BYTES];
        match self.terminal.read(&mut chunk) {
            Input::Bytes(count) => self.lines.add(chunk.get(..count).unwrap_or(&chunk)),
            Input::Nothing => return Taken::Nothing,
            Input::End => {
                self.ended = true;
                self.lines.end();
            }
        }
        Taken::Input(())
    }

    /// Hands input to those who want it, in order, while there are both; a line also to who listens.
    fn serve(&mut self, host: &mut dyn Host) {
        loop {
            match self.waiting.pop_front() {
                Some((right, Want::Bytes(mut buf))) => match self.take_bytes(&mut buf) {
                    Taken::Input(count) => host.complete(right, Ok(read_reply(count, buf))),
                    Taken::End => host.complete(right, Ok(read_reply(0, buf))),
                    Taken::Nothing => return self.waiting.push_front((right, Want::Bytes(buf))),
                },
                Some((right, Want::Line)) => match self.take() {
                    Taken::Input(line) => {
                        emit(host, &line);
                        host.complete(right, Ok(Reply::new(&reply::read_line(&line), Vec::new())));
                    }
                    Taken::End => host.complete(right, Err(Status::PeerGone)),
                    Taken::Nothing => return self.waiting.push_front((right, Want::Line)),
                },
                None if host.listeners(event::INPUT) > 0 => match self.take() {
                    Taken::Input(line) => emit(host, &line),
                    Taken::End | Taken::Nothing => return,
                },
                None => return,
            }
        }
    }

    fn answer_polls(&mut self, host: &mut dyn Host) {
        if self.polls.is_empty() {
            return;
        }
        match self.available() {
            Some(bytes) => self.polls.answer_all(host, bytes),
            None if self.terminal.is_input_coming() => {}
            None => self.polls.answer_due(host),
        }
    }

    fn say_pending(&self, host: &mut dyn Host) {
        let reads = !self.waiting.is_empty() || host.listeners(event::INPUT) > 0;
        let polls = self.polls.are_endless() || (!self.polls.is_empty() && self.terminal.is_input_coming());
        host.set_pending(!self.output.is_empty() || (reads && !self.ended) || polls);
    }
}

impl Service for Console {
    fn hello(&self) -> Hello {
        Hello { name: String::from("console"), provides: &SET }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Status> {
        self.terminal.start(host.waker())
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        let outcome = self.run(host, request);
        self.say_pending(host);
        outcome
    }

    fn wake(&mut self, host: &mut dyn Host) {
        self.output.go_on(&mut *self.terminal, host);
        self.serve(host);
        self.answer_polls(host);
        self.say_pending(host);
    }
}

fn emit(host: &mut dyn Host, line: &str) {
    host.emit(event::INPUT, &event::input(line));
}

fn read_reply(count: usize, buf: Buf) -> Reply {
    Reply::new(&reply::read(count as i32, isa::Attachment(0)), vec![buf.into()])
}

fn done(values: &[Value<'_>]) -> Outcome {
    Outcome::Done(Reply::new(values, Vec::new()))
}
