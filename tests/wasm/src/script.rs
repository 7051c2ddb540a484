//! A script: what a `.wast` file says, in order, with its names resolved.
//!
//! Every module that the script instantiates becomes a unit. Its imports are renamed after the units that they mean at
//! that point of the script, so that a name that is registered anew, or an instance that is named as another was,
//! mean what they mean there.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result, anyhow};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{Id, Span};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, WastRet};

use crate::rename::{self, Export};
use crate::value::{self, Pattern, Value};

/// The index of the unit that is there before the script begins.
pub const SPECTEST: usize = 0;

/// A module that is instantiated, or fails to be.
#[derive(Debug)]
pub struct Unit {
    /// Where it stands.
    pub line: u32,
    /// The module, its names as [`rename`] makes them; imports of nothing known keep theirs.
    pub bytes: Vec<u8>,
    /// Units that it imports from.
    pub imports: BTreeSet<usize>,
    /// What it exports, by the script's names.
    pub exports: Vec<Export>,
}

impl Unit {
    /// What others import it by.
    pub fn name(index: usize) -> String {
        format!("u{index}")
    }
}

/// What is looked at in an instance.
#[derive(Debug)]
pub struct Access {
    /// In which.
    pub unit: usize,
    /// Which of its exports: a function, or a global.
    pub export: usize,
    /// What the function is called with.
    pub args: Vec<Value>,
}

/// One thing that the script does, or asserts. What cannot even be attempted says why.
#[derive(Debug)]
pub enum Action {
    /// Makes an instance.
    Instantiate(usize),
    /// Says that a module is valid.
    Define(Vec<u8>),
    /// Calls.
    Invoke(Result<Access>),
    /// Asserts results.
    Returns(Result<Access>, Vec<Pattern>),
    /// Asserts a trap.
    Traps(Result<Access>, String),
    /// Asserts that the stack is used up.
    Exhausts(Result<Access>),
    /// Asserts that an exception comes out.
    Throws(Result<Access>),
    /// Asserts that the instance traps while it is made.
    Uninstantiable(usize, String),
    /// Asserts that imports are not there, or do not fit.
    Unlinkable(Unit, String),
    /// Asserts that a module is refused. Text may be refused before it is a binary: then the error says so.
    Refused(Result<Vec<u8>, String>, String),
    /// A directive that is none of a core module's, by its name.
    Foreign(&'static str),
}

impl Action {
    /// Whether it counts as an assertion.
    pub fn asserts(&self) -> bool {
        match self {
            Action::Instantiate(_) | Action::Define(_) | Action::Invoke(_) => false,
            Action::Returns(..) | Action::Traps(..) | Action::Exhausts(_) | Action::Throws(_) => true,
            Action::Uninstantiable(..) => true,
            Action::Unlinkable(..) | Action::Refused(..) | Action::Foreign(_) => true,
        }
    }
}

/// An action, and where it stands.
#[derive(Debug)]
pub struct Step {
    /// From 1.
    pub line: u32,
    /// What is done.
    pub action: Action,
}

/// A script.
#[derive(Debug)]
pub struct Script {
    /// All modules that are instantiated; the first one is `spectest`.
    pub units: Vec<Unit>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(text: &str) -> Result<Script> {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer)?;
        let script = parser::parse::<Wast<'_>>(&buffer)?;
        let mut reader = Reader::new(text)?;
        for directive in script.directives {
            let line = reader.line(directive.span());
            reader.directive(directive, line).with_context(|| format!("line {line}"))?;
        }
        Ok(Script { units: reader.units, steps: reader.steps })
    }
}

impl Script {
    /// One module, without imports, that is instantiated.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn of_module(bytes: &[u8]) -> Result<Script> {
        let renamed = rename::renamed(bytes, |module, name| (module.into(), name.into()))?;
        let unit = Unit { line: 0, bytes: renamed, imports: BTreeSet::new(), exports: rename::exports(bytes)? };
        Ok(Script { units: vec![unit], steps: vec![Step { line: 0, action: Action::Instantiate(0) }] })
    }
}

struct Reader {
    /// Offsets at which lines start.
    lines: Vec<usize>,
    units: Vec<Unit>,
    steps: Vec<Step>,
    /// The latest instance.
    current: Option<usize>,
    /// Instances by the script's names.
    named: HashMap<String, usize>,
    /// Instances by the names that imports use.
    registered: HashMap<String, usize>,
    /// Modules that are defined only.
    defined: HashMap<String, Vec<u8>>,
    latest: Vec<u8>,
}

impl Reader {
    fn new(text: &str) -> Result<Reader> {
        let lines = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let buffer = ParseBuffer::new(include_str!("spectest.wat"))?;
        let spectest = parser::parse::<wast::Wat<'_>>(&buffer)?.encode()?;
        let mut reader = Reader {
            lines,
            units: Vec::new(),
            steps: Vec::new(),
            current: None,
            named: HashMap::new(),
            registered: HashMap::new(),
            defined: HashMap::new(),
            latest: Vec::new(),
        };
        let spectest = reader.unit(&spectest, 0)?;
        reader.units.push(spectest);
        reader.registered.insert("spectest".into(), SPECTEST);
        Ok(reader)
    }

    fn line(&self, span: Span) -> u32 {
        self.lines.partition_point(|start| *start <= span.offset()) as u32
    }

