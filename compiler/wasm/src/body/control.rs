//! Constructs and branches.
//!
//! Each of WebAssembly's constructs is one of the IL's that `break` counts, so depths stay as they are: `block` is
//! `block`, `loop` is a `loop` that breaks at its end, `if` is an `if` in a `block`. Values cross a construct's ends in
//! the temporaries of their places on the stack.

use il::instr::Instr;
use il::{LocalId, Type, limits};
use wasmparser::{BlockType, BrTable, Operator};

use super::Translator;
use super::stack::{Entry, Keep, Leaf};
use crate::error::Result;

/// An open construct.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub kind: Kind,
    /// Where its results go, on the stack of values.
    pub height: usize,
    /// Values below this wait outside, off the code.
    pub base: usize,
    /// Its parameters and results among `kinds`.
    params: usize,
    pub results: usize,
    /// Where `kinds` ends when it is closed.
    kinds: usize,
    /// Whether a branch leads to its end.
    pub left: bool,
    /// How many assignments were known where it began.
    pub assignments: usize,
    /// Which of the open constructs that `break` counts it is, the outermost first.
    pub target: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Function,
    Block,
    Loop,
    If,
    Else,
    /// One that catches, in its body,
    Try,
    /// and in a clause.
    Catch,
}

impl Kind {
    /// How many of the IL's constructs it is at most.
    const fn constructs(self) -> usize {
        match self {
            Kind::Function => 0,
            Kind::Block | Kind::Loop => 1,
            Kind::If | Kind::Else => 2,
            Kind::Try | Kind::Catch => 3,
        }
    }
}

