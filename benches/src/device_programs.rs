//! Device programs: a full-screen shader beside the same loop in Rust, and six reads of a disk, each of which says where
//! the next one is, as a program beside six calls.

use std::hint::black_box;
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow, ensure};
use basevm::system::{EndReason, Grants, System, SystemOptions, VmOptions};
use bootstrapper::ModuleLoader;
use bootstrapper::plan::Engine;
use il::trap::Status;
use vm_disk::{Disk, MemoryDisk};
use vm_display::{Display, Frame, Screen};

use crate::harness::{platform, program};
use crate::table::Table;
use crate::timing::median_ns;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const FRAMES: u32 = 10;
const TURNS: i32 = 4;
const CHAINS: u64 = 20_000;

/// Adds the rows.
pub fn measure(table: &mut Table) -> Result<()> {
    table.section(
        "Device programs",
        "The shader is the one of `samples/shader.il` at 1280x720: some 100 integer operations a pixel, four turns of a loop \
         among them, then one `set_pixel`. In Rust it is the same function over a slice of pixels. The disk is one in memory.",
    );
    let ours = shader_ns();
    let ours = table.attempt("the shader", ours);
    table.compare("shader, a pixel (ns)", ("Rust -O", Some(rust_shader_ns())), ours, "1.3 times");
    let [called, programmed] = chains_ns()?;
    table.add("six dependent reads of a disk (ns)", Some(("six calls", called)), programmed, "less");
    Ok(())
}

/// Keeps the last frame.
struct Last(Arc<Mutex<Vec<u32>>>);

impl Screen for Last {
    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        if let Ok(mut last) = self.0.lock() {
            last.clear();
            last.extend_from_slice(frame.pixels);
        }
        Ok(())
    }
}

/// Runs a program to its end in a system with a display and a disk.
fn run(text: &str, frame: &Arc<Mutex<Vec<u32>>>) -> Result<()> {
    let mut system = System::new(platform(), SystemOptions::default());
    system.set_loader(Box::new(ModuleLoader::new(platform(), Engine::Jit)));
    let display = Display::new(Box::new(Last(frame.clone())), WIDTH, HEIGHT);
    let disk = Disk::new(Box::new(MemoryDisk::default()));
    system.add_service(Box::new(display), VmOptions::default()).map_err(|refused| anyhow!("{refused}"))?;
    system.add_service(Box::new(disk), VmOptions::default()).map_err(|refused| anyhow!("{refused}"))?;
    let main = VmOptions::main("main", Grants::all());
    system.add_program(program(text)?, main).map_err(|refused| anyhow!("{refused}"))?;
    let ended = system.run();
    ensure!(ended.reason == EndReason::Returned, "the system ended with {ended:?}");
    Ok(())
}

/// The sample's program under a `main` that draws whole frames and presents the last one.
fn shader_ns() -> Result<f64> {
    let sample = include_str!("../../samples/shader.il");
    let program = sample.split("export func main").next().unwrap_or_default().replace("use console", "// use console");
    let text = format!(
        "{program}\nexport func main() {{\n  let (_, h) = display.size()\n  for t in 0..{FRAMES} {{ display.run(plasma, t, \
         {TURNS}, 0, h) }}\n  display.present()\n}}"
    );
    let frame = Arc::new(Mutex::new(Vec::new()));
    let mut result = Ok(());
    let ns = median_ns(5, u64::from(FRAMES * WIDTH * HEIGHT), || result = run(&text, &frame));
    result?;
    let mut expected = vec![0; (WIDTH * HEIGHT) as usize];
    rust_shader(&mut expected, FRAMES as i32 - 1, TURNS);
    let frame = frame.lock().map_err(|_| anyhow!("a screen that panicked"))?;
    ensure!(*frame == expected, "it draws another picture than the loop in Rust");
    Ok(ns)
}

fn rust_shader_ns() -> f64 {
    let mut cells = vec![0; (WIDTH * HEIGHT) as usize];
    median_ns(5, u64::from(FRAMES * WIDTH * HEIGHT), || {
        for t in 0..FRAMES as i32 {
            rust_shader(black_box(&mut cells), t, black_box(TURNS));
        }
    })
}

fn wave(phase: i32) -> i32 {
    let half = phase & 511;
    let height = (half * (512 - half)) >> 8;
    height * (1 - (phase >> 8 & 2))
}

fn tone(height: i32) -> i32 {
    (128 + (height >> 1)).min(255)
}

/// The same loop.
#[inline(never)]
fn rust_shader(cells: &mut [u32], t: i32, turns: i32) {
    for y in 0..HEIGHT as i32 {
        for x in 0..WIDTH as i32 {
            let (mut u, mut v) = (x, y);
            for turn in 0..turns {
                u = u.wrapping_add(wave(v.wrapping_add(t * 5)) >> 1);
                v = v.wrapping_add(wave(u.wrapping_sub(t * 3).wrapping_add(turn * 97)) >> 1);
            }
            let (red, green) = (wave(u.wrapping_add(t)), wave(v.wrapping_add(300)));
            let color = tone(red) << 16 | tone(green) << 8 | tone(wave(u.wrapping_add(v).wrapping_sub(t)));
            cells[(y * WIDTH as i32 + x) as usize] = color as u32 & 0x00ff_ffff;
        }
    }
}

/// What a chain of six reads costs as calls, and as a program.
fn chains_ns() -> Result<[f64; 2]> {
    let text = |chain: &str| {
        format!(
            "use disk: cascade.disk@1
            const HOPS = 6
            program chain on cascade.disk@1 (start: i64) -> (last: i64) {{
              var lba = start
              for hop in 0..6 {{ lba = load64(read(lba, 1), 0) }}
              return lba
            }}
            func called(start: i64) -> i64 {{
              var lba = start
              for hop in 0..HOPS {{ lba = load64(disk.read(lba, 1), 0) }}
              return lba
            }}
            func programmed(start: i64) -> i64 {{
              let last = disk.run(chain, start)
              return last
            }}
            export func main() {{
              for sector in 0..7 {{
                let data = buf(512)
                store64(data, 0, i64(sector * 100 + 100))
                disk.write(i64(sector * 100), data)
              }}
              for turn in 0..{CHAINS} {{ assert {chain}(0) == 600 }}
            }}"
        )
    };
    let frame = Arc::new(Mutex::new(Vec::new()));
    let mut times = [0.0; 2];
    for (time, chain) in times.iter_mut().zip(["called", "programmed"]) {
        let mut result = Ok(());
        *time = median_ns(5, CHAINS, || result = run(&text(chain), &frame));
        result?;
    }
    Ok(times)
}
