//! Compiled code as data: not yet at an address, shareable, and the one linker for both platforms.
//!
//! Invariants: ranges, entries, traps and lines are sorted by code offset; functions do not overlap.

use alloc::vec::Vec;
use core::ops::Range;

use il::trap::TrapKind;
use il::{FuncId, TypeId};

use crate::error::LinkError;
use crate::maps::StackMaps;

/// What lies in a range of code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub enum Symbol {
    /// A function of the module.
    Func(FuncId),
    /// Its System V entry.
    Entry(FuncId),
    /// Code that gives some of the globals their initial values, by number from 0.
    Init(u32),
    /// The System V entry that runs all of these.
    InitEntry,
    /// A helper of this module's code that leaves the VM and keeps all registers.
    Stub(Stub),
    /// A helper that does not leave the VM.
    Helper(Helper),
}

/// Helpers on cold paths: they keep every register, so that the hot path around them need not spill.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stub {
    /// `Exit::Yield`
    Yield,
    /// `Exit::Room`
    Room,
    /// `Exit::BufFree`
    BufFree,
    /// `Exit::Remember`
    Remember,
    /// `Exit::Alloc`
    Alloc,
}

/// What any module's code may call, without leaving the VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Helper {
    /// Short copies in linear memories.
    Copy,
    /// Short fills.
    Fill,
}

/// One range of code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Offsets in [`Compiled::code`].
    pub range: Range<u32>,
    /// What it is.
    pub symbol: Symbol,
}

/// How a relocation is applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelocationKind {
    /// 8 bytes: target + addend.
    Absolute,
    /// 4 bytes, signed: target + addend - address of the field.
    Relative,
}

/// A place in the code that depends on where code lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relocation {
    /// Offset of the field in the code.
    pub at: u32,
    /// How it is applied.
    pub kind: RelocationKind,
    /// What it refers to.
    pub target: Symbol,
    /// Added to the target's address.
    pub addend: i64,
}

/// Where in the IL a code offset comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location {
    /// The function.
    pub func: FuncId,
    /// Byte offset in its body; see [`il::Module::line_at`].
    pub body_offset: u32,
}

/// An array of constants, which [`crate::abi::Exit::NewArray`] makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConstantArray {
    /// Its definition.
    pub ty: TypeId,
    /// How many elements it has.
    pub len: u32,
    /// The elements as they stand in memory, but for references.
    pub bytes: Vec<u8>,
    /// Whether they are references: each is 8 bytes then, 0 for null, else 1 more than its place in
    /// [`crate::abi::VmCtx::literals`].
    pub references: bool,
}

impl ConstantArray {
    /// The elements of an object of it. `literal` gives the address of a literal.
    pub fn contents(&self, literal: impl Fn(u64) -> Option<u64>) -> Option<Vec<u8>> {
        if !self.references {
            return Some(self.bytes.clone());
        }
        let mut contents = Vec::with_capacity(self.bytes.len());
        for element in self.bytes.chunks_exact(8) {
            let element = u64::from_le_bytes(element.try_into().ok()?);
            let address = element.checked_sub(1).map_or(Some(0), &literal)?;
            contents.extend_from_slice(&address.to_le_bytes());
        }
        Some(contents)
    }
}

