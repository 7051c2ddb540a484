//! What an observer sees, and that it is the same in a ring, on a socket and in a recording.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use basevm::engine::Program;
use basevm::recorder::{RecordOptions, Recorder, Sink};
use basevm::service::VmId;
use basevm::system::{Grants, System, VmOptions};
use basevm::wire::{Attached, Decoder, Frame, MAGIC, Names, Packet, Turn, Way};
use common::{PROBE_IL, Probe, TestPlatform, driver, one, system};
use il::packet::Value;

/// A stream in memory.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Sink for Tape {
    fn put(&mut self, frame: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(frame);
    }
}

impl Tape {
    fn frames(&self) -> Vec<Frame> {
        let mut decoder = Decoder::bare();
        decoder.feed(&self.0.lock().unwrap());
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next_frame().expect("a recording decodes") {
            frames.push(frame);
        }
        decoder.finish().expect("a recording is whole");
        frames
    }
}

fn recorded(system: &mut System, options: RecordOptions) -> Tape {
    let tape = Tape::default();
    system.observe(Box::new(Recorder::new(tape.clone(), options)));
    tape
}

fn program(platform: &'static TestPlatform, source: &str) -> Arc<Program> {
    let module = il::text::compile("test.il", source, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let module = il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"));
    let code = compiler::compile(&module, &compiler::Options::detect()).unwrap_or_else(|error| panic!("{error}"));
    Program::load(platform, module, code).unwrap_or_else(|error| panic!("{error}"))
}

const APP: &str = "
use probe: test.probe@1
use echo: test.echo@1
isa test.echo@1 { 1 twice(n: i32) -> i32 }
export func main() {
  probe.note(3)
  probe.note(4)
  let total = probe.total()
  let more = echo.twice(total)
  probe.burst(2)
  flush(probe)
  wait()
  probe.note(more)
}
on probe.tick(n: i32) { probe.note(n) }
";

const ECHO: &str = "
isa test.echo@1 { 1 twice(n: i32) -> i32 }
provides test.echo@1 { op twice(n: i32) -> i32 { return n * 2 } }
";

fn two_programs(options: RecordOptions) -> Vec<Frame> {
    let platform = TestPlatform::new(true);
    let mut system = system(platform);
    let tape = recorded(&mut system, options);
    system.add_service(Box::new(Probe::new("probe").0), VmOptions::default()).unwrap();
    let app = format!("module app\n{PROBE_IL}\n{APP}");
    system.add_program(program(platform, &app), VmOptions::main("app", Grants::all())).unwrap();
    let echo = format!("module echo\n{ECHO}");
    system.add_program(program(platform, &echo), VmOptions::named("echo", Grants::all())).unwrap();
    let ended = system.run();
    system.stop_observing(ended.code);
    tape.frames()
}

#[test]
fn a_recording_says_who_sent_what_and_what_came_back() {
    let mut names = Names::default();
    let mut lines = Vec::new();
    for frame in two_programs(RecordOptions::default()) {
        names.learn(&frame);
        if let Frame::Packet(packet) = &frame {
            let channel = names.channel(packet.channel).expect("a channel is described before it is used").clone();
            for said in names.read(packet) {
                let arrow = if packet.way == Way::Forth { "->" } else { "<-" };
                let (from, to) = (names.address(channel.sender), names.address(channel.receiver));
                if to != "base" {
                    lines.push(format!("{from} {arrow} {to} {said}"));
                }
            }
        }
    }
    let expected = [
        "app -> probe note(3)",
        "app -> probe note(4)",
        "app -> probe total()",
        "app <- probe total = 7",
        "app -> echo twice(7)",
        "app <- echo twice = 14",
        "app -> probe burst(2)",
        "app <- probe tick(0)",
        "app <- probe tick(1)",
    ];
    assert_eq!(lines.get(..expected.len()).unwrap_or(&lines), expected, "{lines:#?}");
}

/// Turns nest, packets are taken after they are sent and done after they are taken, and processor time is theirs
/// who used it.
#[test]
fn turns_nest_and_packets_arrive_in_order() {
    let frames = two_programs(RecordOptions::default());
    let (mut running, mut turns, mut sent) = (Vec::new(), Vec::new(), 0);
    let (mut taken, mut done, mut last) = (0, 0, 0);
    let mut owners = BTreeMap::new();
    for frame in &frames {
        match frame {
            Frame::At(time) => {
                assert!(*time > last, "time goes on");
                last = *time;
            }
            Frame::Turn { vm, what, name } => {
                running.push(*vm);
                turns.push((*what, name.as_str()));
            }
            Frame::Rest { vm } => assert_eq!(running.pop(), Some(*vm)),
            Frame::Packet(Packet { way: Way::Forth, .. }) => sent += 1,
            Frame::Taken(packet) => {
                taken += 1;
                assert!((1..=sent).contains(packet));
                owners.insert(*packet, running.last().copied());
            }
            Frame::Done(packet) => {
                done += 1;
                assert!(owners.contains_key(packet), "{packet} was taken");
            }
            _ => {}
        }
    }
    assert!(running.is_empty() && sent > 6, "{sent}");
    assert_eq!((taken, done), (sent, sent), "all was executed");
    assert!(turns.contains(&(Turn::Main, "")) && turns.contains(&(Turn::Op, "twice")), "{turns:?}");
    assert!(turns.contains(&(Turn::Handler, "tick")) && turns.contains(&(Turn::Service, "")), "{turns:?}");
    let usage: Vec<_> =
        frames.iter().filter_map(|frame| if let Frame::Usage(usage) = frame { Some(usage) } else { None }).collect();
    assert!(usage.iter().all(|usage| usage.processor > 0 && usage.memory <= usage.memory_limit), "{usage:?}");
    assert!(matches!(frames.last(), Some(Frame::End { code: 0 })), "{:?}", frames.last());
}

#[test]
fn a_bounded_recording_ends_with_what_it_lost() {
    let whole = two_programs(RecordOptions::default());
    let frames = two_programs(RecordOptions { most_bytes: 8_000, ..RecordOptions::default() });
    let lost = frames.iter().rev().nth(1);
    let Some(Frame::Lost { frames: count, bytes }) = lost else { panic!("{lost:?}") };
    assert!(*count > 0 && *bytes > 0 && frames.len() < whole.len());
    let bytes: usize = frames.iter().map(|frame| frame.to_bytes().len()).sum();
    assert!(bytes < 12_000, "{bytes}");
    let quiet = two_programs(RecordOptions { packets: false, ..RecordOptions::default() });
    assert!(!quiet.iter().any(|frame| matches!(frame, Frame::Packet(_) | Frame::Turn { .. } | Frame::Taken(_))));
    assert!(quiet.iter().any(|frame| matches!(frame, Frame::Vm(vm) if vm.name == "echo")));
}

/// Reads frames from a socket, whatever pieces they come in.
struct Frames {
    stream: TcpStream,
    decoder: Decoder,
}

impl Frames {
    fn next(&mut self) -> Option<Frame> {
        let mut piece = [0; 100];
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("the peer speaks the format") {
                return Some(frame);
            }
            match self.stream.read(&mut piece).expect("read") {
                0 => return None,
                length => self.decoder.feed(&piece[..length]),
            }
        }
    }
}

