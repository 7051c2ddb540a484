//! Pages from the parent OS. `unsafe`: `mmap`, `mprotect`, `munmap`.

use std::ffi::c_void;
use std::ops::Range;
use std::ptr;

use basevm::platform::{Access, OutOfMemory, PAGE_BYTES, Region};
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

/// Reserves address space.
pub(super) fn reserve(bytes: usize) -> Result<Region, OutOfMemory> {
    let bytes = bytes.max(1).checked_next_multiple_of(PAGE_BYTES).ok_or(OutOfMemory)?;
    // SAFETY: a new mapping, at an address of the kernel's choice.
    let base =
        unsafe { mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE) };
    Ok(Region { base: base.map_err(|_| OutOfMemory)? as usize, bytes })
}

/// Changes what a range of a region may be used for.
pub(super) fn protect(region: &Region, range: Range<usize>, access: Access) -> Result<(), OutOfMemory> {
    let aligned = range.start.is_multiple_of(PAGE_BYTES) && range.end.is_multiple_of(PAGE_BYTES);
    assert!(aligned && range.start <= range.end && range.end <= region.bytes, "{range:?} is not in {region:?}");
    let at = (region.base + range.start) as *mut c_void;
    let flags = match access {
        Access::None => MprotectFlags::empty(),
        Access::ReadWrite => MprotectFlags::READ | MprotectFlags::WRITE,
        Access::Execute => MprotectFlags::READ | MprotectFlags::EXEC,
    };
    // SAFETY: inside a region from `reserve`, whose owner asks for the change.
    unsafe {
        mprotect(at, range.len(), flags).map_err(|_| OutOfMemory)?;
        if access == Access::None {
            madvise(at, range.len(), Advice::LinuxDontNeed).map_err(|_| OutOfMemory)?;
        }
    }
    Ok(())
}

/// Gives a region back.
pub(super) fn release(region: Region) {
    // SAFETY: from `reserve`, and consumed: nothing uses it any more.
    let result = unsafe { munmap(region.base as *mut c_void, region.bytes) };
    debug_assert!(result.is_ok(), "{result:?}");
}
