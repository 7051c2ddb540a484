//! One pass over one body: operands, locals, globals. Constructs are in `control`, calls and device instructions in
//! `calls`, objects and references in `objects`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::control::Frame;
use super::error::Violation;
use super::rule::{Result, ensure, refuse, some};
use super::state::{Available, Flow, Spare};
use super::tables::limit;
use super::{Context, Role};
use crate::instr::{Dests, Instr, Reader};
use crate::op::{Immediate, Op};
use crate::{DataId, Func, FuncId, GlobalId, LocalId, MemoryId, StrId, Type, TypeId, limits};

/// Of so many destinations each is compared with each.
const FEW: usize = 16;

/// An error comes with the offset of its instruction.
type Located = core::result::Result<(), (u32, Box<Violation>)>;

/// A value on the operand stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub ty: Type,
    pub source: Source,
    /// Height of the tree that computes it.
    pub depth: u32,
}

/// Where an operand comes from, as far as a rule asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Somewhere.
    Value,
    /// A `ref buf` of this `buf` local.
    Borrow(LocalId),
    /// The constant null.
    Null,
}

/// The state of the pass. Its allocations serve one body after the other.
pub(super) struct Body<'m> {
    pub context: Context<'m>,
    pub role: Role,
    /// Whether only what a pure function may do is allowed.
    pub pure: bool,
    /// Whether this is a global's initial value.
    constant: bool,
    pub results: &'m [Type],
    /// Types of the locals, parameters first.
    pub locals: Vec<Type>,
    pub operands: Vec<Operand>,
    pub frames: Vec<Frame>,
    /// Indices into `frames` of the loops and blocks among them.
    pub loops: Vec<usize>,
    /// Values of the arms of all open switches, outermost first.
    pub arms: Vec<i64>,
    pub flow: Flow,
    pub spare: Spare,
}

impl<'m> Body<'m> {
    pub fn new(context: Context<'m>) -> Self {
        Body {
            context,
            role: Role::Plain,
            pure: false,
            constant: false,
            results: &[],
            locals: Vec::new(),
            operands: Vec::new(),
            frames: Vec::new(),
            loops: Vec::new(),
            arms: Vec::new(),
            flow: None,
            spare: Spare::default(),
        }
    }

    /// Checks a function's body; `observe` sees the state before each instruction and at the end.
    pub fn function(&mut self, id: FuncId, mut observe: impl FnMut(u32, &Self)) -> Located {
        let Some(func) = self.context.module.funcs.get(id.index()) else { return Ok(()) };
        self.enter(func, self.context.roles.get(id.index()).copied().unwrap_or(Role::Plain));
        let mut reader = Reader::new(&func.body);
        loop {
            let offset = reader.offset();
            observe(offset, self);
            let step = match reader.next() {
                Ok(Some(instr)) => self.instr(instr),
                Ok(None) => return self.finish().map_err(|kind| (offset, kind)),
                Err(error) => self.malformed(error),
            };
            step.map_err(|kind| (offset, kind))?;
        }
    }

    /// Checks a global's initial value: one tree of constants.
    pub fn global(&mut self, id: GlobalId) -> Located {
        let Some(global) = self.context.module.globals.get(id.index()) else { return Ok(()) };
        self.reset(&[], &[]);
        self.constant = true;
        (self.role, self.pure, self.results) = (Role::Plain, false, &[]);
        let mut reader = Reader::new(&global.init);
        loop {
            let offset = reader.offset();
            let step = match reader.next() {
                Ok(Some(instr)) => self.constant(instr),
                Ok(None) => return self.finish_constant(global.ty).map_err(|kind| (offset, kind)),
                Err(error) => self.malformed(error),
            };
            step.map_err(|kind| (offset, kind))?;
        }
    }

    fn malformed(&self, error: crate::instr::DecodeError) -> Result {
        refuse!(Violation::Malformed(error))
    }

