//! The command line: every option once, with help that teaches.

use std::path::PathBuf;
use std::str::FromStr;

use bootstrapper::plan::{Clock, DisplaySize, Engine, Faults, Limit, MAX_DISPLAY_PIXELS};
use bootstrapper::wasi::{Contents, Dir, Place, Variable};
use cascade::wasm::Library;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use il::ranges;

const EXAMPLES: &str = "\
Examples:
  cascade run samples/hello.il                    compile in memory and run on this computer
  cascade boot samples/hello.il                   boot the very same module in QEMU
  cascade run samples/pixel.il --display png:out.png
  cascade run app.wasm                            a program in C, Rust, Zig, ..: docs/webassembly.md
  cascade run samples/paint.il --keys samples/keys/paint.keys --clock virtual
  cascade run samples/thermometer.il --plug thermometer=samples/vms/thermometer.il
  cascade describe display                        the instructions of a device
  cascade run samples/life.il --record life.rec   what VMs say to each other: cascade trace life.rec
  cascade top samples/life.il                     what each VM uses, live
  cascade doctor                                  what is missing here, and how to fix it

Exit codes: 0 the program ended, 1 it trapped, 2 it could not be started, 124 timeout; a program's own
code is passed on as it is. A trap is told on standard error.";

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
  cascade run app.wasm --dir data=/data --env LANG=C -- input.txt -v
                                                  a WASI program: a folder, a variable, arguments
  cascade run life.il --trace out.json            where time goes: open it at https://ui.perfetto.dev
  cascade run life.il --record life.rec           what is sent: print it by `cascade trace life.rec`

Exit codes: 0 the program ended, 1 it trapped, 2 it could not be started, 124 timeout; a program's own
code is passed on as it is. A trap is told on standard error.";

const BOOT_EXAMPLES: &str = "\
Examples:
  cascade boot hello.il                           the console appears here
  cascade boot pixel.il --display png:frame.png   what the machine's screen showed last
  cascade boot paint.il --keys paint.keys --clock virtual --disk disk.img
  cascade boot hello.il --accel kvm --memory 128
  cascade boot hello.il --json                    one line of JSON for scripts

Exit codes: 0 the program ended, 1 it trapped, 2 it could not be started, 124 timeout; a program's own
code is passed on as it is. A trap is told on standard error.";

const TOP_EXAMPLES: &str = "\
Examples:
  cascade top life.il --until-frame 500           a table that refreshes in place; Ctrl-C ends it
  cascade top life.il --boot                      the same of a booted machine
  cascade top app.il --every 0.2 --json           one JSON object each 200 ms, for scripts
  cascade top app.il --once                       one table after a second

The program's console is not shown. Where standard output is no terminal, tables follow each other.";

const VMS_EXAMPLES: &str = "\
Examples:
  cascade vms                                     the devices of every system
  cascade vms app.il --plug echo=echo.il          what would run, by the plan
  cascade vms app.il --live                       start it here and ask it: state, memory, capabilities
  cascade vms app.il --boot --after 0.5           ask a booted machine, half a second after its start";

const GRAPH_EXAMPLES: &str = "\
Examples:
  cascade graph paint.il -o paint.svg             what the program may send to whom
  cascade graph --system system.toml -o all.svg   the same of a whole system
  cascade run paint.il --record paint.rec
  cascade graph paint.rec -o paint.svg            with what was really sent, and how often";

