//! Drops what nothing reaches, and numbers what is left in the order in which a reader of the module meets it:
//! structural types, literals and locals by first use. So equal texts give equal bytes, however they were checked.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::instr::{Dests, Instr, Reader, Writer};
use crate::isa::{Field, InstructionSet};
use crate::types::{
    ArrayDef, CapDef, FuncId, GlobalId, IsaId, LocalId, ProgramId, Signature, Storage, StrId, StructDef, StructField,
    Type, TypeDef, TypeId, UseId,
};
use crate::{Func, Module};

/// What stays even if nothing refers to it, by number. Shorter lists keep nothing more.
#[derive(Default)]
pub(crate) struct Kept {
    pub funcs: Vec<bool>,
    pub globals: Vec<bool>,
    pub uses: Vec<bool>,
    pub programs: Vec<bool>,
    /// The first lines of the type table.
    pub structs: Vec<bool>,
}

/// The module without what is not kept and not reached.
pub(crate) fn link(module: Module, kept: &Kept) -> Module {
    let mut marks = Marks::new(&module);
    marks.start(kept);
    while let Some(next) = marks.waiting.pop() {
        marks.visit(next);
    }
    let Marks { reached, .. } = marks;
    Linker::new(&module, &reached).module(&module)
}

/// The module with only those exports, and what they reach; its memories and data segments stay.
#[must_use]
pub fn prune(mut module: Module, keep: impl Fn(&str) -> bool) -> Module {
    module.exports.retain(|export| keep(&export.name));
    let mut funcs = alloc::vec![false; module.funcs.len()];
    for export in &module.exports {
        if let Some(kept) = funcs.get_mut(export.func.index()) {
            *kept = true;
        }
    }
    link(module, &Kept { funcs, ..Kept::default() })
}

/// What an instruction refers to, replaced.
pub(crate) trait Map {
    fn def(&mut self, id: TypeId) -> TypeId;
    fn func(&mut self, id: FuncId) -> FuncId;
    fn global(&mut self, id: GlobalId) -> GlobalId;
    fn capability(&mut self, id: UseId) -> UseId;
    fn program(&mut self, id: ProgramId) -> ProgramId;
    fn string(&mut self, id: StrId) -> StrId;
    fn local(&mut self, id: LocalId) -> LocalId;

    /// A function that is named, not called.
    fn func_ref(&mut self, id: FuncId) -> FuncId {
        self.func(id)
    }

    /// An instruction of the program's own set.
    fn own(&mut self, opcode: u8) -> u8 {
        opcode
    }

    fn ty(&mut self, ty: Type) -> Type {
        match ty {
            Type::Ref(id) => Type::Ref(self.def(id)),
            Type::Opt(id) => Type::Opt(self.def(id)),
            other => other,
        }
    }

    fn storage(&mut self, storage: Storage) -> Storage {
        match storage {
            Storage::Value(ty) => Storage::Value(self.ty(ty)),
            packed => packed,
        }
    }

