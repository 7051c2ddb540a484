//! What the system's tests share: a platform that keeps its log, and VMs written in Rust.
#![allow(dead_code)] // each test crate uses a part

pub mod lab;

#[path = "../../../bootstrapper/cascade/src/platform/mod.rs"]
#[allow(dead_code)]
mod platform;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use basevm::arena::{self, ArenaId};
use basevm::platform::{Access, Idle, IdleAnswer, Nanos, OutOfMemory, Panicked, Platform, Region};
use basevm::service::{Hello, Host, Outcome, Reply, ReplyRight, Request, Service};
use basevm::system::{ExternalOptions, Grants, System, SystemOptions, VmOptions, Wanted};
use il::Type;
use il::isa::{Event, Field, Instruction, InstructionSet};
use il::packet::{Builder, Reader, Value};
use il::trap::Status;
use platform::{HostedOptions, HostedPlatform};

/// The parent OS, with its log kept instead of printed.
pub struct TestPlatform {
    os: &'static HostedPlatform,
    lines: Mutex<Vec<String>>,
    /// The most bytes of address space that one reservation gets.
    pub reservable: AtomicUsize,
}

impl TestPlatform {
    pub fn new(virtual_clock: bool) -> &'static TestPlatform {
        let os = HostedPlatform::leaked(HostedOptions { virtual_clock, ..HostedOptions::default() });
        let reservable = AtomicUsize::new(usize::MAX);
        Box::leak(Box::new(TestPlatform { os, lines: Mutex::default(), reservable }))
    }

    /// The log so far, one string.
    pub fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl Platform for TestPlatform {
    fn now(&self) -> Nanos {
        self.os.now()
    }
    fn wall(&self) -> Nanos {
        self.os.wall()
    }
    fn reserve(&self, bytes: usize) -> Result<Region, OutOfMemory> {
        match bytes <= self.reservable.load(Ordering::Relaxed) {
            true => self.os.reserve(bytes),
            false => Err(OutOfMemory),
        }
    }
    fn protect(&self, region: &Region, range: Range<usize>, access: Access) -> Result<(), OutOfMemory> {
        self.os.protect(region, range, access)
    }
    fn release(&self, region: Region) {
        self.os.release(region);
    }
    fn idle(&self, idle: Idle) -> IdleAnswer {
        self.os.idle(idle)
    }
    fn waker(&self) -> fn() {
        self.os.waker()
    }
    fn interrupt_word(&self) -> &'static AtomicU32 {
        self.os.interrupt_word()
    }
    fn guarded(&self, turn: &mut dyn FnMut()) -> Result<(), Panicked> {
        self.os.guarded(turn)
    }
    fn log(&self, line: fmt::Arguments<'_>) {
        self.lines.lock().unwrap().push(line.to_string());
    }
}

pub fn system(platform: &'static TestPlatform) -> System {
    System::new(platform, SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: true })
}

pub fn field(name: &'static str, ty: Type) -> Field {
    Field { name: name.into(), ty }
}

fn instruction(opcode: u8, name: &'static str, params: &[Type], results: Option<&[Type]>) -> Instruction {
    let fields = |types: &[Type]| types.iter().map(|ty| field("", *ty)).collect::<Vec<_>>();
    Instruction {
        opcode,
        name: name.into(),
        params: Cow::Owned(fields(params)),
        results: results.map(|types| Cow::Owned(fields(types))),
        touches: Cow::Borrowed(&[]),
        doc: "".into(),
    }
}

/// The set that [`Probe`] executes; the same in IL text is [`PROBE_IL`].
pub fn probe_set() -> InstructionSet {
    let event = |number, name: &'static str, coalesced| Event {
        number,
        name: name.into(),
        params: vec![field("", Type::I32)].into(),
        coalesced,
        doc: "".into(),
    };
    InstructionSet {
        name: "test.probe".into(),
        version: 1,
        instructions: vec![
            instruction(1, "say", &[Type::Str], Some(&[Type::Str])),
            instruction(2, "reverse", &[Type::Buf], Some(&[Type::Buf])),
            instruction(3, "note", &[Type::I32], None),
            instruction(4, "never", &[Type::Buf], Some(&[])),
            instruction(5, "panic", &[], Some(&[])),
            instruction(6, "total", &[], Some(&[Type::I32])),
            instruction(7, "burst", &[Type::I32], None),
            instruction(8, "release", &[], None),
            instruction(9, "after", &[Type::I64], Some(&[])),
        ]
        .into(),
        events: vec![event(1, "tick", false), event(2, "latest", true)].into(),
        doc: "".into(),
    }
}

