//! Devices and programs (reference, chapter "Devices"): how instructions are packed, and how a machine
//! stops for what is answered outside of it.
//!
//! Each slot has one open packet. An instruction is appended to it whole, head first; if it does not
//! fit, the machine stops before it and the packet has to be taken. One that waits stops after it.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use il::instr::Dests;
use il::isa::{Field, Instruction, InstructionSet, own_event};
use il::packet::{Builder, Head, MAX_ATTACHMENTS, MAX_WORDS, Value as Word};
use il::trap::{Status, TrapKind};
use il::{FuncId, IsaId, ProgramId, ProvidedId, Type, TypeDef, TypeId, UseId};

use crate::graph::ObjectId;
use crate::heap::{Handle, Object};
use crate::machine::{Activation, Machine, Return};
use crate::outcome::{Attached, Datum, Outcome, Packet, Reference, Trap};
use crate::value::{CapRights, Value};

/// Most activations at once: `main` in a wait, and a handler or `op` above it.
const MAX_ACTIVATIONS: usize = 2;

/// The sending end of a channel.
#[derive(Clone, Default, Debug)]
pub(crate) struct Slot {
    open: bool,
    /// Whether a closed slot was given room.
    scratch: bool,
    words: Vec<u64>,
    /// Buffers, frozen objects and capabilities.
    pub attachments: Vec<Value>,
}

/// Where a device instruction's status and results go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deliver<'m> {
    /// The one result onto the operand stack; failure traps.
    Push,
    /// To locals; failure traps.
    Set(Dests<'m>),
    /// The status onto the operand stack.
    PushStatus,
    /// Status first, to locals.
    SetStatus(Dests<'m>),
    /// Nothing comes back.
    None,
    /// To the VM whose request it takes the place of.
    Caller,
}

impl Deliver<'_> {
    fn takes_status(self) -> bool {
        match self {
            Deliver::Push | Deliver::Set(_) => false,
            Deliver::PushStatus | Deliver::SetStatus(_) => true,
            // What is not waited for fails later, if at all: it sticks to the channel.
            Deliver::None | Deliver::Caller => true,
        }
    }
}

/// An instruction on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sending<'m> {
    slot: usize,
    opcode: u16,
    tag: u32,
    operands: Vec<Value>,
    /// Of the operands.
    params: Vec<Type>,
    /// For one that waits.
    answer: Option<Answer<'m>>,
    /// Whether it takes the place of the request under way.
    forwards: bool,
}

/// What is expected back.
#[derive(Clone, Debug)]
pub(crate) struct Answer<'m> {
    /// What failed, for reports.
    name: alloc::string::String,
    results: Vec<Type>,
    to: Deliver<'m>,
}

impl Answer<'_> {
    /// Whether nobody looks at it.
    fn is_nothing(&self) -> bool {
        matches!(self.to, Deliver::None)
    }
}

/// Why an activation stands still.
#[derive(Clone, Debug)]
pub(crate) enum Stop<'m> {
    Done,
    Room {
        sending: Sending<'m>,
        words: usize,
        attachments: usize,
    },
    /// The request's head is word `head` of the open packet.
    Call {
        slot: usize,
        opcode: u8,
        head: usize,
        answer: Answer<'m>,
    },
    Own {
        opcode: u8,
        operands: Packet,
        answer: Answer<'m>,
    },
    Run {
        slot: usize,
        program: ProgramId,
        operands: Packet,
        answer: Answer<'m>,
    },
    Flush {
        slot: usize,
    },
    Attenuate {
        slot: usize,
        def: TypeId,
    },
    Revoke {
        slot: usize,
    },
    Wait,
    WaitForever,
    Exit(i32),
    Fail(u16),
    /// The request's head is word `head` of the open packet.
    Forward {
        slot: usize,
        opcode: u8,
        head: usize,
    },
    OutOfFuel,
}

impl Stop<'_> {
    /// Values that are in use because of it.
    pub fn values(&self) -> &[Value] {
        match self {
            Stop::Room { sending, .. } => &sending.operands,
            _ => &[],
        }
    }
}

type Stopped<'m> = Result<Option<Stop<'m>>, Trap>;

