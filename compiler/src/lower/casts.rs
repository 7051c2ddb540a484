//! Type tests: `is`, `as`, `if .. as`, identity, `freeze`.
//!
//! A struct and those that extend it have consecutive numbers, so most tests are one comparison of the number in the
//! object's header. The base is asked where that does not say enough: of frozen objects, whose numbers are the
//! base's; of arrays that may be of a narrower type; of capabilities. It answers without collecting.

use core::mem::Discriminant;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use il::trap::TrapKind;
use il::{LocalId, Storage, Type, TypeDef, TypeId};

use super::exits::trap_code;
use super::operand::Operand;
use super::{Lowering, Result};
use crate::abi::{self, Exit};

/// What a type test comes down to.
enum Test {
    /// Known: every value passes, or none.
    Always(bool),
    /// This `bool` says.
    Value(Value),
}

/// A test whose steps decide as soon as they can.
struct Deciding {
    /// Takes the answer.
    done: Block,
}

impl Lowering<'_, '_> {
    pub(super) fn is(&mut self, ty: Type) -> Result {
        let operand = self.pop()?;
        let answer = match self.test_type(operand, ty) {
            Test::Always(answer) => self.b.ins().iconst(types::I8, i64::from(answer)),
            Test::Value(answer) => answer,
        };
        self.discard(operand);
        self.push(Operand::plain(answer, Type::Bool));
        Ok(())
    }

    pub(super) fn cast(&mut self, ty: Type) -> Result {
        let operand = self.pop()?;
        if self.check_exact(operand, ty) {
            self.push(Operand { ty, ..operand });
            return Ok(());
        }
        let wrong = trap_code(TrapKind::Cast);
        match self.test_type(operand, ty) {
            Test::Always(true) => {}
            Test::Always(false) => {
                // The code that follows is never reached, but its operand has to exist.
                let zero = self.b.ins().iconst(types::I8, 0);
                self.b.ins().trapz(zero, wrong);
            }
            Test::Value(answer) => {
                self.b.ins().trapz(answer, wrong);
            }
        }
        self.push(Operand { ty, ..operand });
        Ok(())
    }

    /// Traps unless the value is of the type, without a branch of its own; false, and nothing done, where that takes more
    /// than the header's type word.
    fn check_exact(&mut self, operand: Operand, to: Type) -> bool {
        let (from, value) = (operand.ty, operand.value);
        let hierarchy = self.program.hierarchy;
        let narrows = !hierarchy.is_subtype(from.non_null(), to.non_null());
        let related = from.non_null() == Type::Any || self.family(from) == self.family(to);
        if !narrows || !related || to.is_nullable() {
            return false;
        }
        let Some((mask, word)) = to.def().and_then(|id| self.exact_word(id)) else { return false };
        let wrong = trap_code(TrapKind::Cast);
        if from.is_nullable() {
            self.b.ins().trapz(value, wrong);
        }
        if from.non_null() == Type::Any {
            let capability = self.b.ins().band_imm_u(value, 1);
            self.b.ins().trapnz(capability, wrong);
        }
        let mut ty = self.object_type(value);
        if mask != u32::MAX {
            ty = self.b.ins().band_imm_u(ty, i64::from(mask));
        }
        let other = self.b.ins().icmp_imm_u(IntCC::NotEqual, ty, i64::from(word));
        self.b.ins().trapnz(other, wrong);
        true
    }

    /// The one type word, under a mask, that objects of a definition have; `None` if they may have others.
    fn exact_word(&self, id: TypeId) -> Option<(u32, u32)> {
        let hierarchy = self.program.hierarchy;
        let word = abi::type_word(hierarchy, id);
        let kind = !((1 << abi::KIND_SHIFT) - 1);
        match self.module.type_def(id)? {
            // They belong to the program, and nothing is ever stored in them.
            TypeDef::Func(_) => Some((u32::MAX, word | abi::IMMORTAL)),
            TypeDef::Struct(_) | TypeDef::Array(_) => {
                let (first, last) = hierarchy.numbers(id);
                let one = first == last && !self.has_narrower_arrays(id) && !self.may_be_frozen(Type::Ref(id));
                one.then_some((kind | abi::FROZEN, word))
            }
            TypeDef::Cap(_) => None,
        }
    }

