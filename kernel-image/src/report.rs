//! The end of everything: faults and panics of the base itself, which are our bugs. A report on COM2, the
//! code [`CRASHED`], power off.

use core::panic::PanicInfo;

use crate::interrupts::Frame;
use crate::{control, guarded, power};

/// The exit code of a machine whose base has failed.
pub const CRASHED: u8 = 70;

/// An exception in code that must not have any.
pub fn exception(frame: &Frame, address: u64) -> ! {
    say(format_args!(
        "the base VM failed: exception {} (error {:#x}) at {:#x}, address {address:#x}",
        frame.vector, frame.error, frame.rip
    ));
    say(format_args!(
        "rax {:#018x} rbx {:#018x} rcx {:#018x} rdx {:#018x}",
        frame.rax, frame.rbx, frame.rcx, frame.rdx
    ));
    say(format_args!(
        "rsi {:#018x} rdi {:#018x} rbp {:#018x} rsp {:#018x}",
        frame.rsi, frame.rdi, frame.rbp, frame.rsp
    ));
    say(format_args!("r8  {:#018x} r9  {:#018x} r10 {:#018x} r11 {:#018x}", frame.r8, frame.r9, frame.r10, frame.r11));
    say(format_args!(
        "r12 {:#018x} r13 {:#018x} r14 {:#018x} r15 {:#018x}",
        frame.r12, frame.r13, frame.r14, frame.r15
    ));
    say(format_args!("rflags {:#x}", frame.rflags));
    end()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("{info}"));
    guarded::on_panic();
    say(format_args!("the base VM failed: this is a bug in Cascade"));
    end()
}

fn say(text: core::fmt::Arguments<'_>) {
    control::send_forced("fault ", text);
}

fn end() -> ! {
    x86_64::instructions::interrupts::disable();
    control::send_forced("", format_args!("end {CRASHED}"));
    power::off(CRASHED)
}
