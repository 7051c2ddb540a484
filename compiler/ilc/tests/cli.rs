//! The command line, through its front door: what is written, what is said, how it exits.

mod common;

use std::path::PathBuf;

use common::{file, ilc};

const HELLO: &[u8] = b"use console: cascade.console@1\nexport func main() { console.write(\"hello\\n\") }\n";

#[test]
fn a_text_becomes_a_module_and_text_again() {
    let input = file("hello.il", HELLO);
    let module = input.with_extension("ilb");
    let built = ilc(&["build", input.to_str().unwrap()]);
    assert_eq!((built.code, built.err.as_str()), (0, ""));
    let listed = ilc(&["dis", module.to_str().unwrap()]);
    assert!(listed.out.contains("console.write(\"hello\\n\")"), "{}", listed.out);
    let again = file("again.il", listed.out.as_bytes());
    assert_eq!(ilc(&["check", again.to_str().unwrap(), module.to_str().unwrap()]).code, 0);
    for emit in ["clif", "asm"] {
        let listing = ilc(&["build", input.to_str().unwrap(), "--emit", emit]);
        assert!(listing.code == 0 && listing.out.contains("main"), "{emit}: {}{}", listing.out, listing.err);
    }
}

#[test]
fn mistakes_exit_with_1_and_show_their_line() {
    let wrong = file("wrong.il", b"export func main() {\n  let x: i64 = true\n  y = 1\n}\n");
    let run = ilc(&["check", wrong.to_str().unwrap()]);
    assert_eq!(run.code, 1);
    for part in ["wrong.il:2:16", "let x: i64 = true", "expected `i64`", "wrong.il:3:3", "2 errors"] {
        assert!(run.err.contains(part), "{part} is missing in:\n{}", run.err);
    }
    assert!(!run.err.contains('\u{1b}'), "no colours without a terminal");
    assert!(ilc(&["check", wrong.to_str().unwrap(), "--color", "always"]).err.contains('\u{1b}'));

    let damaged = file("damaged.ilb", b"\0ilb\xff\xff\xff");
    let neither = file("neither.bin", b"\xff\xfe\x00");
    for (path, part) in [
        (damaged, "damaged.ilb: "),
        (neither, "neither a module"),
        (PathBuf::from("nowhere.il"), "there is no such file"),
    ] {
        let run = ilc(&["build", path.to_str().unwrap(), "-o", "-"]);
        assert!(run.code == 1 && run.err.contains(part) && run.out.is_empty(), "{}: {}", path.display(), run.err);
    }
    let hello = file("kept.il", HELLO);
    let onto_itself = ilc(&["build", hello.to_str().unwrap(), "-o", hello.to_str().unwrap()]);
    assert!(onto_itself.code == 1 && std::fs::read(&hello).unwrap() == HELLO, "{}", onto_itself.err);
}

#[test]
fn wrong_usage_exits_with_2_and_help_teaches() {
    assert_eq!(ilc(&["frobnicate"]).code, 2);
    assert_eq!(ilc(&["check"]).code, 2);
    let help = ilc(&["--help"]);
    assert!(help.code == 0 && help.out.contains("export func main") && help.out.contains("Exit codes"), "{}", help.out);
    for shell in ["bash", "zsh", "fish"] {
        assert!(ilc(&["completions", shell]).out.contains("ilc"));
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man");
    assert_eq!(ilc(&["man", folder.to_str().unwrap()]).code, 0);
    for command in ["ilc", "ilc-build", "ilc-check", "ilc-dis", "ilc-fmt", "ilc-doc", "ilc-lsp", "ilc-explain"] {
        let page = std::fs::read_to_string(folder.join(format!("{command}.1"))).unwrap_or_default();
        assert!(page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
    assert!(ilc(&["explain", "il0200"]).out.contains("conversion"));
    assert_eq!(ilc(&["explain", "IL9999"]).code, 1);
    assert_eq!(ilc(&["explain"]).out.lines().count(), il::text::Code::ALL.len() + cascade::wasm::Code::ALL.len());
    assert!(ilc(&["explain", "WA0002"]).out.contains("proposal"));
}

#[test]
fn modules_are_found_by_their_names() {
    let lib = b"module lib.a\nexport func many() -> i32 { return 1 }\n";
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("imports");
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    std::fs::write(folder.join("lib/a.il"), lib).unwrap();
    let main = folder.join("main.il");
    let text = "import lib.a { many }\nimport std.maths { PI }\nexport func f() -> f64 { return f64(many()) * PI }\n";
    std::fs::write(&main, text).unwrap();
    let built = ilc(&["build", main.to_str().unwrap()]);
    assert_eq!((built.code, built.err.as_str()), (0, ""));

    std::fs::write(folder.join("lib/a.il"), "module lib.a\nexport func many() -> i32 { return true }\n").unwrap();
    let run = ilc(&["check", main.to_str().unwrap(), "--message-format", "short"]);
    assert!(run.code == 1 && run.err.contains("lib/a.il:2:36: error[IL0200]"), "{}", run.err);
    std::fs::remove_file(folder.join("lib/a.il")).unwrap();
    let run = ilc(&["check", main.to_str().unwrap()]);
    assert!(run.code == 1 && run.err.contains("there is no module `lib.a`"), "{}", run.err);
}
