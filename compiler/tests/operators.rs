//! Every operator on numbers, against Rust's own arithmetic, on edge values, under every option.

mod support;

use il::Type;
use il::instr::Instr;
use il::op::{Immediate, Op};
use il::trap::TrapKind::{self, BadConversion, DivisionByZero, IntegerOverflow};
use support::build::{Build, get, op};
use support::{Vm, all_options};

const NAN: u64 = 0x7ff8_0000_0000_0000;
const NAN_32: u64 = 0x7fc0_0000;

fn i32s() -> Vec<u64> {
    [0, 1, -1, 2, -2, 7, -7, 31, 32, 33, 64, 100, i32::MAX, i32::MIN, i32::MIN + 1, 0x1234_5678]
        .map(|value: i32| u64::from(value as u32))
        .to_vec()
}

fn i64s() -> Vec<u64> {
    [0, 1, -1, 2, -3, 63, 64, 65, 1 << 31, 1 << 32, (1 << 53) + 1, i64::MAX, i64::MIN, i64::MIN + 1, -(1 << 40)]
        .map(|value: i64| value as u64)
        .to_vec()
}

fn f64s() -> Vec<u64> {
    let mut bits: Vec<u64> = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.0,
        -1.0,
        1.5,
        -1.5,
        2.5,
        -2.5,
        0.49999999999999994,
        3.7,
        -3.7,
        1e10,
        -1e10,
        1e300,
        -1e300,
        2147483647.0,
        2147483647.9,
        2147483648.0,
        -2147483648.0,
        -2147483648.9,
        -2147483649.0,
        4294967295.9,
        4294967296.0,
        9223372036854775807.0,
        9223372036854774784.0,
        -9223372036854775808.0,
        -9223372036854777856.0,
        18446744073709551615.0,
        18446744073709549568.0,
        4503599627370495.5,
        -4503599627370495.5,
        4503599627370497.0,
        9007199254740993.0,
        f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        -0.9999,
        0.9999,
    ]
    .map(f64::to_bits)
    .to_vec();
    // Quiet, negative, with a payload, signalling.
    bits.extend([NAN, 0xfff8_0000_0000_0000, 0x7ff8_0000_0000_1234, 0x7ff0_0000_0000_0001]);
    bits
}

fn f32s() -> Vec<u64> {
    let mut bits: Vec<u64> = [
        0.0f32,
        -0.0,
        0.5,
        -0.5,
        1.5,
        -2.5,
        0.499_999_97,
        3.7,
        -3.7,
        1e10,
        -1e30,
        2147483520.0,
        2147483648.0,
        -2147483648.0,
        -2147483904.0,
        4294967040.0,
        4294967296.0,
        9223371487098961920.0,
        9223372036854775808.0,
        -9223373136366403584.0,
        18446742974197923840.0,
        18446744073709551615.0,
        8388607.5,
        -8388607.5,
        16777217.0,
        f32::MIN_POSITIVE,
        1e-45,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.9999,
    ]
    .map(|value| u64::from(value.to_bits()))
    .to_vec();
    bits.extend([NAN_32, 0xffc0_0000, 0x7fc0_1234, 0x7f80_0001]);
    bits
}

fn values(ty: Type) -> Vec<u64> {
    match ty {
        Type::I32 => i32s(),
        Type::I64 => i64s(),
        Type::F64 => f64s(),
        Type::F32 => f32s(),
        Type::Bool => vec![0, 1],
        _ => unreachable!("operators on scalars only"),
    }
}

/// The canonical form of an arithmetic result.
fn float(value: f64) -> u64 {
    if value.is_nan() { NAN } else { value.to_bits() }
}

fn single(value: f32) -> u64 {
    if value.is_nan() { NAN_32 } else { u64::from(value.to_bits()) }
}

fn minimum_single(a: f32, b: f32, less: bool) -> u64 {
    if a.is_nan() || b.is_nan() {
        return NAN_32;
    }
    if a == b {
        return u64::from(if less { a.to_bits() | b.to_bits() } else { a.to_bits() & b.to_bits() });
    }
    u64::from(if (a < b) == less { a.to_bits() } else { b.to_bits() })
}

