//! Which function a byte of a module belongs to.

use wasmparser::{ExternalKind, Name, Parser, Payload, TypeRef};

/// The name of the function whose body holds this byte: from the name section, else from an export, else its number.
pub fn function(bytes: &[u8], offset: u64) -> Option<String> {
    let offset = usize::try_from(offset).ok()?;
    let (mut next, mut found) = (0u32, None);
    let (mut named, mut exported) = (None, None);
    let mut exports = Vec::new();
    // Whatever cannot be read here has been reported: the names are only words beside it.
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(section) => {
                let imports = section.into_imports().map_while(Result::ok);
                next += imports.filter(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))).count()
                    as u32;
            }
            Payload::ExportSection(section) => {
                let funcs = section.into_iter().map_while(Result::ok);
                exports.extend(funcs.filter(|export| export.kind == ExternalKind::Func));
            }
            Payload::CodeSectionEntry(body) => {
                if body.range().contains(&offset) || body.range().end == offset {
                    found = found.or(Some(next));
                }
                next += 1;
            }
            Payload::CustomSection(section) => {
                if let (Some(index), wasmparser::KnownCustom::Name(names)) = (found, section.as_known()) {
                    named = named.or(name(names, index));
                }
            }
            _ => {}
        }
    }
    let index = found?;
    if let Some(export) = exports.iter().find(|export| export.index == index) {
        exported = Some(export.name.to_string());
    }
    named.or(exported).or_else(|| Some(format!("function {index}")))
}

fn name(names: wasmparser::NameSectionReader<'_>, index: u32) -> Option<String> {
    let functions = names.into_iter().map_while(Result::ok).find_map(|part| match part {
        Name::Function(names) => Some(names),
        _ => None,
    })?;
    functions
        .into_iter()
        .map_while(Result::ok)
        .find(|naming| naming.index == index)
        .map(|naming| naming.name.to_string())
}
