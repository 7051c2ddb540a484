//! The core test suite.
use wasm_suite::files;
use wasm_suite::script::Script;

#[test]
fn count() {
    let mut total = 0;
    let files = files::core_2_0();
    for file in &files {
        let script = Script::new(file.raw()).unwrap_or_else(|e| panic!("{}: {e:#}", file.name()));
        let n = script.steps.iter().filter(|s| s.action.asserts()).count();
        total += n;
        println!("{} {n} {}", file.name(), script.units.len());
    }
    println!("{} {total}", files.len());
}
