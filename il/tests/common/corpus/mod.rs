//! Modules and the verifier's verdict on each: what every rule accepts and refuses.

mod bodies;
mod calls;
mod memories;
mod objects;
mod tables;
pub mod world;

use std::panic::Location;

use il::instr::{Instr, Reader};
use il::isa::InstructionSet;
use il::verify::Violation;
use il::{Func, FuncId, IsaId, Module, Program, Provides, Type};

use super::{Code, code, device_module, device_set, func, instruction, service};

/// What the verifier must say.
pub enum Verdict {
    /// The module is valid.
    Accept,
    /// It breaks this rule.
    Refuse(Violation),
    /// It breaks a rule of this kind.
    Like(fn(&Violation) -> bool),
}

/// A module and the verdict on it.
pub struct Case {
    pub module: Module,
    pub verdict: Verdict,
    /// Where the case is written.
    pub at: &'static Location<'static>,
}

impl Case {
    /// Whether what the verifier says is what it must say.
    pub fn agrees(&self, said: &Result<(), Violation>) -> bool {
        match (&self.verdict, said) {
            (Verdict::Accept, Ok(())) => true,
            (Verdict::Refuse(rule), Err(broken)) => rule == broken,
            (Verdict::Like(is), Err(broken)) => is(broken),
            (Verdict::Accept, Err(_)) | (Verdict::Refuse(_) | Verdict::Like(_), Ok(())) => false,
        }
    }
}

/// All cases, as they are collected.
#[derive(Default)]
pub struct Corpus {
    pub cases: Vec<Case>,
}

/// All cases.
pub fn all() -> Corpus {
    let mut corpus = Corpus::default();
    bodies::all(&mut corpus);
    calls::all(&mut corpus);
    memories::all(&mut corpus);
    objects::all(&mut corpus);
    tables::all(&mut corpus);
    corpus
}

impl Corpus {
    #[track_caller]
    fn add(&mut self, module: Module, verdict: Verdict) {
        self.cases.push(Case { module, verdict, at: Location::caller() });
    }

    /// A valid module.
    #[track_caller]
    pub fn accepts(&mut self, module: Module) {
        self.add(module, Verdict::Accept);
    }

    /// A module that breaks a rule.
    #[track_caller]
    pub fn refuses(&mut self, module: Module, rule: Violation) {
        self.add(module, Verdict::Refuse(rule));
    }

    /// The same, with a rule of some kind.
    #[track_caller]
    pub fn refuses_like(&mut self, module: Module, is: fn(&Violation) -> bool) {
        self.add(module, Verdict::Like(is));
    }

    /// A [`service`], which is valid, is not so any more after this change.
    #[track_caller]
    pub fn changed(&mut self, change: impl FnOnce(&mut Module), is: fn(&Violation) -> bool) {
        let mut module = service();
        change(&mut module);
        self.refuses_like(module, is);
    }

    /// Bodies of one function of [`device_module`].
    pub fn shape<'c>(&'c mut self, params: &[Type], results: &[Type], locals: &[Type]) -> Shape<'c> {
        self.shape_in(device_module(), params, results, locals)
    }

    /// Bodies of one function of [`world::world`].
    pub fn world<'c>(&'c mut self, params: &[Type], results: &[Type], locals: &[Type]) -> Shape<'c> {
        self.shape_in(world::world(), params, results, locals)
    }

    fn shape_in<'c>(&'c mut self, base: Module, params: &[Type], results: &[Type], locals: &[Type]) -> Shape<'c> {
        let shape = func(params, results, locals, code());
        Shape { corpus: self, base, shape, role: Role::Plain }
    }
}

/// How the function under test is entered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Plain,
    /// Of an instruction that waits.
    Op,
    /// Of a streamed instruction.
    Streamed,
    Program,
}

/// The function under test, the last one of a module.
pub struct Shape<'c> {
    corpus: &'c mut Corpus,
    base: Module,
    shape: Func,
    role: Role,
}