    fn enter(&mut self, func: &'m Func, role: Role) {
        self.reset(&func.sig.params, &func.locals);
        self.constant = false;
        self.role = role;
        self.pure = func.pure || matches!(role, Role::Program(_));
        self.results = &func.sig.results;
    }

    fn reset(&mut self, params: &[Type], locals: &[Type]) {
        self.locals.clear();
        self.locals.extend_from_slice(params);
        self.locals.extend_from_slice(locals);
        let last = self.flow.take();
        self.spare.give(last);
        let mut state: Available = self.spare.take();
        state.reset(params.len(), self.locals.len());
        self.flow = Some(state);
    }

    /// The body has been read.
    fn finish(&self) -> Result {
        ensure!(self.frames.is_empty() && self.operands.is_empty(), Violation::Unfinished);
        ensure!(self.flow.is_none() || self.results.is_empty(), Violation::MissingReturn);
        Ok(())
    }

    fn finish_constant(&mut self, ty: Type) -> Result {
        self.pop(ty)?;
        ensure!(self.operands.is_empty(), Violation::LeftOver(self.operands.len()));
        Ok(())
    }

    fn instr(&mut self, instr: Instr<'m>) -> Result {
        self.may_stand_here(&instr)?;
        match instr {
            Instr::I32Const(_) => self.push(Type::I32, 0),
            Instr::I64Const(_) => self.push(Type::I64, 0),
            Instr::F32Const(_) => self.push(Type::F32, 0),
            Instr::F64Const(_) => self.push(Type::F64, 0),
            Instr::BoolConst(_) => self.push(Type::Bool, 0),
            Instr::StrConst(id) => self.text(id),
            Instr::Null(ty) => self.null(ty),
            Instr::Get(id) => self.get(id),
            Instr::Take(id) => self.take(id),
            Instr::GlobalGet(id) => self.global_get(id),
            Instr::GlobalTake(id) => self.global_take(id),
            Instr::GlobalSet(id) => self.global_set(id),
            Instr::Op(op, immediate) => self.operator(op, immediate),
            Instr::Shuffle(lanes) => self.shuffle(lanes),
            Instr::Select(ty) => self.select(ty),
            Instr::MemoryInit(data, memory) => self.memory_init(data, memory),
            Instr::DataDrop(data) => self.data_drop(data),
            Instr::Exit => self.exit(),
            Instr::Set(dests) => self.set(dests),
            Instr::StructNew(id) => self.struct_new(id),
            Instr::FieldGet(id, field) => self.field_get(id, field),
            Instr::FieldTake(id, field) => self.field_take(id, field),
            Instr::FieldSet(id, field) => self.field_set(id, field),
            Instr::ArrayNew(id) => self.array_new(id),
            Instr::ArrayOf(id, count) => self.array_of(id, count),
            Instr::ArrayGet(id) => self.array_get(id),
            Instr::ArrayTake(id) => self.array_take(id),
            Instr::ArraySet(id) => self.array_set(id),
            Instr::ArrayLen => self.array_len(),
            Instr::RefEq | Instr::RefNe => self.identity(),
            Instr::Is(ty) => self.is(ty),
            Instr::As(ty) => self.cast(ty),
            Instr::Freeze => self.freeze(),
            Instr::FuncRef(id, ty) => self.func_ref(id, ty),
            Instr::Call(id) => self.call(id),
            Instr::CallSet(id, dests) => self.call_set(id, dests),
            Instr::CallRef(ty) => self.call_ref(ty),
            Instr::CallRefSet(ty, dests) => self.call_ref_set(ty, dests),
            Instr::Return => self.leave_function(),
            Instr::ReturnCall(id) => self.return_call(id),
            Instr::ReturnCallRef(ty) => self.return_call_ref(ty),
            Instr::Cap(id, ty) => self.cap(id, ty),
            Instr::Attenuate(ty) => self.attenuate(ty),
            Instr::Revoke => self.revoke(),
            Instr::Flush(id) => self.flush(id),
            Instr::FlushCap => self.flush_cap(),
            Instr::Caller => self.caller(),
            Instr::Send(target, opcode) => self.send(target, opcode),
            Instr::Try(target, opcode) => self.try_(target, opcode),
            Instr::SendSet(target, opcode, dests) => self.send_set(target, opcode, dests),
            Instr::TrySet(target, opcode, dests) => self.try_set(target, opcode, dests),
            Instr::SendTo(ty, opcode) => self.send_to(ty, opcode),
            Instr::TryTo(ty, opcode) => self.try_to(ty, opcode),
            Instr::SendToSet(ty, opcode, dests) => self.send_to_set(ty, opcode, dests),
            Instr::TryToSet(ty, opcode, dests) => self.try_to_set(ty, opcode, dests),
            Instr::Own(opcode) => self.own(opcode),
            Instr::OwnTry(opcode) => self.own_try(opcode),
            Instr::OwnSet(opcode, dests) => self.own_set(opcode, dests),
            Instr::OwnTrySet(opcode, dests) => self.own_try_set(opcode, dests),
            Instr::RunSet(target, program, dests) => self.run_set(target, program, dests),
            Instr::RunTrySet(target, program, dests) => self.run_try_set(target, program, dests),
            Instr::RunSend(target, program) => self.run_send(target, program),
            Instr::Emit(provided, number) => self.emit(provided, number),
            Instr::EmitTo(provided, number) => self.emit_to(provided, number),
            Instr::Fail => self.fail(),
            Instr::Forward(target, opcode) => self.forward(target, opcode),
            Instr::ForwardTo(ty, opcode) => self.forward_to(ty, opcode),
            Instr::Trap(id) => self.trap(id),
            Instr::Assert(id) => self.assert(id),
            Instr::Wait => self.wait("wait"),
            Instr::WaitForever => self.wait("wait_forever"),
            Instr::Cond(ty) => self.open_cond(ty),
            Instr::Test => self.test(),
            Instr::If => self.open_if(),
            Instr::IfAs(ty, local) => self.open_if_as(ty, local),
            Instr::Else => self.open_else(),
            Instr::Block => self.open_block(),
            Instr::Loop => self.open_loop(),
            Instr::While => self.open_while(),
            Instr::For(local) => self.open_for(local),
            Instr::Switch => self.open_switch(),
            Instr::Arm(values) => self.arm(values),
            Instr::Default => self.default(),
            Instr::End => self.end(),
            Instr::Break(depth) => self.leave_loop(depth),
            Instr::Continue(depth) => self.repeat_loop(depth),
        }
    }

