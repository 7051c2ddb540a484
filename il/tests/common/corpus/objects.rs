//! Structs, arrays, references, function references, constants of globals.

use il::instr::Instr;
use il::op::{Immediate, Op};
use il::verify::Violation;
use il::{FieldId, FuncId, GlobalId, LocalId, Module, StrId, Type, TypeId, UseId};

use super::super::{Code, code, global};
use super::world::*;
use super::{Corpus, append, cond, mismatch};

const I32: Type = Type::I32;
const I64: Type = Type::I64;
const BUF: Type = Type::Buf;
const OPT_BUF: Type = Type::OptBuf;
const STR: Type = Type::Str;

fn missing(what: &'static str, index: u32, count: usize) -> Violation {
    Violation::NoSuch { what, index, count }
}

fn null(ty: Type) -> Code {
    code().put(Instr::Null(ty))
}

fn int() -> (Type, Code) {
    (I32, code().i32(1))
}

/// All of them.
pub fn all(c: &mut Corpus) {
    structs(c);
    arrays(c);
    optional_buffers(c);
    identity(c);
    casts(c);
    casting_branches(c);
    freezing(c);
    subtypes_fit(c);
    nulls(c);
    lanes(c);
    types_exist(c);
    globals_are_constant(c);
    function_references(c);
}

fn structs(c: &mut Corpus) {
    let shape = |id| (Type::Ref(SHAPE), code().get(id));
    let circle = [(I32, code().i32(1)), (I32, code().i32(2)), (Type::F64, code().put(Instr::F64Const(0)))];
    c.world(&[Type::Ref(SHAPE), Type::Ref(CIRCLE)], &[], &[])
        .tree(&circle, Instr::StructNew(CIRCLE), Type::Ref(CIRCLE))
        .tree(&[], Instr::StructNew(OTHER), Type::Ref(OTHER))
        .tree(&[shape(0)], Instr::FieldGet(SHAPE, FieldId(0)), I32)
        .tree(&[shape(1)], Instr::FieldGet(SHAPE, FieldId(0)), I32)
        .tree(&[(Type::Ref(CIRCLE), code().get(1))], Instr::FieldGet(CIRCLE, FieldId(2)), Type::F64)
        .statement(&[shape(0), int()], code().put(Instr::FieldSet(SHAPE, FieldId(1))))
        .refuses(
            code().get(0).i32(1).put(Instr::FieldSet(SHAPE, FieldId(0))),
            Violation::ImmutableField(SHAPE, FieldId(0)),
        )
        .refuses(code().get(0).put(Instr::FieldGet(SHAPE, FieldId(2))).discard(), missing("field", 2, 2))
        .refuses(code().get(0).put(Instr::FieldTake(SHAPE, FieldId(2))).discard(), missing("field", 2, 2))
        .refuses(code().get(0).i32(1).put(Instr::FieldSet(SHAPE, FieldId(2))), missing("field", 2, 2))
        .refuses(
            code().get(0).put(Instr::FieldGet(CIRCLE, FieldId(2))).discard(),
            mismatch(Type::Ref(CIRCLE), Type::Ref(SHAPE)),
        );
    c.world(&[Type::Opt(SHAPE)], &[], &[]).refuses(
        code().get(0).put(Instr::FieldGet(SHAPE, FieldId(0))).discard(),
        mismatch(Type::Ref(SHAPE), Type::Opt(SHAPE)),
    );
    let no_struct = || Violation::WrongKind { expected: "a struct", found: INTS };
    for instr in [
        Instr::StructNew(INTS),
        Instr::FieldGet(INTS, FieldId(0)),
        Instr::FieldTake(INTS, FieldId(0)),
        Instr::FieldSet(INTS, FieldId(0)),
    ] {
        c.world(&[], &[], &[]).refuses(code().put(instr), no_struct());
    }
}

