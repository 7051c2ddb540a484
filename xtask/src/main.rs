//! The project's own chores: `cargo xtask demo`, `cargo xtask test` and what they are made of.
#![forbid(unsafe_code)]

mod agree;
mod bench;
mod checks;
mod demo;
mod docs;
mod fuzz;
mod image;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  demo           compile a sample, run it here, boot the very same module, compare
  test           everything that CI runs
  check          only the rules of the house: layers, unsafe files, generated pages
  agree [..]     compare interpreter and machine code: --count N --seed S, --all, --shrink
  fuzz [..]      the fuzz targets, all or some of module verify text wire wasm: --seconds N each
  image          build the bare-metal kernel image, and check it
  docs [--check] renew the generated pages and tables of docs/, or check them
  bench [..]     the measured claims: all, or some of base code compiling collector boot
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["demo"] => demo::run(),
        ["test"] => test::run(),
        ["check"] => checks::all(),
        ["image"] => image::build_and_check().map(|path| println!("{}", path.display())),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["agree", rest @ ..] => agree::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("there is no `{}`\n\n{HELP}", other.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why:#}");
            ExitCode::FAILURE
        }
    }
}
