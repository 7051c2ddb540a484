//! A Zig module: the imports, and a function for each that takes slices and returns values or errors.
//!
//! Zig passes no vectors to what is outside on every processor, so instructions with `v128` are left out by name.
//! A name that stands in a container may not be one of a parameter in it, so every parameter avoids all of them.

use std::fmt::Write as _;

use il::isa::{Event, Instruction, InstructionSet};
use il::trap::Status;

use super::{Bytes, Callable, Kind, Names, Value, callable, declared, handled, left_out, word};

/// The keywords of Zig, its types and values, and the names that a generated module uses itself.
const RESERVED: &[&str] = &[
    "Buf",
    "Error",
    "addrspace",
    "align",
    "allowzero",
    "and",
    "anyerror",
    "anyframe",
    "anyopaque",
    "anytype",
    "asm",
    "async",
    "await",
    "bool",
    "break",
    "c_char",
    "c_int",
    "c_long",
    "c_longdouble",
    "c_longlong",
    "c_short",
    "c_uint",
    "c_ulong",
    "c_ulonglong",
    "c_ushort",
    "callconv",
    "catch",
    "check",
    "comptime",
    "comptime_float",
    "comptime_int",
    "const",
    "continue",
    "defer",
    "else",
    "entry",
    "enum",
    "errdefer",
    "error",
    "export",
    "extern",
    "f128",
    "f16",
    "f32",
    "f64",
    "f80",
    "false",
    "fn",
    "for",
    "handler",
    "if",
    "inline",
    "isize",
    "linksection",
    "noalias",
    "noinline",
    "noreturn",
    "nosuspend",
    "null",
    "opaque",
    "or",
    "orelse",
    "packed",
    "pub",
    "raw",
    "raw_buf",
    "resume",
    "return",
    "struct",
    "suspend",
    "switch",
    "test",
    "threadlocal",
    "true",
    "try",
    "type",
    "undefined",
    "union",
    "unreachable",
    "usingnamespace",
    "usize",
    "var",
    "void",
    "volatile",
    "while",
];

const BUF: &str = r#"
/// A `buf`: a byte buffer outside of linear memory. It is used until it is given to an instruction, which moves it, or
/// freed. Another use, or one beyond its end, traps.
pub const Buf = struct {
    handle: i32,

    /// A buffer of so many zeros.
    pub fn new(bytes: usize) Buf {
        return .{ .handle = raw_buf.new(bytes) };
    }

    /// Its length in bytes.
    pub fn len(buf: Buf) usize {
        return raw_buf.len(buf.handle);
    }

    /// Copies bytes from `offset` of the buffer.
    pub fn read(buf: Buf, offset: usize, to: []u8) void {
        raw_buf.read(buf.handle, offset, to.ptr, to.len);
    }

    /// Copies bytes to `offset` of the buffer.
    pub fn write(buf: Buf, offset: usize, from: []const u8) void {
        raw_buf.write(buf.handle, offset, from.ptr, from.len);
    }

    /// Gives it back.
    pub fn free(buf: Buf) void {
        raw_buf.free(buf.handle);
    }
};

const raw_buf = struct {
    extern "cascade.buf" fn new(usize) i32;
    extern "cascade.buf" fn len(i32) usize;
    extern "cascade.buf" fn read(i32, usize, [*]u8, usize) void;
    extern "cascade.buf" fn write(i32, usize, [*]const u8, usize) void;
    extern "cascade.buf" fn free(i32) void;
};

