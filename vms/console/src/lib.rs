//! The console VM: `cascade.console@1` over a [`Terminal`].
//!
//! Output keeps its order, also where the terminal takes only part of it now. Input is cut into
//! lines here, the same way on every platform, and is taken from the terminal only as far as
//! somebody reads or listens: what nobody wants stays where it is. At the end of the input every
//! `read_line` fails with status 6 (peer gone).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod lines;
mod output;
mod terminal;

pub use lines::MAX_LINE_BYTES;
pub use output::MAX_UNWRITTEN_BYTES;
pub use terminal::{Input, Size, Terminal};

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use basevm::service::{Hello, Host, Outcome, Reply, ReplyRight, Request, Service};
use il::packet::Value;
use il::trap::Status;
use isa::console::{Op, SET, event, reply};

use lines::Lines;
use output::Output;

/// `read_line`s that may wait at a time; more are refused with status 10 (busy).
pub const MAX_WAITING: usize = 256;

/// Bytes taken from the terminal at a time.
const CHUNK_BYTES: usize = 512;

/// The console VM.
pub struct Console {
    terminal: Box<dyn Terminal>,
    output: Output,
    lines: Lines,
    waiting: VecDeque<ReplyRight>,
    ended: bool,
}

/// What taking a line gave.
enum Taken {
    Line(String),
    Nothing,
    End,
}

impl Console {
    /// A console on this terminal.
    pub fn new(terminal: Box<dyn Terminal>) -> Console {
        Console { terminal, output: Output::default(), lines: Lines::default(), waiting: VecDeque::new(), ended: false }
    }

    fn run(&mut self, host: &mut dyn Host, request: &Request<'_>) -> Outcome {
        match Op::decode(request.opcode, request.words) {
            Ok(Op::Write { text }) => self.output.write(&mut *self.terminal, host, text),
            Ok(Op::ReadLine) => self.read_line(host),
            Ok(Op::Size) => {
                let size = self.terminal.size();
                done(&reply::size(i32::from(size.columns), i32::from(size.rows)))
            }
            Err(status) => Outcome::Fail(status),
        }
    }

    fn read_line(&mut self, host: &mut dyn Host) -> Outcome {
        if !self.waiting.is_empty() {
            return self.wait(host);
        }
        match self.take() {
            Taken::Line(line) => {
                emit(host, &line);
                done(&reply::read_line(&line))
            }
            Taken::End => Outcome::Fail(Status::PeerGone),
            Taken::Nothing => self.wait(host),
        }
    }

    fn wait(&mut self, host: &mut dyn Host) -> Outcome {
        if self.waiting.len() >= MAX_WAITING {
            return Outcome::Fail(Status::Busy);
        }
        self.waiting.push_back(host.reply_right());
        Outcome::Later
    }

    /// The next line, from what was cut already or from the terminal.
    fn take(&mut self) -> Taken {
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            if let Some(line) = self.lines.next() {
                return Taken::Line(line);
            }
            if self.ended {
                return Taken::End;
            }
            match self.terminal.read(&mut chunk) {
                Input::Bytes(count) => self.lines.add(chunk.get(..count).unwrap_or(&chunk)),
                Input::Nothing => return Taken::Nothing,
                Input::End => {
                    self.ended = true;
                    self.lines.end();
                }
            }
        }
    }

    /// Hands lines to those who want them, while there are both.
    fn serve(&mut self, host: &mut dyn Host) {
        while !self.waiting.is_empty() || host.listeners(event::INPUT) > 0 {
            let line = match self.take() {
                Taken::Line(line) => line,
                Taken::Nothing => return,
                Taken::End => {
                    for right in self.waiting.drain(..) {
                        host.complete(right, Err(Status::PeerGone));
                    }
                    return;
                }
            };
            emit(host, &line);
            if let Some(right) = self.waiting.pop_front() {
                host.complete(right, Ok(Reply::new(&reply::read_line(&line), Vec::new())));
            }
        }
    }

    fn say_pending(&self, host: &mut dyn Host) {
        let reads = !self.waiting.is_empty() || host.listeners(event::INPUT) > 0;
        host.set_pending(!self.output.is_empty() || (reads && !self.ended));
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
        let outcome = self.run(host, &request);
        self.say_pending(host);
        outcome
    }

    fn wake(&mut self, host: &mut dyn Host) {
        self.output.go_on(&mut *self.terminal, host);
        self.serve(host);
        self.say_pending(host);
    }
}

fn emit(host: &mut dyn Host, line: &str) {
    host.emit(event::INPUT, &event::input(line));
}

fn done(values: &[Value<'_>]) -> Outcome {
    Outcome::Done(Reply::new(values, Vec::new()))
}
