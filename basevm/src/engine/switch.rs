//! The context switch between the system stack and a VM's stack. `unsafe`: assembly.
//!
//! ```text
//! system stack                            VM stack
//! enter(ctx, entry, sp)  ── saves ──▶     entry(ctx)
//!        ◀── code ──────────────────      exit(ctx, code)   saves
//! resume(ctx, value)     ── saves ──▶     exit returns value
//!        ◀── FAULTED ───────────────      a fault: the handler goes on at `landing`, the VM stack is left
//! ```
//!
//! Saved are the System V callee-saved registers rbp rbx r12-r15; mxcsr keeps its default, for
//! neither side changes it. Used on the parent OS and on metal alike: it makes no OS call.

use core::arch::naked_asm;

use compiler::abi::{VmCtx, offset};

/// What `enter` and `resume` return when the VM was stopped by a fault: no exit has this code.
pub(super) const FAULTED: u64 = u64::MAX;

/// The first instructions of [`exit`], which push: all that can touch the VM stack's guard page.
pub(super) const EXIT_PUSH_BYTES: u64 = 10;

/// Starts an activation. Returns the code of its first exit, or [`FAULTED`].
///
/// # Safety
/// `ctx` is a VM's, all of whose fields are set; `entry` is an entry of its program; `vm_sp` is
/// 16-byte aligned within its stack, with nothing of use below.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn enter(ctx: *mut VmCtx, entry: u64, vm_sp: u64) -> u64 {
    // rbp = 0 ends the chain of frames.
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {system_sp}], rsp",
        "mov rsp, rdx",
        "xor ebp, ebp",
        "call rsi",
        "ud2",
        system_sp = const offset::SYSTEM_SP,
    )
}

/// Goes on after an exit, which returns `value`. Returns the code of the next one, or [`FAULTED`].
///
/// # Safety
/// `ctx` is a VM's, stopped in [`exit`].
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn resume(ctx: *mut VmCtx, value: u64) -> u64 {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {system_sp}], rsp",
        "mov rsp, [rdi + {vm_sp}]",
        "mov rax, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        system_sp = const offset::SYSTEM_SP,
        vm_sp = const offset::VM_SP,
    )
}

/// What JIT code calls to leave: `VmCtx::exit`. Begins with [`EXIT_PUSH_BYTES`] of pushes.
///
/// # Safety
/// Called by JIT code only, on its VM's stack.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn exit(ctx: *mut VmCtx, code: u64) -> u64 {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {vm_sp}], rsp",
        "mov rsp, [rdi + {system_sp}]",
        "mov rax, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        system_sp = const offset::SYSTEM_SP,
        vm_sp = const offset::VM_SP,
    )
}

/// Where a fault handler goes on, with rsp = `VmCtx::system_sp` and rdi = the code to return.
///
/// # Safety
/// Only for a fault handler, while a VM runs.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn landing(code: u64) -> u64 {
    naked_asm!("cld", "mov rax, rdi", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp", "ret",)
}

/// Words between a stopped VM's stack pointer and the saved rbp; the return address follows it.
pub(super) const SAVED_RBP_WORD: u64 = 5;