    /// The instructions that a global's initial value is made of.
    fn constant(&mut self, instr: Instr<'m>) -> Result {
        match instr {
            Instr::I32Const(_) | Instr::I64Const(_) | Instr::F32Const(_) | Instr::F64Const(_) => self.instr(instr),
            Instr::BoolConst(_) | Instr::StrConst(_) | Instr::Null(_) | Instr::FuncRef(..) => self.instr(instr),
            Instr::StructNew(_) | Instr::ArrayNew(_) | Instr::ArrayOf(..) => self.instr(instr),
            // There is no other way to write a vector.
            Instr::Op(Op::V128FromI64s, _) => self.instr(instr),
            Instr::Get(_) | Instr::Take(_) | Instr::GlobalGet(_) | Instr::GlobalTake(_) | Instr::GlobalSet(_) => {
                refuse!(Violation::NotConstant)
            }
            Instr::Op(..) | Instr::Shuffle(_) | Instr::Select(_) | Instr::Set(_) | Instr::Freeze => {
                refuse!(Violation::NotConstant)
            }
            Instr::MemoryInit(..) | Instr::DataDrop(_) | Instr::Exit | Instr::Block => refuse!(Violation::NotConstant),
            Instr::FieldGet(..) | Instr::FieldTake(..) | Instr::FieldSet(..) | Instr::ArrayLen => {
                refuse!(Violation::NotConstant)
            }
            Instr::ArrayGet(_) | Instr::ArrayTake(_) | Instr::ArraySet(_) => refuse!(Violation::NotConstant),
            Instr::RefEq | Instr::RefNe | Instr::Is(_) | Instr::As(_) => refuse!(Violation::NotConstant),
            Instr::Call(_) | Instr::CallSet(..) | Instr::CallRef(_) | Instr::CallRefSet(..) => {
                refuse!(Violation::NotConstant)
            }
            Instr::Return | Instr::ReturnCall(_) | Instr::ReturnCallRef(_) => refuse!(Violation::NotConstant),
            Instr::Cap(..) | Instr::Attenuate(_) | Instr::Revoke | Instr::Flush(_) | Instr::FlushCap => {
                refuse!(Violation::NotConstant)
            }
            Instr::Caller | Instr::Send(..) | Instr::Try(..) | Instr::SendSet(..) | Instr::TrySet(..) => {
                refuse!(Violation::NotConstant)
            }
            Instr::SendTo(..) | Instr::TryTo(..) | Instr::SendToSet(..) | Instr::TryToSet(..) => {
                refuse!(Violation::NotConstant)
            }
            Instr::Own(_) | Instr::OwnTry(_) | Instr::OwnSet(..) | Instr::OwnTrySet(..) => {
                refuse!(Violation::NotConstant)
            }
            Instr::RunSet(..) | Instr::RunTrySet(..) | Instr::RunSend(..) | Instr::Fail => {
                refuse!(Violation::NotConstant)
            }
            Instr::Forward(..) | Instr::ForwardTo(..) | Instr::Emit(..) | Instr::EmitTo(..) => {
                refuse!(Violation::NotConstant)
            }
            Instr::Trap(_) | Instr::Assert(_) | Instr::Wait | Instr::WaitForever => refuse!(Violation::NotConstant),
            Instr::Cond(_) | Instr::Test | Instr::If | Instr::IfAs(..) | Instr::Else | Instr::End => {
                refuse!(Violation::NotConstant)
            }
            Instr::Loop | Instr::While | Instr::For(_) | Instr::Break(_) | Instr::Continue(_) => {
                refuse!(Violation::NotConstant)
            }
            Instr::Switch | Instr::Arm(_) | Instr::Default => refuse!(Violation::NotConstant),
        }
    }

