//! Ownership of `str` and `buf`.
//!
//! A `str` counts its references; a count of [`IMMORTAL`] never changes. A `buf` has one owner; the
//! address 0 stands for none. Counts are changed inline; freeing is the base's.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, ValueDef, types};
use il::Type;

use super::Lowering;
use crate::abi::{self, IMMORTAL};
use crate::image::Stub;

impl Lowering<'_, '_> {
    /// Adds a reference to a `str`.
    pub(super) fn retain(&mut self, value: Value) {
        if self.immortal.contains(&value) {
            return;
        }
        let flags = self.regions.refs;
        let refs = self.b.ins().load(types::I64, flags, value, abi::offset::STR_REFS);
        let (count, on) = (self.b.create_block(), self.b.create_block());
        let forever = self.b.ins().icmp_imm_s(IntCC::Equal, refs, IMMORTAL as i64);
        self.b.ins().brif(forever, on, &[], count, &[]);
        self.b.switch_to_block(count);
        self.b.seal_block(count);
        let more = self.b.ins().iadd_imm_s(refs, 1);
        self.b.ins().store(flags, more, value, abi::offset::STR_REFS);
        self.jump(on, &[]);
        self.b.switch_to_block(on);
        self.b.seal_block(on);
    }

    /// Gives up a reference to a `str`, or a `buf` that may be none.
    pub(super) fn release(&mut self, value: Value, ty: Type) {
        match ty {
            Type::Str => self.release_str(value),
            Type::Buf => self.release_buf(value),
            Type::I32 | Type::I64 | Type::F64 | Type::Bool | Type::BufRef => {}
        }
    }

    fn release_str(&mut self, value: Value) {
        if self.immortal.contains(&value) {
            return;
        }
        let flags = self.regions.refs;
        let refs = self.b.ins().load(types::I64, flags, value, abi::offset::STR_REFS);
        let (count, free, on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let forever = self.b.ins().icmp_imm_s(IntCC::Equal, refs, IMMORTAL as i64);
        self.b.ins().brif(forever, on, &[], count, &[]);
        self.b.switch_to_block(count);
        self.b.seal_block(count);
        let fewer = self.b.ins().iadd_imm_s(refs, -1);
        self.b.ins().store(flags, fewer, value, abi::offset::STR_REFS);
        self.b.ins().brif(fewer, on, &[], free, &[]);
        self.free(free, on, Stub::StrFree, value);
    }

    fn release_buf(&mut self, value: Value) {
        if self.is_zero(value) {
            return;
        }
        let (free, on) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(value, free, &[], on, &[]);
        self.free(free, on, Stub::BufFree, value);
    }

    fn free(&mut self, free: cranelift_codegen::ir::Block, on: cranelift_codegen::ir::Block, stub: Stub, value: Value) {
        self.b.switch_to_block(free);
        self.b.seal_block(free);
        self.call_stub(stub, &[value]);
        self.jump(on, &[]);
        self.b.switch_to_block(on);
        self.b.seal_block(on);
    }

    /// Whether the value is the constant 0: a `buf` local that is known to hold none.
    fn is_zero(&self, value: Value) -> bool {
        self.constant(value) == Some(0)
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
