//! tmp
#![allow(missing_docs)]
#[allow(dead_code)]
#[path = "../../bootstrapper/cascade/src/platform/mod.rs"]
mod platform;

use basevm::buf::Account;
use basevm::engine::*;
use il::instr::{Instr, Writer};
use il::op::Op;
use il::*;
use platform::*;

fn module(funcs: Vec<(Vec<Type>, Vec<Type>, Vec<Type>, Vec<Instr<'static>>)>, strings: &[&str]) -> Module {
    Module {
        name: "t".into(),
        strings: strings.iter().map(|s| s.to_string()).collect(),
        funcs: funcs
            .into_iter()
            .map(|(params, results, locals, body)| {
                let mut w = Writer::default();
                body.into_iter().for_each(|i| w.push(i));
                Func { sig: Signature { params, results }, locals, body: w.bytes }
            })
            .collect(),
        exports: vec![Export { name: "main".into(), func: FuncId(0) }],
        ..Default::default()
    }
}

fn run(m: Module) -> Step {
    let p = HostedPlatform::leaked(HostedOptions::default());
    let v = il::verify::verify(m).unwrap_or_else(|e| panic!("{e}"));
    let mut o = compiler::Options::detect();
    o.verify = true;
    let c = compiler::compile(&v, &o).unwrap();
    let prog = Program::load(p, v, c).unwrap();
    let account = Account::new(1 << 20);
    let mut i = Instance::new(p, prog, account.clone(), DEFAULT_STACK_BYTES).unwrap();
    let step = i.enter(FuncId(0), &[], &mut []).unwrap();
    println!("{step:?}");
    if let Step::Trap(r) = &step {
        println!("{r}");
    }
    drop(i);
    assert_eq!(account.used(), 0);
    step
}

#[test]
fn done() {
    assert!(matches!(run(module(vec![(vec![], vec![], vec![], vec![Instr::Return])], &[])), Step::Done(_)));
}

#[test]
fn div() {
    let body = vec![
        Instr::I32Const(1),
        Instr::Get(LocalId(0)),
        Instr::Op(Op::I32DivS, 0),
        Instr::Return,
    ];
    let main = vec![Instr::I32Const(0), Instr::Call(FuncId(1)), Instr::Op(Op::StrFromI32, 0), Instr::StrConst(StrId(0)), Instr::Op(Op::StrEq, 0), Instr::Assert(StrId(0)), Instr::Return];
    run(module(vec![(vec![], vec![], vec![], main), (vec![Type::I32], vec![Type::I32], vec![], body)], &["x"]));
}

#[test]
fn recursion() {
    let body = vec![Instr::Get(LocalId(0)), Instr::Call(FuncId(1)), Instr::I32Const(1), Instr::Op(Op::I32Add, 0), Instr::Return];
    let main = vec![Instr::I32Const(0), Instr::Call(FuncId(1)), Instr::Op(Op::StrFromI32, 0), Instr::StrConst(StrId(0)), Instr::Op(Op::StrEq, 0), Instr::Assert(StrId(0)), Instr::Return];
    run(module(vec![(vec![], vec![], vec![], main), (vec![Type::I32], vec![Type::I32], vec![], body)], &["x"]));
}

#[test]
fn wild_loop() {
    let main = vec![Instr::Loop, Instr::End];
    assert!(matches!(run(module(vec![(vec![], vec![], vec![], main)], &[])), Step::Yield));
}
#[test]
fn assertion() {
    let main = vec![Instr::I32Const(7), Instr::Op(Op::StrFromI32, 0), Instr::StrConst(StrId(0)), Instr::Op(Op::StrEq, 0), Instr::Assert(StrId(0)), Instr::Return];
    run(module(vec![(vec![], vec![], vec![], main)], &["x"]));
}
