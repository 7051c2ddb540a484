//! Type tests: every static type against every target, on every kind of value.

mod support;

use il::instr::Instr;
use il::op::Op;
use il::trap::TrapKind;
use il::{
    ArrayDef, CapDef, FuncId, Hierarchy, IsaId, LocalId, Module, Signature, Storage, StructDef, StructField, Type,
    TypeDef, TypeId, UseId,
};
use support::build::{Build, get, instruction, op};
use support::{End, Vm, all_options};

const BASE: u32 = 0;
const MIDDLE: u32 = 1;
const LEAF: u32 = 2;
const OTHER: u32 = 3;
const COLD: u32 = 4;
const COLDER: u32 = 5;
const BASES: u32 = 6;
const LEAVES: u32 = 7;
const COLDS: u32 = 8;
const BYTES: u32 = 9;
const WHOLE: u32 = 10;
const PART: u32 = 11;
const MAKER: u32 = 12;

fn types() -> Vec<TypeDef> {
    let field = |storage| StructField { mutable: false, storage };
    let number = || vec![field(Storage::Value(Type::I32))];
    let structure = |parent: Option<u32>, frozen, fields| {
        let name = if frozen { "Frozen".into() } else { String::new() };
        TypeDef::Struct(StructDef { parent: parent.map(TypeId), frozen, name, fields })
    };
    let array = |mutable, element| TypeDef::Array(ArrayDef { mutable, element });
    let cap = |instructions: &[u8]| TypeDef::Cap(CapDef { isa: IsaId(0), instructions: instructions.to_vec() });
    vec![
        structure(None, false, number()),
        structure(Some(BASE), false, number()),
        structure(Some(MIDDLE), false, vec![]),
        structure(Some(BASE), false, number()),
        structure(Some(BASE), true, vec![]),
        structure(Some(COLD), true, number()),
        array(false, Storage::Value(Type::Ref(TypeId(BASE)))),
        array(false, Storage::Value(Type::Ref(TypeId(LEAF)))),
        array(false, Storage::Value(Type::Ref(TypeId(COLDER)))),
        array(true, Storage::U8),
        cap(&[1, 2]),
        cap(&[1]),
        TypeDef::Func(Signature { params: vec![], results: vec![Type::I32] }),
    ]
}

/// Values: what makes one, its dynamic type, whether it may be frozen.
fn makers() -> Vec<(Vec<Instr<'static>>, Type, bool)> {
    let number = Instr::I32Const;
    let new = |id: u32, fields: usize| {
        let mut make: Vec<Instr> = (0..fields as i32).map(number).collect();
        make.push(Instr::StructNew(TypeId(id)));
        make
    };
    let one = |mut element: Vec<Instr<'static>>, id: u32| {
        element.push(Instr::ArrayOf(TypeId(id), 1));
        element
    };
    let of = |id: u32| Type::Ref(TypeId(id));
    vec![
        (new(BASE, 1), of(BASE), false),
        (new(MIDDLE, 2), of(MIDDLE), false),
        (new(LEAF, 2), of(LEAF), false),
        (new(OTHER, 2), of(OTHER), false),
        (new(COLD, 1), of(COLD), true),
        (new(COLDER, 2), of(COLDER), true),
        (one(new(BASE, 1), BASES), of(BASES), false),
        (one(new(LEAF, 2), LEAVES), of(LEAVES), false),
        (one(new(COLDER, 2), COLDS), of(COLDS), true),
        (vec![number(3), number(0), Instr::ArrayNew(TypeId(BYTES))], of(BYTES), false),
        (vec![Instr::StrConst(il::StrId(0))], Type::Str, false),
        (vec![number(55), op(Op::StrFromI32)], Type::Str, true),
        (vec![Instr::Cap(UseId(0), TypeId(WHOLE))], of(WHOLE), false),
        (vec![Instr::Cap(UseId(0), TypeId(WHOLE)), Instr::Attenuate(TypeId(PART))], of(PART), false),
        (vec![Instr::FuncRef(FuncId(0), TypeId(MAKER))], of(MAKER), false),
    ]
}

fn targets() -> Vec<Type> {
    let mut all = vec![Type::Str, Type::OptStr, Type::Any, Type::OptAny];
    for id in 0..types().len() as u32 {
        all.extend([Type::Ref(TypeId(id)), Type::Opt(TypeId(id))]);
    }
    all
}

fn base() -> Build {
    let mut build = Build::new();
    build.module.types = types();
    build.literal("text");
    build.uses(
        "test.device",
        vec![instruction(1, "one", &[], None), instruction(2, "two", &[], Some(&[Type::I32]))],
        vec![],
    );
    build.func("one", &[], &[Type::I32], &[], &[Instr::I32Const(1), Instr::Return]);
    build
}

