//! A device program in Rust, without the standard library: it colours a floor, and answers keys.
//!
//!     ilc bindings --lang rust console display keyboard -o cascade.rs
//!     rustc --edition 2024 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=2 -C panic=abort tiles.rs
//!     cascade run tiles.wasm
#![no_std]

#[allow(dead_code)]
mod cascade;

use cascade::{Buf, Status, console, display, keyboard};

const TILE: i32 = 32;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The colour of a tile: a hash of where it is.
fn color(x: i32, y: i32, turn: i32) -> i32 {
    let hash = (x as u32).wrapping_mul(0x9e37_79b9) ^ (y as u32).wrapping_mul(0x85eb_ca6b) ^ turn as u32;
    (hash.wrapping_mul(0xc2b2_ae35) >> 8) as i32
}

fn floor(turn: i32) -> Result<i64, Status> {
    let (w, h) = display::try_size()?;
    for y in 0..h / TILE {
        for x in 0..w / TILE {
            display::fill_rect(x * TILE, y * TILE, TILE - 1, TILE - 1, color(x, y, turn));
        }
    }
    // A stripe, made outside of linear memory, which moves to the display.
    let mut stripe = Buf::new(w as usize * 4);
    let pixel = 0x00ff_ffffi32.to_le_bytes();
    for x in 0..w as usize {
        stripe.write(x * 4, &pixel);
    }
    display::blit_buf(0, h / 2, w, 1, stripe);
    display::try_present()
}

#[unsafe(export_name = "cascade.keyboard@1.key")]
extern "C" fn key(code: i32, down: i32, _: i32) {
    if down != 0 && floor(code).is_ok() {
        console::write("turned\n");
    }
}
const _: keyboard::OnKey = key;

#[unsafe(export_name = "main")]
extern "C" fn start() {
    match floor(0) {
        Ok(_) => console::write("laid\n"),
        Err(_) => console::write("no display\n"),
    }
}
