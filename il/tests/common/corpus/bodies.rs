//! The verifier, rule by rule: for each a body or module that keeps it and one that breaks it.

use super::super::{Code, code, device_module, device_set, event, func, global, instruction};
use super::{Corpus, append, cond, mismatch};
use il::instr::{DecodeError, Instr};
use il::op::Op;
use il::verify::Violation;
use il::{
    Data, DataPlace, Export, FuncId, GlobalId, Handler, IsaId, LocalId, Memory, MemoryId, Module, Names, ProvidedId,
    StrId, Type, Use, UseId, limits,
};

const I32: Type = Type::I32;
const I64: Type = Type::I64;
const BOOL: Type = Type::Bool;
const BUF: Type = Type::Buf;
const REF: Type = Type::BufRef;

pub fn operands_have_the_types_that_operators_take(c: &mut Corpus) {
    c.shape(&[], &[I32], &[])
        .accepts(code().i32(1).i32(2).op(Op::I32Add).ret())
        .refuses(code().i32(1).i64(2).op(Op::I32Add).ret(), mismatch(I32, I64))
        .refuses(code().i32(2).op(Op::I32Add).ret(), Violation::MissingOperand(I32))
        .refuses(code().i64(2).ret(), mismatch(I32, I64))
        .refuses(code().ret(), Violation::MissingOperand(I32));
}

pub fn the_stack_is_empty_between_statements(c: &mut Corpus) {
    c.shape(&[], &[], &[I32])
        .accepts(code().i32(1).set(0))
        .refuses(code().i32(1).i32(1).set(0), Violation::LeftOver(1))
        .refuses(code().i32(1), Violation::Unfinished)
        .refuses(code().i32(1).put(Instr::Loop).end(), Violation::LeftOver(1))
        .refuses(code().i32(1).put(Instr::While).yes().put(Instr::Test).end(), Violation::LeftOver(1))
        .refuses(code().i32(1).put(Instr::Flush(UseId(0))), Violation::LeftOver(1))
        .refuses(code().i32(1).ret(), Violation::LeftOver(1))
        .refuses(code().yes().put(Instr::If).i32(1).end(), Violation::LeftOver(1))
        .refuses(code().put(Instr::While).yes().yes().put(Instr::Test).end(), Violation::LeftOver(1))
        .refuses(code().i32(1).put(Instr::Wait), Violation::LeftOver(1));
}

pub fn cond_yields_one_value_of_its_type(c: &mut Corpus) {
    let one = || code().i32(1);
    c.shape(&[REF], &[], &[I32])
        .accepts(cond(I32, code().yes(), one(), one()).set(1))
        .accepts(append(one(), cond(I32, code().yes(), one(), one())).op(Op::I32Add).set(1))
        .refuses(cond(I32, one(), one(), one()).set(1), mismatch(BOOL, I32))
        .refuses(cond(I32, code().yes(), code().i64(1), one()).set(1), mismatch(I32, I64))
        .refuses(cond(I32, code().yes(), one(), code().i64(1)).set(1), mismatch(I32, I64))
        .refuses(cond(I32, code().yes(), one().i32(1), one()).set(1), Violation::LeftOver(1))
        .refuses(cond(I32, code().yes(), code(), one()).set(1), Violation::MissingOperand(I32))
        .refuses(
            append(one(), cond(I32, code().yes(), code().op(Op::I32Neg), one())).op(Op::I32Add).set(1),
            Violation::MissingOperand(I32),
        )
        .refuses(
            cond(REF, code().yes(), code().get(0), code().get(0)),
            Violation::TypeNotAllowed { place: "a conditional expression", ty: REF },
        );
}

