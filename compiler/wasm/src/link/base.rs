//! What the module begins with: IL text that stands for imports.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hashbrown::HashMap;
use il::{FuncId, Module, StrId, prune, text};
use wasmparser::Import;

use super::Build;
use super::tags::Throws;
use crate::Options;
use crate::constant::Trees;
use crate::decode::Decoded;
use crate::error::{Error, ErrorKind, Result};
use crate::helpers::Helper;
use crate::types::Types;

/// Buffers by handle.
const BUFFERS: &str = include_str!("../buffers.il");
/// WASI preview 1: functions by their own names.
const WASI: &str = include_str!("../wasi.il");
/// The module name of imports that work on buffers, and what their functions in the text begin with.
const BUFFER_IMPORTS: (&str, &str) = ("cascade.buf", "buffer_");
/// The module name of imports from WASI.
const WASI_IMPORTS: &str = "wasi_snapshot_preview1";
/// With one of these, or any whose name begins with `path_`, a program may have descriptors besides the streams.
const OPENING: [&str; 4] = ["fd_prestat_get", "fd_prestat_dir_name", "fd_readdir", "fd_renumber"];

/// The functions that stand for imports.
#[derive(Default)]
pub(super) struct Base {
    funcs: HashMap<String, FuncId>,
    /// Whether WASI's descriptors are the streams only.
    streams: bool,
}

impl Base {
    /// The function of this name in the text.
    pub fn func(&self, name: &str) -> Option<FuncId> {
        self.funcs.get(name).copied()
    }

    /// Whether the text has what an import of this module name means.
    pub fn answers(module: &str) -> bool {
        module == BUFFER_IMPORTS.0 || module == WASI_IMPORTS
    }

    /// The function that stands for an import.
    pub fn import(&self, import: &Import<'_>) -> Option<FuncId> {
        if import.module == BUFFER_IMPORTS.0 {
            return self.func(&format!("{}{}", BUFFER_IMPORTS.1, import.name));
        }
        let of_console = self.streams.then(|| self.func(&console_name(import.name))).flatten();
        of_console.or_else(|| self.func(import.name))
    }

    /// What there is instead of an import that is unknown.
    pub fn hint(module: &str) -> &'static str {
        match module == WASI_IMPORTS {
            true => "WASI preview 1 has no function of this name",
            false => "it has new, len, read, write and free",
        }
    }
}

fn console_name(name: &str) -> String {
    format!("console_{name}")
}

impl<'a> Build<'a> {
    /// Begins with what the units import of texts.
    pub fn new(decoded: &[Decoded<'_>], options: &'a Options<'a>) -> Result<Build<'a>> {
        let mut module = Module::default();
        let mut base = Base { streams: has_streams_only(decoded), ..Base::default() };
        let wanted = wanted(decoded, options, base.streams);
        if !wanted.is_empty() {
            module = prune(library(decoded, options, &wanted)?, |name| wanted.contains(name));
            base.funcs = module.exports.drain(..).map(|export| (export.name, export.func)).collect();
        }
        if decoded.iter().any(|unit| !unit.memories.is_empty()) {
            module.memories.clear();
        }
        module.name = decoded.last().map_or(String::new(), |program| module_name(program.unit.name));
        let strings = module.strings.iter().zip(0..).map(|(text, at)| (text.clone(), StrId(at))).collect();
        let names = module.names.take().map_or(Vec::new(), |names| names.funcs);
        let helpers = [None; Helper::COUNT];
        let mut types = Types::of(&module);
        types.throws = super::tags::any(decoded);
        Ok(Build {
            options,
            types,
            trees: Trees::default(),
            objects: Default::default(),
            module,
            devices: Vec::new(),
            strings,
            helpers,
            throws: Throws::default(),
            base,
            elements: 0,
            bytes: 0,
            started: false,
            names,
        })
    }
}

fn has_streams_only(decoded: &[Decoded<'_>]) -> bool {
    let opens = |import: &Import<'_>| import.name.starts_with("path_") || OPENING.contains(&import.name);
    let mut imports = decoded.iter().flat_map(|unit| &unit.imports).map(|(_, import)| import);
    !imports.any(|import| import.module == WASI_IMPORTS && opens(import))
}

/// The functions of texts that imports and device instructions need.
fn wanted(decoded: &[Decoded<'_>], options: &Options<'_>, streams: bool) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for unit in decoded {
        for (_, import) in &unit.imports {
            if import.module == BUFFER_IMPORTS.0 {
                wanted.insert(format!("{}{}", BUFFER_IMPORTS.1, import.name));
            }
            if import.module == WASI_IMPORTS {
                let console = console_name(import.name);
                let exists = streams && WASI.contains(&format!("export func {console}("));
                wanted.insert(if exists { console } else { import.name.to_string() });
            }
            super::device::helpers(unit, import, options, &mut wanted);
        }
        for export in &unit.exports {
            super::entries::helpers(export.name, options, &mut wanted);
        }
    }
    wanted
}

/// What is wanted of the texts, compiled.
fn library(decoded: &[Decoded<'_>], options: &Options<'_>, wanted: &BTreeSet<String>) -> Result<Module> {
    let mut imports = decoded.iter().flat_map(|unit| &unit.imports);
    let wasi = imports.any(|(_, import)| import.module == WASI_IMPORTS);
    let (file, head) = if wasi { ("wasi.il", WASI) } else { ("buffers.il", "memory 0..65536\n") };
    let text = excerpt(&format!("{head}{BUFFERS}"), wanted);
    text::compile(file, &text, options.known).map_err(|errors| {
        let why = format!("the instruction sets given do not have what imports need: {errors}");
        Error::new(file, None, ErrorKind::Entry(why))
    })
}

/// The items of a text that the wanted ones mention, and so on: compiling the whole would take most of the time that a
/// small program takes.
fn excerpt(all: &str, wanted: &BTreeSet<String>) -> String {
    let items = text::outline(all);
    let words = |at: usize| {
        let span = items.get(at).map_or(0..0, |item| item.span.start as usize..item.span.end as usize);
        let is_word = |char: char| char == '_' || char.is_ascii_alphanumeric();
        all.get(span).unwrap_or_default().split(move |char| !is_word(char))
    };
    let named: HashMap<&str, usize> = items.iter().enumerate().map(|(at, item)| (item.name.as_str(), at)).collect();
    let mut kept: Vec<bool> = items.iter().map(|item| item.name.is_empty() || wanted.contains(&item.name)).collect();
    let mut waiting: Vec<usize> = kept.iter().zip(0..).filter(|(kept, _)| **kept).map(|(_, at)| at).collect();
    while let Some(at) = waiting.pop() {
        for other in words(at).filter_map(|word| named.get(word)) {
            if let Some(kept) = kept.get_mut(*other)
                && !core::mem::replace(kept, true)
            {
                waiting.push(*other);
            }
        }
    }
    let mut text = String::new();
    for (item, _) in items.iter().zip(kept).filter(|(_, kept)| *kept) {
        text.push_str(all.get(item.span.start as usize..item.span.end as usize).unwrap_or_default());
        text.push('\n');
    }
    text
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
