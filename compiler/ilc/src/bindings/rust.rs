//! A Rust module: the imports, and a safe function for each.
//!
//! Rust passes no vectors to what is outside, so instructions with `v128` are left out by name.

use std::fmt::Write as _;

use il::isa::{Event, Instruction, InstructionSet};
use il::trap::Status;

use super::{Bytes, Callable, Kind, Names, Value, callable, declared, handled, left_out, word};

/// The keywords of Rust, and the names that a generated function uses itself.
const RESERVED: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "raw", "ref", "return", "self", "static", "status",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where",
    "while", "yield",
];

const BUF: &str = r#"
/// A `buf`: a byte buffer outside of linear memory. What is given to an instruction moves there; what is dropped is freed.
#[derive(Debug)]
pub struct Buf(i32);

mod raw_buf {
    #[link(wasm_import_module = "cascade.buf")]
    unsafe extern "C" {
        pub safe fn new(bytes: usize) -> i32;
        pub safe fn len(buf: i32) -> usize;
        pub fn read(buf: i32, offset: usize, to: *mut u8, bytes: usize);
        pub fn write(buf: i32, offset: usize, from: *const u8, bytes: usize);
        pub safe fn free(buf: i32);
    }
}

#[allow(clippy::len_without_is_empty)]
impl Buf {
    /// A buffer of so many zeros.
    pub fn new(bytes: usize) -> Buf {
        Buf(raw_buf::new(bytes))
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        raw_buf::len(self.0)
    }

    /// Copies bytes from `offset` of the buffer; traps beyond its end.
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        // SAFETY: the span is a slice that may be written.
        unsafe { raw_buf::read(self.0, offset, to.as_mut_ptr(), to.len()) }
    }

    /// Copies bytes to `offset` of the buffer; traps beyond its end.
    pub fn write(&mut self, offset: usize, from: &[u8]) {
        // SAFETY: the span is a slice.
        unsafe { raw_buf::write(self.0, offset, from.as_ptr(), from.len()) }
    }

    /// The handle, which is then somebody else's to free.
    pub fn into_handle(self) -> i32 {
        core::mem::ManuallyDrop::new(self).0
    }

    /// Of a handle that nobody else frees, such as a handler's operand.
    pub fn from_handle(handle: i32) -> Buf {
        Buf(handle)
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        raw_buf::free(self.0);
    }
}

/// Why an instruction failed. Its number is that of the table of all instruction sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
"#;

/// The module of these sets.
pub fn module(sets: &[InstructionSet]) -> String {
    let paths: Vec<String> = sets.iter().map(InstructionSet::path).collect();
    let mut out = format!("// Written by `ilc bindings --lang rust` for {}; do not edit.\n", paths.join(", "));
    out.push_str(BUF);
    for status in Status::ALL {
        let _ = writeln!(out, "    /// {status}\n    {status:?},");
    }
    out.push_str("    /// A number that is not in the table.\n    Other(i32),\n}\n\nimpl Status {\n");
    out.push_str(
        "    fn check(status: i32) -> Result<(), Status> {\n        match status {\n            0 => Ok(()),\n",
    );
    for status in Status::ALL {
        let _ = writeln!(out, "            {} => Err(Status::{status:?}),", *status as u16);
    }
    out.push_str("            other => Err(Status::Other(other)),\n        }\n    }\n}\n");
    let mut names = Names::new(&["raw_buf"]);
    for set in sets {
        // By the last part of its path; of two that end alike the second by all of it.
        let short = set.name.rsplit('.').next().unwrap_or(&set.name);
        let taken = names.taken.iter().any(|name| name == short) || RESERVED.contains(&short);
        let name = names.fresh(&if taken { format!("{}_{}", word(&set.name), set.version) } else { short.to_string() });
        write_set(&mut out, set, &name);
    }
    out
}

fn write_set(out: &mut String, set: &InstructionSet, name: &str) {
    out.push('\n');
    doc(out, "", &format!("`{}`\n{}", set.path(), set.doc));
    let callables: Vec<Callable<'_>> = set.instructions.iter().filter_map(reachable).collect();
    let _ = writeln!(out, "#[allow(clippy::too_many_arguments)]\npub mod {name} {{");
    let _ = writeln!(out, "    #[allow(unused_imports)]\n    use super::{{Buf, Status}};");
    if !callables.is_empty() {
        write_imports(out, set, &callables);
    }
    let mut names = Names::new(&[]);
    for instruction in set.instructions.iter() {
        match (reachable(instruction), callable(instruction)) {
            (Some(callable), _) => write_functions(out, &callable, &mut names),
            (None, Some(_)) => _ = write!(out, "\n    // `{}` is left out: {VECTORS}\n", declared(instruction)),
            (None, None) => _ = write!(out, "\n    // {}\n", left_out(&declared(instruction))),
        }
    }
    for event in set.events.iter() {
        match handled(event) {
            Some(params) if params.iter().any(|value| value.kind == Kind::V128) => {
                let _ = write!(out, "\n    // event `{}` is left out: {VECTORS}\n", event.name);
            }
            Some(params) => write_event(out, set, event, &params),
            None => _ = write!(out, "\n    // event {}\n", left_out(&event.name)),
        }
    }
    out.push_str("}\n");
}

