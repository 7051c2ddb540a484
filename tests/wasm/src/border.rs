//! References at a VM's border. A packet carries neither a function nor an object of the script's, so every exported
//! function that takes or gives references gets a wrapper, in IL, that passes a number in a reference's place: 0 is null,
//! a negative one a reference that is not the script's, by its kind ([`KINDS`], [`OTHER`]), and anything else stands for
//! `ref.extern NUMBER - 1`, inside an object that holds just the number. Where there are more values than a packet carries, they pass one by one.

use std::collections::HashMap;

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{
    Export, Func, FuncId, Global, GlobalId, LocalId, Module, Signature, Storage, StructDef, StructField, Type, TypeDef,
    TypeId,
};

use crate::value::{Reference, Value};

/// Passes for a reference that is neither null nor the script's, and of no kind that is known.
pub const OTHER: i32 = -1;
/// The kinds of references that are the module's: what passes for them, and the name of the struct that they extend.
pub const KINDS: [(i32, Reference, &str); 3] =
    [(-2, Reference::I31, "I31"), (-3, Reference::Struct, "Struct"), (-4, Reference::Array, "Array")];

/// A value as it crosses the border.
pub fn passed(value: Value) -> Value {
    match value {
        Value::Ref(Reference::Null) => Value::I32(0),
        Value::Ref(Reference::Host(number)) => Value::I32(number as i32 + 1),
        Value::Ref(Reference::Other) => Value::I32(OTHER),
        Value::Ref(kind) => {
            Value::I32(KINDS.iter().find(|(_, known, _)| *known == kind).map_or(OTHER, |(number, ..)| *number))
        }
        number => number,
    }
}

/// A reference that crossed the border.
pub fn reference(value: Value) -> Value {
    match value {
        Value::I32(0) => Value::Ref(Reference::Null),
        Value::I32(OTHER) => Value::Ref(Reference::Other),
        Value::I32(number @ ..0) => {
            Value::Ref(KINDS.iter().find(|(known, ..)| *known == number).map_or(Reference::Other, |(_, kind, _)| *kind))
        }
        Value::I32(number) => Value::Ref(Reference::Host(number as u32 - 1)),
        other => other,
    }
}

const NUMBER: il::FieldId = il::FieldId(0);

/// Most values that enter or leave a VM at once: a packet's.
const MAX_VALUES: usize = il::packet::MAX_OPERANDS;

/// How an exported function is called from outside.
#[derive(Clone, Default, Debug)]
pub struct Entry {
    /// What to call.
    pub func: FuncId,
    /// Types of its parameters, as they cross the border.
    pub params: Vec<Type>,
    /// Which results are references, passed as numbers.
    pub references: Vec<bool>,
    /// If there are too many values to pass: functions that each take one of its arguments, to be called before it,
    pub setters: Vec<FuncId>,
    /// and ones that each give one of its results, to be called after it. It takes and gives none then.
    pub getters: Vec<FuncId>,
}

/// Gives every exported function that needs one a wrapper, which is exported too. How all of them are called, by name.
pub fn wrap(module: &mut Module) -> HashMap<String, Entry> {
    let host = TypeId(module.types.len() as u32);
    let fields = vec![StructField { mutable: false, storage: Storage::Value(Type::I32) }];
    module.types.push(TypeDef::Struct(StructDef { fields, ..StructDef::default() }));
    let names = module.names.take().unwrap_or_default(); // they would have to name the wrappers too
    let named = |name: &str| names.types.iter().position(|known| known.name == name).map(|at| TypeId(at as u32));
    let kinds: Vec<(TypeId, i32)> = [(host, 0)]
        .into_iter()
        .chain(KINDS.iter().filter_map(|(number, _, name)| Some((named(name)?, *number))))
        .collect();
    let mut entries = HashMap::new();
    for Export { name, func } in core::mem::take(&mut module.exports) {
        let Some(sig) = module.sig(func).cloned() else { continue };
        let references = sig.results.iter().map(|ty| ty.is_reference()).collect();
        let func = match sig.params.iter().chain(&sig.results).any(|ty| ty.is_reference()) {
            true => add(module, wrapper(func, &sig, &kinds)),
            false => func,
        };
        let sig = module.sig(func).cloned().unwrap_or_default();
        let entry = Entry { func, params: sig.params.clone(), references, ..Entry::default() };
        let entry =
            if sig.params.len().max(sig.results.len()) > MAX_VALUES { spread(module, entry, &sig) } else { entry };
        for func in entry.setters.iter().chain(&entry.getters).chain([&entry.func]) {
            let name = format!("{name}_{}", module.exports.len());
            module.exports.push(Export { name, func: *func });
        }
        entries.insert(name, entry);
    }
    entries
}

fn add(module: &mut Module, func: Func) -> FuncId {
    module.funcs.push(func);
    FuncId(module.funcs.len() as u32 - 1)
}

