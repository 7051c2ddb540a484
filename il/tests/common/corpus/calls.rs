//! Calls, device instructions, capabilities, programs, purity, and statements that only some functions have.

use il::instr::Instr;
use il::op::Op;
use il::verify::Violation;
use il::{FuncId, GlobalId, IsaId, LocalId, ProgramId, ProvidedId, StrId, Type, TypeId, UseId};

use super::super::{Code, code};
use super::world::*;
use super::{Corpus, Role, append, cond, mismatch};

const I32: Type = Type::I32;
const I64: Type = Type::I64;
const BOOL: Type = Type::Bool;
const BUF: Type = Type::Buf;
const REF: Type = Type::BufRef;

fn missing(what: &'static str, index: u32, count: usize) -> Violation {
    Violation::NoSuch { what, index, count }
}

fn int() -> (Type, Code) {
    (I32, code().i32(1))
}

fn count(expected: usize, found: usize) -> Violation {
    Violation::DestCount { expected, found }
}

fn wrong(expected: &'static str, found: TypeId) -> Violation {
    Violation::WrongKind { expected, found }
}

/// All of them.
pub fn all(c: &mut Corpus) {
    statements(c);
    constructs(c);
    calls(c);
    calls_by_reference(c);
    tail_calls(c);
    capabilities(c);
    device_instructions(c);
    sending_to_values(c);
    own_instructions(c);
    running(c);
    purity(c);
    ops(c);
    forwarding(c);
}

/// Plain statements take what they take, and stand where statements stand.
fn statements(c: &mut Corpus) {
    let why = StrId(0);
    c.world(&[BOOL, I64], &[], &[I32, I64])
        .statement(&[int()], code().set(2))
        .refuses(code().set(2), Violation::MissingOperand(I32))
        .statement(&[int()], code().put(Instr::GlobalSet(GlobalId(0))))
        .statement(&[(BOOL, code().get(0))], code().put(Instr::Assert(why)))
        .statement(&[], code().put(Instr::Trap(why)))
        .statement(&[], code().put(Instr::Wait))
        .statement(&[], code().put(Instr::WaitForever))
        .statement(&[], code().put(Instr::Flush(UseId(0))))
        .statement(&[(I32, code().i32(1)), int()], code().op(Op::Store32))
        .refuses(code().yes().get(1).op(Op::Store32), mismatch(I32, I64))
        .refuses(code().i32(1).put(Instr::Call(FuncId(0))).i32(1).set(2), Violation::LeftOver(1));
    c.world(&[], &[I32, I64], &[]).statement(&[int(), (I64, code().i64(1))], code().ret());
    c.world(&[REF], &[], &[]).refuses(code().get(0).discard(), mismatch(BUF, REF));
}

