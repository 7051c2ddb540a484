//! Declares items, in any order: names first, then what refers to names.

use alloc::collections::BTreeMap;
use alloc::format;

use super::super::ast::{self, Expr, File, Item, Name, Param};
use super::super::diag::{Code, Report, Span};
use super::body::Body;
use super::typed::{Ty, Value};
use super::{ConstInfo, ConstSource, ConstState, Context, Entry, EnumInfo, FuncInfo, FuncKind, GlobalInfo};
use crate::limits;
use crate::types::Type;
use crate::{Data, Memory};

impl<'f> Context<'_, 'f, '_> {
    /// Declares everything that bodies refer to.
    pub(super) fn declare(&mut self, file: &'f File<'f>) {
        self.declare_sets(file);
        for item in &file.items {
            self.declare_names(item);
        }
        for item in &file.items {
            self.declare_types(item);
        }
        for item in &file.items {
            self.declare_functions(item);
        }
        for id in 0..self.consts.len() {
            self.const_value(id);
        }
        for item in &file.items {
            self.declare_data(item);
        }
    }

    fn declare_names(&mut self, item: &'f Item<'f>) {
        match item {
            Item::Use { name, isa, wants } => {
                let entry = Entry::Use(self.uses.len());
                self.declare_name(*name, entry);
                self.declare_use(*name, isa, wants.as_deref());
            }
            Item::Const { name, value, .. } => {
                let entry = Entry::Const(self.consts.len());
                self.declare_name(*name, entry);
                self.push_const(*name, ConstSource::Expr(value));
            }
            Item::Enum { name, members } => {
                let entry = Entry::Enum(self.enums.len());
                self.declare_name(*name, entry);
                self.declare_enum(members);
            }
            Item::Global { name, mutable, .. } => {
                let entry = Entry::Global(self.globals.len());
                self.declare_name(*name, entry);
                self.globals.push(GlobalInfo { name: *name, mutable: *mutable, ty: Ty::Error, init: None });
            }
            Item::Unsupported { name: Some(name), what } => self.declare_name(*name, Entry::Unsupported(what)),
            _ => {}
        }
    }

    fn push_const(&mut self, name: Name<'f>, source: ConstSource<'f>) {
        self.consts.push(ConstInfo { name, ty: None, source, state: ConstState::Waiting });
    }

    fn declare_enum(&mut self, members: &'f [(Name<'f>, Option<Expr<'f>>)]) {
        let mut info = EnumInfo { members: BTreeMap::new() };
        let (mut base, mut by) = (None, 0);
        for (name, value) in members {
            let id = self.consts.len();
            if info.members.insert(name.text, id).is_some() {
                self.error(Code::Duplicate, name.span, format!("the member `{}` is declared twice", name.text));
            }
            let source = match value {
                Some(value) => {
                    (base, by) = (Some(id), 0);
                    ConstSource::Expr(value)
                }
                None => ConstSource::After(base, by),
            };
            by += 1;
            self.note_member(name.span, id);
            self.push_const(*name, source);
            if let Some(last) = self.consts.last_mut() {
                last.ty = Some(Ty::Of(Type::I32));
            }
        }
        self.enums.push(info);
    }

    /// The declared types of constants and globals, which need all names.
    fn declare_types(&mut self, item: &'f Item<'f>) {
        let Item::Const { name, ty: Some(ty), .. } = item else { return };
        let ty_span = ty.span;
        let mut ty = self.ty(ty, false);
        if ty == Ty::Of(Type::Buf) {
            self.error(Code::NotConstant, ty_span, "a `buf` is not a constant");
            ty = Ty::Error;
        }
        if let Some((Entry::Const(id), span)) = self.names.get(name.text)
            && *span == name.span
        {
            self.consts[*id].ty = Some(ty);
        }
    }

    fn declare_functions(&mut self, item: &'f Item<'f>) {
        match item {
            Item::Func(func) => {
                let entry = Entry::Func(self.funcs.len());
                self.declare_name(func.name, entry);
                self.declare_func(func, FuncKind::Plain, func.name.text.into());
                self.check_main(func);
            }
            Item::On { source, func } => self.declare_handler(*source, func),
            Item::Provides { isa, name, ops, span } => self.declare_provides(isa, *name, ops, *span),
            _ => {}
        }
    }

    fn check_main(&mut self, func: &'f ast::Func<'f>) {
        let bare = func.sig.params.is_empty() && func.sig.results.as_ref().is_none_or(|results| results.is_empty());
        if func.export && func.name.text == "main" && !bare {
            let report = Report::new(Code::Signature, func.sig.span, "`main` has no parameters and no results");
            self.report(report.hint("write `export func main() { .. }`"));
        }
    }

