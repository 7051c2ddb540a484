//! Objects under a collector that moves everything at every chance: what lives across a call is found by stack maps.

mod support;

use il::instr::{Instr, Writer};
use il::op::Op;
use il::trap::TrapKind;
use il::{ArrayDef, FieldId, FuncId, GlobalId, LocalId, Storage, StructDef, StructField, Type, TypeDef, TypeId};
use support::build::{Build, get, op};
use support::{End, Vm, all_options};

const NODE: TypeId = TypeId(0);

fn field(mutable: bool, storage: Storage) -> StructField {
    StructField { mutable, storage }
}

fn of(ty: Type) -> Storage {
    Storage::Value(ty)
}

fn structure(parent: Option<TypeId>, fields: &[StructField]) -> TypeDef {
    TypeDef::Struct(StructDef { parent, frozen: false, name: String::new(), fields: fields.to_vec() })
}

fn array(mutable: bool, element: Storage) -> TypeDef {
    TypeDef::Array(ArrayDef { mutable, element })
}

fn set(writer: &mut Writer, local: u32) {
    writer.set(&[Some(LocalId(local))]);
}

/// A body from instructions and assignments.
enum Step {
    Do(Instr<'static>),
    Set(u32),
}

fn body(steps: Vec<Step>) -> Vec<u8> {
    let mut writer = Writer::default();
    for step in steps {
        match step {
            Step::Do(instr) => writer.push(instr),
            Step::Set(local) => set(&mut writer, local),
        }
    }
    writer.bytes
}

macro_rules! steps {
    ($($step:expr),* $(,)?) => { body(vec![$(Step::from($step)),*]) };
}

impl From<Instr<'static>> for Step {
    fn from(instr: Instr<'static>) -> Step {
        Step::Do(instr)
    }
}

/// Assigns a local.
struct To(u32);

impl From<To> for Step {
    fn from(to: To) -> Step {
        Step::Set(to.0)
    }
}

fn int(value: i32) -> Instr<'static> {
    Instr::I32Const(value)
}

/// Lists: `build(n)` makes one whose nodes hold `n - 1 .. 0`, with texts; `sum` walks it, making garbage.
fn lists() -> Build {
    let mut build = Build::new();
    let next = Type::Opt(NODE);
    build.module.types =
        vec![structure(None, &[field(true, of(next)), field(false, of(Type::I32)), field(true, of(Type::Str))])];
    let list = steps![
        Instr::Null(next),
        To(1),
        int(0),
        get(0),
        Instr::For(LocalId(2)),
        get(1),
        get(2),
        get(2),
        op(Op::StrFromI32),
        Instr::StructNew(NODE),
        To(1),
        Instr::End,
        get(1),
        Instr::Return,
    ];
    build.func_bytes("build", &[Type::I32], &[next], &[next, Type::I32], list);
    // total = 0; while list is Node { if list as node { total += value + len(concat(label, label)); list = next } }
    let sum = steps![
        int(0),
        To(1),
        Instr::While,
        get(0),
        Instr::Is(Type::Ref(NODE)),
        Instr::Test,
        get(0),
        Instr::IfAs(Type::Ref(NODE), LocalId(2)),
        get(1),
        get(2),
        Instr::FieldGet(NODE, FieldId(1)),
        op(Op::I32Add),
        get(2),
        Instr::FieldGet(NODE, FieldId(2)),
        get(2),
        Instr::FieldGet(NODE, FieldId(2)),
        op(Op::StrConcat),
        op(Op::StrLen),
        op(Op::I32Add),
        To(1),
        get(2),
        Instr::FieldGet(NODE, FieldId(0)),
        To(0),
        Instr::End,
        Instr::End,
        get(1),
        Instr::Return,
    ];
    build.func_bytes("sum", &[next], &[Type::I32], &[Type::I32, Type::Ref(NODE)], sum);
    let whole = steps![
        get(0),
        Instr::Call(FuncId(0)),
        To(1),
        get(1),
        Instr::Call(FuncId(1)),
        get(1),
        Instr::Call(FuncId(1)),
        op(Op::I32Add),
        Instr::Return,
    ];
    build.func_bytes("whole", &[Type::I32], &[Type::I32], &[next], whole);
    build
}