fn constructs(c: &mut Corpus) {
    let (i64s, one) = ((I64, code().i64(1)), || code().i32(1));
    let switch = || one().put(Instr::Switch).arm(&[1]);
    let looped = |body: Code| append(code().put(Instr::Loop), body);
    let left = || Violation::LeftOver(1);
    c.world(&[BOOL], &[], &[I32, I64, Type::Str])
        .statement(&[(BOOL, code().get(0))], code().put(Instr::If).end())
        .statement(&[int(), int()], code().put(Instr::For(LocalId(1))).end())
        .statement(&[i64s.clone(), i64s], code().put(Instr::For(LocalId(2))).end())
        .refuses(append(one(), code().put(Instr::While)), left())
        .refuses(code().yes().put(Instr::While).put(Instr::Test).end(), left())
        .refuses(code().put(Instr::While).put(Instr::While), Violation::StatementInTree)
        .refuses(code().put(Instr::While).yes().yes().put(Instr::Test), left())
        .refuses(code().i32(1).yes().put(Instr::If).set(1).end(), left())
        .refuses(code().i32(1).str(0).put(Instr::IfAs(Type::Str, LocalId(3))).set(1).end(), left())
        .refuses(code().i32(1).i32(0).i32(1).put(Instr::For(LocalId(1))).set(1).end(), left())
        .refuses(code().i32(1).put(Instr::Loop).set(1).put(Instr::Break(0)).end(), left())
        .refuses(code().i32(1).i32(1).put(Instr::Switch), left())
        .refuses(append(switch(), one()).arm(&[2]).set(1).end(), left())
        .refuses(append(switch(), one()).put(Instr::Default).set(1).end(), left())
        .refuses(append(looped(code()), one()).put(Instr::Break(0)), left())
        .refuses(append(looped(code()), one()).put(Instr::Continue(0)), left())
        .refuses(code().put(Instr::Cond(I32)).yes().yes().put(Instr::Test), left())
        .refuses(code().put(Instr::Cond(I32)).yes().put(Instr::Test).i32(1).i32(1).put(Instr::Else), left())
        .refuses(cond(I32, code().yes(), one(), one().i32(1)).op(Op::I32Add).set(1), left())
        .refuses(append(one(), switch()).end(), left())
        .refuses(append(code().put(Instr::While), switch()), Violation::StatementInTree)
        .refuses(code().put(Instr::Switch), Violation::MissingOperand(I32))
        .refuses(code().yes().put(Instr::Switch).end(), Violation::NotAnInteger(BOOL))
        .refuses(append(switch(), one()).arm(&[2]).end(), left())
        .refuses(append(switch(), one()).put(Instr::Default).end(), left())
        .refuses(append(switch(), one()).end(), left())
        .refuses(append(switch().put(Instr::Default), one()).end(), left())
        .refuses(append(switch().put(Instr::Default), one()).end(), left())
        .refuses(switch().arm(&[1]).put(Instr::Default).end(), Violation::ArmTwice(1))
        .refuses(switch().arm(&[1]).end(), Violation::ArmTwice(1))
        .refuses(append(code().get(0).put(Instr::If), one()).put(Instr::Else).set(1).end(), left())
        .refuses(append(code().get(0).put(Instr::If).put(Instr::Else), one()).end(), left())
        .refuses(append(looped(code()), one()).end(), left())
        .refuses(append(looped(code()), one()).put(Instr::Break(0)).end(), left())
        .refuses(append(looped(code()), one()).put(Instr::Continue(0)).end(), left())
        .refuses(append(looped(code()), code().put(Instr::While)).put(Instr::Break(0)), Violation::StatementInTree)
        .refuses(append(looped(code()), code().put(Instr::While)).put(Instr::Continue(0)), Violation::StatementInTree)
        .refuses(looped(code()).put(Instr::Break(1)).end(), Violation::NoLoop { depth: 1, loops: 1 })
        .refuses(looped(code()).put(Instr::Continue(1)).end(), Violation::NoLoop { depth: 1, loops: 1 })
        .refuses(code().put(Instr::While).i32(1).put(Instr::Test).end(), mismatch(BOOL, I32))
        .refuses(code().put(Instr::While).put(Instr::Test).end(), Violation::MissingOperand(BOOL))
        .refuses(code().put(Instr::While).yes().yes().put(Instr::Test).end(), left())
        .refuses(cond(I32, code(), one(), one()).set(1), Violation::MissingOperand(BOOL))
        .refuses(cond(I32, code().yes().yes(), one(), one()).set(1), left())
        .refuses(cond(I32, code().yes(), one(), one().i32(1)).set(1), left())
        .refuses(cond(I32, code().yes(), one(), code()).set(1), Violation::MissingOperand(I32))
        .refuses(cond(I32, code().yes(), one(), one()).set(2), mismatch(I64, I32))
        .refuses(code().put(Instr::Cond(I32)).end(), Violation::Unfinished)
        .refuses(code().put(Instr::Cond(I32)).yes().put(Instr::Test).end(), Violation::Unfinished);
}

fn calls(c: &mut Corpus) {
    let bufs = || [(REF, code().get(1)), (BUF, code().take(2))];
    let (a, b) = (LocalId(3), 4);
    c.world(&[I32, REF, BUF], &[], &[I32, I64, REF])
        .refuses(code(), Violation::TypeNotAllowed { place: "a local", ty: REF });
    c.world(&[I32, REF, BUF], &[], &[I32, I64])
        .tree(&[int()], Instr::Call(FuncId(0)), I32)
        .statement(&[int()], code().call_set(0, &[3]))
        .statement(&bufs(), code().call_set(1, &[]))
        .accepts(code().call_set(3, &[3, b]))
        .refuses(code().call_set(3, &[3]), count(2, 1))
        .refuses(code().call_set(3, &[b, 3]), mismatch(I64, I32))
        .refuses(code().i32(1).call_set(0, &[9]), missing("local", 9, 5))
        .refuses(code().i32(1).call_set(0, &[1]), Violation::NotOwned(LocalId(1)))
        .refuses(code().put(Instr::Call(FuncId(3))), Violation::NotOneResult { name: "func 3".into(), results: 2 })
        .refuses(code().put(Instr::Call(FuncId(8))), Violation::CallsEntry("func 8".into()))
        .refuses(code().i32(1).call_set(4, &[3]), Violation::CallsEntry("func 4".into()))
        .refuses(code().call_set(10, &[]), missing("function", 10, 10))
        .refuses(code().i32(1).i32(2).set_all(&[Some(a), Some(a)]), Violation::DestTwice(a));
}

