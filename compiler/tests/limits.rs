//! The largest and oddest functions that the verifier accepts either compile or are refused in
//! words, in time and memory in proportion to their size.

mod support;

use std::time::{Duration, Instant};

use compiler::{CompileError, Options, compile};
use il::instr::{Instr, Writer};
use il::op::Op;
use il::{ArrayDef, LocalId, Module, Storage, StructDef, StructField, Type, TypeDef, TypeId, limits};
use support::build::{Build, get, op};

/// Repeats a piece of body until the body is as long as `bytes`.
fn fill(bytes: usize, first: Writer, mut piece: impl FnMut(u32, &mut Writer)) -> Writer {
    let mut body = first;
    let mut turn = 0;
    while body.bytes.len() + 8192 < bytes {
        piece(turn, &mut body);
        turn += 1;
    }
    body
}

fn function(params: &[Type], locals: &[Type], mut body: Writer) -> Module {
    body.push(get(0));
    body.push(Instr::Return);
    let mut build = Build::new();
    build.literal("text");
    build.func_bytes("f", params, params, locals, body.bytes);
    build.module
}

/// Many locals that live through many blocks: quadratic if locals were in SSA form throughout.
fn locals_times_blocks(bytes: usize) -> Module {
    let count = limits::LOCALS as u32 - 1;
    let mut first = Writer::default();
    for local in 0..count {
        first.push(Instr::StrConst(il::StrId(0)));
        first.set(&[Some(LocalId(local + 1))]);
    }
    let body = fill(bytes, first, |turn, body| {
        body.push(get(0));
        body.push(Instr::If);
        body.push(get(turn % count + 1));
        body.set(&[Some(LocalId(turn * 7 % count + 1))]);
        body.push(Instr::End);
    });
    function(&[Type::Bool], &vec![Type::Str; count as usize], body)
}

fn wide_switch(bytes: usize) -> Module {
    let mut first = Writer::default();
    first.push(get(0));
    first.push(Instr::Switch);
    let mut body = fill(bytes, first, |turn, body| {
        body.arm(&[i64::from(turn) * 3, i64::from(turn) * 3 + 1]);
        body.push(get(0));
        body.set(&[Some(LocalId(0))]);
    });
    body.push(Instr::End);
    function(&[Type::I64], &[], body)
}

fn long_trees(bytes: usize) -> Module {
    let body = fill(bytes, Writer::default(), |_, body| {
        body.push(get(0));
        for _ in 0..limits::OPERANDS.min(limits::EXPRESSION_DEPTH) - 2 {
            body.push(get(0));
            body.push(op(Op::F64Div));
        }
        body.set(&[Some(LocalId(0))]);
    });
    function(&[Type::F64], &[], body)
}

fn deep_loops(bytes: usize) -> Module {
    let body = fill(bytes, Writer::default(), |_, body| {
        for _ in 0..256 {
            body.push(Instr::I32Const(0));
            body.push(get(0));
            body.push(Instr::For(LocalId(1)));
        }
        body.push(get(1));
        body.set(&[Some(LocalId(0))]);
        for _ in 0..256 {
            body.push(Instr::End);
        }
    });
    function(&[Type::I32], &[Type::I32], body)
}

fn much_text(bytes: usize) -> Module {
    let body = fill(bytes, Writer::default(), |_, body| {
        for _ in 0..40 {
            body.push(get(0));
            body.push(get(0));
            body.push(op(Op::StrConcat));
        }
        for _ in 0..39 {
            body.push(op(Op::StrConcat));
        }
        body.set(&[Some(LocalId(0))]);
    });
    function(&[Type::Str], &[], body)
}

/// Many references that live across many calls: quadratic stack maps if there were no limit.
fn many_roots(bytes: usize) -> Module {
    let count = (limits::LOCALS as u32 - 1).min(bytes as u32 / 16);
    let mut first = Writer::default();
    for local in 0..count {
        first.push(get(0));
        first.set(&[Some(LocalId(local + 1))]);
    }
    let mut body = fill(bytes - 4 * count as usize, first, |_, body| {
        body.push(get(0));
        body.push(get(0));
        body.push(op(Op::StrConcat));
        body.set(&[Some(LocalId(0))]);
    });
    for local in 0..count {
        body.push(get(local + 1));
        body.set(&[Some(LocalId(0))]);
    }
    function(&[Type::Str], &vec![Type::Str; count as usize], body)
}

