//! Locals that hold results of float arithmetic only. Their NaNs are settled where the bits show instead of where
//! they are assigned, so that a loop over them need not look at each.
//!
//! Bits of a NaN that did not come from arithmetic (a parameter's, a load's, a constant's) must stay as they are, so one
//! assignment of such a value settles it for the local: it is not raw.

use alloc::vec::Vec;

use cranelift_codegen::ir::{Type as Clif, types};
use hashbrown::{HashMap, HashSet};
use il::instr::{Dests, Instr};
use il::op::{Form, Op};
use il::{Func, LocalId, Type};

use super::operand::Hold;

/// What float arithmetic a local holds results of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Raw {
    Scalar,
    /// On these lanes.
    Lanes(Clif),
}

impl Raw {
    pub(super) fn hold(self) -> Hold {
        match self {
            Raw::Scalar => Hold::RawFloat,
            Raw::Lanes(lanes) => Hold::RawLanes(lanes),
        }
    }

    /// What an operator yields, if it is float arithmetic.
    fn of(op: Op) -> Option<Raw> {
        let info = op.info();
        let (shape, name) = info.text.split_once('.').unwrap_or(("", info.text));
        let arithmetic = ["+", "-", "*", "/", "add", "sub", "mul", "div", "min", "max"].contains(&name)
            || ["sqrt", "ceil", "floor", "trunc", "nearest"].contains(&name);
        match shape {
            "f32x4" if arithmetic => Some(Raw::Lanes(types::F32X4)),
            "f64x2" if arithmetic => Some(Raw::Lanes(types::F64X2)),
            "" if arithmetic && info.form != Form::Prefix => {
                matches!(info.result, Some(Type::F32 | Type::F64)).then_some(Raw::Scalar)
            }
            _ => None,
        }
    }
}

/// Where the topmost operand comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Source {
    Arithmetic(Raw),
    /// It is no NaN.
    Number,
    /// So many zeros of 64 bits.
    Zeros(u8),
    Local(LocalId),
    #[default]
    Other,
}

/// How often copies between locals are followed before all is given up: a hostile body could ask for more.
const ROUNDS: usize = 4;

/// Reads a body's instructions and finds its raw locals.
#[derive(Default)]
pub(super) struct RawLocals {
    last: Source,
    found: HashMap<LocalId, Raw>,
    /// Assigned bits of other origin.
    settled: HashSet<LocalId>,
    /// Assignments of one local to another.
    copies: Vec<(LocalId, LocalId)>,
}

impl RawLocals {
    pub fn new(func: &Func) -> RawLocals {
        let settled = (0..func.sig.params.len()).map(|index| LocalId(index as u32)).collect();
        RawLocals { settled, ..RawLocals::default() }
    }

    pub fn next(&mut self, instr: Instr<'_>) {
        let before = core::mem::take(&mut self.last);
        match instr {
            Instr::Op(op, _) => self.last = operator(op, before),
            Instr::F64Const(bits) if !f64::from_bits(bits).is_nan() => self.last = Source::Number,
            Instr::F32Const(bits) if !f32::from_bits(bits).is_nan() => self.last = Source::Number,
            Instr::I64Const(0) => self.last = Source::Zeros(zeros_with(before)),
            Instr::Get(id) => self.last = Source::Local(id),
            Instr::Set(dests) => self.set(dests, before),
            Instr::CallSet(_, dests) | Instr::CallRefSet(_, dests) => self.settle(dests),
            Instr::SendSet(_, _, dests) | Instr::TrySet(_, _, dests) => self.settle(dests),
            Instr::SendToSet(_, _, dests) | Instr::TryToSet(_, _, dests) => self.settle(dests),
            Instr::OwnSet(_, dests) | Instr::OwnTrySet(_, dests) => self.settle(dests),
            Instr::RunSet(_, _, dests) | Instr::RunTrySet(_, _, dests) => self.settle(dests),
            _ => {}
        }
    }

    fn settle(&mut self, dests: Dests<'_>) {
        self.settled.extend(dests.iter().flatten());
    }

    /// Only the last of several values is known.
    fn set(&mut self, dests: Dests<'_>, last: Source) {
        let count = dests.len();
        for (at, id) in dests.iter().enumerate() {
            let Some(id) = id else { continue };
            match if at + 1 == count { last } else { Source::Other } {
                Source::Arithmetic(raw) => self.found(id, raw),
                Source::Number => {}
                Source::Local(from) => self.copies.push((from, id)),
                Source::Zeros(_) | Source::Other => {
                    self.settled.insert(id);
                }
            }
        }
    }

