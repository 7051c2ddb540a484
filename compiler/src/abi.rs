//! The contract between JIT code and the base VM: layouts that both sides read, and the exits.
//!
//! JIT code runs on the VM's own guarded stack with `CallConv::Tail`; its first parameter is always
//! the [`VmCtx`]. Whatever it cannot do inline is an *exit*: it stores arguments in
//! [`VmCtx::exit_args`] and calls [`VmCtx::exit`] (System V: `fn(ctx, code) -> u64`), which switches to
//! the system stack, where the base acts on it and later resumes the VM with the result.

use core::mem::offset_of;

/// What a VM's code sees of the base. One per IL VM.
#[repr(C)]
#[derive(Debug)]
pub struct VmCtx {
    /// The base's stack pointer while the VM runs. Base only.
    pub system_sp: u64,
    /// The VM's stack pointer while the base runs. Base only.
    pub vm_sp: u64,
    /// Address of the exit routine.
    pub exit: u64,
    /// Address of the core's interrupt word (`u32`): not 0 asks the VM to take the `Yield` exit.
    pub interrupt: u64,
    /// Base address of the linear memory. It never moves: code may keep it across exits.
    pub memory_base: u64,
    /// Its current length in bytes.
    pub memory_bytes: u64,
    /// Array of 128-bit slots, one a global, the value in the low bytes. Slots of references are roots.
    pub globals: u64,
    /// Next free byte of the nursery.
    pub heap_cursor: u64,
    /// End of the nursery's free bytes.
    pub heap_limit: u64,
    /// First byte of the nursery. An object elsewhere is old, large, frozen or immortal.
    pub nursery_start: u64,
    /// Bytes of the nursery.
    pub nursery_bytes: u64,
    /// Array of [`CapSlot`], one a `use`, then one more: the VM's own events, if it provides a set.
    pub caps: u64,
    /// Array of addresses of objects: one `str` a literal (`Module::strings`), then one function reference a
    /// (function, type) pair that `func.ref` names, in the compiler's order; all immortal.
    pub literals: u64,
    /// Address of an immortal empty `str`.
    pub empty_str: u64,
    /// Address of an immortal empty `buf`: never freed, its length is 0.
    pub empty_buf: u64,
    /// Arguments of the exit under way.
    pub exit_args: [u64; 8],
    /// Arguments and results of an entry; status and results of a device instruction.
    /// Integers zero-extended, floats by bits, `str`, `buf` and references by address; a `v128` takes two, low half first.
    pub values: [u64; 64],
}

/// The sending end of one channel, as JIT code sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CapSlot {
    /// Address of the next free word of the open packet.
    pub cursor: u64,
    /// End of the open packet's space; equals `cursor` when null, revoked or blocked.
    pub end: u64,
    /// Address of the open packet's attachment list: addresses of [`BufHeader`]s.
    pub attachments: u64,
    /// How many attachments the open packet has; at most [`il::packet::MAX_ATTACHMENTS`].
    pub attached: u64,
    /// Channel number. Base only.
    pub channel: u32,
    /// Generation at grant. Base only.
    pub generation: u32,
}

/// Before every collected object's fields, elements or bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct ObjectHeader {
    /// `kind << KIND_SHIFT | flags`; bit 0 is never set but while a collection has moved the object.
    pub ty: u32,
    /// `str`: bytes. Array: elements. Struct, function reference: 0.
    pub len: u32,
}

/// Kind number of `str`; that of a definition is 1 + its number ([`il::Hierarchy::numbers`]).
pub const KIND_STR: u32 = 0;
/// Shift of the kind number in [`ObjectHeader::ty`].
pub const KIND_SHIFT: u32 = 8;
/// Flag: the object is in the remembered set.
pub const REMEMBERED: u32 = 1 << 1;
/// Flag: the object lies in shared memory, and its kind number is one of the base's registry.
pub const FROZEN: u32 = 1 << 2;
/// Flag: the object belongs to the program: a literal or a function reference.
pub const IMMORTAL: u32 = 1 << 3;
/// Bytes of [`ObjectHeader`], the offset of what follows it.
pub const OBJECT_DATA: i32 = size_of::<ObjectHeader>() as i32;

/// A `buf` in memory: this header, then the bytes.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct BufHeader {
    /// Length in bytes.
    pub len: u64,
    /// Whose quota pays for it. Base only.
    pub owner: u64,
}

/// Offset of a `buf`'s bytes from its address.
pub const BUF_DATA: i32 = size_of::<BufHeader>() as i32;