    fn instr<'a>(&mut self, instr: Instr<'a>) -> Instr<'a> {
        match instr {
            Instr::Null(ty) => Instr::Null(self.ty(ty)),
            Instr::StrConst(id) => Instr::StrConst(self.string(id)),
            Instr::GlobalGet(id) => Instr::GlobalGet(self.global(id)),
            Instr::GlobalTake(id) => Instr::GlobalTake(self.global(id)),
            Instr::GlobalSet(id) => Instr::GlobalSet(self.global(id)),
            Instr::StructNew(id) => Instr::StructNew(self.def(id)),
            Instr::FieldGet(id, field) => Instr::FieldGet(self.def(id), field),
            Instr::FieldTake(id, field) => Instr::FieldTake(self.def(id), field),
            Instr::FieldSet(id, field) => Instr::FieldSet(self.def(id), field),
            Instr::ArrayNew(id) => Instr::ArrayNew(self.def(id)),
            Instr::ArrayOf(id, count) => Instr::ArrayOf(self.def(id), count),
            Instr::ArrayGet(id) => Instr::ArrayGet(self.def(id)),
            Instr::ArrayTake(id) => Instr::ArrayTake(self.def(id)),
            Instr::ArraySet(id) => Instr::ArraySet(self.def(id)),
            Instr::Is(ty) => Instr::Is(self.ty(ty)),
            Instr::As(ty) => Instr::As(self.ty(ty)),
            Instr::IfAs(ty, local) => Instr::IfAs(self.ty(ty), self.local(local)),
            Instr::For(local) => Instr::For(self.local(local)),
            Instr::Get(local) => Instr::Get(self.local(local)),
            Instr::Take(local) => Instr::Take(self.local(local)),
            Instr::Cond(ty) => Instr::Cond(self.ty(ty)),
            Instr::Select(ty) => Instr::Select(self.ty(ty)),
            Instr::FuncRef(func, ty) => Instr::FuncRef(self.func_ref(func), self.def(ty)),
            Instr::Call(id) => Instr::Call(self.func(id)),
            Instr::CallSet(id, dests) => Instr::CallSet(self.func(id), dests),
            Instr::ReturnCall(id) => Instr::ReturnCall(self.func(id)),
            Instr::CallRef(id) => Instr::CallRef(self.def(id)),
            Instr::CallRefSet(id, dests) => Instr::CallRefSet(self.def(id), dests),
            Instr::ReturnCallRef(id) => Instr::ReturnCallRef(self.def(id)),
            Instr::Cap(id, ty) => Instr::Cap(self.capability(id), self.def(ty)),
            Instr::Attenuate(id) => Instr::Attenuate(self.def(id)),
            Instr::Send(id, opcode) => Instr::Send(self.capability(id), opcode),
            Instr::SendSet(id, opcode, dests) => Instr::SendSet(self.capability(id), opcode, dests),
            Instr::Try(id, opcode) => Instr::Try(self.capability(id), opcode),
            Instr::TrySet(id, opcode, dests) => Instr::TrySet(self.capability(id), opcode, dests),
            Instr::SendTo(id, opcode) => Instr::SendTo(self.def(id), opcode),
            Instr::SendToSet(id, opcode, dests) => Instr::SendToSet(self.def(id), opcode, dests),
            Instr::TryTo(id, opcode) => Instr::TryTo(self.def(id), opcode),
            Instr::TryToSet(id, opcode, dests) => Instr::TryToSet(self.def(id), opcode, dests),
            Instr::RunSet(id, program, dests) => Instr::RunSet(self.capability(id), self.program(program), dests),
            Instr::RunTrySet(id, program, dests) => Instr::RunTrySet(self.capability(id), self.program(program), dests),
            Instr::RunSend(id, program) => Instr::RunSend(self.capability(id), self.program(program)),
            Instr::Forward(id, opcode) => Instr::Forward(self.capability(id), opcode),
            Instr::ForwardTo(id, opcode) => Instr::ForwardTo(self.def(id), opcode),
            Instr::Own(opcode) => Instr::Own(self.own(opcode)),
            Instr::OwnTry(opcode) => Instr::OwnTry(self.own(opcode)),
            Instr::OwnSet(opcode, dests) => Instr::OwnSet(self.own(opcode), dests),
            Instr::OwnTrySet(opcode, dests) => Instr::OwnTrySet(self.own(opcode), dests),
            Instr::Flush(id) => Instr::Flush(self.capability(id)),
            Instr::Trap(id) => Instr::Trap(self.string(id)),
            Instr::Assert(id) => Instr::Assert(self.string(id)),
            Instr::I32Const(_)
            | Instr::I64Const(_)
            | Instr::F32Const(_)
            | Instr::F64Const(_)
            | Instr::BoolConst(_)
            | Instr::ArrayLen
            | Instr::RefEq
            | Instr::RefNe
            | Instr::Freeze
            | Instr::Caller
            | Instr::Shuffle(_)
            | Instr::MemoryInit(..)
            | Instr::DataDrop(_)
            | Instr::Exit
            | Instr::Block
            | Instr::Test
            | Instr::Op(..)
            | Instr::Set(_)
            | Instr::Emit(..)
            | Instr::EmitTo(..)
            | Instr::Fail
            | Instr::Return
            | Instr::Wait
            | Instr::WaitForever
            | Instr::FlushCap
            | Instr::Revoke
            | Instr::If
            | Instr::Else
            | Instr::Loop
            | Instr::While
            | Instr::Switch
            | Instr::Arm(_)
            | Instr::Default
            | Instr::End
            | Instr::Break(_)
            | Instr::Continue(_) => instr,
        }
    }
}

