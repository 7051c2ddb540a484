//! One pass over one body: operands, locals and calls. Constructs are in `control`.

use alloc::string::String;
use alloc::vec::Vec;

use super::Role;
use super::control::Frame;
use super::error::Violation;
use super::state::{Available, Flow};
use super::tables::{limit, literal};
use crate::instr::{Dests, Instr, Reader};
use crate::isa::{Instruction, InstructionSet};
use crate::op::Op;
use crate::{Func, FuncId, GlobalId, LocalId, Module, StrId, Type, UseId, limits};

pub(super) type Result<T = ()> = core::result::Result<T, Violation>;

/// Checks a function's body; an error comes with the offset of its instruction.
pub(super) fn check(module: &Module, roles: &[Role], id: FuncId) -> core::result::Result<(), (u32, Violation)> {
    let count = module.funcs.len();
    let missing = Violation::NoSuch { what: "function", index: id.0, count };
    let func = module.funcs.get(id.index()).ok_or((0, missing))?;
    let mut body = Body::new(module, roles, id, func);
    let mut reader = Reader::new(&func.body);
    loop {
        let offset = reader.offset();
        let step = reader.next().map_err(Violation::Malformed);
        match step.and_then(|instr| instr.map(|instr| body.instr(instr)).transpose()) {
            Ok(Some(())) => {}
            Ok(None) => return body.finish().map_err(|kind| (offset, kind)),
            Err(kind) => return Err((offset, kind)),
        }
    }
}

/// A value on the operand stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub ty: Type,
    /// The local that a `ref buf` borrows.
    borrows: Option<LocalId>,
    /// Height of the tree that computes it.
    depth: usize,
}

/// The state of the pass.
pub(super) struct Body<'m> {
    module: &'m Module,
    roles: &'m [Role],
    role: Role,
    pub func: &'m Func,
    pub operands: Vec<Operand>,
    pub frames: Vec<Frame>,
    /// Indices into `frames` of the loops among them.
    pub loops: Vec<usize>,
    /// Values of the arms of all open switches, outermost first.
    pub arms: Vec<i64>,
    pub flow: Flow,
}

impl<'m> Body<'m> {
    fn new(module: &'m Module, roles: &'m [Role], id: FuncId, func: &'m Func) -> Self {
        let params = func.sig.params.len();
        let mut available = Available::none(params + func.locals.len());
        (0..params).for_each(|index| available.add(LocalId(index as u32)));
        Body {
            module,
            roles,
            role: roles.get(id.index()).copied().unwrap_or(Role::Plain),
            func,
            operands: Vec::new(),
            frames: Vec::new(),
            loops: Vec::new(),
            arms: Vec::new(),
            flow: Some(available),
        }
    }

    /// The body has been read.
    fn finish(&self) -> Result {
        if !self.frames.is_empty() || !self.operands.is_empty() {
            return Err(Violation::Unfinished);
        }
        if self.flow.is_some() && !self.func.sig.results.is_empty() {
            return Err(Violation::MissingReturn);
        }
        Ok(())
    }

