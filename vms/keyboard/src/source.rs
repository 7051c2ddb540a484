//! What the keyboard VM stands on: something that gives key events.

use basevm::service::Waker;
use il::trap::Status;

/// A key that went down or up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyEvent {
    /// USB HID usage (page 7), e.g. 0x04 for A; the modifiers are 0xe0 to 0xe7.
    pub usage: u16,
    /// Down, or up. A key that is held may go down repeatedly.
    pub down: bool,
}

/// A keyboard's backend.
pub trait KeySource: Send {
    /// Called before all else, and again for a VM that follows one that was lost. The source uses the waker whenever an event has come in.
    ///
    /// # Errors
    /// Any status; the keyboard VM is then refused.
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        let _ = waker;
        Ok(())
    }

    /// Takes the oldest event. Never waits.
    fn next(&mut self) -> Option<KeyEvent>;

    /// Whether a person may press a key at any time: an open window. An idle system then waits.
    fn is_live(&self) -> bool {
        false
    }
}
