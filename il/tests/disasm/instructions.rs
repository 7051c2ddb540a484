//! Every operator and every instruction comes back as it was.

use std::collections::BTreeSet;

use il::instr::{Instr, Reader, TABLE, Writer};
use il::op::{Immediate, Op};
use il::{
    DataId, FieldId, Func, FuncId, GlobalId, LocalId, MemoryId, Module, ProgramId, ProvidedId, StrId, Type, UseId,
};

use super::again;
use super::built::{DEVICE, LESS, LIST, NAMED, POINT, VAR_LIST, def, exact, listing, objects, pair};
use super::common::{Code, code, func};

/// A value of a type, given to an operator: a parameter or a literal.
fn literal(code: Code, ty: Type) -> Option<Code> {
    match ty {
        Type::I32 => Some(code.i32(-7)),
        Type::I64 => Some(code.i64(7)),
        Type::F32 => Some(code.put(Instr::F32Const(1.5f32.to_bits()))),
        Type::F64 => Some(code.put(Instr::F64Const((-0.25f64).to_bits()))),
        Type::Bool => Some(code.yes()),
        _ => None,
    }
}

#[test]
fn every_operator_survives_with_locals_and_with_literals() {
    let mut module = objects();
    let first = module.funcs.len();
    for info in Op::TABLE {
        let immediate = Immediate {
            offset: if info.form.has_offset() { 24 } else { 0 },
            lane: info.form.lanes().map_or(0, |lanes| lanes - 1),
            ..Immediate::default()
        };
        let results: Vec<Type> = info.result.into_iter().collect();
        let mut add_with = |code: Code, immediate| {
            let code = code.put(Instr::Op(info.op, immediate));
            let code = if info.result.is_some() { code.ret() } else { code };
            module.funcs.push(func(info.params, &results, &[], code));
        };
        let plain = (0..info.params.len() as u32).fold(code(), Code::get);
        if info.op.touches_memory() {
            add_with(plain.clone(), Immediate { memory: MemoryId(1), ..immediate });
        }
        if info.op == Op::MemoryCopy {
            add_with(plain.clone(), Immediate { from: MemoryId(1), ..immediate });
        }
        let mut add = |code: Code| add_with(code, immediate);
        add(plain);
        // Each operand a literal in turn, then all of them.
        let count = info.params.len();
        for literals in (0..count).map(|at| 1 << at).chain([(1u32 << count) - 1]) {
            let operand = |code: Option<Code>, (at, ty): (usize, &Type)| match literals & (1 << at) {
                0 => code.map(|code| code.get(at as u32)),
                _ => code.and_then(|code| literal(code, *ty)),
            };
            if let Some(code) = info.params.iter().enumerate().fold(Some(code()), operand) {
                add(code);
            }
        }
    }
    let (text, second) = again(&module);
    assert_eq!(module.funcs.len(), second.funcs.len());
    for (one, two) in module.funcs.iter().zip(&second.funcs).skip(first) {
        assert_eq!(listing(&module, one), listing(&second, two), "{text}");
    }
}

/// Names of the instructions of a body.
fn kinds(body: &[u8], found: &mut BTreeSet<String>) {
    let mut reader = Reader::new(body);
    while let Some(instr) = reader.next().unwrap() {
        let name = format!("{instr:?}");
        found.insert(name.split('(').next().unwrap().to_owned());
    }
}

/// Parameters, results, locals and code of a function.
type Case = (Vec<Type>, Vec<Type>, Vec<Type>, Code);

fn case(params: &[Type], results: &[Type], locals: &[Type], code: Code) -> Case {
    (params.to_vec(), results.to_vec(), locals.to_vec(), code)
}

pub const NONE: &[Type] = &[];
pub const OPT_POINT: Type = Type::Opt(def::POINT);
pub const OPT_NAMED: Type = Type::Opt(def::NAMED);

pub fn null(ty: Type) -> Instr<'static> {
    Instr::Null(ty)
}

