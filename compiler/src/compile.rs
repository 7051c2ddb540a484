//! Driving the code generator: a module's functions one by one, then its entries and stubs.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::{Deref, Range};

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{Function, TrapCode, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{CodegenError, Context, FinalizedMachReloc, FinalizedRelocTarget};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use il::instr::{Instr, Reader};
use il::isa::GridInstruction;
use il::op::Op;
use il::trap::TrapKind;
use il::verify::VerifiedModule;
use il::{FuncId, Hierarchy, Module};

use crate::entry;
use crate::error::CompileError;
use crate::helpers;
use crate::image::{Compiled, Helper, Relocation, RelocationKind, Section, Stub, Symbol};
use crate::lower::{self, Choices, Effects, LOAD_OUTSIDE, Outcome, Program};
use crate::maps::MapsBuilder;
use crate::options::{Deadlines, Opt, Options};

/// Functions start at multiples of this.
const FUNCTION_ALIGN: usize = 16;

/// A compilation under way, of a module that it borrows or shares. Between steps the caller may do
/// other things.
pub struct Compilation<M> {
    module: M,
    hierarchy: Hierarchy,
    effects: Effects,
    grid: Vec<GridInstruction>,
    /// Which globals each `Symbol::Init` initialises.
    inits: Vec<Range<u32>>,
    isa: OwnedTargetIsa,
    choices: Choices,
    context: Context,
    frontend: FunctionBuilderContext,
    /// Functions that need an entry.
    entries: Vec<FuncId>,
    stubs: BTreeSet<Stub>,
    helpers: BTreeSet<Helper>,
    /// The next symbol to compile; functions, then entries, then stubs, then helpers.
    next: Option<Symbol>,
    maps: MapsBuilder,
    out: Compiled,
}

/// Compiles a whole module.
///
/// # Errors
/// See [`CompileError`]; with a verified module only its size can be at fault.
pub fn compile(module: &VerifiedModule, options: &Options) -> Result<Compiled, CompileError> {
    let mut compilation = Compilation::new(module, options)?;
    while compilation.step()? {}
    Ok(compilation.finish())
}

/// Compiles a closed program ([`il::program`]) for a VM that lends it a grid: these instructions of its set become loads
/// and stores. Those that do not [fit](il::isa::GridMeaning::fits) their meaning stay instructions.
///
/// # Errors
/// As [`compile`].
pub fn compile_program(
    module: &VerifiedModule,
    options: &Options,
    grid: &[GridInstruction],
) -> Result<Compiled, CompileError> {
    let mut compilation = Compilation::on_grid(module, options, grid)?;
    while compilation.step()? {}
    Ok(compilation.finish())
}

impl<M: Deref<Target = VerifiedModule>> Compilation<M> {
    /// Prepares to compile a module; nothing is compiled yet.
    ///
    /// # Errors
    /// The code generator refuses the options.
    pub fn new(module: M, options: &Options) -> Result<Self, CompileError> {
        Self::on_grid(module, options, &[])
    }

    /// The same for [`compile_program`].
    ///
    /// # Errors
    /// The code generator refuses the options.
    pub fn on_grid(module: M, options: &Options, grid: &[GridInstruction]) -> Result<Self, CompileError> {
        let set = il::program::sole(&module).and_then(|program| module.isas.get(program.isa.index()));
        let instruction = |opcode| set.and_then(|set| set.instruction(opcode));
        let fits = |one: &&GridInstruction| instruction(one.opcode).is_some_and(|found| one.meaning.fits(found));
        let grid: Vec<GridInstruction> = grid.iter().filter(fits).copied().collect();
        let isa = options.target()?;
        let choices = Choices {
            bounds: options.bounds,
            rounds: options.cpu.sse41,
            inline: options.opt == Opt::Speed,
            looks: options.deadlines == Deadlines::Checked,
            vectors: options.cpu.ssse3 && options.cpu.sse41,
            frontend: isa.frontend_config(),
        };
        let hierarchy = Hierarchy::new(&module.types);
        let mut effects = Effects::of(&module, &hierarchy, &grid);
        let (func_refs, arrays) = (effects.func_refs.clone(), core::mem::take(&mut effects.arrays));
        let out = Compiled { func_refs, arrays, ..Compiled::default() };
        let (inits, entries) = (inits(&module), entries(&module));
        let mut compilation = Compilation {
            module,
            hierarchy,
            effects,
            grid,
            inits,
            isa,
            choices,
            context: Context::new(),
            frontend: FunctionBuilderContext::new(),
            entries,
            stubs: BTreeSet::new(),
            helpers: BTreeSet::new(),
            next: None,
            maps: MapsBuilder::default(),
            out,
        };
        compilation.next = compilation.after(None);
        Ok(compilation)
    }

    /// Compiles one function, entry or stub; `false` if none was left.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub fn step(&mut self) -> Result<bool, CompileError> {
        let Some(symbol) = self.next else { return Ok(false) };
        self.build(symbol)?;
        self.generate(symbol)?;
        self.next = self.after(Some(symbol));
        Ok(true)
    }

    /// A symbol's CLIF, as [`Compilation::step`] would compile it; for other consumers of the same
    /// code. Function references are named by [`Symbol::to_name`].
    ///
    /// # Errors
    /// See [`CompileError`].
    pub fn clif(&mut self, symbol: Symbol) -> Result<Function, CompileError> {
        self.build(symbol).cloned()
    }

    /// The code; whole once [`Compilation::step`] has answered `false`.
    pub fn finish(self) -> Compiled {
        self.out
    }

    /// The order of symbols in the code, which is also their order as values.
    fn after(&self, symbol: Option<Symbol>) -> Option<Symbol> {
        let func = |at: u32| (at < self.module.funcs.len() as u32).then_some(Symbol::Func(FuncId(at)));
        let entry =
            |after: Option<FuncId>| self.entries.iter().find(|id| Some(**id) > after).copied().map(Symbol::Entry);
        let init = |number: u32| (number < self.inits.len() as u32).then_some(Symbol::Init(number));
        let helper = |after: Option<Helper>| {
            self.helpers.iter().find(|helper| Some(**helper) > after).copied().map(Symbol::Helper)
        };
        let stub = |after: Option<Stub>| {
            let stub = self.stubs.iter().find(|stub| Some(**stub) > after).copied().map(Symbol::Stub);
            stub.or_else(|| helper(None))
        };
        match symbol {
            None => func(0).or_else(|| entry(None)).or_else(|| init(0)).or_else(|| stub(None)),
            Some(Symbol::Func(id)) => func(id.0 + 1).or_else(|| entry(None)).or_else(|| init(0)).or_else(|| stub(None)),
            Some(Symbol::Entry(id)) => entry(Some(id)).or_else(|| init(0)).or_else(|| stub(None)),
            Some(Symbol::Init(number)) => init(number + 1).or(Some(Symbol::InitEntry)),
            Some(Symbol::InitEntry) => stub(None),
            Some(Symbol::Stub(last)) => stub(Some(last)),
            Some(Symbol::Helper(last)) => helper(Some(last)),
        }
    }

    /// Makes a symbol's CLIF, in the context.
    pub(crate) fn build(&mut self, symbol: Symbol) -> Result<&Function, CompileError> {
        self.context.clear();
        let func = &mut self.context.func;
        let target = self.choices.frontend;
        match symbol {
            Symbol::Func(id) => {
                let unverified = CompileError::Unverified { func: id, offset: 0, expected: "a function of the module" };
                let sig = &self.module.funcs.get(id.index()).ok_or(unverified)?.sig;
                func.name = UserFuncName::User(symbol.to_name());
                func.signature = lower::clif_signature(sig);
                let program = Program {
                    module: &self.module,
                    hierarchy: &self.hierarchy,
                    effects: &self.effects,
                    grid: &self.grid,
                };
                let builder = FunctionBuilder::new(func, &mut self.frontend);
                let outcome = lower::lower(program, id, self.choices, builder);
                self.lowered(outcome)?;
            }
            Symbol::Init(number) => {
                let globals = self.inits.get(number as usize).cloned().unwrap_or_default();
                func.name = UserFuncName::User(symbol.to_name());
                func.signature = lower::clif_signature(&il::Signature::default());
                let program = Program {
                    module: &self.module,
                    hierarchy: &self.hierarchy,
                    effects: &self.effects,
                    grid: &self.grid,
                };
                let builder = FunctionBuilder::new(func, &mut self.frontend);
                let outcome = lower::lower_inits(program, globals, self.choices, builder);
                self.lowered(outcome)?;
            }
            Symbol::InitEntry => entry::init_entry(func, &mut self.frontend, target, self.inits.len() as u32),
            Symbol::Entry(id) => {
                let unverified = CompileError::Unverified { func: id, offset: 0, expected: "a function of the module" };
                let sig = &self.module.funcs.get(id.index()).ok_or(unverified)?.sig;
                entry::entry(func, &mut self.frontend, target, id, sig);
            }
            Symbol::Stub(stub) => entry::stub(func, &mut self.frontend, target, stub),
            Symbol::Helper(helper) => helpers::helper(func, &mut self.frontend, target, helper),
        }
        Ok(&self.context.func)
    }

    fn lowered(&mut self, outcome: Result<Outcome, CompileError>) -> Result<(), CompileError> {
        if outcome.is_err() {
            // A lowering that stopped half-way leaves its state behind.
            self.frontend = FunctionBuilderContext::new();
        }
        let outcome = outcome?;
        self.stubs.extend(outcome.stubs);
        self.helpers.extend(outcome.helpers);
        Ok(())
    }

    pub(crate) fn context(&mut self) -> (&mut Context, &OwnedTargetIsa) {
        (&mut self.context, &self.isa)
    }

    /// How the code generator writes references in the context's function, and what they mean.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        let names = self.context.func.params.user_named_funcs().iter();
        names
            .filter_map(|(reference, name)| {
                let symbol = Symbol::from_name(name)?;
                Some((alloc::format!("User({reference})"), self.symbol_name(symbol)))
            })
            .collect()
    }

    pub(crate) fn backend_error(&self, symbol: Symbol, error: &CodegenError) -> CompileError {
        let name = self.symbol_name(symbol);
        match (error, symbol) {
            (CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge, Symbol::Func(func)) => {
                CompileError::TooLarge { func, name }
            }
            _ => CompileError::Backend { name, detail: error.to_string() },
        }
    }

    fn symbol_name(&self, symbol: Symbol) -> String {
        match symbol {
            Symbol::Func(id) => self.module.func_name(id),
            Symbol::Entry(id) => alloc::format!("entry of {}", self.module.func_name(id)),
            Symbol::Init(number) => alloc::format!("initial values {number}"),
            Symbol::InitEntry => "entry of the initial values".into(),
            Symbol::Stub(stub) => alloc::format!("stub {stub:?}"),
            Symbol::Helper(helper) => alloc::format!("helper {helper:?}"),
        }
    }

    /// Generates machine code from the context and appends it.
    fn generate(&mut self, symbol: Symbol) -> Result<(), CompileError> {
        let mut plane = ControlPlane::default();
        if let Err(error) = self.context.compile(&*self.isa, &mut plane).map_err(|error| error.inner) {
            return Err(self.backend_error(symbol, &error));
        }
        self.append(symbol)
    }

    fn append(&mut self, symbol: Symbol) -> Result<(), CompileError> {
        let Some(compiled) = self.context.compiled_code() else { return Ok(()) };
        let out = &mut self.out;
        out.code.resize(out.code.len().next_multiple_of(FUNCTION_ALIGN), 0xcc);
        let start = u32::try_from(out.code.len()).map_err(|_| CompileError::CodeTooLarge)?;
        out.code.extend_from_slice(compiled.code_buffer());
        if out.code.len() > i32::MAX as usize {
            return Err(CompileError::CodeTooLarge);
        }
        out.sections.push(Section { range: start..out.code.len() as u32, symbol });
        if let Symbol::Entry(id) = symbol {
            out.entries.push((id, start));
        }
        for reloc in compiled.buffer.relocs() {
            let relocation = relocation(&self.context.func, start, reloc).ok_or_else(|| CompileError::Backend {
                name: alloc::format!("{symbol:?}"),
                detail: alloc::format!("unexpected relocation {:?}", reloc.kind),
            })?;
            out.relocations.push(relocation);
        }
        if symbol == Symbol::InitEntry {
            out.init_entry = Some(start);
        }
        for (return_offset, frame_bytes, map) in compiled.buffer.user_stack_maps() {
            let mut references: Vec<u32> = map.entries().map(|(_, offset)| offset).collect();
            references.sort_unstable();
            self.maps.add(&mut out.stack_maps, start + return_offset, *frame_bytes, &references);
        }
        let lines = compiled.buffer.get_srclocs_sorted();
        let body = |offset: u32| {
            let after = lines.partition_point(|line| line.start <= offset);
            let line = lines.get(after.checked_sub(1)?).filter(|line| offset < line.end)?;
            Some(line.loc.bits())
        };
        let known = lines.iter().filter(|line| !line.loc.is_default());
        let mut places: Vec<(u32, u32)> = known.map(|line| (start + line.start, line.loc.bits())).collect();
        let mut loads = Loads::of(&self.module, symbol);
        for trap in compiled.buffer.traps() {
            let place = body(trap.offset).filter(|bits| *bits != u32::MAX);
            let at = start + trap.offset;
            out.traps.push((at, trap_kind(&self.module, symbol, trap.code, place)));
            if trap.code == LOAD_OUTSIDE
                && let Some(user) = place
                && let Some(load) = loads.used_by(user)
            {
                // Only the address of the instruction itself is the load's: what follows is as it was.
                places.extend([(at, load), (at + 1, user)]);
            }
        }
        places.sort_by_key(|(at, _)| *at);
        if matches!(symbol, Symbol::Func(_)) {
            out.lines.extend(places);
        }
        Ok(())
    }
}

