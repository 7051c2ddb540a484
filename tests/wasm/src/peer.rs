//! Another engine to compare with.

use anyhow::{Result, anyhow};
use wasmi::{Config, Engine, Extern, ExternType, Instance, Linker, Module, Nullable, Store, TrapCode, Val, ValType};

use crate::rename;
use crate::trace::{Exported, Fault, Kind, State, Subject, digest};
use crate::value::{Reference, Value};

/// What a call may cost, far above what a random module's own fuel allows.
const FUEL: u64 = 50_000_000;

/// One module on the peer.
pub struct Peer {
    store: Store<()>,
    module: Module,
    instance: Option<Instance>,
    /// Names of its exports.
    names: Vec<String>,
}

impl Peer {
    /// Reads a module.
    ///
    /// # Errors
    /// If the peer refuses it.
    pub fn new(bytes: &[u8]) -> Result<Peer> {
        let mut config = Config::default();
        config.consume_fuel(true).wasm_multi_memory(true).wasm_tail_call(true).wasm_extended_const(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, bytes).map_err(|error| anyhow!("{error}"))?;
        let names = rename::exports(bytes)?.into_iter().map(|export| export.name).collect();
        Ok(Peer { store: Store::new(&engine, ()), module, instance: None, names })
    }

    /// What it exports, in the module's order.
    pub fn exports(&self) -> Vec<Exported> {
        let kind = |ty: &ValType| match ty {
            ValType::I32 => Kind::I32,
            ValType::I64 => Kind::I64,
            ValType::F32 => Kind::F32,
            ValType::F64 => Kind::F64,
            ValType::V128 => Kind::V128,
            ValType::FuncRef | ValType::ExternRef => Kind::Reference,
        };
        let exported = |ty: &ExternType| match ty {
            ExternType::Func(ty) => Exported::Function(ty.params().iter().map(kind).collect()),
            ExternType::Global(_) => Exported::Global,
            ExternType::Memory(_) => Exported::Memory,
            ExternType::Table(_) => Exported::Other,
        };
        let ty = |name: &String| self.module.get_export(name);
        self.names.iter().map(|name| ty(name).map_or(Exported::Other, |ty| exported(&ty))).collect()
    }

    fn extern_of(&self, export: usize) -> Option<Extern> {
        self.instance.as_ref()?.get_export(&self.store, self.names.get(export)?)
    }

    fn fault(error: &wasmi::Error) -> Fault {
        match error.as_trap_code() {
            Some(TrapCode::UnreachableCodeReached) => Fault::Unreachable,
            Some(TrapCode::MemoryOutOfBounds) => Fault::Memory,
            Some(TrapCode::TableOutOfBounds) => Fault::Table,
            Some(TrapCode::IndirectCallToNull | TrapCode::BadSignature) => Fault::Function,
            Some(TrapCode::IntegerDivisionByZero) => Fault::Division,
            Some(TrapCode::IntegerOverflow | TrapCode::BadConversionToInteger) => Fault::Overflow,
            Some(TrapCode::StackOverflow | TrapCode::OutOfFuel) => Fault::Limit,
            Some(TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory) => Fault::Limit,
            // A segment that does not fit, while the instance is made.
            None => Fault::Table,
        }
    }
}

fn value(val: &Val) -> Value {
    match val {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(Nullable::Null) | Val::ExternRef(Nullable::Null) => Value::Ref(Reference::Null),
        Val::FuncRef(Nullable::Val(_)) | Val::ExternRef(Nullable::Val(_)) => Value::Ref(Reference::Other),
    }
}

fn val(value: Value, ty: ValType) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::Ref(_) => Val::default_for_ty(ty),
    }
}

impl Subject for Peer {
    fn make(&mut self) -> Result<(), Fault> {
        let failed = |error: wasmi::Error| Peer::fault(&error);
        self.store.set_fuel(FUEL).map_err(failed)?;
        let linker = Linker::new(self.store.engine());
        let instance = linker.instantiate_and_start(&mut self.store, &self.module).map_err(failed)?;
        self.instance = Some(instance);
        Ok(())
    }

    fn call(&mut self, export: usize, args: &[Value]) -> Result<Vec<Value>, Fault> {
        let failed = |error: wasmi::Error| Peer::fault(&error);
        self.store.set_fuel(FUEL).map_err(failed)?;
        let Some(Extern::Func(func)) = self.extern_of(export) else { return Ok(Vec::new()) };
        let ty = func.ty(&self.store);
        let args: Vec<Val> = args.iter().zip(ty.params()).map(|(arg, ty)| val(*arg, *ty)).collect();
        let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
        func.call(&mut self.store, &args, &mut results).map_err(failed)?;
        Ok(results.iter().map(value).collect())
    }

    fn state(&mut self) -> State {
        let (mut globals, mut memories) = (Vec::new(), Vec::new());
        for at in 0..self.names.len() {
            match self.extern_of(at) {
                Some(Extern::Global(global)) => globals.push(value(&global.get(&self.store))),
                Some(Extern::Memory(memory)) => memories.push(digest(memory.data(&self.store))),
                Some(Extern::Func(_) | Extern::Table(_)) | None => {}
            }
        }
        State { globals, memories }
    }
}