const VECTORS: &str = "it carries a vector, which Rust passes to nothing outside.";

/// An instruction that Rust can reach.
fn reachable(instruction: &Instruction) -> Option<Callable<'_>> {
    callable(instruction).filter(|callable| !callable.has_v128())
}

/// The name of an instruction's import in Rust. Instructions may be called anything, so the forms differ in front.
fn import(callable: &Callable<'_>, bytes: Bytes, tried: bool) -> String {
    let form = match (bytes, tried) {
        (Bytes::Copied, false) => "do",
        (Bytes::Copied, true) => "try",
        (Bytes::Moved, false) => "give",
        (Bytes::Moved, true) => "offer",
    };
    format!("{form}_{}", callable.instruction.name)
}

fn write_imports(out: &mut String, set: &InstructionSet, callables: &[Callable<'_>]) {
    let _ = writeln!(out, "\n    mod raw {{\n        #[link(wasm_import_module = \"{}\")]", set.path());
    out.push_str("        unsafe extern \"C\" {\n");
    for callable in callables {
        for bytes in Bytes::forms(callable) {
            let field = &callable.instruction.name;
            let (params, result) = raw_signature(callable, *bytes, false);
            let name = import(callable, *bytes, false);
            let _ =
                writeln!(out, "            #[link_name = \"{field}\"]\n            pub fn {name}({params}){result};");
            if callable.results.is_some() {
                let (params, result) = raw_signature(callable, *bytes, true);
                let name = import(callable, *bytes, true);
                let _ = writeln!(out, "            #[link_name = \"try {field}\"]");
                let _ = writeln!(out, "            pub fn {name}({params}){result};");
            }
        }
    }
    out.push_str("        }\n    }\n");
}

/// Parameters and result of an import.
fn raw_signature(callable: &Callable<'_>, bytes: Bytes, tried: bool) -> (String, String) {
    let mut names = Names::new(RESERVED);
    let mut params: Vec<String> = Vec::new();
    for value in &callable.params {
        let name = names.fresh(value.name);
        match value.kind {
            Kind::Str => params.extend([format!("{name}: *const u8"), format!("{}: usize", names.fresh("bytes"))]),
            Kind::Buf if bytes == Bytes::Copied => {
                params.extend([format!("{name}: *const u8"), format!("{}: usize", names.fresh("bytes"))]);
            }
            kind => params.push(format!("{name}: {}", raw(kind))),
        }
    }
    let results = callable.results.as_deref().unwrap_or_default();
    let result = match results {
        _ if tried => " -> i32".to_string(),
        [one] => format!(" -> {}", raw(one.kind)),
        _ => String::new(),
    };
    if tried || results.len() > 1 {
        params.extend(results.iter().map(|value| format!("{}: *mut {}", names.fresh(value.name), raw(value.kind))));
    }
    (params.join(", "), result)
}

/// A value as it is passed; a `bool` as a number.
fn raw(kind: Kind) -> &'static str {
    match kind {
        Kind::I32 | Kind::Bool | Kind::Str | Kind::Buf => "i32",
        Kind::I64 => "i64",
        Kind::F32 => "f32",
        Kind::F64 => "f64",
        Kind::V128 => "core::arch::wasm32::v128",
    }
}

/// A result as Rust has it.
fn safe(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Str | Kind::Buf => "Buf",
        Kind::I32 | Kind::I64 | Kind::F32 | Kind::F64 | Kind::V128 => raw(kind),
    }
}

fn write_functions(out: &mut String, callable: &Callable<'_>, names: &mut Names) {
    let instruction = callable.instruction;
    for bytes in Bytes::forms(callable) {
        let suffix = if *bytes == Bytes::Moved { "_buf" } else { "" };
        let what = format!("`{}`\n{}", declared(instruction), instruction.doc.trim_end());
        let what = match bytes {
            Bytes::Copied if callable.has_buf() => format!("{what}\nThe bytes are copied once."),
            Bytes::Copied => what,
            Bytes::Moved => format!("[`{}`] with a buffer that moves: nothing is copied.", instruction.name),
        };
        let name = names.fresh(&format!("{}{suffix}", instruction.name));
        write_function(out, callable, *bytes, false, &name, &what);
        if callable.results.is_some() {
            let what = format!("[`{name}`] with a failure as a value.\n\n# Errors\nWhat it failed with.");
            let name = names.fresh(&format!("try_{}{suffix}", instruction.name));
            write_function(out, callable, *bytes, true, &name, &what);
        }
    }
}