fn calls_by_reference(c: &mut Corpus) {
    let f = |ty: TypeId, id| (Type::Ref(ty), code().get(id));
    let (two, fn_type) = (|| code().get(2), "a function type");
    c.world(&[Type::Ref(F_INT), Type::Ref(F_BUFS), Type::Ref(F_TWO), REF, BUF], &[], &[I32, I64])
        .tree(&[f(F_INT, 0), int()], Instr::CallRef(F_INT), I32)
        .statement(&[f(F_INT, 0), int()], code().call_ref_set(F_INT.0, &[5]))
        .statement(&[f(F_BUFS, 1), (REF, code().get(3)), (BUF, code().take(4))], code().call_ref_set(F_BUFS.0, &[]))
        .accepts(two().call_ref_set(F_TWO.0, &[5, 6]))
        .refuses(two().call_ref_set(F_TWO.0, &[5]), count(2, 1))
        .refuses(two().call_ref_set(F_TWO.0, &[6, 5]), mismatch(I64, I32))
        .refuses(two().call_ref_set(F_TWO.0, &[5, 5]), mismatch(I32, I64))
        .refuses(code().get(0).i32(1).call_ref_set(F_INT.0, &[3]), Violation::NotOwned(LocalId(3)))
        .refuses(code().get(0).i32(1).call_ref_set(F_INT.0, &[9]), missing("local", 9, 7))
        .refuses(
            two().put(Instr::CallRef(F_TWO)),
            Violation::NotOneResult { name: "func() -> (i32, i64)".into(), results: 2 },
        )
        .refuses(code().put(Instr::CallRef(INTS)), wrong(fn_type, INTS))
        .refuses(code().call_ref_set(INTS.0, &[]), wrong(fn_type, INTS))
        .refuses(code().put(Instr::ReturnCallRef(INTS)), wrong(fn_type, INTS));
}

fn tail_calls(c: &mut Corpus) {
    let call = |id| code().put(Instr::ReturnCall(FuncId(id)));
    let tail = |expected, found| Violation::TailResults { expected, found };
    c.world(&[Type::Ref(F_INT)], &[I32], &[])
        .statement(&[int()], call(0))
        .statement(&[(Type::Ref(F_INT), code().get(0)), int()], code().put(Instr::ReturnCallRef(F_INT)))
        .refuses(call(3), tail(1, 2))
        .refuses(call(1), tail(1, 0))
        .refuses(code().put(Instr::ReturnCallRef(F_TWO)), tail(1, 2))
        .refuses(call(4), Violation::CallsEntry("func 4".into()))
        .refuses(call(99), missing("function", 99, 10))
        .refuses(append(code().i32(1), call(0)).put(Instr::Wait), Violation::AfterTerminator);
    c.world(&[Type::Ref(F_INT)], &[I64], &[])
        .refuses(append(code().i32(1), call(0)), mismatch(I64, I32))
        .refuses(code().get(0).i32(1).put(Instr::ReturnCallRef(F_INT)), mismatch(I64, I32));
    c.world(&[REF, BUF, BUF, Type::Ref(F_BUFS)], &[], &[])
        .accepts(append(code().get(0).take(1), call(1)))
        .refuses(append(code().get(2).take(1), call(1)), Violation::TailBorrows(LocalId(2)))
        .accepts(code().get(3).get(0).take(1).put(Instr::ReturnCallRef(F_BUFS)))
        .refuses(code().get(3).get(2).take(1).put(Instr::ReturnCallRef(F_BUFS)), Violation::TailBorrows(LocalId(2)));
}

