//! Groups: the units of a script that share imports, as one IL module.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow, ensure};
use il::verify::VerifiedModule;
use wasm::{ErrorKind, Options};

use crate::border::{self, Entry};
use crate::script::{Script, Unit};
use crate::value::{Value, listed};
use crate::vm::{self, Trap, Vm};

/// Why units are no module.
#[derive(Clone, Debug)]
pub struct Refused {
    /// In words.
    pub why: String,
    /// What they use that the IL does not carry, if that is it.
    pub feature: Option<String>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Refused {}

impl From<wasm::Error> for Refused {
    fn from(error: wasm::Error) -> Refused {
        let feature = match &error.kind {
            // What the validator adds stands in brackets.
            ErrorKind::Unsupported { what, .. } => Some(what.split(" (").next().unwrap_or(what).to_string()),
            ErrorKind::Invalid(_) | ErrorKind::UnknownImport { .. } | ErrorKind::IncompatibleImport { .. } => None,
            ErrorKind::Entry(_) | ErrorKind::Internal(_) => None,
        };
        Refused { why: error.to_string(), feature }
    }
}

/// Units that are linked with one another.
#[derive(Debug)]
pub struct Group {
    /// Their indices in the script, ascending.
    pub units: Vec<usize>,
    /// What they became.
    pub module: VerifiedModule,
    entries: HashMap<String, Entry>,
}

impl Group {
    /// Translates units, of which each imports from those before it only.
    ///
    /// # Errors
    /// Whatever refuses them.
    pub fn new(script: &Script, units: &[usize]) -> Result<Group, Refused> {
        let linked: Vec<(String, &Unit)> = units.iter().map(|at| (Unit::name(*at), &script.units[*at])).collect();
        let mut module = translate(&linked)?;
        let entries = border::wrap(&mut module);
        let module =
            il::verify(module).map_err(|error| Refused { why: format!("not verified: {error}"), feature: None })?;
        Ok(Group { units: units.to_vec(), module, entries })
    }

    /// What a unit exports, by its name there.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn export(&self, unit: usize, name: &str) -> Result<&Entry> {
        let name = format!("{}_{name}", Unit::name(unit));
        self.entries.get(&name).with_context(|| format!("the translation lacks `{name}`"))
    }

    /// What makes an instance of a unit.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn instantiation(&self, unit: usize) -> Result<&Entry> {
        let at = self.units.iter().position(|one| *one == unit).context("a unit of the group")?;
        let name = format!("instantiate_{at}");
        self.entries.get(&name).with_context(|| format!("the translation lacks `{name}`"))
    }

    /// Calls an entry on an instance of this group's.
    ///
    /// # Errors
    /// If the arguments are not its parameters', or it stops in what no suite does.
    pub fn call(&self, vm: &mut dyn Vm, entry: &Entry, args: &[Value]) -> Result<Result<Vec<Value>, Trap>> {
        let args: Vec<Value> = args.iter().map(|arg| border::passed(*arg)).collect();
        let fit =
            args.len() == entry.params.len() && args.iter().zip(&entry.params).all(|(arg, ty)| vm::fits(*arg, *ty));
        ensure!(fit, "arguments {} for {:?}", listed(&args), entry.params);
        let results = if entry.setters.is_empty() && entry.getters.is_empty() {
            vm.call(entry.func, &args)?
        } else {
            spread(vm, entry, &args)?
        };
        let given = |(value, is): (Value, &bool)| if *is { border::reference(value) } else { value };
        Ok(results.map(|values| values.into_iter().zip(&entry.references).map(given).collect()))
    }
}

/// A call whose values pass one by one.
fn spread(vm: &mut dyn Vm, entry: &Entry, args: &[Value]) -> Result<Result<Vec<Value>, Trap>> {
    for (setter, arg) in entry.setters.iter().zip(args) {
        vm.call(*setter, &[*arg])?.map_err(|trap| anyhow!("an argument: {trap}"))?;
    }
    if let Err(trap) = vm.call(entry.func, &[])? {
        return Ok(Err(trap));
    }
    let mut results = Vec::new();
    for getter in &entry.getters {
        results.extend(vm.call(*getter, &[])?.map_err(|trap| anyhow!("a result: {trap}"))?);
    }
    Ok(Ok(results))
}

/// Links units, each under its name.
///
/// # Errors
/// Why they are no module.
#[expect(clippy::result_large_err, reason = "as of what it calls")]
pub fn translate(units: &[(String, &Unit)]) -> Result<il::Module, wasm::Error> {
    let units: Vec<wasm::Unit<'_>> = units.iter().map(|(name, unit)| wasm::Unit { name, bytes: &unit.bytes }).collect();
    wasm::translate(&units, &Options { script: true, ..Options::default() })
}

/// Whether a module is valid, and carried by the IL.
///
/// # Errors
/// Why not.
#[expect(clippy::result_large_err, reason = "as of what it calls")]
pub fn validate(bytes: &[u8]) -> Result<(), wasm::Error> {
    let unit = wasm::Unit { name: "module", bytes };
    wasm::translate(&[unit], &Options { script: true, ..Options::default() }).map(drop)
}

/// Units that share imports, directly or by way of others, each list ascending.
pub fn connected(script: &Script) -> Vec<Vec<usize>> {
    let mut leaders: Vec<usize> = (0..script.units.len()).collect();
    let leader = |leaders: &[usize], mut unit: usize| {
        while leaders[unit] != unit {
            unit = leaders[unit];
        }
        unit
    };
    for (at, unit) in script.units.iter().enumerate() {
        for import in &unit.imports {
            let (one, other) = (leader(&leaders, at), leader(&leaders, *import));
            leaders[one.max(other)] = one.min(other);
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); leaders.len()];
    for unit in 0..leaders.len() {
        groups[leader(&leaders, unit)].push(unit);
    }
    groups.retain(|group| !group.is_empty());
    groups
}