fn expected_sum(n: u64) -> u64 {
    (0..n).map(|at| at + 2 * at.to_string().len() as u64).sum()
}

#[test]
fn lists_survive_while_everything_moves() {
    for options in all_options() {
        let mut vm = Vm::with(lists().module, &options);
        for n in [0, 1, 2, 11, 120] {
            assert_eq!(vm.eval("whole", &[n]), Ok(2 * expected_sum(n)), "{n} {options:?}");
        }
        assert!(vm.heap.collections > 300);
        assert_eq!(vm.alive(), (0, 0));
    }
}

#[test]
fn trees_survive_recursion() {
    let mut build = Build::new();
    let tree = Type::Opt(NODE);
    build.module.types =
        vec![structure(None, &[field(false, of(tree)), field(false, of(tree)), field(false, of(Type::I64))])];
    // make(depth) = depth == 0 ? null : Node { make(depth - 1), make(depth - 1), depth }
    let make = steps![
        Instr::Cond(tree),
        get(0),
        int(0),
        op(Op::I32Eq),
        Instr::Test,
        Instr::Null(tree),
        Instr::Else,
        get(0),
        int(1),
        op(Op::I32Sub),
        Instr::Call(FuncId(0)),
        get(0),
        int(1),
        op(Op::I32Sub),
        Instr::Call(FuncId(0)),
        get(0),
        op(Op::I64FromI32S),
        Instr::StructNew(NODE),
        Instr::End,
        Instr::Return,
    ];
    build.func_bytes("make", &[Type::I32], &[tree], &[], make);
    let count = steps![
        get(0),
        Instr::IfAs(Type::Ref(NODE), LocalId(1)),
        get(1),
        Instr::FieldGet(NODE, FieldId(2)),
        get(1),
        Instr::FieldGet(NODE, FieldId(0)),
        Instr::Call(FuncId(1)),
        op(Op::I64Add),
        get(1),
        Instr::FieldGet(NODE, FieldId(1)),
        Instr::Call(FuncId(1)),
        op(Op::I64Add),
        Instr::Return,
        Instr::End,
        Instr::I64Const(0),
        Instr::Return,
    ];
    build.func_bytes("count", &[tree], &[Type::I64], &[Type::Ref(NODE)], count);
    let whole = steps![get(0), Instr::Call(FuncId(0)), Instr::Call(FuncId(1)), Instr::Return];
    build.func_bytes("whole", &[Type::I32], &[Type::I64], &[], whole);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        let expected = |depth: u64| (1..=depth).map(|level| level << (depth - level)).sum::<u64>();
        for depth in [0, 1, 5, 8] {
            assert_eq!(vm.eval("whole", &[depth]), Ok(expected(depth)), "{depth}");
        }
    }
}

