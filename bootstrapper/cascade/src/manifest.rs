//! `system.toml`: the manifest of a system, read strictly and turned into a [`Plan`].
//!
//! Invariants: an unknown key is an error; every error has file, line, column and a way out; what
//! the manifest does not grant is not granted. The devices are always there, so that a
//! manifest only says what it wants otherwise.

mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bootstrapper::plan::{self, Clock, Device, DisplaySize, Engine, Grant, Kind, Limits, Plan, Priority, Vm};
use bootstrapper::wasi::{Contents, Dir, Place, Variable, Wasi};
use toml::Spanned;
use values::{Bytes, Checks, DirPlace, DirValue, OneOrMore, ProgramsTable, RestartTable};

/// The name of the VM that is the program, where the manifest does not say `main = ".."`.
pub const DEFAULT_MAIN: &str = "main";

/// A manifest, read and checked for itself, its modules not yet loaded.
#[derive(Debug)]
pub struct Manifest {
    /// The plan; `Kind::Module` counts `modules`.
    pub plan: Plan,
    /// Where each module of the plan comes from.
    pub modules: Vec<PathBuf>,
    /// Where each named grant stands: (VM, target, byte range).
    pub grant_spans: Vec<(u32, u32, Range<usize>)>,
    source: Source,
}

/// A file's text, for errors that show the place.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

/// What is wrong with a manifest, and where.
#[derive(Debug)]
pub struct ManifestError {
    path: PathBuf,
    line: usize,
    column: usize,
    excerpt: String,
    message: String,
}

impl std::error::Error for ManifestError {}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ManifestError { path, line, column, excerpt, message } = self;
        let number = line.to_string();
        let blank = " ".repeat(number.len());
        writeln!(f, "{}:{line}:{column}: {message}", path.display())?;
        writeln!(f, "{blank} |\n{number} | {excerpt}")?;
        write!(f, "{blank} | {}^", " ".repeat(column.saturating_sub(1)))
    }
}

