//! The command line: every option once, with help that teaches.

use std::path::PathBuf;
use std::str::FromStr;

use bootstrapper::plan::{Clock, DisplaySize, Engine, Limit, MAX_DISPLAY_PIXELS};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use il::ranges;

const EXAMPLES: &str = "\
Examples:
  cascade run samples/hello.il                    compile in memory and run on this computer
  cascade boot samples/hello.il                   boot the very same module in QEMU
  cascade run samples/pixel.il --display png:out.png
  cascade run samples/paint.il --keys samples/keys/paint.keys --clock virtual
  cascade run samples/thermometer.il --plug thermometer=samples/vms/thermometer.il
  cascade describe display                        the instructions of a device
  cascade doctor                                  what is missing here, and how to fix it

Exit codes: 0 the program ended, 1 it trapped, 2 it could not be started, 124 timeout.";

const RUN_EXAMPLES: &str = "\
Examples:
  cascade run hello.il
  cascade run pixel.il --display png:frame.png    keep the last frame, need no screen
  cascade run life.il --until-frame 50            stop after 50 frames
  cascade run sector.il --disk disk.img           a file as the disk
  cascade run clock.il --clock virtual            repeatable, and no waiting
  cascade run app.il --grant console --grant disk=read
                                                  may use the console, and read the disk: no more
  cascade run app.il --grant display=within:320x200
                                                  may draw on a part of the screen
  cascade run app.il --system system.toml -v      a system of your own; log every handshake

Exit codes: 0 the program ended, 1 it trapped, 2 it could not be started, 124 timeout.";

const BOOT_EXAMPLES: &str = "\
Examples:
  cascade boot hello.il                           the console appears here
  cascade boot pixel.il --display png:frame.png   what the machine's screen showed last
  cascade boot paint.il --keys paint.keys --clock virtual --disk disk.img
  cascade boot hello.il --accel kvm --memory 128
  cascade boot hello.il --json                    one line of JSON for scripts

Exit codes: 0 the program ended, 1 it trapped, 2 it could not be started, 124 timeout.";

/// Run IL programs on this computer, or boot them on a bare machine.
#[derive(Parser, Debug)]
#[command(name = "cascade", version, about, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a program on this computer
    #[command(after_help = RUN_EXAMPLES, arg_required_else_help = true)]
    Run(RunOptions),
    /// Boot a program on a bare machine (QEMU)
    #[command(after_help = BOOT_EXAMPLES, arg_required_else_help = true)]
    Boot(BootOptions),
    /// List the VMs of a system, their quotas, and who may send what to whom
    Vms(VmsOptions),
    /// Explain an instruction set; without a name, list them
    Describe {
        /// `display`, `cascade.display` or `cascade.display@1`
        set: Option<String>,
    },
    /// Check what this computer offers, with a fix for everything that is missing
    Doctor,
    /// Print a completion script for your shell
    #[command(after_help = "Example:\n  cascade completions bash > ~/.local/share/bash-completion/completions/cascade")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// What makes up a system.
#[derive(Args, Clone, Debug, Default)]
pub struct SystemOptions {
    /// The program: IL text (.il, compiled in memory) or a module (.ilb)
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// The system's manifest: which VMs there are, and who may send what to whom
    #[arg(long, value_name = "system.toml", value_hint = ValueHint::FilePath)]
    pub system: Option<PathBuf>,
    /// Add a VM written in IL under this name; a device's name replaces that device
    #[arg(long, value_name = "NAME=FILE")]
    pub plug: Vec<Plug>,
    /// Let the VM plugged in under this name stand on another VM's channels: whoever is granted that VM gets
    /// this one instead. Of several on one VM, the one plugged in last is on top
    #[arg(long, value_name = "NAME=VM")]
    pub on: Vec<OnOption>,
    /// Let the program use a VM (`disk`), some of its instructions (`disk=read,write`), or these within limits
    /// (`disk=read,sectors:0..4096`). Without a manifest, the first --grant narrows "everything" to exactly
    /// what is listed
    #[arg(long, value_name = "VM[=INSTR,LIMIT:RANGE..]")]
    pub grant: Vec<GrantOption>,
    /// Fault injection: this device VM panics when it is sent this instruction
    #[arg(long, value_name = "VM.INSTR=panic")]
    pub inject: Vec<Inject>,
}

