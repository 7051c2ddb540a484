//! A module at each limit passes the verifier and the binary form, and one past it is refused with a clear error.

mod common;

use common::limits::{BUILDS, MORE, value};
use il::binary::Problem;
use il::verify::Violation;
use il::{Module, limits};

/// Limits that no module can be built at, each with what shows it instead.
const ELSEWHERE: &[&str] = &[
    // Of bytes, by the decoder: `a_module_is_not_too_long`.
    "MODULE_BYTES",
    // Of a value at run time: the engines' tests.
    "ARRAY_ELEMENTS",
    // Of an entry, when it is entered: `entries_have_room`.
    "MAX_VALUES",
    // Of text, by the front end: `text_is_not_too_long_or_deep`.
    "SOURCE_BYTES",
    "SOURCE_NESTING",
];

#[test]
fn every_limit_has_a_case() {
    for (name, ..) in limits::ALL {
        let cases = BUILDS.iter().filter(|(of, _)| of == name).count();
        let elsewhere = usize::from(ELSEWHERE.contains(name));
        assert_eq!(cases + elsewhere, 1, "{name}: {cases} cases");
    }
}

#[test]
fn a_module_at_a_limit_passes_and_one_past_it_is_refused() {
    let more = MORE.iter().map(|(name, what, build)| (*name, *what, *build));
    for (name, what, build) in BUILDS.iter().map(|(name, build)| (*name, "", *build)).chain(more) {
        let limit = value(name);
        let at = build(limit);
        let bytes = il::binary::encode(&at);
        assert!(il::binary::decode(&bytes).as_ref() == Ok(&at), "{name} {what}: the bytes at the limit");
        il::verify(at).unwrap_or_else(|error| panic!("{name} {what}: at the limit: {error}"));
        past(name, what, limit, build(limit + 1));
    }
}

fn past(name: &str, what: &str, limit: usize, module: Module) {
    let bytes = il::binary::encode(&module);
    let decoded = il::binary::decode(&bytes);
    let error = il::verify(module).expect_err(name);
    match &error.kind {
        Violation::Limit { count, limit: said, .. } => assert_eq!((*count, *said), (limit + 1, limit), "{name} {what}"),
        other => panic!("{name} {what}: {other:?}"),
    }
    let text = error.to_string();
    assert!(text.contains(&limit.to_string()), "{name} {what}: `{text}` does not tell the limit");
    // What the decoder allocates for, it limits itself.
    if let Err(error) = decoded {
        assert!(matches!(error.problem, Problem::Limit { .. }), "{name} {what}: {error}");
    }
}

#[test]
fn a_module_is_not_too_long() {
    let with = |bytes: usize| {
        // An unknown optional section may be as long as the module.
        let mut module = il::binary::encode(&Module::default());
        module.push(0xff);
        let rest = bytes - module.len() - 4;
        il::leb::write_u64(&mut module, rest as u64);
        module.resize(bytes, 0);
        module
    };
    assert_eq!(il::binary::decode(&with(limits::MODULE_BYTES)), Ok(Module::default()));
    let error = il::binary::decode(&with(limits::MODULE_BYTES + 1)).unwrap_err();
    let (count, limit) = (limits::MODULE_BYTES as u64 + 1, limits::MODULE_BYTES);
    assert_eq!(error.problem, Problem::Limit { count, limit });
}

#[test]
fn entries_have_room() {
    const { assert!(limits::ISA_OPERANDS < limits::MAX_VALUES) }
}

#[test]
fn text_is_not_too_long_or_deep() {
    let compile = |source: &str| il::text::compile("limit.il", source, isa::ALL).map_err(|error| error.to_string());
    let long = |bytes: usize| format!("func f() {{}}{}", " ".repeat(bytes - "func f() {}".len()));
    assert!(compile(&long(limits::SOURCE_BYTES)).is_ok());
    assert!(
        compile(&long(limits::SOURCE_BYTES + 1)).is_err_and(|error| error.contains(&limits::SOURCE_BYTES.to_string()))
    );
    let deep = |depth: usize| format!("func f() -> i32 {{ return {}1{} }}", "(".repeat(depth), ")".repeat(depth));
    let deepest = (1..=limits::SOURCE_NESTING).rev().find(|depth| compile(&deep(*depth)).is_ok());
    // The function's block and the returned expression count as well.
    assert!(deepest.is_some_and(|depth| depth + 4 > limits::SOURCE_NESTING), "{deepest:?}");
    let error = compile(&deep(limits::SOURCE_NESTING + 1)).unwrap_err();
    assert!(error.contains(&limits::SOURCE_NESTING.to_string()), "{error}");
}
