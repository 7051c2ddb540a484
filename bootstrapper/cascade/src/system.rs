//! From options to a runnable system: modules loaded, plan made, grants applied and checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use bootstrapper::bundle::Run;
use bootstrapper::plan::{self, Device, Grant, Kind, Plan, Vm, What};
use il::isa::InstructionSet;

use crate::cli::{CommonOptions, DirOption, EnvOption, GrantOption, Inject, OnOption, SystemOptions};
use crate::keys::{self, TimedKey};
use crate::manifest::{self, Manifest};
use crate::modules::{self, Loaded};

/// A system that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// Plan and module bytes.
    pub run: Run,
    /// The modules, in the plan's order.
    pub modules: Vec<Loaded>,
    /// Keys to press.
    pub script: Vec<TimedKey>,
}

impl Prepared {
    /// The program's module.
    ///
    /// # Errors
    /// Never for a prepared system; a plan without a program is refused before.
    pub fn main_module(&self) -> anyhow::Result<&Loaded> {
        let main = self.run.plan.main_vm().context("the plan has no program")?;
        let Kind::Module(index) = main.kind else { bail!("the main VM is not a program") };
        self.modules.get(index as usize).context("the program's module is missing")
    }

    /// The bound on real time, if any.
    pub fn timeout(&self) -> Option<Duration> {
        self.run.plan.limits.timeout_ms.map(Duration::from_millis)
    }
}

/// Prepares what `run` or `boot` was asked for: one system, or one for each line of a batch list.
///
/// # Errors
/// Anything that keeps a system from starting, in words for its user.
pub fn prepare_all(options: &CommonOptions) -> anyhow::Result<Vec<Prepared>> {
    let Some(list) = &options.batch else { return Ok(vec![prepare(options)?]) };
    let text = std::fs::read_to_string(list)
        .with_context(|| format!("cannot read the list `{}`: one module path a line", list.display()))?;
    let files = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    files
        .map(|file| {
            let mut one = options.clone();
            one.system.file = Some(file.into());
            prepare(&one)
        })
        .collect()
}

/// Prepares one system.
///
/// # Errors
/// As [`prepare_all`].
pub fn prepare(options: &CommonOptions) -> anyhow::Result<Prepared> {
    let (mut plan, modules) = assemble(&options.system)?;
    apply(&mut plan, options)?;
    let script = match &options.keys {
        Some(file) => keys::read(file)?,
        None => Vec::new(),
    };
    plan.validate(modules.len())?;
    let bytes = modules.iter().map(|loaded| loaded.bytes.clone()).collect();
    let run = Run { plan, modules: bytes, key_events: script.len() as u32 };
    Ok(Prepared { run, modules, script })
}

/// Makes the plan and loads its modules.
///
/// # Errors
/// As [`prepare_all`].
pub fn assemble(options: &SystemOptions) -> anyhow::Result<(Plan, Vec<Loaded>)> {
    let (mut plan, modules) = match &options.system {
        Some(path) => from_manifest(path, options)?,
        None => by_default(options)?,
    };
    add_grants(&mut plan, &options.grant, options.system.is_some())?;
    for on in &options.on {
        stand(&mut plan, on)?;
    }
    grant_wasi(&mut plan, &modules, options)?;
    check_layers(&plan, &modules)?;
    check_module_grants(&plan, &modules)?;
    for inject in &options.inject {
        inject_fault(&mut plan, inject)?;
    }
    Ok((plan, modules))
}

/// Applies `--dir`, `--env`, `--seed` and what follows `--`; before a program's arguments comes its file's name.
fn grant_wasi(plan: &mut Plan, modules: &[Loaded], options: &SystemOptions) -> anyhow::Result<()> {
    plan.seed = options.seed.or(plan.seed);
    let main = plan.main as usize;
    let program = plan.vms.get_mut(main).context("the plan has no program")?;
    if !options.args.is_empty() {
        program.wasi.args.clone_from(&options.args);
    }
    for EnvOption(variable) in &options.env {
        program.wasi.env.retain(|known| known.name != variable.name);
        program.wasi.env.push(variable.clone());
    }
    for DirOption(dir) in &options.dir {
        program.wasi.dirs.retain(|known| known.guest != dir.guest);
        program.wasi.dirs.push(dir.clone());
    }
    for vm in &mut plan.vms {
        let Kind::Module(index) = vm.kind else { continue };
        let stem = modules.get(index as usize).and_then(|loaded| loaded.path.file_stem());
        vm.wasi.args.insert(0, stem.map_or_else(|| vm.name.clone(), |stem| stem.to_string_lossy().into_owned()));
    }
    Ok(())
}

