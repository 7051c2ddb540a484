//! Device backends on metal. One device, one file.
//!
//! Invariants: what a device owns across the turns of its VM (requests under way, their buffers, wakers)
//! lives here, in statics of the kernel, never in the arena of a VM, so that a VM that is forgotten
//! leaves no dangling memory behind; a backend handed to a VM is an empty handle to it.

pub mod disk;
pub mod entropy;
pub mod keyboard;
pub mod pci;
pub mod screen;
pub mod terminal;
pub mod wakers;
