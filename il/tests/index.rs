//! The index of a text: what every name stands for, and the items with their documentation.

use il::text::{Index, ItemKind, Meaning, Options, Place, Source, Span, item_words, outline};

const TEXT: &str = r#"/// A module.
/// Two lines.
module demo.index

/// A lamp.
isa demo.lamp@1 {
  /// Sets it.
  1 set(level: i32) -> ()
  coalesced event 2 turned(level: i32)
}

use console: cascade.console@1
use lamp: demo.lamp@1 { set, turned }

/// Keys.
enum Key { Up = 0x52, /// below
  Down }

const WIDTH = 2 * HALF
const HALF = 8
global mut count = 0

/// Adds.
///   Indented.
func add(a: i32, b: i64) -> i64 {
  var sum = i64(a) + b
  for a in 0..3 { sum += i64(a) }
  return min(sum, i64(WIDTH))
}

on lamp.turned(level: i32) { count += level }

export func main() {
  console.write(str(add(Key.Up, 2)))
  lamp.set(count)
  wait()
}
"#;

fn index(file: &str, text: &str) -> Index {
    il::text::index(file, text, &Options { known: isa::ALL, resolve: &|_| None, tests: true })
}

/// What the `nth` name `name` stands for: meaning, declaration, documentation, and the definition's line.
#[track_caller]
fn at(text: &str, name: &str, nth: usize) -> (Meaning, String, String, Option<usize>) {
    let index = index("index.il", text);
    let word = |at: usize, after: usize| {
        let part = |char: char| char.is_alphanumeric() || char == '_';
        !text[..at].ends_with(part) && !text[after..].starts_with(part)
    };
    let place = text
        .match_indices(name)
        .filter(|(at, _)| word(*at, at + name.len()))
        .nth(nth)
        .unwrap_or_else(|| panic!("there is no {nth}th `{name}`"))
        .0 as u32;
    let (span, symbol) = index.at(place).unwrap_or_else(|| panic!("`{name}` at {place} is not in the index"));
    assert_eq!((span.start, span.text(text)), (place, name));
    let line = symbol
        .definition
        .filter(|place| place.text == 0)
        .map(|place| text[..place.span.start as usize].lines().count());
    (symbol.meaning, symbol.declaration.clone(), symbol.doc.clone(), line)
}

