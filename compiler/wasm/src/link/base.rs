//! What the module begins with: IL text that stands for imports.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hashbrown::HashMap;
use il::{Module, StrId, prune, text};

use super::Build;
use crate::Options;
use crate::decode::Decoded;
use crate::error::{Error, ErrorKind, Result};
use crate::helpers::Helper;
use crate::types::Types;

/// Buffers by handle.
const BUFFERS: &str = include_str!("../buffers.il");
/// The module name of imports that work on them, and what their functions in the text begin with.
pub(super) const BUFFER_IMPORTS: (&str, &str) = ("cascade.buf", "buffer_");

impl<'a> Build<'a> {
    /// Begins with what the units import of texts.
    pub fn new(decoded: &[Decoded<'_>], options: &'a Options<'a>) -> Result<Build<'a>> {
        let mut module = Module::default();
        let mut base = HashMap::new();
        let wanted = wanted(decoded, options);
        if !wanted.is_empty() {
            module = library(options)?;
            module = prune(module, |name| wanted.contains(name));
            base = module.exports.drain(..).map(|export| (export.name, export.func)).collect();
        }
        if decoded.iter().any(|unit| !unit.memories.is_empty()) {
            module.memories.clear();
        }
        module.name = decoded.last().map_or(String::new(), |program| module_name(program.unit.name));
        let strings = module.strings.iter().zip(0..).map(|(text, at)| (text.clone(), StrId(at))).collect();
        let names = module.names.take().map_or(Vec::new(), |names| names.funcs);
        let helpers = [None; Helper::COUNT];
        let types = Types::of(&module);
        Ok(Build { options, types, module, devices: Vec::new(), strings, helpers, base, started: false, names })
    }
}

/// The functions of texts that imports and device instructions need.
fn wanted(decoded: &[Decoded<'_>], options: &Options<'_>) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for unit in decoded {
        for (_, import) in &unit.imports {
            if import.module == BUFFER_IMPORTS.0 {
                wanted.insert(format!("{}{}", BUFFER_IMPORTS.1, import.name));
            }
            super::device::helpers(unit, import, options, &mut wanted);
        }
        for export in &unit.exports {
            super::entries::helpers(export.name, options, &mut wanted);
        }
    }
    wanted
}

fn library(options: &Options<'_>) -> Result<Module> {
    text::compile("buffers.il", BUFFERS, options.known).map_err(|errors| {
        let why = format!("the instruction sets given do not have what imports need: {errors}");
        Error::new("buffers.il", None, ErrorKind::Entry(why))
    })
}

/// A file's name without folder and ending, as far as it can be a module's.
fn module_name(unit: &str) -> String {
    let base = unit.rsplit(['/', '\\']).next().unwrap_or(unit);
    let stem = base.split('.').next().unwrap_or("");
    let clean: String =
        stem.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).take(60).collect();
    match clean.chars().next() {
        None => "main".to_string(),
        Some(first) if first.is_ascii_digit() => format!("_{clean}"),
        Some(_) => clean,
    }
}
