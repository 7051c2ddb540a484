//! Device instructions: what lands in packets, and the code that puts it there.

mod support;

use il::instr::{Instr, Writer};
use il::isa::EVENT_BASE;
use il::op::Op;
use il::packet::{Builder, Head, Value};
use il::{FuncId, LocalId, Module, Provides, Type, UseId};
use support::build::{Build, get, instruction};
use support::{End, Vm, all_options, options};

const SCREEN: UseId = UseId(0);

/// A module with a bit of everything that can be sent.
fn module() -> Module {
    let mut build = Build::new();
    let (i32, i64, f64, bool, str, buf) = (Type::I32, Type::I64, Type::F64, Type::Bool, Type::Str, Type::Buf);
    build.uses(
        "test.screen",
        vec![
            instruction(1, "plot", &[i32, i32, i32], None),
            instruction(2, "text", &[i32, str, str, i64], None),
            instruction(3, "blit", &[i32, buf, buf], None),
            instruction(4, "all", &[bool, f64, i64], None),
            instruction(5, "ask", &[i32], Some(&[i32, f64, bool])),
        ],
        vec![],
    );
    let short = build.literal("short");
    let long = build.literal(&"0123456789".repeat(10));
    let send = |opcode| Instr::SendSet(SCREEN, opcode, Writer::default_dests());
    build.func("plot", &[i32, i32, i32], &[], &[], &[get(0), get(1), get(2), send(1), Instr::Return]);
    build.func("text", &[i32, str, i64], &[], &[], &[get(0), Instr::StrConst(short), get(1), get(2), send(2), Instr::Return]);
    build.func("long", &[str], &[], &[], &[
        Instr::I32Const(-1), get(0), Instr::StrConst(long), Instr::I64Const(-1), send(2), Instr::Return,
    ]);
    build.func("blit", &[buf, buf, i32], &[], &[], &[
        get(2), Instr::Take(LocalId(0)), Instr::Take(LocalId(1)), send(3), Instr::Return,
    ]);
    build.func("all", &[bool, f64, i64], &[], &[], &[get(0), get(1), get(2), send(4), Instr::Return]);
    let mut ask = Writer::default();
    ask.push(get(0));
    ask.send_set(SCREEN, 5, &[Some(LocalId(1)), None, Some(LocalId(2))]);
    for instr in [get(1), get(2), Instr::Return] {
        ask.push(instr);
    }
    build.func_bytes("ask", &[i32], &[i32, bool], &[i32, bool], ask.bytes);
    build.module
}