#[test]
fn names_are_resolved() {
    assert!(index("index.il", TEXT).errors.is_none());
    let line = |part: &str| Some(TEXT.lines().position(|line| line.contains(part)).expect("a line") + 1);
    let own = |meaning, declaration: &str, doc: &str, line| (meaning, declaration.into(), doc.into(), line);

    // The loop's `a` hides the parameter.
    assert_eq!(at(TEXT, "a", 1), own(Meaning::Parameter, "a: i32", "", line("func add")));
    assert_eq!(at(TEXT, "a", 2), own(Meaning::Local, "let a: i32", "", line("for a")));
    assert_eq!(at(TEXT, "a", 3), own(Meaning::Local, "let a: i32", "", line("for a")));
    assert_eq!(at(TEXT, "sum", 2), own(Meaning::Local, "var sum: i64", "", line("var sum")));

    let add = "func add(a: i32, b: i64) -> i64";
    assert_eq!(at(TEXT, "add", 1), own(Meaning::Function, add, "Adds.\n  Indented.", line("func add")));
    assert_eq!(at(TEXT, "add", 0), at(TEXT, "add", 1));
    assert_eq!(at(TEXT, "WIDTH", 1), own(Meaning::Constant, "const WIDTH: i32 = 16", "", line("const WIDTH")));
    assert_eq!(at(TEXT, "HALF", 0), own(Meaning::Constant, "const HALF: i32 = 8", "", line("const HALF")));
    assert_eq!(at(TEXT, "count", 2), own(Meaning::Global, "global mut count: i32", "", line("global mut")));
    assert_eq!(at(TEXT, "Key", 1).0, Meaning::Enum);
    assert_eq!(at(TEXT, "Key", 1).2, "Keys.");
    assert_eq!(at(TEXT, "Up", 1), own(Meaning::Member, "Up: i32 = 82", "", line("enum Key")));

    assert_eq!(
        at(TEXT, "lamp", 4),
        own(Meaning::Capability, "use lamp: demo.lamp@1 { set, turned }", "", line("use lamp"))
    );
    let set = "isa demo.lamp@1 { 1 set(level: i32) -> () }";
    assert_eq!(at(TEXT, "set", 2), own(Meaning::Instruction, set, "Sets it.", line("1 set")));
    assert_eq!(at(TEXT, "set", 1), at(TEXT, "set", 2));
    let turned = "isa demo.lamp@1 { coalesced event 2 turned(level: i32) }";
    assert_eq!(at(TEXT, "turned", 2), own(Meaning::Event, turned, "", line("event 2")));
    let (meaning, declaration, doc, definition) = at(TEXT, "write", 0);
    assert_eq!((meaning, definition), (Meaning::Instruction, None));
    assert_eq!(declaration, "isa cascade.console@1 { 1 write(text: str) }");
    assert!(doc.starts_with("Writes `text`, in order."), "{doc}");
    assert_eq!(at(TEXT, "demo.lamp@1", 1).3, line("isa demo"));
    assert!(at(TEXT, "cascade.console@1", 0).2.contains("console"));

    assert_eq!(at(TEXT, "min", 0).1.lines().next(), Some("min(i32, i32) -> i32"));
    assert_eq!(at(TEXT, "wait", 0).1, "wait()");
}

#[test]
fn memories_and_segments_are_named() {
    const TEXT: &str = "/// The stack.
memory 1..1
/// Where objects lie.
memory heap 1..2
data 8 in heap \"x\"
/// A text.
data greeting = \"hello\"
func f() {
  memory_init(greeting, 0, 0, load32(0, memory: heap), memory: heap)
}
";
    let line = |part: &str| Some(TEXT.lines().position(|line| line.contains(part)).expect("a line") + 1);
    assert!(index("memories.il", TEXT).errors.is_none());
    let heap = (Meaning::Memory, "memory heap 1..2".into(), "Where objects lie.".into(), line("memory heap"));
    (0..4).for_each(|nth| assert_eq!(at(TEXT, "heap", nth), heap));
    let greeting = "data greeting = \"hello\"".into();
    assert_eq!(at(TEXT, "greeting", 1), (Meaning::Data, greeting, "A text.".into(), line("data greeting")));
    assert!(at(TEXT, "memory_init", 0).1.starts_with("memory_init(SEGMENT, "));
    let items = outline(TEXT);
    let names: Vec<(ItemKind, &str)> = items.iter().map(|item| (item.kind, &*item.name)).collect();
    let (memory, data) = (ItemKind::Memory, ItemKind::Data);
    assert_eq!(names, [(memory, ""), (memory, "heap"), (data, ""), (data, "greeting"), (ItemKind::Func, "f")]);
}

#[test]
fn errors_hide_nothing_that_is_understood() {
    let broken = TEXT.replace("return min", "let = 3\n  nonsense(\n  return min").replace("lamp.set", "lamp.sett");
    assert!(index("index.il", &broken).errors.is_some_and(|errors| errors.len() >= 2));
    assert_eq!(at(&broken, "sum", 1).1, "var sum: i64");
    assert_eq!(at(&broken, "level", 3).1, "level: i32");
}