struct Case {
    name: String,
    what: String,
    /// Whether the value passes.
    expected: bool,
}

/// A module of some cases: each function makes a value, passes it as `from`, and tests it for `to` in three ways.
fn module(cases: &mut Vec<Case>, value: usize, freeze: bool, null: bool) -> Module {
    let mut build = base();
    let hierarchy = Hierarchy::new(&build.module.types);
    let (make, dynamic, _) = makers()[value].clone();
    let mut sources = targets();
    sources.retain(|from| if null { from.is_nullable() } else { hierarchy.is_subtype(dynamic, *from) });
    for from in sources {
        // test(v: from, to) -> (is, if as, as)
        for to in targets() {
            let expected = if null { to.is_nullable() } else { hierarchy.is_subtype(dynamic, to) };
            let name = format!("case_{}", cases.len());
            let mut make: Vec<Instr> = if null { vec![Instr::Null(from)] } else { make.clone() };
            if freeze {
                make.push(Instr::Freeze);
            }
            let id = build.module.funcs.len() as u32;
            let test = [
                get(0),
                Instr::Is(to),
                Instr::If,
                get(0),
                Instr::IfAs(to, LocalId(1)),
                get(0),
                get(1),
                Instr::RefEq,
                Instr::Return,
                Instr::End,
                Instr::BoolConst(false),
                Instr::Return,
                Instr::End,
                get(0),
                Instr::IfAs(to, LocalId(1)),
                Instr::BoolConst(true),
                Instr::Return,
                Instr::End,
                get(0),
                Instr::As(to),
                Instr::Is(Type::OptAny),
                Instr::Return,
            ];
            let textual = from.non_null() == Type::Str || to.non_null() == Type::Str;
            let simple = [
                get(0),
                Instr::Is(to),
                Instr::If,
                get(0),
                Instr::As(to),
                Instr::Is(to),
                Instr::Return,
                Instr::End,
                get(0),
                Instr::IfAs(to, LocalId(1)),
                Instr::BoolConst(true),
                Instr::Return,
                Instr::End,
                get(0),
                Instr::As(to),
                Instr::Is(Type::OptAny),
                Instr::Return,
            ];
            let body = if textual { &simple[..] } else { &test[..] };
            build.func("", &[from], &[Type::Bool], &[to], body);
            build.module.exports.pop();
            make.extend([Instr::Call(FuncId(id)), Instr::Return]);
            build.func(&name, &[], &[Type::Bool], &[], &make);
            cases.push(Case { name, what: format!("{from} as {to}"), expected });
        }
    }
    build.module
}

fn check(value: usize, freeze: bool, null: bool) -> usize {
    let mut cases = Vec::new();
    let module = module(&mut cases, value, freeze, null);
    for options in all_options().into_iter().step_by(4) {
        let mut vm = Vm::with(module.clone(), &options);
        for case in &cases {
            let expected = if case.expected { Ok(1) } else { Err(TrapKind::Cast) };
            let what = format!("{:?} frozen {freeze} null {null}: {}", makers()[value].1, case.what);
            assert_eq!(vm.eval(&case.name, &[]), expected, "{what}");
        }
    }
    cases.len()
}

#[test]
fn every_value_is_of_its_types_and_no_other() {
    let mut count = 0;
    for (value, (_, _, may_freeze)) in makers().iter().enumerate() {
        count += check(value, false, false);
        if *may_freeze {
            count += check(value, true, false);
        }
    }
    count += check(0, false, true);
    assert!(count > 2000, "{count}");
}

#[test]
fn freezing_keeps_values_and_identity() {
    let mut build = base();
    let cold = TypeId(COLDER);
    // frozen = freeze(new); again = freeze(frozen); (frozen is again, frozen.1, freeze(null) is null)
    let mut writer = il::instr::Writer::default();
    for instr in [Instr::I32Const(4), Instr::I32Const(9), Instr::StructNew(cold), Instr::Freeze] {
        writer.push(instr);
    }
    writer.set(&[Some(LocalId(0))]);
    for instr in [get(0), get(0), Instr::Freeze, Instr::RefEq, get(0), Instr::FieldGet(cold, il::FieldId(1))] {
        writer.push(instr);
    }
    for instr in [Instr::Null(Type::Opt(cold)), Instr::Freeze, Instr::Is(Type::Any), Instr::Return] {
        writer.push(instr);
    }
    build.func_bytes("run", &[], &[Type::Bool, Type::I32, Type::Bool], &[Type::Ref(cold)], writer.bytes);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.run("run", &[]), End::Done);
        assert_eq!([0, 1, 2].map(|at| vm.value(at)), [1, 9, 0]);
    }
}
