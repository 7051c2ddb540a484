//! VMs that run machine code: exits, activations, traps.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use compiler::abi::{Exit, OWN_SLOT, RUN_OPCODE};
use il::isa::Instruction;
use il::packet::{Head, MAX_OPERANDS, MAX_WORDS};
use il::trap::{Status, TrapKind};
use il::{FuncId, Module, Type, TypeId};

use super::guest::{Go, Guest, Stopped};
use super::program::is_number;
use super::slots::Allowed;
use super::trace::{self, Place};
use super::{LoadError, Packet, PlainWords, PlatformRef, Program, Quick, Step, TrapReport, exits, values};
use crate::attachment::{Attachment, Capability};
use crate::buf::Account;
use crate::heap::{Config, Statistics};
use crate::platform::Nanos;
use crate::service::{Grid, Reply};

/// Most activations on one stack: `main` in a wait, and a handler or `op` above it.
const MAX_ACTIVATIONS: usize = 2;

/// The exit in which an activation is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pending {
    Yield,
    Room { slot: usize, words: usize, attachments: usize },
    Call { slot: usize, head: u64, opcode: u8 },
    Flush,
    Wait,
    WaitForever,
    Quit,
    Fail,
    Forward { slot: usize, head: u64 },
    Attenuate,
    Revoke,
    Run { program: usize },
    RunSend,
    Own { isa: usize, opcode: u8 },
}

/// One call from outside.
#[derive(Clone, Copy, Debug)]
struct Activation {
    func: FuncId,
    /// `None` only while it runs.
    pending: Option<Pending>,
}

/// A trap on its way to a report.
struct Trap {
    kind: TrapKind,
    message: String,
    status: Option<u16>,
}

impl From<TrapKind> for Trap {
    fn from(kind: TrapKind) -> Self {
        Trap { kind, message: String::new(), status: None }
    }
}

/// What to do after an exit.
enum Next {
    Resume(u64),
    Stop(Step),
}

/// One VM: its stack, memory, globals, slots, and what it holds. Its methods are [`super::Instance`]'s.
#[derive(Debug)]
pub(super) struct Native {
    program: Arc<Program>,
    guest: Guest,
    activations: Vec<Activation>,
    dead: Option<Box<TrapReport>>,
    /// The step of [`Quick::Other`].
    stopped: Option<Step>,
    /// How many results the plain call has that it is stopped in.
    expected: usize,
}

impl Native {
    /// See [`super::Instance::with_heap`].
    pub fn new(
        platform: PlatformRef,
        program: Arc<Program>,
        account: &Arc<Account>,
        stack_bytes: usize,
        heap: Config,
    ) -> Result<Native, LoadError> {
        let guest = Guest::new(platform, &program, account, stack_bytes, heap)?;
        let activations = Vec::with_capacity(MAX_ACTIVATIONS);
        let mut instance = Native { program, guest, activations, dead: None, stopped: None, expected: 0 };
        instance.initialise()?;
        Ok(instance)
    }

    /// Gives the globals their initial values.
    fn initialise(&mut self) -> Result<(), LoadError> {
        let Some(entry) = self.program.init_entry() else { return Ok(()) };
        let mut step = self.run(Go::Enter { entry });
        loop {
            step = match step {
                Step::Trap(report) => return Err(LoadError::Globals(report)),
                Step::Yield => self.run(Go::Resume(0)),
                // Initial values are constants and allocations: nothing else can happen.
                _ => return Ok(()),
            };
        }
    }

    /// See [`super::Instance::activations`].
    pub fn activations(&self) -> usize {
        self.activations.len()
    }

    /// See [`super::Instance::trap`].
    pub fn trap(&self) -> Option<&TrapReport> {
        self.dead.as_deref()
    }

    /// See [`super::Instance::revive`].
    pub fn revive(&mut self) {
        if self.dead.take().is_some() {
            self.guest.abandon();
        }
    }

    /// See [`super::Instance::memories`].
    pub fn memories(&self) -> Vec<&[u8]> {
        self.guest.memories.contents().collect()
    }

    /// See [`super::Instance::heap_statistics`].
    pub fn heap_statistics(&self) -> Statistics {
        self.guest.statistics()
    }

    /// See [`super::Instance::take_pauses`].
    pub fn take_pauses(&mut self) -> Vec<Nanos> {
        self.guest.take_pauses()
    }

