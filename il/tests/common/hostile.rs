//! Input that nobody meant: what must hold of it, and how it is made from what somebody meant. The fuzz targets
//! and the bounded run of the ordinary tests share this file.

use il::instr::{Instr, Reader, Writer};
use il::isa::InstructionSet;
use il::text::{Options, compile_with};
use il::{Func, FuncId, LocalId, Module, Storage, StructField, Type, TypeDef, TypeId};

/// Bytes are a module with one encoding, or an error.
pub fn bytes(bytes: &[u8]) -> Option<Module> {
    let module = il::binary::decode(bytes).map_err(|error| drop(error.to_string())).ok()?;
    let required = il::binary::encode(&Module { names: None, ..module.clone() });
    assert!(bytes.starts_with(&required), "a second encoding of the same module");
    Some(module)
}

/// A module is valid or refused, and whichever it is can be shown. Whether it was valid.
pub fn module(module: Module) -> bool {
    let text = il::disasm::module(&module);
    assert!(!text.contains('\u{1b}'), "a control character reached the terminal");
    let verified = match il::verify(module) {
        Ok(verified) => verified,
        Err(error) => {
            assert!(!error.to_string().contains('\u{1b}'), "a control character reached the terminal");
            return false;
        }
    };
    for index in 0..verified.funcs.len() {
        let claims = il::verify::claims(&verified, FuncId(index as u32));
        assert!(claims.at(0).is_some_and(|claim| claim.operands.is_empty()));
    }
    true
}

/// A text compiles to a valid module that survives the binary form, or is refused with reasons. Whether it compiled.
pub fn text(source: &str, known: &[&'static InstructionSet]) -> bool {
    let options = Options { known, resolve: &|_| None, tests: true };
    let module = match compile_with("hostile.il", source, &options) {
        Ok(module) => module,
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            return false;
        }
    };
    let verified = il::verify(module).unwrap_or_else(|error| panic!("the front end made an invalid module: {error}"));
    assert_eq!(il::binary::decode(&il::binary::encode(&verified)).as_ref(), Ok(&*verified));
    true
}

/// A deterministic generator of numbers (xorshift).
pub struct Random(pub u64);

impl Random {
    /// Its next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit.max(1)
    }

    /// One of these; there is at least one.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Bytes with a few changes.
pub fn changed_bytes(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(9) {
            0 if !bytes.is_empty() => _ = bytes.remove(at),
            1 => bytes.insert(at, random.next() as u8),
            2 => bytes.truncate(at),
            3 => {
                // A huge count.
                bytes.truncate(at);
                bytes.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
                bytes.extend_from_slice(seed.get(at..).unwrap_or_default());
            }
            4 => bytes.extend_from_within(at..),
            change => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = match change {
                        5 => *random.of(&[0, 1, 0x7f, 0x80, 0xff]),
                        6 | 7 => *byte ^ 1 << random.below(8),
                        _ => random.next() as u8,
                    };
                }
            }
        }
    }
    bytes
}

/// The instructions of a body, each still encoded.
pub fn instructions(body: &[u8]) -> Vec<&[u8]> {
    let (mut reader, mut all, mut start) = (Reader::new(body), Vec::new(), 0);
    while let Ok(Some(_)) = reader.next() {
        let end = reader.offset() as usize;
        all.push(&body[start..end]);
        start = end;
    }
    all
}

/// A module with a few changes, most of them to bodies. `pool` are instructions of other modules.
pub fn change_module(random: &mut Random, module: &mut Module, pool: &[Vec<u8>]) {
    for _ in 0..=random.below(3) {
        let func = random.below(module.funcs.len());
        match (random.below(8), module.funcs.get_mut(func)) {
            (0..=4, Some(func)) => func.body = changed_body(random, &func.body, pool),
            (5, Some(func)) => change_func(random, func),
            _ => change_tables(random, module),
        }
    }
}

fn changed_body(random: &mut Random, body: &[u8], pool: &[Vec<u8>]) -> Vec<u8> {
    let mut all: Vec<Vec<u8>> = instructions(body).into_iter().map(<[u8]>::to_vec).collect();
    for _ in 0..=random.below(3) {
        let (at, other) = (random.below(all.len()), random.below(all.len()));
        match random.below(6) {
            0 if !all.is_empty() => _ = all.remove(at),
            1 if !all.is_empty() => all.swap(at, other),
            2 if !all.is_empty() => all.insert(at, all[other].clone()),
            3 | 4 if !pool.is_empty() => all.insert(at, random.of(pool).clone()),
            _ => {
                // Another immediate: a small one is likely to be in range.
                if let Some(byte) = all.get_mut(at).and_then(|instr| instr.last_mut()) {
                    *byte = random.below(20) as u8;
                }
            }
        }
    }
    all.concat()
}

