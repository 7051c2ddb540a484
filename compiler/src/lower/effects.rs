//! Which instructions, and so which functions, may collect.

use alloc::vec::Vec;

use hashbrown::HashMap;
use il::instr::{Instr, Reader};
use il::isa::GridInstruction;
use il::op::Op;
use il::{FuncId, GlobalId, Hierarchy, Module, StructDef, TypeDef, TypeId};

use super::pace::{Look, Pace};
use super::{constants, inline};
use crate::image::ConstantArray;

/// What lowering knows of a module's functions and types before it starts.
#[derive(Default)]
pub(crate) struct Effects {
    /// By function: whether a collection may happen while it runs.
    collects: Vec<bool>,
    /// By function: whether it may stand in the place of its calls.
    small: Vec<bool>,
    /// Where functions and loops look at the interrupt word.
    pace: Pace,
    /// How many frozen structs have a lower number than each.
    frozen: Vec<u32>,
    /// Opcodes of instructions of the own set that leave the VM in no way.
    inlined: Vec<u8>,
    /// What `func.ref` names, in the order in which it first stands there.
    pub func_refs: Vec<(FuncId, TypeId)>,
    /// Places in `func_refs`.
    pub numbers: HashMap<(FuncId, TypeId), u32>,
    /// Arrays of constants that globals begin as.
    pub arrays: Vec<ConstantArray>,
    /// Places in `arrays`.
    pub array_numbers: HashMap<GlobalId, u32>,
    /// Whether the table of capabilities may move.
    pub gains_capabilities: bool,
}

/// What an instruction may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that concerns the collector.
    None,
    /// Collect.
    Collects,
    /// What this function does.
    Calls(FuncId),
}

impl Effects {
    /// Reads all bodies once. Those that do not decode are passed over: lowering reports them.
    pub fn of(module: &Module, hierarchy: &Hierarchy, grid: &[GridInstruction]) -> Effects {
        let inlined = grid.iter().map(|one| one.opcode).collect();
        let collects = alloc::vec![false; module.funcs.len()];
        let mut effects = Effects { collects, inlined, ..Effects::default() };
        effects.count_frozen(module, hierarchy);
        effects.gains_capabilities = module.gains_capabilities();
        effects.small = module.funcs.iter().map(inline::is_small).collect();
        effects.pace = Pace::of(module);
        let mut callers: Vec<Vec<u32>> = alloc::vec![Vec::new(); module.funcs.len()];
        let mut work = Vec::new();
        for global in &module.globals {
            let mut reader = Reader::new(&global.init);
            while let Ok(Some(instr)) = reader.next() {
                effects.note_reference(instr);
            }
        }
        effects.find_arrays(module, hierarchy);
        for (at, func) in module.funcs.iter().enumerate() {
            let mut reader = Reader::new(&func.body);
            while let Ok(Some(instr)) = reader.next() {
                effects.note_reference(instr);
                match effects.effect(instr) {
                    Effect::None => {}
                    Effect::Collects => effects.mark(at, &mut work),
                    Effect::Calls(callee) => {
                        if let Some(callers) = callers.get_mut(callee.index())
                            && callers.last() != Some(&(at as u32))
                        {
                            callers.push(at as u32);
                        }
                    }
                }
            }
        }
        while let Some(callee) = work.pop() {
            for caller in callers.get_mut(callee).map(core::mem::take).unwrap_or_default() {
                effects.mark(caller as usize, &mut work);
            }
        }
        effects
    }

    fn mark(&mut self, func: usize, work: &mut Vec<usize>) {
        if let Some(collects @ false) = self.collects.get_mut(func) {
            *collects = true;
            work.push(func);
        }
    }

    fn note_reference(&mut self, instr: Instr<'_>) {
        if let Instr::FuncRef(func, ty) = instr {
            self.numbers.entry((func, ty)).or_insert_with(|| {
                self.func_refs.push((func, ty));
                self.func_refs.len() as u32 - 1
            });
        }
    }

    fn find_arrays(&mut self, module: &Module, hierarchy: &Hierarchy) {
        let texts = module.strings.len() as u32;
        for (at, global) in module.globals.iter().enumerate() {
            let place = |func, ty| texts.checked_add(*self.numbers.get(&(func, ty))?);
            if let Some(array) = constants::array(&global.init, hierarchy, place) {
                self.array_numbers.insert(GlobalId(at as u32), self.arrays.len() as u32);
                self.arrays.push(array);
            }
        }
    }

    fn count_frozen(&mut self, module: &Module, hierarchy: &Hierarchy) {
        self.frozen = alloc::vec![0; module.types.len() + 1];
        for (at, def) in module.types.iter().enumerate() {
            let number = hierarchy.numbers(TypeId(at as u32)).0 as usize;
            if let (TypeDef::Struct(StructDef { frozen: true, .. }), Some(count)) =
                (def, self.frozen.get_mut(number + 1))
            {
                *count = 1;
            }
        }
        let mut sum = 0;
        for count in &mut self.frozen {
            sum += *count;
            *count = sum;
        }
    }

