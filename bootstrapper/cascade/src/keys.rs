//! Key scripts: read once, pressed hosted through the keyboard's queue and booted through QMP.

use std::path::Path;

use basevm::platform::Nanos;
use vm_keyboard::{KEYS, KeyEvent, script};

/// A key event of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimedKey {
    /// When, since the run began.
    pub at: Nanos,
    /// The event.
    pub event: KeyEvent,
    /// QEMU's name of the key.
    pub qcode: &'static str,
    /// Down, or up.
    pub down: bool,
}

/// Reads a key script.
///
/// # Errors
/// A missing file, or a line that is not understood, with its number.
pub fn read(path: &Path) -> anyhow::Result<Vec<TimedKey>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|why| anyhow::anyhow!("cannot read the key script `{shown}`: {why}\n  give its path after --keys"))?;
    let lines = script::parse(&text).map_err(|why| anyhow::anyhow!("{shown}:{}: {}", why.line, why.message))?;
    Ok(script::timed(&lines).into_iter().filter_map(|(at, event)| timed(at, event)).collect())
}

/// Every event of a script is of a key in the table.
fn timed(at: Nanos, event: KeyEvent) -> Option<TimedKey> {
    let key = KEYS.iter().find(|key| key.usage == event.usage)?;
    Some(TimedKey { at, event, qcode: key.qcode, down: event.down })
}
