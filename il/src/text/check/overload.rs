//! Which line of the table of operators a name or symbol means: chosen by operand types.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::diag::{Code, Report, Span, counted};
use super::body::Body;
use super::typed::{Kind, Ty, Typed};
use crate::op::{Form, Op, OpInfo};
use crate::types::Type;

/// All operators written like this.
pub(super) fn named(form: Form, text: &str) -> impl Iterator<Item = &'static OpInfo> + Clone {
    let calls = form == Form::Call;
    Op::TABLE.iter().filter(move |info| {
        info.text == text
            && (info.form == form
                || (calls && !matches!(info.form, Form::Infix | Form::Prefix | Form::Index | Form::IndexSet)))
    })
}

/// How badly an operand fits a parameter: 0 is exactly, `None` not at all.
fn misfit(arg: &Typed, param: Type) -> Option<u8> {
    match (arg.ty, param) {
        (Ty::Of(ty), param) if ty == param => Some(0),
        (Ty::Int, Type::I32) | (Ty::Float, Type::F64) => Some(0),
        (Ty::Int, Type::I64) | (Ty::Float, Type::F32) => Some(1),
        (Ty::Int, Type::F64) => Some(2),
        (Ty::Int, Type::F32) => Some(3),
        _ => None,
    }
}

fn misfits(args: &[Typed], info: &OpInfo) -> Option<u32> {
    if args.len() != info.params.len() {
        return None;
    }
    args.iter().zip(info.params).map(|(arg, param)| misfit(arg, *param).map(u32::from)).sum()
}

/// Whether an operator's operands and result are all of one type.
fn is_uniform(info: &OpInfo) -> bool {
    info.params.iter().all(|param| Some(*param) == info.result)
}

