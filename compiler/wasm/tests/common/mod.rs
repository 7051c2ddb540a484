//! From WebAssembly's text to what it does, in the interpreter.
#![allow(dead_code, missing_docs, clippy::result_large_err)] // each test file uses a part

use il::isa::InstructionSet;
use il::verify::VerifiedModule;
use interp::{Datum, Limits, Machine, Outcome};
use wasm::{Error, Options, Unit, translate};

/// The instruction sets that imports may name.
pub static KNOWN: &[&InstructionSet] = isa::ALL;

pub fn encode(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Translates texts with their names.
pub fn link(units: &[(&str, &str)], script: bool) -> Result<il::Module, Error> {
    let encoded: Vec<(&str, Vec<u8>)> = units.iter().map(|(name, text)| (*name, encode(text))).collect();
    let units: Vec<Unit<'_>> = encoded.iter().map(|(name, bytes)| Unit { name, bytes }).collect();
    translate(&units, &Options { known: KNOWN, script })
}

#[track_caller]
pub fn module(text: &str) -> VerifiedModule {
    verified(link(&[("test", text)], false))
}

#[track_caller]
pub fn script(units: &[(&str, &str)]) -> VerifiedModule {
    verified(link(units, true))
}

#[track_caller]
pub fn verified(module: Result<il::Module, Error>) -> VerifiedModule {
    let module = module.unwrap_or_else(|error| panic!("{error}"));
    il::verify(module.clone()).unwrap_or_else(|error| panic!("{error}\n{}", il::disasm::module(&module)))
}

pub fn machine(module: &VerifiedModule) -> Machine<'_> {
    let limits = Limits { check: true, fuel: 50_000_000, ..Limits::default() };
    let mut machine = Machine::new(module, limits).unwrap_or_else(|report| panic!("{report}"));
    (0..machine.slots()).for_each(|slot| machine.open_slot(slot));
    machine
}

/// Calls an exported function.
#[track_caller]
pub fn call(
    machine: &mut Machine<'_>,
    module: &VerifiedModule,
    name: &str,
    args: &[Datum],
) -> Result<Vec<Datum>, String> {
    let func = module.export(name).unwrap_or_else(|| panic!("no export {name}"));
    match machine.call(func, args) {
        Ok(Outcome::Done(values)) => Ok(values),
        Ok(Outcome::Trap(report)) => {
            machine.revive();
            Err(format!("{:?} {}", report.kind, report.message))
        }
        other => panic!("{other:?}"),
    }
}

/// The value of one function of a text that has no state.
#[track_caller]
pub fn run(text: &str, name: &str, args: &[Datum]) -> Result<Vec<Datum>, String> {
    let module = module(text);
    let mut machine = machine(&module);
    call(&mut machine, &module, name, args)
}

/// An exported function answers with these values.
#[track_caller]
pub fn gives(text: &str, name: &str, args: &[Datum], want: &[Datum]) {
    assert_eq!(run(text, name, args).as_deref(), Ok(want), "{text}");
}

/// It traps, for this reason.
#[track_caller]
pub fn traps(text: &str, name: &str, args: &[Datum], why: &str) {
    let error = run(text, name, args).expect_err("it traps");
    assert!(error.contains(why), "{error}");
}