/// Functions over objects that come back as they were.
fn object_cases() -> Vec<Case> {
    vec![
        case(&[Type::Str], &[POINT], NONE, {
            let fields = code().i32(1).i64(2).put(null(Type::OptBuf)).i32(255).get(0);
            fields.put(Instr::StructNew(def::NAMED)).ret()
        }),
        case(&[NAMED], &[Type::I64], NONE, code().get(0).put(Instr::FieldGet(def::NAMED, FieldId(1))).ret()),
        // A field by the parent's definition takes a cast that does nothing.
        case(&[NAMED], &[Type::I64], NONE, code().get(0).put(Instr::FieldGet(def::POINT, FieldId(1))).ret()),
        case(&[POINT], &[Type::OptBuf], NONE, code().get(0).put(Instr::FieldTake(def::POINT, FieldId(2))).ret()),
        case(&[POINT, Type::Buf], &[], NONE, {
            let code = code().get(0).i32(300).put(Instr::FieldSet(def::POINT, FieldId(3)));
            code.get(0).take(1).put(Instr::FieldSet(def::POINT, FieldId(2)))
        }),
        case(&[Type::I32], &[LIST], NONE, code().get(0).i32(7).put(Instr::ArrayNew(def::LIST)).ret()),
        case(NONE, &[VAR_LIST], NONE, code().i32(1).i32(2).put(Instr::ArrayOf(def::VAR_LIST, 2)).ret()),
        case(NONE, &[Type::Any], NONE, code().i32(1).i32(2).put(Instr::ArrayOf(def::VAR_LIST, 2)).ret()),
        case(NONE, &[Type::I32], NONE, code().i32(1).put(Instr::ArrayOf(def::BYTES, 1)).put(Instr::ArrayLen).ret()),
        case(NONE, &[Type::Any], NONE, code().put(Instr::ArrayOf(def::LIST, 0)).ret()),
        case(&[NAMED, POINT], &[Type::Any], NONE, code().get(0).get(1).put(Instr::ArrayOf(def::POINTS, 2)).ret()),
        case(&[NAMED], &[Type::Any], NONE, code().get(0).put(Instr::ArrayOf(def::POINTS, 1)).ret()),
        case(&[NAMED], &[Type::Ref(def::POINTS)], NONE, code().get(0).put(Instr::ArrayOf(def::NAMEDS, 1)).ret()),
        case(&[LIST], &[Type::I32], NONE, code().get(0).i32(0).put(Instr::ArrayGet(def::LIST)).ret()),
        case(&[Type::Ref(def::NAMEDS)], &[POINT], NONE, code().get(0).i32(0).put(Instr::ArrayGet(def::POINTS)).ret()),
        case(
            &[Type::Ref(def::BUFS)],
            &[Type::OptBuf],
            NONE,
            code().get(0).i32(0).put(Instr::ArrayTake(def::BUFS)).ret(),
        ),
        case(&[VAR_LIST], NONE, NONE, code().get(0).i32(1).i32(2).put(Instr::ArraySet(def::VAR_LIST))),
        case(&[Type::Ref(def::BUFS)], NONE, NONE, {
            code().get(0).i32(1).put(null(Type::OptBuf)).put(Instr::ArraySet(def::BUFS))
        }),
        case(NONE, NONE, NONE, code().put(null(OPT_POINT)).put(Instr::GlobalSet(GlobalId(3)))),
        case(NONE, &[Type::OptBuf], NONE, code().put(Instr::GlobalTake(GlobalId(2))).ret()),
        case(NONE, &[Type::OptAny], NONE, code().put(Instr::GlobalGet(GlobalId(3))).ret()),
    ]
}

