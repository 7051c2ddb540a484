//! The bundle: everything that a booted machine runs, as one file beside the kernel image.
//!
//! ```text
//! "CASCADE" version:u8      then a postcard record of `Bundle`, and nothing after it
//! ```
//!
//! Invariants: decoding is total and allocates in proportion to its input; every run of a decoded
//! bundle has a valid plan, and its module bytes are within bounds (their content is checked later).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use basevm::platform::Nanos;
use basevm::recorder::RecordOptions;
use serde::{Deserialize, Serialize};

use crate::plan::{Clock, Plan};

/// What a bundle starts with; the last byte is the format's version.
pub const MAGIC: [u8; 8] = *b"CASCADE\x04";
/// Most runs in one bundle.
pub const MAX_RUNS: usize = 4096;
/// Most modules of one run.
pub const MAX_MODULES: usize = 64;
/// Largest module, in bytes.
pub const MAX_MODULE_BYTES: usize = 16 << 20;
/// Largest bundle, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 64 << 20;

/// One or more runs, one after the other in one boot, each in a fresh system.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Bundle {
    /// Whether to log start-up and every handshake.
    pub verbose: bool,
    /// What the machine tells of its runs, beside log and faults; nothing if `None`.
    pub observe: Option<Observe>,
    /// The runs. None at all is legal: the machine starts, says so, and ends.
    pub runs: Vec<Run>,
}

/// What is told of a run: VMs and channels in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Observe {
    /// Packets, events and turns.
    pub packets: bool,
    /// What each VM uses, so often in milliseconds; `None`: at the end only.
    pub usage_ms: Option<u32>,
    /// How many bytes of one buffer.
    pub buffer_bytes: u32,
    /// How many bytes of frames in all.
    pub most_bytes: u64,
}

impl Observe {
    /// What a recorder of this plan's run is to record.
    pub fn options(&self, plan: &Plan, wall: Nanos) -> RecordOptions {
        RecordOptions {
            program: plan.main_vm().map(|vm| vm.name.clone()).unwrap_or_default(),
            virtual_clock: plan.clock == Clock::Virtual,
            wall,
            packets: self.packets,
            usage_every: self.usage_ms.map(|ms| Nanos::from(ms) * 1_000_000),
            buffer_bytes: self.buffer_bytes as usize,
            most_bytes: self.most_bytes,
        }
    }
}

/// One system to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The system.
    pub plan: Plan,
    /// The modules (`.ilb` bytes) that the plan's VMs name by index.
    pub modules: Vec<Vec<u8>>,
    /// How many key events (downs and ups) will be injected. With a real clock a system is over
    /// when it is idle for good *and* so many have arrived.
    pub key_events: u32,
}

/// Why bytes are not a bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BundleError(String);

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad bundle: {}", self.0)
    }
}

impl core::error::Error for BundleError {}

impl Bundle {
    /// The bundle as a file.
    ///
    /// # Errors
    /// If it is over a limit; nothing that [`Bundle::decode`] refuses is ever written.
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        self.validate()?;
        let body = postcard::to_allocvec(self).map_err(|why| BundleError(format!("{why}")))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&body);
        check_size(bytes.len())?;
        Ok(bytes)
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// Any other bytes than those that [`Bundle::encode`] writes for a valid bundle.
    pub fn decode(bytes: &[u8]) -> Result<Bundle, BundleError> {
        check_size(bytes.len())?;
        let Some(body) = bytes.strip_prefix(&MAGIC) else {
            return error(format!("it does not start with \"CASCADE\" and version {}", MAGIC[7]));
        };
        let (bundle, rest) = postcard::take_from_bytes::<Bundle>(body).map_err(|why| BundleError(format!("{why}")))?;
        if !rest.is_empty() {
            return error(format!("{} bytes follow its end", rest.len()));
        }
        bundle.validate()?;
        Ok(bundle)
    }

    fn validate(&self) -> Result<(), BundleError> {
        if self.runs.len() > MAX_RUNS {
            return error(format!("{} runs are too many: at most {MAX_RUNS}", self.runs.len()));
        }
        for (index, run) in self.runs.iter().enumerate() {
            run.validate().map_err(|why| BundleError(format!("run {index}: {}", why.0)))?;
        }
        Ok(())
    }
}

impl Run {
    fn validate(&self) -> Result<(), BundleError> {
        if self.modules.len() > MAX_MODULES {
            return error(format!("{} modules are too many: at most {MAX_MODULES}", self.modules.len()));
        }
        if let Some(large) = self.modules.iter().find(|module| module.len() > MAX_MODULE_BYTES) {
            return error(format!("a module of {} bytes: at most {MAX_MODULE_BYTES}", large.len()));
        }
        self.plan.validate(self.modules.len()).map_err(|why| BundleError(why.0))
    }
}

fn check_size(bytes: usize) -> Result<(), BundleError> {
    if bytes > MAX_BUNDLE_BYTES {
        error(format!("{bytes} bytes are too many: at most {MAX_BUNDLE_BYTES}"))
    } else {
        Ok(())
    }
}

fn error<T>(text: String) -> Result<T, BundleError> {
    Err(BundleError(text))
}
