//! `ilc bindings`: what is written, and that compilers for WebAssembly accept it.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{file, ilc};

/// The tests' folder in the source tree.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bindings")
}

fn bindings(lang: &str, sets: &[&str]) -> String {
    let run = ilc(&[&["bindings", "--lang", lang], sets].concat());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    run.out
}

/// Compares with a file of the source tree, which `UPDATE_GOLDEN=1` renews.
fn golden(name: &str, found: &str) {
    let path = folder().join(name);
    // The path of the text stands nowhere in it: it is the same on every machine.
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{name} differs; UPDATE_GOLDEN=1 renews it. Found:\n{found}");
}

fn lamp() -> String {
    folder().join("lamp.il").display().to_string()
}

#[test]
fn a_header_and_a_module_are_made_of_one_declaration() {
    golden("lamp.h", &bindings("c", &[&lamp()]));
    golden("lamp.rs", &bindings("rust", &[&lamp()]));
    golden("lamp.zig", &bindings("zig", &[&lamp()]));
}

#[test]
fn sets_are_named_as_elsewhere() {
    let all = bindings("c", &[]);
    for set in isa::ALL {
        assert!(all.contains(&format!("// {}\n", set.path())), "{}", set.path());
    }
    let one = bindings("c", &["cascade.display@1"]);
    assert!(one == bindings("c", &["display"]) && one.contains("cascade_display_fill_rect") && !one.contains("disk"));
    let path = file("display.h", b"");
    assert_eq!(ilc(&["bindings", "--lang", "c", "display", "-o", path.to_str().unwrap()]).code, 0);
    assert_eq!(std::fs::read_to_string(path).unwrap(), one);

    let plain = file("no_sets.il", b"export func main() {}\n");
    for (set, why) in [
        ("nothing", "there is no instruction set `nothing`; built in are cascade.console@1, "),
        ("nothing.il", "nothing.il: cannot be read"),
        (plain.to_str().unwrap(), "this text declares no instruction set"),
    ] {
        let run = ilc(&["bindings", "--lang", "rust", set]);
        assert!(run.code == 1 && (run.err.contains(why) || run.err.contains("no such file")), "{set}: {}", run.err);
    }
    let twice = ilc(&["bindings", "--lang", "c", "display", "cascade.display"]);
    assert!(twice.err.contains("`cascade.display@1` is asked for twice"), "{}", twice.err);
}

/// Runs a compiler; it may say nothing.
fn compiles(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{command:?}:\n{said}");
}

fn clang(source: &Path, out: &Path, more: &[&str]) {
    let strict = ["--target=wasm32", "-ffreestanding", "-O1", "-c", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
    compiles(Command::new("clang").args(strict).args(more).arg("-o").arg(out).arg(source));
}

#[test]
fn clang_accepts_the_headers() {
    for (name, text) in [("all_sets.h", bindings("c", &[])), ("lamp.h", bindings("c", &[&lamp()]))] {
        file(name, text.as_bytes());
    }
    let uses = "#include \"all_sets.h\"\n#include \"lamp.h\"\n\
        void cascade_keyboard_on_key(int32_t code, bool down, int32_t c) { if (down) cascade_display_clear(code ^ c); }\n\
        void demo_lamp_on_switched(bool on, cascade_buf who) { demo_lamp_set(on, false); cascade_buf_free(who); }\n\
        int32_t paint(const char *text, size_t bytes, cascade_buf pixels) {\n\
          int32_t w, h, on; int64_t frame; cascade_buf label, picture; double watts = demo_lamp_power(1, 2);\n\
          cascade_display_size(&w, &h); cascade_display_text(w, h, text, bytes, (int32_t)watts);\n\
          cascade_display_blit(0, 0, 1, 1, text, bytes); cascade_display_blit_buf(0, 0, 2, 2, pixels);\n\
          demo_lamp_all(7, &on, &label, &picture);\n\
          if (demo_lamp_try_show(text, bytes, text, 1, text, 2, &on) == CASCADE_BUSY) return 1;\n\
          return cascade_display_try_present(&frame) == CASCADE_OK && demo_lamp_show_buf(text, bytes, label, picture);\n\
        }\n";
    let source = file("uses_bindings.c", uses.as_bytes());
    let object = source.with_extension("o");
    clang(&source, &object, &[]);
    let bytes = std::fs::read(&object).unwrap();
    for name in ["cascade.keyboard@1.key", "demo.lamp@2", "try show", "cascade.display@1", "fill_rect"] {
        let there = bytes.windows(name.len()).any(|window| window == name.as_bytes());
        assert_eq!(there, name != "fill_rect", "{name}: only what is called is imported");
    }
    clang(&source, &object, &["-x", "c++"]);
    let vectors = "#include \"lamp.h\"\nv128_t mixed(v128_t a) { return demo_lamp_mix(a, a); }\n";
    clang(&file("uses_vectors.c", vectors.as_bytes()), &object, &["-msimd128"]);
}

#[test]
fn rustc_accepts_the_modules() {
    file("all_sets.rs", bindings("rust", &[]).as_bytes());
    file("lamp.rs", bindings("rust", &[&lamp()]).as_bytes());
    let uses = "#![no_std]\n#![deny(warnings)]\npub mod all_sets;\npub mod lamp;\nuse all_sets::{Buf, display, keyboard};\n\
        #[unsafe(export_name = \"cascade.keyboard@1.key\")]\nextern \"C\" fn key(code: i32, down: i32, char: i32) {\n\
          if down != 0 { display::clear(code ^ char) }\n}\nconst _: keyboard::OnKey = key;\n\
        pub fn paint(pixels: Buf) -> Result<i64, all_sets::Status> {\n  let (w, h) = display::size();\n\
          display::text(w, h, \"here\", 0);\n  display::blit(0, 0, 1, 1, &[1, 2, 3, 4]);\n\
          display::blit_buf(0, 0, 2, 2, pixels);\n  display::try_present()\n}\n\
        pub fn shine() -> bool {\n  let (on, label, picture) = lamp::lamp::all(7);\n\
          on || lamp::lamp::show_buf(\"x\", label, picture)\n}\n";
    let source = file("uses_bindings.rs", uses.as_bytes());
    let object = source.with_extension("rlib");
    let rustc = || {
        let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command.args(["--edition", "2024", "--crate-type", "rlib", "--target", "wasm32-unknown-unknown", "-o"]);
        command.arg(&object).arg(&source);
        command
    };
    let libraries = Command::new(rustc().get_program())
        .args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"])
        .output()
        .expect("rustc starts");
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim());
    assert!(libraries.is_dir(), "to install what this compiles for: rustup target add wasm32-unknown-unknown");
    compiles(&mut rustc());
}

