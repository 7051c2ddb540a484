//! A C header. Functions are imports, results come back by pointers, handlers are exports.

use std::fmt::Write as _;

use il::isa::{Event, InstructionSet};
use il::trap::Status;

use super::{Bytes, Callable, Kind, Names, Value, callable, declared, handled, left_out, upper, word};

/// The keywords of C up to C23, C++, and what the headers that ours includes define.
const RESERVED: &[&str] = &[
    "alignas",
    "alignof",
    "and",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "compl",
    "const",
    "constexpr",
    "continue",
    "default",
    "delete",
    "do",
    "double",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "not",
    "nullptr",
    "operator",
    "or",
    "private",
    "protected",
    "public",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "true",
    "try",
    "typedef",
    "typename",
    "typeof",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "while",
    "xor",
];

const HEAD: &str = "\
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

#ifndef CASCADE_BINDINGS
#define CASCADE_BINDINGS

#ifndef __wasm__
#error \"the functions of this header are imports of a WebAssembly module: compile it with --target=wasm32\"
#endif

#ifdef __cplusplus
#define CASCADE_EXTERN extern \"C\"
#else
#define CASCADE_EXTERN extern
#endif
#define CASCADE_IMPORT(set, name) __attribute__((import_module(set), import_name(name))) CASCADE_EXTERN
#define CASCADE_EXPORT(name) __attribute__((export_name(name))) CASCADE_EXTERN

/// A handle of a `buf`, a byte buffer outside of linear memory; never 0. It is used until it is given to an
/// instruction, which moves it, or freed. Another use, or one beyond its end, traps.
typedef int32_t cascade_buf;

