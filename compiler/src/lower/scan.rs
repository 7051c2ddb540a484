//! What lowering wants to know about a body before it starts.

use alloc::vec::Vec;
use core::ops::Range;

use cranelift_codegen::ir::{Type as Clif, types};
use hashbrown::{HashMap, HashSet};
use il::instr::{Dests, Instr, Reader};
use il::op::Op;
use il::{Func, LocalId, Type};

use super::effects::Effects;
use super::operand::Hold;

/// Facts about one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Offsets of `cond`s of type `bool` that only decide a branch: `a && b` in an `if` or `while`.
    pub deciding: HashSet<u32>,
    /// About how many blocks its code has.
    pub blocks: usize,
    /// What is assigned to locals. NaNs of vectors that are assigned float arithmetic alone are settled where the bits show
    /// instead of where they are assigned, so that a loop over them need not look at each. (A NaN from elsewhere keeps
    /// its bits, so a local that may hold such cannot be treated so.)
    pub assigned: HashMap<LocalId, Assigned>,
    /// `while`s, by offset, whose condition is short: where it stands in the body. Such are turned: tested once before
    /// the loop and again at its end, so that a turn takes one branch.
    pub turned: HashMap<u32, Range<u32>>,
    /// Whether it uses operators on vectors.
    pub vectors: bool,
    /// Where each local that is a reference lives, by ascending start.
    pub roots: Vec<Root>,
    /// Locals that are references and are first assigned inside a loop, by its offset: of the loops around that place, the
    /// innermost, and those that do not have the whole range in a loop of theirs.
    pub loop_locals: HashMap<u32, Vec<LocalId>>,
    /// Whether references should live in the frame: otherwise there would be too much code to put them there.
    pub roots_in_frame: bool,
    /// Whether even the stack maps would be too large.
    pub too_many_roots: bool,
}

/// What is assigned to a local.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Assigned {
    /// Results of this arithmetic alone.
    Raw(Raw),
    /// Anything.
    Any,
}

/// What float arithmetic a local holds results of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Raw {
    /// On these lanes.
    Lanes(Clif),
}

impl Raw {
    pub(super) fn hold(self) -> Hold {
        match self {
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
            _ => None,
        }
    }
}

/// The range of a local: outside it nobody looks at its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub local: LocalId,
    /// After the instruction that first assigns it; 0 for a parameter.
    pub start: u32,
    /// The last instruction that reads it, or the end of the loop in which that happens again.
    pub end: u32,
    /// Locals whose ranges overlap have different colours.
    pub colour: u32,
}

/// Above so many pairs of a call that may collect and a reference that lives across it, references live in the frame.
const SPILL_LIMIT: usize = 10_000;
/// Above so many, the stack maps alone would take more than some 50 MiB.
const ROOT_LIMIT: usize = 4_000_000;

/// Conditions of at most so many bytes are worth having twice.
const TURNED_BYTES: u32 = 40;

/// Reads the body once; `None` if it does not decode.
pub(crate) fn scan(func: &Func, effects: &Effects) -> Option<Facts> {
    let mut facts = Facts::default();
    let mut conds = Conds::default();
    let mut ranges = Ranges::new(func);
    let mut raw = None;
    let mut reader = Reader::new(&func.body);
    loop {
        let offset = reader.offset();
        let Some(instr) = reader.next().ok()? else { break };
        conds.next(offset, instr, &mut facts.deciding);
        ranges.next(offset, instr, &mut facts.loop_locals);
        if effects.may_collect(instr) {
            ranges.points.push(offset);
        }
        if instr == Instr::Test
            && let Some((at, start)) = ranges.innermost_while()
            && offset - start <= TURNED_BYTES
        {
            facts.turned.insert(at, start..offset);
        }
        raw = follow(instr, raw, &mut facts.assigned);
        facts.vectors |= matches!(instr, Instr::Shuffle(_)) || matches!(instr, Instr::Op(op, _) if on_vectors(op));
        match instr {
            Instr::Op(..) | Instr::I32Const(_) | Instr::I64Const(_) | Instr::F64Const(_) | Instr::BoolConst(_) => {}
            // Structure makes a block or two; so may assigning or dropping what is owned.
            _ => facts.blocks += 2,
        }
    }
    ranges.finish(&mut facts);
    Some(facts)
}

