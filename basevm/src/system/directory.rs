//! The directory: which VMs are there, under which names and indices, what they execute, and who wants
//! to hear of arrivals.
//!
//! Invariants: no two entries have the same name and index, also while one of them is held for a VM that
//! is being restarted; what a VM announces and what it subscribes to is bounded, and goes with it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::service::VmId;

/// Most further names that one VM announces.
pub(crate) const MAX_NAMES: usize = 16;
/// Most sets that one VM subscribes to.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 16;
/// Most attributes of one name.
pub(crate) const MAX_ATTRIBUTES: usize = 16;
/// Longest attributes of one name, as text, in bytes.
pub(crate) const MAX_ATTRIBUTES_BYTES: usize = 1024;

/// An instruction or event as announced: its number (events from 0x8000), name and signature hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Item {
    pub number: u16,
    pub name: String,
    pub hash: [u8; 32],
}

/// `key=value` pairs, in the order in which they were given.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// Reads `key=value,key=value`, or nothing. `None` if it has another form or is too long.
    pub fn parse(text: &str) -> Option<Attributes> {
        if text.is_empty() {
            return Some(Attributes::default());
        }
        if text.len() > MAX_ATTRIBUTES_BYTES {
            return None;
        }
        let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "=,?".contains(c));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(',') {
            let (key, value) = pair.split_once('=').filter(|(key, value)| plain(key) && plain(value))?;
            if pairs.len() == MAX_ATTRIBUTES || pairs.iter().any(|(other, _)| other == key) {
                return None;
            }
            pairs.push((key.to_string(), value.to_string()));
        }
        Some(Attributes(pairs))
    }

    /// Whether all of `wanted` are among these.
    fn have(&self, wanted: &Attributes) -> bool {
        wanted.0.iter().all(|pair| self.0.contains(pair))
    }
}

impl core::fmt::Display for Attributes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{key}={value}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// One name of one VM.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub vm: VmId,
    pub name: String,
    /// Tells VMs of one name apart: `echo/0`, `echo/1`.
    pub index: u32,
    /// The set it executes, if any.
    pub set: Option<String>,
    /// What the set consists of.
    pub items: Arc<[Item]>,
    pub attributes: Attributes,
    /// Whether it is the VM's own name, as opposed to a further one.
    pub own: bool,
    /// Whether it can be found: its VM is ready.
    pub live: bool,
}

impl Entry {
    /// The set's path, or nothing.
    pub fn set(&self) -> &str {
        self.set.as_deref().unwrap_or_default()
    }

    /// Whether this is its name, or its name and index.
    pub fn is_called(&self, address: &str) -> bool {
        let (name, index) = split(address);
        name == self.name && index.is_none_or(|index| index == self.index)
    }

    /// Whether an entry of a manifest's `sees` means this one.
    pub fn is_meant_by(&self, seen: &str) -> bool {
        let (name, index) = split(seen);
        seen == "*"
            || self.set.as_deref() == Some(seen)
            || name == self.name && index.is_none_or(|index| index == self.index)
    }
}

/// What a lookup or a list asks for: `echo`, `demo.echo@1?room=kitchen`, or nothing.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// Before the question mark.
    pub text: &'a str,
    attributes: Attributes,
}

impl<'a> Query<'a> {
    /// Reads a query; `None` if its attributes are malformed.
    pub fn parse(text: &'a str) -> Option<Query<'a>> {
        let (text, attributes) = text.split_once('?').unwrap_or((text, ""));
        Some(Query { text, attributes: Attributes::parse(attributes)? })
    }

    /// Whether an entry has the attributes.
    pub fn fits(&self, entry: &Entry) -> bool {
        entry.attributes.have(&self.attributes)
    }
}

/// Who wants to hear of VMs that execute which set.
#[derive(Debug)]
struct Subscription {
    vm: VmId,
    /// Empty: every set.
    set: String,
}

/// All announced names, in the order of their arrival.
#[derive(Default, Debug)]
pub(crate) struct Directory {
    /// By a number that only grows.
    entries: BTreeMap<u64, Entry>,
    next: u64,
    /// Numbers of the entries of each VM, ascending.
    of_vm: BTreeMap<VmId, Vec<u64>>,
    /// Indices in use, by name.
    indices: BTreeMap<String, BTreeSet<u32>>,
    subscriptions: Vec<Subscription>,
    /// Names and indices of VMs that are being restarted.
    held: Vec<(String, u32)>,
}

impl Directory {
    /// Announces a VM under its own name; returns its index among those of its name. It can be found once it
    /// is [ready](Directory::open).
    pub fn announce(&mut self, vm: VmId, name: &str, set: Option<String>, items: Vec<Item>) -> u32 {
        let index = self.free_index(name);
        self.insert(vm, name, index, set, items.into())
    }