/// The options that `run` and `boot` share.
#[derive(Args, Clone, Debug)]
pub struct CommonOptions {
    /// What runs.
    #[command(flatten)]
    pub system: SystemOptions,
    /// Where frames go: `window`, `png:FILE` (the last frame), `raw:DIR` (every frame), `none`
    #[arg(long, value_name = "WHERE")]
    pub display: Option<Display>,
    /// The display's size, e.g. 800x600 [default: 640x480]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// The disk: a file, changed in place [default: 1 MiB of zeros, forgotten at the end]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub disk: Option<PathBuf>,
    /// Press the keys of this script (lines `down KEY`, `up KEY`, `text "..."`, `wait MS`)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub keys: Option<PathBuf>,
    /// `virtual` time advances only when all VMs are idle: repeatable, and waits take no time
    #[arg(long, value_enum)]
    pub clock: Option<ClockOption>,
    /// What runs the modules: `jit` compiles them first, `interpreter` does not, and is slow
    #[arg(long, value_enum, default_value_t = EngineOption::Jit)]
    pub engine: EngineOption,
    /// Stop after so many seconds, with exit code 124
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// Stop when so many frames have been presented
    #[arg(long, value_name = "N")]
    pub until_frame: Option<u64>,
    /// Log start-up and every handshake
    #[arg(short, long)]
    pub verbose: bool,
    /// Print one line of JSON instead: {exit, console, console_hash, frames, frame_hash, module_hash}
    #[arg(long)]
    pub json: bool,
    /// Run every module that this file lists, one a line, each in a fresh system (`boot`: in one
    /// boot); prints one line a run
    #[arg(long, value_name = "LISTFILE", conflicts_with_all = ["file", "keys", "disk"], value_hint = ValueHint::FilePath)]
    pub batch: Option<PathBuf>,
}

/// `cascade run`.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// Shared options.
    #[command(flatten)]
    pub common: CommonOptions,
    /// Collect garbage wherever that is possible, and poison what is freed: slow, to find faults of the base
    #[arg(long)]
    pub gc_stress: bool,
}

/// `cascade boot`.
#[derive(Args, Clone, Debug)]
pub struct BootOptions {
    /// Shared options.
    #[command(flatten)]
    pub common: CommonOptions,
    /// How the machine is emulated; `auto` takes KVM where a trial boot shows that it works
    #[arg(long, value_enum, default_value_t = Accel::Auto)]
    pub accel: Accel,
    /// The kernel image [default: beside this program, else built]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub image: Option<PathBuf>,
    /// The machine's memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..=65536))]
    pub memory: u32,
}

/// `cascade vms`.
#[derive(Args, Clone, Debug)]
pub struct VmsOptions {
    /// What would run.
    #[command(flatten)]
    pub system: SystemOptions,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `--accel`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accel {
    /// KVM if it really works, else TCG
    Auto,
    /// Hardware virtualisation
    Kvm,
    /// Emulation: works everywhere
    Tcg,
}

/// `--clock`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockOption {
    /// The computer's clock
    Real,
    /// Advances when all VMs are idle
    Virtual,
}

/// `--engine`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineOption {
    /// Machine code
    Jit,
    /// The reference interpreter
    Interpreter,
}

impl From<EngineOption> for Engine {
    fn from(option: EngineOption) -> Engine {
        match option {
            EngineOption::Jit => Engine::Jit,
            EngineOption::Interpreter => Engine::Interpreter,
        }
    }
}

impl From<ClockOption> for Clock {
    fn from(option: ClockOption) -> Clock {
        match option {
            ClockOption::Real => Clock::Real,
            ClockOption::Virtual => Clock::Virtual,
        }
    }
}

/// `--display`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Display {
    /// A window.
    Window,
    /// The last frame as a PNG file.
    Png(PathBuf),
    /// Every frame as raw bytes (red, green, blue) in a folder.
    Raw(PathBuf),
    /// Nowhere.
    None,
}

impl FromStr for Display {
    type Err = String;
    fn from_str(text: &str) -> Result<Display, String> {
        match text.split_once(':') {
            None if text == "window" => Ok(Display::Window),
            None if text == "none" => Ok(Display::None),
            Some(("png", file)) if !file.is_empty() => Ok(Display::Png(file.into())),
            Some(("raw", dir)) if !dir.is_empty() => Ok(Display::Raw(dir.into())),
            _ => Err("expected window, png:FILE, raw:DIR or none".into()),
        }
    }
}

