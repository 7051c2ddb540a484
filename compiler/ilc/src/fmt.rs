//! `ilc fmt`: texts in their one layout.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::input::{Failure, explain, read_text};
use crate::output::{print, write_over};

/// Formats files in place, or with `check` only says which ones are not as they should be.
pub fn files(inputs: &[PathBuf], check: bool) -> Result<(), Failure> {
    let failures: Vec<Failure> = texts(inputs)?.iter().filter_map(|path| file(path, check).err()).collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::Several(failures)) }
}

/// The files that are named, and of folders every text below.
pub fn texts(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for input in inputs {
        if input.is_dir() { texts_below(input, &mut files)? } else { files.push(input.clone()) }
    }
    Ok(files)
}

/// Standard input to standard output.
pub fn stdin(check: bool) -> Result<(), Failure> {
    let mut source = String::new();
    let read = std::io::stdin().lock().take(il::limits::SOURCE_BYTES as u64 + 1).read_to_string(&mut source);
    read.map_err(|error| Failure::Plain(format!("standard input: {error}")))?;
    let formatted = il::text::format("<stdin>", &source).map_err(Failure::Text)?;
    if check { compare("<stdin>", &source, &formatted) } else { print(&formatted) }
}

fn file(path: &Path, check: bool) -> Result<(), Failure> {
    let source = read_text(path)?;
    let name = path.display().to_string();
    let formatted = il::text::format(&name, &source).map_err(Failure::Text)?;
    if check {
        return compare(&name, &source, &formatted);
    }
    if formatted == source { Ok(()) } else { write_over(path, formatted.as_bytes()) }
}

fn compare(name: &str, source: &str, formatted: &str) -> Result<(), Failure> {
    if source == formatted {
        return Ok(());
    }
    let same = source.lines().zip(formatted.lines()).take_while(|(a, b)| a == b).count();
    let wanted = match formatted.lines().nth(same) {
        Some(line) => format!("expected `{line}`"),
        None => "nothing is expected here".into(),
    };
    Err(Failure::Plain(format!("{name}:{}: not formatted: {wanted}; run `ilc fmt {name}`", same + 1)))
}

/// Every text below a folder, by name; hidden folders and links are left alone.
fn texts_below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let fail = |error: std::io::Error| Failure::message(&folder, &explain(&folder, &error));
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_err(fail)?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let path = entry.path();
            if kind.is_dir() && !hidden {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|end| end == "il") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(())
}
