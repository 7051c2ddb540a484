//! A module built by hand, with one of everything that code refers to.

use il::instr::Instr;
use il::{
    ArrayDef, CapDef, Data, DataPlace, Export, Func, FuncId, IsaId, Memory, MemoryId, Module, Names, Program,
    Signature, Storage, StructDef, StructField, Type, TypeDef, TypeId, TypeNames,
};

use super::common::{Code, code, func, global, service};
use super::{again, instructions};

/// Numbers of the definitions of [`objects`].
pub mod def {
    use il::TypeId;

    pub const POINT: TypeId = TypeId(0);
    pub const NAMED: TypeId = TypeId(1);
    pub const LIST: TypeId = TypeId(2);
    pub const VAR_LIST: TypeId = TypeId(3);
    pub const BUFS: TypeId = TypeId(4);
    pub const UNARY: TypeId = TypeId(5);
    pub const PAIR: TypeId = TypeId(6);
    pub const DEVICE: TypeId = TypeId(7);
    pub const LESS: TypeId = TypeId(8);
    pub const POINTS: TypeId = TypeId(9);
    pub const BYTES: TypeId = TypeId(10);
    pub const NAMEDS: TypeId = TypeId(11);
}

pub const POINT: Type = Type::Ref(def::POINT);
pub const NAMED: Type = Type::Ref(def::NAMED);
pub const LIST: Type = Type::Ref(def::LIST);
pub const VAR_LIST: Type = Type::Ref(def::VAR_LIST);
pub const DEVICE: Type = Type::Ref(def::DEVICE);
pub const LESS: Type = Type::Ref(def::LESS);

/// What hand-made code refers to: the service of [`common`], and types, a program, globals and functions.
pub fn objects() -> Module {
    let mut module = service();
    let field = |mutable, storage| StructField { mutable, storage };
    let value = |mutable, ty| field(mutable, Storage::Value(ty));
    let array = |mutable, ty| TypeDef::Array(ArrayDef { mutable, element: Storage::Value(ty) });
    let sig = |params: &[Type], results: &[Type]| Signature { params: params.into(), results: results.into() };
    let fields =
        vec![value(false, Type::I32), value(true, Type::I64), value(true, Type::OptBuf), field(true, Storage::U8)];
    module.types = vec![
        TypeDef::Struct(StructDef { parent: None, frozen: false, name: String::new(), fields }),
        TypeDef::Struct(StructDef {
            parent: Some(def::POINT),
            frozen: false,
            name: String::new(),
            fields: vec![value(false, Type::Str)],
        }),
        array(false, Type::I32),
        array(true, Type::I32),
        array(true, Type::OptBuf),
        TypeDef::Func(sig(&[Type::I32], &[Type::I32])),
        TypeDef::Func(sig(&[Type::I32], &[Type::I32, Type::I64])),
        TypeDef::Cap(CapDef { isa: IsaId(0), instructions: vec![1, 2, 3, 4, 5] }),
        TypeDef::Cap(CapDef { isa: IsaId(0), instructions: vec![2, 4] }),
        array(false, POINT),
        TypeDef::Array(ArrayDef { mutable: false, element: Storage::U8 }),
        array(false, NAMED),
    ];
    module.memories.push(Memory { min: 1, max: 4 });
    module.data.push(Data { place: None, bytes: b"passive\0\xff".to_vec() });
    let place = Some(DataPlace { memory: MemoryId(1), offset: 0xfff0 });
    module.data.push(Data { place, bytes: b"placed".to_vec() });
    module.globals.push(global(true, Type::OptBuf, code().put(Instr::Null(Type::OptBuf))));
    module.globals.push(global(true, POINT.nullable().unwrap(), code().put(Instr::Null(Type::Opt(def::POINT)))));
    let first = module.funcs.len() as u32;
    let pair = func(&[Type::I32], &[Type::I32, Type::I64], &[], code().get(0).i64(2).ret());
    let program = Func { pure: true, ..func(&[Type::I32], &[Type::I32], &[], code().get(0).ret()) };
    let quiet = Func { pure: true, ..func(&[], &[], &[], code()) };
    module.funcs.extend([pair, program, quiet]);
    let program = |name: &str, at| Program { name: name.into(), isa: IsaId(0), func: FuncId(first + at) };
    module.programs = vec![program("plasma", 1), program("quiet", 2)];
    module
}

/// Number of the function with two results in [`objects`].
pub fn pair() -> FuncId {
    FuncId(service().funcs.len() as u32)
}

/// A function's code with the names of types in place of their numbers, which depend on the order of use.
pub fn listing(module: &Module, func: &Func) -> Vec<String> {
    let mut lines = instructions(module, &func.body);
    for line in &mut lines {
        for id in (0..module.types.len() as u32).rev() {
            let text = match &module.types[id as usize] {
                // Sets are shown by what is embedded of them, which is not the same.
                TypeDef::Cap(cap) => format!("{:?}", cap.instructions),
                TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Func(_) => module.type_text(Type::Ref(TypeId(id))),
            };
            *line = line.replace(&format!("TypeId({id})"), &text);
        }
        // Literals are numbered by use too; their text stands behind.
        if let (Some(from), Some(to)) = (line.find("StrId("), line.find(") ")) {
            line.replace_range(from..to, "");
        }
    }
    lines
}

/// Appends a function and compiles the module's disassembly; gives the function's listings before and after.
#[track_caller]
pub fn both(mut module: Module, added: Func) -> (Vec<String>, Vec<String>, String) {
    // Structs are named alike in both.
    let at = module.funcs.len();
    module.funcs.push(added);
    module.exports.push(Export { name: "added".into(), func: FuncId(at as u32) });
    let names = |name: &str, fields: &[&str]| TypeNames {
        name: name.into(),
        fields: fields.iter().map(|field| (*field).into()).collect(),
    };
    let mut types = vec![TypeNames::default(); module.types.len()];
    if !types.is_empty() {
        types[0] = names("Point", &["x", "y", "data", "small"]);
        types[1] = names("Named", &["name"]);
    }
    let none = vec![String::new(); module.funcs.len()];
    let locals = vec![Vec::new(); module.funcs.len()];
    let globals = vec![String::new(); module.globals.len()];
    let lines = vec![Vec::new(); module.funcs.len()];
    let func_files = vec![0; module.funcs.len()];
    let own =
        Names { files: vec!["x".into()], func_files, funcs: none, locals, globals, types, lines, ..Names::default() };
    module.names = Some(own);
    let (text, second) = again(&module);
    let found = second.export("added").unwrap();
    (listing(&module, &module.funcs[at]), listing(&second, &second.funcs[found.index()]), text)
}

/// A function that comes back as it was.
#[track_caller]
pub fn exact(params: &[Type], results: &[Type], locals: &[Type], body: Code) -> String {
    let (before, after, text) = both(objects(), func(params, results, locals, body));
    assert_eq!(before, after, "{text}");
    text
}
