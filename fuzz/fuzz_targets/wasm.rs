//! Bytes as a WebAssembly module, or as the choices that make one: refused with a reason, or a valid module.
#![no_main]

#[path = "../../tests/wasm/src/hostile.rs"]
mod hostile;
#[allow(dead_code)]
#[path = "../../tests/wasm/src/random.rs"]
mod random;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (how, bytes) = input;
    let script = how & 1 == 1;
    if how & 2 == 0 {
        hostile::translated(bytes, script);
    } else if let Ok(module) = random::module_of(bytes) {
        assert!(hostile::translated(&module, script).is_some(), "a module without imports is refused");
    }
});