/// Makes a buffer of `bytes` zeros.
CASCADE_IMPORT(\"cascade.buf\", \"new\") cascade_buf cascade_buf_new(size_t bytes);
/// Its length in bytes.
CASCADE_IMPORT(\"cascade.buf\", \"len\") size_t cascade_buf_len(cascade_buf buf);
/// Copies `bytes` from `offset` of the buffer to `to`.
CASCADE_IMPORT(\"cascade.buf\", \"read\") void cascade_buf_read(cascade_buf buf, size_t offset, void *to, size_t bytes);
/// Copies `bytes` from `from` to `offset` of the buffer.
CASCADE_IMPORT(\"cascade.buf\", \"write\") void cascade_buf_write(cascade_buf buf, size_t offset, const void *from, size_t bytes);
/// Gives it back.
CASCADE_IMPORT(\"cascade.buf\", \"free\") void cascade_buf_free(cascade_buf buf);

/// What the `try` form of an instruction answers. The other form traps unless it is `CASCADE_OK`.
enum cascade_status {
  CASCADE_OK = 0,
";

/// The header of these sets.
pub fn header(sets: &[InstructionSet]) -> String {
    let paths: Vec<String> = sets.iter().map(InstructionSet::path).collect();
    let mut out = format!("// Written by `ilc bindings --lang c` for {}; do not edit.\n", paths.join(", "));
    out.push_str(HEAD);
    for status in Status::ALL {
        let _ = writeln!(out, "  /// {status}\n  CASCADE_{} = {},", upper(&format!("{status:?}")), *status as u16);
    }
    out.push_str("};\n\n#endif // CASCADE_BINDINGS\n");
    for set in sets {
        write_set(&mut out, set);
    }
    out
}

fn write_set(out: &mut String, set: &InstructionSet) {
    let path = set.path();
    let guard = format!("{}_{}", word(&set.name).to_uppercase(), set.version);
    let _ = write!(out, "\n#ifndef {guard}\n#define {guard}\n\n// {path}\n");
    comment(out, "//", &set.doc);
    let mut names = Names::new(&[]);
    for instruction in set.instructions.iter() {
        match callable(instruction) {
            Some(callable) => write_instruction(out, set, &callable, &mut names),
            None => _ = write!(out, "\n// {}\n", left_out(&declared(instruction))),
        }
    }
    for event in set.events.iter() {
        match handled(event) {
            Some(params) => write_event(out, set, event, &params, &mut names),
            None => _ = write!(out, "\n// event {}\n", left_out(&event.name)),
        }
    }
    let _ = write!(out, "\n#endif // {guard}\n");
}

fn write_instruction(out: &mut String, set: &InstructionSet, callable: &Callable<'_>, names: &mut Names) {
    let guarded = callable.has_v128();
    let instruction = callable.instruction;
    let (path, prefix) = (set.path(), word(&set.name));
    out.push('\n');
    if guarded {
        out.push_str("#ifdef __wasm_simd128__\n");
    }
    for bytes in Bytes::forms(callable) {
        let (suffix, how) = match bytes {
            Bytes::Copied if callable.has_buf() => ("", Some("The bytes are copied once.")),
            Bytes::Copied => ("", None),
            Bytes::Moved => ("_buf", Some("The same with a buffer that moves: nothing is copied.")),
        };
        if *bytes == Bytes::Copied {
            let _ = writeln!(out, "/// `{}`", declared(instruction));
            comment(out, "///", &instruction.doc);
        }
        if let Some(how) = how {
            comment(out, "///", how);
        }
        let name = names.fresh(&format!("{prefix}_{}{suffix}", instruction.name));
        let (result, params) = signature(callable, *bytes, false);
        let field = &instruction.name;
        let _ = writeln!(out, "CASCADE_IMPORT(\"{path}\", \"{field}\") {result} {name}({params});");
        if callable.results.is_some() {
            let _ = writeln!(out, "/// The same as a value: a status in place of a trap.");
            let name = names.fresh(&format!("{prefix}_try_{}{suffix}", instruction.name));
            let (result, params) = signature(callable, *bytes, true);
            let _ = writeln!(out, "CASCADE_IMPORT(\"{path}\", \"try {field}\") {result} {name}({params});");
        }
    }
    if guarded {
        out.push_str("#endif\n");
    }
}

/// What a function returns and takes. A single result is returned, unless a status is.
fn signature(callable: &Callable<'_>, bytes: Bytes, tried: bool) -> (String, String) {
    let mut names = Names::new(RESERVED);
    let mut params: Vec<String> = Vec::new();
    for value in &callable.params {
        operand(&mut params, &mut names, value, bytes);
    }
    let results = callable.results.as_deref().unwrap_or_default();
    let result = match results {
        _ if tried => "int32_t",
        [one] => returned(one.kind),
        _ => "void",
    };
    if tried || results.len() > 1 {
        let out = |value: &Value<'_>| format!("{}*{}", stored(value.kind), names.fresh(value.name));
        params.extend(results.iter().map(out));
    }
    let params = if params.is_empty() { "void".to_string() } else { params.join(", ") };
    (result.to_string(), params)
}

fn operand(params: &mut Vec<String>, names: &mut Names, value: &Value<'_>, bytes: Bytes) {
    let name = names.fresh(value.name);
    match value.kind {
        Kind::Str => {
            params.push(format!("const char *{name}"));
            params.push(format!("size_t {}", names.fresh(&format!("{}_bytes", value.name))));
        }
        Kind::Buf if bytes == Bytes::Copied => {
            params.push(format!("const void *{name}"));
            params.push(format!("size_t {}", names.fresh(&format!("{}_bytes", value.name))));
        }
        kind => params.push(format!("{} {name}", returned(kind))),
    }
}

/// The type of a value by itself.
fn returned(kind: Kind) -> &'static str {
    match kind {
        Kind::I32 => "int32_t",
        Kind::I64 => "int64_t",
        Kind::F32 => "float",
        Kind::F64 => "double",
        Kind::V128 => "v128_t",
        Kind::Bool => "bool",
        Kind::Str | Kind::Buf => "cascade_buf",
    }
}

/// The type of a result's place in memory, with its blank. A `bool` is stored as a number of 32 bits.
fn stored(kind: Kind) -> &'static str {
    match kind {
        Kind::I32 | Kind::Bool => "int32_t ",
        Kind::I64 => "int64_t ",
        Kind::F32 => "float ",
        Kind::F64 => "double ",
        Kind::V128 => "v128_t ",
        Kind::Str | Kind::Buf => "cascade_buf ",
    }
}

fn write_event(out: &mut String, set: &InstructionSet, event: &Event, params: &[Value<'_>], taken: &mut Names) {
    let mut names = Names::new(RESERVED);
    let param = |value: &Value<'_>| format!("{} {}", returned(value.kind), names.fresh(value.name));
    let params: Vec<String> = params.iter().map(param).collect();
    let params = if params.is_empty() { "void".to_string() } else { params.join(", ") };
    let name = taken.fresh(&format!("{}_on_{}", word(&set.name), event.name));
    let guarded = params.contains("v128_t");
    let (open, close) = if guarded { ("#ifdef __wasm_simd128__\n", "#endif\n") } else { ("", "") };
    let _ = write!(out, "\n{open}/// The handler of the event `{}`: define it, and it is called.\n", event.name);
    comment(out, "///", &event.doc);
    let export = format!("{}.{}", set.path(), event.name);
    let _ = write!(out, "CASCADE_EXPORT(\"{export}\") void {name}({params});\n{close}");
}

fn comment(out: &mut String, start: &str, doc: &str) {
    for line in doc.lines() {
        // A backslash at the end would take the next line into the comment.
        let line = line.trim().trim_end_matches('\\');
        let _ = writeln!(out, "{start} {line}");
    }
}
