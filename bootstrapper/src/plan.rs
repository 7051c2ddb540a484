//! The plan of a system: which VMs there are, what each may send to whom, and within which bounds.
//!
//! Invariants: a plan is data, made hosted (from `system.toml` or the default) and read on both
//! platforms; what it does not grant is refused; [`Plan::validate`] bounds everything before use.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use il::isa::InstructionSet;
use il::ranges;
use serde::{Deserialize, Serialize};

use crate::wasi::Wasi;

/// Most VMs in one plan.
pub const MAX_VMS: usize = 64;
/// Most grants of one VM.
pub const MAX_GRANTS: usize = 64;
/// Most limits of one grant.
pub const MAX_LIMITS: usize = 16;
/// Most axes of one limit.
pub const MAX_AXES: usize = 4;
/// Most names in one `sees`, and VMs in one `on`.
pub const MAX_SEES: usize = 64;
/// Longest entry of `sees` in bytes.
pub const MAX_SEEN_BYTES: usize = 256;
/// Most instructions and events named by one grant.
pub const MAX_GRANT_NAMES: usize = 512;
/// Longest name of a VM, instruction or event, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Widest and highest display, in pixels.
pub const MAX_DISPLAY_PIXELS: u32 = 4096;
/// Largest memory quota of one VM, in bytes.
pub const MAX_MEMORY_BYTES: u64 = 8 << 30;
/// Memory quota of a VM for which nothing is said, in bytes.
pub const DEFAULT_MEMORY_BYTES: u64 = 64 << 20;
/// A handler's turn, where nothing is said (decision 3), in milliseconds. `main` has none.
pub const DEFAULT_TURN_MS: u32 = 5_000;
/// The default display.
pub const DEFAULT_DISPLAY: DisplaySize = DisplaySize { width: 640, height: 480 };

/// A whole system, before it runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Every VM, devices included, in the order in which they start.
    pub vms: Vec<Vm>,
    /// Index in `vms` of the program whose end ends the system.
    pub main: u32,
    /// Which clock the VMs see.
    pub clock: Clock,
    /// What runs the VMs that are IL modules.
    pub engine: Engine,
    /// The display's size.
    pub display: DisplaySize,
    /// When to stop a program that does not end by itself.
    pub limits: Limits,
    /// The seed of all randomness, for a run that can be repeated; the machine's if `None`.
    pub seed: Option<u64>,
}

/// What runs IL modules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Engine {
    /// Machine code, compiled when the system starts.
    #[default]
    Jit,
    /// The reference interpreter: nothing is compiled.
    Interpreter,
}

/// One VM of a plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vm {
    /// Its name, unique in the plan; a module's `use NAME: ..` prefers the VM of that name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it may send, and to whom. Nothing else is possible.
    pub grants: Vec<Grant>,
    /// Its memory quota in bytes.
    pub memory_bytes: u64,
    /// How accesses to its linear memories are kept inside them, and those of what it spawns and sends.
    #[serde(with = "by_name")]
    pub bounds: compiler::Bounds,
    /// How long one turn of a handler or `op` may take.
    pub turn_ms: u32,
    /// How long its calls wait for an answer; for ever if `None`.
    pub call_ms: Option<u32>,
    /// How often it runs when others can run too.
    pub priority: Priority,
    /// Which VMs it sees in the directory: names, addresses (`echo/1`) and sets (`cascade.display@1`).
    /// `None`: those that it is granted something of.
    pub sees: Option<Vec<String>>,
    /// The VMs, by their index in [`Plan::vms`], on whose channels it stands: whoever is granted one of them gets
    /// this VM instead. Of several on one VM, the later in [`Plan::vms`] stands above the earlier.
    pub on: Vec<u32>,
    /// What happens after its end.
    pub restart: Restart,
    /// Bounds of the device programs that it sends.
    pub programs: Programs,
    /// What it finds of the WASI subsystem, beside instructions.
    pub wasi: Wasi,
    /// Fault injection: the instruction at which this device VM panics.
    pub panic_on: Option<u8>,
    /// Fault injection: it is ended by faults so often.
    pub faults: Option<Faults>,
}

