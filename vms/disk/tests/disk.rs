//! The disk VM through its packets: on memory, and on a device whose completions the test decides.

use std::sync::{Arc, Mutex};

use il::packet::Builder;
use il::trap::Status;
use isa::Attachment;
use isa::disk::Op;
use vm_disk::{BlockDevice, Command, Completion, Disk, Lba, MAX_REQUESTS, MemoryDisk, RequestId, SECTOR_BYTES};
use vm_testing::{Bench, buf, words};

fn op(op: Op<'_>) -> impl FnOnce(&mut Builder, u32) -> Result<(), Status> {
    move |packet, tag| op.encode(packet, tag)
}

fn write(lba: i64) -> impl FnOnce(&mut Builder, u32) -> Result<(), Status> {
    op(Op::Write { lba, data: Attachment(0) })
}

/// A device that keeps what it is given until the test finishes it, and remembers the order.
#[derive(Default)]
struct State {
    held: Vec<(RequestId, Command)>,
    seen: Vec<String>,
    finished: Vec<Completion>,
    room: usize,
}

#[derive(Clone)]
struct Slow(Arc<Mutex<State>>);

impl BlockDevice for Slow {
    fn sectors(&self) -> u64 {
        1000
    }
    fn submit(&mut self, id: RequestId, command: Command) -> Result<(), Command> {
        let mut state = self.0.lock().unwrap();
        if state.held.len() >= state.room {
            return Err(command);
        }
        let seen = match &command {
            Command::Read(Lba(lba), data) => format!("read {lba}+{}", data.len() / SECTOR_BYTES),
            Command::Write(Lba(lba), data) => format!("write {lba}+{}", data.len() / SECTOR_BYTES),
            Command::Flush => "flush".to_string(),
            Command::Discard(..) => unreachable!("it cannot"),
        };
        state.seen.push(seen);
        state.held.push((id, command));
        Ok(())
    }
    fn poll(&mut self) -> Option<Completion> {
        self.0.lock().unwrap().finished.pop()
    }
}

impl Slow {
    fn bench(room: usize) -> (Slow, Bench<Disk>) {
        let device = Slow(Arc::new(Mutex::new(State { room, ..State::default() })));
        (device.clone(), Bench::new(Disk::new(Box::new(device))))
    }

    /// Finishes the request at `at` of those held.
    fn finish(&self, bench: &mut Bench<Disk>, at: usize, error: Option<Status>) {
        {
            let mut state = self.0.lock().unwrap();
            let (id, command) = state.held.remove(at);
            let data = match command {
                Command::Read(_, data) | Command::Write(_, data) => Some(data),
                Command::Flush | Command::Discard(..) => None,
            };
            state.finished.push(Completion { id, result: error.map_or(Ok(data), Err) });
        }
        bench.wake();
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().seen)
    }
}

#[test]
fn a_buffer_moves_there_and_back() {
    let mut bench = Bench::new(Disk::new(Box::new(MemoryDisk::default())));
    assert_eq!(words(bench.now(op(Op::Info), vec![])), [512, 2048]);
    let data = bench.host.filled(&[7; 1024]);
    bench.now(write(2046), vec![data]).unwrap();
    bench.now(op(Op::Flush), vec![]).unwrap();
    let read = buf(bench.now(op(Op::Read { lba: 2045, sectors: 3 }), vec![]));
    assert_eq!((&read[..512], &read[512..]), (&[0; 512][..], &[7; 1024][..]));
    bench.now(op(Op::Discard { lba: 2047, sectors: 1 }), vec![]).unwrap();
    let read = buf(bench.now(op(Op::Read { lba: 2047, sectors: 1 }), vec![]));
    assert!(read.iter().all(|byte| *byte == 0));
    drop(read);
    assert_eq!(buf(bench.now(op(Op::Read { lba: 2048, sectors: 0 }), vec![])).len(), 0);
    assert_eq!(bench.host.bytes_used(), 1536, "only the buffer that the test holds");
}

#[test]
fn what_does_not_lie_on_the_disk_is_refused_and_its_buffer_freed() {
    let mut bench = Bench::new(Disk::new(Box::new(MemoryDisk::default())));
    for (lba, sectors) in
        [(2048, 1), (2047, 2), (-1, 1), (0, -1), (i64::MAX, i32::MAX), (i64::MIN, i32::MIN), (1, 2048)]
    {
        assert_eq!(
            bench.now(op(Op::Read { lba, sectors }), vec![]).unwrap_err(),
            Status::OutOfRange,
            "{lba} {sectors}"
        );
        let sectors = i64::from(sectors);
        assert_eq!(bench.now(op(Op::Discard { lba, sectors }), vec![]).unwrap_err(), Status::OutOfRange);
    }
    for (lba, bytes, status) in
        [(2048, 512, Status::OutOfRange), (-1, 512, Status::OutOfRange), (0, 511, Status::BadOperand)]
    {
        let data = bench.host.filled(&vec![1; bytes]);
        assert_eq!(bench.now(write(lba), vec![data]).unwrap_err(), status);
    }
    assert_eq!(
        bench.now(op(Op::Discard { lba: i64::MAX, sectors: i64::MAX }), vec![]).unwrap_err(),
        Status::OutOfRange
    );
    assert_eq!(bench.host.bytes_used(), 0);
}

