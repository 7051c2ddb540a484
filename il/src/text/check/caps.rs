//! Capabilities: as values, what is sent through them, programs that run behind them, and what the base does with
//! them.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::ast::{Arg, Expr, ExprKind, Name};
use super::super::diag::{Code, Report, Span, counted};
use super::body::{Body, Found};
use super::call::result_type;
use super::sets::unknown_member;
use super::typed::{Callee, Kind, Ty, Typed};
use super::{Context, Entry, FuncKind};
use crate::instr::Instr;
use crate::isa::{Instruction, InstructionSet};
use crate::types::{ProgramId, Type, UseId};

impl<'f> Body<'_, '_, 'f, '_> {
    /// A wanted capability as a value: of the type that is expected, else with all that its `use` lists.
    pub(super) fn use_value(&mut self, at: usize, hint: Option<Type>, span: Span) -> Typed {
        if self.func.is_none() {
            self.cx.error(Code::NotConstant, span, "a capability is not a constant");
            return Typed::error(span);
        }
        self.impure(span, "uses a capability");
        let info = &self.cx.uses[at];
        let Some(set) = info.set.clone() else { return Typed::error(span) };
        let wants = info.wants.clone();
        let allowed = |one: &&Instruction| wants.as_ref().is_none_or(|wants| wants.contains(&*one.name));
        let all: Vec<u8> = set.instructions.iter().filter(allowed).map(|one| one.opcode).collect();
        let isa = self.cx.shared_set(&set);
        let hinted = hint.and_then(|hint| hint.def()).and_then(|id| self.cx.types.cap(id));
        let hinted = hinted.filter(|def| def.isa == isa && def.instructions.iter().all(|opcode| all.contains(opcode)));
        let opcodes = hinted.map_or(all, |def| def.instructions.clone());
        let info = &mut self.cx.uses[at];
        info.shared = true;
        info.instructions.extend(&opcodes);
        match self.cx.cap_type(&set, opcodes, span) {
            Some(ty) => {
                let kind = Kind::Node(Instr::Cap(UseId(at as u32), ty), Vec::new());
                Typed::new(Ty::Of(Type::Ref(ty)), kind, span)
            }
            None => Typed::error(span),
        }
    }

    /// `CAP.name(args)`, for a wanted capability.
    pub(super) fn send(&mut self, at: usize, name: Name<'f>, args: &'f [Arg<'f>], span: Span) -> Typed {
        if self.func.is_none() {
            self.cx.error(Code::NotConstant, span, "a device instruction is not a constant");
            return self.skip_args(args, span);
        }
        self.impure(span, "sends to a capability");
        let id = UseId(at as u32);
        if matches!(name.text, "run" | "send") {
            return self.run(at, name.text == "run", args, span);
        }
        let Some(set) = self.cx.uses[at].set.clone() else { return self.skip_args(args, span) };
        let Some(instruction) = self.cx.member(&set, name) else { return self.skip_args(args, span) };
        self.cx.check_wanted(id, name.text, name.span);
        self.cx.uses[at].instructions.insert(instruction.opcode);
        let Some(args) = self.operands(&instruction, args, span) else { return Typed::error(span) };
        sent(Callee::Send(id, instruction.opcode), args, &instruction, span)
    }

    /// The same through a capability's value, which comes before the operands.
    pub(super) fn send_to(&mut self, of: Typed, name: Name<'f>, args: &'f [Arg<'f>], span: Span) -> Typed {
        let def =
            of.known().and_then(|ty| if let Type::Ref(id) = ty { Some((id, self.cx.types.cap(id)?)) } else { None });
        let Some((id, def)) = def else { return self.skip_args(args, span) };
        let (set, allowed) = (self.cx.shared[def.isa.index()].set.clone(), def.instructions.clone());
        self.impure(span, "sends to a capability");
        if matches!(name.text, "run" | "send") {
            let report =
                Report::new(Code::NotSupported, name.span, "programs run only on a capability that is named by `use`");
            self.cx.report(report.hint("pass what differs as a parameter of the program"));
            return self.skip_args(args, span);
        }
        let Some(instruction) = self.cx.member(&set, name) else { return self.skip_args(args, span) };
        if !allowed.contains(&instruction.opcode) {
            let message = format!("this capability does not have `{}`", name.text);
            let report = Report::new(Code::UnknownSet, name.span, message);
            let ty = self.cx.type_text(Type::Ref(id));
            self.cx.report(report.hint(format!("its type is `{ty}`")));
            return self.skip_args(args, span);
        }
        let Some(mut operands) = self.operands(&instruction, args, span) else { return Typed::error(span) };
        operands.insert(0, of);
        sent(Callee::SendTo(id, instruction.opcode), operands, &instruction, span)
    }

    /// An instruction of the program's own set.
    pub(super) fn send_own(&mut self, opcode: u8, args: &'f [Arg<'f>], span: Span) -> Typed {
        let Some(instruction) = self.own_set().and_then(|set| set.instruction(opcode)).cloned() else {
            return self.skip_args(args, span);
        };
        if let Some(FuncKind::Program(isa)) = self.info().map(|info| info.kind) {
            self.cx.shared[isa.index()].instructions.insert(opcode);
        }
        let Some(args) = self.operands(&instruction, args, span) else { return Typed::error(span) };
        sent(Callee::Own(opcode), args, &instruction, span)
    }

    fn operands(&mut self, instruction: &Instruction, args: &'f [Arg<'f>], span: Span) -> Option<Vec<Typed>> {
        let params: Vec<Ty> = instruction.params.iter().map(|field| Ty::Of(field.ty)).collect();
        self.args(args, &params, span, |body| {
            let sig = body.cx.signature_text(&instruction.params, instruction.results.as_deref());
            let message =
                format!("`{}` takes {}, not {}", instruction.name, counted(params.len(), "operand"), args.len());
            Report::new(Code::Count, span, message).hint(format!("it is declared as `{}{sig}`", instruction.name))
        })
    }

    /// `CAP.run(p, ..)` waits and gives the program's results; `CAP.send(p, ..)` does not wait.
    fn run(&mut self, at: usize, waits: bool, args: &'f [Arg<'f>], span: Span) -> Typed {
        let program = match args.first().map(|arg| &arg.value.kind) {
            Some(ExprKind::Name(name)) => match self.find(name) {
                Found::Item(Entry::Program(program)) => Some(program),
                _ => None,
            },
            _ => None,
        };
        let (Some(program), [first, rest @ ..]) = (program, args) else {
            let word = if waits { "run" } else { "send" };
            let place = args.first().map_or(span, |arg| arg.value.span);
            let report = Report::new(Code::WrongKind, place, format!("`{word}` takes a device program first"));
            self.cx.report(
                report.hint(format!("declare it: `program NAME on SET (..) {{ .. }}`, then `cap.{word}(NAME, ..)`")),
            );
            return Typed::error(span);
        };
        let info = &self.cx.programs[program];
        let (isa, func, name) = (info.isa, info.func, info.name);
        let Some(set) = self.cx.uses[at].set.clone() else { return Typed::error(span) };
        let own = self.cx.shared.get(isa.index()).map(|shared| shared.set.path());
        if own.as_ref().is_some_and(|own| *own != set.path()) {
            let message = format!("`{}` runs on `{}`, this is a `{}`", name.text, own.unwrap_or_default(), set.path());
            let report = Report::new(Code::Mismatch, first.value.span, message);
            self.cx.report(report.also(name.span, "declared here"));
            return self.skip_args(rest, span);
        }
        self.cx.uses[at].shared = true;
        let info = &self.cx.funcs[func.index()];
        let (params, results) = (info.params.clone(), info.results.clone());
        if !waits && !results.is_empty() {
            let message = format!("`{}` has results, which `send` does not wait for", name.text);
            let report = Report::new(Code::Misplaced, span, message).also(name.span, "declared here");
            self.cx.report(report.hint("write `run`"));
        }
        let Some(args) = self.args(rest, &params, span, |_| {
            let message = format!("`{}` takes {}, not {}", name.text, counted(params.len(), "argument"), rest.len());
            Report::new(Code::Count, span, message)
        }) else {
            return Typed::error(span);
        };
        let (id, program) = (UseId(at as u32), ProgramId(program as u32));
        let callee = if waits { Callee::Run(id, program) } else { Callee::RunSend(id, program) };
        let ty = if waits { result_type(&results) } else { Ty::Nothing };
        Typed::new(ty, Kind::Call { callee, tries: false, args }, span)
    }

    /// `try call`: a status instead of a trap, in front of the results.
    pub(super) fn try_call(&mut self, call: &'f Expr<'f>, span: Span) -> Typed {
        let typed = self.infer(call, None);
        if typed.ty == Ty::Error {
            return typed;
        }
        let waits = match &typed.kind {
            Kind::Call { callee: Callee::Run(..), .. } => true,
            Kind::Call { callee, .. } => self.instruction_of(*callee).is_some_and(|one| one.results.is_some()),
            _ => false,
        };
        let sends =
            matches!(&typed.kind, Kind::Call { callee, .. } if !matches!(callee, Callee::Func(_) | Callee::Ref(_)));
        if let (true, Kind::Call { callee, args, .. }) = (waits, typed.kind) {
            let ty = if typed.ty == Ty::Nothing { Ty::Of(Type::I32) } else { Ty::Many };
            return Typed::new(ty, Kind::Call { callee, tries: true, args }, typed.span);
        }
        let report = Report::new(Code::Misplaced, span, "`try` takes a device instruction that waits");
        self.cx.report(if sends {
            report.hint("this one is streamed: its failure shows at the next one that waits, or at `flush`")
        } else {
            report.hint("only device instructions can fail without ending the VM")
        });
        Typed::error(span)
    }

    /// The device instruction that an expression is, if it is one.
    pub(super) fn sent_instruction(&self, typed: &Typed) -> Option<Instruction> {
        match &typed.kind {
            Kind::Call { callee, .. } => self.instruction_of(*callee),
            _ => None,
        }
    }

    /// The device instruction that a call sends.
    fn instruction_of(&self, callee: Callee) -> Option<Instruction> {
        match callee {
            Callee::Send(id, opcode) => self.cx.uses[id.index()].set.as_ref()?.instruction(opcode).cloned(),
            Callee::SendTo(ty, opcode) => {
                let isa = self.cx.types.cap(ty)?.isa;
                self.cx.shared.get(isa.index())?.set.instruction(opcode).cloned()
            }
            Callee::Own(opcode) => self.own_set()?.instruction(opcode).cloned(),
            Callee::Func(_) | Callee::Ref(_) | Callee::Run(..) | Callee::RunSend(..) => None,
        }
    }

    /// The types of what a call gives.
    pub(super) fn results(&self, typed: &Typed) -> Vec<Ty> {
        let Kind::Call { callee, tries, .. } = &typed.kind else { return Vec::new() };
        let results: Vec<Ty> = match callee {
            Callee::Func(id) => self.cx.funcs[id.index()].results.clone(),
            Callee::Ref(ty) => {
                self.cx.types.func(*ty).map_or(Vec::new(), |sig| sig.results.iter().map(|ty| Ty::Of(*ty)).collect())
            }
            Callee::Run(_, program) => {
                let func = self.cx.programs[program.index()].func;
                self.cx.funcs[func.index()].results.clone()
            }
            Callee::RunSend(..) => Vec::new(),
            Callee::Send(..) | Callee::SendTo(..) | Callee::Own(_) => {
                let results = self.instruction_of(*callee).and_then(|one| one.results);
                results.iter().flat_map(|fields| fields.iter()).map(|field| Ty::Of(field.ty)).collect()
            }
        };
        let status = tries.then_some(Ty::Of(Type::I32));
        status.into_iter().chain(results).collect()
    }

    // What the base does

    /// An argument that is a capability; its type's index.
    fn capability(
        &mut self,
        what: &str,
        args: &'f [Arg<'f>],
        hint: Option<Type>,
        span: Span,
    ) -> Option<(Typed, crate::TypeId)> {
        let [Arg { name: None, value }] = args else {
            self.cx.error(Code::Count, span, format!("`{what}` takes one capability"));
            return None;
        };
        self.impure(span, "is a base instruction");
        let typed = self.infer(value, hint);
        match typed.ty {
            Ty::Error => None,
            Ty::Of(Type::Ref(id)) if self.cx.types.cap(id).is_some() => Some((typed, id)),
            _ => {
                let found = self.cx.describe(&typed);
                let report =
                    Report::new(Code::WrongKind, value.span, format!("`{what}` takes one capability, this is {found}"));
                self.cx.report(report.hint(format!("as in `{what}(display)`")));
                None
            }
        }
    }

    /// `attenuate(cap)`: one of its own, with the instructions of the type expected, or of the argument's.
    pub(super) fn attenuate(&mut self, args: &'f [Arg<'f>], span: Span, hint: Option<Type>) -> Typed {
        let hint = hint.filter(|hint| hint.def().is_some_and(|id| self.cx.types.cap(id).is_some()));
        let Some((typed, own)) = self.capability("attenuate", args, hint, span) else { return Typed::error(span) };
        let wanted = hint.and_then(|hint| hint.def()).unwrap_or(own);
        let typed = self.coerce(typed, Type::Ref(wanted));
        if typed.ty == Ty::Error {
            return typed;
        }
        let kind = Kind::Node(Instr::Attenuate(wanted), alloc::vec![typed]);
        Typed::new(Ty::Of(Type::Ref(wanted)), kind, span)
    }

    /// `revoke(cap)`
    pub(super) fn revoke(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        match self.capability("revoke", args, None, span) {
            Some((typed, _)) => Typed::new(Ty::Nothing, Kind::Node(Instr::Revoke, alloc::vec![typed]), span),
            None => Typed::error(span),
        }
    }

    /// `flush(cap)`
    pub(super) fn flush(&mut self, args: &'f [Arg<'f>], span: Span) -> Typed {
        if let [arg] = args
            && let ExprKind::Name(name) = arg.value.kind
            && let Found::Item(Entry::Use(at)) = self.find(name)
        {
            self.impure(span, "is a base instruction");
            return Typed::new(Ty::Nothing, Kind::Node(Instr::Flush(UseId(at as u32)), Vec::new()), span);
        }
        match self.capability("flush", args, None, span) {
            Some((typed, _)) => Typed::new(Ty::Nothing, Kind::Node(Instr::FlushCap, alloc::vec![typed]), span),
            None => Typed::error(span),
        }
    }

    /// `caller`: who sent the request under way.
    pub(super) fn caller(&mut self, span: Span) -> Typed {
        if self.info().is_none_or(|info| info.kind != FuncKind::Op) {
            let report = Report::new(Code::Misplaced, span, "`caller` exists only in an `op`");
            self.cx.report(report.hint("pass it on as an `i32` parameter"));
            return Typed::error(span);
        }
        Typed::new(Ty::Of(Type::I32), Kind::Node(Instr::Caller, Vec::new()), span)
    }
}

