//! One function: its scopes and locals, and the walk from its first brace to its last.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::super::ast::Name;
use super::super::diag::{Code, Report, Span, nearest};
use super::flow::{BufState, Bufs, LoopState, State};
use super::typed::Ty;
use super::{Compiled, Context, Entry, FuncInfo, FuncKind};
use crate::Signature;
use crate::instr::{Instr, Writer};
use crate::isa::InstructionSet;
use crate::limits;
use crate::types::{LocalId, Type};

pub(super) struct Local<'f> {
    /// Empty for what the compiler adds.
    pub name: &'f str,
    /// Where it is declared.
    pub span: Span,
    pub ty: Ty,
    pub mutable: bool,
    /// Its number among the `buf` locals.
    pub buf: Option<u8>,
}

/// Names of one block, and the locals it declared.
#[derive(Default)]
pub(super) struct Scope<'f> {
    names: BTreeMap<&'f str, LocalId>,
    /// Those of type `buf`, as far as there may be any.
    bufs: Vec<LocalId>,
}

/// A function (or constant expression) that is being checked and emitted.
pub(super) struct Body<'b, 'c, 'f, 's> {
    pub cx: &'b mut Context<'c, 'f, 's>,
    /// `None` in a constant expression.
    pub func: Option<usize>,
    pub writer: Writer,
    pub locals: Vec<Local<'f>>,
    pub scopes: Vec<Scope<'f>>,
    pub loops: Vec<LoopState<'f>>,
    pub state: State,
    pub bufs: Bufs,
    /// `buf` locals that the expression under way borrows.
    pub borrowed: Vec<LocalId>,
    pub lines: Vec<(u32, u32)>,
    /// Locals that hold what is only lent, in the order of their statements.
    pub lent: Vec<LocalId>,
}

/// What a name stands for here.
pub(super) enum Found {
    Local(LocalId),
    Item(Entry),
    /// An instruction of the program's own set.
    Own(u8),
    Nothing,
}

/// Checks and emits function `id`.
pub(super) fn function(cx: &mut Context<'_, '_, '_>, id: usize) -> Compiled {
    let FuncInfo { func, .. } = cx.funcs[id];
    let params = cx.funcs[id].params.clone();
    let results = cx.funcs[id].results.clone();
    let mut body = Body::new(cx, Some(id));
    body.params(&params);
    let errors = body.cx.sink.len();
    body.block(&func.body);
    // After an error it is not known what the broken part was to do.
    let intact = body.cx.sink.len() == errors && !results.contains(&Ty::Error) && !func.body.broken;
    if body.state.reachable && !results.is_empty() && intact {
        let end = Span { start: func.body.span.end.saturating_sub(1), end: func.body.span.end };
        let message = format!("not every path of `{}` returns", func.name.text);
        let report = Report::new(Code::MissingReturn, end, message).also(func.sig.span, "has results");
        body.cx.report(
            report
                .label("the end is reached here")
                .hint("end every path with `return ..`, `trap \"why\"` or an endless `loop`"),
        );
    }
    body.finish(params.len(), &results, func.name.span)
}

impl<'b, 'c, 'f, 's> Body<'b, 'c, 'f, 's> {
    pub fn new(cx: &'b mut Context<'c, 'f, 's>, func: Option<usize>) -> Self {
        Body {
            cx,
            func,
            writer: Writer::default(),
            locals: Vec::new(),
            scopes: alloc::vec![Scope::default()],
            loops: Vec::new(),
            state: State::START,
            bufs: Vec::new(),
            borrowed: Vec::new(),
            lines: Vec::new(),
            lent: Vec::new(),
        }
    }

