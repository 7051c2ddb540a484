//! Types as written, the module's type table, and subtyping while the table grows.
//!
//! Structs come first in the table, parents before children; the others follow as they are met, components first.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::ast::{self, Name, TypeExpr, TypeKind};
use super::super::diag::{Code, Report, Span, nearest};
use super::structs::StructInfo;
use super::typed::Ty;
use super::{Context, Entry};
use crate::isa::InstructionSet;
use crate::limits;
use crate::types::{ArrayDef, CapDef, IsaId, Signature, Storage, StructField, Type, TypeDef, TypeId};

/// What a structural type is found by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Array(bool, Storage),
    Func(Vec<Type>, Vec<Type>),
    Cap(IsaId, Vec<u8>),
}

/// The table under construction.
#[derive(Default)]
pub(super) struct Types<'f> {
    pub structs: Vec<StructInfo<'f>>,
    /// By type number: structs as their place in `structs`.
    pub order: Vec<usize>,
    /// What follows the structs.
    shaped: Vec<TypeDef>,
    /// How deeply each of these nests.
    depths: Vec<usize>,
    shapes: BTreeMap<Shape, TypeId>,
}

impl Shape {
    fn components(&self) -> Vec<Type> {
        match self {
            Shape::Array(_, element) => alloc::vec![element.value()],
            Shape::Func(params, results) => params.iter().chain(results).copied().collect(),
            Shape::Cap(..) => Vec::new(),
        }
    }
}

impl<'f> Types<'f> {
    /// The struct behind a reference type.
    pub fn structure(&self, id: TypeId) -> Option<&StructInfo<'f>> {
        self.structs.get(*self.order.get(id.index())?)
    }

    /// Whether values are structs, or null.
    pub fn is_struct(&self, ty: Type) -> bool {
        ty.def().is_some_and(|id| self.structure(id).is_some())
    }

    /// The definition behind a reference type that is not a struct.
    pub fn shaped(&self, id: TypeId) -> Option<&TypeDef> {
        self.shaped.get(id.index().checked_sub(self.order.len())?)
    }

    pub fn array(&self, id: TypeId) -> Option<ArrayDef> {
        if let Some(TypeDef::Array(def)) = self.shaped(id) { Some(*def) } else { None }
    }

    pub fn func(&self, id: TypeId) -> Option<&Signature> {
        if let Some(TypeDef::Func(sig)) = self.shaped(id) { Some(sig) } else { None }
    }

    pub fn cap(&self, id: TypeId) -> Option<&CapDef> {
        if let Some(TypeDef::Cap(def)) = self.shaped(id) { Some(def) } else { None }
    }

    /// The whole table, sets still numbered as here.
    pub fn table(&self) -> Vec<TypeDef> {
        let structs = self.order.iter().filter_map(|at| self.structs.get(*at));
        structs.map(|info| TypeDef::Struct(info.def())).chain(self.shaped.iter().cloned()).collect()
    }

    fn intern(&mut self, shape: Shape) -> TypeId {
        if let Some(id) = self.shapes.get(&shape) {
            return *id;
        }
        let id = TypeId((self.order.len() + self.shaped.len()) as u32);
        let depth = |ty: &Type| self.depth(*ty);
        self.depths.push(1 + shape.components().iter().map(depth).max().unwrap_or(0));
        self.shaped.push(match shape.clone() {
            Shape::Array(mutable, element) => TypeDef::Array(ArrayDef { mutable, element }),
            Shape::Func(params, results) => TypeDef::Func(Signature { params, results }),
            Shape::Cap(isa, instructions) => TypeDef::Cap(CapDef { isa, instructions }),
        });
        self.shapes.insert(shape, id);
        id
    }

    /// How many structural types are inside one another.
    fn depth(&self, ty: Type) -> usize {
        let at = ty.def().and_then(|id| id.index().checked_sub(self.order.len()));
        at.and_then(|at| self.depths.get(at)).copied().unwrap_or(0)
    }

    /// Whether every value of `sub` is one of `sup`.
    pub fn is_subtype(&self, sub: Type, sup: Type) -> bool {
        match (sub, sup) {
            _ if sub == sup => true,
            (Type::Ref(sub), Type::Ref(sup) | Type::Opt(sup)) | (Type::Opt(sub), Type::Opt(sup)) => {
                self.def_is_subtype(sub, sup)
            }
            (Type::Ref(_) | Type::Str, Type::Any | Type::OptAny) => true,
            (Type::Opt(_) | Type::OptStr | Type::Any, Type::OptAny) => true,
            (Type::Str, Type::OptStr) | (Type::Buf, Type::OptBuf) => true,
            _ => false,
        }
    }

    fn def_is_subtype(&self, sub: TypeId, sup: TypeId) -> bool {
        if sub == sup {
            return true;
        }
        if let (Some(_), Some(_)) = (self.structure(sub), self.structure(sup)) {
            return self.ancestors(sub).any(|id| id == sup);
        }
        match (self.shaped(sub), self.shaped(sup)) {
            (Some(TypeDef::Array(low)), Some(TypeDef::Array(high))) if !low.mutable && !high.mutable => {
                match (low.element, high.element) {
                    // Arrays nest only downwards in the table, and types in the text only so deep.
                    (Storage::Value(low), Storage::Value(high)) => self.is_subtype(low, high),
                    _ => false,
                }
            }
            (Some(TypeDef::Cap(low)), Some(TypeDef::Cap(high))) => {
                let has = |opcode| low.instructions.binary_search(opcode).is_ok();
                low.isa == high.isa && high.instructions.iter().all(has)
            }
            _ => false,
        }
    }

    /// A struct, the one that it extends, and so on.
    pub fn ancestors(&self, id: TypeId) -> impl Iterator<Item = TypeId> + '_ {
        let parent = |id: &TypeId| self.structure(*id).and_then(|info| info.parent);
        core::iter::successors(Some(id), parent).take(limits::STRUCT_DEPTH + 1)
    }

    /// The nearest type that both are of, if there is one besides `any`.
    pub fn join(&self, a: Type, b: Type) -> Option<Type> {
        if self.is_subtype(a, b) {
            return Some(b);
        }
        if self.is_subtype(b, a) {
            return Some(a);
        }
        let nullable = a.is_nullable() || b.is_nullable();
        let (low, high) = (a.non_null(), b.non_null());
        let common = match (low, high) {
            _ if self.is_subtype(low, high) => high,
            _ if self.is_subtype(high, low) => low,
            (Type::Ref(low), Type::Ref(high)) => {
                Type::Ref(self.ancestors(low).find(|ancestor| self.def_is_subtype(high, *ancestor))?)
            }
            _ => return None,
        };
        if nullable { common.nullable() } else { Some(common) }
    }

    /// Whether values of this type can be in a frozen graph.
    pub fn is_sendable(&self, ty: Type) -> bool {
        match ty {
            Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::Bool | Type::Str | Type::OptStr => true,
            Type::Ref(id) | Type::Opt(id) => match (self.structure(id), self.array(id)) {
                (Some(info), _) => info.decl.frozen,
                (None, Some(ArrayDef { mutable: false, element: Storage::Value(ty) })) => self.is_sendable(ty),
                (None, Some(def)) => !def.mutable,
                (None, None) => false,
            },
            Type::Buf | Type::BufRef | Type::OptBuf | Type::Any | Type::OptAny => false,
        }
    }
}

