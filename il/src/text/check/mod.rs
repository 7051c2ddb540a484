//! From tree to module: names, types, constants, flow, and the code itself.
//!
//! Items are declared first, in any order; then each body is checked and emitted in one walk. After
//! an error checking goes on with [`typed::Ty::Error`], which fits everywhere and is never reported again;
//! the module that comes of it is dropped.

mod assign;
mod body;
mod branch;
mod call;
mod consts;
mod emit;
mod expr;
mod finish;
mod flow;
mod items;
mod note;
mod overload;
mod pattern;
mod sets;
mod stmt;
mod typed;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::ast::{self, Expr, File, Name};
use super::diag::{Code, Report, Sink, Span, nearest};
use super::index::Notes;
use crate::isa::InstructionSet;
use crate::types::{FuncId, StrId, Type};
use crate::{Data, Func, Memory, Module};
use typed::{Ty, Value};

/// Checks a whole text. The result means something only if nothing was reported.
pub(super) fn check(
    file: &File<'_>,
    name: &str,
    source: &str,
    known: &[&'static InstructionSet],
    sink: &mut Sink<'_>,
) -> Module {
    let mut context = Context::new(source, known, sink);
    context.run(file);
    context.finish(file, name)
}

/// Checks a whole text, noting what its names stand for.
pub(super) fn notes(file: &File<'_>, source: &str, known: &[&'static InstructionSet], sink: &mut Sink<'_>) -> Notes {
    let mut context = Context::new(source, known, sink);
    context.notes = Some(Notes::default());
    context.run(file);
    context.notes.unwrap_or_default()
}

/// What a name in the module's scope stands for: an index into the list of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Use(usize),
    Const(usize),
    Enum(usize),
    Global(usize),
    Func(usize),
    /// An item that was refused as not supported yet.
    Unsupported(&'static str),
}

impl Entry {
    fn describe(self) -> &'static str {
        match self {
            Entry::Use(_) => "a capability",
            Entry::Const(_) => "a constant",
            Entry::Enum(_) => "an enum",
            Entry::Global(_) => "a global",
            Entry::Func(_) => "a function",
            Entry::Unsupported(what) => what,
        }
    }
}

struct UseInfo<'f> {
    name: &'f str,
    /// `None` after an error.
    set: Option<Rc<InstructionSet>>,
    wants: Option<BTreeSet<&'f str>>,
    instructions: BTreeSet<u8>,
    events: BTreeSet<u8>,
}

/// A constant: the value of a `const` or enum member is computed when first asked for.
struct ConstInfo<'f> {
    name: Name<'f>,
    ty: Option<Ty>,
    source: ConstSource<'f>,
    state: ConstState,
}

#[derive(Clone, Copy)]
enum ConstSource<'f> {
    Expr(&'f Expr<'f>),
    /// So much more than another constant, or than zero: members of an enum without a value.
    After(Option<usize>, i32),
}

enum ConstState {
    Waiting,
    UnderWay,
    /// `None` after an error.
    Done(Option<Value>),
}

struct EnumInfo<'f> {
    members: BTreeMap<&'f str, usize>,
}

struct GlobalInfo<'f> {
    name: Name<'f>,
    mutable: bool,
    ty: Ty,
    init: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FuncKind {
    Plain,
    Handler,
    Op,
}

struct FuncInfo<'f> {
    kind: FuncKind,
    /// For reports and the names section.
    title: String,
    params: Vec<Ty>,
    results: Vec<Ty>,
    func: &'f ast::Func<'f>,
}

struct ProvidesInfo<'f> {
    set: Rc<InstructionSet>,
    name: Option<Name<'f>>,
    ops: Vec<FuncId>,
}

/// A function's code and its part of the names section.
#[derive(Default)]
struct Compiled {
    func: Func,
    locals: Vec<String>,
    lines: Vec<(u32, u32)>,
}

/// The module under construction.
struct Context<'c, 'f, 's> {
    source: &'c str,
    known: &'c [&'static InstructionSet],
    sink: &'c mut Sink<'s>,
    names: BTreeMap<&'f str, (Entry, Span)>,
    sets: Vec<Rc<InstructionSet>>,
    uses: Vec<UseInfo<'f>>,
    consts: Vec<ConstInfo<'f>>,
    enums: Vec<EnumInfo<'f>>,
    globals: Vec<GlobalInfo<'f>>,
    funcs: Vec<FuncInfo<'f>>,
    compiled: Vec<Compiled>,
    provides: Option<ProvidesInfo<'f>>,
    handlers: Vec<crate::Handler>,
    memory: Option<Memory>,
    data: Vec<Data>,
    strings: Vec<String>,
    string_ids: BTreeMap<Rc<str>, StrId>,
    /// Expressions inside one another, through constants.
    depth: usize,
    /// What names stand for, if somebody wants to know.
    notes: Option<Notes>,
    /// Names of items, not yet described.
    noted: Vec<(Span, note::Noted)>,
}