/// The same over references and their types.
fn reference_cases() -> Vec<Case> {
    vec![
        case(&[POINT, NAMED], &[Type::Bool], NONE, code().get(0).get(1).put(Instr::RefEq).ret()),
        case(&[OPT_POINT], &[Type::Bool], NONE, code().get(0).put(null(OPT_POINT)).put(Instr::RefNe).ret()),
        case(&[OPT_POINT], &[Type::Bool], NONE, code().put(null(OPT_POINT)).get(0).put(Instr::RefEq).ret()),
        case(&[OPT_POINT], &[Type::Bool], NONE, code().get(0).put(null(OPT_NAMED)).put(Instr::RefEq).ret()),
        case(NONE, &[Type::Bool], NONE, code().put(null(OPT_POINT)).put(null(OPT_POINT)).put(Instr::RefEq).ret()),
        case(&[Type::Any], &[Type::Bool], NONE, code().get(0).put(Instr::Is(NAMED)).op(Op::BoolNot).ret()),
        case(&[Type::OptAny], &[LIST], NONE, code().get(0).put(Instr::As(LIST)).ret()),
        case(&[LESS], &[DEVICE], NONE, code().get(0).put(Instr::As(DEVICE)).ret()),
        case(&[LESS], &[Type::Bool], NONE, code().get(0).put(Instr::Is(DEVICE)).ret()),
        case(&[Type::OptBuf], &[Type::Buf], NONE, code().take(0).put(Instr::As(Type::Buf)).ret()),
        case(&[Type::Str], &[Type::Str], NONE, code().get(0).put(Instr::Freeze).ret()),
        case(NONE, &[LIST], NONE, code().i32(4).put(Instr::ArrayOf(def::LIST, 1)).put(Instr::Freeze).ret()),
        case(&[OPT_POINT], &[POINT], &[POINT], {
            let code = code().get(0).put(Instr::IfAs(POINT, LocalId(1))).get(1).ret();
            code.put(Instr::Else).put(Instr::Trap(StrId(0))).end()
        }),
        case(&[Type::Any], &[Type::I32], &[NAMED, LIST], {
            let code =
                code().get(0).put(Instr::IfAs(NAMED, LocalId(1))).get(1).put(Instr::FieldGet(def::NAMED, FieldId(0)));
            let code =
                code.ret().put(Instr::Else).get(0).put(Instr::IfAs(LIST, LocalId(2))).get(2).put(Instr::ArrayLen);
            code.ret().end().end().i32(0).ret()
        }),
        case(&[Type::Bool, NAMED, POINT], &[Type::Bool], NONE, {
            let code = code().put(Instr::Cond(POINT)).get(0).put(Instr::Test).get(1).put(Instr::Else).get(2).end();
            code.get(2).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool, NAMED], &[Type::Bool], NONE, {
            let code = code().put(Instr::Cond(Type::Any)).get(0).put(Instr::Test).get(1).put(Instr::Else).get(1).end();
            code.get(1).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool], &[Type::Bool], NONE, {
            let code = code().put(Instr::Cond(OPT_POINT)).get(0).put(Instr::Test).put(null(OPT_POINT)).put(Instr::Else);
            code.put(null(OPT_POINT)).end().put(Instr::Is(NAMED)).ret()
        }),
        case(&[Type::Bool], &[Type::I64], NONE, {
            let code = code().put(Instr::Cond(Type::I64)).get(0).put(Instr::Test).i64(1).put(Instr::Else).i64(2).end();
            code.i64(3).op(Op::I64Add).ret()
        }),
    ]
}