fn capabilities(c: &mut Corpus) {
    let cap = |ty, id| (Type::Ref(ty), code().get(id));
    let other = |expected, found| Violation::OtherSet { expected: IsaId(expected), found: IsaId(found) };
    let no_cap = |ty| Violation::NotACapability(ty);
    c.world(&[Type::Ref(CAP), Type::Ref(LESS), Type::Opt(CAP), Type::Ref(INTS)], &[], &[])
        .tree(&[], Instr::Cap(UseId(0), CAP), Type::Ref(CAP))
        .tree(&[], Instr::Cap(UseId(0), LESS), Type::Ref(LESS))
        .tree(&[], Instr::Cap(UseId(1), CAP_OTHER), Type::Ref(CAP_OTHER))
        .refuses(code().put(Instr::Cap(UseId(1), CAP)).discard(), other(1, 0))
        .refuses(code().put(Instr::Cap(UseId(2), CAP)).discard(), missing("capability", 2, 2))
        .refuses(code().put(Instr::Cap(UseId(0), INTS)).discard(), wrong("a capability", INTS))
        .tree(&[cap(LESS, 0)], Instr::Attenuate(LESS), Type::Ref(LESS))
        .refuses(code().get(1).put(Instr::Attenuate(CAP)).discard(), mismatch(Type::Ref(CAP), Type::Ref(LESS)))
        .refuses(code().get(3).put(Instr::Attenuate(INTS)).discard(), wrong("a capability", INTS));
    for instr in [Instr::Revoke, Instr::FlushCap] {
        c.world(&[Type::Ref(CAP), Type::Opt(CAP), Type::Ref(INTS)], &[], &[])
            .accepts(code().get(0).put(instr))
            .refuses(code().get(1).put(instr), no_cap(Type::Opt(CAP)))
            .refuses(code().get(2).put(instr), no_cap(Type::Ref(INTS)))
            .refuses(code().i32(1).put(instr), no_cap(I32))
            .refuses(code().put(instr), Violation::MissingOperand(Type::Any))
            .refuses(code().i32(1).get(0).put(instr), Violation::LeftOver(1))
            .refuses(code().put(Instr::While).get(0).put(instr), Violation::StatementInTree);
    }
    c.world(&[], &[], &[]).refuses(code().put(Instr::Flush(UseId(2))), missing("capability", 2, 2));
}

/// `put` is streamed, `get` has one result, `pair` two, `sync` only a status, `swap` takes and gives a `buf`.
fn device_instructions(c: &mut Corpus) {
    let u = UseId(0);
    let streamed = || Violation::Streamed("put".into());
    let many = |name: &str, results| Violation::NotOneResult { name: name.into(), results };
    let has = |name: &str, results| Violation::TryHasResults { name: name.into(), results };
    let buf = || (BUF, code().take(0));
    c.world(&[BUF], &[], &[I32, I64, BUF])
        .tree(&[], Instr::Send(u, 2), I32)
        .tree(&[buf()], Instr::Send(u, 5), BUF)
        .refuses(code().put(Instr::Send(u, 3)), many("pair", 2))
        .refuses(code().put(Instr::Send(u, 4)), many("sync", 0))
        .refuses(code().put(Instr::Send(u, 1)), streamed())
        .refuses(code().put(Instr::Send(u, 9)), missing("instruction", 9, 5))
        .refuses(code().put(Instr::Send(UseId(7), 1)), missing("capability", 7, 2))
        .tree(&[], Instr::Try(u, 4), I32)
        .refuses(code().put(Instr::Try(u, 2)), has("get", 1))
        .refuses(code().put(Instr::Try(u, 1)), streamed())
        .refuses(code().put(Instr::Try(u, 9)), missing("instruction", 9, 5))
        .refuses(code().put(Instr::Try(UseId(7), 1)), missing("capability", 7, 2))
        .statement(&[int()], code().send_set(0, 1, &[]))
        .statement(&[buf()], code().send_set(0, 5, &[3]))
        .refuses(code().i32(1).send_set(0, 1, &[1]), count(0, 1))
        .refuses(code().send_set(0, 3, &[1]), count(2, 1))
        .refuses(code().send_set(0, 3, &[2, 1]), mismatch(I64, I32))
        .refuses(code().send_set(0, 2, &[9]), missing("local", 9, 4))
        .refuses(code().send_set(7, 2, &[1]), missing("capability", 7, 2))
        .refuses(code().send_set(0, 9, &[1]), missing("instruction", 9, 5))
        .statement(&[buf()], code().try_set(0, 5, &[1, 3]))
        .statement(&[], code().try_set(0, 4, &[1]))
        .refuses(code().try_set(0, 3, &[1, 2]), count(3, 2))
        .refuses(code().try_set(0, 4, &[2]), mismatch(I64, I32))
        .refuses(code().try_set(0, 4, &[9]), missing("local", 9, 4))
        .refuses(code().try_set(0, 1, &[1]), streamed())
        .refuses(code().try_set(7, 2, &[1]), missing("capability", 7, 2))
        .refuses(code().try_set(0, 9, &[1]), missing("instruction", 9, 5));
    let into_borrowed = Violation::NotOwned(LocalId(0));
    c.world(&[REF, I32, I64], &[], &[])
        .refuses(code().send_set(0, 2, &[0]), into_borrowed.clone())
        .refuses(code().try_set(0, 4, &[0]), into_borrowed.clone())
        .refuses(code().get(1).set(0), into_borrowed.clone())
        .refuses(code().run_set(0, 2, &[0]), into_borrowed)
        .accepts(code().send_set(0, 3, &[1, 2]))
        .refuses(code().send_set(0, 3, &[1, 1]), mismatch(I32, I64));
    twice(c);
}

