//! The virtio block device over PCI: several requests in flight, each buffer used by the device where it lies.
//! This file contains `unsafe`: memory is shared with the device.
//!
//! Layouts: virtio 1.2, 5.2 (block device): a 16-byte header, the data, a status byte.
//!
//! Invariants: a buffer lent to the device, its header and its status byte belong to this file until the
//! device has given them back or has been reset; nothing is allocated while a request is made; the
//! interrupt's line stays masked from an interrupt until the driver has looked.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use alloc::boxed::Box;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use basevm::buf::Buf;
use basevm::service::Waker;
use il::trap::Status;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::DeviceFunction;
use virtio_drivers::transport::{DeviceStatus, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};
use vm_disk::{BlockDevice, Command, Completion, Lba, RequestId};

use super::pci;
use super::wakers::WakerCell;
use crate::lock::Lock;
use crate::memory::paging::Cache;
use crate::memory::{Phys, map_device, phys_of};
use crate::{control, interrupts};

const VENDOR: u16 = 0x1af4;
const DEVICES: [u16; 2] = [0x1001, 0x1042];
const QUEUE: u16 = 0;
const QUEUE_SIZE: usize = 64;
/// Requests in flight: each takes up to three descriptors of the queue.
const SLOTS: usize = 16;

const FEATURE_READ_ONLY: u64 = 1 << 5;
const FEATURE_FLUSH: u64 = 1 << 9;
const FEATURE_VERSION_1: u64 = 1 << 32;

const READ: u32 = 0;
const WRITE: u32 = 1;
const FLUSH: u32 = 4;
const STATUS_OK: u8 = 0;
const STATUS_PENDING: u8 = 0xff;

static WAKER: WakerCell = WakerCell::new();
static DRIVER: Lock<Option<Driver>> = Lock::new(None);
/// Whether the device's interrupt has no line, so that the tick must look.
static POLLED: AtomicBool = AtomicBool::new(false);

/// How the driver library reaches memory.
struct Machine;

fn pages(count: usize) -> Layout {
    Layout::from_size_align(count * PAGE_SIZE, PAGE_SIZE).expect("a queue's few pages")
}

// SAFETY: the heap lies in the direct map: contiguous, fixed, and its physical address is known.
unsafe impl Hal for Machine {
    fn dma_alloc(count: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // SAFETY: the layout is not empty.
        let memory = NonNull::new(unsafe { alloc_zeroed(pages(count)) }).expect("memory for a disk's queue");
        (physical(memory.as_ptr()), memory)
    }

    unsafe fn dma_dealloc(_address: PhysAddr, memory: NonNull<u8>, count: usize) -> i32 {
        // SAFETY: by contract from `dma_alloc`, with this layout.
        unsafe { dealloc(memory.as_ptr(), pages(count)) };
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, bytes: usize) -> NonNull<u8> {
        NonNull::new(map_device(Phys(address), bytes, Cache::Uncached)).expect("device memory is not at 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        physical(buffer.as_ptr().cast())
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}

fn physical(memory: *mut u8) -> PhysAddr {
    phys_of(memory as usize).expect("only heap memory is given to devices").0
}

/// A request's place: what the device reads and writes beside the buffer.
#[repr(C, align(32))]
struct Slot {
    /// Kind (u32), reserved (u32), sector (u64), little endian.
    header: [u8; 16],
    status: u8,
    request: Option<Request>,
}

struct Request {
    id: RequestId,
    kind: u32,
    token: u16,
    buf: Option<Buf>,
}

struct Driver {
    function: DeviceFunction,
    /// `None` if it did not start again.
    device: Option<Device>,
    slots: Box<[Slot]>,
    /// A flush that a device without a cache need not be asked for.
    finished: Option<RequestId>,
}

/// The device, initialised. The transport stands first: its drop resets the device, then the queue goes.
struct Device {
    transport: PciTransport,
    queue: VirtQueue<Machine, QUEUE_SIZE>,
    sectors: u64,
    features: u64,
}

impl Device {
    fn open(function: DeviceFunction) -> Result<Device, virtio_drivers::Error> {
        let mut transport = PciTransport::new::<Machine, _>(&mut pci::root(), function)
            .map_err(|_| virtio_drivers::Error::Unsupported)?;
        let started = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
        transport.set_status(DeviceStatus::empty());
        transport.set_status(started);
        let features = transport.read_device_features() & (FEATURE_READ_ONLY | FEATURE_FLUSH | FEATURE_VERSION_1);
        transport.write_driver_features(features);
        transport.set_status(started | DeviceStatus::FEATURES_OK);
        if !transport.get_status().contains(DeviceStatus::FEATURES_OK) {
            return Err(virtio_drivers::Error::Unsupported);
        }
        let halves = [transport.read_config_space::<u32>(0)?, transport.read_config_space::<u32>(4)?];
        let sectors = u64::from(halves[0]) | u64::from(halves[1]) << 32;
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false)?;
        transport.set_status(started | DeviceStatus::FEATURES_OK | DeviceStatus::DRIVER_OK);
        Ok(Device { transport, queue, sectors, features })
    }
}

impl Driver {
    /// Resets the device: it gives up all requests, whose buffers are then free.
    fn reset(&mut self) -> Result<(), Status> {
        // Dropping the transport resets the device; it must happen before the next one is opened.
        self.device = None;
        for slot in &mut self.slots {
            slot.request = None;
        }
        self.finished = None;
        self.device = Some(Device::open(self.function).map_err(|_| Status::DeviceError)?);
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.finished.is_some() || self.slots.iter().any(|slot| slot.request.is_some())
    }