/// The same with calls of all kinds.
fn call_cases() -> Vec<Case> {
    let device = UseId(0);
    let with = |mut code: Code, write: &dyn Fn(&mut Writer)| {
        write(code.writer());
        code
    };
    let local = |id| Some(LocalId(id));
    vec![
        case(NONE, &[Type::Ref(def::UNARY)], NONE, code().put(Instr::FuncRef(FuncId(0), def::UNARY)).ret()),
        case(NONE, &[Type::I32], NONE, {
            code().put(Instr::FuncRef(FuncId(0), def::UNARY)).i32(1).put(Instr::CallRef(def::UNARY)).ret()
        }),
        case(&[Type::Ref(def::PAIR)], &[Type::I64], &[Type::I32, Type::I64], {
            with(code().get(0).i32(1), &|code| code.call_ref_set(def::PAIR, &[local(1), local(2)])).get(2).ret()
        }),
        case(NONE, &[Type::I32], NONE, code().i32(3).put(Instr::Call(FuncId(0))).ret()),
        case(NONE, &[Type::I64], &[Type::I64], {
            with(code().i32(3), &|code| code.call_set(pair(), &[None, local(0)])).get(0).ret()
        }),
        case(NONE, &[Type::I32], NONE, code().i32(3).put(Instr::ReturnCall(FuncId(0)))),
        case(&[Type::Ref(def::UNARY)], &[Type::I32], NONE, code().get(0).i32(3).put(Instr::ReturnCallRef(def::UNARY))),
        case(NONE, &[DEVICE], NONE, code().put(Instr::Cap(device, def::DEVICE)).ret()),
        case(NONE, &[Type::Any], NONE, code().put(Instr::Cap(device, def::LESS)).ret()),
        case(NONE, &[LESS], NONE, code().put(Instr::Cap(device, def::DEVICE)).put(Instr::Attenuate(def::LESS)).ret()),
        case(&[DEVICE], &[Type::Any], NONE, code().get(0).put(Instr::Attenuate(def::LESS)).ret()),
        case(&[DEVICE], &[Type::I32], NONE, code().get(0).put(Instr::SendTo(def::DEVICE, 2)).ret()),
        case(&[DEVICE], &[Type::I32], NONE, code().get(0).put(Instr::SendTo(def::LESS, 2)).ret()),
        case(NONE, &[Type::I32], NONE, {
            code().put(Instr::Cap(device, def::DEVICE)).put(Instr::SendTo(def::DEVICE, 2)).ret()
        }),
        case(&[DEVICE], &[Type::I32], NONE, code().get(0).put(Instr::TryTo(def::DEVICE, 4)).ret()),
        case(&[DEVICE], NONE, NONE, with(code().get(0).i32(1), &|code| code.send_to_set(def::DEVICE, 1, &[]))),
        case(&[DEVICE], &[Type::I32], &[Type::I32, Type::I32], {
            let code = with(code().get(0), &|code| code.try_to_set(def::DEVICE, 2, &[local(1), local(2)]));
            code.get(1).get(2).op(Op::I32Add).ret()
        }),
        case(
            &[LESS],
            NONE,
            NONE,
            code().get(0).put(Instr::Revoke).get(0).put(Instr::FlushCap).put(Instr::Flush(device)),
        ),
        case(NONE, NONE, NONE, code().put(Instr::Cap(device, def::LESS)).put(Instr::FlushCap)),
        case(
            NONE,
            &[Type::I32],
            NONE,
            code().put(Instr::Send(device, 2)).put(Instr::Try(device, 4)).op(Op::I32Add).ret(),
        ),
        case(NONE, &[Type::I32], &[Type::I32, Type::I32, Type::I64], {
            let code = code().i32(1).send_set(0, 1, &[]).try_set(0, 3, &[0, 1, 2]).get(0).i32(0).op(Op::I32Ne);
            code.put(Instr::If).get(0).ret().end().get(1).ret()
        }),
        case(NONE, &[Type::I32], &[Type::I32], {
            with(code().i32(9), &|code| code.run_set(device, ProgramId(0), &[local(0)])).get(0).ret()
        }),
        case(NONE, &[Type::I32], &[Type::I32], {
            let code = with(code().i32(9), &|code| code.run_try_set(device, ProgramId(0), &[local(0), None]));
            code.put(Instr::RunSend(device, ProgramId(1))).get(0).ret()
        }),
    ]
}

