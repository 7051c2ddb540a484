//! Calls and references to functions.
//!
//! WebAssembly computes arguments first and finds the function then; the IL wants the reference before them. So
//! arguments that do anything but compute are computed into temporaries first.

use il::instr::Instr;
use il::{FuncId, Type, TypeId};
use wasmparser::{HeapType, Operator, RefType, ValType};

use super::Translator;
use super::stack::{Effect, Keep, Leaf};
use crate::constant::Const;
use crate::error::Result;
use crate::link::Target;
use crate::types::FuncForm;

/// What is called.
#[derive(Clone, Copy)]
enum Callee {
    Func(FuncId),
    /// Its reference stands before the arguments.
    Reference(TypeId),
}

impl Translator<'_, '_, '_> {
    /// Calls and references; `false` if it is another operator.
    pub(super) fn call_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::Call { function_index } => self.call_index(*function_index)?,
            Operator::ReturnCall { function_index } => match self.target(*function_index)? {
                Target::Func(func) => {
                    let ty = self.unit.type_of(*function_index);
                    self.tail(Callee::Func(func), ty)?;
                }
                Target::Device(_) => {
                    self.call_index(*function_index)?;
                    self.control_operator(&Operator::Return)?;
                }
            },
            Operator::CallIndirect { type_index, table_index } => {
                let callee = self.table_callee(*type_index, *table_index)?;
                self.call(callee, *type_index)?;
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let callee = self.table_callee(*type_index, *table_index)?;
                self.tail(callee, *type_index)?;
            }
            Operator::CallRef { type_index } => {
                let callee = self.stack_callee(*type_index)?;
                self.call(callee, *type_index)?;
            }
            Operator::ReturnCallRef { type_index } => {
                let callee = self.stack_callee(*type_index)?;
                self.tail(callee, *type_index)?;
            }
            Operator::RefFunc { function_index } => {
                self.func_ref(*function_index)?;
            }
            Operator::RefNull { hty } => {
                let ty = self.null_type(*hty);
                self.push_leaf(Leaf::Null(ty), ty);
            }
            Operator::RefIsNull => {
                self.reach(1)?;
                self.emit(Instr::Null(Type::OptAny));
                self.emit(Instr::RefEq);
                self.merge(1, Type::Bool, Effect::Pure)?;
            }
            Operator::RefAsNonNull => {
                let ty = self.top()?.ty.non_null();
                self.tree(Instr::As(ty), 1, ty, Effect::Reads)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn null_type(&mut self, ty: HeapType) -> Type {
        RefType::new(true, ty).map_or(Type::OptAny, |ty| self.value_type(ValType::Ref(ty)))
    }

    fn target(&self, func: u32) -> Result<Target> {
        self.unit.target(func).ok_or_else(|| self.internal("a function index"))
    }

    fn func_ref(&mut self, index: u32) -> Result {
        let func = self.build.func_of(self.unit, index)?;
        let ty = self.unit.func_type(index)?;
        let value = self.build.func_value(func, ty);
        match value {
            Const::Func(func, ty) => self.nullary(Instr::FuncRef(func, ty), Type::Ref(ty), Effect::Pure),
            object => {
                let ty = Type::Ref(self.build.types.object(&mut self.build.module, ty));
                let global = self.build.func_object(func, self.unit.func_type(index)?, object, ty);
                self.nullary(Instr::GlobalGet(global), ty, Effect::Reads)
            }
        }
    }

    fn form(&mut self, ty: u32) -> Result<FuncForm> {
        let ty = self.unit.canon(ty)?;
        Ok(self.build.types.form(&mut self.build.module, ty))
    }

    /// The arguments of a call, with so many values above them.
    fn fit_arguments(&mut self, above: usize, ty: u32) -> Result {
        let unit = self.unit;
        unit.types.sig(ty).map_or(Ok(()), |sig| self.fit_all(above, &sig.params))
    }

    fn call_index(&mut self, index: u32) -> Result {
        match self.target(index)? {
            Target::Func(func) => self.call(Callee::Func(func), self.unit.type_of(index)),
            Target::Device(device) => self.device(device),
        }
    }

    /// How many parameters and results a function type has.
    fn arity(&self, ty: u32) -> Result<(usize, usize)> {
        let sig = self.unit.types.sig(ty).ok_or_else(|| self.internal("a type index"))?;
        Ok((sig.params.len(), sig.results.len()))
    }

    fn call(&mut self, callee: Callee, ty: u32) -> Result {
        let (params, results) = self.arity(ty)?;
        if let Callee::Func(_) = callee {
            self.fit_arguments(0, ty)?;
        }
        let reference = usize::from(matches!(callee, Callee::Reference(_)));
        let throws = self.may_throw(callee, ty);
        if results == 1 && !throws {
            return self.call_in_tree(callee, ty, params + reference);
        }
        self.settle();
        self.begin(params + reference, Keep::ALL)?;
        let first = self.entries.len();
        let unit = self.unit;
        let types = unit.types.sig(ty).map_or(&[][..], |sig| &sig.results);
        let carried = unit.types.carried(ty, &self.build.types).results;
        let mut dests = core::mem::take(&mut self.dests);
        dests.clear();
        dests.extend(carried.iter().enumerate().map(|(at, ty)| Some(self.temp(first + at, *ty))));
        match callee {
            Callee::Func(func) => self.code.call_set(func, &dests),
            Callee::Reference(ty) => self.code.call_ref_set(ty, &dests),
        }
        if throws {
            self.pass_on();
        }
        for (at, (ty, carried)) in types.iter().zip(&carried).enumerate().filter(|(_, (ty, carried))| ty != carried) {
            let (to, from) = (self.temp(first + at, *ty), self.temp(first + at, *carried));
            self.emit(Instr::Get(from));
            self.emit(Instr::As(*ty));
            self.code.set_one(to);
        }
        self.restore();
        for (at, ty) in types.iter().enumerate() {
            let local = self.temp(first + at, *ty);
            self.push_leaf(Leaf::Local(local), *ty);
        }
        self.dests = dests;
        Ok(())
    }

    fn may_throw(&self, callee: Callee, ty: u32) -> bool {
        match callee {
            Callee::Func(func) => self.build.throws.func(func),
            Callee::Reference(_) => self.unit.types.sig(ty).is_some_and(|sig| self.build.throws.reference(sig)),
        }
    }

    /// A call of one result that does not throw.
    fn call_in_tree(&mut self, callee: Callee, ty: u32, operands: usize) -> Result {
        let instr = match callee {
            Callee::Func(func) => Instr::Call(func),
            Callee::Reference(ty) => Instr::CallRef(ty),
        };
        let unit = self.unit;
        let result = unit.types.sig(ty).and_then(|sig| sig.results.first()).copied().unwrap_or(Type::I32);
        let carried = unit.types.carried_value(result, &self.build.types);
        self.tree(instr, operands, carried, Effect::Writes)?;
        if carried == result { Ok(()) } else { self.tree(Instr::As(result), 1, result, Effect::Writes) }
    }

    fn tail(&mut self, callee: Callee, ty: u32) -> Result {
        let (params, results) = self.arity(ty)?;
        let unit = self.unit;
        let found = unit.types.sig(ty).map_or(&[][..], |sig| &sig.results);
        // The function's results are the first of the kinds.
        if found.iter().zip(self.kinds.iter().take(results)).any(|(found, wanted)| self.misfits(*found, *wanted)) {
            self.call(callee, ty)?;
            return self.control_operator(&Operator::Return).map(drop);
        }
        if let Callee::Func(_) = callee {
            self.fit_arguments(0, ty)?;
        }
        let reference = usize::from(matches!(callee, Callee::Reference(_)));
        self.settle();
        self.begin(params + reference, Keep::ALL)?;
        self.emit(match callee {
            Callee::Func(func) => Instr::ReturnCall(func),
            Callee::Reference(ty) => Instr::ReturnCallRef(ty),
        });
        self.unreached();
        Ok(())
    }

    /// The index on top becomes the function, which goes before the arguments.
    fn table_callee(&mut self, ty: u32, table: u32) -> Result<Callee> {
        self.fit_arguments(1, ty)?;
        let (params, _) = self.arity(ty)?;
        self.steady(1, params, Effect::Pure)?;
        self.element(table)?;
        self.callee(ty, params)
    }

    /// The reference on top goes before the arguments.
    fn stack_callee(&mut self, ty: u32) -> Result<Callee> {
        self.fit_arguments(1, ty)?;
        let (params, _) = self.arity(ty)?;
        self.steady(1, params, Effect::Pure)?;
        self.callee(ty, params)
    }

    /// The reference on top becomes one that can be called.
    fn callee(&mut self, ty: u32, params: usize) -> Result<Callee> {
        let form = self.form(ty)?;
        let (FuncForm::Plain(holder) | FuncForm::Object(holder, ..)) = form;
        if self.top()?.ty != Type::Ref(holder) {
            self.tree(Instr::As(Type::Ref(holder)), 1, Type::Ref(holder), Effect::Reads)?;
        }
        let id = match form {
            FuncForm::Plain(id) => id,
            FuncForm::Object(object, field, id) => {
                self.tree(Instr::FieldGet(object, field), 1, Type::Ref(id), Effect::Pure)?;
                id
            }
        };
        self.rotate_to_front(params)?;
        Ok(Callee::Reference(id))
    }
}
