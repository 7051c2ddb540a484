//! The verifier's claims, asserted: before each instruction every operand and every available local has
//! the type that the verifier derived for it, and the stack is exactly as high as it says.

use alloc::format;
use alloc::string::String;

use il::trap::TrapKind;
use il::verify::Claim;
use il::{LocalId, Type};

use crate::machine::{Frame, Machine};
use crate::outcome::Trap;

impl Machine<'_> {
    /// Compares the state before the instruction at byte `offset` of the function under way with the claim.
    pub(crate) fn check(&self, offset: u32) -> Result<(), Trap> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        // Globals' initial values have no claims.
        let Some(claims) = self.claims.get(frame.code) else { return Ok(()) };
        let wrong = |what: String| Trap { kind: TrapKind::Unreachable, message: what, status: None };
        let claim = claims.at(offset).ok_or_else(|| wrong(format!("no claim at offset {offset}")))?;
        if !claim.is_reachable() {
            return Err(wrong(format!("control is at offset {offset}, which was claimed to be out of its reach")));
        }
        self.check_operands(frame, claim).map_err(wrong)?;
        self.check_locals(frame, claim).map_err(wrong)
    }

    fn check_operands(&self, frame: &Frame<'_>, claim: Claim<'_>) -> Result<(), String> {
        let operands = self.stack.get(frame.base..).unwrap_or_default();
        if operands.len() != claim.operands.len() {
            return Err(format!("{} operands, but {} were claimed", operands.len(), claim.operands.len()));
        }
        for (value, ty) in operands.iter().zip(claim.operands) {
            if !self.has_type(*value, *ty) {
                return Err(format!("operand {value:?} was claimed to be of type {ty}"));
            }
        }
        Ok(())
    }

    fn check_locals(&self, frame: &Frame<'_>, claim: Claim<'_>) -> Result<(), String> {
        let func = self.module.funcs.get(frame.code);
        for (index, value) in frame.locals.iter().enumerate() {
            let ty: Option<Type> = func.and_then(|func| func.local_type(index));
            let Some(ty) = ty.filter(|_| claim.is_available(LocalId(index as u32))) else { continue };
            match value {
                None => return Err(format!("local {index} was claimed to be available")),
                Some(value) if !self.has_type(*value, ty) => {
                    return Err(format!("local {index} is {value:?}, but of type {ty}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