fn types(fields: &[Field]) -> Vec<Type> {
    fields.iter().map(|field| field.ty).collect()
}

impl<'m> Machine<'m> {
    // Instructions.

    /// `send` and `try`, of a wanted capability.
    pub(crate) fn send(&mut self, target: UseId, opcode: u8, to: Deliver<'m>) -> Stopped<'m> {
        let module = self.module;
        let wanted = module.uses.get(target.index()).ok_or_else(|| Trap::broken("a capability"))?;
        let instruction = self.instruction(module.isas.get(wanted.isa.index()), opcode)?;
        let operands = self.pop_values(instruction.params.len())?;
        self.dispatch(target.index(), &wanted.name, instruction, operands, to)
    }

    /// The same through the capability below the operands.
    pub(crate) fn send_to(&mut self, ty: TypeId, opcode: u8, to: Deliver<'m>) -> Stopped<'m> {
        let module = self.module;
        let Some(TypeDef::Cap(def)) = module.type_def(ty) else { return Err(Trap::broken("a capability type")) };
        let instruction = self.instruction(module.isas.get(def.isa.index()), opcode)?;
        let operands = self.pop_values(instruction.params.len())?;
        let slot = self.pop_cap()?;
        let path = module.isas.get(def.isa.index()).map(InstructionSet::path).unwrap_or_default();
        let name = module.uses.get(slot).map_or(&path, |wanted| &wanted.name);
        self.dispatch(slot, name, instruction, operands, to)
    }

    fn instruction(&self, set: Option<&'m InstructionSet>, opcode: u8) -> Result<&'m Instruction, Trap> {
        set.and_then(|set| set.instruction(opcode)).ok_or_else(|| Trap::broken("an instruction of the set"))
    }

    pub(crate) fn pop_cap(&mut self) -> Result<usize, Trap> {
        match self.pop_value()? {
            Value::Cap(slot) => Ok(slot as usize),
            _ => Err(Trap::broken("a capability")),
        }
    }

    fn dispatch(
        &mut self,
        slot: usize,
        owner: &str,
        instruction: &Instruction,
        operands: Vec<Value>,
        to: Deliver<'m>,
    ) -> Stopped<'m> {
        let answer = instruction.results.as_deref().map(|results| Answer {
            name: format!("{owner}.{}", instruction.name),
            results: types(results),
            to,
        });
        let forwards = matches!(to, Deliver::Caller);
        let params = types(&instruction.params);
        let operands = self.share(operands, &params)?;
        self.pack(Sending { slot, opcode: u16::from(instruction.opcode), tag: 0, operands, params, answer, forwards })
    }

    /// An event of a provided set, for all or for the VM whose number lies above its operands.
    pub(crate) fn emit(&mut self, provided: ProvidedId, number: u8, directed: bool) -> Stopped<'m> {
        let module = self.module;
        let set = module.provided(provided);
        let event = set.and_then(|set| set.event(number)).ok_or_else(|| Trap::broken("an event"))?;
        let tag = if directed { self.pop::<i32>()? as u32 } else { 0 };
        let operands = self.pop_values(event.params.len())?;
        let (slot, opcode) = (module.uses.len(), own_event(provided, number, directed));
        let params = types(&event.params);
        let operands = self.share(operands, &params)?;
        self.pack(Sending { slot, opcode, tag, operands, params, answer: None, forwards: false })
    }

    /// An instruction of the set on which the program under way runs.
    pub(crate) fn own(&mut self, opcode: u8, to: Deliver<'m>) -> Stopped<'m> {
        let (module, code) = (self.module, self.frame()?.code);
        let program = module.programs.iter().find(|program| program.func.index() == code);
        let set = program.and_then(|program| module.isas.get(program.isa.index()));
        let instruction = self.instruction(set, opcode)?;
        let values = self.pop_values(instruction.params.len())?;
        let operands = Packet::of(&self.data(values, &types(&instruction.params))?);
        let results = instruction.results.as_deref().unwrap_or_default();
        let answer = Answer { name: instruction.name.to_string(), results: types(results), to };
        Ok(Some(Stop::Own { opcode, operands, answer }))
    }

    /// A program for the VM behind a capability.
    pub(crate) fn run_program(&mut self, target: UseId, program: ProgramId, to: Deliver<'m>) -> Stopped<'m> {
        let module = self.module;
        let Some(code) = module.programs.get(program.index()) else { return Err(Trap::broken("a program")) };
        let sig = module.sig(code.func).ok_or_else(|| Trap::broken("a function"))?;
        let values = self.pop_values(sig.params.len())?;
        let operands = Packet::of(&self.data(values, &sig.params)?);
        let used = module.uses.get(target.index()).map_or("?", |wanted| &wanted.name);
        let answer = Answer { name: format!("{used}.run({})", code.name), results: sig.results.clone(), to };
        Ok(Some(Stop::Run { slot: target.index(), program, operands, answer }))
    }

    // Packets.

    /// Appends an instruction to its slot's packet, or asks for room.
    fn pack(&mut self, sending: Sending<'m>) -> Stopped<'m> {
        let (mut words, mut attachments) = (1, 0);
        for (operand, ty) in sending.operands.iter().zip(&sending.params) {
            words += match operand {
                Value::V128(_) => 2,
                Value::Object(handle) if !ty.is_attached() => 1 + self.text_bytes(*handle)?.div_ceil(8),
                _ => 1,
            };
            attachments += usize::from(*ty == Type::Buf || ty.is_attached());
        }
        if words > MAX_WORDS {
            let message = format!("an instruction of {words} words does not fit a packet of {MAX_WORDS}");
            return Err(Trap { kind: TrapKind::Device, message, status: Some(Status::OutOfRange as u16) });
        }
        let slot = self.slots.get(sending.slot).ok_or_else(|| Trap::broken("a capability"))?;
        let full = slot.words.len() + words > MAX_WORDS || slot.attachments.len() + attachments > MAX_ATTACHMENTS;
        if full || !slot.open && !slot.scratch {
            return Ok(Some(Stop::Room { sending, words, attachments }));
        }
        self.append(sending)
    }

    fn text_bytes(&self, handle: Handle) -> Result<usize, Trap> {
        match self.heap.get(handle) {
            Some(Object::Str(text)) => Ok(text.len()),
            Some(Object::Struct { .. } | Object::Array { .. } | Object::Buf(_)) | None => Err(Trap::broken("a `str`")),
        }
    }

    fn append(&mut self, sending: Sending<'m>) -> Stopped<'m> {
        let Sending { slot: index, opcode, tag, operands, params, answer, forwards } = sending;
        let slot = self.slots.get_mut(index).ok_or_else(|| Trap::broken("a capability"))?;
        let head = slot.words.len();
        let mut builder = Builder::default();
        builder.begin(opcode, tag);
        for (operand, ty) in operands.into_iter().zip(params) {
            builder.push(match operand {
                Value::Null if ty.is_attached() => Word::OptRef(None),
                Value::Object(_) | Value::Cap(_) if ty.is_attached() => {
                    slot.attachments.push(operand);
                    let index = slot.attachments.len() as u32 - 1;
                    if ty.is_nullable() { Word::OptRef(Some(index)) } else { Word::Ref(index) }
                }
                Value::I32(value) => Word::I32(value),
                Value::I64(value) => Word::I64(value),
                Value::F32(bits) => Word::F32(f32::from_bits(bits)),
                Value::F64(bits) => Word::F64(f64::from_bits(bits)),
                Value::V128(bytes) => Word::V128(u128::from_le_bytes(bytes)),
                Value::Bool(value) => Word::Bool(value),
                Value::Buf(_) => {
                    slot.attachments.push(operand);
                    Word::Buf(slot.attachments.len() as u32 - 1)
                }
                Value::Object(handle) => match self.heap.get(handle) {
                    Some(Object::Str(text)) => Word::Str(text),
                    _ => return Err(Trap::broken("a `str`")),
                },
                Value::Null | Value::Func(..) | Value::Cap(_) => return Err(Trap::broken("an operand that travels")),
            });
        }
        builder.end().map_err(|_| Trap::broken("an instruction that fits"))?;
        slot.words.extend(builder.words);
        if forwards {
            return Ok(Some(Stop::Forward { slot: index, opcode: opcode as u8, head }));
        }
        Ok(answer.map(|answer| Stop::Call { slot: index, opcode: opcode as u8, head, answer }))
    }

    /// Values as they leave the machine; buffers leave it for good.
    fn data(&mut self, values: Vec<Value>, types: &[Type]) -> Result<Vec<Datum>, Trap> {
        let values = self.share(values, types)?;
        let datum = |(value, ty): (Value, &Type)| {
            if ty.is_attached() {
                let reference = match value {
                    Value::Object(handle) => Some(Reference::Object(ObjectId(handle))),
                    Value::Cap(slot) => Some(Reference::Cap(slot)),
                    _ => None,
                };
                return match reference {
                    _ if ty.is_nullable() => Ok(Datum::OptRef(reference)),
                    Some(reference) => Ok(Datum::Ref(reference)),
                    None => Err(Trap::broken("a value that travels")),
                };
            }
            Ok(match value {
                Value::I32(value) => Datum::I32(value),
                Value::I64(value) => Datum::I64(value),
                Value::F32(bits) => Datum::F32(bits),
                Value::F64(bits) => Datum::F64(bits),
                Value::V128(bytes) => Datum::V128(bytes),
                Value::Bool(value) => Datum::Bool(value),
                Value::Buf(handle) => Datum::Buf(self.heap.take_buf(handle).unwrap_or_default()),
                Value::Object(handle) => match self.heap.get(handle) {
                    Some(Object::Str(text)) => Datum::Str(text.clone()),
                    _ => return Err(Trap::broken("a value that travels")),
                },
                Value::Null | Value::Func(..) | Value::Cap(_) => return Err(Trap::broken("a value that travels")),
            })
        };
        values.into_iter().zip(types).map(datum).collect()
    }

    /// Pushes a value that enters the machine.
    fn push_datum(&mut self, datum: Datum) -> Result<(), Trap> {
        let value = match datum {
            Datum::I32(value) => Value::I32(value),
            Datum::I64(value) => Value::I64(value),
            Datum::F32(bits) => Value::F32(bits),
            Datum::F64(bits) => Value::F64(bits),
            Datum::V128(bytes) => Value::V128(bytes),
            Datum::Bool(value) => Value::Bool(value),
            Datum::Str(text) => Value::Object(self.make(Object::Str(text))?),
            Datum::Buf(bytes) => Value::Buf(self.make(Object::Buf(bytes))?),
            Datum::OptRef(None) => Value::Null,
            Datum::Ref(Reference::Object(object)) | Datum::OptRef(Some(Reference::Object(object))) => {
                Value::Object(object.0)
            }
            Datum::Ref(Reference::Cap(slot)) | Datum::OptRef(Some(Reference::Cap(slot))) => {
                self.heap.meet_cap(slot);
                Value::Cap(slot)
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn push_zero(&mut self, ty: Type) -> Result<(), Trap> {
        match Value::zero(ty) {
            Some(value) => {
                self.stack.push(value);
                Ok(())
            }
            None if ty == Type::Str => self.push_datum(Datum::Str(Default::default())),
            None => self.push_datum(Datum::Buf(vec![])),
        }
    }

    // From outside.

    /// Starts an activation of any function with these arguments, which must be of its types; above one that
    /// waits, if there is one.
    ///
    /// # Errors
    /// `NoSuchInstruction` if there is no such function, `BadOperand` if the arguments do not fit, `Quota` if they
    /// cannot be paid for, `Busy` if the machine is in the middle of something else.
    pub fn call(&mut self, func: FuncId, args: &[Datum]) -> Result<Outcome, Status> {
        if let Some(report) = &self.dead {
            return Ok(Outcome::Trap(report.clone()));
        }
        let waits = |activation: &Activation<'_>| matches!(activation.stop, Some(Stop::Wait | Stop::WaitForever));
        if self.activations.len() >= MAX_ACTIVATIONS || !self.activations.iter().all(waits) {
            return Err(Status::Busy);
        }
        let params = &self.module.sig(func).ok_or(Status::NoSuchInstruction)?.params;
        let bottom = self.stack.len();
        let pushed = args.iter().try_for_each(|arg| self.push_datum(arg.clone()));
        self.imported.clear();
        let values = self.stack.split_off(bottom);
        pushed.map_err(|_| Status::Quota)?;
        let fits =
            params.len() == values.len() && params.iter().zip(&values).all(|(ty, value)| self.has_type(*value, *ty));
        if !fits {
            return Err(Status::BadOperand);
        }
        self.activations.push(Activation { func, stop: None });
        Ok(match self.enter_frame(func, values, Return::Leave) {
            Ok(()) => self.run(),
            Err(trap) => self.die(trap),
        })
    }

    /// [`Machine::call`] with arguments in packet form.
    ///
    /// # Errors
    /// The same.
    pub fn enter(&mut self, func: FuncId, args: Packet) -> Result<Outcome, Status> {
        let params = &self.module.sig(func).ok_or(Status::NoSuchInstruction)?.params;
        let args = args.values(params.iter().copied())?;
        self.call(func, &args)
    }

    /// Goes on after any outcome but `Call`, `Own`, `Run` that is waited for, `Done`, `WaitForever`, `Exit` and `Trap`; `status` is the sticky one
    /// after `Flush`, else 0. After any other outcome nothing happens, and `None` is returned.
    pub fn resume(&mut self, status: u16) -> Option<Outcome> {
        let activation = self.activations.last_mut()?;
        let stop = activation.stop.take()?;
        let next = match stop {
            Stop::Room { sending, .. } => {
                if let Some(slot) = self.slots.get_mut(sending.slot) {
                    slot.scratch = true;
                }
                self.pack(sending)
            }
            Stop::Flush { slot } if status != 0 => {
                let name = self.module.uses.get(slot).map_or("?", |wanted| &wanted.name);
                Err(failed(name, status))
            }
            Stop::Flush { .. } | Stop::Wait | Stop::OutOfFuel | Stop::Revoke { .. } => Ok(None),
            Stop::Run { ref answer, .. } if answer.is_nothing() => Ok(None),
            Stop::Fail(_) | Stop::Forward { .. } => self.leave_op(),
            Stop::Call { .. }
            | Stop::Own { .. }
            | Stop::Run { .. }
            | Stop::WaitForever
            | Stop::Exit(_)
            | Stop::Done => {
                activation.stop = Some(stop);
                return None;
            }
            Stop::Attenuate { .. } => {
                activation.stop = Some(stop);
                return None;
            }
        };
        Some(self.go_on(next))
    }

    /// Goes on after `Attenuate`: the capability is in this slot. After any other outcome nothing happens, and `None` is
    /// returned.
    pub fn resume_capability(&mut self, slot: usize) -> Option<Outcome> {
        let activation = self.activations.last_mut()?;
        match activation.stop.take()? {
            Stop::Attenuate { .. } => {
                self.heap.meet_cap(slot as u32);
                self.stack.push(Value::Cap(slot as u32));
                Some(self.go_on(Ok(None)))
            }
            other => {
                activation.stop = Some(other);
                None
            }
        }
    }

    /// Ends the machine, which is stopped in `Attenuate` or `Revoke`: that failed with this status.
    pub fn refuse(&mut self, status: Status) -> Option<Outcome> {
        let what = match self.activations.last()?.stop.as_ref()? {
            Stop::Attenuate { .. } => "attenuate",
            Stop::Revoke { .. } => "revoke",
            _ => return None,
        };
        let trap = failed(what, status as u16);
        Some(self.die(trap))
    }

    /// While stopped in `Call`, `Own` or `Run`: the types of what is awaited.
    pub fn awaited(&self) -> &[Type] {
        match self.activations.last().and_then(|activation| activation.stop.as_ref()) {
            Some(Stop::Call { answer, .. } | Stop::Own { answer, .. } | Stop::Run { answer, .. }) => &answer.results,
            _ => &[],
        }
    }

    /// After `fail` or `forward`: the results that the `op` returns are not looked at.
    fn leave_op(&mut self) -> Stopped<'m> {
        let func = FuncId(self.frame()?.code as u32);
        let results = self.module.sig(func).map_or(&[][..], |sig| &sig.results);
        for ty in results {
            self.push_zero(*ty)?;
        }
        let values = self.pop_values(results.len())?;
        Ok(self.leave_frame(values)?.then_some(Stop::Done))
    }

    /// While stopped in `Run`: whether what the program answers is waited for.
    pub fn waits_for_run(&self) -> bool {
        match self.activations.last().and_then(|activation| activation.stop.as_ref()) {
            Some(Stop::Run { answer, .. }) => !answer.is_nothing(),
            _ => false,
        }
    }

    /// Goes on after `Call`, `Own` or `Run`; after any other outcome nothing happens, and `None` is returned. A reply that
    /// does not fit the instruction's results counts as `DeviceError`, one that cannot be paid for as `Quota`.
    pub fn resume_call(&mut self, reply: Result<Packet, Status>) -> Option<Outcome> {
        let activation = self.activations.last_mut()?;
        let answer = match activation.stop.take()? {
            Stop::Call { answer, .. } | Stop::Own { answer, .. } | Stop::Run { answer, .. } => answer,
            other => {
                activation.stop = Some(other);
                return None;
            }
        };
        let next = self.answer(answer, reply).map(|()| None);
        Some(self.go_on(next))
    }

    fn answer(&mut self, answer: Answer<'m>, reply: Result<Packet, Status>) -> Result<(), Trap> {
        let bottom = self.stack.len();
        let values =
            reply.and_then(|reply| reply.values(answer.results.iter().copied()).map_err(|_| Status::DeviceError));
        let stored = values.and_then(|values| {
            values.into_iter().try_for_each(|value| self.push_datum(value)).map_err(|_| Status::Quota)?;
            let came = self.stack.get(bottom..).unwrap_or_default();
            let fits = came.iter().zip(&answer.results).all(|(value, ty)| self.has_type(*value, *ty));
            if fits { Ok(()) } else { Err(Status::DeviceError) }
        });
        self.imported.clear();
        let status = stored.map_or_else(|status| status as u16, |()| 0);
        if status != 0 {
            if !answer.to.takes_status() {
                return Err(failed(&answer.name, status));
            }
            self.stack.truncate(bottom);
            for ty in &answer.results {
                self.push_zero(*ty)?;
            }
        }
        let results = self.stack.split_off(bottom);
        self.deliver(answer.to, status, &results)
    }

    fn go_on(&mut self, next: Stopped<'m>) -> Outcome {
        match next {
            Ok(None) => self.run(),
            Ok(Some(stop)) => self.stop(stop),
            Err(trap) => self.die(trap),
        }
    }

    /// Notes why the innermost activation stands still, and says so.
    pub(crate) fn stop(&mut self, stop: Stop<'m>) -> Outcome {
        if let Stop::Done = stop {
            return self.done();
        }
        let main = self.module.export("main");
        let Some(activation) = self.activations.last_mut() else {
            return self.die(Trap::broken("an activation"));
        };
        if matches!(stop, Stop::Wait | Stop::WaitForever) && Some(activation.func) != main {
            return self.die(TrapKind::WaitInHandler.into());
        }
        let outcome = match &stop {
            Stop::Done => Outcome::Done(vec![]),
            Stop::Room { sending, words, attachments } => {
                Outcome::Room { slot: sending.slot, words: *words, attachments: *attachments }
            }
            Stop::Call { slot, opcode, .. } => Outcome::Call { slot: *slot, opcode: *opcode },
            Stop::Own { opcode, operands, .. } => Outcome::Own { opcode: *opcode, operands: operands.clone() },
            Stop::Run { slot, program, operands, .. } => {
                Outcome::Run { slot: *slot, program: *program, operands: operands.clone() }
            }
            Stop::Flush { slot } => Outcome::Flush { slot: *slot },
            Stop::Attenuate { slot, def } => Outcome::Attenuate { slot: *slot, def: *def },
            Stop::Revoke { slot } => Outcome::Revoke { slot: *slot },
            Stop::Wait => Outcome::Wait,
            Stop::WaitForever => Outcome::WaitForever,
            Stop::Exit(code) => Outcome::Exit(*code),
            Stop::Fail(status) => Outcome::Fail(*status),
            Stop::Forward { slot, opcode, .. } => Outcome::Forward { slot: *slot, opcode: *opcode },
            Stop::OutOfFuel => Outcome::OutOfFuel,
        };
        activation.stop = Some(stop);
        outcome
    }

    fn done(&mut self) -> Outcome {
        let ended = self.activations.pop();
        let types = ended.and_then(|ended| self.module.sig(ended.func)).map_or(&[][..], |sig| &sig.results);
        let results = self.pop_values(types.len()).and_then(|values| self.data(values, types));
        results.map_or_else(|trap| self.die(trap), Outcome::Done)
    }

    // Slots.

    /// Opens a slot: from now on its packets can be submitted.
    pub fn open_slot(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.open = true;
        }
    }

    /// Closes a slot: the next instruction sent through it surfaces as `Room`. The open packet is dropped.
    pub fn close_slot(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = Slot::default();
        }
    }

    /// Opens a slot for a capability that the machine was given or made: what it is of, and what it allows. `None` beyond
    /// `most` slots.
    pub fn add_slot(&mut self, isas: Vec<IsaId>, instructions: Vec<u8>, most: usize) -> Option<usize> {
        let rights = CapRights { isas, instructions };
        let slot = match self.free_slots.pop() {
            Some(slot) => slot,
            None if self.slots.len() < most => {
                self.slots.push(Slot::default());
                self.caps.push(CapRights::none());
                self.slots.len() - 1
            }
            None => return None,
        };
        *self.caps.get_mut(slot)? = rights;
        self.open_slot(slot);
        self.heap.meet_cap(slot as u32);
        Some(slot)
    }

    /// Closes a slot that no value names: it may be used again.
    pub fn release_slot(&mut self, slot: usize) {
        self.close_slot(slot);
        if let Some(rights) = self.caps.get_mut(slot) {
            *rights = CapRights::none();
            self.free_slots.push(slot);
        }
    }

    /// Slots that the machine was given or made.
    pub fn given_slots(&self) -> impl Iterator<Item = usize> + '_ {
        let first = self.module.uses.len() + 1;
        (first..self.slots.len()).filter(|slot| !self.free_slots.contains(slot))
    }

    /// Those of them that no value named in the last collection, and whose packet is empty.
    pub fn unused_slots(&self) -> Vec<usize> {
        self.given_slots()
            .filter(|slot| self.packet_words(*slot) == 0 && !self.heap.has_met_cap(*slot as u32))
            .collect()
    }

    /// Drops what nothing reaches.
    pub fn collect_now(&mut self) {
        self.collect(Vec::new());
    }

    /// How many slots there are: one a `use`, one for the VM's own events, and those that were given or made.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Words in a slot's open packet.
    pub fn packet_words(&self, slot: usize) -> usize {
        self.slots.get(slot).map_or(0, |slot| slot.words.len())
    }

    /// Moves a slot's open packet out, leaving an empty one.
    pub fn take_packet(&mut self, slot: usize) -> Packet {
        let Some(slot) = self.slots.get_mut(slot) else { return Packet::default() };
        slot.scratch = false;
        let words = core::mem::take(&mut slot.words);
        let attachments = core::mem::take(&mut slot.attachments);
        let attached = |value| match value {
            Value::Object(handle) => Attached::Ref(Reference::Object(ObjectId(handle))),
            Value::Cap(slot) => Attached::Ref(Reference::Cap(slot)),
            Value::Buf(handle) => Attached::Buf(self.heap.take_buf(handle).unwrap_or_default()),
            _ => Attached::Buf(Vec::new()),
        };
        Packet { words, attachments: attachments.into_iter().map(attached).collect() }
    }

    /// While stopped in `Call` or `Forward`, before its packet is taken: gives the last instruction its tag.
    pub fn set_tag(&mut self, tag: u32) {
        let Some(Stop::Call { slot, head, .. } | Stop::Forward { slot, head, .. }) =
            self.activations.last().and_then(|activation| activation.stop.clone())
        else {
            return;
        };
        if let Some(word) = self.slots.get_mut(slot).and_then(|slot| slot.words.get_mut(head)) {
            *word = Head { tag, ..Head::unpack(*word) }.pack();
        }
    }
}

fn failed(what: &str, status: u16) -> Trap {
    let why = Status::from_code(status).map_or("unknown status", Status::describe);
    let message = format!("`{what}` failed with status {status}: {why}");
    Trap { kind: TrapKind::Device, message, status: Some(status) }
}
