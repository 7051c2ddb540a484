//! What programs on the parent OS share: the hosted platform, where imported modules come from, and WebAssembly as input.

pub mod platform;
pub mod source;
pub mod wasm;
