//! Plays scripts: does what they say, and checks what they assert.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result, anyhow, bail, ensure};
use il::trap::TrapKind;
use wasm::ErrorKind;
use wasmparser::{Validator, WasmFeatures};

use crate::border::Entry;
use crate::group::{self, Group, Refused};
use crate::native::Native;
use crate::rename;
use crate::script::{Access, Action, SPECTEST, Script, Unit};
use crate::value::{Pattern, Value, listed};
use crate::vm::{Interpreted, Trap, Vm};

/// What traps a message of the suite stands for, by how it starts. Both of its engines have one kind for what the suite
/// calls `integer overflow` and `invalid conversion`, where a float is converted.
const TRAPS: &[(&str, &[TrapKind])] = &[
    ("integer divide by zero", &[TrapKind::DivisionByZero]),
    ("integer overflow", &[TrapKind::IntegerOverflow, TrapKind::BadConversion]),
    ("invalid conversion to integer", &[TrapKind::BadConversion]),
    ("out of bounds memory access", &[TrapKind::MemoryOutOfBounds]),
    ("out of bounds table access", &[TrapKind::IndexOutOfBounds]),
    ("undefined element", &[TrapKind::IndexOutOfBounds]),
    ("uninitialized element", &[TrapKind::Cast]),
    ("indirect call type mismatch", &[TrapKind::Cast]),
    ("null function", &[TrapKind::Cast]),
    ("null reference", &[TrapKind::Cast]),
    ("null structure reference", &[TrapKind::Cast]),
    ("null array reference", &[TrapKind::Cast]),
    ("null i31 reference", &[TrapKind::Cast]),
    ("cast failure", &[TrapKind::Cast]),
    ("out of bounds array access", &[TrapKind::IndexOutOfBounds]),
    ("unreachable", &[TrapKind::Explicit]),
    ("call stack exhausted", &[TrapKind::StackOverflow]),
];

/// What an instance says of an exception that nothing caught.
const UNCAUGHT: &str = "uncaught exception";

/// Whose rules a script tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Core {
    /// Those of 2.0. The front end takes 3.0, so a module that only 2.0 refuses is refused by the validator alone, told
    /// to know no more than 2.0.
    V2,
    /// Those of 3.0.
    V3,
}

impl Core {
    fn features(self) -> WasmFeatures {
        match self {
            Core::V2 => WasmFeatures::WASM2,
            Core::V3 => WasmFeatures::WASM3,
        }
    }
}

/// What runs a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The reference interpreter.
    Interpreter,
    /// Machine code.
    Jit,
}

impl Engine {
    /// All of them.
    pub const ALL: [Engine; 2] = [Engine::Interpreter, Engine::Jit];

    /// What it is called in lists and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Interpreter => "interpreter",
            Engine::Jit => "jit",
        }
    }

    /// A new instance of a group's module, which has run nothing; if it is interpreted, it may execute so many
    /// instructions.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn instance(self, group: &Group, fuel: u64) -> Result<Box<dyn Vm + '_>> {
        Ok(match self {
            Engine::Interpreter => Box::new(Interpreted::new(&group.module, fuel)?),
            Engine::Jit => Box::new(Native::new(&group.module)?),
        })
    }
}

/// An assertion, or another step, that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where.
    pub line: u32,
    /// On which engine; `None`: on all, because none has to do with it.
    pub engine: Option<Engine>,
    /// Why.
    pub why: String,
    /// What a module uses that the IL does not carry, if that is why.
    pub feature: Option<String>,
}

impl Failure {
    fn new(line: u32, engine: Option<Engine>, why: &anyhow::Error) -> Failure {
        let feature = why.downcast_ref::<Refused>().and_then(|refused| refused.feature.clone());
        Failure { line, engine, why: format!("{why:#}"), feature }
    }
}

/// A script with its groups.
#[derive(Debug)]
pub struct Play<'s> {
    script: &'s Script,
    core: Core,
    groups: Vec<Result<Group, Refused>>,
    /// The group of each unit.
    group_of: HashMap<usize, usize>,
}

