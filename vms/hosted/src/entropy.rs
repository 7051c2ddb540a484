//! Randomness of the parent OS.

use il::trap::Status;
use rustix::rand::{GetRandomFlags, getrandom};
use vm_entropy::Source;

/// The OS's generator.
#[derive(Clone, Copy, Debug)]
pub struct OsEntropy;

impl Source for OsEntropy {
    fn fill(&mut self, into: &mut [u8]) -> Result<(), Status> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += getrandom(rest, GetRandomFlags::empty()).map_err(|_| Status::DeviceError)?;
        }
        Ok(())
    }
}
