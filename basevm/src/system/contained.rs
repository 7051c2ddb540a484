//! Freeing whole what a Rust VM has allocated. `unsafe`: the promise that nobody else refers to it.

use crate::arena::{self, ArenaId};
use crate::holder::Holder;

/// The promise that what a VM allocates is referenced by that VM alone, so that it can be freed whole
/// after a panic. Without it such memory is leaked, which is always sound.
#[derive(Clone, Copy, Debug)]
pub struct Contained(());

impl Contained {
    /// Makes the promise for one VM.
    ///
    /// # Safety
    /// Nothing that the VM allocates, when it is made and while it runs, is referenced by a thread, a
    /// device, a static or a thread-local; and no buffer that it holds is, unless it was let go of before
    /// ([`crate::buf::Buf::let_go`]). Backends that share memory, or call a library that keeps
    /// some, do so within [`arena::scope`] of [`ArenaId::BASE`].
    pub const unsafe fn promise() -> Contained {
        Contained(())
    }

    /// Frees the buffers that a VM holds and what its arena holds. The VM object is gone, or was forgotten.
    pub(super) fn free(self, arena: ArenaId, holder: Option<&Holder>) {
        if let Some(holder) = holder {
            // SAFETY: the promise covers them, and who held them is not used again.
            unsafe { holder.free() };
        }
        if let Some(control) = arena::control() {
            // SAFETY: the promise was made for the VM that this arena was taken for; the base keeps
            // copies only, and its last reference, the VM object itself, is not used again.
            unsafe { control.free_whole(arena) };
        }
    }
}

/// Gives the number of an arena back that holds nothing any more.
pub(super) fn give_back(arena: ArenaId) {
    if let Some(control) = arena::control()
        && control.bytes(arena) == 0
    {
        // SAFETY: it is empty, and the VM that it was taken for is gone, so nothing can be put into it.
        unsafe { control.free_whole(arena) };
    }
}
