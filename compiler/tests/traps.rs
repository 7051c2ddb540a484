//! Every trap knows exactly which instruction it is, and by which calls control got there.

mod support;

use compiler::Location;
use il::instr::{Instr, Reader};
use il::op::Op;
use il::trap::TrapKind::{self, BadConversion, Cast, DivisionByZero, Explicit, IndexOutOfBounds, IntegerOverflow};
use il::trap::TrapKind::{MemoryOutOfBounds, Quota};
use il::{ArrayDef, FieldId, FuncId, LocalId, Memory, Storage, StructDef, StructField, Type, TypeDef, TypeId};
use support::build::{Build, get, op};
use support::{End, Vm, all_options};

const BOX: TypeId = TypeId(0);
const LIST: TypeId = TypeId(1);
const LARGE: TypeId = TypeId(2);

fn base() -> Build {
    let mut build = Build::new();
    let field = StructField { mutable: true, storage: Storage::Value(Type::I32) };
    build.module.types = vec![
        TypeDef::Struct(StructDef { parent: None, frozen: false, name: String::new(), fields: vec![field] }),
        TypeDef::Array(ArrayDef { mutable: true, element: Storage::Value(Type::Any) }),
        TypeDef::Array(ArrayDef { mutable: true, element: Storage::Value(Type::V128) }),
    ];
    build.module.memories = vec![Memory { min: 1, max: 1 }];
    build.literal("because");
    build
}

/// Pieces that yield an `i32` from the parameter, each trapping at its last instruction for the arguments named.
fn pieces() -> Vec<(Vec<Instr<'static>>, i32, TrapKind)> {
    let int = Instr::I32Const;
    vec![
        (vec![int(100), get(0), op(Op::I32DivS)], 0, DivisionByZero),
        (vec![int(i32::MIN), get(0), op(Op::I32DivS)], -1, IntegerOverflow),
        (
            vec![
                get(0),
                op(Op::F64FromI32S),
                Instr::F64Const(0x41c0_0000_0000_0000),
                op(Op::F64Mul),
                op(Op::I32FromF64S),
            ],
            9,
            BadConversion,
        ),
        (
            vec![get(0), op(Op::F32FromI32S), Instr::F32Const(0x4e00_0000), op(Op::F32Mul), op(Op::I32FromF32S)],
            9,
            BadConversion,
        ),
        (vec![get(0), op(Op::Load32)], 65533, MemoryOutOfBounds),
        (vec![get(0), op(Op::Load8U)], 65536, MemoryOutOfBounds),
        (vec![Instr::StrConst(il::StrId(0)), get(0), op(Op::StrGet)], 7, IndexOutOfBounds),
    ]
}

/// The offset of the last instruction but the given number.
fn offset_from_end(body: &[u8], behind: usize) -> u32 {
    let (mut reader, mut offsets) = (Reader::new(body), Vec::new());
    loop {
        offsets.push(reader.offset());
        if reader.next().unwrap().is_none() {
            break;
        }
    }
    offsets[offsets.len() - 2 - behind]
}

#[test]
fn each_trap_names_its_instruction() {
    for options in all_options() {
        for (piece, argument, kind) in pieces() {
            // The piece twice with harmless values before, so that a merge of places would show.
            let mut build = base();
            let mut body: Vec<Instr> = Vec::new();
            for _ in 0..2 {
                body.extend(piece.iter().map(|instr| if *instr == get(0) { get(1) } else { *instr }));
            }
            body.push(op(Op::I32Add));
            body.extend(&piece);
            body.extend([op(Op::I32Add), Instr::Return]);
            let id = build.func("f", &[Type::I32, Type::I32], &[Type::I32], &[], &body);
            let expected = offset_from_end(&build.module.funcs[id.index()].body, 2);
            let mut vm = Vm::with(build.module, &options);
            assert_eq!(vm.eval("f", &[argument as u32 as u64, 1]), Err(kind), "{piece:?}");
            assert_eq!(vm.frames, [Location { func: id, body_offset: expected }], "{piece:?} {options:?}");
        }
    }
}

#[test]
fn a_load_that_becomes_part_of_another_instruction_keeps_its_place() {
    // memory[at] = memory[at] + 1; memory[at] == memory[other]
    let mut build = base();
    let int = Instr::I32Const;
    let body = [
        get(0),
        get(0),
        op(Op::Load32),
        int(1),
        op(Op::I32Add),
        op(Op::Store32),
        get(0),
        op(Op::Load32),
        get(1),
        op(Op::Load32),
        op(Op::I32Eq),
        op(Op::I32FromBool),
        Instr::Return,
    ];
    let id = build.func("f", &[Type::I32, Type::I32], &[Type::I32], &[], &body);
    let place =
        |behind| [Location { func: id, body_offset: offset_from_end(&build.module.funcs[id.index()].body, behind) }];
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.eval("f", &[65533, 0]), Err(MemoryOutOfBounds));
        assert_eq!(vm.frames, place(10), "the first load, {options:?}");
        assert_eq!(vm.eval("f", &[4, 65533]), Err(MemoryOutOfBounds));
        assert_eq!(vm.frames, place(3), "the last load, {options:?}");
        assert_eq!(vm.eval("f", &[4, 4]), Ok(1));
    }
}