/// Loads from the linear memory in a body, found when first asked for.
struct Loads<'m> {
    body: &'m [u8],
    offsets: Option<Vec<u32>>,
}

impl<'m> Loads<'m> {
    fn of(module: &'m Module, symbol: Symbol) -> Self {
        let func = match symbol {
            Symbol::Func(id) => module.funcs.get(id.index()),
            Symbol::Entry(_) | Symbol::Init(_) | Symbol::InitEntry | Symbol::Stub(_) | Symbol::Helper(_) => None,
        };
        Loads { body: func.map_or(&[], |func| &func.body), offsets: None }
    }

    /// The load that has become a part of the instruction at `user`, which is no load itself. Nothing that can trap stands
    /// between the two, or the code generator would not have joined them: so it is the last load before.
    fn used_by(&mut self, user: u32) -> Option<u32> {
        let body = self.body;
        let offsets = self.offsets.get_or_insert_with(|| loads(body));
        let at = offsets.partition_point(|offset| *offset <= user).checked_sub(1)?;
        offsets.get(at).copied().filter(|offset| *offset != user)
    }
}

fn loads(body: &[u8]) -> Vec<u32> {
    let (mut reader, mut offsets) = (Reader::new(body), Vec::new());
    loop {
        let offset = reader.offset();
        match reader.next() {
            Ok(Some(Instr::Op(op, _))) if op.info().form.has_offset() && op.info().result.is_some() => {
                offsets.push(offset)
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return offsets,
        }
    }
}

/// Encoded initial values that one function computes, in bytes; one value may exceed it.
const INIT_BYTES: usize = 8 << 10;

/// Splits the globals into runs, so that none makes too large a function.
fn inits(module: &Module) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    let mut bytes = 0;
    for (at, global) in module.globals.iter().enumerate() {
        let at = at as u32;
        bytes += global.init.len();
        match runs.last_mut() {
            Some(run) if bytes <= INIT_BYTES => run.end = at + 1,
            _ => {
                bytes = global.init.len();
                runs.push(at..at + 1);
            }
        }
    }
    runs
}

