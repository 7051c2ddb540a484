//! Programs: a verified module with its machine code, ready for any number of instances.
//! `unsafe`: writes the code region, once, before it is sealed.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::fmt;

use compiler::abi::{BufHeader, IMMORTAL, KIND_SHIFT, type_word};
use compiler::{Compiled, ConstantArray, FrameMap, Location, Symbol};
use il::packet::MAX_OPERANDS;
use il::verify::VerifiedModule;
use il::{FuncId, Hierarchy, Module, ProgramId, Type};

use super::raw::Shared;
use super::stack::SpareStacks;
use super::{PlatformRef, TrapReport};
use crate::heap::{FrozenRegion, TypeTable};
use crate::platform::{Access, OutOfMemory, PAGE_BYTES, Region};

/// Why a module could not be loaded, or a VM not be created.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The platform has no more memory.
    OutOfMemory,
    /// The platform has no more address space: each linear memory takes so much, however small it is.
    AddressSpace {
        /// Bytes of address space that one takes.
        bytes: u64,
    },
    /// The VM's memory quota does not cover what it needs at start.
    Quota {
        /// Bytes that it needs at start.
        needed: u64,
        /// Bytes that it may use.
        limit: u64,
    },
    /// The machine code could not be linked.
    Link(String),
    /// The initial values of the globals could not be made.
    Globals(Box<TrapReport>),
    /// More cores run VMs at once than the engine has room for.
    TooManyCores,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::OutOfMemory => f.write_str("out of memory: the platform has no pages left for this VM"),
            LoadError::Quota { needed, limit } => write!(
                f,
                "the VM needs {needed} bytes of memory at start, but its quota is {limit}; \
                 give it more memory in the system manifest, or lower the module's `memory`"
            ),
            LoadError::AddressSpace { bytes } => write!(
                f,
                "the platform has no {bytes} bytes of address space left, which each linear memory takes, however \
                 small it is; run fewer VMs, or give the module fewer memories"
            ),
            LoadError::Link(why) => write!(f, "machine code cannot be linked: {why}"),
            LoadError::Globals(report) => write!(f, "the initial values of the globals cannot be made: {report}"),
            LoadError::TooManyCores => f.write_str("too many cores run VMs at once; use fewer threads"),
        }
    }
}

impl core::error::Error for LoadError {}

impl From<OutOfMemory> for LoadError {
    fn from(_: OutOfMemory) -> Self {
        LoadError::OutOfMemory
    }
}

/// The `buf` of length 0 that stands for every empty result; nobody's, never freed.
#[repr(align(16))]
struct EmptyBuf(BufHeader);

static EMPTY_BUF: EmptyBuf = EmptyBuf(BufHeader { len: 0, owner: 0 });

/// Address of the empty `buf`.
pub(super) fn empty_buf() -> u64 {
    &raw const EMPTY_BUF.0 as u64
}

/// A region that is given back when dropped.
pub(super) struct Pages {
    platform: PlatformRef,
    region: Option<Region>,
    base: u64,
    bytes: u64,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({:#x}..{:#x})", self.base, self.end())
    }
}

impl Pages {
    /// Reserves address space without access.
    pub fn reserve(platform: PlatformRef, bytes: usize) -> Result<Pages, OutOfMemory> {
        let region = platform.reserve(bytes)?;
        let (base, bytes) = (region.base as u64, region.bytes as u64);
        Ok(Pages { platform, region: Some(region), base, bytes })
    }

    /// First address.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The address after the last.
    pub fn end(&self) -> u64 {
        self.base + self.bytes
    }

