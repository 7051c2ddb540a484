//! Which memory an access of generated code touches. Regions are disjoint, so a store to one leaves
//! what is known of the others.

use cranelift_codegen::ir::{AliasRegion, AliasRegionData, MemFlagsData};
use cranelift_frontend::FunctionBuilder;

/// Access flags by region.
#[derive(Clone, Copy)]
pub(super) struct Regions {
    /// Fields that never change while the VM lives: loads of them may be moved and merged.
    pub constant: MemFlagsData,
    /// The core's interrupt word. The `Yield` exit that follows each load keeps loads apart.
    pub interrupt: MemFlagsData,
    /// The memory's current length.
    pub memory_bytes: MemFlagsData,
    /// Exit arguments, entry arguments, results.
    pub values: MemFlagsData,
    /// Globals that are not references.
    pub globals: MemFlagsData,
    /// Globals that are references.
    pub global_references: MemFlagsData,
    /// Capability slots.
    pub slots: MemFlagsData,
    /// Open packets and their attachment lists.
    pub packets: MemFlagsData,
    /// Headers of objects and `buf`s. Never movable: what an address refers to is known only where it is used.
    pub headers: MemFlagsData,
    /// Bytes of `str`s: written only by the base.
    pub text: MemFlagsData,
    /// Code addresses in function references.
    pub code: MemFlagsData,
    /// Fields of structs that are not references.
    pub fields: MemFlagsData,
    /// Fields of structs that are references.
    pub field_references: MemFlagsData,
    /// Elements of arrays that are not references.
    pub elements: MemFlagsData,
    /// Elements of arrays that are references.
    pub element_references: MemFlagsData,
    /// Where the nursery lies and how full it is.
    pub heap: MemFlagsData,
    /// The caller of the request under way.
    pub caller: MemFlagsData,
    /// Where the lent grid lies.
    pub grid: MemFlagsData,
    /// Its cells.
    pub cells: MemFlagsData,
    /// Bytes of `buf`s, at any alignment.
    pub bytes: MemFlagsData,
    /// The linear memory, at any alignment.
    pub memory: MemFlagsData,
}

impl Regions {
    pub fn declare(b: &mut FunctionBuilder<'_>) -> Regions {
        let mut region = |user_id: u32, name: &'static str| -> Option<AliasRegion> {
            Some(b.func.dfg.alias_regions.insert(AliasRegionData { user_id, description: name.into() }))
        };
        let aligned = MemFlagsData::trusted();
        let unaligned = MemFlagsData::new().with_notrap();
        Regions {
            constant: aligned.with_readonly().with_can_move().with_alias_region(region(0, "context constants")),
            interrupt: aligned.with_alias_region(region(1, "interrupt word")),
            memory_bytes: aligned.with_alias_region(region(2, "memory length")),
            values: aligned.with_alias_region(region(3, "exit arguments and values")),
            globals: aligned.with_alias_region(region(4, "globals")),
            global_references: aligned.with_alias_region(region(20, "references in globals")),
            slots: aligned.with_alias_region(region(5, "capability slots")),
            packets: aligned.with_alias_region(region(6, "packets")),
            headers: aligned.with_alias_region(region(7, "headers")),
            text: aligned.with_alias_region(region(8, "text")),
            code: aligned.with_alias_region(region(11, "code addresses")),
            fields: aligned.with_alias_region(region(12, "fields")),
            field_references: aligned.with_alias_region(region(13, "references in fields")),
            elements: aligned.with_alias_region(region(14, "elements")),
            element_references: aligned.with_alias_region(region(15, "references in elements")),
            heap: aligned.with_alias_region(region(16, "nursery")),
            caller: aligned.with_alias_region(region(17, "caller")),
            grid: aligned.with_alias_region(region(18, "grid")),
            cells: aligned.with_alias_region(region(19, "cells")),
            bytes: unaligned.with_alias_region(region(9, "buffers")),
            memory: unaligned.with_alias_region(region(10, "memory")),
        }
    }
}
