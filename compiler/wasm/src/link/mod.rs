//! Static linking: every unit's index spaces in terms of the one module that comes out.

mod base;
mod device;
mod entries;
mod imports;
mod instantiate;
mod matching;
mod objects;
mod segments;
mod tags;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;

use hashbrown::HashMap;
use il::instr::{Instr, Writer};
use il::{DataId, Func, FuncId, GlobalId, MemoryId, Module, Signature, Storage, StrId, Type, TypeId, limits};
use wasmparser::{GlobalType, MemoryType, TableType, ValType};

use crate::constant::{Const, Trees};
use crate::decode::Decoded;
use crate::error::{Error, ErrorKind, Result};
use crate::helpers::Helper;
use crate::types::{CanonId, Types, UnitTypes, adapter};
use crate::{Options, Unit, body, decode};

pub(crate) use device::{Device, Operand, ResultForm, Yield};
pub(crate) use tags::Tag;

/// What a function of a unit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Func(FuncId),
    /// A device instruction, by its place in [`Build::devices`].
    Device(usize),
}

/// A table: an array in a global.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub id: GlobalId,
    /// What its elements are cast to when they are read.
    pub element: Type,
    /// As the unit that made it declares it.
    pub ty: TableType,
    /// Elements at most.
    pub max: u32,
    owner: usize,
}

/// A linear memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub id: MemoryId,
    ty: MemoryType,
    owner: usize,
}

impl Table {
    /// Whether its indices have 64 bits.
    pub fn is_wide(&self) -> bool {
        self.ty.table64
    }
}

impl Memory {
    /// Whether its addresses have 64 bits.
    pub fn is_wide(&self) -> bool {
        self.ty.memory64
    }
}

/// A global.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Global {
    pub id: GlobalId,
    /// The type of its value,
    pub il: Type,
    /// and of the IL's global: nullable where the value is made when the unit is instantiated.
    pub stored: Type,
    pub ty: GlobalType,
    /// Its initial value.
    pub constant: Option<Const>,
    owner: usize,
}

impl Global {
    /// Appends what reads it.
    pub fn read(&self, code: &mut Writer) {
        code.push(Instr::GlobalGet(self.id));
        if self.stored != self.il {
            code.push(Instr::As(self.il));
        }
    }
}

/// What is made when a unit is instantiated, as it names other objects.
pub(crate) enum Late {
    Global(Global, Const),
    /// A table of so many elements, each this one.
    Table(Table, Const),
    /// An element segment, in its global.
    Segment(GlobalId, Vec<Const>),
}

/// A unit whose imports are found.
pub(crate) struct Linked<'a> {
    pub decoded: Decoded<'a>,
    pub types: UnitTypes,
    index: usize,
    funcs: Vec<Target>,
    /// Of each function the type that it has where it is defined.
    func_types: Vec<CanonId>,
    late: Vec<Late>,
    tables: Vec<Table>,
    memories: Vec<Memory>,
    globals: Vec<Global>,
    tags: Vec<Tag>,
    /// Element segments; one gets its global when it is wanted.
    segments: Vec<Cell<Option<GlobalId>>>,
    data: Vec<DataId>,
    /// Of each data segment, whether code refers to it.
    data_used: Vec<Cell<bool>>,
    exports: HashMap<&'a str, usize>,
}

