//! Reading texts, modules and WebAssembly, and saying what is wrong with them.

use std::fs;
use std::path::Path;

use cascade::wasm::{self, Library, Refused};
use il::text::Diagnostics;
use il::{Module, VerifiedModule};

/// Why a command could not do its work.
pub enum Failure {
    /// Errors in a text, with their places.
    Text(Diagnostics),
    /// An error in a WebAssembly module.
    Wasm(Box<Refused>),
    /// Anything else, as one line.
    Plain(String),
    /// Of several files.
    Several(Vec<Failure>),
}

impl Failure {
    /// A failure about a file.
    pub fn message(path: &Path, message: &str) -> Failure {
        Failure::Plain(format!("{}: {message}", path.display()))
    }
}

/// What a file turned out to be.
pub enum Kind {
    /// Text, which is kept to show its lines.
    Text(String),
    /// A binary module.
    Binary,
    /// WebAssembly, of which the module was made.
    Wasm,
}

/// Reads a text, module or WebAssembly: by its contents, not by its name. A text's `test` blocks are compiled if asked for.
/// WebAssembly imports from `libraries`.
pub fn load(path: &Path, tests: bool, libraries: &[Library]) -> Result<(Module, Kind), Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::message(path, &explain(path, &error)))?;
    if bytes.starts_with(&il::binary::MAGIC) {
        let module = il::binary::decode(&bytes).map_err(|error| Failure::message(path, &error.to_string()))?;
        return Ok((module, Kind::Binary));
    }
    if wasm::is_wasm(path, &bytes) {
        let module = wasm::translate(path, &bytes, libraries).map_err(|error| Failure::Wasm(Box::new(error)))?;
        return Ok((module, Kind::Wasm));
    }
    let source = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::message(
            path,
            &format!("neither a module (it does not start with the magic bytes) nor a text: byte {at} is not UTF-8"),
        )
    })?;
    let name = path.display().to_string();
    let resolve = cascade::source::importer(&name, &source);
    let options = il::text::Options { known: isa::ALL, resolve: &resolve, tests };
    let module = il::text::compile_with(&name, &source, &options).map_err(Failure::Text)?;
    Ok((module, Kind::Text(source)))
}

/// Reads a text of the IL.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::message(path, &explain(path, &error)))?;
    if bytes.starts_with(&il::binary::MAGIC) {
        return Err(Failure::message(path, "this is a module, a text is wanted (`ilc dis` makes one)"));
    }
    if wasm::is_wasm(path, &bytes) {
        return Err(Failure::message(path, "this is WebAssembly, a text of the IL is wanted (`ilc dis` makes one)"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::message(path, &format!("this is not a text: byte {at} is not UTF-8"))
    })
}

/// Reads a text, module or WebAssembly, and verifies it.
pub fn load_verified(path: &Path, libraries: &[Library]) -> Result<VerifiedModule, Failure> {
    let (module, kind) = load(path, false, libraries)?;
    il::verify(module).map_err(|error| match (kind, error.line) {
        (Kind::Text(source), Some(line)) => {
            let name = path.display().to_string();
            Failure::Text(Diagnostics::at_line(&name, &source, line, &error.message, None))
        }
        _ => Failure::message(path, &error.to_string()),
    })
}

/// Why a file cannot be read, and what to do.
pub fn explain(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound if path.extension().is_none() => {
            "there is no such file; texts end in `.il`, modules in `.ilb`, WebAssembly in `.wasm` or `.wat`".into()
        }
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "you may not read this file".into(),
        std::io::ErrorKind::IsADirectory => "this is a folder; name a file in it".into(),
        _ => format!("cannot be read: {error}"),
    }
}
