//! Fault lookup: turns a signal or an exception in JIT code into a trap of its VM.
//! `unsafe`: runs inside signal and exception handlers, on another's data.
//!
//! Invariants:
//!
//! - [`on_fault`] is async-signal-safe: it takes no lock, allocates nothing and only reads, but for the
//!   record of the fault, which nothing else touches while the VM runs.
//! - A fault counts as the VM's only if its place and its address explain it: the guard page below the
//!   VM's stack, touched by its code or by the exit's pushes; or an instruction that the compiler has
//!   recorded as trapping, with no address or one inside a region of the VM's own memories. All else is a
//!   bug of the base or of the compiler, to be reported by the platform.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::cell::Cell;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use compiler::abi::VmCtx;
use il::trap::TrapKind;

use super::{Program, switch};

/// What the platform's signal or exception handler knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrapEntry {
    /// Address of the instruction that faulted (rip).
    pub pc: u64,
    /// Its stack pointer (rsp).
    pub sp: u64,
    /// Its frame pointer (rbp).
    pub fp: u64,
    /// For memory faults (page fault, SIGSEGV, SIGBUS): the address accessed. `None` for all others.
    pub address: Option<u64>,
}

/// Where the handler makes the core go on: rip = `pc`, rsp = `sp`, rdi = `arg`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Landing {
    /// Instruction pointer.
    pub pc: u64,
    /// Stack pointer.
    pub sp: u64,
    /// First argument (rdi).
    pub arg: u64,
}

/// A fault on its way from the handler to the base loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub kind: TrapKind,
    pub pc: u64,
    pub fp: u64,
}

/// What a handler has to know of a VM.
#[derive(Debug)]
pub(super) struct Running {
    pub program: Arc<Program>,
    pub ctx: *const VmCtx,
    /// The guard pages below the stack.
    pub guard: Range<u64>,
    /// All address space reserved for linear memories, a range each.
    pub memories: Box<[Range<u64>]>,
    pub fault: Cell<Option<Fault>>,
}

impl Running {
    fn classify(&self, entry: &TrapEntry) -> Option<TrapKind> {
        let exit = switch::exit as *const () as u64;
        let in_exit = (exit..exit + switch::EXIT_PUSH_BYTES).contains(&entry.pc);
        let in_code = self.program.code_offset(entry.pc);
        if let Some(address) = entry.address {
            if self.guard.contains(&address) && (in_exit || in_code.is_some()) {
                return Some(TrapKind::StackOverflow);
            }
            if !self.memories.iter().any(|memory| memory.contains(&address)) {
                return None;
            }
        }
        self.program.compiled().trap_at(in_code?)
    }
}

/// Cores that can run VMs at once; on the parent OS a core is a thread.
const CORES: usize = 64;

/// One core: who runs on it. Cores are told apart by their interrupt word's address, and found in a
/// handler by the stack pointer, so a handler needs no thread-local storage.
#[derive(Debug)]
pub(super) struct Core {
    word: AtomicUsize,
    leases: AtomicUsize,
    stack_from: AtomicU64,
    /// 0 while no VM runs.
    stack_to: AtomicU64,
    running: AtomicPtr<Running>,
}

static TABLE: [Core; CORES] = [const {
    Core {
        word: AtomicUsize::new(0),
        leases: AtomicUsize::new(0),
        stack_from: AtomicU64::new(0),
        stack_to: AtomicU64::new(0),
        running: AtomicPtr::new(ptr::null_mut()),
    }
}; CORES];

/// Serialises claims of cores only.
static CLAIM: spin::Mutex<()> = spin::Mutex::new(());

/// The right to run on a core; held by each instance.
#[derive(Debug)]
pub(super) struct CoreLease(&'static Core);

impl CoreLease {
    /// The core of this interrupt word; `None` if there are too many cores.
    pub fn claim(word: &'static AtomicU32) -> Option<CoreLease> {
        let word = ptr::from_ref(word) as usize;
        let _guard = CLAIM.lock();
        let leased = |core: &&Core| core.leases.load(Ordering::Relaxed) > 0;
        let mine = TABLE.iter().filter(leased).find(|core| core.word.load(Ordering::Relaxed) == word);
        let core = mine.or_else(|| TABLE.iter().find(|core| !leased(core)))?;
        core.word.store(word, Ordering::Relaxed);
        core.leases.fetch_add(1, Ordering::Relaxed);
        Some(CoreLease(core))
    }

    /// Calls `run` with faults on this stack going to `running`.
    pub fn run(&self, stack: Range<u64>, running: *const Running, run: impl FnOnce() -> u64) -> u64 {
        let core = self.0;
        core.running.store(running.cast_mut(), Ordering::Relaxed);
        core.stack_from.store(stack.start, Ordering::Relaxed);
        core.stack_to.store(stack.end, Ordering::Release);
        let code = run();
        core.stack_to.store(0, Ordering::Release);
        code
    }
}

impl Drop for CoreLease {
    fn drop(&mut self) {
        let _guard = CLAIM.lock();
        self.0.leases.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Called by the platform's signal or exception handler. `None`: the fault is not a VM's; the
/// platform reports a bug and halts. Else the VM that ran has trapped: the handler goes on as told.
pub fn on_fault(entry: TrapEntry) -> Option<Landing> {
    let ours = |core: &&Core| {
        let to = core.stack_to.load(Ordering::Acquire);
        (core.stack_from.load(Ordering::Relaxed)..to).contains(&entry.sp)
    };
    let core = TABLE.iter().find(ours)?;
    // SAFETY: the stack pointer lies in this core's VM stack, so the core is this thread's, stopped in
    // `CoreLease::run`, whose caller keeps `running` and its `ctx` alive.
    let (running, system_sp) = unsafe {
        let running = core.running.load(Ordering::Relaxed).as_ref()?;
        (running, (*running.ctx).system_sp)
    };
    let kind = running.classify(&entry)?;
    running.fault.set(Some(Fault { kind, pc: entry.pc, fp: entry.fp }));
    Some(Landing { pc: switch::landing as *const () as u64, sp: system_sp, arg: switch::FAULTED })
}
