//! Text as a module: compiled or refused. What compiles is valid, and survives the round trips
//! through binary and disassembly.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let module = match il::text::compile("fuzz.il", source, isa::ALL) {
        Ok(module) => module,
        Err(refused) => return drop(refused.to_string()),
    };
    let verified = il::verify(module).unwrap_or_else(|error| panic!("the front end made an invalid module: {error}"));
    assert_eq!(il::binary::decode(&il::binary::encode(&verified)).as_ref(), Ok(&*verified));
    let text = il::disasm::module(&verified);
    il::text::compile("fuzz.il", &text, isa::ALL).unwrap_or_else(|error| panic!("{text}\n{error}"));
});
