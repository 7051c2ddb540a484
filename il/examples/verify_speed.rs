//! How fast the verifier is: a module of 10 MB and more, verified several times on one core.
//!
//! `cargo run --release -p il --example verify_speed`

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{ArrayDef, FieldId, Func, FuncId, LocalId, Module, Signature, Storage, StructDef, StructField, Type};
use il::{TypeDef, TypeId};

const I32: Type = Type::I32;

/// A loop over an array of structs with arithmetic, branches, a call, a `switch`: what programs are made of.
fn turn(w: &mut Writer, round: u32) {
    let local = |id: u32| Some(LocalId(id + round % 20));
    let op = |op| Instr::Op(op, Immediate::default());
    let get = |id: u32| Instr::Get(LocalId(id + round % 20));
    w.push(Instr::I32Const(0));
    w.push(Instr::I32Const(100));
    w.push(Instr::For(LocalId(4 + round % 20)));
    for instr in [Instr::Get(LocalId(1)), get(4), Instr::ArrayGet(TypeId(1)), Instr::FieldGet(TypeId(0), FieldId(1))] {
        w.push(instr);
    }
    w.set(&[local(5)]);
    for instr in [get(5), get(4), op(Op::I32Mul), Instr::I32Const(1000), op(Op::I32LtS), Instr::If] {
        w.push(instr);
    }
    for instr in [get(5), Instr::I32Const(7), op(Op::I32Add), Instr::Call(FuncId(0)), get(4), op(Op::I32Xor)] {
        w.push(instr);
    }
    w.set(&[local(5)]);
    w.push(Instr::Else);
    for instr in [get(5), Instr::Switch] {
        w.push(instr);
    }
    for value in 0..4 {
        w.arm(&[value]);
        w.push(Instr::I32Const(value as i32 * 300));
        w.set(&[local(5)]);
    }
    w.push(Instr::End);
    w.push(Instr::End);
    for instr in [Instr::Get(LocalId(0)), get(5), Instr::FieldSet(TypeId(0), FieldId(0))] {
        w.push(instr);
    }
    w.push(Instr::End);
}

fn types() -> Vec<TypeDef> {
    let field = |mutable| StructField { mutable, storage: Storage::Value(I32) };
    vec![
        TypeDef::Struct(StructDef {
            parent: None,
            frozen: false,
            name: String::new(),
            fields: vec![field(true), field(false)],
        }),
        TypeDef::Array(ArrayDef { mutable: false, element: Storage::Value(Type::Ref(TypeId(0))) }),
    ]
}

fn module(bytes: usize) -> Module {
    let mut w = Writer::default();
    (0..40).for_each(|round| turn(&mut w, round));
    let sig = Signature { params: vec![Type::Ref(TypeId(0)), Type::Ref(TypeId(1))], results: vec![] };
    let one = Func { sig, pure: false, locals: vec![I32; 30], body: w.bytes };
    let mut leaf = Writer::default();
    leaf.push(Instr::Get(LocalId(0)));
    leaf.push(Instr::Return);
    let sig = Signature { params: vec![I32], results: vec![I32] };
    let mut funcs = vec![Func { sig, pure: true, locals: vec![], body: leaf.bytes }];
    let count = bytes / one.body.len() + 1;
    funcs.extend(std::iter::repeat_n(one, count));
    Module { types: types(), funcs, ..Module::default() }
}

/// Seconds that this thread has run, as Linux counts them: what else the machine does is not in them.
fn seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.unwrap_or_else(|| panic!("/proc/thread-self/schedstat is not there")) / 1e9
}

fn main() {
    let module = module(10 << 20);
    let bytes = il::binary::encode(&module);
    let megabytes = bytes.len() as f64 / 1e6;
    let best = |mut work: Box<dyn FnMut() -> f64>| (0..7).map(|_| work()).fold(f64::MAX, f64::min);
    let verify = best(Box::new(move || {
        let module = module.clone();
        let start = seconds();
        let verified = il::verify(module).unwrap_or_else(|error| panic!("{error}"));
        let took = seconds() - start;
        drop(verified);
        took
    }));
    let decode = best(Box::new(move || {
        let start = seconds();
        let module = il::binary::decode(&bytes).unwrap_or_else(|error| panic!("{error}"));
        let took = seconds() - start;
        drop(module);
        took
    }));
    println!("verify: {megabytes:.1} MB in {:.1} ms, {:.0} MB/s", verify * 1e3, megabytes / verify);
    println!("decode: {megabytes:.1} MB in {:.1} ms, {:.0} MB/s", decode * 1e3, megabytes / decode);
}
