//! The machine: one module's state, and the operand stack.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use il::instr::Dests;
use il::trap::TrapKind;
use il::verify::{Claims, VerifiedModule, claims};
use il::{FuncId, IsaId, LocalId, MemoryId, Storage, Type, TypeDef, TypeId};

use crate::code::Code;
use crate::device::{Deliver, Slot, Stop};
use crate::heap::{Handle, Heap, Object};
use crate::memory::Memory;
use crate::outcome::{Outcome, Place, Report, Trap};
use crate::value::{CapRights, Scalar, Types, Value};

/// What a machine may use up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Calls inside one another.
    pub depth: usize,
    /// Instructions, till [`Machine::refuel`].
    pub fuel: u64,
    /// Bytes of objects, strings, buffers and memory.
    pub bytes: u64,
    /// Whether to assert the verifier's claims before each instruction.
    pub check: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: 4096, fuel: u64::MAX, bytes: 64 << 20, check: false }
    }
}

/// Where a call's results go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Return<'m> {
    /// Its one result onto the operand stack.
    Push,
    /// To locals of the caller.
    Set(Dests<'m>),
    /// Out of the machine.
    Leave,
}

/// One call under way.
#[derive(Debug)]
pub(crate) struct Frame<'m> {
    /// Index into `codes`; that of a function is its own.
    pub code: usize,
    /// Index of the next instruction.
    pub at: usize,
    pub locals: Vec<Option<Value>>,
    /// Next value and end of each `for`.
    pub counters: Vec<(i64, i64)>,
    /// Operands below belong to callers.
    pub base: usize,
    pub to: Return<'m>,
}

/// One call from outside.
#[derive(Debug)]
pub(crate) struct Activation<'m> {
    pub func: FuncId,
    /// Why it stands still.
    pub stop: Option<Stop<'m>>,
}

/// A module under interpretation.
#[derive(Debug)]
pub struct Machine<'m> {
    pub(crate) module: &'m VerifiedModule,
    /// Of all functions, then of all globals' initial values.
    pub(crate) codes: Vec<Code<'m>>,
    /// Of all functions, if they are to be checked.
    pub(crate) claims: Vec<Claims>,
    /// Whether control has jumped to an `end`, which the claim there says nothing of.
    pub(crate) jumped: bool,
    /// Fields of each definition that is a struct, inherited ones first.
    pub(crate) shapes: Vec<Vec<Storage>>,
    pub(crate) limits: Limits,
    pub(crate) fuel: u64,
    pub(crate) heap: Heap,
    pub(crate) literals: Vec<Handle>,
    pub(crate) globals: Vec<Value>,
    pub(crate) memories: Vec<Memory>,
    /// The memories that the operator under way accesses: where it writes or reads, and what `memory_copy` reads.
    pub(crate) accessed: (MemoryId, MemoryId),
    /// By data segment, whether its bytes are gone.
    pub(crate) dropped: Vec<bool>,
    pub(crate) stack: Vec<Value>,
    pub(crate) frames: Vec<Frame<'m>>,
    pub(crate) activations: Vec<Activation<'m>>,
    /// One a `use`, and one for the VM's own events.
    pub(crate) slots: Vec<Slot>,
    /// By slot.
    pub(crate) caps: Vec<CapRights>,
    /// Slots behind the first ones that no value names.
    pub(crate) free_slots: Vec<usize>,
    /// Of each class of foreign objects, the types that these are of.
    pub(crate) classes: Vec<Vec<TypeId>>,
    /// Objects on their way in.
    pub(crate) imported: Vec<Value>,
    pub(crate) caller: i32,
    pub(crate) dead: Option<Box<Report>>,
}

