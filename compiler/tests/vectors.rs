//! Every operator on vectors, lane by lane, against Rust's own arithmetic.

mod support;

use il::instr::Instr;
use il::op::{Form, Immediate, Op, OpInfo};
use il::{LocalId, Memory, Type};
use support::build::{Build, get};
use support::{End, Vm, all_options};

type Bits = u128;

/// Sixteen bytes as lanes of so many bits.
fn lanes(value: Bits, bits: u32) -> Vec<u64> {
    (0..128 / bits).map(|at| (value >> (at * bits)) as u64 & mask(bits)).collect()
}

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

fn join(lanes: &[u64], bits: u32) -> Bits {
    lanes.iter().enumerate().map(|(at, lane)| u128::from(lane & mask(bits)) << (at as u32 * bits)).sum()
}

fn signed(lane: u64, bits: u32) -> i128 {
    i128::from(lane as i64) << (128 - bits) >> (128 - bits)
}

fn clamp(value: i128, low: i128, high: i128) -> u64 {
    value.clamp(low, high) as u64
}

fn signed_range(bits: u32) -> (i128, i128) {
    (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
}

fn single(value: f32) -> u64 {
    u64::from(if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() })
}

fn double(value: f64) -> u64 {
    if value.is_nan() { 0x7ff8 << 48 } else { value.to_bits() }
}

/// A float lane by its width, for operators that are the same on both.
fn float(lane: u64, bits: u32) -> f64 {
    if bits == 32 { f64::from(f32::from_bits(lane as u32)) } else { f64::from_bits(lane) }
}

fn minimum(a: u64, b: u64, bits: u32, less: bool) -> u64 {
    let (x, y) = (float(a, bits), float(b, bits));
    if x.is_nan() || y.is_nan() {
        return if bits == 32 { 0x7fc0_0000 } else { 0x7ff8 << 48 };
    }
    if x == y {
        return if less { a | b } else { a & b };
    }
    if (x < y) == less { a } else { b }
}

/// What a lanewise operator does to lanes of this width, by its name after the shape.
fn lane(name: &str, bits: u32, a: u64, b: u64) -> Option<u64> {
    let (sa, sb) = (signed(a, bits), signed(b, bits));
    let (low, high) = signed_range(bits);
    let top = i128::from(mask(bits));
    let all = |yes: bool| if yes { mask(bits) } else { 0 };
    Some(match name {
        "add" => a.wrapping_add(b),
        "sub" => a.wrapping_sub(b),
        "mul" => a.wrapping_mul(b),
        "min_s" => sa.min(sb) as u64,
        "min_u" => a.min(b),
        "max_s" => sa.max(sb) as u64,
        "max_u" => a.max(b),
        "add_sat_s" => clamp(sa + sb, low, high),
        "add_sat_u" => clamp(i128::from(a) + i128::from(b), 0, top),
        "sub_sat_s" => clamp(sa - sb, low, high),
        "sub_sat_u" => clamp(i128::from(a) - i128::from(b), 0, top),
        "avgr_u" => (a + b).div_ceil(2),
        "q15mulr_sat_s" => clamp((sa * sb + 0x4000) >> 15, low, high),
        "eq" => all(a == b),
        "ne" => all(a != b),
        "lt_s" => all(sa < sb),
        "lt_u" => all(a < b),
        "gt_s" => all(sa > sb),
        "gt_u" => all(a > b),
        "le_s" => all(sa <= sb),
        "le_u" => all(a <= b),
        "ge_s" => all(sa >= sb),
        "ge_u" => all(a >= b),
        "neg" => a.wrapping_neg(),
        "abs" => sa.unsigned_abs() as u64,
        "popcnt" => u64::from(a.count_ones()),
        _ => return None,
    })
}

fn float_lane(name: &str, bits: u32, a: u64, b: u64) -> Option<u64> {
    let (x, y) = (float(a, bits), float(b, bits));
    let (s, t) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
    let all = |yes: bool| if yes { mask(bits) } else { 0 };
    let either = |of32: f32, of64: f64| if bits == 32 { single(of32) } else { double(of64) };
    Some(match name {
        "add" => either(s + t, x + y),
        "sub" => either(s - t, x - y),
        "mul" => either(s * t, x * y),
        "div" => either(s / t, x / y),
        "sqrt" => either(s.sqrt(), x.sqrt()),
        "ceil" => either(s.ceil(), x.ceil()),
        "floor" => either(s.floor(), x.floor()),
        "trunc" => either(s.trunc(), x.trunc()),
        "nearest" => either(s.round_ties_even(), x.round_ties_even()),
        "min" => minimum(a, b, bits, true),
        "max" => minimum(a, b, bits, false),
        "pmin" => {
            if y < x {
                b
            } else {
                a
            }
        }
        "pmax" => {
            if x < y {
                b
            } else {
                a
            }
        }
        "neg" => a ^ 1 << (bits - 1),
        "abs" => a & !(1 << (bits - 1)),
        "eq" => all(x == y),
        "ne" => all(x != y),
        "lt" => all(x < y),
        "gt" => all(x > y),
        "le" => all(x <= y),
        "ge" => all(x >= y),
        _ => return None,
    })
}

