//! Declares items, in any order: names first, then what refers to names.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::super::ast::{self, Expr, Item, Name, Param};
use super::super::diag::{Code, Report, Span};
use super::body::Body;
use super::structs::StructInfo;
use super::typed::Ty;
use super::{
    ConstInfo, ConstSource, ConstState, Context, Entry, EnumInfo, FuncInfo, FuncKind, GlobalInfo, ProgramInfo,
};
use crate::limits;
use crate::types::{FuncId, IsaId, Type};

impl<'f> Context<'_, 'f, '_> {
    /// Declares everything that bodies refer to.
    pub(super) fn declare(&mut self) {
        self.items(Self::declare_set);
        self.items(Self::declare_names);
        self.items(Self::resolve_import);
        self.declare_structs();
        self.items(Self::declare_operands);
        self.items(Self::declare_types);
        self.signatures();
        self.items(Self::declare_duties);
        for id in 0..self.consts.len() {
            self.const_value(id);
        }
        self.items(Self::declare_values);
        self.place_segments();
    }

    /// Does something with every item, each in its own text's scope.
    fn items(&mut self, mut each: impl FnMut(&mut Self, &'f Item<'f>)) {
        for (at, unit) in self.build.units.iter().enumerate() {
            for item in &unit.file.items {
                self.module = at;
                each(self, item);
            }
        }
    }

    fn declare_names(&mut self, item: &'f Item<'f>) {
        match item {
            Item::Use { name, isa, wants } => self.declare_use(*name, isa, wants.as_deref()),
            Item::Const { export, name, value, .. } => {
                let entry = Entry::Const(self.consts.len());
                self.declare_exported(*name, entry, *export);
                self.push_const(*name, ConstSource::Expr(value));
            }
            Item::Enum { export, name, members } => {
                let entry = Entry::Enum(self.enums.len());
                self.declare_exported(*name, entry, *export);
                self.declare_enum(members);
            }
            Item::Struct(decl) => {
                let entry = Entry::Struct(self.types.structs.len());
                self.declare_exported(decl.name, entry, decl.export);
                self.types.structs.push(StructInfo::new(self.module, decl));
            }
            Item::Global { name, mutable, .. } => {
                let entry = Entry::Global(self.globals.len());
                self.declare_name(*name, entry);
                self.globals.push(GlobalInfo { name: *name, mutable: *mutable, ty: Ty::Error, init: None });
            }
            Item::Func(func) => {
                let entry = Entry::Func(self.funcs.len());
                self.declare_exported(func.name, entry, func.export);
                self.push_func(func, FuncKind::Plain, func.name.text.into());
                self.check_main(func);
            }
            Item::On { source, func } => {
                self.push_func(func, FuncKind::Handler, format!("on {}.{}", source.text, func.name.text));
            }
            Item::Provides { ops, .. } => {
                for op in ops {
                    self.push_func(op, FuncKind::Op, format!("op {}", op.name.text));
                }
            }
            Item::Program { isa, func } => self.declare_program(isa, func),
            Item::Test { title, func } => self.declare_test(title, func),
            Item::Memory { name, min, max, span } => self.declare_memory(*name, *min, *max, *span),
            Item::Data { name, place, bytes, span } => self.declare_segment(*name, place.as_ref(), bytes, *span),
            Item::Import { .. } | Item::Isa { .. } => {}
        }
    }

    fn declare_exported(&mut self, name: Name<'f>, entry: Entry, export: bool) {
        self.declare_name(name, entry);
        if export {
            self.exported[self.module].insert(name.text);
        }
    }

    fn declare_program(&mut self, isa: &ast::IsaPath<'f>, func: &'f ast::Func<'f>) {
        let entry = Entry::Program(self.programs.len());
        self.declare_name(func.name, entry);
        let isa = self.set(isa).map(|set| self.shared_set(&set));
        let id = FuncId(self.funcs.len() as u32);
        // Without its set, nothing in it has a meaning; the error is reported.
        let set = isa.unwrap_or(IsaId(u32::MAX));
        self.push_func(func, FuncKind::Program(set), format!("program {}", func.name.text));
        self.programs.push(ProgramInfo { name: func.name, isa: set, func: id });
        self.limit(self.programs.len(), limits::PROGRAMS, "device programs", func.name.span);
    }

    /// Tests are those of the module that is built, if they are asked for; all are checked.
    fn declare_test(&mut self, title: &(alloc::vec::Vec<u8>, Span), func: &'f ast::Func<'f>) {
        let Some(name) = self.utf8(&title.0, title.1) else { return };
        self.limit(name.len(), limits::NAME_BYTES, "bytes of a name", title.1);
        if name.chars().any(char::is_control) {
            let report = Report::new(Code::BadString, title.1, "a test's name cannot have control characters");
            self.report(report.hint("it is shown to people: say in words what holds"));
        }
        if self.module == 0 && !self.test_names.insert(name.clone()) {
            self.error(Code::Duplicate, title.1, "there is a test of this name already");
        }
        let id = FuncId(self.funcs.len() as u32);
        self.push_func(func, FuncKind::Test, format!("test {name:?}"));
        if self.module == 0 {
            self.tests.push(crate::Test { name: String::from(&*name), func: id });
            self.limit(self.tests.len(), limits::TESTS, "tests", title.1);
        }
    }

