//! The guest: all memory of one VM, and the way on and off its stack.
//! `unsafe`: guest memory, and calls into machine code.
//!
//! Addresses of `str`s and `buf`s given to the methods here come from the VM's own code, whose
//! typed, verified IL passes no other; that is what their SAFETY comments rest on. They are private
//! to the engine.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::ptr::NonNull;

use compiler::abi::{self, BUF_DATA, BufHeader, Exit, OBJECT_DATA, VmCtx};
use il::trap::TrapKind;
use il::{MemoryId, Type, TypeId};

use super::fault::{CoreLease, Fault, Running};
use super::list::HeldList;
use super::memory::{Memories, Place};
use super::program::{LoadError, empty_buf};
use super::raw::Shared;
use super::roots::{self, GLOBAL_WORDS, Roots};
use super::slots::{Allowed, Slots};
use super::stack::Stack;
use super::{PlatformRef, Program, switch};
use crate::attachment::{Attachment, Capability, Object};
use crate::buf::{Account, Buf};
use crate::heap::{Config, Exhausted, Heap, Statistics};
use crate::platform::Nanos;

/// What lies at a fixed address while the VM lives.
struct State {
    ctx: VmCtx,
    running: Running,
}

/// How to go on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Go {
    /// Call the code at an address, as a new activation.
    Enter { entry: u64 },
    /// Return a value from the exit.
    Resume(u64),
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stopped {
    /// An exit with this code.
    Exit(u64),
    /// A fault.
    Fault(Fault),
}

/// All memory of one VM.
pub(super) struct Guest {
    state: NonNull<State>,
    lease: CoreLease,
    program: Arc<Program>,
    stack: Stack,
    /// Stack pointers of all activations, each stopped in an exit (but for the last while it runs).
    activations: Vec<u64>,
    pub memories: Memories,
    globals: Shared<u64>,
    pub slots: Slots,
    heap: Heap,
    /// The exit being served.
    exit: Option<Exit>,
    /// A bit for each of the context's values that holds a reference now.
    reference_values: u64,
    bufs: HeldList,
    account: Arc<Account>,
}

impl core::fmt::Debug for Guest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guest").field("stack", &self.stack.range()).finish_non_exhaustive()
    }
}

impl Guest {
    /// Memory as the module says, globals of zeros, an empty stack and heap, closed slots.
    pub fn new(
        platform: PlatformRef,
        program: &Arc<Program>,
        account: &Arc<Account>,
        stack_bytes: usize,
        heap: Config,
    ) -> Result<Guest, LoadError> {
        let module = program.module();
        let word = platform.interrupt_word();
        let lease = CoreLease::claim(word).ok_or(LoadError::TooManyCores)?;
        let stack = Stack::new(platform, stack_bytes, program.spare_stacks())?;
        let memories = Memories::new(platform, module, account)?;
        let first = memories.slot(MemoryId(0));
        let globals = Shared::new(vec![0; module.globals.len() * GLOBAL_WORDS]);
        let slots = Slots::new(module.uses.len() + 1);
        let ctx = VmCtx {
            system_sp: 0,
            vm_sp: 0,
            exit: switch::exit as *const () as u64,
            interrupt: core::ptr::from_ref(word) as u64,
            memory_base: first.base,
            memory_bytes: first.bytes,
            memories: memories.slots(),
            globals: globals.address(),
            heap_cursor: 0,
            heap_limit: 0,
            nursery_start: 0,
            nursery_bytes: 0,
            caps: slots.address(),
            literals: program.literals(),
            empty_str: program.empty_str(),
            empty_buf: empty_buf(),
            caller: 0,
            grid_cells: 0,
            grid_width: 0,
            grid_height: 0,
            exit_args: [0; 8],
            values: [0; 64],
        };
        let running = Running {
            program: program.clone(),
            ctx: core::ptr::null(),
            guard: stack.guard(),
            memories: memories.reserved(),
            fault: Cell::new(None),
        };
        let state = NonNull::from(Box::leak(Box::new(State { ctx, running })));
        // SAFETY: just leaked: nobody else has it.
        unsafe { (*state.as_ptr()).running.ctx = &raw const (*state.as_ptr()).ctx };
        let texts = Some(program.texts().clone());
        let heap = Heap::new(account.clone(), program.types().clone(), texts, heap);
        Ok(Guest {
            state,
            lease,
            program: program.clone(),
            stack,
            activations: Vec::new(),
            memories,
            globals,
            slots,
            heap,
            exit: None,
            reference_values: 0,
            bufs: HeldList::new(),
            account: account.clone(),
        })
    }

