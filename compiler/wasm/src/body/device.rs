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
            (_, ResultForm::Values) => self.send_into_locals(&device, params),
            (_, ResultForm::Pointers) => self.send_into_places(&device, params, &pointers),
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

    /// Sends, and leaves results on the stack: a status first.
    fn send_into_locals(&mut self, device: &Device, params: usize) -> Result {
        self.begin(params, Keep::ALL)?;
        let dests = self.send(device, self.entries.len());
        self.restore();
        let tried = usize::from(device.tried);
        if let Some(Some(status)) = dests.first().filter(|_| device.tried) {
            self.push_leaf(Leaf::Local(*status), Type::I32);
        }
        for (local, result) in dests.iter().skip(tried).flatten().zip(&device.results) {
            self.push_result(*local, *result, device.tried)?;
            self.settle();
        }
        Ok(())
    }

    /// Sends, and stores results where pointers say; a status is left on the stack.
    fn send_into_places(&mut self, device: &Device, params: usize, pointers: &[Leaf]) -> Result {
        self.begin(params, Keep::ALL)?;
        let base = self.entries.len();
        // The pointers stand in the locals of the places that they had on the stack, so results go above those.
        let dests = self.send(device, base + params + pointers.len());
        let memory = self.first_memory()?;
        let results = dests.iter().skip(usize::from(device.tried)).flatten().zip(&device.results);
        for ((local, result), pointer) in results.zip(pointers) {
            self.emit(pointer.instr());
            let store = self.stored(*local, *result)?;
            self.emit(Instr::Op(store, Immediate { memory, ..Immediate::default() }));
        }
        let Some(Some(status)) = dests.first().filter(|_| device.tried) else {
            self.restore();
            return Ok(());
        };
        let own = self.temp(base, Type::I32);
        self.emit(Instr::Get(*status));
        self.code.set_one(own);
        self.restore();
        self.push_leaf(Leaf::Local(own), Type::I32);
        Ok(())
    }

    /// Emits the sending statement, with results in the temporaries of these slots.
    fn send(&mut self, device: &Device, slot: usize) -> Vec<Option<LocalId>> {
        let status = device.tried.then_some(Type::I32);
        let types = status.into_iter().chain(device.results.iter().map(|result| result.il(device.tried)));
        let dests: Vec<Option<LocalId>> = types.enumerate().map(|(at, ty)| Some(self.temp(slot + at, ty))).collect();
        match device.tried {
            true => self.code.try_set(device.target, device.opcode, &dests),
            false => self.code.send_set(device.target, device.opcode, &dests),
        }
        dests
    }

    /// Emits the value of a result as it lies in memory, and gives what stores it.
    fn stored(&mut self, local: LocalId, result: Yield) -> Result<Op> {
        let store = match result {
            Yield::Same(Type::I64) => Op::Store64,
            Yield::Same(Type::F32) => Op::StoreF32,
            Yield::Same(Type::F64) => Op::StoreF64,
            Yield::Same(Type::V128) => Op::StoreV128,
            Yield::Same(_) | Yield::Bool | Yield::Text | Yield::Buffer => Op::Store32,
            Yield::Reference => return Err(self.internal("a reference behind a pointer")),
        };
        self.emit(if result == Yield::Buffer { Instr::Take(local) } else { Instr::Get(local) });
        match result {
            Yield::Same(_) | Yield::Reference => {}
            Yield::Bool => self.emit_op(Op::I32FromBool),
            Yield::Text => self.emit(Instr::Call(self.buffer_func("buffer_put_text")?)),
            Yield::Buffer => self.emit(Instr::Call(self.buffer_func("buffer_put")?)),
        }
        Ok(store)
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
