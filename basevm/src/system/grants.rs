//! Who may send what: the policy for one VM, by default empty.
//!
//! A grant names a target, which is a VM's name (`disk`) or a set's path (`cascade.disk@1`), and either
//! everything that the target executes or a list of its instructions and events.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

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
}

/// Why a text is not a grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadGrant(String);

impl fmt::Display for BadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a grant: write TARGET or TARGET=INSTRUCTION,INSTRUCTION, e.g. disk=read,write", self.0)
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
        self.list.push(Grant { target: target.to_string(), only: None });
        self
    }

    /// Also these instructions and events of `target`.
    #[must_use]
    pub fn allow_only(mut self, target: &str, names: &[&str]) -> Grants {
        let only = Some(names.iter().map(ToString::to_string).collect());
        self.list.push(Grant { target: target.to_string(), only });
        self
    }

    /// Also what `text` says: `disk`, or `disk=read,write`.
    ///
    /// # Errors
    /// If the text has another form.
    pub fn allow_text(self, text: &str) -> Result<Grants, BadGrant> {
        let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '=');
        match text.split_once('=') {
            None if plain(text) => Ok(self.allow(text)),
            Some((target, names)) if plain(target) && names.split(',').all(plain) => {
                Ok(self.allow_only(target, &names.split(',').collect::<Vec<_>>()))
            }
            _ => Err(BadGrant(text.to_string())),
        }
    }

    /// As much of it as `bound` has too.
    #[must_use]
    pub fn within(mut self, bound: &Grants) -> Grants {
        self.bound = Some(Arc::new(bound.clone()));
        self
    }

    /// Whether anything of a VM that executes set `set` is granted.
    pub(crate) fn name(&self, vm: &str, set: &str) -> bool {
        let names = |grant: &Grant| grant.target == vm || grant.target == set;
        (self.all || self.list.iter().any(names)) && self.bound.as_ref().is_none_or(|bound| bound.name(vm, set))
    }

    /// Whether `item`, an instruction or event of set `set` executed by VM `vm`, is granted.
    pub(crate) fn permits(&self, vm: &str, set: &str, item: &str) -> bool {
        let names = |grant: &Grant| grant.target == vm || grant.target == set;
        let covers = |grant: &Grant| grant.only.as_ref().is_none_or(|only| only.iter().any(|name| name == item));
        let here = self.all || self.list.iter().any(|grant| names(grant) && covers(grant));
        here && self.bound.as_ref().is_none_or(|bound| bound.permits(vm, set, item))
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
        for bad in ["", "=", "disk=", "disk=read,", "a b", "disk=a=b"] {
            assert!(Grants::none().allow_text(bad).is_err(), "{bad}");
        }
    }
}
