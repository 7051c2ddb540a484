//! Do the reference interpreter, machine code without optimisation and optimised machine code agree? One
//! random module after the other is run by all, in a world that answers from what it is sent alone.
#![deny(unsafe_code)]

pub mod compare;
pub mod host;
pub mod native;
pub mod reference;
pub mod shrink;

/// What machine code stands on here.
#[allow(dead_code, unreachable_pub, unsafe_code, missing_docs)]
#[path = "../../../bootstrapper/cascade/src/platform/mod.rs"]
pub mod platform;
