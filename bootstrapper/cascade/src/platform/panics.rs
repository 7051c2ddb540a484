//! Panics of VMs written in Rust: caught at the turn's boundary, reported instead of printed.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use basevm::arena::{self, ArenaId};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static REPORT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Lets panics of guarded turns be reported; all others are printed as ever.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                // What the VM allocates goes with it; the report stays.
                arena::scope(ArenaId::BASE, || REPORT.set(describe(info)));
            } else {
                usual(info);
            }
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("(no message)");
    match info.location() {
        Some(at) => format!("panic at {}:{}: {message}", at.file(), at.line()),
        None => format!("panic: {message}"),
    }
}

/// Runs a turn; if it panics, says where and why.
pub(super) fn guarded(turn: &mut dyn FnMut()) -> Result<(), String> {
    let outer = GUARDED.replace(true);
    // The system forgets the VM after a panic, so nothing looks at what it left half done.
    let result = panic::catch_unwind(AssertUnwindSafe(turn));
    GUARDED.set(outer);
    result.map_err(|payload| {
        // Dropping the payload runs VM code: it may panic again.
        std::mem::forget(payload);
        REPORT.take()
    })
}