    /// Whether a struct with a number in this range is frozen.
    pub(super) fn has_frozen(&self, (first, last): (u32, u32)) -> bool {
        let below = |number: u32| self.frozen.get(number as usize).copied().unwrap_or(0);
        below(first) != below(last.saturating_add(1))
    }

    /// Whether a collection may happen while a function runs.
    pub fn collects(&self, func: FuncId) -> bool {
        self.collects.get(func.index()).copied().unwrap_or(true)
    }

    pub(super) fn is_small(&self, func: FuncId) -> bool {
        self.small.get(func.index()).copied().unwrap_or(false)
    }

    /// Where a function looks at the interrupt word, besides its loops.
    pub(super) fn look(&self, func: FuncId) -> Look {
        self.pace.look(func)
    }

    /// Whether the `for` at an offset of a body does little enough to go without looks.
    pub(super) fn is_short(&self, func: FuncId, offset: u32) -> bool {
        self.pace.is_short(func, offset)
    }

    pub(super) fn may_collect(&self, instr: Instr<'_>) -> bool {
        match self.effect(instr) {
            Effect::None => false,
            Effect::Collects => true,
            Effect::Calls(func) => self.collects(func),
        }
    }

    /// What an instruction may do; the exits that it takes are those of [`crate::abi::Exit::TABLE`].
    fn effect(&self, instr: Instr<'_>) -> Effect {
        match instr {
            Instr::Op(op, _) => op_effect(op),
            Instr::Call(func) | Instr::CallSet(func, _) | Instr::ReturnCall(func) => Effect::Calls(func),
            Instr::CallRef(_) | Instr::CallRefSet(..) | Instr::ReturnCallRef(_) => Effect::Collects,
            Instr::StructNew(_) | Instr::ArrayNew(_) | Instr::ArrayOf(..) | Instr::Freeze => Effect::Collects,
            Instr::Attenuate(_) | Instr::Wait | Instr::WaitForever => Effect::Collects,
            // Some do not, but which these are stands in the set.
            Instr::Emit(..) | Instr::EmitTo(..) | Instr::Forward(..) | Instr::ForwardTo(..) => Effect::Collects,
            Instr::Send(..) | Instr::SendSet(..) | Instr::Try(..) | Instr::TrySet(..) => Effect::Collects,
            Instr::SendTo(..) | Instr::SendToSet(..) | Instr::TryTo(..) | Instr::TryToSet(..) => Effect::Collects,
            Instr::Own(opcode) | Instr::OwnSet(opcode, _) | Instr::OwnTry(opcode) | Instr::OwnTrySet(opcode, _) => {
                if self.inlined.contains(&opcode) {
                    Effect::None
                } else {
                    Effect::Collects
                }
            }
            Instr::RunSet(..) | Instr::RunTrySet(..) | Instr::RunSend(..) => Effect::Collects,
            Instr::I32Const(_) | Instr::I64Const(_) | Instr::F32Const(_) | Instr::F64Const(_) => Effect::None,
            Instr::BoolConst(_) | Instr::StrConst(_) | Instr::Null(_) | Instr::Shuffle(_) => Effect::None,
            Instr::Select(_) | Instr::MemoryInit(..) | Instr::DataDrop(_) | Instr::Exit => Effect::None,
            Instr::Get(_) | Instr::Take(_) | Instr::Set(_) => Effect::None,
            Instr::GlobalGet(_) | Instr::GlobalTake(_) | Instr::GlobalSet(_) => Effect::None,
            Instr::FieldGet(..) | Instr::FieldTake(..) | Instr::FieldSet(..) => Effect::None,
            Instr::ArrayGet(_) | Instr::ArrayTake(_) | Instr::ArraySet(_) | Instr::ArrayLen => Effect::None,
            Instr::RefEq | Instr::RefNe | Instr::Is(_) | Instr::As(_) | Instr::IfAs(..) => Effect::None,
            Instr::FuncRef(..) | Instr::Cap(..) | Instr::Caller => Effect::None,
            Instr::Fail | Instr::Flush(_) | Instr::FlushCap | Instr::Revoke => Effect::None,
            Instr::Return | Instr::Trap(_) | Instr::Assert(_) => Effect::None,
            Instr::Cond(_) | Instr::Test | Instr::If | Instr::Else | Instr::Loop | Instr::While | Instr::For(_) => {
                Effect::None
            }
            Instr::Switch | Instr::Arm(_) | Instr::Default | Instr::End | Instr::Block => Effect::None,
            Instr::Break(_) | Instr::Continue(_) => Effect::None,
        }
    }
}

fn op_effect(op: Op) -> Effect {
    let exits = matches!(op, Op::BufNew | Op::BufAt | Op::MemoryGrow | Op::StrAt | Op::StrConcat | Op::StrSlice)
        || matches!(op, Op::StrFromI32 | Op::StrFromI64 | Op::StrFromF32 | Op::StrFromF64 | Op::StrFromBool);
    if exits { Effect::Collects } else { Effect::None }
}
