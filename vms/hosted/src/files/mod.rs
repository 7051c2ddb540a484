//! Folders of the parent OS for the WASI VM: a storage whose calls are carried out by a thread.

mod host;

pub use host::{FolderError, HostFiles};

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use basevm::service::Waker;
use il::trap::Status;
use vm_wasi::{Call, CallId, Files, Finished, Tree};

use crate::ring::{Bell, Ring, locked};

/// Calls that may be under way; the WASI VM keeps what is beyond.
const MAX_IN_FLIGHT: usize = 64;

/// A storage whose calls may block: a thread carries them out, in order.
#[derive(Debug)]
pub struct ThreadedFiles<F: Files + 'static> {
    shared: Arc<Shared<F>>,
    in_flight: usize,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared<F> {
    files: Mutex<F>,
    calls: Ring<(CallId, Call)>,
    finished: Ring<Finished>,
    bell: Bell,
}

impl<F: Files + 'static> ThreadedFiles<F> {
    /// These files, and a thread.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub fn new(files: F) -> std::io::Result<ThreadedFiles<F>> {
        let shared = Arc::new(Shared {
            files: Mutex::new(files),
            calls: Ring::new(MAX_IN_FLIGHT),
            finished: Ring::new(MAX_IN_FLIGHT),
            bell: Bell::default(),
        });
        let serving = shared.clone();
        let thread = std::thread::Builder::new().name("files".into()).spawn(move || serving.serve())?;
        Ok(ThreadedFiles { shared, in_flight: 0, thread: Some(thread) })
    }
}

impl<F: Files> Shared<F> {
    /// The thread's work.
    fn serve(&self) {
        while let Some((id, mut call)) = self.calls.pop() {
            let result = locked(&self.files).run(&mut call);
            // There is room: no more than MAX_IN_FLIGHT are under way.
            let _ = self.finished.try_push(Finished { id, call, result });
            self.bell.ring();
        }
    }
}

impl<F: Files> Drop for ThreadedFiles<F> {
    /// Waits until what was submitted has been carried out.
    fn drop(&mut self) {
        self.shared.calls.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl<F: Files> Tree for ThreadedFiles<F> {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        // What a VM before left under way; a few calls at most.
        while self.in_flight > 0 && self.shared.finished.pop().is_some() {
            self.in_flight -= 1;
        }
        locked(&self.shared.files).reset();
        self.shared.bell.set(waker);
        Ok(())
    }

    fn submit(&mut self, id: CallId, call: Call) -> Result<(), Call> {
        if self.in_flight >= MAX_IN_FLIGHT {
            return Err(call);
        }
        self.shared.calls.try_push((id, call)).map_err(|(_, call)| call)?;
        self.in_flight += 1;
        Ok(())
    }

    fn poll(&mut self) -> Option<Finished> {
        let finished = self.shared.finished.try_pop()?;
        self.in_flight -= 1;
        Some(finished)
    }
}
