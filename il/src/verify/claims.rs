//! What the verifier knows at each instruction, for those who want to check it against what happens.

use alloc::vec::Vec;

use super::body::Body;
use super::{Context, VerifiedModule};
use crate::{FuncId, LocalId, Type};

/// What holds before each instruction of a function, by the verifier's own pass.
///
/// It grows with the body's length times what is on the stack: a tool for tests and debugging.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Offset of the instruction; ascending.
    offsets: Vec<u32>,
    /// For each, where its operands end in `operands`; they start where those before end.
    ends: Vec<usize>,
    operands: Vec<Type>,
    /// For each, one bit a local, in `words` words; empty where control never gets to.
    available: Vec<Option<Vec<u64>>>,
}

/// What holds before one instruction.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Types of the operands on the stack, first pushed first. A `buf` that is borrowed is a `ref buf`.
    pub operands: &'a [Type],
    available: Option<&'a [u64]>,
}

impl Claim<'_> {
    /// Whether control can get here: not to the `else`, `arm`, `default` or `end` behind a terminator.
    pub fn is_reachable(&self) -> bool {
        self.available.is_some()
    }

    /// Whether the local is assigned and, if it is a `buf` or `?buf`, not moved.
    pub fn is_available(&self, local: LocalId) -> bool {
        let word = self.available.and_then(|words| words.get(local.index() / 64));
        word.is_some_and(|word| word >> (local.0 % 64) & 1 != 0)
    }
}

impl Claims {
    /// What holds before the instruction at this byte offset; also at the body's end. `None` if none starts there.
    pub fn at(&self, offset: u32) -> Option<Claim<'_>> {
        let at = self.offsets.binary_search(&offset).ok()?;
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        Some(Claim { operands: self.operands.get(start..end)?, available: self.available.get(at)?.as_deref() })
    }

    fn note(&mut self, offset: u32, body: &Body<'_>) {
        self.offsets.push(offset);
        self.operands.extend(body.operands.iter().map(|operand| operand.ty));
        self.ends.push(self.operands.len());
        self.available.push(body.flow.as_ref().map(|state| state.words().to_vec()));
    }
}

/// What the verifier claims of a function's operands and locals. Empty for a function that does not exist.
pub fn claims(module: &VerifiedModule, func: FuncId) -> Claims {
    let context = Context { module: &module.module, hierarchy: &module.hierarchy, roles: &module.roles };
    let mut claims = Claims::default();
    // The module is verified, so the pass has no error to tell.
    let _ = Body::new(context).function(func, |offset, body| claims.note(offset, body));
    claims
}
