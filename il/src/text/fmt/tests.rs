//! The formatter's invariants, on cases and on texts with perturbed blanks.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::diag::Sink;
use super::super::lexer::lex;
use super::super::token::{Kind, Token};
use super::format;

/// Words, with the understood semicolons that matter: before a `}` none does.
fn words(source: &str) -> Vec<Kind> {
    let mut sink = Sink::new("words.il", source);
    let tokens = lex(source, 0, &mut sink);
    assert!(sink.is_clean(), "malformed: {source}");
    let understood = |token: &Token| token.kind == Kind::Semi && token.span.start == token.span.end;
    let ends = |at: usize| tokens.get(at + 1).is_some_and(|next| next.kind == Kind::CloseBrace);
    let kept = tokens.iter().enumerate().filter(|(at, token)| !(understood(token) && ends(*at)));
    kept.map(|(_, token)| token.kind.clone()).collect()
}

fn comments(source: &str) -> Vec<String> {
    let mut sink = Sink::new("comments.il", source);
    let tokens = lex(source, 0, &mut sink);
    super::pieces::pieces(source, &tokens)
        .iter()
        .filter(|piece| piece.kind.is_none())
        .map(|piece| piece.text.to_string())
        .collect()
}

/// Formats, and checks what must hold of every result.
fn checked(source: &str) -> String {
    let once = format("text.il", source).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(words(source), words(&once), "words changed:\n{source}\n---\n{once}");
    assert_eq!(comments(source), comments(&once), "comments changed:\n{source}\n---\n{once}");
    let twice = format("text.il", &once).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(once, twice, "not idempotent:\n{source}");
    assert!(!once.contains("\n\n\n") && !once.contains(" \n") && !once.starts_with('\n'), "{once}");
    once
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let found = checked(source);
    assert!(found == expected, "expected:\n{expected}\nfound:\n{found}");
}

#[test]
fn blanks_follow_one_rule() {
    check(
        "func  f( a:i32 ,b :ref buf)->( x:i32,i64 ){return(a+ -1 ,- a- 1,!b,~a&(1|2),& g,f (1) [ 2 ] .x)}",
        "func f(a: i32, b: ref buf) -> (x: i32, i64) { return (a + -1, -a - 1, !b, ~a & (1 | 2), &g, f(1)[2].x) }\n",
    );
    check(
        "memory  heap 1 .. 2\ndata  8  in heap\"x\"\ndata a=\"x\"\ndata b = 8  in 1 \"x\"",
        "memory heap 1..2\ndata 8 in heap \"x\"\ndata a = \"x\"\ndata b = 8 in 1 \"x\"\n",
    );
    check(
        "func f(){'a :{break 'a}load32(a,offset : 8,memory:heap)}",
        "func f() { 'a: { break 'a }  load32(a, offset: 8, memory: heap) }\n",
    );
    check("memory 1 .. 2\nfor i in 0 .. n-1{}", "memory 1..2\nfor i in 0..n - 1 {}\n");
    check("func f(){a=1 b(2)  c+=3;d()}", "func f() { a = 1  b(2)  c += 3; d() }\n");
    check(
        "program p on a.b @ 1(t:i32){}\nfunc g(x:?[ mut [i8] ],c:a.b@1 ( x,y ),h:func (ref buf)->i32){}",
        "program p on a.b@1 (t: i32) {}\nfunc g(x: ?[mut [i8]], c: a.b@1(x, y), h: func(ref buf) -> i32) {}\n",
    );
    check(
        "struct S:T{mut x:i32,y:?S}\nisa a.b@1{1 f(x:i32)->()\nevent 1 e()}",
        "struct S: T { mut x: i32, y: ?S }\nisa a.b@1 {\n  1 f(x: i32) -> ()\n  event 1 e()\n}\n",
    );
    check(
        "func f(){let p=new P{x:1,y:2} let a=new [ i32 ](n,0)}",
        "func f() { let p = new P { x: 1, y: 2 }  let a = new [i32](n, 0) }\n",
    );
    check("func f() { 'a : loop { break   'a } }", "func f() { 'a: loop { break 'a } }\n");
}

#[test]
fn words_that_would_fuse_stay_apart() {
    check("a & & f\nx . . y\n1 . 5\na < < b\nx = = y", "a & &f\nx. .y\n1. 5\na < < b\nx = = y\n");
}

#[test]
fn lines_are_indented_by_what_is_open() {
    check(
        "func f()\n{\nif a\n&& b\n{\ng(1,\n2)\n}\nelse if c {\nh(\n1,\n[\n2\n]\n)\n}\nelse\n{ i() }\nreturn a\n+ b\n}",
        "func f() {\n  if a\n      && b {\n    g(1,\n        2)\n  } else if c {\n    h(\n      1,\n      [\n        2\n      ]\n    )\n  } else { i() }\n  return a\n      + b\n}\n",
    );
    check(
        "func f() { loop { g()\nh() } x() }\nfunc g() {}",
        "func f() {\n  loop {\n    g()\n    h()\n  }\n  x()\n}\nfunc g() {}\n",
    );
    check(
        "func f() {\nlet x =\nmatch y {\n1 |\n2 => {\na()\n}\n_ => b\n}\n}",
        "func f() {\n  let x =\n      match y {\n        1 |\n            2 => {\n          a()\n        }\n        _ => b\n      }\n}\n",
    );
}