/// No destination twice, where two values of one type go.
fn twice(c: &mut Corpus) {
    let local = LocalId(0);
    c.world(&[I32], &[], &[])
        .refuses(code().try_set(0, 2, &[0, 0]), Violation::DestTwice(local))
        .refuses(code().run_try_set(0, 0, &[0, 0]), Violation::MissingOperand(I32))
        .refuses(code().i32(1).run_try_set(0, 0, &[0, 0]), Violation::DestTwice(local));
    let two = [I32, I32];
    let mut module = world();
    module.funcs[3].sig.results = two.to_vec();
    module.funcs[7].sig.results = two.to_vec();
    module.funcs[3].body = code().i32(1).i32(1).ret().bytes();
    module.funcs[7].body = module.funcs[3].body.clone();
    if let Some(il::TypeDef::Func(sig)) = module.types.get_mut(F_TWO.index()) {
        sig.results = two.to_vec();
    }
    let set = module.isas[0].instructions.to_mut();
    let fields = set[2].results.as_mut().map(|fields| fields.to_mut());
    if let Some([_, second]) = fields.map(|fields| &mut fields[..]) {
        second.ty = I32;
    }
    let params = [I32, Type::Ref(F_TWO), Type::Ref(CAP)];
    for body in [
        code().call_set(3, &[0, 0]),
        code().get(1).call_ref_set(F_TWO.0, &[0, 0]),
        code().send_set(0, 3, &[0, 0]),
        code().get(2).send_to_set(CAP.0, 3, &[0, 0]),
        code().run_set(1, 3, &[0, 0]),
    ] {
        c.shape_in(module.clone(), &params, &[], &[]).refuses(body, Violation::DestTwice(local));
    }
    c.shape_in(module, &[I32], &[], &[])
        .role(Role::Program)
        .refuses(code().own_set(3, &[0, 0]), Violation::DestTwice(local));
}

fn sending_to_values(c: &mut Corpus) {
    let cap = || (Type::Ref(CAP), code().get(0));
    let less = || (Type::Ref(LESS), code().get(0));
    let buf = || (BUF, code().take(1));
    let (cap_type, no_cap) = (CAP.0, || wrong("a capability", INTS));
    let streamed = || Violation::Streamed("put".into());
    let refused = |opcode| Violation::NotAllowed { ty: LESS, opcode };
    c.world(&[Type::Ref(CAP), BUF], &[], &[I32, I64, BUF])
        .tree(&[less()], Instr::SendTo(LESS, 2), I32)
        .tree(&[cap(), buf()], Instr::SendTo(CAP, 5), BUF)
        .refuses(code().get(0).put(Instr::SendTo(LESS, 3)), refused(3))
        .refuses(code().put(Instr::SendTo(CAP, 3)), Violation::NotOneResult { name: "pair".into(), results: 2 })
        .refuses(code().put(Instr::SendTo(CAP, 1)), streamed())
        .refuses(code().put(Instr::SendTo(INTS, 1)), no_cap())
        .tree(&[cap()], Instr::TryTo(CAP, 4), I32)
        .refuses(code().get(0).put(Instr::TryTo(LESS, 4)), refused(4))
        .refuses(code().put(Instr::TryTo(CAP, 2)), Violation::TryHasResults { name: "get".into(), results: 1 })
        .refuses(code().put(Instr::TryTo(CAP, 1)), streamed())
        .refuses(code().put(Instr::TryTo(INTS, 1)), no_cap())
        .statement(&[cap(), int()], code().send_to_set(cap_type, 1, &[]))
        .statement(&[cap(), buf()], code().send_to_set(cap_type, 5, &[4]))
        .refuses(code().get(0).send_to_set(LESS.0, 3, &[2, 3]), refused(3))
        .refuses(code().get(0).send_to_set(cap_type, 3, &[2]), count(2, 1))
        .refuses(code().get(0).send_to_set(cap_type, 3, &[3, 2]), mismatch(I64, I32))
        .refuses(code().send_to_set(INTS.0, 1, &[]), no_cap())
        .statement(&[cap(), buf()], code().try_to_set(cap_type, 5, &[2, 4]))
        .refuses(code().get(0).try_to_set(LESS.0, 4, &[2]), refused(4))
        .refuses(code().get(0).try_to_set(cap_type, 4, &[3]), mismatch(I64, I32))
        .refuses(code().get(0).try_to_set(cap_type, 1, &[2]), streamed())
        .refuses(code().try_to_set(INTS.0, 1, &[2]), no_cap());
}