impl<'a> Linked<'a> {
    pub fn name(&self) -> &'a str {
        self.decoded.unit.name
    }

    pub fn target(&self, func: u32) -> Option<Target> {
        self.funcs.get(func as usize).copied()
    }

    /// The type index of a function; that of none is one that no unit has.
    pub fn type_of(&self, func: u32) -> u32 {
        self.decoded.funcs.get(func as usize).copied().unwrap_or(u32::MAX)
    }

    /// The type of this index among those of all units.
    pub fn canon(&self, index: u32) -> Result<CanonId> {
        self.types.canon(index).ok_or_else(|| self.decoded.internal("a type index"))
    }

    /// The type that a function has where it is defined.
    pub fn func_type(&self, func: u32) -> Result<CanonId> {
        self.func_types.get(func as usize).copied().ok_or_else(|| self.decoded.internal("a function index"))
    }

    pub fn table(&self, index: u32) -> Option<Table> {
        self.tables.get(index as usize).copied()
    }

    pub fn memory(&self, index: u32) -> Option<Memory> {
        self.memories.get(index as usize).copied()
    }

    pub fn global(&self, index: u32) -> Option<Global> {
        self.globals.get(index as usize).copied()
    }

    pub fn tag(&self, index: u32) -> Option<Tag> {
        self.tags.get(index as usize).copied()
    }

    /// A data segment that code refers to.
    pub fn data(&self, index: u32) -> Option<DataId> {
        self.data_used.get(index as usize)?.set(true);
        self.data.get(index as usize).copied()
    }

    fn error(&self, kind: ErrorKind) -> Box<Error> {
        Error::new(self.name(), None, kind)
    }
}

/// The module in the making.
pub(crate) struct Build<'a> {
    pub options: &'a Options<'a>,
    pub module: Module,
    pub types: Types,
    pub trees: Trees,
    pub devices: Vec<Device>,
    /// What may throw.
    pub throws: tags::Throws,
    strings: HashMap<String, StrId>,
    helpers: [Option<FuncId>; Helper::COUNT],
    base: base::Base,
    objects: objects::Objects,
    /// How many elements all segments so far have.
    elements: usize,
    /// Bytes of all bodies so far.
    bytes: usize,
    /// Whether a unit so far runs code when it is instantiated.
    started: bool,
    /// One a function, as far as they are known.
    names: Vec<String>,
}

/// Growing a table goes no further.
const TABLE_ELEMENTS: u32 = 10_000_000;

impl<'a> Build<'a> {
    /// A literal.
    pub fn string(&mut self, text: &str) -> StrId {
        if let Some(id) = self.strings.get(text) {
            return *id;
        }
        let id = StrId(self.module.strings.len() as u32);
        self.module.strings.push(text.to_string());
        self.strings.insert(text.to_string(), id);
        id
    }

    /// The type of a value of a unit.
    pub fn value(&mut self, unit: &Linked<'_>, ty: ValType) -> Type {
        unit.types.value(ty, &mut self.types, &mut self.module)
    }

    /// `mut [?any]`
    pub fn table_type(&mut self) -> TypeId {
        self.types.array(&mut self.module, true, Storage::Value(Type::OptAny))
    }

    /// `[?any]`
    pub fn segment_type(&mut self) -> TypeId {
        self.types.array(&mut self.module, false, Storage::Value(Type::OptAny))
    }

    /// A function that comes with the module.
    pub fn helper(&mut self, helper: Helper) -> FuncId {
        if let Some(id) = self.helpers[helper as usize] {
            return id;
        }
        let (table, segment) = (self.table_type(), self.segment_type());
        let id = self.add_func(helper.func(table, segment), helper.name());
        self.helpers[helper as usize] = Some(id);
        id
    }

    /// Adds a function.
    pub fn add_func(&mut self, func: Func, name: &str) -> FuncId {
        let id = FuncId(self.module.funcs.len() as u32);
        self.module.funcs.push(func);
        self.name(id, name);
        id
    }

    fn name(&mut self, id: FuncId, name: &str) {
        if self.names.len() <= id.index() {
            self.names.resize(id.index() + 1, String::new());
        }
        if let Some(slot) = self.names.get_mut(id.index()) {
            slot.extend(name.chars().filter(|char| !char.is_control()).take(60));
        }
    }

    /// Adds a global.
    pub fn add_global(&mut self, mutable: bool, ty: Type, init: Writer) -> GlobalId {
        let id = GlobalId(self.module.globals.len() as u32);
        self.module.globals.push(il::Global { mutable, ty, init: init.bytes });
        id
    }

