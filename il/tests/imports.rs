//! `import`: several texts linked into one module; `test` blocks; errors in the text that they are about.

use il::text::{Options, Source};
use il::{Module, text};

/// Compiles `root` with these modules to import from.
fn build(root: &str, modules: &[(&str, &str)], tests: bool) -> Result<Module, String> {
    let resolve = |path: &str| {
        let (_, text) = modules.iter().find(|(known, _)| *known == path)?;
        Some(Source { file: format!("lib/{}.il", path.replace('.', "/")), text: text.to_string() })
    };
    let options = Options { known: isa::ALL, resolve: &resolve, tests };
    let module = text::compile_with("root.il", root, &options).map_err(|errors| errors.to_string())?;
    let bytes = il::binary::encode(&module);
    assert!(il::binary::decode(&bytes).expect("its binary decodes") == module);
    il::verify(module.clone()).map_err(|error| error.to_string())?;
    Ok(module)
}

#[track_caller]
fn refused(root: &str, modules: &[(&str, &str)]) -> String {
    build(root, modules, false).expect_err("this must be refused")
}

fn funcs(module: &Module) -> Vec<&str> {
    module.names.as_ref().unwrap().funcs.iter().map(String::as_str).collect()
}

const SHAPES: &str = r#"
module lib.shapes
import lib.maths { square }
use console: cascade.console@1
export enum Kind { Round = 1, Flat }
export const UNIT = 10
export struct Shape { kind: i32, size: i32 }
struct Hidden { x: [f64] }
global mut made = 0
export func shape(kind: i32) -> Shape {
  made += 1
  return new Shape { kind: kind, size: square(UNIT) }
}
export func tell(s: Shape) { console.write(label(s)) }
func label(s: Shape) -> str { return match s.kind { Kind.Round => "round", _ => "flat" } }
func unused() { let h = new Hidden { x: [0.5] }  trap "never linked" }
test "not this one" { assert false }
"#;

const MATHS: &str = r#"
import lib.shapes { UNIT }
export pure func square(x: i32) -> i32 { return x * x }
export func round_trip() -> i32 { return UNIT }
"#;

#[test]
fn what_is_reached_is_linked() {
    let root = r#"
        module app
        import lib.shapes { shape, tell, Shape, Kind, UNIT }
        use console: cascade.console@1
        struct Circle: Shape { r: i32 }
        export func main() {
          let c: Shape = new Circle { kind: Kind.Round, size: UNIT, r: 2 }
          tell(c)
          tell(shape(Kind.Flat))
          console.write("done")
        }
    "#;
    let module = build(root, &[("lib.shapes", SHAPES), ("lib.maths", MATHS)], false).unwrap();
    assert_eq!(module.name, "app");
    assert_eq!(funcs(&module), ["main", "shape", "tell", "label", "square"]);
    assert_eq!(module.exports.len(), 1, "only the root's functions are exported");
    assert_eq!(module.uses.len(), 1, "both want the same console");
    assert_eq!(module.globals.len(), 1);
    assert!(!module.strings.contains(&"never linked".to_owned()));
    let names = module.names.as_ref().unwrap();
    assert_eq!(names.files, ["root.il", "shapes.il", "maths.il"]);
    assert_eq!(names.func_files, [0, 1, 1, 1, 2]);
    let types: Vec<&str> = names.types.iter().map(|ty| ty.name.as_str()).collect();
    assert_eq!(types, ["Shape", "Circle"], "parents first, unreached ones dropped");
    assert_eq!(module.line_at(il::FuncId(2), 0), Some(14), "lines are those of the own file");
}

#[test]
fn modules_may_import_each_other_and_the_root() {
    let root = r#"
        module app.main
        import lib.back { call_back }
        export func answer() -> i32 { return 42 }
        export func main() { assert call_back() == 42 }
    "#;
    let back = "import app.main { answer }\nexport func call_back() -> i32 { return answer() }";
    let module = build(root, &[("lib.back", back)], false).unwrap();
    assert_eq!(funcs(&module), ["answer", "main", "call_back"]);
}