/// The client's packets: text, a buffer that comes back reversed, something refused, and events.
fn client(address: std::net::SocketAddr) -> (Vec<Vec<u8>>, Vec<Frame>) {
    let stream = TcpStream::connect(address).unwrap();
    let mut frames = Frames { stream: stream.try_clone().unwrap(), decoder: Decoder::new() };
    let mut stream = stream;
    // The other end describes the channel, as a recording does.
    let channel = loop {
        match frames.next() {
            Some(Frame::Channel(channel)) if channel.name == "probe" => break channel.channel,
            Some(_) => {}
            None => panic!("no channel was described"),
        }
    };
    let packet = |words: Vec<u64>, attachments: Vec<Attached>| {
        Frame::Packet(Packet { channel, way: Way::Forth, words, attachments }).to_bytes()
    };
    let bytes: Vec<u8> = (0..=255).collect();
    let sent = vec![
        packet(one(1, 5, &[Value::Str("over a socket")]), vec![]),
        packet(one(2, 6, &[Value::Buf(0)]), vec![Attached::Buf { length: 256, bytes }]),
        packet(one(99, 7, &[]), vec![]),
        packet(one(7, 0, &[Value::I32(2)]), vec![]),
        packet(one(6, 8, &[]), vec![]),
    ];
    stream.write_all(&MAGIC).unwrap();
    sent.iter().for_each(|bytes| stream.write_all(bytes).unwrap());
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    while let Some(frame) = frames.next() {
        answers.push(frame);
    }
    (sent, answers)
}

