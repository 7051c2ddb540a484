//! A miniature base VM for tests: one instance, one thread, exits answered by Rust on the VM's stack.
//!
//! It implements the contract of `compiler::abi` independently of the real base, counts every `buf`,
//! moves every object at every chance, and turns traps into values. This file contains `unsafe`.
#![allow(dead_code)] // each test binary uses its part

pub mod build;
mod exits;
pub mod heap;
pub mod machine;
mod packets;

use std::cell::Cell;
use std::collections::HashMap;

use compiler::abi::{self, BufHeader, CapSlot, Exit, MemorySlot, VmCtx};
use compiler::{Bounds, Compiled, Cpu, Location, Opt, Options, Section, Symbol};
use il::isa::GridInstruction;
use il::packet::{MAX_ATTACHMENTS, MAX_WORDS};
use il::trap::TrapKind;
use il::{FuncId, Module, TypeId, VerifiedModule};

use heap::Heap;
use machine::{Mapping, leave, load};

/// Most capability slots.
const CAPS: usize = 64;

/// Options for tests: as on this machine, Cranelift's verifier on.
pub fn options() -> Options {
    Options { verify: true, ..Options::detect() }
}

/// The option sets that must all agree.
pub fn all_options() -> Vec<Options> {
    let mut all = Vec::new();
    for opt in [Opt::Speed, Opt::None] {
        for cpu in [Cpu::detect(), Cpu::BASELINE] {
            for bounds in [Bounds::Guard, Bounds::Explicit] {
                all.push(Options { cpu, opt, bounds, ..options() });
            }
        }
    }
    all
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    Done,
    Quit(i32),
    Trap { kind: TrapKind, message: String, line: Option<u32> },
    Device { slot: u64, opcode: u64, status: u64 },
}

/// What was sent on a channel: (slot, words, contents of attachments).
pub type Sent = (u32, Vec<u64>, Vec<Vec<u8>>);

/// A result of a device instruction, as the test's device gives it.
#[derive(Clone, Debug)]
pub enum Reply {
    Word(u64),
    /// A `v128`, low half first.
    Wide([u64; 2]),
    Str(String),
    Buf(Vec<u8>),
}

type Device = Box<dyn FnMut(&Sent) -> (u64, Vec<Reply>)>;

/// One instance of a module.
pub struct Vm {
    ctx: Box<VmCtx>,
    pub module: VerifiedModule,
    pub compiled: Compiled,
    code: Mapping,
    stack: Mapping,
    memories: Vec<Mapping>,
    memory_slots: Vec<MemorySlot>,
    dropped: Vec<bool>,
    interrupt: Box<u32>,
    globals: Vec<u64>,
    caps: Vec<CapSlot>,
    /// What objects and capabilities were attached, in words.
    shared: Vec<String>,
    packets: Vec<(Vec<u64>, Vec<u64>)>,
    literals: Vec<u64>,
    empties: (u64, u64),
    /// Where entries lie if not in `code`.
    pub entries: HashMap<FuncId, u64>,
    /// Words that an open packet holds.
    pub packet_words: usize,
    pub heap: Heap,
    /// Free words after a collection.
    room: u64,
    bufs: HashMap<u64, usize>,
    /// Rights of capabilities that were attenuated here, by slot.
    attenuated: HashMap<u64, TypeId>,
    pub revoked: Vec<u64>,
    /// Programs run elsewhere and instructions of the own set: (exit, its arguments, `values`).
    pub elsewhere: Vec<(Exit, [u64; 2], Vec<u64>)>,
    pub sent: Vec<Sent>,
    pub device: Device,
    pub yields: u32,
    pub waits: u32,
    pub failed_with: Option<u64>,
    /// The slot by which the request was handed on.
    pub forwarded: Option<usize>,
    pub flush_status: u64,
    /// Bytes of one object above which an allocation traps.
    pub quota: u64,
    /// Where the last trap or collecting exit happened, innermost frame first.
    pub frames: Vec<Location>,
    end: Option<End>,
}

thread_local! {
    static CURRENT: Cell<*mut Vm> = const { Cell::new(std::ptr::null_mut()) };
}

impl Vm {
    pub fn new(module: Module) -> Box<Vm> {
        Vm::with(module, &options())
    }

    pub fn with(module: Module, options: &Options) -> Box<Vm> {
        Vm::on_grid(module, options, &[])
    }