#[test]
fn tests_are_compiled_when_asked_for() {
    let root = r#"
        import lib.maths { square }
        func helper() -> i32 { return square(3) }
        test "squares" { assert helper() == 9 }
        test "more \"squares\"" { assert square(-2) == 4 }
    "#;
    let modules = [("lib.maths", MATHS), ("lib.shapes", SHAPES)];
    let module = build(root, &modules, true).unwrap();
    let names: Vec<&str> = module.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, ["squares", "more \"squares\""]);
    let text = il::disasm::module(&module);
    let again = build(&text, &[], true).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let bare = |module: &Module| il::binary::encode(&Module { names: None, ..module.clone() });
    assert_eq!(bare(&Module { name: again.name.clone(), ..module }), bare(&again), "{text}");
    let module = build(root, &modules, false).unwrap();
    assert!(module.tests.is_empty());
    assert_eq!(funcs(&module), ["helper", "square"]);
    let broken = refused("test \"broken\" { assert 1 }", &[]);
    assert!(broken.contains("IL0200"), "tests are checked in any case: {broken}");
}

#[test]
fn errors_name_their_file() {
    let broken = "module lib.broken\n\nexport func f() -> i32 { return true }\n";
    let errors = refused("import lib.broken { f }\nfunc g() { f(1) }", &[("lib.broken", broken)]);
    assert!(errors.contains("--> lib/lib/broken.il:3:33"), "{errors}");
    assert!(errors.contains("--> root.il:2:12"), "{errors}");
}

#[test]
fn what_cannot_be_imported_is_refused() {
    let lib = r#"
        export func f() {}
        func hidden() {}
        global g = 1
    "#;
    let modules = [("lib", lib), ("device", "memory 1..1\nexport func f() {}"), ("third", "import lib { f }")];
    for (root, said) in [
        ("import nowhere { f }", "there is no module `nowhere`"),
        ("import lib { hidden }", "`hidden` is not exported by `lib`"),
        ("import lib { g }", "`g` is not exported by `lib`"),
        ("import lib { ff }", "`lib` has no `ff`"),
        ("import third { f }", "`third` has no `f`"),
        ("import lib { f, f }", "`f` is declared twice"),
        ("import lib { f }\nfunc f() {}", "`f` is declared twice"),
        ("import device { f }", "an imported module has no `memory`"),
        ("module a\nimport a { f }\nexport func f() {}", "a module does not import itself"),
    ] {
        let errors = refused(root, &modules);
        assert!(errors.contains(said), "{root}: {errors}");
        assert_eq!(errors.matches("error[").count(), 1, "{root}: {errors}");
    }
    let clash = [("lib", "use a: cascade.clock@1\nexport func f() { a.cancel(1) }")];
    let errors = refused("use a: cascade.console@1\nimport lib { f }", &clash);
    assert!(errors.contains("`a` is a `cascade.console@1` in another module"), "{errors}");
}

/// The standard library compiles, module by module, with its tests.
#[test]
fn the_standard_library_compiles() {
    let resolve = |path: &str| {
        let (file, text) = il::library::module(path)?;
        Some(Source { file: file.to_owned(), text: text.to_owned() })
    };
    let options = Options { known: isa::ALL, resolve: &resolve, tests: true };
    for (path, file, source) in il::library::MODULES {
        let module = text::compile_with(file, source, &options).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(module.name, *path);
        assert!(!module.tests.is_empty(), "{path} tests itself");
        il::verify(module).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

/// What an imported text does with memory, it does with that of the module that is built.
#[test]
fn the_built_modules_memory_serves_all() {
    const BYTES: &str = "export func sum(a: i32) -> i32 { return load8_u(a) + load8_u(a, memory: 1) }
        export func move(b: ref buf, a: i32) { memory_write(a, b, 0, len(b)) }";
    let root = |memories: &str| {
        format!(
            "import lib.bytes {{ sum, move }}\n{memories}\nexport func f(b: buf) -> i32 {{ move(b, 8)  return sum(8) }}"
        )
    };
    let modules = [("lib.bytes", BYTES)];
    let module = build(&root("memory 1..1\nmemory heap 1..2"), &modules, false).unwrap();
    assert_eq!((module.memories.len(), funcs(&module).len()), (2, 3));
    let none = refused(&root(""), &modules);
    assert!(none.contains("lib/lib/bytes.il:1") && none.contains("declares no memory"), "{none}");
    let one = refused(&root("memory 1..1"), &modules);
    assert!(one.contains("there is no memory 1"), "{one}");
    let own = refused("import lib.own { f }", &[("lib.own", "memory 1..1\nexport func f() {}")]);
    assert!(own.contains("an imported module has no `memory`"), "{own}");
}
