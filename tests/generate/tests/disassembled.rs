//! Random modules become text that compiles to verified modules, and so do these.

use generate::Config;

/// Comparisons of a `null` with a choice of nulls, and a `buf` that each turn of a loop has anew.
const FAILED_ONCE: [u64; 3] = [280, 1179, 1194];

#[test]
fn random_modules_become_text() {
    for seed in (0..100).chain(FAILED_ONCE) {
        let mut module = generate::module(seed, &Config::default());
        for _ in 0..2 {
            let text = il::disasm::module(&module);
            module = il::text::compile("random.il", &text, &[]).unwrap_or_else(|error| panic!("{seed}: {error}"));
            il::verify(module.clone()).unwrap_or_else(|error| panic!("{seed}: {error}"));
        }
    }
}
