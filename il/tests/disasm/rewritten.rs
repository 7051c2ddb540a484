//! Code that text has no words for: rewritten, taken apart, or listed.

use std::fs;
use std::path::Path;

use il::instr::Instr;
use il::op::Op;
use il::{Export, FieldId, FuncId, GlobalId, LocalId, Module, Type, limits};
use interp::{Datum, Limits, Machine, Outcome};

use super::built::{NAMED, def, exact, objects};
use super::common::{Code, code, func};
use super::instructions::{NONE, OPT_POINT, null};
use super::{again, compile};

/// What a function of a module gives.
fn outcome(module: &Module, at: FuncId, args: &[Datum]) -> String {
    let verified = il::verify(module.clone()).unwrap();
    let mut machine = Machine::new(&verified, Limits { check: true, ..Limits::default() }).unwrap();
    match machine.call(at, args).unwrap() {
        Outcome::Done(values) => format!("{values:?}"),
        Outcome::Trap(report) => format!("{:?}", report.kind),
        other => panic!("{other:?}"),
    }
}

/// What comes of a function that changes on its way through text; with each of these arguments it does what it did.
#[track_caller]
fn rewritten(params: &[Type], results: &[Type], locals: &[Type], body: Code, runs: &[&[Datum]]) -> String {
    let mut module = objects();
    let at = FuncId(module.funcs.len() as u32);
    module.funcs.push(func(params, results, locals, body));
    module.exports.push(Export { name: "added".into(), func: at });
    let (text, second) = again(&module);
    for args in runs {
        let found = second.export("added").unwrap();
        assert_eq!(outcome(&module, at, args), outcome(&second, found, args), "{args:?}: {text}");
    }
    let from = text.find("export func added").unwrap();
    text[from..].to_owned()
}

/// A new struct of [`objects`].
fn named(code: Code) -> Code {
    let code = code.i32(1).i64(2).put(null(Type::OptBuf)).i32(3).str(0);
    code.put(Instr::StructNew(def::NAMED))
}

#[test]
fn forms_without_words_are_rewritten() {
    use Datum::{Bool, I32};

    // A swap of parameters.
    let swap = code().get(1).get(0).set_all(&[Some(LocalId(0)), Some(LocalId(1))]).get(0).get(1).op(Op::I32Sub).ret();
    let text = rewritten(&[Type::I32, Type::I32], &[Type::I32], NONE, swap, &[&[I32(3), I32(5)]]);
    assert!(text.contains("var t0_2 = t0\n") && text.contains("t0_2 = v\n"), "{text}");

    // A local of no value at hand, assigned in both branches.
    let choice = named(code().get(0).put(Instr::If)).set(1).i32(1).discard().put(Instr::Else);
    let choice = named(choice).set(1).i32(2).discard().end().get(1).put(Instr::FieldGet(def::NAMED, FieldId(4))).ret();
    let text = rewritten(&[Type::Bool], &[Type::Str], &[NAMED], choice, &[&[Bool(true)], &[Bool(false)]]);
    assert!(text.contains(": ?S1 = null") && text.contains("return (t1 as S1).f4"), "{text}");

    // A loop's local that the loop changes, and one that is read behind it.
    let count =
        code().i32(0).set(1).i32(0).set(2).i32(0).get(0).put(Instr::For(LocalId(1))).get(1).get(2).op(Op::I32Add);
    let count = count.set(2).i32(40).set(1).end().get(1).get(2).op(Op::I32Add).ret();
    let text = rewritten(&[Type::I32], &[Type::I32], &[Type::I32; 2], count, &[&[I32(5)], &[I32(0)]]);
    assert!(text.contains("for v in 0..t0 {\n    t1 = v"), "{text}");

    // A local that `if.as` assigns and others too.
    let binds = code().put(null(Type::OptAny)).set(1).get(0).put(Instr::IfAs(Type::Str, LocalId(1))).end();
    let binds = binds.get(1).put(Instr::Is(Type::Str)).ret();
    let text = rewritten(&[Type::Str], &[Type::Bool], &[Type::OptAny], binds, &[&[Datum::Str("a".into())]]);
    assert!(text.contains("if let v = t0 as str {\n    t1 = v"), "{text}");

    // A call at the root, a choice at the root, a `switch` without `default`.
    let mut root = code().i32(1);
    root.writer().call_set(FuncId(0), &[Some(LocalId(1))]);
    let root = root.put(Instr::Cond(Type::I32)).get(0).put(Instr::Test).get(1).put(Instr::Else).i32(2).end().set(1);
    let root = root.get(1).put(Instr::Switch).arm(&[2]).i32(7).set(1).end().get(1).ret();
    let text = rewritten(&[Type::Bool], &[Type::I32], &[Type::I32], root, &[&[Bool(true)], &[Bool(false)]]);
    assert!(text.contains("_ => {}"), "{text}");
}