impl<'f> Types<'f> {
    /// Whether values of this type can be operands.
    pub fn is_carried(&self, ty: Type) -> bool {
        match ty.def() {
            Some(id) => self.cap(id).is_some() || self.is_sendable(ty),
            None => ty.is_sendable(),
        }
    }
}

impl<'f> Context<'_, 'f, '_> {
    /// The number of a structural type.
    fn intern_type(&mut self, shape: Shape, span: Span) -> Option<TypeId> {
        let id = self.types.intern(shape);
        self.limit(id.index() + 1, limits::TYPES, "type definitions", span);
        let deep = self.types.depth(Type::Ref(id)) > limits::SOURCE_NESTING;
        if deep {
            let message = format!("types nest more than {} deep", limits::SOURCE_NESTING);
            self.report(Report::new(Code::TooDeep, span, message).hint("put a struct in between"));
        }
        (id.index() < limits::TYPES && !deep).then_some(id)
    }

    pub(super) fn array_type(&mut self, mutable: bool, element: Storage, span: Span) -> Option<TypeId> {
        self.intern_type(Shape::Array(mutable, element), span)
    }

    pub(super) fn func_type(&mut self, params: Vec<Type>, results: Vec<Type>, span: Span) -> Option<TypeId> {
        self.limit(params.len(), limits::PARAMS, "parameters", span);
        self.limit(results.len(), limits::RESULTS, "results", span);
        self.intern_type(Shape::Func(params, results), span)
    }

    /// The type of capabilities of a set with these instructions, which are wanted from now on.
    pub(super) fn cap_type(&mut self, set: &Rc<InstructionSet>, instructions: Vec<u8>, span: Span) -> Option<TypeId> {
        let isa = self.shared_set(set);
        self.shared[isa.index()].instructions.extend(&instructions);
        self.intern_type(Shape::Cap(isa, instructions), span)
    }

