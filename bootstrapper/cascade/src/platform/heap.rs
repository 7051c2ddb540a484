//! The process's heap: the parent OS's, with an arena a VM.

use std::alloc::System;
use std::cell::Cell;

use basevm::arena::{ArenaAlloc, ArenaId, CurrentArena};

/// The current arena, a thread.
#[derive(Debug)]
pub struct ThreadArena;

thread_local!(static CURRENT: Cell<ArenaId> = const { Cell::new(ArenaId::BASE) });

impl CurrentArena for ThreadArena {
    fn get(&self) -> ArenaId {
        CURRENT.get()
    }

    fn set(&self, arena: ArenaId) {
        CURRENT.set(arena);
    }
}

/// Where all allocations of the process come from.
#[global_allocator]
pub static HEAP: ArenaAlloc<System, ThreadArena> = ArenaAlloc::new(System, ThreadArena);