/// Why an instruction failed.
pub const Error = error{
"#;

/// The module of these sets.
pub fn module(sets: &[InstructionSet]) -> String {
    let paths: Vec<String> = sets.iter().map(InstructionSet::path).collect();
    let mut out = format!("// Written by `ilc bindings --lang zig` for {}; do not edit.\n", paths.join(", "));
    out.push_str(BUF);
    for status in Status::ALL {
        let _ = writeln!(out, "    /// {status}\n    {status:?},");
    }
    out.push_str("    /// A number that is not in the table.\n    Other,\n};\n\nfn check(status: i32) Error!void {\n");
    out.push_str("    return switch (status) {\n        0 => {},\n");
    for status in Status::ALL {
        let _ = writeln!(out, "        {} => error.{status:?},", *status as u16);
    }
    out.push_str("        else => error.Other,\n    };\n}\n");
    let mut modules = Names::new(RESERVED);
    let named: Vec<String> = sets.iter().map(|set| short(&mut modules, set)).collect();
    for (set, name) in sets.iter().zip(&named) {
        write_set(&mut out, set, name, &named);
    }
    out
}

/// A set by the last part of its path; of two that end alike the second by all of it.
fn short(names: &mut Names, set: &InstructionSet) -> String {
    let short = set.name.rsplit('.').next().unwrap_or(&set.name);
    let taken = names.taken.iter().any(|name| name == short) || RESERVED.contains(&short);
    fresh(names, &if taken { format!("{}_{}", word(&set.name), set.version) } else { short.to_string() })
}

/// A name that is given once; one that looks like `u8` is a type in Zig.
fn fresh(names: &mut Names, wanted: &str) -> String {
    let digits = wanted.strip_prefix(['i', 'u']).filter(|digits| !digits.is_empty());
    let is_type = digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    names.fresh(&if is_type { format!("{wanted}_") } else { wanted.to_string() })
}

/// A function of a set: an instruction in one of its forms.
struct Form<'a> {
    callable: Callable<'a>,
    bytes: Bytes,
    tried: bool,
    /// What it is called.
    name: String,
    /// What its plain form is called.
    plain: String,
}

impl Form<'_> {
    /// The import's field. Zig has one function for each, so that the form that moves its buffers has its own.
    fn field(&self) -> String {
        let (tried, give) =
            (if self.tried { "try " } else { "" }, if self.bytes == Bytes::Moved { "give " } else { "" });
        let field = format!("{tried}{give}{}", self.callable.instruction.name);
        let plain = field == self.callable.instruction.name && !RESERVED.contains(&field.as_str());
        if plain { field } else { format!("@\"{field}\"") }
    }

    fn results(&self) -> &[Value<'_>] {
        self.callable.results.as_deref().unwrap_or_default()
    }

    /// Whether results are stored where pointers say.
    fn stores(&self) -> bool {
        self.tried || self.results().len() > 1
    }
}

/// All functions of a set, under their names.
fn forms<'a>(set: &'a InstructionSet, names: &mut Names) -> Vec<Form<'a>> {
    let mut all = Vec::new();
    for instruction in set.instructions.iter() {
        let Some(reached) = reachable(instruction) else { continue };
        for bytes in Bytes::forms(&reached) {
            let suffix = if *bytes == Bytes::Moved { "_buf" } else { "" };
            let plain = fresh(names, &format!("{}{suffix}", instruction.name));
            let tried = reached.results.is_some().then(|| fresh(names, &format!("try_{}{suffix}", instruction.name)));
            let called = [(false, Some(plain.clone())), (true, tried)];
            for (tried, name) in called.into_iter().filter_map(|(tried, name)| Some((tried, name?))) {
                let Some(callable) = reachable(instruction) else { continue };
                all.push(Form { callable, bytes: *bytes, tried, name, plain: plain.clone() });
            }
        }
    }
    all
}

fn write_set(out: &mut String, set: &InstructionSet, name: &str, modules: &[String]) {
    out.push('\n');
    doc(out, "", &format!("`{}`\n{}", set.path(), set.doc));
    let _ = writeln!(out, "pub const {name} = struct {{");
    let start = out.len();
    let mut names = Names::new(RESERVED);
    let forms = forms(set, &mut names);
    let handlers: Vec<String> =
        set.events.iter().map(|event| fresh(&mut names, &format!("on_{}", event.name))).collect();
    // What parameters may not be called.
    let taken: Vec<String> = names.taken.iter().chain(modules).cloned().collect();
    for form in &forms {
        write_function(out, form, &taken);
    }
    for instruction in set.instructions.iter().filter(|instruction| reachable(instruction).is_none()) {
        match callable(instruction) {
            Some(_) => _ = write!(out, "\n    // `{}` is left out: {VECTORS}\n", declared(instruction)),
            None => _ = write!(out, "\n    // {}\n", left_out(&declared(instruction))),
        }
    }
    for (event, handler) in set.events.iter().zip(&handlers) {
        match handled(event) {
            Some(params) if params.iter().any(|value| value.kind == Kind::V128) => {
                let _ = write!(out, "\n    // event `{}` is left out: {VECTORS}\n", event.name);
            }
            Some(params) => write_event(out, set, event, &params, handler, &taken),
            None => _ = write!(out, "\n    // event {}\n", left_out(&event.name)),
        }
    }
    write_imports(out, set, &forms);
    // Each member has a blank line above it but the first.
    out.replace_range(start..(start + 1).min(out.len()), "");
    out.push_str("};\n");
}

