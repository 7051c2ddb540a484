//! Values that need no local: the end of every expression.

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{Storage, Type, TypeDef, TypeId, UseId};

use crate::Random;
use crate::world::{Place, World};

/// The tree of such a value, encoded.
pub(crate) fn tree(world: &World, random: &mut Random, ty: Type, place: Place, depth: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    push(world, random, &mut writer, ty, place, depth);
    writer.bytes
}

/// Writes a value of the type; objects have objects inside to this depth.
pub(crate) fn push(world: &World, random: &mut Random, out: &mut Writer, ty: Type, place: Place, depth: usize) {
    match ty {
        Type::I32 => out.push(Instr::I32Const(number(random) as i32)),
        Type::I64 => out.push(Instr::I64Const(number(random))),
        Type::F32 => out.push(Instr::F32Const(float32(random))),
        Type::F64 => out.push(Instr::F64Const(float64(random))),
        Type::Bool => out.push(Instr::BoolConst(random.percent(50))),
        Type::V128 => vector(random, out, place),
        Type::Str | Type::Any => literal(world, random, out),
        Type::Buf | Type::BufRef => {
            out.push(Instr::I32Const(random.below(40) as i32));
            out.push(Instr::Op(Op::BufNew, Immediate::default()));
        }
        Type::OptStr | Type::OptAny if random.percent(60) => literal(world, random, out),
        Type::OptStr | Type::OptAny | Type::OptBuf => out.push(Instr::Null(ty)),
        Type::Opt(id) => {
            if depth > 0 && random.percent(60) && world.constant_exists(Type::Ref(id), place) {
                definition(world, random, out, id, place, depth);
            } else {
                out.push(Instr::Null(ty));
            }
        }
        Type::Ref(id) => definition(world, random, out, id, place, depth),
    }
}

fn definition(world: &World, random: &mut Random, out: &mut Writer, id: TypeId, place: Place, depth: usize) {
    let inner = depth.saturating_sub(1);
    match &world.module.types[id.index()] {
        TypeDef::Struct(_) => {
            for field in world.hierarchy.fields(id) {
                push(world, random, out, field.storage.value(), place, inner);
            }
            out.push(Instr::StructNew(id));
        }
        TypeDef::Array(def) => array(world, random, out, id, def.element, place, depth),
        TypeDef::Func(sig) => {
            if let Some(func) = world.function_of(sig) {
                out.push(Instr::FuncRef(func, id));
            }
        }
        TypeDef::Cap(_) => out.push(Instr::Cap(UseId(random.below(2) as u32), id)),
    }
}

/// An array literal, or a filled array of a length that is mostly small.
fn array(
    world: &World,
    random: &mut Random,
    out: &mut Writer,
    id: TypeId,
    element: Storage,
    place: Place,
    depth: usize,
) {
    let ty = element.value();
    if depth == 0 || ty == Type::OptBuf || !world.constant_exists(ty, place) {
        if ty == Type::OptBuf && place != Place::Initial {
            out.push(Instr::I32Const(random.below(6) as i32));
            out.push(Instr::Null(ty));
            out.push(Instr::ArrayNew(id));
        } else {
            out.push(Instr::ArrayOf(id, 0));
        }
        return;
    }
    if random.percent(50) {
        let count = random.below(5);
        for _ in 0..count {
            push(world, random, out, ty, place, depth - 1);
        }
        out.push(Instr::ArrayOf(id, count as u32));
    } else {
        let length = if random.percent(4) { random.of([200, 1500, 9000]) } else { random.below(12) as i32 };
        out.push(Instr::I32Const(length));
        push(world, random, out, ty, place, depth - 1);
        out.push(Instr::ArrayNew(id));
    }
}

fn literal(world: &World, random: &mut Random, out: &mut Writer) {
    out.push(Instr::StrConst(il::StrId(random.below(world.module.strings.len()) as u32)));
}

fn vector(random: &mut Random, out: &mut Writer, place: Place) {
    if place == Place::Initial || random.percent(70) {
        let mut word = || if random.percent(40) { number(random) } else { random.word() as i64 };
        out.push(Instr::I64Const(word()));
        out.push(Instr::I64Const(word()));
        out.push(Instr::Op(Op::V128FromI64s, Immediate::default()));
    } else {
        out.push(Instr::F32Const(float32(random)));
        out.push(Instr::Op(Op::F32x4Splat, Immediate::default()));
    }
}

/// Mostly small numbers, and the ends of ranges.
pub(crate) fn number(random: &mut Random) -> i64 {
    match random.below(8) {
        0..=3 => random.below(16) as i64,
        4 => -(random.below(300) as i64),
        5 => random.of([i64::MIN, i64::MAX, i64::from(i32::MIN), i64::from(i32::MAX), -1, 0xffff_ffff]),
        6 => 1 << random.below(64),
        _ => random.word() as i64,
    }
}

fn float64(random: &mut Random) -> u64 {
    let value = match random.below(8) {
        0..=2 => random.below(100) as f64 / 4.0,
        3 => -(random.below(1000) as f64),
        4 => random.of([f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 2_147_483_648.0, 9.3e18, f64::MAX, 0.5]),
        5 => return random.of([0xfff8_0000_0000_0000, 0x7ff0_0000_0000_0001, 0xffff_ffff_ffff_ffff, 1]),
        6 => number(random) as f64,
        _ => return random.word(),
    };
    value.to_bits()
}

fn float32(random: &mut Random) -> u32 {
    let value = match random.below(8) {
        0..=2 => random.below(100) as f32 / 4.0,
        3 => -(random.below(1000) as f32),
        4 => random.of([f32::NAN, f32::INFINITY, -0.0, f32::MIN_POSITIVE, 2_147_483_648.0, 1.9e19, f32::MAX, 0.5]),
        5 => return random.of([0xffc0_0000, 0x7f80_0001, 0xffff_ffff, 1]),
        6 => number(random) as f32,
        _ => return random.word() as u32,
    };
    value.to_bits()
}
