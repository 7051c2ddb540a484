//! What lowering wants to know about a body before it starts.

use alloc::vec::Vec;

use hashbrown::HashSet;
use il::instr::{Dests, Instr, Reader};
use il::{Func, LocalId, Type};

use crate::image::Stub;

/// Facts about one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Locals that are assigned somewhere.
    pub assigned: HashSet<LocalId>,
    /// Whether it calls functions of the module.
    pub calls: bool,
    /// Offsets of `cond`s of type `bool` that only decide a branch: `a && b` in an `if` or `while`.
    pub deciding: HashSet<u32>,
    /// About how many blocks its code has.
    pub blocks: usize,
    /// Stubs that its code refers to; filled in by lowering.
    pub stubs: HashSet<Stub>,
}

/// Reads the body once; `None` if it does not decode.
pub(crate) fn scan(func: &Func) -> Option<Facts> {
    let mut facts = Facts::default();
    let mut conds = Conds::default();
    let mut reader = Reader::new(&func.body);
    loop {
        let offset = reader.offset();
        let Some(instr) = reader.next().ok()? else { break };
        conds.next(offset, instr, &mut facts.deciding);
        match instr {
            Instr::Set(dests) | Instr::SendSet(_, _, dests) | Instr::TrySet(_, _, dests) => assign(&mut facts, dests),
            Instr::CallSet(_, dests) => {
                facts.calls = true;
                assign(&mut facts, dests);
            }
            Instr::Call(_) => facts.calls = true,
            Instr::Op(..) | Instr::I32Const(_) | Instr::I64Const(_) | Instr::F64Const(_) | Instr::BoolConst(_) => {
                continue;
            }
            _ => {}
        }
        // Structure makes a block or two; so may assigning or dropping what is counted.
        facts.blocks += 2;
    }
    Some(facts)
}

fn assign(facts: &mut Facts, dests: Dests<'_>) {
    facts.assigned.extend(dests.iter().flatten());
}

/// A `cond` and those inside it that pass their value on as its value.
#[derive(Default)]
struct Cond {
    offsets: Vec<u32>,
}

/// Finds the `cond`s whose value is at once branched on.
#[derive(Default)]
struct Conds {
    /// Open constructs; `Some` for a `cond` of type `bool`.
    open: Vec<Option<Cond>>,
    /// The `cond` that has just ended.
    ended: Option<Cond>,
}

impl Conds {
    fn next(&mut self, offset: u32, instr: Instr<'_>, deciding: &mut HashSet<u32>) {
        if let Some(cond) = self.ended.take() {
            match instr {
                Instr::If | Instr::Test | Instr::Assert(_) => deciding.extend(cond.offsets),
                Instr::Else | Instr::End => {
                    if let Some(Some(outer)) = self.open.last_mut() {
                        outer.offsets.extend(cond.offsets);
                    }
                }
                _ => {}
            }
        }
        match instr {
            Instr::Cond(Type::Bool) => self.open.push(Some(Cond { offsets: alloc::vec![offset] })),
            Instr::Cond(_) | Instr::If | Instr::Loop | Instr::While | Instr::For(_) | Instr::Switch => {
                self.open.push(None)
            }
            Instr::End => self.ended = self.open.pop().flatten(),
            _ => {}
        }
    }
}
