//! The hosted backends under their device VMs: files, frames, streams and keys of the parent OS.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use il::packet::Builder;
use il::trap::Status;
use isa::{Attachment, console, disk, display, keyboard};
use tempfile::TempDir;
use vm_console::{Console, Size};
use vm_disk::Disk;
use vm_display::{Display, frame_hash};
use vm_hosted::{DiskError, FileDisk, Headless, RawFrames, ScriptKeys, StreamTerminal};
use vm_keyboard::{KeyEvent, Keyboard};
use vm_testing::{Answer, Bench, buf, text, words};

/// Sends an instruction and waits for its answer, whenever it comes.
fn ask<S: basevm::service::Service>(
    bench: &mut Bench<S>,
    op: impl FnOnce(&mut Builder, u32) -> Result<(), Status>,
    bufs: Vec<basevm::buf::Buf>,
) -> Answer {
    match bench.send(op, bufs) {
        Ok(answer) => answer,
        Err(tag) => bench.wait(tag),
    }
}

fn disk_file(folder: &TempDir, sectors: u64) -> PathBuf {
    let path = folder.path().join("disk.img");
    File::create(&path).unwrap().set_len(sectors * 512).unwrap();
    path
}

fn read(bench: &mut Bench<Disk>, lba: i64, sectors: i32) -> Answer {
    ask(bench, |packet, tag| disk::Op::Read { lba, sectors }.encode(packet, tag), vec![])
}

fn write(bench: &mut Bench<Disk>, lba: i64, bytes: &[u8]) -> Answer {
    let data = bench.host.filled(bytes);
    ask(bench, |packet, tag| disk::Op::Write { lba, data: Attachment(0) }.encode(packet, tag), vec![data])
}

#[test]
fn a_file_disk_keeps_what_was_written() {
    let folder = TempDir::new().unwrap();
    let path = disk_file(&folder, 100);
    let mut bench = Bench::new(Disk::new(Box::new(FileDisk::open(&path).unwrap())));
    write(&mut bench, 98, &[5; 1024]).unwrap();
    ask(&mut bench, |packet, tag| disk::Op::Flush.encode(packet, tag), vec![]).unwrap();
    assert_eq!(&std::fs::read(&path).unwrap()[98 * 512..], [5; 1024]);
    let discard = disk::Op::Discard { lba: 99, sectors: 1 };
    ask(&mut bench, |packet, tag| discard.encode(packet, tag), vec![]).unwrap();
    assert!(matches!(FileDisk::open(&path), Err(DiskError::InUse(_))), "two systems never share a disk");
    drop(bench);
    let mut bench = Bench::new(Disk::new(Box::new(FileDisk::open(&path).unwrap())));
    let back = buf(read(&mut bench, 97, 3));
    assert_eq!((back[0], back[512], back[1023], back[1024]), (0, 5, 5, 0));
}

#[test]
fn many_requests_are_under_way_and_keep_their_order_where_it_matters() {
    let folder = TempDir::new().unwrap();
    let path = disk_file(&folder, 8);
    let mut bench = Bench::new(Disk::new(Box::new(FileDisk::open(&path).unwrap())));
    let mut reads = vec![];
    for round in 0..100u8 {
        let data = bench.host.filled(&[round; 512]);
        let lba = i64::from(round % 8);
        let write = disk::Op::Write { lba, data: Attachment(0) };
        let _ = bench.send(|packet, tag| write.encode(packet, tag), vec![data]);
        let read = disk::Op::Read { lba, sectors: 1 };
        match bench.send(|packet, tag| read.encode(packet, tag), vec![]) {
            Err(tag) => reads.push((round, tag)),
            Ok(answer) => assert_eq!(buf(answer)[0], round),
        }
    }
    for (round, tag) in reads {
        assert_eq!(buf(bench.wait(tag)).to_vec(), [round; 512]);
    }
}

#[test]
fn a_file_that_was_cut_short_is_a_device_error_with_a_reason() {
    let folder = TempDir::new().unwrap();
    let path = disk_file(&folder, 100);
    let mut bench = Bench::new(Disk::new(Box::new(FileDisk::open(&path).unwrap())));
    OpenOptions::new().write(true).open(&path).unwrap().set_len(512).unwrap();
    assert!(read(&mut bench, 0, 1).is_ok());
    assert_eq!(read(&mut bench, 50, 1).unwrap_err(), Status::DeviceError);
    assert_eq!(write(&mut bench, 99, &[1; 512]).unwrap_err(), Status::DeviceError);
    assert!(bench.host.log.iter().any(|line| line.contains("disk.img") && line.contains("cut short")));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 512, "it did not grow again");
}