/// What is stored, how an `i32` becomes it, and what reading it back gives.
type Stored = (Storage, Vec<Instr<'static>>, fn(i32) -> u64);

fn storages() -> Vec<Stored> {
    let word: fn(i32) -> u64 = |value| u64::from(value as u32);
    vec![
        (Storage::I8, vec![], |value| u64::from(value as i8 as i32 as u32)),
        (Storage::U8, vec![], |value| u64::from(value as u8)),
        (Storage::I16, vec![], |value| u64::from(value as i16 as i32 as u32)),
        (Storage::U16, vec![], |value| u64::from(value as u16)),
        (of(Type::I32), vec![], word),
        (of(Type::I64), vec![op(Op::I64FromI32S)], |value| i64::from(value) as u64),
        (of(Type::F32), vec![op(Op::F32FromI32S)], |value| u64::from((value as f32).to_bits())),
        (of(Type::F64), vec![op(Op::F64FromI32S)], |value| f64::from(value).to_bits()),
        (of(Type::Bool), vec![int(0), op(Op::I32GtS)], |value| u64::from(value > 0)),
        (of(Type::V128), vec![op(Op::I64FromI32S), op(Op::I64x2Splat)], |value| i64::from(value) as u64),
    ]
}

#[test]
fn arrays_of_every_storage_hold_what_is_stored() {
    for (storage, convert, read) in storages() {
        let mut build = Build::new();
        build.module.types = vec![array(true, storage)];
        let (ty, value) = (TypeId(0), storage.value());
        // run(n, fill, at, new) -> (len, [at] before, [at] after, [0])
        let mut writer = Writer::default();
        let mut push = |instrs: &[Instr<'static>]| instrs.iter().for_each(|instr| writer.push(*instr));
        push(&[get(0), get(1)]);
        push(&convert);
        push(&[Instr::ArrayNew(ty)]);
        set(&mut writer, 4);
        let mut push = |instrs: &[Instr<'static>]| instrs.iter().for_each(|instr| writer.push(*instr));
        push(&[get(4), get(2), Instr::ArrayGet(ty)]);
        set(&mut writer, 5);
        let mut push = |instrs: &[Instr<'static>]| instrs.iter().for_each(|instr| writer.push(*instr));
        push(&[get(4), get(2), get(3)]);
        push(&convert);
        push(&[Instr::ArraySet(ty), get(4), Instr::ArrayLen, get(5), get(4), get(2), Instr::ArrayGet(ty)]);
        push(&[get(4), int(0), Instr::ArrayGet(ty), Instr::Return]);
        let results = [Type::I32, value, value, value];
        build.func_bytes("run", &[Type::I32; 4], &results, &[Type::Ref(ty), value], writer.bytes);
        let words = if value == Type::V128 { 2 } else { 1 };
        let fit = |options: &compiler::Options| options.cpu.sse41 || value != Type::V128;
        for options in all_options().into_iter().filter(fit).step_by(3) {
            let mut vm = Vm::with(build.module.clone(), &options);
            for (n, at) in [(1, 0), (7, 6), (64, 63), (200, 100), (3000, 2999)] {
                for (fill, new) in [(-1, 70_000), (130, -130), (0, 1)] {
                    let args = [n, fill as u32 as u64, at, new as u32 as u64];
                    assert_eq!(vm.run("run", &args), End::Done);
                    let first = if at == 0 { new } else { fill };
                    let got = [0, 1, 1 + words, 1 + 2 * words].map(|at| vm.value(at));
                    assert_eq!(got, [n, read(fill), read(new), read(first)], "{storage:?} {args:?}");
                }
            }
            for (n, at) in [(0u64, 0u64), (3, 3), (3, 0xffff_ffff), (1, 0x8000_0000)] {
                assert_eq!(vm.eval("run", &[n, 0, at, 0]), Err(TrapKind::IndexOutOfBounds));
            }
        }
    }
}

#[test]
fn array_literals_of_many_new_objects_compile_and_hold_them() {
    let mut build = Build::new();
    let list = TypeId(1);
    build.module.types = vec![structure(None, &[field(false, of(Type::Str))]), array(false, of(Type::Ref(NODE)))];
    let count = il::limits::ARRAY_LITERAL as u32;
    let mut writer = Writer::default();
    for at in 0..count {
        writer.push(int(at as i32));
        writer.push(op(Op::StrFromI32));
        writer.push(Instr::StructNew(NODE));
    }
    writer.push(Instr::ArrayOf(list, count));
    set(&mut writer, 1);
    for instr in [get(1), get(0), Instr::ArrayGet(list), Instr::FieldGet(NODE, FieldId(0)), Instr::Return] {
        writer.push(instr);
    }
    build.func_bytes("run", &[Type::I32], &[Type::Str], &[Type::Ref(list)], writer.bytes);
    let mut vm = Vm::new(build.module);
    for at in [0, 1, 5, 6, 7, 500, 999] {
        assert_eq!(vm.run("run", &[at]), End::Done);
        let text = vm.value(0);
        assert_eq!(vm.text(text), at.to_string());
    }
}

#[test]
fn stores_into_old_objects_are_remembered() {
    let mut build = lists();
    // late(n): node = new; for i in 0..n { node.label = str(i); node.next = new(node.next) }; sum(node)
    let next = Type::Opt(NODE);
    let late = steps![
        Instr::Null(next),
        int(5),
        int(5),
        op(Op::StrFromI32),
        Instr::StructNew(NODE),
        To(1),
        int(0),
        get(0),
        Instr::For(LocalId(2)),
        get(1),
        get(2),
        op(Op::StrFromI32),
        Instr::FieldSet(NODE, FieldId(2)),
        get(1),
        get(1),
        Instr::FieldGet(NODE, FieldId(0)),
        get(2),
        get(2),
        op(Op::StrFromI32),
        Instr::StructNew(NODE),
        Instr::FieldSet(NODE, FieldId(0)),
        Instr::End,
        get(1),
        Instr::Call(FuncId(1)),
        Instr::Return,
    ];
    build.func_bytes("late", &[Type::I32], &[Type::I32], &[Type::Ref(NODE), Type::I32], late);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        for n in [1, 30] {
            let label = 2 * (n - 1).to_string().len() as u64;
            assert_eq!(vm.eval("late", &[n]), Ok(5 + label + expected_sum(n)));
        }
    }
}

/// A place of a `?buf`: its name, what comes before the value, what stores it, what takes it.
type Where = (&'static str, Vec<Instr<'static>>, Vec<Instr<'static>>, Vec<Instr<'static>>);

#[test]
fn buffers_in_objects_have_one_owner() {
    let mut build = Build::new();
    let (holder, shelf) = (TypeId(0), TypeId(1));
    build.module.types = vec![structure(None, &[field(true, of(Type::OptBuf))]), array(true, of(Type::OptBuf))];
    build.module.globals.push(il::Global {
        mutable: true,
        ty: Type::OptBuf,
        init: body(vec![Instr::Null(Type::OptBuf).into()]),
    });
    let slot = GlobalId(0);
    // In each place: put buf(n), put buf(n + 1) over it, take it, and give its length; then put one back.
    let make = |more: i32| [get(0), int(more), op(Op::I32Add), op(Op::BufNew)];
    let places: [Where; 3] = [
        ("global", vec![], vec![Instr::GlobalSet(slot)], vec![Instr::GlobalTake(slot)]),
        (
            "field",
            vec![get(1)],
            vec![Instr::FieldSet(holder, FieldId(0))],
            vec![get(1), Instr::FieldTake(holder, FieldId(0))],
        ),
        ("element", vec![get(2), int(1)], vec![Instr::ArraySet(shelf)], vec![get(2), int(1), Instr::ArrayTake(shelf)]),
    ];
    for (name, before, put, take) in &places {
        let mut writer = Writer::default();
        for instr in [Instr::Null(Type::OptBuf), Instr::StructNew(holder)] {
            writer.push(instr);
        }
        set(&mut writer, 1);
        for instr in [int(3), Instr::Null(Type::OptBuf), Instr::ArrayNew(shelf)] {
            writer.push(instr);
        }
        set(&mut writer, 2);
        for more in [0, 1] {
            before.iter().chain(&make(more)).chain(put).for_each(|instr| writer.push(*instr));
        }
        take.iter().for_each(|instr| writer.push(*instr));
        writer.push(Instr::IfAs(Type::Buf, LocalId(3)));
        before.iter().chain(&make(9)).chain(put).for_each(|instr| writer.push(*instr));
        for instr in [get(3), op(Op::BufLen), Instr::Return, Instr::End] {
            writer.push(instr);
        }
        for instr in [int(-1), Instr::Return] {
            writer.push(instr);
        }
        build.func_bytes(
            name,
            &[Type::I32],
            &[Type::I32],
            &[Type::Ref(holder), Type::Ref(shelf), Type::Buf],
            writer.bytes,
        );
    }
    let empty = steps![Instr::GlobalTake(slot), Instr::As(Type::Buf), To(0), get(0), op(Op::BufLen), Instr::Return];
    build.func_bytes("empty", &[], &[Type::I32], &[Type::Buf], empty);
    let gone = steps![
        Instr::GlobalTake(slot),
        Instr::IfAs(Type::Buf, LocalId(0)),
        Instr::BoolConst(true),
        Instr::Return,
        Instr::End,
        Instr::BoolConst(false),
        Instr::Return,
    ];
    build.func_bytes("gone", &[], &[Type::Bool], &[Type::Buf], gone);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        for (name, ..) in &places {
            assert_eq!(vm.eval(name, &[20]), Ok(21), "{name}");
            // What died with its object is freed; the global's lives.
            assert_eq!(vm.alive(), (0, 1), "{name}");
        }
        assert_eq!(vm.eval("empty", &[]), Ok(29));
        assert_eq!(vm.alive(), (0, 0));
        assert_eq!(vm.eval("empty", &[]), Err(TrapKind::Cast));
        assert_eq!(vm.eval("global", &[1]), Ok(2));
        assert_eq!(vm.eval("gone", &[]), Ok(1));
        assert_eq!(vm.eval("gone", &[]), Ok(0));
        assert_eq!(vm.alive(), (0, 0));
    }
}

#[test]
fn globals_start_as_their_trees_say() {
    let mut build = lists();
    let next = Type::Opt(NODE);
    let pair = TypeId(1);
    build.module.types.push(array(false, of(next)));
    build.literal("one");
    let text = |id| Instr::StrConst(il::StrId(id));
    let inner = [Instr::Null(next), int(7), text(0), Instr::StructNew(NODE)];
    let outer = [int(8), text(0), Instr::StructNew(NODE)];
    let tree: Vec<Instr> =
        inner.iter().chain(&outer).chain(&[Instr::Null(next), Instr::ArrayOf(pair, 2)]).copied().collect();
    let init = |instrs: &[Instr<'static>]| body(instrs.iter().map(|instr| Step::Do(*instr)).collect());
    let global = |ty, init| il::Global { mutable: true, ty, init };
    build.module.globals = vec![
        global(Type::Ref(pair), init(&tree)),
        global(Type::I32, init(&[int(-5)])),
        global(Type::OptStr, init(&[Instr::Null(Type::OptStr)])),
        global(next, init(&inner)),
        global(Type::F32, init(&[Instr::F32Const(0x4048_f5c3)])),
    ];
    let element = |at| [Instr::GlobalGet(GlobalId(0)), int(at), Instr::ArrayGet(pair), Instr::Call(FuncId(1))];
    let mut run: Vec<Instr> = element(0).to_vec();
    run.extend(element(1));
    run.extend([Instr::GlobalGet(GlobalId(3)), Instr::Call(FuncId(1)), Instr::GlobalGet(GlobalId(1))]);
    run.extend([Instr::GlobalGet(GlobalId(2)), Instr::Is(Type::Str), Instr::GlobalGet(GlobalId(4)), Instr::Return]);
    let results = [Type::I32, Type::I32, Type::I32, Type::I32, Type::Bool, Type::F32];
    build.func("run", &[], &results, &[], &run);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.run("run", &[]), End::Done);
        let got: Vec<u64> = (0..6).map(|at| vm.value(at)).collect();
        assert_eq!(got, [8 + 6 + 7 + 6, 0, 7 + 6, u64::from(-5i32 as u32), 0, 0x4048_f5c3]);
        assert_eq!(vm.alive(), (4, 0));
    }
}

#[test]
fn loops_that_only_read_keep_references_in_registers() {
    // sum(list): the deadline check of each turn leaves the VM, but nothing collects there.
    let mut build = Build::new();
    let list = TypeId(0);
    build.module.types = vec![array(true, of(Type::I32))];
    let sum = steps![
        int(0),
        get(0),
        Instr::ArrayLen,
        Instr::For(LocalId(2)),
        get(1),
        get(0),
        get(2),
        Instr::ArrayGet(list),
        op(Op::I32Add),
        To(1),
        Instr::End,
        get(1),
        Instr::Return,
    ];
    let id = build.func_bytes("sum", &[Type::Ref(list), Type::I32], &[Type::I32], &[Type::I32], sum);
    let run = steps![
        get(0),
        get(1),
        Instr::ArrayNew(list),
        To(2),
        get(2),
        int(0),
        Instr::Call(id),
        get(2),
        int(0),
        Instr::Call(id),
        op(Op::I32Add),
        Instr::Return,
    ];
    build.module.exports.clear();
    build.func_bytes("run", &[Type::I32, Type::I32], &[Type::I32], &[Type::Ref(list)], run);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.compiled.stack_maps.return_offsets().count(), 0, "neither `sum` nor calling it collects");
        vm.interrupt();
        assert_eq!(vm.eval("run", &[50, 3]), Ok(300));
        assert_eq!(vm.yields, 1);
    }
}

