//! What all bodies of a module refer to: types, instruction sets, globals, signatures.

use il::isa::{Event, Field, Instruction, InstructionSet};
use il::{
    ArrayDef, CapDef, DataId, DataPlace, FuncId, Global, GlobalId, Hierarchy, IsaId, Memory, MemoryId, Module,
    Signature, Storage, StructDef, StructField, Type, TypeDef, TypeId, Use, UseId,
};

use crate::{Config, Random};

/// How a function is entered, and what it may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// By calls.
    Plain,
    /// By calls, from pure functions too.
    Pure,
    /// From outside, by name.
    Export,
    /// At the start.
    Main,
    /// By an event.
    Handler,
    /// By a request.
    Op,
    /// In the VM that executes a set.
    Program,
}

/// A function to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub sig: Signature,
    pub role: Role,
}

/// Everything but bodies.
#[derive(Debug)]
pub(crate) struct World {
    pub module: Module,
    pub hierarchy: Hierarchy,
    pub plans: Vec<Plan>,
    /// Types that locals and the like may have, without affine ones.
    pub types: Vec<Type>,
    /// `i32`: what is left of the budget of loop turns and calls.
    pub fuel: GlobalId,
    /// `i64`: a digest of whatever was computed.
    pub digest: GlobalId,
}

/// The sets that every module knows: what it uses, and what it provides.
pub(crate) const USED: IsaId = IsaId(0);
const PROVIDED: IsaId = IsaId(1);

/// How much a module's functions may call and loop before they only return.
const FUEL: i32 = 120;

/// What may be a parameter or result of a function that is entered from outside.
const SENDABLE: [Type; 8] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128, Type::Bool, Type::Str, Type::Buf];

/// Literals; not all of them are one byte a character.
const LITERALS: [&str; 9] = ["", "a", "il", "häuser", "deterministic", "0123456789abcdef", "\u{1f30d}", "why", "false"];

fn signature_of(def: &TypeDef) -> Option<Signature> {
    match def {
        TypeDef::Func(sig) => Some(sig.clone()),
        TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Cap(_) => None,
    }
}

fn fields(types: &[Type]) -> Vec<Field> {
    types.iter().map(|ty| Field { name: "".into(), ty: *ty }).collect()
}

fn instruction(opcode: u8, name: &'static str, params: &[Type], results: Option<&[Type]>) -> Instruction {
    let results = results.map(|results| fields(results).into());
    Instruction {
        opcode,
        name: name.into(),
        params: fields(params).into(),
        results,
        touches: [].as_slice().into(),
        doc: "".into(),
    }
}

fn event(number: u8, name: &'static str, params: &[Type]) -> Event {
    Event { number, name: name.into(), params: fields(params).into(), coalesced: false, doc: "".into() }
}

/// Streaming and waiting instructions with operands and results of all kinds.
fn used() -> InstructionSet {
    use Type::{Bool, Buf, F32, F64, I32, I64, Str, V128};
    let instructions = vec![
        instruction(1, "put", &[I32, F64], None),
        instruction(2, "note", &[Str], None),
        instruction(3, "give", &[Buf, I64], None),
        instruction(4, "ask", &[I64], Some(&[I32])),
        instruction(5, "text", &[Str, Bool], Some(&[Str])),
        instruction(6, "pair", &[F32, V128], Some(&[I64, F32, V128])),
        instruction(7, "check", &[I32], Some(&[])),
        instruction(8, "turn", &[Buf], Some(&[Buf])),
        instruction(9, "blob", &[], Some(&[Str, Buf, Bool])),
        instruction(10, "wide", &[V128, F32, F64], None),
        instruction(11, "ratio", &[F64, F32], Some(&[F64])),
        instruction(12, "lanes", &[V128], Some(&[V128])),
    ];
    let events = vec![event(1, "tick", &[I32, F32]), event(2, "word", &[Str, Buf, V128])];
    InstructionSet {
        name: "test.peer".into(),
        version: 1,
        instructions: instructions.into(),
        events: events.into(),
        doc: "".into(),
    }
}

