//! `ilc bindings`: instruction sets as a C header, a Rust module or a Zig module, for programs that become WebAssembly.
//!
//! Everything is taken from a set's one declaration, built in or in a text. A WASM import whose module is `SET@VERSION`
//! and whose field is the instruction's name is that instruction, and `try NAME` is its form with a status. An
//! instruction with an operand or result that no value of these languages is (an object, a capability) is left out by name.

mod c;
mod rust;
mod zig;

use std::path::{Path, PathBuf};

use il::Type;
use il::isa::{Event, Field, Instruction, InstructionSet};

use crate::input::{Failure, read_text};
use crate::output::{print, write_over};

/// The language to write.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// A header, for clang.
    C,
    /// A module without dependencies, for `no_std` too.
    Rust,
    /// A module, for `wasm32-freestanding` and `wasm32-wasi`.
    Zig,
}

/// Writes the bindings of these sets: names of built-in ones, or texts that declare some. Without any, of all the
/// built-in ones.
pub fn write(lang: Lang, wanted: &[String], output: Option<&Path>) -> Result<(), Failure> {
    let sets = collect(wanted)?;
    let text = match lang {
        Lang::C => c::header(&sets),
        Lang::Rust => rust::module(&sets),
        Lang::Zig => zig::module(&sets),
    };
    match output.filter(|path| *path != Path::new("-")) {
        Some(path) => write_over(path, text.as_bytes()),
        None => print(&text),
    }
}

fn collect(wanted: &[String]) -> Result<Vec<InstructionSet>, Failure> {
    if wanted.is_empty() {
        return Ok(isa::ALL.iter().map(|set| (*set).clone()).collect());
    }
    let mut sets: Vec<InstructionSet> = Vec::new();
    for name in wanted {
        for set in named(name)? {
            if sets.iter().any(|other| other.path() == set.path()) {
                return Err(Failure::Plain(format!("the instruction set `{}` is asked for twice", set.path())));
            }
            sets.push(set);
        }
    }
    Ok(sets)
}

/// A built-in set, or those that a text declares.
fn named(name: &str) -> Result<Vec<InstructionSet>, Failure> {
    if let Some(set) = isa::find(name) {
        return Ok(vec![set.clone()]);
    }
    let path = PathBuf::from(name);
    if !name.ends_with(".il") && !path.exists() {
        let known: Vec<String> = isa::ALL.iter().map(|set| set.path()).collect();
        let message = format!("there is no instruction set `{name}`; built in are {}", known.join(", "));
        return Err(Failure::Plain(format!("{message}; others are declared by a text: name its file")));
    }
    let source = read_text(&path)?;
    let resolve = cascade::source::importer(name, &source);
    let options = il::text::Options { known: isa::ALL, resolve: &resolve, tests: false };
    let sets = il::text::sets(name, &source, &options).map_err(Failure::Text)?;
    if sets.is_empty() {
        return Err(Failure::message(&path, "this text declares no instruction set"));
    }
    Ok(sets)
}

/// What a language without objects can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    I32,
    I64,
    F32,
    F64,
    V128,
    Bool,
    Str,
    Buf,
}

/// An operand or result under the name that it gets.
struct Value<'a> {
    name: &'a str,
    kind: Kind,
}

/// An instruction that the language can reach.
struct Callable<'a> {
    instruction: &'a Instruction,
    params: Vec<Value<'a>>,
    /// As in the declaration: `None` streams.
    results: Option<Vec<Value<'a>>>,
}

impl Callable<'_> {
    /// Whether there is an operand that can be given as bytes or by a handle.
    fn has_buf(&self) -> bool {
        self.params.iter().any(|value| value.kind == Kind::Buf)
    }

    fn has_v128(&self) -> bool {
        let results = self.results.as_deref().unwrap_or_default();
        self.params.iter().chain(results).any(|value| value.kind == Kind::V128)
    }
}

/// How a `buf` operand is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bytes {
    /// As a span of linear memory, which is copied once.
    Copied,
    /// As a handle, which moves.
    Moved,
}