const TRACE_EXAMPLES: &str = "\
Examples:
  cascade run paint.il --record paint.rec         record a run; `cascade boot` does the same on a machine
  cascade trace paint.rec                         every instruction: when, from whom, to whom, with what
  cascade trace paint.rec --vm disk               only what the disk gets and answers
  cascade trace paint.rec --json                  one JSON object a line, for scripts
  cascade trace paint.rec --perfetto out.json     open out.json at https://ui.perfetto.dev
  mkfifo live; cascade trace live & cascade run paint.il --record live
                                                  watch it while it runs";

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
    /// Print a recording: the device bytecode that VMs sent each other, as text
    #[command(after_help = TRACE_EXAMPLES, arg_required_else_help = true)]
    Trace(TraceOptions),
    /// Draw a system, or a run that was recorded: VMs, channels, rights, traffic (SVG)
    #[command(after_help = GRAPH_EXAMPLES, arg_required_else_help = true)]
    Graph(GraphOptions),
    /// Run a system and show what each VM uses, refreshed in place: time, memory, packets, queue
    #[command(after_help = TOP_EXAMPLES, arg_required_else_help = true)]
    Top(TopOptions),
    /// List the VMs of a system, their quotas, and who may send what to whom
    #[command(after_help = VMS_EXAMPLES)]
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
    /// The program: IL text (.il) or WebAssembly (.wasm, .wat), compiled in memory, or a module (.ilb)
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// The system's manifest: which VMs there are, and who may send what to whom
    #[arg(long, value_name = "system.toml", value_hint = ValueHint::FilePath)]
    pub system: Option<PathBuf>,
    /// Add a VM written in IL (or compiled to it) under this name; a device's name replaces that device
    #[arg(long, value_name = "NAME=FILE")]
    pub plug: Vec<Plug>,
    /// A WebAssembly module that the program, which is one too, imports from by this name. Of several, later ones may
    /// import from earlier ones
    #[arg(long, value_name = "NAME=FILE")]
    pub with: Vec<Library>,
    /// Let the VM plugged in under this name stand on another VM's channels: whoever is granted that VM gets
    /// this one instead. Of several on one VM, the one plugged in last is on top
    #[arg(long, value_name = "NAME=VM")]
    pub on: Vec<OnOption>,
    /// Let the program use a VM (`disk`), some of its instructions (`disk=read,write`), or these within limits
    /// (`disk=read,sectors:0..4096`). Without a manifest, the first --grant narrows "everything" to exactly
    /// what is listed
    #[arg(long, value_name = "VM[=INSTR,LIMIT:RANGE..]")]
    pub grant: Vec<GrantOption>,
    /// Let the program use this folder, which it sees under this name [default: the folder's]; `:ro`: it cannot change
    /// anything there. `:memory:` is an empty folder in memory. On a machine every folder is in memory: `boot`
    /// copies what is in it, if that is little, and copies nothing back
    #[arg(long, value_name = "FOLDER[=NAME][:ro]")]
    pub dir: Vec<DirOption>,
    /// A variable of the program's environment, which is empty without
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<EnvOption>,
    /// Randomness that is the same in every run
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The program's arguments
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    /// Fault injection: this device VM panics when it is sent this instruction, or this VM is ended by a
    /// fault after every N instructions that it sends or executes, M times
    #[arg(long, value_name = "VM.INSTR=panic or VM=every:N,times:M")]
    pub inject: Vec<Inject>,
}

/// The options that `run` and `boot` share.
#[derive(Args, Clone, Debug, Default)]
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
    /// How programs' accesses to their linear memories are checked: `guard`, by the processor, which costs nothing, or
    /// `explicit`, by a comparison before each [default: as the manifest says, else guard]
    #[arg(long, value_name = "guard|explicit")]
    pub bounds: Option<compiler::Bounds>,
    /// Stop after so many seconds, with exit code 124
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// Stop when so many frames have been presented
    #[arg(long, value_name = "N")]
    pub until_frame: Option<u64>,
    /// Log start-up and every handshake
    #[arg(short, long)]
    pub verbose: bool,
    /// What is to be seen of it.
    #[command(flatten)]
    pub seeing: SeeingOptions,
    /// Print one line of JSON instead: {exit, console, console_hash, frames, frame_hash, module_hash}
    #[arg(long)]
    pub json: bool,
    /// Run every module that this file lists, one a line, each in a fresh system (`boot`: in one
    /// boot); prints one line a run
    #[arg(long, value_name = "LISTFILE", conflicts_with_all = ["file", "keys", "disk"], value_hint = ValueHint::FilePath)]
    pub batch: Option<PathBuf>,
}

/// What `run` and `boot` let one see afterwards.
#[derive(Args, Clone, Debug, Default)]
pub struct SeeingOptions {
    /// Record every packet, event and turn; `cascade trace FILE` prints it
    #[arg(long, value_name = "FILE", conflicts_with = "batch", value_hint = ValueHint::FilePath)]
    pub record: Option<PathBuf>,
    /// Write a trace for https://ui.perfetto.dev: VMs as tracks, packets as arrows
    #[arg(long, value_name = "out.json", conflicts_with = "batch", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,
}

/// `cascade trace`.
#[derive(Args, Clone, Debug)]
pub struct TraceOptions {
    /// A recording, as `--record` writes it; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Only what this VM sends and gets
    #[arg(long, value_name = "NAME")]
    pub vm: Option<String>,
    /// Also the handshakes: what each VM says to the base
    #[arg(long)]
    pub handshakes: bool,
    /// Print one JSON object a line: {ms, from, to, kind, name, values}
    #[arg(long)]
    pub json: bool,
    /// Write a trace for https://ui.perfetto.dev instead
    #[arg(long, value_name = "out.json", conflicts_with_all = ["vm", "json", "handshakes"], value_hint = ValueHint::FilePath)]
    pub perfetto: Option<PathBuf>,
}

/// `cascade graph`.
#[derive(Args, Clone, Debug)]
pub struct GraphOptions {
    /// What is drawn: a program with its system, or a recording.
    #[command(flatten)]
    pub system: SystemOptions,
    /// Where the picture goes [default: standard output]
    #[arg(short, long, value_name = "out.svg", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Also VMs that nobody has a channel to
    #[arg(long)]
    pub all: bool,
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
    /// The machine.
    #[command(flatten)]
    pub machine: MachineOptions,
}