fn write_function(out: &mut String, callable: &Callable<'_>, bytes: Bytes, tried: bool, name: &str, what: &str) {
    let mut names = Names::new(RESERVED);
    let (mut params, mut args) = (Vec::new(), Vec::new());
    for value in &callable.params {
        let name = names.fresh(value.name);
        let (ty, passed) = match value.kind {
            Kind::Str => ("&str", vec![format!("{name}.as_ptr()"), format!("{name}.len()")]),
            Kind::Buf if bytes == Bytes::Copied => ("&[u8]", vec![format!("{name}.as_ptr()"), format!("{name}.len()")]),
            Kind::Buf => ("Buf", vec![format!("{name}.into_handle()")]),
            Kind::Bool => ("bool", vec![format!("i32::from({name})")]),
            kind @ (Kind::I32 | Kind::I64 | Kind::F32 | Kind::F64 | Kind::V128) => (raw(kind), vec![name.clone()]),
        };
        params.push(format!("{name}: {ty}"));
        args.extend(passed);
    }
    let results = callable.results.as_deref().unwrap_or_default();
    let places: Vec<String> = results.iter().map(|value| names.fresh(value.name)).collect();
    let types: Vec<&str> = results.iter().map(|value| safe(value.kind)).collect();
    let all = match types.as_slice() {
        [one] => (*one).to_string(),
        more => format!("({})", more.join(", ")),
    };
    let returns = match (tried, results.is_empty()) {
        (true, _) => format!(" -> Result<{all}, Status>"),
        (false, true) => String::new(),
        (false, false) => format!(" -> {all}"),
    };
    let import = import(callable, bytes, tried);
    out.push('\n');
    doc(out, "    ", what);
    let _ = writeln!(out, "    pub fn {name}({}){returns} {{", params.join(", "));
    if tried || results.len() > 1 {
        for (place, value) in places.iter().zip(results) {
            let _ = writeln!(out, "        let mut {place} = {};", zero(value.kind));
        }
        args.extend(places.iter().map(|place| format!("&mut {place}")));
    }
    let call = format!("unsafe {{ raw::{import}({}) }}", args.join(", "));
    let _ = writeln!(out, "        // SAFETY: spans are slices, places are variables.");
    let values: Vec<String> = places.iter().zip(results).map(|(place, value)| taken(place, value.kind)).collect();
    let values = match values.as_slice() {
        [one] => one.clone(),
        more => format!("({})", more.join(", ")),
    };
    let lines = match (tried, results) {
        (true, _) => format!("let status = {call};\n        Status::check(status).map(|()| {values})"),
        (false, []) => call,
        (false, [one]) => taken_call(&call, one.kind, &places),
        (false, _) => format!("{call};\n        {values}"),
    };
    let _ = write!(out, "        {lines}\n    }}\n");
}

fn zero(kind: Kind) -> &'static str {
    match kind {
        Kind::I32 | Kind::Bool | Kind::Str | Kind::Buf => "0i32",
        Kind::I64 => "0i64",
        Kind::F32 => "0f32",
        Kind::F64 => "0f64",
        Kind::V128 => "core::arch::wasm32::i64x2(0, 0)",
    }
}

/// What a place holds, as Rust has it.
fn taken(place: &str, kind: Kind) -> String {
    match kind {
        Kind::Bool => format!("{place} != 0"),
        Kind::Str | Kind::Buf => format!("Buf::from_handle({place})"),
        Kind::I32 | Kind::I64 | Kind::F32 | Kind::F64 | Kind::V128 => place.to_string(),
    }
}

/// The same of a call's one result.
fn taken_call(call: &str, kind: Kind, places: &[String]) -> String {
    match kind {
        Kind::I32 | Kind::I64 | Kind::F32 | Kind::F64 | Kind::V128 => call.to_string(),
        Kind::Bool | Kind::Str | Kind::Buf => {
            let place = places.first().map_or("result", String::as_str);
            format!("let {place} = {call};\n        {}", taken(place, kind))
        }
    }
}

fn write_event(out: &mut String, set: &InstructionSet, event: &Event, params: &[Value<'_>]) {
    let mut names = Names::new(RESERVED);
    let param = |value: &Value<'_>| format!("{}: {}", names.fresh(value.name), raw(value.kind));
    let params: Vec<String> = params.iter().map(param).collect();
    let (export, params) = (format!("{}.{}", set.path(), event.name), params.join(", "));
    let camel: String = event.name.split('_').map(capital).collect();
    let mut what = format!("The handler of the event `{}`, to be exported under the name of the event:\n", event.name);
    let _ = writeln!(what, "`#[unsafe(export_name = \"{export}\")] extern \"C\" fn {}({params}) {{ .. }}`", event.name);
    let handles = params.contains("i32") && event.params.iter().any(|field| !field.ty.is_number());
    if handles {
        what.push_str("What is a text or a buffer comes as a handle, for [`Buf::from_handle`].\n");
    }
    what.push_str(event.doc.trim_end());
    out.push('\n');
    doc(out, "    ", &what);
    let _ = writeln!(out, "    pub type On{camel} = extern \"C\" fn({params});");
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

fn doc(out: &mut String, indent: &str, text: &str) {
    for line in text.trim_end().lines() {
        let _ = writeln!(out, "{}", format!("{indent}/// {}", line.trim()).trim_end());
    }
}
