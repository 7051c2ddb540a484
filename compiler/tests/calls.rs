//! Function references, tail calls, capabilities as values, and programs.

mod support;

use compiler::abi::Exit;
use il::instr::{Instr, Writer};
use il::op::Op;
use il::{CapDef, FuncId, IsaId, LocalId, Program, ProgramId, Signature, Type, TypeDef, TypeId, UseId};
use support::build::{Build, get, instruction, op};
use support::{End, Reply, Vm, all_options};

const BINARY: TypeId = TypeId(0);

fn binary() -> Signature {
    Signature { params: vec![Type::I64, Type::Str], results: vec![Type::I64] }
}

fn assign(writer: &mut Writer, instrs: &[Instr<'static>], local: u32) {
    instrs.iter().for_each(|instr| writer.push(*instr));
    writer.set(&[Some(LocalId(local))]);
}

/// count(n, text): n == 0 ? len(text) : tail count(n - 1, str(n)), directly or through a reference.
fn counting(through_reference: bool) -> Build {
    let mut build = Build::new();
    build.module.types = vec![TypeDef::Func(binary())];
    let mut body =
        vec![get(0), Instr::I64Const(0), op(Op::I64Eq), Instr::If, get(1), op(Op::StrLen), op(Op::I64FromI32S)];
    body.extend([Instr::Return, Instr::End]);
    if through_reference {
        body.push(Instr::FuncRef(FuncId(0), BINARY));
    }
    body.extend([get(0), Instr::I64Const(1), op(Op::I64Sub), get(0), op(Op::StrFromI64)]);
    body.push(if through_reference { Instr::ReturnCallRef(BINARY) } else { Instr::ReturnCall(FuncId(0)) });
    build.func("count", &binary().params, &binary().results, &[], &body);
    build
}

#[test]
fn tail_calls_need_no_stack() {
    for through_reference in [false, true] {
        for options in all_options() {
            let mut vm = Vm::with(counting(through_reference).module, &options);
            let text = vm.new_str("start");
            assert_eq!(vm.eval("count", &[30_000, text]), Ok(1));
            let text = vm.new_str("start");
            assert_eq!(vm.eval("count", &[0, text]), Ok(5));
        }
    }
}

#[test]
fn tail_calls_free_buffers_and_pass_many_values() {
    let mut build = Build::new();
    let types =
        [Type::I64, Type::F64, Type::I32, Type::I64, Type::F64, Type::I64, Type::I32, Type::I64, Type::I64, Type::I64];
    let all: Vec<Instr> = (0..types.len() as u32).map(get).collect();
    let mut back = all.clone();
    back.push(Instr::Return);
    build.func("back", &types, &types, &[], &back);
    let mut writer = Writer::default();
    assign(&mut writer, &[Instr::I32Const(9), op(Op::BufNew)], types.len() as u32);
    all.iter().for_each(|instr| writer.push(*instr));
    writer.push(Instr::ReturnCall(FuncId(0)));
    build.func_bytes("forth", &types, &types, &[Type::Buf], writer.bytes);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        let args: Vec<u64> = (1..=10).collect();
        assert_eq!(vm.run("forth", &args), End::Done);
        assert_eq!((0..10).map(|at| vm.value(at)).collect::<Vec<_>>(), args);
        assert_eq!(vm.alive(), (0, 0));
    }
}

#[test]
fn references_call_what_they_name() {
    let mut build = Build::new();
    build.module.types = vec![TypeDef::Func(binary())];
    let part = |tail: &[Instr<'static>]| [&[get(0), get(1), op(Op::StrLen), op(Op::I64FromI32S)], tail].concat();
    build.func("add", &binary().params, &binary().results, &[], &part(&[op(Op::I64Add), Instr::Return]));
    build.func("mul", &binary().params, &binary().results, &[], &part(&[op(Op::I64Mul), Instr::Return]));
    let reference = Type::Ref(BINARY);
    let apply = [get(0), get(1), get(1), op(Op::StrFromI64), Instr::CallRef(BINARY), Instr::Return];
    build.func("apply", &[reference, Type::I64], &[Type::I64], &[], &apply);
    let pick = |id| Instr::FuncRef(FuncId(id), BINARY);
    let mut run =
        vec![pick(0), get(0), Instr::Call(FuncId(2)), pick(1), get(0), Instr::Call(FuncId(2)), op(Op::I64Sub)];
    run.extend([pick(0), pick(0), Instr::RefEq, pick(0), pick(1), Instr::RefEq, Instr::Return]);
    build.func("run", &[Type::I64], &[Type::I64, Type::Bool, Type::Bool], &[], &run);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.compiled.func_refs, [(FuncId(0), BINARY), (FuncId(1), BINARY)]);
        assert_eq!(vm.run("run", &[12345]), End::Done);
        assert_eq!([0, 1, 2].map(|at| vm.value(at)), [(12350i64 - 12345 * 5) as u64, 1, 0]);
    }
}

