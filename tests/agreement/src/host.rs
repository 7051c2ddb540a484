//! A world for one VM: it enters the module's functions in turn, and answers each device instruction with
//! what follows from the packet's words alone. So two engines that do the same see the same.

use generate::{OBSERVE, Random, UNRELIABLE};
use il::isa::Field;
use il::trap::{Status, TrapKind};
use il::{FuncId, Module, Type};
use interp::{Datum, Outcome, Packet};

/// An engine with one VM.
pub trait Engine {
    /// Starts a function.
    ///
    /// # Errors
    /// If it cannot be entered.
    fn enter(&mut self, func: FuncId, args: Packet) -> Result<Outcome, Status>;
    /// Goes on after anything but a call.
    fn resume(&mut self, status: u16) -> Outcome;
    /// Goes on after a call.
    fn resume_call(&mut self, reply: Result<Packet, Status>) -> Outcome;
    /// Answers that the base cannot do what was asked.
    fn refuse(&mut self, status: Status) -> Outcome;
    /// Takes a slot's open packet.
    fn take_packet(&mut self, slot: usize) -> Packet;
    /// Tags the instruction that waits.
    fn set_tag(&mut self, tag: u32);
    /// Says who sent the request that comes next.
    fn set_caller(&mut self, caller: i32);
    /// Forgets the trap that it ended in, so that what it left behind can be looked at.
    fn revive(&mut self);
}

/// What can be seen of a VM from outside.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// It was entered.
    Enter(FuncId),
    /// It could not be.
    Refused(Status),
    /// A packet left it.
    Packet(usize, Packet),
    /// It stopped like this.
    Stopped(Outcome),
}

/// All that was seen, in order.
pub type Trace = Vec<Event>;

/// Runs all entries of a module.
pub fn drive(engine: &mut dyn Engine, module: &Module, seed: u64) -> Trace {
    let mut host = Host { engine, module, seed, trace: Vec::new(), tag: 0 };
    host.all();
    host.trace
}

struct Host<'e> {
    engine: &'e mut dyn Engine,
    module: &'e Module,
    seed: u64,
    trace: Trace,
    tag: u32,
}

/// Whether engines may meet this trap at different points.
pub fn is_limit(kind: TrapKind) -> bool {
    matches!(kind, TrapKind::StackOverflow | TrapKind::Quota | TrapKind::Deadline)
}

/// Whether an instruction fails.
fn fails(random: &mut Random, opcode: u8) -> bool {
    random.below(1000) < if UNRELIABLE.contains(&opcode) { 200 } else { 2 }
}

