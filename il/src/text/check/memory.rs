//! Memories and data segments: their items, and how calls name them.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{self, Arg, Expr, ExprKind, Name};
use super::super::diag::{Code, Report, Span};
use super::body::{Body, Found};
use super::typed::{Kind, Ty, Typed, Value};
use super::{Context, Entry};
use crate::instr::Instr;
use crate::limits;
use crate::op::Op;
use crate::types::{DataId, MemoryId, Type};
use crate::{Data, DataPlace, Memory};

/// A data segment as it is declared.
pub(super) struct Segment<'f> {
    module: usize,
    pub span: Span,
    /// Empty if it has none.
    pub name: &'f str,
    place: Option<&'f ast::DataPlace<'f>>,
}

/// What a call may give by name, behind its operands.
const OPTIONS: [&str; 3] = ["offset", "memory", "from"];

/// A call's operands, and the options behind them.
pub(super) fn options<'f>(args: &'f [Arg<'f>]) -> (&'f [Arg<'f>], &'f [Arg<'f>]) {
    let is_option = |arg: &Arg<'f>| arg.name.is_some_and(|name| OPTIONS.contains(&name.text));
    let operands = args.iter().rposition(|arg| !is_option(arg)).map_or(0, |last| last + 1);
    args.split_at(operands)
}

/// Things that are named or numbered where they are used: no values.
#[derive(Clone, Copy)]
enum Numbered {
    Memory,
    Segment,
}

impl Numbered {
    fn text(self) -> &'static str {
        match self {
            Numbered::Memory => "memory",
            Numbered::Segment => "data segment",
        }
    }

    fn of(self, entry: Entry) -> Option<usize> {
        match (self, entry) {
            (Numbered::Memory, Entry::Memory(at)) | (Numbered::Segment, Entry::Data(at)) => Some(at),
            _ => None,
        }
    }

    fn declaration(self) -> &'static str {
        match self {
            Numbered::Memory => "declare it, outside functions: `memory NAME 1..1`",
            Numbered::Segment => "declare it, outside functions: `data NAME = \"bytes\"`",
        }
    }
}

impl<'f> Context<'_, 'f, '_> {
    pub(super) fn declare_memory(&mut self, name: Option<Name<'f>>, min: (u64, Span), max: (u64, Span), span: Span) {
        if let Some(name) = name {
            self.declare_name(name, Entry::Memory(self.memories.len()));
        }
        self.limit(self.memories.len() + 1, limits::MEMORIES, "memories", span);
        let page_limit = limits::MEMORY_PAGES as u64;
        if max.0 > page_limit {
            let message = format!("at most {page_limit} pages of 64 KiB, which are 4 GiB");
            self.error(Code::TooLarge, max.1, message);
        }
        if min.0 > max.0 {
            self.error(Code::Memory, span, "the memory starts larger than it may become");
        }
        self.memories.push(Memory { min: min.0.min(page_limit) as u32, max: max.0.min(page_limit) as u32 });
        self.memory_names.push(name.map_or(("", span), |name| (name.text, name.span)));
    }

    /// Adds a segment; where it lies is known once constants are.
    pub(super) fn declare_segment(
        &mut self,
        name: Option<Name<'f>>,
        place: Option<&'f ast::DataPlace<'f>>,
        bytes: &[u8],
        span: Span,
    ) {
        if let Some(name) = name {
            self.declare_name(name, Entry::Data(self.data.len()));
        }
        self.data.push(Data { place: None, bytes: bytes.into() });
        let (name, span_at) = name.map_or(("", span), |name| (name.text, name.span));
        self.segments.push(Segment { module: self.module, span: span_at, name, place });
        self.limit(self.data.len(), limits::DATA, "data segments", span);
    }

    /// Puts segments where their texts say, and checks that they lie inside their memories.
    pub(super) fn place_segments(&mut self) {
        for at in 0..self.segments.len() {
            let Segment { module, span, place: Some(place), name: _ } = self.segments[at] else { continue };
            self.module = module;
            let memory = match &place.memory {
                Some(memory) => self.numbered_item(memory, Numbered::Memory).map(MemoryId),
                None => Some(MemoryId(0)),
            };
            let offset = Body::constant(self, &place.offset, Some(Ty::Of(Type::I32)));
            if let (Some(memory), Some(Value::I32(offset))) = (memory, offset) {
                let place = DataPlace { memory, offset: offset as u32 };
                self.data[at].place = Some(place);
                self.check_place(place, self.data[at].bytes.len(), span);
            }
        }
    }

