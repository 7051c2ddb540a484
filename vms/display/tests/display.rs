//! The display VM through its packets.

use std::sync::{Arc, Mutex};

use il::packet::Builder;
use il::trap::Status;
use isa::Attachment;
use isa::display::Op;
use vm_display::{Display, Frame, Screen, frame_hash};
use vm_testing::{Bench, words};

#[derive(Default)]
struct State {
    frames: Vec<(u64, Vec<u32>)>,
    broken: bool,
    resized: Option<(u32, u32)>,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<State>>);

impl Screen for Recorder {
    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        let mut state = self.0.lock().unwrap();
        assert_eq!(frame.pixels.len(), (frame.width * frame.height) as usize);
        state.frames.push((frame.number, frame.pixels.to_vec()));
        if state.broken { Err(Status::DeviceError) } else { Ok(()) }
    }
    fn resized(&mut self) -> Option<(u32, u32)> {
        self.0.lock().unwrap().resized.take()
    }
}

fn bench(width: u32, height: u32) -> (Recorder, Bench<Display>) {
    let screen = Recorder::default();
    (screen.clone(), Bench::new(Display::new(Box::new(screen), width, height)))
}

fn op(op: Op<'_>) -> impl FnOnce(&mut Builder, u32) -> Result<(), Status> {
    move |packet, tag| op.encode(packet, tag)
}

#[test]
fn a_picture_is_drawn_presented_and_read_back() {
    let (screen, mut bench) = bench(8, 4);
    assert_eq!(words(bench.now(op(Op::Size), vec![])), [8, 4]);
    bench.now(op(Op::Clear { color: 0x7f00_0011 }), vec![]).unwrap();
    bench.now(op(Op::FillRect { x: 6, y: -1, w: 9, h: 2, color: 0x22 }), vec![]).unwrap();
    bench.now(op(Op::SetPixel { x: 0, y: 3, color: 0x33 }), vec![]).unwrap();
    bench.now(op(Op::SetPixel { x: i32::MIN, y: i32::MAX, color: 0x44 }), vec![]).unwrap();
    assert_eq!(words(bench.now(op(Op::Present), vec![])), [1]);
    bench.now(op(Op::Clear { color: 0 }), vec![]).unwrap();
    assert_eq!(words(bench.now(op(Op::Present), vec![])), [2]);
    let mut expected = vec![0x11; 32];
    (expected[6], expected[7], expected[24]) = (0x22, 0x22, 0x33);
    let frames = &screen.0.lock().unwrap().frames;
    assert_eq!(frames[0], (1, expected));
    assert_eq!(frames[1], (2, vec![0; 32]));
}

#[test]
fn pixels_are_read_from_the_back_buffer_and_only_there() {
    let (_, mut bench) = bench(8, 4);
    bench.now(op(Op::SetPixel { x: 7, y: 3, color: -1 }), vec![]).unwrap();
    assert_eq!(words(bench.now(op(Op::GetPixel { x: 7, y: 3 }), vec![])), [0xff_ffff]);
    for (x, y) in [(8, 0), (0, 4), (-1, 0), (0, i32::MIN)] {
        assert_eq!(bench.now(op(Op::GetPixel { x, y }), vec![]).unwrap_err(), Status::OutOfRange);
    }
}

#[test]
fn a_blit_consumes_its_buffer_whether_it_fits_or_not() {
    let (_, mut bench) = bench(8, 4);
    let blit = |w, h| op(Op::Blit { x: 1, y: 1, w, h, pixels: Attachment(0) });
    let pixels = bench.host.filled(&[1, 2, 3, 4, 5, 6, 7, 8]);
    bench.now(blit(2, 1), vec![pixels]).unwrap();
    assert_eq!(words(bench.now(op(Op::GetPixel { x: 2, y: 1 }), vec![])), [0x070605]);
    let pixels = bench.host.filled(&[0; 8]);
    assert_eq!(bench.now(blit(3, 1), vec![pixels]).unwrap_err(), Status::BadOperand);
    assert_eq!(bench.host.bytes_used(), 0);
}

#[test]
fn a_broken_screen_is_an_error_and_no_frame() {
    let (screen, mut bench) = bench(8, 4);
    screen.0.lock().unwrap().broken = true;
    assert_eq!(bench.now(op(Op::Present), vec![]).unwrap_err(), Status::DeviceError);
    screen.0.lock().unwrap().broken = false;
    assert_eq!(words(bench.now(op(Op::Present), vec![])), [1]);
}

#[test]
fn a_new_size_is_announced() {
    let (screen, mut bench) = bench(8, 4);
    bench.host.listeners = 1;
    screen.0.lock().unwrap().resized = Some((4, 2));
    bench.wake();
    assert_eq!(bench.host.events, [(1, vec![4, 2])]);
    assert_eq!(words(bench.now(op(Op::Size), vec![])), [4, 2]);
}

/// Sizes, coordinates, colours and characters of every kind: the VM stays up and stays quick.
#[test]
fn no_operand_makes_it_panic() {
    let (_, mut bench) = bench(16, 16);
    let edges = [i32::MIN, i32::MIN + 1, -17, -1, 0, 1, 15, 16, i32::MAX - 1, i32::MAX];
    for x in edges {
        for y in edges {
            for w in edges {
                for h in edges {
                    bench.now(op(Op::FillRect { x, y, w, h, color: x }), vec![]).unwrap();
                    bench.now(op(Op::Line { x0: x, y0: y, x1: w, y1: h, color: y }), vec![]).unwrap();
                    let _ = bench.now(op(Op::GetPixel { x, y }), vec![]);
                    let pixels = bench.host.filled(&[0; 4]);
                    let _ = bench.now(op(Op::Blit { x, y, w, h, pixels: Attachment(0) }), vec![pixels]);
                }
            }
            bench.now(op(Op::Text { x, y, text: "a\u{0}\n\u{1F600}é\u{7f}", color: 7 }), vec![]).unwrap();
        }
    }
    assert_eq!(bench.host.bytes_used(), 0);
}

/// The hash is part of what tests and both platforms agree on.
#[test]
fn the_frame_hash_covers_size_and_colours_but_not_the_top_byte() {
    let hash = frame_hash(2, 1, &[0x010203, 0xff040506]);
    let mut bytes = vec![2, 0, 0, 0, 1, 0, 0, 0];
    bytes.extend([1, 2, 3, 4, 5, 6]);
    assert_eq!(hash, *blake3::hash(&bytes).as_bytes());
    assert_ne!(frame_hash(2, 3, &[0; 6]), frame_hash(3, 2, &[0; 6]));
    let large: Vec<u32> = (0..1000).collect();
    let bytes: Vec<u8> = large.iter().flat_map(|pixel| pixel.to_be_bytes()[1..].to_vec()).collect();
    let all = [[1000u32.to_le_bytes(), 1u32.to_le_bytes()].concat(), bytes].concat();
    assert_eq!(frame_hash(1000, 1, &large), *blake3::hash(&all).as_bytes());
}
