//! One function's body under construction: its locals, which of them are available, what is borrowed.
//!
//! Availability is tracked as the verifier does it, so that whatever is written keeps its rules.

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{FuncId, LocalId, MemoryId, Type};

use crate::world::{Place, Plan, Role, World};
use crate::{Config, Random, constant};

/// Which locals are available; `None` where control does not get.
pub(crate) type Flow = Option<Vec<bool>>;

/// An enclosing loop or block.
pub(crate) struct Loop {
    /// Whether it is a block, which does not repeat.
    pub is_block: bool,
    /// What a turn must bring back.
    pub head: Vec<bool>,
    /// What all ways out have.
    pub exit: Flow,
}

pub(crate) struct Body<'w> {
    pub world: &'w World,
    pub config: &'w Config,
    pub random: &'w mut Random,
    pub id: FuncId,
    pub plan: &'w Plan,
    pub out: Writer,
    /// Types of all locals, parameters first.
    pub locals: Vec<Type>,
    pub flow: Flow,
    pub loops: Vec<Loop>,
    /// Locals that operands on the stack borrow, or will.
    pub borrowed: Vec<LocalId>,
    /// Locals that end loops: never assigned otherwise.
    pub hidden: Vec<LocalId>,
    /// Whether a `buf` may be moved here: not in conditions of loops.
    pub moves: bool,
    /// How many nodes may still be made.
    pub budget: i32,
    /// Constructs around this point.
    pub depth: usize,
}

impl<'w> Body<'w> {
    pub fn new(world: &'w World, config: &'w Config, random: &'w mut Random, id: FuncId) -> Body<'w> {
        let plan = &world.plans[id.index()];
        let locals = plan.sig.params.clone();
        let flow = Some(vec![true; locals.len()]);
        Body {
            world,
            config,
            random,
            id,
            plan,
            out: Writer::default(),
            locals,
            flow,
            loops: Vec::new(),
            borrowed: Vec::new(),
            hidden: Vec::new(),
            moves: true,
            budget: config.nodes as i32,
            depth: 0,
        }
    }

    /// Whether it may do only what pure functions do; a program also sends its own set's instructions.
    pub fn is_pure(&self) -> bool {
        matches!(self.plan.role, Role::Pure | Role::Program)
    }

    pub fn place(&self) -> Place {
        if self.is_pure() { Place::Pure } else { Place::Body }
    }

    // Writing.

    pub fn push(&mut self, instr: Instr<'_>) {
        self.out.push(instr);
    }

    pub fn op(&mut self, op: Op) {
        self.out.push(Instr::Op(op, Immediate::default()));
    }

    /// An operator on a memory.
    pub fn op_in(&mut self, op: Op, memory: MemoryId) {
        self.out.push(Instr::Op(op, Immediate { memory, ..Immediate::default() }));
    }

    /// A memory that may be accessed here.
    pub fn pick_memory(&mut self) -> Option<MemoryId> {
        let count = self.world.module.memories.len();
        if count == 0 || self.is_pure() {
            return None;
        }
        Some(MemoryId(self.random.below(count) as u32))
    }

    pub fn i32(&mut self, value: i32) {
        self.out.push(Instr::I32Const(value));
    }

    pub fn constant(&mut self, ty: Type) {
        let place = self.place();
        constant::push(self.world, self.random, &mut self.out, ty, place, 2);
    }

    // Locals.

    pub fn new_local(&mut self, ty: Type) -> LocalId {
        self.locals.push(ty);
        if let Some(flow) = &mut self.flow {
            flow.push(false);
        }
        LocalId(self.locals.len() as u32 - 1)
    }

    pub fn available(&self, local: LocalId) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.get(local.index()).copied().unwrap_or(false))
    }

    fn mark(&mut self, local: LocalId, available: bool) {
        if let Some(flow) = &mut self.flow {
            if flow.len() <= local.index() {
                flow.resize(local.index() + 1, false);
            }
            flow[local.index()] = available;
        }
    }

    pub fn assigned(&mut self, local: LocalId) {
        self.mark(local, true);
    }

    pub fn moved(&mut self, local: LocalId) {
        self.mark(local, false);
    }

    /// Assigns the value on the stack.
    pub fn set(&mut self, local: LocalId) {
        self.out.set(&[Some(local)]);
        self.assigned(local);
    }

    /// Drops the value on the stack.
    pub fn discard(&mut self) {
        self.out.set(&[None]);
    }

    /// Available locals for which `wanted` holds.
    pub fn locals_where(&self, wanted: impl Fn(Type) -> bool) -> Vec<LocalId> {
        let all = self.locals.iter().enumerate().map(|(at, ty)| (LocalId(at as u32), *ty));
        all.filter(|(local, ty)| wanted(*ty) && self.available(*local)).map(|(local, _)| local).collect()
    }

    /// An available local of a subtype of `ty`.
    pub fn pick_local(&mut self, ty: Type) -> Option<LocalId> {
        let world = self.world;
        let fitting = self.locals_where(|local| !local.is_affine() && world.subtype(local, ty));
        self.random.pick(&fitting)
    }

    /// A buffer to look into.
    pub fn pick_buf(&mut self) -> Option<LocalId> {
        let fitting = self.locals_where(|ty| matches!(ty, Type::Buf | Type::BufRef));
        self.random.pick(&fitting)
    }

    /// A place for a value of type `ty`: an old local, a new one, or nowhere.
    pub fn destination(&mut self, ty: Type, taken: &[Option<LocalId>]) -> Option<LocalId> {
        if ty == Type::OptBuf || self.random.percent(12) {
            return None;
        }
        if self.random.percent(60) && self.locals.len() < 60 {
            return Some(self.new_local(ty));
        }
        let (world, hidden) = (self.world, &self.hidden);
        let fits = |at: usize, local: Type| {
            local != Type::BufRef
                && world.subtype(ty, local)
                && !hidden.contains(&LocalId(at as u32))
                && !taken.contains(&Some(LocalId(at as u32)))
        };
        let fitting: Vec<LocalId> =
            (0..self.locals.len()).filter(|at| fits(*at, self.locals[*at])).map(|at| LocalId(at as u32)).collect();
        self.random.pick(&fitting)
    }

    pub fn destinations(&mut self, types: &[Type]) -> Vec<Option<LocalId>> {
        let mut dests = Vec::new();
        for ty in types {
            let dest = self.destination(*ty, &dests);
            dests.push(dest);
        }
        dests
    }

    pub fn assigned_all(&mut self, dests: &[Option<LocalId>]) {
        dests.iter().flatten().for_each(|local| self.assigned(*local));
    }

    // Flow.

    /// Makes available again what a turn of a loop must bring back.
    pub fn repair(&mut self, head: &[bool]) {
        for (at, wanted) in head.iter().enumerate() {
            let local = LocalId(at as u32);
            if *wanted && !self.available(local) {
                let place = self.place();
                constant::push(self.world, self.random, &mut self.out, self.locals[at], place, 0);
                self.set(local);
            }
        }
    }

    pub fn leave(&mut self) {
        self.flow = None;
    }
}

/// What is available on both edges.
pub(crate) fn join(left: Flow, right: Flow) -> Flow {
    match (left, right) {
        (None, other) | (other, None) => other,
        (Some(left), Some(right)) => {
            let at = |flow: &[bool], index: usize| flow.get(index).copied().unwrap_or(false);
            let count = left.len().max(right.len());
            Some((0..count).map(|index| at(&left, index) && at(&right, index)).collect())
        }
    }
}