fn arrays(c: &mut Corpus) {
    let ints = || (Type::Ref(INTS), code().get(0));
    let mut_ints = || (Type::Ref(MUT_INTS), code().get(1));
    c.world(&[Type::Ref(INTS), Type::Ref(MUT_INTS), Type::Opt(INTS)], &[], &[])
        .tree(&[int(), int()], Instr::ArrayNew(INTS), Type::Ref(INTS))
        .tree(&[int(), int(), int()], Instr::ArrayOf(INTS, 3), Type::Ref(INTS))
        .tree(&[ints(), int()], Instr::ArrayGet(INTS), I32)
        .statement(&[mut_ints(), int(), int()], code().put(Instr::ArraySet(MUT_INTS)))
        .refuses(code().get(0).i32(1).i32(1).put(Instr::ArraySet(INTS)), Violation::ImmutableElement(INTS))
        .accepts(code().get(0).put(Instr::ArrayLen).discard())
        .accepts(code().get(1).put(Instr::ArrayLen).discard())
        .refuses(code().put(Instr::ArrayLen), Violation::MissingOperand(Type::Any))
        .refuses(code().get(0).put(Instr::ArrayLen).set(0), mismatch(Type::Ref(INTS), I32))
        .refuses(code().get(2).put(Instr::ArrayLen), Violation::NotAnArray(Type::Opt(INTS)))
        .refuses(code().i32(2).put(Instr::ArrayLen), Violation::NotAnArray(I32))
        .refuses(append(code(), new_shape()).put(Instr::ArrayLen), Violation::NotAnArray(Type::Ref(SHAPE)))
        .refuses(code().get(0).i32(1).put(Instr::ArrayGet(MUT_INTS)), mismatch(Type::Ref(MUT_INTS), Type::Ref(INTS)))
        .refuses(code().get(0).i32(1).put(Instr::ArrayTake(INTS)).discard(), Violation::TakesOther(I32));
    let no_array = || Violation::WrongKind { expected: "an array", found: SHAPE };
    for instr in [
        Instr::ArrayNew(SHAPE),
        Instr::ArrayOf(SHAPE, 0),
        Instr::ArrayGet(SHAPE),
        Instr::ArrayTake(SHAPE),
        Instr::ArraySet(SHAPE),
    ] {
        c.world(&[], &[], &[]).refuses(code().put(instr), no_array());
    }
}

/// `?buf` places are read by taking, and no two places own one buffer.
fn optional_buffers(c: &mut Corpus) {
    let holder = || (Type::Ref(HOLDER), code().get(0));
    let bufs = || (Type::Ref(BUFS), code().get(1));
    let buf = || (OPT_BUF, code().i32(1).op(Op::BufNew));
    let new_buf = || code().i32(1).op(Op::BufNew);
    let (data, moved) = (FieldId(0), |id| Violation::Moved(LocalId(id)));
    c.world(&[Type::Ref(HOLDER), Type::Ref(BUFS), OPT_BUF], &[], &[])
        .tree(&[holder()], Instr::FieldTake(HOLDER, data), OPT_BUF)
        .statement(&[holder(), buf()], code().put(Instr::FieldSet(HOLDER, data)))
        .refuses(code().get(0).put(Instr::FieldGet(HOLDER, data)).discard(), Violation::ReadsOptBuf)
        .refuses(code().get(0).put(Instr::FieldTake(SHAPE, data)).discard(), Violation::TakesOther(I32))
        .tree(&[bufs(), int()], Instr::ArrayTake(BUFS), OPT_BUF)
        .statement(&[bufs(), int(), buf()], code().put(Instr::ArraySet(BUFS)))
        .refuses(code().get(1).i32(0).put(Instr::ArrayGet(BUFS)).discard(), Violation::ReadsOptBuf)
        .tree(&[], Instr::GlobalTake(GlobalId(2)), OPT_BUF)
        .refuses(code().put(Instr::GlobalTake(GlobalId(0))).discard(), Violation::TakesOther(I32))
        .refuses(code().put(Instr::GlobalTake(GlobalId(3))).discard(), missing("global", 3, 3))
        .refuses(code().put(Instr::GlobalGet(GlobalId(2))).discard(), Violation::ReadsOptBuf)
        .statement(&[buf()], code().put(Instr::GlobalSet(GlobalId(2))))
        .tree(&[], Instr::Take(LocalId(2)), OPT_BUF)
        .refuses(code().get(2).discard(), Violation::ReadsOptBuf)
        .refuses(code().take(2).discard().take(2).discard(), moved(2))
        .accepts(append(code().i32(3), null(OPT_BUF)).put(Instr::ArrayNew(BUFS)).discard())
        .refuses(append(code().i32(3), new_buf()).put(Instr::ArrayNew(BUFS)).discard(), Violation::FillsWithBuf)
        .refuses(code().i32(3).take(2).put(Instr::ArrayNew(BUFS)).discard(), Violation::FillsWithBuf)
        .tree(&[buf(), buf()], Instr::ArrayOf(BUFS, 2), Type::Ref(BUFS))
        .refuses(code().take(2).take(2).put(Instr::ArrayOf(BUFS, 2)).discard(), moved(2))
        .refuses(code().get(0).discard().take(0).discard(), mismatch(BUF, Type::Ref(HOLDER)));
}

