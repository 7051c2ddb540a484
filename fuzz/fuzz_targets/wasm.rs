//! Bytes as a WebAssembly module, or as the choices that make one: refused with a reason, or a valid module, which
//! becomes machine code that the code generator's own verifier accepts.
#![no_main]

#[path = "../../tests/wasm/src/hostile.rs"]
mod hostile;
#[allow(dead_code)]
#[path = "../../tests/wasm/src/random.rs"]
mod random;

use compiler::{Bounds, CompileError, Options};
use il::verify::VerifiedModule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (how, bytes) = input;
    let script = how & 1 == 1;
    let bounds = if how & 4 == 0 { Bounds::Guard } else { Bounds::Explicit };
    if how & 2 == 0 {
        if let Ok(module) = hostile::translated(bytes, script) {
            compiled(&module, bounds);
        }
    } else if let Ok(module) = random::module_of(bytes) {
        match hostile::translated(&module, script) {
            Ok(module) => compiled(&module, bounds),
            Err(why) => panic!("a module without imports is refused: {why}"),
        }
    }
});

/// What the verifier accepts is compiled, unless it is too much for the code generator.
fn compiled(module: &VerifiedModule, bounds: Bounds) {
    let options = Options { bounds, verify: true, ..Options::detect() };
    match compiler::compile(module, &options) {
        Ok(_) | Err(CompileError::TooLarge { .. } | CompileError::CodeTooLarge | CompileError::NoVectors { .. }) => {}
        Err(why) => panic!("a valid module does not compile: {why}"),
    }
}
