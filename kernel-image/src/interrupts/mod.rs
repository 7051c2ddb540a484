//! Interrupts and exceptions: from the stubs to whoever they concern.
//!
//! Invariants: every vector has an interrupt stack; handlers never allocate, wait, or take a lock that other
//! than `lock::Lock`; what they learn is put into rings and flags, then the base is woken. This file
//! contains `unsafe`: the stubs' symbols and the fault address.

pub mod apic;
pub mod pic;
pub mod pit;
pub mod tables;

use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use basevm::engine::fault::{TrapEntry, on_fault};
use basevm::platform::{INTERRUPT, Nanos};

use crate::{devices, guarded, report, serial};

global_asm!(include_str!("stubs.s"));

const NMI: u64 = 2;
const PAGE_FAULT: u64 = 14;
const FIRST_IRQ: u64 = pic::FIRST_VECTOR as u64;
const LAST_IRQ: u64 = FIRST_IRQ + pic::LINES as u64 - 1;

/// Time between ticks.
pub const TICK_NANOS: Nanos = 10_000_000;
/// The shortest time that the timer is set to.
const SHORTEST_NANOS: Nanos = 20_000;

const TIMER: u8 = 0;
const KEYBOARD: u8 = 1;
const COM2: u8 = 3;
const COM1: u8 = 4;
const NO_LINE: u8 = 0xff;

/// The core's interrupt word: asks running IL code to yield.
pub static INTERRUPT_WORD: AtomicU32 = AtomicU32::new(0);
/// Whether something has happened since the base last looked.
static WOKEN: AtomicBool = AtomicBool::new(false);
/// The line of the disk, once there is one.
static DISK_LINE: AtomicU8 = AtomicU8::new(NO_LINE);

/// The interrupted registers, as the stubs save them.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    pub vector: u64,
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Starts interrupts: the tick, the serial ports, the keyboard.
pub fn init() {
    pic::init();
    apic::init();
    for line in [TIMER, KEYBOARD, COM1, COM2] {
        pic::set_masked(line, false);
    }
    pit::arm(TICK_NANOS);
    x86_64::instructions::interrupts::enable();
}

/// Says that something has happened: ends [`wait`], now or when next entered.
pub fn wake() {
    WOKEN.store(true, Ordering::Release);
}

/// Whether [`wake`] was called since the last time.
pub fn take_wake() -> bool {
    WOKEN.swap(false, Ordering::AcqRel)
}

/// Sleeps until an interrupt, at most `nanos`; returns at once if something has happened meanwhile.
pub fn wait(nanos: Nanos) {
    if nanos < TICK_NANOS {
        pit::arm(nanos.max(SHORTEST_NANOS));
    }
    wait_unless(|| WOKEN.load(Ordering::Acquire));
}

/// Sleeps until an interrupt, unless `ready`, which is asked with interrupts off: none is slept through.
pub fn wait_unless(ready: impl FnOnce() -> bool) {
    x86_64::instructions::interrupts::disable();
    if ready() {
        x86_64::instructions::interrupts::enable();
    } else {
        x86_64::instructions::interrupts::enable_and_hlt();
    }
}

/// Lets the disk interrupt on `line` from now on; false if there is no such line.
pub fn set_disk_line(line: u8) -> bool {
    let exists = line < pic::LINES;
    if exists {
        DISK_LINE.store(line, Ordering::Relaxed);
        pic::set_masked(line, false);
    }
    exists
}

/// The disk's interrupt has been acknowledged at the device: its (level-triggered) line may interrupt again.
pub fn reopen_disk_line() {
    let line = DISK_LINE.load(Ordering::Relaxed);
    if line != NO_LINE {
        x86_64::instructions::interrupts::without_interrupts(|| pic::set_masked(line, false));
    }
}

#[unsafe(no_mangle)]
extern "C" fn interrupt_dispatch(frame: &mut Frame) {
    match frame.vector {
        FIRST_IRQ..=LAST_IRQ => irq((frame.vector - FIRST_IRQ) as u8, frame),
        NMI => {}
        vector if vector < FIRST_IRQ => exception(frame),
        _ => {}
    }
}

fn irq(line: u8, frame: &mut Frame) {
    if pic::is_spurious(line) {
        return;
    }
    match line {
        TIMER => {
            pit::arm(TICK_NANOS);
            INTERRUPT_WORD.store(INTERRUPT, Ordering::Relaxed);
            devices::disk::on_tick();
            guarded::on_tick(frame);
        }
        KEYBOARD => devices::keyboard::on_interrupt(),
        COM1 => devices::terminal::on_interrupt(),
        COM2 => {
            serial::COM2.on_interrupt();
        }
        line if line == DISK_LINE.load(Ordering::Relaxed) => {
            // The device holds the line until the driver has looked: masked until then.
            pic::set_masked(line, true);
            devices::disk::on_interrupt();
        }
        _ => {}
    }
    pic::end(line);
}

/// The address that a page fault was about.
pub fn fault_address() -> u64 {
    x86_64::registers::control::Cr2::read_raw()
}

fn exception(frame: &mut Frame) {
    let address = if frame.vector == PAGE_FAULT { fault_address() } else { 0 };
    if guarded::on_exception(frame, address) || is_trap(frame, address) {
        return;
    }
    report::exception(frame, address);
}

/// A fault in IL code becomes a trap: the base loop goes on where the engine says.
fn is_trap(frame: &mut Frame, address: u64) -> bool {
    let address = (frame.vector == PAGE_FAULT).then_some(address);
    let Some(landing) = on_fault(TrapEntry { pc: frame.rip, sp: frame.rsp, fp: frame.rbp, address }) else {
        return false;
    };
    frame.rip = landing.pc;
    frame.rsp = landing.sp;
    frame.rdi = landing.arg;
    true
}
