//! What a type is, whichever module says so: for types that two modules have to agree on.
//!
//! A struct is its name, whether it is frozen, the struct that it extends, and the stored types of its own fields;
//! an array its element; a capability its set's path and opcodes. Names of fields are documentation. Two modules mean
//! the same by a type if the text that describes it is the same. A struct that is met again inside its own description
//! is named by how many were met before it, so descriptions end.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::isa::InstructionSet;
use crate::types::{ArrayDef, CapDef, Storage, StructDef, Type, TypeDef, TypeId};
use crate::{Module, limits};

/// A module's types, and the sets that capability types among them name.
#[derive(Clone, Copy, Debug)]
pub struct Shapes<'m> {
    types: &'m [TypeDef],
    isas: &'m [InstructionSet],
}

/// What is still to be written of a description.
enum Piece {
    Text(&'static str),
    Type(Type),
    Storage(Storage),
}

impl<'m> Shapes<'m> {
    /// For sets whose operands have no definitions: the built-in ones.
    pub const NONE: Shapes<'static> = Shapes { types: &[], isas: &[] };

    /// Of types none of which names a set, as those of frozen objects.
    pub fn of_objects(types: &'m [TypeDef]) -> Shapes<'m> {
        Shapes { types, isas: &[] }
    }

    /// Of a module.
    pub fn new(module: &'m Module) -> Shapes<'m> {
        Shapes { types: &module.types, isas: &module.isas }
    }

    /// The description of a type; `None` if it has more than [`limits::SHAPE_PARTS`] parts.
    pub fn describe(&self, ty: Type) -> Option<String> {
        let (mut text, mut left) = (String::new(), Vec::from([Piece::Type(ty)]));
        let mut seen: BTreeMap<TypeId, usize> = BTreeMap::new();
        let mut parts = 0;
        while let Some(piece) = left.pop() {
            parts += 1;
            if parts > limits::SHAPE_PARTS {
                return None;
            }
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Storage(Storage::Value(ty)) | Piece::Type(ty) => self.one(ty, &mut text, &mut left, &mut seen),
                Piece::Storage(packed) => text.push_str(packed.name()),
            }
        }
        Some(text)
    }

    fn one(&self, ty: Type, text: &mut String, left: &mut Vec<Piece>, seen: &mut BTreeMap<TypeId, usize>) {
        let Some(id) = ty.def() else { return text.push_str(ty.name()) };
        if ty.is_nullable() {
            text.push('?');
        }
        match self.types.get(id.index()) {
            Some(TypeDef::Struct(def)) => {
                let count = seen.len();
                let number = *seen.entry(id).or_insert(count);
                if number < count {
                    _ = write!(text, "^{number}");
                } else {
                    structure(def, text, left);
                }
            }
            Some(TypeDef::Array(def)) => {
                text.push_str(if def.mutable { "mut [" } else { "[" });
                left.extend([Piece::Text("]"), Piece::Storage(def.element)]);
            }
            Some(TypeDef::Func(sig)) => {
                text.push_str("func(");
                left.push(Piece::Text(")"));
                list(sig.results.iter().map(|ty| Piece::Type(*ty)), left);
                left.push(Piece::Text(")->("));
                list(sig.params.iter().map(|ty| Piece::Type(*ty)), left);
            }
            Some(TypeDef::Cap(def)) => self.capability(def, text),
            None => _ = write!(text, "type {}", id.0),
        }
    }

    fn capability(&self, def: &CapDef, text: &mut String) {
        let path = self.isas.get(def.isa.index()).map(InstructionSet::path);
        _ = write!(text, "cap {}{:?}", path.unwrap_or_default(), def.instructions);
    }

    /// BLAKE3 of the description.
    pub fn hash(&self, id: TypeId) -> Option<[u8; 32]> {
        self.describe(Type::Ref(id)).map(|text| *blake3::hash(text.as_bytes()).as_bytes())
    }

    /// Whether all frozen objects of `sub` are of another module's type `sup`: what [`crate::Hierarchy::is_subtype`]
    /// says within one module.
    pub fn is_subtype(&self, sub: TypeId, other: &Shapes<'_>, sup: TypeId) -> bool {
        let (mut sub, mut sup) = (sub, sup);
        // Arrays nest only downwards in a table, so this ends.
        for _ in 0..=limits::ARRAY_DEPTH {
            match (self.types.get(sub.index()), other.types.get(sup.index())) {
                (Some(TypeDef::Struct(_)), Some(TypeDef::Struct(_))) => return self.extends(sub, other, sup),
                (Some(TypeDef::Array(low)), Some(TypeDef::Array(high))) if !low.mutable && !high.mutable => {
                    match elements(low, high) {
                        Elements::Decided(answer) => return answer,
                        Elements::Of(low, high) => (sub, sup) = (low, high),
                    }
                }
                _ => return false,
            }
        }
        false
    }

    fn extends(&self, sub: TypeId, other: &Shapes<'_>, sup: TypeId) -> bool {
        let Some(TypeDef::Struct(wanted)) = other.types.get(sup.index()) else { return false };
        let mut wanted_hash = None;
        let mut next = Some(sub);
        for _ in 0..limits::STRUCT_DEPTH {
            let Some((id, TypeDef::Struct(def))) = next.and_then(|id| Some((id, self.types.get(id.index())?))) else {
                return false;
            };
            if def.frozen && wanted.frozen && def.name == wanted.name {
                let wanted_hash = *wanted_hash.get_or_insert_with(|| other.hash(sup));
                if wanted_hash.is_some() && self.hash(id) == wanted_hash {
                    return true;
                }
            }
            next = def.parent;
        }
        false
    }
}

enum Elements {
    Decided(bool),
    Of(TypeId, TypeId),
}

fn elements(low: &ArrayDef, high: &ArrayDef) -> Elements {
    let (Storage::Value(sub), Storage::Value(sup)) = (low.element, high.element) else {
        return Elements::Decided(low.element == high.element);
    };
    match (sub, sup) {
        (Type::Ref(sub), Type::Ref(sup) | Type::Opt(sup)) | (Type::Opt(sub), Type::Opt(sup)) => Elements::Of(sub, sup),
        _ => Elements::Decided(sub.def().is_none() && (sub == sup || (sub, sup) == (Type::Str, Type::OptStr))),
    }
}

fn structure(def: &StructDef, text: &mut String, left: &mut Vec<Piece>) {
    _ = write!(text, "{}struct {}", if def.frozen { "frozen " } else { "" }, def.name);
    left.push(Piece::Text("}"));
    for field in def.fields.iter().rev() {
        left.extend([Piece::Text(","), Piece::Storage(field.storage)]);
        left.extend(field.mutable.then_some(Piece::Text("mut ")));
    }
    left.push(Piece::Text("{"));
    if let Some(parent) = def.parent {
        left.extend([Piece::Type(Type::Ref(parent)), Piece::Text(":")]);
    }
}

/// Pushes a list so that its first piece is popped first.
fn list(pieces: impl DoubleEndedIterator<Item = Piece>, left: &mut Vec<Piece>) {
    for piece in pieces.rev() {
        left.extend([Piece::Text(","), piece]);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::types::{IsaId, StructField};

    fn structure(name: &str, parent: Option<u32>, fields: &[Type]) -> TypeDef {
        let field = |ty: &Type| StructField { mutable: false, storage: Storage::Value(*ty) };
        let fields = fields.iter().map(field).collect();
        TypeDef::Struct(StructDef { parent: parent.map(TypeId), frozen: true, name: name.into(), fields })
    }

    fn array(element: Storage) -> TypeDef {
        TypeDef::Array(ArrayDef { mutable: false, element })
    }

    #[test]
    fn types_are_the_same_wherever_they_stand_in_the_table() {
        let tree = |at: u32| structure("Tree", None, &[Type::I32, Type::Opt(TypeId(at)), Type::Opt(TypeId(at))]);
        let one = [tree(0), structure("Leaf", Some(0), &[Type::Str])];
        let two = [structure("Other", None, &[]), tree(1), structure("Leaf", Some(1), &[Type::Str])];
        let (one, two) = (Shapes { types: &one, isas: &[] }, Shapes { types: &two, isas: &[] });
        assert_eq!(one.describe(Type::Opt(TypeId(0))).unwrap(), "?frozen struct Tree{i32,?^0,?^0,}");
        assert_eq!(one.hash(TypeId(0)), two.hash(TypeId(1)));
        assert_eq!(one.hash(TypeId(1)), two.hash(TypeId(2)));
        assert!(one.is_subtype(TypeId(1), &two, TypeId(1)) && !one.is_subtype(TypeId(0), &two, TypeId(2)));
        assert!(!one.is_subtype(TypeId(0), &two, TypeId(0)));
    }

    #[test]
    fn a_name_a_field_or_a_parent_makes_another_type() {
        let types = [
            structure("A", None, &[Type::I32]),
            structure("B", None, &[Type::I32]),
            structure("A", None, &[Type::I64]),
            structure("A", Some(1), &[Type::I32]),
            structure("A", None, &[Type::I32]),
        ];
        let shapes = Shapes { types: &types, isas: &[] };
        let hash = |at| shapes.hash(TypeId(at)).unwrap();
        assert!([1, 2, 3].iter().all(|other| hash(*other) != hash(0)) && hash(4) == hash(0));
    }

    #[test]
    fn arrays_are_covariant_across_modules() {
        let point = structure("P", None, &[]);
        let value = |ty| array(Storage::Value(ty));
        let types = [
            point,
            structure("Q", Some(0), &[Type::I32]),
            value(Type::Ref(TypeId(1))),
            value(Type::Opt(TypeId(0))),
            value(Type::Ref(TypeId(3))),
            value(Type::Ref(TypeId(2))),
            array(Storage::U8),
            value(Type::I32),
        ];
        let shapes = Shapes { types: &types, isas: &[] };
        let is = |low, high| shapes.is_subtype(TypeId(low), &shapes, TypeId(high));
        assert!(is(2, 3) && is(5, 4) && is(6, 6) && !is(3, 2) && !is(6, 7) && !is(4, 5));
    }

    #[test]
    fn what_is_too_large_has_no_description() {
        let fields = vec![Type::I32; limits::SHAPE_PARTS];
        let types = [structure("Huge", None, &fields), TypeDef::Cap(CapDef { isa: IsaId(0), instructions: vec![1] })];
        let shapes = Shapes { types: &types, isas: &[] };
        assert!(shapes.hash(TypeId(0)).is_none() && shapes.hash(TypeId(1)).is_some());
    }
}
