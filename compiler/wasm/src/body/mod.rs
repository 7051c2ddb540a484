//! A function's body: validated and translated in one walk over its operators.
//!
//! `stack` keeps the operand stack, `control` the constructs; the other files translate operators by kind. Dead code is
//! validated and dropped. Validation goes before translation operator by operator, so what the types exclude cannot
//! come here; where it would show, the answer is an error and not a panic.

mod calls;
mod control;
mod device;
mod exceptions;
mod fit;
mod memory;
mod objects;
mod operators;
mod stack;
mod tables;
mod variables;
mod vectors;
mod wide;

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashMap;
use il::instr::Writer;
use il::{Func, LocalId, Signature, Type, limits};
use wasmparser::{FuncValidatorAllocations, Operator, OperatorsReader, OperatorsReaderAllocations, ValType};

use crate::decode;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Build, Linked};
use control::Frame;
use exceptions::Handler;
use stack::{Entry, Temps};

pub(crate) use device::handler;
pub(crate) use vectors::constant as vector;

/// Translates the bodies of a unit, one after the other; its allocations serve them all.
pub(crate) struct Translator<'b, 'o, 'a> {
    pub build: &'b mut Build<'o>,
    pub unit: &'b Linked<'a>,
    code: Writer,
    /// The values of a construct while they are taken off the code.
    scratch: Vec<u8>,
    entries: Vec<Entry>,
    /// Values below this place are not in the code: they are leaves that wait for what comes above them.
    floor: usize,
    frames: Vec<Frame>,
    /// Open constructs that catch.
    handlers: Vec<Handler>,
    /// Where the exceptions are that they have caught, by their place among `handlers`.
    exceptions: Vec<LocalId>,
    /// How many constructs are open that `break` counts.
    blocks: usize,
    /// How many of the IL's constructs are open.
    depth: usize,
    /// Types of the parameters and results of all open constructs.
    kinds: Vec<Type>,
    /// Types of all locals: parameters, then those that the function uses of its own, and temporaries.
    locals: Vec<Type>,
    /// Of the locals that WebAssembly knows: what is known of each.
    states: Vec<State>,
    param_count: usize,
    /// The function's own locals as declared: where each run of one type ends, and one more than the local of each that
    /// is used.
    runs: Vec<(usize, Type)>,
    own: Vec<u32>,
    temps: Vec<Temps>,
    rare_temps: HashMap<(usize, Type), LocalId>,
    /// Locals in the order in which they were found assigned, to be forgotten at the end of a construct.
    assignments: Vec<LocalId>,
    /// How many constructs are open in dead code; `None` in code that is reached.
    dead: Option<u32>,
    /// Lists that are made again and again.
    dests: Vec<Option<LocalId>>,
    arms: Vec<(u32, i64)>,
    /// Offset in the unit of the operator being translated.
    offset: usize,
    allocations: FuncValidatorAllocations,
    nesting: OperatorsReaderAllocations,
}

/// What is known of a local.
#[derive(Clone, Copy, Default)]
struct State {
    /// Whether WebAssembly knows it; else it is a temporary.
    declared: bool,
    /// Whether it is assigned on every way here.
    assigned: bool,
    /// Whether it is read where it may not be, so that it must be zero from the start.
    zeroed: bool,
}

impl<'b, 'o, 'a> Translator<'b, 'o, 'a> {
    pub fn new(build: &'b mut Build<'o>, unit: &'b Linked<'a>) -> Self {
        Translator {
            build,
            unit,
            code: Writer::default(),
            scratch: Vec::new(),
            entries: Vec::new(),
            floor: 0,
            frames: Vec::new(),
            handlers: Vec::new(),
            exceptions: Vec::new(),
            blocks: 0,
            depth: 0,
            kinds: Vec::new(),
            locals: Vec::new(),
            states: Vec::new(),
            param_count: 0,
            runs: Vec::new(),
            own: Vec::new(),
            temps: Vec::new(),
            rare_temps: HashMap::new(),
            assignments: Vec::new(),
            dead: None,
            dests: Vec::new(),
            arms: Vec::new(),
            offset: 0,
            allocations: FuncValidatorAllocations::default(),
            nesting: OperatorsReaderAllocations::default(),
        }
    }

    pub(super) fn internal(&self, what: &'static str) -> Box<Error> {
        Error::new(self.unit.name(), self.offset, ErrorKind::Internal(what))
    }