#[test]
fn lines_that_start_statements_stay_apart() {
    // A `;` is understood before `(`, `[`, `-` and `&` on a line of their own.
    check("func f() {\na\n(b, c) = d\nreturn\n-x\n}", "func f() {\n  a\n  (b, c) = d\n  return\n  -x\n}\n");
    check("func f() {\ng(a\n-b)\nreturn }", "func f() {\n  g(a\n      - b)\n  return\n}\n");
}

#[test]
fn comments_keep_their_places() {
    check(
        "\n\n// first\n\n\n/// doc\nfunc f() { // opens\n\na() // one\nlonger(1)   // two\n\n// alone\n\n}\n// last",
        "// first\n\n/// doc\nfunc f() {  // opens\n  a()        // one\n  longer(1)  // two\n\n  // alone\n}\n// last\n",
    );
    check("func f() // why\n{\n}\n\nif a {} // no\nelse {}", "func f()  // why\n{\n}\n\nif a {}  // no\n    else {}\n");
    check("return a\n// because\n+ b", "return a\n    // because\n    + b\n");
    check("", "");
    check("//x  \r\n", "//x\n");
}

#[test]
fn uses_are_aligned() {
    check(
        "use a: x.y@1\nuse display:   x.y@1 { f,g }\n\nuse b:x.y@1",
        "use a:       x.y@1\nuse display: x.y@1 { f, g }\n\nuse b: x.y@1\n",
    );
}

#[test]
fn malformed_words_are_refused() {
    let errors = format("bad.il", "let x = 12ab").expect_err("this is not a number");
    assert_eq!(errors.len(), 1);
}

/// What is nested beyond all measure costs neither stack nor more memory than its text.
#[test]
fn hostile_texts_are_bounded() {
    let many = 5_000;
    for text in
        ["{\n", "(\n", "if a {\n", "}", ")\n", "a (b\n", "use a: b@1 //c\n", "// c\n\n\n", "x // c\n", "-\n", "? "]
    {
        let source = text.repeat(many);
        let out = format("hostile.il", &source).expect("all of these are words");
        assert!(out.len() < 100 * source.len() + 100, "{text:?} makes {} bytes", out.len());
    }
}

/// Every text of the repository, its blanks replaced by others that keep the words.
fn corpus() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![];
    for folder in ["tests/text", "tests/diagnostics", "std", "../samples", "../samples/vms", "../benches/programs"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder of texts") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_some_and(|end| end == "il") {
                let text = std::fs::read_to_string(&path).expect("a readable text");
                if format("corpus.il", &text).is_ok() {
                    texts.push(text);
                }
            }
        }
    }
    assert!(texts.len() > 20, "the texts are not found");
    texts
}

#[test]
fn the_whole_corpus_keeps_its_words() {
    for text in corpus() {
        checked(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    /// Line breaks and blanks put anywhere between words, comments too.
    #[test]
    fn perturbed_blanks_are_laid_out(which in any::<prop::sample::Index>(), seed in any::<u64>()) {
        static CORPUS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(corpus);
        let text = which.get(&CORPUS);
        let mut sink = Sink::new("corpus.il", text);
        let mut state = seed | 1;
        let mut out = String::new();
        for token in lex(text, 0, &mut sink) {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let blank = match state >> 60 {
                0 => "\n",
                1 => "\n\n\n",
                2 => " // comment\n",
                3 => "\n  /// doc\n\n",
                4 => "\t",
                5 => "  ",
                _ => " ",
            };
            out.push_str(token.span.text(text));
            out.push_str(blank);
        }
        checked(&out);
    }

    /// Any text at all, and texts of the corpus with a piece cut out or put in.
    #[test]
    fn damaged_texts_are_laid_out_or_refused(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        skipped in 0usize..9,
        piece in "[ -~\n\u{e4}\u{1f980}\u{feff}\r]{0,12}",
    ) {
        static CORPUS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(corpus);
        let text: Vec<char> = which.get(&CORPUS).chars().collect();
        let at = cut.index(text.len());
        let rest = text.iter().skip(at + skipped);
        let damaged: String = text.iter().take(at).copied().chain(piece.chars()).chain(rest.copied()).collect();
        for text in [piece, damaged] {
            if format("damaged.il", &text).is_ok() {
                checked(&text);
            }
        }
    }

    /// Any words in any order.
    #[test]
    fn any_words_are_laid_out(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        let text = words.join(" ").replace("\\", "\n");
        checked(&text);
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\\",
    "\\",
    "\\\\\\",
    ";",
    ",",
    ":",
    ".",
    "..",
    "-",
    "&",
    "+",
    "=",
    "=>",
    "->",
    "!",
    "?",
    "@",
    "if",
    "else",
    "match",
    "loop",
    "return",
    "break",
    "new",
    "func",
    "use",
    "provides",
    "isa",
    "struct",
    "program",
    "x",
    "y",
    "1",
    "1.5",
    "'l",
    "'c'",
    "\"s\"",
    "i32",
    "mut",
    "as",
    "// c\\",
    "/// d\\\\",
    "|",
    "<<",
    "true",
    "export",
];