    fn instr(&mut self, instr: Instr<'m>) -> Result {
        self.may_stand_here(&instr)?;
        match instr {
            Instr::I32Const(_) => self.push(Type::I32, 0),
            Instr::I64Const(_) => self.push(Type::I64, 0),
            Instr::F64Const(_) => self.push(Type::F64, 0),
            Instr::BoolConst(_) => self.push(Type::Bool, 0),
            Instr::StrConst(id) => {
                literal(self.module, id)?;
                self.push(Type::Str, 0)
            }
            Instr::Get(id) => self.get(id),
            Instr::Take(id) => self.take(id),
            Instr::GlobalGet(id) => {
                let ty = self.global(id)?;
                self.push(ty, 0)
            }
            Instr::Call(id) => self.call(id),
            Instr::Send(target, opcode) => self.send(target, opcode),
            Instr::Op(op, _) => self.operator(op),
            Instr::Set(dests) => self.set(dests),
            Instr::GlobalSet(id) => self.set_global(id),
            Instr::CallSet(id, dests) => self.call_set(id, dests),
            Instr::SendSet(target, opcode, dests) => self.send_set(target, opcode, dests),
            Instr::TrySet(target, opcode, dests) => self.try_set(target, opcode, dests),
            Instr::Emit(number) => self.emit(number),
            Instr::Fail => self.fail(),
            Instr::Return => self.leave_function(),
            Instr::Trap(id) => self.trap(id),
            Instr::Assert(id) => self.assert(id),
            Instr::Wait | Instr::WaitForever => self.end_statement(),
            Instr::Flush(id) => {
                self.capability(id)?;
                self.end_statement()
            }
            Instr::Cond(ty) => self.open_cond(ty),
            Instr::Test => self.test(),
            Instr::If => self.open_if(),
            Instr::Else => self.open_else(),
            Instr::Loop => self.open_loop(),
            Instr::While => self.open_while(),
            Instr::For(local) => self.open_for(local),
            Instr::Switch => self.open_switch(),
            Instr::Arm(values) => self.arm(values),
            Instr::Default => self.default(),
            Instr::End => self.end(),
            Instr::Break(depth) => self.leave_loop(depth),
            Instr::Continue(depth) => self.repeat_loop(depth),
            _ => Err(Violation::Misplaced("an instruction of the whole language")),
        }
    }

    // Operands

    pub fn push(&mut self, ty: Type, depth: usize) -> Result {
        self.push_operand(Operand { ty, borrows: None, depth })
    }

    fn push_operand(&mut self, operand: Operand) -> Result {
        limit("operands on the stack", self.operands.len() + 1, limits::OPERANDS)?;
        limit("operators inside one another", operand.depth, limits::EXPRESSION_DEPTH)?;
        self.operands.push(operand);
        Ok(())
    }

    /// Pops an operand of this type; returns the height of its tree. Operands below the innermost
    /// open tree are out of reach.
    pub fn pop(&mut self, expected: Type) -> Result<usize> {
        let operand = self.pop_any(expected)?;
        if operand.ty == expected {
            Ok(operand.depth)
        } else {
            Err(Violation::Mismatch { expected, found: operand.ty })
        }
    }

    pub fn pop_any(&mut self, expected: Type) -> Result<Operand> {
        if self.operands.len() <= self.base() {
            return Err(Violation::MissingOperand(expected));
        }
        self.operands.pop().ok_or(Violation::MissingOperand(expected))
    }

    /// Pops operands, the last one first; returns the height of the tallest tree.
    fn pop_all(&mut self, types: impl DoubleEndedIterator<Item = Type>) -> Result<usize> {
        types.rev().try_fold(0, |deepest, ty| self.pop(ty).map(|depth| depth.max(deepest)))
    }

    /// A statement has taken its operands: none may be left, and no tree be open.
    pub fn end_statement(&mut self) -> Result {
        if self.frames.last().is_some_and(Frame::is_tree) {
            return Err(Violation::StatementInTree);
        }
        match self.operands.len() {
            0 => Ok(()),
            count => Err(Violation::LeftOver(count)),
        }
    }

    /// The same for a statement that control does not pass.
    pub fn terminate(&mut self) -> Result {
        self.end_statement()?;
        self.flow = None;
        Ok(())
    }

    fn operator(&mut self, op: Op) -> Result {
        let info = op.info();
        if op.touches_memory() && self.module.memory.is_none() {
            return Err(Violation::NoMemory);
        }
        let depth = self.pop_all(info.params.iter().copied())?;
        match info.result {
            Some(ty) => self.push(ty, depth + 1),
            None => self.end_statement(),
        }
    }

    // Locals

    pub fn local(&self, id: LocalId) -> Result<Type> {
        let count = self.func.sig.params.len() + self.func.locals.len();
        self.func.local_type(id.index()).ok_or(Violation::NoSuch { what: "local", index: id.0, count })
    }