fn ty(random: &mut Random, types: usize) -> Type {
    let id = TypeId(random.below(types + 1) as u32);
    match random.below(4) {
        0 => Type::Ref(id),
        1 => Type::Opt(id),
        _ => *random.of(&Type::PLAIN),
    }
}

fn change_func(random: &mut Random, func: &mut Func) {
    let new = ty(random, 20);
    let lists = [&mut func.sig.params, &mut func.sig.results, &mut func.locals];
    let which = random.below(4);
    let Some(list) = lists.into_iter().nth(which) else {
        func.pure = !func.pure;
        return;
    };
    let at = random.below(list.len());
    match (random.below(3), list.get_mut(at)) {
        (0, Some(slot)) => *slot = new,
        (1, Some(_)) => _ = list.remove(at),
        _ => list.push(new),
    }
}

fn change_tables(random: &mut Random, module: &mut Module) {
    let types = module.types.len();
    let new = ty(random, types);
    let (at, small) = (random.below(types), random.below(8) as u32);
    match random.below(10) {
        0 => module.types.push(TypeDef::Array(il::ArrayDef { mutable: small % 2 == 0, element: Storage::Value(new) })),
        1 => match module.types.get_mut(at) {
            Some(TypeDef::Struct(def)) => {
                def.fields.push(StructField { mutable: small % 2 == 0, storage: Storage::Value(new) });
                def.frozen ^= small == 0;
                def.parent = if small == 1 { Some(TypeId(small)) } else { def.parent };
            }
            Some(TypeDef::Array(def)) => def.element = Storage::Value(new),
            Some(TypeDef::Func(sig)) => sig.params.push(new),
            Some(TypeDef::Cap(cap)) => cap.instructions.push(small as u8),
            None => {}
        },
        2 => module.globals.iter_mut().for_each(|global| global.ty = new),
        3 => module.globals.iter_mut().for_each(|global| global.mutable = small % 2 == 0),
        4 => module.memories.truncate(small as usize % 2),
        5 => module.exports.iter_mut().for_each(|export| export.func = FuncId(small)),
        6 => module.programs.iter_mut().for_each(|program| program.func = FuncId(small)),
        7 => module.tests.push(il::Test { name: "t".into(), func: FuncId(small) }),
        8 => module.strings.truncate(small as usize),
        _ => {
            let mut writer = Writer::default();
            writer.push(Instr::Get(LocalId(small)));
            module.globals.push(il::Global { mutable: true, ty: new, init: writer.bytes });
        }
    }
}

/// The words, signs and blanks of a text.
pub fn tokens(source: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let (mut all, mut start, mut last) = (Vec::new(), 0, None);
    for (at, c) in source.char_indices() {
        if last.is_some_and(|last| last != kind(c) || last == 2) {
            all.push(&source[start..at]);
            start = at;
        }
        last = Some(kind(c));
    }
    all.push(&source[start..]);
    all
}

/// A text with a few words changed. `pool` are words of other texts.
pub fn changed_text(random: &mut Random, seed: &[&str], pool: &[&str]) -> String {
    let mut all = seed.to_vec();
    for _ in 0..=random.below(4) {
        let (at, other) = (random.below(all.len()), random.below(all.len()));
        match random.below(7) {
            0 if !all.is_empty() => _ = all.remove(at),
            1 if !all.is_empty() => all.swap(at, other),
            2 if !all.is_empty() => all.insert(at, all[other]),
            3 => all.truncate(at.max(1)),
            4 if !all.is_empty() => {
                let (from, to) = (at.min(other), at.max(other));
                let piece = all[from..to.min(from + 30)].to_vec();
                all.splice(to..to, piece);
            }
            _ => {
                let word = pool[random.below(pool.len())];
                match all.get_mut(at) {
                    Some(slot) => *slot = word,
                    None => all.push(word),
                }
            }
        }
    }
    all.concat()
}