#[test]
fn several_requests_are_under_way_and_finish_in_any_order() {
    let (device, mut bench) = Slow::bench(8);
    let one = bench.later(op(Op::Read { lba: 1, sectors: 1 }), vec![]);
    let two = bench.later(op(Op::Read { lba: 2, sectors: 2 }), vec![]);
    let data = bench.host.filled(&[0; 512]);
    let three = bench.later(write(9), vec![data]);
    assert_eq!(device.seen(), ["read 1+1", "read 2+2", "write 9+1"]);
    assert!(bench.host.pending);
    device.finish(&mut bench, 1, None);
    assert_eq!(buf(bench.answer(two).unwrap()).len(), 1024);
    device.finish(&mut bench, 1, Some(Status::DeviceError));
    assert_eq!(bench.answer(three).unwrap().unwrap_err(), Status::DeviceError);
    assert!(bench.host.pending && bench.answer(one).is_none());
    device.finish(&mut bench, 0, None);
    assert!(bench.answer(one).is_some() && !bench.host.pending);
}

#[test]
fn conflicting_requests_keep_their_order_and_a_flush_waits_for_writes() {
    let (device, mut bench) = Slow::bench(8);
    let data = bench.host.filled(&[0; 1024]);
    let first = bench.later(write(10), vec![data]);
    let read = bench.later(op(Op::Read { lba: 11, sectors: 1 }), vec![]);
    let flush = bench.later(op(Op::Flush), vec![]);
    let data = bench.host.filled(&[0; 512]);
    bench.later(write(11), vec![data]);
    let data = bench.host.filled(&[0; 512]);
    bench.later(write(20), vec![data]);
    assert_eq!(device.seen(), ["write 10+2", "write 20+1"]);
    device.finish(&mut bench, 0, None);
    assert!(bench.answer(first).is_some());
    assert_eq!(device.seen(), ["read 11+1", "flush"], "the flush waits for what was before it only");
    device.finish(&mut bench, 1, None);
    assert!(bench.answer(read).is_some());
    assert_eq!(device.seen(), ["write 11+1"]);
    assert!(bench.answer(flush).is_none());
    device.finish(&mut bench, 1, None);
    assert!(bench.answer(flush).unwrap().is_ok());
}

#[test]
fn a_full_device_takes_the_rest_later_and_the_vm_has_a_limit() {
    let (device, mut bench) = Slow::bench(2);
    let tags: Vec<u32> =
        (0..MAX_REQUESTS).map(|at| bench.later(op(Op::Read { lba: at as i64, sectors: 1 }), vec![])).collect();
    assert_eq!(bench.now(op(Op::Flush), vec![]).unwrap_err(), Status::Busy);
    assert_eq!(device.seen().len(), 2);
    for tag in tags {
        device.finish(&mut bench, 0, None);
        assert!(bench.answer(tag).unwrap().is_ok());
    }
    assert_eq!(device.seen().len(), MAX_REQUESTS - 2);
    assert!(!bench.host.pending && bench.host.bytes_used() == 0);
}

#[test]
fn where_the_device_cannot_discard_zeros_are_written_in_parts() {
    let (device, mut bench) = Slow::bench(8);
    let tag = bench.later(op(Op::Discard { lba: 3, sectors: 300 }), vec![]);
    let read = bench.later(op(Op::Read { lba: 302, sectors: 1 }), vec![]);
    device.finish(&mut bench, 0, None);
    device.finish(&mut bench, 0, None);
    assert_eq!(device.seen(), ["write 3+128", "write 131+128", "write 259+44"]);
    assert!(bench.answer(tag).is_none());
    device.finish(&mut bench, 0, None);
    assert!(bench.answer(tag).unwrap().is_ok());
    assert_eq!(device.seen(), ["read 302+1"], "waits for all parts");
    device.finish(&mut bench, 0, None);
    assert!(bench.answer(read).is_some());
    let tag = bench.later(op(Op::Discard { lba: 0, sectors: 200 }), vec![]);
    device.finish(&mut bench, 0, Some(Status::DeviceError));
    assert_eq!(bench.answer(tag).unwrap().unwrap_err(), Status::DeviceError);
    assert!(!bench.host.pending);
}

/// A limit counts sectors of this size.
#[test]
fn the_declared_sector_is_the_devices() {
    let write = isa::disk::SET.instruction_named("write").unwrap();
    let extent = &write.touches[0].axes[0].extent;
    assert_eq!(*extent, il::isa::Extent::Bytes { of: "data".into(), bytes: SECTOR_BYTES as u32 });
}