/// The same with what is left.
fn other_cases() -> Vec<Case> {
    vec![
        case(&[Type::V128], &[Type::V128], NONE, {
            code().get(0).get(0).put(Instr::Shuffle([31, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16])).ret()
        }),
        case(NONE, &[Type::F32, Type::F32, Type::F64], NONE, {
            let code = code().put(Instr::F32Const(0x7fc0_0001)).put(Instr::F32Const(0xff80_0000));
            code.put(Instr::F64Const(0x7ff8_0000_0000_0001)).ret()
        }),
        case(
            &[Type::Bool],
            NONE,
            NONE,
            code().get(0).put(Instr::Assert(StrId(0))).put(Instr::Wait).put(Instr::WaitForever),
        ),
        case(NONE, &[Type::Bool], NONE, code().str(0).op(Op::StrLen).discard().yes().op(Op::BoolNot).ret()),
        case(&[Type::I64], &[Type::I32], NONE, {
            let code = code().get(0).put(Instr::Switch).arm(&[1, -2]).i32(1).ret().put(Instr::Default).end();
            code.i64(1).put(Instr::GlobalGet(GlobalId(0))).op(Op::I64FromI32S).op(Op::I64Shl).discard().i32(2).ret()
        }),
        case(&[Type::I32], NONE, &[Type::I32, Type::I64], {
            let code = code().i32(0).get(0).put(Instr::For(LocalId(1))).put(Instr::Loop).get(1).i32(3).op(Op::I32Eq);
            let code = code.put(Instr::If).put(Instr::Continue(1)).end().put(Instr::Break(0)).end().end();
            let code = code.i64(1).set(2).put(Instr::While).get(2).i64(9).op(Op::I64LtS).put(Instr::Test);
            code.get(2).i64(1).op(Op::I64Add).set(2).end()
        }),
    ]
}

/// The same with blocks, choices, memories and segments.
fn format_4_cases() -> Vec<Case> {
    let choose = |code: Code, ty| code.put(Instr::Select(ty));
    vec![
        case(&[Type::Bool], &[Type::I32], NONE, choose(code().i32(1).i32(2).get(0), Type::I32).ret()),
        case(&[Type::Bool], &[Type::I64], NONE, choose(code().i64(1).i64(2).get(0), Type::I64).ret()),
        case(&[Type::Bool], &[Type::Bool], NONE, {
            choose(code().i64(1).i64(2).get(0), Type::I64).i64(3).op(Op::I64Eq).ret()
        }),
        case(&[Type::Bool, Type::F32], &[Type::F32], NONE, {
            choose(code().put(Instr::F32Const(0)).get(1).get(0), Type::F32).op(Op::F32Neg).ret()
        }),
        case(&[Type::Bool, Type::I64], NONE, &[Type::I64, Type::I64, Type::F32], {
            let code = choose(choose(code().i64(1).i64(2).get(0), Type::I64).i64(-3).get(0), Type::I64).set(2);
            let code = choose(code.get(1).i64(2).get(1).i64(9).op(Op::I64LtS), Type::I64).set(3);
            choose(code.put(Instr::F32Const(0)).put(Instr::F32Const(1)).get(0), Type::F32).set(4)
        }),
        case(&[Type::Bool, Type::Str], &[Type::Str], NONE, choose(code().str(0).get(1).get(0), Type::Str).ret()),
        case(&[Type::Bool, NAMED, POINT], &[Type::Any], NONE, choose(code().get(1).get(2).get(0), POINT).ret()),
        case(&[Type::Bool, NAMED, POINT], &[Type::Bool], NONE, {
            choose(code().get(1).get(2).get(0), POINT).get(2).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool, NAMED], &[Type::Bool], NONE, {
            choose(code().get(1).get(1).get(0), Type::Any).get(1).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool, NAMED], &[Type::I32], &[POINT], {
            let code = choose(code().get(1).get(1).get(0), POINT).set(2);
            choose(code.get(1).get(1).get(0), POINT).put(Instr::FieldGet(def::POINT, FieldId(0))).ret()
        }),
        case(&[Type::Bool, NAMED], &[OPT_POINT], NONE, {
            choose(code().put(null(OPT_POINT)).get(1).get(0), OPT_POINT).ret()
        }),
        case(&[Type::Bool], &[Type::Bool], NONE, {
            choose(code().put(null(OPT_POINT)).put(null(OPT_POINT)).get(0), OPT_POINT).put(Instr::Is(NAMED)).ret()
        }),
        case(&[LESS, Type::Bool], &[Type::Any], NONE, choose(code().get(0).get(0).get(1), LESS).ret()),
        case(&[Type::Bool], NONE, NONE, {
            let cap = Instr::Cap(UseId(0), def::LESS);
            choose(code().put(cap).put(cap).get(0), LESS).put(Instr::FlushCap)
        }),
        // Blocks and loops inside one another, left and repeated from the innermost one.
        case(&[Type::Bool], NONE, NONE, {
            let nested = code().put(Instr::Block).put(Instr::Loop).put(Instr::Block).put(Instr::Loop).put(Instr::Block);
            let leave = |code: Code, jump| code.get(0).put(Instr::If).put(jump).end();
            let jumps = (0..5).map(Instr::Break).chain([Instr::Continue(1), Instr::Continue(3)]);
            (0..5).fold(jumps.fold(nested, leave), |code, _| code.end())
        }),
        case(&[Type::I32], &[Type::I32], NONE, {
            let code = code().put(Instr::Block).get(0).put(Instr::Switch).arm(&[1]).put(Instr::Break(0));
            code.put(Instr::Default).get(0).put(Instr::Exit).end().end().i32(7).ret()
        }),
        case(NONE, &[Type::I32], NONE, code().put(Instr::Block).i32(300).put(Instr::Exit).end()),
        case(&[Type::I32], NONE, NONE, {
            let init = |code: Code, data, memory| {
                code.get(0).i32(0).i32(2).put(Instr::MemoryInit(DataId(data), MemoryId(memory)))
            };
            let code = init(init(init(code(), 0, 1), 1, 0), 2, 1);
            code.put(Instr::DataDrop(DataId(1))).put(Instr::DataDrop(DataId(2)))
        }),
    ]
}

