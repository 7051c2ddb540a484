//! The disassembler: text compiled, disassembled and compiled again is the same module.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use il::instr::{Instr, Reader, TABLE, Writer};
use il::op::{Immediate, Op};
use il::text::{Options, Source, compile_with};
use il::{
    ArrayDef, CapDef, Data, DataId, DataPlace, Export, FieldId, Func, FuncId, GlobalId, IsaId, LocalId, Memory,
    MemoryId, Module, Names, Program, ProgramId, ProvidedId, Signature, Storage, StrId, StructDef, StructField, Type,
    TypeDef, TypeId, TypeNames, UseId, limits,
};
use interp::{Datum, Limits, Machine, Outcome, Packet};

mod common;

use common::{Code, code, func, global, service};

/// Every `.il` file in a folder and its folders.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "il") {
            found.push(entry);
        }
    }
    found.sort();
}

fn resolve(path: &str) -> Option<Source> {
    il::library::module(path).map(|(file, text)| Source { file: file.into(), text: text.into() })
}

fn compile(name: &str, source: &str) -> Result<Module, String> {
    let options = Options { known: isa::ALL, resolve: &resolve, tests: true };
    compile_with(name, source, &options).map_err(|all| all.to_string())
}

/// What a function's code says, for a message.
fn instructions(module: &Module, body: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(body);
    let mut all = Vec::new();
    while let Some(instr) = reader.next().unwrap() {
        all.push(match instr {
            Instr::StrConst(id) | Instr::Trap(id) | Instr::Assert(id) => {
                format!("{instr:?} {:?}", module.strings[id.index()])
            }
            other => format!("{other:?}"),
        });
    }
    all
}

/// The bytes that are hashed, and what they are made of.
#[track_caller]
fn assert_same(first: &Module, second: &Module, text: &str) {
    for (at, (one, two)) in first.funcs.iter().zip(&second.funcs).enumerate() {
        assert_eq!(instructions(first, &one.body), instructions(second, &two.body), "function {at} of:\n{text}");
        assert_eq!(one, two, "function {at} of:\n{text}");
    }
    let required = |module: &Module| Module { names: None, ..module.clone() };
    assert_eq!(required(first), required(second), "{text}");
    let bytes = |module: &Module| il::binary::encode(&required(module));
    assert_eq!(bytes(first), bytes(second), "{text}");
}

