//! Puts the module together.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::ast::File;
use super::super::diag::Span;
use super::body::Body;
use super::typed::Ty;
use super::{Context, FuncKind};
use crate::instr::{Instr, Writer};
use crate::isa::{Event, Instruction, InstructionSet};
use crate::types::{FuncId, IsaId, Type, TypeDef};
use crate::{Export, Global, Module, Names, Program, Provides, TypeNames, Use};
use crate::{limits, link};

/// Names up to the last one that is there.
fn named<'f>(names: impl Iterator<Item = &'f str>) -> Vec<String> {
    let mut all: Vec<String> = names.map(String::from).collect();
    all.truncate(all.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
    all
}

impl<'f> Context<'_, 'f, '_> {
    /// The module, from everything that was declared and emitted.
    pub(super) fn finish(mut self) -> Module {
        if !self.sink.is_clean() {
            return Module::default();
        }
        let Some(root) = self.build.units.first() else { return Module::default() };
        let mut module = Module { name: module_name(root.file, base_name(root.name)), ..Module::default() };
        module.globals = self.take_globals();
        let shared = self.embed_sets(&mut module);
        module.types = self.types.table();
        for def in &mut module.types {
            if let TypeDef::Cap(def) = def {
                def.isa = place(&shared, def.isa);
            }
        }
        module.memories = core::mem::take(&mut self.memories);
        module.data = core::mem::take(&mut self.data);
        module.exports = self.exports();
        module.handlers = core::mem::take(&mut self.handlers);
        module.strings = core::mem::take(&mut self.strings);
        let program = |info: &super::ProgramInfo<'f>| Program {
            name: info.name.text.into(),
            isa: place(&shared, info.isa),
            func: info.func,
        };
        module.programs = self.programs.iter().map(program).collect();
        if self.build.tests {
            module.tests = core::mem::take(&mut self.tests);
        }
        let mut names = self.names();
        for compiled in core::mem::take(&mut self.compiled) {
            module.funcs.push(compiled.func);
            names.locals.push(compiled.locals);
            names.lines.push(compiled.lines);
        }
        module.names = Some(names);
        let module = link::link(module, &self.kept());
        self.check_limits(&module);
        module
    }

    fn names(&self) -> Names {
        let mut types: Vec<TypeNames> = Vec::new();
        for info in self.types.order.iter().filter_map(|at| self.types.structs.get(*at)) {
            let fields = info.decl.fields.iter().map(|field| field.name.text.to_string()).collect();
            types.push(TypeNames { name: info.decl.name.text.to_string(), fields });
        }
        types.resize_with(self.types.table().len(), TypeNames::default);
        Names {
            files: self.build.units.iter().map(|unit| base_name(unit.name).into()).collect(),
            func_files: self.funcs.iter().map(|info| info.module as u32).collect(),
            funcs: self.funcs.iter().map(|info| info.title.clone()).collect(),
            globals: self.globals.iter().map(|global| global.name.text.to_string()).collect(),
            types,
            memories: named(self.memory_names.iter().map(|(name, _)| *name)),
            data: named(self.segments.iter().map(|segment| segment.name)),
            ..Names::default()
        }
    }

    /// What stays whether or not anything refers to it: the module that is built, but for tests that nobody asked
    /// for. Of what is imported, only what is reached from there.
    fn kept(&self) -> link::Kept {
        let func = |info: &super::FuncInfo<'f>| info.module == 0 && (info.kind != FuncKind::Test || self.build.tests);
        let scope = |name: &str, entry: super::Entry| {
            let own = self.scopes.first().and_then(|scope| scope.get(name));
            own.is_some_and(|(own, _)| *own == entry)
        };
        let structs = self.types.order.iter().map(|at| self.types.structs[*at].module == 0);
        link::Kept {
            funcs: self.funcs.iter().map(func).collect(),
            globals: (0..self.globals.len())
                .map(|at| scope(self.globals[at].name.text, super::Entry::Global(at)))
                .collect(),
            uses: (0..self.uses.len()).map(|at| scope(self.uses[at].name, super::Entry::Use(at))).collect(),
            programs: (0..self.programs.len())
                .map(|at| scope(self.programs[at].name.text, super::Entry::Program(at)))
                .collect(),
            structs: structs.collect(),
        }
    }

    fn check_limits(&mut self, module: &Module) {
        let start = Span::default();
        let counts = [
            (module.funcs.len(), limits::FUNCS, "functions"),
            (module.globals.len(), limits::GLOBALS, "globals"),
            (module.strings.len(), limits::STRINGS, "literals"),
            (module.exports.len(), limits::EXPORTS, "exports"),
            (module.isas.len(), limits::ISAS, "embedded instruction sets"),
            (module.name.len(), limits::NAME_BYTES, "bytes of a name"),
        ];
        for (count, limit, what) in counts {
            self.limit(count, limit, what, start);
        }
    }

    fn take_globals(&mut self) -> Vec<Global> {
        let mut globals = Vec::new();
        for at in 0..self.globals.len() {
            let (mutable, ty, init) = (self.globals[at].mutable, self.globals[at].ty, self.globals[at].init.take());
            let ty = if let Ty::Of(ty) = ty { ty } else { Type::I32 };
            let span = self.globals[at].name.span;
            let mut body = Body::new(self, None);
            match init {
                Some(init) => body.emit(&init),
                // Only after an error.
                None => body.writer.push(Instr::I32Const(0)),
            }
            let Writer { bytes: init } = core::mem::take(&mut body.writer);
            self.limit(init.len(), limits::INIT_BYTES, "bytes of a global's initial value", span);
            globals.push(Global { mutable, ty, init });
        }
        globals
    }

    /// Wanted capabilities, and the sets that they, `provides`, programs and types name. Gives the place of each
    /// shared set.
    fn embed_sets(&mut self, module: &mut Module) -> Vec<Option<IsaId>> {
        let parts: Vec<InstructionSet> = (0..self.shared.len()).map(|at| self.shared_part(at)).collect();
        let mut places: Vec<Option<IsaId>> = alloc::vec![None; parts.len()];
        for info in &self.uses {
            let Some(set) = &info.set else { continue };
            let of = |part: &InstructionSet| part.name == set.name && part.version == set.version;
            let shared = parts.iter().position(of).filter(|_| info.shared);
            let isa = match shared {
                Some(at) => *places[at].get_or_insert_with(|| embed(&mut module.isas, parts[at].clone())),
                None => embed(
                    &mut module.isas,
                    part(set, |one| info.instructions.contains(&one), |one| info.events.contains(&one)),
                ),
            };
            module.uses.push(Use { name: info.name.into(), isa });
        }
        for provides in &self.provides {
            module.provides.push(Provides {
                isa: embed(&mut module.isas, part(&provides.set, |_| true, |_| true)),
                name: provides.name.map(|name| name.text.into()),
                ops: provides.ops.clone(),
            });
        }
        for (place, part) in places.iter_mut().zip(parts) {
            place.get_or_insert_with(|| embed(&mut module.isas, part));
        }
        places
    }

    /// All that types, programs and capabilities as values want of a set.
    fn shared_part(&self, at: usize) -> InstructionSet {
        let shared = &self.shared[at];
        let mut instructions = shared.instructions.clone();
        let mut events: alloc::collections::BTreeSet<u8> = Default::default();
        for info in self.uses.iter().filter(|info| info.shared) {
            let same = info.set.as_ref().is_some_and(|set| set.path() == shared.set.path());
            if same {
                instructions.extend(&info.instructions);
                events.extend(&info.events);
            }
        }
        part(&shared.set, |one| instructions.contains(&one), |one| events.contains(&one))
    }

    fn exports(&self) -> Vec<Export> {
        let exported = self
            .funcs
            .iter()
            .enumerate()
            .filter(|(_, info)| info.kind == FuncKind::Plain && info.module == 0 && info.func.export);
        exported.map(|(id, info)| Export { name: info.func.name.text.into(), func: FuncId(id as u32) }).collect()
    }
}