/// Something that is reached, and whose own references are to be followed.
#[derive(Clone, Copy)]
enum Item {
    Def(TypeId),
    Isa(IsaId),
    Func(FuncId),
    Global(GlobalId),
    Program(ProgramId),
}

#[derive(Default)]
struct Reached {
    defs: Vec<bool>,
    isas: Vec<bool>,
    funcs: Vec<bool>,
    globals: Vec<bool>,
    uses: Vec<bool>,
    programs: Vec<bool>,
}

/// Follows references.
struct Marks<'m> {
    module: &'m Module,
    reached: Reached,
    waiting: Vec<Item>,
}

/// Sets a mark; whether it is new.
fn mark(marks: &mut [bool], at: usize) -> bool {
    marks.get_mut(at).is_some_and(|mark| !core::mem::replace(mark, true))
}

impl<'m> Marks<'m> {
    fn new(module: &'m Module) -> Self {
        let none = |count: usize| alloc::vec![false; count];
        let reached = Reached {
            defs: none(module.types.len()),
            isas: none(module.isas.len()),
            funcs: none(module.funcs.len()),
            globals: none(module.globals.len()),
            uses: none(module.uses.len()),
            programs: none(module.programs.len()),
        };
        Marks { module, reached, waiting: Vec::new() }
    }

    fn start(&mut self, kept: &Kept) {
        let each = |list: &[bool]| -> Vec<u32> {
            list.iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| at as u32).collect()
        };
        each(&kept.structs).into_iter().for_each(|at| _ = self.def(TypeId(at)));
        each(&kept.funcs).into_iter().for_each(|at| _ = self.func(FuncId(at)));
        each(&kept.globals).into_iter().for_each(|at| _ = self.global(GlobalId(at)));
        each(&kept.uses).into_iter().for_each(|at| _ = self.capability(UseId(at)));
        each(&kept.programs).into_iter().for_each(|at| _ = self.program(ProgramId(at)));
        self.module.provides.iter().for_each(|provides| self.isa(provides.isa));
    }

    fn visit(&mut self, item: Item) {
        match item {
            Item::Def(id) => match self.module.types.get(id.index()) {
                Some(TypeDef::Struct(def)) => {
                    def.parent.iter().for_each(|parent| _ = self.def(*parent));
                    def.fields.iter().for_each(|field| _ = self.storage(field.storage));
                }
                Some(TypeDef::Array(def)) => _ = self.storage(def.element),
                Some(TypeDef::Func(sig)) => self.types(sig.params.iter().chain(&sig.results)),
                Some(TypeDef::Cap(def)) => self.isa(def.isa),
                None => {}
            },
            Item::Isa(id) => {
                let Some(set) = self.module.isas.get(id.index()) else { return };
                set.fields().for_each(|field| _ = self.ty(field.ty));
            }
            Item::Func(id) => {
                let Some(func) = self.module.funcs.get(id.index()) else { return };
                self.types(func.sig.params.iter().chain(&func.sig.results).chain(&func.locals));
                self.code(&func.body);
            }
            Item::Global(id) => {
                let Some(global) = self.module.globals.get(id.index()) else { return };
                self.ty(global.ty);
                self.code(&global.init);
            }
            Item::Program(id) => {
                let Some(program) = self.module.programs.get(id.index()) else { return };
                self.isa(program.isa);
                self.func(program.func);
            }
        }
    }

    fn isa(&mut self, id: IsaId) {
        if mark(&mut self.reached.isas, id.index()) {
            self.waiting.push(Item::Isa(id));
        }
    }

    fn types<'t>(&mut self, types: impl Iterator<Item = &'t Type>) {
        types.for_each(|ty| _ = self.ty(*ty));
    }

    fn code(&mut self, body: &[u8]) {
        let mut reader = Reader::new(body);
        while let Ok(Some(instr)) = reader.next() {
            self.instr(instr);
        }
    }
}

