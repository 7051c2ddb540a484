//! `cascade`: runs IL programs on this computer, or boots them on a bare machine.
//!
//! Everything that both have in common is in the `bootstrapper` library; here are the command
//! line, the hosted platform and the machine's other end.

mod accel;
mod cli;
mod describe;
mod doctor;
mod folders;
mod hosted;
mod image;
mod interrupt;
mod keys;
mod manifest;
mod metal;
mod modules;
mod output;
mod qemu;
mod report;
mod screen;
mod seeing;
mod system;

use cascade::platform;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};

/// The exit code for anything that keeps a program from starting.
const LOAD_ERROR: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("cascade: {}", chain(&why));
            ExitCode::from(LOAD_ERROR)
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Command::Run(options) => {
            interrupt::listen()?;
            hosted::run(&options)
        }
        Command::Boot(options) => {
            interrupt::listen()?;
            metal::boot(&options)
        }
        Command::Trace(options) => seeing::trace(&options),
        Command::Graph(options) => seeing::draw(&options),
        Command::Top(options) => {
            interrupt::listen()?;
            seeing::top(&options)
        }
        Command::Vms(options) if options.live || options.boot => {
            interrupt::listen()?;
            print(&seeing::vms(&options)?)
        }
        Command::Vms(options) => print(&describe::vms(&options)?),
        Command::Describe { set } => print(&describe::set(set.as_deref())?),
        Command::Doctor => Ok(doctor::doctor()),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "cascade", &mut std::io::stdout());
            Ok(0)
        }
    }
}

/// Prints a page; a reader that has gone away (`| head`) is not an error.
fn print(text: &str) -> anyhow::Result<u8> {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}

/// An error and its causes, from the outside in.
fn chain(why: &anyhow::Error) -> String {
    let parts: Vec<String> = why.chain().map(ToString::to_string).collect();
    parts.join(": ")
}