#[test]
fn a_load_beside_a_constant_on_the_left_keeps_its_place() {
    let ops = [Op::I64Add, Op::I64Mul, Op::I64And, Op::I64Or, Op::I64Xor, Op::I64LtS, Op::I64GeU, Op::I64Eq];
    for which in ops {
        // constant `which` memory[at]
        let mut build = base();
        let compares = which.info().result == Some(Type::Bool);
        let mut body = vec![Instr::I64Const(-929_292_687_205_483_486), get(0), op(Op::Load64), op(which)];
        if compares {
            body.push(op(Op::I32FromBool));
        }
        body.push(Instr::Return);
        let behind = if compares { 3 } else { 2 };
        let result = if compares { Type::I32 } else { Type::I64 };
        let id = build.func("f", &[Type::I32], &[result], &[], &body);
        let body_offset = offset_from_end(&build.module.funcs[id.index()].body, behind);
        for options in all_options() {
            let mut vm = Vm::with(build.module.clone(), &options);
            assert_eq!(vm.eval("f", &[65533]), Err(MemoryOutOfBounds));
            assert_eq!(vm.frames, [Location { func: id, body_offset }], "{which:?} {options:?}");
            assert!(vm.eval("f", &[8]).is_ok());
        }
    }
}

fn trapping(
    build: &mut Build,
    name: &str,
    params: &[Type],
    locals: &[Type],
    body: &[Instr<'static>],
    behind: usize,
) -> (FuncId, u32) {
    let id = build.func(name, params, &[Type::I32], locals, body);
    (id, offset_from_end(&build.module.funcs[id.index()].body, behind))
}

#[test]
fn traps_on_objects_name_their_instruction_and_all_callers() {
    let int = Instr::I32Const;
    let mut build = base();
    let mut cases = Vec::new();
    // cast(n): (n == 0 ? text : new Box) as Box, .value
    let chosen = [
        Instr::Cond(Type::Any),
        get(0),
        int(0),
        op(Op::I32Eq),
        Instr::Test,
        Instr::StrConst(il::StrId(0)),
        Instr::Else,
        int(4),
        Instr::StructNew(BOX),
        Instr::End,
        Instr::As(Type::Ref(BOX)),
        Instr::FieldGet(BOX, FieldId(0)),
        Instr::Return,
    ];
    cases.push((trapping(&mut build, "cast", &[Type::I32], &[], &chosen, 2), 0, Cast));
    let element = [
        int(3),
        Instr::StrConst(il::StrId(0)),
        Instr::ArrayNew(LIST),
        get(0),
        Instr::ArrayGet(LIST),
        Instr::As(Type::Str),
        op(Op::StrLen),
        Instr::Return,
    ];
    cases.push((trapping(&mut build, "element", &[Type::I32], &[], &element, 3), 3, IndexOutOfBounds));
    let large = [
        get(0),
        Instr::I64Const(1),
        Instr::I64Const(2),
        op(Op::V128FromI64s),
        Instr::ArrayNew(LARGE),
        Instr::ArrayLen,
        Instr::Return,
    ];
    cases.push((trapping(&mut build, "large", &[Type::I32], &[], &large, 2), 0x2000_0000, Quota));
    cases.push((trapping(&mut build, "enormous", &[Type::I32], &[], &large, 2), -1, Quota));
    let slice = [Instr::StrConst(il::StrId(0)), int(2), get(0), op(Op::StrSlice), op(Op::StrLen), Instr::Return];
    cases.push((trapping(&mut build, "slice", &[Type::I32], &[], &slice, 2), 90, IndexOutOfBounds));
    let explicit =
        [get(0), int(5), op(Op::I32Eq), Instr::If, Instr::Trap(il::StrId(0)), Instr::End, int(1), Instr::Return];
    cases.push((trapping(&mut build, "explicit", &[Type::I32], &[], &explicit, 3), 5, Explicit));
    // middle(n) = f(n) + 1 for each, and outer(n) = { text = str(n); middle(n) + len(text) }
    let mut outers = Vec::new();
    for ((id, offset), argument, kind) in cases {
        let body = [get(0), Instr::Call(id), int(1), op(Op::I32Add), Instr::Return];
        let (middle, middle_at) = trapping(&mut build, &format!("middle_{}", id.0), &[Type::I32], &[], &body, 3);
        let mut writer = il::instr::Writer::default();
        for instr in [get(0), op(Op::StrFromI32)] {
            writer.push(instr);
        }
        writer.set(&[Some(LocalId(1))]);
        for instr in [get(0), Instr::Call(middle), get(1), op(Op::StrLen), op(Op::I32Add), Instr::Return] {
            writer.push(instr);
        }
        let outer_at = offset_from_end(&writer.bytes, 4);
        let name = format!("outer_{}", id.0);
        let outer = build.func_bytes(&name, &[Type::I32], &[Type::I32], &[Type::Str], writer.bytes);
        let frames = [(id, offset), (middle, middle_at), (outer, outer_at)];
        outers.push((name, argument, kind, frames.map(|(func, body_offset)| Location { func, body_offset })));
    }
    for options in all_options().into_iter().filter(|options| options.cpu.sse41) {
        let mut vm = Vm::with(build.module.clone(), &options);
        for (name, argument, kind, frames) in &outers {
            let end = vm.run(name, &[*argument as u32 as u64]);
            assert!(matches!(&end, End::Trap { kind: found, .. } if found == kind), "{name}: {end:?}");
            assert_eq!(vm.frames, frames, "{name} {options:?}");
        }
        assert_eq!(vm.eval("outer_0", &[1]), Ok(4 + 1 + 1));
    }
}
