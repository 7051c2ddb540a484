//! Who may send what: the policy for one VM, by default empty.
//!
//! A grant names a target, which is a VM's name (`disk`) or a set's path (`cascade.disk@1`), and either
//! everything that the target executes or a list of its instructions and events. Limits narrow it to a part of
//! the target's spaces and to ranges of operands. Of several grants on one target each allows what it allows.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use il::isa::{Instruction, InstructionSet};
use il::ranges::{Limit, Ranges};

/// What one VM may be given. Everything that is not granted is denied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grants {
    all: bool,
    list: Vec<Grant>,
    /// Nothing beyond these, if they are given.
    bound: Option<Arc<Grants>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Grant {
    target: String,
    /// `None`: everything.
    only: Option<Vec<String>>,
    limits: Vec<Limit>,
}

impl Grant {
    fn names(&self, vm: &str, set: &str) -> bool {
        self.target == vm || self.target == set
    }

    fn covers(&self, item: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == item))
    }
}

/// Why a text is not a grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadGrant(String);

impl fmt::Display for BadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a grant: write TARGET or TARGET=INSTRUCTION,LIMIT:RANGE, e.g. disk=read,sectors:0..4096",
            self.0
        )
    }
}

impl core::error::Error for BadGrant {}

impl Grants {
    /// Nothing.
    pub fn none() -> Grants {
        Grants::default()
    }

    /// Everything that any VM executes: for tests and trusted VMs.
    pub fn all() -> Grants {
        Grants { all: true, ..Grants::default() }
    }

    /// Also everything that `target` executes.
    #[must_use]
    pub fn allow(mut self, target: &str) -> Grants {
        self.list.push(Grant { target: target.to_string(), only: None, limits: Vec::new() });
        self
    }

    /// Also these instructions and events of `target` (all if `None`), as far as they keep to the limits.
    #[must_use]
    pub fn allow_limited(mut self, target: &str, only: Option<&[&str]>, limits: Vec<Limit>) -> Grants {
        let only = only.map(|names| names.iter().map(ToString::to_string).collect());
        self.list.push(Grant { target: target.to_string(), only, limits });
        self
    }

    /// Also these instructions and events of `target`.
    #[must_use]
    pub fn allow_only(self, target: &str, names: &[&str]) -> Grants {
        self.allow_limited(target, Some(names), Vec::new())
    }

    /// Also what `text` says: `disk`, `disk=read,write`, `disk=read,sectors:0..4096` or `disk=sectors:0..4096`.
    ///
    /// # Errors
    /// If the text has another form.
    pub fn allow_text(self, text: &str) -> Result<Grants, BadGrant> {
        let bad = || BadGrant(text.to_string());
        let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "=:".contains(c));
        let (target, parts) = text.split_once('=').map_or((text, None), |(target, parts)| (target, Some(parts)));
        if !plain(target) {
            return Err(bad());
        }
        let (mut names, mut limits) = (Vec::new(), Vec::new());
        for part in parts.into_iter().flat_map(|parts| parts.split(',')) {
            match part.split_once(':') {
                None if plain(part) => names.push(part),
                Some((name, bounds)) if plain(name) => {
                    limits.push(Limit::parse(name, bounds).map_err(|why| BadGrant(alloc::format!("{text}: {why}")))?);
                }
                _ => return Err(bad()),
            }
        }
        Ok(self.allow_limited(target, (!names.is_empty()).then_some(&names), limits))
    }

    /// As much of it as `bound` has too.
    #[must_use]
    pub fn within(mut self, bound: &Grants) -> Grants {
        self.bound = Some(Arc::new(bound.clone()));
        self
    }

    /// Whether anything of a VM that executes set `set` is granted.
    pub(crate) fn name(&self, vm: &str, set: &str) -> bool {
        let here = self.all || self.list.iter().any(|grant| grant.names(vm, set));
        here && self.bound.as_ref().is_none_or(|bound| bound.name(vm, set))
    }

    /// Whether `item`, an instruction or event of set `set` executed by VM `vm`, is granted.
    pub(crate) fn permits(&self, vm: &str, set: &str, item: &str) -> bool {
        let here = self.all || self.list.iter().any(|grant| grant.names(vm, set) && grant.covers(item));
        here && self.bound.as_ref().is_none_or(|bound| bound.permits(vm, set, item))
    }

    /// Adds to `ranges` what is granted of an instruction of set `set` executed by VM `vm`; `declared` says what
    /// instructions touch.
    pub(crate) fn limit(
        &self,
        vm: &str,
        set: &str,
        instruction: &Instruction,
        declared: &InstructionSet,
        ranges: &mut Ranges,
    ) {
        if !self.all {
            let granted = self.list.iter().filter(|grant| grant.names(vm, set) && grant.covers(&instruction.name));
            let limits: Vec<&[Limit]> = granted.map(|grant| grant.limits.as_slice()).collect();
            if !limits.is_empty() {
                ranges.limit(instruction, declared, &limits);
            }
        }
        if let Some(bound) = &self.bound {
            bound.limit(vm, set, instruction, declared, ranges);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_grants_are_what_both_have() {
        let bound = Grants::none().allow_only("disk", &["read", "info"]).allow("clock");
        let grants = Grants::none().allow("disk").allow_only("clock", &["sleep"]).allow("display").within(&bound);
        let permits = |vm, item| grants.permits(vm, "x", item);
        assert!(permits("disk", "read") && !permits("disk", "write"));
        assert!(permits("clock", "sleep") && !permits("clock", "every"));
        assert!(!permits("display", "clear") && !grants.name("display", "x") && grants.name("disk", "x"));
        assert!(!Grants::all().within(&grants).permits("disk", "x", "write"));
    }

    #[test]
    fn grants_are_default_deny_and_name_targets_two_ways() {
        assert!(!Grants::none().permits("disk", "cascade.disk@1", "read"));
        for target in ["boot-disk=read", "cascade.disk@1=read"] {
            let grants = Grants::none().allow_text(target).unwrap();
            assert!(grants.permits("boot-disk", "cascade.disk@1", "read"), "{target}");
            assert!(!grants.permits("boot-disk", "cascade.disk@1", "write"), "{target}");
        }
        // A VM is not granted because its set's name ends like another VM's.
        assert!(!Grants::none().allow("disk").permits("boot-disk", "cascade.disk@1", "read"));
        for text in ["disk=sectors:0..8", "disk=read,sectors:0..8", "disk=within:4x4,write,sectors:0..8"] {
            assert!(Grants::none().allow_text(text).is_ok(), "{text}");
        }
        let limited = Grants::none().allow_text("disk=read,sectors:0..8").unwrap();
        assert!(limited.permits("disk", "x", "read") && !limited.permits("disk", "x", "write"));
        assert!(Grants::none().allow_text("disk=sectors:0..8").unwrap().permits("disk", "x", "write"));
        for bad in
            ["", "=", "disk=", "disk=read,", "a b", "disk=a=b", "disk=read,:0..1", "disk=s:", "disk=s:5", "a:0..1"]
        {
            assert!(Grants::none().allow_text(bad).is_err(), "{bad}");
        }
    }
}
