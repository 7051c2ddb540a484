//! Drawing through the display VM, decoding of the instruction stream included, beside plain loops
//! in Rust.
//!
//! `cargo bench -p vm-display` prints a line a case: name, ours, peer (microseconds, medians) and
//! their ratio, separated by tabs.

use std::hint::black_box;
use std::time::Instant;

use basevm::service::{Outcome, Request, Service, VmId};
use il::packet::{Builder, instructions};
use il::trap::Status;
use isa::Attachment;
use isa::display::Op;
use vm_display::{Display, Frame, GLYPH_HEIGHT, GLYPH_WIDTH, Screen};
use vm_testing::Bench;

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
const ROUNDS: usize = 101;
const RECTANGLES: usize = 1000;
const SIDE: usize = 32;

fn main() {
    println!("case\tours_us\tpeer_us\tratio");
    let fill = Op::FillRect { x: 0, y: 0, w: WIDTH as i32, h: HEIGHT as i32, color: 7 };
    report("fill 1280x720 / Rust rows", stream(&[fill]), rows(fill_rows));
    let rectangles: Vec<Op<'_>> = (0..RECTANGLES).map(rectangle).collect();
    report("1000 rectangles 32x32 / Rust rows", stream(&rectangles), rows(fill_rectangles));
    report("blit 1280x720 / Rust rows", blit(), copy());
    let (columns, lines) = (WIDTH / GLYPH_WIDTH, HEIGHT / GLYPH_HEIGHT);
    let text = "Cascade text ".repeat(columns.div_ceil(13));
    let text = &text[..columns];
    let texts: Vec<Op<'_>> =
        (0..lines).map(|line| Op::Text { x: 0, y: (line * GLYPH_HEIGHT) as i32, text, color: -1 }).collect();
    let name = format!("{} glyphs {GLYPH_WIDTH}x{GLYPH_HEIGHT} / filling their pixels", columns * lines);
    report(&name, stream(&texts), rows(fill_rows));
}

fn report(name: &str, ours: f64, peer: f64) {
    println!("{name}\t{ours:.1}\t{peer:.1}\t{:.2}", ours / peer);
}

/// The median time of a round, in microseconds; `prepare` is not counted.
fn median<T>(mut prepare: impl FnMut() -> T, mut round: impl FnMut(T)) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let input = prepare();
            let start = Instant::now();
            round(input);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

struct Nobody;

impl Screen for Nobody {
    fn present(&mut self, _frame: &Frame<'_>) -> Result<(), Status> {
        Ok(())
    }
}

fn display() -> Bench<Display> {
    Bench::new(Display::new(Box::new(Nobody), WIDTH as u32, HEIGHT as u32))
}

/// The time of a run of instructions, from packet words to pixels.
fn stream(ops: &[Op<'_>]) -> f64 {
    let packets: Vec<Vec<u64>> = ops.chunks(32).map(packet).collect();
    let mut bench = display();
    median(
        || (),
        |()| {
            for (head, words) in packets.iter().flat_map(|words| instructions(black_box(words))).flatten() {
                let request = Request { opcode: head.opcode as u8, words, attachments: &mut [], caller: VmId(1) };
                assert!(matches!(bench.vm.execute(&mut bench.host, request), Outcome::Done(_)));
            }
        },
    )
}

fn packet(ops: &[Op<'_>]) -> Vec<u64> {
    let mut builder = Builder::default();
    for op in ops {
        op.encode(&mut builder, 0).expect("a packet holds 32 instructions");
    }
    builder.words
}

fn blit() -> f64 {
    let mut bench = display();
    let op = Op::Blit { x: 0, y: 0, w: WIDTH as i32, h: HEIGHT as i32, pixels: Attachment(0) };
    let words = packet(&[op]);
    let bytes = vec![9; WIDTH * HEIGHT * 4];
    let account_of = display();
    median(
        || [Some(account_of.host.filled(&bytes).into())],
        |mut attachments| {
            let request =
                Request { opcode: op.opcode(), words: &words[1..], attachments: &mut attachments, caller: VmId(1) };
            assert!(matches!(bench.vm.execute(&mut bench.host, request), Outcome::Done(_)));
        },
    )
}

fn copy() -> f64 {
    let source = vec![9u32; WIDTH * HEIGHT];
    let mut pixels = vec![0u32; WIDTH * HEIGHT];
    median(
        || (),
        |()| {
            for (row, source) in
                black_box(&mut pixels).chunks_exact_mut(WIDTH).zip(black_box(&source).chunks_exact(WIDTH))
            {
                row.copy_from_slice(source);
            }
        },
    )
}

fn rows(draw: fn(&mut [u32], u32)) -> f64 {
    let mut pixels = vec![0; WIDTH * HEIGHT];
    median(|| (), |()| draw(black_box(&mut pixels), black_box(0x1234)))
}

fn fill_rows(pixels: &mut [u32], color: u32) {
    for row in pixels.chunks_exact_mut(WIDTH) {
        row.fill(color);
    }
}

fn place(at: usize) -> (usize, usize) {
    (at * 37 % (WIDTH - SIDE), at * 53 % (HEIGHT - SIDE))
}

fn rectangle(at: usize) -> Op<'static> {
    let (x, y) = place(at);
    Op::FillRect { x: x as i32, y: y as i32, w: SIDE as i32, h: SIDE as i32, color: at as i32 }
}

fn fill_rectangles(pixels: &mut [u32], color: u32) {
    // Not known to the compiler, as it is not to the display VM.
    let side = black_box(SIDE);
    for at in 0..RECTANGLES {
        let (x, y) = place(at);
        for row in pixels[y * WIDTH..(y + side) * WIDTH].chunks_exact_mut(WIDTH) {
            row[x..x + side].fill(color + at as u32);
        }
    }
}