pub fn statements_stand_outside_expressions(c: &mut Corpus) {
    let flush = || code().put(Instr::Flush(UseId(0)));
    c.shape(&[], &[], &[I32])
        .accepts(append(flush(), cond(I32, code().yes(), code().i32(1), code().i32(2))).set(0))
        .refuses(cond(I32, flush().yes(), code().i32(1), code().i32(2)).set(0), Violation::StatementInTree)
        .refuses(cond(I32, code().yes(), flush().i32(1), code().i32(2)).set(0), Violation::StatementInTree)
        .refuses(append(code().put(Instr::While), flush()).yes().put(Instr::Test).end(), Violation::StatementInTree)
        .refuses(code().put(Instr::While).put(Instr::Loop), Violation::StatementInTree)
        .refuses(code().put(Instr::While).end(), Violation::Unfinished);
}

pub fn locals_are_assigned_on_every_path_before_they_are_read(c: &mut Corpus) {
    let set = |value| code().i32(value).set(1);
    let read = || code().get(1).ret();
    let branch = |other: Code| append(append(code().get(0).put(Instr::If), set(1)), other).end();
    let switch = |other: Code| append(append(code().i32(1).put(Instr::Switch).arm(&[1]), set(1)), other).end();
    c.shape(&[BOOL], &[I32], &[I32])
        .accepts(append(branch(append(code().put(Instr::Else), set(2))), read()))
        .refuses(append(branch(code()), read()), Violation::Unset(LocalId(1)))
        .accepts(append(branch(code().put(Instr::Else).i32(0).ret()), read()))
        .accepts(append(switch(append(code().put(Instr::Default), set(2))), read()))
        .refuses(append(switch(code()), read()), Violation::Unset(LocalId(1)))
        .accepts(append(append(code().put(Instr::Loop), set(1)).put(Instr::Break(0)).end(), read()))
        .refuses(append(code().put(Instr::Loop).put(Instr::Break(0)).end(), read()), Violation::Unset(LocalId(1)))
        .accepts(code().i32(0).i32(9).put(Instr::For(LocalId(1))).get(1).discard().end().i32(0).ret())
        .refuses(append(code().i32(0).i32(9).put(Instr::For(LocalId(1))).end(), read()), Violation::Unset(LocalId(1)))
        .refuses(
            append(append(code().put(Instr::While).get(0).put(Instr::Test), set(1)).end(), read()),
            Violation::Unset(LocalId(1)),
        )
        .refuses(read(), Violation::Unset(LocalId(1)));
}

pub fn a_moved_buf_is_gone(c: &mut Corpus) {
    let new = || code().i32(4).op(Op::BufNew).set(0);
    let length = || code().get(0).op(Op::BufLen).discard();
    let moved_in_branch = || code().get(1).put(Instr::If).take(0).discard().end();
    c.shape(&[BUF, BOOL], &[], &[BUF])
        .accepts(append(append(moved_in_branch(), new()), length()))
        .refuses(append(moved_in_branch(), length()), Violation::Moved(LocalId(0)))
        .refuses(code().take(0).take(0).set_all(&[None, None]), Violation::Moved(LocalId(0)))
        .refuses(code().get(2).op(Op::BufLen).discard(), Violation::Moved(LocalId(2)))
        .refuses(code().take(2).discard(), Violation::Moved(LocalId(2)))
        .accepts(append(cond(BUF, code().get(1), code().take(0), code().i32(1).op(Op::BufNew)).set(2), code()))
        .refuses(
            append(cond(BUF, code().get(1), code().take(0), code().i32(1).op(Op::BufNew)).set(2), length()),
            Violation::Moved(LocalId(0)),
        );
}