/// `--size`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub DisplaySize);

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Size, String> {
        let part = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=MAX_DISPLAY_PIXELS).contains(n));
        let parsed = text.split_once('x').and_then(|(w, h)| Some((part(w)?, part(h)?)));
        let Some((width, height)) = parsed else {
            return Err(format!("expected WIDTHxHEIGHT, e.g. 640x480; 1 to {MAX_DISPLAY_PIXELS} each"));
        };
        Ok(Size(DisplaySize { width, height }))
    }
}

/// `--plug`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plug {
    /// The VM's name.
    pub name: String,
    /// Its module or text.
    pub file: PathBuf,
}

impl FromStr for Plug {
    type Err = String;
    fn from_str(text: &str) -> Result<Plug, String> {
        match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => {
                Ok(Plug { name: name.into(), file: file.into() })
            }
            _ => Err("expected NAME=FILE, e.g. thermometer=samples/vms/thermometer.il".into()),
        }
    }
}

/// `--inject`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inject {
    /// The device VM.
    pub vm: String,
    /// Its instruction.
    pub instruction: String,
}

impl FromStr for Inject {
    type Err = String;
    fn from_str(text: &str) -> Result<Inject, String> {
        match text.strip_suffix("=panic").and_then(|place| place.split_once('.')) {
            Some((vm, instruction)) => Ok(Inject { vm: vm.into(), instruction: instruction.into() }),
            None => Err("expected VM.INSTR=panic, e.g. display.present=panic".into()),
        }
    }
}

/// `--on`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnOption {
    /// The VM that stands.
    pub upper: String,
    /// The VM on which it stands.
    pub lower: String,
}

impl FromStr for OnOption {
    type Err = String;
    fn from_str(text: &str) -> Result<OnOption, String> {
        match text.split_once('=') {
            Some((upper, lower)) if !upper.is_empty() && !lower.is_empty() => {
                Ok(OnOption { upper: upper.into(), lower: lower.into() })
            }
            _ => Err("expected NAME=VM, e.g. --plug window=window.il --on window=display".into()),
        }
    }
}

/// `--grant`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantOption {
    /// The VM.
    pub to: String,
    /// Some instructions and events; all if `None`.
    pub names: Option<Vec<String>>,
    /// What they are limited to.
    pub limits: Vec<Limit>,
}

impl FromStr for GrantOption {
    type Err = String;
    fn from_str(text: &str) -> Result<GrantOption, String> {
        let bad = || "expected VM, VM=INSTR,INSTR or VM=INSTR,LIMIT:RANGE, e.g. disk=read,sectors:0..4096".to_string();
        let (to, parts) = text.split_once('=').map_or((text, None), |(to, parts)| (to, Some(parts)));
        let (mut names, mut limits) = (Vec::new(), Vec::new());
        for part in parts.into_iter().flat_map(|parts| parts.split(',')).map(str::trim) {
            match part.split_once(':') {
                None if !part.is_empty() => names.push(part.to_string()),
                Some((name, range)) if !name.is_empty() => {
                    limits.push(ranges::Limit::parse(name, range).map_err(|why| why.to_string())?.into());
                }
                _ => return Err(bad()),
            }
        }
        if to.is_empty() {
            return Err(bad());
        }
        Ok(GrantOption { to: to.into(), names: (!names.is_empty()).then_some(names), limits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_parse_and_refuse() {
        assert_eq!("png:a.png".parse(), Ok(Display::Png("a.png".into())));
        assert!("png:".parse::<Display>().is_err());
        assert!("svg:a".parse::<Display>().is_err());
        assert_eq!("800x600".parse::<Size>().map(|s| s.0.height), Ok(600));
        assert!("0x5".parse::<Size>().is_err());
        assert!("a=".parse::<Plug>().is_err());
        let grant = "disk=read,write".parse::<GrantOption>().unwrap();
        assert_eq!((grant.to.as_str(), grant.names.map(|n| n.len())), ("disk", Some(2)));
        assert!("disk=read,".parse::<GrantOption>().is_err());
        let limited = "disk=read,sectors:0..8".parse::<GrantOption>().unwrap();
        assert_eq!(limited.limits[0].to_string(), "sectors:0..8");
        assert_eq!("display=within:8x8".parse::<GrantOption>().map(|grant| grant.names), Ok(None));
        for bad in ["disk=read,sectors:8", "disk=:0..8", "disk=sectors:", "=read"] {
            assert!(bad.parse::<GrantOption>().is_err(), "{bad}");
        }
        assert_eq!("window=display".parse::<OnOption>().map(|on| on.lower), Ok("display".into()));
        assert!("window".parse::<OnOption>().is_err() && "=display".parse::<OnOption>().is_err());
    }
}
