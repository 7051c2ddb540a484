//! The type table and the tables of entries: what their rules accept and refuse.

use il::verify::Violation;
use il::{
    ArrayDef, CapDef, Export, FieldId, Func, FuncId, IsaId, Module, Names, Program, Storage, StructDef, Test, Type,
    TypeDef, TypeId, TypeNames,
};

use super::super::{code, device_module, event, func, instruction};
use super::Corpus;
use super::world::*;

const I32: Type = Type::I32;

fn missing(what: &'static str, index: u32, count: usize) -> Violation {
    Violation::NoSuch { what, index, count }
}

fn not_allowed(place: &'static str, ty: Type) -> Violation {
    Violation::TypeNotAllowed { place, ty }
}

/// A module with just these types, and the sets of [`world`].
fn typed(types: Vec<TypeDef>) -> Module {
    Module { types, isas: world().isas, ..Module::default() }
}

fn plain(parent: Option<u32>, fields: &[(bool, Type)]) -> TypeDef {
    let fields: Vec<_> = fields.iter().map(|&(mutable, ty)| (mutable, Storage::Value(ty))).collect();
    TypeDef::Struct(structure(parent.map(TypeId), &fields))
}

fn frozen(parent: Option<u32>, fields: &[(bool, Type)]) -> TypeDef {
    match plain(parent, fields) {
        TypeDef::Struct(def) => TypeDef::Struct(StructDef { frozen: true, name: "F".into(), ..def }),
        other => other,
    }
}

/// All of them.
pub fn all(c: &mut Corpus) {
    c.accepts(world());
    references(c);
    storage(c);
    shapes_are_unique(c);
    frozen_structs(c);
    capability_types(c);
    entries(c);
    exported(c);
    programs(c);
    names(c);
    sets(c);
    long_names(c);
}

fn reference(id: u32) -> Type {
    Type::Ref(TypeId(id))
}

/// Structs refer anywhere, their parents and all else only backwards.
fn references(c: &mut Corpus) {
    c.accepts(typed(vec![plain(None, &[(false, reference(1))]), plain(Some(0), &[(true, Type::Opt(TypeId(0)))])]));
    c.accepts(typed(vec![array(false, reference(1)), plain(None, &[(false, reference(0))])]));
    let child = |parent| plain(Some(parent), &[]);
    let after = |child, parent| Violation::ParentAfter { child: TypeId(child), parent: TypeId(parent) };
    c.refuses(typed(vec![child(0)]), after(0, 0));
    c.refuses(typed(vec![child(1), plain(None, &[])]), after(0, 1));
    c.refuses(typed(vec![child(7)]), missing("type", 7, 1));
    c.refuses(
        typed(vec![array(false, I32), child(0)]),
        Violation::WrongKind { expected: "a struct", found: TypeId(0) },
    );
    let ahead = |from, to| Violation::RefersAhead { from: TypeId(from), to: TypeId(to) };
    c.refuses(typed(vec![array(false, reference(0))]), ahead(0, 0));
    c.refuses(typed(vec![array(false, reference(1)), array(true, I32)]), ahead(0, 1));
    c.accepts(typed(vec![array(true, I32), array(false, reference(0))]));
    c.refuses(typed(vec![signature(&[reference(1)], &[]), array(true, I32)]), ahead(0, 1));
    c.refuses(typed(vec![signature(&[], &[reference(0)])]), ahead(0, 0));
    c.accepts(typed(vec![array(true, I32), signature(&[reference(0)], &[reference(0)])]));
    c.refuses(typed(vec![plain(None, &[(false, reference(1))])]), missing("type", 1, 1));
    c.refuses(typed(vec![array(false, reference(1))]), missing("type", 1, 1));
    c.refuses(typed(vec![signature(&[reference(1)], &[])]), missing("type", 1, 1));
    c.refuses(typed(vec![signature(&[], &[reference(1)])]), missing("type", 1, 1));
    let mut module = device_module();
    module.funcs.push(func(&[], &[], &[reference(0)], code()));
    c.refuses(module, missing("type", 0, 0));
    let mut module = device_module();
    module.funcs.push(func(&[reference(0)], &[], &[], code()));
    c.refuses(module, missing("type", 0, 0));
}