pub fn a_loop_gives_back_what_its_next_turn_needs(c: &mut Corpus) {
    let new = || code().i32(4).op(Op::BufNew).set(0);
    let turn = |rest: Code| append(code().put(Instr::Loop).take(0).discard(), rest).end();
    let turn_while =
        |rest: Code| append(code().put(Instr::While).get(1).put(Instr::Test).take(0).discard(), rest).end();
    let turn_for = |rest: Code| append(code().i32(0).i32(2).put(Instr::For(LocalId(2))).take(0).discard(), rest).end();
    let lost = || Violation::LoopMoves(LocalId(0));
    c.shape(&[BUF, BOOL], &[], &[I32])
        .accepts(turn(new()))
        .refuses(turn(code()), lost())
        .accepts(turn(code().put(Instr::Break(0))))
        .refuses(turn(code().get(1).put(Instr::If).put(Instr::Continue(0)).end().put(Instr::Break(0))), lost())
        .accepts(turn_while(new()))
        .refuses(turn_while(code()), lost())
        .accepts(turn_for(new()))
        .refuses(turn_for(code()), lost());
}

pub fn borrowing_excludes_moving(c: &mut Corpus) {
    c.shape(&[BUF, REF, BUF], &[], &[])
        .accepts(code().get(0).take(2).call_set(1, &[]))
        .accepts(code().get(1).take(2).call_set(1, &[]))
        .refuses(code().get(0).take(0).call_set(1, &[]), Violation::Borrowed(LocalId(0)))
        .refuses(code().take(0).get(0), Violation::Moved(LocalId(0)))
        .refuses(code().take(1).discard(), Violation::NotOwned(LocalId(1)))
        .refuses(code().take(0).set(1), Violation::NotOwned(LocalId(1)))
        .refuses(code().get(1).set(2), mismatch(BUF, REF))
        .refuses(code().get(1).discard(), mismatch(BUF, REF))
        .refuses(code().take(0).op(Op::BufLen).discard(), mismatch(REF, BUF))
        .refuses(code().get(0).send_set(0, 5, &[2]), mismatch(BUF, REF))
        .accepts(code().take(0).send_set(0, 5, &[2]));
}

pub fn parts_of_constructs_stand_in_their_construct(c: &mut Corpus) {
    let mut f = c.shape(&[], &[], &[]);
    f.accepts(code().yes().put(Instr::If).put(Instr::Else).end());
    for (instr, name) in
        [(Instr::Else, "else"), (Instr::End, "end"), (Instr::Test, "test"), (Instr::Default, "default")]
    {
        f.refuses(code().put(instr), Violation::Misplaced(name));
    }
    f.refuses(code().arm(&[1]), Violation::Misplaced("arm"))
        .refuses(code().yes().put(Instr::If), Violation::Unfinished)
        .refuses(code().yes().put(Instr::If).put(Instr::Else).put(Instr::Else).end(), Violation::Misplaced("else"))
        .refuses(code().put(Instr::Loop).put(Instr::Test).end(), Violation::Misplaced("test"))
        .refuses(code().i32(1).put(Instr::If).end(), mismatch(BOOL, I32));
}

pub fn nothing_follows_what_leaves(c: &mut Corpus) {
    let body = |leave: Instr<'static>| code().put(Instr::Loop).yes().put(Instr::If).put(leave);
    for leave in [Instr::Break(0), Instr::Continue(0), Instr::Return, Instr::Trap(StrId(0))] {
        c.shape(&[], &[], &[])
            .accepts(body(leave).end().end())
            .refuses(body(leave).put(Instr::Wait).end().end(), Violation::AfterTerminator);
    }
    let both = || code().yes().put(Instr::If).ret().put(Instr::Else).ret().end();
    c.shape(&[], &[], &[])
        .accepts(both())
        .refuses(both().ret(), Violation::AfterTerminator)
        .refuses(code().put(Instr::Loop).end().ret(), Violation::AfterTerminator)
        .accepts(code().put(Instr::Loop).put(Instr::Break(0)).end().ret());
}

pub fn functions_with_results_return_them(c: &mut Corpus) {
    let branch = || code().yes().put(Instr::If).i32(1).ret();
    c.shape(&[], &[I32], &[])
        .accepts(branch().put(Instr::Else).i32(2).ret().end())
        .accepts(code().put(Instr::Loop).end())
        .accepts(code().put(Instr::Trap(StrId(0))))
        .refuses(branch().end(), Violation::MissingReturn)
        .refuses(code(), Violation::MissingReturn);
    c.shape(&[], &[], &[]).accepts(code());
}

