//! The rules of the type table.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::error::Violation;
use super::rule::{Result, ensure, refuse};
use super::tables::limit;
use crate::{CapDef, Hierarchy, Module, Signature, Storage, StructDef, Type, TypeDef, TypeId, limits};

/// Checks the table; what its questions are answered by afterwards.
pub(super) fn check(module: &Module) -> Result<Hierarchy> {
    limit("type definitions", module.types.len(), limits::TYPES)?;
    shapes(module)?;
    unique_shapes(module)?;
    let hierarchy = Hierarchy::new(&module.types);
    for (at, def) in module.types.iter().enumerate() {
        if let TypeDef::Struct(def) = def {
            frozen(&hierarchy, TypeId(at as u32), def)?;
        }
    }
    Ok(hierarchy)
}

/// Refuses a type that refers to nothing.
pub(super) fn known(module: &Module, ty: Type) -> Result {
    let count = module.types.len();
    let index = ty.def().map_or(0, |id| id.0);
    let exists = ty.def().is_none_or(|id| id.index() < count);
    ensure!(exists, Violation::NoSuch { what: "type", index, count });
    Ok(())
}

/// All that can be said of a definition by those before it: afterwards a [`Hierarchy`] of the table is small and right.
fn shapes(module: &Module) -> Result {
    // Of each struct all fields and ancestors, of each array how many arrays are in it.
    let mut sizes: Vec<(usize, usize)> = vec![(0, 0); module.types.len()];
    let mut total = 0;
    for (at, def) in module.types.iter().enumerate() {
        let size = match def {
            TypeDef::Struct(def) => {
                let (inherited, depth) = match def.parent {
                    Some(parent) => parent_size(module, at, parent, &sizes)?,
                    None => (0, 0),
                };
                struct_shape(module, def)?;
                (inherited + def.fields.len(), depth + 1)
            }
            TypeDef::Array(def) => {
                storage(module, def.element, def.mutable, "an element of an array")?;
                let element = def.element.value().def();
                element.map_or(Ok(()), |id| before(module, id, at))?;
                let inner = element.filter(|id| matches!(module.type_def(*id), Some(TypeDef::Array(_))));
                (0, inner.and_then(|id| sizes.get(id.index())).map_or(0, |size| size.1) + 1)
            }
            TypeDef::Func(sig) => {
                signature(module, sig)?;
                sig.params
                    .iter()
                    .chain(&sig.results)
                    .filter_map(|ty| ty.def())
                    .try_for_each(|id| before(module, id, at))?;
                (0, 0)
            }
            TypeDef::Cap(cap) => {
                capability(module, cap)?;
                (0, 0)
            }
        };
        total += size.0;
        limit("fields of a struct, inherited ones included", size.0, limits::FIELDS)?;
        limit("fields of all structs, inherited ones included", total, limits::ALL_FIELDS)?;
        match def {
            TypeDef::Struct(_) => limit("structs that extend one another", size.1, limits::STRUCT_DEPTH)?,
            TypeDef::Array(_) => limit("arrays inside one another", size.1, limits::ARRAY_DEPTH)?,
            TypeDef::Func(_) | TypeDef::Cap(_) => {}
        }
        if let Some(slot) = sizes.get_mut(at) {
            *slot = size;
        }
    }
    Ok(())
}

fn parent_size(module: &Module, at: usize, parent: TypeId, sizes: &[(usize, usize)]) -> Result<(usize, usize)> {
    let child = TypeId(at as u32);
    known(module, Type::Ref(parent))?;
    ensure!(parent.index() < at, Violation::ParentAfter { child, parent });
    let is_struct = matches!(module.type_def(parent), Some(TypeDef::Struct(_)));
    ensure!(is_struct, Violation::WrongKind { expected: "a struct", found: parent });
    Ok(sizes.get(parent.index()).copied().unwrap_or_default())
}

fn struct_shape(module: &Module, def: &StructDef) -> Result {
    def.fields.iter().try_for_each(|field| storage(module, field.storage, field.mutable, "a field"))
}