impl<'m> Machine<'m> {
    /// A machine that has run nothing but the globals' initial values. All of its slots are closed.
    ///
    /// # Errors
    /// The trap, if the quota does not cover the module's memory and globals.
    pub fn new(module: &'m VerifiedModule, limits: Limits) -> Result<Machine<'m>, Box<Report>> {
        let bodies = module.funcs.iter().map(|func| &func.body).chain(module.globals.iter().map(|global| &global.init));
        let mut machine = Machine {
            module,
            codes: bodies.map(|body| Code::new(body).unwrap_or_default()).collect(),
            claims: if limits.check { functions(module).map(|func| claims(module, func)).collect() } else { vec![] },
            jumped: false,
            shapes: shapes(module),
            limits,
            fuel: limits.fuel,
            heap: Heap::default(),
            literals: Vec::new(),
            globals: Vec::new(),
            memories: Vec::new(),
            accessed: (MemoryId(0), MemoryId(0)),
            dropped: vec![false; module.data.len()],
            stack: Vec::new(),
            frames: Vec::new(),
            activations: Vec::new(),
            slots: vec![Slot::default(); module.uses.len() + 1],
            caps: module.uses.iter().map(|wanted| rights(module, wanted.isa)).chain([CapRights::none()]).collect(),
            free_slots: Vec::new(),
            classes: Vec::new(),
            imported: Vec::new(),
            caller: 0,
            dead: None,
        };
        machine.start().map_err(|trap| Box::new(machine.report(trap)))?;
        Ok(machine)
    }

    fn start(&mut self) -> Result<(), Trap> {
        let module = self.module;
        for limits in &module.memories {
            if u64::from(limits.min) << 16 > self.spare_bytes() {
                return Err(TrapKind::Quota.into());
            }
            self.memories.push(Memory::new(*limits));
        }
        for (data, dropped) in module.data.iter().zip(&mut self.dropped) {
            let Some(place) = data.place else { continue };
            let memory = self.memories.get_mut(place.memory.index());
            memory
                .and_then(|memory| crate::memory::write(&mut memory.bytes, u64::from(place.offset), &data.bytes))
                .ok_or_else(|| Trap::broken("data inside the memory"))?;
            *dropped = true;
        }
        self.literals = module.strings.iter().map(|text| self.heap.add(Object::Str(text.clone()), true)).collect();
        for index in 0..module.globals.len() {
            let value = self.initial(module.funcs.len() + index)?;
            self.globals.push(value);
        }
        Ok(())
    }

    /// Runs the one tree of a global's initial value.
    fn initial(&mut self, code: usize) -> Result<Value, Trap> {
        self.frames.push(Frame { code, at: 0, locals: Vec::new(), counters: Vec::new(), base: 0, to: Return::Leave });
        while self.frames.last().is_some_and(|frame| frame.at < self.codes[code].steps.len()) {
            self.step()?;
        }
        self.frames.pop();
        self.pop_value()
    }

    /// Where control is, innermost first.
    fn backtrace(&self) -> Vec<Place> {
        let frames = self.frames.iter().rev().filter(|frame| frame.code < self.module.funcs.len());
        let place = |frame: &Frame<'_>| {
            let step = self.codes[frame.code].steps.get(frame.at.saturating_sub(1));
            Place { func: FuncId(frame.code as u32), offset: step.map_or(0, |step| step.offset) }
        };
        frames.map(place).collect()
    }

    pub(crate) fn report(&self, trap: Trap) -> Report {
        let Trap { kind, message, status } = trap;
        Report { kind, message, status, backtrace: self.backtrace() }
    }

    /// Ends the machine.
    pub(crate) fn die(&mut self, trap: Trap) -> Outcome {
        let report = Box::new(self.report(trap));
        self.frames.clear();
        self.activations.clear();
        self.stack.clear();
        self.dead = Some(report.clone());
        Outcome::Trap(report)
    }

    // Looking in from outside.

    /// Why the machine is dead, if it is.
    pub fn trap(&self) -> Option<&Report> {
        self.dead.as_deref()
    }

    /// Where control is, innermost first: of a machine that stands still, the instructions that it waits in.
    pub fn place(&self) -> Vec<Place> {
        self.backtrace()
    }

    /// Forgets the trap, so that functions can be called again on what the machine had become: for tests of single
    /// functions. A VM ends by a trap.
    pub fn revive(&mut self) {
        self.dead = None;
    }

