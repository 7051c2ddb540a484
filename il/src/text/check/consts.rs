//! Constant expressions, computed by the compiler with the same meaning as at run time.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::ast::Expr;
use super::super::diag::{Code, Report, Span};
use super::body::Body;
use super::typed::{Kind, Ty, Typed, Value};
use super::{ConstSource, ConstState, Context};
use crate::instr::Instr;
use crate::op::Op;
use crate::types::Type;

impl<'f> Context<'_, 'f, '_> {
    /// A constant's value, computed when first asked for; `None` after an error.
    pub(super) fn const_value(&mut self, id: usize) -> Option<Value> {
        let info = &mut self.consts[id];
        let (name, ty, source, module) = (info.name, info.ty, info.source, info.module);
        match &info.state {
            ConstState::Done(value) => return value.clone(),
            ConstState::UnderWay => {
                self.error(Code::NotConstant, name.span, format!("`{}` is defined by itself", name.text));
                return None;
            }
            ConstState::Waiting => info.state = ConstState::UnderWay,
        }
        let outer = core::mem::replace(&mut self.module, module);
        let value = match source {
            ConstSource::Expr(expr) => Body::constant(self, expr, ty),
            ConstSource::After(base, by) => {
                let base = base.map_or(Some(Value::I32(0)), |base| self.const_value(base));
                base.and_then(
                    |base| if let Value::I32(base) = base { Some(Value::I32(base.wrapping_add(by))) } else { None },
                )
            }
        };
        self.module = outer;
        self.consts[id].state = ConstState::Done(value.clone());
        value
    }
}

impl<'b, 'c, 'f, 's> Body<'b, 'c, 'f, 's> {
    /// Checks and computes a constant expression; reports what is not constant.
    pub(super) fn constant(cx: &'b mut Context<'c, 'f, 's>, expr: &'f Expr<'f>, ty: Option<Ty>) -> Option<Value> {
        let mut body = Body::new(cx, None);
        let want = match ty {
            Some(Ty::Of(want)) => Some(want),
            _ => None,
        };
        let typed = body.infer(expr, want);
        let typed = match want {
            Some(want) => body.coerce(typed, want),
            None => body.settle(typed),
        };
        if typed.ty == Ty::Error || ty == Some(Ty::Error) {
            return None;
        }
        let value = evaluate(&typed);
        if let Err(fault) = &value {
            body.not_constant(fault, "constants are literals, other constants and operators over them");
        }
        value.ok()
    }

    /// The initial value of a global: a constant tree, which may make objects.
    pub(super) fn initial(cx: &'b mut Context<'c, 'f, 's>, expr: &'f Expr<'f>, ty: Option<Ty>) -> Option<Typed> {
        let mut body = Body::new(cx, None);
        let want = if let Some(Ty::Of(want)) = ty { Some(want) } else { None };
        let typed = body.infer(expr, want);
        let typed = match want {
            Some(want) => body.coerce(typed, want),
            None => body.settle(typed),
        };
        if typed.ty == Ty::Error || ty == Some(Ty::Error) {
            return None;
        }
        let tree = constant_tree(typed);
        if let Err(fault) = &tree {
            body.not_constant(
                fault,
                "a global starts as a literal, a constant, `null`, `&f`, or an array or struct of such",
            );
        }
        tree.ok()
    }

    fn not_constant(&mut self, fault: &Fault, hint: &str) {
        let (span, message, hint) = match fault {
            Fault::Effect(span) => (*span, "this is not a constant", hint),
            Fault::Trap(span) => (*span, "this constant expression would trap", "check the divisor and the range"),
        };
        self.cx.report(Report::new(Code::NotConstant, span, message).hint(hint));
    }
}

/// A typed expression with its constant parts computed; what is left makes objects.
fn constant_tree(typed: Typed) -> Result<Typed, Fault> {
    let Typed { ty, kind, span } = typed;
    let kind = match kind {
        Kind::Null(own) => Kind::Null(own),
        Kind::Wider(inner) => return constant_tree(*inner).map(|inner| Typed { ty, ..inner }),
        Kind::Node(instr @ Instr::FuncRef(..), args) => Kind::Node(instr, args),
        Kind::Node(instr @ (Instr::StructNew(_) | Instr::ArrayNew(_) | Instr::ArrayOf(..)), args) => {
            Kind::Node(instr, constant_trees(args)?)
        }
        Kind::Reordered(instr, args) => {
            // Without effects, the order is nothing to be seen.
            let mut args = args;
            args.sort_by_key(|(place, _)| *place);
            Kind::Node(instr, constant_trees(args.into_iter().map(|(_, arg)| arg).collect())?)
        }
        kind => Kind::Value(evaluate(&Typed::new(ty, kind, span))?),
    };
    Ok(Typed::new(ty, kind, span))
}