    // Operands

    pub fn push(&mut self, ty: Type, depth: u32) -> Result {
        self.push_operand(Operand { ty, source: Source::Value, depth })
    }

    pub fn push_operand(&mut self, operand: Operand) -> Result {
        let (what, most) = match self.constant {
            true => ("values in a global's initial value", limits::INIT_OPERANDS),
            false => ("operands on the stack", limits::OPERANDS),
        };
        limit(what, self.operands.len() + 1, most)?;
        limit("operators inside one another", operand.depth as usize, limits::EXPRESSION_DEPTH)?;
        self.operands.push(operand);
        Ok(())
    }

    /// Refuses an array literal that is too long for a body; in a global's initial value its operands are limited.
    #[cfg_attr(test, track_caller)]
    pub fn limit_literal(&self, count: u32) -> Result {
        match self.constant {
            true => Ok(()),
            false => limit("elements of an array literal in a body", count as usize, limits::ARRAY_LITERAL),
        }
    }

    pub fn is_subtype(&self, sub: Type, sup: Type) -> bool {
        sub == sup || self.context.hierarchy.is_subtype(sub, sup)
    }

    /// Refuses a value of type `found` where one of type `expected` is needed.
    #[cfg_attr(test, track_caller)]
    pub fn fits(&self, found: Type, expected: Type) -> Result {
        ensure!(self.is_subtype(found, expected), Violation::Mismatch { expected, found });
        Ok(())
    }

