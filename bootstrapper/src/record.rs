//! What a run left behind: backends that pass everything on, and keep count.
//!
//! Invariants: the record's memory is taken before the run, so that a device VM that ends takes
//! nothing of it along; no lock is held while a backend runs; after the last frame that was asked
//! for, nothing more is passed on, so that the record ends at the same place on every platform.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use basevm::service::Waker;
use basevm::system::StopHandle;
use il::trap::Status;
use spin::Mutex;
use vm_console::{Input, Size, Terminal};
use vm_display::{Frame, Screen};

use crate::control::Hash;
use crate::plan::{DisplaySize, Limits};

/// The record of one run.
#[derive(Clone)]
pub(crate) struct Record {
    state: Arc<Mutex<State>>,
    until_frame: u64,
    stop: StopHandle,
}

struct State {
    console: blake3::Hasher,
    console_bytes: u64,
    frames: u64,
    /// The last frame, if it fits into the capacity that was reserved.
    pixels: Vec<u32>,
    size: DisplaySize,
    /// The hash of a last frame that did not fit.
    large: Option<Hash>,
}

impl Record {
    /// A record of a run on a display of this size; `stop` ends the run at its last frame.
    pub fn new(display: DisplaySize, limits: Limits, stop: StopHandle) -> Record {
        let pixels = Vec::with_capacity(display.width as usize * display.height as usize);
        let state =
            State { console: blake3::Hasher::new(), console_bytes: 0, frames: 0, pixels, size: display, large: None };
        Record { state: Arc::new(Mutex::new(state)), until_frame: limits.until_frame.unwrap_or(u64::MAX), stop }
    }

    /// BLAKE3 of the console's bytes, and their number.
    pub fn console(&self) -> (Hash, u64) {
        let state = self.state.lock();
        (Hash(*state.console.finalize().as_bytes()), state.console_bytes)
    }

    /// How many frames were presented, and the hash of the last.
    pub fn frames(&self) -> (u64, Option<Hash>) {
        let state = self.state.lock();
        let DisplaySize { width, height } = state.size;
        let kept = || Hash(vm_display::frame_hash(width, height, &state.pixels));
        (state.frames, (state.frames > 0).then(|| state.large.unwrap_or_else(kept)))
    }

    fn is_over(&self) -> bool {
        self.state.lock().frames >= self.until_frame
    }

    fn keep_frame(&self, frame: &Frame<'_>) {
        let mut state = self.state.lock();
        state.frames += 1;
        state.size = DisplaySize { width: frame.width, height: frame.height };
        state.pixels.clear();
        state.large = None;
        if frame.pixels.len() <= state.pixels.capacity() {
            state.pixels.extend_from_slice(frame.pixels);
        } else {
            state.large = Some(Hash(vm_display::frame_hash(frame.width, frame.height, frame.pixels)));
        }
        if state.frames >= self.until_frame {
            self.stop.stop();
        }
    }

    fn keep_console(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        state.console.update(bytes);
        state.console_bytes += bytes.len() as u64;
    }
}

/// A screen that is recorded.
pub(crate) struct RecordedScreen {
    pub inner: Box<dyn Screen>,
    pub record: Record,
}

impl Screen for RecordedScreen {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        self.inner.start(waker)
    }

    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        if self.record.is_over() {
            return Ok(());
        }
        self.inner.present(frame)?;
        self.record.keep_frame(frame);
        Ok(())
    }

    fn resized(&mut self) -> Option<(u32, u32)> {
        self.inner.resized()
    }

    fn is_live(&self) -> bool {
        self.inner.is_live()
    }
}

/// A terminal that is recorded.
pub(crate) struct RecordedTerminal {
    pub inner: Box<dyn Terminal>,
    pub record: Record,
}

impl Terminal for RecordedTerminal {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        self.inner.start(waker)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        if self.record.is_over() {
            return Ok(bytes.len());
        }
        let accepted = self.inner.write(bytes)?.min(bytes.len());
        self.record.keep_console(&bytes[..accepted]);
        Ok(accepted)
    }

    /// On a machine they go where output goes, so they are recorded as that.
    fn write_message(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        if self.record.is_over() {
            return Ok(bytes.len());
        }
        let accepted = self.inner.write_message(bytes)?.min(bytes.len());
        self.record.keep_console(&bytes[..accepted]);
        Ok(accepted)
    }

    fn read(&mut self, into: &mut [u8]) -> Input {
        self.inner.read(into)
    }

    fn is_input_coming(&self) -> bool {
        self.inner.is_input_coming()
    }

    fn size(&self) -> Size {
        self.inner.size()
    }
}
