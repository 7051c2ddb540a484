//! Modules by hand, for tests that are about lowering and nothing else.

use std::borrow::Cow;

use il::instr::{Instr, Writer};
use il::isa::{Event, Field, Instruction, InstructionSet};
use il::op::{Immediate, Op};
use il::{Export, Func, FuncId, IsaId, LocalId, Module, Signature, StrId, Type, Use};

/// A module under construction; functions are exported by name.
#[derive(Default)]
pub struct Build {
    pub module: Module,
}

impl Build {
    pub fn new() -> Build {
        Build { module: Module { name: "test".into(), ..Module::default() } }
    }

    /// Adds an exported function.
    pub fn func(
        &mut self,
        name: &str,
        params: &[Type],
        results: &[Type],
        locals: &[Type],
        body: &[Instr<'_>],
    ) -> FuncId {
        let mut writer = Writer::default();
        for instr in body {
            writer.push(*instr);
        }
        self.func_bytes(name, params, results, locals, writer.bytes)
    }

    pub fn func_bytes(
        &mut self,
        name: &str,
        params: &[Type],
        results: &[Type],
        locals: &[Type],
        body: Vec<u8>,
    ) -> FuncId {
        let id = FuncId(self.module.funcs.len() as u32);
        self.module.funcs.push(Func {
            sig: Signature { params: params.to_vec(), results: results.to_vec() },
            pure: false,
            locals: locals.to_vec(),
            body,
        });
        self.module.exports.push(Export { name: name.into(), func: id });
        id
    }

    pub fn literal(&mut self, text: &str) -> StrId {
        let at = self.module.strings.iter().position(|known| known == text);
        let at = at.unwrap_or_else(|| {
            self.module.strings.push(text.into());
            self.module.strings.len() - 1
        });
        StrId(at as u32)
    }

    /// Wants an instruction set.
    pub fn uses(&mut self, name: &'static str, instructions: Vec<Instruction>, events: Vec<Event>) -> il::UseId {
        self.module.isas.push(InstructionSet {
            name: Cow::Borrowed(name),
            version: 1,
            instructions: instructions.into(),
            events: events.into(),
            doc: Cow::Borrowed(""),
        });
        let isa = IsaId(self.module.isas.len() as u32 - 1);
        self.module.uses.push(Use { name: name.replace('.', "_"), isa });
        il::UseId(self.module.uses.len() as u32 - 1)
    }
}

pub fn instruction(opcode: u8, name: &'static str, params: &[Type], results: Option<&[Type]>) -> Instruction {
    Instruction {
        opcode,
        name: Cow::Borrowed(name),
        params: fields(params).into(),
        results: results.map(|types| fields(types).into()),
        touches: Cow::Borrowed(&[]),
        doc: Cow::Borrowed(""),
    }
}

fn fields(types: &[Type]) -> Vec<Field> {
    types.iter().map(|ty| Field { name: Cow::Borrowed(""), ty: *ty }).collect()
}

pub fn get(local: u32) -> Instr<'static> {
    Instr::Get(LocalId(local))
}

/// An operator without an offset or lane.
pub fn op(op: Op) -> Instr<'static> {
    Instr::Op(op, Immediate::default())
}