impl<'f> Body<'_, '_, 'f, '_> {
    /// An operator applied to operands. `hint` is the type that would be welcome.
    pub(super) fn operator(
        &mut self,
        form: Form,
        text: &'static str,
        args: Vec<Typed>,
        span: Span,
        hint: Option<Type>,
    ) -> Typed {
        if args.iter().any(|arg| arg.ty == Ty::Error) {
            return Typed::error(span);
        }
        let fitting: Vec<(u32, &'static OpInfo)> =
            named(form, text).filter_map(|info| misfits(&args, info).map(|misfit| (misfit, info))).collect();
        let Some((_, best)) = fitting.iter().min_by_key(|(misfit, _)| *misfit) else {
            return self.no_operator(form, text, &args, span);
        };
        let all_open = !args.is_empty() && args.iter().all(Typed::is_open);
        if all_open && fitting.len() > 1 && is_uniform(best) {
            let float = args.iter().any(|arg| arg.ty == Ty::Float);
            return Typed::new(if float { Ty::Float } else { Ty::Int }, Kind::Open { form, text, args }, span);
        }
        let welcome = fitting.iter().filter(|(_, info)| info.result == hint).min_by_key(|(misfit, _)| *misfit);
        let chosen = welcome.map_or(*best, |(_, info)| info);
        self.apply(chosen, args, span)
    }

    /// The operator, its open operands settled.
    fn apply(&mut self, info: &'static OpInfo, args: Vec<Typed>, span: Span) -> Typed {
        let args: Vec<Typed> = args.into_iter().zip(info.params).map(|(arg, param)| self.coerce(arg, *param)).collect();
        let ty = info.result.map_or(Ty::Nothing, Ty::Of);
        if args.iter().any(|arg: &Typed| arg.ty == Ty::Error) {
            return Typed::error(span);
        }
        Typed::new(ty, Kind::op(info.op, args), span)
    }

    /// Settles an operator over literals on operands of type `ty`.
    pub(super) fn close(&mut self, form: Form, text: &'static str, args: Vec<Typed>, ty: Type, span: Span) -> Typed {
        let chosen = named(form, text)
            .find(|info| info.params.len() == args.len() && info.result == Some(ty) && is_uniform(info));
        match chosen {
            Some(info) => self.apply(info, args, span),
            None => {
                self.cx.error(Code::NoOperator, span, format!("`{text}` is not defined for `{ty}`"));
                Typed::error(span)
            }
        }
    }

    fn no_operator(&mut self, form: Form, text: &str, args: &[Typed], span: Span) -> Typed {
        for arg in args {
            if matches!(arg.ty, Ty::Nothing | Ty::Many) {
                return self.no_single_value(arg);
            }
            if matches!(arg.ty, Ty::Of(ty) if ty.is_nullable()) && form == Form::Infix {
                let report = Report::new(Code::MayBeNull, arg.span, format!("{} may be null", self.cx.describe(arg)));
                self.cx.report(report.hint("unwrap it: `if let x = .. { .. }`, or `.. as T`, which traps"));
                return Typed::error(span);
            }
        }
        let shown: Vec<String> = args.iter().map(|arg| self.cx.describe(arg)).collect();
        let shown = shown.join(if form == Form::Infix { " and " } else { ", " });
        let candidates: Vec<&OpInfo> = named(form, text).collect();
        let fitting_count = candidates.iter().any(|info| info.params.len() == args.len());
        let report = match form {
            Form::Call | Form::Memory | Form::Lane(_) | Form::MemoryLane(_) if !fitting_count => {
                Report::new(Code::Count, span, format!("`{text}` does not take {}", counted(args.len(), "operand")))
            }
            Form::Call | Form::Memory | Form::Lane(_) | Form::MemoryLane(_) => {
                Report::new(Code::NoOperator, span, format!("`{text}` does not take ({})", shown))
            }
            Form::Index | Form::IndexSet => {
                Report::new(Code::NoOperator, span, format!("{shown}: cannot be indexed like this"))
            }
            Form::Infix | Form::Prefix => {
                Report::new(Code::NoOperator, span, format!("`{text}` is not defined for {shown}"))
            }
        };
        let hint = self.operator_hint(form, text, args, &candidates);
        self.cx.report(report.hint(hint));
        Typed::error(span)
    }

    fn operator_hint(&self, form: Form, text: &str, args: &[Typed], candidates: &[&OpInfo]) -> String {
        let types: Vec<Ty> = args.iter().map(|arg| arg.ty).collect();
        match (text, &types[..]) {
            ("+", types) if types.contains(&Ty::Of(Type::Str)) => {
                return "join strings with `concat(a, b)`; `str(n)` makes one of a number".into();
            }
            ("%", types) if types.contains(&Ty::Of(Type::F64)) || types.contains(&Ty::Of(Type::F32)) => {
                return "floats have no remainder".into();
            }
            ("!", [Ty::Of(Type::I32 | Type::I64)]) => return "flip bits with `~`, compare with `== 0`".into(),
            ("[]=", [Ty::Of(Type::Str), ..]) => {
                return "a `str` does not change; build another with `concat` and `slice`".into();
            }
            ("i32" | "i64" | "f32" | "f64" | "str", [Ty::Of(ty)]) if ty.name() == text => {
                return format!("it is `{text}` already: leave the conversion out");
            }
            (_, [Ty::Of(left), Ty::Of(right)]) if form == Form::Infix && left != right => {
                if let Some(convert) = conversion(*left, *right) {
                    return format!("both sides must have one type: convert with `{convert}(..)`");
                }
            }
            _ => {}
        }
        let list: Vec<String> = candidates
            .iter()
            .map(|info| {
                let params: Vec<&str> = info.params.iter().map(|param| param.name()).collect();
                format!("({})", params.join(", "))
            })
            .collect();
        format!("`{text}` takes {}", list.join(" or "))
    }
}

/// What converts the narrower of two types to the wider one, or any way there is.
fn conversion(a: Type, b: Type) -> Option<&'static str> {
    let (from, to) = match (a, b) {
        (Type::I32, Type::I64) | (Type::I64, Type::I32) => (Type::I32, Type::I64),
        (Type::F64, other) | (other, Type::F64) => (other, Type::F64),
        (from, to) => (from, to),
    };
    converter(from, to)
}

/// The operator that converts between two types: named after its result.
pub(super) fn converter(from: Type, to: Type) -> Option<&'static str> {
    let found =
        named(Form::Call, to.name()).find(|info| info.params == [from] && info.result == Some(to) && to != Type::Buf);
    found.map(|info| info.text)
}
