//! For each limit a module that stands at it, and one that is a step past it.

use il::instr::Instr;
use il::isa::InstructionSet;
use il::{
    Data, Export, Func, FuncId, Handler, IsaId, Memory, Module, Names, Program, Provides, StructDef, Test, Type,
    TypeDef, TypeId, Use, UseId, limits,
};

use super::corpus::world::{array, structure};
use super::{Code, code, device_set, event, func, global, instruction};

const I32: Type = Type::I32;

/// A module with so many of what is limited.
pub type Build = fn(usize) -> Module;

/// By the limit's name in [`limits::ALL`].
pub const BUILDS: &[(&str, Build)] = &[
    ("NAME_BYTES", |count| Module { name: "n".repeat(count), ..Module::default() }),
    ("STRINGS", |count| Module { strings: (0..count).map(|at| at.to_string()).collect(), ..Module::default() }),
    ("STRING_BYTES", |count| Module { strings: vec!["s".repeat(count)], ..Module::default() }),
    ("TYPES", |count| Module { types: vec![empty(None); count], ..Module::default() }),
    ("FIELDS", |count| Module { types: vec![fields(None, 1), fields(Some(0), count - 1)], ..Module::default() }),
    ("ALL_FIELDS", |count| {
        let wide = limits::FIELDS;
        let mut types = vec![fields(None, wide)];
        types.extend((1..count / wide).map(|_| empty(Some(0))));
        types.push(fields(None, count % wide));
        Module { types, ..Module::default() }
    }),
    ("SHAPE_PARTS", |count| {
        // The type itself is one part, a struct two, a field two.
        let rest = count / 2 - 3;
        let types = vec![
            frozen("A", &[Type::Ref(TypeId(1)), Type::Ref(TypeId(2))], 0),
            frozen("B", &[], limits::FIELDS),
            frozen("C", &[], rest - 2 - limits::FIELDS),
        ];
        Module { types, ..operands(&[Type::Ref(TypeId(0))], None) }
    }),
    ("SHAPE_BYTES", |count| {
        // `frozen struct NAME{i8,..}`
        let bytes = |name: &str, fields: usize| "frozen struct {}".len() + name.len() + 3 * fields;
        let (mut types, mut left) = (vec![], count);
        while left > 4000 {
            let name = format!("S{}", types.len());
            left -= bytes(&name, 1000);
            types.push(frozen(&name, &[], 1000));
        }
        let fields = (left - 20) / 3;
        let name = "N".repeat(left - bytes("", fields));
        types.push(frozen(&name, &[], fields));
        let all: Vec<Type> = (0..types.len() as u32).map(|at| Type::Ref(TypeId(at))).collect();
        let sends = all.chunks(limits::ISA_OPERANDS).enumerate();
        let sends = sends.map(|(at, part)| instruction(at as u8 + 1, String::leak(format!("i{at}")), part, None));
        let set = InstructionSet { instructions: sends.collect::<Vec<_>>().into(), ..device_set() };
        Module { types, isas: vec![set], ..Module::default() }
    }),
    ("ARRAY_DEPTH", |count| {
        let mut types = vec![array(false, I32)];
        types.extend((1..count).map(|at| array(false, Type::Ref(TypeId(at as u32 - 1)))));
        Module { types, ..Module::default() }
    }),
    ("STRUCT_DEPTH", |count| {
        let mut types = vec![empty(None)];
        types.extend((1..count).map(|at| empty(Some(at as u32 - 1))));
        Module { types, ..Module::default() }
    }),
    ("INIT_BYTES", |count| {
        // Arrays of three-byte constants, a kilobyte each; the last one takes up the rest.
        let mut types = vec![array(false, I32), array(false, Type::Ref(TypeId(0)))];
        types.push(array(false, Type::Ref(TypeId(1))));
        let (inner, mut bytes, mut made) = (code().put(Instr::ArrayOf(TypeId(0), 0)).bytes().len(), vec![], 0);
        let end = code().put(Instr::ArrayOf(TypeId(1), 999)).bytes().len();
        while count - bytes.len() > 3 * limits::ARRAY_LITERAL + end + 100 {
            let body = (0..900).fold(code(), |body, _| body.i32(100)).put(Instr::ArrayOf(TypeId(0), 900));
            bytes.extend(body.bytes());
            made += 1;
        }
        let outer = code().put(Instr::ArrayOf(TypeId(1), made + 1)).bytes();
        let left = count - bytes.len() - outer.len() - inner;
        // One element of a length that makes up the difference, then elements of two bytes.
        let (mut rest, mut elements) = (code(), 0);
        let mut room = left - 1;
        while room > 0 {
            let value = if room % 2 == 1 { 100 } else { 1 };
            let size = if value == 100 { 3 } else { 2 };
            (rest, elements, room) = (rest.i32(value), elements + 1, room - size);
        }
        bytes.extend(rest.put(Instr::ArrayOf(TypeId(0), elements)).bytes());
        bytes.extend(outer);
        let mut one = global(false, Type::Ref(TypeId(1)), code());
        one.init = bytes;
        Module { types, globals: vec![one], ..Module::default() }
    }),
    ("INIT_OPERANDS", |count| {
        let body = (0..count).fold(code(), |body, _| body.i32(1)).put(Instr::ArrayOf(TypeId(0), count as u32));
        Module {
            types: vec![array(false, I32)],
            globals: vec![global(false, Type::Ref(TypeId(0)), body)],
            ..Module::default()
        }
    }),
    ("ARRAY_LITERAL", |count| {
        let body = (0..count).fold(code(), |body, _| body.i32(1)).put(Instr::ArrayOf(TypeId(0), count as u32));
        Module { types: vec![array(false, I32)], ..one(&[], body.discard()) }
    }),
    ("PROGRAMS", |count| {
        let program = |at: usize| Program { name: format!("p{at}"), isa: IsaId(0), func: FuncId(at as u32) };
        Module { programs: (0..count).map(program).collect(), isas: vec![device_set()], ..many(count) }
    }),
    ("TESTS", |count| {
        let test = |at: usize| Test { name: "t".into(), func: FuncId(at as u32) };
        // There are as many functions as tests, and no more: past the limit the last two share one.
        let tests = (0..count).map(|at| test(at.min(limits::FUNCS - 1))).collect();
        Module { tests, ..many(count.min(limits::FUNCS)) }
    }),
    ("FILES", |count| {
        let names = Names { files: vec!["a.il".into(); count], ..Names::default() };
        Module { names: Some(names), ..Module::default() }
    }),
    ("ISAS", |count| Module { isas: vec![device_set(); count], ..Module::default() }),
    ("ISA_ENTRIES", |count| {
        // Opcodes are bytes, so one more than all of them repeats one.
        let numbers = || (1..=count).map(|at| at.min(255) as u8);
        let name = |number: u8| String::leak(format!("n{number}"));
        let instructions: Vec<_> = numbers().map(|number| instruction(number, name(number), &[], None)).collect();
        let set = InstructionSet { instructions: instructions.into(), events: vec![].into(), ..device_set() };
        Module { isas: vec![set], ..Module::default() }
    }),
    ("USES", |count| Module { isas: vec![device_set()], uses: uses(count), ..Module::default() }),
    ("GLOBALS", |count| Module { globals: vec![global(false, I32, code().i32(0)); count], ..Module::default() }),
    ("MEMORIES", |count| Module { memories: vec![Memory { min: 0, max: 0 }; count], ..Module::default() }),
    ("MEMORY_PAGES", |count| Module { memories: vec![Memory { min: 0, max: count as u32 }], ..Module::default() }),
    ("DATA", |count| {
        let data = vec![Data { place: None, bytes: vec![1] }; count];
        Module { memories: vec![Memory { min: 1, max: 1 }], data, ..Module::default() }
    }),
    ("FUNCS", many),
    ("EXPORTS", |count| {
        let export = |at: usize| Export { name: format!("e{at}"), func: FuncId(0) };
        Module { exports: (0..count).map(export).collect(), ..many(1) }
    }),
    ("HANDLERS", |count| {
        let events: Vec<_> = (1..=255).map(|number| event(number, String::leak(format!("n{number}")), &[])).collect();
        let set = InstructionSet { events: events.into(), ..device_set() };
        let handler = |at: usize| Handler {
            source: UseId((at / 255) as u32),
            event: (at % 255 + 1) as u8,
            func: FuncId(at as u32),
        };
        Module { isas: vec![set], uses: uses(5), handlers: (0..count).map(handler).collect(), ..many(count) }
    }),
    ("PROVIDES", |count| {
        let set = |at: usize| InstructionSet {
            name: format!("s{at}").into(),
            instructions: vec![].into(),
            events: vec![].into(),
            ..device_set()
        };
        let provides = |at: usize| Provides { isa: IsaId(at as u32), name: None, ops: Vec::new() };
        Module {
            isas: (0..count).map(set).collect(),
            provides: (0..count).map(provides).collect(),
            ..Module::default()
        }
    }),
    ("PARAMS", |count| Module { funcs: vec![func(&vec![I32; count], &[], &[], code())], ..Module::default() }),
    ("RESULTS", |count| {
        let body = (0..count).fold(code(), |body, _| body.i32(1)).ret();
        Module { funcs: vec![func(&[], &vec![I32; count], &[], body)], ..Module::default() }
    }),
    ("ISA_OPERANDS", |count| operands(&vec![I32; count], None)),
    ("LOCALS", |count| one(&vec![I32; count], code())),
    ("BUFS", |count| one(&vec![Type::Buf; count], code())),
    ("BODY_BYTES", |count| {
        let mut body = Vec::with_capacity(count);
        let lump = code().put(Instr::F64Const(0)).discard().bytes();
        while body.len() + 2 * lump.len() < count {
            body.extend(&lump);
        }
        // What is left is filled with pairs of two bytes and, if odd, one of three.
        let wait = code().put(Instr::Wait).bytes();
        while body.len() < count {
            body.extend(&wait);
        }
        Module { funcs: vec![Func { body, ..Func::default() }], ..Module::default() }
    }),
    ("NESTING", |count| {
        let opened = (0..count).fold(code(), |body, _| body.put(Instr::Loop));
        one(&[], (0..count).fold(opened, |body, _| body.end()))
    }),
    ("OPERANDS", |count| {
        let pushed = (0..count).fold(code(), |body, _| body.i32(1));
        let types = vec![fields(None, count.min(limits::FIELDS))];
        Module { types, ..one(&[], pushed.put(Instr::StructNew(TypeId(0))).discard()) }
    }),
    ("EXPRESSION_DEPTH", |count| {
        one(&[], (0..count).fold(code().i32(1), |body, _| body.op(il::op::Op::I32Neg)).discard())
    }),
    ("DESTS", |count| one(&[], (0..count).fold(code(), |body, _| body.i32(1)).set_all(&vec![None; count]))),
    ("LOCAL_NAMES", |count| {
        let lists = count.div_ceil(limits::LOCALS);
        let full = vec![String::new(); limits::LOCALS];
        let mut locals = vec![full; lists];
        if let Some(last) = locals.last_mut() {
            last.truncate(count - (lists - 1) * limits::LOCALS);
        }
        Module { names: Some(Names { locals, ..Names::default() }), ..many(lists) }
    }),
];

