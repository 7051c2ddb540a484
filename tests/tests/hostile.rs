//! Bad input gets a clear error and exit code 2, never a panic: modules, manifests, key scripts,
//! options. (Decoder, verifier and packets have tests of their own beside them.)

use std::fs;
use std::path::Path;
use std::process::Command;

use cascade_tests::{cascade, ilc, root, text};

fn refused(command: &mut Command, parts: &[&str]) {
    let output = command.output().unwrap();
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(2), "{command:?}\n{printed}");
    assert!(!printed.contains("panicked"), "{command:?}\n{printed}");
    for part in parts {
        assert!(printed.contains(part), "no {part:?} in:\n{printed}");
    }
}

fn built(folder: &Path, sample: &str) -> Vec<u8> {
    let file = folder.join("built.ilb");
    let source = root().join("samples").join(sample);
    let output = ilc().arg("build").arg(source).arg("-o").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    fs::read(file).unwrap()
}

#[test]
fn truncated_and_flipped_modules() {
    let folder = tempfile::tempdir().unwrap();
    let module = built(folder.path(), "paint.il");
    let file = folder.path().join("bad.ilb");
    for length in (0..module.len().min(400)).step_by(37) {
        fs::write(&file, &module[..length]).unwrap();
        refused(cascade().arg("run").arg(&file), &["bad.ilb"]);
    }
    fs::write(&file, b"MZ\x90 this is not a module").unwrap();
    refused(cascade().arg("run").arg(&file), &["bad.ilb"]);
}

#[test]
fn manifests_show_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("system.toml");
    let cases = [
        ("[vm.main]\nmodule = 5\n", "system.toml:2"),
        ("[vm.main]\nmodul = \"a.il\"\n", "unknown field"),
        ("[vm.main\n", "system.toml:1"),
        ("[vm.main]\nmodule = \"nowhere.il\"\n", "nowhere.il"),
        ("[vm.main]\nmodule = \"x.il\"\ngrants = { dsk = \"all\" }\n", "no VM `dsk`"),
    ];
    for (content, part) in cases {
        fs::write(&manifest, content).unwrap();
        refused(cascade().args(["run", "--system"]).arg(&manifest), &[part]);
    }
}

#[test]
fn key_scripts_show_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("bad.keys");
    let cases = [("down a\nup nosuchkey\n", "2"), ("wait soon\n", "1"), ("text \"unclosed\n", "1"), ("press a\n", "1")];
    for (content, line) in cases {
        fs::write(&keys, content).unwrap();
        refused(
            cascade().args(["run", "samples/hello.il", "--display", "none", "--keys"]).arg(&keys),
            &["bad.keys", line],
        );
    }
}

#[test]
fn what_is_not_granted_is_refused_by_name() {
    refused(
        cascade().args(["run", "samples/paint.il", "--display", "none", "--grant", "display", "--grant", "keyboard"]),
        &["disk", "--grant"],
    );
    refused(cascade().args(["run", "samples/thermometer.il", "--display", "none"]), &["lab.thermometer@1", "--plug"]);
}

#[test]
fn missing_files_and_odd_options() {
    refused(cascade().args(["run", "no/such/file.il"]), &["no/such/file.il"]);
    refused(cascade().args(["run", "samples/hello.il", "--display", "hologram"]), &["window, png:FILE"]);
    refused(
        cascade().args(["run", "samples/hello.il", "--display", "none", "--disk", "no/such/dir/disk.img"]),
        &["disk.img"],
    );
    refused(cascade().args(["boot", "samples/hello.il", "--image", "no/such/image"]), &["no/such/image"]);
}

#[test]
fn a_program_that_does_not_compile_shows_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.il");
    fs::write(&file, "module wrong\nexport func main() {\n  let x: i32 = \"text\"\n}\n").unwrap();
    refused(cascade().arg("run").arg(&file), &["wrong.il:3", "i32"]);
}
