//! From tree to module: names, types, constants, flow, and the code itself.
//!
//! Items are declared first, in any order; then each body is checked and emitted in one walk. After
//! an error checking goes on with [`typed::Ty::Error`], which fits everywhere and is never reported again;
//! the module that comes of it is dropped.

mod arrays;
mod assign;
mod body;
mod branch;
mod call;
mod caps;
mod coerce;
mod consts;
mod emit;
mod finish;
mod flow;
mod imports;
mod infer;
mod items;
mod memory;
mod note;
mod overload;
mod pattern;
mod refs;
mod sets;
mod spill;
mod stmt;
mod structs;
mod target;
mod typed;
mod types;
mod vectors;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::ast::{self, Expr, File, Name};
use super::diag::{Code, Report, Sink, Span};
use super::index::Notes;
use crate::isa::InstructionSet;
use crate::types::{FuncId, IsaId, StrId};
use crate::{Data, Func, Memory, Module};
use typed::{Ty, Typed, Value};
use types::Types;

/// One text of a build.
pub(super) struct Unit<'f> {
    pub file: &'f File<'f>,
    /// The file's name.
    pub name: &'f str,
    /// What imports call it; empty for the module that is built.
    pub path: &'f str,
}

/// What a build is made of, besides its texts.
pub(super) struct Build<'f> {
    /// The module that is built comes first.
    pub units: &'f [Unit<'f>],
    pub known: &'f [&'static InstructionSet],
    /// Whether `test` blocks are compiled.
    pub tests: bool,
}

/// Checks a whole build. The result means something only if nothing was reported.
pub(super) fn check(build: &Build<'_>, sink: &mut Sink<'_>) -> Module {
    let mut context = Context::new(build, sink);
    context.run();
    context.finish()
}

/// Checks a whole build, and gives the instruction sets that the module that is built declares, in their order. The result
/// means something only if nothing was reported.
pub(super) fn sets(build: &Build<'_>, sink: &mut Sink<'_>) -> Vec<InstructionSet> {
    let mut context = Context::new(build, sink);
    context.run();
    context.sets.into_iter().filter(|(module, _)| *module == 0).map(|(_, set)| Rc::unwrap_or_clone(set)).collect()
}

/// Checks a whole build, noting what the names of the module that is built stand for.
pub(super) fn notes(build: &Build<'_>, sink: &mut Sink<'_>) -> Notes {
    let mut context = Context::new(build, sink);
    context.notes = Some(Notes::default());
    context.run();
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
    /// By its place in the list, not by its number.
    Struct(usize),
    Program(usize),
    Memory(usize),
    Data(usize),
    /// Imported, but not to be found: reported already.
    Unknown,
}

impl Entry {
    fn describe(self) -> &'static str {
        match self {
            Entry::Use(_) => "a capability",
            Entry::Const(_) => "a constant",
            Entry::Enum(_) => "an enum",
            Entry::Global(_) => "a global",
            Entry::Func(_) => "a function",
            Entry::Struct(_) => "a struct",
            Entry::Program(_) => "a device program",
            Entry::Memory(_) => "a memory",
            Entry::Data(_) => "a data segment",
            Entry::Unknown => "not known",
        }
    }
}

struct UseInfo<'f> {
    module: usize,
    name: &'f str,
    /// `None` after an error.
    set: Option<Rc<InstructionSet>>,
    wants: Option<BTreeSet<&'f str>>,
    instructions: BTreeSet<u8>,
    events: BTreeSet<u8>,
    /// Whether it is used as a value or runs programs, so that its set is the one of all such.
    shared: bool,
}

/// A set of which capability types, programs and capabilities as values of a module are: embedded once.
struct SharedSet {
    set: Rc<InstructionSet>,
    instructions: BTreeSet<u8>,
}

/// A device program.
struct ProgramInfo<'f> {
    name: Name<'f>,
    isa: IsaId,
    func: FuncId,
}

