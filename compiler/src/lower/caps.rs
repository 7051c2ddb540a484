//! Capabilities as values, and programs. A capability is `slot << 1 | 1`.

use alloc::vec::Vec;

use cranelift_codegen::ir::{InstBuilder, Value, types};
use il::isa::Field;
use il::{IsaId, ProgramId, Type, TypeId, UseId};

use super::operand::Operand;
use super::{Lowering, Result, words};
use crate::abi::{self, Exit};

impl<'m> Lowering<'m, '_> {
    pub(super) fn capability(&mut self, target: UseId, ty: TypeId) {
        self.push_int(types::I64, i64::from(target.0) << 1 | 1, Type::Ref(ty));
    }

    /// Pops a capability; its slot's number.
    pub(super) fn pop_slot(&mut self) -> Result<Value> {
        let capability = self.pop()?;
        Ok(self.b.ins().ushr_imm_u(capability.value, 1))
    }

    pub(super) fn attenuate(&mut self, ty: TypeId) -> Result {
        let capability = self.pop()?;
        let def = self.word_const(u64::from(ty.0));
        let value = self.exit(Exit::Attenuate, &[capability.value, def]);
        self.push(Operand::plain(value, Type::Ref(ty)));
        Ok(())
    }

    pub(super) fn revoke(&mut self) -> Result {
        let capability = self.pop()?;
        self.exit(Exit::Revoke, &[capability.value]);
        Ok(())
    }

    pub(super) fn flush_capability(&mut self) -> Result {
        let slot = self.pop_slot()?;
        let status = self.exit(Exit::Flush, &[slot]);
        self.raise(status, slot, 0);
        Ok(())
    }

    pub(super) fn caller(&mut self) {
        let value = self.b.ins().load(types::I32, self.regions.caller, self.ctx, abi::offset::CALLER);
        self.push(Operand::plain(value, Type::I32));
    }

    // Programs: what they do in the VM that runs them, and running them.

    /// All are executed at once, so the failure of one without an answer too is raised here: there is no later
    /// instruction of a channel to raise it.
    pub(super) fn own(&mut self, opcode: u8) -> Result<Vec<Operand>> {
        if let Some(meaning) = self.grid_meaning(opcode) {
            return self.on_grid(opcode, meaning);
        }
        let (status, results) = self.execute_own(opcode)?;
        let slot = self.word_const(abi::OWN_SLOT);
        self.raise(status, slot, u64::from(opcode));
        let Some(results) = results else { return Ok(Vec::new()) };
        Ok(self.results(results.iter().map(|field| field.ty)))
    }

    pub(super) fn try_own(&mut self, opcode: u8) -> Result<Vec<Operand>> {
        if let Some(meaning) = self.grid_meaning(opcode) {
            return self.try_on_grid(meaning);
        }
        let (status, results) = self.execute_own(opcode)?;
        let results = results.ok_or(self.unverified("a waiting instruction"))?;
        Ok(self.results_after(status, results.iter().map(|field| field.ty)))
    }

    fn execute_own(&mut self, opcode: u8) -> Result<(Value, Option<&'m [Field]>)> {
        let isa = self.own_isa()?;
        let set = self.module.isas.get(isa.index()).and_then(|set| set.instruction(opcode));
        let instruction = set.ok_or(self.unverified("an instruction of the program's set"))?;
        self.pass(instruction.params.len())?;
        let (isa, opcode) = (self.word_const(u64::from(isa.0)), self.word_const(u64::from(opcode)));
        Ok((self.exit(Exit::Own, &[isa, opcode]), instruction.results.as_deref()))
    }

    fn own_isa(&self) -> Result<IsaId> {
        let program = self.module.programs.iter().find(|program| program.func == self.id);
        program.map(|program| program.isa).ok_or(self.unverified("a program"))
    }

    pub(super) fn run(&mut self, target: UseId, program: ProgramId) -> Result<Vec<Operand>> {
        let (status, slot, results) = self.execute(target, program)?;
        self.raise(status, slot, abi::RUN_OPCODE + u64::from(program.0));
        Ok(self.results(results.iter().copied()))
    }

    pub(super) fn try_run(&mut self, target: UseId, program: ProgramId) -> Result<Vec<Operand>> {
        let (status, _, results) = self.execute(target, program)?;
        Ok(self.results_after(status, results.iter().copied()))
    }

    fn execute(&mut self, target: UseId, program: ProgramId) -> Result<(Value, Value, &'m [Type])> {
        let sig = self.program_sig(program)?;
        self.pass(sig.params.len())?;
        let (slot, program) = (self.word_const(u64::from(target.0)), self.word_const(u64::from(program.0)));
        Ok((self.exit(Exit::Run, &[slot, program]), slot, &sig.results))
    }

    pub(super) fn run_send(&mut self, target: UseId, program: ProgramId) -> Result {
        let sig = self.program_sig(program)?;
        self.pass(sig.params.len())?;
        let (slot, program) = (self.word_const(u64::from(target.0)), self.word_const(u64::from(program.0)));
        self.exit(Exit::RunSend, &[slot, program]);
        Ok(())
    }

    fn program_sig(&self, program: ProgramId) -> Result<&'m il::Signature> {
        let program = self.module.programs.get(program.index()).and_then(|program| self.module.sig(program.func));
        program.ok_or(self.unverified("a program"))
    }

    /// Puts operands where the base looks for them.
    fn pass(&mut self, count: usize) -> Result {
        let mut word = 0;
        for operand in self.pop_many(count)? {
            let value = self.canonical(operand);
            for part in self.value_words(value, operand.ty).into_iter().flatten() {
                let offset = abi::offset::VALUES + 8 * word;
                self.b.ins().store(self.regions.values, part, self.ctx, offset);
                word += 1;
            }
        }
        Ok(())
    }

    /// Results of the exit that has just returned, which stand behind its status.
    pub(super) fn results(&mut self, results: impl Iterator<Item = Type>) -> Vec<Operand> {
        let mut word = 1;
        let mut operands = Vec::new();
        for ty in results {
            let offset = abi::offset::VALUES + 8 * word;
            let flags = super::globals::for_type(self.regions.values, ty);
            let value = self.b.ins().load(super::clif_type(ty), flags, self.ctx, offset);
            operands.push(Operand::fresh(value, ty));
            word += words(ty) as i32;
        }
        operands
    }

    /// The status, then the results.
    pub(super) fn results_after(&mut self, status: Value, results: impl Iterator<Item = Type>) -> Vec<Operand> {
        let status = self.b.ins().ireduce(types::I32, status);
        let mut values = alloc::vec![Operand::plain(status, Type::I32)];
        values.extend(self.results(results));
        values
    }
}
