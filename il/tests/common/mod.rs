//! Modules built by hand, for the tests of this folder.
#![allow(dead_code)] // each test file uses its share

pub mod corpus;
pub mod hostile;
pub mod limits;

use std::borrow::Cow;

use il::instr::{Instr, Writer};
use il::isa::{Event, Field, Instruction, InstructionSet};
use il::op::{Immediate, Op};
use il::verify::Violation;
use il::{
    Data, DataPlace, Export, Func, FuncId, Global, Handler, IsaId, LocalId, Memory, MemoryId, Module, ProgramId,
    ProvidedId, Provides, Signature, StrId, Type, TypeId, Use, UseId,
};

/// A body under construction; every method appends one instruction.
#[derive(Default, Clone)]
pub struct Code {
    writer: Writer,
}

/// An empty body.
pub fn code() -> Code {
    Code::default()
}

fn dest(id: u32) -> Option<LocalId> {
    Some(LocalId(id))
}

impl Code {
    /// For what has no method here.
    pub fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }
    pub fn put(mut self, instr: Instr<'_>) -> Self {
        self.writer.push(instr);
        self
    }
    pub fn i32(self, value: i32) -> Self {
        self.put(Instr::I32Const(value))
    }
    pub fn i64(self, value: i64) -> Self {
        self.put(Instr::I64Const(value))
    }
    pub fn yes(self) -> Self {
        self.put(Instr::BoolConst(true))
    }
    pub fn str(self, id: u32) -> Self {
        self.put(Instr::StrConst(StrId(id)))
    }
    pub fn get(self, id: u32) -> Self {
        self.put(Instr::Get(LocalId(id)))
    }
    pub fn take(self, id: u32) -> Self {
        self.put(Instr::Take(LocalId(id)))
    }
    pub fn op(self, op: Op) -> Self {
        self.put(Instr::Op(op, Immediate::default()))
    }
    pub fn ret(self) -> Self {
        self.put(Instr::Return)
    }
    pub fn end(self) -> Self {
        self.put(Instr::End)
    }
    /// Assigns one value.
    pub fn set(self, id: u32) -> Self {
        self.set_all(&[dest(id)])
    }
    /// Discards one value.
    pub fn discard(self) -> Self {
        self.set_all(&[None])
    }
    pub fn set_all(mut self, dests: &[Option<LocalId>]) -> Self {
        self.writer.set(dests);
        self
    }
    pub fn call_set(mut self, func: u32, dests: &[u32]) -> Self {
        let dests: Vec<_> = dests.iter().map(|id| dest(*id)).collect();
        self.writer.call_set(FuncId(func), &dests);
        self
    }
    pub fn send_set(mut self, target: u32, opcode: u8, dests: &[u32]) -> Self {
        let dests: Vec<_> = dests.iter().map(|id| dest(*id)).collect();
        self.writer.send_set(UseId(target), opcode, &dests);
        self
    }
    pub fn try_set(mut self, target: u32, opcode: u8, dests: &[u32]) -> Self {
        let dests: Vec<_> = dests.iter().map(|id| dest(*id)).collect();
        self.writer.try_set(UseId(target), opcode, &dests);
        self
    }
    pub fn call_ref_set(mut self, ty: u32, dests: &[u32]) -> Self {
        self.writer.call_ref_set(TypeId(ty), &dests.iter().map(|id| dest(*id)).collect::<Vec<_>>());
        self
    }
    pub fn send_to_set(mut self, ty: u32, opcode: u8, dests: &[u32]) -> Self {
        self.writer.send_to_set(TypeId(ty), opcode, &dests.iter().map(|id| dest(*id)).collect::<Vec<_>>());
        self
    }
    pub fn try_to_set(mut self, ty: u32, opcode: u8, dests: &[u32]) -> Self {
        self.writer.try_to_set(TypeId(ty), opcode, &dests.iter().map(|id| dest(*id)).collect::<Vec<_>>());
        self
    }
    pub fn own_set(mut self, opcode: u8, dests: &[u32]) -> Self {
        self.writer.own_set(opcode, &dests.iter().map(|id| dest(*id)).collect::<Vec<_>>());
        self
    }
    pub fn own_try_set(mut self, opcode: u8, dests: &[u32]) -> Self {
        self.writer.own_try_set(opcode, &dests.iter().map(|id| dest(*id)).collect::<Vec<_>>());
        self
    }
    pub fn run_set(mut self, target: u32, program: u32, dests: &[u32]) -> Self {
        let dests: Vec<_> = dests.iter().map(|id| dest(*id)).collect();
        self.writer.run_set(UseId(target), ProgramId(program), &dests);
        self
    }
    pub fn run_try_set(mut self, target: u32, program: u32, dests: &[u32]) -> Self {
        let dests: Vec<_> = dests.iter().map(|id| dest(*id)).collect();
        self.writer.run_try_set(UseId(target), ProgramId(program), &dests);
        self
    }
    pub fn arm(mut self, values: &[i64]) -> Self {
        self.writer.arm(values);
        self
    }
    pub fn bytes(self) -> Vec<u8> {
        self.writer.bytes
    }
}