/// The same limits where they hold for something else as well.
pub const MORE: &[(&str, &str, Build)] = &[
    ("ISA_OPERANDS", "results of an instruction", |count| operands(&[], Some(&vec![I32; count]))),
    ("ISA_OPERANDS", "of a program", |count| program(&vec![I32; count], &[])),
    ("ISA_OPERANDS", "results of a program", |count| program(&[], &vec![I32; count])),
    ("ISA_OPERANDS", "of an event", |count| {
        let set = InstructionSet { events: vec![event(1, "e", &vec![I32; count])].into(), ..device_set() };
        Module { isas: vec![set], ..Module::default() }
    }),
    ("PARAMS", "of a function type", |count| {
        let sig = il::Signature { params: vec![I32; count], results: vec![] };
        Module { types: vec![TypeDef::Func(sig)], ..Module::default() }
    }),
    ("ISA_ENTRIES", "events", |count| {
        let numbers = (1..=count).map(|at| at.min(255) as u8);
        let events: Vec<_> = numbers.map(|number| event(number, String::leak(format!("n{number}")), &[])).collect();
        let set = InstructionSet { instructions: vec![].into(), events: events.into(), ..device_set() };
        Module { isas: vec![set], ..Module::default() }
    }),
    ("ALL_FIELDS", "names", |count| {
        let lists = count.div_ceil(limits::FIELDS);
        let ty = |names: usize| il::TypeNames { name: String::new(), fields: vec![String::new(); names] };
        let mut types = vec![ty(limits::FIELDS); lists - 1];
        types.push(ty(count - (lists - 1) * limits::FIELDS));
        let defs = vec![empty(None); lists];
        Module { types: defs, names: Some(Names { types, ..Names::default() }), ..Module::default() }
    }),
];

