//! Do the reference interpreter, machine code without optimisation and optimised machine code agree? One
//! random module after the other is run by all, in a world that answers from what it is sent alone.
#![forbid(unsafe_code)]

pub mod host;
pub mod reference;
