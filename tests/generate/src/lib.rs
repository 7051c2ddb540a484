//! Random modules that are valid by construction: all of the language, from a seed.
//!
//! A module depends on its seed and the sizes asked for alone. It ends after a bounded number of steps: each
//! turn of a loop and each call of an impure function costs some of a global's fuel. What it
//! computes is folded into a global that the exported `observe` returns, together with the start of
//! its memory. What could trap is guarded mostly, so that few runs end early.
//!
//! The verifier accepts all of these modules: one that it refuses shows a mistake in one of both.
#![forbid(unsafe_code)]

mod body;
mod constant;
mod expr;
mod random;
mod send;
mod stmt;
mod world;

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{
    Export, Func, FuncId, GlobalId, Handler, IsaId, LocalId, MemoryId, Module, Program, Provides, Signature, Type,
    UseId,
};

pub use random::Random;
pub use send::UNRELIABLE;

use body::Body;
use world::{Role, World};

/// How large a module is, and what it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Functions that are called only; as many again are pure.
    pub functions: usize,
    /// Statements of a function, at most and without nested ones.
    pub statements: usize,
    /// Operators inside one another.
    pub depth: usize,
    /// Nodes of all trees of a function, roughly.
    pub nodes: usize,
    /// How often in a thousand a guard against a trap is left out.
    pub trapping: usize,
    /// Structs, arrays, function and capability references.
    pub objects: bool,
    /// `freeze`.
    pub freeze: bool,
    /// `return tail`.
    pub tail_calls: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            functions: 2,
            statements: 6,
            depth: 3,
            nodes: 60,
            trapping: 15,
            objects: true,
            freeze: true,
            tail_calls: true,
        }
    }
}

/// The name of the exported function that returns a digest of all that was computed.
pub const OBSERVE: &str = "observe";

/// The module of a seed.
pub fn module(seed: u64, config: &Config) -> Module {
    let mut random = Random::new(seed);
    let mut world = World::new(&mut random, config);
    announce(&mut world);
    let mut funcs = Vec::with_capacity(world.plans.len());
    for at in 0..world.plans.len() {
        let mut body = Body::new(&world, config, &mut random, FuncId(at as u32));
        body.function();
        let plan = &world.plans[at];
        let locals = body.locals.split_off(plan.sig.params.len());
        funcs.push(Func { sig: plan.sig.clone(), pure: plan.role == Role::Pure, locals, body: body.out.bytes });
    }
    let observe = FuncId(funcs.len() as u32);
    funcs.push(observer(&world));
    let mut module = world.module;
    module.funcs = funcs;
    module.exports.push(Export { name: OBSERVE.into(), func: observe });
    module
}

/// Enters the planned functions into the tables that name them.
fn announce(world: &mut World) {
    let mut ops = Vec::new();
    let mut events = world.used().events.iter().map(|event| event.number).collect::<Vec<_>>().into_iter();
    let mut module = std::mem::take(&mut world.module);
    for (at, plan) in world.plans.iter().enumerate() {
        let func = FuncId(at as u32);
        match plan.role {
            Role::Main => module.exports.push(Export { name: "main".into(), func }),
            Role::Export => module.exports.push(Export { name: format!("f{at}"), func }),
            Role::Handler => {
                module.handlers.extend(events.next().map(|event| Handler { source: UseId(0), event, func }));
            }
            Role::Op => ops.push(func),
            Role::Program => module.programs.push(Program { name: format!("p{at}"), isa: world::USED, func }),
            Role::Plain | Role::Pure => {}
        }
    }
    if !ops.is_empty() {
        module.provides.push(Provides { isa: IsaId(1), name: None, ops });
    }
    world.module = module;
}

/// `observe() -> (i64, i64)`: the digest of values, and one of each memory's start and of the last bytes of its first page.
fn observer(world: &World) -> Func {
    let mut out = Writer::default();
    let (sum, at) = (LocalId(0), LocalId(1));
    out.push(Instr::I64Const(0));
    out.set(&[Some(sum)]);
    let op = |out: &mut Writer, op: Op| out.push(Instr::Op(op, Immediate::default()));
    for memory in (0..world.module.memories.len() as u32).map(MemoryId) {
        let load = |out: &mut Writer| out.push(Instr::Op(Op::Load64, Immediate { memory, ..Immediate::default() }));
        out.push(Instr::I32Const(0));
        out.push(Instr::I32Const(640));
        out.push(Instr::For(at));
        out.push(Instr::Get(sum));
        out.push(Instr::I64Const(5));
        op(&mut out, Op::I64Rotl);
        out.push(Instr::Get(at));
        out.push(Instr::I32Const(3));
        op(&mut out, Op::I32Shl);
        load(&mut out);
        op(&mut out, Op::I64Xor);
        out.set(&[Some(sum)]);
        out.push(Instr::End);
        for back in [8, 16, 80, 144] {
            out.push(Instr::Get(sum));
            out.push(Instr::I32Const(65536 - back));
            load(&mut out);
            op(&mut out, Op::I64Add);
            out.set(&[Some(sum)]);
        }
    }
    out.push(Instr::GlobalGet(GlobalId(1)));
    out.push(Instr::Get(sum));
    out.push(Instr::Return);
    let sig = Signature { params: vec![], results: vec![Type::I64, Type::I64] };
    Func { sig, pure: false, locals: vec![Type::I64, Type::I32], body: out.bytes }
}