/// Puts a body into the place of one of the functions of [`objects`]; its listings before and after.
#[track_caller]
fn replaced(at: FuncId, replacement: Func, find: impl Fn(&Module) -> FuncId, found: &mut BTreeSet<String>) {
    kinds(&replacement.body, found);
    let mut module = objects();
    let pure = module.funcs[at.index()].pure;
    module.funcs[at.index()] = Func { pure, ..replacement };
    let before = listing(&module, &module.funcs[at.index()]);
    let (text, second) = again(&module);
    assert_eq!(before, listing(&second, &second.funcs[find(&second).index()]), "{text}");
}

#[test]
fn every_instruction_survives() {
    let mut found = BTreeSet::new();
    let cases = [object_cases(), reference_cases(), call_cases(), other_cases(), format_4_cases()];
    for (params, results, locals, code) in cases.concat() {
        kinds(&code.clone().bytes(), &mut found);
        exact(&params, &results, &locals, code);
    }
    // What stands only in programs and ops.
    let mut tried = code();
    tried.writer().own_try_set(2, &[None, Some(LocalId(1))]);
    let mut sent = code().get(0);
    sent.writer().own_set(1, &[]);
    let sum = code().put(Instr::Own(2)).put(Instr::OwnTry(4)).op(Op::I32Add).ret();
    let program = |module: &Module| module.programs[0].func;
    for (locals, body) in [(NONE, sum), (&[Type::I32], tried.get(1).ret()), (NONE, sent.get(0).ret())] {
        let body = func(&[Type::I32], &[Type::I32], locals, body);
        replaced(program(&objects()), body, program, &mut found);
    }
    let answer = code().put(Instr::Caller).i32(0).op(Op::I32Eq).put(Instr::If).i32(2).put(Instr::Fail).end();
    let answer = func(
        &[],
        &[Type::I32],
        &[],
        answer
            .i64(1)
            .put(Instr::Emit(ProvidedId(0), 1))
            .i64(2)
            .put(Instr::Caller)
            .put(Instr::EmitTo(ProvidedId(0), 1))
            .i32(1)
            .ret(),
    );
    let op = |module: &Module| module.provides[0].ops[1];
    replaced(op(&objects()), answer, op, &mut found);
    let forwards = code().put(Instr::Caller).i32(0).op(Op::I32Eq).put(Instr::If).put(Instr::Forward(UseId(0), 2)).end();
    let cap = Instr::Cap(UseId(0), def::DEVICE);
    let forwards = func(&[], &[Type::I32], &[], forwards.put(cap).put(Instr::ForwardTo(def::DEVICE, 2)));
    replaced(op(&objects()), forwards, op, &mut found);

    let missing: Vec<&str> = TABLE.iter().map(|info| info.name).filter(|name| !found.contains(*name)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}