/// Notes what locals are assigned, given what the instruction before yields; and what this one yields.
fn follow(instr: Instr<'_>, before: Option<Assigned>, locals: &mut HashMap<LocalId, Assigned>) -> Option<Assigned> {
    match instr {
        Instr::Op(op, _) => Raw::of(op).map(Assigned::Raw),
        Instr::Set(dests) => {
            let value = before.filter(|_| dests.len() == 1).unwrap_or(Assigned::Any);
            assigned(dests, value, locals)
        }
        Instr::CallSet(_, dests)
        | Instr::CallRefSet(_, dests)
        | Instr::SendSet(_, _, dests)
        | Instr::TrySet(_, _, dests)
        | Instr::SendToSet(_, _, dests)
        | Instr::TryToSet(_, _, dests)
        | Instr::OwnSet(_, dests)
        | Instr::OwnTrySet(_, dests)
        | Instr::RunSet(_, _, dests)
        | Instr::RunTrySet(_, _, dests) => assigned(dests, Assigned::Any, locals),
        _ => None,
    }
}

fn assigned(dests: Dests<'_>, value: Assigned, locals: &mut HashMap<LocalId, Assigned>) -> Option<Assigned> {
    for id in dests.iter().flatten() {
        let known = locals.entry(id).or_insert(value);
        *known = match (*known, value) {
            (known, value) if known == value => known,
            _ => Assigned::Any,
        };
    }
    None
}

fn on_vectors(op: Op) -> bool {
    let info = op.info();
    info.result == Some(Type::V128) || info.params.contains(&Type::V128)
}

/// A loop that is being read.
struct Loop {
    at: u32,
    /// Where the condition of a `while` begins.
    condition: Option<u32>,
    /// Locals that live before it and are read inside: they live to its end.
    extend: Vec<u32>,
}

/// No loop.
const NONE: u32 = u32::MAX;

/// Finds the ranges of locals that are references.
struct Ranges {
    /// By local: (start, end), if it is a reference and has been assigned.
    known: Vec<Option<(u32, u32)>>,
    /// By local: whether it is a reference.
    reference: Vec<bool>,
    /// By local: the loop that it was last noted for.
    noted: Vec<u32>,
    /// Open constructs; loops by their place in `loops`.
    open: Vec<bool>,
    loops: Vec<Loop>,
    /// By loop: the one around it, or [`NONE`].
    around: HashMap<u32, u32>,
    /// By local: the outermost loop at whose head it is forgotten, or [`NONE`].
    forgotten: Vec<u32>,
    /// How often locals are forgotten.
    forgettings: usize,
    /// Offsets of instructions that may collect.
    points: Vec<u32>,
}

impl Ranges {
    fn new(func: &Func) -> Ranges {
        let reference: Vec<bool> = func.sig.params.iter().chain(&func.locals).map(|ty| ty.is_reference()).collect();
        let params = func.sig.params.len();
        let known = reference.iter().enumerate().map(|(at, is)| (*is && at < params).then_some((0, 0))).collect();
        let noted = alloc::vec![NONE; reference.len()];
        Ranges {
            known,
            reference,
            forgotten: noted.clone(),
            noted,
            open: Vec::new(),
            loops: Vec::new(),
            around: HashMap::new(),
            forgettings: 0,
            points: Vec::new(),
        }
    }

    fn next(&mut self, offset: u32, instr: Instr<'_>, loop_locals: &mut HashMap<u32, Vec<LocalId>>) {
        match instr {
            Instr::Get(id) => {
                self.read(id, offset);
                self.occur(id, loop_locals);
            }
            Instr::Set(dests)
            | Instr::CallSet(_, dests)
            | Instr::CallRefSet(_, dests)
            | Instr::SendSet(_, _, dests)
            | Instr::TrySet(_, _, dests)
            | Instr::SendToSet(_, _, dests)
            | Instr::TryToSet(_, _, dests)
            | Instr::OwnSet(_, dests)
            | Instr::OwnTrySet(_, dests)
            | Instr::RunSet(_, _, dests)
            | Instr::RunTrySet(_, _, dests) => self.assign(dests, offset, loop_locals),
            Instr::IfAs(_, id) => {
                self.assign_one(id, offset, loop_locals);
                self.open.push(false);
            }
            Instr::If | Instr::Cond(_) | Instr::Switch | Instr::Block => self.open.push(false),
            Instr::Loop | Instr::While | Instr::For(_) => {
                self.open.push(true);
                // The instruction is one byte.
                let condition = (instr == Instr::While).then_some(offset + 1);
                self.around.insert(offset, self.loops.last().map_or(NONE, |open| open.at));
                self.loops.push(Loop { at: offset, condition, extend: Vec::new() });
            }
            Instr::End => self.end(offset),
            _ => {}
        }
    }