impl Map for Marks<'_> {
    fn def(&mut self, id: TypeId) -> TypeId {
        if mark(&mut self.reached.defs, id.index()) {
            self.waiting.push(Item::Def(id));
        }
        id
    }
    fn func(&mut self, id: FuncId) -> FuncId {
        if mark(&mut self.reached.funcs, id.index()) {
            self.waiting.push(Item::Func(id));
        }
        id
    }
    fn global(&mut self, id: GlobalId) -> GlobalId {
        if mark(&mut self.reached.globals, id.index()) {
            self.waiting.push(Item::Global(id));
        }
        id
    }
    fn capability(&mut self, id: UseId) -> UseId {
        if mark(&mut self.reached.uses, id.index())
            && let Some(wanted) = self.module.uses.get(id.index())
        {
            self.isa(wanted.isa);
        }
        id
    }
    fn program(&mut self, id: ProgramId) -> ProgramId {
        if mark(&mut self.reached.programs, id.index()) {
            self.waiting.push(Item::Program(id));
        }
        id
    }
    fn string(&mut self, id: StrId) -> StrId {
        id
    }
    fn local(&mut self, id: LocalId) -> LocalId {
        id
    }
}

/// New numbers of what is left.
struct Linker<'m> {
    old_types: &'m [TypeDef],
    old_strings: &'m [alloc::string::String],
    defs: Vec<Option<u32>>,
    funcs: Vec<Option<u32>>,
    globals: Vec<Option<u32>>,
    uses: Vec<Option<u32>>,
    programs: Vec<Option<u32>>,
    strings: Vec<Option<u32>>,
    isas: Vec<Option<u32>>,
    /// The new table, and the old number of each line.
    types: Vec<TypeDef>,
    type_sources: Vec<TypeId>,
    new_strings: Vec<alloc::string::String>,
    /// Of the function at hand: new numbers of its locals, and the old number of each.
    locals: Vec<Option<u32>>,
    local_sources: Vec<u32>,
}

/// Consecutive numbers for what is marked.
fn numbers(marks: &[bool]) -> Vec<Option<u32>> {
    let mut next = 0;
    let number = |marked: &bool| {
        marked.then(|| {
            next += 1;
            next - 1
        })
    };
    marks.iter().map(number).collect()
}

/// What is marked of a list.
fn only<T: Clone>(list: &[T], numbers: &[Option<u32>]) -> Vec<T> {
    list.iter().zip(numbers).filter(|(_, number)| number.is_some()).map(|(item, _)| item.clone()).collect()
}

fn new_number(numbers: &[Option<u32>], old: u32) -> u32 {
    numbers.get(old as usize).copied().flatten().unwrap_or(old)
}

impl<'m> Linker<'m> {
    fn new(module: &'m Module, reached: &Reached) -> Self {
        let is_struct = |def: &TypeDef| matches!(def, TypeDef::Struct(_));
        let structs: Vec<bool> =
            module.types.iter().zip(&reached.defs).map(|(def, reached)| *reached && is_struct(def)).collect();
        Linker {
            old_types: &module.types,
            old_strings: &module.strings,
            defs: numbers(&structs),
            funcs: numbers(&reached.funcs),
            globals: numbers(&reached.globals),
            uses: numbers(&reached.uses),
            programs: numbers(&reached.programs),
            strings: alloc::vec![None; module.strings.len()],
            isas: numbers(&reached.isas),
            types: Vec::new(),
            type_sources: Vec::new(),
            new_strings: Vec::new(),
            locals: Vec::new(),
            local_sources: Vec::new(),
        }
    }

    fn isa(&self, id: IsaId) -> IsaId {
        IsaId(new_number(&self.isas, id.0))
    }

    fn module(mut self, old: &Module) -> Module {
        let mut module = Module {
            name: old.name.clone(),
            memories: old.memories.clone(),
            data: old.data.clone(),
            ..Module::default()
        };
        self.structs();
        module.globals = only(&old.globals, &self.globals);
        for global in &mut module.globals {
            global.ty = self.ty(global.ty);
            global.init = self.code(&global.init, &mut []);
        }
        let mut names = old.names.clone();
        let mut lines = names.as_mut().map_or(Vec::new(), |names| only(&names.lines, &self.funcs));
        let mut locals = names.as_mut().map_or(Vec::new(), |names| only(&names.locals, &self.funcs));
        module.funcs = only(&old.funcs, &self.funcs);
        lines.resize(module.funcs.len(), Vec::new());
        locals.resize(module.funcs.len(), Vec::new());
        for (func, (lines, locals)) in module.funcs.iter_mut().zip(lines.iter_mut().zip(&mut locals)) {
            self.rewrite(func, lines, locals);
        }
        module.isas = only(&old.isas, &self.isas);
        module.isas.iter_mut().for_each(|set| self.operands(set));
        module.uses = only(&old.uses, &self.uses);
        module.uses.iter_mut().for_each(|one| one.isa = self.isa(one.isa));
        module.provides = old.provides.clone();
        for provides in &mut module.provides {
            provides.isa = self.isa(provides.isa);
            provides.ops.iter_mut().for_each(|op| *op = self.func(*op));
        }
        module.programs = only(&old.programs, &self.programs);
        for program in &mut module.programs {
            program.isa = self.isa(program.isa);
            program.func = self.func(program.func);
        }
        module.exports = old.exports.clone();
        module.exports.iter_mut().for_each(|export| export.func = self.func(export.func));
        module.handlers = old.handlers.clone();
        for handler in &mut module.handlers {
            handler.func = self.func(handler.func);
            handler.source = self.capability(handler.source);
        }
        module.tests = old.tests.clone();
        module.tests.iter_mut().for_each(|test| test.func = self.func(test.func));
        if let Some(names) = &mut names {
            names.lines = lines;
            names.locals = locals;
            self.names(names);
        }
        module.names = names;
        module.types = self.types;
        module.strings = self.new_strings;
        module
    }