#[test]
fn deep_expressions_are_taken_apart_in_order() {
    use Datum::{Bool, I32};

    // Functions below one another, after something that one of them changes.
    let chain =
        |code: Code, height| (0..height).fold(code.get(1), |code, _| code.put(Instr::Call(FuncId(0))).op(Op::I32Clz));
    let runs: &[&[Datum]] = &[&[Bool(true), I32(77)], &[Bool(false), I32(-1)]];
    let sum = chain(code().put(Instr::GlobalGet(GlobalId(0))), 450).op(Op::I32Sub).ret();
    let text = rewritten(&[Type::Bool, Type::I32], &[Type::I32], NONE, sum, runs);
    assert!(text.find("= g0").unwrap() < text.find("f0(").unwrap() && text.lines().count() > 30, "{text}");

    let choice = code().put(Instr::GlobalGet(GlobalId(0))).put(Instr::Cond(Type::I32)).get(0).put(Instr::Test);
    let choice = chain(chain(choice, 90).put(Instr::Else), 91).end().op(Op::I32Sub).ret();
    let text = rewritten(&[Type::Bool, Type::I32], &[Type::I32], NONE, choice, runs);
    assert!(text.find("= g0").unwrap() < text.find("if t0 {").unwrap(), "{text}");

    let tested = chain(code().put(Instr::While), 90).i32(0).op(Op::I32LtS).put(Instr::Test).i32(-1).set(1).end();
    let text = rewritten(&[Type::Bool, Type::I32], NONE, NONE, tested, runs);
    assert!(text.contains("loop {") && text.contains("break"), "{text}");
}

/// What a loop's turn assigns anew is declared inside the loop: of a turn before, nothing is left.
#[test]
fn a_local_is_declared_around_its_uses() {
    let assigned = |code: Code, size| code.i32(size).op(Op::BufNew).set(1).i32(size).discard();
    let both_ways = assigned(assigned(code().put(Instr::Loop).get(0).put(Instr::If), 3).put(Instr::Else), 4).end();
    let body = both_ways.take(1).discard().get(0).put(Instr::If).put(Instr::Break(0)).end().end();
    let text = rewritten(&[Type::Bool], NONE, &[Type::Buf], body, &[&[Datum::Bool(true)]]);
    assert!(text.contains("  loop {\n    var t1 = buf(0)\n    if t0 {\n      t1 = buf(3)\n"), "{text}");
}

/// A `null` on the left tells the right nothing, and needs no name itself.
#[test]
fn a_null_is_compared_with_a_choice_of_nulls() {
    let choice = code().put(null(OPT_POINT)).put(Instr::Cond(OPT_POINT)).get(0).put(Instr::Test).put(null(OPT_POINT));
    let body = choice.put(Instr::Else).put(null(OPT_POINT)).end().put(Instr::RefEq).ret();
    let text = exact(&[Type::Bool], &[Type::Bool], NONE, body);
    assert!(text.contains("return null == (if t0 { null as ?Point } else { null })"), "{text}");
}

