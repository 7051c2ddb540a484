//! From the loader to the main stack. This file contains `unsafe`: the entry and the change of stacks.

use core::arch::{asm, global_asm};

use crate::memory::space::Stack;
use crate::{cpu, devices, guarded, interrupts, memory, power, pvh, run, serial, time};

global_asm!(include_str!("start.s"));
global_asm!(include_str!("bytes.s"));

/// The base loop's stack: the compiler runs on it and needs 1 MiB.
const MAIN_STACK_BYTES: usize = 2 << 20;

static BOOT: spin::Once<pvh::BootInfo> = spin::Once::new();

/// Called by `start.s` on its small stack, interrupts off, everything below 4 GiB mapped.
#[unsafe(no_mangle)]
extern "C" fn start_rust(info: u32) -> ! {
    serial::COM1.init(true);
    serial::COM2.init(true);
    cpu::init();
    let boot = BOOT.call_once(|| pvh::read_boot_info(info));
    memory::init(boot);
    interrupts::tables::init();
    guarded::init();
    let stack = Stack::new(MAIN_STACK_BYTES);
    // SAFETY: the stack is fresh and stays for ever (`main` never returns, so `stack` is never dropped).
    unsafe {
        asm!("mov rsp, {stack}", "xor ebp, ebp", "call {main}", "ud2", stack = in(reg) stack.top(), main = sym main, options(noreturn))
    }
}

extern "C" fn main() -> ! {
    devices::keyboard::init();
    interrupts::init();
    time::init();
    devices::disk::init();
    let code = run::all(BOOT.get().and_then(|boot| boot.module.clone()));
    power::off(code)
}
