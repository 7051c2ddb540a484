//! Calls: of functions, of what is built in, and of device instructions.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Arg, Expr, ExprKind, Name};
use super::super::diag::{Code, Report, Span, counted};
use super::super::prelude::Function;
use super::Entry;
use super::body::{Body, Found};
use super::memory::options;
use super::overload::named;
use super::typed::{Callee, Kind, Ty, Typed};
use super::vectors::is_shape;
use crate::instr::Instr;
use crate::op::{Form, Op};
use crate::types::{FuncId, Type};

impl<'f> Body<'_, '_, 'f, '_> {
    /// A call; its type says how many values it gives.
    pub(super) fn call(&mut self, callee: &'f Expr<'f>, args: &'f [Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        match &callee.kind {
            ExprKind::Name(name) => match self.find(name) {
                Found::Own(opcode) => self.send_own(opcode, args, span),
                Found::Item(Entry::Func(id)) => self.call_func(id, args, span),
                Found::Nothing => self.call_built_in(name, callee.span, args, span, hint),
                Found::Item(Entry::Unknown) => self.skip_args(args, span),
                Found::Local(_) | Found::Item(Entry::Global(_)) => {
                    let of = self.infer(callee, None);
                    self.call_ref(of, args, span)
                }
                Found::Item(entry) => {
                    self.not_callable(callee.span, format!("`{name}` is {}, not a function", entry.describe()), args)
                }
            },
            ExprKind::Field { of, name } => self.call_member(of, *name, callee.span, args, span),
            _ => {
                let of = self.infer(callee, None);
                self.call_ref(of, args, span)
            }
        }
    }

    /// `of.name(args)`: a device instruction, a vector operation, or a function in a field.
    fn call_member(&mut self, of: &'f Expr<'f>, name: Name<'f>, whole: Span, args: &'f [Arg<'f>], span: Span) -> Typed {
        if let ExprKind::Name(owner) = of.kind {
            match self.find(owner) {
                Found::Item(Entry::Use(at)) => return self.send(at, name, args, span),
                Found::Item(Entry::Unknown) => return self.skip_args(args, span),
                Found::Item(Entry::Global(_)) | Found::Local(_) => {}
                Found::Nothing if is_shape(owner) => return self.vector(owner, name, args, span),
                Found::Nothing => {
                    let report = Report::new(Code::UnknownName, of.span, format!("there is no capability `{owner}`"));
                    let report = match self.suggest(owner, core::iter::empty()) {
                        Some(near) => report.did_you_mean(near),
                        None => report.hint(format!("declare it: `use {owner}: cascade.{owner}@1`")),
                    };
                    self.cx.report(report);
                    return self.skip_args(args, span);
                }
                Found::Own(_) => return self.not_callable(of.span, format!("`{owner}` is an instruction"), args),
                Found::Item(entry) => {
                    let message = format!("`{owner}` is {}, not a capability", entry.describe());
                    return self.not_callable(of.span, message, args);
                }
            }
        }
        let of = self.infer(of, None);
        match of.ty {
            Ty::Error => self.skip_args(args, span),
            Ty::Of(Type::Ref(id)) if self.cx.types.cap(id).is_some() => self.send_to(of, name, args, span),
            Ty::Of(Type::Opt(id)) if self.cx.types.cap(id).is_some() => {
                let report = Report::new(Code::MayBeNull, of.span, format!("{} may be null", self.cx.describe(&of)));
                self.cx.report(report.hint("unwrap it: `if let cap = .. { .. }`"));
                self.skip_args(args, span)
            }
            Ty::Of(ty) if self.cx.types.is_struct(ty) => {
                let Some((id, number, field)) = self.field_of(&of, name) else { return self.skip_args(args, span) };
                let kind = Kind::Node(Instr::FieldGet(id, number), alloc::vec![of]);
                self.call_ref(Typed::new(Ty::Of(field.storage.value()), kind, whole), args, span)
            }
            Ty::Nothing | Ty::Many => self.no_single_value(&of),
            _ => {
                let found = self.cx.describe(&of);
                let report = Report::new(Code::WrongKind, of.span, format!("{found} has no instructions"));
                self.cx.report(report.hint("built-in functions are called by name: `len(s)`"));
                self.skip_args(args, span)
            }
        }
    }

    /// A call through a reference, which is evaluated before the arguments.
    fn call_ref(&mut self, of: Typed, args: &'f [Arg<'f>], span: Span) -> Typed {
        let func = of
            .known()
            .and_then(|ty| if let Type::Ref(id) = ty { Some((id, self.cx.types.func(id)?.clone())) } else { None });
        let Some((id, sig)) = func else {
            if of.ty == Ty::Error {
                return self.skip_args(args, span);
            }
            let found = self.cx.describe(&of);
            let report = Report::new(Code::WrongKind, of.span, format!("this is {found}, not a function"));
            self.cx.report(match of.ty {
                Ty::Of(Type::Opt(_)) => report.hint("unwrap it: `if let f = .. { .. }`"),
                _ => report,
            });
            return self.skip_args(args, span);
        };
        self.impure(span, "calls through a reference");
        let params: Vec<Ty> = sig.params.iter().map(|ty| Ty::Of(*ty)).collect();
        let results: Vec<Ty> = sig.results.iter().map(|ty| Ty::Of(*ty)).collect();
        let Some(mut operands) = self.args(args, &params, span, |body| {
            let message = format!("this function takes {}, not {}", counted(params.len(), "argument"), args.len());
            let ty = body.cx.type_text(Type::Ref(id));
            Report::new(Code::Count, span, message).hint(format!("its type is `{ty}`"))
        }) else {
            return Typed::error(span);
        };
        operands.insert(0, of);
        let kind = Kind::Call { callee: Callee::Ref(id), tries: false, args: operands };
        Typed::new(result_type(&results), kind, span)
    }

    fn not_callable(&mut self, span: Span, message: alloc::string::String, args: &'f [Arg<'f>]) -> Typed {
        self.cx.error(Code::WrongKind, span, message);
        self.skip_args(args, span)
    }

    /// Checks arguments for their own errors.
    pub(super) fn skip_args(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        self.with_borrows(|body| args.iter().for_each(|arg| drop(body.infer(&arg.value, None))));
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
        let (name, declared, pure) = (info.func.name, info.func.sig.span, info.func.pure);
        let (params, results) = (info.params.clone(), info.results.clone());
        if !pure {
            self.impure(span, "calls a function that is not `pure`");
        }
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
        let callee = Callee::Func(FuncId(id as u32));
        Typed::new(result_type(&results), Kind::Call { callee, tries: false, args }, span)
    }

    /// Arguments for parameters of known types; `None` if their number is wrong.
    pub(super) fn args(
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

    pub(super) fn no_names(&mut self, args: &'f [Arg<'f>]) {
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
        if let Some(info) = named(Form::Call, name).next() {
            return match info.form {
                Form::Lane(lanes) => self.lane_op(info.text, lanes, args, span),
                _ => self.call_operator(info.text, args, span, hint),
            };
        }
        if let Some(function) = Function::named(name) {
            return self.base_function(function, args, span, hint);
        }
        match name {
            "i8" | "i16" | "u8" | "u16" | "bool" => {
                let report = Report::new(Code::UnknownName, name_span, format!("there is no conversion `{name}(..)`"));
                self.cx.report(match name {
                    "bool" => report.hint("compare it: `.. != 0`"),
                    "u8" => report.hint("cut off what is above with `x & 255`"),
                    "u16" => report.hint("cut off what is above with `x & 65535`"),
                    "i8" => report.hint("write `x << 24 >> 24`"),
                    _ => report.hint("write `x << 16 >> 16`"),
                });
                self.skip_args(args, span)
            }
            _ => {
                self.unknown_function(name, name_span);
                self.skip_args(args, span)
            }
        }
    }

    fn base_function(&mut self, function: Function, args: &'f [Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        match function {
            Function::Wait => self.wait(Instr::Wait, function, args, span),
            Function::WaitForever => self.wait(Instr::WaitForever, function, args, span),
            Function::Flush => self.flush(args, span),
            Function::Attenuate => self.attenuate(args, span, hint),
            Function::Revoke => self.revoke(args, span),
            Function::Freeze => self.freeze(args, span, hint),
            Function::Take => self.take(args, span),
            Function::Select => self.select(args, span, hint),
            Function::Exit => self.exit(args, span),
            Function::MemoryInit => self.memory_init(args, span),
            Function::DataDrop => self.data_drop(args, span),
        }
    }

    fn wait(&mut self, instr: Instr<'static>, function: Function, args: &'f [Arg<'f>], span: Span) -> Typed {
        if !args.is_empty() {
            self.cx.error(Code::Count, span, format!("`{}` takes no arguments", function.name()));
        }
        self.impure(span, "is a base instruction");
        Typed::new(Ty::Nothing, Kind::Node(instr, Vec::new()), span)
    }

    fn unknown_function(&mut self, name: &str, span: Span) {
        let operators =
            Op::TABLE.iter().filter(|info| matches!(info.form, Form::Call | Form::Memory)).map(|info| info.text);
        let report = Report::new(Code::UnknownName, span, format!("there is no function `{name}`"));
        let report = match (self.suggest(name, operators.chain(Function::names())), name) {
            (_, "print" | "println" | "printf") => {
                report.hint("write to a console: `use console: cascade.console@1`, then `console.write(\"..\")`")
            }
            (Some(near), _) => report.did_you_mean(near),
            (None, _) => report.hint(format!("declare it: `func {name}(..) {{ .. }}`")),
        };
        self.cx.report(report);
    }

    /// A built-in function: a line of the table, by name and operand types.
    pub(super) fn call_operator(
        &mut self,
        text: &'static str,
        args: &'f [Arg<'f>],
        span: Span,
        hint: Option<Type>,
    ) -> Typed {
        let (args, options) = options(args);
        let lanes = named(Form::Call, text)
            .find_map(|info| if let Form::MemoryLane(lanes) = info.form { Some(lanes) } else { None });
        let mut typed = match lanes {
            Some(lanes) => self.lane_op(text, lanes, args, span),
            None => self.plain_operator(text, args, span, hint),
        };
        self.apply_options(&mut typed, text, options);
        if let Kind::Op(op, ..) = typed.kind {
            self.check_memory(op, span);
        }
        typed
    }

    fn plain_operator(&mut self, text: &'static str, args: &'f [Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        self.no_names(args);
        self.with_borrows(|body| {
            let args: Vec<Typed> = args.iter().map(|arg| body.operand(&arg.value, None)).collect();
            if let ("len", [of]) = (text, &args[..]) {
                if body.array_of(of).is_some() {
                    return Typed::new(Ty::Of(Type::I32), Kind::Node(Instr::ArrayLen, args), span);
                }
                if !body.check_indexable(of) {
                    return Typed::error(span);
                }
            }
            body.operator(Form::Call, text, args, span, hint)
        })
    }

    /// `select(a, b, condition)`
    fn select(&mut self, args: &'f [Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        self.no_names(args);
        let [yes, no, condition] = args else {
            let message = format!("`select` takes 3 arguments, not {}", args.len());
            let report = Report::new(Code::Count, span, message);
            self.cx.report(report.hint("as in `select(a, b, condition)`: `a` if the condition is true, else `b`"));
            return self.skip_args(args, span);
        };
        let (yes, no, condition) = self.with_borrows(|body| {
            let yes = body.infer(&yes.value, hint);
            let no = body.infer(&no.value, if hint.is_none() { yes.known() } else { hint });
            (yes, no, body.truth(&condition.value))
        });
        for value in [&yes, &no] {
            if let Ty::Of(Type::Buf | Type::OptBuf | Type::BufRef) = value.ty {
                let found = self.cx.describe(value);
                let report = Report::new(Code::WrongKind, value.span, format!("`select` takes no {found}"));
                self.cx.report(report.hint("it evaluates both values and drops one: choose with `if` instead"));
                return Typed::error(span);
            }
        }
        match self.unify(yes, no, hint, span) {
            Some((yes, no, ty)) if condition.ty != Ty::Error => {
                Typed::new(ty, Kind::Select(alloc::boxed::Box::new([yes, no, condition])), span)
            }
            _ => Typed::error(span),
        }
    }

    /// `exit(code)`
    fn exit(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        self.impure(span, "ends the VM");
        let Some(code) = self.args(args, &[Ty::Of(Type::I32)], span, |_| {
            let message = format!("`exit` takes {}, not {}", counted(1, "argument"), args.len());
            Report::new(Code::Count, span, message).hint("as in `exit(0)`: the exit code")
        }) else {
            return Typed::error(span);
        };
        Typed::new(Ty::Nothing, Kind::Node(Instr::Exit, code), span)
    }
}

pub(super) fn result_type(results: &[Ty]) -> Ty {
    match results {
        [] => Ty::Nothing,
        [one] => *one,
        _ => Ty::Many,
    }
}