fn storage(c: &mut Corpus) {
    for ty in [Type::Buf, Type::BufRef] {
        c.refuses(typed(vec![plain(None, &[(true, ty)])]), not_allowed("a field", ty));
        c.refuses(typed(vec![array(true, ty)]), not_allowed("an element of an array", ty));
    }
    let opt = Type::OptBuf;
    c.accepts(typed(vec![plain(None, &[(true, opt)]), array(true, opt)]));
    c.refuses(typed(vec![plain(None, &[(false, opt)])]), Violation::ImmutableBuf("a field"));
    c.refuses(typed(vec![array(false, opt)]), Violation::ImmutableBuf("an element of an array"));
    c.refuses(typed(vec![signature(&[], &[Type::BufRef])]), not_allowed("a result", Type::BufRef));
    let packed = |storage| TypeDef::Array(ArrayDef { mutable: false, element: storage });
    c.accepts(typed(vec![packed(Storage::I8), packed(Storage::U8), packed(Storage::I16), packed(Storage::U16)]));
}

fn shapes_are_unique(c: &mut Corpus) {
    let twins = [
        vec![array(false, I32), array(false, I32)],
        vec![signature(&[I32], &[I32]), signature(&[I32], &[I32])],
        vec![cap(0, &[1]), cap(0, &[1])],
    ];
    for types in twins {
        c.refuses(typed(types), Violation::SameType { first: TypeId(0), second: TypeId(1) });
    }
    c.accepts(typed(vec![plain(None, &[]), plain(None, &[])]));
    c.accepts(typed(vec![array(false, I32), array(true, I32), signature(&[], &[I32]), signature(&[I32], &[])]));
}

fn frozen_structs(c: &mut Corpus) {
    let with = |ty| {
        vec![frozen(None, &[(false, I32)]), array(false, reference(0)), array(true, I32), frozen(None, &[(false, ty)])]
    };
    for ty in [Type::Str, Type::OptStr, reference(0), Type::Opt(TypeId(0)), reference(1), reference(3), Type::V128] {
        c.accepts(typed(with(ty)));
    }
    for ty in [Type::Any, Type::OptAny, reference(2)] {
        c.refuses(typed(with(ty)), Violation::FrozenField(TypeId(3), FieldId(0), ty));
    }
    let with_func = vec![signature(&[], &[]), frozen(None, &[(false, reference(0))])];
    c.refuses(typed(with_func), Violation::FrozenField(TypeId(1), FieldId(0), reference(0)));
    c.refuses(typed(vec![frozen(None, &[(true, I32)])]), Violation::FrozenMut(TypeId(0), FieldId(0)));
    c.accepts(typed(vec![frozen(None, &[]), frozen(Some(0), &[])]));
    let thaws = Violation::ThawsParent { child: TypeId(1), parent: TypeId(0) };
    c.refuses(typed(vec![frozen(None, &[]), plain(Some(0), &[])]), thaws);
    c.accepts(typed(vec![plain(None, &[(false, I32)]), frozen(Some(0), &[])]));
    c.refuses(
        typed(vec![plain(None, &[(true, I32)]), frozen(Some(0), &[])]),
        Violation::FrozenMut(TypeId(1), FieldId(0)),
    );
    let named = |def, name: &str| match def {
        TypeDef::Struct(def) => typed(vec![TypeDef::Struct(StructDef { name: name.into(), ..def })]),
        other => typed(vec![other]),
    };
    c.accepts(named(frozen(None, &[]), "A_1"));
    for name in ["", "1", "a b"] {
        c.refuses(named(frozen(None, &[]), name), Violation::BadName { what: "a frozen struct", name: name.into() });
    }
    c.refuses(named(plain(None, &[]), "A"), Violation::NamedStruct(TypeId(0)));
}

fn capability_types(c: &mut Corpus) {
    c.accepts(typed(vec![cap(0, &[]), cap(0, &[1, 5])]));
    c.refuses(typed(vec![cap(2, &[])]), missing("instruction set", 2, 2));
    c.refuses(typed(vec![cap(0, &[1, 6])]), missing("instruction", 6, 5));
    let order = |number| Violation::Order { isa: "test.device@1".into(), number };
    c.refuses(typed(vec![cap(0, &[2, 1])]), order(1));
    c.refuses(typed(vec![cap(0, &[2, 2])]), order(2));
    let zero = TypeDef::Cap(CapDef { isa: IsaId(0), instructions: vec![0] });
    c.refuses(typed(vec![zero]), order(0));
}

