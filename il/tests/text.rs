//! Golden tests of the text form, one runner.
//!
//! `tests/text/*.il` compile, verify and survive binary code; their `.txt` holds the module's identity
//! and its instructions. `tests/diagnostics/*.il` are refused; their `.txt` holds what the user reads.
//! `UPDATE_GOLDEN=1 cargo test -p il --test text` rewrites the `.txt` files; review the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use il::instr::{Instr, Reader};
use il::{FuncId, Module};

#[test]
fn programs_compile_to_the_recorded_modules() {
    golden("text", |name, source| {
        let module =
            il::text::compile(name, source, isa::ALL).unwrap_or_else(|errors| panic!("{name} is refused:\n{errors}"));
        let bytes = il::binary::encode(&module);
        let again = il::binary::decode(&bytes).unwrap_or_else(|error| panic!("{name}: its binary is refused: {error}"));
        assert!(again == module, "{name}: binary code changes the module");
        let verified = il::verify(module).unwrap_or_else(|error| panic!("{name} is refused by the verifier: {error}"));
        dump(&verified)
    });
}

#[test]
fn errors_read_as_recorded() {
    golden("diagnostics", |name, source| match il::text::compile(name, source, isa::ALL) {
        Ok(_) => panic!("{name} is accepted, but its mistake should be reported"),
        Err(errors) => {
            for error in &errors {
                assert!(
                    source.is_empty() || error.line as usize <= source.lines().count() + 1,
                    "{name}: place of {error:?}"
                );
            }
            format!("{errors}\n")
        }
    });
}

#[test]
fn every_error_code_has_a_case() {
    let recorded: String = cases("diagnostics")
        .iter()
        .map(|case| fs::read_to_string(case.with_extension("txt")).unwrap_or_default())
        .collect();
    for code in il::text::Code::ALL {
        // The verifier's refusals come after a text is accepted.
        let reported = *code == il::text::Code::Rejected || recorded.contains(code.name());
        assert!(reported, "no case in tests/diagnostics shows {} ({})", code.name(), code.title());
    }
}

/// Runs every case of a folder through `produce` and compares with what is recorded.
fn golden(folder: &str, produce: impl Fn(&str, &str) -> String) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let cases = cases(folder);
    assert!(!cases.is_empty(), "no cases in tests/{folder}");
    let mut wrong = Vec::new();
    for case in cases {
        let name = case.file_name().and_then(|name| name.to_str()).expect("case names are plain text");
        let source = fs::read_to_string(&case).expect("cases are readable");
        let found = produce(name, &source);
        let record = case.with_extension("txt");
        if update {
            fs::write(&record, &found).expect("records are writable");
        } else if fs::read_to_string(&record).ok().as_deref() != Some(&found) {
            wrong.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "not as recorded (UPDATE_GOLDEN=1 accepts it):\n{}", wrong.join("\n"));
}

fn cases(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let files = fs::read_dir(path).expect("the folder of cases").map(|entry| entry.expect("a readable folder").path());
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "il")).collect();
    cases.sort();
    cases
}

/// Everything in a module, instruction by instruction, independent of the disassembler.
fn dump(module: &Module) -> String {
    let mut out = String::new();
    let identity: String = il::binary::identity(module).iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "module {}\nidentity {identity}", module.name).unwrap();
    for set in &module.isas {
        let instructions: Vec<&str> = set.instructions.iter().map(|one| &*one.name).collect();
        let events: Vec<&str> = set.events.iter().map(|one| &*one.name).collect();
        writeln!(out, "isa {} [{}] events [{}]", set.path(), instructions.join(", "), events.join(", ")).unwrap();
    }
    for (at, text) in module.strings.iter().enumerate() {
        writeln!(out, "string {at} {text:?}").unwrap();
    }
    for (at, def) in module.types.iter().enumerate() {
        writeln!(out, "type {at} {def:?}").unwrap();
    }
    let tables = (
        &module.uses,
        &module.provides,
        &module.globals,
        &module.memories,
        &module.data,
        &module.exports,
        &module.handlers,
        &module.programs,
        &module.tests,
    );
    writeln!(out, "{tables:?}").unwrap();
    for at in 0..module.funcs.len() {
        dump_func(&mut out, module, FuncId(at as u32));
    }
    out
}

