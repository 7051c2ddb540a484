//! The operators, grouped by what they work on.

use il::Type;
use il::op::{EXTENDED, FIRST_EXTENDED, Form, Op, OpInfo};

use super::tables::{Table, code};

/// What an operator works on, by its line of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Integers,
    Floats,
    Bools,
    Conversions,
    Memory,
    Bufs,
    Strs,
    VectorMemory,
    VectorAny,
    Shape(&'static str),
}

const SHAPES: [&str; 6] = ["i8x16.", "i16x8.", "i32x4.", "i64x2.", "f32x4.", "f64x2."];

fn group(info: &OpInfo) -> Group {
    let has = |ty| info.params.contains(&ty) || info.result == Some(ty);
    let only = |ty| {
        info.params.iter().all(|param| *param == ty)
            && matches!(info.result, Some(result) if result == ty || result == Type::Bool)
    };
    if has(Type::V128) {
        let shape = SHAPES.into_iter().find(|shape| info.text.starts_with(shape));
        let bytes = info.form.has_offset() || has(Type::BufRef);
        return shape.map_or(if bytes { Group::VectorMemory } else { Group::VectorAny }, Group::Shape);
    }
    if has(Type::BufRef) || has(Type::Buf) {
        Group::Bufs
    } else if has(Type::Str) {
        Group::Strs
    } else if info.op.touches_memory() {
        Group::Memory
    } else if only(Type::Bool) {
        Group::Bools
    } else if only(Type::I32) || only(Type::I64) {
        Group::Integers
    } else if only(Type::F32) || only(Type::F64) {
        Group::Floats
    } else {
        Group::Conversions
    }
}

pub(super) fn integers() -> String {
    table(Group::Integers)
}

pub(super) fn floats() -> String {
    table(Group::Floats)
}

pub(super) fn bools() -> String {
    table(Group::Bools)
}

pub(super) fn conversions() -> String {
    table(Group::Conversions)
}

pub(super) fn memory() -> String {
    table(Group::Memory)
}

pub(super) fn bufs() -> String {
    table(Group::Bufs)
}

pub(super) fn strs() -> String {
    table(Group::Strs)
}

pub(super) fn vector_memory() -> String {
    table(Group::VectorMemory)
}

pub(super) fn vector_any() -> String {
    table(Group::VectorAny)
}

pub(super) fn i8x16() -> String {
    table(Group::Shape("i8x16."))
}

pub(super) fn i16x8() -> String {
    table(Group::Shape("i16x8."))
}

pub(super) fn i32x4() -> String {
    table(Group::Shape("i32x4."))
}

pub(super) fn i64x2() -> String {
    table(Group::Shape("i64x2."))
}

pub(super) fn f32x4() -> String {
    table(Group::Shape("f32x4."))
}

pub(super) fn f64x2() -> String {
    table(Group::Shape("f64x2."))
}

fn table(wanted: Group) -> String {
    let mut table = Table::new(&["code", "text", "types", "meaning", "traps"]);
    for info in Op::TABLE.iter().filter(|info| group(info) == wanted) {
        let traps: Vec<String> = info.traps.iter().map(|kind| code(format!("{kind:?}"))).collect();
        let text = code(text(info));
        table.row(&[&code(bytes(info)), &text, &code(types(info)), info.op.meaning(), &traps.join(", ")]);
    }
    table.finish()
}

/// The bytes before immediates, in hexadecimal.
fn bytes(info: &OpInfo) -> String {
    let number = info.op as u16;
    let mut bytes = Vec::new();
    if number < FIRST_EXTENDED {
        bytes.push(number as u8);
    } else {
        bytes.push(EXTENDED);
        il::leb::write_u64(&mut bytes, u64::from(number - FIRST_EXTENDED));
    }
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

fn types(info: &OpInfo) -> String {
    let params: Vec<&str> = info.params.iter().map(|ty| ty.name()).collect();
    let result = info.result.map_or(String::new(), |ty| format!(" {}", ty.name()));
    format!("({}) →{result}", params.join(", "))
}

/// How it is written, with the operands' names that the meanings use.
fn text(info: &OpInfo) -> String {
    let names = operands(info);
    let (name, list) = (info.text, names.join(", "));
    let first = names.first().copied().unwrap_or("");
    let second = names.get(1).copied().unwrap_or("");
    match info.form {
        Form::Infix => format!("{first} {name} {second}"),
        Form::Prefix => format!("{name}{first}"),
        Form::Call => format!("{name}({list})"),
        Form::Memory => format!("{name}({list}, offset: N)"),
        Form::Index => format!("{first}[{second}]"),
        Form::IndexSet => format!("{first}[{second}] = value"),
        Form::Lane(_) => format!("{name}({list}, LANE)"),
        Form::MemoryLane(_) => format!("{name}({list}, LANE, offset: N)"),
    }
}

fn operands(info: &OpInfo) -> &'static [&'static str] {
    const PLAIN: &[&str] = &["a", "b", "c"];
    const MEMORY: &[&str] = &["address", "value"];
    const BUF: &[&str] = &["buf", "at", "value"];
    const COPY: &[&str] = &["to", "to_at", "from", "from_at", "n"];
    let count = info.params.len();
    let names = match (info.form.has_offset(), info.params.first(), count) {
        (true, _, _) => MEMORY,
        (false, Some(Type::BufRef), 5) => COPY,
        (false, Some(Type::BufRef), _) => BUF,
        (false, _, _) => PLAIN,
    };
    names.get(..count).unwrap_or(names)
}
