//! Calls: of functions, of what is built in, and of device instructions.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Arg, Expr, ExprKind, Name};
use super::super::diag::{Code, Report, Span, counted};
use super::body::{Body, Found};
use super::overload::named;
use super::sets::{signature_text, unknown_member};
use super::typed::{Kind, Ty, Typed, Value};
use super::{Context, Entry};
use crate::isa::Instruction;
use crate::op::{Form, Op};
use crate::types::{FuncId, Type, UseId};

/// Base instructions that come without authority, and what is not there yet.
const BASE: &[&str] = &["wait", "wait_forever", "flush"];
const LATER: &[&str] = &["attenuate", "revoke", "freeze", "take"];

impl<'f> Body<'_, '_, 'f, '_> {
    /// A call; its type says how many values it gives.
    pub(super) fn call(&mut self, callee: &'f Expr<'f>, args: &'f [Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        match &callee.kind {
            ExprKind::Name(name) => match self.find(name) {
                Found::Item(Entry::Func(id)) => self.call_func(id, args, span),
                Found::Nothing => self.call_built_in(name, callee.span, args, span, hint),
                Found::Item(Entry::Unsupported(_)) => Typed::error(span),
                Found::Local(_) => self.not_callable(callee.span, format!("`{name}` is a local, not a function"), args),
                Found::Item(entry) => {
                    self.not_callable(callee.span, format!("`{name}` is {}, not a function", entry.describe()), args)
                }
            },
            ExprKind::Field { of, name } => match self.instruction(of, *name) {
                Some((id, opcode)) => self.send(id, opcode, args, span),
                None => self.skip_args(args, span),
            },
            _ => self.not_callable(callee.span, "this cannot be called".into(), args),
        }
    }

    fn not_callable(&mut self, span: Span, message: alloc::string::String, args: &'f [Arg<'f>]) -> Typed {
        self.cx.error(Code::WrongKind, span, message);
        self.skip_args(args, span)
    }

    /// Checks arguments for their own errors.
    fn skip_args(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        for arg in args {
            self.infer(&arg.value, None);
        }
        Typed::error(span)
    }

    fn call_func(&mut self, id: usize, args: &'f [Arg<'f>], span: Span) -> Typed {
        if self.func.is_none() {
            self.cx.report(
                Report::new(Code::NotConstant, span, "a call is not a constant")
                    .hint("constants are computed by the compiler"),
            );
            return self.skip_args(args, span);
        }
        let info = &self.cx.funcs[id];
        let (name, declared) = (info.func.name, info.func.sig.span);
        let (params, results) = (info.params.clone(), info.results.clone());
        let Some(args) = self.args(args, &params, span, |body| {
            let sig = declared.text(body.cx.source);
            Report::new(
                Code::Count,
                span,
                format!("`{}` takes {}, not {}", name.text, counted(params.len(), "argument"), args.len()),
            )
            .hint(format!("it is declared as `{}{sig}`", name.text))
        }) else {
            return Typed::error(span);
        };
        Typed::new(result_type(&results), Kind::Call(FuncId(id as u32), args), span)
    }

    /// Arguments for parameters of known types; `None` if their number is wrong.
    fn args(
        &mut self,
        args: &'f [Arg<'f>],
        params: &[Ty],
        span: Span,
        wrong: impl FnOnce(&Self) -> Report,
    ) -> Option<Vec<Typed>> {
        self.no_names(args);
        if args.len() != params.len() {
            let report = wrong(self);
            self.cx.report(report);
            self.skip_args(args, span);
            return None;
        }
        Some(self.with_borrows(|body| {
            let pairs = args.iter().zip(params);
            pairs
                .map(
                    |(arg, param)| {
                        if let Ty::Of(ty) = param { body.value(&arg.value, *ty) } else { body.infer(&arg.value, None) }
                    },
                )
                .collect()
        }))
    }

    fn no_names(&mut self, args: &'f [Arg<'f>]) {
        for name in args.iter().filter_map(|arg| arg.name) {
            let report = Report::new(Code::Syntax, name.span, "arguments are given by position here");
            self.cx.report(report.hint(format!("leave out `{}:`", name.text)));
        }
    }

    fn call_built_in(
        &mut self,
        name: &'f str,
        name_span: Span,
        args: &'f [Arg<'f>],
        span: Span,
        hint: Option<Type>,
    ) -> Typed {
        self.cx.note_built_in(name_span, name);
        let static_name = named(Form::Call, name).next().map(|info| info.text);
        if let Some(text) = static_name {
            return self.call_operator(text, args, span, hint);
        }
        match name {
            "wait" | "wait_forever" => {
                if !args.is_empty() {
                    self.cx.error(Code::Count, span, format!("`{name}` takes no arguments"));
                }
                let kind = if name == "wait" { Kind::Wait } else { Kind::WaitForever };
                Typed::new(Ty::Nothing, kind, span)
            }
            "flush" => self.flush(args, span),
            _ if LATER.contains(&name) => {
                self.cx.error(Code::NotSupported, name_span, format!("`{name}` is not supported yet"));
                self.skip_args(args, span)
            }
            "f32" | "v128" | "i8" | "i16" | "u8" | "u16" | "bool" => {
                let report =
                    Report::new(Code::NotSupported, name_span, format!("there is no conversion `{name}(..)` yet"));
                self.cx.report(if name == "bool" { report.hint("compare it: `.. != 0`") } else { report });
                self.skip_args(args, span)
            }
            _ => {
                self.unknown_function(name, name_span);
                self.skip_args(args, span)
            }
        }
    }

    fn unknown_function(&mut self, name: &str, span: Span) {
        let operators =
            Op::TABLE.iter().filter(|info| matches!(info.form, Form::Call | Form::Memory)).map(|info| info.text);
        let report = Report::new(Code::UnknownName, span, format!("there is no function `{name}`"));
        let report = match (self.suggest(name, operators.chain(BASE.iter().copied())), name) {
            (_, "print" | "println" | "printf") => {
                report.hint("write to a console: `use console: cascade.console@1`, then `console.write(\"..\")`")
            }
            (Some(near), _) => report.did_you_mean(near),
            (None, _) => report.hint(format!("declare it: `func {name}(..) {{ .. }}`")),
        };
        self.cx.report(report);
    }

    fn flush(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        if let [arg] = args
            && let ExprKind::Name(name) = arg.value.kind
            && let Found::Item(Entry::Use(id)) = self.find(name)
        {
            return Typed::new(Ty::Nothing, Kind::Flush(UseId(id as u32)), span);
        }
        self.cx
            .report(Report::new(Code::WrongKind, span, "`flush` takes one capability").hint("as in `flush(display)`"));
        Typed::error(span)
    }

    /// A built-in function: a line of the table, by name and operand types.
    fn call_operator(&mut self, text: &'static str, args: &'f [Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        let (args, offset) = match args {
            [args @ .., last] if last.name.is_some_and(|name| name.text == "offset") => (args, Some(last)),
            args => (args, None),
        };
        self.no_names(args);
        let mut typed = self.with_borrows(|body| {
            let args = args.iter().map(|arg| body.operand(&arg.value, None)).collect();
            body.operator(Form::Call, text, args, span, hint)
        });
        if let Some(offset) = offset {
            self.apply_offset(&mut typed, text, offset);
        }
        if let Kind::Op(op, ..) = typed.kind {
            self.check_memory(op, span);
        }
        typed
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
            (Kind::Op(op, at, _), Some(value)) if op.info().form == Form::Memory => match u32::try_from(value) {
                Ok(value) => *at = value,
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

    fn check_memory(&mut self, op: Op, span: Span) {
        let needs = op.info().form == Form::Memory
            || matches!(op, Op::MemorySize | Op::MemoryGrow | Op::MemoryFill | Op::MemoryCopy | Op::StrAt);
        if needs && self.cx.memory.is_none() {
            let report = Report::new(Code::Memory, span, "this module declares no memory");
            self.cx.report(
                report.hint("declare it, outside functions: `memory 1..1` (pages of 64 KiB at start, and at most)"),
            );
        }
    }

    /// The instruction that `CAP.name` means, noted as wanted.
    pub(super) fn instruction(&mut self, of: &'f Expr<'f>, name: Name<'f>) -> Option<(UseId, u8)> {
        let ExprKind::Name(cap) = of.kind else {
            self.cx.error(Code::WrongKind, of.span, "only capabilities have instructions");
            return None;
        };
        let at = match self.find(cap) {
            Found::Item(Entry::Use(at)) => at,
            Found::Nothing
                if cap == "i32x4"
                    || cap == "f64x2"
                    || cap == "i8x16"
                    || cap == "f32x4"
                    || cap == "i16x8"
                    || cap == "i64x2" =>
            {
                self.cx.error(Code::NotSupported, of.span, "vector operations are not supported yet");
                return None;
            }
            Found::Nothing => {
                let report = Report::new(Code::UnknownName, of.span, format!("there is no capability `{cap}`"));
                let report = match self.suggest(cap, core::iter::empty()) {
                    Some(near) => report.did_you_mean(near),
                    None => report.hint(format!("declare it: `use {cap}: cascade.{cap}@1`")),
                };
                self.cx.report(report);
                return None;
            }
            Found::Item(Entry::Unsupported(_)) => return None,
            Found::Item(entry) => {
                self.cx.error(Code::WrongKind, of.span, format!("`{cap}` is {}, not a capability", entry.describe()));
                return None;
            }
            Found::Local(id) => {
                if self.local(id).ty != Ty::Error {
                    let report = Report::new(Code::WrongKind, of.span, format!("`{cap}` is a local, not a capability"));
                    self.cx.report(report.hint("built-in functions are called by name: `len(s)`"));
                }
                return None;
            }
        };
        if self.func.is_none() {
            self.cx.error(Code::NotConstant, of.span, "a device instruction is not a constant");
            return None;
        }
        self.cx.wanted_instruction(UseId(at as u32), name)
    }

    fn send(&mut self, id: UseId, opcode: u8, args: &'f [Arg<'f>], span: Span) -> Typed {
        let Some(instruction) = self.cx.used(id, opcode) else { return self.skip_args(args, span) };
        let params: Vec<Ty> = instruction.params.iter().map(|field| Ty::Of(field.ty)).collect();
        let results: Vec<Ty> =
            instruction.results.iter().flat_map(|fields| fields.iter()).map(|field| Ty::Of(field.ty)).collect();
        let Some(args) = self.args(args, &params, span, |_| {
            let sig = signature_text(&instruction.params, instruction.results.as_deref());
            let message =
                format!("`{}` takes {}, not {}", instruction.name, counted(params.len(), "operand"), args.len());
            Report::new(Code::Count, span, message).hint(format!("it is declared as `{}{sig}`", instruction.name))
        }) else {
            return Typed::error(span);
        };
        Typed::new(result_type(&results), Kind::Send(id, opcode, args), span)
    }

    /// The types of what a call gives.
    pub(super) fn results(&self, typed: &Typed) -> Vec<Ty> {
        match &typed.kind {
            Kind::Call(id, _) => self.cx.funcs[id.index()].results.clone(),
            Kind::Send(id, opcode, _) => {
                let instruction = self.cx.used(*id, *opcode);
                let fields = instruction.and_then(|instruction| instruction.results);
                fields.iter().flat_map(|fields| fields.iter()).map(|field| Ty::Of(field.ty)).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl<'f> Context<'_, 'f, '_> {
    /// An instruction by name, noted as wanted.
    fn wanted_instruction(&mut self, id: UseId, name: Name<'f>) -> Option<(UseId, u8)> {
        let set = self.uses[id.index()].set.clone()?;
        let Some(instruction) = set.instruction_named(name.text) else {
            let report = match name.text {
                "run" | "send" => {
                    Report::new(Code::NotSupported, name.span, "device programs (`run`, `send`) are not supported yet")
                }
                _ => unknown_member(&set, name.text, name.span, "instruction"),
            };
            self.report(report);
            return None;
        };
        self.note_instruction(name.span, &set, instruction);
        self.check_wanted(id, name.text, name.span);
        self.uses[id.index()].instructions.insert(instruction.opcode);
        Some((id, instruction.opcode))
    }

    /// An instruction of a wanted capability.
    pub(super) fn used(&self, id: UseId, opcode: u8) -> Option<Instruction> {
        self.uses[id.index()].set.as_ref()?.instruction(opcode).cloned()
    }
}

fn result_type(results: &[Ty]) -> Ty {
    match results {
        [] => Ty::Nothing,
        [one] => *one,
        _ => Ty::Many,
    }
}