fn dump_func(out: &mut String, module: &Module, id: FuncId) {
    let func = &module.funcs[id.index()];
    let list = |types: &[il::Type]| types.iter().map(|ty| ty.to_string()).collect::<Vec<_>>().join(", ");
    let (params, results, locals) = (list(&func.sig.params), list(&func.sig.results), list(&func.locals));
    writeln!(out, "\n{} ({params}) -> ({results}) locals ({locals})", module.func_name(id)).unwrap();
    let mut reader = Reader::new(&func.body);
    let (mut depth, mut line) = (1usize, 0);
    loop {
        let now = module.line_at(id, reader.offset()).unwrap_or(0);
        let Some(instr) = reader.next().expect("a well-formed body") else { return };
        let closes = matches!(instr, Instr::End | Instr::Else | Instr::Arm(_) | Instr::Default);
        let opens = matches!(
            instr,
            Instr::If
                | Instr::IfAs(..)
                | Instr::Block
                | Instr::Loop
                | Instr::While
                | Instr::For(_)
                | Instr::Switch
                | Instr::Cond(_)
                | Instr::Else
                | Instr::Arm(_)
                | Instr::Default
        );
        let shown = if now == line { String::new() } else { now.to_string() };
        line = now;
        writeln!(out, "{shown:>4} {}{}", "  ".repeat(depth - usize::from(closes)), show(instr)).unwrap();
        // Arms stand inside their switch, one level deeper than the branches of an `if`.
        depth = depth - usize::from(closes) + usize::from(opens);
    }
}

fn show(instr: Instr<'_>) -> String {
    let dests = |dests: il::instr::Dests<'_>| {
        let one = |dest: Option<il::LocalId>| dest.map_or("_".to_string(), |local| local.0.to_string());
        dests.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    match instr {
        Instr::Set(list) => format!("Set ({})", dests(list)),
        Instr::CallSet(func, list) => format!("CallSet {} ({})", func.0, dests(list)),
        Instr::SendSet(cap, opcode, list) => format!("SendSet {} {opcode} ({})", cap.0, dests(list)),
        Instr::TrySet(cap, opcode, list) => format!("TrySet {} {opcode} ({})", cap.0, dests(list)),
        Instr::Arm(values) => format!("Arm {:?}", values.iter().collect::<Vec<_>>()),
        Instr::F64Const(bits) => format!("F64Const({:?})", f64::from_bits(bits)),
        Instr::Op(op, immediate) if immediate == Default::default() => format!("{op:?}"),
        Instr::F32Const(bits) => format!("F32Const({:?})", f32::from_bits(bits)),
        Instr::CallRefSet(ty, list) => format!("CallRefSet {} ({})", ty.0, dests(list)),
        Instr::SendToSet(ty, opcode, list) => format!("SendToSet {} {opcode} ({})", ty.0, dests(list)),
        Instr::TryToSet(ty, opcode, list) => format!("TryToSet {} {opcode} ({})", ty.0, dests(list)),
        Instr::OwnSet(opcode, list) => format!("OwnSet {opcode} ({})", dests(list)),
        Instr::OwnTrySet(opcode, list) => format!("OwnTrySet {opcode} ({})", dests(list)),
        Instr::RunSet(cap, program, list) => format!("RunSet {} {} ({})", cap.0, program.0, dests(list)),
        Instr::RunTrySet(cap, program, list) => format!("RunTrySet {} {} ({})", cap.0, program.0, dests(list)),
        other => format!("{other:?}"),
    }
}

/// Texts cut off or damaged anywhere give errors or modules, never a panic or a hang.
#[test]
fn damaged_texts_give_errors() {
    for case in cases("text") {
        let source = fs::read_to_string(&case).expect("cases are readable");
        let places: Vec<usize> = source.char_indices().map(|(at, _)| at).step_by(11).collect();
        for (turn, at) in places.into_iter().enumerate() {
            let (before, after) = source.split_at(at);
            let piece =
                ["", "{", "}", "(", ")", "\"", "match ", "-", "return ", "0", "'", "try ", "pure ", "provides "]
                    [turn % 14];
            let skipped: String = after.chars().skip(turn % 7).collect();
            for text in [before.to_string(), format!("{before}{piece}{skipped}")] {
                if let Ok(module) = il::text::compile("damaged.il", &text, isa::ALL) {
                    let verified = il::verify(module);
                    assert!(
                        verified.is_ok(),
                        "accepted, then refused by the verifier: {}\n{text}",
                        verified.unwrap_err()
                    );
                }
            }
        }
    }
}

