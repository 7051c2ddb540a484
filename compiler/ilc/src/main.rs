//! `ilc`, the IL's compiler for the command line: text and WebAssembly to module, checks, listings.
//!
//! A thin shell: all work is done by `il` and `compiler`, which the runtime and the kernel use too.
//! Exit codes: 0 success, 1 the module or a file is at fault, 2 wrong usage.
#![forbid(unsafe_code)]

mod bindings;
mod doc;
mod fmt;
mod input;
mod lines;
mod listing;
mod lsp;
mod messages;
mod output;
mod testing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cascade::wasm::{self, Library};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use il::text::Code;

use input::{Failure, load, load_verified};
use messages::Format;
use output::{print, write_file};

const EXAMPLES: &str = "\
A first program, hello.il:

    use console: cascade.console@1

    export func main() { console.write(\"hello\\n\") }

Examples:
    ilc check hello.il                 report errors, write nothing
    ilc build hello.il -o hello.ilb    compile to a module, for `cascade run` and `cascade boot`
    ilc build app.wasm -o app.ilb      the same of a program in C, Rust, Zig, ..
    ilc build hello.il --emit clif     show the code generator's input (or `asm`: its output)
    ilc dis hello.ilb                  show a module as text
    ilc test hello.il                  run its `test` blocks, each in a system of its own
    ilc fmt .                          format every text below this folder
    ilc fmt --check hello.il           fail if it is not formatted
    ilc check hello.il --message-format json
                                       errors for other programs, one JSON object a line
    ilc bindings --lang c display keyboard -o cascade.h
                                       instruction sets for C, Rust or Zig, to be compiled to WebAssembly
    ilc doc lib.il -o docs             pages from its `///` comments
    ilc explain IL0200                 what an error means, and what to do

Errors go to standard error. Exit codes: 0 success, \
1 a module or file is at fault, a test failed or a text is not formatted, 2 wrong usage.";

/// Compiles the IL: text and WebAssembly to modules, checks, listings.
#[derive(Parser)]
#[command(name = "ilc", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Colours in errors.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    color: Color,
    /// How errors are said, on standard error.
    #[arg(long, value_enum, default_value_t = Format::Human, global = true, value_name = "FORMAT")]
    message_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    /// If standard error is a terminal.
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Compile a text or WebAssembly to a module (`.ilb`).
    Build {
        /// The text (`.il`) or WebAssembly (`.wasm`, `.wat`); a module (`.ilb`) is accepted too.
        input: PathBuf,
        /// A WebAssembly module that the input imports from by this name. Of several, later ones may import from
        /// earlier ones.
        #[arg(long, value_name = "NAME=FILE")]
        with: Vec<Library>,
        /// Where to write; without it, beside the input with the ending that fits. `-` is standard output.
        #[arg(short, long)]
        output: Option<PathBuf>,
        /// What to write.
        #[arg(long, value_enum, default_value_t = Emit::Ilb)]
        emit: Emit,
        /// In a listing, how memory accesses are checked: `guard` or `explicit` [default: guard]
        #[arg(long, value_name = "guard|explicit")]
        bounds: Option<compiler::Bounds>,
    },
    /// Report errors; write nothing.
    Check {
        /// Texts (`.il`), WebAssembly (`.wasm`, `.wat`) or modules (`.ilb`).
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
        /// What the inputs import from, as for `build`.
        #[arg(long, value_name = "NAME=FILE")]
        with: Vec<Library>,
    },
    /// Show a module (or a text or WebAssembly, as the compiler understands it) as text.
    Dis {
        /// A module (`.ilb`), text (`.il`) or WebAssembly (`.wasm`, `.wat`).
        input: PathBuf,
        /// What the input imports from, as for `build`.
        #[arg(long, value_name = "NAME=FILE")]
        with: Vec<Library>,
    },
    /// Format texts in place: indentation, blanks and columns of comments; line breaks stay yours.
    Fmt {
        /// Texts (`.il`), or folders, of which every text is taken.
        #[arg(required_unless_present = "stdin")]
        inputs: Vec<PathBuf>,
        /// Write nothing; fail if a text is not formatted.
        #[arg(long)]
        check: bool,
        /// Format standard input to standard output.
        #[arg(long, conflicts_with = "inputs")]
        stdin: bool,
    },
    /// Make Markdown of a module's items and their `///` comments.
    Doc {
        /// Texts (`.il`).
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
        /// The folder for a page a module and a list of them; without it, standard output.
        #[arg(short, long, value_name = "FOLDER")]
        output: Option<PathBuf>,
        /// What is not exported too.
        #[arg(long)]
        all: bool,
    },
    /// Write instruction sets as a C header, a Rust module or a Zig module, for programs that become WebAssembly.
    Bindings {
        /// Names of built-in sets (`display`, `cascade.disk@1`), or texts (`.il`) that declare some; without any,
        /// all that are built in.
        sets: Vec<String>,
        /// The language.
        #[arg(long, value_enum)]
        lang: bindings::Lang,
        /// Where to write; without it, standard output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Run the `test` blocks of texts, each in a system of its own with devices that exist only there.
    Test {
        /// Texts (`.il`), or folders, of which every text is taken.
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
        /// Only tests whose names hold this text; may be given several times.
        #[arg(short, long, value_name = "TEXT")]
        filter: Vec<String>,
        /// Seconds of real time that one test may take.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u32,
    },
    /// Serve an editor over standard input and output (language server protocol).
    Lsp {
        /// What some editors pass: there is no other way anyhow.
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// Explain an error code, or list all of them.
    Explain {
        /// As printed in brackets: IL0200.
        code: Option<String>,
    },
    /// Print a completion script, e.g. `ilc completions bash > ~/.local/share/bash-completion/completions/ilc`.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, e.g. `ilc man ~/.local/share/man/man1`.
    Man {
        /// The folder for them.
        folder: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// The module.
    Ilb,
    /// Cranelift's input, function by function.
    Clif,
    /// Machine code as assembly, function by function.
    Asm,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let color = match cli.color {
        Color::Auto => std::io::IsTerminal::is_terminal(&std::io::stderr()),
        Color::Always => true,
        Color::Never => false,
    };
    match run(cli.command, cli.message_format) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            messages::report(&failure, cli.message_format, color);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, format: messages::Format) -> Result<(), Failure> {
    match command {
        Command::Build { input, with, output, emit, bounds } => build(&input, &with, output, emit, bounds),
        Command::Check { inputs, with } => check(&inputs, &with),
        Command::Dis { input, with } => {
            let (module, _) = load(&input, false, &with)?;
            let listing = il::disasm::module(&module);
            print(&il::text::format("", &listing).unwrap_or(listing))
        }
        Command::Fmt { stdin: true, check, .. } => fmt::stdin(check),
        Command::Fmt { inputs, check, stdin: false } => fmt::files(&inputs, check),
        Command::Doc { inputs, output, all } => doc::write(&inputs, output.as_deref(), all),
        Command::Bindings { sets, lang, output } => bindings::write(lang, &sets, output.as_deref()),
        Command::Test { inputs, filter, timeout } => {
            testing::run(&inputs, &filter, u64::from(timeout) * 1000, format == messages::Format::Json)
        }
        Command::Lsp { .. } => lsp::serve(),
        Command::Explain { code } => explain(code.as_deref()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ilc", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Man { folder } => manual(&folder),
    }
}

/// A page of the manual for the command, and one for every subcommand.
fn manual(folder: &Path) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::message(folder, &format!("cannot be written: {error}"));
    std::fs::create_dir_all(folder).map_err(fail)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(fail)
}

fn build(
    input: &Path,
    with: &[Library],
    output: Option<PathBuf>,
    emit: Emit,
    bounds: Option<compiler::Bounds>,
) -> Result<(), Failure> {
    if bounds.is_some() && emit == Emit::Ilb {
        let what = "a module says nothing of --bounds, which is chosen when it is compiled: by `cascade run --bounds explicit`, or here with `--emit asm`";
        return Err(Failure::Plain(what.into()));
    }
    let options = compiler::Options { bounds: bounds.unwrap_or_default(), ..compiler::Options::detect() };
    let module = load_verified(input, with)?;
    let (bytes, ending) = match emit {
        Emit::Ilb => (il::binary::encode(&module), "ilb"),
        Emit::Clif => (listing(input, &module, listing::clif, &options)?.into_bytes(), "clif"),
        Emit::Asm => (listing(input, &module, listing::asm, &options)?.into_bytes(), "asm"),
    };
    // A listing is for reading: it goes to the terminal unless a file is named.
    match output {
        Some(path) => write_file(input, &path, &bytes),
        None if emit != Emit::Ilb => print(&String::from_utf8_lossy(&bytes)),
        None => write_file(input, &input.with_extension(ending), &bytes),
    }
}

type Lister = fn(&listing::Source<'_>, &compiler::Options) -> Result<String, compiler::CompileError>;

fn listing(
    input: &Path,
    module: &il::VerifiedModule,
    lister: Lister,
    options: &compiler::Options,
) -> Result<String, Failure> {
    // Of what is no text of the IL, lines are shown by number only.
    let text = std::fs::read_to_string(input).ok().filter(|text| !wasm::is_wasm(input, text.as_bytes()));
    let source = listing::Source { module, text: text.as_deref() };
    lister(&source, options).map_err(|error| Failure::message(input, &error.to_string()))
}

fn check(inputs: &[PathBuf], with: &[Library]) -> Result<(), Failure> {
    let failures: Vec<Failure> = inputs.iter().filter_map(|input| load_verified(input, with).err()).collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::Several(failures)) }
}

/// Name, title and explanation of every kind of error: about texts, then about WebAssembly.
fn codes() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let texts = Code::ALL.iter().map(|code| (code.name(), code.title(), code.explanation()));
    texts.chain(wasm::Code::ALL.iter().map(|code| (code.name(), code.title(), code.explanation())))
}

fn explain(code: Option<&str>) -> Result<(), Failure> {
    let Some(wanted) = code else {
        let lines: Vec<String> = codes().map(|(name, title, _)| format!("{name}  {title}\n")).collect();
        return print(&lines.concat());
    };
    match codes().find(|(name, ..)| name.eq_ignore_ascii_case(wanted)) {
        Some((name, title, explanation)) => print(&format!("{name}: {title}\n\n{explanation}\n")),
        None => Err(Failure::Plain(format!("there is no error code `{wanted}`; `ilc explain` lists them"))),
    }
}
