//! From a plan and modules to a running system, and to its end.
//!
//! ```text
//! modules --decode--> --verify--> --compile--> programs --+
//! backends ---------> device VMs -------------------------+--> handshakes --> run --> Ended
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use basevm::engine::{PlatformRef, Program};
use basevm::system::{
    EndReason, Escalation, Fate, Grants, Loader, Priority, ProgramBounds, Restart, RestartPolicy, System,
    SystemOptions, TableSizes, VmInfo, VmKind, VmOptions,
};

use crate::bundle::Run;
use crate::control::RunEnd;
use crate::devices::{Devices, add_devices, inject};
use crate::load::ModuleLoader;
use crate::plan::{self, Clock, Kind, Plan, Vm, What};
use crate::record::Record;

const NANOS_PER_MS: u64 = 1_000_000;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// The exit code, and what the run left behind.
    pub end: RunEnd,
    /// Fault reports and load errors, in order; each may have several lines. Already logged.
    pub faults: Vec<String>,
}

/// Why a module cannot become a VM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadError {
    /// The VM.
    pub vm: String,
    /// At which step, and what went wrong.
    pub why: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VM `{}` cannot be started: {}", self.vm, self.why)
    }
}

impl core::error::Error for LoadError {}

/// Runs one system to its end. `started` gets the system while it is still empty: to take the handle that stops it from outside, to
/// observe it.
pub fn boot(
    platform: PlatformRef,
    devices: Devices,
    run: &Run,
    verbose: bool,
    started: &mut dyn FnMut(&mut System),
) -> Ended {
    let plan = &run.plan;
    let options = SystemOptions {
        virtual_clock: plan.clock == Clock::Virtual,
        timeout: plan.limits.timeout_ms.map(|ms| ms.saturating_mul(1_000_000)),
        verbose,
    };
    let mut system = System::new(platform, options);
    system.declare(isa::ALL);
    started(&mut system);
    let record = Record::new(plan.display, plan.limits, system.stop_handle());
    let mut faults = Vec::new();
    let mut load_failed = false;
    let mut fail = |error: &dyn fmt::Display| {
        platform.log(format_args!("{error}"));
        faults.push(error.to_string());
    };
    let mut loader = ModuleLoader::new(platform, plan.engine);
    match load_all(&mut loader, run) {
        Ok(programs) => {
            system.set_loader(Box::new(loader));
            add_devices(&mut system, plan, devices, &record, &mut fail);
            load_failed |= add_programs(&mut system, plan, programs, &mut fail);
        }
        Err(error) => {
            fail(&error);
            load_failed = true;
        }
    }
    let reason = if load_failed { EndReason::Refused } else { system.run().reason };
    system.stop_observing(reason.code());
    faults.extend(fates(&system));
    if plan.vms.iter().any(|vm| vm.faults.is_some()) {
        platform.log(format_args!("left at the end: {}", left(&mut system)));
    }
    let (console_hash, console_bytes) = record.console();
    let (frames, frame_hash) = record.frames();
    let end = RunEnd { code: reason.code(), console_hash, frame_hash, frames, console_bytes };
    Ended { reason, end, faults }
}

/// What a run has left in the base's tables, and in the device VMs: to see whether injected faults leave more.
fn left(system: &mut System) -> String {
    let TableSizes { vms, channels, timers, names, subscriptions, rights } = system.table_sizes();
    let bytes: u64 = system.list().iter().filter(|vm| vm.kind == VmKind::Rust).map(|vm| vm.memory_used).sum();
    format!(
        "{vms} VMs, {channels} channels, {timers} timers, {names} names, {subscriptions} subscriptions, {rights} rights, \
         {bytes} bytes of devices"
    )
}