/// A function with parameters, results and further locals.
pub fn func(params: &[Type], results: &[Type], locals: &[Type], body: Code) -> Func {
    let sig = Signature { params: params.to_vec(), results: results.to_vec() };
    Func { sig, pure: false, locals: locals.to_vec(), body: body.bytes() }
}

/// A global with its initial value.
pub fn global(mutable: bool, ty: Type, init: Code) -> Global {
    Global { mutable, ty, init: init.bytes() }
}

fn fields(types: &[Type]) -> Cow<'static, [Field]> {
    types.iter().map(|ty| Field { name: "".into(), ty: *ty }).collect()
}

pub fn instruction(opcode: u8, name: &'static str, params: &[Type], results: Option<&[Type]>) -> Instruction {
    Instruction {
        opcode,
        name: name.into(),
        params: fields(params),
        results: results.map(fields),
        touches: [].as_slice().into(),
        doc: "".into(),
    }
}

pub fn event(number: u8, name: &'static str, params: &[Type]) -> Event {
    Event { number, name: name.into(), params: fields(params), coalesced: false, doc: "".into() }
}

/// `test.device@1`: 1 put (streamed), 2 get (one result), 3 pair (two), 4 sync (only a status),
/// 5 swap (a `buf` there and back); event 1 tick.
pub fn device_set() -> InstructionSet {
    InstructionSet {
        name: "test.device".into(),
        version: 1,
        instructions: vec![
            instruction(1, "put", &[Type::I32], None),
            instruction(2, "get", &[], Some(&[Type::I32])),
            instruction(3, "pair", &[], Some(&[Type::I32, Type::I64])),
            instruction(4, "sync", &[], Some(&[])),
            instruction(5, "swap", &[Type::Buf], Some(&[Type::Buf])),
        ]
        .into(),
        events: vec![event(1, "tick", &[Type::I64])].into(),
        doc: "".into(),
    }
}

/// A module with one of everything that bodies can refer to, and two functions: 0 takes and
/// returns an `i32`, 1 borrows one buffer and takes another.
pub fn device_module() -> Module {
    Module {
        name: "test".into(),
        isas: vec![device_set()],
        uses: vec![Use { name: "device".into(), isa: IsaId(0) }],
        strings: vec!["why".into()],
        globals: vec![global(true, Type::I32, code().i32(7)), global(false, Type::Str, code().str(0))],
        memories: vec![Memory { min: 1, max: 2 }],
        funcs: vec![
            func(&[Type::I32], &[Type::I32], &[], code().get(0).ret()),
            func(&[Type::BufRef, Type::Buf], &[], &[], code()),
        ],
        ..Module::default()
    }
}

/// Verifies; the error is the broken rule alone.
pub fn rule(module: &Module) -> Result<(), Violation> {
    il::verify(module.clone()).map(|_| ()).map_err(|error| error.kind)
}

/// A module with every section: it provides `test.device@1` and handles an event of its own use.
pub fn service() -> Module {
    let mut module = device_module();
    let op = module.funcs.len() as u32;
    module.funcs.extend([
        func(&[Type::I32], &[], &[], code().i32(2).put(Instr::Fail)),
        func(&[], &[Type::I32], &[], code().i64(1).put(Instr::Emit(ProvidedId(0), 1)).i32(1).ret()),
        func(&[], &[Type::I32, Type::I64], &[], code().i32(1).i64(1).ret()),
        func(&[], &[], &[], code()),
        func(&[Type::Buf], &[Type::Buf], &[], code().take(0).ret()),
        func(&[Type::I64], &[], &[], code()),
        func(&[], &[], &[], code()),
    ]);
    let ops = (op..op + 5).map(FuncId).collect();
    module.provides = vec![Provides { isa: IsaId(0), name: Some("thing".into()), ops }];
    module.handlers = vec![Handler { source: UseId(0), event: 1, func: FuncId(op + 5) }];
    module.exports = vec![Export { name: "main".into(), func: FuncId(op + 6) }];
    module.data = vec![Data { place: Some(DataPlace { memory: MemoryId(0), offset: 8 }), bytes: vec![1, 2, 3] }];
    module
}