/// Functions that the base calls: exports, handlers, `op`s, programs, tests.
fn entries(module: &Module) -> Vec<FuncId> {
    let exports = module.exports.iter().map(|export| export.func);
    let handlers = module.handlers.iter().map(|handler| handler.func);
    let ops = module.provides.iter().flat_map(|provides| provides.ops.iter().copied());
    let programs = module.programs.iter().map(|program| program.func);
    let tests = module.tests.iter().map(|test| test.func);
    let all: BTreeSet<FuncId> = exports.chain(handlers).chain(ops).chain(programs).chain(tests).collect();
    all.into_iter().collect()
}

fn relocation(func: &Function, start: u32, reloc: &FinalizedMachReloc) -> Option<Relocation> {
    let kind = match reloc.kind {
        Reloc::Abs8 => RelocationKind::Absolute,
        Reloc::X86CallPCRel4 | Reloc::X86PCRel4 => RelocationKind::Relative,
        _ => return None,
    };
    let FinalizedRelocTarget::ExternalName(cranelift_codegen::ir::ExternalName::User(name)) = &reloc.target else {
        return None;
    };
    let target = Symbol::from_name(func.params.user_named_funcs().get(*name)?)?;
    Some(Relocation { at: start + reloc.offset, kind, target, addend: reloc.addend })
}

