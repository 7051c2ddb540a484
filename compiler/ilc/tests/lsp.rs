//! The language server, driven as an editor drives it: a process, messages on its standard input and output.

use std::io::{BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lsp_server::{Message, Notification, Request};
use serde_json::{Value, json};

const URI: &str = "file:///home/%C3%A4%20demo/demo.il";

/// `ä` and the crab: columns are UTF-16 units, of which the crab takes two.
const TEXT: &str = "\
use console: cascade.console@1
/// Twice as much.
func twice(n: i32) -> i32 { return n * 2 }
export func main() {
  let \u{6e} = twice(4)  console.write(\"\u{e4}\u{1f980}\")  console.write(str(n))
  if n > 3 { console.write(\"big\") }
}
";

struct Editor {
    server: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last: i32,
}

impl Editor {
    fn start() -> Editor {
        let mut server = Command::new(env!("CARGO_BIN_EXE_ilc"))
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ilc starts");
        let (input, output) = (server.stdin.take().expect("a pipe"), server.stdout.take().expect("a pipe"));
        Editor { server, input, output: BufReader::new(output), last: 0 }
    }

    fn initialized() -> Editor {
        let mut editor = Editor::start();
        let about = editor.ask("initialize", json!({ "capabilities": {}, "processId": null, "rootUri": null }));
        assert_eq!(about["capabilities"]["hoverProvider"], true);
        assert_eq!(about["capabilities"]["documentFormattingProvider"], true);
        editor.tell("initialized", json!({}));
        editor
    }

    fn tell(&mut self, method: &str, params: Value) {
        let note = Message::Notification(Notification::new(method.into(), params));
        note.write(&mut self.input).expect("the server listens");
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, lsp_server::ResponseError> {
        self.last += 1;
        let request = Message::Request(Request::new(self.last.into(), method.into(), params));
        request.write(&mut self.input).expect("the server listens");
        match self.message() {
            Message::Response(response) => {
                assert_eq!(response.id, self.last.into());
                response.response_result
            }
            other => panic!("expected a response to {method}, got {other:?}"),
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.request(method, params).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    fn message(&mut self) -> Message {
        Message::read(&mut self.output).expect("a message").expect("the server is there")
    }

    /// The diagnostics that the server sends by itself.
    fn diagnostics(&mut self, version: Option<i32>) -> Vec<Value> {
        let Message::Notification(note) = self.message() else { panic!("expected a notification") };
        assert_eq!(note.method, "textDocument/publishDiagnostics");
        assert_eq!((note.params["uri"].as_str(), &note.params["version"]), (Some(URI), &json!(version)));
        note.params["diagnostics"].as_array().expect("a list").clone()
    }

    fn open(&mut self, text: &str) -> Vec<Value> {
        let document = json!({ "uri": URI, "languageId": "il", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
        self.diagnostics(Some(1))
    }

    fn change(&mut self, version: i32, text: &str) -> Vec<Value> {
        let document = json!({ "uri": URI, "version": version });
        let changes = json!([{ "text": text }]);
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
        self.diagnostics(Some(version))
    }

    fn at(&mut self, method: &str, line: u32, character: u32) -> Value {
        let position = json!({ "line": line, "character": character });
        let params = json!({ "textDocument": { "uri": URI }, "position": position, "context": { "includeDeclaration": false, "triggerKind": 1 } });
        self.ask(method, params)
    }

    fn end(mut self) -> (Option<i32>, String) {
        drop(self.input);
        let mut said = String::new();
        self.server.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        (self.server.wait().expect("it ends").code(), said)
    }
}

fn range(line: u32, from: u32, to: u32) -> Value {
    json!({ "start": { "line": line, "character": from }, "end": { "line": line, "character": to } })
}

#[test]
fn errors_are_published_and_mended() {
    let mut editor = Editor::initialized();
    assert!(editor.open(TEXT).is_empty());

    // Line 4, behind `ä` and the crab.
    let broken = TEXT.replace("console.write(str(n))", "consol.write(strr(n))  let n = 1");
    let errors = editor.change(2, &broken);
    assert_eq!(errors.len(), 3, "{errors:?}");
    let column = |part: &str| {
        let line = broken.lines().nth(4).unwrap();
        line[..line.rfind(part).unwrap()].encode_utf16().count() as u32
    };
    let consol = column("consol.");
    assert_eq!((&errors[0]["code"], &errors[0]["range"]), (&json!("IL0100"), &range(4, consol, consol + 6)));
    assert_eq!((&errors[0]["source"], &errors[0]["severity"]), (&json!("ilc"), &json!(1)));
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.contains("there is no capability `consol`") && message.contains("did you mean `console`?"));
    assert!(errors[1]["message"].as_str().unwrap().contains("did you mean `str`?"));
    assert_eq!(errors[2]["code"], "IL0101");
    assert_eq!(errors[2]["relatedInformation"][0]["location"]["range"], range(4, 6, 7));

    let document = json!({ "uri": URI });
    let asked =
        json!({ "textDocument": document, "range": range(4, consol, consol), "context": { "diagnostics": [] } });
    let actions = editor.ask("textDocument/codeAction", asked);
    assert_eq!(actions.as_array().map(Vec::len), Some(1), "{actions}");
    let edit = &actions[0]["edit"]["changes"][URI][0];
    assert_eq!((&edit["range"], &edit["newText"]), (&range(4, consol, consol + 6), &json!("console")));

    assert!(editor.change(3, TEXT).is_empty());
    editor.change(4, "func f() { ");
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": URI } }));
    assert!(editor.diagnostics(None).is_empty(), "a closed text has no errors");
    assert!(editor.at("textDocument/hover", 2, 6).is_null(), "and nothing to say");
}

#[test]
fn names_are_explained_and_found() {
    let mut editor = Editor::initialized();
    editor.open(TEXT);

    let hover = editor.at("textDocument/hover", 4, 11);
    assert_eq!(hover["contents"]["value"], "```il\nfunc twice(n: i32) -> i32\n```\n\nTwice as much.");
    assert_eq!(hover["range"], range(4, 10, 15));
    let write = editor.at("textDocument/hover", 4, 30);
    let text = write["contents"]["value"].as_str().unwrap_or("");
    assert!(text.contains("1 write(text: str)") && text.contains("Writes `text`, in order."), "{write}");
    assert_eq!(editor.at("textDocument/hover", 5, 5)["contents"]["value"], "```il\nlet n: i32\n```");
    // `str`, behind the crab.
    let line = TEXT.lines().nth(4).unwrap();
    let at = line[..line.find("str(n)").unwrap()].encode_utf16().count() as u32;
    let text = editor.at("textDocument/hover", 4, at)["contents"]["value"].as_str().unwrap_or("").to_owned();
    assert!(text.contains("str(i64) -> str"), "{text}");
    assert!(editor.at("textDocument/hover", 3, 0).is_null(), "a word of the grammar");

    let definition = editor.at("textDocument/definition", 4, 12);
    assert_eq!((&definition["uri"], &definition["range"]), (&json!(URI), &range(2, 5, 10)));
    assert_eq!(editor.at("textDocument/definition", 5, 5)["range"], range(4, 6, 7), "a local");
    assert_eq!(editor.at("textDocument/definition", 5, 15)["range"], range(0, 4, 11), "a capability");
    assert!(editor.at("textDocument/definition", 4, 30).is_null(), "an instruction of a built-in set");

    assert_eq!(editor.at("textDocument/references", 0, 5).as_array().map(Vec::len), Some(3));
    assert_eq!(editor.at("textDocument/documentHighlight", 4, 6).as_array().map(Vec::len), Some(3));

    let symbols = editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": URI } }));
    let names: Vec<&str> = symbols.as_array().unwrap().iter().map(|symbol| symbol["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["console", "twice", "main"]);
    assert_eq!(symbols[1]["detail"], "func twice(n: i32) -> i32");
}

#[test]
fn names_are_changed_everywhere() {
    let mut editor = Editor::initialized();
    editor.open(TEXT);
    let rename = |line: u32, character: u32, name: &str| {
        let position = json!({ "line": line, "character": character });
        json!({ "textDocument": { "uri": URI }, "position": position, "newName": name })
    };
    let edit = editor.ask("textDocument/rename", rename(4, 12, "double"));
    let edits = edit["changes"][URI].as_array().expect("edits");
    let places: Vec<&Value> = edits.iter().map(|edit| &edit["range"]).collect();
    assert_eq!(places, [&range(2, 5, 10), &range(4, 10, 15)]);
    assert!(edits.iter().all(|edit| edit["newText"] == "double"));
    assert_eq!(editor.at("textDocument/prepareRename", 4, 12), range(4, 10, 15));

    for (line, character, name) in
        [(4, 12, "if"), (4, 12, "1x"), (4, 12, ""), (4, 30, "print"), (3, 0, "x"), (3, 13, "start")]
    {
        let refused = editor.request("textDocument/rename", rename(line, character, name));
        assert!(refused.is_err(), "{name} at {line}:{character}");
    }
    assert!(editor.at("textDocument/prepareRename", 4, 30).is_null(), "an instruction");
}

#[test]
fn imports_are_followed() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("lsp imports");
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    std::fs::write(folder.join("lib/a.il"), "module lib.a\n\n/// Lots.\nexport func many() -> i32 { return 1 }\n")
        .unwrap();
    let address = |file: &str| format!("file://{}/{file}", folder.to_str().unwrap().replace(' ', "%20"));
    let text = "import lib.a { many }\nimport std.text { repeat }\n\
        export func f() -> str { return repeat(\"x\", many()) }\nfunc g() { wrong() }\n";

    let mut editor = Editor::initialized();
    let document = json!({ "uri": address("main.il"), "languageId": "il", "version": 1, "text": text });
    editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let Message::Notification(note) = editor.message() else { panic!("expected a notification") };
    assert_eq!(note.params["diagnostics"].as_array().map(Vec::len), Some(1), "{note:?}");
    let mut at = |method: &str, character: u32| {
        let position = json!({ "line": 2, "character": character });
        editor.ask(method, json!({ "textDocument": { "uri": address("main.il") }, "position": position }))
    };
    let line = text.lines().nth(2).unwrap();
    let (many, repeat) = (line.find("many").unwrap() as u32, line.find("repeat").unwrap() as u32);
    assert_eq!(at("textDocument/hover", many)["contents"]["value"], "```il\nexport func many() -> i32\n```\n\nLots.");
    let definition = at("textDocument/definition", many);
    assert_eq!((&definition["uri"], &definition["range"]), (&json!(address("lib/a.il")), &range(3, 12, 16)));
    let text = at("textDocument/hover", repeat)["contents"]["value"].as_str().unwrap_or("").to_owned();
    assert!(text.contains("func repeat(s: str, times: i32) -> str"), "{text}");
    assert!(at("textDocument/definition", repeat).is_null(), "the library is in no file");

    // What an editor shows counts, not what is stored; whoever imports it is looked at anew.
    let published = |editor: &mut Editor, method: &str, params: Value| -> Vec<(String, usize)> {
        editor.tell(method, params);
        let mut one = || {
            let Message::Notification(note) = editor.message() else { panic!("expected a notification") };
            let count = note.params["diagnostics"].as_array().expect("a list").len();
            (note.params["uri"].as_str().expect("an address").to_owned(), count)
        };
        vec![one(), one()]
    };
    let (main, lib) = (address("main.il"), address("lib/a.il"));
    let other = "module lib.a\n\nexport func few() -> i32 { return 1 }\n";
    let document = json!({ "uri": lib, "languageId": "il", "version": 1, "text": other });
    let after_open = published(&mut editor, "textDocument/didOpen", json!({ "textDocument": document }));
    assert_eq!(after_open, [(lib.clone(), 0), (main.clone(), 2)], "`many` is gone");
    let after_close = published(&mut editor, "textDocument/didClose", json!({ "textDocument": { "uri": lib } }));
    assert_eq!(after_close, [(lib, 0), (main, 1)], "and back");
}

#[test]
fn names_are_offered() {
    let text = "\
use console: cascade.console@1
use lamp: demo.lamp@1
isa demo.lamp@1 {
  /// Sets it.
  1 set(level: i32)
  event 1 turned(level: i32)
}
enum Key { Up, Down }
//
func f(count: i32) {
  let sum = count
  console.
  Key.
  lamp.
   // a.
}
use other: 
on lamp.
import std.text { pad_left }
import std.text { 
import st";
    let mut editor = Editor::initialized();
    editor.open(text);
    let mut offered = |line: u32| -> Vec<(String, Value)> {
        let column = text.lines().nth(line as usize).unwrap().len() as u32;
        let list = editor.at("textDocument/completion", line, column);
        list.as_array()
            .expect("a list")
            .iter()
            .map(|one| (one["label"].as_str().unwrap().into(), one.clone()))
            .collect()
    };
    let names = |list: &[(String, Value)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();

    let instructions = offered(11);
    assert_eq!(names(&instructions), ["read", "read_line", "ready", "size", "write", "write_bytes", "write_message"]);
    assert_eq!(instructions[4].1["detail"], "write(text: str)");
    assert!(instructions[4].1["documentation"]["value"].as_str().unwrap().starts_with("Writes `text`"));
    assert_eq!(names(&offered(12)), ["Down", "Up"]);
    let own = offered(13);
    assert_eq!((names(&own), &own[0].1["documentation"]["value"]), (vec!["set".into()], &json!("Sets it.")));
    assert_eq!(names(&offered(17)), ["turned"], "handlers are for events");
    assert!(offered(14).is_empty(), "comments are prose");
    let sets = names(&offered(16));
    assert!(sets.contains(&"demo.lamp@1".into()) && sets.contains(&"cascade.display@1".into()), "{sets:?}");
    assert!(names(&offered(19)).contains(&"repeat".into()), "what the module exports");
    assert!(names(&offered(20)).contains(&"std.maths".into()), "modules");
    let alone = names(&offered(15));
    for name in ["count", "sum", "f", "console", "Key", "min", "while", "pad_left"] {
        assert!(alone.contains(&name.into()), "{name} is not offered");
    }
}

#[test]
fn texts_are_formatted() {
    let mut editor = Editor::initialized();
    editor.open("func  f( ){\n}\n\n\n\n// \u{1f980}");
    let asked = json!({ "textDocument": { "uri": URI }, "options": { "tabSize": 8, "insertSpaces": false } });
    let edits = editor.ask("textDocument/formatting", asked.clone());
    assert_eq!(edits[0]["newText"], "func f() {\n}\n\n// \u{1f980}\n");
    let whole = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 5, "character": 5 } });
    assert_eq!(edits[0]["range"], whole);
    editor.change(2, edits[0]["newText"].as_str().unwrap());
    assert_eq!(editor.ask("textDocument/formatting", asked.clone()), json!([]));
    editor.change(3, "let x = 12ab");
    assert!(editor.ask("textDocument/formatting", asked).is_null(), "malformed words are left alone");
}

#[test]
fn the_protocol_is_kept() {
    let mut editor = Editor::initialized();
    let unknown = editor.request("textDocument/willThink", json!({})).expect_err("there is no such request");
    assert_eq!(unknown.code, -32601);
    let malformed = editor.request("textDocument/hover", json!({ "position": 7 })).expect_err("nonsense");
    assert_eq!(malformed.code, -32602);
    editor.tell("textDocument/didOpen", json!({ "nonsense": true }));
    editor.tell("$/setTrace", json!({ "value": "off" }));
    assert!(editor.ask("shutdown", Value::Null).is_null());
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end(), (Some(0), String::new()));

    let mut rude = Editor::initialized();
    rude.tell("exit", Value::Null);
    assert_eq!(rude.end().0, Some(1), "exit without shutdown");
    let gone = Editor::start();
    assert_eq!(gone.end().0, Some(1), "gone before anything was said");
}

/// Texts that are nested beyond all measure, or nonsense, do not end the server.
#[test]
fn hostile_texts_are_survived() {
    let mut editor = Editor::initialized();
    editor.open("");
    for (at, piece) in ["(", "{", "if true {", "isa a.b@1 {", "-", "\"", "\u{1f980}", "?", "new ["].iter().enumerate() {
        let text = format!("func f() {{ let x = {}", piece.repeat(20_000));
        assert!(!editor.change(at as i32 + 2, &text).is_empty(), "{piece}");
        editor.at("textDocument/hover", 0, 12);
        editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": URI } }));
    }
    assert!(editor.ask("shutdown", Value::Null).is_null());
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end().0, Some(0));
}