fn own_instructions(c: &mut Corpus) {
    let streamed = || Violation::Streamed("put".into());
    let buf = || (BUF, code().take(0));
    let outside = || Violation::OwnOutsideProgram;
    let bodies = || [code().put(Instr::Own(2)).discard(), code().put(Instr::OwnTry(4)).discard()];
    for body in bodies().into_iter().chain([code().own_set(2, &[1]), code().own_try_set(2, &[1, 1])]) {
        c.world(&[BUF], &[], &[I32]).refuses(body.clone(), outside());
        c.world(&[BUF], &[], &[I32]).role(Role::Op).refuses(body, outside());
    }
    c.world(&[BUF], &[], &[I32, I64, BUF])
        .role(Role::Program)
        .tree(&[], Instr::Own(2), I32)
        .tree(&[buf()], Instr::Own(5), BUF)
        .refuses(code().put(Instr::Own(9)), missing("instruction", 9, 5))
        .refuses(code().put(Instr::Own(3)), Violation::NotOneResult { name: "pair".into(), results: 2 })
        .refuses(code().put(Instr::Own(1)), streamed())
        .tree(&[], Instr::OwnTry(4), I32)
        .refuses(code().put(Instr::OwnTry(9)), missing("instruction", 9, 5))
        .refuses(code().put(Instr::OwnTry(2)), Violation::TryHasResults { name: "get".into(), results: 1 })
        .refuses(code().put(Instr::OwnTry(1)), streamed())
        .statement(&[int()], code().own_set(1, &[]))
        .statement(&[buf()], code().own_set(5, &[3]))
        .refuses(code().own_set(9, &[]), missing("instruction", 9, 5))
        .refuses(code().own_set(3, &[1]), count(2, 1))
        .statement(&[buf()], code().own_try_set(5, &[1, 3]))
        .refuses(code().own_try_set(9, &[1]), missing("instruction", 9, 5))
        .refuses(code().own_try_set(4, &[2]), mismatch(I64, I32))
        .refuses(code().i32(1).own_try_set(1, &[1]), streamed());
}

fn running(c: &mut Corpus) {
    let send = |target, program| code().put(Instr::RunSend(UseId(target), ProgramId(program)));
    let point = Type::Ref(POINT);
    let other = |expected, found| Violation::OtherSet { expected: IsaId(expected), found: IsaId(found) };
    c.world(&[BUF], &[], &[I32, I64, point, Type::Opt(POINT)])
        .statement(&[int()], code().run_set(0, 0, &[1]))
        .statement(&[(BUF, code().take(0))], code().run_set(0, 1, &[]))
        .statement(&[], code().run_set(0, 2, &[3]))
        .refuses(code().i32(1).run_set(0, 0, &[]), count(1, 0))
        .refuses(code().i32(1).run_set(0, 0, &[2]), mismatch(I64, I32))
        .refuses(code().i32(1).run_set(0, 0, &[9]), missing("local", 9, 5))
        .statement(&[(BUF, code().take(0))], code().run_try_set(0, 1, &[1]))
        .accepts(code().run_try_set(0, 2, &[1, 4]))
        .refuses(code().run_try_set(0, 2, &[1, 3]), mismatch(point, Type::Opt(POINT)))
        .refuses(code().run_try_set(0, 2, &[1]), count(2, 1))
        .statement(&[(BUF, code().take(0))], send(0, 1))
        .refuses(append(code().i32(1), send(0, 0)), Violation::RunHasResults("count".into()))
        .accepts(send(1, 3));
    for (target, program, rule) in [
        (7, 0, missing("capability", 7, 2)),
        (0, 9, missing("program", 9, 4)),
        (1, 0, other(1, 0)),
        (0, 3, other(0, 1)),
    ] {
        c.world(&[], &[], &[I32])
            .refuses(code().run_set(target, program, &[]), rule.clone())
            .refuses(code().run_try_set(target, program, &[0]), rule.clone())
            .refuses(send(target, program), rule);
    }
}

