//! Errors in every form: for people, short, and as JSON.

mod common;

use common::{file, ilc};
use serde_json::Value;

const WRONG: &[u8] = b"use console: cascade.console@1\nexport func main() {\n  let counter = \"\xc3\xa4\" + 1\n  consol.write(\"a\")\n  let counter = 2\n}\n";

#[test]
fn short_messages_are_one_line_each() {
    let path = file("short.il", WRONG);
    let name = path.to_str().unwrap();
    let run = ilc(&["check", name, "--message-format", "short"]);
    let lines: Vec<&str> = run.err.lines().collect();
    assert_eq!((run.code, lines.len()), (1, 3), "{}", run.err);
    assert!(lines[1].starts_with(&format!("{name}:4:3: error[IL0100]: ")), "{}", lines[1]);
}

#[test]
fn json_messages_carry_all_that_a_program_needs() {
    let path = file("json.il", WRONG);
    let missing = path.with_file_name("missing.il");
    let run = ilc(&["check", path.to_str().unwrap(), missing.to_str().unwrap(), "--message-format", "json"]);
    assert_eq!(run.code, 1);
    let objects: Vec<Value> =
        run.err.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    assert_eq!(objects.len(), 4, "{}", run.err);
    for object in &objects {
        assert_eq!(object["level"], "error");
        assert!(object["rendered"].as_str().is_some_and(|text| text.contains(object["message"].as_str().unwrap())));
    }
    let [mismatch, unknown, again, missing] = &objects[..] else { panic!("four errors") };

    // Columns count characters, bytes are bytes: `ä` is one of the former, two of the latter.
    let line = std::str::from_utf8(WRONG).unwrap().lines().nth(2).unwrap();
    let before: usize = std::str::from_utf8(WRONG).unwrap().lines().take(2).map(|line| line.len() + 1).sum();
    let span = &mismatch["spans"][0];
    let (start, end) = (span["byte_start"].as_u64().unwrap() as usize, span["byte_end"].as_u64().unwrap() as usize);
    assert_eq!((span["line"].as_u64(), span["primary"].as_bool()), (Some(3), Some(true)));
    let columns = |at: usize| Some(line[..at - before].chars().count() as u64 + 1);
    assert_eq!((span["column"].as_u64(), span["end_column"].as_u64()), (columns(start), columns(end)));

    assert_eq!(unknown["code"], "IL0100");
    assert_eq!(unknown["suggestions"][0]["replacement"], "console");
    assert_eq!(unknown["suggestions"][0]["byte_start"], unknown["spans"][0]["byte_start"]);
    assert_eq!(unknown["help"], "did you mean `console`?");

    assert_eq!(again["code"], "IL0101");
    let first = &again["spans"][1];
    assert_eq!((first["line"].as_u64(), first["primary"].as_bool()), (Some(3), Some(false)));
    assert!(first["label"].as_str().is_some_and(|label| label.contains("first")), "{again}");

    assert!(missing["code"].is_null() && missing["message"].as_str().unwrap().contains("no such file"), "{missing}");
}