    /// Gives the types of a set's operands their numbers.
    fn operands(&mut self, set: &mut InstructionSet) {
        let mut map = |fields: &mut Cow<'static, [Field]>| {
            if fields.iter().any(|field| field.ty.def().is_some()) {
                fields.to_mut().iter_mut().for_each(|field| field.ty = self.ty(field.ty));
            }
        };
        for instruction in set.instructions.to_mut() {
            map(&mut instruction.params);
            instruction.results.as_mut().map(&mut map);
        }
        set.events.to_mut().iter_mut().for_each(|event| map(&mut event.params));
    }

    fn names(&self, names: &mut crate::Names) {
        names.funcs = only(&names.funcs, &self.funcs);
        names.func_files = only(&names.func_files, &self.funcs);
        names.globals = only(&names.globals, &self.globals);
        let name = |id: &TypeId| names.types.get(id.index()).cloned().unwrap_or_default();
        names.types = self.type_sources.iter().map(name).collect();
        // Files that nothing comes from any more.
        let mut used = alloc::vec![false; names.files.len()];
        mark(&mut used, 0);
        names.func_files.iter().for_each(|file| _ = mark(&mut used, *file as usize));
        let files = numbers(&used);
        names.files = only(&names.files, &files);
        names.func_files.iter_mut().for_each(|file| *file = new_number(&files, *file));
    }

    /// Structs keep their order and come first; what their fields name follows.
    fn structs(&mut self) {
        let left: Vec<usize> = (0..self.defs.len()).filter(|at| self.defs[*at].is_some()).collect();
        for at in &left {
            self.types.push(TypeDef::Struct(StructDef::default()));
            self.type_sources.push(TypeId(*at as u32));
        }
        for (new, old) in left.into_iter().enumerate() {
            let Some(TypeDef::Struct(def)) = self.old_types.get(old) else { continue };
            let parent = def.parent.map(|parent| self.def(parent));
            let field = |field: &StructField| StructField { storage: self.storage(field.storage), ..*field };
            let fields = def.fields.iter().map(field).collect();
            self.types[new] = TypeDef::Struct(StructDef { parent, frozen: def.frozen, name: def.name.clone(), fields });
        }
    }

    fn rewrite(&mut self, func: &mut Func, lines: &mut [(u32, u32)], names: &mut Vec<alloc::string::String>) {
        func.sig.params.iter_mut().chain(&mut func.sig.results).for_each(|ty| *ty = self.ty(*ty));
        let params = func.sig.params.len();
        self.local_sources = (0..params as u32).collect();
        self.locals = (0..params + func.locals.len()).map(|at| (at < params).then_some(at as u32)).collect();
        func.body = self.code(&func.body, lines);
        let sources = core::mem::take(&mut self.local_sources);
        *names = sources.iter().map(|old| names.get(*old as usize).cloned().unwrap_or_default()).collect();
        let own = sources.iter().skip(params);
        func.locals = own.filter_map(|old| func.locals.get(*old as usize - params).copied()).collect();
        func.locals.iter_mut().for_each(|ty| *ty = self.ty(*ty));
    }

    fn dests(&mut self, dests: Dests<'_>) -> Vec<Option<LocalId>> {
        dests.iter().map(|dest| dest.map(|local| self.local(local))).collect()
    }

    /// Appends an instruction whose own numbers are new already, and gives its destinations theirs.
    fn write(&mut self, writer: &mut Writer, instr: Instr<'_>) {
        match instr {
            Instr::Set(dests) => writer.set(&self.dests(dests)),
            Instr::CallSet(id, dests) => writer.call_set(id, &self.dests(dests)),
            Instr::CallRefSet(id, dests) => writer.call_ref_set(id, &self.dests(dests)),
            Instr::SendSet(id, opcode, dests) => writer.send_set(id, opcode, &self.dests(dests)),
            Instr::TrySet(id, opcode, dests) => writer.try_set(id, opcode, &self.dests(dests)),
            Instr::SendToSet(id, opcode, dests) => writer.send_to_set(id, opcode, &self.dests(dests)),
            Instr::TryToSet(id, opcode, dests) => writer.try_to_set(id, opcode, &self.dests(dests)),
            Instr::OwnSet(opcode, dests) => writer.own_set(opcode, &self.dests(dests)),
            Instr::OwnTrySet(opcode, dests) => writer.own_try_set(opcode, &self.dests(dests)),
            Instr::RunSet(id, program, dests) => writer.run_set(id, program, &self.dests(dests)),
            Instr::RunTrySet(id, program, dests) => writer.run_try_set(id, program, &self.dests(dests)),
            other => writer.push(other),
        }
    }

    /// The code with new numbers; its lines move along.
    fn code(&mut self, body: &[u8], lines: &mut [(u32, u32)]) -> Vec<u8> {
        let mut reader = Reader::new(body);
        let mut writer = Writer::default();
        let mut lines = lines.iter_mut().peekable();
        loop {
            let (from, to) = (reader.offset(), writer.bytes.len() as u32);
            while let Some((offset, _)) = lines.next_if(|(offset, _)| *offset <= from) {
                *offset = to;
            }
            let Ok(Some(instr)) = reader.next() else { return writer.bytes };
            let instr = self.instr(instr);
            self.write(&mut writer, instr);
        }
    }
}

