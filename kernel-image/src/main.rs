//! The bare-metal platform and the bootable image.
//!
//! Way through: `start.s` (PVH entry, long mode) -> `start` (memory, tables, interrupts, the main stack) ->
//! the runs of the bundle -> power off. See `README.md` for building and running.
//!
//! Built for the host (by a workspace-wide command) it is a small program that says how to build it right.
#![cfg_attr(metal, no_std)]
#![cfg_attr(metal, no_main)]

#[cfg(metal)]
extern crate alloc;

#[cfg(metal)]
mod control;
#[cfg(metal)]
mod cpu;
#[cfg(metal)]
mod devices;
#[cfg(metal)]
mod guarded;
#[cfg(metal)]
mod interrupts;
#[cfg(metal)]
mod lock;
#[cfg(metal)]
mod memory;
#[cfg(metal)]
mod platform;
#[cfg(metal)]
mod port;
#[cfg(metal)]
mod power;
#[cfg(metal)]
mod pvh;
#[cfg(metal)]
mod report;
#[cfg(metal)]
mod ring;
#[cfg(metal)]
mod run;
#[cfg(metal)]
mod serial;
#[cfg(metal)]
mod start;
#[cfg(metal)]
mod time;

#[cfg(not(metal))]
fn main() {
    eprintln!("This is the bare-metal image: build it with `cargo xtask image`, run it with `cascade boot`.");
}
