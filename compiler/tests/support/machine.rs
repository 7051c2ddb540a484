//! Memory mappings, the switch to the VM's stack and back, and faults as values. Contains `unsafe`.

use std::arch::global_asm;
use std::ops::Range;
use std::ptr::null_mut;

use compiler::abi::VmCtx;

/// Pages that are unmapped when dropped.
pub struct Mapping {
    base: *mut u8,
    bytes: usize,
}

const GUARD_BYTES: usize = 64 << 10;

impl Mapping {
    fn reserve(bytes: usize) -> Mapping {
        let bytes = bytes.next_multiple_of(4096);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping.
        let base = unsafe { libc::mmap(null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(base, libc::MAP_FAILED);
        Mapping { base: base.cast(), bytes }
    }

    fn protect(&self, range: Range<usize>, access: i32) {
        if !range.is_empty() {
            // SAFETY: a range of this mapping.
            let answer = unsafe { libc::mprotect(self.base.add(range.start).cast(), range.len(), access) };
            assert_eq!(answer, 0);
        }
    }

    /// Code, written once, then sealed: never writable and executable at once.
    pub fn code(bytes: usize, write: impl FnOnce(&mut [u8], u64)) -> Mapping {
        let mapping = Mapping::reserve(bytes);
        mapping.protect(0..mapping.bytes, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: mapped and writable.
        write(unsafe { std::slice::from_raw_parts_mut(mapping.base, mapping.bytes) }, mapping.address());
        mapping.protect(0..mapping.bytes, libc::PROT_READ | libc::PROT_EXEC);
        mapping
    }

    /// A stack above a guard.
    pub fn stack(bytes: usize) -> Mapping {
        let mapping = Mapping::reserve(GUARD_BYTES + bytes);
        mapping.protect(GUARD_BYTES..mapping.bytes, libc::PROT_READ | libc::PROT_WRITE);
        mapping
    }

    /// A linear memory in its guard region.
    pub fn memory(reserved: usize, open: usize) -> Mapping {
        let mapping = Mapping::reserve(reserved);
        mapping.open(open);
        mapping
    }

    pub fn open(&self, bytes: usize) {
        self.protect(0..bytes, libc::PROT_READ | libc::PROT_WRITE);
    }

    pub fn address(&self) -> u64 {
        self.base as u64
    }

    pub fn end(&self) -> u64 {
        self.base as u64 + self.bytes as u64
    }

    pub fn is_guard(&self, address: u64) -> bool {
        (self.address()..self.address() + GUARD_BYTES as u64).contains(&address)
    }

    pub fn read(&self, range: Range<usize>) -> Vec<u8> {
        // SAFETY: callers stay in the open part.
        unsafe { std::slice::from_raw_parts(self.base.add(range.start), range.len()).to_vec() }
    }

    pub fn write(&self, at: usize, bytes: &[u8]) {
        // SAFETY: callers stay in the open part.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(at), bytes.len()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `reserve`, and no longer used.
        unsafe { libc::munmap(self.base.cast(), self.bytes) };
    }
}

global_asm!(
    ".global compiler_test_run",
    "compiler_test_run:", // (ctx, entry, stack top)
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rdi + {system_sp}], rsp",
    "mov rsp, rdx",
    "xor ebp, ebp",
    "call rsi",
    "ud2",
    ".global compiler_test_leave",
    "compiler_test_leave:", // (ctx)
    "mov rsp, [rdi + {system_sp}]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".global compiler_test_exit",
    "compiler_test_exit:", // (ctx, code): checks the stack's alignment, then Rust with where the frames are
    "test rsp, 7",
    "jnz 1f",
    "mov rax, rsp",
    "and eax, 15",
    "cmp eax, 8",
    "jne 1f",
    "mov rdx, [rsp]",
    "mov rcx, rbp",
    "jmp {on_exit}",
    "1:",
    "ud2",
    system_sp = const compiler::abi::offset::SYSTEM_SP,
    on_exit = sym super::on_exit,
);

unsafe extern "sysv64" {
    #[link_name = "compiler_test_run"]
    fn run_asm(ctx: *mut VmCtx, entry: u64, stack: u64);
    #[link_name = "compiler_test_leave"]
    fn leave_asm(ctx: *mut VmCtx) -> !;
    #[link_name = "compiler_test_exit"]
    pub fn exit(ctx: *mut VmCtx, code: u64) -> u64;
}

/// Runs code on a stack until it leaves.
///
/// # Safety
/// `entry` is the address of an entry compiled for `ctx`.
pub unsafe fn run(ctx: &mut VmCtx, entry: u64, stack: u64) {
    // SAFETY: as promised.
    unsafe { run_asm(ctx, entry, stack) }
}

/// Returns from the [`run`] of this context.
///
/// # Safety
/// A run of `ctx` is under way on this thread; what its frames hold is forgotten.
pub unsafe fn leave(ctx: *mut VmCtx) -> ! {
    // SAFETY: as promised.
    unsafe { leave_asm(ctx) }
}

/// The word at an address.
pub fn load(address: u64) -> u64 {
    // SAFETY: callers name words of a test's heap, stack or context, which are mapped and aligned.
    unsafe { (address as *const u64).read_volatile() }
}

/// Stores a word.
pub fn store(address: u64, word: u64) {
    // SAFETY: as in `load`; all of these are writable.
    unsafe { (address as *mut u64).write_volatile(word) };
}

/// Stores the same word many times.
pub fn fill(address: u64, words: usize, word: u64) {
    // SAFETY: as in `store`.
    unsafe { std::slice::from_raw_parts_mut(address as *mut u64, words) }.fill(word);
}

/// Makes faults of generated code end its run. Once a thread.
pub fn catch_faults() {
    thread_local! {
        static DONE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    if DONE.replace(true) {
        return;
    }
    let stack = Box::leak(vec![0u8; 64 << 10].into_boxed_slice());
    let alternate = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    // SAFETY: the stack lives for ever; the handler is async-signal-safe enough for a test.
    unsafe {
        assert_eq!(libc::sigaltstack(&alternate, null_mut()), 0);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
            assert_eq!(libc::sigaction(signal, &action, null_mut()), 0);
        }
    }
}

extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes both; the registers are those of the interrupted code.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let pc = registers[libc::REG_RIP as usize] as u64;
        let fp = registers[libc::REG_RBP as usize] as u64;
        match super::on_fault(pc, (*info).si_addr() as u64, fp) {
            Some(ctx) => {
                registers[libc::REG_RIP as usize] = leave_asm as *const () as i64;
                registers[libc::REG_RDI as usize] = ctx as i64;
            }
            None => {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}