impl<'c, 'f, 's> Context<'c, 'f, 's> {
    fn new(source: &'c str, known: &'c [&'static InstructionSet], sink: &'c mut Sink<'s>) -> Self {
        Context {
            source,
            known,
            sink,
            names: BTreeMap::new(),
            sets: Vec::new(),
            uses: Vec::new(),
            consts: Vec::new(),
            enums: Vec::new(),
            globals: Vec::new(),
            funcs: Vec::new(),
            compiled: Vec::new(),
            provides: None,
            handlers: Vec::new(),
            memory: None,
            data: Vec::new(),
            strings: Vec::new(),
            string_ids: BTreeMap::new(),
            depth: 0,
            notes: None,
            noted: Vec::new(),
        }
    }

    fn run(&mut self, file: &'f File<'f>) {
        self.declare(file);
        self.check_data(file);
        self.bodies();
        self.note_items();
    }

    fn report(&mut self, report: Report) {
        self.sink.report(report);
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.sink.report(Report::new(code, span, message));
    }

    /// The literal's number, in order of first use.
    fn intern(&mut self, text: &str) -> StrId {
        if let Some(id) = self.string_ids.get(text) {
            return *id;
        }
        let id = StrId(self.strings.len() as u32);
        self.strings.push(text.into());
        self.string_ids.insert(text.into(), id);
        id
    }

    /// A string literal as `str`.
    fn utf8(&mut self, bytes: &[u8], span: Span) -> Option<Rc<str>> {
        match core::str::from_utf8(bytes) {
            Ok(text) if text.len() <= crate::limits::STRING_BYTES => Some(text.into()),
            Ok(_) => {
                let message = alloc::format!("a literal has at most {} bytes", crate::limits::STRING_BYTES);
                self.report(
                    Report::new(Code::TooLarge, span, message)
                        .hint("larger texts go into `data`; read them with `str_at`"),
                );
                None
            }
            Err(_) => {
                let report = Report::new(Code::BadString, span, "the bytes of this `str` are not UTF-8");
                self.report(report.hint("write characters with `\\u{..}`; only `data` holds any bytes"));
                None
            }
        }
    }

    /// A type as written.
    fn ty(&mut self, ty: &ast::TypeExpr<'f>, borrowed: bool) -> Ty {
        let word = match &ty.kind {
            ast::TypeKind::Word(word) => *word,
            ast::TypeKind::Unsupported(what) => {
                self.error(Code::NotSupported, ty.span, alloc::format!("{what} is not supported yet"));
                return Ty::Error;
            }
            ast::TypeKind::Path(path) => return self.named_type(path),
        };
        let known = Type::PLAIN.into_iter().find(|known| known.name() == word);
        match (known, borrowed) {
            (Some(Type::Buf), true) => Ty::Of(Type::BufRef),
            (Some(known), false) => Ty::Of(known),
            (Some(_), true) => {
                let report =
                    Report::new(Code::Mismatch, ty.span, alloc::format!("`ref` borrows a `buf`, not `{word}`"));
                self.report(report.hint(alloc::format!("pass `{word}` as it is: it is copied")));
                Ty::Error
            }
            (None, _) => {
                let report =
                    Report::new(Code::NotSupported, ty.span, alloc::format!("the type `{word}` is not supported yet"));
                self.report(match word {
                    "i8" | "i16" | "u8" | "u16" => {
                        report.hint("it will be for fields and elements only; numbers are `i32` or `i64`")
                    }
                    "f32" => report.hint("use `f64`"),
                    _ => report,
                });
                Ty::Error
            }
        }
    }

    fn named_type(&mut self, path: &ast::Path<'f>) -> Ty {
        let text = path.text();
        let found = self.names.get(text.as_str()).map(|(entry, _)| *entry);
        if let Some(entry) = found {
            self.note_item(path.span, entry);
        }
        match found {
            // An enum names numbers.
            Some(Entry::Enum(_)) => Ty::Of(Type::I32),
            Some(Entry::Unsupported(_)) => Ty::Error,
            Some(entry) => {
                self.error(Code::WrongKind, path.span, alloc::format!("`{text}` is {}, not a type", entry.describe()));
                Ty::Error
            }
            None => {
                let report = Report::new(Code::UnknownName, path.span, alloc::format!("there is no type `{text}`"));
                let other = match text.as_str() {
                    "int" | "u32" | "usize" | "isize" | "char" | "byte" => Some("i32"),
                    "long" | "u64" => Some("i64"),
                    "float" | "double" => Some("f64"),
                    "string" | "String" => Some("str"),
                    "boolean" => Some("bool"),
                    text => nearest(text, Type::PLAIN.iter().map(|ty| ty.name())),
                };
                self.report(match other {
                    Some(other) => report.hint(alloc::format!("use `{other}`")).replace_by(other),
                    None => report.hint("types are i32, i64, f64, bool, str, buf, and the names of enums"),
                });
                Ty::Error
            }
        }
    }

    /// Checks and emits every function.
    fn bodies(&mut self) {
        for id in 0..self.funcs.len() {
            if self.sink.is_full() {
                return;
            }
            let compiled = body::function(self, id);
            self.compiled.push(compiled);
        }
    }

    /// Declares a name of the module.
    fn declare_name(&mut self, name: Name<'f>, entry: Entry) {
        if name.is_blank() {
            return;
        }
        if let Some((_, first)) = self.names.get(name.text) {
            let report = Report::new(Code::Duplicate, name.span, alloc::format!("`{}` is declared twice", name.text));
            let report = report.label("declared again").also(*first, "first declared here");
            self.report(report);
            return;
        }
        self.names.insert(name.text, (entry, name.span));
        self.note_item(name.span, entry);
    }
}
