//! Running: one instruction after the other.

use alloc::string::String;
use alloc::vec;

use il::instr::Instr;
use il::trap::{Status, TrapKind};
use il::{FuncId, GlobalId, LocalId, StrId, Type};

use crate::code::Jump;
use crate::device::{Deliver, Stop};
use crate::heap::Object;
use crate::machine::{Machine, Return};
use crate::outcome::{Outcome, Trap};
use crate::value::Value;
use crate::vector;

type Done = Result<(), Trap>;
type Stopped<'m> = Result<Option<Stop<'m>>, Trap>;

impl<'m> Machine<'m> {
    /// Goes on till something is wanted from outside.
    pub(crate) fn run(&mut self) -> Outcome {
        loop {
            if self.fuel == 0 {
                return self.stop(Stop::OutOfFuel);
            }
            self.fuel -= 1;
            match self.step() {
                Ok(None) => {}
                Ok(Some(stop)) => return self.stop(stop),
                Err(trap) => return self.die(trap),
            }
        }
    }

    /// Executes the next instruction, or returns at the end of the body.
    pub(crate) fn step(&mut self) -> Stopped<'m> {
        let frame = self.frame()?;
        let (code, at) = (frame.code, frame.at);
        frame.at += 1;
        let Some(step) = self.codes.get(code).and_then(|code| code.steps.get(at)) else {
            return Ok(self.leave_frame(vec![])?.then_some(Stop::Done));
        };
        let (instr, offset) = (step.instr, step.offset);
        if self.limits.check && !core::mem::take(&mut self.jumped) {
            self.check(offset)?;
        }
        self.instr(instr)
    }

    fn instr(&mut self, instr: Instr<'m>) -> Stopped<'m> {
        match instr {
            Instr::I32Const(value) => self.push(value)?,
            Instr::I64Const(value) => self.push(value)?,
            Instr::F32Const(bits) => self.stack.push(Value::F32(bits)),
            Instr::F64Const(bits) => self.stack.push(Value::F64(bits)),
            Instr::BoolConst(value) => self.push(value)?,
            Instr::StrConst(id) => self.push_literal(id)?,
            Instr::Null(_) => self.stack.push(Value::Null),
            Instr::Get(local) => {
                let value = self.local(local)?;
                self.stack.push(value);
            }
            Instr::Take(local) => {
                let value = self.local(local)?;
                self.set_local(local, None)?;
                self.stack.push(value);
            }
            Instr::GlobalGet(global) => {
                let value = *self.global(global)?;
                self.stack.push(value);
            }
            Instr::GlobalTake(global) => {
                let value = core::mem::replace(self.global(global)?, Value::Null);
                self.stack.push(value);
            }
            Instr::GlobalSet(global) => {
                let value = self.pop_value()?;
                *self.global(global)? = value;
            }
            Instr::Set(dests) => {
                let values = self.pop_values(dests.len())?;
                self.assign(dests, &values)?;
            }
            Instr::Op(op, immediate) => self.op(op, immediate)?,
            Instr::Shuffle(lanes) => {
                let b = self.pop()?;
                let a = self.pop()?;
                self.push(vector::shuffle(a, b, lanes))?;
            }
            Instr::StructNew(ty) => self.struct_new(ty)?,
            Instr::FieldGet(_, field) => self.field_get(field)?,
            Instr::FieldTake(_, field) => self.field_take(field)?,
            Instr::FieldSet(ty, field) => self.field_set(ty, field)?,
            Instr::ArrayNew(ty) => self.array_new(ty)?,
            Instr::ArrayOf(ty, count) => self.array_of(ty, count)?,
            Instr::ArrayGet(_) => self.array_get()?,
            Instr::ArrayTake(_) => self.array_take()?,
            Instr::ArraySet(ty) => self.array_set(ty)?,
            Instr::ArrayLen => self.array_len()?,
            Instr::RefEq => self.same(true)?,
            Instr::RefNe => self.same(false)?,
            Instr::Is(ty) => self.is(ty)?,
            Instr::As(ty) => self.cast(ty)?,
            Instr::Freeze => self.freeze()?,
            Instr::FuncRef(func, ty) => self.stack.push(Value::Func(func, ty)),
            Instr::Call(func) => self.call_func(func, Return::Push)?,
            Instr::CallSet(func, dests) => self.call_func(func, Return::Set(dests))?,
            Instr::CallRef(ty) => self.call_ref(ty, Return::Push)?,
            Instr::CallRefSet(ty, dests) => self.call_ref(ty, Return::Set(dests))?,
            Instr::Return => {
                let results = self.results()?;
                let values = self.pop_values(results)?;
                return Ok(self.leave_frame(values)?.then_some(Stop::Done));
            }
            Instr::ReturnCall(func) => self.return_call(func)?,
            Instr::ReturnCallRef(ty) => self.return_call_ref(ty)?,
            Instr::Trap(why) => return Err(self.explicit(TrapKind::Explicit, why)),
            Instr::Assert(why) => {
                if !self.pop::<bool>()? {
                    return Err(self.explicit(TrapKind::Assertion, why));
                }
            }
            Instr::Cap(target, _) => self.stack.push(Value::Cap(target.0)),
            Instr::Caller => self.push(self.caller)?,
            Instr::Attenuate(def) => return Ok(Some(Stop::Attenuate { slot: self.pop_cap()?, def })),
            Instr::Revoke => return Ok(Some(Stop::Revoke { slot: self.pop_cap()? })),
            Instr::Send(target, opcode) => return self.send(target, opcode, Deliver::Push),
            Instr::SendSet(target, opcode, dests) => return self.send(target, opcode, Deliver::Set(dests)),
            Instr::Try(target, opcode) => return self.send(target, opcode, Deliver::PushStatus),
            Instr::TrySet(target, opcode, dests) => return self.send(target, opcode, Deliver::SetStatus(dests)),
            Instr::SendTo(ty, opcode) => return self.send_to(ty, opcode, Deliver::Push),
            Instr::SendToSet(ty, opcode, dests) => return self.send_to(ty, opcode, Deliver::Set(dests)),
            Instr::TryTo(ty, opcode) => return self.send_to(ty, opcode, Deliver::PushStatus),
            Instr::TryToSet(ty, opcode, dests) => return self.send_to(ty, opcode, Deliver::SetStatus(dests)),
            Instr::Own(opcode) => return self.own(opcode, Deliver::Push),
            Instr::OwnSet(opcode, dests) => return self.own(opcode, Deliver::Set(dests)),
            Instr::OwnTry(opcode) => return self.own(opcode, Deliver::PushStatus),
            Instr::OwnTrySet(opcode, dests) => return self.own(opcode, Deliver::SetStatus(dests)),
            Instr::RunSet(target, program, dests) => return self.run_program(target, program, Deliver::Set(dests)),
            Instr::RunTrySet(target, program, dests) => {
                return self.run_program(target, program, Deliver::SetStatus(dests));
            }
            Instr::RunSend(target, program) => return self.run_program(target, program, Deliver::None),
            Instr::Emit(provided, number) => return self.emit(provided, number, false),
            Instr::EmitTo(provided, number) => return self.emit(provided, number, true),
            Instr::Fail => return Ok(Some(Stop::Fail(failure(self.pop()?)))),
            Instr::Forward(target, opcode) => return self.send(target, opcode, Deliver::Caller),
            Instr::ForwardTo(ty, opcode) => return self.send_to(ty, opcode, Deliver::Caller),
            Instr::Wait => return Ok(Some(Stop::Wait)),
            Instr::WaitForever => return Ok(Some(Stop::WaitForever)),
            Instr::Flush(target) => return Ok(Some(Stop::Flush { slot: target.index() })),
            Instr::FlushCap => return Ok(Some(Stop::Flush { slot: self.pop_cap()? })),
            Instr::If | Instr::Test => {
                if !self.pop::<bool>()? {
                    self.jump()?;
                }
            }
            Instr::IfAs(ty, local) => self.if_as(ty, local)?,
            Instr::For(local) => self.begin_for(local)?,
            Instr::Switch => self.switch()?,
            // Control comes here from the branch or arm before, which is over.
            Instr::Else | Instr::Arm(_) | Instr::Default | Instr::Break(_) => self.jump()?,
            Instr::Continue(_) => {
                self.jumped = true;
                self.jump()?;
            }
            Instr::End => self.end()?,
            Instr::Cond(_) | Instr::Loop | Instr::While | Instr::Block => {}
            Instr::Select(_) => self.select()?,
            Instr::MemoryInit(data, memory) => self.memory_init(data, memory)?,
            Instr::DataDrop(data) => self.drop_data(data),
            Instr::Exit => return Ok(Some(Stop::Exit(self.pop()?))),
        }
        Ok(None)
    }

    fn select(&mut self) -> Done {
        let first = self.pop::<bool>()?;
        let b = self.pop_value()?;
        let a = self.pop_value()?;
        self.stack.push(if first { a } else { b });
        Ok(())
    }

    // Literals and globals.

    fn push_literal(&mut self, id: StrId) -> Done {
        let handle = self.literals.get(id.index()).copied().ok_or_else(|| Trap::broken("a literal"))?;
        self.stack.push(Value::Object(handle));
        Ok(())
    }

    fn global(&mut self, id: GlobalId) -> Result<&mut Value, Trap> {
        self.globals.get_mut(id.index()).ok_or_else(|| Trap::broken("a global"))
    }

    fn explicit(&self, kind: TrapKind, why: StrId) -> Trap {
        let text = self.literals.get(why.index()).and_then(|handle| self.heap.get(*handle));
        let message = match text {
            Some(Object::Str(text)) => text.clone(),
            _ => String::new(),
        };
        Trap { kind, message, status: None }
    }

    // Constructs.

    /// Where the instruction under way leads.
    fn target(&mut self) -> Result<&Jump, Trap> {
        let frame = self.frame()?;
        let (code, at) = (frame.code, frame.at.wrapping_sub(1));
        let step = self.codes.get(code).and_then(|code| code.steps.get(at));
        step.map(|step| &step.jump).ok_or_else(|| Trap::broken("an instruction"))
    }

    fn jump(&mut self) -> Done {
        if let Jump::To(to) = *self.target()? {
            self.frame()?.at = to;
        }
        Ok(())
    }

    fn if_as(&mut self, ty: Type, local: LocalId) -> Done {
        let value = self.pop_value()?;
        if self.has_type(value, ty) { self.set_local(local, Some(value)) } else { self.jump() }
    }

    fn switch(&mut self) -> Done {
        let value = match self.pop_value()? {
            Value::I32(value) => i64::from(value),
            Value::I64(value) => value,
            _ => return Err(Trap::broken("an integer to choose by")),
        };
        if let Jump::Switch { arms, others } = self.target()? {
            let to = arms.iter().find(|(arm, _)| *arm == value).map_or(*others, |(_, to)| *to);
            self.frame()?.at = to;
        }
        Ok(())
    }

    /// The counter is not the local: assigning the local does not change how often the body runs.
    fn begin_for(&mut self, local: LocalId) -> Done {
        let (end, wide) = self.pop_counter()?;
        let (start, _) = self.pop_counter()?;
        if let Jump::For { counter, to } = *self.target()? {
            self.count(counter, start, end);
            if start < end { self.set_local(local, Some(counter_value(start, wide)))? } else { self.frame()?.at = to }
        }
        Ok(())
    }

    fn pop_counter(&mut self) -> Result<(i64, bool), Trap> {
        match self.pop_value()? {
            Value::I32(value) => Ok((i64::from(value), false)),
            Value::I64(value) => Ok((value, true)),
            _ => Err(Trap::broken("an integer to count")),
        }
    }

    fn count(&mut self, counter: usize, value: i64, end: i64) {
        if let Some(place) = self.frames.last_mut().and_then(|frame| frame.counters.get_mut(counter)) {
            *place = (value, end);
        }
    }

    /// The end of a construct; loops repeat there.
    fn end(&mut self) -> Done {
        let Jump::Repeat { counter, to } = *self.target()? else { return self.jump() };
        let (value, end) = self.frame()?.counters.get(counter).copied().unwrap_or_default();
        let next = value.saturating_add(1);
        if next < end {
            self.count(counter, next, end);
            self.repeat_for(to, next)?;
        }
        Ok(())
    }

    /// Goes to a `for`'s first statement, with the next value in its local.
    fn repeat_for(&mut self, to: usize, next: i64) -> Done {
        let code = self.frame()?.code;
        let opening = self.codes.get(code).and_then(|code| code.steps.get(to.wrapping_sub(1)));
        let Some(Instr::For(local)) = opening.map(|step| step.instr) else { return Err(Trap::broken("a `for`")) };
        let ty = self.module.funcs.get(FuncId(code as u32).index()).and_then(|func| func.local_type(local.index()));
        self.set_local(local, Some(counter_value(next, ty == Some(Type::I64))))?;
        self.frame()?.at = to;
        Ok(())
    }
}

fn counter_value(value: i64, wide: bool) -> Value {
    if wide { Value::I64(value) } else { Value::I32(value as i32) }
}

/// What `fail` was given; a number that is no failure's counts as `DeviceError`.
fn failure(status: i32) -> u16 {
    match u16::try_from(status) {
        Ok(status) if status != 0 => status,
        _ => Status::DeviceError as u16,
    }
}
