//! The hosted platform, for programs that run systems on the parent OS: `cascade` itself and the
//! measurements.

pub mod platform;