/// `==` of references is identity; of strings there is none to see.
fn identity(c: &mut Corpus) {
    for instr in [Instr::RefEq, Instr::RefNe] {
        let equal = |a: Code, b: Code| append(a, b).put(instr).discard();
        let get = |id| code().get(id);
        c.world(&[Type::Ref(SHAPE), Type::Any, STR, Type::OptStr, Type::Opt(INTS)], &[], &[I32])
            .accepts(equal(get(0), get(1)))
            .accepts(equal(get(1), get(1)))
            .accepts(equal(get(4), null(Type::OptAny)))
            .accepts(equal(get(3), null(Type::OptStr)))
            .accepts(equal(null(Type::OptStr), get(3)))
            .refuses(equal(get(2), get(2)), Violation::StrIdentity)
            .refuses(equal(get(3), get(3)), Violation::StrIdentity)
            .refuses(equal(get(0), get(2)), Violation::StrIdentity)
            .refuses(equal(get(2), get(0)), Violation::StrIdentity)
            .refuses(equal(get(0), code().i32(1)), Violation::NotAReference(I32))
            .refuses(equal(code().i32(1), get(0)), Violation::NotAReference(I32))
            .refuses(equal(code(), code()), Violation::MissingOperand(Type::OptAny))
            .refuses(equal(code(), get(0)), Violation::MissingOperand(Type::OptAny))
            .refuses(append(get(0), get(0)).put(instr).set(5), mismatch(I32, Type::Bool));
    }
}

fn casts(c: &mut Corpus) {
    let castable = |from, to| Violation::NotCastable { from, to };
    let (shape, circle) = (Type::Ref(SHAPE), Type::Ref(CIRCLE));
    c.world(&[shape, Type::OptAny, OPT_BUF, BUF], &[], &[circle, I32])
        .accepts(code().get(0).put(Instr::As(circle)).set(4))
        .accepts(code().get(1).put(Instr::As(STR)).discard())
        .accepts(code().take(2).put(Instr::As(BUF)).set(3))
        .refuses(code().get(0).put(Instr::As(shape)).set(4), mismatch(circle, shape))
        .refuses(code().get(0).put(Instr::As(I32)).discard(), castable(shape, I32))
        .refuses(code().get(0).put(Instr::As(BUF)).discard(), castable(shape, BUF))
        .refuses(code().i32(1).put(Instr::As(circle)).discard(), castable(I32, circle))
        .refuses(code().take(2).put(Instr::As(Type::Any)).discard(), castable(OPT_BUF, Type::Any))
        .refuses(code().take(2).put(Instr::As(OPT_BUF)).discard(), castable(OPT_BUF, OPT_BUF))
        .refuses(code().take(3).put(Instr::As(BUF)).discard(), castable(BUF, BUF))
        .refuses(code().put(Instr::As(circle)).discard(), Violation::MissingOperand(Type::OptAny))
        .accepts(code().get(0).put(Instr::Is(circle)).discard())
        .accepts(code().get(1).put(Instr::Is(Type::OptStr)).discard())
        .refuses(code().get(0).put(Instr::Is(circle)).set(5), mismatch(I32, Type::Bool))
        .refuses(code().get(0).put(Instr::Is(I32)).discard(), castable(shape, I32))
        .refuses(code().take(2).put(Instr::Is(BUF)).discard(), Violation::NotAReference(OPT_BUF))
        .refuses(code().put(Instr::Is(circle)).discard(), Violation::MissingOperand(Type::OptAny));
}