fn truncated(value: f64, min: f64, max: f64) -> Result<f64, TrapKind> {
    let whole = value.trunc();
    if value.is_nan() || whole < min || whole > max { Err(BadConversion) } else { Ok(whole) }
}

fn minimum(a: f64, b: f64, less: bool) -> u64 {
    if a.is_nan() || b.is_nan() {
        return NAN;
    }
    if a == b {
        let either = if less { a.to_bits() | b.to_bits() } else { a.to_bits() & b.to_bits() };
        return either;
    }
    if (a < b) == less { a.to_bits() } else { b.to_bits() }
}

/// What the operator yields, by the specification; `None` if it is not one on numbers.
fn reference(op: Op, args: &[u64]) -> Option<Result<u64, TrapKind>> {
    let (a, b) = (args.first().copied().unwrap_or(0), args.get(1).copied().unwrap_or(0));
    let (ai, bi, au, bu) = (a as i32, b as i32, a as u32, b as u32);
    let (al, bl) = (a as i64, b as i64);
    let (af, bf) = (f64::from_bits(a), f64::from_bits(b));
    let (ag, bg) = (f32::from_bits(au), f32::from_bits(bu));
    let wide = f64::from(ag);
    let word = |value: i32| u64::from(value as u32);
    let small = |value: u32| u64::from(value);
    let long = |value: i64| value as u64;
    let flag = u64::from;
    let div = |zero: bool, overflow: bool, value: &dyn Fn() -> u64| {
        if zero {
            Err(DivisionByZero)
        } else if overflow {
            Err(IntegerOverflow)
        } else {
            Ok(value())
        }
    };
    Some(Ok(match op {
        Op::I32Add => word(ai.wrapping_add(bi)),
        Op::I32Sub => word(ai.wrapping_sub(bi)),
        Op::I32Mul => word(ai.wrapping_mul(bi)),
        Op::I32DivS => return Some(div(bi == 0, ai == i32::MIN && bi == -1, &|| word(ai.wrapping_div(bi)))),
        Op::I32RemS => return Some(div(bi == 0, false, &|| word(ai.wrapping_rem(bi)))),
        Op::I32DivU => return Some(div(bu == 0, false, &|| small(au / bu))),
        Op::I32RemU => return Some(div(bu == 0, false, &|| small(au % bu))),
        Op::I32And => small(au & bu),
        Op::I32Or => small(au | bu),
        Op::I32Xor => small(au ^ bu),
        Op::I32Shl => small(au.wrapping_shl(bu)),
        Op::I32ShrS => word(ai.wrapping_shr(bu)),
        Op::I32ShrU => small(au.wrapping_shr(bu)),
        Op::I32Rotl => small(au.rotate_left(bu % 32)),
        Op::I32Rotr => small(au.rotate_right(bu % 32)),
        Op::I32Min => word(ai.min(bi)),
        Op::I32Max => word(ai.max(bi)),
        Op::I32Eq => flag(ai == bi),
        Op::I32Ne => flag(ai != bi),
        Op::I32LtS => flag(ai < bi),
        Op::I32GtS => flag(ai > bi),
        Op::I32LeS => flag(ai <= bi),
        Op::I32GeS => flag(ai >= bi),
        Op::I32LtU => flag(au < bu),
        Op::I32GtU => flag(au > bu),
        Op::I32LeU => flag(au <= bu),
        Op::I32GeU => flag(au >= bu),
        Op::I32Neg => word(ai.wrapping_neg()),
        Op::I32Not => word(!ai),
        Op::I32Clz => small(au.leading_zeros()),
        Op::I32Ctz => small(au.trailing_zeros()),
        Op::I32Popcnt => small(au.count_ones()),
        Op::I32Abs => word(ai.wrapping_abs()),
        Op::I64Add => long(al.wrapping_add(bl)),
        Op::I64Sub => long(al.wrapping_sub(bl)),
        Op::I64Mul => long(al.wrapping_mul(bl)),
        Op::I64DivS => return Some(div(bl == 0, al == i64::MIN && bl == -1, &|| long(al.wrapping_div(bl)))),
        Op::I64RemS => return Some(div(bl == 0, false, &|| long(al.wrapping_rem(bl)))),
        Op::I64DivU => return Some(div(b == 0, false, &|| a / b)),
        Op::I64RemU => return Some(div(b == 0, false, &|| a % b)),
        Op::I64And => a & b,
        Op::I64Or => a | b,
        Op::I64Xor => a ^ b,
        Op::I64Shl => a.wrapping_shl(b as u32),
        Op::I64ShrS => long(al.wrapping_shr(b as u32)),
        Op::I64ShrU => a.wrapping_shr(b as u32),
        Op::I64Rotl => a.rotate_left((b % 64) as u32),
        Op::I64Rotr => a.rotate_right((b % 64) as u32),
        Op::I64Min => long(al.min(bl)),
        Op::I64Max => long(al.max(bl)),
        Op::I64Eq => flag(a == b),
        Op::I64Ne => flag(a != b),
        Op::I64LtS => flag(al < bl),
        Op::I64GtS => flag(al > bl),
        Op::I64LeS => flag(al <= bl),
        Op::I64GeS => flag(al >= bl),
        Op::I64LtU => flag(a < b),
        Op::I64GtU => flag(a > b),
        Op::I64LeU => flag(a <= b),
        Op::I64GeU => flag(a >= b),
        Op::I64Neg => long(al.wrapping_neg()),
        Op::I64Not => !a,
        Op::I64Clz => u64::from(a.leading_zeros()),
        Op::I64Ctz => u64::from(a.trailing_zeros()),
        Op::I64Popcnt => u64::from(a.count_ones()),
        Op::I64Abs => long(al.wrapping_abs()),
        Op::F64Add => float(af + bf),
        Op::F64Sub => float(af - bf),
        Op::F64Mul => float(af * bf),
        Op::F64Div => float(af / bf),
        Op::F64Min => minimum(af, bf, true),
        Op::F64Max => minimum(af, bf, false),
        Op::F64Copysign => a & !(1 << 63) | b & 1 << 63,
        Op::F64Eq => flag(af == bf),
        Op::F64Ne => flag(af != bf),
        Op::F64Lt => flag(af < bf),
        Op::F64Gt => flag(af > bf),
        Op::F64Le => flag(af <= bf),
        Op::F64Ge => flag(af >= bf),
        Op::F64Neg => a ^ 1 << 63,
        Op::F64Abs => a & !(1 << 63),
        Op::F64Sqrt => float(af.sqrt()),
        Op::F64Ceil => float(af.ceil()),
        Op::F64Floor => float(af.floor()),
        Op::F64Trunc => float(af.trunc()),
        Op::F64Nearest => float(af.round_ties_even()),
        Op::BoolNot => a ^ 1,
        Op::BoolEq => flag(a == b),
        Op::BoolNe => flag(a != b),
        Op::BoolAnd => a & b,
        Op::BoolOr => a | b,
        Op::BoolXor => a ^ b,
        Op::I32FromI64 => small(au),
        Op::I32FromBool => a,
        Op::I64FromI32S => long(i64::from(ai)),
        Op::I64FromI32U => u64::from(au),
        Op::F64FromI32S => f64::from(ai).to_bits(),
        Op::F64FromI32U => f64::from(au).to_bits(),
        Op::F64FromI64S => (al as f64).to_bits(),
        Op::F64FromI64U => (a as f64).to_bits(),
        Op::I32FromF64S => return Some(truncated(af, -2147483648.0, 2147483647.0).map(|x| word(x as i32))),
        Op::I32FromF64U => return Some(truncated(af, 0.0, 4294967295.0).map(|x| small(x as u32))),
        Op::I32SatF64S => word(af as i32),
        Op::I32SatF64U => small(af as u32),
        Op::I64FromF64S => {
            return Some(truncated(af, -9223372036854775808.0, 9223372036854774784.0).map(|x| long(x as i64)));
        }
        Op::I64FromF64U => return Some(truncated(af, 0.0, 18446744073709549568.0).map(|x| x as u64)),
        Op::I64SatF64S => long(af as i64),
        Op::I64SatF64U => af as u64,
        Op::I64Bits | Op::F64Bits | Op::I32Bits | Op::F32Bits => a,
        Op::F32Add => single(ag + bg),
        Op::F32Sub => single(ag - bg),
        Op::F32Mul => single(ag * bg),
        Op::F32Div => single(ag / bg),
        Op::F32Min => minimum_single(ag, bg, true),
        Op::F32Max => minimum_single(ag, bg, false),
        Op::F32Copysign => a & 0x7fff_ffff | b & 0x8000_0000,
        Op::F32Eq => flag(ag == bg),
        Op::F32Ne => flag(ag != bg),
        Op::F32Lt => flag(ag < bg),
        Op::F32Gt => flag(ag > bg),
        Op::F32Le => flag(ag <= bg),
        Op::F32Ge => flag(ag >= bg),
        Op::F32Neg => a ^ 0x8000_0000,
        Op::F32Abs => a & 0x7fff_ffff,
        Op::F32Sqrt => single(ag.sqrt()),
        Op::F32Ceil => single(ag.ceil()),
        Op::F32Floor => single(ag.floor()),
        Op::F32Trunc => single(ag.trunc()),
        Op::F32Nearest => single(ag.round_ties_even()),
        Op::F32FromI32S => single(ai as f32),
        Op::F32FromI32U => single(au as f32),
        Op::F32FromI64S => single(al as f32),
        Op::F32FromI64U => single(a as f32),
        Op::F32FromF64 => single(af as f32),
        Op::F64FromF32 => float(f64::from(ag)),
        Op::I32FromF32S => return Some(truncated(wide, -2147483648.0, 2147483647.0).map(|x| word(x as i32))),
        Op::I32FromF32U => return Some(truncated(wide, 0.0, 4294967295.0).map(|x| small(x as u32))),
        Op::I32SatF32S => word(ag as i32),
        Op::I32SatF32U => small(ag as u32),
        Op::I64FromF32S => {
            return Some(truncated(wide, -9223372036854775808.0, 9223372036854774784.0).map(|x| long(x as i64)));
        }
        Op::I64FromF32U => return Some(truncated(wide, 0.0, 18446744073709549568.0).map(|x| x as u64)),
        Op::I64SatF32S => long(ag as i64),
        Op::I64SatF32U => ag as u64,
        _ => return None,
    }))
}