/// A choice of the compiler's, by the name that users know.
mod by_name {
    use alloc::string::String;

    use compiler::Bounds;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bounds: &Bounds, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(bounds.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bounds, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Faults that are injected into a VM and its later incarnations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Faults {
    /// Instructions that it sends or executes from one fault to the next; not 0.
    pub every: u32,
    /// How many faults.
    pub times: u32,
}

/// How often a VM runs when several can.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

/// What happens after the end of a VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Restart {
    /// After which ends it is started again.
    pub policy: RestartWhen,
    /// Wait before the first restart in milliseconds; doubles with each further one.
    pub backoff_ms: u32,
    /// Most restarts within `within_ms`.
    pub limit: u32,
    /// The time over which restarts are counted, in milliseconds; not 0.
    pub within_ms: u32,
    /// What happens beyond the limit.
    pub then: Escalation,
    /// Whether those who hold a capability of it go on with the restarted one.
    pub keep_clients: bool,
}

/// After which ends a VM is started again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum RestartWhen {
    #[default]
    Never,
    OnFault,
    Always,
}

/// What follows when a VM was restarted too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Escalation {
    #[default]
    Stop,
    HaltSystem,
}

impl Default for Restart {
    fn default() -> Restart {
        Restart {
            policy: RestartWhen::Never,
            backoff_ms: 10,
            limit: 5,
            within_ms: 10_000,
            then: Escalation::Stop,
            keep_clients: false,
        }
    }
}

/// Bounds of one run of a device program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Programs {
    /// Processor time in milliseconds; not 0.
    pub ms: u32,
    /// Memory in bytes, paid for by the sender.
    pub memory_bytes: u64,
}

impl Default for Programs {
    fn default() -> Programs {
        Programs { ms: 1_000, memory_bytes: 16 << 20 }
    }
}

/// What a VM is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// One of the built-in device VMs.
    Device(Device),
    /// An IL module, by its index among the modules that come with the plan.
    Module(u32),
}

/// The built-in VMs: the devices, and the two that are a part of the base.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Device {
    Console,
    Display,
    Keyboard,
    Disk,
    Clock,
    Entropy,
    Wasi,
    /// The base's directory of VMs.
    Directory,
    /// The base's hand for starting and stopping VMs.
    System,
}

impl Device {
    /// All of them, in the order in which they start.
    pub const ALL: [Device; 9] = [
        Device::Console,
        Device::Display,
        Device::Keyboard,
        Device::Disk,
        Device::Clock,
        Device::Entropy,
        Device::Wasi,
        Device::Directory,
        Device::System,
    ];

    /// The name of the device and of its VM.
    pub const fn name(self) -> &'static str {
        match self {
            Device::Console => "console",
            Device::Display => "display",
            Device::Keyboard => "keyboard",
            Device::Disk => "disk",
            Device::Clock => "clock",
            Device::Entropy => "entropy",
            Device::Wasi => "wasi",
            Device::Directory => "directory",
            Device::System => "system",
        }
    }

    /// The device of this name.
    pub fn from_name(name: &str) -> Option<Device> {
        Device::ALL.into_iter().find(|device| device.name() == name)
    }

    /// The instruction set that it executes.
    pub fn instruction_set(self) -> &'static InstructionSet {
        match self {
            Device::Console => &isa::console::SET,
            Device::Display => &isa::display::SET,
            Device::Keyboard => &isa::keyboard::SET,
            Device::Disk => &isa::disk::SET,
            Device::Clock => &isa::clock::SET,
            Device::Entropy => &isa::entropy::SET,
            Device::Wasi => &isa::wasi::SET,
            Device::Directory => &isa::directory::SET,
            Device::System => &isa::system::SET,
        }
    }
}

/// The right to send instructions to one VM and to receive events from it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The VM, by its index in [`Plan::vms`].
    pub to: u32,
    /// What exactly.
    pub what: What,
    /// To which part of the VM's spaces, and to which operands, it is limited.
    pub limits: Vec<Limit>,
}

