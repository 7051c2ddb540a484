//! Calls, direct and through references, and returning by a call.

use alloc::vec::Vec;

use cranelift_codegen::ir::{FuncRef, Inst, InstBuilder, Value, types};
use il::{FuncId, Signature, Type, TypeId};

use super::operand::Operand;
use super::{Lowering, Result, clif_signature, exits};
use crate::abi;
use crate::image::Symbol;

impl<'m> Lowering<'m, '_> {
    /// Calls a function with the operands on the stack. It takes `buf`s and borrows what is `ref buf`.
    pub(super) fn call(&mut self, id: FuncId) -> Result<Vec<Operand>> {
        if let Some(results) = self.inline(id)? {
            return Ok(results);
        }
        let callee = self.module.funcs.get(id.index()).ok_or(self.unverified("a function"))?;
        let (args, values) = self.arguments(&callee.sig)?;
        let func = self.func_ref(id, &callee.sig);
        let call = if self.program.effects.collects(id) {
            self.across(|this| this.b.ins().call(func, &values))
        } else {
            self.b.ins().call(func, &values)
        };
        Ok(self.called(call, args, &callee.sig))
    }

    /// The same through a function reference, which lies below the arguments.
    pub(super) fn call_reference(&mut self, ty: TypeId) -> Result<Vec<Operand>> {
        let sig = self.function_type(ty)?;
        let (args, values) = self.arguments(sig)?;
        let code = self.code_address()?;
        let signature = self.b.import_signature(clif_signature(sig));
        let call = self.across(|this| this.b.ins().call_indirect(signature, code, &values));
        Ok(self.called(call, args, sig))
    }

    pub(super) fn return_call(&mut self, id: FuncId) -> Result {
        let callee = self.module.funcs.get(id.index()).ok_or(self.unverified("a function"))?;
        let (_, values) = self.arguments(&callee.sig)?;
        let func = self.func_ref(id, &callee.sig);
        self.free_locals();
        self.b.ins().return_call(func, &values);
        self.ended = true;
        Ok(())
    }

    pub(super) fn return_call_reference(&mut self, ty: TypeId) -> Result {
        let sig = self.function_type(ty)?;
        let (_, values) = self.arguments(sig)?;
        let code = self.code_address()?;
        let signature = self.b.import_signature(clif_signature(sig));
        self.free_locals();
        self.b.ins().return_call_indirect(signature, code, &values);
        self.ended = true;
        Ok(())
    }

    pub(super) fn reference_to(&mut self, func: FuncId, ty: TypeId) -> Result {
        let number = self.program.effects.numbers.get(&(func, ty)).ok_or(self.unverified("a function reference"))?;
        let value = self.immortal(self.module.strings.len() as u64 + u64::from(*number));
        self.push(Operand::plain(value, Type::Ref(ty)));
        Ok(())
    }

    fn function_type(&self, ty: TypeId) -> Result<&'m Signature> {
        self.program.hierarchy.func(ty).ok_or(self.unverified("a function type"))
    }

    /// Pops a function reference; its code's address.
    fn code_address(&mut self) -> Result<Value> {
        let reference = self.pop()?;
        Ok(self.b.ins().load(types::I64, self.regions.code, reference.value, abi::OBJECT_DATA))
    }

    /// Pops arguments; the values to pass, the context first.
    fn arguments(&mut self, sig: &Signature) -> Result<(Vec<Operand>, Vec<Value>)> {
        let args = self.pop_many(sig.params.len())?;
        let mut values = Vec::with_capacity(args.len() + 1);
        values.push(self.ctx);
        for arg in &args {
            values.push(self.canonical(*arg));
        }
        Ok((args, values))
    }

    fn called(&mut self, call: Inst, args: Vec<Operand>, sig: &Signature) -> Vec<Operand> {
        let results: Vec<Value> = self.b.inst_results(call).to_vec();
        for (arg, param) in args.into_iter().zip(&sig.params) {
            if *param == Type::BufRef {
                self.discard(arg);
            }
        }
        results.into_iter().zip(&sig.results).map(|(value, ty)| Operand::fresh(value, *ty)).collect()
    }

    fn func_ref(&mut self, id: FuncId, sig: &Signature) -> FuncRef {
        if let Some(known) = self.funcs.get(&id) {
            return *known;
        }
        let reference = exits::import(&mut self.b, Symbol::Func(id), clif_signature(sig));
        self.funcs.insert(id, reference);
        reference
    }
}