/// The machine that a system boots on.
#[derive(Args, Clone, Debug)]
pub struct MachineOptions {
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
    /// Ask the system itself: start it here, and list the VMs that there are
    #[arg(long, conflicts_with = "boot")]
    pub live: bool,
    /// The same on a bare machine (QEMU)
    #[arg(long)]
    pub boot: bool,
    /// With --live or --boot: let it run so long first [default: until every VM is ready]
    #[arg(long, value_name = "SECONDS")]
    pub after: Option<f64>,
    /// The machine, with --boot.
    #[command(flatten)]
    pub machine: MachineOptions,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `cascade top`.
#[derive(Args, Clone, Debug)]
pub struct TopOptions {
    /// The system, and the machine with --boot.
    #[command(flatten)]
    pub machine: BootOptions,
    /// Boot it on a bare machine (QEMU) instead of running it here
    #[arg(long)]
    pub boot: bool,
    /// How often the table is refreshed
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub every: f64,
    /// Print one table, and end the system
    #[arg(long)]
    pub once: bool,
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
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EngineOption {
    /// Machine code
    #[default]
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
pub enum Inject {
    /// A device VM panics.
    Panic {
        /// The device VM.
        vm: String,
        /// Its instruction.
        instruction: String,
    },
    /// A VM is ended by faults.
    Faults {
        /// The VM.
        vm: String,
        /// How often.
        faults: Faults,
    },
}

impl FromStr for Inject {
    type Err = String;
    fn from_str(text: &str) -> Result<Inject, String> {
        if let Some((vm, instruction)) = text.strip_suffix("=panic").and_then(|place| place.split_once('.')) {
            return Ok(Inject::Panic { vm: vm.into(), instruction: instruction.into() });
        }
        let faults = || {
            let (vm, counts) = text.split_once('=')?;
            let (every, times) = counts.strip_prefix("every:")?.split_once(",times:")?;
            let faults = Faults { every: every.parse().ok().filter(|every| *every > 0)?, times: times.parse().ok()? };
            Some(Inject::Faults { vm: vm.into(), faults })
        };
        faults().ok_or_else(|| "expected VM.INSTR=panic or VM=every:N,times:M, e.g. display.present=panic".into())
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

/// `--dir`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirOption(pub Dir);

/// What `--dir` calls a folder in memory.
const MEMORY: &str = ":memory:";

impl FromStr for DirOption {
    type Err = String;
    fn from_str(text: &str) -> Result<DirOption, String> {
        let (text, read_only) = text.strip_suffix(":ro").map_or((text, false), |text| (text, true));
        let (folder, guest) = match text.rsplit_once('=') {
            Some((folder, guest)) => (folder, guest),
            None if text == MEMORY => return Err("a folder in memory needs a name, e.g. :memory:=/tmp".into()),
            None => (text, text),
        };
        if folder.is_empty() || guest.is_empty() {
            return Err(
                "expected FOLDER, FOLDER=NAME or :memory:=NAME, each maybe with `:ro`, e.g. data=/data:ro".into()
            );
        }
        let place = match folder {
            MEMORY => Place::Memory(Contents::default()),
            _ => Place::Host(folder.into()),
        };
        Ok(DirOption(Dir { guest: guest.into(), place, read_only }))
    }
}

/// `--env`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvOption(pub Variable);

impl FromStr for EnvOption {
    type Err = String;
    fn from_str(text: &str) -> Result<EnvOption, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(EnvOption(Variable { name: name.into(), value: value.into() }))
            }
            _ => Err("expected NAME=VALUE, e.g. LANG=C".into()),
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
        let dir = |text: &str| text.parse::<DirOption>().map(|DirOption(dir)| (dir.place, dir.guest, dir.read_only));
        assert_eq!(dir("a/b"), Ok((Place::Host("a/b".into()), "a/b".into(), false)));
        assert_eq!(dir("a=b=/data:ro"), Ok((Place::Host("a=b".into()), "/data".into(), true)));
        assert_eq!(dir(":memory:=/tmp"), Ok((Place::Memory(Contents::default()), "/tmp".into(), false)));
        assert!([":memory:", "", "=/a", "a=", ":ro"].iter().all(|bad| dir(bad).is_err()));
        assert_eq!(
            "A=b=c".parse::<EnvOption>().map(|EnvOption(it)| (it.name, it.value)),
            Ok(("A".into(), "b=c".into()))
        );
        assert!("A".parse::<EnvOption>().is_err() && "=b".parse::<EnvOption>().is_err());
        assert_eq!("window=display".parse::<OnOption>().map(|on| on.lower), Ok("display".into()));
        assert!("window".parse::<OnOption>().is_err() && "=display".parse::<OnOption>().is_err());
        let faults = Faults { every: 7, times: 3 };
        assert_eq!("app=every:7,times:3".parse(), Ok(Inject::Faults { vm: "app".into(), faults }));
        assert!(["app=every:0,times:3", "app=every:1", "app=panic"].iter().all(|bad| bad.parse::<Inject>().is_err()));
    }
}
