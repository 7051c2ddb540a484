//! The verifier: its verdict on every case of the corpus, and what it tells people.

mod common;

use common::{code, device_module, func};
use il::instr::Instr;
use il::op::Op;
use il::verify::claims;
use il::{FuncId, LocalId, Names, Type};

const BUF: Type = Type::Buf;

#[test]
fn verdicts_are_right() {
    let mut wrong = 0;
    for case in common::corpus::all().cases {
        let said = common::rule(&case.module);
        if !case.agrees(&said) {
            println!("{}: the verifier says {said:?}", case.at);
            wrong += 1;
        }
    }
    assert_eq!(wrong, 0, "wrong verdicts");
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    let mut module = device_module();
    module.funcs.push(func(&[BUF], &[], &[], code().take(0).discard().take(0).discard()));
    module.names = Some(Names {
        files: vec!["move.il".into()],
        funcs: vec!["f".into(), "g".into(), "give".into()],
        locals: vec![vec![], vec![], vec!["data".into()]],
        lines: vec![vec![], vec![], vec![(0, 7), (5, 8)]],
        ..Names::default()
    });
    let error = il::verify(module).unwrap_err();
    assert_eq!((error.func, error.offset, error.line), (Some(FuncId(2)), 5, Some(8)));
    assert_eq!(
        error.to_string(),
        "move.il:8: in `give`, byte 5 of its body: `data` has been moved (or was never assigned) on some path to here; \
         assign it anew, or move it later"
    );
}

#[test]
fn what_a_refused_module_calls_its_parts_is_shown_without_control_characters() {
    let mut module = device_module();
    let (files, funcs) = (vec!["a.il\u{1b}[2J".into()], vec!["f\u{7}".into()]);
    module.names = Some(Names { files, funcs, ..Names::default() });
    let error = il::verify(module.clone()).unwrap_err();
    assert!(error.to_string().starts_with(r"a.il\u{1b}[2J: the names section is wrong: "), "{error}");
    // Said before names are looked at.
    module.funcs.push(func(&[], &[], &[], code()));
    let at = FuncId(module.funcs.len() as u32 - 1);
    module.exports = vec![il::Export { name: "twice".into(), func: at }; 2];
    let said = il::verify(module).unwrap_err().to_string();
    assert!(said.contains("stands twice") && !said.contains(char::is_control), "{said}");
}

#[test]
fn errors_in_a_global_say_which_and_where() {
    let mut module = device_module();
    module.globals.push(common::global(false, Type::I32, code().i32(1).op(Op::I32Neg)));
    let error = il::verify(module).unwrap_err();
    assert_eq!((error.func, error.global, error.offset), (None, Some(il::GlobalId(2)), 2));
    assert_eq!(
        error.to_string(),
        "in global 2, byte 2 of its initial value: a global's initial value is made of constants, `null`, functions, \
         `new` and array literals only"
    );
}

/// Types are named as people write them, also in errors, and long ones are cut.
#[test]
fn types_are_written_for_people() {
    use common::corpus::world;
    let mut module = world::world();
    let names = |name: &str| il::TypeNames { name: name.into(), fields: vec!["x".into(), "y".into()] };
    module.names = Some(Names { types: vec![names("Shape"), names("Circle")], ..Names::default() });
    for (ty, text) in [
        (Type::Opt(world::SHAPE), "?Shape"),
        (Type::Ref(world::OTHER), "struct 2"),
        (Type::Ref(world::MUT_INTS), "mut [i32]"),
        (Type::Opt(world::CIRCLES), "?[Circle]"),
        (Type::Ref(world::BUFS), "mut [?buf]"),
        (Type::Ref(world::F_BUFS), "func(ref buf, buf)"),
        (Type::Ref(world::F_TWO), "func() -> (i32, i64)"),
        (Type::Ref(world::CAP), "test.device@1"),
        (Type::Ref(world::LESS), "test.device@1(put, get)"),
    ] {
        assert_eq!(module.type_text(ty), text);
    }
    let body = code().get(0).i32(1).put(Instr::FieldSet(world::CIRCLE, il::FieldId(0)));
    module.funcs.push(func(&[Type::Ref(world::CIRCLE)], &[], &[], body));
    let error = il::verify(module.clone()).unwrap_err();
    assert!(error.to_string().ends_with("field `x` of `Circle` is immutable; declare it `mut`"), "{error}");
    // Each of these has the one before it twice.
    for at in 17..60u32 {
        let inner = Type::Ref(il::TypeId(at - 1));
        module.types.push(world::signature(&[inner, inner], &[]));
    }
    assert!(module.type_text(Type::Ref(il::TypeId(59))).len() < 300);
}

#[test]
fn claims_are_what_holds_before_each_instruction() {
    let mut module = device_module();
    let body = code()
        .get(0) // 0
        .i64(7) // 2
        .put(Instr::Op(Op::I32FromI64, Default::default())) // 4
        .op(Op::I32Add) // 5
        .set(2) // 6
        .get(1) // 9
        .op(Op::BufLen) // 11
        .discard() // 12
        .take(1) // 15
        .discard() // 17
        .put(Instr::Return); // 20
    module.funcs.push(func(&[Type::I32, BUF], &[], &[Type::I32], body));
    let verified = il::verify(module).unwrap();
    let claims = claims(&verified, FuncId(2));
    let operands = |offset| claims.at(offset).map(|claim| claim.operands.to_vec());
    assert_eq!(operands(0), Some(vec![]));
    assert_eq!(operands(2), Some(vec![Type::I32]));
    assert_eq!(operands(4), Some(vec![Type::I32, Type::I64]));
    assert_eq!(operands(5), Some(vec![Type::I32, Type::I32]));
    assert_eq!(operands(6), Some(vec![Type::I32]));
    assert_eq!(operands(11), Some(vec![Type::BufRef]));
    assert_eq!(operands(17), Some(vec![BUF]));
    assert_eq!(operands(1), None, "no instruction starts there");
    let available = |offset, local| claims.at(offset).is_some_and(|claim| claim.is_available(LocalId(local)));
    assert!(available(0, 0) && available(0, 1) && !available(0, 2) && available(9, 2));
    assert!(available(15, 1) && !available(17, 1));
    let end = claims.at(21).unwrap();
    assert!(!end.is_reachable() && claims.at(20).unwrap().is_reachable());
}
