//! Instruction sets for people: the text of `cascade describe`, and the generated reference page.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use il::isa::{Axis, Extent, Field, InstructionSet, Touch};
use il::trap::Status;

/// The set as it would be written in IL text, with its documentation as comments.
pub fn describe(set: &InstructionSet) -> String {
    let mut out = String::new();
    doc_comments(&mut out, "", &set.doc);
    let _ = writeln!(out, "isa {} {{", set.path());
    for instruction in set.instructions.iter() {
        doc_comments(&mut out, "  ", &instruction.doc);
        for touch in instruction.touches.iter() {
            let _ = writeln!(out, "  /// Touches {}.", touched(touch));
        }
        let results = instruction.results.as_deref().map(|fields| format!(" -> {}", list(fields)));
        let _ = writeln!(
            out,
            "  {} {}{}{}",
            instruction.opcode,
            instruction.name,
            list(&instruction.params),
            results.unwrap_or_default()
        );
    }
    for event in set.events.iter() {
        doc_comments(&mut out, "  ", &event.doc);
        let coalesced = if event.coalesced { "coalesced " } else { "" };
        let _ = writeln!(out, "  {coalesced}event {} {}{}", event.number, event.name, list(&event.params));
    }
    out.push_str("}\n");
    for (space, axes) in set.spaces() {
        let bounds = ["0..100"; 4].get(..axes).unwrap_or_default().join("x");
        let name = set.name.rsplit('.').next().unwrap_or(&set.name);
        let _ = writeln!(out, "// A grant can be limited to a part of `{space}`: {name}={space}:{bounds}");
    }
    out
}

/// The part of a space that an instruction touches, in words.
fn touched(touch: &Touch) -> String {
    let axis = |axis: &Axis| {
        let start = &axis.start;
        match &axis.extent {
            Extent::One => format!("{start}"),
            Extent::Count(of) => format!("{start}..{start}+{of}"),
            Extent::To(end) => format!("{start}..={end}"),
            Extent::Bytes { of, bytes } => format!("{start}..{start}+len({of})/{bytes}"),
            Extent::Columns { of, points } => format!("{start}..{start}+columns({of})*{points}"),
            Extent::Lines { of, points } => format!("{start}..{start}+lines({of})*{points}"),
        }
    };
    let axes: Vec<String> = touch.axes.iter().map(axis).collect();
    match axes.is_empty() {
        true => format!("all of `{}`", touch.space),
        false => format!("`{}` {}", touch.space, axes.join(", ")),
    }
}

/// The reference page of all built-in sets and of the statuses, in Markdown.
pub fn reference_page() -> String {
    let mut out = String::from(
        "# Instruction sets\n\n\
         Generated from the declarations in `vms/isa/src/sets.rs`; do not edit.\n\n\
         An instruction without results is streamed, and a failure sticks until the channel's next\n\
         waiting instruction; one with results waits, and `-> ()` waits for a status only.\n",
    );
    for set in crate::ALL {
        let _ = write!(out, "\n## {}\n\n```\n{}```\n", set.path(), describe(set));
    }
    out.push_str(
        "\n## Statuses\n\nOne table for all instruction sets; 0 is success.\n\n| status | meaning |\n| --- | --- |\n",
    );
    for status in Status::ALL {
        let _ = writeln!(out, "| {} | {status} |", *status as u16);
    }
    out
}

fn doc_comments(out: &mut String, indent: &str, doc: &str) {
    for line in doc.lines() {
        let _ = writeln!(out, "{indent}/// {}", line.trim());
    }
}

fn list(fields: &[Field]) -> String {
    let mut out = String::from("(");
    for (at, field) in fields.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let colon = if field.name.is_empty() { "" } else { ": " };
        let _ = write!(out, "{comma}{}{colon}{}", field.name, field.ty);
    }
    out.push(')');
    out
}