impl Source {
    fn error(&self, at: Option<Range<usize>>, message: impl Into<String>) -> ManifestError {
        let mut offset = at.map_or(0, |range| range.start).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = self.text.get(..offset).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(start..).unwrap_or("").chars().count() + 1;
        let excerpt = self.text.get(start..).unwrap_or("").lines().next().unwrap_or("").to_string();
        let line = before.matches('\n').count() + 1;
        ManifestError { path: self.path.clone(), line, column, excerpt, message: message.into() }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    main: Option<Spanned<String>>,
    clock: Option<ClockName>,
    display: Option<Spanned<DisplayTable>>,
    seed: Option<u64>,
    #[serde(default)]
    vm: BTreeMap<String, Spanned<VmTable>>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClockName {
    Real,
    Virtual,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct DisplayTable {
    width: u32,
    height: u32,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct VmTable {
    module: Option<PathBuf>,
    memory: Option<Spanned<Bytes>>,
    bounds: Option<Spanned<Checks>>,
    turn_ms: Option<Spanned<u32>>,
    call_ms: Option<Spanned<u32>>,
    priority: Option<Priority>,
    sees: Option<Spanned<OneOrMore>>,
    on: Option<Spanned<OneOrMore>>,
    restart: Option<Spanned<RestartTable>>,
    programs: Option<Spanned<ProgramsTable>>,
    args: Option<Spanned<Vec<String>>>,
    env: Option<Spanned<BTreeMap<String, String>>>,
    dirs: Option<Spanned<BTreeMap<String, DirValue>>>,
    #[serde(default)]
    grants: BTreeMap<String, Spanned<values::Grant>>,
}

/// Reads a manifest. `program` and `plugs` come from the command line and win over its modules.
///
/// # Errors
/// A file that cannot be read, or anything in it that is not understood or not possible.
pub fn read(path: &Path, program: Option<&Path>, plugs: &[(String, PathBuf)]) -> anyhow::Result<Manifest> {
    let text = std::fs::read_to_string(path).map_err(|why| {
        anyhow::anyhow!("cannot read the manifest `{}`: {why}\n  give its path after --system", path.display())
    })?;
    Ok(parse(path, text, program, plugs)?)
}

fn parse(
    path: &Path,
    text: String,
    program: Option<&Path>,
    plugs: &[(String, PathBuf)],
) -> Result<Manifest, ManifestError> {
    let source = Source { path: path.to_path_buf(), text };
    let file: File = toml::from_str(&source.text).map_err(|why| source.error(why.span(), why.message()))?;
    Reading { source, modules: Vec::new(), program, plugs }.plan(file)
}

/// The state of turning a file into a plan.
struct Reading<'a> {
    source: Source,
    modules: Vec<PathBuf>,
    program: Option<&'a Path>,
    plugs: &'a [(String, PathBuf)],
}

impl Reading<'_> {
    fn plan(mut self, file: File) -> Result<Manifest, ManifestError> {
        let main = file.main.as_ref().map_or(DEFAULT_MAIN, |name| name.get_ref().as_str());
        if !file.vm.contains_key(main) {
            let at = file.main.as_ref().map(Spanned::span);
            let what =
                format!("there is no [vm.{main}] for the program; add it, or name another VM by `main = \"..\"`");
            return Err(self.source.error(at, what));
        }
        let vms = self.vms(&file, main)?;
        let mut plan = Plan {
            main: vms.iter().position(|vm| vm.name == main).unwrap_or(0) as u32,
            vms,
            clock: file.clock.map_or(Clock::Real, |clock| match clock {
                ClockName::Real => Clock::Real,
                ClockName::Virtual => Clock::Virtual,
            }),
            engine: Engine::default(),
            display: plan::DEFAULT_DISPLAY,
            limits: Limits::default(),
            seed: file.seed,
        };
        if let Some(size) = &file.display {
            plan.display = DisplaySize { width: size.get_ref().width, height: size.get_ref().height };
            let fits = |n: u32| (1..=plan::MAX_DISPLAY_PIXELS).contains(&n);
            if !fits(plan.display.width) || !fits(plan.display.height) {
                let what = format!("width and height are 1 to {} each", plan::MAX_DISPLAY_PIXELS);
                return Err(self.source.error(Some(size.span()), what));
            }
        }
        let grant_spans = self.grants(&mut plan, &file)?;
        self.layers(&mut plan, &file)?;
        plan.validate(self.modules.len()).map_err(|why| self.source.error(None, why.0))?;
        Ok(Manifest { plan, modules: self.modules, grant_spans, source: self.source })
    }

    /// Devices first, in their order, then the manifest's other VMs as they stand in it.
    fn vms(&mut self, file: &File, main: &str) -> Result<Vec<Vm>, ManifestError> {
        let devices = Device::ALL.into_iter().map(|device| device.name().to_string());
        let mut others: Vec<_> = file.vm.iter().filter(|(name, _)| Device::from_name(name).is_none()).collect();
        others.sort_by_key(|(_, table)| table.span().start);
        let names: Vec<String> = devices.chain(others.into_iter().map(|(name, _)| name.clone())).collect();
        for (plug, _) in self.plugs {
            if !names.contains(plug) {
                let what = format!(
                    "--plug {plug}: the manifest has no [vm.{plug}], so nobody could use it; add it, with grants to it"
                );
                return Err(self.source.error(None, what));
            }
        }
        names.iter().map(|name| self.vm(name, file.vm.get(name), main)).collect()
    }

    fn vm(&mut self, name: &str, entry: Option<&Spanned<VmTable>>, main: &str) -> Result<Vm, ManifestError> {
        let kind = self.kind(name, entry, main)?;
        let mut vm = plan::vm(name, kind);
        let Some(entry) = entry.map(Spanned::get_ref) else { return Ok(vm) };
        if let Some(memory) = &entry.memory {
            vm.memory_bytes = memory.get_ref().0;
            if !(1..=plan::MAX_MEMORY_BYTES).contains(&vm.memory_bytes) {
                return Err(self.source.error(Some(memory.span()), "a memory quota is 1 byte to 8 GiB"));
            }
        }
        if let Some(bounds) = &entry.bounds {
            vm.bounds = bounds.get_ref().0;
            if matches!(vm.kind, Kind::Device(_)) {
                let what = "a device is not compiled: `bounds` is for VMs with a module";
                return Err(self.source.error(Some(bounds.span()), what));
            }
        }
        if let Some(turn) = &entry.turn_ms {
            vm.turn_ms = *turn.get_ref();
            self.at_least_one(turn, "turn_ms", "would let no turn end")?;
        }
        if let Some(call) = &entry.call_ms {
            vm.call_ms = Some(*call.get_ref());
            self.at_least_one(call, "call_ms", "would let no call succeed")?;
        }
        vm.priority = entry.priority.unwrap_or_default();
        vm.sees = entry.sees.as_ref().map(|sees| sees.get_ref().0.clone());
        if let Some(restart) = &entry.restart {
            vm.restart = restart.get_ref().0;
            if vm.restart.within_ms == 0 {
                return Err(self
                    .source
                    .error(Some(restart.span()), "within_ms = 0 would count no restart: at least 1"));
            }
        }
        if let Some(programs) = &entry.programs {
            vm.programs = programs.get_ref().bounds();
            if vm.programs.ms == 0 || !(1..=plan::MAX_MEMORY_BYTES).contains(&vm.programs.memory_bytes) {
                let what = "programs: `ms` is at least 1, `memory` 1 byte to 8 GiB";
                return Err(self.source.error(Some(programs.span()), what));
            }
        }
        vm.wasi = self.wasi(entry, &vm)?;
        Ok(vm)
    }

    /// Arguments, environment and directories; the name before the arguments is known once the module is.
    fn wasi(&self, entry: &VmTable, vm: &Vm) -> Result<Wasi, ManifestError> {
        let mut wasi = Wasi::default();
        let spans = [
            entry.args.as_ref().map(Spanned::span),
            entry.env.as_ref().map(Spanned::span),
            entry.dirs.as_ref().map(Spanned::span),
        ];
        let at = spans.into_iter().flatten().next();
        if at.is_some() && matches!(vm.kind, Kind::Device(_)) {
            return Err(self.source.error(at, "a device has no arguments, environment or directories"));
        }
        if let Some(args) = &entry.args {
            wasi.args = args.get_ref().clone();
        }
        if let Some(env) = &entry.env {
            let variable = |(name, value): (&String, &String)| Variable { name: name.clone(), value: value.clone() };
            wasi.env = env.get_ref().iter().map(variable).collect();
        }
        for (guest, dir) in entry.dirs.iter().flat_map(|dirs| dirs.get_ref()) {
            let place = match &dir.place {
                DirPlace::Host(folder) => Place::Host(self.beside_manifest(folder).display().to_string()),
                DirPlace::Memory(quota_bytes) => {
                    Place::Memory(Contents { quota_bytes: *quota_bytes, ..Contents::default() })
                }
            };
            wasi.dirs.push(Dir { guest: guest.clone(), place, read_only: dir.read_only });
        }
        wasi.validate().map_err(|why| self.source.error(at, why.0))?;
        Ok(wasi)
    }

    fn at_least_one(&self, value: &Spanned<u32>, key: &str, otherwise: &str) -> Result<(), ManifestError> {
        match *value.get_ref() {
            0 => Err(self.source.error(Some(value.span()), format!("{key} = 0 {otherwise}: at least 1"))),
            _ => Ok(()),
        }
    }

    fn kind(&mut self, name: &str, entry: Option<&Spanned<VmTable>>, main: &str) -> Result<Kind, ManifestError> {
        let plug = self.plugs.iter().find(|(plug, _)| plug == name).map(|(_, file)| file.clone());
        let given = self.program.filter(|_| name == main).map(Path::to_path_buf);
        let own = entry.and_then(|entry| entry.get_ref().module.as_ref()).map(|file| self.beside_manifest(file));
        match given.or(plug).or(own) {
            Some(file) => {
                self.modules.push(file);
                Ok(Kind::Module(self.modules.len() as u32 - 1))
            }
            None => match Device::from_name(name) {
                Some(device) => Ok(Kind::Device(device)),
                None => Err(self.source.error(entry.map(Spanned::span), self.no_module(name, main))),
            },
        }
    }

    fn beside_manifest(&self, file: &Path) -> PathBuf {
        self.source.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn no_module(&self, name: &str, main: &str) -> String {
        if name == main {
            format!(
                "[vm.{name}] is the program, but has no module: add `module = \"FILE\"`, or give the file on the command line"
            )
        } else {
            format!("[vm.{name}] has no module: add `module = \"FILE\"`, or give --plug {name}=FILE")
        }
    }

    fn grants(&self, plan: &mut Plan, file: &File) -> Result<Vec<(u32, u32, Range<usize>)>, ManifestError> {
        let mut spans = Vec::new();
        for (name, entry) in &file.vm {
            for (target, granted) in &entry.get_ref().grants {
                let at = Some(granted.span());
                let values::Grant { what, limits } = granted.get_ref();
                let to = self.find(plan, target, &at)?;
                let grant = Grant { to, what: what.clone(), limits: limits.clone() };
                if let Some(Vm { kind: Kind::Device(device), .. }) = plan.vms.get(to as usize) {
                    plan::check_grant(target, device.instruction_set(), &grant)
                        .map_err(|why| self.source.error(at.clone(), why.0))?;
                }
                let Some((from, Vm { kind: Kind::Module(_), .. })) = plan.find(name) else {
                    return Err(self
                        .source
                        .error(at, format!("`{name}` is a device: it sends nothing, and needs no grants")));
                };
                spans.push((from, to, granted.span()));
                if let Some(vm) = plan.vms.get_mut(from as usize) {
                    vm.grants.push(grant);
                }
            }
        }
        Ok(spans)
    }

    /// The index of the VM of this name.
    fn find(&self, plan: &Plan, name: &str, at: &Option<Range<usize>>) -> Result<u32, ManifestError> {
        plan.find(name).map(|(index, _)| index).ok_or_else(|| {
            let known: Vec<&str> = plan.vms.iter().map(|vm| vm.name.as_str()).collect();
            self.source.error(at.clone(), format!("there is no VM `{name}`; there are: {}", known.join(", ")))
        })
    }

    /// Reads every `on`. Whoever stands on a VM may use it: without a grant of its own, all of it.
    fn layers(&self, plan: &mut Plan, file: &File) -> Result<(), ManifestError> {
        for (name, entry) in &file.vm {
            let Some(on) = &entry.get_ref().on else { continue };
            let at = Some(on.span());
            let upper = self.find(plan, name, &at)?;
            for lower in &on.get_ref().0 {
                let lower = self.find(plan, lower, &at)?;
                let Some(vm) = plan.vms.get_mut(upper as usize) else { continue };
                vm.stand_on(lower);
            }
            plan.validate_layers().map_err(|why| self.source.error(at, why.0))?;
        }
        Ok(())
    }
}

impl Manifest {
    /// An error about one grant, shown at its place.
    pub fn grant_error(&self, from: u32, to: u32, message: String) -> ManifestError {
        let span = self.grant_spans.iter().find(|(f, t, _)| (*f, *t) == (from, to)).map(|(_, _, span)| span.clone());
        self.source.error(span, message)
    }
}

#[cfg(test)]
mod tests {
    use bootstrapper::plan::{Bounds, Escalation, Limit, Programs, Restart, RestartWhen, What};

    use super::*;

    fn read_text(text: &str) -> Result<Manifest, String> {
        parse(Path::new("dir/system.toml"), text.to_string(), None, &[]).map_err(|why| why.to_string())
    }

    const GOOD: &str = r#"
main = "paint"
clock = "virtual"
[display]
width = 320
height = 200
[vm.paint]
module = "paint.il"
memory = "16 MiB"
turn_ms = 250
grants = { display = "all", disk = ["read", "write"], keyboard = ["key"] }
"#;

    #[test]
    fn a_manifest_grants_what_it_says_and_no_more() {
        let manifest = read_text(GOOD).unwrap();
        assert_eq!(manifest.modules, [PathBuf::from("dir/paint.il")]);
        let plan = &manifest.plan;
        let main = plan.main_vm().unwrap();
        assert_eq!((main.name.as_str(), main.memory_bytes, main.turn_ms), ("paint", 16 << 20, 250));
        assert_eq!(main.grants.len(), 3);
        let disk = plan.find("disk").unwrap().0;
        let grant = main.grants.iter().find(|grant| grant.to == disk).unwrap();
        assert_eq!(grant.what, What::Only(vec!["read".into(), "write".into()]));
        assert_eq!((plan.clock, plan.display.width), (Clock::Virtual, 320));
    }

    /// All that can be said about a VM.
    const FULL: &str = r#"
[vm.main]
module = "main.il"
call_ms = 500
priority = "high"
bounds = "explicit"
sees = ["echo", "cascade.display@1"]
restart = { policy = "on-fault", backoff_ms = 20, limit = 3, then = "halt-system", keep_clients = true }
programs = { ms = 100, memory = "4 MiB" }
[vm.main.grants]
disk = { allow = ["read"], sectors = "0..4096" }
display = { within = "320x200" }
[vm.window]
module = "window.il"
on = ["display", "keyboard"]
restart = "always"
[vm.echo]
module = "echo.il"
on = "window"
"#;

    #[test]
    fn everything_can_be_said() {
        let plan = read_text(FULL).unwrap().plan;
        let main = plan.main_vm().unwrap();
        assert_eq!((main.call_ms, main.priority), (Some(500), Priority::High));
        assert_eq!(main.bounds, compiler::Bounds::Explicit);
        assert_eq!(main.sees, Some(vec!["echo".into(), "cascade.display@1".into()]));
        assert_eq!(main.programs, Programs { ms: 100, memory_bytes: 4 << 20 });
        let restart = Restart {
            policy: RestartWhen::OnFault,
            backoff_ms: 20,
            limit: 3,
            then: Escalation::HaltSystem,
            keep_clients: true,
            ..Restart::default()
        };
        assert_eq!(main.restart, restart);
        let bounds = |from, to| Bounds { from, to };
        let (disk, display) = (plan.find("disk").unwrap().0, plan.find("display").unwrap().0);
        let limit = |to| main.grants.iter().find(|grant| grant.to == to).unwrap().limits.clone();
        assert_eq!(limit(disk), [Limit { name: "sectors".into(), bounds: vec![bounds(0, 4096)] }]);
        assert_eq!(limit(display), [Limit { name: "within".into(), bounds: vec![bounds(0, 320), bounds(0, 200)] }]);
        let names: Vec<&str> = plan.vms.iter().skip(Device::ALL.len()).map(|vm| vm.name.as_str()).collect();
        assert_eq!(names, ["main", "window", "echo"], "as they stand in the file");
        let (window, vm) = plan.find("window").unwrap();
        assert_eq!(vm.on, [display, plan.find("keyboard").unwrap().0]);
        assert_eq!(
            vm.grants,
            [Grant::new(vm.on[0], What::All), Grant::new(vm.on[1], What::All)],
            "may use what it stands on"
        );
        assert_eq!(vm.restart, Restart { policy: RestartWhen::Always, ..Restart::default() });
        assert_eq!(plan.find("echo").unwrap().1.on, [window]);
    }

    const WASI: &str = r#"
seed = 7
[vm.main]
module = "main.wasm"
args = ["a", "b c"]
env = { LANG = "C" }
[vm.main.dirs]
"/data" = "data"
"/fixed" = { host = "fixed", read_only = true }
"/tmp" = { memory = "4 MiB" }
"#;

    #[test]
    fn arguments_environment_and_directories_are_granted() {
        let plan = read_text(WASI).unwrap().plan;
        let wasi = &plan.main_vm().unwrap().wasi;
        assert_eq!(
            (plan.seed, &wasi.args[..], wasi.env.len()),
            (Some(7), &["a".to_string(), "b c".to_string()][..], 1)
        );
        let dir = |guest: &str, place, read_only| Dir { guest: guest.into(), place, read_only };
        let memory = Place::Memory(Contents { quota_bytes: 4 << 20, ..Contents::default() });
        let expected = [
            dir("/data", Place::Host("dir/data".into()), false),
            dir("/fixed", Place::Host("dir/fixed".into()), true),
            dir("/tmp", memory, false),
        ];
        assert_eq!(wasi.dirs, expected);
        let cases = [
            (("env = { LANG", "env = { \"A=B\""), "a variable `A=B` is impossible"),
            (("\"4 MiB\"", "0"), "the directory `/tmp` has room for 0 bytes"),
            (("host = \"fixed\"", "host = \"fixed\", memory = 1"), "a directory is either `host` or `memory`"),
            (("read_only", "readonly"), "unknown field `readonly`"),
            (("[\"a\", \"b c\"]", "\"a\""), "invalid type: string \"a\""),
            (("[vm.main]", "[vm.disk]\nargs = [\"x\"]\n[vm.main]"), "a device has no arguments"),
        ];
        for ((from, to), expected) in cases {
            assert!(WASI.contains(from), "{from}");
            let error = read_text(&WASI.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "expected {expected:?} in:\n{error}");
        }
    }

    #[test]
    fn mistakes_in_what_a_vm_may_are_shown_where_they_are() {
        let cases = [
            (("call_ms = 500", "call_ms = 0"), "system.toml:4:11: call_ms = 0"),
            (("\"high\"", "\"higher\""), "system.toml:5:12: unknown variant `higher`, expected one of `low`"),
            (
                ("\"explicit\"", "\"explicitly\""),
                "system.toml:6:10: memory accesses are not checked by `explicitly`: say `guard`",
            ),
            (
                ("[vm.window]", "[vm.disk]\nbounds = \"guard\"\n[vm.window]"),
                "a device is not compiled: `bounds` is for VMs with a module",
            ),
            (("policy = \"on-fault\"", "policy = \"on-falt\""), "unknown variant `on-falt`"),
            (("limit = 3", "limits = 3"), "system.toml:8:"),
            (("\"always\"", "\"allways\""), "unknown variant `allways`, expected one of `never`, `on-fault`"),
            (("ms = 100", "ms = 0"), "system.toml:9:12: programs: `ms` is at least 1"),
            (("\"0..4096\"", "\"4096\""), "system.toml:11:38: `4096` is no range: write FROM..TO"),
            (("\"0..4096\"", "\"9..3\""), "`9..3` is no range"),
            (
                ("sectors =", "sector ="),
                "`disk` (cascade.disk@1) has no space or operand `sector`; it has: sectors, lba",
            ),
            (("\"320x200\"", "\"0..320\""), "has 2 axes, not 1: write within = \"0..320, 0..200\""),
            (("allow = [\"read\"]", "allow = \"some\""), "expected \"all\", or a list"),
            (("on = \"window\"", "on = \"windo\""), "system.toml:19:6: there is no VM `windo`"),
            (("on = \"window\"", "on = \"echo\""), "stands on itself"),
            (("[\"display\", \"keyboard\"]", "\"echo\""), "stands on it in turn"),
            (("\"keyboard\"", "\"display\""), "system.toml:15:6: VM `window`: `on` names `display` twice"),
        ];
        for ((from, to), expected) in cases {
            assert!(FULL.contains(from), "{from}");
            let error = read_text(&FULL.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "expected {expected:?} in:\n{error}");
        }
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let cases = [
            (GOOD.replace("clock", "clok"), "system.toml:3:1: unknown field `clok`"),
            (GOOD.replace("turn_ms = 250", "turn_ms = 0"), "system.toml:10:11: turn_ms = 0"),
            (GOOD.replace("16 MiB", "16 MB"), "system.toml:9:10: invalid value: string \"16 MB\""),
            (GOOD.replace("\"write\"", "\"wirte\""), "has no `wirte`; it has: info, read, write"),
            (GOOD.replace("keyboard =", "kbd ="), "there is no VM `kbd`; there are: console, display"),
            (GOOD.replace("width = 320", "width = 0"), "width and height are 1 to 4096"),
            (GOOD.replace("main = \"paint\"", "main = \"print\""), "system.toml:2:8: there is no [vm.print]"),
            (GOOD.replace("module = \"paint.il\"", ""), "is the program, but has no module"),
            ("[vm.main".to_string(), "system.toml:1:9"),
            ("".to_string(), "there is no [vm.main]"),
        ];
        for (text, expected) in cases {
            let error = read_text(&text).unwrap_err();
            assert!(error.contains(expected), "expected {expected:?} in:\n{error}");
        }
    }
}