    fn ctx(&self) -> *mut VmCtx {
        // SAFETY: `state` is live as long as the guest; only an address is formed.
        unsafe { &raw mut (*self.state.as_ptr()).ctx }
    }

    /// Runs the VM till its next exit or fault.
    pub fn run(&mut self, go: Go) -> Stopped {
        let ctx = self.ctx();
        // SAFETY: only an address is formed.
        let running = unsafe { &raw const (*self.state.as_ptr()).running };
        self.before_run();
        let sp = self.next_sp();
        if let Go::Enter { .. } = go {
            self.activations.push(sp);
        }
        let code = self.lease.run(self.stack.whole(), running, || match go {
            // SAFETY: the entry is the program's, the stack pointer within its stack, below all that is in use.
            Go::Enter { entry } => unsafe { switch::enter(ctx, entry, sp) },
            // SAFETY: the VM is stopped in an exit (`Instance`).
            Go::Resume(value) => unsafe { switch::resume(ctx, value) },
        });
        // SAFETY: the VM is stopped.
        let (vm_sp, cursor) = unsafe { ((*ctx).vm_sp, (*ctx).heap_cursor) };
        self.heap.set_cursor(cursor);
        // SAFETY: the VM is stopped, so no handler touches the record any more.
        match (code, unsafe { (*running).fault.take() }) {
            (switch::FAULTED, Some(fault)) => Stopped::Fault(fault),
            (code, _) => {
                if let Some(last) = self.activations.last_mut() {
                    *last = vm_sp;
                }
                Stopped::Exit(code)
            }
        }
    }

    /// What code reads of the heap; and from here on values are the code's.
    fn before_run(&mut self) {
        self.reference_values = 0;
        let window = self.heap.window();
        // SAFETY: the VM does not run.
        let ctx = unsafe { &mut *self.ctx() };
        (ctx.heap_cursor, ctx.heap_limit) = (window.cursor, window.limit);
        (ctx.nursery_start, ctx.nursery_bytes) = (window.start, window.bytes);
    }

    /// Where the stack of another activation begins.
    fn next_sp(&self) -> u64 {
        self.activations.last().map_or(self.stack.range().end, |sp| sp & !15)
    }

    /// The innermost activation has returned: the one below it, if any, is to be resumed next.
    pub fn leave(&mut self) {
        self.activations.pop();
        if let Some(sp) = self.activations.last() {
            // SAFETY: the VM does not run.
            unsafe { (*self.ctx()).vm_sp = *sp }
        }
    }

    /// A word of the stack, if that is where the address lies.
    pub fn stack_word(&self, address: u64) -> Option<u64> {
        self.stack.word(address)
    }

    /// Return address and frame pointer of the code that took the exit in which the innermost activation is stopped.
    pub fn exit_place(&self) -> Option<(u64, u64)> {
        roots::exit_place(&self.stack, *self.activations.last()?)
    }

    /// The exit being served from now on: its arguments are roots. `None`: none is.
    pub fn set_exit(&mut self, exit: Option<Exit>) {
        self.exit = exit;
    }

    /// Who sent the request that the next activation executes.
    pub fn set_caller(&mut self, caller: u32) {
        // SAFETY: the VM does not run.
        unsafe { (*self.ctx()).caller = u64::from(caller) }
    }

    /// Lends a grid to the code: its first cell's address, and its sides. The caller keeps the cells alive, and touches
    /// them no more, until it takes the grid back by lending none.
    pub fn lend(&mut self, cells: u64, width: u32, height: u32) {
        // SAFETY: the VM does not run.
        let ctx = unsafe { &mut *self.ctx() };
        ctx.grid_cells = cells;
        ctx.grid_width = u64::from(width);
        ctx.grid_height = u64::from(height);
    }

    /// An argument of the exit under way.
    pub fn exit_arg(&self, index: usize) -> u64 {
        // SAFETY: the VM does not run.
        unsafe { &(*self.ctx()).exit_args }.get(index).copied().unwrap_or(0)
    }

    /// A value passed to or from the VM.
    pub fn value(&self, index: usize) -> u64 {
        // SAFETY: the VM does not run.
        unsafe { &(*self.ctx()).values }.get(index).copied().unwrap_or(0)
    }

    /// Sets a value for the VM.
    pub fn set_value(&mut self, index: usize, value: u64) {
        // SAFETY: the VM does not run.
        let values = unsafe { &mut (*self.ctx()).values };
        if let Some(place) = values.get_mut(index) {
            *place = value;
        }
    }

