//! Typed expressions to instructions.

use super::body::Body;
use super::typed::{Kind, Ty, Typed, Value};
use crate::instr::Instr;
use crate::op::Immediate;
use crate::types::LocalId;

impl Body<'_, '_, '_, '_> {
    /// Emits an expression; one that gives a value leaves it on the stack.
    pub(super) fn emit(&mut self, typed: &Typed) {
        match &typed.kind {
            Kind::Value(value) => self.emit_value(value),
            Kind::Get(id) | Kind::Buf(id) => self.writer.push(Instr::Get(*id)),
            Kind::Take(id) => self.writer.push(Instr::Take(*id)),
            Kind::Global(id) => self.writer.push(Instr::GlobalGet(*id)),
            Kind::Op(op, offset, args) => {
                self.emit_all(args);
                if !op.info().traps.is_empty() {
                    self.mark(typed.span);
                }
                self.writer.push(Instr::Op(*op, Immediate { offset: *offset, lane: 0 }));
            }
            Kind::Call(..) | Kind::Send(..) => self.emit_call(typed),
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
            Kind::Wait => self.writer.push(Instr::Wait),
            Kind::WaitForever => self.writer.push(Instr::WaitForever),
            Kind::Flush(id) => {
                self.mark(typed.span);
                self.writer.push(Instr::Flush(*id));
            }
            // Only after an error; the code is dropped.
            Kind::Int(_) | Kind::Float(_) | Kind::Open { .. } | Kind::Error => {}
        }
    }

    pub(super) fn emit_all(&mut self, list: &[Typed]) {
        for typed in list {
            self.emit(typed);
        }
    }

    fn emit_value(&mut self, value: &Value) {
        let instr = match value {
            Value::I32(value) => Instr::I32Const(*value),
            Value::I64(value) => Instr::I64Const(*value),
            Value::F64(value) => Instr::F64Const(value.to_bits()),
            Value::Bool(value) => Instr::BoolConst(*value),
            Value::Str(text) => Instr::StrConst(self.cx.intern(text)),
        };
        self.writer.push(instr);
    }

    /// A call inside a tree: exactly one result.
    fn emit_call(&mut self, typed: &Typed) {
        match &typed.kind {
            Kind::Call(id, args) => {
                self.emit_all(args);
                self.mark(typed.span);
                self.writer.push(Instr::Call(*id));
            }
            Kind::Send(id, opcode, args) => {
                self.emit_all(args);
                self.mark(typed.span);
                self.writer.push(Instr::Send(*id, *opcode));
            }
            _ => {}
        }
    }

    /// A call at a statement's root: results go to `dests`.
    pub(super) fn emit_call_set(&mut self, typed: &Typed, dests: &[Option<LocalId>]) {
        match &typed.kind {
            Kind::Call(id, args) => {
                self.emit_all(args);
                self.mark(typed.span);
                self.writer.call_set(*id, dests);
            }
            Kind::Send(id, opcode, args) => {
                self.emit_all(args);
                self.mark(typed.span);
                self.writer.send_set(*id, *opcode, dests);
            }
            _ => self.emit(typed),
        }
    }
}