/// Passes all values by way of globals.
fn spread(module: &mut Module, entry: Entry, sig: &Signature) -> Entry {
    let mut global = |ty: Type| {
        let mut init = Writer::default();
        zero(&mut init, ty);
        module.globals.push(Global { mutable: true, ty, init: init.bytes });
        GlobalId(module.globals.len() as u32 - 1)
    };
    let params: Vec<GlobalId> = sig.params.iter().map(|ty| global(*ty)).collect();
    let results: Vec<GlobalId> = sig.results.iter().map(|ty| global(*ty)).collect();
    let one = |params: &[Type], results: &[Type], write: &dyn Fn(&mut Writer)| {
        let mut out = Writer::default();
        write(&mut out);
        out.push(Instr::Return);
        let sig = Signature { params: params.to_vec(), results: results.to_vec() };
        Func { sig, pure: false, locals: Vec::new(), body: out.bytes }
    };
    let set = |(global, ty): (&GlobalId, &Type)| {
        one(&[*ty], &[], &|out| {
            out.push(Instr::Get(LocalId(0)));
            out.push(Instr::GlobalSet(*global));
        })
    };
    let get = |(global, ty): (&GlobalId, &Type)| one(&[], &[*ty], &|out| out.push(Instr::GlobalGet(*global)));
    let setters: Vec<Func> = params.iter().zip(&sig.params).map(set).collect();
    let getters: Vec<Func> = results.iter().zip(&sig.results).map(get).collect();
    let mut call = one(&[], &[], &|out| {
        params.iter().for_each(|global| out.push(Instr::GlobalGet(*global)));
        let locals: Vec<_> = (0..results.len() as u32).map(|at| Some(LocalId(at))).collect();
        out.call_set(entry.func, &locals);
        for (at, global) in results.iter().enumerate() {
            out.push(Instr::Get(LocalId(at as u32)));
            out.push(Instr::GlobalSet(*global));
        }
    });
    call.locals.clone_from(&sig.results);
    Entry {
        func: add(module, call),
        setters: setters.into_iter().map(|func| add(module, func)).collect(),
        getters: getters.into_iter().map(|func| add(module, func)).collect(),
        ..entry
    }
}

fn zero(out: &mut Writer, ty: Type) {
    match ty {
        Type::I64 => out.push(Instr::I64Const(0)),
        Type::F32 => out.push(Instr::F32Const(0)),
        Type::F64 => out.push(Instr::F64Const(0)),
        Type::V128 => {
            out.push(Instr::I64Const(0));
            out.push(Instr::I64Const(0));
            out.push(Instr::Op(Op::V128FromI64s, Immediate::default()));
        }
        _ => out.push(Instr::I32Const(0)),
    }
}

/// `kinds`: the struct of the script's objects, and those of the module's kinds with what passes for them.
fn wrapper(func: FuncId, sig: &Signature, kinds: &[(TypeId, i32)]) -> Func {
    let host = kinds.first().map_or(TypeId(0), |(host, _)| *host);
    let passed = |types: &[Type]| types.iter().map(|ty| if ty.is_reference() { Type::I32 } else { *ty }).collect();
    let outer = Signature { params: passed(&sig.params), results: passed(&sig.results) };
    let mut out = Writer::default();
    for (at, ty) in sig.params.iter().enumerate() {
        enter(&mut out, LocalId(at as u32), *ty, host);
    }
    let first = outer.params.len() as u32;
    let dests: Vec<_> = (0..sig.results.len() as u32).map(|at| Some(LocalId(first + at))).collect();
    out.call_set(func, &dests);
    for (at, ty) in sig.results.iter().enumerate() {
        leave(&mut out, LocalId(first + at as u32), *ty, kinds);
    }
    out.push(Instr::Return);
    Func { sig: outer, pure: false, locals: sig.results.clone(), body: out.bytes }
}

/// A parameter as the function takes it.
fn enter(out: &mut Writer, local: LocalId, ty: Type, host: TypeId) {
    match ty {
        Type::OptAny => {
            out.push(Instr::Cond(ty));
            out.push(Instr::Get(local));
            out.push(Instr::I32Const(0));
            out.push(Instr::Op(Op::I32Eq, Immediate::default()));
            out.push(Instr::Test);
            out.push(Instr::Null(ty));
            out.push(Instr::Else);
            out.push(Instr::Get(local));
            out.push(Instr::StructNew(host));
            out.push(Instr::End);
        }
        Type::Any => {
            out.push(Instr::Get(local));
            out.push(Instr::StructNew(host));
        }
        // Null is the one reference of these types that a script can pass.
        ty if ty.is_reference() => {
            let null = ty.nullable().unwrap_or(Type::OptAny);
            out.push(Instr::Null(null));
            if ty != null {
                out.push(Instr::As(ty));
            }
        }
        _ => out.push(Instr::Get(local)),
    }
}

/// A result as the script sees it.
fn leave(out: &mut Writer, local: LocalId, ty: Type, kinds: &[(TypeId, i32)]) {
    if !ty.is_reference() {
        return out.push(Instr::Get(local));
    }
    if ty.non_null() == ty {
        return kind(out, local, kinds);
    }
    out.push(Instr::Cond(Type::I32));
    out.push(Instr::Get(local));
    out.push(Instr::Is(ty.non_null()));
    out.push(Instr::Test);
    kind(out, local, kinds);
    out.push(Instr::Else);
    out.push(Instr::I32Const(0));
    out.push(Instr::End);
}

/// What passes for a reference that is not null.
fn kind(out: &mut Writer, local: LocalId, kinds: &[(TypeId, i32)]) {
    for (at, (ty, number)) in kinds.iter().enumerate() {
        out.push(Instr::Cond(Type::I32));
        out.push(Instr::Get(local));
        out.push(Instr::Is(Type::Ref(*ty)));
        out.push(Instr::Test);
        if at == 0 {
            out.push(Instr::Get(local));
            out.push(Instr::As(Type::Ref(*ty)));
            out.push(Instr::FieldGet(*ty, NUMBER));
        } else {
            out.push(Instr::I32Const(*number));
        }
        out.push(Instr::Else);
    }
    out.push(Instr::I32Const(OTHER));
    kinds.iter().for_each(|_| out.push(Instr::End));
}