    fn get(&mut self, id: LocalId) -> Result {
        let ty = self.local(id)?;
        if !self.flow.as_ref().is_some_and(|flow| flow.has(id)) {
            return Err(if ty == Type::Buf { Violation::Moved(id) } else { Violation::Unset(id) });
        }
        if ty == Type::Buf {
            return self.push_operand(Operand { ty: Type::BufRef, borrows: Some(id), depth: 0 });
        }
        self.push(ty, 0)
    }

    fn take(&mut self, id: LocalId) -> Result {
        match self.local(id)? {
            Type::Buf => {}
            Type::BufRef => return Err(Violation::NotOwned(id)),
            found => return Err(Violation::Mismatch { expected: Type::Buf, found }),
        }
        let Some(flow) = self.flow.as_mut().filter(|flow| flow.has(id)) else {
            return Err(Violation::Moved(id));
        };
        if self.operands.iter().any(|operand| operand.borrows == Some(id)) {
            return Err(Violation::Borrowed(id));
        }
        flow.remove(id);
        self.push(Type::Buf, 0)
    }

    pub fn assign(&mut self, id: LocalId) {
        if let Some(flow) = &mut self.flow {
            flow.add(id);
        }
    }

    /// Assigns values of these types to the destinations.
    fn assign_all(&mut self, dests: Dests<'m>, types: impl ExactSizeIterator<Item = Type>) -> Result {
        let (expected, found) = (types.len(), dests.len());
        if expected != found {
            return Err(Violation::DestCount { expected, found });
        }
        for (at, (dest, ty)) in dests.iter().zip(types).enumerate() {
            let Some(id) = dest else { continue };
            match self.local(id)? {
                Type::BufRef => return Err(Violation::NotOwned(id)),
                local if local != ty => return Err(Violation::Mismatch { expected: local, found: ty }),
                _ => {}
            }
            if dests.iter().take(at).any(|other| other == dest) {
                return Err(Violation::DestTwice(id));
            }
            self.assign(id);
        }
        Ok(())
    }

    fn set(&mut self, dests: Dests<'m>) -> Result {
        limit("destinations of one assignment", dests.len(), limits::DESTS)?;
        if dests.is_empty() {
            return Err(Violation::DestCount { expected: 1, found: 0 });
        }
        // Any type can be discarded, so the values say what is assigned, and `assign_all` compares.
        let mut types = Vec::with_capacity(dests.len());
        for _ in 0..dests.len() {
            let found = self.pop_any(Type::I32)?.ty;
            if found == Type::BufRef {
                return Err(Violation::Mismatch { expected: Type::Buf, found });
            }
            types.push(found);
        }
        self.end_statement()?;
        self.assign_all(dests, types.into_iter().rev())
    }

    // Globals, literals, functions

    fn global(&self, id: GlobalId) -> Result<Type> {
        let count = self.module.globals.len();
        self.module.global_type(id).ok_or(Violation::NoSuch { what: "global", index: id.0, count })
    }

    fn set_global(&mut self, id: GlobalId) -> Result {
        let ty = self.global(id)?;
        if !self.module.globals.get(id.index()).is_some_and(|global| global.mutable) {
            return Err(Violation::Immutable(id.0));
        }
        self.pop(ty)?;
        self.end_statement()
    }