macro_rules! exits {
    ($($(#[$doc:meta])* $code:literal $name:ident ($($arg:ident),*);)*) => {
        /// Why a VM left its stack. The arguments named stand in [`VmCtx::exit_args`], in order.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u64)]
        pub enum Exit { $($(#[$doc])* $name = $code,)* }
        impl Exit {
            /// All exits: (exit, name, names of its arguments).
            pub const ALL: &[(Exit, &str, &[&str])] = &[$((Exit::$name, stringify!($name), &[$(stringify!($arg)),*]),)*];
            /// The exit with this code.
            pub const fn from_code(code: u64) -> Option<Exit> {
                match code { $($code => Some(Exit::$name),)* _ => None }
            }
        }
    };
}

exits! {
    /// The entry returned; its results stand in `values`.
    1 Done();
    /// The interrupt word was set.
    2 Yield();
    /// The channel's open packet has no room for an instruction of `words` words and `attachments`
    /// buffers. On return there is room (the slot is to be read again).
    3 Room(slot, words, attachments);
    /// Submit the open packet, whose last instruction's head lies at address `head` (the base fills in
    /// its tag), and wait for the reply: `values[0]` is the status, `values[1..]` the results: each
    /// defined also on failure: zero, false, the empty str or the empty buf. Returns the status.
    /// A `str` result is an owned reference.
    4 Call(slot, head);
    /// Submit and wait until all was executed. Returns the sticky status or 0.
    5 Flush(slot);
    /// Run one handler; returns when one has run.
    6 Wait();
    /// Run handlers for ever; never returns.
    7 WaitForever();
    /// Answer the current request with `status`. The code then returns from the `op`.
    8 Fail(status);
    /// End the VM: `kind` is a `TrapKind`, `message` the address of a `str` or 0.
    9 Trap(kind, message);
    /// End the VM: a device instruction outside `try` failed with `status`.
    10 DeviceTrap(slot, opcode, status);
    /// Returns the address of a zeroed `buf` of `len` bytes (i32, unsigned); traps on quota.
    11 BufNew(len);
    /// Frees a `buf` (not null; freeing the empty one does nothing).
    12 BufFree(buf);
    /// Frees a `str` whose count has reached 0.
    13 StrFree(str);
    /// Returns a new `str`; borrows its arguments.
    14 StrConcat(left, right);
    /// Bytes `from..to` (i32 each, as unsigned); traps outside, or inside a character.
    15 StrSlice(str, from, to);
    /// The text of an `i32` (sign-extended).
    16 StrFromI32(value);
    /// The text of an `i64`.
    17 StrFromI64(value);
    /// The text of an `f64` (its bits).
    18 StrFromF64(value);
    /// `true` or `false`.
    19 StrFromBool(value);
    /// A copy of `len` bytes of the linear memory; traps on bad UTF-8 or range.
    20 StrAt(address, len);
    /// 1 if the bytes are equal, else 0.
    21 StrEq(left, right);
    /// Grows the memory by `pages`; returns the old size in pages, or 0xffff_ffff.
    22 MemoryGrow(pages);
    /// `memory_fill`; traps on range before writing.
    23 MemoryFill(address, value, len);
    /// `memory_copy`; overlapping is fine; traps on range before writing.
    24 MemoryCopy(to, from, len);
    /// `copy` between buffers; overlapping is fine; traps on range before writing.
    25 BufCopy(to, to_offset, from, from_offset, len);
}

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident = $ty:ident.$field:ident;)*) => {
        /// Field offsets for generated code, in bytes.
        pub mod offset {
            use super::*;
            $($(#[$doc])* pub const $name: i32 = offset_of!($ty, $field) as i32;)*
        }
    };
}

offsets! {
    /// [`VmCtx::system_sp`]
    SYSTEM_SP = VmCtx.system_sp;
    /// [`VmCtx::vm_sp`]
    VM_SP = VmCtx.vm_sp;
    /// [`VmCtx::exit`]
    EXIT = VmCtx.exit;
    /// [`VmCtx::interrupt`]
    INTERRUPT = VmCtx.interrupt;
    /// [`VmCtx::memory_base`]
    MEMORY_BASE = VmCtx.memory_base;
    /// [`VmCtx::memory_bytes`]
    MEMORY_BYTES = VmCtx.memory_bytes;
    /// [`VmCtx::globals`]
    GLOBALS = VmCtx.globals;
    /// [`VmCtx::caps`]
    CAPS = VmCtx.caps;
    /// [`VmCtx::literals`]
    LITERALS = VmCtx.literals;
    /// [`VmCtx::empty_str`]
    EMPTY_STR = VmCtx.empty_str;
    /// [`VmCtx::empty_buf`]
    EMPTY_BUF = VmCtx.empty_buf;
    /// [`VmCtx::exit_args`]
    EXIT_ARGS = VmCtx.exit_args;
    /// [`VmCtx::values`]
    VALUES = VmCtx.values;
    /// [`CapSlot::cursor`]
    SLOT_CURSOR = CapSlot.cursor;
    /// [`CapSlot::end`]
    SLOT_END = CapSlot.end;
    /// [`CapSlot::attachments`]
    SLOT_ATTACHMENTS = CapSlot.attachments;
    /// [`CapSlot::attached`]
    SLOT_ATTACHED = CapSlot.attached;
    /// [`StrHeader::refs`]
    STR_REFS = StrHeader.refs;
    /// [`StrHeader::len`]
    STR_LEN = StrHeader.len;
    /// [`BufHeader::len`]
    BUF_LEN = BufHeader.len;
}