    /// The `while` that is the innermost construct: where it stands, and where its condition begins.
    fn innermost_while(&self) -> Option<(u32, u32)> {
        let innermost = self.loops.last().filter(|_| self.open.last() == Some(&true))?;
        Some((innermost.at, innermost.condition?))
    }

    fn end(&mut self, offset: u32) {
        if self.open.pop() != Some(true) {
            return;
        }
        let Some(ended) = self.loops.pop() else { return };
        for local in ended.extend {
            if let Some(Some((_, end))) = self.known.get_mut(local as usize) {
                *end = offset;
            }
        }
    }

    fn read(&mut self, id: LocalId, offset: u32) {
        let Some(Some((start, end))) = self.known.get_mut(id.index()) else { return };
        *end = offset;
        let start = *start;
        // The outermost loop that begins after it was first assigned.
        let at = self.loops.partition_point(|open| open.at < start);
        let Some(open) = self.loops.get_mut(at) else { return };
        if let Some(noted) = self.noted.get_mut(id.index())
            && *noted != open.at
        {
            *noted = open.at;
            open.extend.push(id.0);
        }
    }

    fn assign(&mut self, dests: Dests<'_>, offset: u32, loop_locals: &mut HashMap<u32, Vec<LocalId>>) {
        for id in dests.iter().flatten() {
            self.assign_one(id, offset, loop_locals);
        }
    }

    fn assign_one(&mut self, id: LocalId, offset: u32, loop_locals: &mut HashMap<u32, Vec<LocalId>>) {
        if self.reference.get(id.index()) != Some(&true) {
            return;
        }
        if let Some(known @ None) = self.known.get_mut(id.index()) {
            *known = Some((offset + 1, offset));
            if let Some(at) = self.loops.last().map(|open| open.at) {
                self.forget(id, at, loop_locals);
            }
        } else {
            self.occur(id, loop_locals);
        }
    }

    /// A local is read or assigned again: perhaps outside of loops that are around its first assignment. In their next
    /// turns it would be stale where it is in range already.
    fn occur(&mut self, id: LocalId, loop_locals: &mut HashMap<u32, Vec<LocalId>>) {
        let Some(mut at) = self.forgotten.get(id.index()).copied().filter(|at| *at != NONE) else { return };
        let Some(Some((start, _))) = self.known.get(id.index()).copied() else { return };
        let both = self.loops.partition_point(|open| open.at < start);
        let both = both.checked_sub(1).and_then(|at| self.loops.get(at)).map_or(NONE, |open| open.at);
        while at != both && self.forgettings <= ROOT_LIMIT {
            at = self.around.get(&at).copied().unwrap_or(NONE);
            if at == NONE {
                return;
            }
            self.forget(id, at, loop_locals);
        }
    }

    fn forget(&mut self, id: LocalId, at: u32, loop_locals: &mut HashMap<u32, Vec<LocalId>>) {
        loop_locals.entry(at).or_default().push(id);
        self.forgettings += 1;
        if let Some(forgotten) = self.forgotten.get_mut(id.index()) {
            *forgotten = at;
        }
    }

    fn finish(self, facts: &mut Facts) {
        let mut pairs = 0usize;
        for (at, known) in self.known.iter().enumerate() {
            let Some((start, end)) = known else { continue };
            let first = self.points.partition_point(|point| point < start);
            let last = self.points.partition_point(|point| point < end);
            if last > first {
                pairs = pairs.saturating_add(last - first);
                facts.roots.push(Root { local: LocalId(at as u32), start: *start, end: *end, colour: 0 });
            }
        }
        facts.roots.sort_by_key(|root| root.start);
        colour(&mut facts.roots);
        facts.roots_in_frame = pairs > SPILL_LIMIT;
        facts.too_many_roots = pairs.max(self.forgettings) > ROOT_LIMIT;
    }
}