    /// See [`super::Instance::collect`].
    pub fn collect(&mut self, full: bool) -> Result<(), Status> {
        if self.dead.is_some() {
            return Ok(());
        }
        self.guest.collect(full).map_err(|_| Status::Quota)
    }

    /// See [`super::Instance::set_caller`].
    pub fn set_caller(&mut self, caller: u32) {
        self.guest.set_caller(caller);
    }

    /// See [`super::Instance::plain_packet`].
    pub fn plain_packet(&mut self, slot: usize, words: &mut PlainWords) -> Option<(Head, usize)> {
        let Pending::Call { slot: pending, opcode, .. } = self.activations.last()?.pending? else { return None };
        let results = self.instruction(slot, opcode)?.results.as_deref()?;
        let (expected, numbers) = (results.len(), results.iter().all(|result| is_number(result.ty)));
        self.expected = expected;
        if pending == slot && numbers { self.guest.slots.only(slot, words) } else { None }
    }

    /// See [`super::Instance::clear_packet`].
    pub fn clear_packet(&mut self, slot: usize) {
        self.guest.slots.clear(slot);
    }

    /// See [`super::Instance::enter_plain`].
    pub fn enter_plain(&mut self, func: FuncId, words: &mut PlainWords, count: usize) -> Option<Quick> {
        let plain = self.program.plain(func)?;
        if self.dead.is_some() || count != plain.params {
            return None;
        }
        self.assert_idle();
        for (at, word) in words.iter().take(count).enumerate() {
            self.guest.set_value(at, *word);
        }
        self.activations.push(Activation { func, pending: None });
        match self.guest.run(Go::Enter { entry: plain.entry }) {
            Stopped::Exit(code) if code == Exit::Done as u64 && self.guest.slots.next_used(0).is_none() => {
                for (at, word) in words.iter_mut().take(plain.results).enumerate() {
                    *word = self.guest.value(at);
                }
                self.activations.pop();
                self.guest.leave();
                Some(Quick::Done(plain.results))
            }
            stopped => Some(self.quick(stopped)),
        }
    }

    /// See [`super::Instance::resume_plain`].
    pub fn resume_plain(&mut self, results: &[u64]) -> Quick {
        let pending = self.activations.last_mut().and_then(|activation| activation.pending.take());
        assert!(matches!(pending, Some(Pending::Call { .. })), "resume_plain: the VM is not stopped in a call");
        assert!(results.len() == self.expected, "resume_plain: other results");
        self.guest.set_value(0, 0);
        for (at, word) in results.iter().enumerate() {
            self.guest.set_value(1 + at, *word);
        }
        let stopped = self.guest.run(Go::Resume(0));
        self.quick(stopped)
    }

    fn quick(&mut self, stopped: Stopped) -> Quick {
        if let Stopped::Exit(code) = stopped
            && code == Exit::Call as u64
        {
            let (slot, head) = (self.guest.exit_arg(0) as usize, self.guest.exit_arg(1));
            let opcode = self.guest.slots.head(slot, head).map_or(0, |head| head.opcode as u8);
            self.stop_in(Pending::Call { slot, head, opcode });
            return Quick::Call { slot, opcode };
        }
        self.stopped = Some(self.follow(stopped));
        Quick::Other
    }

    /// See [`super::Instance::take_step`].
    pub fn take_step(&mut self) -> Option<Step> {
        self.stopped.take()
    }

    /// See [`super::Instance::on_grid`]: the caller takes it back before it ends.
    pub fn lend(&mut self, grid: Option<&mut Grid<'_>>) {
        match grid {
            Some(grid) => {
                let (width, height) = (grid.width(), grid.height());
                self.guest.lend(grid.cells().as_mut_ptr() as u64, width, height);
            }
            None => self.guest.lend(0, 0, 0),
        }
    }

    /// See [`super::Instance::enter`].
    pub fn enter(
        &mut self,
        func: FuncId,
        words: &[u64],
        attachments: &mut [Option<Attachment>],
    ) -> Result<Step, Status> {
        if let Some(report) = &self.dead {
            return Ok(Step::Trap(report.clone()));
        }
        self.assert_idle();
        let entry = self.program.entry(func).ok_or(Status::NoSuchInstruction)?;
        let signature = &self.program.module().funcs.get(func.index()).ok_or(Status::NoSuchInstruction)?.sig;
        let hierarchy = self.program.types().hierarchy();
        if !signature.params.iter().chain(&signature.results).all(|ty| hierarchy.is_carried(*ty)) {
            return Err(Status::NotSupported);
        }
        values::store(&mut self.guest, 0, signature.params.iter().copied(), words, attachments)?;
        self.activations.push(Activation { func, pending: None });
        Ok(self.run(Go::Enter { entry }))
    }

