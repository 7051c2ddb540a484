//! Signals as faults of IL code. `unsafe`: signal handlers, their stacks, and the interrupted context.

use std::cell::OnceCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::{Once, OnceLock};
use std::{mem, ptr};

use basevm::engine::fault::{TrapEntry, on_fault};
use basevm::platform::{PAGE_BYTES, Region};

use super::memory;

/// The signals that a fault can become.
const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// The stack that a handler runs on: it is small, the saved processor state may not be.
const HANDLER_STACK_BYTES: usize = 128 * 1024;

/// What was installed before, by number in [`SIGNALS`].
static PREVIOUS: OnceLock<[libc::sigaction; 4]> = OnceLock::new();

/// Installs the handlers, once a process.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all zeros is a valid `sigaction`.
        let mut previous: [libc::sigaction; 4] = unsafe { mem::zeroed() };
        let handler = on_signal as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        // A handler may run as soon as it is installed: what it falls back to has to be known before.
        for (signal, previous) in SIGNALS.iter().zip(&mut previous) {
            // SAFETY: reads the current action.
            unsafe { libc::sigaction(*signal, ptr::null(), previous) };
        }
        let _ = PREVIOUS.set(previous);
        for signal in SIGNALS {
            // SAFETY: a complete action; the handler is async-signal-safe.
            let result = unsafe {
                let mut action: libc::sigaction = mem::zeroed();
                action.sa_sigaction = handler as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaction(signal, &action, ptr::null_mut())
            };
            assert_eq!(result, 0, "the handler for signal {signal} cannot be installed");
        }
    });
}

/// A thread's stack for handlers; taken away and freed when the thread ends.
struct HandlerStack {
    region: Option<Region>,
    previous: libc::stack_t,
}

/// Gives this thread a stack for handlers, if it has none from here yet.
pub(super) fn attach_thread() {
    thread_local!(static STACK: OnceCell<HandlerStack> = const { OnceCell::new() });
    // While the thread ends nothing more is needed.
    let _ = STACK.try_with(|stack| {
        stack.get_or_init(HandlerStack::install);
    });
}

impl HandlerStack {
    fn install() -> HandlerStack {
        let bytes = HANDLER_STACK_BYTES + PAGE_BYTES;
        let region = memory::reserve(bytes).expect("memory for a signal handler's stack");
        let usable = PAGE_BYTES..bytes;
        memory::protect(&region, usable, basevm::platform::Access::ReadWrite)
            .expect("memory for a signal handler's stack");
        let stack = libc::stack_t {
            ss_sp: (region.base + PAGE_BYTES) as *mut c_void,
            ss_flags: 0,
            ss_size: HANDLER_STACK_BYTES,
        };
        let mut previous = MaybeUninit::uninit();
        // SAFETY: the stack lives until it is replaced, in `drop`.
        let result = unsafe { libc::sigaltstack(&stack, previous.as_mut_ptr()) };
        assert_eq!(result, 0, "a stack for signal handlers cannot be installed");
        // SAFETY: filled in by the call, which succeeded.
        HandlerStack { region: Some(region), previous: unsafe { previous.assume_init() } }
    }
}

impl Drop for HandlerStack {
    fn drop(&mut self) {
        // SAFETY: what was installed before this one, so ours is unused afterwards.
        let replaced = unsafe { libc::sigaltstack(&self.previous, ptr::null_mut()) } == 0;
        if let Some(region) = self.region.take().filter(|_| replaced) {
            memory::release(region);
        }
    }
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes both, for the time of the handler.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    let registers = &mut context.uc_mcontext.gregs;
    let register = |index: c_int| registers[index as usize] as u64;
    let is_access = signal == libc::SIGSEGV || signal == libc::SIGBUS;
    let entry = TrapEntry {
        pc: register(libc::REG_RIP),
        sp: register(libc::REG_RSP),
        fp: register(libc::REG_RBP),
        // SAFETY: these signals carry an address.
        address: is_access.then(|| unsafe { info.si_addr() } as u64),
    };
    match on_fault(entry) {
        Some(landing) => {
            registers[libc::REG_RIP as usize] = landing.pc as i64;
            registers[libc::REG_RSP as usize] = landing.sp as i64;
            registers[libc::REG_RDI as usize] = landing.arg as i64;
        }
        None => fall_back(signal, entry),
    }
}

/// Not a VM's fault: what was installed before gets it, when the instruction is tried again.
fn fall_back(signal: c_int, entry: TrapEntry) {
    let mut line = *b"cascade: a fault outside of VM code, at 0x0000000000000000: this is a bug in Cascade\n";
    let digits = line.iter().position(|byte| *byte == b'x').unwrap_or(0) + 1;
    for (at, place) in line[digits..digits + 16].iter_mut().enumerate() {
        *place = b"0123456789abcdef"[(entry.pc >> (60 - 4 * at) & 15) as usize];
    }
    let previous = SIGNALS.iter().position(|known| *known == signal).and_then(|at| PREVIOUS.get()?.get(at));
    // SAFETY: both calls are async-signal-safe; the action was valid before.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
        match previous {
            Some(previous) => libc::sigaction(signal, previous, ptr::null_mut()),
            None => libc::abort(),
        };
    }
}