#[test]
fn many_references_live_across_many_calls() {
    // Enough of both that they live in the frame.
    let mut build = Build::new();
    let count = 150;
    let mut writer = Writer::default();
    for local in 0..count {
        writer.push(int(local));
        writer.push(op(Op::StrFromI32));
        set(&mut writer, 1 + local as u32);
    }
    for turn in 0..200 {
        let from = 1 + turn * 7 % count as u32;
        for instr in [get(from), get(0), op(Op::StrFromI32), op(Op::StrConcat)] {
            writer.push(instr);
        }
        set(&mut writer, from);
    }
    writer.push(int(0));
    for local in 0..count as u32 {
        for instr in [get(1 + local), op(Op::StrLen), op(Op::I32Add)] {
            writer.push(instr);
        }
    }
    writer.push(Instr::Return);
    build.func_bytes("run", &[Type::I32], &[Type::I32], &vec![Type::Str; count as usize], writer.bytes);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.eval("run", &[5]), Ok(10 + 180 + 150 + 200));
    }
}

#[test]
fn locals_of_a_loop_are_never_stale() {
    // loop { str(n); if n % 2 == 0 { b = str(n) } else { str(n); b = str(n + 1) }; total += len(b); n -= 1; if n == 0 break }
    let mut build = Build::new();
    let text = |more: i32| [get(0), int(more), op(Op::I32Add), op(Op::StrFromI32)];
    let mut writer = Writer::default();
    writer.push(Instr::Loop);
    let discard = |writer: &mut Writer| {
        text(0).iter().for_each(|instr| writer.push(*instr));
        writer.set(&[None]);
    };
    discard(&mut writer);
    for instr in [get(0), int(1), op(Op::I32And), int(0), op(Op::I32Eq), Instr::If] {
        writer.push(instr);
    }
    text(0).iter().for_each(|instr| writer.push(*instr));
    set(&mut writer, 2);
    writer.push(Instr::Else);
    discard(&mut writer);
    text(1).iter().for_each(|instr| writer.push(*instr));
    set(&mut writer, 2);
    writer.push(Instr::End);
    discard(&mut writer);
    for instr in [get(1), get(2), op(Op::StrLen), op(Op::I32Add)] {
        writer.push(instr);
    }
    set(&mut writer, 1);
    for instr in [get(0), int(1), op(Op::I32Sub)] {
        writer.push(instr);
    }
    set(&mut writer, 0);
    for instr in
        [get(0), int(0), op(Op::I32Eq), Instr::If, Instr::Break(0), Instr::End, Instr::End, get(1), Instr::Return]
    {
        writer.push(instr);
    }
    build.func_bytes("run", &[Type::I32, Type::I32], &[Type::I32], &[Type::Str], writer.bytes);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        let expected = (1..=40u64).map(|n| (n + n % 2).to_string().len() as u64).sum();
        assert_eq!(vm.eval("run", &[40, 0]), Ok(expected));
    }
}
