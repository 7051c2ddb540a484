//! Typed expressions to instructions.

use super::body::Body;
use super::typed::{Callee, Kind, Ty, Typed, Value};
use crate::instr::Instr;
use crate::op::{Immediate, Op};
use crate::types::LocalId;

impl Body<'_, '_, '_, '_> {
    /// Emits an expression without complex parts; one that gives a value leaves it on the stack.
    pub(super) fn emit(&mut self, typed: &Typed) {
        match &typed.kind {
            Kind::Value(value) => self.emit_value(value),
            Kind::Null(own) => {
                if let Some(ty) = own.or(typed.known()) {
                    self.writer.push(Instr::Null(ty));
                }
            }
            Kind::Get(id) | Kind::Buf(id) => self.writer.push(Instr::Get(*id)),
            Kind::Take(id) => self.writer.push(Instr::Take(*id)),
            Kind::Op(op, immediate, args) => {
                self.emit_all(args);
                if !op.info().traps.is_empty() {
                    self.mark(typed.span);
                }
                self.writer.push(Instr::Op(*op, *immediate));
            }
            Kind::Node(instr, args) => {
                self.emit_all(args);
                if can_trap(*instr) {
                    self.mark(typed.span);
                }
                self.writer.push(*instr);
            }
            Kind::Call { callee, tries, args } => self.emit_call(typed, *callee, *tries, args),
            Kind::Wider(inner) => self.emit(inner),
            Kind::Cond(parts) => {
                let [condition, yes, no] = &**parts;
                if let Ty::Of(ty) = typed.ty {
                    self.writer.push(Instr::Cond(ty));
                }
                self.emit(condition);
                self.writer.push(Instr::Test);
                self.emit(yes);
                self.writer.push(Instr::Else);
                self.emit(no);
                self.writer.push(Instr::End);
            }
            Kind::Select(parts) => {
                self.emit_all(&**parts);
                if let Ty::Of(ty) = typed.ty {
                    self.writer.push(Instr::Select(ty));
                }
            }
            // Complex ones are gone; the others come only after an error, when the code is dropped.
            Kind::Reordered(..) | Kind::IfLet(_) | Kind::Lend(_) => {}
            Kind::Int(_) | Kind::Float(..) | Kind::Open { .. } | Kind::Error => {}
        }
    }

    pub(super) fn emit_all(&mut self, list: &[Typed]) {
        for typed in list {
            self.emit(typed);
        }
    }

    pub(super) fn emit_value(&mut self, value: &Value) {
        let instr = match value {
            Value::I32(value) => Instr::I32Const(*value),
            Value::I64(value) => Instr::I64Const(*value),
            Value::F32(value) => Instr::F32Const(value.to_bits()),
            Value::F64(value) => Instr::F64Const(value.to_bits()),
            Value::V128(low, high) => {
                self.writer.push(Instr::I64Const(*low));
                self.writer.push(Instr::I64Const(*high));
                Instr::Op(Op::V128FromI64s, Immediate::default())
            }
            Value::Bool(value) => Instr::BoolConst(*value),
            Value::Str(text) => Instr::StrConst(self.cx.intern(text)),
        };
        self.writer.push(instr);
    }

    /// A call inside a tree: exactly one result.
    fn emit_call(&mut self, typed: &Typed, callee: Callee, tries: bool, args: &[Typed]) {
        let instr = match (callee, tries) {
            (Callee::Func(id), _) => Instr::Call(id),
            (Callee::Ref(ty), _) => Instr::CallRef(ty),
            (Callee::Send(id, opcode), false) => Instr::Send(id, opcode),
            (Callee::Send(id, opcode), true) => Instr::Try(id, opcode),
            (Callee::SendTo(ty, opcode), false) => Instr::SendTo(ty, opcode),
            (Callee::SendTo(ty, opcode), true) => Instr::TryTo(ty, opcode),
            (Callee::Own(opcode), false) => Instr::Own(opcode),
            (Callee::Own(opcode), true) => Instr::OwnTry(opcode),
            // These stand at a statement's root only.
            (Callee::Run(..) | Callee::RunSend(..), _) => return,
        };
        self.emit_all(args);
        self.mark(typed.span);
        self.writer.push(instr);
    }

    /// A call at a statement's root: results go to `dests`.
    pub(super) fn emit_call_set(&mut self, typed: &Typed, dests: &[Option<LocalId>]) {
        let Kind::Call { callee, tries, args } = &typed.kind else { return self.emit(typed) };
        self.emit_all(args);
        self.mark(typed.span);
        let writer = &mut self.writer;
        match (*callee, *tries) {
            (Callee::Func(id), _) => writer.call_set(id, dests),
            (Callee::Ref(ty), _) => writer.call_ref_set(ty, dests),
            (Callee::Send(id, opcode), false) => writer.send_set(id, opcode, dests),
            (Callee::Send(id, opcode), true) => writer.try_set(id, opcode, dests),
            (Callee::SendTo(ty, opcode), false) => writer.send_to_set(ty, opcode, dests),
            (Callee::SendTo(ty, opcode), true) => writer.try_to_set(ty, opcode, dests),
            (Callee::Own(opcode), false) => writer.own_set(opcode, dests),
            (Callee::Own(opcode), true) => writer.own_try_set(opcode, dests),
            (Callee::Run(id, program), false) => writer.run_set(id, program, dests),
            (Callee::Run(id, program), true) => writer.run_try_set(id, program, dests),
            (Callee::RunSend(id, program), _) => writer.push(Instr::RunSend(id, program)),
        }
    }
}

/// Whether a trap may come from it, so that its line matters.
fn can_trap(instr: Instr<'_>) -> bool {
    !matches!(
        instr,
        Instr::GlobalGet(_)
            | Instr::GlobalTake(_)
            | Instr::FieldGet(..)
            | Instr::FieldTake(..)
            | Instr::ArrayLen
            | Instr::RefEq
            | Instr::RefNe
            | Instr::Is(_)
            | Instr::FuncRef(..)
            | Instr::Cap(..)
            | Instr::Caller
            | Instr::Shuffle(_)
            | Instr::DataDrop(_)
            | Instr::Exit
    )
}
