//! The contract between JIT code and the base VM: layouts that both sides read, and the exits.
//!
//! JIT code runs on the VM's own guarded stack with `CallConv::Tail`; its first parameter is always
//! the [`VmCtx`]. Whatever it cannot do inline is an *exit*: it stores arguments in
//! [`VmCtx::exit_args`] and calls [`VmCtx::exit`] (System V: `fn(ctx, code) -> u64`), which switches to
//! the system stack, where the base acts on it and later resumes the VM with the result.

use core::mem::offset_of;

use il::{Hierarchy, Storage, Type, TypeId};

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
    /// Address of the core's interrupt word (`u32`, aligned): 0, or [`INTERRUPT`], which asks the VM to take the `Yield` exit.
    pub interrupt: u64,
    /// Base address of the linear memory. It never moves: code may keep it across exits.
    pub memory_base: u64,
    /// Its current length in bytes.
    pub memory_bytes: u64,
    /// Array of [`MemorySlot`], one a linear memory: the first says what the two fields above say. The array never moves.
    pub memories: u64,
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
    /// Array of [`CapSlot`]: one a `use`, then the VM's own events, if it provides a set, then those that
    /// it received or made. A capability as a value is `slot << 1 | 1`. The array moves only in a VM whose module may gain
    /// capabilities ([`il::Module::gains_capabilities`]), and then only when a slot is added: when an operand, a result or
    /// what `Attenuate` made comes in.
    pub caps: u64,
    /// Array of addresses of objects: one `str` a literal (`Module::strings`), then one function reference a
    /// (function, type) pair that `func.ref` names, in the compiler's order; all immortal.
    pub literals: u64,
    /// Address of an immortal empty `str`.
    pub empty_str: u64,
    /// Address of an immortal empty `buf`: never freed, its length is 0.
    pub empty_buf: u64,
    /// Who sent the request under way (`i32`, zero-extended), set by the base before it enters an `op`.
    pub caller: u64,
    /// Address of the grid that a program's VM has lent it: rows of 32-bit cells. Another one, or another size, may be
    /// there after each exit.
    pub grid_cells: u64,
    /// Its cells a row.
    pub grid_width: u64,
    /// Its rows.
    pub grid_height: u64,
    /// Arguments of the exit under way. Those that [`Exit::info`] calls references are roots meanwhile.
    pub exit_args: [u64; 8],
    /// Arguments and results of an entry; status and results of a device instruction.
    /// Integers zero-extended, floats by bits, `str`, `buf` and references by address; a `v128` takes two, low half first.
    pub values: [u64; 64],
}

/// A linear memory, as JIT code sees it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemorySlot {
    /// Base address. It never moves: code may keep it across exits.
    pub base: u64,
    /// Current length in bytes.
    pub bytes: u64,
}

/// What the interrupt word holds when the VM is asked to yield.
pub const INTERRUPT: u32 = u32::MAX;

/// The sending end of one channel, as JIT code sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CapSlot {
    /// Address of the next free word of the open packet.
    pub cursor: u64,
    /// End of the open packet's space; equals `cursor` when null, revoked or blocked.
    pub end: u64,
    /// Address of the open packet's attachment list: addresses of [`BufHeader`]s, and odd words for what [`Exit::Attach`]
    /// put there.
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
/// Objects of at most so many bytes are allocated by generated code, from the nursery.
pub const INLINE_BYTES: u64 = 1 << 10;
/// Stands for the set of the VM that a program runs in, where a slot is named.
pub const OWN_SLOT: u64 = 0xffff_ffff;
/// Stands for the first of the module's programs where an opcode is named, for each further one add 1.
pub const RUN_OPCODE: u64 = 0x100;
/// Bytes from one [`MemorySlot`] to the next.
pub const MEMORY_SLOT_BYTES: u64 = size_of::<MemorySlot>() as u64;
/// Bytes from one global's slot to the next.
pub const GLOBAL_BYTES: u64 = 16;

