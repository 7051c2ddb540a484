//! The bootstrapper: from a plan to a running system. The same code hosted and on bare metal.
//!
//! Invariants: nothing here knows which platform it stands on; every byte that comes from outside
//! (bundle, plan, module) is decoded totally, within named limits, before it is used.
#![no_std]
#![deny(unsafe_code)]
extern crate alloc;

mod boot;
pub mod bundle;
pub mod control;
#[allow(unsafe_code)]
mod devices;
mod inject;
mod lend;
mod load;
pub mod plan;
mod record;
pub mod wasi;

pub use boot::{Ended, LoadError, boot};
pub use devices::Devices;
pub use load::{MAX_PROGRAMS, ModuleLoader};