/// A module's machine code, before it has an address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Compiled {
    /// All code, position-independent but for `relocations`.
    pub code: Vec<u8>,
    /// To be applied by [`Compiled::link_into`].
    pub relocations: Vec<Relocation>,
    /// What lies where.
    pub sections: Vec<Section>,
    /// Code offsets of System V entries `fn(*mut VmCtx)`: of `main` and all other exports, of
    /// handlers, `op`s, programs and tests; by function. An entry ends in `Exit::Done` and never returns.
    pub entries: Vec<(FuncId, u32)>,
    /// Instructions that trap, and why.
    pub traps: Vec<(u32, TrapKind)>,
    /// Code offset, byte offset in the body: each holds up to the next entry.
    pub lines: Vec<(u32, u32)>,
    /// Code offset of the System V entry that gives all globals their initial values, in slots that are zero before;
    /// it runs once, before any other entry. `None` if there are no globals.
    pub init_entry: Option<u32>,
    /// What `func.ref` names, in the order of the objects in [`crate::abi::VmCtx::literals`]: (function, type). The
    /// object of each holds the address of [`Symbol::Func`] of its function.
    pub func_refs: Vec<(FuncId, TypeId)>,
    /// Arrays of constants, by the number that [`crate::abi::Exit::NewArray`] names.
    pub arrays: Vec<ConstantArray>,
    /// Where frames hold references while they wait for a call to return.
    pub stack_maps: StackMaps,
}

impl Compiled {
    /// Writes the code to `dest` as it has to be when it runs at `base_address`.
    ///
    /// # Errors
    /// `dest` is too small, or the code is damaged.
    pub fn link_into(&self, dest: &mut [u8], base_address: u64) -> Result<(), LinkError> {
        let given = dest.len();
        let needed = self.code.len();
        let code = dest.get_mut(..needed).ok_or(LinkError::TooSmall { needed, given })?;
        code.copy_from_slice(&self.code);
        for relocation in &self.relocations {
            self.relocate(code, base_address, relocation).ok_or(LinkError::Relocation { at: relocation.at })?;
        }
        Ok(())
    }

    fn relocate(&self, code: &mut [u8], base: u64, relocation: &Relocation) -> Option<()> {
        let target = base.checked_add(u64::from(self.start(relocation.target)?))?;
        let value = target.wrapping_add_signed(relocation.addend);
        let at = relocation.at as usize;
        match relocation.kind {
            RelocationKind::Absolute => code.get_mut(at..at.checked_add(8)?)?.copy_from_slice(&value.to_le_bytes()),
            RelocationKind::Relative => {
                let field = base.checked_add(u64::from(relocation.at))?;
                let distance = i32::try_from(value.wrapping_sub(field) as i64).ok()?;
                code.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&distance.to_le_bytes());
            }
        }
        Some(())
    }

    /// Code offset of a function, entry or stub.
    pub fn start(&self, symbol: Symbol) -> Option<u32> {
        let at = self.sections.binary_search_by_key(&symbol, |s| s.symbol).ok()?;
        self.sections.get(at).map(|s| s.range.start)
    }

    /// Code offset of a function's System V entry, if it has one.
    pub fn entry(&self, func: FuncId) -> Option<u32> {
        let at = self.entries.binary_search_by_key(&func, |(id, _)| *id).ok()?;
        self.entries.get(at).map(|(_, offset)| *offset)
    }

    /// The IL position of the instruction at a code offset; for a return address, pass the offset
    /// minus 1. `None` outside the module's own functions (entries and stubs have no IL).
    pub fn locate(&self, offset: u32) -> Option<Location> {
        let section = self.section_at(offset)?;
        let Symbol::Func(func) = section.symbol else { return None };
        let after = self.lines.partition_point(|(at, _)| *at <= offset);
        let line = after.checked_sub(1).and_then(|at| self.lines.get(at));
        let body_offset = line.filter(|(at, _)| *at >= section.range.start).map_or(0, |(_, body)| *body);
        Some(Location { func, body_offset })
    }

    /// What lies at a code offset.
    pub fn section_at(&self, offset: u32) -> Option<&Section> {
        let after = self.sections.partition_point(|s| s.range.start <= offset);
        self.sections.get(after.checked_sub(1)?).filter(|s| s.range.contains(&offset))
    }

    /// Why the instruction at exactly this code offset traps, if it may.
    pub fn trap_at(&self, offset: u32) -> Option<TrapKind> {
        let at = self.traps.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
        self.traps.get(at).map(|(_, kind)| *kind)
    }
}