/// The Zig compiler that the set-up of `cargo xtask test` installs, or that `ZIG` names.
fn zig(arguments: &[&str], inside: &Path) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/zig/ziglang/zig");
    let mut command = Command::new(std::env::var_os("ZIG").map_or(own, PathBuf::from));
    let cache = inside.join("cache");
    command.env("ZIG_LOCAL_CACHE_DIR", &cache).env("ZIG_GLOBAL_CACHE_DIR", &cache);
    compiles(command.args(arguments).current_dir(inside));
}

#[test]
fn zig_accepts_the_modules() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("zig");
    std::fs::create_dir_all(&folder).unwrap();
    let uses = "const sets = @import(\"all_sets.zig\");\nconst lamps = @import(\"lamp.zig\");\n\
        const display = sets.display;\ncomptime {\n    sets.keyboard.on_key(key);\n    lamps.lamp.on_switched(switched);\n}\n\
        fn key(code: i32, down: bool, char: i32) void {\n    if (down) display.clear(code ^ char);\n}\n\
        fn switched(on: bool, who: lamps.Buf) void {\n    lamps.lamp.set(@intFromBool(on), false);\n    who.free();\n}\n\
        fn paint(pixels: sets.Buf) sets.Error!i64 {\n    const size = try display.try_size();\n\
        \x20   display.text(size.w, size.h, \"here\", 0);\n    display.blit(0, 0, 1, 1, &.{ 1, 2, 3, 4 });\n\
        \x20   display.blit_buf(0, 0, 2, 2, pixels);\n    return display.try_present();\n}\n\
        export fn shine(handle: i32) bool {\n    const all = lamps.lamp.all(7);\n\
        \x20   _ = paint(.{ .handle = handle }) catch |failure| return failure == error.Busy;\n\
        \x20   return all.on or lamps.lamp.show(\"x\", \"y\", \"z\") or lamps.lamp.show_buf(\"x\", all.label, all.picture);\n}\n";
    for (name, text) in [
        ("all_sets.zig", bindings("zig", &[])),
        ("lamp.zig", bindings("zig", &[&lamp()])),
        ("uses_bindings.zig", uses.to_string()),
        ("every.zig", std::fs::read_to_string(self::folder().join("every.zig")).unwrap()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
        zig(&["ast-check", name], &folder);
        zig(&["fmt", "--check", name], &folder);
    }
    let flags = ["-target", "wasm32-freestanding", "-O", "ReleaseSmall", "-fno-entry", "-rdynamic"];
    for source in ["every.zig", "uses_bindings.zig"] {
        zig(&[&["build-exe", source], flags.as_slice()].concat(), &folder);
    }
    let bytes = std::fs::read(folder.join("uses_bindings.wasm")).unwrap();
    for name in ["cascade.keyboard@1.key", "demo.lamp@2", "give show", "cascade.display@1", "set_pixel"] {
        let there = bytes.windows(name.len()).any(|window| window == name.as_bytes());
        assert_eq!(there, name != "set_pixel", "{name}: only what is called is imported");
    }
}
