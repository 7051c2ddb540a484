//! Ctrl-C and termination: asked for once, everything ends in order; asked for twice, at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static ASKED: AtomicBool = AtomicBool::new(false);
static ACTION: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);

/// The exit code of a run that its user stopped.
pub const EXIT_CODE: u8 = 130;

/// Listens from now on.
///
/// # Errors
/// If the parent OS refuses the handler.
pub fn listen() -> anyhow::Result<()> {
    Ok(ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_CODE.into());
        }
        match &*action() {
            Some(act) => act(),
            // Nothing runs yet: there is nothing to end in order.
            None => std::process::exit(EXIT_CODE.into()),
        }
    })?)
}

/// Asks to stop, as the user could.
pub fn ask() {
    ASKED.store(true, Ordering::SeqCst);
    if let Some(act) = &*action() {
        act();
    }
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Calls `act` when the user asks to stop (at once, if that was before), to end whatever runs.
pub fn act_with(act: impl Fn() + Send + 'static) {
    if asked() {
        act();
    }
    *action() = Some(Box::new(act));
}

fn action() -> MutexGuard<'static, Option<Box<dyn Fn() + Send>>> {
    ACTION.lock().unwrap_or_else(PoisonError::into_inner)
}
