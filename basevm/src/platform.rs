//! What the base VM stands on. Two implementations: the parent OS, and bare metal.

use core::fmt;
use core::ops::Range;
use core::sync::atomic::AtomicU32;

pub use compiler::abi::INTERRUPT;

/// A point in time or a duration, in nanoseconds.
pub type Nanos = u64;

/// Reserved address space, page aligned. Freed only through [`Platform::release`].
#[derive(Debug)]
pub struct Region {
    /// First address.
    pub base: usize,
    /// Length in bytes, a multiple of [`PAGE_BYTES`].
    pub bytes: usize,
}

/// The page size that all regions and protections are multiples of.
pub const PAGE_BYTES: usize = 4096;

/// What a range of pages may be used for. Never writable and executable at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// No access; contents are dropped.
    None,
    /// Data; zeros when first given.
    ReadWrite,
    /// Code; contents are kept, and never become writable again.
    Execute,
}

/// The platform has no more memory to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// A VM written in Rust panicked, or overran its bound; what it held is to be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Panicked;

/// Why and how long nothing can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Idle {
    /// The system's time: [`Platform::now`], or the virtual clock.
    pub now: Nanos,
    /// The earliest timer, in the system's time.
    pub next_timer: Option<Nanos>,
    /// Whether a backend has a request under way and will wake its VM.
    pub device_pending: bool,
    /// Whether time is virtual: it advances only by [`IdleAnswer::Advance`].
    pub virtual_clock: bool,
    /// Real time ([`Platform::now`]) at which to answer [`IdleAnswer::Woken`] at the latest.
    pub limit: Option<Nanos>,
}

/// What ended the idle time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdleAnswer {
    /// Something was woken, or the (real) time of the next timer has come.
    Woken,
    /// Virtual time is now this. (Key-script input of that moment has been injected already.)
    Advance(Nanos),
    /// Nothing can ever happen again: no timer, no pending request, no live input.
    Finished,
}

/// The parent OS or the machine. All of it is used from the base's core only, but for [`Platform::waker`].
pub trait Platform {
    /// Monotonic time since start.
    fn now(&self) -> Nanos;
    /// Time since 1970-01-01 UTC.
    fn wall(&self) -> Nanos;
    /// Reserves address space without access. `bytes` is rounded up to pages.
    fn reserve(&self, bytes: usize) -> Result<Region, OutOfMemory>;
    /// Changes the access of a page-aligned range of byte offsets within a region.
    fn protect(&self, region: &Region, range: Range<usize>, access: Access) -> Result<(), OutOfMemory>;
    /// Gives a region back.
    fn release(&self, region: Region);
    /// Sleeps until something happens. Never called while a VM can run.
    fn idle(&self, idle: Idle) -> IdleAnswer;
    /// A function that ends [`Platform::idle`], now or when next entered; callable from any thread,
    /// signal or interrupt handler.
    fn waker(&self) -> fn();
    /// The core's interrupt word: set to [`INTERRUPT`] about every 10 ms by a timer, cleared (0) by the base.
    fn interrupt_word(&self) -> &'static AtomicU32;
    /// Runs a turn of a VM written in Rust, stopping its panic.
    fn guarded(&self, turn: &mut dyn FnMut()) -> Result<(), Panicked>;
    /// Appends a line to the log (hosted: stderr; metal: COM2).
    fn log(&self, line: fmt::Arguments<'_>);
}
