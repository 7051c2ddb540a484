//! Bytes as a module: decoded, verified, shown, encoded again. Nothing may panic, and required
//! sections have one encoding.
#![no_main]

use il::Module;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(module) = il::binary::decode(bytes) else { return };
    let required = il::binary::encode(&Module { names: None, ..module.clone() });
    assert!(bytes.starts_with(&required), "a second encoding of the same module");
    let text = il::disasm::module(&module);
    assert!(!text.contains('\u{1b}'), "a control character reached the terminal");
    let _ = il::verify(module);
});
