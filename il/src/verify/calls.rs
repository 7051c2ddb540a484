//! Calls, device instructions, capabilities, programs: how bodies reach other code.

use alloc::string::String;

use super::Role;
use super::body::{Body, Source};
use super::error::Violation;
use super::rule::{Result, ensure, some};
use crate::instr::Dests;
use crate::isa::{Field, Instruction, InstructionSet};
use crate::{CapDef, Func, FuncId, IsaId, Program, ProgramId, ProvidedId, Signature, Type, TypeId, UseId, limits};

fn types(fields: &[Field]) -> impl DoubleEndedIterator<Item = Type> + ExactSizeIterator + '_ {
    fields.iter().map(|field| field.ty)
}

impl<'m> Body<'m> {
    // Functions

    #[cfg_attr(test, track_caller)]
    pub fn callee(&self, id: FuncId) -> Result<&'m Func> {
        let module = self.context.module;
        let count = module.funcs.len();
        let func = some!(module.funcs.get(id.index()), Violation::NoSuch { what: "function", index: id.0, count });
        let plain = self.context.roles.get(id.index()) == Some(&Role::Plain);
        ensure!(plain, Violation::CallsEntry(module.func_name(id)));
        Ok(func)
    }

    /// The signature of a function that is called now.
    #[cfg_attr(test, track_caller)]
    fn called(&self, id: FuncId) -> Result<&'m Signature> {
        let callee = self.callee(id)?;
        ensure!(!self.pure || callee.pure, Violation::ImpureCall(self.context.module.func_name(id)));
        Ok(&callee.sig)
    }

    #[cfg_attr(test, track_caller)]
    pub fn func_type(&self, id: TypeId) -> Result<&'m Signature> {
        self.defined(id)?;
        let expected = "a function type";
        Ok(some!(self.context.hierarchy.func(id), Violation::WrongKind { expected, found: id }))
    }

    /// The type of a function that is called through a reference now.
    #[cfg_attr(test, track_caller)]
    fn called_ref(&self, id: TypeId) -> Result<&'m Signature> {
        let sig = self.func_type(id)?;
        self.impure("call through a reference")?;
        Ok(sig)
    }

    #[cfg_attr(test, track_caller)]
    fn one_result(&self, results: &[Type], name: impl FnOnce() -> String) -> Result<Type> {
        let one = if let [result] = results { Some(*result) } else { None };
        Ok(some!(one, Violation::NotOneResult { name: name(), results: results.len() }))
    }

    pub fn call(&mut self, id: FuncId) -> Result {
        let sig = self.called(id)?;
        let result = self.one_result(&sig.results, || self.context.module.func_name(id))?;
        let depth = self.pop_all(sig.params.iter().copied())?;
        self.push(result, depth + 1)
    }

    pub fn call_set(&mut self, id: FuncId, dests: Dests<'m>) -> Result {
        let sig = self.called(id)?;
        self.pop_all(sig.params.iter().copied())?;
        self.end_statement()?;
        self.assign_all(dests, sig.results.iter().copied())
    }

    pub fn call_ref(&mut self, ty: TypeId) -> Result {
        let sig = self.called_ref(ty)?;
        let result = self.one_result(&sig.results, || self.context.module.type_text(Type::Ref(ty)))?;
        let depth = self.pop_all(sig.params.iter().copied())?;
        let depth = self.pop(Type::Ref(ty))?.max(depth);
        self.push(result, depth + 1)
    }

    pub fn call_ref_set(&mut self, ty: TypeId, dests: Dests<'m>) -> Result {
        let sig = self.called_ref(ty)?;
        self.pop_all(sig.params.iter().copied())?;
        self.pop(Type::Ref(ty))?;
        self.end_statement()?;
        self.assign_all(dests, sig.results.iter().copied())
    }

    pub fn return_call(&mut self, id: FuncId) -> Result {
        let sig = self.called(id)?;
        self.tail(sig)?;
        self.terminate()
    }

    pub fn return_call_ref(&mut self, ty: TypeId) -> Result {
        let sig = self.called_ref(ty)?;
        self.tail(sig)?;
        self.pop(Type::Ref(ty))?;
        self.terminate()
    }

    /// Pops the arguments of a tail call. This function's frame is gone when the callee runs, so its own buffers
    /// cannot be borrowed by it.
    #[cfg_attr(test, track_caller)]
    fn tail(&mut self, sig: &Signature) -> Result {
        let (expected, found) = (self.results.len(), sig.results.len());
        ensure!(expected == found, Violation::TailResults { expected, found });
        for (found, expected) in sig.results.iter().zip(self.results) {
            self.fits(*found, *expected)?;
        }
        for param in sig.params.iter().rev() {
            let argument = self.pop_any(*param)?;
            self.fits(argument.ty, *param)?;
            if let Source::Borrow(local) = argument.source {
                ensure!(*param != Type::BufRef, Violation::TailBorrows(local));
            }
        }
        Ok(())
    }

    // Capabilities

    #[cfg_attr(test, track_caller)]
    fn wanted(&self, id: UseId) -> Result<IsaId> {
        let uses = &self.context.module.uses;
        let missing = Violation::NoSuch { what: "capability", index: id.0, count: uses.len() };
        Ok(some!(uses.get(id.index()), missing).isa)
    }

    fn set_of(&self, isa: IsaId) -> Option<&'m InstructionSet> {
        self.context.module.isas.get(isa.index())
    }

    #[cfg_attr(test, track_caller)]
    fn cap_type(&self, id: TypeId) -> Result<&'m CapDef> {
        self.defined(id)?;
        let expected = "a capability";
        Ok(some!(self.context.hierarchy.cap(id), Violation::WrongKind { expected, found: id }))
    }

    pub fn cap(&mut self, id: UseId, ty: TypeId) -> Result {
        self.impure("use capabilities")?;
        let wanted = self.wanted(id)?;
        let found = self.cap_type(ty)?.isa;
        ensure!(found == wanted, Violation::OtherSet { expected: wanted, found });
        self.push(Type::Ref(ty), 0)
    }

    /// Pops a capability of any set.
    #[cfg_attr(test, track_caller)]
    fn pop_capability(&mut self) -> Result {
        let found = self.pop_any(Type::Any)?.ty;
        let cap = match found {
            Type::Ref(id) => self.context.hierarchy.cap(id),
            _ => None,
        };
        ensure!(cap.is_some(), Violation::NotACapability(found));
        Ok(())
    }

    pub fn attenuate(&mut self, ty: TypeId) -> Result {
        self.impure("attenuate")?;
        self.cap_type(ty)?;
        let depth = self.pop(Type::Ref(ty))?;
        self.push(Type::Ref(ty), depth + 1)
    }

    pub fn revoke(&mut self) -> Result {
        self.impure("revoke")?;
        self.pop_capability()?;
        self.end_statement()
    }

    pub fn flush(&mut self, id: UseId) -> Result {
        self.impure("flush")?;
        self.wanted(id)?;
        self.end_statement()
    }

    pub fn flush_cap(&mut self) -> Result {
        self.impure("flush")?;
        self.pop_capability()?;
        self.end_statement()
    }

    // Device instructions

    #[cfg_attr(test, track_caller)]
    fn instruction(&self, isa: IsaId, opcode: u8) -> Result<&'m Instruction> {
        let set = self.set_of(isa);
        let count = set.map_or(0, |set| set.instructions.len());
        let missing = Violation::NoSuch { what: "instruction", index: u32::from(opcode), count };
        Ok(some!(set.and_then(|set| set.instruction(opcode)), missing))
    }

    /// An instruction of a wanted capability.
    #[cfg_attr(test, track_caller)]
    fn sent(&self, target: UseId, opcode: u8) -> Result<&'m Instruction> {
        self.impure("use capabilities")?;
        self.instruction(self.wanted(target)?, opcode)
    }

    /// An instruction that a capability type allows.
    #[cfg_attr(test, track_caller)]
    fn sent_to(&self, ty: TypeId, opcode: u8) -> Result<&'m Instruction> {
        self.impure("use capabilities")?;
        let cap = self.cap_type(ty)?;
        let allowed = cap.instructions.binary_search(&opcode).ok();
        let found = allowed.and_then(|_| self.set_of(cap.isa)?.instruction(opcode));
        Ok(some!(found, Violation::NotAllowed { ty, opcode }))
    }

    /// An instruction of the program's own set.
    #[cfg_attr(test, track_caller)]
    fn owned(&self, opcode: u8) -> Result<&'m Instruction> {
        let isa = match self.role {
            Role::Program(isa) => Some(isa),
            Role::Plain | Role::Op { .. } | Role::Handler | Role::Test => None,
        };
        self.instruction(some!(isa, Violation::OwnOutsideProgram), opcode)
    }

    /// What a waiting instruction answers.
    #[cfg_attr(test, track_caller)]
    fn waiting(&self, instruction: &'m Instruction) -> Result<&'m [Field]> {
        Ok(some!(instruction.results.as_deref(), Violation::Streamed(String::from(&*instruction.name))))
    }

    /// The result of an instruction in a tree.
    #[cfg_attr(test, track_caller)]
    fn answer(&self, instruction: &'m Instruction) -> Result<Type> {
        let results = self.waiting(instruction)?;
        let one = if let [result] = results { Some(result.ty) } else { None };
        let name = || String::from(&*instruction.name);
        Ok(some!(one, Violation::NotOneResult { name: name(), results: results.len() }))
    }

    /// Refuses results where only a status fits.
    #[cfg_attr(test, track_caller)]
    fn only_status(&self, instruction: &'m Instruction) -> Result {
        let results = self.waiting(instruction)?.len();
        ensure!(results == 0, Violation::TryHasResults { name: String::from(&*instruction.name), results });
        Ok(())
    }

    fn pop_operands(&mut self, instruction: &'m Instruction) -> Result<u32> {
        self.pop_all(types(&instruction.params))
    }

    fn statement(&mut self, instruction: &'m Instruction, dests: Dests<'m>) -> Result {
        self.end_statement()?;
        self.assign_all(dests, types(instruction.results.as_deref().unwrap_or_default()))
    }

    /// Assigns a status and what was wanted: on failure there is none, so a reference may be null.
    fn try_statement(&mut self, results: impl Iterator<Item = Type>, dests: Dests<'m>) -> Result {
        self.end_statement()?;
        let mut types = [Type::I32; limits::RESULTS + 1];
        let mut count = 1;
        for (slot, ty) in types.iter_mut().skip(1).zip(results) {
            *slot = if matches!(ty, Type::Str | Type::Buf) { ty } else { ty.nullable().unwrap_or(ty) };
            count += 1;
        }
        self.assign_all(dests, types.get(..count).unwrap_or_default().iter().copied())
    }

    pub fn send(&mut self, target: UseId, opcode: u8) -> Result {
        let instruction = self.sent(target, opcode)?;
        let result = self.answer(instruction)?;
        let depth = self.pop_operands(instruction)?;
        self.push(result, depth + 1)
    }

    pub fn try_(&mut self, target: UseId, opcode: u8) -> Result {
        let instruction = self.sent(target, opcode)?;
        self.only_status(instruction)?;
        let depth = self.pop_operands(instruction)?;
        self.push(Type::I32, depth + 1)
    }

    pub fn send_set(&mut self, target: UseId, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.sent(target, opcode)?;
        self.pop_operands(instruction)?;
        self.statement(instruction, dests)
    }

    pub fn try_set(&mut self, target: UseId, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.sent(target, opcode)?;
        let results = self.waiting(instruction)?;
        self.pop_operands(instruction)?;
        self.try_statement(types(results), dests)
    }

    pub fn send_to(&mut self, ty: TypeId, opcode: u8) -> Result {
        let instruction = self.sent_to(ty, opcode)?;
        let result = self.answer(instruction)?;
        let depth = self.pop_operands(instruction)?;
        let depth = self.pop(Type::Ref(ty))?.max(depth);
        self.push(result, depth + 1)
    }

    pub fn try_to(&mut self, ty: TypeId, opcode: u8) -> Result {
        let instruction = self.sent_to(ty, opcode)?;
        self.only_status(instruction)?;
        let depth = self.pop_operands(instruction)?;
        let depth = self.pop(Type::Ref(ty))?.max(depth);
        self.push(Type::I32, depth + 1)
    }

    pub fn send_to_set(&mut self, ty: TypeId, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.sent_to(ty, opcode)?;
        self.pop_operands(instruction)?;
        self.pop(Type::Ref(ty))?;
        self.statement(instruction, dests)
    }

    pub fn try_to_set(&mut self, ty: TypeId, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.sent_to(ty, opcode)?;
        let results = self.waiting(instruction)?;
        self.pop_operands(instruction)?;
        self.pop(Type::Ref(ty))?;
        self.try_statement(types(results), dests)
    }

    pub fn own(&mut self, opcode: u8) -> Result {
        let instruction = self.owned(opcode)?;
        let result = self.answer(instruction)?;
        let depth = self.pop_operands(instruction)?;
        self.push(result, depth + 1)
    }

    pub fn own_try(&mut self, opcode: u8) -> Result {
        let instruction = self.owned(opcode)?;
        self.only_status(instruction)?;
        let depth = self.pop_operands(instruction)?;
        self.push(Type::I32, depth + 1)
    }

    pub fn own_set(&mut self, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.owned(opcode)?;
        self.pop_operands(instruction)?;
        self.statement(instruction, dests)
    }

    pub fn own_try_set(&mut self, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.owned(opcode)?;
        let results = self.waiting(instruction)?;
        self.pop_operands(instruction)?;
        self.try_statement(types(results), dests)
    }

    // Programs

    /// The program that is run on a wanted capability, and its type.
    #[cfg_attr(test, track_caller)]
    fn program(&self, target: UseId, id: ProgramId) -> Result<(&'m Program, &'m Signature)> {
        self.impure("run programs")?;
        let module = self.context.module;
        let wanted = self.wanted(target)?;
        let count = module.programs.len();
        let program = module.programs.get(id.index());
        let found = program.and_then(|program| Some((program, module.sig(program.func)?)));
        let (program, sig) = some!(found, Violation::NoSuch { what: "program", index: id.0, count });
        ensure!(program.isa == wanted, Violation::OtherSet { expected: wanted, found: program.isa });
        Ok((program, sig))
    }

    pub fn run_set(&mut self, target: UseId, id: ProgramId, dests: Dests<'m>) -> Result {
        let (_, sig) = self.program(target, id)?;
        self.pop_all(sig.params.iter().copied())?;
        self.end_statement()?;
        self.assign_all(dests, sig.results.iter().copied())
    }

    pub fn run_try_set(&mut self, target: UseId, id: ProgramId, dests: Dests<'m>) -> Result {
        let (_, sig) = self.program(target, id)?;
        self.pop_all(sig.params.iter().copied())?;
        self.try_statement(sig.results.iter().copied(), dests)
    }

    pub fn run_send(&mut self, target: UseId, id: ProgramId) -> Result {
        let (program, sig) = self.program(target, id)?;
        ensure!(sig.results.is_empty(), Violation::RunHasResults(program.name.clone()));
        self.pop_all(sig.params.iter().copied())?;
        self.end_statement()
    }

    // What only some functions do

    /// Whether the instruction that is answered waits.
    #[cfg_attr(test, track_caller)]
    fn in_op(&self, what: &'static str) -> Result<bool> {
        let waits = match self.role {
            Role::Op { waits } => Some(waits),
            Role::Plain | Role::Handler | Role::Program(_) | Role::Test => None,
        };
        Ok(some!(waits, Violation::OutsideOp(what)))
    }

    pub fn caller(&mut self) -> Result {
        self.in_op("caller")?;
        self.impure("ask for the caller")?;
        self.push(Type::I32, 0)
    }

    pub fn fail(&mut self) -> Result {
        self.in_op("fail")?;
        self.impure("fail")?;
        self.pop(Type::I32)?;
        self.terminate()
    }

    /// An instruction whose answer is this `op`'s.
    #[cfg_attr(test, track_caller)]
    fn answers_for(&self, instruction: &Instruction) -> Result {
        let waits = self.in_op("forward")?;
        let name = || String::from(&*instruction.name);
        ensure!(waits == instruction.results.is_some(), Violation::ForwardKind { name: name(), waits });
        let results = types(instruction.results.as_deref().unwrap_or_default());
        ensure!(results.eq(self.results.iter().copied()), Violation::ForwardResults(name()));
        Ok(())
    }

    pub fn forward(&mut self, target: UseId, opcode: u8) -> Result {
        let instruction = self.sent(target, opcode)?;
        self.answers_for(instruction)?;
        self.pop_operands(instruction)?;
        self.terminate()
    }

    pub fn forward_to(&mut self, ty: TypeId, opcode: u8) -> Result {
        let instruction = self.sent_to(ty, opcode)?;
        self.answers_for(instruction)?;
        self.pop_operands(instruction)?;
        self.pop(Type::Ref(ty))?;
        self.terminate()
    }

    /// The operands of an event of a provided set are popped.
    #[cfg_attr(test, track_caller)]
    fn pop_event(&mut self, provided: ProvidedId, number: u8) -> Result {
        self.impure("emit")?;
        let all = &self.context.module.provides;
        let missing = Violation::NoSuch { what: "provided set", index: provided.0, count: all.len() };
        let set = self.set_of(some!(all.get(provided.index()), missing).isa);
        let count = set.map_or(0, |set| set.events.len());
        let missing = Violation::NoSuch { what: "event", index: u32::from(number), count };
        let event = some!(set.and_then(|set| set.event(number)), missing);
        self.pop_all(types(&event.params)).map(|_| ())
    }

    pub fn emit(&mut self, provided: ProvidedId, number: u8) -> Result {
        self.pop_event(provided, number)?;
        self.end_statement()
    }

    pub fn emit_to(&mut self, provided: ProvidedId, number: u8) -> Result {
        self.pop(Type::I32)?;
        self.pop_event(provided, number)?;
        self.end_statement()
    }

    pub fn wait(&mut self, name: &'static str) -> Result {
        self.impure(name)?;
        self.end_statement()
    }
}