fn purity(c: &mut Corpus) {
    let use_caps = "use capabilities";
    let (u, cap) = (UseId(0), |instr| code().get(1).put(instr));
    c.world(&[I32, Type::Ref(CAP), Type::Ref(F_INT), BUF], &[], &[I32])
        .impure(code().op(Op::MemorySize).discard(), "use the memory")
        .impure(code().i32(0).i32(0).op(Op::Store8), "use the memory")
        .impure(code().put(Instr::GlobalGet(GlobalId(0))).discard(), "read a mutable global")
        .impure(code().put(Instr::GlobalTake(GlobalId(2))).discard(), "read a mutable global")
        .impure(code().i32(1).put(Instr::GlobalSet(GlobalId(0))), "assign a global")
        .impure(code().put(Instr::FuncRef(FuncId(2), F_INT)).discard(), "refer to functions")
        .impure(code().get(2).i32(1).put(Instr::CallRef(F_INT)).discard(), "call through a reference")
        .impure(code().get(2).i32(1).call_ref_set(F_INT.0, &[4]), "call through a reference")
        .impure(code().put(Instr::Cap(u, CAP)).discard(), use_caps)
        .impure(cap(Instr::Attenuate(LESS)).discard(), "attenuate")
        .impure(cap(Instr::Revoke), "revoke")
        .impure(cap(Instr::FlushCap), "flush")
        .impure(code().put(Instr::Flush(u)), "flush")
        .impure(code().put(Instr::Send(u, 2)).discard(), use_caps)
        .impure(code().put(Instr::Try(u, 4)).discard(), use_caps)
        .impure(code().send_set(0, 2, &[4]), use_caps)
        .impure(code().try_set(0, 4, &[4]), use_caps)
        .impure(cap(Instr::SendTo(CAP, 2)).discard(), use_caps)
        .impure(cap(Instr::TryTo(CAP, 4)).discard(), use_caps)
        .impure(code().get(1).send_to_set(CAP.0, 2, &[4]), use_caps)
        .impure(code().get(1).try_to_set(CAP.0, 4, &[4]), use_caps)
        .impure(code().i32(1).run_set(0, 0, &[4]), "run programs")
        .impure(code().take(3).run_try_set(0, 1, &[4]), "run programs")
        .impure(code().take(3).put(Instr::RunSend(u, ProgramId(1))), "run programs")
        .impure(code().put(Instr::Wait), "wait")
        .impure(code().put(Instr::WaitForever), "wait_forever");
    let calls_impure = |id: u32| Violation::ImpureCall(format!("func {id}"));
    c.world(&[Type::Ref(F_INT)], &[I32], &[])
        .pure()
        .accepts(code().i32(1).put(Instr::Call(FuncId(2))).ret())
        .accepts(code().i32(1).put(Instr::ReturnCall(FuncId(2))))
        .accepts(code().put(Instr::GlobalGet(GlobalId(1))).discard().i32(1).ret())
        .accepts(append(new_shape(), code().i32(7)).put(Instr::FieldSet(SHAPE, il::FieldId(1))).i32(1).ret())
        .refuses(code().i32(1).put(Instr::Call(FuncId(0))).ret(), calls_impure(0))
        .refuses(code().get(0).call_set(1, &[]), calls_impure(1))
        .refuses(code().i32(1).put(Instr::ReturnCall(FuncId(0))), calls_impure(0))
        .refuses(code().get(0).i32(1).put(Instr::ReturnCallRef(F_INT)), Violation::Impure("call through a reference"));
    c.world(&[], &[I32], &[])
        .role(Role::Program)
        .accepts(code().i32(1).put(Instr::Call(FuncId(2))).ret())
        .refuses(code().i32(1).put(Instr::Call(FuncId(0))).ret(), calls_impure(0))
        .refuses(code().put(Instr::GlobalGet(GlobalId(0))).ret(), Violation::Impure("read a global"))
        .refuses(code().put(Instr::GlobalGet(GlobalId(1))).ret(), Violation::Impure("read a global"));
}

