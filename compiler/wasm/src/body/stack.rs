//! The operand stack of a body under translation.
//!
//! WebAssembly's stack code is post-order, and so are the IL's trees: a value that waits on the stack is the bytes of
//! its tree at the end of the code, one value after the other, and an operator that takes the topmost values only
//! appends itself. A statement must not have values waiting below it. So those are computed into temporary locals
//! before it, in order, unless it makes no difference when they are read: constants, temporaries, and locals that the
//! statement does not assign (*leaves*). Leaves are taken off the code and put back after the statement.
//!
//! The temporary of a value is that of its place on the stack and its type, so few are needed, and two values that
//! wait at once never share one. Only the topmost value may be a `bool`; it becomes an `i32` as soon as something is
//! pushed on it or it is stored.

use il::instr::Instr;
use il::op::{Immediate, Op};
use il::{LocalId, Type};

use super::{State, Translator};
use crate::error::Result;

/// Trees are not made higher than this.
const TREE_HEIGHT: u16 = 200;
/// Where on the stack of a construct trees are computed at once: so few operands wait at run time.
const WAITING: usize = 300;
/// How many leaves are put back on the code after a statement; the others when they are wanted.
const BACK: usize = 16;

/// What a tree may do besides yielding its value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Effect {
    /// Nothing: it reads locals and constants only.
    Pure,
    /// It reads what others write, or may trap.
    Reads,
    /// It writes, calls, or sends.
    Writes,
}

/// A value whose tree is one instruction, and which can be computed at any time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Leaf {
    Local(LocalId),
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    /// Null of this type.
    Null(Type),
}

impl Leaf {
    pub(super) fn instr(self) -> Instr<'static> {
        match self {
            Leaf::Local(local) => Instr::Get(local),
            Leaf::I32(value) => Instr::I32Const(value),
            Leaf::I64(value) => Instr::I64Const(value),
            Leaf::F32(bits) => Instr::F32Const(bits),
            Leaf::F64(bits) => Instr::F64Const(bits),
            Leaf::Null(ty) => Instr::Null(ty),
        }
    }
}

/// A value on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where its tree starts in the code.
    pub start: usize,
    pub ty: Type,
    pub leaf: Option<Leaf>,
    pub effect: Effect,
    height: u16,
}

impl Entry {
    pub fn leaf(start: usize, ty: Type, leaf: Leaf) -> Entry {
        Entry { start, ty, leaf: Some(leaf), effect: Effect::Pure, height: 0 }
    }
}

/// Temporaries of one place on the stack: one more than the local's index, by the type's class.
pub(super) type Temps = [u32; CLASSES];
const CLASSES: usize = 7;

fn class(ty: Type) -> Option<usize> {
    match ty {
        Type::I32 => Some(0),
        Type::I64 => Some(1),
        Type::F32 => Some(2),
        Type::F64 => Some(3),
        Type::V128 => Some(4),
        Type::OptAny => Some(5),
        Type::Any => Some(6),
        Type::Bool | Type::Str | Type::Buf | Type::BufRef => None,
        Type::OptStr | Type::OptBuf | Type::Ref(_) | Type::Opt(_) => None,
    }
}