impl Map for Linker<'_> {
    /// A structural type gets its number when it is first met, after what it consists of. (Nesting is bounded.)
    fn def(&mut self, id: TypeId) -> TypeId {
        if let Some(new) = self.defs.get(id.index()).copied().flatten() {
            return TypeId(new);
        }
        let def = match self.old_types.get(id.index()) {
            Some(TypeDef::Array(def)) => TypeDef::Array(ArrayDef { element: self.storage(def.element), ..*def }),
            Some(TypeDef::Func(sig)) => {
                let params = sig.params.iter().map(|ty| self.ty(*ty)).collect();
                let results = sig.results.iter().map(|ty| self.ty(*ty)).collect();
                TypeDef::Func(Signature { params, results })
            }
            Some(TypeDef::Cap(def)) => {
                TypeDef::Cap(CapDef { isa: self.isa(def.isa), instructions: def.instructions.clone() })
            }
            // Structs have their numbers.
            Some(TypeDef::Struct(_)) | None => return id,
        };
        let new = self.types.len() as u32;
        self.types.push(def);
        self.type_sources.push(id);
        self.defs[id.index()] = Some(new);
        TypeId(new)
    }

    fn func(&mut self, id: FuncId) -> FuncId {
        FuncId(new_number(&self.funcs, id.0))
    }
    fn global(&mut self, id: GlobalId) -> GlobalId {
        GlobalId(new_number(&self.globals, id.0))
    }
    fn capability(&mut self, id: UseId) -> UseId {
        UseId(new_number(&self.uses, id.0))
    }
    fn program(&mut self, id: ProgramId) -> ProgramId {
        ProgramId(new_number(&self.programs, id.0))
    }

    fn string(&mut self, id: StrId) -> StrId {
        let Some(known) = self.strings.get_mut(id.index()) else { return id };
        let new = *known.get_or_insert_with(|| {
            self.new_strings.push(self.old_strings[id.index()].clone());
            self.new_strings.len() as u32 - 1
        });
        StrId(new)
    }

    fn local(&mut self, id: LocalId) -> LocalId {
        let Some(known) = self.locals.get_mut(id.index()) else { return id };
        let new = *known.get_or_insert_with(|| {
            self.local_sources.push(id.0);
            self.local_sources.len() as u32 - 1
        });
        LocalId(new)
    }
}