/// Gives ranges that overlap different colours, low ones first. They are sorted by start.
fn colour(roots: &mut [Root]) {
    let mut free: alloc::collections::BinaryHeap<core::cmp::Reverse<u32>> = Default::default();
    let mut taken: alloc::collections::BinaryHeap<core::cmp::Reverse<(u32, u32)>> = Default::default();
    let mut next = 0;
    for root in roots {
        while let Some(core::cmp::Reverse((end, colour))) = taken.peek().copied() {
            if end > root.start {
                break;
            }
            taken.pop();
            free.push(core::cmp::Reverse(colour));
        }
        root.colour = match free.pop() {
            Some(core::cmp::Reverse(colour)) => colour,
            None => {
                next += 1;
                next - 1
            }
        };
        taken.push(core::cmp::Reverse((root.end, root.colour)));
    }
}

/// A `cond` and those inside it that pass their value on as its value.
#[derive(Default)]
struct Cond {
    offsets: Vec<u32>,
}

/// Finds the `cond`s whose value is at once branched on.
#[derive(Default)]
struct Conds {
    /// Open constructs; `Some` for a `cond` of type `bool`.
    open: Vec<Option<Cond>>,
    /// The `cond` that has just ended.
    ended: Option<Cond>,
}

impl Conds {
    fn next(&mut self, offset: u32, instr: Instr<'_>, deciding: &mut HashSet<u32>) {
        if let Some(cond) = self.ended.take() {
            match instr {
                Instr::If | Instr::Test | Instr::Assert(_) => deciding.extend(cond.offsets),
                Instr::Else | Instr::End => {
                    if let Some(Some(outer)) = self.open.last_mut() {
                        outer.offsets.extend(cond.offsets);
                    }
                }
                _ => {}
            }
        }
        match instr {
            Instr::Cond(Type::Bool) => self.open.push(Some(Cond { offsets: alloc::vec![offset] })),
            Instr::Cond(_)
            | Instr::If
            | Instr::IfAs(..)
            | Instr::Block
            | Instr::Loop
            | Instr::While
            | Instr::For(_)
            | Instr::Switch => self.open.push(None),
            Instr::End => self.ended = self.open.pop().flatten(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use il::instr::Writer;

    use super::*;

    /// At whose heads the one local is forgotten, of a body that this writes.
    fn forgotten(write: impl FnOnce(&mut Writer)) -> Vec<u32> {
        let mut code = Writer::default();
        write(&mut code);
        let func = Func { locals: vec![Type::OptAny], body: code.bytes, ..Func::default() };
        let facts = scan(&func, &Effects::default()).unwrap();
        let mut heads: Vec<u32> = facts.loop_locals.into_keys().collect();
        heads.sort_unstable();
        heads
    }

    fn used(code: &mut Writer) {
        code.push(Instr::Null(Type::OptAny));
        code.set_one(LocalId(0));
        code.push(Instr::Get(LocalId(0)));
        code.set(&[None]);
    }

    fn looped(code: &mut Writer, body: impl FnOnce(&mut Writer)) {
        code.push(Instr::Loop);
        body(code);
        code.push(Instr::End);
    }

    #[test]
    fn a_local_is_forgotten_at_each_head_after_which_it_may_be_in_range_and_stale() {
        let inside = |code: &mut Writer| looped(code, |code| looped(code, used));
        assert_eq!(forgotten(inside), [1], "its range is inside the inner loop");
        let both = |code: &mut Writer| {
            looped(code, |code| {
                looped(code, used);
                used(code);
            });
        };
        assert_eq!(forgotten(both), [0, 1], "it is in range behind the inner loop, which a turn may not come to");
        let behind = |code: &mut Writer| {
            looped(code, |code| looped(code, |code| looped(code, used)));
            used(code);
        };
        assert_eq!(forgotten(behind), [0, 1, 2]);
        let before = |code: &mut Writer| {
            used(code);
            looped(code, |code| looped(code, used));
        };
        assert_eq!(forgotten(before), [0; 0], "it is in range from before the loops on");
    }
}
