//! Keys from key scripts and from the window, as one source for the keyboard VM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use basevm::service::Waker;
use il::trap::Status;
use vm_keyboard::{KeyEvent, KeySource};

use crate::ring::{Bell, Ring};

/// Key events between a thread that presses keys and the keyboard VM.
pub const MAX_QUEUED: usize = 1024;

#[derive(Debug)]
struct Shared {
    events: Ring<KeyEvent>,
    bell: Bell,
    live: AtomicBool,
}

/// The end at which keys are pressed; for any thread.
#[derive(Clone, Debug)]
pub struct ScriptKeys(Arc<Shared>);

/// The keyboard VM's end.
#[derive(Debug)]
pub struct KeyQueue(Arc<Shared>);

impl ScriptKeys {
    /// A queue: where keys are pressed, and the backend that gives them to the keyboard VM.
    pub fn new() -> (ScriptKeys, KeyQueue) {
        let shared = Shared { events: Ring::new(MAX_QUEUED), bell: Bell::default(), live: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        (ScriptKeys(shared.clone()), KeyQueue(shared))
    }

    /// Presses or releases a key; false if the queue is full and the event is lost.
    pub fn push(&self, event: KeyEvent) -> bool {
        let taken = self.0.events.try_push(event).is_ok();
        self.0.bell.ring();
        taken
    }

    /// Says whether a person may press a key at any time; an idle system then waits.
    pub fn set_live(&self, live: bool) {
        self.0.live.store(live, Ordering::Release);
        self.0.bell.ring();
    }
}

impl KeySource for KeyQueue {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        self.0.bell.set(waker);
        Ok(())
    }

    fn next(&mut self) -> Option<KeyEvent> {
        self.0.events.try_pop()
    }

    fn is_live(&self) -> bool {
        self.0.live.load(Ordering::Acquire)
    }
}