    /// The first linear memory.
    pub fn memory(&self) -> &[u8] {
        self.memories().next().unwrap_or(&[])
    }

    /// All linear memories.
    pub fn memories(&self) -> impl Iterator<Item = &[u8]> {
        self.memories.iter().map(|memory| &*memory.bytes)
    }

    /// How much of the fuel is left.
    pub fn fuel(&self) -> u64 {
        self.fuel
    }

    /// Fills up the fuel.
    pub fn refuel(&mut self, fuel: u64) {
        self.fuel = fuel;
    }

    /// Says who sent the request that the next `op` executes.
    pub fn set_caller(&mut self, caller: i32) {
        self.caller = caller;
    }

    // The operand stack.

    pub(crate) fn push<T: Scalar>(&mut self, value: T) -> Result<(), Trap> {
        self.stack.push(value.into_value());
        Ok(())
    }

    pub(crate) fn pop_value(&mut self) -> Result<Value, Trap> {
        let base = self.frames.last().map_or(0, |frame| frame.base);
        if self.stack.len() <= base {
            return Err(Trap::broken("an operand"));
        }
        self.stack.pop().ok_or_else(|| Trap::broken("an operand"))
    }

    /// The topmost `count` operands, first pushed first.
    pub(crate) fn pop_values(&mut self, count: usize) -> Result<Vec<Value>, Trap> {
        let base = self.frames.last().map_or(0, |frame| frame.base);
        let at = self.stack.len().checked_sub(count).filter(|at| *at >= base);
        Ok(self.stack.split_off(at.ok_or_else(|| Trap::broken("more operands"))?))
    }

    pub(crate) fn pop<T: Scalar>(&mut self) -> Result<T, Trap> {
        T::from_value(self.pop_value()?).ok_or_else(|| Trap::broken("an operand of another type"))
    }

    pub(crate) fn pop_str(&mut self) -> Result<String, Trap> {
        match self.pop_value()? {
            Value::Object(handle) => match self.heap.get(handle) {
                Some(Object::Str(text)) => Ok(text.clone()),
                Some(Object::Struct { .. } | Object::Array { .. } | Object::Buf(_)) | None => {
                    Err(Trap::broken("a `str`"))
                }
            },
            _ => Err(Trap::broken("a `str`")),
        }
    }

    pub(crate) fn pop_buf(&mut self) -> Result<Handle, Trap> {
        match self.pop_value()? {
            Value::Buf(handle) => Ok(handle),
            _ => Err(Trap::broken("a `buf`")),
        }
    }