impl Host<'_> {
    fn all(&mut self) {
        let main = self.module.export("main");
        let ops = self.module.provides.iter().flat_map(|provided| provided.ops.clone()).collect::<Vec<_>>();
        let exports = self.module.exports.iter().map(|export| export.func).filter(|func| Some(*func) != main);
        let observe = self.module.export(OBSERVE);
        let others: Vec<FuncId> = exports.filter(|func| Some(*func) != observe).chain(ops).collect();
        let handlers: Vec<FuncId> = self.module.handlers.iter().map(|handler| handler.func).collect();
        let programs = self.module.programs.iter().map(|program| program.func);
        let mut entries = main.into_iter().chain(others).chain(programs).chain(handlers).chain(observe);
        if entries.all(|func| self.entry(func)) {
            return;
        }
        // A trap leaves memories and globals as they were then, for whoever may still look.
        if let (Some(Event::Stopped(Outcome::Trap(report))), Some(observe)) = (self.trace.last(), observe)
            && !is_limit(report.kind)
        {
            self.engine.revive();
            self.entry(observe);
        }
    }

    /// Runs a function to its end; false if nothing can run any more.
    fn entry(&mut self, func: FuncId) -> bool {
        self.trace.push(Event::Enter(func));
        self.engine.set_caller(func.0 as i32 + 1);
        let params = self.module.sig(func).map(|sig| sig.params.clone()).unwrap_or_default();
        let mut random = Random::new(self.seed ^ u64::from(func.0) << 32);
        let args: Vec<Datum> = params.iter().map(|ty| datum(&mut random, *ty)).collect();
        match self.engine.enter(func, Packet::of(&args)) {
            Ok(outcome) => self.settle(outcome),
            Err(status) => {
                self.trace.push(Event::Refused(status));
                true
            }
        }
    }

    fn settle(&mut self, mut outcome: Outcome) -> bool {
        loop {
            if let Outcome::Call { .. } | Outcome::Forward { .. } = outcome {
                self.tag += 1;
                self.engine.set_tag(self.tag);
            }
            self.trace.push(Event::Stopped(outcome.clone()));
            outcome = match outcome {
                Outcome::Done(_) => {
                    self.submit_all();
                    return true;
                }
                Outcome::Trap(_) | Outcome::OutOfFuel | Outcome::WaitForever => return false,
                Outcome::Exit(_) => {
                    self.submit_all();
                    return false;
                }
                Outcome::Room { slot, .. } => {
                    self.submit(slot);
                    self.engine.resume(0)
                }
                Outcome::Call { slot, opcode } => {
                    let packet = self.submit(slot);
                    let reply = self.reply(slot, opcode, &packet);
                    self.engine.resume_call(reply)
                }
                Outcome::Own { opcode, operands } => {
                    let reply = self.reply(0, opcode, &operands);
                    self.engine.resume_call(reply)
                }
                Outcome::Run { .. } => self.engine.resume_call(Err(Status::NotSupported)),
                // There is no base, and so there are no rights.
                Outcome::Attenuate { .. } | Outcome::Revoke { .. } => self.engine.refuse(Status::NotSupported),
                Outcome::Flush { slot } => {
                    let packet = self.submit(slot);
                    let mut random = Random::new(self.digest(&packet));
                    let status = if fails(&mut random, 0) { Status::Busy as u16 } else { 0 };
                    self.engine.resume(status)
                }
                Outcome::Wait | Outcome::Fail(_) | Outcome::Forward { .. } => {
                    self.submit_all();
                    self.engine.resume(0)
                }
            };
        }
    }

    fn submit(&mut self, slot: usize) -> Packet {
        let packet = self.engine.take_packet(slot);
        self.trace.push(Event::Packet(slot, packet.clone()));
        packet
    }

    fn submit_all(&mut self) {
        for slot in 0..=self.module.uses.len() {
            self.submit(slot);
        }
    }

    fn digest(&self, packet: &Packet) -> u64 {
        let words = packet.words.iter().copied();
        let bytes = packet.attachments.iter().flat_map(|one| one.bytes().iter().map(|byte| u64::from(*byte) + 1));
        words.chain(bytes).fold(self.seed, |sum, word| (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn reply(&self, slot: usize, opcode: u8, packet: &Packet) -> Result<Packet, Status> {
        let mut random = Random::new(self.digest(packet) ^ slot as u64);
        if fails(&mut random, opcode) {
            return Err(random.of([Status::Busy, Status::DeviceError, Status::PeerGone]));
        }
        let wanted = self.module.uses.get(slot).and_then(|used| self.module.isas.get(used.isa.index()));
        let instruction = wanted.and_then(|set| set.instruction(opcode));
        let results: &[Field] = instruction.and_then(|instruction| instruction.results.as_deref()).unwrap_or_default();
        let data: Vec<Datum> = results.iter().map(|field| datum(&mut random, field.ty)).collect();
        Ok(Packet::of(&data))
    }
}

/// A random value that can travel.
fn datum(random: &mut Random, ty: Type) -> Datum {
    match ty {
        Type::I32 => Datum::I32(small(random) as i32),
        Type::I64 => Datum::I64(small(random)),
        Type::F32 => {
            Datum::F32(if random.percent(30) { random.word() as u32 } else { (small(random) as f32).to_bits() })
        }
        Type::F64 => Datum::F64(if random.percent(30) { random.word() } else { (small(random) as f64).to_bits() }),
        Type::V128 => Datum::V128((u128::from(random.word()) << 64 | u128::from(random.word())).to_le_bytes()),
        Type::Bool => Datum::Bool(random.percent(50)),
        Type::Str => Datum::Str(random.of(["", "reply", "grün", "0123456789abcdef0123456789"]).into()),
        _ => Datum::Buf((0..random.below(48)).map(|_| random.word() as u8).collect()),
    }
}

fn small(random: &mut Random) -> i64 {
    if random.percent(70) { random.below(64) as i64 - 8 } else { random.word() as i64 }
}
