//! IL from text to a running instance or system, for the measurements.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, anyhow, bail};
use basevm::buf::Account;
use basevm::engine::{DEFAULT_STACK_BYTES, Instance, Program, Step};
use basevm::heap::Config;
use basevm::platform::Platform;
use basevm::system::{Grants, System, SystemOptions, VmOptions};
use cascade::platform::{HostedOptions, HostedPlatform};
use compiler::Options;
use il::VerifiedModule;

/// What a measured VM may hold: the collector's largest live set, several times.
const QUOTA_BYTES: u64 = 4 << 30;

/// The hosted platform, one for the whole run.
pub fn platform() -> &'static HostedPlatform {
    static PLATFORM: std::sync::OnceLock<&'static HostedPlatform> = std::sync::OnceLock::new();
    PLATFORM.get_or_init(|| HostedPlatform::leaked(HostedOptions::default()))
}

/// Compiles text as far as the verifier.
pub fn verified(text: &str) -> Result<VerifiedModule> {
    let module = il::text::compile("bench.il", text, isa::ALL).map_err(|errors| anyhow!("{errors}"))?;
    il::verify(module).map_err(|error| anyhow!("{error}"))
}

/// Compiles text to machine code, ready to run.
pub fn program(text: &str) -> Result<Arc<Program>> {
    program_with(text, &Options::detect())
}

/// The same with these options.
pub fn program_with(text: &str, options: &Options) -> Result<Arc<Program>> {
    let module = verified(text)?;
    let compiled = compiler::compile(&module, options).map_err(|error| anyhow!("{error}"))?;
    Program::load(platform(), module, compiled).map_err(|error| anyhow!("{error}"))
}

/// Runs `main` of a program that needs nobody; packets that it sends are dropped unread.
pub fn run_alone(program: &Arc<Program>) -> Result<()> {
    run_counting_pauses(program, "main", &[]).map(drop)
}

/// Runs an exported function in a VM of its own that needs nobody: its results in packet form, and how long the VM
/// stood still for each collection, in nanoseconds.
pub fn run_counting_pauses(program: &Arc<Program>, name: &str, words: &[u64]) -> Result<(Vec<u64>, Vec<u64>)> {
    let mut instance = instance_alone(program)?;
    let words = drive(program, &mut instance, name, words)?;
    Ok((words, instance.take_pauses()))
}

/// A VM that needs nobody.
pub fn instance_alone(program: &Arc<Program>) -> Result<Instance> {
    let account = Account::new(QUOTA_BYTES);
    let heap = Config { keep_pauses: true, ..Config::with_clock(platform()) };
    let instance = Instance::with_heap(platform(), program.clone(), account, DEFAULT_STACK_BYTES, heap);
    let mut instance = instance.map_err(|e| anyhow!("{e}"))?;
    for slot in 0..instance.slots() {
        instance.open_slot(slot, 0, 0);
    }
    Ok(instance)
}

/// Runs an exported function of a VM that needs nobody: its results in packet form.
pub fn drive(program: &Arc<Program>, instance: &mut Instance, name: &str, words: &[u64]) -> Result<Vec<u64>> {
    let func = program.module().export(name).with_context(|| format!("no `{name}`"))?;
    let mut step = instance.enter(func, words, &mut []).map_err(|status| anyhow!("{status}"))?;
    loop {
        step = match step {
            Step::Done(reply) => return Ok(reply.words),
            Step::Yield => {
                platform().interrupt_word().store(0, Ordering::Relaxed);
                instance.resume(0)
            }
            Step::Room { slot, .. } => {
                let packet = instance.take_packet(slot);
                instance.recycle(slot, packet);
                instance.resume(0)
            }
            other => bail!("unexpected {other:?}"),
        };
    }
}

/// A system in which `main` runs to its end, with these other VMs.
pub fn run_system(
    others: Vec<(&str, Arc<Program>)>,
    sink: Option<crate::emission::Sink>,
    main: Arc<Program>,
) -> Result<()> {
    let mut system = System::new(platform(), SystemOptions::default());
    if let Some(sink) = sink {
        system.add_service(Box::new(sink), VmOptions::named("sink", Grants::none())).map_err(|e| anyhow!("{e}"))?;
    }
    for (name, program) in others {
        system.add_program(program, VmOptions::named(name, Grants::all())).map_err(|e| anyhow!("{e}"))?;
    }
    system.add_program(main, VmOptions::main("main", Grants::all())).map_err(|e| anyhow!("{e}"))?;
    let ended = system.run();
    if ended.code != 0 {
        bail!("the system ended with {ended:?}");
    }
    Ok(())
}