/// What the base enters has the type it is entered with, and one purpose.
fn entries(c: &mut Corpus) {
    let shared = |id: u32| Violation::SharedEntry { name: format!("func {id}") };
    let with = |change: fn(&mut Module)| {
        let mut module = world();
        change(&mut module);
        module
    };
    c.refuses(with(|m| m.tests[0].func = FuncId(99)), missing("function", 99, 9));
    c.refuses(with(|m| m.programs[0].func = FuncId(99)), missing("function", 99, 9));
    c.refuses_like(with(|m| m.tests[0].func = FuncId(0)), |kind| matches!(kind, Violation::Signature { .. }));
    c.refuses(with(|m| m.tests[0].func = FuncId(7)), shared(7));
    c.refuses(with(|m| m.tests.push(m.tests[0].clone())), shared(8));
    c.refuses(with(|m| m.programs[3].func = FuncId(6)), shared(6));
    c.refuses_like(with(|m| m.tests[0].name = "a\u{7}".into()), |kind| {
        matches!(kind, Violation::BadName { what: "a test", .. })
    });
    c.refuses_like(with(|m| m.tests[0].name = "x".repeat(256)), |kind| {
        matches!(kind, Violation::Limit { what: "bytes of a name", count: 256, limit: 255 })
    });
    c.refuses(with(|m| m.exports.push(il::Export { name: "x".into(), func: FuncId(4) })), shared(4));
    c.refuses_like(with(|m| m.exports.push(il::Export { name: "a b".into(), func: FuncId(0) })), |kind| {
        matches!(kind, Violation::BadName { what: "an export", .. })
    });
    c.changed(
        |m| m.provides[0].name = Some("a b".into()),
        |kind| matches!(kind, Violation::BadName { what: "an announced VM", .. }),
    );
    c.changed(
        |m| m.provides[0].ops[3] = FuncId(8),
        |kind| {
            // It is `main` as well.
            matches!(kind, Violation::SharedEntry { .. })
        },
    );
    c.changed(
        |m| m.provides.push(m.provides[0].clone()),
        |kind| matches!(kind, Violation::Duplicate { what: "provided set", .. }),
    );
    c.changed(|m| m.provides[0].ops.swap(0, 1), |kind| matches!(kind, Violation::Signature { .. }));
    c.changed(
        |m| {
            let swap = m.isas[0].instructions.to_mut();
            swap.push(instruction(6, "sync2", &[], Some(&[])));
            let ops = &mut m.provides[0].ops;
            ops.push(ops[3]);
        },
        |kind| matches!(kind, Violation::SharedEntry { .. }),
    );
    c.changed(
        |m| m.uses[0].name = "a b".into(),
        |kind| matches!(kind, Violation::BadName { what: "a capability", .. }),
    );
    c.changed(|m| m.handlers[0].func = FuncId(99), |kind| matches!(kind, Violation::NoSuch { what: "function", .. }));
    c.changed(|m| m.exports[0].func = FuncId(0), |kind| matches!(kind, Violation::Signature { .. }));
    c.changed(|m| m.uses[0].isa = IsaId(9), |kind| matches!(kind, Violation::NoSuch { what: "instruction set", .. }));
}

/// What is exported can be entered: its values have room.
fn exported(c: &mut Corpus) {
    let most = il::limits::MAX_VALUES;
    let with = |params: usize, results: usize| {
        let mut module = world();
        let id = FuncId(module.funcs.len() as u32);
        let body = code().put(il::instr::Instr::Loop).end();
        module.funcs.push(func(&vec![Type::V128; params], &vec![Type::V128; results], &[], body));
        module.exports.push(Export { name: "wide".into(), func: id });
        module
    };
    let over = |what| Violation::Limit { what, count: most + 1, limit: most };
    c.accepts(with(most, most));
    c.refuses(with(most + 1, 0), over("parameters of an exported function"));
    c.refuses(with(0, most + 1), over("results of an exported function"));
    let mut inner = with(most + 1, most + 1);
    inner.exports.pop();
    c.accepts(inner);
}