    /// Changes the access of a range of byte offsets.
    pub fn protect(&self, range: core::ops::Range<usize>, access: Access) -> Result<(), OutOfMemory> {
        let region = self.region.as_ref().ok_or(OutOfMemory)?;
        if range.is_empty() { Ok(()) } else { self.platform.protect(region, range, access) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(region) = self.region.take() {
            self.platform.release(region);
        }
    }
}

/// What `VmCtx::literals` lists: the module's texts, and its function references.
#[derive(Debug)]
struct Literals {
    texts: Arc<FrozenRegion>,
    /// Two words an object: header and code address.
    _functions: Shared<u64>,
    table: Shared<u64>,
    empty: u64,
}

impl Literals {
    fn new(module: &Module, hierarchy: &Hierarchy, compiled: &Compiled, code: u64) -> Option<Literals> {
        let texts = module.strings.iter().map(String::as_str).chain([""]);
        let (texts, mut table) = FrozenRegion::literals(texts)?;
        let empty = table.pop()?;
        let mut functions = Vec::new();
        for (func, ty) in &compiled.func_refs {
            let start = compiled.start(Symbol::Func(*func))?;
            functions.push(u64::from(type_word(hierarchy, *ty) | IMMORTAL));
            functions.push(code + u64::from(start));
        }
        let functions = Shared::new(functions);
        let objects = (0..compiled.func_refs.len() as u64).map(|index| functions.address() + 16 * index);
        table.extend(objects);
        Some(Literals { texts, _functions: functions, table: Shared::new(table), empty })
    }
}

/// Whether values of this type are numbers of one word.
pub(super) fn is_number(ty: Type) -> bool {
    matches!(ty, Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::Bool)
}

fn plain(module: &Module, compiled: &Compiled, code: u64) -> Vec<Option<Plain>> {
    let plain = |(at, func): (usize, &il::Func)| {
        let (params, results) = (&func.sig.params, &func.sig.results);
        let few = params.len() <= MAX_OPERANDS && results.len() <= MAX_OPERANDS;
        if !few || !params.iter().chain(results).all(|ty| is_number(*ty)) {
            return None;
        }
        let entry = code + u64::from(compiled.entry(FuncId(at as u32))?);
        Some(Plain { entry, params: params.len(), results: results.len() })
    };
    module.funcs.iter().enumerate().map(plain).collect()
}

/// What an array of constants holds.
#[derive(Debug)]
pub(super) struct ArrayContents {
    /// Its kind number.
    pub kind: u32,
    /// How many elements it has.
    pub len: u32,
    /// The elements as they stand in an object.
    pub bytes: Vec<u8>,
}

/// Moves them out of the compiled code, with the addresses of literals in them.
fn arrays(hierarchy: &Hierarchy, compiled: &mut Compiled, literals: &Literals) -> Option<Vec<ArrayContents>> {
    let arrays = core::mem::take(&mut compiled.arrays).into_iter();
    let array = |array: ConstantArray| {
        let kind = type_word(hierarchy, array.ty) >> KIND_SHIFT;
        let bytes = array.contents(|literal| literals.table.get(usize::try_from(literal).ok()?))?;
        Some(ArrayContents { kind, len: array.len, bytes })
    };
    arrays.map(array).collect()
}

/// What runs a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Engine {
    /// Machine code.
    #[default]
    Jit,
    /// The reference interpreter: slow, and needs neither a compiler nor executable memory.
    Interpreter,
}

/// A device program as it travels.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Names it where it was sent before.
    pub identity: [u8; 32],
    /// The closed program (`il::program`), encoded.
    pub bytes: Vec<u8>,
}

/// A verified module, with its machine code unless it is to be interpreted.
#[derive(Debug)]
pub struct Program {
    engine: Engine,
    module: Arc<VerifiedModule>,
    compiled: Compiled,
    code: Pages,
    code_bytes: u64,
    literals: Literals,
    types: Arc<TypeTable>,
    /// What arrays of constants hold.
    arrays: Vec<ArrayContents>,
    /// Indices of the globals that hold references.
    reference_globals: Vec<usize>,
    /// By function: how it is entered, if its parameters and results are numbers.
    plain: Vec<Option<Plain>>,
    spare_stacks: Arc<SpareStacks>,
    /// Its device programs, cut out when they are first sent.
    closed: Vec<OnceCell<Option<Closed>>>,
}

/// An entry whose parameters and results are numbers, a word each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    /// Its address.
    pub entry: u64,
    pub params: usize,
    pub results: usize,
}

impl Program {
    /// Links the code into a region of its own and seals it.
    ///
    /// # Errors
    /// If the platform has no memory, or the code does not link.
    pub fn load(
        platform: PlatformRef,
        module: impl Into<Arc<VerifiedModule>>,
        compiled: Compiled,
    ) -> Result<Arc<Program>, LoadError> {
        Program::place(platform, module.into(), compiled, Engine::Jit)
    }

    /// A program without machine code: its VMs are interpreted.
    ///
    /// # Errors
    /// If the platform has no memory.
    pub fn interpreted(
        platform: PlatformRef,
        module: impl Into<Arc<VerifiedModule>>,
    ) -> Result<Arc<Program>, LoadError> {
        Program::place(platform, module.into(), Compiled::default(), Engine::Interpreter)
    }