    /// See [`super::Instance::resume`].
    pub fn resume(&mut self, value: u64) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let pending = self.activations.last_mut().and_then(|activation| activation.pending.take());
        match pending {
            Some(Pending::Room { slot, words, attachments }) => {
                if !self.guest.slots.make_room(slot, words, attachments) {
                    self.stop_in(Pending::Room { slot, words, attachments });
                    return Step::Room { slot, words, attachments };
                }
                self.run(Go::Resume(0))
            }
            Some(Pending::Yield | Pending::Wait | Pending::Fail | Pending::Forward { .. })
            | Some(Pending::RunSend | Pending::Revoke) => self.run(Go::Resume(0)),
            Some(Pending::Flush) => self.run(Go::Resume(value)),
            Some(Pending::Call { .. } | Pending::Run { .. } | Pending::Own { .. } | Pending::WaitForever)
            | Some(Pending::Attenuate | Pending::Quit)
            | None => {
                panic!("resume: the VM is not stopped in a step that resumes: {pending:?}")
            }
        }
    }

    /// See [`super::Instance::resume_call`].
    pub fn resume_call(&mut self, result: Result<Reply, Status>) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let pending = self.activations.last_mut().and_then(|activation| activation.pending.take());
        let types = match pending {
            Some(Pending::Call { slot, opcode, .. }) => field_types(self.instruction(slot, opcode)),
            Some(Pending::Own { isa, opcode }) => field_types(own_instruction(self.program.module(), isa, opcode)),
            Some(Pending::Run { program }) => types_of(program_signature(self.program.module(), program).1),
            pending => panic!("resume_call: the VM is not stopped in a call: {pending:?}"),
        };
        let types = types.into_iter().map_while(|ty| ty);
        let stored = result.and_then(|reply| {
            let mut attachments: Vec<_> = reply.attachments.into_iter().map(Some).collect();
            let stored = values::store(&mut self.guest, 1, types.clone(), &reply.words, &mut attachments);
            stored.map_err(|status| if status == Status::BadOperand { Status::DeviceError } else { status })
        });
        let status = stored.map_or_else(|status| status as u64, |()| 0);
        if status != 0 {
            values::store_defaults(&mut self.guest, 1, types);
        }
        self.guest.set_value(0, status);
        self.run(Go::Resume(status))
    }

    /// See [`super::Instance::awaited`].
    pub fn awaited(&self) -> Vec<Type> {
        let types = match self.activations.last().and_then(|activation| activation.pending) {
            Some(Pending::Call { slot, opcode, .. }) => field_types(self.instruction(slot, opcode)),
            Some(Pending::Own { isa, opcode }) => field_types(own_instruction(self.program.module(), isa, opcode)),
            Some(Pending::Run { program }) => types_of(program_signature(self.program.module(), program).1),
            _ => return Vec::new(),
        };
        types.into_iter().map_while(|ty| ty).collect()
    }

    /// See [`super::Instance::resume_capability`].
    pub fn resume_capability(&mut self, slot: usize) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let pending = self.activations.last_mut().and_then(|activation| activation.pending.take());
        assert!(pending == Some(Pending::Attenuate), "resume_capability: the VM is not stopped in `Attenuate`");
        self.run(Go::Resume((slot as u64) << 1 | 1))
    }

    /// See [`super::Instance::add_slot`].
    pub fn add_slot(&mut self, channel: u32, generation: u32, allowed: Allowed) -> Option<usize> {
        self.guest.add_slot(channel, generation, allowed)
    }

    /// See [`super::Instance::set_capability`].
    pub fn set_capability(&mut self, slot: usize, capability: Capability) {
        self.guest.slots.set_capability(slot, capability);
    }

    /// See [`super::Instance::given_slots`].
    pub fn given_slots(&self) -> usize {
        self.guest.slots.given().count()
    }

    /// See [`super::Instance::release_slot`].
    pub fn release_slot(&mut self, slot: usize) {
        for address in self.guest.slots.release(slot) {
            self.guest.free_buf(address);
        }
    }

    /// See [`super::Instance::unused_slots`].
    pub fn unused_slots(&self) -> Vec<usize> {
        self.guest.unused_slots()
    }

    /// See [`super::Instance::refuse`].
    pub fn refuse(&mut self, status: Status) -> Step {
        if let Some(report) = &self.dead {
            return Step::Trap(report.clone());
        }
        let what = match self.activations.last().and_then(|activation| activation.pending) {
            Some(Pending::Attenuate) => "attenuate",
            Some(Pending::Revoke) => "revoke",
            pending => panic!("refuse: the VM is not stopped in a step that can be refused: {pending:?}"),
        };
        let message = format!("`{what}` failed with status {}: {status}", status as u16);
        let place = self.exit_place();
        let trap = Trap { kind: TrapKind::Device, message, status: Some(status as u16) };
        Step::Trap(Box::new(self.die(place, trap)))
    }

    /// See [`super::Instance::abort`].
    pub fn abort(&mut self, kind: TrapKind, message: String) -> TrapReport {
        let place = self.exit_place();
        self.die(place, Trap { kind, message, status: None })
    }

    /// See [`super::Instance::open_slot`].
    pub fn open_slot(&mut self, slot: usize, channel: u32, generation: u32) {
        self.guest.slots.open(slot, channel, generation);
    }

    /// See [`super::Instance::close_slot`].
    pub fn close_slot(&mut self, slot: usize) {
        for address in self.guest.slots.close(slot) {
            self.guest.free_buf(address);
        }
    }

    /// See [`super::Instance::slot`].
    pub fn slot(&self, slot: usize) -> Option<(u32, u32)> {
        self.guest.slots.target(slot)
    }

    /// See [`super::Instance::slots`].
    pub fn slots(&self) -> usize {
        self.guest.slots.len()
    }

    /// See [`super::Instance::next_packet`].
    pub fn next_packet(&self, from: usize) -> Option<usize> {
        self.guest.slots.next_used(from)
    }

    /// See [`super::Instance::take_packet`].
    pub fn take_packet(&mut self, slot: usize) -> Packet {
        let (words, addresses) = self.guest.slots.take(slot);
        if addresses.is_empty() {
            return Packet { words, attachments: Vec::new() };
        }
        let mut objects: Vec<_> = self.guest.slots.take_objects(slot).into_iter().map(Some).collect();
        let attachment = |address: u64| match address & 1 {
            0 => self.guest.release(address).map(Attachment::from),
            _ => objects.get_mut((address >> 1) as usize).and_then(Option::take),
        };
        let attachments = addresses.into_iter().filter_map(attachment).collect();
        Packet { words, attachments }
    }

    /// See [`super::Instance::recycle`].
    pub fn recycle(&mut self, slot: usize, packet: Packet) {
        self.guest.slots.recycle(slot, packet.words);
    }

    /// See [`super::Instance::set_tag`].
    pub fn set_tag(&mut self, tag: u32) {
        let pending = self.activations.last().and_then(|activation| activation.pending);
        if let Some(Pending::Call { slot, head, .. } | Pending::Forward { slot, head }) = pending
            && let Some(old) = self.guest.slots.head(slot, head)
        {
            self.guest.slots.set_head(slot, head, Head { tag, ..old });
        }
    }

    fn run(&mut self, go: Go) -> Step {
        let stopped = self.guest.run(go);
        self.follow(stopped)
    }

    /// Serves exits up to one that is the system's to act on.
    fn follow(&mut self, mut stopped: Stopped) -> Step {
        loop {
            let (place, next) = match stopped {
                Stopped::Fault(fault) => (Some(Place { pc: fault.pc, fp: fault.fp }), Err(fault.kind.into())),
                Stopped::Exit(code) => (None, self.exit(code)),
            };
            match next {
                Ok(Next::Resume(value)) => stopped = self.guest.run(Go::Resume(value)),
                Ok(Next::Stop(step)) => return step,
                Err(trap) => {
                    let place = place.or_else(|| self.exit_place());
                    return Step::Trap(Box::new(self.die(place, trap)));
                }
            }
        }
    }

    fn exit(&mut self, code: u64) -> Result<Next, Trap> {
        let exit = Exit::from_code(code).ok_or(TrapKind::Unreachable)?;
        self.guest.set_exit(Some(exit));
        let served = exits::serve(&mut self.guest, exit);
        self.guest.set_exit(None);
        if let Some(served) = served {
            return Ok(served.map(Next::Resume)?);
        }
        let [first, second, third] = [0, 1, 2].map(|index| self.guest.exit_arg(index));
        let (slot, words, attachments) = (first as usize, second as usize, third as usize);
        match exit {
            Exit::Done => return Ok(Next::Stop(self.done()?)),
            Exit::Trap => return Err(self.explicit_trap(first, second)),
            Exit::DeviceTrap => return Err(self.device_trap(first, second, third as u16)),
            Exit::Room if words > MAX_WORDS => return Err(too_long(words)),
            Exit::Room if self.guest.slots.is_open(slot) && self.guest.slots.make_room(slot, words, attachments) => {
                return Ok(Next::Resume(0));
            }
            Exit::Wait | Exit::WaitForever if !self.in_main() => return Err(TrapKind::WaitInHandler.into()),
            _ => {}
        }
        let def = TypeId(second as u32);
        let (pending, step) = match exit {
            Exit::Yield => (Pending::Yield, Step::Yield),
            Exit::Room => (Pending::Room { slot, words, attachments }, Step::Room { slot, words, attachments }),
            Exit::Call => self.call(slot, second),
            Exit::Flush => (Pending::Flush, Step::Flush { slot }),
            Exit::Wait => (Pending::Wait, Step::Wait),
            Exit::WaitForever => (Pending::WaitForever, Step::WaitForever),
            Exit::Quit => (Pending::Quit, Step::Exit(first as i32)),
            Exit::Fail => (Pending::Fail, Step::Fail(failure(first))),
            Exit::Forward => {
                let opcode = self.guest.slots.head(slot, second).map_or(0, |head| head.opcode as u8);
                (Pending::Forward { slot, head: second }, Step::Forward { slot, opcode })
            }
            Exit::Attenuate => (Pending::Attenuate, Step::Attenuate { slot: (first >> 1) as usize, def }),
            Exit::Revoke => (Pending::Revoke, Step::Revoke { slot: (first >> 1) as usize }),
            Exit::Run => (Pending::Run { program: words }, Step::Run { slot, program: words, args: self.args(words)? }),
            Exit::RunSend => (Pending::RunSend, Step::RunSend { slot, program: words, args: self.args(words)? }),
            Exit::Own => self.own(slot, second as u8)?,
            other => unreachable!("served above: {other:?}"),
        };
        self.stop_in(pending);
        Ok(Next::Stop(step))
    }

    /// A VM is never re-entered.
    fn assert_idle(&self) {
        let waiting = |outer: &Activation| matches!(outer.pending, Some(Pending::Wait | Pending::WaitForever));
        assert!(
            self.activations.len() < MAX_ACTIVATIONS && self.activations.iter().all(waiting),
            "the VM is in the middle of something else: {:?}",
            self.activations
        );
    }

    fn stop_in(&mut self, pending: Pending) {
        if let Some(activation) = self.activations.last_mut() {
            activation.pending = Some(pending);
        }
    }

    fn in_main(&self) -> bool {
        let main = self.program.module().export("main");
        self.activations.last().is_some_and(|activation| Some(activation.func) == main)
    }

    fn done(&mut self) -> Result<Step, Trap> {
        let ended = self.activations.last();
        let func = ended.and_then(|ended| self.program.module().funcs.get(ended.func.index()));
        let results = func.map_or(&[][..], |func| &func.sig.results);
        let reply = values::load(&mut self.guest, results.iter().copied())?;
        self.activations.pop();
        self.guest.leave();
        Ok(Step::Done(reply))
    }

    /// Arguments of a program that is to run, which leave the VM.
    fn args(&mut self, program: usize) -> Result<Reply, TrapKind> {
        let (params, _) = program_signature(self.program.module(), program);
        values::load(&mut self.guest, params.iter().copied())
    }

    fn own(&mut self, isa: usize, opcode: u8) -> Result<(Pending, Step), TrapKind> {
        let instruction = own_instruction(self.program.module(), isa, opcode);
        let params = instruction.map_or(&[][..], |instruction| &instruction.params);
        let operands = values::load(&mut self.guest, params.iter().map(|field| field.ty))?;
        Ok((Pending::Own { isa, opcode }, Step::Own { isa, opcode, operands }))
    }

    /// An instruction that is sent through a slot.
    fn instruction(&self, slot: usize, opcode: u8) -> Option<&Instruction> {
        let module = self.program.module();
        let used = module.uses.get(slot).map(|used| used.isa);
        let given = self.guest.slots.allowed(slot).map_or(&[][..], |(isas, _)| isas);
        let mut sets = used.iter().chain(given).filter_map(|isa| module.isas.get(isa.index()));
        sets.find_map(|set| set.instruction(opcode))
    }

    /// What a capability is called: its `use`, or the set of one that was given.
    fn slot_name(&self, slot: usize) -> String {
        let module = self.program.module();
        let given = || {
            let (isas, _) = self.guest.slots.allowed(slot)?;
            module.isas.get(isas.first()?.index()).map(|set| set.path())
        };
        let used = module.uses.get(slot).map(|used| used.name.clone()).or_else(given);
        used.unwrap_or_else(|| "?".into())
    }

    fn call(&self, slot: usize, head: u64) -> (Pending, Step) {
        let opcode = self.guest.slots.head(slot, head).map_or(0, |head| head.opcode as u8);
        (Pending::Call { slot, head, opcode }, Step::Call { slot, opcode })
    }

    fn device_trap(&self, slot: u64, opcode: u64, status: u16) -> Trap {
        let module = self.program.module();
        let name = |instruction: Option<&Instruction>| instruction.map_or("?".into(), |found| found.name.to_string());
        let what = match opcode.checked_sub(RUN_OPCODE).map(|program| module.programs.get(program as usize)) {
            _ if slot == OWN_SLOT => {
                let func = self.activations.last().map(|activation| activation.func);
                let program = module.programs.iter().find(|program| Some(program.func) == func);
                name(program.and_then(|program| own_instruction(module, program.isa.index(), opcode as u8)))
            }
            Some(program) => {
                format!("{}.run({})", self.slot_name(slot as usize), program.map_or("?", |program| &program.name))
            }
            None => {
                let sent = self.instruction(slot as usize, opcode as u8);
                format!("{}.{}", self.slot_name(slot as usize), name(sent))
            }
        };
        let why = Status::from_code(status).map_or("unknown status", Status::describe);
        let message = format!("`{what}` failed with status {status}: {why}");
        Trap { kind: TrapKind::Device, message, status: Some(status) }
    }

    fn explicit_trap(&self, kind: u64, message: u64) -> Trap {
        let kind = u8::try_from(kind).ok().and_then(TrapKind::from_code).unwrap_or(TrapKind::Unreachable);
        let text = if message == 0 { &[] } else { self.guest.text(message) };
        Trap { kind, message: String::from_utf8_lossy(text).into_owned(), status: None }
    }

    /// Where the innermost activation took its exit.
    fn exit_place(&self) -> Option<Place> {
        self.activations.last()?;
        let (pc, fp) = self.guest.exit_place()?;
        Some(Place { pc: pc.wrapping_sub(1), fp })
    }

    fn die(&mut self, place: Option<Place>, trap: Trap) -> TrapReport {
        let Trap { kind, message, status } = trap;
        let report = trace::report(&self.program, &self.guest, place, kind, message, status);
        self.activations.clear();
        self.dead = Some(Box::new(report.clone()));
        report
    }
}

