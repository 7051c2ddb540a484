//! The keyboard VM: `cascade.keyboard@1` over a [`KeySource`].
//!
//! Keys are USB HID usages everywhere; characters are made here, from the US layout, so that they
//! are the same on every platform. One [table](KEYS) serves the layout, key scripts and drivers.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod layout;
pub mod script;
mod source;
mod table;

pub use layout::{Layout, Stroke};
pub use source::{KeyEvent, KeySource};
pub use table::{KEYS, Key};

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use basevm::service::{Hello, Host, Outcome, Reply, ReplyRight, Request, Service};
use il::trap::Status;
use isa::keyboard::{Op, SET, event, reply};

/// Key events that are kept while nobody reads or listens; later ones are lost.
pub const MAX_QUEUED: usize = 256;
/// `read`s that may wait at a time; more are refused with status 10 (busy).
pub const MAX_WAITING: usize = 256;

/// The keyboard VM.
pub struct Keyboard {
    source: Box<dyn KeySource>,
    layout: Layout,
    queued: VecDeque<Stroke>,
    waiting: VecDeque<ReplyRight>,
    overflowed: bool,
}

impl Keyboard {
    /// A keyboard with no key pressed.
    pub fn new(source: Box<dyn KeySource>) -> Keyboard {
        Keyboard {
            source,
            layout: Layout::default(),
            queued: VecDeque::new(),
            waiting: VecDeque::new(),
            overflowed: false,
        }
    }

    fn read(&mut self, host: &mut dyn Host) -> Outcome {
        if let Some(stroke) = self.queued.pop_front() {
            self.overflowed = false;
            return Outcome::Done(answer(stroke));
        }
        if self.waiting.len() >= MAX_WAITING {
            return Outcome::Fail(Status::Busy);
        }
        self.waiting.push_back(host.reply_right());
        Outcome::Later
    }

    /// Takes what has come in; listeners hear of all of it, and of what was kept for them.
    fn pump(&mut self, host: &mut dyn Host) {
        if host.listeners(event::KEY) > 0 {
            while let Some(stroke) = self.queued.pop_front() {
                emit(host, stroke);
            }
        }
        while let Some(event) = self.source.next() {
            let stroke = self.layout.stroke(event);
            self.deliver(host, stroke);
        }
        host.set_pending(self.source.is_live());
    }

    fn deliver(&mut self, host: &mut dyn Host, stroke: Stroke) {
        let heard = emit(host, stroke) > 0;
        if let Some(right) = self.waiting.pop_front() {
            host.complete(right, Ok(answer(stroke)));
        } else if !heard {
            self.keep(host, stroke);
        }
    }

    fn keep(&mut self, host: &mut dyn Host, stroke: Stroke) {
        if self.queued.len() < MAX_QUEUED {
            self.queued.push_back(stroke);
        } else if !core::mem::replace(&mut self.overflowed, true) {
            host.log("keyboard: nobody reads; further keys are lost");
        }
    }
}

impl Service for Keyboard {
    fn hello(&self) -> Hello {
        Hello { name: String::from("keyboard"), provides: &SET }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Status> {
        self.source.start(host.waker())?;
        self.pump(host);
        Ok(())
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        match Op::decode(request.opcode, request.words) {
            Ok(Op::Read) => self.read(host),
            Err(status) => Outcome::Fail(status),
        }
    }

    fn wake(&mut self, host: &mut dyn Host) {
        self.pump(host);
    }
}

fn emit(host: &mut dyn Host, stroke: Stroke) -> usize {
    host.emit(event::KEY, &event::key(i32::from(stroke.event.usage), stroke.event.down, stroke.char as i32))
}

fn answer(stroke: Stroke) -> Reply {
    let values = reply::read(i32::from(stroke.event.usage), stroke.event.down, stroke.char as i32);
    Reply::new(&values, Vec::new())
}
