//! The guest: all memory of one VM, and the way on and off its stack.
//! `unsafe`: guest memory, and calls into machine code.
//!
//! Addresses of `str`s and `buf`s given to the methods here come from the VM's own code, whose
//! typed, verified IL passes no other; that is what their SAFETY comments rest on. They are private
//! to the engine.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::ops::Range;
use core::ptr::NonNull;

use compiler::abi::{BUF_DATA, BufHeader, VmCtx};
use il::trap::TrapKind;
use il::{Const, Global};

use super::fault::{CoreLease, Fault, Running};
use super::list::HeldList;
use super::memory::LinearMemory;
use super::program::{LoadError, Pages, empty_buf};
use super::raw::Shared;
use super::slots::Slots;
use super::strings::{self, Strings};
use super::{PlatformRef, Program, switch};
use crate::buf::{Account, Buf};
use crate::platform::{Access, PAGE_BYTES};

/// Below each stack. More than a page, so that code which moves the stack pointer by less than a page
/// before it touches the stack cannot jump over it.
const STACK_GUARD_BYTES: usize = 64 * 1024;

/// What lies at a fixed address while the VM lives.
struct State {
    ctx: VmCtx,
    running: Running,
}

/// How to go on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Go {
    /// Call the code at an address, on a stack.
    Enter { entry: u64, sp: u64 },
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
    stack: Pages,
    pub memory: Option<LinearMemory>,
    _globals: Shared<u64>,
    pub slots: Slots,
    pub strings: Strings,
    bufs: HeldList,
    account: Arc<Account>,
}

impl core::fmt::Debug for Guest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guest").field("stack", &self.stack_range()).finish_non_exhaustive()
    }
}

fn global_word(program: &Program, global: &Global) -> u64 {
    match global.init {
        Const::I32(value) => u64::from(value as u32),
        Const::I64(value) => value as u64,
        Const::F64(bits) => bits,
        Const::Bool(value) => u64::from(value),
        Const::Str(id) => program.literal(id.index()),
    }
}