fn own_instruction(module: &Module, isa: usize, opcode: u8) -> Option<&Instruction> {
    module.isas.get(isa)?.instruction(opcode)
}

/// Parameters and results of a program.
fn program_signature(module: &Module, program: usize) -> (&[Type], &[Type]) {
    let func = module.programs.get(program).and_then(|program| module.funcs.get(program.func.index()));
    func.map_or((&[], &[]), |func| (&func.sig.params, &func.sig.results))
}

/// A list of types that borrows nothing: the first `None` ends it.
type Types = [Option<Type>; MAX_OPERANDS];

fn types_of(list: &[Type]) -> Types {
    core::array::from_fn(|at| list.get(at).copied())
}

/// Types of an instruction's results.
fn field_types(instruction: Option<&Instruction>) -> Types {
    let results = instruction.and_then(|instruction| instruction.results.as_deref()).unwrap_or_default();
    core::array::from_fn(|at| results.get(at).map(|field| field.ty))
}

/// What `fail` was given; a number that is no failure's counts as `DeviceError`.
fn failure(status: u64) -> u16 {
    match u16::try_from(status as u32) {
        Ok(status) if status != 0 => status,
        _ => Status::DeviceError as u16,
    }
}

fn too_long(words: usize) -> Trap {
    let message =
        format!("an instruction of {words} words does not fit a packet of {MAX_WORDS}; send large data as a `buf`");
    Trap { kind: TrapKind::Device, message, status: Some(Status::OutOfRange as u16) }
}