    fn callee(&self, id: FuncId) -> Result<&'m Func> {
        let count = self.module.funcs.len();
        let func =
            self.module.funcs.get(id.index()).ok_or(Violation::NoSuch { what: "function", index: id.0, count })?;
        match self.roles.get(id.index()) {
            Some(Role::Plain) => Ok(func),
            _ => Err(Violation::CallsEntry(self.module.func_name(id))),
        }
    }

    fn call(&mut self, id: FuncId) -> Result {
        let sig = &self.callee(id)?.sig;
        let [result] = sig.results[..] else {
            return Err(Violation::NotOneResult { name: self.module.func_name(id), results: sig.results.len() });
        };
        let depth = self.pop_all(sig.params.iter().copied())?;
        self.push(result, depth + 1)
    }

    fn call_set(&mut self, id: FuncId, dests: Dests<'m>) -> Result {
        let sig = &self.callee(id)?.sig;
        self.pop_all(sig.params.iter().copied())?;
        self.end_statement()?;
        self.assign_all(dests, sig.results.iter().copied())
    }

    fn leave_function(&mut self) -> Result {
        let func = self.func;
        self.pop_all(func.sig.results.iter().copied())?;
        self.terminate()
    }

    fn trap(&mut self, id: StrId) -> Result {
        literal(self.module, id)?;
        self.terminate()
    }

    fn assert(&mut self, id: StrId) -> Result {
        literal(self.module, id)?;
        self.pop(Type::Bool)?;
        self.end_statement()
    }

    fn fail(&mut self) -> Result {
        if self.role != Role::Op {
            return Err(Violation::FailOutsideOp);
        }
        self.pop(Type::I32)?;
        self.terminate()
    }

    // Device instructions

    fn capability(&self, id: UseId) -> Result<&'m InstructionSet> {
        let module = self.module;
        let count = module.uses.len();
        let wanted = module.uses.get(id.index());
        let set = wanted.and_then(|wanted| module.isas.get(wanted.isa.index()));
        set.ok_or(Violation::NoSuch { what: "capability", index: id.0, count })
    }

    fn instruction(&self, target: UseId, opcode: u8) -> Result<&'m Instruction> {
        let set = self.capability(target)?;
        let count = set.instructions.len();
        set.instruction(opcode).ok_or(Violation::NoSuch { what: "instruction", index: u32::from(opcode), count })
    }

    fn sent_name(&self, target: UseId, instruction: &Instruction) -> String {
        let target = self.module.uses.get(target.index()).map_or("", |wanted| &wanted.name);
        alloc::format!("{target}.{}", instruction.name)
    }

    fn send(&mut self, target: UseId, opcode: u8) -> Result {
        let instruction = self.instruction(target, opcode)?;
        let name = || self.sent_name(target, instruction);
        let result = match instruction.results.as_deref() {
            Some([result]) => result.ty,
            Some(results) => return Err(Violation::NotOneResult { name: name(), results: results.len() }),
            None => return Err(Violation::Streamed(name())),
        };
        let depth = self.pop_all(instruction.params.iter().map(|param| param.ty))?;
        self.push(result, depth + 1)
    }

    fn send_set(&mut self, target: UseId, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.instruction(target, opcode)?;
        self.pop_all(instruction.params.iter().map(|param| param.ty))?;
        self.end_statement()?;
        let results = instruction.results.as_deref().unwrap_or_default();
        self.assign_all(dests, results.iter().map(|result| result.ty))
    }

    fn try_set(&mut self, target: UseId, opcode: u8, dests: Dests<'m>) -> Result {
        let instruction = self.instruction(target, opcode)?;
        let Some(results) = instruction.results.as_deref() else {
            return Err(Violation::Streamed(self.sent_name(target, instruction)));
        };
        self.pop_all(instruction.params.iter().map(|param| param.ty))?;
        self.end_statement()?;
        let mut types = Vec::with_capacity(results.len() + 1);
        types.push(Type::I32);
        types.extend(results.iter().map(|result| result.ty));
        self.assign_all(dests, types.into_iter())
    }

    fn emit(&mut self, number: u8) -> Result {
        let provided = self.module.provides.as_ref().ok_or(Violation::EmitWithoutSet)?;
        let set = self.module.isas.get(provided.isa.index()).ok_or(Violation::EmitWithoutSet)?;
        let count = set.events.len();
        let missing = Violation::NoSuch { what: "event", index: u32::from(number), count };
        let event = set.event(number).ok_or(missing)?;
        self.pop_all(event.params.iter().map(|param| param.ty))?;
        self.end_statement()
    }
}
