//! The standard VGA adapter: a mode set through the Bochs dispi registers, a linear framebuffer in BAR 0. This file
//! contains `unsafe`: it writes the framebuffer.

use alloc::boxed::Box;

use basevm::service::Waker;
use il::trap::Status;
use vm_display::{Frame, Screen};

use super::pci;
use crate::memory::map_device;
use crate::memory::paging::Cache;
use crate::port::{read16, write16};

const VENDOR: u16 = 0x1234;
const DEVICE: u16 = 0x1111;
const INDEX: u16 = 0x1ce;
const DATA: u16 = 0x1cf;

const ID: u16 = 0;
const WIDTH: u16 = 1;
const HEIGHT: u16 = 2;
const DEPTH: u16 = 3;
const ENABLE: u16 = 4;
const VIRTUAL_WIDTH: u16 = 6;
const X_OFFSET: u16 = 8;
const Y_OFFSET: u16 = 9;

const FIRST_ID: u16 = 0xb0c0;
const LAST_ID: u16 = 0xb0cf;
const OFF: u16 = 0;
const ON_LINEAR: u16 = 0x41;
const BITS: u16 = 32;

/// A mode that has been set.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mode {
    width: u32,
    height: u32,
    /// Pixels from one row to the next.
    pitch: usize,
}

/// The adapter as a screen.
struct Vga {
    framebuffer: *mut u32,
    pixels: usize,
    mode: Option<Mode>,
}

// SAFETY: the framebuffer belongs to this object alone; it is used from the one core.
unsafe impl Send for Vga {}

fn get(register: u16) -> u16 {
    write16(INDEX, register);
    read16(DATA)
}

fn set(register: u16, value: u16) {
    write16(INDEX, register);
    write16(DATA, value);
}

/// A machine without an adapter that is known: its display VM is refused.
struct NoScreen;

impl Screen for NoScreen {
    fn start(&mut self, _waker: Waker) -> Result<(), Status> {
        Err(Status::NotSupported)
    }

    fn present(&mut self, _frame: &Frame<'_>) -> Result<(), Status> {
        Err(Status::NotSupported)
    }
}

/// The machine's screen.
pub fn find() -> Box<dyn Screen> {
    match Vga::find() {
        Some(screen) => Box::new(screen),
        None => Box::new(NoScreen),
    }
}

impl Vga {
    fn find() -> Option<Vga> {
        let function = pci::find(VENDOR, &[DEVICE])?;
        if !(FIRST_ID..=LAST_ID).contains(&get(ID)) {
            return None;
        }
        pci::enable(function);
        let (address, bytes) = pci::memory_bar(function, 0)?;
        let framebuffer = map_device(address, bytes as usize, Cache::WriteCombining).cast();
        Some(Vga { framebuffer, pixels: bytes as usize / size_of::<u32>(), mode: None })
    }

    fn set_mode(&mut self, width: u32, height: u32) -> Result<Mode, Status> {
        let (Ok(columns), Ok(rows)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(Status::OutOfRange);
        };
        set(ENABLE, OFF);
        set(WIDTH, columns);
        set(HEIGHT, rows);
        set(DEPTH, BITS);
        set(ENABLE, ON_LINEAR);
        set(X_OFFSET, 0);
        set(Y_OFFSET, 0);
        // The adapter may round the width up, or refuse the size.
        let mode = Mode { width, height, pitch: usize::from(get(VIRTUAL_WIDTH)) };
        let fits = mode.pitch >= width as usize && mode.pitch * height as usize <= self.pixels;
        if get(WIDTH) != columns || get(HEIGHT) != rows || get(DEPTH) != BITS || !fits {
            return Err(Status::NotSupported);
        }
        Ok(mode)
    }
}

impl Screen for Vga {
    fn start(&mut self, _waker: Waker) -> Result<(), Status> {
        Ok(())
    }

    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        let mode = match self.mode {
            Some(mode) if (mode.width, mode.height) == (frame.width, frame.height) => mode,
            _ => self.set_mode(frame.width, frame.height)?,
        };
        self.mode = Some(mode);
        let width = mode.width as usize;
        for (row, pixels) in frame.pixels.chunks_exact(width).take(mode.height as usize).enumerate() {
            // SAFETY: `set_mode` has checked that `height` rows of `pitch` pixels fit the framebuffer, and
            // `pitch >= width`.
            unsafe { self.framebuffer.add(row * mode.pitch).copy_from_nonoverlapping(pixels.as_ptr(), width) };
        }
        Ok(())
    }
}
