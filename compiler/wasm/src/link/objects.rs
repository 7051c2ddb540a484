//! What objects need of the module: functions for arrays, and data segments that arrays are made of.
//!
//! The IL has no instruction from a data segment to an array. So the bytes of such segments are in a memory of their
//! own, which nothing else refers to, and of each a global has the length: 0 when it is dropped.

use alloc::vec::Vec;

use hashbrown::HashMap;
use il::instr::{Instr, Writer};
use il::{Data, DataPlace, FuncId, GlobalId, Memory, MemoryId, Type, TypeId};
use wasmparser::DataKind;

use super::{Build, Linked};
use crate::arrays::{Around, ArrayForm, ObjectHelper};
use crate::error::Result;

/// What objects need of the module.
#[derive(Default)]
pub(super) struct Objects {
    helpers: HashMap<(ObjectHelper, TypeId, TypeId), FuncId>,
    /// Of units and their segments: where each begins, and its length.
    segments: HashMap<(usize, u32), (u32, GlobalId)>,
    memory: Option<MemoryId>,
    bytes: Vec<u8>,
}

const PAGE_BYTES: usize = 1 << 16;

impl Build<'_> {
    /// A function that arrays of a type need, or two types.
    pub fn object_helper(&mut self, helper: ObjectHelper, array: ArrayForm, other: ArrayForm) -> FuncId {
        let key = (helper, array.object, other.object);
        if let Some(id) = self.objects.helpers.get(&key) {
            return *id;
        }
        let memory = match helper {
            ObjectHelper::NewData | ObjectHelper::InitData => self.object_memory(),
            _ => MemoryId(0),
        };
        let around = Around { segment: self.segment_type(), memory };
        let id = self.add_func(helper.func(array, other, around), helper.name());
        self.objects.helpers.insert(key, id);
        id
    }

    fn object_memory(&mut self) -> MemoryId {
        if let Some(id) = self.objects.memory {
            return id;
        }
        let id = MemoryId(self.module.memories.len() as u32);
        self.module.memories.push(Memory { min: 0, max: 0 });
        self.objects.memory = Some(id);
        id
    }

    /// Where a data segment begins in the memory of those that arrays are made of, and the global of its length.
    pub fn object_data(&mut self, unit: &Linked<'_>, index: u32) -> Result<(u32, GlobalId)> {
        let key = (unit.index, index);
        if let Some(known) = self.objects.segments.get(&key) {
            return Ok(*known);
        }
        let data = unit.decoded.data.get(index as usize).ok_or_else(|| unit.decoded.internal("a data index"))?;
        // One that is active was used up by the instance.
        let bytes = match data.kind {
            DataKind::Passive => data.data,
            DataKind::Active { .. } => &[],
        };
        self.object_memory();
        let base = self.objects.bytes.len() as u32;
        self.objects.bytes.extend_from_slice(bytes);
        let mut init = Writer::default();
        init.push(Instr::I32Const(bytes.len() as i32));
        let known = (base, self.add_global(true, Type::I32, init));
        self.objects.segments.insert(key, known);
        Ok(known)
    }

    /// Writes what is known when all units are translated.
    pub(super) fn finish_objects(&mut self) {
        self.types.finish(&mut self.module);
        let Some(memory) = self.objects.memory else { return };
        let bytes = core::mem::take(&mut self.objects.bytes);
        let pages = bytes.len().div_ceil(PAGE_BYTES) as u32;
        if let Some(slot) = self.module.memories.get_mut(memory.index()) {
            *slot = Memory { min: pages, max: pages };
        }
        if !bytes.is_empty() {
            self.module.data.push(Data { place: Some(DataPlace { memory, offset: 0 }), bytes });
        }
    }
}