    /// Grows a linear memory: the old size in pages, or 0xffff_ffff and nothing changed. May collect.
    pub fn grow_memory(&mut self, memory: MemoryId, pages: u32) -> Option<u64> {
        if self.memories.get(memory)?.is_refused_by_quota(pages) {
            self.collect_for_others();
        }
        let old = self.memories.grow(memory, pages)?;
        let bytes = self.memories.slot(MemoryId(0)).bytes;
        // SAFETY: the VM does not run.
        unsafe { (*self.ctx()).memory_bytes = bytes };
        Some(old)
    }

    /// `memory.init`.
    pub fn init_memory(&mut self, to: Place, data: usize, from: u32, len: u32) -> Result<(), TrapKind> {
        self.memories.init(to, self.program.module(), data, from, len)
    }

    /// Makes a value that the VM left, a reference, a root till its next run.
    pub fn keep_value(&mut self, index: usize) {
        self.reference_values |= 1 << index;
    }

    /// Gives the VM a reference as a value: from here to its next run it is a root.
    pub fn set_reference(&mut self, index: usize, address: u64) {
        self.set_value(index, address);
        self.reference_values |= 1 << index;
    }

    /// Uses the heap, together with all that refers to it.
    fn with_heap<R>(&mut self, act: impl FnOnce(&mut Heap, &mut Roots<'_>) -> R) -> R {
        let mut roots = Roots {
            // SAFETY: `state` is live as long as the guest; only an address is formed.
            ctx: unsafe { &raw mut (*self.state.as_ptr()).ctx },
            program: &self.program,
            stack: &mut self.stack,
            activations: &self.activations,
            globals: &mut self.globals,
            exit: self.exit,
            values: self.reference_values,
            bufs: &mut self.bufs,
        };
        act(&mut self.heap, &mut roots)
    }

    /// Room for an object, all of which is to be written before the next collection. May collect.
    pub fn alloc(&mut self, kind: u32, len: u32) -> Result<u64, TrapKind> {
        self.with_heap(|heap, roots| heap.alloc(kind, len, roots)).map_err(|Exhausted| TrapKind::Quota)
    }

    /// Collects the whole heap, because something outside of it was refused. The VM may go on whatever comes of it.
    fn collect_for_others(&mut self) {
        let _ = self.collect(true);
    }

    /// Collects the heap, or its nursery.
    pub fn collect(&mut self, full: bool) -> Result<(), TrapKind> {
        self.with_heap(|heap, roots| heap.collect(full, roots)).map_err(|Exhausted| TrapKind::Quota)
    }

    /// What collections have cost so far.
    pub fn statistics(&self) -> Statistics {
        self.heap.statistics()
    }

    /// How long each collection took, if that is kept.
    pub fn take_pauses(&mut self) -> Vec<Nanos> {
        self.heap.take_pauses()
    }

    /// The VM is about to store a reference in an old object.
    pub fn remember(&mut self, address: u64) -> Result<(), TrapKind> {
        // SAFETY: the VM passes an object of its heap that lies outside the nursery.
        unsafe { self.heap.remember(address) }.map_err(|Exhausted| TrapKind::Quota)
    }

    /// Freezes the first argument of the exit under way. May collect.
    pub fn freeze(&mut self) -> Result<u64, TrapKind> {
        if self.heap.is_stressed() {
            self.collect(true)?;
        }
        // SAFETY: verified: an object of a sendable type.
        if let Some(frozen) = unsafe { self.heap.freeze(self.exit_arg(0)) } {
            return Ok(frozen);
        }
        self.collect(true)?;
        // SAFETY: the same; the collection has updated the argument.
        unsafe { self.heap.freeze(self.exit_arg(0)) }.ok_or(TrapKind::Quota)
    }

    /// The first argument of the exit under way as it leaves the VM. May collect.
    pub fn share(&mut self) -> Result<u64, TrapKind> {
        let value = self.exit_arg(0);
        if value == 0 || value & 1 == 1 {
            return Ok(value);
        }
        // SAFETY: the VM passes live objects.
        if !unsafe { self.heap.is_sendable(value) } {
            return Err(TrapKind::Cast);
        }
        self.freeze()
    }

    /// The same for one of the values that leave the VM, which are roots ([`Guest::set_reference`]).
    pub fn share_value(&mut self, index: usize) -> Result<u64, TrapKind> {
        let value = self.value(index);
        if value == 0 || value & 1 == 1 {
            return Ok(value);
        }
        // SAFETY: the VM passes live objects.
        if !unsafe { self.heap.is_sendable(value) } {
            return Err(TrapKind::Cast);
        }
        if self.heap.is_stressed() {
            self.collect(true)?;
        }
        // SAFETY: of a sendable type, and the collection has updated the value.
        let mut frozen = unsafe { self.heap.freeze(self.value(index)) };
        if frozen.is_none() {
            self.collect(true)?;
            // SAFETY: the same.
            frozen = unsafe { self.heap.freeze(self.value(index)) };
        }
        let frozen = frozen.ok_or(TrapKind::Quota)?;
        self.set_reference(index, frozen);
        Ok(frozen)
    }

    /// What a shared value is outside of the VM; `None` for null.
    pub fn shared(&self, value: u64) -> Option<Attachment> {
        if value == 0 {
            return None;
        }
        if value & 1 == 1 {
            let capability = self.slots.capability((value >> 1) as usize);
            return Some(Attachment::Cap(capability.cloned().unwrap_or_else(Capability::dead)));
        }
        let region = self.heap.region_of(value).expect("the heap holds each region that the VM refers to");
        Some(Attachment::Object(Object::new(region, value)))
    }

    /// Attaches to a slot's open packet; the operand's word.
    pub fn attach(&mut self, slot: usize, value: u64, kind: u64) -> u64 {
        if kind == abi::attach::BUF {
            return self.slots.attach_buf(slot, value);
        }
        let Some(attachment) = self.shared(value) else { return 0 };
        self.slots.attach(slot, attachment) + u64::from(kind == abi::attach::NULLABLE)
    }

    /// Whether an object that comes into the VM is of this type.
    pub fn fits(&mut self, object: &Object, ty: Type) -> bool {
        match ty {
            Type::Any | Type::OptAny => true,
            // SAFETY: the object is kept alive by its region.
            Type::OptStr => unsafe { self.heap.is_str(object.address) },
            // SAFETY: the same.
            Type::Ref(def) | Type::Opt(def) => unsafe { self.heap.is_of(object.address, def) },
            _ => false,
        }
    }

    /// Gives the VM an object as a value, which is a root from here to its next run.
    pub fn adopt(&mut self, index: usize, object: Object) {
        self.heap.adopt(object.region);
        self.set_reference(index, object.address);
    }

    /// Opens a slot for a capability; `None` if there are too many.
    pub fn add_slot(&mut self, channel: u32, generation: u32, allowed: Allowed) -> Option<usize> {
        let slot = self.slots.add(channel, generation, allowed)?;
        // SAFETY: the VM does not run.
        unsafe { (*self.ctx()).caps = self.slots.address() };
        self.heap.meet_capability(slot);
        Some(slot)
    }

    /// A capability that the VM has comes in once more.
    pub fn meet_capability(&mut self, slot: usize) {
        self.heap.meet_capability(slot);
    }

    /// Slots that were given or made, which no value names since the last full collection.
    pub fn unused_slots(&self) -> Vec<usize> {
        let unused = |slot: &usize| self.slots.used(*slot) == 0 && !self.heap.has_met_capability(*slot);
        self.slots.given().filter(unused).collect()
    }

    /// Whether a value of the VM, not null, is of this definition.
    pub fn is_type(&mut self, value: u64, def: TypeId) -> bool {
        if value & 1 == 1 {
            return self.is_cap((value >> 1) as usize, def);
        }
        // SAFETY: the VM passes live objects.
        unsafe { self.heap.is_of(value, def) }
    }

    /// Whether a capability is of this definition.
    pub fn is_cap(&self, slot: usize, def: TypeId) -> bool {
        let module = self.program.module();
        let Some(wanted) = self.program.types().hierarchy().cap(def) else { return false };
        if let Some((isas, ops)) = self.slots.allowed(slot) {
            return isas.contains(&wanted.isa) && wanted.instructions.iter().all(|opcode| ops.has(*opcode));
        }
        let Some(used) = module.uses.get(slot) else { return false };
        let Some(set) = module.isas.get(used.isa.index()) else { return false };
        used.isa == wanted.isa && wanted.instructions.iter().all(|opcode| set.instruction(*opcode).is_some())
    }

    /// Address of the empty `str`.
    pub fn empty_text(&self) -> u64 {
        self.program.empty_str()
    }

    /// A zeroed `buf` for the VM. May collect.
    pub fn new_buf(&mut self, bytes: u32) -> Result<u64, TrapKind> {
        if bytes == 0 {
            return Ok(empty_buf());
        }
        if self.heap.is_stressed() {
            self.collect_for_others();
        }
        let buf = Buf::new(&self.account, bytes as usize).or_else(|| {
            self.collect_for_others();
            Buf::new(&self.account, bytes as usize)
        });
        buf.map(|buf| self.hold(buf)).ok_or(TrapKind::Quota)
    }

    /// Gives a `buf` to the VM.
    pub fn hold(&mut self, buf: Buf) -> u64 {
        let address = buf.into_raw();
        // SAFETY: links lie in front of each `buf`'s header, and a `Buf` is in no list.
        unsafe { self.bufs.link(address) };
        address
    }

    /// Takes a `buf` from the VM, which moved it. An empty one is made up; `None` if there is no
    /// memory even for that.
    pub fn release(&mut self, address: u64) -> Option<Buf> {
        if address == empty_buf() || address == 0 {
            return Buf::new(&self.account, 0);
        }
        // SAFETY: a live `buf` that the VM holds, and no longer knows.
        unsafe {
            self.bufs.unlink(address);
            Buf::from_raw(address)
        }
    }

    /// Frees a `buf` that the VM gave up.
    pub fn free_buf(&mut self, address: u64) {
        if address != empty_buf() {
            drop(self.release(address));
        }
    }

    /// Where bytes of a `buf` lie that the VM named; `None` if they are not inside.
    fn in_buf(&self, (address, offset): (u64, u32), len: u32) -> Option<*mut u8> {
        // SAFETY: a live `buf`; the VM does not run.
        let bytes = unsafe { (*(address as *const BufHeader)).len };
        let inside = u64::from(offset) + u64::from(len) <= bytes;
        inside.then(|| (address + BUF_DATA as u64 + u64::from(offset)) as *mut u8)
    }

    /// A `buf` with bytes of a linear memory. May collect.
    pub fn buf_at(&mut self, from: Place, len: u32) -> Result<u64, TrapKind> {
        self.memories.slice(from, len)?;
        let buf = self.new_buf(len)?;
        self.write_buf((buf, 0), from, len)?;
        Ok(buf)
    }

    /// Copies bytes of a linear memory into a `buf`; nothing is written if a range is outside.
    pub fn write_buf(&mut self, to: (u64, u32), from: Place, len: u32) -> Result<(), TrapKind> {
        let to = self.in_buf(to, len).ok_or(TrapKind::IndexOutOfBounds)?;
        let from = self.memories.slice(from, len)?;
        // SAFETY: inside a live `buf`, which is not in a linear memory.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, len as usize) };
        Ok(())
    }

    /// The other way.
    pub fn write_memory(&mut self, to: Place, from: (u64, u32), len: u32) -> Result<(), TrapKind> {
        self.memories.slice(to, len)?;
        let from = self.in_buf(from, len).ok_or(TrapKind::IndexOutOfBounds)?;
        let to = self.memories.slice_mut(to, len)?;
        // SAFETY: as above.
        unsafe { core::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), len as usize) };
        Ok(())
    }

    /// An array of constants. May collect.
    pub fn constant_array(&mut self, number: usize) -> Result<u64, TrapKind> {
        let program = self.program.clone();
        let array = program.array(number).ok_or(TrapKind::Unreachable)?;
        let address = self.alloc(array.kind, array.len)?;
        // SAFETY: just made, of a kind whose objects have room for these bytes, and all that they refer to is immortal.
        unsafe {
            let to = (address + OBJECT_DATA as u64) as *mut u8;
            core::ptr::copy_nonoverlapping(array.bytes.as_ptr(), to, array.bytes.len());
            let padding = array.bytes.len().next_multiple_of(8) - array.bytes.len();
            core::ptr::write_bytes(to.add(array.bytes.len()), 0, padding);
        }
        Ok(address)
    }

    /// Forgets all activations.
    pub fn abandon(&mut self) {
        self.activations.clear();
    }

    /// Copies between `buf`s that the VM named; `None`, and nothing written, if a range is outside.
    pub fn copy_bufs(&mut self, to: (u64, u32), from: (u64, u32), len: u32) -> Option<()> {
        let (to, from) = (self.in_buf(to, len)?, self.in_buf(from, len)?);
        // SAFETY: both ranges are inside live `buf`s; they may overlap.
        unsafe { core::ptr::copy(from, to, len as usize) };
        Some(())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        while let Some(address) = self.bufs.pop() {
            // SAFETY: members of the list are live `buf`s, which only this VM knew.
            drop(unsafe { Buf::from_raw(address) });
        }
        // SAFETY: leaked from a box in `new`; the VM does not run.
        drop(unsafe { Box::from_raw(self.state.as_ptr()) });
    }
}