    /// For a closed program whose VM lends it a grid; see [`Vm::lend`].
    pub fn on_grid(module: Module, options: &Options, grid: &[GridInstruction]) -> Box<Vm> {
        let module = il::verify(module).unwrap_or_else(|error| panic!("{error}"));
        let compiled = compiler::compile_program(&module, options, grid).unwrap_or_else(|error| panic!("{error}"));
        let code = Mapping::code(compiled.code.len(), |dest, address| compiled.link_into(dest, address).unwrap());
        let bytes = |memory: &il::Memory| memory.min as usize * 65536;
        let map = |memory| Mapping::memory(compiler::GUARD_REGION_BYTES as usize, bytes(memory));
        let memories: Vec<Mapping> = module.memories.iter().map(map).collect();
        let slot =
            |(mapping, memory): (&Mapping, _)| MemorySlot { base: mapping.address(), bytes: bytes(memory) as u64 };
        let memory_slots = memories.iter().zip(&module.memories).map(slot).collect();
        for data in &module.data {
            if let Some(place) = data.place {
                memories[place.memory.index()].write(place.offset as usize, &data.bytes);
            }
        }
        let dropped = module.data.iter().map(|data| data.place.is_some()).collect();
        let mut vm = Box::new(Vm {
            // SAFETY: all fields are integers.
            ctx: Box::new(unsafe { std::mem::zeroed() }),
            compiled,
            code,
            stack: Mapping::stack(256 << 10),
            memories,
            memory_slots,
            dropped,
            interrupt: Box::new(0),
            globals: Vec::new(),
            caps: Vec::new(),
            shared: Vec::new(),
            packets: Vec::new(),
            literals: Vec::new(),
            empties: (0, 0),
            entries: HashMap::new(),
            packet_words: 64,
            heap: Heap::new(&module.types),
            room: 3,
            bufs: HashMap::new(),
            attenuated: HashMap::new(),
            revoked: Vec::new(),
            elsewhere: Vec::new(),
            sent: Vec::new(),
            device: Box::new(|_| (0, Vec::new())),
            yields: 0,
            waits: 0,
            failed_with: None,
            forwarded: None,
            flush_status: 0,
            quota: 1 << 22,
            frames: Vec::new(),
            end: None,
            module,
        });
        vm.prepare();
        vm
    }

    fn prepare(&mut self) {
        for text in self.module.strings.clone() {
            let address = self.heap.immortal_str(&text);
            self.literals.push(address);
        }
        for (func, ty) in self.compiled.func_refs.clone() {
            let code = self.compiled.start(Symbol::Func(func)).unwrap();
            let word = abi::type_word(&self.heap.hierarchy, ty) | abi::IMMORTAL;
            let code = self.code.address() + u64::from(code);
            let address = self.heap.new_fixed(vec![u64::from(word), code]);
            self.literals.push(address);
        }
        self.empties = (self.heap.immortal_str(""), self.new_buf(&[]));
        self.bufs.remove(&self.empties.1);
        self.globals = vec![0; 2 * self.module.globals.len()];
        self.caps.reserve(CAPS);
        for at in 0..=self.module.uses.len() {
            self.packets.push((vec![0; MAX_WORDS], vec![0; MAX_ATTACHMENTS]));
            self.open_slot(at);
        }
        *self.ctx = VmCtx {
            exit: machine::exit as *const () as u64,
            interrupt: &raw mut *self.interrupt as u64,
            memory_base: self.memory_slots.first().map_or(0, |memory| memory.base),
            memory_bytes: self.memory_slots.first().map_or(0, |memory| memory.bytes),
            memories: self.memory_slots.as_mut_ptr() as u64,
            globals: self.globals.as_mut_ptr() as u64,
            heap_cursor: self.heap.cursor,
            heap_limit: self.heap.cursor,
            nursery_start: self.heap.cursor,
            nursery_bytes: 0,
            caps: self.caps.as_mut_ptr() as u64,
            literals: self.literals.as_mut_ptr() as u64,
            empty_str: self.empties.0,
            empty_buf: self.empties.1,
            caller: 77,
            grid_cells: 0,
            grid_width: 0,
            grid_height: 0,
            system_sp: 0,
            vm_sp: 0,
            exit_args: [0; 8],
            values: [0; 64],
        };
        if let Some(init) = self.compiled.init_entry {
            let end = self.enter_at(self.code.address() + u64::from(init));
            assert_eq!(end, End::Done);
        }
    }

    fn open_slot(&mut self, at: usize) {
        let (words, attachments) = &mut self.packets[at];
        let start = words.as_mut_ptr() as u64;
        // No room at first: the first instruction takes the slow path.
        assert!(self.caps.len() < CAPS, "the array never moves");
        self.caps.push(CapSlot {
            cursor: start,
            end: start,
            attachments: attachments.as_mut_ptr() as u64,
            attached: 0,
            channel: 0,
            generation: 0,
        });
    }

