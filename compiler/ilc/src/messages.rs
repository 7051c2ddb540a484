//! How errors are said: for people, one line each, or as JSON for other programs.

use std::fmt::Write as _;

use cascade::wasm::{self, Refused};
use il::text::{Diagnostic, Diagnostics, Span};
use serde_json::{Value, json};

use crate::input::Failure;
use crate::lines::Lines;

/// The form of what is said on standard error.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// With the lines that errors are about.
    Human,
    /// `FILE:LINE:COLUMN: error[CODE]: MESSAGE`
    Short,
    /// One JSON object a line: level, code, message, spans, help, suggestions, rendered.
    Json,
}

/// Says it all on standard error.
pub fn report(failure: &Failure, format: Format, color: bool) {
    let mut text = String::new();
    let count = collect(failure, format, color, &mut text);
    eprint!("{text}");
    if count > 1 && format == Format::Human {
        eprintln!("error: {count} errors; `ilc explain CODE` says more about each kind");
    }
}

/// Appends all errors; returns how many there are.
fn collect(failure: &Failure, format: Format, color: bool, out: &mut String) -> usize {
    match failure {
        Failure::Text(errors) => {
            for error in errors {
                match format {
                    Format::Human => {
                        out.push_str(&errors.render_one(error, color));
                        out.push_str("\n\n");
                    }
                    Format::Short => out.push_str(&short(error)),
                    Format::Json => line(out, &object(errors, error)),
                }
            }
            errors.len()
        }
        Failure::Wasm(refused) => {
            match format {
                Format::Human => _ = writeln!(out, "{refused}\n"),
                Format::Short => out.push_str(&short_refusal(refused)),
                Format::Json => line(out, &refusal_object(refused)),
            }
            1
        }
        Failure::Plain(message) => {
            match format {
                Format::Human | Format::Short => {
                    let _ = writeln!(out, "error: {message}");
                }
                Format::Json => line(out, &plain_object(message)),
            }
            1
        }
        Failure::Several(failures) => failures.iter().map(|failure| collect(failure, format, color, out)).sum(),
    }
}

fn line(out: &mut String, value: &Value) {
    let _ = writeln!(out, "{value}");
}

fn short(error: &Diagnostic) -> String {
    let Diagnostic { file, line, column, message, .. } = error;
    format!("{file}:{line}:{column}: error[{}]: {message}\n", error.code.name())
}

/// As of a text, with a byte in place of line and column.
fn short_refusal(refused: &Refused) -> String {
    let code = refused.code.map_or(String::new(), |code| format!("[{}]", code.name()));
    format!("{}: error{code}: {}\n", refused.place(), refused.message)
}

fn refusal_object(refused: &Refused) -> Value {
    let span = |offset: u64| {
        json!({
            "file": refused.file, "byte_start": offset, "byte_end": offset + 1, "function": refused.function,
            "label": "", "primary": true,
        })
    };
    json!({
        "level": "error",
        "code": refused.code.map(wasm::Code::name),
        "message": refused.message,
        "spans": refused.offset.map(span).into_iter().collect::<Vec<Value>>(),
        "help": refused.hint,
        "suggestions": [],
        "rendered": format!("{refused}\n"),
    })
}

fn plain_object(message: &str) -> Value {
    json!({
        "level": "error",
        "code": null,
        "message": message,
        "spans": [],
        "help": null,
        "suggestions": [],
        "rendered": format!("error: {message}\n"),
    })
}

fn object(errors: &Diagnostics, error: &Diagnostic) -> Value {
    let lines = Lines::new(errors.source(error));
    let place = |span: Span| {
        let ((line, column), (end_line, end_column)) = (lines.place(span.start), lines.place(span.end));
        json!({
            "file": error.file,
            "line": line, "column": column, "end_line": end_line, "end_column": end_column,
            "byte_start": span.start, "byte_end": span.end,
        })
    };
    let span = |span: Span, label: &str, primary: bool| {
        let mut object = place(span);
        object["label"] = label.into();
        object["primary"] = primary.into();
        object
    };
    let others = error.others.iter().map(|(other, label)| span(*other, label, false));
    let spans: Vec<Value> = std::iter::once(span(error.span, &error.label, true)).chain(others).collect();
    let suggestions: Vec<Value> = error
        .suggestion
        .iter()
        .map(|suggestion| {
            let mut object = place(suggestion.span);
            object["replacement"] = suggestion.text.as_str().into();
            object
        })
        .collect();
    json!({
        "level": "error",
        "code": error.code.name(),
        "message": error.message,
        "spans": spans,
        "help": error.hint,
        "suggestions": suggestions,
        "rendered": errors.render_one(error, false) + "\n",
    })
}