/// The module's own name, or the file's without its ending, as far as it can be one.
fn module_name(file: &File<'_>, base_name: &str) -> String {
    if let Some(path) = &file.module {
        return path.text();
    }
    let stem = base_name.split('.').next().unwrap_or("");
    let clean: String = stem.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    match clean.chars().next() {
        None => "main".into(),
        Some(first) if first.is_ascii_digit() => format!("_{clean}"),
        Some(_) => clean,
    }
}

/// The set's place in the module; equal sets share one.
fn embed(isas: &mut Vec<InstructionSet>, set: InstructionSet) -> IsaId {
    let at = isas.iter().position(|old| *old == set).unwrap_or_else(|| {
        isas.push(set);
        isas.len() - 1
    });
    IsaId(at as u32)
}

/// The place of a shared set among the embedded ones.
fn place(places: &[Option<IsaId>], id: IsaId) -> IsaId {
    places.get(id.index()).copied().flatten().unwrap_or(id)
}

/// A file's name without its folders.
fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// The instructions and events of a set that are wanted.
fn part(set: &InstructionSet, instruction: impl Fn(u8) -> bool, event: impl Fn(u8) -> bool) -> InstructionSet {
    InstructionSet {
        instructions: set.instructions.iter().filter(|one| instruction(one.opcode)).map(bare_instruction).collect(),
        events: set.events.iter().filter(|one| event(one.number)).map(bare_event).collect(),
        name: set.name.clone(),
        version: set.version,
        doc: "".into(),
    }
}

/// Documentation does not travel.
pub(super) fn bare_instruction(instruction: &Instruction) -> Instruction {
    Instruction { touches: [].as_slice().into(), doc: "".into(), ..instruction.clone() }
}

pub(super) fn bare_event(event: &Event) -> Event {
    Event { doc: "".into(), ..event.clone() }
}
