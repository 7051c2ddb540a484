//! Turns of VMs written in Rust: run on the device stack, and left from anywhere when they panic, overflow
//! that stack, or overrun their bound.
//!
//! Invariants: one turn at a time, never nested; a turn is never cut off while a kernel lock is held (locks
//! disable interrupts); what the turn owned is forgotten, not dropped. This file contains `unsafe`: stack
//! switching.

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use basevm::platform::{Nanos, Panicked};

use crate::control;
use crate::interrupts::Frame;
use crate::memory::heap;
use crate::memory::space::Stack;
use crate::{lock, time};

const STACK_BYTES: usize = 512 << 10;
/// How long a turn may take.
pub const TURN_NANOS: Nanos = 5_000_000_000;

// guarded_enter(run, argument, stack top, saved) -> 0, or 1 if the turn was left by guarded_escape(saved).
global_asm!(
    ".global guarded_enter, guarded_escape",
    "guarded_enter:",
    "push rbp",
    "mov rbp, rsp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "sub rsp, 16",
    "stmxcsr [rsp]",
    "fnstcw [rsp + 4]",
    "mov [rcx], rsp",
    "mov rbx, rcx",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsp, rdx",
    "call rax",
    "mov rsp, [rbx]",
    "xor eax, eax",
    "jmp 2f",
    "guarded_escape:",
    "mov rsp, [rdi]",
    "mov eax, 1",
    "2:",
    "ldmxcsr [rsp]",
    "fldcw [rsp + 4]",
    "add rsp, 16",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "cld",
    "ret",
);

unsafe extern "C" {
    fn guarded_enter(run: unsafe extern "C" fn(*mut c_void), argument: *mut c_void, stack: u64, saved: *mut u64)
    -> u64;
    fn guarded_escape(saved: *const u64) -> !;
}

/// A turn, behind a thin pointer.
struct Turn<'a>(&'a mut dyn FnMut());

/// Where the base's stack pointer is kept while a turn runs.
struct Saved(UnsafeCell<u64>);
// SAFETY: written by `guarded_enter` on the one core, read by the escape on the same core.
unsafe impl Sync for Saved {}

static SAVED: Saved = Saved(UnsafeCell::new(0));
static STACK: spin::Once<Stack> = spin::Once::new();
static RUNNING: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Makes the device stack.
pub fn init() {
    STACK.call_once(|| Stack::new(STACK_BYTES));
}

unsafe extern "C" fn run_turn(turn: *mut c_void) {
    // SAFETY: `run` passes a turn that lives until `guarded_enter` returns.
    unsafe { ((*turn.cast::<Turn<'_>>()).0)() }
}

/// Runs a turn on the device stack.
pub fn run(turn: &mut dyn FnMut()) -> Result<(), Panicked> {
    let stack = STACK.get().expect("the device stack is made at start");
    assert!(!RUNNING.load(Ordering::Relaxed), "a guarded turn inside another");
    STARTED.store(time::now(), Ordering::Relaxed);
    RUNNING.store(true, Ordering::Release);
    heap::begin_turn();
    let mut turn = Turn(turn);
    // SAFETY: the stack is unused (turns do not nest), 16-byte aligned at its top, and the turn outlives the call.
    let left = unsafe { guarded_enter(run_turn, (&raw mut turn).cast(), stack.top(), SAVED.0.get()) };
    RUNNING.store(false, Ordering::Release);
    if left == 0 {
        return Ok(());
    }
    // The base's own scope around this call makes its arena current again.
    Err(Panicked)
}

/// Whether a turn is running that may be abandoned now: not while it is in code of the base that it has
/// called, whose work would stay half done.
fn can_escape() -> bool {
    RUNNING.load(Ordering::Acquire) && !lock::any_held() && !heap::in_base()
}

/// Called by the panic handler: leaves the turn that panicked; returns if there is none.
pub fn on_panic() {
    if can_escape() {
        x86_64::instructions::interrupts::enable();
        // SAFETY: a turn is running, so `SAVED` holds the base's stack pointer.
        unsafe { guarded_escape(SAVED.0.get()) }
    }
}

/// Makes the interrupted code continue at the escape.
fn redirect(frame: &mut Frame) {
    frame.rip = guarded_escape as *const () as u64;
    frame.rdi = SAVED.0.get() as u64;
}

/// Called at each tick: ends a turn that is past its bound.
pub fn on_tick(frame: &mut Frame) {
    let on_stack = STACK.get().is_some_and(|stack| stack.contains(frame.rsp));
    let late = time::now().saturating_sub(STARTED.load(Ordering::Relaxed)) > TURN_NANOS;
    if on_stack && late && can_escape() {
        control::fault(format_args!("a turn of a VM written in Rust took over {} s", TURN_NANOS / 1_000_000_000));
        redirect(frame);
    }
}

/// Called at an exception: leaves a turn that has overflowed its stack. False if it is something else.
pub fn on_exception(frame: &mut Frame, address: u64) -> bool {
    let overflow = STACK.get().is_some_and(|stack| stack.is_guard(address));
    if !overflow || !can_escape() {
        return false;
    }
    control::fault(format_args!("a turn of a VM written in Rust overflowed its stack"));
    redirect(frame);
    true
}