/// A constant: the value of a `const` or enum member is computed when first asked for.
struct ConstInfo<'f> {
    module: usize,
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
    /// A constant tree, evaluated.
    init: Option<Typed>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FuncKind {
    Plain,
    Handler,
    Op,
    /// Of a shared set.
    Program(IsaId),
    Test,
}

struct FuncInfo<'f> {
    module: usize,
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
    build: &'c Build<'f>,
    source: &'s str,
    sink: &'c mut Sink<'s>,
    /// Which text the names looked up now stand in.
    module: usize,
    /// One scope a text.
    scopes: Vec<BTreeMap<&'f str, (Entry, Span)>>,
    /// The names that each text declares with `export`.
    exported: Vec<BTreeSet<&'f str>>,
    types: Types<'f>,
    sets: Vec<(usize, Rc<InstructionSet>)>,
    shared: Vec<SharedSet>,
    uses: Vec<UseInfo<'f>>,
    consts: Vec<ConstInfo<'f>>,
    enums: Vec<EnumInfo<'f>>,
    globals: Vec<GlobalInfo<'f>>,
    funcs: Vec<FuncInfo<'f>>,
    /// Functions by the place of their names.
    func_at: BTreeMap<u32, FuncId>,
    compiled: Vec<Compiled>,
    programs: Vec<ProgramInfo<'f>>,
    tests: Vec<crate::Test>,
    test_names: BTreeSet<Rc<str>>,
    provides: Vec<ProvidesInfo<'f>>,
    handlers: Vec<crate::Handler>,
    memories: Vec<Memory>,
    /// What the memories are called and where; those without a name are declared there.
    memory_names: Vec<(&'f str, Span)>,
    data: Vec<Data>,
    segments: Vec<memory::Segment<'f>>,
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
    fn new(build: &'c Build<'f>, sink: &'c mut Sink<'s>) -> Self {
        Context {
            build,
            source: sink.source(),
            sink,
            module: 0,
            scopes: build.units.iter().map(|_| BTreeMap::new()).collect(),
            exported: build.units.iter().map(|_| BTreeSet::new()).collect(),
            types: Types::default(),
            sets: Vec::new(),
            shared: Vec::new(),
            uses: Vec::new(),
            consts: Vec::new(),
            enums: Vec::new(),
            globals: Vec::new(),
            funcs: Vec::new(),
            func_at: BTreeMap::new(),
            compiled: Vec::new(),
            programs: Vec::new(),
            tests: Vec::new(),
            test_names: BTreeSet::new(),
            provides: Vec::new(),
            handlers: Vec::new(),
            memories: Vec::new(),
            memory_names: Vec::new(),
            data: Vec::new(),
            segments: Vec::new(),
            strings: Vec::new(),
            string_ids: BTreeMap::new(),
            depth: 0,
            notes: None,
            noted: Vec::new(),
        }
    }

    fn run(&mut self) {
        self.declare();
        self.bodies();
        self.note_items();
    }

    /// What a name stands for in the current text.
    fn entry(&self, name: &str) -> Option<Entry> {
        self.scopes.get(self.module)?.get(name).map(|(entry, _)| *entry)
    }

    /// All names of the current text.
    fn item_names(&self) -> impl Iterator<Item = &'f str> {
        self.scopes.get(self.module).into_iter().flat_map(|scope| scope.keys().copied())
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

    /// Checks and emits every function.
    fn bodies(&mut self) {
        for id in 0..self.funcs.len() {
            if self.sink.is_full() {
                return;
            }
            self.module = self.funcs[id].module;
            let compiled = body::function(self, id);
            self.compiled.push(compiled);
        }
    }

    /// Declares a name of the module.
    fn declare_name(&mut self, name: Name<'f>, entry: Entry) {
        if name.is_blank() {
            return;
        }
        if let Some((_, first)) = self.scopes[self.module].get(name.text) {
            let report = Report::new(Code::Duplicate, name.span, alloc::format!("`{}` is declared twice", name.text));
            let report = report.label("declared again").also(*first, "first declared here");
            self.report(report);
            return;
        }
        self.scopes[self.module].insert(name.text, (entry, name.span));
        self.note_item(name.span, entry);
    }
}