pub fn break_and_continue_count_loops_only(c: &mut Corpus) {
    let inside = |leave: Instr<'static>| {
        code()
            .put(Instr::Loop)
            .put(Instr::While)
            .yes()
            .put(Instr::Test)
            .yes()
            .put(Instr::If)
            .put(leave)
            .end()
            .end()
            .end()
    };
    for (near, far) in [(Instr::Break(1), Instr::Break(2)), (Instr::Continue(1), Instr::Continue(2))] {
        c.shape(&[], &[], &[]).accepts(inside(near)).refuses(inside(far), Violation::NoLoop { depth: 2, loops: 2 });
    }
    c.shape(&[], &[], &[]).refuses(code().put(Instr::Break(0)), Violation::NoLoop { depth: 0, loops: 0 });
}

pub fn for_counts_an_integer_local(c: &mut Corpus) {
    let count = |local| code().i32(0).i32(1).put(Instr::For(LocalId(local))).end();
    c.shape(&[], &[], &[I32, BOOL, I64])
        .accepts(count(0))
        .accepts(code().i64(0).i64(1).put(Instr::For(LocalId(2))).end())
        .refuses(count(1), Violation::NotAnInteger(BOOL))
        .refuses(count(2), mismatch(I64, I32));
}

pub fn arms_differ_and_fit(c: &mut Corpus) {
    let switch = |first: &[i64], second: &[i64]| code().get(0).put(Instr::Switch).arm(first).arm(second);
    let nested = || append(switch(&[1], &[2]), switch(&[1], &[2]).end());
    c.shape(&[I32], &[], &[])
        .accepts(switch(&[1, -1], &[2]).put(Instr::Default).end())
        .accepts(nested().end())
        .refuses(switch(&[1, 5], &[2, 5]).end(), Violation::ArmTwice(5))
        .refuses(switch(&[1], &[]).end(), Violation::EmptyArm)
        .refuses(switch(&[1], &[1 << 31]).end(), Violation::ArmOutOfRange(1 << 31))
        .refuses(switch(&[1], &[2]).put(Instr::Default).arm(&[3]).end(), Violation::AfterDefault)
        .refuses(switch(&[1], &[2]).put(Instr::Default).put(Instr::Default).end(), Violation::AfterDefault)
        .refuses(code().get(0).put(Instr::Switch).put(Instr::Wait).end(), Violation::Misplaced("switch"));
    c.shape(&[I64, BOOL], &[], &[])
        .accepts(switch(&[1], &[1 << 31]).end())
        .refuses(code().get(1).put(Instr::Switch).end(), Violation::NotAnInteger(BOOL));
}

pub fn destinations_agree_with_values(c: &mut Corpus) {
    let two = || code().i32(1).i64(2);
    let (a, b) = (Some(LocalId(0)), Some(LocalId(1)));
    c.shape(&[], &[], &[I32, I64])
        .accepts(two().set_all(&[a, b]))
        .accepts(two().set_all(&[None, b]))
        .refuses(two().set_all(&[b, a]), mismatch(I64, I32))
        .refuses(code().set_all(&[]), Violation::DestCount { expected: 1, found: 0 })
        .refuses(code().i32(1).i32(2).set_all(&[a, a]), Violation::DestTwice(LocalId(0)))
        .accepts(code().i32(1).call_set(0, &[0]))
        .refuses(code().i32(1).call_set(0, &[]), Violation::DestCount { expected: 1, found: 0 })
        .refuses(code().i32(1).call_set(0, &[1]), mismatch(I64, I32))
        .accepts(code().send_set(0, 3, &[0, 1]))
        .refuses(code().send_set(0, 3, &[0]), Violation::DestCount { expected: 2, found: 1 })
        .refuses(code().send_set(0, 3, &[1, 0]), mismatch(I64, I32));
}

