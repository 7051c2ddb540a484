//! Names for everything: those of the names section where they serve, else generated ones.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::isa::Instruction;
use crate::text::prelude;
use crate::types::CapDef;
use crate::verify::names::is_identifier;
use crate::{
    DataId, FieldId, FuncId, GlobalId, LocalId, MemoryId, Module, ProgramId, Storage, Type, TypeDef, TypeId, UseId,
};

/// Bytes of a type's text after which it is cut short; only hostile modules have such types.
const LONGEST_TYPE: usize = 1024;

/// Names in use, and those that are still to be given.
pub(super) struct Names {
    funcs: Vec<String>,
    globals: Vec<String>,
    uses: Vec<String>,
    memories: Vec<String>,
    /// Whether the first memory has a name of its own.
    names_first: bool,
    /// Of data segments that lie nowhere at start, or have names of their own; the others go by their numbers.
    data: BTreeMap<u32, String>,
    /// One a definition, as it is written.
    types: Vec<String>,
    /// Of structs, all fields, the inherited ones first.
    fields: Vec<Vec<String>>,
    /// The instructions shown of each set, by its path.
    shown: BTreeMap<String, BTreeSet<u8>>,
    /// Names of items and built-in functions, which no local may hide.
    taken: BTreeSet<String>,
    /// Constants that had to be named: `type = value` to name.
    constants: BTreeMap<String, String>,
    /// The current function's locals: what they would like to be called.
    wishes: Vec<String>,
    /// The names that visible locals have.
    given: BTreeMap<u32, String>,
    visible: BTreeSet<String>,
    /// Locals that are declared as nullable, since no value of theirs was at hand.
    nullable: BTreeSet<u32>,
}

/// The names of visible locals.
pub(super) type Locals = (BTreeMap<u32, String>, BTreeSet<String>);

impl Names {
    /// Names a module's items.
    pub fn new(module: &Module) -> Self {
        let mut names = Names {
            funcs: Vec::new(),
            globals: Vec::new(),
            uses: Vec::new(),
            memories: Vec::new(),
            names_first: false,
            data: BTreeMap::new(),
            types: Vec::new(),
            fields: Vec::new(),
            shown: BTreeMap::new(),
            taken: prelude::names().map(String::from).collect(),
            constants: BTreeMap::new(),
            wishes: Vec::new(),
            given: BTreeMap::new(),
            visible: BTreeSet::new(),
            nullable: BTreeSet::new(),
        };
        for set in &module.isas {
            names.shown.entry(set.path()).or_default().extend(set.instructions.iter().map(|one| one.opcode));
        }
        // In a program, the names of its set's instructions come before those of items.
        for program in &module.programs {
            let set = module.isas.get(program.isa.index());
            names.taken.extend(set.into_iter().flat_map(|set| set.instructions.iter().map(|one| one.name.to_string())));
        }
        // What is part of the module cannot give way.
        names.uses = module.uses.iter().map(|wanted| wanted.name.clone()).collect();
        names.taken.extend(names.uses.iter().cloned());
        names.taken.extend(module.exports.iter().map(|export| export.name.clone()));
        names.taken.extend(module.programs.iter().map(|program| program.name.clone()));
        names.name_funcs(module);
        let known = module.names.as_ref();
        for at in 0..module.globals.len() {
            let name = names.free(known.and_then(|known| known.globals.get(at)), &format!("g{at}"));
            names.taken.insert(name.clone());
            names.globals.push(name);
        }
        names.name_types(module);
        names.name_memories(module);
        names
    }

    fn name_memories(&mut self, module: &Module) {
        let known = module.names.as_ref();
        for at in 0..module.memories.len() {
            let wish = known.and_then(|known| known.memories.get(at)).filter(|name| is_legal(name));
            self.names_first |= at == 0 && wish.is_some();
            let name = self.free(wish, &format!("m{at}"));
            self.taken.insert(name.clone());
            self.memories.push(name);
        }
        for (at, data) in module.data.iter().enumerate() {
            let wish = known.and_then(|known| known.data.get(at)).filter(|name| is_legal(name));
            if data.place.is_some() && wish.is_none() {
                continue;
            }
            let name = self.free(wish, &format!("d{at}"));
            self.taken.insert(name.clone());
            self.data.insert(at as u32, name);
        }
    }