fn serve(system: &mut System, vm: VmId, tape: &Tape, listener: &TcpListener) {
    let (stream, _) = listener.accept().unwrap();
    let mut out = stream.try_clone().unwrap();
    out.write_all(&MAGIC).unwrap();
    out.write_all(&tape.0.lock().unwrap()).unwrap();
    let mut frames = Frames { stream, decoder: Decoder::new() };
    while let Some(frame) = frames.next() {
        let Frame::Packet(packet) = frame else { panic!("{frame:?}") };
        system.send_frame(vm, 0, &packet).unwrap();
        system.settle();
        while let Some(frame) = system.receive_frame(vm) {
            out.write_all(&frame).unwrap();
        }
    }
    out.shutdown(std::net::Shutdown::Both).unwrap();
}

#[test]
fn a_socket_carries_byte_for_byte_what_a_recording_holds() {
    let mut system = system(TestPlatform::new(true));
    let tape = recorded(&mut system, RecordOptions::default());
    system.add_service(Box::new(Probe::new("probe").0), VmOptions::default()).unwrap();
    let vm = system.add_external(driver("peer")).unwrap();
    system.connect();
    let described = tape.frames().len();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || client(address));
    serve(&mut system, vm, &tape, &listener);
    let (sent, answers) = peer.join().unwrap();
    let channel = system.channel_number(vm, 0).unwrap();
    let recorded = &tape.frames()[described..];
    let ours = |way: Way| {
        let mine = move |frame: &&Frame| matches!(frame, Frame::Packet(p) if p.channel == channel && p.way == way);
        recorded.iter().filter(mine).map(Frame::to_bytes).collect::<Vec<_>>()
    };
    assert_eq!(ours(Way::Forth), sent);
    let answers: Vec<Vec<u8>> = answers[..]
        .iter()
        .filter(|frame| matches!(frame, Frame::Packet(p) if p.way == Way::Back && p.channel == channel))
        .map(Frame::to_bytes)
        .collect();
    assert_eq!(ours(Way::Back), answers);
    assert!(answers.len() >= 4, "{}", answers.len());
}

#[test]
fn what_does_not_cross_a_socket_is_refused() {
    use il::trap::Status;
    let mut system = system(TestPlatform::new(true));
    system.add_service(Box::new(Probe::new("probe").0), VmOptions::default()).unwrap();
    let vm = system.add_external(driver("peer")).unwrap();
    system.connect();
    let channel = system.channel_number(vm, 0).unwrap();
    let packet = |channel, way, attachment: Option<Attached>| Packet {
        channel,
        way,
        words: one(2, 6, &[Value::Buf(0)]),
        attachments: attachment.into_iter().collect(),
    };
    for (packet, status) in [
        (packet(channel + 1, Way::Forth, None), Status::NotPermitted),
        (packet(channel, Way::Back, None), Status::NotPermitted),
        (packet(channel, Way::Forth, Some(Attached::Cap { right: 1, generation: 1 })), Status::NotSupported),
        (packet(channel, Way::Forth, Some(Attached::Object { ty: "P".into(), words: vec![] })), Status::NotSupported),
        (packet(channel, Way::Forth, Some(Attached::Buf { length: 9, bytes: vec![1] })), Status::NotSupported),
    ] {
        assert_eq!(system.send_frame(vm, 0, &packet), Err(status), "{packet:?}");
    }
    let used = system.account(vm).unwrap().used();
    assert_eq!(used, 0, "nothing stays charged");
}
