//! Roots: every word outside the heap that holds one of the VM's references. `unsafe`: the promise that these
//! are all, and a call into the context.
//!
//! - frames of all activations: by the return address of each call under way, the compiler's stack maps say
//!   where a frame holds references;
//! - globals of reference types;
//! - arguments of the exit under way, as the table of exits says;
//! - values on their way in or out, as long as they are being made ([`Guest::set_reference`]).
//!
//! Literals and function references are immortal, so where they stand is no root.
//!
//! [`Guest::set_reference`]: super::guest::Guest::set_reference

use compiler::abi::{Exit, GLOBAL_BYTES, Kind, VmCtx};

use super::list::HeldList;
use super::raw::Shared;
use super::stack::Stack;
use super::{Program, switch};
use crate::buf::Buf;
use crate::heap::Outside;

/// Words of a global's slot.
pub(super) const GLOBAL_WORDS: usize = GLOBAL_BYTES as usize / 8;

/// A stopped VM, as its heap sees it.
pub(super) struct Roots<'g> {
    pub program: &'g Program,
    pub ctx: *mut VmCtx,
    pub stack: &'g mut Stack,
    /// Stack pointers of all activations, each stopped in an exit.
    pub activations: &'g [u64],
    pub globals: &'g mut Shared<u64>,
    pub exit: Option<Exit>,
    /// A bit for each of `VmCtx::values`.
    pub values: u64,
    pub bufs: &'g mut HeldList,
}

type Visit<'v> = &'v mut dyn FnMut(u64) -> u64;

impl Roots<'_> {
    fn frames(&mut self, sp: u64, visit: Visit<'_>) {
        let Some((mut return_address, mut fp)) = exit_place(self.stack, sp) else { return };
        loop {
            if let Some(map) = self.program.frame_map(return_address) {
                let frame = fp - u64::from(map.frame_bytes);
                for offset in map.references {
                    self.slot(frame + u64::from(*offset), visit);
                }
            }
            let caller = self.stack.word(fp).zip(self.stack.word(fp + 8));
            match caller {
                Some((outer, address)) if outer > fp => (fp, return_address) = (outer, address),
                _ => return,
            }
        }
    }

    fn slot(&mut self, address: u64, visit: Visit<'_>) {
        let done = self.stack.word(address).and_then(|word| self.stack.set_word(address, visit(word)));
        assert!(done.is_some(), "a stack map names {address:#x}, which is not in the stack");
    }

    fn context(&mut self, visit: Visit<'_>) {
        // SAFETY: the context lives as long as the guest, and the VM does not run.
        let ctx = unsafe { &mut *self.ctx };
        let kinds = self.exit.map_or(&[][..], |exit| exit.info().args);
        for (arg, (_, kind)) in ctx.exit_args.iter_mut().zip(kinds) {
            match kind {
                Kind::Reference => *arg = visit(*arg),
                Kind::Word => {}
            }
        }
        for (index, value) in ctx.values.iter_mut().enumerate() {
            if self.values >> index & 1 == 1 {
                *value = visit(*value);
            }
        }
    }
}

// SAFETY: the four sorts of roots are all the places where JIT code and engine keep references while the VM is
// stopped; the compiler's stack maps and the types of globals and exits say which words of them are references.
unsafe impl Outside for Roots<'_> {
    fn roots(&mut self, visit: Visit<'_>) {
        for sp in self.activations {
            self.frames(*sp, visit);
        }
        for index in self.program.reference_globals() {
            let word = self.globals.get(index * GLOBAL_WORDS).unwrap_or(0);
            self.globals.set(index * GLOBAL_WORDS, visit(word));
        }
        self.context(visit);
    }

    fn free_buf(&mut self, address: u64) {
        if address == super::program::empty_buf() {
            return;
        }
        // SAFETY: the holder owned it, so it is in the list, and nobody else knows it.
        unsafe {
            self.bufs.unlink(address);
            drop(Buf::from_raw(address));
        }
    }
}

/// Return address and frame pointer of the code that took the exit in which an activation is stopped.
pub(super) fn exit_place(stack: &Stack, sp: u64) -> Option<(u64, u64)> {
    let saved = sp.checked_add(switch::SAVED_RBP_WORD * 8)?;
    Some((stack.word(saved.checked_add(8)?)?, stack.word(saved)?))
}
