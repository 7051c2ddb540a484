//! `cascade describe`, `cascade vms`: what there is, printed from the one declaration of each.

use std::fmt::Write;

use anyhow::bail;
use bootstrapper::plan::{Kind, Plan, Vm, What};
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
    let (kind, executes) = match vm.kind {
        Kind::Device(device) => ("device", Some(device.instruction_set().path())),
        Kind::Module(index) => ("program", modules.get(index as usize).and_then(provides)),
    };
    let grants = vm.grants.iter().filter_map(|grant| {
        let target = plan.vms.get(grant.to as usize)?;
        Some(match &grant.what {
            What::All => target.name.clone(),
            What::Only(names) => format!("{}={}", target.name, names.join(",")),
        })
    });
    VmLine {
        name: vm.name.clone(),
        kind,
        executes,
        memory_bytes: vm.memory_bytes,
        turn_ms: vm.turn_ms,
        main: at == plan.main as usize,
        grants: grants.collect(),
    }
}

fn provides(loaded: &Loaded) -> Option<String> {
    let module = &loaded.module;
    let sets = module.provides.iter().filter_map(|provides| module.isas.get(provides.isa.index()));
    let paths: Vec<String> = sets.map(|set| set.path()).collect();
    (!paths.is_empty()).then(|| paths.join(" "))
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
    }
    if lines.iter().any(|vm| vm.main) {
        text.push_str("\n* the program: the system ends with it\n");
    } else {
        text.push_str("\nWith a program's file: cascade vms samples/hello.il\n");
    }
    text
}