    /// A type as written.
    pub(super) fn ty(&mut self, ty: &TypeExpr<'f>, borrowed: bool) -> Ty {
        if borrowed && !matches!(ty.kind, TypeKind::Word("buf")) {
            let text = ty.span.text(self.source);
            let report = Report::new(Code::Mismatch, ty.span, format!("`ref` borrows a `buf`, not `{text}`"));
            self.report(report.hint(format!("pass `{text}` as it is")));
            return Ty::Error;
        }
        let resolved = match &ty.kind {
            TypeKind::Word("buf") if borrowed => Some(Type::BufRef),
            TypeKind::Word(word) => self.word_type(word, ty.span),
            TypeKind::Path(path) => return self.named_type(path),
            TypeKind::Opt(inner) => self.nullable_type(inner, ty.span),
            TypeKind::Array { mutable, element } => self
                .storage(element, *mutable)
                .and_then(|element| self.array_type(*mutable, element, ty.span))
                .map(Type::Ref),
            TypeKind::Func { params, results } => {
                let params: Vec<Ty> = params.iter().map(|(borrowed, ty)| self.ty(ty, *borrowed)).collect();
                let results: Vec<Ty> = results.iter().map(|ty| self.ty(ty, false)).collect();
                match (known(&params), known(&results)) {
                    (Some(params), Some(results)) => self.func_type(params, results, ty.span).map(Type::Ref),
                    _ => None,
                }
            }
            TypeKind::Cap(isa, names) => self.written_cap(isa, names.as_deref(), ty.span).map(Type::Ref),
        };
        resolved.map_or(Ty::Error, Ty::Of)
    }

    fn word_type(&mut self, word: &str, span: Span) -> Option<Type> {
        let known = Type::PLAIN.into_iter().find(|known| known.name() == word);
        if known.is_none() {
            let message = format!("`{word}` is only for fields and elements");
            let report = Report::new(Code::Mismatch, span, message);
            self.report(report.hint("numbers are `i32` or `i64`; a field or element of this type is read as `i32`"));
        }
        known
    }

    fn nullable_type(&mut self, inner: &TypeExpr<'f>, span: Span) -> Option<Type> {
        let Ty::Of(ty) = self.ty(inner, false) else { return None };
        if ty.is_nullable() {
            let report = Report::new(Code::Mismatch, span, "this type has its `?` already");
            self.report(report.hint("write one `?`"));
            return None;
        }
        let nullable = ty.nullable();
        if nullable.is_none() {
            let message = format!("a number is never null: there is no `?{}`", self.type_text(ty));
            let report = Report::new(Code::Mismatch, span, message);
            self.report(report.hint("`?` goes before `str`, `buf`, `any`, structs, arrays, functions, capabilities"));
        }
        nullable
    }

    /// What a field or element is stored as.
    pub(super) fn storage(&mut self, ty: &TypeExpr<'f>, mutable: bool) -> Option<Storage> {
        let packed = match ty.kind {
            TypeKind::Word("i8") => Some(Storage::I8),
            TypeKind::Word("u8") => Some(Storage::U8),
            TypeKind::Word("i16") => Some(Storage::I16),
            TypeKind::Word("u16") => Some(Storage::U16),
            _ => None,
        };
        if packed.is_some() {
            return packed;
        }
        let Ty::Of(resolved) = self.ty(ty, false) else { return None };
        match resolved {
            Type::Buf => {
                let report = Report::new(Code::Struct, ty.span, "a `buf` in a field or element may be taken away");
                self.report(report.hint("write `?buf` in a `mut` field or `mut [..]`; `take(place)` reads it"));
                None
            }
            Type::OptBuf if !mutable => {
                let report = Report::new(Code::Struct, ty.span, "a `?buf` that does not change could never be taken");
                self.report(report.hint("declare the field with `mut`, or the array as `mut [?buf]`"));
                None
            }
            other => Some(Storage::Value(other)),
        }
    }

    fn named_type(&mut self, path: &ast::Path<'f>) -> Ty {
        let text = path.text();
        let found = self.entry(text.as_str());
        if let Some(entry) = found {
            self.note_item(path.span, entry);
        }
        match found {
            // An enum names numbers.
            Some(Entry::Enum(_)) => Ty::Of(Type::I32),
            Some(Entry::Struct(at)) => self.types.structs[at].id.map_or(Ty::Error, |id| Ty::Of(Type::Ref(id))),
            Some(Entry::Unknown) => Ty::Error,
            Some(entry) => {
                let report =
                    Report::new(Code::WrongKind, path.span, format!("`{text}` is {}, not a type", entry.describe()));
                self.report(match entry {
                    Entry::Use(_) => report.hint("a capability's type is its set: `cascade.display@1`"),
                    _ => report,
                });
                Ty::Error
            }
            None => {
                self.unknown_type(&text, path.span);
                Ty::Error
            }
        }
    }