impl<'s> Play<'s> {
    /// Translates a script's modules.
    pub fn new(script: &'s Script, core: Core) -> Play<'s> {
        let connected = group::connected(script);
        let members = connected.iter().enumerate();
        let group_of = members.flat_map(|(at, units)| units.iter().map(move |unit| (*unit, at))).collect();
        let groups = connected.iter().map(|units| Group::new(script, units));
        Play { script, core, groups: groups.collect(), group_of }
    }

    /// Everything on which all engines must say the same: what is refused.
    pub fn refusals(&self) -> Vec<Failure> {
        let mut failures = Vec::new();
        for step in &self.script.steps {
            let checked = match &step.action {
                Action::Refused(module, message) => refused(module, self.core).with_context(|| message.clone()),
                Action::Unlinkable(unit, message) => self.unlinkable(unit).with_context(|| message.clone()),
                Action::Define(bytes) => group::validate(bytes).map_err(|error| Refused::from(error).into()),
                Action::Foreign(name) => Err(foreign(name).into()),
                Action::Instantiate(_) | Action::Invoke(_) | Action::Returns(..) | Action::Traps(..) => continue,
                Action::Exhausts(_) | Action::Throws(_) | Action::Uninstantiable(..) => continue,
            };
            if let Err(why) = checked {
                failures.push(Failure::new(step.line, None, &why));
            }
        }
        failures
    }

    /// Everything else, on one engine.
    pub fn run(&self, engine: Engine) -> Vec<Failure> {
        let mut stage = Stage { play: self, engine, vms: HashMap::new(), failed: HashMap::new() };
        let mut failures = Vec::new();
        for step in &self.script.steps {
            if let Err(why) = stage.step(&step.action) {
                failures.push(Failure::new(step.line, Some(engine), &why));
            }
        }
        failures
    }

    /// Alone with what it imports, a module is refused, or its instance.
    fn unlinkable(&self, unit: &Unit) -> Result<()> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<usize> = unit.imports.iter().copied().collect();
        while let Some(at) = open.pop() {
            if needed.insert(at) {
                open.extend(&self.script.units[at].imports);
            }
        }
        let named = |at: &usize| (Unit::name(*at), &self.script.units[*at]);
        let mut units: Vec<(String, &Unit)> = needed.iter().map(named).collect();
        units.push(("last".into(), unit));
        let module = match group::translate(&units) {
            Ok(module) => module,
            Err(error) => {
                return match &error.kind {
                    ErrorKind::UnknownImport { .. } | ErrorKind::IncompatibleImport { .. } => Ok(()),
                    ErrorKind::Unsupported { .. } => Err(Refused::from(error).into()),
                    ErrorKind::Invalid(_) | ErrorKind::Entry(_) | ErrorKind::Internal(_) => {
                        bail!("refused, but not for its imports: {error}")
                    }
                };
            }
        };
        let module = il::verify(module).map_err(|error| anyhow!("not verified: {error}"))?;
        let mut vm = Interpreted::new(&module, u64::MAX)?;
        let mut last = Ok(Vec::new());
        for at in 0..units.len() {
            last = vm.call(module.export(&format!("instantiate_{at}")).context("an instantiation")?, &[])?;
        }
        match last {
            Err(trap) if trap.message.contains("incompatible import") => Ok(()),
            Err(trap) => bail!("it is linked, and its instance ends in {trap}"),
            Ok(_) => bail!("it is linked"),
        }
    }
}

/// What only modules with features that are not carried can be asked.
fn foreign(directive: &str) -> Refused {
    Refused { why: format!("`{directive}` is not known"), feature: None }
}

fn refused(module: &Result<Vec<u8>, String>, core: Core) -> Result<()> {
    let Ok(bytes) = module else { return Ok(()) };
    let valid = || Validator::new_with_features(core.features()).validate_all(bytes).is_ok();
    match group::validate(bytes).map_err(|error| error.kind) {
        Err(ErrorKind::Invalid(_) | ErrorKind::Unsupported { .. }) => Ok(()),
        // What it imports is not there, which is seen first.
        Err(ErrorKind::UnknownImport { .. } | ErrorKind::IncompatibleImport { .. }) if !valid() => Ok(()),
        Err(kind) => bail!("refused for another reason: {kind:?}"),
        Ok(()) if core == Core::V2 && !valid() => Ok(()),
        Ok(()) => bail!("accepted"),
    }
}

/// The instances of a script on one engine.
struct Stage<'p, 's> {
    play: &'p Play<'s>,
    engine: Engine,
    /// By group.
    vms: HashMap<usize, Box<dyn Vm + 'p>>,
    /// Units that could not be instantiated, and why.
    failed: HashMap<usize, Refused>,
}

