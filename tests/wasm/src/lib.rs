//! The WebAssembly core test suite on this project's engines.
//!
//! A script (`.wast`) is read ([`script`]), its modules are gathered into groups that share imports, each group is
//! translated into one IL module ([`group`]) and run ([`vm`]), and what the script asserts is checked ([`play`]).
//! Totals and skips are kept by [`report`].
#![deny(unsafe_code)]

pub mod border;
pub mod files;
pub mod group;
pub mod hostile;
pub mod native;
pub mod peer;
pub mod play;
pub mod random;
pub mod rename;
pub mod report;
pub mod script;
pub mod subject;
pub mod throws;
pub mod trace;
pub mod value;
pub mod vm;

/// What machine code stands on here.
#[allow(dead_code, unreachable_pub, unsafe_code, missing_docs)]
#[path = "../../../bootstrapper/cascade/src/platform/mod.rs"]
pub mod platform;