/// The local of `if.as` is assigned in the first branch only.
fn casting_branches(c: &mut Corpus) {
    let circle = Type::Ref(CIRCLE);
    let branch = |ty, local| code().get(0).put(Instr::IfAs(ty, LocalId(local)));
    let read = |body: Code| body.get(3).discard();
    let unset = || Violation::Unset(LocalId(3));
    c.world(&[Type::OptAny, OPT_BUF, Type::Bool], &[], &[Type::Ref(SHAPE), BUF, Type::BufRef, I32])
        .refuses(code(), Violation::TypeNotAllowed { place: "a local", ty: Type::BufRef });
    c.world(&[Type::OptAny, OPT_BUF, Type::Bool], &[], &[Type::Ref(SHAPE), BUF, I32])
        .accepts(read(branch(circle, 3)).end())
        .accepts(read(append(branch(circle, 3).put(Instr::Else), new_shape()).set(3).end()))
        .refuses(read(branch(circle, 3).put(Instr::Else)).end(), unset())
        .refuses(read(branch(circle, 3).end()), unset())
        .refuses(branch(Type::Any, 3).end(), mismatch(Type::Ref(SHAPE), Type::Any))
        .refuses(branch(circle, 9).end(), missing("local", 9, 6))
        .refuses(branch(Type::Ref(TypeId(99)), 3).end(), missing("type", 99, 17))
        .refuses(code().i32(1).put(Instr::IfAs(circle, LocalId(3))).end(), {
            Violation::NotCastable { from: I32, to: circle }
        })
        .refuses(code().put(Instr::IfAs(circle, LocalId(3))).end(), Violation::MissingOperand(Type::OptAny))
        .refuses(append(code().i32(1), branch(circle, 3)).end(), Violation::LeftOver(1))
        .refuses(append(code().put(Instr::While), branch(circle, 3)), Violation::StatementInTree)
        .accepts(code().take(1).put(Instr::IfAs(BUF, LocalId(4))).take(4).discard().end())
        .refuses(code().take(1).put(Instr::IfAs(BUF, LocalId(4))).end().take(4).discard(), Violation::Moved(LocalId(4)))
        .refuses(
            code().take(1).put(Instr::IfAs(BUF, LocalId(4))).end().take(1).discard(),
            Violation::Moved(LocalId(1)),
        );
}

fn freezing(c: &mut Corpus) {
    let freeze = |ty| (ty, code().get(0));
    for ty in [Type::Ref(POINT), Type::Opt(POINT), Type::Ref(POINTS), Type::Ref(INTS), STR, Type::OptStr] {
        c.world(&[ty], &[], &[]).accepts(code().get(0).put(Instr::Freeze).set(0));
    }
    for ty in [Type::Ref(SHAPE), Type::Ref(MUT_INTS), Type::Ref(SHAPES), Type::Any, Type::Ref(CAP), Type::Ref(F_INT)] {
        c.world(&[ty], &[], &[]).refuses(freeze(ty).1.put(Instr::Freeze).set(0), Violation::NotSendable(ty));
    }
    c.world(&[], &[], &[I64])
        .refuses(code().i32(1).put(Instr::Freeze).discard(), Violation::NotAReference(I32))
        .refuses(code().put(Instr::Freeze).discard(), Violation::MissingOperand(Type::OptAny))
        .refuses(code().str(0).put(Instr::Freeze).set(0), mismatch(I64, STR));
}