    fn submit(&mut self, id: RequestId, command: Command) -> Result<(), Command> {
        let Driver { device: Some(device), slots, finished, .. } = self else { return Err(command) };
        if matches!(command, Command::Flush) && device.features & FEATURE_FLUSH == 0 {
            return finish(finished, id, command);
        }
        let Some(slot) = slots.iter_mut().find(|slot| slot.request.is_none()) else { return Err(command) };
        let (kind, lba, buf) = match command {
            Command::Read(lba, buf) => (READ, lba.0, Some(buf)),
            Command::Write(lba, buf) => (WRITE, lba.0, Some(buf)),
            Command::Flush => (FLUSH, 0, None),
            // Never asked: `can_discard` is false.
            Command::Discard(..) => return Err(command),
        };
        slot.header[..4].copy_from_slice(&kind.to_le_bytes());
        slot.header[8..].copy_from_slice(&lba.to_le_bytes());
        slot.status = STATUS_PENDING;
        slot.request = Some(Request { id, kind, token: 0, buf });
        let added = slot.with_parts(|inputs, outputs| {
            // SAFETY: the parts belong to the slot, which is not touched until the device has answered.
            unsafe { device.queue.add(inputs, outputs) }
        });
        match added {
            Ok(token) => {
                if let Some(request) = &mut slot.request {
                    request.token = token;
                }
                if device.queue.should_notify() {
                    device.transport.notify(QUEUE);
                }
                Ok(())
            }
            Err(_) => {
                let buf = slot.request.take().and_then(|request| request.buf);
                Err(match (kind, buf) {
                    (READ, Some(buf)) => Command::Read(Lba(lba), buf),
                    (WRITE, Some(buf)) => Command::Write(Lba(lba), buf),
                    _ => Command::Flush,
                })
            }
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        let Driver { device: Some(device), slots, finished, .. } = self else { return None };
        if let Some(id) = finished.take() {
            return Some(Completion { id, result: Ok(None) });
        }
        let token = device.queue.peek_used()?;
        let slot = slots.iter_mut().find(|slot| slot.request.as_ref().is_some_and(|request| request.token == token))?;
        let popped = slot.with_parts(|inputs, outputs| {
            // SAFETY: the same parts that were added with this token.
            unsafe { device.queue.pop_used(token, inputs, outputs) }
        });
        let request = slot.request.take()?;
        let fine = popped.is_ok() && slot.status == STATUS_OK;
        Some(Completion { id: request.id, result: if fine { Ok(request.buf) } else { Err(Status::DeviceError) } })
    }
}

fn finish(finished: &mut Option<RequestId>, id: RequestId, command: Command) -> Result<(), Command> {
    if finished.is_some() {
        return Err(command);
    }
    *finished = Some(id);
    WAKER.wake();
    Ok(())
}

impl Slot {
    fn new() -> Slot {
        Slot { header: [0; 16], status: 0, request: None }
    }

    /// Calls `action` with the parts that the device reads, and those that it writes.
    fn with_parts<R>(&mut self, action: impl for<'a> FnOnce(&'a [&'a [u8]], &'a mut [&'a mut [u8]]) -> R) -> R {
        let Slot { header, status, request } = self;
        let status = core::slice::from_mut(status);
        match request {
            Some(Request { kind: READ, buf: Some(buf), .. }) => action(&[header], &mut [buf, status]),
            Some(Request { buf: Some(buf), .. }) => action(&[header, buf], &mut [status]),
            _ => action(&[header], &mut [status]),
        }
    }
}

/// The machine's disk as a block device.
pub struct VirtioDisk {
    sectors: u64,
}

/// Finds the disk and starts it.
pub fn init() {
    let Some(function) = pci::find(VENDOR, &DEVICES) else { return };
    pci::enable(function);
    let device = match Device::open(function) {
        Ok(device) => device,
        Err(why) => return control::log(format_args!("the disk does not start: {why}")),
    };
    let line = pci::interrupt_line(function);
    POLLED.store(!interrupts::set_disk_line(line), Ordering::Relaxed);
    let slots = (0..SLOTS).map(|_| Slot::new()).collect();
    *DRIVER.lock() = Some(Driver { function, device: Some(device), slots, finished: None });
}

impl VirtioDisk {
    /// The machine's disk, if it has one and it starts. Whatever a system before left under way ends here,
    /// outside of all arenas: the device is reset, then the buffers that it had are freed.
    pub fn find() -> Option<VirtioDisk> {
        let mut driver = DRIVER.lock();
        let driver = driver.as_mut()?;
        driver.reset().ok()?;
        driver.device.as_ref().map(|device| VirtioDisk { sectors: device.sectors })
    }
}

impl BlockDevice for VirtioDisk {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        WAKER.set(waker);
        if let Some(driver) = DRIVER.lock().as_mut()
            && driver.is_busy()
        {
            // A VM before left it so: the device gives its buffers up before they are freed.
            driver.reset()?;
        }
        interrupts::reopen_disk_line();
        Ok(())
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn submit(&mut self, id: RequestId, command: Command) -> Result<(), Command> {
        match DRIVER.lock().as_mut() {
            Some(driver) => driver.submit(id, command),
            None => Err(command),
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        let mut driver = DRIVER.lock();
        let driver = driver.as_mut()?;
        driver.device.as_mut()?.transport.ack_interrupt();
        interrupts::reopen_disk_line();
        driver.poll()
    }
}

/// A request may be finished.
pub fn on_interrupt() {
    WAKER.wake();
}

/// The tick: looks after a device without an interrupt line.
pub fn on_tick() {
    if POLLED.load(Ordering::Relaxed) {
        WAKER.wake();
    }
}
