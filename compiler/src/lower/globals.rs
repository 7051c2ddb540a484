//! Globals: one 16-byte slot each. Those of references are roots, so nothing here concerns the collector.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use il::instr::{Instr, Reader};
use il::{GlobalId, Type};

use super::operand::{Hold, Operand};
use super::{Lowering, Result, clif_type};
use crate::abi::{self, Exit};

impl<'m> Lowering<'m, '_> {
    pub(super) fn global_get(&mut self, id: GlobalId) -> Result {
        let global = self.module.globals.get(id.index()).ok_or(self.unverified("a global"))?;
        if !global.mutable
            && let Some(constant) = constant(&global.init)
        {
            return self.instr(constant);
        }
        let value = self.load_global(id, global.ty);
        self.push(Operand::plain(value, global.ty));
        Ok(())
    }

    pub(super) fn global_take(&mut self, id: GlobalId) -> Result {
        let ty = self.module.global_type(id).filter(|ty| *ty == Type::OptBuf);
        let ty = ty.ok_or(self.unverified("a global `?buf`"))?;
        let value = self.load_global(id, ty);
        let none = self.nothing(ty);
        self.store_global(id, ty, none);
        self.push(Operand::held(value, ty, Hold::Owned));
        Ok(())
    }

    pub(super) fn global_set(&mut self, id: GlobalId) -> Result {
        let ty = self.module.global_type(id).ok_or(self.unverified("a global"))?;
        let value = self.pop_settled()?;
        if ty == Type::OptBuf {
            let old = self.load_global(id, ty);
            self.store_global(id, ty, value);
            self.free_buf(old);
        } else {
            self.store_global(id, ty, value);
        }
        Ok(())
    }

    /// Pops a global's first value, into a slot that is zero.
    pub(super) fn init_global(&mut self, id: GlobalId) -> Result {
        let ty = self.module.global_type(id).ok_or(self.unverified("a global"))?;
        let value = self.pop_settled()?;
        self.store_global(id, ty, value);
        Ok(())
    }

    /// Pushes an array of constants.
    pub(super) fn constant_array(&mut self, id: GlobalId, number: u32) -> Result {
        let ty = self.module.global_type(id).ok_or(self.unverified("a global"))?;
        let number = self.word_const(u64::from(number));
        let array = self.exit(Exit::NewArray, &[number]);
        self.push(Operand::plain(array, ty));
        Ok(())
    }

    fn load_global(&mut self, id: GlobalId, ty: Type) -> Value {
        let (base, offset) = self.global_place(id);
        let flags = self.global_flags(ty);
        self.b.ins().load(clif_type(ty), flags, base, offset)
    }

    fn store_global(&mut self, id: GlobalId, ty: Type, value: Value) {
        let (base, offset) = self.global_place(id);
        let flags = self.global_flags(ty);
        // The bytes above a narrow value stay as they were: zero.
        self.b.ins().store(flags, value, base, offset);
    }

    fn global_flags(&self, ty: Type) -> MemFlagsData {
        if ty.is_reference() { self.regions.global_references } else { for_type(self.regions.globals, ty) }
    }

    fn global_place(&mut self, id: GlobalId) -> (Value, i32) {
        let base = self.ctx_constant(abi::offset::GLOBALS);
        self.table_place(base, u64::from(id.0) * abi::GLOBAL_BYTES)
    }
}

/// Flags for an access of this type where 8-byte alignment is all that is known.
pub(super) fn for_type(flags: MemFlagsData, ty: Type) -> MemFlagsData {
    if clif_type(ty) == types::I8X16 {
        MemFlagsData::new().with_notrap().with_alias_region(flags.alias_region())
    } else {
        flags
    }
}

/// The constant that a tree consists of.
fn constant(init: &[u8]) -> Option<Instr<'_>> {
    let mut reader = Reader::new(init);
    let first = reader.next().ok()??;
    let alone = reader.next().ok()?.is_none();
    let plain = matches!(
        first,
        Instr::I32Const(_)
            | Instr::I64Const(_)
            | Instr::F32Const(_)
            | Instr::F64Const(_)
            | Instr::BoolConst(_)
            | Instr::StrConst(_)
            | Instr::Null(_)
            | Instr::FuncRef(..)
    );
    (alone && plain).then_some(first)
}
