//! Makes a module that shows a difference small.
//!
//! Whatever is taken away, the module that remains has to be accepted by the verifier, and to differ still.

use il::instr::Reader;
use il::{FuncId, Module};

/// The smallest module found from which nothing can be taken away without losing what `differs` sees.
pub fn shrink(module: Module, differs: impl Fn(&Module) -> bool) -> Module {
    let mut best = module;
    let try_out = |candidate: Module, best: &mut Module| {
        let better = il::verify::verify(candidate.clone()).is_ok() && differs(&candidate);
        if better {
            *best = candidate;
        }
        better
    };
    loop {
        let mut shrunk = false;
        for index in 0..best.exports.len() + best.handlers.len() {
            let mut candidate = best.clone();
            match index.checked_sub(candidate.exports.len()) {
                None => drop(candidate.exports.remove(index)),
                Some(handler) => drop(candidate.handlers.remove(handler)),
            }
            if try_out(candidate, &mut best) {
                shrunk = true;
                break;
            }
        }
        for func in 0..best.funcs.len() {
            shrunk |= shrink_body(&mut best, FuncId(func as u32), &try_out);
        }
        if !shrunk {
            return best;
        }
    }
}

/// Removes runs of instructions from a body, long ones first.
fn shrink_body(best: &mut Module, func: FuncId, try_out: &impl Fn(Module, &mut Module) -> bool) -> bool {
    let mut shrunk = false;
    let mut length = starts_of(best, func).len();
    while length > 0 {
        let mut at = 0;
        loop {
            let starts = starts_of(best, func);
            if at + length >= starts.len() {
                break;
            }
            let mut candidate = best.clone();
            if let Some(func) = candidate.funcs.get_mut(func.index()) {
                func.body.drain(starts[at]..starts[at + length]);
            }
            if try_out(candidate, best) {
                shrunk = true;
            } else {
                at += 1;
            }
        }
        length /= 2;
    }
    shrunk
}

/// Offsets at which instructions start, and the body's end.
fn starts_of(module: &Module, func: FuncId) -> Vec<usize> {
    let Some(func) = module.funcs.get(func.index()) else { return Vec::new() };
    let mut reader = Reader::new(&func.body);
    let mut starts = vec![0];
    while let Ok(Some(_)) = reader.next() {
        starts.push(reader.offset() as usize);
    }
    starts
}