/// The type word of a definition's objects, without flags. Frozen objects have another.
pub fn type_word(hierarchy: &Hierarchy, id: TypeId) -> u32 {
    (1 + hierarchy.numbers(id).0) << KIND_SHIFT
}

/// Bytes of an array (or, of bytes, a `str`), header included; a multiple of 8.
pub const fn array_bytes(element_bytes: u32, len: u32) -> u64 {
    (OBJECT_DATA as u64 + element_bytes as u64 * len as u64).next_multiple_of(8)
}

/// Whether objects of this definition may hold a `buf`: such are allocated by [`Exit::Alloc`] only.
pub fn holds_bufs(hierarchy: &Hierarchy, id: TypeId) -> bool {
    let is_buf = |storage: Storage| storage == Storage::Value(Type::OptBuf);
    hierarchy.array(id).is_some_and(|array| is_buf(array.element))
        || hierarchy.fields(id).iter().any(|field| is_buf(field.storage))
}

/// How [`Exit::Attach`] takes its value.
pub mod attach {
    /// A reference that is not null.
    pub const REFERENCE: u64 = 0;
    /// A reference or null.
    pub const NULLABLE: u64 = 1;
    /// A `buf`, which moves.
    pub const BUF: u64 = 2;
}

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

/// What an argument or answer of an exit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bits, or an address that no collection changes.
    Word,
    /// A reference as in a local: 0, a capability, or the address of an object.
    Reference,
}

/// One line of the table of exits.
#[derive(Clone, Copy, Debug)]
pub struct ExitInfo {
    /// The exit.
    pub exit: Exit,
    /// Its name.
    pub name: &'static str,
    /// Its arguments, in the order of [`VmCtx::exit_args`].
    pub args: &'static [(&'static str, Kind)],
    /// What the exit routine returns; a word that means nothing where this is none.
    pub answer: Option<Kind>,
    /// Whether a collection may happen before it returns. At all others code keeps references in registers.
    pub collects: bool,
}

