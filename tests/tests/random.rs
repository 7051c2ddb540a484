//! 200 random programs, hosted and on metal in one boot: equal consoles and exit codes.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use cascade_tests::{Where, cascade, generate, text};

const PROGRAMS: u64 = 200;

fn batch(place: Where, list: &std::path::Path) -> String {
    let mut command: Command = cascade();
    command.arg(if place == Where::Hosted { "run" } else { "boot" });
    command.args(["--batch", list.to_str().unwrap(), "--display", "none", "--clock", "virtual", "--timeout", "900"]);
    let output = command.output().unwrap();
    assert!(!output.stdout.is_empty(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn hosted_and_metal_agree() {
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for seed in 0..PROGRAMS {
        let file = folder.path().join(format!("random{seed}.il"));
        fs::write(&file, generate::program(seed)).unwrap();
        writeln!(list, "{}", file.display()).unwrap();
    }
    let list_file = folder.path().join("list");
    fs::write(&list_file, list).unwrap();
    let [hosted, booted] = Where::BOTH.map(|place| batch(place, &list_file));
    assert_eq!(hosted.lines().count() as u64, PROGRAMS, "{hosted}");
    for (left, right) in hosted.lines().zip(booted.lines()) {
        assert_eq!(left, right, "hosted (left) and booted differ");
    }
    assert_eq!(hosted, booted);
    let trapped = hosted.lines().filter(|line| line.contains("exit 1")).count();
    assert!(trapped * 5 < PROGRAMS as usize, "{trapped} of {PROGRAMS} programs trap: too many to compare much");
}