    /// The function; not in constant expressions.
    pub fn info(&self) -> Option<&FuncInfo<'f>> {
        self.func.map(|id| &self.cx.funcs[id])
    }

    fn params(&mut self, types: &[Ty]) {
        let Some(func) = self.info().map(|info| info.func) else { return };
        for (param, ty) in func.sig.params.iter().zip(types) {
            let Some(name) = param.name else { continue };
            let id = self.new_local(name.text, name.span, false);
            self.set_type(id, *ty);
            self.make_available(id);
            self.declare(name, id);
        }
    }

    fn finish(self, params: usize, results: &[Ty], span: Span) -> Compiled {
        let types =
            |list: &[Ty]| list.iter().map(|ty| if let Ty::Of(ty) = ty { *ty } else { Type::I32 }).collect::<Vec<_>>();
        let all = types(&self.locals.iter().map(|local| local.ty).collect::<Vec<_>>());
        let (own_params, own) = all.split_at(params.min(all.len()));
        self.cx.limit(all.len(), limits::LOCALS, "locals", span);
        self.cx.limit(self.bufs.len(), limits::BUFS, "`buf` locals", span);
        self.cx.limit(self.writer.bytes.len(), limits::BODY_BYTES, "bytes of code", span);
        Compiled {
            func: crate::Func {
                sig: Signature { params: own_params.into(), results: types(results) },
                pure: self.func.is_some_and(|id| self.cx.funcs[id].func.pure || is_program(&self.cx.funcs[id])),
                locals: own.into(),
                body: self.writer.bytes,
            },
            locals: self.locals.iter().map(|local| local.name.into()).collect(),
            lines: self.lines,
        }
    }

    /// Adds a local, of no known type and in no scope as yet.
    pub fn new_local(&mut self, name: &'f str, span: Span, mutable: bool) -> LocalId {
        let id = LocalId(self.locals.len() as u32);
        self.cx.limit(name.len(), limits::NAME_BYTES, "bytes of a name", span);
        self.locals.push(Local { name, span, ty: Ty::Error, mutable, buf: None });
        id
    }

    /// Adds a local that the text does not name.
    pub fn temporary(&mut self, ty: Ty, span: Span) -> LocalId {
        let id = self.new_local("", span, true);
        self.set_type(id, ty);
        id
    }

    pub fn set_type(&mut self, id: LocalId, ty: Ty) {
        let local = &mut self.locals[id.index()];
        local.ty = ty;
        if matches!(ty, Ty::Of(Type::Buf | Type::OptBuf)) && local.buf.is_none() {
            local.buf = Some(self.bufs.len().min(limits::BUFS - 1) as u8);
            self.bufs.push(BufState::default());
        }
    }

    pub fn local(&self, id: LocalId) -> &Local<'f> {
        &self.locals[id.index()]
    }

    /// Brings a local into scope under its name.
    pub fn declare(&mut self, name: Name<'f>, id: LocalId) {
        if name.is_blank() {
            return;
        }
        let owned = self.local(id).buf.is_some() && self.bufs.len() <= limits::BUFS;
        self.note_local(name.span, id);
        let Some(scope) = self.scopes.last_mut() else { return };
        if owned {
            scope.bufs.push(id);
        }
        if let Some(first) = scope.names.insert(name.text, id) {
            let first = self.local(first).span;
            let report =
                Report::new(Code::Duplicate, name.span, format!("`{}` is declared twice in this block", name.text));
            let report = report.label("declared again").also(first, "first declared here");
            self.cx.report(report.hint("use another name, or assign with `=` to a `var`"));
        }
    }

    /// Looks a name up: locals from the inside out, then the module's items.
    pub fn find(&mut self, name: &str) -> Found {
        let found = self.look_up(name);
        self.note_found(name, &found);
        found
    }

    fn look_up(&self, name: &str) -> Found {
        if let Some(id) = self.scopes.iter().rev().find_map(|scope| scope.names.get(name)) {
            return Found::Local(*id);
        }
        if let Some(opcode) = self.own_set().and_then(|set| Some(set.instruction_named(name)?.opcode)) {
            return Found::Own(opcode);
        }
        self.cx.entry(name).map_or(Found::Nothing, Found::Item)
    }

    /// In a program, the set that it runs on.
    pub fn own_set(&self) -> Option<&InstructionSet> {
        let Some(FuncKind::Program(isa)) = self.info().map(|info| info.kind) else { return None };
        self.cx.shared.get(isa.index()).map(|shared| &*shared.set)
    }

    /// Reports an effect where none may be.
    pub fn impure(&mut self, span: Span, does: &str) {
        let Some(info) = self.info() else { return };
        let what = match info.kind {
            _ if info.func.pure => "pure func",
            FuncKind::Program(_) => "program",
            _ => return,
        };
        let name = info.func.name;
        let report = Report::new(Code::Impure, span, format!("this {does}, in a `{what}`"));
        let report = report.also(name.span, format!("declared here as `{what}`"));
        self.cx.report(match what {
            "program" => report.hint("a program calls its set's instructions and `pure func`s, and nothing else"),
            _ => report.hint("leave out `pure`, or pass in what it needs"),
        });
    }

    /// The declared name that a misspelt one may have meant.
    pub fn suggest(&self, name: &str, more: impl Iterator<Item = &'static str>) -> Option<&'f str> {
        let locals = self.scopes.iter().flat_map(|scope| scope.names.keys().copied());
        let mut all: Vec<&'f str> = locals.chain(self.cx.item_names()).collect();
        all.extend(more.map(|name| -> &'f str { name }));
        nearest(name, all)
    }

    /// Runs `inner` in a new scope.
    pub fn scoped<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.push(Scope::default());
        let result = inner(self);
        if self.state.reachable {
            self.drop_scopes(self.scopes.len() - 1);
        }
        self.scopes.pop();
        result
    }

    /// Frees the `buf`s of inner scopes that have not moved; a function's own are freed at its end.
    pub fn drop_scopes(&mut self, outer: usize) {
        // The first two scopes are the parameters' and the body's.
        let inner = self.scopes.iter().skip(outer.max(2));
        let ids: Vec<LocalId> = inner.flat_map(|scope| scope.bufs.iter().copied()).collect();
        for id in ids {
            if self.is_available(id) {
                self.writer.push(Instr::Take(id));
                self.writer.set(&[None]);
                self.state.available &= !self.bit(id).unwrap_or(0);
            }
        }
    }

    /// Notes a local without a name that holds a `buf` to the end of the block.
    pub fn hold_lent(&mut self, id: LocalId) {
        self.lent.push(id);
        self.make_available(id);
        if let Some(scope) = self.scopes.last_mut() {
            scope.bufs.push(id);
        }
    }

    /// The named `buf` locals that have not moved.
    pub fn available_bufs(&self) -> Vec<LocalId> {
        let all = self.scopes.iter().flat_map(|scope| scope.bufs.iter().copied());
        all.filter(|id| self.is_available(*id)).collect()
    }

    /// Reports a statement that no path reaches, once a block.
    pub fn check_reached(&mut self, span: Span, told: &mut bool) {
        if self.state.reachable || *told {
            return;
        }
        *told = true;
        self.cx.report(
            Report::new(Code::Unreachable, span, "this is never reached")
                .hint("remove it: what stands before it always leaves (`return`, `break`, `continue`, `trap`, `fail`, an endless `loop`)"),
        );
        // Go on checking as if it were.
        self.state = State { reachable: true, available: u64::MAX };
    }

    /// Notes the line of what is emitted next.
    pub fn mark(&mut self, span: Span) {
        let line = self.cx.sink.line(span.start);
        let offset = self.writer.bytes.len() as u32;
        match self.lines.last_mut() {
            Some((_, last)) if *last == line => {}
            Some((at, last)) if *at == offset => *last = line,
            _ => self.lines.push((offset, line)),
        }
    }

    fn bit(&self, id: LocalId) -> Option<u64> {
        self.local(id).buf.map(|number| 1 << number)
    }

    pub fn is_available(&self, id: LocalId) -> bool {
        self.state.reachable && self.bit(id).is_some_and(|bit| self.state.available & bit != 0)
    }

    pub fn make_available(&mut self, id: LocalId) {
        if let Some(bit) = self.bit(id) {
            self.state.available |= bit;
        }
    }

    /// Uses a `buf` local: lends it, or moves it away.
    pub fn use_buf(&mut self, id: LocalId, moves: bool, span: Span) {
        let Some(bit) = self.bit(id) else { return };
        let number = self.local(id).buf.map_or(0, usize::from);
        let name = self.local(id).name;
        if self.state.available & bit == 0 {
            let report =
                Report::new(Code::Moved, span, format!("`{name}` has moved")).label("used here after the move");
            let report = match self.bufs.get(number).and_then(|buf| buf.moved) {
                Some(moved) => report.also(moved, "moved here"),
                None => report,
            };
            self.cx.report(report.hint("a `buf` has one owner: sending, returning or passing it on gives it away"));
            // Once is enough.
            self.state.available |= bit;
        }
        if moves && self.borrowed.contains(&id) {
            let report = Report::new(Code::Moved, span, format!("`{name}` moves while the same expression borrows it"));
            self.cx.report(report.hint("put one of the two in a `let` of its own"));
        }
        if moves {
            self.state.available &= !bit;
            if let Some(buf) = self.bufs.get_mut(number) {
                buf.moved = Some(span);
            }
        } else {
            self.borrowed.push(id);
        }
    }

    /// At an edge back to a loop's head: what was available there must be so again.
    pub fn check_back_edge(&mut self, head: State, span: Span) {
        if !self.state.reachable || !head.reachable {
            return;
        }
        let missing = head.available & !self.state.available;
        let lost = self.locals.iter().find(|local| local.buf.is_some_and(|number| missing & 1 << number != 0));
        if let Some(local) = lost {
            let moved = local
                .buf
                .and_then(|number| self.bufs.get(usize::from(number)))
                .and_then(|buf| buf.moved)
                .unwrap_or(span);
            let message = format!("`{}` moves here, and the loop's next turn would miss it", local.name);
            let report = Report::new(Code::MovedInLoop, moved, message).also(local.span, "declared outside the loop");
            self.cx.report(report.hint("assign a new `buf` before the turn ends, or leave the loop after this"));
        }
    }
}

fn is_program(info: &FuncInfo<'_>) -> bool {
    matches!(info.kind, FuncKind::Program(_))
}