pub fn device_instructions_match_their_set(c: &mut Corpus) {
    let name = |name: &str| name.to_string();
    c.shape(&[], &[], &[I32, I32, I64])
        .accepts(code().i32(1).send_set(0, 1, &[]))
        .refuses(code().i64(1).send_set(0, 1, &[]), mismatch(I32, I64))
        .accepts(code().put(Instr::Send(UseId(0), 2)).set(0))
        .refuses(code().i32(1).put(Instr::Send(UseId(0), 1)), Violation::Streamed(name("put")))
        .refuses(code().put(Instr::Send(UseId(0), 3)), Violation::NotOneResult { name: name("pair"), results: 2 })
        .accepts(code().try_set(0, 3, &[0, 1, 2]))
        .accepts(code().try_set(0, 4, &[0]))
        .refuses(code().i32(1).try_set(0, 1, &[0]), Violation::Streamed(name("put")))
        .refuses(code().try_set(0, 4, &[2]), mismatch(I64, I32))
        .refuses(code().try_set(0, 4, &[]), Violation::DestCount { expected: 1, found: 0 })
        .refuses(code().send_set(0, 9, &[]), Violation::NoSuch { what: "instruction", index: 9, count: 5 })
        .refuses(code().send_set(1, 1, &[]), Violation::NoSuch { what: "capability", index: 1, count: 1 })
        .accepts(code().put(Instr::Flush(UseId(0))))
        .refuses(code().put(Instr::Flush(UseId(1))), Violation::NoSuch { what: "capability", index: 1, count: 1 });
}

pub fn indices_are_in_range(c: &mut Corpus) {
    let missing = |what, index, count| Violation::NoSuch { what, index, count };
    c.shape(&[], &[], &[I32])
        .refuses(code().get(1).discard(), missing("local", 1, 1))
        .refuses(code().take(1).discard(), missing("local", 1, 1))
        .refuses(code().i32(1).set(1), missing("local", 1, 1))
        .refuses(code().put(Instr::For(LocalId(4))), missing("local", 4, 1))
        .refuses(code().put(Instr::GlobalGet(GlobalId(2))).discard(), missing("global", 2, 2))
        .refuses(code().i32(1).put(Instr::GlobalSet(GlobalId(2))), missing("global", 2, 2))
        .refuses(code().str(1).discard(), missing("literal", 1, 1))
        .refuses(code().put(Instr::Trap(StrId(1))), missing("literal", 1, 1))
        .refuses(code().yes().put(Instr::Assert(StrId(1))), missing("literal", 1, 1))
        .refuses(code().put(Instr::Call(FuncId(3))), missing("function", 3, 3))
        .refuses(code().call_set(3, &[]), missing("function", 3, 3))
        .accepts(code().str(0).discard().yes().put(Instr::Assert(StrId(0))).put(Instr::Trap(StrId(0))))
        .accepts(code().i32(1).put(Instr::Call(FuncId(0))).put(Instr::GlobalSet(GlobalId(0))))
        .refuses(code().put(Instr::Call(FuncId(1))), Violation::NotOneResult { name: "func 1".into(), results: 0 })
        .refuses(code().str(0).put(Instr::GlobalSet(GlobalId(1))), Violation::Immutable(1));
}

pub fn memory_operators_need_a_memory(c: &mut Corpus) {
    for body in [code().op(Op::MemorySize).discard(), code().i32(0).op(Op::Load32).discard()] {
        let mut module = Module { funcs: vec![func(&[], &[], &[], body)], ..Module::default() };
        c.refuses(module.clone(), Violation::NoMemory);
        module.memories = vec![Memory { min: 0, max: 0 }];
        c.accepts(module);
    }
}