/// A limit of a grant: instructions that touch more than this are refused by the receiver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limit {
    /// A space that the instruction set declares (`sectors`, `within`), or the name of an integer operand.
    pub name: String,
    /// From where to where on each axis of the space; one for an operand.
    pub bounds: Vec<Bounds>,
}

/// An interval, half-open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bounds {
    /// The first number in it.
    pub from: i64,
    /// The first number beyond it; not less than `from`.
    pub to: i64,
}

impl fmt::Display for Limit {
    /// As `--grant` reads it: `sectors:0..4096`, `within:0..320x0..200`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ranges::Limit::from(self).fmt(f)
    }
}

impl From<&Limit> for ranges::Limit {
    fn from(limit: &Limit) -> ranges::Limit {
        let bounds = limit.bounds.iter().map(|Bounds { from, to }| ranges::Bounds { from: *from, to: *to });
        ranges::Limit { name: limit.name.clone(), bounds: bounds.collect() }
    }
}

impl From<ranges::Limit> for Limit {
    fn from(limit: ranges::Limit) -> Limit {
        let bounds = limit.bounds.iter().map(|ranges::Bounds { from, to }| Bounds { from: *from, to: *to });
        Limit { name: limit.name, bounds: bounds.collect() }
    }
}

impl Vm {
    /// Lets it stand on another VM's channels. It may then use that VM: without a grant of its own, all of it.
    pub fn stand_on(&mut self, lower: u32) {
        self.on.push(lower);
        if self.grants.iter().all(|grant| grant.to != lower) {
            self.grants.push(Grant::new(lower, What::All));
        }
    }
}

impl Grant {
    /// A grant without limits.
    pub fn new(to: u32, what: What) -> Grant {
        Grant { to, what, limits: Vec::new() }
    }
}

/// Which of a set's instructions and events a grant covers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum What {
    /// The whole set.
    All,
    /// These instructions and events, by name.
    Only(Vec<String>),
}

/// Where the VMs' time comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    Real,
    /// Advances only when every VM is idle: a run is repeatable and takes no time to wait.
    Virtual,
}

/// A display's size in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DisplaySize {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Bounds of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Ends the run with code 124 after so many milliseconds of real time.
    pub timeout_ms: Option<u64>,
    /// Ends the run, with code 0, when so many frames have been presented.
    pub until_frame: Option<u64>,
}

/// Why a plan cannot be run: what, where, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanError(pub String);

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for PlanError {}

/// Makes a VM with the default quotas and no grants.
pub fn vm(name: &str, kind: Kind) -> Vm {
    Vm {
        name: name.to_string(),
        kind,
        grants: Vec::new(),
        memory_bytes: DEFAULT_MEMORY_BYTES,
        bounds: compiler::Bounds::default(),
        turn_ms: DEFAULT_TURN_MS,
        call_ms: None,
        priority: Priority::default(),
        sees: None,
        on: Vec::new(),
        restart: Restart::default(),
        programs: Programs::default(),
        wasi: Wasi::default(),
        panic_on: None,
        faults: None,
    }
}

/// The system that runs without a manifest (decision 17): all devices, the program as module 0,
/// each plug-in as a further module; programs may send everything to everyone but `system`.
pub fn default_plan(program: &str, plugs: &[&str]) -> Plan {
    let mut vms: Vec<Vm> = Device::ALL.into_iter().map(|d| vm(d.name(), Kind::Device(d))).collect();
    for (index, plug) in plugs.iter().enumerate() {
        replace_or_push(&mut vms, vm(plug, Kind::Module(index as u32 + 1)));
    }
    let program = unused_name(&vms, program);
    vms.push(vm(&program, Kind::Module(0)));
    grant_everything(&mut vms);
    Plan {
        main: vms.len() as u32 - 1,
        vms,
        clock: Clock::Real,
        engine: Engine::default(),
        display: DEFAULT_DISPLAY,
        limits: Limits::default(),
        seed: None,
    }
}