    /// Pops an operand of this type or a subtype; returns the height of its tree. Operands below the innermost
    /// open tree are out of reach.
    #[cfg_attr(test, track_caller)]
    pub fn pop(&mut self, expected: Type) -> Result<u32> {
        let operand = self.pop_any(expected)?;
        self.fits(operand.ty, expected)?;
        Ok(operand.depth)
    }

    #[cfg_attr(test, track_caller)]
    pub fn pop_any(&mut self, expected: Type) -> Result<Operand> {
        let within_reach = self.operands.len() > self.base();
        let operand = if within_reach { self.operands.pop() } else { None };
        Ok(some!(operand, Violation::MissingOperand(expected)))
    }

    /// Pops operands, the last one first; returns the height of the tallest tree.
    pub fn pop_all(&mut self, types: impl DoubleEndedIterator<Item = Type>) -> Result<u32> {
        types.rev().try_fold(0, |deepest, ty| self.pop(ty).map(|depth| depth.max(deepest)))
    }

    /// A statement has taken its operands: none may be left, and no tree be open.
    #[cfg_attr(test, track_caller)]
    pub fn end_statement(&mut self) -> Result {
        ensure!(!self.frames.last().is_some_and(Frame::is_tree), Violation::StatementInTree);
        ensure!(self.operands.is_empty(), Violation::LeftOver(self.operands.len()));
        Ok(())
    }

    /// The same for a statement that control does not pass.
    #[cfg_attr(test, track_caller)]
    pub fn terminate(&mut self) -> Result {
        self.end_statement()?;
        let last = self.flow.take();
        self.spare.give(last);
        Ok(())
    }

    /// Refuses what pure functions and programs cannot do.
    #[cfg_attr(test, track_caller)]
    pub fn impure(&self, what: &'static str) -> Result {
        ensure!(!self.pure, Violation::Impure(what));
        Ok(())
    }

    fn operator(&mut self, op: Op, immediate: Immediate) -> Result {
        let info = op.info();
        if op.touches_memory() {
            self.impure("use the memory")?;
            self.memory(immediate.memory)?;
            self.memory(immediate.from)?;
        }
        if let Some(lanes) = info.form.lanes() {
            ensure!(immediate.lane < lanes, Violation::Lane { lane: immediate.lane, lanes });
        }
        let depth = self.pop_all(info.params.iter().copied())?;
        match info.result {
            Some(ty) => self.push(ty, depth + 1),
            None => self.end_statement(),
        }
    }

    #[cfg_attr(test, track_caller)]
    fn memory(&self, id: MemoryId) -> Result {
        let count = self.context.module.memories.len();
        let missing = match count {
            0 => Violation::NoMemory,
            _ => Violation::NoSuch { what: "memory", index: id.0, count },
        };
        ensure!(id.index() < count, missing);
        Ok(())
    }

    #[cfg_attr(test, track_caller)]
    fn data(&self, id: DataId) -> Result {
        let count = self.context.module.data.len();
        ensure!(id.index() < count, Violation::NoSuch { what: "data segment", index: id.0, count });
        Ok(())
    }

    fn memory_init(&mut self, data: DataId, memory: MemoryId) -> Result {
        self.impure("use the memory")?;
        self.data(data)?;
        self.memory(memory)?;
        self.pop_all([Type::I32; 3].into_iter())?;
        self.end_statement()
    }

    fn data_drop(&mut self, data: DataId) -> Result {
        self.impure("drop a data segment")?;
        self.data(data)?;
        self.end_statement()
    }

    fn exit(&mut self) -> Result {
        self.impure("end the VM")?;
        self.pop(Type::I32)?;
        self.terminate()
    }

    /// All three are on the stack, so a `buf` that is not chosen would be left there.
    fn select(&mut self, ty: Type) -> Result {
        self.known(ty)?;
        let movable = ty.is_affine() || ty == Type::BufRef;
        ensure!(!movable, Violation::TypeNotAllowed { place: "`select`", ty });
        let depth = self.pop_all([ty, ty, Type::Bool].into_iter())?;
        self.push(ty, depth + 1)
    }

