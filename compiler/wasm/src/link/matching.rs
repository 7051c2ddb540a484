//! Whether an export is what an import wants, as WebAssembly's specification says.

use alloc::format;
use alloc::string::String;

use wasmparser::{ExternalKind, GlobalType, MemoryType, RefType, TableType, TypeRef, ValType};

use super::Linked;
use crate::types::{Reference, Types};

/// A type, and the unit whose words it is in.
type Of<'t, 'a, T> = (&'t Linked<'a>, &'t T);

fn meaning(types: &Types, unit: &Linked<'_>, ty: RefType) -> Option<Reference> {
    unit.types.meaning(ty, types)
}

fn is_same(types: &Types, wanted: (&Linked<'_>, ValType), found: (&Linked<'_>, ValType)) -> bool {
    match (wanted.1, found.1) {
        (ValType::Ref(one), ValType::Ref(other)) => {
            let one = meaning(types, wanted.0, one);
            one.is_some() && one == meaning(types, found.0, other)
        }
        (one, other) => one == other,
    }
}

/// `grown`: whether what is found may be larger by now than declared, which is asked later.
fn limits(wanted: (u64, Option<u64>), found: (u64, Option<u64>), grown: bool) -> bool {
    let most = match (wanted.1, found.1) {
        (None, _) => true,
        (Some(wanted), Some(found)) => found <= wanted,
        (Some(_), None) => false,
    };
    most && (found.0 >= wanted.0 || grown && found.1.is_none_or(|most| most >= wanted.0))
}

pub(super) fn tables(
    types: &Types,
    (unit, wanted): Of<'_, '_, TableType>,
    (owner, found): Of<'_, '_, TableType>,
    grown: bool,
) -> bool {
    let (one, other) = (ValType::Ref(wanted.element_type), ValType::Ref(found.element_type));
    is_same(types, (unit, one), (owner, other))
        && wanted.table64 == found.table64
        && limits((wanted.initial, wanted.maximum), (found.initial, found.maximum), grown)
}

pub(super) fn memories(wanted: &MemoryType, found: &MemoryType, grown: bool) -> bool {
    wanted.memory64 == found.memory64 && limits((wanted.initial, wanted.maximum), (found.initial, found.maximum), grown)
}

pub(super) fn globals(
    types: &Types,
    (unit, wanted): Of<'_, '_, GlobalType>,
    (owner, found): Of<'_, '_, GlobalType>,
) -> bool {
    let fits = match (wanted.content_type, found.content_type) {
        (ValType::Ref(one), ValType::Ref(other)) if !wanted.mutable => {
            let (one, other) = (meaning(types, unit, one), meaning(types, owner, other));
            one.zip(other).is_some_and(|(one, other)| types.is_reference_subtype(other, one))
        }
        (one, other) => is_same(types, (unit, one), (owner, other)),
    };
    wanted.mutable == found.mutable && fits
}

fn limits_text(min: u64, max: Option<u64>) -> String {
    max.map_or_else(|| format!("{min} or more"), |max| format!("{min} to {max}"))
}

pub(super) fn table_text(ty: &TableType) -> String {
    let wide = if ty.table64 { " with 64-bit indices" } else { "" };
    format!("a table of {} {}{wide}", limits_text(ty.initial, ty.maximum), ty.element_type)
}

pub(super) fn memory_text(ty: &MemoryType) -> String {
    let wide = if ty.memory64 { " with 64-bit addresses" } else { "" };
    format!("a memory of {} pages{wide}", limits_text(ty.initial, ty.maximum))
}

pub(super) fn global_text(ty: &GlobalType) -> String {
    let mutable = if ty.mutable { "mutable " } else { "" };
    format!("a {mutable}global of type {}", ty.content_type)
}

pub(super) fn kind_text(ty: &TypeRef) -> &'static str {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => "a function",
        TypeRef::Table(_) => "a table",
        TypeRef::Memory(_) => "a memory",
        TypeRef::Global(_) => "a global",
        TypeRef::Tag(_) => "a tag",
    }
}

pub(super) fn export_text(kind: ExternalKind) -> &'static str {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => "a function",
        ExternalKind::Table => "a table",
        ExternalKind::Memory => "a memory",
        ExternalKind::Global => "a global",
        ExternalKind::Tag => "a tag",
    }
}
