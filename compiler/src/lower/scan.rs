//! What lowering wants to know about a body before it starts.

use hashbrown::HashSet;
use il::instr::{Dests, Instr, Reader};
use il::{Func, LocalId};

use crate::image::Stub;

/// Facts about one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Locals that are assigned somewhere.
    pub assigned: HashSet<LocalId>,
    /// Whether it calls functions of the module.
    pub calls: bool,
    /// Stubs that its code refers to; filled in by lowering.
    pub stubs: HashSet<Stub>,
}

/// Reads the body once; `None` if it does not decode.
pub(crate) fn scan(func: &Func) -> Option<Facts> {
    let mut facts = Facts::default();
    let mut reader = Reader::new(&func.body);
    while let Some(instr) = reader.next().ok()? {
        match instr {
            Instr::Set(dests) | Instr::SendSet(_, _, dests) | Instr::TrySet(_, _, dests) => assign(&mut facts, dests),
            Instr::CallSet(_, dests) => {
                facts.calls = true;
                assign(&mut facts, dests);
            }
            Instr::Call(_) => facts.calls = true,
            _ => {}
        }
    }
    Some(facts)
}

fn assign(facts: &mut Facts, dests: Dests<'_>) {
    facts.assigned.extend(dests.iter().flatten());
}
