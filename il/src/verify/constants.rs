//! Device instructions with those of their operands that are constants: what limits of rights can be compared with
//! before the run.
//!
//! An operand is a constant if its tree is one constant instruction. The pass is the verifier's own; it says how many
//! operands there are before each instruction, and that is enough: what a constant pushed stays known until something
//! else is on its place.

use alloc::vec::Vec;

use super::body::Body;
use super::{Context, VerifiedModule};
use crate::instr::{Instr, Reader};
use crate::isa::InstructionSet;
use crate::ranges::Operand;
use crate::{FuncId, Module, ProgramId, TypeDef, TypeId, UseId};

/// Through what an instruction is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Through {
    /// A wanted capability.
    Use(UseId),
    /// A capability of this type, which is a value.
    Value(TypeId),
    /// In a program: the capability with which it is run.
    Own(ProgramId),
}

/// A device instruction in a body.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sent<'a> {
    /// The function.
    pub func: FuncId,
    /// Where in its body.
    pub offset: u32,
    /// Where it goes.
    pub through: Through,
    /// Which instruction.
    pub opcode: u8,
    /// Its operands, in order, as far as they are constants.
    pub operands: &'a [Operand<'a>],
}

/// Shows every device instruction of a module, in the order of functions and in the order of the bodies.
pub fn sent(module: &VerifiedModule, mut show: impl FnMut(Sent<'_>)) {
    let context = Context { module: &module.module, hierarchy: &module.hierarchy, roles: &module.roles };
    for (at, func) in module.funcs.iter().enumerate() {
        let mut pass = Pass { module, func: FuncId(at as u32), known: Vec::new(), changed: false };
        let mut reader = Reader::new(&func.body);
        // The module is verified, so the pass has no error to tell.
        let _ = Body::new(context).function(pass.func, |offset, body| {
            if let Ok(Some(instr)) = reader.next() {
                pass.step(offset, body.operands.len(), instr, &mut show);
            }
        });
    }
}

struct Pass<'m> {
    module: &'m Module,
    func: FuncId,
    /// What is known of each operand on the stack.
    known: Vec<Operand<'m>>,
    /// Whether the instruction before this one may have left something else on top.
    changed: bool,
}

impl<'m> Pass<'m> {
    /// `depth`: how many operands there are before the instruction.
    fn step(&mut self, offset: u32, depth: usize, instr: Instr<'_>, show: &mut impl FnMut(Sent<'_>)) {
        self.known.resize(depth, Operand::Unknown);
        if self.changed
            && let Some(result) = self.known.last_mut()
        {
            *result = Operand::Unknown;
        }
        let constant = self.constant(instr);
        self.changed = constant.is_none() && !matches!(instr, Instr::Cond(_) | Instr::Test | Instr::Else);
        self.known.extend(constant);
        let Some((through, opcode)) = self.sends(instr) else { return };
        let Some(count) = self.operand_count(through, opcode) else { return };
        // A capability that is a value is the first of the operands.
        let operands = self.known.get(depth.saturating_sub(count)..depth).unwrap_or_default();
        show(Sent { func: self.func, offset, through, opcode, operands });
    }

    fn constant(&self, instr: Instr<'_>) -> Option<Operand<'m>> {
        if let Instr::StrConst(literal) = instr {
            return self.module.strings.get(literal.index()).map(|text| Operand::Text(text));
        }
        if let Instr::I64Const(value) = instr {
            return Some(Operand::Integer(value));
        }
        if let Instr::I32Const(value) = instr { Some(Operand::Integer(i64::from(value))) } else { None }
    }

    fn sends(&self, instr: Instr<'_>) -> Option<(Through, u8)> {
        let through_own = || {
            let at = self.module.programs.iter().position(|program| program.func == self.func)?;
            Some(Through::Own(ProgramId(at as u32)))
        };
        Some(match instr {
            Instr::Send(cap, opcode) | Instr::Try(cap, opcode) | Instr::Forward(cap, opcode) => {
                (Through::Use(cap), opcode)
            }
            Instr::SendSet(cap, opcode, _) | Instr::TrySet(cap, opcode, _) => (Through::Use(cap), opcode),
            Instr::SendTo(ty, opcode) | Instr::TryTo(ty, opcode) | Instr::ForwardTo(ty, opcode) => {
                (Through::Value(ty), opcode)
            }
            Instr::SendToSet(ty, opcode, _) | Instr::TryToSet(ty, opcode, _) => (Through::Value(ty), opcode),
            Instr::Own(opcode) | Instr::OwnTry(opcode) => (through_own()?, opcode),
            Instr::OwnSet(opcode, _) | Instr::OwnTrySet(opcode, _) => (through_own()?, opcode),
            Instr::I32Const(_) | Instr::I64Const(_) | Instr::F32Const(_) | Instr::F64Const(_) => return None,
            Instr::BoolConst(_) | Instr::StrConst(_) | Instr::Null(_) | Instr::Get(_) | Instr::Take(_) => return None,
            Instr::Set(_) | Instr::GlobalGet(_) | Instr::GlobalTake(_) | Instr::GlobalSet(_) => return None,
            Instr::Op(_, _) | Instr::Shuffle(_) | Instr::Call(_) | Instr::CallSet(_, _) => return None,
            Instr::FuncRef(_, _) | Instr::CallRef(_) | Instr::CallRefSet(_, _) | Instr::Return => return None,
            Instr::ReturnCall(_) | Instr::ReturnCallRef(_) | Instr::Cond(_) | Instr::Test => return None,
            Instr::If | Instr::Else | Instr::IfAs(_, _) | Instr::Loop | Instr::While | Instr::For(_) => return None,
            Instr::Break(_) | Instr::Continue(_) | Instr::Switch | Instr::Arm(_) | Instr::Default => return None,
            Instr::End | Instr::Trap(_) | Instr::Assert(_) | Instr::StructNew(_) => return None,
            Instr::FieldGet(_, _) | Instr::FieldTake(_, _) | Instr::FieldSet(_, _) => return None,
            Instr::ArrayNew(_) | Instr::ArrayOf(_, _) | Instr::ArrayGet(_) | Instr::ArrayTake(_) => return None,
            Instr::ArraySet(_) | Instr::ArrayLen | Instr::RefEq | Instr::RefNe => return None,
            Instr::Is(_) | Instr::As(_) | Instr::Freeze | Instr::Cap(_, _) | Instr::Attenuate(_) => return None,
            Instr::Select(_) | Instr::MemoryInit(..) | Instr::DataDrop(_) | Instr::Exit | Instr::Block => return None,
            Instr::Revoke | Instr::Flush(_) | Instr::FlushCap | Instr::Wait | Instr::WaitForever => return None,
            Instr::Emit(..) | Instr::EmitTo(..) | Instr::Fail | Instr::Caller => return None,
            Instr::RunSet(_, _, _) | Instr::RunTrySet(_, _, _) | Instr::RunSend(_, _) => return None,
        })
    }

    fn operand_count(&self, through: Through, opcode: u8) -> Option<usize> {
        Some(set_of(self.module, through)?.instruction(opcode)?.params.len())
    }
}

/// The set that an instruction belongs to.
pub(crate) fn set_of(module: &Module, through: Through) -> Option<&InstructionSet> {
    let isa = match through {
        Through::Use(id) => module.uses.get(id.index())?.isa,
        Through::Own(id) => module.programs.get(id.index())?.isa,
        Through::Value(id) => match module.types.get(id.index())? {
            TypeDef::Cap(cap) => cap.isa,
            _ => return None,
        },
    };
    module.isas.get(isa.index())
}
