//! The device VMs' backends that delegate to the parent OS.
//!
//! Blocking calls are made on threads of their own, behind bounded queues and a waker; the base's
//! core never waits for a window, a file or a terminal. Those threads, and the memory that they
//! share with a VM, are made when the backend is, before a VM runs: what a VM allocates while it
//! runs is freed with it, and nothing here may depend on that.
#![forbid(unsafe_code)]

mod disk;
mod entropy;
mod files;
mod frames;
mod keys;
mod ring;
mod terminal;
mod window;
mod window_keys;

pub use disk::{DiskError, FileDisk, MAX_IN_FLIGHT};
pub use entropy::OsEntropy;
pub use files::{FolderError, HostFiles, ThreadedFiles};
pub use frames::{Headless, KeptFrame, RawFrames};
pub use keys::{KeyQueue, MAX_QUEUED, ScriptKeys};
pub use terminal::{MAX_UNWRITTEN_BYTES, Output, StreamTerminal};
pub use window::{Window, WindowBackends, WindowError, WindowHandle, WindowScreen};