#[track_caller]
fn round_trip(name: &str, source: &str) {
    let first = compile(name, source).unwrap_or_else(|error| panic!("{name}: {error}"));
    il::verify(first.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = il::disasm::module(&first);
    let second = compile(name, &text).unwrap_or_else(|error| panic!("{name}, disassembled:\n{text}\n{error}"));
    assert_same(&first, &second, &text);
    assert_eq!(text, il::disasm::module(&second), "{name}");

    let nameless = Module { names: None, ..first.clone() };
    let text = il::disasm::module(&nameless);
    let third = compile(name, &text).unwrap_or_else(|error| panic!("{name}, without names:\n{text}\n{error}"));
    assert_same(&first, &third, &text);
}

#[test]
fn samples_survive() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["../samples", "../benches", "tests/text", "tests/disasm", "std"] {
        sources(&root.join(folder), &mut found);
    }
    assert!(found.len() > 20);
    let mut failed = Vec::new();
    for path in found {
        let source = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Err(why) = std::panic::catch_unwind(|| round_trip(&name, &source)) {
            failed.push((path, why.downcast_ref::<String>().cloned()));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

// Modules built by hand

/// Numbers of the definitions of [`objects`].
mod def {
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

const POINT: Type = Type::Ref(def::POINT);
const NAMED: Type = Type::Ref(def::NAMED);
const LIST: Type = Type::Ref(def::LIST);
const VAR_LIST: Type = Type::Ref(def::VAR_LIST);
const DEVICE: Type = Type::Ref(def::DEVICE);
const LESS: Type = Type::Ref(def::LESS);

/// What hand-made code refers to: the service of [`common`], and types, a program, globals and functions.
fn objects() -> Module {
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
fn pair() -> FuncId {
    FuncId(service().funcs.len() as u32)
}

/// A function's code with the names of types in place of their numbers, which depend on the order of use.
fn listing(module: &Module, func: &Func) -> Vec<String> {
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

/// The module of a text that is the disassembly of this one.
#[track_caller]
fn again(module: &Module) -> (String, Module) {
    il::verify(module.clone()).unwrap_or_else(|error| panic!("{error}"));
    let text = il::disasm::module(module);
    let again = compile("again.il", &text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    il::verify(again.clone()).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let stable = il::disasm::module(&again);
    let third = compile("third.il", &stable).unwrap_or_else(|error| panic!("{stable}\n{error}"));
    assert_same(&again, &third, &stable);
    (text, again)
}

/// Appends a function and compiles the module's disassembly; gives the function's listings before and after.
#[track_caller]
fn both(mut module: Module, added: Func) -> (Vec<String>, Vec<String>, String) {
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
    module.names = Some(Names { files: vec!["x".into()], func_files, funcs: none, locals, globals, types, lines });
    let (text, second) = again(&module);
    let found = second.export("added").unwrap();
    (listing(&module, &module.funcs[at]), listing(&second, &second.funcs[found.index()]), text)
}

/// A function that comes back as it was.
#[track_caller]
fn exact(params: &[Type], results: &[Type], locals: &[Type], body: Code) -> String {
    let (before, after, text) = both(objects(), func(params, results, locals, body));
    assert_eq!(before, after, "{text}");
    text
}

/// A value of a type, given to an operator: a parameter or a literal.
fn literal(code: Code, ty: Type) -> Option<Code> {
    match ty {
        Type::I32 => Some(code.i32(-7)),
        Type::I64 => Some(code.i64(7)),
        Type::F32 => Some(code.put(Instr::F32Const(1.5f32.to_bits()))),
        Type::F64 => Some(code.put(Instr::F64Const((-0.25f64).to_bits()))),
        Type::Bool => Some(code.yes()),
        _ => None,
    }
}

#[test]
fn every_operator_survives_with_locals_and_with_literals() {
    let mut module = objects();
    let first = module.funcs.len();
    for info in Op::TABLE {
        let immediate = Immediate {
            offset: if info.form.has_offset() { 24 } else { 0 },
            lane: info.form.lanes().map_or(0, |lanes| lanes - 1),
            ..Immediate::default()
        };
        let results: Vec<Type> = info.result.into_iter().collect();
        let mut add_with = |code: Code, immediate| {
            let code = code.put(Instr::Op(info.op, immediate));
            let code = if info.result.is_some() { code.ret() } else { code };
            module.funcs.push(func(info.params, &results, &[], code));
        };
        let plain = (0..info.params.len() as u32).fold(code(), Code::get);
        if info.op.touches_memory() {
            add_with(plain.clone(), Immediate { memory: MemoryId(1), ..immediate });
        }
        if info.op == Op::MemoryCopy {
            add_with(plain.clone(), Immediate { from: MemoryId(1), ..immediate });
        }
        let mut add = |code: Code| add_with(code, immediate);
        add(plain);
        // Each operand a literal in turn, then all of them.
        let count = info.params.len();
        for literals in (0..count).map(|at| 1 << at).chain([(1u32 << count) - 1]) {
            let operand = |code: Option<Code>, (at, ty): (usize, &Type)| match literals & (1 << at) {
                0 => code.map(|code| code.get(at as u32)),
                _ => code.and_then(|code| literal(code, *ty)),
            };
            if let Some(code) = info.params.iter().enumerate().fold(Some(code()), operand) {
                add(code);
            }
        }
    }
    let (text, second) = again(&module);
    assert_eq!(module.funcs.len(), second.funcs.len());
    for (one, two) in module.funcs.iter().zip(&second.funcs).skip(first) {
        assert_eq!(listing(&module, one), listing(&second, two), "{text}");
    }
}

/// Names of the instructions of a body.
fn kinds(body: &[u8], found: &mut BTreeSet<String>) {
    let mut reader = Reader::new(body);
    while let Some(instr) = reader.next().unwrap() {
        let name = format!("{instr:?}");
        found.insert(name.split('(').next().unwrap().to_owned());
    }
}

/// Parameters, results, locals and code of a function.
type Case = (Vec<Type>, Vec<Type>, Vec<Type>, Code);

fn case(params: &[Type], results: &[Type], locals: &[Type], code: Code) -> Case {
    (params.to_vec(), results.to_vec(), locals.to_vec(), code)
}

const NONE: &[Type] = &[];
const OPT_POINT: Type = Type::Opt(def::POINT);
const OPT_NAMED: Type = Type::Opt(def::NAMED);

fn null(ty: Type) -> Instr<'static> {
    Instr::Null(ty)
}

/// Functions over objects that come back as they were.
fn object_cases() -> Vec<Case> {
    vec![
        case(&[Type::Str], &[POINT], NONE, {
            let fields = code().i32(1).i64(2).put(null(Type::OptBuf)).i32(255).get(0);
            fields.put(Instr::StructNew(def::NAMED)).ret()
        }),
        case(&[NAMED], &[Type::I64], NONE, code().get(0).put(Instr::FieldGet(def::NAMED, FieldId(1))).ret()),
        // A field by the parent's definition takes a cast that does nothing.
        case(&[NAMED], &[Type::I64], NONE, code().get(0).put(Instr::FieldGet(def::POINT, FieldId(1))).ret()),
        case(&[POINT], &[Type::OptBuf], NONE, code().get(0).put(Instr::FieldTake(def::POINT, FieldId(2))).ret()),
        case(&[POINT, Type::Buf], &[], NONE, {
            let code = code().get(0).i32(300).put(Instr::FieldSet(def::POINT, FieldId(3)));
            code.get(0).take(1).put(Instr::FieldSet(def::POINT, FieldId(2)))
        }),
        case(&[Type::I32], &[LIST], NONE, code().get(0).i32(7).put(Instr::ArrayNew(def::LIST)).ret()),
        case(NONE, &[VAR_LIST], NONE, code().i32(1).i32(2).put(Instr::ArrayOf(def::VAR_LIST, 2)).ret()),
        case(NONE, &[Type::Any], NONE, code().i32(1).i32(2).put(Instr::ArrayOf(def::VAR_LIST, 2)).ret()),
        case(NONE, &[Type::I32], NONE, code().i32(1).put(Instr::ArrayOf(def::BYTES, 1)).put(Instr::ArrayLen).ret()),
        case(NONE, &[Type::Any], NONE, code().put(Instr::ArrayOf(def::LIST, 0)).ret()),
        case(&[NAMED, POINT], &[Type::Any], NONE, code().get(0).get(1).put(Instr::ArrayOf(def::POINTS, 2)).ret()),
        case(&[NAMED], &[Type::Any], NONE, code().get(0).put(Instr::ArrayOf(def::POINTS, 1)).ret()),
        case(&[NAMED], &[Type::Ref(def::POINTS)], NONE, code().get(0).put(Instr::ArrayOf(def::NAMEDS, 1)).ret()),
        case(&[LIST], &[Type::I32], NONE, code().get(0).i32(0).put(Instr::ArrayGet(def::LIST)).ret()),
        case(&[Type::Ref(def::NAMEDS)], &[POINT], NONE, code().get(0).i32(0).put(Instr::ArrayGet(def::POINTS)).ret()),
        case(
            &[Type::Ref(def::BUFS)],
            &[Type::OptBuf],
            NONE,
            code().get(0).i32(0).put(Instr::ArrayTake(def::BUFS)).ret(),
        ),
        case(&[VAR_LIST], NONE, NONE, code().get(0).i32(1).i32(2).put(Instr::ArraySet(def::VAR_LIST))),
        case(&[Type::Ref(def::BUFS)], NONE, NONE, {
            code().get(0).i32(1).put(null(Type::OptBuf)).put(Instr::ArraySet(def::BUFS))
        }),
        case(NONE, NONE, NONE, code().put(null(OPT_POINT)).put(Instr::GlobalSet(GlobalId(3)))),
        case(NONE, &[Type::OptBuf], NONE, code().put(Instr::GlobalTake(GlobalId(2))).ret()),
        case(NONE, &[Type::OptAny], NONE, code().put(Instr::GlobalGet(GlobalId(3))).ret()),
    ]
}

/// The same over references and their types.
fn reference_cases() -> Vec<Case> {
    vec![
        case(&[POINT, NAMED], &[Type::Bool], NONE, code().get(0).get(1).put(Instr::RefEq).ret()),
        case(&[OPT_POINT], &[Type::Bool], NONE, code().get(0).put(null(OPT_POINT)).put(Instr::RefNe).ret()),
        case(&[OPT_POINT], &[Type::Bool], NONE, code().put(null(OPT_POINT)).get(0).put(Instr::RefEq).ret()),
        case(&[OPT_POINT], &[Type::Bool], NONE, code().get(0).put(null(OPT_NAMED)).put(Instr::RefEq).ret()),
        case(NONE, &[Type::Bool], NONE, code().put(null(OPT_POINT)).put(null(OPT_POINT)).put(Instr::RefEq).ret()),
        case(&[Type::Any], &[Type::Bool], NONE, code().get(0).put(Instr::Is(NAMED)).op(Op::BoolNot).ret()),
        case(&[Type::OptAny], &[LIST], NONE, code().get(0).put(Instr::As(LIST)).ret()),
        case(&[LESS], &[DEVICE], NONE, code().get(0).put(Instr::As(DEVICE)).ret()),
        case(&[LESS], &[Type::Bool], NONE, code().get(0).put(Instr::Is(DEVICE)).ret()),
        case(&[Type::OptBuf], &[Type::Buf], NONE, code().take(0).put(Instr::As(Type::Buf)).ret()),
        case(&[Type::Str], &[Type::Str], NONE, code().get(0).put(Instr::Freeze).ret()),
        case(NONE, &[LIST], NONE, code().i32(4).put(Instr::ArrayOf(def::LIST, 1)).put(Instr::Freeze).ret()),
        case(&[OPT_POINT], &[POINT], &[POINT], {
            let code = code().get(0).put(Instr::IfAs(POINT, LocalId(1))).get(1).ret();
            code.put(Instr::Else).put(Instr::Trap(StrId(0))).end()
        }),
        case(&[Type::Any], &[Type::I32], &[NAMED, LIST], {
            let code =
                code().get(0).put(Instr::IfAs(NAMED, LocalId(1))).get(1).put(Instr::FieldGet(def::NAMED, FieldId(0)));
            let code =
                code.ret().put(Instr::Else).get(0).put(Instr::IfAs(LIST, LocalId(2))).get(2).put(Instr::ArrayLen);
            code.ret().end().end().i32(0).ret()
        }),
        case(&[Type::Bool, NAMED, POINT], &[Type::Bool], NONE, {
            let code = code().put(Instr::Cond(POINT)).get(0).put(Instr::Test).get(1).put(Instr::Else).get(2).end();
            code.get(2).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool, NAMED], &[Type::Bool], NONE, {
            let code = code().put(Instr::Cond(Type::Any)).get(0).put(Instr::Test).get(1).put(Instr::Else).get(1).end();
            code.get(1).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool], &[Type::Bool], NONE, {
            let code = code().put(Instr::Cond(OPT_POINT)).get(0).put(Instr::Test).put(null(OPT_POINT)).put(Instr::Else);
            code.put(null(OPT_POINT)).end().put(Instr::Is(NAMED)).ret()
        }),
        case(&[Type::Bool], &[Type::I64], NONE, {
            let code = code().put(Instr::Cond(Type::I64)).get(0).put(Instr::Test).i64(1).put(Instr::Else).i64(2).end();
            code.i64(3).op(Op::I64Add).ret()
        }),
    ]
}

/// The same with calls of all kinds.
fn call_cases() -> Vec<Case> {
    let device = UseId(0);
    let with = |mut code: Code, write: &dyn Fn(&mut Writer)| {
        write(code.writer());
        code
    };
    let local = |id| Some(LocalId(id));
    vec![
        case(NONE, &[Type::Ref(def::UNARY)], NONE, code().put(Instr::FuncRef(FuncId(0), def::UNARY)).ret()),
        case(NONE, &[Type::I32], NONE, {
            code().put(Instr::FuncRef(FuncId(0), def::UNARY)).i32(1).put(Instr::CallRef(def::UNARY)).ret()
        }),
        case(&[Type::Ref(def::PAIR)], &[Type::I64], &[Type::I32, Type::I64], {
            with(code().get(0).i32(1), &|code| code.call_ref_set(def::PAIR, &[local(1), local(2)])).get(2).ret()
        }),
        case(NONE, &[Type::I32], NONE, code().i32(3).put(Instr::Call(FuncId(0))).ret()),
        case(NONE, &[Type::I64], &[Type::I64], {
            with(code().i32(3), &|code| code.call_set(pair(), &[None, local(0)])).get(0).ret()
        }),
        case(NONE, &[Type::I32], NONE, code().i32(3).put(Instr::ReturnCall(FuncId(0)))),
        case(&[Type::Ref(def::UNARY)], &[Type::I32], NONE, code().get(0).i32(3).put(Instr::ReturnCallRef(def::UNARY))),
        case(NONE, &[DEVICE], NONE, code().put(Instr::Cap(device, def::DEVICE)).ret()),
        case(NONE, &[Type::Any], NONE, code().put(Instr::Cap(device, def::LESS)).ret()),
        case(NONE, &[LESS], NONE, code().put(Instr::Cap(device, def::DEVICE)).put(Instr::Attenuate(def::LESS)).ret()),
        case(&[DEVICE], &[Type::Any], NONE, code().get(0).put(Instr::Attenuate(def::LESS)).ret()),
        case(&[DEVICE], &[Type::I32], NONE, code().get(0).put(Instr::SendTo(def::DEVICE, 2)).ret()),
        case(&[DEVICE], &[Type::I32], NONE, code().get(0).put(Instr::SendTo(def::LESS, 2)).ret()),
        case(NONE, &[Type::I32], NONE, {
            code().put(Instr::Cap(device, def::DEVICE)).put(Instr::SendTo(def::DEVICE, 2)).ret()
        }),
        case(&[DEVICE], &[Type::I32], NONE, code().get(0).put(Instr::TryTo(def::DEVICE, 4)).ret()),
        case(&[DEVICE], NONE, NONE, with(code().get(0).i32(1), &|code| code.send_to_set(def::DEVICE, 1, &[]))),
        case(&[DEVICE], &[Type::I32], &[Type::I32, Type::I32], {
            let code = with(code().get(0), &|code| code.try_to_set(def::DEVICE, 2, &[local(1), local(2)]));
            code.get(1).get(2).op(Op::I32Add).ret()
        }),
        case(
            &[LESS],
            NONE,
            NONE,
            code().get(0).put(Instr::Revoke).get(0).put(Instr::FlushCap).put(Instr::Flush(device)),
        ),
        case(NONE, NONE, NONE, code().put(Instr::Cap(device, def::LESS)).put(Instr::FlushCap)),
        case(
            NONE,
            &[Type::I32],
            NONE,
            code().put(Instr::Send(device, 2)).put(Instr::Try(device, 4)).op(Op::I32Add).ret(),
        ),
        case(NONE, &[Type::I32], &[Type::I32, Type::I32, Type::I64], {
            let code = code().i32(1).send_set(0, 1, &[]).try_set(0, 3, &[0, 1, 2]).get(0).i32(0).op(Op::I32Ne);
            code.put(Instr::If).get(0).ret().end().get(1).ret()
        }),
        case(NONE, &[Type::I32], &[Type::I32], {
            with(code().i32(9), &|code| code.run_set(device, ProgramId(0), &[local(0)])).get(0).ret()
        }),
        case(NONE, &[Type::I32], &[Type::I32], {
            let code = with(code().i32(9), &|code| code.run_try_set(device, ProgramId(0), &[local(0), None]));
            code.put(Instr::RunSend(device, ProgramId(1))).get(0).ret()
        }),
    ]
}

/// The same with what is left.
fn other_cases() -> Vec<Case> {
    vec![
        case(&[Type::V128], &[Type::V128], NONE, {
            code().get(0).get(0).put(Instr::Shuffle([31, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16])).ret()
        }),
        case(NONE, &[Type::F32, Type::F32, Type::F64], NONE, {
            let code = code().put(Instr::F32Const(0x7fc0_0001)).put(Instr::F32Const(0xff80_0000));
            code.put(Instr::F64Const(0x7ff8_0000_0000_0001)).ret()
        }),
        case(
            &[Type::Bool],
            NONE,
            NONE,
            code().get(0).put(Instr::Assert(StrId(0))).put(Instr::Wait).put(Instr::WaitForever),
        ),
        case(NONE, &[Type::Bool], NONE, code().str(0).op(Op::StrLen).discard().yes().op(Op::BoolNot).ret()),
        case(&[Type::I64], &[Type::I32], NONE, {
            let code = code().get(0).put(Instr::Switch).arm(&[1, -2]).i32(1).ret().put(Instr::Default).end();
            code.i64(1).put(Instr::GlobalGet(GlobalId(0))).op(Op::I64FromI32S).op(Op::I64Shl).discard().i32(2).ret()
        }),
        case(&[Type::I32], NONE, &[Type::I32, Type::I64], {
            let code = code().i32(0).get(0).put(Instr::For(LocalId(1))).put(Instr::Loop).get(1).i32(3).op(Op::I32Eq);
            let code = code.put(Instr::If).put(Instr::Continue(1)).end().put(Instr::Break(0)).end().end();
            let code = code.i64(1).set(2).put(Instr::While).get(2).i64(9).op(Op::I64LtS).put(Instr::Test);
            code.get(2).i64(1).op(Op::I64Add).set(2).end()
        }),
    ]
}

/// The same with blocks, choices, memories and segments.
fn format_4_cases() -> Vec<Case> {
    let choose = |code: Code, ty| code.put(Instr::Select(ty));
    vec![
        case(&[Type::Bool], &[Type::I32], NONE, choose(code().i32(1).i32(2).get(0), Type::I32).ret()),
        case(&[Type::Bool], &[Type::I64], NONE, choose(code().i64(1).i64(2).get(0), Type::I64).ret()),
        case(&[Type::Bool], &[Type::Bool], NONE, {
            choose(code().i64(1).i64(2).get(0), Type::I64).i64(3).op(Op::I64Eq).ret()
        }),
        case(&[Type::Bool, Type::F32], &[Type::F32], NONE, {
            choose(code().put(Instr::F32Const(0)).get(1).get(0), Type::F32).op(Op::F32Neg).ret()
        }),
        case(&[Type::Bool, Type::I64], NONE, &[Type::I64, Type::I64, Type::F32], {
            let code = choose(choose(code().i64(1).i64(2).get(0), Type::I64).i64(-3).get(0), Type::I64).set(2);
            let code = choose(code.get(1).i64(2).get(1).i64(9).op(Op::I64LtS), Type::I64).set(3);
            choose(code.put(Instr::F32Const(0)).put(Instr::F32Const(1)).get(0), Type::F32).set(4)
        }),
        case(&[Type::Bool, Type::Str], &[Type::Str], NONE, choose(code().str(0).get(1).get(0), Type::Str).ret()),
        case(&[Type::Bool, NAMED, POINT], &[Type::Any], NONE, choose(code().get(1).get(2).get(0), POINT).ret()),
        case(&[Type::Bool, NAMED, POINT], &[Type::Bool], NONE, {
            choose(code().get(1).get(2).get(0), POINT).get(2).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool, NAMED], &[Type::Bool], NONE, {
            choose(code().get(1).get(1).get(0), Type::Any).get(1).put(Instr::RefEq).ret()
        }),
        case(&[Type::Bool, NAMED], &[Type::I32], &[POINT], {
            let code = choose(code().get(1).get(1).get(0), POINT).set(2);
            choose(code.get(1).get(1).get(0), POINT).put(Instr::FieldGet(def::POINT, FieldId(0))).ret()
        }),
        case(&[Type::Bool, NAMED], &[OPT_POINT], NONE, {
            choose(code().put(null(OPT_POINT)).get(1).get(0), OPT_POINT).ret()
        }),
        case(&[Type::Bool], &[Type::Bool], NONE, {
            choose(code().put(null(OPT_POINT)).put(null(OPT_POINT)).get(0), OPT_POINT).put(Instr::Is(NAMED)).ret()
        }),
        case(&[LESS, Type::Bool], &[Type::Any], NONE, choose(code().get(0).get(0).get(1), LESS).ret()),
        case(&[Type::Bool], NONE, NONE, {
            let cap = Instr::Cap(UseId(0), def::LESS);
            choose(code().put(cap).put(cap).get(0), LESS).put(Instr::FlushCap)
        }),
        // Blocks and loops inside one another, left and repeated from the innermost one.
        case(&[Type::Bool], NONE, NONE, {
            let nested = code().put(Instr::Block).put(Instr::Loop).put(Instr::Block).put(Instr::Loop).put(Instr::Block);
            let leave = |code: Code, jump| code.get(0).put(Instr::If).put(jump).end();
            let jumps = (0..5).map(Instr::Break).chain([Instr::Continue(1), Instr::Continue(3)]);
            (0..5).fold(jumps.fold(nested, leave), |code, _| code.end())
        }),
        case(&[Type::I32], &[Type::I32], NONE, {
            let code = code().put(Instr::Block).get(0).put(Instr::Switch).arm(&[1]).put(Instr::Break(0));
            code.put(Instr::Default).get(0).put(Instr::Exit).end().end().i32(7).ret()
        }),
        case(NONE, &[Type::I32], NONE, code().put(Instr::Block).i32(300).put(Instr::Exit).end()),
        case(&[Type::I32], NONE, NONE, {
            let init = |code: Code, data, memory| {
                code.get(0).i32(0).i32(2).put(Instr::MemoryInit(DataId(data), MemoryId(memory)))
            };
            let code = init(init(init(code(), 0, 1), 1, 0), 2, 1);
            code.put(Instr::DataDrop(DataId(1))).put(Instr::DataDrop(DataId(2)))
        }),
    ]
}

/// Puts a body into the place of one of the functions of [`objects`]; its listings before and after.
#[track_caller]
fn replaced(at: FuncId, replacement: Func, find: impl Fn(&Module) -> FuncId, found: &mut BTreeSet<String>) {
    kinds(&replacement.body, found);
    let mut module = objects();
    let pure = module.funcs[at.index()].pure;
    module.funcs[at.index()] = Func { pure, ..replacement };
    let before = listing(&module, &module.funcs[at.index()]);
    let (text, second) = again(&module);
    assert_eq!(before, listing(&second, &second.funcs[find(&second).index()]), "{text}");
}

#[test]
fn every_instruction_survives() {
    let mut found = BTreeSet::new();
    let cases = [object_cases(), reference_cases(), call_cases(), other_cases(), format_4_cases()];
    for (params, results, locals, code) in cases.concat() {
        kinds(&code.clone().bytes(), &mut found);
        exact(&params, &results, &locals, code);
    }
    // What stands only in programs and ops.
    let mut tried = code();
    tried.writer().own_try_set(2, &[None, Some(LocalId(1))]);
    let mut sent = code().get(0);
    sent.writer().own_set(1, &[]);
    let sum = code().put(Instr::Own(2)).put(Instr::OwnTry(4)).op(Op::I32Add).ret();
    let program = |module: &Module| module.programs[0].func;
    for (locals, body) in [(NONE, sum), (&[Type::I32], tried.get(1).ret()), (NONE, sent.get(0).ret())] {
        let body = func(&[Type::I32], &[Type::I32], locals, body);
        replaced(program(&objects()), body, program, &mut found);
    }
    let answer = code().put(Instr::Caller).i32(0).op(Op::I32Eq).put(Instr::If).i32(2).put(Instr::Fail).end();
    let answer = func(
        &[],
        &[Type::I32],
        &[],
        answer
            .i64(1)
            .put(Instr::Emit(ProvidedId(0), 1))
            .i64(2)
            .put(Instr::Caller)
            .put(Instr::EmitTo(ProvidedId(0), 1))
            .i32(1)
            .ret(),
    );
    let op = |module: &Module| module.provides[0].ops[1];
    replaced(op(&objects()), answer, op, &mut found);
    let forwards = code().put(Instr::Caller).i32(0).op(Op::I32Eq).put(Instr::If).put(Instr::Forward(UseId(0), 2)).end();
    let cap = Instr::Cap(UseId(0), def::DEVICE);
    let forwards = func(&[], &[Type::I32], &[], forwards.put(cap).put(Instr::ForwardTo(def::DEVICE, 2)));
    replaced(op(&objects()), forwards, op, &mut found);

    let missing: Vec<&str> = TABLE.iter().map(|info| info.name).filter(|name| !found.contains(*name)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

// Code that text has no words for

/// What a function of a module gives.
fn outcome(module: &Module, at: FuncId, args: &[Datum]) -> String {
    let verified = il::verify(module.clone()).unwrap();
    let mut machine = Machine::new(&verified, Limits { check: true, ..Limits::default() }).unwrap();
    match machine.call(at, args).unwrap() {
        Outcome::Done(values) => format!("{values:?}"),
        Outcome::Trap(report) => format!("{:?}", report.kind),
        other => panic!("{other:?}"),
    }
}

/// What comes of a function that changes on its way through text; with each of these arguments it does what it did.
#[track_caller]
fn rewritten(params: &[Type], results: &[Type], locals: &[Type], body: Code, runs: &[&[Datum]]) -> String {
    let mut module = objects();
    let at = FuncId(module.funcs.len() as u32);
    module.funcs.push(func(params, results, locals, body));
    module.exports.push(Export { name: "added".into(), func: at });
    let (text, second) = again(&module);
    for args in runs {
        let found = second.export("added").unwrap();
        assert_eq!(outcome(&module, at, args), outcome(&second, found, args), "{args:?}: {text}");
    }
    let from = text.find("export func added").unwrap();
    text[from..].to_owned()
}

/// A new struct of [`objects`].
fn named(code: Code) -> Code {
    let code = code.i32(1).i64(2).put(null(Type::OptBuf)).i32(3).str(0);
    code.put(Instr::StructNew(def::NAMED))
}

#[test]
fn forms_without_words_are_rewritten() {
    use Datum::{Bool, I32};

    // A swap of parameters.
    let swap = code().get(1).get(0).set_all(&[Some(LocalId(0)), Some(LocalId(1))]).get(0).get(1).op(Op::I32Sub).ret();
    let text = rewritten(&[Type::I32, Type::I32], &[Type::I32], NONE, swap, &[&[I32(3), I32(5)]]);
    assert!(text.contains("var t0_2 = t0\n") && text.contains("t0_2 = v\n"), "{text}");

    // A local of no value at hand, assigned in both branches.
    let choice = named(code().get(0).put(Instr::If)).set(1).i32(1).discard().put(Instr::Else);
    let choice = named(choice).set(1).i32(2).discard().end().get(1).put(Instr::FieldGet(def::NAMED, FieldId(4))).ret();
    let text = rewritten(&[Type::Bool], &[Type::Str], &[NAMED], choice, &[&[Bool(true)], &[Bool(false)]]);
    assert!(text.contains(": ?S1 = null") && text.contains("return (t1 as S1).f4"), "{text}");

    // A loop's local that the loop changes, and one that is read behind it.
    let count =
        code().i32(0).set(1).i32(0).set(2).i32(0).get(0).put(Instr::For(LocalId(1))).get(1).get(2).op(Op::I32Add);
    let count = count.set(2).i32(40).set(1).end().get(1).get(2).op(Op::I32Add).ret();
    let text = rewritten(&[Type::I32], &[Type::I32], &[Type::I32; 2], count, &[&[I32(5)], &[I32(0)]]);
    assert!(text.contains("for v in 0..t0 {\n    t1 = v"), "{text}");

    // A local that `if.as` assigns and others too.
    let binds = code().put(null(Type::OptAny)).set(1).get(0).put(Instr::IfAs(Type::Str, LocalId(1))).end();
    let binds = binds.get(1).put(Instr::Is(Type::Str)).ret();
    let text = rewritten(&[Type::Str], &[Type::Bool], &[Type::OptAny], binds, &[&[Datum::Str("a".into())]]);
    assert!(text.contains("if let v = t0 as str {\n    t1 = v"), "{text}");

    // A call at the root, a choice at the root, a `switch` without `default`.
    let mut root = code().i32(1);
    root.writer().call_set(FuncId(0), &[Some(LocalId(1))]);
    let root = root.put(Instr::Cond(Type::I32)).get(0).put(Instr::Test).get(1).put(Instr::Else).i32(2).end().set(1);
    let root = root.get(1).put(Instr::Switch).arm(&[2]).i32(7).set(1).end().get(1).ret();
    let text = rewritten(&[Type::Bool], &[Type::I32], &[Type::I32], root, &[&[Bool(true)], &[Bool(false)]]);
    assert!(text.contains("_ => {}"), "{text}");
}

#[test]
fn deep_expressions_are_taken_apart_in_order() {
    use Datum::{Bool, I32};

    // Functions below one another, after something that one of them changes.
    let chain =
        |code: Code, height| (0..height).fold(code.get(1), |code, _| code.put(Instr::Call(FuncId(0))).op(Op::I32Clz));
    let runs: &[&[Datum]] = &[&[Bool(true), I32(77)], &[Bool(false), I32(-1)]];
    let sum = chain(code().put(Instr::GlobalGet(GlobalId(0))), 450).op(Op::I32Sub).ret();
    let text = rewritten(&[Type::Bool, Type::I32], &[Type::I32], NONE, sum, runs);
    assert!(text.find("= g0").unwrap() < text.find("f0(").unwrap() && text.lines().count() > 30, "{text}");

    let choice = code().put(Instr::GlobalGet(GlobalId(0))).put(Instr::Cond(Type::I32)).get(0).put(Instr::Test);
    let choice = chain(chain(choice, 90).put(Instr::Else), 91).end().op(Op::I32Sub).ret();
    let text = rewritten(&[Type::Bool, Type::I32], &[Type::I32], NONE, choice, runs);
    assert!(text.find("= g0").unwrap() < text.find("if t0 {").unwrap(), "{text}");

    let tested = chain(code().put(Instr::While), 90).i32(0).op(Op::I32LtS).put(Instr::Test).i32(-1).set(1).end();
    let text = rewritten(&[Type::Bool, Type::I32], NONE, NONE, tested, runs);
    assert!(text.contains("loop {") && text.contains("break"), "{text}");
}

/// Runs with a small stack, which what recurses too deeply exceeds. Unoptimised frames are several times as large.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    let bytes = if cfg!(debug_assertions) { 2 << 20 } else { 1 << 20 };
    std::thread::Builder::new().stack_size(bytes).spawn(run).unwrap().join().unwrap();
}

/// The verifier allows for more than text holds: such bodies are listed, or taken apart, and nothing recurses with them.
#[test]
fn the_deepest_modules_are_shown() {
    let constructs: [fn(Code) -> Code; 4] = [
        |code| code.put(Instr::Block),
        |code| code.put(Instr::Loop),
        |code| code.get(0).put(Instr::If),
        |code| code.get(0).put(Instr::If).put(Instr::Else),
    ];
    for open in constructs {
        for depth in [limits::SOURCE_NESTING, 2 * limits::SOURCE_NESTING, limits::NESTING] {
            let deep = (0..depth).fold((0..depth).fold(code(), |code, _| open(code)), |code, _| code.end());
            let module = Module { funcs: vec![func(&[Type::Bool], &[], &[], deep)], ..Module::default() };
            on_small_stack(move || {
                il::verify(module.clone()).unwrap();
                assert!(il::disasm::module(&module).contains("has no text"));
            });
        }
    }
    let open = |code: Code| code.put(Instr::Cond(Type::Bool));
    let close = |code: Code| code.put(Instr::Test).yes().put(Instr::Else).yes().end();
    // As high as trees may be, most of it in the conditions.
    for depth in [limits::SOURCE_NESTING, limits::EXPRESSION_DEPTH - 1] {
        let deep = (0..depth).fold((0..depth).fold(code(), |code, _| open(code)).yes(), |code, _| close(code));
        let module = Module { funcs: vec![func(&[], &[], &[], deep.discard())], ..Module::default() };
        on_small_stack(move || {
            il::verify(module.clone()).unwrap();
            assert!(!il::disasm::module(&module).is_empty());
        });
    }
    let select = |code: Code| code.i32(1).get(0).put(Instr::Select(Type::I32));
    let tall = (0..limits::EXPRESSION_DEPTH).fold(code().i32(1), |code, _| select(code)).discard();
    let module = Module { funcs: vec![func(&[Type::Bool], &[], &[], tall)], ..Module::default() };
    on_small_stack(move || _ = again(&module));
}

#[test]
fn what_has_no_text_is_listed() {
    // Deeper than text nests.
    let opened = (0..200).fold(code(), |code, _| code.get(0).put(Instr::If));
    let deep = (0..200).fold(opened, |code, _| code.end());
    let module = Module { funcs: vec![func(&[Type::Bool], &[], &[], deep)], ..Module::default() };
    il::verify(module.clone()).unwrap();
    assert!(il::disasm::module(&module).contains("// 0: Get(LocalId(0))"));

    let broken = func(&[], &[], &[], code().op(Op::I32Add));
    let module = Module { funcs: vec![broken], ..Module::default() };
    assert!(il::disasm::module(&module).contains("// 0: Op(I32Add"));

    let hostile = Module { name: "a\u{1b}[2J\nfunc".into(), ..Module::default() };
    assert!(!il::disasm::module(&hostile).contains(['\u{1b}']), "names cannot act on a terminal");
}

/// Any bytes that are a module's give some text.
#[test]
fn damaged_modules_are_shown_all_the_same() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text/arrays.il")).unwrap();
    let module = compile("arrays.il", &source).unwrap();
    let mut shown = 0;
    for at in 0..module.funcs.len() {
        for byte in 0..module.funcs[at].body.len() {
            for flip in [1, 7, 0x40] {
                let mut damaged = module.clone();
                damaged.funcs[at].body[byte] ^= flip;
                shown += il::disasm::module(&damaged).len();
            }
        }
    }
    assert!(shown > 0);
    for at in 0..module.types.len() {
        let mut damaged = module.clone();
        damaged.types.remove(at);
        assert!(!il::disasm::module(&damaged).is_empty());
    }
}

// Random modules

/// A value to begin with.
fn first_value(ty: Type) -> Datum {
    match ty {
        Type::I32 => Datum::I32(5),
        Type::I64 => Datum::I64(-3),
        Type::F32 => Datum::F32(1.5f32.to_bits()),
        Type::F64 => Datum::F64((-0.25f64).to_bits()),
        Type::V128 => Datum::V128([7; 16]),
        Type::Bool => Datum::Bool(true),
        Type::Str => Datum::Str("text".into()),
        _ => Datum::Buf(vec![1; 40]),
    }
}

/// What can be seen of the exported functions in turn, where whatever they send or ask for fails. Where a trap comes from
/// is not compared: the text has lines of its own.
fn observed(module: Module) -> Vec<String> {
    let exports: Vec<(String, FuncId)> =
        module.exports.iter().map(|export| (export.name.clone(), export.func)).collect();
    let verified = il::verify(module).unwrap();
    let mut machine = Machine::new(&verified, Limits { check: true, fuel: 1_000_000, ..Limits::default() }).unwrap();
    (0..machine.slots()).for_each(|slot| machine.open_slot(slot));
    let mut seen = Vec::new();
    for (name, func) in exports {
        let args: Vec<Datum> = verified.sig(func).unwrap().params.iter().map(|ty| first_value(*ty)).collect();
        let mut outcome = machine.enter(func, Packet::of(&args)).unwrap();
        seen.push(name);
        loop {
            let refused = Err(il::trap::Status::NotSupported);
            outcome = match outcome {
                Outcome::Done(values) => break seen.push(format!("{values:?}")),
                Outcome::Trap(report) => break seen.push(format!("{:?} {}", report.kind, report.message)),
                Outcome::OutOfFuel | Outcome::WaitForever => return seen,
                Outcome::Exit(code) => {
                    seen.push(format!("exit {code}"));
                    return seen;
                }
                Outcome::Room { slot, .. } | Outcome::Flush { slot } => {
                    seen.push(format!("{:?}", machine.take_packet(slot)));
                    machine.resume(0).unwrap()
                }
                Outcome::Call { slot, opcode } => {
                    seen.push(format!("{opcode} {:?}", machine.take_packet(slot)));
                    machine.resume_call(refused).unwrap()
                }
                Outcome::Own { .. } | Outcome::Run { .. } => machine.resume_call(refused).unwrap(),
                Outcome::Attenuate { .. } | Outcome::Revoke { .. } => {
                    machine.refuse(il::trap::Status::NotSupported).unwrap()
                }
                Outcome::Wait | Outcome::Fail(_) | Outcome::Forward { .. } => machine.resume(0).unwrap(),
            };
        }
        machine.revive();
    }
    seen
}

/// Whatever the verifier accepts has a text that does the same.
#[test]
fn random_modules_do_as_text_what_they_did() {
    let count = std::env::var("MODULES").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
    let mut wrong = Vec::new();
    // The last ones have shown mistakes: a status that text refuses, a local that is bound where it is a value.
    for seed in (0..count).chain([781, 914]) {
        let module = generate::module(seed, &generate::Config::default());
        let text = il::disasm::module(&module);
        match compile("random.il", &text) {
            Ok(second) => {
                let (before, after) = (observed(module), observed(second));
                if let Some(at) = before.iter().zip(&after).position(|(one, two)| one != two) {
                    wrong.push(format!("seed {seed}: {} became {}", before[at], after[at]));
                } else if before.len() != after.len() {
                    wrong.push(format!("seed {seed}: {} became {}", before.len(), after.len()));
                }
            }
            Err(why) => wrong.push(format!("seed {seed}: {}", why.lines().take(6).collect::<Vec<_>>().join(" | "))),
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