pub fn bytes_that_are_no_instruction_are_refused(c: &mut Corpus) {
    let mut module = device_module();
    for (bytes, error) in [
        (vec![0xff], DecodeError::UnknownCode(0xff)),
        (vec![0x04, 2], DecodeError::BadBool(2)),
        (vec![0x0b, 99], DecodeError::UnknownType(99)),
    ] {
        module.funcs[0].body = bytes;
        c.refuses(module.clone(), Violation::Malformed(error));
    }
}

pub fn limits_hold(c: &mut Corpus) {
    let deep = |depth: usize| (0..depth).fold(code().i32(1), |body, _| body.op(Op::I32Neg)).discard();
    let wide = |count: usize| {
        let pushed = (0..count).fold(code(), |body, _| body.i32(1));
        (1..count).fold(pushed, |body, _| body.op(Op::I32Add)).discard()
    };
    let nested = |depth: usize| {
        let opened = (0..depth).fold(code(), |body, _| body.put(Instr::Loop));
        (0..depth).fold(opened, |body, _| body.end())
    };
    let over = |what, limit| Violation::Limit { what, count: limit + 1, limit };
    c.shape(&[], &[], &[])
        .accepts(deep(limits::EXPRESSION_DEPTH))
        .refuses(deep(limits::EXPRESSION_DEPTH + 1), over("operators inside one another", limits::EXPRESSION_DEPTH))
        .refuses(wide(limits::OPERANDS + 1), over("operands on the stack", limits::OPERANDS))
        .accepts(nested(limits::NESTING))
        .refuses(nested(limits::NESTING + 1), over("nested constructs", limits::NESTING));
    c.shape(&[BUF; 16], &[], &[BUF; limits::BUFS - 16]).accepts(code());
    c.shape(&[BUF; 1], &[], &[BUF; limits::BUFS])
        .refuses(code(), over("`buf` locals of a function, parameters included", limits::BUFS));
    c.shape(&[I32; limits::PARAMS + 1], &[], &[]).refuses(code(), over("parameters", limits::PARAMS));
    c.shape(&[], &[], &[I32; limits::LOCALS]).accepts(code());
    c.shape(&[], &[], &[I32; limits::LOCALS + 1])
        .refuses(code(), over("locals of a function, parameters included", limits::LOCALS));
    c.shape(&[], &[REF], &[]).refuses(code(), Violation::TypeNotAllowed { place: "a result", ty: REF });
    c.shape(&[], &[], &[REF]).refuses(code(), Violation::TypeNotAllowed { place: "a local", ty: REF });
}

/// All of them.
pub fn all(c: &mut Corpus) {
    operands_have_the_types_that_operators_take(c);
    the_stack_is_empty_between_statements(c);
    cond_yields_one_value_of_its_type(c);
    statements_stand_outside_expressions(c);
    locals_are_assigned_on_every_path_before_they_are_read(c);
    a_moved_buf_is_gone(c);
    a_loop_gives_back_what_its_next_turn_needs(c);
    borrowing_excludes_moving(c);
    parts_of_constructs_stand_in_their_construct(c);
    nothing_follows_what_leaves(c);
    functions_with_results_return_them(c);
    break_and_continue_count_loops_only(c);
    for_counts_an_integer_local(c);
    arms_differ_and_fit(c);
    destinations_agree_with_values(c);
    device_instructions_match_their_set(c);
    indices_are_in_range(c);
    memory_operators_need_a_memory(c);
    bytes_that_are_no_instruction_are_refused(c);
    limits_hold(c);
    entries_have_the_types_of_what_they_answer(c);
    only_the_base_enters_ops_and_handlers(c);
    events_are_the_provided_sets(c);
    instruction_sets_are_well_formed(c);
    tables_are_consistent(c);
}

macro_rules! is {
    ($pattern:pat) => {
        |kind: &Violation| matches!(kind, $pattern)
    };
}