fn device() -> Build {
    let mut build = Build::new();
    let set = vec![
        instruction(1, "note", &[Type::Str, Type::F32], None),
        instruction(2, "ask", &[Type::V128], Some(&[Type::V128, Type::Str])),
        instruction(3, "check", &[Type::I32], Some(&[])),
    ];
    build.uses("test.other", vec![instruction(9, "x", &[], None)], vec![]);
    build.uses("test.device", set, vec![]);
    let cap = |instructions: &[u8]| TypeDef::Cap(CapDef { isa: IsaId(1), instructions: instructions.to_vec() });
    build.module.types = vec![cap(&[1, 2, 3]), cap(&[1, 3])];
    build.literal("hello");
    build
}

#[test]
fn capabilities_are_values() {
    let mut build = device();
    let (all, some) = (TypeId(0), TypeId(1));
    let target = UseId(1);
    // note(c): c.note(str(n), 1.5); try c.check(7) -> status
    let note = [get(0), get(1), op(Op::StrFromI32), Instr::F32Const(0x3fc0_0000)];
    let mut writer = Writer::default();
    note.iter().for_each(|instr| writer.push(*instr));
    writer.send_to_set(some, 1, &[]);
    for instr in [get(0), Instr::I32Const(7), Instr::TryTo(some, 3), Instr::Return] {
        writer.push(instr);
    }
    build.func_bytes("note", &[Type::Ref(some), Type::I32], &[Type::I32], &[], writer.bytes);
    // run: c = attenuate(device); note(device, 1); note(c, 2); flush(c); revoke(c); the statuses
    let mut writer = Writer::default();
    assign(&mut writer, &[Instr::Cap(target, all), Instr::Attenuate(some)], 0);
    assign(&mut writer, &[Instr::Cap(target, all), Instr::I32Const(1), Instr::Call(FuncId(0))], 1);
    assign(&mut writer, &[get(0), Instr::I32Const(2), Instr::Call(FuncId(0))], 2);
    for instr in [get(0), Instr::FlushCap, get(0), Instr::Revoke, get(1), get(2), Instr::Return] {
        writer.push(instr);
    }
    build.func_bytes("run", &[], &[Type::I32, Type::I32], &[Type::Ref(some), Type::I32, Type::I32], writer.bytes);
    // ask(low, high) -> (lanes, text), and by try
    let question = [Instr::Cap(target, all), get(0), get(1), op(Op::V128FromI64s)];
    let mut writer = Writer::default();
    question.iter().for_each(|instr| writer.push(*instr));
    writer.try_to_set(all, 2, &[Some(LocalId(2)), Some(LocalId(3)), Some(LocalId(4))]);
    question.iter().for_each(|instr| writer.push(*instr));
    writer.send_to_set(all, 2, &[Some(LocalId(3)), None]);
    for instr in [get(2), get(3), get(4), Instr::Return] {
        writer.push(instr);
    }
    let results = [Type::I32, Type::V128, Type::Str];
    build.func_bytes("ask", &[Type::I64, Type::I64], &results, &results, writer.bytes);
    for options in all_options().into_iter().filter(|options| options.cpu.sse41) {
        let mut vm = Vm::with(build.module.clone(), &options);
        let mut status = 0;
        vm.device = Box::new(move |(_, words, _)| {
            status += 1;
            match words[words.len() - 2] as u8 {
                3 => (status, vec![]),
                _ => {
                    (0, vec![Reply::Wide([words[words.len() - 1], words[words.len() - 2]]), Reply::Str("text".into())])
                }
            }
        });
        assert_eq!(vm.run("run", &[]), End::Done);
        assert_eq!([vm.value(0), vm.value(1)], [1, 2]);
        assert_eq!(vm.revoked, [3]);
        let slots: Vec<u32> = vm.sent.iter().map(|sent| sent.0).collect();
        assert_eq!(slots, [1, 3]);
        assert_eq!(vm.sent[0].1[1..4], [1, u64::from(b'1'), 0x3fc0_0000]);
        vm.device = Box::new(|(_, words, _)| {
            let at = words.len() - 3;
            assert_eq!(words[at] as u32, 2 | 3 << 16);
            (0, vec![Reply::Wide([words[at + 2], words[at + 1]]), Reply::Str("text".into())])
        });
        assert_eq!(vm.run("ask", &[11, 22]), End::Done);
        assert_eq!([0, 1, 2].map(|at| vm.value(at)), [0, 22, 11]);
        let text = vm.value(3);
        assert_eq!(vm.text(text), "text");
    }
}