fn width(shape: &str) -> u32 {
    match shape {
        "i8x16" => 8,
        "i16x8" => 16,
        "i32x4" | "f32x4" => 32,
        "i64x2" | "f64x2" => 64,
        _ => 128,
    }
}

/// Widens lanes of half the width as the name's end says, of the half that it names.
fn widened(name: &str, bits: u32, value: Bits) -> Vec<u64> {
    let narrow = lanes(value, bits / 2);
    let half = narrow.len() / 2;
    let part = if name.contains("high") { &narrow[half..] } else { &narrow[..half] };
    extend(name, bits, part)
}

fn extend(name: &str, bits: u32, part: &[u64]) -> Vec<u64> {
    part.iter().map(|lane| if name.ends_with("_s") { signed(*lane, bits / 2) as u64 } else { *lane }).collect()
}

/// Operators from vectors to a vector that mix lanes or change their width.
fn mixing(name: &str, bits: u32, a: Bits, b: Bits, c: Bits) -> Option<Bits> {
    let each = |lanes: Vec<u64>, f: &dyn Fn(u64) -> u64| join(&lanes.into_iter().map(f).collect::<Vec<_>>(), bits);
    Some(match name {
        "not" => !a,
        "and" => a & b,
        "andnot" => a & !b,
        "or" => a | b,
        "xor" => a ^ b,
        "bitselect" => a & c | b & !c,
        "swizzle" => {
            let from = lanes(a, 8);
            each(lanes(b, 8), &|at| from.get(at as usize).copied().unwrap_or(0))
        }
        "dot_i16x8_s" => {
            let (a, b) = (lanes(a, 16), lanes(b, 16));
            let product = |at: usize| signed(a[at], 16) * signed(b[at], 16);
            let sums: Vec<u64> = (0..4).map(|at| (product(2 * at) + product(2 * at + 1)) as u64).collect();
            join(&sums, 32)
        }
        "trunc_sat_f32x4_s" => each(lanes(a, 32), &|x| f32::from_bits(x as u32) as i32 as u64),
        "trunc_sat_f32x4_u" => each(lanes(a, 32), &|x| u64::from(f32::from_bits(x as u32) as u32)),
        "trunc_sat_f64x2_s_zero" => each(lanes(a, 64), &|x| f64::from_bits(x) as i32 as u64),
        "trunc_sat_f64x2_u_zero" => each(lanes(a, 64), &|x| u64::from(f64::from_bits(x) as u32)),
        "convert_i32x4_s" => each(lanes(a, 32), &|x| single(x as i32 as f32)),
        "convert_i32x4_u" => each(lanes(a, 32), &|x| single(x as u32 as f32)),
        "convert_low_i32x4_s" => each(lanes(a, 32)[..2].to_vec(), &|x| double(f64::from(x as i32))),
        "convert_low_i32x4_u" => each(lanes(a, 32)[..2].to_vec(), &|x| double(x as f64)),
        "demote_f64x2_zero" => each(lanes(a, 64), &|x| single(f64::from_bits(x) as f32)),
        "promote_low_f32x4" => each(lanes(a, 32)[..2].to_vec(), &|x| double(float(x, 32))),
        name if name.starts_with("narrow") => {
            let (low, high) = if name.ends_with("_s") { signed_range(bits) } else { (0, i128::from(mask(bits))) };
            let both = [lanes(a, 2 * bits), lanes(b, 2 * bits)].concat();
            each(both, &|lane| clamp(signed(lane, 2 * bits), low, high))
        }
        name if name.starts_with("extadd_pairwise") => {
            let wide = extend(name, bits, &lanes(a, bits / 2));
            join(&wide.chunks(2).map(|pair| pair[0].wrapping_add(pair[1])).collect::<Vec<_>>(), bits)
        }
        name if name.starts_with("extend") => join(&widened(name, bits, a), bits),
        name if name.starts_with("extmul") => {
            let (a, b) = (widened(name, bits, a), widened(name, bits, b));
            join(&a.iter().zip(&b).map(|(a, b)| a.wrapping_mul(*b)).collect::<Vec<_>>(), bits)
        }
        _ => return None,
    })
}