/// A stack of references as deep as it may be, with an allocation at each depth.
fn deep_references(bytes: usize) -> Module {
    let depth = (limits::ARRAY_LITERAL).min(bytes / 16) as u32;
    // Few bytes make much code here.
    let body = fill(bytes / 2, Writer::default(), |_, body| {
        for _ in 0..depth {
            body.push(get(0));
            body.push(Instr::StructNew(TypeId(0)));
        }
        body.push(Instr::ArrayOf(TypeId(1), depth));
        body.set(&[Some(LocalId(1))]);
    });
    let any = Storage::Value(Type::Any);
    let mut module = function(&[Type::Str], &[Type::Ref(TypeId(1))], body);
    let field = StructField { mutable: false, storage: any };
    module.types = vec![
        TypeDef::Struct(StructDef { parent: None, frozen: false, name: String::new(), fields: vec![field] }),
        TypeDef::Array(ArrayDef { mutable: false, element: any }),
    ];
    module
}

/// Type tests among as many types as there may be.
fn many_casts(bytes: usize) -> Module {
    let count = (limits::TYPES as u32).min(bytes as u32);
    let body = fill(bytes, Writer::default(), |turn, body| {
        body.push(get(0));
        body.push(Instr::As(Type::Ref(TypeId(turn * 31 % count))));
        body.set(&[Some(LocalId(0))]);
    });
    let mut module = function(&[Type::Any], &[], body);
    let parent = |at: u32| (!at.is_multiple_of(16)).then(|| TypeId(at - 1));
    module.types = (0..count)
        .map(|at| {
            let frozen = at % 16 == 15;
            let name = if frozen { format!("F{at}") } else { String::new() };
            TypeDef::Struct(StructDef { parent: parent(at), frozen, name, fields: vec![] })
        })
        .collect();
    module
}

/// Loops inside one another whose conditions stand twice.
fn deep_conditions(bytes: usize) -> Module {
    let body = fill(bytes, Writer::default(), |_, body| {
        for _ in 0..200 {
            body.push(Instr::While);
            for _ in 0..8 {
                body.push(get(0));
            }
            for _ in 0..7 {
                body.push(op(Op::I32Add));
            }
            body.push(get(0));
            body.push(op(Op::I32LtS));
            body.push(Instr::Test);
        }
        for _ in 0..200 {
            body.push(Instr::End);
        }
    });
    function(&[Type::I32], &[], body)
}

/// Bodies of so many bytes compile, whatever is in them.
const ACCEPTED: usize = 16 << 10;

/// Makes a module with a body of about so many bytes.
type Shape = fn(usize) -> Module;

#[test]
fn large_functions_compile_or_are_refused() {
    let shapes: [(&str, Shape); 9] = [
        ("locals times blocks", locals_times_blocks),
        ("wide switch", wide_switch),
        ("long trees", long_trees),
        ("deep loops", deep_loops),
        ("much text", much_text),
        ("many roots", many_roots),
        ("deep references", deep_references),
        ("many casts", many_casts),
        ("deep conditions", deep_conditions),
    ];
    let options = Options { verify: false, ..support::options() };
    for (name, shape) in shapes {
        for bytes in [ACCEPTED, 1 << 20] {
            let module = il::verify(shape(bytes)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let start = Instant::now();
            let outcome = compile(&module, &options);
            let time = start.elapsed();
            println!("{name}, {bytes}: {time:?}, {:?}", outcome.as_ref().map(|compiled| compiled.code.len()));
            match outcome {
                Ok(_) => {}
                Err(error @ CompileError::TooLarge { .. }) => {
                    assert!(error.to_string().contains("split it"));
                    assert!(bytes > ACCEPTED, "{name}: too strict");
                }
                Err(error) => panic!("{name}: {error}"),
            }
            assert!(time < Duration::from_secs(120), "{name}: {time:?}");
        }
    }
}

#[test]
fn many_blocks_and_locals_compute_correctly() {
    // Above the limit for SSA form, locals live in the frame: the same results.
    let mut body = Writer::default();
    for turn in 0..3000u32 {
        let local = turn * 31 % 2000 + 1;
        body.push(get(local));
        body.push(get(0));
        body.push(op(Op::I32LtS));
        body.push(Instr::If);
        body.push(get(local));
        body.push(Instr::I32Const(turn as i32));
        body.push(op(Op::I32Add));
        body.set(&[Some(LocalId(local))]);
        body.push(Instr::End);
    }
    body.push(get(31 * 17 + 1));
    body.push(Instr::Return);
    let zeros = (1..=2000).fold(Writer::default(), |mut zeros, local| {
        zeros.push(Instr::I32Const(0));
        zeros.set(&[Some(LocalId(local))]);
        zeros
    });
    let mut build = Build::new();
    build.func_bytes("f", &[Type::I32], &[Type::I32], &[Type::I32; 2000], [zeros.bytes, body.bytes].concat());
    let mut vm = support::Vm::new(build.module);
    assert_eq!(vm.eval("f", &[1]), Ok(17));
    assert_eq!(vm.eval("f", &[100]), Ok(17 + 2017));
    assert_eq!(vm.eval("f", &[0]), Ok(0));
}