    fn check_place(&mut self, place: DataPlace, bytes: usize, span: Span) {
        let end = u64::from(place.offset) + bytes as u64;
        let report = match self.memories.get(place.memory.index()) {
            None => Report::new(Code::Memory, span, "`data` without memory").hint("declare it: `memory 1..1`"),
            Some(memory) if end > u64::from(memory.min) << 16 => {
                let message = format!("this data ends at byte {end}, the memory at {}", u64::from(memory.min) << 16);
                Report::new(Code::Memory, span, message)
                    .hint("raise the first number of `memory MIN..MAX` (pages of 64 KiB)")
            }
            Some(_) => return,
        };
        self.report(report);
    }

    fn numbered_item(&mut self, expr: &'f Expr<'f>, what: Numbered) -> Option<u32> {
        let entry = match expr.kind {
            ExprKind::Name(name) => {
                let entry = self.entry(name);
                entry.into_iter().for_each(|entry| self.note_item(expr.span, entry));
                entry
            }
            _ => None,
        };
        self.number(expr, entry, what)
    }

    /// The number of a memory or segment that is given by its number or by a name, which stands for `entry`.
    fn number(&mut self, expr: &Expr<'_>, entry: Option<Entry>, what: Numbered) -> Option<u32> {
        let count = match what {
            Numbered::Memory => self.memories.len(),
            Numbered::Segment => self.data.len(),
        };
        let text = what.text();
        let report = match (&expr.kind, entry) {
            (ExprKind::Int { value, negative: false, .. }, _) => match u32::try_from(*value) {
                Ok(number) if (number as usize) < count => return Some(number),
                _ => {
                    let message = format!("there is no {text} {value}: this module has {count}");
                    let report = Report::new(Code::Memory, expr.span, message);
                    if count == 0 { report.hint(what.declaration()) } else { report.hint("they are numbered from 0") }
                }
            },
            (ExprKind::Name(_), Some(Entry::Unknown)) => return None,
            (ExprKind::Name(name), Some(entry)) => match what.of(entry) {
                Some(at) => return Some(at as u32),
                None => {
                    let message = format!("`{name}` is {}, not a {text}", entry.describe());
                    Report::new(Code::WrongKind, expr.span, message).hint(what.declaration())
                }
            },
            (ExprKind::Name(name), None) => {
                let report = Report::new(Code::UnknownName, expr.span, format!("there is no {text} `{name}`"));
                let scope = self.scopes.get(self.module);
                let alike = scope.into_iter().flatten().filter(|(_, (entry, _))| what.of(*entry).is_some());
                match super::super::diag::nearest(name, alike.map(|(name, _)| *name)) {
                    Some(near) => report.did_you_mean(near),
                    None => report.hint(what.declaration()),
                }
            }
            _ => Report::new(Code::Memory, expr.span, format!("a {text} is given by its name or its number"))
                .hint("which one is fixed when the program is built"),
        };
        self.report(report);
        None
    }
}

