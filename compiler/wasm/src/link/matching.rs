//! Whether an export is what an import wants, as WebAssembly's specification says.

use alloc::format;
use alloc::string::String;

use wasmparser::{ExternalKind, FuncType, GlobalType, HeapType, MemoryType, RefType, TableType, TypeRef, ValType};

use super::Linked;

/// Function types refer to function types; recursive ones are taken as equal so deep down.
const DEPTH: u32 = 16;

pub(super) fn funcs(a: &Linked<'_>, wanted: &FuncType, b: &Linked<'_>, found: &FuncType) -> bool {
    same_func(a, wanted, b, found, DEPTH)
}

fn same_func(a: &Linked<'_>, one: &FuncType, b: &Linked<'_>, other: &FuncType, depth: u32) -> bool {
    let same = |one: &[ValType], other: &[ValType]| {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_value(a, *one, b, *other, depth))
    };
    same(one.params(), other.params()) && same(one.results(), other.results())
}

fn same_value(a: &Linked<'_>, one: ValType, b: &Linked<'_>, other: ValType, depth: u32) -> bool {
    match (one, other) {
        (ValType::Ref(one), ValType::Ref(other)) => {
            one.is_nullable() == other.is_nullable() && same_heap(a, one.heap_type(), b, other.heap_type(), depth)
        }
        (one, other) => one == other,
    }
}

fn same_heap(a: &Linked<'_>, one: HeapType, b: &Linked<'_>, other: HeapType, depth: u32) -> bool {
    let index = |ty: HeapType| match ty {
        HeapType::Concrete(index) | HeapType::Exact(index) => index.as_module_index(),
        HeapType::Abstract { .. } => None,
    };
    match (index(one), index(other)) {
        (Some(_), Some(_)) if depth == 0 => true,
        (Some(one), Some(other)) => match (a.decoded.func_type(one), b.decoded.func_type(other)) {
            (Ok(one), Ok(other)) => same_func(a, one, b, other, depth - 1),
            _ => false,
        },
        (None, None) => one == other,
        _ => false,
    }
}

/// Whether every value of `found` is one of `wanted`.
fn is_reference(a: &Linked<'_>, wanted: RefType, b: &Linked<'_>, found: RefType) -> bool {
    let heap = same_heap(a, wanted.heap_type(), b, found.heap_type(), DEPTH)
        || wanted.heap_type() == HeapType::FUNC && found.is_concrete_type_ref();
    heap && (wanted.is_nullable() || !found.is_nullable())
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

pub(super) fn tables(a: &Linked<'_>, wanted: &TableType, b: &Linked<'_>, found: &TableType, grown: bool) -> bool {
    let (one, other) = (ValType::Ref(wanted.element_type), ValType::Ref(found.element_type));
    same_value(a, one, b, other, DEPTH)
        && wanted.table64 == found.table64
        && limits((wanted.initial, wanted.maximum), (found.initial, found.maximum), grown)
}

pub(super) fn memories(wanted: &MemoryType, found: &MemoryType, grown: bool) -> bool {
    wanted.memory64 == found.memory64 && limits((wanted.initial, wanted.maximum), (found.initial, found.maximum), grown)
}

pub(super) fn globals(a: &Linked<'_>, wanted: &GlobalType, b: &Linked<'_>, found: &GlobalType) -> bool {
    let types = match (wanted.content_type, found.content_type) {
        (ValType::Ref(one), ValType::Ref(other)) if !wanted.mutable => is_reference(a, one, b, other),
        (one, other) => same_value(a, one, b, other, DEPTH),
    };
    wanted.mutable == found.mutable && types
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
