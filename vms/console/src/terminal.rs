//! What the console VM stands on: a stream of bytes out, and one in.

use basevm::service::Waker;
use il::trap::Status;

/// What reading from a [`Terminal`] gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// So many bytes were put into the buffer, at least one.
    Bytes(usize),
    /// Nothing now; the waker is used when there is more.
    Nothing,
    /// The input has ended for good.
    End,
}

/// A terminal's size in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Characters a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

impl Default for Size {
    /// Where nothing is known: 80 x 25.
    fn default() -> Size {
        Size { columns: 80, rows: 25 }
    }
}

/// A console's backend.
pub trait Terminal: Send {
    /// Called before all else, and again for a VM that follows one that was lost. The waker is used when input came, or when output that did not
    /// fit is accepted again.
    ///
    /// # Errors
    /// Any status; the console VM is then refused.
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        let _ = waker;
        Ok(())
    }

    /// Writes bytes untranslated and says how many were accepted; fewer than all means: not now,
    /// the waker is used when there is room. Never waits for long.
    ///
    /// # Errors
    /// `DeviceError` if nobody can ever receive them.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Status>;

    /// Writes bytes of messages in the same way, where they are kept apart from output; else they are output.
    ///
    /// # Errors
    /// As [`write`](Terminal::write).
    fn write_message(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        self.write(bytes)
    }

    /// Takes what has been typed. Never waits. Called only once a program wants input, so that a
    /// terminal which nobody reads is left alone.
    fn read(&mut self, into: &mut [u8]) -> Input;

    /// Whether input, or its end, is there that [`read`](Terminal::read) does not give yet: the waker is used as soon as
    /// it does. Never waits.
    fn is_input_coming(&self) -> bool {
        false
    }

    /// Its size.
    fn size(&self) -> Size {
        Size::default()
    }
}
