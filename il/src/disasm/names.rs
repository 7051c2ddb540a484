//! Names for everything: those of the names section where they serve, else generated ones.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::op::Op;
use crate::verify::names::is_identifier;
use crate::{FuncId, GlobalId, LocalId, Module, Type, UseId};

/// Names in use, and those that are still to be given.
pub(super) struct Names {
    funcs: Vec<String>,
    globals: Vec<String>,
    uses: Vec<String>,
    /// Names of items and built-in functions, which no local may hide.
    taken: BTreeSet<String>,
    /// Constants that had to be named: `type = value` to name.
    constants: BTreeMap<String, String>,
    /// The current function's locals: what they would like to be called.
    wishes: Vec<String>,
    /// The names that visible locals have.
    given: BTreeMap<u32, String>,
    visible: BTreeSet<String>,
}

impl Names {
    /// Names a module's items.
    pub fn new(module: &Module) -> Self {
        let prelude = Op::TABLE.iter().map(|info| info.text.to_string());
        let base = ["wait", "wait_forever", "flush", "caller"].map(String::from);
        let mut names = Names {
            funcs: Vec::new(),
            globals: Vec::new(),
            uses: Vec::new(),
            taken: prelude.chain(base).collect(),
            constants: BTreeMap::new(),
            wishes: Vec::new(),
            given: BTreeMap::new(),
            visible: BTreeSet::new(),
        };
        let known = module.names.as_ref();
        names.taken.extend(module.exports.iter().map(|export| export.name.clone()));
        // Capabilities' names are part of the module: they cannot give way.
        names.uses = module.uses.iter().map(|wanted| wanted.name.clone()).collect();
        names.taken.extend(names.uses.iter().cloned());
        for at in 0..module.funcs.len() {
            let export = module.exports.iter().find(|export| export.func.index() == at);
            let name = match export {
                Some(export) => export.name.clone(),
                None => names.free(known.and_then(|known| known.funcs.get(at)), &format!("f{at}")),
            };
            names.taken.insert(name.clone());
            names.funcs.push(name);
        }
        for at in 0..module.globals.len() {
            let name = names.free(known.and_then(|known| known.globals.get(at)), &format!("g{at}"));
            names.taken.insert(name.clone());
            names.globals.push(name);
        }
        names
    }

    /// The wish if it can serve, else the fallback; made unique by a number.
    fn free(&self, wish: Option<&String>, fallback: &str) -> String {
        let legal = |name: &&String| is_identifier(name) && !is_reserved(name) && *name != "_";
        let stem = wish.filter(legal).map_or(fallback, String::as_str);
        let taken = |name: &str| self.taken.contains(name) || self.visible.contains(name);
        if !taken(stem) {
            return stem.to_string();
        }
        let mut number = 2u32;
        loop {
            let name = format!("{stem}_{number}");
            if !taken(&name) {
                return name;
            }
            number += 1;
        }
    }

    /// Turns to another function: no local is visible yet.
    pub fn enter_function(&mut self, wishes: &[String]) {
        self.wishes = wishes.to_vec();
        self.given.clear();
        self.visible.clear();
    }

    /// Makes a local visible; returns its name.
    pub fn declare(&mut self, id: LocalId) -> String {
        let name = self.free(self.wishes.get(id.index()), &format!("t{}", id.0));
        self.visible.insert(name.clone());
        self.given.insert(id.0, name.clone());
        name
    }

    /// Ends the visibility of a block's locals.
    pub fn leave(&mut self, locals: &[LocalId]) {
        for id in locals {
            if let Some(name) = self.given.remove(&id.0) {
                self.visible.remove(&name);
            }
        }
    }

    /// Whether the names section knows a local as one that the source does not name.
    pub fn is_hidden(&self, id: LocalId) -> bool {
        self.wishes.get(id.index()).is_some_and(String::is_empty)
    }

    /// Whether a local is visible here.
    pub fn is_declared(&self, id: LocalId) -> bool {
        self.given.contains_key(&id.0)
    }

    /// A visible local's name.
    pub fn local(&self, id: LocalId) -> String {
        self.given.get(&id.0).cloned().unwrap_or_else(|| format!("t{}", id.0))
    }

    pub fn func(&self, id: FuncId) -> String {
        self.funcs.get(id.index()).cloned().unwrap_or_else(|| format!("f{}", id.0))
    }

    pub fn global(&self, id: GlobalId) -> String {
        self.globals.get(id.index()).cloned().unwrap_or_else(|| format!("g{}", id.0))
    }

    pub fn capability(&self, id: UseId) -> String {
        self.uses.get(id.index()).cloned().unwrap_or_else(|| format!("c{}", id.0))
    }

    /// `CAP.instruction`
    pub fn instruction(&self, module: &Module, id: UseId, opcode: u8) -> String {
        let set = module.uses.get(id.index()).and_then(|wanted| module.isas.get(wanted.isa.index()));
        match set.and_then(|set| set.instruction(opcode)) {
            Some(instruction) => format!("{}.{}", self.capability(id), instruction.name),
            None => format!("{}.i{opcode}", self.capability(id)),
        }
    }

    /// The name of a constant of this type and value.
    pub fn constant(&mut self, ty: Type, value: &str) -> String {
        let key = format!("{ty} = {value}");
        if let Some(name) = self.constants.get(&key) {
            return name.clone();
        }
        let name = self.free(None, &format!("K{}", self.constants.len()));
        self.taken.insert(name.clone());
        self.constants.insert(key, name.clone());
        name
    }

    /// Declarations of the constants that were named.
    pub fn constants(&self) -> impl Iterator<Item = String> + '_ {
        self.constants.iter().map(|(value, name)| format!("const {name}: {value}"))
    }
}

/// Whether text reserves this word.
fn is_reserved(word: &str) -> bool {
    crate::text::is_reserved(word)
}
