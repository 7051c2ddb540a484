//! Ownership of `buf`: one owner, who frees it. The address 0 stands for none.

use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, ValueDef};

use super::Lowering;
use crate::image::Stub;

impl Lowering<'_, '_> {
    /// Frees a `buf` that may be none.
    pub(super) fn free_buf(&mut self, value: Value) {
        // A local that is known to hold none.
        if self.constant(value) == Some(0) {
            return;
        }
        let (free, on) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(value, free, &[], on, &[]);
        self.enter(free);
        self.call_stub(Stub::BufFree, &[value]);
        self.jump(on, &[]);
        self.enter(on);
    }

    /// The value, if it is an integer constant.
    pub(super) fn constant(&self, value: Value) -> Option<i64> {
        let dfg = &self.b.func.dfg;
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }
}