/// Runs with a small stack, which what recurses too deeply exceeds. Unoptimised frames are several times as large.
pub fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    let bytes = if cfg!(debug_assertions) { 2 << 20 } else { 1 << 20 };
    std::thread::Builder::new().stack_size(bytes).spawn(run).unwrap().join().unwrap();
}

/// The verifier allows for more than text holds: such bodies are listed, or taken apart, and nothing recurses with them.
#[test]
fn the_deepest_modules_are_shown() {
    let constructs: [fn(Code) -> Code; 4] = [
        |code| code.put(Instr::Block),
        |code| code.put(Instr::Loop),
        |code| code.get(0).put(Instr::If),
        |code| code.get(0).put(Instr::If).put(Instr::Else),
    ];
    for open in constructs {
        for depth in [limits::SOURCE_NESTING, 2 * limits::SOURCE_NESTING, limits::NESTING] {
            let deep = (0..depth).fold((0..depth).fold(code(), |code, _| open(code)), |code, _| code.end());
            let module = Module { funcs: vec![func(&[Type::Bool], &[], &[], deep)], ..Module::default() };
            on_small_stack(move || {
                il::verify(module.clone()).unwrap();
                assert!(il::disasm::module(&module).contains("has no text"));
            });
        }
    }
    let open = |code: Code| code.put(Instr::Cond(Type::Bool));
    let close = |code: Code| code.put(Instr::Test).yes().put(Instr::Else).yes().end();
    // As high as trees may be, most of it in the conditions.
    for depth in [limits::SOURCE_NESTING, limits::EXPRESSION_DEPTH - 1] {
        let deep = (0..depth).fold((0..depth).fold(code(), |code, _| open(code)).yes(), |code, _| close(code));
        let module = Module { funcs: vec![func(&[], &[], &[], deep.discard())], ..Module::default() };
        on_small_stack(move || {
            il::verify(module.clone()).unwrap();
            assert!(!il::disasm::module(&module).is_empty());
        });
    }
    let select = |code: Code| code.i32(1).get(0).put(Instr::Select(Type::I32));
    let tall = (0..limits::EXPRESSION_DEPTH).fold(code().i32(1), |code, _| select(code)).discard();
    let module = Module { funcs: vec![func(&[Type::Bool], &[], &[], tall)], ..Module::default() };
    on_small_stack(move || _ = again(&module));
}

#[test]
fn what_has_no_text_is_listed() {
    // Deeper than text nests.
    let opened = (0..200).fold(code(), |code, _| code.get(0).put(Instr::If));
    let deep = (0..200).fold(opened, |code, _| code.end());
    let module = Module { funcs: vec![func(&[Type::Bool], &[], &[], deep)], ..Module::default() };
    il::verify(module.clone()).unwrap();
    assert!(il::disasm::module(&module).contains("// 0: Get(LocalId(0))"));

    let broken = func(&[], &[], &[], code().op(Op::I32Add));
    let module = Module { funcs: vec![broken], ..Module::default() };
    assert!(il::disasm::module(&module).contains("// 0: Op(I32Add"));

    let hostile = Module { name: "a\u{1b}[2J\nfunc".into(), ..Module::default() };
    assert!(!il::disasm::module(&hostile).contains(['\u{1b}']), "names cannot act on a terminal");
}

/// Any bytes that are a module's give some text.
#[test]
fn damaged_modules_are_shown_all_the_same() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text/arrays.il")).unwrap();
    let module = compile("arrays.il", &source).unwrap();
    let mut shown = 0;
    for at in 0..module.funcs.len() {
        for byte in 0..module.funcs[at].body.len() {
            for flip in [1, 7, 0x40] {
                let mut damaged = module.clone();
                damaged.funcs[at].body[byte] ^= flip;
                shown += il::disasm::module(&damaged).len();
            }
        }
    }
    assert!(shown > 0);
    for at in 0..module.types.len() {
        let mut damaged = module.clone();
        damaged.types.remove(at);
        assert!(!il::disasm::module(&damaged).is_empty());
    }
}