    /// Announces a VM that has been restarted under the name and index that were [held](Directory::hold) for it.
    pub fn announce_again(&mut self, vm: VmId, name: &str, index: u32, set: Option<String>, items: Vec<Item>) -> u32 {
        self.release(name, index);
        self.insert(vm, name, index, set, items.into())
    }

    fn insert(&mut self, vm: VmId, name: &str, index: u32, set: Option<String>, items: Arc<[Item]>) -> u32 {
        let (name, attributes) = (name.to_string(), Attributes::default());
        self.add(Entry { vm, name, index, set, items, attributes, own: true, live: false });
        index
    }

    fn add(&mut self, entry: Entry) -> u64 {
        let number = self.next;
        self.next += 1;
        self.of_vm.entry(entry.vm).or_default().push(number);
        match self.indices.get_mut(&entry.name) {
            Some(indices) => drop(indices.insert(entry.index)),
            None => drop(self.indices.insert(entry.name.clone(), BTreeSet::from([entry.index]))),
        }
        self.entries.insert(number, entry);
        number
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        if let Some(indices) = self.indices.get_mut(&entry.name) {
            indices.remove(&entry.index);
            if indices.is_empty() {
                self.indices.remove(&entry.name);
            }
        }
        if let Some(numbers) = self.of_vm.get_mut(&entry.vm) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.of_vm.remove(&entry.vm);
            }
        }
        Some(entry)
    }

    /// Numbers of a VM's entries: of its own name, or of the further ones.
    fn numbers(&self, vm: VmId, own: bool) -> Vec<u64> {
        let is_own = |number: &&u64| self.entries.get(number).is_some_and(|entry| entry.own == own);
        self.of_vm.get(&vm).into_iter().flatten().filter(is_own).copied().collect()
    }

    fn free_index(&self, name: &str) -> u32 {
        let is_held = |index: u32| self.held.iter().any(|(held, at)| held == name && *at == index);
        // The first gap in what is in use, which ascends.
        let mut free = 0;
        let mut in_use = self.indices.get(name).into_iter().flatten().copied().peekable();
        while in_use.next_if_eq(&free).is_some() || is_held(free) {
            free += 1;
        }
        free
    }

    /// Announces a VM that is there under a further name. `None` if it has too many.
    pub fn announce_further(&mut self, vm: VmId, name: &str, attributes: Attributes) -> Option<&Entry> {
        let own = self.entries.get(self.numbers(vm, true).first()?)?;
        let (set, items) = (own.set.clone(), own.items.clone());
        if self.numbers(vm, false).len() >= MAX_NAMES {
            return None;
        }
        let (index, name) = (self.free_index(name), name.to_string());
        let number = self.add(Entry { vm, name, index, set, items, attributes, own: false, live: true });
        self.entries.get(&number)
    }

    /// Forgets the further names of a VM; returns them.
    pub fn withdraw_further(&mut self, vm: VmId) -> Vec<Entry> {
        self.numbers(vm, false).into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// Forgets a VM: its names, which are returned, and its subscriptions.
    pub fn withdraw(&mut self, vm: VmId) -> Vec<Entry> {
        self.subscriptions.retain(|subscription| subscription.vm != vm);
        let numbers = self.of_vm.get(&vm).cloned().unwrap_or_default();
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// A VM that has been announced executes a further set; it stands under the same name and index.
    pub fn announce_set(&mut self, vm: VmId, set: String, items: Vec<Item>) {
        let own = self.numbers(vm, true).first().and_then(|number| self.entries.get(number));
        let Some((name, index)) = own.map(|own| (own.name.clone(), own.index)) else { return };
        self.insert(vm, &name, index, Some(set), items.into());
    }

    /// The VM is ready: it can be found. The entries of its own name, one a set.
    pub fn open(&mut self, vm: VmId) -> Vec<Entry> {
        let mut opened = Vec::new();
        for number in self.numbers(vm, true) {
            if let Some(entry) = self.entries.get_mut(&number) {
                entry.live = true;
                opened.push(entry.clone());
            }
        }
        opened
    }

    /// Keeps a name and index for a VM that will be restarted.
    pub fn hold(&mut self, name: &str, index: u32) {
        self.held.push((name.to_string(), index));
    }

    /// Gives up a name and index that was held.
    pub fn release(&mut self, name: &str, index: u32) {
        self.held.retain(|(held, at)| held != name || *at != index);
    }

    /// A VM wants to hear of those that execute `set`; of all if it is empty. False if it wants too much.
    pub fn subscribe(&mut self, vm: VmId, set: &str) -> bool {
        let mut own = self.subscriptions.iter().filter(|subscription| subscription.vm == vm);
        if own.clone().any(|subscription| subscription.set == set) {
            return true;
        }
        if own.by_ref().count() >= MAX_SUBSCRIPTIONS {
            return false;
        }
        self.subscriptions.push(Subscription { vm, set: set.to_string() });
        true
    }

    /// Who wants to hear of a VM that executes `set`, each once.
    pub fn subscribers(&self, set: &str) -> Vec<VmId> {
        let wants = |subscription: &&Subscription| subscription.set.is_empty() || subscription.set == set;
        let mut vms: Vec<VmId> = self.subscriptions.iter().filter(wants).map(|subscription| subscription.vm).collect();
        vms.sort_unstable();
        vms.dedup();
        vms
    }

    /// All names.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// VMs that execute a set of this name in another version, or that have this name: for hints.
    pub fn similar(&self, set: &str, name: &str) -> Option<&Entry> {
        let path = |set: &str| set.split('@').next().unwrap_or_default().to_string();
        let fits =
            |entry: &&Entry| entry.set.as_deref().is_some_and(|other| path(other) == path(set)) || entry.name == name;
        self.entries.values().find(fits)
    }

    /// How many names (those that are held included) and subscriptions there are.
    pub fn sizes(&self) -> [usize; 2] {
        [self.entries.len() + self.held.len(), self.subscriptions.len()]
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

    fn set() -> Option<String> {
        Some("demo.echo@1".to_string())
    }

    #[test]
    fn a_preferred_name_wins_and_indices_are_reused() {
        let mut directory = Directory::default();
        assert_eq!(directory.announce(VmId(1), "echo", set(), Vec::new()), 0);
        assert_eq!(directory.announce(VmId(2), "echo", set(), Vec::new()), 1);
        assert_eq!(directory.announce(VmId(3), "parrot", set(), Vec::new()), 0);
        let found = |directory: &Directory, name: &str| {
            directory.entries().find(|entry| entry.is_called(name)).map(|entry| entry.vm.0)
        };
        assert_eq!(found(&directory, "parrot"), Some(3));
        assert_eq!(found(&directory, "echo/1"), Some(2));
        assert_eq!(found(&directory, "echo"), Some(1));
        assert_eq!(found(&directory, "nobody"), None);
        directory.withdraw(VmId(1));
        assert_eq!(found(&directory, "echo"), Some(2));
        assert_eq!(directory.announce(VmId(4), "echo", set(), Vec::new()), 0);
        assert!(directory.similar("demo.echo@2", "x").is_some());
    }

    #[test]
    fn a_held_address_comes_back_to_its_vm_only() {
        let mut directory = Directory::default();
        directory.announce(VmId(1), "echo", set(), Vec::new());
        directory.withdraw(VmId(1));
        directory.hold("echo", 0);
        assert_eq!(directory.announce(VmId(2), "echo", set(), Vec::new()), 1);
        assert_eq!(directory.announce_again(VmId(3), "echo", 0, set(), Vec::new()), 0);
        assert_eq!(directory.sizes(), [2, 0]);
    }

    #[test]
    fn what_one_vm_announces_and_subscribes_to_is_bounded_and_goes_with_it() {
        let mut directory = Directory::default();
        directory.announce(VmId(1), "echo", set(), Vec::new());
        for n in 0..MAX_NAMES {
            let entry = directory.announce_further(VmId(1), "echo", Attributes::default()).map(|entry| entry.index);
            assert_eq!(entry, Some(n as u32 + 1));
        }
        assert!(directory.announce_further(VmId(1), "echo", Attributes::default()).is_none());
        assert_eq!(directory.withdraw_further(VmId(1)).len(), MAX_NAMES);
        for n in 0..MAX_SUBSCRIPTIONS {
            assert!(directory.subscribe(VmId(1), &n.to_string()) && directory.subscribe(VmId(1), &n.to_string()));
        }
        assert!(!directory.subscribe(VmId(1), "more"));
        assert_eq!(directory.subscribers("3"), [VmId(1)]);
        assert_eq!(directory.withdraw(VmId(1)).len(), 1);
        assert_eq!(directory.sizes(), [0, 0]);
    }

    #[test]
    fn attributes_and_queries_are_read_or_refused() {
        let attributes = Attributes::parse("room=kitchen,floor=1").unwrap();
        assert_eq!(attributes.to_string(), "room=kitchen,floor=1");
        let query = |text| Query::parse(text).unwrap();
        assert_eq!(query("echo?room=kitchen").text, "echo");
        assert!(attributes.have(&query("?floor=1").attributes));
        assert!(!attributes.have(&query("?floor=2").attributes));
        assert!(attributes.have(&query("").attributes));
        for bad in ["room", "=", "room=", "=kitchen", "a=1,a=2", "a=1,", "a b=1", "a=b=c", &"a=1,".repeat(400)] {
            assert!(Attributes::parse(bad).is_none(), "{bad}");
            assert!(Query::parse(&alloc::format!("x?{bad}")).is_none());
        }
    }
}