    /// Pops a value; whether it is of the type. The value stays the caller's.
    pub(super) fn begin_if_as(&mut self, ty: Type, local: LocalId) -> Result {
        let operand = self.pop()?;
        let answer = match self.test_type(operand, ty) {
            Test::Always(answer) => self.b.ins().iconst(types::I8, i64::from(answer)),
            Test::Value(answer) => answer,
        };
        self.push(Operand::plain(answer, Type::Bool));
        self.begin_if()?;
        // A `?buf` that is no `buf` is null: nothing is lost in the other branch.
        self.assign(local, operand.value)
    }

    pub(super) fn same_object(&mut self, equal: bool) -> Result {
        let right = self.pop()?;
        let left = self.pop()?;
        let condition = if equal { IntCC::Equal } else { IntCC::NotEqual };
        let answer = self.b.ins().icmp(condition, left.value, right.value);
        self.push(Operand::plain(answer, Type::Bool));
        Ok(())
    }

    pub(super) fn freeze(&mut self) -> Result {
        let operand = self.pop()?;
        if !operand.ty.is_nullable() {
            let frozen = self.exit(Exit::Freeze, &[operand.value]);
            self.push(Operand::plain(frozen, operand.ty));
            return Ok(());
        }
        self.house_operands();
        let (some, on) = (self.b.create_block(), self.b.create_block());
        let answer = self.b.append_block_param(on, types::I64);
        let null = self.word_const(0);
        self.b.ins().brif(operand.value, some, &[], on, &[null.into()]);
        self.enter(some);
        let frozen = self.exit(Exit::Freeze, &[operand.value]);
        self.jump(on, &[frozen]);
        self.enter(on);
        self.push(Operand::plain(answer, operand.ty));
        Ok(())
    }

    fn test_type(&mut self, operand: Operand, to: Type) -> Test {
        let from = operand.ty;
        let value = operand.value;
        if self.program.hierarchy.is_subtype(from, to) {
            return Test::Always(true);
        }
        // All but null is known already.
        if self.program.hierarchy.is_subtype(from.non_null(), to.non_null()) {
            return Test::Value(self.b.ins().icmp_imm_u(IntCC::NotEqual, value, 0));
        }
        let done = self.b.create_block();
        let answer = self.b.append_block_param(done, types::I8);
        let test = Deciding { done };
        if from.is_nullable() {
            let present = self.b.create_block();
            let null = self.b.ins().iconst(types::I8, i64::from(to.is_nullable()));
            self.b.ins().brif(value, present, &[], done, &[null.into()]);
            self.enter(present);
        }
        self.test_present(&test, value, from.non_null(), to.non_null());
        self.enter(done);
        Test::Value(answer)
    }

