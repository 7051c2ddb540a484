//! `ilc fmt`, through its front door.

mod common;

use std::fs;
use std::path::Path;

use common::{file, ilc, ilc_with};

const UGLY: &[u8] = b"// greets\nexport func main(){let x=1+2  // three\n}\n";
const PRETTY: &str = "// greets\nexport func main() {\n  let x = 1 + 2  // three\n}\n";

#[test]
fn files_and_folders_are_formatted_in_place() {
    let path = file("ugly.il", UGLY);
    let name = path.to_str().unwrap();
    let checked = ilc(&["fmt", "--check", name]);
    assert_eq!(checked.code, 1);
    assert!(checked.err.contains("ugly.il:2: not formatted: expected `export func main() {`"), "{}", checked.err);
    assert_eq!(fs::read(&path).unwrap(), UGLY, "`--check` writes nothing");
    assert_eq!((ilc(&["fmt", name]).code, fs::read_to_string(&path).unwrap().as_str()), (0, PRETTY));
    assert_eq!(ilc(&["fmt", "--check", name]).code, 0);

    let folder = path.with_file_name("texts");
    fs::create_dir_all(folder.join("deep/.hidden")).unwrap();
    let inner =
        [folder.join("a.il"), folder.join("deep/b.il"), folder.join("deep/c.txt"), folder.join("deep/.hidden/d.il")];
    for path in &inner {
        fs::write(path, UGLY).unwrap();
    }
    assert_eq!(ilc(&["fmt", folder.to_str().unwrap()]).code, 0);
    let pretty: Vec<bool> = inner.iter().map(|path| fs::read(path).unwrap() == PRETTY.as_bytes()).collect();
    assert_eq!(pretty, [true, true, false, false]);
}

#[test]
fn standard_input_goes_to_standard_output() {
    let run = ilc_with(&["fmt", "--stdin"], UGLY);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, PRETTY, ""));
    assert_eq!(ilc_with(&["fmt", "--stdin", "--check"], UGLY).code, 1);
    assert_eq!(ilc_with(&["fmt", "--stdin", "--check"], PRETTY.as_bytes()).code, 0);
}

#[test]
fn what_is_no_text_is_left_alone() {
    for (name, bytes, said) in [
        ("words.il", &b"let x = 12ab\n"[..], "IL0002"),
        ("module.il", b"\0ilb rest", "this is a module"),
        ("latin.il", b"\xff", "not UTF-8"),
    ] {
        let path = file(name, bytes);
        let run = ilc(&["fmt", path.to_str().unwrap()]);
        assert!(run.code == 1 && run.err.contains(said), "{name}: {}", run.err);
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(ilc(&["fmt"]).code, 2);
}

#[test]
fn listings_are_formatted() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    for sample in ["paint.il", "clock.il", "vms/echo.il"] {
        let listing = ilc(&["dis", samples.join(sample).to_str().unwrap()]);
        let run = ilc_with(&["fmt", "--stdin", "--check"], listing.out.as_bytes());
        assert!(listing.code == 0 && run.code == 0, "{sample}: {}", run.err);
    }
}

#[test]
fn the_samples_and_the_library_are_formatted() {
    for folder in ["../../samples", "../../il/std"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let run = ilc(&["fmt", "--check", folder.to_str().unwrap()]);
        assert_eq!(run.code, 0, "{}", run.err);
    }
}
