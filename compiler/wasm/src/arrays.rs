//! Functions in the IL that objects need: what WebAssembly does with ranges of arrays in one operator, and comparing.
//! A module has those that it uses.

use alloc::vec;

use il::instr::Instr;
use il::op::{Immediate, Op};
use il::{FieldId, Func, MemoryId, Signature, Storage, Type, TypeId};

use crate::helpers::Code;
use crate::types::{ARRAY_ELEMENTS, ARRAY_LENGTH};

/// Which function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ObjectHelper {
    /// `(array, at, value, count)`
    Fill,
    /// `(array, at, other, from, count)`
    Copy,
    /// `(from, count, base, length) -> array`: the data segment has that length, and begins there.
    NewData,
    /// `(array, at, from, count, base, length)`
    InitData,
    /// `(from, count, segment) -> array`
    NewElem,
    /// `(array, at, from, count, segment)`
    InitElem,
    /// `(a, b) -> bool`: whether they are the same object, or the same number.
    Same,
}

/// An array type: its struct, and what is in that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArrayForm {
    pub object: TypeId,
    pub elements: TypeId,
    pub storage: Storage,
}

/// What the functions refer to besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around {
    /// `[?any]`
    pub segment: TypeId,
    /// Where data segments are.
    pub memory: MemoryId,
}

impl ObjectHelper {
    /// What faults call it.
    pub fn name(self) -> &'static str {
        match self {
            ObjectHelper::Fill => "array.fill",
            ObjectHelper::Copy => "array.copy",
            ObjectHelper::NewData => "array.new_data",
            ObjectHelper::InitData => "array.init_data",
            ObjectHelper::NewElem => "array.new_elem",
            ObjectHelper::InitElem => "array.init_elem",
            ObjectHelper::Same => "ref.eq",
        }
    }

    /// Writes one for an array type; of copying, to that from another one.
    pub fn func(self, array: ArrayForm, other: ArrayForm, around: Around) -> Func {
        let (int, value) = (Type::I32, array.storage.value());
        let (given, segment) = (Type::Opt(array.object), Type::Ref(around.segment));
        let (made, elements) = (Type::Ref(array.object), Type::Ref(array.elements));
        let mut code = Code::new(array.elements);
        let (params, results, locals) = match self {
            ObjectHelper::Fill => {
                fill(&mut code, array);
                (vec![given, int, value, int], vec![], vec![elements, int])
            }
            ObjectHelper::Copy => {
                copy(&mut code, array, other);
                let locals = vec![elements, Type::Ref(other.elements), int];
                (vec![given, int, Type::Opt(other.object), int, int], vec![], locals)
            }
            ObjectHelper::NewData => {
                new_data(&mut code, array, around.memory);
                (vec![int, int, int, int], vec![made], vec![elements, int])
            }
            ObjectHelper::InitData => {
                init_data(&mut code, array, around.memory);
                (vec![given, int, int, int, int, int], vec![], vec![elements, int])
            }
            ObjectHelper::NewElem => {
                new_elem(&mut code, array, around.segment);
                (vec![int, int, segment], vec![made], vec![elements, int])
            }
            ObjectHelper::InitElem => {
                init_elem(&mut code, array, around.segment);
                (vec![given, int, int, int, segment], vec![], vec![elements, int])
            }
            ObjectHelper::Same => {
                same(&mut code, array.object);
                (vec![Type::OptAny, Type::OptAny], vec![Type::Bool], vec![Type::Ref(array.object); 2])
            }
        };
        Func { sig: Signature { params, results }, pure: false, locals, body: code.finish() }
    }
}

/// The local becomes the elements of an array that is not null.
fn open(code: &mut Code, param: u32, array: ArrayForm, local: u32) {
    code.get(param);
    code.push(Instr::As(Type::Ref(array.object)));
    code.push(Instr::FieldGet(array.object, ARRAY_ELEMENTS));
    code.set(local);
}

fn fill(code: &mut Code, array: ArrayForm) {
    open(code, 0, array, 4);
    code.check(4, array.elements, 1, 3);
    code.each(5, 3, 4, 1, |code| code.get(2));
}

fn copy(code: &mut Code, array: ArrayForm, other: ArrayForm) {
    let (to, from, count, at) = (1, 3, 4, 7);
    open(code, 0, array, 5);
    open(code, 2, other, 6);
    code.check(5, array.elements, to, count);
    code.check(6, other.elements, from, count);
    code.get(to);
    code.get(from);
    code.op(Op::I32LeU);
    code.push(Instr::If);
    code.each(at, count, 5, to, |code| {
        code.get(6);
        code.sum(from, at);
        code.push(Instr::ArrayGet(other.elements));
    });
    // Else from the end, so that nothing is overwritten before it is read.
    code.push(Instr::Else);
    code.push(Instr::While);
    code.get(count);
    code.int(0);
    code.op(Op::I32Ne);
    code.push(Instr::Test);
    code.get(count);
    code.int(1);
    code.op(Op::I32Sub);
    code.set(count);
    code.get(5);
    code.sum(to, count);
    code.get(6);
    code.sum(from, count);
    code.push(Instr::ArrayGet(other.elements));
    code.push(Instr::ArraySet(array.elements));
    code.push(Instr::End);
    code.push(Instr::End);
}