#[test]
fn files_that_are_no_disks_are_refused_with_a_remedy() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("none.img");
    let message = FileDisk::open(&path).unwrap_err().to_string();
    assert!(message.contains("truncate -s 1M"), "{message}");
    std::fs::write(&path, [0; 700]).unwrap();
    let message = FileDisk::open(&path).unwrap_err().to_string();
    assert!(message.contains("700 bytes") && message.contains("truncate -s 1024"), "{message}");
    assert!(matches!(FileDisk::open(folder.path()), Err(DiskError::Io(..))));
}

fn draw(bench: &mut Bench<Display>, color: i32) {
    bench.now(|packet, tag| display::Op::SetPixel { x: 1, y: 0, color }.encode(packet, tag), vec![]).unwrap();
    bench.now(|packet, tag| display::Op::Present.encode(packet, tag), vec![]).unwrap();
}

#[test]
fn headless_keeps_the_last_frame_for_a_hash_and_a_png() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("frame.png");
    let (screen, kept) = Headless::new(3, 2);
    assert!(!kept.write_png(&path).unwrap() && !path.exists() && kept.hash().is_none(), "no frame, no file");
    let mut bench = Bench::new(Display::new(Box::new(screen), 3, 2));
    draw(&mut bench, 0x111111);
    draw(&mut bench, 0x0a0b0c);
    drop(bench);
    assert_eq!(kept.number(), 2);
    assert_eq!(kept.hash(), Some(frame_hash(3, 2, &[0, 0x0a0b0c, 0, 0, 0, 0])));
    assert!(kept.write_png(&path).unwrap());
    let mut reader = png::Decoder::new(std::io::BufReader::new(File::open(&path).unwrap())).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.width, info.height, info.color_type), (3, 2, png::ColorType::Rgb));
    assert_eq!(bytes[..9], [0, 0, 0, 0x0a, 0x0b, 0x0c, 0, 0, 0]);
    assert!(kept.write_png(&folder.path().join("no/such/folder.png")).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half written is left behind");
}

#[test]
fn raw_frames_are_all_there() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("frames.raw");
    let screen = RawFrames::create(&path, 2, 1).unwrap();
    let mut bench = Bench::new(Display::new(Box::new(screen), 2, 1));
    for color in 1..=50 {
        draw(&mut bench, color);
    }
    drop(bench);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 50 * 8);
    assert!(bytes.chunks(8).zip(1..).all(|(frame, color)| frame == [0, 0, 0, 0, color, 0, 0, 0]));
}

/// A stream of the test's: what is sent arrives, and the end is the sender's.
struct Pipe(mpsc::Receiver<Vec<u8>>);

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.0.recv().unwrap_or_default();
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