impl Guest {
    /// Memory as the module says, an empty stack, closed slots.
    pub fn new(
        platform: PlatformRef,
        program: &Arc<Program>,
        account: &Arc<Account>,
        stack_bytes: usize,
    ) -> Result<Guest, LoadError> {
        let module = program.module();
        let word = platform.interrupt_word();
        let lease = CoreLease::claim(word).ok_or(LoadError::TooManyCores)?;
        let stack_bytes = stack_bytes.max(PAGE_BYTES).next_multiple_of(PAGE_BYTES);
        let stack = Pages::reserve(platform, STACK_GUARD_BYTES + stack_bytes)?;
        stack.protect(STACK_GUARD_BYTES..STACK_GUARD_BYTES + stack_bytes, Access::ReadWrite)?;
        let mut memory = module.memory.map(|limits| LinearMemory::new(platform, limits, account)).transpose()?;
        if let Some(memory) = &mut memory {
            fill(memory, &module.data)?;
        }
        let globals = Shared::new(module.globals.iter().map(|global| global_word(program, global)).collect::<Vec<_>>());
        let slots = Slots::new(module.uses.len() + 1);
        let ctx = VmCtx {
            system_sp: 0,
            vm_sp: 0,
            exit: switch::exit as *const () as u64,
            interrupt: core::ptr::from_ref(word) as u64,
            memory_base: memory.as_ref().map_or(0, LinearMemory::base),
            memory_bytes: memory.as_ref().map_or(0, LinearMemory::bytes),
            globals: globals.address(),
            caps: slots.address(),
            literals: program.literals(),
            empty_str: program.empty_str(),
            empty_buf: empty_buf(),
            exit_args: [0; 8],
            values: [0; 32],
        };
        let running = Running {
            program: program.clone(),
            ctx: core::ptr::null(),
            guard: stack.base()..stack.base() + STACK_GUARD_BYTES as u64,
            memory: memory.as_ref().map_or(0..0, LinearMemory::reserved),
            fault: Cell::new(None),
        };
        let state = NonNull::from(Box::leak(Box::new(State { ctx, running })));
        // SAFETY: just leaked: nobody else has it.
        unsafe { (*state.as_ptr()).running.ctx = &raw const (*state.as_ptr()).ctx };
        Ok(Guest {
            state,
            lease,
            stack,
            memory,
            _globals: globals,
            slots,
            strings: Strings::new(account.clone(), program.empty_str()),
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
        let code = self.lease.run(self.stack.base()..self.stack.end(), running, || match go {
            // SAFETY: the entry is the program's, the stack pointer within its stack (`Instance`).
            Go::Enter { entry, sp } => unsafe { switch::enter(ctx, entry, sp) },
            // SAFETY: the VM is stopped in an exit (`Instance`).
            Go::Resume(value) => unsafe { switch::resume(ctx, value) },
        });
        // SAFETY: the VM is stopped, so no handler touches the record any more.
        match (code, unsafe { (*running).fault.take() }) {
            (switch::FAULTED, Some(fault)) => Stopped::Fault(fault),
            (code, _) => Stopped::Exit(code),
        }
    }

    /// The VM's stack, without its guard.
    pub fn stack_range(&self) -> Range<u64> {
        self.stack.base() + STACK_GUARD_BYTES as u64..self.stack.end()
    }

    /// A word of the stack, if that is where the address lies.
    pub fn stack_word(&self, address: u64) -> Option<u64> {
        let range = self.stack_range();
        let inside = address.is_multiple_of(8) && address >= range.start && address.checked_add(8)? <= range.end;
        // SAFETY: readable, aligned, and the VM does not run.
        inside.then(|| unsafe { (address as *const u64).read() })
    }

    /// The stack pointer of the innermost activation, stopped in an exit.
    pub fn sp(&self) -> u64 {
        // SAFETY: the VM does not run.
        unsafe { (*self.ctx()).vm_sp }
    }

    /// Makes an outer activation, stopped in an exit, the one to be resumed.
    pub fn set_sp(&mut self, sp: u64) {
        // SAFETY: the VM does not run.
        unsafe { (*self.ctx()).vm_sp = sp }
    }

    /// Address and frame pointer at which an activation whose stack pointer is `sp` took its exit.
    pub fn exit_place(&self, sp: u64) -> Option<(u64, u64)> {
        let saved = sp.checked_add(switch::SAVED_RBP_WORD * 8)?;
        Some((self.stack_word(saved.checked_add(8)?)?, self.stack_word(saved)?))
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

    /// Grows the linear memory: see [`LinearMemory::grow`].
    pub fn grow_memory(&mut self, pages: u32) -> Option<u64> {
        let memory = self.memory.as_mut()?;
        let old = memory.grow(pages);
        let bytes = memory.bytes();
        // SAFETY: the VM does not run.
        unsafe { (*self.ctx()).memory_bytes = bytes };
        Some(old)
    }

    /// Bytes of a `str` that the VM named in the exit under way.
    pub fn text(&self, address: u64) -> &[u8] {
        // SAFETY: the VM passes live `str`s, and frees none while it is stopped.
        unsafe { strings::bytes(address) }
    }

    /// A new `str`.
    pub fn new_text(&mut self, text: &str) -> Result<u64, TrapKind> {
        // SAFETY: a `str` is UTF-8.
        unsafe { self.strings.make(&[text.as_bytes()]) }
    }

    /// `left` and `right` in one `str`; addresses as the VM named them.
    pub fn concat(&mut self, left: u64, right: u64) -> Result<u64, TrapKind> {
        // SAFETY: both are live `str`s, so UTF-8, and so are they together.
        unsafe { self.strings.make(&[strings::bytes(left), strings::bytes(right)]) }
    }

    /// Bytes `from..to` of a `str` that the VM named.
    pub fn slice(&mut self, address: u64, from: u32, to: u32) -> Result<u64, TrapKind> {
        // SAFETY: a live `str`; making another leaves it alone.
        let text = unsafe { strings::bytes(address) };
        let part = text.get(from as usize..to as usize).ok_or(TrapKind::IndexOutOfBounds)?;
        let inside = |at: u32| text.get(at as usize).is_some_and(|byte| byte & 0xc0 == 0x80);
        if inside(from) || inside(to) {
            return Err(TrapKind::BadUtf8);
        }
        // SAFETY: UTF-8, cut between characters.
        unsafe { self.strings.make(&[part]) }
    }

    /// A copy of a range of the linear memory as a `str`.
    pub fn text_at(&mut self, address: u32, len: u32) -> Result<u64, TrapKind> {
        let bytes = self.memory.as_ref().and_then(|memory| memory.slice(address, len));
        let bytes = bytes.ok_or(TrapKind::MemoryOutOfBounds)?;
        let text = core::str::from_utf8(bytes).map_err(|_| TrapKind::BadUtf8)?;
        // SAFETY: just checked.
        unsafe { self.strings.make(&[text.as_bytes()]) }
    }

    /// Frees a `str` that the VM gave up.
    pub fn free_text(&mut self, address: u64) {
        // SAFETY: the VM's count has reached 0.
        unsafe { self.strings.free(address) }
    }

    /// Drops one of the VM's references to a `str`.
    pub fn drop_text(&mut self, address: u64) {
        // SAFETY: the VM passed the reference on to the base.
        unsafe { self.strings.drop_reference(address) }
    }

    /// A zeroed `buf` for the VM.
    pub fn new_buf(&mut self, bytes: u32) -> Result<u64, TrapKind> {
        if bytes == 0 {
            return Ok(empty_buf());
        }
        Buf::new(&self.account, bytes as usize).map(|buf| self.hold(buf)).ok_or(TrapKind::Quota)
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

    /// Copies between `buf`s that the VM named; `None`, and nothing written, if a range is outside.
    pub fn copy_bufs(&mut self, to: (u64, u32), from: (u64, u32), len: u32) -> Option<()> {
        let place = |(address, offset): (u64, u32)| {
            // SAFETY: a live `buf`; the VM does not run.
            let bytes = unsafe { (*(address as *const BufHeader)).len };
            let inside = u64::from(offset) + u64::from(len) <= bytes;
            inside.then(|| (address + BUF_DATA as u64 + u64::from(offset)) as *mut u8)
        };
        let (to, from) = (place(to)?, place(from)?);
        // SAFETY: both ranges are inside live `buf`s; they may overlap.
        unsafe { core::ptr::copy(from, to, len as usize) };
        Some(())
    }
}

fn fill(memory: &mut LinearMemory, data: &[il::Data]) -> Result<(), LoadError> {
    for segment in data {
        let len = u32::try_from(segment.bytes.len()).ok();
        let to = len.and_then(|len| memory.slice_mut(segment.offset, len));
        let to = to.ok_or_else(|| LoadError::Link("a data segment lies outside the memory".into()))?;
        to.copy_from_slice(&segment.bytes);
    }
    Ok(())
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
