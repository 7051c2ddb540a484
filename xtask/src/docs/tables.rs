//! Tables of types, codes and limits.

use std::fmt::Write;

use il::limits::ALL as LIMITS;
use il::text::Code;
use il::trap::{Status, TrapKind};
use il::{Storage, Type};

/// A table of Markdown.
pub(super) struct Table {
    text: String,
}

impl Table {
    /// With these columns; one that starts with `#` is aligned to the right.
    pub fn new(columns: &[&str]) -> Table {
        let names: Vec<&str> = columns.iter().map(|name| name.trim_start_matches('#')).collect();
        let lines: Vec<&str> = columns.iter().map(|name| if name.starts_with('#') { "---:" } else { "---" }).collect();
        Table { text: format!("| {} |\n| {} |\n", names.join(" | "), lines.join(" | ")) }
    }

    pub fn row(&mut self, cells: &[&str]) {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// As code.
pub(super) fn code(text: impl std::fmt::Display) -> String {
    format!("`{text}`")
}

pub(super) fn types() -> String {
    let mut table = Table::new(&["#code", "type", "null", "reference", "affine", "in a packet"]);
    let yes = |flag: bool| if flag { "yes" } else { "" };
    for ty in Type::PLAIN {
        let marks = [ty.is_nullable(), ty.is_reference(), ty.is_affine(), ty.is_sendable()].map(yes);
        let [null, reference, affine, sendable] = marks;
        table.row(&[&ty.code().to_string(), &code(ty), null, reference, affine, sendable]);
    }
    let of = "a struct, array, function or capability type";
    table.row(&[&format!("{} def", Type::REF_CODE), of, "", "yes", "", ""]);
    table.row(&[&format!("{} def", Type::OPT_CODE), &format!("{of}, or null"), "yes", "yes", "", ""]);
    table.finish()
}

pub(super) fn storage() -> String {
    let mut table = Table::new(&["#code", "storage", "read and written as", "#bytes"]);
    for (number, storage) in Storage::PACKED {
        let bytes = storage.bytes().to_string();
        table.row(&[&number.to_string(), &code(storage.name()), &code(storage.value()), &bytes]);
    }
    let of = |ty| Storage::Value(ty).bytes();
    for ty in Type::PLAIN {
        if !matches!(ty, Type::Buf | Type::BufRef) {
            table.row(&[&ty.code().to_string(), &code(ty), &code(ty), &of(ty).to_string()]);
        }
    }
    let bytes = of(Type::Ref(il::TypeId(0))).to_string();
    table.row(&["14, 15", "any other reference", "itself", &bytes]);
    table.finish()
}

pub(super) fn traps() -> String {
    let mut table = Table::new(&["#number", "kind", "report"]);
    for kind in TrapKind::ALL {
        table.row(&[&(*kind as u8).to_string(), &code(format!("{kind:?}")), kind.describe()]);
    }
    table.finish()
}

pub(super) fn statuses() -> String {
    let mut table = Table::new(&["#status", "meaning"]);
    table.row(&["0", "success"]);
    for status in Status::ALL {
        table.row(&[&(*status as u16).to_string(), status.describe()]);
    }
    table.finish()
}

pub(super) fn limits() -> String {
    let mut table = Table::new(&["limit", "#at most", "of what"]);
    for (name, value, what) in LIMITS {
        table.row(&[&code(name), &grouped(*value), what]);
    }
    table.finish()
}

/// `1,048,576`
fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn diagnostics() -> String {
    let mut out = String::new();
    for code in Code::ALL {
        let _ = writeln!(out, "### {}: {}\n\n{}\n", code.name(), code.title(), code.explanation());
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

pub(super) fn sections() -> String {
    let mut table = Table::new(&["#kind", "section", "what it holds"]);
    for (kind, name, what) in il::binary::section::ALL {
        table.row(&[&code(format!("{kind:02x}")), name, what.trim()]);
    }
    table.finish()
}

pub(super) fn violations() -> String {
    refusals(&["violation", "what is refused"], il::verify::Violation::RULES)
}

pub(super) fn problems() -> String {
    refusals(&["problem", "what is refused"], il::binary::Problem::ALL)
}

fn refusals(columns: &[&str], all: &[(&str, &str)]) -> String {
    let mut table = Table::new(columns);
    for (name, what) in all {
        let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        let what =
            what.replace("[`crate::limits`]", "[the limits](limits.md)").replace("[`super::MAGIC`]", "the magic");
        table.row(&[&code(name), &what]);
    }
    table.finish()
}

pub(super) fn words() -> String {
    let words: Vec<&str> = il::text::reserved_words().collect();
    format!("```text\n{}```\n", wrapped(&words))
}

pub(super) fn item_words() -> String {
    let words: Vec<&str> = il::text::item_words().collect();
    format!("```text\n{}```\n", wrapped(&words))
}

pub(super) fn precedence() -> String {
    let mut table = Table::new(&["operators, the tightest first"]);
    table.row(&["`-` `!` `~` before an operand; `try`"]);
    for level in il::text::precedence() {
        let level: Vec<String> = level.iter().map(code).collect();
        table.row(&[&level.join(" ")]);
    }
    table.finish()
}

/// Words in lines of at most 100 characters.
fn wrapped(words: &[&str]) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in words {
        if width > 0 && width + 1 + word.len() > 100 {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.len();
    }
    out.push('\n');
    out
}
