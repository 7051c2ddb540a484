//! References at a VM's border. A packet carries neither a function nor an object of the script's, so every exported
//! function that takes or gives references gets a wrapper, in IL, that passes a number in a reference's place: 0 is null,
//! [`OTHER`] a reference that is not the script's, and anything else stands for `ref.extern NUMBER - 1`, inside an object
//! that holds just the number.

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{Func, FuncId, LocalId, Module, Signature, Storage, StructDef, StructField, Type, TypeDef, TypeId};

use crate::value::{Reference, Value};

/// Passes for a reference that is neither null nor the script's.
pub const OTHER: i32 = -1;

/// A value as it crosses the border.
pub fn passed(value: Value) -> Value {
    match value {
        Value::Ref(Reference::Null) => Value::I32(0),
        Value::Ref(Reference::Host(number)) => Value::I32(number as i32 + 1),
        Value::Ref(Reference::Other) => Value::I32(OTHER),
        number => number,
    }
}

/// A reference that crossed the border.
pub fn reference(value: Value) -> Value {
    match value {
        Value::I32(0) => Value::Ref(Reference::Null),
        Value::I32(OTHER) => Value::Ref(Reference::Other),
        Value::I32(number) => Value::Ref(Reference::Host(number as u32 - 1)),
        other => other,
    }
}

const NUMBER: il::FieldId = il::FieldId(0);

/// Puts a wrapper in the place of every export that needs one.
pub fn wrap(module: &mut Module) {
    let host = TypeId(module.types.len() as u32);
    let fields = vec![StructField { mutable: false, storage: Storage::Value(Type::I32) }];
    module.types.push(TypeDef::Struct(StructDef { fields, ..StructDef::default() }));
    module.names = None; // it would have to name the wrappers too
    for at in 0..module.exports.len() {
        let func = module.exports[at].func;
        let Some(sig) = module.sig(func) else { continue };
        if sig.params.iter().chain(&sig.results).any(|ty| ty.is_reference()) {
            let wrapper = wrapper(func, &sig.clone(), host);
            module.exports[at].func = FuncId(module.funcs.len() as u32);
            module.funcs.push(wrapper);
        }
    }
}

fn wrapper(func: FuncId, sig: &Signature, host: TypeId) -> Func {
    let passed = |types: &[Type]| types.iter().map(|ty| if ty.is_reference() { Type::I32 } else { *ty }).collect();
    let outer = Signature { params: passed(&sig.params), results: passed(&sig.results), ..sig.clone() };
    let mut out = Writer::default();
    for (at, ty) in sig.params.iter().enumerate() {
        enter(&mut out, LocalId(at as u32), *ty, host);
    }
    let first = outer.params.len() as u32;
    let dests: Vec<_> = (0..sig.results.len() as u32).map(|at| Some(LocalId(first + at))).collect();
    out.call_set(func, &dests);
    for (at, ty) in sig.results.iter().enumerate() {
        leave(&mut out, LocalId(first + at as u32), *ty, host);
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
fn leave(out: &mut Writer, local: LocalId, ty: Type, host: TypeId) {
    if !ty.is_reference() {
        return out.push(Instr::Get(local));
    }
    let number = |out: &mut Writer| {
        if ty != Type::OptAny {
            return out.push(Instr::I32Const(OTHER));
        }
        out.push(Instr::Cond(Type::I32));
        out.push(Instr::Get(local));
        out.push(Instr::Is(Type::Ref(host)));
        out.push(Instr::Test);
        out.push(Instr::Get(local));
        out.push(Instr::As(Type::Ref(host)));
        out.push(Instr::FieldGet(host, NUMBER));
        out.push(Instr::Else);
        out.push(Instr::I32Const(OTHER));
        out.push(Instr::End);
    };
    if ty.non_null() == ty {
        return number(out);
    }
    out.push(Instr::Cond(Type::I32));
    out.push(Instr::Get(local));
    out.push(Instr::Is(ty.non_null()));
    out.push(Instr::Test);
    number(out);
    out.push(Instr::Else);
    out.push(Instr::I32Const(0));
    out.push(Instr::End);
}