    fn directive(&mut self, directive: WastDirective<'_>, line: u32) -> Result<()> {
        let action = match directive {
            WastDirective::Module(mut module) => {
                let unit = self.instance(module.name(), &encoded(&mut module).map_err(|why| anyhow!(why))?, line)?;
                Action::Instantiate(unit)
            }
            WastDirective::ModuleDefinition(mut module) => {
                let bytes = encoded(&mut module).map_err(|why| anyhow!(why))?;
                if let Some(name) = module.name() {
                    self.defined.insert(name.name().into(), bytes.clone());
                }
                self.latest.clone_from(&bytes);
                Action::Define(bytes)
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let bytes = match module {
                    Some(name) => self.defined.get(name.name()).context("a definition")?.clone(),
                    None => self.latest.clone(),
                };
                Action::Instantiate(self.instance(instance, &bytes, line)?)
            }
            WastDirective::Register { name, module, .. } => {
                let unit = self.meant(module)?;
                self.registered.insert(name.into(), unit);
                return Ok(());
            }
            WastDirective::Invoke(invoke) => Action::Invoke(self.call(&invoke)),
            WastDirective::AssertReturn { exec, results, .. } => self.returns(&exec, &results)?,
            WastDirective::AssertTrap { exec, message, .. } => match exec {
                WastExecute::Wat(mut module) => {
                    let unit = self.unit(&module.encode()?, line)?;
                    self.units.push(unit);
                    Action::Uninstantiable(self.units.len() - 1, message.into())
                }
                WastExecute::Invoke(_) | WastExecute::Get { .. } => Action::Traps(self.access(&exec), message.into()),
            },
            WastDirective::AssertExhaustion { call, .. } => Action::Exhausts(self.call(&call)),
            WastDirective::AssertUnlinkable { mut module, message, .. } => {
                Action::Unlinkable(self.unit(&module.encode()?, line)?, message.into())
            }
            WastDirective::AssertMalformed { mut module, message, .. }
            | WastDirective::AssertInvalid { mut module, message, .. } => {
                Action::Refused(encoded(&mut module), message.into())
            }
            WastDirective::AssertException { exec, .. } => Action::Throws(self.access(&exec)),
            WastDirective::AssertSuspension { .. } => Action::Foreign("assert_suspension"),
            WastDirective::AssertInvalidCustom { .. } => Action::Foreign("assert_invalid_custom"),
            WastDirective::AssertMalformedCustom { .. } => Action::Foreign("assert_malformed_custom"),
            WastDirective::Thread(_) => Action::Foreign("thread"),
            WastDirective::Wait { .. } => Action::Foreign("wait"),
        };
        self.steps.push(Step { line, action });
        Ok(())
    }

    fn returns(&self, exec: &WastExecute<'_>, results: &[WastRet<'_>]) -> Result<Action> {
        let results = results.iter().map(|result| value::result(result).context("a result of a core module"));
        Ok(Action::Returns(self.access(exec), results.collect::<Result<_>>()?))
    }

    /// A new unit, from now on the current instance.
    fn instance(&mut self, name: Option<Id<'_>>, bytes: &[u8], line: u32) -> Result<usize> {
        let unit = self.unit(bytes, line)?;
        let index = self.units.len();
        self.units.push(unit);
        self.current = Some(index);
        if let Some(name) = name {
            self.named.insert(name.name().into(), index);
        }
        Ok(index)
    }

    fn unit(&self, bytes: &[u8], line: u32) -> Result<Unit> {
        let mut imports = BTreeSet::new();
        let renamed = rename::renamed(bytes, |module, name| {
            let Some(unit) = self.registered.get(module) else { return (module.into(), name.into()) };
            imports.insert(*unit);
            let exports = self.units[*unit].exports.iter();
            let export = exports.enumerate().find(|(_, export)| export.name == name);
            let name = export.map_or_else(|| format!("no {name}"), |(at, _)| rename::plain(at));
            (Unit::name(*unit), name)
        })?;
        Ok(Unit { line, bytes: renamed, imports, exports: rename::exports(bytes)? })
    }

    fn meant(&self, name: Option<Id<'_>>) -> Result<usize> {
        match name {
            Some(name) => self.named.get(name.name()).copied().with_context(|| format!("no instance ${}", name.name())),
            None => self.current.context("no instance yet"),
        }
    }

    fn export(&self, module: Option<Id<'_>>, name: &str) -> Result<(usize, usize)> {
        let unit = self.meant(module)?;
        let export = self.units[unit].exports.iter().position(|export| export.name == name);
        Ok((unit, export.with_context(|| format!("no export {name:?}"))?))
    }

    fn call(&self, invoke: &WastInvoke<'_>) -> Result<Access> {
        let (unit, export) = self.export(invoke.module, invoke.name)?;
        let args = invoke.args.iter().map(|arg| value::argument(arg).context("an argument of a core module"));
        Ok(Access { unit, export, args: args.collect::<Result<_>>()? })
    }

    fn access(&self, exec: &WastExecute<'_>) -> Result<Access> {
        match exec {
            WastExecute::Invoke(invoke) => self.call(invoke),
            WastExecute::Get { module, global, .. } => {
                let (unit, export) = self.export(*module, global)?;
                Ok(Access { unit, export, args: Vec::new() })
            }
            WastExecute::Wat(_) => Err(anyhow!("a module where a value is expected")),
        }
    }
}

fn encoded(module: &mut QuoteWat<'_>) -> Result<Vec<u8>, String> {
    module.encode().map_err(|error| error.to_string())
}
