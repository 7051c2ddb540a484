//! Device programs as modules of their own: what travels when a program is run elsewhere.
//!
//! A *closed program* is a module whose only entry is one program: it wants, provides, exports and handles nothing,
//! has neither memory nor `mut` globals, and its sets hold what the program uses. It is an ordinary module otherwise,
//! verified as any other. [`extract`] cuts it out of the module that a program was written in:
//!
//! ```text
//! module paint                              module plasma
//!   uses, handlers, exports, memory           -
//!   sets: display {size set_pixel present}    display {size set_pixel}
//!   program plasma ── calls ──▶ pure mix      program plasma, pure mix
//!   strings, types, globals                   those that these two reach
//! ```
//!
//! The cut is canonical: cut out again, it gives the same bytes, and what the program does not reach does not change
//! them (but for the names of files and lines, which are outside a module's identity).

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use crate::instr::{Instr, Reader, Writer};
use crate::isa::InstructionSet;
use crate::link::{self, Kept, Map};
use crate::{
    FuncId, GlobalId, IsaId, LocalId, Module, Program, ProgramId, StrId, TypeDef, TypeId, UseId, VerifiedModule,
};

/// The closed program that stands for `id`, or `None` if the module has no such program. The verifier accepts it, since
/// it accepted the module.
///
/// A constant global may hold a reference to a function that the program cannot call (nothing pure calls through
/// references): that function stays as a name without a body of its own.
pub fn extract(module: &VerifiedModule, id: ProgramId) -> Option<Module> {
    let program = module.programs.get(id.index())?;
    let Calls { called, .. } = Calls::of(module, program.func);
    let mut part = Module {
        name: program.name.clone(),
        types: module.types.clone(),
        isas: module.isas.clone(),
        strings: module.strings.clone(),
        globals: module.globals.clone(),
        funcs: module.funcs.clone(),
        programs: module.programs.clone(),
        names: module.names.clone(),
        ..Module::default()
    };
    for at in (0..part.funcs.len()).filter(|at| !called[*at]) {
        part.funcs[at].locals.clear();
        part.funcs[at].body = endless();
        if let Some(lines) = part.names.as_mut().and_then(|names| names.lines.get_mut(at)) {
            lines.clear();
        }
    }
    let mut programs = vec![false; part.programs.len()];
    programs[id.index()] = true;
    let kept = Kept { programs, ..Kept::default() };
    let mut closed = link::link(part, &kept);
    reduce(&mut closed);
    Some(closed)
}

/// The program of a closed program; `None` if the module is none.
pub fn sole(module: &Module) -> Option<&Program> {
    let [program] = module.programs.as_slice() else { return None };
    let bare = module.uses.is_empty()
        && module.provides.is_empty()
        && module.exports.is_empty()
        && module.handlers.is_empty()
        && module.tests.is_empty()
        && module.memories.is_empty()
        && module.data.is_empty()
        && module.globals.iter().all(|global| !global.mutable);
    bare.then_some(program)
}

/// Opcodes of the instructions of its set that a program uses, ascending: the authority that it wants.
pub fn wants(module: &Module, program: &Program) -> Vec<u8> {
    Calls::of(module, program.func).owned.into_iter().collect()
}

/// Follows calls.
struct Calls {
    /// Functions that are called, the first one included.
    called: Vec<bool>,
    /// Those whose bodies were not read yet.
    waiting: Vec<FuncId>,
    /// Opcodes of the instructions of the own set.
    owned: BTreeSet<u8>,
}

impl Calls {
    fn of(module: &Module, start: FuncId) -> Calls {
        let mut calls = Calls { called: vec![false; module.funcs.len()], waiting: Vec::new(), owned: BTreeSet::new() };
        calls.func(start);
        while let Some(func) = calls.waiting.pop().and_then(|id| module.funcs.get(id.index())) {
            let mut reader = Reader::new(&func.body);
            while let Ok(Some(instr)) = reader.next() {
                calls.instr(instr);
            }
        }
        calls
    }
}

impl Map for Calls {
    fn func(&mut self, id: FuncId) -> FuncId {
        if let Some(called) = self.called.get_mut(id.index())
            && !core::mem::replace(called, true)
        {
            self.waiting.push(id);
        }
        id
    }
    fn func_ref(&mut self, id: FuncId) -> FuncId {
        id
    }
    fn own(&mut self, opcode: u8) -> u8 {
        self.owned.insert(opcode);
        opcode
    }
    fn def(&mut self, id: TypeId) -> TypeId {
        id
    }
    fn global(&mut self, id: GlobalId) -> GlobalId {
        id
    }
    fn capability(&mut self, id: UseId) -> UseId {
        id
    }
    fn program(&mut self, id: ProgramId) -> ProgramId {
        id
    }
    fn string(&mut self, id: StrId) -> StrId {
        id
    }
    fn local(&mut self, id: LocalId) -> LocalId {
        id
    }
}

/// The body of a function that is never called: it fits every signature, and needs nothing.
fn endless() -> Vec<u8> {
    let mut writer = Writer::default();
    writer.push(Instr::Loop);
    writer.push(Instr::End);
    writer.bytes
}

/// Leaves in the sets only what the program uses or a capability type names.
fn reduce(module: &mut Module) {
    let mut named: Vec<(IsaId, u8)> = Vec::new();
    for program in &module.programs {
        named.extend(wants(module, program).into_iter().map(|opcode| (program.isa, opcode)));
    }
    for def in &module.types {
        if let TypeDef::Cap(cap) = def {
            named.extend(cap.instructions.iter().map(|opcode| (cap.isa, *opcode)));
        }
    }
    for (at, set) in module.isas.iter_mut().enumerate() {
        let isa = IsaId(at as u32);
        let kept = |opcode: u8| named.contains(&(isa, opcode));
        *set = InstructionSet {
            instructions: set.instructions.iter().filter(|one| kept(one.opcode)).cloned().collect(),
            events: Vec::new().into(),
            ..set.clone()
        };
    }
}
