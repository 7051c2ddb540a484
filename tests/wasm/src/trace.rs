//! What can be seen of a module while all that it exports is called, on any engine.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result, bail};
use il::trap::TrapKind;
use wasmparser::{ExternalKind, ValType, Validator, WasmFeatures};

use crate::random::Random;
use crate::rename;
use crate::value::{Reference, Value};

/// Why something did not return.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `unreachable`
    Unreachable,
    /// Outside a memory.
    Memory,
    /// Outside a table, or a segment of elements.
    Table,
    /// A null function, or one of another type.
    Function,
    /// A division by zero.
    Division,
    /// A quotient, or a float, that does not fit.
    Overflow,
    /// A limit that engines need not meet at the same point.
    Limit,
}

impl Fault {
    /// Of a trap here.
    pub fn of(kind: TrapKind) -> Option<Fault> {
        match kind {
            TrapKind::DivisionByZero => Some(Fault::Division),
            TrapKind::IntegerOverflow | TrapKind::BadConversion => Some(Fault::Overflow),
            TrapKind::IndexOutOfBounds => Some(Fault::Table),
            TrapKind::MemoryOutOfBounds => Some(Fault::Memory),
            TrapKind::StackOverflow | TrapKind::Quota | TrapKind::Deadline => Some(Fault::Limit),
            TrapKind::Explicit => Some(Fault::Unreachable),
            TrapKind::Cast => Some(Fault::Function),
            TrapKind::Assertion | TrapKind::BadUtf8 | TrapKind::Device | TrapKind::WaitInHandler => None,
            TrapKind::Unreachable | TrapKind::Panic => None,
        }
    }
}

/// What an instance holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// Values of the exported globals, in the order of exports.
    pub globals: Vec<Value>,
    /// Length in bytes and a digest of the contents of each memory.
    pub memories: Vec<(usize, u64)>,
}

/// One thing that was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The instance was made.
    Made,
    /// It could not be made: why differs in words only.
    NotMade,
    /// An export, by its index, returned.
    Returned(usize, Vec<Value>),
    /// It trapped.
    Trapped(usize, Fault),
    /// What is there after a call.
    Holds(State),
    /// A limit ended it all.
    Limit,
}

/// Types of what is exported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exported {
    /// A function with these parameters.
    Function(Vec<Kind>),
    /// A global.
    Global,
    /// A memory.
    Memory,
    /// A table or tag.
    Other,
}

/// The type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `v128`
    V128,
    /// A reference; the argument is null.
    Reference,
}

/// What a module exports, in its order.
///
/// # Errors
/// If it is not valid.
pub fn exported(bytes: &[u8]) -> Result<Vec<Exported>> {
    let types = Validator::new_with_features(WasmFeatures::WASM3).validate_all(bytes)?;
    let types = types.as_ref();
    let kind = |ty: &ValType| match ty {
        ValType::I32 => Kind::I32,
        ValType::I64 => Kind::I64,
        ValType::F32 => Kind::F32,
        ValType::F64 => Kind::F64,
        ValType::V128 => Kind::V128,
        ValType::Ref(_) => Kind::Reference,
    };
    let export = |export: &rename::Export| {
        Ok(match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let ty = types.get(types.core_function_at(export.index)).context("a type")?;
                let wasmparser::CompositeInnerType::Func(ty) = &ty.composite_type.inner else { bail!("no function") };
                Exported::Function(ty.params().iter().map(kind).collect())
            }
            ExternalKind::Global => Exported::Global,
            ExternalKind::Memory => Exported::Memory,
            ExternalKind::Table | ExternalKind::Tag => Exported::Other,
        })
    };
    rename::exports(bytes)?.iter().map(export).collect()
}

/// An engine with one module.
pub trait Subject {
    /// Makes the instance.
    fn make(&mut self) -> Result<(), Fault>;
    /// Calls the export with this index.
    fn call(&mut self, export: usize, args: &[Value]) -> Result<Vec<Value>, Fault>;
    /// What it holds.
    fn state(&mut self) -> State;
}

/// A digest of a memory's contents.
pub fn digest(bytes: &[u8]) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    (bytes.len(), hasher.finish())
}

/// Makes the instance and calls all that it exports, twice.
pub fn trace(subject: &mut dyn Subject, exports: &[Exported], seed: u64) -> Vec<Event> {
    let mut events = Vec::new();
    match subject.make() {
        Ok(()) => events.push(Event::Made),
        Err(Fault::Limit) => return vec![Event::Limit],
        Err(_) => return vec![Event::NotMade],
    }
    events.push(Event::Holds(subject.state()));
    let mut random = Random::new(seed);
    for _ in 0..2 {
        for (at, export) in exports.iter().enumerate() {
            let Exported::Function(params) = export else { continue };
            let args: Vec<Value> = params.iter().map(|kind| argument(&mut random, *kind)).collect();
            match subject.call(at, &args) {
                Ok(results) => events.push(Event::Returned(at, results)),
                Err(Fault::Limit) => {
                    events.push(Event::Limit);
                    return events;
                }
                Err(fault) => events.push(Event::Trapped(at, fault)),
            }
            events.push(Event::Holds(subject.state()));
        }
    }
    events
}

fn argument(random: &mut Random, kind: Kind) -> Value {
    let small = random.word().is_multiple_of(2);
    let word = if small { random.below(64) as u64 } else { random.word() };
    match kind {
        Kind::I32 => Value::I32(word as i32),
        Kind::I64 => Value::I64(word as i64),
        Kind::F32 => Value::F32((word as i32 as f32).to_bits()),
        Kind::F64 => Value::F64((word as i64 as f64).to_bits()),
        Kind::V128 => Value::V128(u128::from(word) << 64 | u128::from(random.word())),
        Kind::Reference => Value::Ref(Reference::Null),
    }
}

/// The first difference of two traces; after a limit there is none.
pub fn difference(left: &[Event], right: &[Event]) -> Option<String> {
    for at in 0..left.len().max(right.len()) {
        match (left.get(at), right.get(at)) {
            (Some(Event::Limit), _) | (_, Some(Event::Limit)) => return None,
            (left, right) if left == right => {}
            (left, right) => return Some(format!("event {at}:\n  {left:?}\n  {right:?}")),
        }
    }
    None
}
