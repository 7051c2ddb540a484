//! Device instructions: sent, tried, through a wanted capability or one that is a value.

use il::instr::Instr;
use il::isa::Instruction;
use il::{ProgramId, ProvidedId, Type, TypeDef, TypeId, UseId};

use crate::body::Body;
use crate::world::Role;

/// To whom an instruction goes.
#[derive(Clone, Copy)]
enum Target {
    Use(UseId),
    /// A capability on the stack.
    Value(TypeId),
    /// The VM in which a program runs.
    Own,
}

/// Opcodes of the set that is used which fail often: they are tried mostly.
pub const UNRELIABLE: [u8; 4] = [5, 7, 9, 12];

fn reliable(instruction: &Instruction) -> bool {
    !UNRELIABLE.contains(&instruction.opcode)
}

impl Body<'_> {
    /// Picks an instruction for which `wanted` holds, and to whom it goes; writes a capability that is a value.
    fn pick_instruction(
        &mut self,
        depth: usize,
        wanted: impl Fn(&Instruction) -> bool,
    ) -> Option<(Target, Instruction)> {
        if self.plan.role == Role::Pure {
            return None;
        }
        let own = self.plan.role == Role::Program;
        let set = self.world.used();
        let types = |instruction: &Instruction| instruction.params.iter().map(|field| field.ty).collect::<Vec<_>>();
        let fitting: Vec<&Instruction> = set
            .instructions
            .iter()
            .filter(|instruction| wanted(instruction) && self.can_pass(&types(instruction)))
            .collect();
        let instruction = self.random.pick(&fitting)?.clone();
        if own {
            return Some((Target::Own, instruction));
        }
        let has = |def: &TypeDef| match def {
            TypeDef::Cap(def) => def.instructions.contains(&instruction.opcode),
            TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Func(_) => false,
        };
        if self.random.percent(35)
            && let Some(id) = self.pick_def(has)
        {
            self.expr(Type::Ref(id), depth.min(1));
            return Some((Target::Value(id), instruction));
        }
        let wanted = self.world.uses();
        Some((Target::Use(self.random.of(wanted)), instruction))
    }

    fn operands(&mut self, instruction: &Instruction, depth: usize) {
        for field in instruction.params.iter() {
            self.expr(field.ty, depth);
        }
    }

    /// An instruction of one result, or the status of one without, inside a tree.
    pub fn send(&mut self, ty: Type, depth: usize) -> bool {
        if ty == Type::I32 && self.random.percent(40) {
            return self.try_in_tree(depth);
        }
        let one =
            |instruction: &Instruction| matches!(instruction.results.as_deref(), Some([result]) if result.ty == ty);
        let reckless = self.reckless();
        let one = |instruction: &Instruction| one(instruction) && (reckless || reliable(instruction));
        let Some((target, instruction)) = self.pick_instruction(depth, one) else { return false };
        self.operands(&instruction, depth);
        self.push(match target {
            Target::Use(id) => Instr::Send(id, instruction.opcode),
            Target::Value(id) => Instr::SendTo(id, instruction.opcode),
            Target::Own => Instr::Own(instruction.opcode),
        });
        true
    }

    fn try_in_tree(&mut self, depth: usize) -> bool {
        let none = |instruction: &Instruction| instruction.results.as_deref().is_some_and(<[_]>::is_empty);
        let Some((target, instruction)) = self.pick_instruction(depth, none) else { return false };
        self.operands(&instruction, depth);
        self.push(match target {
            Target::Use(id) => Instr::Try(id, instruction.opcode),
            Target::Value(id) => Instr::TryTo(id, instruction.opcode),
            Target::Own => Instr::OwnTry(instruction.opcode),
        });
        true
    }

    /// A whole statement.
    pub fn send_statement(&mut self, depth: usize) -> bool {
        let tries = self.random.percent(40);
        let reckless = self.reckless();
        let wanted = |instruction: &Instruction| match tries {
            true => instruction.results.is_some(),
            false => reckless || reliable(instruction),
        };
        let Some((target, instruction)) = self.pick_instruction(depth, wanted) else { return false };
        self.operands(&instruction, depth);
        let mut types = if tries { vec![Type::I32] } else { vec![] };
        types.extend(instruction.results.as_deref().unwrap_or_default().iter().map(|field| field.ty));
        let dests = self.destinations(&types);
        let opcode = instruction.opcode;
        match (target, tries) {
            (Target::Use(id), false) => self.out.send_set(id, opcode, &dests),
            (Target::Use(id), true) => self.out.try_set(id, opcode, &dests),
            (Target::Value(id), false) => self.out.send_to_set(id, opcode, &dests),
            (Target::Value(id), true) => self.out.try_to_set(id, opcode, &dests),
            (Target::Own, false) => self.out.own_set(opcode, &dests),
            (Target::Own, true) => self.out.own_try_set(opcode, &dests),
        }
        self.assigned_all(&dests);
        true
    }

    /// Hands the request under way on, in an `op`.
    pub fn forward(&mut self, depth: usize) -> bool {
        let world = self.world;
        let before = world.plans[..self.id.index()].iter().filter(|plan| plan.role == Role::Op).count();
        let Some(own) = world.provided().instructions.get(before) else { return false };
        let types = |instruction: &Instruction| {
            let results = instruction.results.as_deref();
            results.map(|results| results.iter().map(|field| field.ty).collect::<Vec<_>>())
        };
        let same = |instruction: &Instruction| types(instruction) == types(own);
        let Some((target, instruction)) = self.pick_instruction(depth, same) else { return false };
        self.operands(&instruction, depth);
        self.push(match target {
            Target::Use(id) => Instr::Forward(id, instruction.opcode),
            Target::Value(id) => Instr::ForwardTo(id, instruction.opcode),
            Target::Own => return false,
        });
        self.leave();
        true
    }

    /// Runs a program somewhere else; nobody does so far, so it is tried mostly.
    pub fn run_program(&mut self, depth: usize) -> bool {
        let world = self.world;
        let programs: Vec<usize> = (0..world.module.programs.len()).collect();
        let Some(at) = self.random.pick(&programs).filter(|_| !self.is_pure()) else { return false };
        let (program, reckless) = (ProgramId(at as u32), self.reckless());
        let sig = &world.plans[world.module.programs[at].func.index()].sig;
        let target = self.random.of(world.uses());
        for ty in &sig.params {
            self.expr(*ty, depth);
        }
        if reckless && sig.results.is_empty() && self.random.percent(50) {
            self.push(Instr::RunSend(target, program));
            return true;
        }
        let mut types = if reckless { vec![] } else { vec![Type::I32] };
        types.extend(&sig.results);
        let dests = self.destinations(&types);
        if reckless {
            self.out.run_set(target, program, &dests);
        } else {
            self.out.run_try_set(target, program, &dests);
        }
        self.assigned_all(&dests);
        true
    }

    /// An event of the provided set.
    pub fn emit(&mut self, depth: usize) -> bool {
        if self.world.module.provides.is_empty() || self.is_pure() {
            return false;
        }
        let events: Vec<u8> = self.world.provided().events.iter().map(|event| event.number).collect();
        let Some(number) = self.random.pick(&events) else { return false };
        let Some(event) = self.world.provided().event(number) else { return false };
        for field in event.params.iter() {
            self.expr(field.ty, depth);
        }
        if self.random.percent(30) {
            self.expr(Type::I32, 1);
            self.push(Instr::EmitTo(ProvidedId(0), number));
        } else {
            self.push(Instr::Emit(ProvidedId(0), number));
        }
        true
    }

    pub fn flush(&mut self) -> bool {
        if self.is_pure() {
            return false;
        }
        if self.random.percent(50) {
            let wanted = self.world.uses();
            let target = self.random.of(wanted);
            self.push(Instr::Flush(target));
            return true;
        }
        let Some(id) = self.pick_def(|def| matches!(def, TypeDef::Cap(_))) else { return false };
        self.expr(Type::Ref(id), 1);
        self.push(Instr::FlushCap);
        true
    }
}