#[cfg_attr(test, track_caller)]
fn storage(module: &Module, storage: Storage, mutable: bool, place: &'static str) -> Result {
    let Storage::Value(ty) = storage else { return Ok(()) };
    known(module, ty)?;
    stored(ty, mutable, place)
}

/// Refuses types that cannot be kept in an object or global: a `buf` stays in locals, a `?buf` is read by taking it.
#[cfg_attr(test, track_caller)]
pub(super) fn stored(ty: Type, mutable: bool, place: &'static str) -> Result {
    ensure!(!matches!(ty, Type::Buf | Type::BufRef), Violation::TypeNotAllowed { place, ty });
    ensure!(mutable || ty != Type::OptBuf, Violation::ImmutableBuf(place));
    Ok(())
}

/// Structs aside, definitions refer only backwards: so types are finite.
#[cfg_attr(test, track_caller)]
fn before(module: &Module, found: TypeId, at: usize) -> Result {
    let is_struct = matches!(module.type_def(found), Some(TypeDef::Struct(_)));
    ensure!(is_struct || found.index() < at, Violation::RefersAhead { from: TypeId(at as u32), to: found });
    Ok(())
}

/// The rules of a function's type.
pub(super) fn signature(module: &Module, sig: &Signature) -> Result {
    limit("parameters", sig.params.len(), limits::PARAMS)?;
    limit("results", sig.results.len(), limits::RESULTS)?;
    sig.params.iter().try_for_each(|ty| known(module, *ty))?;
    sig.results.iter().try_for_each(|ty| known(module, *ty))?;
    let borrowed = sig.results.contains(&Type::BufRef);
    ensure!(!borrowed, Violation::TypeNotAllowed { place: "a result", ty: Type::BufRef });
    Ok(())
}

fn capability(module: &Module, cap: &CapDef) -> Result {
    let set = super::tables::set(module, cap.isa)?;
    let mut previous = 0;
    for opcode in &cap.instructions {
        ensure!(*opcode > previous, Violation::Order { isa: set.path(), number: *opcode });
        previous = *opcode;
        let missing =
            || Violation::NoSuch { what: "instruction", index: u32::from(*opcode), count: set.instructions.len() };
        ensure!(set.instruction(*opcode).is_some(), missing());
    }
    Ok(())
}

/// Arrays, functions and capabilities are equal by shape, so each shape stands once: then equal types have equal
/// indices.
fn unique_shapes(module: &Module) -> Result {
    let mut seen: BTreeMap<Vec<u8>, TypeId> = BTreeMap::new();
    for (at, def) in module.types.iter().enumerate() {
        match def {
            TypeDef::Struct(_) => continue,
            TypeDef::Array(_) | TypeDef::Func(_) | TypeDef::Cap(_) => {}
        }
        let (second, mut shape) = (TypeId(at as u32), Vec::new());
        crate::binary::write_type_def(&mut shape, def);
        if let Some(first) = seen.insert(shape, second) {
            refuse!(Violation::SameType { first, second });
        }
    }
    Ok(())
}

/// All values of a frozen struct can be shared: also those of structs that extend it.
fn frozen(hierarchy: &Hierarchy, id: TypeId, def: &StructDef) -> Result {
    let parent = def.parent.filter(|parent| hierarchy.struct_def(*parent).is_some_and(|parent| parent.frozen));
    if let Some(parent) = parent {
        ensure!(def.frozen, Violation::ThawsParent { child: id, parent });
    }
    if !def.frozen {
        ensure!(def.name.is_empty(), Violation::NamedStruct(id));
        return Ok(());
    }
    super::tables::named("a frozen struct", &def.name, super::names::is_identifier)?;
    for (at, field) in hierarchy.fields(id).iter().enumerate() {
        let field_id = crate::FieldId(at as u32);
        ensure!(!field.mutable, Violation::FrozenMut(id, field_id));
        let sendable = hierarchy.is_sendable_object(field.storage.value());
        ensure!(sendable, Violation::FrozenField(id, field_id, field.storage.value()));
    }
    Ok(())
}
