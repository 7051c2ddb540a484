//! The structural instructions, family by family.

use std::fmt::Write;

use il::instr::{Family, Instr, InstrInfo, Place, Reader, TABLE};

use super::tables::{Table, code};

pub(super) fn constants() -> String {
    family(Family::Constant)
}

pub(super) fn variables() -> String {
    family(Family::Variable)
}

pub(super) fn functions() -> String {
    family(Family::Function)
}

pub(super) fn control() -> String {
    family(Family::Control)
}

pub(super) fn objects() -> String {
    family(Family::Object)
}

pub(super) fn devices() -> String {
    family(Family::Device)
}

pub(super) fn programs() -> String {
    family(Family::Program)
}

pub(super) fn operators() -> String {
    family(Family::Operator)
}

/// All structural instructions by code.
pub(super) fn codes() -> String {
    let mut table = Table::new(&["code", "instruction", "immediates", "place"]);
    for info in TABLE {
        table.row(&[&code(format!("{:02x}", info.code)), &code(info.mnemonic), &immediates(info), place(info.place)]);
    }
    table.finish()
}

fn family(family: Family) -> String {
    let mut out = String::new();
    for info in TABLE {
        with_example(info, |instr| {
            if instr.family() == family {
                section(&mut out, info, instr.rule());
            }
        });
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn section(out: &mut String, info: &InstrInfo, rule: &str) {
    let (names, doc) = (info.immediates, info.doc.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(!rule.is_empty() && !doc.is_empty(), "{} has no rule or no meaning", info.mnemonic);
    let names: String = names.iter().map(|(name, _)| format!(" *{name}*")).collect();
    let _ = writeln!(out, "**`{}`**{names}", info.mnemonic);
    let immediates = immediates(info);
    let bytes = if immediates.is_empty() { String::new() } else { format!(", then {immediates}") };
    let _ = writeln!(out, "· `{:02x}`{bytes} · {} · `{}`", info.code, place(info.place), info.stack);
    let _ = writeln!(out, "<br>*Means:* {doc}");
    let _ = writeln!(out, "<br>*Valid if:* {rule}\n");
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Tree => "in a tree",
        Place::Statement => "a statement",
        Place::Terminator => "a statement that ends its list",
        Place::Construct => "a bracket",
    }
}

fn immediates(info: &InstrInfo) -> String {
    let all: Vec<String> = info.immediates.iter().map(|(name, kind)| format!("*{name}*: {kind}")).collect();
    all.join(", ")
}

/// Shows an instruction of this line of the table to `look`. Whatever follows the code, ones are legal there.
fn with_example(info: &InstrInfo, mut look: impl FnMut(&Instr<'_>)) {
    let mut bytes = [1; 32];
    bytes[0] = info.code;
    match Reader::new(&bytes).next() {
        Ok(Some(instr)) => look(&instr),
        other => panic!("{} does not decode: {other:?}", info.mnemonic),
    }
}
