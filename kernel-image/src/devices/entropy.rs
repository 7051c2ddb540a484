//! The processor's randomness.

use alloc::boxed::Box;

use il::trap::Status;
use vm_entropy::{NoSource, Source};
use x86_64::instructions::random::RdRand;

/// How often the processor is asked for one number: it may be short of randomness for a moment.
const TRIES: usize = 64;

/// `RDRAND`.
struct Processor(RdRand);

impl Source for Processor {
    fn fill(&mut self, into: &mut [u8]) -> Result<(), Status> {
        for part in into.chunks_mut(8) {
            let number = (0..TRIES).find_map(|_| self.0.get_u64()).ok_or(Status::DeviceError)?;
            for (place, byte) in part.iter_mut().zip(number.to_le_bytes()) {
                *place = byte;
            }
        }
        Ok(())
    }
}

/// The processor's generator, if it has one.
pub fn find() -> Box<dyn Source> {
    match RdRand::new() {
        Some(generator) => Box::new(Processor(generator)),
        None => Box::new(NoSource),
    }
}