struct Sink(mpsc::SyncSender<Vec<u8>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_terminal_reads_on_demand_and_writes_in_order() {
    let (type_, typed) = mpsc::sync_channel(0);
    let (out, seen) = mpsc::sync_channel(1000);
    let (terminal, output) = StreamTerminal::new(Pipe(typed), Sink(out), Size::default).unwrap();
    let mut bench = Bench::new(Console::new(Box::new(terminal)));
    let early = type_.try_send(b"early".to_vec());
    assert!(early.is_err(), "nobody reads yet");
    let tag = bench.later(|packet, tag| console::Op::ReadLine.encode(packet, tag), vec![]);
    type_.send(b"hel".to_vec()).unwrap();
    type_.send(b"lo\nrest".to_vec()).unwrap();
    assert_eq!(text(bench.wait(tag)), "hello");
    drop(type_);
    let rest = ask(&mut bench, |packet, tag| console::Op::ReadLine.encode(packet, tag), vec![]);
    assert_eq!(text(rest), "rest");
    let end = ask(&mut bench, |packet, tag| console::Op::ReadLine.encode(packet, tag), vec![]);
    assert_eq!(end.unwrap_err(), Status::PeerGone);
    for part in ["one ", "two ", "three"] {
        ask(&mut bench, |packet, tag| console::Op::Write { text: part }.encode(packet, tag), vec![]).unwrap();
    }
    assert!(output.drain());
    assert_eq!(seen.try_iter().flatten().collect::<Vec<u8>>(), b"one two three");
}

#[test]
fn messages_go_elsewhere_and_may_be_lost_alone() {
    let (out, seen) = mpsc::sync_channel(10_000);
    let (err, told) = mpsc::sync_channel(10_000);
    let (terminal, output) =
        StreamTerminal::with_messages(std::io::empty(), Sink(out), Sink(err), Size::default).unwrap();
    let mut bench = Bench::new(Console::new(Box::new(terminal)));
    let message = |bench: &mut Bench<Console>, text: &str| {
        let data = bench.host.filled(text.as_bytes());
        let op = console::Op::WriteMessage { bytes: Attachment(0) };
        ask(bench, |packet, tag| op.encode(packet, tag), vec![data])
    };
    for at in 0..3000 {
        let text = format!("{at} ");
        ask(&mut bench, |packet, tag| console::Op::Write { text: &text }.encode(packet, tag), vec![]).unwrap();
        message(&mut bench, &format!("{at}!")).unwrap();
    }
    assert!(output.drain());
    let all = |from: &mpsc::Receiver<Vec<u8>>| String::from_utf8(from.try_iter().flatten().collect()).unwrap();
    assert_eq!(all(&seen), (0..3000).map(|at| format!("{at} ")).collect::<String>());
    assert_eq!(all(&told), (0..3000).map(|at| format!("{at}!")).collect::<String>());
    drop(told);
    assert!(message(&mut bench, "lost").is_ok() && output.drain());
    assert_eq!(message(&mut bench, "refused").unwrap_err(), Status::DeviceError);
    ask(&mut bench, |packet, tag| console::Op::Write { text: "kept" }.encode(packet, tag), vec![]).unwrap();
    assert!(output.drain());
    assert_eq!(all(&seen), "kept");
}

#[test]
fn input_is_waited_for_and_an_end_is_seen_at_once() {
    let (type_, typed) = mpsc::sync_channel(0);
    let (terminal, _output) = StreamTerminal::new(Pipe(typed), std::io::sink(), Size::default).unwrap();
    let mut bench = Bench::new(Console::new(Box::new(terminal)));
    let ready = |packet: &mut Builder, tag| console::Op::Ready { ns: 0 }.encode(packet, tag);
    let tag = bench.later(ready, vec![]);
    type_.send(b"abc".to_vec()).unwrap();
    assert_eq!(words(bench.wait(tag)), [1, 3]);
    let (terminal, _output) = StreamTerminal::new(std::io::empty(), std::io::sink(), Size::default).unwrap();
    let mut bench = Bench::new(Console::new(Box::new(terminal)));
    let at_the_end = ask(&mut bench, ready, vec![]);
    assert_eq!(words(at_the_end), [1, 0]);
}

#[test]
fn a_slow_reader_holds_the_writer_back_and_a_gone_one_is_an_error() {
    let (out, seen) = mpsc::sync_channel(0);
    let (terminal, output) = StreamTerminal::new(std::io::empty(), Sink(out), Size::default).unwrap();
    let mut bench = Bench::new(Console::new(Box::new(terminal)));
    let part = "x".repeat(40_000);
    let tags: Vec<u32> = (0..10)
        .filter_map(|_| bench.send(|packet, tag| console::Op::Write { text: &part }.encode(packet, tag), vec![]).err())
        .collect();
    assert!(!tags.is_empty(), "more than the terminal takes at once");
    let reader = std::thread::spawn(move || {
        let mut total = 0;
        while total < 200_000 {
            total += seen.recv_timeout(Duration::from_secs(10)).unwrap().len();
        }
    });
    assert!(bench.wait(tags[0]).is_ok());
    let last = bench.wait(*tags.last().unwrap());
    reader.join().unwrap();
    // The reader left after half of it.
    assert!(!output.drain());
    let after = ask(&mut bench, |packet, tag| console::Op::Write { text: "y" }.encode(packet, tag), vec![]);
    assert_eq!(after.unwrap_err(), Status::DeviceError);
    assert!(last.is_ok() || last.unwrap_err() == Status::DeviceError);
}

#[test]
fn keys_are_pressed_from_any_thread() {
    let (keys, queue) = ScriptKeys::new();
    assert!(keys.push(KeyEvent { usage: 4, down: true }), "before the start");
    let mut bench = Bench::new(Keyboard::new(Box::new(queue)));
    let first = ask(&mut bench, |packet, tag| keyboard::Op::Read.encode(packet, tag), vec![]);
    assert_eq!(words(first), [4, 1, 97]);
    let tag = bench.later(|packet, tag| keyboard::Op::Read.encode(packet, tag), vec![]);
    let other = keys.clone();
    std::thread::spawn(move || other.push(KeyEvent { usage: 4, down: false })).join().unwrap();
    assert_eq!(words(bench.wait(tag)), [4, 0, 0]);
    assert!(!bench.host.pending);
    keys.set_live(true);
    bench.wake();
    assert!(bench.host.pending, "a person may press a key");
}