    pub(crate) fn frame(&mut self) -> Result<&mut Frame<'m>, Trap> {
        self.frames.last_mut().ok_or_else(|| Trap::broken("a function under way"))
    }

    pub(crate) fn set_local(&mut self, local: LocalId, value: Option<Value>) -> Result<(), Trap> {
        let place = self.frame()?.locals.get_mut(local.index());
        *place.ok_or_else(|| Trap::broken("a local"))? = value;
        Ok(())
    }

    pub(crate) fn local(&mut self, local: LocalId) -> Result<Value, Trap> {
        let value = self.frame()?.locals.get(local.index()).copied().flatten();
        value.ok_or_else(|| Trap::broken("a local that is assigned"))
    }

    /// Assigns values to destinations, all at once.
    pub(crate) fn assign(&mut self, dests: Dests<'_>, values: &[Value]) -> Result<(), Trap> {
        if dests.len() != values.len() {
            return Err(Trap::broken("as many destinations as values"));
        }
        for (dest, value) in dests.iter().zip(values) {
            if let Some(local) = dest {
                self.set_local(local, Some(*value))?;
            }
        }
        Ok(())
    }

    pub(crate) fn deliver(&mut self, to: Deliver<'m>, status: u16, results: &[Value]) -> Result<(), Trap> {
        match (to, results) {
            (Deliver::Push, [result]) => self.stack.push(*result),
            (Deliver::Push, _) => return Err(Trap::broken("an instruction of one result")),
            (Deliver::Set(dests), results) => self.assign(dests, results)?,
            (Deliver::None | Deliver::Caller, _) => {}
            (Deliver::PushStatus, _) => self.stack.push(Value::I32(i32::from(status))),
            (Deliver::SetStatus(dests), results) => {
                let mut values = vec![Value::I32(i32::from(status))];
                values.extend_from_slice(results);
                self.assign(dests, &values)?;
            }
        }
        Ok(())
    }

    // Objects.

    /// Makes an object, if need be after a collection; whatever else is in use must be on the operand stack, in a
    /// local or global, or in the object itself.
    pub(crate) fn make(&mut self, object: Object) -> Result<Handle, Trap> {
        self.reserve(Heap::cost(&object), object.values().to_vec())?;
        Ok(self.heap.add(object, false))
    }

    /// Sees to it that so many bytes can be charged; `kept` is in use besides what the machine knows of.
    pub(crate) fn reserve(&mut self, bytes: u64, kept: Vec<Value>) -> Result<(), Trap> {
        if self.fits(bytes) {
            return Ok(());
        }
        self.collect(kept);
        if self.fits(bytes) { Ok(()) } else { Err(TrapKind::Quota.into()) }
    }

    /// Drops what nothing reaches; `kept` is in use besides what the machine knows of.
    pub(crate) fn collect(&mut self, kept: Vec<Value>) {
        let literals = self.literals.iter().map(|handle| Value::Object(*handle));
        let locals = self.frames.iter().flat_map(|frame| frame.locals.iter().copied().flatten());
        let attached = self.slots.iter().flat_map(|slot| slot.attachments.iter().copied());
        let stops = self.activations.iter().filter_map(|activation| activation.stop.as_ref());
        let waiting = stops.flat_map(|stop| stop.values().iter().copied());
        let known = self.globals.iter().chain(&self.stack).copied();
        let known = known.chain(self.imported.iter().copied());
        self.heap.collect(literals.chain(locals).chain(attached).chain(waiting).chain(known).chain(kept));
    }

    fn fits(&self, bytes: u64) -> bool {
        bytes <= self.spare_bytes()
    }

    /// Bytes of the quota that are left.
    pub(crate) fn spare_bytes(&self) -> u64 {
        let memories: u64 = self.memories().map(|bytes| bytes.len() as u64).sum();
        self.limits.bytes.saturating_sub(self.heap.used()).saturating_sub(memories)
    }

    pub(crate) fn push_object(&mut self, object: Object) -> Result<(), Trap> {
        let handle = self.make(object)?;
        self.stack.push(Value::Object(handle));
        Ok(())
    }

    /// Whether a value has a type.
    pub(crate) fn has_type(&self, value: Value, ty: Type) -> bool {
        self.types().has(value, ty)
    }

    pub(crate) fn types(&self) -> Types<'_> {
        Types { module: self.module, heap: &self.heap, caps: &self.caps, classes: &self.classes }
    }
}

fn functions(module: &il::Module) -> impl Iterator<Item = FuncId> {
    (0..module.funcs.len() as u32).map(FuncId)
}

fn rights(module: &il::Module, isa: IsaId) -> CapRights {
    let set = module.isas.get(isa.index());
    let codes = set.map(|set| set.instructions.iter().map(|instruction| instruction.opcode).collect());
    CapRights { isas: vec![isa], instructions: codes.unwrap_or_default() }
}

fn shapes(module: &il::Module) -> Vec<Vec<Storage>> {
    let mut shapes: Vec<Vec<Storage>> = Vec::with_capacity(module.types.len());
    for def in &module.types {
        shapes.push(match def {
            TypeDef::Struct(def) => {
                let inherited = def.parent.and_then(|TypeId(parent)| shapes.get(parent as usize));
                let mut fields = inherited.cloned().unwrap_or_default();
                fields.extend(def.fields.iter().map(|field| field.storage));
                fields
            }
            TypeDef::Array(_) | TypeDef::Func(_) | TypeDef::Cap(_) => Vec::new(),
        });
    }
    shapes
}