fn constant_trees(list: Vec<Typed>) -> Result<Vec<Typed>, Fault> {
    list.into_iter().map(constant_tree).collect()
}

/// Why an expression has no constant value.
enum Fault {
    Effect(Span),
    Trap(Span),
}

/// The value of a typed constant expression.
fn evaluate(typed: &Typed) -> Result<Value, Fault> {
    let effect = Err(Fault::Effect(typed.span));
    match &typed.kind {
        Kind::Value(value) => Ok(value.clone()),
        Kind::Wider(inner) => evaluate(inner),
        Kind::Cond(parts) => {
            let [condition, yes, no] = &**parts;
            let chosen = if evaluate(condition)? == Value::Bool(true) { yes } else { no };
            evaluate(chosen)
        }
        Kind::Select(parts) => {
            let [yes, no, condition] = &**parts;
            let (yes, no) = (evaluate(yes)?, evaluate(no)?);
            Ok(if evaluate(condition)? == Value::Bool(true) { yes } else { no })
        }
        Kind::Op(op, _, args) => {
            let mut values = [Value::Bool(false), Value::Bool(false)];
            if args.len() > values.len() {
                return effect;
            }
            for (value, arg) in values.iter_mut().zip(args) {
                *value = evaluate(arg)?;
            }
            let [a, b] = values;
            match operate(*op, a, b) {
                Some(Ok(value)) => Ok(value),
                Some(Err(Trap)) => Err(Fault::Trap(typed.span)),
                None => effect,
            }
        }
        _ => effect,
    }
}

/// Applies an operator to constants: `None` if it is not one for constants.
fn operate(op: Op, a: Value, b: Value) -> Computed {
    match (a, b) {
        (Value::I32(a), Value::I32(b)) => i32_binary(op, a, b),
        (Value::I64(low), Value::I64(high)) if op == Op::V128FromI64s => Some(Ok(Value::V128(low, high))),
        (Value::I64(a), Value::I64(b)) => i64_binary(op, a, b),
        (Value::F64(a), Value::F64(b)) => f64_binary(op, a, b),
        (Value::F32(a), Value::F32(b)) => f32_binary(op, a, b),
        (Value::Bool(a), Value::Bool(b)) => bool_binary(op, a, b),
        (Value::I32(a), _) => unary_i32(op, a),
        (Value::I64(a), _) => unary_i64(op, a),
        (Value::F64(a), _) => unary_f64(op, a),
        (Value::F32(a), _) => unary_f32(op, a),
        (Value::Str(a), Value::Str(b)) if op == Op::StrConcat => Some(Ok(Value::Str(Rc::from(String::from(&*a) + &b)))),
        _ => None,
    }
}

/// The operator would trap.
struct Trap;
type Computed = Option<Result<Value, Trap>>;

macro_rules! integer_binary {
    ($name:ident $int:ident $unsigned:ident $variant:ident {
        $add:ident $sub:ident $mul:ident $div:ident $rem:ident $div_u:ident $rem_u:ident $and:ident $or:ident $xor:ident
        $shl:ident $shr:ident $shr_u:ident $rotl:ident $rotr:ident $min:ident $max:ident
        $eq:ident $ne:ident $lt:ident $gt:ident $le:ident $ge:ident
    }) => {
        fn $name(op: Op, a: $int, b: $int) -> Computed {
            let shift = b as u32;
            let number = |value: $int| Some(Ok(Value::$variant(value)));
            let truth = |value: bool| Some(Ok(Value::Bool(value)));
            let unless_zero = |value: Option<$int>| Some(value.map(Value::$variant).ok_or(Trap));
            match op {
                Op::$add => number(a.wrapping_add(b)),
                Op::$sub => number(a.wrapping_sub(b)),
                Op::$mul => number(a.wrapping_mul(b)),
                Op::$div => unless_zero(a.checked_div(b)),
                Op::$rem => unless_zero(if b == 0 { None } else { Some(a.wrapping_rem(b)) }),
                Op::$div_u => unless_zero((a as $unsigned).checked_div(b as $unsigned).map(|value| value as $int)),
                Op::$rem_u => unless_zero((a as $unsigned).checked_rem(b as $unsigned).map(|value| value as $int)),
                Op::$and => number(a & b),
                Op::$or => number(a | b),
                Op::$xor => number(a ^ b),
                Op::$shl => number(a.wrapping_shl(shift)),
                Op::$shr => number(a.wrapping_shr(shift)),
                Op::$shr_u => number((a as $unsigned).wrapping_shr(shift) as $int),
                Op::$rotl => number(a.rotate_left(shift % $int::BITS)),
                Op::$rotr => number(a.rotate_right(shift % $int::BITS)),
                Op::$min => number(a.min(b)),
                Op::$max => number(a.max(b)),
                Op::$eq => truth(a == b),
                Op::$ne => truth(a != b),
                Op::$lt => truth(a < b),
                Op::$gt => truth(a > b),
                Op::$le => truth(a <= b),
                Op::$ge => truth(a >= b),
                _ => None,
            }
        }
    };
}