impl<'p> Stage<'p, '_> {
    fn step(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Instantiate(unit) => {
                let made = self.instantiate(*unit).and_then(|made| made.map_err(|trap| anyhow!("{trap}")));
                if let Err(why) = &made {
                    let Failure { why, feature, .. } = Failure::new(0, None, why);
                    self.failed.insert(*unit, Refused { why: format!("no instance: {why}"), feature });
                }
                made.map(drop)
            }
            Action::Uninstantiable(unit, message) => match self.instantiate(*unit)? {
                Err(trap) => expected(&trap, message),
                Ok(()) => bail!("the instance is made; expected `{message}`"),
            },
            Action::Invoke(access) => self.access(access)?.map(drop).map_err(|trap| anyhow!("{trap}")),
            Action::Returns(access, patterns) => match self.access(access)? {
                Ok(values) => {
                    let fits = values.len() == patterns.len()
                        && values.iter().zip(patterns).all(|(value, pattern)| pattern.fits(*value));
                    ensure!(fits, "returns {}; expected {}", listed(&values), listed::<Pattern>(patterns));
                    Ok(())
                }
                Err(trap) => bail!("{trap}; expected {}", listed::<Pattern>(patterns)),
            },
            Action::Traps(access, message) => match self.access(access)? {
                Err(trap) => expected(&trap, message),
                Ok(values) => bail!("returns {}; expected `{message}`", listed(&values)),
            },
            Action::Exhausts(access) => match self.access(access)? {
                Err(trap) => expected(&trap, "call stack exhausted"),
                Ok(values) => bail!("returns {}; expected an exhausted stack", listed(&values)),
            },
            Action::Throws(access) => match self.access(access)? {
                Err(trap) if trap.kind == TrapKind::Explicit && trap.message == UNCAUGHT => Ok(()),
                Err(trap) => bail!("{trap}; expected an exception"),
                Ok(values) => bail!("returns {}; expected an exception", listed(&values)),
            },
            // Not the engine's.
            Action::Define(_) | Action::Unlinkable(..) | Action::Refused(..) | Action::Foreign(_) => Ok(()),
        }
    }

    fn instantiate(&mut self, unit: usize) -> Result<Result<(), Trap>> {
        let group = self.group(unit)?;
        let entry = group.instantiation(unit)?;
        Ok(self.call(unit, entry, &[])?.map(drop))
    }

    fn access(&mut self, access: &Result<Access>) -> Result<Result<Vec<Value>, Trap>> {
        let Access { unit, export, args } = access.as_ref().map_err(|why| anyhow!("{why:#}"))?;
        if let Some(why) = self.failed.get(unit) {
            return Err(why.clone().into());
        }
        let entry = self.group(*unit)?.export(*unit, &rename::plain(*export))?;
        self.call(*unit, entry, args)
    }

    fn group(&self, unit: usize) -> Result<&'p Group> {
        let at = self.play.group_of.get(&unit).context("a group")?;
        Ok(self.play.groups[*at].as_ref().map_err(Refused::clone)?)
    }

    fn call(&mut self, unit: usize, entry: &Entry, args: &[Value]) -> Result<Result<Vec<Value>, Trap>> {
        let group = self.group(unit)?;
        group.call(self.vm(unit)?.as_mut(), entry, args)
    }

    /// The instance of a unit's group, made when it is first wanted.
    fn vm(&mut self, unit: usize) -> Result<&mut Box<dyn Vm + 'p>> {
        let at = *self.play.group_of.get(&unit).context("a group")?;
        if !self.vms.contains_key(&at) {
            let group = self.group(unit)?;
            let mut vm = self.engine.instance(group, u64::MAX)?;
            if group.units.contains(&SPECTEST) {
                vm.call(group.instantiation(SPECTEST)?.func, &[])?.map_err(|trap| anyhow!("spectest: {trap}"))?;
            }
            self.vms.insert(at, vm);
        }
        self.vms.get_mut(&at).context("just made")
    }
}

fn expected(trap: &Trap, message: &str) -> Result<()> {
    let kinds = TRAPS.iter().find(|(start, _)| message.starts_with(start)).map(|(_, kinds)| *kinds);
    let kinds = kinds.with_context(|| format!("no trap is known for `{message}`"))?;
    ensure!(kinds.contains(&trap.kind), "{trap}; expected `{message}`");
    Ok(())
}