    /// The test of a value that is not null; ends with a jump to `done`.
    fn test_present(&mut self, test: &Deciding, value: Value, from: Type, to: Type) {
        if from != Type::Any && self.family(from) != self.family(to) {
            return self.decide_test(test, false);
        }
        match (to, to.def().and_then(|id| self.module.type_def(id))) {
            (Type::Str, _) => {
                self.rule_out_capabilities(test, value, from);
                let ty = self.object_type(value);
                let is = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, ty, 1 << abi::KIND_SHIFT);
                self.jump(test.done, &[is]);
            }
            (Type::Ref(id), Some(TypeDef::Struct(_))) => {
                self.rule_out_capabilities(test, value, from);
                self.test_struct(test, value, from, id);
            }
            (Type::Ref(id), Some(TypeDef::Array(_))) => {
                self.rule_out_capabilities(test, value, from);
                self.test_array(test, value, from, id);
            }
            (Type::Ref(id), Some(TypeDef::Func(_))) => {
                self.rule_out_capabilities(test, value, from);
                let ty = self.object_type(value);
                let is = self.is_kind(ty, id);
                self.jump(test.done, &[is]);
            }
            (Type::Ref(id), Some(TypeDef::Cap(_))) => self.test_capability(test, value, id),
            _ => self.decide_test(test, false),
        }
    }

    /// What sort of thing values of a type are; no value is of two.
    fn family(&self, ty: Type) -> Option<Discriminant<TypeDef>> {
        ty.def().and_then(|id| self.module.type_def(id)).map(core::mem::discriminant)
    }

    fn decide_test(&mut self, test: &Deciding, answer: bool) {
        let answer = self.b.ins().iconst(types::I8, i64::from(answer));
        self.jump(test.done, &[answer]);
    }

    /// Continues if the value is the address of an object.
    fn rule_out_capabilities(&mut self, test: &Deciding, value: Value, from: Type) {
        if from != Type::Any {
            return;
        }
        let object = self.b.create_block();
        let no = self.b.ins().iconst(types::I8, 0);
        let capability = self.b.ins().band_imm_u(value, 1);
        self.b.ins().brif(capability, test.done, &[no.into()], object, &[]);
        self.enter(object);
    }

    fn test_struct(&mut self, test: &Deciding, value: Value, from: Type, id: TypeId) {
        let ty = self.object_type(value);
        if self.may_be_frozen(from) {
            self.test_frozen(test, value, ty, id, self.may_be_frozen(Type::Ref(id)));
        }
        let (first, last) = self.program.hierarchy.numbers(id);
        let is = if first == last {
            self.is_kind(ty, id)
        } else {
            let kind = self.b.ins().ushr_imm_u(ty, i64::from(abi::KIND_SHIFT));
            let distance = self.b.ins().iadd_imm_s(kind, -i64::from(1 + first));
            self.b.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, distance, i64::from(last - first))
        };
        self.jump(test.done, &[is]);
    }

    fn test_array(&mut self, test: &Deciding, value: Value, from: Type, id: TypeId) {
        let ty = self.object_type(value);
        if self.may_be_frozen(from) {
            self.test_frozen(test, value, ty, id, self.may_be_frozen(Type::Ref(id)));
        }
        let is = self.is_kind(ty, id);
        if !self.has_narrower_arrays(id) {
            self.jump(test.done, &[is]);
            return;
        }
        let other = self.b.create_block();
        self.b.ins().brif(is, test.done, &[is.into()], other, &[]);
        self.enter(other);
        // Anything may be here; the base knows what is an array.
        let is = self.ask(value, id);
        self.jump(test.done, &[is]);
    }

    /// Continues if the object is not frozen.
    fn test_frozen(&mut self, test: &Deciding, value: Value, ty: Value, id: TypeId, possible: bool) {
        let (frozen, own) = (self.b.create_block(), self.b.create_block());
        let flag = self.b.ins().band_imm_u(ty, i64::from(abi::FROZEN));
        self.b.ins().brif(flag, frozen, &[], own, &[]);
        self.enter(frozen);
        if possible {
            let is = self.ask(value, id);
            self.jump(test.done, &[is]);
        } else {
            self.decide_test(test, false);
        }
        self.enter(own);
    }

    fn test_capability(&mut self, test: &Deciding, value: Value, id: TypeId) {
        let (capability, no) = (self.b.create_block(), self.b.ins().iconst(types::I8, 0));
        let odd = self.b.ins().band_imm_u(value, 1);
        self.b.ins().brif(odd, capability, &[], test.done, &[no.into()]);
        self.enter(capability);
        let is = self.ask(value, id);
        self.jump(test.done, &[is]);
    }

    fn ask(&mut self, value: Value, id: TypeId) -> Value {
        let def = self.word_const(u64::from(id.0));
        let answer = self.exit(Exit::IsType, &[value, def]);
        self.b.ins().icmp_imm_u(IntCC::NotEqual, answer, 0)
    }

    /// Whether a type word, of an object that is not frozen, has exactly this definition's number.
    fn is_kind(&mut self, ty: Value, id: TypeId) -> Value {
        let kind = self.b.ins().ushr_imm_u(ty, i64::from(abi::KIND_SHIFT));
        let number = abi::type_word(self.program.hierarchy, id) >> abi::KIND_SHIFT;
        self.b.ins().icmp_imm_u(IntCC::Equal, kind, i64::from(number))
    }

    /// Whether a value of this type may lie in shared memory.
    fn may_be_frozen(&self, ty: Type) -> bool {
        let Some(id) = ty.def() else { return true };
        match self.module.type_def(id) {
            Some(TypeDef::Struct(_)) => self.program.effects.has_frozen(self.program.hierarchy.numbers(id)),
            Some(TypeDef::Array(array)) => !array.mutable,
            Some(TypeDef::Func(_) | TypeDef::Cap(_)) | None => false,
        }
    }

    /// Whether other array types are subtypes of this one.
    fn has_narrower_arrays(&self, id: TypeId) -> bool {
        match self.program.hierarchy.array(id) {
            Some(array) => !array.mutable && matches!(array.element, Storage::Value(ty) if ty.is_reference()),
            None => false,
        }
    }
}