    #[allow(clippy::arc_with_non_send_sync)] // shared between VMs of one core now, of several later
    fn place(
        platform: PlatformRef,
        module: Arc<VerifiedModule>,
        mut compiled: Compiled,
        engine: Engine,
    ) -> Result<Arc<Program>, LoadError> {
        let code_bytes = compiled.code.len();
        let region_bytes = code_bytes.max(1).next_multiple_of(PAGE_BYTES);
        let code = Pages::reserve(platform, region_bytes)?;
        code.protect(0..region_bytes, Access::ReadWrite)?;
        // SAFETY: the region is this program's own, just made writable, and nobody else knows it.
        let dest = unsafe { core::slice::from_raw_parts_mut(code.base() as *mut u8, region_bytes) };
        // What no function covers is a breakpoint, not zeros.
        dest[code_bytes..].fill(0xcc);
        compiled.link_into(dest, code.base()).map_err(|error| LoadError::Link(error.to_string()))?;
        compiled.code = Vec::new(); // from here on the region is the only copy
        code.protect(0..region_bytes, Access::Execute)?;
        let types = TypeTable::new(Hierarchy::new(&module.types));
        let literals = Literals::new(&module, types.hierarchy(), &compiled, code.base());
        let literals = literals.ok_or(LoadError::OutOfMemory)?;
        let arrays = arrays(types.hierarchy(), &mut compiled, &literals);
        let arrays = arrays.ok_or_else(|| LoadError::Link("an array of constants names no literal".into()))?;
        let globals = module.globals.iter().enumerate();
        let reference_globals = globals.filter(|(_, global)| global.ty.is_reference()).map(|(at, _)| at).collect();
        let code_bytes = code_bytes as u64;
        let closed = module.programs.iter().map(|_| OnceCell::new()).collect();
        let plain = plain(&module, &compiled, code.base());
        Ok(Arc::new(Program {
            engine,
            module,
            compiled,
            code,
            code_bytes,
            literals,
            types,
            arrays,
            reference_globals,
            plain,
            closed,
            spare_stacks: Arc::default(),
        }))
    }

    /// One of its device programs as it travels; `None` if there is no such program.
    pub(crate) fn closed(&self, program: usize) -> Option<&Closed> {
        let id = ProgramId(u32::try_from(program).ok()?);
        let closed = || {
            let module = il::program::extract(&self.module, id)?;
            Some(Closed { identity: il::binary::identity(&module), bytes: il::binary::encode(&module) })
        };
        self.closed.get(program)?.get_or_init(closed).as_ref()
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The module, as verified.
    pub(crate) fn verified(&self) -> &VerifiedModule {
        &self.module
    }

    /// What runs it.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The length of its machine code in bytes; 0 if it is interpreted.
    pub fn code_bytes(&self) -> u64 {
        self.code_bytes
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Address of a function's entry, if it can be entered from outside.
    pub(super) fn entry(&self, func: FuncId) -> Option<u64> {
        self.compiled.entry(func).map(|offset| self.code.base() + u64::from(offset))
    }

    /// How a function of numbers is entered from outside.
    pub(super) fn plain(&self, func: FuncId) -> Option<Plain> {
        self.plain.get(func.index()).copied().flatten()
    }

    /// Stacks of its VMs that have ended.
    pub(super) fn spare_stacks(&self) -> &Arc<SpareStacks> {
        &self.spare_stacks
    }

    /// Address of the code that gives globals their initial values, if there are any.
    pub(super) fn init_entry(&self) -> Option<u64> {
        self.compiled.init_entry.map(|offset| self.code.base() + u64::from(offset))
    }

    /// Where the frame whose call returns to an address holds references.
    pub(super) fn frame_map(&self, return_address: u64) -> Option<FrameMap<'_>> {
        let offset = return_address.checked_sub(self.code.base())?;
        self.compiled.stack_maps.at(u32::try_from(offset).ok()?)
    }

    /// Types of its objects.
    pub(super) fn types(&self) -> &Arc<TypeTable> {
        &self.types
    }

    /// What an array of constants holds.
    pub(super) fn array(&self, number: usize) -> Option<&ArrayContents> {
        self.arrays.get(number)
    }

    /// Its literal texts, as heaps know them.
    pub(super) fn texts(&self) -> &Arc<FrozenRegion> {
        &self.literals.texts
    }

    /// Indices of the globals that hold references.
    pub(super) fn reference_globals(&self) -> &[usize] {
        &self.reference_globals
    }

    /// The code offset of an address in this program's code.
    pub(super) fn code_offset(&self, pc: u64) -> Option<u32> {
        let offset = pc.checked_sub(self.code.base())?;
        if offset < self.code_bytes { u32::try_from(offset).ok() } else { None }
    }

    /// The place in the IL of an address in this program's code.
    pub(super) fn locate(&self, pc: u64) -> Option<Location> {
        self.compiled.locate(self.code_offset(pc)?)
    }

    /// Address of the array of literals.
    pub(super) fn literals(&self) -> u64 {
        self.literals.table.address()
    }

    /// Address of the empty `str`.
    pub(super) fn empty_str(&self) -> u64 {
        self.literals.empty
    }
}
