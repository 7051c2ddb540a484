//! `cascade describe`, `cascade vms`: what there is, printed from the one declaration of each.

use std::fmt::Write;

use anyhow::bail;
use bootstrapper::plan::{Escalation, Grant, Kind, Limit, Plan, Programs, Restart, RestartWhen, Vm, What};
use bootstrapper::wasi::{Dir, Place};
use il::isa::InstructionSet;
use serde::Serialize;

use crate::cli::VmsOptions;
use crate::modules::Loaded;
use crate::system;

/// The page of one instruction set, or the list of all.
///
/// # Errors
/// If there is no such set.
pub fn set(name: Option<&str>) -> anyhow::Result<String> {
    let Some(name) = name else { return Ok(list()) };
    match isa::find(name) {
        Some(set) => Ok(isa::describe(set)),
        None => {
            let known: Vec<&str> =
                isa::ALL.iter().map(|set| set.name.rsplit('.').next().unwrap_or(&set.name)).collect();
            bail!("there is no built-in instruction set `{name}`; there are: {}", known.join(", "))
        }
    }
}

fn list() -> String {
    let mut text = String::new();
    for set in isa::ALL {
        let about = set.doc.trim().split_once(". ").map_or(set.doc.trim(), |(first, _)| first).trim_end_matches('.');
        let _ = writeln!(text, "{:<22} {:>2} instructions   {about}", set.path(), set.instructions.len());
    }
    text.push_str("\nFor one of them: cascade describe display\n");
    text
}

/// One VM of a system, for `--json`.
#[derive(Serialize)]
struct VmLine {
    name: String,
    kind: &'static str,
    executes: Option<String>,
    memory_bytes: u64,
    turn_ms: u32,
    main: bool,
    grants: Vec<String>,
    /// What else the manifest says of it.
    notes: Vec<String>,
}

/// `cascade vms`: the VMs of the system that the same options would run.
///
/// # Errors
/// As `cascade run`: a manifest or module that is not usable.
pub fn vms(options: &VmsOptions) -> anyhow::Result<String> {
    let system = &options.system;
    let (plan, modules) = if system.file.is_none() && system.system.is_none() {
        (devices_only(), Vec::new())
    } else {
        system::assemble(system)?
    };
    let lines: Vec<VmLine> = plan.vms.iter().enumerate().map(|(at, vm)| line(&plan, &modules, at, vm)).collect();
    if options.json {
        return Ok(serde_json::to_string(&lines)? + "\n");
    }
    Ok(table(&lines))
}

/// The default system before it has a program.
fn devices_only() -> Plan {
    let mut plan = bootstrapper::plan::default_plan("program", &[]);
    plan.vms.retain(|vm| matches!(vm.kind, Kind::Device(_)));
    plan
}

fn line(plan: &Plan, modules: &[Loaded], at: usize, vm: &Vm) -> VmLine {
    let kind = match vm.kind {
        Kind::Device(_) => "device",
        Kind::Module(_) => "program",
    };
    let paths: Vec<String> = system::executes(vm, modules).into_iter().map(InstructionSet::path).collect();
    let executes = (!paths.is_empty()).then(|| paths.join(" "));
    let grants = vm.grants.iter().filter_map(|grant| Some(shown(&plan.vms.get(grant.to as usize)?.name, grant)));
    VmLine {
        name: vm.name.clone(),
        kind,
        executes,
        memory_bytes: vm.memory_bytes,
        turn_ms: vm.turn_ms,
        main: at == plan.main as usize,
        grants: grants.collect(),
        notes: notes(plan, vm),
    }
}

/// A grant as `--grant` reads it.
fn shown(target: &str, grant: &Grant) -> String {
    let names = match &grant.what {
        What::All => &[][..],
        What::Only(names) => names,
    };
    let parts: Vec<String> = names.iter().cloned().chain(grant.limits.iter().map(Limit::to_string)).collect();
    if parts.is_empty() { target.to_string() } else { format!("{target}={}", parts.join(",")) }
}

/// What a manifest says of a VM that is not said of all.
fn notes(plan: &Plan, vm: &Vm) -> Vec<String> {
    let default = bootstrapper::plan::vm("", vm.kind);
    let mut notes = Vec::new();
    let below: Vec<&str> =
        vm.on.iter().filter_map(|on| plan.vms.get(*on as usize)).map(|vm| vm.name.as_str()).collect();
    if !below.is_empty() {
        notes.push(format!("stands on {}", below.join(", ")));
    }
    if vm.priority != default.priority {
        notes.push(format!("priority {}", format!("{:?}", vm.priority).to_lowercase()));
    }
    if vm.bounds != default.bounds {
        notes.push(format!("bounds {}", vm.bounds));
    }
    if let Some(ms) = vm.call_ms {
        notes.push(format!("calls {ms} ms at most"));
    }
    if let Some(sees) = &vm.sees {
        notes.push(format!("sees {}", if sees.is_empty() { "nobody".to_string() } else { sees.join(", ") }));
    }
    if vm.restart != default.restart {
        notes.push(restarts(&vm.restart));
    }
    if vm.programs != default.programs {
        let Programs { ms, memory_bytes } = vm.programs;
        notes.push(format!("programs {ms} ms, {} MiB", memory_bytes.div_ceil(1 << 20)));
    }
    notes.extend(vm.wasi.dirs.iter().map(folder));
    if !vm.wasi.env.is_empty() {
        let names: Vec<&str> = vm.wasi.env.iter().map(|variable| variable.name.as_str()).collect();
        notes.push(format!("environment {}", names.join(" ")));
    }
    notes
}

/// A directory as `--dir` reads it.
fn folder(dir: &Dir) -> String {
    let place = match &dir.place {
        Place::Host(folder) => folder.as_str(),
        Place::Memory(_) => ":memory:",
    };
    format!("--dir {place}={}{}", dir.guest, if dir.read_only { ":ro" } else { "" })
}

fn restarts(restart: &Restart) -> String {
    let when = match restart.policy {
        RestartWhen::Never => return "never restarted".to_string(),
        RestartWhen::OnFault => "after a fault",
        RestartWhen::Always => "always",
    };
    let then = match restart.then {
        Escalation::Stop => "stops",
        Escalation::HaltSystem => "halts the system",
    };
    let keeps = if restart.keep_clients { ", keeps its clients" } else { "" };
    format!("restarted {when}, {} times in {} ms, then {then}{keeps}", restart.limit, restart.within_ms)
}

fn table(lines: &[VmLine]) -> String {
    let mut text =
        format!("{:<16} {:<8} {:<24} {:>8} {:>8}  may send to\n", "VM", "kind", "executes", "memory", "turn");
    for vm in lines {
        let executes = vm.executes.as_deref().unwrap_or("-");
        let memory = format!("{} MiB", vm.memory_bytes.div_ceil(1 << 20));
        let turn = format!("{} ms", vm.turn_ms);
        let grants = if vm.grants.is_empty() { "-".to_string() } else { vm.grants.join(" ") };
        let mark = if vm.main { "*" } else { "" };
        let name = format!("{}{mark}", vm.name);
        let _ = writeln!(text, "{name:<16} {:<8} {executes:<24} {memory:>8} {turn:>8}  {grants}", vm.kind);
        if !vm.notes.is_empty() {
            let _ = writeln!(text, "{:<16} {}", "", vm.notes.join("; "));
        }
    }
    if lines.iter().any(|vm| vm.main) {
        text.push_str("\n* the program: the system ends with it\n");
    } else {
        text.push_str("\nWith a program's file: cascade vms samples/hello.il\n");
    }
    text
}