const VECTORS: &str = "it carries a vector.";

/// An instruction that Zig can reach.
fn reachable(instruction: &Instruction) -> Option<Callable<'_>> {
    callable(instruction).filter(|callable| !callable.has_v128())
}

fn write_imports(out: &mut String, set: &InstructionSet, forms: &[Form<'_>]) {
    if forms.is_empty() {
        return;
    }
    out.push_str("\n    const raw = struct {\n");
    for form in forms {
        let (params, result) = raw_signature(form);
        let _ = writeln!(out, "        extern \"{}\" fn {}({params}) {result};", set.path(), form.field());
    }
    out.push_str("    };\n");
}

/// Types of parameters and result of an import.
fn raw_signature(form: &Form<'_>) -> (String, &'static str) {
    let mut params: Vec<String> = Vec::new();
    for value in &form.callable.params {
        if is_span(value.kind, form.bytes) {
            params.extend(["[*]const u8".to_string(), "usize".to_string()]);
        } else {
            params.push(raw(value.kind).to_string());
        }
    }
    if form.stores() {
        params.extend(form.results().iter().map(|value| format!("*{}", raw(value.kind))));
    }
    let result = match form.results() {
        _ if form.tried => "i32",
        [one] => raw(one.kind),
        _ => "void",
    };
    (params.join(", "), result)
}

/// Whether an operand is given by address and length.
fn is_span(kind: Kind, bytes: Bytes) -> bool {
    kind == Kind::Str || (kind == Kind::Buf && bytes == Bytes::Copied)
}

/// A value as it is passed; a `bool` as a number.
fn raw(kind: Kind) -> &'static str {
    match kind {
        Kind::I32 | Kind::Bool | Kind::Str | Kind::Buf => "i32",
        Kind::I64 => "i64",
        Kind::F32 => "f32",
        Kind::F64 => "f64",
        Kind::V128 => "@Vector(16, u8)",
    }
}

/// A value as Zig has it.
fn typed(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Str | Kind::Buf => "Buf",
        Kind::I32 | Kind::I64 | Kind::F32 | Kind::F64 | Kind::V128 => raw(kind),
    }
}

/// What came in, as Zig has it.
fn taken(value: &str, kind: Kind) -> String {
    match kind {
        Kind::Bool => format!("{value} != 0"),
        Kind::Str | Kind::Buf => format!("Buf{{ .handle = {value} }}"),
        Kind::I32 | Kind::I64 | Kind::F32 | Kind::F64 | Kind::V128 => value.to_string(),
    }
}

fn write_function(out: &mut String, form: &Form<'_>, reserved: &[String]) {
    let mut names = Names::new(RESERVED);
    names.taken.extend_from_slice(reserved);
    let (mut params, mut args) = (Vec::new(), Vec::new());
    for value in &form.callable.params {
        let name = fresh(&mut names, value.name);
        let ty = if is_span(value.kind, form.bytes) { "[]const u8" } else { typed(value.kind) };
        params.push(format!("{name}: {ty}"));
        match value.kind {
            kind if is_span(kind, form.bytes) => args.extend([format!("{name}.ptr"), format!("{name}.len")]),
            Kind::Buf => args.push(format!("{name}.handle")),
            Kind::Bool => args.push(format!("@intFromBool({name})")),
            Kind::I32 | Kind::I64 | Kind::F32 | Kind::F64 | Kind::V128 | Kind::Str => args.push(name),
        }
    }
    out.push('\n');
    doc(out, "    ", &what(form));
    let error = if form.tried { "Error!" } else { "" };
    let _ = writeln!(out, "    pub fn {}({}) {error}{} {{", form.name, params.join(", "), returns(form.results()));
    let places: Vec<String> = form.results().iter().map(|value| fresh(&mut names, value.name)).collect();
    if form.stores() {
        for (place, value) in places.iter().zip(form.results()) {
            let _ = writeln!(out, "        var {place}: {} = undefined;", raw(value.kind));
        }
        args.extend(places.iter().map(|place| format!("&{place}")));
    }
    let call = format!("raw.{}({})", form.field(), args.join(", "));
    let _ = match (form.tried, form.results()) {
        (true, []) => writeln!(out, "        return check({call});"),
        (true, results) => writeln!(out, "        try check({call});\n        return {};", given(results, &places)),
        (false, []) => writeln!(out, "        {call};"),
        (false, [one]) => writeln!(out, "        return {};", taken(&call, one.kind)),
        (false, results) => writeln!(out, "        {call};\n        return {};", given(results, &places)),
    };
    out.push_str("    }\n");
}

