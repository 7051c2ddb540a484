//! Arenas: what each VM written in Rust allocates, told apart, counted, and freed whole after a panic.
//! `unsafe`: a global allocator.
//!
//! ```text
//! allocation:  | padding to the alignment | Header, 32 | what was asked for |
//! ```
//!
//! Invariants:
//!
//! - an allocation belongs to the arena that was current on its core (thread) when it was made, and
//!   stays there however it is grown; it may be freed from anywhere;
//! - arena 0 is the base's: it is counted, but never freed whole, so it keeps no list;
//! - code of the base that a VM calls runs in arena 0 ([`scope`]): what a VM leaves behind when it
//!   panics is then referenced by nobody but that VM.

use alloc::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Number of an arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ArenaId(pub u32);

impl ArenaId {
    /// The base's own.
    pub const BASE: ArenaId = ArenaId(0);
}

/// Most arenas, the base's included.
pub const MAX_ARENAS: usize = 256;

/// Which arena is current on this core: a thread-local on the parent OS, a static on metal. Neither
/// method may allocate.
pub trait CurrentArena: Sync {
    /// The current arena.
    fn get(&self) -> ArenaId;
    /// Makes another the current one.
    fn set(&self, arena: ArenaId);
}

/// In front of each allocation.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Header {
    next: *mut Header,
    previous: *mut Header,
    bytes: usize,
    arena: u32,
    /// log2 of the alignment asked for.
    align_log2: u32,
}

const HEADER_BYTES: usize = size_of::<Header>();

/// Allocations of one arena.
#[derive(Debug)]
struct Arena {
    bytes: AtomicUsize,
    taken: AtomicBool,
    first: spin::Mutex<List>,
}

#[derive(Debug)]
struct List(*mut Header);

// SAFETY: only used under the arena's lock, and the allocations it links are not tied to a thread.
unsafe impl Send for List {}

/// A global allocator that tells arenas apart.
#[derive(Debug)]
pub struct ArenaAlloc<A, C> {
    inner: A,
    current: C,
    arenas: [Arena; MAX_ARENAS],
}

impl<A, C> ArenaAlloc<A, C> {
    /// Takes memory from `inner`, for the arena that `current` names.
    pub const fn new(inner: A, current: C) -> Self {
        let arenas = [const {
            Arena {
                bytes: AtomicUsize::new(0),
                taken: AtomicBool::new(false),
                first: spin::Mutex::new(List(ptr::null_mut())),
            }
        }; MAX_ARENAS];
        ArenaAlloc { inner, current, arenas }
    }

    fn arena(&self, id: u32) -> &Arena {
        self.arenas.get(id as usize).unwrap_or(&self.arenas[0])
    }

    /// Enters an allocation into its arena's list and count.
    ///
    /// # Safety
    /// `header` is live, initialised but for its links, and in no list.
    unsafe fn add(&self, header: *mut Header) {
        // SAFETY: the caller's promise; members of a list are live.
        unsafe {
            let arena = self.arena((*header).arena);
            arena.bytes.fetch_add((*header).bytes, Ordering::Relaxed);
            if (*header).arena == 0 {
                return;
            }
            let mut list = arena.first.lock();
            (*header).next = list.0;
            (*header).previous = ptr::null_mut();
            if let Some(next) = list.0.as_mut() {
                next.previous = header;
            }
            list.0 = header;
        }
    }

    /// Takes an allocation out of its arena's list and count.
    ///
    /// # Safety
    /// `header` was added before.
    unsafe fn remove(&self, header: *mut Header) {
        // SAFETY: the caller's promise; members of a list are live.
        unsafe {
            let arena = self.arena((*header).arena);
            arena.bytes.fetch_sub((*header).bytes, Ordering::Relaxed);
            if (*header).arena == 0 {
                return;
            }
            let mut list = arena.first.lock();
            let Header { next, previous, .. } = *header;
            match previous.as_mut() {
                Some(previous) => previous.next = next,
                None => list.0 = next,
            }
            if let Some(next) = next.as_mut() {
                next.previous = previous;
            }
        }
    }
}

/// Distance from the start of the memory taken to what was asked for.
fn prefix(align: usize) -> usize {
    align.max(HEADER_BYTES)
}

fn whole(bytes: usize, align: usize) -> Option<Layout> {
    let bytes = bytes.checked_add(prefix(align))?;
    Layout::from_size_align(bytes, align.max(align_of::<Header>())).ok()
}

fn header_of(user: *mut u8) -> *mut Header {
    user.wrapping_sub(HEADER_BYTES).cast()
}

// SAFETY: memory comes from `inner` with room for the prefix; alignment holds because the prefix is a
// multiple of it (both are powers of two, or the header's 32 bytes over an alignment that divides 32).
unsafe impl<A: GlobalAlloc, C: CurrentArena> GlobalAlloc for ArenaAlloc<A, C> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is never empty.
        self.place(layout, |whole| unsafe { self.inner.alloc(whole) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is never empty.
        self.place(layout, |whole| unsafe { self.inner.alloc_zeroed(whole) })
    }

    unsafe fn dealloc(&self, user: *mut u8, layout: Layout) {
        // SAFETY: `user` came from `place` with this layout.
        unsafe {
            self.remove(header_of(user));
            if let Some(whole) = whole(layout.size(), layout.align()) {
                self.inner.dealloc(user.sub(prefix(layout.align())), whole);
            }
        }
    }

    unsafe fn realloc(&self, user: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let (Some(old), Some(_)) = (whole(layout.size(), layout.align()), whole(bytes, layout.align())) else {
            return ptr::null_mut();
        };
        let prefix = prefix(layout.align());
        // SAFETY: `user` came from `place` with this layout. It is out of its list while it may move.
        unsafe {
            self.remove(header_of(user));
            let start = self.inner.realloc(user.sub(prefix), old, bytes + prefix);
            if start.is_null() {
                self.add(header_of(user));
                return start;
            }
            let header = header_of(start.add(prefix));
            (*header).bytes = bytes;
            self.add(header);
            start.add(prefix)
        }
    }
}