    /// Adds a function; its types come when all names are declared.
    fn push_func(&mut self, func: &'f ast::Func<'f>, kind: FuncKind, title: String) {
        let id = FuncId(self.funcs.len() as u32);
        self.func_at.insert(func.name.span.start, id);
        self.limit(func.name.text.len(), limits::NAME_BYTES, "bytes of a name", func.name.span);
        let (params, results) = Default::default();
        self.funcs.push(FuncInfo { module: self.module, kind, title, params, results, func });
    }

    fn signatures(&mut self) {
        for id in 0..self.funcs.len() {
            let FuncInfo { module, func, kind, .. } = self.funcs[id];
            self.module = module;
            let params: alloc::vec::Vec<Ty> = func.sig.params.iter().map(|param| self.param_type(param)).collect();
            let results: alloc::vec::Vec<Ty> =
                func.sig.results.iter().flatten().map(|result| self.ty(&result.ty, false)).collect();
            self.limit(params.len(), limits::PARAMS, "parameters", func.sig.span);
            self.limit(results.len(), limits::RESULTS, "results", func.sig.span);
            if let FuncKind::Program(_) = kind {
                self.limit(params.len(), limits::ISA_OPERANDS, "parameters of a program", func.sig.span);
                self.limit(results.len(), limits::ISA_OPERANDS, "results of a program", func.sig.span);
                self.check_program_types(func, &params, &results);
            }
            self.funcs[id].params = params;
            self.funcs[id].results = results;
        }
    }

    /// What enters and leaves a program travels in packets; capabilities stay outside.
    fn check_program_types(&mut self, func: &'f ast::Func<'f>, params: &[Ty], results: &[Ty]) {
        let declared = func.sig.params.iter().chain(func.sig.results.iter().flatten());
        for (param, ty) in declared.zip(params.iter().chain(results)) {
            let Ty::Of(ty) = *ty else { continue };
            if ty != Type::Buf && !self.types.is_sendable(ty) {
                self.not_sendable(ty, param.ty.span);
            }
        }
    }

    /// Refuses what packets do not carry.
    pub(super) fn check_carried(&mut self, ty: Ty, span: Span) -> bool {
        let Ty::Of(ty) = ty else { return true };
        let carried = self.types.is_carried(ty);
        if !carried {
            self.not_sendable(ty, span);
        }
        carried
    }

    fn not_sendable(&mut self, ty: Type, span: Span) {
        let text = self.type_text(ty);
        let report = Report::new(Code::NotSendable, span, format!("`{text}` cannot leave the VM that holds it"));
        self.report(report.hint("numbers, `bool`, `str`, `buf`, frozen structs, and `[T]` and `?T` of such can"));
    }

    fn push_const(&mut self, name: Name<'f>, source: ConstSource<'f>) {
        let module = self.module;
        self.consts.push(ConstInfo { module, name, ty: None, source, state: ConstState::Waiting });
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

    /// The declared types of constants, which need all names.
    fn declare_types(&mut self, item: &'f Item<'f>) {
        let Item::Const { name, ty: Some(ty), .. } = item else { return };
        let ty_span = ty.span;
        let mut ty = self.ty(ty, false);
        if let Ty::Of(of) = ty
            && !of.is_number()
            && of != Type::Str
        {
            let message = format!("a `{}` is not a constant", self.type_text(of));
            let report = Report::new(Code::NotConstant, ty_span, message);
            self.report(report.hint("constants are numbers, `bool` and `str`; `global NAME = ..` holds objects"));
            ty = Ty::Error;
        }
        if let Some((Entry::Const(id), span)) = self.scopes[self.module].get(name.text)
            && *span == name.span
        {
            self.consts[*id].ty = Some(ty);
        }
    }

    /// What functions are there for.
    fn declare_duties(&mut self, item: &'f Item<'f>) {
        match item {
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

    fn param_type(&mut self, param: &'f Param<'f>) -> Ty {
        self.ty(&param.ty, param.borrowed)
    }

    /// Reports what exceeds a limit of the format.
    pub(super) fn limit(&mut self, count: usize, limit: usize, what: &str, span: Span) {
        if count > limit {
            self.error(Code::TooLarge, span, format!("{count} {what}: there may be at most {limit}"));
        }
    }

    /// Globals, whose initial values need those of constants.
    fn declare_values(&mut self, item: &'f Item<'f>) {
        if let Item::Global { name, ty, value, .. } = item {
            self.declare_global(*name, ty.as_ref(), value);
        }
    }

    fn declare_global(&mut self, name: Name<'f>, ty: Option<&'f ast::TypeExpr<'f>>, value: &'f Expr<'f>) {
        let Some((Entry::Global(id), span)) = self.scopes[self.module].get(name.text).copied() else { return };
        if span != name.span {
            return;
        }
        let mutable = self.globals[id].mutable;
        let declared = ty.map(|ty| self.global_type(ty, mutable));
        let init = Body::initial(self, value, declared);
        let global = &mut self.globals[id];
        global.ty = declared.unwrap_or(init.as_ref().map_or(Ty::Error, |value| value.ty));
        global.init = init;
    }

    fn global_type(&mut self, ty: &'f ast::TypeExpr<'f>, mutable: bool) -> Ty {
        let resolved = self.ty(ty, false);
        let report = match resolved {
            Ty::Of(Type::Buf) => Report::new(Code::Struct, ty.span, "a `buf` in a global may be taken away")
                .hint("write `global mut NAME: ?buf = null`; `take(NAME)` reads it"),
            Ty::Of(Type::OptBuf) if !mutable => {
                Report::new(Code::Struct, ty.span, "a `?buf` that does not change could never be taken")
                    .hint("declare it with `global mut`")
            }
            _ => return resolved,
        };
        self.report(report);
        Ty::Error
    }
}