fn what(form: &Form<'_>) -> String {
    let instruction = form.callable.instruction;
    match (form.tried, form.bytes) {
        (true, _) => format!("`{}` with a failure as an error.", form.plain),
        (false, Bytes::Moved) => format!("`{}` with a buffer that moves: nothing is copied.", instruction.name),
        (false, Bytes::Copied) => {
            let what = format!("`{}`\n{}", declared(instruction), instruction.doc.trim_end());
            if form.callable.has_buf() { format!("{what}\nThe bytes are copied once.") } else { what }
        }
    }
}

/// What a function returns: nothing, a value, or several by name.
fn returns(results: &[Value<'_>]) -> String {
    match results {
        [] => "void".to_string(),
        [one] => typed(one.kind).to_string(),
        several => {
            let field = |value: &Value<'_>| format!("{}: {}", member(value.name), typed(value.kind));
            format!("struct {{ {} }}", several.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The values that stand in these places.
fn given(results: &[Value<'_>], places: &[String]) -> String {
    let values = results.iter().zip(places).map(|(value, place)| (member(value.name), taken(place, value.kind)));
    let mut values: Vec<(String, String)> = values.collect();
    match (values.pop(), values.is_empty()) {
        (Some((_, one)), true) => one,
        (last, _) => {
            let fields = values.into_iter().chain(last).map(|(name, value)| format!(".{name} = {value}"));
            format!(".{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A name behind a point, where only keywords need quotes.
fn member(name: &str) -> String {
    if RESERVED.contains(&name) { format!("@\"{name}\"") } else { name.to_string() }
}

fn write_event(
    out: &mut String,
    set: &InstructionSet,
    event: &Event,
    params: &[Value<'_>],
    called: &str,
    reserved: &[String],
) {
    let mut names = Names::new(RESERVED);
    names.taken.extend_from_slice(reserved);
    let names: Vec<String> = params.iter().map(|value| fresh(&mut names, value.name)).collect();
    let list = |one: &dyn Fn(&str, Kind) -> String| {
        let all = names.iter().zip(params).map(|(name, value)| one(name, value.kind));
        all.collect::<Vec<_>>().join(", ")
    };
    out.push('\n');
    let what = format!("Lets the event `{}` be handled: `comptime {{ {called}(handler); }}`", event.name);
    doc(out, "    ", &format!("{what}\n{}", event.doc.trim_end()));
    let wanted = list(&|name, kind| format!("{name}: {}", typed(kind)));
    let _ = writeln!(out, "    pub fn {called}(comptime handler: fn ({wanted}) void) void {{");
    let passed = list(&|name, kind| format!("{name}: {}", raw(kind)));
    let args = list(&|name, kind| taken(name, kind));
    let _ = writeln!(out, "        const entry = struct {{\n            fn call({passed}) callconv(.c) void {{");
    let _ = writeln!(out, "                handler({args});\n            }}\n        }};");
    let _ = writeln!(out, "        @export(&entry.call, .{{ .name = \"{}.{}\" }});\n    }}", set.path(), event.name);
}

fn doc(out: &mut String, indent: &str, text: &str) {
    for line in text.trim_end().lines() {
        let _ = writeln!(out, "{}", format!("{indent}/// {}", line.trim()).trim_end());
    }
}