/// A constant of the type, as an instruction.
fn constant(ty: Type, value: u64) -> Instr<'static> {
    match ty {
        Type::I32 => Instr::I32Const(value as i32),
        Type::I64 => Instr::I64Const(value as i64),
        Type::F32 => Instr::F32Const(value as u32),
        Type::F64 => Instr::F64Const(value),
        _ => Instr::BoolConst(value != 0),
    }
}

fn arguments(op: Op) -> Vec<Vec<u64>> {
    let params = op.info().params;
    let mut all = vec![vec![]];
    for ty in params {
        all = all
            .iter()
            .flat_map(|args| values(*ty).into_iter().map(move |v| [args.as_slice(), &[v]].concat()))
            .collect();
    }
    all
}

fn numeric() -> impl Iterator<Item = Op> {
    Op::TABLE.iter().filter(|info| !info.params.is_empty() && reference(info.op, &[0, 0]).is_some()).map(|info| info.op)
}

#[test]
fn every_operator_on_numbers_computes_what_rust_computes() {
    let mut build = Build::new();
    for op in numeric() {
        let info = op.info();
        let mut body: Vec<Instr> = (0..info.params.len() as u32).map(get).collect();
        body.extend([Instr::Op(op, Immediate::default()), Instr::Return]);
        build.func(info.name, info.params, &[info.result.unwrap()], &[], &body);
    }
    assert!(numeric().count() > 140, "{}", numeric().count());
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        for op in numeric() {
            for args in arguments(op) {
                let expected = reference(op, &args).unwrap();
                assert_eq!(vm.eval(op.info().name, &args), expected, "{op:?} {args:x?} {options:?}");
            }
        }
    }
}