    fn name_funcs(&mut self, module: &Module) {
        let known = module.names.as_ref();
        let mut fixed: BTreeMap<u32, &String> = BTreeMap::new();
        for export in module.exports.iter().rev() {
            fixed.insert(export.func.0, &export.name);
        }
        fixed.extend(module.programs.iter().map(|program| (program.func.0, &program.name)));
        for at in 0..module.funcs.len() {
            let name = match fixed.get(&(at as u32)) {
                Some(name) => (*name).clone(),
                None => self.free(known.and_then(|known| known.funcs.get(at)), &format!("f{at}")),
            };
            self.taken.insert(name.clone());
            self.funcs.push(name);
        }
    }

    /// Names structs and their fields, then writes the other types, whose parts stand before them.
    fn name_types(&mut self, module: &Module) {
        let known = module.names.as_ref();
        for (at, def) in module.types.iter().enumerate() {
            let wishes = known.and_then(|known| known.types.get(at));
            let TypeDef::Struct(def) = def else {
                self.types.push(String::new());
                self.fields.push(Vec::new());
                continue;
            };
            let own = if def.frozen { Some(&def.name) } else { wishes.map(|wishes| &wishes.name) };
            let name = self.free(own, &format!("S{at}"));
            self.taken.insert(name.clone());
            self.types.push(name);
            let parent = def.parent.and_then(|parent| self.fields.get(parent.index()));
            let mut fields = parent.cloned().unwrap_or_default();
            let mut used: BTreeSet<String> = fields.iter().cloned().collect();
            for own in 0..def.fields.len() {
                let wish = wishes.and_then(|wishes| wishes.fields.get(own));
                let name = unused(wish, &format!("f{}", fields.len()), |name| used.contains(name));
                used.insert(name.clone());
                fields.push(name);
            }
            self.fields.push(fields);
        }
        for (at, def) in module.types.iter().enumerate() {
            let text = match def {
                TypeDef::Struct(_) => continue,
                TypeDef::Array(def) => {
                    format!("{}[{}]", if def.mutable { "mut " } else { "" }, self.storage(def.element))
                }
                TypeDef::Func(sig) => format!("func({}){}", self.list(&sig.params), self.results(&sig.results)),
                TypeDef::Cap(def) => self.cap(module, def),
            };
            let text = if text.len() > LONGEST_TYPE { String::from("any /* too long */") } else { text };
            self.types[at] = text;
        }
    }