fn provided() -> InstructionSet {
    use Type::{Buf, F64, I32, I64, Str};
    let instructions = vec![
        instruction(1, "poke", &[I32, Str], None),
        instruction(2, "query", &[I64, F64], Some(&[I64, Str])),
        instruction(7, "swap", &[Buf], Some(&[Buf])),
    ];
    let events = vec![event(3, "done", &[I64, Str]), event(4, "piece", &[Buf])];
    InstructionSet {
        name: "test.mine".into(),
        version: 2,
        instructions: instructions.into(),
        events: events.into(),
        doc: "".into(),
    }
}

impl World {
    pub fn new(random: &mut Random, config: &Config) -> World {
        let mut module = Module {
            name: "random".into(),
            isas: vec![used(), provided()],
            uses: vec![Use { name: "peer".into(), isa: USED }, Use { name: "other".into(), isa: USED }],
            strings: LITERALS.map(String::from).to_vec(),
            ..Module::default()
        };
        if random.percent(80) {
            memories(random, &mut module);
        }
        module.types = if config.objects { definitions(random) } else { Vec::new() };
        let hierarchy = Hierarchy::new(&module.types);
        let types = value_types(&module, config);
        let mut world = World { module, hierarchy, plans: Vec::new(), types, fuel: GlobalId(0), digest: GlobalId(1) };
        world.plan(random, config);
        world.globals(random, config);
        world
    }

    /// Decides which functions there are. Pure ones stand last and call only what follows them, so that they end.
    fn plan(&mut self, random: &mut Random, config: &Config) {
        let mut add = |sig: Signature, role: Role| self.plans.push(Plan { sig, role });
        add(Signature::default(), Role::Main);
        let sendable = |random: &mut Random| random.of(SENDABLE);
        for _ in 0..1 + random.below(2) {
            let params = (0..random.below(4)).map(|_| sendable(random)).collect();
            let results = (0..random.below(4)).map(|_| sendable(random)).collect();
            add(Signature { params, results }, Role::Export);
        }
        if random.percent(40) {
            for event in used().events.iter() {
                let params = event.params.iter().map(|field| field.ty).collect();
                add(Signature { params, results: vec![] }, Role::Handler);
            }
        }
        if random.percent(30) {
            for op in provided().instructions.iter() {
                let types = |fields: &[Field]| fields.iter().map(|field| field.ty).collect();
                let results = op.results.as_deref().unwrap_or_default();
                add(Signature { params: types(&op.params), results: types(results) }, Role::Op);
            }
        }
        for _ in 0..random.below(3) {
            let params = (0..random.below(4)).map(|_| sendable(random)).collect();
            let results = (0..random.below(3)).map(|_| sendable(random)).collect();
            add(Signature { params, results }, Role::Program);
        }
        let referred: Vec<Signature> = self.module.types.iter().filter_map(signature_of).collect();
        for sig in referred {
            add(sig, Role::Plain);
        }
        for pure in 0..2 * config.functions {
            let role = if pure < config.functions { Role::Plain } else { Role::Pure };
            let sig = self.signature(random, role);
            self.plans.push(Plan { sig, role });
        }
        let text = Signature { params: vec![Type::Str, Type::Str], results: vec![Type::Str] };
        self.plans.push(Plan { sig: text, role: Role::Pure });
    }

    /// Joins two strings unless that is long: the last function.
    pub fn join(&self) -> FuncId {
        FuncId(self.plans.len() as u32 - 1)
    }

    fn signature(&self, random: &mut Random, role: Role) -> Signature {
        let ty = |random: &mut Random| {
            for _ in 0..8 {
                let ty = match random.below(20) {
                    0 => Type::Buf,
                    _ => self.any_type(random),
                };
                if role != Role::Pure || self.constant_exists(ty, Place::Pure) {
                    return ty;
                }
            }
            Type::I64
        };
        let mut params: Vec<Type> = (0..random.below(4)).map(|_| ty(random)).collect();
        if random.percent(15) {
            params.push(Type::BufRef);
        }
        let results = (0..random.of([0, 1, 1, 1, 1, 2, 3])).map(|_| ty(random)).collect();
        Signature { params, results }
    }