/// A value goes wherever one of a supertype is wanted.
fn subtypes_fit(c: &mut Corpus) {
    let fit = [
        (Type::Ref(CIRCLE), Type::Ref(SHAPE)),
        (Type::Ref(CIRCLE), Type::Opt(SHAPE)),
        (Type::Opt(CIRCLE), Type::Opt(SHAPE)),
        (Type::Ref(CIRCLE), Type::Any),
        (Type::Ref(CIRCLES), Type::Ref(SHAPES)),
        (Type::Ref(CAP), Type::Ref(LESS)),
        (Type::Ref(CAP), Type::Any),
        (Type::Ref(F_INT), Type::OptAny),
        (STR, Type::OptStr),
        (STR, Type::Any),
        (Type::OptStr, Type::OptAny),
        (BUF, OPT_BUF),
    ];
    let apart = [
        (Type::Ref(SHAPE), Type::Ref(CIRCLE)),
        (Type::Opt(SHAPE), Type::Ref(SHAPE)),
        (Type::Ref(INTS), Type::Ref(MUT_INTS)),
        (Type::Ref(MUT_INTS), Type::Ref(INTS)),
        (Type::Ref(SHAPES), Type::Ref(CIRCLES)),
        (Type::Ref(LESS), Type::Ref(CAP)),
        (Type::Ref(CAP), Type::Ref(CAP_OTHER)),
        (Type::Ref(F_INT), Type::Ref(F_TWO)),
        (Type::Any, STR),
        (Type::OptAny, Type::Any),
        (OPT_BUF, BUF),
        (BUF, Type::Any),
        (I32, Type::Any),
        (I32, I64),
    ];
    let value = |ty: Type| if ty.is_affine() { code().take(0) } else { code().get(0) };
    for (sub, sup) in fit.into_iter().chain(apart) {
        let same = fit.contains(&(sub, sup));
        let mut check = |results: &[Type], locals: &[Type], body: Code| match same {
            true => _ = c.world(&[sub], results, locals).accepts(body),
            false => _ = c.world(&[sub], results, locals).refuses(body, mismatch(sup, sub)),
        };
        check(&[], &[sup], value(sub).set(1));
        check(&[sup], &[], value(sub).ret());
        check(&[], &[], cond(sup, code().yes(), value(sub), value(sub)).discard());
    }
}

fn nulls(c: &mut Corpus) {
    for ty in [Type::OptStr, Type::OptAny, Type::OptBuf, Type::Opt(SHAPE)] {
        c.world(&[], &[], &[]).tree(&[], Instr::Null(ty), ty);
    }
    for ty in [I32, STR, BUF, Type::BufRef, Type::Any, Type::Ref(SHAPE)] {
        c.world(&[], &[], &[]).refuses(null(ty).discard(), Violation::NotNullable(ty));
    }
}

fn lanes(c: &mut Corpus) {
    let v128 = || (Type::V128, code().get(0));
    let op = |op, lane| code().get(0).put(Instr::Op(op, Immediate { lane, ..Immediate::default() })).discard();
    let last_lane_high = |lane| {
        let mut lanes = [0; 16];
        lanes[15] = lane;
        lanes
    };
    c.world(&[Type::V128], &[], &[])
        .accepts(op(Op::I8x16ExtractLaneS, 15))
        .refuses(op(Op::I8x16ExtractLaneS, 16), Violation::Lane { lane: 16, lanes: 16 })
        .accepts(op(Op::F64x2ExtractLane, 1))
        .refuses(op(Op::F64x2ExtractLane, 2), Violation::Lane { lane: 2, lanes: 2 })
        .tree(&[v128(), v128()], Instr::Shuffle(last_lane_high(31)), Type::V128)
        .refuses(
            code().get(0).get(0).put(Instr::Shuffle(last_lane_high(32))).discard(),
            Violation::Lane { lane: 32, lanes: 32 },
        );
}

/// Whatever names a type names one of the table.
fn types_exist(c: &mut Corpus) {
    let ty = TypeId(17);
    for instr in [
        Instr::Null(Type::Opt(ty)),
        Instr::StructNew(ty),
        Instr::FieldGet(ty, FieldId(0)),
        Instr::FieldTake(ty, FieldId(0)),
        Instr::FieldSet(ty, FieldId(0)),
        Instr::ArrayNew(ty),
        Instr::ArrayOf(ty, 0),
        Instr::ArrayGet(ty),
        Instr::ArrayTake(ty),
        Instr::ArraySet(ty),
        Instr::Is(Type::Ref(ty)),
        Instr::As(Type::Ref(ty)),
        Instr::FuncRef(FuncId(0), ty),
        Instr::CallRef(ty),
        Instr::ReturnCallRef(ty),
        Instr::Cap(UseId(0), ty),
        Instr::Attenuate(ty),
        Instr::SendTo(ty, 1),
        Instr::TryTo(ty, 1),
        Instr::Cond(Type::Ref(ty)),
    ] {
        c.world(&[], &[], &[]).refuses(code().put(instr), missing("type", 17, 17));
    }
    c.world(&[], &[], &[])
        .refuses(code().call_ref_set(17, &[]), missing("type", 17, 17))
        .refuses(code().send_to_set(17, 1, &[]), missing("type", 17, 17))
        .refuses(code().try_to_set(17, 1, &[]), missing("type", 17, 17));
}