integer_binary!(i32_binary i32 u32 I32 {
    I32Add I32Sub I32Mul I32DivS I32RemS I32DivU I32RemU I32And I32Or I32Xor
    I32Shl I32ShrS I32ShrU I32Rotl I32Rotr I32Min I32Max I32Eq I32Ne I32LtS I32GtS I32LeS I32GeS
});
integer_binary!(i64_binary i64 u64 I64 {
    I64Add I64Sub I64Mul I64DivS I64RemS I64DivU I64RemU I64And I64Or I64Xor
    I64Shl I64ShrS I64ShrU I64Rotl I64Rotr I64Min I64Max I64Eq I64Ne I64LtS I64GtS I64LeS I64GeS
});

/// Arithmetic whose NaN, if any, is the canonical one.
fn float(value: f64) -> Computed {
    Some(Ok(Value::F64(if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { value })))
}

fn f64_binary(op: Op, a: f64, b: f64) -> Computed {
    let truth = |value: bool| Some(Ok(Value::Bool(value)));
    match op {
        Op::F64Add => float(a + b),
        Op::F64Sub => float(a - b),
        Op::F64Mul => float(a * b),
        Op::F64Div => float(a / b),
        Op::F64Eq => truth(a == b),
        Op::F64Ne => truth(a != b),
        Op::F64Lt => truth(a < b),
        Op::F64Gt => truth(a > b),
        Op::F64Le => truth(a <= b),
        Op::F64Ge => truth(a >= b),
        _ => None,
    }
}

fn narrow(value: f32) -> Computed {
    Some(Ok(Value::F32(if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value })))
}

fn f32_binary(op: Op, a: f32, b: f32) -> Computed {
    let truth = |value: bool| Some(Ok(Value::Bool(value)));
    match op {
        Op::F32Add => narrow(a + b),
        Op::F32Sub => narrow(a - b),
        Op::F32Mul => narrow(a * b),
        Op::F32Div => narrow(a / b),
        Op::F32Eq => truth(a == b),
        Op::F32Ne => truth(a != b),
        Op::F32Lt => truth(a < b),
        Op::F32Gt => truth(a > b),
        Op::F32Le => truth(a <= b),
        Op::F32Ge => truth(a >= b),
        _ => None,
    }
}

fn bool_binary(op: Op, a: bool, b: bool) -> Computed {
    let value = match op {
        Op::BoolNot => !a,
        Op::BoolEq => a == b,
        Op::BoolNe => a != b,
        Op::BoolAnd => a & b,
        Op::BoolOr => a | b,
        Op::BoolXor => a ^ b,
        Op::I32FromBool => return Some(Ok(Value::I32(i32::from(a)))),
        _ => return None,
    };
    Some(Ok(Value::Bool(value)))
}

fn unary_i32(op: Op, a: i32) -> Computed {
    let value = match op {
        Op::I32Neg => a.wrapping_neg(),
        Op::I32Not => !a,
        Op::I32Abs => a.wrapping_abs(),
        Op::I32Clz => a.leading_zeros() as i32,
        Op::I32Ctz => a.trailing_zeros() as i32,
        Op::I32Popcnt => a.count_ones() as i32,
        Op::I64FromI32S => return Some(Ok(Value::I64(i64::from(a)))),
        Op::I64FromI32U => return Some(Ok(Value::I64(i64::from(a as u32)))),
        Op::F64FromI32S => return Some(Ok(Value::F64(f64::from(a)))),
        Op::F64FromI32U => return Some(Ok(Value::F64(f64::from(a as u32)))),
        Op::F32FromI32S => return Some(Ok(Value::F32(a as f32))),
        Op::F32FromI32U => return Some(Ok(Value::F32(a as u32 as f32))),
        Op::F32Bits => return Some(Ok(Value::F32(f32::from_bits(a as u32)))),
        _ => return None,
    };
    Some(Ok(Value::I32(value)))
}

