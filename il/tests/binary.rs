//! The binary form: an example byte by byte, round trips, refusals, and hostile bytes.

mod common;

use std::borrow::Cow;

use common::{code, device_module, func, service};
use il::binary::{Problem, decode, encode, identity};
use il::instr::{Instr, Reader};
use il::isa::{Event, Field, Instruction, InstructionSet};
use il::op::{Immediate, Op};
use il::{
    ArrayDef, CapDef, Data, DataId, DataPlace, Export, Func, FuncId, Global, Handler, IsaId, Memory, MemoryId, Module,
    Names, Program, Provides, Signature, Storage, StructDef, StructField, Test, Type, TypeDef, TypeId, TypeNames, Use,
    UseId,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Reads hexadecimal bytes; `;` starts a comment.
fn hex(text: &str) -> Vec<u8> {
    let words = text.lines().flat_map(|line| line.split(';').next().unwrap_or("").split_whitespace());
    words.map(|word| u8::from_str_radix(word, 16).unwrap()).collect()
}

const ADD: &str = "
    00 69 6c 62               ; magic
    04 00                     ; version 4, no required features
    01 04  03 61 64 64        ; name: `add`
    0a 0f  01                 ; funcs: one
       00                     ; not pure
       02 01 01  01 01  00    ; (i32, i32) -> i32, no locals
       06  06 00  06 01  30  17 ; get 0, get 1, I32Add, return
    0b 06  01  03 61 64 64 00 ; exports: `add` = function 0
    81 1b                     ; names (optional)
       01  04 61 2e 69 6c     ; files: `a.il`
       01  00                 ; function 0 is from file 0
       01  03 61 64 64        ; function `add`
       01  02 01 61 01 62     ; its locals `a`, `b`
       00                     ; no globals
       00                     ; no types
       00 00                  ; no memories, no data segments
       01  01 00 03           ; its lines: byte 0 is line 3
";

fn add() -> Module {
    let body = code().get(0).get(1).op(Op::I32Add).ret();
    Module {
        name: "add".into(),
        funcs: vec![func(&[Type::I32, Type::I32], &[Type::I32], &[], body)],
        exports: vec![Export { name: "add".into(), func: FuncId(0) }],
        names: Some(Names {
            files: vec!["a.il".into()],
            func_files: vec![0],
            funcs: vec!["add".into()],
            locals: vec![vec!["a".into(), "b".into()]],
            globals: vec![],
            types: vec![],
            memories: vec![],
            data: vec![],
            lines: vec![vec![(0, 3)]],
        }),
        ..Module::default()
    }
}

fn problem(bytes: &[u8]) -> (usize, Problem) {
    let error = decode(bytes).expect_err("accepted");
    (error.offset, error.problem)
}

#[test]
fn a_small_module_byte_by_byte() {
    let bytes = hex(ADD);
    assert_eq!(encode(&add()), bytes);
    assert_eq!(decode(&bytes), Ok(add()));
    il::verify(add()).unwrap();
}

#[test]
fn memories_and_data_byte_by_byte() {
    let place = |memory, offset| Some(DataPlace { memory: MemoryId(memory), offset });
    let data = [(place(0, 300), "a"), (None, "bc"), (place(1, 0), "")];
    let module = Module {
        name: "m".into(),
        memories: vec![Memory { min: 1, max: 2 }, Memory { min: 0, max: 65536 }],
        data: data.map(|(place, bytes)| Data { place, bytes: bytes.into() }).into(),
        ..Module::default()
    };
    let bytes = hex("00 69 6c 62  04 00
         01 02  01 6d              ; name: `m`
         08 07  02 01 02  00 80 80 04 ; memories: two
         09 0d  03                 ; data: three
           01 ac 02  01 61         ; in memory 0 at 300: `a`
           00  02 62 63            ; nowhere: `bc`
           02 00  00               ; in memory 1 at 0: nothing
        ");
    assert_eq!(encode(&module), bytes);
    assert_eq!(decode(&bytes).as_ref(), Ok(&module));
    il::verify(module).unwrap();
}

/// The code of each new instruction, so that modules already written keep their meaning.
#[test]
fn instructions_of_blocks_memories_and_segments_byte_by_byte() {
    let in_memory = |op, memory, from, offset| {
        Instr::Op(op, Immediate { memory: MemoryId(memory), from: MemoryId(from), offset, lane: 0 })
    };
    for (instr, bytes) in [
        (Instr::Block, "2b"),
        (Instr::Select(Type::I64), "2c 02"),
        (Instr::MemoryInit(DataId(3), MemoryId(1)), "2d 03 01"),
        (Instr::DataDrop(DataId(300)), "2e ac 02"),
        (Instr::Exit, "2f"),
        (in_memory(Op::MemorySize, 0, 0, 0), "aa"),
        (in_memory(Op::MemorySize, 2, 0, 0), "fe 02 aa"),
        (in_memory(Op::Load32, 1, 0, 8), "fe 01 a2 08"),
        (in_memory(Op::MemoryCopy, 0, 0, 0), "ad"),
        (in_memory(Op::MemoryCopy, 0, 5, 0), "fe 00 ad 05"),
        (in_memory(Op::MemoryCopy, 5, 0, 0), "fe 05 ad 00"),
        (in_memory(Op::BufAt, 0, 0, 0), "fd 96 02"),
        (in_memory(Op::BufWrite, 1, 0, 0), "fe 01 fd 97 02"),
        (in_memory(Op::MemoryWrite, 0, 0, 0), "fd 98 02"),
    ] {
        let bytes = hex(bytes);
        assert_eq!(code().put(instr).bytes(), bytes, "{instr:?}");
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.next(), Ok(Some(instr)));
        assert_eq!(reader.next(), Ok(None));
    }
    for bytes in ["fe", "fe 01", "fe 00 aa", "fe 01 30", "fe 00 ad 00", "fe 01 2b", "fe 01 fe 01 aa", "2d 00", "2e"] {
        let bytes = hex(bytes);
        assert!(Reader::new(&bytes).next().is_err(), "{bytes:x?}");
    }
}

#[test]
fn identity_covers_the_required_sections_only() {
    let anonymous = Module { names: None, ..add() };
    assert_eq!(identity(&add()), identity(&anonymous));
    assert_eq!(identity(&anonymous), *blake3::hash(&encode(&anonymous)).as_bytes());
    assert_ne!(identity(&add()), identity(&Module { name: "sub".into(), ..add() }));
}

#[test]
fn unknown_optional_sections_are_skipped_and_required_ones_refused() {
    let mut bytes = encode(&add());
    let end = bytes.len();
    bytes.extend([0xc0, 2, 7, 7]);
    assert_eq!(decode(&bytes), Ok(add()));
    bytes[end] = 0x40;
    assert_eq!(problem(&bytes), (end, Problem::SectionOrder(0x40)));
    let mut bytes = encode(&Module { names: None, ..add() });
    let end = bytes.len();
    bytes.extend([0x40, 2, 7, 7]);
    assert_eq!(problem(&bytes), (end, Problem::UnknownSection(0x40)));
}

#[test]
fn every_module_has_one_encoding() {
    let head = [0, b'i', b'l', b'b', 4, 0];
    let with = |rest: &[u8]| problem(&[&head, rest].concat());
    assert_eq!(with(&[1, 2, 1, b'a', 1, 2, 1, b'b']), (10, Problem::SectionOrder(1)));
    assert_eq!(with(&[1, 0x82, 0, 1, b'a']), (7, Problem::NotShortest));
    assert_eq!(with(&[1, 0]), (7, Problem::EmptySection));
    assert_eq!(with(&[1, 1, 0]), (8, Problem::EmptySection));
    assert_eq!(with(&[2, 1, 0]), (8, Problem::EmptySection));
    assert_eq!(with(&[1, 3, 1, b'a', 9]), (10, Problem::TrailingBytes(1)));
    assert_eq!(with(&[1, 2, 1, 0xff]), (9, Problem::BadUtf8));
    assert_eq!(with(&[1, 9, 1, b'a']), (7, Problem::Truncated));
    assert_eq!(
        with(&[2, 6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        (8, Problem::Limit { count: 0xffff_ffff, limit: 65536 })
    );
    assert!(matches!(with(&[7, 4, 1, 2, 1, 0]), (9, Problem::BadCode { found: 2, .. })));
}

#[test]
fn headers_are_checked() {
    assert_eq!(problem(b"\x7fELF"), (0, Problem::NotAModule));
    assert_eq!(problem(b""), (0, Problem::NotAModule));
    assert_eq!(problem(b"\0ilb"), (4, Problem::Truncated));
    assert_eq!(problem(b"\0ilb\x01\0"), (4, Problem::Version(1)));
    assert_eq!(problem(b"\0ilb\x04\x05"), (5, Problem::Features(5)));
    let error = decode(b"\0ilb\x01\0").unwrap_err().to_string();
    assert_eq!(
        error,
        "byte 4: the format version: format version 1, expected 4; rebuild the module with a matching `ilc`"
    );
}

fn text() -> BoxedStrategy<String> {
    "[a-z.@ é]{0,6}".boxed()
}

fn ty() -> impl Strategy<Value = Type> + Clone {
    let refer = any::<(u32, bool)>().prop_map(|(id, null)| match null {
        false => Type::Ref(TypeId(id)),
        true => Type::Opt(TypeId(id)),
    });
    prop_oneof![4 => prop::sample::select(&Type::PLAIN[..]), 1 => refer].boxed()
}

fn storage() -> impl Strategy<Value = Storage> + Clone {
    let packed = (0..Storage::PACKED.len()).prop_map(|at| Storage::PACKED[at].1);
    prop_oneof![1 => packed, 3 => ty().prop_map(Storage::Value)].boxed()
}

fn signature() -> impl Strategy<Value = Signature> + Clone {
    (types(), types()).prop_map(|(params, results)| Signature { params, results }).boxed()
}

fn type_def() -> impl Strategy<Value = TypeDef> {
    let field = (any::<bool>(), storage()).prop_map(|(mutable, storage)| StructField { mutable, storage });
    let structs = (option::of(any::<u32>().prop_map(TypeId)), any::<bool>(), vec(field, 0..4)).prop_map(
        |(parent, frozen, fields)| {
            let name = if frozen { "Name".into() } else { String::new() };
            TypeDef::Struct(StructDef { parent, frozen, name, fields })
        },
    );
    let arrays =
        (any::<bool>(), storage()).prop_map(|(mutable, element)| TypeDef::Array(ArrayDef { mutable, element }));
    let caps = (any::<u32>(), vec(any::<u8>(), 0..4))
        .prop_map(|(isa, instructions)| TypeDef::Cap(CapDef { isa: IsaId(isa), instructions }));
    prop_oneof![structs, arrays, signature().prop_map(TypeDef::Func), caps]
}

fn types() -> impl Strategy<Value = Vec<Type>> + Clone {
    vec(ty(), 0..5).boxed()
}

fn fields() -> impl Strategy<Value = Cow<'static, [Field]>> + Clone {
    let field = (Just(()), ty()).prop_flat_map(|((), ty)| text().prop_map(move |name| Field { name: name.into(), ty }));
    prop::collection::vec(field.boxed(), 0..4).prop_map(Cow::Owned).boxed()
}

fn isa() -> impl Strategy<Value = InstructionSet> {
    let instruction =
        (any::<u8>(), text(), fields(), option::of(fields())).prop_map(|(opcode, name, params, results)| Instruction {
            opcode,
            name: name.into(),
            params,
            results,
            touches: Cow::Borrowed(&[]),
            doc: "".into(),
        });
    let event = (any::<u8>(), text(), fields(), any::<bool>()).prop_map(|(number, name, params, coalesced)| Event {
        number,
        name: name.into(),
        params,
        coalesced,
        doc: "".into(),
    });
    (text(), any::<u32>(), vec(instruction, 0..4), vec(event, 0..4)).prop_map(
        |(name, version, instructions, events)| InstructionSet {
            name: name.into(),
            version,
            instructions: instructions.into(),
            events: events.into(),
            doc: "".into(),
        },
    )
}

fn names() -> impl Strategy<Value = Names> {
    let lines = vec(vec(any::<(u32, u32)>(), 0..4), 0..3);
    let types = vec((text(), vec(text(), 0..3)).prop_map(|(name, fields)| TypeNames { name, fields }), 0..3);
    let texts = || vec(text(), 0..3);
    let places = (texts(), texts());
    (texts(), vec(any::<u32>(), 0..3), texts(), vec(texts(), 0..3), texts(), types, lines, places).prop_map(
        |(files, func_files, funcs, locals, globals, types, lines, (memories, data))| Names {
            files,
            func_files,
            funcs,
            locals,
            globals,
            types,
            memories,
            data,
            lines,
        },
    )
}

/// Any module, valid or not.
fn module() -> impl Strategy<Value = Module> {
    let func_id = || any::<u32>().prop_map(FuncId);
    let isa_id = || any::<u32>().prop_map(IsaId);
    let bytes = |most| vec(any::<u8>(), 0..most);
    let uses = vec((text(), isa_id()).prop_map(|(name, isa)| Use { name, isa }), 0..3);
    let provides = (isa_id(), option::of(text()), vec(func_id(), 0..3));
    let provides = vec(provides.prop_map(|(isa, name, ops)| Provides { isa, name, ops }), 0..3);
    let globals =
        vec((any::<bool>(), ty(), bytes(9)).prop_map(|(mutable, ty, init)| Global { mutable, ty, init }), 0..4);
    let memories = vec(any::<(u32, u32)>().prop_map(|(min, max)| Memory { min, max }), 0..3);
    let place = (0u32..300, any::<u32>()).prop_map(|(memory, offset)| DataPlace { memory: MemoryId(memory), offset });
    let data = vec((option::of(place), bytes(9)).prop_map(|(place, bytes)| Data { place, bytes }), 0..3);
    let func = (signature(), any::<bool>(), types(), bytes(40)).prop_map(|(sig, pure, locals, body)| Func {
        sig,
        pure,
        locals,
        body,
    });
    let exports = vec((text(), func_id()).prop_map(|(name, func)| Export { name, func }), 0..3);
    let handler = (any::<u32>(), any::<u8>(), func_id());
    let handlers = vec(handler.prop_map(|(id, event, func)| Handler { source: UseId(id), event, func }), 0..3);
    let program = (text(), isa_id(), func_id()).prop_map(|(name, isa, func)| Program { name, isa, func });
    let test = (text(), func_id()).prop_map(|(name, func)| Test { name, func });
    let first = (text(), vec(type_def(), 0..4), vec(isa(), 0..3), uses, provides, vec(text(), 0..4), globals);
    let second = (memories, data, vec(func, 0..4), exports, handlers, vec(program, 0..3), vec(test, 0..3));
    (first, second, option::of(names())).prop_map(|(first, second, names)| {
        let (name, types, isas, uses, provides, strings, globals) = first;
        let (memories, data, funcs, exports, handlers, programs, tests) = second;
        Module {
            name,
            types,
            isas,
            uses,
            provides,
            strings,
            globals,
            memories,
            data,
            funcs,
            exports,
            handlers,
            programs,
            tests,
            names,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_module_survives_the_round_trip(module in module()) {
        let bytes = encode(&module);
        let decoded = decode(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&decoded, &module);
        prop_assert_eq!(encode(&decoded), bytes);
        let _ = il::verify(decoded);
    }

    #[test]
    fn any_bytes_are_a_module_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let bytes = [&[0, b'i', b'l', b'b', 4, 0][..], &bytes].concat();
        if let Ok(module) = decode(&bytes) {
            let _ = il::verify(module);
        }
    }
}

/// A small deterministic generator of numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => _ = bytes.remove(at),
            1 => bytes.insert(at, random.below(256) as u8),
            2 => bytes.truncate(at.max(1)),
            3 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            4 | 5 => bytes[at] ^= 1 << random.below(8),
            _ => bytes[at] = random.below(256) as u8,
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

#[test]
fn mutated_modules_never_panic_and_keep_one_encoding() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let originals = [encode(&add()), encode(&device_module()), encode(&service())];
    let mut accepted = 0;
    for turn in 0..150_000 {
        let mut bytes = originals[turn % originals.len()].clone();
        mutate(&mut random, &mut bytes);
        let Ok(module) = decode(&bytes) else { continue };
        let required = encode(&Module { names: None, ..module.clone() });
        assert!(bytes.starts_with(&required), "{bytes:x?} has a second encoding");
        accepted += u32::from(il::verify(module).is_ok());
    }
    assert!(accepted > 1000, "mutations should not all be refused: {accepted}");
}

#[test]
fn mutated_bodies_never_panic() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let original = service();
    for _ in 0..150_000 {
        let mut module = original.clone();
        let index = random.below(module.funcs.len());
        let body = &mut module.funcs[index].body;
        if body.is_empty() || random.below(4) == 0 {
            *body = (0..random.below(40)).map(|_| random.below(0x100) as u8).collect();
        }
        if !body.is_empty() {
            mutate(&mut random, body);
        }
        let _ = il::verify(module);
    }
}
