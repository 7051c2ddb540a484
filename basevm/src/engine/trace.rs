//! Stack traces: from machine addresses to functions and lines of the IL.
//!
//! Frame pointers are the VM's own data: every read is checked to lie within its stack, and the chain
//! has to climb.

use alloc::string::String;
use alloc::vec::Vec;

use compiler::Location;
use il::Module;
use il::trap::TrapKind;

use super::guest::Guest;
use super::{Frame, Program, TrapReport};

/// Where a VM stopped: an address inside the instruction, and the frame pointer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub pc: u64,
    pub fp: u64,
}

/// A report of what happened at a place; `None` if it is not known.
pub(super) fn report(
    program: &Program,
    guest: &Guest,
    place: Option<Place>,
    kind: TrapKind,
    message: String,
    status: Option<u16>,
) -> TrapReport {
    let places = addresses(guest, place).filter_map(|pc| program.locate(pc));
    describe(program.module(), places, kind, message, status)
}

/// A report of what happened at the first of these places, which the others led to.
pub(super) fn describe(
    module: &Module,
    places: impl Iterator<Item = Location>,
    kind: TrapKind,
    message: String,
    status: Option<u16>,
) -> TrapReport {
    let mut report = TrapReport { kind, message, status, frames: Vec::new(), omitted: 0 };
    for location in places {
        let line = module.line_at(location.func, location.body_offset);
        let full = report.frames.len() == TrapReport::MAX_FRAMES;
        match report.frames.last_mut() {
            Some(last) if report.omitted == 0 && last.func == location.func && last.line == line => last.times += 1,
            _ if full => report.omitted += 1,
            _ => {
                let (func, file) = (location.func, module.file_of(location.func).map(String::from));
                report.frames.push(Frame { func, name: module.func_name(func), file, line, times: 1 });
            }
        }
    }
    report
}

/// Addresses inside the instructions under way, innermost first.
fn addresses(guest: &Guest, place: Option<Place>) -> impl Iterator<Item = u64> {
    let mut fp = place.map_or(0, |place| place.fp);
    let callers = core::iter::from_fn(move || {
        let next = guest.stack_word(fp)?;
        // A return address may lie behind the end of its function: the call is before it.
        let pc = guest.stack_word(fp.checked_add(8)?)?.wrapping_sub(1);
        fp = if next > fp { next } else { 0 };
        Some(pc)
    });
    place.map(|place| place.pc).into_iter().chain(callers)
}