fn globals_are_constant(c: &mut Corpus) {
    let with = |mutable, ty, init: Code| {
        let mut module = world();
        module.globals.push(global(mutable, ty, init));
        module
    };
    let point = Type::Ref(POINT);
    for (ty, init) in [
        (I32, code().i32(1)),
        (I64, code().i64(1)),
        (Type::F32, code().put(Instr::F32Const(1))),
        (Type::F64, code().put(Instr::F64Const(1))),
        (Type::Bool, code().yes()),
        (STR, code().str(0)),
        (Type::Any, code().str(0)),
        (Type::Opt(SHAPE), null(Type::Opt(SHAPE))),
        (Type::Ref(F_INT), code().put(Instr::FuncRef(FuncId(0), F_INT))),
        (point, new_point()),
        (Type::Ref(POINTS), new_point().put(Instr::ArrayOf(POINTS, 1))),
        (Type::Ref(MUT_INTS), code().i32(1000).i32(0).put(Instr::ArrayNew(MUT_INTS))),
    ] {
        c.accepts(with(false, ty, init));
    }
    c.refuses(with(false, I64, code().i32(1)), mismatch(I64, I32));
    c.refuses(with(false, I64, code()), Violation::MissingOperand(I64));
    let two = global(false, I64, code().i64(1).i64(1));
    c.refuses(Module { globals: vec![two], ..Module::default() }, Violation::LeftOver(1));
    c.refuses(with(false, STR, code().str(9)), missing("literal", 9, 1));
    c.refuses(with(false, BUF, code()), Violation::TypeNotAllowed { place: "a global", ty: BUF });
    let borrowed = Violation::TypeNotAllowed { place: "a global", ty: Type::BufRef };
    c.refuses(with(true, Type::BufRef, code()), borrowed);
    c.refuses(with(false, OPT_BUF, null(OPT_BUF)), Violation::ImmutableBuf("a global"));
    c.refuses(with(false, Type::Opt(TypeId(99)), code()), missing("type", 99, 17));
    let mut cut = with(false, I64, code().i64(1));
    if let Some(last) = cut.globals.last_mut() {
        last.init.pop();
    }
    let truncated = il::instr::DecodeError::Number(il::leb::LebError::Truncated);
    c.refuses(cut, Violation::Malformed(truncated));
    not_constant(c, with);
}

/// Everything else is refused there, by its first byte.
fn not_constant(c: &mut Corpus, with: impl Fn(bool, Type, Code) -> Module) {
    let allowed = ["I32Const", "I64Const", "F32Const", "F64Const", "BoolConst", "StrConst", "Null"];
    let made = ["FuncRef", "StructNew", "ArrayNew", "ArrayOf"];
    for line in il::instr::TABLE {
        if allowed.contains(&line.name) || made.contains(&line.name) {
            continue;
        }
        let mut bytes = vec![line.code];
        for (_, kind) in line.immediates {
            match *kind {
                "type" => bytes.push(1),
                "lanes" => bytes.extend([0; 16]),
                _ => bytes.push(0),
            }
        }
        let mut module = with(false, I32, code());
        if let Some(last) = module.globals.last_mut() {
            last.init = bytes;
        }
        c.refuses(module, Violation::NotConstant);
    }
    c.refuses(with(false, I32, code().i32(1).op(Op::I32Neg)), Violation::NotConstant);
}

fn function_references(c: &mut Corpus) {
    let wrong = |func, expected| Violation::FuncType { func: FuncId(func), expected };
    c.world(&[], &[], &[])
        .tree(&[], Instr::FuncRef(FuncId(0), F_INT), Type::Ref(F_INT))
        .refuses(code().put(Instr::FuncRef(FuncId(0), F_TWO)).discard(), wrong(0, F_TWO))
        .refuses(code().put(Instr::FuncRef(FuncId(99), F_INT)).discard(), missing("function", 99, 10))
        .refuses(code().put(Instr::FuncRef(FuncId(4), F_INT)).discard(), Violation::CallsEntry("func 4".into()))
        .refuses(
            code().put(Instr::FuncRef(FuncId(0), INTS)).discard(),
            Violation::WrongKind { expected: "a function type", found: INTS },
        )
        .refuses(code().put(Instr::StrConst(StrId(5))).discard(), missing("literal", 5, 1));
}
