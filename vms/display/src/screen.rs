//! What the display VM stands on: something that shows finished frames.

use basevm::service::Waker;
use il::trap::Status;

/// A finished frame, lent for the duration of [`Screen::present`].
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// `width * height` pixels 0x00RRGGBB, row by row from the top, without padding.
    pub pixels: &'a [u32],
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// From 1, ascending by 1.
    pub number: u64,
}

/// A display's backend.
pub trait Screen: Send {
    /// Called before all else, and again for a VM that follows one that was lost. The waker is for screens that change by themselves.
    ///
    /// # Errors
    /// Any status; the display VM is then refused.
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        let _ = waker;
        Ok(())
    }

    /// Shows a frame, or publishes a copy of it. Never waits for a window or a vertical blank.
    ///
    /// # Errors
    /// `DeviceError` if the frame cannot be shown.
    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status>;

    /// After a wake: the screen's new size in pixels, if it has changed since the last call.
    fn resized(&mut self) -> Option<(u32, u32)> {
        None
    }

    /// Whether a person may act on it at any time: an open window.
    fn is_live(&self) -> bool {
        false
    }
}