pub fn entries_have_the_types_of_what_they_answer(c: &mut Corpus) {
    c.changed(|m| m.funcs[2].sig.params[0] = I64, is!(Violation::Signature { .. }));
    c.changed(|m| _ = m.provides[0].ops.pop(), is!(Violation::OpCount { expected: 5, found: 4 }));
    c.changed(|m| m.provides[0].ops[0] = FuncId(99), is!(Violation::NoSuch { what: "function", .. }));
    c.changed(|m| m.provides[0].isa = IsaId(1), is!(Violation::NoSuch { what: "instruction set", .. }));
    c.changed(|m| m.handlers[0].event = 2, is!(Violation::NoSuch { what: "event", index: 2, .. }));
    c.changed(|m| m.handlers[0].source = UseId(1), is!(Violation::NoSuch { what: "capability", .. }));
    c.changed(|m| m.handlers[0].func = FuncId(8), is!(Violation::Signature { .. }));
    c.changed(|m| m.handlers.push(m.handlers[0]), is!(Violation::Duplicate { what: "handler", .. }));
    c.changed(|m| m.exports[0].func = FuncId(0), is!(Violation::Signature { .. }));
    c.changed(|m| m.exports[0].func = FuncId(99), is!(Violation::NoSuch { what: "function", .. }));
}

pub fn only_the_base_enters_ops_and_handlers(c: &mut Corpus) {
    c.changed(|m| m.exports[0] = Export { name: "x".into(), func: FuncId(5) }, is!(Violation::SharedEntry { .. }));
    let twice = |m: &mut Module| {
        m.isas[0].events.to_mut().push(event(2, "tock", &[I64]));
        m.handlers.push(Handler { event: 2, ..m.handlers[0] });
    };
    c.changed(twice, is!(Violation::SharedEntry { .. }));
    c.changed(|m| m.funcs[8].body = code().call_set(5, &[]).bytes(), is!(Violation::CallsEntry(_)));
    c.changed(|m| m.funcs[8].body = code().i64(1).call_set(7, &[]).bytes(), is!(Violation::CallsEntry(_)));
    c.changed(|m| m.funcs[8].body = code().i32(1).put(Instr::Fail).bytes(), is!(Violation::OutsideOp("fail")));
    c.changed(|m| m.funcs[7].body = code().i32(1).put(Instr::Fail).bytes(), is!(Violation::OutsideOp("fail")));
}

pub fn events_are_the_provided_sets(c: &mut Corpus) {
    c.changed(
        |m| m.funcs[8].body = code().i64(1).put(Instr::Emit(ProvidedId(0), 2)).bytes(),
        is!(Violation::NoSuch { what: "event", .. }),
    );
    c.changed(
        |m| m.funcs[8].body = code().i32(1).put(Instr::Emit(ProvidedId(0), 1)).bytes(),
        is!(Violation::Mismatch { .. }),
    );
    c.shape(&[], &[], &[]).refuses(
        code().i64(1).put(Instr::Emit(ProvidedId(0), 1)),
        Violation::NoSuch { what: "provided set", index: 0, count: 0 },
    );
}

pub fn instruction_sets_are_well_formed(c: &mut Corpus) {
    let with = |instructions: Vec<il::isa::Instruction>, events: Vec<il::isa::Event>| {
        let set = il::isa::InstructionSet { instructions: instructions.into(), events: events.into(), ..device_set() };
        Module { isas: vec![set], ..Module::default() }
    };
    let plain = |opcode, name| instruction(opcode, name, &[], None);
    c.accepts(with(vec![plain(1, "a"), plain(255, "flush")], vec![event(1, "a", &[])]));
    c.refuses_like(with(vec![plain(2, "a"), plain(1, "b")], vec![]), is!(Violation::Order { number: 1, .. }));
    c.refuses_like(with(vec![plain(0, "a")], vec![]), is!(Violation::Order { number: 0, .. }));
    c.refuses_like(with(vec![], vec![event(0, "a", &[])]), is!(Violation::Order { number: 0, .. }));
    c.refuses_like(with(vec![plain(1, "a"), plain(2, "a")], vec![]), is!(Violation::Duplicate { .. }));
    c.refuses_like(with(vec![plain(1, "run")], vec![]), is!(Violation::BadName { .. }));
    c.refuses_like(with(vec![plain(1, "a b")], vec![]), is!(Violation::BadName { .. }));
    c.refuses_like(with(vec![instruction(1, "a", &[REF], None)], vec![]), is!(Violation::NotCarried(REF)));
    c.refuses_like(with(vec![instruction(1, "a", &[I32; 17], None)], vec![]), is!(Violation::Limit { .. }));
    c.refuses_like(with(vec![], vec![event(1, "1", &[])]), is!(Violation::BadName { .. }));
    c.changed(|m| m.isas[0].name = "a..b".into(), is!(Violation::BadName { .. }));
}

