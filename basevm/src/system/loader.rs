//! From a module's bytes to a program, in a running system.
//!
//! The base knows no compiler policy and no cache: whoever makes the system gives it a [`Loader`].
//! Compiling is cut into steps, so that a VM that spawns another one delays nobody.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

use compiler::Bounds;
use il::isa::GridInstruction;
use il::verify::VerifiedModule;

use super::System;
use crate::engine::Program;

/// Turns the bytes of modules into programs.
pub trait Loader {
    /// Decodes and verifies a module; what is left to do is compiled step by step, with memory accesses checked in
    /// this way.
    ///
    /// # Errors
    /// Why the bytes are no module that can run, in words.
    fn begin(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Loading, String>;

    /// The same for a device program that was verified, and whose VM lends it a grid: these instructions of its set are
    /// stores and loads then. A loader that knows no grids leaves them instructions.
    ///
    /// # Errors
    /// As [`Loader::begin`].
    fn begin_program(
        &mut self,
        module: Arc<VerifiedModule>,
        grid: &[GridInstruction],
        bounds: Bounds,
    ) -> Result<Loading, String> {
        let _ = grid;
        self.begin(&il::binary::encode(&module), bounds)
    }

    /// All of it at once.
    ///
    /// # Errors
    /// As [`Loader::begin`].
    fn load(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Arc<Program>, String> {
        self.begin(bytes, bounds)?.finish()
    }
}

/// A module on its way to a program.
pub enum Loading {
    /// There is nothing left to do: it was loaded before.
    Ready(Arc<Program>),
    /// It is being compiled.
    Compiling(Box<dyn Compiling>),
}

/// A compilation under way.
pub trait Compiling {
    /// Compiles one function; the program after the last.
    ///
    /// # Errors
    /// Why it cannot be compiled or loaded, in words.
    fn step(&mut self) -> Result<Option<Arc<Program>>, String>;
}

impl Loading {
    /// Does the next piece of work; the program when it is complete.
    ///
    /// # Errors
    /// Why it cannot be compiled or loaded, in words.
    pub fn step(&mut self) -> Result<Option<Arc<Program>>, String> {
        match self {
            Loading::Ready(program) => Ok(Some(program.clone())),
            Loading::Compiling(compiling) => compiling.step(),
        }
    }
}

impl Loading {
    /// Does all that is left.
    ///
    /// # Errors
    /// As [`Loading::step`].
    pub fn finish(mut self) -> Result<Arc<Program>, String> {
        loop {
            if let Some(program) = self.step()? {
                return Ok(program);
            }
        }
    }
}

impl core::fmt::Debug for Loading {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Loading::Ready(_) => "Ready",
            Loading::Compiling(_) => "Compiling",
        })
    }
}

impl System {
    /// Gives the system what turns modules into programs while it runs. Without one nothing can be spawned.
    pub fn set_loader(&mut self, loader: Box<dyn Loader>) {
        self.loader = Some(loader);
    }

    /// Begins to load a module.
    ///
    /// # Errors
    /// Why the bytes are no module that can run, in words.
    pub fn begin_load(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Loading, String> {
        self.loader()?.begin(bytes, bounds)
    }

    /// Loads a module at once.
    ///
    /// # Errors
    /// As [`System::begin_load`].
    pub fn load(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Arc<Program>, String> {
        self.loader()?.load(bytes, bounds)
    }

    /// Loads a device program at once; it is small.
    pub(super) fn load_program(
        &mut self,
        module: Arc<VerifiedModule>,
        grid: &[GridInstruction],
        bounds: Bounds,
    ) -> Result<Arc<Program>, String> {
        self.loader()?.begin_program(module, grid, bounds)?.finish()
    }

    fn loader(&mut self) -> Result<&mut Box<dyn Loader>, String> {
        self.loader.as_mut().ok_or_else(|| "this system loads no modules while it runs".to_string())
    }
}
