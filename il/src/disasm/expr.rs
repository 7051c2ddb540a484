//! Expressions as text, with the fewest parentheses that keep their meaning.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::names::Names;
use super::tree::Expr;
use crate::op::{Form, Op, OpInfo};
use crate::{Func, Module, StrId, Type};

/// How tightly an expression's outermost operator binds; more is tighter.
type Binding = u8;

/// Names, literals, calls: never in parentheses.
const ATOM: Binding = 12;
const UNARY: Binding = 10;
const COMPARISON: Binding = 3;
const AND: Binding = 2;
const OR: Binding = 1;
/// `if`, which is put in parentheses as an operand of anything.
const IF: Binding = 0;

/// Writes one function's expressions.
pub(super) struct Exprs<'a> {
    pub module: &'a Module,
    pub func: &'a Func,
    pub names: &'a mut Names,
}

/// The type that text would give an expression by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Made of integer literals: takes the type expected of it, else `i32`.
    Open,
    Of(Type),
    Unknown,
}

impl Exprs<'_> {
    /// The text of `expr` where a value of type `expected` is wanted, if the place says so.
    pub fn text(&mut self, expr: &Expr, expected: Option<Type>) -> String {
        self.write(expr, expected.is_some()).0
    }

    /// Whether only the place can tell this expression's type.
    pub fn is_open(&self, expr: &Expr) -> bool {
        self.class(expr) == Class::Open
    }

    /// Whether the expression's text starts with `if`.
    pub fn is_if(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Cond(parts) => !matches!(&**parts, [_, _, Expr::Bool(false)] | [_, Expr::Bool(true), _]),
            _ => false,
        }
    }

    /// The text of a condition, before a block.
    pub fn condition(&mut self, expr: &Expr) -> String {
        self.operand(expr, true, OR)
    }

    /// The type of an expression's value.
    pub fn ty(&self, expr: &Expr) -> Option<Type> {
        let module = self.module;
        match expr {
            Expr::I32(_) => Some(Type::I32),
            Expr::I64(_) => Some(Type::I64),
            Expr::F64(_) => Some(Type::F64),
            Expr::Bool(_) => Some(Type::Bool),
            Expr::Str(_) => Some(Type::Str),
            Expr::Local(id) => self.func.local_type(id.index()),
            Expr::Global(id) => module.global_type(*id),
            Expr::Call(id, _) => module.funcs.get(id.index())?.sig.results.first().copied(),
            Expr::Send(target, opcode, _) => {
                let wanted = module.uses.get(target.index())?;
                let instruction = module.isas.get(wanted.isa.index())?.instruction(*opcode)?;
                instruction.results.as_ref()?.first().map(|result| result.ty)
            }
            Expr::Op(op, ..) => op.info().result,
            Expr::Cond(parts) => self.ty(&parts[1]),
        }
    }

    /// Arguments of functions and instructions, whose parameters tell types.
    pub fn args(&mut self, args: &[Expr]) -> String {
        let texts: Vec<String> = args.iter().map(|arg| self.write(arg, true).0).collect();
        texts.join(", ")
    }

    /// An operator's text; also of one that stands as a statement.
    pub fn operator(&mut self, op: Op, offset: u32, args: &[Expr]) -> String {
        self.op(op, offset, args, true).0
    }

    fn class(&self, expr: &Expr) -> Class {
        match expr {
            Expr::I32(_) | Expr::I64(_) => Class::Open,
            Expr::Op(op, _, args) if is_uniform(op.info()) && integer(op.info()) => {
                match args.iter().all(|arg| self.is_open(arg)) {
                    true => Class::Open,
                    false => op.info().result.map_or(Class::Unknown, Class::Of),
                }
            }
            Expr::Cond(parts) if self.is_open(&parts[1]) && self.is_open(&parts[2]) => Class::Open,
            other => self.ty(other).map_or(Class::Unknown, Class::Of),
        }
    }

    fn write(&mut self, expr: &Expr, typed: bool) -> (String, Binding) {
        match expr {
            Expr::I32(value) => (value.to_string(), ATOM),
            Expr::I64(value) if typed => (value.to_string(), ATOM),
            Expr::I64(value) => (self.names.constant(Type::I64, &value.to_string()), ATOM),
            Expr::F64(bits) => (self.float(*bits), ATOM),
            Expr::Bool(value) => (value.to_string(), ATOM),
            Expr::Str(id) => (self.literal(*id), ATOM),
            Expr::Local(id) => (self.names.local(*id), ATOM),
            Expr::Global(id) => (self.names.global(*id), ATOM),
            Expr::Call(id, args) => (format!("{}({})", self.names.func(*id), self.args(args)), ATOM),
            Expr::Send(target, opcode, args) => {
                let name = self.names.instruction(self.module, *target, *opcode);
                (format!("{name}({})", self.args(args)), ATOM)
            }
            Expr::Op(op, offset, args) => self.op(*op, *offset, args, typed),
            Expr::Cond(parts) => self.cond(parts, typed),
        }
    }

    /// The text of an operand that must bind at least as tightly as `least`.
    fn operand(&mut self, expr: &Expr, typed: bool, least: Binding) -> String {
        let (text, binding) = self.write(expr, typed);
        if binding < least { format!("({text})") } else { text }
    }

    fn cond(&mut self, parts: &[Expr; 3], typed: bool) -> (String, Binding) {
        let [test, yes, no] = parts;
        match (yes, no) {
            (_, Expr::Bool(false)) => {
                (format!("{} && {}", self.operand(test, true, AND), self.operand(yes, true, AND + 1)), AND)
            }
            (Expr::Bool(true), _) => {
                (format!("{} || {}", self.operand(test, true, OR), self.operand(no, true, OR + 1)), OR)
            }
            _ => {
                let typed = typed || !self.is_open(yes) || !self.is_open(no);
                let (test, yes, no) = (self.condition(test), self.write(yes, typed).0, self.write(no, typed).0);
                (format!("if {test} {{ {yes} }} else {{ {no} }}"), IF)
            }
        }
    }

    fn op(&mut self, op: Op, offset: u32, args: &[Expr], typed: bool) -> (String, Binding) {
        let info = op.info();
        let typed = self.types_given(info, args, typed);
        let given = |at: usize| typed.get(at).copied().unwrap_or(true);
        match (info.form, args) {
            (Form::Infix, [left, right]) => {
                let binding = infix_binding(info.text);
                // Comparisons do not chain, everything else groups to the left.
                let left_least = if binding == COMPARISON { binding + 1 } else { binding };
                let left = self.operand(left, given(0), left_least);
                (format!("{left} {} {}", info.text, self.operand(right, given(1), binding + 1)), binding)
            }
            (Form::Prefix, [value]) => {
                // A sign before a number would be read as part of it.
                let number = matches!(value, Expr::I32(_) | Expr::I64(_) | Expr::F64(_));
                let least = if number && info.text == "-" { ATOM + 1 } else { UNARY };
                (format!("{}{}", info.text, self.operand(value, given(0), least)), UNARY)
            }
            (Form::Index, [of, index]) => {
                (format!("{}[{}]", self.operand(of, true, ATOM), self.write(index, true).0), ATOM)
            }
            (Form::IndexSet, [of, index, value]) => {
                let of = self.operand(of, true, ATOM);
                (format!("{of}[{}] = {}", self.write(index, true).0, self.write(value, true).0), IF)
            }
            _ => {
                let mut texts: Vec<String> = Vec::new();
                for (at, arg) in args.iter().enumerate() {
                    texts.push(self.write(arg, given(at)).0);
                }
                if offset != 0 {
                    texts.push(format!("offset: {offset}"));
                }
                (format!("{}({})", info.text, texts.join(", ")), ATOM)
            }
        }
    }

    /// For each operand, whether text would know its type: an open one takes the type of what it is
    /// combined with. Where overloading would pick another operator, one operand has to be a named
    /// constant.
    fn types_given(&self, info: &'static OpInfo, args: &[Expr], typed: bool) -> Vec<bool> {
        let mut classes: Vec<Class> = args.iter().map(|arg| self.class(arg)).collect();
        if is_uniform(info) && integer(info) && classes.iter().all(|class| *class == Class::Open) {
            let mut given = alloc::vec![true; args.len()];
            if let (Some(first), Some(Type::I64)) = (given.first_mut(), info.result) {
                *first = typed;
            }
            return given;
        }
        let mut given = alloc::vec![true; args.len()];
        while chosen(info, &classes) != Some(info.op) {
            let open =
                classes.iter().zip(info.params).position(|(class, param)| *class == Class::Open && *param == Type::I64);
            let Some(at) = open else { break };
            classes[at] = Class::Of(Type::I64);
            given[at] = false;
        }
        given
    }

    fn float(&mut self, bits: u64) -> String {
        let value = f64::from_bits(bits);
        if value.is_finite() {
            return float_text(value);
        }
        let source = match bits {
            0x7ff0_0000_0000_0000 => String::from("1.0 / 0.0"),
            0xfff0_0000_0000_0000 => String::from("-1.0 / 0.0"),
            _ => format!("f64_bits({bits:#x})"),
        };
        self.names.constant(Type::F64, &source)
    }

    fn literal(&self, id: StrId) -> String {
        self.module.strings.get(id.index()).map_or_else(|| format!("/* literal {} */", id.0), |text| quoted(text))
    }
}