/// What a trap of the code generator means in the IL. `place` is the body offset it comes from.
fn trap_kind(module: &Module, symbol: Symbol, code: TrapCode, place: Option<u32>) -> TrapKind {
    if code == TrapCode::STACK_OVERFLOW {
        TrapKind::StackOverflow
    } else if code == LOAD_OUTSIDE || code == TrapCode::HEAP_OUT_OF_BOUNDS {
        TrapKind::MemoryOutOfBounds
    } else if code == TrapCode::INTEGER_DIVISION_BY_ZERO {
        TrapKind::DivisionByZero
    } else if code == TrapCode::BAD_CONVERSION_TO_INTEGER {
        TrapKind::BadConversion
    } else if code == TrapCode::INTEGER_OVERFLOW {
        // Division and conversion share this code, but not its meaning.
        match op_at(module, symbol, place) {
            Some(Op::I32FromF64S | Op::I32FromF64U | Op::I64FromF64S | Op::I64FromF64U) => TrapKind::BadConversion,
            Some(Op::I32FromF32S | Op::I32FromF32U | Op::I64FromF32S | Op::I64FromF32U) => TrapKind::BadConversion,
            _ => TrapKind::IntegerOverflow,
        }
    } else {
        TrapKind::from_code(code.as_raw().get()).unwrap_or(TrapKind::Unreachable)
    }
}

fn op_at(module: &Module, symbol: Symbol, place: Option<u32>) -> Option<Op> {
    let Symbol::Func(id) = symbol else { return None };
    let body = module.funcs.get(id.index())?.body.get(place? as usize..)?;
    match Reader::new(body).next().ok()?? {
        Instr::Op(op, _) => Some(op),
        _ => None,
    }
}