/// The programs of a run's modules, in the order of the plan: (index of the VM, its program).
fn load_all(loader: &mut dyn Loader, run: &Run) -> Result<Vec<(usize, Arc<Program>)>, LoadError> {
    let error = |why: String| LoadError { vm: String::new(), why };
    run.plan.validate(run.modules.len()).map_err(|why| error(format!("plan: {why}")))?;
    let mut list = Vec::new();
    for (index, vm) in run.plan.vms.iter().enumerate() {
        let Kind::Module(module) = vm.kind else { continue };
        let at = |why: String| LoadError { vm: vm.name.clone(), why };
        let bytes = run.modules.get(module as usize).ok_or_else(|| at("plan: its module is missing".to_string()))?;
        list.push((index, loader.load(bytes, vm.bounds).map_err(at)?));
    }
    Ok(list)
}

/// What the plan says about a VM, for the base.
pub(crate) fn options(plan: &Plan, index: usize, vm: &Vm) -> VmOptions {
    let mut grants = Grants::none();
    for grant in &vm.grants {
        let Some(target) = plan.vms.get(grant.to as usize) else { continue };
        let limits = grant.limits.iter().map(Into::into).collect();
        grants = match &grant.what {
            What::All => grants.allow_limited(&target.name, None, limits),
            What::Only(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                grants.allow_limited(&target.name, Some(&names), limits)
            }
        };
    }
    VmOptions {
        name: vm.name.clone(),
        grants,
        memory_bytes: vm.memory_bytes,
        bounds: vm.bounds,
        turn_ms: Some(vm.turn_ms.into()),
        call_deadline: vm.call_ms.map(|ms| u64::from(ms) * NANOS_PER_MS),
        priority: priority(vm.priority),
        sees: vm.sees.clone(),
        on: vm.on.iter().filter_map(|on| plan.vms.get(*on as usize)).map(|vm| vm.name.clone()).collect(),
        restart: restart(vm.restart),
        programs: ProgramBounds {
            time: u64::from(vm.programs.ms) * NANOS_PER_MS,
            memory_bytes: vm.programs.memory_bytes,
        },
        is_main: index == plan.main as usize,
        mark: Some(index as u32),
        ..VmOptions::default()
    }
}

fn priority(priority: plan::Priority) -> Priority {
    match priority {
        plan::Priority::Low => Priority::Low,
        plan::Priority::Normal => Priority::Normal,
        plan::Priority::High => Priority::High,
    }
}

fn restart(restart: plan::Restart) -> RestartPolicy {
    RestartPolicy {
        when: match restart.policy {
            plan::RestartWhen::Never => Restart::Never,
            plan::RestartWhen::OnFault => Restart::OnFault,
            plan::RestartWhen::Always => Restart::Always,
        },
        backoff: u64::from(restart.backoff_ms) * NANOS_PER_MS,
        limit: restart.limit,
        within: u64::from(restart.within_ms) * NANOS_PER_MS,
        then: match restart.then {
            plan::Escalation::Stop => Escalation::Stop,
            plan::Escalation::HaltSystem => Escalation::HaltSystem,
        },
        keep_clients: restart.keep_clients,
    }
}

/// Returns whether the main program was refused.
fn add_programs(
    system: &mut System,
    plan: &Plan,
    programs: Vec<(usize, Arc<Program>)>,
    fail: &mut dyn FnMut(&dyn fmt::Display),
) -> bool {
    let mut main_refused = false;
    for (index, program) in programs {
        let Some(vm) = plan.vms.get(index) else { continue };
        match system.add_program(program, options(plan, index, vm)) {
            Ok(id) => inject(system, id, vm),
            Err(refused) => {
                fail(&refused);
                main_refused |= index == plan.main as usize;
            }
        }
    }
    main_refused
}

/// Why VMs ended before their time, as the base has logged it.
fn fates(system: &System) -> Vec<String> {
    let fate = |info: VmInfo| match system.fate(info.id)? {
        Fate::Returned | Fate::Exited(_) => None,
        Fate::Fault(report) => Some(format!("VM '{}': {report}", info.address)),
        Fate::Refused(refused) => Some(refused.to_string()),
    };
    system.list().into_iter().filter_map(fate).collect()
}