/// What an operator yields, as words; `None` if it is not one on vectors and numbers alone.
fn reference(info: &OpInfo, immediate: u8, args: &[Bits]) -> Option<Bits> {
    let (shape, name) = info.text.split_once('.').unwrap_or(("", info.text));
    let bits = width(shape);
    let arg = |at: usize| args.get(at).copied().unwrap_or(0);
    let (a, b, c) = (arg(0), arg(1), arg(2));
    let at = u32::from(immediate) * bits;
    if info.text == "v128" {
        return Some(a | b << 64);
    }
    if !info.params.contains(&Type::V128) && name != "splat" {
        return None;
    }
    Some(match name {
        "splat" => join(&vec![a as u64; 128 / bits as usize], bits),
        "any_true" => u128::from(a != 0),
        "all_true" => u128::from(lanes(a, bits).iter().all(|lane| *lane != 0)),
        "bitmask" => lanes(a, bits).iter().enumerate().map(|(at, lane)| u128::from(lane >> (bits - 1)) << at).sum(),
        "shl" | "shr_s" | "shr_u" => {
            let by = b as u32 % bits;
            let shift = |lane: &u64| match name {
                "shl" => lane << by,
                "shr_s" => (signed(*lane, bits) >> by) as u64,
                _ => lane >> by,
            };
            join(&lanes(a, bits).iter().map(shift).collect::<Vec<_>>(), bits)
        }
        "extract_lane_s" => u128::from(signed(lanes(a, bits)[immediate as usize], bits) as i32 as u32),
        "extract_lane" | "extract_lane_u" => u128::from(lanes(a, bits)[immediate as usize]),
        "replace_lane" => a & !(u128::from(mask(bits)) << at) | (b & u128::from(mask(bits))) << at,
        name if info.form == Form::Call && info.result == Some(Type::V128) => {
            let lanewise = if shape.starts_with('f') { float_lane } else { lane };
            if bits < 128 && lanewise(name, bits, 0, 0).is_some() {
                let zipped = lanes(a, bits).into_iter().zip(lanes(b, bits));
                join(&zipped.map(|(a, b)| lanewise(name, bits, a, b).unwrap()).collect::<Vec<_>>(), bits)
            } else {
                mixing(name, bits, a, b, c)?
            }
        }
        _ => return None,
    })
}

fn vectors() -> Vec<Bits> {
    let f32s = |values: [f32; 4]| join(&values.map(|value| u64::from(value.to_bits())), 32);
    let f64s = |values: [f64; 2]| join(&values.map(f64::to_bits), 64);
    let mut all = vec![
        0,
        u128::MAX,
        0x8000_0000_8000_0000_8000_8000_8080_8080,
        0x7fff_ffff_ffff_ffff_7fff_ffff_7fff_7f7f,
        0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100,
        0x1f80_ff01_7f00_0203_ffff_8001_0001_fffe,
        f32s([1.5, -2.5, f32::NAN, f32::INFINITY]),
        f32s([-0.0, 0.0, 3e9, -3e9]),
        f32s([0.5, -0.5, 2147483648.0, 4294967296.0]),
        f32s([-1.0, 16777217.0, 1e-45, f32::NEG_INFINITY]),
        f64s([1.5, -2.5]),
        f64s([f64::NAN, f64::INFINITY]),
        f64s([-0.0, 1e300]),
        f64s([4294967295.9, -2147483648.9]),
        join(&[0x7f80_0001, 0xffc0_1234, 0x7fc0_0000, 0x3f80_0000], 32),
        join(&[0x7ff0_0000_0000_0001, 0xfff8_0000_0000_0123], 64),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..12 {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u128::from(state)
        };
        all.push(next() | next() << 64);
    }
    all
}

fn values(ty: Type) -> Vec<Bits> {
    match ty {
        Type::V128 => vectors(),
        Type::I32 => [0, 1, 7, 8, 31, 33, 65, 0xffff_ffff, 0x1234_5678].to_vec(),
        Type::I64 => [0, 1, u128::from(u64::MAX), 0x1234_5678_9abc_def0].to_vec(),
        Type::F32 => [0, 0x8000_0000, 0x3fc0_0000, 0x7fc0_0000].to_vec(),
        Type::F64 => [0, 1 << 63, 0x3ff8 << 48, 0x7ff8 << 48].to_vec(),
        _ => unreachable!(),
    }
}