    pub(super) fn declare_func(&mut self, func: &'f ast::Func<'f>, kind: FuncKind, title: alloc::string::String) {
        let params = func.sig.params.iter().map(|param| self.param_type(param)).collect();
        let results = func.sig.results.iter().flatten().map(|result| self.result_type(result)).collect();
        self.limit(func.sig.params.len(), limits::PARAMS, "parameters", func.sig.span);
        self.limit(
            func.sig.results.as_ref().map_or(0, |results| results.len()),
            limits::RESULTS,
            "results",
            func.sig.span,
        );
        self.limit(func.name.text.len(), limits::NAME_BYTES, "bytes of a name", func.name.span);
        self.funcs.push(FuncInfo { kind, title, params, results, func });
    }

    fn param_type(&mut self, param: &'f Param<'f>) -> Ty {
        self.ty(&param.ty, param.borrowed)
    }

    fn result_type(&mut self, result: &'f Param<'f>) -> Ty {
        self.ty(&result.ty, false)
    }

    /// Reports what exceeds a limit of the format.
    pub(super) fn limit(&mut self, count: usize, limit: usize, what: &str, span: Span) {
        if count > limit {
            self.error(Code::TooLarge, span, format!("{count} {what}: there may be at most {limit}"));
        }
    }

    /// Globals, memory and data: what needs the values of constants.
    fn declare_data(&mut self, item: &'f Item<'f>) {
        match item {
            Item::Global { name, ty, value, .. } => self.declare_global(*name, ty.as_ref(), value),
            Item::Memory { min, max, span } => self.declare_memory(*min, *max, *span),
            Item::Data { offset, bytes, span } => self.declare_segment(offset, bytes, *span),
            _ => {}
        }
    }

    fn declare_global(&mut self, name: Name<'f>, ty: Option<&ast::TypeExpr<'f>>, value: &'f Expr<'f>) {
        let declared = ty.map(|ty| {
            let resolved = self.ty(ty, false);
            if resolved == Ty::Of(Type::Buf) {
                let report = Report::new(Code::NotSupported, ty.span, "a `buf` in a global is not supported yet");
                self.report(report.hint("keep it in a local, and pass it as `ref buf`"));
                return Ty::Error;
            }
            resolved
        });
        let init = Body::constant(self, value, declared);
        let ty = declared.unwrap_or(init.as_ref().map_or(Ty::Error, |value| Ty::Of(value.ty())));
        if let Some((Entry::Global(id), span)) = self.names.get(name.text)
            && *span == name.span
        {
            self.globals[*id].ty = ty;
            self.globals[*id].init = init;
        }
    }

    fn declare_memory(&mut self, min: (u64, Span), max: (u64, Span), span: Span) {
        if self.memory.is_some() {
            self.error(Code::Duplicate, span, "`memory` is declared twice");
            return;
        }
        let page_limit = limits::MEMORY_PAGES as u64;
        if max.0 > page_limit {
            let message = format!("at most {page_limit} pages of 64 KiB, which are 4 GiB");
            self.error(Code::TooLarge, max.1, message);
        }
        if min.0 > max.0 {
            self.error(Code::Memory, span, "the memory starts larger than it may become");
        }
        self.memory = Some(Memory { min: min.0.min(page_limit) as u32, max: max.0.min(page_limit) as u32 });
    }

    fn declare_segment(&mut self, offset: &'f Expr<'f>, bytes: &[u8], span: Span) {
        let Some(Value::I32(offset)) = Body::constant(self, offset, Some(Ty::Of(Type::I32))) else { return };
        let offset = offset as u32;
        self.data.push(Data { offset, bytes: bytes.into() });
        self.limit(self.data.len(), limits::DATA, "data segments", span);
    }

    /// Checks data against the memory, once both are known.
    pub(super) fn check_data(&mut self, file: &'f File<'f>) {
        let pages = self.memory.map(|memory| u64::from(memory.min));
        let spans =
            file.items.iter().filter_map(|item| if let Item::Data { span, .. } = item { Some(*span) } else { None });
        let placed: alloc::vec::Vec<_> =
            self.data.iter().map(|data| u64::from(data.offset) + data.bytes.len() as u64).zip(spans).collect();
        for (end, span) in placed {
            let report = match pages {
                None => Report::new(Code::Memory, span, "`data` without memory").hint("declare it: `memory 1..1`"),
                Some(pages) if end > pages * 65536 => {
                    let message = format!("this data ends at byte {end}, the memory at {}", pages * 65536);
                    Report::new(Code::Memory, span, message)
                        .hint("raise the first number of `memory MIN..MAX` (pages of 64 KiB)")
                }
                Some(_) => continue,
            };
            self.report(report);
        }
    }
}
