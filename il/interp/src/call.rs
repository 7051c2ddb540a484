//! Calls (reference, chapter "Calls"): arguments become parameters, results go where the call says.

use alloc::vec;
use alloc::vec::Vec;

use il::trap::TrapKind;
use il::{FuncId, TypeDef, TypeId};

use crate::machine::{Frame, Machine, Return};
use crate::outcome::Trap;
use crate::value::Value;

type Done = Result<(), Trap>;

impl<'m> Machine<'m> {
    /// Calls a function with the operands on the stack.
    pub(crate) fn call_func(&mut self, func: FuncId, to: Return<'m>) -> Done {
        let params = self.params(func)?;
        let args = self.pop_values(params)?;
        self.enter_frame(func, args, to)
    }

    /// The same through the reference below the arguments.
    pub(crate) fn call_ref(&mut self, ty: TypeId, to: Return<'m>) -> Done {
        let (func, args) = self.pop_callee(ty)?;
        self.enter_frame(func, args, to)
    }

    /// Puts a call in the place of the function under way.
    pub(crate) fn return_call(&mut self, func: FuncId) -> Done {
        let params = self.params(func)?;
        let args = self.pop_values(params)?;
        self.replace_frame(func, args)
    }

    /// The same through the reference below the arguments.
    pub(crate) fn return_call_ref(&mut self, ty: TypeId) -> Done {
        let (func, args) = self.pop_callee(ty)?;
        self.replace_frame(func, args)
    }

    fn params(&self, func: FuncId) -> Result<usize, Trap> {
        self.module.sig(func).map(|sig| sig.params.len()).ok_or_else(|| Trap::broken("a function"))
    }

    fn pop_callee(&mut self, ty: TypeId) -> Result<(FuncId, Vec<Value>), Trap> {
        let Some(TypeDef::Func(sig)) = self.module.type_def(ty) else {
            return Err(Trap::broken("a function type"));
        };
        let args = self.pop_values(sig.params.len())?;
        match self.pop_value()? {
            Value::Func(func, _) => Ok((func, args)),
            _ => Err(Trap::broken("a function reference")),
        }
    }

    pub(crate) fn enter_frame(&mut self, func: FuncId, args: Vec<Value>, to: Return<'m>) -> Done {
        if self.frames.len() >= self.limits.depth {
            return Err(TrapKind::StackOverflow.into());
        }
        let locals = self.module.funcs.get(func.index()).map_or(0, |func| func.locals.len());
        let mut all: Vec<Option<Value>> = args.into_iter().map(Some).collect();
        all.resize(all.len() + locals, None);
        let counters = self.codes.get(func.index()).map_or(0, |code| code.counters);
        self.frames.push(Frame {
            code: func.index(),
            at: 0,
            locals: all,
            counters: vec![(0, 0); counters],
            base: self.stack.len(),
            to,
        });
        Ok(())
    }

    fn replace_frame(&mut self, func: FuncId, args: Vec<Value>) -> Done {
        let left = self.frames.pop().ok_or_else(|| Trap::broken("a function under way"))?;
        self.stack.truncate(left.base);
        self.enter_frame(func, args, left.to)
    }

    /// Ends the function under way; `true` if that was the last one of the activation, whose results are
    /// then on the stack.
    pub(crate) fn leave_frame(&mut self, results: Vec<Value>) -> Result<bool, Trap> {
        let left = self.frames.pop().ok_or_else(|| Trap::broken("a function under way"))?;
        self.stack.truncate(left.base);
        match left.to {
            Return::Push => self.stack.extend(results),
            Return::Set(dests) => self.assign(dests, &results)?,
            Return::Leave => {
                self.stack.extend(results);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many results the function under way has.
    pub(crate) fn results(&mut self) -> Result<usize, Trap> {
        let func = FuncId(self.frame()?.code as u32);
        self.module.sig(func).map(|sig| sig.results.len()).ok_or_else(|| Trap::broken("a function"))
    }
}