impl<'f> Body<'_, '_, 'f, '_> {
    fn numbered(&mut self, expr: &'f Expr<'f>, what: Numbered) -> Option<u32> {
        let ExprKind::Name(name) = expr.kind else { return self.cx.number(expr, None, what) };
        let entry = match self.find(name) {
            Found::Item(entry) => Some(entry),
            Found::Nothing | Found::Own(_) => None,
            Found::Local(_) => {
                let message = format!("`{name}` is a local, not a {}", what.text());
                self.cx.report(Report::new(Code::WrongKind, expr.span, message).hint("call the local something else"));
                return None;
            }
        };
        self.cx.number(expr, entry, what)
    }

    /// `offset:`, `memory:` and `from:` behind a call's operands.
    pub(super) fn apply_options(&mut self, typed: &mut Typed, text: &str, options: &'f [Arg<'f>]) {
        for (at, option) in options.iter().enumerate() {
            let Some(name) = option.name else { continue };
            if options.iter().take(at).any(|other| other.name.is_some_and(|other| other.text == name.text)) {
                self.cx.error(Code::Duplicate, name.span, format!("`{}:` is given twice", name.text));
            }
            match name.text {
                "offset" => self.apply_offset(typed, text, option),
                word => {
                    let memory = self.numbered(&option.value, Numbered::Memory).map(MemoryId);
                    self.apply_memory(typed, text, word, memory, name.span);
                }
            }
        }
    }

    fn apply_memory(&mut self, typed: &mut Typed, text: &str, word: &str, memory: Option<MemoryId>, span: Span) {
        let reads = word == "from";
        match &mut typed.kind {
            Kind::Op(op, immediate, _) if if reads { *op == Op::MemoryCopy } else { op.touches_memory() } => {
                let place = if reads { &mut immediate.from } else { &mut immediate.memory };
                *place = memory.unwrap_or_default();
            }
            Kind::Error => {}
            _ => {
                let report = Report::new(Code::Syntax, span, format!("`{text}` takes no `{word}:`"));
                self.cx.report(match reads {
                    true => report.hint("only `memory_copy` reads another memory than it writes"),
                    false => report.hint("only what accesses a memory does"),
                });
            }
        }
    }

    fn apply_offset(&mut self, typed: &mut Typed, text: &str, offset: &'f Arg<'f>) {
        let value = match offset.value.kind {
            ExprKind::Int { value, negative: false, .. } => Some(i64::try_from(value).unwrap_or(-1)),
            _ => Body::constant(self.cx, &offset.value, None).map(|value| match value {
                Value::I32(value) => i64::from(value),
                Value::I64(value) => value,
                _ => -1,
            }),
        };
        match (&mut typed.kind, value) {
            (_, None) | (Kind::Error, _) => {}
            (Kind::Op(op, immediate, _), Some(value)) if op.info().form.has_offset() => match u32::try_from(value) {
                Ok(value) => immediate.offset = value,
                Err(_) => self.cx.error(
                    Code::BadLiteral,
                    offset.value.span,
                    "an offset is a constant between 0 and 0xffffffff",
                ),
            },
            _ => self.cx.error(
                Code::Syntax,
                offset.value.span,
                format!("`{text}` takes no offset here: only memory access does"),
            ),
        }
    }

    pub(super) fn check_memory(&mut self, op: Op, span: Span) {
        if op.touches_memory() {
            self.needs_memory(span);
        }
    }

    fn needs_memory(&mut self, span: Span) {
        self.impure(span, "touches memory");
        if self.cx.memories.is_empty() {
            let report = Report::new(Code::Memory, span, "this module declares no memory");
            self.cx.report(
                report.hint("declare it, outside functions: `memory 1..1` (pages of 64 KiB at start, and at most)"),
            );
        }
    }

    /// `memory_init(SEGMENT, to, from, length)`
    pub(super) fn memory_init(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        let (operands, options) = options(args);
        let [segment, operands @ ..] = operands else { return self.wrong_init(args, span) };
        if operands.len() != 3 {
            return self.wrong_init(args, span);
        }
        self.no_names(core::slice::from_ref(segment));
        let segment = self.numbered(&segment.value, Numbered::Segment);
        let mut memory = Some(MemoryId(0));
        for option in options {
            let Some(name) = option.name else { continue };
            if name.text == "memory" {
                memory = self.numbered(&option.value, Numbered::Memory).map(MemoryId);
            } else {
                self.cx.error(Code::Syntax, name.span, format!("`memory_init` takes no `{}:`", name.text));
            }
        }
        self.needs_memory(span);
        let params = [Ty::Of(Type::I32); 3];
        let operands: Option<Vec<Typed>> = self.args(operands, &params, span, |_| wrong_count(args, span));
        match (segment, memory, operands) {
            (Some(segment), Some(memory), Some(operands)) => {
                Typed::new(Ty::Nothing, Kind::Node(Instr::MemoryInit(DataId(segment), memory), operands), span)
            }
            _ => Typed::error(span),
        }
    }

    fn wrong_init(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        self.cx.report(wrong_count(args, span));
        Typed::error(span)
    }

    /// `data_drop(SEGMENT)`
    pub(super) fn data_drop(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        self.impure(span, "drops a data segment");
        self.no_names(args);
        let [segment] = args else {
            let message = format!("`data_drop` takes a data segment, not {} arguments", args.len());
            self.cx.report(Report::new(Code::Count, span, message).hint("as in `data_drop(NAME)`"));
            return Typed::error(span);
        };
        match self.numbered(&segment.value, Numbered::Segment) {
            Some(id) => Typed::new(Ty::Nothing, Kind::Node(Instr::DataDrop(DataId(id)), Vec::new()), span),
            None => Typed::error(span),
        }
    }
}

fn wrong_count(args: &[Arg<'_>], span: Span) -> Report {
    let message = format!("`memory_init` takes a data segment and 3 numbers, not {} arguments", args.len());
    Report::new(Code::Count, span, message).hint("as in `memory_init(NAME, to, from, length)`")
}