impl<'f> Context<'_, 'f, '_> {
    /// An instruction of a set by its name.
    fn member(&mut self, set: &Rc<InstructionSet>, name: Name<'f>) -> Option<Instruction> {
        let found = set.instruction_named(name.text).cloned();
        if let Some(instruction) = &found {
            self.note_instruction(name.span, set, instruction);
        } else {
            let report = unknown_member(set, name.text, name.span, "instruction");
            self.report(report);
        }
        found
    }

    /// An expression's type, for messages.
    pub(super) fn describe(&self, typed: &Typed) -> String {
        match (typed.ty, &typed.kind) {
            (Ty::Of(Type::BufRef), Kind::Get(_)) => "`buf`".into(),
            (Ty::Of(ty), _) => format!("`{}`", self.type_text(ty)),
            (Ty::Int, _) => "an integer literal".into(),
            (Ty::Float, _) => "a float literal".into(),
            (Ty::Null, _) => "`null`".into(),
            (Ty::Nothing, _) => "nothing".into(),
            (Ty::Many, _) => "several values".into(),
            (Ty::Error, _) => "an error".into(),
        }
    }
}

fn sent(callee: Callee, args: Vec<Typed>, instruction: &Instruction, span: Span) -> Typed {
    let results: Vec<Ty> =
        instruction.results.iter().flat_map(|fields| fields.iter()).map(|field| Ty::Of(field.ty)).collect();
    Typed::new(result_type(&results), Kind::Call { callee, tries: false, args }, span)
}