fn words(ty: Type, value: Bits) -> Vec<u64> {
    if ty == Type::V128 { vec![value as u64, (value >> 64) as u64] } else { vec![value as u64] }
}

fn result(vm: &Vm, ty: Type) -> Bits {
    let high = if ty == Type::V128 { u128::from(vm.value(1)) << 64 } else { 0 };
    u128::from(vm.value(0)) | high
}

fn cases() -> Vec<(&'static OpInfo, u8)> {
    let mut cases = Vec::new();
    for info in Op::TABLE {
        for lane in 0..info.form.lanes().unwrap_or(1) {
            if reference(info, lane, &[0, 0, 0]).is_some() {
                cases.push((info, lane));
            }
        }
    }
    cases
}

fn options() -> impl Iterator<Item = compiler::Options> {
    all_options().into_iter().filter(|options| options.cpu.sse41).step_by(2)
}

#[test]
fn every_operator_on_vectors_computes_lane_by_lane() {
    let mut build = Build::new();
    for (at, (info, lane)) in cases().into_iter().enumerate() {
        let mut body: Vec<Instr> = (0..info.params.len() as u32).map(get).collect();
        body.extend([Instr::Op(info.op, Immediate { lane, ..Immediate::default() }), Instr::Return]);
        build.func(&format!("case_{at}"), info.params, &[info.result.unwrap()], &[], &body);
    }
    let distinct: std::collections::HashSet<u16> = cases().iter().map(|(info, _)| info.op as u16).collect();
    let on_vectors = |info: &&OpInfo| (Op::V128FromI64s as u16..Op::BufAt as u16).contains(&(info.op as u16));
    assert_eq!(distinct.len(), Op::TABLE.iter().filter(on_vectors).count(), "all but the memory accesses");
    for options in options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        for (at, (info, lane)) in cases().into_iter().enumerate() {
            let all: Vec<Vec<Bits>> = info.params.iter().map(|ty| values(*ty)).collect();
            for first in &all[0] {
                for (index, second) in all.get(1).unwrap_or(&vec![0]).iter().enumerate() {
                    let third = all.get(2).map_or(0, |all| all[index]);
                    let args = [*first, *second, third];
                    let passed = info.params.iter().zip(args).flat_map(|(ty, arg)| words(*ty, arg));
                    assert_eq!(vm.run(&format!("case_{at}"), &passed.collect::<Vec<_>>()), End::Done);
                    let expected = reference(info, lane, &args).unwrap();
                    let got = result(&vm, info.result.unwrap());
                    assert_eq!(got, expected, "{} lane {lane}: {args:x?} gave {got:x}, not {expected:x}", info.text);
                }
            }
        }
    }
}

#[test]
fn shuffles_take_lanes_of_both() {
    let patterns = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16],
        [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23],
        [5; 16],
        [12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        [3, 31, 0, 0, 17, 8, 22, 1, 9, 30, 16, 2, 15, 4, 11, 28],
    ];
    let mut build = Build::new();
    for (at, pattern) in patterns.iter().enumerate() {
        let body = [get(0), get(1), Instr::Shuffle(*pattern), Instr::Return];
        build.func(&format!("shuffle_{at}"), &[Type::V128; 2], &[Type::V128], &[], &body);
    }
    for options in options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        for (at, pattern) in patterns.iter().enumerate() {
            for pair in vectors().windows(2) {
                let both = [lanes(pair[0], 8), lanes(pair[1], 8)].concat();
                let expected = join(&pattern.map(|lane| both[usize::from(lane)]), 8);
                let args = [words(Type::V128, pair[0]), words(Type::V128, pair[1])].concat();
                assert_eq!(vm.run(&format!("shuffle_{at}"), &args), End::Done);
                assert_eq!(result(&vm, Type::V128), expected, "{pattern:?}");
            }
        }
    }
}