    /// Lends a grid: rows of `width` cells.
    pub fn lend(&mut self, cells: &mut [u32], width: usize) {
        self.ctx.grid_cells = cells.as_mut_ptr() as u64;
        self.ctx.grid_width = width as u64;
        self.ctx.grid_height = (cells.len() / width) as u64;
    }

    /// Runs an exported function to its end.
    pub fn run(&mut self, name: &str, args: &[u64]) -> End {
        let func = self.module.export(name).unwrap_or_else(|| panic!("no export {name}"));
        self.enter(func, args)
    }

    pub fn enter(&mut self, func: FuncId, args: &[u64]) -> End {
        let offset = self.compiled.entry(func).expect("an entry");
        let entry = self.entries.get(&func).copied().unwrap_or(self.code.address() + u64::from(offset));
        self.ctx.values[..args.len()].copy_from_slice(args);
        self.enter_at(entry)
    }

    fn enter_at(&mut self, entry: u64) -> End {
        self.end = None;
        // What the run before attenuated is forgotten.
        self.caps.truncate(self.module.uses.len() + 1);
        self.packets.truncate(self.module.uses.len() + 1);
        CURRENT.set(self);
        machine::catch_faults();
        // SAFETY: the code was compiled from a verified module; `exit` ends the run through `leave`.
        unsafe { machine::run(&mut self.ctx, entry, self.stack.end()) };
        CURRENT.set(std::ptr::null_mut());
        self.close_packets();
        self.end.take().expect("an end")
    }

    /// Runs a function of one result.
    pub fn eval(&mut self, name: &str, args: &[u64]) -> Result<u64, TrapKind> {
        match self.run(name, args) {
            End::Done => Ok(self.ctx.values[0]),
            End::Trap { kind, .. } => Err(kind),
            End::Device { .. } => Err(TrapKind::Device),
            End::Quit(code) => panic!("it has ended with {code}"),
        }
    }

    pub fn value(&self, index: usize) -> u64 {
        self.ctx.values[index]
    }

    pub fn interrupt(&mut self) {
        *self.interrupt = compiler::abi::INTERRUPT;
    }

    /// The address and length of the code.
    pub fn code_address(&self) -> u64 {
        self.code.address()
    }

    pub fn ctx(&mut self) -> &mut VmCtx {
        &mut self.ctx
    }

    pub fn global(&self, index: usize) -> u64 {
        self.globals[2 * index]
    }

    pub fn memory(&self, range: std::ops::Range<usize>) -> Vec<u8> {
        self.memory_of(0, range)
    }

    pub fn memory_of(&self, memory: usize, range: std::ops::Range<usize>) -> Vec<u8> {
        self.memories[memory].read(range)
    }

    /// How many objects and `buf`s exist, literals and the empty ones aside, once garbage is gone.
    pub fn alive(&mut self) -> (usize, usize) {
        self.collect(&[]);
        (self.heap.count(), self.bufs.len())
    }

    // Objects.

    pub fn new_str(&mut self, text: &str) -> u64 {
        self.heap.cursor = self.ctx.heap_cursor;
        let address = self.heap.new_str(text);
        self.sync_heap();
        address
    }

    /// The text of a `str`.
    pub fn text(&mut self, address: u64) -> String {
        self.heap.cursor = self.ctx.heap_cursor;
        String::from_utf8(self.heap.text(address)).expect("UTF-8")
    }

    /// Moves all objects that globals, the arguments of the exit under way, and these words refer to.
    fn collect(&mut self, frames: &[u64]) {
        self.heap.cursor = self.ctx.heap_cursor;
        let mut roots = frames.to_vec();
        for (at, global) in self.module.globals.iter().enumerate() {
            if global.ty.is_reference() {
                roots.push(&raw const self.globals[2 * at] as u64);
            }
        }
        for buf in self.heap.collect(&roots) {
            self.free_buf(buf);
        }
        // Some room, so that both paths of an allocation are taken.
        self.room = self.room * 5 % 97;
        self.sync_heap();
    }

    fn sync_heap(&mut self) {
        self.ctx.heap_cursor = self.heap.cursor;
        self.ctx.heap_limit = self.heap.cursor + 8 * self.room;
        self.ctx.nursery_start = self.heap.nursery;
        self.ctx.nursery_bytes = self.ctx.heap_limit - self.heap.nursery;
    }

    /// The IL positions of an address and of the calls that led there, innermost first.
    fn backtrace(&self, pc: u64, mut fp: u64) -> Vec<Location> {
        let code = self.code.address();
        let mut frames = Vec::new();
        let mut at = pc;
        let section = at.checked_sub(code).and_then(|offset| self.compiled.section_at(offset as u32));
        if matches!(section, Some(Section { symbol: Symbol::Stub(_), .. })) {
            at = load(fp + 8) - 1;
            fp = load(fp);
        }
        while let Some(location) = at.checked_sub(code).and_then(|offset| self.compiled.locate(offset as u32)) {
            frames.push(location);
            at = load(fp + 8) - 1;
            fp = load(fp);
        }
        frames
    }

