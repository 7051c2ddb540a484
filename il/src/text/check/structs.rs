//! Declarations of structs: their order, what they extend, their fields.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::ast::Struct;
use super::super::diag::{Code, Report, Span};
use super::{Context, Entry};
use crate::limits;
use crate::types::{Storage, StructDef, StructField, Type, TypeId};

pub(super) struct StructInfo<'f> {
    /// Where it is declared.
    pub module: usize,
    pub decl: &'f Struct<'f>,
    /// `None` until its place in the table is known, or after an error.
    pub id: Option<TypeId>,
    pub parent: Option<TypeId>,
    /// How many fields it inherits.
    pub inherited: u32,
    /// Its own fields, one a declared one.
    pub fields: Vec<StructField>,
    pub by_name: BTreeMap<&'f str, usize>,
}

impl<'f> StructInfo<'f> {
    pub fn new(module: usize, decl: &'f Struct<'f>) -> Self {
        let (fields, by_name) = (Vec::new(), BTreeMap::new());
        StructInfo { module, decl, id: None, parent: None, inherited: 0, fields, by_name }
    }

    /// Its line of the table.
    pub fn def(&self) -> StructDef {
        let frozen = self.decl.frozen;
        let name = if frozen { self.decl.name.text.into() } else { String::new() };
        StructDef { parent: self.parent, frozen, name, fields: self.fields.clone() }
    }
}

impl<'f> Context<'_, 'f, '_> {
    /// Numbers all structs, parents before children, then resolves their fields.
    pub(super) fn declare_structs(&mut self) {
        for at in 0..self.types.structs.len() {
            self.place_struct(at);
        }
        let count = self.types.structs.len();
        let end = self.types.structs.last().map_or(Span::default(), |info| info.decl.name.span);
        self.limit(count, limits::TYPES, "type definitions", end);
        // In the order of the table, so that what is inherited is known.
        for at in self.types.order.clone() {
            self.module = self.types.structs[at].module;
            self.declare_fields(at);
        }
        for at in self.types.order.clone() {
            self.module = self.types.structs[at].module;
            self.check_frozen(at);
        }
    }

    /// The struct that one extends, by its place in the list.
    fn parent_of(&mut self, at: usize) -> Option<usize> {
        let info = &self.types.structs[at];
        let (module, name) = (info.module, info.decl.parent?);
        self.module = module;
        match self.entry(name.text) {
            Some(Entry::Struct(parent)) => {
                self.note_item(name.span, Entry::Struct(parent));
                Some(parent)
            }
            Some(Entry::Unknown) => None,
            Some(entry) => {
                let message = format!("`{}` is {}, not a struct", name.text, entry.describe());
                self.error(Code::WrongKind, name.span, message);
                None
            }
            None => {
                self.error(Code::UnknownName, name.span, format!("there is no struct `{}`", name.text));
                None
            }
        }
    }

    /// Gives a struct its number, after all that it extends.
    fn place_struct(&mut self, at: usize) {
        let mut chain = Vec::new();
        let mut next = Some(at);
        while let Some(at) = next {
            if self.types.structs[at].id.is_some() {
                break;
            }
            let name = self.types.structs[at].decl.name;
            if chain.contains(&at) {
                self.error(Code::Struct, name.span, format!("`{}` extends itself", name.text));
                break;
            }
            if chain.len() >= limits::STRUCT_DEPTH {
                let what = "structs extend one another";
                self.limit(chain.len() + 1, limits::STRUCT_DEPTH, what, name.span);
                break;
            }
            chain.push(at);
            next = self.parent_of(at);
        }
        let mut parent = next.and_then(|at| self.types.structs[at].id);
        for at in chain.into_iter().rev() {
            let id = TypeId(self.types.order.len() as u32);
            self.types.order.push(at);
            let info = &mut self.types.structs[at];
            info.id = Some(id);
            info.parent = parent;
            parent = Some(id);
        }
    }

    fn declare_fields(&mut self, at: usize) {
        let (decl, id, parent) = {
            let info = &self.types.structs[at];
            (info.decl, info.id, info.parent)
        };
        let depth = id.map_or(0, |id| self.types.ancestors(id).count());
        self.limit(depth, limits::STRUCT_DEPTH, "structs extend one another", decl.name.span);
        let inherited = parent.and_then(|parent| self.types.structure(parent));
        let inherited = inherited.map_or(0, |info| info.inherited + info.fields.len() as u32);
        self.types.structs[at].inherited = inherited;
        self.limit(inherited as usize + decl.fields.len(), limits::FIELDS, "fields", decl.name.span);
        self.limit(decl.name.text.len(), limits::NAME_BYTES, "bytes of a name", decl.name.span);
        for (number, field) in decl.fields.iter().enumerate() {
            let name = field.name;
            self.limit(name.text.len(), limits::NAME_BYTES, "bytes of a name", name.span);
            let first = id.and_then(|id| self.find_field(id, name.text)).map(|(_, _, span)| span);
            if let Some(first) = first {
                let report =
                    Report::new(Code::Duplicate, name.span, format!("the field `{}` is declared twice", name.text));
                self.report(report.label("declared again").also(first, "first declared here"));
            }
            let storage = self.storage(&field.ty, field.mutable).unwrap_or(Storage::Value(Type::I32));
            let info = &mut self.types.structs[at];
            info.fields.push(StructField { mutable: field.mutable, storage });
            info.by_name.entry(name.text).or_insert(number);
            self.note_field(name.text, StructField { mutable: field.mutable, storage }, name.span);
        }
    }

    /// The rules of `frozen`, once all fields are known.
    fn check_frozen(&mut self, at: usize) {
        let info = &self.types.structs[at];
        let decl = info.decl;
        let parent = info.parent.and_then(|parent| self.types.structure(parent));
        let parent = parent.map(|parent| (parent.decl.frozen, parent.decl.name));
        match (parent, decl.frozen) {
            (Some((true, name)), false) => {
                let message = format!("`{}` is frozen, so what extends it must be too", name.text);
                let report = Report::new(Code::Struct, decl.name.span, message).also(name.span, "declared here");
                self.report(report.hint(format!("write `frozen struct {}`", decl.name.text)));
            }
            (Some((false, name)), true) => {
                let message = format!("a frozen struct cannot extend `{}`, which is not frozen", name.text);
                let report = Report::new(Code::Struct, decl.name.span, message).also(name.span, "declared here");
                self.report(report.hint(format!("declare `{}` as `frozen struct` too", name.text)));
            }
            _ => {}
        }
        if !decl.frozen {
            return;
        }
        let fields = self.types.structs[at].fields.clone();
        for (field, stored) in decl.fields.iter().zip(fields) {
            if stored.mutable {
                let report = Report::new(Code::Struct, field.name.span, "a field of a frozen struct does not change");
                self.report(report.hint("leave out `mut`"));
            } else if let Storage::Value(ty) = stored.storage
                && !self.types.is_sendable(ty)
            {
                let message = format!("`{}` is not sendable, so it cannot be in a frozen struct", self.type_text(ty));
                let report = Report::new(Code::Struct, field.ty.span, message);
                self.report(report.hint("sendable are numbers, bool, str, frozen structs, `[T]` and `?T` of such"));
            }
        }
    }
}
