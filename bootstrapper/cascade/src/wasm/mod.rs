//! WebAssembly modules where a program is wanted: told by their first bytes, read as binary or as text (`.wat`), linked with
//! libraries, and turned into IL by the translator. What it refuses is said with code, place and a way out.

mod codes;
mod place;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use il::Module;
use wasm::{ErrorKind, Unit};

pub use codes::Code;

/// What every WebAssembly binary starts with.
const MAGIC: [u8; 4] = *b"\0asm";
/// What follows in a component, where a module has its version: the layer in the upper half is not 0.
const LAYER: std::ops::Range<usize> = 6..8;

/// `NAME=FILE`: a WebAssembly module that others import from by this name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Library {
    /// The module's name in imports.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
}

impl FromStr for Library {
    type Err = String;

    fn from_str(text: &str) -> Result<Library, String> {
        match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => {
                Ok(Library { name: name.into(), file: file.into() })
            }
            _ => Err("expected NAME=FILE, e.g. env=lib.wasm".into()),
        }
    }
}

/// Why a file is no program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The kind of it, which `ilc explain` says more about; `None` if a file cannot be read.
    pub code: Option<Code>,
    /// The file.
    pub file: String,
    /// Byte from the file's start, where one place is to blame.
    pub offset: Option<u64>,
    /// The function that the byte belongs to.
    pub function: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refused {
    fn new(code: Code, file: &str, message: impl Into<String>, hint: Option<&str>) -> Refused {
        let (message, hint) = (message.into(), hint.map(str::to_string));
        Refused { code: Some(code), file: file.into(), offset: None, function: None, message, hint }
    }

    /// The place: file, byte and function, as far as they are known.
    pub fn place(&self) -> String {
        let mut place = self.file.clone();
        if let Some(offset) = self.offset {
            place.push_str(&format!(": byte {offset:#x}"));
        }
        if let Some(function) = &self.function {
            place.push_str(&format!(", in `{function}`"));
        }
        place
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("error")?;
        if let Some(code) = self.code {
            write!(f, "[{}]", code.name())?;
        }
        write!(f, ": {}\n  --> {}", self.message, self.place())?;
        match &self.hint {
            Some(hint) => write!(f, "\n  = help: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}

/// Whether a file holds WebAssembly, by its contents; a text has its own ending, or starts like one.
pub fn is_wasm(path: &Path, bytes: &[u8]) -> bool {
    let text = || {
        let start = bytes.trim_ascii_start();
        start.starts_with(b"(module") || start.starts_with(b"(component")
    };
    bytes.starts_with(&MAGIC) || path.extension().is_some_and(|ending| ending == "wat") || text()
}

/// Links a program with libraries, of which later ones may import from earlier ones, and makes IL of it.
///
/// # Errors
/// The first thing that is wrong with one of the files.
pub fn translate(path: &Path, bytes: &[u8], libraries: &[Library]) -> Result<Module, Refused> {
    let mut binaries = Vec::new();
    for library in libraries {
        let bytes = std::fs::read(&library.file).map_err(|why| Refused {
            code: None,
            file: library.file.display().to_string(),
            offset: None,
            function: None,
            message: format!("cannot be read: {why}"),
            hint: None,
        })?;
        binaries.push(binary(&library.file, bytes)?);
    }
    let name = path.display().to_string();
    let program = binary(path, bytes.to_vec())?;
    let mut units: Vec<Unit<'_>> = Vec::new();
    for (library, bytes) in libraries.iter().zip(&binaries) {
        units.push(Unit { name: &library.name, bytes });
    }
    units.push(Unit { name: &name, bytes: &program });
    let options = wasm::Options { known: isa::ALL, ..wasm::Options::default() };
    match wasm::translate(&units, &options) {
        Ok(mut module) => {
            module.name = module_name(path);
            Ok(module)
        }
        Err(error) => Err(refused(&error, &units, libraries)),
    }
}

/// The bytes of a module: those of a file, or what its text says.
fn binary(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Refused> {
    let file = path.display().to_string();
    let bytes = match wat::parse_bytes(&bytes) {
        Ok(bytes) => bytes.into_owned(),
        Err(error) => return Err(Refused::new(Code::Text, &file, error.to_string(), None)),
    };
    if bytes.get(LAYER).is_some_and(|layer| layer != [0, 0]) {
        let message = "this is a WebAssembly component, and not a core module";
        let hint = "build a core module, e.g. for wasm32-wasip1, or take the module out of the component";
        return Err(Refused::new(Code::Unsupported, &file, message, Some(hint)));
    }
    Ok(bytes)
}

fn refused(error: &wasm::Error, units: &[Unit<'_>], libraries: &[Library]) -> Refused {
    let (code, message, hint) = match &error.kind {
        ErrorKind::Invalid(why) => (Code::Invalid, format!("not a valid WebAssembly module: {why}"), None),
        ErrorKind::Unsupported { what, hint } => {
            (Code::Unsupported, format!("{what} is not supported"), Some((*hint).to_string()))
        }
        ErrorKind::UnknownImport { module, name, hint } => {
            (Code::UnknownImport, format!("nothing has the import `{module}` `{name}`"), Some(hint.clone()))
        }
        ErrorKind::IncompatibleImport { module, name, wanted, found } => {
            let message = format!("the import `{module}` `{name}` is wanted as {wanted}, but is {found}");
            (Code::IncompatibleImport, message, None)
        }
        ErrorKind::Entry(why) => (Code::Entry, why.clone(), None),
        ErrorKind::Internal(_) => (Code::Internal, error.kind.to_string(), None),
    };
    let library = libraries.iter().find(|library| library.name == error.unit);
    let file = library.map_or_else(|| error.unit.clone(), |library| library.file.display().to_string());
    let bytes = units.iter().find(|unit| unit.name == error.unit).map(|unit| unit.bytes);
    let function = bytes.zip(error.offset).and_then(|(bytes, offset)| place::function(bytes, offset));
    Refused {
        code: Some(code),
        file,
        offset: error.offset,
        function,
        message,
        hint: hint.filter(|hint| !hint.is_empty()),
    }
}

/// The file's name as far as a module can be named like it.
fn module_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let clean: String = stem.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    match clean.chars().next() {
        None => "main".into(),
        Some(first) if first.is_ascii_digit() => format!("_{clean}"),
        Some(_) => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Refused {
        translate(Path::new("dir/a-b.wat"), text.as_bytes(), &[]).expect_err("refused")
    }

    #[test]
    fn what_is_webassembly_is_told_by_its_contents() {
        assert!(is_wasm(Path::new("x"), b"\0asm\x01\0\0\0") && is_wasm(Path::new("x.wat"), b""));
        assert!(is_wasm(Path::new("x"), b"  (module)") && !is_wasm(Path::new("x.il"), b"module x"));
        assert_eq!(module_name(Path::new("dir/2a-b.wasm")), "_2a_b");
    }

    #[test]
    fn a_component_is_refused_in_words() {
        let error = refusal("(component)");
        assert_eq!(error.code, Some(Code::Unsupported));
        assert!(error.to_string().contains("a WebAssembly component, and not a core module"), "{error}");
    }

    #[test]
    fn errors_say_where_they_are() {
        let error = refusal("(module (func $first) (func $wrong (result i32) i64.const 1))");
        assert_eq!((error.code, error.function.as_deref()), (Some(Code::Invalid), Some("wrong")));
        assert!(error.to_string().contains("\n  --> dir/a-b.wat: byte 0x"), "{error}");
        let exported = refusal(
            "(module (import \"cascade.buf\" \"new\" (func (param i32) (result i32))) (func (export \"f\") drop))",
        );
        assert_eq!(exported.function.as_deref(), Some("f"));
        assert_eq!(refusal("(module (func) (func drop))").function.as_deref(), Some("function 1"));
        assert_eq!(refusal("(module (fun))").code, Some(Code::Text));
        let shared = refusal("(module (memory 1 1 shared))");
        assert_eq!(shared.code, Some(Code::Unsupported));
        assert!(shared.message.contains("threads") && shared.hint.is_some(), "{shared}");
    }
}