macro_rules! exits {
    ($($(#[$doc:meta])* $code:literal $name:ident ($($arg:ident $(: $kind:ident)?),*) $(-> $answer:ident)? $([$collects:ident])?;)*) => {
        /// Why a VM left its stack. The arguments named stand in [`VmCtx::exit_args`], in order.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u64)]
        pub enum Exit { $($(#[$doc])* $name = $code,)* }
        impl Exit {
            /// The whole table, by ascending code from 1.
            pub const TABLE: &[ExitInfo] = &[$(ExitInfo {
                exit: Exit::$name,
                name: stringify!($name),
                args: &[$((stringify!($arg), exits!(@kind $($kind)?))),*],
                answer: exits!(@answer $($answer)?),
                collects: exits!(@collects $($collects)?),
            },)*];
            /// The exit with this code.
            pub const fn from_code(code: u64) -> Option<Exit> {
                match code { $($code => Some(Exit::$name),)* _ => None }
            }
            /// This exit's line of the table.
            pub const fn info(self) -> &'static ExitInfo {
                &Exit::TABLE[self as usize - 1]
            }
        }
        const _: () = {
            let mut at = 0;
            while at < Exit::TABLE.len() {
                assert!(Exit::TABLE[at].exit as usize == at + 1, "codes are contiguous from 1");
                at += 1;
            }
        };
    };
    (@kind) => { Kind::Word };
    (@kind $kind:ident) => { Kind::$kind };
    (@answer) => { None };
    (@answer $kind:ident) => { Some(Kind::$kind) };
    (@collects) => { false };
    (@collects collects) => { true };
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
    4 Call(slot, head) -> Word [collects];
    /// Submit and wait until all was executed. Returns the sticky status or 0.
    5 Flush(slot) -> Word;
    /// Run one handler; returns when one has run.
    6 Wait() [collects];
    /// Run handlers for ever; never returns.
    7 WaitForever() [collects];
    /// Answer the current request with `status`. The code then returns from the `op`.
    8 Fail(status);
    /// End the VM: `kind` is a `TrapKind`, `message` a `str` or 0.
    9 Trap(kind, message: Reference);
    /// End the VM: a device instruction outside `try` failed with `status`. `slot` is [`OWN_SLOT`] for one of the
    /// program's own set; `opcode` from [`RUN_OPCODE`] on is a program that was run.
    10 DeviceTrap(slot, opcode, status);
    /// Returns the address of a zeroed `buf` of `len` bytes (i32, unsigned); traps on quota.
    11 BufNew(len) -> Word [collects];
    /// Frees a `buf` (not null; freeing the empty one does nothing).
    12 BufFree(buf);
    /// Returns a new object: `ty` is its type word ([`type_word`]), `len` what its header says (i32, unsigned), `bytes` its
    /// size, header included. Its contents are written before anything else happens: all of them, so the base
    /// need not zero what lies outside the nursery either. Traps on quota, and beyond `limits::ARRAY_ELEMENTS`.
    13 Alloc(ty, len, bytes) -> Reference [collects];
    /// Returns a new `str`.
    14 StrConcat(left: Reference, right: Reference) -> Reference [collects];
    /// Bytes `from..to` (i32 each, as unsigned); traps outside, or inside a character.
    15 StrSlice(str: Reference, from, to) -> Reference [collects];
    /// The text of an `i32` (sign-extended).
    16 StrFromI32(value) -> Reference [collects];
    /// The text of an `i64`.
    17 StrFromI64(value) -> Reference [collects];
    /// The text of an `f64` (its bits).
    18 StrFromF64(value) -> Reference [collects];
    /// `true` or `false`.
    19 StrFromBool(value) -> Reference [collects];
    /// A copy of `len` bytes of a linear memory; traps on bad UTF-8 or range.
    20 StrAt(address, len, memory) -> Reference [collects];
    /// 1 if the bytes are equal, else 0.
    21 StrEq(left: Reference, right: Reference) -> Word;
    /// Grows a memory by `pages`; returns the old size in pages, or 0xffff_ffff.
    22 MemoryGrow(pages, memory) -> Word [collects];
    /// `memory_fill`; traps on range before writing.
    23 MemoryFill(address, value, len, memory);
    /// `memory_copy`; overlapping is fine; traps on range before writing.
    24 MemoryCopy(to, from, len, to_memory, from_memory);
    /// `copy` between buffers; overlapping is fine; traps on range before writing.
    25 BufCopy(to, to_offset, from, from_offset, len);
    /// The text of an `f32` (its bits).
    26 StrFromF32(value) -> Reference [collects];
    /// A reference is about to be stored in an object outside the nursery whose `REMEMBERED` flag is not set: sets it.
    27 Remember(object: Reference);
    /// 1 if the value is of the definition `def` (an index of the module's type table), else 0. The value is a
    /// capability, a frozen object, or an array; never null.
    28 IsType(value: Reference, def) -> Word;
    /// `freeze`; returns the object in shared memory, the same one if it lies there already. Not null.
    29 Freeze(object: Reference) -> Reference [collects];
    /// A capability of its own with the rights of definition `def`; traps if that cannot be.
    30 Attenuate(cap: Reference, def) -> Reference [collects];
    /// Kills a capability that `Attenuate` made; traps otherwise.
    31 Revoke(cap: Reference);
    /// Run program `program` (an index of the module's programs) in the VM behind the slot and wait. Its arguments
    /// stand in `values` from 0, status and results as for `Call`. Returns the status.
    32 Run(slot, program) -> Word [collects];
    /// The same, not waiting: a program without results.
    33 RunSend(slot, program) [collects];
    /// Execute instruction `opcode` of the set `isa` (an index of the module's sets) in the VM that this program runs in.
    /// Its operands stand in `values` from 0, status and results as for `Call`. Returns the status.
    34 Own(isa, opcode) -> Word [collects];
    /// The value as it leaves the VM: null, a capability, or what `Freeze` gives of an object. Traps (`Cast`) if it cannot
    /// leave.
    35 Share(value: Reference) -> Reference [collects];
    /// Adds to the attachments of the slot's open packet: what `Share` gave, or a `buf`, as `kind` says ([`attach`]).
    /// There is room. Returns the operand's word.
    36 Attach(slot, value: Reference, kind) -> Word;
    /// Leave the answer of the current request to the VM behind the slot, which is sent the open packet's last
    /// instruction, whose head lies at address `head`. The code then returns from the `op`.
    37 Forward(slot, head);
    /// End the VM normally, with an exit code (i32). Never returns.
    38 Quit(code);
    /// `memory.init`: copies `len` bytes of data segment `data` from `from` on into a memory; traps on range before writing.
    39 MemoryInit(to, from, len, data, memory);
    /// `data.drop`: the segment is empty from here on.
    40 DataDrop(data);
    /// A new `buf` with `len` bytes of a memory; traps on range, then on quota.
    41 BufAt(address, len, memory) -> Word [collects];
    /// Copies `len` bytes of a memory into a `buf`; traps on the range of the `buf`, then of the memory, before writing.
    42 BufWrite(buf, at, address, len, memory);
    /// Copies `len` bytes of a `buf` into a memory; traps on the range of the memory, then of the `buf`, before writing.
    43 MemoryWrite(address, buf, offset, len, memory);
    /// Returns a new array with what is in [`crate::Compiled::arrays`] under this number; traps on quota.
    44 NewArray(number) -> Reference [collects];
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
    /// [`VmCtx::memories`]
    MEMORIES = VmCtx.memories;
    /// [`VmCtx::globals`]
    GLOBALS = VmCtx.globals;
    /// [`VmCtx::heap_cursor`]
    HEAP_CURSOR = VmCtx.heap_cursor;
    /// [`VmCtx::heap_limit`]
    HEAP_LIMIT = VmCtx.heap_limit;
    /// [`VmCtx::nursery_start`]
    NURSERY_START = VmCtx.nursery_start;
    /// [`VmCtx::nursery_bytes`]
    NURSERY_BYTES = VmCtx.nursery_bytes;
    /// [`VmCtx::caller`]
    CALLER = VmCtx.caller;
    /// [`VmCtx::caps`]
    CAPS = VmCtx.caps;
    /// [`VmCtx::literals`]
    LITERALS = VmCtx.literals;
    /// [`VmCtx::empty_str`]
    EMPTY_STR = VmCtx.empty_str;
    /// [`VmCtx::empty_buf`]
    EMPTY_BUF = VmCtx.empty_buf;
    /// [`VmCtx::grid_cells`]
    GRID_CELLS = VmCtx.grid_cells;
    /// [`VmCtx::grid_width`]
    GRID_WIDTH = VmCtx.grid_width;
    /// [`VmCtx::grid_height`]
    GRID_HEIGHT = VmCtx.grid_height;
    /// [`VmCtx::exit_args`]
    EXIT_ARGS = VmCtx.exit_args;
    /// [`VmCtx::values`]
    VALUES = VmCtx.values;
    /// [`MemorySlot::base`]
    MEMORY_SLOT_BASE = MemorySlot.base;
    /// [`MemorySlot::bytes`]
    MEMORY_SLOT_BYTES = MemorySlot.bytes;
    /// [`CapSlot::cursor`]
    SLOT_CURSOR = CapSlot.cursor;
    /// [`CapSlot::end`]
    SLOT_END = CapSlot.end;
    /// [`CapSlot::attachments`]
    SLOT_ATTACHMENTS = CapSlot.attachments;
    /// [`CapSlot::attached`]
    SLOT_ATTACHED = CapSlot.attached;
    /// [`ObjectHeader::ty`]
    OBJECT_TYPE = ObjectHeader.ty;
    /// [`ObjectHeader::len`]
    OBJECT_LEN = ObjectHeader.len;
    /// [`BufHeader::len`]
    BUF_LEN = BufHeader.len;
}