/// What a memory access does: (result, memory afterwards).
fn access(info: &OpInfo, lane: u8, memory: &[u8], address: usize, vector: Bits) -> (Bits, Vec<u8>) {
    let digits: String = info.text.chars().filter(char::is_ascii_digit).collect();
    let read =
        |bytes: usize| memory[address..][..bytes].iter().rev().fold(0u128, |all, byte| all << 8 | u128::from(*byte));
    let mut after = memory.to_vec();
    let value = match (info.text, digits.as_str()) {
        ("load_v128", _) => read(16),
        ("store_v128", _) => {
            after[address..address + 16].copy_from_slice(&vector.to_le_bytes());
            0
        }
        (text, "88" | "164" | "322") => {
            let bits = if text.contains("8x8") {
                16
            } else if text.contains("16x4") {
                32
            } else {
                64
            };
            join(&extend(text, bits, &lanes(read(8), bits / 2)[..(128 / bits) as usize]), bits)
        }
        (text, digits) => {
            let bits: u32 = digits.parse().unwrap();
            let (bytes, at) = (bits as usize / 8, u32::from(lane) * bits);
            let part = u128::from(mask(bits)) << at;
            if text.ends_with("splat") {
                join(&vec![read(bytes) as u64; 128 / bits as usize], bits)
            } else if text.ends_with("zero") {
                read(bytes)
            } else if text.starts_with("load") {
                vector & !part | read(bytes) << at
            } else {
                after[address..address + bytes].copy_from_slice(&(vector >> at).to_le_bytes()[..bytes]);
                0
            }
        }
    };
    (value, after)
}

#[test]
fn vectors_travel_through_memory() {
    let is_access = |info: &&OpInfo| {
        let vector = info.params.contains(&Type::V128) || info.result == Some(Type::V128);
        info.form.has_offset() && vector
    };
    let mut cases = Vec::new();
    for info in Op::TABLE.iter().filter(is_access) {
        cases.extend((0..info.form.lanes().unwrap_or(1)).map(|lane| (info, lane)));
    }
    assert!(cases.len() > 60);
    let mut build = Build::new();
    build.module.memories = vec![Memory { min: 1, max: 1 }];
    for (at, (info, lane)) in cases.iter().enumerate() {
        let mut body: Vec<Instr> = (0..info.params.len() as u32).map(get).collect();
        body.extend([Instr::Op(info.op, Immediate { offset: 3, lane: *lane, ..Immediate::default() })]);
        let results: Vec<Type> = info.result.into_iter().collect();
        if info.result.is_some() {
            body.push(Instr::Return);
        }
        build.func(&format!("case_{at}"), info.params, &results, &[], &body);
    }
    let mut writer = il::instr::Writer::default();
    writer.push(Instr::I32Const(16));
    writer.push(support::build::op(Op::BufNew));
    writer.set(&[Some(LocalId(1))]);
    for instr in [get(1), Instr::I32Const(0), get(0), support::build::op(Op::BufStoreV128), get(1), Instr::I32Const(0)]
    {
        writer.push(instr);
    }
    writer.push(support::build::op(Op::BufLoadV128));
    writer.push(Instr::Return);
    build.func_bytes("buffer", &[Type::V128], &[Type::V128], &[Type::Buf], writer.bytes);
    for options in all_options().into_iter().filter(|options| options.cpu.sse41) {
        let mut vm = Vm::with(build.module.clone(), &options);
        for (at, (info, lane)) in cases.iter().enumerate() {
            for (address, vector) in [13u64, 40, 1].into_iter().zip(vectors().into_iter().skip(14)) {
                let before = vm.memory(0..80);
                let args: Vec<u64> = [vec![address], words(Type::V128, vector)].concat();
                assert_eq!(vm.run(&format!("case_{at}"), &args[..1 + 2 * (info.params.len() - 1)]), End::Done);
                let (expected, after) = access(info, *lane, &before, address as usize + 3, vector);
                assert_eq!(vm.memory(0..80), after, "{}", info.text);
                if info.result.is_some() {
                    assert_eq!(result(&vm, Type::V128), expected, "{} lane {lane}", info.text);
                }
            }
            let outside = [65536, 0, 0];
            let got = vm.eval(&format!("case_{at}"), &outside[..1 + 2 * (info.params.len() - 1)]);
            assert_eq!(got, Err(il::trap::TrapKind::MemoryOutOfBounds), "{}", info.text);
        }
        assert_eq!(vm.run("buffer", &[5, 6]), End::Done);
        assert_eq!([vm.value(0), vm.value(1)], [5, 6]);
    }
}

#[test]
fn a_processor_without_the_instructions_is_refused_in_words() {
    let mut build = Build::new();
    build.func("f", &[Type::V128], &[Type::V128], &[], &[get(0), support::build::op(Op::V128Not), Instr::Return]);
    let module = il::verify(build.module).unwrap();
    let options = compiler::Options { cpu: compiler::Cpu::BASELINE, ..support::options() };
    let error = compiler::compile(&module, &options).unwrap_err();
    assert!(error.to_string().contains("SSE4.1"), "{error}");
}
