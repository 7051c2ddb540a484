//! What a run left behind, for people and for scripts.

use bootstrapper::control::Hash;
use serde::Serialize;

/// The summary of one run. Hosted and booted runs of the same module give equal ones but for `how`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The exit code.
    pub exit: u8,
    /// The program's file.
    pub file: String,
    /// What it wrote on the console.
    pub console: String,
    /// BLAKE3 of those bytes.
    pub console_hash: String,
    /// How many frames it presented.
    pub frames: u64,
    /// BLAKE3 of the last one: width, height (u32 little endian), then RGB bytes.
    pub frame_hash: Option<String>,
    /// The module's identity.
    pub module_hash: String,
    /// Fault reports, a line each.
    pub faults: Vec<String>,
    /// `hosted`, or how the machine was emulated.
    pub how: String,
}

impl Summary {
    /// The summary as one line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|why| format!("{{\"error\":\"{why}\"}}"))
    }

    /// The summary as one line for people.
    pub fn line(&self) -> String {
        let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_string();
        let frame = self.frame_hash.as_deref().map_or("-".into(), short);
        format!(
            "{}: exit {}, module {}, console {}, {} frames, frame {frame}",
            self.file,
            self.exit,
            short(&self.module_hash),
            short(&self.console_hash),
            self.frames
        )
    }
}

/// BLAKE3 of some bytes.
pub fn hash(bytes: &[u8]) -> Hash {
    Hash(*blake3::hash(bytes).as_bytes())
}
