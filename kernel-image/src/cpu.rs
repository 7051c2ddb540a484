//! The processor's own state: protection bits, vector units, memory types. This file contains `unsafe`: it
//! writes control and model-specific registers.
//!
//! AVX is switched on where it is present, so that the compiler may use it; interrupt stubs save only the
//! SSE state, which is enough, since the kernel's own code has no AVX instruction.

use core::arch::asm;

use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::Msr;
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

const PAGE_ATTRIBUTES: u32 = 0x277;
/// The power-on table, but entry 1 is write-combining (`memory::paging::Cache`).
const PAGE_ATTRIBUTE_TABLE: u64 = 0x0007_0406_0007_0106;

/// Sets the processor up. Called once, early.
pub fn init() {
    let cpuid = CpuId::new();
    let features = cpuid.get_feature_info();
    let extended = cpuid.get_extended_feature_info();
    // SAFETY: all of these only forbid more, or enable vector state that the stubs save; the page attribute
    // table changes an entry that no mapping uses yet.
    unsafe {
        Efer::update(|efer| efer.insert(EferFlags::NO_EXECUTE_ENABLE));
        Cr0::update(|cr0| {
            cr0.insert(Cr0Flags::WRITE_PROTECT | Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR);
            cr0.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
        });
        Cr4::update(|cr4| {
            cr4.insert(Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE);
            if extended.as_ref().is_some_and(|info| info.has_smep()) {
                cr4.insert(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION);
            }
        });
        asm!("fninit");
        if features.as_ref().is_some_and(|info| info.has_xsave() && info.has_avx()) {
            Cr4::update(|cr4| cr4.insert(Cr4Flags::OSXSAVE));
            XCr0::write(XCr0Flags::X87 | XCr0Flags::SSE | XCr0Flags::AVX);
        }
        if features.as_ref().is_some_and(|info| info.has_pat()) {
            Msr::new(PAGE_ATTRIBUTES).write(PAGE_ATTRIBUTE_TABLE);
        }
    }
}

/// The time-stamp counter.
pub fn time_stamp() -> u64 {
    // SAFETY: reading the counter has no effect; every x86-64 processor has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