    /// A local of one kind of lanes cannot be of another.
    fn found(&mut self, id: LocalId, raw: Raw) {
        if *self.found.entry(id).or_insert(raw) != raw {
            self.settled.insert(id);
        }
    }

    /// All raw locals, once the body has been read.
    pub fn finish(mut self) -> HashMap<LocalId, Raw> {
        let copies = core::mem::take(&mut self.copies);
        for _ in 0..ROUNDS {
            let before = (self.found.len(), self.settled.len());
            for (from, to) in &copies {
                if let Some(raw) = self.found.get(from).copied() {
                    self.found(*to, raw);
                }
            }
            for (from, to) in &copies {
                if !self.found.contains_key(from) || self.settled.contains(from) {
                    self.settled.insert(*to);
                }
            }
            if before == (self.found.len(), self.settled.len()) {
                self.found.retain(|id, _| !self.settled.contains(id));
                return self.found;
            }
        }
        HashMap::new()
    }
}

/// How many zeros there are with one more.
fn zeros_with(before: Source) -> u8 {
    match before {
        Source::Zeros(count) => count.saturating_add(1),
        Source::Arithmetic(_) | Source::Number | Source::Local(_) | Source::Other => 1,
    }
}

fn operator(op: Op, before: Source) -> Source {
    match (Raw::of(op), op, before) {
        (Some(raw), _, _) => Source::Arithmetic(raw),
        (None, Op::F64FromI32S | Op::F64FromI32U | Op::F64FromI64S | Op::F64FromI64U, _) => Source::Number,
        (None, Op::F32FromI32S | Op::F32FromI32U | Op::F32FromI64S | Op::F32FromI64U, _) => Source::Number,
        (None, Op::F32x4Splat | Op::F64x2Splat, Source::Number) => Source::Number,
        (None, Op::V128FromI64s, Source::Zeros(2..)) => Source::Number,
        _ => Source::Other,
    }
}

#[cfg(test)]
mod tests {
    use il::instr::{Reader, Writer};
    use il::op::Immediate;

    use super::*;

    /// Which of four locals, the first one a parameter, are raw after these instructions.
    fn raw(write: impl Fn(&mut Writer)) -> Vec<u32> {
        let mut func = Func { locals: alloc::vec![Type::F64; 3], ..Func::default() };
        func.sig.params.push(Type::F64);
        let mut writer = Writer::default();
        write(&mut writer);
        let mut locals = RawLocals::new(&func);
        let mut reader = Reader::new(&writer.bytes);
        while let Ok(Some(instr)) = reader.next() {
            locals.next(instr);
        }
        let mut raw: Vec<u32> = locals.finish().into_keys().map(|id| id.0).collect();
        raw.sort_unstable();
        raw
    }

    fn op(out: &mut Writer, op: Op) {
        out.push(Instr::Op(op, Immediate::default()));
    }

    fn sum(out: &mut Writer, from: u32, to: u32) {
        out.push(Instr::Get(LocalId(from)));
        out.push(Instr::Get(LocalId(from)));
        op(out, Op::F64Add);
        out.set(&[Some(LocalId(to))]);
    }

    #[test]
    fn a_sum_is_raw_until_other_bits_are_assigned() {
        assert_eq!(raw(|out| sum(out, 1, 1)), [1]);
        assert_eq!(raw(|out| sum(out, 0, 0)), [0; 0], "a parameter's bits are the caller's");
        let started = |bits: u64| {
            raw(|out| {
                out.push(Instr::F64Const(bits));
                out.set(&[Some(LocalId(1))]);
                sum(out, 1, 1);
            })
        };
        assert_eq!(started(1.5f64.to_bits()), [1]);
        assert_eq!(started(0xfff8_0000_0000_0001), [0; 0]);
        let loaded = raw(|out| {
            sum(out, 1, 1);
            out.push(Instr::I32Const(0));
            op(out, Op::LoadF64);
            out.set(&[Some(LocalId(1))]);
        });
        assert_eq!(loaded, [0; 0]);
    }

    #[test]
    fn copies_are_what_they_are_copied_from() {
        let copied = |from: u32| {
            raw(|out| {
                out.push(Instr::Get(LocalId(from)));
                out.set(&[Some(LocalId(2))]);
                sum(out, 1, 1);
                sum(out, 1, 2);
            })
        };
        assert_eq!(copied(1), [1, 2]);
        assert_eq!(copied(0), [1]);
        assert_eq!(copied(3), [1], "nothing is known of it");
    }
}