impl Translator<'_, '_, '_> {
    /// The temporary of a place on the stack.
    pub(super) fn temp(&mut self, slot: usize, ty: Type) -> LocalId {
        let Some(class) = class(ty) else { return self.rare_temp(slot, ty) };
        if self.temps.len() <= slot {
            self.temps.resize(slot + 1, [0; CLASSES]);
        }
        let known = self.temps.get(slot).map_or(0, |temps| temps[class]);
        if let Some(index) = known.checked_sub(1) {
            return LocalId(index);
        }
        let local = self.new_local(ty);
        if let Some(temps) = self.temps.get_mut(slot) {
            temps[class] = local.0 + 1;
        }
        local
    }

    fn rare_temp(&mut self, slot: usize, ty: Type) -> LocalId {
        if let Some(local) = self.rare_temps.get(&(slot, ty)) {
            return *local;
        }
        let local = self.new_local(ty);
        self.rare_temps.insert((slot, ty), local);
        local
    }

    pub(super) fn new_local(&mut self, ty: Type) -> LocalId {
        self.locals.push(ty);
        self.states.push(State::default());
        LocalId(self.locals.len() as u32 - 1)
    }

    /// What is known of a local.
    pub(super) fn state(&mut self, local: LocalId) -> &mut State {
        if self.states.len() <= local.index() {
            self.states.resize(local.index() + 1, State::default());
        }
        &mut self.states[local.index()]
    }

    pub(super) fn emit(&mut self, instr: Instr<'_>) {
        self.code.push(instr);
    }

    pub(super) fn emit_op(&mut self, op: Op) {
        self.code.push(Instr::Op(op, Immediate::default()));
    }

    // Values

    /// A `bool` on top becomes a number.
    pub(super) fn settle(&mut self) {
        let Some(top) = self.entries.last_mut() else { return };
        if top.ty == Type::Bool {
            top.ty = Type::I32;
            top.height += 1;
            self.emit_op(Op::I32FromBool);
        }
    }

    /// The value on top becomes a `bool`: whether it is not zero.
    pub(super) fn condition(&mut self) -> Result {
        let top = self.top()?;
        if top.ty != Type::Bool {
            self.emit(Instr::I32Const(0));
            self.emit_op(Op::I32Ne);
            self.retype(Type::Bool);
        }
        Ok(())
    }

    /// The value on top has become another by what was appended.
    pub(super) fn retype(&mut self, ty: Type) {
        if let Some(top) = self.entries.last_mut() {
            top.ty = ty;
            top.leaf = None;
            top.height += 1;
        }
    }

    /// The value on top is computed where it stands, and not later.
    pub(super) fn unleaf(&mut self) {
        if let Some(top) = self.entries.last_mut() {
            top.leaf = None;
        }
    }

    pub(super) fn top(&mut self) -> Result<Entry> {
        self.entry(0)
    }

    /// The value so many below the top.
    pub(super) fn entry(&mut self, below: usize) -> Result<Entry> {
        self.reach(below + 1)?;
        let at = self.entries.len().checked_sub(below + 1);
        at.and_then(|at| self.entries.get(at)).copied().ok_or_else(|| self.internal("an operand"))
    }

    /// Puts a leaf on the stack.
    pub(super) fn push_leaf(&mut self, leaf: Leaf, ty: Type) {
        self.settle();
        let start = self.code.bytes.len();
        self.emit(leaf.instr());
        self.entries.push(Entry::leaf(start, ty, leaf));
    }

    /// Appends an instruction that takes the `count` topmost values and yields one.
    pub(super) fn tree(&mut self, instr: Instr<'_>, count: usize, ty: Type, effect: Effect) -> Result {
        if count == 0 {
            return self.nullary(instr, ty, effect);
        }
        self.settle();
        self.reach(count)?;
        self.emit(instr);
        self.merge(count, ty, effect)
    }

    /// What was appended takes the `count` topmost values, one at least, and yields one.
    pub(super) fn merge(&mut self, count: usize, ty: Type, effect: Effect) -> Result {
        let len = self.entries.len();
        let first = len.checked_sub(count).filter(|first| *first >= self.floor);
        let first = first.ok_or_else(|| self.internal("operands"))?;
        let mut merged = Entry { start: self.code.bytes.len(), ty, leaf: None, effect, height: 0 };
        for entry in self.entries.get(first..).unwrap_or_default() {
            merged.effect = merged.effect.max(entry.effect);
            merged.height = merged.height.max(entry.height);
        }
        merged.start = self.entries.get(first).map_or(merged.start, |entry| entry.start);
        merged.height += 1;
        self.entries.truncate(first);
        self.entries.push(merged);
        if merged.height > TREE_HEIGHT || first > self.floor + WAITING { self.spill() } else { Ok(()) }
    }

    /// Appends an instruction that takes no values and yields one.
    pub(super) fn nullary(&mut self, instr: Instr<'_>, ty: Type, effect: Effect) -> Result {
        self.settle();
        let start = self.code.bytes.len();
        self.emit(instr);
        self.entries.push(Entry { start, ty, leaf: None, effect, height: 0 });
        if self.entries.len() > self.floor + WAITING { self.spill() } else { Ok(()) }
    }

    /// Notes that a value which takes none was written, from this place in the code on.
    pub(super) fn push_written(&mut self, start: usize, ty: Type) -> Result {
        self.entries.push(Entry { start, ty, leaf: None, effect: Effect::Pure, height: 2 });
        if self.entries.len() > self.floor + WAITING { self.spill() } else { Ok(()) }
    }

    /// Computes the value on top now.
    fn spill(&mut self) -> Result {
        self.settle();
        let ty = self.top()?.ty;
        let temp = self.temp(self.entries.len() - 1, ty);
        self.begin(1, Keep::ALL)?;
        self.code.set_one(temp);
        self.restore();
        self.push_leaf(Leaf::Local(temp), ty);
        Ok(())
    }

    // Statements

    /// Begins a statement that takes the `count` topmost values: what waits below is computed, and at the end of the
    /// code stand the values taken, and nothing else. Returns where they start. [`Translator::restore`] follows the
    /// statement. A condition stays a `bool`; who wants numbers settles it before.
    pub(super) fn begin(&mut self, count: usize, keep: Keep) -> Result<usize> {
        if count == 0 {
            self.settle();
        }
        self.reach(count)?;
        let first = self.entries.len() - count;
        if first > self.floor {
            let tail = self.compute(first, keep);
            let from = self.entries.get(first).map_or(self.scratch.len(), |entry| entry.start - tail);
            self.code.bytes.extend_from_slice(self.scratch.get(from..).unwrap_or_default());
            let taken = self.scratch.len() - from;
            self.entries.truncate(first);
            return Ok(self.code.bytes.len() - taken);
        }
        let start = self.entries.get(first).map_or(self.code.bytes.len(), |entry| entry.start);
        self.entries.truncate(first);
        Ok(start)
    }

    /// Takes all values of the construct off the code, to `scratch`, and computes those before the index `end` that are
    /// not leaves. Returns where the values started.
    fn compute(&mut self, end: usize, keep: Keep) -> usize {
        let base = self.floor;
        let Some(tail) = self.entries.get(base).map(|entry| entry.start) else { return self.code.bytes.len() };
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(self.code.bytes.get(tail..).unwrap_or_default());
        self.code.bytes.truncate(tail);
        for at in base..end {
            let Some(entry) = self.entries.get(at).copied() else { break };
            let (waits, temp) = match entry.leaf {
                Some(Leaf::Local(local)) => {
                    let overwritten = Some(local) == keep.assigned || keep.constructs && self.state(local).declared;
                    (!overwritten, Some(local))
                }
                Some(_) => (true, None),
                None => (false, None),
            };
            if waits && (at < keep.from || temp.is_some_and(|local| local == self.temp(at, entry.ty))) {
                continue;
            }
            let next = self.entries.get(at + 1).map_or(scratch.len(), |next| next.start - tail);
            self.code.bytes.extend_from_slice(scratch.get(entry.start - tail..next).unwrap_or_default());
            let temp = self.temp(at, entry.ty);
            self.code.set_one(temp);
            if let Some(entry) = self.entries.get_mut(at) {
                (entry.leaf, entry.effect, entry.height) = (Some(Leaf::Local(temp)), Effect::Pure, 0);
            }
        }
        self.scratch = scratch;
        tail
    }

    /// Sees to it that the `count` topmost values are in the code.
    pub(super) fn reach(&mut self, count: usize) -> Result {
        let Some(first) = self.entries.len().checked_sub(count) else { return Err(self.internal("operands")) };
        if first < self.floor { self.lower_floor(first) } else { Ok(()) }
    }

    #[cold]
    fn lower_floor(&mut self, first: usize) -> Result {
        let base = self.frames.last().map_or(0, |frame| frame.base);
        if first < base {
            return Err(self.internal("operands"));
        }
        let (old, new) = (self.floor, first.saturating_sub(BACK).max(base));
        let end = self.code.bytes.len();
        let tail = self.entries.get(old).map_or(end, |entry| entry.start);
        self.put_back(new, old);
        let added = self.code.bytes.len() - end;
        self.code.bytes.get_mut(tail..).unwrap_or_default().rotate_right(added);
        for entry in self.entries.get_mut(new..old).unwrap_or_default() {
            entry.start = entry.start - end + tail;
        }
        for entry in self.entries.get_mut(old..).unwrap_or_default() {
            entry.start += added;
        }
        self.floor = new;
        Ok(())
    }

    /// After a statement: puts the leaves that it left waiting back on the code, as far as they may soon be wanted.
    pub(super) fn restore(&mut self) {
        let len = self.entries.len();
        let base = self.frames.last().map_or(0, |frame| frame.base);
        let floor = len.saturating_sub(BACK).max(base);
        // Statements that assign locals look only at what is in the code.
        for at in self.floor..floor {
            let Some(entry) = self.entries.get(at).copied() else { break };
            if let Some(Leaf::Local(local)) = entry.leaf
                && self.state(local).declared
            {
                let temp = self.temp(at, entry.ty);
                self.emit(Instr::Get(local));
                self.code.set_one(temp);
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.leaf = Some(Leaf::Local(temp));
                }
            }
        }
        self.floor = floor;
        self.put_back(floor, len);
    }

    fn put_back(&mut self, from: usize, to: usize) {
        for at in from..to {
            let start = self.code.bytes.len();
            let Some(entry) = self.entries.get_mut(at) else { return };
            entry.start = start;
            if let Some(leaf) = entry.leaf {
                self.emit(leaf.instr());
            }
        }
    }

    /// Sees to it that `count` values, with so many above them, can be moved within their statement: none does more than
    /// `most`.
    pub(super) fn steady(&mut self, above: usize, count: usize, most: Effect) -> Result {
        self.settle();
        self.reach(above + count)?;
        let end = self.entries.len() - above;
        let first = end - count;
        let restless = self.entries.get(first..end).unwrap_or_default().iter().rposition(|entry| entry.effect > most);
        restless.map_or(Ok(()), |last| self.compute_to(first + last + 1))
    }

    /// Makes leaves of all values before this place on the stack.
    pub(super) fn compute_to(&mut self, end: usize) -> Result {
        let tail = self.compute(end, Keep::ALL);
        self.put_back(self.floor, end);
        let moved = self.entries.get(end).map_or(self.scratch.len(), |entry| entry.start - tail);
        let start = self.code.bytes.len();
        self.code.bytes.extend_from_slice(self.scratch.get(moved..).unwrap_or_default());
        for entry in self.entries.get_mut(end..).unwrap_or_default() {
            entry.start = entry.start - tail - moved + start;
        }
        Ok(())
    }

    /// Puts instructions before the value so many below the top (0: the topmost one). They must not mind being computed
    /// before it.
    pub(super) fn insert(&mut self, below: usize, write: impl FnOnce(&mut Self)) -> Result {
        let at = self.entry(below)?.start;
        let end = self.code.bytes.len();
        write(self);
        let added = self.code.bytes.len() - end;
        self.code.bytes.get_mut(at..).unwrap_or_default().rotate_right(added);
        let from = self.entries.len() - below;
        for entry in self.entries.get_mut(from..).unwrap_or_default() {
            entry.start += added;
        }
        Ok(())
    }

    /// Moves the topmost value before the `count` values below it; all are taken next, by what does not ask where each
    /// starts.
    pub(super) fn rotate_to_front(&mut self, count: usize) -> Result {
        let (first, top) = (self.entry(count)?.start, self.top()?.start);
        let length = self.code.bytes.len() - top;
        self.code.bytes.get_mut(first..).unwrap_or_default().rotate_right(length);
        Ok(())
    }

    /// The leaves that wait on top, in order: to be stored by a branch, without being taken.
    pub(super) fn read_leaves(&mut self, from: usize, count: usize) {
        for at in from..from + count {
            if let Some(leaf) = self.entries.get(at).and_then(|entry| entry.leaf) {
                self.emit(leaf.instr());
            }
        }
    }
}

/// What a statement does to values that wait below it.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// The local that it assigns.
    pub assigned: Option<LocalId>,
    /// From this place on, values must be in their temporaries.
    pub from: usize,
    /// Whether it opens a construct, which may assign any local.
    pub constructs: bool,
}

impl Keep {
    /// It assigns no local that a value may wait in.
    pub const ALL: Keep = Keep { assigned: None, from: usize::MAX, constructs: false };

    pub fn assigning(local: LocalId) -> Keep {
        Keep { assigned: Some(local), ..Keep::ALL }
    }

    pub fn below(from: usize) -> Keep {
        Keep { from, ..Keep::ALL }
    }
}