impl Bytes {
    /// The forms in which an instruction is declared.
    fn forms(callable: &Callable<'_>) -> &'static [Bytes] {
        if callable.has_buf() { &[Bytes::Copied, Bytes::Moved] } else { &[Bytes::Copied] }
    }
}

fn kind(ty: Type) -> Option<Kind> {
    match ty {
        Type::I32 => Some(Kind::I32),
        Type::I64 => Some(Kind::I64),
        Type::F32 => Some(Kind::F32),
        Type::F64 => Some(Kind::F64),
        Type::V128 => Some(Kind::V128),
        Type::Bool => Some(Kind::Bool),
        Type::Str => Some(Kind::Str),
        Type::Buf => Some(Kind::Buf),
        Type::BufRef | Type::Any | Type::OptStr | Type::OptBuf | Type::OptAny => None,
        Type::Ref(_) | Type::Opt(_) => None,
    }
}

fn values<'a>(fields: &'a [Field], unnamed: &'a [&'a str]) -> Option<Vec<Value<'a>>> {
    let name = |at: usize, field: &'a Field| match field.name.as_ref() {
        "" | "_" => unnamed.get(at).copied().unwrap_or("value"),
        name => name,
    };
    fields.iter().enumerate().map(|(at, field)| Some(Value { name: name(at, field), kind: kind(field.ty)? })).collect()
}

const PARAMS: [&str; 16] =
    ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", "p15"];
const RESULTS: [&str; 16] = [
    "result", "result1", "result2", "result3", "result4", "result5", "result6", "result7", "result8", "result9",
    "result10", "result11", "result12", "result13", "result14", "result15",
];

/// `None` if an operand or result is nothing that the language has.
fn callable(instruction: &Instruction) -> Option<Callable<'_>> {
    let params = values(&instruction.params, &PARAMS)?;
    let results = match &instruction.results {
        Some(results) => Some(values(results, &RESULTS)?),
        None => None,
    };
    Some(Callable { instruction, params, results })
}

/// The same of an event's handler.
fn handled(event: &Event) -> Option<Vec<Value<'_>>> {
    values(&event.params, &PARAMS)
}

/// Gives every name once: one that is taken or reserved gets underscores behind it.
struct Names {
    taken: Vec<String>,
    reserved: &'static [&'static str],
}

impl Names {
    fn new(reserved: &'static [&'static str]) -> Names {
        Names { taken: Vec::new(), reserved }
    }

    fn fresh(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_string();
        while self.reserved.contains(&name.as_str()) || self.taken.contains(&name) {
            name.push('_');
        }
        self.taken.push(name.clone());
        name
    }
}

/// An instruction as it is declared: `3 size() -> (columns: i32, rows: i32)`.
fn declared(instruction: &Instruction) -> String {
    let results = match instruction.results.as_deref() {
        Some(results) => format!(" -> {}", list(results)),
        None => String::new(),
    };
    format!("{} {}{}{results}", instruction.opcode, instruction.name, list(&instruction.params))
}

fn list(fields: &[Field]) -> String {
    let one = |field: &Field| match field.name.as_ref() {
        "" => ty_text(field.ty),
        name => format!("{name}: {}", ty_text(field.ty)),
    };
    format!("({})", fields.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// A type by name; what only a module knows by what it is.
fn ty_text(ty: Type) -> String {
    match ty {
        Type::Ref(_) => "object".into(),
        Type::Opt(_) => "?object".into(),
        plain => plain.to_string(),
    }
}

/// `BadOperand` as `BAD_OPERAND`.
fn upper(name: &str) -> String {
    let mut out = String::new();
    for (at, char) in name.chars().enumerate() {
        if char.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(char.to_ascii_uppercase());
    }
    out
}

/// A dotted name as one word.
fn word(name: &str) -> String {
    name.replace('.', "_")
}

/// Why an instruction is not there.
fn left_out(what: &str) -> String {
    format!("`{what}` is left out: it carries an object or a capability, which only the IL has.")
}
