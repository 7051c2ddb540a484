//! Descriptor tables: segments, the task state with its interrupt stacks, the interrupt vectors. This file
//! contains `unsafe`: it loads them.

use alloc::boxed::Box;

use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::{lidt, load_tss};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;
use x86_64::{PrivilegeLevel, VirtAddr};

use crate::memory::space::Stack;

const VECTORS: usize = 256;
const STACK_BYTES: usize = 64 << 10;

/// How many stacks [`stack_of`] tells apart.
const INTERRUPT_STACKS: usize = 5;

const NMI: usize = 2;
const DOUBLE_FAULT: usize = 8;
const MACHINE_CHECK: usize = 18;
const FIRST_IRQ: usize = 32;

/// An interrupt gate (Intel SDM volume 3, 6.14.1).
#[repr(C)]
#[derive(Clone, Copy)]
struct Gate {
    offset_low: u16,
    selector: u16,
    stack: u8,
    kind: u8,
    offset_middle: u16,
    offset_high: u32,
    reserved: u32,
}

const INTERRUPT_GATE: u8 = 0x8e;

unsafe extern "C" {
    static interrupt_stubs: [u64; VECTORS];
}

/// The interrupt stack of a vector: what can strike inside a handler has its own.
fn stack_of(vector: usize) -> u8 {
    match vector {
        NMI => 3,
        DOUBLE_FAULT => 4,
        MACHINE_CHECK => 5,
        FIRST_IRQ.. => 1,
        _ => 2,
    }
}

fn gate(vector: usize, address: u64, selector: SegmentSelector) -> Gate {
    Gate {
        offset_low: address as u16,
        selector: selector.0,
        stack: stack_of(vector),
        kind: INTERRUPT_GATE,
        offset_middle: (address >> 16) as u16,
        offset_high: (address >> 32) as u32,
        reserved: 0,
    }
}

/// Builds and loads all tables; they live until the machine stops.
pub fn init() {
    let mut task = TaskStateSegment::new();
    for stack in 0..INTERRUPT_STACKS {
        task.interrupt_stack_table[stack] = VirtAddr::new(Stack::new(STACK_BYTES).top());
    }
    let task = Box::leak(Box::new(task));
    let mut segments = GlobalDescriptorTable::new();
    let code = segments.append(Descriptor::kernel_code_segment());
    let task = segments.append(Descriptor::tss_segment(task));
    Box::leak(Box::new(segments)).load();
    let null = SegmentSelector::new(0, PrivilegeLevel::Ring0);
    // SAFETY: the selectors index the table just loaded; a null data segment is right in 64-bit mode.
    unsafe {
        CS::set_reg(code);
        DS::set_reg(null);
        ES::set_reg(null);
        SS::set_reg(null);
        load_tss(task);
    }
    load_vectors(code);
}

fn load_vectors(code: SegmentSelector) {
    // SAFETY: the stubs' table is constant and has one address a vector.
    let stubs = unsafe { &interrupt_stubs };
    let gates: Box<[Gate]> = stubs.iter().enumerate().map(|(vector, &address)| gate(vector, address, code)).collect();
    let gates = Box::leak(gates);
    let pointer =
        DescriptorTablePointer { limit: (size_of_val(gates) - 1) as u16, base: VirtAddr::from_ptr(gates.as_ptr()) };
    // SAFETY: the table is complete, leaked, and its gates lead to the stubs.
    unsafe { lidt(&pointer) };
}