/// A plug-in of a device's name stands in for that device.
fn replace_or_push(vms: &mut Vec<Vm>, new: Vm) {
    match vms.iter_mut().find(|old| old.name == new.name) {
        Some(old) => *old = new,
        None => vms.push(new),
    }
}

/// `wanted`, or with `-program` appended until no VM has that name.
fn unused_name(vms: &[Vm], wanted: &str) -> String {
    let mut name = wanted.to_string();
    while vms.iter().any(|vm| vm.name == name) {
        name.push_str("-program");
    }
    name
}

fn grant_everything(vms: &mut [Vm]) {
    let count = vms.len() as u32;
    let rare = vms.iter().position(|vm| vm.kind == Kind::Device(Device::System)).map(|at| at as u32);
    for (index, vm) in vms.iter_mut().enumerate() {
        if matches!(vm.kind, Kind::Module(_)) {
            let others = (0..count).filter(|to| *to != index as u32 && Some(*to) != rare);
            vm.grants = others.map(|to| Grant::new(to, What::All)).collect();
        }
    }
}

impl Plan {
    /// The VM of this name and its index.
    pub fn find(&self, name: &str) -> Option<(u32, &Vm)> {
        let index = self.vms.iter().position(|vm| vm.name == name)?;
        Some((index as u32, &self.vms[index]))
    }

    /// The program whose end ends the system.
    pub fn main_vm(&self) -> Option<&Vm> {
        self.vms.get(self.main as usize)
    }

    /// Checks every bound and reference of a plan that comes with `modules` modules.
    ///
    /// # Errors
    /// What is wrong, in words for the plan's author.
    pub fn validate(&self, modules: usize) -> Result<(), PlanError> {
        if self.vms.len() > MAX_VMS {
            return error(format!("{} VMs are too many: at most {MAX_VMS}", self.vms.len()));
        }
        match self.main_vm() {
            Some(Vm { kind: Kind::Module(_), .. }) => {}
            Some(vm) => return error(format!("the main VM `{}` is a device, not a program", vm.name)),
            None => return error("the plan names no program to run".to_string()),
        }
        let DisplaySize { width, height } = self.display;
        if !(1..=MAX_DISPLAY_PIXELS).contains(&width) || !(1..=MAX_DISPLAY_PIXELS).contains(&height) {
            return error(format!("a display of {width} x {height} is impossible: 1 to {MAX_DISPLAY_PIXELS} each"));
        }
        self.validate_layers()?;
        for (index, vm) in self.vms.iter().enumerate() {
            self.validate_vm(index, vm, modules).map_err(|why| PlanError(format!("VM `{}`: {why}", vm.name)))?;
        }
        Ok(())
    }

    fn validate_vm(&self, index: usize, vm: &Vm, modules: usize) -> Result<(), PlanError> {
        check_name(&vm.name)?;
        if self.vms.iter().take(index).any(|other| other.name == vm.name) {
            return error("the name is used twice".to_string());
        }
        if let Kind::Module(module) = vm.kind
            && module as usize >= modules
        {
            return error(format!("it needs module {module}, but there are {modules}"));
        }
        if vm.memory_bytes == 0 || vm.memory_bytes > MAX_MEMORY_BYTES {
            return error(format!("a memory quota of {} bytes: 1 to {MAX_MEMORY_BYTES}", vm.memory_bytes));
        }
        if vm.turn_ms == 0 {
            return error("turn_ms = 0 would let no turn end: at least 1".to_string());
        }
        if vm.grants.len() > MAX_GRANTS {
            return error(format!("{} grants are too many: at most {MAX_GRANTS}", vm.grants.len()));
        }
        if vm.call_ms == Some(0) {
            return error("call_ms = 0 would let no call succeed: at least 1".to_string());
        }
        validate_bounds(vm)?;
        if matches!(vm.kind, Kind::Device(_)) && !vm.wasi.is_empty() {
            return error("a device has no arguments, environment or directories".to_string());
        }
        vm.wasi.validate()?;
        vm.grants.iter().try_for_each(|grant| self.validate_grant(grant))
    }