    fn shuffle(&mut self, lanes: [u8; 16]) -> Result {
        for lane in lanes {
            ensure!(lane < 32, Violation::Lane { lane, lanes: 32 });
        }
        let second = self.pop(Type::V128)?;
        let first = self.pop(Type::V128)?;
        self.push(Type::V128, first.max(second) + 1)
    }

    fn null(&mut self, ty: Type) -> Result {
        self.known(ty)?;
        ensure!(ty.is_nullable(), Violation::NotNullable(ty));
        self.push_operand(Operand { ty, source: Source::Null, depth: 0 })
    }

    /// Refuses a type whose definition does not exist.
    #[cfg_attr(test, track_caller)]
    pub fn known(&self, ty: Type) -> Result {
        match ty.def() {
            Some(id) => self.defined(id),
            None => Ok(()),
        }
    }

    #[cfg_attr(test, track_caller)]
    pub fn defined(&self, id: TypeId) -> Result {
        let count = self.context.module.types.len();
        ensure!(id.index() < count, Violation::NoSuch { what: "type", index: id.0, count });
        Ok(())
    }

    // Locals

    #[cfg_attr(test, track_caller)]
    pub fn local(&self, id: LocalId) -> Result<Type> {
        let count = self.locals.len();
        Ok(*some!(self.locals.get(id.index()), Violation::NoSuch { what: "local", index: id.0, count }))
    }