#[test]
fn items_are_outlined() {
    let items = outline(TEXT);
    let heads: Vec<(ItemKind, &str)> = items.iter().map(|item| (item.kind, &*item.name)).collect();
    assert_eq!(
        heads,
        [
            (ItemKind::Module, "demo.index"),
            (ItemKind::Isa, "demo.lamp@1"),
            (ItemKind::Use, "console"),
            (ItemKind::Use, "lamp"),
            (ItemKind::Enum, "Key"),
            (ItemKind::Const, "WIDTH"),
            (ItemKind::Const, "HALF"),
            (ItemKind::Global, "count"),
            (ItemKind::Func, "add"),
            (ItemKind::Handler, "lamp.turned"),
            (ItemKind::Func, "main"),
        ]
    );
    assert_eq!(items[0].doc, "A module.\nTwo lines.");
    assert_eq!(items[1].children.len(), 2);
    assert_eq!((items[1].children[0].doc.as_str(), items[1].signature.as_str()), ("Sets it.", "isa demo.lamp@1"));
    assert_eq!(items[1].children[1].signature, "coalesced event 2 turned(level: i32)");
    let members: Vec<&str> = items[4].children.iter().map(|member| member.signature.as_str()).collect();
    assert_eq!(members, ["Up = 0x52", "Down"]);
    assert_eq!(items[4].children[1].doc, "", "a comment behind a line is not about the next");
    assert!(items[10].exported && !items[8].exported);
    assert!(items[8].span.text(TEXT).ends_with('}'));
}

/// The outline knows forms that the checker may not.
#[test]
fn every_form_of_item_is_outlined() {
    let text = "import a.b { c, d }\nfrozen struct P: Q { mut x: i32, y: ?[str] }\nexport pure func f() {}\n\
        program p on a.b@1 (t: i32) -> i32 { return t }\nprovides a.b@1 as me { op x() { if a {} } op y() -> () {} }\n\
        memory 1..2 data 0 \"x\"\ndata 8 \"y\"; test \"a  b\" { assert true }\nexport struct R {}";
    let items = outline(text);
    let heads: Vec<String> = items.iter().map(|item| format!("{} {}", item.kind.word(), item.name)).collect();
    assert_eq!(
        heads,
        ["import a.b", "struct P", "func f", "program p", "provides a.b@1", "memory ", "data ", "test a b", "struct R"]
    );
    let parts = |at: usize| items[at].children.iter().map(|part| part.signature.as_str()).collect::<Vec<_>>();
    assert_eq!(parts(1), ["mut x: i32", "y: ?[str]"]);
    assert_eq!(parts(4), ["op x()", "op y() -> ()"]);
    assert_eq!(items[3].signature, "program p on a.b@1 (t: i32) -> i32");
    assert_eq!(items[2].signature, "export pure func f()");
    assert!(item_words().any(|word| word == "frozen"));
}

#[test]
fn damaged_and_hostile_texts_are_indexed() {
    for (at, _) in TEXT.char_indices().step_by(7) {
        for piece in ["", "}", "{", "(", "\"", "isa ", "1 x(", "enum E {,", "provides a@1 { op "] {
            let (before, after) = TEXT.split_at(at);
            let text = format!("{before}{piece}{}", after.chars().skip(at % 5).collect::<String>());
            let index = index("damaged.il", &text);
            let ordered = index.occurrences.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start);
            assert!(ordered && outline(&text) == index.items);
        }
    }
    let many = 20_000;
    for text in [
        "isa a.b@1 { ".repeat(many),
        format!("enum E {{ {} }}", "A, ".repeat(many)),
        format!("const S = \"{}\"\nfunc f() {{ {} }}", "x".repeat(30_000), "S == S; ".repeat(many)),
        format!("func f({}) {{ }}\nfunc g() {{ {} }}", " ".repeat(100_000), "f() ".repeat(many)),
        format!("enum E {{ A }}\nfunc f() {{ {} }}", "let x = E.A; ".repeat(many)),
        "}".repeat(many) + "func f() {}",
    ] {
        index("hostile.il", &text);
    }
}