    fn unknown_type(&mut self, text: &str, span: Span) {
        let report = Report::new(Code::UnknownName, span, format!("there is no type `{text}`"));
        let structs = self.types.structs.iter().map(|info| info.decl.name.text);
        let other = match text {
            "int" | "u32" | "usize" | "isize" | "char" | "byte" => Some("i32"),
            "long" | "u64" => Some("i64"),
            "float" | "double" => Some("f64"),
            "string" | "String" => Some("str"),
            "boolean" => Some("bool"),
            "object" | "Object" => Some("any"),
            text => nearest(text, Type::PLAIN.iter().map(|ty| ty.name()).chain(structs)),
        };
        let report = match other {
            Some(other) => report.hint(format!("use `{other}`")).replace_by(other),
            None => report.hint("types are numbers, bool, str, buf, any, `[T]`, `?T`, `func(..)`, and the names of structs, enums and instruction sets"),
        };
        self.report(report);
    }

    fn written_cap(&mut self, isa: &ast::IsaPath<'f>, names: Option<&[Name<'f>]>, span: Span) -> Option<TypeId> {
        let set = self.set(isa)?;
        let Some(names) = names else {
            let all = set.instructions.iter().map(|one| one.opcode).collect();
            return self.cap_type(&set, all, span);
        };
        let mut opcodes = Vec::new();
        for name in names {
            self.note_part(name.span, &set, name.text);
            match set.instruction_named(name.text) {
                Some(instruction) => opcodes.push(instruction.opcode),
                None => {
                    let report = super::sets::unknown_member(&set, name.text, name.span, "instruction");
                    self.report(report);
                    return None;
                }
            }
        }
        opcodes.sort_unstable();
        opcodes.dedup();
        self.cap_type(&set, opcodes, span)
    }

    /// A type as it would be written.
    pub(super) fn type_text(&self, ty: Type) -> String {
        match ty {
            Type::Ref(id) => self.def_text(id),
            Type::Opt(id) => format!("?{}", self.def_text(id)),
            plain => plain.name().to_string(),
        }
    }

    fn def_text(&self, id: TypeId) -> String {
        if let Some(info) = self.types.structure(id) {
            return info.decl.name.text.to_string();
        }
        let list = |types: &[Type]| types.iter().map(|ty| self.type_text(*ty)).collect::<Vec<_>>().join(", ");
        match self.types.shaped(id) {
            Some(TypeDef::Array(ArrayDef { mutable, element })) => {
                let element = match element {
                    Storage::Value(ty) => self.type_text(*ty),
                    packed => packed.name().to_string(),
                };
                format!("{}[{element}]", if *mutable { "mut " } else { "" })
            }
            Some(TypeDef::Func(sig)) => match &sig.results[..] {
                [] => format!("func({})", list(&sig.params)),
                [one] => format!("func({}) -> {}", list(&sig.params), self.type_text(*one)),
                several => format!("func({}) -> ({})", list(&sig.params), list(several)),
            },
            Some(TypeDef::Cap(def)) => self.cap_text(def),
            _ => String::from("an unknown type"),
        }
    }

    fn cap_text(&self, def: &CapDef) -> String {
        let Some(shared) = self.shared.get(def.isa.index()) else { return String::new() };
        let path = shared.set.path();
        if def.instructions.len() == shared.set.instructions.len() {
            return path;
        }
        let name = |opcode: &u8| shared.set.instruction(*opcode).map_or("?", |one| &*one.name);
        format!("{path}({})", def.instructions.iter().map(name).collect::<Vec<_>>().join(", "))
    }

    /// A field of a struct, or one that it inherits: its number over all, and what it is.
    pub(super) fn find_field(&mut self, id: TypeId, name: &str) -> Option<(crate::FieldId, StructField, Span)> {
        let found = self.field_named(id, name);
        if let Some((_, field, span)) = found {
            self.note_field(name, field, span);
        }
        found
    }

    fn field_named(&self, id: TypeId, name: &str) -> Option<(crate::FieldId, StructField, Span)> {
        self.types.ancestors(id).find_map(|at| {
            let info = self.types.structure(at)?;
            let own = *info.by_name.get(name)?;
            let number = crate::FieldId(info.inherited + own as u32);
            info.fields.get(own).map(|field| (number, *field, info.decl.fields[own].name.span))
        })
    }
}

/// The types, if all are known.
pub(super) fn known(types: &[Ty]) -> Option<Vec<Type>> {
    types.iter().map(|ty| if let Ty::Of(ty) = ty { Some(*ty) } else { None }).collect()
}
