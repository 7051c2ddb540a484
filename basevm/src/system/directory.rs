//! The directory: which VMs are there, under which name and index, and what they execute.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::service::VmId;

/// An instruction or event as announced: its number (events from 0x8000), name and signature hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Item {
    pub number: u16,
    pub name: String,
    pub hash: [u8; 32],
}

/// One announced VM.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub vm: VmId,
    pub name: String,
    /// Tells VMs of one name apart: `echo/0`, `echo/1`.
    pub index: u32,
    /// The set it executes, if any.
    pub set: Option<String>,
    /// What the set consists of.
    pub items: Vec<Item>,
}

/// All announced VMs, in the order of their arrival.
#[derive(Default, Debug)]
pub(crate) struct Directory {
    entries: Vec<Entry>,
}

impl Directory {
    /// Announces a VM; returns its index among those of its name.
    pub fn announce(&mut self, vm: VmId, name: &str, set: Option<String>, items: Vec<Item>) -> u32 {
        let taken = |index: &u32| self.entries.iter().any(|entry| entry.name == name && entry.index == *index);
        let index = (0..).find(|index| !taken(index)).unwrap_or(u32::MAX);
        self.entries.push(Entry { vm, name: name.to_string(), index, set, items });
        index
    }

    /// Forgets a VM.
    pub fn withdraw(&mut self, vm: VmId) {
        self.entries.retain(|entry| entry.vm != vm);
    }

    /// A VM that executes `set`: the one named `preferred` (or `preferred/index`), else the first.
    pub fn lookup(&self, set: &str, preferred: &str) -> Option<&Entry> {
        let fits = |entry: &&Entry| entry.set.as_deref() == Some(set);
        let (name, index) = split(preferred);
        let named = |entry: &&Entry| entry.name == name && index.is_none_or(|index| entry.index == index);
        let mut candidates = self.entries.iter().filter(fits);
        candidates.clone().find(named).or_else(|| candidates.next())
    }

    /// VMs that execute a set of this name in another version, or that have this name: for hints.
    pub fn similar(&self, set: &str, name: &str) -> Option<&Entry> {
        let path = |set: &str| set.split('@').next().unwrap_or_default().to_string();
        let fits =
            |entry: &&Entry| entry.set.as_deref().is_some_and(|other| path(other) == path(set)) || entry.name == name;
        self.entries.iter().find(fits)
    }
}

/// `name/index` or `name`.
fn split(address: &str) -> (&str, Option<u32>) {
    match address.rsplit_once('/').map(|(name, index)| (name, index.parse())) {
        Some((name, Ok(index))) => (name, Some(index)),
        _ => (address, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preferred_name_wins_and_indices_are_reused() {
        let mut directory = Directory::default();
        let set = || Some("demo.echo@1".to_string());
        assert_eq!(directory.announce(VmId(1), "echo", set(), Vec::new()), 0);
        assert_eq!(directory.announce(VmId(2), "echo", set(), Vec::new()), 1);
        assert_eq!(directory.announce(VmId(3), "parrot", set(), Vec::new()), 0);
        let found = |directory: &Directory, name| directory.lookup("demo.echo@1", name).map(|entry| entry.vm.0);
        assert_eq!(found(&directory, "parrot"), Some(3));
        assert_eq!(found(&directory, "echo/1"), Some(2));
        assert_eq!(found(&directory, "nobody"), Some(1));
        directory.withdraw(VmId(1));
        assert_eq!(found(&directory, "nobody"), Some(2));
        assert_eq!(directory.announce(VmId(4), "echo", set(), Vec::new()), 0);
        assert!(directory.lookup("demo.echo@2", "echo").is_none());
        assert!(directory.similar("demo.echo@2", "x").is_some());
    }
}
