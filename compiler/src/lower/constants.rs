//! Globals that begin as arrays of constants: tables of functions, strings, numbers. Such an array is data, which the base
//! copies; code that stores one element after the other would be large and slow to make.

use alloc::vec::Vec;

use il::instr::{Instr, Reader};
use il::op::Op;
use il::{FuncId, Hierarchy, Storage, TypeId};

use crate::image::ConstantArray;

/// Shorter ones are made by code.
const FEWEST: u32 = 32;

/// The array that an initial value is, if it is one of constants. `function` gives a function reference's place in
/// [`crate::abi::VmCtx::literals`].
pub(super) fn array(
    init: &[u8],
    hierarchy: &Hierarchy,
    function: impl Fn(FuncId, TypeId) -> Option<u32>,
) -> Option<ConstantArray> {
    let mut reader = Reader::new(init);
    let mut values = Vec::new();
    loop {
        match reader.next().ok()?? {
            Instr::I32Const(value) => values.push(u128::from(value as u32)),
            Instr::I64Const(value) => values.push(u128::from(value as u64)),
            Instr::F32Const(bits) => values.push(u128::from(bits)),
            Instr::F64Const(bits) => values.push(u128::from(bits)),
            Instr::BoolConst(value) => values.push(u128::from(value)),
            Instr::Null(_) => values.push(0),
            Instr::StrConst(id) => values.push(u128::from(id.0) + 1),
            Instr::FuncRef(func, ty) => values.push(u128::from(function(func, ty)?) + 1),
            Instr::Op(Op::V128FromI64s, _) => {
                let (high, low) = (values.pop()?, values.pop()?);
                values.push(high << 64 | low);
            }
            Instr::ArrayOf(ty, len) if len >= FEWEST && values.len() == len as usize => {
                reader.next().ok()?.is_none().then_some(())?;
                let element = hierarchy.array(ty)?.element;
                let width = element.bytes() as usize;
                let bytes = values.iter().flat_map(|value| value.to_le_bytes().into_iter().take(width)).collect();
                let references = matches!(element, Storage::Value(ty) if ty.is_reference());
                return Some(ConstantArray { ty, len, bytes, references });
            }
            _ => return None,
        }
    }
}
