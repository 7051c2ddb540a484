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

/// Numbers that repeat from run to run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: i32) -> i32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as i32
    }

    /// Mostly on a screen of 64 x 64 or near it.
    fn coordinate(&mut self) -> i32 {
        self.below(90) - 13
    }

    fn op<'a>(&mut self, texts: &[&'a str]) -> Op<'a> {
        let [x, y, w, h] = [0; 4].map(|_| self.coordinate());
        match self.below(6) {
            0 => Op::SetPixel { x, y, color: 0xffffff },
            1 => Op::FillRect { x, y, w, h, color: 0xffffff },
            2 => Op::Line { x0: x, y0: y, x1: w, y1: h, color: 0xffffff },
            3 => Op::Text { x, y, text: texts[self.below(texts.len() as i32) as usize], color: 0xffffff },
            4 => Op::Blit { x, y, w: self.below(8), h: self.below(8), pixels: Attachment(0) },
            _ => Op::Clear { color: 0xffffff },
        }
    }
}

/// Whatever a grant within a part of the screen lets pass draws nothing elsewhere.
#[test]
fn what_is_declared_to_be_touched_covers_what_is_drawn() {
    use il::ranges::{Limit, Ranges};
    let mut numbers = Numbers(7);
    let (mut passed, mut drew) = (0, 0);
    for _ in 0..20_000 {
        let [left, top] = [0; 2].map(|_| numbers.below(40));
        let (right, bottom) = (left + numbers.below(50), top + numbers.below(50));
        let limits = [Limit::parse("within", &format!("{left}..{right}x{top}..{bottom}")).unwrap()];
        let drawn = numbers.op(&["W", "Wg\nWW", "", "\u{1F600}g"]);
        let (instruction, mut ranges) = (isa::display::SET.instruction(drawn.opcode()).unwrap(), Ranges::default());
        ranges.limit(instruction, &isa::display::SET, &[&limits]);
        let mut packet = Builder::default();
        drawn.encode(&mut packet, 0).unwrap();
        if !ranges.cover(instruction, &packet.words[1..], |_| Some(0)) {
            continue;
        }
        passed += 1;
        let mut canvas = vm_display::Canvas::new(64, 64);
        match drawn {
            Op::SetPixel { x, y, color } => canvas.set_pixel(x, y, color),
            Op::FillRect { x, y, w, h, color } => canvas.fill_rect(vm_display::Rect { x, y, w, h }, color),
            Op::Line { x0, y0, x1, y1, color } => canvas.line((x0, y0), (x1, y1), color),
            Op::Text { x, y, text, color } => canvas.text(x, y, text, color),
            Op::Blit { x, y, w, h, .. } => {
                let pixels = vec![0xff; (w * h * 4) as usize];
                canvas.blit(vm_display::Rect { x, y, w, h }, &pixels).unwrap();
            }
            other => panic!("{other:?} passed within {:?}", limits),
        }
        let lit = canvas.pixels().iter().enumerate().filter(|(_, pixel)| **pixel != 0).map(|(at, _)| at as i32);
        for at in lit {
            let (x, y) = (at % 64, at / 64);
            assert!((left..right).contains(&x) && (top..bottom).contains(&y), "{drawn:?} draws at {x}, {y}");
            drew += 1;
        }
    }
    assert!(passed > 200 && drew > 1_000, "{passed} passed, {drew} pixels");
}