    /// Addresses of the words in frames that hold references, by the stack maps.
    fn frame_roots(&self, mut return_address: u64, mut fp: u64) -> Vec<u64> {
        let mut roots = Vec::new();
        let code = self.code.address()..self.code.address() + self.compiled.code.len() as u64;
        while code.contains(&return_address) {
            if let Some(map) = self.compiled.stack_maps.at((return_address - code.start) as u32) {
                let sp = fp - u64::from(map.frame_bytes);
                roots.extend(map.references.iter().map(|offset| sp + u64::from(*offset)));
            }
            return_address = load(fp + 8);
            fp = load(fp);
        }
        roots
    }

    pub fn new_buf(&mut self, bytes: &[u8]) -> u64 {
        let words = 2 + bytes.len().div_ceil(8);
        let mut object = vec![0u64; words].into_boxed_slice();
        object[0] = bytes.len() as u64;
        let address = Box::into_raw(object) as *mut u64 as u64;
        self.bufs.insert(address, words);
        self.buf_mut(address).copy_from_slice(bytes);
        address
    }

    fn buf_mut(&mut self, address: u64) -> &mut [u8] {
        assert!(self.bufs.contains_key(&address) || address == self.empties.1, "a dead buf {address:#x}");
        // SAFETY: alive, as asserted.
        unsafe {
            let header = &*(address as *const BufHeader);
            std::slice::from_raw_parts_mut((address as *mut u8).add(size_of::<BufHeader>()), header.len as usize)
        }
    }

    /// The contents of a `buf`, which is freed.
    pub fn take_buf(&mut self, address: u64) -> Vec<u8> {
        let bytes = self.buf_mut(address).to_vec();
        self.free_buf(address);
        bytes
    }

    fn free_buf(&mut self, address: u64) {
        if address != self.empties.1 {
            let words = self.bufs.remove(&address).expect("a buf is freed once");
            // SAFETY: from `new_buf`, alive until now.
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(address as *mut u64, words)) });
        }
    }

    /// Ends the run, from an exit.
    fn leave_with(&mut self, end: End) -> ! {
        self.end = Some(end);
        // SAFETY: within `run`, and nothing with a destructor is alive.
        unsafe { leave(&mut *self.ctx) }
    }

    /// What a fault at `pc` means; `None` if it is not in this VM's code.
    fn fault_at(&mut self, pc: u64, address: u64, fp: u64) -> Option<()> {
        let offset = u32::try_from(pc.checked_sub(self.code.address())?).ok()?;
        self.compiled.section_at(offset)?;
        let kind = match self.compiled.trap_at(offset) {
            Some(kind) => kind,
            None if self.stack.is_guard(address) => TrapKind::StackOverflow,
            None => return None,
        };
        self.frames = if kind == TrapKind::StackOverflow { Vec::new() } else { self.backtrace(pc, fp) };
        let line = self.compiled.locate(offset).and_then(|at| self.module.line_at(at.func, at.body_offset));
        self.end = Some(End::Trap { kind, message: String::new(), line });
        Some(())
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        for address in self.bufs.keys().copied().collect::<Vec<_>>() {
            self.free_buf(address);
        }
    }
}

/// Called by the code under test.
pub(crate) extern "sysv64" fn on_exit(_ctx: *mut VmCtx, code: u64, return_address: u64, fp: u64) -> u64 {
    // SAFETY: set by `enter` on this thread, and `enter` does not touch the VM meanwhile.
    unsafe { (*CURRENT.get()).exit(code, return_address, fp) }
}

/// Called from the signal handler: the context to leave, if the fault is the code's.
pub(crate) fn on_fault(pc: u64, address: u64, fp: u64) -> Option<*mut VmCtx> {
    let vm = CURRENT.get();
    if vm.is_null() {
        return None;
    }
    // SAFETY: as in `on_exit`; the fault happened in generated code, so no Rust code is in between.
    unsafe { (*vm).fault_at(pc, address, fp).map(|()| &raw mut *(*vm).ctx) }
}

/// A module from text.
pub fn text(source: &str) -> Module {
    il::text::compile("test.il", source, &[]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// Compares with a file under `tests/golden`, or rewrites it if `UPDATE_GOLDEN` is set.
pub fn golden(name: &str, actual: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} has changed; UPDATE_GOLDEN=1 rewrites it. Now:\n{actual}");
}