    fn cap(&self, module: &Module, def: &CapDef) -> String {
        let Some(set) = module.isas.get(def.isa.index()) else { return format!("set{}@0", def.isa.0) };
        let path = set.path();
        if self.shows_only(&path, &def.instructions) {
            return path;
        }
        let one = |opcode: &u8| self.instruction(set.instruction(*opcode), *opcode);
        format!("{path}({})", def.instructions.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    fn shows_only(&self, path: &str, instructions: &[u8]) -> bool {
        self.shown.get(path).is_some_and(|shown| shown.iter().eq(instructions))
    }

    /// Whether this is the type of a wanted capability's value where text expects none: all of its set.
    pub fn is_whole_use(&self, module: &Module, id: UseId, ty: TypeId) -> bool {
        let set = module.uses.get(id.index()).and_then(|wanted| module.isas.get(wanted.isa.index()));
        match (set, module.types.get(ty.index())) {
            (Some(set), Some(TypeDef::Cap(def))) => self.shows_only(&set.path(), &def.instructions),
            _ => false,
        }
    }

    /// A type as it is written.
    pub fn ty(&self, ty: Type) -> String {
        let Some(id) = ty.def() else { return ty.name().to_string() };
        let name = self.types.get(id.index()).cloned().unwrap_or_else(|| format!("type{}", id.0));
        if ty.is_nullable() { format!("?{name}") } else { name }
    }

    /// What a field or element is stored as.
    pub fn storage(&self, storage: Storage) -> String {
        match storage {
            Storage::Value(ty) => self.ty(ty),
            packed => packed.name().to_string(),
        }
    }

    /// Types, one after the other.
    pub fn list(&self, types: &[Type]) -> String {
        types.iter().map(|ty| self.ty(*ty)).collect::<Vec<_>>().join(", ")
    }

    /// ` -> T`, ` -> (T, T)` or nothing.
    pub fn results(&self, types: &[Type]) -> String {
        match types {
            [] => String::new(),
            [one] => format!(" -> {}", self.ty(*one)),
            several => format!(" -> ({})", self.list(several)),
        }
    }

    /// The names of a struct's fields, the inherited ones first.
    pub fn fields(&self, ty: TypeId) -> &[String] {
        self.fields.get(ty.index()).map_or(&[], |fields| fields)
    }

    /// A field's name.
    pub fn field(&self, ty: TypeId, field: FieldId) -> String {
        self.fields(ty).get(field.index()).cloned().unwrap_or_else(|| format!("f{}", field.0))
    }

    /// A device program's name.
    pub fn program(&self, module: &Module, id: ProgramId) -> String {
        module.programs.get(id.index()).map_or_else(|| format!("p{}", id.0), |program| program.name.clone())
    }

    /// The wish if it can serve, else the fallback; made unique by a number.
    fn free(&self, wish: Option<&String>, fallback: &str) -> String {
        unused(wish, fallback, |name| self.taken.contains(name) || self.visible.contains(name))
    }

    /// Turns to another function: no local is visible yet.
    pub fn enter_function(&mut self, wishes: &[String]) {
        self.wishes = wishes.to_vec();
        self.given.clear();
        self.visible.clear();
        self.nullable.clear();
    }

    /// What the current function's locals are called so far.
    pub fn mark(&self) -> Locals {
        (self.given.clone(), self.visible.clone())
    }

    /// Goes back to such a state.
    pub fn reset(&mut self, (given, visible): Locals) {
        (self.given, self.visible) = (given, visible);
        self.nullable.clear();
    }

    /// Notes that a local is declared as nullable.
    pub fn make_nullable(&mut self, id: LocalId) {
        self.nullable.insert(id.0);
    }

    /// Whether a local is declared as nullable though its type is not.
    pub fn is_nullable(&self, id: LocalId) -> bool {
        self.nullable.contains(&id.0)
    }

    /// A new name, for a value of a local that the module does not have.
    pub fn temporary(&mut self, stem: &str) -> String {
        let name = self.free(None, stem);
        self.visible.insert(name.clone());
        name
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

    /// What stands in front of a memory's size: the first one needs no name.
    pub fn memory_declared(&self, id: MemoryId) -> &str {
        match self.memories.get(id.index()) {
            Some(name) if id != MemoryId(0) || self.names_first => name,
            _ => "",
        }
    }

    /// A memory where it is used; the first one is meant where none is named.
    pub fn memory(&self, id: MemoryId) -> String {
        match self.memories.get(id.index()) {
            Some(name) if id != MemoryId(0) => name.clone(),
            _ => id.0.to_string(),
        }
    }

    /// What a data segment is called where it is declared.
    pub fn data_declared(&self, id: DataId) -> Option<&String> {
        self.data.get(&id.0)
    }

    pub fn data(&self, id: DataId) -> String {
        self.data.get(&id.0).cloned().unwrap_or_else(|| id.0.to_string())
    }

    pub fn capability(&self, id: UseId) -> String {
        self.uses.get(id.index()).cloned().unwrap_or_else(|| format!("c{}", id.0))
    }

    /// An instruction's name.
    pub fn instruction(&self, instruction: Option<&Instruction>, opcode: u8) -> String {
        instruction.map_or_else(|| format!("i{opcode}"), |instruction| instruction.name.to_string())
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

/// The wish if it is a legal name, else the fallback; made unused by a number.
fn unused(wish: Option<&String>, fallback: &str, taken: impl Fn(&str) -> bool) -> String {
    let stem = wish.filter(|name| is_legal(name)).map_or(fallback, String::as_str);
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

/// Whether something can be called this.
fn is_legal(name: &str) -> bool {
    is_identifier(name) && !is_reserved(name) && name != "_"
}

/// Whether text reserves this word.
fn is_reserved(word: &str) -> bool {
    crate::text::is_reserved(word)
}
