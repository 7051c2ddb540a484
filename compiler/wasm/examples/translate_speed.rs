//! How fast units are translated: `cargo run --release -p wasm --example translate_speed FILE.wasm ..`

use std::time::{Duration, Instant};

use wasm::{Options, Unit, translate};

/// The best of so many runs counts.
const RUNS: usize = 7;

fn best<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut least: Option<(Duration, T)> = None;
    for _ in 0..RUNS {
        let start = Instant::now();
        let value = run();
        let time = start.elapsed();
        if least.as_ref().is_none_or(|(known, _)| time < *known) {
            least = Some((time, value));
        }
    }
    least.expect("it ran")
}

fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).expect("a file");
        let options = Options { known: isa::ALL, script: false };
        let units = [Unit { name: &path, bytes: &bytes }];
        let (time, module) = best(|| translate(&units, &options).map_err(|error| error.to_string()));
        let module = match module {
            Ok(module) => module,
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        let (checking, _) = best(|| wasmparser::Validator::new().validate_all(&bytes).map(|_| ()));
        let (encoding, encoded) = best(|| il::binary::encode(&module));
        let copies: Vec<il::Module> = (0..RUNS).map(|_| module.clone()).collect();
        let mut copies = copies.into_iter();
        let (verifying, verified) = best(|| copies.next().map(il::verify));
        let code: usize = module.funcs.iter().map(|func| func.body.len()).sum();
        println!(
            "{path}: {} bytes, {} functions; translated in {time:.1?} (wasmparser alone {checking:.1?}), {code} bytes of IL \
             bodies, {} encoded in {encoding:.1?}, verified in {verifying:.1?}: {}",
            bytes.len(),
            module.funcs.len(),
            encoded.len(),
            verified.is_some_and(|checked| checked.map_err(|error| println!("{error}")).is_ok()),
        );
    }
}