impl<A: GlobalAlloc, C: CurrentArena> ArenaAlloc<A, C> {
    fn place(&self, layout: Layout, allocate: impl FnOnce(Layout) -> *mut u8) -> *mut u8 {
        let Some(whole) = whole(layout.size(), layout.align()) else { return ptr::null_mut() };
        let Some(start) = NonNull::new(allocate(whole)) else { return ptr::null_mut() };
        let ArenaId(arena) = self.current.get();
        let header = Header {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            bytes: layout.size(),
            arena: if (arena as usize) < MAX_ARENAS { arena } else { 0 },
            align_log2: layout.align().trailing_zeros(),
        };
        // SAFETY: the prefix has room for the header, right in front of what was asked for.
        unsafe {
            let user = start.as_ptr().add(prefix(layout.align()));
            header_of(user).write(header);
            self.add(header_of(user));
            user
        }
    }
}

/// What the base does with the allocator that the program has installed.
pub trait ArenaControl: Sync {
    /// Makes an arena current; returns the one before.
    fn swap(&self, arena: ArenaId) -> ArenaId;
    /// An empty arena that nobody uses; `None` if all are in use.
    fn take(&self) -> Option<ArenaId>;
    /// Gives an arena's number back; it is taken again once all that it holds has been freed.
    fn give_back(&self, arena: ArenaId);
    /// Bytes that an arena holds.
    fn bytes(&self, arena: ArenaId) -> usize;
    /// Frees all that an arena holds, and gives its number back. Does nothing to the base's.
    ///
    /// # Safety
    /// Nothing that was allocated in this arena is used again, by any thread or device.
    unsafe fn free_whole(&self, arena: ArenaId);
}

impl<A: GlobalAlloc + Sync, C: CurrentArena> ArenaControl for ArenaAlloc<A, C> {
    fn swap(&self, arena: ArenaId) -> ArenaId {
        let before = self.current.get();
        self.current.set(arena);
        before
    }

    fn take(&self) -> Option<ArenaId> {
        let free =
            |arena: &Arena| arena.bytes.load(Ordering::Relaxed) == 0 && !arena.taken.swap(true, Ordering::AcqRel);
        let at = self.arenas.iter().skip(1).position(free)?;
        Some(ArenaId(at as u32 + 1))
    }

    fn give_back(&self, arena: ArenaId) {
        if let Some(arena) = self.arenas.get(arena.0 as usize) {
            arena.taken.store(false, Ordering::Release);
        }
    }

    fn bytes(&self, arena: ArenaId) -> usize {
        self.arenas.get(arena.0 as usize).map_or(0, |arena| arena.bytes.load(Ordering::Relaxed))
    }

    unsafe fn free_whole(&self, id: ArenaId) {
        let Some(arena) = self.arenas.get(id.0 as usize).filter(|_| id != ArenaId::BASE) else { return };
        loop {
            let header = arena.first.lock().0;
            if header.is_null() {
                break;
            }
            // SAFETY: a member of the list, live, and by the caller's promise used by nobody.
            unsafe {
                self.remove(header);
                let Header { bytes, align_log2, .. } = *header;
                let align = 1usize << align_log2;
                if let Some(whole) = whole(bytes, align) {
                    let user = header.cast::<u8>().add(HEADER_BYTES);
                    self.inner.dealloc(user.sub(prefix(align)), whole);
                }
            }
        }
        self.give_back(id);
    }
}

static CONTROL: spin::Once<&'static dyn ArenaControl> = spin::Once::new();

/// Tells the base of the program's global allocator; the first call counts. Without one all that
/// follows does nothing: everything is in one heap, and what a panic leaves behind is leaked.
pub fn install(control: &'static dyn ArenaControl) {
    CONTROL.call_once(|| control);
}

/// The installed allocator.
pub fn control() -> Option<&'static dyn ArenaControl> {
    CONTROL.get().copied()
}

/// Runs `body` with `arena` current, also for the length of an unwinding panic.
pub fn scope<R>(arena: ArenaId, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<(&'static dyn ArenaControl, ArenaId)>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some((control, before)) = self.0 {
                control.swap(before);
            }
        }
    }
    let _restore = Restore(control().map(|control| (control, control.swap(arena))));
    body()
}

/// Makes an arena of its own for a VM; the base's if there is none left or no allocator installed.
pub fn take() -> ArenaId {
    control().and_then(ArenaControl::take).unwrap_or_default()
}

/// Gives an arena back when its VM has ended; nothing happens to what it still holds.
pub fn give_back(arena: ArenaId) {
    if let Some(control) = control() {
        control.give_back(arena);
    }
}

/// Bytes that an arena holds.
pub fn bytes(arena: ArenaId) -> usize {
    control().map_or(0, |control| control.bytes(arena))
}
