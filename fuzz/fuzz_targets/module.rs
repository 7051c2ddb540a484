//! Bytes as a module: decoded, verified, shown, encoded again. Nothing may panic, and required
//! sections have one encoding.
#![no_main]

#[path = "../../il/tests/common/mod.rs"]
mod common;

use common::hostile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = hostile::bytes(bytes).map(hostile::module);
});