fn programs(c: &mut Corpus) {
    let on = |params: &[Type], results: &[Type]| {
        let mut module = world();
        let id = FuncId(module.funcs.len() as u32);
        // It never returns, so that no value of the types is needed.
        module.funcs.push(func(params, results, &[], code().put(il::instr::Instr::Loop).end()));
        module.programs.push(Program { name: "tested".into(), isa: IsaId(0), func: id });
        module
    };
    for ty in [I32, Type::V128, Type::Str, Type::Buf, Type::Ref(POINT), Type::Opt(POINT), Type::Ref(INTS)] {
        c.accepts(on(&[ty], &[ty]));
    }
    for ty in [Type::BufRef, Type::OptBuf, Type::Any, Type::Ref(SHAPE), Type::Ref(CAP), Type::Ref(F_INT)] {
        c.refuses(on(&[ty], &[]), not_allowed("a program's parameter or result", ty));
    }
    c.refuses(on(&[], &[Type::Any]), not_allowed("a program's parameter or result", Type::Any));
    let with = |change: fn(&mut Module)| {
        let mut module = world();
        change(&mut module);
        module
    };
    c.refuses_like(with(|m| m.programs[0].name = "a b".into()), |kind| {
        matches!(kind, Violation::BadName { what: "a program", .. })
    });
    c.refuses_like(with(|m| m.programs[0].name = "eat".into()), |kind| {
        matches!(kind, Violation::Duplicate { what: "program", .. })
    });
    c.refuses(with(|m| m.programs[0].isa = IsaId(2)), missing("instruction set", 2, 2));
    let mut module = world();
    module.tests.push(Test { name: "again".into(), func: FuncId(9) });
    module.funcs.push(Func { pure: true, ..func(&[], &[], &[], code()) });
    c.accepts(module);
}

/// Names are for people: short, printable, and not more than there are things.
fn names(c: &mut Corpus) {
    let named = |change: fn(&mut Names)| {
        let mut module = world();
        let mut names = Names { files: vec!["a.il".into()], ..Names::default() };
        change(&mut names);
        module.names = Some(names);
        module
    };
    c.accepts(named(|n| {
        n.func_files = vec![0; 9];
        n.funcs = vec!["f".into(); 9];
        n.locals = vec![vec!["x".into(); 3]; 9];
        n.globals = vec!["g".into(); 3];
        n.types = vec![TypeNames { name: "T".into(), fields: vec!["a".into()] }; 17];
        n.memories = vec!["m".into()];
        n.lines = vec![vec![(0, 1), (3, 1)]; 9];
    }));
    let over = |what, count| Violation::Limit { what, count, limit: count - 1 };
    c.refuses(named(|n| n.func_files = vec![0; 10]), over("files of functions", 10));
    c.refuses(named(|n| n.funcs = vec![String::new(); 10]), over("names of functions", 10));
    c.refuses(named(|n| n.locals = vec![vec![]; 10]), over("lists of locals' names", 10));
    c.refuses(named(|n| n.lines = vec![vec![]; 10]), over("line tables", 10));
    c.refuses(named(|n| n.globals = vec![String::new(); 4]), over("names of globals", 4));
    c.refuses(named(|n| n.types = vec![TypeNames::default(); 18]), over("names of types", 18));
    c.refuses(named(|n| n.memories = vec![String::new(); 2]), over("names of memories", 2));
    c.refuses(named(|n| n.data = vec![String::new(); 1]), over("names of data segments", 1));
    let file = Violation::BadNames("a function's file is not in the list of files");
    c.refuses(named(|n| n.func_files = vec![1]), file);
    let printable = || Violation::BadNames("a name has control characters or is too long");
    c.refuses(named(|n| n.files.push("\u{1b}".into())), printable());
    c.refuses(named(|n| n.funcs.push("\u{1b}".into())), printable());
    c.refuses(named(|n| n.locals.push(vec!["\u{1b}".into()])), printable());
    c.refuses(named(|n| n.globals.push("\u{1b}".into())), printable());
    c.refuses(named(|n| n.memories.push("\u{1b}".into())), printable());
    c.refuses(named(|n| n.types.push(TypeNames { name: "\u{1b}".into(), fields: vec![] })), printable());
    c.refuses(named(|n| n.types.push(TypeNames { name: "".into(), fields: vec!["\u{1b}".into()] })), printable());
    c.refuses(named(|n| n.funcs.push("x".repeat(256))), printable());
    let descends = || Violation::BadNames("a line table does not ascend");
    c.refuses(named(|n| n.lines = vec![vec![(1, 1), (1, 2)]]), descends());
    c.refuses(named(|n| n.lines = vec![vec![(2, 1), (1, 2)]]), descends());
}

