//! Puts the module together.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::ast::File;
use super::super::diag::Span;
use super::typed::{Ty, Value};
use super::{Context, FuncKind};
use crate::instr::{Instr, Writer};
use crate::isa::{Event, Instruction, InstructionSet};
use crate::limits;
use crate::types::{FuncId, IsaId, Type};
use crate::{Export, Global, Module, Names, Provides, Use};

impl<'f> Context<'_, 'f, '_> {
    /// The module, from everything that was declared and emitted.
    pub(super) fn finish(mut self, file: &'f File<'f>, file_name: &str) -> Module {
        if !self.sink.is_clean() {
            return Module::default();
        }
        let base_name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
        let mut module = Module { name: module_name(file, base_name), ..Module::default() };
        module.globals = self.globals();
        self.uses(&mut module);
        module.memory = self.memory;
        module.data = core::mem::take(&mut self.data);
        module.exports = self.exports();
        module.handlers = core::mem::take(&mut self.handlers);
        module.strings = core::mem::take(&mut self.strings);
        let mut names = Names { files: alloc::vec![base_name.into()], ..Names::default() };
        names.globals = self.globals.iter().map(|global| global.name.text.to_string()).collect();
        names.funcs = self.funcs.iter().map(|info| info.title.clone()).collect();
        for compiled in core::mem::take(&mut self.compiled) {
            module.funcs.push(compiled.func);
            names.locals.push(compiled.locals);
            names.lines.push(compiled.lines);
        }
        module.names = Some(names);
        self.check_limits(&module);
        module
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

    fn globals(&mut self) -> Vec<Global> {
        let list: Vec<(bool, Ty, Option<Value>)> =
            self.globals.iter().map(|global| (global.mutable, global.ty, global.init.clone())).collect();
        let one = |(mutable, ty, init): (bool, Ty, Option<Value>)| {
            let init = match init {
                Some(Value::I32(value)) => Instr::I32Const(value),
                Some(Value::I64(value)) => Instr::I64Const(value),
                Some(Value::F64(value)) => Instr::F64Const(value.to_bits()),
                Some(Value::Bool(value)) => Instr::BoolConst(value),
                Some(Value::Str(text)) => Instr::StrConst(self.intern(&text)),
                // Only after an error.
                None => Instr::I32Const(0),
            };
            let ty = if let Ty::Of(ty) = ty { ty } else { Type::I32 };
            let mut writer = Writer::default();
            writer.push(init);
            Global { mutable, ty, init: writer.bytes }
        };
        list.into_iter().map(one).collect()
    }

    /// Wanted capabilities, and the sets that they and `provides` name.
    fn uses(&mut self, module: &mut Module) {
        for info in &self.uses {
            let Some(set) = &info.set else { continue };
            let part = InstructionSet {
                instructions: set
                    .instructions
                    .iter()
                    .filter(|one| info.instructions.contains(&one.opcode))
                    .map(bare_instruction)
                    .collect(),
                events: set.events.iter().filter(|one| info.events.contains(&one.number)).map(bare_event).collect(),
                name: set.name.clone(),
                version: set.version,
                doc: "".into(),
            };
            module.uses.push(Use { name: info.name.into(), isa: embed(&mut module.isas, part) });
        }
        let Some(provides) = &self.provides else { return };
        let whole = InstructionSet {
            instructions: provides.set.instructions.iter().map(bare_instruction).collect(),
            events: provides.set.events.iter().map(bare_event).collect(),
            name: provides.set.name.clone(),
            version: provides.set.version,
            doc: "".into(),
        };
        module.provides = Some(Provides {
            isa: embed(&mut module.isas, whole),
            name: provides.name.map(|name| name.text.into()),
            ops: provides.ops.clone(),
        });
    }

    fn exports(&self) -> Vec<Export> {
        let exported =
            self.funcs.iter().enumerate().filter(|(_, info)| info.kind == FuncKind::Plain && info.func.export);
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

/// Documentation does not travel.
fn bare_instruction(instruction: &Instruction) -> Instruction {
    Instruction { doc: "".into(), ..instruction.clone() }
}

fn bare_event(event: &Event) -> Event {
    Event { doc: "".into(), ..event.clone() }
}
