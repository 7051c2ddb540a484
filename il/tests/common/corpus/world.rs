//! A valid module with some of everything that bodies refer to.

use il::instr::Instr;
use il::isa::InstructionSet;
use il::{
    ArrayDef, CapDef, FuncId, IsaId, Module, Program, Signature, Storage, StructDef, StructField, Test, Type, TypeDef,
    TypeId, Use,
};

use super::super::{Code, code, device_module, device_set, func, global, instruction};

/// `struct { x: i32, mut y: i32 }`
pub const SHAPE: TypeId = TypeId(0);
/// `struct: SHAPE { r: f64 }`
pub const CIRCLE: TypeId = TypeId(1);
/// `struct {}`
pub const OTHER: TypeId = TypeId(2);
/// `[i32]`
pub const INTS: TypeId = TypeId(3);
/// `mut [i32]`
pub const MUT_INTS: TypeId = TypeId(4);
/// `[SHAPE]`
pub const SHAPES: TypeId = TypeId(5);
/// `[CIRCLE]`
pub const CIRCLES: TypeId = TypeId(6);
/// `mut [?buf]`
pub const BUFS: TypeId = TypeId(7);
/// `func(i32) -> i32`
pub const F_INT: TypeId = TypeId(8);
/// `func(ref buf, buf)`
pub const F_BUFS: TypeId = TypeId(9);
/// `func() -> (i32, i64)`
pub const F_TWO: TypeId = TypeId(10);
/// All of `test.device@1`.
pub const CAP: TypeId = TypeId(11);
/// `test.device@1(put, get)`
pub const LESS: TypeId = TypeId(12);
/// `test.other@1`
pub const CAP_OTHER: TypeId = TypeId(13);
/// `frozen struct { x: i32 }`
pub const POINT: TypeId = TypeId(14);
/// `struct { mut data: ?buf }`
pub const HOLDER: TypeId = TypeId(15);
/// `[POINT]`
pub const POINTS: TypeId = TypeId(16);

/// A struct with these fields.
pub fn structure(parent: Option<TypeId>, fields: &[(bool, Storage)]) -> StructDef {
    let fields = fields.iter().map(|&(mutable, storage)| StructField { mutable, storage }).collect();
    StructDef { parent, frozen: false, name: String::new(), fields }
}

pub fn array(mutable: bool, element: Type) -> TypeDef {
    TypeDef::Array(ArrayDef { mutable, element: Storage::Value(element) })
}

pub fn signature(params: &[Type], results: &[Type]) -> TypeDef {
    TypeDef::Func(Signature { params: params.to_vec(), results: results.to_vec() })
}

pub fn cap(isa: u32, instructions: &[u8]) -> TypeDef {
    TypeDef::Cap(CapDef { isa: IsaId(isa), instructions: instructions.to_vec() })
}

fn types() -> Vec<TypeDef> {
    let int = Storage::Value(Type::I32);
    let point = StructDef { frozen: true, name: "Point".into(), ..structure(None, &[(false, int)]) };
    vec![
        TypeDef::Struct(structure(None, &[(false, int), (true, int)])),
        TypeDef::Struct(structure(Some(SHAPE), &[(false, Storage::Value(Type::F64))])),
        TypeDef::Struct(structure(None, &[])),
        array(false, Type::I32),
        array(true, Type::I32),
        array(false, Type::Ref(SHAPE)),
        array(false, Type::Ref(CIRCLE)),
        array(true, Type::OptBuf),
        signature(&[Type::I32], &[Type::I32]),
        signature(&[Type::BufRef, Type::Buf], &[]),
        signature(&[], &[Type::I32, Type::I64]),
        cap(0, &[1, 2, 3, 4, 5]),
        cap(0, &[1, 2]),
        cap(1, &[1]),
        TypeDef::Struct(point),
        TypeDef::Struct(structure(None, &[(true, Storage::Value(Type::OptBuf))])),
        array(false, Type::Ref(POINT)),
    ]
}

/// Functions: 0 `(i32) -> i32`, 1 `(ref buf, buf)`, 2 `pure (i32) -> i32`, 3 `() -> (i32, i64)`, 4 to 7 the
/// programs, 8 the test. Programs: 0 `(i32) -> i32`, 1 `(buf)`, 2 `() -> POINT`, all on `test.device@1`; 3 `()` on
/// `test.other@1`. Globals: 0 `mut i32`, 1 `str`, 2 `mut ?buf`. Capabilities: 0 `test.device@1`, 1 `test.other@1`.
pub fn world() -> Module {
    let mut module = device_module();
    module.types = types();
    let ping = vec![instruction(1, "ping", &[], Some(&[]))];
    module.isas.push(InstructionSet { name: "test.other".into(), instructions: ping.into(), ..device_set() });
    module.uses.push(Use { name: "other".into(), isa: IsaId(1) });
    module.globals.push(global(true, Type::OptBuf, code().put(Instr::Null(Type::OptBuf))));
    let mut pure = func(&[Type::I32], &[Type::I32], &[], code().get(0).ret());
    pure.pure = true;
    module.funcs.extend([
        pure,
        func(&[], &[Type::I32, Type::I64], &[], code().i32(1).i64(2).ret()),
        func(&[Type::I32], &[Type::I32], &[], code().get(0).ret()),
        func(&[Type::Buf], &[], &[], code()),
        func(&[], &[Type::Ref(POINT)], &[], new_point().ret()),
        func(&[], &[], &[], code()),
        func(&[], &[], &[], code()),
    ]);
    let program = |name: &str, isa, func| Program { name: name.into(), isa: IsaId(isa), func: FuncId(func) };
    module.programs = vec![program("count", 0, 4), program("eat", 0, 5), program("make", 0, 6), program("other", 1, 7)];
    module.tests = vec![Test { name: "it works".into(), func: FuncId(8) }];
    module
}

/// Pushes a new `POINT`.
pub fn new_point() -> Code {
    code().i32(1).put(Instr::StructNew(POINT))
}

/// Pushes a new `SHAPE`.
pub fn new_shape() -> Code {
    code().i32(1).i32(2).put(Instr::StructNew(SHAPE))
}