fn ops(c: &mut Corpus) {
    let outside = |what| Violation::OutsideOp(what);
    c.world(&[], &[], &[]).role(Role::Op).tree(&[], Instr::Caller, I32);
    c.world(&[], &[I32], &[])
        .role(Role::Op)
        .statement(&[int()], code().put(Instr::Fail))
        .pure()
        .refuses(code().put(Instr::Caller).ret(), Violation::Impure("ask for the caller"))
        .refuses(code().i32(1).put(Instr::Fail), Violation::Impure("fail"));
    for role in [Role::Plain, Role::Program] {
        c.world(&[], &[I32], &[])
            .role(role)
            .refuses(code().put(Instr::Caller).ret(), outside("caller"))
            .refuses(code().i32(1).put(Instr::Fail), outside("fail"));
    }
    let emit = |set, event| code().put(Instr::Emit(ProvidedId(set), event));
    let emit_to = |set, event| code().put(Instr::EmitTo(ProvidedId(set), event));
    let operand = || (I64, code().i64(1));
    c.world(&[], &[], &[])
        .role(Role::Op)
        .statement(&[operand()], emit(0, 1))
        .statement(&[operand(), int()], emit_to(0, 1))
        .refuses(emit(0, 2), missing("event", 2, 1))
        .refuses(append(code().i32(1), emit_to(0, 2)), missing("event", 2, 1))
        .refuses(emit(1, 1), missing("provided set", 1, 1))
        .refuses(append(code().i32(1), emit_to(1, 1)), missing("provided set", 1, 1))
        .pure()
        .refuses(append(code().i64(1), emit(0, 1)), Violation::Impure("emit"))
        .refuses(append(code().i64(1).i32(1), emit_to(0, 1)), Violation::Impure("emit"));
    c.world(&[], &[], &[]).refuses(append(code().i64(1), emit(0, 1)), missing("provided set", 0, 0));
}

/// Instructions that take the place of a request.
fn forwarding(c: &mut Corpus) {
    let forward = |opcode| code().put(Instr::Forward(UseId(0), opcode));
    let cap = |ty| code().put(Instr::Cap(UseId(0), ty));
    let forward_to = |ty, opcode| code().put(Instr::ForwardTo(ty, opcode));
    let kind = |name: &str, waits| Violation::ForwardKind { name: name.into(), waits };
    let results = |name: &str| Violation::ForwardResults(name.into());
    c.world(&[BUF], &[BUF], &[])
        .role(Role::Op)
        .statement(&[(BUF, code().take(0))], forward(5))
        .refuses(forward(2), results("get"))
        .refuses(code().i32(1).put(Instr::Forward(UseId(0), 1)), kind("put", true))
        .refuses(forward(9), missing("instruction", 9, 5))
        .refuses(code().put(Instr::Forward(UseId(7), 5)), missing("capability", 7, 2))
        .refuses(append(code().take(0), forward(5)).ret(), Violation::AfterTerminator)
        .pure()
        .refuses(append(code().take(0), forward(5)), Violation::Impure("use capabilities"));
    c.world(&[], &[I32], &[])
        .role(Role::Op)
        .statement(&[(Type::Ref(LESS), cap(LESS))], forward_to(LESS, 2))
        .refuses(append(cap(LESS).i32(1), forward_to(LESS, 1)), kind("put", true))
        .refuses(append(cap(LESS), forward_to(LESS, 4)), Violation::NotAllowed { ty: LESS, opcode: 4 })
        .refuses(append(cap(LESS), forward_to(INTS, 2)), wrong("a capability", INTS))
        .refuses(append(cap(LESS), forward_to(TypeId(99), 2)), missing("type", 99, 17));
    c.world(&[], &[], &[])
        .role(Role::Op)
        .accepts(forward(4))
        .refuses(append(code().i32(1), forward(1)), kind("put", true))
        .refuses(append(cap(CAP), forward_to(CAP, 2)), results("get"));
    c.world(&[], &[], &[])
        .role(Role::Streamed)
        .statement(&[int()], forward(1))
        .takes(&[(Type::Ref(CAP), cap(CAP)), int()], forward_to(CAP, 1))
        .refuses(forward(4), kind("sync", false))
        .refuses(append(cap(CAP), forward_to(CAP, 4)), kind("sync", false));
    c.world(&[Type::Ref(CAP)], &[I32], &[])
        .refuses(forward(2), Violation::OutsideOp("forward"))
        .refuses(append(code().get(0), forward_to(CAP, 2)), Violation::OutsideOp("forward"))
        .pure()
        .refuses(append(code().get(0), forward_to(CAP, 2)), Violation::Impure("use capabilities"));
}