    /// Checks who stands on whom.
    ///
    /// # Errors
    /// A VM that stands on itself, on a VM twice, on one that does not exist, or in a circle.
    pub fn validate_layers(&self) -> Result<(), PlanError> {
        let mut vms = self.vms.iter().enumerate();
        vms.try_for_each(|(index, vm)| {
            self.validate_on(index, vm).map_err(|why| PlanError(format!("VM `{}`: {why}", vm.name)))
        })
    }

    /// Whether `upper` stands on `lower`, or on a VM that does, and so on.
    fn stands_on(&self, upper: u32, lower: u32) -> bool {
        let mut reached = alloc::vec![upper];
        let mut at = 0;
        while let Some(vm) = reached.get(at).and_then(|vm| self.vms.get(*vm as usize)) {
            let further: Vec<u32> = vm.on.iter().copied().filter(|on| !reached.contains(on)).collect();
            reached.extend(further);
            at += 1;
        }
        upper != lower && reached.contains(&lower)
    }

    fn validate_on(&self, index: usize, vm: &Vm) -> Result<(), PlanError> {
        if vm.on.len() > MAX_SEES {
            return error(format!("`on` names {} VMs: at most {MAX_SEES}", vm.on.len()));
        }
        for (at, below) in vm.on.iter().enumerate() {
            let Some(target) = self.vms.get(*below as usize) else {
                return error(format!("it stands on VM number {below}, which does not exist"));
            };
            if *below as usize == index {
                return error("it stands on itself: `on` names another VM".to_string());
            }
            if self.stands_on(*below, index as u32) {
                return error(format!("it stands on `{}`, which stands on it in turn: one must be below", target.name));
            }
            if vm.on.iter().take(at).any(|other| other == below) {
                return error(format!("`on` names `{}` twice", target.name));
            }
            if matches!(vm.kind, Kind::Device(_)) {
                return error("a device sends nothing, so it cannot stand on another VM".to_string());
            }
        }
        Ok(())
    }

    fn validate_grant(&self, grant: &Grant) -> Result<(), PlanError> {
        let Some(target) = self.vms.get(grant.to as usize) else {
            return error(format!("a grant to VM number {}, which does not exist", grant.to));
        };
        if grant.limits.len() > MAX_LIMITS {
            return error(format!("{} limits of one grant are too many: at most {MAX_LIMITS}", grant.limits.len()));
        }
        grant.limits.iter().try_for_each(check_limit)?;
        if let What::Only(names) = &grant.what {
            if names.len() > MAX_GRANT_NAMES {
                return error(format!("a grant of {} names: at most {MAX_GRANT_NAMES}", names.len()));
            }
            names.iter().try_for_each(|name| check_name(name))?;
        }
        match target.kind {
            Kind::Device(device) => check_grant(&target.name, device.instruction_set(), grant),
            Kind::Module(_) => Ok(()),
        }
    }
}

/// Checks that a set has every instruction, event, space and operand that a grant names.
///
/// # Errors
/// The first unknown name, with the names that there are.
pub fn check_grant(vm: &str, set: &InstructionSet, grant: &Grant) -> Result<(), PlanError> {
    check_grant_names(vm, set, &grant.what)?;
    check_grant_limits(vm, set, &grant.limits)
}

/// Checks that a set has every instruction and event that a grant names.
///
/// # Errors
/// The first unknown name, with the names that there are.
pub fn check_grant_names(vm: &str, set: &InstructionSet, what: &What) -> Result<(), PlanError> {
    let What::Only(names) = what else { return Ok(()) };
    for name in names {
        if set.instruction_named(name).is_none() && set.event_named(name).is_none() {
            let known: Vec<&str> = set_names(set).collect();
            let path = set.path();
            return error(format!("`{vm}` ({path}) has no `{name}`; it has: {}", known.join(", ")));
        }
    }
    Ok(())
}

