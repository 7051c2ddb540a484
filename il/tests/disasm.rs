//! The disassembler: text compiled, disassembled and compiled again is the same module.

use std::fs;
use std::path::{Path, PathBuf};

use il::instr::{Instr, Reader, TABLE};
use il::op::{Immediate, Op};
use il::text::{Options, Source, compile_with};
use il::{
    ArrayDef, CapDef, Export, FieldId, Func, FuncId, GlobalId, IsaId, LocalId, Module, Names, Program, ProgramId,
    Signature, Storage, StrId, StructDef, StructField, Type, TypeDef, TypeId, TypeNames, UseId,
};

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
    let fields = vec![value(false, Type::I32), value(true, Type::I64), value(true, Type::OptBuf), field(true, Storage::U8)];
    module.types = vec![
        TypeDef::Struct(StructDef { parent: None, frozen: false, fields }),
        TypeDef::Struct(StructDef { parent: Some(def::POINT), frozen: false, fields: vec![value(false, Type::Str)] }),
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
    let text = il::disasm::module(&again);
    let third = compile("third.il", &text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_same(&again, &third, &text);
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
    for info in Op::TABLE {
        let immediate = Immediate {
            offset: if info.form.has_offset() { 24 } else { 0 },
            lane: info.form.lanes().map_or(0, |lanes| lanes - 1),
        };
        let finish = |code: Code| {
            let code = code.put(Instr::Op(info.op, immediate));
            if info.result.is_some() { code.ret() } else { code }
        };
        let results: Vec<Type> = info.result.into_iter().collect();
        let locals = (0..info.params.len() as u32).fold(code(), Code::get);
        exact(info.params, &results, &[], finish(locals));

        // Each operand a literal in turn, then all of them.
        let count = info.params.len();
        for literals in (0..count).map(|at| 1 << at).chain([(1u32 << count) - 1]) {
            let operand = |code: Option<Code>, (at, ty): (usize, &Type)| match literals & (1 << at) {
                0 => code.map(|code| code.get(at as u32)),
                _ => code.and_then(|code| literal(code, *ty)),
            };
            if let Some(code) = info.params.iter().enumerate().fold(Some(code()), operand) {
                exact(info.params, &results, &[], finish(code));
            }
        }
    }
}
