//! Objects that VMs of other modules have frozen: of which of this module's types they are.
//!
//! Two modules mean the same by a type if its description is the same ([`il::shape`]). Comparing descriptions takes a
//! while, so the answers are kept, for as long as what they are about exists: numbers of types are used again.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use il::TypeId;
use il::shape::Shapes;

use super::registry;
use super::types::TypeTable;

/// Answers that are kept at most.
const MAX_ANSWERS: usize = 1024;

/// Answers by an object's base-wide number and a definition of this module.
#[derive(Default, Debug)]
pub(super) struct Foreign {
    answers: BTreeMap<(u32, TypeId), (Weak<TypeTable>, bool)>,
}

impl Foreign {
    /// Whether objects of this number are of a definition of `types`.
    pub fn is(&mut self, types: &TypeTable, number: u32, def: TypeId) -> bool {
        let Some((theirs, kind)) = registry::find(number) else { return false };
        if let Some((table, answer)) = self.answers.get(&(number, def))
            && core::ptr::eq(table.as_ptr(), Arc::as_ptr(&theirs))
        {
            return *answer;
        }
        let own = Shapes::of_objects(types.hierarchy().defs());
        let other = Shapes::of_objects(theirs.hierarchy().defs());
        let answer = theirs.def(kind).is_some_and(|found| other.is_subtype(found, &own, def));
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.clear();
        }
        self.answers.insert((number, def), (Arc::downgrade(&theirs), answer));
        answer
    }

    /// Forgets what it knows.
    pub fn clear(&mut self) {
        self.answers.clear();
    }
}

/// Of which definitions of `types` the objects are that were made as `id` of another table.
pub(crate) fn classes(types: &TypeTable, theirs: &TypeTable, id: TypeId) -> alloc::vec::Vec<TypeId> {
    let own = Shapes::of_objects(types.hierarchy().defs());
    let other = Shapes::of_objects(theirs.hierarchy().defs());
    let count = types.hierarchy().defs().len() as u32;
    (0..count).map(TypeId).filter(|def| other.is_subtype(id, &own, *def)).collect()
}
