//! The console VM through its packets, on a terminal that the test types at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use il::packet::Builder;
use il::trap::Status;
use isa::Attachment;
use isa::console::Op;
use vm_console::{Console, Input, MAX_UNWRITTEN_BYTES, MAX_WAITING, Size, Terminal};
use vm_testing::{Bench, text, words};

#[derive(Default)]
struct State {
    written: String,
    /// Of that, what were messages.
    messages: String,
    room: Option<usize>,
    broken: bool,
    typed: VecDeque<u8>,
    /// What is typed is there, but not to be had yet.
    coming: bool,
    ended: bool,
    reads: usize,
}

#[derive(Clone, Default)]
struct Desk(Arc<Mutex<State>>);

impl Terminal for Desk {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        let mut state = self.0.lock().unwrap();
        if state.broken {
            return Err(Status::DeviceError);
        }
        let taken = state.room.unwrap_or(usize::MAX).min(bytes.len());
        state.room = state.room.map(|room| room - taken);
        state.written += std::str::from_utf8(&bytes[..taken]).unwrap();
        Ok(taken)
    }
    fn write_message(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        let taken = self.write(bytes)?;
        self.0.lock().unwrap().messages += std::str::from_utf8(&bytes[..taken]).unwrap();
        Ok(taken)
    }
    fn is_input_coming(&self) -> bool {
        self.0.lock().unwrap().coming
    }
    fn read(&mut self, into: &mut [u8]) -> Input {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        if state.coming {
            return Input::Nothing;
        }
        let count = state.typed.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(state.typed.drain(..count)) {
            *place = byte;
        }
        match count {
            0 if state.ended => Input::End,
            0 => Input::Nothing,
            count => Input::Bytes(count),
        }
    }
    fn size(&self) -> Size {
        Size { columns: 100, rows: 30 }
    }
}

impl Desk {
    fn bench() -> (Desk, Bench<Console>) {
        let desk = Desk::default();
        (desk.clone(), Bench::new(Console::new(Box::new(desk))))
    }
    fn types(&self, bench: &mut Bench<Console>, text: &str) {
        self.0.lock().unwrap().typed.extend(text.bytes());
        bench.wake();
    }
}

fn op(op: Op<'_>) -> impl FnOnce(&mut Builder, u32) -> Result<(), Status> {
    move |packet, tag| op.encode(packet, tag)
}

#[test]
fn text_goes_out_untranslated_and_in_order() {
    let (desk, mut bench) = Desk::bench();
    bench.now(op(Op::Write { text: "grüß\r\n" }), vec![]).unwrap();
    bench.now(op(Op::Write { text: "" }), vec![]).unwrap();
    assert_eq!(words(bench.now(op(Op::Size), vec![])), [100, 30]);
    assert_eq!(desk.0.lock().unwrap().written, "grüß\r\n");
}

#[test]
fn a_slow_terminal_delays_answers_and_loses_nothing() {
    let (desk, mut bench) = Desk::bench();
    desk.0.lock().unwrap().room = Some(3);
    let first = bench.later(op(Op::Write { text: "hello " }), vec![]);
    let second = bench.later(op(Op::Write { text: "world" }), vec![]);
    assert!(bench.host.pending);
    desk.0.lock().unwrap().room = Some(5);
    bench.wake();
    assert!(bench.answer(first).unwrap().is_ok() && bench.answer(second).is_none());
    desk.0.lock().unwrap().room = None;
    bench.wake();
    assert!(bench.answer(second).unwrap().is_ok() && !bench.host.pending);
    assert_eq!(desk.0.lock().unwrap().written, "hello world");
}

#[test]
fn messages_keep_their_order_with_output_and_are_told_apart() {
    let (desk, mut bench) = Desk::bench();
    let message = |bench: &mut Bench<Console>, text: &str| {
        let data = bench.host.filled(text.as_bytes());
        bench.send(op(Op::WriteMessage { bytes: Attachment(0) }), vec![data])
    };
    desk.0.lock().unwrap().room = Some(5);
    bench.now(op(Op::Write { text: "one " }), vec![]).unwrap();
    let second = message(&mut bench, "two ").expect_err("there is room for one byte of it");
    let third = bench.later(op(Op::Write { text: "three" }), vec![]);
    desk.0.lock().unwrap().room = None;
    bench.wake();
    assert!(bench.answer(second).unwrap().is_ok() && bench.answer(third).unwrap().is_ok());
    message(&mut bench, "!").unwrap().unwrap();
    let state = desk.0.lock().unwrap();
    assert_eq!((state.written.as_str(), state.messages.as_str()), ("one two three!", "two !"));
}