/// Applies `--on`.
fn stand(plan: &mut Plan, on: &OnOption) -> anyhow::Result<()> {
    let find = |plan: &Plan, name: &str| {
        let known = || plan.vms.iter().map(|vm| vm.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = plan.find(name).map(|(index, _)| index);
        found
            .with_context(|| format!("--on {}={}: there is no VM `{name}`; there are: {}", on.upper, on.lower, known()))
    };
    let (upper, lower) = (find(plan, &on.upper)?, find(plan, &on.lower)?);
    if let Some(vm) = plan.vms.get_mut(upper as usize) {
        vm.stand_on(lower);
    }
    plan.validate_layers().map_err(|why| anyhow::anyhow!("--on {}={}: {why}", on.upper, on.lower))
}

/// Whether each VM that stands on another one executes the same set.
fn check_layers(plan: &Plan, modules: &[Loaded]) -> anyhow::Result<()> {
    for vm in &plan.vms {
        for lower in vm.on.iter().filter_map(|lower| plan.vms.get(*lower as usize)) {
            let (wanted, own) = (executes(lower, modules), executes(vm, modules));
            if wanted.is_empty() {
                bail!("`{}` stands on `{}`, which executes no instructions for others", vm.name, lower.name);
            }
            let missing = wanted.iter().map(|set| set.path()).find(|path| own.iter().all(|own| own.path() != *path));
            if let Some(path) = missing {
                bail!(
                    "`{}` stands on `{}`, but does not execute {path}: let its module have `provides {path}`, or take `on` away",
                    vm.name,
                    lower.name
                );
            }
        }
    }
    Ok(())
}

/// The sets that a VM executes.
pub fn executes<'a>(vm: &Vm, modules: &'a [Loaded]) -> Vec<&'a InstructionSet> {
    match vm.kind {
        Kind::Device(device) => vec![device.instruction_set()],
        Kind::Module(index) => {
            let Some(loaded) = modules.get(index as usize) else { return Vec::new() };
            let module = &loaded.module;
            module.provides.iter().filter_map(|provides| module.isas.get(provides.isa.index())).collect()
        }
    }
}

/// Makes a device VM panic at one of its instructions, or ends a VM by faults.
fn inject_fault(plan: &mut Plan, inject: &Inject) -> anyhow::Result<()> {
    let (Inject::Panic { vm: name, .. } | Inject::Faults { vm: name, .. }) = inject;
    let Some(vm) = plan.vms.iter_mut().find(|vm| vm.name == *name) else {
        bail!("--inject: there is no VM `{name}`\n  `cascade vms` lists them");
    };
    match (inject, vm.kind) {
        (_, Kind::Device(Device::Directory | Device::System)) => {
            bail!("--inject: `{name}` is a part of the base, which has no faults of its own")
        }
        (Inject::Faults { faults, .. }, _) => vm.faults = Some(*faults),
        (Inject::Panic { .. }, Kind::Module(_)) => {
            bail!("--inject: `{name}` is a program, which does not panic: `{name}=every:N,times:M` ends it by a trap")
        }
        (Inject::Panic { instruction, .. }, Kind::Device(device)) => {
            let Some(known) = device.instruction_set().instruction_named(instruction) else {
                bail!("--inject: `{name}` has no instruction `{instruction}`\n  `cascade describe {name}` lists them");
            };
            vm.panic_on = Some(known.opcode);
        }
    }
    Ok(())
}

fn by_default(options: &SystemOptions) -> anyhow::Result<(Plan, Vec<Loaded>)> {
    let Some(file) = &options.file else {
        bail!("no program given\n  try: cascade run samples/hello.il, or cascade run --system system.toml");
    };
    let program = modules::load_with(file, &options.with)?;
    let plugs: Vec<&str> = options.plug.iter().map(|plug| plug.name.as_str()).collect();
    let name = program.module.name.rsplit('.').next().unwrap_or("program").to_string();
    let plan = plan::default_plan(&name, &plugs);
    let mut modules = vec![program];
    for plug in &options.plug {
        modules.push(modules::load(&plug.file).with_context(|| format!("--plug {}", plug.name))?);
    }
    Ok((plan, modules))
}