/// Sets: operands, names, numbers.
fn sets(c: &mut Corpus) {
    let with = |one: il::isa::Instruction| {
        let mut module = typed(vec![]);
        module.isas[1].instructions = vec![one].into();
        module
    };
    let inline = [I32, Type::I64, Type::F32, Type::F64, Type::V128, Type::Bool, Type::Str, Type::Buf];
    for ty in inline.into_iter().chain([Type::Any, Type::OptAny, Type::OptStr]) {
        c.accepts(with(instruction(1, "a", &[ty], Some(&[ty]))));
    }
    let types = || {
        let value = |ty| array(false, ty);
        vec![
            frozen(None, &[(false, I32)]),
            plain(None, &[]),
            value(reference(0)),
            value(reference(1)),
            array(true, I32),
            signature(&[], &[]),
            cap(1, &[1]),
        ]
    };
    let sent = |ty: Type| {
        let mut module = typed(types());
        module.isas[1].instructions = vec![instruction(1, "a", &[ty], None)].into();
        module
    };
    let answered = |ty: Type| {
        let mut module = typed(types());
        module.isas[1].instructions = vec![instruction(1, "a", &[], Some(&[ty]))].into();
        module
    };
    let raised = |ty: Type| {
        let mut module = typed(types());
        module.isas[1].events = vec![event(1, "a", &[ty])].into();
        module
    };
    let ways: [&dyn Fn(Type) -> Module; 3] = [&sent, &answered, &raised];
    let nullable = |id| Type::Opt(TypeId(id));
    for way in ways {
        for ty in [reference(0), nullable(0), reference(2), nullable(2), reference(6), nullable(6)] {
            c.accepts(way(ty));
        }
        for ty in [Type::BufRef, Type::OptBuf, reference(1), reference(3), reference(4), reference(5), nullable(1)] {
            c.refuses(way(ty), Violation::NotCarried(ty));
        }
        c.refuses(way(reference(7)), missing("type", 7, 7));
    }
    let bad = |what, name: &str| Violation::BadName { what, name: name.into() };
    let named = |name: &'static str| {
        let mut one = instruction(1, "a", &[I32], Some(&[I32]));
        one.params.to_mut()[0].name = name.into();
        one
    };
    c.accepts(with(named("x")));
    c.refuses(with(named("1x")), bad("an operand", "1x"));
    for name in ["run", "send", "", "a.b"] {
        c.refuses(with(instruction(1, name, &[], None)), bad("an instruction", name));
    }
    let events = |events: Vec<il::isa::Event>| {
        let mut module = typed(vec![]);
        module.isas[1].events = events.into();
        module
    };
    c.refuses(events(vec![event(1, "a b", &[])]), bad("an event", "a b"));
    c.refuses_like(events(vec![event(1, "a", &[]), event(2, "a", &[])]), |kind| {
        matches!(kind, Violation::Duplicate { what: "event", .. })
    });
    c.refuses_like(events(vec![event(2, "a", &[]), event(1, "b", &[])]), |kind| {
        matches!(kind, Violation::Order { number: 1, .. })
    });
    c.refuses_like(events(vec![event(1, "a", &[]), event(1, "b", &[])]), |kind| {
        matches!(kind, Violation::Order { number: 1, .. })
    });
}

fn long_names(c: &mut Corpus) {
    let long = || "x".repeat(256);
    let changes: [fn(&mut Module, String); 10] = [
        |m, long| m.name = long,
        |m, long| m.isas[0].name = long.into(),
        |m, long| m.isas[0].instructions.to_mut()[0].name = long.into(),
        |m, long| m.isas[0].instructions.to_mut()[0].params.to_mut()[0].name = long.into(),
        |m, long| m.isas[0].events.to_mut()[0].name = long.into(),
        |m, long| m.uses[0].name = long,
        |m, long| m.programs[0].name = long,
        |m, long| m.exports.push(il::Export { name: long, func: FuncId(0) }),
        |m, long| m.tests[0].name = long,
        |m, long| {
            if let TypeDef::Struct(def) = &mut m.types[POINT.index()] {
                def.name = long;
            }
        },
    ];
    let over = || Violation::Limit { what: "bytes of a name", count: 256, limit: 255 };
    for change in changes {
        let mut module = world();
        change(&mut module, long());
        c.refuses(module, over());
    }
    c.changed(|m| m.provides[0].name = Some(long()), |kind| matches!(kind, Violation::Limit { .. }));
}