#[test]
fn programs_use_their_own_set_and_are_run_elsewhere() {
    let mut build = device();
    // plot(n, text): own.note(text, 2.0); own.check(n); return own.try check(n)
    let mut writer = Writer::default();
    for instr in [get(1), Instr::F32Const(0x4000_0000)] {
        writer.push(instr);
    }
    writer.own_set(1, &[]);
    writer.push(get(0));
    writer.own_set(3, &[]);
    for instr in [get(0), Instr::OwnTry(3), Instr::Return] {
        writer.push(instr);
    }
    let plot = build.func_bytes("plot", &[Type::I32, Type::Str], &[Type::I32], &[], writer.bytes);
    build.module.exports.clear();
    build.module.programs.push(Program { name: "plot".into(), isa: IsaId(1), func: plot });
    let mut writer = Writer::default();
    let args = [get(0), Instr::StrConst(il::StrId(0))];
    args.iter().for_each(|instr| writer.push(*instr));
    writer.run_set(UseId(1), ProgramId(0), &[Some(LocalId(1))]);
    args.iter().for_each(|instr| writer.push(*instr));
    writer.run_try_set(UseId(1), ProgramId(0), &[Some(LocalId(2)), Some(LocalId(0))]);
    for instr in [get(1), get(2), get(0), Instr::Return] {
        writer.push(instr);
    }
    build.func_bytes("run", &[Type::I32], &[Type::I32; 3], &[Type::I32; 2], writer.bytes);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.run("run", &[5]), End::Done);
        assert_eq!([0, 1, 2].map(|at| vm.value(at)), [101, 0, 101]);
        let runs: Vec<_> = vm.elsewhere.drain(..).map(|(exit, args, values)| (exit, args, values[0])).collect();
        assert_eq!(runs, [(Exit::Run, [1, 0], 5), (Exit::Run, [1, 0], 5)]);
        let text = vm.new_str("abc");
        assert_eq!(vm.enter(plot, &[8, text]), End::Done);
        assert_eq!(vm.value(0), 0);
        let own: Vec<_> = vm.elsewhere.drain(..).collect();
        let calls: Vec<_> = own.iter().map(|(exit, args, _)| (*exit, *args)).collect();
        assert_eq!(calls, [(Exit::Own, [1, 1]), (Exit::Own, [1, 3]), (Exit::Own, [1, 3])]);
        assert_eq!((own[0].2[1], own[1].2[0]), (0x4000_0000, 8));
        vm.flush_status = 4;
        let text = vm.new_str("abc");
        let slot = compiler::abi::OWN_SLOT;
        assert_eq!(vm.enter(plot, &[8, text]), End::Device { slot, opcode: 1, status: 4 });
        assert_eq!(vm.run("run", &[5]), End::Device { slot: 1, opcode: compiler::abi::RUN_OPCODE, status: 4 });
    }
}

#[test]
fn small_functions_stand_in_the_place_of_their_calls() {
    let source = r#"module small
struct Pair { a: f64, b: i32 }
global mut scale: f64 = 2.0
const HALF = 0.5
func half(x: f64) -> f64 { return x * HALF }
func pick(first: bool, p: Pair, q: Pair) -> f64 { return 1.0 * if first && p.b > 3 { p.a } else { q.a } }
func mid(a: i32, b: i32) -> i32 { let sum = a + b  return sum / 2 }
func scaled(x: f64) -> f64 { let y = x * scale  return y - x }
func risky(a: i32, b: i32) -> i32 { return a / b }
func both(a: i32) -> (i32, i32) { return (a + 1, a - 1) }
export func run(n: i32) -> f64 {
  let p = new Pair { a: half(f64(n)), b: n }
  let q = new Pair { a: 100.0, b: mid(n, 3) }
  let (up, down) = both(n)
  return pick(n > 2, p, q) + scaled(half(f64(q.b))) + f64(up * down) + f64(risky(n, 1)) + f64(len(str(n)))
}
export func nan(n: i32) -> i64 { return i64_bits(-half(half(0.0 / f64(n)))) }
"#;
    let module = support::text(source);
    let expected = |n: i32| {
        let picked = if n > 3 { f64::from(n) * 0.5 } else { 100.0 };
        let half = f64::from((n + 3) / 2) * 0.5;
        picked + half + f64::from((n + 1) * (n - 1)) + f64::from(n) + n.to_string().len() as f64
    };
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        for n in [0, 3, 4, 17] {
            assert_eq!(vm.eval("run", &[n as u64]).map(f64::from_bits), Ok(expected(n)), "{n} {options:?}");
        }
        assert_eq!(vm.eval("nan", &[0]), Ok(0xfff8 << 48));
        let called = |id| {
            let target = compiler::Symbol::Func(FuncId(id));
            vm.compiled.relocations.iter().any(|relocation| relocation.target == target)
        };
        let speed = options.opt == compiler::Opt::Speed;
        let calls: Vec<bool> = (0..6).map(called).collect();
        let small = !speed;
        assert_eq!(calls, [small, small, small, small, true, small], "only what may trap is called, {options:?}");
    }
}