    fn globals(&mut self, random: &mut Random, config: &Config) {
        let number = |init: il::instr::Instr<'_>, ty| {
            let mut writer = il::instr::Writer::default();
            writer.push(init);
            Global { mutable: true, ty, init: writer.bytes }
        };
        self.module.globals =
            vec![number(il::instr::Instr::I32Const(FUEL), Type::I32), number(il::instr::Instr::I64Const(1), Type::I64)];
        for _ in 0..2 + random.below(5) {
            let mut ty = self.any_type(random);
            let mut mutable = random.percent(70);
            if config.objects && random.percent(12) {
                (ty, mutable) = (Type::OptBuf, true);
            }
            if self.constant_exists(ty, Place::Initial) {
                let init = crate::constant::tree(self, random, ty, Place::Initial, 2);
                self.module.globals.push(Global { mutable, ty, init });
            }
        }
    }

    /// A type that is not affine.
    pub fn any_type(&self, random: &mut Random) -> Type {
        const NUMBERS: [Type; 6] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128, Type::Bool];
        if random.percent(45) { random.of(NUMBERS) } else { random.pick(&self.types).unwrap_or(Type::I32) }
    }

    /// Whether `constant::tree` can make a value of the type in such a place.
    pub fn constant_exists(&self, ty: Type, place: Place) -> bool {
        // There is no instruction for a constant vector, so no global starts with one.
        if ty == Type::V128 {
            return place != Place::Initial;
        }
        if ty.is_nullable() || ty.is_number() {
            return true;
        }
        let Some(id) = ty.def() else { return !matches!(ty, Type::Buf | Type::BufRef) || place != Place::Initial };
        match &self.module.types[id.index()] {
            TypeDef::Array(_) => true,
            TypeDef::Func(sig) => place != Place::Pure && self.function_of(sig).is_some(),
            TypeDef::Cap(_) => place == Place::Body,
            TypeDef::Struct(_) => {
                self.hierarchy.fields(id).iter().all(|field| self.constant_exists(field.storage.value(), place))
            }
        }
    }

    /// A function of exactly this type that may be called.
    pub fn function_of(&self, sig: &Signature) -> Option<FuncId> {
        let callable = |plan: &&Plan| plan.sig == *sig && matches!(plan.role, Role::Plain | Role::Pure | Role::Export);
        let at = self.plans.iter().position(|plan| callable(&plan))?;
        Some(FuncId(at as u32))
    }

    pub fn subtype(&self, sub: Type, sup: Type) -> bool {
        self.hierarchy.is_subtype(sub, sup)
    }

    pub fn used(&self) -> &InstructionSet {
        &self.module.isas[USED.index()]
    }

    pub fn provided(&self) -> &InstructionSet {
        &self.module.isas[PROVIDED.index()]
    }

    /// The wanted capabilities.
    pub fn uses(&self) -> [UseId; 2] {
        [UseId(0), UseId(1)]
    }
}

/// Where a value is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A global's initial value.
    Initial,
    /// A pure function.
    Pure,
    /// Any other body.
    Body,
}

/// The data segments: one that lies in a memory at start, one that is never dropped, and one that may be.
pub(crate) const PLACED: DataId = DataId(0);
pub(crate) const KEPT: DataId = DataId(1);
pub(crate) const DROPPED: DataId = DataId(2);

/// Bytes of each data segment.
pub(crate) const SEGMENT: &[u8] = b"bytes of a data segment";

/// A memory or several, each of a page at least, and data segments.
fn memories(random: &mut Random, module: &mut Module) {
    for _ in 0..random.of([1, 1, 2, 3]) {
        let min = 1 + random.below(2) as u32;
        module.memories.push(Memory { min, max: min + random.below(3) as u32 });
    }
    let memory = MemoryId(random.below(module.memories.len()) as u32);
    let place = DataPlace { memory, offset: random.below(4000) as u32 };
    let places = [Some(place), None, None];
    module.data = places.map(|place| il::Data { place, bytes: SEGMENT.to_vec() }).to_vec();
}

/// All types of non-affine values.
fn value_types(module: &Module, config: &Config) -> Vec<Type> {
    let mut types = vec![Type::Str];
    if !config.objects {
        return types;
    }
    types.extend([Type::Any, Type::OptStr, Type::OptAny]);
    for index in 0..module.types.len() as u32 {
        types.extend([Type::Ref(TypeId(index)), Type::Ref(TypeId(index)), Type::Opt(TypeId(index))]);
    }
    types
}