#[test]
fn structs_functions_and_programs_are_resolved() {
    let text = "struct P { mut x: i32, y: [u8] }\nstruct Q: P { z: ?P }\nfunc f(p: P) -> i32 { return p.x + len(p.y) }\n\
        program shine on cascade.display@1 (t: i32) { clear(t) }\nuse display: cascade.display@1\n\
        func g() { let q = new Q { x: 1, y: [2], z: null }\n  q.x = 3\n  let h = &f\n  display.send(shine, h(q))\n\
        if let p = q.z { q.x = p.x } }";
    let index = index("structs.il", text);
    assert!(index.errors.is_none(), "{:?}", index.errors.map(|errors| errors.to_string()));
    let at = |part: &str, back: usize| {
        let place = text.find(part).unwrap_or_else(|| panic!("there is no {part}")) + part.len() - back;
        let (_, symbol) = index.at(place as u32).unwrap_or_else(|| panic!("{part} is not in the index"));
        let definition = symbol.definition.map(|place| place.span.start as usize);
        (symbol.meaning, symbol.declaration.as_str(), definition)
    };
    let found = |part: &str| text.find(part);
    assert_eq!(at("p.x", 1), (Meaning::Field, "mut x: i32", found("x: i32")));
    assert_eq!(at("len(p.y", 1), (Meaning::Field, "y: [u8]", found("y: [u8]")));
    assert_eq!(at("Q { x", 1), (Meaning::Field, "mut x: i32", found("x: i32")));
    assert_eq!(at("q.z", 1), (Meaning::Field, "z: ?P", found("z: ?P")));
    assert_eq!(at("Q: P", 1), (Meaning::Struct, "struct P { mut x: i32, y: [u8] }", found("P {")));
    assert_eq!(at("new Q", 1).2, found("Q: P"));
    assert_eq!(at("let q", 1).1, "let q: Q");
    assert_eq!(at("let h", 1).1, "let h: func(P) -> i32");
    assert_eq!(at("&f", 1), (Meaning::Function, "func f(p: P) -> i32", found("f(p: P)")));
    let shine = "program shine on cascade.display@1 (t: i32)";
    assert_eq!(at("send(shine", 1), (Meaning::Program, shine, found("shine on")));
    assert_eq!(at("{ clear", 1).0, Meaning::Instruction);
    assert_eq!(at("q.x = p", 1).1, "let p: P");
}

#[test]
fn imports_are_followed() {
    let lib = "/// Lots.\nexport func many(n: i32) -> i32 { return n }\nexport const C = 4\nfunc own() { wrong }\n";
    let text = "import lib.a { many, C }\n\nexport func f() -> i32 { return many(C) }\n";
    let resolve = |path: &str| {
        let found = || Source { file: "lib/a.il".into(), text: lib.into() };
        (path == "lib.a").then(found)
    };
    let index = il::text::index("main.il", text, &Options { known: isa::ALL, resolve: &resolve, tests: true });
    let errors = index.errors.as_ref().expect("the import has a mistake");
    assert!(errors.iter().all(|error| !errors.is_own(error) && error.file == "lib/a.il"));
    let (span, many) = index.at(text.rfind("many").unwrap() as u32).expect("a name");
    assert_eq!((many.meaning, many.doc.as_str()), (Meaning::Function, "Lots."));
    assert_eq!(many.declaration, "export func many(n: i32) -> i32");
    let start = lib.find("many").unwrap() as u32;
    assert_eq!(many.definition, Some(Place { text: 1, span: Span { start, end: start + 4 } }));
    assert_eq!(index.imported[0].file, "lib/a.il");
    let (_, listed) = index.at(text.find("many").unwrap() as u32).expect("a name");
    assert!(std::ptr::eq(listed, many), "{span:?}");
    let (_, constant) = index.at(text.rfind('C').unwrap() as u32).expect("a name");
    assert_eq!(constant.declaration, "const C: i32 = 4");
    assert!(index.occurrences.iter().all(|(span, _)| (span.end as usize) <= text.len()));
}
