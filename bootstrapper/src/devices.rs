//! The built-in VMs of a plan: the devices, over backends that are lent to them, and the base's own.
//! `unsafe`: the promise that a device VM is contained.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use basevm::service::{Service, VmId};
use basevm::system::{Builtin, Contained, Factory, Injection, Refused, System, VmOptions};
use vm_clock::Clock;
use vm_console::{Console, Terminal};
use vm_disk::{BlockDevice, Disk};
use vm_display::{Display, Screen};
use vm_entropy::{Entropy, Seeded, Source};
use vm_keyboard::{KeySource, Keyboard};
use vm_wasi::{Direct, Memory, Tree, Wasi};

use crate::boot::options;
use crate::inject::PanicOn;
use crate::lend::Lender;
use crate::plan::{self, Device, DisplaySize, Kind, Plan, Vm};
use crate::record::{Record, RecordedScreen, RecordedTerminal};
use crate::wasi::{self, Grants};

/// The backends of the device VMs.
pub struct Devices {
    /// Of the display.
    pub screen: Box<dyn Screen>,
    /// Of the keyboard.
    pub keys: Box<dyn KeySource>,
    /// Of the disk.
    pub block: Box<dyn BlockDevice>,
    /// Of the console.
    pub terminal: Box<dyn Terminal>,
    /// The machine's randomness, which a seed replaces.
    pub entropy: Box<dyn Source>,
    /// The folders of the parent OS ([`host_dirs`](crate::wasi::host_dirs)), where there are any.
    pub files: Option<Box<dyn Tree>>,
}

/// Adds what the plan has of built-in VMs. One that is refused is reported; programs that want it are
/// then refused in turn.
pub(crate) fn add_devices(
    system: &mut System,
    plan: &Plan,
    devices: Devices,
    record: &Record,
    fail: &mut dyn FnMut(&dyn fmt::Display),
) {
    let Devices { screen, keys, block, terminal, entropy, files } = devices;
    let screen: Box<dyn Screen> = Box::new(RecordedScreen { inner: screen, record: record.clone() });
    let terminal: Box<dyn Terminal> = Box::new(RecordedTerminal { inner: terminal, record: record.clone() });
    let (screen, keys) = (Lender::new(screen), Lender::new(keys));
    let (block, terminal) = (Lender::new(block), Lender::new(terminal));
    let entropy = Lender::new(entropy);
    let seed = plan.seed;
    let Grants { list: granted, memory } = wasi::granted(plan).unwrap_or_else(|why| {
        fail(&why);
        Grants { list: Vec::new(), memory: Box::new(Direct::new(Memory::new())) }
    });
    let trees: Vec<Lender<dyn Tree>> = [Some(memory), files].into_iter().flatten().map(Lender::new).collect();
    let DisplaySize { width, height } = plan.display;
    let services: [(Device, Factory); 7] = [
        (Device::Console, Box::new(move || Box::new(Console::new(terminal.terminal())))),
        (Device::Display, Box::new(move || Box::new(Display::new(screen.screen(), width, height)))),
        (Device::Keyboard, Box::new(move || Box::new(Keyboard::new(keys.keys())))),
        (Device::Disk, Box::new(move || Box::new(Disk::new(block.block())))),
        (Device::Clock, Box::new(|| Box::new(Clock::new()))),
        (
            Device::Entropy,
            Box::new(move || match seed {
                Some(seed) => Box::new(Entropy::new(Box::new(Seeded::new(seed)))),
                None => Box::new(Entropy::new(entropy.source())),
            }),
        ),
        (
            Device::Wasi,
            Box::new(move || Box::new(Wasi::new(granted.clone(), trees.iter().map(Lender::tree).collect()))),
        ),
    ];
    let mut check = |added: Result<(), Refused>| added.unwrap_or_else(|refused| fail(&refused));
    // They come first, so that they hear of the others.
    for (device, builtin) in [(Device::Directory, Builtin::Directory), (Device::System, Builtin::System)] {
        check(add_builtin(system, plan, device, builtin));
    }
    for (device, make) in services {
        check(add_service(system, plan, device, make));
    }
}

/// What the plan says about a built-in VM, unless another VM stands in its place.
fn planned(plan: &Plan, device: Device) -> Option<(&Vm, VmOptions)> {
    let (index, vm) = plan.vms.iter().enumerate().find(|(_, vm)| vm.kind == Kind::Device(device))?;
    Some((vm, options(plan, index, vm)))
}

fn add_builtin(system: &mut System, plan: &Plan, device: Device, builtin: Builtin) -> Result<(), Refused> {
    let Some((_, options)) = planned(plan, device) else { return Ok(()) };
    system.add_builtin(builtin, device.instruction_set(), options).map(drop)
}

fn add_service(system: &mut System, plan: &Plan, device: Device, mut make: Factory) -> Result<(), Refused> {
    let Some((vm, options)) = planned(plan, device) else { return Ok(()) };
    let panic_on = vm.panic_on;
    let make = move || -> Box<dyn Service> {
        match panic_on {
            Some(opcode) => Box::new(PanicOn { inner: make(), opcode }),
            None => make(),
        }
    };
    // SAFETY: device VMs keep what they allocate to themselves: they have no statics and no threads, what a backend
    // keeps it allocates in an arena of its own, and buffers are let go of before a backend gets them.
    let contained = unsafe { Contained::promise() };
    let id = system.add_service_with(Box::new(make), Some(contained), options)?;
    inject(system, id, vm);
    Ok(())
}

/// Injects the faults that the plan asks for.
pub(crate) fn inject(system: &mut System, id: VmId, vm: &Vm) {
    if let Some(plan::Faults { every, times }) = vm.faults {
        system.inject(id, Injection { every, times });
    }
}