/// Structs first, whose fields are filled in last: they may refer to anything.
fn definitions(random: &mut Random) -> Vec<TypeDef> {
    let structs = 2 + random.below(4);
    let mut defs: Vec<TypeDef> = Vec::new();
    for at in 0..structs {
        let parent = if at > 0 && random.percent(55) { Some(TypeId(random.below(at) as u32)) } else { None };
        let frozen = match parent.and_then(|TypeId(parent)| defs.get(parent as usize)) {
            Some(TypeDef::Struct(def)) => def.frozen,
            _ => random.percent(35),
        };
        defs.push(TypeDef::Struct(StructDef {
            parent,
            frozen,
            name: if frozen { format!("F{}", defs.len()) } else { String::new() },
            fields: Vec::new(),
        }));
    }
    let push = |defs: &mut Vec<TypeDef>, def: TypeDef| {
        if !defs.contains(&def) {
            defs.push(def);
        }
    };
    push(&mut defs, TypeDef::Cap(CapDef { isa: USED, instructions: (1..=12).collect() }));
    push(&mut defs, TypeDef::Cap(CapDef { isa: USED, instructions: vec![1, 4, 7, 8] }));
    for _ in 0..3 + random.below(4) {
        let mutable = random.percent(60);
        let element = element(random, &defs, mutable);
        push(&mut defs, TypeDef::Array(ArrayDef { mutable, element }));
        if random.percent(50) {
            let sig = signature(random, &defs);
            push(&mut defs, TypeDef::Func(sig));
        }
    }
    for at in 0..structs {
        let TypeDef::Struct(mut def) = defs[at].clone() else { continue };
        for _ in 0..random.below(5) {
            def.fields.push(field(random, &defs, at, def.frozen));
        }
        defs[at] = TypeDef::Struct(def);
    }
    defs
}

fn reference(random: &mut Random, defs: &[TypeDef]) -> Type {
    let id = TypeId(random.below(defs.len()) as u32);
    if random.percent(50) { Type::Ref(id) } else { Type::Opt(id) }
}

fn storage(random: &mut Random) -> Storage {
    use Type::{Bool, F32, F64, I32, I64, OptStr, Str, V128};
    match random.below(4) {
        0 => random.of([Storage::I8, Storage::U8, Storage::I16, Storage::U16]),
        _ => Storage::Value(random.of([I32, I64, F32, F64, V128, Bool, Str, OptStr])),
    }
}

fn element(random: &mut Random, defs: &[TypeDef], mutable: bool) -> Storage {
    match random.below(10) {
        0..=4 => storage(random),
        5 if mutable => Storage::Value(Type::OptBuf),
        6 => Storage::Value(random.of([Type::Any, Type::OptAny])),
        _ => Storage::Value(reference(random, defs)),
    }
}

/// A field of struct `at`. What is not null is a struct in front of it, so that values of each can be made.
fn field(random: &mut Random, defs: &[TypeDef], at: usize, frozen: bool) -> StructField {
    let mutable = !frozen && random.percent(60);
    let sendable = Hierarchy::new(defs);
    for _ in 0..6 {
        let storage = match random.below(10) {
            0..=4 => storage(random),
            5 if mutable => Storage::Value(Type::OptBuf),
            6 => Storage::Value(random.of([Type::Any, Type::OptAny])),
            _ => Storage::Value(reference(random, defs)),
        };
        let made = match storage {
            Storage::Value(Type::Ref(id)) => id.index() < at || !matches!(defs[id.index()], TypeDef::Struct(_)),
            _ => true,
        };
        if made && (!frozen || sendable.is_sendable_object(storage.value())) {
            return StructField { mutable, storage };
        }
    }
    StructField { mutable, storage: Storage::Value(Type::I32) }
}

/// The type of a function reference.
fn signature(random: &mut Random, defs: &[TypeDef]) -> Signature {
    let ty = |random: &mut Random| match random.below(12) {
        0..=7 => random.of([Type::I32, Type::I64, Type::F64, Type::F32, Type::V128, Type::Bool, Type::Str]),
        8 => Type::Buf,
        _ => reference(random, defs),
    };
    let mut params: Vec<Type> = (0..random.below(4)).map(|_| ty(random)).collect();
    if random.percent(20) {
        params.push(Type::BufRef);
    }
    let results = (0..random.of([0, 1, 1, 1, 2])).map(|_| ty(random)).collect();
    Signature { params, results }
}