fn from_manifest(path: &Path, options: &SystemOptions) -> anyhow::Result<(Plan, Vec<Loaded>)> {
    let plugs: Vec<(String, PathBuf)> =
        options.plug.iter().map(|plug| (plug.name.clone(), plug.file.clone())).collect();
    let manifest = manifest::read(path, options.file.as_deref(), &plugs)?;
    let load = |file: &PathBuf| {
        let is_program = options.file.as_ref() == Some(file);
        modules::load_with(file, if is_program { &options.with } else { &[] })
    };
    let modules = manifest.modules.iter().map(load).collect::<anyhow::Result<Vec<Loaded>>>()?;
    check_manifest_grants(&manifest, &modules)?;
    Ok((manifest.plan, modules))
}

/// Grants on VMs written in IL can be checked once their modules are known; errors show the place.
fn check_manifest_grants(manifest: &Manifest, modules: &[Loaded]) -> anyhow::Result<()> {
    for (from, vm) in manifest.plan.vms.iter().enumerate() {
        for grant in &vm.grants {
            check_grant(&manifest.plan, modules, grant)
                .map_err(|why| manifest.grant_error(from as u32, grant.to, why.to_string()))?;
        }
    }
    Ok(())
}

fn check_module_grants(plan: &Plan, modules: &[Loaded]) -> anyhow::Result<()> {
    let mut grants = plan.vms.iter().flat_map(|vm| &vm.grants);
    grants.try_for_each(|grant| check_grant(plan, modules, grant))
}

/// Whether the target executes every instruction that the grant names.
fn check_grant(plan: &Plan, modules: &[Loaded], grant: &Grant) -> anyhow::Result<()> {
    let target = plan.vms.get(grant.to as usize).context("a grant to a VM that does not exist")?;
    if grant.what == What::All && grant.limits.is_empty() {
        return Ok(());
    }
    let sets = executes(target, modules);
    if sets.is_empty() {
        bail!("`{}` executes no instructions for others: its module has no `provides`", target.name);
    }
    let check = |set: &InstructionSet| -> anyhow::Result<()> {
        // What instructions touch is declared with the built-in sets, whoever executes them.
        let declared = isa::ALL.iter().copied().find(|declared| declared.path() == set.path()).unwrap_or(set);
        plan::check_grant_names(&target.name, set, &grant.what)?;
        plan::check_grant_limits(&target.name, declared, &grant.limits)?;
        Ok(())
    };
    // Of several sets, one that has all of it is enough.
    let checked: anyhow::Result<Vec<()>> = sets.iter().copied().map(check).collect();
    if checked.is_err() && !sets.iter().any(|set| check(set).is_ok()) {
        checked?;
    }
    Ok(())
}

/// Applies `--grant`: added to a manifest's grants, or narrowing the default of everything.
fn add_grants(plan: &mut Plan, options: &[GrantOption], has_manifest: bool) -> anyhow::Result<()> {
    if options.is_empty() {
        return Ok(());
    }
    let mut grants = Vec::new();
    for option in options {
        let Some((to, _)) = plan.find(&option.to) else {
            let known: Vec<&str> = plan.vms.iter().map(|vm| vm.name.as_str()).collect();
            bail!("--grant {}: there is no such VM; there are: {}", option.to, known.join(", "));
        };
        let what = option.names.clone().map_or(What::All, What::Only);
        grants.push(Grant { to, what, limits: option.limits.clone() });
    }
    let main = plan.main as usize;
    let program = plan.vms.get_mut(main).context("the plan has no program")?;
    if !has_manifest {
        program.grants.clear();
    }
    grants.into_iter().for_each(|grant| merge(&mut program.grants, grant));
    Ok(())
}

/// One grant a target and limits: a further one widens it.
fn merge(grants: &mut Vec<Grant>, new: Grant) {
    let same = |old: &&mut Grant| old.to == new.to && old.limits == new.limits;
    let Some(old) = grants.iter_mut().find(same) else { return grants.push(new) };
    match (&mut old.what, new.what) {
        (What::Only(names), What::Only(more)) => {
            let missing: Vec<String> = more.into_iter().filter(|name| !names.contains(name)).collect();
            names.extend(missing);
        }
        (what, What::All) => *what = What::All,
        (What::All, What::Only(_)) => {}
    }
}

fn apply(plan: &mut Plan, options: &CommonOptions) -> anyhow::Result<()> {
    if let Some(clock) = options.clock {
        plan.clock = clock.into();
    }
    plan.engine = options.engine.into();
    if let Some(bounds) = options.bounds {
        let programs = plan.vms.iter_mut().filter(|vm| matches!(vm.kind, Kind::Module(_)));
        programs.for_each(|vm| vm.bounds = bounds);
    }
    if let Some(size) = options.size {
        plan.display = size.0;
    }
    if let Some(seconds) = options.timeout {
        if !(seconds.is_finite() && (0.001..=1e9).contains(&seconds)) {
            bail!("--timeout {seconds}: give a number of seconds, e.g. --timeout 10");
        }
        plan.limits.timeout_ms = Some((seconds * 1e3) as u64);
    }
    if options.until_frame == Some(0) {
        bail!("--until-frame 0: frames count from 1");
    }
    plan.limits.until_frame = options.until_frame;
    Ok(())
}

