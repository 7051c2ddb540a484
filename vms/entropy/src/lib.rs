//! The entropy VM: `cascade.entropy@1` over a [`Source`].
//!
//! Without a seed the bytes come from the machine. With one they are ChaCha20's stream for that seed, the same on
//! every platform, so that a run can be repeated; a seeded VM that is restarted begins again.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;

use basevm::service::{Hello, Host, Outcome, Reply, Request, Service};
use il::trap::Status;
use isa::Attachment;
use isa::entropy::{Op, SET, reply};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Most bytes at a time.
pub const MAX_BYTES: usize = 1 << 16;

/// Where randomness comes from.
pub trait Source: Send {
    /// Fills `into` with random bytes. Never waits for long.
    ///
    /// # Errors
    /// `NotSupported` where there is none, `DeviceError` if it fails.
    fn fill(&mut self, into: &mut [u8]) -> Result<(), Status>;
}

/// A stream that is the same for the same seed: ChaCha20's with the seed, little endian, at the start of a key of zeros.
/// Not for secrets: the seed is 64 bits.
#[derive(Clone, Debug)]
pub struct Seeded(ChaCha20Rng);

impl Seeded {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Seeded {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Seeded(ChaCha20Rng::from_seed(key))
    }
}

impl Source for Seeded {
    fn fill(&mut self, into: &mut [u8]) -> Result<(), Status> {
        self.0.fill_bytes(into);
        Ok(())
    }
}

/// A machine without a source.
#[derive(Clone, Copy, Debug)]
pub struct NoSource;

impl Source for NoSource {
    fn fill(&mut self, _into: &mut [u8]) -> Result<(), Status> {
        Err(Status::NotSupported)
    }
}

/// The entropy VM.
pub struct Entropy {
    source: Box<dyn Source>,
}

impl Entropy {
    /// Randomness from this source.
    pub fn new(source: Box<dyn Source>) -> Entropy {
        Entropy { source }
    }

    fn fill(&mut self, host: &mut dyn Host, n: i32) -> Result<Reply, Status> {
        let bytes = usize::try_from(n).ok().filter(|bytes| *bytes <= MAX_BYTES).ok_or(Status::OutOfRange)?;
        let mut data = host.buf(bytes)?;
        self.source.fill(&mut data)?;
        Ok(Reply::new(&reply::fill(Attachment(0)), vec![data.into()]))
    }
}

impl Service for Entropy {
    fn hello(&self) -> Hello {
        Hello { name: String::from("entropy"), provides: &SET }
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        let result = match Op::decode(request.opcode, request.words) {
            Ok(Op::Fill { n }) => self.fill(host, n),
            Ok(Op::Never(never, _)) => match never {},
            Err(status) => Err(status),
        };
        match result {
            Ok(reply) => Outcome::Done(reply),
            Err(status) => Outcome::Fail(status),
        }
    }
}