/// Traps, as an access out of bounds does, if a data segment has no such range of elements.
fn check_data(code: &mut Code, array: ArrayForm, memory: MemoryId, [from, count, length]: [u32; 3]) {
    code.get(from);
    code.op(Op::I64FromI32U);
    code.get(count);
    code.op(Op::I64FromI32U);
    code.push(Instr::I64Const(i64::from(array.storage.bytes())));
    code.op(Op::I64Mul);
    code.op(Op::I64Add);
    code.get(length);
    code.op(Op::I64FromI32U);
    code.op(Op::I64GtU);
    code.push(Instr::If);
    // No memory has this byte.
    code.int(-1);
    code.push(Instr::Op(Op::Load8U, Immediate { offset: u32::MAX, memory, ..Immediate::default() }));
    code.discard();
    code.push(Instr::End);
}

/// The element of a data segment that is the `at`-th one from `from` on.
fn load(code: &mut Code, array: ArrayForm, memory: MemoryId, [base, from, at]: [u32; 3]) {
    let op = match array.storage {
        Storage::I8 | Storage::U8 => Op::Load8U,
        Storage::I16 | Storage::U16 => Op::Load16U,
        Storage::Value(Type::I64) => Op::Load64,
        Storage::Value(Type::F32) => Op::LoadF32,
        Storage::Value(Type::F64) => Op::LoadF64,
        Storage::Value(Type::V128) => Op::LoadV128,
        Storage::Value(_) => Op::Load32,
    };
    code.sum(base, from);
    code.get(at);
    code.int(array.storage.bytes() as i32);
    code.op(Op::I32Mul);
    code.op(Op::I32Add);
    code.push(Instr::Op(op, Immediate { memory, ..Immediate::default() }));
}

fn new_data(code: &mut Code, array: ArrayForm, memory: MemoryId) {
    let (from, count, base, length, elements, at) = (0, 1, 2, 3, 4, 5);
    check_data(code, array, memory, [from, count, length]);
    code.get(count);
    code.zero(array.storage.value());
    make(code, array, [count, elements, at], |code| load(code, array, memory, [base, from, at]));
}

/// Returns an array of `count` elements, each of which `element` pushes; what they are before that is on the stack.
fn make(code: &mut Code, array: ArrayForm, [count, elements, at]: [u32; 3], element: impl FnOnce(&mut Code)) {
    debug_assert_eq!((ARRAY_LENGTH, ARRAY_ELEMENTS), (FieldId(0), FieldId(1)));
    code.push(Instr::ArrayNew(array.elements));
    code.set(elements);
    code.int(0);
    code.get(count);
    code.push(Instr::For(il::LocalId(at)));
    code.get(elements);
    code.get(at);
    element(code);
    code.push(Instr::ArraySet(array.elements));
    code.push(Instr::End);
    code.get(count);
    code.get(elements);
    code.push(Instr::StructNew(array.object));
    code.push(Instr::Return);
}

fn init_data(code: &mut Code, array: ArrayForm, memory: MemoryId) {
    let (to, from, count, base, length, elements, at) = (1, 2, 3, 4, 5, 6, 7);
    open(code, 0, array, elements);
    code.check(elements, array.elements, to, count);
    check_data(code, array, memory, [from, count, length]);
    code.each(at, count, elements, to, |code| load(code, array, memory, [base, from, at]));
}

/// An element of a segment, as the array's type.
fn item(code: &mut Code, array: ArrayForm, segment: (u32, TypeId), index: impl FnOnce(&mut Code)) {
    code.get(segment.0);
    index(code);
    code.push(Instr::ArrayGet(segment.1));
    let value = array.storage.value();
    if value != Type::OptAny {
        code.push(Instr::As(value));
    }
}

fn new_elem(code: &mut Code, array: ArrayForm, segment: TypeId) {
    let (from, count, elements, at) = (0, 1, 3, 4);
    code.check(2, segment, from, count);
    // There may be no value but those of the segment to fill it with.
    code.get(count);
    code.int(0);
    code.op(Op::I32Eq);
    code.push(Instr::If);
    code.int(0);
    code.push(Instr::ArrayOf(array.elements, 0));
    code.push(Instr::StructNew(array.object));
    code.push(Instr::Return);
    code.push(Instr::End);
    code.get(count);
    item(code, array, (2, segment), |code| code.get(from));
    make(code, array, [count, elements, at], |code| item(code, array, (2, segment), |code| code.sum(from, at)));
}

fn init_elem(code: &mut Code, array: ArrayForm, segment: TypeId) {
    let (to, from, count, elements, at) = (1, 2, 3, 5, 6);
    open(code, 0, array, elements);
    code.check(elements, array.elements, to, count);
    code.check(4, segment, from, count);
    code.each(at, count, elements, to, |code| item(code, array, (4, segment), |code| code.sum(from, at)));
}

/// Numbers are objects here, and not the same object.
fn same(code: &mut Code, number: TypeId) {
    for (param, local) in [(0, 2), (1, 3)] {
        code.get(param);
        code.push(Instr::IfAs(Type::Ref(number), il::LocalId(local)));
    }
    for local in [2, 3] {
        code.get(local);
        code.push(Instr::FieldGet(number, FieldId(0)));
    }
    code.op(Op::I32Eq);
    code.push(Instr::Return);
    code.push(Instr::End);
    code.push(Instr::End);
    code.get(0);
    code.get(1);
    code.push(Instr::RefEq);
    code.push(Instr::Return);
}