fn fields(parent: Option<u32>, count: usize) -> TypeDef {
    let one = (false, il::Storage::I8);
    TypeDef::Struct(StructDef { ..structure(parent.map(TypeId), &vec![one; count]) })
}

fn frozen(name: &str, references: &[Type], bytes: usize) -> TypeDef {
    let references = references.iter().map(|ty| (false, il::Storage::Value(*ty)));
    let all: Vec<_> = references.chain((0..bytes).map(|_| (false, il::Storage::I8))).collect();
    TypeDef::Struct(StructDef { frozen: true, name: name.into(), ..structure(None, &all) })
}

fn empty(parent: Option<u32>) -> TypeDef {
    fields(parent, 0)
}

fn one(locals: &[Type], body: Code) -> Module {
    Module { funcs: vec![func(&[], &[], locals, body)], ..Module::default() }
}

fn many(count: usize) -> Module {
    Module { funcs: vec![func(&[], &[], &[], code()); count], ..Module::default() }
}

fn uses(count: usize) -> Vec<Use> {
    (0..count).map(|at| Use { name: format!("u{at}"), isa: IsaId(0) }).collect()
}

fn program(params: &[Type], results: &[Type]) -> Module {
    let body = results.iter().fold(code(), |body, _| body.i32(1)).ret();
    let program = Program { name: "p".into(), isa: IsaId(0), func: FuncId(0) };
    Module {
        programs: vec![program],
        isas: vec![device_set()],
        funcs: vec![func(params, results, &[], body)],
        ..Module::default()
    }
}

fn operands(params: &[Type], results: Option<&[Type]>) -> Module {
    let set = InstructionSet { instructions: vec![instruction(1, "i", params, results)].into(), ..device_set() };
    Module { isas: vec![set], ..Module::default() }
}

/// The value of a limit.
pub fn value(name: &str) -> usize {
    limits::ALL.iter().find(|(found, ..)| *found == name).map_or(0, |(_, value, _)| *value)
}
