//! From bytes to programs: decode, verify, compile (unless modules are interpreted), and remember.
//!
//! Invariants: what is compiled was verified; a module that is in use is never compiled a second
//! time while the cache has room; the cache is bounded, and what it drops lives on in its users.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Display;

use basevm::engine::{PlatformRef, Program};
use basevm::system::{Compiling, Loader, Loading};
use compiler::{Bounds, Compilation, Options};
use il::isa::GridInstruction;
use il::verify::VerifiedModule;
use spin::Mutex;

use crate::plan::Engine;

/// Most programs that are remembered.
pub const MAX_PROGRAMS: usize = 64;

/// Turns bytes into programs; equal modules become one program.
pub struct ModuleLoader {
    platform: PlatformRef,
    engine: Engine,
    options: Options,
    cache: Arc<Mutex<Cache>>,
}

/// What a program was made of: two with equal keys have the same code.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Key {
    /// The module's identity.
    module: [u8; 32],
    /// The instructions that it has as stores and loads.
    grid: Vec<GridInstruction>,
    /// How its memory accesses are checked.
    bounds: Bounds,
}

impl Key {
    fn new(module: [u8; 32], grid: &[GridInstruction], bounds: Bounds) -> Key {
        Key { module, grid: grid.to_vec(), bounds }
    }
}

/// Programs by the identity of their module, with the time of their last use.
#[derive(Default)]
struct Cache {
    programs: BTreeMap<Key, (u64, Arc<Program>)>,
    time: u64,
}

impl Cache {
    fn find(&mut self, key: &Key) -> Option<Arc<Program>> {
        self.time += 1;
        let (used, program) = self.programs.get_mut(key)?;
        *used = self.time;
        Some(program.clone())
    }

    /// Remembers a program; the one that was not used for longest makes room for it.
    fn keep(&mut self, key: Key, program: &Arc<Program>) {
        self.time += 1;
        self.programs.insert(key, (self.time, program.clone()));
        if self.programs.len() > MAX_PROGRAMS
            && let Some((oldest, _)) = self.programs.iter().min_by_key(|(_, (used, _))| *used)
        {
            let oldest = oldest.clone();
            self.programs.remove(&oldest);
        }
    }
}

impl ModuleLoader {
    /// A loader for the processor that it runs on.
    pub fn new(platform: PlatformRef, engine: Engine) -> ModuleLoader {
        ModuleLoader { platform, engine, options: Options::detect(), cache: Arc::default() }
    }
}

impl Loader for ModuleLoader {
    fn begin(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Loading, String> {
        let module = il::binary::decode(bytes).map_err(|why| said("its module is damaged", &why))?;
        let key = Key::new(il::binary::identity(&module), &[], bounds);
        if let Some(program) = self.cache.lock().find(&key) {
            return Ok(Loading::Ready(program));
        }
        let module = il::verify::verify(module).map_err(|why| said("its module is refused by the verifier", &why))?;
        self.compile(Arc::new(module), key)
    }

    fn begin_program(
        &mut self,
        module: Arc<VerifiedModule>,
        grid: &[GridInstruction],
        bounds: Bounds,
    ) -> Result<Loading, String> {
        let key = Key::new(module.identity(), grid, bounds);
        if let Some(program) = self.cache.lock().find(&key) {
            return Ok(Loading::Ready(program));
        }
        self.compile(module, key)
    }
}

impl ModuleLoader {
    fn compile(&mut self, module: Arc<VerifiedModule>, key: Key) -> Result<Loading, String> {
        if self.engine == Engine::Interpreter {
            let program = Program::interpreted(self.platform, module).map_err(not_loaded)?;
            self.cache.lock().keep(key, &program);
            return Ok(Loading::Ready(program));
        }
        let options = Options { bounds: key.bounds, ..self.options };
        let compilation = Compilation::on_grid(module.clone(), &options, &key.grid).map_err(not_compiled)?;
        let (platform, cache) = (self.platform, self.cache.clone());
        Ok(Loading::Compiling(Box::new(Job { platform, key, module, compilation: Some(compilation), cache })))
    }
}

/// A module that is being compiled, function by function.
struct Job {
    platform: PlatformRef,
    key: Key,
    module: Arc<VerifiedModule>,
    compilation: Option<Compilation<Arc<VerifiedModule>>>,
    cache: Arc<Mutex<Cache>>,
}

impl Compiling for Job {
    fn step(&mut self) -> Result<Option<Arc<Program>>, String> {
        let Some(compilation) = &mut self.compilation else { return Err("it was loaded before".to_string()) };
        if compilation.step().map_err(not_compiled)? {
            return Ok(None);
        }
        let code = self.compilation.take().map(Compilation::finish).unwrap_or_default();
        let program = Program::load(self.platform, self.module.clone(), code).map_err(not_loaded)?;
        self.cache.lock().keep(core::mem::take(&mut self.key), &program);
        Ok(Some(program))
    }
}

fn said(step: &str, why: &dyn Display) -> String {
    format!("{step}: {why}")
}

fn not_compiled(why: compiler::CompileError) -> String {
    said("it does not compile", &why)
}

fn not_loaded(why: basevm::engine::LoadError) -> String {
    said("it does not load", &why)
}