    pub fn unsupported(&self, what: &str, hint: &'static str) -> Box<Error> {
        Error::new(self.unit.name(), self.offset, ErrorKind::Unsupported { what: what.into(), hint })
    }

    fn invalid(&self, error: &wasmparser::Error) -> Box<Error> {
        Error::validation(self.unit.name(), error)
    }

    /// The IL's type of a value.
    fn value_type(&mut self, ty: ValType) -> Type {
        self.unit.types.value(ty, &mut self.build.types, &mut self.build.module)
    }

    /// Validates and translates a body.
    pub fn function(&mut self, body: decode::Body<'a>) -> Result<Func> {
        let ty = body.validator.ty;
        let sig = self.unit.types.sig(ty).cloned().unwrap_or_default();
        self.start(&sig);
        let mut validator = body.validator.into_validator(core::mem::take(&mut self.allocations));
        self.declare_locals(&body.body, &mut validator)?;
        self.open_function(&sig.results);
        let reader = body.body.get_binary_reader_for_operators();
        let reader = reader.map_err(|error| self.invalid(&error))?;
        let mut reader = OperatorsReader::new_with_allocs(reader, core::mem::take(&mut self.nesting));
        while !reader.eof() {
            self.offset = reader.original_position();
            let operator = reader.read().map_err(|error| self.invalid(&error))?;
            validator.op(self.offset, &operator).map_err(|error| self.invalid(&error))?;
            self.operator(&operator)?;
            if self.code.bytes.len() > limits::BODY_BYTES || self.locals.len() > limits::LOCALS {
                return Err(self.unsupported("a function as large as this one", "split it"));
            }
        }
        let end = reader.original_position();
        let finished = reader.get_binary_reader().finish_expression(&validator.visitor(end));
        finished.map_err(|error| self.invalid(&error))?;
        self.nesting = reader.into_allocations();
        self.allocations = validator.into_allocations();
        let carried = self.unit.types.carried(ty, &self.build.types);
        Ok(self.finish(carried))
    }

    /// Makes ready for a function of this type.
    fn start(&mut self, sig: &Signature) {
        self.code.bytes.clear();
        self.entries.clear();
        self.frames.clear();
        self.handlers.clear();
        self.exceptions.clear();
        self.blocks = 0;
        self.kinds.clear();
        self.locals.clear();
        self.locals.extend_from_slice(&sig.params);
        self.param_count = sig.params.len();
        self.states.clear();
        self.states.resize(sig.params.len(), State { declared: true, assigned: true, zeroed: false });
        self.runs.clear();
        self.own.clear();
        self.floor = 0;
        self.depth = 0;
        self.temps.clear();
        self.rare_temps.clear();
        self.assignments.clear();
        self.dead = None;
    }

    fn declare_locals<T: wasmparser::WasmModuleResources>(
        &mut self,
        body: &wasmparser::FunctionBody<'a>,
        validator: &mut wasmparser::FuncValidator<T>,
    ) -> Result {
        let mut reader = body.get_locals_reader().map_err(|error| self.invalid(&error))?;
        for _ in 0..reader.get_count() {
            let offset = reader.original_position();
            let (count, ty) = reader.read().map_err(|error| self.invalid(&error))?;
            // It also bounds their number.
            validator.define_locals(offset, count, ty).map_err(|error| self.invalid(&error))?;
            let ty = self.value_type(ty);
            let end = self.own.len() + count as usize;
            self.runs.push((end, ty));
            self.own.resize(end, 0);
        }
        Ok(())
    }

    /// The function, with its locals that need it set to zero first.
    fn finish(&mut self, sig: Signature) -> Func {
        let mut body = Writer::default();
        for (at, _) in self.states.iter().enumerate().filter(|(_, state)| state.zeroed) {
            exceptions::zero(&mut body, self.locals.get(at).copied().unwrap_or(Type::I32));
            body.set_one(LocalId(at as u32));
        }
        body.bytes.reserve_exact(self.code.bytes.len());
        body.bytes.extend_from_slice(&self.code.bytes);
        let locals = self.locals.get(sig.params.len()..).unwrap_or_default().to_vec();
        Func { pure: false, locals, body: body.bytes, sig }
    }

    fn operator(&mut self, operator: &Operator<'_>) -> Result {
        match self.dead {
            Some(open) => self.dead_operator(operator, open),
            None => self.live_operator(operator),
        }
    }
}
