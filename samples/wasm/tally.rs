//! A program with Rust's standard library: tallies the words of files, or of standard input, by their length.
//!
//!     rustc --edition 2024 --target wasm32-wasip1 -C opt-level=2 samples/wasm/tally.rs
//!     cascade run tally.wasm --dir docs -- docs/il.md

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut text = String::new();
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        match std::fs::read_to_string(file) {
            Ok(more) => text.push_str(&more),
            Err(why) => {
                println!("{file}: {:?}", why.kind());
                return ExitCode::from(2);
            }
        }
    }
    if files.is_empty() && std::io::stdin().read_to_string(&mut text).is_err() {
        return ExitCode::from(2);
    }
    let mut words: HashMap<&str, u32> = HashMap::new();
    for word in text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *words.entry(word).or_default() += 1;
    }
    let mut lengths: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
    for (word, count) in &words {
        let (different, all) = lengths.entry(word.chars().count()).or_default();
        *different += 1;
        *all += count;
    }
    for (length, (different, all)) in &lengths {
        println!("{length:3} letters: {different:5} words, {all:6} times, {:.2} each", f64::from(*all) / f64::from(*different));
    }
    ExitCode::SUCCESS
}