fn unary_i64(op: Op, a: i64) -> Computed {
    let value = match op {
        Op::I64Neg => a.wrapping_neg(),
        Op::I64Not => !a,
        Op::I64Abs => a.wrapping_abs(),
        Op::I64Clz => i64::from(a.leading_zeros()),
        Op::I64Ctz => i64::from(a.trailing_zeros()),
        Op::I64Popcnt => i64::from(a.count_ones()),
        Op::I32FromI64 => return Some(Ok(Value::I32(a as i32))),
        Op::F64FromI64S => return Some(Ok(Value::F64(a as f64))),
        Op::F64FromI64U => return Some(Ok(Value::F64(a as u64 as f64))),
        Op::F32FromI64S => return Some(Ok(Value::F32(a as f32))),
        Op::F32FromI64U => return Some(Ok(Value::F32(a as u64 as f32))),
        Op::F64Bits => return Some(Ok(Value::F64(f64::from_bits(a as u64)))),
        _ => return None,
    };
    Some(Ok(Value::I64(value)))
}

fn unary_f64(op: Op, a: f64) -> Computed {
    match op {
        // Sign operations keep a NaN's bits.
        Op::F64Neg => Some(Ok(Value::F64(-a))),
        Op::F64Abs => Some(Ok(Value::F64(f64::from_bits(a.to_bits() & !(1 << 63))))),
        Op::I64Bits => Some(Ok(Value::I64(a.to_bits() as i64))),
        Op::F32FromF64 => narrow(a as f32),
        Op::I32FromF64S => Some(truncated(a, -2147483649.0, 2147483648.0).map(|value| Value::I32(value as i32))),
        Op::I64FromF64S => Some(truncated(a, -9223372036854777856.0, 9223372036854775808.0).map(Value::I64)),
        _ => None,
    }
}

fn unary_f32(op: Op, a: f32) -> Computed {
    let wide = f64::from(a);
    match op {
        Op::F32Neg => Some(Ok(Value::F32(-a))),
        Op::F32Abs => Some(Ok(Value::F32(f32::from_bits(a.to_bits() & !(1 << 31))))),
        Op::I32Bits => Some(Ok(Value::I32(a.to_bits() as i32))),
        Op::F64FromF32 => float(wide),
        Op::I32FromF32S => Some(truncated(wide, -2147483649.0, 2147483648.0).map(|value| Value::I32(value as i32))),
        Op::I64FromF32S => Some(truncated(wide, -9223372036854777856.0, 9223372036854775808.0).map(Value::I64)),
        _ => None,
    }
}

/// Truncation towards zero of what lies strictly between the bounds.
fn truncated(value: f64, above: f64, below: f64) -> Result<i64, Trap> {
    if value > above && value < below { Ok(value as i64) } else { Err(Trap) }
}

/// A literal as a value of type `ty`, if it fits; else why not.
pub(super) fn literal(literal: super::typed::Literal, ty: Type) -> Result<Value, String> {
    let super::typed::Literal { value, hex, negative } = literal;
    let signed = |bits: u32| -> Option<i64> {
        let fills = hex && !negative && (bits == 64 || value >> bits == 0);
        if fills {
            return Some(if bits == 32 { i64::from(value as u32 as i32) } else { value as i64 });
        }
        let wide = if negative { -i128::from(value) } else { i128::from(value) };
        let top = 1i128 << (bits - 1);
        // -0x80000000 negates a literal that fills the width.
        let fits = (-top..top).contains(&wide) || (hex && value >> (bits - 1) >> 1 == 0);
        fits.then_some(wide as i64)
    };
    let sign = if negative { "-" } else { "" };
    let unfit = || format!("{sign}{value} does not fit `{ty}`");
    match ty {
        Type::I32 => signed(32).map(|value| Value::I32(value as i32)).ok_or_else(unfit),
        Type::I64 => signed(64).map(Value::I64).ok_or_else(unfit),
        Type::F32 => {
            let float = value as f32;
            let exact = value <= 1 << 24 || float as u64 == value;
            exact
                .then_some(Value::F32(if negative { -float } else { float }))
                .ok_or_else(|| format!("{sign}{value} is not exact in `f32`"))
        }
        Type::F64 => {
            let float = value as f64;
            let exact = value <= 1 << 53 || float as u64 == value;
            exact
                .then_some(Value::F64(if negative { -float } else { float }))
                .ok_or_else(|| format!("{sign}{value} is not exact in `f64`"))
        }
        other => Err(format!("a number is not `{other}`")),
    }
}