    /// A function of a unit that can be called and referred to: of a device instruction, one that sends it.
    pub fn func_of(&mut self, unit: &Linked<'_>, index: u32) -> Result<FuncId> {
        match unit.target(index).ok_or_else(|| unit.decoded.internal("a function index"))? {
            Target::Func(func) => Ok(func),
            Target::Device(device) => self.wrapper(device),
        }
    }

    /// The global of an element segment; one that is used up already is empty.
    pub fn segment(&mut self, unit: &Linked<'_>, index: u32) -> Result<GlobalId> {
        let cell = unit.segments.get(index as usize).ok_or_else(|| unit.decoded.internal("an element segment"))?;
        if let Some(id) = cell.get() {
            return Ok(id);
        }
        let ty = self.segment_type();
        let mut init = Writer::default();
        init.push(Instr::ArrayOf(ty, 0));
        let id = self.add_global(true, Type::Ref(ty), init);
        cell.set(Some(id));
        Ok(id)
    }

    /// A function that takes and gives what a signature says, and calls another one, of this type.
    pub fn adapted(&mut self, func: FuncId, ty: CanonId, wanted: &Signature) -> FuncId {
        let own = self.types.carried(ty);
        if own == *wanted {
            return func;
        }
        if let Some(id) = self.types.known_adapter(func, wanted) {
            return id;
        }
        let made = adapter(func, &own, wanted, |ty| self.types.is_nothing(ty));
        let id = self.add_func(made, "");
        self.types.note_adapter(func, wanted, id);
        id
    }
}

/// Links and translates units.
pub(crate) fn link(units: &[Unit<'_>], options: &Options<'_>) -> Result<Module> {
    let mut validator = decode::validator();
    let decoded = units.iter().map(|unit| decode::decode(*unit, &mut validator)).collect::<Result<Vec<_>>>()?;
    let mut build = Build::new(&decoded, options)?;
    build.types.settle(&decoded, &mut build.module).map_err(|(what, hint)| {
        let unit = units.last().map_or("", |unit| unit.name);
        Error::new(unit, None, ErrorKind::Unsupported { what: what.into(), hint })
    })?;
    let mut linked: Vec<Linked<'_>> = Vec::new();
    for unit in decoded {
        let unit = build.link(unit, &linked)?;
        linked.push(unit);
    }
    build.first_memory(&mut linked);
    let mut plans = Vec::new();
    for unit in &mut linked {
        plans.push(build.segments(unit)?);
    }
    build.find_throws(&linked);
    for unit in &mut linked {
        let bodies = core::mem::take(&mut unit.decoded.bodies);
        build.bodies(unit, bodies)?;
    }
    build.finish(&linked, &plans)?;
    Ok(build.module)
}

impl<'a> Build<'a> {
    /// Translates the bodies of a unit.
    fn bodies<'u>(&mut self, unit: &Linked<'u>, bodies: Vec<decode::Body<'u>>) -> Result {
        let imported = unit.funcs.len() - bodies.len().min(unit.funcs.len());
        let mut translator = body::Translator::new(self, unit);
        for (body, target) in bodies.into_iter().zip(unit.funcs.iter().skip(imported)) {
            let func = translator.function(body)?;
            translator.build.bytes += func.body.len();
            if translator.build.bytes > limits::MODULE_BYTES {
                return Err(translator.unsupported("a module as large as this one becomes", "split it"));
            }
            if let Target::Func(id) = target
                && let Some(slot) = translator.build.module.funcs.get_mut(id.index())
            {
                *slot = func;
            }
        }
        Ok(())
    }

    /// The program's first memory becomes the module's: what stands for imports uses that one.
    fn first_memory(&mut self, linked: &mut [Linked<'_>]) {
        let first = linked.last().and_then(|program| program.memory(0)).map_or(MemoryId(0), |memory| memory.id);
        if first == MemoryId(0) {
            return;
        }
        self.module.memories.swap(0, first.index());
        for memory in linked.iter_mut().flat_map(|unit| unit.memories.iter_mut()) {
            if memory.id == first {
                memory.id = MemoryId(0);
            } else if memory.id == MemoryId(0) {
                memory.id = first;
            }
        }
    }
}