pub fn tables_are_consistent(c: &mut Corpus) {
    c.changed(|m| m.name = "a b".into(), is!(Violation::BadName { what: "a module", .. }));
    c.changed(|m| m.strings.push("why".into()), is!(Violation::Duplicate { what: "the literal", .. }));
    c.changed(|m| m.uses.push(m.uses[0].clone()), is!(Violation::Duplicate { what: "capability", .. }));
    c.changed(|m| m.uses.push(Use { name: "x".into(), isa: IsaId(7) }), is!(Violation::NoSuch { .. }));
    c.changed(|m| m.exports.push(m.exports[0].clone()), is!(Violation::Duplicate { what: "export", .. }));
    c.changed(
        |m| m.globals.push(global(false, Type::Str, code().str(1))),
        is!(Violation::NoSuch { what: "literal", .. }),
    );
    c.changed(|m| m.memories[0] = Memory { min: 2, max: 1 }, is!(Violation::MemoryLimits { .. }));
    c.changed(|m| m.memories[0] = Memory { min: 0, max: 65537 }, is!(Violation::Limit { .. }));
    let data_in = |memory, offset, bytes| Data {
        place: Some(DataPlace { memory: MemoryId(memory), offset }),
        bytes: vec![1; bytes],
    };
    let data = |offset, bytes| data_in(0, offset, bytes);
    c.accepts(Module { data: vec![data(65535, 1)], ..device_module() });
    c.changed(|m| m.data.push(data(65535, 2)), is!(Violation::DataOutside { .. }));
    c.changed(|m| m.data.push(data(u32::MAX, 1)), is!(Violation::DataOutside { .. }));
    c.accepts(Module { data: vec![Data { place: None, bytes: vec![1; 70000] }], ..Module::default() });
    c.changed(|m| m.data.push(data_in(1, 0, 0)), is!(Violation::NoSuch { what: "memory", index: 1, count: 1 }));
    c.changed(
        |m| {
            m.memories.clear();
            m.data = vec![data(0, 0)];
        },
        is!(Violation::NoSuch { what: "memory", index: 0, count: 0 }),
    );
    c.changed(
        |m| {
            m.memories.push(Memory { min: 2, max: 2 });
            m.data.push(data_in(1, 131_071, 2));
        },
        is!(Violation::DataOutside { memory: 131_072, .. }),
    );
    let two = vec![Memory { min: 0, max: 0 }, Memory { min: 2, max: 2 }];
    c.accepts(Module { memories: two, data: vec![data_in(1, 131_071, 1)], ..device_module() });
    let names = |change: fn(&mut Names)| {
        let mut names = Names { files: vec!["a.il".into()], funcs: vec!["f".into()], ..Names::default() };
        change(&mut names);
        move |m: &mut Module| m.names = Some(names)
    };
    c.changed(names(|n| n.funcs[0] = "a\u{1b}[2J".into()), is!(Violation::BadNames(_)));
    c.changed(names(|n| n.lines = vec![vec![(3, 1), (2, 1)]]), is!(Violation::BadNames(_)));
    c.changed(names(|n| n.globals = vec![String::new(); 3]), is!(Violation::Limit { .. }));
}