/// A finite float, with digits on both sides of its dot.
pub(super) fn float_text(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}

/// A string literal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '\'' => out.push(char),
            _ => out.extend(char.escape_debug()),
        }
    }
    out.push('"');
    out
}

fn infix_binding(text: &str) -> Binding {
    match text {
        "*" | "/" | "%" => 9,
        "+" | "-" => 8,
        "<<" | ">>" => 7,
        "&" => 6,
        "^" => 5,
        "|" => 4,
        _ => COMPARISON,
    }
}

/// Whether operands and result are all of one type.
fn is_uniform(info: &OpInfo) -> bool {
    !info.params.is_empty() && info.params.iter().all(|param| Some(*param) == info.result)
}

fn integer(info: &OpInfo) -> bool {
    matches!(info.result, Some(Type::I32 | Type::I64))
}

/// The operator that text means by these operands: the one that fits them best.
fn chosen(info: &OpInfo, classes: &[Class]) -> Option<Op> {
    let form = |form: Form| if form == Form::Memory { Form::Call } else { form };
    let written_alike = |other: &&OpInfo| other.text == info.text && form(other.form) == form(info.form);
    let fits = |other: &'static OpInfo| misfit(other, classes).map(|misfit| (misfit, other.op));
    let fitting = Op::TABLE.iter().filter(written_alike).filter_map(fits);
    fitting.min_by_key(|(misfit, _)| *misfit).map(|(_, op)| op)
}

fn misfit(info: &OpInfo, classes: &[Class]) -> Option<u32> {
    if info.params.len() != classes.len() {
        return None;
    }
    let one = |(class, param): (&Class, &Type)| match (class, param) {
        (Class::Of(Type::Buf), Type::BufRef) => Some(0),
        (Class::Of(ty), param) => (ty == param).then_some(0),
        (Class::Open, Type::I32) => Some(0),
        (Class::Open, Type::I64) => Some(1),
        (Class::Open, Type::F64) => Some(2),
        (Class::Open | Class::Unknown, _) => None,
    };
    classes.iter().zip(info.params).map(one).sum()
}