fn validate_bounds(vm: &Vm) -> Result<(), PlanError> {
    if vm.restart.within_ms == 0 {
        return error("restart: within_ms = 0 would count no restart: at least 1".to_string());
    }
    if vm.programs.ms == 0 {
        return error("programs: ms = 0 would let no device program run: at least 1".to_string());
    }
    if vm.programs.memory_bytes == 0 || vm.programs.memory_bytes > MAX_MEMORY_BYTES {
        return error(format!("programs: {} bytes of memory: 1 to {MAX_MEMORY_BYTES}", vm.programs.memory_bytes));
    }
    let sees = vm.sees.as_deref().unwrap_or_default();
    if sees.len() > MAX_SEES {
        return error(format!("`sees` has {} entries: at most {MAX_SEES}", sees.len()));
    }
    match sees.iter().find(|entry| entry.is_empty() || entry.len() > MAX_SEEN_BYTES) {
        Some(entry) => error(format!("an entry of `sees` has {} bytes: 1 to {MAX_SEEN_BYTES}", entry.len())),
        None => Ok(()),
    }
}

fn check_limit(limit: &Limit) -> Result<(), PlanError> {
    check_name(&limit.name)?;
    if limit.bounds.is_empty() || limit.bounds.len() > MAX_AXES {
        return error(format!("limit `{}` has {} axes: 1 to {MAX_AXES}", limit.name, limit.bounds.len()));
    }
    match limit.bounds.iter().find(|bounds| bounds.from > bounds.to) {
        Some(Bounds { from, to }) => {
            error(format!("limit `{}`: {from}..{to} ends before it starts; `to` is not part of it", limit.name))
        }
        None => Ok(()),
    }
}

/// Checks that a set has the space or operand that each limit names, with as many axes.
///
/// # Errors
/// The first limit that does not fit, with the names that there are.
pub fn check_grant_limits(vm: &str, set: &InstructionSet, limits: &[Limit]) -> Result<(), PlanError> {
    for (at, limit) in limits.iter().enumerate() {
        let name = &limit.name;
        let axes = match set.limit_axes(name) {
            Some(axes) => axes,
            None => {
                return error(format!("`{vm}` ({}) has no space or operand `{name}`{}", set.path(), known_limits(set)));
            }
        };
        if axes != limit.bounds.len() {
            let example: Vec<&str> = ["0..320", "0..200", "0..10", "0..10"].into_iter().take(axes).collect();
            let example = example.join(", ");
            return error(format!(
                "`{name}` of `{vm}` has {axes} axes, not {}: write {name} = \"{example}\"",
                limit.bounds.len()
            ));
        }
        if limits.iter().take(at).any(|other| other.name == *name) {
            return error(format!("`{vm}` is limited twice by `{name}`: say it once"));
        }
    }
    Ok(())
}

/// What can be limited in a set, for an error's end.
fn known_limits(set: &InstructionSet) -> String {
    let mut names: Vec<&str> = set.spaces().into_iter().map(|(name, _)| name).collect();
    for operand in set.limited_operands() {
        if !names.contains(&operand) {
            names.push(operand);
        }
    }
    match names.is_empty() {
        true => "; nothing in it can be limited".to_string(),
        false => format!("; it has: {}", names.join(", ")),
    }
}

/// The names that a grant on this set can list.
pub fn set_names(set: &InstructionSet) -> impl Iterator<Item = &str> {
    let instructions = set.instructions.iter().map(|i| i.name.as_ref());
    instructions.chain(set.events.iter().map(|e| e.name.as_ref()))
}

fn check_name(name: &str) -> Result<(), PlanError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return error(format!("a name of {} bytes: 1 to {MAX_NAME_BYTES}", name.len()));
    }
    match name.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))) {
        Some(c) => error(format!("`{}` in a name: letters, digits, `_`, `-`, `.` only", c.escape_default())),
        None => Ok(()),
    }
}

fn error<T>(text: String) -> Result<T, PlanError> {
    Err(PlanError(text))
}