#[test]
fn constant_operands_are_folded_to_the_same_results() {
    let mut build = Build::new();
    let mut cases = Vec::new();
    for op in numeric() {
        let info = op.info();
        let all = arguments(op);
        for args in all.iter().step_by(all.len() / 24 + 1) {
            let mut body: Vec<Instr> = info.params.iter().zip(args).map(|(ty, value)| constant(*ty, *value)).collect();
            body.extend([Instr::Op(op, Immediate::default()), Instr::Return]);
            let name = format!("f{}", cases.len());
            if cases.len() < il::limits::EXPORTS {
                build.func(&name, &[], &[info.result.unwrap()], &[], &body);
                cases.push((op, args.clone(), name));
            }
        }
    }
    let mut vm = Vm::new(build.module);
    for (op, args, name) in cases {
        assert_eq!(vm.eval(&name, &[]), reference(op, &args).unwrap(), "{op:?} {args:x?}");
    }
}

#[test]
fn nans_are_canonical_wherever_their_bits_show() {
    // -(0/0): the division's NaN is settled before the sign is flipped.
    let mut build = Build::new();
    let divide = [get(0), get(1), op(Op::F64Div)];
    let with = |tail: &[Instr<'static>]| [&divide[..], tail, &[Instr::Return]].concat();
    let floats = [Type::F64, Type::F64];
    build.func("neg", &floats, &[Type::F64], &[], &with(&[op(Op::F64Neg)]));
    build.func("bits", &floats, &[Type::I64], &[], &with(&[op(Op::I64Bits)]));
    build.func("sum", &floats, &[Type::F64], &[], &with(&[get(0), op(Op::F64Add)]));
    build.func("copysign", &floats, &[Type::F64], &[], &with(&[Instr::F64Const(1 << 63), op(Op::F64Copysign)]));
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        for args in [[0, 0], [0, 1 << 63], [0xfff8_0000_0000_0077, 0]] {
            assert_eq!(vm.eval("neg", &args), Ok(NAN | 1 << 63), "{args:x?}");
            assert_eq!(vm.eval("bits", &args), Ok(NAN), "{args:x?}");
            assert_eq!(vm.eval("sum", &args), Ok(NAN), "{args:x?}");
            assert_eq!(vm.eval("copysign", &args), Ok(NAN | 1 << 63), "{args:x?}");
        }
    }
}

