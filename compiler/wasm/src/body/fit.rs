//! Values where a type is wanted.
//!
//! What is a subtype in WebAssembly is one in the IL, but for what has no values but null: that is cast.

use il::Type;
use il::instr::{Instr, Writer};

use super::Translator;
use super::stack::Leaf;
use crate::error::Result;

impl Translator<'_, '_, '_> {
    /// Whether a value of one type is none of the other in the IL.
    pub(super) fn misfits(&self, ty: Type, wanted: Type) -> bool {
        ty != wanted && self.build.types.is_nothing(ty) && !matches!(wanted, Type::Any | Type::OptAny)
    }

    /// Makes the value so many below the top one of this type.
    pub(super) fn fit(&mut self, below: usize, wanted: Type) -> Result {
        if !self.build.types.has_nothing() {
            return Ok(());
        }
        let entry = self.entry(below)?;
        if !self.misfits(entry.ty, wanted) {
            return Ok(());
        }
        let at = self.entries.len() - 1 - below;
        let end = self.entries.get(at + 1).map_or(self.code.bytes.len(), |next| next.start);
        let null = matches!(entry.leaf, Some(Leaf::Null(_))) && wanted.is_nullable();
        let (from, instr) = if null { (entry.start, Instr::Null(wanted)) } else { (end, Instr::As(wanted)) };
        let mut piece = Writer::default();
        piece.push(instr);
        let (removed, added) = (end - from, piece.bytes.len());
        self.code.bytes.splice(from..end, piece.bytes);
        for entry in self.entries.get_mut(at + 1..).unwrap_or_default() {
            entry.start = entry.start - removed + added;
        }
        if let Some(entry) = self.entries.get_mut(at) {
            entry.ty = wanted;
            entry.leaf = null.then_some(Leaf::Null(wanted));
        }
        Ok(())
    }

    /// Makes the topmost values, with so many above them, those of these types.
    pub(super) fn fit_all(&mut self, above: usize, types: &[Type]) -> Result {
        if !self.build.types.has_nothing() {
            return Ok(());
        }
        types.iter().rev().enumerate().try_for_each(|(at, ty)| self.fit(above + at, *ty))
    }

    /// The same for the values of a construct, whose types are noted.
    pub(super) fn fit_kinds(&mut self, above: usize, kinds: usize, count: usize) -> Result {
        if !self.build.types.has_nothing() {
            return Ok(());
        }
        for at in 0..count {
            let ty = self.kinds.get(kinds + at).copied().unwrap_or(Type::I32);
            self.fit(above + count - 1 - at, ty)?;
        }
        Ok(())
    }

    /// The leaves that wait from a place on, as values of a construct's types: to be stored by a branch, without being
    /// taken.
    pub(super) fn read_fitting(&mut self, from: usize, kinds: usize, count: usize) {
        for at in 0..count {
            let Some((leaf, ty)) = self.entries.get(from + at).and_then(|entry| Some((entry.leaf?, entry.ty))) else {
                continue;
            };
            let wanted = self.kinds.get(kinds + at).copied().unwrap_or(ty);
            match leaf {
                Leaf::Null(_) if wanted.is_nullable() => self.emit(Instr::Null(wanted)),
                leaf => {
                    self.emit(leaf.instr());
                    self.emit_fitting(ty, kinds + at);
                }
            }
        }
    }

    /// The value at the code's end becomes one of a construct's types.
    pub(super) fn emit_fitting(&mut self, ty: Type, kind: usize) {
        match self.kinds.get(kind).copied() {
            Some(wanted) if self.misfits(ty, wanted) => self.emit(Instr::As(wanted)),
            _ => {}
        }
    }
}
