//! Small functions in the place of their calls.
//!
//! Only what can neither trap nor leave the VM is put there: straight code without calls. So no frame of it is ever
//! missed in a backtrace, no place is wrong, and what a call costs in time is not hidden from the deadline.

use alloc::vec::Vec;

use il::instr::{Instr, Reader};
use il::op::{Form, Op};
use il::{Func, FuncId, Type};

use super::locals::{Local, Place};
use super::operand::{Hold, Operand};
use super::{FUNCTION_INSTRUCTIONS, Lowering, Result, clif_type, scan};

/// Bytes of a body that is worth having at each call.
const MOST_BYTES: usize = 64;

/// What of a lowering is the caller's while a callee takes its place.
pub(super) struct Caller {
    /// Where the call stands.
    pub offset: u32,
    /// What the callee returned.
    pub results: Option<Vec<Operand>>,
}

/// Whether a function may stand in the place of its calls.
pub(super) fn is_small(func: &Func) -> bool {
    let plain = |ty: &Type| !matches!(ty, Type::Buf | Type::OptBuf | Type::BufRef | Type::V128);
    let types = func.sig.params.iter().chain(&func.sig.results).chain(&func.locals);
    func.body.len() <= MOST_BYTES && types.into_iter().all(plain) && is_straight(&func.body)
}

fn is_straight(body: &[u8]) -> bool {
    let mut reader = Reader::new(body);
    let mut before = None;
    loop {
        match reader.next() {
            Ok(Some(Instr::Return)) => return matches!(reader.next(), Ok(None)),
            Ok(Some(instr)) if is_harmless(instr, before) => before = Some(instr),
            Ok(_) | Err(_) => return false,
        }
    }
}

fn is_harmless(instr: Instr<'_>, before: Option<Instr<'_>>) -> bool {
    match instr {
        Instr::I32Const(_) | Instr::I64Const(_) | Instr::F32Const(_) | Instr::F64Const(_) => true,
        Instr::BoolConst(_) | Instr::StrConst(_) | Instr::Null(_) | Instr::Get(_) | Instr::Set(_) => true,
        Instr::GlobalGet(_) | Instr::FieldGet(..) | Instr::ArrayLen | Instr::RefEq | Instr::RefNe => true,
        Instr::Cond(ty) | Instr::Select(ty) => ty != Type::V128,
        Instr::Test | Instr::Else | Instr::End => true,
        Instr::Op(op, _) => is_harmless_op(op, before),
        _ => false,
    }
}

/// Whether an operator can neither trap nor leave the VM.
fn is_harmless_op(op: Op, before: Option<Instr<'_>>) -> bool {
    match op {
        Op::I32DivS | Op::I32RemS | Op::I32DivU | Op::I32RemU => {
            matches!(before, Some(Instr::I32Const(divisor)) if divisor != 0 && divisor != -1)
        }
        Op::I64DivS | Op::I64RemS | Op::I64DivU | Op::I64RemU => {
            matches!(before, Some(Instr::I64Const(divisor)) if divisor != 0 && divisor != -1)
        }
        Op::StrEq | Op::StrNe | Op::MemoryGrow | Op::MemorySize => false,
        op => {
            let info = op.info();
            let scalar = |ty: &Type| ty.is_number() && *ty != Type::V128 || *ty == Type::Str;
            let result = info.result.is_some_and(|ty| ty.is_number() && ty != Type::V128);
            info.traps.is_empty() && info.form != Form::Memory && result && info.params.iter().all(scalar)
        }
    }
}

impl Lowering<'_, '_> {
    /// Puts a function in the place of its call; `None` if it is to be called.
    pub(super) fn inline(&mut self, id: FuncId) -> Result<Option<Vec<Operand>>> {
        let room = self.b.func.dfg.num_insts() < FUNCTION_INSTRUCTIONS / 2;
        if !self.choices.inline || !room || self.inlined.is_some() || !self.program.effects.is_small(id) {
            return Ok(None);
        }
        let Some(func) = self.program.module.funcs.get(id.index()) else { return Ok(None) };
        let Some(facts) = scan::scan(func, self.program.effects) else { return Ok(None) };
        let args = self.pop_many(func.sig.params.len())?;
        let locals = self.bind(func, args);
        let offset = self.offset;
        let (func, facts) = (core::mem::replace(&mut self.func, func), core::mem::replace(&mut self.facts, facts));
        let locals = core::mem::replace(&mut self.locals, locals);
        self.inlined = Some(Caller { offset, results: None });
        let callee = self.func;
        self.instructions_from(&callee.body, 0)?;
        self.func = func;
        self.facts = facts;
        self.locals = locals;
        self.offset = offset;
        self.ended = false;
        let caller = self.inlined.take();
        let results = caller.and_then(|caller| caller.results).ok_or(self.unverified("a return"))?;
        Ok(Some(results))
    }

    /// Locals of the callee.
    fn bind(&mut self, func: &Func, args: Vec<Operand>) -> Vec<Local> {
        let mut args = args.into_iter();
        let types = func.sig.params.iter().chain(&func.locals);
        let mut locals = Vec::new();
        for ty in types.copied() {
            let variable = self.b.declare_var(clif_type(ty));
            let (value, hold) = match args.next() {
                Some(arg) => (self.canonical(arg), Hold::Plain),
                None => (self.nothing(ty), Hold::Plain),
            };
            self.b.def_var(variable, value);
            locals.push(Local { ty, place: Place::Variable(variable), owns: false, hold });
        }
        locals
    }
}