#[test]
fn a_nan_that_no_arithmetic_made_keeps_its_bits_in_locals() {
    // x = bits; if flag { x = x + 1.0 }; bits of x, in all types that have NaNs
    let mut build = Build::new();
    let local = |writer: &mut il::instr::Writer| writer.set(&[Some(il::LocalId(2))]);
    for (name, ty, load, one, add, store) in [
        ("single", Type::F32, Op::F32Bits, Instr::F32Const(0x3f80_0000), Op::F32Add, Op::I32Bits),
        ("double", Type::F64, Op::F64Bits, Instr::F64Const(0x3ff0 << 48), Op::F64Add, Op::I64Bits),
    ] {
        let word = if ty == Type::F32 { Type::I32 } else { Type::I64 };
        let mut writer = il::instr::Writer::default();
        [get(0), op(load)].iter().for_each(|instr| writer.push(*instr));
        local(&mut writer);
        [get(1), Instr::If, get(2), one, op(add)].iter().for_each(|instr| writer.push(*instr));
        local(&mut writer);
        [Instr::End, get(2), op(store), Instr::Return].iter().for_each(|instr| writer.push(*instr));
        build.func_bytes(name, &[word, Type::Bool], &[word], &[ty], writer.bytes);
    }
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        assert_eq!(vm.eval("single", &[0x7fff_ffff, 0]), Ok(0x7fff_ffff));
        assert_eq!(vm.eval("single", &[0x7fff_ffff, 1]), Ok(NAN_32));
        assert_eq!(vm.eval("double", &[0xfff8_0000_0000_0077, 0]), Ok(0xfff8_0000_0000_0077));
        assert_eq!(vm.eval("double", &[0xfff8_0000_0000_0077, 1]), Ok(NAN));
    }
}