/// [`probe_set`] in IL text.
pub const PROBE_IL: &str = "
isa test.probe@1 {
  1 say(text: str) -> str
  2 reverse(data: buf) -> buf
  3 note(value: i32)
  4 never(data: buf) -> ()
  5 panic() -> ()
  6 total() -> i32
  7 burst(count: i32)
  8 release()
  9 after(ns: i64) -> ()
  event 1 tick(value: i32)
  coalesced event 2 latest(value: i32)
}
";

/// What a [`Probe`] saw.
#[derive(Default)]
pub struct Seen {
    pub notes: Vec<i32>,
    pub said: Vec<String>,
}

/// A VM written in Rust that does one thing of each kind.
pub struct Probe {
    name: &'static str,
    pub seen: Arc<Mutex<Seen>>,
    held: Vec<(ReplyRight, basevm::buf::Buf)>,
    asleep: Vec<(Nanos, ReplyRight)>,
}

impl Probe {
    pub fn new(name: &'static str) -> (Probe, Arc<Mutex<Seen>>) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        (Probe::with(name, seen.clone()), seen)
    }

    pub fn with(name: &'static str, seen: Arc<Mutex<Seen>>) -> Probe {
        Probe { name, seen, held: Vec::new(), asleep: Vec::new() }
    }

    /// What is seen outlives the probe, so it does not lie in its arena.
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        arena::scope(ArenaId::BASE, || note(&mut self.seen.lock().unwrap()));
    }
}

impl Service for Probe {
    fn hello(&self) -> Hello {
        Hello { name: self.name.into(), provides: Box::leak(Box::new(probe_set())) }
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        let mut reader = Reader::new(request.words);
        let mut i32_operand = || match reader.next(Type::I32) {
            Ok(Value::I32(value)) => value,
            other => panic!("the choke point let {other:?} pass"),
        };
        match request.opcode {
            1 => {
                let Ok(Value::Str(text)) = Reader::new(request.words).next(Type::Str) else { unreachable!() };
                self.note(|seen| seen.said.push(text.to_string()));
                Outcome::Done(Reply::new(&[Value::Str(&format!("probe: {text}"))], vec![]))
            }
            2 => match request.attachments[request.words[0] as usize].take() {
                None => Outcome::Fail(Status::BadOperand),
                Some(attachment) => {
                    let mut buf = attachment.buf().unwrap();
                    buf.reverse();
                    Outcome::Done(Reply::new(&[Value::Buf(0)], vec![buf.into()]))
                }
            },
            3 => {
                let value = i32_operand();
                self.note(|seen| seen.notes.push(value));
                if value < 0 { Outcome::Fail(Status::OutOfRange) } else { Outcome::Done(Reply::none()) }
            }
            4 => match request.attachments[request.words[0] as usize].take() {
                None => Outcome::Fail(Status::BadOperand),
                Some(attachment) => {
                    self.held.push((host.reply_right(), attachment.buf().unwrap()));
                    Outcome::Later
                }
            },
            5 => panic!("as asked"),
            6 => {
                let total = self.seen.lock().unwrap().notes.iter().sum();
                Outcome::Done(Reply::new(&[Value::I32(total)], vec![]))
            }
            7 => {
                for value in 0..i32_operand() {
                    host.emit(1, &[Value::I32(value)]);
                    host.emit(2, &[Value::I32(value)]);
                }
                Outcome::Done(Reply::none())
            }
            8 => {
                for (right, _) in self.held.drain(..) {
                    host.complete(right, Ok(Reply::none()));
                }
                Outcome::Done(Reply::none())
            }
            9 => {
                let due = host.now() + request.words[0];
                self.asleep.push((due, host.reply_right()));
                host.wake_at(self.asleep.iter().map(|(due, _)| *due).min());
                Outcome::Later
            }
            _ => Outcome::Fail(Status::NotSupported),
        }
    }

    fn wake(&mut self, host: &mut dyn Host) {
        let now = host.now();
        for (_, right) in self.asleep.extract_if(.., |(due, _)| *due <= now) {
            host.complete(right, Ok(Reply::none()));
        }
        host.wake_at(self.asleep.iter().map(|(due, _)| *due).min());
    }
}

/// An external VM that wants all of `probe`.
pub fn driver(name: &str) -> ExternalOptions {
    ExternalOptions {
        vm: VmOptions::named(name, Grants::all()),
        wants: vec![Wanted { name: "probe".into(), set: probe_set() }],
        silent: false,
    }
}

/// A packet of one instruction.
pub fn one(opcode: u16, tag: u32, values: &[Value<'_>]) -> Vec<u64> {
    let mut builder = Builder::default();
    builder.begin(opcode, tag);
    for value in values {
        builder.push(*value);
    }
    builder.end().unwrap();
    builder.words
}