impl Shape<'_> {
    /// As a pure function.
    pub fn pure(&mut self) -> &mut Self {
        self.shape.pure = true;
        self
    }

    /// As an op or program.
    pub fn role(&mut self, role: Role) -> &mut Self {
        self.role = role;
        self
    }

    fn module(&self, body: Code) -> Module {
        let mut module = self.base.clone();
        let id = FuncId(module.funcs.len() as u32);
        module.funcs.push(Func { body: body.bytes(), ..self.shape.clone() });
        match self.role {
            Role::Plain => {}
            Role::Op | Role::Streamed => {
                let isa = IsaId(module.isas.len() as u32);
                let results = (self.role == Role::Op).then_some(&self.shape.sig.results[..]);
                let tested = instruction(1, "tested", &self.shape.sig.params, results);
                let set = InstructionSet { instructions: vec![tested].into(), name: "test.op".into(), ..device_set() };
                module.isas.push(set);
                module.provides.push(Provides { isa, name: None, ops: vec![id] });
            }
            Role::Program => module.programs.push(Program { name: "tested".into(), isa: IsaId(0), func: id }),
        }
        module
    }

    #[track_caller]
    pub fn accepts(&mut self, body: Code) -> &mut Self {
        let module = self.module(body);
        self.corpus.accepts(module);
        self
    }

    #[track_caller]
    pub fn refuses(&mut self, body: Code, rule: Violation) -> &mut Self {
        let module = self.module(body);
        self.corpus.refuses(module, rule);
        self
    }

    /// `rest` takes these operands: not fewer, and none of another type.
    #[track_caller]
    pub fn takes(&mut self, operands: &[(Type, Code)], rest: Code) -> &mut Self {
        let with = |operands: &[(Type, Code)]| operands.iter().fold(code(), |body, (_, one)| append(body, one.clone()));
        self.accepts(append(with(operands), rest.clone()));
        for (at, (expected, _)) in operands.iter().enumerate() {
            let (before, after) = (with(&operands[..at]), append(with(&operands[at + 1..]), rest.clone()));
            let (found, wrong) = match expected {
                Type::I32 => (Type::I64, code().i64(1)),
                _ => (Type::I32, code().i32(1)),
            };
            self.refuses(append(append(before, wrong), after.clone()), mismatch(*expected, found));
            self.refuses(after, Violation::MissingOperand(*expected));
        }
        self
    }

    /// A statement takes these operands, leaves none, and stands in no expression.
    #[track_caller]
    pub fn statement(&mut self, operands: &[(Type, Code)], rest: Code) -> &mut Self {
        self.takes(operands, rest.clone());
        let whole = || append(operands.iter().fold(code(), |body, (_, one)| append(body, one.clone())), rest.clone());
        self.refuses(append(code().i32(1), whole()), Violation::LeftOver(1));
        self.refuses(append(code().put(Instr::While), whole()), Violation::StatementInTree)
    }

    /// An instruction in a tree takes these operands and gives a result.
    #[track_caller]
    pub fn tree(&mut self, operands: &[(Type, Code)], instr: Instr<'_>, result: Type) -> &mut Self {
        let local = (self.shape.sig.params.len() + self.shape.locals.len()) as u32;
        let other = if result == Type::F32 { Type::F64 } else { Type::F32 };
        self.shape.locals.push(result);
        self.takes(operands, code().put(instr).set(local));
        self.shape.locals[local as usize - self.shape.sig.params.len()] = other;
        let whole = operands.iter().fold(code(), |body, (_, one)| append(body, one.clone())).put(instr).set(local);
        self.refuses(whole, mismatch(other, result));
        self.shape.locals.pop();
        self
    }

    /// Not what a pure function may do, though another may.
    #[track_caller]
    pub fn impure(&mut self, body: Code, what: &'static str) -> &mut Self {
        self.shape.pure = false;
        self.accepts(body.clone());
        self.shape.pure = true;
        self.refuses(body, Violation::Impure(what));
        self.shape.pure = false;
        self
    }
}

/// An operand of another type.
pub fn mismatch(expected: Type, found: Type) -> Violation {
    Violation::Mismatch { expected, found }
}

/// `cond ty test then else other end`.
pub fn cond(ty: Type, test: Code, then: Code, other: Code) -> Code {
    let mut body = code().put(Instr::Cond(ty));
    for (part, close) in [(test, Instr::Test), (then, Instr::Else), (other, Instr::End)] {
        body = append(body, part).put(close);
    }
    body
}

/// One body behind another.
pub fn append(mut body: Code, part: Code) -> Code {
    let bytes = part.bytes();
    let mut reader = Reader::new(&bytes);
    while let Ok(Some(instr)) = reader.next() {
        body = body.put(instr);
    }
    body
}
