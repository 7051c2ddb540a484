//! The base VM: what every VM inherits. It names no device.
#![no_std]
extern crate alloc;

pub mod arena;
pub mod attachment;
pub mod buf;
pub mod engine;
pub mod heap;
mod holder;
pub mod platform;
pub mod recorder;
pub mod service;
pub mod system;
pub mod waker;
pub mod wire;
