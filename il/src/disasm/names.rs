//! Names for everything: those of the names section where they serve, else generated ones.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::op::Op;
use crate::verify::names::is_identifier;
use crate::{FieldId, FuncId, GlobalId, LocalId, Module, Storage, Type, TypeDef, TypeId, UseId};

/// Shapes of vectors.
const SHAPES: [&str; 6] = ["i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"];
/// Types inside one another that are shown.
const TYPE_DEPTH: usize = 130;
/// Parts of a type that are shown.
const TYPE_PARTS: usize = 2000;

/// Names in use, and those that are still to be given.
pub(super) struct Names {
    funcs: Vec<String>,
    globals: Vec<String>,
    uses: Vec<String>,
    /// One a struct; empty for other definitions.
    types: Vec<String>,
    /// Names of each struct's own fields.
    fields: Vec<Vec<String>>,
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
        let base = ["wait", "wait_forever", "flush", "caller", "attenuate", "revoke", "freeze", "take", "test"];
        let base = base.iter().chain(&SHAPES).map(|name| String::from(*name));
        let mut names = Names {
            funcs: Vec::new(),
            globals: Vec::new(),
            uses: Vec::new(),
            types: Vec::new(),
            fields: Vec::new(),
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
        names.taken.extend(module.programs.iter().map(|program| program.name.clone()));
        // In a program, these hide what else is called like them.
        for program in &module.programs {
            let set = module.isas.get(program.isa.index());
            names.taken.extend(set.iter().flat_map(|set| set.instructions.iter().map(|one| one.name.to_string())));
        }
        names.name_types(module);
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

    /// Structs and their fields. A field's name differs from the inherited ones.
    fn name_types(&mut self, module: &Module) {
        let known = module.names.as_ref();
        for (at, def) in module.types.iter().enumerate() {
            let TypeDef::Struct(def) = def else {
                self.types.push(String::new());
                self.fields.push(Vec::new());
                continue;
            };
            let wishes = known.and_then(|known| known.types.get(at));
            let name = self.free(wishes.map(|wishes| &wishes.name), &format!("S{at}"));
            self.taken.insert(name.clone());
            self.types.push(name);
            let mut seen: BTreeSet<String> = BTreeSet::new();
            let mut parent = def.parent.filter(|parent| parent.index() < at);
            while let Some(id) = parent {
                seen.extend(self.fields.get(id.index()).into_iter().flatten().cloned());
                let above = match module.types.get(id.index()) {
                    Some(TypeDef::Struct(def)) => def.parent,
                    _ => None,
                };
                parent = above.filter(|above| above.index() < id.index());
            }
            let mut own = Vec::new();
            for number in 0..def.fields.len() {
                let wish = wishes.and_then(|wishes| wishes.fields.get(number));
                let wish = wish.filter(|name| is_identifier(name) && !is_reserved(name) && !seen.contains(*name));
                let mut name = wish.cloned().unwrap_or_else(|| format!("f{number}"));
                while seen.contains(&name) {
                    name.push('_');
                }
                seen.insert(name.clone());
                own.push(name);
            }
            self.fields.push(own);
        }
    }

    /// A struct's name.
    pub fn structure(&self, id: TypeId) -> String {
        self.types.get(id.index()).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| format!("S{}", id.0))
    }

    /// The name of a struct's own field.
    pub fn own_field(&self, id: TypeId, number: usize) -> String {
        let name = self.fields.get(id.index()).and_then(|fields| fields.get(number));
        name.cloned().unwrap_or_else(|| format!("f{number}"))
    }

    /// The name of a field, the inherited ones counted first.
    pub fn field(&self, module: &Module, id: TypeId, field: FieldId) -> String {
        let mut chain = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let Some(TypeDef::Struct(def)) = module.types.get(id.index()) else { break };
            chain.push((id, def.fields.len()));
            at = def.parent.filter(|parent| parent.index() < id.index());
        }
        let mut number = field.index();
        for (id, count) in chain.into_iter().rev() {
            match number.checked_sub(count) {
                Some(rest) => number = rest,
                None => return self.own_field(id, number),
            }
        }
        format!("f{}", field.0)
    }

    /// A type as text.
    pub fn ty(&self, module: &Module, ty: Type) -> String {
        match ty {
            Type::Ref(id) => self.def(module, id, TYPE_DEPTH, &mut TYPE_PARTS.clone()),
            Type::Opt(id) => format!("?{}", self.def(module, id, TYPE_DEPTH, &mut TYPE_PARTS.clone())),
            plain => plain.name().to_string(),
        }
    }

    pub fn storage(&self, module: &Module, storage: Storage) -> String {
        match storage {
            Storage::Value(ty) => self.ty(module, ty),
            packed => packed.name().to_string(),
        }
    }

    fn nested(&self, module: &Module, ty: Type, depth: usize, parts: &mut usize) -> String {
        match ty {
            Type::Ref(id) => self.def(module, id, depth, parts),
            Type::Opt(id) => format!("?{}", self.def(module, id, depth, parts)),
            plain => plain.name().to_string(),
        }
    }

    /// `depth` and `parts` bound what is shown of types that no text could have.
    fn def(&self, module: &Module, id: TypeId, depth: usize, parts: &mut usize) -> String {
        let (Some(depth), Some(left)) = (depth.checked_sub(1), parts.checked_sub(1)) else {
            return String::from("any");
        };
        *parts = left;
        let mut list = |types: &[Type]| {
            types.iter().map(|ty| self.nested(module, *ty, depth, parts)).collect::<Vec<_>>().join(", ")
        };
        match module.types.get(id.index()) {
            Some(TypeDef::Struct(_)) | None => self.structure(id),
            Some(TypeDef::Array(def)) => {
                let element = match def.element {
                    Storage::Value(ty) => list(&[ty]),
                    packed => packed.name().to_string(),
                };
                format!("{}[{element}]", if def.mutable { "mut " } else { "" })
            }
            Some(TypeDef::Func(sig)) => match &sig.results[..] {
                [] => format!("func({})", list(&sig.params)),
                [_] => format!("func({}) -> {}", list(&sig.params), list(&sig.results)),
                several => format!("func({}) -> ({})", list(&sig.params), list(several)),
            },
            Some(TypeDef::Cap(def)) => match module.isas.get(def.isa.index()) {
                Some(set) => {
                    let name = |opcode: &u8| {
                        set.instruction(*opcode).map_or_else(|| format!("i{opcode}"), |one| one.name.to_string())
                    };
                    let names: Vec<String> = def.instructions.iter().map(name).collect();
                    format!("{}({})", set.path(), names.join(", "))
                }
                None => String::from("?"),
            },
        }
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

    /// What the current function's locals would like to be called.
    pub fn wishes(&self) -> Vec<String> {
        self.wishes.clone()
    }

    /// Makes a local visible; returns its name.
    pub fn declare(&mut self, id: LocalId) -> String {
        let name = self.free(self.wishes.get(id.index()), &format!("t{}", id.0));
        self.visible.insert(name.clone());
        self.given.insert(id.0, name.clone());
        name
    }

    /// A name for what the module has no local for; visible until the function's end.
    pub fn fresh(&mut self, stem: &str) -> String {
        let name = self.free(None, stem);
        self.visible.insert(name.clone());
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
