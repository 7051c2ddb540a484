//! Who gets what: the VM that a wanted capability leads to, and the limits with which it is granted.
//!
//! Interposition is decided here and nowhere else: a VM that stands on another one's channels (`on` in the
//! manifest) is what others get in its place, while it gets what is below it. Nobody is told, and nothing changes on
//! either side.
//!
//! Invariants: grants name the VM that was meant, whoever stands on it. What stands on a VM is known from the
//! moment it is added: if it could not be started, those above it get nothing, rather than the VM below.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use il::isa::InstructionSet;
use il::ranges::{self, Ranges};

use super::directory::Entry;
use super::handshake::Refusal;
use super::mask::Mask;
use super::vm::Body;
use super::{System, VmOptions};
use crate::service::VmId;

/// Which VMs stand on which, by name; of several on one VM, the lower before the upper.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    list: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    on: String,
    name: String,
}

impl Layers {
    /// A VM is added, for the first time or again.
    pub fn add(&mut self, options: &VmOptions) {
        for on in &options.on {
            let known = self.list.iter().any(|layer| layer.on == *on && layer.name == options.name);
            if !known && *on != options.name {
                self.list.push(Layer { on: on.clone(), name: options.name.clone() });
            }
        }
    }

    /// What `asker` gets where `below` is meant: the uppermost VM on it, or what is below the asker if that stands
    /// on it itself.
    fn top<'a>(&'a self, below: &'a str, asker: Option<&str>) -> &'a str {
        let mut at = below;
        // Each step goes one up; a circle, which a plan cannot have, ends where it started.
        for _ in 0..=self.list.len() {
            let stack = self.list.iter().filter(|layer| layer.on == at).map(|layer| layer.name.as_str());
            match stack.take_while(|name| Some(*name) != asker).last() {
                Some(upper) => at = upper,
                None => break,
            }
        }
        at
    }
}

impl System {
    /// Says what the instructions of these sets touch, whoever executes them: for limits of grants.
    pub fn declare(&mut self, sets: &'static [&'static InstructionSet]) {
        self.declared = sets;
    }

    /// The VM that is meant by a want: the one of the preferred name, else one on which the asker stands, else one
    /// that it is granted something of, else the first that executes the set.
    pub(super) fn meant(&self, asker: VmId, set: &str, preferred: &str) -> Option<&Entry> {
        let options = &self.vm_ref(asker).options;
        let fits = |entry: &&Entry| entry.set.as_deref() == Some(set) && entry.vm != asker;
        let candidates = || self.directory.entries().filter(fits);
        let below = |entry: &&Entry| entry.index == 0 && options.on.contains(&entry.name);
        let granted = |entry: &&Entry| options.grants.name(&entry.name, set);
        let mut named = candidates().filter(|entry| entry.is_called(preferred));
        named.next().or_else(|| candidates().find(below)).or_else(|| candidates().find(granted)).or(candidates().next())
    }

    /// The VM that stands for the one that is meant.
    pub(super) fn stand_in<'a>(&'a self, asker: VmId, meant: &'a Entry) -> Result<&'a Entry, Refusal> {
        let planned = |id: VmId| Some(self.vm_ref(id)).filter(|vm| vm.index == 0).map(|vm| vm.name.as_str());
        let Some(below) = planned(meant.vm) else { return Ok(meant) };
        let top = self.layers.top(below, planned(asker));
        if top == below {
            return Ok(meant);
        }
        let stands = |entry: &&Entry| entry.name == top && entry.index == 0 && entry.set == meant.set;
        self.directory.entries().find(stands).ok_or_else(|| Refusal::NoLayer {
            layer: top.to_string(),
            on: below.to_string(),
            set: meant.set().to_string(),
        })
    }

    /// The limits with which `asker` is granted these instructions of the VM that is meant, executed by `provider`.
    pub(super) fn limits(&self, asker: VmId, meant: &Entry, provider: VmId, ops: Mask) -> Option<Arc<Ranges>> {
        let provider = self.vm_ref(provider);
        let executes = provider.executes_set(provider.place_of_set(meant.set()))?;
        let declared = self.declared.iter().copied().find(|set| set.path() == meant.set()).unwrap_or(&executes.set);
        let grants = &self.vm_ref(asker).options.grants;
        let mut ranges = Ranges::default();
        for instruction in executes.set.instructions.iter().filter(|instruction| ops.has(instruction.opcode)) {
            grants.limit(&meant.name, meant.set(), instruction, declared, &mut ranges);
        }
        (!ranges.is_empty()).then(|| Arc::new(ranges))
    }

    /// Compares the constants of a VM's module with the limits of what it is about to be granted, slot by slot.
    pub(super) fn check_constants(&self, id: VmId, limits: &[Option<Arc<Ranges>>]) -> Result<(), Refusal> {
        let Body::Il(il) = &self.vm_ref(id).body else { return Ok(()) };
        let module = il.instance.program().verified();
        let findings = ranges::report(module, |wanted| limits.get(wanted.index())?.as_deref());
        if findings.is_empty() { Ok(()) } else { Err(Refusal::OutsideLimits { findings }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(list: &[(&str, &str)]) -> Layers {
        let mut layers = Layers::default();
        for (name, on) in list {
            let options = VmOptions { name: name.to_string(), on: alloc::vec![on.to_string()], ..VmOptions::default() };
            layers.add(&options);
            layers.add(&options);
        }
        layers
    }

    #[test]
    fn everyone_gets_what_is_above_and_a_layer_what_is_below() {
        let layers = layers(&[("a", "display"), ("x", "disk"), ("b", "display"), ("c", "b")]);
        let top = |below, asker| layers.top(below, asker);
        assert_eq!(top("display", None), "c", "c stands on b, which is the uppermost");
        assert_eq!(top("display", Some("app")), "c");
        assert_eq!(top("display", Some("c")), "b");
        assert_eq!(top("display", Some("b")), "a");
        assert_eq!(top("display", Some("a")), "display");
        assert_eq!(top("b", Some("c")), "b");
        assert_eq!(top("a", Some("app")), "a");
        assert_eq!(top("disk", Some("a")), "x");
        assert_eq!(top("clock", None), "clock");
    }

    #[test]
    fn a_circle_ends() {
        let layers = layers(&[("a", "b"), ("b", "a"), ("c", "c")]);
        assert!(["a", "b"].contains(&layers.top("a", None)));
        assert_eq!(layers.top("c", None), "c");
    }
}