#[cfg(test)]
mod tests {
    use basevm::system::Loader;
    use bootstrapper::ModuleLoader;
    use compiler::Bounds;

    use super::*;
    use crate::platform::{HostedOptions, HostedPlatform};

    fn grants_after(options: &[&str], has_manifest: bool) -> Vec<(String, What)> {
        let mut plan = plan::default_plan("app", &[]);
        let options: Vec<GrantOption> = options.iter().map(|text| text.parse().unwrap()).collect();
        add_grants(&mut plan, &options, has_manifest).unwrap();
        let name = |grant: &Grant| plan.vms[grant.to as usize].name.clone();
        plan.main_vm().unwrap().grants.iter().map(|grant| (name(grant), grant.what.clone())).collect()
    }

    #[test]
    fn a_plugged_vm_can_stand_on_a_device_and_may_then_use_it() {
        let mut plan = plan::default_plan("app", &["tracer"]);
        let tracer = plan.find("tracer").unwrap().0 as usize;
        plan.vms[tracer].grants.clear();
        let on = |text: &str| text.parse::<OnOption>().unwrap();
        stand(&mut plan, &on("tracer=display")).unwrap();
        let vm = &plan.vms[tracer];
        assert_eq!((&vm.on[..], &vm.grants[..]), (&[1][..], &[Grant::new(1, What::All)][..]));
        let again = stand(&mut plan, &on("tracer=display")).unwrap_err().to_string();
        assert!(again.contains("`on` names `display` twice"), "{again}");
        let unknown = stand(&mut plan, &on("tracer=disply")).unwrap_err().to_string();
        assert!(unknown.contains("there is no VM `disply`; there are: console, display"), "{unknown}");
        assert!(stand(&mut plan, &on("disk=display")).is_err(), "a device sends nothing");
        let silent = check_layers(&plan, &[]).unwrap_err().to_string();
        assert!(silent.contains("let its module have `provides cascade.display@1`"), "{silent}");
    }

    #[test]
    fn bounds_are_chosen_for_programs_and_change_their_code() {
        let bounds = |text: &str| {
            let mut plan = plan::default_plan("app", &["echo"]);
            apply(&mut plan, &CommonOptions { bounds: Some(text.parse().unwrap()), ..CommonOptions::default() })
                .unwrap();
            plan.vms.iter().map(|vm| (matches!(vm.kind, Kind::Module(_)), vm.bounds)).collect::<Vec<_>>()
        };
        let explicit = bounds("explicit").into_iter();
        assert!(explicit.clone().all(|(is_program, bounds)| is_program == (bounds == Bounds::Explicit)));
        assert_eq!(explicit.filter(|(is_program, _)| *is_program).count(), 2);
        assert!(bounds("guard").into_iter().all(|(_, bounds)| bounds == Bounds::Guard));

        let text = "memory 1..1\nexport func main() { store32(load32(0), load32(4)) }";
        let module = il::binary::encode(&il::text::compile("app.il", text, &[]).unwrap());
        let mut loader = ModuleLoader::new(HostedPlatform::leaked(HostedOptions::default()), plan::Engine::Jit);
        let mut load = |bounds| loader.load(&module, bounds).unwrap();
        let [guard, explicit, again] = [Bounds::Guard, Bounds::Explicit, Bounds::Guard].map(&mut load);
        assert!(guard.code_bytes() < explicit.code_bytes(), "comparisons need room");
        assert!(std::sync::Arc::ptr_eq(&guard, &again), "both are remembered");
    }

    #[test]
    fn grants_narrow_the_default_and_widen_a_manifest() {
        // All built-in VMs but `system`.
        assert_eq!(grants_after(&[], false).len(), 8);
        let only = |names: &[&str]| What::Only(names.iter().map(|n| n.to_string()).collect());
        let narrowed = grants_after(&["disk=read", "disk=write", "console"], false);
        assert_eq!(narrowed, [("disk".into(), only(&["read", "write"])), ("console".into(), What::All)]);
        assert_eq!(grants_after(&["disk=read"], true).len(), 8);
        assert_eq!(grants_after(&["disk=read,sectors:0..8", "disk=write"], false).len(), 2, "each with its limits");
    }
}