/// Asks whether there is input: `Err(tag)` if the answer comes later.
fn ready(bench: &mut Bench<Console>, ns: i64) -> Result<Vec<u64>, u32> {
    bench.send(op(Op::Ready { ns }), vec![]).map(words)
}

#[test]
fn one_can_wait_for_input_without_taking_it() {
    let (desk, mut bench) = Desk::bench();
    assert_eq!(ready(&mut bench, 0), Ok(vec![0, 0]));
    let timed = ready(&mut bench, 50).unwrap_err();
    assert!(!bench.host.pending, "time goes on by itself");
    bench.pass(49);
    assert!(bench.answer(timed).is_none());
    bench.pass(50);
    assert_eq!(words(bench.answer(timed).unwrap()), [0, 0]);
    assert_eq!(bench.host.wake_at, None);

    let (early, late) = (ready(&mut bench, 10).unwrap_err(), ready(&mut bench, -1).unwrap_err());
    assert!(bench.host.pending, "only input ends that");
    bench.pass(60);
    assert_eq!(words(bench.answer(early).unwrap()), [0, 0]);
    assert!(bench.answer(late).is_none());
    desk.types(&mut bench, "abc\n");
    assert_eq!(words(bench.answer(late).unwrap()), [1, 4]);
    assert!(!bench.host.pending);
    assert_eq!(ready(&mut bench, 0), Ok(vec![1, 4]), "nothing was taken");
    assert_eq!(bytes(bench.now(op(Op::Read { most: 2 }), vec![])), "ab");
    assert_eq!(ready(&mut bench, 0), Ok(vec![1, 2]));
    assert_eq!(text(bench.now(op(Op::ReadLine), vec![])), "c");

    let last = ready(&mut bench, 1000).unwrap_err();
    desk.0.lock().unwrap().ended = true;
    bench.wake();
    assert_eq!(words(bench.answer(last).unwrap()), [1, 0], "the end of the input");
    assert_eq!((ready(&mut bench, 0), bench.host.wake_at), (Ok(vec![1, 0]), None));
}

#[test]
fn input_that_is_there_is_waited_for_whatever_the_time() {
    let (desk, mut bench) = Desk::bench();
    desk.0.lock().unwrap().coming = true;
    let tag = ready(&mut bench, 0).unwrap_err();
    assert!(bench.host.pending, "virtual time must not pass meanwhile");
    bench.pass(10);
    assert!(bench.answer(tag).is_none());
    desk.0.lock().unwrap().coming = false;
    desk.types(&mut bench, "x");
    assert_eq!(words(bench.answer(tag).unwrap()), [1, 1]);
    let tags: Vec<u32> = {
        assert_eq!(bytes(bench.now(op(Op::Read { most: 9 }), vec![])), "x");
        std::iter::from_fn(|| ready(&mut bench, 9).err()).take(MAX_WAITING).collect()
    };
    assert_eq!(tags.len(), MAX_WAITING);
    assert_eq!(bench.now(op(Op::Ready { ns: 9 }), vec![]).unwrap_err(), Status::Busy);
}

/// What `read` gave: so many of its bytes, as text.
fn bytes(answer: Result<basevm::service::Reply, Status>) -> String {
    let reply = answer.expect("succeeded");
    let data = reply.attachments.into_iter().next().unwrap().buf().unwrap();
    String::from_utf8(data[..reply.words[0] as usize].to_vec()).unwrap()
}