    fn is_available(&self, id: LocalId) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.has(id))
    }

    fn get(&mut self, id: LocalId) -> Result {
        let ty = self.local(id)?;
        ensure!(ty != Type::OptBuf, Violation::ReadsOptBuf);
        if ty == Type::Buf {
            ensure!(self.is_available(id), Violation::Moved(id));
            return self.push_operand(Operand { ty: Type::BufRef, source: Source::Borrow(id), depth: 0 });
        }
        ensure!(self.is_available(id), Violation::Unset(id));
        self.push(ty, 0)
    }

    fn take(&mut self, id: LocalId) -> Result {
        let ty = self.local(id)?;
        ensure!(ty != Type::BufRef, Violation::NotOwned(id));
        ensure!(ty.is_affine(), Violation::Mismatch { expected: Type::Buf, found: ty });
        ensure!(self.is_available(id), Violation::Moved(id));
        let borrowed = self.operands.iter().any(|operand| operand.source == Source::Borrow(id));
        ensure!(!borrowed, Violation::Borrowed(id));
        if let Some(flow) = &mut self.flow {
            flow.remove(id);
        }
        self.push(ty, 0)
    }

    pub fn assign(&mut self, id: LocalId) {
        if let Some(flow) = &mut self.flow {
            flow.add(id);
        }
    }

    /// Assigns values of these types to the destinations.
    #[cfg_attr(test, track_caller)]
    pub fn assign_all(&mut self, dests: Dests<'m>, types: impl ExactSizeIterator<Item = Type>) -> Result {
        let (expected, found) = (types.len(), dests.len());
        ensure!(expected == found, Violation::DestCount { expected, found });
        self.assign_each(dests, types)
    }

    #[cfg_attr(test, track_caller)]
    fn assign_each(&mut self, dests: Dests<'m>, types: impl Iterator<Item = Type>) -> Result {
        let twin = twin(dests);
        for (at, (dest, ty)) in dests.iter().zip(types).enumerate() {
            let Some(id) = dest else { continue };
            let local = self.local(id)?;
            ensure!(local != Type::BufRef, Violation::NotOwned(id));
            self.fits(ty, local)?;
            ensure!(twin != Some(at), Violation::DestTwice(id));
            self.assign(id);
        }
        Ok(())
    }

    fn set(&mut self, dests: Dests<'m>) -> Result {
        limit("destinations of one assignment", dests.len(), limits::DESTS)?;
        ensure!(!dests.is_empty(), Violation::DestCount { expected: 1, found: 0 });
        // Nearly all are of one local, for which the room for many need not be cleared.
        let (mut one, mut many);
        let types: &mut [Type] = if dests.len() == 1 {
            one = [Type::I32];
            &mut one
        } else {
            many = [Type::I32; limits::DESTS];
            many.get_mut(..dests.len()).unwrap_or_default()
        };
        self.set_all(dests, types)
    }

    /// Any type can be discarded, so the values say what is assigned.
    #[cfg_attr(test, track_caller)]
    fn set_all(&mut self, dests: Dests<'m>, types: &mut [Type]) -> Result {
        for ty in types.iter_mut().rev() {
            *ty = self.pop_any(Type::I32)?.ty;
            ensure!(*ty != Type::BufRef, Violation::Mismatch { expected: Type::Buf, found: *ty });
        }
        self.end_statement()?;
        self.assign_each(dests, types.iter().copied())
    }

    // Globals and literals

    #[cfg_attr(test, track_caller)]
    fn global_type(&self, id: GlobalId) -> Result<(Type, bool)> {
        let globals = &self.context.module.globals;
        let missing = Violation::NoSuch { what: "global", index: id.0, count: globals.len() };
        let global = some!(globals.get(id.index()), missing);
        Ok((global.ty, global.mutable))
    }

    fn global_get(&mut self, id: GlobalId) -> Result {
        let (ty, mutable) = self.global_type(id)?;
        // A program runs in another VM, where this one's globals are not.
        if matches!(self.role, Role::Program(_)) {
            self.impure("read a global")?;
        }
        if mutable {
            self.impure("read a mutable global")?;
        }
        ensure!(ty != Type::OptBuf, Violation::ReadsOptBuf);
        self.push(ty, 0)
    }

    fn global_take(&mut self, id: GlobalId) -> Result {
        let (ty, _) = self.global_type(id)?;
        self.impure("read a mutable global")?;
        ensure!(ty == Type::OptBuf, Violation::TakesOther(ty));
        self.push(ty, 0)
    }

    fn global_set(&mut self, id: GlobalId) -> Result {
        let (ty, mutable) = self.global_type(id)?;
        ensure!(mutable, Violation::Immutable(id.0));
        self.impure("assign a global")?;
        self.pop(ty)?;
        self.end_statement()
    }

    #[cfg_attr(test, track_caller)]
    fn literal(&self, id: StrId) -> Result {
        let count = self.context.module.strings.len();
        ensure!(id.index() < count, Violation::NoSuch { what: "literal", index: id.0, count });
        Ok(())
    }

    fn text(&mut self, id: StrId) -> Result {
        self.literal(id)?;
        self.push(Type::Str, 0)
    }

    fn trap(&mut self, id: StrId) -> Result {
        self.literal(id)?;
        self.terminate()
    }

    fn assert(&mut self, id: StrId) -> Result {
        self.literal(id)?;
        self.pop(Type::Bool)?;
        self.end_statement()
    }

    fn leave_function(&mut self) -> Result {
        self.pop_all(self.results.iter().copied())?;
        self.terminate()
    }
}

/// The first destination that stands before, too.
fn twin(dests: Dests<'_>) -> Option<usize> {
    if dests.len() <= FEW {
        let stands_before = |(at, dest): &(usize, Option<LocalId>)| dests.iter().take(*at).any(|other| other == *dest);
        let mut all = dests.iter().enumerate().filter(|(_, dest)| dest.is_some());
        return all.find(stands_before).map(|(at, _)| at);
    }
    let places = dests.iter().enumerate().filter_map(|(at, dest)| Some((dest?, at)));
    let mut all: Vec<(LocalId, usize)> = places.collect();
    all.sort_unstable();
    all.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min()
}
