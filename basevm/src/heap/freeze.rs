//! `freeze`: copies a graph of immutable objects into a region of its own. `unsafe`: guest memory.
//!
//! Objects are listed breadth first, each leaving behind where in the region it will be; then they are copied in
//! that order, the copies' references are corrected, and the originals get their headers back. What is frozen
//! already is kept by reference.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use compiler::abi::FROZEN;

use super::object::{Header, Object};
use super::region::{FrozenRegion, REGION_OVERHEAD, Regions};
use super::space::Memory;
use super::types::{Kind, TypeTable};
use crate::buf::Account;

/// A region of a copy of the graph below `root`, an object that is not frozen. `None` if it cannot be paid for;
/// the graph is as it was.
///
/// # Safety
/// `root` is the address of an object of a sendable type of `types`.
pub(super) unsafe fn freeze(
    root: u64,
    types: &Arc<TypeTable>,
    regions: &Regions,
    account: &Arc<Account>,
) -> Option<Arc<FrozenRegion>> {
    let mut copying = Copying { types, regions, list: Vec::new(), bytes: 0, into: BTreeMap::new() };
    // SAFETY: the caller's promise.
    let listed = unsafe { copying.list_all(root) };
    let region = listed.and_then(|()| copying.copy(account));
    copying.restore();
    region
}

struct Copying<'a> {
    types: &'a Arc<TypeTable>,
    regions: &'a Regions,
    /// Objects to be copied, with their headers; their places hold offsets in the region instead.
    list: Vec<(Object, Header)>,
    /// Bytes of these.
    bytes: u64,
    into: BTreeMap<u64, Arc<FrozenRegion>>,
}

impl Copying<'_> {
    /// # Safety
    /// As for [`freeze`].
    unsafe fn list_all(&mut self, root: u64) -> Option<()> {
        // SAFETY: the caller's promise.
        unsafe { self.reach(root)? };
        let mut at = 0;
        while let Some((object, header)) = self.list.get(at).copied() {
            at += 1;
            // SAFETY: references of a live object are live objects.
            each_reference(self.types, object, header, |word| unsafe { self.reach(word) })?;
        }
        Some(())
    }

    /// # Safety
    /// `address` is null or an object's.
    unsafe fn reach(&mut self, address: u64) -> Option<()> {
        if address == 0 {
            return Some(());
        }
        // SAFETY: the caller's promise.
        let object = unsafe { Object::at(address) };
        let header = object.header();
        if header.new_place().is_some() {
            return Some(());
        }
        if header.has(FROZEN) {
            let region = self.regions.find(address).expect("the heap holds each region that it points into");
            self.into.entry(region.start()).or_insert_with(|| region.clone());
            return Some(());
        }
        self.list.try_reserve(1).ok()?;
        self.list.push((object, header));
        object.set_header(Header::moved(self.bytes));
        self.bytes += self.types.bytes(header.kind(), header.len());
        Some(())
    }

    fn copy(&mut self, account: &Arc<Account>) -> Option<Arc<FrozenRegion>> {
        let memory = Memory::new(self.bytes)?;
        let cost = memory.bytes() + REGION_OVERHEAD;
        let start = memory.start();
        let mut to = start;
        for (object, header) in &self.list {
            let kind = self.types.registered(header.kind())?;
            let bytes = self.types.bytes(header.kind(), header.len());
            // SAFETY: offsets in the region follow one another as the list does.
            let copy = unsafe { Object::at(to) };
            object.copy_to(copy, bytes);
            copy.set_header(Header::new(kind, FROZEN, header.len()));
            correct(self.types, copy, *header, start);
            to += bytes;
        }
        if !account.charge(cost) {
            return None;
        }
        let into = core::mem::take(&mut self.into).into_values().collect();
        let payer = Some((account.clone(), cost));
        Some(FrozenRegion::new(memory, self.bytes, into, Some(self.types.clone()), payer))
    }

    fn restore(&self) {
        self.list.iter().for_each(|(object, header)| object.set_header(*header));
    }
}

/// Makes the references of a copy point to copies.
fn correct(types: &TypeTable, copy: Object, header: Header, start: u64) {
    let fix = |offset: u64| {
        let word = copy.word(offset);
        if word != 0 {
            // SAFETY: the copied word refers to an object of the graph.
            if let Some(place) = unsafe { Object::at(word) }.header().new_place() {
                copy.set_word(offset, start + place);
            }
        }
        Some(())
    };
    let all = each_offset(types, header, fix);
    debug_assert!(all.is_some(), "`fix` never stops");
}

fn each_reference(
    types: &TypeTable,
    object: Object,
    header: Header,
    mut visit: impl FnMut(u64) -> Option<()>,
) -> Option<()> {
    each_offset(types, header, |offset| visit(object.word(offset)))
}

/// Calls `visit` with the offset of each reference of an object, until it answers `None`.
fn each_offset(types: &TypeTable, header: Header, mut visit: impl FnMut(u64) -> Option<()>) -> Option<()> {
    match types.kind(header.kind()) {
        Kind::Struct { references, .. } => {
            types.offsets(references).iter().try_for_each(|offset| visit(u64::from(*offset)))
        }
        Kind::References => (1..=u64::from(header.len())).try_for_each(|index| visit(index * 8)),
        Kind::Plain(_) => Some(()),
        Kind::Bufs | Kind::Func | Kind::Nothing => unreachable!("verified: what is frozen is sendable"),
    }
}