/// What is nested beyond all measure is refused within bounded stack and time.
#[test]
fn hostile_nesting_is_refused() {
    let many = 50_000;
    let texts = [
        format!("func f() {{ let x = {} }}", "(".repeat(many)),
        format!("func f() {{ let x = {}1 }}", "-".repeat(many)),
        format!("func f() {{ let x = {}1 }}", "!".repeat(many)),
        format!("func f() {{ {} }}", "if true {".repeat(many)),
        format!("func f() {{ if true {{}} {} }}", "else if true {}".repeat(many)),
        format!("func f() {{ {} }}", "match 1 { _ => ".repeat(many)),
        format!("func f() {{ {} }}", "'a: {".repeat(many)),
        format!("func f() {{ {} }}", (0..many).map(|n| format!("'a{n}: {{")).collect::<String>()),
        format!("func f() {{ {} }}", "select(1, 2, ".repeat(many)),
        format!("func f() {{ load32(0{}) }}", ", memory: 0".repeat(1000)),
        (0..many).map(|n| format!("memory m{n} 0..0\n")).collect(),
        (0..2 * many).map(|n| format!("data d{n} = \"\"\n")).collect(),
        format!("func f() {{ let x = a{} }}", "[0]".repeat(many)),
        format!("func f() {{ let x = a{} }}", ".b".repeat(many)),
        format!("func f() {{ match 1 {{ a{} => }} }}", ".b".repeat(many)),
        format!("func f() {{ let x = 1{} }}", " + 1".repeat(many)),
        format!("func f() {{ let x = f{} }}", "(1)".repeat(many)),
        format!("func f(x: {}i32) {{ }}", "?".repeat(many)),
        format!("func f() {{ let x = {} }}", "1 * (1 || 1 && 1 == 1 | 1 ^ 1 & 1 << ".repeat(many)),
        // Whatever is looked up must not be looked for anew in all that came before.
        format!("const A = \"{}\" + 1", "\\u{".repeat(many)),
        format!("func f() {{ match 1 {{ {} 1 => {{}} }} }}", "1 | ".repeat(many)),
        format!(
            "func f() {{ match 1 {{ {} _ => {{}} }} }}",
            (0..many).rev().map(|n| format!("{n} | {n} => {{}} ")).collect::<String>()
        ),
        (0..many).map(|n| format!("isa a{n}.b@1 {{}}\n")).collect(),
        (0..many).map(|n| format!("const C{n}: i64 = D{n}\n")).collect(),
        format!("use k: cascade.keyboard@1\n{}", "on k.key(code: i32, down: bool, char: i32) {}\n".repeat(many)),
        format!(
            "func f() {{ loop {{ {} }} }}",
            (0..many).map(|n| format!("let b{n} = buf(1) if true {{ break }} ")).collect::<String>()
        ),
        format!("func f() {{ g({}) }}", (0..many).map(|n| format!("name{n}, ")).collect::<String>()),
        format!("func f() {{ let x = {} }}", "[".repeat(many)),
        format!("func f() {{ let x = {} }}", "new S { a: ".repeat(many)),
        format!("func f() {{ let x = {}1 }}", "new [i32](1, ".repeat(many)),
        format!("func f(x: {}) {{ }}", "[".repeat(many)),
        format!("func f(x: {}) {{ }}", "func(".repeat(many)),
        format!("func f(x: any) {{ let y = x{} }}", " as any".repeat(many)),
        format!("func f() {{ {} }}", "if let x = f() {".repeat(many)),
        format!(
            "func f() {{ let a0 = [1] {} f(1) }}",
            (0..2000).map(|n| format!("let a{} = [a{n}] ", n + 1)).collect::<String>()
        ),
        format!("func f() {{ let y = {} }}", "if let x = f() { 1 } else { ".repeat(many)),
        format!(
            "{} struct S0: S{many} {{}}",
            (0..many).map(|n| format!("struct S{}: S{n} {{}}\n", n + 1)).collect::<String>()
        ),
        format!("struct A {{ {} }}", (0..many).map(|n| format!("f{n}: A, ")).collect::<String>()),
        format!("func f() {{ g({}) }}", "&f, ".repeat(many)),
        format!("import {} {{ x }}", "a.".repeat(many)),
        (0..many).map(|n| format!("import m{n} {{ x }}\n")).collect(),
        (0..many).map(|n| format!("test \"t{n}\" {{}}\n")).collect(),
        "{".repeat(many),
        "'".repeat(many),
        "\"".repeat(many),
        "\u{feff}é🦀".repeat(many),
    ];
    for text in texts {
        let errors = il::text::compile("hostile.il", &text, isa::ALL).expect_err("nothing here is a module");
        assert!(!errors.is_empty());
    }
}

/// Texts that say themselves what they mean, run by the reference interpreter.
#[test]
fn texts_mean_what_they_say() {
    for case in cases("meaning") {
        let source = fs::read_to_string(&case).expect("cases are readable");
        let options = il::text::Options { known: isa::ALL, resolve: &|_| None, tests: true };
        let module =
            il::text::compile_with("meaning.il", &source, &options).unwrap_or_else(|errors| panic!("{errors}"));
        let module = il::verify(module).unwrap_or_else(|error| panic!("{error}"));
        assert!(!module.tests.is_empty());
        for test in &module.tests {
            let limits = interp::Limits { check: true, ..interp::Limits::default() };
            let mut machine = interp::Machine::new(&module, limits).expect("globals have initial values");
            match machine.call(test.func, &[]) {
                Ok(interp::Outcome::Done(_)) => {}
                other => panic!("{}: {other:?}", test.name),
            }
        }
    }
}
