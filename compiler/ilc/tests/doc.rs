//! `ilc doc`: pages of Markdown from `///` comments.

mod common;

use std::fs;

use common::{file, ilc};

const TEXT: &[u8] = b"/// Lamps, and how to turn them.\n/// All of them.\nmodule demo.lamps\n\n\
/// A lamp.\nisa demo.lamp@1 {\n  /// Sets it,\n  /// at once.\n  1 set( level:i32 )->()\n  event 1 turned(level: i32)\n}\n\
/// Steps.\nenum Step { Off,\n  /// As bright as it gets.\n  Full }\n\
/// Twice `n`.\nexport func twice(\n    n:i32 )->i32 { return n * 2 }\n/// Not to be seen.\nfunc hidden() {}\n";

const PAGE: &str = "# `demo.lamps`

Lamps, and how to turn them.
All of them.

## Instruction sets

### `demo.lamp@1`

```il
isa demo.lamp@1
```

A lamp.

- `1 set(level: i32) -> ()`
  Sets it,
  at once.
- `event 1 turned(level: i32)`

## Functions

### `twice`

```il
export func twice(
  n: i32) -> i32
```

Twice `n`.
";

#[test]
fn what_is_exported_is_documented() {
    let path = file("lamps.il", TEXT);
    let run = ilc(&["doc", path.to_str().unwrap()]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out == PAGE, "expected:\n{PAGE}\nfound:\n{}", run.out);

    let all = ilc(&["doc", "--all", path.to_str().unwrap()]).out;
    for part in ["### `hidden`", "Not to be seen.", "## Types\n\n### `Step`", "- `Full`\n  As bright as it gets.\n"] {
        assert!(all.contains(part), "{part} is missing in:\n{all}");
    }
}

#[test]
fn a_folder_holds_a_page_a_module_and_their_list() {
    let lamps = file("pages_lamps.il", TEXT);
    let other = file("pages_other.il", b"export func f() {}\n");
    let folder = lamps.with_file_name("pages");
    let args = ["doc", other.to_str().unwrap(), lamps.to_str().unwrap(), "-o", folder.to_str().unwrap()];
    assert_eq!(ilc(&args).code, 0);
    assert_eq!(fs::read_to_string(folder.join("demo.lamps.md")).unwrap(), PAGE);
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    let lines =
        "| [`demo.lamps`](demo.lamps.md) | Lamps, and how to turn them. |\n| [`pages_other`](pages_other.md) |  |\n";
    assert!(list.ends_with(lines), "{list}");
    assert!(fs::read_to_string(folder.join("pages_other.md")).unwrap().contains("export func f()"));

    let twice = ilc(&["doc", lamps.to_str().unwrap(), lamps.to_str().unwrap(), "-o", folder.to_str().unwrap()]);
    assert!(twice.code == 1 && twice.err.contains("two of these texts are the module `demo.lamps`"), "{}", twice.err);
    let module = file("pages.ilb", b"\0ilb");
    assert_eq!(ilc(&["doc", module.to_str().unwrap()]).code, 1);
}
