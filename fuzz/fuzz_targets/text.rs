//! Text as a module: compiled or refused. What compiles is valid, and survives the round trips
//! through binary and disassembly.
#![no_main]

#[path = "../../il/tests/common/mod.rs"]
mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    common::hostile::text(source, isa::ALL);
});
