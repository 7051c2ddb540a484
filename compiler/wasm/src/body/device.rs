//! Device instructions, sent where they are called.

use alloc::vec::Vec;

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{Func, LocalId, MemoryId, Type};

use super::Translator;
use super::stack::{Effect, Keep, Leaf};
use crate::error::Result;
use crate::link::{Device, Operand, ResultForm, Yield};

impl Translator<'_, '_, '_> {
    /// The function that sends a device instruction.
    pub fn wrapper(&mut self, device: usize) -> Result<Func> {
        let ty = self.build.devices.get(device).map_or(u32::MAX, |device| device.ty);
        let sig = self.unit.types.sig(ty).cloned().unwrap_or_default();
        self.start(&sig);
        self.open_function(&sig.results);
        for (at, ty) in sig.params.iter().enumerate() {
            self.push_leaf(Leaf::Local(LocalId(at as u32)), *ty);
        }
        self.device(device)?;
        self.end_wrapper()?;
        Ok(self.finish(sig))
    }

    /// Sends a device instruction whose operands are on the stack, and leaves its results there.
    pub(super) fn device(&mut self, device: usize) -> Result {
        let device = self.build.devices.get(device).cloned().ok_or_else(|| self.internal("a device instruction"))?;
        self.settle();
        let pointers = match device.form {
            ResultForm::Values => Vec::new(),
            ResultForm::Pointers => self.take_leaves(device.results.len())?,
        };
        self.make_operands(&device.operands)?;
        let params: usize = device.operands.iter().map(|operand| operand.params()).sum();
        match (device.results.as_slice(), device.form) {
            ([result], ResultForm::Values) if !device.tried => {
                self.tree(Instr::Send(device.target, device.opcode), params, result.il(false), Effect::Writes)?;
                self.convert_top(*result)
            }
            ([], _) if device.tried => {
                self.tree(Instr::Try(device.target, device.opcode), params, Type::I32, Effect::Writes)
            }
            _ => self.send_into_locals(&device, params, &pointers),
        }
    }

    /// Takes values off the stack that are read later: where each is to be found.
    fn take_leaves(&mut self, count: usize) -> Result<Vec<Leaf>> {
        self.reach(count)?;
        let len = self.entries.len();
        let first = len - count;
        let all = self.entries.get(first..).unwrap_or_default().iter().all(|entry| entry.leaf.is_some());
        if !all {
            self.compute_to(len)?;
        }
        let leaves = self.entries.get(first..).unwrap_or_default().iter().filter_map(|entry| entry.leaf).collect();
        if let Some(entry) = self.entries.get(first) {
            self.code.bytes.truncate(entry.start);
        }
        self.entries.truncate(first);
        Ok(leaves)
    }

    /// Makes operands of the parameters on top.
    fn make_operands(&mut self, operands: &[Operand]) -> Result {
        let last = operands.len().saturating_sub(1);
        let params: usize = operands.iter().map(|operand| operand.params()).sum();
        if operands.iter().take(last).any(|operand| operand.acts()) {
            self.steady(0, params, Effect::Pure)?;
        }
        let mut above = 0;
        for operand in operands.iter().rev() {
            let made = self.operand_code(*operand)?;
            if above == 0 {
                made.iter().for_each(|instr| self.emit(*instr));
            } else {
                self.insert(above - 1, |translator| made.iter().for_each(|instr| translator.emit(*instr)))?;
            }
            above += operand.params();
        }
        Ok(())
    }

    fn operand_code(&self, operand: Operand) -> Result<Vec<Instr<'static>>> {
        let op = |op, memory| Instr::Op(op, Immediate { memory, ..Immediate::default() });
        Ok(match operand {
            Operand::Same => Vec::new(),
            Operand::Bool => alloc::vec![Instr::I32Const(0), op(Op::I32Ne, MemoryId(0))],
            Operand::Text => alloc::vec![op(Op::StrAt, self.first_memory()?)],
            Operand::Bytes => alloc::vec![op(Op::BufAt, self.first_memory()?)],
            Operand::Handle => alloc::vec![Instr::Call(self.buffer_func("buffer_take")?)],
            Operand::Reference => alloc::vec![Instr::As(Type::Any)],
        })
    }

    fn first_memory(&self) -> Result<MemoryId> {
        let hint = "define a memory: texts, buffers and results lie in it";
        let memory = self.unit.memory(0).filter(|memory| !memory.is_wide());
        memory
            .map(|memory| memory.id)
            .ok_or_else(|| self.unsupported("a pointer without a memory of 32-bit addresses", hint))
    }

    fn buffer_func(&self, name: &'static str) -> Result<il::FuncId> {
        self.build.buffer_func(name).ok_or_else(|| self.internal(name))
    }

    /// The result on top becomes what the program gets.
    fn convert_top(&mut self, result: Yield) -> Result {
        match result {
            // As a condition it may be asked for next.
            Yield::Same(_) | Yield::Bool => Ok(()),
            Yield::Text => {
                let put = self.buffer_func("buffer_put_text")?;
                self.tree(Instr::Call(put), 1, Type::I32, Effect::Writes)
            }
            Yield::Buffer => {
                let put = self.buffer_func("buffer_put")?;
                self.tree(Instr::Call(put), 1, Type::I32, Effect::Writes)
            }
            Yield::Reference => {
                self.retype(Type::OptAny);
                Ok(())
            }
        }
    }

    fn send_into_locals(&mut self, device: &Device, params: usize, pointers: &[Leaf]) -> Result {
        self.begin(params, Keep::ALL)?;
        let mut slot = self.entries.len();
        let mut dests = Vec::new();
        let status = device.tried.then(|| self.temp(slot, Type::I32));
        slot += usize::from(device.tried);
        dests.extend(status.map(Some));
        for result in &device.results {
            dests.push(Some(self.temp(slot, result.il(device.tried))));
            slot += 1;
        }
        match device.tried {
            true => self.code.try_set(device.target, device.opcode, &dests),
            false => self.code.send_set(device.target, device.opcode, &dests),
        }
        self.restore();
        if let Some(status) = status {
            self.push_leaf(Leaf::Local(status), Type::I32);
        }
        let results = dests.iter().skip(usize::from(device.tried)).flatten().zip(&device.results);
        match device.form {
            ResultForm::Values => {
                for (local, result) in results {
                    self.push_result(*local, *result, device.tried)?;
                    self.settle();
                }
            }
            ResultForm::Pointers => {
                for ((local, result), pointer) in results.zip(pointers) {
                    self.store_result(*local, *result, device.tried, *pointer)?;
                }
            }
        }
        Ok(())
    }

    fn push_result(&mut self, local: LocalId, result: Yield, tried: bool) -> Result {
        if result == Yield::Buffer {
            self.nullary(Instr::Take(local), Type::Buf, Effect::Writes)?;
        } else {
            self.push_leaf(Leaf::Local(local), result.il(tried));
            if result == Yield::Text {
                self.unleaf();
            }
        }
        self.convert_top(result)
    }

    fn store_result(&mut self, local: LocalId, result: Yield, tried: bool, pointer: Leaf) -> Result {
        self.push_leaf(pointer, Type::I32);
        self.push_result(local, result, tried)?;
        let store = match result {
            Yield::Same(Type::I64) => Op::Store64,
            Yield::Same(Type::F32) => Op::StoreF32,
            Yield::Same(Type::F64) => Op::StoreF64,
            Yield::Same(Type::V128) => Op::StoreV128,
            Yield::Same(_) | Yield::Bool | Yield::Text | Yield::Buffer | Yield::Reference => Op::Store32,
        };
        let memory = self.first_memory()?;
        self.apply(store, Immediate { memory, ..Immediate::default() })
    }
}

/// An adapter that an event enters: calls the program's function with the event's operands.
pub(crate) fn handler(target: il::FuncId, params: &[Type], put: impl Fn(Type) -> Option<il::FuncId>) -> Func {
    let mut code = Writer::default();
    for (at, ty) in params.iter().enumerate() {
        let local = LocalId(at as u32);
        match ty {
            Type::Buf => code.push(Instr::Take(local)),
            _ => code.push(Instr::Get(local)),
        }
        match ty {
            Type::Bool => code.push(Instr::Op(Op::I32FromBool, Immediate::default())),
            Type::Str | Type::Buf => put(*ty).into_iter().for_each(|put| code.push(Instr::Call(put))),
            _ => {}
        }
    }
    code.call_set(target, &[]);
    let sig = il::Signature { params: params.to_vec(), results: Vec::new() };
    Func { sig, pure: false, locals: Vec::new(), body: code.bytes }
}