#[test]
fn bytes_go_in_and_out_as_they_are() {
    let (desk, mut bench) = Desk::bench();
    let data = bench.host.filled("a\r\n".as_bytes());
    bench.now(op(Op::WriteBytes { bytes: Attachment(0) }), vec![data]).unwrap();
    assert_eq!(desk.0.lock().unwrap().written, "a\r\n");
    let first = bench.later(op(Op::Read { most: 4 }), vec![]);
    let line = bench.later(op(Op::ReadLine), vec![]);
    let last = bench.later(op(Op::Read { most: 99 }), vec![]);
    desk.types(&mut bench, "ab\r\ncd\nef");
    assert_eq!(bytes(bench.answer(first).unwrap()), "ab\r\n");
    assert_eq!(text(bench.answer(line).unwrap()), "cd");
    assert_eq!(bytes(bench.answer(last).unwrap()), "ef");
    for most in [0, -1] {
        assert_eq!(bench.now(op(Op::Read { most }), vec![]).err(), Some(Status::OutOfRange));
    }
    let waiting = bench.later(op(Op::Read { most: 1 }), vec![]);
    desk.0.lock().unwrap().ended = true;
    bench.wake();
    assert_eq!(bytes(bench.answer(waiting).unwrap()), "");
    assert_eq!(bytes(bench.now(op(Op::Read { most: 1 }), vec![])), "", "from then on");
    assert_eq!(bench.host.bytes_used(), 0);
}

#[test]
fn what_waits_is_bounded_and_a_gone_terminal_is_an_error() {
    let (desk, mut bench) = Desk::bench();
    desk.0.lock().unwrap().room = Some(0);
    let text = "x".repeat(60_000);
    let mut tags = vec![];
    while let Err(tag) = bench.send(op(Op::Write { text: &text }), vec![]) {
        tags.push(tag);
    }
    assert_eq!(tags.len(), MAX_UNWRITTEN_BYTES / text.len());
    desk.0.lock().unwrap().broken = true;
    bench.wake();
    assert!(tags.into_iter().all(|tag| bench.answer(tag).unwrap().unwrap_err() == Status::DeviceError));
    assert_eq!(bench.now(op(Op::Write { text: "x" }), vec![]).unwrap_err(), Status::DeviceError);
}

#[test]
fn lines_are_read_in_order_and_only_on_demand() {
    let (desk, mut bench) = Desk::bench();
    desk.types(&mut bench, "early\nnext\n");
    assert_eq!(desk.0.lock().unwrap().reads, 0, "a terminal that nobody reads is left alone");
    assert!(!bench.host.pending);
    assert_eq!(text(bench.now(op(Op::ReadLine), vec![])), "early");
    assert_eq!(text(bench.now(op(Op::ReadLine), vec![])), "next");
    let first = bench.later(op(Op::ReadLine), vec![]);
    let second = bench.later(op(Op::ReadLine), vec![]);
    assert!(bench.host.pending, "a terminal that is read may give more at any time");
    desk.types(&mut bench, "o");
    desk.types(&mut bench, "ne\r\ntw");
    assert_eq!(text(bench.answer(first).unwrap()), "one");
    assert!(bench.answer(second).is_none());
    desk.types(&mut bench, "o\r");
    assert_eq!(text(bench.answer(second).unwrap()), "two");
    assert!(!bench.host.pending);
}

#[test]
fn the_end_of_the_input_is_status_6_for_good() {
    let (desk, mut bench) = Desk::bench();
    let waiting = bench.later(op(Op::ReadLine), vec![]);
    let other = bench.later(op(Op::ReadLine), vec![]);
    desk.0.lock().unwrap().ended = true;
    desk.types(&mut bench, "last");
    assert_eq!(text(bench.answer(waiting).unwrap()), "last", "a last line needs no newline");
    assert_eq!(bench.answer(other).unwrap().unwrap_err(), Status::PeerGone);
    assert_eq!(bench.now(op(Op::ReadLine), vec![]).unwrap_err(), Status::PeerGone);
    assert!(!bench.host.pending);
}

#[test]
fn listeners_hear_lines() {
    let (desk, mut bench) = Desk::bench();
    desk.types(&mut bench, "a\nb\n");
    bench.host.listeners = 1;
    bench.wake();
    assert!(bench.host.pending);
    desk.0.lock().unwrap().ended = true;
    desk.types(&mut bench, "c\n");
    let lines: Vec<u64> = bench.host.events.iter().map(|(_, words)| words[1]).collect();
    assert_eq!(lines, [97, 98, 99]);
    assert!(!bench.host.pending, "nothing more can come");
}
