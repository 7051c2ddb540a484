//! Imports and exports of a binary module: what they are called, and other names for them. A script's names are any
//! text, and mean another module after each `register`; what is translated gets names that are plain and mean one thing.

use anyhow::{Context, Result, ensure};
use wasmparser::{BinaryReader, ExportSectionReader, ExternalKind, ImportSectionReader, Imports, Parser, Payload};

const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
/// Magic number and version.
const HEADER_BYTES: usize = 8;

/// What is exported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// Its name in the script.
    pub name: String,
    /// What it is.
    pub kind: ExternalKind,
    /// Which of these.
    pub index: u32,
}

/// What a module exports, in order.
///
/// # Errors
/// If it is malformed.
pub fn exports(bytes: &[u8]) -> Result<Vec<Export>> {
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ExportSection(section) = payload? {
            for export in section {
                let export = export?;
                exports.push(Export { name: export.name.into(), kind: export.kind, index: export.index });
            }
        }
    }
    Ok(exports)
}

/// The module with other names for its imports, as told, and its exports called `e0`, `e1` and so on.
///
/// # Errors
/// If it is malformed.
pub fn renamed(bytes: &[u8], mut import: impl FnMut(&str, &str) -> (String, String)) -> Result<Vec<u8>> {
    let mut out = bytes.get(..HEADER_BYTES).context("a header")?.to_vec();
    let mut reader = BinaryReader::new(bytes, 0);
    reader.read_bytes(HEADER_BYTES)?;
    while !reader.eof() {
        let start = reader.original_position();
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()? as usize;
        let at = reader.original_position();
        let content = reader.read_bytes(length)?;
        let section = match id {
            IMPORTS => imports_renamed(BinaryReader::new(content, at), bytes, &mut import)?,
            EXPORTS => exports_renamed(BinaryReader::new(content, at), bytes)?,
            _ => {
                out.extend_from_slice(&bytes[start..at + length]);
                continue;
            }
        };
        out.push(id);
        leb(section.len(), &mut out);
        out.extend(section);
    }
    Ok(out)
}

fn imports_renamed(
    section: BinaryReader<'_>,
    bytes: &[u8],
    import: &mut impl FnMut(&str, &str) -> (String, String),
) -> Result<Vec<u8>> {
    let end = section.range().end;
    let section = ImportSectionReader::new(section)?;
    let mut out = Vec::new();
    leb(section.count() as usize, &mut out);
    let items = section.into_iter_with_offsets().collect::<Result<Vec<_>, _>>()?;
    for (at, (start, item)) in items.iter().enumerate() {
        let Imports::Single(_, item) = item else { anyhow::bail!("compact imports") };
        let next = items.get(at + 1).map_or(end, |(start, _)| *start);
        let (module, name) = import(item.module, item.name);
        string(&module, &mut out);
        string(&name, &mut out);
        out.extend_from_slice(after_strings(bytes, *start, next, 2)?);
    }
    Ok(out)
}

fn exports_renamed(section: BinaryReader<'_>, bytes: &[u8]) -> Result<Vec<u8>> {
    let end = section.range().end;
    let section = ExportSectionReader::new(section)?;
    let mut out = Vec::new();
    leb(section.count() as usize, &mut out);
    let items = section.into_iter_with_offsets().collect::<Result<Vec<_>, _>>()?;
    for (at, (start, _)) in items.iter().enumerate() {
        let next = items.get(at + 1).map_or(end, |(start, _)| *start);
        string(&plain(at), &mut out);
        out.extend_from_slice(after_strings(bytes, *start, next, 1)?);
    }
    Ok(out)
}

/// What the export with this index is called in what is translated.
pub fn plain(export: usize) -> String {
    format!("e{export}")
}

/// The rest of an item that starts with so many strings.
fn after_strings(bytes: &[u8], start: usize, end: usize, strings: usize) -> Result<&[u8]> {
    let mut reader = BinaryReader::new(bytes.get(start..end).context("an item")?, start);
    for _ in 0..strings {
        reader.read_unlimited_string()?;
    }
    let at = reader.original_position();
    ensure!(at <= end, "an item ends before its strings");
    Ok(&bytes[at..end])
}

fn string(text: &str, out: &mut Vec<u8>) {
    leb(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn leb(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
