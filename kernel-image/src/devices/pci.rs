//! PCI: configuration space through ports 0xcf8 and 0xcfc, and the search for a device on all buses. This
//! file contains `unsafe`: a trait of the driver library has an unsafe method.

use virtio_drivers::transport::pci::bus::{BarInfo, Command, ConfigurationAccess, DeviceFunction, PciRoot};

use crate::memory::Phys;
use crate::port::{read32, write32};

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;
const INTERRUPT_LINE: u8 = 0x3c;

/// Configuration space by ports.
pub struct Ports;

fn select(function: DeviceFunction, offset: u8) {
    let address = u32::from(function.bus) << 16 | u32::from(function.device) << 11 | u32::from(function.function) << 8;
    write32(ADDRESS, ENABLE | address | u32::from(offset & 0xfc));
}

impl ConfigurationAccess for Ports {
    fn read_word(&self, function: DeviceFunction, offset: u8) -> u32 {
        select(function, offset);
        read32(DATA)
    }

    fn write_word(&mut self, function: DeviceFunction, offset: u8, data: u32) {
        select(function, offset);
        write32(DATA, data);
    }

    unsafe fn unsafe_clone(&self) -> Ports {
        Ports
    }
}

/// The configuration space.
pub fn root() -> PciRoot<Ports> {
    PciRoot::new(Ports)
}

/// The first device, on any bus, with this vendor and one of these device numbers.
pub fn find(vendor: u16, devices: &[u16]) -> Option<DeviceFunction> {
    let root = root();
    let found = (0..=255).find_map(|bus| {
        root.enumerate_bus(bus).find(|(_, info)| info.vendor_id == vendor && devices.contains(&info.device_id))
    });
    found.map(|(function, _)| function)
}

/// Lets the device answer to memory accesses, and access memory itself.
pub fn enable(function: DeviceFunction) {
    let mut root = root();
    let (_, command) = root.get_status_command(function);
    let wanted = (command | Command::MEMORY_SPACE | Command::BUS_MASTER) - Command::INTERRUPT_DISABLE;
    root.set_command(function, wanted);
}

/// The 8259 line that firmware has wired the device's interrupt to.
pub fn interrupt_line(function: DeviceFunction) -> u8 {
    Ports.read_word(function, INTERRUPT_LINE) as u8
}

/// Address and length of a memory BAR.
pub fn memory_bar(function: DeviceFunction, bar: u8) -> Option<(Phys, u64)> {
    let info: BarInfo = root().bar_info(function, bar).ok()??;
    let (address, bytes) = info.memory_address_size()?;
    (address != 0 && bytes != 0).then_some((Phys(address), bytes))
}