impl Translator<'_, '_, '_> {
    pub(super) fn open_function(&mut self, results: &[Type]) {
        self.kinds.extend_from_slice(results);
        self.frames.push(Frame {
            kind: Kind::Function,
            height: 0,
            base: 0,
            params: 0,
            results: results.len(),
            kinds: 0,
            left: false,
            assignments: 0,
            target: 0,
        });
    }

    /// Notes a construct's type; returns how many parameters it has.
    fn note_types(&mut self, ty: BlockType) -> Result<(usize, usize)> {
        match ty {
            BlockType::Empty => Ok((0, 0)),
            BlockType::Type(ty) => {
                let ty = self.value_type(ty);
                self.kinds.push(ty);
                Ok((0, 1))
            }
            BlockType::FuncType(index) => {
                let sig = self.unit.types.sig(index).ok_or_else(|| self.internal("a type index"))?;
                self.kinds.extend_from_slice(&sig.params);
                self.kinds.extend_from_slice(&sig.results);
                Ok((sig.params.len(), sig.results.len()))
            }
        }
    }

    pub(super) fn open(&mut self, kind: Kind, ty: BlockType) -> Result {
        let kinds = self.kinds.len();
        let (params, results) = self.note_types(ty)?;
        let opening = if kind == Kind::Loop { Instr::Loop } else { Instr::Block };
        let values = usize::from(kind == Kind::If);
        // Some room is left for what stands in it.
        if self.depth + kind.constructs() + 1 > limits::NESTING {
            return Err(self.unsupported("a construct inside so many others", "split the function"));
        }
        self.depth += kind.constructs();
        self.reach(values + params)?;
        let waiting = self.entries.len() - values;
        let height = waiting.checked_sub(params).ok_or_else(|| self.internal("parameters of a construct"))?;
        self.fit_kinds(values, kinds, params)?;
        if !matches!(kind, Kind::Block | Kind::Try) {
            self.generalise(height, kinds, params);
        }
        // The head of a loop is come to again, and an `if` has two branches: both want parameters where they are.
        let keep = if matches!(kind, Kind::Block | Kind::Try) || params == 0 { Keep::ALL } else { Keep::below(height) };
        let keep = Keep { constructs: true, ..keep };
        let start = self.begin(values, keep)?;
        let end = self.code.bytes.len();
        self.emit(opening);
        let added = self.code.bytes.len() - end;
        self.code.bytes.get_mut(start..).unwrap_or_default().rotate_right(added);
        match kind {
            Kind::If => self.emit(Instr::If),
            Kind::Try => self.emit(Instr::Block),
            Kind::Function | Kind::Block | Kind::Loop | Kind::Else | Kind::Catch => {}
        }
        let (assignments, target) = (self.assignments.len(), self.blocks);
        self.blocks += if kind == Kind::Try { 2 } else { 1 };
        self.frames.push(Frame {
            kind,
            height,
            base: height,
            params,
            results,
            kinds,
            left: false,
            assignments,
            target,
        });
        self.restore();
        Ok(())
    }

    /// Values that other ways lead to as well are of the construct's types, and not of narrower ones.
    fn generalise(&mut self, height: usize, kinds: usize, params: usize) {
        for at in 0..params {
            let Some(ty) = self.kinds.get(kinds + at).copied().filter(|ty| ty.is_reference()) else { continue };
            if let Some(entry) = self.entries.get_mut(height + at) {
                entry.ty = ty;
            }
        }
    }

    pub(super) fn frame(&self, depth: u32) -> Result<Frame> {
        let at = self.frames.len().checked_sub(depth as usize + 1);
        at.and_then(|at| self.frames.get(at)).copied().ok_or_else(|| self.internal("a label"))
    }

    /// How many values a branch to a construct takes, and where their types stand.
    pub(super) fn label(&self, frame: Frame) -> (usize, usize) {
        match frame.kind {
            Kind::Loop => (frame.kinds, frame.params),
            Kind::Function | Kind::Block | Kind::If | Kind::Else | Kind::Try | Kind::Catch => {
                (frame.kinds + frame.params, frame.results)
            }
        }
    }

    /// Assigns the values at the code's end to where a construct wants them.
    fn deliver(&mut self, frame: Frame, kinds: usize, count: usize) {
        let mut dests = core::mem::take(&mut self.dests);
        dests.clear();
        for at in 0..count {
            let ty = self.kinds.get(kinds + at).copied().unwrap_or(Type::I32);
            dests.push(Some(self.temp(frame.height + at, ty)));
        }
        self.code.set(&dests);
        self.dests = dests;
    }

    /// Whether the values on top are where a construct wants them already.
    fn delivered(&mut self, frame: Frame, kinds: usize, count: usize) -> bool {
        let Some(first) = self.entries.len().checked_sub(count) else { return false };
        (0..count).all(|at| {
            let ty = self.kinds.get(kinds + at).copied();
            let leaf = self.entries.get(first + at).and_then(|entry| entry.leaf);
            ty.is_some_and(|ty| leaf == Some(Leaf::Local(self.temp(frame.height + at, ty))))
        })
    }

    /// The instruction that goes to a construct's end, or a loop's head.
    fn leave(&mut self, depth: u32) {
        let at = self.frames.len().saturating_sub(depth as usize + 1);
        let Some(frame) = self.frames.get_mut(at) else { return };
        frame.left = true;
        let inside = self.blocks.saturating_sub(frame.target + 1) as u32;
        let instr = match frame.kind {
            Kind::Function => Instr::Return,
            Kind::Loop => Instr::Continue(inside),
            Kind::Block | Kind::If | Kind::Else | Kind::Try | Kind::Catch => Instr::Break(inside),
        };
        self.emit(instr);
    }

    /// Takes a branch whose values, all leaves, stay on the stack for the other way.
    pub(super) fn leave_with_leaves(&mut self, depth: u32) -> Result {
        let frame = self.frame(depth)?;
        let (kinds, count) = self.label(frame);
        let from = self.entries.len().checked_sub(count).ok_or_else(|| self.internal("values of a branch"))?;
        if frame.kind == Kind::Function {
            self.read_fitting(from, kinds, count);
        } else if count > 0 && !self.delivered(frame, kinds, count) {
            self.read_fitting(from, kinds, count);
            self.deliver(frame, kinds, count);
        }
        self.leave(depth);
        Ok(())
    }

    /// Takes a branch with the values at the code's end, which are as many as it wants.
    pub(super) fn leave_with(&mut self, depth: u32) -> Result {
        let frame = self.frame(depth)?;
        let (kinds, count) = self.label(frame);
        if frame.kind != Kind::Function && count > 0 {
            self.deliver(frame, kinds, count);
        }
        self.leave(depth);
        Ok(())
    }

    /// What follows is not reached.
    pub(super) fn unreached(&mut self) {
        let base = self.frames.last().map_or(0, |frame| frame.base);
        self.entries.truncate(base);
        self.floor = base;
        self.dead = Some(0);
    }

    fn branch(&mut self, depth: u32) -> Result {
        self.settle();
        let frame = self.frame(depth)?;
        let (kinds, count) = self.label(frame);
        self.fit_kinds(0, kinds, count)?;
        let delivered = count > 0 && self.delivered(frame, kinds, count);
        let start = self.begin(count, Keep::ALL)?;
        if frame.kind != Kind::Function && count > 0 {
            match delivered {
                true => self.code.bytes.truncate(start),
                false => self.deliver(frame, kinds, count),
            }
        }
        self.leave(depth);
        self.unreached();
        Ok(())
    }

    fn branch_if(&mut self, depth: u32) -> Result {
        self.condition()?;
        self.begin(1, Keep::ALL)?;
        self.emit(Instr::If);
        self.leave_with_leaves(depth)?;
        self.emit(Instr::End);
        self.restore();
        Ok(())
    }

    fn branch_table(&mut self, table: &BrTable<'_>) -> Result {
        self.settle();
        self.begin(1, Keep::ALL)?;
        let mut arms = core::mem::take(&mut self.arms);
        arms.clear();
        for (value, depth) in table.targets().enumerate() {
            let depth = depth.map_err(|error| self.invalid(&error))?;
            if depth != table.default() {
                arms.push((depth, value as i64));
            }
        }
        arms.sort_unstable();
        self.emit(Instr::Switch);
        for arm in arms.chunk_by(|one, other| one.0 == other.0) {
            let Some((depth, _)) = arm.first().copied() else { continue };
            let values: alloc::vec::Vec<i64> = arm.iter().map(|(_, value)| *value).collect();
            self.code.arm(&values);
            self.leave_with_leaves(depth)?;
        }
        self.arms = arms;
        self.emit(Instr::Default);
        self.leave_with_leaves(table.default())?;
        self.emit(Instr::End);
        self.unreached();
        Ok(())
    }

    /// The end of the statements of a construct's last branch, or first: its results go where they are wanted.
    pub(super) fn close_branch(&mut self, frame: Frame) -> Result {
        if self.dead.is_some() {
            return Ok(());
        }
        self.settle();
        let (kinds, count) = (frame.kinds + frame.params, frame.results);
        self.fit_kinds(0, kinds, count)?;
        let delivered = count > 0 && self.delivered(frame, kinds, count);
        let start = self.begin(count, Keep::ALL)?;
        if frame.kind == Kind::Function {
            if count > 0 {
                self.emit(Instr::Return);
            }
        } else if delivered {
            self.code.bytes.truncate(start);
        } else if count > 0 {
            self.deliver(frame, kinds, count);
        }
        Ok(())
    }

    pub(super) fn forget_assignments(&mut self, down_to: usize) {
        for local in self.assignments.drain(down_to..) {
            if let Some(state) = self.states.get_mut(local.index()) {
                state.assigned = false;
            }
        }
    }

    fn open_else(&mut self) -> Result {
        let frame = self.frame(0)?;
        self.close_branch(frame)?;
        self.emit(Instr::Else);
        self.forget_assignments(frame.assignments);
        if let Some(top) = self.frames.last_mut() {
            top.kind = Kind::Else;
            // The first branch's end leads to the construct's, unless it is dead.
            top.left |= self.dead.is_none();
        }
        self.dead = None;
        self.entries.truncate(frame.height);
        self.floor = frame.height;
        self.push_places(frame, frame.kinds, frame.params);
        Ok(())
    }

    /// Puts the values that wait in a construct's places on the stack.
    fn push_places(&mut self, frame: Frame, kinds: usize, count: usize) {
        for at in 0..count {
            let ty = self.kinds.get(kinds + at).copied().unwrap_or(Type::I32);
            let temp = self.temp(frame.height + at, ty);
            self.push_leaf(Leaf::Local(temp), ty);
        }
    }

    pub(super) fn close(&mut self) -> Result {
        let frame = self.frame(0)?;
        self.close_branch(frame)?;
        self.forget_assignments(frame.assignments);
        let reached = self.dead.is_none();
        let left = match frame.kind {
            Kind::Function => {
                self.frames.pop();
                return Ok(());
            }
            Kind::Block => {
                self.emit(Instr::End);
                frame.left
            }
            Kind::Loop => {
                if reached {
                    self.emit(Instr::Break(0));
                }
                self.emit(Instr::End);
                // Branches lead to its head.
                false
            }
            Kind::If => {
                self.emit(Instr::End);
                self.emit(Instr::End);
                // There is a way past it.
                true
            }
            Kind::Else => {
                self.emit(Instr::End);
                self.emit(Instr::End);
                frame.left
            }
            Kind::Try => {
                self.close_try(frame, reached)?;
                frame.left
            }
            Kind::Catch => {
                self.close_catch(reached)?;
                frame.left
            }
        };
        self.blocks -= 1;
        self.depth -= frame.kind.constructs();
        self.frames.pop();
        self.entries.truncate(frame.height);
        if reached || left {
            self.dead = None;
            self.restore();
            self.push_places(frame, frame.kinds + frame.params, frame.results);
        } else {
            self.unreached();
        }
        self.kinds.truncate(frame.kinds);
        Ok(())
    }

    /// An operator that is not reached: only where the dead code ends matters.
    pub(super) fn dead_operator(&mut self, operator: &Operator<'_>, open: u32) -> Result {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => self.dead = Some(open + 1),
            Operator::TryTable { .. } | Operator::Try { .. } => self.dead = Some(open + 1),
            Operator::End | Operator::Delegate { .. } if open > 0 => self.dead = Some(open - 1),
            Operator::End => self.close()?,
            Operator::Else if open == 0 => self.open_else()?,
            Operator::Catch { .. } | Operator::CatchAll | Operator::Delegate { .. } if open == 0 => {
                self.exception_operator(operator)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Constructs and branches; `false` if it is another operator.
    pub(super) fn control_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::Nop => {}
            Operator::Unreachable => {
                self.begin(0, Keep::ALL)?;
                let why = self.build.string("unreachable");
                self.emit(Instr::Trap(why));
                self.unreached();
            }
            Operator::Block { blockty } => self.open(Kind::Block, *blockty)?,
            Operator::Loop { blockty } => self.open(Kind::Loop, *blockty)?,
            Operator::If { blockty } => {
                self.condition()?;
                self.open(Kind::If, *blockty)?;
            }
            Operator::Else => self.open_else()?,
            Operator::End => self.close()?,
            Operator::Br { relative_depth } => self.branch(*relative_depth)?,
            Operator::BrIf { relative_depth } => self.branch_if(*relative_depth)?,
            Operator::BrTable { targets } => self.branch_table(targets)?,
            Operator::Return => self.branch(self.frames.len().saturating_sub(1) as u32)?,
            Operator::BrOnNull { relative_depth } => self.branch_on_null(*relative_depth)?,
            Operator::BrOnNonNull { relative_depth } => self.branch_on_non_null(*relative_depth)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// If the reference on top is null, branches without it.
    fn branch_on_null(&mut self, depth: u32) -> Result {
        let ty = self.top()?.ty.non_null();
        let temp = self.temp(self.entries.len() - 1, ty);
        self.begin(1, Keep::ALL)?;
        self.emit(Instr::IfAs(ty, temp));
        self.emit(Instr::Else);
        self.leave_with_leaves(depth)?;
        self.emit(Instr::End);
        self.restore();
        self.push_leaf(Leaf::Local(temp), ty);
        Ok(())
    }

    /// If the reference on top is not null, branches with it; else it is dropped.
    fn branch_on_non_null(&mut self, depth: u32) -> Result {
        let ty = self.top()?.ty.non_null();
        let temp = self.temp(self.entries.len() - 1, ty);
        self.begin(1, Keep::ALL)?;
        self.emit(Instr::IfAs(ty, temp));
        // It is on the stack for the branch alone.
        self.push_detached(temp, ty);
        self.leave_with_leaves(depth)?;
        self.entries.pop();
        self.emit(Instr::End);
        self.restore();
        Ok(())
    }

    /// The end of a function that sends a device instruction.
    pub(super) fn end_wrapper(&mut self) -> Result {
        self.close()
    }

    pub(super) fn push_detached(&mut self, temp: LocalId, ty: Type) {
        let start = self.code.bytes.len();
        self.entries.push(Entry::leaf(start, ty, Leaf::Local(temp)));
    }
}
