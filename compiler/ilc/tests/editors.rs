//! The highlighting grammars know the compiler's words: all of them, and no others.
//!
//! `UPDATE_GOLDEN=1 cargo test -p ilc --test editors` rewrites the list of built-in functions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../editors").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn grammar() -> Value {
    serde_json::from_str(&text("vscode/il.tmLanguage.json")).expect("the grammar is JSON")
}

/// The words of `\b(?:a|b|c)`, each once.
fn words(pattern: &str) -> Vec<String> {
    let list = pattern.split("\\b(?:").nth(1).and_then(|rest| rest.split(')').next());
    list.unwrap_or_else(|| panic!("no list of words in {pattern}")).split('|').map(str::to_owned).collect()
}

#[track_caller]
fn same(found: Vec<String>, wanted: BTreeSet<&str>) {
    let set: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(set.len(), found.len(), "a word stands twice in {found:?}");
    let missing: Vec<&&str> = wanted.difference(&set).collect();
    let surplus: Vec<&&str> = set.difference(&wanted).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:?}, not the compiler's: {surplus:?}");
}

#[test]
fn reserved_words_are_highlighted() {
    let grammar = grammar();
    let patterns = grammar["repository"]["keywords"]["patterns"].as_array().expect("patterns");
    let found = patterns.iter().flat_map(|pattern| words(pattern["match"].as_str().expect("a pattern"))).collect();
    same(found, il::text::reserved_words().collect());
}

#[test]
fn item_words_are_highlighted() {
    let pattern = grammar()["repository"]["items"]["match"].as_str().expect("a pattern").to_owned();
    same(words(&pattern), il::text::item_words().collect());
}

#[test]
fn built_in_functions_are_highlighted() {
    let grammar = grammar();
    let pattern = grammar["repository"]["built-ins"]["patterns"][1]["match"].as_str().expect("a pattern");
    // Types that convert are types.
    let reserved: BTreeSet<&str> = il::text::reserved_words().collect();
    let wanted: BTreeSet<&str> = il::text::built_ins().difference(&reserved).copied().collect();
    let found = words(pattern);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let list = |words: Vec<&str>| format!("(?:{})(?=", words.join("|"));
        let old = list(found.iter().map(String::as_str).collect());
        let new = text("vscode/il.tmLanguage.json").replace(&old, &list(wanted.iter().copied().collect()));
        std::fs::write(path("vscode/il.tmLanguage.json"), new).expect("the grammar is writable");
    } else {
        same(found, wanted);
    }
}

#[test]
fn vim_knows_the_same_words() {
    let syntax = text("vim/syntax/il.vim");
    let keywords = syntax.lines().filter_map(|line| line.strip_prefix("syntax keyword "));
    same(
        keywords.flat_map(|line| line.split(' ').skip(1)).map(str::to_owned).collect(),
        il::text::reserved_words().collect(),
    );
    let items = syntax.lines().find(|line| line.contains("<(module|")).expect("the pattern of items");
    let list = items.split("<(").nth(1).and_then(|rest| rest.split(')').next()).expect("a list of words");
    same(list.split('|').map(str::to_owned).collect(), il::text::item_words().collect());
}

#[test]
fn every_part_of_the_grammar_is_used() {
    let grammar = grammar();
    let all = grammar.to_string();
    for name in grammar["repository"].as_object().expect("a repository").keys() {
        assert!(all.contains(&format!("\"include\":\"#{name}\"")), "`{name}` is included nowhere");
    }
    for part in all.split("\"include\":\"#").skip(1) {
        let name = part.split('"').next().unwrap_or("");
        assert!(!grammar["repository"][name].is_null(), "there is no `{name}`");
    }
    let manifest: Value = serde_json::from_str(&text("vscode/package.json")).expect("the manifest is JSON");
    let contributed = &manifest["contributes"];
    assert_eq!(contributed["grammars"][0]["scopeName"], grammar["scopeName"]);
    for file in [&contributed["grammars"][0]["path"], &contributed["languages"][0]["configuration"]] {
        let file = file.as_str().expect("a path").trim_start_matches("./");
        let parsed: Result<Value, _> = serde_json::from_str(&text(&format!("vscode/{file}")));
        assert!(parsed.is_ok(), "{file}: {parsed:?}");
    }
}
